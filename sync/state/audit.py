"""What people did, appended and never changed. There is no method here that could.

Only an erasure (OP-9) takes a person's name out of a reason, and notes that it did.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, insert, select

from sync.ports.state import LedgerEvent
from sync.state.schema import audit


class SqlAudit:
    def __init__(self, connection: Connection, pipeline: str) -> None:
        self._connection = connection
        self._pipeline = pipeline

    def note(self, actor: str, action: str, subject: str, reason: str, now: datetime) -> None:
        self._connection.execute(
            insert(audit).values(
                pipeline=self._pipeline,
                at=now,
                actor=actor,
                action=action,
                subject=subject,
                reason=reason,
            )
        )

    def last(self, limit: int = 50) -> Sequence[LedgerEvent]:
        """Newest first; ``event`` is the action, ``detail`` its subject and reason."""
        query = (
            select(audit)
            .where(audit.c.pipeline == self._pipeline)
            .order_by(audit.c.id.desc())
            .limit(limit)
        )
        return [
            LedgerEvent(
                row.at, row.action, row.actor, ": ".join(filter(None, (row.subject, row.reason)))
            )
            for row in self._connection.execute(query)
        ]
