"""The SQL adapter keeps the contract of every ERP on SQLite."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy.engine import Engine

from sync.ports.erp import Erp
from sync.testing.erp_contract import ErpAdapterContract
from tests.contract.harbour import HarbourWorld, adapter_on


@pytest.mark.rule("OI-1", "MI-1", "WA-6")
class TestSqlErpOnSqlite(ErpAdapterContract):
    # SQLite keeps numbers as floating-point ones where a column says NUMERIC.
    foresees = ("long_street", "fine_quantity")

    @pytest.fixture
    def erp_world(self, sqlite_ledger: Engine) -> HarbourWorld:
        return HarbourWorld(sqlite_ledger)

    @pytest.fixture
    def erp(self, sqlite_ledger: Engine) -> Iterator[Erp]:
        erp = adapter_on(sqlite_ledger)
        yield erp
        erp.close()
