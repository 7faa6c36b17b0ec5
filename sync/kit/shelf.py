"""Records put aside on disk, and given back in the order of their keys.

For a source that tells more than fits into memory, in an order of its own. The keys are
compared code point by code point, as Python compares text.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

AT_ONCE = 1000

Key = tuple[str, str]


class Shelf:
    """Bodies under keys of two parts; one key may be there several times.

    It lives in a temporary database, which vanishes with it.
    """

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute("CREATE TABLE shelf (first TEXT, second TEXT, body TEXT)")
        self._waiting: list[tuple[str, str, str]] = []

    def add(self, key: Key, body: str) -> None:
        self._waiting.append((*key, body))
        if len(self._waiting) == AT_ONCE:
            self._put()

    def several(self) -> Iterator[tuple[Key, list[str]]]:
        """Keys with bodies that differ, and these bodies."""
        self._put()
        found = self._database.execute(
            "SELECT first, second FROM shelf GROUP BY first, second HAVING count(DISTINCT body) > 1"
        ).fetchall()
        for key in found:
            bodies = self._database.execute(
                "SELECT DISTINCT body FROM shelf WHERE first = ? AND second = ? ORDER BY rowid", key
            )
            yield key, [body for (body,) in bodies]

    def __iter__(self) -> Iterator[tuple[Key, str]]:
        """Each key with one of its bodies, by key."""
        self._put()
        for first, second, body in self._database.execute(
            "SELECT first, second, min(body) FROM shelf GROUP BY first, second"
            " ORDER BY first, second"
        ):
            yield (first, second), body

    def _put(self) -> None:
        self._database.execute("BEGIN")
        self._database.executemany("INSERT INTO shelf VALUES (?, ?, ?)", self._waiting)
        self._database.execute("COMMIT")
        self._waiting.clear()
