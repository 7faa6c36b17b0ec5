"""The accounts of the grant scripts, made on a live server by the scripts themselves."""

from __future__ import annotations

import re
import string
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import erp_adapters.sql
from tests.systems.odbc.drivers import Base

GRANTS = Path(erp_adapters.sql.__file__).parent / "grants"

READER = ("tradesync_reader", "reads;only}")
WRITER = ("tradesync_writer", "writes{orders")

# Harbour's tables, as its profile names them.
TABLES: Mapping[str, Collection[str]] = {
    "read_table": (
        "customers",
        "customer_currencies",
        "customer_groups",
        "customer_tags",
        "contacts",
        "branches",
        "addresses",
        "items",
        "item_units",
        "item_customers",
        "item_tags",
        "prices",
        "invoices",
        "invoice_lines",
        "invoice_dues",
        "orders",
        "order_lines",
        "order_progress",
        "shipments",
        "balances",
        "credits",
        "ageing",
        "customer_parts",
        "papers",
        "stock",
    ),
    "found_table": ("orders", "order_lines", "items", "customers", "credits"),
    "written_table": (
        "customers",
        "contacts",
        "orders",
        "order_addresses",
        "order_lines",
        "order_amounts",
        "order_payments",
        "order_remarks",
        "credits",
    ),
    "cancelled_table": ("orders",),
    "procedure": (),
}

_PLACE = re.compile(r"\{(read_table|found_table|written_table|cancelled_table|procedure)\}")


def statements(script: str, **filled: str) -> Iterator[str]:
    """What an administrator makes of a script: filled in, and one line for each table."""
    told = re.sub(r"^--.*$", "", script, flags=re.MULTILINE)
    for statement in string.Template(told).substitute(filled).split(";\n"):
        place = _PLACE.search(statement)
        for table in TABLES[place[1]] if place else ("",):
            each = _PLACE.sub(table, statement).strip()
            if each:
                yield each


@contextmanager
def accounts(base: Base) -> Iterator[None]:
    """Both accounts on the server of that database, gone afterwards."""
    script = (GRANTS / f"{base.backend}.sql").read_text()
    database = str(base.owner.url.database)
    filled = {
        "database": database,
        "schema": "public",
        "cancel_column": "status",
        "reader_password": READER[1],
        "writer_password": WRITER[1],
    }
    with base.owner.begin() as connection:
        for statement in statements(script, **filled):
            connection.exec_driver_sql(statement.replace("%", "%%"))
    try:
        yield
    finally:
        with base.owner.begin() as connection:
            for name in (READER[0], WRITER[0]):
                if base.backend == "postgresql":
                    connection.exec_driver_sql(f"DROP OWNED BY {name}")
                    connection.exec_driver_sql(f"DROP ROLE {name}")
                else:
                    connection.exec_driver_sql(f"DROP USER {name}@'%%'")
