"""Accounts of which neither side has changed are not compared, and nothing false is believed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from sync.domain.account import BillTo, ShipTo
from sync.domain.channel import RetailGroup
from sync.domain.ids import BillToId, CustomerId, InvoiceNumber, ShipToId, WebUserId
from sync.domain.invoice import Invoice
from sync.domain.mapping import Assignment
from sync.domain.views import AccountView, InvoiceView, ShipToView
from sync.errors import Rejected, TryLater
from sync.ports.erp import Feed, UnreadableRecord
from sync.ports.store import StoreCapabilities
from sync.testing import builders as a
from sync.testing.clock import ManualClock
from sync.testing.erp import MEMORY_CAPABILITIES, MemoryErp
from sync.testing.faults import Crash, Script
from sync.testing.store import MemoryStore
from tests.scenarios.test_balances import without
from tests.scenarios.world import (
    ASSIGNMENTS,
    DOCK,
    GATE,
    HARBOUR,
    MILL,
    RETAIL,
    WEB,
    MakeWorld,
    World,
    a_channel,
    fill_erp,
    fill_store,
)

DAY, HALF_AN_HOUR = 86400.0, 1800.0
BILL = InvoiceNumber("INV-5001")
THEIRS = InvoiceNumber("INV-M")
FLOWS = ("ship_tos", "invoices")
BOTH = pytest.mark.parametrize("flow", FLOWS)


class AskedStore(MemoryStore):
    """It notes for whom it was asked what it shows. ``away``: invoices are not taken;
    ``refused``: this one is not."""

    def __init__(self, clock: ManualClock, **given: Any) -> None:
        super().__init__(
            capabilities=StoreCapabilities(name="memory", batch=1), clock=clock, **given
        )
        self.asked: set[CustomerId] = set()
        self.away = False
        self.refused: InvoiceNumber | None = None

    def shown_ship_tos(
        self, customer_ids: Collection[CustomerId]
    ) -> Mapping[tuple[CustomerId, ShipToId], ShipTo]:
        self.asked.update(customer_ids)
        return super().shown_ship_tos(customer_ids)

    def shown_bill_tos(
        self, customer_ids: Collection[CustomerId]
    ) -> Mapping[tuple[CustomerId, BillToId], BillTo]:
        self.asked.update(customer_ids)
        return super().shown_bill_tos(customer_ids)

    def shown_invoices(
        self, customer_ids: Collection[CustomerId]
    ) -> Mapping[tuple[CustomerId, InvoiceNumber], Invoice]:
        self.asked.update(customer_ids)
        return super().shown_invoices(customer_ids)

    def apply_invoices(
        self, put: Sequence[InvoiceView], remove: Sequence[tuple[CustomerId, InvoiceNumber]]
    ) -> None:
        if self.away:
            raise TryLater("away")
        if any(view.invoice.number == self.refused for view in put):
            raise Rejected("not that one", code="no", remedy="none")
        super().apply_invoices(put, remove)


class HalfReadErp(MemoryErp):
    """``unread``: an account with some record that cannot be told."""

    unread: CustomerId | None = None
    left_out: tuple[UnreadableRecord, ...] = ()

    def invoices(self, customer_ids: Collection[CustomerId]) -> Sequence[Invoice]:
        if self.unread in customer_ids:
            self.left_out = (UnreadableRecord("records", "X", "amount", "is none", self.unread),)
        return super().invoices(customer_ids)

    def take_unreadable(self) -> Sequence[UnreadableRecord]:
        held, self.left_out = self.left_out, ()
        return held


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    """All is shown and was checked; the moments of the period of both accounts are over."""
    clock = ManualClock()
    erp = HalfReadErp(clock, replace(MEMORY_CAPABILITIES, change_feeds=frozenset()))
    fill_erp(erp)
    erp.add_invoice(a.an_invoice(sold_to=MILL, number=THEIRS))
    store = AskedStore(clock)
    fill_store(store)
    made = make_world(clock=clock, erp=erp, store=store)
    made.cycle()
    made.cycle()
    asked(made)
    return made


def asked(world: World) -> set[CustomerId]:
    """For whom the store was asked since the last time."""
    assert isinstance(world.store, AskedStore)
    held, world.store.asked = world.store.asked, set()
    return held


def spoil(world: World, flow: str) -> None:
    """Somebody else takes what Harbour Hardware has out of the store."""
    if flow == "invoices":
        world.store.apply_invoices([], [(HARBOUR, BILL)])
    else:
        world.store.apply_ship_tos([], [(HARBOUR, DOCK)])


def is_whole(world: World) -> bool:
    """Whether the store shows Harbour Hardware what it should."""
    asked_for, shown = asked(world), world.shown()
    assert isinstance(world.store, AskedStore)
    world.store.asked = asked_for
    return (HARBOUR, BILL) in shown["invoices"] and (HARBOUR, DOCK) in shown["ship_tos"]


@pytest.mark.rule("MI-2")
@BOTH
def test_store_is_not_asked_for_accounts_that_are_the_same(world: World, flow: str) -> None:
    before = world.run(flow, everything=True).counts
    asked(world)
    result = world.run(flow)
    assert asked(world) == set()
    assert (result.outcome, result.counts) == ("ok", before)


@pytest.mark.rule("MI-1", "MI-2")
def test_only_the_account_that_changed_is_compared(world: World) -> None:
    world.erp.add_invoice(a.an_invoice(open_amount=a.money("1.00")))
    world.erp.add_ship_to(a.a_ship_to(sold_to=MILL, ship_to_id=ShipToId("NEW")))
    assert world.run("invoices").counts["changed"] == 1
    assert asked(world) == {HARBOUR}
    assert world.run("ship_tos").counts["added"] == 1
    assert asked(world) == {MILL}
    for flow in FLOWS:
        assert world.run(flow).writes == 0
    assert asked(world) == set(), "what was written is remembered"


@pytest.mark.rule("MI-1")
def test_what_vanishes_in_the_erp_is_withdrawn(world: World) -> None:
    world.erp.remove_invoice(HARBOUR, BILL)
    world.erp.remove_ship_to(MILL, GATE)
    assert [world.run(flow).counts["removed"] for flow in FLOWS] == [1, 1]


@pytest.mark.rule("WA-1", "MI-1")
def test_account_that_is_none_in_the_erp_any_more_loses_its_records(world: World) -> None:
    held = dict(world.erp._accounts)
    del world.erp._accounts[HARBOUR]
    world.run("invoices")
    world.erp._accounts.update(held)
    assert (HARBOUR, BILL) not in world.shown()["invoices"]
    world.run("invoices")
    assert (HARBOUR, BILL) in world.shown()["invoices"]


@pytest.mark.rule("OP-2", "OP-5")
@BOTH
def test_who_asks_for_a_resync_is_told_what_others_changed(world: World, flow: str) -> None:
    spoil(world, flow)
    world.run(flow)
    assert not is_whole(world), "nothing says so, and its moment has not come"
    result = world.run(flow, everything=True)
    assert is_whole(world)
    assert result.counts["accounts_changed_by_others"] == 1
    assert any(f"{HARBOUR}. Somebody else changed the store" in each for each in result.remarks)


@pytest.mark.rule("OP-2", "OP-5")
@BOTH
def test_resync_of_one_customer_compares_it(world: World, flow: str) -> None:
    spoil(world, flow)
    result = world.run(flow, customer=HARBOUR.value)
    assert is_whole(world)
    assert result.counts["accounts_changed_by_others"] == 1


@pytest.mark.rule("OP-2", "OP-5")
@BOTH
def test_plan_compares_all_and_believes_nothing_new(world: World, flow: str) -> None:
    spoil(world, flow)
    planned = world.run(flow, dry_run=True)
    assert planned.counts["would_add"] == 1
    assert any("Somebody else changed the store" in each for each in planned.remarks)
    assert asked(world) == {HARBOUR, MILL}
    world.run(flow)
    assert not is_whole(world), "who only asked what would happen has changed nothing"


@pytest.mark.rule("OP-5", "MI-1")
@BOTH
def test_each_account_is_checked_once_in_a_period_and_few_at_a_time(
    world: World, flow: str
) -> None:
    spoil(world, flow)
    checked: list[CustomerId] = []
    for _ in range(48):
        world.clock.advance(HALF_AN_HOUR)
        world.run(flow)
        checked += sorted(asked(world))
    assert is_whole(world)
    assert sorted(checked) == [HARBOUR, MILL]


@pytest.mark.rule("OP-1", "OP-5")
def test_where_no_run_was_for_a_period_the_next_checks_all(world: World) -> None:
    spoil(world, "invoices")
    world.clock.advance(world.limits.full_record_check_s)
    assert world.run("invoices").counts["accounts_changed_by_others"] == 1
    assert asked(world) == {HARBOUR, MILL}


@pytest.mark.rule("OP-5")
def test_check_that_is_refused_is_made_up_for(world: World) -> None:
    spoil(world, "invoices")
    world.clock.advance(world.limits.full_record_check_s)
    assert isinstance(world.store, AskedStore)
    world.store.away = True
    assert world.run("invoices").outcome == "try_later"
    world.store.away = False
    world.run("invoices")
    assert is_whole(world)


@pytest.mark.rule("OP-5", "MI-1")
@BOTH
def test_emptied_store_is_seen_at_once(world: World, flow: str) -> None:
    for customer_id in (HARBOUR, MILL):
        world.store.withdraw_account(customer_id)
    world.run(flow)
    assert {key[0] for key in world.shown()[flow]} == {HARBOUR, MILL}
    world.cycle()
    assert is_whole(world), "what was not looked at before its account was shown again"


@pytest.mark.rule("OP-1", "MI-1")
@pytest.mark.parametrize("at", [1, 2, 3])
@pytest.mark.parametrize("moment", ["crash_before", "crash_after"])
def test_crash_leaves_nothing_believed_that_is_not_shown(
    world: World, moment: str, at: int
) -> None:
    for number in range(3):
        name = InvoiceNumber(f"NEW-{number}")
        world.erp.add_invoice(a.an_invoice(number=name))
    before = list(world.erp.invoices([HARBOUR]))
    world.script = Script()
    getattr(world.script, moment)("store.apply_invoices", at=at)
    with pytest.raises(Crash):
        world.run("invoices")
    world.new_process()
    world.script = None
    # Back to what was remembered: the store shows some of what is no more.
    for invoice in before:
        if invoice.number != BILL:
            world.erp.remove_invoice(HARBOUR, invoice.number)
    world.run("invoices")
    mine = {key for key in world.shown()["invoices"] if key[0] == HARBOUR}
    assert mine == {(HARBOUR, BILL)}


@pytest.mark.rule("OP-1", "MI-1")
@pytest.mark.parametrize("moment", ["crash_before", "crash_after"])
def test_crash_between_two_addresses_leaves_none_believed(world: World, moment: str) -> None:
    new = [ShipToId("NEW-1"), ShipToId("NEW-2")]
    for key in new:
        world.erp.add_ship_to(a.a_ship_to(ship_to_id=key))
    world.script = Script()
    getattr(world.script, moment)("store.apply_ship_tos", at=2)
    with pytest.raises(Crash):
        world.run("ship_tos")
    world.new_process()
    world.script = None
    for key in new:
        world.erp.remove_ship_to(HARBOUR, key)
    world.run("ship_tos")
    assert {key for owner, key in world.shown()["ship_tos"] if owner == HARBOUR} == {DOCK}


@pytest.mark.rule("MI-1", "OP-5")
def test_record_that_the_store_refuses_leaves_its_account_unbelieved(world: World) -> None:
    assert isinstance(world.store, AskedStore)
    world.store.refused = InvoiceNumber("NEW")
    world.erp.add_invoice(a.an_invoice(number=world.store.refused))
    for _ in range(2):
        assert world.run("invoices").counts["refused_by_store"] == 1
    world.store.refused = None
    assert world.run("invoices").counts["added"] == 1


@pytest.mark.rule("OP-5", "MI-2")
def test_record_that_is_always_refused_has_no_other_account_compared_in_every_run(
    world: World,
) -> None:
    assert isinstance(world.store, AskedStore)
    world.store.refused = InvoiceNumber("NEW")
    world.erp.add_invoice(a.an_invoice(number=world.store.refused))
    world.clock.advance(world.limits.full_record_check_s)
    world.run("invoices")
    assert asked(world) == {HARBOUR, MILL}
    world.run("invoices")
    assert asked(world) == {HARBOUR}


@pytest.mark.rule("MI-1", "OP-1")
def test_what_did_not_reach_the_store_is_tried_again(world: World) -> None:
    assert isinstance(world.store, AskedStore)
    world.store.away = True
    world.erp.add_invoice(a.an_invoice(open_amount=a.money("1.00")))
    assert world.run("invoices").outcome == "try_later"
    world.store.away = False
    assert world.run("invoices").counts["changed"] == 1


@pytest.mark.rule("WA-8", "MI-1", "OP-4")
def test_account_that_was_withdrawn_and_mapped_again_shows_all(world: World) -> None:
    world.remap(assignments=ASSIGNMENTS[1:])
    world.run("accounts")
    assert HARBOUR not in set(world.store.shown_customer_ids())
    world.remap(assignments=ASSIGNMENTS)
    world.cycle()
    assert is_whole(world)


@pytest.mark.rule("WA-8", "MI-1")
@BOTH
def test_what_is_withdrawn_while_a_run_compares_is_not_taken_for_shown(
    world: World, flow: str
) -> None:
    """The run has seen the account whole; then the mirror of accounts takes it away."""

    def withdrawn() -> None:
        world.remap(assignments=ASSIGNMENTS[1:])
        script, world.script = world.script, None
        world.run("accounts")
        world.remap(assignments=ASSIGNMENTS)
        world.run("accounts")
        world.script = script

    world.script = Script()
    world.script.meanwhile("store.shown_bill_tos" if flow == "ship_tos" else "erp.invoices_unless",
                           withdrawn)  # fmt: skip
    world.run(flow, everything=True)
    world.script = None
    for each in FLOWS:
        world.run(each)
    assert is_whole(world)


class CopyingStore(AskedStore):
    """Everybody has their own copies of addresses; whoever comes to an account has none yet."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.lacking: set[CustomerId] = set()

    def put_accounts(self, views: Sequence[AccountView]) -> None:
        owners = [view.account.customer_id for view in views]
        before = {key: held.users for key, held in self.shown_accounts(owners).items()}
        super().put_accounts(views)
        self.lacking |= {key for key, users in before.items()
                         if users != self.shown_accounts([key])[key].users}  # fmt: skip

    def apply_ship_tos(
        self, put: Sequence[ShipToView], remove: Sequence[tuple[CustomerId, ShipToId]]
    ) -> None:
        super().apply_ship_tos(put, remove)
        self.lacking -= {view.account.customer_id for view in put}

    def shown_ship_tos(
        self, customer_ids: Collection[CustomerId]
    ) -> Mapping[tuple[CustomerId, ShipToId], ShipTo]:
        held = super().shown_ship_tos(customer_ids)
        return {key: place for key, place in held.items() if key[0] not in self.lacking}


