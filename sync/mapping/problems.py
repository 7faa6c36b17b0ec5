"""What is wrong with a file that a person edits: where, what, why, and the way out."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sync.errors import Misconfigured
from sync.secrecy import scrubbed

SHOWN_TEXT = 60
SHOWN_PROBLEMS = 200


@dataclass(frozen=True, slots=True, order=True)
class FileProblem:
    """One mistake. ``line`` and ``column`` count from 1; 0 where there is no such place.

    ``text`` is what was written there, shortened, empty where showing it would
    not help or not be safe. ``message`` names the field and says why it is
    refused; ``remedy`` is what to write instead.
    """

    file: str
    line: int
    column: int
    text: str
    message: str
    remedy: str

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file

    @property
    def said(self) -> str:
        """Where it is and what is wrong, without the way out."""
        shown = f" (`{self.text}`)" if self.text else ""
        return scrubbed(f"{self.place}: {self.message}{shown}")

    def __str__(self) -> str:
        return scrubbed(f"{self.said}; {self.remedy}")


class FilesRefused(Misconfigured):
    """Files of one kind, with everything that is wrong with them.

    ``found`` has each problem in full, in the order of files and lines;
    ``problems`` the same as text, the first two hundred of them.
    """

    def __init__(self, message: str, found: Iterable[FileProblem]) -> None:
        self.found: tuple[FileProblem, ...] = tuple(sorted(found))
        super().__init__(f"{message}: {counted(self.found)}", sentences(self.found))


def sentences(found: Sequence[FileProblem]) -> tuple[str, ...]:
    """Each problem as one line; past two hundred only how many more there are."""
    shown = tuple(str(problem) for problem in found[:SHOWN_PROBLEMS])
    more = len(found) - len(shown)
    return (*shown, f"... and {more} more") if more else shown


def counted(found: Sequence[FileProblem]) -> str:
    return "1 problem" if len(found) == 1 else f"{len(found)} problems"


def shortened(text: str) -> str:
    """The text on one line, control characters made visible, not too long for a log."""
    shown = "".join(mark if mark.isprintable() else repr(mark)[1:-1] for mark in text[:SHOWN_TEXT])
    return shown + "..." if len(text) > SHOWN_TEXT else shown


def suggestion(word: str, known: Iterable[str]) -> str:
    """The remedy for an unknown word: the nearest known one, else all of them."""
    known = sorted(known)
    lowered = {one.lower(): one for one in known}
    near = difflib.get_close_matches(word.strip().lower()[:100], lowered, n=1, cutoff=0.6)
    if near:
        return f"did you mean {lowered[near[0]]}?"
    return f"known here: {', '.join(known)}" if known else "nothing may stand here"
