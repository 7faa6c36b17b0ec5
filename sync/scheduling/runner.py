"""Runs flows for the daemon: never two of the same at once, always with progress."""

from __future__ import annotations

import math
import threading

import structlog

from sync.bootstrap import Pipeline, limits_of
from sync.errors import Misconfigured, SyncError
from sync.flows.context import FlowResult, Progress
from sync.flows.cycle import FLOWS, run_flow
from sync.flows.narrowing import flows_of
from sync.flows.upkeep import reduce_payloads
from sync.ports.state import RequestState, ResyncRequest, ResyncScope
from sync.scheduling.hints import Hints
from sync.scheduling.pulse import Pulse
from sync.settings import MIRRORS
from sync.systems import keep_records

log = structlog.get_logger()

# A request's progress is written at most this often, so that it costs nothing.
TOLD_EVERY_S = 1.0
TOLD = 50
"""Changes and remarks that the answer to a request names; of the others it says how many."""


class Runner:
    """One for the daemon; its methods are what the scheduler's threads call."""

    def __init__(self, pulse: Pulse, stop: threading.Event) -> None:
        self._pulse, self._stop = pulse, stop
        self._guard = threading.Lock()
        self._busy: dict[tuple[str, str], threading.Lock] = {}

    def scheduled(self, pipeline: Pipeline, flow: str) -> None:
        """A start by the clock; skipped while the same flow still runs."""
        lock = self._lock(pipeline, flow)
        if self._stop.is_set():
            return
        if not lock.acquire(blocking=False):
            log.info("run.skipped", pipeline=pipeline.name, flow=flow, reason="still running")
            return
        try:
            self._run(pipeline, flow)
        finally:
            lock.release()

    def requests(self, pipeline: Pipeline) -> None:
        """Take what people asked for, one request after the other.

        Each look into the state is a beat of the pulse, also one that finds the
        state away: that is known, and looked at again. Only one that hangs is not.
        """
        try:
            while not self._stop.is_set():
                with pipeline.state.transaction() as state:
                    request = state.requests.next(pipeline.clock.now())
                self._pulse.beat()
                if request is None:
                    return
                self._requested(pipeline, request)
        except SyncError as error:
            self._pulse.beat()
            log.error("requests.unreadable", pipeline=pipeline.name, message=str(error))

    def hinted(self, pipeline: Pipeline, hints: Hints) -> None:
        """Import what the store said has news, as soon as no other import runs.

        What comes of it is recorded like any run; when it fails nothing is kept,
        because the next poll finds the same orders.
        """
        while not self._stop.is_set() and (news := hints.take()) is not None:
            lock = self._lock(pipeline, "orders")
            while not lock.acquire(timeout=1.0):
                if self._stop.is_set():
                    return
            try:
                scope = ResyncScope() if news.overflowed else ResyncScope(hinted=news.orders)
                result = self._run(pipeline, "orders", scope)
            finally:
                lock.release()
            if result.outcome != "ok":
                return

    def upkeep(self, pipeline: Pipeline) -> None:
        """Once a day: what an order that is done says of people is taken out of the state."""
        run = f"{pipeline.name}/upkeep"
        self._pulse.progress(run)
        try:
            reduce_payloads(
                pipeline.state,
                pipeline.clock,
                limits_of(pipeline.settings).orders,
                self._progress(pipeline, run, None),
            )
        except SyncError as error:
            # Tomorrow is soon enough.
            log.error("upkeep.failed", pipeline=pipeline.name, message=str(error))
        finally:
            self._pulse.ended(run)

    def _requested(self, pipeline: Pipeline, request: ResyncRequest) -> None:
        try:
            flows = flows_of(request.flow, list(FLOWS), request.scope, without=pipeline.given_up)
        except Misconfigured as error:
            told = FlowResult(request.flow, "failed", message=str(error), misconfigured=True)
            self._answer(pipeline, request, [told])
            return
        for watch in pipeline.watches:
            # Whoever asks may have put right what was wrong.
            watch.let_one_try()
        results: list[FlowResult] = []
        for flow in flows:
            lock = self._lock(pipeline, flow)
            while not lock.acquire(timeout=1.0):
                if self._stop.is_set():
                    return
            try:
                results.append(self._run(pipeline, flow, request.scope, request))
            finally:
                lock.release()
            if results[-1].outcome == "cancelled":
                break
            if self._stop.is_set() and len(results) < len(flows):
                return
        if self._stop.is_set() and results[-1].outcome == "cancelled":
            # Not finished, not failed: after a restart it is begun again.
            return
        self._answer(pipeline, request, results)

    def _answer(
        self, pipeline: Pipeline, request: ResyncRequest, results: list[FlowResult]
    ) -> None:
        counts: dict[str, int] = {}
        for result in results:
            for name, number in result.counts.items():
                counts[name] = counts.get(name, 0) + number
        bad = [result for result in results if result.outcome not in ("ok", "cancelled")]
        for result in bad:
            # Whoever asked ends with the exit status that this calls for.
            how = f"flow_{'misconfigured' if result.misconfigured else result.outcome}"
            counts[how] = counts.get(how, 0) + 1
        message = "; ".join(result.message for result in bad)
        ended = RequestState.FAILED if bad else RequestState.DONE
        if any(result.outcome == "cancelled" for result in results):
            ended = RequestState.CANCELLED
        lines = [line for result in results for line in (*result.samples, *result.remarks)]
        more = len(lines[TOLD:]) + sum(result.unnamed for result in results)
        told = "\n".join((message, *lines[:TOLD], *([f"... and {more} more"] if more else [])))
        with pipeline.state.transaction() as state:
            state.requests.finish(
                request.request_id, ended, told.strip(), counts, pipeline.clock.now()
            )

    def _run(
        self,
        pipeline: Pipeline,
        flow: str,
        scope: ResyncScope | None = None,
        request: ResyncRequest | None = None,
    ) -> FlowResult:
        run = f"{pipeline.name}/{flow}"
        self._pulse.progress(run)
        progress = self._progress(pipeline, run, request)
        try:
            return self._by_the_newest_mapping(pipeline, flow, scope, progress)
        except SyncError as error:
            # Nothing to run on, such as no usable mapping: told, and tried again.
            log.error("run.failed", pipeline=pipeline.name, flow=flow, message=str(error))
            misconfigured = isinstance(error, Misconfigured)
            return FlowResult(flow, "failed", message=str(error), misconfigured=misconfigured)
        except Exception as error:
            log.exception("run.crashed", pipeline=pipeline.name, flow=flow)
            return FlowResult(flow, "failed", message=f"{type(error).__name__}: see the log")
        finally:
            self._pulse.ended(run)
            _remember_systems(pipeline)

    def _by_the_newest_mapping(
        self, pipeline: Pipeline, flow: str, scope: ResyncScope | None, progress: Progress
    ) -> FlowResult:
        """Run the flow; a mirror once more where the mapping was edited meanwhile.

        It may have written what another flow withdrew by the newer mapping: the
        invoices of an account that has become a retail group, say.
        """
        context = pipeline.context(progress)
        result = run_flow(context, flow, scope)
        while flow in MIRRORS and result.outcome != "cancelled" and not self._stop.is_set():
            newer = pipeline.context(progress)
            if newer.mapping.version == context.mapping.version and (
                newer.mapping.retail_groups == context.mapping.retail_groups
            ):
                break
            context = newer
            again = run_flow(context, flow, scope)
            for name, number in result.counts.items():
                again.count(name, number)
            again.remarks[:0] = result.remarks
            again.samples[:0] = result.samples
            again.unnamed += result.unnamed
            result = again
        return result

    def _progress(self, pipeline: Pipeline, run: str, request: ResyncRequest | None) -> Progress:
        told_at = -math.inf
        cancelled = False

        def progress(step: str, done: int, total: int | None) -> bool:
            nonlocal told_at, cancelled
            self._pulse.progress(run)
            now = pipeline.clock.monotonic()
            if request is not None and now - told_at >= TOLD_EVERY_S:
                told_at = now
                with pipeline.state.transaction() as state:
                    cancelled = state.requests.progress(request.request_id, done, total)
            return cancelled or self._stop.is_set()

        return progress

    def _lock(self, pipeline: Pipeline, flow: str) -> threading.Lock:
        with self._guard:
            return self._busy.setdefault((pipeline.name, flow), threading.Lock())


def _remember_systems(pipeline: Pipeline) -> None:
    """Let ``status`` know how the systems are. A state that is away is told elsewhere."""
    try:
        keep_records(pipeline.state, pipeline.watches)
    except SyncError as error:
        log.warning("systems.not_recorded", pipeline=pipeline.name, message=str(error))
