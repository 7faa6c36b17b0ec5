"""Is it time to judge the order at all? Closing and waiting come before forbidding.

Only a payment that the code table calls a card can be waited for. One in no
table, or a refused one, might stay pending for ever without anybody looking, so
it is left to quarantine, which names it and the way out.
"""

from __future__ import annotations

from datetime import datetime

from sync.admission.tender import ended, kind_of, standing, wants_terms
from sync.domain.channel import Channel
from sync.domain.decision import Closed, Closing, Waits
from sync.domain.mapping import CodeTables, PaymentKind
from sync.domain.order import Approval, OrderState, Payment, PaymentState, WebOrder
from sync.domain.problem_codes import CLOSING_RULES, WAITING_CODES

_UNPAID_YET = frozenset({PaymentState.NONE, PaymentState.DECLINED, PaymentState.EXPIRED})
_BEFORE_PAYMENT = frozenset({OrderState.CREATED, OrderState.AWAITING_PAYMENT})


def not_ready(
    order: WebOrder, channel: Channel, codes: CodeTables, now: datetime | None = None
) -> Closed | Waits | None:
    """Why the order is closed or waits; None when it can be judged now.

    ``now`` lets an authorisation be over by the clock; without it only the
    store's own word counts.
    """
    if order.state is OrderState.CANCELLED:
        return _closed(Closing.CANCELLED, "The order was cancelled before it was imported.")
    if order.state is OrderState.REFUNDED:
        return _closed(Closing.REFUNDED, "The order was refunded before it was imported.")
    if order.approval is Approval.REFUSED:
        return _closed(Closing.APPROVAL_REFUSED, "The organisation refused its approval.")

    if order.approval is Approval.PENDING or order.state is OrderState.PENDING_APPROVAL:
        return _waits("approval_pending", "Somebody of the organisation must approve the order.")
    cards = [
        payment for payment in standing(order, codes) if kind_of(payment, codes) is PaymentKind.CARD
    ]
    if any(payment.state is PaymentState.PENDING for payment in cards):
        return _waits("payment_pending", "The payment is not authorised yet.")
    if order.state in _BEFORE_PAYMENT and _unpaid(order, cards, now):
        return _waits("payment_pending", "The store still awaits the payment.")
    if order.state is OrderState.AWAITING_PAYMENT and order.state not in channel.importable:
        if channel.import_unpaid_terms and wants_terms(order, codes):
            return None
        return _waits("order_not_ready", "The store still awaits the payment.")
    if order.state not in channel.importable:
        has = order.state.value.replace("_", " ")
        return _waits("order_not_ready", f"The order is {has} in the store.")
    return None


def _unpaid(order: WebOrder, cards: list[Payment], now: datetime | None) -> bool:
    """Whether the buyer may still pay: nothing is chosen yet, or a card did not go through."""
    if not order.payments or any(not payment.method for payment in order.payments):
        return True
    return any(
        payment.state in _UNPAID_YET or (now is not None and ended(payment, now))
        for payment in cards
    )


def _closed(why: Closing, sentence: str) -> Closed:
    return Closed(why, sentence, CLOSING_RULES[why])


def _waits(code: str, sentence: str) -> Waits:
    return Waits(code, sentence, WAITING_CODES[code])
