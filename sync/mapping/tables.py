"""Assignments as a table: one line each, for thousands of them and for spreadsheets.

Every line is one row; a cell cannot hold a line break. That keeps the line
numbers true, and a forgotten quotation mark cannot swallow the rest of the file.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import NamedTuple

from sync.domain.ids import well_formed
from sync.mapping.models import AssignmentEntry
from sync.mapping.problems import FileProblem, shortened, suggestion
from sync.mapping.tree import MAX_CHARACTERS
from sync.mapping.words import malformed, spreadsheet_number

SEPARATORS = (",", ";", "\t")
COLUMNS = tuple(AssignmentEntry.model_fields)
NOTE = "note"
NEEDED = "customer_id"
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

    @property
    def origin(self) -> str:
        return f"{self.file}:{self.line}"


def read_table(file: str, text: str) -> tuple[list[Assigned], list[FileProblem]]:
    """The rows that can be used, in their order, and what is wrong with the others.

    Lines that are empty, hold nothing but separators or begin with ``#`` are
    skipped. Never raises for any text.
    """
    if len(text) > MAX_CHARACTERS:
        message = f"the file is larger than {MAX_CHARACTERS // 2**20} MiB"
        return [], [FileProblem(file, 1, 1, "", message, "look whether it is the right file")]
    lines = _lines(text)
    header = next(lines, None)
    if header is None:
        remedy = f"begin with the line {SHORTEST_HEADER}"
        return [], [FileProblem(file, 1, 1, "", "the header line is missing", remedy)]
    columns, separator, problems = _header(file, *header)
    if problems:
        return [], problems
    table = _Table(file, columns, separator)
    for line, written in lines:
        table.take(line, written)
    return table.rows, table.problems


def _lines(text: str) -> Iterator[tuple[int, str]]:
    # Not splitlines(): it also splits at characters that no editor counts as a line.
    for number, line in enumerate(text.split("\n"), 1):
        line = line.removesuffix("\r")
        if line.strip() and not line.startswith("#"):
            yield number, line


def _header(file: str, line: int, text: str) -> tuple[list[str], str, list[FileProblem]]:
    separator = max(SEPARATORS, key=text.count)
    cells = _cells(text, separator)
    if cells is None:
        return [], separator, [_unclosed(file, line, text)]
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

    def __init__(self, file: str, columns: list[str], separator: str) -> None:
        self.rows: list[Assigned] = []
        self.problems: list[FileProblem] = []
        self._file = file
        self._columns = columns
        self._separator = separator
        place = {name: index for index, name in enumerate(columns)}
        self._id_at = place[NEEDED]
        self._places = [place.get(name) for name in ("user", "organisation", NEEDED, "contact")]

    def take(self, line: int, text: str) -> None:
        cells = _cells(text, self._separator)
        if cells is None:
            self.problems.append(_unclosed(self._file, line, text))
            return
        if not any(cells):
            return  # a spreadsheet writes a row that was emptied as separators only
        if len(cells) != len(self._columns):
            message = f"{len(cells)} cells where the header has {len(self._columns)}"
            remedy = "write one cell for each column; put a cell that holds the separator in quotes"
            self.problems.append(FileProblem(self._file, line, 1, shortened(text), message, remedy))
            return
        user, organisation, customer_id, contact = (
            cells[at] if at is not None else "" for at in self._places
        )
        wrong = self._wrong(line, text, cells)
        if wrong:
            self.problems.extend(wrong)
            return
        column = _column(text, self._separator, self._id_at)
        self.rows.append(
            Assigned(user, organisation, customer_id, contact, self._file, line, column)
        )

    def _wrong(self, line: int, text: str, cells: list[str]) -> list[FileProblem]:
        found = []
        for index, (name, cell) in enumerate(zip(self._columns, cells, strict=True)):
            if name == NOTE or (well_formed(cell) and "+" not in cell):
                continue
            if not cell and name != NEEDED:
                continue
            if not well_formed(cell):
                message, remedy = malformed(cell)
            elif spreadsheet_number(cell):
                message = "was turned into a number by a spreadsheet"
                remedy = "write the ID in full, in a column that is formatted as text"
            else:
                continue
            column = _column(text, self._separator, index)
            found.append(
                FileProblem(self._file, line, column, shortened(cell), f"{name} {message}", remedy)
            )
        return found


def _cells(text: str, separator: str) -> list[str] | None:
    """The cells without the spaces around them; None where a quotation mark is not closed."""
    if '"' not in text:
        return [cell.strip() for cell in text.split(separator)]
    try:
        cells = next(csv.reader([text], delimiter=separator, strict=True, skipinitialspace=True))
    except csv.Error:
        return None
    return [cell.strip() for cell in cells]


def _column(text: str, separator: str, index: int) -> int:
    """Where the cell begins, from 1; separators within quotes do not count."""
    start = 0
    quoted = False
    for offset, mark in enumerate(text):
        if index == 0:
            break
        if mark == '"':
            quoted = not quoted
        elif mark == separator and not quoted:
            index -= 1
            start = offset + 1
    return start + 1


def _unclosed(file: str, line: int, text: str) -> FileProblem:
    return FileProblem(
        file, line, text.find('"') + 1, shortened(text),
        "a quotation mark is not closed, or stands in the middle of a cell",
        'close it in the same line; write "" for one within a quoted cell',
    )  # fmt: skip
