"""An administrator takes the assignments into a spreadsheet and brings them back."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sync.cli.output import Exit
from sync.mapping import read_texts, version_of
from tests.system.site import SampleSite
from tests.unit.cli.conftest import Operator

pytestmark = pytest.mark.rule("OP-4")


@pytest.fixture
def site(tmp_path: Path, day_done: SampleSite) -> Operator:
    return Operator(SampleSite(Path(shutil.copytree(day_done.root, tmp_path / "site"))))


@pytest.fixture
def sheet(site: Operator, tmp_path: Path) -> Path:
    """What was exported a moment ago."""
    path = tmp_path / "sheet.csv"
    said = site("mappings", "export", str(path), "--separator", "semicolon")
    assert said.code == Exit.DONE, said
    return path


def texts(operator: Operator) -> dict[str, str]:
    return read_texts(operator.site.root / "mappings")


def audited(operator: Operator) -> list[tuple[str, str]]:
    query = "SELECT subject, reason FROM audit WHERE action = 'import'"
    return [(str(a), str(b)) for a, b in operator.site.rows(operator.site.state, query)]


def edit(sheet: Path, before: str, after: str) -> None:
    text = sheet.read_bytes().decode("utf-8-sig")
    assert before in text
    sheet.write_bytes(text.replace(before, after, 1).encode("utf-8-sig"))


def test_what_was_exported_comes_back_without_changing_a_byte(site: Operator, sheet: Path) -> None:
    before = texts(site)
    content = sheet.read_bytes()
    assert content.startswith(b"\xef\xbb\xbforganisation;user;contact;note;customer_id\r\n")
    assert b"org-101;;;;000101\r\n" in content
    assert b";u-sole-trader;;;000126\r\n" in content, "exceptions are in it too"

    said = site("mappings", "import", str(sheet), "--reason", "x")

    assert said.code == Exit.DONE, said
    assert "already" in said.out
    assert (texts(site), audited(site)) == (before, [])


def test_an_import_is_one_edit_with_its_reason(site: Operator, sheet: Path) -> None:
    before = texts(site)
    edit(sheet, "org-101;;;;000101\r\n", "org-101;;;;000103\r\norg-new;;;;000101\r\n")

    tried = site("mappings", "import", str(sheet), "--dry-run")
    assert "1 added, 1 moved to another account, 0 taken out" in tried.out
    assert "organisation org-101: 000101 -> 000103" in tried.out
    assert (texts(site), audited(site)) == (before, [])

    done = site("mappings", "import", str(sheet), "--reason", "two new branches", "--json").json

    assert (done["added"], done["moved"], done["removed"]) == (1, 1, 0)
    assert (done["before"], done["after"]) == (version_of(before), version_of(texts(site)))
    table = texts(site)["customers.csv"]
    assert table.endswith("000101,org-new,,,\n")
    assert "000103,org-101,,,\n" in table
    [(subject, reason)] = audited(site)
    assert subject.startswith("sheet.csv: 1 added, 1 moved")
    assert reason == "two new branches"
    site("resync", "accounts")
    newest = site("mappings", "list", "--json").json[0]
    assert (newest["version"], newest["reason"]) == (done["after"], "two new branches")


def test_an_import_whose_audit_entry_cannot_be_kept_is_taken_back(
    site: Operator, sheet: Path
) -> None:
    before = texts(site)
    edit(sheet, "org-101;;;;000101\r\n", "org-101;;;;000103\r\n")
    site.site.change(
        site.site.state,
        "CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'full'); END",
    )
    assert site("mappings", "import", str(sheet), "--reason", "x").code != Exit.DONE
    assert (texts(site), audited(site)) == (before, [])


def test_zeros_that_a_spreadsheet_took_away_are_missed(site: Operator, sheet: Path) -> None:
    """Also of a customer whom only the ERP knows."""
    before = texts(site)
    edit(sheet, "org-101;;;;000101\r\n", "org-101;;;;101\r\n")
    edit(sheet, "org-102;;;;000102\r\n", "org-102;;;;131\r\n")
    said = site("mappings", "import", str(sheet), "--reason", "x")
    assert said.code == Exit.MISCONFIGURED
    assert "customer_id lost its leading zeros: 000101 is known (`101`)" in said.err
    assert "customer_id lost its leading zeros: 000131 is known (`131`)" in said.err
    assert (texts(site), audited(site)) == (before, [])


def test_an_erp_that_is_away_is_told_and_the_files_alone_are_compared_with(
    site: Operator, sheet: Path
) -> None:
    edit(sheet, "org-101;;;;000101\r\n", "org-101;;;;101\r\n")
    site.site.database("erp").unlink()
    said = site("mappings", "import", str(sheet), "--reason", "x")
    assert said.code == Exit.MISCONFIGURED
    assert "compared with the mapping files only" in said.err
    assert "000101 is known" in said.err


def test_a_table_that_lost_most_of_its_rows_is_not_believed(site: Operator, sheet: Path) -> None:
    before = texts(site)
    rows = sheet.read_bytes().splitlines(keepends=True)
    sheet.write_bytes(b"".join(rows[:5]))
    said = site("mappings", "import", str(sheet), "--reason", "x")
    assert said.code == Exit.MISCONFIGURED
    assert "a filter" in said.err
    assert "--force" in said.err
    assert (texts(site), audited(site)) == (before, [])
    assert site("mappings", "import", str(sheet), "--reason", "x", "--force").code == Exit.DONE
    assert len(audited(site)) == 1


def test_a_dry_run_ends_as_the_import_would(site: Operator, sheet: Path) -> None:
    before = texts(site)
    rows = sheet.read_bytes().splitlines(keepends=True)
    sheet.write_bytes(b"".join(rows[:5]))
    words = ("mappings", "import", str(sheet), "--dry-run")
    said = site(*words)
    assert said.code == site(*words[:-1], "--reason", "x").code == Exit.MISCONFIGURED
    assert "say --force if it is meant" in said.err
    assert "Who moves" in said.out, "what it would do is told all the same"
    program = site(*words, "--json")
    assert (program.code, program.json["code"]) == (Exit.MISCONFIGURED, Exit.MISCONFIGURED)
    assert program.json["error"] in program.err
    assert len(program.json["moves"]) > 10
    forced = site(*words, "--force")
    assert (forced.code, forced.err) == (Exit.DONE, "")
    assert "error" not in site(*words, "--force", "--json").json
    assert (texts(site), audited(site)) == (before, [])


def test_an_older_windows_is_read_where_it_is_said(site: Operator, sheet: Path) -> None:
    edit(sheet, "org-101;;;;000101\r\n", "org-101;;;Größe;000101\r\n")
    sheet.write_bytes(sheet.read_text("utf-8-sig").encode("windows-1252"))
    said = site("mappings", "import", str(sheet), "--reason", "x")
    assert "is not UTF-8" in said.err
    assert "--encoding windows-1252" in said.err
    words = ("mappings", "import", str(sheet), "--reason", "x", "--encoding", "windows-1252")
    assert site(*words).code == Exit.DONE
    assert "000101,org-101,,,Größe\n" in texts(site)["customers.csv"]


def test_nothing_is_computed_in_the_spreadsheet(site: Operator, tmp_path: Path) -> None:
    words = ("--reason", "=HYPERLINK(0)", "--anyway")
    assert site("map", "u-5", "000102", *words, "--dry-run").code == Exit.DONE
    assert site("map", "u-5", "000102", *words).code == Exit.DONE
    path = tmp_path / "out.csv"
    assert site("mappings", "export", str(path)).code == Exit.DONE
    assert b",u-5,,'=HYPERLINK(0),000102\r\n" in path.read_bytes()
    before = texts(site)
    site("mappings", "import", str(path), "--reason", "x")
    assert texts(site) == before


def test_an_export_overwrites_nothing_and_is_no_mapping_file(site: Operator, sheet: Path) -> None:
    before = sheet.read_bytes()
    again = site("mappings", "export", str(sheet))
    assert again.code == Exit.FAILED, "nothing is wrong with the settings"
    assert "--force" in again.err
    assert sheet.read_bytes() == before
    assert site("mappings", "export", str(sheet), "--force", "--json").json["assignments"] > 30
    inside = site("mappings", "export", str(site.site.root / "mappings" / "x.csv"))
    assert inside.code == Exit.FAILED
    assert "another folder" in inside.err
    nowhere = site("mappings", "export", str(sheet.parent / "none" / "x.csv"))
    assert nowhere.code == Exit.FAILED
    assert "cannot be written" in nowhere.err


def test_an_import_says_why(site: Operator, sheet: Path) -> None:
    said = site("mappings", "import", str(sheet))
    assert said.code == Exit.USAGE
    assert "--reason" in said.err
