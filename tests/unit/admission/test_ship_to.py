"""Where the goods go: an address of the account, or the one typed at checkout."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sync.domain.account import ShipTo
from sync.domain.ids import CustomerId, LocationId, ShipToId
from sync.domain.mapping import AccountPolicy, CodeTables
from sync.domain.order import SelectedShipTo, WebOrder
from sync.domain.sales_order import OneOffShipTo, OnFileShipTo
from sync.testing import builders as a
from tests.unit.admission.desk import CODES, ERP, admitted, personal, refusals, situation

CUSTOM = AccountPolicy(custom_ship_to=True)
NEEDS_ID = replace(ERP, needs_ship_to_id=True)
TYPED = a.a_typed_address()


@pytest.mark.rule("WA-4", "TL-2")
def test_a_selected_ship_to_of_the_account_travels_as_its_id() -> None:
    assert admitted(a.a_web_order()).ship_to == OnFileShipTo(a.SHIP_TO)


@pytest.mark.rule("WA-4")
@pytest.mark.parametrize(
    "on_file",
    [(), (a.a_ship_to(ship_to_id=ShipToId("OTHER")),), (a.a_ship_to(sold_to=CustomerId("C-2")),)],
)
def test_a_selected_ship_to_that_is_not_the_accounts_own_is_quarantined(
    on_file: tuple[ShipTo, ...],
) -> None:
    assert refusals(a.a_web_order(), ship_tos=on_file) == {"ship_to_not_of_account"}


@pytest.mark.rule("WA-4", "VE-6")
def test_a_ship_to_of_another_location_is_not_the_buyers_to_select() -> None:
    tied = (a.a_ship_to(location=LocationId("SITE-2")),)
    at_site_1 = a.a_web_order(buyer=a.a_wholesale_buyer(location=LocationId("SITE-1")))
    assert refusals(at_site_1, ship_tos=tied) == {"ship_to_not_of_account"}
    own = (a.a_ship_to(location=LocationId("SITE-1")),)
    assert admitted(at_site_1, ship_tos=own).ship_to == OnFileShipTo(a.SHIP_TO)
    assert admitted(a.a_web_order(), ship_tos=tied).ship_to == OnFileShipTo(a.SHIP_TO)


@pytest.mark.rule("WA-4")
def test_a_typed_address_needs_the_accounts_permission() -> None:
    order = a.a_web_order(ship_to=TYPED)
    assert refusals(order) == {"custom_ship_to_forbidden"}
    assert refusals(order, policies={CustomerId("C-2"): CUSTOM}) == {"custom_ship_to_forbidden"}
    assert admitted(order, policies={a.ACCOUNT: CUSTOM}).ship_to == OneOffShipTo(TYPED.completed())


@pytest.mark.rule("WA-4")
def test_without_a_ship_to_the_accounts_default_is_not_assumed() -> None:
    assert refusals(a.a_web_order(ship_to=None)) == {"ship_to_missing"}


@pytest.mark.rule("WA-4")
@pytest.mark.parametrize("part", ["name", "city", "country"])
def test_an_incomplete_typed_address_is_quarantined(part: str) -> None:
    lacking = replace(TYPED, **{part: " "})  # type: ignore[arg-type]
    assert refusals(a.a_retail_order(ship_to=lacking)) == {"ship_to_incomplete"}
    wholesale = a.a_web_order(ship_to=lacking)
    assert refusals(wholesale, policy=CUSTOM) == {"ship_to_incomplete"}


@pytest.mark.rule("WA-4", "WA-3a")
def test_a_retail_order_without_a_complete_typed_address_is_quarantined() -> None:
    assert refusals(a.a_retail_order(ship_to=None)) == {"ship_to_missing"}
    no_street = replace(TYPED, lines=("", " "))
    assert refusals(a.a_retail_order(ship_to=no_street)) == {"ship_to_incomplete"}


@pytest.mark.rule("WA-4", "WA-3a")
def test_a_retail_order_with_the_id_of_an_erp_ship_to_is_quarantined() -> None:
    groups_own = a.a_ship_to(sold_to=a.RETAIL_ACCOUNT)
    order = a.a_retail_order(ship_to=SelectedShipTo(a.SHIP_TO))
    assert refusals(order, ship_tos=(groups_own,)) == {"ship_to_selected_by_retail"}


@pytest.mark.rule("WA-3a")
@pytest.mark.parametrize("order", [a.a_retail_order(), personal()])
def test_every_retail_order_ships_to_the_checkout_address_once(order: WebOrder) -> None:
    planned = admitted(order, retail_policy=AccountPolicy(custom_ship_to=False))
    assert planned.retail
    assert planned.ship_to == OneOffShipTo(TYPED.completed(), under=None)


@pytest.mark.rule("WA-11")
def test_an_erp_that_insists_on_a_ship_to_id_gets_the_accounts_default_beside_typed_lines() -> None:
    planned = admitted(a.a_web_order(ship_to=TYPED), policy=CUSTOM, erp=NEEDS_ID)
    assert planned.ship_to == OneOffShipTo(TYPED.completed(), under=a.SHIP_TO)


@pytest.mark.rule("WA-11")
def test_an_override_names_another_ship_to_id_for_that_customer() -> None:
    override = replace(CUSTOM, ship_to_override=ShipToId("WEB"))
    here = situation(policies={a.ACCOUNT: override}, erp=NEEDS_ID)
    planned = admitted(a.a_web_order(ship_to=TYPED), here)
    assert planned.ship_to == OneOffShipTo(TYPED.completed(), under=ShipToId("WEB"))


@pytest.mark.rule("WA-11")
def test_a_retail_order_is_sent_with_the_groups_ship_to_id() -> None:
    group = a.a_retail_account(default_ship_to=ShipToId("SHOP"))
    planned = admitted(a.a_retail_order(), erp=NEEDS_ID, accounts=(group,))
    assert planned.ship_to == OneOffShipTo(TYPED.completed(), under=ShipToId("SHOP"))


@pytest.mark.rule("WA-11")
def test_other_erps_get_a_one_off_address_alone() -> None:
    override = replace(CUSTOM, ship_to_override=ShipToId("WEB"))
    planned = admitted(a.a_web_order(ship_to=TYPED), policies={a.ACCOUNT: override})
    assert planned.ship_to == OneOffShipTo(TYPED.completed(), under=None)


@pytest.mark.rule("WA-11")
def test_a_selected_ship_to_needs_no_id_beside_it() -> None:
    nameless = a.an_account(default_ship_to=None)
    planned = admitted(a.a_web_order(), erp=NEEDS_ID, accounts=(nameless,))
    assert planned.ship_to == OnFileShipTo(a.SHIP_TO)


@pytest.mark.rule("OI-9")
@pytest.mark.parametrize(
    "typed, table, code",
    [
        ("NL", {}, "NL"),
        (" nl ", {}, "NL"),
        ("Nederland", {"Nederland": "NL"}, "NL"),
        ("UK", {"UK": "GB"}, "GB"),
    ],
)
def test_a_country_is_told_by_its_iso_code_or_by_the_table(
    typed: str, table: dict[str, str], code: str
) -> None:
    codes = CodeTables(payment_methods=CODES.payment_methods, countries=table)
    order = a.a_retail_order(ship_to=a.a_typed_address(country=typed))
    ship_to = admitted(order, codes=codes).ship_to
    assert isinstance(ship_to, OneOffShipTo)
    assert ship_to.address.country == code


@pytest.mark.rule("OI-9")
@pytest.mark.parametrize(
    "typed, table", [("UK", {}), ("Holland", {}), ("NLD", {}), ("Holland", {"Holland": "NLD"})]
)
def test_a_country_that_is_neither_is_quarantined_and_never_guessed(
    typed: str, table: dict[str, str]
) -> None:
    codes = CodeTables(payment_methods=CODES.payment_methods, countries=table)
    order = a.a_retail_order(ship_to=a.a_typed_address(country=typed))
    assert refusals(order, codes=codes) == {"country_unknown"}
