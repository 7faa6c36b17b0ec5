"""The ERP fake is held to the contract of the real adapters."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import TypeVar

import pytest

from sync.domain.account import Account, BillTo, Item, Location, ShipTo
from sync.domain.ids import CustomerId, IdempotencyKey, ShipToId, Sku
from sync.domain.invoice import Invoice
from sync.domain.pricing import Price
from sync.domain.sales_order import OneOffShipTo, OnFileShipTo, OrderStatus
from sync.ports.erp import Feed
from sync.testing.erp import MemoryErp
from sync.testing.erp_contract import ErpAdapterContract
from sync.testing.erp_world import OrderRows, WrittenLine, WrittenOrder

T = TypeVar("T")


class MemoryWorld:
    """The memory behind the fake."""

    def __init__(self, erp: MemoryErp) -> None:
        self._erp = erp

    def told(self, fact: T) -> T:
        return fact

    def add_account(self, account: Account) -> None:
        self._erp.add_account(account)

    def add_location(self, location: Location) -> None:
        self._erp.add_location(location)

    def add_ship_to(self, ship_to: ShipTo) -> None:
        self._erp.add_ship_to(ship_to)

    def add_bill_to(self, bill_to: BillTo) -> None:
        self._erp.add_bill_to(bill_to)

    def add_item(self, item: Item) -> None:
        self._erp.add_item(item)

    def add_price(self, price: Price) -> None:
        self._erp.set_price(price)

    def add_invoice(self, invoice: Invoice) -> None:
        self._erp.add_invoice(invoice)

    def set_order_status(self, key: IdempotencyKey, status: OrderStatus) -> None:
        self._erp.set_order_status(key, status)

    def drop_account(self, customer_id: CustomerId) -> None:
        self._erp.remove_account(customer_id)

    def drop_ship_to(self, customer_id: CustomerId, ship_to_id: ShipToId) -> None:
        self._erp.remove_ship_to(customer_id, ship_to_id)

    def pad_keys(self, customer_id: CustomerId) -> None:
        pytest.skip("memory has no CHAR columns: a key cannot be padded")

    def refuse_item(self, sku: Sku) -> None:
        self._erp.refuse_item(sku)

    def mark_changed(self, customer_id: CustomerId, feed: Feed, at: datetime) -> None:
        self._erp.mark_changed(customer_id, feed, at)

    def order_rows(self, key: IdempotencyKey | None = None) -> OrderRows:
        rows = [row for row in self._erp.orders if key is None or row.key == key]
        return OrderRows(len(rows), sum(len(row.order.lines) for row in rows))

    def written(self, key: IdempotencyKey) -> WrittenOrder | None:
        for row in self._erp.orders:
            if row.key == key:
                order = row.order
                ship_to = order.ship_to
                on_file = ship_to if isinstance(ship_to, OnFileShipTo) else None
                one_off = ship_to if isinstance(ship_to, OneOffShipTo) else None
                return WrittenOrder(
                    sold_to=order.sold_to,
                    lines=tuple(
                        WrittenLine(line.sku, line.quantity, line.unit, line.unit_price.amount)
                        for line in order.lines
                    ),
                    ship_to_id=on_file.ship_to_id
                    if on_file
                    else one_off.under
                    if one_off
                    else None,
                    one_off=one_off.address if one_off else None,
                    po_number=order.po_number,
                    notes=order.notes,
                    payment_references=tuple(
                        payment.reference for payment in order.payments if payment.reference
                    ),
                )
        return None

    def filed_ship_tos(self, customer_id: CustomerId) -> Collection[ShipToId]:
        return [ship_to.ship_to_id for ship_to in self._erp.ship_tos([customer_id])]


class TestMemoryErp(ErpAdapterContract):
    @pytest.fixture
    def erp(self) -> MemoryErp:
        return MemoryErp()

    @pytest.fixture
    def erp_world(self, erp: MemoryErp) -> MemoryWorld:
        return MemoryWorld(erp)
