"""An administrator asks what edited files would do before putting them in place."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import sync.remapping
from sync.cli.output import Exit
from sync.domain.ids import CustomerId, WebUserId
from sync.errors import TryLater
from sync.flows.everybody import OurWord
from sync.planning.remapping import Actor, ActorKind, Move
from tests.system.site import SampleSite
from tests.unit.cli.conftest import Operator


@pytest.fixture
def draft(fresh: Operator, tmp_path: Path) -> Path:
    return Path(shutil.copytree(fresh.site.root / "mappings", tmp_path / "draft"))


def edit(draft: Path, before: str, after: str, name: str = "customers.csv") -> None:
    text = (draft / name).read_text()
    assert before in text
    (draft / name).write_text(text.replace(before, after, 1))


@pytest.mark.rule("OP-4")
def test_a_draft_is_told_for_people_and_for_programs(fresh: Operator, draft: Path) -> None:
    edit(draft, "000101,org-101,,,", "000102,org-101,,,")

    told = fresh("plan", "mappings", "--draft", str(draft))
    read = fresh("plan", "mappings", "--draft", str(draft), "--json").json

    assert told.code == Exit.DONE, told
    assert "organisation org-101: 000101 -> 000102" in told.out
    assert "000101: leaves the store; nobody is left who may see it" in told.out
    assert read["moves"] == [
        {
            "kind": "organisation",
            "user": "",
            "organisation": "org-101",
            "before": "000101",
            "after": "000102",
            "unsure": False,
            "barred": False,
        }
    ]
    assert [each["customer_id"] for each in read["accounts"]] == ["000101", "000102"]
    assert read["compared_with"] != read["draft"]


@pytest.mark.rule("OP-4", "WA-2")
def test_a_plan_without_the_erp_is_told_as_far_as_it_goes_and_ends_so(
    fresh: Operator, draft: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A script that puts the draft in place where the plan ended well must not go on."""

    def away(*_: object) -> None:
        raise TryLater("the ERP does not answer")

    found = Move(Actor(ActorKind.USER, "u-7"), CustomerId("000101"), None)
    word = OurWord({}, {WebUserId("u-7"): None})
    monkeypatch.setattr(sync.remapping, "_whole_plan", away)
    monkeypatch.setattr(sync.remapping, "by_our_word", lambda context: word)
    monkeypatch.setattr(sync.remapping, "moves", lambda then, now: (found,))
    monkeypatch.setattr(sync.remapping, "access", lambda found, after: ())
    words = ("plan", "mappings", "--draft", str(draft))
    told, read = fresh(*words), fresh(*words, "--json")
    assert (told.code, read.code) == (Exit.TRY_LATER, Exit.TRY_LATER)
    assert "The ERP could not be read: the ERP does not answer" in told.out
    assert "user u-7: no longer 000101; the ERP's contacts decide" in told.out
    assert read.json["erp_unread"] == "the ERP does not answer"
    assert [each["unsure"] for each in read.json["moves"]] == [True]
    one = ("map", "u-7", "000102", "--reason", "asked", "--dry-run", "--anyway")
    assert fresh(*one).code == Exit.TRY_LATER


@pytest.mark.rule("OP-4")
def test_a_mapping_that_no_service_took_up_is_not_said_to_be_in_force(
    fresh: Operator, operator: Operator, draft: Path
) -> None:
    version = operator.site.mapping_version()
    first = fresh("plan", "mappings").out
    assert "No mapping is in force yet" in first
    assert "was read, and would be the first." in first
    assert "warnings; `tradesync check mappings` tells all." in first
    assert not any(each in first for each in ("compared", "as before", "changes nothing"))
    assert fresh("plan", "mappings", "--json").json["in_force"] is None
    assert "count from the first start of the service" in fresh("status").out
    assert operator("plan", "mappings", "--json").json["in_force"] == version
    assert f"Mapping {version} is in force, {version} was read." in operator("plan", "mappings").out

    fresh.site.mapping("channels.yaml", "guest_checkout: true", "guest_checkot: true")
    refused = fresh("status")
    assert "the files are refused; `tradesync check mappings` tells why" in refused.out


@pytest.mark.rule("OP-4")
def test_the_same_files_change_nothing(fresh: Operator, draft: Path) -> None:
    assert "It changes nothing." in fresh("plan", "mappings", "--draft", str(draft)).out


@pytest.mark.rule("OP-4")
def test_files_that_are_in_place_are_compared_with_what_was_taken_up_last(
    day_done: SampleSite, tmp_path: Path
) -> None:
    root = Path(shutil.copytree(day_done.root, tmp_path / "site"))
    operator = Operator(SampleSite(root))
    edit(root / "mappings", "000101,org-101,,,\n", "")

    told = operator("plan", "mappings")

    assert told.code == Exit.DONE, told
    assert "organisation org-101: no longer 000101" in told.out
    shown = [
        each for each in told.out.splitlines() if "withdrawn from organisation org-101" in each
    ]
    assert len(shown) == 1
    assert "(0 invoices" not in shown[0]


@pytest.mark.rule("OP-4")
def test_a_draft_with_a_mistake_is_refused_with_file_line_and_way_out(
    fresh: Operator, draft: Path
) -> None:
    edit(draft, "000101,org-101,,,", "000101,org-102,,,")

    told = fresh("plan", "mappings", "--draft", str(draft))

    checked = fresh("check", "mappings", "--draft", str(draft))
    assert told.code == checked.code == Exit.FAILED
    assert "customers.csv:7" in told.err
    assert "org-102" in told.err
    assert told.out == ""


@pytest.mark.rule("OP-4", "WA-6", "WA-8")
def test_what_is_withdrawn_is_named_to_people_in_part_and_to_programs_in_full(
    day_done: SampleSite, tmp_path: Path
) -> None:
    root = Path(shutil.copytree(day_done.root, tmp_path / "site"))
    operator = Operator(SampleSite(root))
    edit(root / "mappings", "000101,org-101,,,\n", "")
    edit(root / "mappings", "login_wall: open", "login_wall: login_to_price", "channels.yaml")

    told = operator("plan", "mappings").out
    read = operator("plan", "mappings", "--json").json

    [account] = read["accounts"]
    assert account["customer_id"] == "000101"
    numbers = account["named"]["invoice"]
    assert len(numbers) == account["records"]["invoice"] == account["invoices_shown"] > 10
    assert f"    invoices: {', '.join(numbers[:10])} and {len(numbers) - 10} more\n" in told
    [own] = [each for each in account["prices"] if each["level"] == "account"]
    assert own["owner"] == "000101"
    assert f"prices of account 000101: {own['items'][0]}" in told
    assert "prices that others have too: " in told
    assert {(each["channel"], each["audience"], each["shown"]) for each in read["shoppers"]} == {
        ("shop", "public", False),
        ("shop", "retail", True),
    }
    assert all(each["prices"] for each in read["shoppers"])
    assert "channel shop, retail group RETAIL-US: withdrawn from everybody: " in told


@pytest.mark.parametrize(
    "words",
    [
        ("plan", "mappings", "--customer", "000101"),
        ("plan", "prices", "--draft", "."),
        ("plan", "mappings", "--draft", "not-there"),
    ],
    ids=" ".join,
)
def test_what_does_not_go_together_is_wrong_usage(fresh: Operator, words: tuple[str, ...]) -> None:
    told = fresh(*words)
    assert told.code == Exit.USAGE
    assert told.out == ""
