"""Which availability is published to whom (MI-4, VE-7).

The figures of an item that everybody may buy go to the buyers of every account,
and to the shoppers of each channel with a retail group: to everybody only where
the channel has no login wall, otherwise to those who are signed in. An item that
some customers alone may buy is shown to them alone, so that nobody else learns
that it exists. What is not for sale is shown to nobody.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from sync.domain.account import Item
from sync.domain.availability import Availability, StockKey
from sync.domain.ids import CustomerId, Sku
from sync.domain.mapping import SyncMapping
from sync.domain.pricing import Audience, AudienceKind
from sync.planning.prices import shopper_audience


def stock_audiences(
    mapping: SyncMapping, accounts: Collection[CustomerId], retail: Collection[CustomerId]
) -> tuple[Audience, ...]:
    """Everybody to whom availability may be published, in a fixed order.

    ``accounts`` are the mapped accounts that the ERP has, ``retail`` the retail
    groups that it has.
    """
    found = {
        shopper_audience(channel, group.customer_id)
        for channel in mapping.channels.values()
        for group in channel.retail_groups
        if group.customer_id in retail
    }
    found |= {Audience(AudienceKind.ACCOUNT, each.value) for each in accounts}
    if accounts:
        found.add(Audience(AudienceKind.ACCOUNTS))
    return tuple(sorted(found, key=lambda audience: audience.order))


def wanted_availability(
    told: Iterable[Availability],
    items: Mapping[Sku, Item],
    audience: Audience,
    mapping: SyncMapping,
) -> dict[StockKey, Availability]:
    """What this audience is to see; an item that the ERP does not have is left out.

    Shoppers of a channel that ships from one warehouse see that warehouse.
    """
    channel = mapping.channels.get(audience.channel) if audience.channel else None
    only = channel.warehouse if channel is not None else None
    found = {}
    for each in told:
        item = items.get(each.sku)
        if item is None or not _may_see(audience, item):
            continue
        if only is None or each.warehouse == only:
            gone = each.discontinued or item.discontinued
            found[each.key] = replace(each, discontinued=gone)
    return found


def _may_see(audience: Audience, item: Item) -> bool:
    if not item.active:
        return False
    if audience.kind is AudienceKind.ACCOUNTS:
        return item.allowed_to is None
    if audience.kind is AudienceKind.ACCOUNT:
        # What everybody may buy is published to all accounts at once.
        return item.allowed_to is not None and CustomerId(audience.key) in item.allowed_to
    return item.allowed_to is None or CustomerId(audience.key) in item.allowed_to
