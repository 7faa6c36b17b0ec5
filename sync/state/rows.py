"""Ledger rows as entries, and the columns that follow from the others."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sync.domain import codec
from sync.domain.decision import Closing, Decision, Problem
from sync.domain.ids import ChannelId, CustomerId, ErpOrderNumber, IdempotencyKey, WebOrderId
from sync.domain.order import StoreOrder
from sync.domain.sales_order import ErpOrderState, OrderStatus, SalesOrder
from sync.domain.views import ImportNotice
from sync.ports.notices import notice_for
from sync.ports.state import LedgerEntry, LedgerState, PlacedOrder, ShownOrder
from sync.state import versions

Row = dict[str, Any]

AT_REST = frozenset(
    {
        LedgerState.IMPORTED.value,
        LedgerState.ACKNOWLEDGED.value,
        LedgerState.REVIEW.value,
        LedgerState.CLOSED.value,
    }
)
"""States in which nothing more happens by itself: a newer version is judged first."""

FINAL = frozenset({ErpOrderState.INVOICED, ErpOrderState.CANCELLED, ErpOrderState.REFUSED})
"""After these the ERP's status of an order is not asked for any more."""

NOTHING_WRONG: Row = {
    "waiting_for": None,
    "waiting_sentence": None,
    "message": None,
    "problems": "[]",
    "codes": "",
    "trail": "[]",
    "differences": "[]",
}

NOT_DECIDED: Row = {
    "frozen": None,
    "decision": None,
    "customer_id": None,
    "mapping_version": None,
    "cancel_due_at": None,
    "cancel_asked_at": None,
}


def discovered(order: StoreOrder, key: IdempotencyKey, now: datetime, modified_at: datetime) -> Row:
    """The row of an order that was never seen before, without whose it is."""
    row: Row = {
        "order_id": order.order_id.value,
        "key": key.value,
        "state": LedgerState.DISCOVERED.value,
        **versions.columns(order),
        "newer_payload": None,
        "newer_fingerprint": None,
        "modified_at": modified_at,
        "first_seen_at": now,
        "changed_at": now,
        "due_at": now,
        "lease_token": 0,
        "lease_until": None,
        "attempts": 0,
        **NOTHING_WRONG,
        **NOT_DECIDED,
        "imported_at": None,
        "erp_order": None,
        "closing": None,
        "closing_note": None,
        "shown": None,
        "status": None,
        "told_at": None,
        "notice_due_at": None,
        "change_due_at": None,
        "reduced_at": None,
    }
    return completed(None, row, now)


def entry(row: Row) -> LedgerEntry:
    return LedgerEntry(
        order_id=WebOrderId(row["order_id"]),
        number=row["number"],
        channel=_maybe(ChannelId, row["channel"]),
        state=LedgerState(row["state"]),
        key=IdempotencyKey(row["key"]),
        order=versions.read(row["payload"]),
        first_seen_at=row["first_seen_at"],
        changed_at=row["changed_at"],
        attempts=row["attempts"],
        next_check_at=row["due_at"],
        lease_until=row["lease_until"],
        waiting_for=row["waiting_for"],
        problems=_listed(tuple[Problem, ...], row["problems"]),
        differences=_listed(tuple[str, ...], row["differences"]),
        decision=document(Decision, row["decision"]),
        frozen=document(SalesOrder, row["frozen"]),
        erp_order=_maybe(ErpOrderNumber, row["erp_order"]),
        closing=_maybe(Closing, row["closing"]),
        closing_note=row["closing_note"],
        shown=document(ImportNotice, row["shown"]),
        status=document(OrderStatus, row["status"]),
        told_at=row["told_at"],
        waiting_sentence=row["waiting_sentence"],
        message=row["message"],
        trail=_listed(tuple[str, ...], row["trail"]),
        imported_at=row["imported_at"],
        cancel_due_at=row["cancel_due_at"],
        cancel_asked_at=row["cancel_asked_at"],
        reduced_at=row["reduced_at"],
        customer_id=_maybe(CustomerId, row["customer_id"]),
        mapping_version=row["mapping_version"],
        erased=versions.is_erased(row),
    )


PLACED_COLUMNS = ("order_id", "number", "key", "customer_id", "erp_order")
"""What ``placed_order`` reads."""


def placed_order(row: Row) -> PlacedOrder:
    return PlacedOrder(
        order_id=WebOrderId(row["order_id"]),
        number=row["number"],
        key=IdempotencyKey(row["key"]),
        customer_id=CustomerId(row["customer_id"]),
        erp_order=_maybe(ErpOrderNumber, row["erp_order"]),
    )


SHOWN_COLUMNS = (
    *("order_id", "number", "state", "key", "erp_order", "closing", "closing_note", "shown"),
    *("status", "told_at", "waiting_sentence", "problems", "imported_at", "fingerprint"),
)
"""What ``shown_order`` reads: all but the documents of the order itself."""


def shown_order(row: Row) -> ShownOrder:
    return ShownOrder(
        order_id=WebOrderId(row["order_id"]),
        number=row["number"],
        state=LedgerState(row["state"]),
        key=IdempotencyKey(row["key"]),
        erp_order=_maybe(ErpOrderNumber, row["erp_order"]),
        closing=_maybe(Closing, row["closing"]),
        closing_note=row["closing_note"],
        shown=document(ImportNotice, row["shown"]),
        status=document(OrderStatus, row["status"]),
        told_at=row["told_at"],
        waiting_sentence=row["waiting_sentence"],
        problems=_listed(tuple[Problem, ...], row["problems"]),
        imported_at=row["imported_at"],
        erased=versions.is_erased(row),
    )


def document(kind: type[Any], text: str | None) -> Any:
    return None if text is None else codec.loads(kind, text)


def codes(found: tuple[str, ...]) -> str:
    return "".join(f"|{code}" for code in found) + "|" if found else ""


def completed(before: Row | None, row: Row, now: datetime) -> Row:
    """The row with everything that follows from what a step has just set.

    A newer version that was kept beside while the order was in a worker's hands
    is taken over as soon as it is not, or is left to be judged where the order
    came to rest meanwhile.
    """
    row = dict(row)
    if row["newer_payload"] is not None:
        if row["state"] in AT_REST:
            if before is not None and before["state"] not in AT_REST:
                row["change_due_at"] = now
        elif row["state"] == LedgerState.QUARANTINED.value:
            again: Row = {"state": LedgerState.DISCOVERED.value, "due_at": now, "attempts": 0}
            if versions.is_erased(row):
                # It can be dismissed, and is never imported again.
                row |= versions.adopted(row)
            else:
                row |= versions.adopted(row) | NOTHING_WRONG | NOT_DECIDED | again
        elif row["lease_until"] is None and row["frozen"] is None:
            row |= versions.adopted(row)
            if row["state"] == LedgerState.WAITING.value:
                row["due_at"] = now
    seen = shown_order(row)
    if before is not None and (row["shown"], row["status"]) != (before["shown"], before["status"]):
        row["told_at"] = now
    wanted = notice_for(seen)
    if wanted is None or wanted == seen.shown:
        row["notice_due_at"] = None
    elif row["notice_due_at"] is None:
        row["notice_due_at"] = now
    moving = seen.status is None or seen.status.state not in FINAL
    row["status_open"] = seen.imported_at is not None and moving
    return row


def _listed(kind: Any, text: str) -> Any:
    # Most lists of most entries are empty, and all are read whenever an entry is.
    return () if text == "[]" else codec.loads(kind, text)


def _maybe(kind: type[Any], value: str | None) -> Any:
    return None if value is None else kind(value)
