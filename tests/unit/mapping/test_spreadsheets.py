"""A table that went through a spreadsheet: what it did to keys is refused, by line."""

from __future__ import annotations

import csv
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.domain.ids import well_formed
from sync.mapping import FileProblem, FilesRefused
from sync.mapping.spreadsheets import (
    HEADER,
    KEYS,
    Known,
    Sheet,
    decoded,
    escaped,
    meant,
    read_sheet,
    sheet,
)
from sync.mapping.tables import Assigned

pytestmark = pytest.mark.rule("OP-4")

TEXT = "organisation,user,contact,note,customer_id\norg-1,,,Größe,000123\n"
NOBODY = dict.fromkeys(KEYS, Known.of(()))


def problems(text: str, **known: tuple[str, ...]) -> list[str]:
    keys = {**NOBODY, **{name: Known.of(values) for name, values in known.items()}}
    try:
        read_sheet("sheet.csv", text, keys)
    except FilesRefused as refusal:
        return [str(each) for each in refusal.found]
    return []


# Encodings


@pytest.mark.parametrize(
    "encoding, mark",
    [
        ("utf-8", b""),
        ("utf-8-sig", b""),
        ("utf-16", b""),
        ("utf-16-le", b"\xff\xfe"),
        ("utf-16-be", b"\xfe\xff"),
        ("utf-16-le", b""),
        ("utf-16-be", b""),
    ],
)
def test_the_encoding_is_told_by_the_file_itself(encoding: str, mark: bytes) -> None:
    assert decoded("sheet.csv", mark + TEXT.encode(encoding)) == TEXT


def test_an_older_windows_is_never_guessed_and_read_where_it_is_said() -> None:
    content = TEXT.encode("windows-1252")
    with pytest.raises(FilesRefused, match=r"sheet\.csv:2:11: .*0xf6 is not UTF-8.*--encoding"):
        decoded("sheet.csv", content)
    assert decoded("sheet.csv", content, "windows-1252") == TEXT
    assert decoded("sheet.csv", TEXT.encode("utf-8-sig"), "windows-1252") == TEXT, "its mark counts"


@pytest.mark.parametrize(
    "content, encoding",
    [
        (TEXT.encode("utf-32"), None),
        (b"\xff\xfe\x00", None),
        (TEXT.encode("utf-16-le")[:-1], None),
        (b"a\x81b", "windows-1252"),
    ],
)
def test_what_is_no_text_is_refused_with_a_way_out(content: bytes, encoding: str | None) -> None:
    with pytest.raises(FilesRefused, match="save it as CSV UTF-8"):
        decoded("sheet.csv", content, encoding)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("first", ["", "sep=%s\r\n"])
def test_separators_and_a_line_that_names_it_are_understood(separator: str, first: str) -> None:
    told = first % separator if first else ""
    text = decoded("sheet.csv", (told + TEXT.replace(",", separator)).encode())
    [row] = read_sheet("sheet.csv", text, NOBODY).rows
    assert (row.organisation, row.note, row.customer_id) == ("org-1", "Größe", "000123")
    assert row.line == (3 if first else 2)


# Damage


@pytest.mark.parametrize(
    "cell, said",
    [
        ("1.23E+05", "turned into a number"),
        ("1,23E+05", "turned into a number"),
        ("123", "lost its leading zeros: 000123 is known"),
        ("123.0", "turned into a number: 000123 is known"),
        ("1234567890123450000", "lost its last digits: 1234567890123456789 is known"),
        ("02-Jan", "a date that a spreadsheet made"),
        ("Mar-02", "a date that a spreadsheet made"),
        ("#REF!", "an error of the spreadsheet"),
        ("=A1", "begins like a formula"),
        ("@SUM(A1)", "begins like a formula"),
        ("+cmd|' /C calc'!A0", "begins like a formula"),
    ],
)
def test_what_a_spreadsheet_did_to_an_id_is_told_at_its_cell(cell: str, said: str) -> None:
    separator = ";"
    text = f"user;customer_id\nu-1;000123\n\nu-2;{cell}\n"
    known = ("000123", "1234567890123456789", "777")
    [told] = problems(text, customer_id=known)
    assert told.startswith("sheet.csv:4:5: customer_id ")
    assert said in told
    assert separator not in told.partition("`")[0]


