"""The store cancels an order after its import: passed on to the ERP once, or told to a person."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from sync.domain.ids import IdempotencyKey
from sync.domain.order import OrderState, PaymentState
from sync.domain.sales_order import ErpOrderState, OrderStatus
from sync.errors import Misconfigured, SyncError, TryLater
from sync.flows.context import Limits, OrderLimits
from sync.ports.erp import UnreadableRecord
from sync.ports.state import LedgerState
from sync.testing import builders as a
from sync.testing.clock import ManualClock
from sync.testing.erp import MemoryErp
from sync.testing.faults import Crash, Fault, Script
from tests.scenarios.world import MakeWorld, World, fill_erp, guest_order, harbour_order, order_id

pytestmark = pytest.mark.rule("OI-4")

PASSED_ON = Limits(orders=OrderLimits(pass_on_cancellations=True))
LOOK_AGAIN_S = 91.0


def imported(world: World, **changes: Any) -> World:
    world.store.place_order(harbour_order(**changes))
    world.import_orders()
    assert world.state_of() is LedgerState.ACKNOWLEDGED
    return world


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    """One order is in the ERP, and cancellations are passed on."""
    return imported(make_world(script=Script(), limits=PASSED_ON))


def cancel(world: World) -> None:
    world.edit(state=OrderState.CANCELLED)


def erp_state(world: World) -> ErpOrderState:
    return world.erp.statuses[world.entry().key].state


def ship(world: World, state: ErpOrderState = ErpOrderState.SHIPPED) -> None:
    status = world.erp.statuses[world.entry().key]
    world.erp.set_order_status(world.entry().key, replace(status, state=state))


def events(world: World) -> list[str]:
    with world.state.transaction() as state:
        return [each.event for each in state.ledger.history(order_id(1))]


def script_of(world: World) -> Script:
    assert world.script is not None
    return world.script


def test_by_default_a_person_is_told_and_the_erp_is_left_alone(make_world: MakeWorld) -> None:
    world = imported(make_world())
    cancel(world)
    assert world.import_orders().counts["review"] == 1
    assert world.entry().differences == ("The order was cancelled in the store after its import.",)
    assert world.erp.cancellations == 0
    assert erp_state(world) is ErpOrderState.OPEN


@pytest.mark.rule("OI-3")
def test_an_open_order_is_cancelled_in_the_erp_once_and_the_store_shows_it(world: World) -> None:
    cancel(world)
    result = world.import_orders()
    assert result.counts["cancelled_in_erp"] == 1
    assert result.samples == ["W-1 cancelled in the ERP"]
    assert erp_state(world) is ErpOrderState.CANCELLED
    assert world.state_of() is LedgerState.ACKNOWLEDGED, "nothing is left for a person"
    for _ in range(3):
        world.clock.advance(3600)
        assert "cancelled_in_erp" not in world.import_orders().counts
    assert world.erp.cancellations == 1
    assert len(world.in_erp()) == 1
    world.run("order_status")
    shown = world.store.shown_order_statuses([order_id(1)])[order_id(1)]
    assert shown.state is ErpOrderState.CANCELLED


@pytest.mark.parametrize(
    "state",
    [
        ErpOrderState.PICKED,
        ErpOrderState.PARTLY_SHIPPED,
        ErpOrderState.SHIPPED,
        ErpOrderState.INVOICED,
    ],
)
def test_an_order_that_somebody_works_on_is_for_a_person(
    world: World, state: ErpOrderState
) -> None:
    ship(world, state)
    cancel(world)
    world.import_orders()
    (said,) = world.entry().differences
    assert f"had it as {state.value.replace('_', ' ')} already" in said
    assert world.erp.cancellations == 0
    assert world.state_of() is LedgerState.REVIEW
    assert world.dismiss()
    world.clock.advance(3600)
    world.import_orders()
    assert world.state_of() is LedgerState.ACKNOWLEDGED
    assert world.erp.cancellations == 0


def test_an_order_that_leaves_between_the_look_and_the_attempt_is_for_a_person(
    world: World,
) -> None:
    script_of(world).meanwhile("erp.cancel_order", lambda: ship(world))
    cancel(world)
    world.import_orders()
    (said,) = world.entry().differences
    assert "the ERP does not cancel it: the order is shipped already" in said
    assert erp_state(world) is ErpOrderState.SHIPPED


@pytest.mark.parametrize("fault", [Fault.LOST_REPLY, Fault.CRASH_AFTER, Fault.CRASH_BEFORE])
def test_an_attempt_without_an_answer_is_looked_up_before_any_other(
    world: World, fault: Fault
) -> None:
    script_of(world).fail("erp.cancel_order", fault)
    cancel(world)
    try:
        world.import_orders()
    except Crash:
        world.new_process()
    told = world.erp.cancellations
    world.clock.advance(60)
    world.import_orders()
    assert world.erp.cancellations == told, "too soon: it may still be on its way"
    assert world.state_of() is LedgerState.ACKNOWLEDGED
    world.clock.advance(LOOK_AGAIN_S)
    assert world.import_orders().counts["cancelled_in_erp"] == 1
    assert erp_state(world) is ErpOrderState.CANCELLED
    assert world.erp.cancellations == 1, "one that arrived is not repeated, one that did not is"


def test_an_erp_that_never_answers_ends_with_a_person(world: World) -> None:
    class Deaf(type(world.erp)):  # type: ignore[misc]
        def cancel_order(self, key: object) -> None:
            self.cancellations += 1

    world.erp.__class__ = Deaf
    for attempt in range(1, 9):
        script_of(world).lost_reply("erp.cancel_order", at=attempt)
    cancel(world)
    for _ in range(8):
        world.import_orders()
        world.clock.advance(LOOK_AGAIN_S)
    assert world.erp.cancellations == 3
    (said,) = world.entry().differences
    assert "asked 3 times without effect" in said


def test_an_erp_that_is_away_is_asked_again_as_often_as_it_takes(world: World) -> None:
    for attempt in range(1, 6):
        script_of(world).lost_request("erp.cancel_order", at=attempt)
    cancel(world)
    for _ in range(5):
        assert world.import_orders().outcome == "try_later"
        assert world.state_of() is LedgerState.ACKNOWLEDGED
        world.clock.advance(31)
    assert world.import_orders().counts["cancelled_in_erp"] == 1
    assert world.erp.cancellations == 1


def test_a_settings_error_in_the_steps_stops_the_flow_and_loses_nothing(world: World) -> None:
    def stumble() -> None:
        raise Misconfigured("no such table")

    script_of(world).meanwhile("erp.cancel_order", stumble)
    cancel(world)
    assert world.import_orders().outcome == "failed"
    world.clock.advance(31)
    assert world.import_orders().counts["cancelled_in_erp"] == 1


def test_a_cancellation_that_is_taken_back_before_it_was_passed_on_changes_nothing(
    world: World,
) -> None:
    script_of(world).lost_request("erp.order_statuses", at=1)
    world.limits = replace(world.limits, patience=replace(world.limits.patience, attempts=1))
    cancel(world)
    assert world.import_orders().outcome == "try_later"
    world.edit(state=OrderState.AWAITING_FULFILMENT)
    world.import_orders()
    world.clock.advance(3600)
    world.import_orders()
    assert world.erp.cancellations == 0
    assert erp_state(world) is ErpOrderState.OPEN
    assert world.state_of() is LedgerState.ACKNOWLEDGED


@pytest.mark.rule("OI-4", "OP-1")
@pytest.mark.parametrize("error", [TryLater, Misconfigured])
def test_an_attempt_that_fails_after_the_store_took_it_back_wants_nothing_any_more(
    world: World, error: type[SyncError]
) -> None:
    """Another worker has seen the order open again, and asked a person, by then."""

    def opened_again() -> None:
        world.edit(state=OrderState.AWAITING_FULFILMENT)
        world.import_orders()
        assert world.state_of() is LedgerState.REVIEW
        raise error("the ERP is away")

    script_of(world).meanwhile("erp.cancel_order", opened_again)
    cancel(world)
    assert world.import_orders().outcome != "ok"
    for _ in range(3):
        world.clock.advance(3600)
        world.import_orders()
    assert world.erp.cancellations == 0
    assert erp_state(world) is ErpOrderState.OPEN
    assert world.state_of() is LedgerState.REVIEW


@pytest.mark.parametrize("answered", [True, False])
def test_an_order_that_is_opened_again_after_the_erp_was_asked_is_for_a_person(
    world: World, answered: bool
) -> None:
    if not answered:
        script_of(world).lost_reply("erp.cancel_order")
    cancel(world)
    world.import_orders()
    world.edit(state=OrderState.AWAITING_FULFILMENT)
    world.import_orders()
    assert world.state_of() is LedgerState.REVIEW
    assert any("open again" in each for each in world.entry().differences)
    assert len(world.in_erp()) == 1, "and never a second order"
    world.clock.advance(3600)
    world.import_orders()
    assert world.erp.cancellations == 1


def test_the_refund_that_follows_a_cancellation_is_no_news(make_world: MakeWorld) -> None:
    world = make_world(limits=PASSED_ON)
    world.store.place_order(guest_order())
    world.import_orders()
    cancel(world)
    world.import_orders()
    world.edit(state=OrderState.REFUNDED, payments=(a.a_card_payment(state=PaymentState.REFUNDED),))
    world.import_orders()
    assert world.state_of() is LedgerState.ACKNOWLEDGED


def test_a_refund_alone_is_still_for_a_person(make_world: MakeWorld) -> None:
    world = imported(make_world(limits=PASSED_ON))
    world.edit(state=OrderState.REFUNDED)
    world.import_orders()
    assert world.state_of() is LedgerState.REVIEW
    assert world.erp.cancellations == 0


def test_an_order_in_a_persons_hands_is_not_cancelled_under_them(world: World) -> None:
    world.edit(notes="Leave it at the gate.")
    world.import_orders()
    assert world.state_of() is LedgerState.REVIEW
    cancel(world)
    world.import_orders()
    assert world.erp.cancellations == 0
    assert any("cancelled in the store" in each for each in world.entry().differences)


def test_an_order_that_the_erp_lost_is_for_a_person(world: World) -> None:
    cancel(world)
    world.erp._statuses.clear()
    world.import_orders()
    (said,) = world.entry().differences
    assert "does not find it under its key" in said


def test_an_erp_that_cancels_nothing_leaves_it_to_a_person(make_world: MakeWorld) -> None:
    world = imported(make_world(limits=PASSED_ON))

    class Old:
        """The ERP but for its cancelling."""

        def __getattr__(self, name: str) -> Any:
            if name == "cancel_order":
                raise AttributeError(name)
            return getattr(world.erp, name)

    world.erp_seen = Old()
    cancel(world)
    world.import_orders()
    assert world.state_of() is LedgerState.REVIEW
    assert world.erp.cancellations == 0


def test_what_was_wanted_while_the_erp_could_is_told_when_it_cannot_any_more(
    make_world: MakeWorld,
) -> None:
    world = imported(make_world(limits=PASSED_ON))
    cancel(world)
    with world.state.transaction() as state:
        state.ledger.discover(world.store.order(order_id(1)), world.clock.now())  # type: ignore[arg-type]
        state.ledger.want_cancelled(order_id(1), world.clock.now())

    class Old:
        def __getattr__(self, name: str) -> Any:
            if name == "cancel_order":
                raise AttributeError(name)
            return getattr(world.erp, name)

    world.erp_seen = Old()
    world.import_orders()
    (said,) = world.entry().differences
    assert "this ERP cancels none by itself" in said


def test_a_cancellation_before_the_import_needs_no_erp(make_world: MakeWorld) -> None:
    world = make_world(limits=PASSED_ON)
    world.store.place_order(harbour_order(state=OrderState.HELD))
    world.import_orders()
    cancel(world)
    world.import_orders()
    assert world.state_of() is LedgerState.CLOSED
    assert world.erp.cancellations == 0


def test_every_step_of_it_is_in_the_history(world: World) -> None:
    cancel(world)
    world.import_orders()
    assert events(world)[-4:] == ["changed", "cancel_wanted", "cancel_asked", "cancelled"]


class Blurred(MemoryErp):
    """Holds statuses that cannot be read, on request."""

    blurred = False
    _told: tuple[UnreadableRecord, ...] = ()

    def order_statuses(
        self, keys: Collection[IdempotencyKey]
    ) -> Mapping[IdempotencyKey, OrderStatus]:
        if not self.blurred:
            return super().order_statuses(keys)
        self._told = tuple(
            UnreadableRecord("order_status", key.value, "state", "no such state", None)
            for key in keys
        )
        return {}

    def take_unreadable(self) -> Sequence[UnreadableRecord]:
        told, self._told = self._told, ()
        return told


def test_a_status_that_cannot_be_read_leaves_the_cancellation_to_a_later_run(
    make_world: MakeWorld,
) -> None:
    clock = ManualClock()
    erp = Blurred(clock)
    fill_erp(erp)
    world = imported(make_world(clock=clock, erp=erp, limits=PASSED_ON))
    erp.blurred = True
    cancel(world)
    for _ in range(2):
        result = world.import_orders()
        assert result.counts["unreadable"] == 1
        assert any("no such state" in remark for remark in result.remarks)
        assert world.state_of() is LedgerState.ACKNOWLEDGED
        assert erp.cancellations == 0
        world.clock.advance(3600)
    erp.blurred = False
    world.import_orders()
    assert world.state_of() is LedgerState.ACKNOWLEDGED
    assert erp.cancellations == 1
    assert erp_state(world) is ErpOrderState.CANCELLED
