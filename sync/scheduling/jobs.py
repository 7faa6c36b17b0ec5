"""Which flow starts when: the settings in the words of the scheduler.

Jobs are kept in memory only, for a job store that pickles could be told to run
anything. What was due while no daemon ran is known from the runs in the state.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

import structlog
from apscheduler.events import (
    EVENT_JOB_ERROR,
    EVENT_JOB_EXECUTED,
    EVENT_JOB_MISSED,
    JobExecutionEvent,
)
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.job import Job
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from sync.bootstrap import Pipeline
from sync.flows.cycle import FLOWS
from sync.ports.clock import Clock
from sync.scheduling.hints import Hints
from sync.scheduling.runner import Runner
from sync.settings import MIRRORS, Cron5, Trigger

log = structlog.get_logger()

FIRST_FLOWS = ("accounts", "orders")
"""What comes first of all that is due at a start, one after the other.

Who may see what, and whose orders may go in, comes before what they see and order.
Then the orders: a dozen mirrors that all begin at once take the machine, and whoever
has ordered waits longest.
"""

REQUESTS_EVERY_S = 1.0
HINTS_EVERY_S = 0.25
UPKEEP_EVERY_S = 86400.0
UPKEEP_AFTER = timedelta(minutes=10)
HEAD_START = timedelta(seconds=5)
"""How long what is due at the start waits for each of the first flows at most.

An ERP that hangs must not keep the orders from being read, nor they the mirrors.
"""


def scheduler_for(
    pipelines: Collection[Pipeline],
    runner: Runner,
    clock: Clock,
    *,
    threads: int,
    hints: Mapping[str, Hints] | None = None,
    head_start: timedelta = HEAD_START,
) -> BackgroundScheduler:
    """A scheduler with every job, not started yet.

    ``threads`` mirrors run at the same time; no flow beside itself. Orders, what
    people ask for, and the ``hints`` of stores (by pipeline) have threads of their
    own, so that none of them waits behind a full schedule: at a start every mirror
    is due at once, and may take minutes.
    """
    hints = hints or {}
    scheduler = BackgroundScheduler(
        timezone="UTC",
        executors={
            "default": ThreadPoolExecutor(threads),
            "orders": ThreadPoolExecutor(max(1, len(pipelines))),
            "requests": ThreadPoolExecutor(max(1, len(pipelines))),
            "hints": ThreadPoolExecutor(max(1, len(hints))),
        },
    )
    for pipeline in pipelines:
        hinted = pipeline.name in hints
        _add_flows(scheduler, runner, clock, pipeline, head_start, hinted=hinted)
        scheduler.add_job(
            runner.requests,
            IntervalTrigger(seconds=REQUESTS_EVERY_S, timezone="UTC"),
            args=[pipeline],
            id=f"{pipeline.name}/requests",
            executor="requests",
            coalesce=True,
            max_instances=1,
            misfire_grace_time=None,
        )
        if hinted:
            scheduler.add_job(
                runner.hinted,
                IntervalTrigger(seconds=HINTS_EVERY_S, timezone="UTC"),
                args=[pipeline, hints[pipeline.name]],
                id=f"{pipeline.name}/hints",
                executor="hints",
                coalesce=True,
                max_instances=1,
                misfire_grace_time=None,
            )
        scheduler.add_job(
            runner.upkeep,
            IntervalTrigger(seconds=UPKEEP_EVERY_S, timezone="UTC"),
            args=[pipeline],
            id=f"{pipeline.name}/upkeep",
            coalesce=True,
            max_instances=1,
            misfire_grace_time=None,
            # A service that is restarted every night would otherwise never come to it.
            next_run_time=clock.now() + UPKEEP_AFTER,
        )
    scheduler.add_listener(_missed, EVENT_JOB_MISSED)
    return scheduler


def first_run(
    pipeline: Pipeline, flow: str, trigger: Trigger, now: datetime, *, hinted: bool = False
) -> datetime | None:
    """Now, for what is due at the start; None where the schedule alone decides.

    A flow that runs every so many seconds is always due. One with set times is
    due when a time passed since its last run that was made, be it days ago; in
    a new installation it keeps to the hours that its administrator chose. A run
    for a part, by a hint say, is none that was made. Orders of which stores give
    hints (``hinted``) are always due: what was hinted at last was lost with the
    process before this one.
    """
    if not isinstance(trigger, Cron5) or (hinted and flow == "orders"):
        return now
    with pipeline.state.transaction() as state:
        runs = state.runs.last(flow, whole=True)
    if not runs:
        return None
    made = [run.started_at for run in runs if run.outcome in ("ok", "refused")]
    if not made:
        return now
    due = in_its_words(trigger).get_next_fire_time(None, max(made) + timedelta(seconds=1))
    return now if due is not None and due <= now else None


def mirror_soon(scheduler: BackgroundScheduler, pipeline: Pipeline, now: datetime) -> None:
    """Start a mirror of the pipeline at once, whatever the schedule says.

    For an edit of the mapping: what is shown of an account that has become a
    retail group must not wait for the next hour (WA-8), and every mirror
    withdraws that first. Nothing where all of them are off. Registrations are
    looked at as well: one that was approved waits for the mapping that names it.
    """
    jobs = (scheduler.get_job(f"{pipeline.name}/{flow}") for flow in MIRRORS)
    mirror = next((job for job in jobs if job is not None), None)
    for job in (mirror, scheduler.get_job(f"{pipeline.name}/registrations")):
        if job is not None:
            job.modify(next_run_time=now)


def clock_went_back(scheduler: BackgroundScheduler, back: timedelta, now: datetime) -> None:
    """Start everything as if the clock had always been right.

    The next starts were reckoned by the clock as it was: without this nothing would
    start until it shows that time again.
    """
    for job in scheduler.get_jobs():
        if job.next_run_time is None:
            continue
        due = job.trigger.get_next_fire_time(None, now) if _at_a_set_time(job) else None
        job.modify(next_run_time=due or job.next_run_time - back)


def _at_a_set_time(job: Job) -> bool:
    """Whether the next start is one of the schedule's own, not one that is made up for."""
    if not isinstance(job.trigger, CronTrigger):
        return False
    planned = job.next_run_time
    return bool(job.trigger.get_next_fire_time(None, planned) == planned)


