"""What a person may do is what their organisation may, cut down to their role."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sync.domain.ids import LocationId, OrganisationId
from sync.domain.order import Approval, Membership, Role, WebOrder
from sync.testing import builders as a
from tests.unit.admission.desk import (
    B2B,
    B2C,
    HYBRID,
    OF_USER,
    admitted,
    card,
    personal,
    refusals,
    situation,
)

SITE = LocationId("SITE-1")


@pytest.mark.rule("VE-4", "TL-2")
@pytest.mark.parametrize("role", Role)
def test_each_role_from_order_up_may_order(role: Role) -> None:
    here = situation(users=(a.a_web_user(memberships=(Membership(a.ORGANISATION, role),)),))
    if role is Role.BROWSE:
        assert refusals(a.a_web_order(), here) == {"no_right_to_order"}
    else:
        assert admitted(a.a_web_order(), here).web_user == a.WEB_USER


@pytest.mark.rule("VE-4", "TL-3")
def test_the_role_is_that_in_the_organisation_of_the_order() -> None:
    elsewhere = Membership(OrganisationId("org-9"), Role.MANAGE)
    here = Membership(a.ORGANISATION, Role.BROWSE)
    users = (a.a_web_user(memberships=(elsewhere, here)),)
    assert refusals(a.a_web_order(), users=users) == {"no_right_to_order"}


@pytest.mark.rule("VE-8")
@pytest.mark.parametrize("order", [a.a_retail_order(), personal()])
def test_a_personal_order_has_neither_location_nor_approval(order: WebOrder) -> None:
    with_location = replace(order, buyer=replace(order.buyer, location=SITE))
    assert refusals(with_location) == {"location_on_personal_order"}
    approved = replace(order, approval=Approval.APPROVED)
    assert refusals(approved) == {"approval_on_personal_order"}


@pytest.mark.rule("VE-8", "VE-1")
def test_everybody_is_personal_on_a_b2c_channel() -> None:
    order = personal(buyer=a.a_wholesale_buyer(organisation=None, location=SITE))
    here = situation(channel=B2C, assignments=(OF_USER,), store_organisations=False)
    assert refusals(order, here) == {"location_on_personal_order"}


@pytest.mark.rule("VE-8", "TL-1")
def test_in_a_store_without_organisations_the_account_has_locations_and_approvals() -> None:
    order = a.a_web_order(
        buyer=a.a_wholesale_buyer(organisation=None, location=SITE), approval=Approval.APPROVED
    )
    here = situation(channel=B2B, assignments=(OF_USER,), store_organisations=False)
    assert admitted(order, here).location == SITE
    shopper = personal(buyer=a.a_wholesale_buyer(organisation=None, location=SITE))
    retail = situation(assignments=(), store_organisations=False)
    assert refusals(shopper, retail) == {"location_on_personal_order"}


@pytest.mark.rule("VE-8", "WA-2a")
def test_nothing_is_said_of_a_location_while_the_account_is_not_known() -> None:
    order = a.a_web_order(buyer=a.a_wholesale_buyer(organisation=None, location=SITE))
    here = situation(channel=B2B, assignments=(), store_organisations=False)
    assert refusals(order, here) == {"user_unmapped"}


@pytest.mark.rule("VE-8", "VE-2")
def test_a_guest_is_personal_in_any_store() -> None:
    order = a.a_retail_order(buyer=a.a_guest(location=SITE))
    here = situation(channel=replace(HYBRID, guest_checkout=False), store_organisations=False)
    assert refusals(order, here) == {"guest_not_allowed", "location_on_personal_order"}


@pytest.mark.rule("VE-6", "TL-2")
def test_a_location_of_another_account_is_quarantined() -> None:
    order = a.a_web_order(buyer=a.a_wholesale_buyer(location=SITE))
    assert admitted(order).location == SITE
    foreign = (a.a_location(sold_to=a.RETAIL_ACCOUNT),)
    assert refusals(order, locations=foreign) == {"location_not_of_account"}


@pytest.mark.rule("WA-9")
def test_the_placing_user_is_passed_on_only_where_the_store_proved_who_it_was() -> None:
    assert admitted(a.a_web_order(payments=(card(),))).web_user == a.WEB_USER
    claimed = a.a_retail_order(buyer=a.a_wholesale_buyer(organisation=None, signed_in=False))
    assert admitted(claimed).web_user is None
