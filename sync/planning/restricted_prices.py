"""To whom the prices of an item are published that is not for everybody (VE-5, VE-7).

A price says that there is such an item. So it goes to those alone for whom the item
is, as far as they are entitled to the price: one of a list for everybody to each of them,
one of a price group to those of them who are in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from sync.domain.account import Item
from sync.domain.ids import CustomerId, Sku
from sync.domain.mapping import SyncMapping
from sync.domain.pricing import Audience, AudienceKind, Price, PriceKey, PriceScope
from sync.planning.entitlements import Buyers, entitlement_of
from sync.planning.prices import Entitled, audiences_of


@dataclass(frozen=True, slots=True)
class Restricted:
    """The restricted items: what the ERP tells of each, None where it tells nothing.

    ``buyers`` are those for whom something can be kept.
    """

    items: Mapping[Sku, Item | None]
    buyers: Buyers
    mapping: SyncMapping
    entitled: Entitled

    def __contains__(self, sku: Sku) -> bool:
        return sku in self.items

    def __bool__(self) -> bool:
        return bool(self.items)

    def audiences(self, sku: Sku, scope: PriceScope) -> frozenset[Audience]:
        """Everybody to whom a price of this item in this scope is published; often nobody."""
        item = self.items[sku]
        if item is None or item.allowed_to is None:
            return frozenset()
        kept = frozenset(entitlement_of(sku, item, self.buyers, self.mapping).audiences)
        found: set[Audience] = set()
        for audience in audiences_of(scope, self.mapping, self.entitled):
            if audience.channel is not None:
                found |= kept & {audience}
            elif audience.kind is AudienceKind.ACCOUNTS:
                found |= {each for each in kept if each.channel is None}
            elif audience.kind is AudienceKind.GROUP:
                found |= set(self._of_group(audience.key, item))
            elif self._open_to(self.entitled.owner(scope), item):
                found.add(audience)
        return frozenset(found)

    def by_audience(
        self, scope: PriceScope, entries: Iterable[Price]
    ) -> dict[Audience, list[Price]]:
        """Those of the scope's entries that are of restricted items, by who may see them."""
        found: dict[Audience, list[Price]] = {}
        to: dict[Sku, frozenset[Audience]] = {}
        for entry in entries:
            sku = entry.key.sku
            if sku in self.items:
                if sku not in to:
                    to[sku] = self.audiences(sku, scope)
                for audience in to[sku]:
                    found.setdefault(audience, []).append(entry)
        return found

    def bars(self, audience: Audience, key: PriceKey) -> bool:
        """Whether this price must not be in this audience's sight."""
        return key.sku in self.items and audience not in self.audiences(key.sku, key.scope)

    def _of_group(self, code: str, item: Item) -> Iterator[Audience]:
        for customer_id, account in self.entitled.accounts.items():
            if code in account.price_groups and item.open_to(customer_id, account.tags):
                yield Audience(AudienceKind.ACCOUNT, customer_id.value)

    def _open_to(self, owner: str, item: Item) -> bool:
        """Whether the account that an account's or a site's prices belong to may buy it."""
        account = self.entitled.accounts.get(CustomerId(owner))
        return account is not None and item.open_to(account.customer_id, account.tags)
