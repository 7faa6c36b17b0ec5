"""A connection to a SQLite database looks at the file that has its name now.

A file that is moved away, or that a backup is put in the place of, goes on being read
and written by whoever has it open: orders would go where nobody will ever look again,
and what is mirrored would come from yesterday. SQLite notices neither. So before each
use the file is compared with the one that was opened: a connection to another one is
closed, and a new one opened. It is compared again before a commit, and what was written
into another one is taken back.

That one must not be opened too early. SQLite finds a database's write-ahead log by the
name alone: beside the log of the file before it, the new one would be ruined. And this
process would give up its locks on the new one together with those on the old one. So
first everything here that looks at the old file is closed, and the log must be gone.
"""

from __future__ import annotations

import threading
import weakref
from pathlib import Path

from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry

from sync.errors import Misconfigured, TryLater
from sync.kit.database_files import Identity, identity

_OPENED = "opened file"


class _Database:
    """What this process has open under one name, through however many engines."""

    def __init__(self, file: Path) -> None:
        self.guard = threading.Lock()
        self.entries: weakref.WeakSet[ConnectionPoolEntry] = weakref.WeakSet()
        self.file = file
        self.log = file.with_name(f"{file.name}-wal")
        # The database file that was used last, and its log; and the log that a file left
        # behind, which nobody has written to since.
        self.used: tuple[Identity | None, Identity | None] = None, None
        self.left_behind: tuple[Identity | None, tuple[Identity, int] | None] = None, None

    def note_log(self, now: Identity | None) -> None:
        """While the file before is still open: later its log's number could be another one's."""
        owner, log = self.used
        if owner != now and log is not None and _seen(self.log) == log:
            self.left_behind = owner, _untouched(self.log)

    def let_go(self, now: Identity) -> None:
        """Close what looks at a file that had this name before. Raises TryLater, Misconfigured."""
        old = [
            each
            for each in self.entries
            if each.dbapi_connection is not None and each.info.get(_OPENED) != now
        ]
        if old:
            self.note_log(now)
        for each in old:
            if not each.in_use:
                each.invalidate()
        if any(each.dbapi_connection is not None for each in old):
            raise TryLater(
                f"{self.file} was replaced by another file while it was in use;"
                " it is opened as soon as nobody reads the one before it"
            )
        owner, left = self.left_behind
        if left is not None and owner != now and _untouched(self.log) == left:
            raise Misconfigured(
                f"{self.file} was replaced by another file, and {self.log.name} beside it belongs"
                " to the one before and would ruin this one; move it, and the file that ends in"
                " -shm, to where the one before is now"
            )


_databases: weakref.WeakValueDictionary[Path, _Database] = weakref.WeakValueDictionary()
_guard = threading.Lock()


def keep_to_its_name(engine: Engine, file: Path, *, writes: bool) -> None:
    """From now on the engine's connections are those of the file that has this name.

    Where another one has taken its place, a connection raises TryLater until nobody
    reads the old one any more, and Misconfigured as long as its log lies beside it. One
    that ``writes`` raises TryLater instead of a commit into a file that is there no more.
    """
    with _guard:
        database = _databases.get(file.absolute())
        if database is None:
            database = _databases[file.absolute()] = _Database(file)
    watch = _Watch(database)
    event.listen(engine, "do_connect", watch.before_connecting)
    event.listen(engine, "checkout", watch.before_use)
    event.listen(engine, "checkin", watch.after_use)
    if writes:
        event.listen(engine, "commit", watch.before_commit)


class _Watch:
    def __init__(self, database: _Database) -> None:
        self._database = database

    def before_connecting(self, _dialect: object, entry: ConnectionPoolEntry, *_: object) -> None:
        # Noted before it is opened: of two files that change places just then the
        # connection is taken for one to the first, and made anew at the next use.
        now = _seen(self._database.file)
        with self._database.guard:
            if now is not None:
                self._database.let_go(now)
            entry.info[_OPENED] = now
            self._database.entries.add(entry)

    def before_use(self, _raw: object, entry: ConnectionPoolEntry, _fairy: object) -> None:
        now = _seen(self._database.file)
        with self._database.guard:
            if entry.dbapi_connection is not None:
                if entry.info.get(_OPENED) == now:
                    return
                self._database.note_log(now)
        # The pool closes this connection and makes another one.
        raise DisconnectionError("the database's file is another one")

    def before_commit(self, connection: Connection) -> None:
        now = _seen(self._database.file)
        if now is None or connection.info.get(_OPENED) != now:
            raise TryLater(
                f"{self._database.file} is another file than before, or cannot be reached, and"
                " what was being written into it is taken back"
            )

    def after_use(self, raw: object, entry: ConnectionPoolEntry) -> None:
        now = _seen(self._database.file)
        if raw is not None and entry.info.get(_OPENED) == now:
            # Before it is used a database need have no log.
            self._database.used = now, _seen(self._database.log)


def _seen(file: Path) -> Identity | None:
    """None also where nobody can look, as on a share that is away.

    SQLite itself then tells what is wrong, in codes that are known; and a connection that
    is given back while it lasts is not lost to its pool.
    """
    try:
        return identity(file)
    except OSError:
        return None


def _untouched(log: Path) -> tuple[Identity, int] | None:
    """What tells the log from one that was written to since; None where nothing is in it."""
    try:
        found = log.stat()
    except FileNotFoundError:
        return None
    return ((found.st_dev, found.st_ino), found.st_mtime_ns) if found.st_size else None
