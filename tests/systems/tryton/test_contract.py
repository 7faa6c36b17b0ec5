"""The contract of every ERP adapter, against a Tryton that is running."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sync.domain.pricing import PriceScope
from sync.testing.erp_contract import ErpAdapterContract
from tests.systems.tryton.client import Tryton
from tests.systems.tryton.conftest import Live
from tests.systems.tryton.kit import SqliteFile
from tests.systems.tryton.world import (
    CATEGORY,
    SHOP,
    Directory,
    NamedTryton,
    TrytonWorld,
    prepare,
)


@pytest.fixture(scope="session")
def prepared(tryton: dict[str, Live]) -> Iterator[tuple[Tryton, SqliteFile]]:
    """An administrator who stays signed in, and the database as each test finds it."""
    live = tryton["contract"]
    file = live.database
    assert isinstance(file, SqliteFile)
    # The seed's company keeps its books in dollars, the contract in euros.
    file.execute("UPDATE currency_currency SET name = 'Euro', code = 'EUR'")
    client = live.admin()
    prepare(client)
    untouched = file.file.with_name("contract-untouched.sqlite")
    file.copy_to(untouched)
    yield client, SqliteFile(untouched)
    client.close()


@pytest.mark.rule("OI-1", "MI-1", "WA-6")
class TestTryton(ErpAdapterContract):
    own_scope = PriceScope.group("GOLD")
    other_scope = PriceScope.group("SILVER")
    foresees = ("fine_quantity", "codeless_discount")

    @pytest.fixture
    def directory(self) -> Directory:
        return Directory()

    @pytest.fixture
    def erp_world(
        self,
        tryton: dict[str, Live],
        prepared: tuple[Tryton, SqliteFile],
        directory: Directory,
    ) -> TrytonWorld:
        client, untouched = prepared
        live = tryton["contract"]
        assert isinstance(live.database, SqliteFile)
        untouched.copy_to(live.database.file)
        return TrytonWorld(live.database, client, directory)

    @pytest.fixture
    def erp(
        self, tryton: dict[str, Live], erp_world: TrytonWorld, directory: Directory
    ) -> Iterator[NamedTryton]:
        live = tryton["contract"]
        secrets = {"password": str(live.manifest["sync_user"]["password"])}
        options = live.options(web_shop=SHOP, customer_category=CATEGORY)
        erp = NamedTryton.from_settings(options, secrets, Path())
        assert isinstance(erp, NamedTryton)
        erp.directory = directory
        yield erp
        erp.close()
