"""Prices of one account, list or site that cannot be read stop no others (MI-1, MI-3, OP-1)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from typing import Any

import pytest

from sync.domain.ids import CustomerId, LocationId, Sku
from sync.domain.pricing import DEFAULT_LIST, ITEM_OVERRIDES, Price, PriceLevel, PriceScope
from sync.errors import LeftAlone, NobodyAnswers, SyncError, TryLater
from sync.flows import price_batches
from sync.flows.apart import PROBES
from sync.flows.retrying import Patience
from sync.planning.guards import Guard
from sync.ports.state import ResyncScope
from sync.systems import SystemWatch, guarded
from sync.testing import builders as a
from sync.testing.erp import MemoryErp
from tests.scenarios.test_price_batches import SKUS, AskedStore, Site, a_site
from tests.scenarios.test_unread_accounts import broken, refused, wrong
from tests.scenarios.world import ASSIGNMENTS, HARBOUR, MILL

HARBOURS, MILLS = PriceScope.account(HARBOUR), PriceScope.account(MILL)
SITE, GROUP = PriceScope.location(LocationId("SITE-1")), PriceScope.group("G1")
EVERY = (HARBOURS, MILLS, SITE, GROUP, DEFAULT_LIST, ITEM_OVERRIDES)


class Erp(MemoryErp):
    """It fails at every question about one of the ``odd`` scopes, and its feeds break off there."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.odd: set[PriceScope] = set()
        self.how: Callable[[PriceScope], SyncError] = broken
        self.away = False
        self.asked = 0
        self.fed: list[PriceLevel] = []
        self.moments = 0
        self.meanwhile: Callable[[], object] = int

    def prices(
        self, scopes: Collection[PriceScope], skus: Collection[Sku] | None = None
    ) -> Iterator[Price]:
        self._ask()
        for each in scopes:
            if each in self.odd:
                raise self.how(each)
        yield from super().prices(scopes, skus)

    def price_scopes(self) -> Iterator[PriceScope]:
        self._ask()
        yield from super().price_scopes()

    def price_vectors(self, level: PriceLevel) -> Iterator[tuple[PriceScope, Any]]:
        from sync.columnar.vectors import vector_of

        self._ask()
        self.fed.append(level)
        for scope in sorted({key.scope for key in self._prices if key.scope.level is level}):
            if scope in self.odd:
                raise self.how(scope)
            vector = vector_of(super().prices([scope]))
            if len(vector):
                yield scope, vector
            if self.moments:
                self.moments -= 1
                self.meanwhile()
                raise TryLater("the connection was reset")

    def _ask(self) -> None:
        self.asked += 1
        if self.away:
            raise TryLater("nobody answers")


def build(*, feeds: bool, **given: Any) -> Site:
    """With prices at each level, shown and remembered."""
    site = a_site(erp_kind=Erp, **given)
    if not feeds:
        site.erp.feeds = ()
    site.erp.change_account(HARBOUR, price_groups=("G1",))
    site.erp.change_account(MILL, price_groups=("G1",))
    for number, scope in enumerate(EVERY):
        for sku in SKUS:
            site.erp.set_price(a.a_price(f"{9 - number}", scope=scope, sku=sku))
    for flow in site.flows:
        site.run_believed(flow)
    return site


def erp_of(site: Site) -> Erp:
    assert isinstance(site.erp, Erp)
    return site.erp


def change_all(site: Site) -> None:
    """Of every scope one price changes and one goes."""
    for scope in EVERY:
        site.erp.set_price(a.a_price("1.5", scope=scope, sku=SKUS[0]))
        site.erp.remove_price(a.a_price_key(scope=scope, sku=SKUS[1]))


def shown(site: Site, *scopes: PriceScope) -> dict[Any, Any]:
    return {k: v for k, v in site.store.prices.items() if k.key.scope in scopes}


@pytest.fixture(params=[True, False], ids=["feeds", "by row"])
def site(request: pytest.FixtureRequest) -> Site:
    return build(feeds=request.param)


