"""From the store through the real flows into a real Tryton, and back."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from erp_adapters.tryton.adapter import TrytonErpAdapter
from sync.domain.channel import RetailGroup
from sync.domain.document import Document, DocumentKind
from sync.domain.ids import CustomerId, ShipToId
from sync.domain.mapping import Assignment
from sync.domain.money import Money
from sync.domain.order import SelectedShipTo, Tax, WebOrder
from sync.domain.pricing import PriceScope
from sync.domain.sales_order import ErpOrderState
from sync.ports.state import LedgerState
from sync.state import open_state
from sync.testing import builders as a
from sync.testing.clock import ManualClock
from sync.testing.faults import Script
from tests.scenarios.world import (
    HARBOUR_ORG,
    MILL_ORG,
    WEB,
    World,
    a_channel,
    a_mapping,
    build_world,
    guest_order,
    harbour_order,
    order_id,
)
from tests.systems.tryton.client import Tryton
from tests.systems.tryton.conftest import Live
from tests.systems.tryton.shop import FIRST, RETAIL, SKU, TAX, usd
from tests.systems.tryton.world import Directory, TrytonWorld

FOURTH = CustomerId("C00004")  # has a price list of its own
PRICED = Decimal("45.52")


@pytest.fixture
def world(written: Live, tmp_path: Path, writer: TrytonErpAdapter) -> Iterator[World]:
    """Two of the seed's customers, mapped, and guests; the ERP is the real one."""
    engine = open_state(f"sqlite:///{tmp_path / 'state.sqlite'}")
    mapping = a_mapping(
        channels={WEB: a_channel(retail_groups=(RetailGroup(RETAIL, ("USD",)),))},
        assignments=(
            Assignment(FIRST, organisation=HARBOUR_ORG, origin="customers.csv:2"),
            Assignment(FOURTH, organisation=MILL_ORG, origin="customers.csv:3"),
        ),
    )
    clock = ManualClock(datetime.now(UTC))
    yield build_world(engine, clock=clock, mapping=mapping, erp_seen=writer)
    engine.dispose()


def placed(order: WebOrder, world: World, price: Decimal, quantity: int, **more: Any) -> WebOrder:
    """The order with one line at that price, in dollars, with the seed's tax."""
    line = a.a_line(sku=SKU, unit="u", quantity=Decimal(quantity), unit_price=Money(price, "USD"))
    tax = usd((line.net.amount * TAX).quantize(Decimal("0.01")))
    total = usd(line.net.amount + tax.amount)
    if order.payments[0].amount is not None:
        more["payments"] = (dataclasses.replace(order.payments[0], amount=total),)
    return dataclasses.replace(
        order,
        currency="USD",
        placed_at=world.clock.now(),
        modified_at=world.clock.now(),
        lines=(line,),
        taxes=(Tax("TAX10", tax, TAX),),
        total=total,
        **more,
    )


def on_account(written: Live, world: World, number: int) -> WebOrder:
    """A hundred of an item for the first customer, at the price that the store shows."""
    [paid] = (
        value.unit_price
        for key, value in world.shown()["prices"].items()
        if key.key.scope.owner == "TIER2" and key.key.sku == SKU and key.key.min_quantity == 100
    )
    assert paid is not None
    customer = next(each for each in written.manifest["customers"] if each["code"] == FIRST.value)
    ship_to = SelectedShipTo(ShipToId(str(customer["delivery_addresses"][0])))
    return placed(harbour_order(number), world, paid, 100, ship_to=ship_to)


def by_card(world: World, number: int) -> WebOrder:
    """Two of it for a guest."""
    typed = dataclasses.replace(
        a.a_typed_address(), country="US", region="CA", name="Dana Story", city="Reno"
    )
    return placed(
        guest_order(number), world, PRICED, 2, priced_for=RETAIL, ship_to=typed, bill_to=typed
    )


def sales(admin: Tryton, world: World) -> list[dict[str, Any]]:
    """The two orders of the story, as they stand in Tryton."""
    return admin.rows(
        "sale.sale",
        [("web_id", "in", [world.entry(number).key.value for number in (1, 2)])],
        "number",
        "state",
        "party.code",
        "web_id",
        "total_amount",
        "shipment_address.party_name",
        "shipment_address.active",
        "write_date",
    )


