"""What is not for everybody: groups as tags, and items that some alone may see (VE-5)."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Mapping, Sequence

import pytest

from sync.domain.account import Item
from sync.domain.channel import Channel, CommerceMode, LoginWall, RetailGroup
from sync.domain.codec import dumps, loads
from sync.domain.entitlement import Entitlement
from sync.domain.ids import ChannelId, CustomerId, Sku
from sync.domain.pricing import (
    DEFAULT_LIST,
    ITEM_OVERRIDES,
    Audience,
    AudienceKind,
    PriceScope,
)
from sync.flows.cycle import run_flow
from sync.planning.entitlements import Buyers, still_kept
from sync.ports.erp import UnreadableRecord
from sync.ports.store import StoreCapabilities
from sync.testing import builders as a
from sync.testing.clock import ManualClock
from sync.testing.erp import MemoryErp
from sync.testing.store import MemoryStore
from tests.scenarios.test_balances import without
from tests.scenarios.world import (
    ASSIGNMENTS,
    FUSE,
    GASKET,
    HARBOUR,
    HARBOUR_ORG,
    MILL,
    RETAIL,
    WEB,
    MakeWorld,
    World,
    a_channel,
    fill_erp,
    fill_store,
    harbour_order,
    mill_order,
)

LICENSED = "LICENSED"
CLUB = Sku("CLUB-1")
NOBODY = frozenset[CustomerId]()
HARBOURS, MILLS = a.account_audience(), a.account_audience(MILL)
MEMBERS = Audience(AudienceKind.TAG, LICENSED)
PUBLIC = Audience(AudienceKind.PUBLIC, RETAIL.value, WEB)
SHOPPERS = Audience(AudienceKind.RETAIL, RETAIL.value, WEB)


def tags(world: World) -> dict[str, tuple[str, ...]]:
    shown = world.store.shown_accounts([HARBOUR, MILL, RETAIL])
    return {key.value: profile.tags for key, profile in shown.items()}


def kept(world: World) -> dict[Sku, tuple[Audience, ...]]:
    """Whom the store keeps each restricted item for."""
    skus = list(world.store.shown_restricted_items())
    shown = world.store.shown_entitlements(skus)
    return {sku: each.audiences for sku, each in shown.items()}


def for_club(sku: Sku = CLUB, **changes: object) -> Item:
    return a.an_item(
        **{"sku": sku, "allowed_to": NOBODY, "allowed_tags": frozenset({LICENSED}), **changes}
    )


def one_at_a_time(make_world: MakeWorld) -> World:
    """The store takes one change a call."""
    clock = ManualClock()
    store = MemoryStore(clock=clock, capabilities=StoreCapabilities(name="memory", batch=1))
    fill_store(store)
    return make_world(clock=clock, store=store)


def stopped_while_writing(world: World, flow: str) -> None:
    world.progress = lambda step, done, total: step.endswith("writing")
    assert world.run(flow).outcome == "cancelled"


# Groups as tags of the accounts.


@pytest.mark.rule("VE-5", "MI-2")
def test_groups_of_an_account_are_tags_in_the_store_and_follow_the_erp(world: World) -> None:
    world.erp.change_account(HARBOUR, tags=("OEM", LICENSED))
    world.erp.change_account(RETAIL, tags=(LICENSED,))
    world.store.tag_organisation(HARBOUR_ORG, "VIP")
    world.run("accounts")
    assert tags(world) == {HARBOUR.value: (LICENSED, "OEM"), MILL.value: ()}
    assert world.run("accounts").writes == 0

    world.erp.change_account(HARBOUR, tags=("OEM",))
    world.erp.change_account(MILL, tags=(LICENSED,))
    assert world.run("accounts").counts["changed"] == 2
    assert tags(world) == {HARBOUR.value: ("OEM",), MILL.value: (LICENSED,)}
    # What the shop's own people call the organisation is none of the ERP's business.
    assert world.store.own_tags(HARBOUR_ORG) == {"VIP"}


@pytest.mark.rule("VE-5", "MI-3")
def test_a_tag_is_taken_away_before_anybody_gains_one(make_world: MakeWorld) -> None:
    world = one_at_a_time(make_world)
    world.erp.change_account(MILL, tags=(LICENSED,))
    world.run("accounts")
    world.erp.change_account(MILL, tags=())
    world.erp.change_account(HARBOUR, tags=(LICENSED,))
    stopped_while_writing(world, "accounts")
    assert tags(world) == {HARBOUR.value: (), MILL.value: ()}


# Items.


@pytest.mark.rule("VE-5", "MI-2")
def test_a_restricted_item_is_kept_for_whom_the_erp_keeps_it(world: World) -> None:
    world.erp.add_item(for_club(allowed_to=frozenset({MILL, CustomerId("C-UNMAPPED")})))
    result = world.run("entitlements")

    assert (result.outcome, result.counts) == ("ok", {"added": 3})
    assert kept(world) == {FUSE: (HARBOURS,), GASKET: (MILLS,), CLUB: (MILLS, MEMBERS)}
    assert world.run("entitlements").writes == 0

    world.erp.add_item(for_club())
    world.erp.add_item(a.an_item(sku=FUSE))
    assert world.run("entitlements").counts == {"changed": 1, "removed": 1, "unchanged": 1}
    assert kept(world) == {GASKET: (MILLS,), CLUB: (MEMBERS,)}


@pytest.mark.rule("VE-5", "WA-3")
def test_what_the_store_keeps_for_a_member_is_sold_to_a_member_and_nobody_else(
    world: World,
) -> None:
    world.erp.change_account(HARBOUR, tags=(LICENSED,))
    world.erp.add_item(for_club(a.SKU))
    world.cycle()
    assert tags(world)[HARBOUR.value] == (LICENSED,)
    assert kept(world)[a.SKU] == (MEMBERS,)

    world.store.place_order(harbour_order(1))
    world.store.place_order(mill_order(2))
    world.import_orders()
    assert len(world.in_erp(1)) == 1
    assert world.codes(2) == {"item_restricted"}


@pytest.mark.rule("VE-5", "VE-1", "VE-7")
@pytest.mark.parametrize(
    "wall, audience",
    [
        (LoginWall.OPEN, PUBLIC),
        (LoginWall.LOGIN_TO_PRICE, SHOPPERS),
        (LoginWall.LOGIN_REQUIRED, SHOPPERS),
    ],
)
def test_what_a_retail_group_may_buy_is_for_its_shoppers_as_the_login_wall_lets_them_see(
    world: World, wall: LoginWall, audience: Audience
) -> None:
    trade = ChannelId("trade")
    channels = {WEB: a_channel(login_wall=wall), trade: Channel(trade, CommerceMode.B2B)}
    world.remap(channels=channels)
    world.erp.change_account(RETAIL, tags=(LICENSED,))
    world.erp.add_item(for_club())
    world.run("entitlements")
    # Nothing on the b2b channel: there only accounts and tags let anybody in.
    assert kept(world)[CLUB] == tuple(sorted((audience, MEMBERS), key=lambda each: each.order))

    world.erp.change_account(RETAIL, tags=())
    world.run("entitlements")
    assert kept(world)[CLUB] == (MEMBERS,)


@pytest.mark.rule("VE-5", "VE-7")
def test_a_new_login_wall_keeps_it_from_the_public_at_once_also_while_the_erp_is_away(
    world: World,
) -> None:
    world.erp.add_item(for_club(allowed_to=frozenset({RETAIL})))
    world.run("entitlements")
    assert PUBLIC in kept(world)[CLUB]
    wall = a_channel(login_wall=LoginWall.LOGIN_REQUIRED)
    world.remap(channels={**world.mapping.channels, WEB: wall})
    world.erp.deny_access()

    assert world.run("entitlements").outcome == "failed"
    assert kept(world)[CLUB] == (MEMBERS,)


@pytest.mark.rule("VE-5", "WA-8")
def test_an_account_that_becomes_a_retail_group_is_let_in_as_its_shoppers_only(
    world: World,
) -> None:
    world.run("entitlements")
    groups = (*a_channel().retail_groups, RetailGroup(HARBOUR, ("EUR",), frozenset({"BE"})))
    channels = {**world.mapping.channels, WEB: a_channel(retail_groups=groups)}
    world.remap(channels=channels, assignments=ASSIGNMENTS[1:])
    world.run("entitlements")
    assert kept(world)[FUSE] == (Audience(AudienceKind.PUBLIC, HARBOUR.value, WEB),)


@pytest.mark.rule("VE-5", "MI-3")
def test_nobody_is_let_in_before_the_others_were_kept_out(make_world: MakeWorld) -> None:
    world = one_at_a_time(make_world)
    world.erp.add_item(a.an_item(sku=Sku("A-OPENS"), allowed_to=frozenset({HARBOUR})))
    world.erp.add_item(a.an_item(sku=Sku("B-WIDENS"), allowed_to=frozenset({HARBOUR})))
    world.run("entitlements")
    world.erp.add_item(a.an_item(sku=Sku("A-OPENS")))
    world.erp.add_item(a.an_item(sku=Sku("B-WIDENS"), allowed_to=frozenset({HARBOUR, MILL})))
    world.erp.add_item(for_club())
    stopped_while_writing(world, "entitlements")

    shown = kept(world)
    assert shown[CLUB] == (MEMBERS,)
    assert shown[Sku("A-OPENS")] == shown[Sku("B-WIDENS")] == (HARBOURS,)


# What the ERP does not tell.


class Forgetful(MemoryErp):
    """Cannot read the items in ``odd``, and leaves those in ``unlisted`` out of its list."""

    odd: frozenset[Sku] = frozenset()
    unlisted: frozenset[Sku] = frozenset()

    def items(self, skus: Collection[Sku]) -> Mapping[Sku, Item]:
        return {sku: each for sku, each in super().items(skus).items() if sku not in self.odd}

    def restricted_items(self) -> Iterator[Sku]:
        return iter([sku for sku in super().restricted_items() if sku not in self.unlisted])

    def take_unreadable(self) -> Sequence[UnreadableRecord]:
        return [UnreadableRecord("item_tags", f"{sku}/?", "tag", "is empty") for sku in self.odd]


@pytest.fixture
def forgetful(make_world: MakeWorld) -> tuple[World, Forgetful]:
    clock = ManualClock()
    erp = Forgetful(clock)
    fill_erp(erp)
    return make_world(clock=clock, erp=erp), erp


@pytest.mark.rule("VE-5", "MI-3")
def test_an_item_whose_groups_cannot_be_read_is_hidden_and_not_shown(
    forgetful: tuple[World, Forgetful],
) -> None:
    world, erp = forgetful
    erp.add_item(for_club())
    erp.odd = frozenset({CLUB})
    result = world.run("entitlements")
    assert kept(world) == {FUSE: (HARBOURS,), GASKET: (MILLS,), CLUB: ()}
    assert any(str(CLUB) in each and "hidden from everybody" in each for each in result.remarks)
    assert world.run("entitlements").writes == 0

    erp.odd = frozenset()
    world.run("entitlements")
    assert kept(world)[CLUB] == (MEMBERS,)
    # Also one that somebody sees already: nobody knows whether they still may.
    erp.odd = frozenset({CLUB})
    world.run("entitlements")
    assert kept(world) == {FUSE: (HARBOURS,), GASKET: (MILLS,), CLUB: ()}


@pytest.mark.rule("VE-5", "MI-3")
def test_a_list_that_became_shorter_opens_nothing(forgetful: tuple[World, Forgetful]) -> None:
    world, erp = forgetful
    erp.add_item(for_club())
    world.run("entitlements")
    erp.unlisted = frozenset({CLUB})
    assert world.run("entitlements").writes == 0
    assert kept(world)[CLUB] == (MEMBERS,)

    erp.remove_item(CLUB)
    world.run("entitlements")
    assert kept(world)[CLUB] == ()

    erp.add_item(a.an_item(sku=CLUB))
    world.run("entitlements")
    assert CLUB not in kept(world)


@pytest.mark.rule("VE-5")
def test_an_item_that_the_erp_lists_and_calls_open_is_hidden_and_named(world: World) -> None:
    class Contradicting(MemoryErp):
        def restricted_items(self) -> Iterator[Sku]:
            return iter([a.SKU, FUSE])

    world.erp.__class__ = Contradicting
    result = world.run("entitlements")
    assert kept(world)[a.SKU] == ()
    assert result.counts["hidden_from_all"] == 1


@pytest.mark.rule("VE-5", "MI-3")
@pytest.mark.parametrize("names", [("accounts",), ("items",)])
def test_a_source_that_tells_nothing_hides_nothing_until_a_person_confirms(
    world: World, names: tuple[str, ...]
) -> None:
    world.run("entitlements")
    before = kept(world)

    class Dry(MemoryErp):
        def __getattribute__(self, name: str) -> object:
            return (lambda *_: {}) if name in names else super().__getattribute__(name)

    world.erp.__class__ = Dry
    result = world.run("entitlements")
    assert (result.outcome, kept(world)) == ("refused", before)
    assert result.plan_id is not None
    world.confirm(result.plan_id)
    assert world.run("entitlements").outcome == "ok"
    assert kept(world) == {FUSE: (), GASKET: ()}


@pytest.mark.rule("VE-5", "MI-3")
def test_many_items_that_are_open_all_at_once_are_not_believed(world: World) -> None:
    skus = [Sku(f"CLUB-{number:03}") for number in range(60)]
    for sku in skus:
        world.erp.add_item(for_club(sku))
    world.run("entitlements")
    for sku in skus[:30]:
        world.erp.add_item(a.an_item(sku=sku))
    assert world.run("entitlements").outcome == "refused"
    assert len(kept(world)) == 62


@pytest.mark.rule("VE-5", "MI-3")
@pytest.mark.parametrize("audiences", [frozenset({LICENSED}), frozenset()])
def test_that_every_restricted_item_is_open_is_not_believed_however_few_they_are(
    world: World, audiences: frozenset[str]
) -> None:
    skus = [FUSE, GASKET]
    for sku in skus:
        world.erp.add_item(for_club(sku, allowed_tags=audiences))
    world.run("entitlements")
    before = kept(world)
    for sku in skus:
        world.erp.add_item(a.an_item(sku=sku))
    result = world.run("entitlements")
    assert (result.outcome, kept(world)) == ("refused", before)
    assert "all 2 restricted items would be open to everybody" in (result.message or "")

    assert result.plan_id is not None
    world.confirm(result.plan_id)
    assert world.run("entitlements").outcome == "ok"
    assert kept(world) == {}


@pytest.mark.rule("VE-5", "MI-3")
def test_items_open_a_few_at_a_time_and_no_more_of_them_without_a_person(world: World) -> None:
    skus = [Sku(f"CLUB-{number:02}") for number in range(18)]
    for sku in skus:
        world.erp.add_item(for_club(sku, allowed_tags=frozenset()))
    world.run("entitlements")
    for sku in skus[:5]:
        world.erp.add_item(a.an_item(sku=sku))
    assert world.run("entitlements").counts["removed"] == 5
    for sku in skus[5:11]:
        world.erp.add_item(a.an_item(sku=sku))
    result = world.run("entitlements")
    assert (result.outcome, len(kept(world))) == ("refused", 15)
    assert "6 of 15 restricted items would be open to everybody" in (result.message or "")


@pytest.mark.rule("VE-5", "MI-3")
def test_one_item_that_a_person_names_opens_also_where_it_is_the_last(world: World) -> None:
    world.erp.add_item(a.an_item(sku=FUSE))
    world.run("entitlements")
    assert set(kept(world)) == {GASKET}
    world.erp.add_item(a.an_item(sku=GASKET))
    assert world.run("entitlements").outcome == "refused"
    assert world.run("entitlements", sku=GASKET.value).outcome == "ok"
    assert kept(world) == {}


@pytest.mark.rule("VE-5", "OP-2")
def test_run_for_one_item_is_about_that_item(world: World) -> None:
    world.erp.add_item(for_club())
    world.run("entitlements", sku=CLUB.value)
    assert set(kept(world)) == {CLUB}
    assert world.run("entitlements", dry_run=True).counts["would_add"] == 2
    assert set(kept(world)) == {CLUB}


@pytest.mark.rule("VE-5", "OP-2")
def test_run_for_one_customer_or_channel_is_about_what_is_kept_for_it(world: World) -> None:
    world.erp.add_item(for_club(allowed_to=frozenset({RETAIL})))
    world.run("entitlements", customer=MILL.value)
    assert set(kept(world)) == {GASKET}
    world.run("entitlements", channel=WEB.value)
    assert set(kept(world)) == {GASKET, CLUB}
    world.erp.add_item(a.an_item(sku=GASKET))
    world.run("entitlements", customer=HARBOUR.value)
    assert set(kept(world)) == {FUSE, GASKET, CLUB}
    world.run("entitlements", customer=MILL.value)
    assert set(kept(world)) == {FUSE, CLUB}


@pytest.mark.rule("VE-5")
def test_systems_that_cannot_do_it_are_left_alone_and_told_so(world: World) -> None:
    store = without(world.store, "shown_entitlements", "apply_entitlements")
    result = run_flow(dataclasses.replace(world.context(), store=store), "entitlements")
    assert (result.outcome, result.writes) == ("ok", 0)
    assert "no place for restricted items" in result.remarks[-1]

    world.run("entitlements")
    world.erp_seen = without(world.erp, "restricted_items")
    result = world.run("entitlements")
    assert (result.outcome, result.writes) == ("ok", 0)
    assert "cannot list" in result.remarks[-1]
    assert set(kept(world)) == {FUSE, GASKET}


# Prices: they would tell that there is such an item.


def sights(world: World, sku: Sku = CLUB) -> dict[str, set[Audience]]:
    """Who sees which price of the item, by the scope that it is of."""
    found: dict[str, set[Audience]] = {}
    for key in world.store.prices:
        if key.key.sku == sku:
            found.setdefault(str(key.key.scope), set()).add(key.audience)
    return found


@pytest.fixture
def priced(world: World) -> World:
    """The club's item and an open one, in every kind of list; Harbour is in GOLD, Mill a member."""
    world.erp.change_account(MILL, tags=(LICENSED,), price_groups=("GOLD",))
    world.erp.add_item(for_club())
    for sku in (CLUB, a.SKU):
        for scope in (
            *(DEFAULT_LIST, ITEM_OVERRIDES, PriceScope.group("GOLD")),
            *(PriceScope.account(HARBOUR), PriceScope.account(MILL)),
        ):
            world.erp.set_price(a.a_price("5.0000", scope=scope, sku=sku))
    return world


