"""A feed by column says what the same rows say one by one, readable and not."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from erp_adapters.sql import translate
from erp_adapters.sql.bulk.batches import Batch, of_rows
from erp_adapters.sql.bulk.feed import Feed
from erp_adapters.sql.profile import load_profile
from erp_adapters.sql.queries import BadRow, Query, queries
from sync.columnar.vectors import fingerprint, vector_of
from sync.domain.pricing import Price, PriceLevel
from sync.errors import Misconfigured

PROFILE = """
name: feeds
description: an ERP with a feed of prices
dialects: [sqlite]
facts:
  unit_price_rounding: {places: 4, mode: half_up}
  amount_rounding: {places: 2, mode: half_up}
  time_zone: America/Chicago
reads:
  customer_ids: SELECT customer_id FROM customer
  accounts: SELECT customer_id, name, currency FROM customer WHERE customer_id IN :customer_ids
  price_scopes: SELECT level, owner FROM scopes
  prices_account: SELECT price.* FROM price WHERE customer_id IN :customer_ids
  price_feed_account:
    sql: SELECT price.* FROM price ORDER BY customer_id
"""

NAMES = (
    *("customer_id", "price_list", "sku", "unit", "currency", "min_quantity", "unit_price"),
    *("valid_from", "valid_until", "priority", "warehouse"),
)

EXTRAS = {
    "plain": "",
    "words": """
    values:
      unit: {PCE: EA, ~: PK}
      currency: {"1": USD}
      priority: {high: 9, ~: 1}
      unit_price: {"0": "0.0000", ask: "9.99"}
""",
    "types": """
    types: {valid_from: date(%Y%m%d), unit_price: text, min_quantity: decimal(2)}
""",
    "constants": """
    constants: {price_list: BASE, warehouse: W9, priority: 3}
