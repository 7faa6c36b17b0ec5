"""What the adapter does with a profile: what it claims, leaves out and refuses."""

from __future__ import annotations

import dataclasses
import gc
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError
from structlog.testing import capture_logs

from erp_adapters.sql.adapter import SqlErpAdapter
from erp_adapters.sql.errors import translated
from sync.domain.ids import CustomerId, ErpOrderNumber, IdempotencyKey, Sku
from sync.domain.pricing import PriceLevel, PriceScope
from sync.domain.sales_order import CodedAmount, OneOffShipTo, SalesOrder
from sync.errors import Conflict, Misconfigured, Rejected, TryLater
from sync.ports.erp import (
    ChecksPurchaseOrders,
    Erp,
    Finding,
    FindingLevel,
    FindsContacts,
    FindsContactsTogether,
    FindsOrders,
    ReadsAccounts,
    ReadsAvailability,
    ReadsBalances,
    ReadsCustomerParts,
    ReadsDocuments,
    ReadsInvoices,
    ReadsItems,
    ReadsOrderStatus,
    ReadsPrices,
    ReadsShipTos,
    SubmitsOrders,
    SupportsPriceBatches,
    TellsChanges,
    TellsUnreadable,
)
from sync.testing import builders as a

HEADER = """\
name: acme
description: Acme Books 7
dialects: [sqlite]
facts:
  unit_price_rounding: {places: 4, mode: half_up}
  amount_rounding: {places: 2, mode: half_up}
constants: {currency: EUR, unit: EA}
reads:
  customer_ids: SELECT no AS customer_id FROM customers
  accounts: SELECT no AS customer_id, name, terms FROM customers WHERE no IN :customer_ids
"""
GROUPS = """\
  account_price_groups: |
    SELECT no AS customer_id, grp AS price_group FROM groups WHERE no IN :customer_ids
"""
PEOPLE = """\
  contacts_by_email: |
    SELECT no AS customer_id, mail AS email FROM people WHERE lower(mail) = :email
"""
PEOPLE_TOGETHER = """\
  contacts_by_emails: |
    SELECT no AS customer_id, mail AS email FROM people WHERE lower(mail) IN :emails
"""
INVOICES = """\
  invoices: |
    SELECT inv AS invoice_number, no AS customer_id, day AS invoiced_on, total
      FROM invoices WHERE no IN :customer_ids
  invoice_lines: |
    SELECT inv AS invoice_number, line AS line_number, qty AS quantity, net
      FROM invoice_lines WHERE inv IN :invoice_numbers
"""
BALANCES = """\
  balances: SELECT no AS customer_id, owed AS balance FROM balances WHERE no IN :customer_ids
  balance_ageing: |
    SELECT no AS customer_id, first AS from_days, last AS to_days, amount
      FROM ageing WHERE no IN :customer_ids
"""
PARTS = """\
  customer_parts: |
    SELECT no AS customer_id, theirs AS part_number, item AS sku, words AS description
      FROM parts WHERE no IN :customer_ids
"""
PAPERS = """\
  documents: |
    SELECT no AS customer_id, sort AS kind, paper AS document_number, day AS issued_on,
           path AS file_name, bytes AS file_size, hash AS sha256
      FROM papers WHERE no IN :customer_ids
"""
STOCK = """\
  items: SELECT item AS sku, 'EA' AS stock_unit FROM stock WHERE item IN :skus
  availability: |
    SELECT item AS sku, place AS warehouse, free AS available, due AS next_due
      FROM stock WHERE 1 = 1 [[ AND item IN :skus ]]
"""
RESTRICTED = """\
  account_tags: SELECT no AS customer_id, tag FROM tags WHERE no IN :customer_ids
  items: SELECT item AS sku, 'EA' AS stock_unit, kept AS restricted FROM items WHERE item IN :skus
  item_customers: SELECT item AS sku, no AS customer_id FROM item_nos WHERE item IN :skus
  item_tags: SELECT item AS sku, tag FROM item_tags WHERE item IN :skus
"""
LISTED = """\
  restricted_items: |
    SELECT item AS sku FROM items WHERE kept UNION ALL SELECT item FROM item_tags
"""
PRICES = """\
  price_scopes: SELECT 'account' AS level, no AS owner FROM prices GROUP BY no
  prices_account: |
    SELECT no AS customer_id, 'NET' AS price_list, item AS sku, 1 AS min_quantity,
           price AS unit_price
      FROM prices WHERE no IN :customer_ids
"""
ORDERS = """\
  find_order: |
    SELECT order_no AS order_number, customer AS customer_id, refusal FROM orders
     WHERE web_key = :external_key ORDER BY refusal IS NOT NULL
writes:
  submit_order:
    not_kept: [order.terms]
    steps:
      - name: header
        sql: |
          INSERT INTO orders (web_key, customer, total, ship_to)
          VALUES (:key, :customer, :total, :to)
          RETURNING order_no
        bind: {key: order.key, customer: order.sold_to, total: order.total, to: ship_to.id}
        capture: {order_number: order_no}
      - name: lines
        for_each: lines
        sql: INSERT INTO order_lines VALUES (:order_number, :line, :item, :qty, :net)
        bind: {line: line.number, item: line.sku, qty: line.quantity, net: line.net}
        expect_rows: 1
"""
TABLES = """
CREATE TABLE customers (no TEXT, name TEXT, terms TEXT);
CREATE TABLE groups (no TEXT, grp TEXT);
CREATE TABLE prices (no TEXT, item TEXT, price REAL);
CREATE TABLE invoices (inv TEXT, no TEXT, day TEXT, total DECIMAL(15,2));
CREATE TABLE invoice_lines (inv TEXT, line INTEGER, qty REAL, net DECIMAL(15,2));
CREATE TABLE balances (no TEXT, owed DECIMAL(15,2));
CREATE TABLE ageing (no TEXT, first INTEGER, last INTEGER, amount TEXT);
CREATE TABLE parts (no TEXT, theirs TEXT, item TEXT, words TEXT);
CREATE TABLE papers (no TEXT, sort TEXT, paper TEXT, day TEXT, path TEXT, bytes INT, hash TEXT);
CREATE TABLE stock (item TEXT, place TEXT, free TEXT, due TEXT);
CREATE TABLE tags (no TEXT, tag TEXT);
CREATE TABLE items (item TEXT, kept BOOLEAN);
CREATE TABLE item_nos (item TEXT, no TEXT);
CREATE TABLE item_tags (item TEXT, tag TEXT);
CREATE TABLE orders (order_no INTEGER PRIMARY KEY, web_key TEXT UNIQUE, customer TEXT,
                     total TEXT, ship_to TEXT, refusal TEXT);
CREATE TABLE order_lines (order_no INTEGER, line INTEGER, item TEXT, qty TEXT, net TEXT);
INSERT INTO customers VALUES ('C-1001', 'Harbour Hardware', 'NET30'), ('C-2', 'Quay Bolts', NULL);
"""

Run = Callable[..., list[tuple[Any, ...]]]
Made = Callable[..., Any]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs SQL on the ERP's own file; the tables are there."""
    path = tmp_path / "erp.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(TABLES)

    def execute(sql: str, *values: object) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(path)) as connection, connection:
            return connection.execute(sql, values).fetchall()

    return execute


