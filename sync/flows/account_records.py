"""What mirrors of records share that belong to one account each.

Without a change feed every run compares all accounts within its scope: such
records are few for each account, and some of them change with the calendar
without any row changing. With a feed it compares the accounts that were touched.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from sync.domain.ids import CustomerId
from sync.flows.apart import Apart, tell_accounts
from sync.flows.changes import touched_accounts
from sync.flows.context import Context, FlowResult
from sync.flows.mirroring import (
    carry_out,
    compare,
    in_erp,
    members_of_accounts,
    shown_ids,
    take_unreadable,
    tell_if_none,
)
from sync.flows.moved import Moved, Numbered, account_of
from sync.flows.pacing import paced
from sync.flows.retrying import Retrying
from sync.planning.plan import Change
from sync.planning.spool import Spool
from sync.ports.erp import Feed
from sync.ports.state import ResyncScope

V = TypeVar("V")

RecordKey = tuple[str, ...]
"""The customer ID first, then what tells the account's records apart."""


@dataclass(frozen=True, slots=True)
class AccountRecords(Generic[V]):
    """One kind of record: its type, how both sides tell it, and how the store is told.

    ``retrying`` is what ``wanted`` asks the ERP through. ``composed``: a record is put
    together from several of the ERP's. Where one of an account's could not be read, what
    is shown of that account stays as it is. ``feed``: what tells which accounts were
    touched, where the ERP can tell it.
    ``numbered``: how to find those that moved to another account, where they can.
    """

    value: type[V]
    wanted: Callable[[Collection[CustomerId]], Mapping[RecordKey, V]]
    shown: Callable[[Collection[CustomerId]], Mapping[RecordKey, V]]
    write: Callable[[Sequence[Change[RecordKey, V]]], None]
    retrying: Retrying
    composed: bool = False
    feed: Feed | None = None
    numbered: Numbered[V] | None = None


def no_place(result: FlowResult, what: str) -> None:
    """Say that the store cannot show these records at all."""
    result.remarks.append(f"The store has no place for {what}: none are mirrored.")


def mirror_records(
    context: Context,
    result: FlowResult,
    scope: ResyncScope,
    records: AccountRecords[V],
    *,
    dry_run: bool,
) -> None:
    """Make the store show exactly these records of the mapped accounts.

    Raises SuspiciousPlan.
    """
    mapped = members_of_accounts(context, scope)
    tell_if_none(result, mapped, scope)
    touched = (
        touched_accounts(context, result, records.feed, scope, mapped, dry_run=dry_run)
        if records.feed is not None
        else None
    )
    ids = sorted(mapped.keys() | set(shown_ids(context, scope)))
    ids = [each for each in ids if touched is None or touched.covers(each)]
    whole = touched is None or touched.everything
    moved = Moved(context, result, records.numbered, whole=whole and not scope.narrow)
    apart = Apart(records.retrying, sorted(mapped))

    def read(some: Collection[CustomerId]) -> Mapping[RecordKey, V]:
        return records.wanted(in_erp(context, records.retrying, some))

    with Spool[RecordKey, V](tuple[str, ...], records.value) as spool:
        seen, batches = 0, paced(ids, context.limits.accounts_per_read)
        for batch in batches:
            wanted: dict[RecordKey, V] = {}
            for found in apart.read([each for each in batch if each in mapped], read):
                wanted.update(found)
            shown = records.shown(batch)
            unreadable = take_unreadable(context, result).and_of(apart.unread)
            if records.composed and unreadable:
                wanted = {k: v for k, v in wanted.items() if not unreadable.shields(k[0])}
                wanted |= {
                    key: value
                    for key, value in shown.items()
                    if unreadable.shields(key[0]) and CustomerId(key[0]) in mapped
                }
            kept = unreadable.keeping(mapped, account_of)
            compare(spool, wanted, shown, lambda key: key, kept)
            moved.see(batch, wanted, shown, kept)
            batches.held(len(wanted) + len(shown))
            seen += len(batch)
            if context.progress(f"{result.flow}: comparing", seen, len(ids)):
                result.outcome = "cancelled"
                return
        tell_accounts(result, apart.unread)
        if touched is not None:
            touched.tell_missed(context, result, (account_of(each.key) for each in spool))
        moved.withdraw(spool)
        write = records.write
        done = carry_out(context, result, spool, write, scope, dry_run=dry_run, whole=whole)
    if touched is None:
        return
    if done:
        touched.done(context, result, apart.unread, dry_run=dry_run)
    else:
        touched.start_over(result)
        scope = replace(scope, everything=True)
        mirror_records(context, result, scope, records, dry_run=dry_run)
