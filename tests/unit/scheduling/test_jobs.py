"""Which flow starts when, and what is made up for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from apscheduler.events import (
    EVENT_JOB_EXECUTED,
    EVENT_JOB_MISSED,
    JobEvent,
)
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger
from structlog.testing import capture_logs

from sync.bootstrap import Pipeline
from sync.flows.cycle import FLOWS
from sync.scheduling.clock import SetBack, SystemClock
from sync.scheduling.hints import Hints
from sync.scheduling.jobs import (
    HEAD_START,
    clock_went_back,
    first_run,
    mirror_soon,
    scheduler_for,
)
from sync.scheduling.pulse import Pulse
from sync.scheduling.runner import Runner
from sync.settings import MIRRORS, Cron5, Every
from sync.testing.clock import A_MONDAY, ManualClock
from tests.unit.scheduling.conftest import Line

pytestmark = pytest.mark.rule("OP-1")

NIGHTLY = Cron5("15 3 * * *", "Europe/Berlin")
OFF = [flow for flow in FLOWS if flow != "order_status"]


@contextmanager
def started(scheduler: BackgroundScheduler, *, paused: bool = True) -> Iterator[None]:
    scheduler.start(paused=paused)
    try:
        yield
    finally:
        scheduler.shutdown(wait=True)


def ran(line: Line, at: datetime, outcome: str = "ok", *, narrow: bool = False) -> None:
    with line.pipeline.state.transaction() as state:
        state.runs.start(f"run-{at:%d%H%M}", "prices", at, narrow=narrow)
        state.runs.finish(f"run-{at:%d%H%M}", outcome, {}, "", at)


def test_every_flow_that_is_not_off_has_a_job_that_never_runs_beside_itself(
    runner: Runner, line_of: Callable[..., Line], clock: ManualClock
) -> None:
    lines = [line_of("main", off=["prices"], misfire_grace_s=120), line_of("outpost")]
    scheduler = scheduler_for([each.pipeline for each in lines], runner, clock, threads=4)
    with started(scheduler):
        jobs = {job.id: job for job in scheduler.get_jobs()}
    wanted = {f"main/{flow}" for flow in FLOWS} | {f"outpost/{flow}" for flow in FLOWS}
    own = {f"{name}/{job}" for name in ("main", "outpost") for job in ("requests", "upkeep")}
    assert set(jobs) == wanted - {"main/prices"} | own
    assert all(job.max_instances == 1 and job.coalesce for job in jobs.values())
    assert jobs["main/orders"].misfire_grace_time == 120
    assert jobs["main/requests"].misfire_grace_time is None
    assert jobs["main/requests"].executor == "requests", "people do not wait behind flows"
    assert jobs["main/orders"].executor == "orders", "nor do orders behind mirrors"
    assert {jobs[f"main/{flow}"].executor for flow in FLOWS if f"main/{flow}" in jobs} == {
        "default",
        "orders",
    }


def test_a_flow_by_interval_is_due_at_the_start(line: Line) -> None:
    assert first_run(line.pipeline, "orders", Every(60), A_MONDAY) == A_MONDAY


def test_a_new_installation_waits_for_the_hour_that_was_chosen(line: Line) -> None:
    assert first_run(line.pipeline, "prices", NIGHTLY, A_MONDAY) is None


@pytest.mark.parametrize(
    "last, due",
    [
        # 03:15 in Berlin is 02:15 in UTC in March.
        (datetime(2025, 3, 3, 2, 15, tzinfo=UTC), False),
        (datetime(2025, 3, 3, 8, 0, tzinfo=UTC), False),
        (datetime(2025, 3, 2, 2, 15, tzinfo=UTC), True),
        (datetime(2025, 3, 3, 2, 14, tzinfo=UTC), True),
        (datetime(2025, 1, 1, 2, 15, tzinfo=UTC), True),
    ],
)
def test_a_time_that_passed_while_nobody_ran_is_made_up_for(
    line: Line, last: datetime, due: bool
) -> None:
    ran(line, last)
    assert first_run(line.pipeline, "prices", NIGHTLY, A_MONDAY) == (A_MONDAY if due else None)


@pytest.mark.parametrize("outcome, due", [("failed", True), ("refused", False)])
def test_a_run_that_failed_was_not_made(line: Line, outcome: str, due: bool) -> None:
    ran(line, A_MONDAY - timedelta(minutes=10), outcome)
    found = first_run(line.pipeline, "prices", NIGHTLY, A_MONDAY)
    assert found == (A_MONDAY if due else None)


def test_a_run_for_a_part_makes_up_for_none_that_failed(line: Line) -> None:
    ran(line, A_MONDAY - timedelta(days=1))
    ran(line, A_MONDAY - timedelta(minutes=40), "failed")
    for minutes in range(30):
        ran(line, A_MONDAY - timedelta(minutes=minutes + 1), narrow=True)
    assert first_run(line.pipeline, "prices", NIGHTLY, A_MONDAY) == A_MONDAY


def test_a_new_installation_with_runs_for_parts_alone_is_still_new(line: Line) -> None:
    ran(line, A_MONDAY - timedelta(minutes=5), narrow=True)
    assert first_run(line.pipeline, "prices", NIGHTLY, A_MONDAY) is None


def test_a_start_with_hints_begins_with_a_poll_for_those_that_were_lost(
    runner: Runner, line_of: Callable[..., Line], clock: ManualClock
) -> None:
    nightly = {"orders_cron": NIGHTLY.fields, "prices_cron": NIGHTLY.fields}
    lines = [line_of(name, **nightly) for name in ("main", "outpost")]
    pipelines = [each.pipeline for each in lines]
    scheduler = scheduler_for(pipelines, runner, clock, threads=4, hints={"main": Hints()})
    with started(scheduler):
        due = {job.id: job.next_run_time for job in scheduler.get_jobs()}
    # The accounts, due at any start, have their head start.
    assert due["main/orders"] == clock.now() + HEAD_START
    assert due["main/prices"] > clock.now() + HEAD_START
    assert due["outpost/orders"] > clock.now() + HEAD_START


class Telling(Runner):
    """Notes when each scheduled run begins and ends."""

    def __init__(self, pulse: Pulse) -> None:
        super().__init__(pulse, threading.Event())
        self.told: list[tuple[str, str]] = []
        self.every = threading.Event()

    def scheduled(self, pipeline: Pipeline, flow: str) -> None:
        self.told.append(("begins", flow))
        super().scheduled(pipeline, flow)
        self.told.append(("ends", flow))
        if len(self.told) == 2 * len(FLOWS):
            self.every.set()


@pytest.mark.rule("WA-8")
@pytest.mark.parametrize("well", [True, False], ids=["up", "down"])
def test_after_a_start_accounts_come_first_then_the_orders_and_the_rest_right_behind_them(
    pulse: Pulse, line_of: Callable[..., Line], well: bool
) -> None:
    line, telling = line_of(), Telling(pulse)
    line.erp.deny_access(not well)
    never = timedelta(hours=1)
    scheduler = scheduler_for([line.pipeline], telling, SystemClock(), threads=4, head_start=never)
    with started(scheduler, paused=False):
        assert telling.every.wait(60), "not one of them waits for its time"
    assert telling.told[:4] == [
        ("begins", "accounts"),
        ("ends", "accounts"),
        ("begins", "orders"),
        ("ends", "orders"),
    ]


class Slow(Runner):
    """Its runs end when they are let."""

    def __init__(self, pulse: Pulse) -> None:
        super().__init__(pulse, threading.Event())
        self.begun, self.may_end = threading.Event(), threading.Event()

    def scheduled(self, pipeline: Pipeline, flow: str) -> None:
        self.begun.set()
        assert self.may_end.wait(30)


@pytest.mark.rule("OP-1")
@pytest.mark.parametrize("off", [(), ("accounts",)], ids=["accounts", "orders"])
def test_what_leads_at_the_start_may_end_while_the_service_stops(
    pulse: Pulse, line_of: Callable[..., Line], off: tuple[str, ...]
) -> None:
    slow = Slow(pulse)
    scheduler = scheduler_for([line_of(off=list(off)).pipeline], slow, SystemClock(), threads=4)
    scheduler.start()
    assert slow.begun.wait(30)
    stopping = threading.Thread(target=scheduler.shutdown, daemon=True)
    stopping.start()
    while scheduler.running:
        time.sleep(0.01)
    time.sleep(0.1)
    slow.may_end.set()
    stopping.join(20)
    assert not stopping.is_alive(), "the run and the scheduler wait for each other"


def test_what_is_due_at_the_start_waits_for_no_accounts_and_no_orders_that_hang(
    runner: Runner, line_of: Callable[..., Line], clock: ManualClock
) -> None:
    scheduler = scheduler_for([line_of().pipeline], runner, clock, threads=4)
    with started(scheduler):
        due = {flow: scheduler.get_job(f"main/{flow}").next_run_time for flow in FLOWS}
    assert due.pop("accounts") == A_MONDAY
    assert due.pop("orders") == A_MONDAY + HEAD_START
    assert set(due.values()) == {A_MONDAY + 2 * HEAD_START}


def test_without_scheduled_accounts_nothing_waits_for_them(
    runner: Runner, line_of: Callable[..., Line], clock: ManualClock
) -> None:
    line = line_of(off=["accounts"])
    scheduler = scheduler_for([line.pipeline], runner, clock, threads=4)
    with started(scheduler):
        jobs = [scheduler.get_job(f"main/{flow}") for flow in FLOWS]
        due = {job.next_run_time for job in jobs if job is not None}
        assert scheduler.get_job("main/orders").next_run_time == A_MONDAY
    assert due == {A_MONDAY, A_MONDAY + HEAD_START}


@pytest.mark.rule("WA-8", "OP-4")
@pytest.mark.parametrize(
    "off, first",
    [((), "accounts"), (("accounts",), "ship_tos"), (("accounts", "ship_tos"), "prices")],
)
def test_an_edit_of_the_mapping_starts_a_mirror_at_once_and_the_schedule_goes_on(
    runner: Runner,
    line_of: Callable[..., Line],
    clock: ManualClock,
    off: tuple[str, ...],
    first: str,
) -> None:
    line = line_of(off=list(off), **{f"{flow}_cron": "0 3 1 1 *" for flow in MIRRORS})
    scheduler = scheduler_for([line.pipeline], runner, clock, threads=1)
    with started(scheduler):
        mirror_soon(scheduler, line.pipeline, A_MONDAY)
        due = {flow: scheduler.get_job(f"main/{flow}") for flow in MIRRORS}
        soon = [flow for flow, job in due.items() if job and job.next_run_time == A_MONDAY]
    assert soon == [first]
    job = due[first]
    assert job is not None
    assert isinstance(job.trigger, CronTrigger)


@pytest.mark.rule("VE-9")
def test_an_edit_of_the_mapping_lets_registrations_go_on_at_once(
    runner: Runner, line_of: Callable[..., Line], clock: ManualClock
) -> None:
    """An approval waits for the mapping that names its company."""
    line = line_of(off=list(MIRRORS), registrations_cron="0 3 1 1 *")
    scheduler = scheduler_for([line.pipeline], runner, clock, threads=1)
    with started(scheduler):
        mirror_soon(scheduler, line.pipeline, A_MONDAY)
        assert scheduler.get_job("main/registrations").next_run_time == A_MONDAY


def test_an_edit_of_the_mapping_starts_nothing_where_every_mirror_is_off(
    runner: Runner, line_of: Callable[..., Line], clock: ManualClock
) -> None:
    line = line_of(off=list(FLOWS))
    scheduler = scheduler_for([line.pipeline], runner, clock, threads=1)
    with started(scheduler):
        mirror_soon(scheduler, line.pipeline, A_MONDAY)
        assert {job.id for job in scheduler.get_jobs()} == {"main/requests", "main/upkeep"}


def test_many_missed_starts_are_made_up_for_once(
    runner: Runner, line_of: Callable[..., Line]
) -> None:
    line = line_of(off=OFF, order_status_every_s=60, misfire_grace_s=300)
    scheduler = scheduler_for([line.pipeline], runner, SystemClock(), threads=1)
    done: list[JobEvent] = []
    executed = threading.Event()

    def noted(event: JobEvent) -> None:
        if event.job_id == "main/order_status":
            done.append(event)
            executed.set()

    scheduler.add_listener(noted, EVENT_JOB_EXECUTED | EVENT_JOB_MISSED)
    with started(scheduler):
        slept = datetime.now(UTC) - timedelta(hours=9)
        scheduler.modify_job("main/order_status", next_run_time=slept)
        scheduler.resume()
        assert executed.wait(30)
        following = scheduler.get_job("main/order_status").next_run_time
        assert following > datetime.now(UTC)
    assert [event.code for event in done] == [EVENT_JOB_EXECUTED]
    assert line.flows() == ["order_status"]


def test_a_start_that_comes_too_late_is_told_and_not_made_up_for(
    runner: Runner, line_of: Callable[..., Line]
) -> None:
    line = line_of(off=OFF, order_status_cron="15 3 1 1 *", misfire_grace_s=300)
    scheduler = scheduler_for([line.pipeline], runner, SystemClock(), threads=1)
    missed = threading.Event()
    with capture_logs() as logs, started(scheduler):
        scheduler.add_listener(lambda _: missed.set(), EVENT_JOB_MISSED)
        slept = datetime.now(UTC) - timedelta(hours=1)
        scheduler.modify_job("main/order_status", next_run_time=slept)
        scheduler.resume()
        assert missed.wait(30)
    (told,) = [entry for entry in logs if entry["event"] == "run.missed"]
    assert told["job"] == "main/order_status"
    assert line.flows() == []


def test_a_clock_that_is_set_back_holds_up_nothing(
    runner: Runner, line_of: Callable[..., Line]
) -> None:
    """Of a schedule by intervals all is due as much later as the clock was set back."""
    line = line_of(prices_cron="15 3 * * *")
    scheduler = scheduler_for([line.pipeline], runner, SystemClock(), threads=1)
    with started(scheduler):
        due = {job.id: job.next_run_time for job in scheduler.get_jobs()}
        back = timedelta(hours=1)
        now = datetime.now(UTC) - back

        clock_went_back(scheduler, back, now)

        for job in scheduler.get_jobs():
            if isinstance(job.trigger, CronTrigger):
                assert job.next_run_time == job.trigger.get_next_fire_time(None, now)
            else:
                assert job.next_run_time == due[job.id] - back


def test_a_clock_that_is_set_back_takes_no_start_away_that_was_to_come_at_once(
    runner: Runner, line_of: Callable[..., Line]
) -> None:
    """What a start makes up for, or an edit of the mapping calls for, keeps to no set time."""
    line = line_of(prices_cron="15 3 * * *")
    scheduler = scheduler_for([line.pipeline], runner, SystemClock(), threads=1)
    with started(scheduler):
        soon = datetime.now(UTC) + timedelta(minutes=1, microseconds=1)
        scheduler.get_job("main/prices").modify(next_run_time=soon)
        back = timedelta(minutes=30)

        clock_went_back(scheduler, back, datetime.now(UTC) - back)

        assert scheduler.get_job("main/prices").next_run_time == soon - back


def test_only_a_clock_that_is_set_back_is_told_as_such(clock: ManualClock) -> None:
    set_back = SetBack(clock)
    clock.advance(3600)
    assert set_back.since_last() is None
    clock.set_wall_clock(clock.now() + timedelta(hours=1))
    assert set_back.since_last() is None
    clock.advance(5)
    clock.set_wall_clock(clock.now() - timedelta(minutes=30))
    assert set_back.since_last() == timedelta(minutes=30)
    assert set_back.since_last() is None