""",
}


@pytest.fixture(scope="module")
def queried(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, bool], Query]:
    """The feed statement of a profile of that kind."""
    made: dict[tuple[str, bool], Query] = {}

    def make(kind: str, cut_floats: bool) -> Query:
        if (kind, cut_floats) not in made:
            path = tmp_path_factory.mktemp("profile") / "feeds.yaml"
            path.write_text(PROFILE + EXTRAS[kind], encoding="utf-8")
            every = queries(load_profile(path), "sqlite", cut_floats)
            made[kind, cut_floats] = every["price_feed_account"]
        return made[kind, cut_floats]

    return make


@dataclass
class Told:
    """What came of the rows: a vector for each owner, and what could not be read."""

    vectors: dict[str, pa.Table] = field(default_factory=dict)
    bad: list[tuple[str, str, str]] = field(default_factory=list)

    def note(self, bad: BadRow) -> None:
        self.bad.append((bad.key, bad.column, bad.message))


def by_column(query: Query, batches: Sequence[Batch], cut_floats: bool = False) -> Told:
    told = Told()
    facts = load_profile(query.statement.place.path).capabilities
    feed = Feed(query, facts, PriceLevel.ACCOUNT, "customer_id", told.note, cut_floats)
    for owner, vector in feed.vectors(batches):
        assert owner not in told.vectors
        told.vectors[owner] = vector
    return told


def by_row(query: Query, names: tuple[str, ...], rows: Sequence[Sequence[Any]]) -> Told:
    """As ``prices`` reads them. What no vector can hold is unreadable here too."""
    told = Told()
    found: dict[str, list[Price]] = defaultdict(list)
    for row in query.read_rows(names, rows, told.note):
        owner = row["customer_id"]
        try:
            price = translate.price(row, PriceLevel.ACCOUNT, owner)
            vector_of([price])
        except (ValueError, OverflowError) as error:
            told.note(BadRow(query.name, row, "", str(error), query.key_of(row)))
        else:
            found[owner].append(price)
    told.vectors = {owner: vector_of(prices) for owner, prices in found.items()}
    return told


def same(one: Told, other: Told) -> None:
    assert one.vectors.keys() == other.vectors.keys()
    for owner, vector in one.vectors.items():
        assert vector.equals(other.vectors[owner])
        assert fingerprint(vector) == fingerprint(other.vectors[owner])
    assert sorted(one.bad) == sorted(other.bad)


ODD_KEYS = st.sampled_from(
    [
        *(
            "A",
            "B  ",
            " C",
            "Ä-1",
            "EA",
            "PCE",
            "a b",
            "",
            "   ",
            "x\x1f",
            "\u3000y",
            "a\tb",
            "z" * 256,
        ),
        *(7, 7.0, 7.5, True, Decimal("7.0"), Decimal("7.50"), b"raw", None),
        uuid.UUID("00000000-0000-0000-0000-00000000abcd"),
    ]
)
ODD_NUMBERS = st.sampled_from(
    [
        *(None, "", "1", " 12.5000 ", "1e3", "1_0", "NaN", "Infinity", "x", "0", "ask", True),
        *(2**63 - 1, 10**30, Decimal("1E+3"), Decimal("NaN"), Decimal("1E-11"), b"1"),
    ]
)
INTEGERS = st.integers(-5, 10**12)
DECIMALS = st.decimals(-5, 10**15 - 1, places=4, allow_nan=False)
FINE_DECIMALS = st.decimals(0, 1, places=10, allow_nan=False)
FLOATS = st.integers(-(10**3), 10**14).map(lambda steps: steps / 10_000)
ODD_FLOATS = st.sampled_from(
    [0.1, 1e15, 1e-7, 0.30000000000000004, 0.00005, 123456789.12345678, float("nan"), -0.0]
)
TEXTS = st.decimals(0, 10**15 - 1, places=4, allow_nan=False).map(str)
NUMBERS = [
    ODD_NUMBERS | ODD_FLOATS | INTEGERS | DECIMALS | FINE_DECIMALS | FLOATS | TEXTS,
    *(INTEGERS, DECIMALS, DECIMALS | FINE_DECIMALS, FLOATS, FLOATS | ODD_FLOATS, TEXTS),
    *(st.none() | INTEGERS | FLOATS, st.none() | DECIMALS, st.none() | TEXTS),
]
"""Of each column one is chosen: one kind of value goes another way than a mixture."""

DATES = st.none() | st.dates()
ISO = st.dates().map(lambda day: f"{day:%Y-%m-%d}")
COMPACT = st.dates(date(1900, 1, 1)).map(lambda day: f"{day:%Y%m%d}")
ODD_DAYS = st.sampled_from(
    ["", "2025-02-30", "soon", 20250101, "2025-01-01T23:30:00-05:00", 3.5, b"x"]
)
DAYS = [
    DATES | st.datetimes() | st.datetimes(timezones=st.just(UTC)) | ISO | COMPACT | ODD_DAYS,
    *(DATES, ISO, COMPACT, st.datetimes()),
]
PRIORITIES = [
    st.sampled_from([None, 0, 5, "4", "", "high", 5.0, 5.5, "x"]),
    st.sampled_from([None, 0, 5, -3, 2**31 - 1]),
    st.sampled_from([1, 2**31]),
]
TEXT_KEYS = st.sampled_from(["A", "B  ", "Ä-1", "EA", "b", "\U0001f529", "PCE"])
KEYS = [ODD_KEYS, TEXT_KEYS, TEXT_KEYS | st.none(), st.integers(0, 9)]
CURRENCIES = [
    st.sampled_from(["USD", "EUR ", "usd", "EURO", "", None, 1, "ÄÖÜ"]),
    st.just("USD"),
    st.sampled_from(["EUR", "USD"]),
    st.just("usd"),
]

Strategies = list[st.SearchStrategy[Any]]


def rows_of(
    keys: Strategies, numbers: Strategies, days: Strategies, priorities: Strategies = PRIORITIES
) -> st.SearchStrategy[list[tuple[Any, ...]]]:
    """Rows of three customers, those of each together."""
    kinds = (keys, keys, keys, CURRENCIES, numbers, numbers, days, days, priorities, keys)
    chosen = st.tuples(*map(st.sampled_from, kinds))

    def listed(columns: tuple[st.SearchStrategy[Any], ...]) -> st.SearchStrategy[Any]:
        entry = st.tuples(*columns)
        return st.tuples(*(st.lists(entry, max_size=6) for _ in range(3)))

    return chosen.flatmap(listed).map(
        lambda lists: [
            (f"C-{number} ", *entry) for number, entries in enumerate(lists) for entry in entries
        ]
    )


def pieces(rows: Sequence[Sequence[Any]], size: int) -> list[Batch]:
    return [of_rows(NAMES, rows[at : at + size]) for at in range(0, len(rows), size)]


@pytest.mark.rule("WA-7")
@pytest.mark.parametrize("cut_floats", [False, True])
@pytest.mark.parametrize("kind", EXTRAS)
@settings(deadline=None, max_examples=40)
@given(rows=rows_of(KEYS, NUMBERS, DAYS), size=st.integers(1, 20))
def test_any_rows_by_column_are_what_they_are_one_by_one(
    queried: Callable[[str, bool], Query],
    kind: str,
    cut_floats: bool,
    rows: list[tuple[Any, ...]],
    size: int,
) -> None:
    query = queried(kind, cut_floats)
    same(by_column(query, pieces(rows, size), cut_floats), by_row(query, NAMES, rows))


@pytest.mark.rule("WA-7")
@pytest.mark.parametrize("numeric", ["decimal", "text", "postgresql"])
@pytest.mark.parametrize("kind", EXTRAS)
@settings(deadline=None, max_examples=25)
@given(rows=rows_of([TEXT_KEYS], [DECIMALS], [DATES], PRIORITIES[1:]))
def test_arrow_by_column_is_what_its_rows_are_one_by_one(
    queried: Callable[[str, bool], Query],
    kind: str,
    numeric: str,
    rows: list[tuple[Any, ...]],
) -> None:
    query = queried(kind, False)
    same(by_column(query, [in_arrow(rows, numeric)]), by_row(query, NAMES, rows))


def in_arrow(rows: Sequence[Sequence[Any]], numeric: str) -> Batch:
    numbers: pa.DataType = pa.decimal128(19, 4) if numeric == "decimal" else pa.string()
    types = {
        "min_quantity": numbers,
        "unit_price": numbers,
        "valid_from": pa.date32(),
        "valid_until": pa.date32(),
        "priority": pa.int64(),
        "currency": pa.string(),
    }
    columns = []
    for place, name in enumerate(NAMES):
        values = [row[place] for row in rows]
        if name in ("currency",):
            values = [None if value is None else str(value) for value in values]
        if types.get(name) == pa.string() and name != "currency":
            values = [None if value is None else f"{value:f}" for value in values]
        array: Any = pa.array(values, types.get(name, pa.string()))
        if numeric == "postgresql" and name in ("min_quantity", "unit_price"):
            kind = pa.opaque(pa.string(), "numeric", "PostgreSQL")
            array = pa.ExtensionArray.from_storage(kind, array)
        columns.append(array)
    return Batch(NAMES, tuple(columns))


def test_floats_between_two_prices_are_rounded_as_the_erp_does(
    queried: Callable[[str, bool], Query],
) -> None:
    halves = [0.00005, 0.00015, 0.00025, 1.00005, 0.3, 12345678901.2345]
    rows = [("C-1", "L", f"S{n}", *ENTRY[2:5], half, *ENTRY[6:]) for n, half in enumerate(halves)]
    query = queried("plain", False)

    told = by_column(query, pieces(rows, 6))

    same(told, by_row(query, NAMES, rows))
    prices = [str(price) for price in told.vectors["C-1"].column("unit_price").to_pylist()]
    assert [price.rstrip("0") for price in prices[:3]] == ["0.0001", "0.0002", "0.0003"]


ENTRY = ("L", "S", "EA", "USD", 1, "9.9900", None, None, 0, None)


def test_an_owner_that_comes_twice_is_a_wrong_statement(
    queried: Callable[[str, bool], Query],
) -> None:
    rows = [(owner, *ENTRY) for owner in ("C-1", "C-2", "C-1 ")]
    for size in (1, 2, 3):
        with pytest.raises(Misconfigured, match=r"price_feed_account tells C-1 twice.*ORDER BY"):
            by_column(queried("plain", False), pieces(rows, size))


@pytest.mark.rule("MI-3")
def test_an_owner_that_comes_again_with_a_row_that_cannot_be_read_is_a_wrong_statement(
    queried: Callable[[str, bool], Query],
) -> None:
    """Its vector is out by then, and looked as if it were all that there is."""
    good = [(owner, *ENTRY) for owner in ("C-1", "C-2", "C-3")]
    bad = ("C-1", *ENTRY[:5], "dear", *ENTRY[6:])
    later = [of_rows(NAMES, good[:2]), of_rows(NAMES, [good[2], bad])]
    with pytest.raises(Misconfigured, match=r"price_feed_account tells C-1 twice.*ORDER BY"):
        by_column(queried("plain", False), later)
    together = by_column(queried("plain", False), [of_rows(NAMES, [*good, bad])])
    assert (len(together.vectors), len(together.bad)) == (3, 1)


def test_a_row_of_nobody_is_told_and_the_others_come(
    queried: Callable[[str, bool], Query],
) -> None:
    rows = [("C-1", *ENTRY), ("  ", *ENTRY), ("C-1", *ENTRY[:1], "T", *ENTRY[2:])]

    told = by_column(queried("plain", False), pieces(rows, 3))

    assert {owner: len(vector) for owner, vector in told.vectors.items()} == {"C-1": 2}
    assert [(column, message) for _, column, message in told.bad] == [("customer_id", "is missing")]


def test_an_answer_without_a_column_is_refused(queried: Callable[[str, bool], Query]) -> None:
    rows = [("C-1", *ENTRY[:-5])]
    with pytest.raises(Misconfigured, match="price_feed_account does not answer"):
        by_column(queried("plain", False), [of_rows(NAMES[:6], [rows[0][:6]])])


@pytest.mark.parametrize("day", [2**31 - 1, -(2**31), -719_163, 2_932_897])
def test_a_day_beyond_the_calendar_is_told_and_no_other_row_suffers(
    queried: Callable[[str, bool], Query], day: int
) -> None:
    """PostgreSQL's infinity is such a day."""
    columns: list[Any] = [pa.array([value] * 2) for value in ("C-1", *ENTRY)]
    columns[7] = pa.array([day, 0], pa.int32()).cast(pa.date32())

    told = by_column(queried("plain", False), [Batch(NAMES, tuple(columns))])

    (row,) = told.vectors["C-1"].to_pylist()
    assert row["valid_from"] == date(1970, 1, 1)
    [(_, column, message)] = told.bad
    assert (column, "not a date" in message) == ("valid_from", True)


