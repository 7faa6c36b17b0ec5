"""Mirror of prices to the audiences that are entitled to them (WA-6, WA-7, VE-7)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import structlog

from sync.domain.account import Account, Location
from sync.domain.ids import CustomerId, Sku
from sync.domain.mapping import SyncMapping
from sync.domain.pricing import (
    Audience,
    AudienceKind,
    Price,
    PriceKey,
    PriceLevel,
    PriceScope,
    PriceValue,
)
from sync.domain.views import PublishedPriceKey
from sync.errors import Misconfigured
from sync.flows.apart import Apart
from sync.flows.context import Context, FlowResult, needs
from sync.flows.mirroring import (
    Unreadable,
    carry_out,
    chunks,
    members_of_accounts,
    take_unreadable,
    withdraw_retail_groups,
)
from sync.flows.retrying import Retrying
from sync.flows.screening import Screening
from sync.flows.withdrawing import Withdrawals, all_withdrawn
from sync.planning.entitlements import Buyers
from sync.planning.guards import price_moved
from sync.planning.plan import Change, plan_mirror
from sync.planning.prices import (
    Entitled,
    audiences_of,
    shopper_audience,
    shopper_audiences,
    shopper_currencies,
    wanted_prices,
)
from sync.planning.restricted_prices import Restricted
from sync.planning.spool import Spool
from sync.ports.erp import Finding, ReadsAccounts, ReadsPrices
from sync.ports.state import ResyncScope
from sync.ports.store import MirrorsPrices, TellsShoppersApart

Partition = tuple[Audience, PriceScope]

# Scopes of single owners are small and many: one statement reads several.
OWNERS_PER_READ = 50

# Items that a remark names; a list may have thousands without a price.
CALLS_NAMED = 20

log = structlog.get_logger()


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
    with all_withdrawn(result, dry_run=dry_run) as withdrawals:
        with withdrawals.each():
            withdraw_retail_groups(context, result, dry_run=dry_run)
        shown = retrying(lambda: set(store.shown_price_partitions()))
        shown -= _withdraw_hidden(context, result, store, retrying, shown, withdrawals)
    entitled, unread = _entitled(context, result, retrying)
    scopes = [each for each in retrying(lambda: sorted(erp.price_scopes())) if _asked(each, scope)]
    unclear = take_unreadable(context, result).and_of(unread)
    for each in scopes:
        if len(entitled.sites(each)) > 1:
            result.remarks.append(f"Several accounts have the {each}: its prices go to nobody.")
    audiences = {each: audiences_of(each, context.mapping, entitled) for each in scopes}
    wanted = {(audience, each) for each in scopes for audience in audiences[each]}
    restricted = _restricted(context, entitled, unclear)
    screening = Screening.of(context, result, restricted)
    _refuse_mixed_shoppers(context)
    apart = {each for each in shown - wanted if audiences.get(each[1]) and _stands_apart(*each)}
    with Spool[PublishedPriceKey, PriceValue](PublishedPriceKey, PriceValue) as spool:
        for audience, each in sorted(shown - wanted - apart, key=_partition_order):
            if _asked(each, scope) and _on_channel(audience, scope):
                whole = not _may_be_entitled(audience, context.mapping, entitled, unclear)
                gone = (audience, each)
                _plan(context, spool, gone, {}, store, retrying, scope, whole=whole)
        published = [each for each in scopes if audiences[each]]
        done = 0
        for batch in _batches(published):
            entries = retrying(_read, erp, batch, scope)
            unreadable = take_unreadable(context, result)
            screening.look_at({each.key.sku for found in entries.values() for each in found})
            for each in batch:
                for_some = restricted.by_audience(each, entries.get(each, ()))
                also = {audience for audience, of_scope in apart if of_scope == each}
                ordinary = audiences[each]
                others = _in_order((for_some.keys() | also) - set(ordinary))
                for audience in (*ordinary, *others):
                    if not _on_channel(audience, scope):
                        continue
                    own = for_some.get(audience, [])
                    if audience in ordinary:
                        own = [*own, *_for_all(entries.get(each, ()), restricted)]
                    prices = wanted_prices(own, audience, context.mapping, context.today())
                    _tell_of_calls(context, result, audience, prices)
                    whole = not unreadable.shields(entitled.owner(each))
                    planned = (context, spool, (audience, each), prices, store, retrying, scope)
                    _plan(*planned, whole=whole, restricted=restricted)
            done += len(batch)
            if context.progress("prices: comparing", done, len(published)):
                result.outcome = "cancelled"
                return

        def write(batch: Sequence[Change[PublishedPriceKey, PriceValue]]) -> None:
            store.apply_prices(
                [(change.key, change.after) for change in batch if change.after is not None],
                [change.key for change in batch if change.after is None],
            )

        at_once = context.store.capabilities.prices_at_once
        carry_out(context, result, spool, write, scope, dry_run=dry_run, batch=at_once)


def _tell_of_calls(
    context: Context, result: FlowResult, audience: Audience, prices: Mapping[PriceKey, PriceValue]
) -> None:
    """Name what this audience should call for and is shown another price of (WA-10).

    No run puts that right, so every run says it.
    """
    if context.store.capabilities.call_for_pricing:
        return
    items = sorted({key.sku.value for key, value in prices.items() if value.unit_price is None})
    if not items:
        return
    result.count("call_for_pricing_not_shown", len(items))
    named = ", ".join(items[:CALLS_NAMED]) + (" and others" if len(items) > CALLS_NAMED else "")
    name = context.store.capabilities.name
    log.warning("price.call_not_shown", store=name, audience=str(audience), items=len(items))
    result.remarks.append(
        f"{name} has no call for pricing: {audience} has to call for {named}, and is shown what"
        " a lower level or the store itself says. Hide these items from them in the store, or"
        " give them a price in the ERP."
    )


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
        retrying(store.apply_prices, [], keys)

    size = context.store.capabilities.prices_at_once
    for audience, scope in sorted(hidden, key=_partition_order):
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


def _entitled(
    context: Context, result: FlowResult, retrying: Retrying
) -> tuple[Entitled, Collection[CustomerId]]:
    """Who is there to be entitled, and the accounts that cannot be read."""
    erp = needs(context.erp, ReadsAccounts, "the ERP")
    members = members_of_accounts(context, ResyncScope())
    accounts: dict[CustomerId, Account] = {}
    locations: list[Location] = []
    apart = Apart(retrying, sorted(members))

    def read(
        some: Sequence[CustomerId],
    ) -> tuple[Mapping[CustomerId, Account], Sequence[Location]]:
        return retrying(erp.accounts, some), retrying(erp.locations, some)

    for batch in chunks(sorted(members), context.limits.accounts_per_read):
        for found, sites in apart.read(batch, read):
            accounts |= found
            locations.extend(sites)
    apart.tell(result)
    retail = retrying(erp.accounts, sorted(context.mapping.retail_groups.customer_ids))
    return Entitled(accounts, tuple(locations), retail, frozenset(members)), apart.unread


def _restricted(context: Context, entitled: Entitled, unclear: Unreadable) -> Restricted:
    """No item yet, and for whom items can be kept."""
    there = {each for each in entitled.mapped if unclear.shields(each.value)}
    buyers = Buyers(frozenset(entitled.accounts.keys() | there), entitled.retail)
    return Restricted(buyers, context.mapping, entitled)


def _stands_apart(audience: Audience, scope: PriceScope) -> bool:
    """Whether only prices of restricted items are published so: out of a list that many
    share, to single accounts and to those with a tag."""
    shared = scope.level in (PriceLevel.ITEM, PriceLevel.GROUP, PriceLevel.DEFAULT)
    return shared and audience.kind in (AudienceKind.ACCOUNT, AudienceKind.TAG)


def _for_all(entries: Sequence[Price], restricted: Restricted) -> Sequence[Price]:
    if not restricted:
        return entries
    return [each for each in entries if each.key.sku not in restricted]


def _in_order(audiences: Collection[Audience]) -> list[Audience]:
    return sorted(audiences, key=lambda each: each.order)


def _may_be_entitled(
    audience: Audience, mapping: SyncMapping, entitled: Entitled, unclear: Unreadable
) -> bool:
    """Whether only an unreadable account or site keeps us from knowing it entitled."""
    if audience.channel is not None:
        channel = mapping.channels.get(audience.channel)
        declared = channel is not None and any(
            shopper_audience(channel, group.customer_id) == audience
            for group in channel.retail_groups
        )
        return declared and unclear.shields(audience.key)
    if audience.kind is AudienceKind.ACCOUNT:
        return CustomerId(audience.key) in entitled.mapped and unclear.shields(audience.key)
    # Nobody can say which groups and sites the unreadable account has.
    return bool(unclear)


def _read(
    erp: ReadsPrices, scopes: Collection[PriceScope], scope: ResyncScope
) -> Mapping[PriceScope, list[Price]]:
    skus = [Sku(scope.sku)] if scope.sku is not None else None
    found: dict[PriceScope, list[Price]] = {}
    for entry in erp.prices(scopes, skus):
        found.setdefault(entry.key.scope, []).append(entry)
    return found


def _plan(
    context: Context,
    spool: Spool[PublishedPriceKey, PriceValue],
    partition: Partition,
    wanted: Mapping[PriceKey, PriceValue],
    store: MirrorsPrices,
    retrying: Retrying,
    scope: ResyncScope,
    *,
    whole: bool = True,
    restricted: Restricted | None = None,
) -> None:
    """Plan one partition; with ``whole=False`` an entry that is not wanted stays.

    One of an item that is not for this audience does not.
    """
    audience, of_scope = partition
    shown = retrying(store.shown_prices, audience, of_scope)
    if scope.sku is not None:
        shown = {key: value for key, value in shown.items() if key.sku.value == scope.sku}
    tally, step = spool.tally, context.limits.guard("prices").price_step
    tally.shown += len(shown)
    tally.wanted += len(wanted)
    for change in plan_mirror(wanted, shown, lambda key: key.order):
        barred = restricted is not None and restricted.bars(audience, change.key)
        if change.after is None and not whole and not barred:
            tally.wanted += 1
            continue
        if change.before is not None and change.after is not None:
            old, new = change.before.unit_price, change.after.unit_price
            tally.prices_moved += price_moved(old, new, step)
        key = PublishedPriceKey(audience, change.key)
        spool.add(Change(key, change.before, change.after))


def _batches(scopes: Sequence[PriceScope]) -> Iterator[list[PriceScope]]:
    """Lists that everybody shares one by one, those of single owners together."""
    single = (PriceLevel.ACCOUNT, PriceLevel.LOCATION)
    yield from ([each] for each in scopes if each.level not in single)
    yield from chunks([each for each in scopes if each.level in single], OWNERS_PER_READ)


def _asked(each: PriceScope, scope: ResyncScope) -> bool:
    return scope.customer is None or each.owner == scope.customer


def _on_channel(audience: Audience, scope: ResyncScope) -> bool:
    if scope.channel is None:
        return True
    return audience.channel is not None and audience.channel.value == scope.channel


def _partition_order(partition: Partition) -> tuple[object, ...]:
    audience, scope = partition
    return (audience.kind is not AudienceKind.PUBLIC, audience.order, scope)
