"""Orders that a person must look at: why they stopped, and how they go on."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from sync.domain.account import CreditStatus
from sync.domain.decision import Closing
from sync.domain.ids import ChannelId, Sku
from sync.domain.mapping import Assignment, RefusedAssignment
from sync.domain.order import Buyer, OrderState, Payment, PaymentState
from sync.domain.views import ImportState
from sync.ports.state import LedgerState
from sync.testing import builders as a
from sync.testing.erp import MEMORY_CAPABILITIES
from tests.scenarios.world import (
    ASSIGNMENTS,
    HARBOUR,
    HARBOUR_ORG,
    MILL,
    MILL_ORG,
    RETAIL,
    TRADE,
    MakeWorld,
    World,
    guest_order,
    harbour_order,
    mill_order,
    order_id,
)


@pytest.mark.rule("OI-2", "WA-2a")
def test_quarantined_order_says_what_is_wrong_and_the_way_out(world: World) -> None:
    world.remap(assignments=())
    world.store.place_order(harbour_order())
    result = world.import_orders()

    (problem,) = world.entry().problems
    assert problem.code == "organisation_unmapped"
    assert str(HARBOUR_ORG) in problem.sentence
    assert "Assign organisation" in problem.remedy
    assert world.entry().trail
    assert result.counts["quarantined"] == 1
    assert result.outcome == "ok"
    notice = world.store.notice(order_id(1))
    assert notice is not None
    assert (notice.state, notice.message) == (ImportState.ABORTED, problem.sentence)


@pytest.mark.rule("OI-2", "WA-2d")
def test_replay_after_a_correction_of_the_mapping_decides_anew(world: World) -> None:
    world.remap(assignments=())
    world.store.place_order(harbour_order())
    world.import_orders()
    world.remap(assignments=ASSIGNMENTS)
    world.import_orders()
    assert not world.erp.orders, "only a person replays"
    assert world.entry().mapping_version == "v2"

    assert world.replay()
    world.import_orders()

    (row,) = world.in_erp()
    assert row.order.sold_to == HARBOUR
    decision = world.entry().decision
    assert decision is not None
    assert decision.mapping_version == "v3"
    notice = world.store.notice(order_id(1))
    assert notice is not None
    assert notice.state is ImportState.PROCESSED


@pytest.mark.rule("WA-2d")
def test_change_of_the_mapping_does_not_move_an_order_that_was_written(world: World) -> None:
    world.store.place_order(harbour_order())
    world.cycle()
    moved = Assignment(MILL, organisation=HARBOUR_ORG, origin="customers.csv:2")
    world.remap(assignments=(moved, ASSIGNMENTS[1]))
    world.clock.advance(86400)
    world.cycle()

    assert not world.replay()
    world.cycle()

    assert [row.order.sold_to for row in world.erp.orders] == [HARBOUR]
    decision = world.entry().decision
    assert decision is not None
    assert (decision.customer_id, decision.mapping_version) == (HARBOUR, "v1")


@pytest.mark.rule("WA-2d", "OI-2")
def test_quarantined_order_goes_where_the_mapping_says_at_its_replay(world: World) -> None:
    world.erp.refuse_item(a.SKU)
    world.store.place_order(harbour_order(ship_to=a.a_typed_address()))
    world.import_orders()
    moved = Assignment(MILL, organisation=HARBOUR_ORG, origin="customers.csv:2")
    world.remap(assignments=(moved, ASSIGNMENTS[1]))
    world.erp.accept_item(a.SKU)
    world.replay()
    world.import_orders()

    assert [row.order.sold_to for row in world.erp.orders] == [MILL]


@pytest.mark.rule("OI-2")
def test_dismissed_order_is_never_imported_whatever_the_store_says_later(world: World) -> None:
    world.remap(assignments=())
    world.store.place_order(harbour_order())
    world.import_orders()
    assert world.dismiss(reason="the buyer ordered by phone")
    world.import_orders()
    world.remap(assignments=ASSIGNMENTS)
    world.edit(notes="please hurry")
    world.import_orders()

    assert not world.replay()
    world.import_orders()

    entry = world.entry()
    assert (entry.state, entry.closing) == (LedgerState.CLOSED, Closing.DISMISSED)
    assert entry.closing_note == "the buyer ordered by phone"
    assert not world.erp.orders
    notice = world.store.notice(order_id(1))
    assert notice is not None
    assert (notice.state, notice.message) == (ImportState.ABORTED, "the buyer ordered by phone")


@pytest.mark.rule("OI-2")
def test_each_step_of_an_order_can_be_told_afterwards(world: World) -> None:
    world.remap(assignments=())
    world.store.place_order(harbour_order())
    world.import_orders()
    world.remap(assignments=ASSIGNMENTS)
    world.replay()
    world.import_orders()

    with world.state.transaction() as state:
        history = state.ledger.history(order_id(1))
    told = [event.event for event in history]
    steps = ["discovered", "claimed", "quarantined", "replayed", "admitted", "imported"]
    assert [step for step in told if step in steps and step != "claimed"] == [
        step for step in steps if step != "claimed"
    ]
    assert {event.actor for event in history if event.event == "replayed"} == {"ann"}


@pytest.mark.rule("OI-2")
def test_correction_in_the_store_cures_an_order_without_a_replay(world: World) -> None:
    world.store.place_order(harbour_order(total=a.money("1.00")))
    world.import_orders()
    assert "total_mismatch" in world.codes()

    world.edit(total=a.money("99.90"))
    world.import_orders()

    assert len(world.in_erp()) == 1


@pytest.mark.rule("OI-2")
def test_order_that_cannot_be_read_is_kept_and_imported_once_it_can(world: World) -> None:
    world.store.place_order(a.an_unreadable_order(order_id=order_id(1)))
    world.import_orders()
    assert world.codes() == {"order_unreadable"}

    world.clock.advance(60)
    world.store.place_order(harbour_order(1, modified_at=world.clock.now()))
    world.import_orders()

    assert len(world.in_erp()) == 1


@pytest.mark.rule("OI-2")
def test_refusal_of_the_erp_is_quarantined_in_the_erps_own_words(world: World) -> None:
    world.erp.refuse_item(a.SKU, "blocked by quality assurance")
    world.store.place_order(harbour_order())
    result = world.import_orders()

    (problem,) = world.entry().problems
    assert problem.code == "erp_refused"
    assert "blocked by quality assurance" in problem.sentence
    assert "release the item" in problem.remedy
    assert result.outcome == "ok"

    world.erp.accept_item(a.SKU)
    world.replay()
    world.import_orders()
    assert len(world.in_erp()) == 1


@pytest.mark.rule("OI-2", "WA-13")
def test_every_reason_is_named_at_once(world: World) -> None:
    world.store.place_order(
        harbour_order(
            lines=(a.a_line(sku=Sku("NO-SUCH")),),
            ship_to=None,
            total=a.money("1.00"),
            payments=(Payment("barter"),),
        )
    )
    world.import_orders()
    assert world.codes() == {
        "item_unknown",
        "ship_to_missing",
        "total_mismatch",
        "payment_method_unmapped",
    }


@pytest.mark.rule("OI-5", "WA-5")
def test_authorisation_that_ends_before_the_order_is_written_quarantines_it(world: World) -> None:
    soon = world.clock.now() + timedelta(minutes=5)
    world.store.place_order(
        guest_order(payments=(a.a_card_payment(expires_at=soon),), state=OrderState.HELD)
    )
    world.import_orders()
    world.edit(state=OrderState.AWAITING_FULFILMENT)
    world.clock.advance(600)
    world.import_orders()

    assert world.codes() == {"payment_expired"}
    assert not world.erp.orders

    renewed = world.clock.now() + timedelta(days=7)
    world.edit(payments=(a.a_card_payment(reference="pay_456", expires_at=renewed),))
    world.import_orders()
    (row,) = world.in_erp()
    assert row.order.payments[0].reference == "pay_456"


@pytest.mark.rule("WA-2c")
@pytest.mark.parametrize("trouble", ["unknown", "inactive", "prospect"])
def test_order_under_an_unusable_account_never_slips_into_the_retail_group(
    world: World, trouble: str
) -> None:
    if trouble == "unknown":
        world.erp.remove_account(HARBOUR)
    elif trouble == "inactive":
        world.erp.change_account(HARBOUR, active=False)
    else:
        world.erp.change_account(HARBOUR, prospect=True)
    world.store.place_order(harbour_order(payments=(a.a_card_payment(),)))
    world.import_orders()

    assert world.codes() == {f"customer_{trouble}"}
    assert not world.erp.orders


@pytest.mark.rule("WA-2b", "WA-2c")
def test_order_of_a_user_whom_the_store_maps_to_a_retail_group_is_quarantined(
    world: World,
) -> None:
    world.store.add_user(a.a_web_user(memberships=(), staff_customer_id=RETAIL.value))
    buyer = Buyer(web_user=a.WEB_USER, signed_in=True)
    world.store.place_order(guest_order(buyer=buyer))
    world.import_orders()

    assert world.codes() == {"retail_group_as_individual"}


@pytest.mark.rule("WA-2c")
def test_order_under_a_refused_assignment_is_not_unmapped(world: World) -> None:
    refused = RefusedAssignment(
        "it names a retail group", "write the own ID", organisation=HARBOUR_ORG
    )
    world.remap(assignments=(), refused=(refused,))
    world.store.place_order(harbour_order())
    world.import_orders()
    assert world.codes() == {"assignment_refused"}


@pytest.mark.rule("WA-2a", "TL-1")
def test_nobody_is_retail_on_a_b2b_channel(world: World) -> None:
    world.remap(assignments=ASSIGNMENTS[1:])
    world.store.place_order(harbour_order(1, channel=TRADE))
    world.store.place_order(guest_order(2, channel=TRADE, buyer=Buyer(a.WEB_USER, signed_in=True)))
    world.store.place_order(mill_order(3, channel=TRADE))
    world.import_orders()

    assert world.codes(1) == {"organisation_unmapped"}
    assert "organisation_missing" in world.codes(2)
    assert [row.order.sold_to for row in world.erp.orders] == [MILL]


@pytest.mark.rule("TL-4")
def test_order_of_a_channel_that_nobody_declared_is_quarantined(world: World) -> None:
    world.store.place_order(harbour_order(channel=ChannelId("popup")))
    world.import_orders()
    assert world.codes() == {"channel_unknown"}


@pytest.mark.rule("TL-3")
def test_order_for_an_organisation_of_others_is_quarantined(world: World) -> None:
    buyer = replace(harbour_order().buyer, organisation=MILL_ORG)
    world.store.place_order(mill_order(buyer=buyer))
    world.import_orders()
    assert world.codes() == {"not_a_member"}
    assert not world.erp.orders


@pytest.mark.rule("WA-15")
def test_account_on_credit_hold_is_entered_on_hold_or_quarantined(make_world: MakeWorld) -> None:
    able = make_world()
    unable = make_world(capabilities=replace(MEMORY_CAPABILITIES, order_hold=False))
    for world in (able, unable):
        world.erp.change_account(HARBOUR, credit=CreditStatus.HOLD)
        world.store.place_order(harbour_order())
        world.import_orders()

    (row,) = able.in_erp()
    assert row.order.hold
    assert unable.codes() == {"credit_hold"}


@pytest.mark.rule("WA-15")
@pytest.mark.parametrize("again", ["PO-1", "PO-1 ", " PO-1"])
def test_purchase_order_number_that_was_used_before_is_flagged(world: World, again: str) -> None:
    world.store.place_order(harbour_order(1, po_number="PO-1"))
    world.store.place_order(harbour_order(2, po_number=again))
    world.import_orders()

    assert not world.in_erp(1)[0].order.flags
    (flag,) = world.in_erp(2)[0].order.flags
    assert "SO-1" in flag


@pytest.mark.rule("WA-16")
def test_order_in_a_currency_that_the_account_lacks_is_quarantined(world: World) -> None:
    world.store.place_order(
        harbour_order(
            currency="USD",
            lines=(a.a_line(unit_price=a.money("9.9900", "USD")),),
            total=a.money("99.90", "USD"),
        )
    )
    world.import_orders()
    assert "currency_not_of_account" in world.codes()


@pytest.mark.rule("OI-2")
def test_declined_card_is_quarantined_and_the_reconciliation_counts_it(world: World) -> None:
    declined = (a.a_card_payment(state=PaymentState.DECLINED),)
    world.store.place_order(guest_order(1, payments=declined))
    world.store.place_order(guest_order(2))
    world.import_orders()

    assert world.codes(1) == {"payment_declined"}
    with world.state.transaction() as state:
        assert state.ledger.counts() == {
            LedgerState.QUARANTINED: 1,
            LedgerState.ACKNOWLEDGED: 1,
        }
