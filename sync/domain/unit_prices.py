"""The price of an item in a unit that the ERP may have no price for (OI-8, VE-12).

An ERP may price in stock units only. The quantity counts in those too then: twelve pieces
in a box reach the step for ten. One rule for ``explain price`` and for what an order is
held against.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from decimal import Decimal

from sync.domain.account import Item
from sync.domain.money import Money
from sync.domain.pricing import EffectivePrice, Price, PriceQuestion, effective_price


@dataclass(frozen=True, slots=True)
class UnitPrice:
    """Which entry decides, None for none, and the question that it answers.

    ``factor``: so many of the question's unit, the stock unit, are in one of the unit that
    was asked for; None: it was answered as it was asked.
    """

    decided: EffectivePrice | None
    question: PriceQuestion
    factor: Decimal | None = None

    @property
    def amount(self) -> Money | None:
        """Of one unit that was asked for, exact; None where there is no price to show."""
        if self.decided is None or self.decided.price.value.unit_price is None:
            return None
        price = Money(self.decided.price.value.unit_price, self.question.currency)
        return price if self.factor is None else price.times(self.factor)


def unit_price(entries: Collection[Price], question: PriceQuestion, item: Item | None) -> UnitPrice:
    """The price in the unit of the question; where there is none, by the item's stock unit."""
    return unit_price_by(lambda each: effective_price(entries, each), question, item)


def unit_price_by(
    decide: Callable[[PriceQuestion], EffectivePrice | None],
    question: PriceQuestion,
    item: Item | None,
) -> UnitPrice:
    """The same, of whoever decides the questions; none but those of ``ways`` are asked."""
    decided = decide(question)
    other = None if decided is not None else in_stock(question, item)
    if other is None:
        return UnitPrice(decided, question)
    return UnitPrice(decide(other[0]), *other)


def ways(question: PriceQuestion, item: Item | None) -> tuple[PriceQuestion, ...]:
    """What may have to be asked for the price: the question, and the one in stock units."""
    other = in_stock(question, item)
    return (question,) if other is None else (question, other[0])


def in_stock(question: PriceQuestion, item: Item | None) -> tuple[PriceQuestion, Decimal] | None:
    """The question in the item's stock unit, and how many of those are in one that was asked for.

    None where it is in that unit already, or where nobody knows how many there are.
    """
    factor = item.factor(question.unit) if item is not None else None
    if item is None or factor is None or question.unit == item.stock_unit:
        return None
    quantity = Money(question.quantity, question.currency).times(factor).amount
    return replace(question, unit=item.stock_unit, quantity=quantity), factor
