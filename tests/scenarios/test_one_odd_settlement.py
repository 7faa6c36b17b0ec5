"""A capture or credit that a system does not answer for costs no other its turn (OI-10)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal

import pytest

from sync.domain.ids import IdempotencyKey, WebOrderId
from sync.domain.sales_order import ErpOrderState, LineStatus, OrderStatus
from sync.domain.settlement import Capture, Credit, settlement_key
from sync.errors import TryLater
from sync.flows.context import Limits, OrderLimits
from sync.flows.orders.settling import MOST_IN_A_ROW
from sync.flows.retrying import Patience
from sync.systems import SystemWatch, guarded
from sync.testing import builders as a
from sync.testing.clock import ManualClock
from sync.testing.erp import MemoryErp
from sync.testing.store import MemoryStore
from tests.scenarios.world import (
    WEB,
    MakeWorld,
    World,
    fill_erp,
    fill_store,
    guest_order,
    order_id,
)

pytestmark = pytest.mark.rule("OI-10", "OP-1")

BOTH = Limits(orders=OrderLimits(capture_channels=[WEB.value], credit_channels=[WEB.value]))
MANY = 9


class Shop(MemoryStore):
    """It breaks off at the captures of some orders."""

    odd: frozenset[WebOrderId] = frozenset()
    asked = 0

    def captures(self, order_ids: Collection[WebOrderId]) -> Mapping[WebOrderId, Sequence[Capture]]:
        self.asked += 1
        if self.odd & set(order_ids):
            raise TryLater("the store answers 500")
        return super().captures(order_ids)


class Erp(MemoryErp):
    """It breaks off at the credits under some keys."""

    odd: frozenset[IdempotencyKey] = frozenset()

    def find_credit(self, key: IdempotencyKey) -> Credit | None:
        if key in self.odd:
            raise TryLater("it took too long (57014)")
        return super().find_credit(key)


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    clock = ManualClock()
    erp, store = Erp(clock), Shop(clock=clock)
    fill_erp(erp)
    fill_store(store)
    world = make_world(clock=clock, erp=erp, store=store, limits=BOTH)
    for number in range(1, MANY + 1):
        store.place_order(guest_order(number))
    world.import_orders()
    return world


def ship_all(world: World) -> None:
    for number in range(1, MANY + 1):
        key = world.entry(number).key
        lines = (LineStatus(1, a.SKU, Decimal(10), Decimal(10), Decimal(0)),)
        held = world.erp.statuses[key]
        status = OrderStatus(ErpOrderState.SHIPPED, held.number, lines=lines)
        world.erp.set_order_status(key, status)


def captured(world: World) -> set[int]:
    ids = [order_id(number) for number in range(1, MANY + 1)]
    held = MemoryStore.captures(world.store, ids)
    return {int(each.value.removeprefix("order-")) for each in ids if held.get(each)}


def odd_orders(world: World, numbers: Collection[int]) -> Shop:
    assert isinstance(world.store, Shop)
    world.store.odd = frozenset(order_id(number) for number in numbers)
    return world.store


ALL = set(range(1, MANY + 1))


@pytest.mark.parametrize("odd", [{1}, {1, 2}, {1, 2, 3, 4}, {4, 5}, {1, 2, 5, 6}, {MANY}])
def test_all_but_the_odd_ones_are_captured_in_the_same_run(world: World, odd: set[int]) -> None:
    odd_orders(world, odd)
    ship_all(world)
    result = world.run("order_status")
    assert captured(world) == ALL - odd
    assert result.counts["put_off"] == len(odd)
    assert sum("the store answers 500" in remark for remark in result.remarks) == len(odd)

    odd_orders(world, ())
    world.clock.advance(1000)
    world.run("order_status")
    assert captured(world) == ALL


def test_many_odd_ones_in_a_row_rest_and_the_next_run_begins_with_the_others(world: World) -> None:
    odd = set(range(1, MOST_IN_A_ROW + 2))
    odd_orders(world, odd)
    ship_all(world)
    for _ in range(3):
        world.run("order_status")
        world.clock.advance(60)
    assert captured(world) == ALL - odd


def test_a_store_that_is_away_is_not_asked_for_each_record(world: World) -> None:
    shop = odd_orders(world, ALL)
    ship_all(world)
    shop.asked = 0
    result = world.run("order_status")
    assert result.outcome == "try_later"
    assert shop.asked == Patience().attempts + MOST_IN_A_ROW - 1


@pytest.mark.parametrize("odd", [{1}, {1, 2}, {4, 5}])
def test_all_but_the_odd_ones_are_credited_in_the_same_run(world: World, odd: set[int]) -> None:
    assert isinstance(world.erp, Erp)
    length = world.erp.capabilities.external_key_length
    for number in ALL:
        world.store.refund(order_id(number), a.money("12.10"), f"R-{number}")
    world.erp.odd = frozenset(
        settlement_key(world.entry(number).key, "refund", f"R-{number}", length) for number in odd
    )
    watch = SystemWatch("erp", "erp", world.clock)
    world.erp_seen = guarded(world.erp, watch, world.clock)
    world.import_orders()
    assert {each.refund.value for each in world.erp.credits} == {f"R-{n}" for n in ALL - odd}
    assert watch.up
