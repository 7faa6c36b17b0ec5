"""What all mirrors share: withdraw what privacy demands, judge the plan, carry it out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, TypeVar

import structlog

from sync.applying import apply_changes
from sync.domain.account import IndividualAccount
from sync.domain.ids import CustomerId, LocationId
from sync.errors import SuspiciousPlan
from sync.flows.changes import look_at_everything
from sync.flows.context import Context, FlowResult, needs
from sync.flows.everybody import everybody
from sync.flows.retrying import Retrying
from sync.flows.withdrawing import all_withdrawn
from sync.planning.guards import needs_the_whole, suspicion
from sync.planning.membership import Members
from sync.planning.plan import Change, plan_mirror
from sync.planning.spool import Spool
from sync.ports.erp import Feed, ReadsAccounts, TellsUnreadable
from sync.ports.state import HeldPlan, ResyncScope
from sync.ports.store import MirrorsAccounts

log = structlog.get_logger()

T = TypeVar("T")
K = TypeVar("K")
V = TypeVar("V")


def chunks(values: Sequence[T] | Iterator[T], size: int) -> Iterator[list[T]]:
    """The values in their order, at most ``size`` at a time."""
    rest = iter(values)
    while batch := list(islice(rest, size)):
        yield batch


def members_of_accounts(
    context: Context, scope: ResyncScope, *, remember: bool = False
) -> Mapping[CustomerId, Members]:
    """The accounts that the run is about, with who acts for each; see ``everybody``.

    Raises what the store raises: a directory that cannot be read is no empty one.
    """
    found = everybody(context, remember=remember)
    if scope.customer is None:
        return found
    wanted = CustomerId(scope.customer)
    return {wanted: found[wanted]} if wanted in found else {}


NOBODY_MAPPED = "Nobody is usably assigned to any account, so the ERP was read for none."


def tell_if_none(
    result: FlowResult, mapped: Mapping[CustomerId, Members], scope: ResyncScope
) -> None:
    """Say why a run has nothing to do where nobody is mapped: it tells nothing of the ERP."""
    if not mapped and scope.customer is None and NOBODY_MAPPED not in result.remarks:
        result.remarks.append(NOBODY_MAPPED)


def in_erp(
    context: Context, retrying: Retrying, customer_ids: Collection[CustomerId]
) -> list[CustomerId]:
    """Those of the customers that the ERP has as accounts (WA-1), in their order.

    A row of addresses or invoices may outlive its account, or belong to a
    customer that the ERP profile does not select: nothing of it is mirrored.
    """
    if not customer_ids:
        return []
    erp = needs(context.erp, ReadsAccounts, "the ERP")
    accounts = retrying(erp.accounts, customer_ids)
    return [each for each in customer_ids if each in accounts]


def individual(context: Context, customer_id: CustomerId) -> IndividualAccount:
    """The proof that the ID is no retail group. Raises ValueError where it is one."""
    return IndividualAccount(customer_id, context.mapping.retail_groups)


def withdraw_retail_groups(context: Context, result: FlowResult, *, dry_run: bool) -> None:
    """Take away whatever is shown under an ID that is a retail group (WA-8).

    It goes before everything else and asks no guard rail: strangers share the
    account, and each minute counts. Raises an error once all were tried.
    """
    mirror = needs(context.store, MirrorsAccounts, "the store")
    groups = context.mapping.retail_groups
    retrying = context.retrying()
    with all_withdrawn(result, dry_run=dry_run) as withdrawals:
        for customer_id in retrying(lambda: sorted(mirror.shown_customer_ids())):
            if customer_id not in groups:
                continue
            with withdrawals.each(f"{customer_id} is a retail group and still shown"):
                if not dry_run:
                    look_at_everything(context, Feed)
                    forget_prices(context, customer_id)
                    forget_records(context, [customer_id])
                    retrying(mirror.withdraw_account, customer_id)
                    told = {"customer": customer_id.value, "reason": "retail group"}
                    log.warning("account.withdrawn", **told)
                result.remarks.append(
                    f"{customer_id} is a retail group: what was shown is withdrawn."
                )
                result.count("withdrawn")


def forget_prices(
    context: Context, customer_id: CustomerId, sites: Collection[LocationId] | None = None
) -> None:
    """What the store shows of an account's prices is not known from now on.

    ``sites`` are those of the account; None where they are not known.
    """
    with context.state.transaction() as state:
        state.price_memory.forget_account(customer_id, sites)


def forget_records(context: Context, customer_ids: Collection[CustomerId]) -> None:
    """The same of the ship-tos and invoices of these accounts."""
    with context.state.transaction() as state:
        state.record_memory.forget_accounts(customer_ids)


def shown_ids(context: Context, scope: ResyncScope) -> list[CustomerId]:
    """Customer IDs under which the store shows something, within the scope."""
    mirror = needs(context.store, MirrorsAccounts, "the store")
    groups = context.mapping.retail_groups
    shown = context.retrying()(lambda: sorted(mirror.shown_customer_ids()))
    return [
        each
        for each in shown
        if each not in groups and (scope.customer is None or each.value == scope.customer)
    ]


def compare(
    spool: Spool[K, V],
    wanted: Mapping[K, V],
    shown: Mapping[K, V],
    order: Callable[[K], Any],
    kept: Callable[[K], bool],
) -> list[K]:
    """Plan one partition into the spool and count both sides; gives the keys of the changes.

    ``kept`` says of something shown and not wanted whether it stays all the
    same: where the ERP holds a record that could not be read, it has not vanished.
    """
    spool.tally.shown += len(shown)
    spool.tally.wanted += len(wanted)
    changed = []
    for change in plan_mirror(wanted, shown, order):
        if change.after is None and kept(change.key):
            spool.tally.wanted += 1
            continue
        spool.add(change)
        changed.append(change.key)
    return changed


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Owners of records that a read had to leave out; ``everybody`` where one is unknown.

    They shield what is shown from being taken for vanished. They never shield an
    account that nobody is mapped to any more: that is our own word, not the ERP's.
    ``keys`` are the records themselves, parts of a document as ``document/part``.
    """

    owners: frozenset[str]
    everybody: bool
    keys: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return self.everybody or bool(self.owners)

    def and_of(self, customer_ids: Collection[CustomerId]) -> Unreadable:
        """These too: accounts of which nothing could be read."""
        more = frozenset(each.value for each in customer_ids)
        return replace(self, owners=self.owners | more) if more else self

    def shields(self, owner: str) -> bool:
        return self.everybody or owner in self.owners

    def names(self, document: str) -> bool:
        """Whether a record of that document is among them."""
        return any(key == document or key.startswith(f"{document}/") for key in self.keys)

    @property
    def vague(self) -> bool:
        """Whether a record does not even say which document it is: it may be any."""
        return any(key.startswith("?") for key in self.keys)

    def keeping(
        self, mapped: Container[CustomerId], owner: Callable[[K], CustomerId]
    ) -> Callable[[K], bool]:
        """Whether what is shown under a key stays, although the ERP did not tell it."""
        return lambda key: owner(key) in mapped and self.shields(owner(key).value)


