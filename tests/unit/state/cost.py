"""What is done on SQLite, counted in its own instructions and not in seconds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine, event


def instructions(engine: Engine, work: Callable[[], object]) -> int:
    """In hundreds of virtual machine steps."""
    spent = 0

    def count() -> int:
        nonlocal spent
        spent += 1
        return 0

    def watch(connection: Any, *_rest: object) -> None:
        connection.set_progress_handler(count, 100)

    event.listen(engine, "checkout", watch)
    work()
    event.remove(engine, "checkout", watch)
    return spent
