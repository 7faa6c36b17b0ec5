"""Prices by column are written as prices one by one are, and hold up nobody."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import URL, event, make_url, select, text

from sync.columnar.vectors import AMOUNT, canonical
from sync.domain.ids import CustomerId, Sku, StoreId
from sync.domain.money import plain
from sync.domain.pricing import Price, PriceScope
from sync.domain.views import PublishedPriceKey
from sync.errors import Misconfigured, Rejected
from sync.ports.price_lists import Joining, ListRows, SharedChange
from sync.ports.store import PriceRows
from sync.stores.embedded import engine, price_columns, queries, schema
from sync.stores.embedded.adapter import EmbeddedStore
from sync.stores.embedded.price_batches import STRAIGHT_FROM
from sync.stores.embedded.price_columns import plain_texts
from sync.testing import builders as a
from sync.testing.store_contract import in_rows, published, tricky_prices
from tests.postgres import database

PIECE = 2 * STRAIGHT_FROM
"""So many are spelled at once here; the program takes more."""

MANY = [a.a_price(f"{number}.5", sku=Sku(f"ITEM-{number:05}")) for number in range(PIECE + 1)]


@pytest.fixture(params=["sqlite", "postgresql", "another driver"])
def any_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EmbeddedStore]:
    if request.param == "postgresql":
        with database() as address:
            yield from _opened(make_url(address))
        return
    for store in _opened(engine.store_url("sqlite:///shop.db", {}, tmp_path)):
        if request.param == "another driver":
            store.engine.dialect.driver = "another"
        yield store


def _opened(url: URL) -> Iterator[EmbeddedStore]:
    engine.create_store(url)
    store = EmbeddedStore(url, StoreId("shop"))
    yield store
    store.close()


def _written(store: EmbeddedStore) -> list[dict[str, Any]]:
    ordered = select(schema.prices).order_by(*schema.prices.primary_key.columns)
    with store.engine.connect() as connection:
        return [dict(row) for row in queries.rows(connection, ordered)]


def _put_singly(store: EmbeddedStore, prices: Sequence[Price]) -> None:
    store.apply_prices([(published(price), price.value) for price in prices], [])


@given(
    st.lists(
        st.none()
        | st.decimals(-(10**28) + 1, 10**28 - 1, places=10)
        | st.decimals(0, 1, places=10)
        | st.integers(0, 10**6).map(Decimal)
    )
)
def test_a_column_of_numbers_is_spelled_as_each_number_is(numbers: list[Decimal | None]) -> None:
    spelled = plain_texts(pa.array(numbers, AMOUNT)).to_pylist()
    assert spelled == [None if each is None else plain(each) for each in numbers]


@pytest.mark.rule("WA-7", "MI-2")
def test_rows_are_written_as_prices_one_by_one_are(any_store: EmbeddedStore) -> None:
    prices = tricky_prices()
    _put_singly(any_store, prices)
    singly = _written(any_store)

    for held in ([], prices):
        any_store.withdraw_account(a.ACCOUNT)
        _put_singly(any_store, held)
        any_store.apply_price_rows(in_rows(prices), [])

        for row in singly:
            if row["unit_price"] is not None:
                row["unit_price"] = plain(Decimal(row["unit_price"]))
        assert _written(any_store) == singly


@pytest.mark.rule("WA-7")
@pytest.mark.parametrize("held", [0, 1], ids=["into nothing", "beside another"])
def test_more_rows_than_are_spelled_at_once_come_whole(
    any_store: EmbeddedStore, held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(price_columns, "PIECE", PIECE)
    other = a.a_price(sku=Sku("OTHER"))
    _put_singly(any_store, [other][:held])

    for _ in range(2):
        any_store.apply_price_rows(in_rows(MANY), in_rows(MANY[-20:]))
    any_store.apply_price_rows(in_rows(MANY[:10]), in_rows(MANY[-10:]))

    shown = any_store.shown_prices(a.account_audience(), other.key.scope)
    assert len(shown) == len(MANY) - 10 + held
    assert all(shown[price.key] == price.value for price in MANY[:-10])


@pytest.mark.rule("WA-7")
def test_rows_of_a_shared_list_are_read_as_they_were_put(any_store: EmbeddedStore) -> None:
    [told] = in_rows(tricky_prices())
    rows = canonical(told.rows)
    any_store.apply_shared_prices(SharedChange("a", {"L": None}, put=[ListRows("L", rows)]))
    assert any_store.shown_list_rows("L").equals(rows)
    assert any_store.shown_list_rows("M").equals(rows.slice(0, 0))


@pytest.mark.rule("WA-7", "VE-7")
def test_what_goes_of_a_shared_list_is_hidden_by_every_driver(any_store: EmbeddedStore) -> None:
    [told] = in_rows(tricky_prices())
    rows, whose = canonical(told.rows), PriceScope.account(a.ACCOUNT)
    mine = PriceRows(told.audience, whose, rows.slice(0, 0))
    change = SharedChange("a", {"L": None}, put=[ListRows("L", rows)], join=[Joining("L", mine)])
    any_store.apply_shared_prices(change)

    for at in range(len(rows)):
        assert len(any_store.shown_prices(told.audience, whose)) == len(rows) - at
        gone = replace(mine, rows=rows.slice(at, 1))
        if at % 2:
            any_store.apply_price_rows([], [gone])
        else:
            [held] = any_store.shown_price_lists()
            change = SharedChange(f"b{at}", {"L": held.stamp}, remove_own=[gone])
            any_store.apply_shared_prices(change)
    assert any_store.shown_prices(told.audience, whose) == {}
    assert any_store.shown_list_rows("L").equals(rows)


def test_a_key_put_twice_is_refused_where_nothing_was_and_where_something_was(
    any_store: EmbeddedStore,
) -> None:
    for held in ([], MANY[-1:]):
        _put_singly(any_store, held)
        with pytest.raises(Rejected, match="refuses a record"):
            any_store.apply_price_rows([*in_rows(MANY[:600]), *in_rows(MANY[:1])], [])
        assert len(_written(any_store)) == len(held)


def test_after_a_refused_call_the_next_one_carries_nothing_of_it(
    any_store: EmbeddedStore,
) -> None:
    _put_singly(any_store, MANY[:1])
    with pytest.raises(Rejected):
        any_store.apply_price_rows([*in_rows(MANY[:9]), *in_rows(MANY[:1])], in_rows(MANY[:1]))

    any_store.apply_price_rows(in_rows(MANY[9:10]), [])

    assert [row["sku"] for row in _written(any_store)] == ["ITEM-00000", "ITEM-00009"]


@pytest.mark.rule("MI-2")
def test_rows_count_as_the_prices_that_they_are(any_store: EmbeddedStore) -> None:
    any_store.apply_price_rows(in_rows(MANY[:3]), in_rows(MANY[3:5]))
    assert any_store.mirror_writes == 5
    any_store.apply_price_rows([], [])
    with pytest.raises(Rejected):
        any_store.apply_price_rows([*in_rows(MANY[:1]), *in_rows(MANY[:1])], [])
    assert any_store.mirror_writes == 5


def test_a_missing_table_is_a_matter_of_the_schema(any_store: EmbeddedStore) -> None:
    with any_store.engine.begin() as connection:
        connection.execute(text("DROP TABLE prices"))
    with pytest.raises(Misconfigured, match="not as its schema says"):
        any_store.apply_price_rows(in_rows(MANY[:1]), [])


def test_shoppers_check_out_while_prices_are_being_laid_down(tmp_path: Path) -> None:
    """SQLite has one writer at a time: whoever waits for it meets two statements only."""
    url = engine.store_url("sqlite:///shop.db", {}, tmp_path)
    engine.create_store(url)
    store = EmbeddedStore(url, StoreId("shop"))
    shop = sqlite3.connect(tmp_path / "shop.db", timeout=0, isolation_level=None)
    placed: list[str] = []

    def look(statement: str) -> None:
        if statement.startswith("INSERT INTO tradesync_price_changes"):
            shop.execute("INSERT INTO customer_groups VALUES (?, 'x')", (str(len(placed)),))
            placed.append(statement)

    event.listen(store.engine, "connect", lambda raw, _: raw.set_trace_callback(look))
    store.apply_price_rows(in_rows(MANY[:5]), in_rows(MANY[5:7]))
    shop.close()

    assert len(placed) == 7
    assert len(_written(store)) == 5
    store.close()


def test_a_store_without_such_prices_does_without_arrow() -> None:
    asked = "import sys, sync.stores.embedded.adapter; print('pyarrow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.rule("MI-2")
@pytest.mark.parametrize("held", [False, True], ids=["into nothing", "where some have a price"])
def test_short_lists_that_come_where_nothing_is_are_looked_for_in_one_question(
    held: bool,
) -> None:
    """Taken row by row out of a table that has none of them, a first load took twice as long."""
    accounts = [CustomerId(f"C-{number:03}") for number in range(STRAIGHT_FROM // 10)]
    few = [
        [
            a.a_price(f"{number}", scope=PriceScope.account(each), sku=Sku(f"ITEM-{number}"))
            for number in range(20)
        ]
        for each in accounts
    ]
    rows = [
        part
        for each, prices in zip(accounts, few, strict=True)
        for part in in_rows(prices, a.account_audience(each))
    ]
    said: list[str] = []
    with database() as address:
        for store in _opened(make_url(address)):
            first = accounts[::7] if held else []
            for each in first:
                old = a.a_price("99", scope=PriceScope.account(each), sku=Sku("ITEM-3"))
                key = PublishedPriceKey(a.account_audience(each), old.key)
                store.apply_prices([(key, old.value)], [])
            event.listen(
                store.engine,
                "before_cursor_execute",
                lambda _c, _cursor, statement, *_: said.append(statement),
            )
            store.apply_price_rows(rows, [])
            assert sum("unnest" in each for each in said) == 1
            assert any(each.startswith("DELETE FROM prices") for each in said) is held
            for each, prices in zip(accounts, few, strict=True):
                shown = store.shown_prices(a.account_audience(each), PriceScope.account(each))
                assert shown == {price.key: price.value for price in prices}


@pytest.mark.rule("MI-2")
def test_short_lists_are_looked_for_by_their_key_in_a_table_of_one_long_list() -> None:
    """Reading the table to its end for each of them took minutes for a call of two thousand."""
    prices = [
        a.a_price(scope=PriceScope.account(CustomerId(f"C-{number:03}")), sku=Sku("ITEM-1"))
        for number in range(STRAIGHT_FROM)
    ]
    rows = [
        part
        for each in prices
        for part in in_rows([each], a.account_audience(CustomerId(each.key.scope.owner)))
    ]
    asked: list[tuple[str, Any]] = []
    with database() as address:
        for store in _opened(make_url(address)):
            store.apply_price_rows(in_rows(MANY), [])
            with store.engine.begin() as connection:
                connection.execute(text("ANALYZE prices"))
            event.listen(
                store.engine,
                "before_cursor_execute",
                lambda _c, _cursor, statement, given, *_: asked.append((statement, given)),
            )
            store.apply_price_rows(rows, [])
            [(question, given)] = [each for each in asked if "unnest" in each[0]]
            with store.engine.connect() as connection:
                plan = connection.exec_driver_sql(f"EXPLAIN {question}", given).scalars().all()
            assert any("prices_pkey" in each for each in plan), plan
            assert not any("Seq Scan on prices" in each for each in plan), plan
