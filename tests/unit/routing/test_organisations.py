"""Everything follows the organisation in whose context an order was placed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sync.domain.decision import Routed, Unrouted
from sync.domain.ids import CustomerId, OrganisationId
from sync.domain.mapping import Assignment
from sync.domain.order import Membership
from sync.testing import builders as a
from tests.unit.admission.desk import (
    B2B,
    B2C,
    HYBRID,
    OF_ORGANISATION,
    OF_USER,
    codes,
    personal,
    routed,
    situation,
)

SECOND = OrganisationId("org-13")
OF_SECOND = Assignment(CustomerId("C-2002"), organisation=SECOND, origin="customers.csv:4")
TWO_HATS = a.a_web_user(memberships=(Membership(a.ORGANISATION), Membership(SECOND)))


@pytest.mark.rule("TL-3", "TL-2")
@pytest.mark.parametrize(
    "organisation, account",
    [(a.ORGANISATION, a.ACCOUNT), (SECOND, CustomerId("C-2002"))],
)
def test_a_user_of_two_organisations_orders_for_the_one_that_the_order_carries(
    organisation: OrganisationId, account: CustomerId
) -> None:
    here = situation(
        users=(TWO_HATS,),
        organisations=(a.an_organisation(), a.an_organisation(organisation=SECOND)),
        assignments=(OF_ORGANISATION, OF_SECOND),
    )
    order = a.a_web_order(buyer=a.a_wholesale_buyer(organisation=organisation))
    found = routed(order, here)
    assert isinstance(found, Routed)
    assert found.customer_id == account


@pytest.mark.rule("TL-3")
@pytest.mark.parametrize("channel", [HYBRID, B2B])
def test_an_order_for_an_organisation_that_the_user_does_not_belong_to_is_quarantined(
    channel: object,
) -> None:
    outsider = a.a_web_user(memberships=(Membership(SECOND),))
    assert codes(routed(a.a_web_order(), users=(outsider,), channel=channel)) == {"not_a_member"}


@pytest.mark.rule("TL-3", "WA-2a")
def test_everything_that_is_wrong_with_the_organisation_is_named() -> None:
    outsider = a.a_web_user(memberships=())
    found = routed(a.a_web_order(), users=(outsider,), assignments=())
    assert codes(found) == {"not_a_member", "organisation_unmapped"}
    found = routed(a.a_web_order(), users=(outsider,), channel=B2C)
    assert codes(found) == {"not_a_member", "organisation_on_b2c"}


@pytest.mark.rule("TL-3")
def test_an_organisation_that_the_store_does_not_know_is_quarantined() -> None:
    assert codes(routed(a.a_web_order(), organisations=())) == {"organisation_unknown"}


@pytest.mark.rule("TL-1")
def test_an_order_on_a_b2b_channel_without_an_organisation_is_quarantined() -> None:
    assert codes(routed(personal(), channel=B2B)) == {"organisation_missing"}


@pytest.mark.rule("TL-1", "TL-2")
def test_the_persons_own_account_does_not_stand_in_for_the_missing_organisation() -> None:
    found = routed(personal(), channel=B2B, assignments=(OF_USER,))
    assert codes(found) == {"organisation_missing"}


@pytest.mark.rule("TL-1", "VE-1")
def test_in_a_store_without_organisations_the_mapped_account_is_the_organisation() -> None:
    found = routed(personal(), channel=B2B, assignments=(OF_USER,), store_organisations=False)
    assert isinstance(found, Routed)
    assert (found.customer_id, found.retail) == (a.ACCOUNT, False)


@pytest.mark.rule("WA-2d")
def test_the_way_to_the_decision_is_told_step_by_step() -> None:
    found = routed(a.a_web_order())
    assert found.trail[0] == "channel web is hybrid"
    assert found.trail[1] == "placed in the context of organisation org-12"
    refused = routed(a.a_web_order(), users=(replace(TWO_HATS, memberships=()),))
    assert isinstance(refused, Unrouted)
    assert refused.trail[:2] == found.trail[:2]
