"""Which price applies: one rule, whatever order the entries come in."""

from __future__ import annotations

import dataclasses
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.domain.ids import ChannelId, CustomerId, LocationId, Sku
from sync.domain.pricing import (
    DEFAULT_LIST,
    ITEM_OVERRIDES,
    Audience,
    AudienceKind,
    Price,
    PriceKey,
    PriceLevel,
    PriceQuestion,
    PriceScope,
    PriceValue,
    effective_price,
    scopes_of,
)
from sync.testing import builders as a

TODAY = date(2025, 3, 3)
SITE = PriceScope.location(LocationId("SITE-1"))
OWN = PriceScope.account(a.ACCOUNT)
GOLD, SILVER = PriceScope.group("GOLD"), PriceScope.group("SILVER")
LEVELS = [ITEM_OVERRIDES, SITE, OWN, GOLD, DEFAULT_LIST]


def asking(quantity: str = "1", **changes: Any) -> PriceQuestion:
    question = PriceQuestion(a.SKU, "EA", "EUR", Decimal(quantity), TODAY)
    return dataclasses.replace(question, **changes)


def decided(entries: list[Price], question: PriceQuestion | None = None) -> str | None:
    """The price as text, None where no entry applies."""
    found = effective_price(entries, question or asking())
    return None if found is None else str(found.price.value.unit_price)


@pytest.mark.rule("WA-10", "WA-7")
def test_no_entry_is_no_price() -> None:
    assert effective_price([], asking()) is None


@pytest.mark.rule("WA-6", "VE-12")
@pytest.mark.parametrize(
    "other",
    [
        {"sku": Sku("NUT-M8")},
        {"unit": "BOX"},
        {"currency": "USD"},
        {"warehouse": "W2"},
        {"quantity": Decimal("0.5")},
        {"day": date(2024, 12, 31)},
        {"day": date(2026, 1, 1)},
    ],
    ids=lambda other: next(iter(other)),
)
def test_a_price_for_something_else_does_not_apply(other: dict[str, Any]) -> None:
    entry = a.a_price(warehouse="W1", valid_from=date(2025, 1, 1), valid_until=date(2025, 12, 31))

    assert decided([entry], asking(warehouse="W1")) == "9.9900"
    assert decided([entry], asking(**{"warehouse": "W1", **other})) is None


@pytest.mark.rule("VE-12", "VE-6")
@pytest.mark.parametrize("lower", range(1, len(LEVELS)))
def test_the_higher_level_wins_even_when_it_is_dearer(lower: int) -> None:
    dear = a.a_price("20.0000", scope=LEVELS[lower - 1])
    cheap = a.a_price("10.0000", scope=LEVELS[lower])

    assert decided([cheap, dear]) == "20.0000"


@pytest.mark.rule("VE-12")
def test_what_was_passed_over_is_told_in_the_order_of_the_decision() -> None:
    entries = [a.a_price(scope=scope) for scope in LEVELS]

    found = effective_price(reversed(entries), asking())

    assert found is not None
    assert [found.price, *found.passed_over] == entries


@pytest.mark.rule("VE-12", "WA-6")
@pytest.mark.parametrize(
    "quantity, price",
    [("1", "10.0000"), ("9.999", "10.0000"), ("10", "9.0000"), ("99", "9.0000"), ("100", "8.0000")],
)
def test_the_step_follows_the_quantity(quantity: str, price: str) -> None:
    ladder = [
        a.a_price("10.0000", min_quantity=Decimal(1)),
        a.a_price("9.0000", min_quantity=Decimal(10)),
        a.a_price("8.0000", min_quantity=Decimal(100)),
    ]

    assert decided(ladder, asking(quantity)) == price


@pytest.mark.rule("VE-12")
def test_a_quantity_below_every_step_falls_to_the_next_level() -> None:
    entries = [
        a.a_price("8.0000", min_quantity=Decimal(100)),
        a.a_price("12.0000", scope=DEFAULT_LIST),
    ]

    assert decided(entries, asking("99")) == "12.0000"


@pytest.mark.rule("VE-12")
def test_a_step_counts_even_when_it_is_dearer() -> None:
    ladder = [
        a.a_price("9.0000", min_quantity=Decimal(1)),
        a.a_price("10.0000", min_quantity=Decimal(10)),
    ]

    assert decided(ladder, asking("10")) == "10.0000"


@pytest.mark.rule("WA-6")
@pytest.mark.parametrize(
    "day, price",
    [
        (date(2025, 2, 28), None),
        (date(2025, 3, 1), "9.9900"),
        (date(2025, 3, 31), "9.9900"),
        (date(2025, 4, 1), None),
    ],
)
def test_the_first_and_the_last_day_count(day: date, price: str | None) -> None:
    entry = a.a_price(valid_from=date(2025, 3, 1), valid_until=date(2025, 3, 31))

    assert decided([entry], asking(day=day)) == price