@pytest.mark.rule("MI-1", "MI-3", "OP-1")
@pytest.mark.parametrize("how", [broken, wrong, refused])
@pytest.mark.parametrize("odd", EVERY, ids=str)
def test_all_but_the_scope_that_cannot_be_read_are_mirrored(
    site: Site, odd: PriceScope, how: Callable[[PriceScope], SyncError]
) -> None:
    others = [each for each in EVERY if each != odd]
    erp = erp_of(site)
    before = shown(site, odd)
    assert before
    change_all(site)
    erp.odd, erp.how = {odd}, how
    result = site.run()
    assert shown(site, odd) == before
    erp.odd = set()
    assert shown(site, *others) == {
        k: v for k, v in site.by_row_from_scratch().items() if k.key.scope != odd
    }
    assert (result.outcome, result.counts["price_scopes_unread"]) == ("try_later", 1)
    assert str(odd) in result.message
    assert any(str(how(odd)) in remark and str(odd) in remark for remark in result.remarks)

    assert site.run().outcome == "ok"
    assert dict(site.store.prices) == site.by_row_from_scratch()


@pytest.mark.rule("MI-3")
def test_unread_scopes_are_not_taken_for_deleted_by_the_guard_rails(site: Site) -> None:
    before = dict(site.store.prices)
    site.limits = replace(site.limits, guards={"prices": Guard()})
    erp_of(site).odd = {HARBOURS, MILLS, DEFAULT_LIST}
    result = site.run()
    assert (result.outcome, result.plan_id) == ("try_later", None)
    assert result.counts["price_scopes_unread"] == 3
    assert "removed" not in result.counts
    assert dict(site.store.prices) == before


@pytest.mark.rule("OP-1")
def test_an_erp_that_is_away_is_not_asked_for_each_scope(site: Site) -> None:
    before = dict(site.store.prices)
    erp = erp_of(site)
    erp.away, erp.asked = True, 0
    result = site.run()
    assert result.outcome == "try_later"
    assert "price_scopes_unread" not in result.counts
    assert erp.asked <= 2 + PROBES + Patience().attempts
    assert dict(site.store.prices) == before


@pytest.mark.rule("OP-1")
@pytest.mark.parametrize(
    "error", [TryLater("busy", 5.0), NobodyAnswers("port closed"), LeftAlone("shut")]
)
def test_an_erp_that_says_itself_that_it_is_away_ends_the_run(site: Site, error: SyncError) -> None:
    erp = erp_of(site)
    change_all(site)
    before = dict(site.store.prices)
    erp.odd, erp.how = {ITEM_OVERRIDES}, lambda _: error
    result = site.run()
    assert (result.outcome, result.message) == ("try_later", str(error))
    assert "price_scopes_unread" not in result.counts
    assert dict(site.store.prices) == before


@pytest.mark.rule("OP-1")
def test_an_erp_that_goes_away_while_scopes_are_parted_ends_the_run(site: Site) -> None:
    erp = erp_of(site)
    change_all(site)
    before = dict(site.store.prices)
    erp.odd = {SITE}

    def then_away(scope: PriceScope) -> SyncError:
        erp.away = True
        return broken(scope)

    erp.how = then_away
    result = site.run()
    assert result.outcome == "try_later"
    assert "price_scopes_unread" not in result.counts
    assert dict(site.store.prices) == before


@pytest.mark.rule("OP-1")
def test_scopes_that_cannot_be_read_do_not_shut_the_erp_off(site: Site) -> None:
    """The watch leaves a system alone after five failures in a row."""
    erp = erp_of(site)
    watch = SystemWatch("erp", "erp", site.clock)
    erp.odd = {HARBOURS, DEFAULT_LIST}
    site.erp = guarded(erp, watch, site.clock)
    for _ in range(3):
        assert site.run().counts["price_scopes_unread"] == 2
        assert watch.up


