"""1,566 orders of AdventureWorks come back through the daemon as they were."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine

from sync.domain.address import TypedAddress
from sync.domain.order import SelectedShipTo
from tests.realdata.adventureworks_erp import RETAIL_GROUP
from tests.realdata.comparing import differences, imported, originals
from tests.realdata.source import opened
from tests.realdata.story import Story


@contextmanager
def reading(database: Path) -> Iterator[Connection]:
    engine = create_engine(f"sqlite:///{database}")
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


@pytest.mark.rule("OI-1")
def test_every_order_is_in_the_erp_as_it_was_to_the_last_decimal_place(story: Story) -> None:
    with reading(story.original) as before, reading(story.erp) as after:
        wanted, found = originals(before), imported(after)
    assert len(wanted) == 1566
    assert sum(len(order.lines) for order in wanted.values()) == 5675
    assert differences(wanted, found) == []


def test_a_difference_in_any_field_would_be_seen(story: Story, tmp_path: Path) -> None:
    """The comparison is what the tests above rest on, so it is tried on a spoilt copy."""
    spoilt = tmp_path / "erp.sqlite"
    spoilt.write_bytes(story.erp.read_bytes())
    with opened(spoilt) as erp:
        erp.executescript(
            "UPDATE Sales_SalesOrderDetail SET UnitPrice = UnitPrice + 0.0001"
            " WHERE SalesOrderID = (SELECT SalesOrderID FROM Sales_SalesOrderHeader"
            "                        WHERE WebOrderNumber = 'SO43659') AND SalesOrderDetailID = 1;"
            "UPDATE Sales_SalesOrderHeader SET Freight = Freight - 0.0001"
            " WHERE WebOrderNumber = 'SO43660';"
            "UPDATE Sales_SalesOrderAddress SET City = City || ' ' WHERE Purpose = 'S'"
            "   AND SalesOrderID = (SELECT SalesOrderID FROM Sales_SalesOrderHeader"
            "                        WHERE WebOrderNumber = 'SO43697');"
            "DELETE FROM Sales_SalesOrderHeader WHERE WebOrderNumber = 'SO43661';"
        )
    with reading(story.original) as before, reading(spoilt) as after:
        told = differences(originals(before), imported(after))
    assert [sentence.split(" is ")[0] for sentence in told] == [
        "SO43661",
        "SO43659: lines",
        "SO43660: freight",
        "SO43697: ship_to",
    ]


@pytest.mark.rule("WA-3")
def test_individuals_are_in_the_retail_group_and_stores_in_their_own_accounts(
    story: Story,
) -> None:
    with opened(story.erp) as erp:
        accounts = Counter(
            row[0]
            for row in erp.execute(
                "SELECT c.AccountNumber FROM Sales_SalesOrderHeader"
                " JOIN Sales_Customer c USING (CustomerID)"
            )
        )
    assert accounts.pop(RETAIL_GROUP) == 1160
    assert sum(accounts.values()) == 406
    assert len(accounts) == 205


@pytest.mark.rule("WA-3a")
def test_each_retail_order_has_its_own_ship_to_and_no_account_collects_any(story: Story) -> None:
    with opened(story.erp) as erp, opened(story.original) as before:
        places = erp.execute(
            "SELECT AddressLine1, AddressLine2, City, PostalCode FROM Sales_SalesOrderAddress"
            " WHERE Purpose = 'S'"
        ).fetchall()
        on_file = "SELECT count(*) FROM Person_BusinessEntityAddress"
        assert erp.execute(on_file).fetchone()[0] == before.execute(on_file).fetchone()[0]
    assert len(places) == 1160
    with opened(story.shop) as shop:
        shown = "SELECT count(*) FROM ship_tos WHERE customer_id = ?"
        assert shop.execute(shown, [RETAIL_GROUP]).fetchone()[0] == 0


@pytest.mark.rule("WA-5")
def test_orders_without_a_card_wait_for_a_person_and_are_imported_after_the_replay(
    story: Story,
) -> None:
    first, replayed = story.cycles["first"], story.cycles["replayed"]
    assert first.count("orders", "imported_retail") == 1112
    assert first.count("orders", "quarantined") == 48
    assert {(p.code, p.rule) for entry in story.held for p in entry.problems} == {
        ("payment_method_unmapped", "WA-5")
    }
    with opened(story.original) as before:
        without = {
            f"SO{row[0]}"
            for row in before.execute(
                "SELECT SalesOrderID FROM Sales_SalesOrderHeader"
                " WHERE CreditCardID IS NULL AND OnlineOrderFlag = 1"
            )
        }
    assert {entry.number for entry in story.held} == without
    assert story.replayed == 48
    assert replayed.count("orders", "imported_retail") == 48
    assert replayed.count("orders", "quarantined") == 0


@pytest.mark.rule("WA-5")
def test_stores_pay_on_terms_or_by_card(story: Story) -> None:
    first = story.cycles["first"]
    assert first.count("orders", "imported_wholesale") == 406
    with opened(story.erp) as erp:
        paid = erp.execute(
            "SELECT h.CreditCardID IS NULL, count(*) FROM Sales_SalesOrderHeader h"
            " JOIN Sales_Customer c USING (CustomerID) WHERE c.StoreID IS NOT NULL"
            " GROUP BY 1 ORDER BY 1"
        ).fetchall()
    assert [tuple(row) for row in paid] == [(0, 405), (1, 1)]


@pytest.mark.rule("WA-4", "TL-2")
def test_a_ship_to_other_than_the_bill_to_stays_another(story: Story) -> None:
    with opened(story.erp) as erp:
        apart = erp.execute(
            "SELECT WebOrderNumber, c.CustomerID, BillToAddressID, ShipToAddressID"
            "  FROM Sales_SalesOrderHeader JOIN Sales_Customer c USING (CustomerID)"
            " WHERE BillToAddressID <> ShipToAddressID ORDER BY WebOrderNumber"
        ).fetchall()
    assert [tuple(row) for row in apart] == [
        ("SO43875", 29624, 938, 30),
        ("SO43884", 29861, 628, 11382),
        ("SO44099", 29897, 1066, 28),
        ("SO44118", 29883, 1025, 11381),
        ("SO44518", 29624, 938, 30),
        ("SO44530", 29861, 628, 11382),
        ("SO44760", 29897, 1066, 28),
        ("SO44780", 29883, 1025, 11381),
    ]


@pytest.mark.rule("WA-16")
def test_orders_keep_their_currency_and_the_rate_of_their_day(story: Story) -> None:
    with opened(story.erp) as erp:
        rows = erp.execute(
            "SELECT coalesce(r.ToCurrencyCode, 'USD'), count(*), round(sum(h.TotalDue), 2)"
            "  FROM Sales_SalesOrderHeader h LEFT JOIN Sales_CurrencyRate r USING (CurrencyRateID)"
            " GROUP BY 1 ORDER BY 1"
        ).fetchall()
    assert [tuple(row) for row in rows] == [
        ("AUD", 446, 1636624.26),
        ("CAD", 148, 2102951.88),
        ("DEM", 76, 262752.42),
        ("FRF", 59, 199531.72),
        ("GBP", 115, 393308.58),
        ("USD", 722, 9434902.96),
    ]


@pytest.mark.rule("WA-9")
def test_every_order_in_the_shop_still_belongs_to_the_person_who_placed_it(story: Story) -> None:
    with opened(story.shop) as shop, opened(story.original) as before:
        placed = dict(shop.execute("SELECT number, web_user FROM orders").fetchall())
        persons = before.execute(
            "SELECT 'SO' || SalesOrderID, CAST(PersonID AS TEXT) FROM Sales_SalesOrderHeader"
            " JOIN Sales_Customer USING (CustomerID)"
        ).fetchall()
        assert placed == dict(persons)
        shown = shop.execute("SELECT state, count(*) FROM order_imports GROUP BY 1").fetchall()
    assert [tuple(row) for row in shown] == [("processed", 1566)]


def test_the_conversion_repairs_nothing_and_drops_nothing(story: Story) -> None:
    store = story.store
    assert len(store.orders) == 1566
    assert sum(len(order.lines) for order in store.orders) + len(store.without_header) == 5716
    assert len(store.without_header) == 41
    assert len(store.nameless) == 13
    assert len(store.users) == 19972
    typed = [order.ship_to for order in store.orders if isinstance(order.ship_to, TypedAddress)]
    assert len(typed) == 1160
    assert any(place.region != (place.region or "").strip() for place in typed)
    assert sum(isinstance(order.ship_to, SelectedShipTo) for order in store.orders) == 406


@pytest.mark.rule("OI-5")
def test_lines_without_a_header_are_nobodys_and_stay_untouched(story: Story) -> None:
    rows = (
        "SELECT * FROM Sales_SalesOrderDetail WHERE SalesOrderID BETWEEN 45225 AND 45265"
        " ORDER BY SalesOrderID, SalesOrderDetailID"
    )
    with opened(story.erp) as erp, opened(story.original) as before:
        left = [tuple(row) for row in erp.execute(rows)]
        assert left == [tuple(row) for row in before.execute(rows)]
    assert {(row[0], row[1]) for row in left} == set(story.store.without_header)


def test_nobodys_name_street_or_e_mail_address_is_in_the_log(story: Story) -> None:
    with opened(story.erp) as erp:
        one_off = erp.execute("SELECT Name, AddressLine1 FROM Sales_SalesOrderAddress").fetchall()
    personal = {text for row in one_off for text in row} | set(story.store.emails.values())
    assert len(personal) > 20_000
    logged = {str(value) for event in story.log for value in event.values()}
    assert len([event for event in story.log if event["event"] == "order.imported"]) == 1566
    assert logged & personal == set()
    assert not [text for text in logged if "@" in text]
