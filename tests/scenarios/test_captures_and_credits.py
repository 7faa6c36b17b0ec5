"""After the import: shipments are captured in the store, refunds credited in the ERP (OI-10)."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

import pytest

from sync.domain.ids import IdempotencyKey
from sync.domain.order import OrderState, PaymentState, WebOrder
from sync.domain.sales_order import ErpOrderState, LineStatus, OrderStatus
from sync.domain.settlement import CaptureState, settlement_key
from sync.explaining import explain_order
from sync.flows.context import Limits, OrderLimits
from sync.flows.cycle import run_flow
from sync.ports.erp import UnreadableRecord
from sync.ports.settlements import SettlementKind, SettlementState
from sync.ports.state import LedgerState
from sync.testing import builders as a
from sync.testing.clock import ManualClock
from sync.testing.erp import MemoryErp
from sync.testing.faults import Crash, Fault, Script
from tests.scenarios.test_balances import without
from tests.scenarios.world import (
    WEB,
    MakeWorld,
    World,
    fill_erp,
    guest_order,
    harbour_order,
    order_id,
)

pytestmark = pytest.mark.rule("OI-10")

BOTH = Limits(orders=OrderLimits(capture_channels=[WEB.value], credit_channels=[WEB.value]))
LATER = 1000.0
ONE = order_id(1)


def imported(world: World) -> World:
    world.store.place_order(guest_order(1))
    world.import_orders()
    assert world.state_of() is LedgerState.ACKNOWLEDGED
    return world


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    """A guest's order over 99.90, authorised on a card, is in the ERP."""
    return imported(make_world(script=Script(), limits=BOTH))


def ship(world: World, shipped: int, state: ErpOrderState | None = None) -> None:
    """So many of the ten have left by now."""
    key = world.entry().key
    lines = (LineStatus(1, a.SKU, Decimal(10), Decimal(shipped), Decimal(10 - shipped)),)
    default = ErpOrderState.SHIPPED if shipped == 10 else ErpOrderState.PARTLY_SHIPPED
    held = world.erp.statuses[key]
    status = OrderStatus(state or default, held.number, lines=lines)
    world.erp.set_order_status(key, status)


def captured(world: World) -> list[str]:
    found = world.store.captures([ONE]).get(ONE, ())
    return [str(each.amount) for each in found if each.state is CaptureState.CAPTURED]


def settle(world: World, runs: int = 3) -> None:
    """Runs until everything has come to rest."""
    for _ in range(runs):
        world.clock.advance(LATER)
        world.import_orders()
        world.run("order_status")


def refund_states(world: World) -> dict[str, SettlementState]:
    with world.state.transaction() as state:
        held = state.settlements.of(ONE)
    return {each.number: each.state for each in held if each.kind is SettlementKind.REFUND}


def script_of(world: World) -> Script:
    assert world.script is not None
    return world.script


# Captures.


def test_by_default_nothing_is_captured(make_world: MakeWorld) -> None:
    world = imported(make_world())
    ship(world, 10)
    settle(world)
    assert dict(world.store.captures([ONE])) == {}


def test_what_has_left_is_captured_once_and_the_rest_when_it_leaves(world: World) -> None:
    ship(world, 6)
    result = world.run("order_status")
    assert result.counts["captured"] == 1
    assert result.samples == ["W-1: partly shipped", "W-1 captured: 59.94 EUR"]
    assert captured(world) == ["59.94 EUR"]
    settle(world)
    assert captured(world) == ["59.94 EUR"]
    ship(world, 10)
    assert world.run("order_status").counts["captured"] == 1
    assert captured(world) == ["59.94 EUR", "39.96 EUR"]
    ship(world, 10, ErpOrderState.INVOICED)
    settle(world)
    assert captured(world) == ["59.94 EUR", "39.96 EUR"]
    assert world.state_of() is LedgerState.ACKNOWLEDGED
    order = world.store.order(ONE)
    assert isinstance(order, WebOrder)
    assert [each.state for each in order.payments] == [PaymentState.CAPTURED]


@pytest.mark.parametrize("state", [ErpOrderState.OPEN, ErpOrderState.PICKED])
def test_what_has_not_left_is_not_captured(world: World, state: ErpOrderState) -> None:
    ship(world, 0, state)
    settle(world)
    assert captured(world) == []


