"""How fast a system may be asked: a token bucket that several threads share."""

from __future__ import annotations

import threading
from collections.abc import Callable

from sync.errors import TryLater


class TokenBucket:
    """At most ``burst`` requests at once and ``per_second`` in the long run.

    Whoever comes has its turn reserved and waits for it, so threads go in the
    order in which they came. ``monotonic`` and ``sleep`` are a clock's. A wait
    that would be longer than ``longest_wait_s`` is TryLater instead: a thread
    that sleeps through a whole pause does nothing for the other systems.
    """

    def __init__(
        self,
        per_second: float,
        burst: int = 1,
        *,
        monotonic: Callable[[], float],
        sleep: Callable[[float], None],
        longest_wait_s: float = 60.0,
    ) -> None:
        if per_second <= 0 or burst < 1:
            raise ValueError(f"no rate: {per_second} a second, {burst} at once")
        self._per_second, self._burst = per_second, float(burst)
        self._monotonic, self._sleep = monotonic, sleep
        self._longest_wait_s = longest_wait_s
        self._guard = threading.Lock()
        self._tokens = float(burst)
        self._as_of = monotonic()
        self._not_before = self._as_of

    def acquire(self) -> None:
        """Wait for one's turn. Raises TryLater where that would take too long."""
        wait = self._reserve()
        if wait > 0:
            self._sleep(wait)

    def pause(self, seconds: float) -> None:
        """The system asked for rest: nobody's turn comes before that, whatever is saved up."""
        with self._guard:
            now = self._monotonic()
            self._refill(now)
            self._not_before = max(self._not_before, now + seconds)
            self._tokens = min(self._tokens, 1.0)

    def _reserve(self) -> float:
        with self._guard:
            now = self._monotonic()
            self._refill(now)
            resumes = max(now, self._not_before)
            missing = max(0.0, 1.0 - self._tokens)
            wait = resumes - now + missing / self._per_second
            if wait > self._longest_wait_s:
                raise TryLater("the agreed rate of requests is used up", retry_after_s=wait)
            self._tokens -= 1.0
            return wait

    def _refill(self, now: float) -> None:
        """Nothing is saved up during a pause."""
        since = max(self._as_of, min(self._not_before, now))
        self._tokens = min(self._burst, self._tokens + (now - since) * self._per_second)
        self._as_of = now
