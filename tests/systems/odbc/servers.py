"""PostgreSQL and MariaDB of the distribution, each started by its test and gone afterwards.

Every server has a temporary folder and a free port of 127.0.0.1, and runs without
rights: as the user of the tests, or as ``nobody`` where the tests run as root, which
neither server would do. Nothing here looks for, or talks to, a server that it has
not started. What was made once (initdb) is kept as a folder to copy from.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import URL, Engine, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from tests.ports import LISTENS, free_port

START_S = 60


def needs(what: str, found: object) -> None:
    """Skips by name: what is missing, and how to have it."""
    if not found:
        pytest.skip(f"{what} is not installed here; run .ci/system-packages")


def _as() -> dict[str, Any]:
    """Whom a server runs as."""
    if os.getuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _private_folder(name: str) -> Path:
    # Not under pytest's own folder, which nobody else may enter.
    folder = Path(tempfile.mkdtemp(prefix=f"tradesync-{name}-"))
    if os.getuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    return folder


class Server:
    """One server process. ``admin`` is the URL of its owner, without ODBC."""

    name = "server"

    def __init__(self) -> None:
        self.folder = _private_folder(self.name)
        self.port = free_port()
        self._log = self.folder / "log"
        self._process: subprocess.Popen[bytes] | None = None
        self._admin: Engine | None = None

    @property
    def admin(self) -> URL:
        raise NotImplementedError

    def engine(self) -> Engine:
        """For the arranging of tests: commits by itself and keeps no connection."""
        if self._admin is None:
            self._admin = create_engine(
                self.admin, poolclass=NullPool, isolation_level="AUTOCOMMIT"
            )
        return self._admin

    def run(self, *statements: str) -> None:
        with self.engine().connect() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    def start(self) -> None:
        """Raises RuntimeError with the end of its log where it does not come up."""
        # There is no clock to turn: a server comes up when it does.
        until = time.monotonic() + START_S
        self._launch()
        while not self._answers():
            if time.monotonic() > until:
                self.kill()
                tail = self._log.read_text(errors="replace")[-2000:]
                raise RuntimeError(f"{self.name} did not start:\n{tail}")
            if self._process is None or self._process.poll() is not None:
                # After a kill its workers, each a group of its own, may still hold its memory.
                self._launch()
            time.sleep(0.05)

    def _launch(self) -> None:
        with self._log.open("ab") as written:
            # Should the tests be killed, the server goes with them.
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *self._command()],
                stdout=written,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                cwd=self.folder,
                start_new_session=True,
                env=self._environment(),
                **_as(),
            )

    def kill(self) -> None:
        """As a power failure would: nothing is finished, nobody is told."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def restart(self) -> None:
        self.kill()
        self.start()

    def remove(self) -> None:
        self._end()
        self.kill()
        if self._admin is not None:
            self._admin.dispose()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _end(self) -> None:
        """Lets it give back what is not in its folder, where there is any such thing."""

    def _environment(self) -> dict[str, str]:
        # MariaDB deletes every temporary table that it finds where it keeps its own,
        # those of a server that is just being made beside it included.
        return {**os.environ, "TMPDIR": str(self.folder)}

    def _command(self) -> Sequence[str]:
        raise NotImplementedError

    def _answers(self) -> bool:
        try:
            with self.engine().connect():
                return True
        except DBAPIError:
            return False

    def _make(self, *command: str) -> None:
        done = subprocess.run(
            command,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            env=self._environment(),
            **_as(),
        )
        if done.returncode != 0:
            raise RuntimeError(f"{command[0]} failed:\n{done.stdout}{done.stderr}"[-2000:])


class PostgresqlServer(Server):
    name = "postgresql"

    def __init__(self) -> None:
        super().__init__()
        self._tools = _postgresql_tools()
        self._make(
            str(self._tools / "initdb"),
            *("-D", "data", "-U", "owner", "-E", "UTF8", "--locale=C", "-A", "scram-sha-256"),
            *("--no-sync", "--pwfile", str(self._password_file())),
        )

    @property
    def admin(self) -> URL:
        return URL.create(
            "postgresql+psycopg",
            username="owner",
            password=PASSWORD,
            host=LISTENS,
            port=self.port,
            database="postgres",
        )

    def _end(self) -> None:
        # Killed, it leaves its shared memory, of which a machine has only so much.
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(START_S)

    def _password_file(self) -> Path:
        path = self.folder / "password"
        path.write_text(PASSWORD)
        path.chmod(0o644)
        return path

    def _command(self) -> Sequence[str]:
        # A killed postmaster leaves its children and its shared memory for a moment.
        (self.folder / "data" / "postmaster.pid").unlink(missing_ok=True)
        settings = {
            "listen_addresses": LISTENS,
            "unix_socket_directories": str(self.folder),
            "fsync": "off",
            "deadlock_timeout": "3s",
            "shared_buffers": "16MB",
        }
        given = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        return [str(self._tools / "postgres"), "-D", "data", "-p", str(self.port), *given]


class MariadbServer(Server):
    name = "mariadb"

    def __init__(self) -> None:
        super().__init__()
        self._make(
            "mariadb-install-db",
            "--no-defaults",
            f"--datadir={self.folder / 'data'}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
        )
        first = self.folder / "first.sql"
        first.write_text(
            f"CREATE USER IF NOT EXISTS owner@'%' IDENTIFIED BY '{PASSWORD}';"
            "\nGRANT ALL ON *.* TO owner@'%' WITH GRANT OPTION;\n"
        )
        first.chmod(0o644)

    @property
    def admin(self) -> URL:
        return URL.create(
            "mariadb+pymysql",
            username="owner",
            password=PASSWORD,
            host=LISTENS,
            port=self.port,
            query={"charset": "utf8mb4"},
        )

    def _command(self) -> Sequence[str]:
        return [
            _mariadbd() or "mariadbd",
            "--no-defaults",
            f"--datadir={self.folder / 'data'}",
            f"--socket={self.folder / 'socket'}",
            f"--pid-file={self.folder / 'pid'}",
            f"--port={self.port}",
            f"--bind-address={LISTENS}",
            f"--init-file={self.folder / 'first.sql'}",
            "--skip-name-resolve",
            "--skip-log-bin",
            "--innodb-flush-log-at-trx-commit=2",
            "--innodb-buffer-pool-size=16M",
            "--character-set-server=utf8mb4",
        ]


PASSWORD = "p;w}d"  # what a connection string has to quote


def _postgresql_tools() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    needs("PostgreSQL (package postgresql)", found)
    return found[-1].parent


def _mariadbd() -> str | None:
    return shutil.which("mariadbd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


S = TypeVar("S", bound=Server)


def a_server(kind: type[S]) -> S:
    """A running one. Skips by name where its package is missing."""
    if issubclass(kind, MariadbServer):
        needs("MariaDB (package mariadb-server)", _mariadbd())
    server = kind()
    try:
        server.start()
    except BaseException:
        server.remove()
        raise
    return server
