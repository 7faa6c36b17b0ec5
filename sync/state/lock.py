"""One writer per state.

SQLite: a lock on ``<state file>.lock``, held by the process until it ends, even
by ``kill -9``. The file stays: removing it would let two processes lock two
files of one name. PostgreSQL: an advisory lock, held by a connection of its own.

The lock keeps a second daemon from starting by mistake. It is not what keeps
orders safe: a process that was frozen for an hour may come back to a lock that
is no longer its own, and then the fencing tokens of the ledger stop it.

Who becomes the writer may be sure that the one before is no more only where the
lock says so (``ends_with_its_process``): the kernel gives a file's lock up when
its process is gone, and no earlier. A server gives an advisory lock up as soon as
the connection is lost, and its process may live on; and whoever has to make the
lock's file anew cannot know whether somebody holds the one that was removed.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
from pathlib import Path
from types import TracebackType
from typing import Protocol

from sqlalchemy import Connection, Engine, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from sync.errors import AccessDenied, StateInUse, TryLater
from sync.state.engine import make_engine, prepare_folder, sqlite_file, state_url
from sync.state.errors import translated
from sync.state.in_use import holder_in, lock_of

# Two numbers that no other program is likely to lock in our database.
_ADVISORY = {"space": 0x54_5244, "number": 1}

# What nobody but a person ends. Anything else, such as a full disk, may be over in a minute.
_FOR_GOOD = frozenset(
    {errno.EACCES, errno.EPERM, errno.EROFS, errno.EISDIR, errno.ELOOP, errno.ENOTDIR}
)


class WriterLock(Protocol):
    """The right to be the writer, until released. Releasing twice does no harm."""

    def still_held(self) -> bool: ...

    @property
    def ends_with_its_process(self) -> bool:
        """Whether no process that was the writer before us can still be running."""
        ...

    def release(self) -> None: ...

    def __enter__(self) -> WriterLock: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


def hold_writer_lock(url: str | URL) -> WriterLock:
    """Become the writer of the state at ``url``, before it is opened.

    Raises StateInUse, naming the process that is, AccessDenied for another
    user's state, Misconfigured for a URL that is none, TryLater while the
    server is away. A state in memory has nobody to share with.
    """
    target = state_url(url)
    if target.get_backend_name() == "postgresql":
        return _AdvisoryLock(target)
    file = sqlite_file(target)
    if file is None:
        return _NoLock()
    prepare_folder(file)
    return _FileLock(lock_of(file))


class _Releasing:
    def release(self) -> None:
        """Nothing to give back."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


class _NoLock(_Releasing):
    # Nobody before us could write into our memory.
    ends_with_its_process = True

    def still_held(self) -> bool:
        return True

    def __enter__(self) -> _NoLock:
        return self


class _FileLock(_Releasing):
    def __init__(self, path: Path) -> None:
        self._descriptor: int | None = None
        self._path = path
        self._was_there = path.exists()
        descriptor = _opened(path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = holder_in(descriptor)
            os.close(descriptor)
            raise StateInUse(
                f"the state is in use by process {holder or 'unknown'} ({path});"
                " stop the service first"
            ) from error
        with contextlib.suppress(OSError):
            # For people only: a full disk does not keep anybody from being the writer.
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
        self._descriptor = descriptor

    def still_held(self) -> bool:
        """False also when somebody removed the file: another process may hold its successor."""
        if self._descriptor is None:
            return False
        try:
            return os.path.samestat(os.fstat(self._descriptor), self._path.stat())
        except FileNotFoundError:
            return False

    @property
    def ends_with_its_process(self) -> bool:
        return self._was_there

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> _FileLock:
        return self


def _opened(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        told = f"the lock {path} cannot be opened: {error.strerror}"
        if error.errno in _FOR_GOOD:
            raise AccessDenied(
                f"{told}; look at its folder's owner and mode, and what is there"
            ) from error
        raise TryLater(f"{told}; look at the disk") from error


class _AdvisoryLock(_Releasing):
    ends_with_its_process = False

    def __init__(self, url: URL) -> None:
        name = f"tradesync process {os.getpid()} on {socket.gethostname()}"
        self._engine: Engine = make_engine(
            url.update_query_dict({"application_name": name[:63]}), wait_for_lock_s=0
        ).execution_options(isolation_level="AUTOCOMMIT")
        self._connection: Connection | None = None
        try:
            with translated():
                self._connection = self._engine.connect()
                self._acquire(self._connection)
        except BaseException:
            self.release()
            raise

    def _acquire(self, connection: Connection) -> None:
        if connection.scalar(text("SELECT pg_try_advisory_lock(:space, :number)"), _ADVISORY):
            return
        holder = connection.scalar(
            text(
                "SELECT activity.application_name || ', backend ' || activity.pid"
                " FROM pg_locks AS held JOIN pg_stat_activity AS activity USING (pid)"
                " WHERE held.locktype = 'advisory' AND held.granted"
                " AND held.classid = :space AND held.objid = :number AND held.objsubid = 2"
            ),
            _ADVISORY,
        )
        raise StateInUse(
            f"the state is in use by {holder or 'another process'}; stop the service first"
        )

    def still_held(self) -> bool:
        """False once the connection was lost, and the lock with it."""
        if self._connection is None:
            return False
        try:
            return bool(self._connection.scalar(text("SELECT 1")) == 1)
        except DBAPIError:
            return False

    def release(self) -> None:
        if self._connection is not None:
            # Closed for good, not given back to a pool: the lock lives in it.
            self._connection.invalidate()
            self._connection.close()
            self._connection = None
        self._engine.dispose()

    def __enter__(self) -> _AdvisoryLock:
        return self
