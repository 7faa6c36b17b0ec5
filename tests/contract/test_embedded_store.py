"""The embedded store keeps the contract of every store on SQLite."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from sqlalchemy import URL

from sync.stores.embedded.engine import store_url
from tests.contract.embedded_world import OnADatabase


class TestEmbeddedStoreOnSqlite(OnADatabase):
    @pytest.fixture
    def store_database(self, tmp_path: Path, empty_shop: Path) -> URL:
        shutil.copy(empty_shop, tmp_path / "shop.db")
        return store_url("sqlite:///shop.db", {}, tmp_path)
