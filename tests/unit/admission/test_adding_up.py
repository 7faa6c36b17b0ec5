"""Whatever is on an order: it adds up, and it is judged alike however it is written."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sync.domain.decision import Admitted, Outcome, Quarantined
from sync.domain.ids import Sku
from sync.domain.mapping import AccountPolicy
from sync.domain.money import Money, total
from sync.domain.order import (
    Adjustment,
    Charge,
    ChargeKind,
    LineDiscount,
    OrderDiscount,
    OrderLine,
    OrderState,
    Payment,
    PaymentState,
    Tax,
    WebOrder,
)
from sync.domain.sales_order import SalesOrder
from sync.testing import builders as a
from tests.unit.admission.desk import ERP, judge, situation

KIT = a.an_item(sku=Sku("KIT-1"), kit=True)
NO_OVERRIDE = replace(ERP, tax_override=False, order_hold=True)


def euros(places: int, most: int = 5000) -> st.SearchStrategy[Money]:
    return st.decimals(0, most, places=places).map(lambda amount: Money(amount, "EUR"))


def signed(places: int) -> st.SearchStrategy[Money]:
    return st.decimals(-1, 1, places=places).map(lambda amount: Money(amount, "EUR"))


@st.composite
def lines(draw: st.DrawFn) -> tuple[OrderLine, ...]:
    found = []
    for number in range(draw(st.integers(1, 5))):
        off = st.builds(LineDiscount, st.sampled_from(["LOYAL", "SPRING"]), euros(2, 3))
        line = a.a_line(
            line_id=str(number),
            sku=draw(st.sampled_from([a.SKU, KIT.sku])),
            quantity=Decimal(draw(st.integers(1, 100_000))),
            unit=draw(st.sampled_from(["EA", "BOX"])),
            unit_price=draw(euros(4)),
            discounts=tuple(draw(st.lists(off, max_size=2))),
        )
        found.append(line)
        if line.sku == KIT.sku and draw(st.booleans()):
            free = a.money("0.00")
            found.append(a.a_line(line_id=f"{number}a", unit_price=free, kit_parent=line.line_id))
    return tuple(found)


codes = st.text("ABC", min_size=1, max_size=3)
charges = st.lists(st.builds(Charge, st.sampled_from(ChargeKind), codes, euros(2)), max_size=3)
coupons = st.lists(st.builds(OrderDiscount, codes, euros(2, 5)), max_size=2)
taxes = st.lists(st.builds(Tax, codes, euros(3)), max_size=2)
adjustments = st.lists(st.builds(Adjustment, codes, signed(4)), max_size=1)


@st.composite
def orders(draw: st.DrawFn) -> WebOrder:
    """Orders that add up, wholesale or retail, paid at once or partly by gift card."""
    build: Any = draw(st.sampled_from([a.a_web_order, a.a_retail_order]))
    order: WebOrder = build(
        lines=draw(lines()),
        charges=tuple(draw(charges)),
        discounts=tuple(draw(coupons)),
        taxes=tuple(draw(taxes)),
        adjustments=tuple(draw(adjustments)),
        payments=(),
    )
    assume(order.computed_total.amount >= 0)
    order = replace(order, total=order.computed_total)
    return replace(order, payments=draw(payments(order.total, retail=order.personal)))


@st.composite
def payments(draw: st.DrawFn, whole: Money, *, retail: bool) -> tuple[Payment, ...]:
    main = "card" if retail else draw(st.sampled_from(["card", "on_account"]))
    state = draw(st.sampled_from([PaymentState.AUTHORISED, PaymentState.CAPTURED]))
    if draw(st.booleans()):
        return (Payment(main, state),)
    gift = draw(euros(2, 50))
    return (
        Payment("gift_card", PaymentState.CAPTURED, gift, "GC-1"),
        Payment("card", PaymentState.DECLINED, whole - gift, "pay_0"),
        Payment(main, state, whole - gift, "pay_1"),
    )


def judged(order: WebOrder, erp: Any = ERP) -> Outcome:
    tax = total((each.amount for each in order.taxes), "EUR")
    return judge(
        order, situation(items=(a.an_item(), KIT), erp=erp, erp_tax=tax, policy=AccountPolicy())
    )


def sum_of(order: SalesOrder) -> Money:
    plus = [line.net for line in order.lines]
    for part in (order.charges, order.taxes, order.adjustments):
        plus += [each.amount for each in part]
    return total(plus, order.currency) - total(
        (each.amount for each in order.discounts), order.currency
    )


@pytest.mark.rule("OI-7", "OI-1")
@given(orders(), st.sampled_from([ERP, NO_OVERRIDE]))
def test_an_admitted_order_adds_up_to_what_the_buyer_was_told(order: WebOrder, erp: Any) -> None:
    outcome = judged(order, erp)
    assert isinstance(outcome, Admitted), outcome
    planned = outcome.order
    assert planned.total == order.total
    assert sum_of(planned).amount == order.total.amount
    paid = total((payment.amount for payment in planned.payments), planned.currency)
    assert paid.amount == order.total.amount
    for line in planned.lines:
        assert line.unit_price.times(line.quantity) - line.discount == line.net


@pytest.mark.rule("OI-1", "OI-8")
@given(orders())
def test_every_line_but_the_parts_of_kits_is_in_the_order_once_and_in_turn(order: WebOrder) -> None:
    outcome = judged(order)
    assert isinstance(outcome, Admitted)
    wanted = [
        (line.sku, line.quantity, line.unit, line.unit_price)
        for line in order.lines
        if line.kit_parent is None
    ]
    told = [(line.sku, line.quantity, line.unit, line.unit_price) for line in outcome.order.lines]
    assert told == wanted
    assert [line.number for line in outcome.order.lines] == list(range(1, len(wanted) + 1))


@pytest.mark.rule("OI-7")
@given(orders(), st.integers(-100, 100).filter(bool))
def test_an_order_that_is_off_by_any_cents_is_never_admitted(order: WebOrder, cents: int) -> None:
    off = replace(order, total=order.total + Money(Decimal(cents).scaleb(-2), "EUR"))
    outcome = judged(off)
    assert isinstance(outcome, Quarantined)
    assert "total_mismatch" in {each.code for each in outcome.problems}


@given(orders(), st.sampled_from(OrderState), st.booleans())
def test_the_same_order_on_the_same_facts_is_judged_the_same(
    order: WebOrder, state: OrderState, lost: bool
) -> None:
    changed = replace(order, state=state, ship_to=None if lost else order.ship_to)
    assert judged(changed) == judged(changed)


payment_lists = st.lists(
    st.builds(
        Payment,
        st.sampled_from([None, "card", "gift_card", "on_account", "cash", "cowrie shells"]),
        st.sampled_from(PaymentState),
        st.sampled_from([None, a.money("99.90"), a.money("50.00"), a.money("49.90")]),
    ),
    max_size=4,
)


@pytest.mark.rule("WA-5")
@given(payment_lists, st.sampled_from(OrderState), st.booleans(), st.data())
def test_the_order_of_the_payments_does_not_matter(
    paid: list[Payment], state: OrderState, retail: bool, data: st.DataObject
) -> None:
    order = (a.a_retail_order if retail else a.a_web_order)(state=state, payments=tuple(paid))
    shuffled = replace(order, payments=tuple(data.draw(st.permutations(paid))))
    assert gist(judged(order)) == gist(judged(shuffled))


@pytest.mark.rule("WA-5")
@given(payment_lists)
def test_no_retail_order_is_admitted_without_cards_that_cover_it(paid: list[Payment]) -> None:
    outcome = judged(a.a_retail_order(payments=tuple(paid)))
    if isinstance(outcome, Admitted):
        good = {PaymentState.AUTHORISED, PaymentState.CAPTURED}
        cards = [
            payment.amount.amount if payment.amount else Decimal("99.90")
            for payment in paid
            if payment.method in ("card", "gift_card") and payment.state in good
        ]
        assert sum(cards) == Decimal("99.90")


def gist(outcome: Outcome) -> object:
    """The outcome, whatever the order of its payments and reasons."""
    if isinstance(outcome, Quarantined):
        return sorted(outcome.problems, key=repr)
    if isinstance(outcome, Admitted):
        return (
            replace(outcome.order, payments=()),
            sorted(outcome.order.payments, key=repr),
            outcome.decision,
        )
    return outcome
