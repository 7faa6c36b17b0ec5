"""`make bench`: how much of a bare loop's speed is left when orders go into a live Tryton."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

import pytest

from tests.benchmarks import tryton_rates
from tests.benchmarks.tryton_site import LINES

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
COUNT = int(os.environ.get("BENCH_TRYTON_ORDERS", "50"))
REPORT = Path("build/bench/tryton.md")
GOAL = 0.90


@pytest.mark.timeout(3600)
def test_tryton_rates(tmp_path: Path) -> None:
    rates = tryton_rates.measure(COUNT, ROUNDS, tmp_path)
    about = (
        f"{COUNT} orders of {LINES} lines, medians of {ROUNDS} alternating rounds, Tryton on"
        f" SQLite, Python {platform.python_version()}, {os.cpu_count()} cores,"
        f" load {os.getloadavg()[0]:.1f} at the end."
    )
    told = [about, "", tryton_rates.table(rates), ""]
    for kind in tryton_rates.FLOWS:
        found = rates.ratio(kind)
        verdict = "reached" if found >= GOAL else f"missed by {GOAL - found:.0%}"
        told.append(f"- {kind}: {found:.0%}, goal {GOAL:.0%}: {verdict}")
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text("\n".join(told) + "\n", encoding="utf-8")
    sys.stdout.write("\n" + REPORT.read_text(encoding="utf-8"))
