"""Whether a file that settings name can be the SQLite database that they mean.

A driver says of a file that is not there, and of one that it cannot open for a moment,
the same: only the first is an error of whoever wrote the settings.
"""

from __future__ import annotations

from pathlib import Path

HEADER = b"SQLite format 3\x00"


def misplaced(option: str, file: Path) -> str | None:
    """Why there is no database at the file which that option names; None where one may be.

    ``option`` is a word for the message, such as "url".
    """
    if file.is_dir():
        return f"{option} names {file}, which is a folder"
    if not file.exists():
        lacking = "file" if file.parent.is_dir() else f"folder as {file.parent}"
        return f"{option} names {file}, and there is no such {lacking}"
    try:
        with file.open("rb") as opened:
            begins = opened.read(len(HEADER))
    except OSError as error:
        return f"{option} names {file}, which cannot be read: {error.strerror}"
    if begins and begins != HEADER:
        return f"{option} names {file}, which is no SQLite database"
    return None
