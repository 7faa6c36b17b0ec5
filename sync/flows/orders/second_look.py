"""A second look at what the store shows of orders that have come to rest.

A store that hangs may carry out a notice or a status after a later one, and it
carries no version: the store cannot tell which is newer. Whoever sent it may be
gone by then. So each order is compared once more when the store has been told
nothing new of it for as long as an unknown outcome rests, and once a day with
all others that it was told of in the last days, those of a pause not counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import structlog

from sync.domain.times import Watermark
from sync.flows.context import Context, FlowResult, needs
from sync.flows.orders.aftermath import Telling, notices_shown_before
from sync.flows.orders.discovery import LOOK_BACK, LOOK_BACK_EVERY
from sync.ports.notices import notice_for
from sync.ports.state import ShownOrder, State
from sync.ports.store import ShowsImport

log = structlog.get_logger()

LOOKED_AGAIN = "orders:looked_again"
LOOKED_AGAIN_FAR = "orders:looked_again_far"


@dataclass(frozen=True, slots=True)
class _Span:
    """Orders of which the store was told last after ``after``, and not later than ``until``."""

    after: datetime
    until: datetime
    far: bool


def look_again(context: Context, result: FlowResult) -> None:
    """Show again what the store no longer shows as it confirmed it.

    What is still to be shown for the first time is ``tell_store``'s. A run that
    breaks off compares the same orders again in the next one.
    """
    span = _span(context)
    if span.after < span.until:
        store = needs(context.store, ShowsImport, "the store")
        telling = Telling(result, partial(notices_shown_before, context))
        seen = 0
        for entries in _told(context.state, span, context.limits.orders.batch):
            _compare(context, result, store, telling, entries)
            seen += len(entries)
            if context.progress("orders: looking at the store again", seen, None):
                result.outcome = "cancelled"
                return
        telling.finish()
    with context.state.transaction() as state:
        state.watermarks.set(LOOKED_AGAIN, Watermark(span.until))
        if span.far:
            state.watermarks.set(LOOKED_AGAIN_FAR, Watermark(context.clock.now()))


def _span(context: Context) -> _Span:
    now = context.clock.now()
    until = now - timedelta(seconds=context.limits.orders.ambiguity_wait_s)
    with context.state.transaction() as state:
        near = state.watermarks.get(LOOKED_AGAIN)
        far = state.watermarks.get(LOOKED_AGAIN_FAR)
    if near is None or far is None or not now - LOOK_BACK_EVERY < far.at <= now:
        # From the last such look on: during a pause nobody has looked.
        last = now if far is None else min(far.at, now)
        return _Span(last - LOOK_BACK, until, far=True)
    return _Span(min(near.at, until), until, far=False)


def _told(state: State, span: _Span, limit: int) -> Iterator[Sequence[ShownOrder]]:
    after = None
    while True:
        with state.transaction() as on:
            entries = on.ledger.told(span.after, span.until, after, limit)
        if not entries:
            return
        yield entries
        after = entries[-1]


def _compare(
    context: Context,
    result: FlowResult,
    store: ShowsImport,
    telling: Telling,
    entries: Sequence[ShownOrder],
) -> None:
    retrying = context.retrying()
    keys = [entry.order_id for entry in entries]
    notices = retrying(store.shown_imports, keys)
    statuses = retrying(store.shown_order_statuses, keys)
    for entry in entries:
        told = entry.shown
        if told is not None and told == notice_for(entry) != notices.get(entry.order_id):
            show = partial(retrying, store.show_import, entry.order_id, told)
            result.count("shown_again", telling.took(entry.number, show))
            log.warning("notice.overtaken", web_order=entry.number)
        status = entry.status
        if status is not None and status != statuses.get(entry.order_id):
            show = partial(retrying, store.show_order_status, entry.order_id, status)
            result.count("shown_again", telling.took(entry.number, show))
            log.warning("status.overtaken", web_order=entry.number)
