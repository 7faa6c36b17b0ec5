"""Columns of prices as the table ``prices`` spells them, without an object for each row.

Numbers have no trailing zeros here: a column knows how far its numbers may go, not
how far one was written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from sync.columnar.vectors import AMOUNT, SCHEMA, canonical
from sync.domain.money import currency_code, plain
from sync.ports.price_memory import Partition
from sync.ports.store import PriceRows
from sync.stores.embedded import schema, translate
from sync.stores.embedded.queries import PRICE

PIECE = 10_000
"""Rows that are spelled at once, whatever there is of them."""

NAMES = tuple(column.name for column in schema.prices.columns)
_NEVER_NULL = ("warehouse", "valid_from")
_NOTHING = pa.scalar(0, pa.int32())
_CSV = csv.WriteOptions(include_header=False)

if TYPE_CHECKING:
    Array = pa.Array[Any]


def refuse_impossible(rows: PriceRows) -> None:
    """ValueError for what no ``PriceKey`` and ``PriceValue`` could say."""
    table, whose = rows.rows, f"prices of {rows.scope} for {rows.audience}"
    if table.schema != SCHEMA:
        raise ValueError(f"{whose}: not the columns of prices: {table.schema}")
    least = pc.min(table["unit_price"]).as_py()
    if least is not None and least < 0:
        raise ValueError(f"{whose}: a negative price: {plain(least)}")
    for currency in pc.unique(table["currency"]).to_pylist():
        currency_code(currency)
    items = table["sku"]
    bare = pc.utf8_trim_whitespace(items)
    wrong = pc.or_(pc.not_equal(bare, items), pc.equal(pc.binary_length(items), _NOTHING))
    if pc.any(wrong).as_py():
        raise ValueError(f"{whose}: not an item number: {items.filter(wrong)[0].as_py()!r}")


def pieces(rows: PriceRows) -> Iterator[pa.Table]:
    """The rows with the columns ``NAMES``, all of them text but the two whole numbers."""
    constant = {**translate.audience_row(rows.audience), **translate.scope_row(rows.scope)}
    for start in range(0, len(rows.rows), PIECE):
        piece = rows.rows.slice(start, PIECE).combine_chunks()
        yield pa.table(
            [
                pa.repeat(constant[name], len(piece))
                if name in constant
                else _spelled(piece.column(name), name)
                for name in NAMES
            ],
            names=list(NAMES),
        )


def list_pieces(list_id: str, rows: pa.Table) -> Iterator[list[dict[str, Any]]]:
    """Rows of the table ``shared_price_rows``."""
    names = [column.name for column in schema.shared_price_rows.columns]
    for start in range(0, len(rows), PIECE):
        piece = rows.slice(start, PIECE).combine_chunks()
        columns = [
            pa.repeat(list_id, len(piece))
            if name == "list_id"
            else _spelled(piece.column(name), name)
            for name in names
        ]
        yield pa.table(columns, names=names).to_pylist()


def vector_of_texts(rows: Iterable[Sequence[Any]]) -> pa.Table:
    """Rows as the tables spell them, columns in the order of ``SCHEMA``, as a canonical vector."""
    columns = list(zip(*rows, strict=True)) or [()] * len(SCHEMA)
    arrays = [_read(column, field) for column, field in zip(columns, SCHEMA, strict=True)]
    return canonical(pa.Table.from_arrays(arrays, schema=SCHEMA))


def _read(texts: Sequence[Any], field: pa.Field[Any]) -> Array:
    if field.type == pa.int32():
        return pa.array(texts, pa.int32())
    bare = [each or None for each in texts] if field.name in _NEVER_NULL else texts
    return pa.array(bare, pa.string()).cast(field.type)


def key_texts(rows: pa.Table) -> set[tuple[Any, ...]]:
    """The keys of the rows, as ``queries.PRICE`` and the tables have them."""
    bare = rows.combine_chunks()
    return set(zip(*(_spelled(bare.column(name), name).to_pylist() for name in PRICE), strict=True))


def keys_of(several: Iterable[PriceRows]) -> dict[Partition, set[tuple[Any, ...]]]:
    """The same of each partition."""
    found: dict[Partition, set[tuple[Any, ...]]] = {}
    for each in several:
        found.setdefault((each.audience, each.scope), set()).update(key_texts(each.rows))
    return found


def csv_of(table: pa.Table) -> memoryview:
    """CSV in which every text is quoted and nothing is not, in UTF-8."""
    sink = pa.BufferOutputStream()
    csv.write_csv(table, sink, _CSV)
    return memoryview(sink.getvalue())


def tuples(table: pa.Table) -> Iterator[tuple[Any, ...]]:
    return zip(*(column.to_pylist() for column in table.columns), strict=True)


def _spelled(column: pa.ChunkedArray[Any], name: str) -> Array:
    values: Array = pa.concat_arrays(column.chunks)
    if values.type == pa.int32():
        return values
    text = plain_texts(values) if values.type == AMOUNT else values.cast(pa.string())
    return text.fill_null("") if name in _NEVER_NULL else text


def plain_texts(amounts: Array) -> Array:
    """The numbers as ``plain`` spells them; null stays null."""
    text: Array = amounts.cast(pa.string())
    trimmed = pc.ascii_rtrim(pc.ascii_rtrim(text, characters="0"), characters=".")
    # Arrow writes what is below a millionth, zero too, with an exponent.
    tiny = pc.match_substring(text, "E")
    if not pc.any(tiny).as_py():
        return trimmed
    each: Any = amounts.filter(tiny).to_pylist()
    spelled: Array = pa.array([plain(amount) for amount in each], pa.string())
    replaced: Array = pc.replace_with_mask(trimmed, tiny, spelled)
    return replaced