@pytest.fixture
def made(tmp_path: Path, run: Run) -> Iterator[Made]:
    """Makes the adapter of a profile put together from these parts."""
    adapters: list[Erp] = []

    def make(*parts: str, **options: object) -> Erp:
        (tmp_path / "acme.yaml").write_text("".join(parts), encoding="utf-8")
        settings = {"url": "sqlite:///erp.db", "profile": "acme.yaml", **options}
        adapters.append(SqlErpAdapter.from_settings(settings, {}, tmp_path))
        return adapters[-1]

    yield make
    for adapter in adapters:
        adapter.close()


def order(**changes: Any) -> SalesOrder:
    base = a.a_sales_order(payments=())
    return dataclasses.replace(base, **changes)


def claims(erp: Erp) -> set[str]:
    protocols: tuple[type, ...] = (
        ReadsAccounts,
        FindsContacts,
        ReadsShipTos,
        ReadsItems,
        ReadsPrices,
        ReadsInvoices,
        ReadsBalances,
        ReadsCustomerParts,
        ReadsDocuments,
        ReadsAvailability,
        TellsChanges,
        FindsOrders,
        SubmitsOrders,
        ReadsOrderStatus,
        ChecksPurchaseOrders,
        TellsUnreadable,
        SupportsPriceBatches,
    )
    return {protocol.__name__ for protocol in protocols if isinstance(erp, protocol)}


def test_an_adapter_claims_what_its_profile_serves_and_nothing_else(made: Made) -> None:
    assert claims(made(HEADER)) == {"ReadsAccounts", "TellsUnreadable"}
    assert claims(made(HEADER, PRICES, INVOICES, BALANCES, PARTS, PAPERS, STOCK, ORDERS)) == {
        "ReadsAccounts",
        "ReadsPrices",
        "ReadsInvoices",
        "ReadsBalances",
        "ReadsCustomerParts",
        "ReadsDocuments",
        "ReadsAvailability",
        "ReadsItems",
        "FindsOrders",
        "SubmitsOrders",
        "TellsUnreadable",
    }


def test_feeds_of_prices_are_claimed_by_the_levels_that_have_one(made: Made) -> None:
    feed = """
  price_feed_account: |
    SELECT no AS customer_id, 'NET' AS price_list, item AS sku, 1 AS min_quantity,
           price AS unit_price
      FROM prices ORDER BY no
"""
    erp = made(HEADER, PRICES, feed)

    assert {"ReadsPrices", "SupportsPriceBatches"} <= claims(erp)
    assert list(erp.batched_levels) == [PriceLevel.ACCOUNT]
    with pytest.raises(ValueError, match="no statement price_feed_default"):
        erp.price_vectors(PriceLevel.DEFAULT)


