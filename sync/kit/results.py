"""Reads every answer of a statement, so that no error hides behind the first one.

A procedure of SQL Server or MySQL may answer several times, and refuse at the end:
rows counted, a record shown, then "The period is closed". Drivers give the first
answer and keep the rest for ``nextset``, where SQLAlchemy does not look; it closes
the cursor and swallows what comes up then. An order would be committed that its
ERP refused.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.engine.cursor import FullyBufferedCursorFetchStrategy


def read_to_the_end(engine: Engine) -> None:
    """For engines that write: the first answer is kept, the others are looked at for errors."""

    def finish(
        connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool
    ) -> None:
        if not hasattr(cursor, "nextset"):
            return
        # Both are gone once the cursor has moved on.
        context._rowcount = cursor.rowcount
        if cursor.description is not None:
            context.cursor_fetch_strategy = FullyBufferedCursorFetchStrategy(
                cursor,
                alternate_description=cursor.description,
                initial_buffer=deque(cursor.fetchall()),
            )
        while cursor.nextset():
            pass

    event.listen(engine, "after_cursor_execute", finish)
