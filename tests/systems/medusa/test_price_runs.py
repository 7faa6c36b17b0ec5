"""Whole runs of the price mirror against a live shop: what they write, and what they ask."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests

from sync.domain.channel import Channel, CommerceMode, RetailGroup
from sync.domain.ids import ChannelId, CustomerId, Sku, WebUserId
from sync.domain.mapping import Assignment, SyncMapping
from sync.domain.pricing import (
    DEFAULT_LIST,
    ITEM_OVERRIDES,
    Audience,
    AudienceKind,
    PriceScope,
)
from sync.domain.views import PublishedPriceKey
from sync.flows.context import Context
from sync.flows.cycle import run_flow
from sync.ports.store import MirrorsPrices
from sync.routing import AccountMap
from sync.state import SqlState, open_state
from sync.state.keys import keys_of
from sync.testing import builders as a
from sync.testing.clock import ManualClock
from sync.testing.erp import MemoryErp
from tests.systems.medusa.door import Door, a_door
from tests.systems.medusa.shop import Person, Shop
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
def ada(shop: Shop, world: MedusaWorld) -> Person:
    return shop.register("ada", "b2b")


@pytest.fixture
def run(shop: Shop, ada: Person, tmp_path: Path) -> Iterator[tuple[Context, Door]]:
    """A pipeline whose store is reached through a door, with its first run done."""
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
    [batch] = door.asked("POST", "/prices/rows")
    body = batch.json()
    assert isinstance(body, dict)
    rows = {name: len(body[name]) for name in ("remove", "update", "create")}
    assert rows == {"remove": 0, "update": 1, "create": 0}


@pytest.mark.rule("WA-7")
@pytest.mark.parametrize("closed", [None, "/admin/tradesync/prices"])
def test_prices_come_move_and_go_with_this_module_and_with_an_older_one(
    run: tuple[Context, Door], shop: Shop, ada: Person, closed: str | None
) -> None:
    context, door = run
    door.closed = closed
    erp = context.erp
    assert isinstance(erp, MemoryErp)
    own: dict[str, Any] = {"scope": PriceScope.group("GOLD"), "currency": "USD"}
    moved, gone, new = (Sku(shop.sku(place)) for place in (3, 4, 5))
    erp.set_price(a.a_price("6.8000", sku=moved, **own))
    for quantity in (1, 10):
        price = a.a_price(sku=gone, min_quantity=Decimal(quantity), **own)
        erp.remove_price(price.key)
    erp.set_price(a.a_price("5.5000", sku=new, min_quantity=Decimal(50), **own))
    door.passed.clear()

    result = run_flow(context, "prices")

    assert (result.outcome, result.writes) == ("ok", 4), result
    sent = [len(door.asked("POST", path)) for path in ("/prices/rows", "/prices/batch")]
    # What goes before what comes. Medusa's own route is asked for each kind of change; a row
    # that ends elsewhere goes and comes.
    assert sent == ([0, 4] if closed else [2, 0])
    charged = {
        (sku, quantity): shop.price_for(ada, sku.value, quantity)
        for sku, quantity in ((moved, 1), (gone, 1), (gone, 10), (new, 50), (new, 10))
    }
    assert charged == {
        (moved, 1): 6.8,
        (gone, 1): 8.0,
        (gone, 10): 8.0,
        (new, 50): 5.5,
        (new, 10): 6.0,
    }
    assert run_flow(context, "prices").writes == 0


@pytest.mark.rule("WA-7", "MI-1")
def test_lists_that_go_leave_nothing_behind_that_would_slow_medusa_down(
    run: tuple[Context, Door], shop: Shop
) -> None:
    context, _ = run
    store, gold = context.store, Audience(AudienceKind.GROUP, "GOLD")
    assert isinstance(store, MirrorsPrices)
    keys = store.shown_prices(gold, PriceScope.group("GOLD"))
    assert len(keys) == 2 * len(shop.variants)

    store.apply_prices([], [PublishedPriceKey(gold, key) for key in keys])

    with shop.server.sql() as on:
        # Those that are only marked as deleted are counted, too.
        lists = on.execute("SELECT title FROM price_list WHERE title LIKE '%GOLD%'").fetchall()
    assert lists == []


@pytest.mark.parametrize(
    "path, body",
    [
        ("rows", {"list": "plist_1", "head": {"title": "x"}}),
        ("rows", {}),
        ("rows", {"list": "plist_1", "create": [{"variant_id": "v", "amount": "5"}]}),
        ("rows", {"list": "plist_1", "update": [{"id": "p", "variant_id": "v"}]}),
        ("rows", {"list": "plist_1", "remove": [7]}),
        ("lists", {}),
        ("", {"put": []}),
    ],
)
def test_the_module_refuses_what_is_no_question_for_prices(
    shop: Shop, path: str, body: dict[str, Any]
) -> None:
    method = "DELETE" if path == "lists" else "POST"
    url = f"{shop.server.url}/admin/tradesync/prices/{path}".rstrip("/")
    answer = requests.request(method, url, json=body, auth=(shop.secret, ""), timeout=60)
    assert (answer.status_code, answer.json()["type"]) == (400, "invalid_data")
    nobody = requests.request(method, url, json=body, timeout=60)
    assert nobody.status_code == 401
