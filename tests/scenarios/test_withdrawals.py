"""What no channel shows any more goes out of sight, each part whatever became of the others."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import pytest

from sync.domain.availability import Availability
from sync.domain.channel import LoginWall, RetailGroup
from sync.domain.entitlement import Entitlement
from sync.domain.ids import ChannelId, CustomerId, Sku
from sync.domain.pricing import ITEM_OVERRIDES, Audience, AudienceKind, PriceValue
from sync.domain.views import PublishedPriceKey, PublishedStockKey
from sync.errors import Rejected, TryLater
from sync.ports.store import StoreCapabilities
from sync.testing import builders as a
from sync.testing.clock import ManualClock
from sync.testing.store import MemoryStore
from tests.scenarios.world import (
    HARBOUR,
    RETAIL,
    WEB,
    MakeWorld,
    World,
    a_channel,
    fill_store,
)

OUTLET = ChannelId("outlet")
# In the order in which they are withdrawn: the first is the one that stays.
FIRST, SECOND = (Audience(AudienceKind.PUBLIC, RETAIL.value, each) for each in (OUTLET, WEB))
HIDDEN = {"prices": 2, "availability": 3, "entitlements": 2}
"""How much of the second one each flow has to take away."""

AWAY = TryLater("the store answers 500")
REFUSED = Rejected("an order names it.", code="in_use", remedy="Close the order.")
BOTH_ERRORS = pytest.mark.parametrize(
    "error, outcome", [(AWAY, "try_later"), (REFUSED, "failed")], ids=["try_later", "rejected"]
)
EACH_FLOW = pytest.mark.parametrize("flow", HIDDEN)


class Clinging(MemoryStore):
    """It does not take away what ``stays``: an audience, an item, or an account."""

    def __init__(self, clock: ManualClock, capabilities: StoreCapabilities) -> None:
        super().__init__(clock=clock, capabilities=capabilities)
        self.stays: dict[Audience | Sku | CustomerId, Exception] = {}

    def _cling(self, *held: Audience | Sku | CustomerId) -> None:
        for each in held:
            if each in self.stays:
                raise self.stays[each]

    def apply_prices(
        self,
        put: Sequence[tuple[PublishedPriceKey, PriceValue]],
        remove: Sequence[PublishedPriceKey],
    ) -> None:
        self._cling(*(each.audience for each in remove), *(each.key.sku for each in remove))
        super().apply_prices(put, remove)

    def apply_availability(
        self,
        put: Sequence[tuple[Audience, Availability]],
        remove: Sequence[PublishedStockKey],
    ) -> None:
        self._cling(*(each.audience for each in remove), *(each.sku for each in remove))
        super().apply_availability(put, remove)

    def apply_entitlements(self, put: Sequence[Entitlement], remove: Sequence[Sku]) -> None:
        self._cling(*(each.sku for each in put))
        super().apply_entitlements(put, remove)

    def withdraw_account(self, customer_id: CustomerId) -> None:
        self._cling(customer_id)
        super().withdraw_account(customer_id)

    def seen_by(self, flow: str, audience: Audience) -> Collection[object]:
        """What the flow shows to that audience."""
        if flow == "prices":
            return {key for key in self.prices if key.audience == audience}
        if flow == "availability":
            return {key for key in self.stock if key.audience == audience}
        kept = self.shown_entitlements(list(self.shown_restricted_items()))
        return {sku for sku, each in kept.items() if audience in each.audiences}


def clinging(world: World) -> Clinging:
    assert isinstance(world.store, Clinging)
    return world.store


def walled(make_world: MakeWorld, *, batch: int = 100) -> World:
    """Two open channels were mirrored, and both have a login wall from now on."""
    clock = ManualClock()
    store = Clinging(
        clock,
        StoreCapabilities(name="memory", batch=batch),
    )
    fill_store(store)
    world = make_world(clock=clock, store=store)
    world.erp.set_price(a.a_price("8.0000", scope=ITEM_OVERRIDES))
    for sku in (Sku("CLUB-1"), Sku("CLUB-2")):
        world.erp.add_item(a.an_item(sku=sku, allowed_to=frozenset({RETAIL})))
    world.erp.set_availability(a.an_availability(sku=Sku("CLUB-1")))
    outlet = replace(a_channel(), channel_id=OUTLET)
    world.remap(channels={**world.mapping.channels, OUTLET: outlet})
    for flow in HIDDEN:
        assert world.run(flow).outcome == "ok"
        assert len(store.seen_by(flow, FIRST)) == HIDDEN[flow]
        assert len(store.seen_by(flow, SECOND)) == HIDDEN[flow]
    wall(world)
    return world


def wall(world: World) -> None:
    channels = {
        name: replace(each, login_wall=LoginWall.LOGIN_REQUIRED) if name in (WEB, OUTLET) else each
        for name, each in world.mapping.channels.items()
    }
    world.remap(channels=channels)


@pytest.mark.rule("VE-7")
@pytest.mark.parametrize("flow", ["prices", "availability"])
@BOTH_ERRORS
def test_audience_that_the_store_does_not_let_go_keeps_no_other_in_sight(
    make_world: MakeWorld, flow: str, error: Exception, outcome: str
) -> None:
    world = walled(make_world)
    store = clinging(world)
    store.stays[FIRST] = error
    result = world.run(flow)

    assert len(store.seen_by(flow, FIRST)) == HIDDEN[flow]
    assert not store.seen_by(flow, SECOND)
    # Only what is gone is called so.
    assert (result.outcome, result.counts) == (outcome, {"withdrawn": HIDDEN[flow]})
    assert not [each for each in result.remarks if str(OUTLET) in each and "withdrawn" in each]
    assert [each for each in result.remarks if str(OUTLET) in each and "still shown" in each]

    store.stays.clear()
    assert world.run(flow).outcome == "ok"
    assert not store.seen_by(flow, FIRST)


@pytest.mark.rule("VE-7")
@pytest.mark.parametrize(
    "flow, item, stay",
    [("prices", a.SKU, 2), ("availability", a.SKU, 2), ("entitlements", Sku("CLUB-1"), 1)],
)
@BOTH_ERRORS
def test_record_that_the_store_does_not_let_go_keeps_no_other_in_sight(
    make_world: MakeWorld, flow: str, item: Sku, stay: int, error: Exception, outcome: str
) -> None:
    world = walled(make_world, batch=1)
    store = clinging(world)
    store.stays[item] = error
    result = world.run(flow)

    left = store.seen_by(flow, FIRST)
    assert len(left) == len(store.seen_by(flow, SECOND)) == stay
    records = 1 if flow == "entitlements" else 2  # one of an item, or one for each audience
    gone = records * (HIDDEN[flow] - stay)
    assert (result.outcome, result.counts.get("withdrawn", 0)) == (outcome, gone)


@pytest.mark.rule("VE-7")
@pytest.mark.parametrize("flow, item", [("availability", a.SKU), ("entitlements", Sku("CLUB-1"))])
def test_refused_record_is_found_among_those_of_its_batch(
    make_world: MakeWorld, flow: str, item: Sku
) -> None:
    world = walled(make_world)
    store = clinging(world)
    store.stays[item] = REFUSED
    result = world.run(flow)

    assert 0 < len(store.seen_by(flow, FIRST)) < HIDDEN[flow]
    assert result.outcome == "failed"
    assert REFUSED.remedy in result.message


@EACH_FLOW
@pytest.mark.rule("VE-7", "WA-8")
def test_retail_group_that_the_store_does_not_let_go_leaves_nothing_before_a_login_wall(
    make_world: MakeWorld, flow: str
) -> None:
    world = walled(make_world)
    store = clinging(world)
    world.run("accounts")
    channel = world.mapping.channels[WEB]
    groups = (*channel.retail_groups, RetailGroup(HARBOUR, ("EUR",), frozenset({"NL"})))
    channels = {**world.mapping.channels, WEB: replace(channel, retail_groups=groups)}
    world.remap(channels=channels)
    store.stays[HARBOUR] = REFUSED
    result = world.run(flow)

    assert HARBOUR in set(store.shown_customer_ids())
    assert not store.seen_by(flow, FIRST)
    assert not store.seen_by(flow, SECOND)
    assert result.outcome == "failed"
    assert result.counts["withdrawn"]
    told = [each for each in result.remarks if "still shown" in each]
    assert len(told) == 1
    assert HARBOUR.value in told[0]


@pytest.mark.rule("VE-7", "WA-8")
def test_of_several_failures_the_run_tells_the_one_that_no_later_run_heals(
    make_world: MakeWorld,
) -> None:
    world = walled(make_world, batch=1)
    store = clinging(world)
    store.stays |= {FIRST: AWAY, SECOND: REFUSED}
    result = world.run("prices")
    assert result.outcome == "failed"
    assert REFUSED.remedy in result.message
    # And all are named: two lists, each for the shoppers of both channels.
    assert len([each for each in result.remarks if "still shown" in each]) == 4


@pytest.mark.rule("VE-7", "OP-6")
def test_failure_that_many_records_share_is_told_once(make_world: MakeWorld) -> None:
    world = walled(make_world, batch=1)
    clinging(world).stays[FIRST] = REFUSED
    result = world.run("availability")
    assert len([each for each in result.remarks if "still shown" in each]) == 1


@EACH_FLOW
@pytest.mark.rule("VE-7", "OP-2")
def test_rehearsal_tells_what_a_login_wall_would_hide_and_hides_nothing(
    make_world: MakeWorld, flow: str
) -> None:
    world = walled(make_world)
    store = clinging(world)
    store.stays[FIRST] = REFUSED
    told = world.run(flow, dry_run=True)
    assert told.counts["withdrawn"] == HIDDEN[flow] * (1 if flow == "entitlements" else 2)
    assert len(store.seen_by(flow, FIRST)) == HIDDEN[flow]
