"""Whether the checks notice a defect: each mutant must be caught, or be harmless by design.

The list, with what caught each, is left in build/mutants.md.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.faults.checks import Checks
from tests.faults.mutants import MUTANTS, Mutant

FOLDER = Path(__file__).resolve().parents[2] / "build" / "mutants"


def caught_by(mutant: Mutant) -> tuple[str, str] | None:
    """The check that notices it, with the first thing that it says."""
    checks = Checks(given=mutant.given, thorough=mutant.harmless is None)
    with mutant.apply():
        for name, check in getattr(checks, mutant.of)():
            try:
                said = check()
            except AssertionError as error:
                # It goes wrong even where nothing is broken.
                said = str(error)
            if said is not None:
                return name, said
    return None


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda each: str(each.name))
def test_defect_is_noticed(mutant: Mutant) -> None:
    caught = caught_by(mutant)
    keep(mutant, caught)
    if mutant.harmless is not None:
        assert caught is None, f"{mutant.harmless}, and yet: {caught}"
    else:
        assert caught is not None, "no check notices it"


def test_there_are_as_many_mutants_as_were_asked_for() -> None:
    assert len([each for each in MUTANTS if each.harmless is None]) >= 15
    assert len({each.name for each in MUTANTS}) == len(MUTANTS)


def keep(mutant: Mutant, caught: tuple[str, str] | None) -> None:
    """Note what became of it, and write the list anew with all that is noted by now."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    number = MUTANTS.index(mutant)
    told = {"caught": caught, "name": mutant.name, "harmless": mutant.harmless}
    (FOLDER / f"{number:02}.json").write_text(json.dumps(told), encoding="utf-8")
    lines = ["| defect | caught by | which says |", "| --- | --- | --- |"]
    # An earlier list may have been longer.
    for file in sorted(FOLDER.glob("*.json"))[: len(MUTANTS)]:
        held = json.loads(file.read_text(encoding="utf-8"))
        by, said = held["caught"] or ("nothing", "")
        if held["harmless"]:
            by, said = "harmless" if held["caught"] is None else by, held["harmless"]
        lines.append(f"| {held['name']} | {by} | {said.replace('|', '/')[:160]} |")
    unfinished = FOLDER.with_suffix(f".{os.getpid()}")
    unfinished.write_text("\n".join(lines) + "\n", encoding="utf-8")
    unfinished.replace(FOLDER.with_suffix(".md"))
