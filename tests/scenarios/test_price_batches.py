"""Prices that are told in whole vectors: the store shows the same as if it were asked each time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sync.domain.channel import LoginWall, RetailGroup
from sync.domain.ids import CustomerId, LocationId, OrganisationId, Sku
from sync.domain.mapping import Assignment
from sync.domain.pricing import (
    DEFAULT_LIST,
    ITEM_OVERRIDES,
    Audience,
    AudienceKind,
    PriceKey,
    PriceLevel,
    PriceScope,
    PriceValue,
)
from sync.domain.views import PublishedPriceKey
from sync.errors import Rejected, TryLater
from sync.flows.context import FlowResult, Limits
from sync.flows.cycle import run_flow
from sync.planning.guards import Guard
from sync.ports.state import ResyncScope
from sync.ports.store import PriceRows, StoreCapabilities
from sync.testing import builders as a
from sync.testing.erp import MEMORY_CAPABILITIES, MemoryErp
from sync.testing.store import MemoryStore
from tests.faults.sites import BELIEVE, MirrorSite, in_memory
from tests.scenarios.world import (
    ASSIGNMENTS,
    HARBOUR,
    MILL,
    RETAIL,
    WEB,
    a_channel,
    fill_store,
)

DAY = 86_400
SKUS = [Sku(each) for each in ("BOLT", "NUT", "PIN")]
SCOPES = [
    PriceScope.account(HARBOUR),
    PriceScope.account(MILL),
    PriceScope.account(RETAIL),
    PriceScope.location(LocationId("SITE-1")),
    PriceScope.group("G1"),
    DEFAULT_LIST,
    ITEM_OVERRIDES,
]
OWN = (Audience(AudienceKind.ACCOUNT, HARBOUR.value), PriceScope.account(HARBOUR))


class AskedStore(MemoryStore):
    """Counts how often it is asked what it shows, and takes rows or only single prices."""

    asked = 0

    def shown_prices(self, audience: Audience, scope: PriceScope) -> Any:
        self.asked += 1
        return super().shown_prices(audience, scope)


@dataclass
class Site(MirrorSite):
    """A site that mirrors prices only, and believes every plan."""

    flows: Any = ("entitlements", "prices")
    store_kind: type[MemoryStore] = AskedStore
    store_capabilities: StoreCapabilities = field(
        default_factory=lambda: StoreCapabilities("memory", batch=2)
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        self.erp.add_location(a.a_location())
        for sku in SKUS:
            self.erp.add_item(a.an_item(sku=sku))

    def run(self, flow: str = "prices", **given: Any) -> FlowResult:
        return run_flow(self.context(), flow, **given)

    def run_believed(self, flow: str) -> None:
        """A run whose plan a person confirms if that is what it takes."""
        result = self.run(flow)
        if result.plan_id is not None:
            with self.state.transaction() as state:
                state.plans.confirm(result.plan_id, "ann", self.clock.now())
            result = self.run(flow)
        assert result.outcome == "ok", result.message

    def follows(self, runs: Sequence[Sequence[Event]]) -> None:
        """After each it shows what reading row by row would, and has nothing left to write."""
        for happened in runs:
            for event in happened:
                event(self)
            for flow in self.flows:
                self.run_believed(flow)
            assert dict(self.store.prices) == self.by_row_from_scratch()
            before = self.store.writes
            again = self.run()
            assert (self.store.writes, again.writes) == (before, 0)

    @property
    def today(self) -> date:
        return self.context().today()

    def asks(self, scope: ResyncScope | None = None) -> int:
        """How many partitions of the store a run reads."""
        before = self.asked
        assert self.run(scope=scope).outcome == "ok"
        return self.asked - before

    @property
    def asked(self) -> int:
        assert isinstance(self.store, AskedStore)
        return self.store.asked

    def by_row_from_scratch(self) -> dict[PublishedPriceKey, PriceValue]:
        """What an empty store shows after the same ERP was read row by row."""
        other = Site.__new__(Site)
        other.__dict__.update(self.__dict__)
        other.store = MemoryStore(clock=self.clock)
        fill_store(other.store)
        other.state = in_memory(other.store, other.erp, other.clock)
        feeds, self.erp.feeds = self.erp.feeds, ()
        for flow in other.flows:
            assert other.run(flow).outcome == "ok"
        self.erp.feeds = feeds
        return dict(other.store.prices)


Event = Callable[[Site], object]


def _price(scope: PriceScope, sku: Sku, price: str | None, until: int | None, list_: str) -> Event:
    def happen(site: Site) -> None:
        end = None if until is None else site.today + timedelta(days=until)
        key = {"scope": scope, "sku": sku, "price_list": list_}
        if list_ == "USD":
            key["currency"] = "USD"
        site.erp.set_price(a.a_price(price, valid_until=end, **key))

    return happen


def _no_price(number: int) -> Event:
    def happen(site: Site) -> None:
        keys = sorted((each.key for each in site.erp.prices(SCOPES)), key=lambda key: key.order)
        if keys:
            site.erp.remove_price(keys[number % len(keys)])

    return happen


def _item(sku: Sku, only: frozenset[CustomerId] | None, tags: frozenset[str]) -> Event:
    told = tags if only is not None else frozenset[str]()
    return lambda site: site.erp.add_item(a.an_item(sku=sku, allowed_to=only, allowed_tags=told))


def _channel(wall: LoginWall, currencies: tuple[str, ...]) -> Event:
    channel = a_channel(retail_groups=(RetailGroup(RETAIL, currencies),), login_wall=wall)
    return lambda site: site.remap(channels={**site.mapping.channels, WEB: channel})


prices = st.builds(
    _price,
    st.sampled_from(SCOPES),
    st.sampled_from(SKUS),
    st.sampled_from(["5", "6.5", "0", None]),
    st.sampled_from([None, None, 0, 1, 2]),
    st.sampled_from(["L1", "L2", "USD"]),
)
events = st.one_of(
    prices,
    prices,
    st.builds(_no_price, st.integers(0, 99)),
    st.builds(
        lambda days: lambda site: site.clock.advance(days * DAY / 2), st.sampled_from([1, 2, 4])
    ),
    st.builds(
        _item,
        st.sampled_from(SKUS),
        st.sampled_from([None, frozenset(), frozenset({HARBOUR}), frozenset({RETAIL})]),
        st.sampled_from([frozenset(), frozenset({"CLUB"})]),
    ),
    st.builds(
        _channel, st.sampled_from(LoginWall), st.sampled_from([("EUR",), ("EUR", "USD"), ("USD",)])
    ),
    st.builds(lambda zero: lambda site: site.remap(zero_price_means_call=zero), st.booleans()),
    st.builds(
        lambda given: lambda site: site.remap(assignments=given),
        st.sampled_from([ASSIGNMENTS, ASSIGNMENTS[:1], ASSIGNMENTS[1:], ()]),
    ),
    st.builds(
        lambda who, groups, tags: (
            lambda site: site.erp.change_account(who, price_groups=groups, tags=tags)
        ),
        st.sampled_from([HARBOUR, MILL, RETAIL]),
        st.sampled_from([(), ("G1",)]),
        st.sampled_from([(), ("CLUB",)]),
    ),
    st.builds(
        lambda feeds: lambda site: setattr(site.erp, "feeds", feeds),
        st.sampled_from([tuple(PriceLevel), (PriceLevel.ACCOUNT,), ()]),
    ),
    st.builds(
        lambda states: lambda site: setattr(site.erp, "states", states),
        st.sampled_from([tuple(PriceLevel), (PriceLevel.ACCOUNT,), ()]),
    ),
)


@pytest.mark.rule("WA-6", "WA-7", "VE-5", "VE-7", "MI-2")
@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=40)
@given(
    st.lists(prices, min_size=3, max_size=12),
    st.lists(st.lists(events, max_size=3), min_size=1, max_size=5),
)
def test_store_shows_the_same_as_after_reading_row_by_row(
    first: list[Event], runs: list[list[Event]]
) -> None:
    site = Site()
    site.limits = replace(site.limits, full_price_check_s=1e9)
    site.follows([first, *runs])


def a_site(**given: Any) -> Site:
    """Its prices are mirrored, and what the store shows is remembered."""
    site = Site(**given)
    site.erp.set_price(a.a_price("5", sku=SKUS[1], scope=DEFAULT_LIST))
    for each in range(5):
        site.erp.set_price(a.a_price("5", sku=SKUS[0], min_quantity=Decimal(each + 1)))
    assert site.run().outcome == "ok"
    return site


@pytest.mark.rule("MI-2")
def test_night_without_changes_reads_nothing_of_the_store() -> None:
    site = a_site()
    result = site.run()
    assert site.asks() == 0
    assert result.counts == {"unchanged": len(site.store.prices)}


@pytest.mark.rule("MI-2", "WA-6")
def test_changed_price_costs_one_written_row() -> None:
    site = a_site()
    site.erp.set_price(a.a_price("6", sku=SKUS[0], min_quantity=Decimal(2)))
    before = site.asked
    result = site.run()
    assert result.counts == {"changed": 1, "unchanged": len(site.store.prices) - 1}
    assert site.asked == before


@pytest.mark.rule("WA-6")
def test_price_that_ends_is_gone_on_the_day_after_though_no_row_changed() -> None:
    site = a_site()
    site.erp.set_price(a.a_price("4", sku=SKUS[2], valid_until=site.today))
    assert site.run().counts["added"] == 1
    assert site.run().writes == 0
    site.clock.advance(DAY)
    result = site.run()
    assert result.counts["removed"] == 1
    site.clock.advance(DAY)
    assert site.run().writes == 0


@pytest.mark.rule("OP-2")
def test_resync_by_hand_compares_with_the_store() -> None:
    site = a_site()
    site.store.touch_prices()
    assert site.run().writes == 0
    assert site.asks(ResyncScope(everything=True)) > 0
    assert dict(site.store.prices) == site.by_row_from_scratch()


@pytest.mark.rule("OP-2")
def test_resync_of_a_part_forgets_what_it_writes_and_nothing_else() -> None:
    site = a_site()
    key = next(iter(site.store.shown_prices(*OWN)))
    site.store.apply_prices([(PublishedPriceKey(OWN[0], key), PriceValue(Decimal(1)))], [])
    scope = ResyncScope(customer=HARBOUR.value, everything=True)
    assert site.run(scope=scope).counts["changed"] == 1
    assert site.asks() == 1
    assert site.asks() == 0


@pytest.mark.rule("OP-5")
def test_full_check_finds_what_somebody_else_changed_in_the_store() -> None:
    site = a_site()
    keys = list(site.store.shown_prices(*OWN))
    published = [PublishedPriceKey(OWN[0], key) for key in keys]
    strange = replace(keys[0], sku=Sku("STRANGE"))
    put = [(published[0], PriceValue(Decimal(1)))]
    put.append((PublishedPriceKey(OWN[0], strange), PriceValue(Decimal(1))))
    site.store.apply_prices(put, [published[1]][:0])
    site.store.apply_prices([], [published[1]])
    assert site.run().writes == 0
    site.clock.advance(8 * DAY)
    result = site.run()
    assert result.counts["changed_by_others"] == 3
    assert "The full check found 3 prices that somebody else changed in the store." in (
        result.remarks
    )
    assert dict(site.store.prices) == site.by_row_from_scratch()
    assert site.run().writes == 0


@pytest.mark.rule("OP-5")
def test_store_that_shows_nothing_any_more_is_filled_again_at_once() -> None:
    site = a_site()
    shown = dict(site.store.prices)
    site.store.apply_prices([], [])
    for key in shown:
        site.store.apply_prices([], [key])
    result = site.run()
    assert dict(site.store.prices) == shown
    assert result.counts["added"] == len(shown)
    assert any("does not show" in each for each in result.remarks)


@pytest.mark.rule("MI-3")
def test_empty_feed_is_refused_and_the_confirmed_plan_is_the_same_by_either_way() -> None:
    site = a_site()
    site.limits = Limits()
    before = dict(site.store.prices)
    for key in [each.key for each in site.erp.prices(SCOPES)]:
        site.erp.remove_price(key)
    refused = site.run()
    assert (refused.outcome, dict(site.store.prices)) == ("refused", before)
    by_hand = site.run(scope=ResyncScope(everything=True))
    assert by_hand.plan_id == refused.plan_id
    with site.state.transaction() as state:
        assert refused.plan_id is not None
        state.plans.confirm(refused.plan_id, "ann", site.clock.now())
    assert site.run(scope=ResyncScope(everything=True)).outcome == "ok"
    assert not site.store.prices


@pytest.mark.rule("MI-3")
def test_prices_that_move_too_far_are_refused_without_asking_the_store() -> None:
    site = a_site()
    site.limits = Limits(guards={"prices": Guard(price_floor=2)})
    for each in range(5):
        site.erp.set_price(a.a_price("50", sku=SKUS[0], min_quantity=Decimal(each + 1)))
    before = site.asked
    result = site.run()
    assert (result.outcome, site.asked) == ("refused", before)
    assert "would move" in result.message


class Refusing(AskedStore):
    """It does not take one item, and says so whenever it is among others."""

    refused: Sku | None = None

    def apply_price_rows(self, put: Any, remove: Any) -> None:
        rows: list[PriceRows] = list(put)
        self._refuse([sku for each in rows for sku in _skus(each)])
        super().apply_price_rows(put, remove)

    def apply_prices(self, put: Any, remove: Any) -> None:
        self._refuse([key.key.sku for key, _ in put])
        super().apply_prices(put, remove)

    def _refuse(self, skus: list[Sku]) -> None:
        if self.refused in skus:
            raise Rejected("no such item", code="odd", remedy="add it")


def _skus(rows: PriceRows) -> list[Sku]:
    numbers: list[Any] = rows.rows.column("sku").to_pylist()
    return [Sku(each) for each in numbers]


@pytest.mark.rule("MI-2", "OI-2")
def test_refused_price_costs_itself_only_and_is_tried_again() -> None:
    site = a_site(store_kind=Refusing)
    assert isinstance(site.store, Refusing)
    site.store.refused = SKUS[2]
    for sku in SKUS[1:]:
        site.erp.set_price(a.a_price("7", sku=sku))
    result = site.run()
    assert (result.outcome, result.counts["refused_by_store"]) == ("failed", 1)
    assert result.counts["added"] == 1
    assert site.run().counts["refused_by_store"] == 1
    site.store.refused = None
    assert site.run().counts["added"] == 1
    assert dict(site.store.prices) == site.by_row_from_scratch()


class Leaving(AskedStore):
    """It goes away after some calls."""

    calls = 10**9

    def apply_price_rows(self, put: Any, remove: Any) -> None:
        self.calls -= 1
        if self.calls < 0:
            raise TryLater("away")
        super().apply_price_rows(put, remove)


@pytest.mark.rule("OP-1")
@pytest.mark.parametrize("calls", [1, 3])
def test_run_that_breaks_off_goes_on_where_it_was(
    monkeypatch: pytest.MonkeyPatch, calls: int
) -> None:
    monkeypatch.setattr("sync.flows.price_writing.ROWS_PER_CALL", 3)
    site = a_site(store_kind=Leaving)
    assert isinstance(site.store, Leaving)
    for scope in SCOPES[:2]:
        for each in range(6):
            price = a.a_price("8", scope=scope, sku=SKUS[0], min_quantity=Decimal(each + 1))
            site.erp.set_price(price)
    site.store.calls = calls
    assert site.run().outcome == "try_later"
    site.store.calls = 10**9
    # The one that it was at is compared with the store, those before and behind it are not.
    assert site.asks() == 1
    assert dict(site.store.prices) == site.by_row_from_scratch()


class Counting(AskedStore):
    """Remembers of how many partitions it was told at once."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.parts: list[int] = []

    def apply_price_rows(self, put: Any, remove: Any) -> None:
        self.parts.append(len(put) + len(remove))
        super().apply_price_rows(put, remove)


