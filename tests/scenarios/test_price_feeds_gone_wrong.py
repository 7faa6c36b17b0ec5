"""Feeds that tell too little, twice or nothing of who may see an item."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from sync.domain.pricing import PriceLevel, PriceScope
from sync.testing import builders as a
from sync.testing.erp import MemoryErp
from tests.scenarios.test_price_batches import SKUS, a_site
from tests.scenarios.world import MILL


@pytest.mark.rule("WA-7")
def test_only_price_of_an_account_stays_while_it_cannot_be_read() -> None:
    site = a_site()
    mills = PriceScope.account(MILL)
    for price in list(site.erp.prices([mills])):
        site.erp.remove_price(price.key)
    price = a.a_price("7", scope=mills, sku=SKUS[0])
    site.erp.set_price(price)
    site.run_believed("prices")
    shown = dict(site.store.prices)
    site.erp.damage_price(price.key)
    assert site.run().counts["unreadable"] == 1
    assert dict(site.store.prices) == shown


class Unlisted(MemoryErp):
    """It says of each item for whom it is, and has no list of those that are restricted."""

    restricted_items = None  # type: ignore[assignment]


@pytest.mark.rule("VE-5", "VE-7")
def test_item_that_becomes_restricted_in_an_erp_without_a_list_loses_its_prices() -> None:
    site = a_site(flows=("prices",), erp_kind=Unlisted)
    assert any(key.key.sku == SKUS[1] for key in site.store.prices)
    site.erp.add_item(a.an_item(sku=SKUS[1], allowed_to=frozenset()))
    site.run()
    assert not any(key.key.sku == SKUS[1] for key in site.store.prices)


class Stuttering(MemoryErp):
    """Its feeds tell everything once more, at another price."""

    stutters = False

    def price_vectors(self, level: PriceLevel) -> Iterator[tuple[PriceScope, Any]]:
        from sync.columnar.vectors import vector_of

        yield from super().price_vectors(level)
        for scope, vector in super().price_vectors(level):
            other = a.a_price("0.01", scope=scope)
            yield scope, vector_of([other]) if self.stutters else vector


@pytest.mark.rule("MI-3")
def test_scope_that_is_told_twice_and_not_alike_changes_nothing() -> None:
    site = a_site(erp_kind=Stuttering)
    assert isinstance(site.erp, Stuttering)
    shown, writes = dict(site.store.prices), site.store.writes
    assert site.run().outcome == "ok"
    site.erp.stutters = True
    site.erp.set_price(a.a_price("8", sku=SKUS[2]))
    result = site.run()
    assert result.outcome != "ok"
    assert "twice" in result.message
    assert (dict(site.store.prices), site.store.writes) == (shown, writes)
