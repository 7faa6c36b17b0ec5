"""Runs a profile's statements and turns their answers into rows of our fields.

Everything that can be prepared is prepared once: the SQL for each choice of
optional parts, a converter for each column. A row that cannot be read is not
half a row: it comes back as a ``BadRow`` and the caller leaves out whatever it
belongs to.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, CursorResult, TextClause
from sqlalchemy.exc import DBAPIError, ResourceClosedError

from erp_adapters.sql.letters import BLANK_FINDS_NOTHING, is_beyond_ascii, without_letters
from erp_adapters.sql.profile import PARAMETERS
from erp_adapters.sql.profile_model import Profile, ReadStatement
from erp_adapters.sql.running import Lane, lane
from erp_adapters.sql.statement import Statement
from erp_adapters.sql.values import (
    Convert,
    ImpossibleKey,
    as_text,
    before_clocks_go_back,
    reader,
    writer,
)
from sync.errors import Misconfigured

Row = dict[str, Any]
"""Column name -> value in domain types; every column of the catalogue is there."""

_LIST_LIMITS = {"sqlite": 5000, "postgresql": 5000, "mysql": 5000, "mssql": 1000}
_OTHER_LIST_LIMIT = 500
_STREAMED_ROWS = 2000


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be read. ``known`` are the columns that could."""

    statement: str
    known: Row
    column: str
    message: str
    key: str

    @property
    def told(self) -> str:
        return f"{self.column} {self.message}" if self.column else self.message


@dataclass(slots=True)
class Answer:
    """All rows of one statement, readable and not."""

    rows: list[Row] = field(default_factory=list)
    bad: list[BadRow] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ReadColumn:
    """A column of an answer: its place in it, and how its values are read."""

    position: int
    name: str
    convert: Convert
    must: bool


@dataclass(frozen=True, slots=True)
class Told:
    """Rows of a statement that nobody has looked at yet, with the names of their columns."""

    names: tuple[str, ...]
    rows: Sequence[tuple[Any, ...]]


