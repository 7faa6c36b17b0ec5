"""Dismissing is final, so a person is asked, or says beforehand that it is meant."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sync.cli.main import main
from sync.cli.output import Exit
from tests.system.site import SampleSite
from tests.unit.cli.conftest import Operator
from tests.unit.cli.test_asking import Terminal

pytestmark = pytest.mark.rule("OI-2")

ORDER = "W-50273"
WORDS = ("quarantine", "dismiss", "--reason", "ordered by phone")


@pytest.fixture
def site(day_done: SampleSite, tmp_path: Path) -> Operator:
    return Operator(SampleSite(Path(shutil.copytree(day_done.root, tmp_path / "site"))))


def answered(site: Operator, typed: bytes, *words: str) -> Result:
    said = [*WORDS, *words, "--site", str(site.site.root)]
    return CliRunner().invoke(main, said, input=Terminal(typed))


def held(site: Operator) -> set[str]:
    return {row["order"] for row in site("quarantine", "list", "--json").json}


def test_a_person_sees_which_orders_and_says_yes_or_no(site: Operator) -> None:
    before = held(site)
    refused = answered(site, b"n\n", ORDER)
    assert refused.exit_code == Exit.FAILED
    assert ORDER in refused.output
    assert "Dismiss this order? Never imported then; it cannot be undone" in refused.output
    assert held(site) == before

    agreed = answered(site, b"y\n", ORDER)
    assert agreed.exit_code == Exit.DONE, agreed.output
    assert f"1 dismissed: {ORDER}" in agreed.output
    assert held(site) == before - {ORDER}


def test_a_filter_tells_how_many_it_means(site: Operator) -> None:
    before = held(site)
    rows = site("quarantine", "list", "--json").json
    ((channel, number),) = Counter(row["channel"] for row in rows).most_common(1)
    assert number > 1
    rows = [row for row in rows if row["channel"] == channel]
    asked = answered(site, b"n\n", "--channel", channel)
    assert f"Dismiss these {len(rows)} orders?" in asked.output
    assert all(row["order"] in asked.output for row in rows)
    assert held(site) == before
    nothing = answered(site, b"", "--code", "none_such")
    assert nothing.exit_code == Exit.DONE
    assert nothing.output.endswith("0 dismissed: none\n")
    assert "No order is held with --code none_such" in nothing.output


def test_where_nobody_can_be_asked_it_must_be_said(site: Operator) -> None:
    before = held(site)
    for words in ((ORDER,), (ORDER, "--json"), ("--state", "review")):
        said = site(*WORDS, *words)
        assert said.code == Exit.USAGE
        assert "add --yes, or look with --dry-run" in said.err
    preview = site(*WORDS, ORDER, "--dry-run")
    assert preview.out == f"1 would be dismissed: {ORDER}\n"
    assert held(site) == before
    assert site(*WORDS, ORDER, "--yes", "--json").json["dismissed"] == [ORDER]
    assert held(site) == before - {ORDER}
