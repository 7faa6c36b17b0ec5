"""A distributor's old ERP: it exports CSV files at night and imports orders from a folder."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

import pytest

from erp_adapters.csv_folder.layout import SHEETS
from sync.domain.account import Account, BillTo, Item, Location, ShipTo
from sync.domain.account_order import AccountOrder
from sync.domain.address import Address
from sync.domain.availability import Availability
from sync.domain.balance import AccountBalance
from sync.domain.document import DocumentRecord
from sync.domain.ids import CustomerId, ErpOrderNumber, IdempotencyKey, ShipToId, Sku
from sync.domain.invoice import Invoice
from sync.domain.money import Money
from sync.domain.part_number import CustomerPart
from sync.domain.pricing import Price
from sync.domain.sales_order import OrderStatus
from sync.ports.erp import Feed
from sync.testing.erp_world import OrderRows, WrittenLine, WrittenOrder

T = TypeVar("T")
Order = list[dict[str, str]]


class CsvWorld:
    """What the ERP holds, exported whole after each change; and its import of orders."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("orders", "sent"):
            (folder / name).mkdir(parents=True)
        self._rows: dict[str, list[dict[str, str]]] = defaultdict(list)
        self._orders: dict[str, Order] = {}
        self._blocked: set[str] = set()
        self.answer_number = 0
        for name in SHEETS:
            self.export(name)

    # Its nightly export.

    def export(self, name: str) -> None:
        sheet = SHEETS[name]
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, sheet.columns, restval="")
        writer.writeheader()
        writer.writerows(self._rows[name])
        part = self.folder / f"{name}.part"
        part.write_text(text.getvalue(), encoding="utf-8", newline="")
        part.rename(self.folder / sheet.file_name)

    def add(self, sheet: str, **values: object) -> None:
        row = {name: _shown(value) for name, value in values.items()}
        self._rows[sheet].append(row)
        # What it adds at night is at the end of the file.
        with (self.folder / f"{sheet}.csv").open("a", encoding="utf-8", newline="") as file:
            csv.DictWriter(file, SHEETS[sheet].columns, restval="").writerow(row)

    def drop(self, sheet: str, **values: str) -> None:
        self._rows[sheet] = [
            row for row in self._rows[sheet] if any(row[k] != v for k, v in values.items())
        ]
        self.export(sheet)

    # Its import.

    def take_orders(self) -> None:
        for path in sorted((self.folder / "orders").glob("*.csv")):
            content = path.read_bytes().decode("utf-8")
            rows = list(csv.DictReader(io.StringIO(content, newline=""), strict=True))
            path.unlink()
            key = rows[0]["external_key"]
            blocked = [
                r["sku"] for r in rows if r["record"] == "line" and r["sku"] in self._blocked
            ]
            if blocked:
                self.answer(key, "refused", message=f"{blocked[0]} is blocked")
                continue
            assert key not in self._orders, "an order came twice"
            self._orders[key] = rows
            self.answer(key, "open", number=f"SO-{len(self._orders)}")

    def answer(self, key: str, state: str, *, number: str = "", message: str | None = None) -> None:
        self.answer_number += 1
        self._rows["order_status"] = [
            row for row in self._rows["order_status"] if row["external_key"] != key
        ]
        self._rows["order_status"].append(
            {
                "external_key": key,
                "state": state,
                "order_number": number,
                "message": message or "",
                "answered_at": f"2025-03-09T02:00:{self.answer_number:02}",
            }
        )
        self.export("order_status")

    def block(self, sku: Sku) -> None:
        self._blocked.add(sku.value)

    def unblock(self, sku: Sku) -> None:
        self._blocked.discard(sku.value)

    # As the contract asks.

    def told(self, fact: T) -> T:
        if isinstance(fact, OrderStatus):
            number = next(
                (
                    ErpOrderNumber(row["order_number"])
                    for row in self._rows["order_status"]
                    if row["order_number"]
                ),
                None,
            )
            return OrderStatus(fact.state, number, fact.shipments, fact.lines, fact.message)  # type: ignore[return-value]
        if isinstance(fact, Item) and fact.allowed_to == frozenset() and not fact.allowed_tags:
            # What is for nobody is not in such a file.
            return dataclasses.replace(fact, allowed_to=None)
        return fact

    def add_account(self, account: Account) -> None:
        self.add(
            "customers",
            customer_id=account.customer_id,
            name=account.name,
            currencies=";".join(account.currencies),
            active=account.active,
            prospect=account.prospect,
            status=account.status.name.lower() if account.status is not None else None,
            terms=account.terms,
            tax_exempt=account.tax_exempt,
            credit=account.credit.value,
            price_groups=";".join(account.price_groups),
            default_ship_to=account.default_ship_to,
            po_required=account.po_required,
            tax_id=account.tax_id,
            tags=";".join(account.tags),
        )
        for contact in account.contacts:
            self.add(
                "contacts",
                customer_id=account.customer_id,
                contact_id=contact.contact_id,
                email=contact.email,
            )

    def add_location(self, location: Location) -> None:
        self.add(
            "locations",
            customer_id=location.sold_to,
            location_id=location.location_id,
            name=location.name,
            tax_exempt=location.tax_exempt,
            default_ship_to=location.default_ship_to,
            bill_to=location.bill_to,
            warehouse=location.warehouse,
        )

    def add_ship_to(self, ship_to: ShipTo) -> None:
        self.add(
            "ship_tos",
            customer_id=ship_to.sold_to,
            ship_to_id=ship_to.ship_to_id,
            is_default=ship_to.default,
            tax_exempt=ship_to.tax_exempt,
            warehouse=ship_to.warehouse,
            location_id=ship_to.location,
            **_address(ship_to.address),
        )

    def add_bill_to(self, bill_to: BillTo) -> None:
        self.add(
            "bill_tos",
            customer_id=bill_to.sold_to,
            bill_to_id=bill_to.bill_to_id,
            is_default=bill_to.default,
            **_address(bill_to.address),
        )

    def add_item(self, item: Item) -> None:
        self.add(
            "items",
            sku=item.sku,
            stock_unit=item.stock_unit,
            units=";".join(f"{unit}={factor}" for unit, factor in item.units),
            description=item.description,
            active=item.active,
            discontinued=item.discontinued,
            whole_units_only=item.whole_units_only,
            kit=item.kit,
            allowed_to=";".join(sorted(each.value for each in item.allowed_to or ())),
            allowed_tags=";".join(sorted(item.allowed_tags)),
        )

    def add_price(self, price: Price) -> None:
        key = price.key
        self.add(
            "prices",
            level=key.scope.level.name.lower(),
            owner=key.scope.owner,
            price_list=key.price_list,
            sku=key.sku,
            unit=key.unit,
            currency=key.currency,
            min_quantity=key.min_quantity,
            unit_price=price.value.unit_price,
            valid_from=key.valid_from,
            valid_until=price.value.valid_until,
            priority=key.priority,
            warehouse=key.warehouse,
        )

    def add_invoice(self, invoice: Invoice) -> None:
        self.add(
            "invoices",
            invoice_number=invoice.number,
            customer_id=invoice.sold_to,
            kind=invoice.kind.value,
            invoiced_on=invoice.invoiced_on,
            currency=invoice.total.currency,
            total=invoice.total,
            tax=invoice.tax,
            freight=invoice.freight,
            open_amount=invoice.open_amount,
            order_number=invoice.erp_order,
            po_number=invoice.po_number,
            web_reference=invoice.web_reference,
        )
        for line in invoice.lines:
            self.add(
                "invoice_lines",
                invoice_number=invoice.number,
                line_number=line.number,
                quantity=line.quantity,
                net=line.net,
                sku=line.sku,
                description=line.description,
                unit=line.unit,
                unit_price=line.unit_price,
            )
        for due in invoice.dues:
            self.add(
                "invoice_dues", invoice_number=invoice.number, due_on=due.due_on, amount=due.amount
            )

    def add_balance(self, balance: AccountBalance) -> None:
        pytest.skip("the folder has no file of balances")

    def add_account_order(self, order: AccountOrder) -> None:
        pytest.skip("the folder has no file of orders from every source")

    def add_customer_part(self, part: CustomerPart) -> None:
        pytest.skip("the folder has no file of customers' item numbers")

    def add_document(self, record: DocumentRecord, file: bytes | None = None) -> None:
        pytest.skip("the folder has no file of documents")

    def add_availability(self, figure: Availability) -> None:
        pytest.skip("the folder has no file of stock")

    def set_order_status(self, key: IdempotencyKey, status: OrderStatus) -> None:
        self.take_orders()
        [held] = [row for row in self._rows["order_status"] if row["external_key"] == key.value]
        self.answer(
            key.value, status.state.value, number=held["order_number"], message=status.message
        )
        for shipment in status.shipments:
            self.add(
                "order_shipments",
                external_key=key,
                shipment_number=shipment.number,
                shipped_on=shipment.shipped_on,
                carrier=shipment.carrier,
                tracking=shipment.tracking,
            )
        for line in status.lines:
            self.add(
                "order_line_status",
                external_key=key,
                line_number=line.line,
                sku=line.sku,
                ordered=line.ordered,
                shipped=line.shipped,
                back_ordered=line.back_ordered,
            )

    def drop_account(self, customer_id: CustomerId) -> None:
        for name in ("customers", "contacts", "ship_tos", "bill_tos", "locations", "invoices"):
            self.drop(name, customer_id=customer_id.value)
        self.drop("prices", owner=customer_id.value)

    def drop_ship_to(self, customer_id: CustomerId, ship_to_id: ShipToId) -> None:
        self.drop("ship_tos", customer_id=customer_id.value, ship_to_id=ship_to_id.value)

    def pad_keys(self, customer_id: CustomerId) -> None:
        for name, rows in self._rows.items():
            for row in rows:
                for column in ("customer_id", "owner"):
                    if row.get(column) == customer_id.value:
                        row[column] = f"{customer_id.value}      "
            self.export(name)

    def damage_price(self, price: Price) -> None:
        raise NotImplementedError

    def add_unreadable_contact(self, email: str) -> None:
        self.add("contacts", customer_id="", contact_id="P-0", email=email)

    def refuse_item(self, sku: Sku) -> None:
        pytest.skip("its import refuses later, in an answer; see the tests below the contract")

    def mark_changed(self, customer_id: CustomerId, feed: Feed, at: datetime) -> None:
        pytest.skip("its files tell no changes")

    def order_rows(self, key: IdempotencyKey | None = None) -> OrderRows:
        self.take_orders()
        held = [rows for each, rows in self._orders.items() if key is None or each == key.value]
        lines = sum(1 for rows in held for row in rows if row["record"] == "line")
        return OrderRows(len(held), lines)

    def written(self, key: IdempotencyKey) -> WrittenOrder | None:
        self.take_orders()
        rows = self._orders.get(key.value)
        if rows is None:
            return None
        order = rows[0]
        return WrittenOrder(
            sold_to=CustomerId(order["customer_id"]),
            lines=tuple(
                WrittenLine(
                    Sku(row["sku"]),
                    Decimal(row["quantity"]),
                    row["unit"],
                    Decimal(row["unit_price"]),
                )
                for row in rows
                if row["record"] == "line"
            ),
            ship_to_id=ShipToId(order["ship_to_id"]) if order["ship_to_id"] else None,
            one_off=_one_off(order),
            po_number=order["po_number"] or None,
            notes=order["notes"],
            payment_references=tuple(
                row["reference"] for row in rows if row["record"] == "payment" and row["reference"]
            ),
        )

    def filed_ship_tos(self, customer_id: CustomerId) -> Collection[ShipToId]:
        return [
            ShipToId(row["ship_to_id"])
            for row in self._rows["ship_tos"]
            if row["customer_id"].strip() == customer_id.value
        ]


def _address(address: Address) -> dict[str, object]:
    lines = {f"line{number}": line for number, line in enumerate(address.lines, 1)}
    names = ("name", "city", "country", "postal_code", "region", "attention", "phone", "email")
    parts = {name: getattr(address, name) for name in names}
    return {**lines, **parts, "residential": address.residential}


def _one_off(order: Mapping[str, str]) -> Address | None:
    if not order["ship_name"]:
        return None
    lines = (order[f"ship_line{number}"] for number in range(1, 5))
    return Address(
        name=order["ship_name"],
        lines=tuple(line for line in lines if line),
        city=order["ship_city"],
        country=order["ship_country"],
        postal_code=order["ship_postal_code"] or None,
        region=order["ship_region"] or None,
        attention=order["ship_attention"] or None,
        phone=order["ship_phone"] or None,
        email=order["ship_email"] or None,
        residential={"yes": True, "no": False}.get(order["ship_residential"]),
    )


def _shown(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "Y" if value else "N"
        case Money(amount, _):
            return f"{amount:f}"
        case Decimal():
            return f"{value:f}"
        case date():
            return value.isoformat()
        case _:
            return str(value)
