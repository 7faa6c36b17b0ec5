"""An operator assigns a buyer from the command line; the files stay a person's files."""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from sync.cli.output import Exit
from sync.state.lock import hold_writer_lock
from tests.system.site import SampleSite
from tests.unit.cli.conftest import Operator


@pytest.fixture
def site(tmp_path: Path, day_done: SampleSite) -> Operator:
    return Operator(SampleSite(Path(shutil.copytree(day_done.root, tmp_path / "site"))))


def table(operator: Operator) -> str:
    return (operator.site.root / "mappings" / "customers.csv").read_text()


def audited(operator: Operator) -> list[tuple[str, str, str]]:
    query = "SELECT action, subject, reason FROM audit ORDER BY id"
    rows = operator.site.rows(operator.site.state, query)
    return [(str(a), str(b), str(c)) for a, b, c in rows if a in ("map", "unmap")]


@pytest.mark.rule("OP-4")
def test_an_assignment_is_one_line_more_and_one_entry_of_the_audit_trail(site: Operator) -> None:
    before = table(site)

    words = ("map", "u-new", "000102", "--reason", "account opened", "--anyway")
    said = site(*words, "--contact", "000102-C1")

    assert said.code == Exit.DONE, said
    assert table(site) == before + "000102,,u-new,000102-C1,account opened\n"
    [(action, subject, reason)] = audited(site)
    assert (action, reason) == ("map", "account opened")
    assert subject.startswith("user u-new -> 000102 (mapping ")
    again = site(*words)
    assert "say so already" in again.out
    assert len(audited(site)) == 1

    gone = site("unmap", "u-new", "--reason", "left")
    assert gone.code == Exit.DONE, gone
    assert table(site) == before
    assert [each[0] for each in audited(site)] == ["map", "unmap"]


@pytest.mark.rule("OP-4")
@pytest.mark.parametrize("only", [(), ("--dry-run",), ("--json",)], ids=str)
def test_who_is_assigned_nowhere_is_not_told_as_taken_out(
    site: Operator, only: tuple[str, ...]
) -> None:
    before = table(site)
    for words, told in (
        (("org-101",), "unmap --organisation org-101"),
        (("--organisation", "u-retail-07"), "No line assigns organisation u-retail-07"),
        (("u-nobody",), "No line assigns user u-nobody"),
    ):
        said = site("unmap", *words, "--reason", "left", *only)
        assert said.code == Exit.FAILED, said
        assert told in said.out + said.err
    assert table(site) == before
    assert not audited(site)


@pytest.mark.rule("OP-4")
def test_a_dry_run_tells_what_would_change_and_changes_nothing(site: Operator) -> None:
    before = table(site)

    said = site("map", "--organisation", "org-101", "000102", "--reason", "x", "--dry-run")

    assert said.code == Exit.DONE, said
    assert "organisation org-101: 000101 -> 000102" in said.out
    assert "000101: withdrawn from organisation org-101" in said.out
    assert (table(site), audited(site)) == (before, [])


@pytest.mark.rule("OP-4")
def test_a_dry_run_tells_its_own_edit_and_not_those_that_do_not_count_yet(
    site: Operator, tmp_path: Path
) -> None:
    in_force = site.site.mapping_version()
    earlier = site("map", "u-retail-07", "000102", "--reason", "x", "--json").json["after"]
    sheet = tmp_path / "sheet.csv"
    assert site("mappings", "export", str(sheet)).code == Exit.DONE
    with sheet.open("ab") as table:
        table.write(b",u-retail-08,,,000103\r\n")

    words = ("map", "u-retail-08", "000103", "--reason", "x", "--dry-run")
    told, read = site(*words), site(*words, "--json").json
    assert "user u-retail-08: nobody -> 000103" in told.out
    assert "u-retail-07" not in told.out
    assert f"Mapping {in_force} is in force: the files hold edits that do not" in told.out
    assert [each["user"] for each in read["moves"]] == ["u-retail-08"]
    assert (read["compared_with"], read["in_force"]) == (earlier, in_force)
    imported = site("mappings", "import", str(sheet), "--dry-run", "--json").json
    assert imported["moves"] == read["moves"]
    unmapped = site("unmap", "u-retail-07", "--reason", "x", "--dry-run", "--json").json
    assert [(each["user"], each["after"]) for each in unmapped["moves"]] == [("u-retail-07", None)]


