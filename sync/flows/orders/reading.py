"""Orders as the store shows them now, several with as few questions as it takes."""

from __future__ import annotations

from collections.abc import Sequence

from sync.domain.ids import WebOrderId
from sync.domain.order import StoreOrder
from sync.flows.context import Context, needs
from sync.ports.store import ReadsOrdersTogether, ReadsWebOrders


def orders_now(
    context: Context, order_ids: Sequence[WebOrderId]
) -> dict[WebOrderId, StoreOrder | None]:
    """Each of these orders, in their order; None for one that the store no longer shows.

    What one of them makes the store raise is raised for all.
    """
    retrying, store = context.retrying(), context.store
    if isinstance(store, ReadsOrdersTogether) and len(order_ids) > 1:
        shown = retrying(store.orders_now, order_ids)
        return {each: shown.get(each) for each in order_ids}
    single = needs(store, ReadsWebOrders, "the store")
    return {each: retrying(single.order, each) for each in order_ids}
