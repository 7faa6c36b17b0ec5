"""Which availability is published to whom (MI-4, VE-5, VE-7).

The figures of an item that everybody may buy go to the buyers of every account,
and to the shoppers of each channel with a retail group: to everybody only where
the channel has no login wall, otherwise to those who are signed in. An item that
some customers or groups alone may buy is shown to them alone, so that nobody else
learns that it exists. What is not for sale is shown to nobody.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from sync.domain.account import Item
from sync.domain.availability import Availability
from sync.domain.entitlement import Entitlement
from sync.domain.mapping import SyncMapping
from sync.domain.pricing import Audience, AudienceKind
from sync.domain.views import PublishedStockKey
from sync.planning.entitlements import Buyers, entitlement_of, still_kept
from sync.planning.prices import shopper_audience


def open_to(buyers: Buyers, mapping: SyncMapping) -> frozenset[Audience]:
    """To whom the figures of an item for everybody are published."""
    found = {
        shopper_audience(channel, group.customer_id)
        for channel in mapping.channels.values()
        for group in channel.retail_groups
        if group.customer_id in buyers.retail
    }
    if buyers.accounts:
        found.add(Audience(AudienceKind.ACCOUNTS))
    return frozenset(found)


def stock_audiences(
    item: Item | None,
    buyers: Buyers,
    mapping: SyncMapping,
    everybody: frozenset[Audience],
    *,
    restricted: bool,
    kept: Entitlement | None = None,
) -> frozenset[Audience]:
    """To whom the figures of this item are published; to nobody where the ERP does not have it.

    ``everybody`` are those of ``open_to``. ``restricted``: the ERP lists the item among
    those that are not for everybody. ``kept``: whom the store keeps it for, and until it
    opens the item they alone see it, whatever the ERP says of it.
    """
    if item is None or not item.active:
        return frozenset()
    if restricted or item.allowed_to is not None:
        return frozenset(entitlement_of(item.sku, item, buyers, mapping).audiences)
    if kept is not None:
        return frozenset(still_kept(kept, buyers, mapping).audiences)
    return everybody


def wanted_stock(
    figures: Iterable[Availability],
    item: Item,
    audiences: Collection[Audience],
    mapping: SyncMapping,
) -> dict[PublishedStockKey, Availability]:
    """The item's figures as these audiences are to see them.

    Shoppers of a channel that ships from one warehouse see that warehouse.
    """
    found = {}
    for each in figures:
        told = replace(each, discontinued=each.discontinued or item.discontinued)
        for audience in audiences:
            channel = mapping.channels.get(audience.channel) if audience.channel else None
            if channel is None or channel.warehouse in (None, each.warehouse):
                found[PublishedStockKey(audience, *each.key)] = told
    return found
