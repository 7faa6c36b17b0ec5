"""What has changed of prices, told by the ERP's own server: the statements ``price_state_…``.

Each answers one row for each owner, so that no price crosses the wire while nothing has
changed. What it is made of is the profile's: a hash of all entries sees everything; the
time of the last change and the number of entries is quicker, where the ERP keeps such a
time in every way that a price can be changed.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from erp_adapters.sql.base import Reading
from erp_adapters.sql.price_feeds import FEEDS, ReadsPriceFeeds
from erp_adapters.sql.queries import Row
from sync import __version__
from sync.domain.pricing import PriceLevel, PriceScope
from sync.errors import Misconfigured
from sync.ports.erp import PriceState

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

SETTLED_AFTER = timedelta(minutes=10)
"""From then on nothing comes that was stamped before: a transaction of the ERP is stamped
when it begins, or somewhere on its way, and is seen when it ends."""


class ReadsPriceStates(ReadsPriceFeeds):
    @property
    def stated_levels(self) -> Collection[PriceLevel]:
        return [level for level in self.batched_levels if STATES[level] in self.queries]

    def price_states(self, level: PriceLevel) -> Mapping[PriceScope, PriceState]:
        name, owner = STATES[level], FEEDS[level][1]
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
        owners: dict[PriceLevel, list[str]] = defaultdict(list)
        for scope in sorted(scopes):
            owners[scope.level].append(scope.owner)
        for level, some in owners.items():
            yield from self._singly(level, some)

    def _singly(
        self, level: PriceLevel, owners: Collection[str]
    ) -> Iterator[tuple[PriceScope, pa.Table]]:
        """One statement for each owner: this one need not sort them."""
        from erp_adapters.sql.bulk.readers import batches_with

        (name, parameter), column = _SINGLY[level], FEEDS[level][1]
        query = self.queries[name]
        for owner in owners:
            given = {"skus": None, **({parameter: [owner]} if parameter else {})}
            with (
                self._read(name) as reading,
                closing(batches_with(reading.connection, query, given)) as answer,
            ):
                yield from self._vectors(reading, query, level, column, answer, owner)

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
        made = hashlib.sha256(self._way + told.encode())
        return PriceState(made.digest()[:16], row["entries"], settled)

    def _over(self, changed_at: datetime) -> datetime:
        """Where only a day is kept, which looks like its first moment, that day's end."""
        local = changed_at.astimezone(ZoneInfo(self.profile.capabilities.time_zone))
        return changed_at + timedelta(days=1) if local.time() == time.min else changed_at

    @property
    def _way(self) -> bytes:
        """How entries are read: told otherwise, none is what it was."""
        settings = self.database.settings
        url = settings.url
        where = (url.drivername, url.host, url.port, url.database, settings.schema)
        parts = (__version__, *where)
        return hashlib.sha256("|".join(map(str, parts)).encode() + self.profile.digest).digest()

    def _wrong(self, name: str, why: str) -> str:
        return f"{self.queries[name].statement.place}: {name} {why}"

    def _erp_now(self, reading: Reading) -> datetime:
        row = self._one(reading, "clock")
        if row is None:
            raise Misconfigured("the statement clock answers no row")
        now: datetime = row["now"]
        return now
