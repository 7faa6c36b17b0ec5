"""A web order adds up to what the buyer saw."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.domain.ids import OrganisationId
from sync.domain.money import Money, total
from sync.domain.order import (
    Adjustment,
    Charge,
    ChargeKind,
    LineDiscount,
    Membership,
    OrderDiscount,
    OrderLine,
    Payment,
    PaymentState,
    Role,
    Tax,
    WebOrder,
)
from sync.testing import builders as a
from tests.unit.domain.strategies import AMOUNTS, of


@pytest.mark.rule("OI-7")
def test_a_line_is_worth_its_quantity_less_its_discounts() -> None:
    line = a.a_line(
        quantity=Decimal("2.5"),
        unit_price=a.money("9.9900"),
        discounts=(
            LineDiscount("A", a.money("1.00")),
            LineDiscount("B", a.money("0.475"), Decimal("0.02")),
        ),
    )

    assert line.gross == a.money("24.975")
    assert line.net == a.money("23.500")


@pytest.mark.rule("OI-7")
def test_lines_charges_and_tax_less_discounts_are_the_total() -> None:
    order = a.a_web_order(
        lines=(a.a_line(quantity=Decimal(10), unit_price=a.money("10.00")),),
        charges=(
            Charge(ChargeKind.FREIGHT, "DHL", a.money("7.50")),
            Charge(ChargeKind.FEE, "SMALL", a.money("1.00")),
            Charge(ChargeKind.DEPOSIT, "PALLET", a.money("12.00")),
        ),
        discounts=(OrderDiscount("WELCOME", a.money("10.00")),),
        taxes=(Tax("VAT", a.money("23.205")),),
        adjustments=(Adjustment("rounding", a.money("-0.005")),),
    )

    assert order.computed_total == a.money("133.70")


@pytest.mark.rule("OI-7")
def test_a_gift_card_is_tender_and_takes_nothing_off_the_total() -> None:
    order = a.a_web_order()
    gift = Payment("gift_card", PaymentState.CAPTURED, a.money("50.00"), "GC-77")

    assert a.a_web_order(payments=(*order.payments, gift)).computed_total == order.total


@pytest.mark.rule("OI-7", "OI-8")
def test_parts_of_a_kit_are_in_their_parents_price() -> None:
    kit = a.a_line(line_id="1", quantity=Decimal(1), unit_price=a.money("40.00"))
    part = a.a_line(line_id="1a", unit_price=a.money("25.00"), kit_parent="1")

    assert a.a_web_order(lines=(kit, part)).computed_total == a.money("40.00")


@pytest.mark.rule("OI-7")
@pytest.mark.parametrize(
    "order",
    [a.a_web_order(), a.a_retail_order(), a.a_full_web_order()],
    ids=["wholesale", "retail", "full"],
)
def test_the_sample_orders_add_up(order: WebOrder) -> None:
    assert order.computed_total == order.total


@pytest.mark.rule("OI-7")
@given(st.lists(of(OrderLine), max_size=4), st.lists(AMOUNTS, max_size=3))
def test_nothing_is_rounded_on_the_way_to_the_total(
    lines: list[OrderLine], taxes: list[Money]
) -> None:
    order = a.a_web_order(
        lines=tuple(lines), taxes=tuple(Tax("VAT", tax) for tax in taxes), payments=()
    )

    parts = [line.net for line in lines if line.kit_parent is None]
    assert order.computed_total - total(taxes, "EUR") == total(parts, "EUR")


@pytest.mark.rule("WA-16")
@pytest.mark.parametrize(
    "changes",
    [
        {"total": a.money("99.90", "USD")},
        {"lines": (a.a_line(unit_price=a.money("9.99", "USD")),)},
        {"lines": (a.a_line(discounts=(LineDiscount("A", a.money("1", "USD")),)),)},
        {"charges": (Charge(ChargeKind.FREIGHT, "DHL", a.money("1", "USD")),)},
        {"discounts": (OrderDiscount("A", a.money("1", "USD")),)},
        {"taxes": (Tax("VAT", a.money("1", "USD")),)},
        {"adjustments": (Adjustment("rounding", a.money("1", "USD")),)},
        {"payments": (Payment("card", amount=a.money("1", "USD")),)},
        {"payments": (Payment("card", amount=a.money("0", "USD")),)},
    ],
)
def test_an_order_is_in_one_currency_throughout(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="order W-10482 is in EUR, one amount in USD"):
        a.a_web_order(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"quantity": Decimal(0)},
        {"quantity": Decimal(-1)},
        {"unit_price": a.money("-0.01")},
        {"quantity": Decimal("NaN")},
        {"quantity": 1.5},
    ],
)
def test_a_line_sells_something_at_no_negative_price(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"not positive|negative|not an exact amount"):
        a.a_line(**changes)


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="a time without a zone"):
        a.a_web_order(placed_at=datetime(2025, 3, 3, 8, 30))  # noqa: DTZ001


def test_times_of_other_zones_are_kept_as_utc() -> None:
    order = a.a_web_order(modified_at=datetime.fromisoformat("2025-03-03T03:30:00-05:00"))

    assert order.modified_at == datetime(2025, 3, 3, 8, 30, tzinfo=UTC)
    assert order.modified_at.tzinfo is UTC


@pytest.mark.rule("TL-1")
def test_an_order_without_an_organisation_is_personal() -> None:
    assert a.a_retail_order().personal
    assert not a.a_web_order().personal


@pytest.mark.rule("VE-4")
def test_each_role_includes_the_ones_before_it() -> None:
    assert Role.BROWSE < Role.ORDER < Role.APPROVE < Role.MANAGE


@pytest.mark.rule("TL-3")
def test_a_user_is_a_member_of_the_organisations_named_and_no_other() -> None:
    second = Membership(OrganisationId("org-13"), Role.MANAGE)
    user = a.a_web_user(memberships=(Membership(a.ORGANISATION), second))

    assert user.member_of(OrganisationId("org-13")) == second
    assert user.member_of(OrganisationId("org-14")) is None


@pytest.mark.rule("OI-2")
def test_an_unreadable_order_says_what_is_wrong() -> None:
    with pytest.raises(ValueError, match="must say what is wrong"):
        a.an_unreadable_order(problems=())


@pytest.mark.rule("OI-10")
def test_refund_is_an_amount_above_zero_in_the_orders_currency() -> None:
    with pytest.raises(ValueError, match="not positive"):
        a.a_refund("0.00")
    with pytest.raises(ValueError, match="one amount in USD"):
        a.a_retail_order(refunds=(replace(a.a_refund(), amount=a.money("1.00", "USD")),))
