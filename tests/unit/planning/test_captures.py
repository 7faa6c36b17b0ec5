"""How much is captured for what has left: never more than is owed or was authorised (OI-10)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.domain.ids import IdempotencyKey
from sync.domain.order import Payment, PaymentState, WebOrder
from sync.domain.sales_order import (
    ErpOrderState,
    LineStatus,
    OrderStatus,
    PayBy,
    SalesOrder,
    SalesOrderPayment,
)
from sync.domain.settlement import Capture, CaptureState
from sync.planning.captures import CannotCapture, ToCapture, cannot_tell, owed_for, to_capture
from sync.testing import builders as a

pytestmark = pytest.mark.rule("OI-10")

NOW = a.PLACED_AT
PARTLY, SHIPPED = ErpOrderState.PARTLY_SHIPPED, ErpOrderState.SHIPPED


def instruction(*payments: SalesOrderPayment, total: str = "120.00") -> SalesOrder:
    """Two lines, of 75.00 and 25.00, and 20.00 of freight and tax."""
    [line] = a.a_sales_order().lines
    lines = (
        replace(line, number=1, stock_quantity=Decimal(3), net=a.money("75.00")),
        replace(line, number=2, stock_quantity=Decimal(10), net=a.money("25.00")),
    )
    return a.a_sales_order(lines=lines, total=a.money(total), payments=payments)


def status(state: ErpOrderState, *shipped: str) -> OrderStatus:
    lines = tuple(
        LineStatus(number, a.SKU, Decimal(10), Decimal(each), Decimal(0))
        for number, each in enumerate(shipped, 1)
    )
    return OrderStatus(state, lines=lines)


def card(amount: str, *, captured: bool = False) -> SalesOrderPayment:
    return SalesOrderPayment(PayBy.CARD, "VISA", a.money(amount), "pay-1", captured)


def paid(amount: str | None, state: PaymentState = PaymentState.AUTHORISED) -> Payment:
    return Payment("card", state, a.money(amount) if amount else None, "pay-1")


def order(*payments: Payment) -> WebOrder:
    return a.a_retail_order(total=a.money("120.00"), payments=payments)


@pytest.mark.parametrize(
    "said, owed",
    [
        (status(ErpOrderState.OPEN, "3", "10"), None),
        (status(ErpOrderState.CANCELLED, "3", "10"), None),
        (status(PARTLY), None),
        (status(PARTLY, "0", "0"), "0"),
        (status(PARTLY, "1", "0"), "30.00"),
        (status(PARTLY, "1", "1"), "33.00"),
        (status(PARTLY, "0", "3"), "9.00"),
        (status(PARTLY, "2", "7"), "81.00"),
        (status(SHIPPED, "3", "10"), "120.00"),
        (status(SHIPPED, "3", "99"), "120.00"),
        (status(PARTLY, "3", "10"), "120.00"),
        # Short shipped and closed: what never left is not owed.
        (status(SHIPPED, "3", "0"), "90.00"),
        (status(ErpOrderState.INVOICED, "3"), "90.00"),
        # This ERP tells no progress of lines.
        (status(SHIPPED), "120.00"),
        (status(SHIPPED, "0", "0"), "120.00"),
    ],
)
def test_part_that_has_left_owes_its_part_of_the_total(said: OrderStatus, owed: str | None) -> None:
    found = owed_for(instruction(), said)
    assert (None if found is None else found.amount) == (None if owed is None else Decimal(owed))


def test_part_of_a_cent_is_left_for_the_rest() -> None:
    found = owed_for(instruction(total="100.01"), status(PARTLY, "1", "0"))
    assert found == a.money("25.00")


def test_what_was_captured_before_is_not_asked_for_again() -> None:
    owed = a.money("81.00")
    held = (Capture(IdempotencyKey("c-1"), a.money("30.00")),)
    asked = to_capture(instruction(card("120.00")), order(paid("120.00")), owed, held, NOW)
    assert asked == ToCapture(a.money("51.00"), a.money("81.00"))
    refused = (replace(held[0], state=CaptureState.REFUSED),)
    asked = to_capture(instruction(card("120.00")), order(paid("120.00")), owed, refused, NOW)
    assert asked == ToCapture(a.money("81.00"), a.money("81.00"))


def test_payment_that_is_told_as_captured_holds_our_captures() -> None:
    sent, owed = instruction(card("80.00"), card("40.00")), a.money("120.00")
    held = (Capture(IdempotencyKey("c-1"), a.money("80.00")),)
    now = order(paid("80.00", PaymentState.CAPTURED), paid("40.00"))
    asked = to_capture(sent, now, owed, held, NOW)
    assert asked == ToCapture(a.money("40.00"), a.money("120.00"))
    done = order(paid("80.00", PaymentState.CAPTURED), paid("40.00", PaymentState.CAPTURED))
    assert to_capture(sent, done, owed, held, NOW) is None


TAKEN = PaymentState.CAPTURED


def asking(
    owed: str, held: tuple[str, ...], *payments: Payment
) -> ToCapture | CannotCapture | None:
    """What is asked for of an order over 120.00, after captures over so much."""
    cards = instruction(*(card(str(each.amount.amount)) for each in payments if each.amount))
    asked = [Capture(IdempotencyKey(f"c-{each}"), a.money(each)) for each in held]
    return to_capture(cards, order(*payments), a.money(owed), asked, NOW)


def test_payment_that_a_person_captured_holds_none_of_our_captures() -> None:
    by_hand = (paid("70.00"), paid("50.00", TAKEN))
    assert asking("60.00", (), *by_hand) == ToCapture(a.money("10.00"), a.money("60.00"))
    assert asking("60.00", ("10.00",), *by_hand) is None
    asked = asking("120.00", ("10.00",), *by_hand)
    assert asked == ToCapture(a.money("60.00"), a.money("120.00"))


def test_what_may_be_captured_already_is_not_asked_for_and_a_person_is_told() -> None:
    """The 60.00 are of the payment that is open, or they hold the 50.00."""
    shown = (paid("70.00"), paid("50.00", TAKEN))
    asked = asking("120.00", ("60.00",), *shown)
    assert asked == ToCapture(a.money("10.00"), a.money("120.00"))
    said = asking("110.00", ("60.00",), *shown)
    assert isinstance(said, CannotCapture)
    assert "50.00 EUR" in said.sentence


def test_captures_that_the_open_payments_cannot_hold_are_in_the_others() -> None:
    said = asking("120.00", ("70.00", "15.00"), paid("40.00"), paid("80.00", TAKEN))
    assert isinstance(said, CannotCapture)
    assert "35.00 EUR" in said.sentence
    exactly = asking("120.00", ("50.00", "30.00", "15.00"), paid("40.00"), paid("80.00", TAKEN))
    assert exactly == ToCapture(a.money("25.00"), a.money("120.00"))


@pytest.mark.parametrize(
    "state, lines, told",
    [
        (SHIPPED, {1: "3", 10000: "1"}, False),
        (SHIPPED, {}, False),
        (SHIPPED, {10000: "0"}, False),
        (PARTLY, {10000: "3"}, False),
        (SHIPPED, {10000: "3"}, True),
        (ErpOrderState.INVOICED, {1: "0", 10000: "3"}, True),
    ],
)
def test_all_that_left_under_other_line_numbers_cannot_be_told(
    state: ErpOrderState, lines: dict[int, str], told: bool
) -> None:
    said = OrderStatus(
        state,
        lines=tuple(
            LineStatus(number, a.SKU, Decimal(10), Decimal(each), Decimal(0))
            for number, each in lines.items()
        ),
    )
    found = cannot_tell(instruction(), said)
    assert (found is not None) is told
    assert found is None or "10000" in found.sentence


def test_order_that_became_cheaper_is_captured_as_it_is_now() -> None:
    cheaper = replace(order(paid("120.00")), total=a.money("50.00"))
    asked = to_capture(instruction(card("120.00")), cheaper, a.money("81.00"), (), NOW)
    assert asked == ToCapture(a.money("50.00"), a.money("50.00"))


def test_order_on_terms_is_never_captured() -> None:
    terms = SalesOrderPayment(PayBy.TERMS, "NET30", a.money("120.00"))
    odd = order(Payment("on-account", PaymentState.AUTHORISED))
    assert to_capture(instruction(terms), odd, a.money("120.00"), (), NOW) is None


def test_authorisation_that_has_ended_is_said_and_not_asked_for() -> None:
    ended = replace(paid("120.00"), expires_at=NOW - timedelta(seconds=1))
    said = to_capture(instruction(card("120.00")), order(ended), a.money("30.00"), (), NOW)
    assert isinstance(said, CannotCapture)
    assert "30.00 EUR" in said.sentence
    later = replace(paid("120.00"), expires_at=NOW + timedelta(seconds=1))
    asked = to_capture(instruction(card("120.00")), order(later), a.money("30.00"), (), NOW)
    assert asked == ToCapture(a.money("30.00"), a.money("30.00"))


amounts = st.decimals(min_value=0, max_value=200, places=2)


@given(
    owed=st.lists(amounts, min_size=1, max_size=5),
    cards=st.lists(amounts, min_size=1, max_size=3),
    before=st.sets(st.integers(0, 2)),
)
def test_however_it_is_shipped_no_more_is_captured_than_owed_and_authorised(
    owed: list[Decimal], cards: list[Decimal], before: set[int]
) -> None:
    sent = instruction(
        *(card(str(each), captured=place in before) for place, each in enumerate(cards))
    )
    captured = PaymentState.CAPTURED
    shown = order(
        *(
            paid(str(each), captured if place in before else PaymentState.AUTHORISED)
            for place, each in enumerate(cards)
        )
    )
    early = sum((each for place, each in enumerate(cards) if place in before), Decimal(0))
    held: list[Capture] = []
    for most in sorted(owed):
        while True:
            asked = to_capture(sent, shown, a.money(str(most)), held, NOW)
            if not isinstance(asked, ToCapture):
                break
            assert asked.amount.amount > 0
            held.append(Capture(IdempotencyKey(f"c-{len(held)}"), asked.amount))
        taken = early + sum((each.amount.amount for each in held), Decimal(0))
        assert taken == max(early, min(most, Decimal(120), sum(cards, Decimal(0))))
