"""What is odd in AdventureWorks, how often, and the rule by which it was handled.

Every number is counted in what the daemon left behind, in the ERP and in the
store, not in the source; the tests say what the source has. To read it::

    python -m tests.realdata.report
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise
from pathlib import Path

from sync.domain.ids import WebOrderNumber
from tests.realdata import source
from tests.realdata.source import exact, opened
from tests.realdata.story import Story, play

# Letters of two bytes that somebody once read as two letters of one byte.
_MOJIBAKE = "Ã"


@dataclass(frozen=True, slots=True)
class Oddity:
    """Something that is not as one would expect, and what became of it."""

    what: str
    count: int
    rule: str
    handled: str

    def __str__(self) -> str:
        return f"{self.count:>6}  {self.what}: {self.handled} ({self.rule})"


def oddities(story: Story) -> list[Oddity]:
    """Everything odd that the README of the data names, and what else was met."""
    return [*_orders(story), *_addresses(story), *_accounts(story), *_prices(story)]


def _orders(story: Story) -> Iterator[Oddity]:
    with opened(story.erp) as erp:
        alone = erp.execute(
            "SELECT count(*) FROM Sales_SalesOrderDetail WHERE SalesOrderID NOT IN"
            " (SELECT SalesOrderID FROM Sales_SalesOrderHeader)"
        ).fetchone()[0]
        apart = erp.execute(
            "SELECT count(*) FROM Sales_SalesOrderHeader WHERE ShipToAddressID <> BillToAddressID"
        ).fetchone()[0]
        numbers = {
            row[0] for row in erp.execute("SELECT WebOrderNumber FROM Sales_SalesOrderHeader")
        }
        currencies = Counter(
            row[0]
            for row in erp.execute(
                "SELECT r.ToCurrencyCode FROM Sales_SalesOrderHeader"
                " JOIN Sales_CurrencyRate r USING (CurrencyRateID)"
            )
        )
        ended = erp.execute(
            "SELECT count(*) FROM Sales_SalesOrderDetail d"
            " JOIN Sales_SalesOrderHeader USING (SalesOrderID)"
            " JOIN Production_Product p USING (ProductID) WHERE p.SellEndDate IS NOT NULL"
        ).fetchone()[0]
    yield Oddity(
        "lines without a header",
        alone,
        "OI-5",
        "part of no order: named by the conversion, left as they are in the ERP, on no invoice",
    )
    for currency, count in sorted(currencies.items()):
        bygone = " (no longer a currency)" if currency in ("DEM", "FRF") else ""
        yield Oddity(
            f"orders in {currency}{bygone}",
            count,
            "WA-16",
            "a currency of the account's territory: amounts as stated, with that day's rate",
        )
    codes = {problem.code for entry in story.held for problem in entry.problems}
    yield Oddity(
        "retail orders without a card",
        len(story.held),
        "WA-5",
        f"quarantined ({', '.join(sorted(codes))}), imported after an operator's replay",
    )
    yield Oddity(
        "wholesale orders shipped to another address than the bill-to",
        apart,
        "WA-4, TL-2",
        "both are addresses of the account, and both are kept",
    )
    rounded = [order for order in story.store.orders if order.adjustments]
    yield Oddity(
        "sums rounded to four places",
        sum(order.number.value in numbers for order in rounded),
        "OI-7",
        'the difference is a named adjustment ("rounding")',
    )
    yield Oddity(
        "lines of products that have since left the catalogue",
        ended,
        "OI-8",
        "SellEndDate does not discontinue a product; DiscontinuedDate would",
    )
    yield Oddity(
        "orders of a person whom the source does not have",
        _known(story.store.nameless, numbers),
        "WA-9",
        "the user has no name, and the order stays theirs",
    )


def _addresses(story: Story) -> Iterator[Oddity]:
    with opened(story.erp) as erp:
        addresses = erp.execute(
            "SELECT Name AS name, AddressLine1 || City AS text, StateProvinceCode AS region"
            "  FROM Sales_SalesOrderAddress WHERE Purpose = 'S'"
        ).fetchall()
    yield Oddity(
        "one-off ship-tos with letters outside ASCII",
        sum(not row["text"].isascii() for row in addresses),
        "OI-9",
        "letter by letter as typed",
    )
    yield Oddity(
        "ship-tos whose buyer's name is mojibake",
        sum(_MOJIBAKE in row["name"] for row in addresses),
        "OI-9",
        "carried unchanged: to guess at a name is not ours",
    )
    short = {row["region"] for row in addresses if len(row["region"]) < 3}
    yield Oddity(
        "state codes that the source pads to three characters",
        len(short),
        "WA-3a",
        "padding is no part of a code",
    )


def _accounts(story: Story) -> Iterator[Oddity]:
    with opened(story.shop) as shop:
        shown = {row[0] for row in shop.execute("SELECT customer_id FROM accounts")}
        names = [row[0] for row in shop.execute("SELECT name FROM accounts")]
    assigned = {account.value for account in story.store.accounts.values()}
    assert shown == assigned, "somebody's second customer ID is in the store"
    yield Oddity(
        "stores with a second customer ID",
        story.store.second_ids,
        "WA-2",
        "the mapping names the one with a person; the other is shown to nobody",
    )
    with opened(story.erp) as erp:
        padded = erp.execute("SELECT count(*) FROM Sales_Store WHERE Name <> trim(Name)")
        count = padded.fetchone()[0]
    assert all(name == name.strip() for name in names)
    yield Oddity(
        "store names with a space at the end", count, "MI-1", "padding is no part of a name"
    )


def _prices(story: Story) -> Iterator[Oddity]:
    with opened(story.shop) as shop:
        unpriced = shop.execute(
            "SELECT count(DISTINCT sku) FROM prices WHERE unit_price IS NULL"
        ).fetchone()[0]
        zero = shop.execute(
            "SELECT count(*) FROM prices WHERE CAST(unit_price AS REAL) = 0"
        ).fetchone()[0]
        ladders: dict[tuple[str, str], list[tuple[float, float]]] = {}
        for row in shop.execute(
            "SELECT sku, valid_from, CAST(min_quantity AS REAL), CAST(unit_price AS REAL)"
            "  FROM prices WHERE audience = 'group' AND currency = 'USD'"
            "   AND unit_price IS NOT NULL ORDER BY sku, valid_from, 3"
        ):
            ladders.setdefault((row[0], row[1]), []).append((row[2], row[3]))
    assert zero == 0, "the store shows a price of zero"
    yield Oddity(
        "products with a list price of zero",
        unpriced,
        "WA-10",
        'mirrored as "call for pricing"',
    )
    rising = {
        sku
        for (sku, _), steps in ladders.items()
        if any(after > before for (_, before), (_, after) in pairwise(steps))
    }
    yield Oddity(
        "products whose quantity breaks have an end",
        len(rising),
        "VE-12",
        "one piece above it the price without the offer is a step of its own",
    )
    yield Oddity(
        "offers for a product that have no upper quantity",
        _unbounded_offers(story),
        "VE-12",
        "the price counts for any quantity while the offer lasts",
    )


def _unbounded_offers(story: Story) -> int:
    """Offers of which the store shows that they count for a million pieces as well."""
    with opened(story.erp) as erp:
        offers = erp.execute(
            "SELECT p.ProductNumber, o.Category, date(o.EndDate), l.ListPrice, o.DiscountPct"
            "  FROM Sales_SpecialOffer o"
            "  JOIN Sales_SpecialOfferProduct USING (SpecialOfferID)"
            "  JOIN Production_Product p USING (ProductID)"
            "  JOIN Production_ProductListPriceHistory l ON l.ProductID = p.ProductID"
            "   AND o.EndDate >= l.StartDate AND (l.EndDate IS NULL OR o.EndDate <= l.EndDate)"
            " WHERE o.MaxQty IS NULL AND o.Category <> 'No Discount'"
        ).fetchall()
    found = 0
    with opened(story.shop) as shop:
        for sku, category, day, listed, points in offers:
            audience = "group" if category == "Reseller" else "public"
            shown = shop.execute(
                "SELECT unit_price FROM prices WHERE sku = ? AND audience = ? AND currency = 'USD'"
                "   AND valid_from <= ? AND (valid_until IS NULL OR valid_until = ''"
                "        OR valid_until >= ?) AND CAST(min_quantity AS REAL) <= 1000000"
                " ORDER BY CAST(min_quantity AS REAL) DESC",
                (sku, audience, day, day),
            ).fetchone()
            part = (Decimal("0.6") if category == "Reseller" else Decimal(1)) - exact(points)
            due = (exact(listed) * part).quantize(Decimal("0.0001"), ROUND_HALF_UP)
            found += shown is not None and Decimal(shown[0]) == due
    return found


def _known(numbers: tuple[WebOrderNumber, ...], imported: set[str]) -> int:
    return sum(number.value in imported for number in numbers)


def figures(story: Story) -> list[str]:
    """What each cycle did and how long it took on this machine."""
    told = []
    for name, cycle in story.cycles.items():
        told.append(f"{name}: {cycle.seconds:.1f} s, {cycle.store_writes} writes to the store")
        for flow, result in cycle.results.items():
            counts = ", ".join(f"{key} {number}" for key, number in sorted(result.counts.items()))
            told.append(f"    {flow}: {result.outcome}; {counts or 'nothing to do'}")
    return told


def main() -> int:
    if not source.available():
        sys.stderr.write(f"{source.MISSING}\n")
        return 1
    with tempfile.TemporaryDirectory(prefix="tradesync-realdata-") as folder:
        source.build(Path(folder))
        story = play(Path(folder) / "adventureworks.sqlite", Path(folder))
        lines = [*figures(story), "", *map(str, oddities(story))]
    sys.stdout.write("\n".join((*lines, "")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
