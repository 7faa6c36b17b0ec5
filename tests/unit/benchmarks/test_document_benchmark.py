"""The benchmark of ship-tos and invoices, small: every step of it does what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks import document_rates as of
from tests.benchmarks.documents.erp import Size
from tests.benchmarks.documents.run import STEPS
from tests.benchmarks.prices.rounds import Rounds, Told


@pytest.mark.rule("MI-2", "MI-1")
def test_a_night_writes_what_has_changed_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In this process: of the figures nothing is asserted."""

    def step(self: Rounds, label: str, *words: str) -> Told:
        of_run, *arguments = words[words.index("tests.benchmarks.documents.run") + 1 :]
        told = STEPS[of_run](*arguments)
        self.add(label, told)
        return told

    monkeypatch.setattr(Rounds, "command", step)
    rounds = of.measure(Size(10, 60, 30, 2), 1, tmp_path, tmp_path / "log", of.SQLITE)
    for label in (of.FIRST, of.COMPARED, of.SAME, of.CHANGED, of.DELETED, of.FED_CHANGED):
        for flow in of.FLOWS:
            assert len(rounds.figures[f"{flow}: {label}"]) == 1
