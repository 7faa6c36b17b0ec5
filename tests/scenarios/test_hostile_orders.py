"""Orders under circumstances that nobody would wish for: none is lost, doubled or misled."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from sync.domain.account import AccountStatus, Item
from sync.domain.decision import Closing
from sync.domain.ids import IdempotencyKey, Sku, WebOrderId, WebOrderNumber
from sync.domain.mapping import Assignment
from sync.domain.order import Approval, OrderDiscount, OrderState, PaymentState
from sync.domain.sales_order import FoundOrder, OrderAcknowledgement, SalesOrder
from sync.domain.views import ImportNotice, ImportState
from sync.errors import Rejected
from sync.flows.context import Limits, OrderLimits
from sync.ports.state import LedgerState
from sync.testing import builders as a
from sync.testing.clock import ManualClock
from sync.testing.erp import MEMORY_CAPABILITIES, MemoryErp
from sync.testing.faults import Crash, Script
from sync.testing.store import MemoryStore
from tests.scenarios.world import (
    ASSIGNMENTS,
    HARBOUR_ORG,
    MILL,
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
DAY = 86400.0


# Clocks.


@pytest.mark.rule("OI-2", "OI-1")
def test_store_whose_clock_was_ahead_for_a_while_loses_no_order_afterwards(world: World) -> None:
    tomorrow = world.clock.now() + timedelta(days=1)
    world.store.place_order(guest_order(1, modified_at=tomorrow))
    world.import_orders()
    world.clock.advance(300)  # and somebody corrects the store's clock
    world.store.place_order(guest_order(2, modified_at=world.clock.now()))
    world.clock.advance(300)
    world.import_orders()

    assert [len(world.in_erp(number)) for number in (1, 2)] == [1, 1]


@pytest.mark.rule("OI-2", "OP-1")
def test_order_that_the_store_commits_minutes_late_is_found_by_the_next_run(world: World) -> None:
    world.import_orders()
    world.clock.advance(HOUR)
    world.store.place_order(guest_order(1, modified_at=world.clock.now()))
    world.import_orders()
    late = world.clock.now() - timedelta(minutes=5)
    world.clock.advance(60)
    world.store.place_order(guest_order(2, modified_at=late))
    world.import_orders()
    assert [len(world.in_erp(number)) for number in (1, 2)] == [1, 1]


@pytest.mark.rule("OP-2", "OI-2")
@pytest.mark.parametrize("scope", ["channel", "since", "until"])
def test_run_for_a_part_says_nothing_of_the_rest(world: World, scope: str) -> None:
    world.import_orders()
    for number in (1, 2, 3):
        world.clock.advance(2 * HOUR)
        world.store.place_order(guest_order(number, modified_at=world.clock.now()))
    now = world.clock.now()
    parts: dict[str, Any] = {"channel": "trade", "since": now, "until": now - timedelta(hours=3)}
    world.run("orders", **{scope: parts[scope]})
    world.import_orders()
    assert [len(world.in_erp(number)) for number in (1, 2, 3)] == [1, 1, 1]


@pytest.mark.rule("OP-1", "OI-2")
@pytest.mark.parametrize("at", range(1, 8))
def test_process_that_dies_over_a_page_finds_all_of_its_orders_again(
    make_world: MakeWorld, at: int
) -> None:
    clock = ManualClock()
    store = MemoryStore(clock=clock, page_size=3)
    fill_store(store)
    world = make_world(clock=clock, store=store)
    store.place_order(guest_order(1))
    world.import_orders()
    # Further apart than the overlap reaches, and nobody looks further back today.
    for number in (2, 3, 4):
        clock.advance(2 * HOUR)
        store.place_order(guest_order(number, modified_at=clock.now()))
    world.script = Script().crash_before("state.transaction.exit", at=at)
    with pytest.raises(Crash):
        world.import_orders()
    world.new_process()
    world.script = None
    world.import_orders()
    clock.advance(HOUR)
    world.import_orders()
    assert [len(world.in_erp(number)) for number in (1, 2, 3, 4)] == [1] * 4


@pytest.mark.rule("OI-4")
def test_order_stamped_by_a_clock_that_was_ahead_can_still_be_cancelled(world: World) -> None:
    tomorrow = world.clock.now() + timedelta(days=1)
    world.store.place_order(guest_order(1, modified_at=tomorrow))
    world.import_orders()
    assert world.state_of() is LedgerState.ACKNOWLEDGED
    world.edit(state=OrderState.CANCELLED)  # the store's clock is right again
    world.import_orders()

    assert world.state_of() is LedgerState.REVIEW


@pytest.mark.rule("OI-2", "OP-1")
def test_order_that_the_store_commits_hours_late_is_found_within_a_day(world: World) -> None:
    world.store.place_order(guest_order(1, modified_at=world.clock.now()))
    world.import_orders()
    world.clock.advance(6 * HOUR)
    world.store.place_order(guest_order(2, modified_at=world.clock.now()))
    world.import_orders()
    # A marketplace order of three hours ago, handed over by the store only now.
    stamped = world.clock.now() - timedelta(hours=3)
    world.store.place_order(guest_order(3, placed_at=stamped, modified_at=stamped))
    for _ in range(25):
        world.clock.advance(HOUR)
        world.import_orders()

    assert [len(world.in_erp(number)) for number in (1, 2, 3)] == [1, 1, 1]


@pytest.mark.rule("OI-1")
def test_service_that_is_new_at_an_old_shop_brings_in_nothing_twice(world: World) -> None:
    start = world.clock.now() - timedelta(hours=1)
    world.limits = Limits(orders=OrderLimits(placed_since=start))
    # Years of orders, which people typed into the ERP by hand.
    for number in (1, 2):
        old = start - timedelta(days=400 * number)
        world.store.place_order(guest_order(number, placed_at=old, modified_at=world.clock.now()))
    world.store.place_order(guest_order(3, placed_at=start))
    assert world.run("orders", dry_run=True).counts == {
        "orders_before_start": 2,
        "would_be_admitted": 1,
    }
    result = world.import_orders()
    assert result.counts["orders_before_start"] == 2
    assert [len(world.in_erp(number)) for number in (1, 2, 3)] == [0, 0, 1]

    world.run("orders", order="order-2")
    assert len(world.in_erp(2)) == 1, "a person named it"
    world.edit(2, state=OrderState.CANCELLED)
    world.import_orders()
    assert world.state_of(2) is LedgerState.REVIEW, "from then on it is one of ours"


# What is sent after an outage is judged by the facts of that moment.


@pytest.fixture
def stuck(make_world: MakeWorld) -> World:
    """The process died when it was to send a card order and one on terms; nothing arrived."""
    world = make_world(script=Script())
    soon = world.clock.now() + timedelta(hours=2)
    world.store.place_order(guest_order(1, payments=(a.a_card_payment(expires_at=soon),)))
    world.store.place_order(harbour_order(2))
    assert world.script is not None
    world.script.crash_before("erp.submit_order")
    with pytest.raises(Crash):
        world.import_orders()
    world.new_process()
    assert [world.state_of(number) for number in (1, 2)] == [LedgerState.SUBMITTING] * 2
    return world


@pytest.mark.rule("OI-5", "OI-1")
def test_authorisation_that_ended_during_an_outage_is_not_sent(stuck: World) -> None:
    stuck.clock.advance(3 * HOUR)
    stuck.import_orders()
    assert stuck.codes(1) == {"payment_expired"}
    assert [len(stuck.in_erp(number)) for number in (1, 2)] == [0, 1]


@pytest.mark.rule("VE-3", "OI-1")
def test_account_that_was_suspended_during_an_outage_gets_no_order(stuck: World) -> None:
    stuck.erp.change_account(a.ACCOUNT, status=AccountStatus.SUSPENDED)
    stuck.clock.advance(HOUR)
    stuck.import_orders()
    assert stuck.codes(2) == {"account_not_active"}
    assert [len(stuck.in_erp(number)) for number in (1, 2)] == [1, 0]


@pytest.mark.rule("OI-1", "OI-4")
def test_write_that_outlives_the_process_is_waited_for_as_long_as_it_may_take(
    make_world: MakeWorld,
) -> None:
    slow = replace(MEMORY_CAPABILITIES, statement_timeout_s=600.0)
    world = make_world(capabilities=slow, script=Script())
    world.store.place_order(harbour_order())
    assert world.script is not None
    world.script.crash_before("erp.submit_order")
    with pytest.raises(Crash):
        world.import_orders()
    world.new_process()
    sent = world.entry().frozen
    assert sent is not None

    # The ERP is still at it when the buyer cancels.
    world.clock.advance(400)
    world.edit(state=OrderState.CANCELLED)
    world.import_orders()
    world.erp.submit_order(sent, world.entry().key)
    for _ in range(5):
        world.clock.advance(400)
        world.import_orders()

    assert len(world.in_erp()) == 1
    assert world.state_of() is LedgerState.REVIEW, "somebody must hear that it was cancelled"


@pytest.mark.rule("OI-1", "OI-2")
def test_order_that_surely_never_left_needs_no_person_in_an_erp_that_would_take_it_twice(
    make_world: MakeWorld,
) -> None:
    trusting = replace(MEMORY_CAPABILITIES, unique_external_key=False)
    world = make_world(capabilities=trusting, script=Script())
    world.store.place_order(harbour_order())
    assert world.script is not None
    world.script.lost_request("erp.submit_order")
    assert world.import_orders().outcome == "try_later"
    world.clock.advance(HOUR)
    world.import_orders()
    assert world.state_of() is LedgerState.ACKNOWLEDGED
    assert len(world.in_erp()) == 1


# What the ERP refused can be sent again.


class ErpThatKeepsRefused(MemoryErp):
    """It files what it refuses under our key, with its reason, until a better one comes."""

    refusing = True

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.refused: dict[IdempotencyKey, SalesOrder] = {}

    def find_order(self, key: IdempotencyKey) -> FoundOrder | None:
        if key in self.refused:
            return FoundOrder(None, self.refused[key].sold_to, refusal="period is closed")
        return super().find_order(key)

    def submit_order(self, order: SalesOrder, key: IdempotencyKey) -> OrderAcknowledgement:
        if self.refusing:
            self.refused[key] = order
            raise Rejected("period is closed", code="period", remedy="open the period")
        self.refused.pop(key, None)
        return super().submit_order(order, key)


@pytest.mark.rule("WA-13", "OI-2")
def test_order_that_the_erp_filed_as_refused_can_be_sent_again(make_world: MakeWorld) -> None:
    clock = ManualClock()
    erp = ErpThatKeepsRefused(clock)
    fill_erp(erp)
    world = make_world(clock=clock, erp=erp)
    world.store.place_order(harbour_order())
    world.import_orders()
    assert world.codes() == {"erp_refused"}
    erp.refusing = False
    world.import_orders()
    assert not erp.orders, "only a person replays"

    assert world.replay()
    world.import_orders()
    assert len(world.in_erp()) == 1
    assert world.state_of() is LedgerState.ACKNOWLEDGED


@pytest.mark.rule("OI-2")
def test_order_that_the_erp_filed_as_refused_is_not_sent_again_by_itself(
    make_world: MakeWorld,
) -> None:
    clock = ManualClock()
    erp = ErpThatKeepsRefused(clock)
    fill_erp(erp)
    world = make_world(clock=clock, erp=erp)
    world.store.place_order(harbour_order())
    world.import_orders()
    erp.refusing = False
    world.pipeline = "rebuilt"  # the state was lost meanwhile
    world.import_orders()
    assert world.codes() == {"erp_refused"}
    assert not erp.orders


class ErpThatIsUnsure(MemoryErp):
    """Staff copied an order, and two have our key now."""

    def find_order(self, key: IdempotencyKey) -> FoundOrder | None:
        raise Rejected("find_order answers 2 rows", code="erp_ambiguous", remedy="see which")


@pytest.mark.rule("OI-1", "OI-2")
def test_order_that_the_erp_may_have_twice_comes_to_a_person(stuck: World) -> None:
    unsure = ErpThatIsUnsure(stuck.clock)
    fill_erp(unsure)
    stuck.erp_seen = unsure
    stuck.clock.advance(HOUR)
    stuck.store.place_order(mill_order(3))
    result = stuck.import_orders()

    assert result.outcome == "ok"
    assert [stuck.state_of(number) for number in (1, 2)] == [LedgerState.REVIEW] * 2
    assert "2 rows" in stuck.entry(1).differences[0]
    assert stuck.codes(3) == {"erp_refused"}, "nothing was sent, so it can wait for a replay"
    assert not unsure.orders

    stuck.erp_seen = None
    for number in (1, 2, 3):
        assert stuck.replay(number)
    stuck.import_orders()
    assert [len(stuck.in_erp(number)) for number in (1, 2, 3)] == [1, 1, 1]


# What changes after the import.


@pytest.mark.rule("OI-4")
@pytest.mark.parametrize(
    "changes",
    [
        {"payments": (a.a_card_payment(method="gift_card"),)},
        {"payments": (a.a_card_payment(amount=a.money("9.90")),)},
        {"payments": ()},
        {"payments": (a.a_card_payment(state=PaymentState.DECLINED),)},
        {"approval": Approval.REFUSED},
    ],
    ids=["other means", "other amount", "no payment", "declined", "approval refused"],
)
def test_payment_or_approval_that_changes_after_the_import_is_told(
    world: World, changes: dict[str, Any]
) -> None:
    world.store.place_order(guest_order())
    world.import_orders()
    world.edit(**changes)
    world.import_orders()
    assert world.state_of() is LedgerState.REVIEW
    assert world.entry().differences


@pytest.mark.rule("OI-4")
def test_payment_that_is_captured_after_the_import_is_no_change(world: World) -> None:
    failed = a.a_card_payment(state=PaymentState.DECLINED, reference="pay_122")
    world.store.place_order(guest_order(payments=(failed, a.a_card_payment())))
    world.import_orders()
    captured = a.a_card_payment(state=PaymentState.CAPTURED, reference="capture_9")
    world.edit(payments=(captured,), state=OrderState.FULFILLED)
    world.import_orders()
    assert world.state_of() is LedgerState.ACKNOWLEDGED


# What the store shows.


class TwoShowers(MemoryStore):
    """Shows a slow "pending" only after a quick "processed", in a shop with two threads."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock=clock)
        self.asked, self.may_go_on = threading.Event(), threading.Event()
        self.slow_one_recorded, self.quick_one_recorded = threading.Event(), threading.Event()

    def show_import(self, order_id: WebOrderId, notice: ImportNotice) -> None:
        if notice.state is ImportState.PENDING:
            self.asked.set()
            assert self.may_go_on.wait(20)
        super().show_import(order_id, notice)
        if notice.state is ImportState.PROCESSED and not self.may_go_on.is_set():
            self.may_go_on.set()
            assert self.slow_one_recorded.wait(20)

    def between_recording_and_looking_again(self) -> None:
        self.slow_one_recorded.set()
        assert self.quick_one_recorded.wait(20)


