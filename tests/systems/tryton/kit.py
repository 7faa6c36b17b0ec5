"""Stands a real Tryton up from the kit that lies beside the repository.

The server's packages go into an environment of their own, and the database is
filled once a day: its dates move with the calendar. Both stay under build/,
under the digest of what they were made from, so the next run begins at once.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import pytest
import requests

from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[3]
KIT = Path(os.environ.get("TRADESYNC_TRYTON_KIT", ROOT.parent / "shared" / "tryton"))
BUILD = ROOT / "build" / "tryton"
ADMIN_PASSWORD = "admin-of-a-test-server"
START_S = 120.0
PRINTING = (
    f"[report]\nconvert_command = {sys.executable} {Path(__file__).with_name('to_pdf.py')}"
    ' "%(input_path)s" "%(output_path)s"\n'
)
"""A section of the server's configuration: it makes PDF without LibreOffice."""
# All but three seconds of seeding is posting invoices.
SIZES = ("--customers", "12", "--products", "20", "--invoices", "16", "--seed", "1")
POSTGRES_SIZES = ("--customers", "4", "--products", "6", "--invoices", "2", "--seed", "1")


def here() -> bool:
    return (KIT / "seed_tryton.py").is_file()


def skip_without_kit() -> None:
    if not here():
        pytest.skip(
            "no Tryton here: its kit (requirements.txt, seed_tryton.py) is not at"
            " ../shared/tryton, and TRADESYNC_TRYTON_KIT names no other folder"
        )


def server_python() -> Path:
    """The interpreter of the server's environment, made where it is not there yet."""
    requirements = KIT / "requirements.txt"
    wanted = _digest(requirements.read_bytes(), sys.version.encode())
    folder = BUILD / f"venv-{wanted}"
    python = folder / "bin" / "python"
    with _alone():
        if not (folder / ".whole").exists():
            shutil.rmtree(folder, ignore_errors=True)
            _run([sys.executable, "-m", "venv", str(folder)])
            pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            _run([*pip, "-r", str(requirements)])
            (folder / ".whole").touch()
    return python


def seeded_sqlite() -> tuple[Path, dict[str, Any]]:
    """A filled SQLite database that nobody may change, and what the seed says is in it."""
    python = server_python()
    today = datetime.now(UTC).date().isoformat()
    seed = (KIT / "seed_tryton.py").read_bytes()
    folder = BUILD / f"seed-{_digest(seed, today.encode(), ' '.join(SIZES).encode())}"
    with _alone():
        if not (folder / ".whole").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            config = write_config(folder, f"sqlite://\npath = {folder}", port=1)
            seed_database(python, config, "erp", folder, SIZES, today)
            (folder / ".whole").touch()
    return folder / "erp.sqlite", read_manifest(folder)


def seed_database(
    python: Path, config: Path, name: str, folder: Path, sizes: Sequence[str], today: str
) -> None:
    script = [str(python), str(KIT / "seed_tryton.py"), "--config", str(config)]
    what = ["--database", name, "--init", "--today", today, *sizes]
    _run([*script, *what, "--manifest", str(folder / "manifest.json")])


def read_manifest(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    return found


def write_config(folder: Path, database: str, port: int, extra: str = "") -> Path:
    config = folder / "trytond.conf"
    config.write_text(
        f"[database]\nuri = {database}\n[web]\nlisten = 127.0.0.1:{port}\nroot =\n{extra}"
    )
    return config


class Server:
    """``trytond`` on a free port of this machine, with these databases loaded."""

    def __init__(
        self, python: Path, folder: Path, database: str, names: Sequence[str], extra: str = ""
    ) -> None:
        self.folder, self._python, self._names = folder, python, names
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._config = write_config(folder, database, self.port, extra)
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        log = (self.folder / "trytond.log").open("ab")
        self._process = subprocess.Popen(
            [str(self._python.with_name("trytond")), "-c", str(self._config), "-d", *self._names],
            stdout=log,
            stderr=log,
            env=_environment(),
        )
        log.close()
        give_up_at = time.monotonic() + START_S
        body = {"id": 0, "method": "common.server.version", "params": []}
        while True:
            with contextlib.suppress(requests.RequestException):
                if requests.post(f"{self.url}/rpc/", json=body, timeout=5).ok:
                    return
            if self._process.poll() is not None or time.monotonic() > give_up_at:
                self.stop()
                pytest.fail(f"trytond did not start: {self.log()[-2000:]}")
            time.sleep(0.1)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def log(self) -> str:
        return (self.folder / "trytond.log").read_text(errors="replace")


class Database(Protocol):
    """What tests do to a database past the server."""

    def execute(self, statement: str, *values: object) -> object: ...


class SqliteFile:
    """A database that a running server has open, and that can be set back."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def execute(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with contextlib.closing(sqlite3.connect(self.file, timeout=30)) as connection, connection:
            return connection.execute(statement, values).fetchall()

    def copy_to(self, other: Path) -> None:
        with (
            contextlib.closing(sqlite3.connect(self.file, timeout=30)) as source,
            contextlib.closing(sqlite3.connect(other, timeout=30)) as target,
        ):
            source.backup(target)


def _environment() -> dict[str, str]:
    kept = {name: text for name, text in os.environ.items() if not name.startswith("TRYTOND")}
    return {**kept, "TRYTON_ADMIN_PASSWORD": ADMIN_PASSWORD}


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, env=_environment(), check=False)
    if done.returncode:
        pytest.fail(f"{command[:4]} ended with {done.returncode}: {done.stderr[-3000:]}")


def _digest(*parts: bytes) -> str:
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:12]


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Two test runs at once would build into one folder."""
    BUILD.mkdir(parents=True, exist_ok=True)
    with (BUILD / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
