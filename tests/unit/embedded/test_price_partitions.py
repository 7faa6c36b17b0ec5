"""Which partitions of prices there are, and whose."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import URL, create_engine, insert, make_url

from sync.stores.embedded import queries, schema
from sync.stores.embedded.engine import create_store
from tests.postgres import database

OWNERS = ("A", "B", "ab", "Z|", "Ä")


def _fill(url: URL, each: int) -> None:
    create_store(url)
    engine = create_engine(url)
    same = dict.fromkeys(("audience_channel", "price_list", "valid_from", "warehouse"), "")
    same |= {"unit": "EA", "currency": "EUR", "min_quantity": "1"}
    rows = [
        dict(same, audience=kind, audience_key=owner, owner=owner, level=level, priority=0, sku=sku)
        for kind, level in (("account", 3), ("group", 4), ("location", 2))
        for owner in OWNERS
        for sku in (f"S-{number}" for number in range(each))
    ]
    with engine.begin() as connection:
        connection.execute(insert(schema.prices), rows)
    engine.dispose()


def _assert_all_found(url: URL) -> None:
    engine = create_engine(url)
    with engine.connect() as connection:
        found = queries.price_partitions(connection)
        told = {(each["audience"], each["audience_key"], each["level"]) for each in found}
        assert len(found) == len(told) == 3 * len(OWNERS)
        assert {level for _, _, level in told} == {2, 3, 4}
        assert queries.mirrored_customers(connection) == sorted(OWNERS)
    engine.dispose()


@pytest.mark.rule("MI-2")
def test_every_partition_is_found_once(tmp_path: Path) -> None:
    with database() as server:
        for url in (URL.create("sqlite", database=str(tmp_path / "shop.db")), make_url(server)):
            _check(url)


def _check(url: URL) -> None:
    create_store(url)
    engine = create_engine(url)
    with engine.connect() as connection:
        assert queries.price_partitions(connection) == []
        assert queries.mirrored_customers(connection) == []
    engine.dispose()
    _fill(url, 3)
    _assert_all_found(url)
