"""The daemon's life: become the writer, resume, run by schedule, stop gracefully."""

from __future__ import annotations

import signal
import threading
from collections.abc import Mapping

import structlog
from apscheduler.events import EVENT_JOB_MISSED, JobExecutionEvent
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from sync.bootstrap import Installation, Pipeline, open_installation, state_address
from sync.errors import SyncError
from sync.flows.cycle import FLOWS
from sync.scheduling.clock import SystemClock
from sync.scheduling.notify import Notifier
from sync.scheduling.pulse import Pulse
from sync.scheduling.runner import Runner
from sync.settings import Cron5, Settings, Trigger
from sync.state.lock import hold_writer_lock

log = structlog.get_logger()

REQUESTS_EVERY_S = 1.0


class Daemon:
    """Runs the pipelines of a site until it is told to stop."""

    def __init__(self, settings: Settings, environ: Mapping[str, str]) -> None:
        self._settings = settings
        self._stop = threading.Event()
        self._reload = threading.Event()
        self._woken = threading.Event()
        self._clock = SystemClock(self._stop)
        self._notifier = Notifier(environ)
        self._pulse = Pulse(self._clock, idle_s=60.0)

    def stop(self) -> None:
        """Ask for a graceful stop; safe to call from a signal handler."""
        self._stop.set()
        self._woken.set()

    def reload(self) -> None:
        """Ask for the mapping files to be read again."""
        self._reload.set()
        self._woken.set()

    def run(self) -> None:
        """Until stopped. Raises StateInUse, Misconfigured, AccessDenied at the start."""
        with (
            hold_writer_lock(state_address(self._settings)) as lock,
            open_installation(self._settings, self._clock) as installation,
        ):
            self._resume(installation)
            scheduler = self._scheduler(installation)
            scheduler.start()
            log.info("daemon.started", pipelines=sorted(installation.pipelines))
            self._notifier.ready(_status(installation))
            try:
                while not self._stop.is_set():
                    self._woken.wait(self._tick_s())
                    self._woken.clear()
                    if self._stop.is_set():
                        break
                    if not lock.still_held():
                        log.error("daemon.lock_lost")
                        break
                    self._look_after(installation)
            finally:
                self._notifier.stopping()
                self._stop.set()
                scheduler.shutdown(wait=True)
                log.info("daemon.stopped")

    def listen_to_signals(self) -> None:
        """SIGTERM and SIGINT stop, SIGHUP reads the mapping again."""
        signal.signal(signal.SIGTERM, lambda *_: self.stop())
        signal.signal(signal.SIGINT, lambda *_: self.stop())
        signal.signal(signal.SIGHUP, lambda *_: self.reload())

    def _resume(self, installation: Installation) -> None:
        """Take over what a process that is gone left behind.

        As the only writer, whatever was running is not running any more. Orders
        that may be in the ERP keep the moment from which they are looked up.
        """
        for pipeline in installation.pipelines.values():
            pipeline.mapping.current()
            now = self._clock.now()
            with pipeline.state.transaction() as state:
                orders = state.ledger.release_expired(now)
                runs = state.runs.abandon_running(now)
                requests = state.requests.requeue_running()
            if orders or runs or requests:
                log.warning(
                    "daemon.resumed",
                    pipeline=pipeline.name,
                    orders=orders,
                    runs=runs,
                    requests=requests,
                )

    def _scheduler(self, installation: Installation) -> BackgroundScheduler:
        """Jobs in memory only: a job store that pickles could be told to run anything."""
        threads = self._settings.service.worker_threads
        scheduler = BackgroundScheduler(
            timezone="UTC",
            executors={
                "default": ThreadPoolExecutor(threads),
                # Requests of people must not wait behind a full schedule.
                "requests": ThreadPoolExecutor(max(1, len(installation.pipelines))),
            },
        )
        runner = Runner(self._pulse, self._stop)
        for pipeline in installation.pipelines.values():
            self._add_flows(scheduler, runner, pipeline)
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

    def _add_flows(
        self, scheduler: BackgroundScheduler, runner: Runner, pipeline: Pipeline
    ) -> None:
        schedule = pipeline.settings.schedule
        for flow in FLOWS:
            trigger = schedule.trigger(flow)
            if trigger is None:
                continue
            # A start that a busy or sleeping machine missed is made up for once.
            scheduler.add_job(
                runner.scheduled,
                _aps_trigger(trigger),
                args=[pipeline, flow],
                id=f"{pipeline.name}/{flow}",
                coalesce=True,
                max_instances=1,
                misfire_grace_time=max(1, round(schedule.misfire_grace_s)),
                # Catch up at once after a start, whatever was missed while away.
                **({} if isinstance(trigger, Cron5) else {"next_run_time": self._clock.now()}),
            )

    def _look_after(self, installation: Installation) -> None:
        if self._reload.is_set():
            self._reload.clear()
            self._notifier.reloading()
            for pipeline in installation.pipelines.values():
                self._reloaded(pipeline, forced=True)
            self._notifier.ready(_status(installation))
        else:
            for pipeline in installation.pipelines.values():
                self._reloaded(pipeline, forced=False)
        stalled = self._pulse.stalled()
        if stalled is None:
            self._notifier.alive()
        else:
            log.error("daemon.stalled", reason=stalled)

    def _reloaded(self, pipeline: Pipeline, *, forced: bool) -> None:
        try:
            if forced:
                pipeline.mapping.reload()
            elif not pipeline.mapping.reload_if_edited():
                return
        except SyncError as error:
            # What is in force stays in force; the folder is looked at again.
            log.error("mapping.reload_failed", pipeline=pipeline.name, message=str(error))
            return
        loaded, _ = pipeline.mapping.current()
        log.info(
            "mapping.in_force",
            pipeline=pipeline.name,
            version=loaded.version,
            newer_refused=loaded.from_last_good,
        )

    def _tick_s(self) -> float:
        poll = self._settings.service.mapping_poll_s
        watchdog = self._notifier.watchdog_s
        return poll if watchdog is None else min(poll, watchdog / 4)


def _aps_trigger(trigger: Trigger) -> IntervalTrigger | CronTrigger:
    if isinstance(trigger, Cron5):
        return CronTrigger.from_crontab(trigger.fields, timezone=trigger.time_zone)
    return IntervalTrigger(seconds=trigger.seconds, timezone="UTC")


def _missed(event: JobExecutionEvent) -> None:
    log.error("run.missed", job=event.job_id, due=event.scheduled_run_time.isoformat())


def _status(installation: Installation) -> str:
    names = ", ".join(sorted(installation.pipelines))
    return f"running {names}"
