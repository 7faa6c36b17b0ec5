"""Whether a file that settings name can be the SQLite database that they mean.

A driver says of a file that is not there, and of one that it cannot open for a moment,
the same: only the first is an error of whoever wrote the settings.
"""

from __future__ import annotations

import errno
import stat
from pathlib import Path

Identity = tuple[int, int]
"""Tells a file from another one of its name, for as long as somebody has it open."""

HEADER = b"SQLite format 3\x00"
_NOT_THERE = frozenset({errno.ENOENT, errno.ENOTDIR})
# What the settings, or the rights on the file, must cure. Anything else, such as a share
# that is away or no more open files, may be over in a minute.
_FOR_GOOD = frozenset({errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENAMETOOLONG})


def misplaced(option: str, file: Path) -> str | None:
    """Why there is no database at the file which that option names; None where one may be.

    ``option`` is a word for the message, such as "url".
    """
    try:
        if stat.S_ISDIR(file.stat().st_mode):
            return f"{option} names {file}, which is a folder"
        with file.open("rb") as opened:
            begins = opened.read(len(HEADER))
    except OSError as error:
        if error.errno in _NOT_THERE:
            lacking = "file" if folder_is_there(file) else f"folder as {file.parent}"
            return f"{option} names {file}, and there is no such {lacking}"
        if error.errno in _FOR_GOOD:
            return f"{option} names {file}, which cannot be read: {error.strerror}"
        return None
    if begins and begins != HEADER:
        return f"{option} names {file}, which is no SQLite database"
    return None


def folder_is_there(file: Path) -> bool:
    """Whether the folder of the file is there, also where it cannot be looked at."""
    try:
        return stat.S_ISDIR(file.parent.stat().st_mode)
    except OSError as error:
        return error.errno not in _NOT_THERE


def identity(file: Path) -> Identity | None:
    """None where there is no such file."""
    try:
        found = file.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_dev, found.st_ino
