"""After the import: changes that came too late, and what the store shows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from functools import partial

import structlog

from sync.domain.decision import Closing
from sync.domain.erasure import without_person
from sync.domain.ids import WebOrderId
from sync.domain.order import Approval, StoreOrder, WebOrder
from sync.domain.views import ImportNotice
from sync.errors import (
    AccessDenied,
    Conflict,
    LeftAlone,
    Misconfigured,
    OutcomeUnknown,
    Refusal,
    SyncError,
    TryLater,
)
from sync.flows.context import Context, FlowResult, needs
from sync.flows.mirroring import chunks
from sync.flows.orders.cancelling import both_cancelled, called_back, to_be_cancelled
from sync.flows.orders.crediting import credits_refunds
from sync.flows.orders.noting import note_refunds
from sync.flows.orders.scoping import Bounds
from sync.planning.changes import STOPPED, apart_from_refunds, late_changes
from sync.ports.notices import notice_for
from sync.ports.state import LedgerEntry, LedgerState, ShownOrder
from sync.ports.store import ShowsImport

log = structlog.get_logger()


def judge_changes(context: Context, result: FlowResult) -> None:
    """Send to review each order that changed after it left our hands (OI-4).

    A cancellation that can be passed on to the ERP is only noted: ``cancel_in_erp``
    sees to it.
    """
    while True:
        with context.state.transaction() as state:
            changed = state.ledger.changed_since(context.limits.orders.batch)
            for entry, newer in changed:
                if entry.imported_at is not None and isinstance(newer, WebOrder):
                    note_refunds(context, state, entry.order_id, newer.refunds)
                if to_be_cancelled(context, entry, newer):
                    state.ledger.want_cancelled(entry.order_id, context.clock.now())
                    continue
                differences = _differences(context, entry, newer)
                state.ledger.settle_change(entry.order_id, context.clock.now(), differences)
                if differences:
                    result.count("review")
                    told = " ".join(differences)
                    result.remarks.append(f"{entry.number} changed too late: {told}")
        if not changed:
            return


def _differences(context: Context, entry: LedgerEntry, newer: StoreOrder) -> tuple[str, ...]:
    if entry.imported_at is not None:
        if both_cancelled(entry, newer):
            return ()
        if credits_refunds(context, entry):
            newer = apart_from_refunds(entry.order, newer, entry.status)
        return (*called_back(entry, newer), *_late_changes(entry, newer))
    if entry.state is LedgerState.CLOSED and entry.closing is not Closing.DISMISSED:
        still = isinstance(newer, WebOrder) and (
            newer.state in STOPPED or newer.approval is Approval.REFUSED
        )
        if not still:
            # Not imported by itself: whoever closed it may not want it twice.
            return ("The order was closed before it was imported, and is open again.",)
    return ()


def _late_changes(entry: LedgerEntry, newer: StoreOrder) -> tuple[str, ...]:
    """The differences; where the order was reduced, those of what is left of it."""
    if entry.reduced_at is None:
        return late_changes(entry.order, newer)
    return late_changes(entry.order, without_person(newer)) or (NO_LONGER_KEPT,)


NO_LONGER_KEPT = (
    "The order was changed in the store in what is no longer kept here: names, addresses or notes."
)

# Showing is idempotent, so a crash that loses a few of these records repeats them.
RECORDED_TOGETHER = 50


def tell_store(context: Context, result: FlowResult, bounds: Bounds) -> None:
    """Show at each order how far it is (WA-13); the ERP side is not touched.

    A notice that the store does not take is remarked and tried again in the next run.
    """
    store = needs(context.store, ShowsImport, "the store")
    retrying = context.retrying()
    telling = Telling(result, partial(notices_shown_before, context))
    untold: set[WebOrderId] = set()
    told = 0
    while True:
        with context.state.transaction() as state:
            entries = state.ledger.to_show(context.limits.orders.batch + len(untold))
        entries = [entry for entry in entries if entry.order_id not in untold]
        outside = bounds.outside([entry.order_id for entry in entries])
        untold |= outside
        if entries and len(outside) == len(entries):
            continue
        entries = [entry for entry in entries if entry.order_id not in outside]
        if not entries:
            telling.finish()
            return
        for some in chunks(entries, RECORDED_TOGETHER):
            shown: list[tuple[ShownOrder, ImportNotice]] = []
            try:
                for entry in some:
                    notice = notice_for(entry)
                    if notice is None:
                        untold.add(entry.order_id)
                        continue
                    show = partial(retrying, store.show_import, entry.order_id, notice)
                    if telling.took(entry.number, show):
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


# So many in a row may fail where the store took nothing before that it can be asked again.
SEVERAL = 5
# As many orders are shown once more what the store has of them, to see whether it is there.
_SHOWN_AGAIN = 3
_SHOWN_WITHIN = timedelta(days=30)

Shown = tuple[str, Callable[[], None]]
"""An order's number, and how it is shown once more what the store took before."""


