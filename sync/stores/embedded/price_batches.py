"""Many prices at once, as the database takes them soonest.

What changes is laid down in a table of the connection's own; then one statement
removes every key of it, and one inserts what is to be there. That needs no more than
a mirror's rights, INSERT and DELETE, and a key that is put twice violates the primary
key instead of hiding the other one.

PostgreSQL gets it by COPY, and what is put where nothing is yet by COPY straight into
``prices``. SQLite has one writer at a time, so that everything is spelled and laid
down before its lock is taken: a checkout waits for the two statements only. Any other
driver is given chunks of parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any

import pyarrow as pa
from sqlalchemy import (
    Column,
    Connection,
    Integer,
    MetaData,
    Table,
    delete,
    insert,
    select,
    text,
    tuple_,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import CreateTable

from sync.ports.store import PriceRows
from sync.stores.embedded import price_lists, queries, schema, translate
from sync.stores.embedded.price_columns import (
    NAMES,
    csv_of,
    keys_of,
    pieces,
    refuse_impossible,
    tuples,
)

STRAIGHT_FROM = 500
"""Of fewer rows in a call nobody asks whether they come where nothing is yet."""

_PRICES = schema.prices
_KEY = [column.name for column in _PRICES.primary_key]

_CHANGES = Table(
    "tradesync_price_changes",
    MetaData(),
    *(Column(column.name, column.type) for column in _PRICES.columns),
    Column("put", Integer),
    prefixes=["TEMPORARY"],
    postgresql_on_commit="DELETE ROWS",
)
"""The connection's own: the changes of one call. ``put`` is 0 for what only goes."""

_MAKE = CreateTable(_CHANGES, if_not_exists=True)
_REMOVE = delete(_PRICES).where(
    tuple_(*(_PRICES.c[name] for name in _KEY)).in_(select(*(_CHANGES.c[name] for name in _KEY)))
)
_INSERT = insert(_PRICES).from_select(
    NAMES, select(*(_CHANGES.c[name] for name in NAMES)).where(_CHANGES.c.put == 1)
)

# One leap into the key for each partition, however many rows it has. Without the order, which
# is the key's, a table that is known for a few large partitions would be read to its end for
# each that is not in it: one of its rows in a few should do, as far as the database knows.
_TAKEN = text(
    "SELECT asked.at"
    " FROM unnest(CAST(:audience AS text[]), CAST(:audience_key AS text[]),"
    " CAST(:audience_channel AS text[]), CAST(:level AS integer[]), CAST(:owner AS text[]))"
    " WITH ORDINALITY AS asked(audience, audience_key, audience_channel, level, owner, at)"
    " CROSS JOIN LATERAL (SELECT 1 FROM prices"
    " WHERE prices.audience = asked.audience AND prices.audience_key = asked.audience_key"
    " AND prices.audience_channel = asked.audience_channel"
    " AND prices.level = asked.level AND prices.owner = asked.owner"
    " ORDER BY prices.price_list LIMIT 1) AS one"
)

Step = Callable[[], None]


def apply(connection: Connection, put: Sequence[PriceRows], remove: Sequence[PriceRows]) -> None:
    """All of it in one transaction, which begins and ends here.

    Raises ValueError for rows that no prices could be, and what the driver raises.
    """
    if not _with_rows(put) and not _with_rows(remove):
        return
    touched = {(each.audience, each.scope) for each in (*put, *remove)}

    def before() -> None:
        price_lists.touch(connection, touched)

    apply_between(connection, put, remove, before, lambda: hide(connection, remove))


def apply_between(
    connection: Connection,
    put: Sequence[PriceRows],
    remove: Sequence[PriceRows],
    before: Step,
    after: Step,
) -> None:
    """The same, with these steps on either side of it in the same transaction."""
    for each in put:
        refuse_impossible(each)
    driver = (connection.dialect.name, connection.dialect.driver)
    way = _WAYS.get(driver, _by_parameters)
    way(connection, _with_rows(put), _with_rows(remove), before, after)


def hide(connection: Connection, remove: Sequence[PriceRows]) -> None:
    """After ``apply_between`` removed these: of lists that they are in they are seen no more."""
    if not _with_rows(remove):
        return
    if (connection.dialect.name, connection.dialect.driver) in _WAYS:
        price_lists.hide_staged(connection, _CHANGES)
        return
    price_lists.hide_keys(connection, keys_of(remove))


def _with_rows(several: Iterable[PriceRows]) -> list[PriceRows]:
    return [each for each in several if len(each.rows)]


def _nothing_there(connection: Connection, rows: PriceRows) -> bool:
    there = (_PRICES.c[name] == value for name, value in _partition_row(rows).items())
    return connection.execute(select(_PRICES.c.sku).where(*there).limit(1)).first() is None


def _marked(several: Iterable[PriceRows], put: int) -> Iterator[pa.Table]:
    for rows in several:
        for piece in pieces(rows):
            yield piece.append_column("put", pa.repeat(put, len(piece)))


