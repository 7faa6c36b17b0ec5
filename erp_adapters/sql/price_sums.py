"""The state of each owner's prices, made of the feed's own statement by the ERP's server.

Where the profile has no ``price_state_…`` for a feed, and the server is PostgreSQL, which
can make one of any statement: it turns each row into the bytes that it would send, takes
their hash and adds up the hashes of each owner. So an unchanged night costs the server
less than sending the rows, in no order, and one row for each owner crosses the wire.

Why the bytes of the row: the hash of a row as such (``hash_record_extended``) is the sum of
its columns' hashes, each times a constant. Added up over the rows it is the same when two
items have changed their prices with each other; that of a number knows no sign, and that
of a text takes for equal what its collation does. Of bytes nothing of that is true.

Two different sets of rows have the same sum by chance alone, once in 2^64.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from erp_adapters.sql.catalogue import LISTS, READS, Column, Kind, Read
from erp_adapters.sql.price_feeds import FEEDS
from erp_adapters.sql.profile_model import DEFAULT, Profile, ReadStatement, Variants
from erp_adapters.sql.queries import BadRow, Query, Row
from erp_adapters.sql.statement import is_one, scan, without_order
from sync.domain.pricing import PriceLevel
from sync.kit.driver_errors import read_error

POSTGRESQL = "postgresql"

NO_LIMIT = "SET LOCAL statement_timeout = 0"
"""As for the feed, which takes longer: what looks at every row lasts as long as it lasts."""

# psqlODBC makes a cursor of what begins with SELECT, and PostgreSQL answers a cursor with one
# processor and a plan for the first rows: twice as long, and longer.
_SUM = """\
/* in one piece */
SELECT {columns}count(*) AS entries,
       sum(hash_record_extended(ROW(record_send(feed)), 0))::text AS fingerprint
  FROM (
{rows}
) AS feed"""
_ROWS = """\
SELECT *
  FROM (
{rows}
) AS feed"""

AS_STORED = "as_stored"
# Whether the key is spelled as it is stored: then the column itself can be looked for, of which
# the server may have an index. Of an expression that it is in, it has none.
_AS_STORED = """\
(pg_typeof({owner}) IN ('text'::regtype, 'varchar'::regtype) AND {owner}::text = {key})::int
         AS as_stored, """

# A key spelled as ``values.as_text`` spells it, whatever type it has: of a number 42.00 is 42.
_KEY = """\
CASE WHEN pg_typeof({owner}) = 'numeric'::regtype
            THEN regexp_replace({owner}::text, '[.]0+$', '')
            ELSE btrim({owner}::text, E' \\t\\n\\r\\f\\v') END"""

_NO_STATEMENT = "42"
"""Class of SQLSTATE: no such function, no such column, a text that is no statement."""

_OF_A_ROW = frozenset({"0A", "21", "22", "38", "39", "54", "P0"})
"""Classes of what a single row may bring about: a division by zero, a function that raises."""


class NoSums(Exception):
    """The server cannot make the sums, and the feed has to be read. ``for_good``: ever."""

    def __init__(self, reason: str, *, for_good: bool) -> None:
        super().__init__(reason)
        self.for_good = for_good


_OWNERS: Mapping[PriceLevel, str] = {
    PriceLevel.LOCATION: "location_ids",
    PriceLevel.ACCOUNT: "customer_ids",
    PriceLevel.GROUP: "group_codes",
}


@dataclass(frozen=True, slots=True)
class OfSome:
    """The sums of some owners, and what the feed tells of them."""

    totals: Query
    rows: Query


@dataclass(frozen=True, slots=True)
class Sums:
    """What the server is asked of one level.

    ``totals`` answers the sums of everybody, and where the entries are somebody's, whether
    each of the keys is told ``AS_STORED``. ``owner`` is the column, ``owners`` the parameter
    that names some. ``some`` finds them by their keys as we spell them, ``as_stored`` by the
    column itself; both are None where the entries are nobody's in particular.
    """

    totals: Query
    owner: str | None
    owners: str | None
    some: OfSome | None = None
    as_stored: OfSome | None = None

    def of(self, owners: Collection[str] | None) -> dict[str, Collection[str] | None]:
        return {self.owners: owners} if self.owners else {}


def sums(
    profile: Profile, dialect: str, states: Mapping[PriceLevel, str]
) -> dict[PriceLevel, Sums]:
    """The levels of which the server can make the states, each with what it is asked.

    ``states``: level -> statement that is taken where the profile has it.
    """
    if dialect != POSTGRESQL:
        return {}
    found = {}
    for level, (feed, owner) in FEEDS.items():
        statement = profile.reads.get(feed)
        if statement is None or states[level] in profile.reads:
            continue
        told = statement.sql.of(POSTGRESQL)
        # Where the owner is no column, or where there is more than one statement, it is read.
        if told is None or not is_one(told.source) or owner in statement.constants:
            continue
        # Nor where keys are told in other words than the server has.
        if owner in statement.values:
            continue
        made = _Made(statement, told.with_nulls(), READS[states[level]], profile, dialect)
        owners = _OWNERS.get(level)
        if owner is None or owners is None:
            found[level] = Sums(made.totals(""), None, None)
            continue
        key = _KEY.format(owner=owner)
        found[level] = Sums(
            made.totals(_AS_STORED.format(owner=owner, key=key), owner),
            owner,
            owners,
            some=made.of_some(owner, key, owners),
            as_stored=made.of_some(owner, owner, owners),
        )
    return found


@dataclass(frozen=True, slots=True)
class _Made:
    """Makes the questions about one feed; ``rows`` is its text, ``read`` what states are."""

    feed: ReadStatement
    rows: str
    read: Read
    profile: Profile
    dialect: str

    def totals(self, told: str, owner: str | None = None) -> Query:
        column, grouped = (f"{owner}, ", f" GROUP BY {owner}") if owner else ("", "")
        text = _SUM.format(columns=column + told, rows=without_order(self.rows))
        more = (Column(AS_STORED, Kind.INTEGER),) if told else ()
        return self._summed(text + grouped, replace(self.read, columns=self.read.columns + more))

    def of_some(self, owner: str, key: str, owners: str) -> OfSome:
        """Found by ``key``, an expression of the column."""
        where = f" WHERE {key} IN :{owners}"
        sums = _SUM.format(columns=f"{owner}, ", rows=without_order(self.rows))
        totals = f"{sums}{where} GROUP BY {owner}"
        rows = _ROWS.format(rows=self.rows) + where
        return OfSome(
            self._summed(totals, self.read, owners), self._query(_asked(self.feed, rows, owners))
        )

    def _summed(self, text: str, read: Read, owners: str | None = None) -> Query:
        # What is wrong with it is told of the statement that somebody wrote.
        named = replace(read, name=self.feed.name)
        return self._query(replace(_asked(self.feed, text, owners), read=named))

    def _query(self, statement: ReadStatement) -> Query:
        return Query(statement, self.profile, self.dialect)


def _asked(feed: ReadStatement, text: str, owners: str | None) -> ReadStatement:
    # Owners are named by their texts, however they are stored.
    types = {name: stored for name, stored in feed.types.items() if name != owners}
    return replace(feed, types=types, sql=Variants({DEFAULT: scan(text, LISTS)}))


def answered(
    asked: Query,
    connection: Connection,
    given: Mapping[str, Collection[str] | None],
    on_bad: Callable[[BadRow], None],
) -> Iterator[Row]:
    """What the server says, one row after the other: there are as many as owners.

    Raises NoSums before the first where it is up to the statement that it says nothing.
    Before PostgreSQL 14, of odd types, over a broken record: what is wrong with the feed
    itself, its reading tells.
    """
    connection.exec_driver_sql(NO_LIMIT)
    try:
        yield from asked.stream(connection, given, on_bad, streamed=False)
    except DBAPIError as error:
        told = read_error(error.orig, POSTGRESQL) if error.orig is not None else None
        kind = (told.sqlstate or "")[:2] if told is not None else ""
        if told is None or kind not in {_NO_STATEMENT, *_OF_A_ROW}:
            raise
        raise NoSums(told.text or told.code, for_good=kind == _NO_STATEMENT) from error
