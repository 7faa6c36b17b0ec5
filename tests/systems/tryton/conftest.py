"""One Tryton for the whole run: an untouched seed, and a copy that tests may write to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from erp_adapters.tryton.adapter import TrytonErpAdapter
from erp_adapters.tryton.papers import REPORTS
from tests.systems.tryton import kit
from tests.systems.tryton.client import Tryton

BUILDING_S = 900


NOT_IN_TRYTON = {
    "test_keys_out_of_padded_columns_arrive_stripped": "it strips what it stores",
    "test_a_contact_that_cannot_be_read_refuses_its_own_address_alone": "all belong to a party",
    "test_locations_are_told_for_the_accounts_asked": "its customers have no sites",
    "test_every_level_of_price_is_told_under_its_own_scope[item]": "prices are those of lists",
    "test_every_level_of_price_is_told_under_its_own_scope[location]": "it has no sites",
    "test_every_level_of_price_is_told_under_its_own_scope[account]": "prices are those of lists",
    "test_every_level_of_price_is_told_under_its_own_scope[default]": "prices are those of lists",
    "test_every_quantity_break_unit_and_currency_is_an_entry": "one unit and currency an item",
}
"""Tests of the contract about what Tryton does not have: left out by name, since a
skipped test of this folder means that an outside system is missing."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Whichever test is the first here waits for the environment and the seed."""
    contract = Path(__file__).parent / "test_contract.py"
    out = [item for item in items if item.path == contract and item.name in NOT_IN_TRYTON]
    if out:
        config.hook.pytest_deselected(items=out)
        items[:] = [item for item in items if item not in out]
    here = [item for item in items if Path(__file__).parent in item.path.parents]
    for item in here[:1]:
        item.add_marker(pytest.mark.timeout(BUILDING_S))


@dataclass(frozen=True)
class Live:
    """A database of the server: how to reach it, and what the seed put into it."""

    server: kit.Server
    name: str
    database: kit.Database
    manifest: dict[str, Any]

    def admin(self) -> Tryton:
        return Tryton(self.server.url, self.name, "admin", kit.ADMIN_PASSWORD)

    def client(self) -> Tryton:
        """Signed in as the user whom the adapter uses."""
        password = str(self.manifest["sync_user"]["password"])
        return Tryton(self.server.url, self.name, "sync", password)

    def options(self, **more: object) -> dict[str, object]:
        given = {"url": self.server.url, "database": self.name, "user": "sync"}
        return {**given, "web_shop": "webstore", **more}

    def adapter(self, **more: object) -> TrytonErpAdapter:
        secrets = {"password": str(self.manifest["sync_user"]["password"])}
        return TrytonErpAdapter.from_settings(self.options(**more), secrets, Path())


NAMES = ("erp", "orders", "contract")
WITH_PAPERS = ("orders", "contract")
"""Whose reports make PDF; those of the untouched seed do not."""
_REPORTS = ", ".join(f"'{each}'" for each in REPORTS.values())


@pytest.fixture(scope="session")
def tryton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Live]]:
    """The databases by name, each a copy of the seed."""
    kit.skip_without_kit()
    seeded, manifest = kit.seeded_sqlite()
    folder = tmp_path_factory.mktemp("tryton")
    for name in NAMES:
        kit.SqliteFile(seeded).copy_to(folder / f"{name}.sqlite")
    # A database that is set back has the sessions of that time in it.
    lasting = "[session]\ntimeout = 86400\nmax_age = 86400\n"
    for name in WITH_PAPERS:
        # As an administrator sets it at the reports of Tryton.
        kit.SqliteFile(folder / f"{name}.sqlite").execute(
            f"UPDATE ir_action_report SET extension = 'pdf' WHERE report_name IN ({_REPORTS})"
        )
    more = lasting + kit.PRINTING
    server = kit.Server(kit.server_python(), folder, f"sqlite://\npath = {folder}", NAMES, more)
    yield {
        name: Live(server, name, kit.SqliteFile(folder / f"{name}.sqlite"), manifest)
        for name in NAMES
    }
    server.stop()


@pytest.fixture(scope="session")
def seeded(tryton: dict[str, Live]) -> Live:
    """For reading only: the seed as it was made."""
    return tryton["erp"]


@pytest.fixture(scope="session")
def written(tryton: dict[str, Live]) -> Live:
    """For tests that write: each with keys and customers of its own."""
    return tryton["orders"]


@pytest.fixture
def reader(seeded: Live) -> Iterator[TrytonErpAdapter]:
    adapter = seeded.adapter()
    yield adapter
    adapter.close()


@pytest.fixture
def writer(written: Live) -> Iterator[TrytonErpAdapter]:
    adapter = written.adapter()
    yield adapter
    adapter.close()


@pytest.fixture(scope="session")
def admin(written: Live) -> Iterator[Tryton]:
    client = written.admin()
    yield client
    client.close()
