"""Whole runs of the price mirror against a live shop: what they write, and what they ask."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sync.domain.channel import Channel, CommerceMode, RetailGroup
from sync.domain.ids import ChannelId, CustomerId, Sku, WebUserId
from sync.domain.mapping import Assignment, SyncMapping
from sync.domain.pricing import DEFAULT_LIST, ITEM_OVERRIDES, PriceScope
from sync.flows.context import Context
from sync.flows.cycle import run_flow
from sync.routing import AccountMap
from sync.state import SqlState, open_state
from sync.state.keys import keys_of
from sync.testing import builders as a
from sync.testing.clock import ManualClock
from sync.testing.erp import MemoryErp
from tests.systems.medusa.door import Door, a_door
from tests.systems.medusa.shop import Shop
from tests.systems.medusa.world import MedusaWorld

pytestmark = pytest.mark.system

ACCOUNT, RETAIL = CustomerId("C-1001"), CustomerId("RETAIL-US")
WEB = ChannelId("web")
OUR_LISTS = 3
"""Of the group, of all accounts, and of the shoppers."""


def fill(erp: MemoryErp, shop: Shop) -> None:
    """Prices on four levels; item and default prices come to one list of all accounts."""
    usd: dict[str, Any] = {"currencies": ("USD",)}
    erp.add_account(a.an_account(customer_id=ACCOUNT, price_groups=("GOLD",), **usd))
    erp.add_account(a.a_retail_account(customer_id=RETAIL, name="Retail US", **usd))
    for place, sku in enumerate(sorted(shop.variants)):
        erp.add_item(a.an_item(sku=Sku(sku)))
        own: dict[str, Any] = {"sku": Sku(sku), "currency": "USD"}
        erp.set_price(a.a_price("8.0000", scope=DEFAULT_LIST, price_list="BASE", **own))
        for quantity in (1, 10):
            step = {**own, "min_quantity": Decimal(quantity)}
            price = f"{7 - quantity / 10:.4f}"
            erp.set_price(a.a_price(price, scope=PriceScope.group("GOLD"), **step))
        if place < 2:
            erp.set_price(a.a_price("9.0000", scope=ITEM_OVERRIDES, **own))


@pytest.fixture
def run(shop: Shop, world: MedusaWorld, tmp_path: Path) -> Iterator[tuple[Context, Door]]:
    """A pipeline whose store is reached through a door, with its first run done."""
    ada = shop.register("ada", "b2b")
    clock = ManualClock()
    erp = MemoryErp(clock)
    fill(erp, shop)
    channel = Channel(
        WEB,
        CommerceMode.HYBRID,
        guest_checkout=True,
        retail_groups=(RetailGroup(RETAIL, ("USD",)),),
    )
    mapping = SyncMapping(
        version="v1",
        channels={WEB: channel},
        assignments=(Assignment(ACCOUNT, user=WebUserId(ada.id)),),
    )
    engine = open_state(f"sqlite:///{tmp_path / 'state.sqlite'}")
    with a_door(shop.server.url) as (url, door):
        store = shop.store(url=url)
        key_for = keys_of(store.store_id, erp.capabilities.external_key_length)
        context = Context(
            pipeline="main",
            erp=erp,
            store=store,
            state=SqlState(engine, "main", store.store_id, key_for, clock),
            clock=clock,
            mapping=mapping,
            accounts=AccountMap.of(mapping),
        )
        for flow in ("accounts", "prices"):
            assert run_flow(context, flow).outcome == "ok"
        yield context, door
        store.close()
    engine.dispose()


@pytest.mark.rule("MI-2", "WA-7")
def test_a_run_with_nothing_to_change_writes_nothing_and_lists_each_page_once(
    run: tuple[Context, Door],
) -> None:
    context, door = run
    door.passed.clear()

    result = run_flow(context, "prices")

    assert (result.outcome, result.writes) == ("ok", 0)
    pages = Counter(
        (each.path, each.query.get("offset", ("0",))[0]) for each in door.asked("GET", "/prices")
    )
    assert len(pages) == OUR_LISTS
    assert set(pages.values()) == {1}
    # What asks with a body is a search of our module's.
    asked = ("/records/search", "/records/owners", "/checkouts")
    assert [each.path for each in door.asked("POST") if not each.path.endswith(asked)] == []
    assert not door.asked("DELETE")


@pytest.mark.rule("MI-2", "WA-7")
def test_one_price_that_moved_is_one_row(run: tuple[Context, Door], shop: Shop) -> None:
    context, door = run
    erp = context.erp
    assert isinstance(erp, MemoryErp)
    scope = PriceScope.group("GOLD")
    erp.set_price(a.a_price("6.8000", scope=scope, sku=Sku(shop.sku(3)), currency="USD"))
    door.passed.clear()

    result = run_flow(context, "prices")

    assert (result.outcome, result.writes) == ("ok", 1)
    [batch] = door.asked("POST", "/prices/batch")
    body = batch.json()
    assert isinstance(body, dict)
    assert list(body) == ["update"]
    assert len(body["update"]) == 1
