"""Which prices there are to see under an account, or for the shoppers of a channel.

For telling people what an edit of the mapping means; the flow that mirrors prices
decides for itself.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from sync.domain.account import Account
from sync.domain.ids import CustomerId, LocationId
from sync.domain.mapping import SyncMapping
from sync.domain.pricing import (
    Audience,
    AudienceKind,
    PriceLevel,
    PriceScope,
    scopes_of,
)
from sync.flows.context import Context, needs
from sync.planning.prices import shopper_audiences, wanted_prices
from sync.ports.erp import ReadsAccounts, ReadsPrices, TellsUnreadable
from sync.ports.price_memory import Partition
from sync.ports.store import MirrorsPrices

_OWN = {
    PriceLevel.LOCATION: AudienceKind.LOCATION,
    PriceLevel.ACCOUNT: AudienceKind.ACCOUNT,
}
_LISTS = {PriceLevel.ITEM: "the item overrides", PriceLevel.DEFAULT: "the default list"}


@dataclass(frozen=True, slots=True)
class PricesSeen:
    """The prices of one scope. ``items`` are those of an account or site of its own.

    The items of a list that several accounts have are not named.
    """

    scope: PriceScope
    items: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return _LISTS.get(self.scope.level, str(self.scope))


@dataclass(frozen=True, slots=True)
class ShoppersChange:
    """An audience of shoppers that an edit makes or takes away, and the prices it is about."""

    audience: Audience
    shown: bool
    prices: tuple[PricesSeen, ...]

    def __str__(self) -> str:
        anybody = self.audience.kind is AudienceKind.PUBLIC
        who = "everybody" if anybody else "shoppers who signed in"
        said = f"shown to {who}" if self.shown else f"withdrawn from {who}"
        lists = ", ".join(each.name for each in self.prices) or "nothing yet"
        where = f"channel {self.audience.channel}, retail group {self.audience.key}"
        return f"{where}: {said}: {lists}"


class PriceSight:
    """Asks both systems; nothing where one of them has no prices."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._retrying = context.retrying()

    @property
    def possible(self) -> bool:
        context = self._context
        return isinstance(context.store, MirrorsPrices) and isinstance(context.erp, ReadsPrices)

    def of_accounts(
        self, customer_ids: Collection[CustomerId], new: Collection[CustomerId]
    ) -> Mapping[CustomerId, Sequence[PricesSeen]]:
        """By account: what the store shows its buyers, and of ``new`` ones what the ERP has."""
        if not self.possible:
            return {}
        erp = needs(self._context.erp, ReadsAccounts, "the ERP")
        accounts = self._retrying(erp.accounts, customer_ids)
        sites: dict[CustomerId, list[LocationId]] = {}
        for each in self._retrying(erp.locations, customer_ids):
            sites.setdefault(each.sold_to, []).append(each.location_id)
        found = {
            customer_id: tuple(
                seen
                for scope in _scopes(customer_id, accounts.get(customer_id), sites)
                if (seen := self._seen(scope, new=customer_id in new)) is not None
            )
            for customer_id in customer_ids
        }
        self._leave_unreadable()
        return found

    def of_shoppers(self, draft: SyncMapping) -> Sequence[ShoppersChange]:
        """What the draft's channels show, and show no more, to people without an account."""
        if not self.possible:
            return ()
        before, after = shopper_audiences(self._context.mapping), shopper_audiences(draft)
        gone = [
            ShoppersChange(each, False, tuple(map(PricesSeen, self._shown_to(each))))
            for each in sorted(before - after, key=lambda each: each.order)
        ]
        erp = needs(self._context.erp, ReadsAccounts, "the ERP")
        groups = sorted({CustomerId(each.key) for each in after - before})
        accounts = self._retrying(erp.accounts, groups) if groups else {}
        coming = []
        for each in sorted(after - before, key=lambda each: each.order):
            group = CustomerId(each.key)
            scopes = _scopes(group, accounts.get(group), {})
            told = tuple(PricesSeen(scope) for scope in scopes if scope in self._in_erp)
            coming.append(ShoppersChange(each, True, told))
        self._leave_unreadable()
        return (*gone, *coming)

    def _seen(self, scope: PriceScope, *, new: bool) -> PricesSeen | None:
        """None where there is nothing under this scope."""
        audience = _audience(scope)
        if scope not in self._in_erp if new else (audience, scope) not in self._shown:
            return None
        if scope.level not in _OWN:
            return PricesSeen(scope)
        if new:
            erp = needs(self._context.erp, ReadsPrices, "the ERP")
            entries = self._retrying(lambda: list(erp.prices([scope])))
            keys = wanted_prices(entries, audience, self._context.mapping, self._context.today())
        else:
            store = needs(self._context.store, MirrorsPrices, "the store")
            keys = dict(self._retrying(store.shown_prices, audience, scope))
        items = tuple(sorted({key.sku.value for key in keys}))
        return PricesSeen(scope, items) if items else None

    @cached_property
    def _shown(self) -> frozenset[Partition]:
        store = needs(self._context.store, MirrorsPrices, "the store")
        return self._retrying(lambda: frozenset(store.shown_price_partitions()))

    def _shown_to(self, audience: Audience) -> list[PriceScope]:
        return sorted(scope for whose, scope in self._shown if whose == audience)

    @cached_property
    def _in_erp(self) -> frozenset[PriceScope]:
        erp = needs(self._context.erp, ReadsPrices, "the ERP")
        return self._retrying(lambda: frozenset(erp.price_scopes()))

    def _leave_unreadable(self) -> None:
        """The flow that meets it tells of it."""
        if isinstance(self._context.erp, TellsUnreadable):
            self._context.erp.take_unreadable()


def _scopes(
    customer_id: CustomerId,
    account: Account | None,
    sites: Mapping[CustomerId, Sequence[LocationId]],
) -> list[PriceScope]:
    """Own ones first, then the lists that others have too."""
    groups = account.price_groups if account is not None else ()
    found = {*scopes_of(customer_id, groups), *map(PriceScope.location, sites.get(customer_id, ()))}
    return sorted(found, key=lambda scope: (scope.level not in _OWN, scope))


def _audience(scope: PriceScope) -> Audience:
    """Which buyers of accounts are shown this scope."""
    if scope.level in _OWN:
        return Audience(_OWN[scope.level], scope.owner)
    if scope.level is PriceLevel.GROUP:
        return Audience(AudienceKind.GROUP, scope.owner)
    return Audience(AudienceKind.ACCOUNTS)
