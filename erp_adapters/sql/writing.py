"""Writes one order by the steps of the profile.

Everything is bound before the first step runs, so that an order that the ERP
could not keep as it is never opens a transaction. An order that carries
something for which the profile has no place is refused, not written without it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, CursorResult

from erp_adapters.sql.errors import Attempt
from erp_adapters.sql.fields import FOR_EACH, Values, order_values, repeated_values
from erp_adapters.sql.losses import Keeper, lost, works_for
from erp_adapters.sql.profile_model import LAST_INSERT_ID, Profile, Step
from erp_adapters.sql.statement import Statement
from erp_adapters.sql.values import Convert, writer
from sync.domain.ids import IdempotencyKey
from sync.domain.sales_order import SalesOrder
from sync.errors import Misconfigured, Rejected


@dataclass(frozen=True, slots=True)
class _Ready:
    step: Step
    sql: Statement
    bind: Mapping[str, tuple[str, Convert]]
    capture: Mapping[str, str]

    def bound(self, values: Values, web_number: str) -> dict[str, Any]:
        found = {}
        for parameter, (path, convert) in self.bind.items():
            try:
                found[parameter] = convert(values.get(path))
            except ValueError as error:
                raise Rejected(
                    f"order {web_number}, step {self.step.name}: {path} cannot be kept: {error}",
                    code="erp_value",
                    remedy=f"correct types or values of {parameter} in the profile, then replay",
                ) from error
        return found


@dataclass(frozen=True, slots=True)
class Execution:
    """One run of one step, bound but for what earlier steps capture.

    ``about`` names the step and what it is run for: ``step lines, line 2, BOLT-M8``.
    """

    ready: _Ready
    parameters: Mapping[str, Any]
    about: str


class OrderWriter:
    """The steps of one profile, ready for one dialect."""

    def __init__(self, profile: Profile, dialect: str) -> None:
        self._profile = profile
        self._steps = tuple(_ready(step, profile, dialect) for step in profile.steps)

    @property
    def steps(self) -> tuple[_Ready, ...]:
        return self._steps

    def plan(self, order: SalesOrder, key: IdempotencyKey) -> tuple[Execution, ...]:
        """Every execution, in order. Raises Rejected where something would get lost."""
        common = order_values(order, key)
        number = order.web_number.value
        planned = tuple(
            Execution(ready, ready.bound(values, number), _about(ready.step, values))
            for ready in self._steps
            for values in self._rounds(ready.step, order, common)
            if works_for(ready.step, values)
        )
        refuse_losses(order, common, self._profile.steps, self._profile)
        return planned

    def run(
        self, connection: Connection, planned: Sequence[Execution], attempt: Attempt
    ) -> dict[str, Any]:
        """Runs them in order and answers what was captured. The caller owns the transaction.

        ``attempt`` is kept up to date with what is being done.
        """
        captured: dict[str, Any] = {}
        writing = attempt.doing
        for execution in planned:
            ready = execution.ready
            attempt.doing = f"{writing}, {execution.about}"
            parameters = {
                **{name: captured.get(name) for name in ready.sql.parameters - ready.bind.keys()},
                **execution.parameters,
            }
            have = {name for name, value in parameters.items() if value is not None}
            used = ready.sql.used(have)
            with connection.execute(
                ready.sql.ready(have | ready.sql.always),
                {name: value for name, value in parameters.items() if name in used},
            ) as result:
                captured.update(_outcome(ready, result, attempt.doing))
        attempt.doing = f"{writing}, at the end"
        return captured

    def _rounds(self, step: Step, order: SalesOrder, common: Values) -> Iterator[Values]:
        if step.for_each is None:
            yield common
            return
        for values in repeated_values(order, step.for_each, step.wrap):
            yield {**common, **values}


def refuse_losses(
    order: SalesOrder, common: Values, keepers: Sequence[Keeper], profile: Profile
) -> None:
    """Raises Rejected where the order has what the profile has no place for."""
    found = lost(order, common, keepers, profile.not_kept)
    if found:
        raise Rejected(
            f"order {order.web_number}: the profile {profile.name} has no place for"
            f" {', '.join(found)}",
            code="erp_cannot_keep",
            remedy="bind it in the profile, or list it under not_kept, then replay",
        )


def _ready(step: Step, profile: Profile, dialect: str) -> _Ready:
    sql = step.sql.of(dialect)
    if sql is None:
        raise Misconfigured(f"{step.place}: step {step.name} has no sql for {dialect}")
    facts = profile.capabilities
    bind = {
        parameter: (
            bound.field,
            writer(bound.kind, facts, dialect, bound.stored, bound.values),
        )
        for parameter, bound in step.bind.items()
        if parameter in sql.parameters
    }
    return _Ready(step, sql, bind, step.captured(dialect))


def _outcome(ready: _Ready, result: CursorResult[Any], doing: str) -> dict[str, Any]:
    """What the step captured. Raises Rejected where it did not do what was expected."""
    step = ready.step
    rows = result.fetchall() if result.returns_rows else []
    count = len(rows) if result.returns_rows else result.rowcount
    if step.expect_rows is not None:
        if count < 0:
            raise Misconfigured(
                f"{step.place}: step {step.name} expects rows, and the driver counts none;"
                " let the statement answer a row"
            )
        if count != step.expect_rows:
            what = step.otherwise or f"{count} rows where {step.expect_rows} were expected"
            raise Rejected(
                f"{doing}: {what}",
                code="erp_step",
                remedy="put right in the ERP what it names, then replay",
            )
    found = {}
    for name, column in ready.capture.items():
        if column == LAST_INSERT_ID:
            value = result.lastrowid
        elif not rows:
            raise Rejected(
                f"{doing}: {step.otherwise or 'it answered no row'}",
                code="erp_step",
                remedy="put right in the ERP what it names, then replay",
            )
        else:
            names = result.keys()
            keys = [key.lower() for key in names]
            if column.lower() not in keys:
                raise Misconfigured(
                    f"{step.place}: step {step.name} answers no column {column!r}"
                    f" but {', '.join(keys)}"
                )
            value = rows[0][keys.index(column.lower())]
        if value is None:
            raise Rejected(
                f"{doing}: the ERP gave no {name}",
                code="erp_step",
                remedy="look into the ERP why it gave none, then replay",
            )
        found[name] = value
    return found


def _about(step: Step, values: Values) -> str:
    if step.for_each is None:
        return f"step {step.name}"
    group = FOR_EACH[step.for_each]
    parts = [f"step {step.name}", f"{group} {values[f'{group}.number']}"]
    if group == "line":
        parts.append(str(values["line.sku"]))
    return ", ".join(parts)
