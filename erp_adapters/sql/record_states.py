"""Accounts of which nothing is another, told by the rows themselves, before they are read.

Most of the time of an unchanged night goes into making values and documents of rows, only
to find them equal. So of each account's rows, as the driver tells them, a *state* is made:
while it is the one that was known, they are not looked at any further. It is made of the
very rows that the documents would be made of, and of the way in which they are read, so
that equal states are equal documents.

Whatever cannot be told apart so, as rows of which nobody knows whose they are, is read as
ever, and has no state.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from typing import Any

from erp_adapters.sql.base import Reading
from erp_adapters.sql.queries import Answer, Query, ReadColumn, Told


class Unclear(Exception):
    """Nobody can say whose a row is."""


class Unlooked:
    """The rows of one statement of which only the keys are read.

    Each is known by its place.
    """

    def __init__(self, query: Query | None, told: Iterable[Told]) -> None:
        self._query = query
        self._told = list(told)

    def keys(self, column: str) -> list[str]:
        """The values of that column, in order. Raises Unclear where one cannot be read."""
        found: list[str] = []
        if self._query is None:
            return found
        for each in self._told:
            columns = {known.name: known for known in self._query.columns(each.names)}
            at = columns.get(column)
            if at is None:
                found.extend([_known(self._query.constants.get(column))] * len(each.rows))
                continue
            read: dict[str, str] = {}
            for row in each.rows:
                raw = row[at.position]
                # Only texts: of numbers, equal ones may be spelled differently.
                key = read.get(raw) if type(raw) is str else None
                if key is None:
                    key = _known(_converted(at, raw))
                    if type(raw) is str:
                        read[raw] = key
                found.append(key)
        return found

    def spelled(self) -> list[str]:
        """Each row as a text that no other row has, in order."""
        found: list[str] = []
        for each in self._told:
            names = f"{each.names!r}:"
            found.extend(names + repr(row) for row in each.rows)
        return found

    def read(self, kept: Sequence[bool]) -> Answer:
        """The rows of those places, as the statement's answer."""
        answer = Answer()
        if self._query is None:
            return answer
        at = 0
        for each in self._told:
            places = kept[at : at + len(each.rows)]
            at += len(each.rows)
            rows = [row for row, keep in zip(each.rows, places, strict=True) if keep]
            answer.rows.extend(self._query.read_rows(each.names, rows, answer.bad.append))
        return answer


def unlooked(reading: Reading, query: Query | None, **given: Any) -> Unlooked:
    """What the statement answers; nothing where the profile does not have it."""
    return Unlooked(query, query.told(reading.connection, given) if query is not None else ())


class States:
    """Gathers what each account has. ``way``: how rows are read."""

    def __init__(self, way: bytes, accounts: Collection[str]) -> None:
        self._way = way
        self._rows: dict[str, list[list[str]]] = {each: [] for each in accounts}

    def add(self, rows: Iterable[tuple[Iterable[str], str]]) -> None:
        """The rows of one statement, each with those whose it is; others are passed over."""
        mine: dict[str, list[str]] = defaultdict(list)
        for owners, row in rows:
            for each in owners:
                mine[each].append(row)
        for account, held in self._rows.items():
            held.append(sorted(mine.get(account, ())))

    def made(self) -> Mapping[str, bytes]:
        return {account: self._state(held) for account, held in self._rows.items()}

    def _state(self, held: Sequence[Sequence[str]]) -> bytes:
        digest = hashlib.blake2b(self._way, digest_size=16)
        for rows in held:
            # No row has a line break in it: ``repr`` spells it otherwise.
            digest.update(f"{len(rows)}\n".encode())
            digest.update("\n".join(rows).encode("utf-8", "surrogatepass"))
        return digest.digest()


def same(states: Mapping[str, bytes], known: Mapping[str, bytes]) -> Set[str]:
    """The accounts whose state is the known one."""
    return {each for each, state in states.items() if known.get(each) == state}


def _converted(column: ReadColumn, raw: Any) -> Any:
    try:
        return column.convert(raw)
    except ValueError as error:
        raise Unclear from error


def _known(value: Any) -> str:
    if not isinstance(value, str):
        raise Unclear
    return value