@pytest.mark.rule("WA-6", "MI-2")
def test_many_short_lists_come_whole_in_calls_of_a_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sync.flows.price_writing.PARTS_PER_CALL", 2)
    monkeypatch.setattr("sync.flows.price_writing.ROWS_PER_CALL", 7)
    site = a_site(store_kind=Counting)
    assert isinstance(site.store, Counting)
    site.store.parts.clear()
    for scope in SCOPES:
        for each in range(3):
            site.erp.set_price(
                a.a_price("8", scope=scope, sku=SKUS[2], min_quantity=Decimal(each + 1))
            )
    assert site.run().outcome == "ok"
    assert len(site.store.parts) > 1
    assert max(site.store.parts) == 2
    assert dict(site.store.prices) == site.by_row_from_scratch()
    assert site.run().writes == 0


@pytest.mark.rule("VE-5", "VE-7")
def test_item_that_becomes_restricted_loses_its_prices_though_none_changed() -> None:
    site = a_site(flows=("prices",))
    assert any(key.key.sku == SKUS[1] for key in site.store.prices)
    site.erp.add_item(a.an_item(sku=SKUS[1], allowed_to=frozenset({HARBOUR})))
    site.run()
    sees = {key.audience for key in site.store.prices if key.key.sku == SKUS[1]}
    assert sees == {Audience(AudienceKind.ACCOUNT, HARBOUR.value)}


