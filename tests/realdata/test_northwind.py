"""Northwind: an ERP without ship-tos, terms, price lists or retail buyers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import pytest

from sync.domain.address import TypedAddress
from sync.flows.cycle import FLOWS
from sync.ports.erp import FindingLevel
from sync.ports.state import LedgerEntry
from sync.stores.embedded.adapter import EmbeddedStore
from sync.stores.embedded.writing import change_order
from sync.testing.clock import ManualClock
from tests.realdata.northwind_erp import Site, make_site
from tests.realdata.source import exact, opened
from tests.realdata.story import A_SUNDAY, Cycle, cycle, quarantined, running

DISCONTINUED = {"17", "24", "28", "53"}


@dataclass(frozen=True, slots=True)
class Played:
    site: Site
    first: Cycle
    idle: Cycle
    held: tuple[LedgerEntry, ...]


@pytest.fixture(scope="module")
def played(northwind: Path, tmp_path_factory: pytest.TempPathFactory) -> Played:
    """One cycle on Northwind, and another that finds nothing to do."""
    site = make_site(northwind, tmp_path_factory.mktemp("northwind") / "site")
    clock = ManualClock(A_SUNDAY)
    with running(site.root, clock) as pipeline:
        first = cycle(pipeline, "first")
        held = quarantined(pipeline)
        clock.advance(3600)
        return Played(site, first, cycle(pipeline, "idle"), held)


@pytest.mark.rule("OI-1")
def test_open_orders_come_back_with_every_line_price_and_discount(
    played: Played, northwind: Path
) -> None:
    header = (
        "SELECT CustomerID, substr(OrderDate, 1, 10), substr(RequiredDate, 1, 10), ShipVia,"
        " Freight, ShipName, ShipAddress, ShipCity, ShipRegion, ShipPostalCode, ShipCountry"
        " FROM Orders WHERE {0} = ?"
    )
    lines = (
        "SELECT ProductID, UnitPrice, Quantity, Discount FROM Order_Details"
        " JOIN Orders USING (OrderID) WHERE {0} = ? ORDER BY ProductID"
    )
    held = {entry.number for entry in played.held}
    compared = 0
    with opened(northwind) as before, opened(played.site.erp) as after:
        for number, source in played.site.sources.items():
            if number.value in held:
                continue
            key = f"northwind-{source}"
            for sql in (header, lines):
                wanted = [tuple(r) for r in before.execute(sql.format("OrderID"), [source])]
                found = [tuple(r) for r in after.execute(sql.format("ExternalKey"), [key])]
                assert wanted == found != []
            compared += 1
    assert compared == played.first.count("orders", "imported") == 21 - len(held)


@pytest.mark.rule("OI-8")
def test_a_new_order_for_a_discontinued_product_waits_for_a_person(played: Played) -> None:
    with_discontinued = {
        order.number.value
        for order in played.site.orders
        if {line.sku.value for line in order.lines} & DISCONTINUED
    }
    assert {entry.number for entry in played.held} == with_discontinued != set()
    problems = [problem for entry in played.held for problem in entry.problems]
    assert {(problem.code, problem.rule) for problem in problems} == {("item_discontinued", "OI-8")}
    assert len(problems) == 7


@pytest.mark.rule("MI-1")
def test_every_account_is_shown_and_those_who_never_ordered_have_no_ship_to(
    played: Played,
) -> None:
    with opened(played.site.shop) as shop:
        accounts = {row[0] for row in shop.execute("SELECT customer_id FROM accounts")}
        owners = {row[0] for row in shop.execute("SELECT customer_id FROM ship_tos")}
        counts = shop.execute(
            "SELECT (SELECT count(*) FROM ship_tos), (SELECT count(*) FROM bill_tos),"
            "       (SELECT count(*) FROM ship_tos WHERE postal_code IS NULL),"
            "       (SELECT count(*) FROM bill_tos WHERE postal_code IS NULL),"
            "       (SELECT count(*) FROM bill_tos WHERE region IS NULL)"
        ).fetchone()
    assert len(accounts) == 91
    assert accounts - owners == {"FISSA", "PARIS"}
    assert tuple(counts) == (90, 91, 1, 1, 60)


@pytest.mark.rule("MI-1")
def test_two_ship_tos_that_differ_in_an_apostrophe_are_two(played: Played) -> None:
    with opened(played.site.shop) as shop:
        names = [
            row[0]
            for row in shop.execute(
                "SELECT name FROM ship_tos WHERE customer_id = 'ALFKI' ORDER BY name"
            )
        ]
    assert names == ["Alfred's Futterkiste", "Alfreds Futterkiste"]


@pytest.mark.rule("WA-8")
def test_shipped_orders_are_invoices_at_the_price_of_their_day(
    played: Played, northwind: Path
) -> None:
    with opened(played.site.shop) as shop:
        count = shop.execute("SELECT count(*) FROM invoices").fetchone()[0]
        totals = [
            tuple(map(Decimal, row))
            for row in shop.execute(
                "SELECT total, freight FROM invoices WHERE customer_id = 'ALFKI'"
            )
        ]
        prices = {
            (row[0], row[1]): Decimal(row[2])
            for row in shop.execute("SELECT invoice, sku, unit_price FROM invoice_lines")
        }
    with opened(northwind) as before:
        wanted = {
            (str(row[0]), str(row[1])): exact(row[2])
            for row in before.execute(
                "SELECT OrderID, ProductID, UnitPrice FROM Order_Details"
                " JOIN Orders USING (OrderID) WHERE ShippedDate IS NOT NULL"
            )
        }
    assert count == 809
    assert len(totals) == 6
    assert sum(freight for _, freight in totals) == Decimal("225.58")
    assert sum(whole - freight for whole, freight in totals) == Decimal("4273")
    assert prices == wanted


@pytest.mark.rule("WA-7")
def test_products_are_shown_to_account_holders_at_their_own_price(
    played: Played, northwind: Path
) -> None:
    with opened(played.site.shop) as shop, opened(northwind) as before:
        shown = {
            row[0]: Decimal(row[1])
            for row in shop.execute(
                "SELECT sku, unit_price FROM prices WHERE audience = 'accounts'"
            )
        }
        others = shop.execute("SELECT count(*) FROM prices WHERE audience <> 'accounts'")
        assert others.fetchone()[0] == 0
        assert shown == {
            str(row[0]): exact(row[1])
            for row in before.execute("SELECT ProductID, UnitPrice FROM Products")
        }


@pytest.mark.rule("OI-9")
def test_letters_outside_ascii_are_shown_as_they_are(played: Played, northwind: Path) -> None:
    with opened(played.site.shop) as shop, opened(northwind) as before:
        shown = dict(shop.execute("SELECT customer_id, name FROM accounts").fetchall())
        named = before.execute("SELECT CustomerID, CompanyName FROM Customers").fetchall()
    assert shown == {row[0]: row[1] for row in named}
    assert any(not name.isascii() for name in shown.values())


@pytest.mark.rule("MI-2")
def test_another_cycle_on_northwind_writes_nothing(played: Played) -> None:
    assert [result.outcome for result in played.first.results.values()] == ["ok"] * len(FLOWS)
    assert played.idle.store_writes == 0
    assert sum(result.writes for result in played.idle.results.values()) == 0


def test_the_readme_tells_what_came_of_it(played: Played) -> None:
    with opened(played.site.shop) as shop:
        accounts, invoices = shop.execute(
            "SELECT (SELECT count(*) FROM accounts), (SELECT count(*) FROM invoices)"
        ).fetchone()
    imported = played.first.count("orders", "imported")
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    told = (
        f"Northwind: {accounts} accounts, {invoices} invoices; of its {len(played.site.orders)}"
        f" open orders {imported} imported and {len(played.held)} held,"
    )
    assert told in " ".join(readme.split())


@pytest.mark.rule("WA-4")
def test_a_typed_address_is_on_the_order_in_the_words_of_the_erp(
    northwind: Path, tmp_path: Path
) -> None:
    site = make_site(northwind, tmp_path / "site")
    order = next(order for order in site.orders if order.number.value == "W-11019")
    typed = TypedAddress("A branch", ("12 Brook Street",), "Bath", "GB", "BA1 2AB")
    with running(site.root, ManualClock(A_SUNDAY)) as pipeline:
        store = pipeline.store
        assert isinstance(store, EmbeddedStore)
        with store.engine.begin() as connection:
            change_order(connection, replace(order, ship_to=typed))
        cycle(pipeline, "first")
    with opened(site.erp) as erp:
        row = erp.execute(
            "SELECT ShipName, ShipAddress, ShipCity, ShipRegion, ShipPostalCode, ShipCountry"
            "  FROM Orders WHERE ExternalKey = 'northwind-11019'"
        ).fetchone()
    assert tuple(row) == ("A branch", "12 Brook Street", "Bath", None, "BA1 2AB", "UK")


def test_the_profile_fits_the_prepared_database(northwind: Path, tmp_path: Path) -> None:
    site = make_site(northwind, tmp_path / "site")
    with running(site.root, ManualClock(A_SUNDAY)) as pipeline:
        findings = pipeline.erp.check()
    assert [each for each in findings if each.level is FindingLevel.ERROR] == []
