"""Assignments as a table: one line each, for thousands of them and for spreadsheets.

Every line is one row; a cell cannot hold a line break. That keeps the line
numbers true, and a forgotten quotation mark cannot swallow the rest of the file.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from sync.domain.ids import MAX_KEY_LENGTH, well_formed
from sync.mapping.models import AssignmentEntry
from sync.mapping.problems import FileProblem, shortened, suggestion
from sync.mapping.tree import MAX_CHARACTERS
from sync.mapping.words import malformed, spreadsheet_number

SEPARATORS = (",", ";", "\t")
COLUMNS = tuple(AssignmentEntry.model_fields)
NOTE = "note"
NEEDED = "customer_id"
_READ = ("user", "organisation", NEEDED, "contact", NOTE)
# What a spreadsheet computes instead of showing it, its full-width forms included.
_FORMULA = re.compile(r"[=@\uff1d\uff20\uff0b\uff0d]|[+-].*[!|(=]")
_DOUBTFUL = re.compile(r"\+|^[=@\uff1d\uff20\uff0b\uff0d-]")
# Lines of keys like most: in one of these no cell can be wrong but by being empty.
_PLAIN = re.compile(r"[A-Za-z0-9_.:/ ,;-]*")
SHORTEST_HEADER = "user,organisation,customer_id,contact"


class Assigned(NamedTuple):
    """One assignment as written, empty where nothing was; ``line`` and ``column`` of its ID."""

    user: str
    organisation: str
    customer_id: str
    contact: str
    file: str
    line: int
    column: int
    note: str = ""

    @property
    def origin(self) -> str:
        return f"{self.file}:{self.line}"


def read_table(
    file: str, text: str, meant: Callable[[str], str] | None = None
) -> tuple[list[Assigned], list[FileProblem]]:
    """The rows that can be used, in their order, and what is wrong with the others.

    Lines that are empty, hold nothing but separators or begin with ``#`` are
    skipped. ``meant`` says what a cell stands for where it is not itself. Never
    raises for any text.
    """
    if len(text) > MAX_CHARACTERS:
        message = f"the file is larger than {MAX_CHARACTERS // 2**20} MiB"
        return [], [FileProblem(file, 1, 1, "", message, "look whether it is the right file")]
    written_lines = text.split("\n")
    lines = _lines(written_lines)
    header = next(lines, None)
    if header is None:
        remedy = f"begin with the line {SHORTEST_HEADER}"
        return [], [FileProblem(file, 1, 1, "", "the header line is missing", remedy)]
    columns, separator, problems = _header(file, *header)
    if problems:
        return [], problems
    table = _Table(file, columns, separator, meant)
    taken = 0
    for line, written in lines:
        if line <= taken:
            continue
        if not table.take(line, written):
            taken = table.note_unclosed(line, written_lines)
    return table.rows, table.problems


def _lines(written: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Those that say something. Split at line feeds alone: other characters that Python
    splits at no editor counts as a line."""
    for number, line in enumerate(written, 1):
        line = line.removesuffix("\r")
        if line.strip() and not line.startswith("#"):
            yield number, line


def _header(file: str, line: int, text: str) -> tuple[list[str], str, list[FileProblem]]:
    separator = max(SEPARATORS, key=text.count)
    cells = cells_of(text, separator)
    if cells is None:
        return [], separator, [_unclosed(file, line, text, separator, [])]
    problems = []
    for index, name in enumerate(cells):
        place = (file, line, _column(text, separator, index), shortened(name))
        if name not in COLUMNS:
            problems.append(FileProblem(*place, "unknown column", suggestion(name, COLUMNS)))
        elif name in cells[:index]:
            problems.append(FileProblem(*place, "the column stands here twice", "keep one"))
    if NEEDED not in cells and not problems:
        remedy = f"begin with a line like {SHORTEST_HEADER}"
        problems.append(FileProblem(file, line, 1, "", f"the column {NEEDED} is missing", remedy))
    if not {"user", "organisation"}.intersection(cells) and not problems:
        message = "neither a column user nor a column organisation"
        problems.append(FileProblem(file, line, 1, "", message, "add one of them"))
    return cells, separator, problems


