"""The real time, with a sleep that a stop request ends."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

from sync.ports.clock import Clock

# Less than this is how clocks are kept right all the time.
NOTICED = timedelta(seconds=1)


class SystemClock:
    def __init__(self, stop: threading.Event | None = None) -> None:
        self._stop = stop or threading.Event()

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        self._stop.wait(seconds)


class SetBack:
    """Whether the machine's clock was set back, told by the one that nobody can set."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._before = self._difference()

    def since_last(self) -> timedelta | None:
        """By how much since this was last asked; None where it was not."""
        before, self._before = self._before, self._difference()
        back = before - self._before
        return back if back >= NOTICED else None

    def _difference(self) -> datetime:
        return self._clock.now() - timedelta(seconds=self._clock.monotonic())
