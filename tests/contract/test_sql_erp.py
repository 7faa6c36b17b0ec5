"""The SQL adapter keeps the contract of every ERP, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, event
from sqlalchemy.engine import Engine

from erp_adapters.sql.adapter import SqlErpAdapter
from sync.ports.erp import Erp
from sync.testing.erp_contract import ErpAdapterContract
from tests import postgres
from tests.contract.harbour import PROFILE, HarbourWorld, create_tables, empty_tables


def adapter(url: str) -> Erp:
    """Harbour Ledger's adapter on that database."""
    options = {"url": url, "profile": str(PROFILE), "pool_size": 2}
    return SqlErpAdapter.from_settings(options, {}, Path("/"))


@pytest.mark.rule("OI-1", "MI-1", "WA-6")
class TestSqlErpOnSqlite(ErpAdapterContract):
    # SQLite keeps numbers as floating-point ones where a column says NUMERIC.
    foresees = ("long_street", "fine_quantity")

    @pytest.fixture
    def ledger(self, tmp_path: Path) -> Iterator[Engine]:
        engine = create_engine(f"sqlite:///{tmp_path / 'harbour.db'}")
        # Safe against a crash of the machine is what this file need not be.
        event.listen(engine, "connect", lambda made, _: made.execute("PRAGMA synchronous = OFF"))
        with engine.begin() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
        create_tables(engine)
        yield engine
        engine.dispose()

    @pytest.fixture
    def erp_world(self, ledger: Engine) -> HarbourWorld:
        return HarbourWorld(ledger)

    @pytest.fixture
    def erp(self, ledger: Engine, tmp_path: Path) -> Iterator[Erp]:
        erp = adapter(f"sqlite:///{tmp_path / 'harbour.db'}")
        yield erp
        erp.close()


@pytest.fixture(scope="module")
def postgres_ledger() -> Iterator[Engine]:
    """One database for all tests below; each empties it."""
    with postgres.database() as url:
        engine = create_engine(url)
        create_tables(engine)
        yield engine
        engine.dispose()


@pytest.mark.rule("OI-1", "MI-1", "WA-6")
class TestSqlErpOnPostgresql(ErpAdapterContract):
    foresees = ("long_street",)

    @pytest.fixture
    def erp_world(self, postgres_ledger: Engine) -> HarbourWorld:
        empty_tables(postgres_ledger)
        return HarbourWorld(postgres_ledger)

    @pytest.fixture
    def erp(self, postgres_ledger: Engine) -> Iterator[Erp]:
        erp = adapter(postgres_ledger.url.render_as_string(hide_password=False))
        yield erp
        erp.close()