def test_order_of_another_channel_is_not_captured(make_world: MakeWorld) -> None:
    limits = Limits(orders=OrderLimits(capture_channels=["trade"]))
    world = imported(make_world(limits=limits))
    ship(world, 10)
    settle(world)
    assert dict(world.store.captures([ONE])) == {}


def test_order_on_account_terms_is_not_captured(make_world: MakeWorld) -> None:
    world = make_world(limits=BOTH)
    world.store.place_order(harbour_order(1))
    world.import_orders()
    ship(world, 10)
    settle(world)
    assert dict(world.store.captures([ONE])) == {}
    assert world.state_of() is LedgerState.ACKNOWLEDGED


def test_never_more_than_was_authorised(make_world: MakeWorld) -> None:
    world = make_world(limits=BOTH)
    card = a.a_card_payment(amount=a.money("60.00"))
    paid = a.a_card_payment(
        amount=a.money("39.90"), reference="pay_124", state=PaymentState.CAPTURED
    )
    world.store.place_order(guest_order(1, payments=(card, paid)))
    world.import_orders()
    ship(world, 6)
    settle(world)
    assert captured(world) == ["20.04 EUR"]
    ship(world, 10)
    settle(world)
    assert captured(world) == ["20.04 EUR", "39.96 EUR"]


@pytest.mark.parametrize("state", [PaymentState.EXPIRED, PaymentState.DECLINED])
def test_authorisation_that_is_gone_sends_the_order_to_a_person(
    world: World, state: PaymentState
) -> None:
    world.edit(payments=(a.a_card_payment(state=state),))
    ship(world, 10)
    world.run("order_status")
    assert captured(world) == []
    assert world.state_of() is LedgerState.REVIEW
    assert any(f"the authorisation is {state.value}" in each for each in world.entry().differences)
    [said] = world.entry().differences
    settle(world)
    assert said in world.entry().differences


def test_authorisation_that_has_ended_by_then_is_not_asked_for(make_world: MakeWorld) -> None:
    world = make_world(limits=BOTH)
    end = world.clock.now().replace(year=2026)
    world.store.place_order(guest_order(1, payments=(a.a_card_payment(expires_at=end),)))
    world.import_orders()
    world.clock.advance(2 * 365 * 86400)
    ship(world, 10)
    world.run("order_status")
    assert world.state_of() is LedgerState.REVIEW
    assert "the authorisation ended at" in " ".join(world.entry().differences)


def test_capture_that_the_store_refuses_later_is_for_a_person(world: World) -> None:
    world.store.captures_later = True
    ship(world, 6)
    world.run("order_status")
    settle(world)
    assert (captured(world), world.state_of()) == ([], LedgerState.ACKNOWLEDGED)
    world.store.settle_captures(CaptureState.REFUSED, "the bank said no")
    world.clock.advance(LATER)
    world.run("order_status")
    assert world.state_of() is LedgerState.REVIEW
    assert "the bank said no" in " ".join(world.entry().differences)


def test_capture_that_the_store_makes_later_is_waited_for_and_not_asked_again(
    world: World,
) -> None:
    world.store.captures_later = True
    ship(world, 6)
    settle(world)
    ship(world, 10)
    settle(world)
    assert len(world.store.captures([ONE])[ONE]) == 1
    world.store.settle_captures(CaptureState.CAPTURED)
    world.store.captures_later = False
    settle(world)
    assert captured(world) == ["59.94 EUR", "39.96 EUR"]


def test_lost_answer_is_looked_up_before_it_is_asked_again(world: World) -> None:
    script_of(world).lost_reply("store.capture")
    ship(world, 6)
    result = world.run("order_status")
    assert result.counts["outcome_unknown"] == 1
    world.run("order_status")
    assert script_of(world).count("store.capture") == 1, "not before its moment has come"
    settle(world)
    assert script_of(world).count("store.capture") == 1
    assert captured(world) == ["59.94 EUR"]
    with world.state.transaction() as state:
        held = state.settlements.of(ONE)
    assert {each.state for each in held} == {SettlementState.DONE}


