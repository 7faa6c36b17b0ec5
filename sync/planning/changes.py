"""What is different between two versions of a web order, in sentences for people (OI-4)."""

from __future__ import annotations

from dataclasses import replace

from sync.domain.codec import encode
from sync.domain.money import plain
from sync.domain.order import (
    Approval,
    OrderLine,
    OrderState,
    PaymentState,
    StoreOrder,
    UnreadableOrder,
    WebOrder,
)

STOPPED = frozenset({OrderState.CANCELLED, OrderState.REFUNDED})
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
    return tuple(found)


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
