"""A write of the connector is many calls: broken off at any of them, the next run makes it good.

Each run that mirrors accounts, addresses and prices is played again and again, each time
with one call of it lost on its way, lost on its way back, or the last one of its process.
After one quiet run the shop must be as if nothing had failed, and after that nothing is
left to write. What stays behind is what others see: a buyer who left an account and is
still in a group of its prices pays those for ever.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

from sync.domain.ids import ChannelId, CustomerId, ShipToId, Sku, WebUserId
from sync.domain.pricing import (
    DEFAULT_LIST,
    ITEM_OVERRIDES,
    Audience,
    AudienceKind,
    Price,
    PriceScope,
    PriceValue,
)
from sync.domain.views import AccountView, BillToView, PublishedPriceKey, ShipToView
from sync.errors import SyncError
from sync.planning.plan import plan_mirror
from sync.stores.medusa.adapter import MedusaStore
from sync.testing import builders as a
from sync.testing.faults import Crash, Fault, Script, faulty
from tests.unit.medusa.memory_shop import MemoryShop

pytestmark = pytest.mark.rule("WA-8", "WA-6", "VE-5", "MI-1", "OP-1")

PEOPLE = ("ada", "ben", "cem", "dee")
ACCOUNTS = tuple(CustomerId(each) for each in ("C-1001", "C-2002"))
CODES = ("CLUB", "VIP")
EVERY_ACCOUNT = Audience(AudienceKind.ACCOUNTS)
PUBLIC = Audience(AudienceKind.PUBLIC, "RETAIL-EU", ChannelId("web"))
FAULTS = (Fault.LOST_REQUEST, Fault.LOST_REPLY, Fault.CRASH_AFTER)
WRITES = (
    *("make_group", "change_group", "drop_group", "move_members", "put_address", "drop_address"),
    *("make_price_list", "change_price_list", "drop_price_list", "write_prices"),
    *("write_rows", "drop_price_lists", "put_prices"),
    *("apply_records", "drop_records"),
)
NOTHING = "nothing"


@dataclass
class Wanted:
    """What the shop shall show."""

    accounts: list[AccountView] = field(default_factory=list)
    ship_tos: list[ShipToView] = field(default_factory=list)
    bill_tos: list[BillToView] = field(default_factory=list)
    prices: list[tuple[Audience, Price]] = field(default_factory=list)


def account(customer_id: CustomerId, *people: str, codes: tuple[str, ...] = ()) -> AccountView:
    return a.an_account_view(
        customer_id=customer_id,
        users=tuple(WebUserId(each) for each in people),
        price_groups=codes[:1],
        tags=codes,
    )


def wanted(chance: random.Random) -> Wanted:
    """Anybody may act for any account, or for none, and anything may have its price."""
    of: dict[CustomerId | None, list[str]] = {}
    for person in PEOPLE:
        of.setdefault(chance.choice((*ACCOUNTS, None)), []).append(person)
    there = [each for each in ACCOUNTS if each in of and chance.random() < 0.9]
    found = Wanted()
    for each in there:
        codes = tuple(code for code in CODES if chance.random() < 0.5)
        found.accounts.append(account(each, *of[each], codes=codes))
        for name in "AB":
            street = chance.choice(("Pier 1", "Pier 2", NOTHING))
            if street != NOTHING:
                key, address = ShipToId(name), a.an_address(lines=(street,))
                view = a.a_ship_to_view(sold_to=each, ship_to_id=key, address=address)
                found.ship_tos.append(view)
        if chance.random() < 0.5:
            found.bill_tos.append(a.a_bill_to_view(sold_to=each))
    scopes = [(PUBLIC, DEFAULT_LIST), (EVERY_ACCOUNT, ITEM_OVERRIDES)]
    scopes += [(a.account_audience(each), PriceScope.account(each)) for each in there]
    scopes += [(Audience(AudienceKind.GROUP, code), PriceScope.group(code)) for code in CODES]
    for audience, scope in scopes:
        for sku in ("BOLT-M8", "NUT-M8"):
            for least in ("1", "10"):
                amount = chance.choice(("3.10", "2.50", NOTHING))
                if amount != NOTHING:
                    price = a.a_price(
                        amount, scope=scope, sku=Sku(sku), min_quantity=Decimal(least)
                    )
                    found.prices.append((audience, price))
    return found


def run(store: MedusaStore, wanted: Wanted) -> int:
    """As the flows do, one after the other; how many changes they wrote."""
    return (
        _accounts(store, wanted.accounts)
        + _ship_tos(store, wanted.ship_tos)
        + _bill_tos(store, wanted.bill_tos)
        + _prices(store, wanted.prices)
    )


def _accounts(store: MedusaStore, views: list[AccountView]) -> int:
    gone = [
        each
        for each in store.shown_customer_ids()
        if each not in {view.profile.customer_id for view in views}
    ]
    for each in gone:
        store.withdraw_account(each)
    shown = store.shown_accounts([view.profile.customer_id for view in views])
    put = [view for view in views if shown.get(view.profile.customer_id) != view.profile]
    if put:
        store.put_accounts(put)
    return len(put) + len(gone)


def _ship_tos(store: MedusaStore, views: list[ShipToView]) -> int:
    shown = store.shown_ship_tos(ACCOUNTS)
    said = {(each.ship_to.sold_to, each.ship_to.ship_to_id): each for each in views}
    put = [each for key, each in said.items() if shown.get(key) != each.ship_to]
    gone = [key for key in shown if key not in said]
    if put or gone:
        store.apply_ship_tos(put, gone)
    return len(put) + len(gone)


def _bill_tos(store: MedusaStore, views: list[BillToView]) -> int:
    shown = store.shown_bill_tos(ACCOUNTS)
    said = {(each.bill_to.sold_to, each.bill_to.bill_to_id): each for each in views}
    put = [each for key, each in said.items() if shown.get(key) != each.bill_to]
    gone = [key for key in shown if key not in said]
    if put or gone:
        store.apply_bill_tos(put, gone)
    return len(put) + len(gone)


def _prices(store: MedusaStore, prices: list[tuple[Audience, Price]]) -> int:
    said: dict[tuple[Audience, PriceScope], dict[Any, PriceValue]] = {
        each: {} for each in store.shown_price_partitions()
    }
    for audience, price in prices:
        said.setdefault((audience, price.key.scope), {})[price.key] = price.value
    written = 0
    for (audience, scope), values in sorted(said.items(), key=str):
        shown = store.shown_prices(audience, scope)
        changes = list(plan_mirror(values, shown, lambda key: key.order))
        if changes:
            store.apply_prices(
                [(PublishedPriceKey(audience, c.key), c.after) for c in changes if c.after],
                [PublishedPriceKey(audience, c.key) for c in changes if c.after is None],
            )
        written += len(changes)
    return written


def face(shop: MemoryShop) -> dict[str, Any]:
    """What counts of the shop: who is in which group and has which address, and each price."""
    groups = shop.groups_there.values()
    return {
        "groups": sorted((each["name"], _members(each)) for each in groups if _members(each)),
        "books": {person: sorted(map(str, shop.book(person))) for person in shop.people},
        "prices": sorted(
            (
                str(shop.lists[key]["rules"].get("customer.groups.id") and _named(shop, key)),
                row["price_set"]["variant"]["id"],
                row["min_quantity"] or 0,
                row["max_quantity"] or 0,
                row["raw_amount"]["value"],
            )
            for key, rows in shop.rows.items()
            for row in rows
        ),
        "records": sorted(shop.recorded),
    }


def _members(group: dict[str, Any]) -> list[str]:
    return sorted(each["id"] for each in group["customers"])


def _named(shop: MemoryShop, list_id: str) -> list[str]:
    ids = shop.lists[list_id]["rules"]["customer.groups.id"]
    return sorted(shop.groups_there[each]["name"] for each in ids if each in shop.groups_there)


def shop_with(before: Wanted) -> MemoryShop:
    shop = MemoryShop()
    shop.register(*PEOPLE)
    run(shop.store(threads=1), before)
    return shop


def broken(before: Wanted, after: Wanted, most: int | None) -> Iterator[tuple[str, MemoryShop]]:
    """The shop after each way in which the run between the two can break off.

    ``most``: so many of them, drawn by lot.
    """
    learning, held = Script(), shop_with(before)
    made = copy.deepcopy(held)
    run(made.store(faulty(made, learning), threads=1), after)
    cases = [
        (call, fault)
        for call in learning.log
        for fault in FAULTS
        # A read that is lost is lost, whichever way it went.
        if fault is Fault.LOST_REQUEST or call.point in WRITES
    ]
    if most is not None:
        cases = random.Random(len(cases)).sample(cases, most)
    for call, fault in cases:
        script, shop = Script(), copy.deepcopy(held)
        script.fail(call.point, fault, at=call.number)
        with suppress(Crash, SyncError):
            run(shop.store(faulty(shop, script), threads=1), after)
        assert not script.unused
        yield f"{fault.value} at {call.point} {call.number}", shop


def left_behind(before: Wanted, after: Wanted, most: int | None = None) -> str | None:
    """The first thing that one quiet run does not put right, or that never comes to rest."""
    whole = shop_with(before)
    run(whole.store(threads=1), after)
    right = face(whole)
    for case, shop in broken(before, after, most):
        store = shop.store(threads=1)
        run(store, after)
        for name, held in face(shop).items():
            if held != right[name]:
                return f"{case}: {name} are {held}, and should be {right[name]}"
        if run(store, after):
            return f"{case}: another run writes again"
    return None


MOVED = Wanted(
    [account(ACCOUNTS[0], "ada", "ben", codes=CODES), account(ACCOUNTS[1], "cem")],
    [a.a_ship_to_view(), a.a_ship_to_view(sold_to=ACCOUNTS[1])],
)
"""Ben leaves his account, Cem comes to it, and the other account goes."""
MOVED_TO = Wanted([account(ACCOUNTS[0], "ada", "cem", codes=CODES[:1])], [a.a_ship_to_view()])


def test_who_leaves_keeps_no_group_and_no_address_wherever_the_run_breaks_off() -> None:
    assert left_behind(MOVED, MOVED_TO) is None


def test_the_first_run_and_the_last_may_break_off_anywhere() -> None:
    assert left_behind(Wanted(), MOVED) is None
    assert left_behind(MOVED, Wanted()) is None


@pytest.mark.parametrize("seed", range(30))
def test_whatever_changes_at_once_the_next_run_makes_it_good(seed: int) -> None:
    chance = random.Random(seed)
    assert left_behind(wanted(chance), wanted(chance), most=8) is None
