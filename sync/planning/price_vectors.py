"""Which published prices change when a vector takes the place of another one.

It means exactly what ``sync.planning.prices.wanted_prices`` means, column by column: a
property test holds both together. Two vectors are compared once, whoever is shown them;
of what does not differ no row becomes an object.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from sync.columnar.differences import (
    FEW,
    Difference,
    difference,
    same_key_as_before,
    same_rows,
    without,
)
from sync.columnar.vectors import AMOUNT, KEY_COLUMNS, SCHEMA, canonical
from sync.domain.ids import Sku
from sync.planning.price_rules import Rules

NOTHING = pa.Table.from_pylist([], schema=SCHEMA)

_KEYS = list(KEY_COLUMNS)
_ZERO = pa.scalar(Decimal(0), AMOUNT)
_WIDE = pa.decimal256(40, 10)
_FALSE, _TRUE = pa.scalar(value=False), pa.scalar(value=True)


@dataclass(frozen=True, slots=True)
class Delta:
    """Rows as they are published: those that go, those that change, those that come.

    ``before`` and ``after`` are of the same keys in the same order. All are canonical.
    """

    removed: pa.Table
    before: pa.Table
    after: pa.Table
    added: pa.Table

    def __bool__(self) -> bool:
        return bool(len(self.removed) or len(self.after) or len(self.added))


def published(vector: pa.Table, rules: Rules, as_of: date) -> pa.Table:
    """The rows of a canonical vector as an audience is to see them, one for each key."""
    rows = vector
    if rules.currencies is not None:
        shown = pa.array(sorted(rules.currencies), pa.string())
        rows = _where(rows, pc.is_in(rows.column("currency"), value_set=shown))
    rows = _where(rows, _lasts_until(rows, as_of))
    if rules.zero_means_call:
        rows = _zero_is_no_price(rows)
    return _one_for_each_key(rows)


def ended_between(vector: pa.Table, one: date, other: date) -> pa.Array[Any]:
    """Where the rows are that are over on one of these days and not on the other."""
    first, last = min(one, other), max(one, other)
    ends = _column(vector, "valid_until")
    if first == last or ends.null_count == len(ends):
        return pa.array([], pa.int64())
    over = pc.and_(pc.greater_equal(ends, _day(first)), pc.less(ends, _day(last)))
    places: Any = pc.indices_nonzero(pc.fill_null(over, _FALSE))
    found: pa.Array[Any] = places.cast(pa.int64())
    return found


def first_end(vector: pa.Table, as_of: date) -> date | None:
    """The first of the days, from ``as_of`` on, that are the last of a row; None: no day is."""
    ends = _column(vector, "valid_until")
    if ends.null_count == len(ends):
        return None
    later: Any = ends.filter(pc.greater_equal(ends, _day(as_of)))
    found: date | None = pc.min(later).as_py()
    return found


def delta(
    old: pa.Table,
    new: pa.Table,
    found: Difference,
    rules: Rules,
    was: date,
    today: date,
) -> Delta:
    """What the store must be told that shows ``old`` as of ``was``.

    ``found`` is what differs between both vectors. Besides that, whatever ended since
    is looked at: no row changes when a price is over.
    """
    shared = _shared_rows(old, new, found, ended_between(new, was, today))
    before = published(_put_together(old.take(found.gone), shared), rules, was)
    after = published(_put_together(new.take(found.come), shared), rules, today)
    return _compared(before, after)


def all_between(shown: pa.Table, wanted: pa.Table) -> Delta:
    """What a store must be told that shows some rows and is to show others, both published."""
    return _compared(shown, wanted)


def all_added(vector: pa.Table, rules: Rules, as_of: date) -> Delta:
    """What a store must be told that shows nothing of the vector yet."""
    return Delta(NOTHING, NOTHING, NOTHING, published(vector, rules, as_of))


def all_removed(vector: pa.Table, rules: Rules, was: date) -> Delta:
    """What a store must be told that is to show nothing of the vector any more."""
    return Delta(published(vector, rules, was), NOTHING, NOTHING, NOTHING)


def moved(found: Delta, step: Decimal) -> int:
    """How many prices change by at least ``step`` of what they were (``price_moved``)."""
    if not len(found.after):
        return 0
    old, new = _column(found.before, "unit_price"), _column(found.after, "unit_price")
    appears = pc.not_equal(pc.is_null(old), pc.is_null(new))
    was, now = old.cast(_WIDE), new.cast(_WIDE)
    # Multiplied on both sides, so that nothing is rounded.
    share, whole = step.as_integer_ratio()
    apart = pc.multiply(pc.abs(pc.subtract(now, was)), _factor(whole))
    far = pc.greater_equal(apart, pc.multiply(was, _factor(share)))
    far = pc.if_else(pc.equal(old, _ZERO), pc.not_equal(new, _ZERO), far)
    either: Any = pc.or_(appears, pc.fill_null(far, _FALSE))
    count: Any = pc.sum(either)
    return int(count.as_py() or 0)


def of_items(vector: pa.Table, skus: Collection[Sku]) -> pa.Table:
    """The rows of these items."""
    wanted = pa.array([each.value for each in skus], pa.string())
    return vector.filter(pc.is_in(vector.column("sku"), value_set=wanted))


def without_items(vector: pa.Table, skus: Collection[Sku]) -> pa.Table:
    """The rows of all other items, still canonical."""
    barred = pa.array([each.value for each in skus], pa.string())
    kept = pc.invert(pc.is_in(vector.column("sku"), value_set=barred))
    return vector.filter(kept).combine_chunks()


def items_of(vector: pa.Table, known: Collection[str] = ()) -> list[Sku]:
    """The items that the vector has rows of, each once, without those that are known."""
    numbers: Any = pc.unique(vector.column("sku"))
    return [Sku(each) for each in numbers.to_pylist() if each not in known]


def called_for(shown: pa.Table) -> list[Sku]:
    """The items that buyers have to call for, in published rows."""
    return items_of(shown.filter(pc.is_null(shown.column("unit_price"))))


def _lasts_until(rows: pa.Table, as_of: date) -> Any:
    ends = rows.column("valid_until")
    if ends.null_count == len(ends):
        return None
    return pc.fill_null(pc.greater_equal(ends, _day(as_of)), _TRUE)


def _where(rows: pa.Table, kept: Any) -> pa.Table:
    """The rows themselves where all are kept, which is nearly always so."""
    if kept is None or pc.all(kept, min_count=0).as_py():
        return rows
    return rows.filter(kept).combine_chunks()


def _zero_is_no_price(rows: pa.Table) -> pa.Table:
    prices = _column(rows, "unit_price")
    zero = pc.fill_null(pc.equal(prices, _ZERO), _FALSE)
    if not pc.any(zero, min_count=0).as_py():
        return rows
    called = pc.if_else(zero, pa.scalar(None, AMOUNT), prices)
    return rows.set_column(SCHEMA.get_field_index("unit_price"), SCHEMA.field("unit_price"), called)


def _one_for_each_key(rows: pa.Table) -> pa.Table:
    """Of two entries with one key the lower price, then the later end (``wanted_prices``)."""
    if len(rows) < 2:
        return rows
    again = same_key_as_before(rows)
    if not pc.any(again).as_py():
        return rows
    latest = pa.scalar(date.max, pa.date32())
    ends: Any = pc.fill_null(rows.column("valid_until"), latest)
    ranked = rows.append_column("no_end", ends)
    order: Any = [
        *((name, "ascending", "at_start") for name in KEY_COLUMNS),
        ("unit_price", "ascending", "at_end"),
        ("no_end", "descending", "at_end"),
    ]
    best = rows.take(pc.sort_indices(ranked, sort_keys=order)).combine_chunks()
    first = pa.concat_arrays([pa.array([True]), pc.invert(same_key_as_before(best))])
    return best.filter(first).combine_chunks()


def _shared_rows(
    old: pa.Table, new: pa.Table, found: Difference, touched: pa.Array[Any]
) -> pa.Table:
    """Rows that are in both vectors, with keys that are looked at all the same.

    What ended, and the twin of a row that came or went: of two rows with one key only one
    is published, so that both must be known.
    """
    beside = [
        _twins(old, found.gone, without_these=found.gone),
        _twins(new, found.come, without_these=found.come),
        _twins(new, touched, without_these=found.come, themselves=True),
    ]
    rows = [each for each in beside if len(each)]
    return pa.concat_tables(rows).combine_chunks() if rows else NOTHING


def _twins(
    rows: pa.Table,
    places: pa.Array[Any],
    *,
    without_these: pa.Array[Any],
    themselves: bool = False,
) -> pa.Table:
    """The rows with the keys of those at ``places``, but for ``without_these``."""
    if not len(places):
        return NOTHING
    if _alone(rows, places):
        if not themselves:
            return NOTHING
        wanted = places
    else:
        begins = pc.invert(same_key_as_before(rows)).cast(pa.int64())
        groups: Any = pc.cumulative_sum(pa.concat_arrays([pa.array([0], pa.int64()), begins]))
        same: Any = pc.indices_nonzero(pc.is_in(groups, value_set=groups.take(places)))
        wanted = same.cast(pa.int64())
    if len(without_these):
        wanted = wanted.filter(pc.invert(pc.is_in(wanted, value_set=without_these)))
    return rows.take(wanted)


def _alone(rows: pa.Table, places: pa.Array[Any]) -> bool:
    """Whether each of these rows surely has a key that neither of its neighbours has."""
    # Hardly ever both are a neighbour's, and then all of the key is looked at.
    keys = rows.select(["sku", "min_quantity"])
    if len(places) <= FEW:
        return not _any_beside(keys, places)
    here, last = keys.take(places), len(rows) - 1
    for step in (-1, 1):
        beside: Any = pc.add(places, step)
        low: Any = pc.greater_equal(beside, pa.scalar(0))
        high: Any = pc.less_equal(beside, pa.scalar(last))
        inside: Any = pc.and_(low, high)
        there = keys.take(beside.filter(inside))
        if pc.any(same_rows(here.filter(inside), there)).as_py():
            return False
    return True


def _any_beside(keys: pa.Table, places: pa.Array[Any]) -> bool:
    """Whether one of these rows has its keys in common with the one before or behind it."""
    columns, last = [_column(keys, name) for name in keys.column_names], len(keys) - 1
    few: list[Any] = places.to_pylist()
    for place in few:
        for beside in (place - 1, place + 1):
            inside = 0 <= beside <= last
            if inside and all(each[beside] == each[place] for each in columns):
                return True
    return False


def _put_together(rows: pa.Table, shared: pa.Table) -> pa.Table:
    if not len(shared):
        return rows.combine_chunks()
    return canonical(pa.concat_tables([rows, shared]))


def _compared(before: pa.Table, after: pa.Table) -> Delta:
    """What of two published states differs, row by row and then key by key."""
    rows = difference(before, after)
    gone, come = before.take(rows.gone), after.take(rows.come)
    keys = difference(gone.select(_KEYS), come.select(_KEYS))
    return Delta(
        removed=gone.take(keys.gone).combine_chunks(),
        before=without(gone, keys.gone).combine_chunks(),
        after=without(come, keys.come).combine_chunks(),
        added=come.take(keys.come).combine_chunks(),
    )


def _column(rows: pa.Table, name: str) -> Any:
    return rows.column(name).combine_chunks()


def _day(day: date) -> Any:
    return pa.scalar(day, pa.date32())


def _factor(number: int) -> Any:
    return pa.scalar(Decimal(number), pa.decimal256(30, 0))
