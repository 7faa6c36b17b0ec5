"""One assignment added, moved or taken out, and nothing else of the files touched.

A pure edit of texts: comments, the order of lines, the separator, the columns and
the ends of lines stay as people wrote them. An edit whose outcome is not exactly
what was asked for is refused, whatever the reason. ``sync.mapping.saving`` puts
the new text in place.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass

from sync.domain.ids import CustomerId
from sync.domain.mapping import Assignment, SyncMapping
from sync.errors import Misconfigured
from sync.mapping.problems import FilesRefused
from sync.mapping.reading import CUSTOMERS, CUSTOMERS_TABLE, check_texts
from sync.mapping.tables import COLUMNS, SEPARATORS, cells_of, spans_of
from sync.mapping.words import spreadsheet_number
from sync.mapping.yaml_entries import entry_at, with_field, without

NEW_TABLE = "organisation,user,contact,note,customer_id\n"
_BARE = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class Edit:
    """Who shall stand for which account; ``customer_id`` None: for none.

    A ``user`` with an ``organisation`` is an exception within it. ``contact`` None
    leaves what is written; so does ``note``, which only a new line gets.
    """

    user: str
    organisation: str
    customer_id: str | None
    contact: str | None = None
    note: str = ""

    def __post_init__(self) -> None:
        if not self.user and not self.organisation:
            raise Misconfigured("an assignment needs a user or an organisation; name one")

    @property
    def who(self) -> str:
        if not self.organisation:
            return f"user {self.user}"
        if not self.user:
            return f"organisation {self.organisation}"
        return f"user {self.user} in organisation {self.organisation}"


def edited(files: Mapping[str, str], edit: Edit) -> dict[str, str]:
    """The files after the edit. The same ones where it says what they say already.

    Raises FilesRefused where the files are refused, before the edit or after it,
    and Misconfigured where the edit cannot be made by a program.
    """
    before = sound_mapping(files)
    held = _held(before, edit)
    if held == (edit.customer_id, edit.contact if edit.contact is not None else held[1]):
        return dict(files)
    found = assignment_of(before, edit)
    origin = found.origin if found is not None else ""
    file, _, line = origin.rpartition(":")
    after = dict(files)
    if not origin:
        if edit.customer_id is None:
            return dict(files)
        after[CUSTOMERS_TABLE] = _added(files.get(CUSTOMERS_TABLE, NEW_TABLE), edit)
    elif file == CUSTOMERS_TABLE:
        after[file] = _changed(files[file], int(line), edit)
    else:
        after[file] = _moved(files[file], int(line), origin, edit)
    _only_this(before, sound_mapping(after), edit)
    return after


def sound_mapping(files: Mapping[str, str]) -> SyncMapping:
    """The mapping that these files are. Raises FilesRefused: what is refused is not edited."""
    judged = check_texts(files)
    if judged.mapping is None:
        raise FilesRefused("the mapping files are refused, so nothing is edited", judged.problems)
    return judged.mapping


Key = tuple[str, str]
Held = tuple[str | None, str | None]


def accounts_in(mapping: SyncMapping) -> dict[Key, Held]:
    """By user and organisation, each perhaps empty: customer ID and contact."""
    return {
        (
            each.user.value if each.user else "",
            each.organisation.value if each.organisation else "",
        ): (
            each.customer_id.value,
            each.contact.value if each.contact else "",
        )
        for each in mapping.assignments
    }


def _held(mapping: SyncMapping, edit: Edit) -> Held:
    return accounts_in(mapping).get((edit.user, edit.organisation), (None, ""))


def assignment_of(mapping: SyncMapping, edit: Edit) -> Assignment | None:
    """The assignment that the edit is about; None where the mapping has none."""
    for each in mapping.assignments:
        user = each.user.value if each.user else ""
        organisation = each.organisation.value if each.organisation else ""
        if (user, organisation) == (edit.user, edit.organisation):
            return each
    return None


def _only_this(before: SyncMapping, after: SyncMapping, edit: Edit) -> None:
    """The proof that the new files say what was asked for, and of everybody else the same."""
    wanted = accounts_in(before)
    key = (edit.user, edit.organisation)
    if edit.customer_id is None:
        wanted.pop(key, None)
    else:
        contact = edit.contact if edit.contact is not None else wanted.get(key, (None, ""))[1]
        wanted[key] = (CustomerId(edit.customer_id).value, contact)
    if accounts_in(after) != wanted:
        raise Misconfigured(
            f"the edit for {edit.who} would not come out as asked; edit {CUSTOMERS_TABLE} by hand"
        )


# The table


def _added(text: str, edit: Edit) -> str:
    header, separator, newline = shape_of(text)
    values = {
        "user": edit.user,
        "organisation": edit.organisation,
        "customer_id": edit.customer_id or "",
        "contact": edit.contact or "",
        "note": edit.note,
    }
    lacking = [name for name, value in values.items() if value and name not in header]
    if set(lacking) - {"note"}:
        raise Misconfigured(
            f"{CUSTOMERS_TABLE} has no column {lacking[0]}; add it to the header, then try again"
        )
    row = row_of([values[name] for name in header], separator)
    end = "" if not text or text.endswith("\n") else newline
    return f"{text}{end}{row}{newline}"


def _changed(text: str, number: int, edit: Edit) -> str:
    header, separator, _ = shape_of(text)
    lines = text.split("\n")
    if edit.customer_id is None:
        del lines[number - 1]
        return "\n".join(lines)
    line = lines[number - 1]
    line = with_cell(line, separator, header.index("customer_id"), edit.customer_id)
    if edit.contact is not None:
        if "contact" not in header:
            raise Misconfigured(f"{CUSTOMERS_TABLE} has no column contact; add it, then try again")
        line = with_cell(line, separator, header.index("contact"), edit.contact)
    lines[number - 1] = line
    return "\n".join(lines)


def shape_of(text: str) -> tuple[list[str], str, str]:
    """Header, separator and end of line, as the table has them."""
    newline = "\r\n" if "\r\n" in text else "\n"
    for line in text.removeprefix("\ufeff").split("\n"):
        line = line.removesuffix("\r")
        if line.strip() and not line.startswith("#"):
            separator = max(SEPARATORS, key=line.count)
            return cells_of(line, separator) or [], separator, newline
    return list(COLUMNS), SEPARATORS[0], newline


def with_cell(line: str, separator: str, index: int, value: str) -> str:
    """The line with another value in that cell, and everything else as it was written."""
    start, end = spans_of(line, separator)[index]
    return line[:start] + _cell(value, separator) + line[end:]


def row_of(values: list[str], separator: str) -> str:
    """One line of a table. Raises Misconfigured for a value with a line break."""
    return separator.join(_cell(value, separator) for value in values)


def _cell(value: str, separator: str) -> str:
    if "\n" in value or "\r" in value:
        raise Misconfigured("a cell cannot hold a line break; write it in one line")
    if value.startswith("#") or separator in value or '"' in value or value != value.strip():
        written = io.StringIO()
        csv.writer(written, quoting=csv.QUOTE_ALL, lineterminator="").writerow([value])
        return written.getvalue()
    return value


# The YAML file


def _moved(text: str, number: int, origin: str, edit: Edit) -> str:
    """The entry with its customer ID at that line taken out, or with other values."""
    by_hand = f"{edit.who} stands in {origin}; edit that entry of {CUSTOMERS} by hand"
    entry = entry_at(text, "assignments", "customer_id", number)
    after: str | None = None
    if entry is not None and edit.customer_id is None:
        after = without(text, entry)
    elif entry is not None and edit.customer_id is not None:
        customer_id = _scalar(edit.customer_id)
        after = with_field(text, entry, "customer_id", customer_id, after="customer_id")
    if after is not None and edit.customer_id is not None and edit.contact is not None:
        # Another ID moves nothing in the other lines, and all in its own.
        entry = entry_at(after, "assignments", "customer_id", number)
        contact = _scalar(edit.contact) if edit.contact else None
        after = with_field(after, entry, "contact", contact, "customer_id") if entry else None
    if after is None:
        raise Misconfigured(by_hand)
    return after


def _scalar(value: str) -> str:
    bare = _BARE.fullmatch(value) and not spreadsheet_number(value)
    if bare and value.lower() not in {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}:
        return value
    return "'" + value.replace("'", "''") + "'"