def _add_flows(
    scheduler: BackgroundScheduler,
    runner: Runner,
    clock: Clock,
    pipeline: Pipeline,
    head_start: timedelta,
    *,
    hinted: bool,
) -> None:
    schedule = pipeline.settings.schedule
    triggers = {flow: found for flow in FLOWS if (found := schedule.trigger(flow)) is not None}
    due = {
        flow: first_run(pipeline, flow, trigger, clock.now(), hinted=hinted)
        for flow, trigger in triggers.items()
    }
    leading = [flow for flow in FIRST_FLOWS if due.get(flow) is not None]
    held: dict[str, dict[str, datetime]] = {flow: {} for flow in leading}
    for flow, first in due.items():
        before = leading[: leading.index(flow)] if flow in leading else leading
        if first is not None and before:
            first += head_start * len(before)
            held[before[-1]][f"{pipeline.name}/{flow}"] = first
        # A start that a busy or sleeping machine missed is made up for once.
        scheduler.add_job(
            runner.scheduled,
            in_its_words(triggers[flow]),
            args=[pipeline, flow],
            id=f"{pipeline.name}/{flow}",
            executor="orders" if flow == "orders" else "default",
            coalesce=True,
            max_instances=1,
            misfire_grace_time=max(1, round(schedule.misfire_grace_s)),
            # None would mean: never by itself.
            **({} if first is None else {"next_run_time": first}),
        )
    for flow, waiting in held.items():
        _release_after(scheduler, clock, f"{pipeline.name}/{flow}", waiting)


def _release_after(
    scheduler: BackgroundScheduler, clock: Clock, leader: str, held: Mapping[str, datetime]
) -> None:
    """Start what waits as soon as the first run of that job ended, however it did."""

    def start() -> None:
        for job_id, planned in held.items():
            job = scheduler.get_job(job_id)
            if job is not None and job.next_run_time == planned:
                job.modify(next_run_time=clock.now())

    def release(event: JobExecutionEvent) -> None:
        if event.job_id != leader:
            return
        scheduler.remove_listener(release)
        # Not in the thread of the run: a scheduler that shuts down waits for that one
        # and keeps its jobs locked meanwhile, so that neither would ever end.
        threading.Thread(target=start, name="release", daemon=True).start()

    scheduler.add_listener(release, EVENT_JOB_EXECUTED | EVENT_JOB_ERROR | EVENT_JOB_MISSED)


def in_its_words(trigger: Trigger) -> IntervalTrigger | CronTrigger:
    if isinstance(trigger, Cron5):
        return CronTrigger.from_crontab(trigger.fields, timezone=trigger.time_zone)
    return IntervalTrigger(seconds=trigger.seconds, timezone="UTC")


def _missed(event: JobExecutionEvent) -> None:
    log.error("run.missed", job=event.job_id, due=event.scheduled_run_time.isoformat())
