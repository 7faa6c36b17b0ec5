"""The SQL adapter keeps the contract of every ERP on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine
from sqlalchemy.engine import Engine

from sync.ports.erp import Erp
from sync.testing.erp_contract import ErpAdapterContract
from tests import postgres
from tests.contract.harbour import HarbourWorld, adapter_on, create_tables, empty_tables


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
        erp = adapter_on(postgres_ledger)
        yield erp
        erp.close()