@pytest.mark.rule("MI-1", "OP-1")
def test_what_was_compared_while_a_write_of_people_failed_is_not_believed(
    make_world: MakeWorld,
) -> None:
    """The account has its new buyer, but the answer is lost: the next run has nothing to put."""
    clock = ManualClock()
    erp = MemoryErp(clock, replace(MEMORY_CAPABILITIES, change_feeds=frozenset()))
    fill_erp(erp)
    store = CopyingStore(clock)
    fill_store(store)
    newcomer = a.a_web_user(web_user=WebUserId("u-new"), memberships=())
    store.add_user(newcomer)
    world = make_world(clock=clock, erp=erp, store=store)
    world.cycle()
    world.cycle()
    world.remap(assignments=(*ASSIGNMENTS, Assignment(HARBOUR, user=newcomer.web_user)))

    def compared() -> None:
        script, world.script = world.script, None
        assert world.run("ship_tos", everything=True).writes == 0
        world.script = script

    world.script = Script()
    world.script.meanwhile("store.put_accounts", compared)
    world.script.lost_reply("store.put_accounts")
    assert world.run("accounts").outcome == "try_later"
    assert world.script.unused == ()
    world.script = None
    assert world.run("accounts").writes == 0
    assert store.lacking == {HARBOUR}
    world.run("ship_tos")
    assert store.lacking == set()


