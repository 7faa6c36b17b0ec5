"""What an account owes cannot be written down in a way that means two things."""

from __future__ import annotations

from typing import Any

import pytest

from sync.domain.account import IndividualAccount, RetailGroups
from sync.domain.balance import AgeBucket, Ageing
from sync.domain.codec import dumps, loads
from sync.domain.views import BalanceView
from sync.testing import builders as a


def bucket(*days: int | None, amount: str = "1.00", currency: str = "EUR") -> AgeBucket:
    return AgeBucket(a.money(amount, currency), *days)


@pytest.mark.parametrize("days", [(None, 30), (-1, 30), (31, 30)])
def test_a_bucket_of_impossible_days_is_refused(days: tuple[int | None, int | None]) -> None:
    with pytest.raises(ValueError, match="overdue"):
        bucket(*days)


@pytest.mark.parametrize(
    "buckets",
    [
        (),
        (bucket(1, 30), bucket()),
        (bucket(), bucket()),
        (bucket(1, 30), bucket(30, 60)),
        (bucket(31, 60), bucket(1, 30)),
        (bucket(1, None), bucket(31, 60)),
        (bucket(), bucket(1, None, currency="USD")),
    ],
)
def test_an_ageing_tells_each_day_once_in_one_currency(buckets: tuple[AgeBucket, ...]) -> None:
    with pytest.raises(ValueError, match=r"due|overdue|bucket|currencies"):
        Ageing(buckets)


def test_an_ageing_adds_up() -> None:
    ages = (bucket(amount="-2.50"), bucket(0, 30, amount="4.00"), bucket(45, None))
    assert Ageing(ages).total == a.money("2.50")


@pytest.mark.parametrize(
    "wrong",
    [
        {"credit_limit": a.money("-1.00")},
        {"credit_limit": a.money("1.00", "USD")},
        {"ageing": Ageing((bucket(currency="USD"),))},
    ],
)
def test_amounts_of_a_balance_are_in_its_currency(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"credit limit|USD"):
        a.a_balance(**wrong)


@pytest.mark.rule("MI-6", "WA-8")
def test_a_retail_group_s_balance_cannot_be_handed_to_a_store() -> None:
    groups = RetailGroups.of([a.RETAIL_ACCOUNT])
    with pytest.raises(ValueError, match="retail group"):
        IndividualAccount(a.RETAIL_ACCOUNT, groups)
    with pytest.raises(ValueError, match=r"C-1001|RETAIL-EU"):
        BalanceView(a.individual(), a.a_balance(sold_to=a.RETAIL_ACCOUNT))


def test_a_balance_is_spooled_without_loss() -> None:
    balance = a.a_balance("123456789012345.6789")
    assert loads(type(balance), dumps(balance)) == balance
