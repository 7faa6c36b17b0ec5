"""Which file the writer of a SQLite state has open, for whoever looks at the state beside it.

SQLite finds the write-ahead log by the state's name. Where the state was replaced
under a running service, a command would read the new file through the log of the
old one, and fold that into it when it closes: the new file would be ruined, and with
the log gone no later start could tell. So the writer notes in its lock's file which
file it has opened, below its process.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from sync.errors import TryLater
from sync.kit.database_files import identity

_LONGEST = 128


def lock_of(file: Path) -> Path:
    return file.with_name(file.name + ".lock")


def holder_in(descriptor: int) -> str:
    """The process that a lock's file names; empty where it names none."""
    return _lines(descriptor)[0].strip()


def note_opened(file: Path) -> None:
    """This process has opened the state. Nothing where it is not the writer."""
    # Without room for it the note is missing: who comes beside it examines the state.
    with contextlib.suppress(OSError):
        descriptor = os.open(lock_of(file), os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            if holder_in(descriptor) == str(os.getpid()):
                note = f"{os.getpid()}\n{_spelled(file)}\n".encode("ascii")
                os.pwrite(descriptor, note, 0)
                os.ftruncate(descriptor, len(note))
        finally:
            os.close(descriptor)


def writer_has(file: Path) -> bool:
    """Whether somebody is the state's writer now, and has it open.

    False of who holds the lock for another end: to restore the state, or to see whether
    anybody holds it. Raises TryLater where the writer has another file open than the one
    of this name.
    """
    try:
        descriptor = os.open(lock_of(file), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        noted = "".join(_lines(descriptor)[1:2])
        if noted and noted != _spelled(file):
            raise TryLater(
                f"the state {file} was replaced by another file while it was in use; stop the"
                " service and bring a backup in with: tradesync state restore FILE"
            ) from None
        return noted != ""
    finally:
        os.close(descriptor)
    return False


def _lines(descriptor: int) -> list[str]:
    return os.pread(descriptor, _LONGEST, 0).decode("ascii", "replace").split("\n")


def _spelled(file: Path) -> str:
    found = identity(file)
    return "" if found is None else f"{found[0]}:{found[1]}"
