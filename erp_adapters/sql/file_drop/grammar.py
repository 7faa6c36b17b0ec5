"""Reads ``files:`` of a profile and says everything that is wrong with it."""

from __future__ import annotations

import codecs
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeVar

from erp_adapters.sql.file_drop.answer_grammar import read_answers
from erp_adapters.sql.file_drop.model import (
    AnswerForm,
    DropFile,
    FileDrop,
    Folders,
    Format,
    Quoting,
    WhiteSpace,
)
from erp_adapters.sql.file_drop.names import FileName, matches
from erp_adapters.sql.profile_binding import read_bind, read_for_each, read_wrap
from erp_adapters.sql.profile_model import Place
from erp_adapters.sql.yaml_nodes import Node, nearest
from sync.kit.options import is_encoding
from sync.ports.erp import ErpCapabilities

FILES = ("folders", "format", "write", "answers", "answer_alarm_after_s", "settle_s")
FOLDERS = ("import", "sent", "refused", "answers", "processed")
FORMAT = (
    "separator",
    "quote",
    "quoting",
    "encoding",
    "line_end",
    "decimal_point",
    "white_space",
    "column_names",
)
FILE = (
    "name",
    "file_name",
    "picked_up_as",
    "for_each",
    "wrap",
    "columns",
    "bind",
    "constants",
    "types",
    "values",
)
SEPARATORS: Mapping[str, str] = {
    "tab": "\t",
    "comma": ",",
    "semicolon": ";",
    "pipe": "|",
}
LINE_ENDS: Mapping[str, str] = {"crlf": "\r\n", "lf": "\n", "cr": "\r"}
_EXAMPLE = "a0-_@x"
_UNICODE = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be")

E = TypeVar("E", bound=Enum)


def read_files(
    node: Node,
    place: Place,
    facts: ErpCapabilities,
    not_kept: frozenset[str],
    reads: Collection[str],
) -> FileDrop | None:
    """What the profile says of order files; None where it is too little to go on."""
    keys = node.mapping("files", FILES)
    for name in ("folders", "write"):
        if name not in keys:
            node.complain(f"files has no {name}")
    form = _format(keys.get("format"), facts)
    folders = _folders(keys.get("folders"))
    reading = _Reading(place)
    nodes = keys["write"].sequence("write") if "write" in keys else []
    files = tuple(file for each in nodes if (file := reading.file(each)) is not None)
    answers = read_answers(keys.get("answers"), folders.answers if folders else None)
    if "answers" not in keys and "order_status" not in reads:
        node.complain("files without answers need the statement order_status, or no number comes")
    if not facts.number_follows:
        node.complain("an ERP that takes files gives no number at once; say number_follows: true")
    if folders is None or not files or len(files) != len(nodes):
        return None
    _look_over(files, not_kept, node, reads)
    _no_answer_is_ours(files, folders, answers, node)
    return FileDrop(
        folders,
        form,
        files,
        answers,
        _seconds(keys.get("answer_alarm_after_s"), "answer_alarm_after_s", 3600),
        _seconds(keys.get("settle_s"), "settle_s", 5),
    )


def _folders(node: Node | None) -> Folders | None:
    nodes = node.mapping("folders", FOLDERS) if node is not None else {}
    found = {name: (each.text(name) or "").strip().rstrip("/") for name, each in nodes.items()}
    for name in ("import", "sent", "refused"):
        if node is not None and not found.get(name):
            node.complain(f"folders has no {name}")
    seen: dict[str, str] = {}
    for name, path in found.items():
        # An answer may be told by the folder alone, so any two of ours must differ.
        if path in seen:
            nodes[name].complain(f"{name} is the same folder as {seen[path]}")
        seen[path] = name
    if not all(found.get(name) for name in ("import", "sent", "refused")):
        return None
    return Folders(
        found["import"],
        found["sent"],
        found["refused"],
        found.get("answers") or None,
        found.get("processed") or None,
    )


def _format(node: Node | None, facts: ErpCapabilities) -> Format:
    keys = node.mapping("format", FORMAT) if node is not None else {}
    standard = Format()
    separator = standard.separator
    if "separator" in keys:
        separator = _letter(keys["separator"], "separator", SEPARATORS) or separator
    quote = standard.quote
    if "quote" in keys:
        quote = _letter(keys["quote"], "quote", {}) or quote
    line_end = standard.line_end
    if "line_end" in keys:
        line_end = _one_of(keys["line_end"], "line_end", LINE_ENDS) or line_end
    point = standard.decimal_point
    if "decimal_point" in keys:
        point = _letter(keys["decimal_point"], "decimal_point", {}) or point
    names = bool(keys["column_names"].truth("column_names")) if "column_names" in keys else False
    quoting = Quoting.MINIMAL
    if "quoting" in keys:
        quoting = word_of(keys["quoting"], "quoting", Quoting) or quoting
    white_space = WhiteSpace.KEEP
    if "white_space" in keys:
        white_space = word_of(keys["white_space"], "white_space", WhiteSpace) or white_space
    alone = separator != quote and (separator != point or quoting is not Quoting.NEVER)
    if node is not None and not alone:
        node.complain("the separator must be a character of its own")
    return Format(
        separator,
        quote,
        quoting,
        _encoding(keys.get("encoding"), facts),
        line_end,
        point,
        white_space,
        names,
    )


