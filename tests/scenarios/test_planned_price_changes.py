"""A plan of prices tells of each change what was and what will be (OP-3, WA-6)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from sync.domain.pricing import DEFAULT_LIST, ITEM_OVERRIDES, PriceScope
from sync.domain.views import PublishedPriceKey
from sync.flows.context import FlowResult, PriceChange
from sync.flows.cycle import run_flow
from sync.planning import price_spool
from sync.planning.spool import SAMPLES
from sync.testing import builders as a
from tests.scenarios.test_price_batches import SKUS, Site, a_site
from tests.scenarios.world import HARBOUR, MILL

Told = dict[PublishedPriceKey, tuple[Any, Any]]


def planned(site: Site) -> tuple[Told, FlowResult]:
    """Every change that a plan tells, each once."""
    found: list[PriceChange] = []

    def take(changes: Iterator[PriceChange]) -> None:
        found.extend(changes)

    context = replace(site.context(), price_changes=take)
    result = run_flow(context, "prices", dry_run=True)
    told = {each.key: (each.before, each.after) for each in found}
    assert len(told) == len(found)
    return told, result


def change(site: Site) -> None:
    """Amounts, a day, a price to call for, one that comes and one that goes."""
    scopes = (PriceScope.account(HARBOUR), PriceScope.account(MILL), DEFAULT_LIST, ITEM_OVERRIDES)
    for scope in scopes:
        for step in (1, 10, 50):
            site.erp.set_price(
                a.a_price("1.2345", scope=scope, sku=SKUS[2], min_quantity=Decimal(step))
            )
    harbours = PriceScope.account(HARBOUR)
    goes = a.a_price_key(scope=harbours, sku=SKUS[0], min_quantity=Decimal(5))
    if goes in {each.key for each in site.erp.prices([harbours])}:
        site.erp.remove_price(goes)
    site.erp.set_price(a.a_price("6", sku=SKUS[0], min_quantity=Decimal(2)))
    site.erp.set_price(a.a_price("5", sku=SKUS[0], min_quantity=Decimal(3), valid_until=site.today))
    site.erp.set_price(a.a_price(None, sku=SKUS[0], min_quantity=Decimal(4)))


@pytest.mark.rule("OP-3", "WA-6")
@pytest.mark.parametrize("shown", [True, False])
@pytest.mark.parametrize("feeds", [True, False])
def test_a_plan_tells_every_change_that_the_run_makes_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, feeds: bool, shown: bool
) -> None:
    """Of what the store shows, and of a first load, which is told in columns."""
    monkeypatch.setattr(price_spool, "TOLD_AT_ONCE", 2)
    site = a_site() if shown else Site()
    if not feeds:
        site.erp.feeds = ()
    before = dict(site.store.prices)
    change(site)
    told, result = planned(site)
    assert dict(site.store.prices) == before
    site.run_believed("prices")
    after = dict(site.store.prices)
    assert told == {
        key: (before.get(key), after.get(key))
        for key in before.keys() | after.keys()
        if before.get(key) != after.get(key)
    }
    kinds = {"would_add": 0, "would_change": 0, "would_remove": 0}
    for old, new in told.values():
        kind = "would_add" if old is None else "would_change"
        kinds["would_remove" if new is None else kind] += 1
    assert all(kinds.values()) is shown
    assert {kind: result.counts.get(kind, 0) for kind in kinds} == kinds
    assert len(result.samples) == min(SAMPLES, len(told))


@pytest.mark.rule("OP-3")
@pytest.mark.parametrize("feeds", [True, False])
def test_what_is_told_of_a_price_has_old_and_new_amount_unit_break_and_audience(
    feeds: bool,
) -> None:
    """By columns, as a run by the clock, and by what the store shows, as a plan."""
    site = a_site()
    if not feeds:
        site.erp.feeds = ()
    site.erp.set_price(a.a_price("6.10", sku=SKUS[0], min_quantity=Decimal(2)))
    line = (
        f"change BOLT for account {HARBOUR}: account {HARBOUR}, list CONTRACT, EUR per EA from 2:"
        " 5.00 EUR -> 6.10 EUR"
    )
    assert planned(site)[1].samples == [line]
    assert site.run().samples == [line]
