"""Feeds out of PostgreSQL: whatever its types, both readers tell what single rows tell."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from sqlalchemy import Engine, create_engine, make_url

from erp_adapters.sql.adapter import SqlErpAdapter
from erp_adapters.sql.bulk.batches import Batch
from erp_adapters.sql.bulk.feed import Feed
from erp_adapters.sql.bulk.postgresql import by_adbc, by_psycopg
from erp_adapters.sql.errors import Attempt, translated
from erp_adapters.sql.queries import BadRow
from sync.columnar.vectors import fingerprint, vector_of
from sync.domain.pricing import PriceLevel, PriceScope
from sync.errors import Misconfigured, TryLater
from sync.kit.driver_errors import read_error
from sync.kit.sqlstate import Failure, classify
from tests.postgres import database

PROFILE = """
name: wide
description: prices in all types of PostgreSQL
dialects: [postgresql]
facts:
  unit_price_rounding: {places: 4, mode: half_up}
  amount_rounding: {places: 2, mode: half_up}
  time_zone: America/Chicago
reads:
  customer_ids: SELECT 'C-1' AS customer_id
  accounts: SELECT 'C-1' AS customer_id, 'x' AS name, 'USD' AS currency WHERE 'C-1' IN :customer_ids
  price_scopes: SELECT 'account' AS level, customer_id AS owner FROM price GROUP BY customer_id
  prices_account: SELECT * FROM price WHERE customer_id IN :customer_ids
  price_feed_account: SELECT * FROM price ORDER BY customer_id -- and what follows from it