@pytest.mark.rule("WA-6", "VE-7")
def test_who_is_entitled_no_more_loses_prices_that_cannot_be_read(site: Site) -> None:
    erp_of(site).odd = {MILLS}
    assert shown(site, MILLS)
    site.remap(assignments=[each for each in ASSIGNMENTS if each.customer_id != MILL])
    site.run()
    assert not shown(site, MILLS)


@pytest.mark.rule("VE-5", "VE-7")
def test_item_that_becomes_restricted_goes_out_of_what_cannot_be_read(site: Site) -> None:
    erp_of(site).odd = {HARBOURS, DEFAULT_LIST}
    site.erp.add_item(a.an_item(sku=SKUS[1], allowed_to=frozenset()))
    before = shown(site, HARBOURS, DEFAULT_LIST)
    result = site.run()
    assert result.counts["price_scopes_unread"] == 2
    assert shown(site, HARBOURS, DEFAULT_LIST) == {
        k: v for k, v in before.items() if k.key.sku != SKUS[1]
    }


class Unlisted(Erp):
    """It says of each item for whom it is, and has no list of those that are restricted."""

    restricted_items = None  # type: ignore[assignment]


@pytest.mark.rule("VE-5", "VE-7")
@pytest.mark.parametrize("feeds", [True, False])
def test_items_of_what_cannot_be_read_are_asked_for_where_none_are_listed(feeds: bool) -> None:
    site = build(feeds=feeds, flows=("prices",))
    erp = Unlisted(site.clock)
    erp.__dict__.update(site.erp.__dict__)
    site.erp = erp
    erp.odd = set(EVERY) - {ITEM_OVERRIDES}
    erp.remove_price(a.a_price_key(scope=ITEM_OVERRIDES, sku=SKUS[1]))
    erp.add_item(a.an_item(sku=SKUS[1], allowed_to=frozenset()))
    site.run()
    assert not any(key.key.sku == SKUS[1] for key in site.store.prices)


# Feeds.


@pytest.mark.rule("MI-2", "OP-1")
def test_a_feed_that_breaks_off_for_a_moment_is_read_once_more() -> None:
    site = build(feeds=True)
    erp = erp_of(site)
    change_all(site)
    erp.moments, erp.fed = 1, []
    # What was told already changes before it is told again.
    erp.meanwhile = lambda: site.erp.set_price(a.a_price("3", scope=ITEM_OVERRIDES, sku=SKUS[2]))
    result = site.run()
    assert result.outcome == "ok"
    assert "feeds_broken" not in result.counts
    assert len(erp.fed) == len(erp.feeds) + 1
    assert site.run().counts["changed"]
    assert dict(site.store.prices) == site.by_row_from_scratch()


@pytest.mark.rule("OP-1", "OP-2")
def test_a_broken_feed_is_told_and_what_it_did_not_come_to_is_asked_for_by_itself() -> None:
    site = build(feeds=True)
    erp = erp_of(site)
    change_all(site)
    erp.moments = 100
    result = site.run()
    assert result.outcome == "ok"
    assert result.counts["feeds_broken"] >= 1
    assert any("breaks off (the connection was reset)" in each for each in result.remarks)
    erp.moments = 0
    assert dict(site.store.prices) == site.by_row_from_scratch()


@pytest.fixture
def too_many(monkeypatch: pytest.MonkeyPatch) -> Site:
    """The feed of accounts breaks off at the first, and only that one is asked for by itself."""
    monkeypatch.setattr(price_batches, "SCOPES_BY_ROW", 1)
    site = build(feeds=True)
    erp_of(site).odd = {HARBOURS}
    return site


