"""What has changed of prices, told by the ERP's own server: the statements ``price_state_…``,
and in their place ``price_sums``.

Each answers one row for each owner, so that no price crosses the wire while nothing has
changed. What it is made of is the profile's: a hash of all entries sees everything; the
time of the last change and the number of entries is quicker, where the ERP keeps such a
time in every way that a price can be changed.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from datetime import datetime, time, timedelta
from time import monotonic
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import structlog

from erp_adapters.sql.base import Reading
from erp_adapters.sql.database import Database
from erp_adapters.sql.moments import join, may_lend
from erp_adapters.sql.price_feeds import FEEDS, ReadsPriceFeeds
from erp_adapters.sql.price_sums import (
    AS_STORED,
    NoSums,
    OfSome,
    Sums,
    answered,
    sums,
)
from erp_adapters.sql.profile_model import Profile
from erp_adapters.sql.queries import Query, Row
from sync.domain.pricing import PriceLevel, PriceScope
from sync.errors import Misconfigured
from sync.kit.pacing import Paced
from sync.ports.erp import Moment, PriceState

if TYPE_CHECKING:
    import pyarrow as pa

STATES: Mapping[PriceLevel, str] = {
    PriceLevel.ITEM: "price_state_item",
    PriceLevel.LOCATION: "price_state_location",
    PriceLevel.ACCOUNT: "price_state_account",
    PriceLevel.GROUP: "price_state_group",
    PriceLevel.DEFAULT: "price_state_default",
}
"""Level -> its statement. Whose an entry is, the same column says as in the feed."""

_SINGLY: Mapping[PriceLevel, tuple[str, str | None]] = {
    PriceLevel.ITEM: ("prices_item", None),
    PriceLevel.LOCATION: ("prices_location", "location_ids"),
    PriceLevel.ACCOUNT: ("prices_account", "customer_ids"),
    PriceLevel.GROUP: ("prices_group", "group_codes"),
    PriceLevel.DEFAULT: ("prices_default", None),
}

SINGLY = 20
"""So many owners are asked for by the index that such questions need anyway. More are looked
for in the feed, where the server can, in one go: by an index of the column that they are in, or
without one in one look at everything."""

TOGETHER, ROWS_TOGETHER, FIRST = 20, 100_000, 4
"""So many owners are asked for in one statement at most, with about so many rows, and so many
in the first: what it tells of them is in memory at once."""

SHARE_OF_TIMEOUT = 0.25
"""A statement that takes longer than this share of what it may take asks for fewer owners: the
ERP may compute each of these prices, and one that is cut off is taken for a broken feed."""

FEW = 1_000
"""So many owners are asked of by their keys: of more, everybody is asked of."""

SETTLED_AFTER = timedelta(minutes=10)
"""From then on nothing comes that was stamped before: a transaction of the ERP is stamped
when it begins, or somewhere on its way, and is seen when it ends."""

log = structlog.get_logger()


class ReadsPriceStates(ReadsPriceFeeds):
    def __init__(self, profile: Profile, database: Database) -> None:
        super().__init__(profile, database)
        self._sums = sums(profile, database.dialect, STATES)
        self._without_sums: set[PriceLevel] = set()
        self._as_stored: set[PriceLevel] = set()

    @property
    def stated_levels(self) -> Collection[PriceLevel]:
        return [level for level in self.batched_levels if self._is_stated(level)]

    def _is_stated(self, level: PriceLevel) -> bool:
        summed = level in self._sums and level not in self._without_sums
        return summed or STATES[level] in self.queries

    def price_moment(self) -> AbstractContextManager[Moment]:
        return self._moments.hold()

    def price_states(self, level: PriceLevel) -> Mapping[PriceScope, PriceState]:
        if level in self._sums:
            return self._summed(level)
        return self._told_by(level, STATES[level])

    def price_states_of(self, scopes: Collection[PriceScope]) -> Mapping[PriceScope, PriceState]:
        found: dict[PriceScope, PriceState] = {}
        for level, owners in _by_level(scopes).items():
            few = level in self._sums and len(owners) <= FEW
            told = self._summed(level, owners) if few else self.price_states(level)
            found.update((scope, state) for scope, state in told.items() if scope in scopes)
        return found

    def _summed(
        self, level: PriceLevel, owners: Collection[str] | None = None
    ) -> Mapping[PriceScope, PriceState]:
        """Of owners whose keys are one as we spell them, all rows count."""
        if level in self._without_sums:
            return {}
        asked, found = self._sums[level], dict[PriceScope, tuple[int, int]]()
        some = self._some(level) if owners is not None else None
        query = some.totals if some is not None else asked.totals
        with self._read_states(query, level) as reading:
            is_of_all = query is asked.totals and asked.some is not None
            as_stored, bad = is_of_all, len(reading.bad)
            answer = answered(query, reading.connection, asked.of(owners), reading.bad.append)
            try:
                for row in answer:
                    reading.read_rows += 1
                    as_stored = as_stored and bool(row[AS_STORED])
                    scope = PriceScope(level, row[asked.owner] if asked.owner else "")
                    entries, total = found.get(scope, (0, 0))
                    found[scope] = entries + row["entries"], total + int(row["fingerprint"] or 0)
            except NoSums as error:
                self._moments.end()
                self._leave_without_sums(level, error)
                return {}
            if is_of_all:
                self._note_spelling(level, as_stored=as_stored and len(reading.bad) == bad)
        return {
            scope: PriceState(self._fingerprint(f"sum|{entries}|{total}"), entries)
            for scope, (entries, total) in found.items()
            if entries
        }

    @contextmanager
    def _read_states(self, query: Query, level: PriceLevel) -> Iterator[Reading]:
        """A read transaction for sums, as of a moment that begins here if none has."""
        self._begin_moment(query, level)
        with self._read_feed(query.name, level) as (reading, snapshot):
            if snapshot is not None:
                join(reading.connection, snapshot)
            yield reading

    def _begin_moment(self, query: Query, level: PriceLevel) -> None:
        moment = self._moments.held
        lends = may_lend(self.database.reader.dialect)
        if moment is None or not moment.may_begin or not lends:
            return
        moment.level = level
        with ExitStack() as begun:
            connection = begun.enter_context(self._read(query.name)).connection
            moment.begin(connection, query.sql.with_nulls(), begun.pop_all())

    def _some(self, level: PriceLevel) -> OfSome | None:
        asked = self._sums[level]
        return asked.as_stored if level in self._as_stored else asked.some

    def _note_spelling(self, level: PriceLevel, *, as_stored: bool) -> None:
        """Whether all owners are stored as we spell them, and can be found without a look at
        every row. One that is spelled otherwise since is seen when everybody is asked of next.
        """
        if as_stored:
            self._as_stored.add(level)
        else:
            self._as_stored.discard(level)

    def _leave_without_sums(self, level: PriceLevel, error: NoSums) -> None:
        """Then all of it is read, as ever."""
        name = self._sums[level].totals.name
        log.info("erp.price_sums_left_out", statement=name, reason=str(error))
        if error.for_good:
            self._without_sums.add(level)

    def _told_by(self, level: PriceLevel, name: str) -> Mapping[PriceScope, PriceState]:
        owner = FEEDS[level][1]
        if name not in self.queries:
            raise ValueError(f"{self.profile.name} has no statement {name}")
        found: dict[PriceScope, PriceState] = {}
        with self._read(name) as reading:
            now = self._erp_now(reading) if "clock" in self.queries else None
            # In one piece: few rows, and a server that may stop in the middle of an answer,
            # as PostgreSQL with a cursor, works on it with one processor alone.
            for row in reading.rows(name).rows:
                scope = PriceScope(level, row[owner] if owner else "")
                if scope in found:
                    raise Misconfigured(self._wrong(name, f"tells the {scope} twice: GROUP BY it"))
                # An aggregate of nothing answers a row, too.
                if row["entries"]:
                    found[scope] = self._state(name, row, now)
        return found

    def price_vectors_of(
        self, scopes: Collection[PriceScope]
    ) -> Iterator[tuple[PriceScope, pa.Table]]:
        for level, owners in _by_level(scopes).items():
            summed = level in self._sums and level not in self._without_sums
            some = self._some(level) if summed else None
            if some is not None and len(owners) > SINGLY:
                yield from self._among_all(level, self._sums[level], some.rows, owners)
            else:
                yield from self._singly(level, owners)

    def _among_all(
        self, level: PriceLevel, asked: Sums, query: Query, owners: Collection[str]
    ) -> Iterator[tuple[PriceScope, pa.Table]]:
        """Out of the feed, in one look at it."""
        from erp_adapters.sql.bulk.readers import batches_of_many

        given = asked.of(owners)
        with (
            self._read_feed(query.name, level) as (reading, snapshot),
            closing(batches_of_many(reading.connection, query, given, snapshot)) as answer,
        ):
            yield from self._vectors(reading, query, level, asked.owner, answer)

    def _singly(
        self, level: PriceLevel, owners: Sequence[str]
    ) -> Iterator[tuple[PriceScope, pa.Table]]:
        """A statement for some owners together: this one need not sort them."""
        from erp_adapters.sql.bulk.readers import batches_with

        # Another statement, which the states were not told of.
        self._moments.end()
        (name, parameter), column = _SINGLY[level], FEEDS[level][1]
        query = self.queries[name]
        paced = Paced(owners, TOGETHER, records=ROWS_TOGETHER, first=FIRST)
        longest = self.database.settings.statement_timeout_s * SHARE_OF_TIMEOUT
        for some in paced:
            rows, began, took = 0, monotonic(), None
            given = {"skus": None, **({parameter: some} if parameter else {})}
            with (
                self._read(name) as reading,
                closing(batches_with(reading.connection, query, given)) as answer,
            ):
                for scope, vector in self._vectors(reading, query, level, column, answer, some):
                    # The answer is all there before the first of them comes.
                    took = monotonic() - began if took is None else took
                    rows += len(vector)
                    yield scope, vector
            took = monotonic() - began if took is None else took
            paced.held(max(rows, int(ROWS_TOGETHER * took / longest)))

    def _state(self, name: str, row: Row, now: datetime | None) -> PriceState:
        hashed, changed_at = row["fingerprint"], row["changed_at"]
        if hashed is None and changed_at is None:
            raise Misconfigured(
                self._wrong(name, "tells neither a fingerprint nor changed_at of some entries")
            )
        settled = True
        if changed_at is not None:
            if now is None:
                raise Misconfigured(
                    self._wrong(name, "tells changed_at: that needs the statement clock, too")
                )
            settled = self._over(changed_at) <= now - SETTLED_AFTER
        told = f"{row['entries']}|{hashed}|{changed_at.isoformat() if changed_at else ''}"
        return PriceState(self._fingerprint(told), row["entries"], settled)

    def _fingerprint(self, told: str) -> bytes:
        return hashlib.sha256(self._way + told.encode()).digest()[:16]

    def _over(self, changed_at: datetime) -> datetime:
        """Where only a day is kept, which looks like its first moment, that day's end."""
        local = changed_at.astimezone(ZoneInfo(self.profile.capabilities.time_zone))
        return changed_at + timedelta(days=1) if local.time() == time.min else changed_at

    def _wrong(self, name: str, why: str) -> str:
        return f"{self.queries[name].statement.place}: {name} {why}"

    def _erp_now(self, reading: Reading) -> datetime:
        row = self._one(reading, "clock")
        if row is None:
            raise Misconfigured("the statement clock answers no row")
        now: datetime = row["now"]
        return now


def _by_level(scopes: Collection[PriceScope]) -> Mapping[PriceLevel, Sequence[str]]:
    """Owners, in order."""
    owners: dict[PriceLevel, list[str]] = defaultdict(list)
    for scope in sorted(scopes):
        owners[scope.level].append(scope.owner)
    return owners
