"""AdventureWorks prices through the profile equal what its orders were charged."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from erp_adapters.sql.adapter import SqlErpAdapter
from sync.domain.ids import Sku
from sync.domain.pricing import (
    DEFAULT_LIST,
    Price,
    PriceQuestion,
    PriceScope,
    effective_price,
)
from sync.ports.erp import ReadsPrices
from tests.realdata.adventureworks_erp import prepare
from tests.realdata.source import copy_of, exact, opened

RESELLERS = PriceScope.group("Reseller")
RESELLER = (RESELLERS, DEFAULT_LIST)
RETAIL = (DEFAULT_LIST,)


class PriceBook:
    """Every entry that the adapter reads, and what they come to."""

    def __init__(self, entries: Iterator[Price]) -> None:
        self._entries: dict[tuple[PriceScope, str], list[Price]] = {}
        for entry in entries:
            self._entries.setdefault((entry.key.scope, entry.key.sku.value), []).append(entry)

    def price(
        self,
        scopes: tuple[PriceScope, ...],
        sku: str,
        quantity: int,
        day: str,
        currency: str = "USD",
    ) -> Decimal | None:
        question = PriceQuestion(
            Sku(sku), "EA", currency, Decimal(quantity), date.fromisoformat(day[:10])
        )
        entries = [each for scope in scopes for each in self._entries.get((scope, sku), ())]
        decided = effective_price(entries, question)
        return decided.price.value.unit_price if decided else None


@pytest.fixture(scope="module")
def book(adventureworks: Path, tmp_path_factory: pytest.TempPathFactory) -> PriceBook:
    folder = tmp_path_factory.mktemp("prices")
    prepare(copy_of(adventureworks, folder / "erp.sqlite"))
    options = {"url": "sqlite:///erp.sqlite", "profile": "adventureworks"}
    erp = SqlErpAdapter.from_settings(options, {}, folder)
    assert isinstance(erp, ReadsPrices)
    try:
        assert set(erp.price_scopes()) == {RESELLERS, DEFAULT_LIST}
        return PriceBook(erp.prices([RESELLERS, DEFAULT_LIST]))
    finally:
        erp.close()


def sku_of(database: Path, product: int) -> str:
    with opened(database) as erp:
        found = erp.execute(
            "SELECT ProductNumber FROM Production_Product WHERE ProductID = ?", [product]
        )
        return str(found.fetchone()[0])


@pytest.mark.rule("WA-7", "VE-12")
@pytest.mark.parametrize(
    "quantity, discount",
    [
        (1, "0"),
        (10, "0"),
        (11, "0.02"),
        (14, "0.02"),
        (15, "0.05"),
        (24, "0.05"),
        (25, "0.10"),
        (40, "0.10"),
        (41, "0"),
        (60, "0"),
        (61, "0"),
    ],
)
def test_a_quantity_break_counts_from_its_first_to_its_last_piece(
    book: PriceBook, adventureworks: Path, quantity: int, discount: str
) -> None:
    listed = Decimal("48.0673")
    wanted = (listed * (Decimal("0.6") - Decimal(discount))).quantize(
        Decimal("0.0001"), "ROUND_HALF_UP"
    )
    sku = sku_of(adventureworks, 715)
    assert book.price(RESELLER, sku, quantity, "2012-01-15") == wanted
    assert book.price(RETAIL, sku, quantity, "2012-01-15") == listed


@pytest.mark.rule("WA-7", "VE-12")
@pytest.mark.parametrize(
    "day, reseller, retail",
    [
        ("2012-05-29", "419.4589", "699.0982"),
        ("2012-05-30", "234.8970", "782.9900"),
        ("2012-07-30", "234.8970", "782.9900"),
        ("2012-07-31", "469.7940", "782.9900"),
    ],
)
def test_a_dated_offer_counts_on_its_first_and_its_last_day(
    book: PriceBook, adventureworks: Path, day: str, reseller: str, retail: str
) -> None:
    sku = sku_of(adventureworks, 762)
    assert book.price(RESELLER, sku, 1, day) == Decimal(reseller)
    assert book.price(RETAIL, sku, 1, day) == Decimal(retail)


@pytest.mark.rule("WA-7")
def test_of_offers_that_overlap_the_greatest_counts(book: PriceBook, adventureworks: Path) -> None:
    """Whatever the profile says, by another way: each offer, edge and quantity in Python."""
    wrong, asked = [], 0
    with opened(adventureworks) as erp:
        listed = erp.execute(
            "SELECT p.ProductID, p.ProductNumber, h.StartDate, h.EndDate, h.ListPrice"
            "  FROM Production_ProductListPriceHistory h JOIN Production_Product p"
            " USING (ProductID)"
        ).fetchall()
        offers: dict[int, list[tuple[str, str, int, int, str, Decimal]]] = {}
        for row in erp.execute(
            "SELECT sp.ProductID, substr(StartDate, 1, 10), substr(EndDate, 1, 10), MinQty,"
            "       coalesce(MaxQty, 1000000), Category, DiscountPct"
            "  FROM Sales_SpecialOffer JOIN Sales_SpecialOfferProduct sp USING (SpecialOfferID)"
        ):
            offers.setdefault(row[0], []).append((*tuple(row)[1:6], exact(row[6])))
    for product, sku, start, end, price in listed:
        first, last = start[:10], (end or "2014-12-31")[:10]
        days = {first, last}
        quantities = {1, 1000}
        for since, till, least, most, _, _ in offers.get(product, []):
            days |= {day for day in (since, till) if first <= day <= last}
            quantities |= {max(least, 1), max(least - 1, 1), min(most, 999), min(most, 999) + 1}
        for day in days:
            for quantity in quantities:
                for scopes, category, part in (
                    (RESELLER, "Reseller", Decimal("0.6")),
                    (RETAIL, "Customer", Decimal(1)),
                ):
                    best = max(
                        (
                            rate
                            for since, till, least, most, kind, rate in offers.get(product, [])
                            if kind == category
                            and since <= day <= till
                            and least <= quantity <= most
                        ),
                        default=Decimal(0),
                    )
                    wanted = (exact(price) * (part - best)).quantize(
                        Decimal("0.0001"), "ROUND_HALF_UP"
                    )
                    asked += 1
                    shown = book.price(scopes, sku, quantity, day)
                    if shown != wanted:
                        wrong.append((sku, day, quantity, category, shown, wanted))
    assert wrong == []
    assert asked > 10_000


@pytest.mark.rule("WA-7")
def test_every_line_was_charged_the_price_that_the_profile_answers(
    book: PriceBook, adventureworks: Path
) -> None:
    """All 5,716 lines; of the 41 without a header only their own date is known."""
    with opened(adventureworks) as erp:
        lines = erp.execute(
            "SELECT p.ProductNumber, d.OrderQty, coalesce(h.OrderDate, d.ModifiedDate) AS day,"
            "       h.OnlineOrderFlag AS online, coalesce(r.ToCurrencyCode, 'USD') AS currency,"
            "       d.UnitPrice, d.SalesOrderID"
            "  FROM Sales_SalesOrderDetail d"
            "  JOIN Production_Product p USING (ProductID)"
            "  LEFT JOIN Sales_SalesOrderHeader h ON h.SalesOrderID = d.SalesOrderID"
            "  LEFT JOIN Sales_CurrencyRate r USING (CurrencyRateID)"
        ).fetchall()
    assert len(lines) == 5716
    other, headless = [], 0
    for sku, quantity, day, online, currency, charged, order in lines:
        headless += online is None
        # A line without a header was a shopper's: it is of one piece at the list price.
        scopes = RESELLER if online == 0 else RETAIL
        if book.price(scopes, sku, quantity, day, currency) != exact(charged):
            other.append((order, sku, day, charged))
    assert other == []
    assert headless == 41
