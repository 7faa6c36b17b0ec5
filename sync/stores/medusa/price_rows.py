"""Which rows of Medusa's price lists say what our entries say. Pure decisions.

Medusa picks, among the rows that fit customer, region and quantity, the one with
the most rules, and among those the cheapest. So a level of ours is a number of
rules there: the default list one, a price group two, an account three. What has
an item price for all accounts is written into each of these lists, since it
comes before them all. Within a level the one rule of the domain decides
(``effective_price``), quantity by quantity and period by period; Medusa is given
the outcome, so that its own choice never has to be the same as ours.

Not every entry can be shown by Medusa itself: it knows neither units nor
warehouses, nor "call for pricing", and a site or the shoppers behind a login wall
are no group of customers. Those stay in the records of our module.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from sync.domain.ids import ChannelId
from sync.domain.pricing import (
    Audience,
    AudienceKind,
    Price,
    PriceLevel,
    PriceQuestion,
    effective_price,
)
from sync.ports.erp import Finding, FindingLevel
from sync.stores.medusa.holders import Holder

ACCOUNTS = Audience(AudienceKind.ACCOUNTS)
_A_DAY = timedelta(days=1)
_WITHOUT_DATES = date(2000, 1, 1)
_OWN_LEVEL = {
    AudienceKind.ACCOUNTS: PriceLevel.DEFAULT,
    AudienceKind.GROUP: PriceLevel.GROUP,
    AudienceKind.ACCOUNT: PriceLevel.ACCOUNT,
}


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """Days of the ERP's calendar, both included; None: open."""

    first: date | None = None
    last: date | None = None

    def moments(self, zone: ZoneInfo) -> tuple[datetime | None, datetime | None]:
        """When it begins and ends, to the millisecond that Medusa keeps."""
        starts = datetime.combine(self.first, time(), zone) if self.first else None
        ends = None
        if self.last is not None:
            next_day = datetime.combine(self.last + _A_DAY, time(), zone)
            ends = next_day.astimezone(UTC) - timedelta(milliseconds=1)
        return (starts.astimezone(UTC) if starts else None, ends)


@dataclass(frozen=True, slots=True)
class Step:
    """From this quantity to that one; None: without an end."""

    currency: str
    from_quantity: int
    to_quantity: int | None
    price: Decimal


def native(audience: Audience, public_channel: ChannelId | None) -> bool:
    """Whether Medusa itself can show prices to this audience and no other."""
    if audience.kind is AudienceKind.PUBLIC:
        return public_channel is not None and audience.channel == public_channel
    return audience.kind in (AudienceKind.ACCOUNTS, AudienceKind.ACCOUNT, AudienceKind.GROUP)


def rank(holder: Holder) -> int:
    """How many rules a row of this holder has: the more of them, the sooner it counts."""
    ranks = {
        AudienceKind.PUBLIC: 0,
        AudienceKind.ACCOUNTS: 1,
        AudienceKind.GROUP: 2,
        AudienceKind.ACCOUNT: 3,
    }
    return ranks[holder.kind]


def mixed_up(
    shoppers: Mapping[Audience, Collection[str]], public_channel: ChannelId | None
) -> list[Finding]:
    """Retail groups whose public prices Medusa cannot tell apart, by the currencies they share.

    A public row has no rule, so that it is below all others: of two for one item
    every visitor is shown the cheaper one, whichever group they are of.
    """
    groups: dict[str, list[str]] = {}
    for audience in sorted(shoppers, key=lambda each: each.order):
        if audience.kind is AudienceKind.PUBLIC and native(audience, public_channel):
            for currency in shoppers[audience]:
                groups.setdefault(currency, []).append(audience.key)
    return [
        Finding(
            f"channel {public_channel}",
            FindingLevel.ERROR,
            f"the retail groups {' and '.join(several)} all have prices in {currency}, and Medusa"
            " shows every visitor the cheaper of them",
            f"leave {currency} to one retail group of this channel and declare the others on a"
            " channel of their own, or put the channel behind a login wall",
        )
        for currency, several in sorted(groups.items())
        if len(several) > 1
    ]