@pytest.mark.rule("OP-4", "WA-2c")
@pytest.mark.parametrize(
    "words, missed",
    [
        (("u-retail-01", "000999"), "customer 000999: the ERP has no such customer."),
        (("u-retail-01", "102"), "it lost its leading zeros: 000102 is known."),
        (("u-nobody", "000102"), "user u-nobody: the store has no such user."),
        (("--organisation", "org-x", "000102"), "organisation org-x: the store has no such org"),
    ],
    ids=["customer", "zeros", "user", "organisation"],
)
def test_whom_the_systems_do_not_have_is_assigned_only_where_that_is_said(
    site: Operator, words: tuple[str, ...], missed: str
) -> None:
    before = table(site)
    for how, ended in (((), "nothing was written"), (("--dry-run",), "this would be refused")):
        said = site("map", *words, "--reason", "x", *how)
        assert said.code == Exit.FAILED
        assert missed in said.err
        assert ended in said.err
        assert "say --anyway" in said.err
        assert (said.out, table(site), audited(site)) == ("", before, [])
    foreseen = site("map", *words, "--reason", "x", "--dry-run", "--anyway")
    assert foreseen.code == Exit.DONE, foreseen
    assert table(site) == before

    written = site("map", *words, "--reason", "x", "--anyway")
    assert written.code == Exit.DONE, written
    assert missed in written.out
    assert table(site) != before


@pytest.mark.rule("OP-4", "WA-2c")
def test_what_is_doubtful_about_an_assignment_is_told_and_nothing_of_the_others(
    site: Operator,
) -> None:
    shared = site("map", "--organisation", "org-102", "000101", "--reason", "x", "--json").json
    assert [each.partition(", which")[0] for each in shared["doubts"]] == [
        "organisation org-102 has the account 000101"
    ]
    words = ("map", "u-retail-01", "000112", "--reason", "x", "--contact", "000101-C1", "--json")
    told = " ".join(site(*words).json["doubts"])
    assert "customer 000112 is inactive in the ERP" in told
    assert "contact 000101-C1 is no contact of customer 000112" in told
    assert site("map", "u-retail-02", "000102", "--reason", "x", "--json").json["doubts"] == []


@pytest.mark.rule("OP-4", "WA-2")
def test_who_acts_for_an_organisation_too_is_not_moved_there_by_an_assignment_of_their_own(
    site: Operator,
) -> None:
    own = ("map", "u-120-2", "000101", "--reason", "moved")
    hint = "user u-120-2: this counts where they buy for themselves; when they act for org"
    way_out = "say --organisation org-120 as well."

    for said in (site(*own, "--dry-run"), site(*own)):
        assert said.code == Exit.DONE, said
        [told] = [each for each in said.out.splitlines() if hint in each]
        assert told.endswith(way_out)
    within = site(*own, "--organisation", "org-120")
    assert (within.code, "Look at this" in within.out) == (Exit.DONE, False), within


@pytest.mark.rule("OP-4")
def test_a_system_that_is_away_does_not_keep_an_assignment_from_the_files(site: Operator) -> None:
    site.site.database("erp").unlink()
    said = site("map", "u-nobody", "000102", "--reason", "x")
    assert said.code == Exit.DONE
    assert "Not compared with the ERP and the store: " in said.err
    assert "000102,,u-nobody,,x\n" in table(site)


@pytest.mark.rule("OP-4", "WA-2b")
def test_a_retail_group_is_nobodys_account_from_here_either(site: Operator) -> None:
    before = table(site)
    said = site("map", "u-new", "RETAIL-US", "--reason", "x")
    assert said.code == Exit.MISCONFIGURED
    assert "retail group" in said.err
    assert (table(site), audited(site)) == (before, [])


