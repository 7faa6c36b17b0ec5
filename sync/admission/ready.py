"""Is it time to judge the order at all? Closing and waiting come before forbidding."""

from __future__ import annotations

from sync.domain.channel import Channel
from sync.domain.decision import Closed, Closing, Waits
from sync.domain.mapping import CodeTables, PaymentKind
from sync.domain.order import Approval, OrderState, Payment, PaymentState, WebOrder
from sync.domain.problem_codes import CLOSING_RULES, WAITING_CODES

_UNPAID_YET = frozenset({PaymentState.NONE, PaymentState.DECLINED, PaymentState.EXPIRED})
_BEFORE_PAYMENT = frozenset({OrderState.CREATED, OrderState.AWAITING_PAYMENT})


def wants_terms(order: WebOrder, codes: CodeTables) -> bool:
    """Whether the order asks to be paid on account terms, by the code table."""
    kinds = {_kind(payment, codes) for payment in order.payments}
    return kinds == {PaymentKind.TERMS}


def not_ready(order: WebOrder, channel: Channel, codes: CodeTables) -> Closed | Waits | None:
    """Why the order is closed or waits; None when it can be judged now."""
    if order.state is OrderState.CANCELLED:
        return _closed(Closing.CANCELLED, "The order was cancelled before it was imported.")
    if order.state is OrderState.REFUNDED:
        return _closed(Closing.REFUNDED, "The order was refunded before it was imported.")
    if order.approval is Approval.REFUSED:
        return _closed(Closing.APPROVAL_REFUSED, "The organisation refused its approval.")

    if order.approval is Approval.PENDING or order.state is OrderState.PENDING_APPROVAL:
        return _waits("approval_pending", "Somebody of the organisation must approve the order.")
    if _any_card(order, codes, PaymentState.PENDING):
        return _waits("payment_pending", "The payment is not authorised yet.")
    unpaid = [
        payment
        for payment in order.payments
        if payment.state in _UNPAID_YET and _kind(payment, codes) is PaymentKind.CARD
    ]
    if unpaid and order.state in _BEFORE_PAYMENT and not _card_settled(order, codes):
        return _waits("payment_pending", f"The payment is {unpaid[0].state.value}.")
    if order.state is OrderState.AWAITING_PAYMENT and order.state not in channel.importable:
        if channel.import_unpaid_terms and wants_terms(order, codes):
            return None
        return _waits("order_not_ready", "The store still awaits the payment.")
    if order.state not in channel.importable:
        return _waits("order_not_ready", f"The order is {order.state.value} in the store.")
    return None


def _any_card(order: WebOrder, codes: CodeTables, state: PaymentState) -> bool:
    return any(
        payment.state is state and _kind(payment, codes) is PaymentKind.CARD
        for payment in order.payments
    )


def _card_settled(order: WebOrder, codes: CodeTables) -> bool:
    return _any_card(order, codes, PaymentState.AUTHORISED) or _any_card(
        order, codes, PaymentState.CAPTURED
    )


def _kind(payment: Payment, codes: CodeTables) -> PaymentKind | None:
    method = codes.payment_methods.get(payment.method) if payment.method else None
    return method.kind if method else None


def _closed(why: Closing, sentence: str) -> Closed:
    return Closed(why, sentence, CLOSING_RULES[why])


def _waits(code: str, sentence: str) -> Waits:
    return Waits(code, sentence, WAITING_CODES[code])
