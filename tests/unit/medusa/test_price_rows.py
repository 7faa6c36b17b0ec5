"""Rows of a price list say what the one rule of prices says, for every quantity and day."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as some

from sync.domain.pricing import (
    ITEM_OVERRIDES,
    Price,
    PriceQuestion,
    PriceScope,
    effective_price,
)
from sync.stores.medusa.price_rows import Period, rows_of
from sync.stores.medusa.spelling import exact_number
from sync.testing import builders as a

DAY = date(2026, 3, 1)

days = some.one_of(some.none(), some.integers(-3, 3).map(lambda n: DAY + timedelta(days=n)))
entries = some.builds(
    lambda amount, quantity, since, until, scope, priority: a.a_price(
        amount,
        min_quantity=Decimal(quantity),
        valid_from=since,
        valid_until=until,
        scope=scope,
        priority=priority,
    ),
    some.sampled_from(["1.0000", "2.5000", "3.2500", None]),
    some.sampled_from(["0", "1", "5", "10", "10.5"]),
    days,
    days,
    some.sampled_from([PriceScope.account(a.ACCOUNT), ITEM_OVERRIDES]),
    some.integers(0, 1),
)


one_list = some.builds(
    lambda rungs, since, until, scope: [
        a.a_price(
            amount,
            min_quantity=Decimal(quantity),
            valid_from=since,
            valid_until=until,
            scope=scope,
        )
        for quantity, amount in rungs
    ],
    some.lists(
        some.tuples(
            some.sampled_from(["0", "0.5", "1", "5", "10", "10.2", "10.5"]),
            some.sampled_from(["1.0000", "2.5000", "3.2500", None]),
        ),
        max_size=8,
    ),
    days,
    days,
    some.sampled_from([PriceScope.account(a.ACCOUNT), PriceScope.group("GOLD"), ITEM_OVERRIDES]),
)


@pytest.mark.rule("WA-7", "VE-12")
@given(one_list | some.lists(entries, max_size=8), some.integers(1, 12), some.integers(-4, 4))
def test_a_row_says_what_the_rule_says(held: list[Price], quantity: int, offset: int) -> None:
    day = DAY + timedelta(days=offset)
    sample = a.a_price_key()
    question = PriceQuestion(sample.sku, sample.unit, sample.currency, Decimal(quantity), day)

    found = effective_price(held, question)
    shown = [
        step.price
        for period, steps in rows_of(held, sample.unit).items()
        if (period.first is None or period.first <= day)
        and (period.last is None or day <= period.last)
        for step in steps
        if step.from_quantity <= quantity
        and (step.to_quantity is None or quantity <= step.to_quantity)
    ]

    expected = found.price.value.unit_price if found is not None else None
    assert shown == ([expected] if expected is not None else [])


def test_entries_that_the_shop_cannot_show_are_left_out() -> None:
    held = [a.a_price("1.0000", unit="BOX"), a.a_price("2.0000", warehouse="W2")]

    assert rows_of(held, "EA") == {}


def test_a_period_is_whole_days_of_the_erps_calendar() -> None:
    starts, ends = Period(date(2026, 3, 29), date(2026, 3, 29)).moments(ZoneInfo("Europe/Berlin"))

    # The night in which the clocks go forward: the day has 23 hours.
    assert str(starts) == "2026-03-28 23:00:00+00:00"
    assert str(ends) == "2026-03-29 21:59:59.999000+00:00"


def test_an_amount_that_a_float_would_change_is_refused() -> None:
    assert exact_number(Decimal("9.9905")) == 9.9905
    assert exact_number(Decimal("12.00")) == 12
    with pytest.raises(ValueError, match="more digits"):
        exact_number(Decimal("123456789012345.6789"))
