"""Tells at the end of a test run which defects were planted, and which check noticed each.

``tests/faults/test_mutants.py`` leaves the list in build/mutants.md; under xdist
its tests run in one process and this in another, so only the outcomes travel.
"""

from __future__ import annotations

from pathlib import Path

import pytest

LIST = Path(__file__).resolve().parents[1] / "build" / "mutants.md"
TEST = "test_mutants.py::test_defect_is_noticed["


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    passed, failed = (
        sum(TEST in report.nodeid for report in terminalreporter.stats.get(outcome, ()))
        for outcome in ("passed", "failed")
    )
    if not passed + failed or not LIST.exists():
        return
    terminalreporter.write_sep("-", "planted defects")
    for line in LIST.read_text(encoding="utf-8").splitlines():
        terminalreporter.write_line(line)
    terminalreporter.write_line(f"{passed} came out as they should, {failed} did not")
