"""Files read whole, and never half.

A file that is still being written, or whose share is gone, must not look like an
ERP without customers. So a file that is named in the layout has to be there, ends
with a line end, and has as many values in every row as in its head; otherwise the
read raises. What was read is kept until the file's size or time changes.
"""

from __future__ import annotations

import csv
import difflib
import io
import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from erp_adapters.csv_folder.layout import SHEETS, Sheet, word_of
from sync.domain.ids import CustomerId
from sync.errors import Misconfigured, TryLater
from sync.kit.disk import FileFacts, FileSystem, there, translated
from sync.ports.erp import UnreadableRecord

T = TypeVar("T")
Row = Mapping[str, str | None]
"""Column -> text without surrounding space; None for an empty or missing one."""


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of one file as they stood when it was read; ``lines`` says where, from 1."""

    sheet: Sheet
    rows: tuple[Row, ...] = ()
    lines: tuple[int, ...] = ()
    _indexes: dict[str, Mapping[str, tuple[Row, ...]]] = field(
        default_factory=dict, compare=False, repr=False
    )

    def by(self, column: str) -> Mapping[str, tuple[Row, ...]]:
        """Value -> its rows, in their order; rows without a value are in none."""
        held = self._indexes.get(column)
        if held is None:
            found: dict[str, list[Row]] = defaultdict(list)
            for row in self.rows:
                if row[column] is not None:
                    found[row[column] or ""].append(row)
            held = {value: tuple(rows) for value, rows in found.items()}
            self._indexes[column] = held
        return held

    def of(self, column: str, values: Collection[str]) -> list[Row]:
        index = self.by(column)
        return [row for value in dict.fromkeys(values) for row in index.get(value, ())]


class FileMissing(TryLater):
    """A file that the ERP writes, and that is not there; ``what`` and ``remedy`` in turn."""

    def __init__(self, path: Path, sheet: Sheet) -> None:
        word = word_of(sheet.name)
        self.what = f"{path} is not there"
        self.remedy = (
            f"wait for the ERP's next export, or add {word!r} to the option without if this ERP"
            " never writes it"
            if word is not None
            else "wait for the ERP's next export; every ERP must write it, with its head alone"
            " where there is nothing to tell"
        )
        super().__init__(f"{self.what}: {self.remedy}")


@dataclass(frozen=True, slots=True)
class Format:
    separator: str = ","
    encoding: str = "utf-8"


class Tables:
    """The folder's files. ``absent`` names those that this ERP does not write."""

    def __init__(
        self, folder: Path, files: FileSystem, form: Format, absent: Collection[str]
    ) -> None:
        self.folder = folder
        self._files = files
        self._format = form
        self._absent = frozenset(absent)
        self._held: dict[str, tuple[FileFacts, Table]] = {}
        self._lock = threading.Lock()

    def get(self, name: str) -> Table:
        """Raises TryLater for a file that is missing or unfinished, Misconfigured for
        one that is not as the layout says."""
        sheet = SHEETS[name]
        if name in self._absent:
            return Table(sheet)
        path = self.folder / sheet.file_name
        with self._lock, translated(f"reading {sheet.file_name}", self.folder):
            facts = self._files.facts(path) if there(self._files, path) else None
            if facts is None:
                raise FileMissing(path, sheet)
            held = self._held.get(name)
            if held is None or held[0] != facts:
                placed = list(self._rows(sheet, path))
                rows, lines = tuple(row for _, row in placed), tuple(line for line, _ in placed)
                held = (facts, Table(sheet, rows, lines))
                self._held[name] = held
        return held[1]

    def _rows(self, sheet: Sheet, path: Path) -> Iterator[tuple[int, Row]]:
        """Each row with the line on which it begins: a value may hold line breaks."""
        content = self._files.read(path)
        if not content.endswith((b"\n", b"\r")):
            raise TryLater(f"{path} does not end with a line end: it is still being written")
        try:
            text = content.decode(self._format.encoding).removeprefix("\ufeff")
            lines = csv.reader(
                io.StringIO(text, newline=""), delimiter=self._format.separator, strict=True
            )
            head = [name.strip() for name in next(lines)]
            _check_head(sheet, head, path)
            ends = lines.line_num
            for values in lines:
                begins, ends = ends + 1, lines.line_num
                if not values:
                    continue
                if len(values) != len(head):
                    raise Misconfigured(
                        f"{path}:{lines.line_num}: {len(values)} values, and {len(head)} columns"
                    )
                row: dict[str, str | None] = dict.fromkeys(sheet.columns)
                row |= {
                    name: value.strip() or None for name, value in zip(head, values, strict=True)
                }
                yield begins, row
        except StopIteration:
            raise Misconfigured(f"{path} has no head with the names of its columns") from None
        except UnicodeDecodeError as error:
            raise Misconfigured(f"{path} is not {self._format.encoding}: {error.reason}") from error
        except csv.Error as error:
            raise Misconfigured(f"{path}: {error}") from error


