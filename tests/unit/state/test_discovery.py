"""What the ledger makes of the orders that the store shows, again and again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from sync.domain.ids import ChannelId, StoreId, WebOrderId, WebOrderNumber
from sync.domain.order import OrderState, PaymentState, StoreOrder
from sync.ports.state import Discovery, LedgerFilter, LedgerState
from sync.state import SqlState
from sync.testing.builders import (
    PLACED_AT,
    a_card_payment,
    a_full_web_order,
    a_retail_order,
    a_web_order,
    an_unreadable_order,
)
from sync.testing.clock import ManualClock
from tests.unit.state.steps import CANCELLED, ORDER, Steps, later


@pytest.mark.rule("OI-1", "OI-2")
def test_an_order_seen_twice_is_one_entry(ledger: Steps) -> None:
    assert ledger.discover() is Discovery.NEW
    before = ledger.entry()
    ledger.pass_time(60)
    assert ledger.discover() is Discovery.SAME
    assert ledger.entry() == before
    assert ledger.events() == ["discovered"]


@pytest.mark.rule("OI-2", "OI-4")
def test_only_what_teaches_the_ledger_nothing_may_be_passed_over(ledger: Steps) -> None:
    order = a_web_order()
    edited = replace(later(order), notes="Ring twice.")

    def passed_over(*seen: StoreOrder) -> list[bool]:
        with ledger.state.transaction() as on:
            known = on.ledger.unchanged(seen)
        return [each.order_id in known for each in seen]

    assert passed_over(order) == [False], "never seen"
    ledger.discover(order)
    assert passed_over(order) == [True]
    assert passed_over(edited) == [False]
    assert passed_over(replace(edited, modified_at=order.modified_at)) == [False], "same second"
    assert passed_over(later(order)) == [False], "its time of change is to be kept"
    ledger.discover(edited)
    assert passed_over(edited) == [True]
    assert passed_over(order) == [True], "older than what is known"
    assert passed_over(a_retail_order(order_id=WebOrderId("another"))) == [False]


def test_a_new_order_is_due_at_once_and_has_its_key(ledger: Steps) -> None:
    ledger.discover()
    entry = ledger.entry()
    assert ledger.due() == [ORDER]
    assert entry.state is LedgerState.DISCOVERED
    assert entry.key.value == "shop-order-1"
    assert entry.first_seen_at == entry.changed_at == ledger.now


def test_an_order_comes_out_as_it_went_in(ledger: Steps) -> None:
    order = a_full_web_order()
    ledger.discover(order)
    assert ledger.entry(order.order_id).order == order


@pytest.mark.rule("OI-2")
def test_an_order_that_cannot_be_read_is_kept_like_any_other(ledger: Steps) -> None:
    order = an_unreadable_order(channel=ChannelId("web"))
    assert ledger.discover(order) is Discovery.NEW
    assert ledger.due() == [order.order_id]
    assert ledger.entry(order.order_id).order == order


@pytest.mark.rule("OI-2")
def test_an_unreadable_order_that_the_store_mends_becomes_readable(ledger: Steps) -> None:
    ledger.discover(an_unreadable_order(order_id=ORDER))
    ledger.quarantined(ledger.claim())
    assert ledger.discover(later(a_web_order())) is Discovery.CHANGED
    assert ledger.due() == [ORDER]
    assert ledger.entry().number == "W-10482"


def test_oldest_placed_orders_are_due_first(ledger: Steps) -> None:
    for number, minutes in (("a", 3), ("b", 1), ("c", 2)):
        placed_at = PLACED_AT + timedelta(minutes=minutes)
        ledger.discover(a_web_order(order_id=WebOrderId(number), placed_at=placed_at))
    assert [key.value for key in ledger.due(2)] == ["b", "c"]


@pytest.mark.parametrize(
    "touched",
    [
        later(a_web_order()),
        later(a_web_order(), total=replace(a_web_order().total, amount=Decimal("99.9"))),
    ],
    ids=["only the time of change", "only the scale of an amount"],
)
def test_an_order_that_was_only_touched_is_the_same(ledger: Steps, touched: object) -> None:
    ledger.discover()
    ledger.waiting(ledger.claim())
    assert ledger.discover(touched) is Discovery.SAME  # type: ignore[arg-type]
    assert ledger.due() == []


@pytest.mark.rule("OI-2")
@pytest.mark.parametrize(
    "changed",
    [
        later(a_retail_order(), state=OrderState.FULFILLED),
        later(a_retail_order(), payments=(a_card_payment(state=PaymentState.CAPTURED),)),
        later(a_retail_order(), notes="Ring twice"),
    ],
    ids=["state", "payment", "content"],
)
def test_a_waiting_order_that_changes_is_due_at_once(ledger: Steps, changed: object) -> None:
    ledger.discover(a_retail_order())
    ledger.waiting(ledger.claim())
    assert ledger.due() == []
    assert ledger.discover(changed) is Discovery.CHANGED  # type: ignore[arg-type]
    assert ledger.due() == [ORDER]
    entry = ledger.entry()
    assert entry.order == changed
    assert entry.state is LedgerState.WAITING


def test_of_a_discovered_order_the_newest_version_counts(ledger: Steps) -> None:
    ledger.discover()
    newer = later(a_web_order(), number=WebOrderNumber("W-10482-B"), channel=ChannelId("app"))
    assert ledger.discover(newer) is Discovery.CHANGED
    entry = ledger.entry()
    assert entry.order == newer
    assert (entry.number, entry.channel) == ("W-10482-B", ChannelId("app"))


def test_a_late_page_never_brings_an_old_version_back(ledger: Steps) -> None:
    newest = later(later(a_web_order()), notes="the third version")
    ledger.discover(newest)
    assert ledger.discover(later(a_web_order(), notes="the second")) is Discovery.SAME
    assert ledger.entry().order == newest


@pytest.mark.rule("OI-2", "WA-2d")
def test_a_quarantined_order_that_changes_in_the_store_is_decided_anew(ledger: Steps) -> None:
    ledger.discover()
    claim = ledger.claim()
    ledger.freeze(claim)
    ledger.quarantined(claim)
    assert ledger.due() == []
    newer = later(a_web_order(), po_number="PO-7")
    assert ledger.discover(newer) is Discovery.CHANGED
    entry = ledger.entry()
    assert entry.state is LedgerState.DISCOVERED
    assert entry.order == newer
    assert entry.problems == ()
    assert entry.decision is None
    assert ledger.events()[-2:] == ["changed", "requeued"]
    assert ledger.claim().frozen is None


@pytest.mark.rule("OI-4")
def test_an_order_changed_after_its_import_is_left_to_be_judged(ledger: Steps) -> None:
    ledger.brought_in()
    newer = later(a_web_order(), state=CANCELLED)
    assert ledger.discover(newer) is Discovery.CHANGED
    [(entry, found)] = ledger.changed()
    assert entry.state is LedgerState.IMPORTED
    assert entry.order == a_web_order()
    assert found == newer
    assert ledger.due() == []


@pytest.mark.rule("OI-4")
def test_a_change_during_the_import_is_judged_after_it(ledger: Steps) -> None:
    ledger.discover()
    claim = ledger.claim()
    ledger.freeze(claim)
    newer = later(a_web_order(), state=CANCELLED)
    ledger.discover(newer)
    assert ledger.changed() == []
    assert ledger.entry().order == a_web_order()
    ledger.imported(claim)
    assert [found for _, found in ledger.changed()] == [newer]


def test_a_change_while_an_order_is_judged_is_not_lost_when_it_waits(ledger: Steps) -> None:
    ledger.discover()
    claim = ledger.claim()
    newer = later(a_web_order(), notes="new")
    ledger.discover(newer)
    ledger.waiting(claim)
    assert ledger.due() == [ORDER]
    assert ledger.claim().order == newer


def test_a_change_while_an_order_is_judged_takes_it_out_of_quarantine(ledger: Steps) -> None:
    ledger.discover()
    claim = ledger.claim()
    newer = later(a_web_order(), notes="new")
    ledger.discover(newer)
    ledger.quarantined(claim)
    assert ledger.due() == [ORDER]
    assert ledger.events()[-2:] == ["quarantined", "requeued"]
    assert ledger.claim().order == newer


@pytest.mark.rule("OI-4")
def test_a_judged_change_is_not_judged_again(ledger: Steps) -> None:
    ledger.brought_in()
    newer = later(a_web_order(), state=OrderState.FULFILLED)
    ledger.discover(newer)
    ledger.settle()
    assert ledger.changed() == []
    assert ledger.discover(newer) is Discovery.SAME
    assert ledger.discover(later(newer)) is Discovery.SAME
    assert ledger.entry().state is LedgerState.IMPORTED
    assert ledger.changed() == []


@pytest.mark.rule("OI-4")
def test_a_change_that_needs_a_person_goes_to_review(ledger: Steps) -> None:
    ledger.brought_in()
    ledger.discover(later(a_web_order(), state=CANCELLED))
    ledger.settle("The buyer cancelled the order.")
    entry = ledger.entry()
    assert entry.state is LedgerState.REVIEW
    assert entry.differences == ("The buyer cancelled the order.",)
    assert entry.imported_at is not None


def test_a_change_taken_back_before_anybody_looked_needs_no_judgement(ledger: Steps) -> None:
    ledger.brought_in()
    changed = later(a_web_order(), notes="oops")
    ledger.discover(changed)
    assert ledger.discover(later(changed, notes=None)) is Discovery.CHANGED
    assert ledger.changed() == []


@pytest.mark.rule("OI-4")
def test_a_change_taken_back_after_it_was_judged_is_judged_too(ledger: Steps) -> None:
    ledger.brought_in()
    cancelled = later(a_web_order(), state=CANCELLED)
    ledger.discover(cancelled)
    ledger.settle("The buyer cancelled the order.")
    back = later(cancelled, state=OrderState.AWAITING_FULFILMENT)
    assert ledger.discover(back) is Discovery.CHANGED
    assert [found for _, found in ledger.changed()] == [back]


@pytest.mark.rule("OP-8")
def test_pipelines_do_not_see_each_others_orders(
    state_of: Callable[..., SqlState], clock: ManualClock
) -> None:
    mine, other = Steps(state_of(), clock), Steps(state_of(), clock)
    mine.discover()
    assert other.due() == []
    assert other.maybe_claim() is None
    assert other.discover() is Discovery.NEW
    other.claim()
    assert mine.due() == [ORDER]
    with other.state.transaction() as on:
        assert on.ledger.counts() == {LedgerState.SUBMITTING: 1}


def test_the_same_order_id_of_two_stores_is_two_orders(
    state_of: Callable[..., SqlState], clock: ManualClock
) -> None:
    eu = Steps(state_of("two-stores", StoreId("eu")), clock)
    us = Steps(state_of("two-stores", StoreId("us")), clock)
    assert eu.discover() is Discovery.NEW
    assert us.discover() is Discovery.NEW
    assert eu.entry().key != us.entry().key
    with us.state.transaction() as on:
        assert len(on.ledger.entries(LedgerFilter())) == 1
