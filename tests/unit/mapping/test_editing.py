"""A program edits the files as a careful person would: one line, and nothing besides."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.errors import Conflict, Misconfigured
from sync.mapping import FilesRefused, MappingSource, check_texts, read_texts, version_of
from sync.mapping.editing import Edit, edited
from sync.mapping.saving import Found, alone, edit_in_place, put_in_place
from sync.mapping.source import MARK

CHANNELS = """\
channels:
  shop:
    commerce_mode: hybrid
    retail_groups:
      - {customer_id: RETAIL-US, currencies: [USD]}
"""
TABLE = """\
# Ours. Keep the order of the lines!
organisation;user;contact;note;customer_id

org-101;;;"Mill; the old one";000101
 org-102 ; ; ; ; 000102
;u-7719;000102-C1;buys for himself;000102
# the end
"""
YAML = """\
# few
assignments:
  - user: u-1
    customer_id: '000103'  # he asked for it
  - {organisation: org-9, customer_id: "000104", note: x}
"""


def files(**changes: str) -> dict[str, str]:
    base = {"channels.yaml": CHANNELS, "customers.csv": TABLE, "customers.yaml": YAML}
    return base | {name.replace("_", "."): text for name, text in changes.items()}


def accounts(texts: Mapping[str, str]) -> dict[tuple[str, str], str]:
    mapping = check_texts(texts).mapping
    assert mapping is not None, check_texts(texts).problems
    return {
        (str(each.user or ""), str(each.organisation or "")): str(each.customer_id)
        for each in mapping.assignments
    }


def changed_lines(before: str, after: str) -> tuple[list[str], list[str]]:
    old, new = before.split("\n"), after.split("\n")
    return [each for each in old if each not in new], [each for each in new if each not in old]


@pytest.mark.rule("OP-4")
def test_a_new_assignment_is_a_line_at_the_end_in_the_tables_own_shape() -> None:
    after = edited(files(), Edit("u-8", "org-101", "000105", contact="C-9", note="subsidiary"))

    assert after["customers.csv"] == TABLE + "org-101;u-8;C-9;subsidiary;000105\n"
    assert after["customers.yaml"] == YAML
    assert accounts(after) == accounts(files()) | {("u-8", "org-101"): "000105"}


@pytest.mark.rule("OP-4")
@pytest.mark.parametrize(
    "edit, old, new",
    [
        (
            Edit("", "org-101", "000106"),
            'org-101;;;"Mill; the old one";000101',
            'org-101;;;"Mill; the old one";000106',
        ),
        (Edit("", "org-102", "000106"), " org-102 ; ; ; ; 000102", " org-102 ; ; ; ;000106"),
        (
            Edit("u-7719", "", "000107", contact=""),
            ";u-7719;000102-C1;buys for himself;000102",
            ";u-7719;;buys for himself;000107",
        ),
    ],
)
def test_a_move_changes_the_cell_and_leaves_the_line(edit: Edit, old: str, new: str) -> None:
    after = edited(files(), edit)
    assert changed_lines(TABLE, after["customers.csv"]) == ([old], [new])


@pytest.mark.rule("OP-4")
def test_taking_out_is_one_line_less() -> None:
    after = edited(files(), Edit("u-7719", "", None))
    gone, new = changed_lines(TABLE, after["customers.csv"])
    assert (gone, new) == ([";u-7719;000102-C1;buys for himself;000102"], [])
    assert ("u-7719", "") not in accounts(after)


@pytest.mark.rule("OP-4")
def test_the_yaml_file_keeps_its_comments_and_quotes_stay_quotes() -> None:
    after = edited(files(), Edit("u-1", "", "000108"))
    assert after["customers.yaml"] == YAML.replace("'000103'  #", "'000108'  #")
    after = edited(files(), Edit("", "org-9", "no"))
    assert after["customers.yaml"] == YAML.replace('"000104"', "'no'")
    assert accounts(after)["", "org-9"] == "no"


ENTRIES = """\
# few
assignments:

  # He asked for it.
  - user: u-1
    customer_id: '000103'  # since March
    # an older one: 000099
    note: |
      two lines
      # of a note

  # The branch.
  - {organisation: org-9, customer_id: "000104", note: x}
  - organisation: org-8
    contact: P-1
    customer_id: '000105'
    # see ticket 7
