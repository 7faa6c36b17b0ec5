"""Plans that the guard rails refused, until a person confirms exactly that plan (MI-3).

A plan is known by its flow and digest: the flow that comes to the same plan
again finds the same entry, with its first ID and with its confirmation.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, false, insert, select, update

from sync.ports.state import HeldPlan
from sync.state.schema import plans


class SqlPlans:
    def __init__(self, connection: Connection, pipeline: str) -> None:
        self._connection = connection
        self._pipeline = pipeline

    def hold(self, plan: HeldPlan) -> None:
        """Raises ValueError where the ID already stands for another plan."""
        found = self._find(plans.c.flow == plan.flow, plans.c.digest == plan.digest)
        if found is None:
            if self._find(plans.c.plan_id == plan.plan_id) is not None:
                raise ValueError(f"plan {plan.plan_id} is another plan; its ID is taken")
            self._connection.execute(
                insert(plans).values(
                    pipeline=self._pipeline,
                    plan_id=plan.plan_id,
                    flow=plan.flow,
                    digest=plan.digest,
                    reason=plan.reason,
                    counts=json.dumps(plan.counts, sort_keys=True),
                    at=plan.at,
                    cleared=False,
                )
            )
        elif found["cleared"]:
            # It was confirmed for that time, not for ever.
            self._change(
                found["plan_id"],
                reason=plan.reason,
                counts=json.dumps(plan.counts, sort_keys=True),
                at=plan.at,
                confirmed_by=None,
                confirmed_at=None,
                cleared=False,
            )

    def confirm(self, plan_id: str, actor: str, now: datetime) -> HeldPlan | None:
        """The plan, confirmed; None where no open plan has this ID."""
        found = self._find(plans.c.plan_id == plan_id, plans.c.cleared == false())
        if found is None:
            return None
        if found["confirmed_by"] is None:
            self._change(plan_id, confirmed_by=actor, confirmed_at=now)
            found = self._find(plans.c.plan_id == plan_id)
        return None if found is None else _plan(found)

    def confirmed(self, flow: str, digest: str) -> bool:
        found = self._find(
            plans.c.flow == flow, plans.c.digest == digest, plans.c.cleared == false()
        )
        return found is not None and found["confirmed_by"] is not None

    def open(self) -> Sequence[HeldPlan]:
        """Oldest first, confirmed ones included until the flow has gone through."""
        query = (
            select(plans)
            .where(plans.c.pipeline == self._pipeline, plans.c.cleared == false())
            .order_by(plans.c.at, plans.c.plan_id)
        )
        return [_plan(row) for row in self._connection.execute(query).mappings()]

    def clear(self, flow: str) -> None:
        self._connection.execute(
            update(plans)
            .where(
                plans.c.pipeline == self._pipeline,
                plans.c.flow == flow,
                plans.c.cleared == false(),
            )
            .values(cleared=True)
        )

    def _find(self, *conditions: ColumnElement[bool]) -> RowMapping | None:
        query = select(plans).where(plans.c.pipeline == self._pipeline, and_(*conditions))
        return self._connection.execute(query).mappings().one_or_none()

    def _change(self, plan_id: str, **values: object) -> None:
        self._connection.execute(
            update(plans)
            .where(plans.c.pipeline == self._pipeline, plans.c.plan_id == plan_id)
            .values(**values)
        )


def _plan(row: RowMapping) -> HeldPlan:
    return HeldPlan(
        plan_id=row["plan_id"],
        flow=row["flow"],
        digest=row["digest"],
        reason=row["reason"],
        counts=json.loads(row["counts"]),
        at=row["at"],
        confirmed_by=row["confirmed_by"],
    )