# --- PostgreSQL ---


def _by_copy(
    connection: Connection,
    put: Sequence[PriceRows],
    remove: Sequence[PriceRows],
    before: Step,
    after: Step,
) -> None:
    with connection.begin():
        before()
        new, changed = _apart(connection, put)
        if changed or remove:
            _change(connection, changed, remove)
        if new:
            _copy(connection, _PRICES, (piece for rows in new for piece in pieces(rows)))
        after()


def _apart(
    connection: Connection, put: Sequence[PriceRows]
) -> tuple[list[PriceRows], list[PriceRows]]:
    """What comes where nothing is, which no key can be in the way of; and the rest."""
    if sum(len(each.rows) for each in put) < STRAIGHT_FROM:
        return [], list(put)
    taken = _with_something(connection, put)
    new = [each for at, each in enumerate(put) if at not in taken]
    return new, [each for at, each in enumerate(put) if at in taken]


def _with_something(connection: Connection, several: Sequence[PriceRows]) -> set[int]:
    """The places of those whose partition has a row already; one question for all of them."""
    some = [_partition_row(each) for each in several]
    found = connection.execute(_TAKEN, {name: [row[name] for row in some] for name in some[0]})
    return {at - 1 for at in found.scalars()}


def _partition_row(rows: PriceRows) -> dict[str, Any]:
    return {**translate.audience_row(rows.audience), **translate.scope_row(rows.scope)}


def _change(connection: Connection, put: Sequence[PriceRows], remove: Sequence[PriceRows]) -> None:
    connection.execute(_MAKE)
    _copy(connection, _CHANGES, chain(_marked(remove, 0), _marked(put, 1)))
    # Otherwise the whole table might be read to find a few keys in it.
    for statement in (
        f"ANALYZE {_CHANGES.name}",
        "SET LOCAL enable_hashjoin = off",
        "SET LOCAL enable_mergejoin = off",
    ):
        connection.exec_driver_sql(statement)
    connection.execute(_REMOVE)
    connection.execute(_INSERT)


def _copy(connection: Connection, table: Table, several: Iterable[pa.Table]) -> None:
    raw: Any = connection.connection.driver_connection
    names = ", ".join(column.name for column in table.columns)
    statement = f"COPY {table.name} ({names}) FROM STDIN (FORMAT csv, ENCODING 'UTF8')"
    with (
        _told_as_errors_of(connection, statement),
        raw.cursor() as cursor,
        cursor.copy(statement) as copy,
    ):
        for each in several:
            copy.write(csv_of(each))


# --- SQLite ---


def _by_staging(
    connection: Connection,
    put: Sequence[PriceRows],
    remove: Sequence[PriceRows],
    before: Step,
    after: Step,
) -> None:
    _lay_down(connection, chain(_marked(remove, 0), _marked(put, 1)))
    with connection.begin():
        before()
        if remove or not all(_nothing_there(connection, each) for each in put):
            connection.execute(_REMOVE)
        connection.execute(_INSERT)
        after()


def _lay_down(connection: Connection, several: Iterable[pa.Table]) -> None:
    """Write the changes where no other connection looks: no lock of the database is held."""
    raw: Any = connection.connection.driver_connection
    make, clear, fill = (
        str(each.compile(dialect=connection.dialect))
        for each in (_MAKE, delete(_CHANGES), insert(_CHANGES))
    )
    with _told_as_errors_of(connection, fill):
        raw.execute(make)
        raw.execute("BEGIN")
        try:
            raw.execute(clear)
            for each in several:
                raw.executemany(fill, tuples(each))
        finally:
            raw.execute("COMMIT")


@contextmanager
def _told_as_errors_of(connection: Connection, statement: str) -> Iterator[None]:
    """What the driver raises past SQLAlchemy is wrapped as it would have wrapped it."""
    dialect = connection.dialect
    try:
        yield
    except dialect.loaded_dbapi.Error as error:
        raw: Any = connection.connection.driver_connection
        lost = dialect.is_disconnect(error, raw, None)
        raise DBAPIError(
            statement, None, error, hide_parameters=True, connection_invalidated=lost
        ) from error


# --- Any other driver ---


def _by_parameters(
    connection: Connection,
    put: Sequence[PriceRows],
    remove: Sequence[PriceRows],
    before: Step,
    after: Step,
) -> None:
    with connection.begin():
        before()
        for each in (*remove, *put):
            for piece in pieces(each):
                keys = list(tuples(piece.select(_KEY)))
                queries.delete_rows(connection, schema.prices, _KEY, keys)
        for each in put:
            for piece in pieces(each):
                queries.insert_rows(connection, schema.prices, piece.to_pylist())
        after()


_WAYS = {("postgresql", "psycopg"): _by_copy, ("sqlite", "pysqlite"): _by_staging}
