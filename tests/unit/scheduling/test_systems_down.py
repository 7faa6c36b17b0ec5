"""A system that is down, as the daemon's flows meet it: asked rarely, told everywhere."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from sync.flows.cycle import FLOWS
from sync.ports.state import RequestState
from sync.ports.systems import Condition, SystemRecord
from sync.scheduling.runner import Runner
from sync.systems import BreakerLimits, SystemWatch, guarded
from sync.testing.clock import ManualClock
from sync.testing.faults import Fault
from tests.scenarios.world import harbour_order
from tests.unit.scheduling.conftest import Line

pytestmark = pytest.mark.rule("OP-1", "OP-6")

LIMITS = BreakerLimits(failures=3, pause_s=60, denied_pause_s=3600)


def watched(line: Line, clock: ManualClock, erp: SystemWatch | None = None) -> Line:
    """The line with both its systems behind watches, as the wiring puts them."""
    erp = erp or SystemWatch("erp", "erp", clock, LIMITS)
    store = SystemWatch("store", "store", clock, LIMITS)
    pipeline = dataclasses.replace(
        line.pipeline,
        erp=guarded(line.pipeline.erp, erp, clock),
        store=guarded(line.pipeline.store, store, clock),
        watches=(erp, store),
    )
    return dataclasses.replace(line, pipeline=pipeline)


@pytest.fixture
def line(line_of: Callable[..., Line], clock: ManualClock) -> Line:
    return watched(line_of(), clock)


def asked(line: Line, system: str) -> int:
    """Calls that reached the system."""
    reached = [call.point for call in line.script.log if call.point.startswith(f"{system}.")]
    return len([each for each in reached if not each.endswith(".take_unreadable")])


def every_flow(runner: Runner, line: Line) -> None:
    for flow in FLOWS:
        runner.scheduled(line.pipeline, flow)


def records(line: Line) -> dict[str, SystemRecord]:
    with line.pipeline.state.transaction() as state:
        return {record.name: record for record in state.systems.all()}


def outcomes(line: Line, flow: str) -> list[str]:
    return [run.outcome for run in line.runs() if run.flow == flow]


def break_erp(line: Line, *points: str) -> None:
    for point in points:
        for passage in range(1, 2000):
            line.script.fail(f"erp.{point}", Fault.LOST_REQUEST, at=passage)


@pytest.mark.rule("OP-7")
def test_a_wrong_password_is_one_login_per_pause_whatever_is_scheduled(
    runner: Runner, line: Line, clock: ManualClock
) -> None:
    line.store.place_order(harbour_order(1))
    line.erp.deny_access()
    for _ in range(6):
        every_flow(runner, line)
        clock.advance(599)
    assert asked(line, "erp") == 1
    assert records(line)["erp"].condition is Condition.DENIED
    clock.advance(60)
    every_flow(runner, line)
    assert asked(line, "erp") == 2


def test_pipelines_on_the_same_erp_share_what_is_known_of_it(
    runner: Runner, line_of: Callable[..., Line], clock: ManualClock
) -> None:
    watch = SystemWatch("erp", "erp", clock, LIMITS)
    one, other = watched(line_of(), clock, watch), watched(line_of("outpost"), clock, watch)
    one.erp.deny_access()
    every_flow(runner, one)
    every_flow(runner, other)
    assert (asked(one, "erp"), asked(other, "erp")) == (1, 0)
    assert {run.outcome for run in other.runs() if run.flow in ("ship_tos", "prices")} == {
        "try_later"
    }


def test_a_person_who_asks_for_every_flow_causes_one_login(runner: Runner, line: Line) -> None:
    line.erp.deny_access()
    every_flow(runner, line)
    request = line.ask("all")
    runner.requests(line.pipeline)
    assert asked(line, "erp") == 2
    assert line.request(request).state is RequestState.FAILED
    line.erp.deny_access(False)
    line.ask("all")
    runner.requests(line.pipeline)
    assert records(line)["erp"].condition is Condition.UP
    assert outcomes(line, "invoices").count("ok") == 1


def test_while_the_erp_is_away_flows_end_at_once_and_the_store_is_still_read(
    runner: Runner, line: Line, clock: ManualClock
) -> None:
    for flow in ("accounts", "prices"):
        runner.scheduled(line.pipeline, flow)
    break_erp(line, "items", "accounts", "feed_now", "ship_tos", "invoices")
    for _ in range(3):
        runner.scheduled(line.pipeline, "accounts")
    before = asked(line, "erp")
    line.store.place_order(harbour_order(1))
    every_flow(runner, line)
    assert asked(line, "erp") == before, "nobody asked it"
    assert clock.slept == [], "and nobody waited for it"
    assert records(line)["erp"].degraded
    with line.pipeline.state.transaction() as state:
        (due,) = state.ledger.due(clock.now(), 5)
    assert due == harbour_order(1).order_id, "the order is in the ledger all the same"


def test_after_an_outage_every_order_is_in_the_erp_once(
    runner: Runner, line: Line, clock: ManualClock
) -> None:
    for number in (1, 2, 3):
        line.store.place_order(harbour_order(number))
    for passage in range(1, 5):
        line.script.fail("erp.items", Fault.LOST_REQUEST, at=passage)
    for _ in range(15):
        runner.scheduled(line.pipeline, "orders")
        clock.advance(30)
    assert not line.script.unused
    # The one at which the ERP was found away rests for longer than the others.
    assert sorted(row.order.web_order for row in line.erp.orders) == [
        harbour_order(number).order_id for number in (1, 2, 3)
    ]
    with capture_logs() as told:
        runner.scheduled(line.pipeline, "orders")
    assert "system.recovered" not in {each["event"] for each in told}
    assert records(line)["erp"].condition is Condition.UP


def test_a_quiet_system_is_not_written_down_at_every_run(
    runner: Runner, line: Line, clock: ManualClock
) -> None:
    runner.scheduled(line.pipeline, "accounts")
    first = records(line)["erp"].last_success_at
    clock.advance(30)
    runner.scheduled(line.pipeline, "accounts")
    assert records(line)["erp"].last_success_at == first
    clock.advance(30)
    runner.scheduled(line.pipeline, "accounts")
    assert records(line)["erp"].last_success_at == clock.now()


@pytest.mark.rule("OP-7")
def test_a_password_in_a_drivers_words_is_not_kept(
    runner: Runner, line: Line, clock: ManualClock
) -> None:
    from sync.errors import AccessDenied

    def refuse() -> None:
        raise AccessDenied("postgresql://erp:hunter2-canary@db/erp refused the login")

    line.script.meanwhile("erp.feed_now", refuse)
    runner.scheduled(line.pipeline, "accounts")
    assert not line.script.unused
    assert records(line)["erp"].degraded
    assert "hunter2" not in records(line)["erp"].message
