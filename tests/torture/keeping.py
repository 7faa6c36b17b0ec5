"""This program in the place of systemd: what ends is started again."""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from types import TracebackType

from sync.cli.output import Exit
from tests.system.daemon import Daemon
from tests.torture.places import Place


class Kept:
    """A daemon that is started again, ``delay_s`` after it has ended by itself or was killed."""

    def __init__(self, place: Place, delay_s: float) -> None:
        self._place, self._delay_s = place, delay_s
        self._over = threading.Event()
        self.exits: Counter[int] = Counter()
        self.gave_up = ""
        self.daemon = Daemon(place)
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self._thread.start()

    def _keep(self) -> None:
        while True:
            code = self.daemon.process.wait()
            self.exits[code] += 1
            self.daemon.__exit__(None, None, None)
            if code == Exit.MISCONFIGURED:
                # The unit's RestartPreventExitStatus: a person would have to come.
                self.gave_up = self.daemon.text[-2000:]
                return
            if self._over.wait(self._delay_s):
                return
            self.daemon = Daemon(self._place)

    def stop(self) -> int:
        """End it for good; the last exit status."""
        self._over.set()
        told: set[int] = set()
        give_up_at = time.monotonic() + 60
        while self._thread.is_alive():
            # The thread may just have begun another one.
            process = self.daemon.process
            if process.poll() is None and process.pid not in told:
                told.add(process.pid)
                process.send_signal(signal.SIGTERM)
            if process.poll() is None and time.monotonic() > give_up_at:
                process.kill()
            self._thread.join(0.1)
        return int(self.daemon.process.returncode)

    def __enter__(self) -> Kept:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def until(
    what: str, holds: Callable[[], bool], *, patience_s: float, pause_s: float = 0.05
) -> None:
    """Until it holds. Raises AssertionError after so long."""
    give_up_at = time.monotonic() + patience_s
    while not holds():
        if time.monotonic() > give_up_at:
            raise AssertionError(f"waited {patience_s:.0f} s in vain for {what}")
        time.sleep(pause_s)
