"""Whole price lists at once, from the statements ``price_feed_…`` of a profile."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from erp_adapters.sql.base import Reading, SqlErpBase
from erp_adapters.sql.database import Database
from erp_adapters.sql.moments import Moments
from erp_adapters.sql.profile_model import Profile
from erp_adapters.sql.queries import BadRow, Query
from sync.domain.pricing import PriceLevel, PriceScope
from sync.errors import Misconfigured

if TYPE_CHECKING:
    import pyarrow as pa

    from erp_adapters.sql.bulk.batches import Batch

FEEDS: Mapping[PriceLevel, tuple[str, str | None]] = {
    PriceLevel.ITEM: ("price_feed_item", None),
    PriceLevel.LOCATION: ("price_feed_location", "location_id"),
    PriceLevel.ACCOUNT: ("price_feed_account", "customer_id"),
    PriceLevel.GROUP: ("price_feed_group", "group_code"),
    PriceLevel.DEFAULT: ("price_feed_default", None),
}
"""Level -> its statement, and the column that says whose an entry is."""

TOO_MANY = 100_000
"""Unreadable rows of one feed from which on it is not worth going on."""


class ReadsPriceFeeds(SqlErpBase):
    def __init__(self, profile: Profile, database: Database) -> None:
        super().__init__(profile, database)
        self._moments = Moments()

    @property
    def batched_levels(self) -> Collection[PriceLevel]:
        return [level for level, (name, _) in FEEDS.items() if name in self.queries]

    def price_vectors(self, level: PriceLevel) -> Iterator[tuple[PriceScope, pa.Table]]:
        name, owner = FEEDS[level]
        if name not in self.queries:
            raise ValueError(f"{self.profile.name} has no statement {name}")
        return self._price_vectors(level, name, owner)

    def _price_vectors(
        self, level: PriceLevel, name: str, owner: str | None
    ) -> Iterator[tuple[PriceScope, pa.Table]]:
        # Who has no feeds need not wait for Arrow, nor have it in memory.
        from erp_adapters.sql.bulk.readers import batches

        query = self.queries[name]
        with (
            self._read_feed(name, level) as (reading, snapshot),
            closing(batches(reading.connection, query, self.database, snapshot)) as answer,
        ):
            yield from self._vectors(reading, query, level, owner, answer)

    @contextmanager
    def _read_feed(self, name: str, level: PriceLevel) -> Iterator[tuple[Reading, str | None]]:
        """A transaction to read the feed of a level, and what is to be seen if that is lent."""
        snapshot = self._moments.snapshot(level)
        try:
            with self._read(name) as reading:
                yield reading, snapshot
        except Exception:
            self._moments.end()
            raise

    def _vectors(
        self,
        reading: Reading,
        query: Query,
        level: PriceLevel,
        owner: str | None,
        answer: Iterable[Batch],
        only: Sequence[str] | None = None,
    ) -> Iterator[tuple[PriceScope, pa.Table]]:
        """What an answer tells, with what is bad of a scope told before it comes.

        ``only``: of these owners, of whom the answer tells in any order.
        """
        from erp_adapters.sql.bulk.feed import Feed

        told = 0

        def on_bad(bad: BadRow) -> None:
            reading.bad.append(bad)
            if told + len(reading.bad) >= TOO_MANY:
                raise Misconfigured(
                    f"{query.name} has {TOO_MANY:,} rows that cannot be read, and perhaps more",
                    (f"{bad.key}: {bad.told}",),
                )

        facts, cut_floats = self.profile.capabilities, self.database.cut_floats
        feed = Feed(query, facts, level, owner, on_bad, cut_floats, only)
        for whose, vector in feed.vectors(answer):
            self._tell(reading.bad)
            told += len(reading.bad)
            reading.bad.clear()
            yield PriceScope(level, whose), vector
        reading.read_rows += feed.read_rows
