"""The names of an order's files, and keys found again in the names of answers."""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass

_IN_KEY = r"A-Za-z0-9_@\-"
_FORBIDDEN = re.compile(r'[\x00-\x1f/\\:"<>|]')


@dataclass(frozen=True, slots=True)
class FileName:
    """``SOH_{key}.txt``. Raises ValueError for a pattern that will not do."""

    pattern: str

    def __post_init__(self) -> None:
        _look_at(self.pattern)
        if re.search(r"[*?\[\]]", self.pattern):
            raise ValueError("the name of a file that we write has no * and no ?")

    def of(self, stem: str) -> str:
        return self.pattern.replace("{key}", stem)

    def hidden(self, stem: str) -> str:
        """The name under which it is written, before the ERP may see it."""
        return f".{self.of(stem)}.part"


@dataclass(frozen=True, slots=True)
class AnswerName:
    """``SOH_{key}.*``: the name of an answer, ``*`` any text, ``?`` any letter.

    Where the key ends must be plain, or the answer for order 12 would be taken
    for one for order 1. Raises ValueError where it is not.
    """

    pattern: str

    def __post_init__(self) -> None:
        _look_at(self.pattern)
        before, _, after = self.pattern.partition("{key}")
        if "*" in before and re.match(rf"[{_IN_KEY}*?]", before[-1:]):
            raise ValueError("cannot tell where {key} begins: put a dot between * and {key}")
        if "*" in after and re.match(rf"[{_IN_KEY}*?]", after):
            raise ValueError("cannot tell where {key} ends: put a dot behind it, as in {key}.*")

    def stem(self, name: str) -> str | None:
        """The part of the name that stands for the key; None for another kind of file."""
        before, _, after = self.pattern.partition("{key}")
        match = re.fullmatch(
            f"{_as_regex(before)}(?P<key>[{_IN_KEY}]+){_as_regex(after)}", name, re.IGNORECASE
        )
        return match["key"].lower() if match else None


def matches(name: str, glob: str) -> bool:
    """Whether an ERP that looks for ``glob`` picks the file up, whatever its system."""
    return fnmatch.fnmatchcase(name.lower(), glob.lower())


def _look_at(pattern: str) -> None:
    if pattern.count("{key}") != 1:
        raise ValueError("a file name has {key} in it, once")
    if _FORBIDDEN.search(pattern):
        raise ValueError('a file name has none of / \\ : " < > | in it')
    if pattern.startswith("."):
        raise ValueError("a file name that begins with a dot is hidden")


def _as_regex(glob: str) -> str:
    letters = {"*": ".*", "?": "."}
    return "".join(letters.get(letter, re.escape(letter)) for letter in glob)
