"""Assignments on their way out to a spreadsheet and back from one.

Out: what a spreadsheet would compute is written so that it does not. In: the
encoding is told by its marks and never guessed, and what a spreadsheet did to a
key (zeros stripped, digits rounded, a number or a date made of it) is refused by
line, since one such cell hands an account to somebody else.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from sync.mapping.editing import row_of
from sync.mapping.problems import FileProblem, FilesRefused, shortened
from sync.mapping.tables import NOTE, Assigned, columns_of, place_in, read_table
from sync.mapping.tree import position

HEADER = ("organisation", "user", "contact", NOTE, "customer_id")
KEYS = ("organisation", "user", "contact", "customer_id")
ENCODINGS = ("utf-8", "utf-16", "windows-1252")
"""What may be said of a file that does not tell by itself."""

_MARKS = (
    (codecs.BOM_UTF32_LE, ""),  # before UTF-16's, which it begins with
    (codecs.BOM_UTF32_BE, ""),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# What a spreadsheet computes, also where somebody else has put an apostrophe before it.
_COMPUTED = re.compile("'*[=+\\-@\t\r\uff1d\uff0b\uff0d\uff20]")
_SEPARATOR_LINE = re.compile(r"sep=[,;\t]\r?", re.IGNORECASE)
_ERROR_VALUE = re.compile(r"#(?:N/A|REF!|VALUE!|NAME\?|DIV/0!|NUM!|NULL!)", re.IGNORECASE)
_DECIMAL = re.compile(r"([0-9]+)[.,]0+")
_MONTH = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_DATE = re.compile(rf"[0-9]{{1,2}}-{_MONTH}(?:-[0-9]{{2,4}})?|{_MONTH}-[0-9]{{2,4}}", re.IGNORECASE)
EXACT_DIGITS = 15
"""A spreadsheet's numbers keep so many digits and write zeros for the rest."""


# Out


def sheet(rows: Iterable[Assigned], separator: str) -> str:
    """The rows as a table for a spreadsheet, without a byte order mark.

    A note in several lines comes out in one: a line is a row.
    """
    lines = [separator.join(HEADER)]
    for row in rows:
        values = [" ".join(str(getattr(row, name)).split()) for name in HEADER]
        lines.append(row_of([escaped(value) for value in values], separator))
    return "\r\n".join(lines) + "\r\n"


def escaped(value: str) -> str:
    """The value with an apostrophe before what a spreadsheet would compute."""
    return f"'{value}" if _COMPUTED.match(value) else value


def meant(cell: str) -> str:
    """What ``escaped`` made the cell from; any other cell as it is."""
    return cell[1:] if cell.startswith("'") and _COMPUTED.match(cell) else cell


# In


def decoded(file: str, content: bytes, encoding: str | None = None) -> str:
    """The text of the file. ``encoding`` counts where no mark tells another one.

    Raises FilesRefused with the place and the way out where it cannot be told.
    """
    for mark, name in _MARKS:
        if content.startswith(mark):
            if not name:
                raise _refused(file, 1, 1, "the file is UTF-32", "save it as CSV UTF-8")
            return _as(file, content, name)
    if encoding in (None, "utf-16") and b"\0" in content[:200]:
        # Without a mark, but every second byte is empty: which one says how it is meant.
        return _as(file, content, "utf-16-le" if content[1:2] == b"\0" else "utf-16-be")
    return _as(file, content, encoding or "utf-8")


def _as(file: str, content: bytes, encoding: str) -> str:
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        if not encoding.startswith("utf-8"):
            remedy = "save it as CSV UTF-8"
            raise _refused(file, 1, 1, f"the file is not {encoding}", remedy) from error
        before = content[: error.start].decode("utf-8")
        line, column = position(before, len(before))
        raise _refused(
            file, line, column, f"the byte {content[error.start]:#04x} is not UTF-8",
            "save it as CSV UTF-8; or if it is the encoding of an older Windows in the west,"
            " say --encoding windows-1252",
        ) from error  # fmt: skip
    return _without_separator_line(text.removeprefix("\ufeff"))


