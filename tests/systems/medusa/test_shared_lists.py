"""Accounts that share a price list of a live shop: what each of their buyers pays."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sync.domain.channel import Channel, CommerceMode, RetailGroup
from sync.domain.ids import ChannelId, CustomerId, Sku, WebUserId
from sync.domain.mapping import Assignment, SyncMapping
from sync.domain.pricing import DEFAULT_LIST, ITEM_OVERRIDES, PriceScope
from sync.flows.context import Context, FlowResult
from sync.flows.cycle import run_flow
from sync.ports.price_lists import SharesPriceLists
from sync.ports.state import ResyncScope
from sync.routing import AccountMap
from sync.state import SqlState, open_state
from sync.state.keys import keys_of
from sync.stores.medusa.adapter import MedusaStore
from sync.testing import builders as a
from sync.testing.clock import ManualClock
from sync.testing.erp import MemoryErp
from tests.systems.medusa.shop import Person, Shop
from tests.systems.medusa.world import MedusaWorld

pytestmark = pytest.mark.system

ACCOUNTS = tuple(CustomerId(f"C-{number}") for number in (1001, 2002, 3003))
RETAIL = CustomerId("RETAIL-US")
WEB = ChannelId("web")


class Trade:
    """Three accounts with the same prices, each with one buyer, and somebody who has none."""

    def __init__(self, shop: Shop, folder: Path) -> None:
        self.shop, self.clock = shop, ManualClock()
        self.erp = MemoryErp(self.clock)
        self.buyers = {each: shop.register(f"b{each.value[-1]}", "b2b") for each in ACCOUNTS}
        self.stranger = shop.register("rita", "b2b")
        self.store = shop.store(price_lists=True)
        self.engine = open_state(f"sqlite:///{folder / 'state.sqlite'}")
        key_for = keys_of(self.store.store_id, self.erp.capabilities.external_key_length)
        self.state = SqlState(self.engine, "main", self.store.store_id, key_for, self.clock)
        self.mapped = set(ACCOUNTS)
        self.skus = [Sku(shop.sku(place)) for place in range(6)]
        usd: dict[str, Any] = {"currencies": ("USD",)}
        self.erp.add_account(a.a_retail_account(customer_id=RETAIL, name="Retail US", **usd))
        for sku in self.skus:
            self.erp.add_item(a.an_item(sku=sku))
            base = a.a_price("9", scope=DEFAULT_LIST, price_list="BASE", sku=sku, currency="USD")
            self.erp.set_price(base)
        for each in ACCOUNTS:
            self.erp.add_account(a.an_account(customer_id=each, **usd))
            for sku in self.skus:
                self.price(each, sku, "5")
                self.price(each, sku, "4", 10)

    def price(self, account: CustomerId, sku: Sku, amount: str, quantity: int = 1) -> None:
        scope, own = PriceScope.account(account), dict[str, Any](sku=sku, currency="USD")
        self.erp.set_price(a.a_price(amount, scope=scope, min_quantity=Decimal(quantity), **own))

    def context(self) -> Context:
        groups = (RetailGroup(RETAIL, ("USD",)),)
        channel = Channel(WEB, CommerceMode.HYBRID, guest_checkout=True, retail_groups=groups)
        mapping = SyncMapping(
            version="v1",
            channels={WEB: channel},
            assignments=tuple(
                Assignment(each, user=WebUserId(self.buyers[each].id))
                for each in sorted(self.mapped)
            ),
        )
        return Context(
            pipeline="main",
            erp=self.erp,
            store=self.store,
            state=self.state,
            clock=self.clock,
            mapping=mapping,
            accounts=AccountMap.of(mapping),
        )

    def run(self, **scope: Any) -> FlowResult:
        context = self.context()
        assert run_flow(context, "accounts").outcome == "ok"
        result = run_flow(context, "prices", ResyncScope(**scope))
        assert result.outcome == "ok", result.message
        return result

    def pays(self, sku: Sku, quantity: int = 1) -> list[float]:
        """The buyers in their order, and the stranger."""
        people: list[Person] = [*self.buyers.values(), self.stranger]
        return [self.shop.price_for(each, sku.value, quantity) for each in people]

    def lists(self) -> list[tuple[str, str, int, int]]:
        """Title, status, rules and rows of each price list."""
        with self.shop.server.sql() as on:
            return on.execute(
                "SELECT l.title, l.status, l.rules_count, (SELECT count(*) FROM price p"
                " WHERE p.price_list_id = l.id AND p.deleted_at IS NULL) FROM price_list l"
                " WHERE l.deleted_at IS NULL ORDER BY l.title"
            ).fetchall()

    def shared(self) -> list[tuple[str, str, int, int]]:
        return [each for each in self.lists() if "shared list" in each[0]]

    def members(self) -> list[int]:
        assert isinstance(self.store, SharesPriceLists)
        return sorted(len(each.members) for each in self.store.shown_price_lists())


@pytest.fixture
def trade(shop: Shop, world: MedusaWorld, tmp_path: Path) -> Iterator[Trade]:
    trade = Trade(shop, tmp_path)
    trade.run()
    yield trade
    trade.store.close()
    trade.engine.dispose()


@pytest.mark.rule("WA-6", "VE-7", "MI-2")
def test_accounts_with_the_same_prices_share_one_list_and_a_stranger_sees_nothing_of_it(
    trade: Trade,
) -> None:
    assert trade.members() == [3]
    [(_, status, rules, rows)] = trade.shared()
    assert (status, rules, rows) == ("active", 2, 2 * len(trade.skus))
    assert not [title for title, *_ in trade.lists() if "account C-" in title]
    base = trade.shop.price_for(trade.stranger, trade.skus[0].value, 1)
    assert trade.pays(trade.skus[0]) == [5.0, 5.0, 5.0, base]
    assert trade.pays(trade.skus[0], 10) == [4.0, 4.0, 4.0, base]
    assert base not in (5.0, 4.0)
    assert trade.run().writes == 0


@pytest.mark.rule("WA-7", "VE-7")
@pytest.mark.parametrize("amount", ["4.5", "6"])
def test_account_with_a_price_of_its_own_pays_exactly_that_be_it_lower_or_higher(
    trade: Trade, amount: str
) -> None:
    one, other = trade.skus[:2]
    trade.price(ACCOUNTS[0], one, amount)
    trade.run()

    assert trade.pays(one)[:3] == [float(amount), 5.0, 5.0]
    assert trade.pays(other)[:3] == [5.0, 5.0, 5.0]
    assert trade.members() == [2]

    for each in ACCOUNTS:
        trade.price(each, other, "7")
    trade.run()
    assert trade.pays(other)[:3] == [7.0, 7.0, 7.0]
    assert trade.pays(one)[:3] == [float(amount), 5.0, 5.0]

    # The others' price is its own as well.
    trade.price(ACCOUNTS[0], one, "5")
    trade.run()
    assert trade.pays(one)[:3] == [5.0, 5.0, 5.0]
    assert trade.run().writes == 0


@pytest.mark.rule("WA-6", "WA-8", "VE-7")
def test_accounts_leave_one_after_the_other_and_the_list_goes_with_the_last(trade: Trade) -> None:
    sku = trade.skus[0]
    base = trade.pays(sku)[3]
    for gone, account in enumerate(ACCOUNTS, 1):
        trade.mapped.discard(account)
        if trade.mapped:
            trade.run()
        else:
            # No run believes that all accounts are gone.
            trade.store.withdraw_account(account)
        assert trade.pays(sku)[:3] == [base] * gone + [5.0] * (3 - gone)
    assert trade.shared() == []
    assert trade.members() == []


@pytest.mark.rule("VE-5", "WA-7")
def test_item_price_for_all_accounts_comes_before_what_a_shared_list_says(trade: Trade) -> None:
    sku = trade.skus[0]
    price = a.a_price("3", scope=ITEM_OVERRIDES, sku=sku, currency="USD")
    trade.erp.set_price(price)
    trade.run()
    assert trade.pays(sku)[:3] == [3.0] * 3
    trade.erp.remove_price(price.key)
    trade.run()
    assert trade.pays(sku)[:3] == [5.0] * 3
    assert trade.members() == [3]


@pytest.mark.rule("MI-1", "VE-7")
@pytest.mark.parametrize("named", ["stranger", "nobody"])
def test_list_whose_groups_staff_changed_is_put_right(trade: Trade, named: str) -> None:
    sku = trade.skus[0]
    right = trade.pays(sku)
    [(held, rules)] = [
        (each["id"], each["rules"])
        for each in trade.shop.admin.get("/admin/price-lists")["price_lists"]
        if "shared list" in each["title"]
    ]
    group = trade.shop.group("VIP", {}, [trade.stranger])
    mine = rules["customer.groups.id"]
    changed = [*mine, group] if named == "stranger" else mine[1:]
    body = {"rules": {**rules, "customer.groups.id": changed}}
    trade.shop.admin.post(f"/admin/price-lists/{held}", body)
    assert trade.pays(sku) != right

    trade.run()

    assert trade.pays(sku) == right
    assert trade.run().writes == 0


@pytest.mark.rule("VE-7")
def test_no_stranger_is_shown_a_list_while_its_members_come_and_go(trade: Trade) -> None:
    sku, seen, done = trade.skus[0], set[float](), threading.Event()
    base = trade.pays(sku)[3]

    def looks() -> None:
        while not done.is_set():
            seen.add(trade.shop.price_for(trade.stranger, sku.value, 1))

    watcher = threading.Thread(target=looks)
    watcher.start()
    try:
        for amount in ("6", "5", "7"):
            trade.price(ACCOUNTS[0], sku, amount)
            trade.run()
            trade.mapped.symmetric_difference_update({ACCOUNTS[1]})
            trade.run()
    finally:
        done.set()
        watcher.join()
    assert seen <= {base}


@pytest.mark.rule("WA-7", "VE-7")
def test_shop_without_the_option_keeps_shared_lists_right(trade: Trade, shop: Shop) -> None:
    sku = trade.skus[0]
    trade.store.close()
    trade.store = shop.store()
    assert isinstance(trade.store, MedusaStore)
    trade.price(ACCOUNTS[0], sku, "8")
    trade.run()
    assert trade.pays(sku)[:3] == [8.0, 5.0, 5.0]
    assert trade.members() == [2]
