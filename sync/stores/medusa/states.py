"""Medusa's words for how far an order and its payments are, in ours.

An order of Medusa has three: its own status, and two that Medusa derives from
payments and fulfilments. The order is there before its payment is authorised,
for a second or for good: until then it is ``created``, and waits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sync.domain.money import Money
from sync.domain.order import OrderState, Payment, PaymentState
from sync.stores.medusa.amounts import Till
from sync.stores.medusa.spelling import read_raw

Json = Mapping[str, Any]

NOTHING_TO_PAY = "zero_total"
CREDIT = "credit_line"

_BEFORE_PAYMENT = {
    "not_paid": OrderState.CREATED,
    "awaiting": OrderState.CREATED,
    "partially_authorized": OrderState.AWAITING_PAYMENT,
    "canceled": OrderState.AWAITING_PAYMENT,
    "requires_action": OrderState.AWAITING_PAYMENT,
    "refunded": OrderState.REFUNDED,
}
_PAID = frozenset({"authorized", "captured", "partially_captured", "partially_refunded"})
_FULFILMENT = {
    "not_fulfilled": OrderState.AWAITING_FULFILMENT,
    "canceled": OrderState.AWAITING_FULFILMENT,
    "partially_fulfilled": OrderState.PARTLY_FULFILLED,
    "partially_shipped": OrderState.PARTLY_FULFILLED,
    "partially_delivered": OrderState.PARTLY_FULFILLED,
    "fulfilled": OrderState.FULFILLED,
    "shipped": OrderState.FULFILLED,
    "delivered": OrderState.FULFILLED,
}
_STATUS = {
    "canceled": OrderState.CANCELLED,
    "draft": OrderState.CREATED,
    "requires_action": OrderState.HELD,
}
_GOES_ON = frozenset({"pending", "completed", "archived"})


def state_of(order: Json, *, nothing_to_pay: bool) -> OrderState:
    """Raises ValueError for a word that is not known."""
    status, paid, sent = (
        order.get(name) for name in ("status", "payment_status", "fulfillment_status")
    )
    if status in _STATUS:
        return _STATUS[str(status)]
    if order.get("is_draft_order") is True:
        return OrderState.CREATED
    if status not in _GOES_ON:
        raise ValueError(f"status: {status!r} is not known")
    if paid in _BEFORE_PAYMENT and not (nothing_to_pay and paid == "not_paid"):
        return _BEFORE_PAYMENT[str(paid)]
    if paid not in _PAID and not nothing_to_pay:
        raise ValueError(f"payment_status: {paid!r} is not known")
    if sent not in _FULFILMENT:
        raise ValueError(f"fulfillment_status: {sent!r} is not known")
    return _FULFILMENT[str(sent)]


@dataclass(frozen=True, slots=True)
class _Paid:
    method: str | None
    state: PaymentState
    amount: Decimal
    reference: str | None = None


def payments_of(order: Json, till: Till, total: Money) -> tuple[Payment, ...]:
    """Every means of payment, oldest first. Raises ValueError.

    A refund of a part is told as two payments, so that it is seen; a credit is
    tender like a gift card. Those that stand and come to the exact total come to
    the rounded one, too: the last of them takes what rounding left.
    """
    found = [each for one in _by_age(order, "payment_collections") for each in _collected(one)]
    found += [
        _Paid(CREDIT, PaymentState.CAPTURED, read_raw(each["raw_amount"]), each.get("id"))
        for each in order.get("credit_lines") or ()
        if each.get("reference") != _BOOK_KEEPING
    ]
    if not found and till.exact == 0:
        return (Payment(NOTHING_TO_PAY, PaymentState.CAPTURED, Money(Decimal(0), till.currency)),)
    standing = [each for each in found if each.state not in _FELL]
    settles = _close(sum((each.amount for each in standing), Decimal(0)), till.exact)
    rest = total.amount
    told = []
    for each in found:
        amount = till.rounding(each.amount)
        if settles and each in standing:
            amount = rest if each is standing[-1] else amount
            rest -= amount
        told.append(Payment(each.method, each.state, Money(amount, till.currency), each.reference))
    return tuple(told)


# With a refund or a cancellation Medusa credits the order what it no longer owes.
_BOOK_KEEPING = "payment_collection"
_FELL = frozenset({PaymentState.DECLINED, PaymentState.EXPIRED, PaymentState.REFUNDED})


def _collected(collection: Json) -> list[_Paid]:
    payments = _by_age(collection, "payments")
    if payments:
        return [each for payment in payments for each in _payment(payment)]
    sessions = _by_age(collection, "payment_sessions")
    amount = read_raw(collection.get("raw_amount"))
    if collection.get("status") == "canceled":
        return []
    if sessions:
        last = sessions[-1]
        failed = last.get("status") in ("error", "canceled")
        state = PaymentState.DECLINED if failed else PaymentState.PENDING
        return [_Paid(last.get("provider_id"), state, amount)]
    if amount == 0:
        return [_Paid(NOTHING_TO_PAY, PaymentState.CAPTURED, amount)]
    return [_Paid(None, PaymentState.NONE, amount)]


def _payment(payment: Json) -> list[_Paid]:
    method, reference = payment.get("provider_id"), payment.get("id")
    amount = read_raw(payment.get("raw_amount"))
    refunds = (read_raw(each.get("raw_amount")) for each in payment.get("refunds") or ())
    refunded = sum(refunds, Decimal(0))
    if payment.get("canceled_at") is not None:
        # Given up before it was captured: it pays for nothing any more.
        return [_Paid(method, PaymentState.DECLINED, amount, reference)]
    captured = payment.get("captured_at") is not None
    state = PaymentState.CAPTURED if captured else PaymentState.AUTHORISED
    if refunded == 0:
        return [_Paid(method, state, amount, reference)]
    if refunded >= amount:
        return [_Paid(method, PaymentState.REFUNDED, amount, reference)]
    return [
        _Paid(method, state, amount - refunded, reference),
        _Paid(method, PaymentState.REFUNDED, refunded, reference),
    ]


def _by_age(part: Json, name: str) -> Sequence[Json]:
    return sorted(part.get(name) or (), key=lambda each: (each.get("created_at") or "", each["id"]))


def _close(one: Decimal, other: Decimal) -> bool:
    """Equal but for what a division in the store may have cut."""
    return abs(one - other) < Decimal("0.000001")
