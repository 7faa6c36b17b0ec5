"""A folder as the place of files.

A file is opened part by part below the folder, and no part may be a symbolic
link: so no name leads anywhere else, also where somebody exchanges a folder for
a link in between. The folder itself may be reached over one, which is the
administrator's choice.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from sync.errors import Rejected, RightMissing, TryLater
from sync.kit.file_names import parts_of
from sync.kit.file_settings import LIMIT_MB, MEGABYTE, size_limit
from sync.kit.options import Options
from sync.ports.erp import Finding, FindingLevel
from sync.ports.files import Stamp

OPTIONS = frozenset({"folder", "max_file_mb"})
PIECE = 256 * 1024

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# A pipe would wait for its other end for ever.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

_BUSY = frozenset({errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.EMFILE})


class FolderFiles:
    """Files below one folder of this machine."""

    def __init__(self, folder: Path, size_limit: int = LIMIT_MB * MEGABYTE) -> None:
        self._folder = folder
        self._size_limit = size_limit

    @classmethod
    def from_settings(
        cls, options: Mapping[str, object], secrets: Mapping[str, str], base: Path
    ) -> FolderFiles:
        """``folder``, which starts at ``base``, and ``max_file_mb``. Raises Misconfigured."""
        given = Options(options, OPTIONS, secrets)
        folder = given.needed("folder", "/srv/erp/papers")
        limit = size_limit(given)
        given.raise_if_any("the folder of files cannot be used")
        return cls(base / folder, limit)

    @property
    def size_limit(self) -> int:
        return self._size_limit

    def check(self) -> Sequence[Finding]:
        remedy = "make it and let the service read it, or correct the option folder"
        if not self._folder.is_dir():
            told = f"{self._folder} is no folder"
            return [Finding("folder", FindingLevel.ERROR, told, remedy)]
        if not os.access(self._folder, os.R_OK | os.X_OK):
            told = f"{self._folder} cannot be read"
            return [Finding("folder", FindingLevel.ERROR, told, remedy)]
        return [Finding("folder", FindingLevel.OK, f"{self._folder} is there")]

    def close(self) -> None:
        pass

    def stamp(self, place: str) -> Stamp | None:
        with self._opened(place) as file:
            return None if file is None else _stamp(os.fstat(file))

    def read_file(self, place: str, version: str) -> Iterator[bytes]:
        with self._opened(place) as file:
            if file is None:
                raise _no("is not there")
            begun = os.fstat(file)
            # The ERP's own word on the content is held against it by whoever reads it.
            if not version.startswith("sha256:") and _stamp(begun).version != version:
                raise _changed()
            while piece := os.read(file, PIECE):
                yield piece
            if _state(os.fstat(file)) != _state(begun):
                raise _changed()

    @contextmanager
    def _opened(self, place: str) -> Iterator[int | None]:
        try:
            parts = parts_of(place)
        except ValueError as error:
            raise _no(str(error)) from error
        file = None
        try:
            file = self._open(parts)
            yield file
        except OSError as error:
            raise _translated(error, self._folder) from error
        finally:
            if file is not None:
                os.close(file)

    def _open(self, parts: Sequence[str]) -> int | None:
        try:
            inside = os.open(self._folder, _FOLDER)
        except (FileNotFoundError, NotADirectoryError) as error:
            # A share that is not mounted is no folder without files.
            raise TryLater(f"the folder of files {self._folder} is not there") from error
        except PermissionError as error:
            told = f"the folder of files {self._folder} may not be read by the service"
            raise RightMissing(told) from error
        try:
            for part in parts[:-1]:
                deeper = _step(part, inside, _FOLDER | os.O_NOFOLLOW)
                if deeper is None:
                    return None
                os.close(inside)
                inside = deeper
            file = _step(parts[-1], inside, _FILE)
        finally:
            os.close(inside)
        if file is not None and not stat.S_ISREG(os.fstat(file).st_mode):
            os.close(file)
            raise _no("is no plain file")
        return file


def _step(part: str, inside: int, flags: int) -> int | None:
    """One part of the way, opened; None where it is not there."""
    try:
        return os.open(part, flags, dir_fd=inside)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.ENOTDIR):
            raise
        if stat.S_ISLNK(os.lstat(part, dir_fd=inside).st_mode):
            raise _no("is reached over a symbolic link") from error
        return None


def _stamp(status: os.stat_result) -> Stamp:
    # Without the inode: some shares number their files anew after each mount.
    return Stamp(f"{status.st_size}-{status.st_mtime_ns}", status.st_size)


def _state(status: os.stat_result) -> tuple[int, ...]:
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _translated(error: OSError, folder: Path) -> Exception:
    if error.errno in _BUSY:
        return TryLater(f"the folder of files {folder} does not answer: {error.strerror}")
    if isinstance(error, PermissionError):
        return _no("may not be read by the service", "give the service's user the right to read it")
    return _no(f"cannot be opened: {error.strerror}")


def _changed() -> Rejected:
    return _no("changed while it was read", "run the flow again when nobody writes the file")


def _no(why: str, remedy: str = "") -> Rejected:
    return Rejected(why, code="document_file", remedy=remedy)