class _Table:
    """Takes the rows under a header, one by one."""

    def __init__(
        self,
        file: str,
        columns: list[str],
        separator: str,
        meant: Callable[[str], str] | None = None,
    ) -> None:
        self.rows: list[Assigned] = []
        self.problems: list[FileProblem] = []
        self._file = file
        self._columns = columns
        self._separator = separator
        self._meant = meant
        place = {name: index for index, name in enumerate(columns)}
        self._id_at = place[NEEDED]
        self._places = [place.get(name) for name in _READ]

    def take(self, line: int, text: str) -> bool:
        """False, and nothing is noted, where a quotation mark keeps it from having cells."""
        cells = cells_of(text, self._separator)
        if cells is None:
            return False
        # A spreadsheet writes a row that was emptied as separators only.
        if any(cells):
            self._take(line, text, cells)
        return True

    def note_unclosed(self, line: int, written: list[str]) -> int:
        """Tell of the quotation mark; up to which line it is the trouble of one cell."""
        last = _end_of_cell(line, written, self._separator, len(self._columns))
        text = written[line - 1].removesuffix("\r")
        if last is None:
            found = _unclosed(self._file, line, text, self._separator, self._columns)
        else:
            found = _of_several_lines(self._file, line, text, self._separator, self._columns, last)
        self.problems.append(found)
        return last or line

    def _take(self, line: int, text: str, cells: list[str]) -> None:
        if len(cells) != len(self._columns):
            message = f"{len(cells)} cells where the header has {len(self._columns)}"
            remedy = "write one cell for each column; put a cell that holds the separator in quotes"
            self.problems.append(FileProblem(self._file, line, 1, shortened(text), message, remedy))
            return
        if self._meant is not None:
            cells = [self._meant(cell) for cell in cells]
        user, organisation, customer_id, contact, note = (
            cells[at] if at is not None else "" for at in self._places
        )
        wrong = self._wrong(line, text, cells)
        if wrong:
            self.problems.extend(wrong)
            return
        column = _column(text, self._separator, self._id_at)
        self.rows.append(
            Assigned(user, organisation, customer_id, contact, self._file, line, column, note)
        )

    def _wrong(self, line: int, text: str, cells: list[str]) -> list[FileProblem]:
        if len(text) <= MAX_KEY_LENGTH and cells[self._id_at] and _PLAIN.fullmatch(text):
            return []
        found = []
        for index, (name, cell) in enumerate(zip(self._columns, cells, strict=True)):
            if name == NOTE or (well_formed(cell) and not _DOUBTFUL.search(cell)):
                continue
            if not cell and name != NEEDED:
                continue
            if not well_formed(cell):
                message, remedy = malformed(cell)
            elif spreadsheet_number(cell):
                message = "was turned into a number by a spreadsheet"
                remedy = "write the ID in full, in a column that is formatted as text"
            elif _FORMULA.match(cell):
                message = "begins like a formula of a spreadsheet"
                remedy = "write the ID itself"
            else:
                continue
            column = _column(text, self._separator, index)
            found.append(
                FileProblem(self._file, line, column, shortened(cell), f"{name} {message}", remedy)
            )
        return found


def columns_of(text: str) -> tuple[list[str], str]:
    """The names in the header, and the separator; no names where there is no header."""
    header = next(_lines(text.split("\n")), None)
    if header is None:
        return [], SEPARATORS[0]
    separator = max(SEPARATORS, key=header[1].count)
    return cells_of(header[1], separator) or [], separator


def place_in(text: str, separator: str, index: int) -> int:
    """The column, from 1, at which a cell of this line begins."""
    return _column(text, separator, index)


