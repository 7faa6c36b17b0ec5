"""One bad order, a system that is away, an answer that is lost: what the rest of it does."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

import pytest

from sync.domain.account import Account, Item
from sync.domain.ids import CustomerId, ErpOrderNumber, IdempotencyKey, Sku, WebOrderId
from sync.domain.order import OrderState, StoreOrder, WebOrder
from sync.domain.sales_order import FoundOrder, OrderAcknowledgement, SalesOrder
from sync.domain.views import ImportNotice, ImportState
from sync.errors import AccessDenied, Conflict, OutcomeUnknown, TryLater
from sync.flows.context import Limits, OrderLimits
from sync.ports.state import LedgerState
from sync.testing import builders as a
from sync.testing.clock import ManualClock
from sync.testing.erp import MEMORY_CAPABILITIES, MemoryErp
from sync.testing.faults import Crash, Fault, Script
from sync.testing.store import MemoryStore
from tests.scenarios.world import (
    HARBOUR,
    MakeWorld,
    World,
    fill_erp,
    fill_store,
    guest_order,
    harbour_order,
    mill_order,
    order_id,
)

HOUR = 3600.0


def place_three(world: World) -> None:
    for number, make in enumerate((harbour_order, guest_order, mill_order), start=1):
        world.store.place_order(make(number))


def script_of(world: World) -> Script:
    assert world.script is not None
    return world.script


@pytest.fixture
def scripted(make_world: MakeWorld) -> World:
    return make_world(script=Script())


# One bad order never holds up the next.


class ErpThatChokes(MemoryErp):
    """It stumbles over one item, with an error that its adapter never thought of."""

    choking = True

    def items(self, skus: Collection[Sku]) -> Mapping[Sku, Item]:
        self._choke_on(skus)
        return super().items(skus)

    def submit_order(self, order: SalesOrder, key: IdempotencyKey) -> OrderAcknowledgement:
        if any(line.sku == Sku("LATE") for line in order.lines):
            self._choke_on([Sku("BAD")])
        return super().submit_order(order, key)

    def _choke_on(self, skus: Collection[Sku]) -> None:
        if self.choking and Sku("BAD") in skus:
            raise ZeroDivisionError("a factor of zero")


@pytest.fixture
def choking(make_world: MakeWorld) -> World:
    clock = ManualClock()
    erp = ErpThatChokes(clock)
    fill_erp(erp)
    erp.add_item(a.an_item(sku=Sku("BAD")))
    erp.add_item(a.an_item(sku=Sku("LATE")))
    return make_world(clock=clock, erp=erp)


@pytest.mark.rule("OI-2", "OP-1")
def test_error_that_nobody_foresaw_costs_its_own_order_only(choking: World) -> None:
    choking.store.place_order(harbour_order(1))
    choking.store.place_order(harbour_order(2, lines=(a.a_line(sku=Sku("BAD")),)))
    choking.store.place_order(guest_order(3))
    result = choking.import_orders()

    assert [len(choking.in_erp(number)) for number in (1, 2, 3)] == [1, 0, 1]
    assert result.outcome == "ok"
    assert result.counts["failed"] == 1
    assert any("W-2" in remark for remark in result.remarks)
    assert choking.state_of(2) is LedgerState.DISCOVERED

    assert isinstance(choking.erp, ErpThatChokes)
    choking.erp.choking = False
    choking.clock.advance(HOUR)
    choking.import_orders()
    assert len(choking.in_erp(2)) == 1


@pytest.mark.rule("OI-1", "OI-2")
def test_error_that_nobody_foresaw_while_writing_is_an_unknown_outcome(choking: World) -> None:
    choking.store.place_order(harbour_order(1, lines=(a.a_line(sku=Sku("LATE")),)))
    choking.store.place_order(guest_order(2))
    result = choking.import_orders()

    assert result.counts["outcome_unknown"] == 1
    assert choking.state_of(1) is LedgerState.SUBMITTING
    assert len(choking.in_erp(2)) == 1

    assert isinstance(choking.erp, ErpThatChokes)
    choking.erp.choking = False
    choking.clock.advance(HOUR)
    choking.import_orders()
    assert len(choking.in_erp(1)) == 1


@pytest.mark.rule("OI-2")
def test_order_that_fails_again_and_again_comes_to_a_person_at_last(choking: World) -> None:
    choking.limits = Limits(orders=OrderLimits(give_up_after_attempts=3))
    choking.store.place_order(harbour_order(1, lines=(a.a_line(sku=Sku("BAD")),)))
    for _ in range(3):
        choking.import_orders()
        choking.clock.advance(HOUR)

    assert choking.codes(1) == {"gave_up"}
    assert isinstance(choking.erp, ErpThatChokes)
    choking.erp.choking = False
    choking.replay(1)
    choking.import_orders()
    assert len(choking.in_erp(1)) == 1


class StoreThatChokes(MemoryStore):
    """It stumbles over the notice of one order."""

    def show_import(self, order_id: WebOrderId, notice: ImportNotice) -> None:
        if order_id == WebOrderId("order-1"):
            raise ZeroDivisionError("a factor of zero")
        super().show_import(order_id, notice)


@pytest.mark.rule("WA-13", "OP-1")
def test_notice_that_fails_for_one_order_is_shown_at_the_others(make_world: MakeWorld) -> None:
    clock = ManualClock()
    store = StoreThatChokes(clock=clock)
    fill_store(store)
    world = make_world(clock=clock, store=store)
    place_three(world)
    result = world.import_orders()

    assert (result.outcome, result.counts["not_shown"]) == ("ok", 1)
    for number in (2, 3):
        notice = store.notice(order_id(number))
        assert notice is not None
        assert notice.state is ImportState.PROCESSED


@pytest.mark.rule("OI-2")
def test_quarantined_order_does_not_hold_up_the_next(world: World) -> None:
    world.store.place_order(harbour_order(1, total=a.money("1.00")))
    world.store.place_order(guest_order(2))
    world.store.place_order(a.an_unreadable_order(order_id=order_id(3)))
    world.store.place_order(mill_order(4))
    result = world.import_orders()
    assert [len(world.in_erp(number)) for number in (1, 2, 3, 4)] == [0, 1, 0, 1]
    assert result.outcome == "ok"


class RestlessStore(MemoryStore):
    """Each time it is asked for the first order it tells it differently."""

    asked = 0

    def order(self, order_id: WebOrderId) -> StoreOrder | None:
        self.asked += 1
        found = super().order(order_id)
        if isinstance(found, WebOrder) and found.order_id == WebOrderId("order-1"):
            return replace(found, notes=f"looked at {self.asked} times")
        return found


@pytest.mark.rule("OI-2", "OI-5")
def test_order_that_never_stands_still_does_not_hold_up_the_next(make_world: MakeWorld) -> None:
    clock = ManualClock()
    store = RestlessStore(clock=clock)
    fill_store(store)
    world = make_world(clock=clock, store=store)
    place_three(world)
    result = world.import_orders()

    assert result.outcome == "ok"
    assert store.asked < 10
    assert [len(world.in_erp(number)) for number in (1, 2, 3)] == [0, 1, 1]
    assert world.state_of(1) is LedgerState.DISCOVERED


# A system is away.


@pytest.mark.rule("OP-1")
@pytest.mark.parametrize(
    "point, away_from, before",
    [
        ("erp.accounts", 1, []),
        ("erp.find_order", 2, []),
        ("erp.submit_order", 1, []),
        ("erp.submit_order", 2, ["W-1"]),
    ],
)
def test_flow_stops_when_the_erp_is_away_and_the_next_run_goes_on_in_order(
    scripted: World, point: str, away_from: int, before: list[str]
) -> None:
    place_three(scripted)
    for attempt in range(away_from, 40):
        script_of(scripted).lost_request(point, at=attempt)
    result = scripted.import_orders()

    assert result.outcome == "try_later"
    assert result.counts["retry_scheduled"] == 2, "after two in a row no other was begun"
    assert [row.order.web_number.value for row in scripted.erp.orders] == before
    assert scripted.state_of(2) in (LedgerState.DISCOVERED, LedgerState.SUBMITTING)
    assert scripted.state_of(3) is LedgerState.DISCOVERED
    notice = scripted.store.notice(order_id(3))
    assert notice is not None, "the store says that the order is known"
    assert notice.state is ImportState.PENDING

    scripted.script = None
    scripted.clock.advance(HOUR)
    scripted.import_orders()
    assert [row.order.web_number.value for row in scripted.erp.orders] == ["W-1", "W-2", "W-3"]


@pytest.mark.rule("OP-1")
def test_read_that_fails_for_a_moment_is_tried_again_within_the_run(scripted: World) -> None:
    place_three(scripted)
    script_of(scripted).lost_request("erp.accounts").lost_reply("erp.ship_tos")
    script_of(scripted).lost_request("erp.items")
    result = scripted.import_orders()
    assert (result.outcome, result.counts["imported"]) == ("ok", 3)
    assert "account_unread" not in result.counts
    assert scripted.clock.slept


@pytest.mark.rule("OP-1")
def test_refused_login_stops_the_flow_at_once(world: World) -> None:
    place_three(world)
    world.erp.deny_access()
    result = world.import_orders()

    assert result.outcome == "failed"
    assert "credentials" in result.message
    assert not world.clock.slept, "repeated logins lock accounts"

    world.erp.deny_access(False)
    world.clock.advance(HOUR)
    world.import_orders()
    assert len(world.erp.orders) == 3


@pytest.mark.rule("OP-1")
def test_store_that_is_away_stops_the_flow_and_loses_nothing(world: World) -> None:
    place_three(world)
    world.store.deny_access()
    assert world.import_orders().outcome == "failed"
    world.store.deny_access(False)
    world.import_orders()
    assert len(world.erp.orders) == 3


@pytest.mark.rule("OP-1", "OI-2")
def test_long_outage_does_not_quarantine_what_nobody_is_to_blame_for(world: World) -> None:
    class Away(MemoryErp):
        def accounts(self, customer_ids: Collection[CustomerId]) -> Mapping[CustomerId, Account]:
            raise TryLater("the ERP is away")

    place_three(world)
    world.erp_seen = Away(world.clock)
    for _ in range(48):
        assert world.import_orders().outcome == "try_later"
        world.clock.advance(HOUR)
    world.erp_seen = None
    world.import_orders()
    assert len(world.erp.orders) == 3


@pytest.mark.rule("OI-3", "WA-13")
def test_notice_that_the_store_did_not_take_is_shown_by_the_next_run(scripted: World) -> None:
    scripted.store.place_order(harbour_order())
    for attempt in range(1, 9):
        script_of(scripted).lost_request("store.show_import", at=attempt)
    assert scripted.import_orders().outcome == "try_later"
    assert len(scripted.in_erp()) == 1
    assert scripted.store.notice(order_id(1)) is None

    scripted.script = None
    scripted.import_orders()
    notice = scripted.store.notice(order_id(1))
    assert notice is not None
    assert notice.state is ImportState.PROCESSED
    assert scripted.erp.submitted == 1


# The answer of the ERP is lost.


@pytest.mark.rule("OI-1")
def test_lost_answer_is_looked_up_after_a_wait_and_the_order_is_in_once(scripted: World) -> None:
    place_three(scripted)
    script_of(scripted).lost_reply("erp.submit_order")
    result = scripted.import_orders()

    assert result.counts["outcome_unknown"] == 1
    assert scripted.state_of(1) is LedgerState.SUBMITTING
    assert [len(scripted.in_erp(number)) for number in (1, 2, 3)] == [1, 1, 1]
    notice = scripted.store.notice(order_id(1))
    assert notice is not None
    assert notice.state is ImportState.PROCESSING

    scripted.clock.advance(60)
    scripted.import_orders()
    assert scripted.state_of(1) is LedgerState.SUBMITTING, "the write may still be under way"

    scripted.clock.advance(60)
    scripted.import_orders()
    assert scripted.state_of(1) is LedgerState.ACKNOWLEDGED
    assert scripted.erp.submitted == 3


@pytest.mark.rule("OI-1")
def test_wait_for_an_unknown_outcome_is_longer_than_the_erps_own_statements(
    make_world: MakeWorld,
) -> None:
    slow = replace(MEMORY_CAPABILITIES, statement_timeout_s=600.0)
    world = make_world(capabilities=slow, script=Script())
    world.store.place_order(harbour_order())
    script_of(world).lost_reply("erp.submit_order")
    world.import_orders()
    world.clock.advance(601)
    world.import_orders()
    assert world.state_of() is LedgerState.SUBMITTING
    world.clock.advance(600)
    world.import_orders()
    assert world.state_of() is LedgerState.ACKNOWLEDGED


@pytest.mark.rule("OI-1")
def test_request_that_was_lost_is_sent_again_and_the_order_is_in_once(scripted: World) -> None:
    scripted.store.place_order(harbour_order())
    script_of(scripted).lost_request("erp.submit_order")
    assert scripted.import_orders().outcome == "try_later"
    assert not scripted.erp.orders

    scripted.clock.advance(HOUR)
    scripted.import_orders()
    assert len(scripted.in_erp()) == 1


@pytest.mark.rule("OI-1")
def test_erp_that_would_take_the_order_twice_is_not_asked_twice(make_world: MakeWorld) -> None:
    kind = replace(MEMORY_CAPABILITIES, unique_external_key=False)
    arrived = make_world(capabilities=kind, script=Script())
    lost = make_world(capabilities=kind, script=Script())
    script_of(arrived).lost_reply("erp.submit_order")
    script_of(lost).crash_before("erp.submit_order")
    arrived.store.place_order(harbour_order())
    lost.store.place_order(harbour_order())
    arrived.import_orders()
    with pytest.raises(Crash):
        lost.import_orders()
    lost.new_process()
    for world in (arrived, lost):
        world.clock.advance(HOUR)
        world.import_orders()

    assert arrived.state_of() is LedgerState.ACKNOWLEDGED, "it was found under our key"
    assert lost.state_of() is LedgerState.REVIEW
    assert not lost.erp.orders
    assert "a person must see whether it arrived" in lost.entry().differences[0]

    assert lost.replay()
    lost.import_orders()
    assert len(lost.in_erp()) == 1


class ErpThatHidesIt(MemoryErp):
    """It has something under our key, says so, and its look-up does not show it."""

    hiding = True

    def submit_order(self, order: SalesOrder, key: IdempotencyKey) -> OrderAcknowledgement:
        if self.hiding:
            self.submitted += 1
            raise Conflict(f"order {order.web_number} is there under {key} already")
        return super().submit_order(order, key)


@pytest.mark.rule("OI-1", "OI-2")
def test_order_that_the_erp_has_and_does_not_find_comes_to_a_person(make_world: MakeWorld) -> None:
    clock = ManualClock()
    erp = ErpThatHidesIt(clock)
    fill_erp(erp)
    world = make_world(clock=clock, erp=erp)
    world.store.place_order(harbour_order())
    for _ in range(5):
        world.import_orders()
        clock.advance(HOUR)

    assert world.state_of() is LedgerState.REVIEW
    assert erp.submitted == 2, "it may have been on its way the first time"
    [told] = world.entry().differences
    for part in (world.entry().key.value, "is there under", "replay", "dismiss"):
        assert part in told

    erp.hiding = False
    assert world.replay()
    world.import_orders()
    assert world.state_of() is LedgerState.ACKNOWLEDGED


class ErpOfSteps(MemoryErp):
    """It numbers an order first and finishes it then; the second step may fail."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.half: dict[IdempotencyKey, SalesOrder] = {}
        self.failing = True

    def find_order(self, key: IdempotencyKey) -> FoundOrder | None:
        if key in self.half:
            return FoundOrder(ErpOrderNumber("S-9"), unfinished=True)
        return super().find_order(key)

    def submit_order(self, order: SalesOrder, key: IdempotencyKey) -> OrderAcknowledgement:
        if self.half.setdefault(key, order) != order:
            raise Conflict("another one", differences=("it ships to 11, not 22",))
        if self.failing:
            raise OutcomeUnknown("no answer to the second step")
        del self.half[key]
        return super().submit_order(order, key)


