"""Which orders a person meant who asked for a part: one order, one channel, one account.

Whatever is done about an order in the ERP or in the store, a notice that is due included,
is done for these alone; the next run for all sees to the others. Reading the store is
not narrowed so: which account an order goes into is not known before it is read.
"""

from __future__ import annotations

from collections.abc import Collection

from sync.domain.ids import CustomerId, WebOrderId
from sync.domain.order import StoreOrder
from sync.errors import Refusal
from sync.flows.context import Context
from sync.flows.lookups import Lookups
from sync.flows.orders.discovery import in_scope, order_id_of
from sync.ports.state import LedgerEntry, LedgerFilter, ResyncScope


class Bounds:
    """The orders of one run. What it finds out of an order holds until the run ends."""

    def __init__(self, context: Context, scope: ResyncScope) -> None:
        self._context, self._scope = context, scope
        self._lookups = Lookups(context)
        self._known: dict[WebOrderId, bool] = {}

    def outside(self, order_ids: Collection[WebOrderId]) -> set[WebOrderId]:
        """Those of a few hundred orders that this run leaves to the next one.

        Raises what the systems raise where an account must be looked up.
        """
        if not self._scope.parts:
            return set()
        new = frozenset(order_ids) - self._known.keys()
        if new and self._scope.order is not None:
            named = order_id_of(self._context, self._scope.order)
            self._known.update((each, each == named) for each in new)
        elif new:
            with self._context.state.transaction() as state:
                entries = state.ledger.entries(LedgerFilter(order_ids=new))
            for entry in entries:
                self._known[entry.order_id] = self._is_within(entry)
        return {each for each in order_ids if not self._known.get(each, True)}

    def _is_within(self, entry: LedgerEntry) -> bool:
        # What may be in an account already is that account's, whatever the mapping says now.
        held = None if entry.frozen is None else entry.customer_id
        scope = self._scope
        return in_scope(entry.order, scope) and in_account(self._lookups, scope, entry.order, held)


def in_account(
    lookups: Lookups, scope: ResyncScope, order: StoreOrder, held: CustomerId | None = None
) -> bool:
    """Whether the order is one of the account that was named, if one was.

    An order that cannot be routed is nobody's: it is judged in a run for all.
    """
    if scope.customer is None:
        return True
    try:
        account = held or lookups.account_of(order)
    except Refusal:
        return False
    return account is not None and account.value == scope.customer
