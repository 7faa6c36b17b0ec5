"""The real daemon as a process, with this test in the place of systemd."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.system.site import SampleSite, command, environment

WAIT_S = 90.0

Event = dict[str, Any]


class Daemon:
    """``tradesync run`` on a site. What it logs and what it tells systemd is kept, in order."""

    def __init__(self, site: SampleSite, **environ: str) -> None:
        self.site = site
        self._news = threading.Condition()
        self.events: list[Event] = []
        self.told: list[str] = []
        self.text = ""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        # The system finds a name that nobody has, in other containers neither.
        self._socket.bind("")
        name = self._socket.getsockname()[1:].decode()
        self.process = subprocess.Popen(
            command("run", "--site", str(site.root)),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            cwd=site.root,
            env=environment(**{"NOTIFY_SOCKET": f"@{name}", **site.environ, **environ}),
        )
        self._readers = [
            threading.Thread(target=self._read_log, daemon=True),
            threading.Thread(target=self._read_notices, daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    # What it says

    def wait_until(self, what: str, holds: Callable[[], bool]) -> None:
        """Until it holds; looked at after each thing that the daemon says, and now and then."""
        give_up_at = time.monotonic() + WAIT_S
        with self._news:
            while not holds():
                if time.monotonic() > give_up_at:
                    said = self.text[-4000:]
                    raise AssertionError(f"waited in vain for {what}; it said:\n{said}")
                self._news.wait(0.2)

    def wait_for(self, event: str, *, times: int = 1, **facts: object) -> Event:
        """The log line with these facts, the ``times``-th one."""
        told = ", ".join(f"{key}={value}" for key, value in facts.items())
        self.wait_until(f"{event} {told}", lambda: len(self.found(event, **facts)) >= times)
        return self.found(event, **facts)[times - 1]

    def wait_for_an_order_on_its_way(self) -> None:
        """Until an order is being written into the ERP, which stands still."""
        query = (
            "SELECT count(*) FROM ledger WHERE state = 'submitting'"
            " AND frozen IS NOT NULL AND lease_until IS NOT NULL"
        )
        self.wait_until(
            "an order on its way", lambda: self.site.rows(self.site.state, query) == [(1,)]
        )

    def found(self, event: str, **facts: object) -> list[Event]:
        return [
            each
            for each in self.events
            if each.get("event") == event
            and all(each.get(key) == value for key, value in facts.items())
        ]

    def wait_for_notice(self, field: str, *, times: int = 1) -> None:
        """Until systemd was told so, such as READY=1."""
        self.wait_until(
            field, lambda: sum(field in each.split("\n") for each in self.told) >= times
        )

    def fields(self) -> list[str]:
        """Everything that systemd was told, without texts and times."""
        return [
            field
            for each in self.told
            for field in each.split("\n")
            if not field.startswith(("STATUS=", "MONOTONIC_USEC="))
        ]

    # What is done to it

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def send_to_another_thread(self, number: signal.Signals) -> None:
        """As the system may do: the main one, which alone handles signals, sleeps on."""
        others = {int(each.name) for each in Path(f"/proc/{self.process.pid}/task").iterdir()}
        others.discard(self.process.pid)
        libc = ctypes.CDLL(None, use_errno=True)
        sent = libc.tgkill(self.process.pid, min(others), number)
        assert sent == 0, os.strerror(ctypes.get_errno())

    def end(self, number: signal.Signals = signal.SIGTERM, timeout_s: float = 30.0) -> int:
        """Send the signal and wait; the exit status."""
        self.send(number)
        return self.ended(timeout_s)

    def ended(self, timeout_s: float = 60.0) -> int:
        """Wait until the process is gone and all it said was read."""
        code = self.process.wait(timeout_s)
        self._readers[0].join(WAIT_S)
        return code

    def __enter__(self) -> Daemon:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._readers[0].join(WAIT_S)
        # Ends the other reader, which waits for a datagram.
        self._socket.shutdown(socket.SHUT_RD)
        self._readers[1].join(WAIT_S)
        self._socket.close()

    def _read_log(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as lines:
            for line in lines:
                try:
                    event = json.loads(line)
                except ValueError:
                    event = None
                with self._news:
                    self.text += line
                    if isinstance(event, dict):
                        self.events.append(event)
                    self._news.notify_all()

    def _read_notices(self) -> None:
        while message := self._socket.recv(4096):
            with self._news:
                self.told.append(message.decode())
                self._news.notify_all()