def test_a_moment_before_the_first_day_is_told_both_ways(
    queried: Callable[[str, bool], Query],
) -> None:
    first = datetime(1, 1, 1, tzinfo=UTC)  # in Chicago it is still the day before
    rows = [("C-1", *ENTRY), ("C-1", "L2", *ENTRY[1:6], first, *ENTRY[7:])]
    query = queried("plain", False)

    told = by_column(query, pieces(rows, 2))

    assert [(column, message[:10]) for _, column, message in told.bad] == [
        ("valid_from", "not a date")
    ]
    same(told, by_row(query, NAMES, rows))


def test_moments_are_days_of_the_erp(queried: Callable[[str, bool], Query]) -> None:
    late = datetime(2026, 3, 2, 4, 30, tzinfo=UTC)
    table = {name: [value] for name, value in zip(NAMES, ("C-1", *ENTRY), strict=True)}
    columns: list[Any] = [pa.array(table[name]) for name in NAMES]
    columns[7] = pa.array([late], pa.timestamp("us", "UTC"))
    columns[8] = pa.array([late.replace(tzinfo=None)], pa.timestamp("us"))

    told = by_column(queried("plain", False), [Batch(NAMES, tuple(columns))])

    (row,) = told.vectors["C-1"].to_pylist()
    assert (row["valid_from"], row["valid_until"]) == (date(2026, 3, 1), date(2026, 3, 2))


def test_who_has_no_feed_does_not_wait_for_arrow() -> None:
    ask = (
        "import sys, erp_adapters.sql.adapter, sync.testing.erp, sync.cli.main;"
        " print({'pyarrow', 'arrow_odbc', 'adbc_driver_manager'} & sys.modules.keys())"
    )
    told = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "set()"
