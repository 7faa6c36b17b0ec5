"""Who sees which price, and when (WA-6, WA-7, VE-7, VE-12, WA-10)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from sync.domain.channel import LoginWall, RetailGroup
from sync.domain.ids import ChannelId, CustomerId, LocationId, Sku
from sync.domain.mapping import Assignment
from sync.domain.pricing import (
    DEFAULT_LIST,
    ITEM_OVERRIDES,
    Audience,
    AudienceKind,
    Price,
    PriceQuestion,
    PriceScope,
    effective_price,
)
from sync.explaining import explain_price
from sync.flows.context import Limits
from sync.mapping_check import mapping_findings
from sync.planning.guards import Guard
from sync.ports.erp import Finding, FindingLevel
from sync.ports.store import StoreCapabilities
from sync.testing import builders as a
from sync.testing.clock import ManualClock
from sync.testing.erp import MEMORY_CAPABILITIES
from sync.testing.store import MemoryStore
from tests.scenarios.world import (
    ASSIGNMENTS,
    HARBOUR,
    HARBOUR_ORG,
    MILL,
    MILL_ORG,
    RETAIL,
    TRADE,
    WEB,
    MakeWorld,
    World,
    a_channel,
    fill_store,
    guest_order,
    harbour_order,
)

OPEN = Audience(AudienceKind.PUBLIC, RETAIL.value, WEB)
SHOPPERS = Audience(AudienceKind.RETAIL, RETAIL.value, WEB)
EVERY_ACCOUNT = Audience(AudienceKind.ACCOUNTS)


class MixingStore(MemoryStore):
    """Shows every visitor the public prices of all retail groups."""

    def shopper_findings(self, shoppers: Mapping[Audience, Collection[str]]) -> Sequence[Finding]:
        open_ones = [each for each in shoppers if each.kind is AudienceKind.PUBLIC]
        shared = [each for each in open_ones if "EUR" in shoppers[each]]
        if len(shared) < 2:
            return ()
        return [Finding("channel web", FindingLevel.ERROR, "EUR of two groups", "leave one")]


def seen_by(world: World, *audiences: Audience, day: date | None = None) -> Decimal | None:
    """What ten bolts cost each, for a buyer of these audiences, by the store's own prices."""
    shown = [Price(key.key, value) for key, value in world.store.shown_to(audiences)]
    zone = ZoneInfo(world.erp.capabilities.time_zone)
    today = day or world.clock.now().astimezone(zone).date()
    decided = effective_price(shown, PriceQuestion(a.SKU, "EA", "EUR", Decimal(10), today))
    return decided.price.value.unit_price if decided else None


def harbour_sees(world: World) -> Decimal | None:
    gold = Audience(AudienceKind.GROUP, "GOLD")
    return seen_by(world, a.account_audience(HARBOUR), gold, EVERY_ACCOUNT)


def mill_sees(world: World) -> Decimal | None:
    return seen_by(world, a.account_audience(MILL), EVERY_ACCOUNT)


def trusting(world: World) -> World:
    """Guard rails have their own tests."""
    world.limits = replace(
        world.limits, guards={"prices": Guard(price_share=Decimal(1), removal_share=Decimal(1))}
    )
    return world


def two_prices(world: World) -> None:
    world.erp.set_price(a.a_price("9.1234"))
    world.erp.set_price(a.a_price("7.5000", scope=PriceScope.account(MILL)))
    world.erp.set_price(a.a_price("12.0000", scope=DEFAULT_LIST, price_list="BASE"))


@pytest.mark.rule("WA-6", "WA-7", "VE-7")
def test_each_account_sees_its_own_price_of_the_same_item(world: World) -> None:
    two_prices(world)
    world.run("prices")

    assert harbour_sees(world) == Decimal("9.1234")
    assert mill_sees(world) == Decimal("7.5000")
    assert seen_by(world, OPEN) == Decimal("12.0000")
    for audience in (a.account_audience(HARBOUR), OPEN, SHOPPERS):
        prices = {value.unit_price for _, value in world.store.shown_to([audience])}
        assert Decimal("7.5000") not in prices


