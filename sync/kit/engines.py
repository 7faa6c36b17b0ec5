"""Database engines with the same promises on every dialect.

- Statements and logins end in time; nothing waits for ever.
- What was bound never appears in an error or a log (``hide_parameters``).
- An engine made ``read_only`` cannot write, as far as the database lets us say so.
- A transaction is one. Python's sqlite3 opens transactions late and commits
  some statements by itself, so it is told to leave that alone, and BEGIN is
  sent here: IMMEDIATE for writers, because a reader that turns writer halfway
  is refused at once instead of waiting for its turn.
- A short text is never cut: MySQL is switched to its strict mode.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from sync.errors import Misconfigured

_PACKAGES: Mapping[str, str] = {
    "psycopg": "install the extra: tradesync[postgresql]",
    "pymysql": "install the extra: tradesync[mariadb]",
    "MySQLdb": "write mysql+pymysql:// and install the extra: tradesync[mariadb]",
    "pyodbc": "install the package unixodbc and the database's ODBC driver",
}


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """``schema`` is a search path and PostgreSQL's alone. Times are in seconds."""

    read_only: bool = False
    pool_size: int = 5
    login_timeout_s: float = 15.0
    statement_timeout_s: float = 60.0
    schema: str | None = None
    application: str = "tradesync"


def parse_url(url: str, base: Path, password: str | None = None) -> URL:
    """The URL with its password; a relative SQLite file is found under ``base``.

    Raises Misconfigured for what is no URL, without repeating it: it may hold
    a password.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise Misconfigured(
            "the database URL is not understood; it has the form dialect+driver://user@host/name"
        ) from None
    if password is not None:
        parsed = parsed.set(password=password)
    if parsed.get_backend_name() == "sqlite":
        name = parsed.database or ""
        if name in ("", ":memory:") or name.startswith("file:"):
            raise Misconfigured("a SQLite database is named by its file: sqlite:///erp.db")
        parsed = parsed.set(database=str(base / name))
    return parsed


def engine_for(url: URL, options: EngineOptions) -> Engine:
    """An engine that has not connected yet. Raises Misconfigured where the driver is missing."""
    if options.schema is not None and url.get_backend_name() != "postgresql":
        raise Misconfigured(
            "schema is for PostgreSQL; name the schema in the statements of the profile instead"
        )
    build = _BUILDERS.get(url.get_backend_name(), _other)
    try:
        return build(url, options)
    except NoSuchModuleError:
        raise Misconfigured(f"no dialect {url.drivername!r}; see the list in the README") from None
    except ImportError as error:
        missing = error.name or url.get_driver_name()
        advice = _PACKAGES.get(missing, f"install the Python package {missing}")
        raise Misconfigured(
            f"the driver {missing} for {url.drivername} is missing: {advice}"
        ) from (error)


def _create(url: URL, options: EngineOptions, **more: Any) -> Engine:
    return create_engine(
        url,
        hide_parameters=True,
        pool_size=options.pool_size,
        max_overflow=options.pool_size,
        pool_timeout=options.login_timeout_s,
        **more,
    )


def _sqlite(url: URL, options: EngineOptions) -> Engine:
    path = Path(url.database or "")
    # Without mode=rw a wrong path would make an empty database, and every
    # customer of the ERP would be gone.
    name = f"file:{path.as_posix().replace('?', '%3f').replace('#', '%23')}"
    located = URL.create("sqlite", database=name, query={"mode": "rw", "uri": "true"})
    # Waiting for another writer is the only way in which SQLite takes long.
    engine = _create(located, options, connect_args={"timeout": options.statement_timeout_s})
    begin = "BEGIN" if options.read_only else "BEGIN IMMEDIATE"

    def prepare(connection: Any, record: object) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA foreign_keys = ON")
        if options.read_only:
            connection.execute("PRAGMA query_only = ON")

    def open_transaction(connection: Any) -> None:
        connection.exec_driver_sql(begin)

    event.listen(engine, "connect", prepare)
    event.listen(engine, "begin", open_transaction)
    return engine


def _postgresql(url: URL, options: EngineOptions) -> Engine:
    milliseconds = int(options.statement_timeout_s * 1000)
    settings = {
        "statement_timeout": str(milliseconds),
        "lock_timeout": str(milliseconds // 2),
        "idle_in_transaction_session_timeout": str(milliseconds * 2),
    }
    if options.read_only:
        settings["default_transaction_read_only"] = "on"
    if options.schema is not None:
        settings["search_path"] = options.schema
    arguments = {
        "connect_timeout": max(1, round(options.login_timeout_s)),
        "application_name": options.application,
        "options": " ".join(f"-c {name}={_escaped(value)}" for name, value in settings.items()),
    }
    more: dict[str, Any] = {"isolation_level": "REPEATABLE READ"} if options.read_only else {}
    return _create(url, options, connect_args=arguments, pool_pre_ping=True, **more)


def _escaped(value: str) -> str:
    """A value inside libpq's ``options``, where spaces part and backslashes escape."""
    return value.replace("\\", "\\\\").replace(" ", "\\ ")


