"""Writes one order by the steps of the profile.

Everything is bound before the first step runs, so that an order that the ERP
could not keep as it is never opens a transaction. An order that carries
something for which the profile has no place is refused, not written without it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from erp_adapters.sql.errors import Attempt
from erp_adapters.sql.fields import (
    FOR_EACH,
    Repeated,
    Values,
    credit_values,
    customer_values,
    order_values,
)
from erp_adapters.sql.losses import Kept, works_for
from erp_adapters.sql.profile_model import LAST_INSERT_ID, Profile, Step
from erp_adapters.sql.running import Lane, Reply, lane
from erp_adapters.sql.statement import Statement
from erp_adapters.sql.values import Convert, writer
from sync.domain.ids import IdempotencyKey
from sync.domain.registration import NewCustomer
from sync.domain.sales_order import SalesOrder
from sync.domain.settlement import CreditRequest
from sync.errors import Misconfigured, Rejected

Binding = tuple[str, str, Convert]
"""A parameter, the field that it takes, and how that is bound."""


@dataclass(frozen=True, slots=True)
class _Ready:
    """``shared`` is bound once for an order, ``own`` for each thing that the step is run for."""

    step: Step
    sql: Statement
    shared: tuple[Binding, ...]
    own: tuple[Binding, ...]
    capture: Mapping[str, str]
    free: frozenset[str]
    """Parameters that an earlier step captures."""

    @property
    def wants_id(self) -> bool:
        return LAST_INSERT_ID in self.capture.values()

    def once(self, values: Values, whose: str) -> Execution:
        """The step for what needs no other fields than these; ``whose``: for messages."""
        return Execution(self, self._bound(self.shared, values, whose), _about(self.step, {}))

    def each(self, common: Values, rounds: Sequence[Values], whose: str) -> Iterator[Execution]:
        """The step for each of these ``rounds``."""
        if not rounds:
            return
        shared = self._bound(self.shared, common, whose)
        for own in rounds:
            parameters = {**shared, **self._bound(self.own, own, whose)}
            yield Execution(self, parameters, _about(self.step, own))

    def _bound(self, bindings: tuple[Binding, ...], values: Values, whose: str) -> dict[str, Any]:
        found = {}
        for parameter, path, convert in bindings:
            try:
                found[parameter] = convert(values.get(path))
            except ValueError as error:
                raise Rejected(
                    f"{whose}, step {self.step.name}: {path} cannot be kept: {error}",
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
        self._kept = Kept(profile.steps)
        self._steps = tuple(_ready(step, profile, dialect) for step in profile.steps)
        self._cancel = tuple(_ready(step, profile, dialect) for step in profile.cancel_steps)
        self._customer = tuple(_ready(step, profile, dialect) for step in profile.customer_steps)
        self._credit = tuple(_ready(step, profile, dialect) for step in profile.credit_steps)
        every = (*self._steps, *self._cancel, *self._customer, *self._credit)
        self._texts = [ready.sql for ready in every]

    @property
    def steps(self) -> tuple[_Ready, ...]:
        return self._steps

    def plan(self, order: SalesOrder, key: IdempotencyKey) -> tuple[Execution, ...]:
        """Every execution, in order. Raises Rejected where something would get lost."""
        common = order_values(order, key)
        repeated = Repeated(order)
        whose = f"order {order.web_number}"
        planned: list[Execution] = []
        for ready in self._steps:
            step = ready.step
            rounds = [own for own in repeated.rounds(step) if works_for(step, common, own)]
            planned += ready.each(common, rounds, whose)
        refuse_losses(order, common, repeated, self._kept, self._profile)
        return tuple(planned)

    def plan_cancellation(self, key: IdempotencyKey) -> tuple[Execution, ...]:
        """Every step that cancels the order under this key."""
        values = {"order.key": key.value}
        return tuple(ready.once(values, f"order {key}") for ready in self._cancel)

    def plan_customer(self, customer: NewCustomer, key: IdempotencyKey) -> tuple[Execution, ...]:
        """Every step that makes this customer. Raises Rejected for what cannot be kept."""
        values = customer_values(customer, key)
        return tuple(
            ready.once(values, f"customer {customer.name}")
            for ready in self._customer
            if works_for(ready.step, values)
        )

    def plan_credit(self, request: CreditRequest, key: IdempotencyKey) -> tuple[Execution, ...]:
        """Every step that files this request, as far as its conditions let it run."""
        values = credit_values(request, key)
        number = request.web_number.value
        return tuple(
            ready.once(values, number) for ready in self._credit if works_for(ready.step, values)
        )

    def run(
        self, connection: Connection, planned: Sequence[Execution], attempt: Attempt
    ) -> dict[str, Any]:
        """Runs them in order and answers what was captured. The caller owns the transaction.

        ``attempt`` is kept up to date with what is being done.
        """
        return self.run_all(connection, [(attempt.doing, planned)], attempt)[0]

    def run_all(
        self,
        connection: Connection,
        orders: Sequence[tuple[str, Sequence[Execution]]],
        attempt: Attempt,
    ) -> list[dict[str, Any]]:
        """The same for several orders, one after the other, each with what is being done."""
        with lane(connection, self._texts) as running:
            run = _Run(running, attempt)
            for writing, planned in orders:
                run.order(writing, planned)
            run.look()
        attempt.doing, attempt.order = f"{orders[-1][0]}, at the end", None
        return run.captured


class _Run:
    """Statements on their way: sent, and looked at as soon as somebody needs their answer."""

    def __init__(self, running: Lane, attempt: Attempt) -> None:
        self._lane, self._attempt = running, attempt
        self._sent: list[tuple[int, str, Execution]] = []
        self._awaited: set[str] = set()
        self.captured: list[dict[str, Any]] = []

    def order(self, writing: str, planned: Sequence[Execution]) -> None:
        self.captured.append({})
        # What an earlier order captures is not this one's.
        self._awaited.clear()
        for execution in planned:
            ready = execution.ready
            if not self._awaited.isdisjoint(ready.free):
                self.look()
            captured = self.captured[-1]
            parameters = {name: captured.get(name) for name in ready.free}
            parameters.update(execution.parameters)
            self._sent.append((len(self.captured) - 1, writing, execution))
            if not self._lane.waits:
                self._about(*self._sent[-1])
            self._lane.send(ready.sql, parameters, wants_id=ready.wants_id)
            self._awaited.update(ready.capture)
            if not self._lane.waits:
                self.look()

    def look(self) -> None:
        """Look at every answer that is not looked at yet."""
        sent, self._sent = self._sent, []
        self._awaited.clear()
        replies = self._lane.replies()
        for each in sent:
            self._about(*each)
            order, _, execution = each
            reply = next(replies)
            self.captured[order].update(_outcome(execution.ready, reply, self._attempt.doing))
        for _ in replies:  # none is left, but perhaps an error
            pass

    def _about(self, order: int, writing: str, execution: Execution) -> None:
        self._attempt.order = order
        self._attempt.doing = f"{writing}, {execution.about}"


def refuse_losses(
    order: SalesOrder,
    common: Values,
    repeated: Repeated,
    kept: Kept,
    profile: Profile,
) -> None:
    """Raises Rejected where the order has what the profile has no place for."""
    found = kept.lost(order, common, repeated, profile.not_kept)
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
    own = f"{FOR_EACH[step.for_each]}." if step.for_each is not None else None
    bindings: tuple[list[Binding], list[Binding]] = ([], [])
    for parameter, bound in step.bind.items():
        if parameter in sql.parameters:
            convert = writer(bound.kind, facts, dialect, bound.stored, bound.values)
            whose = bindings[own is not None and bound.field.startswith(own)]
            whose.append((parameter, bound.field, convert))
    free = sql.parameters - step.bind.keys()
    shared, each = (tuple(found) for found in bindings)
    return _Ready(step, sql, shared, each, step.captured(dialect), free)


def _outcome(ready: _Ready, reply: Reply, doing: str) -> dict[str, Any]:
    """What the step captured. Raises Rejected where it did not do what was expected."""
    step = ready.step
    rows, count = reply.rows or [], reply.count
    if step.expect_rows is not None:
        if count < 0:
            raise Misconfigured(
                f"{step.place}: step {step.name} expects rows, and the driver counts none;"
                " let the statement answer a row"
            )
        if count != step.expect_rows:
            what = step.otherwise or f"{count} rows where {step.expect_rows} were expected"
            remedy = "put right in the ERP what it names, then replay"
            if not count and not step.otherwise:
                remedy = (
                    "what the step looks up is not in the ERP: enter it there, or correct"
                    f" codes.yaml or the step in {step.place}, then replay"
                )
            raise Rejected(f"{doing}: {what}", code="erp_step", remedy=remedy)
    found = {}
    for name, column in ready.capture.items():
        if column == LAST_INSERT_ID:
            value = reply.last_id
        elif not rows:
            raise Rejected(
                f"{doing}: {step.otherwise or 'it answered no row'}",
                code="erp_step",
                remedy="put right in the ERP what it names, then replay",
            )
        else:
            keys = [key.lower() for key in reply.names]
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
    name = "line.sku" if group == "line" else f"{group}.code"
    if values.get(name) is not None:
        parts.append(str(values[name]))
    return ", ".join(parts)
