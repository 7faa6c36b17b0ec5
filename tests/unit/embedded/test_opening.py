"""Opening a store: its settings, its database, and what the database says no to."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from sync.domain.ids import StoreId, WebOrderId
from sync.domain.order import WebOrder
from sync.domain.views import ImportNotice, ImportState
from sync.errors import AccessDenied, Misconfigured, Rejected, SyncError, TryLater
from sync.ports import store as ports
from sync.ports.erp import FindingLevel
from sync.ports.price_lists import SharesPriceLists
from sync.stores.embedded import schema
from sync.stores.embedded.adapter import EmbeddedStore
from sync.stores.embedded.checking import settings_from
from sync.stores.embedded.engine import create_store, store_url
from sync.stores.embedded.errors import translated
from sync.testing import builders as a

Shop = Callable[..., Any]
GOOD: dict[str, object] = {"url": "sqlite:///data/shop.db", "store_id": "shop"}


def test_the_store_claims_every_capability_of_the_port(store: EmbeddedStore) -> None:
    for capability in (
        ports.Store,
        ports.ReadsWebOrders,
        ports.ReadsBuyers,
        ports.ShowsImport,
        ports.MirrorsAccounts,
        ports.MirrorsShipTos,
        ports.MirrorsInvoices,
        ports.MirrorsAccountOrders,
        ports.MirrorsBalances,
        ports.MirrorsAvailability,
        ports.MirrorsCustomerParts,
        ports.MirrorsDocuments,
        ports.FindsShownInvoices,
        ports.FindsShownAccountOrders,
        ports.FindsShownDocuments,
        ports.MirrorsPrices,
        ports.TakesPriceBatches,
        SharesPriceLists,
        ports.QuotesPrices,
    ):
        assert isinstance(store, capability), capability


def test_creating_the_schema_again_makes_an_index_that_is_missing(tmp_path: Path) -> None:
    url = store_url("sqlite:///shop.db", {}, tmp_path)
    create_store(url)
    with sqlite3.connect(tmp_path / "shop.db") as shop:
        shop.execute("DROP INDEX invoices_by_number")
    create_store(url)
    with sqlite3.connect(tmp_path / "shop.db") as shop:
        plan = shop.execute("EXPLAIN QUERY PLAN SELECT * FROM invoices WHERE number = '1'")
        assert "invoices_by_number" in str(plan.fetchall())


def test_a_relative_file_is_found_under_the_site(tmp_path: Path) -> None:
    create_store(store_url("sqlite:///data/shop.db", {}, tmp_path))
    options = {**GOOD, "overlap_s": 30, "page_size": 7}
    store = EmbeddedStore.from_settings(options, {}, tmp_path)
    try:
        assert [finding.level for finding in store.check()] == [FindingLevel.OK]
        assert (store.store_id, store.capabilities.overlap_s) == (StoreId("shop"), 30.0)
    finally:
        store.close()
    assert (tmp_path / "data" / "shop.db").exists()


def test_every_wrong_option_is_named_at_once(tmp_path: Path) -> None:
    options: dict[str, object] = {
        "url": "mysql://shop",
        "store_id": " ",
        "overlap_s": -1,
        "page_size": 0,
        "pagesize": 10,
    }
    with pytest.raises(Misconfigured) as refusal:
        EmbeddedStore.from_settings(options, {}, tmp_path)
    named = [problem.split(":")[0] for problem in refusal.value.problems]
    assert named == ["pagesize", "url", "store_id", "overlap_s", "page_size"]


@pytest.mark.parametrize("options", [{}, {"url": 7, "store_id": "shop"}, {"url": ""}])
def test_a_store_without_an_address_is_misconfigured(
    tmp_path: Path, options: dict[str, object]
) -> None:
    with pytest.raises(Misconfigured, match=r"url: (missing|not a text|empty)"):
        EmbeddedStore.from_settings(options, {}, tmp_path)


@pytest.mark.rule("OP-7")
def test_a_password_belongs_into_the_secrets_and_never_into_the_address(tmp_path: Path) -> None:
    options = {**GOOD, "url": "postgresql://shop:hunter2@db/shop"}
    with pytest.raises(Misconfigured) as refusal:
        EmbeddedStore.from_settings(options, {}, tmp_path)
    assert "hunter2" not in str(refusal.value)
    options["url"] = "postgresql://shop@db/shop"
    settings = settings_from(options, {"password": "hunter2"}, tmp_path)
    assert settings.url.password == "hunter2"
    assert "hunter2" not in repr(settings)


def test_a_wrong_path_does_not_become_an_empty_shop(tmp_path: Path) -> None:
    store = EmbeddedStore.from_settings(GOOD, {}, tmp_path)
    try:
        (finding,) = store.check()
        assert finding.level is FindingLevel.ERROR
        assert f"url names {tmp_path / 'data/shop.db'}, and there is no such" in finding.message
        with pytest.raises(Misconfigured):
            list(store.changed_orders(None))
    finally:
        store.close()
    assert list(tmp_path.rglob("*.db")) == []


def a_folder(file: Path) -> None:
    file.mkdir(parents=True)


def a_letter(file: Path) -> None:
    file.parent.mkdir()
    file.write_text("Dear shop,\n")


def another_database(file: Path) -> None:
    file.parent.mkdir()
    with sqlite3.connect(file) as other:
        other.execute("CREATE TABLE recipes (name TEXT)")


def no_folder(file: Path) -> None:
    """Nothing is made at all."""


@pytest.mark.parametrize(
    "put, told",
    [
        (a_folder, "url names {file}, which is a folder; correct url, or create the schema"),
        (a_letter, "url names {file}, which is no SQLite database; correct url, or create"),
        (no_folder, "url names {file}, and there is no such folder as {file.parent}; correct url"),
        (another_database, "no such table: .*Either url names another database or its schema"),
    ],
)
def test_what_is_no_store_at_all_is_no_outage(
    tmp_path: Path, put: Callable[[Path], None], told: str
) -> None:
    file = tmp_path / "data" / "shop.db"
    put(file)
    store = EmbeddedStore.from_settings(GOOD, {}, tmp_path)
    wanted = told.format(file=file) if "{" in told else told
    for ask in (
        lambda: list(store.changed_orders(None)),
        lambda: store.shown_accounts([a.ACCOUNT]),
        lambda: store.show_import(WebOrderId("order-1"), ImportNotice(ImportState.PENDING)),
    ):
        with pytest.raises(Misconfigured, match=wanted):
            ask()
    store.close()


def test_a_file_that_cannot_be_opened_for_a_moment_is_an_outage(tmp_path: Path) -> None:
    """Such as without a free file handle: the driver's words are those for no file at all."""
    create_store(store_url("sqlite:///shop.db", {}, tmp_path))
    with pytest.raises(sqlite3.OperationalError) as refused:
        sqlite3.connect(tmp_path).execute("SELECT 1 FROM sqlite_master")
    assert refused.value.sqlite_errorcode == sqlite3.SQLITE_CANTOPEN
    with (
        pytest.raises(TryLater),
        translated("the shop", "sqlite", file=tmp_path / "shop.db"),
    ):
        raise DBAPIError("BEGIN", {}, refused.value)


