"""Whoever decided something can be asked about it later: who, when, why, what before and since."""

from __future__ import annotations

import pytest

from sync.cli.output import Exit
from tests.unit.cli.conftest import Operator
from tests.unit.cli.test_operators import QUARANTINED, order_id

pytestmark = pytest.mark.rule("OI-2", "OP-4")


@pytest.fixture
def decided(fresh: Operator, monkeypatch: pytest.MonkeyPatch) -> Operator:
    """Jane brings an order in and dismisses it; Joe assigns a buyer and takes that back."""
    monkeypatch.setenv("SUDO_USER", "jane")
    key = order_id(fresh, QUARANTINED)
    fresh("resync", "orders", "--order", key, "--reason", "the buyer phoned")
    assert fresh("quarantine", "dismiss", QUARANTINED, "--reason", "by phone", "--yes").code == 0
    monkeypatch.setenv("SUDO_USER", "joe")
    words = ("map", "u-new", "000102", "--reason", "merged", "--anyway")
    assert fresh(*words).code == 0
    assert fresh("unmap", "u-new", "--reason", "left").code == 0
    return fresh


def kinds(operator: Operator, *words: str) -> list[str]:
    said = operator("audit", *words, "--json")
    assert said.code == 0, said
    return [each["kind"] for each in said.json]


def test_every_decision_is_told_newest_first_with_who_why_and_what_before(
    decided: Operator,
) -> None:
    told = decided("audit", "--json").json
    assert [(each["actor"], each["kind"], each["reason"]) for each in told] == [
        ("joe", "unmap", "left"),
        ("joe", "map", "merged"),
        ("jane", "order.dismissed", "by phone"),
        ("jane", "resync.run", "the buyer phoned"),
    ]
    assert all(each["at"].endswith("+00:00") for each in told)
    (unmapped,) = [each for each in told[0]["records"] if each["kind"] == "user"]
    assert (unmapped["key"], unmapped["before"], unmapped["after"]) == (
        "u-new",
        "000102",
        None,
    )
    (order,) = told[2]["records"]
    assert order["before"].startswith("quarantined: ")
    assert order["after"] == "closed"


def test_a_filter_gives_what_is_about_one_person_or_one_record(decided: Operator) -> None:
    key = order_id(decided, QUARANTINED)
    assert kinds(decided, "--actor", "jane") == ["order.dismissed", "resync.run"]
    assert kinds(decided, "--kind", "order") == ["order.dismissed"]
    assert kinds(decided, "--order", QUARANTINED) == ["order.dismissed", "resync.run"]
    assert kinds(decided, "--order", key) == ["order.dismissed", "resync.run"]
    assert kinds(decided, "--user", "u-new") == ["unmap", "map"]
    assert kinds(decided, "--customer", "000102") == ["unmap", "map"]
    assert kinds(decided, "--organisation", "000102") == []
    assert kinds(decided, "--since", "2100-01-01") == []
    assert kinds(decided, "--until", "2000-01-01") == []
    assert decided("audit", "--user", "u-1", "--order", "W-1").code == Exit.USAGE


def test_pages_follow_each_other(decided: Operator) -> None:
    seen: list[int] = []
    more = ["--limit", "3"]
    for expected in (3, 1):
        page = decided("audit", *more, "--json").json
        assert len(page) == expected
        seen += [each["number"] for each in page]
        more = ["--limit", "3", "--before", str(seen[-1])]
    assert len(set(seen)) == 4
    shown = decided("audit", "--limit", "3")
    assert f"--before {seen[2]}" in shown.out
    assert "--before" not in decided("audit", "--limit", "4").out
    assert "no entry 999" in decided("audit", "--before", "999").err


def test_a_misspelt_kind_or_name_is_no_all_clear(decided: Operator) -> None:
    said = decided("audit", "--kind", "order.dismised")
    assert "order.dismissed" in said.err
    assert "jane" in decided("audit", "--actor", "jand").err
    assert decided("audit", "--kind", "order", "--actor", "joe").err == ""


def test_explain_tells_the_decisions_about_its_user_and_order(decided: Operator) -> None:
    user = decided("explain", "user", "u-new", "--json").json
    assert [each.partition(" ")[2].partition(" ")[2] for each in user["decisions"]] == [
        "unmap 000102 -> - (joe): left",
        "map - -> 000102 (joe): merged",
    ]
    order = decided("explain", "order", QUARANTINED, "--json").json
    (decision,) = order["decisions"]
    assert decision.endswith("resync.run (jane): the buyer phoned")
    assert [each for each in order["history"] if "dismissed (jane)" in each]


def test_what_a_persons_command_does_is_the_persons_and_not_the_daemons(
    decided: Operator,
) -> None:
    history = decided("explain", "order", QUARANTINED, "--json").json["history"]
    assert [each for each in history if "discovered (jane)" in each]
    assert not [each for each in history if "(daemon)" in each]
