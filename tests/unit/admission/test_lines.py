"""The lines: items, units, kits and prices in the ERP's terms."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from sync.admission import LinePrice
from sync.domain.account import Item
from sync.domain.ids import CustomerId, Sku
from sync.domain.mapping import AccountPolicy, OnDifference
from sync.domain.order import OrderLine
from sync.testing import builders as a
from tests.unit.admission.desk import (
    CODES,
    ERP,
    Situation,
    admitted,
    priced,
    refusals,
    sentence,
    situation,
)

HOLD = AccountPolicy(on_price_difference=OnDifference.HOLD)
KIT = Sku("KIT-1")
NUT = Sku("NUT-M8")
KIT_ITEM = a.an_item(sku=KIT, kit=True)
KIT_LINE = a.a_line(sku=KIT)
PART = a.a_line(line_id="2", sku=NUT, unit_price=a.money("0.00"), kit_parent="1")


def with_item(**changes: Any) -> Situation:
    return situation(items=(a.an_item(**changes),))


def ordering(*lines: OrderLine) -> Any:
    return priced(a.a_web_order(lines=lines))


@pytest.mark.rule("OI-8")
@pytest.mark.parametrize(
    "quantity, unit, stock", [("10", "EA", "10"), ("2", "BOX", "24"), ("2.5", "BOX", "30")]
)
def test_quantities_convert_by_the_erps_own_factors(quantity: str, unit: str, stock: str) -> None:
    (line,) = admitted(ordering(a.a_line(quantity=Decimal(quantity), unit=unit))).lines
    assert (line.quantity, line.unit) == (Decimal(quantity), unit)
    assert line.stock_quantity == Decimal(stock)


@pytest.mark.rule("OI-8")
@pytest.mark.parametrize(
    "quantity, unit, are",
    [("0.5", "EA", "ordered"), ("1.001", "EA", "ordered"), ("0.3", "BOX", "3.6 EA")],
)
def test_a_quantity_that_does_not_come_out_even_quarantines_the_order(
    quantity: str, unit: str, are: str
) -> None:
    order = ordering(a.a_line(), a.a_line(line_id="2", quantity=Decimal(quantity), unit=unit))
    assert refusals(order) == {"quantity_uneven"}
    assert sentence(order) == (
        f"{quantity} {unit} of item {a.SKU} (line 2) are {are},"
        " and the item is sold in whole EA only."
    )


@pytest.mark.rule("OI-8")
def test_what_is_sold_by_the_metre_may_be_cut() -> None:
    order = ordering(a.a_line(quantity=Decimal("2.75")))
    (line,) = admitted(order, with_item(whole_units_only=False)).lines
    assert line.stock_quantity == Decimal("2.75")


@pytest.mark.rule("OI-8")
def test_long_quantities_are_multiplied_without_losing_a_digit() -> None:
    fine = with_item(units=(("COIL", Decimal("1.00000000000001")),), whole_units_only=False)
    order = ordering(a.a_line(quantity=Decimal("123456789012345.1"), unit="COIL"))
    (line,) = admitted(order, fine).lines
    assert line.stock_quantity == Decimal("123456789012346.334567890123451")


@pytest.mark.rule("OI-8")
@pytest.mark.parametrize(
    "item",
    [
        a.an_item(active=False),
        a.an_item(discontinued=True),
        a.an_item(allowed_to=frozenset({CustomerId("C-2")})),
        a.an_item(sku=NUT),
        a.an_item(stock_unit="KG"),
    ],
)
def test_one_line_that_cannot_be_delivered_quarantines_the_whole_order(item: Item) -> None:
    good = a.an_item(sku=Sku("GOOD"))
    order = ordering(a.a_line(sku=good.sku), a.a_line(line_id="2"))
    assert len(refusals(order, items=(good, item))) == 1


@pytest.mark.rule("OI-8")
def test_an_item_kept_for_some_customers_is_sold_to_those() -> None:
    assert admitted(a.a_web_order(), with_item(allowed_to=frozenset({a.ACCOUNT}))).lines


@pytest.mark.rule("VE-5", "OI-8")
def test_an_item_kept_for_a_group_is_sold_to_its_members_alone() -> None:
    club = a.an_item(allowed_to=frozenset(), allowed_tags=frozenset({"LICENSED"}))
    member, stranger = a.an_account(tags=("LICENSED",)), a.an_account(tags=("OEM",))
    # A price class of that name is no membership.
    in_class = a.an_account(price_groups=("LICENSED",))

    assert admitted(a.a_web_order(), items=(club,), accounts=(member,)).lines
    for account in (stranger, in_class):
        told = refusals(a.a_web_order(), items=(club,), accounts=(account,))
        assert told == {"item_restricted"}


@pytest.mark.rule("OI-8")
def test_units_are_translated_by_the_code_table() -> None:
    codes = replace(CODES, units={"piece": "EA", "case": "BOX"})
    (line,) = admitted(ordering(a.a_line(unit="case")), codes=codes).lines
    assert (line.unit, line.stock_quantity) == ("BOX", Decimal(120))


@pytest.mark.rule("OI-8")
def test_with_a_table_no_unit_is_taken_for_the_erps_because_it_is_spelled_alike() -> None:
    codes = replace(CODES, units={"piece": "EA"})
    assert refusals(ordering(a.a_line(unit="BOX")), codes=codes) == {"unit_unknown"}


@pytest.mark.rule("OI-8")
def test_a_kit_goes_as_its_parent_line() -> None:
    order = ordering(KIT_LINE, PART, a.a_line(line_id="3"))
    lines = admitted(order, items=(KIT_ITEM, a.an_item())).lines
    assert [(line.number, line.sku) for line in lines] == [(1, KIT), (2, a.SKU)]


@pytest.mark.rule("OI-8", "OI-1")
def test_what_the_buyer_wrote_beside_a_part_of_a_kit_is_kept_in_the_notes() -> None:
    order = ordering(KIT_LINE, replace(PART, note="stainless, please"))
    assert admitted(order, items=(KIT_ITEM,)).notes == "Line 1, part NUT-M8: stainless, please"


@pytest.mark.rule("OI-8")
def test_a_kit_within_a_kit_goes_with_the_outer_one() -> None:
    inner = a.a_line(line_id="3", sku=NUT, unit_price=a.money("0.00"), kit_parent="2")
    assert len(admitted(ordering(KIT_LINE, PART, inner), items=(KIT_ITEM,)).lines) == 1


@pytest.mark.rule("OI-8")
@pytest.mark.parametrize(
    "parts",
    [
        (replace(PART, kit_parent="99"),),
        (replace(PART, kit_parent="2"),),
        (replace(PART, kit_parent="3"), replace(PART, line_id="3", kit_parent="2")),
    ],
)
def test_a_part_that_hangs_on_no_kit_of_the_order_quarantines_it(
    parts: tuple[OrderLine, ...],
) -> None:
    order = ordering(KIT_LINE, *parts)
    assert refusals(order, items=(KIT_ITEM,)) == {"kit_parent_missing"}


@pytest.mark.rule("OI-8", "OI-1")
def test_a_kit_that_the_erp_does_not_know_as_one_would_lose_its_parts() -> None:
    order = ordering(KIT_LINE, PART)
    assert refusals(order, items=(replace(KIT_ITEM, kit=False),)) == {"item_unknown"}


@pytest.mark.rule("OI-8")
def test_parts_do_not_count_against_the_erps_limit_of_lines() -> None:
    order = ordering(KIT_LINE, PART)
    one = replace(ERP, max_order_lines=1)
    assert admitted(order, items=(KIT_ITEM,), erp=one).lines
    assert refusals(ordering(a.a_line(), a.a_line(line_id="2")), erp=one) == {"too_many_lines"}


@pytest.mark.rule("OI-1")
@pytest.mark.parametrize("erps, differs", [("9.99", False), ("9.9901", True), ("10.00", True)])
def test_a_price_other_than_the_erps_is_flagged_or_held_as_configured(
    erps: str, differs: bool
) -> None:
    order, prices = a.a_web_order(), {"1": LinePrice(Decimal(erps))}
    planned = admitted(order, prices=prices)
    assert bool(planned.flags) is differs
    assert planned.lines[0].unit_price == a.money("9.9900")
    if differs:
        assert refusals(order, prices=prices, policy=HOLD) == {"price_differs"}
    else:
        assert not admitted(order, prices=prices, policy=HOLD).flags


@pytest.mark.rule("OI-1")
def test_a_difference_within_the_tolerance_passes_either_way() -> None:
    policy = replace(HOLD, price_tolerance=Decimal("0.01"))
    for erps in ("9.98", "10.00"):
        assert not admitted(
            a.a_web_order(), prices={"1": LinePrice(Decimal(erps))}, policy=policy
        ).flags
    for erps in ("9.9799", "10.0001"):
        prices = {"1": LinePrice(Decimal(erps))}
        assert refusals(a.a_web_order(), prices=prices, policy=policy) == {"price_differs"}


@pytest.mark.rule("OI-1", "OI-8")
@pytest.mark.parametrize(
    "unit, charged, erps_unit, erps, differs",
    [
        ("BOX", "12.0000", "EA", "1.0000", False),
        ("BOX", "12.0000", "EA", "1.0001", True),
        ("EA", "1.0000", "BOX", "12.0000", False),
        ("EA", "1.0000", "BOX", "12.0012", True),
        ("BOX", "12.0000", "BOX", "12.0000", False),
        ("BOX", "12.0000", None, "12.0000", False),
        ("BOX", "12.0000", "PALLET", "12.0000", True),
    ],
)
def test_prices_are_compared_per_unit_whatever_unit_the_erp_prices_in(
    unit: str, charged: str, erps_unit: str | None, erps: str, differs: bool
) -> None:
    order = ordering(a.a_line(unit=unit, unit_price=a.money(charged)))
    planned = admitted(order, prices={"1": LinePrice(Decimal(erps), erps_unit)})
    assert bool(planned.flags) is differs


@pytest.mark.rule("OI-1")
def test_the_tolerance_is_per_unit_of_the_line() -> None:
    order = ordering(a.a_line(unit="BOX", unit_price=a.money("12.0000")))
    prices = {"1": LinePrice(Decimal("1.0010"), "EA")}
    just = replace(HOLD, price_tolerance=Decimal("0.012"))
    assert not admitted(order, prices=prices, policy=just).flags
    less = replace(HOLD, price_tolerance=Decimal("0.0119"))
    assert refusals(order, prices=prices, policy=less) == {"price_differs"}


@pytest.mark.rule("OI-1", "WA-10")
def test_a_price_charged_where_the_erp_has_none_is_flagged_or_held() -> None:
    prices = {"1": LinePrice(None)}
    assert admitted(a.a_web_order(), prices=prices).flags
    assert refusals(a.a_web_order(), prices=prices, policy=HOLD) == {"price_differs"}


@pytest.mark.rule("OI-1")
def test_a_price_finer_than_the_erp_keeps_is_not_rounded_in_silence() -> None:
    order = ordering(a.a_line(unit_price=a.money("9.98765")))
    assert admitted(order).flags
    assert refusals(order, policy=HOLD) == {"price_differs"}


@pytest.mark.rule("OI-1")
def test_the_policy_of_the_retail_group_holds_for_retail() -> None:
    prices = {"1": LinePrice(Decimal("8.00"))}
    strict = replace(HOLD, custom_ship_to=True)
    order = a.a_retail_order()
    assert refusals(order, prices=prices, retail_policy=strict) == {"price_differs"}
    assert admitted(order, prices=prices, policy=HOLD).flags
