"""Whether SQLite can trust a state's file; asked after the last process was killed.

A write-ahead log that is left behind is replayed by the next process. That is
right for the log of this very file, and ruins any other: a backup copied over
the state beside the old log, or an older log copied back. Most such ruins look
sound page by page; only their indexes tell that orders are missing, and an order
that an index has lost is never worked on again. So nothing less than the whole
check will do, some three seconds for every 100,000 orders.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from sync.errors import Misconfigured
from sync.state.errors import translated
from sync.state.in_use import writer_has
from sync.state.same_file import beside

_SHOWN = 3


def connected(file: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """A bare connection to a file that must exist. Raises what sqlite3 raises."""
    mode = "ro" if read_only else "rw"
    return sqlite3.connect(f"file:{quote(str(file))}?mode={mode}", uri=True, isolation_level=None)


def complaints(connection: sqlite3.Connection, *, quick: bool = False) -> list[str]:
    """What SQLite finds wrong with its own structures; nothing for a sound file.

    ``quick`` leaves out whether each index agrees with its table. A file that is
    no database at all is one complaint.
    """
    pragma = "quick_check" if quick else "integrity_check"
    try:
        found = [str(row[0]) for row in connection.execute(f"PRAGMA {pragma}")]
    except sqlite3.DatabaseError as error:
        if (getattr(error, "sqlite_errorcode", 0) & 0xFF) in (
            sqlite3.SQLITE_CORRUPT,
            sqlite3.SQLITE_NOTADB,
        ):
            return [str(error)]
        raise
    return [] if found == ["ok"] else found


def require_sound(file: Path) -> None:
    """Raises Misconfigured for a state that the log left beside it has ruined.

    Without such a log nothing is read: the last process closed the state itself.
    """
    log = beside(file, "-wal")
    if not log.exists() or log.stat().st_size == 0:
        return
    # A connection that may write would fold the log into the state as it closes.
    with translated(), closing(connected(file, read_only=True)) as connection:
        found = complaints(connection)
    if found:
        raise Misconfigured(
            f"the state {file} is damaged: no order is imported without a ledger;"
            " stop the service and bring the last backup in with: tradesync state restore FILE",
            tuple(found[:_SHOWN]),
        )


def require_sound_beside(file: Path) -> None:
    """For who is not the writer: whether the log is that of this file.

    While there is a writer the log is its own, if the file is. Raises TryLater where it
    has another one, and Misconfigured as ``require_sound``.
    """
    if not writer_has(file):
        require_sound(file)
