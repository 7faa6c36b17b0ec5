"""Names of files that another system tells: whether they stay where they belong.

A name is a path below some folder or prefix, its parts apart by ``/``. What could
be read as anything else, on any system or after any normalisation, is refused:
nothing is repaired, because a repaired name may be somebody else's file.
"""

from __future__ import annotations

import unicodedata

LONGEST = 1024
_DRIVE = ":"


def parts_of(place: str) -> tuple[str, ...]:
    """The parts of the name. Raises ValueError, saying what is wrong with it."""
    if not place or len(place) > LONGEST:
        raise ValueError(f"has a name that is empty or longer than {LONGEST} characters")
    # Takes in NUL, line ends, marks that change the direction of writing, lone surrogates.
    if not place.isprintable():
        raise ValueError("has a name with characters that cannot be printed")
    for form in (place, unicodedata.normalize("NFKC", place)):
        _refuse_escape(form)
    if unicodedata.normalize("NFKC", place).count("/") != place.count("/"):
        raise ValueError("has a name with characters that look like a separator")
    return tuple(place.split("/"))


def _refuse_escape(name: str) -> None:
    if "\\" in name:
        raise ValueError("has a name with a backslash; write the parts of a path with /")
    if name.startswith("/") or _DRIVE in name:
        raise ValueError("has an absolute name; write it from the place of files on")
    for part in name.split("/"):
        if not part or part != part.strip():
            raise ValueError("has a name with an empty or padded part")
        if set(part) == {"."}:
            raise ValueError("has a name that leads out of the place of files")
