"""What the order's payments amount to: kinds, failed attempts, ended authorisations."""

from __future__ import annotations

from datetime import datetime

from sync.domain.mapping import CodeTables, PaymentKind
from sync.domain.money import Money, total
from sync.domain.order import Payment, PaymentState, WebOrder

SETTLED = frozenset({PaymentState.AUTHORISED, PaymentState.CAPTURED})
_FAILED = frozenset({PaymentState.DECLINED, PaymentState.EXPIRED, PaymentState.REFUNDED})


def kind_of(payment: Payment, codes: CodeTables) -> PaymentKind | None:
    """How the payment counts; None where it states no method or one in no table."""
    method = codes.payment_methods.get(payment.method) if payment.method else None
    return method.kind if method else None


def wants_terms(order: WebOrder, codes: CodeTables) -> bool:
    """Whether any part of the order is to be paid on account terms, by the code table."""
    return any(kind_of(payment, codes) is PaymentKind.TERMS for payment in order.payments)


def amount_of(payment: Payment, order: WebOrder) -> Money:
    """A payment without an amount is for the whole order."""
    return payment.amount if payment.amount is not None else order.total


def paid(payments: tuple[Payment, ...], order: WebOrder) -> Money:
    return total((amount_of(payment, order) for payment in payments), order.currency)


def standing(order: WebOrder, codes: CodeTables) -> tuple[Payment, ...]:
    """The payments that count: without failed attempts, once the others cover the order.

    A card that was declined before another one went through says nothing any
    more. While the others fall short (a gift card for a part, say), the failed
    one is what the order still waits for.
    """
    rest = tuple(payment for payment in order.payments if payment.state not in _FAILED)
    good = tuple(
        payment
        for payment in rest
        if payment.state in SETTLED or kind_of(payment, codes) is PaymentKind.TERMS
    )
    covered = bool(good) and paid(good, order).amount >= order.total.amount
    return rest if covered else order.payments


def ended(payment: Payment, now: datetime) -> bool:
    """Whether an authorisation is over although the store still shows it."""
    return (
        payment.state is PaymentState.AUTHORISED
        and payment.expires_at is not None
        and payment.expires_at <= now
    )