class Silent(MemoryErp):
    """Its list of restricted items has become empty; the items themselves still say it."""

    silent = False

    def restricted_items(self) -> Any:
        return iter(()) if self.silent else super().restricted_items()


@pytest.mark.rule("VE-5", "MI-3")
def test_list_of_restricted_items_that_becomes_shorter_publishes_no_price() -> None:
    site = Site(flows=("prices",), erp_kind=Silent)
    assert isinstance(site.erp, Silent)
    site.erp.add_item(a.an_item(sku=SKUS[1], allowed_to=frozenset()))
    site.erp.set_price(a.a_price("5", sku=SKUS[1], scope=DEFAULT_LIST))
    site.erp.set_price(a.a_price("5", sku=SKUS[0], scope=DEFAULT_LIST))
    site.run()
    site.erp.silent = True
    assert site.run().writes == 0
    assert not any(key.key.sku == SKUS[1] for key in site.store.prices)


@pytest.mark.rule("WA-7")
def test_price_of_a_partition_that_cannot_be_read_stays_until_it_can() -> None:
    site = a_site()
    shown = dict(site.store.prices)
    key: PriceKey = a.a_price_key(sku=SKUS[0], min_quantity=Decimal(2))
    site.erp.damage_price(key)
    result = site.run()
    assert (result.counts["unreadable"], dict(site.store.prices)) == (1, shown)
    site.erp.set_price(a.a_price("6", sku=SKUS[0], min_quantity=Decimal(2)))
    assert site.run().counts["changed"] == 1