@pytest.mark.rule("WA-6", "VE-7")
def test_swapped_mapping_swaps_what_each_company_sees(world: World) -> None:
    two_prices(world)
    world.cycle()
    world.remap(
        assignments=(
            Assignment(MILL, organisation=HARBOUR_ORG),
            Assignment(HARBOUR, organisation=MILL_ORG),
        )
    )
    world.cycle()

    shown = world.store.shown_accounts([HARBOUR, MILL])
    assert shown[HARBOUR].organisations == (MILL_ORG,)
    assert shown[MILL].organisations == (HARBOUR_ORG,)
    assert (harbour_sees(world), mill_sees(world)) == (Decimal("9.1234"), Decimal("7.5000"))


@pytest.mark.rule("WA-6", "VE-7")
def test_prices_of_an_account_that_nobody_is_mapped_to_are_withdrawn(world: World) -> None:
    two_prices(world)
    world.run("prices")
    world.remap(assignments=ASSIGNMENTS[1:])
    result = world.run("prices")

    assert a.account_audience(HARBOUR) not in {key.audience for key in world.store.prices}
    assert mill_sees(world) == Decimal("7.5000")
    assert result.counts["removed"] == 1


@pytest.mark.rule("VE-7", "VE-1")
def test_login_wall_decides_what_an_anonymous_visitor_sees(world: World) -> None:
    world.run("prices")
    assert seen_by(world, OPEN) == Decimal("9.9900")

    for wall in (LoginWall.LOGIN_REQUIRED, LoginWall.LOGIN_TO_PRICE):
        channel = a_channel(login_wall=wall)
        world.remap(channels={**world.mapping.channels, WEB: channel})
        world.run("prices")
        assert seen_by(world, OPEN) is None
        assert seen_by(world, SHOPPERS) == Decimal("9.9900")


@pytest.mark.rule("VE-7", "MI-3")
def test_a_new_login_wall_hides_prices_at_once_and_asks_no_guard_rail(
    make_world: MakeWorld,
) -> None:
    strict = Guard(removal_share=Decimal(0), removal_floor=0, price_share=Decimal(0), price_floor=0)
    world = make_world(limits=Limits(guards={"prices": strict}))
    world.run("prices")
    channel = a_channel(login_wall=LoginWall.LOGIN_REQUIRED)
    world.remap(channels={**world.mapping.channels, WEB: channel})

    told = world.run("prices", dry_run=True)
    assert told.counts["withdrawn"] == 1
    assert seen_by(world, OPEN) == Decimal("9.9900")

    result = world.run("prices")
    assert (result.outcome, result.counts["withdrawn"]) == ("ok", 1)
    assert seen_by(world, OPEN) is None
    assert seen_by(world, SHOPPERS) == Decimal("9.9900")


@pytest.mark.rule("VE-7", "MI-3")
@pytest.mark.parametrize("wall", [LoginWall.LOGIN_REQUIRED, LoginWall.LOGIN_TO_PRICE])
def test_a_new_login_wall_hides_prices_also_while_the_erp_is_away(
    world: World, wall: LoginWall
) -> None:
    world.run("prices")
    world.remap(channels={**world.mapping.channels, WEB: a_channel(login_wall=wall)})
    world.erp.deny_access()
    result = world.run("prices")
    assert (result.outcome, result.counts) == ("failed", {"withdrawn": 1})
    assert seen_by(world, OPEN) is None
    assert mill_sees(world) == Decimal("9.9900")

    # What shoppers who signed in may see comes from the ERP.
    world.erp.deny_access(denied=False)
    world.run("prices")
    assert seen_by(world, SHOPPERS) == Decimal("9.9900")


