"""Makes erased text leave the database's files too (OP-9).

A row that was overwritten lives on in free pages, in slack space and in the log.
SQLite writes the whole file anew and then empties its log; PostgreSQL writes the
tables anew, and what its own log and archive still hold is the administrator's.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from sqlalchemy import Engine, text
from sqlalchemy.engine import URL

from sync.errors import TryLater
from sync.state.engine import sqlite_file
from sync.state.errors import translated
from sync.state.schema import metadata


def purge(engine: Engine) -> None:
    """Write the state anew, without what was deleted or overwritten in it.

    A daemon that runs waits meanwhile, or makes this wait. Raises TryLater where
    it could not be done: what was erased is still erased, and may be purged later.
    """
    with translated():
        if engine.dialect.name == "sqlite":
            _purge_sqlite(engine)
        else:
            _purge_postgresql(engine)


def copies_of(url: URL) -> list[Path]:
    """States that were replaced and kept beside the one at ``url``: they were not erased in."""
    file = sqlite_file(url)
    return [] if file is None else sorted(file.parent.glob(f"{file.name}.replaced-*"))


def _purge_sqlite(engine: Engine) -> None:
    # Below the engine's transactions: within one there is no VACUUM.
    with closing(engine.raw_connection()) as connection, closing(connection.cursor()) as cursor:
        cursor.execute("PRAGMA auto_vacuum=INCREMENTAL")
        cursor.execute("VACUUM")
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        told = cursor.fetchone()
    if told is None or told[0] != 0:
        raise TryLater(
            "the state's log could not be emptied, somebody reads the state all the time; "
            "what was erased may stand in it until the same command is run again"
        )


def _purge_postgresql(engine: Engine) -> None:
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        for table in metadata.sorted_tables:
            connection.execute(text(f'VACUUM (FULL) "{table.name}"'))
