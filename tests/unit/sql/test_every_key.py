"""Every fact and every key of a profile, wrong in several ways: told with its line."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from erp_adapters.sql.facts import FACTS, LENGTHS, ROUNDINGS, SWITCHES
from erp_adapters.sql.file_drop.answer_grammar import ANSWER
from erp_adapters.sql.file_drop.grammar import FILE, FILES, FOLDERS, FORMAT
from erp_adapters.sql.profile import STATEMENT, TOP, load_profile
from erp_adapters.sql.profile_steps import STEP
from sync.errors import Misconfigured
from tests.unit.sql.file_drop_kit import PROFILE
from tests.unit.sql.test_profile import ORDERS, SMALLEST

pytestmark = pytest.mark.rule("OP-4")

_ROUNDING = (
    "4",
    "~",
    "[4]",
    "{places: 4}",
    "{mode: half_up}",
    "{places: 4, mode: upwards}",
    "{places: -1, mode: half_up}",
    "{places: 4.5, mode: half_up}",
    "{places: 13, mode: half_up}",
    f"{{places: {'9' * 5000}, mode: half_up}}",
    "{places: 4, mode: half_up, more: x}",
)
_SWITCH = ("maybe", "1", "yes", "~", "[true]", "{a: b}", '""')
_WHOLE = ("0", "-1", "4.5", "many", "~", "[4]", "{a: b}", "1_000", "9" * 5000)
_ZONE = ("Chicago", "Mars/Olympus", "../UTC", "Europe", "/etc/localtime", "~", "[UTC]", '""')
_ENCODING = ("utf-9", "hex", "undefined", "~", "[utf-8]", '""', "../x")

WRONG_FACTS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(ROUNDINGS, _ROUNDING),
    **dict.fromkeys(SWITCHES, _SWITCH),
    **dict.fromkeys(LENGTHS, _WHOLE),
    "external_key_length": (*_WHOLE, "15"),
    "order_group": _WHOLE,
    "time_zone": _ZONE,
    "text_encoding": _ENCODING,
}
_TABLES = ("x", "[a]", "{currency: x}", "{curency: {a: b}}", "{currency: {a: [b]}}")
_TYPES = ("x", "[a]", "{curency: text}", "{currency: moment}", "{currency: [text]}")
_CONSTANTS = ("x", "[a]", "{curency: USD}", "{currency: [USD]}", '{currency: ""}')

WRONG_TOP: dict[str, tuple[str, ...]] = {
    "name": ("~", '""', "[a]", "{a: b}", '"a\\nb"'),
    "description": ("~", '""', "[a]", "{a: b}"),
    "dialects": ("~", "[]", '"a b"', "[sqlite, [a]]", "{a: b}"),
    "facts": ("~", "x", "[a]", "{}"),
    "constants": _CONSTANTS,
    "values": _TABLES,
    "types": _TYPES,
    "reads": ("x", "[a]", "{clok: SELECT 1}", "{clock: [a]}"),
    "writes": ("x", "[a]", "{}", "{submit: {}}", "{submit_order: {}}", "{submit_order: x}"),
}
WRONG_STATEMENT: dict[str, tuple[str, ...]] = {
    "sql": ("~", "[a]", "{}", "{oracle: SELECT 1}", '""'),
    "values": _TABLES,
    "types": (*_TYPES, "{currency: date}"),
    "constants": _CONSTANTS,
}
WRONG_STEP: dict[str, tuple[str, ...]] = {
    "name": ("~", '""', "[a]", "x" * 81, '"a\\nb"'),
    "sql": ("~", "[a]", "{}", "{oracle: SELECT 1}", "INSERT INTO orders VALUES (:nobody)"),
    "bind": ("x", "[a]", "{cust: order.nobody}", "{cust: [order.key]}", "{cust: line.sku}"),
    "for_each": ("~", "rows", "[lines]", "{a: b}"),
    "when_present": ("order.nobody", "{a: b}", "[[order.key]]", "line.sku"),
    "when_absent": ("order.nobody", "{a: b}", "[[order.key]]", "line.sku"),
    "wrap": ("0", "x", "[5]", "5"),
    "capture": ("x", "[a]", "{a b: no}", "{order_number: [no]}", "{order_number: ~}"),
    "expect_rows": ("x", "-1", "[1]", "1.5", "9" * 5000),
    "otherwise": ("~", "[a]", "{a: b}"),
    "types": ("x", "[a]", "{cust: moment}", "{nobody: text}", "{cust: date}"),
    "values": ("x", "[a]", "{cust: x}", "{nobody: {a: b}}"),
}
_NO_TEXT = ("[a]", "{a: b}")
_SECONDS = ("x", "-1", "1.5", "[1]", "9" * 5000)
WRONG_FILES: dict[str, tuple[str, ...]] = {
    "folders": ("x", "[a]", "{}", "~"),
    "format": ("x", "[a]", "{separatr: tab}"),
    "write": ("x", "{}", "[x]", "[{}]"),
    "answers": ("x", "{}", "[]", "[x]", "[{}]"),
    "answer_alarm_after_s": _SECONDS,
    "settle_s": _SECONDS,
}
WRONG_FOLDERS: dict[str, tuple[str, ...]] = {
    "import": (*_NO_TEXT, "~", '""'),
    "sent": (*_NO_TEXT, "~", '""', "in"),
    "refused": (*_NO_TEXT, "~", '""', "in"),
    "answers": (*_NO_TEXT, "in", "sent"),
    "processed": (*_NO_TEXT, "in", "sent"),
}
WRONG_FORMAT: dict[str, tuple[str, ...]] = {
    "separator": (*_NO_TEXT, "tabs", '""', '"\\n"', '","'),
    "quote": (*_NO_TEXT, "ab", '""', '"\\t"'),
    "quoting": (*_NO_TEXT, "seldom", "~"),
    "encoding": (*_NO_TEXT, "utf-9", "hex", "iso-8859-15"),
    "line_end": (*_NO_TEXT, "crcr", "~"),
    "decimal_point": (*_NO_TEXT, "..", "~", '"\\t"'),
    "white_space": (*_NO_TEXT, "maybe", "~"),
    "column_names": (*_NO_TEXT, "maybe", "1"),
}
WRONG_FILE: dict[str, tuple[str, ...]] = {
    "name": (*_NO_TEXT, "~", '""'),
    "file_name": (*_NO_TEXT, "SOH.txt", '"../{key}.txt"', '"SOL_{key}.txt"'),
    "picked_up_as": (*_NO_TEXT, '"*.csv"', '"*"'),
    "for_each": (*_NO_TEXT, "rows", "~"),
    "wrap": (*_NO_TEXT, "0", "x", "5"),
    "columns": ("{a: b}", "[set, set]", "[[set]]"),
    "bind": ("x", "[a]", "{set: order.nobody}", "{nobody: order.key}", "{set: [order.key]}"),
    "constants": ("x", "[a]", "{nobody: N}", "{quote: [N]}", "{set: N}"),
    "types": ("x", "[a]", "{day: moment}", "{nobody: text}", "{customer: date}"),
    "values": ("x", "[a]", "{customer: x}", "{nobody: {a: b}}"),
}
WRONG_ANSWER: dict[str, tuple[str, ...]] = {
    "file_name": (*_NO_TEXT, "SO.log", '"{key}*.log"'),
    "folder": (*_NO_TEXT, "sent", "refused", '""'),
    "whole_when": (*_NO_TEXT, "never", "~"),
    "columns": ("{a: b}", "[a, b]", "[[a]]"),
    "taken": (*_NO_TEXT, '"("', '"(?P<no>x)"'),
    "refused": (*_NO_TEXT, '"("', '"(?P<no>x)"'),
    "order_number": (*_NO_TEXT, "no"),
    "message": (*_NO_TEXT, "text"),
}
QUAY = yaml.load(PROFILE, yaml.BaseLoader)  # noqa: S506 - texts alone, as they are typed
_WRITES = ("writes", "submit_order", "files")
PLACES: dict[str, tuple[tuple[str | int, ...], dict[str, tuple[str, ...]]]] = {
    "files": (_WRITES, WRONG_FILES),
    "folders": ((*_WRITES, "folders"), WRONG_FOLDERS),
    "format": ((*_WRITES, "format"), WRONG_FORMAT),
    "file": ((*_WRITES, "write", 1), WRONG_FILE),
    "answer": ((*_WRITES, "answers", 0), WRONG_ANSWER),
}
"""Where in the profile of files each group of keys stands, and its wrong values."""

HEADER = """\
      - name: header
        sql: INSERT INTO orders (web_key, cust) VALUES (:key, :cust) RETURNING no
        bind: {key: order.key, cust: order.sold_to}
        capture: {order_number: no}