@pytest.mark.rule("VE-5", "VE-7", "WA-6")
def test_prices_of_a_restricted_item_go_to_those_alone_whom_it_is_for(priced: World) -> None:
    priced.run("prices")
    assert sights(priced) == {
        "default": {MEMBERS},
        "item": {MEMBERS},
        "group GOLD": {MILLS},
        f"account {MILL}": {MILLS},
    }
    everybody = {Audience(AudienceKind.ACCOUNTS), PUBLIC}
    gold = {Audience(AudienceKind.GROUP, "GOLD")}
    assert sights(priced, a.SKU) == {
        "default": everybody,
        "item": everybody,
        "group GOLD": gold,
        f"account {HARBOUR}": {HARBOURS},
        f"account {MILL}": {MILLS},
    }
    assert priced.run("prices").writes == 0

    # A member who is in no price group sees their own price, and not the group's.
    priced.erp.change_account(HARBOUR, tags=(LICENSED,), price_groups=())
    priced.run("prices")
    assert sights(priced)["group GOLD"] == {MILLS}
    assert sights(priced)[f"account {HARBOUR}"] == {HARBOURS}


@pytest.mark.rule("VE-5", "VE-7")
def test_prices_of_a_restricted_item_go_to_shoppers_whose_group_may_buy_it(priced: World) -> None:
    priced.erp.change_account(RETAIL, tags=(LICENSED,))
    priced.run("prices")
    assert sights(priced)["default"] == {MEMBERS, PUBLIC}
    priced.remap(channels={WEB: a_channel(login_wall=LoginWall.LOGIN_REQUIRED)})
    priced.run("prices")
    assert sights(priced)["default"] == {MEMBERS, SHOPPERS}


