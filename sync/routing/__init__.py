"""Which ERP account does this buyer order under?

Pure: everything that was looked up is handed in. Retail is a decision by rule.
A look-up that failed raises long before this, and an assignment that exists but
cannot be used is never taken for "no assignment".
"""

from __future__ import annotations

from sync.routing.assignments import AccountMap, Told, Unusable, Usable
from sync.routing.deciding import RoutingFacts, membership, route

__all__ = ["AccountMap", "RoutingFacts", "Told", "Unusable", "Usable", "membership", "route"]
