"""customers.csv, as people and spreadsheets write it."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest

from sync.domain.mapping import Assignment
from sync.mapping import FileProblem, check_texts
from sync.mapping.tables import COLUMNS, NOTE

B2B = "channels:\n  trade: {commerce_mode: b2b}\n"


def told(text: str) -> list[FileProblem]:
    return list(check_texts({"channels.yaml": B2B, "customers.csv": text}).problems)


def accepted(text: str) -> Sequence[Assignment]:
    checked = check_texts({"channels.yaml": B2B, "customers.csv": text})
    assert checked.mapping is not None, checked.problems
    return checked.mapping.assignments


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_any_spreadsheet_dialect_keeps_leading_zeros(
    separator: str, line_end: str, mark: str
) -> None:
    rows = [("user", "customer_id"), ("0007", "000123"), ("7", "123")]
    text = mark + line_end.join(separator.join(row) for row in rows)
    assert [(str(one.user), str(one.customer_id)) for one in accepted(text)] == rows[1:]


def test_comments_empty_lines_and_spaces_are_skipped() -> None:
    text = "# who\n\ncustomer_id , user\n# then\n000101 , u-1 \n   \n"
    (one,) = accepted(text)
    assert (str(one.customer_id), str(one.user), one.origin) == ("000101", "u-1", "customers.csv:5")


def test_rows_that_were_emptied_in_a_spreadsheet_are_skipped() -> None:
    text = 'customer_id,user,note\n,,\n"","",""\n000101,u-1,\n,,,,\n , , \n'
    assert [one.origin for one in accepted(text)] == ["customers.csv:4"]


def test_quoted_cells_may_hold_the_separator_and_quotes() -> None:
    text = 'customer_id,user,note\n"000101","u,1","said ""yes"""\n'
    assert str(accepted(text)[0].user) == "u,1"


def test_a_header_alone_is_an_empty_table() -> None:
    assert accepted("customer_id,user\n") == ()


@pytest.mark.parametrize(
    "text, line, column, message",
    [
        ("", 1, 1, "the header line is missing"),
        ("# nothing\n\n", 1, 1, "the header line is missing"),
        ("000101,u-1\n", 1, 1, "unknown column"),
        ("customer_id,usr\n", 1, 13, "unknown column"),
        ("customer_id,user,\n", 1, 18, "unknown column"),
        ("user,contact\n", 1, 1, "the column customer_id is missing"),
        ("customer_id,contact\n", 1, 1, "neither a column user nor"),
        ("customer_id,user,user\n", 1, 18, "the column stands here twice"),
        ('customer_id,"user\n', 1, 13, "cell 2 begins with a quotation mark that is not closed"),
        ("customer_id,user\n000101\n", 2, 1, "1 cells where the header has 2"),
        ("customer_id,user\n000101,u-1,x\n", 2, 1, "3 cells where the header has 2"),
        ("customer_id|user\n", 1, 1, "unknown column"),
        ("customer_id,user\n,u-1\n", 2, 1, "customer_id is empty"),
        ("user,customer_id\nu-1,\n", 2, 5, "customer_id is empty"),
        ("user,customer_id\nu-1,1.23E+11\n", 2, 5, "was turned into a number"),
        ("user,customer_id\nu-1,00\x0001\n", 2, 5, "cannot be seen"),
        ("user,customer_id\nu\u200b1,000101\n", 2, 1, "user holds characters that cannot"),
        (f"user,customer_id\nu-1,{'1' * 256}\n", 2, 5, "longer than 255"),
        ("user,customer_id,contact\nu-1,000101,\x07\n", 2, 12, "contact holds characters"),
        ('user,customer_id\n"u-1,000101\n', 2, 1, "user begins with a quotation mark that is not"),
        ('user,customer_id\n"u"1,000101\n', 2, 1, "user has a quotation mark within it"),
        ('user,customer_id\n"u-1","00101\n', 2, 7, "customer_id begins with a quotation mark"),
        ('user,customer_id,note\nu,00101,5" pipe\n', 2, 9, "note has a quotation mark within"),
        ('user,customer_id\nu-1,000101,"x\n', 2, 12, "cell 3 begins with a quotation mark"),
        ("user,customer_id\n,000101\n", 2, 2, "names neither a user nor an organisation"),
        ("\x89PNG\r\n\x1a\n\x00\x00", 1, 1, "unknown column"),
    ],
)
@pytest.mark.rule("OP-4")
def test_a_wrong_line_is_told_with_its_place(
    text: str, line: int, column: int, message: str
) -> None:
    problem = told(text)[0]
    assert (problem.file, problem.line, problem.column) == ("customers.csv", line, column)
    assert message in problem.message
    assert problem.remedy