@pytest.mark.rule("WA-13", "OI-3")
def test_notice_that_overtakes_a_slower_one_is_shown_in_the_end(make_world: MakeWorld) -> None:
    clock = ManualClock()
    store = TwoShowers(clock)
    fill_store(store)
    world = make_world(clock=clock, store=store)
    order = harbour_order()
    store.place_order(order)
    with world.state.transaction() as state:
        state.ledger.discover(order, clock.now())
    # The order status flow shows what it finds, while the import goes on beside it.
    script = Script()
    script.meanwhile("state.transaction.enter", store.between_recording_and_looking_again, at=5)
    other = replace(world, script=script)
    slow = threading.Thread(target=lambda: other.run("order_status"))
    slow.start()
    assert store.asked.wait(20)
    world.import_orders()
    store.quick_one_recorded.set()
    slow.join(20)
    assert not slow.is_alive()
    assert not script.unused
    world.import_orders()

    notice = store.notice(order_id(1))
    assert notice is not None
    assert notice.state is ImportState.PROCESSED
    assert world.state_of() is LedgerState.ACKNOWLEDGED


class ErpThatBlabs(MemoryErp):
    def items(self, skus: Collection[Sku]) -> Mapping[Sku, Item]:
        raise ZeroDivisionError("row of Bo Mill on sql-01.internal, user erp_reader")


