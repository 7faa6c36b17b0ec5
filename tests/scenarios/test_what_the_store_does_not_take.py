"""Orders of which the store takes no notice or no status cost the others neither (OI-2, OI-3)."""

from __future__ import annotations

import pytest

from sync.domain.ids import WebOrderId
from sync.domain.sales_order import ErpOrderState, OrderStatus
from sync.domain.views import ImportNotice, ImportState
from sync.errors import TryLater
from sync.ports.state import LedgerState
from sync.testing import builders as a
from sync.testing.clock import ManualClock
from sync.testing.together import BatchStore
from tests.scenarios.world import MakeWorld, World, fill_store, harbour_order, order_id


class Shop(BatchStore):
    """Answers 500 to what some of its orders, or all, are to show."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock=clock)
        self.no_notice: set[WebOrderId] = set()
        self.no_status: set[WebOrderId] = set()
        self.takes_nothing = False
        self.asked: list[WebOrderId] = []

    def show_import(self, order_id: WebOrderId, notice: ImportNotice) -> None:
        self._unless(order_id in self.no_notice, order_id)
        super().show_import(order_id, notice)

    def show_order_status(self, order_id: WebOrderId, status: OrderStatus) -> None:
        self._unless(order_id in self.no_status, order_id)
        super().show_order_status(order_id, status)

    def _unless(self, broken: bool, order_id: WebOrderId) -> None:
        self.asked.append(order_id)
        if broken or self.takes_nothing:
            raise TryLater("the store answers 500")


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    clock = ManualClock()
    store = Shop(clock)
    fill_store(store)
    return make_world(clock=clock, store=store)


@pytest.fixture
def shop(world: World) -> Shop:
    assert isinstance(world.store, Shop)
    return world.store


def place(world: World, *numbers: int) -> None:
    now = world.clock.now()
    for number in numbers:
        world.store.place_order(harbour_order(number, placed_at=now, modified_at=now))


def in_erp_as(world: World, state: ErpOrderState, *numbers: int) -> None:
    wanted = {order_id(number) for number in numbers}
    for row in world.erp.orders:
        if row.order.web_order in wanted:
            status = a.an_order_status(number=row.number, state=state)
            world.erp.set_order_status(row.key, status)


@pytest.mark.rule("OI-2")
@pytest.mark.parametrize("takes", ["not this one", "nothing"])
def test_an_order_that_the_erp_refuses_later_is_held_whatever_the_store_takes(
    world: World, shop: Shop, takes: str
) -> None:
    place(world, 1, 2)
    world.import_orders()
    in_erp_as(world, ErpOrderState.REFUSED, 1)
    shop.no_status = {order_id(1)}
    shop.takes_nothing = takes == "nothing"
    result = world.run("order_status")
    assert world.state_of(1) is LedgerState.QUARANTINED
    assert world.codes(1) == {"erp_refused"}
    assert result.counts["quarantined"] == 1


@pytest.mark.rule("OI-2", "OI-3")
def test_a_refusal_that_the_store_did_not_take_is_shown_once_it_does(
    world: World, shop: Shop
) -> None:
    place(world, 1)
    world.import_orders()
    in_erp_as(world, ErpOrderState.REFUSED, 1)
    shop.takes_nothing = True
    world.run("order_status")
    shop.takes_nothing = False
    for _ in range(2):
        world.clock.advance(3600)
        world.import_orders()
    notice = shop.notice(order_id(1))
    assert notice is not None
    assert notice.state is ImportState.ABORTED
    assert shop.shown_order_statuses([order_id(1)])[order_id(1)].state is ErpOrderState.REFUSED


@pytest.mark.rule("OI-2")
def test_a_later_refusal_is_seen_behind_a_batch_that_a_store_that_is_away_does_not_take(
    world: World, shop: Shop
) -> None:
    many = world.limits.orders.batch + 1
    place(world, *range(1, many + 1))
    world.import_orders()
    last = max(range(1, many + 1), key=lambda number: order_id(number).value)
    in_erp_as(world, ErpOrderState.SHIPPED, *(set(range(1, many + 1)) - {last}))
    in_erp_as(world, ErpOrderState.REFUSED, last)
    shop.takes_nothing = True
    assert world.run("order_status").outcome == "try_later"
    assert world.state_of(last) is LedgerState.QUARANTINED
