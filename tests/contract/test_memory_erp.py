"""The ERP fake is held to the contract of the real adapters."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest

from sync.domain.account import Account, BillTo, Item, Location, ShipTo
from sync.domain.account_order import AccountOrder
from sync.domain.availability import Availability
from sync.domain.balance import AccountBalance
from sync.domain.document import DocumentRecord
from sync.domain.ids import BillToId, CustomerId, ErpOrderNumber, IdempotencyKey, ShipToId, Sku
from sync.domain.invoice import Invoice
from sync.domain.part_number import CustomerPart
from sync.domain.pricing import Price, PriceLevel
from sync.domain.sales_order import (
    ErpOrderState,
    OneOffShipTo,
    OnFileBillTo,
    OnFileShipTo,
    OrderStatus,
    SalesOrder,
)
from sync.domain.times import Watermark
from sync.errors import AccessDenied, Conflict, Rejected
from sync.ports.erp import Feed, FindingLevel
from sync.testing import builders as a
from sync.testing.clock import ManualClock
from sync.testing.erp import MEMORY_CAPABILITIES, MemoryErp
from sync.testing.erp_contract import ErpAdapterContract
from sync.testing.erp_world import OrderRows, WrittenLine, WrittenOrder
from sync.testing.together import GroupingErp

T = TypeVar("T")

LONG_AGO = datetime(2024, 1, 1, tzinfo=UTC)


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

    def add_balance(self, balance: AccountBalance) -> None:
        self._erp.set_balance(balance)

    def add_account_order(self, order: AccountOrder) -> None:
        self._erp.set_account_order(order)

    def add_customer_part(self, part: CustomerPart) -> None:
        self._erp.add_customer_part(part)

    def add_document(self, record: DocumentRecord, file: bytes | None = None) -> None:
        self._erp.add_document(record, file)

    def add_availability(self, figure: Availability) -> None:
        self._erp.set_availability(figure)

    def set_order_status(self, key: IdempotencyKey, status: OrderStatus) -> None:
        self._erp.set_order_status(key, status)

    def drop_account(self, customer_id: CustomerId) -> None:
        self._erp.remove_account(customer_id)

    def drop_ship_to(self, customer_id: CustomerId, ship_to_id: ShipToId) -> None:
        self._erp.remove_ship_to(customer_id, ship_to_id)

    def pad_keys(self, customer_id: CustomerId) -> None:
        pytest.skip("memory has no CHAR columns: a key cannot be padded")

    def damage_price(self, price: Price) -> None:
        self._erp.damage_price(price.key)

    def add_unreadable_contact(self, email: str) -> None:
        self._erp.add_unreadable_contact(email)

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
                    amounts=tuple(
                        sorted(
                            (each.code, each.amount.amount)
                            for each in (
                                *order.charges,
                                *order.discounts,
                                *order.taxes,
                                *order.adjustments,
                            )
                        )
                    ),
                )
        return None

    def filed_ship_tos(self, customer_id: CustomerId) -> Collection[ShipToId]:
        return [ship_to.ship_to_id for ship_to in self._erp.ship_tos([customer_id])]


class TestMemoryErp(ErpAdapterContract):
    @pytest.fixture
    def erp(self) -> MemoryErp:
        erp = MemoryErp()
        erp.states = tuple(PriceLevel)
        return erp

    @pytest.fixture
    def erp_world(self, erp: MemoryErp) -> MemoryWorld:
        return MemoryWorld(erp)


class TestGroupingErp(ErpAdapterContract):
    @pytest.fixture
    def erp(self) -> GroupingErp:
        return GroupingErp()

    @pytest.fixture
    def erp_world(self, erp: GroupingErp) -> MemoryWorld:
        return MemoryWorld(erp)


def an_erp(**capabilities: Any) -> MemoryErp:
    erp = MemoryErp(capabilities=dataclasses.replace(MEMORY_CAPABILITIES, **capabilities))
    erp.add_account(a.an_account())
    erp.add_ship_to(a.a_ship_to())
    erp.add_item(a.an_item())
    return erp


def test_an_erp_without_a_unique_key_takes_an_order_twice() -> None:
    erp = an_erp(unique_external_key=False)
    first = erp.submit_order(a.a_sales_order(), a.KEY)
    second = erp.submit_order(a.a_sales_order(), a.KEY)

    assert first != second
    assert len(erp.orders) == 2


@pytest.mark.rule("OI-1")
def test_another_order_under_a_used_key_is_a_conflict() -> None:
    erp = an_erp()
    erp.submit_order(a.a_sales_order(), a.KEY)

    with pytest.raises(Conflict):
        erp.submit_order(a.a_sales_order(po_number="another"), a.KEY)


def test_an_order_number_that_follows_is_told_with_the_status() -> None:
    erp = an_erp(number_follows=True)

    assert erp.submit_order(a.a_sales_order(), a.KEY).number is None
    found = erp.find_order(a.KEY)
    assert found is not None
    assert found.number is None
    assert erp.order_statuses([a.KEY])[a.KEY].number == ErpOrderNumber("SO-1")


@pytest.mark.rule("OI-1")
@pytest.mark.parametrize(
    "order",
    [
        a.a_sales_order(sold_to=CustomerId("NOBODY")),
        a.a_sales_order(ship_to=OnFileShipTo(ShipToId("NOWHERE"))),
        a.a_sales_order(ship_to=OneOffShipTo(a.an_address(), under=ShipToId("NOWHERE"))),
        a.a_sales_order(bill_to=OnFileBillTo(BillToId("NOWHERE"))),
        a.a_sales_order(lines=(a.a_sales_line(), a.a_sales_line(number=2, sku=Sku("NOTHING")))),
    ],
    ids=["customer", "ship_to", "one_off_under", "bill_to", "second_line"],
)
def test_a_refused_order_leaves_nothing_behind(order: SalesOrder) -> None:
    erp = an_erp()
    before = erp.changed_customers(Feed.ACCOUNT_ORDERS, Watermark(LONG_AGO))

    with pytest.raises(Rejected) as refusal:
        erp.submit_order(order, a.KEY)

    assert refusal.value.remedy
    assert erp.orders == ()
    assert erp.find_order(a.KEY) is None
    assert dict(erp.order_statuses([a.KEY])) == {}
    assert erp.changed_customers(Feed.ACCOUNT_ORDERS, Watermark(LONG_AGO)) == before


@pytest.mark.rule("WA-15")
def test_an_order_on_hold_is_told_to_be_on_hold() -> None:
    erp = an_erp()
    erp.submit_order(a.a_sales_order(hold=True), a.KEY)

    assert erp.order_statuses([a.KEY])[a.KEY].state is ErpOrderState.ON_HOLD


def test_changes_are_told_by_the_erps_own_clock() -> None:
    clock = ManualClock()
    erp = MemoryErp(clock)
    erp.add_account(a.an_account())
    erp.add_account(a.an_account(customer_id=CustomerId("C-2002")))
    clock.advance(60)
    since = erp.feed_now(Feed.INVOICES)
    assert erp.changed_customers(Feed.INVOICES, since) == ([], since)

    erp.add_invoice(a.an_invoice())
    assert erp.changed_customers(Feed.INVOICES, since) == ([a.ACCOUNT], since)
    assert erp.changed_customers(Feed.SHIP_TOS, since) == ([], since)


def test_a_feed_that_is_not_claimed_cannot_be_read() -> None:
    erp = an_erp(change_feeds=frozenset({Feed.ACCOUNTS}))

    with pytest.raises(ValueError, match="tells no changes of invoices"):
        erp.feed_now(Feed.INVOICES)


def test_without_access_nothing_is_told_and_the_check_says_why() -> None:
    erp = an_erp()
    erp.deny_access()

    with pytest.raises(AccessDenied):
        erp.accounts([a.ACCOUNT])
    [finding] = erp.check()
    assert finding.level is FindingLevel.ERROR
    assert finding.remedy


def test_removing_a_customer_is_a_change_of_everything_it_had() -> None:
    clock = ManualClock()
    erp = MemoryErp(clock)
    erp.add_account(a.an_account())
    erp.add_ship_to(a.a_ship_to())
    erp.add_invoice(a.an_invoice())
    erp.set_price(a.a_price())
    clock.advance(60)
    since = erp.feed_now(Feed.INVOICES)
    erp.remove_account(a.ACCOUNT)

    assert list(erp.ship_tos([a.ACCOUNT])) == []
    assert list(erp.invoices([a.ACCOUNT])) == []
    assert list(erp.price_scopes()) == []
    for feed in Feed:
        assert erp.changed_customers(feed, since)[0] == [a.ACCOUNT]


def test_time_goes_on_only_when_told() -> None:
    clock = ManualClock()
    start, monotonic = clock.now(), clock.monotonic()
    assert clock.now() == start

    clock.sleep(90)
    clock.advance(30)
    assert clock.now() == start + timedelta(minutes=2)
    assert clock.monotonic() == monotonic + 120
    assert clock.slept == [90]

    # The wall clock may be set back; waiting time cannot.
    clock.set_wall_clock(start)
    assert clock.now() == start
    assert clock.monotonic() == monotonic + 120
    with pytest.raises(ValueError, match="time does not run backwards"):
        clock.advance(-1)
