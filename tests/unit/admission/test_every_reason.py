"""Every reason in the table can happen, and each says what is wrong and what to do."""

from __future__ import annotations

import pytest

from sync.admission import not_ready
from sync.domain.decision import Admitted, Closed, Closing, Quarantined, Waits
from sync.domain.order import Approval, OrderState, PaymentState
from sync.domain.problem_codes import CLOSING_RULES, QUARANTINE_CODES, WAITING_CODES
from sync.rules import RULES
from sync.testing import builders as a
from tests.unit.admission.desk import CODES, HYBRID, card, codes, judge
from tests.unit.admission.reasons import ONLY_FLOWS_SAY, REASONS


@pytest.mark.rule("OI-2")
@pytest.mark.parametrize("code", REASONS)
def test_an_order_that_is_wrong_in_one_respect_is_quarantined_for_exactly_that(code: str) -> None:
    order, here = REASONS[code]()
    outcome = judge(order, here)
    assert codes(outcome) == {code}
    assert isinstance(outcome, Quarantined)
    (problem,) = outcome.problems
    assert problem.rule == QUARANTINE_CODES[code]
    assert problem.sentence.endswith(".")
    assert problem.remedy.endswith(".")


def test_every_reason_of_the_table_is_shown_here_or_said_by_the_flows() -> None:
    assert REASONS.keys() | ONLY_FLOWS_SAY == QUARANTINE_CODES.keys()
    assert not REASONS.keys() & ONLY_FLOWS_SAY


def test_every_reason_belongs_to_a_rule() -> None:
    named = {*QUARANTINE_CODES.values(), *WAITING_CODES.values(), *CLOSING_RULES.values()}
    assert named <= set(RULES)


def test_every_reason_to_wait_can_happen() -> None:
    waiting = [
        a.a_web_order(state=OrderState.HELD),
        a.a_web_order(approval=Approval.PENDING),
        a.a_retail_order(payments=(card(PaymentState.PENDING),)),
    ]
    found = {
        outcome.code
        for order in waiting
        if isinstance(outcome := not_ready(order, HYBRID, CODES), Waits)
    }
    # Only the flow that reads the store again can see that an order is gone.
    assert found == WAITING_CODES.keys() - {"order_vanished"}


def test_every_reason_to_close_can_happen() -> None:
    closing = [
        a.a_web_order(state=OrderState.CANCELLED),
        a.a_web_order(state=OrderState.REFUNDED),
        a.a_web_order(approval=Approval.REFUSED),
    ]
    found = {
        outcome.why
        for order in closing
        if isinstance(outcome := not_ready(order, HYBRID, CODES), Closed)
    }
    assert found == set(Closing) - {Closing.VANISHED, Closing.DISMISSED}


def test_the_orders_that_everything_else_is_measured_by_are_admitted() -> None:
    assert isinstance(judge(a.a_web_order()), Admitted)
    assert isinstance(judge(a.a_retail_order()), Admitted)
