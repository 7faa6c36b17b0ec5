"""Do the two ways to read an ERP's prices tell the same?

A feed is a statement of its own beside the one for single owners. One that forgets a
condition publishes what the other never told, such as the contract of one branch to its
whole account, and no guard rail judges what is only added.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import closing
from itertools import islice

from sync.domain.pricing import Price, PriceKey, PriceLevel, PriceScope
from sync.flows.state_findings import state_findings
from sync.ports.erp import (
    Erp,
    Finding,
    FindingLevel,
    ReadsPrices,
    SupportsPriceBatches,
    TellsUnreadable,
)

COMPARED = 20
"""Owners of each level that are read both ways: a check is to end soon."""


def feed_findings(erp: Erp) -> list[Finding]:
    """One finding for each level that has a feed, and for each that has states besides.

    Raises what the ERP raises.
    """
    if not isinstance(erp, SupportsPriceBatches) or not isinstance(erp, ReadsPrices):
        return []
    levels = sorted(erp.batched_levels)
    if not levels:
        return []
    scopes = frozenset(erp.price_scopes())
    found = [_finding(level, _strange(erp, erp, level, scopes)) for level in levels]
    found += state_findings(erp, scopes)
    if isinstance(erp, TellsUnreadable):
        # It is a mirror's to tell.
        erp.take_unreadable()
    return found


def _strange(
    feeds: SupportsPriceBatches,
    rows: ReadsPrices,
    level: PriceLevel,
    scopes: Collection[PriceScope],
) -> str:
    """What the feed tells in another way than the other statement; empty: nothing."""
    from sync.columnar.vectors import prices_of, vector_of

    with closing(feeds.price_vectors(level)) as told:  # type: ignore[type-var]
        some = list(islice(told, COMPARED))
    for scope, vector in some:
        if scope not in scopes:
            return f"tells the {scope}, which is none of the price_scopes"
        by_row = prices_of(vector_of(rows.prices([scope])), scope)
        by_feed = prices_of(vector, scope)
        if by_row != by_feed:
            return _differing(by_row, by_feed)
    return ""


def _differing(by_row: Collection[Price], by_feed: Collection[Price]) -> str:
    row, feed = set(by_row), set(by_feed)
    if more := feed - row:
        return f"tells {_first(more)}, which the statement for single owners does not tell"
    if less := row - feed:
        return f"does not tell {_first(less)}, which the statement for single owners tells"
    return f"tells {len(by_feed)} entries where the statement for single owners tells {len(by_row)}"


def _first(prices: Collection[Price]) -> str:
    key: PriceKey = min((each.key for each in prices), key=lambda key: key.order)
    return f"{key.sku} of {key.price_list} for {key.scope} so"


def _finding(level: PriceLevel, strange: str) -> Finding:
    subject = f"price feed {level.name.lower()}"
    if not strange:
        return Finding(subject, FindingLevel.OK, "tells what the statement for single owners tells")
    return Finding(
        subject,
        FindingLevel.ERROR,
        f"the feed {strange}",
        "Give both statements the same conditions, or take the feed out of the profile: what a"
        " feed tells is published. Where prices were being changed at this moment, check again.",
    )
