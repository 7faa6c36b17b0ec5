"""A clock that only a test moves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sync.domain.times import utc

A_MONDAY = datetime(2025, 3, 3, 9, 0, tzinfo=UTC)


class ManualClock:
    """Time stands still until somebody sleeps or the test lets it pass.

    ``slept`` lists the seconds of every sleep, in order.
    """

    def __init__(self, start: datetime = A_MONDAY) -> None:
        self._now = utc(start)
        self._elapsed_s = 0.0
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._elapsed_s

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Let time pass. Raises ValueError for a step backwards."""
        if seconds < 0:
            raise ValueError(f"time does not run backwards: {seconds} s")
        self._now += timedelta(seconds=seconds)
        self._elapsed_s += seconds

    def set_wall_clock(self, moment: datetime) -> None:
        """Set the time of day, as an administrator might; monotonic time goes on."""
        self._now = utc(moment)
