"""`make bench`: what a night of ship-tos and invoices costs, with and without a change."""

from __future__ import annotations

import os
import platform
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.benchmarks import document_rates as of
from tests.benchmarks.prices.rounds import Rounds

FOLDER = Path("build/bench")


@pytest.mark.timeout(4 * 3600)
def test_document_rates(tmp_path: Path) -> None:
    size, count, databases = of.environment()
    FOLDER.mkdir(parents=True, exist_ok=True)
    log = FOLDER / "documents.jsonl"
    log.unlink(missing_ok=True)
    about = (
        f"{size.accounts:,} accounts, {size.invoices:,} invoices of {size.lines} lines,"
        f" {size.ship_tos:,} ship-tos; {count} alternating rounds."
        f" Python {platform.python_version()}, {os.cpu_count()} cores."
    )
    told = [about]
    for on in databases:
        folder = tmp_path / on
        folder.mkdir()
        rounds = of.measure(size, count, folder, log, on)
        told += ["", f"On {on}, load {os.getloadavg()[0]:.1f} at the end:", "", *_table(rounds)]
    (FOLDER / "documents.md").write_text("\n".join(told) + "\n", encoding="utf-8")
    sys.stdout.write("\n" + "\n".join(told) + "\n")


def _table(rounds: Rounds) -> Iterator[str]:
    yield "| what | s, median | processor s, least | peak MB |"
    yield "| --- | ---: | ---: | ---: |"
    for label, figures in rounds.figures.items():
        if "(" in label:
            continue
        secs = statistics.median(float(each["secs"]) for each in figures)
        cpu_s = min(float(each["cpu_s"]) for each in figures)
        yield f"| {label} | {secs:.2f} | {cpu_s:.2f} | {rounds.peak_mb(label):.0f} |"
