"""A price waits for its item: as soon as the shop sells it, the next run of prices shows it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import pytest

from sync.testing import builders as a
from tests.scenarios.test_price_batches import SKUS, Site
from tests.unit.medusa.memory_shop import MemoryShop


class Growing(MemoryShop):
    """It does not sell everything yet."""

    unsold: Collection[str] = ()

    def groups(self, fields: str = "") -> Iterator[dict[str, Any]]:
        return iter(list(self.groups_there.values()))

    def variants(self, skus: Collection[str]) -> dict[str, Any]:
        return super().variants([each for each in skus if each not in self.unsold])


@pytest.mark.rule("WA-6", "WA-7")
def test_price_of_an_item_that_is_sold_later_is_shown_by_the_next_run() -> None:
    shop = Growing()
    shop.unsold = [SKUS[1].value]
    site = Site(flows=("prices",))
    site.store = shop.store()  # type: ignore[assignment]
    site.erp.set_price(a.a_price("5", sku=SKUS[0]))
    site.erp.set_price(a.a_price("7", sku=SKUS[1]))
    assert site.run().outcome == "ok"

    def charged() -> set[str]:
        return {row["raw_amount"]["value"] for rows in shop.rows.values() for row in rows}

    assert "7" not in charged()
    site.run()
    shop.unsold = ()
    assert site.run().outcome == "ok"
    assert "7" in charged()
