"""How a system is: what the service knows of an ERP or a store without asking it again.

All pipelines on a system share what is known of it, so a record belongs to the
system and to no pipeline.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Protocol, runtime_checkable

from sync.domain.times import CLOCK_ALARM_S


class Condition(Enum):
    """UP: it answers. AWAY: it failed again and again. DENIED: it refused the login.
    MISCONFIGURED: something cannot be asked of it as the settings or the profile have it.

    While it is AWAY or DENIED it is left alone, and asked once when the pause is over.
    """

    UP = "up"
    AWAY = "away"
    DENIED = "denied"
    MISCONFIGURED = "misconfigured"


@dataclass(frozen=True, slots=True)
class SystemRecord:
    """The condition of one system since ``since``.

    ``message`` is its last failure in words made for people; ``next_try_at`` from
    when on it is asked again, None while it is not left alone. ``clock_skew_s``: how far its
    clock was ahead of ours when last seen, None where that was never told.
    """

    name: str
    kind: str
    condition: Condition
    since: datetime
    message: str = ""
    next_try_at: datetime | None = None
    last_success_at: datetime | None = None
    last_failure_at: datetime | None = None
    clock_skew_s: float | None = None

    @property
    def degraded(self) -> bool:
        return self.condition is not Condition.UP

    @property
    def clock_is_off(self) -> bool:
        return self.clock_skew_s is not None and abs(self.clock_skew_s) > CLOCK_ALARM_S


class Systems(Protocol):
    """The last record of each system, kept for whoever asks from another process."""

    def put(self, record: SystemRecord) -> None:
        """Keep the record in place of the one before it."""
        ...

    def all(self) -> Sequence[SystemRecord]:
        """By name."""
        ...


@runtime_checkable
class TellsClockSkew(Protocol):
    """An adapter that sees the time of its system at every answer, such as an HTTP date."""

    @property
    def clock_skew_s(self) -> float | None:
        """Seconds that the system's clock was ahead of ours at its last answer."""
        ...
