"""An administrator checks edited files before putting them in place."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from sync.cli.output import Exit
from tests.system.site import SampleSite
from tests.unit.cli.conftest import Operator


@pytest.fixture
def draft(fresh: Operator, tmp_path: Path) -> Path:
    return Path(shutil.copytree(fresh.site.root / "mappings", tmp_path / "draft"))


def edit(draft: Path, before: str, after: str, name: str = "customers.csv") -> None:
    text = (draft / name).read_text()
    assert before in text
    (draft / name).write_text(text.replace(before, after, 1))


# What the sample's files say of the sample's systems, so that orders are held for it.
KNOWN = """\
customers.csv:17:1: warning: customer 000112 is inactive in the ERP (`000112`)
customers.csv:18:1: warning: customer 000113 is only a prospect in the ERP (`000113`)
customers.csv:42:1: warning: customer 000199: the ERP has no such customer (`000199`)
customers.yaml:21:14: warning: contact 000117-C1 is no contact of customer 000118 in the ERP \
(`000117-C1`)
customers.csv:40:1: warning: organisation org-second-desk has the account 000117, which \
organisation org-117 has too (customers.csv:22): each sees the invoices and ship-tos of the other \
(`000117`)
customers.csv:41:1: warning: organisation org-still-reviewed has the account 000120, which \
organisation org-120 has too (customers.csv:25): each sees the invoices and ship-tos of the other \
(`000120`)
customers.yaml:15:18: warning: user u-sole-trader has the account 000126, which \
organisation org-126 has too (customers.csv:31): each sees the invoices and ship-tos of the other \
(`000126`)
customers.yaml:9:28: warning: user u-meant-as-retail: RETAIL-US is a retail group and cannot be \
one buyer's account (WA-2 store attribute of user u-meant-as-retail) (`store_attribute`)
customers.yaml:9:28: warning: user u-padded-attribute: The store's attribute of user \
u-padded-attribute is no customer ID: ' 000117 ' (`store_attribute`)
customers.yaml:9:45: warning: user u-shared-mailbox: The verified e-mail address of user \
u-shared-mailbox is a contact of 2 accounts (000123, 000124) (`erp_email`)
""".splitlines()


@pytest.mark.rule("OP-4", "WA-2c")
def test_files_in_place_are_held_against_the_live_systems(fresh: Operator) -> None:
    told = fresh("check", "mappings", "--lines")
    assert told.code == Exit.DONE, told
    lines = [each.partition(";")[0] for each in told.out.splitlines()]
    folder = f"{fresh.site.root / 'mappings'}/"
    assert [each.removeprefix(folder) for each in lines] == KNOWN
    assert not [each for each in lines if not each.startswith(folder)]
    assert {each["level"] for each in fresh("check", "mappings", "--json").json} == {"warning"}


@pytest.mark.rule("OP-4")
def test_files_of_which_nothing_is_to_be_said_are_told_so(fresh: Operator, draft: Path) -> None:
    (draft / "customers.csv").write_text("customer_id,organisation\n000101,org-101\n")
    (draft / "customers.yaml").write_text("precedence: [mapping_file]\n")
    (draft / "accounts.yaml").write_text("{}\n")

    told = fresh("check", "mappings", "--draft", str(draft))

    assert told.code == Exit.DONE, told
    assert "is sound: 1 assignments, all known." in told.out
    assert fresh("check", "mappings", "--draft", str(draft), "--json").json == []


@pytest.mark.rule("OP-4")
def test_all_mistakes_are_told_at_once_with_place_and_way_out_in_each_shape(
    fresh: Operator, draft: Path
) -> None:
    edit(draft, "000101,org-101,,,", "000101,org-102,,,")
    edit(draft, "commerce_mode: hybrid", "commerce_mode: hybird", "channels.yaml")

    lines = fresh("check", "mappings", "--draft", str(draft), "--lines")
    read = fresh("check", "mappings", "--draft", str(draft), "--json").json
    table = fresh("check", "mappings", "--draft", str(draft))

    assert lines.code == table.code == Exit.FAILED
    told = lines.out.splitlines()
    assert len(told) == len(read)
    assert any(
        each.startswith(f"{draft}/customers.csv:7:") and ": error: " in each for each in told
    )
    assert any(
        each.startswith(f"{draft}/channels.yaml:") and "(`hybird`);" in each for each in told
    )
    assert all(each["remedy"] and each["line"] for each in read)
    assert {each["file"] for each in read} >= {"customers.csv", "channels.yaml"}
    assert "hybird" in {each["text"] for each in read}
    assert "did you mean" in table.out


@pytest.mark.rule("OP-4", "WA-2b", "WA-2c")
def test_a_mistake_hides_no_other_mistake_and_nothing_that_the_systems_lack(
    fresh: Operator, draft: Path
) -> None:
    edit(draft, "000101,org-101,,,", "00 0101\u200b,org-101,,,")
    edit(draft, "000102,org-102,,,", "RETAIL-US,org-102,,,")
    edit(draft, "000104,org-104,,,", "999104,org-104,,,")

    told = fresh("check", "mappings", "--draft", str(draft), "--json")

    assert told.code == Exit.FAILED
    found = {(each["level"], each["file"], each["line"]) for each in told.json}
    assert {("error", "customers.csv", 6), ("error", "customers.csv", 7)} <= found
    lacks = [each for each in told.json if "999104" in each["message"]]
    assert [each["level"] for each in lacks] == ["warning"]
    assert "the ERP has no such customer" in lacks[0]["message"]


@pytest.mark.rule("OP-4", "WA-2c")
def test_what_the_live_systems_lack_is_a_warning_at_its_line(fresh: Operator, draft: Path) -> None:
    edit(draft, "000101,org-101,,,", "000101,org-1O1,,,")
    edit(draft, "000102,org-102,,,", "OOO102,org-102,,,")

    told = fresh("check", "mappings", "--draft", str(draft), "--lines")

    assert told.code == Exit.DONE, told
    assert (
        "customers.csv:6:8: warning: organisation org-1O1: the store has no such organisation"
        " (`org-1O1`);" in told.out
    )
    assert "customers.csv:7:1: warning: customer OOO102: the ERP has no such customer" in told.out
    edit(draft, "OOO102,", "102,")
    told = fresh("check", "mappings", "--draft", str(draft))
    assert "no such customer; it lost its leading zeros: 000102 is known" in told.out


@pytest.mark.rule("OP-4")
def test_lines_open_from_where_the_command_runs(
    fresh: Operator, draft: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(draft, "commerce_mode: hybrid", "commerce_mode: hybird", "channels.yaml")
    monkeypatch.chdir(draft.parent)
    told = fresh("check", "mappings", "--draft", "draft", "--lines")
    places = [each.partition(": ")[0].rpartition(":")[0].rpartition(":")[0]
              for each in told.out.splitlines()]  # fmt: skip
    assert "draft/channels.yaml" in places
    assert [each for each in places if not Path(each).is_file()] == []


@pytest.mark.rule("OP-4")
def test_a_file_that_is_no_text_is_told_as_any_mistake_in_each_shape(
    fresh: Operator, draft: Path
) -> None:
    table = draft / "customers.csv"
    table.write_bytes(table.read_bytes() + b"\n# caf\xe9\n")
    line = table.read_bytes().count(b"\n")

    lines = fresh("check", "mappings", "--draft", str(draft), "--lines")
    [read] = fresh("check", "mappings", "--draft", str(draft), "--json").json

    assert lines.code == Exit.FAILED
    assert lines.out.startswith(f"{table}:{line}:6: error: the file is not UTF-8")
    assert (read["file"], read["line"], read["level"]) == ("customers.csv", line, "error")
    assert "not UTF-8" in fresh("check", "mappings", "--draft", str(draft)).out


@pytest.mark.rule("OP-4")
def test_a_good_draft_is_checked_although_the_files_in_place_are_not(
    fresh: Operator, draft: Path
) -> None:
    (fresh.site.root / "mappings" / "channels.yaml").write_text("channels: [")
    assert fresh("check", "mappings").code == Exit.FAILED
    told = fresh("check", "mappings", "--draft", str(draft))
    assert told.code == Exit.DONE, told


@pytest.mark.rule("OP-4")
def test_files_that_cannot_be_held_against_a_system_that_is_away_are_not_called_sound(
    fresh: Operator,
) -> None:
    fresh.site.database("erp").unlink()
    told = fresh("check", "mappings")
    assert told.code != Exit.DONE
    assert "sound" not in told.out


@pytest.mark.parametrize(
    "words", [("check", "--lines"), ("check", "--draft", "."), ("check", "mapping")], ids=" ".join
)
def test_what_does_not_go_together_is_wrong_usage(fresh: Operator, words: tuple[str, ...]) -> None:
    told = fresh(*words)
    assert told.code == Exit.USAGE
    assert told.out == ""


@pytest.mark.rule("WA-6", "OP-4")
def test_check_of_everything_reads_some_prices_both_ways(fresh: Operator) -> None:
    found = {each["subject"]: each["level"] for each in fresh("check", "--json").json}
    feeds = {subject: level for subject, level in found.items() if "price feed " in subject}
    assert (len(feeds), set(feeds.values())) == (5, {"ok"})


@pytest.mark.rule("OP-4", "WA-2c")
def test_every_finding_has_its_place_and_the_word_that_is_wrong_in_each_shape(
    fresh: Operator, draft: Path
) -> None:
    edit(draft, "000101,org-101,,,", "000101,org-1O1,u-nobody,,")
    edit(draft, "000117,org-second-desk,,,", "000112,org-second-desk,,,")
    edit(draft, '"000102": {custom_ship_to: true}', '"000102": {default_contact: 000117-C1}',
         "accounts.yaml")  # fmt: skip
    edit(draft, "customer_id: RETAIL-EU", "customer_id: RETAIL-EV", "channels.yaml")
    (draft / "notes.txt.csv").write_text("")

    told = fresh("check", "mappings", "--draft", str(draft), "--json").json
    (draft / "notes.txt.csv").unlink()
    told += fresh("check", "mappings", "--draft", str(draft), "--json").json
    lines = fresh("check", "mappings", "--draft", str(draft), "--lines").out
    table = fresh("check", "mappings", "--draft", str(draft)).out

    assert {each["level"] for each in told} == {"error", "warning"}
    for each in told:
        assert min(each["line"], each["column"]) >= 1
        assert each["message"]
        assert each["remedy"]
        written = (draft / each["file"]).read_text().splitlines() if each["text"] else []
        if written:
            assert written[each["line"] - 1][each["column"] - 1 :].startswith(
                (each["text"], f'"{each["text"]}"')
            )
    found = {(each["file"], each["line"], each["text"], each["message"]) for each in told}
    where = {(file, text): line for file, line, text, message in found if "contact of" in message}
    assert where["accounts.yaml", "000117-C1"] == 22
    inactive = [
        line for _, line, _, said in found if said == "customer 000112 is inactive in the ERP"
    ]
    assert sorted(inactive) == [17, 40], "at each line that names it"
    assert {text for _, _, text, said in found if "no such" in said} >= {
        "org-1O1",
        "u-nobody",
        "RETAIL-EV",
    }
    assert ":6:16: warning: user u-nobody: the store has no such user (`u-nobody`); " in lines
    assert "RETAIL-EV" in table


@pytest.mark.rule("OP-4")
def test_a_system_that_is_away_is_told_in_the_shape_of_a_place_too(fresh: Operator) -> None:
    fresh.site.database("erp").unlink()
    [told] = fresh("check", "mappings", "--json").json
    settings = str(fresh.site.root / "config" / "tradesync.toml")
    assert (told["file"], told["line"], told["column"]) == (settings, 1, 1)
    assert told["message"].startswith("not compared with the systems: ")
    assert told["remedy"] == "Correct what is named here, then try again."
    assert fresh("check", "mappings", "--lines").out.startswith(f"{settings}:1:1: error: ")


@pytest.mark.rule("OP-4")
def test_what_the_service_will_refuse_or_doubt_is_told_before_it_looks(operator: Operator) -> None:
    root = operator.site.root.parent / "copy"
    shutil.copytree(operator.site.root, root)
    site = Operator(SampleSite(root))
    (root / "mappings" / "codes.yaml").unlink()
    table = (root / "mappings" / "customers.csv").read_text().splitlines(keepends=True)
    (root / "mappings" / "customers.csv").write_text("".join(table[:15]))
    told = site("check", "mappings", "--json")
    assert told.code == Exit.FAILED
    found = {(each["level"], each["file"]): each for each in told.json if each["line"] == 1}
    gone = found["error", "codes.yaml"]
    assert gone["message"] == "the file is gone since the last good version"
    planned = site("plan", "mappings")
    assert planned.code == Exit.FAILED
    assert "codes.yaml: the file is gone since the last good version" in planned.err
    (root / "mappings" / "codes.yaml").write_text("{}\n")
    told = site("check", "mappings", "--json")
    assert told.code == Exit.DONE
    (doubt,) = [each for each in told.json if each["line"] == 1]
    assert (doubt["level"], doubt["file"]) == ("warning", "customers.csv")
    assert "are gone" in doubt["message"]
    assert site("plan", "mappings").code == Exit.DONE


@pytest.mark.rule("OP-4")
def test_the_way_out_of_a_refused_file_is_told_once(fresh: Operator) -> None:
    fresh("resync", "accounts")
    (fresh.site.root / "mappings" / "codes.yaml").unlink()
    told = [each for each in fresh("check", "--json").json if each["subject"] == "the files"]
    (gone,) = [each for each in told if each["level"] == "error"]
    assert gone["message"].endswith("the file is gone since the last good version")
    assert gone["remedy"].startswith("put it back")


@pytest.mark.rule("OP-4")
def test_a_refused_edit_is_an_error_and_stops_no_service(fresh: Operator) -> None:
    fresh("resync", "accounts")
    in_force = fresh.site.mapping_version()
    (fresh.site.root / "mappings" / "codes.yaml").write_text("payment_methods: [\n")

    said = fresh("check")

    assert said.code == Exit.FAILED, said
    assert re.search(f"version {in_force}, .*; it stays in force, and the files as they", said.out)
    assert said.out.splitlines()[-1].startswith(
        "The service can run, but what the errors name stands still or does not count: 1 error"
    )


@pytest.mark.rule("OP-4")
def test_what_keeps_the_service_from_starting_ends_the_check_as_it_would_the_service(
    fresh: Operator,
) -> None:
    settings = fresh.site.settings.read_text()
    codes = fresh.site.root / "mappings" / "codes.yaml"
    sound = codes.read_text()
    codes.write_text("payment_methods: [\n")
    for said in (fresh("check"), fresh("check", "--json"), fresh.site.tradesync("run")):
        assert said.code == Exit.MISCONFIGURED, said
    verdict = fresh("check").out.splitlines()[-1]
    assert verdict.startswith("The service cannot start so (it ends with 78): ")

    codes.write_text(sound)
    assert fresh("check").code == Exit.DONE
    # A store that nobody gave a secret for hints.
    listens = '[service]\nhints_listen = "127.0.0.1:8780"'
    fresh.site.settings.write_text(settings.replace("[service]", listens, 1))
    said = fresh("check")
    assert said.code == fresh.site.tradesync("run").code == Exit.MISCONFIGURED, said
    assert "no store takes hints" in said.out
