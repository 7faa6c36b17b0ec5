"""Feeds out of PostgreSQL: by ADBC where it is installed, otherwise by psycopg.

ADBC reads a binary COPY straight into Arrow. Two things are not left to it. Numbers with
decimal places it would turn into text itself, digit by digit: the server does that
quicker, and as exactly. And of a type that psycopg tells in another way (money, arrays and
the like) it tells nothing here: a statement that answers one is read by psycopg.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any

import pyarrow as pa
from sqlalchemy import Connection, TextClause
from sqlalchemy.exc import DBAPIError

from erp_adapters.sql.bulk.ahead import ahead
from erp_adapters.sql.bulk.batches import ROWS, Batch, as_numeric_text, names_of
from erp_adapters.sql.moments import OVER, joining
from erp_adapters.sql.queries import Query
from erp_adapters.sql.running import as_sqlalchemy_says
from sync.errors import TryLater

_ALIKE = frozenset(
    {
        *("text", "varchar", "bpchar", "name", "int2", "int4", "int8", "float8"),
        *("date", "timestamp", "timestamptz", "uuid", "bool", "numeric"),
    }
)
"""Types that both drivers tell alike."""

_NUMERIC = 1700
"""The type's number in every PostgreSQL."""

_CURSOR = "tradesync_feed"
_BATCH_BYTES = 2 * 1024 * 1024


def by_adbc(
    connection: Connection, query: Query, snapshot: str | None = None, sql: str | None = None
) -> Iterator[Batch] | None:
    """None where it cannot be read so. ``connection`` tells where and as whom to connect.

    ``snapshot``: what ``connection`` sees, which is to be read then. ``sql``: the statement
    with its values in it, where it has any.
    """
    try:
        import adbc_driver_postgresql.dbapi as adbc
        from adbc_driver_manager._reader import AdbcRecordBatchReader
    except ImportError:
        return None
    raw: Any = connection.connection.driver_connection
    if raw.info.parameter_status("server_encoding") == "SQL_ASCII":
        return None
    opened = _opened(adbc, _address(raw.info))
    try:
        if snapshot is not None:
            _join(opened, snapshot)
        wrapped = _wrapped(opened, query, sql or query.sql.with_nulls())
    except BaseException:
        opened.close()
        raise
    if wrapped is None:
        opened.close()
        return None
    # Unlike Arrow's own, this reader tells an error in the middle with its SQLSTATE.
    return _streamed(opened, AdbcRecordBatchReader, *wrapped)


def spelled_out(connection: Connection, clause: TextClause, parameters: Mapping[str, Any]) -> str:
    """The statement with these values in it, as libpq writes them for this connection."""
    from psycopg import ClientCursor

    whole = clause.bindparams(**parameters).compile(
        dialect=connection.dialect, compile_kwargs={"render_postcompile": True}
    )
    raw: Any = connection.connection.driver_connection
    with closing(ClientCursor(raw)) as cursor:
        return cursor.mogrify(str(whole), whole.params)


def by_psycopg(connection: Connection, query: Query) -> Iterator[Batch]:
    """Through a cursor of the server's, within the transaction of this connection."""
    raw: Any = connection.connection.driver_connection
    sql = query.sql.with_nulls()
    with as_sqlalchemy_says(connection), raw.cursor(name=_CURSOR) as told:
        told.execute(sql)
        names = names_of(query, told.description)
        kinds = [column.type_code for column in told.description]
    query.columns(names)
    numbers = frozenset(name for name, kind in zip(names, kinds, strict=True) if kind == _NUMERIC)
    if numbers:
        # A text is made quicker than a Decimal, for which it would be taken apart anyway.
        sql = _out_of(_with_text(names, numbers), sql)
    with closing(raw.cursor(name=_CURSOR)) as cursor:
        with as_sqlalchemy_says(connection):
            cursor.execute(sql)
        while True:
            with as_sqlalchemy_says(connection):
                rows = cursor.fetchmany(ROWS)
            if not rows:
                return
            columns = zip(names, zip(*rows, strict=True), strict=True)
            yield Batch(names, tuple(_number(c) if n in numbers else c for n, c in columns))


