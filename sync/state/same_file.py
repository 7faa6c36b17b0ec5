"""Whether the files of a SQLite state are still the ones that this process opened.

A file that is moved away or replaced under a running service goes on being
written to, where nobody will ever look again: after the next start those steps
of the ledger would be gone. And a connection that is opened when the write-ahead
log of the others was removed begins a second log of the same state. SQLite
notices neither, so both are looked for before each transaction.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.exc import DisconnectionError

from sync.errors import TryLater
from sync.kit.database_files import Identity, identity

BESIDE = ("-wal", "-shm")
"""What SQLite keeps next to the state while it is open, or after a process was killed."""


def beside(file: Path, suffix: str) -> Path:
    return file.with_name(file.name + suffix)


class SameFile:
    """Remembers the files behind an engine. A replaced state stays refused.

    While a file is open its number cannot go to another one, so the numbers tell
    for certain. With the log or its index gone the connections are closed one by
    one as they come up; the last one to close saves what is in the log, and the
    next transaction begins with everything there.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._state = identity(file)
        self._beside: dict[str, Identity] = {}
        self._open = 0
        self._guard = threading.Lock()

    def watch(self, engine: Engine) -> None:
        event.listen(engine, "do_connect", self._before_connecting)
        event.listen(engine, "connect", self._connected)
        event.listen(engine, "checkout", self._before_use)
        event.listen(engine, "close", self._closed)

    def require_same(self) -> None:
        """Raises TryLater where the state was moved away or replaced."""
        found = identity(self._file)
        if found is not None and found == self._state:
            return
        what = "is gone" if found is None else "was replaced by another file"
        first = "put it back, or " if found is None else ""
        way_out = (
            f"{first}stop the service and bring a backup in with: tradesync state restore FILE"
        )
        raise TryLater(
            f"the state {self._file} {what} while it was in use: no order is imported"
            f" without a ledger; {way_out}"
        )

    def remember_log(self) -> None:
        """Within a transaction, when the log and its index are sure to be there."""
        with self._guard:
            for suffix in BESIDE:
                found = identity(beside(self._file, suffix))
                if found is not None:
                    self._beside.setdefault(suffix, found)

    def _log_is_same(self) -> bool:
        return all(
            identity(beside(self._file, suffix)) == known for suffix, known in self._beside.items()
        )

    def _before_connecting(self, *_: object) -> None:
        self.require_same()
        with self._guard:
            if self._open == 0:
                self._beside.clear()
            elif not self._log_is_same():
                raise TryLater(
                    f"the write-ahead log of the state {self._file} was taken away while it was"
                    " in use: no order is imported before it is written anew"
                )

    def _connected(self, *_: object) -> None:
        with self._guard:
            self._open += 1

    def _closed(self, *_: object) -> None:
        with self._guard:
            self._open -= 1

    def _before_use(self, *_: Any) -> None:
        self.require_same()
        with self._guard:
            same = self._log_is_same()
        if not same:
            # The pool closes this connection and makes another one.
            raise DisconnectionError("the write-ahead log was taken away")
