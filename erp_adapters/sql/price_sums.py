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

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from erp_adapters.sql.catalogue import LISTS, READS
from erp_adapters.sql.price_feeds import FEEDS
from erp_adapters.sql.profile_model import DEFAULT, Profile, ReadStatement, Variants
from erp_adapters.sql.queries import Answer, Query
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
SELECT {column}count(*) AS entries,
       sum(hash_record_extended(ROW(record_send(feed)), 0))::text AS fingerprint
  FROM (
{rows}
) AS feed"""
_OF_OWNERS = " [[ WHERE {key} IN :{owners} ]] GROUP BY {owner}"
_ROWS = """\
SELECT *
  FROM (
{rows}
) AS feed
 WHERE {key} IN :{owners}"""

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
class Sums:
    """What the server is asked of one level.

    ``totals`` answers the sums, ``rows`` what the feed tells of some owners (None where
    the entries are nobody's in particular). ``owner`` is the column, ``owners`` the
    parameter that names some; without it ``totals`` is of everybody.
    """

    totals: Query
    rows: Query | None
    owner: str | None
    owners: str | None

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
        owners = _OWNERS.get(level)
        totals = _totals(statement, told.with_nulls(), states[level], owner, owners)
        rows = None
        if owner and owners:
            key = _KEY.format(owner=owner)
            text = _ROWS.format(rows=told.with_nulls(), key=key, owners=owners)
            rows = Query(_asked(statement, text, owners), profile, dialect)
        found[level] = Sums(Query(totals, profile, dialect), rows, owner, owners)
    return found


def _totals(
    feed: ReadStatement, rows: str, state: str, owner: str | None, owners: str | None
) -> ReadStatement:
    text = _SUM.format(column=f"{owner}, " if owner else "", rows=without_order(rows))
    if owner:
        text += _OF_OWNERS.format(key=_KEY.format(owner=owner), owner=owner, owners=owners)
    # What is wrong with it is told of the statement that somebody wrote.
    read = replace(READS[state], name=feed.name)
    return replace(_asked(feed, text, owners), read=read)


def _asked(feed: ReadStatement, text: str, owners: str | None) -> ReadStatement:
    # Owners are named by their texts, however they are stored.
    types = {name: stored for name, stored in feed.types.items() if name != owners}
    return replace(feed, types=types, sql=Variants({DEFAULT: scan(text, LISTS)}))


def answered(asked: Sums, connection: Connection, owners: Collection[str] | None) -> Answer:
    """What the server says; raises NoSums where it is up to the statement that it says nothing.

    Before PostgreSQL 14, of odd types, over a broken record: what is wrong with the feed
    itself, its reading tells.
    """
    connection.exec_driver_sql(NO_LIMIT)
    try:
        return asked.totals.read(connection, asked.of(owners))
    except DBAPIError as error:
        told = read_error(error.orig, POSTGRESQL) if error.orig is not None else None
        kind = (told.sqlstate or "")[:2] if told is not None else ""
        if told is None or kind not in {_NO_STATEMENT, *_OF_A_ROW}:
            raise
        raise NoSums(told.text or told.code, for_good=kind == _NO_STATEMENT) from error
