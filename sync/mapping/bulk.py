"""A whole table of assignments taken over into the files, which stay a person's files.

The sheet says what customers.csv shall say. Lines that say so already are left as
they are written, with the comments between them; others get the new cells, new ones
come at the end. Exceptions in customers.yaml stay there: the sheet may repeat them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sync.errors import Misconfigured
from sync.mapping.customers import judge_assignments
from sync.mapping.editing import (
    NEW_TABLE,
    Key,
    accounts_in,
    row_of,
    shape_of,
    sound_mapping,
    with_cell,
)
from sync.mapping.findings import Findings
from sync.mapping.losses import are_most
from sync.mapping.problems import FileProblem, FilesRefused, shortened
from sync.mapping.reading import CUSTOMERS_TABLE, groups_in, rows_in
from sync.mapping.spreadsheets import Sheet
from sync.mapping.tables import Assigned

OPTIONAL = ("contact", "note")


@dataclass(frozen=True, slots=True)
class Imported:
    """The files afterwards, and what became of the ``before`` assignments of customers.csv.

    ``moved`` have another customer ID, ``reworded`` another contact or note;
    ``stay`` are those that customers.yaml has and the sheet does not name.
    """

    files: Mapping[str, str]
    before: int
    added: int
    moved: int
    reworded: int
    removed: int
    stay: int

    @property
    def doubtful(self) -> bool:
        """Whether it looks like a filter left on, or one column sorted by itself.

        Nothing left of what there was does in the smallest table too: the head alone.
        """
        emptied = self.before > 0 and self.removed == self.before and not self.added
        return emptied or are_most(self.moved + self.removed, self.before)


def taken_over(files: Mapping[str, str], sheet: Sheet) -> Imported:
    """The files with the sheet's assignments in customers.csv.

    Raises FilesRefused for files that are refused before or after, and for rows that
    may not count, each with its line in the sheet; Misconfigured where customers.csv
    lacks a column.
    """
    before = accounts_in(sound_mapping(files))
    findings = Findings()
    judge_assignments(sheet.rows, groups_in(files), findings)
    held = {(each.user, each.organisation): each for each in rows_in(files)}
    named: dict[Key, Assigned] = {}
    for row in sheet.rows:
        key = row.user, row.organisation
        earlier = named[key] = _completed(row, held.get(key), sheet)
        elsewhere = held.get(key)
        if elsewhere is None or elsewhere.file == CUSTOMERS_TABLE:
            continue
        if (earlier.customer_id, earlier.contact) != (elsewhere.customer_id, elsewhere.contact):
            findings.add([_elsewhere(row, elsewhere)])
    if findings.problems:
        raise FilesRefused(f"{sheet.file} is not imported", sorted(findings.problems))
    table = {key: each for key, each in held.items() if each.file == CUSTOMERS_TABLE}
    others = held.keys() - table.keys()
    wanted = {key: row for key, row in named.items() if key not in others}
    after = dict(files)
    if wanted or table:
        after[CUSTOMERS_TABLE] = _table(files.get(CUSTOMERS_TABLE, NEW_TABLE), table, wanted)
    expected = {key: each for key, each in before.items() if key in others}
    expected |= {key: (row.customer_id, row.contact) for key, row in wanted.items()}
    if accounts_in(sound_mapping(after)) != expected:
        raise Misconfigured(
            f"{sheet.file} would not come out as it says; edit {CUSTOMERS_TABLE} by hand"
        )
    both = table.keys() & wanted.keys()
    moved = sum(1 for key in both if table[key].customer_id != wanted[key].customer_id)
    same = sum(1 for key in both if _values(table[key]) == _values(wanted[key]))
    return Imported(
        files=after,
        before=len(table),
        added=len(wanted) - len(both),
        moved=moved,
        reworded=len(both) - moved - same,
        removed=len(table) - len(both),
        stay=len(others - named.keys()),
    )


def _completed(row: Assigned, held: Assigned | None, sheet: Sheet) -> Assigned:
    """The row; for a column that the sheet does not have, with what was written before."""
    kept = {
        name: getattr(held, name)
        for name in OPTIONAL
        if held is not None and name not in sheet.columns
    }
    return row._replace(**kept)


def _values(row: Assigned) -> tuple[str, ...]:
    return row.customer_id, row.contact, row.note


def _elsewhere(row: Assigned, held: Assigned) -> FileProblem:
    who = f"organisation {row.organisation}" if not row.user else f"user {row.user}"
    return FileProblem(
        row.file, row.line, row.column, shortened(row.customer_id),
        f"{shortened(who)} is assigned to {shortened(held.customer_id)} in {held.origin}",
        "change it there by hand, or take the row out here",
    )  # fmt: skip


def _table(text: str, held: Mapping[Key, Assigned], wanted: Mapping[Key, Assigned]) -> str:
    header, separator, newline = shape_of(text)
    by_line = {each.line: (key, each) for key, each in held.items()}
    lines = []
    for number, line in enumerate(text.split("\n"), 1):
        key, was = by_line.get(number, (None, None))
        if key is None or was is None:
            lines.append(line)
        elif key in wanted:
            lines.append(_line(line, header, separator, was, wanted[key]))
    kept = "\n".join(lines)
    new = [row for key, row in wanted.items() if key not in held]
    added = []
    for row in new:
        for name in ("user", "organisation", *OPTIONAL):
            if getattr(row, name):
                _column(row, name, header)
        added.append(row_of([getattr(row, name) for name in header], separator) + newline)
    end = newline if kept and not kept.endswith("\n") and added else ""
    return kept + end + "".join(added)


def _line(line: str, header: list[str], separator: str, was: Assigned, row: Assigned) -> str:
    """The line as it is written, with the cells of which the sheet says something else."""
    for name in ("customer_id", *OPTIONAL):
        value = getattr(row, name)
        if getattr(was, name) != value:
            line = with_cell(line, separator, _column(row, name, header), value)
    return line


def _column(row: Assigned, name: str, header: list[str]) -> int:
    if name not in header:
        raise Misconfigured(
            f"{row.origin} has a {name}, but {CUSTOMERS_TABLE} has no such column; add it to its"
            " header, then import again"
        )
    return header.index(name)
