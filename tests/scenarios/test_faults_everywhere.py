"""Every call to every system fails once, in every way, and nothing is lost or doubled.

Each flow is run once without faults to learn at which points it can be broken.
Then it is run again for each point and each kind of fault; a process that died
is followed by a new one, and after some quiet runs the world must be as if
nothing had happened. All runs of a test that are on SQLite share one state, each
as a pipeline of its own. ``tests/faults`` goes further, with more kinds of fault,
two at a time, and several workers at once.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine

from sync.domain.ids import ErpOrderNumber, InvoiceNumber, PartNumber, ShipToId, Sku
from sync.domain.pricing import PriceScope
from sync.domain.sales_order import ErpOrderState
from sync.domain.views import ImportNotice, ImportState
from sync.errors import SyncError
from sync.ports.erp import ErpCapabilities
from sync.ports.state import LedgerState, State
from sync.ports.store import StoreCapabilities
from sync.settings import MIRRORS
from sync.state import open_state
from sync.state.keys import keys_of
from sync.testing import builders as a
from sync.testing.clock import ManualClock
from sync.testing.erp import MEMORY_CAPABILITIES, MemoryErp
from sync.testing.faults import Crash, Fault, Script
from sync.testing.store import MemoryStore
from sync.testing.together import BatchStore, GroupingErp
from tests.faults.memory_state import MemoryState
from tests.scenarios.world import (
    HARBOUR,
    MILL,
    MakeWorld,
    World,
    fill_erp,
    fill_store,
    guest_order,
    harbour_order,
    mill_order,
    order_id,
)

SINGLE = [Fault.LOST_REQUEST, Fault.LOST_REPLY, Fault.CRASH_BEFORE, Fault.CRASH_AFTER]
ORDERS = (1, 2, 3)
REFUSED = 4
NUT = Sku("NUT-M8")
LATER = 400.0  # longer than a lease, and than an unknown outcome rests

each_fault = pytest.mark.parametrize("fault", SINGLE, ids=lambda fault: str(fault.value))


@pytest.fixture(scope="module")
def shared_state() -> Iterator[Engine]:
    engine = open_state("sqlite://")
    yield engine
    engine.dispose()


_names = itertools.count(1)
_turns = itertools.count(1)


@pytest.fixture
def fresh_world(make_world: MakeWorld, shared_state: Engine) -> Callable[..., World]:
    """Makes a world with three orders waiting and a script that fails nothing yet."""

    def make(
        capabilities: ErpCapabilities = MEMORY_CAPABILITIES,
        batch: int = 500,
        together: bool = False,
    ) -> World:
        name = f"run-{next(_names)}"
        clock = ManualClock()
        # With one record a call, a run can break off between any two of them.
        limits = StoreCapabilities("memory", batch=batch)
        store = (BatchStore if together else MemoryStore)(capabilities=limits, clock=clock)
        fill_store(store)
        erp = GroupingErp(clock) if together else MemoryErp(clock, capabilities)
        fill_erp(erp)
        world = make_world(
            engine=shared_state,
            pipeline=name,
            clock=clock,
            store=store,
            erp=erp,
            kept=kept_for(store, erp.capabilities, clock),
        )
        for number, place in zip(ORDERS, (harbour_order, guest_order, mill_order), strict=True):
            world.store.place_order(place(number))
        world.script = Script()
        return world

    return make


def kept_for(store: MemoryStore, capabilities: ErpCapabilities, clock: ManualClock) -> State | None:
    """Of two worlds one is on SQLite; the other is quicker, and comes to the same."""
    if next(_turns) % 2:
        return None
    keys = keys_of(store.store_id, capabilities.external_key_length)
    state: Any = MemoryState(store.store_id, keys, clock)
    return state  # type: ignore[no-any-return]


def script_of(world: World) -> Script:
    assert world.script is not None
    return world.script


def points(world: World) -> list[tuple[str, int]]:
    """Where the run just made can be broken."""
    # Calling transaction() does nothing yet; its two ends are points of their own.
    return [each for each in script_of(world).points if each[0] != "state.transaction"]


def run_and_recover(world: World, flow: str) -> None:
    """The run with the fault, then as many quiet ones as any wait needs."""
    for _ in range(3):
        try:
            world.run(flow)
        except Crash:
            world.new_process()
        except SyncError:
            pass  # the state itself was away: the daemon starts the flow again later
        world.clock.advance(LATER)


# Orders.


@pytest.mark.rule("OI-1", "OI-2", "OP-1")
@each_fault
def test_each_order_is_in_the_erp_once_whatever_fails(
    fresh_world: Callable[..., World], fault: Fault
) -> None:
    rehearsal = fresh_world()
    rehearsal.import_orders()
    found = points(rehearsal)
    assert len(found) > 50
    for point, number in found:
        world = fresh_world()
        script_of(world).fail(point, fault, at=number)
        run_and_recover(world, "orders")

        where = f"{fault.value} at {point} {number}"
        assert not script_of(world).unused, where
        assert [len(world.in_erp(each)) for each in ORDERS] == [1, 1, 1], where
        assert world.erp.submitted == 3, where
        assert [world.state_of(each) for each in ORDERS] == [LedgerState.ACKNOWLEDGED] * 3, where
        for each in ORDERS:
            (row,) = world.in_erp(each)
            notice = world.store.notice(order_id(each))
            assert notice == ImportNotice(ImportState.PROCESSED, row.number), where


@pytest.mark.rule("OI-1", "OI-2", "OP-1")
@each_fault
def test_each_order_of_a_group_is_in_the_erp_once_whatever_fails(
    fresh_world: Callable[..., World], fault: Fault
) -> None:
    rehearsal = fresh_world(together=True)
    rehearsal.import_orders()
    assert in_groups(rehearsal) == 1
    found = points(rehearsal)
    assert {"erp.find_orders", "erp.submit_orders", "store.orders_now"} <= {p for p, _ in found}
    for point, number in found:
        world = fresh_world(together=True)
        script_of(world).fail(point, fault, at=number)
        run_and_recover(world, "orders")

        where = f"{fault.value} at {point} {number}"
        assert not script_of(world).unused, where
        assert [len(world.in_erp(each)) for each in ORDERS] == [1, 1, 1], where
        assert world.erp.submitted == 3, where
        assert_shown_as_imported(world, ORDERS, where)


@pytest.mark.rule("OI-1", "OI-2", "OP-1")
@each_fault
def test_refused_order_of_a_group_harms_no_other_whatever_fails(
    fresh_world: Callable[..., World], fault: Fault
) -> None:
    def prepared() -> World:
        world = fresh_world(together=True)
        world.erp.add_item(a.an_item(sku=NUT))
        world.erp.set_price(a.a_price("9.9900", scope=PriceScope.account(HARBOUR), sku=NUT))
        world.erp.refuse_item(NUT)
        world.store.place_order(harbour_order(REFUSED, lines=(a.a_line(sku=NUT),)))
        return world

    rehearsal = prepared()
    rehearsal.import_orders()
    assert rehearsal.codes(REFUSED) == {"erp_refused"}
    for point, number in points(rehearsal):
        world = prepared()
        script_of(world).fail(point, fault, at=number)
        run_and_recover(world, "orders")

        where = f"{fault.value} at {point} {number}"
        assert not script_of(world).unused, where
        assert [len(world.in_erp(each)) for each in (*ORDERS, REFUSED)] == [1, 1, 1, 0], where
        assert world.codes(REFUSED) == {"erp_refused"}, where
        notice = world.store.notice(order_id(REFUSED))
        assert notice is not None, where
        assert notice.state is ImportState.ABORTED, where
        assert_shown_as_imported(world, ORDERS, where)

        world.erp.accept_item(NUT)
        world.script = None
        assert world.replay(REFUSED), where
        world.import_orders()
        assert_shown_as_imported(world, (*ORDERS, REFUSED), where)


def in_groups(world: World) -> int:
    assert isinstance(world.erp, GroupingErp)
    return world.erp.groups


def assert_shown_as_imported(world: World, orders: tuple[int, ...], where: str) -> None:
    for each in orders:
        assert world.state_of(each) is LedgerState.ACKNOWLEDGED, where
        (row,) = world.in_erp(each)
        notice = world.store.notice(order_id(each))
        assert notice == ImportNotice(ImportState.PROCESSED, row.number), where


@pytest.mark.rule("OI-1", "OI-2", "OP-1")
@each_fault
def test_erp_that_would_take_an_order_twice_gets_none_twice_and_a_person_sees_the_rest(
    fresh_world: Callable[..., World], fault: Fault
) -> None:
    careless = replace(MEMORY_CAPABILITIES, unique_external_key=False)
    rehearsal = fresh_world(careless)
    rehearsal.import_orders()
    crucial = ("erp.find_order", "erp.submit_order", "store.order", "state.transaction.exit")
    for point, number in points(rehearsal):
        if point not in crucial:
            continue
        world = fresh_world(careless)
        script_of(world).fail(point, fault, at=number)
        run_and_recover(world, "orders")

        where = f"{fault.value} at {point} {number}"
        for each in ORDERS:
            written, state = len(world.in_erp(each)), world.state_of(each)
            expected = (1, LedgerState.ACKNOWLEDGED), (0, LedgerState.REVIEW)
            assert (written, state) in expected, where
        assert sum(len(world.in_erp(each)) for each in ORDERS) >= 2, where


@pytest.mark.rule("OI-1", "OI-5", "OP-1")
@each_fault
def test_store_that_repeats_itself_after_any_fault_makes_no_second_order(
    fresh_world: Callable[..., World], fault: Fault
) -> None:
    """The second run is the broken one: everything was imported before."""
    rehearsal = fresh_world()
    rehearsal.import_orders()
    first = len(script_of(rehearsal).points)
    rehearsal.edit(2, notes="changed")
    rehearsal.import_orders()
    later = [each for each in script_of(rehearsal).points[first:] if each in points(rehearsal)]
    for point, number in later:
        world = fresh_world()
        script_of(world).fail(point, fault, at=number)
        world.import_orders()
        world.edit(2, notes="changed")
        run_and_recover(world, "orders")

        where = f"{fault.value} at {point} {number}"
        assert [len(world.in_erp(each)) for each in ORDERS] == [1, 1, 1], where
        assert world.state_of(2) is LedgerState.REVIEW, where


@pytest.mark.rule("OI-3", "OP-1")
@each_fault
def test_erp_status_is_shown_at_each_order_whatever_fails(
    fresh_world: Callable[..., World], fault: Fault
) -> None:
    def prepared() -> World:
        world = fresh_world()
        script, world.script = world.script, None
        world.import_orders()
        for each in ORDERS:
            status = a.an_order_status(number=world.in_erp(each)[0].number)
            world.erp.set_order_status(world.entry(each).key, status)
        world.script = script
        return world

    rehearsal = prepared()
    rehearsal.run("order_status")
    for point, number in points(rehearsal):
        world = prepared()
        script_of(world).fail(point, fault, at=number)
        run_and_recover(world, "order_status")

        where = f"{fault.value} at {point} {number}"
        assert not script_of(world).unused, where
        shown = world.store.shown_order_statuses([order_id(each) for each in ORDERS])
        assert len(shown) == 3, where
        assert {entry.state for entry in shown.values()} == {a.an_order_status().state}, where
        world.script = None
        assert world.run("order_status").writes == 0, where


# Mirrors.


def news(world: World) -> None:
    """Of each kind of record one that is new, one that changed and one that is gone."""
    world.clock.advance(3600)
    world.erp.change_account(HARBOUR, terms="NET60")
    world.erp.add_ship_to(a.a_ship_to(ship_to_id=ShipToId("YARD")))
    world.erp.add_ship_to(a.a_ship_to(address=a.an_address(lines=("Pier 9",))))
    world.erp.remove_bill_to(HARBOUR, a.BILL_TO)
    world.erp.add_invoice(a.an_invoice(number=InvoiceNumber("INV-5002")))
    world.erp.add_invoice(a.an_invoice(open_amount=a.money("0.00"), dues=()))
    world.erp.remove_invoice(MILL, InvoiceNumber("INV-6001"))
    world.erp.set_balance(a.a_balance("60.50"))
    world.erp.remove_balance(MILL, "EUR")
    world.erp.add_customer_part(a.a_customer_part(part_number=PartNumber("HH-0043")))
    world.erp.add_customer_part(a.a_customer_part(description="Hull bolt"))
    world.erp.remove_customer_part(a.a_customer_part(sold_to=MILL).key)
    world.erp.set_availability(a.an_availability("0"))
    world.erp.set_availability(a.an_availability(warehouse="W3"))
    world.erp.remove_availability(a.an_availability(warehouse="W2").key)
    world.erp.set_account_order(a.an_account_order("9004"))
    world.erp.set_account_order(a.an_account_order(state=ErpOrderState.SHIPPED))
    world.erp.remove_account_order(ErpOrderNumber("9002"))
    world.erp.set_price(a.a_price("10.4900"))
    world.erp.set_price(a.a_price("9.4900", min_quantity=Decimal(100)))
    world.erp.remove_price(a.a_price_key(scope=PriceScope.account(MILL)))


@pytest.mark.rule("MI-1", "MI-2", "OP-1")
@pytest.mark.parametrize("flow", MIRRORS)
@pytest.mark.parametrize("first", [True, False], ids=["into an empty store", "with news"])
@each_fault
def test_store_shows_what_the_erp_says_whatever_fails(
    fresh_world: Callable[..., World], flow: str, first: bool, fault: Fault
) -> None:
    def prepared() -> World:
        world = fresh_world(batch=1)
        if not first:
            script, world.script = world.script, None
            world.run(flow)
            news(world)
            world.script = script
        return world

    rehearsal = prepared()
    rehearsal.run(flow)
    expected = rehearsal.shown()
    for point, number in points(rehearsal):
        world = prepared()
        script_of(world).fail(point, fault, at=number)
        run_and_recover(world, flow)

        where = f"{fault.value} at {point} {number}"
        assert not script_of(world).unused, where
        assert world.shown() == expected, where
        world.script = None
        writes = world.store.writes
        assert world.run(flow).outcome == "ok", where
        assert world.store.writes == writes, where
