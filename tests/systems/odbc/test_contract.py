"""The SQL adapter keeps the contract of every ERP over ODBC, and on MariaDB without it.

The order of every class below is written through the driver, found by its key,
and refused a second time by a unique index (OI-1). Over ODBC the two accounts of
the grant scripts do it, so that all that the suite needs is shown to be granted.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from erp_adapters.sql.adapter import SqlErpAdapter
from sync.ports.erp import Erp
from sync.testing.erp_contract import ErpAdapterContract
from tests.contract.harbour import PROFILE, HarbourWorld, create_tables, empty_tables
from tests.systems.odbc.drivers import Base, a_base, a_file
from tests.systems.odbc.roles import READER, WRITER, accounts
from tests.systems.odbc.servers import MariadbServer, PostgresqlServer

Account = tuple[str | None, str | None]
OWNER: Account = (None, None)


def adapter(base: Base, odbc: bool, reader: Account = OWNER, writer: Account = OWNER) -> Erp:
    options = {
        "url": base.text(odbc, *reader),
        "write_url": base.text(odbc, *writer),
        "profile": str(PROFILE),
        "pool_size": 2,
    }
    return SqlErpAdapter.from_settings(options, {}, Path("/"))


@pytest.fixture(scope="module")
def on_postgresql(postgresql_server: PostgresqlServer) -> Iterator[Base]:
    """One database for all tests below; each empties it."""
    with a_base(postgresql_server) as base:
        create_tables(base.owner)
        with accounts(base):
            yield base


@pytest.fixture(scope="module")
def on_mariadb(mariadb_server: MariadbServer) -> Iterator[Base]:
    with a_base(mariadb_server) as base:
        create_tables(base.owner)
        with accounts(base):
            yield base


class _OnAServer(ErpAdapterContract):
    odbc = True
    foresees = ("long_street",)

    @pytest.fixture
    def erp_world(self, base: Base) -> HarbourWorld:
        empty_tables(base.owner)
        return HarbourWorld(base.owner)

    @pytest.fixture
    def erp(self, base: Base) -> Iterator[Erp]:
        erp = adapter(base, self.odbc, *((READER, WRITER) if self.odbc else ()))
        yield erp
        erp.close()


@pytest.mark.rule("OI-1", "MI-1", "WA-6")
class TestPostgresqlOdbc(_OnAServer):
    @pytest.fixture
    def base(self, on_postgresql: Base) -> Base:
        return on_postgresql


@pytest.mark.rule("OI-1", "MI-1", "WA-6")
class TestMariadbOdbc(_OnAServer):
    @pytest.fixture
    def base(self, on_mariadb: Base) -> Base:
        return on_mariadb


@pytest.mark.rule("OI-1", "MI-1", "WA-6")
class TestMariadb(_OnAServer):
    odbc = False

    @pytest.fixture
    def base(self, on_mariadb: Base) -> Base:
        return on_mariadb


@pytest.mark.rule("OI-1", "MI-1", "WA-6")
class TestSqliteOdbc(ErpAdapterContract):
    foresees = ("long_street", "fine_quantity")

    @pytest.fixture
    def base(self, tmp_path: Path) -> Iterator[Base]:
        with a_file(tmp_path) as base:
            create_tables(base.owner)
            yield base

    @pytest.fixture
    def erp_world(self, base: Base) -> HarbourWorld:
        return HarbourWorld(base.owner)

    @pytest.fixture
    def erp(self, base: Base) -> Iterator[Erp]:
        erp = adapter(base, odbc=True)
        yield erp
        erp.close()
