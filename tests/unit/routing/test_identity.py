"""Who somebody is, is what the store authenticated, never what they typed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sync.domain.decision import Routed
from sync.domain.ids import OrganisationId
from sync.domain.mapping import RefusedAssignment, Source
from sync.testing import builders as a
from tests.unit.admission.desk import (
    B2C,
    HYBRID,
    OF_ORGANISATION,
    OF_USER,
    codes,
    personal,
    routed,
    situation,
)

CLAIMED = a.a_wholesale_buyer(signed_in=False)
CLAIMED_ALONE = a.a_wholesale_buyer(signed_in=False, organisation=None)


@pytest.mark.rule("WA-2e")
def test_an_email_address_typed_at_checkout_routes_nothing() -> None:
    guest = a.a_retail_order(buyer=a.a_guest(email="buying@harbour.example"))
    found = routed(
        guest,
        assignments=(OF_ORGANISATION, OF_USER),
        email_accounts=(a.ACCOUNT,),
        precedence=(Source.ERP_EMAIL, Source.MAPPING_FILE),
    )
    assert isinstance(found, Routed)
    assert found.retail


@pytest.mark.rule("WA-2e")
def test_an_order_in_the_name_of_a_user_without_an_account_is_a_guests() -> None:
    found = routed(personal(buyer=CLAIMED_ALONE), assignments=())
    assert isinstance(found, Routed)
    assert found.retail
    assert found.rule == "WA-3 guest"


@pytest.mark.rule("WA-2e", "VE-2")
def test_such_a_guest_still_needs_guest_checkout() -> None:
    here = situation(assignments=(), channel=replace(HYBRID, guest_checkout=False))
    assert codes(routed(personal(buyer=CLAIMED_ALONE), here)) == {"guest_not_allowed"}


@pytest.mark.rule("WA-2e")
@pytest.mark.parametrize("channel", [HYBRID, B2C])
def test_an_unproven_order_in_the_name_of_a_mapped_user_is_quarantined(channel: object) -> None:
    found = routed(personal(buyer=CLAIMED_ALONE), assignments=(OF_USER,), channel=channel)
    assert codes(found) == {"identity_unproven"}


@pytest.mark.rule("WA-2e")
def test_a_user_mapped_by_the_stores_attribute_counts_as_mapped() -> None:
    users = (a.a_web_user(staff_customer_id=a.ACCOUNT.value),)
    found = routed(personal(buyer=CLAIMED_ALONE), assignments=(), users=users)
    assert codes(found) == {"identity_unproven"}


@pytest.mark.rule("WA-2e", "WA-2c")
def test_a_refused_assignment_counts_as_mapped() -> None:
    refusal = RefusedAssignment("a typo", "Correct it.", a.WEB_USER)
    found = routed(personal(buyer=CLAIMED_ALONE), assignments=(), refused=(refusal,))
    assert codes(found) == {"identity_unproven"}


@pytest.mark.rule("WA-2e")
def test_a_user_who_is_an_exception_in_some_organisation_counts_as_mapped() -> None:
    exception = replace(OF_USER, organisation=OrganisationId("org-99"))
    found = routed(personal(buyer=CLAIMED_ALONE), assignments=(exception,))
    assert codes(found) == {"identity_unproven"}


@pytest.mark.rule("WA-2e")
def test_an_unproven_order_in_the_name_of_a_mapped_organisation_is_quarantined() -> None:
    assert codes(routed(a.a_web_order(buyer=CLAIMED))) == {"identity_unproven"}
    nobody = replace(CLAIMED, web_user=None)
    assert codes(routed(a.a_web_order(buyer=nobody))) == {"identity_unproven"}
    signed_in_nobody = replace(nobody, signed_in=True)
    assert codes(routed(a.a_web_order(buyer=signed_in_nobody))) == {"identity_unproven"}


@pytest.mark.rule("WA-2e", "WA-2a")
def test_an_unproven_order_for_an_unmapped_organisation_is_no_guests_order_either() -> None:
    found = routed(a.a_web_order(buyer=CLAIMED), assignments=())
    assert codes(found) == {"identity_unproven", "organisation_unmapped"}


@pytest.mark.rule("WA-2e")
def test_a_signed_in_user_whom_the_directory_does_not_know_is_not_retail() -> None:
    assert codes(routed(personal(), assignments=(), users=())) == {"user_unknown"}
