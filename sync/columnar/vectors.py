"""All entries of one price scope as one Arrow table, in one order and one spelling.

Two such vectors with the same entries are equal to the byte, wherever they were read.
That is what their fingerprint stands for.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
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

# The stubs do not know the third part yet: where nothing goes.
_ORDER: Any = [(name, "ascending", "at_start") for name in (*KEY_COLUMNS, *VALUE_COLUMNS)]


def canonical(rows: pa.Table) -> pa.Table:
    """The rows in the order of their columns, each column in one piece.

    Text is ordered by its UTF-8 bytes and nothing comes before everything, which no
    database's collation decides. Raises ValueError where the columns are not ``SCHEMA``.
    """
    if rows.schema != SCHEMA:
        raise ValueError(f"not the columns of prices: {rows.schema}")
    order = pc.sort_indices(rows, sort_keys=_ORDER)
    return rows.take(order).combine_chunks()


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
    return [_price(row, scope) for row in rows.to_pylist()]


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
        for piece in _pieces(column):
            digest.update(len(piece).to_bytes(8, "big"))
            digest.update(piece)
    return digest.digest()


def _pieces(column: pa.ChunkedArray[Any]) -> list[memoryview]:
    """What a column holds, independent of how it came to lie in memory."""
    array = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    missing = array.is_null().cast(pa.uint8())
    values: pa.Array[Any] = array.fill_null(_FILLED[array.type]) if array.null_count else array
    if isinstance(values, pa.StringArray):
        # Lengths and bytes apart, so that no two rows of texts look like one another.
        return [*_fixed(pc.binary_length(values)), *_text(values), *_fixed(missing)]
    return [*_fixed(values), *_fixed(missing)]


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


def _price(row: dict[str, Any], scope: PriceScope) -> Price:
    key = PriceKey(
        scope=scope,
        price_list=row["price_list"],
        sku=Sku(row["sku"]),
        unit=row["unit"],
        currency=row["currency"],
        min_quantity=_short(row["min_quantity"]),
        valid_from=row["valid_from"],
        priority=row["priority"],
        warehouse=row["warehouse"],
    )
    price = row["unit_price"]
    return Price(key, PriceValue(None if price is None else _short(price), row["valid_until"]))


def _short(number: Decimal) -> Decimal:
    """Without the zeros that only fill the column."""
    return Decimal(plain(number))
