"""What an ERP is asked about orders, where it tells several things at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from typing import Any

import pytest

from sync.domain.ids import CustomerId
from sync.domain.mapping import AccountPolicy, OnDifference
from sync.domain.order import WebOrder
from sync.domain.pricing import DEFAULT_LIST, Price, PriceScope
from sync.errors import TryLater
from sync.ports.erp import AccountFile, AskedPrice
from sync.ports.state import LedgerState
from sync.testing import builders as a
from sync.testing.clock import ManualClock
from sync.testing.erp import MemoryErp
from sync.testing.faults import Script
from sync.testing.together import BatchStore, GroupingErp
from tests.scenarios.world import (
    HARBOUR,
    MILL,
    MakeWorld,
    World,
    a_mapping,
    fill_erp,
    fill_store,
    guest_order,
    harbour_order,
    mill_order,
    order_id,
)

HELD = a_mapping(
    default_policy=AccountPolicy(
        custom_ship_to=True, price_tolerance=Decimal(0), on_price_difference=OnDifference.HOLD
    )
)
PARTS = ("accounts", "ship_tos", "bill_tos", "locations", "prices")


@pytest.fixture
def made(make_world: MakeWorld) -> Callable[..., World]:
    def make(erp_of: Callable[..., MemoryErp] = GroupingErp, **given: Any) -> World:
        clock = ManualClock()
        store, erp = BatchStore(clock=clock), erp_of(clock)
        fill_store(store)
        fill_erp(erp)
        return make_world(clock=clock, store=store, erp=erp, script=Script(), **given)

    return make


def asked(world: World) -> Counter[str]:
    assert world.script is not None
    return Counter(point.removeprefix("erp.") for point, _ in world.script.points)


@pytest.mark.rule("OP-1")
@pytest.mark.parametrize("count", [1, 3])
def test_accounts_items_and_prices_of_a_hand_are_asked_about_once(
    made: Callable[..., World], count: int
) -> None:
    world = made()
    kinds = (harbour_order, mill_order, guest_order)
    for number in range(1, count + 1):
        world.store.place_order(kinds[number - 1](number))
    world.import_orders()

    assert len(world.erp.orders) == count
    calls = asked(world)
    assert (calls["account_files"], calls["items"], calls["asked_prices"]) == (1, 1, 1)
    assert not any(calls[part] for part in PARTS)


def place_priced(world: World) -> None:
    """Wholesale orders at their price in the ERP and at others, by quantity, level and unit.

    The fourth buys a box of twelve at the price that twelve pieces have, the fifth at the
    price of one.
    """
    for scope, amount, quantity in (
        (DEFAULT_LIST, "12.0000", 1),
        (PriceScope.account(HARBOUR), "10.0000", 1),
        (PriceScope.account(HARBOUR), "8.0000", 12),
        (PriceScope.account(MILL), "9.9900", 1),
        (PriceScope.group("GOLD"), "1.0000", 1),
    ):
        world.erp.set_price(a.a_price(amount, scope=scope, min_quantity=Decimal(quantity)))
    world.store.place_order(harbour_order(1))
    world.store.place_order(mill_order(2))
    world.store.place_order(guest_order(3))
    for number, price in ((4, "96.0000"), (5, "120.0000")):
        box = a.a_line(quantity=Decimal(1), unit="BOX", unit_price=a.money(price))
        world.store.place_order(
            harbour_order(number, lines=(box,), total=a.money(f"{Decimal(price):.2f}"))
        )


@pytest.mark.rule("OI-1", "WA-7")
def test_what_becomes_of_orders_is_the_same_as_by_all_entries(made: Callable[..., World]) -> None:
    told = []
    for erp_of in (MemoryErp, GroupingErp):
        world = made(erp_of, mapping=HELD)
        place_priced(world)
        world.import_orders()
        entries = [world.entry(number) for number in (1, 2, 3, 4, 5)]
        told.append(
            [
                (each.imported_at is not None, each.state, [code.code for code in each.problems])
                for each in entries
            ]
        )
    by_entries, by_questions = told
    assert by_questions == by_entries
    assert [imported for imported, *_ in by_entries] == [False, True, True, True, False]


class Short(GroupingErp):
    """Does not answer for one account, and for the price questions of anybody."""

    unread: CustomerId | None = None
    silent = False

    def account_files(
        self, customer_ids: Collection[CustomerId]
    ) -> Mapping[CustomerId, AccountFile]:
        if self.unread in customer_ids:
            raise TryLater("the ERP breaks off at that account")
        return super().account_files(customer_ids)

    def accounts(self, customer_ids: Collection[CustomerId]) -> Any:
        if self.unread in customer_ids:
            raise TryLater("the ERP breaks off at that account")
        return super().accounts(customer_ids)

    def asked_prices(self, asked: Collection[AskedPrice]) -> Mapping[AskedPrice, Price]:
        if self.silent:
            raise TryLater("no answer")
        return super().asked_prices(asked)


@pytest.mark.rule("OI-2")
def test_an_account_that_cannot_be_told_keeps_only_its_own_orders_waiting(
    made: Callable[..., World],
) -> None:
    world = made(Short)
    assert isinstance(world.erp, Short)
    world.erp.unread = MILL
    for number, kind in ((1, harbour_order), (2, mill_order), (3, guest_order)):
        order: WebOrder = kind(number)
        world.store.place_order(order)
    world.import_orders()
    assert {row.order.web_order for row in world.erp.orders} == {order_id(1), order_id(3)}


@pytest.mark.rule("OI-1", "OI-2")
def test_an_order_whose_prices_cannot_be_asked_is_not_taken_for_one_without(
    made: Callable[..., World],
) -> None:
    world = made(Short, mapping=HELD)
    assert isinstance(world.erp, Short)
    place_priced(world)
    world.erp.silent = True
    world.import_orders()
    assert not world.erp.orders
    assert {world.entry(n).state for n in (1, 2, 3, 4, 5)} <= {
        LedgerState.DISCOVERED,
        LedgerState.WAITING,
    }