@pytest.mark.rule("WA-8", "MI-1")
def test_account_that_was_withdrawn_and_comes_back_is_shown_its_prices_again() -> None:
    site = a_site(flows=("accounts", "prices"))
    site.limits = Limits(guards=dict.fromkeys(("accounts", "prices"), BELIEVE))
    for mapped in (ASSIGNMENTS, ASSIGNMENTS[1:], ASSIGNMENTS):
        site.remap(assignments=mapped)
        site.run("accounts")
        # Not even once between: prices are mirrored only where it has come back.
    site.run()
    assert len(site.store.shown_prices(*OWN)) > 4


def test_vectors_that_are_nearly_the_same_are_kept_as_one_and_what_differs() -> None:
    site = a_site()
    for number in range(60):
        for scope in SCOPES[:2]:
            site.erp.set_price(a.a_price(str(number + 1), sku=Sku(f"S{number:02}"), scope=scope))
    site.run()
    with site.state.transaction() as state:
        confirmed = state.price_memory.confirmed()
        mine = [each.vector for (_, scope), each in confirmed.items() if scope in SCOPES[:2]]
        held = state.price_memory.vectors(mine)
    assert len(set(mine)) == 2
    assert sorted(held[each].base is None for each in mine) == [False, True]
    # And read back as what they are.
    site.erp.set_price(a.a_price("99", sku=Sku("S30"), scope=SCOPES[0]))
    site.erp.set_price(a.a_price("99", sku=Sku("S31"), scope=SCOPES[1]))
    assert site.run().counts["changed"] == 2
    assert site.asks() == 0