def periods(entries: Collection[Price]) -> Iterator[Period]:
    """The calendar, cut at every day on which an entry begins or ends."""
    starts = {entry.key.valid_from for entry in entries if entry.key.valid_from is not None}
    ends = {
        entry.value.valid_until + _A_DAY
        for entry in entries
        if entry.value.valid_until is not None and entry.value.valid_until < date.max
    }
    first: date | None = None
    for cut in sorted(starts | ends):
        yield Period(first, cut - _A_DAY)
        first = cut
    yield Period(first, None)


def steps(entries: Collection[Price], period: Period) -> list[Step]:
    """The prices of one item and unit in this period, by currency and quantity.

    ``entries`` are those of one level, with the item prices that come before it.
    """
    day = period.first or period.last or _WITHOUT_DATES
    found: list[Step] = []
    for currency in sorted({entry.key.currency for entry in entries}):
        ladder = _ladder([each for each in entries if each.key.currency == currency], day)
        for place, (quantity, price) in enumerate(ladder):
            ends = ladder[place + 1][0] - 1 if place + 1 < len(ladder) else None
            if price is not None:
                found.append(Step(currency, quantity, ends, price))
    return found


def rows_of(entries: Iterable[Price], unit: str) -> Mapping[Period, list[Step]]:
    """All steps of one item, by period; entries that Medusa cannot show are left out."""
    shown = [entry for entry in entries if entry.key.unit == unit and entry.key.warehouse is None]
    if not any(entry.value.unit_price is not None for entry in shown):
        return {}
    merged: dict[Period, list[Step]] = {}
    before: Period | None = None
    for period in periods(shown):
        in_it = steps(shown, period)
        if before is not None and merged.get(before) == in_it:
            # Nothing changed at this cut: one longer period says the same.
            merged[Period(before.first, period.last)] = merged.pop(before)
            before = Period(before.first, period.last)
            continue
        merged[period] = in_it
        before = period
    return {period: in_it for period, in_it in merged.items() if in_it}


def _ladder(entries: list[Price], day: date) -> list[tuple[int, Decimal | None]]:
    """Quantity from which, and the price then; None where there is none to show.

    Medusa counts whole pieces, so a step at 10.5 begins with the eleventh.
    """
    if len({_ladder_of(entry) for entry in entries}) == 1:
        return _rungs(entries, day)
    sample = entries[0].key
    quantities = sorted({max(1, math.ceil(entry.key.min_quantity)) for entry in entries})
    ladder: list[tuple[int, Decimal | None]] = []
    for quantity in quantities:
        question = PriceQuestion(sample.sku, sample.unit, sample.currency, Decimal(quantity), day)
        found = effective_price(entries, question)
        price = found.price.value.unit_price if found is not None else None
        if not ladder or ladder[-1][1] != price:
            ladder.append((quantity, price))
    return ladder


def _ladder_of(entry: Price) -> tuple[object, ...]:
    key = entry.key
    return (key.scope, key.price_list, key.priority, key.valid_from, entry.value.valid_until)


def _rungs(entries: list[Price], day: date) -> list[tuple[int, Decimal | None]]:
    """As ``_ladder``, of one list's entries alone, among which there is nothing to decide: of
    those that come to one whole quantity the greatest counts, of those alike the lowest."""
    if not entries[0].counts_on(day):
        return []

    def last_counts(entry: Price) -> tuple[Decimal, bool, Decimal]:
        price = entry.value.unit_price
        return (entry.key.min_quantity, price is not None, -(price or Decimal()))

    prices: dict[int, Decimal | None] = {}
    for entry in sorted(entries, key=last_counts):
        prices[max(1, math.ceil(entry.key.min_quantity))] = entry.value.unit_price
    ladder: list[tuple[int, Decimal | None]] = []
    for quantity, price in prices.items():
        if not ladder or ladder[-1][1] != price:
            ladder.append((quantity, price))
    return ladder


def in_level(holder: Holder, entry: Price) -> bool:
    """Whether the entry is one that this holder's list is made of.

    The default list's rows are below all others; item prices are in every list.
    """
    level = entry.key.scope.level
    if holder.kind is AudienceKind.PUBLIC:
        return True
    return level is PriceLevel.ITEM or level is _OWN_LEVEL[holder.kind]
