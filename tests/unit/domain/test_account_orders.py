"""Orders of an account: whose they are, and what no store is told of them (MI-5)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sync.domain.account import IndividualAccount, RetailGroups
from sync.domain.ids import CustomerId, WebOrderId
from sync.domain.views import AccountOrderView
from sync.planning.account_orders import as_shown
from sync.testing import builders as a

GROUPS = RetailGroups.of([a.RETAIL_ACCOUNT])
WEB_ORDER = WebOrderId("order-1")


@pytest.mark.rule("MI-5", "WA-8")
def test_order_of_a_retail_group_cannot_be_expressed() -> None:
    with pytest.raises(ValueError, match="retail group"):
        AccountOrderView(IndividualAccount(a.RETAIL_ACCOUNT, GROUPS), a.an_account_order())
    mine = IndividualAccount(a.ACCOUNT, GROUPS)
    with pytest.raises(ValueError, match="is of RETAIL-EU"):
        AccountOrderView(mine, a.an_account_order(sold_to=a.RETAIL_ACCOUNT))


@pytest.mark.rule("MI-5")
def test_key_that_the_erp_has_it_under_goes_to_no_store() -> None:
    mine = IndividualAccount(a.ACCOUNT, GROUPS)
    with pytest.raises(ValueError, match="still carries the key"):
        AccountOrderView(mine, a.an_account_order(key=a.KEY))


@pytest.mark.rule("MI-5", "WA-9")
def test_only_an_order_of_the_same_account_is_linked() -> None:
    ours = {(a.ACCOUNT, a.KEY): WEB_ORDER}
    order = a.an_account_order(key=a.KEY)
    assert as_shown(order, ours) == a.an_account_order(web_order=WEB_ORDER)
    moved = replace(order, sold_to=CustomerId("C-2002"))
    assert as_shown(moved, ours).web_order is None
    assert as_shown(a.an_account_order(), ours) == a.an_account_order()


def test_amounts_are_in_one_currency() -> None:
    [line] = a.an_account_order().lines
    with pytest.raises(ValueError, match="one amount in USD"):
        a.an_account_order(lines=(replace(line, net=a.money("1.00", "USD")),))
