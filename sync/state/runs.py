"""Runs of flows, for ``status`` and for whoever asks what happened last night."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, select, update

from sync.domain import codec
from sync.ports.state import RunRecord, RunStep
from sync.state.schema import runs

KEEP = timedelta(days=90)
"""Older runs of a flow are removed when it runs again; the ledger keeps its own history."""


class SqlRuns:
    def __init__(self, connection: Connection, pipeline: str) -> None:
        self._connection = connection
        self._pipeline = pipeline

    def start(self, run_id: str, flow: str, now: datetime, *, narrow: bool = False) -> None:
        self._connection.execute(
            delete(runs).where(
                runs.c.pipeline == self._pipeline,
                runs.c.flow == flow,
                runs.c.started_at < now - KEEP,
            )
        )
        self._connection.execute(
            insert(runs).values(
                pipeline=self._pipeline,
                run_id=run_id,
                flow=flow,
                started_at=now,
                outcome="running",
                counts="{}",
                message="",
                narrow=narrow,
            )
        )

    def tell(self, run_id: str, steps: Sequence[RunStep]) -> None:
        self._connection.execute(
            update(runs)
            .where(
                runs.c.pipeline == self._pipeline,
                runs.c.run_id == run_id,
                runs.c.finished_at.is_(None),
            )
            .values(steps=codec.dumps(tuple(steps)))
        )

    def finish(
        self, run_id: str, outcome: str, counts: dict[str, int], message: str, now: datetime
    ) -> None:
        """Raises KeyError for a run that was never started."""
        done = self._connection.execute(
            update(runs)
            .where(runs.c.pipeline == self._pipeline, runs.c.run_id == run_id)
            .values(
                finished_at=now,
                outcome=outcome,
                counts=json.dumps(counts, sort_keys=True),
                message=message,
                steps=None,
            )
        )
        if done.rowcount != 1:
            raise KeyError(f"run {run_id} was never started")

    def last(
        self, flow: str | None = None, limit: int = 20, *, whole: bool = False
    ) -> Sequence[RunRecord]:
        """Newest first."""
        query = select(runs).where(runs.c.pipeline == self._pipeline)
        if flow is not None:
            query = query.where(runs.c.flow == flow)
        if whole:
            query = query.where(runs.c.narrow.is_not(True))
        query = query.order_by(runs.c.started_at.desc(), runs.c.run_id.desc()).limit(limit)
        return [
            RunRecord(
                run_id=row.run_id,
                flow=row.flow,
                started_at=row.started_at,
                finished_at=row.finished_at,
                outcome=row.outcome,
                counts=json.loads(row.counts),
                message=row.message,
                narrow=bool(row.narrow),
                steps=codec.loads(tuple[RunStep, ...], row.steps) if row.steps else (),
            )
            for row in self._connection.execute(query)
        ]

    def abandon_running(self, now: datetime) -> int:
        done = self._connection.execute(
            update(runs)
            .where(runs.c.pipeline == self._pipeline, runs.c.outcome == "running")
            .values(
                finished_at=now,
                outcome="failed",
                message="the process ended before the run did",
                steps=None,
            )
        )
        return int(done.rowcount)
