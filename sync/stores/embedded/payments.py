"""Captures that the shop is asked for: rows that the daemon adds and the shop answers.

A row is added only where so much is still authorised on the order, in the same
transaction that looks. What the shop refused counts for nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from sync.domain.ids import IdempotencyKey, WebOrderId
from sync.domain.money import Money, total
from sync.domain.order import PaymentState, WebOrder
from sync.domain.settlement import Capture, CaptureState
from sync.errors import Rejected
from sync.stores.embedded import load, queries, schema
from sync.stores.embedded.spelling import decimal_text, moment_text, read_decimal

Row = Mapping[str, Any]


def captures(
    connection: Connection, order_ids: Collection[WebOrderId]
) -> dict[WebOrderId, tuple[Capture, ...]]:
    """By order, oldest first."""
    found: dict[WebOrderId, list[tuple[str, Capture]]] = {}
    keys = load.texts(order_ids)
    for row in queries.by_keys(connection, schema.order_captures, "order_id", keys):
        of_order = found.setdefault(WebOrderId(row["order_id"]), [])
        of_order.append((row["asked_at"], _capture(row)))
    return {
        order_id: tuple(each for _, each in sorted(held, key=lambda pair: pair[0]))
        for order_id, held in found.items()
    }


def ask(
    connection: Connection, order_id: WebOrderId, amount: Money, key: IdempotencyKey, now: datetime
) -> Capture:
    """Add the row, or tell the one that is there. Raises Rejected."""
    held = captures(connection, [order_id]).get(order_id, ())
    for each in held:
        if each.key == key:
            return each
    [order] = load.orders(connection, queries.order_rows(connection, [order_id.value])) or [None]
    if not isinstance(order, WebOrder):
        raise Rejected(
            f"the store has no order {order_id} that can be read",
            code="store_unknown_order",
            remedy="look in the store whether the order was removed",
        )
    taken = (each.amount for each in held if each.state is not CaptureState.REFUSED)
    left = _authorised(order, now) - total(taken, order.currency)
    if amount.currency != order.currency or amount.amount > left.amount:
        raise Rejected(
            f"{amount} is more than what is still authorised on the order, {left}",
            code="store_refused_capture",
            remedy="collect it from the buyer in another way",
        )
    row = {
        "order_id": order_id.value,
        "capture_key": key.value,
        "amount": decimal_text(amount.amount),
        "currency": amount.currency,
        "state": CaptureState.REQUESTED.value,
        "message": None,
        "asked_at": moment_text(now),
    }
    queries.insert_rows(connection, schema.order_captures, [row])
    return _capture(row)


def _authorised(order: WebOrder, now: datetime) -> Money:
    live = (
        each.amount or order.total
        for each in order.payments
        if each.state is PaymentState.AUTHORISED
        and (each.expires_at is None or each.expires_at > now)
    )
    return total(live, order.currency)


def _capture(row: Row) -> Capture:
    return Capture(
        key=IdempotencyKey(row["capture_key"]),
        amount=Money(read_decimal(row["amount"]), row["currency"]),
        state=CaptureState(row["state"]),
        message=row["message"],
    )