@pytest.mark.rule("WA-13", "OP-7")
def test_buyer_is_not_shown_what_went_wrong_inside(make_world: MakeWorld) -> None:
    clock = ManualClock()
    erp = ErpThatBlabs(clock)
    fill_erp(erp)
    world = make_world(clock=clock, erp=erp)
    world.limits = Limits(orders=OrderLimits(give_up_after_attempts=1))
    world.store.place_order(harbour_order())
    world.import_orders()

    assert world.codes() == {"gave_up"}
    notice = world.store.notice(order_id(1))
    assert notice is not None
    assert notice.state is ImportState.ABORTED
    assert "sql-01" not in (notice.message or "")
    assert any("ZeroDivisionError" in step for step in world.entry().trail), "staff must see it"
    kept = [row for row in world.dump() if "sql-01" in row or "Bo Mill" in row]
    assert not kept, "what an unforeseen error quotes may be a secret"


@pytest.mark.rule("WA-13", "WA-2c")
def test_buyer_is_not_shown_which_accounts_a_mistake_in_the_mapping_names(world: World) -> None:
    other = Assignment(MILL, organisation=HARBOUR_ORG, origin="customers.csv:9")
    world.remap(assignments=(*ASSIGNMENTS, other))
    world.store.place_order(harbour_order())
    world.import_orders()

    assert world.codes() == {"assignment_conflict"}
    notice = world.store.notice(order_id(1))
    assert notice is not None
    assert notice.message
    assert MILL.value not in notice.message
    assert "customers.csv" not in notice.message


