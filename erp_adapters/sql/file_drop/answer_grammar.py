"""Reads ``answers:`` of a profile: where the ERP answers, and what it says there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from erp_adapters.sql.file_drop.model import AnswerForm, ByColumns, ByText, Whole
from erp_adapters.sql.file_drop.names import AnswerName
from erp_adapters.sql.yaml_nodes import Node, nearest

ANSWER = (
    "file_name",
    "folder",
    "whole_when",
    "columns",
    "taken",
    "refused",
    "order_number",
    "message",
)
GROUPS = ("order_number", "message")


def read_answers(node: Node | None, folder: str | None) -> tuple[AnswerForm, ...]:
    """Every kind of answer, in the order of the profile."""
    if node is None:
        return ()
    nodes = node.sequence("answers")
    if not nodes:
        node.complain("answers lists no kind of answer")
    return tuple(form for each in nodes if (form := _answer(each, folder)) is not None)


def _answer(node: Node, standard: str | None) -> AnswerForm | None:
    keys = node.mapping("an answer", ANSWER)
    if "file_name" not in keys:
        node.complain("an answer needs a file_name")
        return None
    pattern = (keys["file_name"].text("file_name") or "").strip()
    what = f"answer {pattern}"
    try:
        name = AnswerName(pattern)
    except ValueError as error:
        keys["file_name"].complain(f"{what}: {error}")
        return None
    folder = standard
    if "folder" in keys:
        folder = (keys["folder"].text("folder") or "").strip().rstrip("/")
    if not folder:
        node.complain(f"{what} stands in no folder: name one under folders, as answers")
        return None
    if "taken" not in keys and "refused" not in keys:
        node.complain(f"{what} needs taken or refused, to tell what it says")
        return None
    whole = Whole.FINAL_NEWLINE
    if "whole_when" in keys:
        whole = _whole(keys["whole_when"], what) or whole
    reading = _by_columns(keys, what) if "columns" in keys else _by_text(keys, what)
    return AnswerForm(name, folder, reading, whole)


def _whole(node: Node, what: str) -> Whole | None:
    typed = (node.text("whole_when") or "").strip()
    for word in Whole:
        if word.value == typed:
            return word
    known = ", ".join(word.value for word in Whole)
    node.complain(f"{what}: no whole_when {typed!r}; there are {known}")
    return None


def _by_text(keys: Mapping[str, Node], what: str) -> ByText:
    for name in ("order_number", "message"):
        if name in keys:
            keys[name].complain(
                f"{what}: {name} names a column; without columns write (?P<{name}>…) in the pattern"
            )
    found = {}
    for name, group in (("taken", "order_number"), ("refused", "message")):
        found[name] = _pattern(keys[name], f"{name} of {what}", group) if name in keys else None
    return ByText(found["taken"], found["refused"])


def _pattern(node: Node, what: str, group: str) -> re.Pattern[str] | None:
    typed = node.text(what)
    if typed is None:
        return None
    try:
        made = re.compile(typed.strip(), re.MULTILINE)
    except re.error as error:
        node.complain(f"{what} is no regular expression: {error}")
        return None
    for name in made.groupindex:
        if name != group:
            node.complain(f"{what} has a group {name!r}; it may have {group!r} alone")
    return made


def _by_columns(keys: Mapping[str, Node], what: str) -> ByColumns:
    columns = tuple(name for name, _ in keys["columns"].texts(f"columns of {what}"))
    told = {}
    for name in GROUPS:
        if name in keys:
            told[name] = (keys[name].text(name) or "").strip()
            if told[name] not in columns:
                hint = nearest(told[name], columns)
                keys[name].complain(f"{what} has no column {told[name]!r}{hint}")
    return ByColumns(
        columns,
        dict(_words(keys.get("taken"), f"taken of {what}", columns)),
        dict(_words(keys.get("refused"), f"refused of {what}", columns)),
        told.get("order_number"),
        told.get("message"),
    )


def _words(
    node: Node | None, what: str, columns: tuple[str, ...]
) -> Iterator[tuple[str, frozenset[str]]]:
    for column, each in node.items(what) if node is not None else ():
        if column not in columns:
            each.complain(f"{what}: no column {column!r}{nearest(column, columns)}")
        yield column, frozenset(word.strip() for word, _ in each.texts(f"{column} in {what}"))
