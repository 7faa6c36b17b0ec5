"""How much is to be captured for what has left the warehouse (OI-10). Pure.

Nothing here reaches beyond what was authorised, and nothing beyond what is owed for
the goods that have left. What is in doubt is left for the next shipment: too little
can be made good, too much is somebody's money.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from itertools import accumulate

from sync.domain.money import Money, Rounding, plain, total
from sync.domain.order import Payment, PaymentState, WebOrder
from sync.domain.sales_order import ErpOrderState, OrderStatus, PayBy, SalesOrder, SalesOrderLine
from sync.domain.settlement import Capture, CaptureState

ALL_LEFT = frozenset({ErpOrderState.SHIPPED, ErpOrderState.INVOICED})
SHIPPING = ALL_LEFT | {ErpOrderState.PARTLY_SHIPPED}
# Of these a part may be captured already.
_MAY_HOLD = (PaymentState.AUTHORISED, PaymentState.EXPIRED, PaymentState.REFUNDED)
_LAPSED = frozenset({PaymentState.EXPIRED, PaymentState.DECLINED})


@dataclass(frozen=True, slots=True)
class ToCapture:
    """``amount`` more, so that ``up_to`` is captured of the order in all."""

    amount: Money
    up_to: Money


@dataclass(frozen=True, slots=True)
class CannotCapture:
    """What has left is not paid for, and the store cannot be asked for it any more."""

    sentence: str


def owed_for(instruction: SalesOrder, status: OrderStatus) -> Money | None:
    """What the buyer owes for the goods that have left; None where nobody can tell yet.

    A part of the goods owes the same part of charges, discounts and tax, rounded down.
    """
    if status.state not in SHIPPING:
        return None
    whole = instruction.total
    shipped = {line.line: line.shipped for line in status.lines}
    if status.state in ALL_LEFT and not any(shipped.values()):
        return whole  # this ERP tells no progress of lines, only that all has left
    if not shipped:
        return None
    lines = instruction.lines
    left = {line.number: _left(line, shipped) for line in lines}
    if all(part == 1 for part in left.values()):
        return whole
    goods = sum((line.net.amount for line in lines), Decimal(0))
    value = sum((line.net.amount * left[line.number] for line in lines), Decimal(0))
    if goods <= 0 or value <= 0:
        return Money(Decimal(0), whole.currency)
    places = max(0, -int(whole.amount.as_tuple().exponent))
    # An amount that is kept with four places is still paid with two.
    places = min(places, max(2, len(plain(whole.amount).partition(".")[2])))
    return Money(whole.amount * value / goods, whole.currency).rounded(Rounding(places, ROUND_DOWN))


def cannot_tell(instruction: SalesOrder, status: OrderStatus) -> CannotCapture | None:
    """All has left, and nothing of it under a line of the instruction.

    Some ERPs number lines their own way; and what left may be something else.
    """
    shipped = {line.line for line in status.lines if line.shipped > 0}
    ours = {line.number for line in instruction.lines}
    if status.state not in ALL_LEFT or not shipped or shipped & ours:
        return None
    told = ", ".join(map(str, sorted(shipped)))
    return CannotCapture(
        f"All has left, and the ERP tells it of lines that the order has not ({told}): what is to "
        "be captured for it cannot be told. Capture it in the store, and have the ERP tell the "
        "order's own line numbers."
    )


def _left(line: SalesOrderLine, shipped: Mapping[int, Decimal]) -> Decimal:
    """Which part of the line has left, from 0 to 1."""
    part = min(shipped.get(line.number, Decimal(0)), line.stock_quantity)
    return max(part, Decimal(0)) / line.stock_quantity


def to_capture(
    instruction: SalesOrder,
    order: WebOrder,
    owed: Money,
    held: Iterable[Capture],
    now: datetime,
) -> ToCapture | CannotCapture | None:
    """What to ask the store for next, of an order as it shows it now; None: nothing.

    ``held`` are the captures that it was asked for before.
    """
    currency = owed.currency
    cards = [each for each in instruction.payments if each.by is PayBy.CARD]
    before = total((each.amount for each in cards if each.captured), currency)
    asked = [each.amount for each in held if each.state is not CaptureState.REFUSED]
    whole = order.total
    live = [each for each in order.payments if _live(each, now)]
    authorised = total((each.amount or whole for each in live), currency)
    captured = _over(order, PaymentState.CAPTURED)
    others = _over(order, *_MAY_HOLD)
    least = _greater(captured, before + total(asked, currency))
    since = _greater(captured - before, Money(Decimal(0), currency))
    paid = _greater(captured, before) + total(asked, currency) - _within(asked, since, others)
    most = _smaller(authorised + captured, total((each.amount for each in cards), currency))
    # What was taken out of the order since is not charged any more.
    owed = _smaller(owed, whole)
    missing = owed - paid
    if missing.amount > 0:
        amount = _smaller(missing, most - paid)
        if amount.amount > 0:
            return ToCapture(amount, paid + amount)
        return _lapsed(order, missing, now)
    if (owed - least).amount > 0 and total(asked, currency).amount > since.amount:
        return _in_doubt(owed - least)
    return None


def _within(asked: Sequence[Money], since: Money, others: Money) -> Money:
    """How much of what was asked for is part of the payments that are captured in whole.

    ``since`` is how much was captured in whole after the import, by us or by a
    person; ``others`` what the other payments are over. Where the first of ours make
    up just that, they are in it. Else only what the others cannot hold surely is.
    """
    nothing = Money(Decimal(0), since.currency)
    if since in accumulate(asked):
        return since
    return _smaller(since, _greater(total(asked, since.currency) - others, nothing))


def _in_doubt(missing: Money) -> CannotCapture:
    return CannotCapture(
        f"Whether {missing} of what has been shipped is captured cannot be told: payments of the "
        "order were captured in whole, by a person or with what was asked for. See in the store "
        "what is captured, and capture there what is missing."
    )


def _over(order: WebOrder, *states: PaymentState) -> Money:
    """What the payments that are in one of these states are over in all."""
    amounts = (each.amount or order.total for each in order.payments if each.state in states)
    return total(amounts, order.total.currency)


def _greater(one: Money, other: Money) -> Money:
    return max(one, other, key=lambda money: money.amount)


def _smaller(one: Money, other: Money) -> Money:
    return min(one, other, key=lambda money: money.amount)


def _live(payment: Payment, now: datetime) -> bool:
    ended = payment.expires_at is not None and payment.expires_at <= now
    return payment.state is PaymentState.AUTHORISED and not ended


def _lapsed(order: WebOrder, missing: Money, now: datetime) -> CannotCapture | None:
    for payment in order.payments:
        how = None
        if payment.state in _LAPSED:
            how = f"is {payment.state.value}"
        elif payment.state is PaymentState.AUTHORISED and not _live(payment, now):
            how = f"ended at {payment.expires_at:%Y-%m-%d %H:%M} UTC"
        if how is not None:
            return CannotCapture(
                f"{missing} of what has been shipped cannot be captured: the authorisation {how}. "
                "Collect it from the buyer in another way."
            )
    return None
