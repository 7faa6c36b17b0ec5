"""Where there are several retail groups, the one that priced the cart gets the order."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sync.domain.channel import Channel, CommerceMode, RetailGroup
from sync.domain.decision import Routed
from sync.domain.ids import CustomerId
from sync.domain.order import SelectedShipTo
from sync.testing import builders as a
from tests.unit.admission.desk import codes, judge, personal, routed

EURO = RetailGroup(a.RETAIL_ACCOUNT, ("EUR",))
DOLLAR = RetailGroup(CustomerId("RETAIL-US"), ("USD",))
DUTCH = RetailGroup(CustomerId("RETAIL-NL"), ("EUR",), frozenset({"NL"}))
GERMAN = RetailGroup(CustomerId("RETAIL-DE"), ("EUR",), frozenset({"DE"}))


def shop(*groups: RetailGroup, mode: CommerceMode = CommerceMode.HYBRID) -> Channel:
    return Channel(a.CHANNEL, mode, guest_checkout=True, retail_groups=groups)


def group_of(order: Any, channel: Channel) -> CustomerId:
    found = routed(order, channel=channel, assignments=())
    assert isinstance(found, Routed)
    assert found.retail
    return found.customer_id


@pytest.mark.rule("WA-2f")
@pytest.mark.parametrize("mode", [CommerceMode.HYBRID, CommerceMode.B2C])
@pytest.mark.parametrize("group", [EURO, DUTCH, GERMAN])
def test_the_group_that_priced_the_cart_gets_the_order_wherever_it_ships(
    group: RetailGroup, mode: CommerceMode
) -> None:
    order = a.a_retail_order(priced_for=group.customer_id)
    assert group_of(order, shop(EURO, DUTCH, GERMAN, mode=mode)) == group.customer_id


@pytest.mark.rule("WA-2f")
def test_a_cart_priced_for_a_group_of_another_channel_is_quarantined() -> None:
    order = a.a_retail_order(priced_for=DOLLAR.customer_id)
    assert codes(routed(order, channel=shop(EURO))) == {"retail_group_unclear"}


@pytest.mark.rule("WA-2f", "WA-16")
def test_a_cart_in_a_currency_that_its_group_does_not_sell_in_is_quarantined() -> None:
    order = a.a_retail_order(priced_for=DOLLAR.customer_id)
    assert codes(routed(order, channel=shop(EURO, DOLLAR))) == {"retail_group_currency"}
    alone = a.a_retail_order(priced_for=None)
    assert codes(routed(alone, channel=shop(DOLLAR))) == {"retail_group_currency"}


@pytest.mark.rule("WA-2f")
def test_the_currency_tells_the_groups_apart_where_the_store_does_not() -> None:
    order = a.a_retail_order(priced_for=None)
    assert group_of(order, shop(EURO, DOLLAR)) == EURO.customer_id


@pytest.mark.rule("WA-2f")
def test_the_country_tells_groups_of_one_currency_apart() -> None:
    order = a.a_retail_order(priced_for=None)
    assert group_of(order, shop(GERMAN, DUTCH, DOLLAR)) == DUTCH.customer_id


@pytest.mark.rule("WA-2f")
def test_a_group_for_the_country_comes_before_one_for_everywhere() -> None:
    order = a.a_retail_order(priced_for=None)
    assert group_of(order, shop(EURO, DUTCH)) == DUTCH.customer_id
    abroad = replace(order, ship_to=a.a_typed_address(country="FR"))
    assert group_of(abroad, shop(EURO, DUTCH)) == EURO.customer_id


@pytest.mark.rule("WA-2f")
@pytest.mark.parametrize(
    "groups", [(GERMAN,), (GERMAN, DOLLAR), (EURO, replace(EURO, customer_id=CustomerId("R2")))]
)
def test_when_it_cannot_be_told_which_group_priced_the_cart_nobody_guesses(
    groups: tuple[RetailGroup, ...],
) -> None:
    order = personal(priced_for=None)
    assert codes(routed(order, channel=shop(*groups), assignments=())) == {"retail_group_unclear"}


@pytest.mark.rule("WA-2f")
def test_without_a_typed_country_a_group_for_some_countries_is_not_assumed() -> None:
    order = a.a_retail_order(priced_for=None, ship_to=SelectedShipTo(a.SHIP_TO))
    assert codes(routed(order, channel=shop(GERMAN, DUTCH))) == {"retail_group_unclear"}


@pytest.mark.rule("WA-16")
def test_the_groups_own_account_must_take_the_currency_too() -> None:
    order = a.a_retail_order()
    accounts = (a.a_retail_account(currencies=("USD",)),)
    assert codes(judge(order, accounts=accounts)) == {"currency_not_of_account"}
