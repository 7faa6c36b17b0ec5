"""Mirror of availability by item and warehouse to whoever may see it (MI-4, VE-7).

Stock moves all day long and few ERPs say when, so that there is no change feed:
each run reads all figures and writes what differs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from sync.domain.account import Item
from sync.domain.availability import Availability, StockKey
from sync.domain.ids import CustomerId, Sku
from sync.domain.pricing import Audience, AudienceKind
from sync.domain.views import PublishedStockKey
from sync.flows.account_records import no_place
from sync.flows.context import Context, FlowResult
from sync.flows.mirroring import (
    carry_out,
    chunks,
    in_erp,
    members_of_accounts,
    take_unreadable,
    withdraw_retail_groups,
)
from sync.flows.retrying import Retrying
from sync.planning.availability import stock_audiences, wanted_availability
from sync.planning.plan import Change, plan_mirror
from sync.planning.prices import shopper_audiences
from sync.planning.spool import Spool
from sync.ports.erp import ReadsAvailability, ReadsItems
from sync.ports.state import ResyncScope
from sync.ports.store import MirrorsAvailability

ITEMS_PER_READ = 500


def mirror_availability(
    context: Context, result: FlowResult, scope: ResyncScope, *, dry_run: bool = False
) -> None:
    """Make the store publish the ERP's figures, each to its audience and no other.

    Does nothing, and says so, for a store that has no place for them. Raises SuspiciousPlan.
    """
    store = context.store
    withdraw_retail_groups(context, result, dry_run=dry_run)
    if not isinstance(store, MirrorsAvailability):
        no_place(result, "availability")
        return
    retrying = context.retrying()
    mapped = members_of_accounts(context, ResyncScope())
    accounts: list[CustomerId] = []
    for batch in chunks(sorted(mapped), context.limits.accounts_per_read):
        accounts.extend(in_erp(context, batch))
    retail = in_erp(context, sorted(context.mapping.retail_groups.customer_ids))
    unclear = take_unreadable(context, result)
    may_see = stock_audiences(context.mapping, accounts, retail)
    shown = set(retrying(lambda: list(store.shown_stock_audiences())))
    shown -= _withdraw_hidden(context, result, store, retrying, shown, dry_run=dry_run)
    told, items = _read(context, retrying, scope)
    unreadable = take_unreadable(context, result)
    restricted = [each for each in told if each.sku in items and items[each.sku].allowed_to]
    among = {owner for each in restricted for owner in items[each.sku].allowed_to or ()}
    # Nearly all accounts have nothing that is for them alone.
    wanted = {
        each
        for each in may_see
        if each.kind is not AudienceKind.ACCOUNT or CustomerId(each.key) in among
    }
    audiences = [each for each in _in_order({*wanted, *shown}) if _asked(each, scope)]
    # A record that does not even say which item it is may be about any.
    vague = any(key.startswith("?") for key in unreadable.keys)

    def stays(audience: Audience, key: StockKey) -> bool:
        """Whether the ERP holds a record that could not be read, so that this has not vanished."""
        if audience in may_see:
            return vague or unreadable.names(key[0].value)
        mine = audience.channel is not None or not audience.key
        return bool(unclear) and (mine or CustomerId(audience.key) in mapped)

    with Spool[PublishedStockKey, Availability](PublishedStockKey, Availability) as spool:
        for done, audience in enumerate(audiences, start=1):
            figures = restricted if audience.kind is AudienceKind.ACCOUNT else told
            if audience not in wanted:
                figures = ()
            own = wanted_availability(figures, items, audience, context.mapping)
            held = retrying(store.shown_availability, audience)
            if scope.sku is not None:
                held = {key: each for key, each in held.items() if key[0].value == scope.sku}
            spool.tally.shown += len(held)
            spool.tally.wanted += len(own)
            for change in plan_mirror(own, held, lambda key: key):
                if change.after is None and stays(audience, change.key):
                    spool.tally.wanted += 1
                    continue
                key = PublishedStockKey(audience, *change.key)
                spool.add(Change(key, change.before, change.after))
            if context.progress("availability: comparing", done, len(audiences)):
                result.outcome = "cancelled"
                return

        def write(batch: Sequence[Change[PublishedStockKey, Availability]]) -> None:
            store.apply_availability(
                [(each.key.audience, each.after) for each in batch if each.after is not None],
                [each.key for each in batch if each.after is None],
            )

        carry_out(context, result, spool, write, scope, dry_run=dry_run)


def _read(
    context: Context, retrying: Retrying, scope: ResyncScope
) -> tuple[Sequence[Availability], Mapping[Sku, Item]]:
    """All figures, and the items that say who may see them."""
    erp = context.erp
    if not isinstance(erp, ReadsAvailability) or not isinstance(erp, ReadsItems):
        return (), {}
    told = retrying(erp.availability, None if scope.sku is None else [Sku(scope.sku)])
    items: dict[Sku, Item] = {}
    for batch in chunks(sorted({each.sku for each in told}), ITEMS_PER_READ):
        items |= retrying(erp.items, batch)
    return told, items


def _withdraw_hidden(
    context: Context,
    result: FlowResult,
    store: MirrorsAvailability,
    retrying: Retrying,
    shown: Collection[Audience],
    *,
    dry_run: bool,
) -> set[Audience]:
    """Take away what no channel shows to shoppers any more, such as behind a new login wall.

    The mapping alone says so: it is done at once and asks no guard rail (VE-7).
    """
    declared = shopper_audiences(context.mapping)
    hidden = {each for each in shown if each.channel is not None and each not in declared}
    for audience in _in_order(hidden):
        keys = [
            PublishedStockKey(audience, *key)
            for key in retrying(store.shown_availability, audience)
        ]
        result.count("withdrawn", len(keys))
        result.remarks.append(f"No channel shows availability to {audience} any more: withdrawn.")
        if not dry_run:
            for batch in chunks(keys, context.store.capabilities.batch):
                retrying(store.apply_availability, [], batch)
    return hidden


def _in_order(audiences: Collection[Audience]) -> list[Audience]:
    """Those that everybody sees first: what they must not see any more goes first."""
    return sorted(audiences, key=lambda each: (each.kind is not AudienceKind.PUBLIC, each.order))


def _asked(audience: Audience, scope: ResyncScope) -> bool:
    if scope.customer is not None:
        return audience.kind is AudienceKind.ACCOUNT and audience.key == scope.customer
    if scope.channel is not None:
        return audience.channel is not None and audience.channel.value == scope.channel
    return True
