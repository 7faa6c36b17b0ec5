"""Exact amounts. Nothing here ever touches a float."""

from __future__ import annotations

import decimal
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

ROUNDING_MODES = frozenset(
    {
        decimal.ROUND_HALF_UP,
        decimal.ROUND_HALF_EVEN,
        decimal.ROUND_HALF_DOWN,
        decimal.ROUND_DOWN,
        decimal.ROUND_UP,
        decimal.ROUND_CEILING,
        decimal.ROUND_FLOOR,
    }
)

# Wide enough that a sum of NUMERIC(38, 6) products never rounds by itself.
_EXACT = decimal.Context(prec=60, traps=[decimal.Inexact, decimal.InvalidOperation])


def exact(value: object) -> Decimal:
    """The value itself, if it is a finite Decimal; otherwise ValueError."""
    if isinstance(value, Decimal) and value.is_finite():
        return value
    raise ValueError(f"not an exact amount: {value!r}")


# Currencies that were looked at before; an order names its own dozens of times.
_SHAPED: set[str] = set()


def currency_code(value: object) -> str:
    """The value itself, if it is shaped like an ISO 4217 code; otherwise ValueError."""
    if type(value) is str and value in _SHAPED:
        return value
    shaped = isinstance(value, str) and len(value) == 3 and value.isascii() and value.isalpha()
    if isinstance(value, str) and shaped and value.isupper():
        _SHAPED.add(value)
        return value
    raise ValueError(f"not an ISO 4217 code: {value!r}")


@dataclass(frozen=True, slots=True)
class Rounding:
    """How the ERP rounds: decimal places and one of the ``decimal.ROUND_*`` modes."""

    places: int
    mode: str

    def __post_init__(self) -> None:
        if self.places < 0 or self.mode not in ROUNDING_MODES:
            raise ValueError(f"not a rounding rule: {self.places} places, {self.mode!r}")

    def __call__(self, value: Decimal) -> Decimal:
        return value.quantize(Decimal(1).scaleb(-self.places), self.mode, _EXACT_WIDE)


# quantize needs room for its result but must be allowed to round.
_EXACT_WIDE = decimal.Context(prec=60, traps=[decimal.InvalidOperation])


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in one currency (ISO 4217). The amount keeps its scale."""

    amount: Decimal
    currency: str

    def __post_init__(self) -> None:
        exact(self.amount)
        if type(self.currency) is not str or self.currency not in _SHAPED:
            currency_code(self.currency)

    def __add__(self, other: Money) -> Money:
        self._same_currency(other)
        return Money(_EXACT.add(self.amount, other.amount), self.currency)

    def __sub__(self, other: Money) -> Money:
        self._same_currency(other)
        return Money(_EXACT.subtract(self.amount, other.amount), self.currency)

    def __neg__(self) -> Money:
        return Money(_EXACT.minus(self.amount), self.currency)

    def times(self, factor: Decimal) -> Money:
        """The exact product; nothing is rounded."""
        return Money(_EXACT.multiply(self.amount, exact(factor)), self.currency)

    def rounded(self, rounding: Rounding) -> Money:
        return Money(rounding(self.amount), self.currency)

    def __str__(self) -> str:
        return f"{self.amount:f} {self.currency}"

    def _same_currency(self, other: Money) -> None:
        if self.currency != other.currency:
            raise ValueError(f"cannot combine {other.currency} with {self.currency}")


def total(amounts: Iterable[Money], currency: str) -> Money:
    """The exact sum; zero of that currency where there is nothing to add."""
    result = Decimal(0)
    for amount in amounts:
        if amount.currency != currency:
            raise ValueError(f"cannot combine {amount.currency} with {currency}")
        result = _EXACT.add(result, amount.amount)
    return Money(result, currency)


# ISO 4217 has two decimal places for most currencies; these are the others in use.
_WHOLE = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE = "BHD IQD JOD KWD LYD OMR TND"
_PLACES = {
    **dict.fromkeys(_WHOLE.split(" "), 0),
    **dict.fromkeys(_THREE.split(" "), 3),
    "CLF": 4,
    "UYW": 4,
}


def currency_places(currency: str) -> int:
    """Decimal places that an amount of this currency is shown and paid with."""
    return _PLACES.get(currency, 2)


def shown_amount(value: Decimal, currency: str) -> str:
    """The amount as people write it: with the currency's places, and all that it has beyond."""
    text = plain(value)
    lacking = currency_places(currency) - len(text.partition(".")[2])
    if lacking <= 0:
        return text
    return text + ("" if "." in text else ".") + "0" * lacking


def plain(value: Decimal) -> str:
    """The one spelling of a number: no exponent, no trailing zeros ("12.5", "100", "0")."""
    text = f"{value:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text
