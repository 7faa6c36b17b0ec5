"""What is remembered of confirmed prices is not believed once somebody knows better."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from sync.domain.pricing import Audience, AudienceKind, PriceScope, PriceValue
from sync.domain.views import PublishedPriceKey
from sync.errors import TryLater
from sync.flows.context import Limits
from sync.planning.guards import Guard
from sync.ports.price_memory import Partition
from sync.ports.state import ResyncScope
from sync.testing import builders as a
from tests.faults.sites import BELIEVE
from tests.scenarios.test_price_batches import (
    OWN,
    SKUS,
    AskedStore,
    Site,
    a_site,
)
from tests.scenarios.world import ASSIGNMENTS, MILL

MILLS = (Audience(AudienceKind.ACCOUNT, MILL.value), PriceScope.account(MILL))


class Single(AskedStore):
    """It goes away after some calls of single changes."""

    calls = 10**9

    def apply_prices(self, put: Any, remove: Any) -> None:
        self.calls -= 1
        if self.calls < 0:
            raise TryLater("away")
        super().apply_prices(put, remove)


def spoil(site: Site, partition: Partition = OWN) -> None:
    """Somebody else makes all of an account's prices other ones in the store."""
    keys = list(site.store.shown_prices(*partition))
    for key in keys:
        site.store.apply_prices(
            [(PublishedPriceKey(partition[0], key), PriceValue(Decimal("999")))], []
        )


@pytest.mark.rule("MI-3", "OP-5")
def test_refused_resync_leaves_nothing_believed_that_it_saw_to_be_wrong() -> None:
    site = a_site()
    spoil(site)
    site.limits = Limits(guards={"prices": Guard(price_floor=2)})
    refused = site.run(scope=ResyncScope(everything=True))
    assert refused.outcome == "refused"
    again = site.run()
    assert (again.outcome, again.plan_id) == ("refused", refused.plan_id)
    with site.state.transaction() as state:
        assert refused.plan_id is not None
        state.plans.confirm(refused.plan_id, "ann", site.clock.now())
    assert site.run().outcome == "ok"
    assert dict(site.store.prices) == site.by_row_from_scratch()


@pytest.mark.rule("OP-1", "OP-5")
def test_resync_that_breaks_off_leaves_nothing_believed_that_it_saw_to_be_wrong() -> None:
    site = a_site(store_kind=Single)
    for sku in SKUS:
        site.erp.set_price(a.a_price("8", scope=PriceScope.account(MILL), sku=sku))
    site.run()
    spoil(site)
    spoil(site, MILLS)
    assert isinstance(site.store, Single)
    site.store.calls = 1
    assert site.run(scope=ResyncScope(everything=True)).outcome == "try_later"
    site.store.calls = 10**9
    assert site.run().outcome == "ok"
    assert dict(site.store.prices) == site.by_row_from_scratch()


class Meanwhile(AskedStore):
    """Something happens while a price is written, once."""

    happens: Callable[[], object] | None = None

    def apply_price_rows(self, put: Any, remove: Any) -> None:
        happens, self.happens = self.happens, None
        if happens is not None:
            happens()
        super().apply_price_rows(put, remove)


@pytest.mark.rule("WA-8", "MI-1")
def test_account_withdrawn_while_its_prices_are_written_is_shown_all_when_it_is_back() -> None:
    site = a_site(flows=("accounts", "prices"), store_kind=Meanwhile)
    site.limits = Limits(guards=dict.fromkeys(("accounts", "prices"), BELIEVE))
    assert isinstance(site.store, Meanwhile)
    assert site.run("accounts").outcome == "ok"
    site.run()

    def leaves_and_comes_back() -> None:
        for mapped in (ASSIGNMENTS[1:], ASSIGNMENTS):
            site.remap(assignments=mapped)
            assert site.run("accounts").outcome == "ok"

    site.erp.set_price(a.a_price("6", sku=SKUS[0], min_quantity=Decimal(2)))
    site.store.happens = leaves_and_comes_back
    site.run()
    assert site.store.happens is None
    site.run()
    assert dict(site.store.prices) == site.by_row_from_scratch()
