"""A whole table taken over into the files: what differs is written, people's text stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.errors import Misconfigured
from sync.mapping import FilesRefused, check_texts
from sync.mapping.bulk import Imported, taken_over
from sync.mapping.editing import accounts_in
from sync.mapping.reading import rows_in
from sync.mapping.spreadsheets import KEYS, Known, read_sheet, sheet
from tests.unit.mapping.test_editing import TABLE, files

pytestmark = pytest.mark.rule("OP-4")

NOBODY = dict.fromkeys(KEYS, Known.of(()))
SAME = """\
customer_id,organisation,user,contact,note
000104,org-9,,,x
000103,,u-1,,
000102,org-102,,,
000102,,u-7719,000102-C1,buys for himself
000101,org-101,,,Mill; the old one
"""


def imported(text: str, **changes: str) -> Imported:
    return taken_over(files(**changes), read_sheet("sheet.csv", text.replace("Mill; ", '"Mill; ')
                      .replace("old one", 'old one"'), NOBODY))  # fmt: skip


def refused(text: str) -> list[str]:
    with pytest.raises(FilesRefused) as caught:
        imported(text)
    return [str(each) for each in caught.value.found]


def counts(done: Imported) -> tuple[int, int, int, int, int]:
    return done.added, done.moved, done.reworded, done.removed, done.stay


def test_a_table_that_says_the_same_changes_no_byte_whatever_its_order_and_separator() -> None:
    done = imported(SAME)
    assert (counts(done), done.files) == ((0, 0, 0, 0, 0), files())
    exported = sheet(rows_in(files()), ";")
    assert taken_over(files(), read_sheet("sheet.csv", exported, NOBODY)).files == files()


def test_what_differs_is_written_and_the_rest_stays_as_it_was_written() -> None:
    text = SAME.replace("000102,org-102,,,", "000107,org-102,,,").replace(
        "000102,,u-7719,000102-C1,buys for himself\n", "000108,org-new,,000108-C1,\n"
    )
    done = imported(text)
    assert counts(done) == (1, 1, 0, 1, 0)
    assert done.files == files(
        customers_csv=TABLE.replace(" org-102 ; ; ; ; 000102", " org-102 ; ; ; ;000107").replace(
            ";u-7719;000102-C1;buys for himself;000102\n", ""
        )
        + "org-new;;000108-C1;;000108\n"
    )


def test_columns_that_the_table_does_not_have_stay_as_they_are() -> None:
    text = "user,customer_id\nu-7719,000109\nu-1,000103\n"
    done = imported(text)
    assert ";u-7719;000102-C1;buys for himself;000109\n" in done.files["customers.csv"]
    assert counts(done) == (0, 1, 0, 2, 1)


def test_a_note_is_reworded_without_anybody_moving() -> None:
    done = imported(SAME.replace("buys for himself", "left"))
    assert counts(done) == (0, 0, 1, 0, 0)
    assert ";u-7719;000102-C1;left;000102\n" in done.files["customers.csv"]


def test_exceptions_stay_in_their_file_and_are_not_changed_from_here() -> None:
    done = imported(SAME.replace("000103,,u-1,,\n", ""))
    assert done.files == files()
    assert done.stay == 1
    [told] = refused(SAME.replace("000103,,u-1,,", "000105,,u-1,,"))
    assert told.startswith("sheet.csv:3:1: user u-1 is assigned to 000103 in customers.yaml:4")


def test_the_same_buyer_twice_is_told_with_both_lines() -> None:
    [told] = refused(SAME + "000109,org-102,,,\n")
    assert told.startswith("sheet.csv:7:1: organisation org-102 is assigned to 000102 in line 4")


@pytest.mark.rule("WA-2b")
def test_a_retail_group_is_nobodys_account_by_this_way_either() -> None:
    [told] = refused(SAME.replace("000102,org-102", "retail-us,org-102"))
    assert told.startswith("sheet.csv:4:1: customer_id may be taken by the ERP for RETAIL-US")


def test_files_that_are_refused_are_not_imported_into() -> None:
    with pytest.raises(FilesRefused, match="nothing is edited"):
        imported(SAME, channels_yaml="channels: [")


def test_a_column_that_lacks_is_named() -> None:
    with pytest.raises(Misconfigured, match=r"sheet\.csv:2 has a note, but customers\.csv has no"):
        imported(
            "user,customer_id,note\nu-5,C-1,new\n", customers_csv="user,customer_id\nu-5,C-1\n"
        )


def test_without_a_table_one_is_begun() -> None:
    begun = {name: text for name, text in files().items() if name != "customers.csv"}
    done = taken_over(begun, read_sheet("sheet.csv", SAME.replace("; the", " the"), NOBODY))
    assert counts(done) == (3, 0, 0, 0, 0)
    assert accounts(done) == accounts_of(files())


def accounts_of(texts: dict[str, str]) -> dict[tuple[str, str], tuple[str | None, str | None]]:
    mapping = check_texts(texts).mapping
    assert mapping is not None
    return accounts_in(mapping)


def accounts(done: Imported) -> dict[tuple[str, str], tuple[str | None, str | None]]:
    return accounts_of(dict(done.files))


def test_an_import_that_looks_like_a_filter_left_on_is_doubted() -> None:
    many = "user,customer_id\n" + "".join(f"u-{each},C-{each}\n" for each in range(30, 70))
    few = "user,customer_id\n" + "".join(f"u-{each},C-{each}\n" for each in range(30, 49))
    assert imported(few, customers_csv=many).doubtful
    assert not imported(few + "u-50,C-50\n", customers_csv=many).doubtful
    shifted = many.replace("C-", "D-")
    assert imported(shifted, customers_csv=many).doubtful


@pytest.mark.parametrize(
    "before, after, doubted",
    [
        (4, 1, True),
        (3, 0, True),
        (2, 0, True),
        (1, 0, True),
        (2, 1, False),
        (4, 2, False),
        (5, 3, False),
    ],
)
def test_a_small_table_is_not_emptied_by_mistake_either(
    before: int, after: int, doubted: bool
) -> None:
    held = "user,customer_id\n" + "".join(f"u-{each},C-{each}\n" for each in range(30, 30 + before))
    sheet = "user,customer_id\n" + "".join(f"u-{each},C-{each}\n" for each in range(30, 30 + after))
    assert imported(sheet, customers_csv=held).doubtful is doubted
    # Whoever replaces one line by others begins, and empties nothing.
    if before == 1:
        others = "user,customer_id\nu-40,C-40\nu-41,C-41\n"
        assert not imported(others, customers_csv=held).doubtful


WHO = st.tuples(st.sampled_from(["", "u-1", "u-2", "u-3"]), st.sampled_from(["", "o-1", "o-2"]))
WHAT = st.tuples(st.sampled_from(["C-1", "C-2", "-5", "001"]), st.sampled_from(["", "K"]))
HELD = st.dictionaries(WHO.filter(any), WHAT, max_size=6)


@given(HELD, HELD, st.sampled_from([",", ";"]))
def test_whatever_the_table_says_the_files_say_afterwards(
    before: dict[tuple[str, str], tuple[str, str]],
    after: dict[tuple[str, str], tuple[str, str]],
    separator: str,
) -> None:
    def table(held: dict[tuple[str, str], tuple[str, str]]) -> str:
        lines = [separator.join(("user", "organisation", "customer_id", "contact"))]
        lines += [separator.join((*who, *what)) for who, what in held.items()]
        return "\n".join(lines)

    texts = {"channels.yaml": files()["channels.yaml"], "customers.csv": table(before)}
    done = taken_over(texts, read_sheet("sheet.csv", table(after), NOBODY))
    assert accounts(done) == after
    again = taken_over(done.files, read_sheet("sheet.csv", table(after), NOBODY))
    assert again.files == done.files
