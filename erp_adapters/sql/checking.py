"""Tries every statement of a profile on the live database, and writes nothing.

Reads are executed: once with keys that nobody has, for their columns, and once
for a few real accounts, for their values. Steps are explained, not executed,
in a transaction that is rolled back; the database still looks up every table,
column and right that they name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import URL, Connection, Engine
from sqlalchemy.exc import DBAPIError

from erp_adapters.sql.catalogue import Kind
from erp_adapters.sql.database import Database
from erp_adapters.sql.errors import translated
from erp_adapters.sql.losses import Keeper, unbound
from erp_adapters.sql.postgresql_rights import ungranted_sequences, unseen_schemas
from erp_adapters.sql.profile import PARAMETERS
from erp_adapters.sql.profile_model import Profile, Step, Storage, StoredAs
from erp_adapters.sql.queries import BadRow, Query, Row
from erp_adapters.sql.samples import SIZE, Samples, in_order, rows_to_try, twice
from erp_adapters.sql.statement import Statement, scan
from erp_adapters.sql.undoing import kept_after_all
from erp_adapters.sql.unique_key import unique_keys
from erp_adapters.sql.values import writer
from sync.errors import AccessDenied, NobodyAnswers, RightMissing, SyncError, TryLater
from sync.kit.driver_errors import read_error
from sync.kit.engines import given_keywords
from sync.kit.odbc import names_its_own
from sync.ports.erp import Finding, FindingLevel

NOBODY = "~nobody~"
FIELDS = "fields of an order"
CLOCK_TOLERANCE = timedelta(minutes=10)

_IMPOSSIBLE: Mapping[Kind, Any] = {
    Kind.KEY: NOBODY,
    Kind.TEXT: NOBODY,
    Kind.DATETIME: datetime(2200, 1, 1, tzinfo=UTC),
    # Asked beside somebody who does not exist, so any amount and day will do.
    Kind.AMOUNT: Decimal(1),
    Kind.DATE: date(2000, 1, 3),
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
_NO_UUID = "00000000-0000-0000-0000-000000000000"
_OPENINGS: Mapping[str, str] = {
    "insecure_trust_any_certificate": "any certificate is believed: whoever stands between"
    " here and the ERP can read and change everything",
    "insecure_no_encryption": "passwords and orders travel in the clear",
}
_GRANT_READER = "let the account of url do it: a read needs SELECT on every table that it names"
_GRANT_WRITER = (
    "let the account of write_url do it: beside INSERT, UPDATE, DELETE or EXECUTE a step needs"
    " SELECT on what it looks up, compares or returns"
)
_EXPLAINABLE = ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "MERGE", "VALUES", "REPLACE")


def check(profile: Profile, database: Database, queries: Mapping[str, Query]) -> Sequence[Finding]:
    """All findings, the connection first; nothing after it where that fails."""
    checking = _Checking(profile, database, queries)
    findings = [checking.connection()]
    if findings[0].level is FindingLevel.ERROR:
        return tuple(findings)
    findings.extend(checking.openings())
    findings.extend(checking.reads())
    findings.extend(checking.restrictions())
    findings.extend(checking.feeds())
    if profile.writes:
        findings.extend(checking.writes())
    return tuple(findings)


class _Checking:
    def __init__(self, profile: Profile, database: Database, queries: Mapping[str, Query]) -> None:
        self._profile = profile
        self._database = database
        self._queries = queries
        self._samples = Samples()

    def connection(self) -> Finding:
        wrong = self._database.misplaced()
        if wrong is not None:
            remedy = "correct that option, or put the file there"
            return Finding("connection", FindingLevel.ERROR, wrong, remedy)
        schema = self._database.settings.schema
        unseen: list[tuple[str, str, Sequence[str]]] = []

        def connect() -> None:
            for option, engine in self._engines():
                with engine.connect() as connection:
                    if schema is not None:
                        names = unseen_schemas(connection, schema)
                        unseen.append((option, _role(connection), names))

        found = self._try("connection", "correct url and password", connect)
        told = f"{self._profile.name} answers ({self._database.dialect})"
        return found or self._unseen(unseen) or Finding("connection", FindingLevel.OK, told)

    def _engines(self) -> Iterator[tuple[str, Engine]]:
        yield "url", self._database.reader
        if self._profile.writes:
            yield "write_url", self._database.writer

    def _unseen(self, unseen: Sequence[tuple[str, str, Sequence[str]]]) -> Finding | None:
        """Schemas that are passed over: every table in them would not be there."""
        path = (self._database.settings.schema or "").count(",") + 1
        for option, role, names in unseen:
            if names:
                # Others of the path may hold all that the profile names.
                level = FindingLevel.ERROR if len(names) == path else FindingLevel.WARNING
                told = f"the account of {option} sees no schema {', '.join(names)}"
                remedy = (
                    f"GRANT USAGE ON SCHEMA {', '.join(names)} TO {role}, or correct the option"
                    " schema"
                )
                return Finding("connection", level, told, remedy)
        return None

    def openings(self) -> Iterator[Finding]:
        """Options that let somebody between here and the ERP in, said again each time."""
        for name, told in _OPENINGS.items():
            if name in self._database.settings.insecure:
                yield Finding("connection", FindingLevel.WARNING, told, f"take {name} out")

    def reads(self) -> Iterator[Finding]:
        for query in in_order(self._queries.values()):
            subject = f"statement {query.name}"
            remedy = f"correct {query.name} in {query.statement.place}"
            problems: list[str] = []

            def columns(query: Query = query, problems: list[str] = problems) -> None:
                problems.extend(self._columns(query))

            failed = self._try(subject, remedy, columns, query.sql)
            if failed is not None:
                yield failed
                continue
            if problems:
                for problem in problems:
                    yield Finding(subject, FindingLevel.ERROR, problem, remedy)
                continue
            yield self._values(query, subject, remedy)

    def restrictions(self) -> Iterator[Finding]:
        """Items that are not for everybody, and nobody could tell the store which."""
        reads = self._profile.reads
        if "restricted_items" in reads or not {"item_customers", "item_tags"} & reads.keys():
            return
        told = "the store is not told which items are not for everybody, and shows them to all"
        yield Finding(
            "restricted items", FindingLevel.WARNING, told, "write the statement restricted_items"
        )

    def feeds(self) -> Iterator[Finding]:
        """Drivers that would keep ten million prices in memory before they tell the first."""
        if not any(name.startswith("price_feed_") for name in self._profile.reads):
            return
        keeps = whole_answer_finding(self._database.settings.url)
        if keeps is not None:
            yield keeps

    def writes(self) -> Iterator[Finding]:
        named = [(f"step {step.name}", step) for step in self._profile.steps]
        named += [(f"cancel_order, step {each.name}", each) for each in self._profile.cancel_steps]
        made = self._profile.customer_steps
        named += [(f"create_customer, step {each.name}", each) for each in made]
        named += [
            (f"credit_request, step {each.name}", each) for each in self._profile.credit_steps
        ]
        for subject, step in named:
            sql = step.sql.of(self._database.dialect)
            if sql is None or not sql.source.upper().startswith(_EXPLAINABLE):
                yield Finding(
                    subject,
                    FindingLevel.WARNING,
                    "cannot be tried without running it",
                    "try it by hand with the writing account",
                )
                continue

            closed: list[Finding] = []

            def explain(
                step: Step = step,
                sql: Statement = sql,
                subject: str = subject,
                closed: list[Finding] = closed,
            ) -> None:
                closed.extend(self._explain(step, sql, subject))

            remedy = f"correct step {step.name} in {step.place}"
            found = self._try(subject, remedy, explain, sql, _GRANT_WRITER)
            if found is not None or closed:
                yield from (found,) if found is not None else closed
                continue
            yield Finding(subject, FindingLevel.OK, "names what the database has")
        yield from unique_keys(self._profile, self._database)
        yield from kept_after_all(self._profile, self._database)
        if self._profile.steps:
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
                options = {"stream_results": True, "max_row_buffer": SIZE}
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
            nobody = _NO_UUID if _is_uuid(stored) else _IMPOSSIBLE[kind]
            value = writer(kind, self._profile.capabilities, dialect, stored)(nobody)
        return [value] if name in query.sql.lists else value

    def _values(self, query: Query, subject: str, remedy: str) -> Finding:
        """Whether a few real rows can be read, where some can be asked for."""
        asked = self._samples.asked(query)
        if asked is None:
            return Finding(subject, FindingLevel.OK, "answers the columns that it should")
        bad: list[BadRow] = []
        seen: list[Row] = []
        most = rows_to_try(query)

        def run() -> None:
            with self._database.reader.begin() as connection:
                for row in query.stream(connection, asked, bad.append):
                    seen.append(row)
                    if len(seen) + len(bad) >= most:
                        return

        failed = self._try(subject, remedy, run)
        if failed is not None:
            return failed
        self._samples.learn(query, seen)
        if bad:
            first = bad[0]
            level = FindingLevel.WARNING if seen else FindingLevel.ERROR
            return Finding(
                subject,
                level,
                f"{len(bad)} of {len(bad) + len(seen)} rows cannot be read; the first,"
                f" {first.key}: {first.told}",
                remedy,
            )
        if query.name == "clock":
            return self._clock(seen, subject)
        if query.name == "customer_ids" and not seen:
            return Finding(subject, FindingLevel.WARNING, "names no account at all", remedy)
        doubled = twice(query, seen)
        if doubled is not None:
            told = f"answers more than one row for {doubled}"
            way_out = "let a join add no rows, and name one company where the tables hold several"
            return Finding(subject, FindingLevel.WARNING, told, way_out)
        if query.name == "accounts":
            absent = self._absent(asked["customer_ids"], seen, subject)
            if absent is not None:
                return absent
        if not seen:
            told = "answers the columns that it should, and no row for what was tried"
            return Finding(subject, FindingLevel.OK, told)
        tried = "1 row" if len(seen) == 1 else f"{len(seen)} rows"
        return Finding(subject, FindingLevel.OK, f"answers as it should ({tried} tried)")

    def _absent(self, asked: Sequence[str], seen: Sequence[Row], subject: str) -> Finding | None:
        """Customers that ``customer_ids`` names and ``accounts`` does not know."""
        known = {row["customer_id"] for row in seen}
        absent = [each for each in asked if each not in known]
        if not absent:
            return None
        return Finding(
            subject,
            FindingLevel.WARNING if known else FindingLevel.ERROR,
            f"knows {len(asked) - len(absent)} of the {len(asked)} customers of customer_ids"
            f" that were tried, and not {absent[0]}",
            "use the same conditions in both, and compare keys without their padding:"
            " rtrim(…) IN :customer_ids",
        )

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

    def _explain(self, step: Step, sql: Statement, subject: str) -> Sequence[Finding]:
        """What an explained step would still lack when it is run."""
        dialect, lacking = self._database.dialect, list[Finding]()
        with self._database.writer.connect() as connection, connection.begin() as transaction:
            if dialect == "mssql":
                _compile_on_mssql(connection, sql)
            else:
                explained = scan(f"EXPLAIN {sql.source}", sql.lists)
                parameters = self._examples(step, explained)
                connection.execute(explained.ready(explained.parameters), parameters).close()
            if dialect == "postgresql":
                role = _role(connection)
                for name in ungranted_sequences(connection, sql.source):
                    told = f"the account of write_url may not take numbers from sequence {name}"
                    grant = f"GRANT USAGE ON SEQUENCE {name} TO {role}"
                    lacking.append(Finding(subject, FindingLevel.ERROR, told, grant))
            transaction.rollback()
        return lacking

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
            example = _NO_UUID if _is_uuid(bound.stored) else _EXAMPLES[kind]
            examples[name] = writer(kind, facts, dialect, bound.stored)(example)
        return examples

    def _try(
        self,
        subject: str,
        remedy: str,
        work: Callable[[], None],
        sql: Statement | None = None,
        grant: str = _GRANT_READER,
    ) -> Finding | None:
        """None when it went well, otherwise what went wrong.

        ``sql``: it was run with made-up values only, which a message may repeat.
        ``grant``: the way out where a right is missing.
        """
        try:
            attempt = self._database.attempt(subject)
            with translated(attempt, self._database.dialect):
                work()
        except RightMissing as error:
            return Finding(subject, FindingLevel.ERROR, str(error), f"{grant}; or {remedy}")
        except (AccessDenied, NobodyAnswers) as error:
            told, _, way_out = str(error).partition("; ")
            return Finding(subject, FindingLevel.ERROR, told, way_out)
        except TryLater as error:
            return Finding(subject, FindingLevel.ERROR, str(error), "check again later")
        except SyncError as error:
            told = str(error)
            if sql is not None:
                told = sql.naming_parameters(self._in_its_words(told, error.__cause__))
                remedy = "; ".join((*_type_hint(told, sql), remedy))
            return Finding(subject, FindingLevel.ERROR, told, remedy)
        except DBAPIError as error:
            if error.orig is None:
                raise
            words = read_error(error.orig, self._database.dialect)
            told = f"{type(error.orig).__name__} ({words.code}) {words.text}".strip()
            return Finding(subject, FindingLevel.ERROR, told, remedy)
        return None

    def _in_its_words(self, told: str, cause: BaseException | None) -> str:
        """The message with the database's own sentence, where it lacks that."""
        own = "" if cause is None else read_error(cause, self._database.dialect).text
        return f"{told}: {own}" if own and own not in told else told