def _mysql(url: URL, options: EngineOptions) -> Engine:
    arguments: dict[str, Any] = {}
    if url.get_driver_name() == "pymysql":
        arguments = {
            "connect_timeout": max(1, round(options.login_timeout_s)),
            # A little later than the server's own limit, so that its answer is seen.
            "read_timeout": round(options.statement_timeout_s) + 5,
            "write_timeout": round(options.statement_timeout_s) + 5,
            "charset": "utf8mb4",
        }
    engine = _create(url, options, connect_args=arguments, pool_pre_ping=True)

    def prepare(connection: Any, record: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT VERSION()")
            mariadb = "mariadb" in str(cursor.fetchone()[0]).lower()
            seconds = options.statement_timeout_s
            if mariadb:
                cursor.execute(f"SET SESSION max_statement_time = {float(seconds)}")
            else:
                cursor.execute(f"SET SESSION max_execution_time = {int(seconds * 1000)}")
            cursor.execute(f"SET SESSION innodb_lock_wait_timeout = {max(1, int(seconds / 2))}")
            cursor.execute("SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES')")
            if options.read_only:
                cursor.execute("SET SESSION TRANSACTION READ ONLY")
        connection.commit()

    event.listen(engine, "connect", prepare)
    return engine


def _mssql(url: URL, options: EngineOptions) -> Engine:
    if url.get_driver_name() == "pyodbc" and "odbc_connect" not in url.query:
        defaults = {"driver": "ODBC Driver 18 for SQL Server", "Encrypt": "yes"}
        present = {name.lower() for name in url.query}
        chosen = {name: value for name, value in defaults.items() if name.lower() not in present}
        # Without a database the host is a data source name, which brings its own.
        if url.host is not None and url.database is not None:
            url = url.update_query_dict(chosen)
    engine = _odbc(url, options)

    def prepare(connection: Any, record: object) -> None:
        cursor = connection.cursor()
        # Without XACT_ABORT a failed statement leaves half a transaction that commits.
        cursor.execute("SET XACT_ABORT ON")
        cursor.execute(f"SET LOCK_TIMEOUT {int(options.statement_timeout_s * 500)}")
        cursor.close()
        connection.commit()

    event.listen(engine, "connect", prepare)
    return engine


def _odbc(url: URL, options: EngineOptions) -> Engine:
    arguments: dict[str, Any] = {}
    if url.get_driver_name() == "pyodbc":
        arguments["timeout"] = max(1, round(options.login_timeout_s))
    engine = _create(url, options, connect_args=arguments, pool_pre_ping=True)

    def limit(connection: Any, record: object) -> None:
        if hasattr(connection, "timeout"):
            connection.timeout = max(1, round(options.statement_timeout_s))

    event.listen(engine, "connect", limit)
    return engine


def _other(url: URL, options: EngineOptions) -> Engine:
    if url.get_driver_name() == "pyodbc":
        return _odbc(url, options)
    return _create(url, options, pool_pre_ping=True)


_BUILDERS: Mapping[str, Callable[[URL, EngineOptions], Engine]] = {
    "sqlite": _sqlite,
    "postgresql": _postgresql,
    "mysql": _mysql,
    "mariadb": _mysql,
    "mssql": _mssql,
}