@pytest.mark.rule("VE-1", "VE-7")
def test_nothing_of_a_b2b_channel_is_public(world: World) -> None:
    world.run("prices")
    assert TRADE not in {key.audience.channel for key in world.store.prices}


@pytest.mark.rule("WA-6", "WA-3a")
def test_price_that_the_retail_group_has_of_its_own_is_for_shoppers_only(world: World) -> None:
    world.erp.set_price(a.a_price("8.8800", scope=PriceScope.account(RETAIL)))
    world.run("prices")
    assert seen_by(world, OPEN) == Decimal("8.8800")
    assert harbour_sees(world) == mill_sees(world) == Decimal("9.9900")
    assert a.account_audience(RETAIL) not in {key.audience for key in world.store.prices}


@pytest.mark.rule("VE-8", "WA-6")
def test_each_retail_group_prices_its_own_channel_in_its_own_currencies(world: World) -> None:
    america, popup = CustomerId("RETAIL-US"), ChannelId("us")
    world.erp.add_account(a.a_retail_account(customer_id=america, currencies=("USD", "CAD")))
    world.erp.set_price(a.a_price("11.0000", scope=PriceScope.account(america), currency="USD"))
    world.erp.set_price(a.a_price("15.0000", scope=PriceScope.account(america), currency="CAD"))
    world.erp.set_price(a.a_price("13.0000", scope=PriceScope.account(america), currency="MXN"))
    channel = a_channel(channel_id=popup, retail_groups=(RetailGroup(america, ("USD", "CAD")),))
    world.remap(channels={**world.mapping.channels, popup: channel})
    world.run("prices")

    seen = Audience(AudienceKind.PUBLIC, america.value, popup)
    assert {key.key.currency for key, _ in world.store.shown_to([seen])} == {"USD", "CAD"}
    assert {key.key.currency for key, _ in world.store.shown_to([OPEN])} == {"EUR"}


@pytest.mark.rule("VE-5", "VE-12")
def test_group_price_reaches_the_members_of_the_group_only(world: World) -> None:
    world.erp.remove_price(a.a_price_key())
    world.erp.set_price(a.a_price("6.6600", scope=PriceScope.group("GOLD")))
    world.erp.set_price(a.a_price("5.5500", scope=PriceScope.group("NOBODY")))
    world.run("prices")
    assert harbour_sees(world) == Decimal("6.6600")
    assert mill_sees(world) == Decimal("9.9900")
    assert "NOBODY" not in {key.audience.key for key in world.store.prices}

    world.erp.change_account(HARBOUR, price_groups=())
    world.run("prices")
    assert "GOLD" not in {key.audience.key for key in world.store.prices}


@pytest.mark.rule("VE-6", "VE-12")
def test_price_of_a_location_is_for_its_buyers(world: World) -> None:
    world.erp.add_location(a.a_location())
    yard = PriceScope.location(LocationId("SITE-1"))
    world.erp.set_price(a.a_price("4.4400", scope=yard))
    world.erp.set_price(a.a_price("3.3300", scope=PriceScope.location(LocationId("ELSEWHERE"))))
    world.run("prices")
    at_yard = Audience(AudienceKind.LOCATION, "SITE-1")
    assert seen_by(world, at_yard, a.account_audience(), EVERY_ACCOUNT) == Decimal("4.4400")
    assert harbour_sees(world) == Decimal("9.9900")
    assert "ELSEWHERE" not in {key.audience.key for key in world.store.prices}


@pytest.mark.rule("VE-12")
def test_override_for_one_item_beats_everything(world: World) -> None:
    world.erp.set_price(a.a_price("1.1100", scope=ITEM_OVERRIDES, price_list="OVERRIDE"))
    world.run("prices")
    assert harbour_sees(world) == mill_sees(world) == seen_by(world, OPEN) == Decimal("1.1100")