def _type_hint(told: str, sql: Statement) -> Iterator[str]:
    """How to say a type that PostgreSQL could not find or that our example is not of."""
    named = re.search(r"parameter :(\w+)", told)
    if named is not None:
        yield f"say its type, such as CAST(:{named[1]} AS text)"
    if f'"{NOBODY}"' in told:
        names = ", ".join(f"{name}: integer" for name in sorted(sql.parameters))
        yield f"where the column is a number, say types: {{{names}}}"


def _role(connection: Connection) -> str:
    return str(connection.exec_driver_sql("SELECT current_user").scalar_one())


def _is_uuid(stored: StoredAs | None) -> bool:
    return stored is not None and stored.storage is Storage.UUID


def whole_answer_finding(url: URL) -> Finding | None:
    """What to say of a driver of ODBC that keeps a whole answer in memory."""
    if url.drivername == "sqlite+pyodbc":
        return Finding(
            "price feeds",
            FindingLevel.WARNING,
            "SQLite's ODBC driver keeps a whole answer in memory: 2 GB for ten million prices",
            "name the file without ODBC in url, such as sqlite:///erp.db",
        )
    if url.drivername in ("mariadb+pyodbc", "mysql+pyodbc"):
        return Finding(
            "price feeds",
            FindingLevel.WARNING,
            "MariaDB's ODBC driver keeps a whole answer in memory",
            "use mariadb+pymysql:// in url, which needs no ODBC (pip install 'tradesync[mariadb]')",
        )
    if url.drivername != "postgresql+pyodbc":
        return None
    said = given_keywords(url).get("usedeclarefetch", set())
    if said == {"1"} or not (said or names_its_own(url)):
        return None
    return Finding(
        "price feeds",
        FindingLevel.WARNING,
        "PostgreSQL's ODBC driver keeps a whole answer in memory (2.5 GB for ten million prices)"
        " unless it is told UseDeclareFetch=1, which url does not",
        "add UseDeclareFetch=1 to url, beside the data source's name or in the connection string",
    )


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
