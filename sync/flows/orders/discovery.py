"""Every order that the store shows goes into the ledger, before anything else."""

from __future__ import annotations

from datetime import timedelta

from sync.domain.ids import WebOrderId
from sync.domain.order import StoreOrder
from sync.domain.times import Watermark
from sync.flows.context import Context, FlowResult, needs
from sync.ports.state import Discovery, LedgerFilter, ResyncScope
from sync.ports.store import ReadsWebOrders

WATERMARK = "orders"


def discover(context: Context, result: FlowResult, scope: ResyncScope) -> None:
    """Read the store's feed into the ledger, page by page.

    Orders and watermark are committed together, so a crash in between repeats a
    page and loses none. A run with a scope moves no watermark: it says nothing
    of what lies outside the scope.
    """
    if scope.order is not None:
        _discover_one(context, result, scope.order)
        return
    store = needs(context.store, ReadsWebOrders, "the store")
    since = reading_from(context, scope)
    seen = 0
    for page in context.retrying()(store.changed_orders, since):
        with context.state.transaction() as state:
            now = context.clock.now()
            for order in page.orders:
                if in_scope(order, scope):
                    found = state.ledger.discover(order, now)
                    result.count(f"orders_{found.value}", found is not Discovery.SAME)
            held = state.watermarks.get(WATERMARK)
            if not scope.narrow and (held is None or held < page.reached):
                state.watermarks.set(WATERMARK, page.reached)
        seen += len(page.orders)
        if context.progress("orders: reading the store", seen, None):
            result.outcome = "cancelled"
            return


def _discover_one(context: Context, result: FlowResult, name: str) -> None:
    store = needs(context.store, ReadsWebOrders, "the store")
    order = context.retrying()(store.order, order_id_of(context, name))
    if order is None:
        result.remarks.append(f"The store shows no order {name}.")
        return
    with context.state.transaction() as state:
        found = state.ledger.discover(order, context.clock.now())
    result.count(f"orders_{found.value}", found is not Discovery.SAME)


def order_id_of(context: Context, name: str) -> WebOrderId:
    """The order's key, from its number where the ledger knows it."""
    with context.state.transaction() as state:
        known = state.ledger.entries(LedgerFilter(numbers=frozenset({name}), limit=1))
    return known[0].order_id if known else WebOrderId(name)


def reading_from(context: Context, scope: ResyncScope) -> Watermark | None:
    """Where the reading begins: behind the watermark by the store's overlap."""
    if scope.since is not None:
        return Watermark(scope.since)
    if scope.narrow:
        return None
    with context.state.transaction() as state:
        held = state.watermarks.get(WATERMARK)
    if held is None:
        return None
    return Watermark(held.at - timedelta(seconds=context.store.capabilities.overlap_s))


def in_scope(order: StoreOrder, scope: ResyncScope) -> bool:
    if scope.channel is not None and (
        order.channel is None or order.channel.value != scope.channel
    ):
        return False
    return scope.until is None or order.modified_at <= scope.until
