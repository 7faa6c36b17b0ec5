"""What was asked for after the import, and what came of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Select, and_, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from sync.domain.ids import IdempotencyKey, StoreId, WebOrderId
from sync.domain.money import Money
from sync.errors import FencedOff
from sync.ports.settlements import Settlement, SettlementKind, SettlementState
from sync.state.schema import settlements

Row = dict[str, Any]


class SqlSettlements:
    """Those of one pipeline, within one transaction of somebody else's."""

    def __init__(self, connection: Connection, pipeline: str, store_id: StoreId) -> None:
        self._connection = connection
        self._mine = and_(
            settlements.c.pipeline == pipeline, settlements.c.store_id == store_id.value
        )
        self._owner: Row = {"pipeline": pipeline, "store_id": store_id.value}

    def of(self, order_id: WebOrderId) -> Sequence[Settlement]:
        query = select(settlements).where(self._mine, settlements.c.order_id == order_id.value)
        return self._read(query.order_by(settlements.c.kind, settlements.c.number))

    def due(
        self, kinds: Collection[SettlementKind], now: datetime, limit: int
    ) -> Sequence[Settlement]:
        wanted = [kind.value for kind in kinds]
        table = settlements.c
        query = select(settlements).where(
            self._mine, table.due_at.is_not(None), table.due_at <= now, table.kind.in_(wanted)
        )
        order = (table.due_at, table.order_id, table.kind, table.number)
        return self._read(query.order_by(*order).limit(limit))

    def put(self, settlement: Settlement) -> Settlement:
        row = {**self._owner, **_row(settlement)}
        if settlement.version == 0:
            dialect = postgresql if self._connection.dialect.name == "postgresql" else sqlite
            done = self._connection.execute(
                dialect.insert(settlements).values(row).on_conflict_do_nothing(),
                execution_options={"preserve_rowcount": True},
            )
        else:
            done = self._connection.execute(
                update(settlements)
                .where(
                    self._mine,
                    settlements.c.order_id == settlement.order_id.value,
                    settlements.c.kind == settlement.kind.value,
                    settlements.c.number == settlement.number,
                    settlements.c.version == settlement.version,
                )
                .values(row)
            )
        if done.rowcount != 1:
            raise FencedOff(
                f"{settlement.kind.value} {settlement.number} of order {settlement.order_id}: "
                "another worker sees to it"
            )
        return _settlement(row)

    def counts(self) -> Mapping[tuple[SettlementKind, SettlementState], int]:
        table = settlements.c
        query = (
            select(table.kind, table.state, func.count())
            .where(self._mine)
            .group_by(table.kind, table.state)
        )
        return {
            (SettlementKind(kind), SettlementState(state)): number
            for kind, state, number in self._connection.execute(query)
        }

    def _read(self, query: Select[Any]) -> list[Settlement]:
        return [_settlement(dict(row)) for row in self._connection.execute(query).mappings()]


def _row(settlement: Settlement) -> Row:
    amount = settlement.amount
    return {
        "order_id": settlement.order_id.value,
        "kind": settlement.kind.value,
        "number": settlement.number,
        "state": settlement.state.value,
        "key": settlement.key.value if settlement.key else None,
        "amount": f"{amount.amount:f}" if amount else None,
        "currency": amount.currency if amount else None,
        "reference": settlement.reference,
        "happened_at": settlement.happened_at,
        "due_at": settlement.due_at,
        "changed_at": settlement.changed_at,
        "version": settlement.version + 1,
    }


def _settlement(row: Row) -> Settlement:
    amount = row["amount"]
    return Settlement(
        order_id=WebOrderId(row["order_id"]),
        kind=SettlementKind(row["kind"]),
        number=row["number"],
        state=SettlementState(row["state"]),
        changed_at=row["changed_at"],
        due_at=row["due_at"],
        key=IdempotencyKey(row["key"]) if row["key"] else None,
        amount=None if amount is None else Money(Decimal(amount), row["currency"]),
        reference=row["reference"],
        happened_at=row["happened_at"],
        version=row["version"],
    )
