"""Retail is a decision by rule, never what is left over."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sync.domain.channel import Channel, CommerceMode
from sync.domain.decision import Routed
from sync.testing import builders as a
from tests.unit.admission.desk import (
    B2B,
    B2C,
    EURO_GROUP,
    HYBRID,
    OF_ORGANISATION,
    OF_USER,
    codes,
    on_terms,
    personal,
    routed,
)

APPLICANT = a.a_web_user(open_application=True)


@pytest.mark.rule("WA-1", "WA-2", "WA-3")
@pytest.mark.parametrize("channel", [HYBRID, B2C])
def test_a_user_without_a_customer_id_orders_under_the_retail_group(channel: Channel) -> None:
    found = routed(personal(), channel=channel, assignments=())
    assert isinstance(found, Routed)
    assert (found.customer_id, found.retail) == (a.RETAIL_ACCOUNT, True)


@pytest.mark.rule("WA-3", "VE-2")
@pytest.mark.parametrize("channel", [HYBRID, B2C])
def test_a_guest_orders_under_the_retail_group(channel: Channel) -> None:
    found = routed(a.a_retail_order(), channel=channel)
    assert isinstance(found, Routed)
    assert (found.customer_id, found.retail) == (a.RETAIL_ACCOUNT, True)


@pytest.mark.rule("WA-2a")
def test_an_unmapped_user_of_a_b2b_channel_is_quarantined_not_sold_as_retail() -> None:
    found = routed(personal(), channel=B2B, assignments=(), store_organisations=False)
    assert codes(found) == {"user_unmapped"}


@pytest.mark.rule("WA-2a")
@pytest.mark.parametrize("channel", [HYBRID, B2B])
def test_whoever_orders_for_an_unmapped_organisation_is_never_taken_for_retail(
    channel: Channel,
) -> None:
    found = routed(a.a_web_order(), channel=channel, assignments=())
    assert codes(found) == {"organisation_unmapped"}


@pytest.mark.rule("WA-2a", "VE-1")
def test_an_order_for_an_organisation_on_a_b2c_channel_is_quarantined() -> None:
    assert codes(routed(a.a_web_order(), channel=B2C)) == {"organisation_on_b2c"}


@pytest.mark.rule("WA-2a", "TL-3")
def test_a_member_of_a_mapped_organisation_may_still_buy_privately_on_a_hybrid_channel() -> None:
    found = routed(personal(), assignments=(OF_ORGANISATION,))
    assert isinstance(found, Routed)
    assert found.retail


@pytest.mark.rule("WA-2a")
@pytest.mark.parametrize("channel", [HYBRID, B2C])
def test_an_applicant_who_orders_on_terms_waits_for_the_application(channel: Channel) -> None:
    order = personal(payments=(on_terms(),))
    found = routed(order, channel=channel, assignments=(), users=(APPLICANT,))
    assert codes(found) == {"application_open"}


@pytest.mark.rule("WA-2a")
def test_a_part_on_terms_is_on_terms_for_an_applicant() -> None:
    parts = (a.a_card_payment(amount=a.money("50.00")), on_terms(amount=a.money("49.90")))
    found = routed(personal(payments=parts), users=(APPLICANT,))
    assert codes(found) == {"application_open"}


@pytest.mark.rule("WA-2a")
def test_an_applicant_who_pays_by_card_is_retail_meanwhile() -> None:
    found = routed(personal(), assignments=(), users=(APPLICANT,))
    assert isinstance(found, Routed)
    assert found.retail


@pytest.mark.rule("WA-2a")
def test_an_applicant_with_a_customer_id_already_uses_it() -> None:
    order = personal(payments=(on_terms(),))
    found = routed(order, assignments=(OF_USER,), users=(APPLICANT,))
    assert isinstance(found, Routed)
    assert found.customer_id == a.ACCOUNT


@pytest.mark.rule("VE-1")
def test_everybody_is_retail_on_a_b2c_channel_whatever_their_mapping_elsewhere() -> None:
    found = routed(personal(), channel=B2C, assignments=(OF_USER,))
    assert isinstance(found, Routed)
    assert (found.customer_id, found.retail) == (a.RETAIL_ACCOUNT, True)


@pytest.mark.rule("VE-1")
def test_a_mapped_user_is_wholesale_on_a_hybrid_channel() -> None:
    found = routed(personal(), channel=HYBRID, assignments=(OF_USER,))
    assert isinstance(found, Routed)
    assert (found.customer_id, found.retail) == (a.ACCOUNT, False)


@pytest.mark.rule("VE-2")
@pytest.mark.parametrize("mode", [CommerceMode.HYBRID, CommerceMode.B2C])
def test_a_guest_on_a_channel_without_guest_checkout_is_quarantined(mode: CommerceMode) -> None:
    closed = Channel(a.CHANNEL, mode, guest_checkout=False, retail_groups=(EURO_GROUP,))
    assert codes(routed(a.a_retail_order(), channel=closed)) == {"guest_not_allowed"}


@pytest.mark.rule("VE-1", "VE-2", "TL-1")
def test_a_guest_on_a_b2b_channel_breaks_two_rules_and_both_are_named() -> None:
    found = routed(a.a_retail_order(), channel=B2B)
    assert codes(found) == {"guest_not_allowed", "organisation_missing"}


@pytest.mark.rule("VE-2", "WA-2a")
def test_a_b2b_channel_can_have_neither_guests_nor_a_retail_group() -> None:
    with pytest.raises(ValueError, match="guest checkout"):
        replace(B2B, guest_checkout=True)
    with pytest.raises(ValueError, match="retail group"):
        replace(B2B, retail_groups=(EURO_GROUP,))
