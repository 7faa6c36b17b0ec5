"""The systems as the engine meets them: watched, and left alone while they are down.

One watch per system, shared by every pipeline and flow on it. The adapter is
reached through ``guarded``, which asks the watch before each call and tells it
how the call ended; ``keep_records`` writes what is known into the state.
"""

from __future__ import annotations

from sync.systems.guarded import guarded
from sync.systems.records import keep_records
from sync.systems.watch import BreakerLimits, SystemWatch

__all__ = ["BreakerLimits", "SystemWatch", "guarded", "keep_records"]
