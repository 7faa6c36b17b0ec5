"""Which prices are published to whom (WA-6, VE-7, VE-12).

A price keeps its level; it is published to every audience that is entitled to
its scope. What a retail group may see goes to the shoppers of the channels that
it serves, never further than the channel's login wall lets an anonymous visitor
look. What belongs to an account goes to that account alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from sync.domain.account import Account, Location
from sync.domain.channel import Channel, LoginWall
from sync.domain.ids import CustomerId
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


@dataclass(frozen=True, slots=True)
class Belonging:
    """What of an account says which prices it is shown: its price groups, and its tags.

    Of a hundred thousand accounts this is held all through a run, and nothing else.
    """

    price_groups: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()

    @classmethod
    def of(cls, account: Account) -> Belonging:
        return cls(account.price_groups, account.tags)


@dataclass(frozen=True, slots=True)
class Entitled:
    """Who is entitled to prices: mapped accounts, their sites, and the retail groups.

    ``absent`` are accounts that somebody is mapped to and that the ERP does not have, or could
    not tell.
    """

    accounts: Mapping[CustomerId, Belonging]
    locations: tuple[Location, ...]
    retail: Mapping[CustomerId, Account]
    absent: frozenset[CustomerId] = frozenset()
    _sites: dict[PriceScope, frozenset[CustomerId]] = field(default_factory=dict, init=False)
    _groups: set[str] = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        for belonging in set(self.accounts.values()):
            self._groups.update(belonging.price_groups)
        for each in self.locations:
            scope = PriceScope.location(each.location_id)
            self._sites[scope] = self._sites.get(scope, frozenset()) | {each.sold_to}

    def owner(self, scope: PriceScope) -> str:
        """The customer ID that the scope belongs to; empty where it is nobody's own."""
        if scope.level is PriceLevel.ACCOUNT:
            return scope.owner
        return next((each.value for each in self.sites(scope)), "")

    def is_mapped(self, customer_id: CustomerId) -> bool:
        """Whether somebody is mapped to the account, which the ERP may not have."""
        return customer_id in self.accounts or customer_id in self.absent

    def has_group(self, code: str) -> bool:
        """Whether some account belongs to this price group."""
        return code in self._groups

    def sites(self, scope: PriceScope) -> frozenset[CustomerId]:
        """The accounts that have the site of this scope; more than one cannot be told apart."""
        return self._sites.get(scope, frozenset())


def shopper_audience(channel: Channel, group: CustomerId) -> Audience:
    """Who sees a retail group's prices on this channel."""
    kind = AudienceKind.PUBLIC if channel.login_wall is LoginWall.OPEN else AudienceKind.RETAIL
    return Audience(kind, group.value, channel.channel_id)


def shopper_audiences(mapping: SyncMapping) -> frozenset[Audience]:
    """Every audience of shoppers that some channel has, with its login wall as it is now."""
    return frozenset(
        shopper_audience(channel, group.customer_id)
        for channel in mapping.channels.values()
        for group in channel.retail_groups
    )


def shopper_currencies(mapping: SyncMapping) -> dict[Audience, frozenset[str]]:
    """Every audience of shoppers, with the currencies that its retail group prices."""
    return {
        audience: currencies_of(audience, mapping) or frozenset()
        for audience in shopper_audiences(mapping)
    }


def audiences_of(
    scope: PriceScope, mapping: SyncMapping, entitled: Entitled
) -> tuple[Audience, ...]:
    """Everybody to whom the prices of this scope are published; often nobody."""
    found: list[Audience] = []
    if scope.level in (PriceLevel.ITEM, PriceLevel.DEFAULT):
        if entitled.accounts:
            found.append(Audience(AudienceKind.ACCOUNTS))
    elif scope.level is PriceLevel.GROUP:
        if entitled.has_group(scope.owner):
            found.append(Audience(AudienceKind.GROUP, scope.owner))
    elif scope.level is PriceLevel.ACCOUNT:
        if CustomerId(scope.owner) in entitled.accounts:
            found.append(Audience(AudienceKind.ACCOUNT, scope.owner))
    elif len(entitled.sites(scope)) == 1:
        # Two accounts with a site of one key: either might see the other's price.
        found.append(Audience(AudienceKind.LOCATION, scope.owner))
    for channel in mapping.channels.values():
        for group in channel.retail_groups:
            account = entitled.retail.get(group.customer_id)
            if account is not None and _retail_scope(scope, account):
                found.append(shopper_audience(channel, group.customer_id))
    return tuple(sorted(found, key=lambda audience: audience.order))


def _retail_scope(scope: PriceScope, account: Account) -> bool:
    if scope.level is PriceLevel.ACCOUNT:
        return scope.owner == account.customer_id.value
    if scope.level is PriceLevel.GROUP:
        return scope.owner in account.price_groups
    return scope.level in (PriceLevel.ITEM, PriceLevel.DEFAULT)


def wanted_prices(
    entries: Iterable[Price], audience: Audience, mapping: SyncMapping, as_of: date
) -> dict[PriceKey, PriceValue]:
    """The entries as this audience is to see them, today's and future ones.

    ``as_of`` is a day in the ERP's calendar. An entry that ended before it is
    left out. A zero becomes "call for pricing" where the mapping, or the shoppers'
    channel, says that zero is no price (WA-10). Shoppers get the currencies that their
    group prices.
    """
    currencies = currencies_of(audience, mapping)
    zero_is_none = mapping.zero_means_call(audience.channel)
    wanted: dict[PriceKey, PriceValue] = {}
    for entry in entries:
        if currencies is not None and entry.key.currency not in currencies:
            continue
        value = entry.value
        if value.valid_until is not None and value.valid_until < as_of:
            continue
        if value.unit_price is not None and value.unit_price == 0 and zero_is_none:
            value = PriceValue(None, value.valid_until)
        held = wanted.get(entry.key)
        if held is None or _counts_before(value, held):
            wanted[entry.key] = value
    return wanted


def _counts_before(value: PriceValue, held: PriceValue) -> bool:
    """Of two entries with one key the lower price counts, as in the ERP; then the later end.

    Read in whatever order, they come to the same.
    """
    return _rank(value) < _rank(held)


def _rank(value: PriceValue) -> tuple[bool, Decimal, int]:
    price = value.unit_price
    last = value.valid_until or date.max
    return (price is None, price if price is not None else Decimal(0), -last.toordinal())


def currencies_of(audience: Audience, mapping: SyncMapping) -> frozenset[str] | None:
    """The currencies that this audience is shown prices in; None for all of them."""
    if audience.channel is None:
        return None
    channel = mapping.channels[audience.channel]
    group = channel.retail_group(CustomerId(audience.key))
    return frozenset(group.currencies) if group is not None else frozenset()