def cells_of(text: str, separator: str) -> list[str] | None:
    """The cells without the spaces around them; None where a quotation mark is not closed."""
    if '"' not in text:
        return [cell.strip() for cell in text.split(separator)]
    if text.count('"') % 2:
        return None
    try:
        cells = next(csv.reader([text], delimiter=separator, strict=True, skipinitialspace=True))
    except csv.Error:
        return None
    return [cell.strip() for cell in cells]


def spans_of(text: str, separator: str) -> list[tuple[int, int]]:
    """Where each cell begins and ends; separators within quotes do not count."""
    spans = []
    start = 0
    quoted = False
    end = len(text.removesuffix("\r"))
    for offset, mark in enumerate(text[:end]):
        if mark == '"':
            quoted = not quoted
        elif mark == separator and not quoted:
            spans.append((start, offset))
            start = offset + 1
    return [*spans, (start, end)]


def _column(text: str, separator: str, index: int) -> int:
    """Where the cell begins, from 1; the last one for one that is not there."""
    if '"' not in text:  # as nearly every line of a large table, and ten times as fast
        before = text.split(separator)[:-1][:index]
        return sum(map(len, before)) + len(before) + 1
    spans = spans_of(text, separator)
    return spans[min(index, len(spans) - 1)][0] + 1


LONGEST_CELL = 20
"""Lines; two marks that are farther apart are two mistakes, each in its own line."""


def _end_of_cell(line: int, written: list[str], separator: str, columns: int) -> int | None:
    """The line in which the cell ends that this one leaves open.

    Other programs put line breaks into cells. None where the lines up to the next
    mark that is not closed are no row together.
    """
    for last in range(line + 1, min(line + LONGEST_CELL, len(written)) + 1):
        if written[last - 1].count('"') % 2:
            text = "\n".join(each.removesuffix("\r") for each in written[line - 1 : last])
            read = csv.reader(
                text.splitlines(keepends=True),
                delimiter=separator,
                strict=True,
                skipinitialspace=True,
            )
            try:
                rows = list(read)
            except csv.Error:
                return None
            return last if len(rows) == 1 and len(rows[0]) == columns else None
    return None


def _of_several_lines(
    file: str, line: int, text: str, separator: str, columns: list[str], last: int
) -> FileProblem:
    index, _ = _odd_cell(text, separator)
    return FileProblem(
        file, line, _column(text, separator, index), shortened(text),
        f"{columns[index]} begins with a quotation mark that is closed in line {last} only",
        "write each row in one line: take the line breaks out of the cell, or close it in this one",
    )  # fmt: skip


def _unclosed(file: str, line: int, text: str, separator: str, columns: list[str]) -> FileProblem:
    index, opens = _odd_cell(text, separator)
    name = columns[index] if index < len(columns) else f"cell {index + 1}"
    if opens:
        message = "begins with a quotation mark that is not closed"
        remedy = "close it with another one, in the same line, or take this one out"
    else:
        message = "has a quotation mark within it"
        remedy = 'take it out; or put the whole cell in quotes, and write "" for the one within'
    column = _column(text, separator, index)
    return FileProblem(file, line, column, shortened(text), f"{name} {message}", remedy)


def _odd_cell(text: str, separator: str) -> tuple[int, bool]:
    """Which cell, from 0, keeps the line from being read; whether its first mark is left open."""
    index = at = 0
    while True:
        begins = at + len(text[at:]) - len(text[at:].lstrip(" "))
        opens = text.startswith('"', begins)
        closed = _closing(text, begins) if opens else begins
        if closed is None:
            return index, True
        end = text.find(separator, closed)
        rest = text[closed + opens : end if end >= 0 else len(text)]
        if end < 0 or (rest if opens else '"' in rest):
            return index, False
        index, at = index + 1, end + 1


def _closing(text: str, opening: int) -> int | None:
    """Where the mark stands that closes this one; two in a row are one within the cell."""
    at = text.find('"', opening + 1)
    while at >= 0 and text.startswith('"', at + 1):
        at = text.find('"', at + 2)
    return at if at >= 0 else None
