"""Mirror of prices to the audiences that are entitled to them (WA-6, WA-7, VE-7)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from sync.domain.account import Account, Location
from sync.domain.ids import CustomerId
from sync.domain.pricing import PriceLevel, PriceScope
from sync.domain.times import Watermark
from sync.domain.views import PublishedPriceKey
from sync.errors import Misconfigured
from sync.flows.apart import Apart, tell_accounts, tell_scopes
from sync.flows.context import Context, FlowResult, needs
from sync.flows.mirroring import (
    Unreadable,
    carry_out_by,
    chunks,
    members_of_accounts,
    take_unreadable,
    withdraw_retail_groups,
)
from sync.flows.price_batches import (
    PriceBatches,
    levels_in_batches,
)
from sync.flows.price_checking import Checking
from sync.flows.price_confirming import Confirming
from sync.flows.price_lists import ListSharing, lists_of, tell_plan
from sync.flows.price_rows import plan_by_row
from sync.flows.price_run import PriceRun, asked, partition_order
from sync.flows.price_writing import rows_per_call, write_prices
from sync.flows.retrying import Retrying
from sync.flows.screening import Screening
from sync.flows.withdrawing import Withdrawals, all_withdrawn
from sync.planning.entitlements import Buyers
from sync.planning.price_spool import PriceSpool
from sync.planning.prices import Belonging, Entitled, shopper_audiences, shopper_currencies
from sync.planning.restricted_prices import Restricted
from sync.ports.erp import Finding, ReadsAccounts, ReadsPrices, SupportsPriceBatches
from sync.ports.price_memory import Partition
from sync.ports.state import ResyncScope
from sync.ports.store import MirrorsPrices, TellsShoppersApart


def mirror_prices(
    context: Context, result: FlowResult, scope: ResyncScope, *, dry_run: bool = False
) -> None:
    """Make the store publish the ERP's prices, each to its audience and no other.

    Prices that ended are taken away, those of the future are published with
    their dates. A partition that nobody is entitled to any more is withdrawn
    before anything is added. Raises SuspiciousPlan, and Misconfigured where the store
    cannot tell the shoppers of two retail groups apart.
    """
    erp = needs(context.erp, ReadsPrices, "the ERP")
    store = needs(context.store, MirrorsPrices, "the store")
    retrying = context.retrying()
    began = Watermark(context.clock.now())
    with all_withdrawn(result, dry_run=dry_run) as withdrawals:
        with withdrawals.each():
            withdraw_retail_groups(context, result, dry_run=dry_run)
        shown = retrying(lambda: set(store.shown_price_partitions()))
        shown -= _withdraw_hidden(context, result, store, retrying, shown, withdrawals)
    entitled, unread = entitled_accounts(context, result)
    levels = levels_in_batches(context, scope)
    scopes, others = _scopes(erp, retrying, scope, levels)
    unclear = take_unreadable(context, result).and_of(unread)
    restricted = restricted_for(context, entitled, unclear)
    screening = Screening.of(context, result, restricted)
    _refuse_mixed_shoppers(context)
    in_columns = isinstance(erp, SupportsPriceBatches)
    with PriceSpool(in_columns=in_columns) as spool:
        confirming = Confirming(context, spool, dry_run=dry_run)
        # In a usual night the store shows what it had confirmed: each partition is there once.
        same = {each: each for each in confirming.held}
        shown = {same.get(each, each) for each in shown}
        del same
        seen = (entitled, unclear, restricted, screening, shown)
        lists = lists_of(context) if levels else None
        run = PriceRun(
            *(context, result, scope, store, retrying, *seen, spool, confirming),
            sharing=lists is not None,
        )
        # Somebody who asks has a reason to doubt what is remembered.
        doubted = scope.everything or dry_run or not context.store.capabilities.prices_stay
        checking = Checking.of(context, began, everything=doubted, spread=lists is None)
        batches = PriceBatches(run, levels, checking)
        if not plan_by_row(run, erp, scopes, others) or (levels and not batches.plan()):
            result.outcome = "cancelled"
            return
        for gone in run.gone():
            plan_gone = batches.plan_gone if gone[1].level in levels else run.plan_gone
            plan_gone(gone)
        batches.tell()
        tell_scopes(result, run.unread)
        # Of these the check has seen nothing: they are compared once they can be read.
        for each in run.left if levels else ():
            if checking.due(each[1]):
                confirming.doubt(each)
        confirming.forget_doubted()
        confirming.compare_later(each for each in run.unlooked_at if checking.due(each[1]))
        sharing = ListSharing(run, batches, lists) if lists is not None else None
        if sharing is None:
            batches.let_go()
        carry_out_by(
            *(context, result, spool, lambda: write_prices(run, sharing), scope), dry_run=dry_run
        )
        if dry_run:
            plan = sharing.plan(rows_per_call(context.store)) if sharing is not None else None
            tell_plan(context, result, scope, levels, plan)
        if dry_run and context.price_changes is not None:
            context.price_changes(spool.every())
    through = result.outcome == "ok" or (
        result.outcome == "try_later" and bool(unread or run.unread or run.unasked)
    )
    if levels and not dry_run and through:
        checking.note(context, began)


def _scopes(
    erp: ReadsPrices, retrying: Retrying, scope: ResyncScope, levels: Collection[PriceLevel]
) -> tuple[list[PriceScope], list[PriceScope]]:
    """The scopes that are read by row, and all that there are, where any is."""
    if levels and not set(PriceLevel) - set(levels):
        return [], []
    told = retrying(lambda: sorted(erp.price_scopes()))
    return [each for each in told if asked(each, scope) and each.level not in levels], told


def _withdraw_hidden(
    context: Context,
    result: FlowResult,
    store: MirrorsPrices,
    retrying: Retrying,
    shown: Collection[Partition],
    withdrawals: Withdrawals,
) -> set[Partition]:
    """Take away what no channel shows to shoppers any more, such as behind a new login wall.

    The mapping alone says so, no source that could be broken: it is done at once,
    without the ERP, and asks no guard rail (VE-7). Gives the partitions that are dealt with.
    """
    declared = shopper_audiences(context.mapping)
    hidden = {each for each in shown if each[0].channel is not None and each[0] not in declared}

    def write(keys: Sequence[PublishedPriceKey]) -> None:
        with context.state.transaction() as state:
            state.price_memory.forget({(each.audience, each.key.scope) for each in keys})
        retrying(store.apply_prices, [], keys)

    size = context.store.capabilities.prices_at_once
    for audience, scope in sorted(hidden, key=partition_order):
        failure = f"{scope} is hidden from {audience} and still shown"
        with withdrawals.each(failure):
            keys = [
                PublishedPriceKey(audience, key)
                for key in retrying(store.shown_prices, audience, scope)
            ]
            if withdrawals.take_away(keys, size, write, failure):
                result.remarks.append(
                    f"No channel shows {scope} to {audience} any more: withdrawn."
                )
    return hidden


def _refuse_mixed_shoppers(context: Context) -> None:
    """Raise Misconfigured before anything is planned that would be shown to the wrong shoppers."""
    problems = shopper_findings(context)
    if problems:
        raise Misconfigured(
            "prices: nothing is mirrored, because the store would mix prices up",
            tuple(f"{each.subject}: {each.message}; {each.remedy}" for each in problems),
        )


def shopper_findings(context: Context) -> Sequence[Finding]:
    """What keeps the store from showing each retail group's prices to its shoppers only."""
    if not isinstance(context.store, TellsShoppersApart):
        return ()
    return context.store.shopper_findings(shopper_currencies(context.mapping))


