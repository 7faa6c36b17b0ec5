"""Whether the ERP's account may be ordered under, today and in this currency."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sync.domain.account import AccountStatus, Contact, CreditStatus
from sync.domain.ids import ContactId, ErpOrderNumber
from sync.domain.mapping import AccountPolicy
from sync.domain.order import Payment
from sync.testing import builders as a
from tests.unit.admission.desk import (
    ERP,
    OF_ORGANISATION,
    Situation,
    admitted,
    card,
    on_terms,
    refusals,
    situation,
)

HOLDS = replace(ERP, order_hold=True)
ON_HOLD = a.an_account(credit=CreditStatus.HOLD)
LIFTS = AccountPolicy(card_lifts_credit_hold=True)


def with_account(**changes: object) -> Situation:
    return situation(accounts=(a.an_account(**changes), a.a_retail_account()))


@pytest.mark.rule("WA-2c", "WA-12")
def test_a_mapping_to_a_customer_that_the_erp_lacks_never_slips_into_retail() -> None:
    assert refusals(a.a_web_order(), accounts=(a.a_retail_account(),)) == {"customer_unknown"}


@pytest.mark.rule("WA-2c")
def test_a_mapping_to_an_inactive_customer_is_quarantined() -> None:
    assert refusals(a.a_web_order(), with_account(active=False)) == {"customer_inactive"}


@pytest.mark.rule("WA-12", "WA-2c")
def test_a_missing_or_inactive_retail_account_is_quarantined_too() -> None:
    assert refusals(a.a_retail_order(), accounts=()) == {"customer_unknown"}
    closed = (a.a_retail_account(active=False),)
    assert refusals(a.a_retail_order(), accounts=closed) == {"customer_inactive"}


@pytest.mark.rule("WA-12")
def test_a_prospect_is_not_valid_for_orders() -> None:
    assert refusals(a.a_web_order(), with_account(prospect=True)) == {"customer_prospect"}


@pytest.mark.rule("VE-3", "WA-12", "WA-2c")
def test_an_inactive_prospect_with_a_status_breaks_three_rules_and_all_are_named() -> None:
    here = with_account(prospect=True, active=False, status=AccountStatus.CLOSED)
    assert refusals(a.a_web_order(), here) == {
        "customer_prospect",
        "customer_inactive",
        "account_not_active",
    }


@pytest.mark.rule("VE-3")
@pytest.mark.parametrize("status", AccountStatus)
def test_only_active_accounts_can_place_orders(status: AccountStatus) -> None:
    here = with_account(status=status)
    if status is AccountStatus.ACTIVE:
        assert admitted(a.a_web_order(), here).sold_to == a.ACCOUNT
    else:
        assert "account_not_active" in refusals(a.a_web_order(), here)


@pytest.mark.rule("VE-3")
@pytest.mark.parametrize("status", AccountStatus)
def test_registration_owns_the_statuses_below_active_and_the_erp_the_rest(
    status: AccountStatus,
) -> None:
    here = situation(organisations=(a.an_organisation(status=status),))
    if status < AccountStatus.ACTIVE:
        assert refusals(a.a_web_order(), here) == {"account_not_active"}
    else:
        # The store repeats what the ERP said once; the ERP's word of today counts.
        assert admitted(a.a_web_order(), here).sold_to == a.ACCOUNT


@pytest.mark.rule("VE-3")
def test_the_stores_active_does_not_outvote_a_suspension_in_the_erp() -> None:
    here = with_account(status=AccountStatus.SUSPENDED)
    assert refusals(a.a_web_order(), here) == {"account_not_active"}


@pytest.mark.rule("VE-3", "WA-2a")
def test_an_unfinished_registration_is_named_beside_the_missing_customer_id() -> None:
    here = situation(
        assignments=(), organisations=(a.an_organisation(status=AccountStatus.UNDER_REVIEW),)
    )
    assert refusals(a.a_web_order(), here) == {"organisation_unmapped", "account_not_active"}


@pytest.mark.rule("VE-3")
def test_a_store_that_keeps_no_status_leaves_it_to_the_erp() -> None:
    here = situation(organisations=(a.an_organisation(status=None),))
    assert admitted(a.a_web_order(), here).sold_to == a.ACCOUNT


@pytest.mark.rule("WA-12")
def test_the_contact_of_the_assignment_travels_and_must_belong_to_the_account() -> None:
    def assigned(contact: str) -> Situation:
        return situation(assignments=(replace(OF_ORGANISATION, contact=ContactId(contact)),))

    assert admitted(a.a_web_order(), assigned("P-1")).contact == ContactId("P-1")
    assert refusals(a.a_web_order(), assigned("P-2")) == {"contact_of_another_account"}


@pytest.mark.rule("WA-12")
def test_a_default_contact_is_configurable_for_an_account_and_for_a_retail_group() -> None:
    desk = AccountPolicy(default_contact=ContactId("P-1"))
    shop = AccountPolicy(default_contact=ContactId("WEB"))
    group = a.a_retail_account(contacts=(Contact(ContactId("WEB")),))
    here = situation(
        policies={a.ACCOUNT: desk, a.RETAIL_ACCOUNT: shop}, accounts=(a.an_account(), group)
    )
    assert admitted(a.a_web_order(), here).contact == ContactId("P-1")
    assert admitted(a.a_retail_order(), here).contact == ContactId("WEB")
    stranger = {a.ACCOUNT: shop}
    assert refusals(a.a_web_order(), policies=stranger) == {"contact_of_another_account"}


@pytest.mark.rule("WA-12")
def test_an_erp_that_needs_a_contact_gets_one_or_no_order() -> None:
    strict = replace(ERP, needs_contact=True)
    assert refusals(a.a_web_order(), erp=strict) == {"contact_missing"}
    assert refusals(a.a_retail_order(), erp=strict) == {"contact_missing"}


@pytest.mark.rule("WA-15")
def test_an_account_on_credit_hold_orders_on_hold_where_the_erp_can() -> None:
    planned = admitted(a.a_web_order(), accounts=(ON_HOLD,), erp=HOLDS)
    assert planned.hold
    assert planned.flags == ("Account is on credit hold.",)
    assert not admitted(a.a_web_order(), erp=HOLDS).hold


@pytest.mark.rule("WA-15")
@pytest.mark.parametrize("payment", [on_terms(), card()])
def test_an_account_on_credit_hold_is_quarantined_otherwise(payment: Payment) -> None:
    order = a.a_web_order(payments=(payment,))
    assert refusals(order, accounts=(ON_HOLD,)) == {"credit_hold"}


@pytest.mark.rule("WA-15")
def test_a_card_lifts_the_hold_only_where_the_accounts_policy_says_so() -> None:
    by_card = a.a_web_order(payments=(card(),))
    planned = admitted(by_card, accounts=(ON_HOLD,), policy=LIFTS)
    assert not planned.hold
    assert any("credit hold" in flag for flag in planned.flags)
    assert refusals(a.a_web_order(), accounts=(ON_HOLD,), policy=LIFTS) == {"credit_hold"}
    half = a.money("49.95")
    mixed = a.a_web_order(payments=(card(amount=half), on_terms(amount=half)))
    assert refusals(mixed, accounts=(ON_HOLD,), policy=LIFTS) == {"credit_hold"}


@pytest.mark.rule("WA-15")
@pytest.mark.parametrize("number", [None, "", "  "])
def test_a_missing_po_number_quarantines_where_the_account_needs_one(number: str | None) -> None:
    order = a.a_web_order(po_number=number)
    assert refusals(order, with_account(po_required=True)) == {"po_missing"}
    assert refusals(order, policy=AccountPolicy(po_required=True)) == {"po_missing"}
    waived = {a.ACCOUNT: AccountPolicy(po_required=False)}
    assert admitted(order, with_account(po_required=True), policies=waived).sold_to == a.ACCOUNT


@pytest.mark.rule("WA-15")
def test_a_po_number_used_before_is_flagged_and_does_not_stop_the_order() -> None:
    order = a.a_web_order(po_number="PO-1")
    planned = admitted(order, po_used=ErpOrderNumber("SO-88"))
    assert planned.po_number == "PO-1"
    assert any("PO-1" in flag and "SO-88" in flag for flag in planned.flags)
    assert admitted(order).flags == ()


@pytest.mark.rule("WA-16")
def test_the_orders_currency_must_be_one_of_the_accounts() -> None:
    assert refusals(a.a_web_order(), with_account(currencies=("USD",))) == {
        "currency_not_of_account"
    }
    assert refusals(a.a_web_order(), with_account(currencies=())) == {"currency_not_of_account"}
    planned = admitted(a.a_web_order(), with_account(currencies=("USD", "EUR")))
    assert planned.currency == "EUR"
    assert planned.total == a.money("99.90")


@pytest.mark.rule("WA-16")
def test_a_retail_group_declares_its_currencies_where_the_erp_tells_none() -> None:
    silent = (a.a_retail_account(currencies=()),)
    assert admitted(a.a_retail_order(), accounts=silent).currency == "EUR"
