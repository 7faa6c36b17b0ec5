"""One order that a system cannot answer for costs no other order anything (OI-2)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import pytest
from sqlalchemy import update

from sync.domain.account import AccountStatus, Item, ShipTo
from sync.domain.ids import CustomerId, IdempotencyKey, Sku, WebOrderId
from sync.domain.order import StoreOrder
from sync.domain.sales_order import OrderAcknowledgement, OrderStatus, SalesOrder
from sync.domain.views import ImportNotice
from sync.errors import TryLater
from sync.flows.orders.aftermath import RECORDED_TOGETHER
from sync.flows.orders.sending import STALE_S
from sync.ports.state import LedgerState
from sync.state.schema import ledger
from sync.testing import builders as a
from sync.testing.clock import ManualClock
from sync.testing.erp import MEMORY_CAPABILITIES, MemoryErp
from sync.testing.store import MemoryStore
from sync.testing.together import GROUPING_CAPABILITIES, BatchStore, GroupingErp
from tests.scenarios.world import (
    HARBOUR,
    MILL,
    MakeWorld,
    World,
    fill_erp,
    fill_store,
    harbour_order,
    mill_order,
    order_id,
)

ODD = 5
MANY = 12
CAPABILITIES = {"in groups": GROUPING_CAPABILITIES, "one by one": MEMORY_CAPABILITIES}


class Erp(GroupingErp):
    """Slow or busy for one account or order, on request."""

    slow_for: CustomerId | None = None
    locked: WebOrderId | None = None

    def ship_tos(self, sold_to: Collection[CustomerId]) -> Sequence[ShipTo]:
        if self.slow_for in sold_to:
            raise TryLater("it took too long (57014)")
        return super().ship_tos(sold_to)

    def submit_orders(
        self, orders: Sequence[tuple[SalesOrder, IdempotencyKey]]
    ) -> Sequence[OrderAcknowledgement]:
        for order, _ in orders:
            self._locked(order)
        return super().submit_orders(orders)

    def submit_order(self, order: SalesOrder, key: IdempotencyKey) -> OrderAcknowledgement:
        self._locked(order)
        return super().submit_order(order, key)

    def _locked(self, order: SalesOrder) -> None:
        if order.web_order == self.locked:
            raise TryLater("another transaction holds a lock (55P03)")


class Shop(BatchStore):
    """Answers with an error of its own to whatever holds one order."""

    broken: WebOrderId | None = None
    shows_nothing_at: WebOrderId | None = None
    no_status_at: WebOrderId | None = None

    def order(self, order_id: WebOrderId) -> StoreOrder | None:
        self._broken([order_id])
        return super().order(order_id)

    def orders_now(self, order_ids: Collection[WebOrderId]) -> Mapping[WebOrderId, StoreOrder]:
        self._broken(order_ids)
        return super().orders_now(order_ids)

    def show_import(self, order_id: WebOrderId, notice: ImportNotice) -> None:
        if order_id == self.shows_nothing_at:
            raise TryLater("the store answers 500")
        super().show_import(order_id, notice)

    def show_order_status(self, order_id: WebOrderId, status: OrderStatus) -> None:
        if order_id == self.no_status_at:
            raise TryLater("the store answers 500")
        super().show_order_status(order_id, status)

    def _broken(self, order_ids: Collection[WebOrderId]) -> None:
        if self.broken in order_ids:
            raise TryLater("the store answers 500")


@pytest.fixture(params=CAPABILITIES)
def world(request: pytest.FixtureRequest, make_world: MakeWorld) -> World:
    clock = ManualClock()
    erp, store = Erp(clock, CAPABILITIES[request.param]), Shop(clock=clock)
    fill_erp(erp)
    fill_store(store)
    return make_world(clock=clock, erp=erp, store=store)


def place(world: World) -> None:
    for number in range(1, MANY + 1):
        order = mill_order(number) if number == ODD else harbour_order(number)
        world.store.place_order(order)


def all_but_the_odd_one_are_in(world: World) -> bool:
    held = {row.order.web_order for row in world.erp.orders}
    return held == {order_id(number) for number in range(1, MANY + 1)} - {order_id(ODD)}


@pytest.mark.rule("OI-2", "OP-1")
def test_an_account_that_cannot_be_read_holds_up_its_own_orders_alone(world: World) -> None:
    assert isinstance(world.erp, Erp)
    world.erp.slow_for = MILL
    place(world)
    for _ in range(3):
        world.import_orders()
        world.clock.advance(60)
    assert all_but_the_odd_one_are_in(world)
    assert [world.entry(number).attempts for number in (1, MANY)] == [1, 1]

    for _ in range(60):
        world.clock.advance(3700)
        world.import_orders()
    assert world.state_of(ODD) is LedgerState.QUARANTINED
    assert world.codes(ODD) == {"gave_up"}


@pytest.mark.rule("OI-2", "OI-1")
def test_a_lock_that_one_order_meets_keeps_no_other_out(world: World) -> None:
    assert isinstance(world.erp, Erp)
    world.erp.locked = order_id(ODD)
    place(world)
    for _ in range(3):
        world.import_orders()
        world.clock.advance(60)
    assert all_but_the_odd_one_are_in(world)

    world.erp.locked = None
    world.clock.advance(3700)
    world.import_orders()
    assert len(world.erp.orders) == MANY


@pytest.mark.rule("OI-2")
def test_an_order_that_the_store_cannot_answer_for_any_more_keeps_no_other_out(
    world: World,
) -> None:
    assert isinstance(world.store, Shop)
    place(world)
    world.erp.refuse_item(a.SKU)
    world.import_orders()
    world.erp.accept_item(a.SKU)
    for number in range(1, MANY + 1):
        world.replay(number)
    world.store.broken = order_id(ODD)
    for _ in range(3):
        world.import_orders()
        world.clock.advance(60)
    assert all_but_the_odd_one_are_in(world)


@pytest.mark.rule("WA-13")
def test_a_notice_that_the_store_cannot_take_keeps_no_other_from_being_shown(
    world: World,
) -> None:
    assert isinstance(world.store, Shop)
    world.store.shows_nothing_at = order_id(ODD)
    place(world)
    result = world.import_orders()
    shown = [number for number in range(1, MANY + 1) if world.store.notice(order_id(number))]
    assert shown == [number for number in range(1, MANY + 1) if number != ODD]
    assert result.outcome == "ok"
    assert result.counts["not_shown"] == 1
    assert any(remark.startswith(f"W-{ODD}: the store answers 500") for remark in result.remarks)


@pytest.mark.rule("OI-3")
def test_a_status_that_the_store_cannot_take_keeps_no_later_one_from_being_shown(
    world: World,
) -> None:
    """Also where it is the last of those that are recorded together."""
    assert isinstance(world.store, Shop)
    for number in range(1, RECORDED_TOGETHER + 2):
        world.store.place_order(harbour_order(number))
    world.import_orders()
    keys = sorted(order_id(number) for number in range(1, RECORDED_TOGETHER + 2))
    for row in world.erp.orders:
        world.erp.set_order_status(row.key, a.an_order_status(number=row.number))
    world.store.no_status_at = keys[RECORDED_TOGETHER - 1]
    world.run("order_status")
    shown = world.store.shown_order_statuses(keys)
    assert set(keys) - set(shown) == {world.store.no_status_at}


@pytest.mark.rule("OP-2", "OI-2")
def test_a_run_for_the_one_order_that_no_system_answers_for_is_not_called_ok(
    world: World,
) -> None:
    assert isinstance(world.erp, Erp)
    world.erp.slow_for = MILL
    place(world)
    result = world.run("orders", order=order_id(ODD).value)
    assert result.outcome == "try_later"
    assert not world.erp.orders


@pytest.mark.rule("OI-2")
@pytest.mark.parametrize("payload", ["{}", "no JSON"])
def test_an_order_that_the_state_cannot_read_keeps_no_other_out(world: World, payload: str) -> None:
    with world.state.transaction() as state:
        state.ledger.discover(mill_order(ODD), world.clock.now())
    with world.engine.begin() as connection:
        connection.execute(update(ledger).values(payload=payload))
    for number in range(1, MANY + 1):
        if number != ODD:
            world.store.place_order(harbour_order(number))
    for _ in range(2):
        result = world.import_orders()
        assert all_but_the_odd_one_are_in(world)
        assert result.counts["failed"] == 1
        assert any(str(order_id(ODD)) in remark for remark in result.remarks)
        world.clock.advance(3600)
    world.store.place_order(harbour_order(MANY + 1))
    world.import_orders()
    assert world.state_of(MANY + 1) is LedgerState.ACKNOWLEDGED


def suspend(erp: MemoryErp) -> None:
    erp.add_account(a.an_account(price_groups=("GOLD",), status=AccountStatus.SUSPENDED))


@pytest.mark.rule("VE-3")
def test_a_group_is_not_written_on_what_held_minutes_ago(make_world: MakeWorld) -> None:
    class Away(BatchStore):
        """The first reads before a group is sent take long, and meanwhile ..."""

        calls = 0

        def orders_now(self, order_ids: Collection[WebOrderId]) -> Mapping[WebOrderId, StoreOrder]:
            self.calls += 1
            if self.calls <= 3:
                suspend(erp)
                raise TryLater("busy", retry_after_s=STALE_S)
            return super().orders_now(order_ids)

    clock = ManualClock()
    erp, store = GroupingErp(clock, GROUPING_CAPABILITIES), Away(clock=clock)
    fill_erp(erp)
    fill_store(store)
    world = make_world(clock=clock, erp=erp, store=store)
    for number in (1, 2, 3):
        store.place_order(harbour_order(number))
    world.import_orders()
    assert not erp.orders
    assert world.codes(1) == {"account_not_active"}


@pytest.mark.rule("VE-3")
@pytest.mark.parametrize("seconds", [11.0, 120.0])
def test_an_account_that_is_suspended_while_its_orders_are_judged_gets_none(
    make_world: MakeWorld, seconds: float
) -> None:
    class Slow(MemoryErp):
        """Its items take long to read."""

        asked = False

        def items(self, skus: Collection[Sku]) -> Mapping[Sku, Item]:
            if not self.asked:
                self.asked = True
                clock.advance(seconds)
                suspend(self)
            return super().items(skus)

    clock = ManualClock()
    erp, store = Slow(clock, MEMORY_CAPABILITIES), MemoryStore(clock=clock)
    fill_erp(erp)
    fill_store(store)
    world = make_world(clock=clock, erp=erp, store=store)
    for number in range(1, 9):
        store.place_order(harbour_order(number))
    world.import_orders()
    assert not [row for row in erp.orders if row.order.sold_to == HARBOUR]
    assert {world.state_of(number) for number in range(1, 9)} == {LedgerState.QUARANTINED}


@pytest.mark.rule("OI-2")
def test_an_erp_that_always_takes_long_to_read_gets_its_orders_all_the_same(
    make_world: MakeWorld,
) -> None:
    class Slow(GroupingErp):
        def items(self, skus: Collection[Sku]) -> Mapping[Sku, Item]:
            clock.advance(STALE_S + 5)
            return super().items(skus)

    clock = ManualClock()
    erp, store = Slow(clock, replace(GROUPING_CAPABILITIES)), BatchStore(clock=clock)
    fill_erp(erp)
    fill_store(store)
    world = make_world(clock=clock, erp=erp, store=store)
    for number in range(1, 9):
        store.place_order(harbour_order(number))
    world.import_orders()
    assert len(erp.orders) == 8
