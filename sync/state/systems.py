"""How each system was last found, for ``status`` in another process."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, delete, insert, select

from sync.ports.systems import Condition, SystemRecord
from sync.state.schema import systems


class SqlSystems:
    """Of the whole site, within one transaction of somebody else's."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def put(self, record: SystemRecord) -> None:
        self._connection.execute(delete(systems).where(systems.c.name == record.name))
        self._connection.execute(
            insert(systems).values(
                name=record.name,
                kind=record.kind,
                condition=record.condition.value,
                since=record.since,
                message=record.message,
                next_try_at=record.next_try_at,
                last_success_at=record.last_success_at,
                last_failure_at=record.last_failure_at,
                clock_skew_s=record.clock_skew_s,
            )
        )

    def all(self) -> Sequence[SystemRecord]:
        return [
            SystemRecord(**{**row, "condition": Condition(row["condition"])})
            for row in self._connection.execute(select(systems).order_by(systems.c.name)).mappings()
        ]
