"""Database engines with the same promises on every dialect.

- Statements and logins end in time; nothing waits for ever.
- What was bound never appears in an error or a log (``hide_parameters``).
- An engine made ``read_only`` cannot write, as far as the database lets us say so.
- A transaction is one. Python's sqlite3 opens transactions late and commits
  some statements by itself, so it is told to leave that alone, and BEGIN is
  sent here: IMMEDIATE for writers, because a reader that turns writer halfway
  is refused at once instead of waiting for its turn.
- A SQLite file is the one that has its name now (``sync.kit.same_database``).
- A short text is never cut: MySQL is switched to its strict mode.
- Every answer of a written statement is read (``sync.kit.results``).
- The same promises hold over ODBC (``sync.kit.odbc``).
"""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InvalidatePoolError, NoSuchModuleError

from sync.errors import Misconfigured
from sync.kit import odbc
from sync.kit.results import read_to_the_end
from sync.kit.same_database import keep_to_its_name

_PACKAGES: Mapping[str, str] = {
    "psycopg": "install the extra: tradesync[postgresql]",
    "pymysql": "install the extra: tradesync[mariadb]",
    "MySQLdb": "write mysql+pymysql:// and install the extra: tradesync[mariadb]",
    "pyodbc": "install the package unixodbc and the database's ODBC driver",
}


MOST_PORT = 65535
RESTED_S = 0.1
"""So long after its last use a writer's connection is believed to be alive."""


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """``schema`` is a search path and PostgreSQL's alone. Times are in seconds.

    ``time_zone`` is how a driver that drops zones is to tell times that have one.
    The two ``insecure_`` ones are for SQL Server: to believe any certificate, and
    to speak in the clear.
    """

    read_only: bool = False
    pool_size: int = 5
    login_timeout_s: float = 15.0
    statement_timeout_s: float = 60.0
    schema: str | None = None
    application: str = "tradesync"
    time_zone: str = "UTC"
    insecure_trust_any_certificate: bool = False
    insecure_no_encryption: bool = False

    @property
    def statement_timeout_ms(self) -> int:
        """Never so short that it, or half of it, is written as 0: that would be no limit."""
        return max(2, int(self.statement_timeout_s * 1000))


def parse_url(url: str, base: Path, password: str | None = None) -> URL:
    """The URL with its password; a relative SQLite file is found under ``base``.

    Raises Misconfigured for what is no URL, without repeating it: it may hold
    a password.
    """
    try:
        parsed = make_url(url)
        if parsed.port is not None and not 0 < parsed.port <= MOST_PORT:
            raise ValueError("no port")
    except (ArgumentError, ValueError):  # the second one also for a port that is no number
        raise Misconfigured(
            "the database URL is not understood; it has the form dialect+driver://user@host/name"
        ) from None
    if password is not None and "odbc_connect" in parsed.query:
        raise Misconfigured(
            "a whole connection string (odbc_connect) takes no password beside it:"
            " put the whole URL into the secret"
        )
    if password is not None:
        parsed = parsed.set(password=password)
    if parsed.get_backend_name() == "sqlite":
        name = parsed.database or ""
        if name in ("", ":memory:") or name.startswith("file:"):
            raise Misconfigured("a SQLite database is named by its file: sqlite:///erp.db")
        parsed = parsed.set(database=str(base / name))
    return parsed


def address_of(url: URL) -> str:
    """Host and port for a message, without anything else of the URL; empty for a file."""
    if not url.host:
        return ""
    return f"{url.host}:{url.port}" if url.port else url.host