@pytest.mark.rule("WA-8")
def test_invoice_that_moved_is_withdrawn_from_who_had_it(world: World) -> None:
    world.erp.remove_invoice(HARBOUR, BILL)
    world.erp.add_invoice(a.an_invoice(sold_to=MILL, number=BILL))
    world.run("invoices")
    owners = {owner for owner, number in world.shown()["invoices"] if number == BILL}
    assert owners == {MILL}


@pytest.mark.rule("WA-8")
def test_moved_invoice_goes_although_its_former_account_is_believed(world: World) -> None:
    """The store shows the invoice where nobody had said so, such as after a backup of it."""
    view = InvoiceView(a.individual(HARBOUR), a.an_invoice(number=InvoiceNumber("GONE")))
    world.store.apply_invoices([view], [])
    world.erp.add_invoice(a.an_invoice(sold_to=MILL, number=InvoiceNumber("GONE")))
    result = world.run("invoices")
    owners = {owner for owner, number in world.shown()["invoices"] if number.value == "GONE"}
    assert owners == {MILL}
    assert result.counts["moved_away"] == 1
    asked(world)
    world.run("invoices")
    assert HARBOUR in asked(world), "somebody else wrote there: it is compared"


@pytest.mark.rule("WA-8")
def test_retail_group_keeps_nothing_and_is_whole_again_as_an_account(world: World) -> None:
    channels = world.mapping.channels
    groups = (RetailGroup(RETAIL, ("EUR",)), RetailGroup(HARBOUR, ("USD",)))
    world.remap(channels={**channels, WEB: a_channel(retail_groups=groups)})
    for flow in FLOWS:
        world.run(flow)
    assert HARBOUR not in set(world.store.shown_customer_ids())
    world.remap(channels=channels)
    world.cycle()
    assert is_whole(world)


