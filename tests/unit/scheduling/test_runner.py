"""Flows as the daemon runs them: never beside themselves, stoppable, and always answered."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, text

from sync.domain.ids import InvoiceNumber
from sync.domain.order import OrderState, WebOrder
from sync.errors import Misconfigured
from sync.flows.cycle import FLOWS
from sync.ports.state import RequestState
from sync.scheduling.pulse import Pulse
from sync.scheduling.runner import Runner
from sync.testing import builders as a
from sync.testing.clock import ManualClock
from tests.scenarios.world import HARBOUR, MILL, harbour_order, mill_order
from tests.unit.scheduling.conftest import Line

pytestmark = pytest.mark.rule("OP-1")

# Passed early in a run of accounts, before anything is written.
EARLY = "store.shown_customer_ids"


def test_a_scheduled_run_does_the_flow_and_records_it(runner: Runner, line: Line) -> None:
    runner.scheduled(line.pipeline, "accounts")
    (run,) = line.runs()
    assert (run.flow, run.outcome, run.counts["added"]) == ("accounts", "ok", 2)


def test_a_flow_that_still_runs_is_not_started_beside_itself(runner: Runner, line: Line) -> None:
    line.script.meanwhile(EARLY, lambda: runner.scheduled(line.pipeline, "accounts"))
    runner.scheduled(line.pipeline, "accounts")
    assert not line.script.unused
    assert line.flows() == ["accounts"]
    runner.scheduled(line.pipeline, "accounts")
    assert line.flows() == ["accounts", "accounts"], "it is free again"


def test_other_flows_and_other_pipelines_run_meanwhile(
    runner: Runner, line_of: Callable[..., Line]
) -> None:
    line, other = line_of(), line_of("outpost")

    def meanwhile() -> None:
        runner.scheduled(line.pipeline, "invoices")
        runner.scheduled(other.pipeline, "accounts")

    line.script.meanwhile(EARLY, meanwhile)
    runner.scheduled(line.pipeline, "accounts")
    assert sorted(line.flows()) == ["accounts", "invoices"]
    assert other.flows() == ["accounts"]


@pytest.mark.rule("OP-2")
def test_a_request_for_all_flows_leaves_out_what_is_off_and_cannot_be_served(
    runner: Runner, line_of: Callable[..., Line]
) -> None:
    line = line_of(off=["invoices", "registrations"])
    request = line.ask("all")
    # An ERP that is there and can do nothing.
    bare: Any = SimpleNamespace(capabilities=line.erp.capabilities)
    runner.requests(replace(line.pipeline, erp=bare))
    assert sorted(line.flows()) == sorted(set(FLOWS) - {"invoices"})
    assert "does not read prices" in line.request(request).message
    assert "invoices" not in line.request(request).message


def test_nothing_new_begins_while_the_daemon_stops(
    runner: Runner, line: Line, stop: threading.Event
) -> None:
    request = line.ask("accounts")
    stop.set()
    runner.scheduled(line.pipeline, "accounts")
    runner.requests(line.pipeline)
    assert line.runs() == []
    assert line.request(request).state is RequestState.QUEUED


def test_a_stop_ends_a_flow_after_the_order_in_hand(
    runner: Runner, line: Line, stop: threading.Event
) -> None:
    for number in (1, 2, 3):
        line.store.place_order(harbour_order(number))
    line.script.meanwhile("erp.submit_order", stop.set, at=2)
    runner.scheduled(line.pipeline, "orders")
    assert line.runs()[0].outcome == "cancelled"
    assert len(line.erp.orders) == 2


@pytest.mark.rule("WA-8", "OP-4")
@pytest.mark.parametrize("asked", [False, True], ids=["by the clock", "on request"])
def test_a_retail_group_declared_during_a_run_is_not_shown_after_it(
    runner: Runner, line: Line, mappings: Path, asked: bool
) -> None:
    def somebody_edits() -> None:
        text = (mappings / "channels.yaml").read_text()
        more = "- {customer_id: RETAIL-EU, currencies: [EUR], countries: [DE]}\n      - "
        more += f"{{customer_id: {HARBOUR}, currencies: [EUR], countries: [NL]}}"
        only = "- {customer_id: RETAIL-EU, currencies: [EUR]}"
        assert only in text
        (mappings / "channels.yaml").write_text(text.replace(only, more))
        rows = (mappings / "customers.csv").read_text().splitlines(keepends=True)
        kept = [row for row in rows if not row.startswith(HARBOUR.value)]
        (mappings / "customers.csv").write_text("".join(kept))
        line.pipeline.mapping.reload()
        runner.scheduled(line.pipeline, "accounts")

    runner.scheduled(line.pipeline, "accounts")
    line.script.meanwhile("store.apply_invoices", somebody_edits)
    if asked:
        request = line.ask("invoices")
        runner.requests(line.pipeline)
        assert line.request(request).result["added"] == 2
    else:
        runner.scheduled(line.pipeline, "invoices")
    assert not line.script.unused
    assert set(line.store.shown_customer_ids()) == {MILL}


@pytest.mark.rule("OP-2")
def test_a_request_ends_with_what_was_changed(runner: Runner, line: Line) -> None:
    line.store.place_order(harbour_order(1))
    line.store.place_order(mill_order(2))
    first, second = line.ask("accounts", customer="C-1001"), line.ask("orders")
    runner.requests(line.pipeline)
    done = line.request(first)
    assert done.state is RequestState.DONE
    assert done.result == {"added": 1}
    assert done.message == "add C-1001"
    assert line.request(second).result["imported"] == 2
    assert sorted(line.flows()) == ["accounts", "orders"]


@pytest.mark.rule("OP-2")
def test_a_request_that_changes_much_says_how_much_it_does_not_name(
    runner: Runner, line: Line
) -> None:
    line.ask("accounts")
    for number in range(70):
        line.erp.add_invoice(a.an_invoice(number=InvoiceNumber(f"INV-{number:03}")))
    request = line.ask("invoices")
    runner.requests(line.pipeline)
    done = line.request(request)
    *named, more = done.message.splitlines()
    assert (len(named), more) == (20, f"... and {done.result['added'] - 20} more")


@pytest.mark.rule("OP-9")
def test_the_daily_upkeep_forgets_people_in_orders_that_are_done(
    runner: Runner, line: Line, clock: ManualClock, pulse: Pulse
) -> None:
    def notes() -> str | None:
        with line.pipeline.state.transaction() as state:
            entry = state.ledger.entry(harbour_order(1).order_id)
        assert entry is not None
        assert isinstance(entry.order, WebOrder)
        return entry.order.notes

    line.store.place_order(harbour_order(1, state=OrderState.CANCELLED, notes="canary"))
    runner.scheduled(line.pipeline, "orders")
    runner.upkeep(line.pipeline)
    assert notes() == "canary"
    clock.advance(91 * 86400)
    runner.upkeep(line.pipeline)
    assert notes() is None
    assert pulse.running() == ()


@pytest.mark.rule("OP-1", "OI-2")
def test_a_full_disk_ends_runs_and_the_next_one_with_room_goes_on(
    runner: Runner, line: Line, engine: Engine, pulse: Pulse
) -> None:
    for number in (1, 2, 3):
        line.store.place_order(harbour_order(number, notes="x" * 20_000))
    full = "PRAGMA max_page_count = {}"

    def at_most(connection: Connection) -> None:
        connection.exec_driver_sql(full.format(1))  # no less than it has, and no more

    def as_much_as_there_is(connection: Connection) -> None:
        connection.exec_driver_sql(full.format(1_000_000))

    event.listen(engine, "begin", at_most)
    runner.scheduled(line.pipeline, "orders")
    event.remove(engine, "begin", at_most)
    assert line.erp.orders == (), "no order is imported without a ledger"
    assert pulse.running() == ()
    event.listen(engine, "begin", as_much_as_there_is)
    runner.scheduled(line.pipeline, "orders")
    event.remove(engine, "begin", as_much_as_there_is)
    assert len(line.erp.orders) == 3
    assert sorted(run.outcome for run in line.runs()) == ["ok", "try_later"]


@pytest.mark.rule("OP-2")
def test_progress_of_a_request_is_told_at_most_once_a_second(
    runner: Runner, line: Line, clock: ManualClock
) -> None:
    for number in (1, 2, 3):
        line.store.place_order(harbour_order(number))
    request = line.ask("orders")
    seen: list[int] = []

    def look(advance_s: float) -> Callable[[], None]:
        def action() -> None:
            seen.append(line.request(request).done)
            clock.advance(advance_s)

        return action

    line.script.meanwhile("erp.submit_order", look(5.0), at=1)
    line.script.meanwhile("erp.submit_order", look(0.2), at=2)
    line.script.meanwhile("erp.submit_order", look(0.2), at=3)
    runner.requests(line.pipeline)
    assert not line.script.unused
    assert seen == [3, 1, 1], "what was read; the first order; not yet the second"


@pytest.mark.rule("OP-2")
def test_cancelling_ends_the_run_and_skips_the_flows_behind_it(
    runner: Runner, line: Line, clock: ManualClock
) -> None:
    for number in (1, 2):
        line.store.place_order(harbour_order(number))
    request = line.ask("all")

    def cancel() -> None:
        clock.advance(5.0)
        assert line.cancel(request)

    line.script.meanwhile("erp.submit_order", cancel)
    runner.requests(line.pipeline)
    assert line.request(request).state is RequestState.CANCELLED
    assert len(line.erp.orders) == 1
    flows = list(FLOWS)
    assert set(line.flows()) == set(flows[: flows.index("orders") + 1])


def test_a_request_that_a_stop_interrupts_is_neither_done_nor_failed(
    runner: Runner, line: Line, stop: threading.Event, pulse: Pulse
) -> None:
    for number in (1, 2):
        line.store.place_order(harbour_order(number))
    request = line.ask("orders")
    line.script.meanwhile("erp.submit_order", stop.set)
    runner.requests(line.pipeline)
    assert line.request(request).state is RequestState.RUNNING

    with line.pipeline.state.transaction() as state:
        assert state.requests.requeue_running() == 1
    Runner(pulse, threading.Event()).requests(line.pipeline)
    assert line.request(request).state is RequestState.DONE
    assert len(line.erp.orders) == 2


def test_a_request_that_was_done_when_the_stop_came_is_answered(
    runner: Runner, line: Line, stop: threading.Event
) -> None:
    request = line.ask("invoices")
    line.script.meanwhile("store.apply_invoices", stop.set)
    runner.requests(line.pipeline)
    assert not line.script.unused
    assert line.runs()[0].outcome == "ok"
    assert line.request(request).state is RequestState.DONE


def test_a_request_waits_for_the_same_flow_and_then_runs(
    runner: Runner, line: Line, pulse: Pulse
) -> None:
    request = line.ask("accounts")
    begun = threading.Event()
    asked = threading.Thread(target=runner.requests, args=(line.pipeline,))

    def meanwhile() -> None:
        asked.start()
        begun.set()

    line.script.meanwhile(EARLY, meanwhile)
    runner.scheduled(line.pipeline, "accounts")
    assert begun.is_set()
    asked.join(30)
    assert line.request(request).state is RequestState.DONE
    assert line.flows() == ["accounts", "accounts"]


def test_a_system_that_is_away_fails_the_request_and_says_so(runner: Runner, line: Line) -> None:
    request = line.ask("accounts")
    line.script.lost_request(EARLY)
    runner.requests(line.pipeline)
    failed = line.request(request)
    assert failed.state is RequestState.FAILED
    assert failed.result == {"flow_try_later": 1}
    assert line.runs()[0].outcome == "try_later"


@pytest.mark.rule("MI-3")
def test_a_refused_plan_fails_the_request_with_the_way_to_confirm_it(
    runner: Runner, line: Line
) -> None:
    for flow in ("accounts", "invoices"):
        runner.scheduled(line.pipeline, flow)
    line.erp.remove_invoice(HARBOUR, InvoiceNumber("INV-5001"))
    line.erp.remove_invoice(MILL, InvoiceNumber("INV-6001"))
    request = line.ask("invoices", everything=True)
    runner.requests(line.pipeline)
    failed = line.request(request)
    assert failed.state is RequestState.FAILED
    assert failed.result["flow_refused"] == 1
    assert "--confirm invoices-" in failed.message


def test_an_error_that_nobody_foresaw_ends_the_run_and_frees_the_flow(
    runner: Runner, line: Line, pulse: Pulse
) -> None:
    def stumble() -> None:
        raise KeyError("canary")

    line.script.meanwhile(EARLY, stumble)
    request = line.ask("accounts")
    runner.requests(line.pipeline)
    failed = line.request(request)
    assert failed.state is RequestState.FAILED
    assert failed.message == "KeyError: see the log"
    assert pulse.running() == ()
    runner.scheduled(line.pipeline, "accounts")
    assert sorted(run.outcome for run in line.runs()) == ["failed", "ok"]


@pytest.mark.rule("OP-4")
def test_without_a_usable_mapping_a_request_fails_and_says_why(
    runner: Runner, line: Line, mappings: Path
) -> None:
    (mappings / "channels.yaml").write_text("channels: 7\n")
    request = line.ask("accounts")
    runner.requests(line.pipeline)
    failed = line.request(request)
    assert failed.state is RequestState.FAILED
    assert failed.result == {"flow_misconfigured": 1}
    assert "channels.yaml:1" in failed.message


@pytest.mark.rule("OP-4")
def test_a_flow_that_only_a_person_can_put_right_is_told_apart_from_one_that_failed(
    runner: Runner, line: Line
) -> None:
    def wrong() -> None:
        raise Misconfigured("url names no file")

    line.script.meanwhile(EARLY, wrong)
    request = line.ask("accounts")
    runner.requests(line.pipeline)
    failed = line.request(request)
    assert failed.state is RequestState.FAILED
    assert failed.result == {"flow_misconfigured": 1}
    assert line.runs()[0].outcome == "failed"


def test_a_state_that_is_locked_is_looked_at_again_and_counts_as_life(
    runner: Runner, line: Line, engine: Engine, pulse: Pulse, clock: ManualClock
) -> None:
    request = line.ask("accounts")
    clock.advance(61)
    assert pulse.stalled() is not None
    with engine.connect() as other:
        other.execute(text("SELECT 1"))  # holds the writer's place of SQLite
        runner.requests(line.pipeline)
    assert pulse.stalled() is None
    assert line.request(request).state is RequestState.QUEUED
    runner.requests(line.pipeline)
    assert line.request(request).state is RequestState.DONE


def test_the_pulse_knows_what_runs(runner: Runner, line: Line, pulse: Pulse) -> None:
    seen: list[tuple[str, ...]] = []
    line.script.meanwhile(EARLY, lambda: seen.append(pulse.running()))
    runner.scheduled(line.pipeline, "accounts")
    assert seen == [("main/accounts",)]
    assert pulse.running() == ()