@pytest.mark.rule("MI-1", "MI-3", "OP-1", "OP-2")
def test_scopes_too_many_to_be_asked_for_stay_and_keep_no_others_out(too_many: Site) -> None:
    erp = erp_of(too_many)
    before = shown(too_many, HARBOURS, MILLS)
    change_all(too_many)
    too_many.limits = replace(too_many.limits, guards={"prices": Guard()})

    result = too_many.run()

    assert (result.outcome, result.plan_id) == ("try_later", None)
    counted = ("feeds_broken", "price_scopes_unread", "price_scopes_unasked")
    assert [result.counts[each] for each in counted] == [1, 1, 1]
    assert result.message.startswith("1 price scopes behind a broken feed were not asked for")
    [told] = [each for each in result.remarks if "breaks off" in each]
    assert str(broken(HARBOURS)) in told
    assert "Of the 2 scopes that it did not come to, 1 were asked for by themselves" in told
    assert f"the other 1, from the {MILLS} on" in told
    assert "Correct the record or the statement" in told
    assert shown(too_many, HARBOURS, MILLS) == before
    others = [each for each in EVERY if each not in (HARBOURS, MILLS)]
    erp.odd = set()
    assert shown(too_many, *others) == {
        k: v for k, v in too_many.by_row_from_scratch().items() if k.key.scope in others
    }

    assert too_many.run().outcome == "ok"
    assert dict(too_many.store.prices) == too_many.by_row_from_scratch()


