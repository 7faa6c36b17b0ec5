"""A price is the same to its last digit in the ERP's table and in the store's (WA-7).

The whole way: out of a decimal(19,4) column by the feed, as Arrow, through what is put aside
and what is remembered, into the store's table; by the drivers that a service would use.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import URL, create_engine, text

from tests.benchmarks.prices import erp, site
from tests.benchmarks.prices.data import Catalogue, Size
from tests.benchmarks.prices.run import mirrored

# The greatest and the least that decimal(19,4) holds, and what no float tells apart.
AMOUNTS = (
    *("999999999999999.9999", "123456789012345.6789", "900719925474099.3001"),
    *("900719925474099.3002", "100000000000000.0001", "0.0001", "0.1000"),
    *("0.3000", "1.0050", "12345678901.2345", "99999999999999.9900"),
)
LAST = Decimal("0.0001")
OTHERS = tuple(str(Decimal(each) + (LAST if Decimal(each) < 1 else -LAST)) for each in AMOUNTS)


def amounts(url: URL, query: str) -> dict[tuple[str, str, Decimal], Decimal]:
    """By customer, item and quantity."""
    engine = create_engine(url)
    with engine.connect() as connection:
        rows = connection.execute(text(query)).fetchall()
    engine.dispose()
    return {(who, item, Decimal(str(at))): Decimal(str(told)) for who, item, at, told in rows}


def put(url: URL, told: tuple[str, ...]) -> None:
    """These amounts, each for an item of the first customer."""
    engine = create_engine(url)
    number = "CAST(:told AS numeric)" if url.get_backend_name() == "postgresql" else ":told"
    with engine.begin() as connection:
        places = connection.execute(
            text(f"SELECT owner, item_no, min_quantity FROM {erp.FLAT} ORDER BY 1, 2, 3 LIMIT :n"),
            {"n": len(told)},
        ).fetchall()
        for (owner, item, at), amount in zip(places, told, strict=True):
            connection.execute(
                text(
                    f"UPDATE {erp.FLAT} SET unit_price = {number}"
                    " WHERE owner = :owner AND item_no = :item AND min_quantity = :at"
                ),
                {"told": amount, "owner": owner, "item": item, "at": at},
            )
    engine.dispose()


@pytest.mark.rule("WA-7", "MI-2")
def test_no_digit_is_lost_between_the_erps_table_and_the_stores(
    urls: tuple[URL, URL], tmp_path: Path
) -> None:
    catalogue = Catalogue(Size(customers=6, points=60))
    books, store = erp.Books(urls[0], catalogue), urls[1]
    books.fill_flat()
    put(books.url, AMOUNTS)
    place = site.PriceSite.made(tmp_path / "site", site.FLAT, books.url, store, catalogue)
    wanted = f"SELECT owner, item_no, min_quantity, unit_price FROM {erp.FLAT}"
    shown = "SELECT owner, sku, min_quantity, unit_price FROM prices"
    for told, changed in ((AMOUNTS, 0), (OTHERS, len(OTHERS)), (AMOUNTS, len(AMOUNTS))):
        put(books.url, told)
        _, result = mirrored(str(place.folder))
        assert (result.outcome, result.counts.get("changed", 0)) == ("ok", changed)
        there = amounts(store, shown)
        assert there == amounts(books.url, wanted)
        assert {Decimal(each) for each in told} <= set(there.values())
    _, again = mirrored(str(place.folder))
    assert again.writes == 0
