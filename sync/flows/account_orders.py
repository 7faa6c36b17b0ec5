"""Mirror of an account's orders from every source, for its own buyers to read (MI-5).

They stand apart from the web order history, which belongs to the user who placed
the order (WA-9): nothing here reads or writes a web order. One that came from the
web only names it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from sync.domain.account_order import AccountOrder
from sync.domain.ids import CustomerId, ErpOrderNumber
from sync.domain.views import AccountOrderView
from sync.flows.account_records import AccountRecords, RecordKey, mirror_records, no_place
from sync.flows.context import Context, FlowResult
from sync.flows.mirroring import individual, withdraw_retail_groups
from sync.flows.moved import Numbered
from sync.planning.account_orders import as_shown
from sync.planning.plan import Change
from sync.ports.erp import Feed, ReadsAccountOrders
from sync.ports.state import ResyncScope
from sync.ports.store import FindsShownAccountOrders, MirrorsAccountOrders


def mirror_account_orders(
    context: Context, result: FlowResult, scope: ResyncScope, *, dry_run: bool = False
) -> None:
    """Make the store show each mapped account its orders in the ERP, and a retail group none.

    Does nothing, and says so, for a store that has no place for them. Raises SuspiciousPlan.
    """
    store = context.store
    withdraw_retail_groups(context, result, dry_run=dry_run)
    if not isinstance(store, MirrorsAccountOrders):
        no_place(result, "orders of accounts")
        return
    erp, retrying = context.erp, context.retrying()

    def wanted(customer_ids: Collection[CustomerId]) -> Mapping[RecordKey, AccountOrder]:
        if not customer_ids or not isinstance(erp, ReadsAccountOrders):
            return {}
        orders = retrying(erp.account_orders, customer_ids)
        # Asked after the ERP: what it has by then, the ledger knows of.
        with context.state.transaction() as state:
            ours = state.ledger.filed_under(customer_ids)
        return {(each.sold_to.value, each.number.value): as_shown(each, ours) for each in orders}

    def shown(customer_ids: Collection[CustomerId]) -> Mapping[RecordKey, AccountOrder]:
        held = retrying(store.shown_account_orders, customer_ids)
        return {(owner.value, number.value): each for (owner, number), each in held.items()}

    def write(batch: Sequence[Change[RecordKey, AccountOrder]]) -> None:
        put = [
            AccountOrderView(individual(context, CustomerId(change.key[0])), change.after)
            for change in batch
            if change.after is not None
        ]
        gone = [
            (CustomerId(change.key[0]), ErpOrderNumber(change.key[1]))
            for change in batch
            if change.after is None
        ]
        store.apply_account_orders(put, gone)

    def elsewhere(keys: Collection[RecordKey]) -> Collection[RecordKey]:
        numbers = sorted({ErpOrderNumber(number) for _, number in keys})
        found = retrying(finder.shown_account_order_keys, numbers) if finder else ()
        return [(owner.value, number.value) for owner, number in found]

    finder = store if isinstance(store, FindsShownAccountOrders) else None
    # The ERP's own number is that of one order, whosever it is.
    numbered = Numbered(wanted, shown, elsewhere, lambda one, other: True) if finder else None
    records = AccountRecords(
        AccountOrder, wanted, shown, write, retrying, feed=Feed.ACCOUNT_ORDERS, numbered=numbered
    )
    mirror_records(context, result, scope, records, dry_run=dry_run)
