"""Reads the answer of a feed statement in batches, by the quickest way that there is.

Whatever the way, an answer that breaks off raises, and never looks like an end.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import ResourceClosedError

from erp_adapters.sql.bulk.batches import ROWS, Batch, of_rows
from erp_adapters.sql.queries import Query
from erp_adapters.sql.running import as_sqlalchemy_says


def batches(connection: Connection, query: Query) -> Iterator[Batch]:
    """All rows of that statement, within the transaction of this connection."""
    if (connection.dialect.name, connection.dialect.driver) == ("sqlite", "pysqlite"):
        return _by_sqlite(connection, query)
    return _through_sqlalchemy(connection, query)


def _by_sqlite(connection: Connection, query: Query) -> Iterator[Batch]:
    cursor = connection.connection.cursor()
    try:
        with as_sqlalchemy_says(connection):
            cursor.execute(query.sql.with_nulls())
        names = _names(query, cursor.description)
        while True:
            with as_sqlalchemy_says(connection):
                rows = cursor.fetchmany(ROWS)
            if not rows:
                return
            yield of_rows(names, rows)
    finally:
        cursor.close()


def _names(query: Query, description: Any) -> tuple[str, ...]:
    if description is None:
        raise ResourceClosedError(f"{query.name} answers no rows")
    return tuple(column[0] for column in description)


def _through_sqlalchemy(connection: Connection, query: Query) -> Iterator[Batch]:
    options = {"stream_results": True, "max_row_buffer": ROWS}
    with connection.execute(query.sql.ready(()), execution_options=options) as result:
        names = tuple(result.keys())
        while rows := result.fetchmany(ROWS):
            yield of_rows(names, rows)
