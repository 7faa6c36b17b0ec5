"""Where each key of a TOML file stands; the standard reader does not tell.

It runs over text that the standard reader has accepted, so it only has to find
its way, not to judge. Positions are for messages: nothing is decided by them.
"""

from __future__ import annotations

import bisect
import contextlib
import json
import re
from dataclasses import dataclass, field

Path = tuple[str | int, ...]

_SPACE = re.compile(r"[ \t]*")
_GAP = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_STRING = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*"{3,5}'
    r"|'''(?:[^']|'(?!''))*'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_PLAIN = re.compile(r"[^,\]}#\n]+")


@dataclass(slots=True)
class Places:
    """Line and column, from 1, of keys, of the headers of tables, and of values."""

    keys: dict[Path, tuple[int, int]] = field(default_factory=dict)
    values: dict[Path, tuple[int, int]] = field(default_factory=dict)

    def value(self, path: Path) -> tuple[int, int]:
        """Of the value, or of the nearest thing above it; the first line at last."""
        while path:
            for found in (self.values, self.keys):
                if path in found:
                    return found[path]
            path = path[:-1]
        return 1, 1

    def key(self, path: Path) -> tuple[int, int]:
        return self.keys.get(path) or self.value(path)


def places(text: str) -> Places:
    """What could be found; where the way is lost, the rest has no place of its own."""
    scanner = _Scanner(text)
    with contextlib.suppress(ValueError, RecursionError):
        scanner.run()
    return scanner.found


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text.replace("\r\n", "\n")
        self._at = 0
        self._line_starts = [0, *(found.end() for found in re.finditer("\n", self._text))]
        self.found = Places()
        self._arrays: dict[Path, int] = {}

    def run(self) -> None:
        table: Path = ()
        self._skip(_GAP)
        while self._at < len(self._text):
            if self._text.startswith("[", self._at):
                table = self._header()
            else:
                self._pair(table)
            self._skip(_GAP)

    def _header(self) -> Path:
        double = self._text.startswith("[[", self._at)
        self._at += 2 if double else 1
        self._skip(_SPACE)
        table: Path = ()
        for key, place in self._dotted():
            table = (*table, key)
            if table in self._arrays and not double:
                table = (*table, self._arrays[table])
            self.found.keys.setdefault(table, place)
        if double:
            self._arrays[table] = self._arrays.get(table, -1) + 1
            table = (*table, self._arrays[table])
            self.found.keys.setdefault(table, place)
        self._expect("]]" if double else "]")
        return table

    def _pair(self, table: Path) -> None:
        path = table
        for key, place in self._dotted():
            path = (*path, key)
            self.found.keys.setdefault(path, place)
        self._expect("=")
        self._skip(_SPACE)
        self._value(path)

    def _value(self, path: Path) -> None:
        self.found.values[path] = self._place()
        if self._text.startswith("[", self._at):
            self._at += 1
            index = 0
            while not self._closed("]"):
                self._value((*path, index))
                index += 1
                self._comma()
        elif self._text.startswith("{", self._at):
            self._at += 1
            while not self._closed("}"):
                self._pair(path)
                self._comma()
        elif self._text.startswith(('"', "'"), self._at):
            self._take(_STRING)
        else:
            self._take(_PLAIN)

    def _dotted(self) -> list[tuple[str, tuple[int, int]]]:
        keys = []
        while True:
            self._skip(_SPACE)
            place = self._place()
            if self._text.startswith(('"', "'"), self._at):
                quoted = self._take(_STRING)
                keys.append((_unquoted(quoted), place))
            else:
                keys.append((self._take(_BARE), place))
            self._skip(_SPACE)
            if not self._text.startswith(".", self._at):
                return keys
            self._at += 1

    def _closed(self, mark: str) -> bool:
        self._skip(_GAP)
        if self._text.startswith(mark, self._at):
            self._at += 1
            return True
        return False

    def _comma(self) -> None:
        self._skip(_GAP)
        if self._text.startswith(",", self._at):
            self._at += 1

    def _place(self) -> tuple[int, int]:
        line = bisect.bisect_right(self._line_starts, self._at)
        return line, self._at - self._line_starts[line - 1] + 1

    def _expect(self, mark: str) -> None:
        self._skip(_SPACE)
        if not self._text.startswith(mark, self._at):
            raise ValueError(f"no {mark} where one was expected")
        self._at += len(mark)

    def _skip(self, what: re.Pattern[str]) -> None:
        found = what.match(self._text, self._at)
        if found:
            self._at = found.end()

    def _take(self, what: re.Pattern[str]) -> str:
        found = what.match(self._text, self._at)
        if found is None or found.end() == self._at:
            raise ValueError("something else was expected")
        self._at = found.end()
        return found.group()


def _unquoted(key: str) -> str:
    if key.startswith("'"):
        return key[1:-1]
    try:
        return str(json.loads(key))
    except ValueError:  # an escape that only TOML knows
        return key[1:-1]