@pytest.mark.rule("VE-5", "VE-7", "MI-3")
def test_prices_follow_an_item_that_is_restricted_moved_and_opened(priced: World) -> None:
    priced.erp.add_item(a.an_item(sku=CLUB))
    priced.run("prices")
    assert PUBLIC in sights(priced)["default"]

    priced.erp.add_item(for_club(allowed_to=frozenset({HARBOUR})))
    priced.run("prices")
    assert sights(priced)["default"] == {MEMBERS, HARBOURS}
    assert f"account {HARBOUR}" in sights(priced)

    priced.erp.add_item(a.an_item(sku=CLUB, allowed_to=frozenset({MILL})))
    priced.run("prices")
    assert sights(priced)["default"] == {MILLS}
    assert f"account {HARBOUR}" not in sights(priced)

    priced.erp.add_item(a.an_item(sku=CLUB))
    priced.run("prices")
    assert sights(priced)["default"] == {Audience(AudienceKind.ACCOUNTS), PUBLIC}


@pytest.mark.rule("VE-5", "MI-3")
def test_prices_of_an_item_whose_groups_cannot_be_read_are_shown_to_nobody(
    forgetful: tuple[World, Forgetful],
) -> None:
    world, erp = forgetful
    erp.add_item(for_club())
    erp.set_price(a.a_price("5.0000", scope=DEFAULT_LIST, sku=CLUB))
    world.run("prices")
    assert sights(world) == {"default": {MEMBERS}}
    erp.odd = frozenset({CLUB})
    world.run("prices")
    assert sights(world) == {}


