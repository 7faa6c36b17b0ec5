"""A system that is down is left alone for a while, and then asked once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from enum import Enum

from sync.errors import TryLater

STUBBORN = 2
"""So many times the failures in a row open it whatever was asked."""


class BreakerState(Enum):
    """CLOSED: requests pass. OPEN: none does. HALF_OPEN: one passes, to see how it is."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class CircuitBreaker:
    """Opens after ``failures`` in a row, and tries again after ``pause_s``.

    Each request asks ``permit`` first and tells its end with ``succeeded`` or
    ``failed``. A failure is a system that is away or broken; one that refuses a
    document is up. A request that was permitted and never told how it ended
    gives its place away after another ``pause_s``.

    A question that fails again and again may be at fault itself: one record at which
    the system breaks off. Whoever tells what was asked has it counted once in a row.
    But after ``STUBBORN`` times as many of any kind it opens all the same.
    """

    def __init__(
        self,
        failures: int = 5,
        pause_s: float = 60.0,
        *,
        monotonic: Callable[[], float],
    ) -> None:
        if failures < 1 or pause_s <= 0:
            raise ValueError(f"no breaker: {failures} failures, {pause_s} s")
        self._most, self._pause_s = failures, pause_s
        self._monotonic = monotonic
        self._guard = threading.Lock()
        self._failures = 0
        self._again = 0
        self._about: set[Hashable] = set()
        self._try_from: float | None = None  # when open: from then on one may try

    @property
    def state(self) -> BreakerState:
        with self._guard:
            if self._try_from is None:
                return BreakerState.CLOSED
            waits = self._monotonic() < self._try_from
            return BreakerState.OPEN if waits else BreakerState.HALF_OPEN

    @property
    def rests_s(self) -> float:
        """Seconds until one may try; 0 where one may now."""
        with self._guard:
            return 0.0 if self._try_from is None else max(0.0, self._try_from - self._monotonic())

    def permit(self) -> None:
        """Raises TryLater, with the seconds to wait, while the system is left alone."""
        with self._guard:
            if self._try_from is None:
                return
            now = self._monotonic()
            if now < self._try_from:
                raise TryLater(
                    "the system failed again and again and is left alone for now",
                    retry_after_s=self._try_from - now,
                )
            # This one tries; the others wait for how it ends.
            self._try_from = now + self._pause_s

    def let_one_try(self) -> None:
        """The next request passes, whether the pause is over or not."""
        with self._guard:
            if self._try_from is not None:
                self._try_from = min(self._try_from, self._monotonic())

    def shut(self, pause_s: float) -> None:
        """Open at once and for that long, whatever the failures before were."""
        with self._guard:
            self._try_from = self._monotonic() + pause_s

    def succeeded(self) -> None:
        with self._guard:
            self._failures = self._again = 0
            self._about.clear()
            self._try_from = None

    def failed(self, about: Hashable = None) -> None:
        """``about``: what was asked; None where the question is surely not at fault."""
        with self._guard:
            if about is not None and about in self._about:
                self._again += 1
            else:
                self._failures += 1
            if about is not None:
                self._about.add(about)
            most = self._failures >= self._most
            if most or self._failures + self._again >= STUBBORN * self._most:
                self._try_from = self._monotonic() + self._pause_s
