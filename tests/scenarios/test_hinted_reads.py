"""A hint names orders; what the shop is asked for them does not grow with their number."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import pytest

from sync.domain.ids import WebOrderId
from sync.domain.order import StoreOrder
from sync.errors import Rejected, TryLater
from sync.testing.clock import ManualClock
from sync.testing.together import BatchStore
from tests.scenarios.world import MakeWorld, World, fill_store, harbour_order, order_id


class Shop(BatchStore):
    """Notes which orders it is asked for together."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock=clock)
        self.asked: list[list[WebOrderId]] = []
        self.broken: set[WebOrderId] = set()
        self.refused: set[WebOrderId] = set()
        self.rejected: set[WebOrderId] = set()

    def order(self, order_id: WebOrderId) -> StoreOrder | None:
        if order_id in self.broken:
            self.refused.add(order_id)
            raise TryLater("the store answers 500")
        if order_id in self.rejected:
            raise Rejected("it is not shown", code="not_shown", remedy="ask the shop")
        return super().order(order_id)

    def orders_now(self, order_ids: Collection[WebOrderId]) -> Mapping[WebOrderId, StoreOrder]:
        self.asked.append(list(order_ids))
        return super().orders_now(order_ids)


@pytest.mark.rule("OI-1", "OI-5")
def test_hinted_orders_are_read_with_one_question(make_world: MakeWorld) -> None:
    clock = ManualClock()
    store = Shop(clock)
    fill_store(store)
    world = make_world(clock=clock, store=store)
    for number in (1, 2, 3):
        store.place_order(harbour_order(number))
    hinted = (order_id(1), order_id(9), order_id(3))
    world.run("orders", hinted=hinted)
    assert store.asked == [list(hinted)]
    assert {row.order.web_order for row in world.erp.orders} == {order_id(1), order_id(3)}


@pytest.mark.rule("OI-2")
def test_an_order_that_the_store_cannot_show_costs_the_other_hints_nothing(
    make_world: MakeWorld,
) -> None:
    clock = ManualClock()
    store = Shop(clock)
    fill_store(store)
    world = make_world(clock=clock, store=store)
    for number in (1, 2, 3):
        store.place_order(harbour_order(number))
    store.broken = {order_id(2)}
    result = world.run("orders", hinted=(order_id(1), order_id(2), order_id(3)))
    assert {row.order.web_order for row in world.erp.orders} == {order_id(1), order_id(3)}
    assert any(str(order_id(2)) in remark for remark in result.remarks)
    store.broken.clear()
    world.import_orders()
    assert len(world.erp.orders) == 3


@pytest.mark.rule("OP-1")
def test_a_store_that_is_away_is_not_asked_for_each_hint(make_world: MakeWorld) -> None:
    clock = ManualClock()
    store = Shop(clock)
    fill_store(store)
    world = make_world(clock=clock, store=store)
    hinted = tuple(order_id(number) for number in range(1, 9))
    store.broken = set(hinted)
    result = world.run("orders", hinted=hinted)
    assert result.outcome == "try_later"
    assert store.refused == {order_id(1), order_id(2)}


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    clock = ManualClock()
    store = Shop(clock)
    fill_store(store)
    world = make_world(clock=clock, store=store)
    for number in range(1, 7):
        store.place_order(harbour_order(number))
    return world


SIX = tuple(order_id(number) for number in range(1, 7))


def in_erp(world: World) -> set[WebOrderId]:
    return {row.order.web_order for row in world.erp.orders}


@pytest.mark.rule("OI-2")
def test_two_orders_that_the_store_cannot_show_cost_the_hints_between_and_behind_them_nothing(
    world: World,
) -> None:
    assert isinstance(world.store, Shop)
    world.store.broken = {order_id(2), order_id(4)}
    assert world.run("orders", hinted=SIX).outcome == "ok"
    assert in_erp(world) == {order_id(number) for number in (1, 3, 5, 6)}


@pytest.mark.rule("OI-2", "OP-1")
def test_what_was_found_before_the_store_stopped_answering_goes_into_the_erp(
    world: World,
) -> None:
    assert isinstance(world.store, Shop)
    world.store.broken = {order_id(3), order_id(4)}
    result = world.run("orders", hinted=SIX)
    assert result.outcome == "try_later"
    assert in_erp(world) == {order_id(1), order_id(2)}
    assert world.store.refused == {order_id(3), order_id(4)}


@pytest.mark.rule("OI-2")
@pytest.mark.parametrize("refused", [{3}, {3, 4}, {1, 2, 3, 4, 5}])
def test_orders_that_the_store_refuses_to_show_cost_the_other_hints_nothing(
    world: World, refused: set[int]
) -> None:
    assert isinstance(world.store, Shop)
    world.store.rejected = {order_id(number) for number in refused}
    result = world.run("orders", hinted=SIX)
    assert result.outcome == "ok"
    assert in_erp(world) == set(SIX) - world.store.rejected
    told = [remark for remark in result.remarks if "it is not shown" in remark]
    assert len(told) == len(refused)


@pytest.mark.rule("OI-2")
def test_the_only_order_that_is_hinted_at_and_refused_is_told(world: World) -> None:
    assert isinstance(world.store, Shop)
    world.store.rejected = {order_id(3)}
    result = world.run("orders", hinted=(order_id(3),))
    assert result.outcome == "ok"
    assert any(str(order_id(3)) in remark for remark in result.remarks)