@pytest.fixture
def half_done(make_world: MakeWorld) -> tuple[World, ErpOfSteps]:
    clock = ManualClock()
    erp = ErpOfSteps(clock)
    fill_erp(erp)
    world = make_world(clock=clock, erp=erp)
    world.store.place_order(harbour_order())
    world.import_orders()
    assert world.state_of() is LedgerState.SUBMITTING
    clock.advance(HOUR)
    return world, erp


@pytest.mark.rule("OI-1")
def test_order_that_is_half_done_in_the_erp_is_finished_and_not_called_imported_before(
    half_done: tuple[World, ErpOfSteps],
) -> None:
    world, erp = half_done
    world.import_orders()
    assert world.state_of() is LedgerState.SUBMITTING

    erp.failing = False
    world.clock.advance(HOUR)
    world.import_orders()
    assert world.state_of() is LedgerState.ACKNOWLEDGED
    assert len(world.in_erp()) == 1


@pytest.mark.rule("OI-1")
def test_order_that_changed_while_it_is_half_done_comes_to_a_person(
    half_done: tuple[World, ErpOfSteps],
) -> None:
    world, erp = half_done
    erp.failing = False
    world.edit(notes="Leave at gate 4")
    world.import_orders()
    assert world.state_of() is LedgerState.REVIEW
    assert world.entry().differences == ("it ships to 11, not 22",)
    assert not erp.orders


