"""Mirror of invoices to the buyers of their own account, never of a retail group (WA-8)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace

from sync.domain.ids import CustomerId, InvoiceNumber
from sync.domain.invoice import Invoice
from sync.domain.views import InvoiceView
from sync.flows.apart import Apart, tell_accounts
from sync.flows.changes import touched_accounts
from sync.flows.context import Context, FlowResult, needs
from sync.flows.mirroring import (
    carry_out,
    compare,
    in_erp,
    individual,
    members_of_accounts,
    shown_ids,
    take_unreadable,
    tell_if_none,
    withdraw_retail_groups,
)
from sync.flows.moved import Moved, Numbered, account_of
from sync.flows.pacing import paced
from sync.flows.record_confirming import RecordConfirming
from sync.flows.retrying import Retrying
from sync.planning.plan import Change
from sync.planning.spool import Spool
from sync.ports.erp import Feed, InvoicesTold, ReadsInvoices, SparesInvoices
from sync.ports.state import ResyncScope
from sync.ports.store import FindsShownInvoices, MirrorsInvoices

InvoiceKey = tuple[str, ...]


def mirror_invoices(
    context: Context, result: FlowResult, scope: ResyncScope, *, dry_run: bool = False
) -> None:
    """Make the store show the posted invoices of each mapped account.

    Withdrawals come before anything that is added. Raises SuspiciousPlan.
    """
    erp = needs(context.erp, ReadsInvoices, "the ERP")
    store = needs(context.store, MirrorsInvoices, "the store")
    withdraw_retail_groups(context, result, dry_run=dry_run)
    mapped = members_of_accounts(context, scope)
    tell_if_none(result, mapped, scope)
    touched = touched_accounts(context, result, Feed.INVOICES, scope, mapped, dry_run=dry_run)
    under = shown_ids(context, scope)
    ids = sorted(mapped.keys() | set(under))
    ids = [each for each in ids if touched.covers(each)]
    retrying = context.retrying()
    whole = touched.everything
    moved = Moved(
        context, result, _numbered(erp, store, retrying), whole=whole and not scope.narrow
    )
    apart = Apart(retrying, sorted(mapped))

    sparing = erp if isinstance(erp, SparesInvoices) else None
    confirming = RecordConfirming(
        *(context, Feed.INVOICES, scope), able=sparing is not None, shown=under, dry_run=dry_run
    )

    def read(some: Collection[CustomerId]) -> InvoicesTold:
        here = in_erp(context, retrying, some)
        if sparing is None:
            return InvoicesTold(retrying(erp.invoices, here), {})
        return retrying(sparing.invoices_unless, here, confirming.known(here))

    with Spool[InvoiceKey, Invoice](tuple[str, ...], Invoice) as spool:
        seen, batches = 0, paced(ids, context.limits.accounts_per_read)
        for batch in batches:
            wanted: dict[InvoiceKey, Invoice] = {}
            states: dict[CustomerId, bytes] = {}
            for told in apart.read([each for each in batch if each in mapped], read):
                wanted |= {(each.sold_to.value, each.number.value): each for each in told.invoices}
                states |= told.states
            same = confirming.same(batch, states)
            compared = [each for each in batch if each not in same]
            held = retrying(store.shown_invoices, compared) if compared else {}
            shown: dict[InvoiceKey, Invoice] = {
                (owner.value, number.value): each for (owner, number), each in held.items()
            }
            unreadable = take_unreadable(context, result).and_of(apart.unread)
            kept = unreadable.keeping(mapped, account_of)
            changed = compare(spool, wanted, shown, lambda key: key, kept)
            spool.tally.as_it_is(sum(same.values()))
            counts = Counter(map(account_of, wanted))
            owners = {account_of(key) for key in changed}
            confirming.compared(compared, states, counts, owners, unreadable)
            moved.see(compared, wanted, shown, kept)
            batches.held(len(wanted) + len(shown) + 2 * sum(same.values()))
            seen += len(batch)
            if context.progress("invoices: comparing", seen, len(ids)):
                result.outcome = "cancelled"
                return

        tell_accounts(result, apart.unread)
        confirming.tell(result)
        changed_in_erp = confirming.by_the_erp(account_of(each.key) for each in spool)
        touched.tell_missed(context, result, changed_in_erp)
        moved.withdraw(spool)
        confirming.forget(account_of(each.key) for each in spool)

        def write(batch: Sequence[Change[InvoiceKey, Invoice]]) -> None:
            put = [
                InvoiceView(individual(context, CustomerId(change.key[0])), change.after)
                for change in batch
                if change.after is not None
            ]
            gone = [
                (CustomerId(change.key[0]), InvoiceNumber(change.key[1]))
                for change in batch
                if change.after is None
            ]
            store.apply_invoices(put, gone)

        done = carry_out(context, result, spool, write, scope, dry_run=dry_run, whole=whole)
    if done:
        confirming.done(result, apart.unread, whole=whole and not scope.narrow)
        touched.done(context, result, apart.unread, dry_run=dry_run)
    else:
        touched.start_over(result)
        everything = replace(scope, everything=True)
        mirror_invoices(context, result, everything, dry_run=dry_run)


def _numbered(
    erp: ReadsInvoices, store: MirrorsInvoices, retrying: Retrying
) -> Numbered[Invoice] | None:
    """How to find invoices that moved; None where the store cannot tell whose one is."""
    if not isinstance(store, FindsShownInvoices):
        return None
    finder: FindsShownInvoices = store

    def told(customer_ids: Collection[CustomerId]) -> Collection[InvoiceKey]:
        found = retrying(erp.invoices, customer_ids) if customer_ids else ()
        return [(each.sold_to.value, each.number.value) for each in found]

    def shown(customer_ids: Collection[CustomerId]) -> dict[InvoiceKey, Invoice]:
        held = retrying(store.shown_invoices, customer_ids)
        return {(owner.value, number.value): each for (owner, number), each in held.items()}

    def elsewhere(keys: Collection[InvoiceKey]) -> Collection[InvoiceKey]:
        numbers = sorted({InvoiceNumber(number) for _, number in keys})
        found = retrying(finder.shown_invoice_keys, numbers)
        return [(owner.value, number.value) for owner, number in found]

    return Numbered(told, shown, elsewhere, _one_and_the_same)


def _one_and_the_same(one: Invoice, other: Invoice) -> bool:
    """Of one number: not what is paid of it, which goes on changing."""
    return (one.kind, one.invoiced_on, one.total) == (other.kind, other.invoiced_on, other.total)