def take_unreadable(
    context: Context, result: FlowResult, outcome: str = "what is shown of it stays as it is"
) -> Unreadable:
    """What the last reads of this run could not understand, counted and remarked.

    ``outcome`` says what becomes of it.
    """
    source = context.erp
    told = source.take_unreadable() if isinstance(source, TellsUnreadable) else ()
    # What was read once more is told once more.
    records = tuple(dict.fromkeys(told))
    result.count("unreadable", len(records))
    for record in records:
        log.error("record.unreadable", source=record.source, key=record.key, field=record.field)
        result.remarks.append(f"The ERP's {record}; {outcome}.")
    owners = frozenset(record.customer.value for record in records if record.customer)
    everybody = any(record.customer is None for record in records)
    return Unreadable(owners, everybody, frozenset(record.key for record in records))


def carry_out(
    context: Context,
    result: FlowResult,
    spool: Spool[K, V],
    write: Callable[[Sequence[Change[K, V]]], None],
    scope: ResyncScope,
    *,
    dry_run: bool,
    whole: bool = True,
    batch: int | None = None,
) -> bool:
    """Judge the whole plan, then write it; with ``dry_run`` only tell it.

    ``whole``: the plan covers everything that is shown, or all of what a person
    named. False, and nothing done, where it does not and cannot be judged
    without the rest. ``batch``: changes in one call, otherwise the store's.
    Raises SuspiciousPlan where the guard rails refuse it and nobody confirmed
    exactly this plan.
    """

    def writing() -> None:
        if spool.tally.writes:
            _write(context, result, spool, write, batch or context.store.capabilities.batch)

    return carry_out_by(context, result, spool, writing, scope, dry_run=dry_run, whole=whole)


