"""`make bench`: how much of a bare loop's speed is left when orders go through the import."""

from __future__ import annotations

import gc
import os
import platform
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sync import logs
from sync.cli.garbage import search_less_often
from tests.benchmarks import order_rates
from tests.benchmarks.order_site import LINES

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
COUNT = int(os.environ.get("BENCH_ORDERS", "400"))
REPORT = Path("build/bench/orders.md")

GOALS = {"SQLite": (0.40, 0.90), "PostgreSQL": (0.55, 0.90)}
"""Share of the bare loop's rate: one at a time, and in groups."""


@pytest.fixture
def as_the_service(tmp_path: Path) -> Iterator[None]:
    """One line of JSON for each order, into a file; garbage searched for as the command does."""
    before = gc.get_threshold()
    search_less_often()
    with (tmp_path / "log").open("w") as out:
        logs.configure("info", "json", out)
        yield
        logs.configure("info", "json", sys.stderr)
    gc.set_threshold(*before)


@pytest.mark.timeout(3600)
def test_order_rates(tmp_path: Path, as_the_service: None) -> None:
    measured = [order_rates.measure(kind, COUNT, ROUNDS, tmp_path / kind) for kind in GOALS]
    about = (
        f"{COUNT} orders of {LINES} lines, medians of {ROUNDS} alternating rounds,"
        f" Python {platform.python_version()}, SQLite {sqlite3.sqlite_version},"
        f" {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end."
    )
    told = [about, "", order_rates.table(measured), ""]
    for rates in measured:
        singly, groups = GOALS[rates.kind]
        for what, found, goal in (
            ("one at a time", rates.singly, singly),
            ("in groups", rates.in_groups, groups),
            ("ledger alone, one at a time", rates.ledger_singly, singly),
            ("ledger alone, in groups", rates.ledger_in_groups, groups),
        ):
            verdict = "reached" if found >= goal else f"missed by {goal - found:.0%}"
            told.append(f"- {rates.kind}, {what}: {found:.0%}, goal {goal:.0%}: {verdict}")
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text("\n".join(told) + "\n", encoding="utf-8")
    sys.stdout.write("\n" + REPORT.read_text(encoding="utf-8"))