# What a person asks for.


@pytest.mark.rule("OP-2")
def test_name_that_stands_for_two_orders_is_refused(world: World) -> None:
    namesake = replace(harbour_order(1), number=WebOrderNumber("order-2"))
    world.store.place_order(namesake)
    world.store.place_order(mill_order(2))
    world.remap(assignments=())
    world.import_orders()
    result = world.run("orders", order="order-2")
    assert result.outcome == "failed"
    assert "order-1" in result.message
    assert "order-2" in result.message


@pytest.mark.rule("OP-2")
def test_run_for_an_order_that_nothing_is_done_about_says_so(world: World) -> None:
    pending = (a.a_card_payment(state=PaymentState.PENDING),)
    world.store.place_order(guest_order(1, payments=pending))
    world.store.place_order(harbour_order(2, total=a.money("1.00")))
    world.import_orders()
    waiting = world.run("orders", order="W-1")
    assert any("waiting" in remark for remark in waiting.remarks)
    held = world.run("orders", order="W-2")
    assert any("quarantined" in remark for remark in held.remarks)


# Amounts.


@pytest.mark.rule("OI-7")
@pytest.mark.parametrize("on_terms", [True, False])
def test_order_over_less_than_nothing_is_quarantined(world: World, on_terms: bool) -> None:
    changes: dict[str, Any] = {
        "discounts": (OrderDiscount("COUPON", a.money("150.00")),),
        "total": a.money("-50.10"),
    }
    if on_terms:
        world.store.place_order(harbour_order(**changes))
    else:
        paid = (a.a_card_payment(amount=a.money("-50.10")),)
        world.store.place_order(guest_order(**changes, payments=paid))
    world.import_orders()
    assert "total_mismatch" in world.codes()
    assert not world.erp.orders


@pytest.mark.rule("OI-5", "OI-2")
def test_order_that_was_closed_and_never_sent_stays_closed(world: World) -> None:
    world.store.place_order(harbour_order(state=OrderState.CANCELLED))
    world.import_orders()
    assert world.entry().closing is Closing.CANCELLED
    for _ in range(3):
        world.clock.advance(DAY)
        world.import_orders()
    assert not world.erp.orders
