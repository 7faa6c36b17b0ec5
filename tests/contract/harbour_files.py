"""Harbour Ledger where it takes orders as files: its nightly import, and its staff."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import IntegrityError

from sync.domain.ids import CustomerId, ErpOrderNumber, IdempotencyKey, ShipToId, Sku
from sync.domain.sales_order import ErpOrderState, OrderStatus
from sync.testing.erp_world import OrderRows, WrittenOrder
from tests.contract.harbour import DATA, PROFILE, HarbourWorld

T = TypeVar("T")

FOLDERS = ("in", "out", "sent", "refused")
ABOUT_ORDERS = ("find_order", "find_orders", "order_status", "order_shipments", "order_line_status")
_PARTS = {
    "LN": "order_lines",
    "CH": "order_amounts",
    "DC": "order_amounts",
    "TX": "order_amounts",
    "AJ": "order_amounts",
    "PY": "order_payments",
    "RM": "order_remarks",
}


def write_profile(path: Path, *, asks_the_database: bool) -> None:
    """Harbour's profile with files for steps, with or without statements about orders."""
    reads = PROFILE.read_text(encoding="utf-8").partition("\nwrites:\n")[0]
    if not asks_the_database:
        for name in ABOUT_ORDERS:
            reads, count = re.subn(rf"\n  {name}:.*?(?=\n  [a-z_]+:|\Z)", "", reads, flags=re.S)
            assert count == 1, name
    facts = reads.replace("  order_hold: true\n", "  order_hold: true\n  number_follows: true\n")
    writes = (DATA / "harbour_files.yaml").read_text(encoding="utf-8")
    path.write_text(f"{facts}\n{writes}", encoding="utf-8")


class HarbourImport:
    """Takes each order whole or refuses it, answers, and deletes its files."""

    def __init__(self, engine: Engine, share: Path) -> None:
        self._engine = engine
        self._share = share
        for name in FOLDERS:
            (share / name).mkdir(parents=True)

    def run(self) -> None:
        for header in sorted((self._share / "in").glob("HD_*.csv")):
            stem = header.stem.removeprefix("HD_")
            files = [header, *sorted((self._share / "in").glob(f"[A-Z][A-Z]_{stem}.csv"))]
            try:
                with self._engine.begin() as connection:
                    number = self._take(connection, header, stem)
                answer = ("OK", str(number), "")
            except (IntegrityError, _Refused) as error:
                told = error.args[0] if isinstance(error, _Refused) else "unknown customer or item"
                answer = ("ERROR", "", told)
            for path in dict.fromkeys(files):
                path.unlink()
            (self._share / "out" / f"RES_{stem}.csv").write_text(";".join(answer) + "\n")

    def _take(self, connection: Connection, header: Path, stem: str) -> int:
        [order] = _rows(header)
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA foreign_keys = ON")
        addresses = {"ship": "SHIP", "bill": "BILL"}
        columns = {
            name: value
            for name, value in order.items()
            if name.partition("_")[0] not in addresses
            or name in ("ship_to_no", "ship_via", "ship_complete", "bill_to_no")
        }
        number = _insert(connection, "orders", columns)
        for prefix, purpose in addresses.items():
            if order[f"{prefix}_name"]:
                address = {
                    name.removeprefix(f"{prefix}_"): value
                    for name, value in order.items()
                    if name not in columns and name.startswith(f"{prefix}_")
                }
                _insert(connection, "order_addresses", address, order_no=number, purpose=purpose)
        for part, table in _PARTS.items():
            path = header.with_name(f"{part}_{stem}.csv")
            for row in _rows(path) if path.exists() else ():
                if part == "LN":
                    _sellable(connection, str(row["item_no"]))
                _insert(connection, table, row, order_no=number)
        return number


class _Refused(Exception):
    pass


def _rows(path: Path) -> list[dict[str, str | None]]:
    content = path.read_bytes().decode("utf-8")
    assert content.endswith("\n"), f"{path.name} is not whole"
    found = csv.DictReader(io.StringIO(content, newline=""), delimiter=";", strict=True)
    return [{name: value or None for name, value in row.items()} for row in found]


def _sellable(connection: Connection, item: str) -> None:
    blocked = connection.execute(
        text("SELECT blocked FROM items WHERE item_no = :item"), {"item": item}
    ).scalar()
    if blocked:
        raise _Refused(f"{item} is blocked")


def _insert(connection: Connection, table: str, row: dict[str, Any], **more: Any) -> int:
    values = {**row, **more}
    columns, marks = ", ".join(values), ", ".join(f":{name}" for name in values)
    with connection.execute(
        text(f"INSERT INTO {table} ({columns}) VALUES ({marks}) RETURNING rowid"), values
    ) as result:
        return int(result.scalar_one())


class HarbourFilesWorld(HarbourWorld):
    """Whoever looks into the ledger looks after its import has run.

    ``answers_only``: its database tells the adapter nothing about orders.
    """

    def __init__(self, engine: Engine, share: Path, *, answers_only: bool) -> None:
        super().__init__(engine)
        self.imports = HarbourImport(engine, share)
        self._answers_only = answers_only

    def told(self, fact: T) -> T:
        if not isinstance(fact, OrderStatus):
            return fact
        numbers = self.rows("SELECT order_no FROM orders")
        number = ErpOrderNumber(str(numbers[0]["order_no"])) if numbers else None
        if self._answers_only:
            return OrderStatus(ErpOrderState.OPEN, number)  # type: ignore[return-value]
        return replace(fact, number=number)

    def refuse_item(self, sku: Sku) -> None:
        pytest.skip("its import refuses later, in an answer; see the tests below the contract")

    def block_item(self, sku: Sku) -> None:
        super().refuse_item(sku)

    def unblock_item(self, sku: Sku) -> None:
        self.execute("UPDATE items SET blocked = 0 WHERE item_no = :sku", sku=sku.value)

    def set_order_status(self, key: IdempotencyKey, status: OrderStatus) -> None:
        self.imports.run()
        super().set_order_status(key, status)

    def order_rows(self, key: IdempotencyKey | None = None) -> OrderRows:
        self.imports.run()
        return super().order_rows(key)

    def written(self, key: IdempotencyKey) -> WrittenOrder | None:
        self.imports.run()
        return super().written(key)

    def filed_ship_tos(self, customer_id: CustomerId) -> Collection[ShipToId]:
        self.imports.run()
        return super().filed_ship_tos(customer_id)
