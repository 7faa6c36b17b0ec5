"""Which of the due orders a person meant who asked for a part: one channel, one account."""

from __future__ import annotations

from collections.abc import Sequence

from sync.domain.ids import CustomerId, WebOrderId
from sync.domain.order import StoreOrder
from sync.flows.context import Context
from sync.flows.lookups import Lookups
from sync.flows.orders.discovery import in_scope
from sync.ports.state import LedgerFilter, ResyncScope


def outside_scope(
    context: Context, lookups: Lookups, scope: ResyncScope, batch: Sequence[WebOrderId]
) -> set[WebOrderId]:
    """Those of the batch that this run leaves to the next one."""
    if not scope.narrow:
        return set()
    with context.state.transaction() as state:
        entries = state.ledger.entries(LedgerFilter(order_ids=frozenset(batch)))
    outside = set()
    for entry in entries:
        # What may be in an account already is that account's, whatever the mapping says now.
        held = None if entry.frozen is None else entry.customer_id
        here = in_scope(entry.order, scope) and in_account(lookups, scope, entry.order, held)
        if not here:
            outside.add(entry.order_id)
    return outside


def in_account(
    lookups: Lookups, scope: ResyncScope, order: StoreOrder, held: CustomerId | None = None
) -> bool:
    """Whether the order is one of the account that was named, if one was.

    An order that cannot be routed is nobody's: it is judged in a run for all.
    """
    if scope.customer is None:
        return True
    account = held or lookups.account_of(order)
    return account is not None and account.value == scope.customer