EVERYBODY = {Audience(AudienceKind.ACCOUNTS), PUBLIC}


def stock_seen(world: World, sku: Sku = CLUB) -> set[Audience]:
    """Who sees figures of the item."""
    return {key.audience for key in world.store.stock if key.sku == sku}


def a_closed_club(world: World) -> list[Sku]:
    """Sixty of the club's items beside as many open ones, with prices and figures."""
    closed = [Sku(f"CLUB-{number:03}") for number in range(60)]
    for sku in closed:
        world.erp.add_item(for_club(sku))
    for sku in (*closed, *(Sku(f"OPEN-{number:03}") for number in range(60))):
        if sku not in closed:
            world.erp.add_item(a.an_item(sku=sku))
        world.erp.set_price(a.a_price("5.0000", scope=DEFAULT_LIST, sku=sku))
        world.erp.set_availability(a.an_availability("3", sku=sku))
    return closed


@pytest.mark.rule("VE-5", "VE-7", "MI-3")
@pytest.mark.parametrize("kept_before", [True, False])
def test_a_list_that_became_shorter_tells_nobody_a_price(
    forgetful: tuple[World, Forgetful], kept_before: bool
) -> None:
    world, erp = forgetful
    erp.add_item(for_club())
    erp.set_price(a.a_price("5.0000", scope=DEFAULT_LIST, sku=CLUB))
    erp.set_price(a.a_price("5.0000", scope=DEFAULT_LIST, sku=a.SKU))
    if kept_before:
        world.run("entitlements")
        world.run("prices")
    erp.unlisted = frozenset({CLUB})
    world.run("entitlements")
    world.run("prices")
    assert sights(world) == {"default": {MEMBERS}}
    assert sights(world, a.SKU)["default"] == EVERYBODY


