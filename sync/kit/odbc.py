"""What SQLAlchemy and pyodbc do not do by themselves for a driver behind ODBC.

SQLAlchemy speaks ODBC to SQL Server and MySQL only, so PostgreSQL and SQLite get
small dialects here. The rest is the same for all of them, and each was seen with
the drivers of Debian 12 (psqlODBC 13.02, MariaDB 3.1.15, SQLite ODBC 0.9998):

- MariaDB's driver sends exact numbers as text, with which the server reckons in floating
  point. They are written into the statement, as PyMySQL does it.
- pyodbc sends a time without its zone, and cuts fractions of a second where the
  driver names no precision. Such times go as text, which the server reads whole.
- A lost connection comes under many codes; by our own table of them it is told
  apart from other errors, so that the pool lets go of it.
- The driver manager's pool is left off: SQLAlchemy has one, which asks before
  it hands out a connection, and theirs does not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import URL, Engine, event
from sqlalchemy.connectors.pyodbc import PyODBCConnector
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.dialects.sqlite.base import SQLiteDialect, SQLiteExecutionContext

from sync.kit.driver_errors import read_error
from sync.kit.sqlstate import Failure, classify

DEFAULT_DRIVERS: Mapping[str, str] = {
    "postgresql": "PostgreSQL Unicode",
    "sqlite": "SQLite3",
    "mariadb": "MariaDB Unicode",
    "mssql": "ODBC Driver 18 for SQL Server",
}
"""The names under which the drivers are registered, by backend."""

_SQL_TIMES = (91, 92, 93)  # ODBC's numbers for date, time and timestamp


class PostgresqlOdbc(PyODBCConnector, PGDialect):
    """``postgresql+pyodbc``."""

    supports_statement_cache = True
    default_paramstyle = "qmark"


class _SqliteContext(SQLiteExecutionContext):
    def get_lastrowid(self) -> int:
        cursor = self.create_cursor()
        cursor.execute("SELECT last_insert_rowid()")
        [number] = cursor.fetchone() or (None,)
        cursor.close()
        assert isinstance(number, int)  # noqa: S101 - SQLite's own function
        return number


class SqliteOdbc(PyODBCConnector, SQLiteDialect):
    """``sqlite+pyodbc``. Transactions are begun by whoever makes the engine."""

    supports_statement_cache = True
    default_paramstyle = "qmark"
    execution_ctx_cls = _SqliteContext

    def __init__(self, **options: Any) -> None:
        # The base class asks Python's sqlite3 for its version, which pyodbc has not.
        driver = options.pop("dbapi", None)
        super().__init__(**options)
        self.dbapi = driver

    def do_commit(self, dbapi_connection: Any) -> None:
        dbapi_connection.execute("COMMIT").close()

    def do_rollback(self, dbapi_connection: Any) -> None:
        try:
            dbapi_connection.execute("ROLLBACK").close()
        except self.loaded_dbapi.Error as error:
            # SQLite has undone some failures by itself already.
            if "no transaction is active" not in str(error):
                raise


registry.register("postgresql.pyodbc", __name__, "PostgresqlOdbc")
registry.register("sqlite.pyodbc", __name__, "SqliteOdbc")


def is_odbc(url: URL) -> bool:
    return url.drivername.endswith("+pyodbc")


def names_its_own(url: URL) -> bool:
    """Whether a data source name or a whole connection string brings the settings."""
    if "odbc_connect" in url.query or "dsn" in {name.lower() for name in url.query}:
        return True
    return url.host is not None and url.database is None


def with_defaults(url: URL, defaults: Mapping[str, str]) -> URL:
    """The URL with these keywords of the connection string where it does not say them."""
    if names_its_own(url):
        return url
    present = {name.lower() for name in url.query}
    chosen = {name: value for name, value in defaults.items() if name.lower() not in present}
    return url.update_query_dict(chosen)


def with_port(url: URL) -> URL:
    """The port as a keyword: ``Server=host,port`` is SQL Server's way alone."""
    if url.port is None:
        return url
    return url.set(port=None).update_query_dict({"Port": str(url.port)})


def prepare(engine: Engine, family: str) -> Engine:
    """Gives an engine over pyodbc what the head of this module says."""
    driver = engine.dialect.loaded_dbapi
    # Before the first connection of the process, or it is too late.
    driver.pooling = False  # type: ignore[attr-defined]
    times_as_text = family in ("mysql", "mariadb")

    def in_words(
        connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool
    ) -> tuple[str, Any]:
        if isinstance(parameters, tuple):
            parameters = tuple(_whole(value, times_as_text) for value in parameters)
            if times_as_text:
                return with_exact_numbers(statement, parameters)
        return statement, parameters

    def let_go(context: Any) -> None:
        original = context.original_exception
        if not isinstance(original, driver.Error):
            return
        if classify(read_error(original, family)) is Failure.LOST:
            context.is_disconnect = True

    event.listen(engine, "before_cursor_execute", in_words, retval=True)
    event.listen(engine, "handle_error", let_go)
    return engine


_PLACE = re.compile(
    r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`[^`]*`|--[^\n]*|/\*.*?\*/|(?P<place>\?)", re.DOTALL
)


def with_exact_numbers(statement: str, parameters: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
    """The statement with its exact numbers written out, and the parameters that are left.

    MariaDB's driver sends them as text, with which the server reckons in floating point:
    ``:price * 100 = ROUND(:price * 100, 2)`` would be false of 0.1738.
    """
    places = [found.span() for found in _PLACE.finditer(statement) if found["place"]]
    if len(places) != len(parameters):
        return statement, parameters
    text, left, end = [], [], 0
    for (start, after), value in zip(places, parameters, strict=True):
        number = isinstance(value, Decimal) and value.is_finite()
        text.append(statement[end:start] + (f"({value:f})" if number else "?"))
        left += [] if number else [value]
        end = after
    return "".join(text) + statement[end:], tuple(left)


def _whole(value: Any, times_as_text: bool) -> Any:
    if isinstance(value, datetime) and (times_as_text or value.tzinfo is not None):
        return value.isoformat(" ")
    return value


def times_as_stored(connection: Any) -> None:
    """SQLite keeps times as text; the driver would drop their zone and microseconds."""
    for number in _SQL_TIMES:
        connection.add_output_converter(number, _text)


def _text(raw: bytes | None) -> str | None:
    return None if raw is None else raw.decode("utf-8")
