"""What differs between two tables of prices that lie in the same order.

Nearly all rows of yesterday's list are in today's too, and in the same order. So both are
laid side by side and compared column by column, a stretch at a time; only where a row was
put in or taken out are single keys looked at. A hash join of both costs five times as much.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from sync.columnar.vectors import KEY_COLUMNS

FEW = 100
"""So few rows are compared one by one: each step on columns has its price too."""

_SHORT, _LONG = 1024, 65_536
"""Rows that are compared at once: few behind a place where rows came or went."""


@dataclass(frozen=True, slots=True)
class Difference:
    """``gone``: rows of the old table that are not in the new one; ``come``: the other way.

    Positions in either table, ascending. What is at none of them is in both tables.
    """

    gone: pa.Array[Any]
    come: pa.Array[Any]

    def __len__(self) -> int:
        return len(self.gone) + len(self.come)


def difference(old: pa.Table, new: pa.Table) -> Difference:
    """How ``new`` comes from ``old``: both canonical, of the key columns at least."""
    if len(old) + len(new) <= FEW:
        return _of_few(old, new)
    walk = _Walk(old, new)
    walk.go()
    return Difference(_joined(walk.gone), _joined(walk.come))


def changed(old: pa.Table, gone: pa.Array[Any], rows: pa.Table, at: pa.Array[Any]) -> pa.Table:
    """The old table without what is gone, and with ``rows`` at these places of the result."""
    if len(gone) + len(at) <= FEW:
        return _laid_together(old, gone, rows, at)
    kept = without(old, gone)
    if not len(rows):
        return kept.combine_chunks()
    places = _places(0, len(kept) + len(rows))
    is_new = pc.is_in(places, value_set=at)
    so_far: Any = pc.cumulative_sum(is_new.cast(pa.int64()))
    source = pc.if_else(is_new, pc.add(so_far, len(kept) - 1), pc.subtract(places, so_far))
    return pa.concat_tables([kept, rows]).combine_chunks().take(source).combine_chunks()


def without(rows: pa.Table, positions: pa.Array[Any]) -> pa.Table:
    """The rows that are at none of these positions."""
    if not len(positions):
        return rows
    if len(positions) <= FEW:
        stretches = _stretches(len(rows), positions)
        return pa.concat_tables([rows.slice(*each) for each in stretches] or [rows.slice(0, 0)])
    return rows.filter(pc.invert(pc.is_in(_places(0, len(rows)), value_set=positions)))


def alike(one: pa.Table, other: pa.Table) -> float:
    """About which share of the rows both have, between 0 and 1; quick, and never too high.

    Rows that lie elsewhere because others came or went before them do not count.
    """
    shorter, longer = sorted((one, other), key=len)
    if not len(shorter):
        return 0.0
    prices, all_prices = (_one_piece(each, "unit_price") for each in (shorter, longer))
    ends = (0, len(longer) - len(shorter))
    counts = [
        pc.sum(_equal(prices, all_prices.slice(start, len(shorter)))).as_py() or 0 for start in ends
    ]
    return float(max(counts) / len(longer))


def same_key_as_before(rows: pa.Table) -> pa.Array[Any]:
    """Of each row but the first whether it has the key of the row before it."""
    last = max(len(rows) - 1, 0)
    keys = [_one_piece(rows, name) for name in KEY_COLUMNS]
    return _all_of([_equal(each.slice(1), each.slice(0, last)) for each in keys])


def same_rows(some: pa.Table, others: pa.Table) -> pa.Array[Any]:
    """Of each row whether the other table has the same at the same place."""
    pairs = [(_one_piece(some, name), _one_piece(others, name)) for name in some.column_names]
    return _all_of([_equal(one, other) for one, other in pairs])


def _laid_together(
    old: pa.Table, gone: pa.Array[Any], rows: pa.Table, at: pa.Array[Any]
) -> pa.Table:
    """What ``changed`` gives, by stretches: where they are few, no row is looked at."""
    pieces: list[pa.Table] = []
    new, taken, length = _listed(at), 0, 0
    for start, count in _stretches(len(old), gone):
        end = start + count
        while taken < len(new) and new[taken] < length + end - start:
            behind = start + new[taken] - length
            pieces += [old.slice(start, behind - start), rows.slice(taken, 1)]
            start, length, taken = behind, new[taken] + 1, taken + 1
        pieces.append(old.slice(start, end - start))
        length += end - start
    pieces.append(rows.slice(taken))
    return pa.concat_tables(pieces).combine_chunks()


def _stretches(length: int, positions: pa.Array[Any]) -> list[tuple[int, int]]:
    """Start and length of what lies between these positions, which are ascending."""
    starts, ends = [0], list[int]()
    for each in _listed(positions):
        ends.append(each)
        starts.append(each + 1)
    ends.append(length)
    pairs = zip(starts, ends, strict=True)
    return [(start, end - start) for start, end in pairs if start < end]


def _listed(positions: pa.Array[Any]) -> list[int]:
    found: list[Any] = positions.to_pylist()
    return found


def _of_few(old: pa.Table, new: pa.Table) -> Difference:
    before, after = _sortable(old), _sortable(new)
    gone, come = [], []
    at = to = 0
    while at < len(before) and to < len(after):
        if before[at] == after[to]:
            at, to = at + 1, to + 1
        elif before[at] < after[to]:
            gone.append(at)
            at += 1
        else:
            come.append(to)
            to += 1
    gone.extend(range(at, len(before)))
    come.extend(range(to, len(after)))
    return Difference(pa.array(gone, pa.int64()), pa.array(come, pa.int64()))


def _sortable(rows: pa.Table) -> list[tuple[Any, ...]]:
    columns = [[(each is not None, each) for each in column.to_pylist()] for column in rows.columns]
    return list(zip(*columns, strict=True))


class _Walk:
    """Goes along both tables at once, as in a merge."""

    def __init__(self, old: pa.Table, new: pa.Table) -> None:
        names = old.column_names
        self._old = [_one_piece(old, name) for name in names]
        self._new = [_one_piece(new, name) for name in names]
        self._keys = [number for number, name in enumerate(names) if name in KEY_COLUMNS]
        self._values = [number for number, name in enumerate(names) if name not in KEY_COLUMNS]
        self._ends = len(old), len(new)
        self.gone: list[pa.Array[Any]] = []
        self.come: list[pa.Array[Any]] = []

    def go(self) -> None:
        at, to, stretch = 0, 0, _SHORT
        last, end = self._ends
        while at < last and to < end:
            length = min(stretch, last - at, end - to)
            same = self._same(self._keys, at, to, length)
            found = pc.index(same, pa.scalar(value=False)).as_py() if same is not None else -1
            run = length if found < 0 else found
            self._compare_values(at, to, run)
            at, to = at + run, to + run
            if run == length:
                stretch = min(stretch * 4, _LONG)
                continue
            at, to = self._pass_by(at, to)
            stretch = _SHORT
        self.gone.append(_places(at, last))
        self.come.append(_places(to, end))

    def _same(self, columns: list[int], at: int, to: int, length: int) -> pa.Array[Any] | None:
        """Of each row whether these columns have the same; None: of all rows."""
        pairs = [
            (self._old[each].slice(at, length), self._new[each].slice(to, length))
            for each in columns
        ]
        # Most columns are alike as a whole, which is seen at once.
        other = [_equal(one, other) for one, other in pairs if not one.equals(other)]
        return _all_of(other) if other else None

    def _compare_values(self, at: int, to: int, length: int) -> None:
        if not length or not self._values:
            return
        same = self._same(self._values, at, to, length)
        if same is None:
            return
        other: Any = pc.indices_nonzero(pc.invert(same))
        if len(other):
            other = other.cast(pa.int64())
            self.gone.append(pc.add(other, at))
            self.come.append(pc.add(other, to))

    def _pass_by(self, at: int, to: int) -> tuple[int, int]:
        """Beyond the rows of one side that come before the other side's next key."""
        old, new = _key(self._old, self._keys, at), _key(self._new, self._keys, to)
        if old < new:
            behind = _first_not_before(self._old, self._keys, at, self._ends[0], new)
            self.gone.append(_places(at, behind))
            return behind, to
        behind = _first_not_before(self._new, self._keys, to, self._ends[1], old)
        self.come.append(_places(to, behind))
        return at, behind


