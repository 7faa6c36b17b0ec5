"""`make bench`: what the mirror of prices costs beside merely moving the rows, and its peers."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

from tests.benchmarks import price_rates as of
from tests.benchmarks.price_rates import LISTED, ODBC, PriceRates
from tests.benchmarks.prices.chart import bars
from tests.benchmarks.prices.data import Variant

FOLDER = Path("build/bench")
LIBRARIES = ("pyarrow", "psycopg", "adbc-driver-postgresql", "arrow-odbc", "SQLAlchemy", "xxhash")
CLUSTERED, SPREAD = Variant.CLUSTERED.value, Variant.SPREAD.value
_MOST_MB, _MOST_BYTES = 300, 4

_GOALS: tuple[tuple[str, str, str, float], ...] = (
    ("nothing changed / psql COPY out", of.SAME, of.COPY_OUT, 1.5),
    ("nothing changed through ODBC / psql COPY out", ODBC.format(of.SAME), of.COPY_OUT, 2.5),
    ("0.1 % clustered / nothing changed", CLUSTERED, of.SAME, 1.5),
    ("0.1 % spread / nothing changed", SPREAD, of.SAME, 2.0),
    ("first load / COPY out into COPY in, the ERP's key", of.FIRST, of.COPIED, 1.3),
    ("first load / COPY out into COPY in, the store's table", of.FIRST, of.COPIED_SHOP, 1.3),
    (
        "lists and contracts, nothing changed / reading only",
        LISTED.format(of.SAME),
        LISTED.format(of.READING),
        2.0,
    ),
)
"""Figure, what, beside what, and the most that its share of the time should be."""

_TIMES_FASTER: tuple[tuple[str, str, str, float], ...] = (
    ("lists and contracts against flat, nothing changed", of.SAME, LISTED.format(of.SAME), 10),
    (
        "lists and contracts, nothing changed, against the flat check that reads all",
        of.ALL_READ,
        LISTED.format(of.SAME),
        10,
    ),
    ("sums of the ERP's server against the flat check that reads all", of.ALL_READ, of.SAME, 10),
    (
        "nothing changed, by the sums of the ERP's server, against merely reading all of it",
        of.READING,
        of.SAME,
        10,
    ),
    (
        "nothing changed against ingestr",
        of.AGAIN.format(of.INGESTR),
        of.SAME,
        10,
    ),
    (
        "nothing changed against dlt's default (sqlalchemy)",
        of.AGAIN.format(of.DLT.format("sqlalchemy")),
        of.SAME,
        60,
    ),
)
"""Figure, what is slower, what is faster, and how many times at least."""


@pytest.mark.timeout(4 * 3600)
def test_price_rates(tmp_path: Path) -> None:
    size, count, peer_rounds, sides = of.environment()
    FOLDER.mkdir(parents=True, exist_ok=True)
    log = FOLDER / "prices.jsonl"
    log.unlink(missing_ok=True)
    rates = of.measure(size, count, tmp_path, log, peer_rounds=peer_rounds, sides=sides)
    told = [_about(rates, count), "", _table(rates), ""]
    told += ["| figure | wanted | measured | |", "| --- | --- | --- | --- |", *_goals(rates)]
    (FOLDER / "prices.md").write_text("\n".join(told) + "\n", encoding="utf-8")
    (FOLDER / "prices.svg").write_text(_chart(rates), encoding="utf-8")
    sys.stdout.write("\n" + "\n".join(told) + "\n")


def _table(rates: PriceRates) -> str:
    reference = of.COPY_OUT if rates.rounds.has(of.COPY_OUT) else LISTED.format(of.READING)
    return rates.rounds.table(of.told(rates), reference)


def _about(rates: PriceRates, count: int) -> str:
    size = rates.size
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in LIBRARIES)
    return (
        f"{size.customers:,} customers with {size.points:,} price points each, {size.rows:,} rows;"
        f" as lists and contracts {rates.listed_rows:,}. {count} alternating rounds."
        f" Python {platform.python_version()}, PostgreSQL {rates.version}, {versions},"
        f" {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end."
    )


def _goals(rates: PriceRates) -> Iterator[str]:
    rounds = rates.rounds
    for figure, what, beside, most in _GOALS:
        if rounds.has(what, beside):
            found = rounds.ratio(what, beside)
            over = "reached" if found <= most else f"missed by {found / most - 1:.0%}"
            yield f"| {figure} | {most} or less | {found:.2f} | {over} |"
    for figure, slow, fast, least in _TIMES_FASTER:
        if rounds.has(slow, fast):
            found = rounds.ratio(slow, fast)
            under = "reached" if found >= least else f"missed by {1 - found / least:.0%}"
            yield f"| {figure} | {least:g} times faster or more | {found:.1f} | {under} |"
    own = [label for label in rounds.figures if _is_ours(label)]
    peak = max(map(rounds.peak_mb, own))
    judged = _within(peak, _MOST_MB)
    yield f"| peak memory of the mirror | {_MOST_MB} MB or less | {peak:.0f} | {judged} |"
    for label, size in rates.state_bytes.items():
        rows = rates.listed_rows if label.startswith(LISTED.format("")) else rates.size.rows
        each = size / rows
        judged = _within(each, _MOST_BYTES)
        wanted = f"{_MOST_BYTES} bytes a row or less"
        yield f"| state on disk after: {label} | {wanted} | {each:.2f} | {judged} |"
    yield "| rows written against rows changed | equal | equal | asserted |"
    yield "| the store against the ERP, row by row | equal | equal | asserted after each |"


def _within(found: float, most: float) -> str:
    return "reached" if found <= most else f"missed by {found / most - 1:.0%}"


def _is_ours(label: str) -> bool:
    others = (of.INGESTR, "dlt", of.DETECTION, of.SUMS)
    return "COPY" not in label and not label.startswith(others)


def _chart(rates: PriceRates) -> str:
    rounds = rates.rounds
    rows = [(label, rounds.secs(label), _is_ours(label)) for label in rounds.figures]
    # One that takes a minute would leave of all the others nothing to see.
    longest = sorted(secs for _, secs, _ in rows)[-1]
    shown = [row for row in rows if row[1] < longest] if len(rows) > 3 else rows
    title = f"{rates.size.rows:,} customer prices, seconds (without the longest: {longest:.1f})"
    return bars(title, sorted(shown, key=lambda row: row[1]), "s")
