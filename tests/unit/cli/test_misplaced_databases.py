"""A wrong file in a system's url is a wrong setting, whichever command meets it."""

from __future__ import annotations

import pytest

from sync.cli.output import Exit
from tests.unit.cli.conftest import Operator


@pytest.mark.rule("OP-1")
@pytest.mark.parametrize("system", ["store", "erp"])
def test_a_missing_file_is_no_outage_for_any_command(fresh: Operator, system: str) -> None:
    settings = fresh.site.settings
    wrong = f"var/sample/{system}s.sqlite"
    settings.write_text(settings.read_text().replace(f"var/sample/{system}.sqlite", wrong))
    told = f"url names {fresh.site.root / wrong}, and there is no such file"

    for words in (
        ("plan", "orders"),
        ("plan", "accounts"),
        ("plan", "mappings"),
        ("explain", "user", "u-sole-trader"),
        ("explain", "account", "000101"),
    ):
        said = fresh(*words)
        assert said.code == Exit.MISCONFIGURED, words
        assert told in said.err, words
    checked = [
        each
        for each in fresh("check", "--json").json
        if told in each["message"] and each["level"] == "error"
    ]
    assert any("correct" in each["remedy"] for each in checked)

    for how in ((), ("--json",), ("--dry-run",)):
        assert fresh("resync", "accounts", *how).code == Exit.MISCONFIGURED, "as the plan of it"
    run = fresh("resync", "all", "--json")
    assert run.code == Exit.MISCONFIGURED
    results = run.json
    asked = [each for each in results if each["message"]]
    assert asked
    assert {each["outcome"] for each in asked} == {"failed"}
    assert all(told in each["message"] for each in asked)