@pytest.mark.rule("WA-7")
def test_price_is_shown_to_the_last_decimal_place(world: World) -> None:
    world.erp.set_price(a.a_price("0.0001"))
    trusting(world).run("prices")
    shown = [value.unit_price for _, value in world.store.shown_to([a.account_audience()])]
    assert [str(each) for each in shown] == ["0.0001"]


@pytest.mark.rule("WA-7", "MI-2")
def test_new_price_replaces_the_old_one_and_nothing_else_is_written(world: World) -> None:
    world.run("prices")
    writes = world.store.writes
    world.erp.set_price(a.a_price("10.0000"))
    result = world.run("prices")
    assert harbour_sees(world) == Decimal("10.0000")
    assert result.counts["changed"] == world.store.writes - writes == 1


@pytest.mark.rule("WA-10", "WA-7")
def test_price_of_zero_becomes_call_for_pricing(world: World) -> None:
    world.erp.set_price(a.a_price("0.0000"))
    trusting(world).run("prices")
    (value,) = (value for _, value in world.store.shown_to([a.account_audience()]))
    assert value.unit_price is None

    world.remap(zero_price_means_call=False)
    world.run("prices")
    (value,) = (value for _, value in world.store.shown_to([a.account_audience()]))
    assert value.unit_price == 0


@pytest.mark.rule("WA-10", "WA-7")
def test_a_channel_says_for_its_own_shoppers_whether_zero_is_a_price(world: World) -> None:
    world.erp.set_price(a.a_price("0.0000", scope=DEFAULT_LIST, price_list="BASE"))
    everywhere = Audience(AudienceKind.ACCOUNTS)

    def shown() -> dict[Audience, Decimal | None]:
        trusting(world).run("prices")
        return {
            audience: value.unit_price
            for audience in (OPEN, everywhere)
            for value in world.store.shown_prices(audience, DEFAULT_LIST).values()
        }

    assert shown() == {OPEN: None, everywhere: None}
    free = a_channel(zero_price_means_call=False)
    world.remap(channels={**world.mapping.channels, WEB: free})
    assert shown() == {OPEN: Decimal(0), everywhere: None}

    called = a_channel(zero_price_means_call=True)
    world.remap(zero_price_means_call=False, channels={**world.mapping.channels, WEB: called})
    assert shown() == {OPEN: None, everywhere: Decimal(0)}


@pytest.mark.rule("WA-10", "OI-1")
@pytest.mark.parametrize("retail", [True, False])
@pytest.mark.parametrize("zero_is_none", [True, False])
def test_an_order_is_held_against_what_its_buyer_was_shown(
    world: World, retail: bool, zero_is_none: bool
) -> None:
    for scope in (DEFAULT_LIST, PriceScope.account(HARBOUR)):
        world.erp.set_price(a.a_price("0.0000", scope=scope, price_list="FREE", priority=9))
    # Shoppers of the channel and accounts are told the opposite of each other.
    web = a_channel(zero_price_means_call=zero_is_none is retail)
    world.remap(
        channels={**world.mapping.channels, WEB: web},
        zero_price_means_call=zero_is_none is not retail,
    )
    order = guest_order(1) if retail else harbour_order(1)
    world.store.place_order(order)
    world.import_orders()
    frozen = world.entry(1).frozen
    assert frozen is not None
    said = " ".join(frozen.flags)
    assert ("the ERP has no price for" in said) is zero_is_none
    assert ("the ERP's price is 0" in said) is not zero_is_none


