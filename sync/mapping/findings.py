"""Collects what is wrong with a set of files, and what is only suspicious."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from sync.mapping.checking import Path, label
from sync.mapping.problems import FileProblem, shortened
from sync.mapping.tree import Node, Scalar, at, key_at


@dataclass(slots=True)
class Findings:
    """``problems`` refuse the files; ``warnings`` are for a person to look at."""

    problems: list[FileProblem] = field(default_factory=list)
    warnings: list[FileProblem] = field(default_factory=list)

    def sound(self, *files: str) -> bool:
        """Whether nothing is wrong with any of these, as far as they were looked at."""
        return not any(each.file in files for each in self.problems)

    def add(self, problems: Iterable[FileProblem]) -> None:
        self.problems.extend(problems)


@dataclass(frozen=True, slots=True)
class Page:
    """One file's tree, to speak about places in it by their path."""

    file: str
    tree: Node

    def about(self, path: Path, message: str, remedy: str, *, key: bool = False) -> FileProblem:
        """A problem at the value of that path, or at its key. The message follows the path."""
        place = (key_at(self.tree, path) if key else None) or at(self.tree, path)
        text = shortened(place.text) if isinstance(place, Scalar) else ""
        said = f"{label(path)} {message}"
        return FileProblem(self.file, place.line, place.column, text, said, remedy)

    def line(self, path: Path) -> int:
        return at(self.tree, path).line
