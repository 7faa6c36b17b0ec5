"""One SQL text of a profile: its parameters, its optional parts, its readiness to run.

The text is scanned once, when the profile is loaded. Colons in quotes, comments
and ``::`` casts are text; every other ``:name`` is a bound parameter. There is
no way from here to an SQL text with a value in it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Dialect, TextClause, bindparam, text

_TOKEN = re.compile(
    r"""
      '(?:[^']|'')*'                # text
    | "(?:[^"]|"")*"                # a quoted name
    | `[^`]*`                       # a quoted name of MySQL
    | --[^\n]*                      # comments
    | /\*.*?\*/
    | \$(\w*)\$.*?\$\1\$            # PostgreSQL's other quotes
    | ::                            # a cast
    | (?<![\w:\\]):(?P<name>[A-Za-z_]\w*)
    | (?P<open>\[\[)
    | (?P<close>\]\])
    """,
    re.VERBOSE | re.DOTALL,
)

_AFTER_IN = re.compile(r"\bIN\s*$", re.IGNORECASE)


class StatementError(ValueError):
    """The text does not follow the grammar; ``line`` counts from 0 within it."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True)
class _Part:
    """A stretch of SQL. An optional one is there when all its parameters are given."""

    sql: str
    names: frozenset[str]
    optional: bool


@dataclass(frozen=True, slots=True)
class Compiled:
    """A text in a driver's own style, with the parameters that it takes.

    ``by_place``: as a sequence in the order of ``names``, each as often as it is there.
    """

    sql: str
    names: tuple[str, ...]
    by_place: bool

    def bound(self, values: Mapping[str, Any]) -> list[Any] | dict[str, Any]:
        if self.by_place:
            return [values[name] for name in self.names]
        return {name: values[name] for name in self.names}


@dataclass(frozen=True, slots=True)
class Statement:
    """A scanned text. ``lists`` are those of its parameters that take many values."""

    source: str
    parts: tuple[_Part, ...]
    lists: frozenset[str]
    parameters: frozenset[str] = field(init=False)
    """All of them, optional ones too."""

    always: frozenset[str] = field(init=False)
    """Parameters outside optional parts: without them it cannot run."""

    _ready: dict[tuple[bool, ...], TextClause] = field(
        default_factory=dict, compare=False, repr=False
    )
    _compiled: dict[tuple[str, tuple[bool, ...]], Compiled] = field(
        default_factory=dict, compare=False, repr=False
    )

    def __post_init__(self) -> None:
        every = (part.names for part in self.parts)
        must = (part.names for part in self.parts if not part.optional)
        object.__setattr__(self, "parameters", frozenset().union(*every))
        object.__setattr__(self, "always", frozenset().union(*must))

    @property
    def several(self) -> bool:
        """Whether it may be more than one statement of SQL."""
        return ";" in self.source

    @property
    def has_options(self) -> bool:
        """Whether it depends on what is given which of its parts run."""
        return len(self.parts) > 1

    def used(self, given: Collection[str]) -> frozenset[str]:
        """The parameters that take part when exactly these are given."""
        if len(self.parts) == 1:
            return self.parameters
        parts = (part for part in self.parts if not part.optional or part.names <= set(given))
        return frozenset().union(*(part.names for part in parts))

    def ready(self, given: Collection[str]) -> TextClause:
        """What to execute when these parameters have values. Kept for the next time."""
        chosen = self._chosen(given)
        clause = self._ready.get(chosen)
        if clause is None:
            clause = self._ready[chosen] = self._clause(chosen)
        return clause

    def compiled(self, given: Collection[str], dialect: Dialect) -> Compiled:
        """The same as text for the driver itself. Not for statements with lists."""
        chosen = self._chosen(given)
        known = (dialect.driver, chosen)
        found = self._compiled.get(known)
        if found is None:
            whole = self.ready(given).compile(dialect=dialect)
            places = getattr(whole, "positiontup", None)
            names = tuple(whole.params) if places is None else tuple(places)
            found = self._compiled[known] = Compiled(str(whole), names, places is not None)
        return found

    def _chosen(self, given: Collection[str]) -> tuple[bool, ...]:
        if len(self.parts) == 1:
            return (True,)
        have = set(given)
        return tuple(not part.optional or part.names <= have for part in self.parts)

    def with_nulls(self) -> str:
        """The text with NULL in place of every parameter, to be compiled and never run."""
        whole = "".join(part.sql for part in self.parts)
        for name in self.parameters:
            null = "(NULL)" if name in self.lists else "NULL"
            whole = re.sub(rf"(?<!\\):{name}\b", null, whole)
        return whole.replace("\\:", ":")

    def naming_parameters(self, message: str) -> str:
        """A database's message about ``$3`` with the parameter's own name.

        PostgreSQL counts them as they first appear; a list would count for many.
        """
        if self.lists:
            return message
        whole = "".join(part.sql for part in self.parts)
        names = list(dict.fromkeys(re.findall(r"(?<!\\):(\w+)", whole)))

        def name(number: re.Match[str]) -> str:
            place = int(number[1]) - 1
            return f":{names[place]}" if place < len(names) else number[0]

        return re.sub(r"(?<=parameter )\$(\d+)", name, message)

    def _clause(self, chosen: tuple[bool, ...]) -> TextClause:
        parts = [part for part, wanted in zip(self.parts, chosen, strict=True) if wanted]
        names = {name for part in parts for name in part.names}
        clause = text("".join(part.sql for part in parts))
        for name in sorted(names & self.lists):
            clause = clause.bindparams(bindparam(name, expanding=True))
        return clause


def scan(source: str, lists: Collection[str] = frozenset()) -> Statement:
    """The scanned text. Raises StatementError where it breaks the grammar."""
    source = source.strip().rstrip(";").rstrip()
    if not source:
        raise StatementError("the SQL is empty", 0)
    parts: list[_Part] = []
    sql: list[str] = []
    names: set[str] = set()
    opened: int | None = None
    used_lists: set[str] = set()
    position = 0

    def line(at: int) -> int:
        return source.count("\n", 0, at)

    def finish(optional: bool) -> None:
        parts.append(_Part("".join(sql), frozenset(names), optional))
        sql.clear()
        names.clear()

    for token in _TOKEN.finditer(source):
        sql.append(_literal(source[position : token.start()]))
        position = token.end()
        if name := token["name"]:
            if name in lists:
                used_lists.add(name)
                if not _AFTER_IN.search("".join(sql)):
                    raise StatementError(
                        f"write `IN :{name}` for a list, without parentheses", line(token.start())
                    )
            sql.append(f":{name}")
            names.add(name)
        elif token["open"]:
            if opened is not None:
                raise StatementError("[[ inside [[", line(token.start()))
            opened = token.start()
            finish(optional=False)
        elif token["close"] and opened is not None:
            if not names:
                raise StatementError("[[ … ]] without a parameter in it", line(opened))
            opened = None
            finish(optional=True)
        else:
            sql.append(_literal(token[0]))
    if opened is not None:
        raise StatementError("[[ without its ]]", line(opened))
    sql.append(_literal(source[position:]))
    finish(optional=False)
    return Statement(source, tuple(parts), frozenset(used_lists))


def _literal(sql: str) -> str:
    # SQLAlchemy looks for parameters too; only ours may be found.
    return sql.replace(":", "\\:")


_OPEN_ENDED = re.compile(r"\.\*|SELECT\s+(?:DISTINCT\s+)?\*|\bEXEC|\bCALL\b", re.IGNORECASE)


def names_column(source: str, column: str) -> bool:
    """Whether the text can answer a column of that name, as far as can be seen.

    ``SELECT *`` and a procedure may answer anything.
    """
    named = re.search(rf"\b{re.escape(column)}\b", source, re.IGNORECASE)
    return named is not None or _OPEN_ENDED.search(source) is not None


def is_one(sql: str) -> bool:
    """Whether the text is surely a single statement."""
    return ";" not in _bare(sql)


def _bare(sql: str) -> str:
    """The text with blanks in place of quotes, comments and parameters."""
    return _TOKEN.sub(lambda found: " " * len(found[0]), sql)


_RETURNING = re.compile(r"\bRETURNING\b", re.IGNORECASE)


def after_returning(sql: str) -> str | None:
    """What the text answers by its last RETURNING; None where it has none of its own.

    The word in quotes and comments is none.
    """
    found = [each.end() for each in _RETURNING.finditer(_bare(sql))]
    return sql[found[-1] :] if found else None


_ORDERING = re.compile(
    r"[()]|\b(?:(?P<order>ORDER\s+BY)|LIMIT|OFFSET|FETCH|FOR|DISTINCT\s+ON)\b", re.IGNORECASE
)


def without_order(sql: str) -> str:
    """The text without the order of all its rows; with it where that decides which there are."""
    depth, place = 0, None
    for found in _ORDERING.finditer(_bare(sql)):
        if found[0] in "()":
            depth += 1 if found[0] == "(" else -1
        elif depth == 0 and not found["order"]:
            return sql
        elif depth == 0:
            place = found.start()
    return sql if place is None else sql[:place].rstrip()