@pytest.mark.rule("VE-5", "VE-7")
def test_an_erp_without_a_list_of_restricted_items_publishes_no_price_of_one(
    priced: World,
) -> None:
    priced.erp_seen = without(priced.erp, "restricted_items")
    priced.run("prices")
    assert sights(priced) == {
        "default": {MEMBERS},
        "item": {MEMBERS},
        "group GOLD": {MILLS},
        f"account {MILL}": {MILLS},
    }
    assert sights(priced, a.SKU)["default"] == EVERYBODY
    assert priced.run("prices").writes == 0
    # Nor does one that was open before stay in sight.
    priced.erp.add_item(for_club(a.SKU))
    priced.run("prices")
    assert sights(priced, a.SKU)["default"] == {MEMBERS}


@pytest.mark.rule("VE-5", "VE-7", "MI-3")
def test_an_unlisted_item_whose_groups_cannot_be_read_has_its_prices_hidden(
    forgetful: tuple[World, Forgetful],
) -> None:
    world, erp = forgetful
    erp.add_item(for_club())
    erp.set_price(a.a_price("5.0000", scope=DEFAULT_LIST, sku=CLUB))
    erp.set_price(a.a_price("5.0000", scope=DEFAULT_LIST, sku=Sku("NOT-AN-ITEM")))
    erp.unlisted = erp.odd = frozenset({CLUB})
    result = world.run("prices")
    assert sights(world) == {}
    assert any(str(CLUB) in each and "prices are hidden" in each for each in result.remarks)
    assert sights(world, Sku("NOT-AN-ITEM")) == {"default": EVERYBODY}


