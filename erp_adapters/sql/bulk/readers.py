"""Reads the answer of a feed statement in batches, by the quickest way that there is.

Whatever the way, an answer that breaks off raises, and never looks like an end.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, TextClause

from erp_adapters.sql.bulk.batches import ROWS, Batch, names_of, of_rows
from erp_adapters.sql.bulk.odbc import by_arrow_odbc
from erp_adapters.sql.bulk.postgresql import by_adbc, by_psycopg, spelled_out
from erp_adapters.sql.database import Database
from erp_adapters.sql.moments import get_at, may_lend, see
from erp_adapters.sql.price_sums import NO_LIMIT
from erp_adapters.sql.queries import Query
from erp_adapters.sql.running import as_sqlalchemy_says
from sync.kit.engines import odbc_session


def batches(
    connection: Connection, query: Query, database: Database, snapshot: str | None = None
) -> Generator[Batch, None, None]:
    """All rows of that statement, as a reading connection of that database sees them.

    ``snapshot``: what this connection sees, by its server's name for it.

    To be closed before the connection is, by whoever does not read it to its end.
    """
    yield from _by_the_quickest_way(connection, query, database, snapshot)


def batches_with(
    connection: Connection, query: Query, given: Mapping[str, Any]
) -> Generator[Batch, None, None]:
    """The same of a statement that has parameters, by whatever driver it is."""
    clause = query.sql.ready({name for name, value in given.items() if value is not None})
    ours = may_lend(connection.dialect)
    if ours:
        # Whoever had to wait for a table that was filled anew must not see it empty.
        see(connection, None)
    for parameters in query.executions(given):
        if ours:
            get_at(connection, spelled_out(connection, clause, parameters))
        yield from _executed(connection, clause, parameters)


def batches_of_many(
    connection: Connection, query: Query, given: Mapping[str, Any], snapshot: str | None = None
) -> Generator[Batch, None, None]:
    """The same out of PostgreSQL where much is told, so that it may take as long as it takes."""
    clause = query.sql.ready({name for name, value in given.items() if value is not None})
    begun = False
    for parameters in query.executions(given):
        sql = spelled_out(connection, clause, parameters) if may_lend(connection.dialect) else None
        found = by_adbc(connection, query, snapshot, sql) if sql is not None else None
        if found is not None:
            yield from found
            continue
        # Where another connection reads, this one begins no transaction: the server would end it.
        if not begun:
            # Through psqlODBC something has been asked by then, and no snapshot is lent.
            if sql is not None:
                see(connection, snapshot)
            connection.exec_driver_sql(NO_LIMIT)
            begun = True
        if sql is not None:
            get_at(connection, sql)
        yield from _executed(connection, clause, parameters)


def _by_the_quickest_way(
    connection: Connection, query: Query, database: Database, snapshot: str | None
) -> Iterator[Batch]:
    match connection.dialect.name, connection.dialect.driver:
        case "sqlite", "pysqlite":
            return _by_sqlite(connection, query)
        case "postgresql", "psycopg":
            found = by_adbc(connection, query, snapshot)
            if found is not None:
                return found
            see(connection, snapshot)
            return by_psycopg(connection, query)
        case name, "pyodbc" if name != "sqlite":
            session = odbc_session(database.settings.url, database.options(read_only=True))
            found = by_arrow_odbc(connection, query, session)
            if found is not None:
                return found
    return _through_sqlalchemy(connection, query)


def _by_sqlite(connection: Connection, query: Query) -> Iterator[Batch]:
    cursor = connection.connection.cursor()
    try:
        with as_sqlalchemy_says(connection):
            cursor.execute(query.sql.with_nulls())
        names = names_of(query, cursor.description)
        while True:
            with as_sqlalchemy_says(connection):
                rows = cursor.fetchmany(ROWS)
            if not rows:
                return
            yield of_rows(names, rows)
    finally:
        cursor.close()


def _through_sqlalchemy(connection: Connection, query: Query) -> Iterator[Batch]:
    return _executed(connection, query.sql.ready(()), {})


def _executed(
    connection: Connection, clause: TextClause, parameters: Mapping[str, Any]
) -> Iterator[Batch]:
    options = {"stream_results": True, "max_row_buffer": ROWS}
    with connection.execute(clause, parameters, execution_options=options) as result:
        names = tuple(result.keys())
        while rows := result.fetchmany(ROWS):
            yield of_rows(names, rows)