def test_request_that_never_arrived_is_asked_again_under_the_same_key(world: World) -> None:
    script_of(world).crash_before("store.capture")
    ship(world, 6)
    with pytest.raises(Crash):
        world.run("order_status")
    world.new_process()
    settle(world)
    assert captured(world) == ["59.94 EUR"]


def test_one_that_arrives_after_all_is_not_captured_twice(world: World) -> None:
    script = script_of(world)
    script.fail("store.capture", Fault.OVERTAKEN)
    script.keep_on_its_way = True
    ship(world, 6)
    world.run("order_status")
    world.clock.advance(LATER)
    world.run("order_status")
    script.keep_on_its_way = False
    script.arrive()
    settle(world)
    assert captured(world) == ["59.94 EUR"]


def test_state_that_was_lost_captures_nothing_again(make_world: MakeWorld) -> None:
    world = imported(make_world(limits=BOTH))
    ship(world, 6)
    world.run("order_status")
    fresh = imported_again(make_world, world)
    ship(fresh, 6, ErpOrderState.PARTLY_SHIPPED)
    settle(fresh)
    assert captured(fresh) == ["59.94 EUR"]


def imported_again(make_world: MakeWorld, world: World) -> World:
    """The same systems with a state that knows nothing."""
    fresh = make_world(erp=world.erp, store=world.store, clock=world.clock, limits=BOTH)
    fresh.import_orders()
    return fresh


def test_store_that_captures_nothing_is_left_alone_and_said_so(world: World) -> None:
    ship(world, 10)
    store = without(world.store, "capture", "captures")
    result = run_flow(replace(world.context(), store=store), "order_status")
    assert result.outcome == "ok"
    assert any("captures nothing" in each for each in result.remarks)


def test_order_that_the_store_cancelled_is_not_captured(world: World) -> None:
    world.edit(state=OrderState.CANCELLED)
    ship(world, 10)
    settle(world)
    assert captured(world) == []
    assert world.state_of() is LedgerState.REVIEW


def never_arrived(world: World) -> None:
    """Six of ten have left, and the request for a capture was lost on its way."""
    script_of(world).lost_request("store.capture")
    ship(world, 6)
    world.run("order_status")
    assert (script_of(world).count("store.capture"), captured(world)) == (1, [])


def test_request_that_never_arrived_is_not_asked_again_of_an_order_cancelled_since(
    world: World,
) -> None:
    never_arrived(world)
    world.edit(state=OrderState.CANCELLED)
    settle(world)
    assert captured(world) == []
    assert world.state_of() is LedgerState.REVIEW
    assert script_of(world).count("store.capture") == 1


def test_request_that_never_arrived_is_asked_again_over_what_is_owed_by_now(world: World) -> None:
    never_arrived(world)
    whole = a.a_card_payment(amount=a.money("99.90"))
    world.edit(total=a.money("20.00"), payments=(whole,))
    settle(world)
    assert captured(world) == ["20.00 EUR"]


def test_request_that_never_arrived_is_dropped_where_a_person_captured_meanwhile(
    world: World,
) -> None:
    never_arrived(world)
    world.edit(payments=(a.a_card_payment(state=PaymentState.CAPTURED),))
    settle(world)
    assert captured(world) == []
    with world.state.transaction() as state:
        held = state.settlements.of(ONE)
    assert [each for each in held if each.due_at is not None] == []
    assert {each.state for each in held if each.kind is SettlementKind.CAPTURE} == {
        SettlementState.DROPPED
    }
    steps = " ".join(explain_order(world.context(), "W-1")["steps"])
    assert "A capture of 59.94 EUR did not reach the store" in steps


def test_request_that_never_arrived_goes_to_a_person_where_the_authorisation_ended(
    world: World,
) -> None:
    never_arrived(world)
    world.edit(payments=(a.a_card_payment(state=PaymentState.EXPIRED),))
    settle(world)
    assert script_of(world).count("store.capture") == 1
    assert "the authorisation is expired" in " ".join(world.entry().differences)


