"""One entry of a list in a YAML file, found by its line, to be edited as a person would.

Only what stands in lines of its own is taken out or put in: an entry after a dash, a
field of one without braces. Comments between the entries are nobody's to move.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sync.mapping.tree import Items, Scalar, Table, parse

SCALAR = re.compile(r"""'(?:[^']|'')*'|"(?:[^"\\]|\\.)*"|[^\s#,}\]]+""")


@dataclass(frozen=True, slots=True)
class Entry:
    """Its lines, from 1 and both within it.

    ``own_lines``: it begins with a dash, so that nothing else stands in them.
    ``braces``: its fields do not have a line each.
    """

    table: Table
    first: int
    last: int
    own_lines: bool
    braces: bool


def entry_at(text: str, section: str, field: str, line: int) -> Entry | None:
    """The entry of the section whose field stands at that line; None where there is none."""
    tree, _ = parse("", text.removeprefix("\ufeff"))
    held = tree.values.get(section) if isinstance(tree, Table) else None
    for item in held.items if isinstance(held, Items) else ():
        value = item.values.get(field) if isinstance(item, Table) else None
        if isinstance(item, Table) and isinstance(value, Scalar) and value.line == line:
            return _entry(text.split("\n"), item)
    return None


def without(text: str, entry: Entry) -> str | None:
    """The text without this entry; None where other things stand in its lines."""
    if not entry.own_lines:
        return None
    lines = text.split("\n")
    del lines[entry.first - 1 : entry.last]
    return "\n".join(lines)


def with_field(text: str, entry: Entry, name: str, value: str | None, after: str) -> str | None:
    """The text with the field as ``value``, written as YAML; None takes it out.

    One that was not there gets a line behind the field ``after``. None where it does
    not stand in a line of its own.
    """
    lines = text.split("\n")
    key, held = entry.table.keys.get(name), entry.table.values.get(name)
    if key is None:
        if value is None:
            return text
        beside = entry.table.values.get(after)
        if entry.braces or not isinstance(beside, Scalar):
            return None
        indent = " " * (entry.table.keys[after].column - 1)
        end = "\r" if lines[beside.line - 1].endswith("\r") else ""
        lines.insert(beside.line, f"{indent}{name}: {value}{end}")
        return "\n".join(lines)
    if not isinstance(held, Scalar) or held.line != key.line:
        return None
    if value is None:
        if entry.braces or key.line == entry.first:
            return None
        del lines[key.line - 1]
        return "\n".join(lines)
    line = lines[held.line - 1]
    found = SCALAR.match(line, held.column - 1)
    if found is None:
        return None
    lines[held.line - 1] = f"{line[: held.column - 1]}{value}{line[found.end() :]}"
    return "\n".join(lines)


def _entry(lines: list[str], item: Table) -> Entry:
    line = lines[item.line - 1]
    before = line[: item.column - 1].removeprefix("\ufeff")
    own_lines, braces = before.strip() == "-", line[item.column - 1 :].startswith("{")
    last, dash = item.line, before.find("-")
    for number, below in enumerate(lines[item.line :], item.line + 1):
        written, indent = below.strip(), len(below) - len(below.lstrip(" "))
        if written and indent <= dash:
            break
        # Deeper than the fields a line belongs to the text of one, whatever it looks like.
        if written and (indent >= item.column or not written.startswith("#")):
            last = number
    return Entry(item, item.line, last, own_lines, braces)
