"""Amounts are exact, and never of two currencies at once."""

from __future__ import annotations

import decimal
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.domain.money import (
    ROUNDING_MODES,
    Money,
    Rounding,
    currency_code,
    exact,
    plain,
    shown_amount,
    total,
)
from sync.testing.builders import money
from tests.unit.domain.strategies import AMOUNTS, DECIMALS


@pytest.mark.parametrize("amount", [1.5, 2, "3", None, Decimal("NaN"), Decimal("Infinity")])
def test_only_a_finite_decimal_is_an_amount(amount: object) -> None:
    with pytest.raises(ValueError, match="not an exact amount"):
        Money(amount, "EUR")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="not an exact amount"):
        exact(amount)


@pytest.mark.parametrize("code", ["", "eur", "EU", "EURO", "E1R", "ÄÖÜ", None, 978])
def test_a_currency_is_an_iso_code(code: object) -> None:
    with pytest.raises(ValueError, match="not an ISO 4217 code"):
        currency_code(code)


def test_an_amount_keeps_its_scale() -> None:
    assert str(money("12.3400")) == "12.3400 EUR"
    assert str(money("1.50") + money("0.0001")) == "1.5001 EUR"
    assert str(money("2.00").times(Decimal("2.500"))) == "5.00000 EUR"


@pytest.mark.rule("WA-16")
def test_two_currencies_are_never_combined() -> None:
    with pytest.raises(ValueError, match="cannot combine USD with EUR"):
        money("1.00") + money("1.00", "USD")
    with pytest.raises(ValueError, match="cannot combine USD with EUR"):
        money("1.00") - money("1.00", "USD")
    with pytest.raises(ValueError, match="cannot combine USD with EUR"):
        total([money("1.00", "USD")], "EUR")


def test_nothing_adds_up_to_zero() -> None:
    assert total([], "EUR") == Money(Decimal(0), "EUR")


@given(st.lists(AMOUNTS, max_size=6))
def test_a_total_does_not_depend_on_the_order(amounts: list[Money]) -> None:
    assert total(amounts, "EUR") == total(reversed(amounts), "EUR")


@given(AMOUNTS, AMOUNTS)
def test_adding_and_taking_off_is_exact(left: Money, right: Money) -> None:
    # The surrounding context must not round what money adds up.
    with decimal.localcontext(decimal.Context(prec=4)):
        assert (left + right) - right == left
        assert left - right == left + (-right)


def test_a_sum_that_could_not_be_kept_exact_is_refused() -> None:
    with pytest.raises(decimal.Inexact):
        money("1E+70") + money("0.0001")


@pytest.mark.rule("WA-7")
@pytest.mark.parametrize(
    "mode, expected",
    [
        (decimal.ROUND_HALF_UP, "0.13"),
        (decimal.ROUND_HALF_EVEN, "0.12"),
        (decimal.ROUND_HALF_DOWN, "0.12"),
        (decimal.ROUND_DOWN, "0.12"),
        (decimal.ROUND_UP, "0.13"),
        (decimal.ROUND_CEILING, "0.13"),
        (decimal.ROUND_FLOOR, "0.12"),
    ],
)
def test_rounding_is_the_erps_own(mode: str, expected: str) -> None:
    assert money("0.125").rounded(Rounding(2, mode)) == money(expected)


@given(DECIMALS, st.integers(0, 8), st.sampled_from(sorted(ROUNDING_MODES)))
def test_rounding_twice_is_rounding_once(value: Decimal, places: int, mode: str) -> None:
    rounding = Rounding(places, mode)
    once = rounding(value)

    assert rounding(once) == once
    assert abs(once - value) < Decimal(1).scaleb(-places)
    assert -int(once.as_tuple().exponent) == places


@pytest.mark.parametrize("places, mode", [(-1, decimal.ROUND_UP), (2, "ROUND_ANYHOW")])
def test_a_rounding_rule_must_be_one(places: int, mode: str) -> None:
    with pytest.raises(ValueError, match="not a rounding rule"):
        Rounding(places, mode)


@pytest.mark.parametrize(
    "text, spelled",
    [
        ("12.500", "12.5"),
        ("100", "100"),
        ("1E+2", "100"),
        ("0.00", "0"),
        ("-0.00", "0"),
        ("-0", "0"),
        ("-1.50", "-1.5"),
        ("1E-8", "0.00000001"),
    ],
)
def test_a_number_has_one_spelling(text: str, spelled: str) -> None:
    assert plain(Decimal(text)) == spelled


@given(DECIMALS)
def test_the_spelling_is_the_number(value: Decimal) -> None:
    assert Decimal(plain(value)) == value
    assert plain(Decimal(plain(value))) == plain(value)


@pytest.mark.parametrize(
    "amount, currency, told",
    [
        ("1.1", "USD", "1.10"),
        ("1.10000", "USD", "1.10"),
        ("1", "USD", "1.00"),
        ("100", "JPY", "100"),
        ("0.5", "JPY", "0.5"),
        ("1.23456", "USD", "1.23456"),
        ("2.5", "KWD", "2.500"),
        ("0", "EUR", "0.00"),
        ("1E+3", "EUR", "1000.00"),
    ],
)
def test_an_amount_is_shown_with_its_currencys_places_and_all_beyond(
    amount: str, currency: str, told: str
) -> None:
    assert shown_amount(Decimal(amount), currency) == told


@given(DECIMALS)
def test_showing_an_amount_rounds_nothing(amount: Decimal) -> None:
    assert Decimal(shown_amount(amount, "EUR")) == amount
