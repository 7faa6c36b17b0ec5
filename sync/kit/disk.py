"""Files as an exchange by folders needs them, and what it means when the disk says no.

Folders are never made here: one that is missing is most likely a share that is
not mounted, and a new folder in its place would swallow orders.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sync.errors import Misconfigured, OutcomeUnknown, RightMissing, TryLater


@dataclass(frozen=True, slots=True)
class FileFacts:
    """Size in bytes and moment of the last change, in the disk's own time."""

    size: int
    changed_ns: int


class FileSystem(Protocol):
    """Every method raises OSError, and only that."""

    def names(self, folder: Path) -> Sequence[str]:
        """What stands in the folder, in any order."""
        ...

    def facts(self, path: Path) -> FileFacts | None:
        """Of a file or folder; None where there is none."""
        ...

    def read(self, path: Path) -> bytes: ...

    def write(self, path: Path, content: bytes) -> None:
        """A new file, on the disk when the call returns. One that is there is an error."""
        ...

    def rename(self, source: Path, target: Path) -> None:
        """In one step, in place of a ``target`` that is there. One file system only."""
        ...

    def remove(self, path: Path) -> None: ...

    def settle(self, folder: Path) -> None:
        """What was renamed or removed in the folder survives a loss of power."""
        ...

    def free(self, folder: Path) -> int:
        """Bytes that we may still write there."""
        ...

    def alone(self, path: Path) -> AbstractContextManager[bool]:
        """While inside, nobody else gets in with this file, in no other process either.

        The file is made where there is none. Raises BlockingIOError where somebody is
        inside. Gives False where the file system knows no locks: then all get in.
        """
        ...


class Disk:
    """The operating system's files."""

    def names(self, folder: Path) -> Sequence[str]:
        return [path.name for path in folder.iterdir()]

    def facts(self, path: Path) -> FileFacts | None:
        try:
            found = path.stat()
        except FileNotFoundError:
            return None
        return FileFacts(found.st_size, found.st_mtime_ns)

    def read(self, path: Path) -> bytes:
        return path.read_bytes()

    def write(self, path: Path, content: bytes) -> None:
        with path.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())

    def rename(self, source: Path, target: Path) -> None:
        source.rename(target)

    def remove(self, path: Path) -> None:
        path.unlink()

    def settle(self, folder: Path) -> None:
        opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(opened)
        except OSError as error:
            # Windows shares know no such thing; their server keeps its own order.
            if error.errno not in (errno.EINVAL, errno.ENOTSUP):
                raise
        finally:
            os.close(opened)

    def free(self, folder: Path) -> int:
        told = os.statvfs(folder)
        return told.f_bavail * told.f_frsize

    @contextmanager
    def alone(self, path: Path) -> Iterator[bool]:
        opened = os.open(path, os.O_RDWR | os.O_CREAT, 0o660)
        try:
            yield _locked(opened)
        finally:
            os.close(opened)


def _locked(opened: int) -> bool:
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.ENOLCK, errno.ENOTSUP, errno.EINVAL, errno.ENOSYS):
            return False
        raise
    return True


DENIED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
WRONG = frozenset({errno.EXDEV, errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.ELOOP})
AWAY = frozenset(
    {
        errno.ENOENT,
        errno.ESTALE,
        errno.EIO,
        errno.EREMOTEIO,
        errno.ETIMEDOUT,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.ENETDOWN,
        errno.ENETUNREACH,
        errno.ENOTCONN,
        errno.ECONNRESET,
        errno.ECONNABORTED,
        errno.ECONNREFUSED,
        errno.EPIPE,
        errno.EBUSY,
        errno.EAGAIN,
        errno.EINTR,
        errno.ENODEV,
        errno.ENXIO,
        errno.EMFILE,
        errno.ENFILE,
        errno.EEXIST,
    }
)
"""Passing trouble: a share that is gone, a server that does not answer."""


@contextmanager
def translated(doing: str, folder: Path, *, visible: bool = False) -> Iterator[None]:
    """Runs a stretch of work in ``folder``.

    ``visible``: the ERP may see the outcome, so what failed without a clear
    word may have happened. An error that no table knows surfaces as it came.
    """
    try:
        yield
    except OSError as error:
        raised = _ours(error, f"{doing} in {folder}", visible=visible)
        if raised is None:
            raise
        raise raised from error


def _ours(error: OSError, doing: str, *, visible: bool) -> Exception | None:
    said = error.strerror or type(error).__name__
    code = errno.ETIMEDOUT if isinstance(error, TimeoutError) else error.errno
    if code in DENIED:
        return RightMissing(f"{doing}: {said}; give the service's account the right to write there")
    if code in WRONG:
        return Misconfigured(f"{doing}: {said}")
    if code not in FULL | AWAY:
        return None
    if visible:
        return OutcomeUnknown(f"{doing}: {said}")
    if code == errno.ENOENT:
        return TryLater(f"{doing}: {said}; is the share mounted?")
    return TryLater(f"{doing}: {said}")


def there(files: FileSystem, path: Path) -> bool:
    """Whether the file is there. Raises FileNotFoundError where its folder is not:
    an order must not look unsent because a share is not mounted."""
    if files.facts(path) is not None:
        return True
    if files.facts(path.parent) is None:
        raise FileNotFoundError(2, "the folder is not there", str(path.parent))
    return False