_KEY = ("1.23E+11", "=A1", "@SUM(A1)", "a\u200bb", "\x07", "1" * 256, '"open', '"a"b')
WRONG_CELLS: dict[str, tuple[str, ...]] = {
    "customer_id": (*_KEY, "", '""'),
    "user": _KEY,
    "organisation": _KEY,
    "contact": _KEY,
    # Anything may be noted, but the line must end as one.
    "note": ('"open', '"a"b', 'shut"'),
}
ROW = {
    "customer_id": "000101",
    "user": "u-1",
    "organisation": "org-1",
    "contact": "c-1",
    "note": "moved",
}


def test_every_column_is_wrong_in_two_ways_at_least() -> None:
    assert WRONG_CELLS.keys() == set(COLUMNS) == ROW.keys()
    assert all(len(set(cells)) >= 2 for cells in WRONG_CELLS.values())
    (one,) = accepted(",".join(ROW) + "\n" + ",".join(ROW.values()) + "\n")
    assert str(one.contact) == "c-1"


@pytest.mark.rule("OP-4")
@pytest.mark.parametrize(
    "column, cell", [(column, cell) for column, cells in WRONG_CELLS.items() for cell in cells]
)
def test_a_wrong_cell_is_told_with_its_column_and_place(column: str, cell: str) -> None:
    row = {**ROW, column: cell}
    (problem,) = told(",".join(row) + "\n" + ",".join(row.values()) + "\n")
    before = ",".join(list(row.values())[: list(row).index(column)])
    assert (problem.file, problem.line) == ("customers.csv", 2)
    assert problem.remedy
    assert column != NOTE or "quotation mark" in problem.message
    assert problem.column == (len(before) + 2 if before else 1)
    assert problem.message.startswith(f"{column} ")


def test_an_unclosed_quotation_mark_does_not_swallow_the_next_line() -> None:
    text = 'customer_id,user\n"000101,u-1\n000102,u-2\n,u-3\n'
    assert [problem.line for problem in told(text)] == [2, 4]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize(
    "note",
    ["moved,\nsee mail", 'moved\nthey said ""soon"", I think\n\n# 4, 5, 6, 7\nby mail'],
    ids=["two lines", "five lines"],
)
def test_a_cell_of_several_lines_is_one_mistake(note: str, newline: str) -> None:
    header = "customer_id,user,organisation,contact,note\n"
    text = f'{header}000101,u-1,,,"{note}"\n,u-2,,,\n'.replace("\n", newline)
    cell, behind = told(text)
    last = 2 + note.count("\n")
    assert (cell.line, cell.column) == (2, 14)
    assert cell.message == f"note begins with a quotation mark that is closed in line {last} only"
    assert "in one line" in cell.remedy
    assert behind.line == last + 1, "the rows below it are looked at"


def test_two_marks_that_are_far_apart_are_two_mistakes() -> None:
    rows = "000101,u-1,\n" * 30
    text = f'customer_id,user,note\n000102,u-2,"a\n{rows}000103,u-3,b"\n'
    assert [problem.line for problem in told(text) if "quotation" in problem.message] == [2, 33]


def test_the_place_of_a_cell_is_found_behind_a_quoted_separator() -> None:
    assert told('note,customer_id,user\n"a,b",,u-1\n')[0].column == 7


def test_a_hundred_thousand_lines_are_checked_quickly() -> None:
    rows = "".join(f"{number:07d},user-{number},,,moved\n" for number in range(100_000))
    begun = time.process_time()
    assert len(accepted("customer_id,user,organisation,contact,note\n" + rows)) == 100_000
    assert time.process_time() - begun < 5
