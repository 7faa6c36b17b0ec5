"""One process at a time puts an order's files before the ERP, however slow it is.

Claims of the order ledger see to it that one worker has an order. But a worker may
freeze in the middle of a write, lose its claim, and come to life again: then it would
show the files beside the one that took over. So whoever sends holds a lock of the
file system. Whoever comes second is told, and the system lets go of the lock of a
process that has died.

Turned down: a record that only the first can create. It tells who was first, but who
takes up what another left must replace that record, and then a frozen worker could
replace the new one.

Locks are on a few files that stay, not on one for each order: a lock file cannot be
removed without a moment in which two processes hold it.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sync.errors import OutcomeUnknown, SyncError
from sync.kit.disk import FileSystem, translated

SLOTS = 64

NO_LOCKS = (
    "the file system knows no locks: a worker that hangs and comes to life again could show an"
    " order twice, so an order whose outcome is unknown goes to review"
)
REMEDY = "mount the share with locks that the service may take"


class OneWriter:
    """Over the orders whose records are in ``folder``.

    ``possible`` turns false for good once the file system says that it knows no locks.
    """

    def __init__(self, folder: Path, files: FileSystem) -> None:
        self._folder, self._files = folder, files
        self.possible = True

    @contextmanager
    def of(self, stem: str) -> Iterator[None]:
        """Raises OutcomeUnknown where another process is at it, TryLater and AccessDenied."""
        slot = self._folder / f".{zlib.crc32(stem.encode()) % SLOTS:02}.lock"
        with ExitStack() as held:
            with translated("locking an order", self._folder):
                try:
                    locked = held.enter_context(self._files.alone(slot))
                except BlockingIOError as busy:
                    raise OutcomeUnknown(
                        f"another process is sending {stem}, or one like it, and has not ended: "
                        "if this goes on, look for a daemon that hangs and stop it"
                    ) from busy
            self.possible = self.possible and locked
            yield

    def trouble(self) -> str | None:
        """What stands in the way of the locks, found out now; None where nothing does.

        Nothing is left behind in the folder.
        """
        probe = self._folder / ".tradesync-check.lock"
        try:
            with translated("trying to lock", self._folder):
                try:
                    with self._files.alone(probe) as locked:
                        self._files.remove(probe)
                except BlockingIOError:
                    locked = True  # another check is at it
        except SyncError as error:
            return str(error)
        self.possible = self.possible and locked
        return None if self.possible else NO_LOCKS
