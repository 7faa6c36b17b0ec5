"""Takes what names people out of ledger entries that are done, some at a time.

Done is what is acknowledged or closed, of which nothing is left to show, judge,
cancel or hear from the ERP. The fingerprint stays that of the whole order, so
that one which the store shows again is recognised.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, false, or_, select, update

from sync.domain import codec
from sync.domain.erasure import instruction_without_person, without_person
from sync.domain.sales_order import SalesOrder
from sync.ports.state import LedgerState
from sync.state import rows, versions
from sync.state.rows import Row
from sync.state.schema import ledger


def done_before(before: datetime) -> ColumnElement[bool]:
    """Entries that are done, unchanged since, and still hold what names people."""
    nothing_left = [
        column.is_(None)
        for column in (
            ledger.c.due_at,
            ledger.c.lease_until,
            ledger.c.notice_due_at,
            ledger.c.change_due_at,
            ledger.c.cancel_due_at,
        )
    ]
    return and_(
        ledger.c.state.in_([LedgerState.ACKNOWLEDGED.value, LedgerState.CLOSED.value]),
        ledger.c.changed_at < before,
        or_(ledger.c.reduced_at.is_(None), ledger.c.reduced_at <= ledger.c.changed_at),
        # Where the ERP tells no status at all, time alone says that it is done.
        or_(ledger.c.status_open == false(), ledger.c.status.is_(None)),
        *nothing_left,
    )


def reduce_rows(
    connection: Connection,
    mine: ColumnElement[bool],
    before: datetime,
    now: datetime,
    limit: int,
) -> list[str]:
    """Reduce the longest done first; gives their order IDs."""
    query = select(ledger).where(mine, done_before(before))
    query = query.order_by(ledger.c.changed_at, ledger.c.order_id).limit(limit)
    found = [dict(row) for row in connection.execute(query.with_for_update()).mappings()]
    done = []
    for row in found:
        untouched = and_(
            mine,
            ledger.c.order_id == row["order_id"],
            ledger.c.lease_token == row["lease_token"],
            ledger.c.changed_at == row["changed_at"],
        )
        values = {**_reduced(row), "reduced_at": now}
        if connection.execute(update(ledger).where(untouched).values(values)).rowcount == 1:
            done.append(row["order_id"])
    return done


def _reduced(row: Row) -> Row:
    changes: Row = {"payload": codec.dumps(without_person(versions.read(row["payload"])))}
    if row["newer_payload"] is not None:
        changes["newer_payload"] = codec.dumps(without_person(versions.read(row["newer_payload"])))
    instruction = rows.document(SalesOrder, row["frozen"])
    if instruction is not None:
        changes["frozen"] = codec.dumps(instruction_without_person(instruction))
    return changes
