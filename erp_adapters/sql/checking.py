"""Tries every statement of a profile on the live database, and writes nothing.

Reads are executed: once with keys that nobody has, for their columns, and once
for a few real accounts, for their values. Steps are explained, not executed,
in a transaction that is rolled back; the database still looks up every table,
column and right that they name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from erp_adapters.sql.catalogue import Kind
from erp_adapters.sql.database import Database
from erp_adapters.sql.errors import Attempt, translated
from erp_adapters.sql.losses import Keeper, unbound
from erp_adapters.sql.profile import PARAMETERS
from erp_adapters.sql.profile_model import Profile, Step, Storage
from erp_adapters.sql.queries import BadRow, Query
from erp_adapters.sql.statement import Statement, scan
from erp_adapters.sql.unique_key import unique_key_finding
from erp_adapters.sql.values import writer
from sync.errors import AccessDenied, SyncError, TryLater
from sync.kit.driver_errors import read_error
from sync.ports.erp import Finding, FindingLevel

NOBODY = "~nobody~"
SAMPLE = 20
FIELDS = "fields of an order"
CLOCK_TOLERANCE = timedelta(minutes=10)

_IMPOSSIBLE: Mapping[Kind, Any] = {
    Kind.KEY: NOBODY,
    Kind.TEXT: NOBODY,
    Kind.DATETIME: datetime(2200, 1, 1, tzinfo=UTC),
}
_EXAMPLES: Mapping[Kind, Any] = {
    Kind.KEY: "0",
    Kind.TEXT: "x",
    Kind.INTEGER: 1,
    Kind.NUMBER: Decimal(1),
    Kind.AMOUNT: Decimal(1),
    Kind.PRICE: Decimal(1),
    Kind.DATE: date(2000, 1, 3),
    Kind.DATETIME: datetime(2000, 1, 3, tzinfo=UTC),
    Kind.BOOL: True,
}
_EXPLAINABLE = ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "MERGE", "VALUES", "REPLACE")


def check(profile: Profile, database: Database, queries: Mapping[str, Query]) -> Sequence[Finding]:
    """All findings, the connection first; nothing after it where that fails."""
    checking = _Checking(profile, database, queries)
    findings = [checking.connection()]
    if findings[0].level is FindingLevel.ERROR:
        return tuple(findings)
    findings.extend(checking.reads())
    if profile.steps:
        findings.extend(checking.writes())
    return tuple(findings)


class _Checking:
    def __init__(self, profile: Profile, database: Database, queries: Mapping[str, Query]) -> None:
        self._profile = profile
        self._database = database
        self._queries = queries

    def connection(self) -> Finding:
        found = self._try("connection", "correct url and password", self._connect)
        told = f"{self._profile.name} answers ({self._database.dialect})"
        return found or Finding("connection", FindingLevel.OK, told)

    def _connect(self) -> None:
        with self._database.reader.connect():
            pass
        if self._profile.steps:
            with self._database.writer.connect():
                pass

    def reads(self) -> Iterator[Finding]:
        sample: list[str] = []
        ordered = sorted(self._queries.values(), key=lambda query: query.name != "customer_ids")
        for query in ordered:
            subject = f"statement {query.name}"
            remedy = f"correct {query.name} in {query.statement.place}"
            problems: list[str] = []

            def columns(query: Query = query, problems: list[str] = problems) -> None:
                problems.extend(self._columns(query))

            failed = self._try(subject, remedy, columns)
            if failed is not None:
                yield failed
                continue
            if problems:
                for problem in problems:
                    yield Finding(subject, FindingLevel.ERROR, problem, remedy)
                continue
            yield from self._values(query, sample, subject, remedy)

    def writes(self) -> Iterator[Finding]:
        for step in self._profile.steps:
            subject = f"step {step.name}"
            sql = step.sql.of(self._database.dialect)
            if sql is None or not sql.source.upper().startswith(_EXPLAINABLE):
                yield Finding(
                    subject,
                    FindingLevel.WARNING,
                    "cannot be tried without running it",
                    "try it by hand with the writing account",
                )
                continue

            def explain(step: Step = step, sql: Statement = sql) -> None:
                self._explain(step, sql)

            found = self._try(subject, f"correct step {step.name} in {step.place}", explain)
            yield found or Finding(subject, FindingLevel.OK, "names what the database has")
        yield unique_key_finding(self._profile, self._database)
        yield losses_finding(self._profile, self._profile.steps)

    def _columns(self, query: Query) -> Sequence[str]:
        """Problems of the answer's columns, asked with keys that nobody has."""
        given = {name: self._impossible(query, name) for name in query.sql.parameters}
        problems: Sequence[str] = ()
        with self._database.reader.begin() as connection:
            for have in (query.sql.always, query.sql.parameters):
                used = query.sql.used(have)
                parameters = {name: given[name] for name in used}
                # Statements without parameters may have a million rows to tell.
                options = {"stream_results": True, "max_row_buffer": SAMPLE}
                clause = query.sql.ready(have)
                with connection.execute(clause, parameters, execution_options=options) as result:
                    result.fetchmany(1)
                    problems = query.column_problems(tuple(result.keys()))
        return problems

    def _impossible(self, query: Query, name: str) -> Any:
        kind = PARAMETERS[name]
        stored = query.statement.types.get(name)
        if stored is not None and stored.storage is Storage.INTEGER:
            value: Any = -1
        else:
            dialect = self._database.dialect
            value = writer(kind, self._profile.capabilities, dialect, stored)(_IMPOSSIBLE[kind])
        return [value] if name in query.sql.lists else value

    def _values(
        self, query: Query, sample: list[str], subject: str, remedy: str
    ) -> Iterator[Finding]:
        """Whether a few real rows can be read, where some can be asked for."""
        bad: list[BadRow] = []
        seen: list[dict[str, Any]] = []
        needs = query.sql.always
        asked: dict[str, Any] = {}
        if "customer_ids" in needs:
            asked["customer_ids"] = sample
        if needs - asked.keys():
            yield Finding(subject, FindingLevel.OK, "answers the columns that it should")
            return

        def read(connection: Connection) -> None:
            for row in query.stream(connection, asked, bad.append):
                seen.append(row)
                if len(seen) + len(bad) >= SAMPLE:
                    return

        def run() -> None:
            with self._database.reader.begin() as connection:
                read(connection)

        failed = self._try(subject, remedy, run)
        if failed is not None:
            yield failed
            return
        if query.name == "customer_ids":
            sample.extend(row["customer_id"] for row in seen)
        if bad:
            first = bad[0]
            level = FindingLevel.WARNING if seen else FindingLevel.ERROR
            yield Finding(
                subject,
                level,
                f"{len(bad)} of {len(bad) + len(seen)} rows cannot be read; the first,"
                f" {first.key}: {first.column} {first.message}",
                remedy,
            )
            return
        if query.name == "clock":
            yield self._clock(seen, subject)
            return
        if query.name == "customer_ids" and not seen:
            yield Finding(subject, FindingLevel.WARNING, "names no account at all", remedy)
            return
        yield Finding(subject, FindingLevel.OK, f"answers as it should ({len(seen)} rows tried)")

    def _clock(self, seen: Sequence[Mapping[str, Any]], subject: str) -> Finding:
        if len(seen) != 1:
            return Finding(
                subject, FindingLevel.ERROR, f"answers {len(seen)} rows", "let it answer one row"
            )
        off = seen[0]["now"] - datetime.now(UTC)
        if abs(off) > CLOCK_TOLERANCE:
            minutes = round(off.total_seconds() / 60)
            return Finding(
                subject,
                FindingLevel.WARNING,
                f"the ERP's clock is {minutes:+} minutes off ours",
                "say its zone, such as types: {now: datetime(UTC)}, or set the clock",
            )
        return Finding(subject, FindingLevel.OK, "tells the time")

    def _explain(self, step: Step, sql: Statement) -> None:
        dialect = self._database.dialect
        with self._database.writer.connect() as connection, connection.begin() as transaction:
            if dialect == "mssql":
                _compile_on_mssql(connection, sql)
            else:
                explained = scan(f"EXPLAIN {sql.source}", sql.lists)
                parameters = self._examples(step, explained)
                connection.execute(explained.ready(explained.parameters), parameters).close()
            transaction.rollback()

    def _examples(self, step: Step, sql: Statement) -> dict[str, Any]:
        facts, dialect = self._profile.capabilities, self._database.dialect
        examples: dict[str, Any] = dict.fromkeys(sql.parameters)
        for name in sql.parameters & step.bind.keys():
            bound = step.bind[name]
            if bound.values:
                examples[name] = next(iter(bound.values.values()))
                continue
            numbered = bound.stored is not None and bound.stored.storage is Storage.INTEGER
            kind = Kind.KEY if numbered and bound.kind is Kind.TEXT else bound.kind
            examples[name] = writer(kind, facts, dialect, bound.stored)(_EXAMPLES[kind])
        return examples

    def _try(self, subject: str, remedy: str, work: Callable[[], None]) -> Finding | None:
        """None when it went well, otherwise what went wrong."""
        try:
            with translated(Attempt(subject), self._database.dialect):
                work()
        except AccessDenied as error:
            return Finding(subject, FindingLevel.ERROR, str(error), "grant the right it names")
        except TryLater as error:
            return Finding(subject, FindingLevel.ERROR, str(error), "check again later")
        except SyncError as error:
            return Finding(subject, FindingLevel.ERROR, str(error), remedy)
        except DBAPIError as error:
            if error.orig is None:
                raise
            told = read_error(error.orig, self._database.dialect)
            return Finding(
                subject,
                FindingLevel.ERROR,
                f"{type(error.orig).__name__} ({told.code}) {told.text}".strip(),
                remedy,
            )
        return None


def losses_finding(profile: Profile, keepers: Sequence[Keeper]) -> Finding:
    """Which fields of an order the profile has no place for."""
    held = profile.capabilities.address_lines
    beyond = set() if held is None else {f"line{number}" for number in range(held + 1, 5)}
    lost = [
        path for path in unbound(keepers, profile.not_kept) if path.partition(".")[2] not in beyond
    ]
    if not lost:
        return Finding(FIELDS, FindingLevel.OK, "all have a place or are given up")
    return Finding(
        FIELDS,
        FindingLevel.WARNING,
        f"an order that has one of these will be refused: {', '.join(lost)}",
        "bind them in the profile, or list under not_kept what the ERP need not know",
    )


def _compile_on_mssql(connection: Connection, sql: Statement) -> None:
    """SQL Server explains nothing that has parameters; it compiles without executing."""
    connection.exec_driver_sql("SET NOEXEC ON")
    try:
        connection.exec_driver_sql(sql.with_nulls())
    finally:
        connection.exec_driver_sql("SET NOEXEC OFF")
