"""How much is there comes into the store, to whoever may see it (MI-4)."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal

import pytest

from sync.domain.account import Item
from sync.domain.availability import Availability, StockKey
from sync.domain.channel import Channel, CommerceMode, LoginWall, RetailGroup
from sync.domain.ids import CustomerId, Sku
from sync.domain.pricing import Audience, AudienceKind
from sync.domain.views import PublishedStockKey
from sync.flows.availability import ITEMS_AT_ONCE
from sync.flows.cycle import run_flow
from sync.ports.erp import UnreadableRecord
from sync.testing import builders as a
from sync.testing.clock import ManualClock
from sync.testing.erp import MemoryErp
from sync.testing.store import MemoryStore
from tests.scenarios.test_balances import without
from tests.scenarios.world import (
    ASSIGNMENTS,
    FUSE,
    HARBOUR,
    RETAIL,
    WEB,
    MakeWorld,
    World,
    a_channel,
    fill_erp,
    fill_store,
)

PUBLIC = Audience(AudienceKind.PUBLIC, RETAIL.value, WEB)
SHOPPERS = Audience(AudienceKind.RETAIL, RETAIL.value, WEB)
ACCOUNTS = Audience(AudienceKind.ACCOUNTS)
HARBOURS = a.account_audience()


def seen(world: World, audience: Audience) -> list[tuple[str, str, str]]:
    shown = world.store.shown_availability(audience)
    return [(sku.value, where, str(shown[sku, where].available)) for sku, where in sorted(shown)]


BOLTS = [(a.SKU.value, "W1", "12.000"), (a.SKU.value, "W2", "12.000")]


@pytest.mark.rule("MI-4", "VE-7")
def test_each_audience_is_shown_what_it_may_see(world: World) -> None:
    result = world.run("availability")

    assert (result.outcome, result.counts["added"]) == ("ok", 5)
    assert seen(world, PUBLIC) == seen(world, ACCOUNTS) == BOLTS
    assert seen(world, HARBOURS) == [(FUSE.value, "W1", "3")]
    assert set(world.store.shown_stock_audiences()) == {PUBLIC, ACCOUNTS, HARBOURS}


@pytest.mark.rule("MI-4", "MI-2")
def test_only_figures_that_moved_are_written(world: World) -> None:
    world.run("availability")
    writes = world.store.writes
    world.erp.set_availability(a.an_availability("0", next_due=date(2025, 4, 1)))
    world.erp.remove_availability(a.an_availability(warehouse="W2").key)
    counts = world.run("availability").counts

    assert (counts["changed"], counts["removed"], world.store.writes) == (2, 2, writes + 4)
    # What the ERP does not tell any more is gone, and no zero.
    assert seen(world, PUBLIC) == [(a.SKU.value, "W1", "0")]
    assert world.run("availability").writes == 0


@pytest.mark.rule("MI-4", "VE-7")
@pytest.mark.parametrize("wall", [LoginWall.LOGIN_REQUIRED, LoginWall.LOGIN_TO_PRICE])
def test_new_login_wall_takes_figures_away_from_everybody_whatever_the_guard_rails_say(
    world: World, wall: LoginWall
) -> None:
    for number in range(50):
        sku = Sku(f"NUT-{number}")
        world.erp.add_item(a.an_item(sku=sku))
        world.erp.set_availability(a.an_availability(sku=sku))
    world.run("availability")
    world.remap(channels={**world.mapping.channels, WEB: a_channel(login_wall=wall)})
    result = world.run("availability")

    assert (result.outcome, result.counts["withdrawn"]) == ("ok", 52)
    assert seen(world, PUBLIC) == []
    assert len(seen(world, SHOPPERS)) == 52


@pytest.mark.rule("MI-4", "VE-7")
def test_new_login_wall_counts_also_while_the_erp_says_nothing(world: World) -> None:
    world.run("availability")
    world.remap(
        channels={**world.mapping.channels, WEB: a_channel(login_wall=LoginWall.LOGIN_REQUIRED)}
    )
    world.erp_seen = without(world.erp, "availability")
    assert world.run("availability").outcome == "refused"
    assert seen(world, PUBLIC) == []
    assert seen(world, ACCOUNTS) == BOLTS


@pytest.mark.rule("MI-4")
def test_item_that_is_restricted_from_now_on_vanishes_for_the_others(world: World) -> None:
    world.run("availability")
    world.erp.add_item(a.an_item(allowed_to=frozenset({HARBOUR})))
    world.run("availability")
    assert seen(world, PUBLIC) == seen(world, ACCOUNTS) == []
    assert seen(world, HARBOURS) == [*BOLTS, (FUSE.value, "W1", "3")]


@pytest.mark.rule("MI-4", "WA-8")
def test_account_that_becomes_a_retail_group_is_no_account_any_more(world: World) -> None:
    world.run("availability")
    groups = (*a_channel().retail_groups, RetailGroup(HARBOUR, ("EUR",), frozenset({"BE"})))
    channels = {**world.mapping.channels, WEB: a_channel(retail_groups=groups)}
    world.remap(channels=channels, assignments=ASSIGNMENTS[1:])
    assert world.run("availability").counts["withdrawn"] == 1
    assert seen(world, HARBOURS) == []
    # The shoppers of that group may buy the item, and the channel is open.
    belgians = Audience(AudienceKind.PUBLIC, HARBOUR.value, WEB)
    assert (FUSE.value, "W1", "3") in seen(world, belgians)
    assert (FUSE.value, "W1", "3") not in seen(world, PUBLIC)


@pytest.mark.rule("MI-4", "OP-2")
def test_run_for_a_part_is_about_that_part(world: World) -> None:
    world.run("availability", sku=FUSE.value)
    assert set(world.store.shown_stock_audiences()) == {HARBOURS}
    world.run("availability", channel=WEB.value)
    assert set(world.store.shown_stock_audiences()) == {HARBOURS, PUBLIC}
    world.erp.remove_availability(a.an_availability(sku=FUSE).key)
    assert world.run("availability", sku=a.SKU.value).counts == {"added": 2, "unchanged": 2}
    assert seen(world, HARBOURS) == [(FUSE.value, "W1", "3")]
    assert world.run("availability", customer=HARBOUR.value).counts == {"removed": 1}
    assert seen(world, PUBLIC) == BOLTS


@pytest.mark.rule("MI-4")
def test_store_without_a_place_for_availability_is_left_alone_and_told_so(world: World) -> None:
    store = without(world.store, "shown_availability", "apply_availability")
    result = run_flow(dataclasses.replace(world.context(), store=store), "availability")
    assert (result.outcome, result.writes) == ("ok", 0)
    assert "no place for availability" in result.remarks[-1]


@pytest.mark.rule("MI-4", "VE-5")
def test_stock_of_an_item_for_a_group_is_shown_to_its_members_alone(world: World) -> None:
    world.run("availability")
    club = {"allowed_to": frozenset[CustomerId](), "allowed_tags": frozenset({"LICENSED"})}
    world.erp.add_item(a.an_item(**club))
    world.run("availability")
    members = Audience(AudienceKind.TAG, "LICENSED")
    assert seen(world, PUBLIC) == seen(world, ACCOUNTS) == []
    assert seen(world, members) == BOLTS

    world.erp.change_account(RETAIL, tags=("LICENSED",))
    world.run("availability")
    assert seen(world, PUBLIC) == seen(world, members) == BOLTS


class HalfReadable(MemoryErp):
    """Leaves out what ``odd`` names, and says so."""

    odd: frozenset[str] = frozenset()

    def availability(self, skus: Collection[Sku] | None = None) -> Iterator[Availability]:
        found = super().availability(skus)
        return (each for each in found if f"{each.sku}/{each.warehouse}" not in self.odd)

    def items(self, skus: Collection[Sku]) -> Mapping[Sku, Item]:
        found = super().items(skus)
        return {sku: each for sku, each in found.items() if sku.value not in self.odd}

    def take_unreadable(self) -> Sequence[UnreadableRecord]:
        return [UnreadableRecord("availability", each, "", "is odd") for each in sorted(self.odd)]


@pytest.mark.rule("MI-4", "MI-1")
@pytest.mark.parametrize("odd", [f"{a.SKU}/W1", a.SKU.value, "?/W1"])
def test_figure_that_cannot_be_read_has_not_vanished_and_the_others_move(
    make_world: MakeWorld, odd: str
) -> None:
    clock = ManualClock()
    erp = HalfReadable(clock)
    fill_erp(erp)
    world = make_world(clock=clock, erp=erp)
    world.run("availability")
    erp.odd = frozenset({odd})
    erp.remove_availability(a.an_availability(sku=FUSE).key)
    if odd.startswith("?"):
        erp.remove_availability(a.an_availability().key)
    world.run("availability")

    assert seen(world, PUBLIC) == seen(world, ACCOUNTS) == BOLTS
    # A record that does not say which item it is may be this one.
    gone = [] if not odd.startswith("?") else [(FUSE.value, "W1", "3")]
    assert seen(world, HARBOURS) == gone


@pytest.mark.rule("MI-4", "VE-5")
def test_stock_of_a_restricted_item_whose_groups_cannot_be_read_is_nobodys(
    make_world: MakeWorld,
) -> None:
    clock = ManualClock()
    erp = HalfReadable(clock)
    fill_erp(erp)
    world = make_world(clock=clock, erp=erp)
    world.run("availability")
    erp.odd = frozenset({FUSE.value})
    world.run("availability")
    assert (seen(world, HARBOURS), seen(world, PUBLIC)) == ([], BOLTS)


# However many items there are.


class Counted(Availability):
    """A figure that knows how many of its kind there are at this moment, and were at most."""

    now = most = 0

    def __new__(cls, *args: object, **kwargs: object) -> Counted:
        Counted.now += 1
        Counted.most = max(Counted.most, Counted.now)
        return super().__new__(cls)

    def __del__(self) -> None:
        Counted.now -= 1

    @classmethod
    def starting(cls) -> None:
        cls.now = cls.most = 0


def counted(number: int, available: str = "12.000") -> Counted:
    return Counted(Sku(f"NUT-{number:06}"), "W1", Decimal(available))


class Endless(MemoryErp):
    """Has as many items as it is told, and makes each figure when it is asked for it."""

    count = 0

    def availability(self, skus: Collection[Sku] | None = None) -> Iterator[Availability]:
        return (counted(number) for number in range(self.count))

    def items(self, skus: Collection[Sku]) -> Mapping[Sku, Item]:
        return {sku: a.an_item(sku=sku) for sku in skus}


class Shown(MemoryStore):
    """Shows as many items to all accounts as it is told, a few of them as they were before."""

    count = 0

    def shown_stock_audiences(self) -> Iterator[Audience]:
        return iter([ACCOUNTS])

    def shown_stocked_items(self, after: Sku | None, limit: int) -> Sequence[Sku]:
        first = 0 if after is None else int(after.value[4:]) + 1
        return [Sku(f"NUT-{each:06}") for each in range(first, min(first + limit, self.count))]

    def shown_stock(self, skus: Collection[Sku]) -> Mapping[PublishedStockKey, Availability]:
        found = {}
        for sku in skus:
            number = int(sku.value[4:])
            if number < self.count:
                figure = counted(number, "1.000" if number in (7, 777) else "12.000")
                found[PublishedStockKey(ACCOUNTS, *figure.key)] = figure
        return found

    def shown_availability(self, audience: Audience) -> Mapping[StockKey, Availability]:
        raise AssertionError("a whole catalogue at once")


@pytest.mark.rule("MI-4")
@pytest.mark.parametrize("gone", [0, 10])
def test_figures_held_at_once_do_not_grow_with_the_catalogue(
    make_world: MakeWorld, gone: int
) -> None:
    most = []
    for count in (1_000, 8_000):
        clock = ManualClock()
        erp, store = Endless(clock), Shown(clock=clock)
        fill_erp(erp)
        fill_store(store)
        erp.count, store.count = count - gone, count
        world = make_world(clock=clock, erp=erp, store=store)
        world.remap(channels={WEB: Channel(WEB, CommerceMode.B2B)})
        Counted.starting()
        counts = world.run("availability").counts
        changed = {"changed": 2, "unchanged": count - gone - 2}
        assert counts == (changed if not gone else {**changed, "removed": gone})
        most.append(Counted.most)
    # Those of one batch from each side, those that are wanted, and the changes.
    assert max(most) < 4 * ITEMS_AT_ONCE < 1_000


@pytest.mark.rule("MI-4")
def test_figures_out_of_their_order_remove_nothing(world: World) -> None:
    class Shuffled(MemoryErp):
        def availability(self, skus: Collection[Sku] | None = None) -> Iterator[Availability]:
            return iter(sorted(super().availability(skus), key=lambda each: each.key)[::-1])

    world.run("availability")
    world.erp.__class__ = Shuffled
    with pytest.raises(ValueError, match="out of order"):
        world.run("availability")
    assert seen(world, PUBLIC) == BOLTS
