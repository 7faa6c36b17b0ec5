"""The daemon's life: become the writer, resume, run by schedule, stop gracefully."""

from __future__ import annotations

import signal
import threading
from collections.abc import Mapping
from datetime import timedelta
from queue import Empty, SimpleQueue

import structlog
from apscheduler.schedulers.background import BackgroundScheduler

from sync.bootstrap import Installation, Pipeline, open_installation, state_address
from sync.errors import StateInUse, SyncError, TryLater
from sync.flows.orders.records import look_again_after_s
from sync.scheduling.clock import SetBack, SystemClock
from sync.scheduling.jobs import clock_went_back, mirror_soon, scheduler_for
from sync.scheduling.notify import Notifier
from sync.scheduling.pulse import Pulse
from sync.scheduling.receiver import listening
from sync.scheduling.runner import Runner
from sync.settings import Settings
from sync.state.lock import WriterLock, hold_writer_lock

log = structlog.get_logger()

# A command that asks whether the service runs holds the writer's lock for a moment.
LOCK_WAIT_S = 2.0

SIGNAL_S = 0.5
"""A signal that arrives just before the wait for the next word, or at another thread, is handled
when that wait ends: so long at most."""
STOP, RELOAD, TICK = "stop", "reload", "tick"


class Daemon:
    """Runs the pipelines of a site until it is told to stop."""

    def __init__(
        self, settings: Settings, environ: Mapping[str, str], pulse: Pulse | None = None
    ) -> None:
        self._settings = settings
        self._stop = threading.Event()
        # A signal arrives anywhere in the main thread, which may hold an event's
        # lock just then; this queue is made to be filled from there.
        self._words: SimpleQueue[str] = SimpleQueue()
        self._clock = SystemClock(self._stop)
        self._notifier = Notifier(environ)
        self._told = ""
        self._pulse = pulse or Pulse(self._clock, idle_s=60.0)

    def stop(self) -> None:
        """Ask for a graceful stop; safe to call from a signal handler."""
        self._words.put(STOP)

    def reload(self) -> None:
        """Ask for the mapping files to be read again; safe to call from a signal handler."""
        self._words.put(RELOAD)

    def run(self) -> bool:
        """Until stopped; False where flows were still busy after ``stop_grace_s``.

        Threads of such flows are left behind: the process must end without
        waiting for them, which is as safe as any other sudden end. Raises
        StateInUse, Misconfigured, AccessDenied and TryLater at the start, and
        TryLater when the writer's lock is lost.
        """
        with (
            self._become_writer() as lock,
            open_installation(self._settings, self._clock) as installation,
            listening(installation, self._clock) as hints,
        ):
            self._resume(installation, predecessor_is_gone=lock.ends_with_its_process)
            scheduler = scheduler_for(
                installation.pipelines.values(),
                Runner(self._pulse, self._stop),
                self._clock,
                threads=self._settings.service.worker_threads,
                hints=hints,
            )
            set_back = SetBack(self._clock)
            scheduler.start()
            log.info("daemon.started", pipelines=sorted(installation.pipelines))
            self._told = _status(installation)
            self._notifier.ready(self._told)
            try:
                while (word := self._next_word()) != STOP:
                    if not lock.still_held():
                        raise TryLater("the connection that holds the writer's lock was lost")
                    self._keep_time(set_back, scheduler)
                    self._look_after(installation, scheduler, reload=word == RELOAD)
            finally:
                ended = self._wind_down(scheduler)
        return ended

    def _become_writer(self) -> WriterLock:
        give_up_at = self._clock.monotonic() + LOCK_WAIT_S
        while True:
            try:
                return hold_writer_lock(state_address(self._settings))
            except StateInUse:
                if self._clock.monotonic() >= give_up_at:
                    raise
            self._clock.sleep(0.1)

    def _next_word(self) -> str:
        left = self._tick_s()
        while left > 0:
            try:
                return self._words.get(timeout=min(left, SIGNAL_S))
            except Empty:
                left -= SIGNAL_S
        return TICK

    def _wind_down(self, scheduler: BackgroundScheduler) -> bool:
        """Let running flows finish the change in hand; whether all did so in time."""
        self._notifier.stopping()
        self._stop.set()
        ended = threading.Event()

        def shut_down() -> None:
            scheduler.shutdown(wait=True)
            ended.set()

        threading.Thread(target=shut_down, name="shutdown", daemon=True).start()
        if ended.wait(self._settings.service.stop_grace_s):
            log.info("daemon.stopped")
            return True
        log.error("daemon.stopped_hard", still_running=self._pulse.running())
        return False

    def listen_to_signals(self) -> None:
        """SIGTERM and SIGINT stop, SIGHUP reads the mapping again."""
        signal.signal(signal.SIGTERM, lambda *_: self.stop())
        signal.signal(signal.SIGINT, lambda *_: self.stop())
        signal.signal(signal.SIGHUP, lambda *_: self.reload())

    def _resume(self, installation: Installation, *, predecessor_is_gone: bool) -> None:
        """Take over what a process that is gone left behind.

        As the only writer, whatever was running is not running any more. Orders
        that may be in the ERP keep the moment from which they are looked up. If
        the process is known to be gone, that is no later than the ERP's own
        time-outs from now on: it can have begun nothing after this.
        """
        for pipeline in installation.pipelines.values():
            pipeline.mapping.current()
            now = self._clock.now()
            wait = timedelta(seconds=look_again_after_s(pipeline.context()))
            settled_at = now + wait if predecessor_is_gone else None
            with pipeline.state.transaction() as state:
                orders = state.ledger.release_expired(now, settled_at)
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

    def _keep_time(self, set_back: SetBack, scheduler: BackgroundScheduler) -> None:
        back = set_back.since_last()
        if back is not None:
            log.warning("clock.set_back", seconds=round(back.total_seconds(), 1))
            clock_went_back(scheduler, back, self._clock.now())

    def _look_after(
        self, installation: Installation, scheduler: BackgroundScheduler, *, reload: bool
    ) -> None:
        if reload:
            self._notifier.reloading()
        changed = [
            pipeline
            for pipeline in installation.pipelines.values()
            if self._reloaded(pipeline, forced=reload)
        ]
        for pipeline in changed:
            mirror_soon(scheduler, pipeline, self._clock.now())
        told = _status(installation)
        if reload:
            self._notifier.ready(told)
        elif told != self._told:
            self._notifier.status(told)
        self._told = told
        stalled = self._pulse.stalled() if self._settings.service.watchdog else None
        if stalled is None:
            self._notifier.alive()
        else:
            log.error("daemon.stalled", reason=stalled)

    def _reloaded(self, pipeline: Pipeline, *, forced: bool) -> bool:
        """Read the mapping files again if that is called for; whether they were read."""
        try:
            if forced:
                pipeline.mapping.reload()
            elif not pipeline.mapping.reload_if_edited(at_rest=True):
                return False
        except SyncError as error:
            # What is in force stays in force; the folder is looked at again.
            log.error("mapping.reload_failed", pipeline=pipeline.name, message=str(error))
            return False
        loaded, _ = pipeline.mapping.current()
        log.info(
            "mapping.in_force",
            pipeline=pipeline.name,
            version=loaded.version,
            newer_refused=loaded.from_last_good,
        )
        return True

    def _tick_s(self) -> float:
        poll = self._settings.service.mapping_poll_s
        watchdog = self._notifier.watchdog_s
        return poll if watchdog is None else min(poll, watchdog / 4)


def _status(installation: Installation) -> str:
    told = []
    for name, pipeline in sorted(installation.pipelines.items()):
        loaded, _ = pipeline.mapping.current()
        refused = ", a newer mapping is refused" if loaded.from_last_good else ""
        told.append(f"{name} on mapping {loaded.version}{refused}")
    for _, watch in sorted(installation.watches.items()):
        record = watch.record()
        if record.degraded:
            told.append(f"{record.name} is {record.condition.value} since {record.since:%H:%M} UTC")
        if record.clock_is_off:
            told.append(f"the clock of {record.name} is off")
    return "running " + "; ".join(told)
