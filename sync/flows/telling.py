"""How far a run is, kept in the state now and then, so that ``status`` can tell."""

from __future__ import annotations

from dataclasses import replace

import structlog

from sync.errors import SyncError
from sync.flows.context import Context
from sync.ports.state import RunStep

TOLD_EVERY_S = 1.0
"""It is written no more often than this, and not at all of a run that is shorter."""

log = structlog.get_logger()


class Telling:
    """The ``Progress`` of one recorded run: it passes everything on."""

    def __init__(self, context: Context, run_id: str) -> None:
        self._context, self._run_id = context, run_id
        self._steps: dict[str, RunStep] = {}
        self._told_at = context.clock.monotonic()

    def __call__(self, step: str, done: int, total: int | None) -> bool:
        now = self._context.clock.now()
        known = self._steps.get(step)
        if known is None or done < known.done:
            self._steps[step] = RunStep(step, done, total, done, now, now)
        else:
            self._steps[step] = replace(known, done=done, total=total, told_at=now)
        self._keep()
        return self._context.progress(step, done, total)

    def _keep(self) -> None:
        now = self._context.clock.monotonic()
        if now - self._told_at < TOLD_EVERY_S:
            return
        self._told_at = now
        try:
            with self._context.state.transaction() as state:
                state.runs.tell(self._run_id, tuple(self._steps.values()))
        except SyncError as error:
            # Nobody's work waits for what only shows how far it is.
            log.warning("run.progress_not_kept", message=str(error))
