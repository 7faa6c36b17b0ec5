"""A worker claims an order, and what comes of it; who comes late writes nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from sync.domain.decision import Closing
from sync.domain.ids import WebOrderId
from sync.domain.order import OrderState
from sync.errors import FencedOff
from sync.ports.state import Claim, LedgerState
from sync.testing.builders import ACCOUNT, a_sales_order, a_web_order
from tests.unit.state.steps import ORDER, SO_1, UNMAPPED, Steps, later


@pytest.mark.rule("OI-1")
def test_only_one_worker_gets_a_due_order(ledger: Steps) -> None:
    ledger.discover()
    first = ledger.claim(ttl_s=300)
    assert (first.token, first.attempt) == (1, 1)
    assert first.order == a_web_order()
    assert first.lease_until == ledger.now + timedelta(seconds=300)
    assert ledger.maybe_claim() is None
    assert ledger.due() == []


def test_an_unknown_order_cannot_be_claimed(ledger: Steps) -> None:
    assert ledger.maybe_claim(WebOrderId("never-seen")) is None


@pytest.mark.rule("OI-1", "OP-1")
def test_an_order_is_due_again_when_its_lease_is_over(ledger: Steps) -> None:
    ledger.discover()
    first = ledger.claim(ttl_s=300)
    ledger.pass_time(299)
    assert ledger.due() == []
    ledger.pass_time(1)
    assert ledger.due() == [ORDER]
    second = ledger.claim()
    assert second.token == first.token + 1
    assert second.attempt == 2


WRITES: dict[str, Callable[[Steps, Claim], None]] = {
    "refresh": lambda ledger, claim: ledger.refresh(claim, later(a_web_order(), notes="x")),
    "freeze": lambda ledger, claim: ledger.freeze(claim),
    "thaw": lambda ledger, claim: ledger.thaw(claim),
    "imported": lambda ledger, claim: ledger.imported(claim),
    "unknown": lambda ledger, claim: ledger.unknown(claim),
    "retry": lambda ledger, claim: ledger.retry(claim),
    "waiting": lambda ledger, claim: ledger.waiting(claim),
    "quarantined": lambda ledger, claim: ledger.quarantined(claim),
    "review": lambda ledger, claim: ledger.review(claim),
    "closed": lambda ledger, claim: ledger.closed(claim),
}


@pytest.mark.rule("OI-1")
@pytest.mark.parametrize("write", WRITES)
def test_a_worker_whose_order_was_taken_over_cannot_write(ledger: Steps, write: str) -> None:
    ledger.discover()
    late = ledger.claim(ttl_s=10)
    ledger.pass_time(10)
    ledger.claim()
    before, history = ledger.entry(), ledger.events()
    with pytest.raises(FencedOff):
        WRITES[write](ledger, late)
    assert ledger.entry() == before
    assert ledger.events() == history


@pytest.mark.rule("OI-1")
@pytest.mark.parametrize("write", WRITES)
def test_a_claim_ends_with_its_outcome(ledger: Steps, write: str) -> None:
    ledger.discover()
    claim = ledger.claim()
    ledger.imported(claim)
    with pytest.raises(FencedOff):
        WRITES[write](ledger, claim)


def test_a_worker_that_is_late_but_not_replaced_may_still_write(ledger: Steps) -> None:
    ledger.discover()
    claim = ledger.claim(ttl_s=10)
    ledger.pass_time(3600)
    ledger.imported(claim)
    assert ledger.entry().state is LedgerState.IMPORTED


@pytest.mark.rule("WA-2d")
def test_the_decision_is_stamped_with_its_rule_before_the_order_is_sent(ledger: Steps) -> None:
    ledger.discover()
    claim = ledger.claim()
    ledger.freeze(claim)
    entry = ledger.entry()
    assert entry.decision is not None
    assert (entry.decision.customer_id, entry.decision.rule) == (ACCOUNT, "mapping")
    assert entry.frozen == a_sales_order()
    assert entry.state is LedgerState.SUBMITTING


@pytest.mark.rule("OI-1", "WA-2d")
def test_after_an_unknown_outcome_the_same_instruction_comes_back(ledger: Steps) -> None:
    ledger.discover()
    claim = ledger.claim()
    ledger.freeze(claim)
    ledger.unknown(claim, wait_s=600)
    assert ledger.entry().state is LedgerState.SUBMITTING
    ledger.pass_time(599)
    assert ledger.due() == []
    ledger.pass_time(1)
    again = ledger.claim()
    assert again.frozen == a_sales_order()
    assert again.attempt == 2


@pytest.mark.rule("OI-1")
def test_an_instruction_that_may_be_in_the_erp_is_never_replaced(ledger: Steps) -> None:
    ledger.discover()
    claim = ledger.claim()
    ledger.freeze(claim)
    ledger.freeze(claim)
    with pytest.raises(ValueError, match="another instruction"):
        ledger.freeze(claim, po_number="PO-2")
    assert ledger.entry().frozen == a_sales_order()


def test_a_thawed_order_is_decided_anew_on_its_newest_version(ledger: Steps) -> None:
    ledger.discover()
    claim = ledger.claim()
    ledger.freeze(claim)
    newer = later(a_web_order(), po_number="PO-2")
    ledger.discover(newer)
    ledger.thaw(claim)
    entry = ledger.entry()
    assert (entry.frozen, entry.decision) == (None, None)
    assert entry.order == newer
    ledger.freeze(claim, po_number="PO-2")
    assert ledger.entry().frozen == a_sales_order(po_number="PO-2")


@pytest.mark.rule("OP-1")
def test_a_retry_comes_later_and_keeps_its_attempts(ledger: Steps) -> None:
    ledger.discover()
    ledger.retry(ledger.claim(), wait_s=60)
    entry = ledger.entry()
    assert entry.state is LedgerState.DISCOVERED
    assert entry.message == "the ERP is away"
    assert ledger.due() == []
    ledger.pass_time(60)
    assert ledger.claim().attempt == 2


@pytest.mark.rule("OI-1")
def test_a_retry_under_an_instruction_keeps_it(ledger: Steps) -> None:
    ledger.discover()
    claim = ledger.claim()
    ledger.freeze(claim)
    ledger.retry(claim, wait_s=60)
    assert ledger.entry().state is LedgerState.SUBMITTING
    ledger.discover(later(a_web_order(), notes="meanwhile"))
    ledger.pass_time(60)
    again = ledger.claim()
    assert again.frozen == a_sales_order()
    assert again.order == a_web_order()


def test_a_waiting_order_starts_counting_attempts_again(ledger: Steps) -> None:
    ledger.discover()
    ledger.waiting(ledger.claim(), wait_s=900)
    entry = ledger.entry()
    assert entry.waiting_for == "payment_pending"
    assert entry.waiting_sentence == "The payment is pending."
    assert entry.next_check_at == ledger.now + timedelta(seconds=900)
    ledger.pass_time(900)
    assert ledger.claim().attempt == 1


def test_the_history_of_a_long_wait_stays_short(ledger: Steps) -> None:
    ledger.discover()
    for _ in range(20):
        ledger.waiting(ledger.claim(), wait_s=60)
        ledger.pass_time(60)
    assert ledger.events() == ["discovered", "claimed", "waiting"]


def test_what_was_wrong_before_is_gone_once_the_order_is_imported(ledger: Steps) -> None:
    ledger.discover()
    ledger.waiting(ledger.claim(), wait_s=0)
    ledger.imported(ledger.claim())
    entry = ledger.entry()
    assert entry.state is LedgerState.IMPORTED
    assert entry.erp_order == SO_1
    assert entry.imported_at == ledger.now
    assert (entry.waiting_for, entry.waiting_sentence, entry.message) == (None, None, None)
    assert (entry.next_check_at, entry.lease_until) == (None, None)


def test_a_closed_order_says_why(ledger: Steps) -> None:
    ledger.discover()
    ledger.closed(ledger.claim())
    entry = ledger.entry()
    assert entry.state is LedgerState.CLOSED
    assert (entry.closing, entry.closing_note) == (Closing.CANCELLED, "Cancelled.")
    assert ledger.due() == []


def test_a_refreshed_order_is_judged_in_its_new_version(ledger: Steps) -> None:
    ledger.discover()
    claim = ledger.claim()
    newer = later(a_web_order(), state=OrderState.HELD)
    ledger.refresh(claim, newer)
    ledger.waiting(claim)
    assert ledger.entry().order == newer
    assert ledger.due() == []


def test_a_version_seen_after_the_refresh_is_not_lost(ledger: Steps) -> None:
    ledger.discover()
    claim = ledger.claim()
    second = later(a_web_order(), notes="second")
    third = later(second, notes="third")
    ledger.discover(third)
    ledger.refresh(claim, second)
    ledger.waiting(claim)
    assert ledger.due() == [ORDER]
    assert ledger.claim().order == third


@pytest.mark.rule("OI-4")
def test_a_refresh_under_an_instruction_is_kept_to_be_judged(ledger: Steps) -> None:
    ledger.discover()
    claim = ledger.claim()
    ledger.freeze(claim)
    newer = later(a_web_order(), notes="late")
    ledger.refresh(claim, newer)
    ledger.imported(claim)
    [(entry, found)] = ledger.changed()
    assert (entry.order, found) == (a_web_order(), newer)


@pytest.mark.rule("OP-1")
def test_after_a_crash_a_claimed_order_is_due_at_once(ledger: Steps) -> None:
    ledger.discover()
    late = ledger.claim(ttl_s=3600)
    assert ledger.release() == 1
    assert ledger.due() == [ORDER]
    assert ledger.entry().state is LedgerState.DISCOVERED
    with pytest.raises(FencedOff):
        ledger.imported(late)


@pytest.mark.rule("OI-1", "OP-1")
def test_after_a_crash_an_order_that_may_be_in_the_erp_waits_before_it_is_looked_up(
    ledger: Steps,
) -> None:
    ledger.discover()
    claim = ledger.claim(ttl_s=300)
    ledger.freeze(claim)
    assert ledger.release() == 1
    assert ledger.due() == []
    assert ledger.entry().state is LedgerState.SUBMITTING
    ledger.pass_time(300)
    assert ledger.claim().frozen == a_sales_order()


@pytest.mark.rule("OI-1", "OP-1")
@pytest.mark.parametrize("settled_in_s, due_in_s", [(90, 90), (301, 300)])
def test_once_its_worker_is_known_to_be_gone_an_order_waits_for_the_erp_alone(
    ledger: Steps, settled_in_s: float, due_in_s: float
) -> None:
    ledger.discover()
    late = ledger.claim(ttl_s=300)
    ledger.freeze(late)
    assert ledger.release(settled_in_s=settled_in_s) == 1
    ledger.pass_time(due_in_s - 1)
    assert ledger.due() == []
    ledger.pass_time(1)
    assert ledger.claim().frozen == a_sales_order()
    with pytest.raises(FencedOff):
        ledger.imported(late)


@pytest.mark.rule("OI-1")
def test_an_outcome_that_is_unknown_is_not_looked_up_sooner_after_a_crash(ledger: Steps) -> None:
    ledger.discover()
    claim = ledger.claim()
    ledger.freeze(claim)
    ledger.unknown(claim, wait_s=600)
    assert ledger.release(settled_in_s=90) == 0
    ledger.pass_time(599)
    assert ledger.due() == []


def test_a_release_touches_nothing_that_nobody_holds(ledger: Steps) -> None:
    ledger.discover()
    claim = ledger.claim()
    ledger.freeze(claim)
    ledger.unknown(claim, wait_s=600)
    assert ledger.release() == 0
    assert ledger.due() == []


@pytest.mark.rule("OI-2")
def test_a_quarantined_order_names_every_problem_and_how_it_was_decided(ledger: Steps) -> None:
    ledger.discover()
    ledger.quarantined(ledger.claim())
    entry = ledger.entry()
    assert entry.state is LedgerState.QUARANTINED
    assert entry.problems == (UNMAPPED,)
    assert entry.trail == ("step 1",)
    assert ledger.due() == []


@pytest.mark.rule("WA-2d", "OP-4")
@pytest.mark.parametrize("write", ["waiting", "quarantined", "review", "closed"])
def test_whatever_is_decided_names_the_mapping_that_decided_it(ledger: Steps, write: str) -> None:
    ledger.discover()
    assert ledger.entry().mapping_version is None
    ledger.mapping = "m2"
    getattr(ledger, write)(ledger.claim())
    assert ledger.entry().mapping_version == "m2"
    with ledger.state.transaction() as on:
        assert on.ledger.decided_under() == ({} if write == "closed" else {"m2": 1})
        assert on.ledger.history(ORDER)[-1].detail.endswith("(mapping m2)")


@pytest.mark.rule("WA-2d", "OP-4")
def test_what_waits_names_the_mapping_that_looked_at_it_last(ledger: Steps) -> None:
    ledger.discover()
    for version in ("m2", "m3"):
        ledger.mapping = version
        ledger.waiting(ledger.claim())
        ledger.pass_time(900)
    assert ledger.entry().mapping_version == "m3"
    assert ledger.events().count("waiting") == 1


@pytest.mark.rule("WA-2d", "OP-4")
def test_a_review_of_what_went_out_names_the_mapping_that_admitted_it(ledger: Steps) -> None:
    ledger.discover()
    ledger.freeze(ledger.claim())
    ledger.pass_time(301)
    ledger.mapping = "m2"
    ledger.review(ledger.claim())
    assert ledger.entry().mapping_version == "m1"


@pytest.mark.rule("WA-2d", "OP-4")
def test_a_replay_forgets_the_mapping_that_decided_before(ledger: Steps) -> None:
    ledger.discover()
    ledger.quarantined(ledger.claim())
    assert ledger.replay()
    assert ledger.entry().mapping_version is None