def engine_for(url: URL, options: EngineOptions) -> Engine:
    """An engine that has not connected yet. Raises Misconfigured where the driver is missing."""
    if options.schema is not None and url.get_backend_name() != "postgresql":
        raise Misconfigured(
            "schema is for PostgreSQL; name the schema in the statements of the profile instead"
        )
    build = _BUILDERS.get(url.drivername) or _BUILDERS.get(url.get_backend_name(), _other)
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
        # Every order begins one: straight to the driver it takes a fifth of the time.
        try:
            connection.connection.dbapi_connection.execute(begin)
        except sqlite3.Error as error:
            raise DBAPIError.instance(
                begin, None, error, sqlite3.Error, hide_parameters=True, dialect=connection.dialect
            ) from error

    event.listen(engine, "connect", prepare)
    event.listen(engine, "begin", open_transaction)
    keep_to_its_name(engine, path, writes=not options.read_only)
    return engine


def _sqlite_odbc(url: URL, options: EngineOptions) -> Engine:
    keywords = {
        "driver": odbc.DEFAULT_DRIVERS["sqlite"],
        "NoCreat": "1",
        "Timeout": str(options.statement_timeout_ms),
        # Its own transactions would begin late and let a reader turn writer halfway.
        "autocommit": "true",
    }
    engine = _odbc_engine(odbc.with_defaults(url, keywords), options)
    begin = "BEGIN" if options.read_only else "BEGIN IMMEDIATE"

    def prepare(connection: Any, record: object) -> None:
        odbc.times_as_stored(connection)
        connection.execute("PRAGMA foreign_keys = ON").close()
        if options.read_only:
            connection.execute("PRAGMA query_only = ON").close()

    def open_transaction(connection: Any) -> None:
        connection.exec_driver_sql(begin)

    event.listen(engine, "connect", prepare)
    event.listen(engine, "begin", open_transaction)
    keep_to_its_name(engine, Path(url.database or ""), writes=not options.read_only)
    return odbc.prepare(engine, "sqlite")


def _postgresql(url: URL, options: EngineOptions) -> Engine:
    settings = _postgresql_settings(options)
    arguments = {
        "connect_timeout": max(1, round(options.login_timeout_s)),
        "application_name": options.application,
        "options": " ".join(f"-c {name}={_escaped(value)}" for name, value in settings.items()),
    }
    if not options.read_only:
        return _pinged_after_rest(_create(url, options, connect_args=arguments))
    return _create(
        url,
        options,
        connect_args=arguments,
        pool_pre_ping=True,
        isolation_level="REPEATABLE READ",
    )


def _pinged_after_rest(engine: Engine) -> Engine:
    """Asks a connection whether it is alive, unless it was in use a moment ago.

    For writers: orders follow each other, and a question before each costs as much as
    a statement. What they do first is look the order up, so that a connection which
    broke in that moment is noticed before anything is written.
    """

    def used(raw: Any, record: Any) -> None:
        record.info["used"] = time.monotonic()

    def look(raw: Any, record: Any, _fairy: Any) -> None:
        since = record.info.get("used")
        if since is None or time.monotonic() - since < RESTED_S:
            return
        try:
            engine.dialect.do_ping(raw)
        except engine.dialect.loaded_dbapi.Error as error:
            if not engine.dialect.is_disconnect(error, raw, None):
                raise
            raise InvalidatePoolError from error

    event.listen(engine, "checkin", used)
    event.listen(engine, "checkout", look)
    return engine


