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
        self.takes_only: int | None = None
        self.asked: list[WebOrderId] = []

    def show_import(self, order_id: WebOrderId, notice: ImportNotice) -> None:
        self._unless(order_id in self.no_notice, order_id)
        super().show_import(order_id, notice)

    def show_order_status(self, order_id: WebOrderId, status: OrderStatus) -> None:
        self._unless(order_id in self.no_status, order_id)
        super().show_order_status(order_id, status)

    def _unless(self, broken: bool, order_id: WebOrderId) -> None:
        self.takes_nothing = self.takes_nothing or len(self.asked) == self.takes_only
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


@pytest.mark.rule("WA-13", "OI-2")
@pytest.mark.parametrize("odd", [1, 2, 4])
def test_orders_whose_notice_the_store_never_takes_starve_no_other(
    world: World, shop: Shop, odd: int
) -> None:
    """They are ahead of all others, for ever."""
    shop.no_notice = {order_id(number) for number in range(1, odd + 1)}
    for number in range(1, 13):
        place(world, number)
        world.import_orders()
        world.clock.advance(3600)
    shown = [number for number in range(1, 13) if shop.notice(order_id(number))]
    assert shown == list(range(odd + 1, 13))


@pytest.mark.rule("OI-3", "OI-2")
@pytest.mark.parametrize("odd", [1, 2, 4])
def test_orders_whose_status_the_store_never_takes_starve_no_other(
    world: World, shop: Shop, odd: int
) -> None:
    place(world, *range(1, 10))
    world.import_orders()
    in_erp_as(world, ErpOrderState.SHIPPED, *range(1, 10))
    shop.no_status = {order_id(number) for number in range(1, odd + 1)}
    world.run("order_status")
    shown = shop.shown_order_statuses([order_id(number) for number in range(1, 10)])
    assert set(shown) == {order_id(number) for number in range(odd + 1, 10)}


@pytest.mark.rule("WA-13", "OI-2")
def test_however_many_odd_orders_there_are_the_store_is_there_if_it_takes_another(
    world: World, shop: Shop
) -> None:
    place(world, 100)
    world.import_orders()
    shop.no_notice = {order_id(number) for number in range(1, 21)}
    place(world, *range(1, 24))
    assert world.import_orders().outcome == "ok"
    assert all(shop.notice(order_id(number)) for number in (21, 22, 23))


@pytest.mark.rule("OP-1", "WA-13")
@pytest.mark.parametrize("before", [0, 6], ids=["nothing shown before", "some shown before"])
def test_a_store_that_is_away_is_not_told_of_each_order(
    world: World, shop: Shop, before: int
) -> None:
    place(world, *range(101, 101 + before))
    world.import_orders()
    shop.takes_nothing = True
    shop.asked.clear()
    place(world, *range(1, 31))
    assert world.import_orders().outcome == "try_later"
    assert len(set(shop.asked)) <= 5
    shop.takes_nothing = False
    assert world.import_orders().outcome == "ok"
    assert all(shop.notice(order_id(number)) for number in range(1, 31))


@pytest.mark.rule("OP-1", "WA-13")
def test_a_store_that_goes_away_while_it_is_told_is_left_alone(world: World, shop: Shop) -> None:
    shop.takes_only = 3
    place(world, *range(1, 31))
    assert world.import_orders().outcome == "try_later"
    assert len(set(shop.asked)) == 4
