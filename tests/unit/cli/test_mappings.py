"""An administrator looks at the versions of the mapping, compares them, and goes back to one."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

import sync.cli.mappings
from sync.cli.output import Exit
from sync.mapping import read_texts, version_of
from sync.mapping.source import MARK
from tests.system.site import SampleSite
from tests.unit.cli.conftest import Operator

pytestmark = pytest.mark.rule("OP-4")

MOVE = ("000101,org-101,,,", "000102,org-101,,000102-C1,")


@pytest.fixture
def site(tmp_path: Path, day_done: SampleSite) -> Operator:
    return Operator(SampleSite(Path(shutil.copytree(day_done.root, tmp_path / "site"))))


def folder(operator: Operator) -> Path:
    return operator.site.root / "mappings"


def version(operator: Operator) -> str:
    return version_of(read_texts(folder(operator)))


def take_up(operator: Operator) -> str:
    """As the daemon does at its next look; the version in force then."""
    assert operator("resync", "accounts").code in (Exit.DONE, Exit.NEEDS_PERSON)
    return operator.site.mapping_version()


def edited(operator: Operator, name: str = "customers.csv", by: tuple[str, str] = MOVE) -> str:
    operator.site.mapping(name, *by)
    return version(operator)


def audited(operator: Operator) -> list[tuple[str, str, str]]:
    query = "SELECT action, subject, reason FROM audit WHERE action = 'restore'"
    return [(str(a), str(b), str(c)) for a, b, c in operator.site.rows(operator.site.state, query)]


def test_versions_are_listed_with_what_is_in_them_and_whose_command_made_them(
    site: Operator,
) -> None:
    first = version(site)
    site("map", "u-new", "000102", "--reason", "account opened: ticket 7", "--anyway")
    second = take_up(site)

    new, old = site("mappings", "list", "--json").json

    assert (new["version"], old["version"]) == (second, first)
    assert (new["in_force"], old["in_force"]) == (True, False)
    assert new["assignments"] == old["assignments"] + 1
    assert new["channels"] > 0
    assert new["at"] >= old["at"]
    assert (new["reason"], old["reason"]) == ("account opened: ticket 7", None)
    assert new["by"] is not None
    assert (old["by"], old["commit"]) == (None, None), "nobody is guessed at"
    assert second in site("mappings", "list").out


def test_a_folder_under_git_names_author_and_commit(site: Operator) -> None:
    def git(*words: str) -> None:
        environ = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull}
        who = ("-c", "user.name=Grace Ö", "-c", "user.email=g@example.org")
        subprocess.run(["git", "-C", folder(site), *who, *words], check=True, env=environ)

    git("init", "-q")
    git("add", "-A")
    git("commit", "-q", "-m", "as it is")
    edited(site)
    take_up(site)

    new, old = site("mappings", "list", "--json").json

    assert (old["by"], old["author"]) == ("Grace Ö", "Grace Ö")
    assert old["commit"]
    assert (new["by"], new["commit"]) == (None, None), "its edit was not committed"
    assert site("mappings", "diff", old["version"], "--json").json["lines"] == []

    git("commit", "-q", "-a", "-m", "moved")
    [gone, come] = site("mappings", "diff", old["version"], "--json").json["lines"]
    assert (gone["added"], gone["text"]) == (False, MOVE[0])
    assert (come["added"], come["text"], come["file"]) == (True, MOVE[1], "customers.csv")
    assert (come["by"], come["line"]) == ("Grace Ö", gone["line"])
    told = site("mappings", "diff", old["version"]).out
    assert f"customers.csv:{come['line']}: + {MOVE[1]}  (Grace Ö, {come['commit']}, " in told


def test_a_version_is_shown_whole_by_its_first_characters(site: Operator) -> None:
    first, texts = version(site), read_texts(folder(site))
    edited(site)
    take_up(site)

    told = site("mappings", "show", first[:6], "--json").json
    assert (told["version"], told["files"]) == (first, texts)
    shown = site("mappings", "show", first[:6], "--file", "customers.csv")
    assert shown.out == texts["customers.csv"]
    assert "customers.csv: " in site("mappings", "show", first).out


@pytest.mark.parametrize(
    "words, said",
    [
        (("show", "abc"), "too short"),
        (("show", "ffffffffffff"), "no version ffffffffffff is kept"),
        (("show", "files", "--file", "x.csv"), "it has accounts.yaml"),
        (("restore", "gone", "--reason", "x"), "no version gone is kept"),
    ],
)
def test_what_is_not_kept_is_said_with_the_way_out(
    site: Operator, words: tuple[str, ...], said: str
) -> None:
    told = site("mappings", *words)
    assert told.code == Exit.FAILED
    assert said in told.err
    assert words[1] in told.err or words[1] == "files"


def test_two_versions_are_compared_in_words_and_as_data(site: Operator) -> None:
    first = version(site)
    edited(site)
    edited(site, by=("000102,org-102,,,", "000102,org-102,,000102-C1,"))
    edited(site, "channels.yaml", ("guest_checkout: true", "guest_checkout: false"))
    second = take_up(site)

    told = site("mappings", "diff", first[:8], second[:8])
    data = site("mappings", "diff", first, second, "--json").json

    assert told.code == Exit.DONE, told
    assert "organisation org-101: 000101 -> 000102" in told.out
    assert "organisation org-102: contact nothing -> 000102-C1" in told.out
    assert "guest_checkout: yes -> no" in told.out
    assert data["moves"] == [
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
    assert (data["old"], data["new"]) == (first, second)
    assert "They say the same." in site("mappings", "diff", second).out, "the files are that one"


def test_without_a_version_the_files_are_compared_with_what_is_in_force(site: Operator) -> None:
    first = version(site)
    assert "They say the same." in site("mappings", "diff").out
    edited(site)
    told = site("mappings", "diff", "--json").json
    assert told["old"] == first
    assert [each["after"] for each in told["moves"]] == ["000102"]
    take_up(site)
    assert "They say the same." in site("mappings", "diff").out


def test_without_a_version_and_before_the_first_start_the_way_out_is_said(fresh: Operator) -> None:
    told = fresh("mappings", "diff")
    assert told.code == Exit.MISCONFIGURED
    assert "the service has not run" in told.err
    assert "tradesync plan mappings" in told.err


def test_a_version_is_put_back_and_counts_as_any_edit(site: Operator) -> None:
    first, texts = version(site), read_texts(folder(site))
    edited(site)
    edited(site, "channels.yaml", ("guest_checkout: true", "guest_checkout: false"))
    second = take_up(site)
    assert second != first

    tried = site("mappings", "restore", first, "--reason", "x", "--dry-run")
    assert "organisation org-101: 000102 -> 000101" in tried.out
    assert (version(site), audited(site)) == (second, [])

    told = site("mappings", "restore", first[:8], "--reason", "sorted by one column")

    assert told.code == Exit.DONE, told
    assert read_texts(folder(site)) == texts
    assert audited(site) == [
        (
            "restore",
            f"mapping {first} put back (mapping {second} -> {first})",
            "sorted by one column",
        )
    ]
    assert take_up(site) == first
    newest = site("mappings", "list", "--json").json[0]
    assert (newest["version"], newest["reason"]) == (first, "sorted by one column")
    again = site("mappings", "restore", first, "--reason", "x")
    assert "already" in again.out
    assert len(audited(site)) == 1


@pytest.mark.rule("OP-4")
def test_a_restore_tells_who_loses_the_account_and_what_else_is_another(
    site: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = version(site)
    edited(site)
    edited(site, "channels.yaml", ("guest_checkout: true", "guest_checkout: false"))
    assert site("map", "u-retail-07", "000102", "--reason", "x").code == Exit.DONE
    second = take_up(site)

    told = site("mappings", "restore", first, "--reason", "x").out
    assert "organisation org-101: 000102 -> 000101" in told
    assert "user u-retail-07: no longer 000102; retail where" in told
    assert "guest_checkout: no -> yes" in told
    take_up(site)
    read = site("mappings", "restore", second, "--reason", "x", "--json").json
    assert [(each["user"], each["after"]) for each in read["moves"]] == [
        ("", "000102"),
        ("u-retail-07", "000102"),
    ]
    assert len(read["settings"]) == 1
    take_up(site)
    monkeypatch.setattr(sync.cli.mappings, "LINES_TOLD", 1)
    cut = site("mappings", "restore", first, "--reason", "x").out
    assert "u-retail-07" not in cut
    assert "and 1 more" in cut


def test_a_dry_run_of_a_restore_tells_that_it_would_be_refused(site: Operator) -> None:
    first = version(site)
    edited(site)
    spoilt = read_texts(folder(site))
    for more in (("--dry-run",), ()):
        said = site("mappings", "restore", first, "--reason", "x", *more)
        assert said.code == Exit.FAILED
        assert "it would be lost" in said.err
    program = site("mappings", "restore", first, "--reason", "x", "--dry-run", "--json")
    assert (program.code, program.json["code"]) == (Exit.FAILED, Exit.FAILED)
    assert "it would be lost" in program.json["error"]
    assert program.json["draft"] == first, "one object: the plan, and that it is refused"
    assert read_texts(folder(site)) == spoilt
    forced = site("mappings", "restore", first, "--reason", "x", "--dry-run", "--force")
    assert forced.code == Exit.DONE


def test_a_restore_says_that_who_moves_cannot_be_told_where_nothing_can_be_compared(
    site: Operator,
) -> None:
    """A newer release may refuse what an older one took up."""
    first = version(site)
    edited(site)
    second = take_up(site)
    site.site.change(
        site.site.state,
        "UPDATE mapping_versions SET files = replace(files, 'customer_id,', 'customer,')"
        f" WHERE version = '{second}'",
    )
    words = ("mappings", "restore", first, "--reason", "x")
    for dry in (("--dry-run",), ()):
        told = site(*words, *dry)
        assert told.code == Exit.DONE, told
        assert "Who moves cannot be told: the version in force cannot be read" in told.out
        assert version(site) == (second if dry else first)
    assert edited(site) == second
    for dry in (("--dry-run",), ()):
        program = site(*words, *dry, "--json").json
        assert (program["moves"], program["settings"]) == (None, None), "not: none"


@pytest.mark.parametrize("moment", ["INSERT", "UPDATE"])
def test_a_restore_whose_audit_entry_cannot_be_kept_is_taken_back(
    site: Operator, moment: str
) -> None:
    first = version(site)
    edited(site)
    edited(site, "channels.yaml", ("guest_checkout: true", "guest_checkout: false"))
    second, texts = take_up(site), read_texts(folder(site))
    site.site.change(
        site.site.state,
        f"CREATE TRIGGER full BEFORE {moment} ON audit BEGIN SELECT RAISE(ABORT, 'full'); END",
    )
    assert site("mappings", "restore", first, "--reason", "x").code != Exit.DONE
    assert (version(site), read_texts(folder(site)), audited(site)) == (second, texts, [])


def test_an_edit_that_was_never_in_force_is_not_lost_by_accident(site: Operator) -> None:
    first = version(site)
    edited(site)
    take_up(site)
    unknown = edited(site, by=("org-102", "org-1O2"))

    told = site("mappings", "restore", first, "--reason", "x")

    assert told.code == Exit.FAILED
    assert unknown in told.err
    assert "--force" in told.err
    assert (version(site), audited(site)) == (unknown, [])
    assert site("mappings", "restore", first, "--reason", "x", "--force").code == Exit.DONE
    assert version(site) == first


def test_files_that_cannot_be_read_are_put_right_by_force(site: Operator) -> None:
    first = version(site)
    (folder(site) / "customers.csv").write_bytes(b"\xff\xfe\x00")
    assert site("mappings", "restore", first, "--reason", "x").code == Exit.FAILED
    assert site("mappings", "restore", first, "--reason", "x", "--force").code == Exit.DONE
    assert version(site) == first


def test_a_restore_that_stopped_half_way_is_gone_on_with(site: Operator) -> None:
    """Its files are of two versions that were both in force, so nothing is lost."""
    first, channels = version(site), folder(site) / "channels.yaml"
    old = channels.read_text()
    edited(site)
    edited(site, channels.name, ("guest_checkout: true", "guest_checkout: false"))
    second = take_up(site)
    channels.write_text(old)  # this one was in place when it stopped, customers.csv not yet
    (folder(site) / MARK).touch()
    half = version_of(read_texts(folder(site), half_written=True))
    assert half not in (first, second)

    told = site("mappings", "restore", first, "--reason", "x")
    assert told.code == Exit.DONE, told
    assert version(site) == first


@pytest.mark.parametrize("odd", [b"# mine\n", b"\xff"], ids=["text", "not_utf_8"])
def test_what_somebody_saved_after_a_restore_stopped_is_not_lost_by_accident(
    site: Operator, odd: bytes
) -> None:
    first, table = version(site), folder(site) / "customers.csv"
    (folder(site) / MARK).touch()
    mine = table.read_bytes() + odd
    table.write_bytes(mine)

    told = site("mappings", "restore", first, "--reason", "x")
    assert told.code == Exit.FAILED
    assert "never in force" in told.err
    assert "--force" in told.err
    assert (table.read_bytes(), audited(site)) == (mine, [])
    assert (folder(site) / MARK).exists(), "so that nothing of it counts by itself"

    assert site("mappings", "restore", first, "--reason", "x", "--force").code == Exit.DONE
    assert version(site) == first


def test_a_file_that_is_newer_than_the_version_is_emptied_where_it_is_in_force(
    site: Operator,
) -> None:
    """A file that is simply gone would be refused, and the restore with it."""
    codes = folder(site) / "codes.yaml"
    second = site.site.mapping_version()
    site.site.change(  # the version before knew no codes yet
        site.site.state,
        "INSERT INTO mapping_versions (pipeline, version, files, at) SELECT pipeline, 'x',"
        " json_remove(files, '$.\"codes.yaml\"'), at FROM mapping_versions",
        "UPDATE mapping_versions SET id = id + 10 WHERE version <> 'x'",
    )
    texts = {name: text for name, text in read_texts(folder(site)).items() if name != codes.name}
    first = version_of(texts)
    site.site.change(
        site.site.state, f"UPDATE mapping_versions SET version = '{first}' WHERE version = 'x'"
    )
    assert site.site.mapping_version() == second

    told = site("mappings", "restore", first, "--reason", "x")

    assert told.code == Exit.DONE, told
    assert codes.read_text() == "{}\n"
    assert f"counts as {version(site)}" in told.out
    assert take_up(site) == version(site)


def test_a_version_from_which_a_person_was_erased_is_not_put_back(site: Operator) -> None:
    first = version(site)
    edited(site)
    take_up(site)
    site.site.change(
        site.site.state,
        "UPDATE mapping_versions SET files = replace(files, 'org-102', '(erased)')"
        f" WHERE version = '{first}'",
    )
    told = site("mappings", "restore", first, "--reason", "x")
    assert told.code == Exit.MISCONFIGURED
    assert "erased" in told.err
    assert audited(site) == []


def test_a_command_says_in_a_sentence_that_a_newer_mapping_is_refused(site: Operator) -> None:
    first = version(site)
    edited(site, by=("000101,org-101", "RETAIL-US,org-101"))
    told = site("explain", "user", "u-7719")
    assert "mapping.refused" not in told.out + told.err
    assert told.err.count("are refused; the last good version") == 1
    assert first in told.err
    assert "tradesync check mappings" in told.err


def test_status_says_which_version_runs_and_why_the_newer_one_does_not(site: Operator) -> None:
    first = version(site)
    assert f"running on {first} of " in site("status").out
    refused = edited(site, by=("000101,org-101", "RETAIL-US,org-101"))
    take_up(site)

    told, data = site("status"), site("status", "--json").json["pipelines"][0]

    assert told.code == Exit.NEEDS_PERSON
    assert (
        f"running on {first} of {data['mapping_since']}; the newer one ({refused}) is" in told.out
    )
    assert "customers.csv:" in told.out
    assert "retail group" in told.out
    assert f"tradesync mappings restore {first[:8]} --force" in told.out
    assert (data["mapping"], data["mapping_refused_version"]) == (first, refused)
    assert site("mappings", "restore", first[:8], "--force", "--reason", "x").code == Exit.DONE
    take_up(site)
    assert "is refused" not in site("status").out
