"""Several calls with prices are under way at once: what is known of each holds whatever fails."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from sync.domain.ids import Sku
from sync.domain.pricing import PriceLevel, PriceScope, PriceValue
from sync.domain.views import PublishedPriceKey
from sync.errors import AccessDenied, OutcomeUnknown, Rejected, TryLater
from sync.flows.context import FlowResult
from sync.flows.cycle import run_flow
from sync.ports.store import StoreCapabilities
from sync.testing import builders as a
from sync.testing.store import MemoryStore
from tests.faults.sites import MirrorSite
from tests.pools import failure_noticed
from tests.scenarios.world import HARBOUR, MILL

PATIENCE_S = 30.0
SKU = Sku("BOLT-M8")
AT_ONCE, ROWS = 3, 2
OWN = PriceScope.account(HARBOUR)


class WideStore(MemoryStore):
    """Takes single prices only, by several calls at once; ``during`` happens in each of them."""

    apply_price_rows: Any = None

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.guard = threading.Lock()
        self.during: Callable[[int], object] = lambda number: None
        self.begun = self.under_way = self.most = 0
        self.rows_under_way = self.most_rows = 0
        self.log: list[str] = []

    def apply_prices(
        self,
        put: Sequence[tuple[PublishedPriceKey, PriceValue]],
        remove: Sequence[PublishedPriceKey],
    ) -> None:
        rows, kind = len(put) + len(remove), "put" if put else "remove"
        with self.guard:
            self.begun += 1
            number = self.begun
            self.under_way += 1
            self.rows_under_way += rows
            self.most = max(self.most, self.under_way)
            self.most_rows = max(self.most_rows, self.rows_under_way)
            self.log.append(f"{kind} begins")
        try:
            self.during(number)
            with self.guard:
                super().apply_prices(put, remove)
                self.log.append(f"{kind} ends")
        finally:
            with self.guard:
                self.under_way -= 1
                self.rows_under_way -= rows


class Site(MirrorSite):
    """Mirrors the prices of one account into such a store, and believes every plan."""

    wide: WideStore
    told: Callable[[int], bool]

    def run(self) -> FlowResult:
        return run_flow(replace(self.context(), progress=self._progress), "prices")

    def _progress(self, step: str, done: int, total: int | None) -> bool:
        return self.told(done) if step == "prices: writing" else False

    @property
    def confirmed(self) -> bool:
        """Whether the account's prices are remembered as the store's."""
        with self.state.transaction() as state:
            held = state.price_memory.confirmed()
        return any(scope == OWN for _, scope in held)

    def price(self, number: int, amount: str = "5") -> None:
        quantity = Decimal(number)
        self.erp.set_price(a.a_price(amount, scope=OWN, sku=SKU, min_quantity=quantity))


@pytest.fixture(params=["in columns", "by row"])
def site(request: pytest.FixtureRequest) -> Site:
    site = Site(
        flows=("prices",),
        store_kind=WideStore,
        store_capabilities=StoreCapabilities("wide", price_batch=ROWS, price_calls=AT_ONCE),
    )
    site.limits = replace(site.limits, full_price_check_s=1e9)
    site.told = lambda done: False
    if request.param == "by row":
        site.erp.feeds = ()
    else:
        site.erp.feeds = tuple(PriceLevel)
    assert isinstance(site.store, WideStore)
    site.wide = site.store
    for scope in (OWN, PriceScope.account(MILL)):
        for price in list(site.erp.prices([scope])):
            site.erp.remove_price(price.key)
    assert site.run().outcome == "ok"
    site.wide.begun = site.wide.most = site.wide.most_rows = 0
    site.wide.log.clear()
    return site


def shown(site: Site) -> dict[Decimal, Decimal | None]:
    return {
        published.key.min_quantity: value.unit_price
        for published, value in site.store.prices.items()
        if published.key.scope == OWN
    }


def in_the_erp(site: Site) -> dict[Decimal, Decimal | None]:
    return {each.key.min_quantity: each.value.unit_price for each in site.erp.prices([OWN])}


@pytest.mark.rule("WA-6")
def test_as_many_calls_are_under_way_as_the_store_takes_and_no_more(site: Site) -> None:
    met = threading.Barrier(AT_ONCE)
    site.wide.during = lambda number: met.wait(PATIENCE_S)
    for number in range(1, 3 * AT_ONCE * ROWS + 1):
        site.price(number)

    result = site.run()

    assert (result.outcome, result.counts["added"]) == ("ok", 3 * AT_ONCE * ROWS)
    assert (site.wide.most, site.wide.most_rows) == (AT_ONCE, AT_ONCE * ROWS)
    assert shown(site) == in_the_erp(site)


@pytest.mark.rule("MI-2", "OP-1")
def test_prices_are_remembered_only_when_the_last_of_their_calls_is_confirmed(site: Site) -> None:
    others_told = threading.Event()
    site.wide.during = lambda number: others_told.wait(PATIENCE_S) if number == 1 else None
    seen: list[tuple[int, bool]] = []

    def told(done: int) -> bool:
        seen.append((done, site.confirmed))
        if done == 2 * ROWS:
            others_told.set()
        return False

    site.told = told
    for number in range(1, 3 * ROWS + 1):
        site.price(number)

    assert site.run().outcome == "ok"

    assert [done for done, _ in seen] == [ROWS, 2 * ROWS, 3 * ROWS]
    assert not any(confirmed for _, confirmed in seen)
    assert site.confirmed is bool(site.erp.feeds)


@pytest.mark.rule("OI-2", "OP-1")
@pytest.mark.parametrize("error", [AccessDenied("no"), OutcomeUnknown("?"), TryLater("away")])
def test_what_was_under_way_beside_a_failure_is_counted_and_nothing_else_begins(
    site: Site, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    all_there, failed = threading.Barrier(AT_ONCE), failure_noticed(monkeypatch, AT_ONCE)

    def during(number: int) -> None:
        if number <= AT_ONCE:
            all_there.wait(PATIENCE_S)
        if number == 2 or number > AT_ONCE:
            raise error
        assert failed.wait(PATIENCE_S)

    site.wide.during = during
    for number in range(1, 10 * ROWS + 1):
        site.price(number)

    result = site.run()

    assert result.outcome in ("failed", "try_later")
    assert result.counts["added"] == len(shown(site)) == (AT_ONCE - 1) * ROWS
    assert not site.confirmed
    if not isinstance(error, TryLater):
        assert site.wide.begun == AT_ONCE

    site.wide.during = lambda number: None
    assert site.run().counts["added"] == 10 * ROWS - (AT_ONCE - 1) * ROWS
    assert shown(site) == in_the_erp(site)
    assert site.run().writes == 0


@pytest.mark.rule("OP-1")
def test_answer_that_is_lost_beside_others_leaves_nothing_unknown(site: Site) -> None:
    for number in range(1, 3 * ROWS + 1):
        site.price(number)
    site.run()
    for number in range(1, 3 * ROWS + 1):
        site.price(number, "6")
    site.wide.begun = 0
    apply_prices = site.wide.apply_prices

    def lost(put: Any, remove: Any) -> None:
        apply_prices(put, remove)
        if any(key.key.min_quantity == 1 for key, _ in put):
            raise OutcomeUnknown("the answer was lost")

    site.wide.apply_prices = lost  # type: ignore[method-assign]
    assert site.run().outcome == "try_later"
    assert not site.confirmed
    site.wide.apply_prices = apply_prices  # type: ignore[method-assign]
    # The ERP takes it back: who believed that nothing had arrived would write nothing.
    for number in range(1, 3 * ROWS + 1):
        site.price(number)

    assert site.run().outcome == "ok"
    assert shown(site) == in_the_erp(site)


@pytest.mark.rule("OP-1")
def test_run_that_is_stopped_waits_for_what_is_under_way_and_the_next_does_the_rest(
    site: Site,
) -> None:
    all_there, stopped = threading.Barrier(AT_ONCE), threading.Event()

    def during(number: int) -> None:
        all_there.wait(PATIENCE_S)
        if number > 1:
            assert stopped.wait(PATIENCE_S)

    def told(done: int) -> bool:
        stopped.set()
        return True

    site.wide.during, site.told = during, told
    for number in range(1, 10 * ROWS + 1):
        site.price(number)

    result = site.run()

    assert result.outcome == "cancelled"
    assert site.wide.begun == AT_ONCE
    assert result.counts["added"] == len(shown(site)) == AT_ONCE * ROWS
    assert not site.confirmed
    site.wide.during, site.told = lambda number: None, lambda done: False
    assert site.run().counts["added"] == (10 - AT_ONCE) * ROWS
    assert shown(site) == in_the_erp(site)


@pytest.mark.rule("MI-1", "VE-7")
def test_all_that_goes_is_gone_before_anything_comes(site: Site) -> None:
    for number in range(1, 2 * ROWS + 1):
        site.price(number)
    site.run()
    site.wide.log.clear()
    for price in list(site.erp.prices([OWN])):
        site.erp.remove_price(price.key)
    for number in range(101, 101 + 2 * ROWS):
        site.price(number)
    both, coming = threading.Barrier(2), threading.Event()
    site.wide.begun = 0

    def during(number: int) -> None:
        if number > 2:
            coming.set()
        else:
            # As long as it would take to begin too early.
            coming.wait(0.2)
        both.wait(PATIENCE_S)

    site.wide.during = during

    assert site.run().outcome == "ok"

    assert site.wide.log == [
        *(["remove begins"] * 2 + ["remove ends"] * 2),
        *(["put begins"] * 2 + ["put ends"] * 2),
    ]
    assert shown(site) == in_the_erp(site)


@pytest.mark.rule("OI-2")
def test_refused_price_costs_itself_only_though_others_are_under_way(site: Site) -> None:
    apply_prices = site.wide.apply_prices

    def picky(put: Any, remove: Any) -> None:
        if any(key.key.min_quantity == 2 for key, _ in put):
            raise Rejected("no such quantity", code="odd", remedy="take another")
        apply_prices(put, remove)

    site.wide.apply_prices = picky  # type: ignore[method-assign]
    for number in range(1, 5 * ROWS + 1):
        site.price(number)

    result = site.run()

    assert (result.outcome, result.counts["refused_by_store"]) == ("failed", 1)
    assert result.counts["added"] == 5 * ROWS - 1
    assert sorted(shown(site)) == [Decimal(n) for n in range(1, 5 * ROWS + 1) if n != 2]
    assert not site.confirmed


@pytest.mark.rule("OI-2", "OP-1")
def test_half_of_a_refused_call_that_was_written_counts_though_the_other_half_fails(
    site: Site,
) -> None:
    apply_prices = site.wide.apply_prices

    def picky(put: Any, remove: Any) -> None:
        if len(put) > 1:
            raise Rejected("one at a time", code="odd", remedy="send them singly")
        if any(key.key.min_quantity == 2 for key, _ in put):
            raise AccessDenied("not this one")
        apply_prices(put, remove)

    site.wide.apply_prices = picky  # type: ignore[method-assign]
    for number in range(1, ROWS + 1):
        site.price(number)

    result = site.run()

    assert result.outcome == "failed"
    assert result.counts["added"] == len(shown(site)) == 1