def _first_not_before(
    columns: list[Any], keys: list[int], start: int, end: int, key: tuple[Any, ...]
) -> int:
    """The first row behind ``start`` whose key is not less; few steps where it is near."""
    low, step = start, 1
    while start + step < end and _key(columns, keys, start + step) < key:
        low, step = start + step, step * 2
    high = min(start + step, end)
    while high - low > 1:
        middle = (low + high) // 2
        if _key(columns, keys, middle) < key:
            low = middle
        else:
            high = middle
    return high


def _key(columns: list[Any], keys: list[int], row: int) -> tuple[Any, ...]:
    """Sorts as the tables do: nothing before everything, text by its code points."""
    found: list[Any] = []
    for each in keys:
        value = columns[each][row].as_py()
        found.append((value is not None, value))
    return tuple(found)


def _equal(one: pa.Array[Any], other: pa.Array[Any]) -> pa.Array[Any]:
    """Whether each is the same, where nothing is the same as nothing."""
    same = pc.equal(one, other)
    if not same.null_count:
        return same
    neither = pc.and_(pc.is_null(one), pc.is_null(other))
    known: Any = pc.coalesce(same, neither)
    found: pa.Array[Any] = known
    return found


def _all_of(found: list[pa.Array[Any]]) -> pa.Array[Any]:
    return reduce(pc.and_, found)


def _one_piece(rows: pa.Table, name: str) -> pa.Array[Any]:
    chunks = rows.column(name).chunks
    if len(chunks) == 1:
        return chunks[0]
    return pa.concat_arrays(chunks) if chunks else pa.array([], rows.schema.field(name).type)


def _places(start: int, end: int) -> pa.Array[Any]:
    # The stubs do not know it yet.
    arange: Any = vars(pa)["arange"]
    found: pa.Array[Any] = arange(start, end)
    return found


def _joined(found: list[pa.Array[Any]]) -> pa.Array[Any]:
    # Stretches lie behind one another, so what was found on them is in order.
    return pa.concat_arrays(found) if found else pa.array([], pa.int64())
