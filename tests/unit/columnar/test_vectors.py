"""Prices by row and prices by column say the same, to the last digit."""

from __future__ import annotations

import dataclasses
import random
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.columnar.vectors import SCHEMA, Sorter, canonical, fingerprint, prices_of, vector_of
from sync.domain.ids import Sku
from sync.domain.pricing import Price, PriceKey, PriceLevel, PriceScope, PriceValue

SCOPE = PriceScope(PriceLevel.ACCOUNT, "000123")

amounts = st.decimals(0, 10**15, places=4) | st.decimals(0, 1, places=10)
days = st.none() | st.dates(date(1900, 1, 1), date(2999, 12, 31))
names = st.sampled_from(["", "a", "B", "Ä", "\U0001f529", "10", "9"])

entries = st.builds(
    Price,
    st.builds(
        PriceKey,
        scope=st.just(SCOPE),
        price_list=names,
        sku=st.sampled_from(["000123", "123", "Ölfilter", "z"]).map(Sku),
        unit=st.sampled_from(["EA", "PK"]),
        currency=st.sampled_from(["USD", "EUR"]),
        min_quantity=amounts,
        valid_from=days,
        priority=st.integers(-(2**31), 2**31 - 1),
        warehouse=st.none() | st.sampled_from(["", "W1"]),
    ),
    st.builds(PriceValue, st.none() | amounts, days),
)


def priced(amount: str) -> Price:
    key = PriceKey(SCOPE, "L", Sku("S"), "EA", "USD", Decimal(1))
    return Price(key, PriceValue(Decimal(amount)))


@pytest.mark.rule("WA-7")
@given(st.lists(entries, max_size=20))
def test_entries_come_back_as_they_went_in(given: list[Price]) -> None:
    back = prices_of(vector_of(given), SCOPE)
    assert sorted(map(repr_of, back)) == sorted(map(repr_of, given))


def repr_of(price: Price) -> str:
    """The entry with its numbers without trailing zeros, which mean nothing."""
    key, value = price.key, price.value
    amount = None if value.unit_price is None else value.unit_price.normalize()
    parts = (key.price_list, key.sku, key.unit, key.currency, key.warehouse, key.priority)
    return repr((parts, key.valid_from, key.min_quantity.normalize(), amount, value.valid_until))


@pytest.mark.rule("WA-7")
@pytest.mark.parametrize(
    "amount",
    ["999999999999999.9999", "0.0001", "0.0000000001", "9999999999999999999999999999", "0"],
)
def test_no_digit_is_lost(amount: str) -> None:
    (back,) = prices_of(vector_of([priced(amount)]), SCOPE)
    assert back.value.unit_price == Decimal(amount)


@pytest.mark.parametrize("amount", ["0.00000000001", "10000000000000000000000000000"])
def test_a_number_that_does_not_fit_is_refused(amount: str) -> None:
    with pytest.raises(ValueError, match=r"data loss|precision"):
        vector_of([priced(amount)])


@given(st.lists(entries, min_size=1, max_size=20), st.randoms(use_true_random=False))
def test_equal_entries_have_one_fingerprint_wherever_they_were_read(
    given: list[Price], chance: random.Random
) -> None:
    vector = vector_of(given)
    shuffled = list(given)
    chance.shuffle(shuffled)
    assert fingerprint(vector_of(shuffled)) == fingerprint(vector)
    cut = chance.randrange(len(given))
    longer = pa.concat_tables([vector_of(given[:1]), vector])
    pieces = pa.concat_tables([longer.slice(1, cut), longer.slice(1 + cut)])
    assert fingerprint(canonical(pieces)) == fingerprint(vector)
    assert fingerprint(longer.slice(1)) == fingerprint(vector)


@given(st.lists(entries, min_size=1, max_size=8), st.lists(entries, min_size=1, max_size=8))
def test_different_entries_have_different_fingerprints(
    some: list[Price], others: list[Price]
) -> None:
    same = sorted(map(repr_of, some)) == sorted(map(repr_of, others))
    assert (fingerprint(vector_of(some)) == fingerprint(vector_of(others))) == same


def told_order(row: dict[str, Any]) -> tuple[tuple[bool, Any], ...]:
    """What rows are ordered by: nothing first, text by its bytes."""
    values = (row[field.name] for field in SCHEMA)
    return tuple(
        (value is not None, value.encode() if isinstance(value, str) else value or 0)
        if not isinstance(value, date)
        else (True, value.toordinal())
        for value in values
    )


@given(
    st.lists(st.lists(entries, max_size=8), min_size=1, max_size=3),
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), max_size=8),
    st.randoms(use_true_random=False),
)
def test_vectors_sorted_one_after_the_other_are_as_if_each_were_alone(
    lists: list[list[Price]], told: list[tuple[int, int]], chance: random.Random
) -> None:
    sorter = Sorter()
    orders: dict[tuple[int, int], list[int]] = {}
    for number, turn in told:
        prices = lists[number % len(lists)]
        order = orders.setdefault(
            (number, turn), chance.sample(range(len(prices)), len(prices)) if turn else []
        )
        # The same keys with other prices, in an order that comes again.
        amounts = [chance.choice([None, Decimal(1), Decimal("2.5")]) for _ in prices]
        changed = [
            dataclasses.replace(price, value=PriceValue(amount, price.value.valid_until))
            for price, amount in zip(prices, amounts, strict=True)
        ]
        vector = vector_of(changed)
        given = vector.take(pa.array(order, pa.int64())) if order else vector
        sorted_rows = sorter.canonical(given)
        assert sorted_rows.equals(vector)
        assert sorted_rows.to_pylist() == sorted(given.to_pylist(), key=told_order)
        assert all(column.num_chunks == 1 for column in sorted_rows.columns)


def test_of_two_rows_with_one_key_the_values_decide_each_time() -> None:
    sorter = Sorter()
    for amounts in (["1", "2"], ["2", "1"], ["1", "2"]):
        rows = pa.concat_tables([vector_of([priced(amount)]) for amount in amounts])
        told = sorter.canonical(rows).column("unit_price").to_pylist()
        assert told == [Decimal(1), Decimal(2)]


def test_nothing_and_an_empty_text_are_two_things() -> None:
    entry = {
        "price_list": "L",
        "sku": "S",
        "unit": "EA",
        "currency": "USD",
        "priority": 0,
        "min_quantity": Decimal(1),
    }
    nothing = pa.Table.from_pylist([{**entry, "warehouse": None}], SCHEMA)
    empty = pa.Table.from_pylist([{**entry, "warehouse": ""}], SCHEMA)
    assert fingerprint(nothing) != fingerprint(empty)


def test_other_columns_are_refused() -> None:
    with pytest.raises(ValueError, match="not the columns of prices"):
        canonical(pa.table({"sku": ["S"]}))
