"""The store shows how far every order is, and is told only what it does not show."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from sync.domain.ids import ErpOrderNumber
from sync.domain.sales_order import ErpOrderState, OrderStatus
from sync.domain.views import ImportNotice, ImportState
from sync.ports.notices import IN_REVIEW
from sync.ports.state import LedgerState, ShownOrder
from sync.testing.builders import a_web_order, an_order_status
from tests.unit.state.steps import CANCELLED, ORDER, SO_1, UNMAPPED, Steps, later

PENDING = ImportNotice(ImportState.PENDING)
PROCESSING = ImportNotice(ImportState.PROCESSING)
PROCESSED = ImportNotice(ImportState.PROCESSED, SO_1)


@pytest.mark.rule("WA-13")
def test_the_store_shows_the_whole_way_of_an_order(ledger: Steps) -> None:
    ledger.discover()
    assert ledger.to_show() == [PENDING]
    claim = ledger.claim()
    ledger.freeze(claim)
    assert ledger.to_show() == [PROCESSING]
    ledger.imported(claim)
    assert ledger.to_show() == [PROCESSED]
    ledger.show()
    assert ledger.to_show() == []
    entry = ledger.entry()
    assert entry.state is LedgerState.ACKNOWLEDGED
    assert entry.shown == PROCESSED


@pytest.mark.rule("MI-2", "WA-13")
def test_what_the_store_shows_already_is_not_told_again(ledger: Steps) -> None:
    ledger.discover()
    ledger.show()
    assert ledger.to_show() == []
    ledger.discover(later(a_web_order(), notes="new"))
    assert ledger.to_show() == []
    claim = ledger.claim()
    ledger.retry(claim)
    assert ledger.to_show() == []


@pytest.mark.rule("WA-13")
def test_a_waiting_order_shows_what_it_waits_for(ledger: Steps) -> None:
    ledger.discover()
    ledger.waiting(ledger.claim())
    assert ledger.to_show() == [
        ImportNotice(ImportState.PENDING, message="The payment is pending.")
    ]


@pytest.mark.rule("WA-13")
def test_a_quarantined_order_shows_its_reasons_and_nothing_internal(ledger: Steps) -> None:
    ledger.discover()
    second = replace(UNMAPPED, code="po_missing", sentence="The PO number is missing.")
    ledger.quarantined(ledger.claim(), UNMAPPED, second)
    [notice] = ledger.to_show()
    assert notice == ImportNotice(
        ImportState.ABORTED,
        message="Web user u-7719 has no account. The PO number is missing.",
    )


@pytest.mark.rule("WA-13")
def test_after_a_correction_the_store_shows_pending_again(ledger: Steps) -> None:
    ledger.discover()
    ledger.quarantined(ledger.claim())
    ledger.show()
    ledger.replay()
    assert ledger.to_show() == [PENDING]


def test_the_differences_of_a_review_never_reach_the_store(ledger: Steps) -> None:
    ledger.discover()
    ledger.review(ledger.claim())
    assert ledger.to_show() == [ImportNotice(ImportState.ABORTED, message=IN_REVIEW)]


@pytest.mark.rule("WA-13", "OI-3")
def test_an_order_in_review_after_its_import_keeps_its_number_in_the_store(ledger: Steps) -> None:
    ledger.brought_in()
    ledger.show()
    ledger.discover(later(a_web_order(), state=CANCELLED))
    ledger.settle("The buyer cancelled the order.")
    assert ledger.to_show() == []
    assert ledger.open_orders() == [ORDER]


@pytest.mark.rule("WA-13")
def test_a_notice_that_is_confirmed_after_a_later_one_is_due_again(ledger: Steps) -> None:
    """Two workers told the store: which of them it took last, nobody knows."""
    ledger.discover()
    with ledger.state.transaction() as on:
        [late] = on.ledger.to_show(10)
    claim = ledger.claim()
    ledger.freeze(claim)
    ledger.show()
    assert ledger.entry().shown == PROCESSING
    ledger.thaw(claim)
    ledger.retry(claim)
    with ledger.state.transaction() as on:
        on.ledger.record_shown(ORDER, PENDING, ledger.now, since=late)
    assert ledger.entry().shown is None
    assert ledger.to_show() == [PENDING]


@pytest.mark.rule("WA-13")
def test_a_notice_that_another_worker_confirmed_alike_is_not_due_again(ledger: Steps) -> None:
    ledger.discover()
    with ledger.state.transaction() as on:
        [late] = on.ledger.to_show(10)
    ledger.show()
    with ledger.state.transaction() as on:
        on.ledger.record_shown(ORDER, PENDING, ledger.now, since=late)
    assert ledger.entry().shown == PENDING
    assert ledger.to_show() == []


def test_an_order_that_the_store_closed_itself_is_told_nothing(ledger: Steps) -> None:
    ledger.discover()
    ledger.closed(ledger.claim())
    assert ledger.to_show() == []


@pytest.mark.rule("WA-13", "OI-2")
def test_a_dismissed_order_shows_the_persons_reason(ledger: Steps) -> None:
    ledger.discover()
    ledger.quarantined(ledger.claim())
    ledger.show()
    ledger.dismiss()
    assert ledger.to_show() == [ImportNotice(ImportState.ABORTED, message="a test order")]


@pytest.mark.rule("WA-13", "OI-3")
def test_an_order_whose_number_follows_is_processing_until_it_comes(ledger: Steps) -> None:
    ledger.brought_in(number=None)
    assert ledger.to_show() == [PROCESSING]
    ledger.show()
    assert ledger.entry().state is LedgerState.IMPORTED
    assert ledger.to_show() == []
    ledger.status(OrderStatus(ErpOrderState.OPEN, SO_1))
    assert ledger.to_show() == [PROCESSED]
    ledger.show()
    entry = ledger.entry()
    assert (entry.state, entry.erp_order) == (LedgerState.ACKNOWLEDGED, SO_1)


@pytest.mark.rule("OI-3")
def test_a_number_that_the_erp_changes_is_shown_again(ledger: Steps) -> None:
    ledger.brought_in()
    ledger.show()
    ledger.status(OrderStatus(ErpOrderState.OPEN, ErpOrderNumber("SO-1-A")))
    assert ledger.to_show() == [ImportNotice(ImportState.PROCESSED, ErpOrderNumber("SO-1-A"))]


@pytest.mark.rule("WA-13", "WA-14")
def test_an_order_refused_afterwards_shows_the_erps_own_message(ledger: Steps) -> None:
    ledger.brought_in(number=None)
    ledger.show()
    ledger.status(OrderStatus(ErpOrderState.REFUSED, message="Item discontinued"))
    assert ledger.to_show() == [ImportNotice(ImportState.ABORTED, message="Item discontinued")]


def test_the_longest_untold_order_is_told_first(ledger: Steps) -> None:
    order = a_web_order()
    for name in ("z", "a"):
        ledger.discover(replace(order, order_id=type(ORDER)(name)))
        ledger.pass_time(1)
    # Being worked on meanwhile does not send it to the end of the queue.
    ledger.claim(type(ORDER)("z"))
    with ledger.state.transaction() as on:
        assert [entry.order_id.value for entry in on.ledger.to_show(10)] == ["z", "a"]


@pytest.mark.rule("OI-3")
def test_the_erps_status_is_kept_and_told_once_in_the_history(ledger: Steps) -> None:
    ledger.brought_in()
    status = an_order_status()
    ledger.status(status)
    ledger.status(status)
    assert ledger.entry().status == status
    assert ledger.events().count("erp_status") == 1


@pytest.mark.rule("OI-3")
@pytest.mark.parametrize("erp_state", ErpOrderState)
def test_orders_stay_open_until_the_erp_is_through_with_them(
    ledger: Steps, erp_state: ErpOrderState
) -> None:
    ledger.brought_in()
    ledger.status(OrderStatus(erp_state))
    final = erp_state in (ErpOrderState.INVOICED, ErpOrderState.CANCELLED, ErpOrderState.REFUSED)
    assert ledger.open_orders() == ([] if final else [ORDER])


def test_orders_are_read_by_the_time_when_the_store_was_last_told_of_them(ledger: Steps) -> None:
    began = ledger.now
    for name in ("c", "a", "b"):
        ledger.discover(a_web_order(order_id=type(ORDER)(name)))
    ledger.show()
    alike = ledger.now
    ledger.pass_time(10)
    ledger.discover(a_web_order(order_id=type(ORDER)("0")))
    ledger.show()
    ledger.discover(a_web_order(order_id=type(ORDER)("untold")))
    assert alike == began, "the sample proves nothing"

    def told(after: datetime, until: datetime, last: ShownOrder | None = None) -> list[str]:
        with ledger.state.transaction() as on:
            return [each.order_id.value for each in on.ledger.told(after, until, last, 2)]

    before = began - timedelta(seconds=1)
    assert told(before, ledger.now) == ["a", "b"]
    assert told(before, ledger.now, ledger.entry(type(ORDER)("b")).to_buyers) == ["c", "0"]
    assert told(before, alike, ledger.entry(type(ORDER)("b")).to_buyers) == ["c"]
    assert told(alike, ledger.now) == ["0"]


def test_what_is_done_with_an_order_beside_what_the_store_shows_is_not_news_for_it(
    ledger: Steps,
) -> None:
    ledger.discover()
    ledger.waiting(ledger.claim())
    ledger.show()
    told_at = ledger.now
    assert ledger.entry().told_at == told_at
    ledger.pass_time(900)
    ledger.waiting(ledger.claim())
    assert ledger.entry().changed_at > told_at
    assert ledger.entry().told_at == told_at

    ledger.pass_time(900)
    ledger.imported(ledger.claim())
    ledger.show()
    assert ledger.entry().told_at == ledger.now
    ledger.pass_time(1)
    ledger.status(an_order_status())
    assert ledger.entry().told_at == ledger.now


def test_what_buyers_see_is_the_same_read_alone_and_with_the_whole_entry(ledger: Steps) -> None:
    ledger.brought_in()
    ledger.show()
    ledger.status(an_order_status(state=ErpOrderState.SHIPPED))
    ledger.discover(a_web_order(order_id=type(ORDER)("held")))
    ledger.quarantined(ledger.claim(type(ORDER)("held")))
    ledger.show()
    with ledger.state.transaction() as on:
        told = on.ledger.told(ledger.now - timedelta(days=1), ledger.now, None, 10)
        assert on.ledger.open_orders(None, 10) == [each for each in told if each.imported_at]
    assert len(told) == 2
    assert list(told) == [ledger.entry(each.order_id).to_buyers for each in told]
    assert {bool(each.problems) for each in told} == {True, False}


def test_open_orders_are_read_page_by_page(ledger: Steps) -> None:
    for name in ("c", "a", "b"):
        order_id = type(ORDER)(name)
        ledger.discover(a_web_order(order_id=order_id))
        ledger.imported(ledger.claim(order_id))
    ledger.discover()
    first = ledger.open_orders(None, 2)
    assert [key.value for key in first] == ["a", "b"]
    assert [key.value for key in ledger.open_orders(first[-1], 2)] == ["c"]
