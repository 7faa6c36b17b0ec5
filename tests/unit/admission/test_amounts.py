"""Charges, discounts and tax in the ERP's codes, adding up to what the buyer saw."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from sync.domain.account import Location, ShipTo
from sync.domain.ids import LocationId
from sync.domain.mapping import AccountPolicy, CodeTables
from sync.domain.order import (
    Adjustment,
    Charge,
    ChargeKind,
    LineDiscount,
    OrderDiscount,
    SelectedShipTo,
    Tax,
)
from sync.domain.sales_order import CodedAmount
from sync.testing import builders as a
from tests.unit.admission.desk import CODES, ERP, admitted, priced, refusals, situation

NO_OVERRIDE = replace(ERP, tax_override=False)
VAT = Tax("VAT", a.money("21.00"), Decimal("0.21"))
TAXED = priced(a.a_web_order(taxes=(VAT,)))
SITE_1, SITE_2 = LocationId("SITE-1"), LocationId("SITE-2")


def tables(**changes: Any) -> CodeTables:
    return replace(CODES, **changes)


@pytest.mark.rule("OI-7")
@pytest.mark.parametrize("kind", ChargeKind)
def test_freight_fees_and_deposits_travel_under_the_erps_codes(kind: ChargeKind) -> None:
    order = priced(a.a_web_order(charges=(Charge(kind, "extra", a.money("7.50")),)))
    expected = (CodedAmount("XTR", a.money("7.50")),)
    assert admitted(order, codes=tables(charges={"extra": "XTR"})).charges == expected
    assert refusals(order, codes=tables(charges={"other": "O"})) == {"charge_unmapped"}


@pytest.mark.rule("OI-7")
def test_coupons_travel_under_the_erps_codes_and_as_positive_amounts() -> None:
    order = priced(a.a_web_order(discounts=(OrderDiscount("WELCOME", a.money("5.00")),)))
    planned = admitted(order, codes=tables(discounts={"WELCOME": "CPN"}))
    assert planned.discounts == (CodedAmount("CPN", a.money("5.00")),)
    assert planned.total == a.money("94.90")
    assert refusals(order, codes=tables(discounts={"BYE": "CPN"})) == {"discount_unmapped"}


@pytest.mark.rule("OI-7")
def test_an_empty_table_means_that_both_sides_use_the_same_codes() -> None:
    order = priced(
        a.a_web_order(
            charges=(Charge(ChargeKind.FREIGHT, "FRT", a.money("7.50")),),
            discounts=(OrderDiscount("CPN", a.money("5.00")),),
            taxes=(VAT,),
            ship_via="VAN",
        )
    )
    planned = admitted(order)
    assert planned.charges[0].code == "FRT"
    assert planned.discounts[0].code == "CPN"
    assert planned.taxes[0].code == "VAT"
    assert planned.ship_via == "VAN"


@pytest.mark.rule("OI-7")
def test_a_discount_on_a_line_travels_under_the_erps_code() -> None:
    off = LineDiscount("LOYAL", a.money("2.00"), Decimal("0.02"))
    order = priced(a.a_web_order(lines=(a.a_line(discounts=(off,)),)))
    (line,) = admitted(order, codes=tables(discounts={"LOYAL": "LYL"})).lines
    assert (line.discount, line.discount_rate, line.discount_code) == (
        a.money("2.00"),
        Decimal("0.02"),
        "LYL",
    )
    assert line.net == a.money("97.9000")
    assert refusals(order, codes=tables(discounts={"BYE": "B"})) == {"discount_unmapped"}


@pytest.mark.rule("OI-7", "OI-1")
def test_several_discounts_on_a_line_are_one_amount_with_each_told_in_the_notes() -> None:
    off = (LineDiscount("LOYAL", a.money("2.00")), LineDiscount("SPRING", a.money("1.00")))
    order = priced(a.a_web_order(lines=(a.a_line(discounts=off),)))
    planned = admitted(order)
    (line,) = planned.lines
    assert (line.discount, line.discount_code) == (a.money("3.00"), None)
    assert planned.notes == "Discounts of line 1: LOYAL 2.00 EUR, SPRING 1.00 EUR"


@pytest.mark.rule("OI-7")
@pytest.mark.parametrize("cents", ["-0.01", "0.01"])
def test_an_order_that_does_not_add_up_is_quarantined_for_a_cent(cents: str) -> None:
    order = a.a_web_order(total=a.money("99.90") + a.money(cents))
    assert refusals(order) == {"total_mismatch"}


@pytest.mark.rule("OI-7")
def test_a_rounding_cent_is_a_named_adjustment_and_travels() -> None:
    order = priced(a.a_web_order(adjustments=(Adjustment("rounding", a.money("0.01")),)))
    assert admitted(order).adjustments == (CodedAmount("rounding", a.money("0.01")),)


@pytest.mark.rule("OI-6")
def test_the_stores_tax_is_sent_as_an_override_by_the_erps_code() -> None:
    planned = admitted(TAXED, codes=tables(taxes={"VAT": "V21"}))
    assert planned.taxes == (CodedAmount("V21", a.money("21.00"), Decimal("0.21")),)
    assert refusals(TAXED, codes=tables(taxes={"GST": "G"})) == {"tax_unmapped"}


@pytest.mark.rule("OI-6")
@pytest.mark.parametrize(
    "erps, within", [("21.00", True), ("21.01", True), ("20.99", True), ("21.02", False)]
)
def test_an_erp_that_takes_no_override_must_come_to_the_same_tax(erps: str, within: bool) -> None:
    here = situation(erp=NO_OVERRIDE, erp_tax=a.money(erps))
    if within:
        planned = admitted(TAXED, here)
        # It stays on the instruction: the buyer saw it, and the total contains it.
        assert planned.taxes == (CodedAmount("VAT", a.money("21.00"), Decimal("0.21")),)
    else:
        assert refusals(TAXED, here) == {"tax_differs"}


@pytest.mark.rule("OI-6")
def test_the_tolerance_for_tax_is_configurable() -> None:
    generous = AccountPolicy(tax_tolerance=Decimal("1.00"))
    here = situation(erp=NO_OVERRIDE, erp_tax=a.money("22.00"), policy=generous)
    assert admitted(TAXED, here).total == TAXED.total


@pytest.mark.rule("OI-6")
@pytest.mark.parametrize("erps", [None, a.money("21.00", "USD")])
def test_tax_that_cannot_be_compared_holds_the_order(erps: Any) -> None:
    assert refusals(TAXED, erp=NO_OVERRIDE, erp_tax=erps) == {"tax_cannot_be_compared"}


@pytest.mark.rule("OI-6", "VE-6")
@pytest.mark.parametrize(
    "account, ship_to, site, flagged",
    [
        (False, None, None, False),
        (True, None, None, True),
        (True, False, None, False),
        (False, True, None, True),
        (True, None, False, False),
        (False, None, True, True),
        (False, False, True, False),
    ],
)
def test_exemption_is_the_ship_tos_then_its_locations_then_the_accounts(
    account: bool, ship_to: bool | None, site: bool | None, flagged: bool
) -> None:
    here = situation(
        accounts=(a.an_account(tax_exempt=account),),
        ship_tos=(a.a_ship_to(tax_exempt=ship_to, location=SITE_1),),
        locations=(a.a_location(tax_exempt=site),),
    )
    assert bool(admitted(TAXED, here).flags) is flagged


@pytest.mark.rule("OI-6", "VE-6")
def test_the_buyers_own_location_does_not_exempt_goods_that_go_elsewhere() -> None:
    sites = (a.a_location(tax_exempt=True), Location(SITE_2, a.ACCOUNT, "South yard"))
    anywhere: tuple[ShipTo, ...] = (a.a_ship_to(),)
    order = replace(TAXED, buyer=a.a_wholesale_buyer(location=SITE_1))
    assert not admitted(order, locations=sites, ship_tos=anywhere).flags


@pytest.mark.rule("OI-6")
def test_no_tax_on_exempt_goods_is_no_remark() -> None:
    here = situation(accounts=(a.an_account(tax_exempt=True),))
    assert not admitted(a.a_web_order(), here).flags
    assert isinstance(TAXED.ship_to, SelectedShipTo)