class Telling:
    """Shows what is to be shown order by order.

    What goes wrong with one order is remarked, and costs no other order its
    notice. Whether it is the order or the store that is away is seen by showing
    another order what the store took of it before, which changes nothing:
    ``shown_before`` gives such orders for a run in which none was taken yet.
    Two odd orders in a row would otherwise look like a store that is away, in
    each run again, and keep all that follow from being shown.
    """

    def __init__(self, result: FlowResult, shown_before: Callable[[], Iterable[Shown]]) -> None:
        self._result = result
        self._shown_before = shown_before
        self._taken: list[Shown] | None = None
        self._odd: set[str] = set()
        # Those that failed in a row while nothing showed that the store is there.
        self._unproven: list[SyncError] = []

    def took(self, number: str, show: Callable[[], None]) -> bool:
        """Whether the store took what is to be shown of that order.

        Raises what says that the store itself is away or shut.
        """
        try:
            show()
        except (LeftAlone, AccessDenied, Misconfigured):
            raise
        except (TryLater, OutcomeUnknown, Conflict) as error:
            self._odd.add(number)
            self._unproven.append(error)
            if self._is_away():
                raise
            self._result.remarks.append(f"{number}: {error}; it is shown in the next run")
        except Refusal as refusal:
            self._result.remarks.append(f"{number}: {refusal}")
        except Exception as error:
            log.exception("notice.failed", web_order=number)
            self._result.remarks.append(f"{number}: {type(error).__name__}, see the log")
        else:
            self._unproven.clear()
            self._taken = [(number, show)]
            return True
        self._result.count("not_shown")
        return False

    def finish(self) -> None:
        """Raises what went wrong with the last one, where no other was taken since."""
        if self._unproven:
            raise self._unproven[-1]

    def _is_away(self) -> bool:
        if self._taken is None:
            self._taken = list(self._shown_before())
        failed = False
        for number, show in self._taken:
            if number in self._odd:
                continue
            try:
                show()
            except (AccessDenied, Misconfigured):
                raise
            except (TryLater, OutcomeUnknown, Conflict):
                failed = True
            except Exception as error:  # noqa: BLE001 - it says nothing of the order that failed
                log.info("notice.not_repeated", web_order=number, reason=type(error).__name__)
            else:
                self._unproven.clear()
                return False
        return failed or len(self._unproven) >= SEVERAL


def notices_shown_before(context: Context) -> Iterator[Shown]:
    """Of a few orders the notice that the store has, and should have."""
    store, retrying = needs(context.store, ShowsImport, "the store"), context.retrying()
    for entry in _told_lately(context, lambda each: each.shown == notice_for(each) is not None):
        if entry.shown is not None:
            yield entry.number, partial(retrying, store.show_import, entry.order_id, entry.shown)


def statuses_shown_before(context: Context) -> Iterator[Shown]:
    """Of a few orders the ERP's status as the store has it."""
    store, retrying = needs(context.store, ShowsImport, "the store"), context.retrying()
    for entry in _told_lately(context, lambda each: each.status is not None):
        if entry.status is not None:
            show = partial(retrying, store.show_order_status, entry.order_id, entry.status)
            yield entry.number, show


def _told_lately(context: Context, wanted: Callable[[ShownOrder], bool]) -> Sequence[ShownOrder]:
    now = context.clock.now()
    with context.state.transaction() as state:
        told = state.ledger.told(now - _SHOWN_WITHIN, now, None, context.limits.orders.batch)
    return [entry for entry in told if wanted(entry)][-_SHOWN_AGAIN:]


def _record_shown(
    context: Context, result: FlowResult, shown: Sequence[tuple[ShownOrder, ImportNotice]]
) -> None:
    if not shown:
        return
    with context.state.transaction() as state:
        for entry, notice in shown:
            now = context.clock.now()
            state.ledger.record_shown(entry.order_id, notice, now, since=entry)
    result.count("shown", len(shown))
