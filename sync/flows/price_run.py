"""One run of the price mirror, partition by partition, compared with the store row by row."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

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
from sync.errors import SyncError
from sync.flows.context import Context, FlowResult
from sync.flows.mirroring import Unreadable
from sync.flows.price_confirming import Confirming
from sync.flows.retrying import Retrying
from sync.flows.screening import Screening
from sync.planning.guards import price_moved
from sync.planning.plan import Change, plan_mirror
from sync.planning.price_spool import PriceSpool
from sync.planning.prices import Entitled, audiences_of, shopper_audience, wanted_prices
from sync.planning.restricted_prices import Restricted
from sync.ports.price_memory import Partition
from sync.ports.state import ResyncScope
from sync.ports.store import MirrorsPrices

# Items that a remark names; a list may have thousands without a price.
CALLS_NAMED = 20

log = structlog.get_logger()


@dataclass
class PriceRun:
    """What a run knows of both sides, and the plan that it makes.

    ``shown`` are the partitions that the store shows something of. ``unclear`` are the
    owners of accounts and scopes that could not be read. ``planned`` are the partitions
    that were looked at, ``kept`` those of them that stay, at least in part, because the
    ERP cannot tell them, ``unread`` the scopes that it cannot tell at all, ``unasked`` those
    that it was not asked for after all. ``sharing``: the store's lists that accounts share
    may be used.
    """

    context: Context
    result: FlowResult
    scope: ResyncScope
    store: MirrorsPrices
    retrying: Retrying
    entitled: Entitled
    unclear: Unreadable
    restricted: Restricted
    screening: Screening
    shown: Collection[Partition]
    spool: PriceSpool
    confirming: Confirming
    sharing: bool = False
    planned: set[Partition] = field(default_factory=set)
    kept: set[Partition] = field(default_factory=set)
    unread: dict[PriceScope, SyncError] = field(default_factory=dict)
    unasked: list[PriceScope] = field(default_factory=list)
    _shown_apart: dict[PriceScope, list[Audience]] = field(default_factory=dict)
    _expected_rows: int = 0

    def __post_init__(self) -> None:
        self._expected_rows = sum(each.shown for each in self.confirming.held.values())
        for audience, scope in self.shown:
            if stands_apart(audience, scope):
                self._shown_apart.setdefault(scope, []).append(audience)

    def audiences(self, scope: PriceScope) -> tuple[Audience, ...]:
        return audiences_of(scope, self.context.mapping, self.entitled)

    def compared(self, lists: int, of: int) -> bool:
        """Tell how many of the lists are compared, and how many rows; whether to stop."""
        rows, expected = self.spool.tally.wanted, self._expected_rows
        stop = self.context.progress("prices: comparing lists", lists, of)
        total = expected if expected > rows else None
        return self.context.progress("prices: comparing rows", rows, total) or stop

    def tell_of_shared(self, scope: PriceScope) -> None:
        """Say that a site is several accounts', so that its prices are nobody's."""
        if len(self.entitled.sites(scope)) > 1:
            self.result.remarks.append(
                f"Several accounts have the {scope}: its prices go to nobody."
            )

    def plan_scope(self, scope: PriceScope, entries: Sequence[Price], *, whole: bool) -> None:
        """Plan all partitions of a scope; with ``whole=False`` what is not told stays."""
        ordinary = self.audiences(scope)
        for_some = self.restricted.by_audience(scope, entries)
        for audience in (*ordinary, *self.others(scope, ordinary, for_some)):
            own = for_some.get(audience, [])
            if audience in ordinary:
                own = [*own, *self._for_all(entries)]
            self.plan_entries((audience, scope), own, whole=whole)

    def keep_scope(
        self, scope: PriceScope, stays: Callable[[Partition], bool] | None = None
    ) -> None:
        """What is shown of it stays, to whoever may see it: the ERP cannot tell it now.

        ``stays`` may know so without the store, and then has planned the partition.
        """
        ordinary = self.audiences(scope)
        for audience in (*ordinary, *self.others(scope, ordinary, ())):
            if not on_channel(audience, self.scope):
                continue
            partition = (audience, scope)
            if stays is not None and stays(partition):
                continue
            shown = self.shown_of(partition) if partition in self.shown else {}
            self.screening.look_at({key.sku for key in shown})
            self.compare(partition, {}, shown, whole=False)

    def others(
        self,
        scope: PriceScope,
        ordinary: Collection[Audience],
        for_some: Collection[Audience],
    ) -> list[Audience]:
        """Those who are shown restricted items of the scope alone, or were until now."""
        also = set(self._shown_apart.get(scope, ()))
        return sorted((also | set(for_some)) - set(ordinary), key=lambda each: each.order)

    def plan_entries(
        self, partition: Partition, entries: Sequence[Price], *, whole: bool = True
    ) -> None:
        """Plan one partition, compared with what the store shows of it."""
        audience = partition[0]
        if not on_channel(audience, self.scope):
            return
        today = self.context.today()
        wanted = wanted_prices(entries, audience, self.context.mapping, today)
        calls = {key.sku for key, value in wanted.items() if value.unit_price is None}
        self.tell_of_calls(audience, calls)
        self.compare(partition, wanted, whole=whole)

    def shown_of(self, partition: Partition) -> Mapping[PriceKey, PriceValue]:
        """What the store shows of a partition, within the scope of the run."""
        shown = self.retrying(self.store.shown_prices, *partition)
        if self.scope.sku is not None:
            return {key: value for key, value in shown.items() if key.sku.value == self.scope.sku}
        return shown

    def compare(
        self,
        partition: Partition,
        wanted: Mapping[PriceKey, PriceValue],
        shown: Mapping[PriceKey, PriceValue] | None = None,
        *,
        whole: bool = True,
    ) -> None:
        """Put aside what differs; with ``whole=False`` an entry that is not wanted stays.

        One of an item that is not for this audience does not.
        """
        audience = partition[0]
        self.planned.add(partition)
        if not whole:
            self.kept.add(partition)
        if shown is None:
            shown = self.shown_of(partition)
        tally, step = self.spool.tally, self.context.limits.guard("prices").price_step
        tally.shown += len(shown)
        tally.wanted += len(wanted)
        for change in plan_mirror(wanted, shown, lambda key: key.order):
            stays = change.after is None and not whole
            if stays and not self.restricted.bars(audience, change.key):
                tally.wanted += 1
                continue
            if change.before is not None and change.after is not None:
                old, new = change.before.unit_price, change.after.unit_price
                tally.prices_moved += price_moved(old, new, step)
            key = PublishedPriceKey(audience, change.key)
            self.spool.add(Change(key, change.before, change.after))

    def tell_of_calls(self, audience: Audience, skus: Collection[Sku]) -> None:
        """Name what this audience should call for and is shown another price of (WA-10).

        No run puts that right, so every run says it.
        """
        capabilities = self.context.store.capabilities
        if capabilities.call_for_pricing or not skus:
            return
        items = sorted(each.value for each in skus)
        self.result.count("call_for_pricing_not_shown", len(items))
        named = ", ".join(items[:CALLS_NAMED]) + (" and others" if len(items) > CALLS_NAMED else "")
        name = capabilities.name
        log.warning("price.call_not_shown", store=name, audience=str(audience), items=len(items))
        self.result.remarks.append(
            f"{name} has no call for pricing: {audience} has to call for {named}, and is shown what"
            " a lower level or the store itself says. Hide these items from them in the store, or"
            " give them a price in the ERP."
        )

    @property
    def left(self) -> Collection[Partition]:
        """What stays because the ERP could not tell it, also where the store was not asked."""
        if not self.unread:
            return self.kept
        return self.kept | {each for each in self.planned if each[1] in self.unread}

    @property
    def unlooked_at(self) -> Collection[Partition]:
        """What stays because the ERP was not asked for it, nor the store."""
        unasked = set(self.unasked)
        return {each for each in self.planned if each[1] in unasked} - self.kept

    def gone(self) -> list[Partition]:
        """What the store shows and nothing was planned of, within the scope of the run."""
        return sorted(
            (
                (audience, scope)
                for audience, scope in self.shown
                if (audience, scope) not in self.planned
                and asked(scope, self.scope)
                and on_channel(audience, self.scope)
            ),
            key=partition_order,
        )

    def plan_gone(self, partition: Partition) -> None:
        """Nobody is entitled to it any more; what only cannot be read stays."""
        mapping = self.context.mapping
        unclear = may_be_entitled(partition[0], mapping, self.entitled, self.unclear)
        self.compare(partition, {}, whole=not unclear)

    def _for_all(self, entries: Sequence[Price]) -> Sequence[Price]:
        if not self.restricted:
            return entries
        return [each for each in entries if each.key.sku not in self.restricted]


def stands_apart(audience: Audience, scope: PriceScope) -> bool:
    """Whether only prices of restricted items are published so: out of a list that many
    share, to single accounts and to those with a tag."""
    shared = scope.level in (PriceLevel.ITEM, PriceLevel.GROUP, PriceLevel.DEFAULT)
    return shared and audience.kind in (AudienceKind.ACCOUNT, AudienceKind.TAG)


def may_be_entitled(
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
        return entitled.is_mapped(CustomerId(audience.key)) and unclear.shields(audience.key)
    # Nobody can say which groups and sites the unreadable account has.
    return bool(unclear)


def asked(each: PriceScope, scope: ResyncScope) -> bool:
    """Whether the run is about this scope of prices."""
    return scope.customer is None or each.owner == scope.customer


def on_channel(audience: Audience, scope: ResyncScope) -> bool:
    """Whether the run is about this audience."""
    if scope.channel is None:
        return True
    return audience.channel is not None and audience.channel.value == scope.channel


def partition_order(partition: Partition) -> tuple[object, ...]:
    """What everybody sees comes first."""
    audience, scope = partition
    return (audience.kind is not AudienceKind.PUBLIC, audience.order, scope)
