"""The ERP of the price benchmark: its tables, filled from ``data``, and edited.

``customer_prices`` is the flat table, ``list_prices`` and ``customer_contracts`` are the
normalised shape; which of them is filled is for the caller to say. PostgreSQL is loaded
by COPY, a customer at a time; SQLite by INSERT.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg
import pyarrow as pa
from pyarrow import csv
from sqlalchemy import URL

from tests.benchmarks.prices.data import COLUMNS, Catalogue, Edit
from tests.benchmarks.prices.server import plain

FLAT, LISTED, CONTRACTS = "customer_prices", "list_prices", "customer_contracts"
CURRENCY = "EUR"

_TYPES = {
    "postgresql": {
        "text": 'text COLLATE "C"',
        "number": "integer",
        "price": "numeric(19,4)",
        "day": "date",
    },
    # SQLite would keep DECIMAL as floating point; this ledger keeps digits.
    "sqlite": {"text": "TEXT", "number": "INTEGER", "price": "TEXT", "day": "TEXT"},
}
_PRICES = """\
CREATE TABLE {name} (
    owner {text} NOT NULL,
    item_no {text} NOT NULL,
    min_quantity {number} NOT NULL,
    unit_price {price} NOT NULL,
    valid_from {day},
    valid_until {day}{key}
)"""
_KEY = ",\n    PRIMARY KEY (owner, item_no, min_quantity)"
_CUSTOMERS = """\
CREATE TABLE customers (
    customer_no {text} NOT NULL PRIMARY KEY,
    name {text} NOT NULL,
    currency {text} NOT NULL,
    price_list {text}
)"""


class Books:
    """One ERP database."""

    def __init__(self, url: URL, catalogue: Catalogue) -> None:
        self.url, self._catalogue = url, catalogue
        self._types = _TYPES[url.get_backend_name()]

    @property
    def _on_postgresql(self) -> bool:
        return self.url.get_backend_name() == "postgresql"

    def make_tables(self) -> None:
        with self._work() as (execute, _):
            execute(_CUSTOMERS.format(**self._types))
            for name in (FLAT, LISTED, CONTRACTS):
                execute(_PRICES.format(name=name, key=_KEY, **self._types))

    def fill_flat(self) -> None:
        """Every customer with every price."""
        self._fill({FLAT: self._catalogue.flat()}, listed=False)

    def fill_normalised(self) -> None:
        """Lists, who is on which, contracts: the same effective prices."""
        catalogue = self._catalogue
        self._fill({LISTED: catalogue.lists(), CONTRACTS: catalogue.contracts()}, listed=True)

    def edit(self, edits: Iterable[Edit]) -> None:
        self._change(map(self._catalogue.after, edits))

    def undo(self, edits: Iterable[Edit]) -> None:
        self._change(map(self._catalogue.before, edits))

    def _fill(self, tables: dict[str, Iterator[pa.Table]], listed: bool) -> None:
        self.make_tables()
        with self._work() as (_, insert):
            insert("customers", self._customers(listed))
            for name, rows in tables.items():
                insert(name, rows)
        self._settle()

    def _customers(self, listed: bool) -> Iterator[pa.Table]:
        """A few thousand rows a table, so that a hundred thousand are no memory."""
        catalogue, count = self._catalogue, self._catalogue.size.customers
        for first in range(0, count, 5000):
            some = range(first, min(first + 5000, count))
            codes = [catalogue.list_code(catalogue.list_of(n)) if listed else None for n in some]
            yield pa.table(
                {
                    "customer_no": [catalogue.customer_no(n) for n in some],
                    "name": [f"Company {n}" for n in some],
                    "currency": [CURRENCY] * len(some),
                    "price_list": pa.array(codes, pa.string()),
                }
            )

    def _change(self, changes: Iterator[tuple[pa.Table, pa.Table]]) -> None:
        """Of the flat table, in one transaction."""
        with self._work() as (execute, insert):
            for name in ("put", "gone"):
                table = _PRICES.format(name=name, key="", **self._types)
                execute(table.replace("CREATE TABLE", "CREATE TEMPORARY TABLE"))
            for put, gone in _gathered(changes):
                insert("put", [put])
                insert("gone", [gone])
            key = "owner, item_no, min_quantity"
            if self._on_postgresql:
                execute("ANALYZE put")
                execute("ANALYZE gone")
            execute(f"DELETE FROM {FLAT} WHERE ({key}) IN (SELECT {key} FROM gone)")
            execute(
                f"INSERT INTO {FLAT} SELECT * FROM put WHERE true"
                f" ON CONFLICT ({key}) DO UPDATE SET unit_price = excluded.unit_price,"
                " valid_from = excluded.valid_from, valid_until = excluded.valid_until"
            )
            execute("DROP TABLE put")
            execute("DROP TABLE gone")

    @contextmanager
    def _work(self) -> Iterator[tuple[Callable[[str], object], Insert]]:
        if self._on_postgresql:
            with psycopg.connect(plain(self.url)) as connection:
                yield connection.execute, _copying(connection)
        else:
            with closing(sqlite3.connect(str(self.url.database))) as database, database:
                yield database.execute, _inserting(database)

    def _settle(self) -> None:
        """As a database that has been there for long is: seen, counted, on the disk."""
        if self._on_postgresql:
            with psycopg.connect(plain(self.url), autocommit=True) as connection:
                connection.execute("VACUUM ANALYZE")
                connection.execute("CHECKPOINT")
        else:
            with closing(sqlite3.connect(str(self.url.database))) as database:
                database.execute("PRAGMA journal_mode = WAL")


Insert = Callable[[str, Iterable[pa.Table]], object]


def _gathered(changes: Iterator[tuple[pa.Table, pa.Table]]) -> Iterator[tuple[pa.Table, pa.Table]]:
    """Some customers' changes at once: a COPY for each would take longer than the work."""
    put, gone = [COLUMNS.empty_table()], [COLUMNS.empty_table()]
    for more, less in changes:
        put.append(more)
        gone.append(less)
        if len(put) > 200:
            yield pa.concat_tables(put), pa.concat_tables(gone)
            del put[1:], gone[1:]
    yield pa.concat_tables(put), pa.concat_tables(gone)


def _copying(connection: psycopg.Connection[Any]) -> Insert:
    plainly = csv.WriteOptions(include_header=False)

    def insert(name: str, tables: Iterable[pa.Table]) -> None:
        with (
            connection.cursor() as cursor,
            cursor.copy(f"COPY {name} FROM STDIN (FORMAT csv)") as copy,
        ):
            for table in tables:
                sink = pa.BufferOutputStream()
                # In one piece: pyarrow 26 writes rubbish after a piece without rows.
                csv.write_csv(table.combine_chunks(), sink, plainly)
                copy.write(sink.getvalue().to_pybytes())

    return insert


def _inserting(database: sqlite3.Connection) -> Insert:
    def insert(name: str, tables: Iterable[pa.Table]) -> None:
        for table in tables:
            places = ", ".join("?" * table.num_columns)
            columns = [
                each.to_pylist() if pa.types.is_integer(each.type) else each.cast(pa.string())
                for each in table.columns
            ]
            rows = zip(*(_values(each) for each in columns), strict=True)
            database.executemany(f"INSERT INTO {name} VALUES ({places})", rows)

    return insert


def _values(column: Any) -> list[Any]:
    return column if isinstance(column, list) else column.to_pylist()
