"""Which items are kept for whom (VE-5), as each audience of the store (VE-1, VE-7).

An item names customers and groups. A customer of its own sees it as an account, a
group as the tag that its accounts carry in the store, and a retail group as the
shoppers of its channels: everybody only where the channel has no login wall. So on a
b2b channel, which has no retail group, nothing restricted is ever anybody's but the
accounts'. What the ERP does not tell of an item makes it nobody's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass

from sync.domain.account import Account, Item
from sync.domain.entitlement import Entitlement
from sync.domain.ids import CustomerId, Sku
from sync.domain.mapping import SyncMapping
from sync.domain.pricing import Audience, AudienceKind
from sync.planning.plan import Change, Tally
from sync.planning.prices import shopper_audience, shopper_audiences


@dataclass(frozen=True, slots=True)
class Buyers:
    """Who can be let in: the mapped accounts, and the retail groups that the ERP has.

    ``mapped`` are all accounts that somebody is mapped to, also those that the ERP
    does not have.
    """

    accounts: Set[CustomerId]
    retail: Mapping[CustomerId, Account]
    mapped: frozenset[CustomerId] = frozenset()


def entitlement_of(
    sku: Sku, item: Item | None, buyers: Buyers, mapping: SyncMapping
) -> Entitlement:
    """Whom the item is for; nobody where the ERP does not tell it, or not whom."""
    if item is None or item.allowed_to is None:
        return Entitlement(sku)
    found = {
        Audience(AudienceKind.ACCOUNT, each.value) for each in item.allowed_to & buyers.accounts
    }
    found |= {Audience(AudienceKind.TAG, tag) for tag in item.allowed_tags}
    found |= set(_shoppers(item, buyers, mapping))
    return Entitlement(sku, tuple(sorted(found, key=lambda each: each.order)))


def still_kept(kept: Entitlement, buyers: Buyers, mapping: SyncMapping) -> Entitlement:
    """Whom an item is for that the ERP calls open, and that the store keeps for these.

    The one gate is the mirror of ``entitlements``, with its guard rails. Until it has
    opened the item, a price or a figure would tell that there is such an item.
    """
    declared = shopper_audiences(mapping)

    def there(each: Audience) -> bool:
        if each.channel is not None:
            return each in declared and CustomerId(each.key) in buyers.retail
        return each.kind is AudienceKind.TAG or CustomerId(each.key) in buyers.accounts

    return Entitlement(kept.sku, tuple(each for each in kept.audiences if there(each)))


def _shoppers(item: Item, buyers: Buyers, mapping: SyncMapping) -> Iterable[Audience]:
    for channel in mapping.channels.values():
        for group in channel.retail_groups:
            account = buyers.retail.get(group.customer_id)
            if account is not None and item.open_to(account.customer_id, account.tags):
                yield shopper_audience(channel, group.customer_id)


def hides(change: Change[Sku, Entitlement]) -> bool:
    """Whether somebody who could see the item no longer can."""
    if change.after is None:
        return False
    return change.before is None or bool(_who(change.before) - _who(change.after))


def _who(entitlement: Entitlement) -> set[Audience]:
    return set(entitlement.audiences)


@dataclass(slots=True)
class Sight:
    """What becomes of restricted items that somebody sees, for the guard rails.

    They count what is seen: an item that nobody sees any more has disappeared for them,
    although its record stays, and one that everybody sees from now on has not.
    """

    restricted: int = 0
    before: int = 0
    after: int = 0
    opened: int = 0
    hidden: int = 0
    new_hidden: int = 0

    def add(self, wanted: Mapping[Sku, Entitlement], shown: Mapping[Sku, Entitlement]) -> None:
        """Count one batch of items."""
        self.restricted += len(shown)
        self.before += sum(bool(each.audiences) for each in shown.values())
        self.after += sum(bool(each.audiences) for each in wanted.values())
        self.opened += len(shown.keys() - wanted.keys())
        for sku, each in wanted.items():
            if not each.audiences:
                self.new_hidden += sku not in shown
                self.hidden += sku in shown and bool(shown[sku].audiences)

    def into(self, tally: Tally) -> None:
        """Let the tally say it in these terms."""
        tally.shown, tally.wanted = self.before, self.after
        tally.opened, tally.restricted = self.opened, self.restricted
        tally.added -= self.new_hidden
        tally.changed -= self.hidden
        tally.removed += self.new_hidden + self.hidden