@pytest.mark.rule("WA-6")
def test_a_later_start_takes_over_by_the_calendar_alone() -> None:
    entries = [
        a.a_price("9.0000", valid_from=None),
        a.a_price("9.5000", valid_from=date(2025, 1, 1)),
        a.a_price("10.0000", valid_from=date(2025, 4, 1)),
    ]

    assert decided(entries, asking(day=date(2024, 12, 31))) == "9.0000"
    assert decided(entries, asking(day=date(2025, 3, 31))) == "9.5000"
    assert decided(entries, asking(day=date(2025, 4, 1))) == "10.0000"


@pytest.mark.rule("VE-12")
def test_priority_decides_before_the_start_and_the_price() -> None:
    entries = [
        a.a_price("9.0000", valid_from=date(2025, 3, 1)),
        a.a_price("10.0000", priority=5, valid_from=date(2025, 1, 1)),
        a.a_price("11.0000", priority=5, valid_from=date(2025, 2, 1), price_list="B"),
    ]

    assert decided(entries) == "11.0000"


@pytest.mark.rule("VE-12")
def test_a_list_of_higher_priority_without_a_step_leaves_the_next_one() -> None:
    entries = [
        a.a_price("9.0000"),
        a.a_price("7.0000", price_list="BULK", priority=5, min_quantity=Decimal(100)),
    ]

    assert decided(entries, asking("10")) == "9.0000"


@pytest.mark.rule("VE-12")
@pytest.mark.parametrize("ranked, price", [(False, "9.0000"), (True, "8.0000")])
def test_a_later_start_hides_a_step_unless_the_priority_carries_the_quantity(
    ranked: bool, price: str
) -> None:
    """What the page about profiles advises for an ERP in which the quantity decides first."""
    bulk = Decimal(100)
    entries = [
        a.a_price("9.0000", valid_from=date(2025, 2, 1), priority=0),
        a.a_price(
            "8.0000",
            min_quantity=bulk,
            valid_from=date(2025, 1, 1),
            priority=int(bulk) if ranked else 0,
        ),
    ]

    assert decided(entries, asking("100")) == price
    assert decided(entries, asking("99")) == "9.0000"


@pytest.mark.rule("WA-7")
def test_among_equal_lists_the_lower_price_counts() -> None:
    entries = [a.a_price("9.0000", price_list="A"), a.a_price("8.0000", price_list="B")]

    assert decided(entries) == "8.0000"
    assert decided(entries[::-1]) == "8.0000"


def test_a_step_stated_twice_counts_at_the_lower_price_either_way_round() -> None:
    entries = [a.a_price("9.0000"), a.a_price("8.0000"), a.a_price(None)]

    assert decided(entries) == decided(entries[::-1]) == "8.0000"


@pytest.mark.rule("VE-5")
def test_the_best_price_over_all_groups_counts() -> None:
    entries = [
        a.a_price("9.0000", scope=GOLD, priority=9),
        a.a_price("8.5000", scope=SILVER),
        a.a_price("12.0000", scope=DEFAULT_LIST),
    ]

    assert decided(entries) == "8.5000"
    assert decided(entries[::-1]) == "8.5000"


@pytest.mark.rule("VE-5")
def test_within_one_group_priority_decides_not_the_best_price() -> None:
    entries = [
        a.a_price("9.0000", scope=GOLD, priority=9, price_list="A"),
        a.a_price("5.0000", scope=GOLD, price_list="B"),
        a.a_price("9.5000", scope=SILVER),
    ]

    # The group's own price is 9.00; the 5.00 of its lesser list is not on offer.
    assert decided(entries) == "9.0000"


@pytest.mark.rule("WA-10")
def test_call_for_pricing_loses_to_a_price_of_the_same_rank() -> None:
    entries = [a.a_price(None, price_list="A"), a.a_price("9.0000", price_list="B")]
    groups = [a.a_price(None, scope=GOLD), a.a_price("9.0000", scope=SILVER)]

    assert decided(entries) == "9.0000"
    assert decided(groups) == "9.0000"


@pytest.mark.rule("WA-10")
def test_call_for_pricing_alone_is_an_answer_and_no_zero() -> None:
    found = effective_price([a.a_price(None), a.a_price("9", scope=DEFAULT_LIST)], asking())

    assert found is not None
    assert found.price.value.unit_price is None


@pytest.mark.rule("WA-10")
def test_a_price_of_the_buyers_warehouse_goes_before_one_of_any() -> None:
    entries = [
        a.a_price("9.0000", priority=9),
        a.a_price("9.5000", warehouse="W1"),
        a.a_price("5.0000", warehouse="W2"),
    ]

    assert decided(entries, asking(warehouse="W1")) == "9.5000"
    assert decided(entries, asking(warehouse="W3")) == "9.0000"
    assert decided(entries, asking()) == "9.0000"


