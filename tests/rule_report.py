"""Which test proves which business rule (a pytest plugin).

``@pytest.mark.rule("WA-2", "WA-2a")`` on a test, a class or (as ``pytestmark``)
a module says that its tests prove these rules. ``--rule-report=DIR`` writes
``rules.md`` and ``rules.json`` there at the end of the run. An ID that
``sync.rules`` does not know is a collection error: a proof of nothing would
otherwise look like a proof.

The IDs travel with each test's report, since under xdist the tests run in one
process and the report is written in another.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

import pytest

from sync.rules import RULES

PROPERTY = "rule"


class State(Enum):
    """How far a rule is proven, by the tests of this run."""

    PROVEN = "proven"
    FAILED = "failed"
    SKIPPED = "only skipped tests"
    UNTESTED = "no test"


def state_of(outcomes: Iterable[str]) -> State:
    """One test must pass, and none may fail; a skipped test proves nothing."""
    seen = set(outcomes)
    if "failed" in seen:
        return State.FAILED
    if "passed" in seen:
        return State.PROVEN
    return State.SKIPPED if seen else State.UNTESTED


@dataclass(slots=True)
class Proofs:
    """Outcomes so far, by rule and test."""

    outcomes: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))

    def add(self, rule: str, test: str, outcome: str) -> None:
        """Keep the worst outcome: one test reports several phases and parameters."""
        worst = ("skipped", "passed", "failed")
        before = self.outcomes[rule].get(test, "skipped")
        self.outcomes[rule][test] = max(before, outcome, key=worst.index)

    def states(self) -> Mapping[str, State]:
        return {id_: state_of(self.outcomes.get(id_, {}).values()) for id_ in RULES}

    def as_json(self) -> str:
        states = self.states()
        rules = [
            {
                "id": rule.id,
                "sentence": rule.sentence,
                "state": states[rule.id].value,
                "lacks": rule.lacks,
                "tests": dict(sorted(self.outcomes.get(rule.id, {}).items())),
            }
            for rule in RULES.values()
        ]
        return json.dumps({"rules": rules}, indent=2, ensure_ascii=False) + "\n"

    def as_markdown(self) -> str:
        states = self.states()
        proven = sum(state is State.PROVEN for state in states.values())
        lines = [
            "# Business rules and their proof",
            "",
            f"{proven} of {len(RULES)} rules are proven by the tests of this run.",
            "",
            "| rule | what it demands | tests | state |",
            "| --- | --- | --- | --- |",
        ]
        for rule in RULES.values():
            tests = self.outcomes.get(rule.id, {})
            cell = "<br>".join(
                f"`{test}`" + ("" if outcome == "passed" else f" ({outcome})")
                for test, outcome in sorted(tests.items())
            )
            lines.append(f"| {rule.id} | {rule.sentence} | {cell} | {states[rule.id].value} |")
        lines += ["", "## Not yet proven", ""]
        missing = [id_ for id_, state in states.items() if state is not State.PROVEN]
        lines += [f"- {id_}: {states[id_].value}" for id_ in missing] or ["None."]
        lines += ["", "## Kept in part", ""]
        lines += [f"- {rule.id} lacks {rule.lacks}" for rule in RULES.values() if rule.lacks]
        return "\n".join(lines) + "\n"


PROOFS = pytest.StashKey[Proofs]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rule-report", metavar="DIR", help="write rules.md and rules.json to DIR")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[PROOFS] = Proofs()
    config.pluginmanager.register(_Listener(config.stash[PROOFS]), "rule-report-listener")


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    complaints = []
    for item in report.result or ():
        if not isinstance(item, pytest.Item):
            continue
        for marker in item.iter_markers("rule"):
            if not marker.args or marker.kwargs:
                complaints.append(f"{item.nodeid}: the marker rule takes one rule ID or more")
            for id_ in marker.args:
                if id_ not in RULES:
                    complaints.append(f"{item.nodeid}: sync/rules.py has no rule {id_!r}")
                elif (PROPERTY, id_) not in item.user_properties:
                    item.user_properties.append((PROPERTY, id_))
    if complaints:
        report.outcome = "failed"
        report.longrepr = "\n".join(complaints)
        report.result = []
    return report


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    target = config.getoption("--rule-report")
    if target is None:
        return
    folder = Path(target)
    folder.mkdir(parents=True, exist_ok=True)
    proofs = config.stash[PROOFS]
    (folder / "rules.md").write_text(proofs.as_markdown(), encoding="utf-8")
    (folder / "rules.json").write_text(proofs.as_json(), encoding="utf-8")
    states = list(proofs.states().values())
    terminalreporter.write_sep("-", "business rules")
    terminalreporter.write_line(
        f"{states.count(State.PROVEN)} of {len(RULES)} rules proven, "
        f"{states.count(State.FAILED)} with a failing test, "
        f"{states.count(State.SKIPPED)} only skipped, "
        f"{states.count(State.UNTESTED)} without a test: "
        f"see {folder / 'rules.md'} and {folder / 'rules.json'}"
    )


class _Listener:
    """Hears each test's outcome in the process that writes the report."""

    def __init__(self, proofs: Proofs) -> None:
        self._proofs = proofs

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        # Setting up well proves nothing; failing to set up or tear down disproves.
        if report.passed and report.when != "call":
            return
        test = report.nodeid.partition("[")[0]
        for name, value in report.user_properties:
            if name == PROPERTY:
                self._proofs.add(str(value), test, report.outcome)
