"""What the store has confirmed of ship-tos and invoices: a row for each account."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import uuid4

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, select, text

from sync.domain.ids import CustomerId, StoreId
from sync.ports.erp import Feed
from sync.ports.record_memory import FORGOTTEN, Remembered
from sync.state.schema import record_memory

_TOGETHER = 200

KINDS = (Feed.SHIP_TOS, Feed.INVOICES)
"""Of which something is remembered."""


class SqlRecordMemory:
    def __init__(self, connection: Connection, pipeline: str, store_id: StoreId) -> None:
        self._connection, self._pipeline, self._store_id = connection, pipeline, store_id

    def known(self, kind: Feed) -> Mapping[CustomerId, Remembered]:
        """What another store had confirmed under this pipeline's name is not told."""
        return self._known(self._of(kind))

    def confirm(
        self,
        kind: Feed,
        records: Mapping[CustomerId, Remembered],
        before: Mapping[CustomerId, Remembered],
    ) -> None:
        self._alone()
        self._connection.execute(
            delete(record_memory).where(
                record_memory.c.pipeline == self._pipeline,
                record_memory.c.store_id != self._store_id.value,
            )
        )
        for some in _chunks(sorted(records)):
            these = and_(self._of(kind), _named(some))
            held = self._known(these)
            kept = [each for each in some if held.get(each) == before.get(each)]
            self._delete(and_(self._of(kind), _named(kept)))
            self._insert(kind, {each: records[each] for each in kept})

    def forget(self, kind: Feed, customer_ids: Collection[CustomerId]) -> None:
        self._alone()
        for some in _chunks(sorted(customer_ids)):
            known = record_memory.c.shown != FORGOTTEN
            self._delete(and_(self._of(kind), _named(some), known))

    def forget_accounts(self, customer_ids: Collection[CustomerId]) -> None:
        self._alone()
        for some in _chunks(sorted(set(customer_ids))):
            self._delete(and_(record_memory.c.pipeline == self._pipeline, _named(some)))
            for kind in KINDS:
                marks = {each: Remembered(uuid4().bytes, FORGOTTEN) for each in some}
                self._insert(kind, marks)

    def _alone(self) -> None:
        """Nobody else writes here before this transaction is over.

        Otherwise who confirms could miss a mark that is not there yet, and take its place.
        On SQLite nobody else writes anything meanwhile.
        """
        if self._connection.dialect.name == "postgresql":
            self._connection.execute(text("LOCK TABLE record_memory IN SHARE ROW EXCLUSIVE MODE"))

    def _known(self, which: ColumnElement[bool]) -> dict[CustomerId, Remembered]:
        columns = record_memory.c.customer_id, record_memory.c.state, record_memory.c.shown
        rows = self._connection.execute(select(*columns).where(which))
        return {CustomerId(row[0]): Remembered(bytes(row[1]), row[2]) for row in rows}

    def _insert(self, kind: Feed, records: Mapping[CustomerId, Remembered]) -> None:
        rows: list[dict[str, Any]] = [
            {
                "pipeline": self._pipeline,
                "store_id": self._store_id.value,
                "kind": kind.value,
                "customer_id": customer_id.value,
                "state": each.state,
                "shown": each.shown,
            }
            for customer_id, each in records.items()
        ]
        if rows:
            self._connection.execute(insert(record_memory), rows)

    def _delete(self, which: ColumnElement[bool]) -> None:
        self._connection.execute(delete(record_memory).where(which))

    def _of(self, kind: Feed) -> ColumnElement[bool]:
        return and_(
            record_memory.c.pipeline == self._pipeline,
            record_memory.c.store_id == self._store_id.value,
            record_memory.c.kind == kind.value,
        )


def _named(customer_ids: Sequence[CustomerId]) -> ColumnElement[bool]:
    return record_memory.c.customer_id.in_([each.value for each in customer_ids])


def _chunks(values: Sequence[CustomerId]) -> list[Sequence[CustomerId]]:
    return [values[at : at + _TOGETHER] for at in range(0, len(values), _TOGETHER)]