def test_the_check_names_every_table_and_column_that_is_missing(
    store: EmbeddedStore, shop: Shop
) -> None:
    shop(lambda connection: connection.execute(text("DROP TABLE invoice_dues")))
    shop(lambda connection: connection.execute(text("ALTER TABLE orders DROP COLUMN notes")))
    found = store.check()
    assert {finding.level for finding in found} == {FindingLevel.ERROR}
    messages = " / ".join(finding.message for finding in found)
    assert "table invoice_dues" in messages
    assert "column orders.notes" in messages
    assert len(found) == 2


def test_a_database_without_any_of_the_tables_is_told_in_one_line(
    store: EmbeddedStore, shop: Shop
) -> None:
    shop(lambda connection: schema.metadata.drop_all(connection))

    [finding] = store.check()

    assert f"lacks every table of a store ({len(schema.metadata.tables)})" in finding.message
    assert finding.remedy.endswith("tradesync store create")


def test_a_table_that_is_missing_is_misconfiguration_not_an_empty_shop(
    store: EmbeddedStore, shop: Shop
) -> None:
    shop(lambda connection: connection.execute(text("DROP TABLE invoice_dues")))
    with pytest.raises(Misconfigured, match="invoice_dues"):
        store.shown_invoices([a.ACCOUNT])