def _without_separator_line(text: str) -> str:
    first, newline, rest = text.partition("\n")
    return f"\n{rest}" if newline and _SEPARATOR_LINE.fullmatch(first) else text


@dataclass(frozen=True, slots=True)
class Known:
    """The keys of one column that are known to exist, to tell a spoilt one by."""

    keys: frozenset[str]
    _bare: Mapping[str, str] = field(default_factory=dict)
    _begun: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, keys: Collection[str]) -> Known:
        numbers = sorted(each for each in keys if each.isascii() and each.isdigit())
        return cls(
            frozenset(keys),
            {each.lstrip("0") or "0": each for each in numbers if each.startswith("0")},
            {each[:EXACT_DIGITS]: each for each in numbers if len(each) > EXACT_DIGITS},
        )

    def damage(self, cell: str) -> tuple[str, str] | None:
        """What a spreadsheet did to this cell, and the way out; None for a sound one."""
        if _ERROR_VALUE.match(cell):
            return "is an error of the spreadsheet", "correct its formula, or write the ID itself"
        if not cell or cell in self.keys:
            return None
        if _DATE.fullmatch(cell):
            return "looks like a date that a spreadsheet made of an ID", _AS_TEXT
        number = _DECIMAL.fullmatch(cell)
        whole = number[1] if number else cell
        if not (whole.isascii() and whole.isdigit()):
            return None
        if number and (whole in self.keys or whole in self._bare):
            known = whole if whole in self.keys else self._bare[whole]
            return f"was turned into a number: {known} is known", _AS_TEXT
        if whole in self._bare:
            remedy = f"write {self._bare[whole]}; if {whole} exists too, `tradesync map` it first"
            return f"lost its leading zeros: {self._bare[whole]} is known", remedy
        begun = self._begun.get(whole[:EXACT_DIGITS])
        if begun is not None and len(whole) > EXACT_DIGITS and not whole[EXACT_DIGITS:].strip("0"):
            return f"lost its last digits: {begun} is known", _AS_TEXT
        return None


_AS_TEXT = "write the ID in full, in a column that is formatted as text"


@dataclass(frozen=True, slots=True)
class Sheet:
    """What came back: its rows, and which columns it had."""

    file: str
    rows: tuple[Assigned, ...]
    columns: tuple[str, ...]


def read_sheet(file: str, text: str, known: Mapping[str, Known]) -> Sheet:
    """The rows of the table. ``known`` has the keys for each of ``KEYS``.

    Raises FilesRefused with every line that is not sound, or looks spoilt.
    """
    rows, problems = read_table(file, text, meant)
    columns, separator = columns_of(text)
    lines = text.split("\n")
    problems += _errors_as_comments(file, lines)
    for row in rows:
        for name in KEYS:
            damage = known[name].damage(getattr(row, name)) if name in columns else None
            if damage is not None:
                column = place_in(lines[row.line - 1], separator, columns.index(name))
                cell = shortened(getattr(row, name))
                told = f"{name} {damage[0]}"
                problems.append(FileProblem(file, row.line, column, cell, told, damage[1]))
    if problems:
        raise FilesRefused(f"{file} is not imported", problems)
    return Sheet(file, tuple(rows), tuple(columns))


def _errors_as_comments(file: str, lines: list[str]) -> Iterator[FileProblem]:
    """Rows that would be skipped, because the spreadsheet's error looks like a comment."""
    for number, line in enumerate(lines, 1):
        if _ERROR_VALUE.match(line):
            message, remedy = Known.of(()).damage(line) or ("", "")
            yield FileProblem(file, number, 1, shortened(line), f"the row {message}", remedy)


def _refused(file: str, line: int, column: int, message: str, remedy: str) -> FilesRefused:
    problem = FileProblem(file, line, column, "", message, remedy)
    return FilesRefused(f"{file} is not imported", [problem])
