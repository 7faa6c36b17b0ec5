"""The table of business rules, the command that lists it, and the report of proofs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from sync.cli.main import main
from sync.rules import RULES
from tests.rule_report import State, state_of

pytest_plugins = ["pytester"]

ROOT = Path(__file__).resolve().parents[2]
DESCRIPTION = ROOT.parent / "shared" / "mission.md"


def test_every_rule_has_an_id_of_its_own_and_one_sentence() -> None:
    sentences = [rule.sentence for rule in RULES.values()]
    assert len(set(sentences)) == len(sentences)
    for id_, rule in RULES.items():
        assert re.fullmatch(r"(WA|TL|VE|OI|MI|OP)-\d+[a-f]?", id_)
        assert id_ == rule.id
        assert rule.sentence[0].isupper()
        assert rule.sentence.endswith(".")
        assert ". " not in rule.sentence


def test_the_table_has_exactly_the_rules_that_were_agreed() -> None:
    if not DESCRIPTION.exists():
        pytest.skip(f"{DESCRIPTION.name}, which defines the rules, is not beside this tree")
    agreed = re.findall(r"^- \*\*([A-Z]{2}-\d+[a-z]?)\*\*", DESCRIPTION.read_text(), re.MULTILINE)
    assert sorted(agreed) == sorted(RULES)


def test_rules_command_lists_every_rule() -> None:
    shown = CliRunner().invoke(main, ["rules"])
    assert shown.exit_code == 0
    assert all(id_ in shown.output for id_ in RULES)
    listed = json.loads(CliRunner().invoke(main, ["rules", "--json"]).output)
    assert [row["id"] for row in listed] == list(RULES)


def test_a_rule_that_is_not_kept_yet_is_said_to_be_none_and_no_test_proves_it() -> None:
    listed = json.loads(CliRunner().invoke(main, ["rules", "--json"]).output)
    not_kept = {row["id"] for row in listed if not row["kept"]}
    assert not_kept == {id_ for id_, rule in RULES.items() if not rule.kept}
    here = Path(__file__)
    marked = "\n".join(
        file.read_text() for file in (ROOT / "tests").rglob("test_*.py") if file != here
    )
    assert {id_ for id_ in not_kept if f'"{id_}"' in marked} == set()


def test_a_rule_that_is_kept_in_part_says_what_it_lacks() -> None:
    shown = CliRunner().invoke(main, ["rules"]).output
    listed = json.loads(CliRunner().invoke(main, ["rules", "--json"]).output)
    said = {row["id"]: row["lacks"] for row in listed if row["lacks"]}
    assert {"OP-5", "OP-6"} <= said.keys()
    assert all(rule.kept for rule in RULES.values() if rule.lacks)
    assert "Prometheus metrics" in " ".join(shown.split())


@pytest.mark.skipif((ROOT / "sync" / "console").exists(), reason="there is a console")
def test_no_console_is_promised_while_there_is_none() -> None:
    kept = " ".join(rule.sentence for rule in RULES.values() if rule.kept)
    assert "console" not in kept.lower() + (ROOT / "Makefile").read_text().lower()


@pytest.mark.parametrize(
    "outcomes, state",
    [
        ([], State.UNTESTED),
        (["skipped"], State.SKIPPED),
        (["passed", "skipped"], State.PROVEN),
        (["passed", "failed"], State.FAILED),
    ],
)
def test_a_rule_is_proven_by_a_pass_and_no_failure(outcomes: list[str], state: State) -> None:
    assert state_of(outcomes) is state


MARKED = """
import pytest

pytestmark = pytest.mark.rule("WA-1")

@pytest.mark.rule("WA-2", "WA-2a")
class TestRouting:
    @pytest.mark.rule("WA-2b")
    def test_passes(self):
        pass

@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.rule("WA-3")
def test_fails_once(n):
    assert n == 1

@pytest.mark.rule("WA-4")
def test_skips():
    pytest.skip("no such ERP here")

@pytest.mark.rule("WA-5")
@pytest.mark.xfail(reason="known")
def test_fails_as_expected():
    assert False

@pytest.fixture
def broken():
    yield
    raise RuntimeError("teardown")

@pytest.mark.rule("WA-6")
def test_passes_and_cannot_clean_up(broken):
    pass
"""


PLUGINS = ("-p", "xdist", "-p", "tests.rule_report")


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    # What else is installed takes longer to import than these tests to run.
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makeini("[pytest]\nmarkers = rule\n")
    return pytester


@pytest.mark.parametrize("workers", ["0", "2"])
def test_report_turns_markers_round_into_proofs(run: pytest.Pytester, workers: str) -> None:
    run.makepyfile(test_marked=MARKED)
    run.runpytest_subprocess(*PLUGINS, "-n", workers, "--rule-report", "out")
    report = json.loads((run.path / "out" / "rules.json").read_text())
    states = {rule["id"]: rule["state"] for rule in report["rules"]}
    assert list(states) == list(RULES)
    assert {id_: state for id_, state in states.items() if state != "no test"} == {
        "WA-1": "failed",
        "WA-2": "proven",
        "WA-2a": "proven",
        "WA-2b": "proven",
        "WA-3": "failed",
        "WA-4": "only skipped tests",
        "WA-5": "only skipped tests",
        "WA-6": "failed",
    }
    page = (run.path / "out" / "rules.md").read_text()
    assert f"3 of {len(RULES)} rules are proven" in page
    assert "`test_marked.py::test_fails_once` (failed)" in page
    missing = page.partition("## Not yet proven")[2]
    assert "- WA-3: failed" in missing
    assert "- WA-2:" not in missing


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_marker_without_a_known_rule_stops_the_collection(
    run: pytest.Pytester, workers: str
) -> None:
    wrong = {"unknown": '"WA-99"', "nothing": "", "by_name": 'id="WA-1"'}
    marked = "import pytest\n\n@pytest.mark.rule({})\ndef test_it():\n    pass\n"
    run.makepyfile(**{f"test_{name}": marked.format(given) for name, given in wrong.items()})
    result = run.runpytest_subprocess(*PLUGINS, "-n", workers)
    result.assert_outcomes(errors=len(wrong))
    assert "rule" in result.stdout.str()
    assert result.ret != 0


def test_no_report_is_written_unless_asked_for(run: pytest.Pytester) -> None:
    run.makepyfile(test_marked=MARKED)
    run.runpytest_subprocess(*PLUGINS)
    assert not list(run.path.glob("**/rules.*"))