def carry_out_by(
    context: Context,
    result: FlowResult,
    spool: Spool[K, V],
    writing: Callable[[], None],
    scope: ResyncScope,
    *,
    dry_run: bool,
    whole: bool = True,
) -> bool:
    """The same for a flow that writes in a way of its own, also where nothing differs."""
    tally = spool.tally
    if not whole and needs_the_whole(tally, context.limits.guard(result.flow)):
        return False
    result.samples.extend(spool.samples)
    result.unnamed += tally.writes - len(spool.samples)
    whole = whole and scope.customer is None and scope.sku is None and scope.channel is None
    reason = suspicion(tally, context.limits.guard(result.flow), whole=whole)
    if reason is not None:
        _refuse_unless_confirmed(context, result, spool, reason, dry_run=dry_run)
    if dry_run:
        result.count("would_add", tally.added)
        result.count("would_change", tally.changed)
        result.count("would_remove", tally.removed)
        return True
    result.count("unchanged", tally.wanted - tally.added - tally.changed)
    writing()
    if reason is not None or not scope.narrow:
        # Also where nothing differs any more: a plan that is still held could be
        # confirmed later and let the next empty answer through.
        with context.state.transaction() as state:
            state.plans.clear(result.flow)
    return True


def _write(
    context: Context,
    result: FlowResult,
    spool: Spool[K, V],
    write: Callable[[Sequence[Change[K, V]]], None],
    size: int,
) -> None:
    retrying = context.retrying()

    def written(batch: Sequence[Change[K, V]]) -> None:
        retrying(write, batch)
        # At once, so that an error in a later batch loses no count.
        for change in batch:
            kind = "added" if change.before is None else "changed"
            result.count("removed" if change.after is None else kind)

    def told(count: int) -> bool:
        return context.progress(f"{result.flow}: writing", count, spool.tally.writes)

    applied = apply_changes(spool, written, batch=size, after_batch=told)
    tell_of_writing(result, applied.refused, stopped=applied.stopped)


def tell_of_writing(
    result: FlowResult, refused: Sequence[tuple[str, str]], *, stopped: bool
) -> None:
    """Tell what the store refused, each with its reason, and whether a person stopped it."""
    result.count("refused_by_store", len(refused))
    result.remarks.extend(f"{key}: {reason}" for key, reason in refused)
    if refused:
        result.outcome = "failed"
        first = refused[0][1]
        result.message = f"{len(refused)} changes were refused, the first: {first}"
    if stopped:
        result.outcome = "cancelled"


def _refuse_unless_confirmed(
    context: Context, result: FlowResult, spool: Spool[K, V], reason: str, *, dry_run: bool
) -> None:
    digest = spool.digest
    counts = {
        "shown": spool.tally.shown,
        "wanted": spool.tally.wanted,
        "added": spool.tally.added,
        "changed": spool.tally.changed,
        "removed": spool.tally.removed,
    }
    plan_id = f"{result.flow}-{digest[:12]}"
    with context.state.transaction() as state:
        if state.plans.confirmed(result.flow, digest):
            result.remarks.append(f"A person confirmed plan {plan_id}: {reason}.")
            return
        if not dry_run:
            state.plans.hold(
                HeldPlan(plan_id, result.flow, digest, reason, counts, context.clock.now())
            )
    if dry_run:
        result.outcome = "refused"
        result.remarks.append(f"The guard rails would refuse this plan: {reason}.")
        return
    result.plan_id = plan_id
    raise SuspiciousPlan(
        f"{result.flow}: {reason}. Nothing was written. If this is right: "
        f"tradesync resync {result.flow} --confirm {plan_id} --reason WHY",
        plan_id,
    )
