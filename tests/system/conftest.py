"""The sample, built once for each process of the test run and copied for each test.

Of its orders as many are kept as a test needs that kills a daemon among them.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sync.sample.build import build_sample
from tests.system.site import GOOD_ORDERS, WRONG_ORDERS, SampleSite

FIRST_GOOD, FIRST_WRONG = 50001, 50271


@pytest.fixture(scope="session")
def sample_databases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample")
    build_sample(
        f"sqlite:///{folder / 'erp.sqlite'}",
        f"sqlite:///{folder / 'store.sqlite'}",
        today=datetime.now(UTC).date(),
    )
    _keep_some_orders(folder / "store.sqlite")
    return folder


@pytest.fixture
def site(tmp_path: Path, sample_databases: Path) -> SampleSite:
    return SampleSite.copied(tmp_path / "site", sample_databases)


def _keep_some_orders(store: Path) -> None:
    good = [f"W-{FIRST_GOOD + each}" for each in range(GOOD_ORDERS)]
    wrong = [f"W-{FIRST_WRONG + each}" for each in range(WRONG_ORDERS)]
    kept = "', '".join([*good, *wrong])
    with closing(sqlite3.connect(store)) as connection, connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        for (table,) in names.fetchall():
            columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            if "order_id" in columns and table != "orders":
                connection.execute(
                    f"DELETE FROM {table} WHERE order_id NOT IN"
                    f" (SELECT order_id FROM orders WHERE number IN ('{kept}'))"
                )
        connection.execute(f"DELETE FROM orders WHERE number IS NULL OR number NOT IN ('{kept}')")
        ((left,),) = connection.execute("SELECT count(*) FROM orders").fetchall()
        assert left == GOOD_ORDERS + WRONG_ORDERS
