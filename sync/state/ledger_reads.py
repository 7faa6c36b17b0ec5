"""The questions that flows and operators ask the ledger; each has its index."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Connection, Select, and_, func, or_, select, true

from sync.domain.ids import CustomerId, IdempotencyKey, StoreId, WebOrderId
from sync.domain.order import StoreOrder
from sync.ports.state import (
    LedgerEntry,
    LedgerEvent,
    LedgerFilter,
    LedgerState,
    PlacedOrder,
    ShownOrder,
)
from sync.state import ledger_statements, rows, versions
from sync.state.reducing import done_before
from sync.state.schema import ledger, ledger_events, ledger_of

_AT_ONCE = 500


class LedgerReads:
    """The reading half of the ledger."""

    def __init__(self, connection: Connection, pipeline: str, store_id: StoreId) -> None:
        self._connection = connection
        self._pipeline = pipeline
        self._store_id = store_id
        self._mine = ledger_of(pipeline, store_id.value)
        self._whose = {"its_pipeline": pipeline, "its_store_id": store_id.value}

    def due(self, now: datetime, limit: int) -> Sequence[WebOrderId]:
        asked = self._whose | {"now": now, "most": limit}
        found = self._connection.scalars(ledger_statements.DUE, asked)
        return [WebOrderId(order_id) for order_id in found]

    def unchanged(self, orders: Collection[StoreOrder]) -> Collection[WebOrderId]:
        asked = self._whose | {"order_ids": [each.order_id.value for each in orders]}
        held = self._connection.execute(ledger_statements.UNCHANGED, asked)
        known = {row.order_id: row for row in held}
        found = []
        for order in orders:
            row = known.get(order.order_id.value)
            if row is None or order.modified_at > row.modified_at:
                continue
            newest = row.newer_fingerprint or row.fingerprint
            if order.modified_at < row.modified_at or versions.fingerprint(order) == newest:
                found.append(order.order_id)
        return found

    def changed_since(self, limit: int) -> Sequence[tuple[LedgerEntry, StoreOrder]]:
        query = (
            select(ledger)
            .where(self._mine, ledger.c.change_due_at.is_not(None))
            .order_by(ledger.c.change_due_at, ledger.c.order_id)
            .limit(limit)
        )
        return [
            (rows.entry(dict(row)), versions.read(row["newer_payload"]))
            for row in self._connection.execute(query).mappings()
        ]

    def cancelling(self, now: datetime, limit: int) -> Sequence[LedgerEntry]:
        query = select(ledger).where(self._mine, ledger.c.cancel_due_at <= now)
        order = (ledger.c.cancel_due_at, ledger.c.order_id)
        return self._entries(query.order_by(*order).limit(limit))

    def to_show(self, limit: int) -> Sequence[ShownOrder]:
        order = (ledger.c.notice_due_at, ledger.c.order_id)
        return self._shown(_shown.where(self._mine, order[0].is_not(None)), *order, limit=limit)

    def told(
        self, after: datetime, until: datetime, last: ShownOrder | None, limit: int
    ) -> Sequence[ShownOrder]:
        told_at, order_id = ledger.c.told_at, ledger.c.order_id
        query = _shown.where(self._mine, told_at > after, told_at <= until)
        if last is not None:
            later = and_(told_at == last.told_at, order_id > last.order_id.value)
            query = query.where(or_(told_at > last.told_at, later))
        return self._shown(query, told_at, order_id, limit=limit)

    def filed_under(
        self, customer_ids: Collection[CustomerId]
    ) -> Mapping[tuple[CustomerId, IdempotencyKey], WebOrderId]:
        own = sorted({each.value for each in customer_ids})
        query = select(ledger.c.customer_id, ledger.c.key, ledger.c.order_id).where(
            self._mine, ledger.c.customer_id.in_(own)
        )
        return {
            (CustomerId(row.customer_id), IdempotencyKey(row.key)): WebOrderId(row.order_id)
            for row in self._connection.execute(query)
        }

    def open_orders(self, after: WebOrderId | None, limit: int) -> Sequence[ShownOrder]:
        query = _shown.where(self._mine, ledger.c.status_open == true())
        if after is not None:
            query = query.where(ledger.c.order_id > after.value)
        return self._shown(query, ledger.c.order_id, limit=limit)

    def entry(self, order_id: WebOrderId) -> LedgerEntry | None:
        asked = self._whose | {"its_order_id": order_id.value}
        row = self._connection.execute(ledger_statements.ONE, asked).mappings().one_or_none()
        return None if row is None else rows.entry(dict(row))

    def entries(self, wanted: LedgerFilter) -> Sequence[LedgerEntry]:
        query = select(ledger).where(self._mine)
        if wanted.states:
            query = query.where(ledger.c.state.in_([state.value for state in wanted.states]))
        if wanted.order_ids:
            query = query.where(ledger.c.order_id.in_([key.value for key in wanted.order_ids]))
        if wanted.numbers:
            query = query.where(ledger.c.number.in_(wanted.numbers))
        if wanted.code is not None:
            query = query.where(ledger.c.codes.contains(f"|{wanted.code}|", autoescape=True))
        if wanted.customer_id is not None:
            query = query.where(ledger.c.customer_id == wanted.customer_id.value)
        if wanted.channel is not None:
            query = query.where(ledger.c.channel == wanted.channel.value)
        if wanted.seen_before is not None:
            query = query.where(ledger.c.first_seen_at < wanted.seen_before)
        if wanted.limit is not None:
            query = query.limit(wanted.limit)
        return self._entries(query.order_by(ledger.c.changed_at.desc(), ledger.c.order_id))

    def placed_under(self, customer_ids: Collection[CustomerId]) -> Sequence[PlacedOrder]:
        asked = sorted({each.value for each in customer_ids})
        found: list[PlacedOrder] = []
        for start in range(0, len(asked), _AT_ONCE):
            query = _placed.where(
                self._mine,
                ledger.c.customer_id.in_(asked[start : start + _AT_ONCE]),
                or_(ledger.c.imported_at.is_not(None), ledger.c.frozen.is_not(None)),
            )
            held = self._connection.execute(query).mappings()
            found.extend(rows.placed_order(dict(row)) for row in held)
        return found

    def history(self, order_id: WebOrderId) -> Sequence[LedgerEvent]:
        """What happened to the order, oldest first; nothing for an unknown one."""
        query = (
            select(ledger_events)
            .where(
                ledger_events.c.pipeline == self._pipeline,
                ledger_events.c.store_id == self._store_id.value,
                ledger_events.c.order_id == order_id.value,
            )
            .order_by(ledger_events.c.id)
        )
        return [
            LedgerEvent(row.at, row.event, row.actor, row.detail)
            for row in self._connection.execute(query)
        ]

    def counts(self) -> dict[LedgerState, int]:
        """How many entries are in each state; a state without any is absent."""
        query = select(ledger.c.state, func.count()).where(self._mine).group_by(ledger.c.state)
        return {LedgerState(state): count for state, count in self._connection.execute(query)}

    def held_for(self) -> dict[str, int]:
        held = [LedgerState.QUARANTINED.value, LedgerState.REVIEW.value]
        query = (
            select(ledger.c.codes, func.count())
            .where(self._mine, ledger.c.state.in_(held))
            .group_by(ledger.c.codes)
        )
        found: dict[str, int] = {}
        for codes, count in self._connection.execute(query):
            for code in dict.fromkeys(codes.strip("|").split("|")) if codes else ("review",):
                found[code] = found.get(code, 0) + count
        return found

    def decided_under(self) -> dict[str | None, int]:
        held = [LedgerState.WAITING.value, LedgerState.QUARANTINED.value, LedgerState.REVIEW.value]
        query = (
            select(ledger.c.mapping_version, func.count().label("orders"))
            .where(self._mine, ledger.c.state.in_(held))
            .group_by(ledger.c.mapping_version)
        )
        return {row.mapping_version: row.orders for row in self._connection.execute(query)}

    def still_whole(self, before: datetime) -> int:
        query = select(func.count()).select_from(ledger).where(self._mine, done_before(before))
        return self._connection.scalar(query) or 0

    def _entries(self, query: Select[tuple[object, ...]]) -> list[LedgerEntry]:
        return [rows.entry(dict(row)) for row in self._connection.execute(query).mappings()]

    def _shown(
        self, query: Select[tuple[object, ...]], *order: Column[Any], limit: int
    ) -> list[ShownOrder]:
        found = self._connection.execute(query.order_by(*order).limit(limit)).mappings()
        return [rows.shown_order(dict(row)) for row in found]


_placed = select(*(ledger.c[name] for name in rows.PLACED_COLUMNS))
_shown = select(*(ledger.c[name] for name in rows.SHOWN_COLUMNS))
