"""A hint names orders; what the shop is asked for them does not grow with their number."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import pytest

from sync.domain.ids import WebOrderId
from sync.domain.order import StoreOrder
from sync.errors import TryLater
from sync.testing.clock import ManualClock
from sync.testing.together import BatchStore
from tests.scenarios.world import MakeWorld, fill_store, harbour_order, order_id


class Shop(BatchStore):
    """Notes which orders it is asked for together."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock=clock)
        self.asked: list[list[WebOrderId]] = []
        self.broken: set[WebOrderId] = set()
        self.refused: set[WebOrderId] = set()

    def order(self, order_id: WebOrderId) -> StoreOrder | None:
        if order_id in self.broken:
            self.refused.add(order_id)
            raise TryLater("the store answers 500")
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