def test_a_file_that_is_no_database_is_misconfigured(tmp_path: Path) -> None:
    (tmp_path / "shop.db").write_text("name,price\n" * 200)
    options = {**GOOD, "url": "sqlite:///shop.db"}
    store = EmbeddedStore.from_settings(options, {}, tmp_path)
    try:
        with pytest.raises(Misconfigured):
            store.shown_accounts([a.ACCOUNT])
        assert [finding.level for finding in store.check()] == [FindingLevel.ERROR]
    finally:
        store.close()


def test_making_the_schema_again_keeps_what_is_there(tmp_path: Path, store: EmbeddedStore) -> None:
    store.put_accounts([a.an_account_view()])
    create_store(store_url("sqlite:///shop.db", {}, tmp_path))
    assert list(store.shown_customer_ids()) == [a.ACCOUNT]


class ServerError(Exception):
    """Shaped like what psycopg raises."""

    def __init__(self, sqlstate: str) -> None:
        super().__init__("the driver's own sentence")
        self.sqlstate = sqlstate
        self.diag = None


@pytest.mark.parametrize(
    "sqlstate, ours",
    [
        ("08006", TryLater),
        ("40001", TryLater),
        ("40P01", TryLater),
        ("53300", TryLater),
        ("53100", TryLater),
        ("55P03", TryLater),
        ("57P01", TryLater),
        ("57014", TryLater),
        ("28P01", AccessDenied),
        ("42501", AccessDenied),
        ("25006", AccessDenied),
        ("42P01", Misconfigured),
        ("42703", Misconfigured),
        ("23505", Rejected),
        ("P0001", Rejected),
        ("22021", Rejected),
    ],
)
def test_what_the_server_says_is_sorted_by_what_to_do(sqlstate: str, ours: type[SyncError]) -> None:
    driver = ServerError(sqlstate)
    with pytest.raises(ours) as raised, translated("the shop", "postgresql"):
        raise DBAPIError("SELECT 1", {}, driver)
    assert isinstance(raised.value.__cause__, DBAPIError)
    assert raised.value.__cause__.orig is driver


@pytest.mark.parametrize("sqlstate", ["42601", "0A000", "99999"])
def test_an_error_that_nobody_knows_stays_what_it_is(sqlstate: str) -> None:
    with pytest.raises(DBAPIError), translated("the shop", "postgresql"):
        raise DBAPIError("SELECT 1", {}, ServerError(sqlstate))


def test_a_locked_file_is_busy(tmp_path: Path) -> None:
    create_store(store_url("sqlite:///shop.db", {}, tmp_path))
    holder = sqlite3.connect(tmp_path / "shop.db", isolation_level=None)
    late = sqlite3.connect(tmp_path / "shop.db", isolation_level=None, timeout=0)
    try:
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(sqlite3.OperationalError) as locked:
            late.execute("BEGIN IMMEDIATE")
        with pytest.raises(TryLater), translated("the shop", "sqlite"):
            raise DBAPIError("BEGIN IMMEDIATE", {}, locked.value)
    finally:
        late.close()
        holder.close()


@pytest.mark.rule("OI-7")
def test_the_order_that_the_page_places_by_sql_is_sound_and_adds_up(
    store: EmbeddedStore, shop: Shop
) -> None:
    page = (Path(schema.__file__).parent / "README.md").read_text(encoding="utf-8")
    [block] = re.findall(r"```sql\n(INSERT.*?)```", page, re.S)
    for statement in block.split(";\n"):
        if statement.strip():
            shop(lambda connection, sql=statement: connection.exec_driver_sql(sql))

    order = store.order(WebOrderId("1042"))

    assert isinstance(order, WebOrder)
    assert order.computed_total == order.total
    assert order.payments
    buyer = store.buyer(order.buyer.web_user, order.buyer.organisation)
    assert buyer.user is not None
    assert buyer.organisation is not None