"""
ACCOUNTS = """\
  accounts:
    sql: SELECT cust_no AS customer_id, name FROM customers WHERE cust_no IN :customer_ids
"""
SHORT_FORM = SMALLEST[SMALLEST.index("  accounts: |") :]


def cases(wrong: dict[str, tuple[str, ...]]) -> list[tuple[str, str]]:
    return [(key, raw) for key, raws in wrong.items() for raw in raws]


def set_to(text: str, key: str, raw: str, indent: str, below: str) -> str:
    """The text with that key, below that line; what stood there for it is gone."""
    lines = text.split("\n")
    kept, skipping = [], False
    for line in lines:
        if line.startswith(f"{indent}{key}:"):
            skipping = True
            continue
        skipping = skipping and line.startswith(f"{indent} ")
        if not skipping:
            kept.append(line)
    place = kept.index(below) + 1 if below else 0
    kept.insert(place, f"{indent}{key}: {raw}")
    return "\n".join(kept)


def refused_at(tmp_path: Path, text: str, *lines: int) -> None:
    path = tmp_path / "acme.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(Misconfigured) as refused:
        load_profile(path)
    told = [each.removeprefix(f"{path}:") for each in refused.value.problems]
    assert any(each.startswith(f"{line}: ") for line in lines for each in told), told
    assert all(len(each) < 1000 for each in told)


def line_of(text: str, start: str) -> int:
    return next(n for n, line in enumerate(text.split("\n"), 1) if line.startswith(start))


def test_every_key_there_is_has_its_wrong_values() -> None:
    assert WRONG_FACTS.keys() == set(FACTS)
    assert WRONG_TOP.keys() == set(TOP)
    assert WRONG_STATEMENT.keys() == set(STATEMENT)
    assert WRONG_STEP.keys() == set(STEP)
    assert WRONG_FILES.keys() == set(FILES)
    assert WRONG_FOLDERS.keys() == set(FOLDERS)
    assert WRONG_FORMAT.keys() == set(FORMAT)
    assert WRONG_FILE.keys() == set(FILE)
    assert WRONG_ANSWER.keys() == set(ANSWER)
    wrong = [WRONG_FACTS, WRONG_TOP, WRONG_STATEMENT, WRONG_STEP]
    wrong += [each for _, each in PLACES.values()]
    assert all(len(set(raws)) >= 2 for each in wrong for raws in each.values())


@pytest.mark.parametrize("fact, raw", cases(WRONG_FACTS))
def test_a_wrong_fact_is_told_with_its_line(fact: str, raw: str, tmp_path: Path) -> None:
    text = set_to(SMALLEST + ORDERS, fact, raw, "  ", "facts:")
    refused_at(tmp_path, text, line_of(text, f"  {fact}: "))


@pytest.mark.parametrize("key, raw", cases(WRONG_TOP))
def test_a_wrong_key_of_the_profile_is_told_with_its_line(
    key: str, raw: str, tmp_path: Path
) -> None:
    text = set_to(SMALLEST, key, raw, "", "")
    refused_at(tmp_path, text, 1)


@pytest.mark.parametrize("key, raw", cases(WRONG_STATEMENT))
def test_a_wrong_key_of_a_statement_is_told_with_its_line(
    key: str, raw: str, tmp_path: Path
) -> None:
    accounts = set_to(ACCOUNTS, key, raw, "    ", "  accounts:")
    text = SMALLEST.replace(SHORT_FORM, accounts)
    assert text != SMALLEST
    refused_at(tmp_path, text, line_of(text, f"    {key}: "))


@pytest.mark.parametrize("key, raw", cases(WRONG_STEP))
def test_a_wrong_key_of_a_step_is_told_with_its_line(key: str, raw: str, tmp_path: Path) -> None:
    assert HEADER in ORDERS
    if key == "name":
        step = HEADER.replace("- name: header", f"- name: {raw}")
        start = "      - name: "
    else:
        step = set_to(HEADER, key, raw, "        ", "      - name: header")
        start = f"        {key}: "
    text = SMALLEST + ORDERS.replace(HEADER, step)
    refused_at(tmp_path, text, line_of(text, start))


class Raw(str):
    """YAML to be written as it is."""


def emitted(data: dict[str, Any], indent: str = "") -> list[str]:
    """Every key of every group on a line of its own."""
    lines: list[str] = []
    for key, value in data.items():
        if isinstance(value, dict):
            lines += [f"{indent}{key}:", *emitted(value, f"{indent}  ")]
        elif isinstance(value, list) and all(isinstance(each, dict) for each in value):
            lines.append(f"{indent}{key}:")
            for each in value:
                first, *others = emitted(each, f"{indent}    ")
                lines += [f"{indent}  - {first.strip()}", *others]
        else:
            raw = value if isinstance(value, Raw) else json.dumps(value)
            lines.append(f"{indent}{key}: {raw}")
    return lines


def around(lines: list[str], at: int) -> list[int]:
    """Lines of the keys beside that one and of those above it: two may not go together."""

    def depth(line: str) -> int:
        return len(line) - len(line.lstrip(" -"))

    found, deepest = [], depth(lines[at - 1])
    for n in range(at - 1, 0, -1):
        if depth(lines[n - 1]) <= deepest:
            deepest = depth(lines[n - 1])
            found.append(n)
    for n in range(at + 1, len(lines) + 1):
        if depth(lines[n - 1]) < depth(lines[at - 1]):
            break
        found.append(n)
    return found


@pytest.mark.parametrize(
    "place, key, raw",
    [(place, key, raw) for place, (_, wrong) in PLACES.items() for key, raw in cases(wrong)],
)
def test_a_wrong_key_of_order_files_is_told_with_its_line(
    place: str, key: str, raw: str, tmp_path: Path
) -> None:
    profile = copy.deepcopy(QUAY)
    group: Any = profile
    for step in PLACES[place][0]:
        group = group[step]
    group[key] = Raw(raw)
    lines = emitted(profile)
    at = max(n for n, line in enumerate(lines, 1) if line.endswith(f"{key}: {raw}"))
    refused_at(tmp_path, "\n".join(lines) + "\n", at, *around(lines, at))


def test_the_profiles_that_they_are_tried_in_are_sound(tmp_path: Path) -> None:
    path = tmp_path / "acme.yaml"
    path.write_text(SMALLEST.replace(SHORT_FORM, ACCOUNTS) + ORDERS, encoding="utf-8")
    assert load_profile(path).steps
    path.write_text("\n".join(emitted(QUAY)) + "\n", encoding="utf-8")
    assert load_profile(path).files is not None
