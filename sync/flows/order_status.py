"""What became of the imported orders in the ERP, shown at the web order (OI-3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

import structlog

from sync.domain.decision import Problem
from sync.domain.erasure import status_without_person
from sync.domain.ids import ChannelId, CustomerId, WebOrderId
from sync.domain.problem_codes import problem
from sync.domain.sales_order import ErpOrderState, OrderStatus
from sync.errors import Misconfigured, SyncError
from sync.flows.context import Context, FlowResult, needs
from sync.flows.mirroring import chunks, take_unreadable
from sync.flows.orders.aftermath import (
    RECORDED_TOGETHER,
    Telling,
    statuses_shown_before,
    tell_store,
)
from sync.flows.orders.capturing import capture_shipped
from sync.flows.orders.discovery import order_id_of
from sync.flows.orders.noting import note_shipped
from sync.flows.orders.scoping import Bounds
from sync.ports.erp import ReadsOrderStatus
from sync.ports.state import LedgerFilter, ResyncScope, ShownOrder
from sync.ports.store import ShowsImport
from sync.secrecy import scrubbed

log = structlog.get_logger()

T = TypeVar("T")


def mirror_order_status(
    context: Context, result: FlowResult, scope: ResyncScope, *, dry_run: bool = False
) -> None:
    """Show each imported order's status, shipments and back-orders as the ERP has them.

    Only what differs is written. An order that the ERP no longer finds, or whose
    status cannot be read, is remarked, never taken for cancelled. That the ERP
    refused an order after it took it is recorded whatever the store says.
    """
    bounds = Bounds(context, scope)
    telling = Telling(result, partial(statuses_shown_before, context))
    away: SyncError | None = None
    after: WebOrderId | None = None
    seen = 0
    while batch := _next(context, scope, after):
        changed = _changed(context, result, _within(context, scope, batch), dry_run=dry_run)
        _record_refused(context, result, changed)
        try:
            for some in chunks([] if away else changed, RECORDED_TOGETHER):
                _show(context, result, telling, some)
        except SyncError as error:
            # The ERP may have refused one of those that follow.
            away = error
        after = batch[-1].order_id
        seen += len(batch)
        if context.progress("order_status: comparing", seen, None):
            result.outcome = "cancelled"
            return
        if scope.order is not None:
            break
    if away is not None:
        raise away
    if not seen and not scope.narrow:
        result.remarks.append("No imported order is open, so the ERP was asked about none.")
    try:
        telling.finish()
    finally:
        if not dry_run:
            capture_shipped(context, result, bounds)
    if not dry_run:
        tell_store(context, result, bounds)


def _changed(
    context: Context, result: FlowResult, entries: Sequence[ShownOrder], *, dry_run: bool
) -> list[tuple[ShownOrder, OrderStatus]]:
    """Those whose status the ERP has otherwise than it is recorded; with ``dry_run`` only told."""
    erp = needs(context.erp, ReadsOrderStatus, "the ERP")
    statuses = context.retrying()(erp.order_statuses, [entry.key for entry in entries])
    unreadable = take_unreadable(context, result)
    changed: list[tuple[ShownOrder, OrderStatus]] = []
    for entry in entries:
        status = statuses.get(entry.key)
        if status is not None:
            status = _fit_to_show(entry, status)
        if status is None and unreadable.names(entry.key.value):
            continue  # told by then, and what is shown stays
        if status is None:
            result.count("not_in_erp")
            known_as = f", its order {entry.erp_order}" if entry.erp_order else ""
            result.remarks.append(f"The ERP no longer finds {entry.number}{known_as}.")
        elif status == entry.status:
            result.count("unchanged")
        elif dry_run:
            result.count("would_change")
            result.sample(_told(entry, status))
        else:
            changed.append((entry, status))
    return changed


def _fit_to_show(entry: ShownOrder, status: OrderStatus) -> OrderStatus:
    """The ERP's own words without a secret, and without a person who was erased."""
    if entry.erased:
        return status_without_person(status)
    return replace(status, message=scrubbed(status.message)) if status.message else status


def _told(entry: ShownOrder, status: OrderStatus) -> str:
    """In the words of a change: which order, and what the ERP does with it."""
    return f"{entry.number}: {status.state.value.replace('_', ' ')}"


def _next(context: Context, scope: ResyncScope, after: WebOrderId | None) -> list[ShownOrder]:
    only = order_id_of(context, scope.order) if scope.order is not None else None
    with context.state.transaction() as state:
        if only is None:
            return list(state.ledger.open_orders(after, context.limits.orders.batch))
        entry = state.ledger.entry(only)
    return [entry.to_buyers] if entry is not None and entry.imported_at is not None else []


def _within(
    context: Context, scope: ResyncScope, batch: Sequence[ShownOrder]
) -> Sequence[ShownOrder]:
    """Those of the batch that are of the scope's account and channel."""
    if scope.customer is None and scope.channel is None:
        return batch
    wanted = LedgerFilter(
        order_ids=frozenset(entry.order_id for entry in batch),
        customer_id=_maybe(CustomerId, scope.customer),
        channel=_maybe(ChannelId, scope.channel),
    )
    with context.state.transaction() as state:
        found = {entry.order_id for entry in state.ledger.entries(wanted)}
    return [entry for entry in batch if entry.order_id in found]


def _maybe(make: Callable[[str], T], value: str | None) -> T | None:
    """Raises Misconfigured for what can be no such key."""
    try:
        return None if value is None else make(value)
    except ValueError as error:
        raise Misconfigured(f"{value!r}: {error}") from error


def _show(
    context: Context,
    result: FlowResult,
    telling: Telling,
    changed: Sequence[tuple[ShownOrder, OrderStatus]],
) -> None:
    store = needs(context.store, ShowsImport, "the store")
    retrying = context.retrying()
    shown: list[tuple[WebOrderId, OrderStatus]] = []
    try:
        for entry, status in changed:
            show = partial(retrying, store.show_order_status, entry.order_id, status)
            if telling.took(entry.number, show):
                shown.append((entry.order_id, status))
                result.sample(_told(entry, status))
    finally:
        with context.state.transaction() as state:
            for order_id, status in shown:
                # Of a refused one it is recorded by then.
                state.ledger.record_status(order_id, status, context.clock.now())
                note_shipped(context, state, order_id, status)
        result.count("status_shown", len(shown))


def _record_refused(
    context: Context, result: FlowResult, changed: Sequence[tuple[ShownOrder, OrderStatus]]
) -> None:
    """A person must see what the ERP does not carry out, also where the store shows nothing.

    Where the store does not take this status now, the second look shows it.
    """
    refused = [each for each in changed if each[1].state is ErpOrderState.REFUSED]
    if not refused:
        return
    held: list[tuple[str, Problem]] = []
    with context.state.transaction() as state:
        for entry, status in refused:
            said = status.message or "it gave no reason"
            reason = problem(
                "erp_refused",
                f"The ERP took the order and refused it later: {said}",
                "Correct what the ERP names, then replay.",
            )
            state.ledger.record_refused(entry.order_id, status, reason, context.clock.now())
            held.append((entry.number, reason))
    result.count("quarantined", len(held))
    for number, reason in held:
        log.warning("order.quarantined", web_order=number, code=reason.code, rule=reason.rule)
        result.remarks.append(f"{number} quarantined: {reason.sentence}")
