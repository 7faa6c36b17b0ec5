"""What people did, appended and never changed. There is no method here that could.

Only an erasure (OP-9) takes a person's name out of a reason, and notes that it did.
What is announced, and not settled yet, may be withdrawn: it was never done.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    and_,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    true,
    tuple_,
    update,
)

from sync.ports.audit import AuditEntry, AuditFilter, AuditRecord, RecordKind
from sync.state.schema import Moment, audit, audit_records

_EVERYTHING = AuditFilter()


class SqlAudit:
    def __init__(self, connection: Connection, pipeline: str) -> None:
        self._connection = connection
        self._pipeline = pipeline

    def note(
        self,
        actor: str,
        action: str,
        subject: str,
        reason: str,
        now: datetime,
        records: Iterable[AuditRecord] = (),
        *,
        begun: bool = False,
    ) -> int:
        entry = {"actor": actor, "action": action, "subject": subject, "reason": reason}
        return self._append({**entry, "at": now, "begun": begun or None}, records)

    def settle(self, number: int, remark: str = "") -> bool:
        values: dict[str, Any] = {"begun": None}
        if remark:
            values["subject"] = audit.c.subject + remark
        done = self._connection.execute(update(audit).where(self._begun(number)).values(values))
        return done.rowcount == 1

    def withdraw(self, number: int) -> bool:
        done = self._connection.execute(delete(audit).where(self._begun(number)))
        if done.rowcount == 1:
            its = audit_records.c.audit_id == number
            self._connection.execute(delete(audit_records).where(its))
        return done.rowcount == 1

    def announced(self) -> Sequence[AuditEntry]:
        mine = and_(audit.c.pipeline == self._pipeline, audit.c.begun == true())
        return self._read(select(audit).where(mine).order_by(audit.c.id), records=1)

    def entries(
        self,
        wanted: AuditFilter = _EVERYTHING,
        *,
        before: int | None = None,
        limit: int = 50,
        records: int = 20,
    ) -> Sequence[AuditEntry]:
        query = select(audit).where(self._meets(wanted))
        if before is not None:
            query = query.where(self._comes_after(before))
        query = query.order_by(audit.c.at.desc(), audit.c.id.desc()).limit(limit)
        return self._read(query, records)

    def actions(self) -> Sequence[str]:
        return self._distinct(audit.c.action)

    def actors(self) -> Sequence[str]:
        return self._distinct(audit.c.actor)

    def _distinct(self, column: Column[str]) -> Sequence[str]:
        query = select(column).where(audit.c.pipeline == self._pipeline).distinct()
        return self._connection.scalars(query.order_by(column)).all()

    def _append(self, values: dict[str, Any], records: Iterable[AuditRecord]) -> int:
        done = self._connection.execute(insert(audit).values(pipeline=self._pipeline, **values))
        key = done.inserted_primary_key
        if key is None:
            raise RuntimeError("the database gave no number to the entry")
        number = int(key[0])
        rows = (
            {
                "audit_id": number,
                "place": place,
                "pipeline": self._pipeline,
                "kind": each.kind.value,
                "key": each.key,
                "before": each.before,
                "after": each.after,
            }
            for place, each in enumerate(records)
        )
        # An import may concern a hundred thousand.
        while some := list(itertools.islice(rows, _TOGETHER)):
            self._connection.execute(insert(audit_records), some)
        return number

    def _begun(self, number: int) -> ColumnElement[bool]:
        return and_(
            audit.c.pipeline == self._pipeline, audit.c.id == number, audit.c.begun == true()
        )

    def _meets(self, wanted: AuditFilter) -> ColumnElement[bool]:
        conditions = [audit.c.pipeline == self._pipeline]
        if wanted.actor is not None:
            conditions.append(audit.c.actor == wanted.actor)
        if wanted.action is not None:
            within = audit.c.action.startswith(f"{wanted.action}.", autoescape=True)
            conditions.append(or_(audit.c.action == wanted.action, within))
        if wanted.since is not None:
            conditions.append(audit.c.at >= wanted.since)
        if wanted.until is not None:
            conditions.append(audit.c.at <= wanted.until)
        if wanted.record is not None:
            kind, key = wanted.record
            about = select(audit_records.c.audit_id).where(
                audit_records.c.pipeline == self._pipeline,
                audit_records.c.kind == kind.value,
                audit_records.c.key == key,
            )
            conditions.append(audit.c.id.in_(about))
        return and_(*conditions)

    def _comes_after(self, number: int) -> ColumnElement[bool]:
        at = self._connection.scalar(
            select(audit.c.at).where(audit.c.pipeline == self._pipeline, audit.c.id == number)
        )
        if at is None:
            raise KeyError(f"there is no entry {number}")
        there = tuple_(literal(at, Moment), literal(number))
        return tuple_(audit.c.at, audit.c.id) < there

    def _read(self, query: Select[Any], records: int) -> list[AuditEntry]:
        rows = self._connection.execute(query).mappings().all()
        numbers = [row["id"] for row in rows]
        told = self._records(numbers, records)
        counts = self._counts(numbers)
        return [_entry(row, told.get(row["id"], []), counts.get(row["id"], 0)) for row in rows]

    def _records(self, numbers: list[int], most: int) -> dict[int, list[AuditRecord]]:
        found: dict[int, list[AuditRecord]] = {}
        query = (
            select(audit_records)
            .where(audit_records.c.audit_id.in_(numbers), audit_records.c.place < most)
            .order_by(audit_records.c.audit_id, audit_records.c.place)
        )
        for row in self._connection.execute(query):
            record = AuditRecord(RecordKind(row.kind), row.key, row.before, row.after)
            found.setdefault(row.audit_id, []).append(record)
        return found

    def _counts(self, numbers: list[int]) -> dict[int, int]:
        # Places count from zero without a gap, so that the last one tells how many there are.
        last = func.max(audit_records.c.place)
        query = (
            select(audit_records.c.audit_id, last)
            .where(audit_records.c.audit_id.in_(numbers))
            .group_by(audit_records.c.audit_id)
        )
        return {row[0]: row[1] + 1 for row in self._connection.execute(query)}


_TOGETHER = 1000


def _entry(row: RowMapping, records: list[AuditRecord], count: int) -> AuditEntry:
    return AuditEntry(
        number=row["id"],
        at=row["at"],
        actor=row["actor"],
        action=row["action"],
        subject=row["subject"],
        reason=row["reason"],
        records=tuple(records),
        more=count - len(records),
        begun=bool(row["begun"]),
    )
