"""YAML with lines: what a person wrote, where, and nothing that YAML adds to it.

Scalars stay the text that was typed. YAML would turn ``NO`` into false and
``007`` into 7, and both are country and customer codes here.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from sync.errors import Misconfigured

# libyaml where PyYAML was built with it: the same parser, some ten times faster.
_PARSER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# It reads nested text by calling itself, and no exception ends that in time.
MAX_DEPTH = 50
_DEEPER = (
    yaml.BlockMappingStartToken,
    yaml.BlockSequenceStartToken,
    yaml.FlowMappingStartToken,
    yaml.FlowSequenceStartToken,
)
_HIGHER = (yaml.BlockEndToken, yaml.FlowMappingEndToken, yaml.FlowSequenceEndToken)
MAX_BYTES = 4 * 1024 * 1024
LONGEST_NUMBER = 9
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}", re.ASCII)


@dataclass(slots=True)
class Problems:
    """Collects everything that is wrong with one file."""

    path: Path
    found: list[str] = field(default_factory=list)

    def add(self, line: int, message: str) -> None:
        self.found.append(f"{self.path}:{line}: {message}")

    def raise_if_any(self, what: str) -> None:
        if self.found:
            raise Misconfigured(f"{what} {self.path} cannot be used:", tuple(self.found))


@dataclass(frozen=True, slots=True)
class Node:
    """A value with its line (from 1), asked for in the shape that it should have.

    A wrong shape is reported to ``problems`` and answered with None or nothing.
    """

    raw: yaml.Node
    problems: Problems

    @property
    def line(self) -> int:
        return int(self.raw.start_mark.line) + 1

    @property
    def is_null(self) -> bool:
        return self.raw.tag == "tag:yaml.org,2002:null"

    @property
    def is_text(self) -> bool:
        return isinstance(self.raw, yaml.ScalarNode) and not self.is_null

    @property
    def is_mapping(self) -> bool:
        return isinstance(self.raw, yaml.MappingNode)

    def complain(self, message: str) -> None:
        self.problems.add(self.line, message)

    def text(self, what: str) -> str | None:
        """The text as typed. A block's own line breaks are kept."""
        if self.is_text:
            return str(self.raw.value)
        self.complain(f"{what} must be text")
        return None

    def sql_line(self, offset: int) -> int:
        """The line of the file on which line ``offset`` of this text stands."""
        block = getattr(self.raw, "style", None) in ("|", ">")
        return self.line + offset + (1 if block else 0)

    def items(self, what: str) -> Iterator[tuple[str, Node]]:
        """Keys with their values. The key ``~`` comes as empty text."""
        if self.is_null:
            return
        if not isinstance(self.raw, yaml.MappingNode):
            self.complain(f"{what} must be a list of `key: value`")
            return
        for key, value in self.raw.value:
            null = key.tag == "tag:yaml.org,2002:null"
            if not isinstance(key, yaml.ScalarNode):
                self.problems.add(key.start_mark.line + 1, f"a key of {what} must be text")
                continue
            yield ("" if null else str(key.value)), Node(value, self.problems)

    def mapping(self, what: str, known: Collection[str] | None = None) -> dict[str, Node]:
        """The same as a dict; a key that is not ``known`` is reported and left out."""
        found = {}
        for key, value in self.items(what):
            if known is not None and key not in known:
                value.complain(f"{what} has no {key!r}{nearest(key, known)}")
                continue
            found[key] = value
        return found

    def sequence(self, what: str) -> list[Node]:
        if isinstance(self.raw, yaml.SequenceNode):
            return [Node(each, self.problems) for each in self.raw.value]
        self.complain(f"{what} must be a list")
        return []

    def texts(self, what: str) -> list[tuple[str, Node]]:
        """One text or a list of them."""
        nodes = [self] if self.is_text else self.sequence(what)
        return [(text, node) for node in nodes if (text := node.text(what)) is not None]

    def whole(self, what: str) -> int | None:
        """A whole number that is not negative."""
        typed = self.text(what)
        if typed is None:
            return None
        if typed.isascii() and typed.isdigit() and len(typed) <= LONGEST_NUMBER:
            return int(typed)
        self.complain(f"{what} must be a whole number, not {typed[:20]!r}")
        return None

    def truth(self, what: str) -> bool | None:
        typed = self.text(what)
        if typed is None:
            return None
        if typed.lower() in ("true", "false"):
            return typed.lower() == "true"
        self.complain(f"{what} must be true or false, not {typed!r}")
        return None


def nearest(word: str, known: Collection[str]) -> str:
    """A suggestion to put behind a complaint: the word that was meant, or all."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; it knows {', '.join(sorted(known))}" if len(known) <= 12 else ""


def load(path: Path, problems: Problems) -> Node | None:
    """The file's top node; None, with the problem reported, where there is none."""
    text = _text(path)
    try:
        depth = 0
        for token in yaml.scan(text, Loader=_PARSER):
            _refuse_tricks(token, problems)
            depth += isinstance(token, _DEEPER) - isinstance(token, _HIGHER)
            if depth > MAX_DEPTH:
                problems.add(
                    token.start_mark.line + 1, "nested too deeply; a profile needs few levels"
                )
                return None
        raw = yaml.compose(text, Loader=_PARSER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        told = error.problem or error.context or ""
        if mark is not None and _tab_before(text, mark.line):
            told = "a tab before what the line says; write spaces"
        problems.add((mark.line + 1) if mark else 1, f"not YAML: {told}")
        return None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        problems.add(line, "a character that cannot be seen; delete it and type the text anew")
        return None
    if problems.found:
        return None
    if raw is None:
        problems.add(1, "the file is empty")
        return None
    _refuse_duplicates(raw, problems)
    return Node(raw, problems)


def is_name(text: str) -> bool:
    """Whether it can stand for a parameter or a dialect: nothing that SQL would read as more."""
    return _NAME.fullmatch(text) is not None


def _text(path: Path) -> str:
    try:
        # A device or a pipe has no end, and some files are far too long to be the right one.
        if not path.is_file():
            why = "it is no file" if path.exists() else "there is no such file"
            raise Misconfigured(f"profile {path} cannot be read: {why}; correct its path")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise Misconfigured(f"profile {path} cannot be read: {error.strerror}") from error
    if len(content) > MAX_BYTES:
        raise Misconfigured(f"profile {path} is too large; look whether it is the right file")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Misconfigured(f"profile {path} is not UTF-8 text; save it as UTF-8") from error


def _refuse_tricks(token: yaml.Token, problems: Problems) -> None:
    tricks = {
        yaml.AnchorToken: "anchors (&) are not allowed",
        yaml.AliasToken: "aliases (*) are not allowed; quote a text that begins with *",
        yaml.TagToken: "tags (!) are not allowed; quote a text that begins with !",
    }
    message = tricks.get(type(token))
    if message:
        problems.add(token.start_mark.line + 1, message)


def _tab_before(text: str, number: int) -> bool:
    line = "".join(text.splitlines()[number : number + 1])
    return "\t" in line[: len(line) - len(line.lstrip())]


def _refuse_duplicates(node: yaml.Node, problems: Problems) -> None:
    if isinstance(node, yaml.SequenceNode):
        for each in node.value:
            _refuse_duplicates(each, problems)
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    problems.add(line, f"{key.value!r} again; it stands in line {seen[key.value]}")
                seen[key.value] = line
            _refuse_duplicates(value, problems)
