"""Things measured in alternating rounds: each in a process of its own, one after the other."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Told = dict[str, Any]
ROOT = Path(__file__).resolve().parents[3]


@dataclass(slots=True)
class Rounds:
    """What each label took in each round, and why others were left out.

    Everything is also written to ``log`` as it comes, a line of JSON each.
    """

    log: Path
    number: int = 0
    figures: dict[str, list[Told]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    def step(self, label: str, *words: str) -> Told:
        """One of ``run.py``'s steps. Raises RuntimeError where it fails."""
        return self.command(label, sys.executable, "-m", "tests.benchmarks.prices.run", *words)

    def command(self, label: str, *words: str, cwd: Path = ROOT) -> Told:
        """A command that prints a line of JSON at the end. Raises RuntimeError."""
        begun = time.perf_counter()
        done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=cwd)
        wall = time.perf_counter() - begun
        if done.returncode:
            raise RuntimeError(f"{label} failed:\n{done.stderr[-2000:]}")
        told: Told = json.loads(done.stdout.splitlines()[-1])
        self.add(label, {**told, "wall_s": wall})
        return told

    def add(self, label: str, told: Told) -> None:
        told = {"label": label, "round": self.number, **told}
        self.figures.setdefault(label, []).append(told)
        with self.log.open("a") as out:
            out.write(json.dumps(told) + "\n")

    def secs(self, label: str) -> float:
        """The median."""
        return statistics.median(float(each["secs"]) for each in self.figures[label])

    def peak_mb(self, label: str) -> float:
        """The most of all rounds."""
        return max(float(each["rss_mb"]) for each in self.figures[label])

    def ratio(self, label: str, other: str) -> float:
        """The median, over the rounds that have both, of one's time to the other's."""
        ours, theirs = self._by_round(label), self._by_round(other)
        return statistics.median(ours[each] / theirs[each] for each in ours.keys() & theirs.keys())

    def _by_round(self, label: str) -> dict[int, float]:
        """Seconds; the median of those that came several times in a round."""
        secs: dict[int, list[float]] = {}
        for each in self.figures[label]:
            secs.setdefault(each["round"], []).append(float(each["secs"]))
        return {number: statistics.median(some) for number, some in secs.items()}

    def has(self, *labels: str) -> bool:
        return all(label in self.figures for label in labels)

    def table(self, rows: Mapping[str, int], reference: str) -> str:
        """Every label with seconds, rows a second, memory, and its ratio to the reference."""
        lines = [
            f"| what | s, median | rows/s | peak MB | / {reference} |",
            "| --- | ---: | ---: | ---: | ---: |",
        ]
        for label in self.figures:
            secs = self.secs(label)
            rate = f"{rows[label] / secs:,.0f}" if label in rows else ""
            ratio = f"{self.ratio(label, reference):.2f}"
            lines.append(f"| {label} | {secs:.2f} | {rate} | {self.peak_mb(label):.0f} | {ratio} |")
        lines += [f"| {label} | left out: {why} | | | |" for label, why in self.skipped.items()]
        return "\n".join(lines)
