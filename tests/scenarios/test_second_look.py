"""A notice or a status that the store carries out too late, when its sender is gone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sync.domain.ids import IdempotencyKey
from sync.domain.order import OrderState, PaymentState
from sync.domain.sales_order import ErpOrderState, FoundOrder
from sync.domain.views import ImportNotice, ImportState
from sync.errors import TryLater
from sync.flows.context import FlowResult
from sync.flows.orders.second_look import look_again
from sync.ports.state import LedgerState
from sync.testing import builders as a
from sync.testing.clock import ManualClock
from sync.testing.erp import MemoryErp
from sync.testing.faults import Crash, Script
from tests.scenarios.world import MakeWorld, World, fill_erp, harbour_order, mill_order, order_id

STALE = ImportNotice(ImportState.PROCESSING)


def imported(world: World) -> ImportNotice:
    world.store.place_order(harbour_order(1))
    world.import_orders()
    notice = world.store.notice(order_id(1))
    assert notice is not None
    assert notice.state is ImportState.PROCESSED
    return notice


@pytest.mark.rule("WA-13", "OI-3")
def test_a_notice_that_came_too_late_is_shown_again_as_it_should_be(world: World) -> None:
    notice = imported(world)
    world.store.show_import(order_id(1), STALE)

    # Whoever looked at once might be overtaken just the same.
    assert "shown_again" not in world.import_orders().counts
    world.clock.advance(world.limits.orders.ambiguity_wait_s)
    result = world.import_orders()

    assert result.counts["shown_again"] == 1
    assert world.store.notice(order_id(1)) == notice
    assert world.state_of(1) is LedgerState.ACKNOWLEDGED


@pytest.mark.rule("OI-3")
def test_a_status_that_came_too_late_is_shown_again_as_it_should_be(world: World) -> None:
    imported(world)
    world.erp.set_order_status(world.entry(1).key, a.an_order_status(state=ErpOrderState.INVOICED))
    world.run("order_status")
    shown = world.store.shown_order_statuses([order_id(1)])
    world.store.show_order_status(order_id(1), a.an_order_status(state=ErpOrderState.OPEN))

    world.clock.advance(world.limits.orders.ambiguity_wait_s)
    result = world.import_orders()

    assert result.counts["shown_again"] == 1
    assert world.store.shown_order_statuses([order_id(1)]) == shown


@pytest.mark.rule("WA-13")
def test_one_that_comes_later_still_is_seen_by_the_daily_look(world: World) -> None:
    notice = imported(world)
    world.clock.advance(3600)
    world.import_orders()
    world.store.show_import(order_id(1), STALE)
    world.clock.advance(3600)
    assert "shown_again" not in world.import_orders().counts

    world.clock.advance(24 * 3600)
    assert world.import_orders().counts["shown_again"] == 1
    assert world.store.notice(order_id(1)) == notice


@pytest.mark.rule("WA-13", "OI-8")
def test_an_order_that_waits_and_is_judged_anew_all_the_time_is_looked_at_too(
    world: World,
) -> None:
    unpaid = harbour_order(1)
    payments = tuple(replace(each, state=PaymentState.PENDING) for each in unpaid.payments)
    world.store.place_order(replace(unpaid, state=OrderState.CREATED, payments=payments))
    world.import_orders()
    notice = world.store.notice(order_id(1))
    assert notice is not None
    assert notice.message
    world.store.show_import(order_id(1), ImportNotice(ImportState.PENDING))

    attempts = world.entry(1).changed_at
    world.clock.advance(4000)
    assert world.import_orders().counts["shown_again"] == 1
    assert world.entry(1).changed_at > attempts, "the order was not judged, so nothing is proven"
    assert world.store.notice(order_id(1)) == notice


@pytest.mark.rule("MI-2")
def test_where_nothing_came_too_late_nothing_is_written_and_each_order_is_read_once(
    make_world: MakeWorld,
) -> None:
    script = Script()
    world = make_world(script=script)
    imported(world)
    world.clock.advance(world.limits.orders.ambiguity_wait_s)
    before = script.count("store.shown_imports")
    written = script.count("store.show_import")

    for _ in range(3):
        assert "shown_again" not in world.import_orders().counts
        world.clock.advance(600)

    assert script.count("store.show_import") == written
    assert script.count("store.shown_imports") == before + 1


@pytest.mark.rule("WA-13", "OP-7")
def test_a_process_that_dies_over_the_second_look_leaves_it_to_the_next(
    make_world: MakeWorld,
) -> None:
    script = Script()
    world = make_world(script=script)
    notice = imported(world)
    world.store.place_order(mill_order(2))
    world.import_orders()
    world.store.show_import(order_id(1), STALE)
    world.clock.advance(world.limits.orders.ambiguity_wait_s)

    script.crash_before("store.show_import", at=script.count("store.show_import") + 1)
    with pytest.raises(Crash):
        world.import_orders()

    world.new_process()
    world.import_orders()
    assert world.store.notice(order_id(1)) == notice


@pytest.mark.rule("OP-2")
def test_a_run_for_a_part_looks_at_no_other_order_again(world: World) -> None:
    imported(world)
    world.store.show_import(order_id(1), STALE)
    world.store.place_order(mill_order(2))
    world.clock.advance(world.limits.orders.ambiguity_wait_s)

    assert "shown_again" not in world.run("orders", order="W-2").counts
    assert "shown_again" not in world.run("orders", hinted=(order_id(2),)).counts
    assert world.store.notice(order_id(1)) == STALE
    assert world.import_orders().counts["shown_again"] == 1


@pytest.mark.rule("WA-13")
@pytest.mark.parametrize("days", [2, 4, 40])
def test_after_a_pause_everything_is_looked_at_that_was_told_before_it(
    world: World, days: int
) -> None:
    notice = imported(world)
    world.clock.advance(600)
    world.import_orders()
    world.store.show_import(order_id(1), STALE)
    world.clock.advance(days * 24 * 3600)
    assert world.import_orders().counts["shown_again"] == 1
    assert world.store.notice(order_id(1)) == notice


@pytest.mark.rule("WA-13", "OI-2")
def test_orders_that_come_to_no_outcome_leave_the_others_their_second_look(
    make_world: MakeWorld,
) -> None:
    class Busy(MemoryErp):
        busy = False

        def find_order(self, key: IdempotencyKey) -> FoundOrder | None:
            if self.busy:
                raise TryLater("it took too long (57014)")
            return super().find_order(key)

    clock = ManualClock()
    erp = Busy(clock)
    fill_erp(erp)
    world = make_world(clock=clock, erp=erp)
    notice = imported(world)
    world.store.show_import(order_id(1), STALE)
    world.clock.advance(world.limits.orders.ambiguity_wait_s)
    erp.busy = True
    world.store.place_order(mill_order(2))
    result = world.import_orders()
    assert result.outcome == "try_later"
    assert world.store.notice(order_id(1)) == notice


@pytest.mark.rule("WA-13")
def test_what_the_store_should_no_longer_show_is_not_shown_again(
    world: World,
) -> None:
    """The second look repeats what the store confirmed, never what is no longer true."""
    world.erp.refuse_item(a.SKU)
    world.store.place_order(harbour_order(1))
    world.import_orders()
    assert world.state_of(1) is LedgerState.QUARANTINED
    world.store.show_import(order_id(1), STALE)
    world.clock.advance(world.limits.orders.ambiguity_wait_s)
    world.dismiss(1)
    result = FlowResult("orders")
    look_again(world.context(), result)
    assert "shown_again" not in result.counts
    assert world.store.notice(order_id(1)) == STALE