@pytest.mark.rule("MI-3")
def test_a_feed_that_breaks_off_at_its_begin_is_no_empty_source(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    site = build(feeds=True)
    scopes = set(site.erp.price_scopes()) - {HARBOURS, MILLS}
    only, *others = [each.key for each in site.erp.prices(scopes) if not each.key.scope.owner]
    others += [each.key for each in site.erp.prices(scopes) if each.key.scope.owner]
    for key in others:
        site.erp.remove_price(key)
    site.run_believed("prices")
    before = shown(site, HARBOURS, MILLS)
    assert shown(site, only.scope)
    site.erp.remove_price(only)
    monkeypatch.setattr(price_batches, "SCOPES_BY_ROW", 0)
    erp_of(site).odd = {HARBOURS}
    site.limits = replace(site.limits, guards={"prices": Guard()})
    result = site.run()
    assert (result.outcome, result.plan_id) == ("try_later", None)
    assert result.counts["price_scopes_unasked"] == 2
    assert dict(site.store.prices) == before, "the one price that went is gone, and no other"


@pytest.mark.rule("VE-5", "VE-7", "WA-6")
@pytest.mark.parametrize("full", [False, True])
def test_nobody_goes_on_seeing_what_is_not_theirs_behind_a_broken_feed(
    too_many: Site, full: bool
) -> None:
    too_many.erp.add_item(a.an_item(sku=SKUS[1], allowed_to=frozenset()))
    before = shown(too_many, MILLS)
    assert before

    too_many.run(scope=ResyncScope(everything=full))

    assert shown(too_many, MILLS) == {k: v for k, v in before.items() if k.key.sku != SKUS[1]}
    too_many.remap(assignments=[each for each in ASSIGNMENTS if each.customer_id != MILL])
    too_many.run()
    assert not shown(too_many, MILLS)


@pytest.mark.rule("MI-2")
def test_what_is_not_asked_for_is_not_read_of_the_store_and_makes_no_run_a_full_check(
    too_many: Site,
) -> None:
    too_many.clock.advance(too_many.limits.full_price_check_s)
    for _ in range(2):
        too_many.run()
        too_many.clock.advance(60)
    before = too_many.asked
    too_many.run()
    assert too_many.asked - before == 1, "of what was asked for in vain alone"


@pytest.mark.rule("MI-1", "OP-5")
def test_what_was_due_behind_a_broken_feed_is_compared_once_it_can_be_read(
    too_many: Site,
) -> None:
    too_many.clock.advance(too_many.limits.full_price_check_s)
    key = next(iter(shown(too_many, MILLS)))
    too_many.store.apply_prices([(key, a.a_price("77").value)], [])
    too_many.run()
    # It is late, and not forgotten: no run asks the store for it while it stays unread.
    before = too_many.asked
    too_many.run()
    assert too_many.asked - before == 1
    erp_of(too_many).odd = set()
    assert too_many.run().counts["changed"] == 1
    assert dict(too_many.store.prices) == too_many.by_row_from_scratch()
    before = too_many.asked
    assert too_many.run().writes == 0
    assert too_many.asked == before


@pytest.mark.rule("WA-7", "OP-5")
@pytest.mark.parametrize("spread", [True, False])
def test_what_a_state_hides_of_a_list_that_was_due_behind_a_broken_feed_is_found_once_it_is_read(
    monkeypatch: pytest.MonkeyPatch, spread: bool
) -> None:
    monkeypatch.setattr(price_batches, "SCOPES_BY_ROW", 1)
    site = build(feeds=True)
    erp = erp_of(site)
    erp.states, erp.blind_states = tuple(PriceLevel), True
    for number in range(10):  # of so many lists a few are read by themselves
        stranger = PriceScope.account(CustomerId(f"Z-{number}"))
        erp.set_price(a.a_price("5", scope=stranger, sku=SKUS[0]))
    site.run_believed("prices")
    erp.set_price(a.a_price("1.5", scope=MILLS, sku=SKUS[0]))
    assert site.run().writes == 0, "the number of entries is the same"
    site.clock.advance(site.limits.full_price_check_s)
    erp.odd = {HARBOURS}
    result = site.run(scope=ResyncScope(everything=not spread))
    assert (result.outcome, result.counts["price_scopes_unasked"]) == ("try_later", 1)
    erp.odd = set()
    assert site.run().counts["changed"] == 1
    assert dict(site.store.prices) == site.by_row_from_scratch()
    fed = len(erp.fed)
    assert site.run().writes == 0
    assert len(erp.fed) == fed, "it is read once"


@pytest.mark.rule("VE-5", "VE-7")
def test_items_behind_a_broken_feed_are_asked_for_where_none_are_listed(too_many: Site) -> None:
    erp = Unlisted(too_many.clock)
    erp.__dict__.update(too_many.erp.__dict__)
    too_many.erp = erp
    erp.add_item(a.an_item(sku=SKUS[1], allowed_to=frozenset()))
    # No price that is read tells of the item.
    for scope in EVERY:
        if scope != MILLS:
            erp.remove_price(a.a_price_key(scope=scope, sku=SKUS[1]))
    for key in [key for key in too_many.store.prices if key.key.scope != MILLS]:
        too_many.store.apply_prices([], [key])
    assert too_many.run().counts["price_scopes_unasked"] == 1
    assert not any(key.key.sku == SKUS[1] for key in shown(too_many, MILLS))


@pytest.mark.rule("MI-1", "MI-2")
def test_a_scope_that_can_never_be_read_makes_no_run_a_full_check() -> None:
    site = build(feeds=True)
    erp = erp_of(site)
    erp.odd = {MILLS}
    site.run()
    for _ in range(3):
        site.clock.advance(site.limits.full_price_check_s)
        assert isinstance(site.store, AskedStore)
        asked = []
        for _ in range(3):
            before = site.asked
            site.run()
            asked.append(site.asked - before)
            site.clock.advance(60)
        # Only what stays because it cannot be read is read of the store.
        assert asked[0] > asked[1] == asked[2] == 1


@pytest.mark.rule("MI-1")
def test_what_a_full_check_could_not_see_is_compared_once_it_can_be_read() -> None:
    site = build(feeds=True)
    erp = erp_of(site)
    for odd in (set(), {MILLS}):
        erp.odd = odd
        site.clock.advance(site.limits.full_price_check_s)
        site.run()
    key = next(iter(shown(site, MILLS)))
    site.store.apply_prices([(key, a.a_price("77").value)], [])
    erp.odd = set()
    assert site.run().counts["changed"] == 1
    assert dict(site.store.prices) == site.by_row_from_scratch()