def _postgresql_settings(options: EngineOptions) -> dict[str, str]:
    milliseconds = options.statement_timeout_ms
    settings = {
        "statement_timeout": str(milliseconds),
        "lock_timeout": str(milliseconds // 2),
        "idle_in_transaction_session_timeout": str(milliseconds * 2),
    }
    if options.read_only:
        settings["default_transaction_read_only"] = "on"
    if options.schema is not None:
        settings["search_path"] = options.schema
    return settings


def _postgresql_odbc(url: URL, options: EngineOptions) -> Engine:
    keywords = {
        "driver": odbc.DEFAULT_DRIVERS["postgresql"],
        # A failed statement ends the transaction, as it does without ODBC; the
        # driver's own way is a savepoint before each.
        "Protocol": "7.4-1",
    }
    if options.read_only:
        # Otherwise it keeps the whole answer in memory: 2.5 GB for ten million prices.
        keywords |= {"UseDeclareFetch": "1", "Fetch": "2000"}
    engine = _odbc_engine(odbc.with_port(odbc.with_defaults(url, keywords)), options)
    session = _postgresql_session(options)

    def prepare(connection: Any, record: object) -> None:
        for statement in session:
            connection.execute(statement).close()
        connection.commit()

    event.listen(engine, "connect", prepare)
    return odbc.prepare(engine, "postgresql")


def _postgresql_session(options: EngineOptions) -> list[str]:
    settings = {
        **_postgresql_settings(options),
        "TimeZone": options.time_zone,
        "application_name": options.application,
    }
    if options.read_only:
        settings["default_transaction_isolation"] = "repeatable read"
    made = []
    for name, value in settings.items():
        # In a search path the commas part; its names are not to be quoted as one.
        given = value if name == "search_path" else "'" + value.replace("'", "''") + "'"
        made.append(f"SET SESSION {name} = {given}")
    return made


def odbc_session(url: URL, options: EngineOptions) -> Sequence[str]:
    """What a connection that reads a long answer begins with, beside the engine's own ones.

    Without a limit for a whole statement, where the server would count our own time too.
    """
    match url.get_backend_name():
        case "postgresql":
            return _postgresql_session(options)
        case "mysql" | "mariadb":
            return ["SET SESSION TRANSACTION READ ONLY"] if options.read_only else []
        case "mssql":
            return [f"SET LOCK_TIMEOUT {options.statement_timeout_ms // 2}"]
    return []


def _escaped(value: str) -> str:
    """A value inside libpq's ``options``, where spaces part and backslashes escape."""
    return value.replace("\\", "\\\\").replace(" ", "\\ ")


def _mysql(url: URL, options: EngineOptions) -> Engine:
    # A little later than the server's own limit, so that its answer is seen.
    patience = round(options.statement_timeout_s) + 5
    if odbc.is_odbc(url):
        keywords = {
            "charset": "utf8mb4",
            # The driver does not heed ODBC's own login time-out.
            "CONN_TIMEOUT": str(max(1, round(options.login_timeout_s))),
            "READ_TIMEOUT": str(patience),
            "WRITE_TIMEOUT": str(patience),
        }
        if url.get_backend_name() == "mariadb":
            keywords["driver"] = odbc.DEFAULT_DRIVERS["mariadb"]
        engine = _odbc_engine(odbc.with_port(odbc.with_defaults(url, keywords)), options)
        odbc.prepare(engine, "mysql")
    else:
        arguments: dict[str, Any] = {}
        if url.get_driver_name() == "pymysql":
            arguments = {
                "connect_timeout": max(1, round(options.login_timeout_s)),
                # For the greeting of the server; after the login it is set to `patience`.
                "read_timeout": max(1, round(options.login_timeout_s)),
                "write_timeout": patience,
                "charset": "utf8mb4",
            }
        engine = _create(url, options, connect_args=arguments, pool_pre_ping=True)

    def prepare(connection: Any, record: object) -> None:
        if hasattr(connection, "_read_timeout"):
            # PyMySQL has no other way to say it once the connection stands.
            connection._read_timeout = patience
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
    if not options.read_only:
        read_to_the_end(engine)
    return engine


def _mssql(url: URL, options: EngineOptions) -> Engine:
    engine = _odbc(_mssql_secured(url, options), options)

    def prepare(connection: Any, record: object) -> None:
        cursor = connection.cursor()
        # Without XACT_ABORT a failed statement leaves half a transaction that commits.
        cursor.execute("SET XACT_ABORT ON")
        cursor.execute(f"SET LOCK_TIMEOUT {options.statement_timeout_ms // 2}")
        cursor.close()
        connection.commit()

    event.listen(engine, "connect", prepare)
    if not options.read_only:
        read_to_the_end(engine)
    return engine


def _mssql_secured(url: URL, options: EngineOptions) -> URL:
    """Encrypted, and with a certificate that is checked, unless the options say it aloud."""
    if not odbc.is_odbc(url):
        if options.insecure_no_encryption:
            return url
        raise Misconfigured(
            f"whether {url.drivername} encrypts, and checks the certificate, is settled elsewhere,"
            " so that orders and passwords might travel in the clear; use mssql+pyodbc, or say"
            " insecure_no_encryption = true"
        )
    given = given_keywords(url)
    trusts = given.get("trustservercertificate", set())
    encrypts = given.get("encrypt", set())
    if trusts & _YES and not options.insecure_trust_any_certificate:
        raise Misconfigured(
            "TrustServerCertificate lets anybody between here and the ERP read and change"
            " everything; take it out of the URL, or say insecure_trust_any_certificate = true"
        )
    if encrypts & _NO and not options.insecure_no_encryption:
        raise Misconfigured(
            "Encrypt is off, so that orders and passwords would travel in the clear;"
            " take it out of the URL, or say insecure_no_encryption = true"
        )
    if "odbc_connect" in url.query and not (encrypts or options.insecure_no_encryption):
        # It goes to the driver as it is, and drivers before 18 take silence for no.
        raise Misconfigured(
            "the connection string (odbc_connect) does not say that it encrypts, so that orders"
            " and passwords might travel in the clear; add Encrypt=yes; to it, or say"
            " insecure_no_encryption = true"
        )
    keywords = {"driver": odbc.DEFAULT_DRIVERS["mssql"], "APP": options.application}
    keywords["Encrypt"] = "no" if options.insecure_no_encryption else "yes"
    if options.insecure_trust_any_certificate:
        keywords["TrustServerCertificate"] = "yes"
    return odbc.with_defaults(url, keywords)


_YES = frozenset({"yes", "true", "1"})
_NO = frozenset({"no", "false", "0", "optional"})


_KEYWORD = re.compile(r"\s*(?P<name>[^=;]*)=\s*(?P<value>\{(?:[^}]|\}\})*\}|[^;]*)[^;]*;?")


def given_keywords(url: URL) -> dict[str, set[str]]:
    """What the URL says to the driver, in small letters; one of two may be what counts."""
    found: dict[str, set[str]] = {}
    for name, said in url.query.items():
        for value in (said,) if isinstance(said, str) else said:
            whole = name == "odbc_connect"
            pairs = _KEYWORD.findall(value) if whole else [(name, value)]
            for keyword, word in pairs:
                if bare := word.strip("{} ").lower():
                    found.setdefault(keyword.strip().lower(), set()).add(bare)
    return found


def _odbc(url: URL, options: EngineOptions) -> Engine:
    """ODBC to a server whose own time limits nothing here knows how to set."""
    engine = _odbc_engine(url, options)
    if not odbc.is_odbc(url):
        return engine

    def limit(connection: Any, record: object) -> None:
        if hasattr(connection, "timeout"):
            connection.timeout = max(1, round(options.statement_timeout_s))

    event.listen(engine, "connect", limit)
    return odbc.prepare(engine, url.get_backend_name())


def _odbc_engine(url: URL, options: EngineOptions) -> Engine:
    arguments: dict[str, Any] = {}
    if odbc.is_odbc(url):
        arguments["timeout"] = max(1, round(options.login_timeout_s))
    return _create(url, options, connect_args=arguments, pool_pre_ping=True)


def _other(url: URL, options: EngineOptions) -> Engine:
    if odbc.is_odbc(url):
        return _odbc(url, options)
    return _create(url, options, pool_pre_ping=True)


_BUILDERS: Mapping[str, Callable[[URL, EngineOptions], Engine]] = {
    "sqlite": _sqlite,
    "sqlite+pyodbc": _sqlite_odbc,
    "postgresql": _postgresql,
    "postgresql+pyodbc": _postgresql_odbc,
    "mysql": _mysql,
    "mariadb": _mysql,
    "mssql": _mssql,
}