@pytest.mark.rule("OI-1", "OI-4")
@pytest.mark.parametrize("gone", [False, True])
def test_order_that_ends_while_it_is_half_done_comes_to_a_person(
    half_done: tuple[World, ErpOfSteps], *, gone: bool
) -> None:
    """Somebody who finds the quotation in the ERP would ship it."""
    world, erp = half_done
    erp.failing = False
    if gone:
        world.store.vanish_order(order_id(1))
    else:
        world.edit(state=OrderState.CANCELLED)
    world.import_orders()
    assert world.state_of() is LedgerState.REVIEW
    [told] = world.entry().differences
    assert "half done as S-9" in told
    assert not erp.orders


@pytest.mark.rule("OI-1")
def test_other_order_under_our_key_goes_to_review(world: World) -> None:
    world.store.place_order(harbour_order())
    world.import_orders()
    key = world.entry().key
    world.erp.edit_order(key, sold_to=CustomerId("C-2002"), total=a.money("1.00"))
    # The state was lost, and is built again from the store.
    world.pipeline = "rebuilt"
    result = world.import_orders()

    assert world.state_of() is LedgerState.REVIEW
    assert result.counts["review"] == 1
    assert any(each.startswith("W-1 to review: ") for each in result.samples)
    assert world.entry().differences == (
        f"the ERP has it under C-2002, not {HARBOUR}",
        "the ERP has a total of 1.00 EUR, not 99.90 EUR",
    )
    assert world.erp.submitted == 1
    notice = world.store.notice(order_id(1))
    assert notice is not None
    assert "C-2002" not in (notice.message or ""), "it may be another buyer's account"


