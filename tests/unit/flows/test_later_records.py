"""Steps that are kept and written together with the next transaction."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from sync.domain.decision import Admitted, Decision
from sync.domain.ids import ErpOrderNumber
from sync.flows.context import Context, FlowResult
from sync.flows.orders.records import LaterRecords, Records
from sync.ports.state import Claim, LedgerState
from sync.state import open_state
from sync.testing import builders as a
from tests.scenarios.world import World, build_world, guest_order, order_id


@pytest.fixture
def world() -> Iterator[World]:
    engine = open_state("sqlite://")
    yield build_world(engine)
    engine.dispose()


def claimed(world: World, number: int) -> Claim:
    with world.state.transaction() as state:
        state.ledger.discover(guest_order(number), world.clock.now())
        claim = state.ledger.claim(order_id(number), world.clock.now(), 300.0)
    assert claim is not None
    return claim


def admitted(context: Context, **changes: Any) -> Admitted:
    decision = Decision(a.ACCOUNT, False, "mapping", "m1", context.clock.now())
    return Admitted(a.a_sales_order(**changes), decision)


SO_2 = ErpOrderNumber("SO-2")


@pytest.mark.rule("OI-1", "OI-2")
def test_step_that_cannot_be_written_costs_no_other_order_its_own(world: World) -> None:
    context, result = world.context(), FlowResult("orders")
    odd, good = claimed(world, 1), claimed(world, 2)
    Records(context, result).frozen(odd, admitted(context))
    later = LaterRecords(context, result)
    later.frozen(odd, admitted(context, po_number="another instruction"))
    later.imported(good, a.a_sales_order(), SO_2)

    with pytest.raises(ValueError, match="another instruction"):
        later.write()
    assert world.state_of(2) is LedgerState.SUBMITTING
    assert result.counts == {}, "nobody is told of what was taken back"

    [(claim, error)] = later.write_apart()
    assert claim == odd
    assert isinstance(error, ValueError)
    assert world.state_of(2) is LedgerState.IMPORTED
    assert result.counts["imported"] == 1
    later.write()
    assert result.counts["imported"] == 1


@pytest.mark.rule("OI-1")
def test_whoever_was_fenced_off_from_one_order_still_writes_about_the_others(
    world: World,
) -> None:
    context, result = world.context(), FlowResult("orders")
    lost, kept = claimed(world, 1), claimed(world, 2)
    world.clock.advance(600)
    with world.state.transaction() as state:
        assert state.ledger.claim(order_id(1), world.clock.now(), 300.0) is not None
    later = LaterRecords(context, result)
    later.thawed(lost, "nothing was sent")
    later.given_back(lost)
    later.imported(kept, a.a_sales_order(), SO_2)
    later.write()

    assert later.take_lost() == [order_id(1)]
    assert later.take_lost() == []
    assert result.counts["taken_over"] == 1
    assert world.entry(1).lease_until is not None
    assert world.state_of(2) is LedgerState.IMPORTED


@pytest.mark.rule("OI-1")
def test_order_given_back_is_as_if_nobody_had_claimed_it(world: World) -> None:
    claim = claimed(world, 1)
    before = world.entry(1)
    assert (before.state, before.attempts) == (LedgerState.SUBMITTING, 1)
    Records(world.context(), FlowResult("orders")).given_back(claim)
    after = world.entry(1)
    assert (after.state, after.attempts, after.lease_until) == (LedgerState.DISCOVERED, 0, None)
    with world.state.transaction() as state:
        again = state.ledger.claim(order_id(1), world.clock.now(), 300.0)
    assert again is not None
    assert again.token > claim.token