@pytest.mark.rule("VE-5", "VE-7", "MI-3")
def test_prices_and_stock_wait_for_the_store_to_open_the_items(world: World) -> None:
    closed = a_closed_club(world)
    for flow in ("entitlements", "prices", "availability"):
        assert world.run(flow).outcome == "ok"
    for sku in closed:
        world.erp.add_item(a.an_item(sku=sku))

    assert world.run("entitlements").outcome == "refused"
    for flow in ("prices", "availability"):
        result = world.run(flow)
        assert (result.outcome, result.writes) == ("ok", 0)
    assert {sku for sku in closed if sights(world, sku) != {"default": {MEMBERS}}} == set()
    assert {sku for sku in closed if stock_seen(world, sku) != {MEMBERS}} == set()

    # A person says that it is right: the next runs tell everybody.
    for flow in ("entitlements", "prices", "availability"):
        refused = world.run(flow)
        assert refused.plan_id is not None
        world.confirm(refused.plan_id)
        assert world.run(flow).outcome == "ok"
    assert sights(world, closed[0]) == {"default": EVERYBODY}
    assert stock_seen(world, closed[0]) == EVERYBODY


@pytest.mark.rule("VE-5", "VE-7", "WA-8")
def test_an_item_that_is_not_opened_yet_stays_with_its_own_as_far_as_they_are_there(
    priced: World,
) -> None:
    priced.erp.set_availability(a.an_availability("3", sku=CLUB))
    priced.erp.change_account(HARBOUR, price_groups=("GOLD",))
    priced.erp.add_item(for_club(allowed_to=frozenset({HARBOUR, RETAIL})))
    priced.run("entitlements")
    priced.erp.add_item(a.an_item(sku=CLUB))
    priced.run("prices")
    priced.run("availability")
    assert sights(priced) == {
        "default": {MEMBERS, HARBOURS, PUBLIC},
        "item": {MEMBERS, HARBOURS, PUBLIC},
        "group GOLD": {MILLS, HARBOURS},
        f"account {HARBOUR}": {HARBOURS},
        f"account {MILL}": {MILLS},
    }
    assert stock_seen(priced) == {MEMBERS, HARBOURS, PUBLIC}

    # Nobody acts for Harbour any more, Mill has left the group, the shop has a login wall.
    priced.remap(
        channels={WEB: a_channel(login_wall=LoginWall.LOGIN_REQUIRED)}, assignments=ASSIGNMENTS[1:]
    )
    priced.erp.change_account(MILL, tags=())
    priced.run("prices")
    priced.run("availability")
    assert sights(priced) == {"default": {MEMBERS}, "item": {MEMBERS}}
    assert stock_seen(priced) == {MEMBERS}


