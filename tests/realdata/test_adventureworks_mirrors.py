"""What the AdventureWorks shop shows afterwards, and to whom."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from tests.realdata.adventureworks_erp import RETAIL_GROUP
from tests.realdata.report import Oddity, oddities
from tests.realdata.source import exact, opened
from tests.realdata.story import Story


@pytest.mark.rule("WA-8")
def test_shipped_orders_of_stores_are_their_invoices_and_those_of_shoppers_are_nobodys(
    story: Story,
) -> None:
    assert story.shipped == 1566
    with opened(story.shop) as shop, opened(story.original) as before:
        shown = {
            row[0]: (*tuple(row)[1:3], *map(Decimal, tuple(row)[3:]))
            for row in shop.execute(
                "SELECT web_reference, customer_id, currency, total, tax, freight FROM invoices"
            )
        }
        wanted = {
            row[0]: (*tuple(row)[1:3], *map(exact, tuple(row)[3:]))
            for row in before.execute(
                "SELECT 'SO' || h.SalesOrderID, c.AccountNumber,"
                "       coalesce(r.ToCurrencyCode, 'USD'), h.TotalDue, h.TaxAmt, h.Freight"
                "  FROM Sales_SalesOrderHeader h JOIN Sales_Customer c USING (CustomerID)"
                "  LEFT JOIN Sales_CurrencyRate r USING (CurrencyRateID)"
                " WHERE c.StoreID IS NOT NULL AND h.Status = 5"
            )
        }
        accounts = {row[0] for row in shop.execute("SELECT customer_id FROM invoices")}
        lines = shop.execute("SELECT count(*) FROM invoice_lines").fetchone()[0]
    assert len(shown) == 406
    assert shown == wanted
    assert lines == 4515
    assert RETAIL_GROUP not in accounts


@pytest.mark.rule("WA-8")
def test_an_account_sees_its_three_documents_and_a_shopper_sees_none(story: Story) -> None:
    with opened(story.shop) as shop:
        totals = shop.execute(
            "SELECT count(*), round(sum(CAST(total AS REAL)), 4) FROM invoices"
            " WHERE customer_id = 'AW00030084'"
        ).fetchone()
        shopper = shop.execute(
            "SELECT count(*) FROM invoices i JOIN account_users u ON u.customer_id = i.customer_id"
            " JOIN orders o ON o.web_user = u.web_user WHERE o.organisation IS NULL"
        ).fetchone()[0]
    assert tuple(totals) == (3, 3762.0881)
    assert shopper == 0


@pytest.mark.rule("MI-1")
def test_an_account_is_offered_exactly_its_own_addresses(story: Story) -> None:
    with opened(story.shop) as shop:
        rows = shop.execute(
            "SELECT ship_to_id, name, lines, city, region, country, postal_code, is_default"
            "  FROM ship_tos WHERE customer_id = 'AW00029624' ORDER BY ship_to_id"
        ).fetchall()
        counts = shop.execute(
            "SELECT (SELECT count(*) FROM accounts), (SELECT count(*) FROM ship_tos),"
            "       (SELECT count(*) FROM bill_tos)"
        ).fetchone()
    assert [row["ship_to_id"] for row in rows] == ["30", "938"]
    shipping, office = rows
    assert tuple(shipping)[1:] == (
        "Tread Industries",
        '["9707 Coldwater Drive"]',
        "Orlando",
        "FL",
        "US",
        "32804",
        0,
    )
    assert office["is_default"] == 1
    assert tuple(counts) == (701, 712, 701)


@pytest.mark.rule("MI-2")
def test_a_cycle_that_finds_no_difference_writes_nothing_to_the_store(story: Story) -> None:
    idle = story.cycles["idle"]
    assert idle.store_writes == 0
    assert all(result.outcome == "ok" for result in idle.results.values())
    assert sum(result.writes for result in idle.results.values()) == 0


@pytest.mark.rule("OI-3")
def test_shipments_are_shown_at_the_web_orders(story: Story) -> None:
    with opened(story.shop) as shop:
        states = shop.execute("SELECT state, count(*) FROM order_statuses GROUP BY 1").fetchall()
        shipped = shop.execute(
            "SELECT s.shipped_on, s.carrier FROM order_shipments s"
            " JOIN orders o USING (order_id) WHERE o.number = 'SO43659'"
        ).fetchall()
    assert [tuple(row) for row in states] == [("shipped", 1566)]
    assert [tuple(row) for row in shipped] == [("2011-06-07", "CARGO TRANSPORT 5")]


@pytest.mark.rule("WA-10")
def test_parts_without_a_price_are_on_call_and_never_free(story: Story) -> None:
    with opened(story.shop) as shop:
        on_call = shop.execute(
            "SELECT count(DISTINCT sku) FROM prices WHERE unit_price IS NULL"
        ).fetchone()[0]
        free = shop.execute(
            "SELECT count(*) FROM prices WHERE unit_price IN ('0', '0.0000')"
        ).fetchone()[0]
    assert (on_call, free) == (200, 0)


@pytest.mark.rule("WA-6", "VE-7")
def test_reseller_prices_are_shown_to_resellers_only(story: Story) -> None:
    with opened(story.shop) as shop:
        audiences = shop.execute(
            "SELECT DISTINCT audience, audience_key, audience_channel, price_list FROM prices"
            " ORDER BY 1"
        ).fetchall()
    assert [tuple(row) for row in audiences] == [
        ("accounts", "", "", "LIST"),
        ("group", "Reseller", "", "RESELLER"),
        ("public", RETAIL_GROUP, "web", "LIST"),
    ]


@pytest.mark.rule("OI-9", "OI-7", "WA-16", "VE-12")
def test_every_oddity_of_the_data_is_named_with_the_rule_that_handled_it(story: Story) -> None:
    found = oddities(story)
    report = Path("build") / "realdata.txt"
    report.parent.mkdir(exist_ok=True)
    report.write_text("".join(f"{each}\n" for each in found), encoding="utf-8")
    assert {each.what: (each.count, each.rule) for each in found} == {
        "lines without a header": (41, "OI-5"),
        "orders in AUD": (446, "WA-16"),
        "orders in CAD": (148, "WA-16"),
        "orders in DEM (no longer a currency)": (76, "WA-16"),
        "orders in FRF (no longer a currency)": (59, "WA-16"),
        "orders in GBP": (115, "WA-16"),
        "retail orders without a card": (48, "WA-5"),
        "wholesale orders shipped to another address than the bill-to": (8, "WA-4, TL-2"),
        "sums rounded to four places": (15, "OI-7"),
        "lines of products that have since left the catalogue": (4435, "OI-8"),
        "orders of a person whom the source does not have": (13, "WA-9"),
        "one-off ship-tos with letters outside ASCII": (40, "OI-9"),
        "ship-tos whose buyer's name is mojibake": (4, "OI-9"),
        "state codes that the source pads to three characters": (27, "WA-3a"),
        "stores with a second customer ID": (635, "WA-2"),
        "store names with a space at the end": (4, "MI-1"),
        "products with a list price of zero": (200, "WA-10"),
        "products whose quantity breaks have an end": (112, "VE-12"),
        "offers for a product that have no upper quantity": (52, "VE-12"),
    }
    assert "WA-5" in str(Oddity("x", 1, "WA-5", "y"))
