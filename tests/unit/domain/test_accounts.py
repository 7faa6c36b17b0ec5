"""What belongs to an account cannot be written down for a retail group."""

from __future__ import annotations

from decimal import Decimal

import pytest

from sync.domain.account import AccountStatus, IndividualAccount, RetailGroups
from sync.domain.ids import CustomerId
from sync.domain.views import AccountView, BillToView, InvoiceView, ShipToView
from sync.testing import builders as a

GROUPS = RetailGroups.of([a.RETAIL_ACCOUNT, CustomerId("RETAIL-US")])
MINE = IndividualAccount(a.ACCOUNT, GROUPS)
OTHER = CustomerId("C-2002")


@pytest.mark.rule("WA-8", "WA-3a", "WA-2b")
@pytest.mark.parametrize("group", sorted(GROUPS.customer_ids))
def test_a_retail_group_is_no_individual_account(group: CustomerId) -> None:
    with pytest.raises(ValueError, match=f"{group} is a retail group"):
        IndividualAccount(group, GROUPS)


@pytest.mark.rule("WA-8")
def test_an_individual_account_must_be_shown_the_retail_groups() -> None:
    with pytest.raises(TypeError):
        IndividualAccount(a.ACCOUNT)  # type: ignore[call-arg]


@pytest.mark.rule("WA-8")
def test_an_invoice_is_shown_under_its_own_account_only() -> None:
    assert InvoiceView(MINE, a.an_invoice()).account.customer_id == a.ACCOUNT
    with pytest.raises(ValueError, match="invoice INV-5001 is of C-2002"):
        InvoiceView(MINE, a.an_invoice(sold_to=OTHER))
    # The invoice of a retail group fits under no account that can be made.
    with pytest.raises(ValueError, match="is of RETAIL-EU, not of C-1001"):
        InvoiceView(MINE, a.an_invoice(sold_to=a.RETAIL_ACCOUNT))


@pytest.mark.rule("WA-3a", "MI-1")
def test_addresses_and_profiles_are_shown_under_their_own_account_only() -> None:
    ShipToView(MINE, a.a_ship_to())
    BillToView(MINE, a.a_bill_to())
    AccountView(MINE, a.a_profile())
    for group in (OTHER, a.RETAIL_ACCOUNT):
        with pytest.raises(ValueError, match="ship-to MAIN is of"):
            ShipToView(MINE, a.a_ship_to(sold_to=group))
        with pytest.raises(ValueError, match="bill-to BILL is of"):
            BillToView(MINE, a.a_bill_to(sold_to=group))
        with pytest.raises(ValueError, match="profile is of"):
            AccountView(MINE, a.a_profile(customer_id=group))


@pytest.mark.rule("VE-3")
@pytest.mark.parametrize(
    "changes, status",
    [
        ({}, AccountStatus.ACTIVE),
        ({"active": False}, AccountStatus.CLOSED),
        ({"prospect": True}, AccountStatus.PROSPECT),
        ({"prospect": True, "active": False}, AccountStatus.PROSPECT),
        ({"status": AccountStatus.SUSPENDED}, AccountStatus.SUSPENDED),
        ({"status": AccountStatus.PROSPECT, "active": True}, AccountStatus.PROSPECT),
    ],
)
def test_an_account_without_a_stated_status_has_what_the_erp_says(
    changes: dict[str, object], status: AccountStatus
) -> None:
    assert a.an_account(**changes).effective_status is status


@pytest.mark.rule("VE-3")
def test_statuses_run_from_zero_to_eleven() -> None:
    assert [status.value for status in AccountStatus] == list(range(12))
    assert (AccountStatus.PROSPECT, AccountStatus.ACTIVE, AccountStatus.CLOSED) == (0, 9, 11)


def test_an_account_has_a_name_and_real_currencies() -> None:
    with pytest.raises(ValueError, match="account C-1001 has no name"):
        a.an_account(name=" ")
    with pytest.raises(ValueError, match="not an ISO 4217 code"):
        a.an_account(currencies=("EUR", "euro"))


@pytest.mark.rule("OI-8")
def test_a_unit_counts_what_the_erp_says() -> None:
    item = a.an_item(units=(("BOX", Decimal(12)),))

    assert item.factor("EA") == 1
    assert item.factor("BOX") == 12
    assert item.factor("PALLET") is None
    # The stock unit is one, whatever a careless unit table says.
    assert a.an_item(units=(("EA", Decimal(5)),)).factor("EA") == 1