def _encoding(node: Node | None, facts: ErpCapabilities) -> str:
    if node is None:
        return facts.text_encoding or "utf-8"
    typed = (node.text("encoding") or "").strip()
    if not is_encoding(typed):
        node.complain(f"Python knows no text encoding {typed!r}")
        return "utf-8"
    name = codecs.lookup(typed).name
    if name not in _UNICODE and name != facts.text_encoding:
        # Without the fact an order would be refused only when its file is written.
        node.complain(f"{name} does not hold every letter; say text_encoding: {name} in the facts")
    return name


def _letter(node: Node, what: str, named: Mapping[str, str]) -> str | None:
    typed = node.text(what)
    if typed is None:
        return None
    if typed in named:
        return named[typed]
    if len(typed) == 1 and typed not in "\r\n":
        return typed
    others = f", or {', '.join(named)}" if named else ""
    node.complain(f"{what} is one character{others}, not {typed!r}")
    return None


def _one_of(node: Node, what: str, known: Mapping[str, str]) -> str | None:
    typed = (node.text(what) or "").strip()
    if typed in known:
        return known[typed]
    node.complain(f"no {what} {typed!r}{nearest(typed, known)}")
    return None


def word_of(node: Node, what: str, words: type[E]) -> E | None:
    """One of the words of an enum; complains of any other."""
    typed = (node.text(what) or "").strip()
    for word in words:
        if word.value == typed:
            return word
    node.complain(f"no {what} {typed!r}; there are {', '.join(word.value for word in words)}")
    return None


def _seconds(node: Node | None, what: str, standard: int) -> float:
    found = node.whole(what) if node is not None else None
    return float(standard if found is None else found)


@dataclass(slots=True)
class _Reading:
    """Reads the files one after the other; no two may have one name."""

    place: Place
    names: dict[str, str] = field(default_factory=dict)

    def file(self, node: Node) -> DropFile | None:
        keys = node.mapping("a file", FILE)
        name = (keys["name"].text("name") or "").strip() if "name" in keys else ""
        if not name or "file_name" not in keys or "columns" not in keys:
            node.complain("a file needs a name, a file_name and columns")
            return None
        what = f"file {name}"
        file_name = self._file_name(keys, what)
        for_each = read_for_each(keys.get("for_each"), what)
        columns = tuple(column for column, _ in keys["columns"].texts(f"columns of {what}"))
        for column in sorted({each for each in columns if columns.count(each) > 1}):
            keys["columns"].complain(f"{what} has the column {column!r} twice")
        bind = read_bind(keys, for_each, what)
        constants = {
            column: each.text(f"the constant {column}") or ""
            for column, each in (
                keys["constants"].items(f"constants of {what}") if "constants" in keys else ()
            )
        }
        for key, filled in (("bind", bind), ("constants", constants)):
            for column in filled:
                if column not in columns:
                    keys[key].complain(f"{what} has no column {column!r}{nearest(column, columns)}")
        for column in sorted(bind.keys() & constants.keys()):
            keys["constants"].complain(f"{what}: {column!r} is bound and constant")
        wrap = read_wrap(keys.get("wrap"), for_each, what)
        if file_name is None:
            return None
        place = Place(self.place.path, node.line)
        return DropFile(name, file_name, columns, place, bind, constants, for_each, wrap)

    def _file_name(self, keys: Mapping[str, Node], what: str) -> FileName | None:
        node = keys["file_name"]
        typed = (node.text("file_name") or "").strip()
        try:
            made = FileName(typed)
        except ValueError as error:
            node.complain(f"{what}: {error}")
            return None
        example = made.of(_EXAMPLE).lower()
        if example in self.names:
            node.complain(f"{what} has the file name of file {self.names[example]}")
        self.names[example] = what.removeprefix("file ")
        if "picked_up_as" in keys:
            glob = (keys["picked_up_as"].text("picked_up_as") or "").strip()
            if not matches(made.of(_EXAMPLE), glob):
                node.complain(f"{what}: an ERP that looks for {glob} does not see {typed}")
            if matches(made.hidden(_EXAMPLE), glob):
                hidden = made.hidden("{key}")
                node.complain(f"{what}: an ERP that looks for {glob} sees {hidden}, half-written")
        return made


def _look_over(
    files: Sequence[DropFile], not_kept: frozenset[str], node: Node, reads: Collection[str]
) -> None:
    """What an order must have in any ERP to be an order there."""
    bound: frozenset[str] = frozenset().union(*(file.fields for file in files))
    for needed in ("order.sold_to", "line.sku"):
        if needed not in bound:
            node.complain(f"no file binds {needed}: the ERP would not know whose order it is")
    if not bound & {"line.quantity", "line.stock_quantity"}:
        node.complain("no file binds line.quantity or line.stock_quantity")
    asked = sorted({"find_order", "order_status"} & set(reads))
    if asked and "order.key" not in bound:
        node.complain(f"no file binds order.key, by which {asked[0]} would find the order again")
    for twice in sorted(bound & not_kept):
        node.complain(f"{twice} is bound, and listed under not_kept")
    if files[-1].for_each is not None:
        node.complain("the last file lets the ERP begin, so it must be there for every order")


def _no_answer_is_ours(
    files: Sequence[DropFile], folders: Folders, answers: Sequence[AnswerForm], node: Node
) -> None:
    """A file that we write must not look like an answer to it."""
    own = {folders.imports, folders.sent, folders.refused, folders.processed}
    for form in answers:
        for file in files:
            name = file.file_name.of(_EXAMPLE)
            if form.folder in own and form.file_name.stem(name) is not None:
                pattern = form.file_name.pattern
                node.complain(f"the answer {pattern} in {form.folder} is also our file {name}")
        if form.folder in (folders.sent, folders.refused):
            node.complain(f"answers cannot stand in {form.folder}, which is ours alone")