@pytest.mark.rule("OI-1")
def test_state_that_was_lost_is_rebuilt_without_a_second_order(world: World) -> None:
    place_three(world)
    world.import_orders()
    world.pipeline = "rebuilt"
    world.import_orders()

    assert world.erp.submitted == 3
    assert [world.state_of(number) for number in (1, 2, 3)] == [LedgerState.ACKNOWLEDGED] * 3


# Two workers.


@pytest.mark.rule("OI-1")
def test_worker_that_was_overtaken_writes_nothing_more(scripted: World) -> None:
    scripted.store.place_order(harbour_order())

    def another_worker() -> None:
        scripted.clock.advance(HOUR)  # the lease is over
        rescuer = replace(scripted, script=None)
        rescuer.import_orders()

    script_of(scripted).meanwhile("erp.find_order", another_worker)
    result = scripted.import_orders()

    assert len(scripted.in_erp()) == 1
    assert result.counts["taken_over"] == 1
    assert scripted.state_of() is LedgerState.ACKNOWLEDGED


# The process dies.


@pytest.mark.rule("OI-1", "OP-1")
@pytest.mark.parametrize("fault", [Fault.CRASH_BEFORE, Fault.CRASH_AFTER], ids=lambda f: f.value)
@pytest.mark.parametrize(
    "step, point, at",
    [
        ("claim", "state.transaction.exit", 5),
        ("freeze", "state.transaction.exit", 7),
        ("submit", "erp.submit_order", 1),
        ("record", "state.transaction.exit", 8),
        ("show", "store.show_import", 1),
        ("record what is shown", "state.transaction.exit", 12),
    ],
)
def test_process_that_dies_at_a_step_leaves_one_order(
    scripted: World, step: str, point: str, at: int, fault: Fault
) -> None:
    scripted.store.place_order(harbour_order())
    script_of(scripted).fail(point, fault, at=at)
    with pytest.raises(Crash):
        scripted.import_orders()
    assert not script_of(scripted).unused, step
    for _ in range(3):
        scripted.new_process()
        scripted.import_orders()
        scripted.clock.advance(600)

    assert len(scripted.in_erp()) == 1
    assert scripted.erp.submitted == 1
    assert scripted.state_of() is LedgerState.ACKNOWLEDGED


