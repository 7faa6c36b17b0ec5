"""Mirror of availability by item and warehouse to whoever may see it (MI-4, VE-5, VE-7).

Stock moves all day long and few ERPs say when, so that there is no change feed:
each run reads all figures and writes what differs. Both systems tell them in the
order of the items, so that a run goes through them side by side and holds those of a
few items at a time, however large the catalogue is.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from operator import itemgetter

from sync.domain.account import Item
from sync.domain.availability import Availability
from sync.domain.entitlement import Entitlement
from sync.domain.ids import CustomerId, Sku
from sync.domain.pricing import Audience, AudienceKind
from sync.domain.views import PublishedStockKey
from sync.flows.account_records import no_place
from sync.flows.context import Context, FlowResult
from sync.flows.entitlements import buyers_of, kept_in_store, restricted_items
from sync.flows.mirroring import (
    Unreadable,
    carry_out,
    chunks,
    compare,
    take_unreadable,
    withdraw_retail_groups,
)
from sync.flows.withdrawing import Withdrawals, all_withdrawn
from sync.planning.availability import open_to, stock_audiences, wanted_stock
from sync.planning.entitlements import Buyers
from sync.planning.plan import Change
from sync.planning.prices import shopper_audiences
from sync.planning.spool import Spool
from sync.ports.erp import ReadsAvailability, ReadsItems
from sync.ports.state import ResyncScope
from sync.ports.store import MirrorsAvailability

ITEMS_AT_ONCE = 200


def mirror_availability(
    context: Context, result: FlowResult, scope: ResyncScope, *, dry_run: bool = False
) -> None:
    """Make the store publish the ERP's figures, each to its audience and no other.

    Does nothing, and says so, for a store that has no place for them. Raises SuspiciousPlan.
    """
    store = context.store
    with all_withdrawn(result, dry_run=dry_run) as withdrawals:
        with withdrawals.each():
            withdraw_retail_groups(context, result, dry_run=dry_run)
        if isinstance(store, MirrorsAvailability):
            _withdraw_hidden(context, result, store, withdrawals)
    if not isinstance(store, MirrorsAvailability):
        no_place(result, "availability")
        return
    found = _Rules.of(context, result)
    figures = _figures(context, scope)
    unreadable = take_unreadable(context, result)
    with Spool[PublishedStockKey, Availability](PublishedStockKey, Availability) as spool:
        done = 0
        for batch in _batches(figures, _shown_items(context, store, scope)):
            items = _items(context, batch)
            odd = take_unreadable(context, result)
            rules = replace(found, kept=kept_in_store(context, batch.keys()))
            shown = context.retrying()(store.shown_stock, batch.keys())
            compare(
                spool,
                rules.wanted(batch, items, scope),
                {k: each for k, each in shown.items() if rules.asked(k.audience, scope)},
                lambda key: (key.sku.value, key.audience.order, key.warehouse),
                rules.keeping(items, unreadable, odd),
            )
            done += len(batch)
            if context.progress("availability: comparing", done, None):
                result.outcome = "cancelled"
                return

        def write(batch: Sequence[Change[PublishedStockKey, Availability]]) -> None:
            store.apply_availability(
                [(each.key.audience, each.after) for each in batch if each.after is not None],
                [each.key for each in batch if each.after is None],
            )

        carry_out(context, result, spool, write, scope, dry_run=dry_run)


@dataclass(frozen=True, slots=True)
class _Rules:
    """Who may see what in this run. ``unclear`` are accounts that could not be read,
    ``restricted`` the items that the ERP lists as not for everybody, and ``kept`` what of
    the items at hand the store keeps for some alone."""

    context: Context
    buyers: Buyers
    unclear: Unreadable
    restricted: frozenset[Sku]
    everybody: frozenset[Audience]
    declared: frozenset[Audience]
    kept: Mapping[Sku, Entitlement] = field(default_factory=dict)

    @classmethod
    def of(cls, context: Context, result: FlowResult) -> _Rules:
        buyers, unclear = buyers_of(context, result)
        return cls(
            context,
            buyers,
            unclear,
            restricted_items(context),
            open_to(buyers, context.mapping),
            shopper_audiences(context.mapping),
        )

    def wanted(
        self,
        batch: Mapping[Sku, Iterable[Availability]],
        items: Mapping[Sku, Item],
        scope: ResyncScope,
    ) -> dict[PublishedStockKey, Availability]:
        found: dict[PublishedStockKey, Availability] = {}
        for sku, figures in batch.items():
            if (item := items.get(sku)) is not None:
                to = [each for each in self.audiences(sku, item) if self.asked(each, scope)]
                found |= wanted_stock(figures, item, to, self.context.mapping)
        return found

    def asked(self, audience: Audience, scope: ResyncScope) -> bool:
        """Whether the run is about this audience; one that is hidden was dealt with."""
        if audience.channel is not None and audience not in self.declared:
            return False
        if scope.customer is not None:
            return audience.kind is AudienceKind.ACCOUNT and audience.key == scope.customer
        if scope.channel is not None:
            return audience.channel is not None and audience.channel.value == scope.channel
        return True

    def keeping(self, items: Mapping[Sku, Item], *unreadable: Unreadable) -> _Keeping:
        """What stays in sight although the ERP did not tell it: see ``_Keeping``."""
        return _Keeping(self, items, unreadable)

    def audiences(self, sku: Sku, item: Item | None) -> frozenset[Audience]:
        restricted = sku in self.restricted
        mapping = self.context.mapping
        return stock_audiences(
            item,
            self.buyers,
            mapping,
            self.everybody,
            restricted=restricted,
            kept=self.kept.get(sku),
        )

    def restricts(self, sku: Sku, item: Item | None) -> bool:
        """Whether the item is not for everybody, or not yet."""
        told = item is not None and item.allowed_to is not None
        return told or sku in self.restricted or sku in self.kept

    def knows(self, audience: Audience) -> bool:
        """Whether the audience is there for sure, whatever it may see."""
        if audience.kind is AudienceKind.ACCOUNT:
            return CustomerId(audience.key) in self.buyers.accounts
        return audience.kind is AudienceKind.TAG or audience in self.everybody


@dataclass(frozen=True, slots=True)
class _Keeping:
    """Whether a figure has not vanished, because the ERP holds a record that cannot be read.

    An item that is not for everybody stays with its own audiences alone: where it cannot be
    told whose it is, it is nobody's.
    """

    rules: _Rules
    items: Mapping[Sku, Item]
    unreadable: tuple[Unreadable, ...]

    def __call__(self, key: PublishedStockKey) -> bool:
        rules, item = self.rules, self.items.get(key.sku)
        if rules.restricts(key.sku, item):
            if key.audience not in rules.audiences(key.sku, item):
                return False
        elif not rules.knows(key.audience):
            mine = key.audience.channel is not None or not key.audience.key
            return bool(rules.unclear) and (
                mine or CustomerId(key.audience.key) in rules.buyers.mapped
            )
        return any(each.names(key.sku.value) or each.vague for each in self.unreadable)


def _figures(context: Context, scope: ResyncScope) -> Iterator[Availability]:
    erp = context.erp
    if not isinstance(erp, ReadsAvailability) or not isinstance(erp, ReadsItems):
        return iter(())
    return iter(context.retrying()(erp.availability, _named(scope)))


def _named(scope: ResyncScope) -> list[Sku] | None:
    return None if scope.sku is None else [Sku(scope.sku)]


def _items(context: Context, skus: Collection[Sku]) -> Mapping[Sku, Item]:
    """The items that say who may see them."""
    erp = context.erp
    return context.retrying()(erp.items, list(skus)) if isinstance(erp, ReadsItems) else {}


def _shown_items(context: Context, store: MirrorsAvailability, scope: ResyncScope) -> Iterator[Sku]:
    """The items of which the store shows a figure, in the order of their numbers."""
    if (named := _named(scope)) is not None:
        yield from named
        return
    after: Sku | None = None
    while page := context.retrying()(store.shown_stocked_items, after, ITEMS_AT_ONCE):
        yield from page
        after = page[-1]


def _batches(
    figures: Iterable[Availability], shown: Iterable[Sku]
) -> Iterator[dict[Sku, list[Availability]]]:
    """The ERP's figures by item, beside items that the store shows, a few at a time."""
    told = _ordered((each.sku, each) for each in figures)
    also = _ordered((sku, None) for sku in shown)
    both = groupby(heapq.merge(told, also, key=itemgetter(0)), key=itemgetter(0))
    by_item = ((sku, [each for _, each in group if each is not None]) for sku, group in both)
    yield from map(dict, chunks(by_item, ITEMS_AT_ONCE))