precedence: [mapping_file]  # nothing else
"""


@pytest.mark.rule("OP-4")
@pytest.mark.parametrize(
    "edit, gone",
    [
        (Edit("u-1", "", None), (5, 10)),
        (Edit("", "org-9", None), (13, 13)),
        (Edit("", "org-8", None), (14, 16)),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_an_entry_is_taken_out_of_the_yaml_file_with_its_lines_and_no_other(
    edit: Edit, gone: tuple[int, int], newline: str
) -> None:
    text = ENTRIES.replace("\n", newline)
    after = edited(files(customers_yaml=text), edit)

    lines = ENTRIES.split("\n")
    del lines[gone[0] - 1 : gone[1]]
    assert after["customers.yaml"] == newline.join(lines)
    assert after["customers.csv"] == TABLE
    left = accounts(files(customers_yaml=text))
    left.pop((edit.user, edit.organisation))
    assert accounts(after) == left


@pytest.mark.rule("OP-4")
def test_the_last_entry_leaves_an_empty_list() -> None:
    first = edited(files(), Edit("u-1", "", None))
    after = edited(first, Edit("", "org-9", None))
    assert after["customers.yaml"] == "# few\nassignments:\n"


@pytest.mark.rule("OP-4", "WA-12")
@pytest.mark.parametrize(
    "edit, old, new",
    [
        (
            Edit("u-1", "", "000103", contact="P-2"),
            "'000103'  # since March\n",
            "'000103'  # since March\n    contact: P-2\n",
        ),
        (
            Edit("", "org-8", "000107", contact="007"),
            "    contact: P-1\n    customer_id: '000105'\n",
            "    contact: '007'\n    customer_id: '000107'\n",
        ),
        (
            Edit("", "org-8", "000105", contact=""),
            "    contact: P-1\n    customer_id: '000105'\n",
            "    customer_id: '000105'\n",
        ),
    ],
)
def test_a_contact_gets_its_line_in_the_yaml_file(edit: Edit, old: str, new: str) -> None:
    after = edited(files(customers_yaml=ENTRIES), edit)
    assert after["customers.yaml"] == ENTRIES.replace(old, new)


@pytest.mark.rule("OP-4")
@pytest.mark.parametrize(
    "text, edit",
    [
        ("assignments: [{user: u-1, customer_id: '000103'}]\n", Edit("u-1", "", None)),
        (YAML, Edit("", "org-9", "000104", contact="P-1")),
        (
            "assignments:\n  - {user: u-1, contact: P-1,\n     customer_id: '000103'}\n",
            Edit("u-1", "", "000103", contact=""),
        ),
        (
            "assignments:\n  - contact: P-1\n    user: u-1\n    customer_id: '000103'\n",
            Edit("u-1", "", "000103", contact=""),
        ),
    ],
)
def test_what_a_program_might_spoil_is_left_to_a_person_with_the_place(
    text: str, edit: Edit
) -> None:
    with pytest.raises(Misconfigured, match=r"customers\.yaml:\d; edit that entry"):
        edited(files(customers_yaml=text), edit)


@pytest.mark.rule("OP-4")
@pytest.mark.parametrize(
    "text",
    [
        "assignments: [{user: u-1, customer_id: '000103'}]\n",
        "assignments:\n- {user: u-1,\n   customer_id: '000103'}\n",
    ],
)
def test_within_brackets_the_id_is_replaced_where_it_stands(text: str) -> None:
    after = edited(files(customers_yaml=text), Edit("u-1", "", "000108"))
    assert after["customers.yaml"] == text.replace("000103", "000108")


@pytest.mark.rule("OP-4")
def test_an_edit_that_is_there_already_changes_no_file() -> None:
    assert edited(files(), Edit("", "org-101", "000101")) == files()
    assert edited(files(), Edit("u-none", "", None)) == files()


@pytest.mark.rule("OP-4", "WA-2b")
@pytest.mark.parametrize("customer_id", ["RETAIL-US", "retail-us", "1.01E+5", "=A1", "a\nb", ""])
def test_an_edit_that_the_files_would_be_refused_for_is_refused(customer_id: str) -> None:
    with pytest.raises((FilesRefused, Misconfigured)):
        edited(files(), Edit("", "org-101", customer_id))


@pytest.mark.rule("OP-4")
def test_files_that_are_refused_are_not_edited() -> None:
    with pytest.raises(FilesRefused, match="nothing is edited"):
        edited(files(customers_csv=TABLE + "org-101;;;;000109\n"), Edit("u-8", "", "000105"))


@pytest.mark.rule("OP-4")
def test_without_a_table_one_is_begun_and_columns_that_lack_are_named() -> None:
    bare = {"channels.yaml": CHANNELS}
    assert edited(bare, Edit("u-8", "", "000105"))["customers.csv"].endswith("\n,u-8,,,000105\n")
    narrow = bare | {"customers.csv": "organisation,customer_id\n"}
    with pytest.raises(Misconfigured, match="no column user"):
        edited(narrow, Edit("u-8", "", "000105"))


@pytest.mark.rule("OP-4")
@given(
    note=st.text(max_size=20),
    key=st.from_regex(r"[A-Za-z0-9#,;\"' -]{1,12}", fullmatch=True),
    newline=st.sampled_from(["\n", "\r\n"]),
    end=st.booleans(),
)
def test_whatever_is_added_reads_back_as_that_or_is_refused(
    note: str, key: str, newline: str, end: bool
) -> None:
    text = TABLE.replace("\n", newline)
    before = files(customers_csv=text if end else text.removesuffix(newline))
    try:
        after = edited(before, Edit(key, "", "000105", note=note))
    except (FilesRefused, Misconfigured, ValueError):
        return
    assert accounts(after) == accounts(before) | {(key, ""): "000105"}
    assert after["customers.csv"].startswith(before["customers.csv"])
    back = edited(after, Edit(key, "", None))
    assert accounts(back) == accounts(before)


# In place


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in files().items():
        (tmp_path / name).write_text(text)
    return tmp_path


def add(texts: Mapping[str, str]) -> Mapping[str, str]:
    return edited(texts, Edit("u-8", "", "000105"))


@pytest.mark.rule("OP-4")
def test_a_file_is_replaced_as_a_whole_with_its_rights_and_its_mark(folder: Path) -> None:
    table = folder / "customers.csv"
    table.write_bytes(b"\xef\xbb\xbf" + TABLE.encode())
    table.chmod(0o640)
    inode = table.stat().st_ino

    before, after = edit_in_place(folder, add)

    assert before != after
    assert table.read_bytes() == b"\xef\xbb\xbf" + (TABLE + ";u-8;;;000105\n").encode()
    assert stat.S_IMODE(table.stat().st_mode) == 0o640
    assert table.stat().st_ino != inode
    assert sorted(each.name for each in folder.iterdir()) == [
        "channels.yaml",
        "customers.csv",
        "customers.yaml",
    ]


def not_of_the_group(monkeypatch: pytest.MonkeyPatch, table: Path) -> None:
    """The file belongs to a group that who edits is no member of."""
    true = Path.stat

    def stat_of(path: Path, **how: Any) -> os.stat_result:
        seen = true(path, **how)
        if path.name != table.name:
            return seen
        return os.stat_result((*seen[:5], seen.st_gid + 1, *seen[6:]))

    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "stat", stat_of)
    monkeypatch.setattr(os, "chown", refused)


@pytest.mark.rule("OP-4")
def test_a_group_with_no_right_of_its_own_is_let_go_by_who_may_not_give_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = folder / "customers.csv"
    table.chmod(0o644)
    not_of_the_group(monkeypatch, table)

    edit_in_place(folder, add)

    assert table.read_text() == TABLE + ";u-8;;;000105\n"


@pytest.mark.rule("OP-4")
@pytest.mark.parametrize("rights", [0o640, 0o664])
def test_a_group_that_would_lose_a_right_stops_the_edit_and_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, rights: int
) -> None:
    table = folder / "customers.csv"
    table.chmod(rights)
    not_of_the_group(monkeypatch, table)

    with pytest.raises(Misconfigured, match=r"customers\.csv belongs to .*a member of that group"):
        edit_in_place(folder, add)
    assert table.read_text() == TABLE
    assert not list(folder.glob(".*.new"))


@pytest.mark.rule("OP-4")
def test_what_a_person_saves_meanwhile_stays(folder: Path) -> None:
    theirs = YAML + "  - {user: u-2, customer_id: '000109'}\n"

    def change(texts: Mapping[str, str]) -> Mapping[str, str]:
        (folder / "customers.yaml").write_text(theirs)
        return add(texts)

    with pytest.raises(Conflict, match="try again"):
        edit_in_place(folder, change)

    assert read_texts(folder) == files(customers_yaml=theirs)
    assert len(list(folder.iterdir())) == 3


def saved_by(editor: str, file: Path, text: str) -> None:
    """As an editor saves: into the file itself, or beside it and then in its place."""
    if editor == "in place":
        file.write_text(text)
    else:
        beside = file.with_name("theirs~")
        beside.write_text(text)
        os.rename(beside, file)  # noqa: PTH104 - Path.replace is what the tests lie in wait at


@pytest.mark.rule("OP-4")
@pytest.mark.parametrize("editor", ["in place", "by renaming"])
def test_what_is_saved_between_the_last_look_and_the_renaming_is_put_back(
    folder: Path, monkeypatch: pytest.MonkeyPatch, editor: str
) -> None:
    table, theirs = folder / "customers.csv", TABLE + ";u-hand;;;000199\n"
    link, replace, moves = os.link, Path.replace, 0

    def late_link(source: Path, to: Path, **options: Any) -> None:
        if editor == "by renaming":
            saved_by(editor, table, theirs)
        link(source, to, **options)

    def late_replace(self: Path, target: Path) -> Path:
        nonlocal moves
        moves += 1
        if moves == 1 and editor == "in place":
            saved_by(editor, table, theirs)
        return replace(self, target)

    monkeypatch.setattr(os, "link", late_link)
    monkeypatch.setattr(Path, "replace", late_replace)
    with pytest.raises(Conflict, match="try again"):
        edit_in_place(folder, add)

    assert read_texts(folder) == files(customers_csv=theirs)
    assert len(list(folder.iterdir())) == 3, "nothing of ours is left beside"


def test_a_disk_without_a_second_name_for_a_file_is_written_all_the_same(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    edit_in_place(folder, add)
    assert "u-8" in (folder / "customers.csv").read_text()
    assert len(list(folder.iterdir())) == 3


@pytest.mark.rule("OP-4")
@pytest.mark.parametrize("steps", [1, 2])
def test_a_table_that_is_a_link_stays_one_and_its_target_is_written(
    folder: Path, tmp_path: Path, steps: int
) -> None:
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    real, table = checkout / "our customers.csv", folder / "customers.csv"
    table.rename(real)
    real.chmod(0o640)
    for step in range(1, steps):
        (checkout / f"step-{step}").symlink_to(real.name)
        real = checkout / f"step-{step}"
    table.symlink_to(real)

    edit_in_place(folder, add)

    assert table.readlink() == real
    assert (checkout / "our customers.csv").read_text() == TABLE + ";u-8;;;000105\n"
    assert stat.S_IMODE(table.stat().st_mode) == 0o640
    assert len(list(checkout.iterdir())) == steps


@pytest.mark.rule("OP-4")
def test_a_link_to_where_nothing_can_be_written_is_named(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "checkout" / "elsewhere.csv"
    elsewhere.parent.mkdir()
    (folder / "customers.csv").rename(elsewhere)
    (folder / "customers.csv").symlink_to(elsewhere)

    def fail(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(Misconfigured, match="Read-only") as refused:
        edit_in_place(folder, add)
    assert f"{elsewhere.parent} cannot be written" in str(refused.value)


@pytest.mark.rule("OP-4")
def test_who_is_alone_with_the_folder_already_edits_without_waiting_for_himself(
    folder: Path,
) -> None:
    with alone(folder):
        edit_in_place(folder, add)
        with pytest.raises(BlockingIOError):
            lock_of(folder)
    lock_of(folder)
    with pytest.raises(Misconfigured, match="cannot be opened"), alone(folder / "gone"):
        pass


def lock_of(folder: Path) -> None:
    """What another program would do, without waiting."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(opened)


