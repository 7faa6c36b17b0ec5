"""The smaller parts of a profile: texts by dialect, values tables, types."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from erp_adapters.sql.catalogue import Kind
from erp_adapters.sql.profile_model import DEFAULT, Storage, StoredAs, Variants, dialect_name
from erp_adapters.sql.statement import StatementError, scan
from erp_adapters.sql.yaml_nodes import Node

_PLACES = re.compile(r"[0-9]{1,2}", re.ASCII)
_TYPE = re.compile(r"(?P<storage>[a-z]+)(?:\((?P<argument>[^()]+)\))?")

FITTING: Mapping[Kind, frozenset[Storage]] = {
    Kind.KEY: frozenset({Storage.TEXT, Storage.INTEGER, Storage.UUID}),
    Kind.TEXT: frozenset({Storage.TEXT, Storage.INTEGER}),
    Kind.WORD: frozenset({Storage.TEXT}),
    Kind.INTEGER: frozenset({Storage.INTEGER, Storage.TEXT}),
    Kind.NUMBER: frozenset({Storage.DECIMAL, Storage.TEXT, Storage.INTEGER}),
    Kind.AMOUNT: frozenset({Storage.DECIMAL, Storage.TEXT, Storage.INTEGER}),
    Kind.PRICE: frozenset({Storage.DECIMAL, Storage.TEXT, Storage.INTEGER}),
    Kind.DATE: frozenset({Storage.DATE}),
    Kind.DATETIME: frozenset({Storage.DATETIME}),
    Kind.BOOL: frozenset({Storage.BOOL, Storage.TEXT, Storage.INTEGER}),
}
"""Kind -> the ways in which a column of it may be stored."""


def read_variants(
    node: Node, what: str, dialects: Collection[str], lists: Collection[str] = ()
) -> Variants | None:
    """One SQL text, or one for each dialect."""
    nodes = {DEFAULT: node}
    if node.is_mapping:
        nodes = {}
        for name, each in node.items(what):
            dialect = dialect_name(name)
            if dialect != DEFAULT and dialect not in dialects:
                each.complain(f"{what}: {name!r} is not among the dialects of the profile")
            nodes[dialect] = each
    found = {}
    for dialect, each in nodes.items():
        typed = each.text(what)
        if typed is None:
            return None
        try:
            found[dialect] = scan(typed, lists)
        except StatementError as error:
            each.problems.add(each.sql_line(error.line), f"{what}: {error}")
            return None
    missing = [name for name in dialects if name not in found and DEFAULT not in found]
    if missing:
        node.complain(f"{what} has no text for {', '.join(missing)}, and no default")
        return None
    return Variants(found)


def read_table(node: Node, what: str) -> dict[str | None, str]:
    """A values table. NULL and empty text are the key None."""
    table: dict[str | None, str] = {}
    for word, each in node.items(what):
        typed = each.text(what)
        if typed is not None:
            table[word.strip() or None] = typed.strip()
    return table


def read_types(nodes: Mapping[str, Node]) -> dict[str, StoredAs]:
    found = {}
    for name, node in nodes.items():
        typed = node.text(f"the type of {name}")
        if typed is None:
            continue
        try:
            found[name] = stored_as(typed.strip())
        except ValueError as error:
            node.complain(f"the type of {name}: {error}")
    return found


def stored_as(typed: str) -> StoredAs:
    """``decimal(4)`` and the like. Raises ValueError for what is no type."""
    match = _TYPE.fullmatch(typed)
    names = [storage.value for storage in Storage]
    if match is None or match["storage"] not in names:
        raise ValueError(f"{typed!r} is no type; there are {', '.join(names)}")
    storage = Storage(match["storage"])
    argument = match["argument"]
    if argument is None:
        return StoredAs(storage)
    options: dict[str, Any] = {}
    if storage is Storage.DECIMAL and _PLACES.fullmatch(argument):
        options["places"] = int(argument)
    elif storage in (Storage.DATE, Storage.DATETIME) and "%" in argument:
        options["format"] = argument
    elif storage is Storage.DATETIME and argument == "aware":
        options["aware"] = True
    elif storage is Storage.DATETIME:
        try:
            options["zone"] = ZoneInfo(argument)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"no time zone {argument!r}") from None
    else:
        raise ValueError(f"{storage.value} takes no ({argument})")
    return StoredAs(storage, **options)


def fits(kind: Kind, storage: Storage) -> bool:
    """Whether a field of that kind can be stored so."""
    return storage in FITTING[kind]
