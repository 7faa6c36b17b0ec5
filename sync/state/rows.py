"""Ledger rows as entries, and the columns that follow from the others."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sync.domain import codec
from sync.domain.decision import Closing, Decision, Problem
from sync.domain.ids import ChannelId, ErpOrderNumber, IdempotencyKey, WebOrderId
from sync.domain.sales_order import ErpOrderState, OrderStatus, SalesOrder
from sync.domain.views import ImportNotice
from sync.ports.notices import notice_for
from sync.ports.state import LedgerEntry, LedgerState
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

NOT_DECIDED: Row = {"frozen": None, "decision": None, "customer_id": None}


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
        problems=codec.loads(tuple[Problem, ...], row["problems"]),
        differences=codec.loads(tuple[str, ...], row["differences"]),
        decision=document(Decision, row["decision"]),
        frozen=document(SalesOrder, row["frozen"]),
        erp_order=_maybe(ErpOrderNumber, row["erp_order"]),
        closing=_maybe(Closing, row["closing"]),
        closing_note=row["closing_note"],
        shown=document(ImportNotice, row["shown"]),
        status=document(OrderStatus, row["status"]),
        waiting_sentence=row["waiting_sentence"],
        message=row["message"],
        trail=codec.loads(tuple[str, ...], row["trail"]),
        imported_at=row["imported_at"],
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
            row |= versions.adopted(row) | NOTHING_WRONG | NOT_DECIDED
            row |= {"state": LedgerState.DISCOVERED.value, "due_at": now, "attempts": 0}
        elif row["lease_until"] is None and row["frozen"] is None:
            row |= versions.adopted(row)
            if row["state"] == LedgerState.WAITING.value:
                row["due_at"] = now
    seen = entry(row)
    wanted = notice_for(seen)
    if wanted is None or wanted == seen.shown:
        row["notice_due_at"] = None
    elif row["notice_due_at"] is None:
        row["notice_due_at"] = now
    moving = seen.status is None or seen.status.state not in FINAL
    row["status_open"] = seen.imported_at is not None and moving
    return row


def _maybe(kind: type[Any], value: str | None) -> Any:
    return None if value is None else kind(value)
