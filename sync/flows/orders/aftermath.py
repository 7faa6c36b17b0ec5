"""After the import: changes that came too late, and what the store shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import structlog

from sync.domain.decision import Closing
from sync.domain.ids import WebOrderId
from sync.domain.order import Approval, StoreOrder, WebOrder
from sync.domain.views import ImportNotice
from sync.errors import (
    AccessDenied,
    Conflict,
    Misconfigured,
    OutcomeUnknown,
    Refusal,
    TryLater,
)
from sync.flows.context import Context, FlowResult, needs
from sync.flows.mirroring import chunks
from sync.planning.changes import STOPPED, late_changes
from sync.ports.notices import notice_for
from sync.ports.state import LedgerEntry, LedgerState
from sync.ports.store import ShowsImport

log = structlog.get_logger()


def judge_changes(context: Context, result: FlowResult) -> None:
    """Send to review each order that changed after it left our hands (OI-4)."""
    while True:
        with context.state.transaction() as state:
            changed = state.ledger.changed_since(context.limits.orders.batch)
            for entry, newer in changed:
                differences = _differences(entry, newer)
                state.ledger.settle_change(entry.order_id, context.clock.now(), differences)
                if differences:
                    result.count("review")
                    told = " ".join(differences)
                    result.remarks.append(f"{entry.number} changed too late: {told}")
        if not changed:
            return


def _differences(entry: LedgerEntry, newer: StoreOrder) -> tuple[str, ...]:
    if entry.imported_at is not None:
        return late_changes(entry.order, newer)
    if entry.state is LedgerState.CLOSED and entry.closing is not Closing.DISMISSED:
        still = isinstance(newer, WebOrder) and (
            newer.state in STOPPED or newer.approval is Approval.REFUSED
        )
        if not still:
            # Not imported by itself: whoever closed it may not want it twice.
            return ("The order was closed before it was imported, and is open again.",)
    return ()


# Showing is idempotent, so a crash that loses a few of these records repeats them.
RECORDED_TOGETHER = 50


def tell_store(context: Context, result: FlowResult) -> None:
    """Show at each order how far it is (WA-13); the ERP side is not touched.

    A notice that the store refuses is remarked and tried again in the next run.
    """
    store = needs(context.store, ShowsImport, "the store")
    retrying = context.retrying()
    untold: set[WebOrderId] = set()
    told = 0
    while True:
        with context.state.transaction() as state:
            entries = state.ledger.to_show(context.limits.orders.batch + len(untold))
        entries = [entry for entry in entries if entry.order_id not in untold]
        if not entries:
            return
        for some in chunks(entries, RECORDED_TOGETHER):
            shown: list[tuple[LedgerEntry, ImportNotice]] = []
            try:
                for entry in some:
                    notice = notice_for(entry)
                    if notice is None:
                        untold.add(entry.order_id)
                        continue
                    show = partial(retrying, store.show_import, entry.order_id, notice)
                    if took(result, entry, show):
                        shown.append((entry, notice))
                    else:
                        untold.add(entry.order_id)
            finally:
                _record_shown(context, result, shown)
            told += len(some)
            # A backlog of notices may take longer than a stop, or the watchdog, waits.
            if context.progress("orders: telling the store", told, None):
                result.outcome = "cancelled"
                return


def took(result: FlowResult, entry: LedgerEntry, show: Callable[[], None]) -> bool:
    """Whether the store took what is shown at this order.

    What goes wrong with one order is remarked, and costs no other order its
    notice. Raises what says that the store itself is away or shut.
    """
    try:
        show()
    except (TryLater, OutcomeUnknown, Conflict, AccessDenied, Misconfigured):
        raise
    except Refusal as refusal:
        result.remarks.append(f"{entry.number}: {refusal}")
    except Exception as error:
        log.exception("notice.failed", web_order=entry.number)
        result.remarks.append(f"{entry.number}: {type(error).__name__}, see the log")
    else:
        return True
    result.count("not_shown")
    return False


def _record_shown(
    context: Context, result: FlowResult, shown: Sequence[tuple[LedgerEntry, ImportNotice]]
) -> None:
    if not shown:
        return
    with context.state.transaction() as state:
        for entry, notice in shown:
            now = context.clock.now()
            state.ledger.record_shown(entry.order_id, notice, now, since=entry)
    result.count("shown", len(shown))
