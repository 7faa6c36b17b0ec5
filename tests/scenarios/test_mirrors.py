"""What the store shows of accounts, ship-tos and invoices follows the ERP."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sync.domain.account import AccountStatus, CreditStatus
from sync.domain.ids import CustomerId, InvoiceNumber, LocationId, ShipToId, WebUserId
from sync.domain.mapping import Assignment
from sync.domain.order import Membership, OrderState, Role, WebOrder
from sync.domain.views import AccountProfile, Exceptional
from sync.flows.context import FlowResult
from sync.flows.cycle import FLOWS
from sync.testing import builders as a
from sync.testing.faults import Script
from sync.testing.store import MemoryStore
from tests.scenarios.world import (
    ASSIGNMENTS,
    DOCK,
    GATE,
    HARBOUR,
    HARBOUR_BUYER,
    HARBOUR_ORG,
    MILL,
    MILL_BUYER,
    MILL_ORG,
    RETAIL,
    MakeWorld,
    World,
    harbour_order,
    mill_order,
)

MIRRORS = (
    *("accounts", "ship_tos", "prices", "invoices", "balances", "customer_parts"),
    *("entitlements", "availability", "documents", "account_orders"),
)


def mirror(world: World) -> list[FlowResult]:
    return [world.run(flow) for flow in MIRRORS]


def profile_of(world: World, customer_id: CustomerId = HARBOUR) -> AccountProfile:
    return world.store.shown_accounts([customer_id])[customer_id]


@pytest.mark.rule("MI-1", "TL-3")
def test_account_is_shown_with_what_its_buyers_need_to_know(world: World) -> None:
    world.erp.change_account(HARBOUR, tax_exempt=True, credit=CreditStatus.HOLD)
    world.erp.add_location(a.a_location())
    world.run("accounts")

    shown = profile_of(world)
    assert (shown.name, shown.terms, shown.currencies) == ("Harbour Hardware", "NET30", ("EUR",))
    assert (shown.tax_exempt, shown.credit) == (True, CreditStatus.HOLD)
    assert shown.status is AccountStatus.ACTIVE
    assert shown.price_groups == ("GOLD",)
    assert [each.location_id for each in shown.locations] == [LocationId("SITE-1")]
    assert (shown.organisations, shown.users) == ((HARBOUR_ORG,), ())


@pytest.mark.rule("MI-1", "WA-2")
def test_account_is_shown_to_whom_files_or_the_stores_staff_assigned_it(world: World) -> None:
    exception = Assignment(MILL, user=HARBOUR_BUYER, organisation=HARBOUR_ORG)
    world.remap(assignments=(*ASSIGNMENTS, exception, Assignment(HARBOUR, user=WebUserId("u-1"))))
    world.store.add_user(a.a_web_user(web_user=WebUserId("u-2"), staff_customer_id=HARBOUR.value))
    world.run("accounts")

    assert profile_of(world).users == (WebUserId("u-1"), WebUserId("u-2"))
    assert profile_of(world, MILL).exceptions == (Exceptional(HARBOUR_ORG, HARBOUR_BUYER),)


@pytest.mark.rule("MI-1")
def test_ship_tos_and_bill_tos_are_added_changed_and_withdrawn(world: World) -> None:
    mirror(world)
    moved = a.a_ship_to(address=a.an_address(lines=("Pier 9",)))
    world.erp.add_ship_to(moved)
    world.erp.add_ship_to(a.a_ship_to(ship_to_id=ShipToId("YARD")))
    world.erp.remove_ship_to(MILL, GATE)
    world.erp.remove_bill_to(HARBOUR, a.BILL_TO)
    world.clock.advance(3600)
    result = world.run("ship_tos")

    shown = world.store.shown_ship_tos([HARBOUR, MILL])
    assert set(shown) == {(HARBOUR, DOCK), (HARBOUR, ShipToId("YARD"))}
    assert shown[HARBOUR, DOCK] == moved
    assert dict(world.store.shown_bill_tos([HARBOUR])) == {}
    assert (result.counts["added"], result.counts["changed"], result.counts["removed"]) == (1, 1, 2)


@pytest.mark.rule("MI-1", "MI-6")
def test_invoices_are_added_changed_and_withdrawn(world: World) -> None:
    mirror(world)
    paid = a.an_invoice(open_amount=a.money("0.00"), dues=())
    world.erp.add_invoice(paid)
    world.erp.add_invoice(a.an_invoice(number=InvoiceNumber("INV-5002")))
    world.erp.remove_invoice(MILL, InvoiceNumber("INV-6001"))
    world.clock.advance(3600)
    result = world.run("invoices")

    shown = world.store.shown_invoices([HARBOUR, MILL])
    assert {number.value for _, number in shown} == {"INV-5001", "INV-5002"}
    assert shown[HARBOUR, paid.number] == paid
    assert (result.counts["added"], result.counts["changed"], result.counts["removed"]) == (1, 1, 1)


@pytest.mark.rule("WA-8")
def test_invoices_of_the_whole_account_are_shown_whoever_ordered(world: World) -> None:
    by_phone = a.an_invoice(number=InvoiceNumber("INV-5003"), web_reference=None)
    world.erp.add_invoice(by_phone)
    world.run("invoices")
    assert world.store.shown_invoices([HARBOUR])[HARBOUR, by_phone.number] == by_phone


@pytest.mark.rule("MI-2")
def test_second_run_writes_nothing(world: World) -> None:
    mirror(world)
    before = world.store.writes
    for _ in range(2):
        world.clock.advance(7200)
        again = mirror(world)
        assert [(result.outcome, result.writes) for result in again] == [("ok", 0)] * len(MIRRORS)
    world.clock.advance(2 * 86400)
    assert [result.writes for result in mirror(world)] == [0] * len(MIRRORS)
    assert world.store.writes == before


@pytest.mark.rule("MI-2")
def test_only_what_differs_is_written(world: World) -> None:
    mirror(world)
    before = world.store.writes
    world.erp.add_ship_to(a.a_ship_to(address=a.an_address(lines=("Pier 9",))))
    world.clock.advance(3600)
    mirror(world)
    assert world.store.writes == before + 1


@pytest.mark.rule("MI-1")
def test_what_the_stores_users_own_is_not_touched(world: World) -> None:
    own = a.an_address(name="Ada at home")
    world.store.add_own_address(HARBOUR_BUYER, own)
    mirror(world)
    world.remap(assignments=())
    world.erp.remove_account(HARBOUR)
    mirror(world)
    assert world.store.own_addresses(HARBOUR_BUYER) == (own,)


@pytest.mark.rule("MI-1")
def test_account_that_nobody_is_mapped_to_any_more_is_withdrawn_with_everything(
    world: World,
) -> None:
    mirror(world)
    world.remap(assignments=ASSIGNMENTS[1:])
    mirror(world)

    assert list(world.store.shown_customer_ids()) == [MILL]
    shown = world.shown()
    assert {owner for owner, _ in shown["ship_tos"]} == {MILL}
    assert {owner for owner, _ in shown["invoices"]} == {MILL}
    assert a.account_audience(HARBOUR) not in {key.audience for key in shown["prices"]}


@pytest.mark.rule("MI-1")
def test_account_that_is_gone_from_the_erp_is_withdrawn(world: World) -> None:
    mirror(world)
    world.erp.remove_account(HARBOUR)
    world.clock.advance(3600)
    result = world.run("accounts")

    assert list(world.store.shown_customer_ids()) == [MILL]
    assert result.counts["not_in_erp"] == 1
    [told] = result.remarks
    assert told.startswith(f"The ERP has no customer {HARBOUR}: ")
    assert "tradesync check mappings" in told


@pytest.mark.rule("MI-1", "VE-3")
def test_status_of_an_account_that_the_erp_suspends_is_shown(world: World) -> None:
    mirror(world)
    world.erp.change_account(HARBOUR, status=AccountStatus.SUSPENDED)
    world.clock.advance(3600)
    world.run("accounts")
    assert profile_of(world).status is AccountStatus.SUSPENDED


@pytest.mark.rule("OP-1", "MI-1")
def test_record_that_the_store_refuses_does_not_keep_the_others_out(world: World) -> None:
    world.store.refuse_record(DOCK.value)
    for flow in MIRRORS:
        result = world.run(flow)
        if flow == "ship_tos":
            assert result.counts["refused_by_store"] == 1
            assert any(DOCK.value in remark for remark in result.remarks)
    assert set(world.store.shown_ship_tos([HARBOUR, MILL])) == {(MILL, GATE)}
    assert set(world.store.shown_bill_tos([HARBOUR])) == {(HARBOUR, a.BILL_TO)}

    world.store.accept_record(DOCK.value)
    world.clock.advance(3600)
    world.run("ship_tos")
    assert (HARBOUR, DOCK) in world.store.shown_ship_tos([HARBOUR])


@pytest.mark.rule("WA-9")
def test_mirrors_assign_no_order_to_anybody_else(world: World) -> None:
    world.store.place_order(harbour_order(1))
    world.store.place_order(mill_order(2))
    world.cycle()
    before = {row.order.web_order: row.order.web_user for row in world.erp.orders}
    # Both organisations now act for one account, and one user for both.
    merged = Assignment(HARBOUR, organisation=MILL_ORG, origin="customers.csv:3")
    world.remap(assignments=(ASSIGNMENTS[0], merged))
    both = (Membership(HARBOUR_ORG, Role.MANAGE), Membership(MILL_ORG, Role.MANAGE))
    world.store.add_user(a.a_web_user(memberships=both))
    world.cycle()

    for number, user in ((1, HARBOUR_BUYER), (2, MILL_BUYER)):
        kept = world.store.order(world.entry(number).order_id)
        assert isinstance(kept, WebOrder)
        assert kept.buyer.web_user == user
    assert {row.order.web_order: row.order.web_user for row in world.erp.orders} == before
    assert profile_of(world).organisations == (HARBOUR_ORG, MILL_ORG)


# Scopes and rehearsals.


@pytest.mark.rule("OP-2")
@pytest.mark.parametrize("flow", MIRRORS)
def test_run_for_one_customer_touches_no_other(world: World, flow: str) -> None:
    world.run(flow, customer=HARBOUR.value)

    shown = world.shown()
    owners = set(shown["accounts"]) | {key[0] for key in shown["ship_tos"]}
    kinds = ("bill_tos", "invoices", "balances", "customer_parts", "documents", "account_orders")
    for kind in kinds:
        owners |= {key[0] for key in shown[kind]}
    owners |= {CustomerId(key.audience.key) for key in (*shown["prices"], *shown["stock"])}
    kept = (audience for each in shown["entitlements"].values() for audience in each.audiences)
    owners |= {CustomerId(each.key) for each in kept}
    assert owners == {HARBOUR}


@pytest.mark.rule("OP-2", "MI-3")
@pytest.mark.parametrize("flow", MIRRORS)
def test_run_for_one_customer_takes_nothing_from_the_others(world: World, flow: str) -> None:
    mirror(world)
    before = world.shown()
    result = world.run(flow, customer="NOBODY")
    assert (result.outcome, result.writes) == ("failed", 0)
    assert world.shown() == before


@pytest.mark.rule("OP-2")
def test_run_for_one_customer_moves_no_watermark(world: World) -> None:
    mirror(world)
    with world.state.transaction() as state:
        before = state.watermarks.get("ship_tos")
    world.clock.advance(3600)
    world.run("ship_tos", customer=HARBOUR.value)
    with world.state.transaction() as state:
        assert state.watermarks.get("ship_tos") == before


@pytest.mark.rule("OP-2")
@pytest.mark.parametrize("flow", [*MIRRORS, "orders", "order_status"])
def test_rehearsal_writes_nothing_anywhere_and_tells_what_would_change(
    world: World, flow: str
) -> None:
    world.store.place_order(harbour_order(1))
    world.store.place_order(mill_order(2, total=a.money("1.00")))
    if flow == "order_status":
        world.import_orders()
        world.erp.set_order_status(world.entry(1).key, a.an_order_status())
    state, writes, notices = world.dump(), world.store.writes, world.store.notices_shown
    orders, shown = list(world.erp.orders), world.shown()

    result = world.run(flow, dry_run=True)

    assert world.dump() == state
    assert (world.store.writes, world.store.notices_shown) == (writes, notices)
    assert (list(world.erp.orders), world.shown()) == (orders, shown)
    assert result.samples
    assert any(name.startswith("would_") for name in result.counts)
    assert result.writes == 0


@pytest.mark.rule("OP-2")
def test_rehearsal_and_run_agree(world: World) -> None:
    for flow in MIRRORS:
        told = world.run(flow, dry_run=True).counts
        done = world.run(flow).counts
        assert told.get("would_add", 0) == done.get("added", 0) > 0


@pytest.mark.rule("OP-2")
def test_rehearsal_of_an_order_says_where_it_would_go_and_why_not(world: World) -> None:
    world.store.place_order(harbour_order(1))
    world.store.place_order(mill_order(2, total=a.money("1.00")))
    result = world.run("orders", dry_run=True)
    assert result.counts == {"would_be_admitted": 1, "would_be_quarantined": 1}
    first, second = result.samples
    assert first.startswith(f"W-1: import into {HARBOUR} by ")
    assert second.startswith("W-2: quarantine: ")


@pytest.mark.rule("OP-2")
def test_rehearsal_tells_what_would_change_and_only_counts_the_rest(world: World) -> None:
    world.store.place_order(harbour_order(1))
    world.store.place_order(mill_order(2, total=a.money("1.00")))
    world.store.place_order(harbour_order(3, state=OrderState.HELD))
    world.import_orders()
    result = world.run("orders", dry_run=True)
    assert result.counts == {
        "already_acknowledged": 1,
        "already_quarantined": 1,
        "already_waiting": 1,
    }
    assert result.samples == []

    world.edit(2, total=mill_order(2).total)
    world.edit(3, state=OrderState.AWAITING_FULFILMENT)
    result = world.run("orders", dry_run=True)
    assert result.counts == {"already_acknowledged": 1, "would_be_admitted": 2}
    assert [each.partition(":")[0] for each in result.samples] == ["W-2", "W-3"]
    told = world.import_orders()
    assert told.counts["imported"] == 2


@pytest.mark.rule("OP-2")
def test_single_order_can_be_resynced_by_its_id_and_by_its_number(world: World) -> None:
    world.store.place_order(harbour_order(1))
    world.store.place_order(mill_order(2))
    world.run("orders", order="order-2")
    assert [row.order.sold_to for row in world.erp.orders] == [MILL]

    world.erp.set_order_status(world.entry(2).key, a.an_order_status())
    result = world.run("order_status", order="W-2")
    assert result.counts["status_shown"] == 1


@pytest.mark.rule("OP-2")
def test_single_order_is_found_behind_however_many_others(world: World) -> None:
    world.limits = replace(world.limits, orders=replace(world.limits.orders, batch=2))
    for number in range(1, 8):
        world.store.place_order(mill_order(number))
    with world.state.transaction() as state:
        for number in range(1, 8):
            state.ledger.discover(mill_order(number), world.clock.now())
    world.run("orders", order="order-7")
    assert [row.order.web_number.value for row in world.erp.orders] == ["W-7"]


@pytest.mark.rule("OP-2")
def test_cancelled_run_stops_where_it_is_and_the_next_one_goes_on(world: World) -> None:
    for number in range(1, 6):
        world.store.place_order(mill_order(number))
    world.progress = lambda step, done, total: "importing" in step and done >= 2
    result = world.import_orders()
    assert result.outcome == "cancelled"
    assert len(world.erp.orders) == 2

    world.progress = lambda step, done, total: False
    world.import_orders()
    assert [row.order.web_number.value for row in world.erp.orders] == [
        f"W-{number}" for number in range(1, 6)
    ]


@pytest.mark.rule("OP-2", "OP-6")
def test_each_run_is_recorded_with_its_counts(world: World) -> None:
    mirror(world)
    with world.state.transaction() as state:
        runs = {run.flow: run for run in state.runs.last()}
    assert set(runs) == set(MIRRORS)
    assert runs["accounts"].outcome == "ok"
    assert runs["accounts"].counts == {"added": 2}


@pytest.mark.rule("OP-6")
def test_run_that_fails_half_way_tells_what_it_had_done(make_world: MakeWorld) -> None:
    small = replace(MemoryStore().capabilities, batch=1)
    world = make_world(script=Script())
    store = MemoryStore(clock=world.clock, capabilities=small)
    world.store = store
    assert world.script is not None
    for attempt in range(2, 12):
        world.script.lost_request("store.apply_invoices", at=attempt)
    result = world.run("invoices")

    assert result.outcome == "try_later"
    assert result.counts["added"] == store.writes == 1
    with world.state.transaction() as state:
        (run,) = state.runs.last()
    assert run.counts["added"] == 1


@pytest.mark.rule("OP-8")
def test_two_pipelines_on_one_state_do_not_see_each_others_rows(make_world: MakeWorld) -> None:
    one = make_world(pipeline="north")
    other = make_world(pipeline="south", engine=one.engine)
    one.store.place_order(harbour_order(1))
    other.store.place_order(mill_order(1))
    other.store.place_order(mill_order(2, total=a.money("1.00")))
    one.cycle()
    other.cycle()

    assert [row.order.sold_to for row in one.erp.orders] == [HARBOUR]
    assert [row.order.sold_to for row in other.erp.orders] == [MILL]
    with one.state.transaction() as state:
        assert sum(state.ledger.counts().values()) == 1
        assert len(state.runs.last()) == len(FLOWS)
        one_mark = state.watermarks.get("orders")
    with other.state.transaction() as state:
        assert sum(state.ledger.counts().values()) == 2
        assert state.watermarks.get("orders") != one_mark
    assert one.entry(1).order != other.entry(1).order
    assert not one.replay(2)
    assert other.replay(2)


@pytest.mark.rule("WA-8", "WA-3a")
def test_group_account_collects_nothing_in_the_store(world: World) -> None:
    world.cycle()
    assert RETAIL not in set(world.store.shown_customer_ids())
