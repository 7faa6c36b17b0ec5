"""Mirror of accounts: profile, terms, status, sites, and who acts for them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial

from sync.domain.account import Account, Location
from sync.domain.ids import CustomerId
from sync.domain.views import AccountProfile, AccountView
from sync.errors import AccessDenied, Misconfigured, TryLater
from sync.flows.apart import Apart, tell_accounts
from sync.flows.changes import Touched, look_at_everything, touched_accounts
from sync.flows.context import Context, FlowResult, needs
from sync.flows.everybody import OurWord, by_our_word, forget_decided
from sync.flows.mirroring import (
    carry_out,
    chunks,
    compare,
    forget_prices,
    forget_records,
    individual,
    members_of_accounts,
    shown_ids,
    take_unreadable,
    tell_if_none,
    withdraw_retail_groups,
)
from sync.planning.accounts import (
    hides,
    keeping_locations,
    profile_of,
    staying,
    with_members,
)
from sync.planning.membership import Members
from sync.planning.plan import Change, plan_mirror
from sync.planning.spool import Spool
from sync.ports.erp import Feed, ReadsAccounts
from sync.ports.state import ResyncScope
from sync.ports.store import MirrorsAccounts


def mirror_accounts(
    context: Context, result: FlowResult, scope: ResyncScope, *, dry_run: bool = False
) -> None:
    """Make the store show the mapped accounts as the ERP has them now.

    What is no longer mapped, or gone from the ERP, is withdrawn with everything
    that hangs on it; that goes first, and next whoever no longer acts for an account.
    Neither waits for an ERP that is away. Raises SuspiciousPlan.
    """
    store = needs(context.store, MirrorsAccounts, "the store")
    withdraw_retail_groups(context, result, dry_run=dry_run)
    write = partial(_write, context, store)
    with Spool[CustomerId, AccountProfile](CustomerId, AccountProfile, hides) as spool:
        try:
            members = members_of_accounts(context, scope, remember=not dry_run)
            tell_if_none(result, members, scope)
            planned = _plan(context, result, spool, scope, members, dry_run=dry_run)
        except (TryLater, AccessDenied, Misconfigured):
            # Where it is the store that is away, the first error says so already.
            with suppress(TryLater, AccessDenied, Misconfigured):
                _hide(context, result, scope, write, dry_run=dry_run)
            raise
        if planned is None:
            result.outcome = "cancelled"
            return
        touched, unread = planned
        whole = touched.everything
        done = carry_out(context, result, spool, write, scope, dry_run=dry_run, whole=whole)
    if done:
        touched.done(context, result, unread, dry_run=dry_run)
    else:
        touched.start_over(result)
        everything = replace(scope, everything=True)
        mirror_accounts(context, result, everything, dry_run=dry_run)


def _plan(
    context: Context,
    result: FlowResult,
    spool: Spool[CustomerId, AccountProfile],
    scope: ResyncScope,
    members: Mapping[CustomerId, Members],
    *,
    dry_run: bool,
) -> tuple[Touched, Collection[CustomerId]] | None:
    """Compare the accounts that this run must look at; None where somebody stopped it.

    Gives also those that cannot be read.
    """
    erp = needs(context.erp, ReadsAccounts, "the ERP")
    store = needs(context.store, MirrorsAccounts, "the store")
    touched = touched_accounts(context, result, Feed.ACCOUNTS, scope, members, dry_run=dry_run)
    ids = sorted(members.keys() | set(shown_ids(context, scope)))
    ids = [each for each in ids if touched.covers(each)]
    retrying = context.retrying()
    apart = Apart(retrying, sorted(members))

    def read(
        some: Collection[CustomerId],
    ) -> tuple[Mapping[CustomerId, Account], Sequence[Location]]:
        return retrying(erp.accounts, some), retrying(erp.locations, some)

    seen = 0
    for batch in chunks(ids, context.limits.accounts_per_read):
        mapped = [each for each in batch if each in members]
        accounts: dict[CustomerId, Account] = {}
        locations: list[Location] = []
        for found, sites in apart.read(mapped, read):
            accounts.update(found)
            locations.extend(sites)
        shown = retrying(store.shown_accounts, batch)
        unreadable = take_unreadable(context, result).and_of(apart.unread)
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
            each for each in mapped if each not in accounts and not unreadable.shields(each.value)
        ]
        result.count("not_in_erp", len(missing))
        result.remarks.extend(
            f"The ERP has no customer {each}: make it an account there, or correct the mapping"
            " (tradesync check mappings names the place)."
            for each in missing[:20]
        )
        compare(
            spool,
            wanted,
            shown,
            lambda key: key.value,
            unreadable.keeping(members, lambda key: key),
        )
        seen += len(batch)
        if context.progress("accounts: comparing", seen, len(ids)):
            return None
    tell_accounts(result, apart.unread)
    touched.tell_missed(context, result, (each.key for each in spool))
    return touched, apart.unread


def _hide(
    context: Context,
    result: FlowResult,
    scope: ResyncScope,
    write: Callable[[Sequence[Change[CustomerId, AccountProfile]]], None],
    *,
    dry_run: bool,
) -> None:
    """Take from people what they may not see any more, without the ERP.

    Who is mapped to what is our own word. A mapping that is corrected because
    somebody sees what is another's must not wait until the ERP is back. Only whom its
    contacts assigned, when they last could be read, stays where they are. Nothing is
    added, and the guard rails judge it like any other plan.
    """
    word = by_our_word(context)
    if not dry_run:
        forget_decided(context, word)
    with Spool[CustomerId, AccountProfile](CustomerId, AccountProfile, hides) as spool:
        for shown, wanted in _left_without_erp(context, word, scope):
            spool.tally.shown += len(shown)
            spool.tally.wanted += len(wanted)
            for change in filter(hides, plan_mirror(wanted, shown, lambda key: key.value)):
                spool.add(change)
        if not spool.tally.writes:
            return
        result.remarks.append(
            "The ERP could not be read. What somebody may not see any more is withdrawn all the"
            " same; nothing else is mirrored."
        )
        if not dry_run:
            # Its contacts may say the same when it is back: no feed will tell of that.
            look_at_everything(context, [Feed.ACCOUNTS])
        carry_out(context, result, spool, write, scope, dry_run=dry_run)


def shown_without_erp(context: Context) -> Mapping[CustomerId, AccountProfile]:
    """What a run that cannot read the ERP leaves in sight of somebody, and of whom.

    Raises what the store raises.
    """
    left: dict[CustomerId, AccountProfile] = {}
    for shown, wanted in _left_without_erp(context, by_our_word(context), ResyncScope()):
        gone = filter(hides, plan_mirror(wanted, shown, lambda key: key.value))
        changed = {change.key: change.after for change in gone}
        for each, profile in shown.items():
            after = changed.get(each, profile)
            if after is not None:
                left[each] = after
    return left


def _left_without_erp(
    context: Context, word: OurWord, scope: ResyncScope
) -> Iterator[tuple[Mapping[CustomerId, AccountProfile], Mapping[CustomerId, AccountProfile]]]:
    """Shown accounts, some at a time, and those that somebody may still see, with these people."""
    store = needs(context.store, MirrorsAccounts, "the store")
    retrying = context.retrying()
    for batch in chunks(shown_ids(context, scope), context.limits.accounts_per_read):
        shown = retrying(store.shown_accounts, batch)
        wanted = {}
        for each, profile in shown.items():
            kept = staying(word.members.get(each, Members()), profile, word.last)
            if kept != Members():
                wanted[each] = with_members(profile, kept)
        yield shown, wanted


def _write(
    context: Context,
    store: MirrorsAccounts,
    batch: Sequence[Change[CustomerId, AccountProfile]],
) -> None:
    moved = [change.key for change in batch if _people_moved(change)]
    if moved:
        look_at_everything(context, (Feed.SHIP_TOS, Feed.INVOICES, Feed.ACCOUNT_ORDERS))
        forget_records(context, moved)
    try:
        _put_or_withdraw(context, store, batch)
    finally:
        # Whoever has compared meanwhile may have seen either. Of a write that failed nobody
        # knows how far it came, and the next run may find nothing left to put.
        if moved:
            forget_records(context, moved)


def _put_or_withdraw(
    context: Context,
    store: MirrorsAccounts,
    batch: Sequence[Change[CustomerId, AccountProfile]],
) -> None:
    for change in batch:
        if _people_moved(change):
            sites = {
                each.location_id
                for profile in (change.before, change.after)
                for each in (profile.locations if profile is not None else ())
            }
            forget_prices(context, change.key, sites)
        if change.after is None:
            store.withdraw_account(change.key)
    views = [
        AccountView(individual(context, change.key), change.after)
        for change in batch
        if change.after is not None
    ]
    if views:
        store.put_accounts(views)


def _people_moved(change: Change[CustomerId, AccountProfile]) -> bool:
    """Whether the store gains or loses the account, or somebody who acts for it.

    A store may give each of them a copy of what belongs to the account.
    """
    if change.before is None or change.after is None:
        return True
    return change.before.users != change.after.users
