"""What an order costs, from Medusa's exact numbers to amounts that can be paid.

Medusa multiplies and never rounds: its total has six decimals where the buyer saw
two. Here every charge, discount and tax is rounded to the currency's places, the
total likewise, and what then lacks is a named adjustment. It can only be as large
as so many roundings make it: a greater difference means that the order holds
something that is not understood, and it cannot be read.

Prices that include tax are told without it, as an ERP wants them, to two places
more than the currency has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Context, Decimal, InvalidOperation

from sync.domain.money import Money, Rounding, total
from sync.domain.order import Adjustment, LineDiscount, OrderDiscount, Tax

# Wide enough for any product or quotient here; a quotient may be cut at the end.
_WIDE = Context(prec=60, traps=[InvalidOperation])
_HUNDRED = Decimal(100)

ROUNDING = "rounding"


@dataclass(frozen=True, slots=True)
class Discount:
    """As Medusa has it: ``amount`` off the whole line, by this code."""

    code: str
    amount: Decimal
    with_tax: bool = False


@dataclass(frozen=True, slots=True)
class TaxRate:
    """In percent, by the store's code."""

    code: str
    rate: Decimal


@dataclass(frozen=True, slots=True)
class Sold:
    """A line or a way of shipping: so many at that price, what is taken off, its taxes."""

    price: Decimal
    quantity: Decimal = Decimal(1)
    discounts: tuple[Discount, ...] = ()
    taxes: tuple[TaxRate, ...] = ()
    with_tax: bool = False

    @property
    def factor(self) -> Decimal:
        """What a net amount is to be multiplied with to hold the tax."""
        rates = sum((each.rate for each in self.taxes), Decimal(0))
        return _WIDE.add(Decimal(1), _WIDE.divide(rates, _HUNDRED))

    def net(self, amount: Decimal, *, with_tax: bool) -> Decimal:
        return _WIDE.divide(amount, self.factor) if with_tax and self.taxes else amount

    @property
    def gross(self) -> Decimal:
        """Price times quantity without tax, nothing taken off."""
        return self.net(_WIDE.multiply(self.price, self.quantity), with_tax=self.with_tax)

    @property
    def off(self) -> Decimal:
        nets = (self.net(each.amount, with_tax=each.with_tax) for each in self.discounts)
        return sum(nets, Decimal(0))

    @property
    def taxable(self) -> Decimal:
        return _WIDE.subtract(self.gross, self.off)

    @property
    def due(self) -> Decimal:
        return _WIDE.multiply(self.taxable, self.factor)


@dataclass(slots=True)
class Till:
    """Adds an order up in its currency."""

    currency: str
    rounding: Rounding
    exact: Decimal = Decimal(0)
    slack: Decimal = Decimal(0)
    _taxes: dict[tuple[str, Decimal], Decimal] = field(default_factory=dict)

    def take(self, sold: Sold) -> None:
        """Count a line or a way of shipping in."""
        self.exact = _WIDE.add(self.exact, sold.due)
        for each in sold.taxes:
            share = _WIDE.divide(_WIDE.multiply(sold.taxable, each.rate), _HUNDRED)
            key = (each.code, each.rate)
            self._taxes[key] = _WIDE.add(self._taxes.get(key, Decimal(0)), share)

    def money(self, amount: Decimal) -> Money:
        """Rounded to what can be paid; the rounding is remembered."""
        self.slack += self._half
        return Money(self.rounding(amount), self.currency)

    def unit_price(self, sold: Sold) -> Money:
        """Of one piece, without tax: exact, unless the tax had to be taken out."""
        if not (sold.with_tax and sold.taxes):
            return Money(sold.price, self.currency)
        finer = Rounding(self.rounding.places + 2, self.rounding.mode)
        self.slack += self._half * sold.quantity / _HUNDRED
        return Money(finer(sold.net(sold.price, with_tax=True)), self.currency)

    def line_discounts(self, sold: Sold) -> tuple[LineDiscount, ...]:
        return tuple(
            LineDiscount(each.code, self.money(sold.net(each.amount, with_tax=each.with_tax)))
            for each in sold.discounts
        )

    def order_discounts(self, sold: Sold) -> tuple[OrderDiscount, ...]:
        """What is taken off the shipping is a discount on the whole order."""
        return tuple(
            OrderDiscount(each.code, self.money(sold.net(each.amount, with_tax=each.with_tax)))
            for each in sold.discounts
        )

    def taxes(self) -> tuple[Tax, ...]:
        """By code and rate, in a sequence that does not depend on the lines'."""
        return tuple(
            Tax(code, self.money(amount), _WIDE.divide(rate, _HUNDRED))
            for (code, rate), amount in sorted(self._taxes.items())
        )

    def total(self) -> Money:
        return self.money(self.exact)

    def adjustment(self, parts: Sequence[Money], whole: Money) -> tuple[Adjustment, ...]:
        """What the parts lack of the whole, by name. Raises ValueError for more than cents."""
        lacking = whole - total(parts, self.currency)
        if abs(lacking.amount) > self.slack:
            raise ValueError(f"its parts come to {whole - lacking}, the order to {whole}")
        return (Adjustment(ROUNDING, lacking),) if lacking.amount else ()

    @property
    def _half(self) -> Decimal:
        """The most that one rounding to the nearest can move."""
        return Decimal(5).scaleb(-self.rounding.places - 1)
