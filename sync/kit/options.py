"""An adapter's options, judged one by one, and all that is wrong told together.

Options come as the settings file has them: text, numbers, truth values, lists,
tables, days. No message repeats a value, for a secret may have been written in the
wrong place; each begins with the option's name, by which the settings find its line.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Collection, Mapping
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sync.domain.ids import MAX_KEY_LENGTH, well_formed
from sync.errors import Misconfigured
from sync.secrecy import looks_secret

LONGEST_TEXT = 2000
DAY_S = 86400.0


class Options:
    """What was stated for an adapter that knows ``known`` options and ``known_secrets``.

    Each reading answers a value that will do; where the stated one will not, that is
    in ``problems`` and the default is answered. ``raise_if_any`` ends the reading.
    """

    def __init__(
        self,
        stated: Mapping[str, object],
        known: Collection[str],
        secrets: Mapping[str, str],
        known_secrets: Collection[str] = (),
    ) -> None:
        self._stated = stated
        self.problems: list[str] = []
        for name in sorted(stated.keys() - {*known}):
            self.complain(name, f"no such option{_near(name, known)}")
        self.problems += [
            f"secrets.{name} is not known here{_near(name, known_secrets)}"
            for name in sorted(secrets.keys() - {*known_secrets})
        ]

    def complain(self, name: str, message: str) -> None:
        # "access_key: not a text" would be taken for a key that is not to be told.
        between = " is wrong:" if looks_secret(name) else ":"
        self.problems.append(f"{name}{between} {message}")

    def raise_if_any(self, message: str) -> None:
        """Raises Misconfigured with every problem."""
        if self.problems:
            raise Misconfigured(message, tuple(self.problems))

    def stated(self, name: str) -> object:
        return self._stated.get(name)

    def text(self, name: str) -> str | None:
        """One line without space around it; None where nothing is stated."""
        value = self._stated.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            self.complain(name, "not a text; put it in quotes")
        elif not value.strip() or value != value.strip() or not _is_readable(value):
            self.complain(name, "empty, padded or not printable; write one line of text")
        elif len(value) > LONGEST_TEXT:
            self.complain(name, f"longer than {LONGEST_TEXT} characters; shorten it")
        else:
            return value
        return None

    def needed(self, name: str, example: str) -> str:
        """A text that must be there, such as ``example``; empty where it is not."""
        if self._stated.get(name) is None:
            self.complain(name, f"missing; write one such as {example}")
        return self.text(name) or ""

    def file(self, name: str, base: Path) -> Path | None:
        """A file that can be read, by its path or by that below ``base``."""
        stated = self.text(name)
        if stated is None:
            return None
        path, why = base / stated, "there is none"
        try:
            if path.is_file():
                path.open("rb").close()
                return path
        except OSError as error:
            why = (error.strerror or type(error).__name__).lower()
        self.complain(name, f"no file that can be read ({why}); it starts at the site's folder")
        return None

    def key(self, name: str, example: str) -> str:
        """A text that must be there and can be part of keys."""
        found = self.needed(name, example)
        if found and not well_formed(found):
            self.complain(name, f"longer than {MAX_KEY_LENGTH} characters; shorten it")
        return found

    def flag(self, name: str) -> bool:
        """False where nothing is stated."""
        value = self._stated.get(name, False)
        if not isinstance(value, bool):
            self.complain(name, "neither true nor false")
        return value is True

    def whole(self, name: str, default: int, least: int, most: int) -> int:
        value = self._stated.get(name, default)
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
            return value
        self.complain(name, f"not a whole number from {least} to {most}")
        return default

    def number(self, name: str, most: float, *, zero: bool = False) -> float | None:
        """More than none, or none as well with ``zero``; None where nothing is stated."""
        value = self._stated.get(name)
        if value is None:
            return None
        if isinstance(value, int | float) and not isinstance(value, bool):
            enough = value >= 0 if zero else value > 0
            if enough and value <= most:
                return float(value)
        least = "0" if zero else "more than 0"
        self.complain(name, f"not a number from {least} to {most:g}")
        return None

    def seconds(self, name: str, default: float, *, zero: bool = False) -> float:
        """A time of at most a day."""
        found = self.number(name, DAY_S, zero=zero)
        return default if found is None else found

    def chosen(self, name: str, words: Collection[str], default: str) -> str:
        """One of these words, which are in small letters; capitals do not matter."""
        value = self._stated.get(name, default)
        if isinstance(value, str) and value.lower() in words:
            return value.lower()
        self.complain(name, f"none of {', '.join(words)}")
        return default

    def time_zone(self, name: str, default: str | None = "UTC") -> str:
        """An IANA name; without a default one must be stated."""
        value = self._stated.get(name, default)
        if value is None:
            self.complain(name, "missing; write one such as America/Chicago")
        elif not isinstance(value, str) or not _is_zone(value):
            self.complain(name, "no time zone; write a name such as America/Chicago")
        else:
            return value
        return "UTC"


def _is_readable(text: str) -> bool:
    """Printable, or a space of another kind: names in an ERP have no-break and wide ones."""
    return all(sign.isprintable() or unicodedata.category(sign) == "Zs" for sign in text)


def is_encoding(name: str) -> bool:
    """Whether Python knows it and text can be kept in it."""
    try:
        "a".encode(name)
    except (LookupError, ValueError):
        return False
    return True


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _near(name: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(name, known, 1)
    return f"; did you mean {close[0]}?" if close else ""