class Query:
    """One read statement, ready for one dialect."""

    def __init__(
        self, statement: ReadStatement, profile: Profile, dialect: str, cut_floats: bool = False
    ) -> None:
        sql = statement.sql.of(dialect)
        if sql is None:
            raise Misconfigured(f"{statement.place}: {statement.name} has no sql for {dialect}")
        self.statement = statement
        self.sql: Statement = sql
        self.name = statement.name
        self.doing = f"reading {statement.name}"
        self._dialect = dialect
        self._limit = _LIST_LIMITS.get(dialect, _OTHER_LIST_LIMIT)
        facts = profile.capabilities
        self._zone = profile.zone
        self._convert = {
            column.name: reader(
                column,
                facts,
                statement.types.get(column.name),
                statement.values.get(column.name),
                cut_floats,
            )
            for column in statement.read.columns
        }
        self._blank: Row = {}
        for column in statement.read.columns:
            constant = statement.constants.get(column.name)
            plain = reader(column, facts, statement.types.get(column.name), None)
            self._blank[column.name] = None if constant is None else plain(constant)
        self._bind = {
            name: writer(PARAMETERS[name], facts, dialect, statement.types.get(name))
            for name in sql.parameters
        }
        self._columns: dict[tuple[str, ...], tuple[ReadColumn, ...]] = {}

    def uses(self, parameter: str) -> bool:
        return parameter in self.sql.parameters

    def executions(self, given: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """The parameters of each execution; none where a list has nothing in it.

        ``given`` has None for what is not given. Lists are cut into pieces; a
        key that cannot exist in the ERP is left out.
        """
        have = {name: value for name, value in given.items() if value is not None}
        used = self.sql.used(have)
        scalars: dict[str, Any] = {}
        pieces: list[list[tuple[str, list[Any]]]] = []
        for name in sorted(used):
            if name in self.sql.lists:
                values = self._bound_list(name, have[name])
                pieces.append(
                    [
                        (name, values[start : start + self._limit])
                        for start in range(0, len(values), self._limit)
                    ]
                )
                continue
            try:
                scalars[name] = self._bind[name](self._local(name, have[name]))
            except ImpossibleKey:
                return
        for choice in itertools.product(*pieces):
            yield {**scalars, **dict(choice)}

    def read(self, connection: Connection, given: Mapping[str, Any]) -> Answer:
        """Every row, at once."""
        return self.read_each(connection, [given])[0]

    def read_each(self, connection: Connection, asked: Sequence[Mapping[str, Any]]) -> list[Answer]:
        """Every row of each of these questions, in as few round trips as can be."""
        answers = [Answer() for _ in asked]
        if self.sql.lists:
            for answer, given in zip(answers, asked, strict=True):
                rows = self.stream(connection, given, answer.bad.append, streamed=False)
                answer.rows.extend(rows)
            return answers
        with lane(connection, [self.sql]) as running:
            sent = []
            for answer, given in zip(answers, asked, strict=True):
                sent += [answer for each in self.executions(given) if self._sent(running, each)]
            for reply in running.replies():
                if reply.rows is None:
                    raise ResourceClosedError(f"{self.name} answers no rows")
                answer = sent.pop(0)
                columns = self.columns(reply.names)
                answer.rows.extend(self._rows(reply.rows, columns, answer.bad.append))
        return answers

    def stream(
        self,
        connection: Connection,
        given: Mapping[str, Any],
        on_bad: Callable[[BadRow], None],
        streamed: bool = True,
    ) -> Iterator[Row]:
        """Row by row, for answers that may be large."""
        have = {name for name, value in given.items() if value is not None}
        clause = self.sql.ready(have)
        options = {"stream_results": True, "yield_per": _STREAMED_ROWS} if streamed else {}
        for parameters in self.executions(given):
            for result in self._results(connection, clause, parameters, options):
                columns = self.columns(tuple(result.keys()))
                yield from self._rows(result, columns, on_bad)

    def told(self, connection: Connection, given: Mapping[str, Any]) -> Iterator[Told]:
        """What the ERP answers, as the driver tells it."""
        have = {name for name, value in given.items() if value is not None}
        clause = self.sql.ready(have)
        for parameters in self.executions(given):
            for result in self._results(connection, clause, parameters, {}):
                yield Told(tuple(result.keys()), [tuple(row) for row in result])

    def _sent(self, running: Lane, parameters: Mapping[str, Any]) -> bool:
        """Asks; False where the ERP has no letter for what is asked, so that there is no row."""
        everything = {**dict.fromkeys(self.sql.parameters), **parameters}
        try:
            running.send(self.sql, everything)
        except DBAPIError as error:
            asked_otherwise = without_letters(error, self._dialect, everything, self.sql.lists)
            if asked_otherwise is None:
                raise
            if self.name not in BLANK_FINDS_NOTHING:
                return False
            blanked = {
                name: "" if is_beyond_ascii(value) else value for name, value in everything.items()
            }
            running.send(self.sql, blanked)
        return True

    def _results(
        self,
        connection: Connection,
        clause: TextClause,
        parameters: Mapping[str, Any],
        options: Mapping[str, Any],
    ) -> Iterator[CursorResult[Any]]:
        """The answer; several, or none, where the ERP has no letter for some of what is asked."""
        try:
            result = connection.execute(clause, parameters, execution_options=options)
        except DBAPIError as error:
            asked_otherwise = without_letters(error, self._dialect, parameters, self.sql.lists)
            if asked_otherwise is None:
                raise
            for each in asked_otherwise:
                yield from self._results(connection, clause, each, options)
            return
        with result:
            yield result

    def read_rows(
        self,
        names: tuple[str, ...],
        rows: Iterable[Sequence[Any]],
        on_bad: Callable[[BadRow], None],
    ) -> Iterator[Row]:
        """Rows as a driver told them, with the names of their columns, as ours."""
        return self._rows(rows, self.columns(names), on_bad)

    @property
    def constants(self) -> Mapping[str, Any]:
        """What columns have that the answer lacks, in domain types; None for nothing."""
        return self._blank

    def columns(self, keys: tuple[str, ...]) -> tuple[ReadColumn, ...]:
        """Which column of the answer is which of ours.

        Raises Misconfigured for a column that the statement does not know, or
        a required one that is not there.
        """
        known = self._columns.get(keys)
        if known is not None:
            return known
        problems = self.column_problems(keys)
        if problems:
            raise Misconfigured(f"{self.name} does not answer what it should:", problems)
        read = self.statement.read
        lowered = [key.lower() for key in keys]
        # What identifies a row comes first, so that a bad row can be named.
        names = [column.name for column in read.columns if column.name in lowered]
        names.sort(key=lambda name: name not in ("customer_id", *read.identity))
        names.sort(key=lambda name: name not in read.first)
        columns = []
        for name in names:
            column = read.column(name)
            must = column is not None and column.required and not column.nullable
            columns.append(ReadColumn(lowered.index(name), name, self._convert[name], must))
        self._columns[keys] = tuple(columns)
        return self._columns[keys]

    def column_problems(self, keys: Sequence[str]) -> tuple[str, ...]:
        """What is wrong with the columns of an answer, with the place in the profile."""
        place = self.statement.place
        lowered = [key.lower() for key in keys]
        known = {column.name for column in self.statement.read.columns}
        found = [
            f"{place}: {self.name} answers a column {name!r}, which it does not know"
            for name in lowered
            if name not in known
        ]
        found += [
            f"{place}: {self.name} answers the column {name!r} twice"
            for name in sorted(set(lowered) & known)
            if lowered.count(name) > 1
        ]
        found += [
            f"{place}: {self.name} does not answer the column {column.name!r}"
            for column in self.statement.read.columns
            if column.required
            and column.name not in lowered
            and column.name not in self.statement.constants
        ]
        return tuple(found)

    def _rows(
        self,
        result: Iterable[Sequence[Any]],
        columns: Collection[ReadColumn],
        on_bad: Callable[[BadRow], None],
    ) -> Iterator[Row]:
        for raw in result:
            row = dict(self._blank)
            for column in columns:
                try:
                    value = column.convert(raw[column.position])
                    if value is None and column.must:
                        raise ValueError("is missing")
                except ValueError as error:
                    on_bad(self._bad(row, column.name, str(error)))
                    break
                row[column.name] = value
            else:
                yield row

    def _bad(self, row: Row, column: str, message: str) -> BadRow:
        return BadRow(self.name, row, column, message, self.key_of(row))

    def key_of(self, row: Row) -> str:
        """What names a row in a message; ``?`` for a part that could not be read."""
        parts = []
        for name in self.statement.read.identity:
            value = row.get(name)
            parts.append("?" if value is None else _shown(value))
        return "/".join(parts) or "(the only row)"

    def _bound_list(self, name: str, values: Collection[Any]) -> list[Any]:
        found = []
        for value in dict.fromkeys(values):
            try:
                found.append(self._bind[name](value))
            except ImpossibleKey:
                continue
        return found

    def _local(self, name: str, value: Any) -> Any:
        stored = self.statement.types.get(name)
        if name != "since" or (stored is not None and stored.aware):
            return value
        zone = (stored.zone if stored else None) or self._zone
        return before_clocks_go_back(value, zone)


def _shown(value: Any) -> str:
    try:
        return as_text(value)
    except ValueError:
        return str(value)


def queries(profile: Profile, dialect: str, cut_floats: bool = False) -> dict[str, Query]:
    """Every read of the profile, ready for that dialect and its driver."""
    return {name: Query(each, profile, dialect, cut_floats) for name, each in profile.reads.items()}