ENTRIES = st.lists(
    st.builds(
        Price,
        st.builds(
            PriceKey,
            scope=st.sampled_from([*LEVELS, SILVER]),
            price_list=st.sampled_from(["A", "B"]),
            sku=st.just(a.SKU),
            unit=st.just("EA"),
            currency=st.just("EUR"),
            min_quantity=st.sampled_from([Decimal(1), Decimal(10), Decimal(100)]),
            valid_from=st.none() | st.dates(TODAY - timedelta(3), TODAY + timedelta(1)),
            priority=st.integers(0, 1),
            warehouse=st.sampled_from([None, "W1"]),
        ),
        st.builds(
            PriceValue,
            st.none() | st.integers(1, 5).map(Decimal),
            valid_until=st.none() | st.dates(TODAY - timedelta(1), TODAY + timedelta(3)),
        ),
    ),
    max_size=8,
)
QUESTIONS = st.builds(
    asking,
    st.sampled_from(["1", "9", "10", "250"]),
    warehouse=st.sampled_from([None, "W1"]),
)


@pytest.mark.rule("WA-7", "VE-12")
@given(ENTRIES, QUESTIONS, st.randoms(use_true_random=False))
def test_the_order_of_the_entries_does_not_matter(
    entries: list[Price], question: PriceQuestion, random: Random
) -> None:
    shuffled = list(entries)
    random.shuffle(shuffled)

    assert effective_price(shuffled, question) == effective_price(entries, question)


@pytest.mark.rule("VE-12")
@given(ENTRIES, QUESTIONS)
def test_the_deciding_entry_fits_and_no_fitting_one_is_of_a_higher_level(
    entries: list[Price], question: PriceQuestion
) -> None:
    fitting = [
        entry
        for entry in entries
        if entry.counts_on(question.day)
        and entry.key.min_quantity <= question.quantity
        and entry.key.warehouse in (None, question.warehouse)
    ]

    found = effective_price(entries, question)

    assert (found is None) == (not fitting)
    if found is not None:
        assert found.price in fitting
        assert found.price.key.scope.level == min(each.key.scope.level for each in fitting)
        assert all(passed in fitting for passed in found.passed_over)
        assert found.price not in found.passed_over


@pytest.mark.rule("WA-6")
def test_a_buyers_scopes_are_the_accounts_own() -> None:
    assert scopes_of(a.ACCOUNT, ["GOLD"], LocationId("SITE-1")) == (
        ITEM_OVERRIDES,
        SITE,
        OWN,
        GOLD,
        DEFAULT_LIST,
    )
    assert scopes_of(a.ACCOUNT, []) == (ITEM_OVERRIDES, OWN, DEFAULT_LIST)


@pytest.mark.parametrize(
    "level, owner",
    [
        (PriceLevel.ITEM, "x"),
        (PriceLevel.DEFAULT, "x"),
        (PriceLevel.ACCOUNT, ""),
        (PriceLevel.GROUP, ""),
        (PriceLevel.LOCATION, ""),
    ],
)
def test_a_scope_names_an_owner_exactly_where_there_is_one(level: PriceLevel, owner: str) -> None:
    with pytest.raises(ValueError, match="price scope"):
        PriceScope(level, owner)


def test_a_price_is_never_negative() -> None:
    with pytest.raises(ValueError, match="a negative price"):
        PriceValue(Decimal("-0.01"))


@pytest.mark.rule("VE-7")
@pytest.mark.parametrize(
    "kind, key, channel",
    [
        (AudienceKind.PUBLIC, "RETAIL-EU", None),
        (AudienceKind.PUBLIC, "", ChannelId("web")),
        (AudienceKind.RETAIL, "RETAIL-EU", None),
        (AudienceKind.ACCOUNT, "C-1001", ChannelId("web")),
        (AudienceKind.ACCOUNT, "", None),
        (AudienceKind.ACCOUNTS, "C-1001", None),
        (AudienceKind.ACCOUNTS, "", ChannelId("web")),
        (AudienceKind.GROUP, "", None),
    ],
)
def test_an_audience_says_exactly_whom_it_means(
    kind: AudienceKind, key: str, channel: ChannelId | None
) -> None:
    with pytest.raises(ValueError, match="audience"):
        Audience(kind, key, channel)


@pytest.mark.rule("VE-7")
def test_an_account_and_a_group_of_one_name_are_two_audiences() -> None:
    account = a.account_audience(CustomerId("GOLD"))

    assert account != Audience(AudienceKind.GROUP, "GOLD")
    assert account.order != Audience(AudienceKind.GROUP, "GOLD").order