@pytest.mark.rule("OP-4")
def test_a_folder_that_cannot_be_written_leaves_no_entry_either(
    site: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(os, "fsync", fail)
    said = site("map", "u-new", "000102", "--reason", "x", "--anyway")
    assert said.code == Exit.MISCONFIGURED
    assert "Read-only file system" in said.err
    assert audited(site) == []


@pytest.mark.rule("OP-1")
@pytest.mark.parametrize(
    "words",
    [
        ("map", "u-new", "000102", "--reason", "x", "--anyway"),
        ("mappings", "restore", "VERSION", "--reason", "x"),
        ("mappings", "import", "SHEET", "--reason", "x"),
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_while_an_edit_waits_for_another_the_state_is_free(
    site: Operator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    sheet = tmp_path / "sheet.csv"
    assert site("mappings", "export", str(sheet)).code == Exit.DONE
    version = site.site.mapping_version()
    meant = {"VERSION": version, "SHEET": str(sheet)}
    flock, waits = fcntl.flock, []

    def wait(opened: int, how: int) -> None:
        if os.fstat(opened).st_ino == (site.site.root / "mappings").stat().st_ino:
            with closing(sqlite3.connect(site.site.state, timeout=0)) as daemon:
                daemon.execute("BEGIN IMMEDIATE")
            waits.append(how)
        flock(opened, how)

    monkeypatch.setattr(fcntl, "flock", wait)
    said = site(*(meant.get(each, each) for each in words))
    assert said.code == Exit.DONE, said
    assert waits == [fcntl.LOCK_EX]


@pytest.mark.parametrize(
    "words",
    [
        ("map", "000102", "--reason", "x"),
        ("map", "u-new", "000102"),
        ("unmap", "--reason", "x"),
        ("unmap", "u-new"),
    ],
    ids=" ".join,
)
def test_an_assignment_names_somebody_and_a_reason(site: Operator, words: tuple[str, ...]) -> None:
    before = table(site)
    said = site(*words)
    assert said.code in (Exit.USAGE, Exit.MISCONFIGURED)
    assert said.err
    assert table(site) == before


@pytest.mark.rule("OP-4")
@pytest.mark.parametrize(
    "words",
    [
        ("map", "u-retail-01", "000102", "--reason", "x"),
        ("unmap", "u-sole-trader", "--reason", "x"),
        ("mappings", "import", "SHEET", "--force", "--reason", "x"),
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_assignments_are_written_before_the_service_ever_ran(
    fresh: Operator, tmp_path: Path, words: tuple[str, ...]
) -> None:
    sheet = tmp_path / "sheet.csv"
    sheet.write_text("customer_id,organisation,user\n000102,org-102,\n")
    words = tuple(str(sheet) if each == "SHEET" else each for each in words)
    before = table(fresh), (fresh.site.root / "mappings" / "customers.yaml").read_text()

    assert fresh(*words, "--dry-run").code == Exit.DONE
    assert not fresh.site.state.exists(), "who only looks makes no state"
    said = fresh(*words)

    assert said.code == Exit.DONE, said
    assert (table(fresh), (fresh.site.root / "mappings" / "customers.yaml").read_text()) != before
    query = "SELECT count(*) FROM audit WHERE reason = 'x'"
    assert fresh.site.rows(fresh.site.state, query) == [(1,)]
    assert fresh("state", "verify").code == Exit.DONE
    assert fresh("resync", "accounts").code == Exit.DONE, "the service starts on this state"


@pytest.mark.rule("OP-1", "OP-4")
def test_a_state_that_another_process_makes_is_not_made_beside_it(fresh: Operator) -> None:
    before = table(fresh)
    words = ("map", "u-retail-01", "000102", "--reason", "x")
    with hold_writer_lock(f"sqlite:///{fresh.site.state}"):
        said = fresh(*words)
        assert (said.code, table(fresh)) == (Exit.TRY_LATER, before), said
        assert "try again" in said.err
        assert not fresh.site.state.exists()
    assert fresh(*words).code == Exit.DONE
    with hold_writer_lock(f"sqlite:///{fresh.site.state}"):
        assert fresh("unmap", "u-retail-01", "--reason", "x").code == Exit.DONE, "beside a daemon"


@pytest.mark.rule("OI-2", "OP-4")
def test_an_assignment_does_not_make_a_state_anew_that_is_gone(fresh: Operator) -> None:
    assert fresh("map", "u-retail-01", "000102", "--reason", "x").code == Exit.DONE
    before = table(fresh)
    for each in fresh.site.state.parent.glob("state.sqlite*"):
        each.unlink()
    said = fresh("map", "u-retail-02", "000102", "--reason", "x")
    assert (said.code, table(fresh)) == (Exit.MISCONFIGURED, before), said
    assert "tradesync state restore" in said.err
    assert not fresh.site.state.exists()
