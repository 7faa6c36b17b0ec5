"""What is left for a rounding difference where both sides round on their own.

The store adds exact amounts, rounds the sum and names the difference. Tryton
rounds each line to cents, and then there is nothing to add. Booked as it was
named, the difference would often make a cent out of none.

The tax is Tryton's own, too: what adds to the order and what is taken off it are
taxed apart, and each is rounded. Seen on a live pair: the tax of a discounted order
was a cent off the shop's, and so was what the order came to.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import ROUND_HALF_EVEN, Decimal

from sync.domain.money import Money, Rounding
from sync.domain.sales_order import CodedAmount, SalesOrder

CENTS = Rounding(2, ROUND_HALF_EVEN)
HALF_A_CENT = Decimal("0.005")
ROUNDING = "rounding"
"""The name of a difference that the store did not name."""


def booked_adjustments(order: SalesOrder) -> Sequence[CodedAmount]:
    """The adjustments with which Tryton's lines come to the total that the buyer saw.

    A difference beyond what rounding can explain is none of them: it stays, for
    somebody to see.
    """
    currency = order.total.currency
    named = [(each.code, CENTS(each.amount.amount)) for each in order.adjustments]
    amounts = list(_line_amounts(order))
    taxes, slack = _booked_tax(order, amounts)
    booked = sum((CENTS(each) for each in amounts), Decimal(0))
    left = CENTS(order.total.amount - taxes - booked - sum(value for _, value in named))
    if abs(left) <= HALF_A_CENT * (len(amounts) + len(named)) + slack:
        first, value = named[0] if named else (ROUNDING, Decimal(0))
        named[:1] = [(first, value + left)]
    return [CodedAmount(code, Money(value, currency)) for code, value in named if value]


def _booked_tax(order: SalesOrder, amounts: Sequence[Decimal]) -> tuple[Decimal, Decimal]:
    """The tax that Tryton will put on these lines, and how far it may be off the store's.

    It can be told where one rate is on everything; otherwise the store's counts.
    """
    told = sum((each.amount.amount for each in order.taxes), Decimal(0))
    rates = [each.rate for each in order.taxes]
    if len(rates) != 1 or rates[0] is None:
        return told, Decimal(0)
    slack = HALF_A_CENT * (3 + rates[0] * len(amounts))
    added = sum((each for each in amounts if each >= 0), Decimal(0))
    taken_off = sum((each for each in amounts if each < 0), Decimal(0))
    own = CENTS(rates[0] * added) + CENTS(rates[0] * taken_off)
    return (own, slack) if abs(own - told) <= slack else (told, Decimal(0))


def _line_amounts(order: SalesOrder) -> Iterator[Decimal]:
    """What the lines of the sale come to, adjustments left out, before Tryton rounds."""
    for line in order.lines:
        yield line.quantity * line.unit_price.amount
        yield -line.discount.amount
    yield from (each.amount.amount for each in order.charges)
    yield from (-each.amount.amount for each in order.discounts)
