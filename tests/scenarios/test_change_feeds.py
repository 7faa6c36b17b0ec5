"""Reading only what the ERP calls changed, without ever missing anything."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from sync.domain.account import Account, BillTo, ShipTo
from sync.domain.channel import RetailGroup
from sync.domain.ids import CustomerId, InvoiceNumber, ShipToId, WebUserId
from sync.domain.mapping import Assignment
from sync.domain.times import Watermark
from sync.domain.views import AccountView
from sync.errors import TryLater
from sync.flows.changes import look_at_everything
from sync.ports.erp import Feed
from sync.ports.store import StoreCapabilities
from sync.testing import builders as a
from sync.testing.clock import ManualClock
from sync.testing.erp import MEMORY_CAPABILITIES, MemoryErp
from sync.testing.faults import Crash, Script
from sync.testing.store import MemoryStore
from tests.scenarios.world import (
    ASSIGNMENTS,
    DOCK,
    HARBOUR,
    MILL,
    MILL_BUYER,
    MILL_ORG,
    RETAIL,
    WEB,
    MakeWorld,
    World,
    a_channel,
    fill_erp,
    fill_store,
)

DAY = 86400.0
HOUR = 3600.0
FLOWS = ("accounts", "ship_tos", "invoices")


class WatchedErp(MemoryErp):
    """It notes for whom ship-tos were asked."""

    def __init__(self, clock: ManualClock, **given: Any) -> None:
        super().__init__(clock, **given)
        self.asked: list[CustomerId] = []

    def ship_tos(self, customer_ids: Collection[CustomerId]) -> Sequence[ShipTo]:
        self.asked.extend(customer_ids)
        return super().ship_tos(customer_ids)

    def bill_tos(self, customer_ids: Collection[CustomerId]) -> Sequence[BillTo]:
        return super().bill_tos(customer_ids)


@pytest.fixture
def watched(make_world: MakeWorld) -> World:
    clock = ManualClock()
    erp = WatchedErp(clock)
    fill_erp(erp)
    clock.advance(HOUR)  # what was entered before the first run is no news
    return make_world(clock=clock, erp=erp)


def asked(world: World) -> set[CustomerId]:
    """For whom ship-tos were asked since the last time."""
    assert isinstance(world.erp, WatchedErp)
    found = set(world.erp.asked)
    world.erp.asked.clear()
    return found


def mark(world: World, feed: Feed = Feed.SHIP_TOS) -> Watermark | None:
    with world.state.transaction() as state:
        return state.watermarks.get(feed.value)


@pytest.mark.rule("MI-2", "OP-1")
def test_only_accounts_that_were_touched_are_read(watched: World) -> None:
    watched.run("ship_tos")
    assert asked(watched) == {HARBOUR, MILL}
    watched.clock.advance(HOUR)
    watched.run("ship_tos")
    assert asked(watched) == set()

    watched.erp.add_ship_to(a.a_ship_to(address=a.an_address(lines=("Pier 9",))))
    watched.clock.advance(HOUR)
    result = watched.run("ship_tos")
    assert asked(watched) == {HARBOUR}
    assert (result.counts["accounts_touched"], result.counts["changed"]) == (1, 1)


@pytest.mark.rule("OP-1")
def test_change_that_was_committed_late_is_not_missed(watched: World) -> None:
    watched.run("ship_tos")
    before = watched.clock.now() - timedelta(minutes=5)
    watched.erp.add_ship_to(a.a_ship_to(ship_to_id=ShipToId("YARD")))
    watched.erp.mark_changed(HARBOUR, Feed.SHIP_TOS, before)
    watched.clock.advance(HOUR)
    assert watched.run("ship_tos").counts["added"] == 1


@pytest.mark.rule("MI-1")
def test_once_a_day_everything_is_compared(watched: World) -> None:
    watched.run("ship_tos")
    for _ in range(23):
        watched.clock.advance(HOUR)
        watched.run("ship_tos")
    asked(watched)
    watched.clock.advance(HOUR)
    watched.run("ship_tos")
    assert asked(watched) == {HARBOUR, MILL}


@pytest.mark.rule("MI-1")
def test_row_that_was_deleted_without_a_trace_is_withdrawn_within_a_day(watched: World) -> None:
    watched.run("ship_tos")
    watched.clock.advance(HOUR)
    watched.erp.remove_ship_to(HARBOUR, DOCK)
    watched.erp.mark_changed(HARBOUR, Feed.SHIP_TOS, watched.clock.now() - timedelta(days=9))
    watched.run("ship_tos")
    assert (HARBOUR, DOCK) in watched.store.shown_ship_tos([HARBOUR])
    watched.clock.advance(DAY)
    watched.run("ship_tos")
    assert (HARBOUR, DOCK) not in watched.store.shown_ship_tos([HARBOUR])


@pytest.mark.rule("OP-5", "MI-1")
@pytest.mark.parametrize("feed", [Feed.ACCOUNTS, Feed.SHIP_TOS, Feed.INVOICES, Feed.ACCOUNT_ORDERS])
def test_daily_look_says_what_the_feed_had_not_told(watched: World, feed: Feed) -> None:
    erp, flow = watched.erp, feed.value
    watched.run("accounts")
    watched.run(flow)
    watched.clock.advance(HOUR)
    changes = {
        Feed.ACCOUNTS: lambda: erp.change_account(HARBOUR, name="Harbour & Sons"),
        Feed.SHIP_TOS: lambda: erp.add_ship_to(a.a_ship_to(ship_to_id=ShipToId("YARD"))),
        Feed.INVOICES: lambda: erp.add_invoice(a.an_invoice(number=InvoiceNumber("INV-1"))),
        Feed.ACCOUNT_ORDERS: lambda: erp.set_account_order(a.an_account_order("9009")),
    }
    changes[feed]()
    erp.mark_changed(HARBOUR, feed, watched.clock.now() - timedelta(days=9))
    assert watched.run(flow).writes == 0
    watched.clock.advance(DAY)
    found = watched.run(flow)
    assert (found.counts["missed_by_feed"], found.writes) == (1, 1)
    [said] = [each for each in found.remarks if "had not told" in each]
    assert HARBOUR.value in said
    watched.clock.advance(DAY)
    assert "missed_by_feed" not in watched.run(flow).counts


@pytest.mark.rule("OP-5")
def test_feed_alone_is_not_blamed_where_records_are_read_in_another_way_since(
    watched: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched.run("ship_tos")
    watched.clock.advance(DAY)
    told = WatchedErp.ship_tos

    def with_warehouse(self: WatchedErp, ids: Collection[CustomerId]) -> Sequence[ShipTo]:
        return [replace(each, warehouse="W9") for each in told(self, ids)]

    monkeypatch.setattr(WatchedErp, "ship_tos", with_warehouse)
    result = watched.run("ship_tos")
    assert result.counts["missed_by_feed"] == result.counts["changed"] > 0
    [said] = [each for each in result.remarks if "had not told" in each]
    assert "a changed profile, a new version" in said


@pytest.mark.rule("OP-5")
def test_feed_is_not_blamed_for_what_it_told_nor_for_what_changed_meanwhile(
    watched: World,
) -> None:
    watched.run("ship_tos")
    watched.clock.advance(HOUR)
    watched.run("ship_tos")
    watched.clock.advance(DAY)
    watched.erp.add_ship_to(a.a_ship_to(ship_to_id=ShipToId("YARD")))
    watched.script = Script()
    watched.script.meanwhile(
        "erp.ship_tos_unless",
        lambda: watched.erp.add_ship_to(a.a_ship_to(sold_to=MILL, ship_to_id=ShipToId("NEW"))),
    )
    result = watched.run("ship_tos")
    assert result.counts["added"] == 2
    assert "missed_by_feed" not in result.counts


@pytest.mark.rule("OP-5", "OP-1")
def test_feed_that_cannot_tell_what_it_missed_holds_nothing_up(watched: World) -> None:
    watched.run("ship_tos")
    watched.clock.advance(DAY)
    watched.erp.add_ship_to(a.a_ship_to(ship_to_id=ShipToId("YARD")))

    def away(*_: object) -> object:
        raise TryLater("too busy")

    watched.erp.changed_customers = away  # type: ignore[assignment, method-assign]
    assert watched.run("ship_tos").counts["added"] == 1


@pytest.mark.rule("OP-5")
def test_feed_is_not_blamed_where_everything_is_looked_at_for_another_reason(
    watched: World,
) -> None:
    watched.remap(assignments=ASSIGNMENTS[:1])
    watched.run("ship_tos")
    watched.clock.advance(DAY)
    watched.remap(assignments=ASSIGNMENTS)
    result = watched.run("ship_tos")
    assert result.counts["added"] == 1
    assert "missed_by_feed" not in result.counts


@pytest.mark.rule("OP-5")
def test_feed_is_not_blamed_for_what_the_store_lost_with_an_account(watched: World) -> None:
    watched.run("ship_tos")
    watched.clock.advance(DAY)
    watched.store.apply_ship_tos([], [(HARBOUR, DOCK)])
    look_at_everything(watched.context(), [Feed.SHIP_TOS])
    result = watched.run("ship_tos")
    assert result.counts["added"] == 1
    assert "missed_by_feed" not in result.counts


@pytest.mark.rule("MI-1", "OP-4")
def test_change_of_the_mapping_makes_the_next_run_look_at_everything(watched: World) -> None:
    watched.remap(assignments=ASSIGNMENTS[:1])
    watched.run("ship_tos")
    watched.clock.advance(HOUR)
    asked(watched)
    watched.remap(assignments=ASSIGNMENTS)
    result = watched.run("ship_tos")
    assert asked(watched) == {HARBOUR, MILL}
    assert result.counts["added"] == 1


@pytest.mark.rule("MI-1", "OP-4")
def test_mapping_that_goes_back_to_what_it_was_shows_again_what_it_showed(watched: World) -> None:
    for _ in range(2):
        for assignments in (ASSIGNMENTS, ASSIGNMENTS[1:]):
            watched.remap(assignments=assignments)
            watched.clock.advance(600)
            watched.cycle()
            shown = set(watched.store.shown_ship_tos([HARBOUR]))
            assert shown == ({(HARBOUR, DOCK)} if len(assignments) == 2 else set())


@pytest.mark.rule("MI-1", "OP-1", "OP-4")
@pytest.mark.parametrize("flow", FLOWS)
def test_mapping_that_goes_back_after_a_run_that_broke_off_shows_everything_again(
    make_world: MakeWorld, flow: str
) -> None:
    world = make_world()
    world.clock.advance(HOUR)
    for each in FLOWS:
        world.run(each)
    before = world.shown()
    world.clock.advance(600)
    # While nobody is mapped to Harbour, a run withdraws it and then breaks off.
    world.remap(assignments=ASSIGNMENTS[1:])
    world.script = Script()
    world.script.crash_after(
        {
            "accounts": "store.withdraw_account",
            "ship_tos": "store.apply_ship_tos",
            "invoices": "store.apply_invoices",
        }[flow]
    )
    with pytest.raises(Crash):
        world.run(flow)
    world.new_process()
    world.script = None
    world.remap(assignments=ASSIGNMENTS)
    world.clock.advance(600)
    for each in FLOWS:
        world.run(each)
    assert world.shown() == before


@pytest.mark.rule("OP-1")
def test_watermark_does_not_pass_what_the_store_refused(watched: World) -> None:
    watched.run("ship_tos")
    held = mark(watched)
    watched.store.refuse_record("YARD")
    watched.clock.advance(HOUR)
    watched.erp.add_ship_to(a.a_ship_to(ship_to_id=ShipToId("YARD")))
    for _ in range(3):
        assert watched.run("ship_tos").counts["refused_by_store"] == 1
        watched.clock.advance(HOUR)
    assert mark(watched) == held

    watched.store.accept_record("YARD")
    assert watched.run("ship_tos").counts["added"] == 1
    assert mark(watched) != held


@pytest.mark.rule("OP-1")
def test_watermark_does_not_pass_what_a_broken_run_left_behind(make_world: MakeWorld) -> None:
    world = make_world()
    world.run("invoices")
    held = mark(world, Feed.INVOICES)
    world.clock.advance(HOUR)
    world.erp.add_invoice(a.an_invoice(number=InvoiceNumber("INV-5009")))
    world.script = Script()
    for attempt in range(1, 9):
        world.script.lost_request("store.apply_invoices", at=attempt)
    assert world.run("invoices").outcome == "try_later"
    assert mark(world, Feed.INVOICES) == held

    world.script = None
    world.clock.advance(HOUR)
    assert world.run("invoices").counts["added"] == 1


@pytest.mark.rule("OP-1", "OP-2")
def test_cancelled_run_moves_no_watermark(watched: World) -> None:
    watched.progress = lambda step, done, total: True
    assert watched.run("ship_tos").outcome == "cancelled"
    assert mark(watched) is None
    watched.progress = lambda step, done, total: False
    watched.run("ship_tos")
    assert len(watched.store.shown_ship_tos([HARBOUR, MILL])) == 2


@pytest.mark.rule("OP-1", "OP-2")
def test_run_that_is_cancelled_between_two_writes_moves_no_watermark(make_world: MakeWorld) -> None:
    clock = ManualClock()
    store = MemoryStore(capabilities=StoreCapabilities("memory", batch=1), clock=clock)
    fill_store(store)
    world = make_world(clock=clock, store=store)
    world.progress = lambda step, done, total: "writing" in step
    assert world.run("ship_tos").outcome == "cancelled"
    assert store.writes == 1
    assert mark(world) is None
    world.progress = lambda step, done, total: False
    clock.advance(HOUR)
    world.run("ship_tos")
    assert len(store.shown_ship_tos([HARBOUR, MILL])) == 2


@pytest.mark.rule("OP-1")
def test_change_during_the_reading_is_seen_by_the_next_run(make_world: MakeWorld) -> None:
    world = make_world()
    world.run("ship_tos")
    world.clock.advance(HOUR)
    world.erp.add_ship_to(a.a_ship_to(address=a.an_address(lines=("Pier 9",))))
    world.script = Script()

    def somebody_types() -> None:
        world.clock.advance(60)
        world.erp.add_ship_to(a.a_ship_to(sold_to=MILL, ship_to_id=ShipToId("NEW")))

    world.script.meanwhile("erp.ship_tos_unless", somebody_types)
    world.run("ship_tos")
    world.script = None
    world.clock.advance(HOUR)
    world.run("ship_tos")
    assert (MILL, ShipToId("NEW")) in world.store.shown_ship_tos([MILL])


@pytest.mark.rule("OP-1")
def test_watermark_is_the_erps_own_clock_and_not_ours(make_world: MakeWorld) -> None:
    ours = ManualClock()
    theirs = ManualClock(ours.now() - timedelta(hours=5))
    erp = MemoryErp(theirs)
    fill_erp(erp)
    store = MemoryStore(clock=ours)
    fill_store(store)
    world = make_world(clock=ours, erp=erp, store=store)
    world.run("ship_tos")
    assert mark(world) == Watermark(theirs.now())
    ours.advance(HOUR)
    theirs.advance(HOUR)
    erp.add_ship_to(a.a_ship_to(ship_to_id=ShipToId("YARD")))
    assert world.run("ship_tos").counts["added"] == 1


@pytest.mark.rule("OP-2")
def test_person_can_ask_for_everything_between_the_daily_runs(watched: World) -> None:
    watched.run("ship_tos")
    watched.erp.remove_ship_to(HARBOUR, DOCK)
    watched.erp.mark_changed(HARBOUR, Feed.SHIP_TOS, watched.clock.now() - timedelta(days=9))
    watched.clock.advance(HOUR)
    asked(watched)
    assert watched.run("ship_tos", everything=True).counts["removed"] == 1
    assert asked(watched) == {HARBOUR, MILL}


@pytest.mark.rule("WA-8")
def test_account_that_was_a_retail_group_for_a_while_is_shown_again_afterwards(
    watched: World,
) -> None:
    watched.cycle()
    before = watched.shown()
    plain = watched.mapping.channels
    groups = (RetailGroup(RETAIL, ("EUR",)), RetailGroup(HARBOUR, ("EUR",), frozenset({"NL"})))
    watched.clock.advance(600)
    watched.remap(channels={**plain, WEB: a_channel(retail_groups=groups)})
    watched.cycle()
    assert HARBOUR not in set(watched.store.shown_customer_ids())
    watched.clock.advance(600)
    watched.remap(channels=plain)
    watched.cycle()
    assert watched.shown() == before


@pytest.mark.rule("OP-1", "MI-2")
def test_erp_that_tells_no_changes_is_compared_as_a_whole_each_time(make_world: MakeWorld) -> None:
    silent = replace(MEMORY_CAPABILITIES, change_feeds=frozenset())
    clock = ManualClock()
    erp = WatchedErp(clock, capabilities=silent)
    fill_erp(erp)
    world = make_world(clock=clock, erp=erp)
    world.run("ship_tos")
    asked(world)
    assert world.run("ship_tos").writes == 0
    assert asked(world) == {HARBOUR, MILL}


@pytest.mark.rule("MI-1")
def test_account_that_comes_back_in_the_erp_is_shown_with_everything_again(
    watched: World,
) -> None:
    watched.cycle()
    before = watched.shown()
    held = watched.erp.accounts([HARBOUR])[HARBOUR]
    watched.clock.advance(HOUR)
    # Its row is filtered out for an hour; its ship-tos and invoices stay untouched.
    hidden = WithoutHarbour(watched.clock)
    fill_erp(hidden)
    for feed in Feed:
        for customer_id in (HARBOUR, MILL):
            hidden.mark_changed(customer_id, feed, watched.clock.now() - timedelta(days=9))
    watched.erp_seen = hidden
    hidden.mark_changed(HARBOUR, Feed.ACCOUNTS, watched.clock.now())
    watched.cycle()
    assert HARBOUR not in set(watched.store.shown_customer_ids())

    watched.clock.advance(HOUR)
    watched.erp_seen = None
    watched.erp.add_account(held)
    watched.cycle()
    assert watched.shown() == before


@pytest.mark.rule("MI-1")
def test_account_whose_people_the_store_lost_is_looked_at_with_everything_of_it(
    watched: World,
) -> None:
    """A store may keep a copy of each ship-to for each of them, and shoppers come and go there."""
    watched.cycle()
    profile = watched.store.shown_accounts([HARBOUR])[HARBOUR]
    watched.clock.advance(HOUR)
    strangers = replace(profile, users=(*profile.users, WebUserId("u-stranger")))
    watched.store.put_accounts([AccountView(a.individual(HARBOUR), strangers)])
    watched.erp.mark_changed(HARBOUR, Feed.ACCOUNTS, watched.clock.now())
    asked(watched)

    watched.cycle()

    assert watched.store.shown_accounts([HARBOUR]) == {HARBOUR: profile}
    assert asked(watched) == {HARBOUR, MILL}


class WithoutHarbour(MemoryErp):
    """Its profile leaves one customer out."""

    def accounts(self, customer_ids: Collection[CustomerId]) -> Mapping[CustomerId, Account]:
        return super().accounts([each for each in customer_ids if each != HARBOUR])


@pytest.mark.rule("MI-1", "WA-8", "OP-2")
@pytest.mark.parametrize("asked_for", [{"everything": True}, {"customer": "C-1001"}])
def test_mapping_that_goes_back_after_a_run_that_a_person_asked_for_withdraws_what_that_showed(
    watched: World, asked_for: dict[str, Any]
) -> None:
    """Somebody is assigned by mistake, shown at once by a resync, and taken out again."""
    watched.run("accounts")
    before = watched.store.shown_accounts([HARBOUR])
    watched.clock.advance(HOUR)
    mapping = watched.mapping
    watched.remap(assignments=(*ASSIGNMENTS, Assignment(HARBOUR, MILL_BUYER, MILL_ORG)))
    watched.run("accounts", **asked_for)
    assert watched.store.shown_accounts([HARBOUR]) != before

    watched.mapping = mapping
    watched.run("accounts")

    assert watched.store.shown_accounts([HARBOUR]) == before
