"""A database that is not where the settings say: told with host and port, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import make_url

from erp_adapters.sql.adapter import SqlErpAdapter
from sync.errors import AccessDenied, TryLater
from sync.ports.erp import FindingLevel, ReadsAccounts
from sync.stores.embedded.adapter import EmbeddedStore
from tests.ports import free_port
from tests.postgres import database

PASSWORD = {"password": "hunter2"}


@pytest.fixture
def url() -> str:
    """An address at which nothing listens."""
    return f"postgresql+psycopg://clerk@127.0.0.1:{free_port()}/acme"


def address(url: str) -> str:
    return url.partition("@")[2].removesuffix("/acme")


def test_an_erp_database_is_named_by_host_and_port(url: str, tmp_path: Path) -> None:
    erp = SqlErpAdapter.from_settings({"profile": "sample", "url": url}, PASSWORD, tmp_path)
    assert isinstance(erp, ReadsAccounts)
    with pytest.raises(TryLater) as raised:
        list(erp.customer_ids())
    assert f"nothing answers at {address(url)} (SQLSTATE 08001)" in str(raised.value)
    assert "correct url" in str(raised.value)
    (finding,) = [each for each in erp.check() if each.level is FindingLevel.ERROR]
    assert finding.message.endswith(f"nothing answers at {address(url)} (SQLSTATE 08001)")
    assert finding.remedy == "see that the database runs there, or correct url"
    for told in (str(raised.value), finding.message):
        assert "clerk" not in told
        assert "hunter2" not in told


def test_so_is_a_stores(url: str, tmp_path: Path) -> None:
    store = EmbeddedStore.from_settings({"store_id": "shop", "url": url}, PASSWORD, tmp_path)
    with pytest.raises(TryLater) as raised:
        list(store.web_users())
    said = str(raised.value)
    assert f"the database of store shop: nothing answers at {address(url)}" in said
    assert "correct url" in said
    assert "hunter2" not in said
    (finding,) = store.check()
    assert address(url) in finding.message


def test_a_database_that_the_server_lacks_is_not_taken_for_a_wrong_password(tmp_path: Path) -> None:
    with database() as there:
        url = make_url(there)._replace(database="epr", password=None).render_as_string()
        secrets = {"password": make_url(there).password or ""}
        erp = SqlErpAdapter.from_settings({"profile": "sample", "url": url}, secrets, tmp_path)
        assert isinstance(erp, ReadsAccounts)
        with pytest.raises(AccessDenied, match=r"has no database of that name.*3D000"):
            list(erp.customer_ids())
        (finding,) = [each for each in erp.check() if each.level is FindingLevel.ERROR]
        assert finding.remedy == "see to it there, or correct its name in url"
        store = EmbeddedStore.from_settings({"store_id": "shop", "url": url}, secrets, tmp_path)
        with pytest.raises(AccessDenied, match=r"is not on that server.*3D000"):
            list(store.web_users())