@pytest.mark.rule("WA-10", "OP-3")
def test_explain_tells_a_price_of_zero_as_the_channel_shows_it(world: World) -> None:
    outlet = ChannelId("outlet")
    free = a_channel(channel_id=outlet, zero_price_means_call=False, warehouse="W2")
    channels = {**world.mapping.channels, outlet: free}
    world.remap(channels=channels)
    world.erp.set_price(a.a_price("0.0000", scope=DEFAULT_LIST, price_list="BASE", priority=9))

    def told(customer: CustomerId, channel: str | None = None) -> tuple[str | None, str]:
        answer = explain_price(
            world.context(), customer.value, a.SKU.value, quantity=Decimal(1), unit="EA",
            currency="EUR", day=None, channel=channel,
        )  # fmt: skip
        return answer["price"], " ".join(answer["steps"])

    assert told(RETAIL, "web")[0] is None
    assert told(RETAIL, "outlet")[0] == "0.0000 EUR"
    price, said = told(RETAIL)
    assert price is None
    assert "Zero is no price on web only: name the --channel." in said
    assert told(MILL, "outlet")[0] != "0.0000 EUR", "what accounts see is the same everywhere"
    assert "channels.yaml has no channel outlt: did you mean outlet?" in told(RETAIL, "outlt")[1]
    world.erp.set_price(
        a.a_price("4.0000", scope=DEFAULT_LIST, price_list="W2", warehouse="W2", priority=10)
    )
    assert told(RETAIL, "outlet")[0] == "4.0000 EUR"
    assert told(RETAIL, "web")[0] is None


@pytest.mark.rule("WA-10", "OP-5")
@pytest.mark.parametrize("able", [True, False])
def test_a_store_without_call_for_pricing_has_it_named_by_every_run(
    make_world: MakeWorld, able: bool
) -> None:
    clock = ManualClock()
    facts = StoreCapabilities(name="plainshop", call_for_pricing=able)
    store = MemoryStore(clock=clock, capabilities=facts)
    fill_store(store)
    world = trusting(make_world(clock=clock, store=store))
    world.erp.set_price(a.a_price("0.0000"))
    for _ in range(2):  # the second one has nothing to write, and as much to say
        result = world.run("prices")
        told = [each for each in result.remarks if "plainshop has no call for pricing" in each]
        assert result.counts.get("call_for_pricing_not_shown", 0) == len(told) == (not able)
        assert all(str(a.SKU) in each and "C-1001" in each for each in told)
    # What was shown before is gone in any case, whatever else the store then shows.
    (value,) = (value for _, value in world.store.shown_to([a.account_audience()]))
    assert value.unit_price is None


@pytest.mark.rule("WA-6", "VE-12")
def test_dated_prices_change_at_midnight_of_the_erps_calendar(make_world: MakeWorld) -> None:
    far = replace(MEMORY_CAPABILITIES, time_zone="Pacific/Auckland")
    clock = ManualClock(datetime(2025, 3, 3, 10, 30, tzinfo=UTC))  # 23:30 on the 3rd there
    world = trusting(make_world(capabilities=far, clock=clock))
    world.erp.set_price(
        a.a_price("8.0000", price_list="SUMMER", priority=5, valid_until=date(2025, 3, 3))
    )
    world.erp.set_price(
        a.a_price("7.0000", price_list="AUTUMN", priority=5, valid_from=date(2025, 3, 4))
    )
    world.run("prices")
    assert harbour_sees(world) == Decimal("8.0000")
    lists = {key.key.price_list for key, _ in world.store.shown_to([a.account_audience()])}
    assert "AUTUMN" in lists, "it is published before it counts"

    clock.advance(3600)
    world.run("prices")
    assert harbour_sees(world) == Decimal("7.0000")
    lists = {key.key.price_list for key, _ in world.store.shown_to([a.account_audience()])}
    assert "SUMMER" not in lists, "what has ended is taken away"


