"""What the store says of an order decides whether it is judged, waits or is over."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sync.admission import not_ready
from sync.domain.channel import Channel
from sync.domain.decision import Admitted, Closed, Closing, Quarantined, Waits
from sync.domain.order import Approval, OrderState, PaymentState
from sync.testing import builders as a
from tests.unit.admission.desk import B2B, CODES, HYBRID, card, judge, on_terms, personal

IMPORTED = {
    OrderState.AWAITING_FULFILMENT,
    OrderState.PARTLY_FULFILLED,
    OrderState.FULFILLED,
    OrderState.AWAITING_PAYMENT,
}
OVER = {OrderState.CANCELLED, OrderState.REFUNDED}
WAITING = set(OrderState) - IMPORTED - OVER
OFFERS = on_terms(amount=a.money("69.90"))
GIFT = card(PaymentState.CAPTURED, method="gift_card", amount=a.money("30.00"))


@pytest.mark.rule("VE-11")
@pytest.mark.parametrize("state", sorted(IMPORTED, key=str))
def test_an_order_on_terms_is_imported_in_these_states(state: OrderState) -> None:
    assert isinstance(judge(a.a_web_order(state=state)), Admitted)


@pytest.mark.rule("VE-11", "OI-5")
@pytest.mark.parametrize("state", sorted(WAITING | {OrderState.AWAITING_PAYMENT}, key=str))
def test_an_order_paid_by_card_waits_in_these_states(state: OrderState) -> None:
    assert isinstance(judge(a.a_retail_order(state=state)), Waits)


@pytest.mark.rule("VE-11")
@pytest.mark.parametrize("state", sorted(WAITING, key=str))
def test_an_order_on_terms_waits_in_the_other_states(state: OrderState) -> None:
    waits = judge(a.a_web_order(state=state))
    assert isinstance(waits, Waits)
    assert "_" not in waits.sentence, "a person reads it"


@pytest.mark.rule("VE-11")
def test_awaiting_payment_on_terms_can_be_made_to_wait() -> None:
    patient = replace(HYBRID, import_unpaid_terms=False)
    order = a.a_web_order(state=OrderState.AWAITING_PAYMENT)
    assert isinstance(judge(order, channel=patient), Waits)


@pytest.mark.rule("VE-11", "OI-7")
def test_an_order_on_terms_for_what_a_gift_card_left_does_not_wait_for_payment() -> None:
    order = a.a_web_order(state=OrderState.AWAITING_PAYMENT, payments=(GIFT, OFFERS))
    assert isinstance(judge(order), Admitted)


@pytest.mark.rule("VE-11")
def test_the_channel_configures_what_is_importable() -> None:
    eager = replace(HYBRID, importable=frozenset({OrderState.HELD}))
    assert isinstance(judge(a.a_web_order(state=OrderState.HELD), channel=eager), Admitted)
    ready = a.a_web_order(state=OrderState.AWAITING_FULFILMENT)
    assert isinstance(judge(ready, channel=eager), Waits)


@pytest.mark.rule("VE-11")
@pytest.mark.parametrize(
    "state, why",
    [(OrderState.CANCELLED, Closing.CANCELLED), (OrderState.REFUNDED, Closing.REFUNDED)],
)
@pytest.mark.parametrize("channel", [HYBRID, B2B])
def test_an_order_that_is_over_is_closed_and_not_in_quarantine(
    state: OrderState, why: Closing, channel: Channel
) -> None:
    hopeless = a.a_retail_order(
        state=state, lines=(), ship_to=None, payments=(card(PaymentState.PENDING),)
    )
    outcome = judge(hopeless, channel=channel)
    assert isinstance(outcome, Closed)
    assert outcome.why is why


@pytest.mark.rule("VE-4")
def test_an_order_waits_for_its_approval_and_is_imported_then() -> None:
    pending = a.a_web_order(approval=Approval.PENDING)
    outcome = judge(pending)
    assert isinstance(outcome, Waits)
    assert outcome.code == "approval_pending"
    assert isinstance(judge(replace(pending, approval=Approval.APPROVED)), Admitted)


@pytest.mark.rule("VE-4")
def test_a_refused_approval_closes_the_order() -> None:
    outcome = judge(a.a_web_order(approval=Approval.REFUSED, state=OrderState.PENDING_APPROVAL))
    assert isinstance(outcome, Closed)
    assert outcome.why is Closing.APPROVAL_REFUSED


@pytest.mark.rule("VE-4", "VE-11")
def test_the_stores_own_state_is_enough_to_wait_for_approval() -> None:
    eager = replace(HYBRID, importable=frozenset(OrderState))
    outcome = judge(a.a_web_order(state=OrderState.PENDING_APPROVAL), channel=eager)
    assert isinstance(outcome, Waits)
    assert outcome.code == "approval_pending"


@pytest.mark.rule("VE-11", "WA-5")
def test_an_order_that_waits_and_is_forbidden_waits_and_is_judged_later() -> None:
    order = a.a_web_order(state=OrderState.HELD, ship_to=None, payments=(), lines=())
    assert isinstance(judge(order), Waits)
    later = replace(order, state=OrderState.AWAITING_FULFILMENT)
    outcome = judge(later)
    assert isinstance(outcome, Quarantined)
    assert {each.code for each in outcome.problems} >= {
        "ship_to_missing",
        "payment_method_missing",
        "no_lines",
    }


@pytest.mark.rule("OI-5")
def test_readiness_without_a_clock_goes_by_the_stores_word_alone() -> None:
    order = personal(state=OrderState.AWAITING_PAYMENT, payments=(card(expires_at=a.PLACED_AT),))
    everything = replace(HYBRID, importable=frozenset(OrderState))
    assert not_ready(order, everything, CODES) is None
