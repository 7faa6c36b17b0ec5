"""Feeds through ODBC: by Arrow they say what pyodbc says row by row, to the last digit."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from erp_adapters.sql.adapter import SqlErpAdapter
from erp_adapters.sql.bulk.odbc import TEXT_BYTES, by_arrow_odbc
from erp_adapters.sql.bulk.readers import batches
from erp_adapters.sql.errors import Attempt, translated
from erp_adapters.sql.price_sums import answered
from sync.columnar.vectors import vector_of
from sync.domain.pricing import PriceLevel, PriceScope
from sync.errors import Misconfigured
from tests.systems.odbc.drivers import Base, a_base
from tests.systems.odbc.servers import MariadbServer, PostgresqlServer

PROFILE = """
name: wide
description: prices of many kinds
dialects: [postgresql, mysql]
facts:
  unit_price_rounding: {places: 4, mode: half_up}
  amount_rounding: {places: 2, mode: half_up}
reads:
  customer_ids: SELECT 'C-1' AS customer_id
  accounts: SELECT 'C-1' AS customer_id, 'x' AS name, 'USD' AS currency WHERE 'C-1' IN :customer_ids
  price_scopes: SELECT 'account' AS level, 'C-1' AS owner
  prices_account: SELECT * FROM price WHERE customer_id IN :customer_ids
  price_feed_account: SELECT * FROM price ORDER BY customer_id
"""

# The first rows would have a driver guess few places.
PRICES = ["1.5", "0.0001", "999999999999999.9999", "0.0000000001", "12345678901234567890.12345"]


@pytest.fixture(params=["postgresql", "mariadb"])
def base(
    request: pytest.FixtureRequest,
    postgresql_server: PostgresqlServer,
    mariadb_server: MariadbServer,
) -> Iterator[Base]:
    server = postgresql_server if request.param == "postgresql" else mariadb_server
    with a_base(server) as base:
        yield base


@pytest.fixture
def erp(base: Base, tmp_path: Path) -> Iterator[Any]:
    (tmp_path / "wide.yaml").write_text(PROFILE, encoding="utf-8")
    options = {"url": base.text(odbc=True), "profile": "wide.yaml"}
    erp = SqlErpAdapter.from_settings(options, {}, tmp_path)
    yield erp
    erp.close()


def a_table(base: Base, number: str = "NUMERIC(38,10)", prices: list[str] = PRICES) -> None:
    with base.owner.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE price (customer_id CHAR(8), price_list VARCHAR(20), sku VARCHAR(2000),"
            " unit CHAR(4), currency CHAR(3), min_quantity INTEGER,"
            f" unit_price {number}, valid_from DATE, priority SMALLINT)"
        )
        for place, price in enumerate(prices):
            connection.exec_driver_sql(
                f"INSERT INTO price VALUES ('C-1', 'Größe \U0001f529', 'S-{place}', 'EA', 'USD',"
                f" {place}, {price}, '1969-12-{place + 10}', NULL)"
            )


def vectors(erp: Any) -> dict[PriceScope, pa.Table]:
    return dict(erp.price_vectors(PriceLevel.ACCOUNT))


def by_row(erp: Any) -> pa.Table:
    return vector_of(erp.prices([PriceScope(PriceLevel.ACCOUNT, "C-1")]))


def reads_by_arrow(erp: Any) -> bool:
    with erp.database.reader.begin() as connection:
        return by_arrow_odbc(connection, erp.queries["price_feed_account"], ()) is not None


@pytest.mark.rule("WA-7")
def test_no_digit_is_lost_on_the_way(erp: Any, base: Base) -> None:
    a_table(base)

    assert reads_by_arrow(erp)
    [vector] = vectors(erp).values()

    assert set(vector.column("unit_price").to_pylist()) == {Decimal(price) for price in PRICES}
    assert vector.equals(by_row(erp))


@pytest.mark.rule("WA-7")
def test_floats_are_left_to_the_driver_for_rows(erp: Any, base: Base) -> None:
    a_table(base, "DOUBLE PRECISION", ["0.1", "1234567.8901", "0.00005"])

    assert not reads_by_arrow(erp)
    [vector] = vectors(erp).values()
    assert vector.equals(by_row(erp))


@pytest.mark.rule("MI-3")
def test_a_text_that_is_too_long_is_named_and_not_cut(erp: Any, base: Base) -> None:
    a_table(base)
    with base.owner.begin() as connection:
        connection.exec_driver_sql(f"UPDATE price SET sku = '{'x' * (TEXT_BYTES + 1)}'")

    with pytest.raises(Misconfigured, match="price_feed_account tells a text of more than"):
        vectors(erp)


@pytest.mark.rule("MI-3")
def test_a_statement_that_fails_is_told_as_by_pyodbc(erp: Any, base: Base) -> None:
    query = erp.queries["price_feed_account"]  # there is no table
    with (
        pytest.raises(Misconfigured, match="object missing"),
        translated(Attempt("reading"), erp.database.dialect),
        erp.database.reader.begin() as connection,
    ):
        list(batches(connection, query, erp.database))


@pytest.mark.rule("WA-7", "MI-2")
def test_sums_of_the_server_are_asked_for_without_a_cursor(
    postgresql_server: PostgresqlServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """psqlODBC would declare one, and PostgreSQL then takes twice as long."""
    with a_base(postgresql_server) as base:
        (tmp_path / "wide.yaml").write_text(PROFILE, encoding="utf-8")
        options = {"url": base.text(odbc=True), "profile": "wide.yaml"}
        erp: Any = SqlErpAdapter.from_settings(options, {}, tmp_path)
        a_table(base)
        first = erp.price_states(PriceLevel.ACCOUNT)
        [(scope, state)] = first.items()
        assert state.entries == len(PRICES)
        assert erp.price_states_of([scope]) == first == erp.price_states(PriceLevel.ACCOUNT)
        monkeypatch.setattr("erp_adapters.sql.price_states.SINGLY", 0)
        [(told, vector)] = erp.price_vectors_of([scope])
        assert told == scope
        assert vector.equals(vectors(erp)[scope])
        with base.owner.begin() as connection:
            connection.exec_driver_sql(
                "UPDATE price SET unit_price = -unit_price WHERE sku = 'S-1'"
            )
        assert erp.price_states(PriceLevel.ACCOUNT)[scope] != state
        with erp.database.reader.begin() as connection, base.owner.connect() as other:
            totals = erp._sums[PriceLevel.ACCOUNT].totals
            assert list(answered(totals, connection, {}, lambda bad: pytest.fail(str(bad))))
            last = "SELECT query FROM pg_stat_activity WHERE state = 'idle in transaction'"
            [query] = other.exec_driver_sql(last).scalars()
            assert query.split()[:6] == ["/*", "in", "one", "piece", "*/", "SELECT"]
        erp.close()