def test_request_that_was_dropped_is_made_when_so_much_is_wanted_again(world: World) -> None:
    never_arrived(world)
    whole = a.a_card_payment(amount=a.money("99.90"))
    world.edit(total=a.money("0.00"), payments=(whole,))
    ship(world, 5)
    settle(world)
    assert captured(world) == []
    world.edit(total=a.money("99.90"))
    ship(world, 6)
    settle(world)
    assert captured(world) == ["59.94 EUR"]


def test_payment_that_a_person_captured_is_not_asked_for_beside_the_others(
    make_world: MakeWorld,
) -> None:
    world = make_world(limits=BOTH)
    one = a.a_card_payment(amount=a.money("60.00"))
    two = a.a_card_payment(amount=a.money("39.90"), reference="pay_124")
    world.store.place_order(guest_order(1, payments=(one, two)))
    world.import_orders()
    world.edit(payments=(one, replace(two, state=PaymentState.CAPTURED)))
    ship(world, 6)
    settle(world)
    assert captured(world) == ["20.04 EUR"]
    ship(world, 10)
    settle(world)
    assert captured(world) == ["20.04 EUR", "39.96 EUR"]
    assert world.state_of() is LedgerState.ACKNOWLEDGED


def under_other_numbers(world: World) -> None:
    """All ten have left, under a line number that is none of the order's."""
    key = world.entry().key
    lines = (LineStatus(10000, a.SKU, Decimal(10), Decimal(10), Decimal(0)),)
    held = world.erp.statuses[key]
    world.erp.set_order_status(key, OrderStatus(ErpOrderState.SHIPPED, held.number, lines=lines))


def test_shipment_under_line_numbers_of_its_own_is_for_a_person(world: World) -> None:
    under_other_numbers(world)
    settle(world)
    assert captured(world) == []
    assert world.state_of() is LedgerState.REVIEW
    assert "lines that the order has not (10000)" in " ".join(world.entry().differences)


@pytest.mark.parametrize(
    "order",
    [
        guest_order(1, payments=(a.a_card_payment(state=PaymentState.CAPTURED),)),
        harbour_order(1),
    ],
    ids=["captured", "on terms"],
)
def test_shipment_under_other_line_numbers_with_nothing_to_capture_asks_nobody(
    make_world: MakeWorld, order: WebOrder
) -> None:
    world = make_world(limits=BOTH)
    world.store.place_order(order)
    world.import_orders()
    under_other_numbers(world)
    settle(world)
    assert world.state_of() is LedgerState.ACKNOWLEDGED


# Refunds.


def test_by_default_each_refund_is_a_question_to_a_person(make_world: MakeWorld) -> None:
    world = imported(make_world())
    world.store.refund(ONE, a.money("12.10"), "R-1")
    world.import_orders()
    assert world.state_of() is LedgerState.REVIEW
    assert "12.10 EUR was refunded in the store (refund R-1)" in world.entry().differences[0]
    assert world.erp.credits == ()
    assert world.dismiss(reason="credited by hand")
    settle(world)
    assert world.state_of() is LedgerState.ACKNOWLEDGED, "it is asked once"
    world.store.refund(ONE, a.money("1.00"), "R-2")
    settle(world)
    assert "R-2" in " ".join(world.entry().differences)
    assert "R-1" not in " ".join(world.entry().differences)


def test_refund_becomes_one_credit_request_in_the_erp(world: World) -> None:
    world.store.refund(ONE, a.money("12.10"), "R-1")
    result = world.import_orders()
    assert result.counts["credited"] == 1
    settle(world)
    [credit] = world.erp.credits
    assert re.fullmatch(r"W-1 credited as \S+: 12\.10 EUR", result.samples[-1])
    row = world.in_erp()[0]
    assert (credit.amount, credit.sold_to, credit.refund.value) == (
        a.money("12.10"),
        row.order.sold_to,
        "R-1",
    )
    assert (credit.order, credit.erp_order) == (row.key, row.number)
    assert world.state_of() is LedgerState.ACKNOWLEDGED, "nothing is left for a person"
    world.store.refund(ONE, a.money("2.00"), "R-2")
    settle(world)
    assert [each.refund.value for each in world.erp.credits] == ["R-1", "R-2"]