@pytest.mark.rule("VE-5", "VE-7", "MI-3")
def test_figures_of_an_item_that_the_store_keeps_do_not_stay_for_all_because_it_cannot_be_read(
    forgetful: tuple[World, Forgetful],
) -> None:
    world, erp = forgetful
    erp.add_item(a.an_item(sku=CLUB))
    erp.set_availability(a.an_availability("3", sku=CLUB))
    world.run("availability")
    assert stock_seen(world) == EVERYBODY
    erp.add_item(for_club())
    world.run("entitlements")
    erp.unlisted = erp.odd = frozenset({CLUB})
    world.run("availability")
    assert stock_seen(world) == set()


@pytest.mark.rule("VE-5", "VE-7")
def test_what_is_still_kept_is_for_nobody_who_is_not_there_any_more(world: World) -> None:
    kept = a.an_entitlement(CLUB, [PUBLIC, SHOPPERS, MEMBERS, HARBOURS, MILLS])
    group = world.erp.accounts([RETAIL])
    there = Buyers(frozenset({MILL}), group)
    assert set(still_kept(kept, there, world.mapping).audiences) == {PUBLIC, MEMBERS, MILLS}
    gone = Buyers(frozenset({MILL}), {})
    assert set(still_kept(kept, gone, world.mapping).audiences) == {MEMBERS, MILLS}


@pytest.mark.parametrize(
    "audiences",
    [
        (MEMBERS, HARBOURS),
        (HARBOURS, HARBOURS),
        (Audience(AudienceKind.ACCOUNTS),),
        (Audience(AudienceKind.GROUP, LICENSED),),
    ],
)
def test_an_entitlement_is_sorted_and_for_nobody_twice(audiences: tuple[Audience, ...]) -> None:
    with pytest.raises(ValueError, match=r"CLUB-1"):
        Entitlement(CLUB, audiences)


def test_an_entitlement_is_spooled_without_loss() -> None:
    kept = a.an_entitlement(CLUB, [SHOPPERS, MEMBERS, HARBOURS])
    assert loads(Entitlement, dumps(kept)) == kept