@pytest.mark.rule("OP-1")
def test_watermark_moves_with_the_orders_that_it_covers(make_world: MakeWorld) -> None:
    clock = ManualClock()
    store = MemoryStore(clock=clock, page_size=2)
    fill_store(store)
    for stop in ("store.changed_orders.next", "state.transaction.exit"):
        for at in range(1, 6):
            world = make_world(clock=clock, store=store, script=Script())
            for number in range(1, 8):
                store.place_order(guest_order(number))
            script_of(world).crash_after(stop, at=at)
            with pytest.raises(Crash):
                world.import_orders()
            world.new_process()
            world.import_orders()
            assert [len(world.in_erp(number)) for number in range(1, 8)] == [1] * 7


def test_access_denied_in_the_middle_of_the_work_is_told_as_such(world: World) -> None:
    class Locked(MemoryErp):
        def submit_order(self, order: SalesOrder, key: IdempotencyKey) -> OrderAcknowledgement:
            raise AccessDenied("the password has run out")

    locked = Locked(world.clock)
    fill_erp(locked)
    world.erp_seen = locked
    place_three(world)
    result = world.import_orders()
    assert (result.outcome, result.message) == ("failed", "the password has run out")
    assert world.state_of(2) is LedgerState.DISCOVERED


class Stuck(MemoryErp):
    stuck, asked = True, 0

    def submit_order(self, order: SalesOrder, key: IdempotencyKey) -> OrderAcknowledgement:
        if not self.stuck:
            return super().submit_order(order, key)
        self.asked += 1
        raise OutcomeUnknown("it took the steps, and the order is a draft all the same")


@pytest.mark.rule("OI-1", "OI-2")
def test_an_order_that_never_arrives_and_is_never_answered_is_held_at_last(
    make_world: MakeWorld,
) -> None:
    """An ERP that takes the steps, and leaves them undone, is not asked for ever."""
    clock = ManualClock()
    erp = Stuck(clock)
    fill_erp(erp)
    world = make_world(clock=clock, erp=erp)
    world.store.place_order(harbour_order())
    for _ in range(11):
        world.import_orders()
        clock.advance(HOUR)
    assert world.state_of() is LedgerState.QUARANTINED
    assert world.codes() == {"gave_up"}
    assert (erp.asked, world.in_erp()) == (10, [])

    erp.stuck = False
    assert world.replay()
    world.import_orders()
    assert world.state_of() is LedgerState.ACKNOWLEDGED
    assert len(world.in_erp()) == 1
