"""An order in Tryton's words: amounts that add up, and nothing that gets lost."""

from __future__ import annotations

import dataclasses
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erp_adapters.tryton.remarks import remarks
from erp_adapters.tryton.rounding import CENTS, ROUNDING, booked_adjustments
from erp_adapters.tryton.translate import HELD
from sync.domain.money import Money, Rounding
from sync.domain.sales_order import CodedAmount, OneOffShipTo
from sync.testing import builders as a


@pytest.mark.rule("OI-1", "OI-7")
@given(
    prices=st.lists(
        st.tuples(st.integers(1, 999_999), st.integers(1, 50)), min_size=1, max_size=12
    ),
    named=st.booleans(),
)
def test_the_lines_of_the_sale_come_to_the_total_that_the_buyer_saw(
    prices: list[tuple[int, int]], named: bool
) -> None:
    """The store rounds once for the order, Tryton once for each line."""
    lines = tuple(
        a.a_sales_line(
            number=number,
            quantity=Decimal(quantity),
            unit_price=Money(Decimal(price).scaleb(-4), "EUR"),
            net=Money(Decimal(price).scaleb(-4) * quantity, "EUR"),
        )
        for number, (price, quantity) in enumerate(prices, 1)
    )
    exact = sum((line.net.amount for line in lines), Decimal(0))
    total = CENTS(exact)
    difference = (CodedAmount("RND", Money(total - exact, "EUR")),) if named else ()
    order = a.a_sales_order(lines=lines, total=Money(total, "EUR"), adjustments=difference)

    adjustments = booked_adjustments(order)

    booked = sum((CENTS(line.net.amount) for line in lines), Decimal(0))
    assert booked + sum(each.amount.amount for each in adjustments) == total
    assert all(each.amount.amount for each in adjustments)
    assert {each.code for each in adjustments} <= {"RND" if named else ROUNDING}


@pytest.mark.rule("OI-1", "OI-6", "OI-7")
@given(
    st.lists(st.tuples(st.integers(1, 999_999), st.integers(1, 50)), min_size=1, max_size=12),
    st.sampled_from(["0", "0.1", "0.15"]),
    st.sampled_from(["0.10", "0.0825", "0.21"]),
)
def test_the_sale_comes_to_the_total_with_the_tax_that_tryton_itself_reckons(
    prices: list[tuple[int, int]], promotion: str, percent: str
) -> None:
    """The store taxes the exact sum; Tryton what is sold, and apart from it what is taken off."""
    rate, up = Decimal(percent), Rounding(2, ROUND_HALF_UP)
    lines, exact = [], Decimal(0)
    for number, (price, quantity) in enumerate(prices, 1):
        unit_price = Decimal(price).scaleb(-4)
        gross = unit_price * quantity
        exact += gross * (1 - Decimal(promotion))
        saved = up(gross * Decimal(promotion))
        lines.append(
            a.a_sales_line(
                number=number,
                quantity=Decimal(quantity),
                unit_price=Money(unit_price, "EUR"),
                discount=Money(saved, "EUR"),
                discount_code="TENOFF" if saved else None,
                net=Money(gross - saved, "EUR"),
            )
        )
    order = a.a_sales_order(
        lines=tuple(lines),
        taxes=(CodedAmount("VAT", Money(up(exact * rate), "EUR"), rate),),
        total=Money(up(exact * (1 + rate)), "EUR"),
    )

    adjustments = booked_adjustments(order)

    sold = [line.quantity * line.unit_price.amount for line in lines]
    off = [-line.discount.amount for line in lines]
    tax = CENTS(sum(sold) * rate) + CENTS(sum(off) * rate)
    booked = sum((CENTS(each) for each in (*sold, *off)), Decimal(0))
    adjusted = sum((each.amount.amount for each in adjustments), Decimal(0))
    assert booked + adjusted + tax == order.total.amount


@pytest.mark.rule("OI-1", "OI-6")
def test_a_discount_is_taxed_apart_as_a_live_tryton_did() -> None:
    """13 at 39.6024 less ten percent, freight 9.50, tax of ten percent: no cent is left over."""
    unit_price, off, tenth = Decimal("39.6024"), Decimal("51.48"), Decimal("0.10")
    line = a.a_sales_line(
        quantity=Decimal(13),
        unit_price=Money(unit_price, "EUR"),
        discount=Money(off, "EUR"),
        discount_code="TENOFF",
        net=Money(unit_price * 13 - off, "EUR"),
    )
    order = a.a_sales_order(
        lines=(line,),
        charges=(CodedAmount("FREIGHT", a.money("9.50")),),
        taxes=(CodedAmount("TAX10", a.money("47.28"), tenth),),
        total=a.money("520.13"),
    )
    assert booked_adjustments(order) == []  # 514.83 - 51.48 + 9.50 + 52.43 - 5.15


def test_a_tax_that_is_not_on_everything_is_the_stores() -> None:
    """Which lines are exempt only the ERP knows, so its tax cannot be told."""
    net = a.money("100.00")
    line = a.a_sales_line(quantity=Decimal(1), unit_price=net, net=net)
    taxes = (CodedAmount("VAT", a.money("5.00"), Decimal("0.10")),)
    order = a.a_sales_order(lines=(line,), taxes=taxes, total=a.money("105.01"))
    assert [each.amount.amount for each in booked_adjustments(order)] == [Decimal("0.01")]


def test_what_rounding_cannot_explain_is_not_explained_away() -> None:
    order = a.a_sales_order(total=a.money("99.00"))
    assert booked_adjustments(order) == []


@pytest.mark.rule("OI-9")
def test_the_remarks_hold_whatever_tryton_has_no_field_for() -> None:
    full = a.a_full_sales_order(
        ship_to=OneOffShipTo(
            a.an_address(phone="+31 10 1", email="dock@harbour.example", residential=True)
        ),
        requested_on=date(2025, 3, 1),
    )
    told = remarks(full)
    assert told[0] == HELD
    text = "\n".join(told)
    for part in (
        "W-20001",
        "order-full",
        "u-7719",
        "org-12",
        "SITE-1",
        "2025-03-01",
        "EXPRESS",
        "X-55",
        "+31 10 555 0100",
        "ada@harbour.example",
        "Ship complete",
        "pay_999, captured",
        "GC-77",
        "VAT21 67.41 EUR",
        "+31 10 1",
        "dock@harbour.example",
        "residence",
        "price differs from the ERP's",
    ):
        assert part in text, part
    assert HELD not in remarks(dataclasses.replace(full, hold=False))
