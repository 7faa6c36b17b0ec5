"""A worker that hangs for longer than its lease goes on as if nothing had happened."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from sync.domain.decision import Closing, Decision
from sync.domain.ids import ErpOrderNumber, IdempotencyKey
from sync.domain.order import OrderState
from sync.domain.sales_order import FoundOrder, OneOffShipTo, OrderAcknowledgement, SalesOrder
from sync.errors import TryLater
from sync.ports.state import LedgerState
from sync.testing import builders as a
from sync.testing.clock import ManualClock
from sync.testing.erp import MemoryErp
from sync.testing.faults import Script
from tests.scenarios.world import (
    HARBOUR,
    MakeWorld,
    World,
    fill_erp,
    guest_order,
    harbour_order,
    order_id,
)

LONGER_THAN_A_LEASE = 500.0
ONE_LOOK = 4  # it is tried so often before it counts as away


class MoodyErp(MemoryErp):
    """While it is told to, its look-up is away, or it breaks down once it has written."""

    away = 0
    breaks = False

    def find_order(self, key: IdempotencyKey) -> FoundOrder | None:
        if self.away:
            self.away -= 1
            raise TryLater("the ERP is away")
        return super().find_order(key)

    def submit_order(self, order: SalesOrder, key: IdempotencyKey) -> OrderAcknowledgement:
        breaks, self.breaks = self.breaks, False
        answer = super().submit_order(order, key)
        if breaks:
            raise ValueError("the answer makes no sense")
        return answer


def overtaken(
    make_world: MakeWorld, *, away: int = 0, breaks: bool = False, **changes: Any
) -> tuple[World, Sequence[str]]:
    """The first worker hangs while it hands the order over; the store changes it, and a
    second worker takes over. Then the first one's order arrives, and the ERP is as told.
    Gives what the first one has to say, too."""
    script, clock = Script(), ManualClock()
    erp = MoodyErp(clock)
    fill_erp(erp)
    world = make_world(script=script, erp=erp, clock=clock)
    world.store.place_order(harbour_order(1))
    world.store.place_order(guest_order(2))

    def meanwhile() -> None:
        # Only for the first worker.
        erp.away, erp.breaks = 0, False
        world.script = None
        world.edit(1, **changes)
        world.clock.advance(LONGER_THAN_A_LEASE)
        world.import_orders()
        world.script = script
        erp.away, erp.breaks = away, breaks

    script.meanwhile("erp.submit_order", meanwhile)
    result = world.import_orders()
    world.script = None
    erp.away = 0
    return world, result.remarks


@pytest.mark.rule("OI-1", "OI-4")
def test_order_that_arrives_after_another_worker_closed_it_comes_to_a_person(
    make_world: MakeWorld,
) -> None:
    world, _ = overtaken(make_world, state=OrderState.CANCELLED)
    world.import_orders()

    (row,) = world.in_erp(1)
    entry = world.entry(1)
    assert entry.state is LedgerState.REVIEW
    assert entry.closing is None
    assert entry.erp_order == row.number
    assert entry.decision is not None
    assert entry.decision.customer_id == HARBOUR
    assert any("cancelled in the store after its import" in each for each in entry.differences)


@pytest.mark.rule("OI-1", "OI-4")
@pytest.mark.parametrize(
    "mood", [{"breaks": True}, {"away": ONE_LOOK}], ids=["breaks down", "is away for a look"]
)
def test_order_that_arrives_late_is_known_though_the_erp_fails_as_well(
    make_world: MakeWorld, mood: dict[str, Any]
) -> None:
    world, _ = overtaken(make_world, state=OrderState.CANCELLED, **mood)
    world.import_orders()

    (row,) = world.in_erp(1)
    assert world.entry(1).erp_order == row.number
    assert world.state_of(1) is LedgerState.REVIEW
    assert len(world.in_erp(2)) == 1


@pytest.mark.rule("OI-1", "OP-1")
def test_order_that_nobody_can_look_for_after_others_took_it_over_is_told_to_people(
    make_world: MakeWorld,
) -> None:
    _, remarks = overtaken(make_world, state=OrderState.CANCELLED, away=1000)
    assert any("could not be seen: look for it in the ERP" in each for each in remarks)


@pytest.mark.rule("OI-1")
def test_order_that_arrives_twice_over_two_workers_is_imported_once(make_world: MakeWorld) -> None:
    world, _ = overtaken(make_world, notes="call first")

    (row,) = world.in_erp(1)
    assert row.order.notes == "call first"
    assert world.state_of(1) is LedgerState.ACKNOWLEDGED


@pytest.mark.rule("OI-1", "OI-4")
def test_old_version_that_arrives_just_before_the_new_one_comes_to_a_person(
    make_world: MakeWorld,
) -> None:
    first, second = Script(), Script()
    world = make_world(script=first)
    world.store.place_order(harbour_order(1, ship_to=a.a_typed_address()))

    def meanwhile() -> None:
        sent = world.entry(1)
        assert sent.frozen is not None
        instruction = sent.frozen
        world.script = second
        world.edit(1, ship_to=a.a_typed_address(lines=("Canal Street 99",)))
        world.clock.advance(LONGER_THAN_A_LEASE)
        second.meanwhile("erp.submit_order", lambda: world.erp.submit_order(instruction, sent.key))
        world.import_orders()

    first.meanwhile("erp.submit_order", meanwhile)
    world.import_orders()
    world.script = None
    world.import_orders()

    assert not second.unused
    (row,) = world.in_erp(1)
    assert isinstance(row.order.ship_to, OneOffShipTo)
    assert row.order.ship_to.address.lines[0] == "Canal Street 12"
    assert world.state_of(1) is LedgerState.REVIEW


@pytest.mark.rule("OI-2")
def test_order_that_a_person_gave_up_and_that_arrives_all_the_same_is_not_hidden(
    make_world: MakeWorld,
) -> None:
    world = make_world()
    world.store.place_order(harbour_order(1))
    order = world.store.order(order_id(1))
    assert order is not None
    with world.state.transaction() as state:
        now = world.clock.now()
        state.ledger.discover(order, now)
        claim = state.ledger.claim(order_id(1), now, 60)
        assert claim is not None
        state.ledger.record_closed(claim, Closing.DISMISSED, "a test", now, "v1")
        sent, decided = a.a_sales_order(), Decision(HARBOUR, False, "mapping", "v1", now)
        number = ErpOrderNumber("SO-1")
        assert state.ledger.record_arrived(claim, order, sent, decided, number, now)
        assert not state.ledger.record_arrived(claim, order, sent, decided, number, now)

    entry = world.entry(1)
    assert entry.state is LedgerState.REVIEW
    assert entry.erp_order == ErpOrderNumber("SO-1")
    assert entry.differences == (
        "The order was given up (dismissed), and the ERP has it all the same.",
    )
