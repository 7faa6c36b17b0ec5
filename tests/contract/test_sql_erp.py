"""The SQL adapter keeps the contract of every ERP, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine
from sqlalchemy.engine import Engine

from sync.ports.erp import Erp
from sync.testing.erp_contract import ErpAdapterContract
from tests import postgres
from tests.contract.harbour import HarbourWorld, create_tables, empty_tables, harbour_adapter


def adapter(ledger: Engine) -> Erp:
    """Harbour Ledger's adapter on that database."""
    return harbour_adapter(url=ledger.url.render_as_string(hide_password=False), pool_size=2)


@pytest.mark.rule("OI-1", "MI-1", "WA-6")
class TestSqlErpOnSqlite(ErpAdapterContract):
    # SQLite keeps numbers as floating-point ones where a column says NUMERIC.
    foresees = ("long_street", "fine_quantity")

    @pytest.fixture
    def erp_world(self, sqlite_ledger: Engine) -> HarbourWorld:
        return HarbourWorld(sqlite_ledger)

    @pytest.fixture
    def erp(self, sqlite_ledger: Engine) -> Iterator[Erp]:
        erp = adapter(sqlite_ledger)
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
        erp = adapter(postgres_ledger)
        yield erp
        erp.close()