def _check_head(sheet: Sheet, head: list[str], path: Path) -> None:
    problems = [f"{path}: the column {name} is missing" for name in sheet.must if name not in head]
    for name in head:
        if name in sheet.columns:
            continue
        near = difflib.get_close_matches(name, sheet.columns, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        problems.append(f"{path}: no column {name!r} is known{hint}")
    problems += [f"{path}: the column {name} twice" for name in set(head) if head.count(name) > 1]
    if problems:
        raise Misconfigured(f"{sheet.file_name} is not as the layout says:", tuple(problems))


_SINGLE: Mapping[str, tuple[str, ...]] = {
    "customers": ("customer_id",),
    "locations": ("customer_id", "location_id"),
    "ship_tos": ("customer_id", "ship_to_id"),
    "bill_tos": ("customer_id", "bill_to_id"),
    "items": ("sku",),
    "invoices": ("customer_id", "invoice_number"),
}
"""Sheets that tell each record in one row, and what tells records apart."""

Key = tuple[str | None, ...]


def key_of_record(sheet: Sheet, row: Row) -> Key:
    return tuple(row[name] for name in _SINGLE[sheet.name])


def told_twice(sheet: Sheet, rows: Collection[Row]) -> Mapping[Key, str]:
    """Records with two rows that differ, of a sheet that has one for each: what is said of them."""
    if sheet.name not in _SINGLE:
        return {}
    first: dict[Key, Row] = {}
    apart: dict[Key, dict[str, None]] = defaultdict(dict)
    for row in rows:
        key = key_of_record(sheet, row)
        one = first.setdefault(key, row)
        if row != one:
            apart[key].update(dict.fromkeys(name for name in one if row[name] != one[name]))
    return {
        key: f"has two rows that differ in {', '.join(names)}: which of them is right?"
        for key, names in apart.items()
    }


class Unreadable:
    """What reads of this thread had to leave out, each once."""

    def __init__(self) -> None:
        self._held = threading.local()

    def take(self) -> tuple[UnreadableRecord, ...]:
        held: dict[UnreadableRecord, None] = getattr(self._held, "records", {})
        self._held.records = {}
        return tuple(held)

    def build(
        self,
        sheet: Sheet,
        rows: Collection[Row],
        make: Callable[[Row], T],
        owner: Callable[[Row], str | None] = lambda row: row.get("customer_id"),
    ) -> Iterator[T]:
        """The documents of these rows. A row that makes none is noted with its account."""
        for row in rows:
            try:
                made = make(row)
            except ValueError as error:
                self._note(sheet, row, str(error), owner(row))
            else:
                yield made

    def single(self, sheet: Sheet, rows: Collection[Row]) -> list[Row]:
        """One row for each record; of one with two rows that differ none can be believed."""
        apart = told_twice(sheet, rows)
        told: dict[Key, Row] = {}
        for row in rows:
            told.setdefault(key_of_record(sheet, row), row)
        for key, why in apart.items():
            row = told.pop(key)
            self._keep(sheet, row, "", why, row.get("customer_id"))
        return list(told.values())

    def _note(self, sheet: Sheet, row: Row, why: str, owner: str | None) -> None:
        column, _, message = why.partition(": ") if ": " in why else ("", "", why)
        self._keep(sheet, row, column, message, owner)

    def _keep(self, sheet: Sheet, row: Row, column: str, message: str, owner: str | None) -> None:
        key = "/".join(row[name] or "?" for name in sheet.identity)
        record = UnreadableRecord(sheet.file_name, key, column, message, _customer(owner))
        held: dict[UnreadableRecord, None] = getattr(self._held, "records", {})
        self._held.records = {**held, record: None}


def _customer(value: str | None) -> CustomerId | None:
    try:
        return None if value is None else CustomerId(value)
    except ValueError:
        return None
