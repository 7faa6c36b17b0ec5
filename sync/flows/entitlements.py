"""Mirror of what is not for everybody: each restricted item, and whom it is for (VE-5).

It is a flow of its own, because it follows items, not accounts: which groups an
account is in comes with the account itself (``accounts``), as its tags.

Here what vanishes from a source would open an item to everybody. So a restriction
is never dropped because a list has become shorter, but only where the item itself
says that it is for everybody. An item of which the ERP tells nothing, or nothing that
can be read, is hidden. Few ERPs say when such a thing was changed, so that there is no
change feed: each run compares all restricted items.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from sync.domain.account import Item
from sync.domain.entitlement import Entitlement
from sync.domain.ids import CustomerId, Sku
from sync.domain.pricing import Audience, AudienceKind
from sync.flows.account_records import no_place
from sync.flows.apart import Apart, tell_accounts
from sync.flows.context import Context, FlowResult, needs
from sync.flows.mirroring import (
    Unreadable,
    carry_out,
    chunks,
    compare,
    members_of_accounts,
    take_unreadable,
    withdraw_retail_groups,
)
from sync.flows.withdrawing import Withdrawals, all_withdrawn
from sync.planning.entitlements import Buyers, Sight, entitlement_of, hides
from sync.planning.plan import Change
from sync.planning.prices import shopper_audiences
from sync.planning.spool import Spool
from sync.ports.erp import ListsRestrictedItems, ReadsAccounts, ReadsItems
from sync.ports.state import ResyncScope
from sync.ports.store import MirrorsEntitlements

ITEMS_PER_READ = 500

NAMED = 20


def mirror_entitlements(
    context: Context, result: FlowResult, scope: ResyncScope, *, dry_run: bool = False
) -> None:
    """Make the store keep each restricted item for whom the ERP keeps it.

    What somebody may not see any more goes first. Does nothing, and says so, for a
    store that has no place for it or an ERP that cannot tell. Raises SuspiciousPlan.
    """
    store, erp = context.store, context.erp
    retrying = context.retrying()
    shown_skus: set[Sku] = set()
    with all_withdrawn(result, dry_run=dry_run) as withdrawals:
        with withdrawals.each():
            withdraw_retail_groups(context, result, dry_run=dry_run)
        if isinstance(store, MirrorsEntitlements) and isinstance(erp, ListsRestrictedItems):
            shown_skus = retrying(lambda: set(store.shown_restricted_items()))
            _withdraw_hidden(context, store, shown_skus, withdrawals)
    if not isinstance(store, MirrorsEntitlements):
        no_place(result, "restricted items")
        return
    if not isinstance(erp, ListsRestrictedItems) or not isinstance(erp, ReadsItems):
        result.remarks.append("The ERP cannot list what is not for everybody: nothing is mirrored.")
        return
    listed = restricted_items(context)
    buyers, _ = buyers_of(context, result)
    skus = sorted(listed | shown_skus)
    if scope.sku is not None:
        skus = [each for each in skus if each.value == scope.sku]
    sight = Sight()
    with Spool[Sku, Entitlement](Sku, Entitlement, hides) as spool:
        done = 0
        for batch in chunks(skus, ITEMS_PER_READ):
            items = retrying(erp.items, batch)
            take_unreadable(context, result, "it is hidden until it can be read")
            wanted = {
                sku: entitlement_of(sku, items.get(sku), buyers, context.mapping)
                for sku in batch
                if sku in listed or _restricted(items.get(sku))
            }
            shown = dict(retrying(store.shown_entitlements, batch))
            for sku in [each for each in batch if not _asked(scope, wanted, shown, each)]:
                wanted.pop(sku, None)
                shown.pop(sku, None)
            _tell_of_nobodys(result, wanted, items)
            sight.add(wanted, shown)
            compare(spool, wanted, shown, lambda key: key.value, lambda _: False)
            done += len(batch)
            if context.progress("entitlements: comparing", done, len(skus)):
                result.outcome = "cancelled"
                return

        def write(batch: Sequence[Change[Sku, Entitlement]]) -> None:
            store.apply_entitlements(
                [each.after for each in batch if each.after is not None],
                [each.key for each in batch if each.after is None],
            )

        sight.into(spool.tally)
        carry_out(context, result, spool, write, scope, dry_run=dry_run)


def _withdraw_hidden(
    context: Context,
    store: MirrorsEntitlements,
    skus: Collection[Sku],
    withdrawals: Withdrawals,
) -> None:
    """Keep no item for shoppers whom no channel has any more, such as before a login wall.

    The mapping alone says so: it is done at once, and without the ERP (VE-7).
    """
    declared = shopper_audiences(context.mapping)
    retrying = context.retrying()

    def write(narrowed: Sequence[Entitlement]) -> None:
        retrying(store.apply_entitlements, narrowed, [])

    size = context.store.capabilities.batch
    failure = "an item is kept for shoppers whom no channel has, and still shown to them"
    for batch in chunks(sorted(skus), size):
        with withdrawals.each(failure):
            narrowed = [
                Entitlement(each.sku, stay)
                for each in retrying(store.shown_entitlements, batch).values()
                if (stay := _declared(each, declared)) != each.audiences
            ]
            withdrawals.take_away(narrowed, size, write, failure)


def _declared(entitlement: Entitlement, declared: Collection[Audience]) -> tuple[Audience, ...]:
    return tuple(each for each in entitlement.audiences if not each.channel or each in declared)


def restricted_items(context: Context) -> frozenset[Sku]:
    """What the ERP lists as not for everybody; nothing where it cannot list it."""
    erp = context.erp
    if not isinstance(erp, ListsRestrictedItems):
        return frozenset()
    return context.retrying()(lambda: frozenset(erp.restricted_items()))


def kept_in_store(context: Context, skus: Collection[Sku]) -> Mapping[Sku, Entitlement]:
    """Whom the store keeps these items for; nothing where it has no place for that."""
    store = context.store
    if not isinstance(store, MirrorsEntitlements):
        return {}
    return context.retrying()(store.shown_entitlements, skus)


def all_kept_in_store(context: Context) -> Mapping[Sku, Entitlement]:
    """Every item that the store keeps for somebody or for nobody, and for whom."""
    store = context.store
    if not isinstance(store, MirrorsEntitlements):
        return {}
    found: dict[Sku, Entitlement] = {}
    skus = context.retrying()(lambda: sorted(store.shown_restricted_items()))
    for batch in chunks(skus, ITEMS_PER_READ):
        found.update(kept_in_store(context, batch))
    return found


def buyers_of(context: Context, result: FlowResult) -> tuple[Buyers, Unreadable]:
    """The accounts and retail groups that something can be kept for, and which are unclear.

    An account that the ERP holds and that cannot be read is among them: the item
    names it. A retail group that cannot be read is not: its groups are not known.
    """
    erp = needs(context.erp, ReadsAccounts, "the ERP")
    retrying = context.retrying()
    mapped = sorted(members_of_accounts(context, ResyncScope()))
    found: set[CustomerId] = set()
    apart = Apart(retrying, mapped)
    for batch in chunks(mapped, context.limits.accounts_per_read):
        for accounts in apart.read(batch, lambda some: retrying(erp.accounts, some)):
            found |= accounts.keys()
    retail = retrying(erp.accounts, sorted(context.mapping.retail_groups.customer_ids))
    unclear = take_unreadable(context, result).and_of(apart.unread)
    tell_accounts(result, apart.unread)
    found |= {each for each in mapped if unclear.shields(each.value)}
    return Buyers(frozenset(found), retail, frozenset(mapped)), unclear


def _asked(
    scope: ResyncScope,
    wanted: Mapping[Sku, Entitlement],
    shown: Mapping[Sku, Entitlement],
    sku: Sku,
) -> bool:
    """Whether a run for one customer or channel is about this item."""
    if scope.customer is None and scope.channel is None:
        return True
    named = {
        audience
        for each in (wanted.get(sku), shown.get(sku))
        if each is not None
        for audience in each.audiences
    }
    if scope.customer is not None:
        return Audience(AudienceKind.ACCOUNT, scope.customer) in named
    return any(each.channel is not None and each.channel.value == scope.channel for each in named)


def _restricted(item: Item | None) -> bool:
    return item is None or item.allowed_to is not None


def _tell_of_nobodys(
    result: FlowResult, wanted: Mapping[Sku, Entitlement], items: Mapping[Sku, Item]
) -> None:
    """Name what the ERP keeps for somebody, without saying for whom."""
    unclear = sorted(_unclear(wanted.keys(), items))
    told = result.counts.get("hidden_from_all", 0)
    result.count("hidden_from_all", len(unclear))
    result.remarks.extend(
        f"The ERP does not say whom item {sku} is for: it is hidden from everybody."
        for sku in unclear[: max(0, NAMED - told)]
    )


def _unclear(skus: Collection[Sku], items: Mapping[Sku, Item]) -> Iterator[Sku]:
    for sku in skus:
        item = items.get(sku)
        if item is None or item.allowed_to is None:
            yield sku
