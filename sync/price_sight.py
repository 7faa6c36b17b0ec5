"""Which prices there are to see under an account, or for the shoppers of a channel.

For telling people what an edit of the mapping means, with the parts that the flow which
mirrors prices decides by: items that are not for everybody are told to those alone who
will see them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from sync.domain.account import Account
from sync.domain.ids import CustomerId, LocationId
from sync.domain.pricing import (
    Audience,
    AudienceKind,
    Price,
    PriceLevel,
    PriceScope,
    scopes_of,
)
from sync.domain.views import AccountProfile
from sync.flows.context import Context, FlowResult, needs
from sync.flows.mirroring import take_unreadable
from sync.flows.price_run import stands_apart
from sync.flows.prices import entitled_accounts, restricted_for
from sync.flows.screening import Screening
from sync.planning.prices import Entitled, audiences_of, shopper_audiences, wanted_prices
from sync.planning.restricted_prices import Restricted
from sync.ports.erp import ReadsAccounts, ReadsPrices, TellsUnreadable
from sync.ports.price_memory import Partition
from sync.ports.store import MirrorsPrices

_OWN = (PriceLevel.LOCATION, PriceLevel.ACCOUNT)
_LISTS = {PriceLevel.ITEM: "the item overrides", PriceLevel.DEFAULT: "the default list"}


@dataclass(frozen=True, slots=True)
class PricesSeen:
    """The prices of one scope. ``items`` are those of an account or site of its own.

    The items of a list that several accounts have are not named, but for those that are
    not for everybody: ``restricted`` says that these are meant.
    """

    scope: PriceScope
    items: tuple[str, ...] = ()
    restricted: bool = False

    @property
    def name(self) -> str:
        name = _LISTS.get(self.scope.level, str(self.scope))
        return f"{name} for items that not everybody sees" if self.restricted else name


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
    """Asks both systems; nothing where one of them has no prices.

    ``before`` is the context of the mapping in force, ``after`` that of the edit.
    """

    def __init__(self, before: Context, after: Context) -> None:
        self._before, self._after = before, after
        self._retrying = before.retrying()
        self._published: dict[PriceScope, Mapping[Audience, frozenset[str]]] = {}

    @property
    def possible(self) -> bool:
        store, erp = self._before.store, self._before.erp
        return isinstance(store, MirrorsPrices) and isinstance(erp, ReadsPrices)

    def of_accounts(
        self, customer_ids: Collection[CustomerId], new: Collection[CustomerId]
    ) -> Mapping[CustomerId, Sequence[PricesSeen]]:
        """By account: what the store shows its buyers, and what it will show those of ``new``."""
        if not self.possible:
            return {}
        erp = needs(self._before.erp, ReadsAccounts, "the ERP")
        accounts = self._retrying(erp.accounts, customer_ids)
        sites: dict[CustomerId, list[LocationId]] = {}
        for each in self._retrying(erp.locations, customer_ids):
            sites.setdefault(each.sold_to, []).append(each.location_id)
        found: dict[CustomerId, Sequence[PricesSeen]] = {}
        for customer_id in customer_ids:
            account = accounts.get(customer_id)
            if account is None and customer_id in new:
                found[customer_id] = ()  # to nobody, before the ERP has the account
                continue
            look = self._will_be_shown if customer_id in new else self._is_shown
            its = _audiences(customer_id, account, sites.get(customer_id, ()))
            seen = (look(each, its) for each in _scopes(customer_id, account, sites))
            found[customer_id] = tuple(each for some in seen for each in some)
        self._leave_unreadable()
        return found

    def of_shown(
        self, profiles: Collection[AccountProfile]
    ) -> Mapping[CustomerId, Sequence[PricesSeen]]:
        """The same of accounts that are shown, by what the store knows of them: without the ERP."""
        if not self.possible:
            return {}
        found: dict[CustomerId, Sequence[PricesSeen]] = {}
        for each in profiles:
            sites = [site.location_id for site in each.locations]
            its = _audiences(each.customer_id, each, sites)
            scopes = _scopes(each.customer_id, each, {each.customer_id: sites})
            seen = (self._is_shown(scope, its) for scope in scopes)
            found[each.customer_id] = tuple(one for some in seen for one in some)
        return found

    def of_shoppers(self) -> Sequence[ShoppersChange]:
        """What the edit's channels show, and show no more, to people without an account."""
        if not self.possible:
            return ()
        before = shopper_audiences(self._before.mapping)
        after = shopper_audiences(self._after.mapping)
        erp = needs(self._before.erp, ReadsAccounts, "the ERP")
        groups = sorted({CustomerId(each.key) for each in after - before})
        accounts = self._retrying(erp.accounts, groups) if groups else {}
        coming = []
        for each in sorted(after - before, key=lambda each: each.order):
            group = CustomerId(each.key)
            scopes = _scopes(group, accounts.get(group), {})
            told = tuple(PricesSeen(scope) for scope in scopes if each in self._publishes(scope))
            coming.append(ShoppersChange(each, True, told))
        self._leave_unreadable()
        return (*self.gone_from_shoppers(), *coming)

    def gone_from_shoppers(self) -> Sequence[ShoppersChange]:
        """What the edit's channels show to people without an account no more."""
        if not self.possible:
            return ()
        before = shopper_audiences(self._before.mapping)
        after = shopper_audiences(self._after.mapping)
        return [
            ShoppersChange(each, False, tuple(map(PricesSeen, self._shown_to(each))))
            for each in sorted(before - after, key=lambda each: each.order)
        ]

    def _is_shown(self, scope: PriceScope, its: Collection[Audience]) -> Iterator[PricesSeen]:
        """What the store shows of the scope to one of these audiences."""
        store = needs(self._before.store, MirrorsPrices, "the store")
        items: dict[Audience, frozenset[str]] = {}
        for each in its:
            if (each, scope) in self._shown:
                named = scope.level in _OWN or stands_apart(each, scope)
                keys = self._retrying(store.shown_prices, each, scope) if named else ()
                items[each] = frozenset(key.sku.value for key in keys)
        return _seen(scope, items)

    def _will_be_shown(self, scope: PriceScope, its: Collection[Audience]) -> Iterator[PricesSeen]:
        """What the mirror will publish of the scope to one of these audiences."""
        published = self._publishes(scope)
        return _seen(scope, {each: published[each] for each in its if each in published})

    def _publishes(self, scope: PriceScope) -> Mapping[Audience, frozenset[str]]:
        """To whom the mirror will publish prices of this scope, and of which items.

        As the flow decides it. A list that all its audiences are shown already is not
        read anew for it, and its items are not named.
        """
        if scope in self._published:
            return self._published[scope]
        found: dict[Audience, set[str]] = {}
        if scope in self._in_erp:
            mapping, today = self._after.mapping, self._after.today()
            ordinary = audiences_of(scope, mapping, self._entitled)
            new = scope.level in _OWN or any((each, scope) not in self._shown for each in ordinary)
            entries = self._entries(scope, whole=new)
            own = self._restricted.by_audience(scope, entries)
            if new:
                open_to_all = [each for each in entries if each.key.sku not in self._restricted]
                for each in ordinary:
                    own[each] = [*own.get(each, ()), *open_to_all]
            for each, some in own.items():
                keys = wanted_prices(some, each, mapping, today)
                if keys:
                    found[each] = {key.sku.value for key in keys}
            if not new:
                found |= {each: set() for each in ordinary}
        told = {each: frozenset(items) for each, items in found.items()}
        self._published[scope] = told
        return told

    def _entries(self, scope: PriceScope, *, whole: bool) -> Sequence[Price]:
        """The scope's entries, or those of restricted items alone; each item is looked at."""
        screening = self._screening
        skus = None if whole else list(screening.restricted.items)
        if skus == []:
            return ()
        erp = needs(self._before.erp, ReadsPrices, "the ERP")
        entries = self._retrying(lambda: list(erp.prices([scope], skus)))
        screening.look_at({each.key.sku for each in entries})
        return entries

    @cached_property
    def _screening(self) -> Screening:
        result = FlowResult("prices")  # nobody asks what became of it
        entitled, unread = entitled_accounts(self._after, result)
        unclear = take_unreadable(self._after, result).and_of(unread)
        restricted = restricted_for(self._after, entitled, unclear)
        return Screening.of(self._after, result, restricted)

    @property
    def _restricted(self) -> Restricted:
        return self._screening.restricted

    @property
    def _entitled(self) -> Entitled:
        return self._restricted.entitled

    @cached_property
    def _shown(self) -> frozenset[Partition]:
        store = needs(self._before.store, MirrorsPrices, "the store")
        return self._retrying(lambda: frozenset(store.shown_price_partitions()))

    def _shown_to(self, audience: Audience) -> list[PriceScope]:
        return sorted(scope for whose, scope in self._shown if whose == audience)

    @cached_property
    def _in_erp(self) -> frozenset[PriceScope]:
        erp = needs(self._before.erp, ReadsPrices, "the ERP")
        return self._retrying(lambda: frozenset(erp.price_scopes()))

    def _leave_unreadable(self) -> None:
        """The flow that meets it tells of it."""
        if isinstance(self._before.erp, TellsUnreadable):
            self._before.erp.take_unreadable()


