"""Several processes of which exactly one works at a time, so that a schedule can be repeated.

Each process is a thread. It goes on until its turn is used up at some point of
its script, and then hands over to whoever drives; the driver says who is next.
Nothing else switches threads, so the same choices lead to the same run. A
process may stall, as one does whose machine was frozen or whose call hangs: it
goes on later, and does not know that time went by.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from sync.ports.clock import Clock


class Process:
    """One of those that take turns. ``error`` is what its work ended with, if badly."""

    def __init__(self, name: str, clock: Clock) -> None:
        self.name = name
        self.error: BaseException | None = None
        self._clock = clock
        self._until: datetime | None = None
        self._points = 0
        self._mine, self._theirs = threading.Lock(), threading.Lock()
        self._mine.acquire()
        self._theirs.acquire()
        self._thread: threading.Thread | None = None

    @property
    def busy(self) -> bool:
        """Whether it is in the middle of something."""
        return self._thread is not None

    @property
    def stalled_until(self) -> datetime | None:
        return self._until if self.busy else None

    @property
    def ready(self) -> bool:
        return self.busy and (self._until is None or self._until <= self._clock.now())

    def begin(self, work: Callable[[], object]) -> None:
        """Give it something to do; it begins with its next turn."""
        if self.busy:
            raise RuntimeError(f"{self.name} is busy")
        self._until = None
        self._thread = threading.Thread(target=self._run, args=(work,), daemon=True)
        self._thread.start()

    def go_on(self, points: int) -> None:
        """Let it pass so many points; comes back when it has, stalls or is done."""
        thread = self._thread
        if thread is None:
            raise RuntimeError(f"{self.name} has nothing to do")
        self._points, self._until = points, None
        self._mine.release()
        self._theirs.acquire()
        if self._points < 0:
            thread.join()
            self._thread = None

    def pass_point(self, _point: str = "") -> None:
        """For ``Script(turn=...)``: hand over where the turn is used up."""
        if self._points > 0:
            self._points -= 1
            return
        self._hand_over()

    def stall(self, seconds: float) -> None:
        """Do nothing until that much time has gone by; called from within."""
        self._until = self._clock.now() + timedelta(seconds=seconds)
        self._hand_over()

    def _hand_over(self) -> None:
        self._theirs.release()
        self._mine.acquire()

    def _run(self, work: Callable[[], object]) -> None:
        self._mine.acquire()
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - the driver tells it
            self.error = error
        self._points = -1
        self._theirs.release()