@pytest.mark.rule("OI-1", "OI-3", "WA-3", "WA-3a", "WA-6", "WA-8")
def test_orders_go_in_and_everything_comes_back(
    written: Live, writer: TrytonErpAdapter, admin: Tryton, world: World
) -> None:
    for result in world.cycle():
        assert result.outcome == "ok", (result.flow, result.remarks)
    shown = world.shown()
    manifest = {CustomerId(each["code"]): each for each in written.manifest["customers"]}

    # The mirrors: what the store shows is what Tryton says.
    assert set(shown["accounts"]) == {FIRST, FOURTH}
    assert {(key, ship_to.value) for key, ship_to in shown["ship_tos"]} == {
        (key, str(number))
        for key in (FIRST, FOURTH)
        for number in manifest[key]["delivery_addresses"]
    }
    assert {number: each for (_, number), each in shown["invoices"].items()} == {
        each.number: each for each in writer.invoices([FIRST, FOURTH])
    }
    wanted = {
        # The sample's freight costs nothing in the lists, which is shown as no price (WA-10).
        (price.key, dataclasses.replace(price.value, unit_price=price.value.unit_price or None))
        for price in writer.prices([PriceScope.group(name) for name in ("TIER2", "CUST-C00004")])
        if price.value.valid_until is None or price.value.valid_until >= world.clock.now().date()
    }
    published = {
        (key.key, value)
        for key, value in shown["prices"].items()
        if key.key.scope.owner in ("TIER2", "CUST-C00004")
    }
    assert published == wanted

    wholesale, retail = on_account(written, world, 1), by_card(world, 2)
    for order in (wholesale, retail):
        world.store.place_order(order)
    world.import_orders()
    world.run("order_status")
    for number in (1, 2):
        entry = world.entry(number)
        assert entry.state in (LedgerState.IMPORTED, LedgerState.ACKNOWLEDGED), entry.problems
    first, second = sales(admin, world)
    assert (first["party."]["code"], second["party."]["code"]) == ("C00001", "RETAIL")
    assert [row["total_amount"] for row in (first, second)] == [
        wholesale.total.amount,
        retail.total.amount,
    ]
    assert second["shipment_address."]["party_name"] == "Dana Story"
    assert not second["shipment_address."]["active"]
    notice = world.store.notice(order_id(1))
    assert notice is not None
    assert str(notice.erp_order) == first["number"]

    # Again: nothing changes on either side.
    before, mirrored = sales(admin, world), world.shown()
    world.clock.advance(3600)
    world.cycle()
    assert sales(admin, world) == before
    assert world.shown() == mirrored

    # The warehouse ships, and the store is told.
    hands = TrytonWorld(written.database, admin, Directory())
    hands.unwarned("sale.sale.confirm", [first["id"]])
    [row] = admin.rows("sale.sale", [("id", "=", first["id"])], "shipments")
    for button in ("assign_force", "pick", "pack", "do"):
        hands.unwarned(f"stock.shipment.out.{button}", row["shipments"])
    world.run("order_status")
    [status] = world.store.shown_order_statuses([order_id(1)]).values()
    assert status.state is ErpOrderState.SHIPPED
    assert [(line.sku, line.shipped) for line in status.lines] == [(SKU, Decimal(100))]
    assert len(status.shipments) == 1


@pytest.mark.rule("TL-7", "WA-8", "MI-2")
def test_papers_go_to_their_own_account_as_they_come_about(
    written: Live, admin: Tryton, world: World
) -> None:
    world.cycle()
    for order in (on_account(written, world, 11), by_card(world, 12)):
        world.store.place_order(order)
    world.import_orders()
    numbers = [world.entry(number).erp_order for number in (11, 12)]
    found = [admin.find("sale.sale", ("number", "=", str(each)))[0] for each in numbers]
    world.script = Script()

    def papers() -> dict[DocumentKind, Document]:
        """What the store shows of the wholesale order; of the guest's it shows nothing."""
        result = world.run("documents")
        assert result.outcome == "ok", (result.message, result.remarks)
        assert world.store.shown_documents([RETAIL]) == {}
        shown = world.store.shown_documents([FIRST, FOURTH]).values()
        assert all(each.sold_to == FIRST for each in shown if each.erp_order == numbers[0])
        assert not any(each.erp_order == numbers[1] for each in shown)
        assert all(b"Dana Story" not in each for each in world.store.contents.values())
        return {each.kind: each for each in shown if each.erp_order == numbers[0]}

    # A quotation is no confirmation.
    assert papers() == {}

    hands = TrytonWorld(written.database, admin, Directory())
    hands.unwarned("sale.sale.confirm", found)
    shown = papers()
    assert {kind: (each.number.value, each.web_order) for kind, each in shown.items()} == {
        DocumentKind.ORDER_CONFIRMATION: (str(numbers[0]), order_id(11))
    }
    assert str(numbers[0]).encode() in file_of(world, shown[DocumentKind.ORDER_CONFIRMATION])

    for row in admin.rows("sale.sale", [("id", "in", found)], "shipments", "invoices"):
        for button in ("assign_force", "pick", "pack", "do"):
            hands.unwarned(f"stock.shipment.out.{button}", row["shipments"])
        today = {"invoice_date": world.clock.now().date()}
        admin("account.invoice.write", row["invoices"], today)
        hands.unwarned("account.invoice.post", row["invoices"])
    before = shown
    shown = papers()
    assert shown.keys() == set(DocumentKind)
    # The order is under way meanwhile, which is no other confirmation.
    kind = DocumentKind.ORDER_CONFIRMATION
    assert shown[kind] == before[kind]
    assert {each.web_order for each in shown.values()} == {order_id(11)}
    for each in shown.values():
        assert each.number.value.encode() in file_of(world, each)

    # Again: nothing is printed and nothing is written, also where people touched the records.
    [row] = admin.rows("sale.sale", [("id", "=", found[0])], "invoices")
    admin("account.invoice.write", row["invoices"], {"description": "paid by cheque"})
    printed, writes = world.script.count("erp.read_document"), world.store.writes
    assert papers() == shown
    assert (world.script.count("erp.read_document"), world.store.writes) == (printed, writes)

    # Somebody has the invoice printed anew.
    printed_anew(admin, row["invoices"])
    after = papers()
    assert world.script.count("erp.read_document") == printed + 1
    kind = DocumentKind.INVOICE
    assert after[kind].content != shown[kind].content
    assert {**after, kind: None} == {**shown, kind: None}


def file_of(world: World, document: Document) -> bytes:
    assert document.content is not None
    return b"".join(world.store.document_content(document.content.sha256))


def printed_anew(admin: Tryton, invoices: list[int]) -> None:
    """As the wizard of Tryton's own client does it."""
    wizard = "wizard.account.invoice.refresh_invoice_report"
    about = {"active_model": "account.invoice", "active_id": invoices[0], "active_ids": invoices}
    session, start, _ = admin.raw(f"{wizard}.create", admin.context)
    admin.raw(f"{wizard}.execute", session, {}, start, {**admin.context, **about})
    admin.raw("report.account.invoice.execute", invoices, {"ids": invoices}, admin.context)