@pytest.mark.rule("OP-4")
def test_a_crash_before_the_renaming_leaves_the_old_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(Misconfigured, match="No space left"):
        edit_in_place(folder, add)
    assert read_texts(folder) == files()


# Several files at once


def back(*names: str) -> dict[str, str | None]:
    """What the files were, but for the channels, which say something else."""
    return {name: files()[name] + "# put back\n" for name in names}


def test_several_files_count_together_and_one_is_taken_away(folder: Path) -> None:
    before, after = put_in_place(folder, lambda _: back("customers.csv") | {"customers.yaml": None})
    held = read_texts(folder)
    assert before == version_of(files())
    assert after == version_of(held)
    assert held["customers.csv"].endswith("# put back\n")
    assert "customers.yaml" not in held
    assert held["channels.yaml"] == CHANNELS
    assert not list(folder.glob(".*"))
    assert put_in_place(folder, lambda _: dict(held)) == (after, after)


@pytest.mark.rule("OP-4", "WA-2c")
@pytest.mark.parametrize("renamed", [0, 1])
def test_half_of_a_restore_never_counts(
    folder: Path, monkeypatch: pytest.MonkeyPatch, renamed: int
) -> None:
    """The process dies after so many files are in place: buyers of the others would be retail."""
    real, done = Path.replace, iter(range(10))

    def die(self: Path, target: Path) -> Path:
        if next(done) == renamed:
            raise KeyboardInterrupt
        return real(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", die)
        with pytest.raises(KeyboardInterrupt):
            put_in_place(folder, lambda _: back("customers.csv", "customers.yaml"))
    with pytest.raises(FilesRefused, match="restore stopped"):
        read_texts(folder)
    source = MappingSource(folder)
    stamp = source.stamp()

    seen: list[bool] = []

    def again(found: Found) -> dict[str, str | None]:
        seen.append(found.half)
        return back("customers.csv", "customers.yaml")

    put_in_place(folder, again)
    assert seen == [True]
    assert source.stamp() != stamp, "so the daemon looks again"
    assert read_texts(folder) == files() | back("customers.csv", "customers.yaml")


@pytest.mark.rule("OP-4")
@pytest.mark.parametrize("after", [1, 2])
def test_a_save_while_several_are_renamed_puts_all_of_them_back(
    folder: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    (folder / "customers.yaml").unlink()
    theirs, replace, moves = CHANNELS + "# mine\n", Path.replace, 0
    opened = (folder / "channels.yaml").open("w")  # an editor that is about to write
    opened.write(CHANNELS)
    opened.flush()

    def late(self: Path, target: Path) -> Path:
        nonlocal moves
        moves += 1
        moved = replace(self, target)
        if moves == after:
            opened.write("# mine\n")
            opened.close()
        return moved

    monkeypatch.setattr(Path, "replace", late)
    with pytest.raises(Conflict, match="try again"):
        put_in_place(
            folder, lambda _: back("channels.yaml", "customers.yaml") | {"customers.csv": None}
        )
    assert read_texts(folder) == {"channels.yaml": theirs, "customers.csv": TABLE}
    assert not list(folder.glob(".*"))


MINE = TABLE + "org-9;;;mine;000109\n"


def save_by_renaming(place: Path) -> None:
    """As most editors save: a new file over the old one."""
    beside = place.with_name(".theirs")
    beside.write_text(MINE)
    beside.rename(place)


@pytest.mark.rule("OP-4")
@pytest.mark.parametrize("names", [("customers.csv", "channels.yaml"), ("a.yaml", "customers.csv")])
@pytest.mark.parametrize("gone", [False, True], ids=["replaced", "taken_away"])
def test_a_save_by_renaming_while_the_mark_goes_to_disk_is_left(
    folder: Path, monkeypatch: pytest.MonkeyPatch, names: tuple[str, str], gone: bool
) -> None:
    """Between the last look at all files and the renaming of the first, or of the second."""
    (folder / "a.yaml").write_text("{}\n")
    before, fsync = read_texts(folder), os.fsync
    saved: list[bool] = []

    def slow(handle: int) -> None:
        fsync(handle)
        if (folder / MARK).exists() and not saved:
            saved.append(True)
            save_by_renaming(folder / "customers.csv")

    monkeypatch.setattr(os, "fsync", slow)
    wanted = dict.fromkeys(names, None if gone else "{}\n# put back\n")
    with pytest.raises(Conflict, match="try again"):
        put_in_place(folder, lambda _: wanted)
    assert saved
    assert read_texts(folder) == before | {"customers.csv": MINE}
    assert not list(folder.glob(".*"))


@pytest.mark.rule("OP-4")
def test_a_file_that_a_person_makes_while_the_mark_goes_to_disk_is_left(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "customers.csv").unlink()
    before, fsync = read_texts(folder), os.fsync

    def slow(handle: int) -> None:
        fsync(handle)
        if (folder / MARK).exists():
            save_by_renaming(folder / "customers.csv")

    monkeypatch.setattr(os, "fsync", slow)
    with pytest.raises(Conflict):
        put_in_place(folder, lambda _: back("channels.yaml", "customers.csv"))
    assert read_texts(folder) == before | {"customers.csv": MINE}


def save_into_the_old_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person writes into customers.csv while the mark goes to disk."""
    fsync = os.fsync
    saved: list[bool] = []

    def slow(handle: int) -> None:
        fsync(handle)
        if (folder / MARK).exists() and not saved:
            saved.append(True)
            (folder / "customers.csv").write_text(MINE)

    monkeypatch.setattr(os, "fsync", slow)


@pytest.mark.rule("OP-4")
@pytest.mark.parametrize("unnamed", ["channels.yaml", "customers.csv"])
def test_a_save_is_left_also_where_a_file_allows_no_second_name(
    folder: Path, monkeypatch: pytest.MonkeyPatch, unnamed: str
) -> None:
    link = os.link

    def refuse(source: Path, target: Path, **more: Any) -> None:
        if source.name == unnamed:
            raise PermissionError(1, "Operation not permitted")
        link(source, target, **more)

    (folder / "channels.yaml").chmod(0o640)
    monkeypatch.setattr(os, "link", refuse)
    save_into_the_old_file(folder, monkeypatch)
    with pytest.raises(Conflict, match="try again"):
        put_in_place(folder, lambda _: back("channels.yaml", "customers.csv"))
    assert read_texts(folder) == files(customers_csv=MINE)
    assert stat.S_IMODE((folder / "channels.yaml").stat().st_mode) == 0o640
    assert not list(folder.glob(".*"))


@pytest.mark.rule("OP-4")
def test_what_cannot_be_put_back_is_kept_and_named_and_nothing_counts(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = Path.replace

    def refuse(self: Path, target: Path) -> Path:
        if self.suffix == ".old" and target.name == "customers.csv":
            raise OSError(30, "Read-only file system")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", refuse)
    save_into_the_old_file(folder, monkeypatch)
    with pytest.raises(Conflict, match="could not be put back") as raised:
        put_in_place(folder, lambda _: back("channels.yaml", "customers.csv"))
    [old] = folder.glob(".customers.csv.*.old")
    assert old.read_text() == MINE
    assert str(old) in str(raised.value)
    with pytest.raises(FilesRefused):
        read_texts(folder)
    held = read_texts(folder, half_written=True)
    assert held["channels.yaml"] == CHANNELS


@pytest.mark.rule("OP-4")
def test_links_among_several_files_stay_links_and_one_taken_away_leaves_its_target(
    folder: Path, tmp_path: Path
) -> None:
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    for name in ("customers.csv", "customers.yaml"):
        (folder / name).rename(checkout / name)
        (folder / name).symlink_to(checkout / name)
    put_in_place(folder, lambda _: back("customers.csv") | {"customers.yaml": None})
    assert (folder / "customers.csv").is_symlink()
    assert (checkout / "customers.csv").read_text().endswith("# put back\n")
    assert not (folder / "customers.yaml").is_symlink()
    assert (checkout / "customers.yaml").read_text() == YAML
    assert len(list(checkout.iterdir())) == 2


def test_a_disk_that_is_full_before_the_first_file_leaves_all_as_it_was(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(Misconfigured, match="No space left"):
        put_in_place(folder, lambda _: back("customers.csv", "customers.yaml"))
    assert read_texts(folder) == files()
    assert not list(folder.glob(".*"))


def test_what_a_person_saves_while_several_are_written_stays(folder: Path) -> None:
    def change(_: Found) -> dict[str, str | None]:
        (folder / "customers.csv").write_text("mine")
        return back("customers.csv", "customers.yaml")

    with pytest.raises(Conflict):
        put_in_place(folder, change)
    assert read_texts(folder) == files(customers_csv="mine")
    assert not list(folder.glob(".*"))
