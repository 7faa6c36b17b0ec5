"""What is different between two versions of a web order, in sentences for people (OI-4)."""

from __future__ import annotations

from dataclasses import replace

from sync.domain.codec import encode
from sync.domain.money import plain, total
from sync.domain.order import (
    Approval,
    OrderLine,
    OrderState,
    PaymentState,
    StoreOrder,
    UnreadableOrder,
    WebOrder,
)
from sync.domain.sales_order import ErpOrderState, OrderStatus

STOPPED = frozenset({OrderState.CANCELLED, OrderState.REFUNDED})
_ALL_LEFT = frozenset({ErpOrderState.SHIPPED, ErpOrderState.INVOICED})
_FAILED = frozenset({PaymentState.DECLINED, PaymentState.EXPIRED, PaymentState.REFUNDED})
_PARTS = (
    "charges",
    "discounts",
    "taxes",
    "adjustments",
    "total",
    "currency",
    "ship_to",
    "bill_to",
    "buyer",
    "po_number",
    "notes",
    "requested_date",
    "ship_complete",
    "ship_via",
    "collect_account",
)


def late_changes(before: StoreOrder, after: StoreOrder) -> tuple[str, ...]:
    """What a person must hear of, for an order that the ERP already has.

    Progress in the store (captured, fulfilled) is no change. A cancellation, a
    refund, and every edit of what was ordered or how it is paid is.
    """
    if isinstance(after, UnreadableOrder):
        return tuple(f"The order can no longer be read: {each}." for each in after.problems)
    found = []
    was_stopped = isinstance(before, WebOrder) and before.state in STOPPED
    if after.state in STOPPED and not was_stopped:
        found.append(f"The order was {after.state.value} in the store after its import.")
    if was_stopped and after.state not in STOPPED:
        found.append("The order was cancelled or refunded, and is open again in the store.")
    if isinstance(before, UnreadableOrder):
        return tuple(found)
    if after.approval is Approval.REFUSED and before.approval is not Approval.REFUSED:
        found.append("The organisation refused its approval after the import.")
    if _refunded(after) and not _refunded(before):
        found.append("A payment was refunded in the store after the import.")
    elif _means(before) != _means(after):
        found.append("The payments were changed.")
    if before.lines != after.lines:
        found.append(_lines_sentence(before.lines, after.lines))
    for name in _PARTS:
        old, new = getattr(before, name), getattr(after, name)
        if old != new:
            found.append(_sentence(name, old, new))
    found.extend(_taken_back(before, after))
    return tuple(found)


def _taken_back(before: WebOrder, after: WebOrder) -> list[str]:
    """A new refund is seen to by itself; one that was told otherwise before is not."""
    now = {refund.refund_id: refund for refund in after.refunds}
    found = []
    for refund in before.refunds:
        told = now.get(refund.refund_id)
        if told is None:
            found.append(f"Refund {refund.refund_id} of {refund.amount} is no longer shown.")
        elif told.amount != refund.amount:
            found.append(
                f"Refund {refund.refund_id} was changed from {refund.amount} to {told.amount}."
            )
    return found


def apart_from_refunds(
    before: StoreOrder, after: StoreOrder, status: OrderStatus | None
) -> StoreOrder:
    """``after`` as it would be without what its refunds did to its state and payments.

    Only where each of them becomes a credit in the ERP by itself. An order that is
    refunded as a whole before its goods have left would still be shipped: that stays.
    """
    if isinstance(before, UnreadableOrder) or isinstance(after, UnreadableOrder):
        return after
    if not after.refunds:
        return after
    back = total((each.amount for each in after.refunds), after.currency)
    whole = after.state is OrderState.REFUNDED and back.amount >= after.total.amount
    gone = status is not None and status.state in _ALL_LEFT
    if after.state is OrderState.REFUNDED and not (whole and gone):
        return after
    held = {(each.method, each.reference): each.state for each in before.payments}
    payments = tuple(
        replace(each, state=held.get((each.method, each.reference), PaymentState.CAPTURED))
        if each.state is PaymentState.REFUNDED
        else each
        for each in after.payments
    )
    return replace(after, state=before.state if whole else after.state, payments=payments)


def same_order(before: StoreOrder, after: StoreOrder) -> bool:
    """Whether a decision made on ``before`` still holds for ``after``."""
    touched = before.modified_at != after.modified_at
    if touched and isinstance(before, WebOrder) and isinstance(after, WebOrder):
        return replace(before, modified_at=after.modified_at) == after
    return before == after


def _refunded(order: WebOrder) -> bool:
    return any(payment.state is PaymentState.REFUNDED for payment in order.payments)


def _means(order: WebOrder) -> list[tuple[str, str]]:
    """What the order is paid with; attempts that failed count for nothing.

    Each with its part of the order, which is empty for the whole of it.
    """
    found = []
    for payment in order.payments:
        if payment.state not in _FAILED:
            part = None if payment.amount == order.total else payment.amount
            found.append((payment.method or "", plain(part.amount) if part else ""))
    return sorted(found)


def _sentence(name: str, old: object, new: object) -> str:
    word = name.replace("_", " ")
    if name in ("ship_to", "bill_to", "buyer", "notes"):
        return f"The {word} was changed."
    return f"The {word} was changed from {_short(old)} to {_short(new)}."


def _lines_sentence(old: tuple[OrderLine, ...], new: tuple[OrderLine, ...]) -> str:
    before = {line.line_id: line for line in old}
    after = {line.line_id: line for line in new}
    parts = []
    for line_id in sorted(before.keys() | after.keys()):
        was, now = before.get(line_id), after.get(line_id)
        if was is None and now is not None:
            parts.append(f"line {line_id} added: {now.quantity:f} x {now.sku}")
        elif was is not None and now is None:
            parts.append(f"line {line_id} removed: {was.quantity:f} x {was.sku}")
        elif was is not None and now is not None and was != now:
            parts.append(
                f"line {line_id} changed: {was.quantity:f} x {was.sku} at {was.unit_price} "
                f"to {now.quantity:f} x {now.sku} at {now.unit_price}"
            )
    return "Lines: " + ("; ".join(parts) or "their order was changed") + "."


def _short(value: object) -> str:
    if value is None or value == ():
        return "none"
    return str(value) if not isinstance(value, tuple) else str(encode(value))
