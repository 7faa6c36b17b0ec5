"""How an order is paid, and who may pay how."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from sync.domain.decision import Admitted, Waits
from sync.domain.mapping import AccountPolicy
from sync.domain.order import OrderState, Payment, PaymentState, SelectedShipTo, WebOrder
from sync.domain.sales_order import PayBy, SalesOrderPayment
from sync.testing import builders as a
from tests.unit.admission.desk import (
    HYBRID,
    NOW,
    OF_USER,
    admitted,
    card,
    judge,
    on_terms,
    personal,
    refusals,
    sentence,
)

NO_CARDS = AccountPolicy(card_payment=False)
PREPAID = (a.an_account(terms=None), a.a_retail_account())
EARLY = (OrderState.CREATED, OrderState.AWAITING_PAYMENT)
OPEN_HANDED = replace(HYBRID, importable=HYBRID.importable | set(EARLY))
TOTAL = a.money("99.90")
GIFT = Payment("gift_card", PaymentState.CAPTURED, a.money("30.00"), "GC-77")
REST = a.money("69.90")


@pytest.mark.rule("WA-5", "WA-1")
def test_a_wholesale_order_pays_on_the_accounts_terms() -> None:
    planned = admitted(a.a_web_order())
    assert planned.terms == "NET30"
    assert planned.payments == (SalesOrderPayment(PayBy.TERMS, "TERMS", TOTAL),)


@pytest.mark.rule("WA-5", "WA-1")
@pytest.mark.parametrize("state", [PaymentState.AUTHORISED, PaymentState.CAPTURED])
def test_a_wholesale_order_may_pay_by_card_where_the_account_allows_it(state: PaymentState) -> None:
    order = a.a_web_order(payments=(card(state),))
    planned = admitted(order)
    assert planned.terms is None
    assert planned.payments == (
        SalesOrderPayment(PayBy.CARD, "CARD", TOTAL, "pay_123", state is PaymentState.CAPTURED),
    )
    assert refusals(order, policy=NO_CARDS) == {"card_not_allowed"}


@pytest.mark.rule("WA-1", "WA-5")
def test_an_account_without_terms_is_wholesale_and_pays_by_card() -> None:
    assert refusals(a.a_web_order(), accounts=PREPAID) == {"account_without_terms"}
    asked = f"The order asks for account terms, and customer {a.ACCOUNT} has none."
    assert sentence(a.a_web_order(), accounts=PREPAID) == asked
    by_card = a.a_web_order(payments=(card(),))
    planned = admitted(by_card, accounts=PREPAID, policy=NO_CARDS)
    assert (planned.sold_to, planned.retail) == (a.ACCOUNT, False)


@pytest.mark.rule("WA-5")
@pytest.mark.parametrize("order", [a.a_retail_order(), personal()])
def test_retail_never_pays_on_terms(order: WebOrder) -> None:
    assert refusals(replace(order, payments=(on_terms(),))) == {"terms_for_retail"}


@pytest.mark.rule("WA-5")
def test_a_retail_card_is_not_subject_to_the_wholesale_permission() -> None:
    with_terms = (a.a_retail_account(terms="NET30"),)
    order = a.a_retail_order()
    assert admitted(order, accounts=with_terms, policy=NO_CARDS, retail_policy=NO_CARDS).retail


@pytest.mark.rule("WA-5")
@pytest.mark.parametrize(
    "state, code",
    [
        (PaymentState.NONE, "payment_absent"),
        (PaymentState.DECLINED, "payment_declined"),
        (PaymentState.EXPIRED, "payment_expired"),
        (PaymentState.REFUNDED, "payment_refunded"),
    ],
)
def test_a_card_that_was_not_authorised_is_quarantined(state: PaymentState, code: str) -> None:
    assert refusals(a.a_retail_order(payments=(card(state),))) == {code}
    assert refusals(a.a_web_order(payments=(card(state),))) == {code}


@pytest.mark.rule("WA-5")
@pytest.mark.parametrize("order", [a.a_retail_order(), a.a_web_order()])
def test_an_authorisation_still_pending_waits(order: WebOrder) -> None:
    outcome = judge(replace(order, payments=(card(PaymentState.PENDING),)))
    assert isinstance(outcome, Waits)
    assert outcome.code == "payment_pending"


@pytest.mark.rule("WA-5", "OI-5")
@pytest.mark.parametrize("state", EARLY)
@pytest.mark.parametrize(
    "payments",
    [
        (card(PaymentState.DECLINED),),
        (card(PaymentState.EXPIRED),),
        (card(PaymentState.NONE),),
        (card(expires_at=NOW),),
        (Payment(None),),
        (),
        (GIFT, card(PaymentState.DECLINED, amount=REST)),
    ],
)
def test_before_payment_the_buyer_may_still_try_again(
    state: OrderState, payments: tuple[Payment, ...]
) -> None:
    order = a.a_retail_order(state=state, payments=payments)
    for channel in (HYBRID, OPEN_HANDED):
        assert isinstance(judge(order, channel=channel), Waits)


@pytest.mark.rule("WA-5")
@pytest.mark.parametrize(
    "payment, code",
    [
        (Payment(None, PaymentState.CAPTURED), "payment_method_missing"),
        (Payment("", PaymentState.CAPTURED), "payment_method_missing"),
        (Payment("cowrie shells", PaymentState.CAPTURED), "payment_method_unmapped"),
        (Payment("cowrie shells", PaymentState.PENDING), "payment_method_unmapped"),
        (Payment("cash", PaymentState.CAPTURED), "payment_method_refused"),
        (Payment("cash", PaymentState.PENDING), "payment_method_refused"),
    ],
)
def test_a_method_that_is_refused_unknown_or_not_stated_is_quarantined(
    payment: Payment, code: str
) -> None:
    assert refusals(a.a_retail_order(payments=(payment,))) == {code}


@pytest.mark.rule("WA-5", "OI-5")
def test_an_authorisation_that_is_over_by_the_clock_is_quarantined() -> None:
    over = card(expires_at=NOW)
    assert refusals(a.a_retail_order(payments=(over,))) == {"payment_expired"}
    in_time = card(expires_at=NOW + timedelta(seconds=1))
    assert isinstance(judge(a.a_retail_order(payments=(in_time,))), Admitted)
    captured = card(PaymentState.CAPTURED, expires_at=NOW)
    assert isinstance(judge(a.a_retail_order(payments=(captured,))), Admitted)


@pytest.mark.rule("WA-5", "OI-7")
def test_a_declined_card_is_forgotten_once_another_one_went_through() -> None:
    tried = card(PaymentState.DECLINED, amount=TOTAL, reference="pay_1")
    planned = admitted(a.a_retail_order(payments=(tried, card(amount=TOTAL))))
    assert [payment.reference for payment in planned.payments] == ["pay_123"]


@pytest.mark.rule("WA-5", "OI-7")
def test_a_declined_card_is_not_forgotten_while_the_rest_falls_short() -> None:
    order = a.a_retail_order(payments=(GIFT, card(PaymentState.DECLINED, amount=REST)))
    assert refusals(order) == {"payment_declined"}


@pytest.mark.rule("OI-7", "WA-5")
def test_a_gift_card_is_tender_beside_another_payment() -> None:
    planned = admitted(a.a_retail_order(payments=(GIFT, card(amount=REST))))
    assert not planned.discounts
    assert [(each.code, each.amount) for each in planned.payments] == [
        ("GIFT", a.money("30.00")),
        ("CARD", a.money("69.90")),
    ]
    assert planned.total == TOTAL


@pytest.mark.rule("OI-7")
@pytest.mark.parametrize(
    "payments",
    [
        (GIFT, card(amount=a.money("69.89"))),
        (GIFT, card()),
        (card(), card()),
        (card(amount=a.money("100.00")),),
    ],
)
def test_payments_that_are_more_or_less_than_the_order_are_quarantined(
    payments: tuple[Payment, ...],
) -> None:
    assert refusals(a.a_retail_order(payments=payments)) == {"payments_do_not_add_up"}


@pytest.mark.rule("WA-5")
def test_terms_that_the_store_itself_refused_are_not_ignored() -> None:
    order = a.a_web_order(payments=(on_terms(state=PaymentState.DECLINED),))
    assert refusals(order) == {"payment_declined"}


@pytest.mark.rule("WA-5", "WA-3")
def test_a_mapped_user_without_organisation_pays_as_their_account_does() -> None:
    order = personal(payments=(on_terms(),), ship_to=SelectedShipTo(a.SHIP_TO), bill_to=None)
    assert admitted(order, assignments=(OF_USER,)).terms == "NET30"