def test_vectors_that_nothing_needs_are_given_up() -> None:
    site = a_site()
    for number in range(4):
        site.erp.set_price(a.a_price(str(number + 1), sku=SKUS[0], min_quantity=Decimal(2)))
        site.run()
    with site.state.transaction() as state:
        needed = {each.vector for each in state.price_memory.confirmed().values()}
        held = state.price_memory.vectors(needed)
        assert state.price_memory.tidy() == 0
    assert needed <= held.keys()


@pytest.mark.rule("WA-6")
@pytest.mark.parametrize(
    "change", [datetime(2025, 3, 30, tzinfo=UTC), datetime(2025, 10, 26, tzinfo=UTC)]
)
def test_price_ends_with_the_day_of_the_erp_also_when_the_clocks_change(change: datetime) -> None:
    """That day has 23 or 25 hours in Berlin, and ends at 22 or at 23 o'clock in UTC."""
    berlin = replace(MEMORY_CAPABILITIES, time_zone="Europe/Berlin")
    site = a_site(capabilities=berlin)
    site.clock.advance((change - site.clock.now()).total_seconds())
    ends = date(change.year, change.month, change.day)
    site.erp.set_price(a.a_price("4", sku=SKUS[2], valid_until=ends))
    site.erp.set_price(a.a_price("3", sku=SKUS[2], valid_from=ends + timedelta(days=2)))
    site.run()
    over = datetime(change.year, change.month, change.day, tzinfo=ZoneInfo("Europe/Berlin"))
    midnight = (over + timedelta(days=1)).astimezone(UTC)
    site.clock.advance((midnight - site.clock.now()).total_seconds() - 1)
    assert site.run().writes == 0
    site.clock.advance(1)
    # From today on there is a gap, and the price of the day after is there with its date.
    assert site.run().counts["removed"] == 1
    left = [key for key in site.store.shown_prices(*OWN) if key.sku == SKUS[2]]
    assert [key.valid_from for key in left] == [ends + timedelta(days=2)]


