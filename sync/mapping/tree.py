"""YAML as a tree that knows where everything stands, and as little of YAML as people need.

The tree is built from the parser's events, not by the library's own loader. So
every value keeps the exact text as typed (``00123456`` is not yet a number) and
its line and column; an alias is refused when it is seen, before it can
multiply; and depth is a number to compare, not a recursion to survive.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.reader import Reader

from sync.mapping.problems import FileProblem, shortened

MAX_CHARACTERS = 64 * 1024 * 1024
MAX_DEPTH = 10
MAX_NODES = 5_000_000

# libyaml where the wheel brings it: ten times as fast, the same events.
_PARSER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_RESOLVER = yaml.SafeLoader("")
_resolve: Callable[[type[yaml.Node], str, tuple[bool, bool]], str] = _RESOLVER.resolve
_TAG = "tag:yaml.org,2002:"
# What YAML takes for something else than text begins with one of these.
_DOUBTFUL_BEGINNINGS = frozenset(_RESOLVER.yaml_implicit_resolvers)


@dataclass(frozen=True, slots=True)
class Unquoted:
    """Plain text that YAML takes for something else than text.

    ``kind`` is YAML's word for it: int, float, bool, null, timestamp, merge, value.
    """

    text: str
    kind: str

    @property
    def meaning(self) -> str:
        """What YAML would make of it, for people."""
        try:
            made = _RESOLVER.construct_object(yaml.ScalarNode(_TAG + self.kind, self.text))
        except (ValueError, yaml.YAMLError):
            made = None
        match self.kind:
            case "int" | "float" if made is not None:
                return f"the number {made}"
            case "bool":
                return "yes" if made else "no"
            case "timestamp":
                return "a date"
        return "something else"


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value as typed. ``kind`` is "str" for text, else as in ``Unquoted``."""

    text: str
    kind: str
    line: int
    column: int


@dataclass(slots=True)
class Items:
    line: int
    column: int
    items: list[Node] = field(default_factory=list)


@dataclass(slots=True)
class Table:
    """Keys with their own places; a key that came twice keeps its first value."""

    line: int
    column: int
    keys: dict[str, Scalar] = field(default_factory=dict)
    values: dict[str, Node] = field(default_factory=dict)


Node = Scalar | Items | Table


class _Stop(Exception):
    """Reading on would tell nothing more: the file cannot be understood from here."""


def parse(file: str, text: str) -> tuple[Node | None, list[FileProblem]]:
    """The tree and what is wrong with it; no tree where there is nothing to go on with.

    ``text`` without a byte order mark. Never raises for any text.
    """
    builder = _Builder(file)
    try:
        _printable(file, text)
        for event in yaml.parse(text, Loader=_PARSER):
            builder.take(event)
    except _Stop as stop:
        builder.problems.append(stop.args[0])
        return None, builder.problems
    except yaml.MarkedYAMLError as error:
        builder.problems.append(_syntax(file, text, error))
        return None, builder.problems
    root = builder.root
    if root is None or (isinstance(root, Scalar) and root.kind == "null" and not root.text):
        builder.problems.append(
            FileProblem(
                file, 1, 1, "", "the file is empty", "put its content back, or delete the file"
            )
        )
        return None, builder.problems
    return root, builder.problems


def plain(node: Node) -> object:
    """The tree as dict, list, str and ``Unquoted``."""
    match node:
        case Scalar():
            return node.text if node.kind == "str" else Unquoted(node.text, node.kind)
        case Items():
            return [plain(item) for item in node.items]
        case Table():
            return {key: plain(value) for key, value in node.values.items()}


def at(node: Node, path: tuple[int | str, ...]) -> Node:
    """The node under this path, or the nearest one above it that exists."""
    for step in path:
        below: Node | None = None
        if isinstance(node, Table) and isinstance(step, str):
            below = node.values.get(step)
        elif isinstance(node, Items) and isinstance(step, int) and step < len(node.items):
            below = node.items[step]
        if below is None:
            return node
        node = below
    return node


def key_at(node: Node, path: tuple[int | str, ...]) -> Scalar | None:
    """The key that the last step of the path names, where it is a key."""
    above = at(node, path[:-1])
    if isinstance(above, Table) and path and isinstance(path[-1], str):
        return above.keys.get(path[-1])
    return None