def test_refund_from_before_the_import_is_credited_too(make_world: MakeWorld) -> None:
    world = make_world(limits=BOTH)
    world.store.place_order(guest_order(1, refunds=(a.a_refund(),)))
    world.import_orders()
    settle(world)
    assert [each.amount for each in world.erp.credits] == [a.money("12.10")]


def test_refund_of_everything_after_it_was_shipped_is_a_credit_and_no_question(
    world: World,
) -> None:
    ship(world, 10)
    world.run("order_status")
    world.store.refund(ONE, a.money("99.90"), "R-1")
    world.edit(state=OrderState.REFUNDED, payments=(a.a_card_payment(state=PaymentState.REFUNDED),))
    settle(world)
    assert [each.amount for each in world.erp.credits] == [a.money("99.90")]
    assert world.state_of() is LedgerState.ACKNOWLEDGED


@pytest.mark.rule("OI-4")
def test_refund_of_everything_before_it_was_shipped_is_a_question_too(world: World) -> None:
    world.store.refund(ONE, a.money("99.90"), "R-1")
    world.edit(state=OrderState.REFUNDED)
    settle(world)
    assert len(world.erp.credits) == 1
    assert world.state_of() is LedgerState.REVIEW
    assert "was refunded in the store after its import" in world.entry().differences[0]


def test_credit_that_the_erp_refuses_is_for_a_person(world: World) -> None:
    world.erp.refuse_credits()
    world.store.refund(ONE, a.money("12.10"), "R-1")
    world.import_orders()
    assert world.state_of() is LedgerState.REVIEW
    assert "the period is closed" in world.entry().differences[0]
    world.erp.refuse_credits(False)
    settle(world)
    assert world.erp.credits == (), "the person has it in hand"
    assert refund_states(world) == {"R-1": SettlementState.FOR_A_PERSON}


def test_erp_that_takes_no_credits_leaves_each_refund_to_a_person(world: World) -> None:
    world.erp_seen = without(world.erp, "request_credit", "find_credit")
    world.store.refund(ONE, a.money("12.10"), "R-1")
    world.import_orders()
    assert world.state_of() is LedgerState.REVIEW


def test_lost_answer_of_the_erp_is_looked_up(world: World) -> None:
    script_of(world).lost_reply("erp.request_credit")
    world.store.refund(ONE, a.money("12.10"), "R-1")
    assert world.import_orders().counts["outcome_unknown"] == 1
    settle(world)
    assert script_of(world).count("erp.request_credit") == 1
    assert len(world.erp.credits) == 1
    assert refund_states(world) == {"R-1": SettlementState.DONE}


def test_crash_after_the_credit_credits_it_once(world: World) -> None:
    script_of(world).crash_after("erp.request_credit")
    world.store.refund(ONE, a.money("12.10"), "R-1")
    with pytest.raises(Crash):
        world.import_orders()
    world.new_process()
    settle(world)
    assert len(world.erp.credits) == 1


def test_erp_that_takes_a_key_twice_is_not_asked_twice(make_world: MakeWorld) -> None:
    from sync.testing.erp import MEMORY_CAPABILITIES

    capabilities = replace(MEMORY_CAPABILITIES, unique_external_key=False)
    world = imported(make_world(script=Script(), limits=BOTH, capabilities=capabilities))
    script_of(world).lost_request("erp.request_credit")
    world.store.refund(ONE, a.money("12.10"), "R-1")
    world.import_orders()
    settle(world)
    assert world.erp.credits == ()
    assert world.state_of() is LedgerState.REVIEW
    assert "Whether refund R-1 of 12.10 EUR is credited" in " ".join(world.entry().differences)


def test_state_that_was_lost_credits_nothing_again(make_world: MakeWorld) -> None:
    world = imported(make_world(limits=BOTH))
    world.store.refund(ONE, a.money("12.10"), "R-1")
    settle(world)
    fresh = imported_again(make_world, world)
    settle(fresh)
    assert len(world.erp.credits) == 1


def test_refund_that_is_told_otherwise_later_is_for_a_person(world: World) -> None:
    world.store.refund(ONE, a.money("12.10"), "R-1")
    settle(world)
    order = world.store.order(ONE)
    assert isinstance(order, WebOrder)
    [refund] = order.refunds
    world.edit(refunds=(replace(refund, amount=a.money("50.00")),))
    settle(world)
    assert len(world.erp.credits) == 1