@pytest.mark.rule("OP-2")
@pytest.mark.parametrize("in_feeds", [True, False])
def test_run_tells_how_many_lists_and_rows_it_has_compared(in_feeds: bool) -> None:
    site = a_site()
    site.run()
    if not in_feeds:
        site.erp.feeds = ()
    told: dict[str, list[tuple[int, int | None]]] = {}

    def progress(step: str, done: int, total: int | None) -> bool:
        told.setdefault(step, []).append((done, total))
        return False

    run_flow(replace(site.context(), progress=progress), "prices", ResyncScope(everything=True))
    lists = {scope for _, scope in site.store.shown_price_partitions()}
    assert told["prices: comparing lists"][-1] == (len(lists),) * 2
    assert told["prices: comparing rows"][-1] == (len(site.store.prices), None)
    assert "prices: writing" not in told


@pytest.mark.rule("OP-2")
def test_rows_are_told_of_those_that_the_store_had_confirmed() -> None:
    site = a_site()
    many = [CustomerId(f"C-{number}") for number in range(60)]
    given = [Assignment(each, organisation=OrganisationId(f"org-{each}")) for each in many]
    for each in many:
        site.erp.add_account(a.an_account(customer_id=each))
        site.store.add_organisation(a.an_organisation(organisation=OrganisationId(f"org-{each}")))
        site.erp.set_price(a.a_price("5", scope=PriceScope.account(each), sku=SKUS[0]))
    site.remap(assignments=(*ASSIGNMENTS, *given))
    site.run()
    told: list[tuple[int, int | None]] = []

    def progress(step: str, done: int, total: int | None) -> bool:
        if step == "prices: comparing rows":
            told.append((done, total))
        return False

    run_flow(replace(site.context(), progress=progress), "prices")
    first, last = told[0], told[-1]
    assert 0 < first[0] < len(site.store.prices)
    assert first[1] == len(site.store.prices)
    assert last == (len(site.store.prices), None)


@pytest.mark.rule("OP-2", "WA-6")
def test_plan_for_another_day_tells_what_ends_until_then_and_writes_nothing() -> None:
    site = a_site()
    site.erp.set_price(a.a_price("4", sku=SKUS[2], valid_until=site.today))
    site.run()
    before = site.store.writes

    def plan(day: date) -> FlowResult:
        return run_flow(replace(site.context(), as_of=day), "prices", dry_run=True)

    assert plan(site.today).counts == {}
    tomorrow = plan(site.today + timedelta(days=1))
    assert tomorrow.counts == {"would_remove": 1}
    assert (site.store.writes, site.run().writes) == (before, 0)
