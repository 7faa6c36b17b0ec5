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

    # A wholesale order on account, and a guest's, paid by card.
    ship_to = SelectedShipTo(ShipToId(str(manifest[FIRST]["delivery_addresses"][0])))
    [paid] = (
        value.unit_price
        for key, value in sorted(shown["prices"].items(), key=lambda each: each[0].key.min_quantity)
        if key.key.scope.owner == "TIER2" and key.key.sku == SKU and key.key.min_quantity == 100
    )
    assert paid is not None
    wholesale = placed(harbour_order(1), world, paid, 100, ship_to=ship_to)
    typed = dataclasses.replace(
        a.a_typed_address(), country="US", region="CA", name="Dana Story", city="Reno"
    )
    retail = placed(
        guest_order(2), world, PRICED, 2, priced_for=RETAIL, ship_to=typed, bill_to=typed
    )
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
