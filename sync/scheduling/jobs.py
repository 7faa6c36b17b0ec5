"""Which flow starts when: the settings in the words of the scheduler.

Jobs are kept in memory only, for a job store that pickles could be told to run
anything. What was due while no daemon ran is known from the runs in the state.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

import structlog
from apscheduler.events import EVENT_JOB_MISSED, JobExecutionEvent
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from sync.bootstrap import Pipeline
from sync.flows.cycle import FLOWS
from sync.ports.clock import Clock
from sync.scheduling.runner import Runner
from sync.settings import MIRRORS, Cron5, Trigger

log = structlog.get_logger()

REQUESTS_EVERY_S = 1.0


def scheduler_for(
    pipelines: Collection[Pipeline], runner: Runner, clock: Clock, *, threads: int
) -> BackgroundScheduler:
    """A scheduler with every job, not started yet.

    ``threads`` flows run at the same time; none of them beside itself. What
    people ask for has threads of its own, so that it never waits behind a full
    schedule.
    """
    scheduler = BackgroundScheduler(
        timezone="UTC",
        executors={
            "default": ThreadPoolExecutor(threads),
            "requests": ThreadPoolExecutor(max(1, len(pipelines))),
        },
    )
    for pipeline in pipelines:
        _add_flows(scheduler, runner, clock, pipeline)
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
    scheduler.add_listener(_missed, EVENT_JOB_MISSED)
    return scheduler


def first_run(pipeline: Pipeline, flow: str, trigger: Trigger, now: datetime) -> datetime | None:
    """Now, for what is due at the start; None where the schedule alone decides.

    A flow that runs every so many seconds is always due. One with set times is
    due when a time passed since its last run that was made, be it days ago; in
    a new installation it keeps to the hours that its administrator chose.
    """
    if not isinstance(trigger, Cron5):
        return now
    with pipeline.state.transaction() as state:
        runs = state.runs.last(flow)
    if not runs:
        return None
    made = [run.started_at for run in runs if run.outcome in ("ok", "refused")]
    if not made:
        return now
    due = _in_its_words(trigger).get_next_fire_time(None, max(made) + timedelta(seconds=1))
    return now if due is not None and due <= now else None


def mirror_soon(scheduler: BackgroundScheduler, pipeline: Pipeline, now: datetime) -> None:
    """Start a mirror of the pipeline at once, whatever the schedule says.

    For an edit of the mapping: what is shown of an account that has become a
    retail group must not wait for the next hour (WA-8), and every mirror
    withdraws that first. Nothing where all of them are off.
    """
    for flow in MIRRORS:
        job = scheduler.get_job(f"{pipeline.name}/{flow}")
        if job is not None:
            job.modify(next_run_time=now)
            return


def _add_flows(
    scheduler: BackgroundScheduler, runner: Runner, clock: Clock, pipeline: Pipeline
) -> None:
    schedule = pipeline.settings.schedule
    for flow in FLOWS:
        trigger = schedule.trigger(flow)
        if trigger is None:
            continue
        first = first_run(pipeline, flow, trigger, clock.now())
        # A start that a busy or sleeping machine missed is made up for once.
        scheduler.add_job(
            runner.scheduled,
            _in_its_words(trigger),
            args=[pipeline, flow],
            id=f"{pipeline.name}/{flow}",
            coalesce=True,
            max_instances=1,
            misfire_grace_time=max(1, round(schedule.misfire_grace_s)),
            # None would mean: never by itself.
            **({} if first is None else {"next_run_time": first}),
        )


def _in_its_words(trigger: Trigger) -> IntervalTrigger | CronTrigger:
    if isinstance(trigger, Cron5):
        return CronTrigger.from_crontab(trigger.fields, timezone=trigger.time_zone)
    return IntervalTrigger(seconds=trigger.seconds, timezone="UTC")


def _missed(event: JobExecutionEvent) -> None:
    log.error("run.missed", job=event.job_id, due=event.scheduled_run_time.isoformat())
