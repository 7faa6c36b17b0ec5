"""The same orders written by a loop that does nothing but write them.

The loop is what a script without a ledger would be: the very statements that
the ERP's profile runs, their values bound beforehand, sent with the driver
itself (psycopg, sqlite3), one commit for each order or for each hundred.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url

from erp_adapters.sql.profile import load_profile
from erp_adapters.sql.writing import OrderWriter
from sync.domain.ids import IdempotencyKey
from sync.domain.sales_order import SalesOrder

NUMBER = "order_number"


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of one order. ``answers``: it gives the order's number."""

    sql: str
    parameters: dict[str, Any]
    names: tuple[str, ...] | None
    answers: bool

    def bound(self, number: Any) -> Any:
        values = self.parameters
        if NUMBER in values:
            values = {**values, NUMBER: number}
        return values if self.names is None else [values[name] for name in self.names]


def statements_of(
    profile: Path, dialect: str, orders: Iterable[tuple[SalesOrder, IdempotencyKey]]
) -> list[list[Statement]]:
    """Every order as the statements that the profile's steps would run for it."""
    writer = OrderWriter(load_profile(profile), dialect)
    psycopg_dialect: Any = postgresql.psycopg.dialect
    compiler = psycopg_dialect() if dialect == "postgresql" else sqlite.dialect()
    found = []
    for order, key in orders:
        statements = []
        for each in writer.plan(order, key):
            sql = each.ready.sql
            compiled = sql.ready(sql.parameters).compile(dialect=compiler)
            names = tuple(compiled.positiontup) if compiled.positiontup else None
            parameters = {**dict.fromkeys(sql.parameters), **each.parameters}
            answers = NUMBER in each.ready.capture
            statements.append(Statement(str(compiled), parameters, names, answers))
        found.append(statements)
    return found


def write(url: str, orders: Sequence[Sequence[Statement]], together: int) -> None:
    """Write all orders, with a commit after every ``together`` of them."""
    target = make_url(url)
    if target.get_backend_name() == "sqlite":
        _on_sqlite(str(target.database), orders, together)
    else:
        _on_postgresql(target.set(drivername="postgresql"), orders, together)


def _on_sqlite(file: str, orders: Sequence[Sequence[Statement]], together: int) -> None:
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("PRAGMA foreign_keys = ON")
    cursor = connection.cursor()
    for start in range(0, len(orders), together):
        cursor.execute("BEGIN IMMEDIATE")
        for order in orders[start : start + together]:
            number = None
            for each in order:
                cursor.execute(each.sql, each.bound(number))
                if each.answers:
                    row = cursor.fetchone()
                    number = cursor.lastrowid if row is None else row[0]
        cursor.execute("COMMIT")
    connection.close()


def _on_postgresql(url: Any, orders: Sequence[Sequence[Statement]], together: int) -> None:
    with psycopg.connect(url.render_as_string(hide_password=False)) as connection:
        cursor = connection.cursor()
        for start in range(0, len(orders), together):
            for order in orders[start : start + together]:
                number = None
                for each in order:
                    cursor.execute(each.sql, each.bound(number))
                    if each.answers:
                        row = cursor.fetchone()
                        assert row is not None
                        number = row[0]
            connection.commit()
