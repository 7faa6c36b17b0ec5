"""Orders that the store cancels after their import are cancelled in the ERP too (OI-4).

Only where the settings say so and the ERP can; otherwise a person is told, as
of every other late change. The ERP is looked at before each attempt: one that
has the order as cancelled needs nothing, one that has begun to work on it is
for a person. That an attempt is made is written down before it is made, so an
answer that never came is looked up after the ERP's own time-outs, and never
taken for a yes or a no. Cancelling changes no order into another and writes
none: whatever happens here, the web order is in the ERP once.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import structlog

from sync.domain.order import OrderState, StoreOrder, WebOrder
from sync.domain.sales_order import ErpOrderState, OrderStatus
from sync.errors import (
    AccessDenied,
    Conflict,
    Misconfigured,
    OutcomeUnknown,
    Refusal,
    TryLater,
)
from sync.flows.context import Context, FlowResult
from sync.flows.mirroring import take_unreadable
from sync.flows.orders.records import look_again_after_s
from sync.flows.orders.scoping import Bounds
from sync.planning.changes import STOPPED
from sync.ports.erp import CancelsOrders, ReadsOrderStatus
from sync.ports.state import LedgerEntry, LedgerState

log = structlog.get_logger()

# Nobody has begun to pick it: cancelling takes back no work.
UNTOUCHED = frozenset({ErpOrderState.RECEIVED, ErpOrderState.ON_HOLD, ErpOrderState.OPEN})
_AT_REST = frozenset({LedgerState.IMPORTED, LedgerState.ACKNOWLEDGED})
_MOST_ATTEMPTS = 3
_STORE = "The order was cancelled in the store after its import"


def to_be_cancelled(context: Context, entry: LedgerEntry, newer: StoreOrder) -> bool:
    """Whether this late change is a cancellation that goes on to the ERP.

    Not while the order is in review: a person has it in hand.
    """
    if not context.limits.orders.pass_on_cancellations or not _able(context):
        return False
    if entry.imported_at is None or entry.state not in _AT_REST:
        return False
    stopped = isinstance(entry.order, WebOrder) and entry.order.state in STOPPED
    return isinstance(newer, WebOrder) and newer.state is OrderState.CANCELLED and not stopped


def both_cancelled(entry: LedgerEntry, newer: StoreOrder) -> bool:
    """Whether the ERP has cancelled it as the store did: what is refunded then is no news."""
    done = entry.cancel_asked_at is not None and entry.cancel_due_at is None
    return done and all(
        isinstance(each, WebOrder) and each.state in STOPPED for each in (entry.order, newer)
    )


def called_back(entry: LedgerEntry, newer: StoreOrder) -> tuple[str, ...]:
    """What to tell where the store opens an order again that the ERP was asked to cancel."""
    open_again = not isinstance(newer, WebOrder) or newer.state not in STOPPED
    if entry.cancel_asked_at is None or not open_again:
        return ()
    return ("The ERP was asked to cancel the order, and the store shows it as open again.",)


def cancel_in_erp(context: Context, result: FlowResult, bounds: Bounds) -> None:
    """See to every cancellation that is wanted, one look and at most one attempt each."""
    seen: set[str] = set()
    while True:
        with context.state.transaction() as state:
            limit = context.limits.orders.batch + len(seen)
            entries = state.ledger.cancelling(context.clock.now(), limit)
        entries = [each for each in entries if each.order_id.value not in seen]
        if not entries:
            return
        outside = bounds.outside([each.order_id for each in entries])
        seen |= {each.value for each in outside}
        entries = [each for each in entries if each.order_id not in outside]
        if not entries:
            continue
        erp = context.erp
        if not isinstance(erp, ReadsOrderStatus) or not isinstance(erp, CancelsOrders):
            _to_people(context, result, entries)
            continue
        statuses = context.retrying()(erp.order_statuses, [each.key for each in entries])
        unreadable = take_unreadable(context, result, "an order like that is not cancelled yet")
        for entry in entries:
            seen.add(entry.order_id.value)
            status = statuses.get(entry.key)
            # What cannot be read is neither lost nor untouched: the next run looks again.
            if status is not None or not unreadable.names(entry.key.value):
                _see_to(context, result, erp, entry, status)
            if context.progress("orders: cancelling", len(seen), None):
                result.outcome = "cancelled"
                return


def _able(context: Context) -> bool:
    return isinstance(context.erp, CancelsOrders) and isinstance(context.erp, ReadsOrderStatus)


def _to_people(context: Context, result: FlowResult, entries: Sequence[LedgerEntry]) -> None:
    for entry in entries:
        _review(context, result, entry, "and this ERP cancels none by itself")


def _see_to(
    context: Context,
    result: FlowResult,
    erp: CancelsOrders,
    entry: LedgerEntry,
    status: OrderStatus | None,
) -> None:
    if status is None:
        _review(context, result, entry, "and the ERP does not find it under its key")
    elif status.state is ErpOrderState.CANCELLED:
        _cancelled(context, result, entry)
    elif status.state not in UNTOUCHED:
        has = status.state.value.replace("_", " ")
        _review(context, result, entry, f"when the ERP had it as {has} already")
    elif _attempts(context, entry) >= _MOST_ATTEMPTS:
        _review(
            context, result, entry, f"and the ERP was asked {_MOST_ATTEMPTS} times without effect"
        )
    else:
        _ask(context, result, erp, entry)


def _ask(context: Context, result: FlowResult, erp: CancelsOrders, entry: LedgerEntry) -> None:
    with context.state.transaction() as state:
        now = context.clock.now()
        look_again_at = now + timedelta(seconds=look_again_after_s(context))
        if not state.ledger.cancel_asked(entry.order_id, now, look_again_at):
            return
    try:
        erp.cancel_order(entry.key)
    except Refusal as refusal:
        _review(context, result, entry, f"and the ERP does not cancel it: {refusal}", asked=False)
    except (OutcomeUnknown, Conflict) as unknown:
        result.count("outcome_unknown")
        log.warning("order.cancel_unknown", web_order=entry.number, message=str(unknown))
    except (TryLater, AccessDenied, Misconfigured) as error:
        with context.state.transaction() as state:
            now = context.clock.now()
            pause = timedelta(seconds=context.limits.orders.retry_first_s)
            state.ledger.cancel_put_off(entry.order_id, str(error), now, now + pause)
        raise
    except Exception as error:
        # Nobody knows how far it came: looked up like an answer that was lost.
        log.exception("order.cancel_failed", web_order=entry.number)
        result.count("failed")
        result.remarks.append(f"{entry.number}: {type(error).__name__}, see the log")
    else:
        _cancelled(context, result, entry)


def _attempts(context: Context, entry: LedgerEntry) -> int:
    """How often the ERP was asked and may have heard it."""
    with context.state.transaction() as state:
        events = [each.event for each in state.ledger.history(entry.order_id)]
    return events.count("cancel_asked") - events.count("cancel_put_off")


def _cancelled(context: Context, result: FlowResult, entry: LedgerEntry) -> None:
    with context.state.transaction() as state:
        state.ledger.record_cancelled(entry.order_id, context.clock.now())
    result.count("cancelled_in_erp")
    result.sample(f"{entry.number} cancelled in the ERP")
    log.info("order.cancelled", web_order=entry.number)


def _review(
    context: Context, result: FlowResult, entry: LedgerEntry, why: str, *, asked: bool = True
) -> None:
    sentence = f"{_STORE}, {why}."
    with context.state.transaction() as state:
        now = context.clock.now()
        if not asked:
            state.ledger.cancel_put_off(entry.order_id, "it was refused", now, now)
        state.ledger.settle_change(entry.order_id, now, (sentence,))
    result.count("review")
    result.remarks.append(f"{entry.number}: {sentence}")