def _number(values: Any) -> Any:
    return as_numeric_text(pa.array(values, pa.string()))


def _address(info: Any) -> str:
    """Where that connection goes to, as whom and with which settings.

    The server's clock for a statement is off: a COPY lasts until everything has been
    looked at, however long that takes. Whether the other side is there, TCP finds out.
    """
    from psycopg.conninfo import make_conninfo

    given = info.get_parameters()
    given["options"] = f"{given.get('options', '')} -c statement_timeout=0".strip()
    given.setdefault("keepalives_idle", "30")
    given.setdefault("tcp_user_timeout", "60000")
    if info.password:
        given["password"] = info.password
    return make_conninfo("", **{**given, "client_encoding": "UTF8"})


def _opened(adbc: Any, address: str) -> Any:
    with _as_sqlalchemy_says():
        return adbc.connect(address)


def _join(opened: Any, snapshot: str) -> None:
    try:
        with _as_sqlalchemy_says(), opened.cursor() as cursor:
            for statement in joining(snapshot):
                cursor.execute(statement)
    except DBAPIError as error:
        raise TryLater(OVER) from error


def _wrapped(
    opened: Any, query: Query, sql: str
) -> tuple[str, tuple[str, ...], frozenset[str]] | None:
    """The statement with its numbers as text, its columns, and those that are numbers."""
    with _as_sqlalchemy_says(), opened.cursor() as cursor:
        cursor.execute(_out_of("*", sql, "LIMIT 0"))
        schema = cursor.fetch_record_batch().schema
    names = tuple(schema.names)
    query.columns(names)
    types = {field.name: _type_of(field) for field in schema}
    if not _ALIKE.issuperset(types.values()):
        return None
    numbers = frozenset(name for name, kind in types.items() if kind == "numeric")
    return _out_of(_with_text(names, numbers), sql), names, numbers


def _with_text(names: Sequence[str], numbers: Collection[str]) -> str:
    told = ((_quoted(name), name in numbers) for name in names)
    return ", ".join(f"{name}::text AS {name}" if number else name for name, number in told)


def _out_of(columns: str, sql: str, end: str = "") -> str:
    # The statement is the profile's own; it may end in a comment.
    return f"SELECT {columns} FROM (\n{sql}\n) AS feed {end}"  # noqa: S608


def _type_of(field: Any) -> str:
    told = (field.metadata or {}).get(b"POSTGRESQL:type", b"")
    return str(told, "utf-8").strip("'")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _streamed(
    opened: Any, kind: Any, sql: str, names: tuple[str, ...], numbers: frozenset[str]
) -> Iterator[Batch]:
    with closing(opened), opened.cursor() as cursor:
        option = {"adbc.postgresql.batch_size_hint_bytes": str(_BATCH_BYTES)}
        cursor.adbc_statement.set_options(**option)
        with _as_sqlalchemy_says():
            cursor.execute(sql)
            answer = cursor.fetch_arrow()
            reader = kind._import_from_c(answer.address)
            for batch in ahead(_batches(reader), cursor.adbc_cancel):
                if len(batch):
                    yield Batch(names, tuple(_told(names, batch, numbers)))


def _batches(reader: Any) -> Iterator[pa.RecordBatch]:
    while True:
        try:
            yield reader.read_next_batch()
        except StopIteration:
            return


def _told(names: tuple[str, ...], batch: Any, numbers: frozenset[str]) -> Iterator[Any]:
    for name, column in zip(names, batch.columns, strict=True):
        yield as_numeric_text(column) if name in numbers else column


@contextmanager
def _as_sqlalchemy_says() -> Iterator[None]:
    """ADBC's errors, told as if SQLAlchemy had met them."""
    import adbc_driver_manager

    try:
        yield
    except adbc_driver_manager.Error as error:
        raise DBAPIError(None, None, error, hide_parameters=True) from error
