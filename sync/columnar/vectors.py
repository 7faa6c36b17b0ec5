"""All entries of one price scope as one Arrow table, in one order and one spelling.

Two such vectors with the same entries are equal to the byte, wherever they were read.
That is what their fingerprint stands for.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from itertools import repeat
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from sync.domain.ids import Sku
from sync.domain.money import exact, plain
from sync.domain.pricing import Price, PriceKey, PriceScope, PriceValue

PLACES = 10
"""Decimal places of quantities and prices; there are 28 digits before them."""

AMOUNT = pa.decimal128(38, PLACES)

Vector = pa.Table
"""For those who hand vectors on without knowing Arrow."""

KEY_COLUMNS = (
    "price_list",
    "sku",
    "unit",
    "currency",
    "warehouse",
    "priority",
    "valid_from",
    "min_quantity",
)
"""What tells one entry of a scope from the next, in the order that they are sorted by."""

VALUE_COLUMNS = ("unit_price", "valid_until")

_FIELDS: list[pa.Field[Any]] = [
    pa.field("price_list", pa.string(), nullable=False),
    pa.field("sku", pa.string(), nullable=False),
    pa.field("unit", pa.string(), nullable=False),
    pa.field("currency", pa.string(), nullable=False),
    pa.field("warehouse", pa.string()),
    pa.field("priority", pa.int32(), nullable=False),
    pa.field("valid_from", pa.date32()),
    pa.field("min_quantity", AMOUNT, nullable=False),
    pa.field("unit_price", AMOUNT),
    pa.field("valid_until", pa.date32()),
]
SCHEMA = pa.schema(_FIELDS)
"""The columns of a vector. Null is None of ``PriceKey`` and ``PriceValue``."""

_EVERY = (*KEY_COLUMNS, *VALUE_COLUMNS)


def canonical(rows: pa.Table) -> pa.Table:
    """The rows in the order of their columns, each column in one piece.

    Text is ordered by its UTF-8 bytes and nothing comes before everything, which no
    database's collation decides. Raises ValueError where the columns are not ``SCHEMA``.
    """
    return Sorter().canonical(rows)


class Sorter:
    """Makes vectors canonical, one after the other.

    Customers of one list have the same keys, and a database tells them in the same order:
    so it is remembered how those of the last vector had to be put in order.
    """

    def __init__(self) -> None:
        self._keys: pa.Table | None = None
        self._order: Any = None

    def canonical(self, rows: pa.Table) -> pa.Table:
        """What the function ``canonical`` gives."""
        if rows.schema != SCHEMA:
            raise ValueError(f"not the columns of prices: {rows.schema}")
        rows = _whole(rows)
        keys = rows.select(KEY_COLUMNS)
        if self._keys is None or not keys.equals(self._keys):
            self._learn(keys, rows)
        return rows if self._order is None else _whole(rows.take(self._order))

    def _learn(self, keys: pa.Table, rows: pa.Table) -> None:
        found = _in_order(keys)
        # Of two rows with one key the values decide, and those are others each time.
        if found is _Order.TIED:
            found = _in_order(rows)
            strict = False
        else:
            strict = found is _Order.STRICT
        self._order = _sorted(rows) if found is _Order.NONE else None
        if self._order is not None:
            strict = _in_order(keys.take(self._order)) is _Order.STRICT
        self._keys = keys if strict else None


class _Order(Enum):
    """How rows lie: each after the one before, or some like it, or in no order."""

    STRICT = 1
    TIED = 2
    NONE = 3


def _whole(rows: pa.Table) -> pa.Table:
    return rows if all(column.num_chunks == 1 for column in rows.columns) else _joined(rows)


def _joined(rows: pa.Table) -> pa.Table:
    arrays = [_joined_column(column) for column in rows.columns]
    return pa.Table.from_arrays(arrays, schema=rows.schema)


def _joined_column(column: pa.ChunkedArray[Any]) -> Any:
    if column.num_chunks == 1:
        return column.chunk(0)  # joining it with nothing would copy it
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def _sorted(rows: pa.Table) -> Any:
    """The places of the rows, in order."""
    varying = [name for name in _EVERY if not _same(rows.column(name).chunk(0))]
    # The stubs do not know the third part yet: where nothing goes.
    keys: Any = [(name, "ascending", "at_start") for name in varying]
    return pc.sort_indices(rows, sort_keys=keys)


def _in_order(rows: pa.Table) -> _Order:
    """Whether each row comes after the one before it, by the first column that differs."""
    tied: Any = None  # which rows are like the one before them so far; None: all
    for column in rows.columns:
        array: Any = column.chunk(0)
        if len(array) < 2:
            return _Order.STRICT
        if _same(array):
            continue
        less, equal = _compared(array[:-1], array[1:])
        if tied is not None:
            less, equal = pc.or_(less, pc.invert(tied)), pc.and_(tied, equal)
        if not pc.all(pc.or_(less, equal)).as_py():
            return _Order.NONE
        tied = equal
        if not pc.any(tied).as_py():
            return _Order.STRICT
    return _Order.TIED


def _same(array: Any) -> bool:
    """Whether all values are one."""
    return len(array) < 2 or array.null_count == len(array) or array[:-1].equals(array[1:])


def _compared(before: Any, after: Any) -> tuple[Any, Any]:
    """Where ``before`` is less, and where they are equal; nothing is less than anything."""
    less, equal = pc.less(before, after), pc.equal(before, after)
    if before.null_count or after.null_count:
        absent, also = before.is_null(), after.is_null()
        less = pc.or_(less.fill_null(False), pc.and_not(absent, also))
        equal = pc.or_(equal.fill_null(False), pc.and_(absent, also))
    return less, equal


def vector_of(prices: Iterable[Price]) -> pa.Table:
    """These entries, which are of one scope, as a canonical vector.

    Raises ValueError for a number with more places or digits than a column holds.
    """
    columns: dict[str, list[object]] = {field.name: [] for field in SCHEMA}
    for price in prices:
        key, value = price.key, price.value
        columns["price_list"].append(key.price_list)
        columns["sku"].append(key.sku.value)
        columns["unit"].append(key.unit)
        columns["currency"].append(key.currency)
        columns["warehouse"].append(key.warehouse)
        columns["priority"].append(key.priority)
        columns["valid_from"].append(key.valid_from)
        columns["min_quantity"].append(exact(key.min_quantity))
        columns["unit_price"].append(value.unit_price)
        columns["valid_until"].append(value.valid_until)
    arrays = [pa.array(columns[field.name], field.type) for field in SCHEMA]
    return canonical(pa.Table.from_arrays(arrays, schema=SCHEMA))


def prices_of(rows: pa.Table, scope: PriceScope) -> list[Price]:
    """The entries that the rows of this scope stand for, in the order of the rows.

    Their numbers have no more places than they need.
    """
    # Column by column: to make a mapping of each row first takes as long again.
    lists, skus, units, currencies, warehouses, priorities, starts, quantities = (
        rows.column(name).to_pylist() for name in KEY_COLUMNS
    )
    prices, ends = (rows.column(name).to_pylist() for name in VALUE_COLUMNS)
    keys = map(
        PriceKey,
        *(repeat(scope), lists, map(_sku, skus), units, currencies),
        *(map(_quantity, quantities), starts, priorities, warehouses),
    )
    values = map(PriceValue, map(_short_or_none, prices), ends)
    return list(map(Price, keys, values))


_FILLED: dict[pa.DataType, Any] = {
    pa.string(): "",
    pa.int32(): 0,
    pa.date32(): pa.scalar(0, pa.int32()).cast(pa.date32()),
    AMOUNT: pa.scalar(Decimal(0), AMOUNT),
}


def fingerprint(vector: pa.Table) -> bytes:
    """16 bytes that stand for a canonical vector; xxh3-128 over its columns.

    Made anew from whatever the ERP tells, it is no proof against somebody who plants a
    collision, and needs to be none: who writes the ERP's prices needs no collision.
    """
    digest = xxhash.xxh3_128()
    digest.update(len(vector).to_bytes(8, "big"))
    for column in vector.columns:
        pieces = _pieces(column)
        digest.update(len(pieces).to_bytes(8, "big"))
        for piece in pieces:
            digest.update(len(piece).to_bytes(8, "big"))
            digest.update(piece)
    return digest.digest()


def _pieces(column: pa.ChunkedArray[Any]) -> list[memoryview]:
    """What a column holds, independent of how it came to lie in memory."""
    array = _joined_column(column)
    if array.null_count == len(array):
        return [memoryview(b"nothing")]
    values, missing = array, memoryview(b"")
    if array.null_count:
        values = array.fill_null(_FILLED[array.type])
        (missing,) = _fixed(array.is_null().cast(pa.uint8()))
    if isinstance(values, pa.StringArray):
        # Lengths and bytes apart, so that no two rows of texts look like one another.
        return [*_fixed(pc.binary_length(values)), *_text(values), missing]
    return [*_fixed(values), missing]


def _fixed(values: pa.Array[Any]) -> list[memoryview]:
    buffer, width = values.buffers()[1], values.type.bit_width // 8
    if buffer is None:
        return []
    start = values.offset * width
    return [memoryview(buffer)[start : start + len(values) * width]]


def _text(values: pa.Array[Any]) -> list[memoryview]:
    _, offsets, text = values.buffers()
    if offsets is None or text is None:
        return []
    ends = memoryview(offsets).cast("i")
    return [memoryview(text)[ends[values.offset] : ends[values.offset + len(values)]]]


# Thousands of rows have one item, and one of few quantities.
_sku = lru_cache(maxsize=65_536)(Sku)


@lru_cache(maxsize=4_096)
def _quantity(number: Decimal) -> Decimal:
    return _short(number)


def _short_or_none(number: Decimal | None) -> Decimal | None:
    return None if number is None else _short(number)


def _short(number: Decimal) -> Decimal:
    """Without the zeros that only fill the column."""
    return Decimal(plain(number))