"""

COLUMNS = {
    "customer_id": ("char(8)", "'C-1'"),
    "price_list": ("varchar(20)", "'L' || number"),
    "sku": ("text", "'S-' || number"),
    "unit": ("char(4)", "'EA'"),
    "currency": ("text", "'USD'"),
    "min_quantity": ("integer", "1"),
    "unit_price": ("numeric(19,4)", "number"),
    "valid_from": ("date", "NULL"),
    "valid_until": ("date", "NULL"),
    "priority": ("smallint", "number"),
    "warehouse": ("text", "NULL"),
}

NUMBERS = "('0'), ('0.0001'), ('999999999999999.9999'), ('12.5000'), (NULL), ('-3'), ('1000000')"
NUMERIC = "('0.0000000001'), ('9999999999999999999999999999'), ('1e-12'), ('1e30'), ('NaN'), (NULL)"

KINDS: dict[str, tuple[str, str, str]] = {
    "numeric(19,4)": ("unit_price", "numeric(19,4)", NUMBERS),
    "numeric": ("unit_price", "numeric", NUMERIC),
    "numeric quantity": ("min_quantity", "numeric", NUMERIC),
    "float8": ("unit_price", "float8", "('0.1'), ('0.00005'), ('1e20'), ('NaN'), (NULL)"),
    "float4": ("unit_price", "float4", "('0.1'), ('0.12345'), ('16777217'), (NULL)"),
    "bigint": ("unit_price", "bigint", "('0'), ('9223372036854775807'), (NULL)"),
    "money": ("unit_price", "money", "('5.00'), (NULL)"),
    "text price": ("unit_price", "text", "('5.0000'), (' 7 '), (''), ('x'), (NULL)"),
    "numeric key": ("sku", "numeric(12,2)", "('7.00'), ('7.50'), ('0')"),
    "integer key": ("sku", "integer", "('7'), ('-8')"),
    "uuid key": ("warehouse", "uuid", "('00000000-0000-0000-0000-00000000ABCD'), (NULL)"),
    "boolean key": ("warehouse", "boolean", "('t'), ('f'), (NULL)"),
    "text key": ("sku", "text", "('Größe'), ('  padded '), ('a b'), (''), (NULL), (E'a\\tb')"),
    "array": ("warehouse", "integer[]", "('{1,2}'), (NULL)"),
    "date": ("valid_from", "date", "('0001-01-01'), ('9999-12-31'), ('1969-12-31'), (NULL)"),
    "timestamp": ("valid_from", "timestamp", "('2026-03-02 04:30'), ('1969-12-31 23:59'), (NULL)"),
    "timestamptz": ("valid_from", "timestamptz", "('2026-03-02 04:30Z'), (NULL)"),
    "text date": ("valid_until", "text", "('2026-03-02'), ('soon'), (''), (NULL)"),
    "bigint priority": ("priority", "bigint", "('5'), ('2147483648'), (NULL)"),
    "no row": ("unit_price", "numeric(19,4)", "('1')"),
}

LEFT_TO_PSYCOPG = ("money", "float4", "array")

Reader = Callable[..., Iterator[Batch] | None]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with database() as url:
        yield url


@pytest.fixture(scope="module")
def staff(url: str) -> Iterator[Engine]:
    engine = create_engine(url)
    yield engine
    engine.dispose()


@pytest.fixture
def erp(url: str, tmp_path: Path) -> Iterator[Any]:
    (tmp_path / "wide.yaml").write_text(PROFILE, encoding="utf-8")
    erp = SqlErpAdapter.from_settings({"url": url, "profile": "wide.yaml"}, {}, tmp_path)
    yield erp
    erp.close()


def a_table(staff: Engine, column: str, kind: str, values: str) -> None:
    """Prices of one account, of which one column is of that kind and has these values."""
    columns = {**COLUMNS, column: (kind, f"told::{kind}")}
    types = ", ".join(f"{name} {kind}" for name, (kind, _) in columns.items())
    told = ", ".join(value for _, value in columns.values())
    with staff.begin() as connection:
        connection.exec_driver_sql(f"DROP TABLE IF EXISTS price; CREATE TABLE price ({types})")
        connection.exec_driver_sql(
            f"INSERT INTO price SELECT {told} FROM (SELECT told,"
            f" row_number() OVER ()::int AS number FROM (VALUES {values}) AS v (told)) AS numbered"
        )


def told_by(erp: Any, read: Reader) -> tuple[dict[str, pa.Table], set[tuple[str, str, str]]]:
    """The vectors of that reader, and what could not be read: key, column, message."""
    bad: list[BadRow] = []
    query = erp.queries["price_feed_account"]
    level, facts = PriceLevel.ACCOUNT, erp.profile.capabilities
    feed = Feed(query, facts, level, "customer_id", bad.append)
    with erp.database.reader.begin() as connection:
        batches = read(connection, query)
        assert batches is not None
        vectors = dict(feed.vectors(batches))
    return vectors, {(each.key, each.column, each.message) for each in bad}


@pytest.mark.rule("WA-7")
@pytest.mark.parametrize(
    "kind, read",
    [(kind, by_psycopg) for kind in KINDS]
    + [(kind, by_adbc) for kind in KINDS if kind not in LEFT_TO_PSYCOPG],
)
def test_a_feed_tells_what_the_rows_of_each_account_tell(
    erp: Any, staff: Engine, kind: str, read: Reader
) -> None:
    a_table(staff, *KINDS[kind])
    rows, unreadable = [], set()
    for entry in erp.prices(list(erp.price_scopes())):
        try:
            vector_of([entry])
        except ValueError as error:  # no vector holds such a number
            unreadable.add(str(error))
        else:
            rows.append(entry)
    by_row = {(each.key, each.field, each.message) for each in erp.take_unreadable()}

    vectors, by_column = told_by(erp, read)

    if rows:
        assert vectors["C-1"].equals(vector_of(rows))
        assert fingerprint(vectors["C-1"]) == fingerprint(vector_of(rows))
    else:
        assert vectors == {}
    assert {each for each in by_column if each[2] not in unreadable} == by_row


@pytest.mark.parametrize("kind", LEFT_TO_PSYCOPG)
def test_types_that_adbc_tells_in_another_way_are_left_to_psycopg(
    erp: Any, staff: Engine, kind: str
) -> None:
    a_table(staff, *KINDS[kind])
    with erp.database.reader.begin() as connection:
        assert by_adbc(connection, erp.queries["price_feed_account"]) is None


ROWS = 300_000
"""More than what is under way at a time, in the batches and in the sockets."""


@pytest.fixture
def many(url: str, staff: Engine, tmp_path: Path) -> Iterator[Any]:
    """An adapter to so many prices, the last of which cannot be computed."""
    with staff.begin() as connection:
        connection.exec_driver_sql("DROP TABLE IF EXISTS price")
        connection.exec_driver_sql(
            "CREATE VIEW price AS SELECT 'C-' || (n / 1000) AS customer_id, 'L' AS price_list,"
            " 'S' || n AS sku, 'EA' AS unit, 'USD' AS currency, 1 AS min_quantity,"
            f" 100 / ({ROWS} - n) AS unit_price FROM generate_series(1, {ROWS}) AS n"
        )
    profile = PROFILE.replace("price ORDER BY customer_id", "price")
    (tmp_path / "wide.yaml").write_text(profile, encoding="utf-8")
    erp = SqlErpAdapter.from_settings({"url": url, "profile": "wide.yaml"}, {}, tmp_path)
    yield erp
    erp.close()
    with staff.begin() as connection:
        connection.exec_driver_sql("DROP VIEW price")


@pytest.mark.rule("MI-3")
@pytest.mark.parametrize("read", [by_adbc, by_psycopg])
def test_an_answer_that_ends_in_an_error_is_no_end(many: Any, read: Reader) -> None:
    attempt = Attempt("reading")
    with pytest.raises(Misconfigured, match="22012"), translated(attempt, "postgresql"):
        told_by(many, read)


@pytest.mark.rule("MI-3")
@pytest.mark.parametrize("read", [by_adbc, by_psycopg])
def test_a_connection_that_breaks_in_the_middle_is_no_end(
    many: Any, staff: Engine, read: Reader
) -> None:
    with pytest.raises(TryLater):
        read_while_it_breaks(many, staff, read)


def read_while_it_breaks(many: Any, staff: Engine, read: Reader) -> None:
    query = many.queries["price_feed_account"]
    reader = many.database.reader
    with translated(Attempt("reading"), "postgresql"), reader.begin() as connection:
        batches = read(connection, query)
        assert batches is not None
        next(batches)
        break_all(staff)
        deque(batches, 0)


def break_all(staff: Engine) -> None:
    with staff.connect() as connection:
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND application_name LIKE 'tradesync%%'"
        )


@pytest.mark.rule("MI-3")
def test_who_leaves_early_leaves_no_connection_behind(many: Any, staff: Engine) -> None:
    told = many.price_vectors(PriceLevel.ACCOUNT)
    scope, _ = next(told)
    assert scope == PriceScope(PriceLevel.ACCOUNT, "C-0")
    told.close()
    many.close()

    with staff.connect() as connection:
        busy = (
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE state <> 'idle' AND pid <> pg_backend_pid()"
        )
        until = time.monotonic() + 20
        while connection.exec_driver_sql(busy).scalar_one():
            assert time.monotonic() < until
            # Within one transaction the server would tell the same again.
            connection.rollback()


def test_what_adbc_says_of_a_database_that_is_not_there_is_understood(url: str) -> None:
    import adbc_driver_postgresql.dbapi as adbc

    elsewhere = make_url(url).set(drivername="postgresql", database="nobodys")
    with pytest.raises(adbc.Error) as missing:
        adbc.connect(elsewhere.render_as_string())
    told = read_error(missing.value, "postgresql")
    assert (told.sqlstate, classify(told)) == ("3D000", Failure.NO_DATABASE)
