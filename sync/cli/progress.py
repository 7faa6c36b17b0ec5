"""How far a run is: a bar on the terminal, and in words for ``status``.

A bar is drawn nowhere but on a terminal: output that goes to a file has none.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

    from rich.console import Console
    from rich.progress import Progress

    from sync.ports.state import RunRecord, RunStep

SPEED_OVER_S = 600.0
"""How long it takes yet is told by the last minutes: steps may tell themselves once in one."""


@contextmanager
def terminal_progress(*, enabled: bool = True) -> Iterator[Any]:
    """A ``Progress`` of the flows that draws on stderr. It never asks to stop."""
    if not enabled or not sys.stderr.isatty():
        yield _silent
        return
    from rich.console import Console

    with a_bar(Console(stderr=True), transient=True) as bar:
        tasks: dict[str, Any] = {}

        def told(step: str, done: int, total: int | None) -> bool:
            if step not in tasks:
                tasks[step] = bar.add_task(step, total=total)
            bar.update(tasks[step], completed=done, total=total)
            return False

        yield told


def a_bar(console: Console, **given: Any) -> Progress:
    """For each step: how far it is, how long it took, and how long it takes yet."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console, speed_estimate_period=SPEED_OVER_S, **given)


def steps_text(run: RunRecord, now: datetime) -> str:
    """How far a run is that has not ended; empty where it has told nothing yet."""
    return "; ".join(_step_text(each, run.flow, now) for each in run.steps)


def _step_text(step: RunStep, flow: str, now: datetime) -> str:
    name = step.name.removeprefix(f"{flow}: ")
    of = f" of {step.total:,}" if step.total is not None else ""
    left = step.left(now)
    return f"{name} {step.done:,}{of}" + (f", about {_long(left)} left" if left else "")


def _long(left: timedelta) -> str:
    seconds = round(left.total_seconds())
    if seconds < 60:
        return f"{seconds} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _silent(_step: str, _done: int, _total: int | None) -> bool:
    return False
