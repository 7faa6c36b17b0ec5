"""What people do with orders that are held up: replay, dismiss, and look back."""

from __future__ import annotations

import pytest

from sync.domain.decision import Closing
from sync.domain.ids import WebOrderId
from sync.domain.sales_order import ErpOrderState, OrderStatus
from sync.ports.state import LedgerState
from sync.testing.builders import a_web_order
from tests.unit.state.steps import CANCELLED, ORDER, SO_1, Steps, later


@pytest.mark.rule("OI-2", "WA-2d")
def test_a_replayed_order_is_due_and_decided_anew(ledger: Steps) -> None:
    ledger.discover()
    claim = ledger.claim()
    ledger.freeze(claim)
    ledger.quarantined(claim)
    assert ledger.replay()
    entry = ledger.entry()
    assert entry.state is LedgerState.DISCOVERED
    assert (entry.problems, entry.decision, entry.frozen) == ((), None, None)
    again = ledger.claim()
    assert (again.frozen, again.attempt) == (None, 1)


@pytest.mark.rule("OI-1")
def test_an_imported_order_is_never_replayed(ledger: Steps) -> None:
    ledger.brought_in()
    assert not ledger.replay()
    ledger.discover(later(a_web_order(), state=CANCELLED))
    ledger.settle("The buyer cancelled the order.")
    assert ledger.entry().state is LedgerState.REVIEW
    assert not ledger.replay()


@pytest.mark.rule("OI-1")
def test_an_imported_order_without_a_number_yet_is_never_replayed(ledger: Steps) -> None:
    ledger.brought_in(number=None)
    ledger.discover(later(a_web_order(), state=CANCELLED))
    ledger.settle("The buyer cancelled the order.")
    assert not ledger.replay()


@pytest.mark.rule("WA-13", "WA-14")
def test_an_order_that_the_erp_refused_afterwards_can_be_sent_again(ledger: Steps) -> None:
    ledger.brought_in(number=None)
    ledger.status(OrderStatus(ErpOrderState.REFUSED, message="Item discontinued"))
    assert ledger.replay()
    entry = ledger.entry()
    assert entry.state is LedgerState.DISCOVERED
    assert (entry.imported_at, entry.status) == (None, None)
    assert ledger.open_orders() == []


def test_an_order_in_review_before_its_import_can_be_replayed_in_its_newest_version(
    ledger: Steps,
) -> None:
    ledger.discover()
    ledger.review(ledger.claim())
    newer = later(a_web_order(), po_number="PO-3")
    ledger.discover(newer)
    assert ledger.replay()
    assert ledger.claim().order == newer
    assert ledger.changed() == []


@pytest.mark.parametrize("held", ["discovered", "waiting", "submitting", "closed", "unknown"])
def test_what_is_not_held_up_is_neither_replayed_nor_dismissed(ledger: Steps, held: str) -> None:
    if held != "unknown":
        ledger.discover()
    if held in ("waiting", "submitting", "closed"):
        claim = ledger.claim()
        if held == "waiting":
            ledger.waiting(claim)
        if held == "closed":
            ledger.closed(claim)
    assert not ledger.replay()
    assert not ledger.dismiss()


@pytest.mark.rule("OI-2")
def test_a_dismissed_order_is_closed_for_ever_with_the_reason(ledger: Steps) -> None:
    ledger.discover()
    ledger.quarantined(ledger.claim())
    assert ledger.dismiss()
    entry = ledger.entry()
    assert entry.state is LedgerState.CLOSED
    assert (entry.closing, entry.closing_note) == (Closing.DISMISSED, "a test order")
    assert not ledger.replay()
    assert ledger.due() == []


@pytest.mark.rule("OI-4")
def test_dismissing_the_review_of_an_imported_order_leaves_it_imported(ledger: Steps) -> None:
    ledger.brought_in()
    ledger.show()
    ledger.discover(later(a_web_order(), notes="late"))
    ledger.settle("The notes differ.")
    assert ledger.dismiss()
    entry = ledger.entry()
    assert entry.state is LedgerState.ACKNOWLEDGED
    assert (entry.erp_order, entry.closing, entry.differences) == (SO_1, None, ())
    assert ledger.open_orders() == [ORDER]


@pytest.mark.rule("OI-2")
def test_the_history_tells_every_step_and_who_took_it(ledger: Steps) -> None:
    ledger.discover()
    ledger.quarantined(ledger.claim())
    ledger.pass_time(3600)
    ledger.replay()
    ledger.pass_time(5)
    claim = ledger.claim()
    ledger.freeze(claim)
    ledger.imported(claim)
    with ledger.state.transaction() as on:
        history = on.ledger.history(ORDER)
    assert [event.event for event in history] == [
        "discovered",
        "claimed",
        "quarantined",
        "replayed",
        "claimed",
        "admitted",
        "imported",
    ]
    replayed = history[3]
    assert (replayed.actor, replayed.detail) == ("alice", "mapped now")
    assert (history[4].at - replayed.at).total_seconds() == 5
    assert {event.actor for event in history} == {"daemon", "alice"}
    assert "Web user u-7719 has no account." in history[2].detail
    assert history[-1].detail == "as SO-1"


def test_an_unknown_order_has_no_history(ledger: Steps) -> None:
    assert ledger.events(WebOrderId("never-seen")) == []