def entitled_accounts(
    context: Context, result: FlowResult
) -> tuple[Entitled, Collection[CustomerId]]:
    """Who is there to be entitled, and the accounts that cannot be read."""
    erp = needs(context.erp, ReadsAccounts, "the ERP")
    retrying = context.retrying()
    members = members_of_accounts(context, ResyncScope())
    accounts: dict[CustomerId, Belonging] = {}
    alike: dict[Belonging, Belonging] = {}
    locations: list[Location] = []
    apart = Apart(retrying, sorted(members))

    def read(
        some: Sequence[CustomerId],
    ) -> tuple[Mapping[CustomerId, Account], Sequence[Location]]:
        return retrying(erp.accounts, some), retrying(erp.locations, some)

    for batch in chunks(sorted(members), context.limits.accounts_per_read):
        for found, sites in apart.read(batch, read):
            for each in batch:
                if each in found:
                    belonging = Belonging.of(found[each])
                    accounts[each] = alike.setdefault(belonging, belonging)
            locations.extend(sites)
    tell_accounts(result, apart.unread)
    retail = retrying(erp.accounts, sorted(context.mapping.retail_groups.customer_ids))
    absent = frozenset(each for each in members if each not in accounts)
    return Entitled(accounts, tuple(locations), retail, absent), apart.unread


def restricted_for(context: Context, entitled: Entitled, unclear: Unreadable) -> Restricted:
    """No item yet, and for whom items can be kept."""
    there = {each for each in entitled.absent if unclear.shields(each.value)}
    # Of a hundred thousand accounts a second set is made for those alone that are to be in it.
    accounts = entitled.accounts.keys() | there if there else entitled.accounts.keys()
    return Restricted(Buyers(accounts, entitled.retail), context.mapping, entitled)
