"""Feeds through ODBC, by arrow-odbc where it is installed.

It binds a driver's own buffers and makes Arrow of them. What it makes of numbers with
decimal places depends on what a driver says of the column, and psqlODBC guesses by the
first rows: so numbers come as the text that the driver tells, which is what pyodbc reads
too. A column that would come as a float, or as anything else that the two tell in
different ways, sends the whole statement to pyodbc.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from erp_adapters.sql.bulk.batches import Batch, as_numeric_text
from erp_adapters.sql.queries import Query
from sync.errors import Misconfigured

TEXT_BYTES = 1024
"""As much of a text is bound: four bytes for each character of the longest key."""

_BATCH_ROWS = 50_000
_BATCH_BYTES = 32 * 1024 * 1024
_RECORD = re.compile(r"State: (\w{5}), Native error: (-?\d+), Message: (.*)", re.DOTALL)
_TOO_LONG = "too large to be written into the allocated buffer"


class OdbcError(Exception):
    """What a driver told, in the form in which pyodbc raises it."""


def by_arrow_odbc(
    connection: Connection, query: Query, session: Sequence[str]
) -> Iterator[Batch] | None:
    """None where it cannot be read so. ``connection`` tells where and as whom to connect.

    ``session``: statements that make the new connection like the others.
    """
    try:
        import arrow_odbc
    except ImportError:
        return None
    numbers: set[str] = set()
    reader = _reader(arrow_odbc, connection, query, session, numbers)
    query.columns(tuple(reader.schema.names))
    if not all(_alike(field.type) for field in reader.schema):
        return None
    # Its own transaction, idle while the other one reads, the server would soon end.
    connection.rollback()
    return _streamed(reader, numbers, query)


def _reader(
    arrow_odbc: Any,
    connection: Connection,
    query: Query,
    session: Sequence[str],
    numbers: set[str],
) -> Any:
    """``numbers`` is filled with the names of columns that hold them."""

    def with_numbers_as_text(schema: Any) -> Any:
        numbers.update(field.name for field in schema if pa.types.is_decimal(field.type))
        fields = [
            (each.name, pa.string() if each.name in numbers else each.type) for each in schema
        ]
        return pa.schema(fields)

    arguments, _ = connection.dialect.create_connect_args(connection.engine.url)
    encoding = arrow_odbc.TextEncoding
    # Narrow text of SQL Server's driver is in the encoding of our locale, whatever that is.
    wide = encoding.UTF16 if connection.dialect.name == "mssql" else encoding.AUTO
    with _as_sqlalchemy_says(query):
        opened = arrow_odbc.connect(arguments[0])
        for statement in session:
            opened.execute(statement)
        return opened.read_arrow_batches(
            query.sql.with_nulls(),
            batch_size=_BATCH_ROWS,
            max_bytes_per_batch=_BATCH_BYTES,
            max_text_size=TEXT_BYTES,
            map_schema=with_numbers_as_text,
            payload_text_encoding=wide,
        )


def _alike(kind: Any) -> bool:
    types = pa.types
    asked = (types.is_string, types.is_integer, types.is_date32, types.is_timestamp)
    return any(ask(kind) for ask in asked)


def _streamed(reader: Any, numbers: set[str], query: Query) -> Iterator[Batch]:
    names = tuple(reader.schema.names)
    while True:
        with _as_sqlalchemy_says(query):
            batch = next(reader, None)
        if batch is None:
            return
        if any(_perhaps_cut(column) for column in batch.columns):
            raise _too_long(query)
        if len(batch):
            columns = zip(names, batch.columns, strict=True)
            yield Batch(names, tuple(as_numeric_text(c) if n in numbers else c for n, c in columns))


def _perhaps_cut(column: Any) -> bool:
    """Whether a text fills all that was bound for it: MariaDB's driver cuts without a word."""
    if not pa.types.is_string(column.type):
        return False
    longest = pc.max(pc.binary_length(column)).as_py()
    return longest is not None and bool(longest > TEXT_BYTES - 4)


def _too_long(query: Query) -> Misconfigured:
    return Misconfigured(
        f"{query.statement.place}: {query.name} tells a text of more than {TEXT_BYTES - 4} bytes;"
        " no key is so long: leave the row out of the statement"
    )


@contextmanager
def _as_sqlalchemy_says(query: Query) -> Iterator[None]:
    """arrow-odbc's errors, told as if SQLAlchemy had met pyodbc's."""
    import arrow_odbc

    try:
        yield
    except arrow_odbc.Error as error:
        told = error.message()
        if _TOO_LONG in told:
            raise _too_long(query) from error
        found = _RECORD.search(told)
        state, native, text = found.groups() if found else ("HY000", "0", told)
        record = f"[{state}] {text} ({native}) (SQLFetch)"
        raise DBAPIError(None, None, OdbcError(state, record), hide_parameters=True) from error
