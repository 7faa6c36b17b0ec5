"""Harbour Ledger's tables, made once for each process and copied for each test."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, event
from sqlalchemy.engine import Engine

from tests.contract.harbour import create_tables


@pytest.fixture(scope="session")
def empty_ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its tables in a file of SQLite, with nothing in them."""
    file = tmp_path_factory.mktemp("ledger") / "harbour.db"
    engine = create_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode = WAL")
    create_tables(engine)
    engine.dispose()  # the last connection to close leaves no write-ahead log behind
    return file


@pytest.fixture
def sqlite_ledger(tmp_path: Path, empty_ledger: Path) -> Iterator[Engine]:
    """An empty ledger of this test's own, ``harbour.db`` in its folder."""
    file = tmp_path / "harbour.db"
    shutil.copy(empty_ledger, file)
    engine = create_engine(f"sqlite:///{file}")
    # Safe against a crash of the machine is what this file need not be.
    event.listen(engine, "connect", lambda made, _: made.execute("PRAGMA synchronous = OFF"))
    yield engine
    engine.dispose()
