"""Secrets that can be recognised wherever they turn up, whole, in part, or spelled otherwise.

Each has a number. ``spiky`` is one with every character that a URL, a connection
string, a header and JSON spell in ways of their own, with the number in front of
them, between them and behind them: who masks only a part of it is found out.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from pathlib import Path

_PIECE = re.compile(r"cnry(\d\d)[abc]", re.IGNORECASE)
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{12,}")


@dataclass(frozen=True, slots=True)
class Canary:
    number: int

    @property
    def plain(self) -> str:
        """Letters and digits only, for places where quoting is not the question."""
        return f"cnry{self.number:02d}a"

    @property
    def spiky(self) -> str:
        name = f"cnry{self.number:02d}"
        return f'{name}a/3@%b {name}b;c&d"e}}={name}c'


def found_in(text: str | bytes) -> set[int]:
    """The numbers of all canaries of which any piece is in the text, base64 included."""
    told = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    pieces = [told, *_decoded(told)]
    return {int(match[1]) for piece in pieces for match in _PIECE.finditer(piece)}


def found_below(folder: Path) -> dict[str, set[int]]:
    """In which files, and which canaries."""
    files = (file for file in sorted(folder.rglob("*")) if file.is_file())
    found = {str(file.relative_to(folder)): found_in(file.read_bytes()) for file in files}
    return {name: numbers for name, numbers in found.items() if numbers}


def _decoded(text: str) -> list[str]:
    """What stands in it as base64, as basic authorisation sends a password."""
    found = []
    for match in _BASE64.finditer(text):
        body = match[0].replace("-", "+").replace("_", "/")
        for start in range(4):
            part = body[start:]
            whole = part[: len(part) - len(part) % 4]
            found.append(base64.b64decode(whole).decode("latin-1"))
    return found
