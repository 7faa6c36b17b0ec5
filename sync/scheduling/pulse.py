"""Whether work goes on: what the watchdog may believe."""

from __future__ import annotations

import threading

from sync.ports.clock import Clock

# A flow that says nothing for this long hangs: every flow reports each batch.
STALLED_AFTER_S = 600.0


class Pulse:
    """Remembers when each running flow last made progress, and the last idle beat.

    A timer alone would keep a hung daemon alive. So a beat counts only while
    the workers still take jobs and no running flow has fallen silent.
    """

    def __init__(self, clock: Clock, idle_s: float) -> None:
        self._clock, self._idle_s = clock, idle_s
        self._lock = threading.Lock()
        self._running: dict[str, float] = {}
        self._idle = clock.monotonic()

    def beat(self) -> None:
        """A worker took a job and looked into the state."""
        with self._lock:
            self._idle = self._clock.monotonic()

    def progress(self, run: str) -> None:
        with self._lock:
            self._running[run] = self._clock.monotonic()

    def ended(self, run: str) -> None:
        with self._lock:
            self._running.pop(run, None)
            self._idle = self._clock.monotonic()

    def running(self) -> tuple[str, ...]:
        """The flows that are at work now, sorted."""
        with self._lock:
            return tuple(sorted(self._running))

    def stalled(self) -> str | None:
        """What has fallen silent; None while all is well."""
        now = self._clock.monotonic()
        with self._lock:
            for run, last in self._running.items():
                if now - last > STALLED_AFTER_S:
                    return f"{run} made no progress for {now - last:.0f} s"
            if now - self._idle > self._idle_s and not self._running:
                return f"no worker took a job for {now - self._idle:.0f} s"
        return None