@pytest.mark.rule("OP-2")
def test_run_for_one_item_leaves_the_others_as_they_are(world: World) -> None:
    nut = Sku("NUT-M8")
    world.erp.set_price(a.a_price("2.0000", sku=nut))
    world.run("prices")
    world.erp.set_price(a.a_price("2.1000", sku=nut))
    world.erp.set_price(a.a_price("10.1000"))
    world.erp.remove_price(a.a_price_key(scope=PriceScope.account(MILL)))
    result = world.run("prices", sku=nut.value)

    assert result.counts.get("changed") == 1
    assert harbour_sees(world) == Decimal("9.9900")
    assert mill_sees(world) == Decimal("9.9900")
    shown = {value.unit_price for key, value in world.store.prices.items() if key.key.sku == nut}
    assert shown == {Decimal("2.1000")}


@pytest.mark.rule("OP-2", "MI-3")
def test_run_for_an_item_that_the_erp_prices_no_more_withdraws_it(world: World) -> None:
    nut = Sku("NUT-M8")
    world.erp.set_price(a.a_price("2.0000", sku=nut))
    world.run("prices")
    world.erp.remove_price(a.a_price_key(sku=nut))
    assert world.run("prices", sku=nut.value).counts["removed"] == 1
    assert nut not in {key.key.sku for key in world.store.prices}


@pytest.mark.rule("OP-2")
def test_run_for_one_channel_touches_its_shoppers_only(world: World) -> None:
    world.run("prices")
    world.erp.set_price(a.a_price("10.5000", scope=DEFAULT_LIST, price_list="BASE"))
    world.erp.set_price(a.a_price("10.6000"))
    world.run("prices", channel=WEB.value)
    assert seen_by(world, OPEN) == Decimal("10.5000")
    assert harbour_sees(world) == Decimal("9.9900")


@pytest.mark.rule("OP-2")
def test_run_for_one_customer_reads_its_own_prices_only(world: World) -> None:
    world.run("prices")
    world.erp.set_price(a.a_price("10.5000", scope=DEFAULT_LIST, price_list="BASE"))
    world.erp.set_price(a.a_price("10.6000"))
    world.run("prices", customer=HARBOUR.value)
    assert harbour_sees(world) == Decimal("10.6000")
    assert seen_by(world, OPEN) == Decimal("9.9900")


@pytest.mark.rule("MI-1", "WA-6")
def test_price_that_the_store_refuses_does_not_keep_the_others_out(world: World) -> None:
    world.erp.set_price(a.a_price("2.0000", sku=Sku("ODD")))
    world.store.refuse_record("ODD")
    result = world.run("prices")
    assert result.counts["refused_by_store"] == 1
    assert harbour_sees(world) == Decimal("9.9900")
    assert (result.outcome, result.counts["added"]) == ("failed", 4)


@pytest.mark.rule("WA-6", "WA-7")
def test_shoppers_whom_the_store_cannot_tell_apart_are_refused_and_named_by_the_check(
    make_world: MakeWorld,
) -> None:
    clock = ManualClock()
    store = MixingStore(clock=clock)
    fill_store(store)
    world = make_world(clock=clock, store=store)
    assert world.run("prices").outcome == "ok"
    before, written = dict(world.store.prices), world.store.writes
    second = RetailGroup(CustomerId("RETAIL-DE"), ("EUR",), frozenset({"DE"}))
    groups = (RetailGroup(RETAIL, ("EUR",)), second)
    world.remap(channels={**world.mapping.channels, WEB: a_channel(retail_groups=groups)})

    result = world.run("prices")

    assert result.outcome == "failed"
    assert "channel web: EUR of two groups; leave one" in result.message
    assert (world.store.prices, world.store.writes) == (before, written)
    [error] = [e for e in mapping_findings(world.context()) if e.level is FindingLevel.ERROR]
    assert (error.subject, error.remedy) == ("channel web", "leave one")

    # Behind a login wall nothing is everybody's, and what was is taken away at once.
    walled = a_channel(retail_groups=groups, login_wall=LoginWall.LOGIN_REQUIRED)
    world.remap(channels={**world.mapping.channels, WEB: walled})
    assert world.run("prices").outcome == "ok"
    assert OPEN not in {audience for audience, _ in world.store.shown_price_partitions()}
