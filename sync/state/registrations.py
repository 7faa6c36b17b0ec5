"""Registrations as rows: the whole entry as one document, and what is searched for beside it.

An entry moves by its version: whoever saves names the version that it was read
at, and a step that somebody else took meanwhile stops it. That is enough here,
where people and the daemon meet a few times a day.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, false, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from sync.domain import codec
from sync.domain.ids import ApplicationId, StoreId
from sync.errors import Conflict
from sync.ports.registrations import Happened, RegistrationEntry, Stage
from sync.ports.state import LedgerEvent
from sync.state.schema import registration_events, registrations


class SqlRegistrations:
    def __init__(self, connection: Connection, pipeline: str, store_id: StoreId) -> None:
        self._connection = connection
        self._own = {"pipeline": pipeline, "store_id": store_id.value}
        self._mine: ColumnElement[bool] = and_(
            registrations.c.pipeline == pipeline, registrations.c.store_id == store_id.value
        )

    def entry(self, application_id: ApplicationId) -> RegistrationEntry | None:
        one = registrations.c.application == application_id.value
        text = self._connection.scalar(select(registrations.c.entry).where(self._mine, one))
        return None if text is None else _entry(text)

    def entries(
        self, stages: Collection[Stage] = (), limit: int | None = None
    ) -> Sequence[RegistrationEntry]:
        query = (
            select(registrations.c.entry)
            .where(self._mine)
            .order_by(registrations.c.changed_at.desc(), registrations.c.application)
            .limit(limit)
        )
        if stages:
            query = query.where(registrations.c.stage.in_(sorted(each.value for each in stages)))
        return [_entry(text) for text in self._connection.scalars(query)]

    def count(self, stages: Collection[Stage]) -> int:
        wanted = registrations.c.stage.in_(sorted(each.value for each in stages))
        query = select(func.count()).select_from(registrations).where(self._mine, wanted)
        return self._connection.scalar(query) or 0

    def unsettled(self) -> Sequence[ApplicationId]:
        query = (
            select(registrations.c.application)
            .where(self._mine, registrations.c.settled == false())
            .order_by(registrations.c.first_seen_at, registrations.c.application)
        )
        return [ApplicationId(each) for each in self._connection.scalars(query)]

    def save(
        self, entry: RegistrationEntry, happened: Happened, now: datetime
    ) -> RegistrationEntry:
        kept = replace(entry, version=entry.version + 1, changed_at=now)
        row = {
            "stage": kept.stage.value,
            "customer_id": kept.customer_id.value if kept.customer_id else None,
            "settled": kept.settled,
            "version": kept.version,
            "first_seen_at": kept.first_seen_at,
            "changed_at": now,
            "entry": codec.dumps(kept),
        }
        key = {**self._own, "application": entry.application_id.value}
        if not (self._replaced(entry, row) if entry.version else self._inserted({**key, **row})):
            raise Conflict(f"application {entry.application_id} was changed at this moment")
        self._connection.execute(
            insert(registration_events).values(
                **key,
                at=now,
                event=happened.event,
                actor=happened.actor,
                detail=happened.detail,
            )
        )
        return kept

    def _inserted(self, row: Mapping[str, object]) -> bool:
        dialect = postgresql if self._connection.dialect.name == "postgresql" else sqlite
        done = self._connection.execute(
            dialect.insert(registrations).values(row).on_conflict_do_nothing(),
            execution_options={"preserve_rowcount": True},
        )
        return done.rowcount == 1

    def _replaced(self, entry: RegistrationEntry, row: Mapping[str, object]) -> bool:
        done = self._connection.execute(
            update(registrations)
            .where(
                self._mine,
                registrations.c.application == entry.application_id.value,
                registrations.c.version == entry.version,
            )
            .values(row)
        )
        return done.rowcount == 1

    def history(self, application_id: ApplicationId) -> Sequence[LedgerEvent]:
        events = registration_events.c
        query = (
            select(registration_events)
            .where(
                events.pipeline == self._own["pipeline"],
                events.store_id == self._own["store_id"],
                events.application == application_id.value,
            )
            .order_by(events.id)
        )
        return [
            LedgerEvent(row.at, row.event, row.actor, row.detail)
            for row in self._connection.execute(query)
        ]


def _entry(text: str) -> RegistrationEntry:
    entry: RegistrationEntry = codec.loads(RegistrationEntry, text)
    return entry