class _Builder:
    """Takes events one by one, with a stack of what is open."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[FileProblem] = []
        self.root: Node | None = None
        self._open: list[Items | Table] = []
        self._pending: list[Scalar | None] = []  # of each open table, the key without a value
        self._nodes = 0
        self._documents = 0

    def take(self, event: yaml.Event) -> None:
        match event:
            case yaml.ScalarEvent():
                self._refuse_extras(event)
                self._place(self._scalar(event))
            case yaml.SequenceStartEvent() | yaml.MappingStartEvent():
                self._refuse_extras(event)
                self._begin(event)
            case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                self._open.pop()
                self._pending.pop()
            case yaml.AliasEvent():
                raise _Stop(self._problem(event, f"*{event.anchor}", *_NO_ALIAS))
            case yaml.DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    message = "a second document begins here"
                    raise _Stop(self._problem(event, "---", message, "keep one per file"))

    def _begin(self, event: yaml.CollectionStartEvent) -> None:
        line, column = _place_of(event)
        node: Items | Table = (
            Table(line, column)
            if isinstance(event, yaml.MappingStartEvent)
            else Items(line, column)
        )
        self._place(node)
        self._open.append(node)
        self._pending.append(None)
        if len(self._open) > MAX_DEPTH:
            message = f"nested more than {MAX_DEPTH} deep"
            raise _Stop(self._problem(event, "", message, "mapping files need no such depth"))

    def _place(self, node: Node) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise _Stop(
                FileProblem(
                    self.file, node.line, node.column, "", "the file has too many values",
                    "move assignments to customers.csv",
                )
            )  # fmt: skip
        if not self._open:
            self.root = node
            return
        above = self._open[-1]
        if isinstance(above, Items):
            above.items.append(node)
            return
        key = self._pending[-1]
        if key is None:
            self._pending[-1] = self._key(node)
            return
        self._pending[-1] = None
        if key.text in above.keys:
            first = above.keys[key.text]
            self._note(
                key,
                f"the key stands here and in line {first.line}",
                "keep one of the two",
            )
            return
        above.keys[key.text] = key
        above.values[key.text] = node

    def _key(self, node: Node) -> Scalar:
        if not isinstance(node, Scalar):
            raise _Stop(
                FileProblem(
                    self.file, node.line, node.column, "", "a key is a single text",
                    'put text with special characters in quotes, like "[a]": ...',
                )
            )  # fmt: skip
        if node.kind == "null":
            self._note(node, "a key is missing before the colon", "write one")
        elif node.kind != "str":
            meaning = Unquoted(node.text, node.kind).meaning
            self._note(
                node,
                f"the key would be read as {meaning}, not as text",
                f'put it in quotes: "{shortened(node.text)}"',
            )
        return node

    def _scalar(self, event: yaml.ScalarEvent) -> Scalar:
        line, column = _place_of(event)
        kind = "str"
        if event.implicit[0] and event.value[:1] in _DOUBTFUL_BEGINNINGS:
            kind = _resolve(yaml.ScalarNode, event.value, (True, False)).removeprefix(_TAG)
        return Scalar(event.value, kind, line, column)

    def _refuse_extras(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> None:
        if event.anchor is not None:
            raise _Stop(self._problem(event, f"&{event.anchor}", *_NO_ALIAS))
        if event.tag is not None:
            message = "tags (words with an exclamation mark) are not taken here"
            raise _Stop(
                self._problem(
                    event, event.tag, message, "take it out, or put the whole text in quotes"
                )
            )

    def _note(self, at: Scalar, message: str, remedy: str) -> None:
        text = shortened(at.text)
        self.problems.append(FileProblem(self.file, at.line, at.column, text, message, remedy))

    def _problem(self, event: yaml.Event, text: str, message: str, remedy: str) -> FileProblem:
        line, column = _place_of(event)
        return FileProblem(self.file, line, column, shortened(text), message, remedy)


_NO_ALIAS = (
    "anchors and aliases (words with & or *) are not taken here",
    "write the value out where it is needed, or put the text in quotes",
)


def _place_of(event: yaml.Event) -> tuple[int, int]:
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


def _printable(file: str, text: str) -> None:
    """Stop at what no text file has, before the parser has an opinion of its own."""
    if len(text) > MAX_CHARACTERS:
        message = f"the file is larger than {MAX_CHARACTERS // 2**20} MiB"
        raise _Stop(FileProblem(file, 1, 1, "", message, "split it, or look whether it is text"))
    bad = Reader.NON_PRINTABLE.search(text)
    if bad:
        line, column = position(text, bad.start())
        shown = repr(bad.group())[1:-1]
        message = "a control character: this is not a plain text file"
        raise _Stop(FileProblem(file, line, column, shown, message, "save it as UTF-8 text"))


def position(text: str, offset: int) -> tuple[int, int]:
    """Line and column of the character at this offset, both from 1."""
    start = text.rfind("\n", 0, offset) + 1
    return text.count("\n", 0, offset) + 1, offset - start + 1


def _syntax(file: str, text: str, error: yaml.MarkedYAMLError) -> FileProblem:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    written = next(_lines_from(text, line), "")
    if "\t" in written[: len(written) - len(written.lstrip())]:
        return FileProblem(
            file, line, column, shortened(written.strip()),
            "a tab in the indentation", "indent with spaces",
        )  # fmt: skip
    why = " ".join(filter(None, (error.context, error.problem)))
    if error.context_mark and error.context_mark.line + 1 != line:
        why += f" that began in line {error.context_mark.line + 1}"
    return FileProblem(
        file, line, column, shortened(written.strip()), f"not YAML: {why}",
        "correct this line or the one before it; text with special characters needs quotes",
    )  # fmt: skip


def _lines_from(text: str, line: int) -> Iterator[str]:
    yield from text.split("\n")[line - 1 :]
