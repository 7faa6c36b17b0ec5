"""`make bench`: how much of a bare client's speed is left when prices go into a live Medusa."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

import pytest

from tests.benchmarks import medusa_rates
from tests.benchmarks.medusa_rates import BARE, LISTS, STEPS
from tests.systems.medusa.server import missing

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
ITEMS = int(os.environ.get("BENCH_MEDUSA_ITEMS", "500"))
REPORT = Path("build/bench/medusa.md")
GOAL = 0.90


@pytest.mark.timeout(3600)
def test_medusa_rates(tmp_path: Path) -> None:
    lacking = missing()
    if lacking is not None:
        pytest.skip(lacking)
    rates = medusa_rates.measure(ITEMS, ROUNDS, tmp_path)
    about = (
        f"{rates.rows} rows ({len(LISTS)} lists, {ITEMS} items, {len(STEPS)} quantities), medians"
        f" of {ROUNDS} alternating rounds, Python {platform.python_version()},"
        f" {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end."
    )
    told = [about, "", medusa_rates.table(rates), ""]
    for bare in BARE:
        found = rates.ratio(bare)
        verdict = "reached" if found >= GOAL else f"missed by {GOAL - found:.0%}"
        single = ", ".join(f"{each:.0%}" for each in rates.ratios(bare))
        told.append(f"- {bare}: {found:.0%}, goal {GOAL:.0%}: {verdict} (rounds: {single})")
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text("\n".join(told) + "\n", encoding="utf-8")
    sys.stdout.write("\n" + REPORT.read_text(encoding="utf-8"))
