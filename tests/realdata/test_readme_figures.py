"""What the README tells of AdventureWorks is what the story comes to."""

from __future__ import annotations

import re
from pathlib import Path

from sqlalchemy import create_engine

from tests.realdata.comparing import differences, imported, originals
from tests.realdata.source import opened
from tests.realdata.story import Story

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def told(row: str) -> list[int]:
    """The numbers in the second cell of the row of the table that begins so."""
    [cell] = re.findall(rf"^\| {re.escape(row)}[^|]*\| ([^|]+) \|$", README, re.MULTILINE)
    return [int(number.replace(",", "")) for number in re.findall(r"[\d,]+", cell)]


def test_the_figures_of_orders_are_those_of_the_first_cycle_and_the_replay(story: Story) -> None:
    first, replayed = story.cycles["first"], story.cycles["replayed"]
    assert told("orders by individuals with a card") == [first.count("orders", "imported_retail")]
    assert told("orders by individuals without a card") == [first.count("orders", "quarantined")]
    assert replayed.count("orders", "imported") == first.count("orders", "quarantined")
    assert told("orders of stores, into their own accounts, 8 of them") == [
        first.count("orders", "imported_wholesale")
    ]
    with opened(story.erp) as erp:
        apart = (
            "SELECT count(*) FROM Sales_SalesOrderHeader WHERE ShipToAddressID <> BillToAddressID"
        )
        assert erp.execute(apart).fetchone()[0] == 8
    assert f"its {len(story.store.orders):,} order\nheaders become web orders" in README


def test_no_difference_is_told_and_none_is_there(story: Story) -> None:
    engines = [create_engine(f"sqlite:///{file}") for file in (story.original, story.erp)]
    try:
        with engines[0].connect() as before, engines[1].connect() as after:
            found = differences(originals(before), imported(after))
    finally:
        for engine in engines:
            engine.dispose()
    assert told("differences in any line, price, discount, tax, freight or total") == [len(found)]
    lines = sum(len(order.lines) for order in story.store.orders) + len(story.store.without_header)
    assert told("lines whose price equals what the profile's prices say") == [lines, lines]


def test_the_figures_of_the_mirrors_are_what_the_shop_shows(story: Story) -> None:
    with opened(story.shop) as shop:
        shown = [
            shop.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("prices", "accounts", "invoices")
        ]
        shared = shop.execute("SELECT count(*) FROM shared_price_rows").fetchone()[0]
    assert told("prices mirrored; accounts; invoices of shipped orders") == shown
    assert shared == 0
    assert story.cycles["idle"].store_writes == 0
    assert re.search(r"a second one that finds nothing \| \d+ s; \d+ s, no write \|", README)
