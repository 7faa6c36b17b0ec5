"""Real servers for ODBC, one of each kind for the whole run, and databases inside them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.systems.odbc.servers import MariadbServer, PostgresqlServer, a_server


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgresqlServer]:
    server = a_server(PostgresqlServer)
    yield server
    server.remove()


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[MariadbServer]:
    server = a_server(MariadbServer)
    yield server
    server.remove()
