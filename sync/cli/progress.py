"""A progress bar on the terminal; nothing at all where output goes to a file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def terminal_progress(*, enabled: bool = True) -> Iterator[Any]:
    """A ``Progress`` of the flows that draws on stderr. It never asks to stop."""
    if not enabled or not sys.stderr.isatty():
        yield _silent
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, Any] = {}

        def told(step: str, done: int, total: int | None) -> bool:
            if step not in tasks:
                tasks[step] = bar.add_task(step, total=total)
            bar.update(tasks[step], completed=done, total=total)
            return False

        yield told


def _silent(_step: str, _done: int, _total: int | None) -> bool:
    return False
