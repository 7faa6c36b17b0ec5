"""What every SQL adapter has, whatever its profile serves: connections, reads, a check.

Reads of many records leave out what cannot be read, whole: never an account
without one of its price groups, or an invoice without a line. What was left
out is logged and told by ``take_unreadable``, with the account whose mirror
must stay as it is. Where of many rows not one can be read, the statement is
wrong and the read raises.
"""

from __future__ import annotations

import hashlib
import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

import structlog
from sqlalchemy import Connection

from erp_adapters.sql import checking
from erp_adapters.sql.database import Database
from erp_adapters.sql.errors import translated
from erp_adapters.sql.profile_model import Profile
from erp_adapters.sql.queries import Answer, BadRow, Query, Row, queries
from erp_adapters.sql.written import WRITTEN_AS
from sync import __version__
from sync.domain.ids import CustomerId
from sync.errors import Misconfigured, Rejected
from sync.ports.erp import ErpCapabilities, Feed, Finding, UnreadableRecord

log = structlog.get_logger()

T = TypeVar("T")

MANY = 10
"""From so many rows on, none of them readable is a wrong statement, not bad data."""


class Reading:
    """One read transaction: every statement in it sees the same moment."""

    def __init__(self, base: SqlErpBase, connection: Connection) -> None:
        self._base = base
        self.connection = connection
        self.read_rows = 0
        self.bad: list[BadRow] = []

    def rows(self, name: str, **given: Any) -> Answer:
        """All rows of that statement; none where the profile does not have it."""
        query = self._base.queries.get(name)
        if query is None:
            return Answer()
        return self.noted(query.read(self.connection, given))

    def rows_each(self, name: str, asked: Sequence[Mapping[str, Any]]) -> list[Answer]:
        """All rows of that statement for each of these questions."""
        query = self._base.queries[name]
        return [self.noted(answer) for answer in query.read_each(self.connection, asked)]

    def spared(self, rows: int) -> None:
        """So many were there that nobody needs to look at: they were read before."""
        self.read_rows += rows

    def noted(self, answer: Answer) -> Answer:
        """The answer, once it is counted what of it could be read and what not."""
        self.read_rows += len(answer.rows)
        self.bad.extend(answer.bad)
        return answer

    def stream(self, name: str, **given: Any) -> Iterator[Row]:
        query = self._base.queries[name]
        for row in query.stream(self.connection, given, self.bad.append):
            self.read_rows += 1
            yield row

    def build(self, query: Query, rows: Sequence[Row], make: Callable[[Row], T]) -> Iterator[T]:
        """The documents of these rows; a row that makes none is bad."""
        for row in rows:
            try:
                made = make(row)
            except ValueError as error:
                self.bad.append(BadRow(query.name, row, "", str(error), query.key_of(row)))
            else:
                yield made


class SqlErpBase:
    """What every SQL adapter has: connections, statements, a check and an end."""

    def __init__(self, profile: Profile, database: Database) -> None:
        self.profile = profile
        self.database = database
        self.queries: Mapping[str, Query] = queries(profile, database.dialect, database.cut_floats)
        feeds = frozenset(feed for feed in Feed if f"changed_{feed.value}" in profile.reads)
        self._capabilities = replace(
            profile.capabilities,
            change_feeds=feeds,
            statement_timeout_s=database.settings.statement_timeout_s,
        )
        self._unreadable = threading.local()

    @property
    def capabilities(self) -> ErpCapabilities:
        return self._capabilities

    @property
    def _way(self) -> bytes:
        """How rows are read: told otherwise, none is what it was."""
        settings = self.database.settings
        url = settings.url
        where = (url.drivername, url.host, url.port, url.database, settings.schema)
        parts = (__version__, *where)
        return hashlib.sha256("|".join(map(str, parts)).encode() + self.profile.digest).digest()

    @property
    def written_as(self) -> Mapping[str, str]:
        return WRITTEN_AS

    def check(self) -> Sequence[Finding]:
        return checking.check(self.profile, self.database, self.queries)

    def close(self) -> None:
        self.database.close()

    def take_unreadable(self) -> Sequence[UnreadableRecord]:
        held: dict[UnreadableRecord, None] = getattr(self._unreadable, "records", {})
        self._unreadable.records = {}
        return tuple(held)

    @contextmanager
    def _read(self, name: str) -> Iterator[Reading]:
        """A read transaction for statements that begin with ``name``'s."""
        doing = f"reading {name} of {self.profile.name}"
        attempt = self.database.attempt(doing)
        with (
            translated(attempt, self.database.dialect),
            self.database.reader.begin() as connection,
        ):
            reading = Reading(self, connection)
            yield reading
        self._remember(reading)

    @contextmanager
    def _judged(self, connection: Connection) -> Iterator[Reading]:
        """A statement that is right or wrong by itself, within a transaction with others."""
        reading = Reading(self, connection)
        yield reading
        self._remember(reading)

    def _remember(self, reading: Reading) -> None:
        unsound = sum(1 for bad in reading.bad if not bad.column)  # read, but no document
        if len(reading.bad) >= MANY and reading.read_rows <= unsound:
            first = str(self._record(reading.bad[0]))
            raise Misconfigured(f"none of {len(reading.bad)} rows could be read", (first,))
        self._tell(reading.bad)

    def _tell(self, unreadable: Sequence[BadRow]) -> None:
        """Let ``take_unreadable`` tell these rows, and the log."""
        records = [self._record(bad) for bad in unreadable]
        # One entry for each, however often it is read before anybody asks.
        held: dict[UnreadableRecord, None] = getattr(self._unreadable, "records", {})
        for record in records:
            if record not in held:
                log.warning(
                    "erp.row_unreadable",
                    erp=self.profile.name,
                    statement=record.source,
                    key=record.key,
                    column=record.field,
                    reason=record.message,
                )
        self._unreadable.records = {**held, **dict.fromkeys(records)}

    def _record(self, bad: BadRow) -> UnreadableRecord:
        customer = bad.known.get("customer_id")
        return UnreadableRecord(
            source=bad.statement,
            key=bad.key,
            field=bad.column,
            message=bad.message,
            customer=_customer(customer),
        )

    def _one(self, reading: Reading, name: str, **given: Any) -> Row | None:
        """The only row. Raises Rejected where there are several, or it cannot be read."""
        answer = reading.rows(name, **given)
        if answer.bad:
            bad = answer.bad[0]
            reading.bad.clear()
            raise unreadable(name, bad.key, bad.told)
        if len(answer.rows) > 1:
            raise Rejected(
                f"{name} answers {len(answer.rows)} rows where there can be one",
                code="erp_ambiguous",
                remedy="look in the ERP which of them is right",
            )
        return answer.rows[0] if answer.rows else None


