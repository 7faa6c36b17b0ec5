"""Orders that change, vanish or come back while we are at work on them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from sync.domain.decision import Closing
from sync.domain.order import Buyer, OrderState, PaymentState
from sync.domain.sales_order import OneOffShipTo
from sync.domain.views import ImportState
from sync.ports.state import LedgerState
from sync.testing import builders as a
from sync.testing.faults import Script
from tests.scenarios.world import (
    HARBOUR,
    MILL,
    MILL_BUYER,
    MILL_ORG,
    MakeWorld,
    World,
    guest_order,
    harbour_order,
    order_id,
    ten,
)

DAY = 86400.0


@pytest.fixture
def scripted(make_world: MakeWorld) -> World:
    return make_world(script=Script())


def script_of(world: World) -> Script:
    assert world.script is not None
    return world.script


# Before the order is in the ERP.


@pytest.mark.rule("OI-5", "OI-1")
def test_order_that_changes_right_before_it_is_sent_goes_in_as_it_is_then(scripted: World) -> None:
    scripted.store.place_order(harbour_order())

    def quantity_changes() -> None:
        lines = (a.a_line(quantity=Decimal(20)),)
        scripted.edit(lines=lines, total=a.money("199.80"))

    script_of(scripted).meanwhile("erp.find_order", quantity_changes)
    scripted.import_orders()

    (row,) = scripted.in_erp()
    assert row.order.lines[0].quantity == 20
    assert row.order.total == a.money("199.80")
    scripted.import_orders()
    assert scripted.state_of() is LedgerState.ACKNOWLEDGED
    assert len(scripted.in_erp()) == 1


@pytest.mark.rule("OI-5", "WA-2d")
def test_order_that_changes_hands_right_before_it_is_sent_goes_into_the_other_account(
    scripted: World,
) -> None:
    scripted.store.place_order(harbour_order(ship_to=a.a_typed_address()))
    other = Buyer(web_user=MILL_BUYER, signed_in=True, organisation=MILL_ORG)
    script_of(scripted).meanwhile("erp.find_order", lambda: scripted.edit(buyer=other))
    scripted.import_orders()

    assert [row.order.sold_to for row in scripted.erp.orders] == [MILL]
    decision = scripted.entry().decision
    assert decision is not None
    assert decision.customer_id == MILL


@pytest.mark.rule("OI-5", "VE-11")
def test_order_that_is_cancelled_right_before_it_is_sent_is_closed(scripted: World) -> None:
    scripted.store.place_order(harbour_order())
    script_of(scripted).meanwhile(
        "erp.find_order", lambda: scripted.edit(state=OrderState.CANCELLED)
    )
    scripted.import_orders()

    assert not scripted.erp.orders
    assert scripted.entry().closing is Closing.CANCELLED


@pytest.mark.rule("OI-5")
def test_order_that_vanishes_right_before_it_is_sent_waits(scripted: World) -> None:
    scripted.store.place_order(harbour_order())
    script_of(scripted).meanwhile(
        "erp.find_order", lambda: scripted.store.vanish_order(order_id(1))
    )
    scripted.import_orders()

    assert not scripted.erp.orders
    assert scripted.entry().waiting_for == "order_vanished"


@pytest.mark.rule("OI-5")
def test_order_that_is_touched_but_not_changed_is_sent_as_decided(scripted: World) -> None:
    scripted.store.place_order(harbour_order())
    script_of(scripted).meanwhile("erp.find_order", lambda: scripted.edit())
    scripted.import_orders()
    scripted.import_orders()

    assert scripted.erp.submitted == 1
    assert scripted.state_of() is LedgerState.ACKNOWLEDGED


@pytest.mark.rule("OI-5")
def test_phantom_that_vanishes_waits_and_is_closed_after_a_long_time(world: World) -> None:
    pending = (a.a_card_payment(state=PaymentState.PENDING),)
    world.store.place_order(guest_order(state=OrderState.CREATED, payments=pending))
    world.import_orders()
    assert world.state_of() is LedgerState.WAITING

    world.store.vanish_order(order_id(1))
    world.clock.advance(1800)
    world.import_orders()
    assert world.entry().waiting_for == "order_vanished"

    world.clock.advance(6 * DAY)
    world.import_orders()
    assert world.state_of() is LedgerState.WAITING

    world.clock.advance(2 * DAY)
    world.import_orders()
    entry = world.entry()
    assert (entry.state, entry.closing) == (LedgerState.CLOSED, Closing.VANISHED)
    assert not world.erp.orders


@pytest.mark.rule("OI-5", "OI-2")
def test_order_that_waited_for_long_is_not_closed_the_moment_it_cannot_be_found(
    world: World,
) -> None:
    order = guest_order(state=OrderState.HELD)
    world.store.place_order(order)
    world.import_orders()
    for _ in range(10):
        world.clock.advance(DAY)
        world.import_orders()
    world.store.vanish_order(order_id(1))
    world.clock.advance(1800)
    world.import_orders()
    assert world.state_of() is LedgerState.WAITING

    released = replace(order, state=OrderState.AWAITING_FULFILMENT, modified_at=world.clock.now())
    world.store.place_order(released)
    world.clock.advance(1800)
    world.import_orders()
    assert len(world.in_erp()) == 1


@pytest.mark.rule("OI-5")
def test_phantom_that_comes_back_is_imported(world: World) -> None:
    pending = (a.a_card_payment(state=PaymentState.PENDING),)
    order = guest_order(state=OrderState.CREATED, payments=pending)
    world.store.place_order(order)
    world.import_orders()
    world.store.vanish_order(order_id(1))
    world.clock.advance(1800)
    world.import_orders()

    world.store.place_order(
        replace(
            order,
            state=OrderState.AWAITING_FULFILMENT,
            payments=(a.a_card_payment(),),
            modified_at=world.clock.now(),
        )
    )
    world.import_orders()
    assert len(world.in_erp()) == 1


@pytest.mark.rule("OI-2", "OI-5")
def test_order_that_is_opened_again_after_its_closing_goes_to_a_person(world: World) -> None:
    world.store.place_order(guest_order(state=OrderState.CANCELLED))
    world.import_orders()
    assert world.state_of() is LedgerState.CLOSED

    world.edit(state=OrderState.AWAITING_FULFILMENT)
    result = world.import_orders()
    assert world.state_of() is LedgerState.REVIEW
    assert result.counts["review"] == 1
    assert not world.erp.orders

    assert world.replay()
    world.import_orders()
    assert len(world.in_erp()) == 1


# After the order is in the ERP.


def imported(world: World) -> None:
    world.store.place_order(harbour_order())
    world.import_orders()
    assert len(world.in_erp()) == 1


@pytest.mark.rule("OI-4")
def test_late_edit_goes_to_review_with_what_changed_and_never_in_again(world: World) -> None:
    imported(world)
    lines = (a.a_line(quantity=Decimal(12)), a.a_line(line_id="2", quantity=Decimal(1)))
    world.edit(lines=lines, total=a.money("129.87"), ship_to=a.a_typed_address())
    result = world.import_orders()

    entry = world.entry()
    assert entry.state is LedgerState.REVIEW
    assert entry.differences == (
        (
            "Lines: line 1 changed: 10 x BOLT-M8 at 9.9900 EUR to 12 x BOLT-M8 at 9.9900 EUR; "
            "line 2 added: 1 x BOLT-M8."
        ),
        "The total was changed from 99.90 EUR to 129.87 EUR.",
        "The ship to was changed.",
    )
    assert result.counts["review"] == 1
    assert any("W-1" in remark for remark in result.remarks)
    world.replay()
    world.import_orders()
    assert world.erp.submitted == 1
    assert len(world.in_erp()) == 1


@pytest.mark.rule("OI-4")
@pytest.mark.parametrize("state", [OrderState.CANCELLED, OrderState.REFUNDED])
def test_late_cancellation_goes_to_review(world: World, state: OrderState) -> None:
    imported(world)
    world.edit(state=state)
    world.import_orders()

    entry = world.entry()
    assert entry.state is LedgerState.REVIEW
    assert entry.differences == (f"The order was {state.value} in the store after its import.",)
    notice = world.store.notice(order_id(1))
    assert notice is not None
    assert notice.state is ImportState.PROCESSED, "the ERP has the order"


@pytest.mark.rule("OI-4")
def test_late_refund_of_a_payment_goes_to_review(world: World) -> None:
    world.store.place_order(guest_order())
    world.import_orders()
    world.edit(payments=(a.a_card_payment(state=PaymentState.REFUNDED),))
    world.import_orders()
    assert world.state_of() is LedgerState.REVIEW


@pytest.mark.rule("OI-4")
def test_progress_in_the_store_is_no_late_change(world: World) -> None:
    world.store.place_order(guest_order())
    world.import_orders()
    world.edit(payments=(a.a_card_payment(state=PaymentState.CAPTURED),))
    world.import_orders()
    world.edit(state=OrderState.PARTLY_FULFILLED)
    world.import_orders()
    world.edit(state=OrderState.FULFILLED)
    world.import_orders()
    assert world.state_of() is LedgerState.ACKNOWLEDGED


@pytest.mark.rule("OI-4")
def test_order_that_becomes_unreadable_after_its_import_goes_to_review(world: World) -> None:
    imported(world)
    world.clock.advance(60)
    world.store.place_order(
        a.an_unreadable_order(order_id=order_id(1), modified_at=world.clock.now())
    )
    world.import_orders()
    entry = world.entry()
    assert entry.state is LedgerState.REVIEW
    assert "lines[0].quantity" in entry.differences[0]


@pytest.mark.rule("OI-4")
def test_accepted_difference_is_not_raised_again_by_progress(world: World) -> None:
    imported(world)
    world.edit(notes="leave it at the gate")
    world.import_orders()
    assert world.state_of() is LedgerState.REVIEW
    assert world.dismiss(reason="told the warehouse")
    world.import_orders()
    assert world.state_of() is LedgerState.ACKNOWLEDGED

    world.edit(state=OrderState.FULFILLED)
    world.import_orders()
    assert world.state_of() is LedgerState.ACKNOWLEDGED

    world.edit(notes="at the dock after all")
    world.import_orders()
    assert world.state_of() is LedgerState.REVIEW


@pytest.mark.rule("OI-4", "OI-1")
def test_edit_while_the_outcome_is_unknown_is_judged_against_what_was_sent(
    scripted: World,
) -> None:
    scripted.store.place_order(harbour_order())
    script_of(scripted).lost_reply("erp.submit_order")
    scripted.import_orders()
    assert scripted.state_of() is LedgerState.SUBMITTING

    scripted.edit(ship_to=a.a_typed_address())
    scripted.clock.advance(600)
    scripted.import_orders()

    (row,) = scripted.in_erp()
    assert not isinstance(row.order.ship_to, OneOffShipTo)
    entry = scripted.entry()
    assert entry.state is LedgerState.REVIEW
    assert entry.differences == ("The ship to was changed.",)


@pytest.mark.rule("OI-1", "OI-5")
def test_edit_after_a_request_that_was_lost_is_what_goes_in(scripted: World) -> None:
    scripted.store.place_order(harbour_order())
    script_of(scripted).lost_request("erp.submit_order")
    assert scripted.import_orders().outcome == "try_later"
    scripted.edit(ship_to=a.a_typed_address())
    scripted.clock.advance(600)
    scripted.import_orders()

    (row,) = scripted.in_erp()
    assert isinstance(row.order.ship_to, OneOffShipTo)
    assert row.order.sold_to == HARBOUR
    assert scripted.state_of() is LedgerState.ACKNOWLEDGED


@pytest.mark.rule("OI-4")
def test_order_is_never_cancelled_in_the_erp_by_guess(world: World) -> None:
    imported(world)
    world.store.vanish_order(order_id(1))
    world.clock.advance(30 * DAY)
    world.cycle()
    assert len(world.in_erp()) == 1
    assert world.state_of() is LedgerState.ACKNOWLEDGED


@pytest.mark.rule("OI-5")
def test_price_that_changes_overnight_does_not_change_what_the_buyer_pays(world: World) -> None:
    midnight = datetime(2025, 3, 4, 0, 5, tzinfo=UTC)
    world.store.place_order(harbour_order(state=OrderState.HELD, **ten("9.9900")))
    world.import_orders()
    world.erp.set_price(a.a_price("12.0000"))
    world.clock.set_wall_clock(midnight)
    world.edit(state=OrderState.AWAITING_FULFILMENT)
    world.import_orders()
    (row,) = world.in_erp()
    assert row.order.lines[0].unit_price == a.money("9.9900")