Figured = tuple[Sku, Availability | None]


def _ordered(figures: Iterable[Figured]) -> Iterator[Figured]:
    """The same. Raises ValueError where they do not come as their port promises: what came
    too late would look as if it had vanished."""
    last: Sku | None = None
    for each in figures:
        if last is not None and each[0] < last:
            raise ValueError(f"figures out of order: {each[0]} after {last}")
        last = each[0]
        yield each


def _withdraw_hidden(
    context: Context, result: FlowResult, store: MirrorsAvailability, withdrawals: Withdrawals
) -> None:
    """Take away what no channel shows to shoppers any more, such as behind a new login wall.

    The mapping alone says so: it is done at once and asks no guard rail (VE-7).
    """
    retrying = context.retrying()
    declared = shopper_audiences(context.mapping)
    shown = retrying(lambda: set(store.shown_stock_audiences()))
    hidden = {each for each in shown if each.channel is not None and each not in declared}
    if not hidden:
        return

    def write(keys: Sequence[PublishedStockKey]) -> None:
        retrying(store.apply_availability, [], keys)

    size = context.store.capabilities.batch
    stay: set[Audience] = set()
    for skus in chunks(_shown_items(context, store, ResyncScope()), ITEMS_AT_ONCE):
        held: dict[Audience, list[PublishedStockKey]] = {}
        with withdrawals.each("availability that is hidden is still shown"):
            for key in retrying(store.shown_stock, skus):
                held.setdefault(key.audience, []).append(key)
        for audience in sorted(hidden & held.keys(), key=lambda each: each.order):
            failure = f"availability is hidden from {audience} and still shown"
            if not withdrawals.take_away(held[audience], size, write, failure):
                stay.add(audience)
    for audience in sorted(hidden - stay, key=lambda each: each.order):
        result.remarks.append(f"No channel shows availability to {audience} any more: withdrawn.")
