"""To whom the prices of an item are published that is not for everybody (VE-5, VE-7).

A price says that there is such an item. So it goes to those alone for whom the item
is, as far as they are entitled to the price: one of a list for everybody to each of them,
one of a price group to those of them who are in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from sync.domain.account import Item
from sync.domain.entitlement import Entitlement
from sync.domain.ids import CustomerId, Sku
from sync.domain.mapping import SyncMapping
from sync.domain.pricing import Audience, AudienceKind, Price, PriceKey, PriceScope
from sync.planning.entitlements import Buyers, entitlement_of, still_kept
from sync.planning.prices import Entitled, audiences_of


@dataclass(frozen=True, slots=True)
class Restricted:
    """The restricted items, with whom each is for.

    ``buyers`` are those for whom something can be kept. Items are added as the run
    comes to know them, each before anything is planned of its prices.
    """

    buyers: Buyers
    mapping: SyncMapping
    entitled: Entitled
    items: dict[Sku, Entitlement] = field(default_factory=dict)

    def add_told(self, sku: Sku, item: Item | None) -> None:
        """Keep the item for whom the ERP says; for nobody where it does not say."""
        self.items[sku] = entitlement_of(sku, item, self.buyers, self.mapping)

    def add_kept(self, kept: Entitlement) -> None:
        """Keep an item that the ERP calls open for whom the store still keeps it."""
        self.items[kept.sku] = still_kept(kept, self.buyers, self.mapping)

    def __contains__(self, sku: Sku) -> bool:
        return sku in self.items

    def __bool__(self) -> bool:
        return bool(self.items)

    def audiences(self, sku: Sku, scope: PriceScope) -> frozenset[Audience]:
        """Everybody to whom a price of this item in this scope is published; often nobody."""
        entitlement = self.items[sku]
        kept = frozenset(entitlement.audiences)
        found: set[Audience] = set()
        for audience in audiences_of(scope, self.mapping, self.entitled):
            if audience.channel is not None:
                found |= kept & {audience}
            elif audience.kind is AudienceKind.ACCOUNTS:
                found |= {each for each in kept if each.channel is None}
            elif audience.kind is AudienceKind.GROUP:
                found |= set(self._of_group(audience.key, entitlement))
            elif self._open_to(self.entitled.owner(scope), entitlement):
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

    def _of_group(self, code: str, kept: Entitlement) -> Iterator[Audience]:
        for customer_id, account in self.entitled.accounts.items():
            if code in account.price_groups and kept.open_to(customer_id, account.tags):
                yield Audience(AudienceKind.ACCOUNT, customer_id.value)

    def _open_to(self, owner: str, kept: Entitlement) -> bool:
        """Whether the account that an account's or a site's prices belong to may buy it."""
        customer_id = CustomerId(owner)
        account = self.entitled.accounts.get(customer_id)
        return account is not None and kept.open_to(customer_id, account.tags)