def test_a_feed_that_is_not_read_to_its_end_is_closed_before_its_connection(
    made: Made, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for no in ("C-2", "C-1001", "C-2"):
        run("INSERT INTO prices (no, item, price) VALUES (?, 'S-1', '9.9900')", no)
    unheard: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", unheard.append)
    feed = """
  price_feed_account: |
    SELECT no AS customer_id, 'NET' AS price_list, item AS sku, 1 AS min_quantity,
           price AS unit_price
      FROM prices ORDER BY rowid
"""
    erp = made(HEADER, PRICES, feed)
    with pytest.raises(Misconfigured, match="tells C-2 twice") as refused:
        list(erp.price_vectors(PriceLevel.ACCOUNT))

    erp.close()
    del refused
    gc.collect()
    assert unheard == []


def test_an_account_is_read_as_it_is_and_what_is_missing_stays_missing(made: Made) -> None:
    told = made(HEADER).accounts([CustomerId("C-2")])

    assert told[CustomerId("C-2")].terms is None
    assert told[CustomerId("C-2")].currencies == ("EUR",)


# Records that cannot be read.


def test_a_row_without_its_key_is_left_out_and_told(made: Made, run: Run) -> None:
    run("INSERT INTO customers VALUES (NULL, 'Nobody', NULL)")
    erp = made(HEADER)

    assert sorted(erp.customer_ids()) == [CustomerId("C-1001"), CustomerId("C-2")]

    [record] = erp.take_unreadable()
    assert (record.source, record.field, record.message) == (
        "customer_ids",
        "customer_id",
        "is missing",
    )
    assert erp.take_unreadable() == ()


@pytest.mark.rule("WA-2", "WA-2c")
def test_a_contact_without_a_readable_account_is_not_taken_for_nobodys(
    made: Made, run: Run
) -> None:
    run("CREATE TABLE people (no TEXT, mail TEXT)")
    run("INSERT INTO people VALUES ('C-2', 'desk@x.example'), (NULL, 'Desk@x.example')")
    erp = made(HEADER, PEOPLE)

    with pytest.raises(Rejected, match=r"contacts_by_email .*customer_id is missing"):
        erp.accounts_by_email("DESK@x.example")
    assert list(erp.accounts_by_email("nobody@x.example")) == []


@pytest.mark.rule("WA-2", "WA-2c")
def test_a_contact_that_cannot_be_read_refuses_no_other_address_that_is_asked_for_with_it(
    made: Made, run: Run
) -> None:
    run("CREATE TABLE people (no TEXT, mail TEXT)")
    run("INSERT INTO people VALUES ('C-2', 'desk@x.example'), (NULL, 'Desk@x.example')")
    run("INSERT INTO people VALUES ('C-2', 'ada@x.example')")
    erp = made(HEADER, PEOPLE, PEOPLE_TOGETHER)

    told = erp.accounts_by_emails(["DESK@x.example", "Ada@x.example"])

    assert isinstance(told["DESK@x.example"], Rejected)
    assert "contacts_by_emails ?: customer_id is missing" in str(told["DESK@x.example"])
    assert told["Ada@x.example"] == (CustomerId("C-2"),)
    assert erp.take_unreadable() == ()


@pytest.mark.rule("WA-2", "WA-2c")
def test_a_contact_whose_address_cannot_be_read_leaves_all_that_are_asked_for_open(
    made: Made, run: Run
) -> None:
    """Whose it is, is seen where each is asked for by itself."""
    run("CREATE TABLE people (no TEXT, mail TEXT)")
    run("INSERT INTO people VALUES ('C-2', 'ada@x.example'), ('C-1001', 'odd@x.example')")
    odd = " CASE WHEN mail LIKE 'odd%' THEN NULL ELSE mail END AS email "
    parts = (each.replace(" mail AS email ", odd) for each in (PEOPLE, PEOPLE_TOGETHER))
    erp = made(HEADER, *parts)

    assert erp.accounts_by_emails(["ada@x.example", "odd@x.example"]) == {}
    assert erp.take_unreadable() == ()
    assert erp.accounts_by_emails(["ada@x.example"]) == {"ada@x.example": (CustomerId("C-2"),)}
    with pytest.raises(Rejected, match="email is missing"):
        erp.accounts_by_email("odd@x.example")


@pytest.mark.rule("WA-2")
def test_addresses_are_asked_for_together_where_the_profile_says_how(made: Made, run: Run) -> None:
    run("CREATE TABLE people (no TEXT, mail TEXT)")
    assert not isinstance(made(HEADER, PEOPLE), FindsContactsTogether)
    erp = made(HEADER, PEOPLE, PEOPLE_TOGETHER)
    assert isinstance(erp, FindsContacts)
    assert isinstance(erp, FindsContactsTogether)
    with pytest.raises(
        Misconfigured, match="contacts_by_emails needs the statement contacts_by_email"
    ):
        made(HEADER, PEOPLE_TOGETHER)


@pytest.mark.rule("WA-2")
def test_the_check_asks_for_real_addresses(made: Made, run: Run) -> None:
    run("CREATE TABLE people (no TEXT, mail TEXT)")
    run("INSERT INTO people VALUES ('C-2', 'Ada@x.example')")
    contacts = "  contacts: SELECT no AS customer_id, no AS contact_id, mail AS email FROM people"
    erp = made(HEADER, f"{contacts} WHERE no IN :customer_ids\n", PEOPLE, PEOPLE_TOGETHER)
    said = {each.subject: each.message for each in erp.check()}
    assert said["statement contacts_by_emails"] == "answers as it should (1 row tried)"


def test_an_account_with_an_unreadable_part_is_left_out_whole(made: Made, run: Run) -> None:
    run("INSERT INTO groups VALUES ('C-1001', 'GOLD'), ('C-1001', NULL), ('C-2', 'TRADE')")
    erp = made(HEADER, GROUPS)

    told = erp.accounts([CustomerId("C-1001"), CustomerId("C-2")])

    # With one group less it would be shown other prices.
    assert set(told) == {CustomerId("C-2")}
    [record] = erp.take_unreadable()
    assert record.customer == CustomerId("C-1001")


def test_an_invoice_with_an_unreadable_line_is_left_out_and_its_account_named(
    made: Made, run: Run
) -> None:
    run(
        "INSERT INTO invoices VALUES ('I-1', 'C-1001', '2025-03-03', 121),"
        " ('I-2', 'C-2', '2025-03-04', 5)"
    )
    run(
        "INSERT INTO invoice_lines VALUES ('I-1', 1, 10, 100), ('I-1', 2, 'many', 0),"
        " ('I-2', 1, 1, 5)"
    )
    erp = made(HEADER, INVOICES)

    told = erp.invoices([CustomerId("C-1001"), CustomerId("C-2")])

    assert [invoice.number.value for invoice in told] == ["I-2"]
    [record] = erp.take_unreadable()
    assert (record.key, record.field, record.customer) == (
        "I-1/2",
        "quantity",
        CustomerId("C-1001"),
    )


@pytest.mark.rule("WA-8", "WA-2c")
def test_a_database_that_ignores_case_mixes_no_two_accounts(made: Made, run: Run) -> None:
    run("INSERT INTO customers VALUES ('c-1001', 'Somebody else', 'X')")
    run(
        "INSERT INTO invoices VALUES ('I-1', 'C-1001', '2025-03-03', 121),"
        " ('I-2', 'c-1001', '2025-03-04', 5)"
    )
    ignoring = "no COLLATE NOCASE IN :customer_ids"
    erp = made((HEADER + INVOICES).replace("no IN :customer_ids", ignoring))

    for asked, name, number in (
        ("C-1001", "Harbour Hardware", "I-1"),
        ("c-1001", "Somebody else", "I-2"),
    ):
        key = CustomerId(asked)
        found = erp.accounts([key])
        assert {each.value: account.name for each, account in found.items()} == {asked: name}
        assert [each.number.value for each in erp.invoices([key])] == [number]
    assert not erp.accounts([CustomerId("C-1001".swapcase() + "X")])


TWO_OF_A_NUMBER = (
    "INSERT INTO invoices VALUES ('7', 'C-1001', '2025-03-03', 100), ('7', 'C-2', '2025-03-04', 5)"
)


@pytest.mark.rule("WA-8", "MI-6")
def test_lines_of_two_accounts_invoices_of_one_number_are_never_mixed(made: Made, run: Run) -> None:
    run(TWO_OF_A_NUMBER)
    run("INSERT INTO invoice_lines VALUES ('7', 1, 10, 100), ('7', 1, 1, 5)")
    erp = made(HEADER, INVOICES)

    assert not erp.invoices([CustomerId("C-1001"), CustomerId("C-2")])

    told = erp.take_unreadable()
    assert {record.customer for record in told} == {CustomerId("C-1001"), CustomerId("C-2")}
    assert all("several accounts" in record.message for record in told)


@pytest.mark.rule("WA-8", "MI-6")
@pytest.mark.parametrize("day", ["2025-03-05", "soon"])
def test_lines_of_an_invoice_that_is_left_out_are_not_told_to_another_account(
    made: Made, run: Run, day: str
) -> None:
    run(TWO_OF_A_NUMBER)
    run("INSERT INTO invoices VALUES ('7', 'C-1001', ?, 99)", day)
    run("INSERT INTO invoice_lines VALUES ('7', 1, 10, 100), ('7', 1, 1, 5)")
    erp = made(HEADER, INVOICES)

    assert not erp.invoices([CustomerId("C-1001"), CustomerId("C-2")])

    owners = {record.customer for record in erp.take_unreadable()}
    assert owners == {CustomerId("C-1001"), CustomerId("C-2")}


@pytest.mark.rule("WA-8", "MI-6")
@pytest.mark.parametrize("asked", [["C-1001", "C-2"], ["C-1001"], ["C-2"]])
def test_lines_that_say_whose_they_are_go_to_their_own_account(
    made: Made, run: Run, asked: list[str]
) -> None:
    run(TWO_OF_A_NUMBER)
    run("ALTER TABLE invoice_lines ADD no TEXT")
    run("INSERT INTO invoice_lines VALUES ('7', 1, 10, 100, 'C-1001'), ('7', 1, 1, 5, 'C-2')")
    erp = made(
        HEADER,
        INVOICES.replace(
            "SELECT inv AS invoice_number, line",
            "SELECT inv AS invoice_number, no AS customer_id, line",
        ),
    )

    told = erp.invoices([CustomerId(each) for each in asked])

    nets = {each.sold_to.value: [line.net for line in each.lines] for each in told}
    wanted = {"C-1001": [a.money("100.00")], "C-2": [a.money("5.00")]}
    assert nets == {each: wanted[each] for each in asked}
    assert not erp.take_unreadable()


@pytest.mark.rule("WA-8")
def test_unreadable_line_of_a_shared_number_leaves_out_both_accounts_and_names_both(
    made: Made, run: Run
) -> None:
    run(TWO_OF_A_NUMBER)
    run("INSERT INTO invoice_lines VALUES ('7', 1, 'many', 100), ('7', 1, 1, 5)")
    erp = made(HEADER, INVOICES)
    assert not erp.invoices([CustomerId("C-1001"), CustomerId("C-2")])
    owners = {record.customer for record in erp.take_unreadable()}
    assert owners == {CustomerId("C-1001"), CustomerId("C-2")}


@pytest.mark.rule("MI-6")
def test_two_balances_of_one_account_and_currency_are_neither(made: Made, run: Run) -> None:
    run("INSERT INTO balances VALUES ('C-1001', 5), ('C-1001', 7), ('C-2', 9)")
    erp = made(HEADER, BALANCES)

    told = erp.balances([CustomerId("C-1001"), CustomerId("C-2")])

    assert [(each.sold_to, each.balance) for each in told] == [(CustomerId("C-2"), a.money("9.00"))]
    [record] = erp.take_unreadable()
    assert (record.customer, record.key) == (CustomerId("C-1001"), "C-1001/EUR")
    assert "two rows that differ in balance" in record.message
    [finding] = [each for each in erp.check() if each.subject == "statement balances"]
    assert "more than one row for C-1001/EUR" in finding.message


JOINED = """\
  accounts: |
    SELECT no AS customer_id, name, words AS terms FROM customers
      LEFT JOIN notes USING (no) WHERE no IN :customer_ids
  ship_tos: |
    SELECT no AS customer_id, 'S1' AS ship_to_id, name, 'Quay 1' AS line1, 'Hull' AS city,
           'GB' AS country, words AS region
      FROM customers LEFT JOIN notes USING (no) WHERE no IN :customer_ids
  restricted_items: SELECT no AS sku FROM customers
  items: |
    SELECT no AS sku, 'EA' AS stock_unit, words AS description
      FROM customers LEFT JOIN notes USING (no) WHERE no IN :skus
  invoices: |
    SELECT '7' AS invoice_number, no AS customer_id, '2026-03-01' AS invoiced_on, 5 AS total,
           words AS po_number
      FROM customers LEFT JOIN notes USING (no) WHERE no IN :customer_ids
"""


@pytest.mark.rule("MI-1", "WA-8")
@pytest.mark.parametrize(
    "statement, column, told",
    [
        ("accounts", "terms", lambda erp, ids: erp.accounts(ids)),
        ("ship_tos", "region", lambda erp, ids: [e.sold_to for e in erp.ship_tos(ids)]),
        ("invoices", "po_number", lambda erp, ids: [e.sold_to for e in erp.invoices(ids)]),
        ("items", "description", lambda erp, ids: erp.items([Sku(e.value) for e in ids])),
    ],
)
def test_of_a_record_with_two_rows_that_differ_none_is_believed(
    made: Made, run: Run, statement: str, column: str, told: Callable[[Any, Any], Any]
) -> None:
    run("CREATE TABLE notes (no TEXT, words TEXT)")
    run("INSERT INTO notes VALUES ('C-1001', 'one'), ('C-1001', 'two'), ('C-2', 'a'), ('C-2', 'a')")
    header = HEADER[: HEADER.index("  accounts:")]
    erp = made(header, JOINED)

    found = [each.value for each in told(erp, [CustomerId("C-1001"), CustomerId("C-2")])]

    assert found == ["C-2"]
    [record] = erp.take_unreadable()
    assert record.source == statement
    assert f"two rows that differ in {column}" in record.message
    [finding] = [each for each in erp.check() if each.subject == f"statement {statement}"]
    assert "more than one row for" in finding.message


SHIP_TOS = """\
  ship_tos: |
    SELECT no AS customer_id, id AS ship_to_id, name, 'Quay 1' AS line1, city, 'DE' AS country
      FROM addresses WHERE no IN :customer_ids
"""
DESK = """\
  account_orders: |
    SELECT number AS order_number, no AS customer_id, 'open' AS state, day AS ordered_on,
           5 AS total
      FROM desk WHERE no IN :customer_ids
"""
TOLD_OF_ORDERS = """\
  order_status: |
    SELECT web_key AS external_key, refusal AS state, order_no AS order_number
      FROM orders WHERE web_key IN :external_keys
"""


@pytest.mark.rule("MI-1")
def test_two_rows_of_one_account_that_differ_are_neither(made: Made, run: Run) -> None:
    run("INSERT INTO customers VALUES ('C-1001', 'The other company', 'NET90')")
    run("INSERT INTO customers VALUES ('C-2', 'Quay Bolts', NULL)")
    erp = made(HEADER)

    told = erp.accounts([CustomerId("C-1001"), CustomerId("C-2")])

    assert list(told) == [CustomerId("C-2")]
    [record] = erp.take_unreadable()
    assert (record.source, record.customer) == ("accounts", CustomerId("C-1001"))
    assert "two rows that differ" in record.message


@pytest.mark.rule("MI-1", "WA-2c")
def test_an_account_with_a_second_row_that_cannot_be_read_is_not_believed(
    made: Made, run: Run
) -> None:
    run("INSERT INTO customers VALUES ('C-1001', NULL, 'NET90')")
    erp = made(HEADER)

    told = erp.accounts([CustomerId("C-1001"), CustomerId("C-2")])

    assert list(told) == [CustomerId("C-2")]
    [record] = erp.take_unreadable()
    assert (record.key, record.field) == ("C-1001", "name")


@pytest.mark.rule("MI-1", "MI-5")
@pytest.mark.parametrize("day", ["2025-03-04", "soon"])
def test_an_order_number_that_two_accounts_have_is_left_out_of_both(
    made: Made, run: Run, day: str
) -> None:
    run("CREATE TABLE desk (number TEXT, no TEXT, day TEXT)")
    run("INSERT INTO desk VALUES ('9', 'C-1001', '2025-03-03'), ('9', 'C-2', ?)", day)
    erp = made(HEADER, DESK)

    assert not erp.account_orders([CustomerId("C-1001"), CustomerId("C-2")])

    told = erp.take_unreadable()
    assert {record.customer for record in told} == {CustomerId("C-1001"), CustomerId("C-2")}
    assert len(told) == 2


@pytest.mark.rule("MI-1")
def test_two_rows_of_one_ship_to_that_differ_are_neither(made: Made, run: Run) -> None:
    run("CREATE TABLE addresses (no TEXT, id TEXT, name TEXT, city TEXT)")
    run("INSERT INTO addresses VALUES ('C-2', '1', 'Dock', 'Ulm'), ('C-2', '1', 'Dock', 'Kiel')")
    run("INSERT INTO addresses VALUES ('C-2', '2', 'Yard', 'Ulm'), ('C-2', '2', 'Yard', 'Ulm')")
    erp = made(HEADER, SHIP_TOS)

    assert [each.ship_to_id.value for each in erp.ship_tos([CustomerId("C-2")])] == ["2"]
    [record] = erp.take_unreadable()
    assert (record.source, record.key) == ("ship_tos", "C-2/1")


@pytest.mark.rule("WA-8")
def test_two_invoices_of_one_account_under_one_number_are_neither(made: Made, run: Run) -> None:
    run("INSERT INTO invoices VALUES ('7', 'C-1001', '2025-03-03', 100)")
    run("INSERT INTO invoices VALUES ('7', 'C-1001', '2025-03-04', 5)")
    run("INSERT INTO invoices VALUES ('7', 'C-2', '2025-03-05', 6)")
    lines = INVOICES.replace(
        "SELECT inv AS invoice_number, line",
        "SELECT inv AS invoice_number, 'C-2' AS customer_id, line",
    )
    erp = made(HEADER, lines)

    told = erp.invoices([CustomerId("C-1001"), CustomerId("C-2")])

    assert [each.sold_to for each in told] == [CustomerId("C-2")]
    [record] = erp.take_unreadable()
    assert (record.source, record.customer) == ("invoices", CustomerId("C-1001"))


def test_an_item_that_is_told_in_two_ways_is_not_known(made: Made, run: Run) -> None:
    run("INSERT INTO items VALUES ('BOLT', 0), ('BOLT', 1), ('NUT', 0), ('NUT', 0)")
    erp = made(HEADER, RESTRICTED)

    assert list(erp.items([Sku("BOLT"), Sku("NUT")])) == [Sku("NUT")]
    assert "two rows that differ" in erp.take_unreadable()[0].message


@pytest.mark.rule("OI-1")
def test_an_order_that_the_erp_answers_twice_has_no_status(made: Made, run: Run) -> None:
    run("CREATE TABLE answers (key TEXT, number INTEGER)")
    run("INSERT INTO answers VALUES ('shop-1', 7), ('shop-1', 8), ('shop-2', 9)")
    told = TOLD_OF_ORDERS.replace("web_key AS", "key AS").replace("refusal AS", "'open' AS")
    told = told.replace("order_no AS", "number AS").replace("FROM orders", "FROM answers")
    erp = made(HEADER, told.replace("web_key IN", "key IN"))

    found = erp.order_statuses([IdempotencyKey("shop-1"), IdempotencyKey("shop-2")])

    assert list(found) == [IdempotencyKey("shop-2")]
    [record] = erp.take_unreadable()
    assert (record.source, record.key) == ("order_status", "shop-1")


@pytest.mark.rule("WA-14")
def test_an_order_that_the_erps_import_leaves_lying_is_told_once(made: Made, run: Run) -> None:
    run("CREATE TABLE staged (key TEXT, state TEXT, said TEXT, late TEXT)")
    run(
        "INSERT INTO staged VALUES ('shop-1', 'received', NULL, 1), ('shop-2', 'open', NULL, 1),"
        " ('shop-3', 'received', 'the desk looks at it', 1), ('shop-4', 'received', NULL, 0)"
    )
    erp = made(
        HEADER,
        "  order_status: SELECT key AS external_key, state, said AS message, late AS overdue"
        " FROM staged WHERE key IN :external_keys\n",
    )
    keys = [IdempotencyKey(f"shop-{number}") for number in range(1, 5)]

    with capture_logs() as logs:
        told = [erp.order_statuses(keys) for _ in range(2)]

    silence = "The ERP's import has not answered to this order, and should have."
    messages = {key.value: status.message for key, status in told[1].items()}
    assert messages == {
        "shop-1": silence,
        "shop-2": None,
        "shop-3": "the desk looks at it",
        "shop-4": None,
    }
    assert sorted((each["event"], each["key"]) for each in logs) == [
        ("order.answer_overdue", "shop-1"),
        ("order.answer_overdue", "shop-3"),
    ]


def test_a_check_finds_the_second_row_of_the_first_customer_behind_all_others(
    made: Made, run: Run
) -> None:
    run("DELETE FROM customers")
    for number in range(40):
        run("INSERT INTO customers VALUES (?, 'Harbour Hardware', NULL)", f"C-{number:03}")
    run("INSERT INTO customers VALUES ('C-000', 'Another company', NULL)")

    found = problems(made(HEADER).check())

    assert found["statement accounts"] == "answers more than one row for C-000"


@pytest.mark.rule("MI-6")
@pytest.mark.parametrize(
    "ageing",
    ["('C-1001', 1, 30, 'much')", "('C-1001', 31, 5, '2.00')", "('C-1001', NULL, 5, '2.00')"],
)
def test_a_balance_with_an_unreadable_age_is_left_out_whole(
    made: Made, run: Run, ageing: str
) -> None:
    run("INSERT INTO balances VALUES ('C-1001', 5), ('C-2', 9)")
    run(f"INSERT INTO ageing VALUES ('C-1001', NULL, NULL, '3.00'), ('C-2', 0, NULL, 9), {ageing}")
    erp = made(HEADER, BALANCES)

    [told] = erp.balances([CustomerId("C-1001"), CustomerId("C-2")])

    assert told.sold_to == CustomerId("C-2")
    assert told.ageing.total == a.money("9.00")
    [record] = erp.take_unreadable()
    assert record.customer == CustomerId("C-1001")


@pytest.mark.rule("TL-6")
def test_a_part_number_told_twice_is_one_and_told_in_two_ways_none(made: Made, run: Run) -> None:
    run("INSERT INTO parts VALUES ('C-1001', 'A', 'BOLT', 'x'), ('C-1001', 'A', 'BOLT', 'x')")
    run("INSERT INTO parts VALUES ('C-1001', 'B', 'BOLT', 'x'), ('C-1001', 'B', 'BOLT', 'y')")
    run("INSERT INTO parts VALUES ('C-2', '  ', 'BOLT', NULL), ('C-2', '0007', 'BOLT', NULL)")
    erp = made(HEADER, PARTS)

    told = erp.customer_parts([CustomerId("C-1001"), CustomerId("C-2")])

    assert [(each.sold_to.value, each.part_number.value) for each in told] == [
        ("C-1001", "A"),
        ("C-2", "0007"),
    ]
    unreadable = {(each.customer, each.key) for each in erp.take_unreadable()}
    assert unreadable == {
        (CustomerId("C-1001"), "C-1001/B/BOLT"),
        (CustomerId("C-2"), "C-2/?/?"),
    }


@pytest.mark.rule("VE-5")
def test_an_item_whose_groups_cannot_be_read_is_listed_and_told_as_open_to_nobody(
    made: Made, run: Run
) -> None:
    run("INSERT INTO items VALUES ('A', FALSE), ('B', FALSE), ('C', TRUE), ('D', FALSE)")
    run("INSERT INTO items VALUES ('E', FALSE)")
    run("INSERT INTO item_tags VALUES ('A', 'PRO'), ('A', '  '), ('B', 'PRO'), ('B', 'OEM')")
    run("INSERT INTO item_tags VALUES ('E', 'OEM')")
    run("INSERT INTO item_nos VALUES ('B', 'C-2')")
    erp = made(HEADER, RESTRICTED, LISTED)

    items = erp.items([Sku(each) for each in "ABCDE"])

    assert sorted(sku.value for sku in items) == ["B", "C", "D", "E"]
    assert (items[Sku("E")].allowed_to, items[Sku("E")].allowed_tags) == (set(), {"OEM"})
    club = items[Sku("B")]
    assert (club.allowed_to, club.allowed_tags) == ({CustomerId("C-2")}, {"PRO", "OEM"})
    assert items[Sku("C")].allowed_to == frozenset()
    assert items[Sku("D")].allowed_to is None
    [record] = erp.take_unreadable()
    assert (record.source, record.key) == ("item_tags", "A/?")
    assert sorted(sku.value for sku in erp.restricted_items()) == ["A", "B", "C", "E"]


@pytest.mark.rule("VE-5")
def test_an_account_with_an_unreadable_tag_is_left_out_whole(made: Made, run: Run) -> None:
    run("INSERT INTO tags VALUES ('C-1001', 'PRO'), ('C-1001', NULL), ('C-2', 'OEM')")
    run("INSERT INTO tags VALUES ('C-2', 'OEM'), ('C-2', 'BETA')")
    erp = made(HEADER, RESTRICTED)
    [account] = erp.accounts([CustomerId("C-1001"), CustomerId("C-2")]).values()
    assert (account.customer_id, account.tags) == (CustomerId("C-2"), ("BETA", "OEM"))


@pytest.mark.rule("VE-5", "OP-4")
def test_a_check_says_that_nobody_could_tell_the_store_what_to_hide(made: Made) -> None:
    subjects = {each.subject for each in made(HEADER, RESTRICTED).check()}
    assert "restricted items" in subjects
    subjects = {each.subject for each in made(HEADER, RESTRICTED, LISTED).check()}
    assert "restricted items" not in subjects


@pytest.mark.rule("TL-7")
def test_a_document_that_cannot_be_read_is_left_out_and_told(made: Made, run: Run) -> None:
    good = ("C-1001", "invoice", "1", "2025-03-01", "a/1.pdf", 80, "0A" * 32)
    bad = (
        ("C-1001", "letter", "2", "2025-03-01", "a/2.pdf", None, None),
        ("C-1001", "invoice", "3", "2025-03-01", None, None, None),
        ("C-1001", "invoice", "4", "2025-03-01", "a/4.pdf", -1, None),
        ("C-1001", "invoice", "5", "2025-03-01", "a/5.pdf", None, "md5:1"),
        ("C-1001", "invoice", "6", "2025-03-01", "a/6.pdf", None, None),
        ("C-1001", "invoice", "6", "2025-03-01", "b/6.pdf", None, None),
    )
    for row in (good, good, *bad):
        run("INSERT INTO papers VALUES (?, ?, ?, ?, ?, ?, ?)", *row)
    erp = made(HEADER, PAPERS)

    [told] = erp.documents([CustomerId("C-1001"), CustomerId("C-2")])

    assert (told.number.value, told.size, told.sha256) == ("1", 80, "0a" * 32)
    unreadable = erp.take_unreadable()
    assert {each.key for each in unreadable} == {
        "C-1001/?/?",
        *(f"C-1001/invoice/{number}" for number in "3456"),
    }
    assert {each.customer for each in unreadable} == {CustomerId("C-1001")}


@pytest.mark.rule("MI-4")
def test_a_figure_that_cannot_be_read_is_left_out_and_never_zero(made: Made, run: Run) -> None:
    run("INSERT INTO stock VALUES ('A', 'W1', '3.5', NULL), ('A', 'W2', 'some', NULL)")
    run("INSERT INTO stock VALUES ('B', 'W1', NULL, NULL), ('C', NULL, '1', NULL)")
    run("INSERT INTO stock VALUES ('D', 'W1', '1', 'soon'), ('E', 'W1', '1', NULL)")
    run("INSERT INTO stock VALUES ('E', 'W1', '2', NULL)")
    erp = made(HEADER, STOCK)

    [told] = erp.availability()

    assert (told.sku.value, told.warehouse, str(told.available)) == ("A", "W1", "3.5")
    keys = {record.key for record in erp.take_unreadable()}
    assert keys == {"A/W2", "B/W1", "C/?", "D/W1", "E/W1"}


def test_a_document_that_makes_no_sense_is_left_out_and_told(made: Made, run: Run) -> None:
    run("INSERT INTO customers VALUES ('C-3', 'Bad' || char(9), 'X'), ('C-4', 'Dots', 'T')")
    erp = made(HEADER.replace("currency: EUR", "currency: EURO"))

    assert erp.accounts([CustomerId("C-4")]) == {}
    [record] = erp.take_unreadable()
    assert "ISO 4217" in record.message
    assert record.customer == CustomerId("C-4")


def test_the_same_unreadable_row_is_told_once_however_often_it_is_read(
    made: Made, run: Run
) -> None:
    run("UPDATE customers SET name = NULL WHERE no = 'C-2'")
    erp = made(HEADER)

    for _ in range(3):
        erp.accounts([CustomerId("C-2")])

    assert len(erp.take_unreadable()) == 1


def test_where_no_row_at_all_can_be_read_the_statement_is_wrong(made: Made, run: Run) -> None:
    for number in range(12):
        run("INSERT INTO prices VALUES (?, 'BOLT', 123456789012.3456)", f"C-{number}")
    erp = made(HEADER, PRICES)
    scopes = [PriceScope.account(CustomerId(f"C-{number}")) for number in range(12)]

    with pytest.raises(Misconfigured, match="none of 12 rows"):
        list(erp.prices(scopes))


@pytest.mark.rule("WA-7")
def test_a_price_out_of_a_floating_point_column_is_what_was_entered(made: Made, run: Run) -> None:
    run("INSERT INTO prices VALUES ('C-1001', 'BOLT', 9.99), ('C-1001', 'NUT', NULL)")

    told = {
        p.key.sku: p.value.unit_price for p in made(HEADER, PRICES).prices([a.a_price().key.scope])
    }

    assert told == {Sku("BOLT"): Decimal("9.9900"), Sku("NUT"): None}


def test_a_column_that_no_statement_knows_stops_the_read(made: Made) -> None:
    erp = made(HEADER.replace("name, terms FROM", "name, terms AS term FROM"))

    with pytest.raises(Misconfigured, match="'term', which it does not know"):
        erp.accounts([CustomerId("C-2")])


# Orders.


@pytest.mark.rule("OI-1")
def test_an_order_is_refused_rather_than_written_without_something(made: Made, run: Run) -> None:
    erp = made(HEADER, ORDERS)
    rich = order(
        po_number="PO 1",
        charges=(CodedAmount("FRT", a.money("5.00")),),
        ship_to=OneOffShipTo(a.an_address(phone="+31 10 555")),
        payments=a.a_retail_sales_order().payments,
    )

    with pytest.raises(Rejected) as caught:
        erp.submit_order(rich, a.KEY)

    assert caught.value.code == "erp_cannot_keep"
    for path in ("order.po_number", "charge.amount", "ship_to.phone", "ship_to.name",
                 "payment.amount", "payment.reference"):  # fmt: skip
        assert path in str(caught.value)
    assert "order.terms" not in str(caught.value)
    assert run("SELECT count(*) FROM orders") == [(0,)]


@pytest.mark.rule("OI-1")
def test_a_field_bound_in_a_step_that_does_not_run_is_not_kept(made: Made) -> None:
    step = """\
      - name: po
        when_present: order.hold
        sql: UPDATE orders SET ship_to = :po WHERE order_no = :order_number
        bind: {po: order.po_number}
"""
    erp = made(HEADER, ORDERS, step)

    with pytest.raises(Rejected, match=r"no place for order\.po_number"):
        erp.submit_order(order(po_number="PO 1"), a.KEY)
    erp.submit_order(order(po_number="PO 1", hold=True), a.KEY)


@pytest.mark.rule("OI-1")
def test_the_same_key_with_another_customer_is_a_conflict(made: Made) -> None:
    erp = made(HEADER, ORDERS)
    first = erp.submit_order(order(), a.KEY)

    assert erp.submit_order(order(), a.KEY) == first
    with pytest.raises(Conflict, match="under C-1001, not C-2"):
        erp.submit_order(order(sold_to=CustomerId("C-2")), a.KEY)


@pytest.mark.rule("OI-1")
def test_the_same_key_twice_is_one_order_where_no_index_sees_to_it(made: Made, run: Run) -> None:
    run("DROP TABLE orders")
    run(
        "CREATE TABLE orders (order_no INTEGER PRIMARY KEY, web_key TEXT, customer TEXT,"
        " total TEXT, ship_to TEXT, refusal TEXT)"
    )
    erp = made(HEADER, ORDERS)
    assert erp.submit_order(order(), a.KEY) == erp.submit_order(order(), a.KEY)
    assert run("SELECT count(*) FROM orders") == [(1,)]


@pytest.mark.rule("WA-13")
def test_an_order_that_the_erp_refused_can_be_sent_again(made: Made, run: Run) -> None:
    again = """\
      - name: clear
        sql: DELETE FROM orders WHERE web_key = :key AND refusal IS NOT NULL
        bind: {key: order.key}
"""
    head, steps, tail = ORDERS.partition("    steps:\n")
    run(
        "INSERT INTO orders (web_key, customer, refusal) VALUES (?, 'C-1001', 'closed')",
        a.KEY.value,
    )

    with pytest.raises(Rejected, match="closed"):
        made(HEADER, ORDERS).submit_order(order(), a.KEY)
    told = made(HEADER, head, steps, again, tail).submit_order(order(), a.KEY)

    assert run("SELECT order_no, refusal FROM orders") == [(int(str(told.number)), None)]


def test_two_orders_under_one_key_are_for_a_person_to_sort_out(made: Made, run: Run) -> None:
    run("DROP TABLE orders")
    run("CREATE TABLE orders (order_no INTEGER, web_key TEXT, customer TEXT, refusal TEXT)")
    run("INSERT INTO orders VALUES (1, 'k', 'C-2', NULL), (2, 'k', 'C-2', NULL)")

    with pytest.raises(Rejected) as caught:
        made(HEADER, ORDERS).find_order(IdempotencyKey("k"))
    assert caught.value.code == "erp_ambiguous"


def test_a_step_that_wrote_nothing_refuses_the_order_with_the_profiles_words(
    made: Made, run: Run
) -> None:
    step = """\
      - name: open period
        sql: UPDATE customers SET terms = terms WHERE no = :customer AND name = 'open'
        bind: {customer: order.sold_to}
        expect_rows: 1
        otherwise: the period is closed
"""
    with pytest.raises(Rejected, match=r"W-10482 .* step open period: the period is closed"):
        made(HEADER, ORDERS, step).submit_order(order(), a.KEY)
    assert run("SELECT count(*) FROM orders") == [(0,)]


def test_a_code_that_the_erp_lacks_is_named_with_the_step_that_looks_it_up(
    made: Made, run: Run
) -> None:
    step = """\
      - name: taxes
        for_each: taxes
        sql: UPDATE customers SET terms = :amount WHERE no = :code
        bind: {code: tax.code, amount: tax.amount}
        expect_rows: 1
"""
    taxed = dataclasses.replace(
        order(), taxes=(CodedAmount("V6", a.money("1.00")),), total=a.money("100.90")
    )

    with pytest.raises(Rejected, match=r"step taxes, tax 1, V6: 0 rows where 1") as caught:
        made(HEADER, ORDERS, step).submit_order(taxed, a.KEY)

    assert "codes.yaml" in str(caught.value.remedy)
    assert "acme.yaml:" in str(caught.value.remedy)


def test_the_erps_own_rule_refuses_the_order_in_its_own_words(made: Made, run: Run) -> None:
    run(
        "CREATE TRIGGER rule BEFORE INSERT ON order_lines"
        " BEGIN SELECT RAISE(ABORT, 'Item is on allocation'); END"
    )
    with pytest.raises(Rejected, match=r"line 1, BOLT-M8: .*Item is on allocation") as caught:
        made(HEADER, ORDERS).submit_order(order(), a.KEY)
    assert caught.value.code == "erp_rule"
    assert isinstance(caught.value.__cause__, sqlite3.Error)
    assert run("SELECT count(*) FROM orders") == [(0,)]


def test_a_unique_index_that_is_not_ours_refuses_the_order(made: Made, run: Run) -> None:
    run("CREATE UNIQUE INDEX one_each ON orders (customer)")
    erp = made(HEADER, ORDERS)
    erp.submit_order(order(), a.KEY)

    with pytest.raises(Rejected) as caught:
        erp.submit_order(order(), IdempotencyKey("shop/order-2"))
    assert caught.value.code == "erp_duplicate"


def test_notes_are_cut_into_pieces_that_lose_nothing(made: Made, run: Run) -> None:
    run("CREATE TABLE notes (order_no INTEGER, piece INTEGER, txt TEXT)")
    step = """\
      - name: notes
        for_each: notes
        wrap: 10
        sql: INSERT INTO notes VALUES (:order_number, :no, :txt)
        bind: {no: note.number, txt: note.text}
"""
    made(HEADER, ORDERS, step).submit_order(
        order(notes="Ring twice, then wait\n\nBackdoorWithoutSpaces"), a.KEY
    )

    pieces = [row[0] for row in run("SELECT txt FROM notes ORDER BY piece")]
    assert pieces == ["Ring", "twice,", "then wait", "BackdoorWi", "thoutSpace", "s"]


def test_a_number_that_follows_is_not_made_up(made: Made, run: Run) -> None:
    parts = (
        HEADER.replace("facts:", "facts:\n  number_follows: true"),
        ORDERS.replace("        capture: {order_number: order_no}\n", "")
        .replace("VALUES (:order_number, ", "VALUES (NULL, ")
        .replace("          RETURNING order_no\n", "")
        .replace("order_no AS order_number", "NULL AS order_number"),
    )
    erp = made(*parts)

    assert erp.submit_order(order(), a.KEY).number is None
    assert erp.find_order(a.KEY).number is None


# Checking.


def problems(findings: tuple[Finding, ...]) -> dict[str, str]:
    return {f.subject: f.message for f in findings if f.level is not FindingLevel.OK}


def test_a_sound_profile_has_no_findings_but_what_it_cannot_keep(made: Made, run: Run) -> None:
    assert set(problems(made(HEADER, GROUPS, INVOICES, PRICES, ORDERS).check())) == {
        "fields of an order"
    }
    assert run("SELECT count(*) FROM orders") == [(0,)]


@pytest.mark.rule("WA-8")
def test_a_check_finds_lines_of_an_invoice_that_a_join_doubles(made: Made, run: Run) -> None:
    run("INSERT INTO invoices VALUES ('8', 'C-1001', '2026-03-01', 5)")
    run("INSERT INTO invoice_lines VALUES ('8', 1, 1, 5), ('8', 2, 1, 5), ('8', 2, 1, 6)")

    [finding] = [
        f for f in made(HEADER, INVOICES).check() if f.subject == "statement invoice_lines"
    ]

    assert (finding.level, finding.message) == (
        FindingLevel.WARNING,
        "answers more than one row for 8/2",
    )


@pytest.mark.parametrize(
    "break_it, subject, complaint",
    [
        ("DROP TABLE customers", "statement accounts", "no such table: customers"),
        ("ALTER TABLE customers DROP COLUMN terms", "statement accounts", "no such column: terms"),
        ("DROP TABLE order_lines", "step lines", "no such table: order_lines"),
        ("ALTER TABLE orders DROP COLUMN total", "step header", "no column named total"),
        ("UPDATE customers SET name = NULL", "statement accounts", "2 of 2 rows cannot be read"),
        ("DELETE FROM customers", "statement customer_ids", "no account at all"),
        (
            (
                "CREATE TABLE o AS SELECT * FROM orders; DROP TABLE orders;"
                " ALTER TABLE o RENAME TO orders"
            ),
            "unique external key",
            "no unique index",
        ),
    ],
)
def test_a_check_finds_what_the_database_lacks(
    made: Made, run: Run, break_it: str, subject: str, complaint: str
) -> None:
    for statement in break_it.split("; "):
        run(statement)

    found = problems(made(HEADER, ORDERS).check())

    assert complaint in found[subject]


@pytest.mark.parametrize(
    "rows, subject, complaint",
    [
        ("INSERT INTO prices VALUES ('C-2', 'BOLT', 'a lot')", "prices_account", "not a number"),
        (
            (
                "INSERT INTO invoices VALUES ('R1', 'C-2', '2025-03-03', 5);"
                "INSERT INTO invoice_lines VALUES ('R1', 'one', 1, 5)"
            ),
            "invoice_lines",
            "not a whole number",
        ),
        (
            "INSERT INTO customers VALUES ('C-2', 'Quay Bolts again', NULL)",
            "accounts",
            "answers more than one row for C-2",
        ),
        (
            "UPDATE customers SET no = no || '   '",
            "accounts",
            "knows 0 of the 2 customers of customer_ids that were tried, and not C-1001",
        ),
    ],
)
def test_a_check_reads_a_few_records_that_the_erp_really_has(
    made: Made, run: Run, rows: str, subject: str, complaint: str
) -> None:
    for statement in rows.split(";"):
        run(statement)

    found = problems(made(HEADER, INVOICES, PRICES).check())

    assert complaint in found[f"statement {subject}"]


def test_a_check_finds_the_index_of_a_padded_key_behind_a_step_that_clears(made: Made) -> None:
    clearing = """\
      - name: clear a refused one
        sql: DELETE FROM orders WHERE web_key = :key AND refusal IS NOT NULL
        bind: {key: order.key}
      - name: header
"""
    parts = ORDERS.replace("      - name: header\n", clearing)
    parts = parts.replace("VALUES (:key,", "VALUES (printf('%-40s', :key),")

    found = {each.subject: each for each in made(HEADER, parts).check()}

    assert found["unique external key"].message == "orders.web_key has a unique index"


def test_a_check_without_a_database_says_so_and_stops(made: Made, tmp_path: Path) -> None:
    [finding] = made(HEADER, url="sqlite:///typo.db").check()

    assert (finding.subject, finding.level) == ("connection", FindingLevel.ERROR)
    assert finding.message == f"url names {tmp_path / 'typo.db'}, and there is no such file"
    assert not (tmp_path / "typo.db").exists()


@pytest.mark.rule("OI-1")
@pytest.mark.parametrize("option", ["url", "write_url"])
def test_a_file_that_is_not_the_erp_is_no_outage(
    made: Made, run: Run, tmp_path: Path, option: str
) -> None:
    letter = tmp_path / "letter.db"
    letter.write_text("Dear ERP,\n")
    for name, told in (
        ("letter.db", "which is no SQLite database"),
        ("typo.db", "and there is no such file"),
    ):
        erp = made(HEADER, ORDERS, **{option: f"sqlite:///{name}"})
        reads, writes = partial(erp.accounts, [a.ACCOUNT]), partial(erp.submit_order, order())
        ask = reads if option == "url" else partial(writes, a.KEY)
        with pytest.raises(Misconfigured, match=f"{option} names {tmp_path / name}, {told}"):
            ask()
    erp = made(HEADER, url="sqlite:///empty.db")
    sqlite3.connect(tmp_path / "empty.db").close()
    with pytest.raises(Misconfigured, match="no such table: customers; see that url names"):
        erp.accounts([a.ACCOUNT])
    assert run("SELECT count(*) FROM orders") == [(0,)]


def test_an_erp_whose_file_cannot_be_opened_for_a_moment_is_away(
    tmp_path: Path, made: Made
) -> None:
    erp = made(HEADER)
    with pytest.raises(sqlite3.OperationalError) as refused:
        sqlite3.connect(tmp_path).execute("SELECT 1 FROM sqlite_master")
    with pytest.raises(TryLater), translated(erp.database.attempt("reading"), "sqlite"):
        raise DBAPIError("BEGIN", {}, refused.value)


def test_a_clock_in_another_zone_is_found(made: Made) -> None:
    clock = (
        "  clock: SELECT datetime('now', '-5 hours') AS now\n"
        "  changed_accounts: SELECT no AS customer_id FROM customers WHERE terms >= :since\n"
    )
    found = problems(made(HEADER, clock).check())

    assert "-300 minutes off" in found["statement clock"]


# Settings.


@pytest.mark.rule("OP-7")
@pytest.mark.parametrize(
    "options, secrets, complaint",
    [
        ({"profile": "acme.yaml"}, {}, "url: missing"),
        ({"url": "sqlite:///erp.db"}, {}, "profile: missing"),
        ({"url": "x", "profile": "y", "pool": 3}, {}, "did you mean pool_size?"),
        ({"url": "x", "profile": "y", "pool_size": 0}, {}, "pool_size: not a whole number"),
        ({"url": "x", "profile": "y"}, {"pasword": "z"}, "did you mean password?"),
        (
            {"url": "sqlite:///a.db", "write_url": "mysql+pymysql://h/b", "profile": "y"},
            {},
            "of different dialects",
        ),
    ],
)
def test_options_that_will_not_do_are_told(
    options: dict[str, object], secrets: dict[str, str], complaint: str, tmp_path: Path
) -> None:
    with pytest.raises(Misconfigured) as caught:
        SqlErpAdapter.from_settings(options, secrets, tmp_path)
    assert complaint in str(caught.value)


def test_a_profile_for_another_database_is_refused(made: Made) -> None:
    with pytest.raises(Misconfigured, match="written for postgresql"):
        made(HEADER.replace("[sqlite]", "[postgresql]"))


def test_the_order_number_is_text_as_the_erp_spells_it(made: Made) -> None:
    assert made(HEADER, ORDERS).submit_order(order(), a.KEY).number == ErpOrderNumber("1")
