"""A price feed: batches of an answer as vectors, one for each owner.

Columns are read whole (``values``). A row that makes no entry is read once more by
itself, as the statement for single owners would read it, and so told in the same words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from erp_adapters.sql import translate
from erp_adapters.sql.bulk.batches import Batch
from erp_adapters.sql.bulk.values import ValueReader, Values, text_of
from erp_adapters.sql.queries import BadRow, Query
from sync.columnar.vectors import AMOUNT, SCHEMA, Sorter, vector_of
from sync.domain.ids import MAX_KEY_LENGTH, Sku
from sync.domain.money import currency_code
from sync.domain.pricing import PriceLevel
from sync.errors import Misconfigured
from sync.ports.erp import ErpCapabilities

Piece = tuple[Any, pa.Table]
"""Rows in the order of the answer: whose each is (None: nobody's in particular), and what."""


class Feed:
    """One feed statement, ready to turn its batches into vectors.

    ``owner`` names the column that says whose an entry is; None for lists of everybody.
    What cannot be read is given to ``on_bad``. ``only``: an answer to a question for these
    owners, in any order. It may hold others' rows, where the database holds their keys for
    equal, and is in memory as a whole.
    """

    def __init__(
        self,
        query: Query,
        facts: ErpCapabilities,
        level: PriceLevel,
        owner: str | None,
        on_bad: Callable[[BadRow], None],
        cut_floats: bool = False,
        only: Sequence[str] | None = None,
    ) -> None:
        self._query = query
        self._facts = facts
        self._level = level
        self._owner = owner
        self._tells_bad = on_bad
        self._cut_floats = cut_floats
        self._only = only
        self._readers: dict[str, ValueReader] = {}
        self._same: dict[str, pa.Array[Any]] = {}
        self._sorter = Sorter()
        self._now: str | None = None
        self._seen: set[str] = set()
        self.read_rows = 0

    def vectors(self, batches: Iterable[Batch]) -> Iterator[tuple[str, pa.Table]]:
        """Each owner with all its entries, canonical. Raises Misconfigured for one come twice.

        What is bad of an owner is told before its vector comes. An owner of whom nothing
        can be read does not come.
        """
        held: list[pa.Table] = []
        for owners, table in self._pieces(batches):
            for name, rows in _runs(owners, table):
                if name != self._now:
                    if self._now is not None:
                        yield self._now, self._vector(held)
                    self._refuse_again(name)
                    self._seen.add(name)
                    self._now, held = name, []
                held.append(rows)
        if self._now is not None:
            yield self._now, self._vector(held)

    def _pieces(self, batches: Iterable[Batch]) -> Iterator[Piece]:
        """What comes, with the rows of one owner together."""
        pieces = map(self._piece, batches)
        if self._only is None or self._owner is None:
            yield from pieces
            return
        owners, tables = [], []
        for whose, table in pieces:
            own = pc.is_in(whose, value_set=pa.array(self._only, whose.type))
            owners.append(whose.filter(own))
            tables.append(table.filter(own))
        if not tables:
            return
        every = pa.concat_arrays(owners)
        order = pc.sort_indices(every)
        yield every.take(order), pa.concat_tables(tables).take(order).combine_chunks()

    def _refuse_again(self, name: str) -> None:
        if name in self._seen:
            raise Misconfigured(self._twice(name))

    def _on_bad(self, bad: BadRow) -> None:
        """Tell of it, unless it is an owner's whose vector was told as if it were whole."""
        whose = bad.known.get(self._owner) if self._owner else None
        if whose is not None and whose != self._now:
            self._refuse_again(whose)
        self._tells_bad(bad)

    def _vector(self, pieces: Sequence[pa.Table]) -> pa.Table:
        return self._sorter.canonical(pa.concat_tables(pieces) if len(pieces) > 1 else pieces[0])

    def _twice(self, owner: str) -> str:
        return (
            f"{self._query.statement.place}: {self._query.name} tells {owner} twice, with others"
            f" in between; add ORDER BY {self._owner} to it, and compare keys exactly"
        )

    def _piece(self, batch: Batch) -> Piece:
        made = self._columns(batch)
        owners = made[self._owner].array if self._owner else None
        table = self._table(made, len(batch))
        odd = self._odd(made, table, owners)
        if odd is None:
            self.read_rows += len(batch)
            return owners, table
        return self._without(batch, owners, table, odd)

    def _columns(self, batch: Batch) -> dict[str, Values]:
        made = {}
        for column in self._query.columns(batch.names):
            reader = self._readers.get(column.name)
            if reader is None:
                reader = self._readers[column.name] = self._reader(column.name, column.convert)
            made[column.name] = reader.read(batch.columns[column.position])
        return made

    def _reader(self, name: str, convert: Callable[[Any], Any]) -> ValueReader:
        statement = self._query.statement
        column = statement.read.column(name)
        assert column is not None  # noqa: S101 - the query has found it there
        return ValueReader(
            column,
            convert,
            self._facts,
            statement.types.get(name),
            statement.values.get(name),
            self._cut_floats,
        )

    def _table(self, made: dict[str, Values], rows: int) -> pa.Table:
        arrays = []
        for field in SCHEMA:
            array = made[field.name].array if field.name in made else self._constant(field, rows)
            if field.name == "priority" and array.null_count:
                array = array.fill_null(0)
            arrays.append(array)
        return pa.Table.from_arrays(arrays, schema=SCHEMA)

    def _constant(self, field: pa.Field[Any], rows: int) -> pa.Array[Any]:
        """What the profile says of every row, or that there is nothing."""
        held = self._same.get(field.name)
        if held is None or len(held) < rows:
            value = pa.scalar(self._query.constants[field.name], field.type)
            held = self._same[field.name] = pa.repeat(value, rows)
        return held.slice(0, rows)

    def _odd(self, made: dict[str, Values], table: pa.Table, owners: Any) -> Any:
        """Which rows want a closer look; None for none of them."""
        odd: list[Any] = [
            pc.invert(values.sound) for values in made.values() if values.sound is not None
        ]
        must: list[Any] = [
            table.column(field.name).chunk(0) for field in SCHEMA if not field.nullable
        ]
        must += [] if owners is None else [owners]
        odd += [column.is_null() for column in must if column.null_count]
        odd += _strange_skus(table.column("sku").chunk(0), made)
        odd += _strange_currencies(table.column("currency").chunk(0))
        below = pc.less(table.column("unit_price").chunk(0), pa.scalar(0, pa.int32()).cast(AMOUNT))
        if pc.any(below).as_py():
            odd.append(below)
        if not odd:
            return None
        found = odd[0].fill_null(False)
        for more in odd[1:]:
            found = pc.or_(found, more.fill_null(False))
        return found

    def _without(self, batch: Batch, owners: Any, table: pa.Table, odd: Any) -> Piece:
        """The piece without what cannot be read, of which it is told why."""
        for raw in batch.rows(pc.indices_nonzero(odd).to_pylist()):
            self._tell_of(batch.names, raw)
        plain = pc.invert(odd)
        kept = table.filter(plain).combine_chunks()
        self.read_rows += len(kept)
        return None if owners is None else owners.filter(plain), kept

    def _tell_of(self, names: tuple[str, ...], raw: Sequence[Any]) -> None:
        """Why this row makes no entry, in the words of whoever reads it by itself."""
        for row in self._query.read_rows(names, [raw], self._on_bad):
            self.read_rows += 1
            owner = row[self._owner] if self._owner else ""
            why = "is an entry by itself, and among others it is none"
            try:
                vector_of([translate.price(row, self._level, owner)])
            except (ValueError, OverflowError) as error:
                why = str(error)
            self._on_bad(BadRow(self._query.name, row, "", why, self._query.key_of(row)))


def _runs(owners: Any, table: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    """The rows of one owner after the other."""
    if not len(table):
        return
    if owners is None:
        yield "", table
        return
    changes = pc.indices_nonzero(pc.not_equal(owners[1:], owners[:-1])).to_pylist()
    starts = [0, *(change + 1 for change in changes)]
    for start, end in zip(starts, [*starts[1:], len(table)], strict=True):
        yield owners[start].as_py(), table.slice(start, end - start)


def _strange_skus(skus: Any, made: dict[str, Values]) -> list[Any]:
    """Texts that the ERP takes for an item and we do not."""
    lengths: Any = pc.max(pc.binary_length(skus)).as_py()
    clean = "sku" in made and made["sku"].clean
    fine = (lengths or 0) <= MAX_KEY_LENGTH and (clean or text_of(skus).isprintable())
    return [] if fine else [_judged(skus, Sku)]


def _strange_currencies(currencies: Any) -> list[Any]:
    if len(currencies) and currencies[0].is_valid and _all_like_first(currencies):
        return [] if _sound(currencies[0].as_py(), currency_code) else [pc.is_valid(currencies)]
    return [_judged(currencies, currency_code)]


def _all_like_first(array: Any) -> bool:
    return bool(pc.all(pc.equal(array, array[0])).as_py())


def _judged(texts: Any, make: Callable[[str], object]) -> Any:
    """Which of them ``make`` refuses; each different text is asked once."""
    coded: Any = texts.dictionary_encode()
    odd = [not _sound(text, make) for text in coded.dictionary.to_pylist()]
    return pa.array(odd, pa.bool_()).take(coded.indices)


def _sound(text: str, make: Callable[[str], object]) -> bool:
    try:
        make(text)
    except ValueError:
        return False
    return True
