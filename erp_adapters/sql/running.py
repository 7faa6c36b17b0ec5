"""Runs the bound statements of an order, as cheaply as the driver allows.

Whatever the dialect, SQLAlchemy opens the transaction, ends it and knows a broken
connection. The statements in between go through it only where a driver needs that;
with the drivers that this program comes with they go straight to the driver:

- ``sqlite3``: one after the other, each answered at once;
- ``psycopg``: in a pipeline. Statements are sent without waiting for the answers of
  those before them, until one needs a number that an earlier one gives.

Answers are looked at in the order in which the statements were sent, so that what
is named is always the first one that did not do what it should.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from erp_adapters.sql.statement import Statement


@dataclass(frozen=True, slots=True)
class Reply:
    """What a statement answered: rows with these ``names``, or None and how many it touched."""

    rows: Sequence[Sequence[Any]] | None
    names: tuple[str, ...]
    count: int
    last_id: Any = None


class Lane(Protocol):
    """A way to run statements within one transaction."""

    def send(
        self, sql: Statement, parameters: Mapping[str, Any], *, wants_id: bool = False
    ) -> None:
        """``parameters`` holds None for what is not given.

        ``wants_id``: the reply is to tell the ID that the driver keeps of an insert.
        """

    def replies(self) -> Iterator[Reply]:
        """The answers to what was sent since the last time, in order.

        Raises SQLAlchemy's DBAPIError in the place of the one that failed.
        """

    @property
    def waits(self) -> bool:
        """Whether answers are better collected late."""


def lane(connection: Connection, statements: Iterable[Statement]) -> AbstractContextManager[Lane]:
    """The quickest way to run these statements, and no others, on this connection."""
    driver = (connection.dialect.name, connection.dialect.driver)
    if any(each.several or each.lists for each in statements):
        return _through_sqlalchemy(connection)
    if driver == ("sqlite", "pysqlite"):
        return _straight(connection)
    if driver == ("postgresql", "psycopg") and _can_pipeline():
        return _pipelined(connection)
    return _through_sqlalchemy(connection)


def _can_pipeline() -> bool:
    import psycopg

    return psycopg.Pipeline.is_supported()


def _used(sql: Statement, parameters: Mapping[str, Any]) -> tuple[Collection[str], Any]:
    """The parameters that take part, and the text that has a place for each of them."""
    have = {name for name, value in parameters.items() if value is not None}
    return sql.used(have), sql.ready(have | sql.always)


class _AtOnce:
    """Every statement is answered before the next one is sent."""

    waits = False

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._held: list[Reply] = []

    def replies(self) -> Iterator[Reply]:
        held, self._held = self._held, []
        return iter(held)


class _ThroughSqlAlchemy(_AtOnce):
    def send(
        self, sql: Statement, parameters: Mapping[str, Any], *, wants_id: bool = False
    ) -> None:
        used, clause = _used(sql, parameters)
        with self._connection.execute(clause, {name: parameters[name] for name in used}) as result:
            if result.returns_rows:
                rows = result.fetchall()
                self._held.append(Reply(rows, tuple(result.keys()), len(rows), None))
            else:
                # Not every driver has one, and those that have none say so by an error.
                last_id = result.lastrowid if wants_id else None
                self._held.append(Reply(None, (), result.rowcount, last_id))


@contextmanager
def _through_sqlalchemy(connection: Connection) -> Iterator[Lane]:
    yield _ThroughSqlAlchemy(connection)


class _Straight(_AtOnce):
    def __init__(self, connection: Connection, cursor: Any) -> None:
        super().__init__(connection)
        self._cursor = cursor
        self._unusual = (_errors(connection), KeyboardInterrupt)

    def send(
        self, sql: Statement, parameters: Mapping[str, Any], *, wants_id: bool = False
    ) -> None:
        cursor = self._cursor
        text, bound = _bound(self._connection, sql, parameters)
        try:
            cursor.execute(text, bound)
            if cursor.description is None:
                reply = Reply(None, (), cursor.rowcount, cursor.lastrowid)
            else:
                reply = _with_rows(cursor)
        except self._unusual:
            with as_sqlalchemy_says(self._connection):
                raise
        self._held.append(reply)


@contextmanager
def _straight(connection: Connection) -> Iterator[Lane]:
    cursor = connection.connection.cursor()
    try:
        yield _Straight(connection, cursor)
    finally:
        cursor.close()


class _Pipelined:
    waits = True

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._raw: Any = connection.connection.driver_connection
        self._open = ExitStack()
        self._sent: list[Any] = []
        self._failed: BaseException | None = None

    def __enter__(self) -> None:
        pass

    def __exit__(self, *raised: Any) -> None:
        self._open.__exit__(*raised)

    def send(
        self, sql: Statement, parameters: Mapping[str, Any], *, wants_id: bool = False
    ) -> None:
        if self._failed is not None:
            return
        text, bound = _bound(self._connection, sql, parameters)
        try:
            if not self._sent:
                self._open.enter_context(self._raw.pipeline())
            cursor = self._raw.cursor()
            self._sent.append(cursor)
            cursor.execute(text, bound)
        except _errors(self._connection) as error:
            # Perhaps an earlier one's: told where its answer is looked for.
            self._failed = error

    def replies(self) -> Iterator[Reply]:
        sent, self._sent = self._sent, []
        try:
            # The end of the pipeline is the one moment that waits for the server.
            self._open.close()
        except _errors(self._connection) as error:
            self._failed = self._failed or error
        for cursor in sent:
            if not _went_well(cursor):
                with as_sqlalchemy_says(self._connection):
                    raise self._failed or AssertionError("a statement has no answer")
            if cursor.description is None:
                yield Reply(None, (), cursor.rowcount)
            else:
                yield _with_rows(cursor)
            cursor.close()
        if self._failed is not None:
            with as_sqlalchemy_says(self._connection):
                raise self._failed


def _went_well(cursor: Any) -> bool:
    from psycopg.pq import ExecStatus

    answered = cursor.pgresult
    return answered is not None and answered.status in (
        ExecStatus.COMMAND_OK,
        ExecStatus.TUPLES_OK,
        ExecStatus.EMPTY_QUERY,
    )


@contextmanager
def _pipelined(connection: Connection) -> Iterator[Lane]:
    running = _Pipelined(connection)
    with running:
        yield running


def _with_rows(cursor: Any) -> Reply:
    rows = cursor.fetchall()
    return Reply(rows, tuple(column[0] for column in cursor.description), len(rows))


def _bound(connection: Connection, sql: Statement, parameters: Mapping[str, Any]) -> Any:
    """The driver's own text and parameters."""
    have: Collection[str] = sql.always
    if sql.has_options:
        have = sql.always.union(name for name, value in parameters.items() if value is not None)
    compiled = sql.compiled(have, connection.dialect)
    return compiled.sql, compiled.bound(parameters)


def _errors(connection: Connection) -> type[BaseException]:
    found: type[BaseException] = connection.dialect.loaded_dbapi.Error
    return found


@contextmanager
def as_sqlalchemy_says(connection: Connection) -> Iterator[None]:
    """The driver's errors, told and treated as if SQLAlchemy had met them."""
    dialect = connection.dialect
    driver_error: Any = _errors(connection)
    try:
        yield
    except KeyboardInterrupt as interrupted:
        # Half an answer may be on its way: nobody else may meet it.
        connection.invalidate(interrupted)
        raise
    except driver_error as error:
        raw: Any = connection.connection.dbapi_connection
        broken = dialect.is_disconnect(error, raw, None)
        if broken:
            connection.invalidate(error)
        raise DBAPIError.instance(
            None,
            None,
            error,
            driver_error,
            hide_parameters=True,
            connection_invalidated=broken,
            dialect=dialect,
        ) from error