def _seen(scope: PriceScope, items: Mapping[Audience, frozenset[str]]) -> Iterator[PricesSeen]:
    """What these audiences see of a scope: its prices, then those of restricted items."""
    apart = {each for each in items if stands_apart(each, scope)}
    for audiences in (items.keys() - apart, apart):
        if audiences:
            named = scope.level in _OWN or audiences is apart
            skus = frozenset[str]().union(*(items[each] for each in audiences)) if named else ()
            yield PricesSeen(scope, tuple(sorted(skus)), restricted=audiences is apart)


def _scopes(
    customer_id: CustomerId,
    account: Account | AccountProfile | None,
    sites: Mapping[CustomerId, Sequence[LocationId]],
) -> list[PriceScope]:
    """Own ones first, then the lists that others have too."""
    groups = account.price_groups if account is not None else ()
    found = {*scopes_of(customer_id, groups), *map(PriceScope.location, sites.get(customer_id, ()))}
    return sorted(found, key=lambda scope: (scope.level not in _OWN, scope))


def _audiences(
    customer_id: CustomerId, account: Account | AccountProfile | None, sites: Collection[LocationId]
) -> list[Audience]:
    """Whose prices buyers of this account see."""
    groups, tags = (account.price_groups, account.tags) if account is not None else ((), ())
    return [
        Audience(AudienceKind.ACCOUNT, customer_id.value),
        Audience(AudienceKind.ACCOUNTS),
        *(Audience(AudienceKind.LOCATION, each.value) for each in sites),
        *(Audience(AudienceKind.GROUP, each) for each in groups),
        *(Audience(AudienceKind.TAG, each) for each in tags),
    ]
