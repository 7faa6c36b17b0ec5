"""`make bench`: prices into a shop on HTTP that is the bottleneck."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

import pytest

from tests.benchmarks import http_price_rates as of
from tests.benchmarks.prices.data import Size
from tests.benchmarks.prices.http_store import ROWS

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
SIZE = Size(int(os.environ.get("BENCH_HTTP_CUSTOMERS", "100")), 1000)
FOLDER = Path("build/bench")


@pytest.mark.timeout(3600)
def test_http_price_rates(tmp_path: Path) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    log = FOLDER / "http_prices.jsonl"
    log.unlink(missing_ok=True)
    rates = of.measure(SIZE, ROUNDS, tmp_path, log)
    about = (
        f"{rates.rows:,} rows, {ROWS} a request, {of.THREADS} threads; the shop does {of.SLOTS}"
        f" requests at a time in {of.SERVICE_MS} ms each: {of.LIMIT:.0f} a second."
        f" Medians of {ROUNDS} alternating rounds, Python {platform.python_version()},"
        f" {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end."
    )
    heads = "| what | requests/s | share of the shop's limit | peak MB |"
    told = [about, "", heads, "| --- | ---: | ---: | ---: |"]
    for label in (of.BARE, of.MIRROR):
        rate, peak = rates.rate(label), rates.rounds.peak_mb(label)
        told.append(f"| {label} | {rate:.0f} | {rate / of.LIMIT:.0%} | {peak:.0f} |")
    agreed, share = rates.rate(of.AGREED), rates.rate(of.MIRROR) / of.LIMIT
    told.append(f"| {of.AGREED} of {of.RATE:.0f} | {agreed:.1f} | | |")
    told += ["", f"- the mirror, share of the shop's limit: {share:.0%}, wanted 90 % or more"]
    told.append(f"- the agreed rate is kept within {rates.farthest:.1%}, wanted 1 %")
    (FOLDER / "http_prices.md").write_text("\n".join(told) + "\n", encoding="utf-8")
    sys.stdout.write("\n" + "\n".join(told) + "\n")