def cancelled_with_refund(make_world: MakeWorld) -> World:
    """A captured order that the store cancels and gives back, before anything has left."""
    orders = OrderLimits(
        capture_channels=[WEB.value], credit_channels=[WEB.value], pass_on_cancellations=True
    )
    world = make_world(script=Script(), limits=Limits(orders=orders))
    paid = a.a_card_payment(state=PaymentState.CAPTURED)
    world.store.place_order(guest_order(1, payments=(paid,)))
    world.import_orders()
    world.store.refund(ONE, a.money("99.90"), "R-1")
    back = replace(paid, state=PaymentState.REFUNDED)
    world.edit(state=OrderState.CANCELLED, payments=(back,))
    return world


@pytest.mark.rule("OI-4")
def test_refund_of_an_order_that_the_erp_cancelled_is_for_a_person_and_no_credit(
    make_world: MakeWorld,
) -> None:
    world = cancelled_with_refund(make_world)
    settle(world)
    assert world.erp.statuses[world.entry().key].state is ErpOrderState.CANCELLED
    assert world.erp.credits == ()
    assert world.state_of() is LedgerState.REVIEW
    assert "the ERP has the order as cancelled" in " ".join(world.entry().differences)
    assert refund_states(world) == {"R-1": SettlementState.FOR_A_PERSON}


@pytest.mark.rule("OI-4")
def test_refund_waits_until_it_is_known_whether_the_order_is_cancelled(
    make_world: MakeWorld,
) -> None:
    world = cancelled_with_refund(make_world)
    script_of(world).lost_request("erp.cancel_order")
    world.import_orders()
    assert world.entry().cancel_due_at is not None
    assert (world.erp.credits, refund_states(world)) == ((), {"R-1": SettlementState.WANTED})
    settle(world)
    assert world.erp.credits == ()
    assert refund_states(world) == {"R-1": SettlementState.FOR_A_PERSON}


@pytest.mark.rule("OI-4")
def test_refund_of_an_order_that_the_erp_did_not_cancel_any_more_is_credited(
    make_world: MakeWorld,
) -> None:
    world = cancelled_with_refund(make_world)
    ship(world, 10)
    settle(world)
    assert [each.amount for each in world.erp.credits] == [a.money("99.90")]


def test_credit_over_another_amount_under_the_key_of_the_refund_is_for_a_person(
    world: World,
) -> None:
    entry = world.entry()
    length = world.erp.capabilities.external_key_length
    key = settlement_key(entry.key, "refund", "R-1", length)
    of_another_amount = a.a_credit_request(order=entry.key, amount=a.money("1.21"))
    world.erp.request_credit(of_another_amount, key)
    world.store.refund(ONE, a.money("12.10"), "R-1")
    settle(world)
    assert len(world.erp.credits) == 1
    assert refund_states(world) == {"R-1": SettlementState.FOR_A_PERSON}
    assert world.state_of() is LedgerState.REVIEW
    assert "The ERP has 1.21 EUR under the key of refund R-1" in " ".join(world.entry().differences)


class UnreadableStatus(MemoryErp):
    """The status of no order can be read for now."""

    odd: tuple[UnreadableRecord, ...] = ()

    def order_statuses(
        self, keys: Collection[IdempotencyKey]
    ) -> Mapping[IdempotencyKey, OrderStatus]:
        return {} if self.odd else super().order_statuses(keys)

    def take_unreadable(self) -> Sequence[UnreadableRecord]:
        return self.odd


def test_refund_of_an_order_whose_status_cannot_be_read_waits(make_world: MakeWorld) -> None:
    clock = ManualClock()
    erp = UnreadableStatus(clock)
    fill_erp(erp)
    world = imported(make_world(clock=clock, erp=erp, limits=BOTH))
    erp.odd = (UnreadableRecord("order_status", world.entry().key.value, "state", "is odd"),)
    world.store.refund(ONE, a.money("12.10"), "R-1")
    settle(world)
    assert refund_states(world) == {"R-1": SettlementState.WANTED}
    erp.odd = ()
    settle(world)
    assert [each.amount for each in world.erp.credits] == [a.money("12.10")]
