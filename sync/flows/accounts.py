"""Mirror of accounts: profile, terms, status, sites, and who acts for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sync.domain.ids import CustomerId
from sync.domain.views import AccountProfile, AccountView
from sync.flows.changes import look_at_everything, touched_accounts
from sync.flows.context import Context, FlowResult, needs
from sync.flows.mirroring import (
    carry_out,
    chunks,
    compare,
    individual,
    members_of_accounts,
    shown_ids,
    take_unreadable,
    withdraw_retail_groups,
)
from sync.planning.accounts import keeping_locations, profile_of, with_members
from sync.planning.plan import Change
from sync.planning.spool import Spool
from sync.ports.erp import Feed, ReadsAccounts
from sync.ports.state import ResyncScope
from sync.ports.store import MirrorsAccounts


def mirror_accounts(
    context: Context, result: FlowResult, scope: ResyncScope, *, dry_run: bool = False
) -> None:
    """Make the store show the mapped accounts as the ERP has them now.

    What is no longer mapped, or gone from the ERP, is withdrawn with everything
    that hangs on it. Raises SuspiciousPlan.
    """
    erp = needs(context.erp, ReadsAccounts, "the ERP")
    store = needs(context.store, MirrorsAccounts, "the store")
    withdraw_retail_groups(context, result, dry_run=dry_run)
    members = members_of_accounts(context, scope)
    touched = touched_accounts(context, result, Feed.ACCOUNTS, scope, members, dry_run=dry_run)
    ids = sorted(members.keys() | set(shown_ids(context, scope)))
    ids = [each for each in ids if touched.covers(each)]
    retrying = context.retrying()
    with Spool[CustomerId, AccountProfile](CustomerId, AccountProfile) as spool:
        seen = 0
        for batch in chunks(ids, context.limits.accounts_per_read):
            mapped = [each for each in batch if each in members]
            accounts = retrying(erp.accounts, mapped)
            locations = retrying(erp.locations, mapped)
            shown = retrying(store.shown_accounts, batch)
            unreadable = take_unreadable(context, result)
            wanted = {
                each: profile_of(accounts[each], locations, members[each])
                for each in mapped
                if each in accounts
            }
            for each in wanted.keys() & shown.keys():
                if unreadable.shields(each.value):
                    wanted[each] = keeping_locations(wanted[each], shown[each])
            for each in mapped:
                if each not in accounts and each in shown and unreadable.shields(each.value):
                    wanted[each] = with_members(shown[each], members[each])
            missing = [
                each
                for each in mapped
                if each not in accounts and not unreadable.shields(each.value)
            ]
            result.count("not_in_erp", len(missing))
            result.remarks.extend(f"The ERP has no customer {each}." for each in missing[:20])
            compare(
                spool,
                wanted,
                shown,
                lambda key: key.value,
                unreadable.keeping(members, lambda key: key),
            )
            seen += len(batch)
            if context.progress("accounts: comparing", seen, len(ids)):
                result.outcome = "cancelled"
                return

        def write(batch: Sequence[Change[CustomerId, AccountProfile]]) -> None:
            if any(change.before is None or change.after is None for change in batch):
                look_at_everything(context, (Feed.SHIP_TOS, Feed.INVOICES))
            for change in batch:
                if change.after is None:
                    store.withdraw_account(change.key)
            views = [
                AccountView(individual(context, change.key), change.after)
                for change in batch
                if change.after is not None
            ]
            if views:
                store.put_accounts(views)

        whole = touched.everything
        done = carry_out(context, result, spool, write, scope, dry_run=dry_run, whole=whole)
    if done:
        touched.done(context, result, dry_run=dry_run)
    else:
        touched.start_over(result)
        everything = replace(scope, everything=True)
        mirror_accounts(context, result, everything, dry_run=dry_run)