@pytest.mark.rule("MI-3", "MI-1")
def test_account_with_a_record_that_cannot_be_read_is_compared_in_every_run(
    world: World,
) -> None:
    assert isinstance(world.erp, HalfReadErp)
    world.erp.unread = HARBOUR
    world.erp.add_invoice(a.an_invoice(number=InvoiceNumber("NEW")))
    for _ in range(3):
        world.run("invoices")
        assert asked(world) == {HARBOUR}
    world.erp.unread = None
    world.run("invoices")
    world.run("invoices")
    assert asked(world) == {HARBOUR}, "the first of the two"


@pytest.mark.rule("MI-3")
def test_guard_rails_count_what_is_not_compared(world: World) -> None:
    for number in range(40):
        world.erp.add_invoice(a.an_invoice(sold_to=MILL, number=InvoiceNumber(f"M-{number}")))
    for number in range(400):
        world.erp.add_invoice(a.an_invoice(number=InvoiceNumber(f"H-{number}")))
    world.run("invoices")
    for number in range(40):
        world.erp.remove_invoice(MILL, InvoiceNumber(f"M-{number}"))
    result = world.run("invoices")
    assert (result.outcome, result.counts["removed"]) == ("ok", 40), "a tenth of what is shown"


@pytest.mark.rule("MI-2")
def test_with_a_feed_only_touched_accounts_are_asked_of_either_side(
    make_world: MakeWorld,
) -> None:
    clock = ManualClock()
    erp = MemoryErp(clock, replace(MEMORY_CAPABILITIES, change_feeds=frozenset({Feed.INVOICES})))
    fill_erp(erp)
    store = AskedStore(clock)
    fill_store(store)
    world = make_world(clock=clock, erp=erp, store=store)
    world.cycle()
    world.cycle()
    clock.advance(HALF_AN_HOUR)
    world.run("invoices")
    asked(world)
    erp.mark_changed(HARBOUR, Feed.INVOICES, clock.now())
    assert world.run("invoices").counts["accounts_touched"] == 1
    assert asked(world) == set(), "it was touched, and is the same"


@pytest.mark.rule("MI-2")
@BOTH
def test_erp_that_tells_no_states_is_compared_as_ever(world: World, flow: str) -> None:
    world.erp_seen = without(world.erp, "invoices_unless", "ship_tos_unless")
    spoil(world, flow)
    world.run(flow)
    assert is_whole(world)
