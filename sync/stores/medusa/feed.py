"""The order feed: by time of change, and by nothing that moves.

A page begins at the moment that the one before ended with, and that moment is
read again, since several orders may share it; those that were given are left out.
An order that changes meanwhile moves behind the end and comes again in the next
read. What is behind the end as it stood at the beginning is not read at all.

Not every change moves an order's time: the authorisation of its payment, which
comes a second later, and a capture do not. The overlap of the next read and the
look that precedes every import see to the first; nobody needs the second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from sync.domain.order import StoreOrder
from sync.domain.times import Watermark
from sync.ports.store import OrderPage
from sync.stores.medusa.queries import Json, Queries
from sync.stores.medusa.spelling import read_moment


def order_pages(
    queries: Queries,
    since: Watermark | None,
    page_size: int,
    told: Callable[[list[Json]], list[StoreOrder]],
) -> Iterator[OrderPage]:
    """Pages of orders, oldest change first; ``told`` makes orders of what was read."""
    end = queries.newest_order()
    cursor = since.at if since is not None else None
    if end is None or (cursor is not None and cursor > end):
        return
    reached = since or Watermark(datetime.min.replace(tzinfo=UTC))
    at_cursor: set[str] = set()
    while True:
        # Of the orders at the cursor the answer may hold all that were given.
        limit = page_size + len(at_cursor)
        found = queries.orders_changed(cursor, end, limit)
        fresh = [each for each in found if each["id"] not in at_cursor][:page_size]
        if not fresh:
            return
        orders = told(fresh)
        reached = max(reached, *(Watermark(order.modified_at) for order in orders))
        yield OrderPage(tuple(orders), reached)
        last = read_moment(fresh[-1]["updated_at"])
        if cursor is None or last > cursor:
            at_cursor = set()
        cursor = last
        at_cursor |= {each["id"] for each in fresh if read_moment(each["updated_at"]) == last}
        if len(found) < limit:
            return
