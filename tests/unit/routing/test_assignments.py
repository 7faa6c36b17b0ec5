"""Who has an account of their own, and whose word counts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sync.domain.decision import Routed
from sync.domain.ids import ChannelId, ContactId, CustomerId, OrganisationId, WebUserId
from sync.domain.mapping import Assignment, RefusedAssignment, Source
from sync.testing import builders as a
from tests.unit.admission.desk import (
    HYBRID,
    OF_ORGANISATION,
    OF_USER,
    codes,
    judge,
    personal,
    routed,
    situation,
)

OTHER = CustomerId("C-2002")
ALL_SOURCES = (Source.MAPPING_FILE, Source.STORE_ATTRIBUTE, Source.ERP_EMAIL)
EXCEPTION = Assignment(
    OTHER, user=a.WEB_USER, organisation=a.ORGANISATION, origin="customers.yaml:7"
)


@pytest.mark.rule("WA-2", "TL-2", "WA-3")
def test_an_organisations_assignment_routes_its_members_orders() -> None:
    found = routed(a.a_web_order())
    assert isinstance(found, Routed)
    assert (found.customer_id, found.retail) == (a.ACCOUNT, False)
    assert "customers.csv:2" in found.rule


@pytest.mark.rule("WA-2")
def test_a_users_assignment_routes_their_personal_orders() -> None:
    found = routed(personal(), assignments=(OF_USER,))
    assert isinstance(found, Routed)
    assert (found.customer_id, found.retail) == (a.ACCOUNT, False)


@pytest.mark.rule("WA-2", "TL-2")
def test_the_persons_own_assignment_has_no_say_in_the_context_of_an_organisation() -> None:
    found = routed(
        a.a_web_order(), assignments=(OF_ORGANISATION, replace(OF_USER, customer_id=OTHER))
    )
    assert isinstance(found, Routed)
    assert found.customer_id == a.ACCOUNT


@pytest.mark.rule("WA-2", "WA-2a", "TL-2")
def test_an_organisation_without_assignment_does_not_borrow_its_members() -> None:
    assert codes(routed(a.a_web_order(), assignments=(OF_USER,))) == {"organisation_unmapped"}


@pytest.mark.rule("WA-2")
def test_an_exception_for_a_user_in_an_organisation_wins_there() -> None:
    found = routed(a.a_web_order(), assignments=(OF_ORGANISATION, EXCEPTION))
    assert isinstance(found, Routed)
    assert found.customer_id == OTHER
    assert "exception" in found.rule


@pytest.mark.rule("WA-2")
def test_an_exception_wins_over_a_source_of_higher_precedence() -> None:
    company = a.an_organisation(staff_customer_id=a.ACCOUNT.value)
    found = routed(
        a.a_web_order(),
        assignments=(EXCEPTION,),
        organisations=(company,),
        precedence=(Source.STORE_ATTRIBUTE, Source.MAPPING_FILE),
    )
    assert isinstance(found, Routed)
    assert found.customer_id == OTHER


@pytest.mark.rule("WA-2")
def test_an_exception_does_not_reach_beyond_its_organisation() -> None:
    found = routed(personal(), assignments=(EXCEPTION,))
    assert isinstance(found, Routed)
    assert found.retail


@pytest.mark.rule("WA-2")
def test_an_attribute_that_only_staff_can_write_assigns() -> None:
    company = a.an_organisation(staff_customer_id=a.ACCOUNT.value)
    found = routed(a.a_web_order(), assignments=(), organisations=(company,))
    assert isinstance(found, Routed)
    assert (found.customer_id, found.retail) == (a.ACCOUNT, False)
    user = a.a_web_user(staff_customer_id=a.ACCOUNT.value)
    found = routed(personal(), assignments=(), users=(user,))
    assert isinstance(found, Routed)
    assert (found.customer_id, found.retail) == (a.ACCOUNT, False)


@pytest.mark.rule("WA-2")
@pytest.mark.parametrize(
    "precedence, expected",
    [
        ((Source.MAPPING_FILE, Source.STORE_ATTRIBUTE), a.ACCOUNT),
        ((Source.STORE_ATTRIBUTE, Source.MAPPING_FILE), OTHER),
        ((Source.MAPPING_FILE,), a.ACCOUNT),
        ((Source.STORE_ATTRIBUTE,), OTHER),
    ],
)
def test_the_configured_precedence_decides_between_sources(
    precedence: tuple[Source, ...], expected: CustomerId
) -> None:
    company = a.an_organisation(staff_customer_id=OTHER.value)
    found = routed(a.a_web_order(), organisations=(company,), precedence=precedence)
    assert isinstance(found, Routed)
    assert found.customer_id == expected


@pytest.mark.rule("WA-2")
def test_a_verified_email_address_of_one_account_routes_only_where_it_is_switched_on() -> None:
    found = routed(
        personal(), assignments=(), email_accounts=(a.ACCOUNT, a.ACCOUNT), precedence=ALL_SOURCES
    )
    assert isinstance(found, Routed)
    assert (found.customer_id, found.retail) == (a.ACCOUNT, False)
    found = routed(personal(), assignments=(), email_accounts=(a.ACCOUNT,))
    assert isinstance(found, Routed)
    assert found.retail


@pytest.mark.rule("WA-2", "WA-2c")
def test_a_verified_email_address_of_two_accounts_decides_nothing_and_is_not_retail() -> None:
    here = situation(assignments=(), email_accounts=(a.ACCOUNT, OTHER), precedence=ALL_SOURCES)
    assert codes(routed(personal(), here)) == {"assignment_conflict"}


@pytest.mark.rule("WA-2")
def test_a_persons_email_address_does_not_assign_their_organisation() -> None:
    here = situation(assignments=(), email_accounts=(a.ACCOUNT,), precedence=ALL_SOURCES)
    assert codes(routed(a.a_web_order(), here)) == {"organisation_unmapped"}


@pytest.mark.rule("WA-2b")
@pytest.mark.parametrize("source", ["file", "user attribute", "organisation attribute", "e-mail"])
def test_a_retail_group_is_nobodys_own_account_whatever_the_source(source: str) -> None:
    group = a.RETAIL_ACCOUNT
    order = personal() if source in ("user attribute", "e-mail") else a.a_web_order()
    assignments = (replace(OF_ORGANISATION, customer_id=group),) if source == "file" else ()
    user = a.a_web_user(staff_customer_id=group.value if source == "user attribute" else None)
    company = a.an_organisation(
        staff_customer_id=group.value if source == "organisation attribute" else None
    )
    here = situation(
        assignments=assignments,
        users=(user,),
        organisations=(company,),
        email_accounts=(group,) if source == "e-mail" else None,
        precedence=ALL_SOURCES,
    )
    assert codes(routed(order, here)) == {"retail_group_as_individual"}


@pytest.mark.rule("WA-2b")
def test_the_retail_group_of_another_channel_is_nobodys_own_account_either() -> None:
    elsewhere = replace(
        HYBRID,
        channel_id=ChannelId("outlet"),
        retail_groups=(replace(HYBRID.retail_groups[0], customer_id=OTHER),),
    )
    here = situation(
        assignments=(replace(OF_ORGANISATION, customer_id=OTHER),), more_channels=(elsewhere,)
    )
    assert codes(routed(a.a_web_order(), here)) == {"retail_group_as_individual"}


@pytest.mark.rule("WA-2c")
def test_a_refused_assignment_is_not_the_same_as_none() -> None:
    refusal = RefusedAssignment("no such customer", "Correct the ID.", a.WEB_USER, origin="c:1")
    here = situation(assignments=(), refused=(refusal,))
    assert codes(routed(personal(), here)) == {"assignment_refused"}


@pytest.mark.rule("WA-2c")
def test_a_refused_line_is_not_outvoted_by_a_good_one_for_the_same_buyer() -> None:
    refusal = RefusedAssignment("a typo", "Correct it.", None, a.ORGANISATION, "c:1")
    assert codes(routed(a.a_web_order(), refused=(refusal,))) == {"assignment_refused"}


@pytest.mark.rule("WA-2c")
def test_an_attribute_that_is_no_customer_id_is_refused_and_not_retail() -> None:
    user = a.a_web_user(staff_customer_id=" C-1001")
    assert codes(routed(personal(), assignments=(), users=(user,))) == {"assignment_refused"}


@pytest.mark.rule("WA-2")
@pytest.mark.parametrize("empty", ["", "  "])
def test_an_attribute_that_nobody_filled_in_assigns_nothing(empty: str) -> None:
    found = routed(personal(), assignments=(), users=(a.a_web_user(staff_customer_id=empty),))
    assert isinstance(found, Routed)
    assert found.retail


@pytest.mark.rule("WA-2c")
def test_two_customer_ids_for_one_buyer_are_never_retail() -> None:
    both = (OF_USER, replace(OF_USER, customer_id=OTHER, origin="customers.csv:9"))
    assert codes(routed(personal(), assignments=both)) == {"assignment_conflict"}


@pytest.mark.rule("WA-2")
def test_the_same_customer_id_twice_is_no_conflict_and_keeps_the_contact() -> None:
    contact = ContactId("P-1")
    twice = (OF_USER, replace(OF_USER, contact=contact, origin="customers.csv:9"))
    for assignments in (twice, twice[::-1]):
        found = routed(personal(), assignments=assignments)
        assert isinstance(found, Routed)
        assert found.contact == contact


@pytest.mark.rule("WA-2d")
def test_the_line_that_is_named_does_not_depend_on_the_order_of_the_lines() -> None:
    lines = (OF_USER, replace(OF_USER, origin="customers.csv:1"))
    rules = {routed(personal(), assignments=each).rule for each in (lines, lines[::-1])}  # type: ignore[union-attr]
    assert rules == {"WA-2 mapping file assignment customers.csv:1"}
    no, nor = (RefusedAssignment(why, "Correct it.", a.WEB_USER) for why in ("a typo", "a blank"))
    found = [routed(personal(), refused=each) for each in ((no, nor), (nor, no))]
    assert found[0] == found[1]


@pytest.mark.rule("WA-2c", "WA-12")
def test_two_contacts_for_one_buyer_are_a_conflict() -> None:
    both = (
        replace(OF_USER, contact=ContactId("P-1")),
        replace(OF_USER, contact=ContactId("P-2"), origin="customers.csv:9"),
    )
    assert codes(routed(personal(), assignments=both)) == {"assignment_conflict"}


@pytest.mark.rule("WA-2d")
def test_the_ledger_is_told_the_customer_id_the_rule_and_the_mapping_version() -> None:
    outcome = judge(a.a_web_order())
    decision = outcome.decision  # type: ignore[union-attr]
    assert decision.customer_id == a.ACCOUNT
    assert not decision.retail
    assert decision.rule == "WA-2 mapping file assignment customers.csv:2"
    assert decision.mapping_version == "v1"
    assert any("customers.csv:2" in step for step in decision.trail)


@pytest.mark.rule("WA-2")
def test_assignments_of_others_do_not_concern_this_buyer() -> None:
    others = (
        Assignment(OTHER, user=WebUserId("u-1"), origin="c:1"),
        Assignment(OTHER, organisation=OrganisationId("org-1"), origin="c:2"),
    )
    found = routed(a.a_web_order(), assignments=(*others, OF_ORGANISATION))
    assert isinstance(found, Routed)
    assert found.customer_id == a.ACCOUNT
