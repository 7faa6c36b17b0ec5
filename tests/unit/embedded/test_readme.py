"""The page of the embedded store tells every table and column that there is."""

from __future__ import annotations

import re
from pathlib import Path

from sqlalchemy import Boolean, Integer, LargeBinary, Table

from sync.stores.embedded import schema

FOLDER = Path(schema.__file__).parent
PAGE = (FOLDER / "README.md").read_text(encoding="utf-8")
TABLES = schema.metadata.tables
ADDRESS = "an address"


def section(heading: str) -> str:
    return PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def rows(text: str) -> dict[str, tuple[str, str]]:
    found = re.findall(r"^\| `(\w+)` \| (.*?) \| ?(.*?) ?\|$", text, re.MULTILINE)
    return {name: (key, others) for name, key, others in found}


COLUMNS = rows(section("The columns"))


def names(cell: str) -> list[str]:
    return re.findall(r"`(\w+)`", cell)


def address_columns() -> dict[str, bool]:
    """Every column of an address, and whether it must have a value."""
    keys = schema.own_addresses.primary_key.columns.keys()
    own = [each for each in schema.own_addresses.c if each.name not in keys]
    return {each.name: bool(each.nullable) for each in own}


def told(table: Table) -> tuple[list[str], dict[str, bool]]:
    key, others = COLUMNS[table.name]
    found: dict[str, bool] = {}
    for each in filter(None, others.split(", ")):
        if each == ADDRESS:
            found |= address_columns()
        else:
            [name] = names(each)
            found[name] = not each.startswith("**")
    return names(key), found


def test_every_table_is_told_with_its_key_and_all_its_columns() -> None:
    assert COLUMNS.keys() == TABLES.keys()
    for table in TABLES.values():
        key = [each.name for each in table.primary_key.columns]
        others = {each.name: each.nullable for each in table.c if each.name not in key}
        assert told(table) == (key, others), table.name


def test_each_table_is_told_among_those_of_its_owner() -> None:
    own, mirrored = section("What the shop and its users own"), section("What is mirrored into it")
    first = {name for row in re.findall(r"^\| (`.*?) \|", own, re.M) for name in names(row)}
    second = {name for row in re.findall(r"^\| (`.*?) \|", mirrored, re.M) for name in names(row)}
    daemons = {table.name for table in schema.MIRRORED}
    assert second & TABLES.keys() == daemons
    assert first & TABLES.keys() == TABLES.keys() - daemons


def test_what_is_no_text_is_told() -> None:
    words = set(names(section("The columns").partition("\n| table")[0]))
    example = set(re.findall(r"\b(\w+)\b", section("What the shop and its users own")))
    for table in TABLES.values():
        for column in table.c:
            if isinstance(column.type, Boolean):
                assert column.name in words | example, f"{table.name}.{column.name}"
            elif isinstance(column.type, Integer | LargeBinary):
                assert column.name in words, f"{table.name}.{column.name}"


def test_an_address_is_told_as_it_is() -> None:
    [said] = re.findall(r"\*An address\* is (.*?)\.\n", section("The columns"), re.DOTALL)
    assert set(names(said)) == address_columns().keys()
    assert re.findall(r"\*\*`(\w+)`", said) == [
        name for name, empty in address_columns().items() if not empty
    ]
