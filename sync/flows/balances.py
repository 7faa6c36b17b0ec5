"""Mirror of balances, credit limits and ageing to the buyers of their own account (MI-6).

There is no change feed: an invoice falls overdue at midnight without any row
changing, so that each run looks at every account.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from sync.domain.balance import AccountBalance
from sync.domain.ids import CustomerId
from sync.domain.invoice import Invoice
from sync.domain.views import BalanceView
from sync.flows.account_records import AccountRecords, RecordKey, mirror_records, no_place
from sync.flows.context import Context, FlowResult
from sync.flows.mirroring import individual, withdraw_retail_groups
from sync.planning.balances import from_invoices, with_ageing
from sync.planning.plan import Change
from sync.ports.erp import ReadsBalances, ReadsInvoices
from sync.ports.state import ResyncScope
from sync.ports.store import MirrorsBalances


def mirror_balances(
    context: Context, result: FlowResult, scope: ResyncScope, *, dry_run: bool = False
) -> None:
    """Make the store show what each mapped account owes, as of today in the ERP's calendar.

    Does nothing, and says so, for a store that has no place for it. Raises SuspiciousPlan.
    """
    store = context.store
    withdraw_retail_groups(context, result, dry_run=dry_run)
    if not isinstance(store, MirrorsBalances):
        no_place(result, "balances")
        return
    erp, retrying, today = context.erp, context.retrying(), context.today()

    def open_invoices(customer_ids: Collection[CustomerId]) -> Sequence[Invoice]:
        if not customer_ids or not isinstance(erp, ReadsInvoices):
            return ()
        return retrying(erp.invoices, customer_ids)

    def wanted(customer_ids: Collection[CustomerId]) -> Mapping[RecordKey, AccountBalance]:
        if isinstance(erp, ReadsBalances):
            told = retrying(erp.balances, customer_ids)
            unaged = sorted({each.sold_to for each in told if each.ageing is None})
            found = with_ageing(told, open_invoices(unaged), today)
        else:
            found = from_invoices(open_invoices(customer_ids), today)
        return {(owner.value, currency): each for (owner, currency), each in found.items()}

    def shown(customer_ids: Collection[CustomerId]) -> Mapping[RecordKey, AccountBalance]:
        held = retrying(store.shown_balances, customer_ids)
        return {(owner.value, currency): each for (owner, currency), each in held.items()}

    def write(batch: Sequence[Change[RecordKey, AccountBalance]]) -> None:
        put = [
            BalanceView(individual(context, CustomerId(change.key[0])), change.after)
            for change in batch
            if change.after is not None
        ]
        gone = [
            (CustomerId(change.key[0]), change.key[1]) for change in batch if change.after is None
        ]
        store.apply_balances(put, gone)

    records = AccountRecords(AccountBalance, wanted, shown, write, retrying, composed=True)
    mirror_records(context, result, scope, records, dry_run=dry_run)
