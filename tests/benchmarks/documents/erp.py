"""The ERP of the benchmark of ship-tos and invoices: its tables, filled, and edited."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import psycopg
from sqlalchemy import URL

from tests.benchmarks.prices.server import plain

Row = Sequence[Any]

LONG_AGO = "2025-01-02 03:04:05"

_TABLES = {
    "customers": "customer_no {text} NOT NULL PRIMARY KEY, name {text}, currency {text}",
    "ship_tos": (
        "customer_no {text} NOT NULL, ship_to_no {text} NOT NULL, name {text}, street {text},"
        " city {text}, postal_code {text}, country {text}, is_default {text},"
        " changed_at {moment}, PRIMARY KEY (customer_no, ship_to_no)"
    ),
    "invoices": (
        "invoice_no {text} NOT NULL PRIMARY KEY, customer_no {text} NOT NULL, invoice_date {day},"
        " total {money}, tax {money}, open_amount {money}, order_no {text}, po_no {text},"
        " due_date {day}, changed_at {moment}"
    ),
    "invoice_lines": (
        "invoice_no {text} NOT NULL, line_no INTEGER NOT NULL, item_no {text}, description {text},"
        " quantity INTEGER, unit {text}, unit_price {price}, net {money},"
        " PRIMARY KEY (invoice_no, line_no)"
    ),
}
_INDICES = (
    "CREATE INDEX invoices_of ON invoices (customer_no)",
    "CREATE INDEX invoices_changed ON invoices (changed_at)",
    "CREATE INDEX ship_tos_changed ON ship_tos (changed_at)",
)
_TYPES = {
    "postgresql": {
        "text": 'text COLLATE "C"',
        "day": "date",
        "moment": "timestamp",
        "money": "numeric(19,2)",
        "price": "numeric(19,4)",
    },
    # SQLite would keep DECIMAL as floating point; this ledger keeps digits.
    "sqlite": dict.fromkeys(("text", "day", "moment", "money", "price"), "TEXT"),
}
_NOW = {"postgresql": "now() AT TIME ZONE 'UTC'", "sqlite": "strftime('%Y-%m-%d %H:%M:%f', 'now')"}


@dataclass(frozen=True, slots=True)
class Size:
    """How many of each; invoices have ``lines`` lines."""

    accounts: int
    invoices: int
    ship_tos: int
    lines: int = 5

    def times(self, factor: int) -> Size:
        return Size(
            self.accounts * factor, self.invoices * factor, self.ship_tos * factor, self.lines
        )


def customer_no(number: int) -> str:
    return f"C{number:06d}"


def invoice_no(number: int) -> str:
    return f"INV-{number:08d}"


class Documents:
    """One ERP database."""

    def __init__(self, url: URL, size: Size) -> None:
        self.url, self.size = url, size
        self._dialect = url.get_backend_name()

    def fill(self) -> None:
        types = _TYPES[self._dialect]
        rows = {
            "customers": self._customers(),
            "ship_tos": self._ship_tos(),
            "invoices": self._invoices(),
            "invoice_lines": self._lines(),
        }
        made = [f"CREATE TABLE {name} ({columns.format(**types)})"
                for name, columns in _TABLES.items()]  # fmt: skip
        if self._dialect == "postgresql":
            self._fill_postgresql(made, rows)
        else:
            self._fill_sqlite(made, rows)

    def edit(self) -> None:
        """One invoice is paid, and one ship-to is renamed."""
        now = _NOW[self._dialect]
        of = customer_no(self.size.accounts // 2)
        self._do(
            f"UPDATE invoices SET open_amount = '1.00', changed_at = {now}"
            f" WHERE invoice_no = '{self._one()}'",
            f"UPDATE ship_tos SET name = 'Renamed', changed_at = {now}"
            f" WHERE customer_no = '{of}' AND ship_to_no = 'S0'",
        )

    def delete(self) -> None:
        """One invoice, and one ship-to. Nothing is left that could tell it."""
        number, of = self._one(), customer_no(self.size.accounts // 2)
        self._do(
            f"DELETE FROM invoice_lines WHERE invoice_no = '{number}'",
            f"DELETE FROM invoices WHERE invoice_no = '{number}'",
            f"DELETE FROM ship_tos WHERE customer_no = '{of}' AND ship_to_no = 'S0'",
        )

    def undo(self) -> None:
        """As it was before, and long ago."""
        number = self.size.invoices // 2
        invoice, lines = self._invoice(number), list(self._lines_of(number))
        place = self._ship_to(self.size.accounts // 2)
        self.delete()
        self._do(_insert("invoices", invoice), _insert("ship_tos", place),
                 *(_insert("invoice_lines", each) for each in lines))  # fmt: skip

    def _one(self) -> str:
        return invoice_no(self.size.invoices // 2)

    def _customers(self) -> Iterator[Row]:
        for n in range(self.size.accounts):
            yield customer_no(n), f"Company {n}", "EUR"

    def _ship_tos(self) -> Iterator[Row]:
        return map(self._ship_to, range(self.size.ship_tos))

    def _ship_to(self, n: int) -> Row:
        owner, site = n % self.size.accounts, n // self.size.accounts
        return (customer_no(owner), f"S{site}", f"Company {owner}, site {site}", f"{n} Dock Road",
                f"Town {n % 997}", f"{n % 9000 + 1000}", "NL", "N" if site else "Y",
                LONG_AGO)  # fmt: skip

    def _invoices(self) -> Iterator[Row]:
        return map(self._invoice, range(self.size.invoices))

    def _invoice(self, n: int) -> Row:
        net = sum(_net(n, line) for line in range(self.size.lines))
        tax = net * 21 // 100
        day, due = f"2025-{n % 12 + 1:02d}-{n % 28 + 1:02d}", f"2026-01-{n % 28 + 1:02d}"
        return (invoice_no(n), customer_no(n % self.size.accounts), day, _money(net + tax),
                _money(tax), _money((net + tax) * (n % 3 == 0)), f"O-{n}", f"PO {n}", due,
                LONG_AGO)  # fmt: skip

    def _lines(self) -> Iterator[Row]:
        for n in range(self.size.invoices):
            yield from self._lines_of(n)

    def _lines_of(self, n: int) -> Iterator[Row]:
        for line in range(self.size.lines):
            item, net = (n * 7 + line) % 4999, _net(n, line)
            yield (invoice_no(n), line + 1, f"ITEM-{item}", f"Item number {item}", 10, "EA",
                   f"{_money(net // 10)}00", _money(net))  # fmt: skip

    def _do(self, *statements: str) -> None:
        if self._dialect == "postgresql":
            with psycopg.connect(plain(self.url)) as connection:
                for each in statements:
                    connection.execute(each.encode())
        else:
            with closing(sqlite3.connect(str(self.url.database))) as database, database:
                for each in statements:
                    database.execute(each)

    def _fill_postgresql(self, made: Sequence[str], rows: dict[str, Iterator[Row]]) -> None:
        with psycopg.connect(plain(self.url)) as connection:
            for statement in made:
                connection.execute(statement.encode())
            for name, some in rows.items():
                with connection.cursor().copy(f"COPY {name} FROM STDIN".encode()) as copy:
                    for row in some:
                        copy.write_row(row)
            for statement in _INDICES:
                connection.execute(statement.encode())
        with psycopg.connect(plain(self.url), autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
            connection.execute("CHECKPOINT")

    def _fill_sqlite(self, made: Sequence[str], rows: dict[str, Iterator[Row]]) -> None:
        with closing(sqlite3.connect(str(self.url.database))) as database:
            database.execute("PRAGMA journal_mode = WAL")
            with database:
                for statement in made:
                    database.execute(statement)
                for name, some in rows.items():
                    places = ", ".join("?" * (_TABLES[name].count("{") + _numbers(name)))
                    database.executemany(f"INSERT INTO {name} VALUES ({places})", some)
                for statement in _INDICES:
                    database.execute(statement)


def _numbers(name: str) -> int:
    return _TABLES[name].count("INTEGER")


def _net(n: int, line: int) -> int:
    """Hundredths, of ten pieces."""
    return (n * 31 + line * 17) % 9000 * 10 + 100


def _money(hundredths: int) -> str:
    return f"{hundredths // 100}.{hundredths % 100:02d}"


def _insert(table: str, row: Row) -> str:
    values = ", ".join(str(each) if isinstance(each, int) else f"'{each}'" for each in row)
    return f"INSERT INTO {table} VALUES ({values})"
