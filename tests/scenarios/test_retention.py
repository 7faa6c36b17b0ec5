"""People are forgotten in orders that are done; the orders themselves never are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from sync.domain.address import TypedAddress
from sync.domain.order import OrderState, WebOrder
from sync.domain.sales_order import ErpOrderState
from sync.flows.orders.aftermath import NO_LONGER_KEPT
from sync.flows.upkeep import TOGETHER, reduce_payloads
from sync.ports.state import LedgerState
from sync.state.verifying import verify_state
from sync.testing import builders as a
from tests.scenarios.world import World, guest_order, harbour_order, order_id

pytestmark = pytest.mark.rule("OP-9")

DAY = 86400.0
NAME = "Greta Canary"


def an_order(number: int = 1, **changes: Any) -> WebOrder:
    typed = replace(a.a_typed_address(), name=NAME)
    return guest_order(number, ship_to=typed, notes=f"for {NAME}", **changes)


def upkeep(world: World) -> int:
    return reduce_payloads(world.state, world.clock, world.limits.orders)


def invoiced(world: World, number: int = 1) -> None:
    """The ERP is done with the order, and the store shows it."""
    key = world.entry(number).key
    status = world.erp.statuses[key]
    world.erp.set_order_status(key, replace(status, state=ErpOrderState.INVOICED))
    world.run("order_status")


@pytest.fixture
def done(world: World) -> World:
    """One order is done since 91 days."""
    world.store.place_order(an_order())
    world.import_orders()
    invoiced(world)
    assert world.state_of() is LedgerState.ACKNOWLEDGED
    world.clock.advance(91 * DAY)
    return world


def named(world: World, name: str = NAME) -> bool:
    return any(name in row for row in world.dump())


def test_after_the_retention_nobody_is_named_and_the_order_is_still_known(done: World) -> None:
    before = done.entry()
    assert named(done)
    assert upkeep(done) == 1
    assert not named(done)
    after = done.entry()
    assert (after.key, after.number, after.erp_order) == (
        before.key,
        before.number,
        before.erp_order,
    )
    assert after.decision == before.decision
    assert after.changed_at == before.changed_at
    assert upkeep(done) == 0, "once"


def test_before_that_it_is_whole(world: World) -> None:
    world.store.place_order(an_order())
    world.import_orders()
    invoiced(world)
    world.clock.advance(89 * DAY)
    assert upkeep(world) == 0
    assert named(world)


@pytest.mark.rule("OI-1", "OI-4")
def test_a_reduced_order_that_the_store_repeats_is_the_same_one(done: World) -> None:
    upkeep(done)
    for everything in (False, True):
        counts = done.run("orders", everything=everything).counts
        assert counts == {}
    assert done.state_of() is LedgerState.ACKNOWLEDGED
    assert len(done.in_erp()) == 1
    assert not named(done), "nor does its name come back"


@pytest.mark.rule("OI-1", "OI-4")
def test_a_new_version_of_this_program_takes_no_reduced_order_for_changed(done: World) -> None:
    """It may put another field into the fingerprint; the store's time of change is the same."""
    upkeep(done)
    with done.engine.begin() as connection:
        connection.execute(text("UPDATE ledger SET fingerprint = 'of an earlier version'"))
    done.run("orders", since=a.PLACED_AT)
    assert done.state_of() is LedgerState.ACKNOWLEDGED


@pytest.mark.rule("OI-4")
def test_a_reduced_order_that_changes_all_the_same_is_not_overlooked(done: World) -> None:
    upkeep(done)
    done.edit(ship_to=replace(a.a_typed_address(), name="Somebody Else"))
    done.import_orders()
    assert done.state_of() is LedgerState.REVIEW
    assert done.entry().differences == (NO_LONGER_KEPT,)
    assert done.dismiss()
    order = done.entry().order
    assert isinstance(order, WebOrder)
    assert isinstance(order.ship_to, TypedAddress)
    assert order.ship_to.name == "Somebody Else"
    done.clock.advance(91 * DAY)
    assert upkeep(done) == 1
    assert not named(done, "Somebody Else")


@pytest.mark.rule("OI-4")
def test_its_differences_name_what_changed_and_not_what_was_removed(done: World) -> None:
    upkeep(done)
    done.edit(po_number="PO-9")
    done.import_orders()
    (said,) = done.entry().differences
    assert said.startswith("The po number was changed")


@pytest.mark.rule("OI-2")
def test_what_waits_for_a_person_or_is_under_way_is_never_reduced(world: World) -> None:
    world.store.place_order(an_order(1, state=OrderState.HELD))
    world.store.place_order(an_order(2, payments=()))
    world.store.place_order(an_order(3))
    world.store.place_order(an_order(4))
    world.import_orders()
    invoiced(world, 4)
    world.edit(4, notes="changed late")
    world.import_orders()
    assert [world.state_of(number) for number in (1, 2, 3, 4)] == [
        LedgerState.WAITING,
        LedgerState.QUARANTINED,
        LedgerState.ACKNOWLEDGED,  # and open in the ERP
        LedgerState.REVIEW,
    ]
    world.clock.advance(400 * DAY)
    assert upkeep(world) == 0


@pytest.mark.rule("OI-2")
def test_a_dismissed_or_cancelled_order_is_done_too(world: World) -> None:
    world.store.place_order(an_order(1, payments=()))
    world.store.place_order(an_order(2, state=OrderState.CANCELLED))
    world.import_orders()
    assert world.dismiss(1)
    world.import_orders()
    world.clock.advance(91 * DAY)
    assert upkeep(world) == 2
    assert not any(NAME in row for row in world.dump() if row.startswith("ledger:"))
    world.run("orders", everything=True)
    assert [world.state_of(number) for number in (1, 2)] == [LedgerState.CLOSED] * 2


def test_many_are_reduced_in_many_transactions(world: World) -> None:
    for number in range(1, TOGETHER + 6):
        world.store.place_order(harbour_order(number, state=OrderState.CANCELLED))
    world.import_orders()
    world.clock.advance(91 * DAY)
    assert upkeep(world) == TOGETHER + 5


def test_a_reduced_state_is_sound(done: World) -> None:
    upkeep(done)
    findings = verify_state(done.engine.url)
    assert {each.level.value for each in findings} == {"ok"}
    with done.state.transaction() as state:
        assert state.ledger.history(order_id(1))[-1].event == "reduced"