@pytest.mark.parametrize("cell", ["000123", "777", "0777", "124", "-5", "2-Jan-x", "12.50", "E+5"])
def test_an_id_that_may_be_one_is_let_through(cell: str) -> None:
    assert problems(f"user,customer_id\nu-2,{cell}\n", customer_id=("000123", "777")) == []


def test_a_short_id_that_exists_beside_the_long_one_is_itself() -> None:
    known = ("000123", "123")
    assert problems("user,customer_id\nu-2,123\n", customer_id=known) == []


@pytest.mark.parametrize("column", ["user", "organisation", "contact"])
def test_keys_of_the_store_are_looked_at_too(column: str) -> None:
    lacking = "organisation" if column == "user" else "user"
    text = f"{column},{lacking},customer_id\n42,x,C-1\n"
    [told] = problems(text, **{column: ("0042",)})
    assert told.startswith(f"sheet.csv:2:1: {column} lost its leading zeros")


def test_an_error_at_the_beginning_of_a_row_is_no_comment() -> None:
    text = "# a comment\nuser,customer_id\n#N/A,000123\n"
    [told] = problems(text)
    assert told.startswith("sheet.csv:3:1: the row is an error of the spreadsheet")


def test_everything_wrong_is_told_at_once() -> None:
    text = "user,customer_id\nu-1,123\nu-2\nu-3,=1\n"
    assert len(problems(text, customer_id=("000123",))) == 3


# Formulas


FORMULAS = ("=1+1", "+1", "-1", "@A1", "\tx", "\uff1d1", "'=1", "''-x")


@pytest.mark.parametrize("value", FORMULAS)
def test_nothing_that_a_spreadsheet_would_compute_goes_out_as_it_is(value: str) -> None:
    assert escaped(value) == f"'{value}"
    assert meant(escaped(value)) == value


@given(st.text(max_size=12) | st.sampled_from(FORMULAS))
def test_what_went_out_comes_back_as_itself(value: str) -> None:
    assert meant(escaped(value)) == value
    assert not escaped(value).startswith(("=", "+", "-", "@", "\t", "\r"))


_FORMULA_LIKE = re.compile(r"^'*[=@\uff1d\uff20\uff0b\uff0d+-]|^#|E\+", re.MULTILINE)
KEY = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=8)


@given(
    st.lists(
        st.tuples(KEY, KEY | st.just(""), KEY | st.just(""), st.text(max_size=9), KEY),
        unique_by=lambda each: each[:2],
    ),
    st.sampled_from([",", ";", "\t"]),
)
def test_a_table_of_any_keys_comes_back_or_is_refused_by_line(
    values: list[tuple[str, str, str, str, str]], separator: str
) -> None:
    rows = [
        Assigned(user, organisation, customer, contact, "customers.csv", number, 1, note)
        for number, (organisation, user, contact, note, customer) in enumerate(values, 2)
    ]
    if not all(well_formed(each) for row in values for each in (*row[:3], row[4]) if each):
        return
    text = sheet(rows, separator)
    for line in csv.reader(io.StringIO(text), delimiter=separator):
        assert [cell for cell in line if cell[:1] in ("=", "+", "-", "@")] == []
    known = {name: Known.of({getattr(row, name) for row in rows}) for name in KEYS}
    computed = {row.line for row in rows if _FORMULA_LIKE.search("\n".join(map(str, row)))}
    back: Sheet | None = None
    refused: tuple[FileProblem, ...] = ()
    try:
        back = read_sheet("sheet.csv", decoded("sheet.csv", text.encode("utf-8-sig")), known)
    except FilesRefused as refusal:
        refused = refusal.found
    assert {each.line for each in refused} <= computed
    if back is None:
        assert refused
        return
    assert back.columns == HEADER
    told = [tuple(getattr(row, name) for name in KEYS) for row in back.rows]
    assert told == [tuple(getattr(row, name) for name in KEYS) for row in rows]
