"""The ways into a database that are tried side by side: native drivers and ODBC's."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, Engine, create_engine

from tests.systems.odbc.servers import Server, needs

_numbers = itertools.count(1)

ODBC = {
    "sqlite": ("SQLite3", "the SQLite ODBC driver (package libsqliteodbc)"),
    "postgresql": ("PostgreSQL Unicode", "the PostgreSQL ODBC driver (package odbc-postgresql)"),
    "mariadb": ("MariaDB Unicode", "the MariaDB ODBC driver (package odbc-mariadb)"),
}
NATIVE = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg", "mariadb": "mariadb+pymysql"}


def needs_odbc(backend: str) -> None:
    """Skips by name where the driver manager or that driver is missing."""
    try:
        import pyodbc
    except ImportError:
        needs("the ODBC driver manager (package unixodbc)", None)
        raise
    driver, what = ODBC[backend]
    needs(what, driver in pyodbc.drivers())


@dataclass(frozen=True, slots=True)
class Base:
    """One empty database. ``owner`` is a native engine of somebody who may do everything."""

    backend: str
    owner: Engine
    server: Server | None = None

    def url(self, odbc: bool, user: str | None = None, password: str | None = None) -> URL:
        """For the adapter; by default as the owner."""
        if odbc:
            needs_odbc(self.backend)
        url = self.owner.url.set(
            drivername=f"{self.backend}+pyodbc" if odbc else NATIVE[self.backend], query={}
        )
        return url if user is None else url.set(username=user, password=password)

    def text(self, odbc: bool, user: str | None = None, password: str | None = None) -> str:
        return self.url(odbc, user, password).render_as_string(hide_password=False)


@contextmanager
def a_base(server: Server) -> Iterator[Base]:
    """A database of its own on that server, dropped afterwards."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    mariadb = server.name == "mariadb"
    how = " CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin" if mariadb else ""
    server.run(f"CREATE DATABASE {name}{how}")
    # It waits in its pool while servers come and go.
    owner = create_engine(server.admin.set(database=name), pool_pre_ping=True)
    try:
        yield Base(server.name, owner, server)
    finally:
        owner.dispose()
        server.run(f"DROP DATABASE {name}{'' if mariadb else ' WITH (FORCE)'}")


@contextmanager
def a_file(folder: Path) -> Iterator[Base]:
    """A SQLite database."""
    owner = create_engine(f"sqlite:///{folder / 'erp.db'}")
    with owner.begin() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode = WAL")
    try:
        yield Base("sqlite", owner)
    finally:
        owner.dispose()