class Parts:
    """Rows that belong to a document, by its key; ``broken`` are keys with a bad one.

    ``owner`` tells the account of a document whose parts do not name it.
    """

    def __init__(self, answer: Answer, key: str, owner: Mapping[str, str] | None = None) -> None:
        self._rows: dict[str, list[Row]] = defaultdict(list)
        for row in answer.rows:
            self._rows[row[key]].append(row)
        bad_ones = [bad.known for bad in answer.bad if bad.known.get(key) is not None]
        self.broken = {known[key] for known in bad_ones}
        self._broken_of = {(known[key], known.get("customer_id")) for known in bad_ones}
        for bad in answer.bad:
            customer = (owner or {}).get(bad.known.get(key, ""))
            if customer is not None and bad.known.get("customer_id") is None:
                bad.known["customer_id"] = customer

    def of(self, key: str, customer: str | None = None) -> list[Row]:
        """The parts of the document; with ``customer`` none that name another account."""
        found = self._rows.get(key, [])
        if customer is None:
            return found
        return [row for row in found if row["customer_id"] in (None, customer)]

    def breaks(self, key: str, customer: str) -> bool:
        """Whether a bad one is, or may be, among the parts ``of`` this customer's document."""
        return not self._broken_of.isdisjoint({(key, None), (key, customer)})


TWICE = "has two rows that differ: which of them is right?"
BESIDE_UNREADABLE = "has two rows, one of which cannot be read: which of them is right?"


def single(reading: Reading, query: Query, rows: Collection[Row], *keys: str) -> list[Row]:
    """One row for each record; of a record with two rows that differ none can be believed.

    A row that cannot be read differs from any other. ``keys``: the columns that tell
    records apart, where what names a row in messages does not.
    """
    identity = keys or query.statement.read.identity
    found: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in rows:
        found[tuple(row[name] for name in identity)].append(row)
    named: dict[tuple[Any, ...], set[str | None]] = defaultdict(set)
    for bad in reading.bad:
        if bad.statement == query.name:
            key = tuple(bad.known.get(name) for name in identity)
            named[key].add(bad.known.get("customer_id"))
    told = []
    for key, (first, *more) in found.items():
        apart = [name for name in first if any(row[name] != first[name] for row in more)]
        if not apart and key not in named:
            told.append(first)
            continue
        why = TWICE.replace(":", f" in {', '.join(apart)}:") if apart else BESIDE_UNREADABLE
        # Two accounts may have an order of one number: what is shown of both stays.
        owners = {row.get("customer_id"): row for row in (first, *more)}
        for owner, row in owners.items():
            if owner not in named[key]:
                reading.bad.append(BadRow(query.name, row, "", why, query.key_of(row)))
    return told


def unreadable(name: str, key: str, why: str) -> Rejected:
    return Rejected(
        f"{name} {key}: {why}",
        code="erp_unreadable",
        remedy="correct the record in the ERP or the statement in the profile",
    )


def _customer(value: object) -> CustomerId | None:
    try:
        return CustomerId(value) if isinstance(value, str) else None
    except ValueError:
        return None
