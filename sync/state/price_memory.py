"""What the store has confirmed of prices: a row for each partition, and the vectors once."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date
from typing import Any
from uuid import uuid4

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Table,
    and_,
    delete,
    insert,
    or_,
    select,
    tuple_,
)

from sync.domain.ids import ChannelId, CustomerId, LocationId, StoreId
from sync.domain.pricing import Audience, AudienceKind, PriceLevel, PriceScope
from sync.ports.price_memory import Confirmed, Forgotten, PackedVector, Partition, Stated
from sync.state.schema import price_partitions, price_states, price_vectors

_TOGETHER = 200
_MARKS = {kind: f"~{kind.value}" for kind in (AudienceKind.ACCOUNT, AudienceKind.LOCATION)}
_KINDS = {word: kind for kind, word in _MARKS.items()}

IS_MARK = price_partitions.c.audience.in_(sorted(_KINDS))
"""Instead of an audience: what ``forget_account`` leaves until ``tidy``."""

_BELOW = price_vectors.alias()
_USABLE = or_(
    price_vectors.c.base.is_(None),
    select(_BELOW.c.fingerprint)
    .where(
        _BELOW.c.pipeline == price_vectors.c.pipeline,
        _BELOW.c.fingerprint == price_vectors.c.base,
    )
    .exists(),
)
"""A vector that is a difference is worth nothing without what it differs from."""


def _is_lost(table: Table) -> ColumnElement[bool]:
    return ~(
        select(price_vectors.c.fingerprint)
        .where(
            price_vectors.c.pipeline == table.c.pipeline,
            price_vectors.c.fingerprint == table.c.vector,
            _USABLE,
        )
        .exists()
    )


IS_LOST = _is_lost(price_partitions)
"""A partition of which it is not kept what it is made of."""

_KEY = ("audience", "audience_key", "channel", "level", "owner")


class SqlPriceMemory:
    def __init__(self, connection: Connection, pipeline: str, store_id: StoreId) -> None:
        self._connection, self._pipeline, self._store_id = connection, pipeline, store_id

    def confirmed(self) -> Mapping[Partition, Confirmed]:
        """What another store had confirmed under this pipeline's name is not told.

        Nor is a partition of which the vector is not kept: it is compared with the store
        then, and kept anew.
        """
        query = select(price_partitions).where(
            self._own,
            price_partitions.c.store_id == self._store_id.value,
            ~IS_MARK,
            ~IS_LOST,
        )
        rows = self._connection.execute(query).mappings()
        same = _Same()
        return {_partition(row): _confirmed(row, same) for row in rows}

    def vectors(self, fingerprints: Collection[bytes]) -> Mapping[bytes, PackedVector]:
        found = self._vectors(fingerprints)
        bases = {each.base for each in found.values() if each.base is not None}
        return found | self._vectors(bases - found.keys())

    def keep(self, vectors: Sequence[PackedVector]) -> None:
        held: set[bytes] = set()
        for some in _chunks([each.fingerprint for each in vectors]):
            these = and_(
                price_vectors.c.pipeline == self._pipeline, price_vectors.c.fingerprint.in_(some)
            )
            self._connection.execute(delete(price_vectors).where(these, ~_USABLE))
            held.update(self._connection.scalars(select(price_vectors.c.fingerprint).where(these)))
        rows: list[dict[str, Any]] = []
        for each in vectors:
            if each.fingerprint not in held:
                held.add(each.fingerprint)
                told = {"fingerprint": each.fingerprint, "base": each.base}
                rows.append({"pipeline": self._pipeline, **told, "content": each.content})
        if rows:
            self._connection.execute(insert(price_vectors), rows)

    def confirm(self, partitions: Mapping[Partition, Confirmed]) -> None:
        if not partitions:
            return
        self.forget(partitions)
        rows = [
            {
                "pipeline": self._pipeline,
                **_key(partition),
                "store_id": self._store_id.value,
                "vector": each.vector,
                "rules": each.rules,
                "day": each.day,
                "shown": each.shown,
            }
            for partition, each in partitions.items()
        ]
        self._connection.execute(insert(price_partitions), rows)

    def forget(self, partitions: Collection[Partition]) -> None:
        """Whichever store had confirmed them."""
        columns = tuple_(*(price_partitions.c[name] for name in _KEY))
        kind, key = price_partitions.c.audience, price_partitions.c.audience_key
        for audience in AudienceKind:
            keys = [_key(each) for each in partitions if each[0].kind is audience]
            for some in _chunks(keys):
                # By whole keys alone, SQLite would look at all that is there.
                near = and_(
                    kind == audience.value, key.in_({each["audience_key"] for each in some})
                )
                these = columns.in_([tuple(each.values()) for each in some])
                self._connection.execute(delete(price_partitions).where(self._own, near, these))

    def forget_account(
        self, customer_id: CustomerId, sites: Collection[LocationId] | None = None
    ) -> None:
        key = price_partitions.c.audience_key
        account = and_(
            price_partitions.c.audience == AudienceKind.ACCOUNT.value, key == customer_id.value
        )
        of_sites = price_partitions.c.audience == AudienceKind.LOCATION.value
        if sites is not None:
            of_sites = and_(of_sites, key.in_([each.value for each in sites]))
        self._connection.execute(delete(price_partitions).where(self._own, or_(account, of_sites)))
        keys = [""] if sites is None else sorted({each.value for each in sites})
        marks = [(AudienceKind.LOCATION, key) for key in keys]
        self._mark([(AudienceKind.ACCOUNT, customer_id.value), *marks])

        self._forget_own(customer_id, sites)

    def _forget_own(self, customer_id: CustomerId, sites: Collection[LocationId] | None) -> None:
        level, owner = price_states.c.level, price_states.c.owner
        account = and_(level == int(PriceLevel.ACCOUNT), owner == customer_id.value)
        of_sites = level == int(PriceLevel.LOCATION)
        if sites is not None:
            of_sites = and_(of_sites, owner.in_([each.value for each in sites]))
        self._connection.execute(
            delete(price_states).where(self._own_states, or_(account, of_sites))
        )

    def forgotten(self) -> Mapping[Forgotten, bytes]:
        query = select(price_partitions).where(self._own, IS_MARK)
        rows = self._connection.execute(query).mappings()
        return {(_KINDS[row["audience"]], row["audience_key"]): row["vector"] for row in rows}

    def _mark(self, forgotten: Sequence[Forgotten]) -> None:
        columns = price_partitions.c.audience, price_partitions.c.audience_key
        for some in _chunks([(_MARKS[kind], key) for kind, key in forgotten]):
            before = tuple_(*columns).in_(some)
            self._connection.execute(delete(price_partitions).where(self._own, before))
        rows = [
            {
                "pipeline": self._pipeline,
                "audience": _MARKS[kind],
                "audience_key": key,
                "channel": "",
                "level": 0,
                "owner": "",
                "store_id": self._store_id.value,
                "vector": uuid4().bytes,
                "rules": bytes(16),
                "day": date.min,
                "shown": 0,
            }
            for kind, key in forgotten
        ]
        self._connection.execute(insert(price_partitions), rows)

    def stated(self) -> Mapping[PriceScope, Stated]:
        query = select(price_states).where(self._own_states, ~_is_lost(price_states))
        same = _Same()
        return {
            PriceScope(PriceLevel(row["level"]), row["owner"]): Stated(
                row["state"], row["vector"], same.of(row["since"]), same.of(row["ends"])
            )
            for row in self._connection.execute(query).mappings()
        }

    def remember(self, stated: Mapping[PriceScope, Stated]) -> None:
        self.forget_stated(stated)
        rows = [
            {
                "pipeline": self._pipeline,
                **_scope_key(scope),
                "state": each.state,
                "vector": each.vector,
                "since": each.since,
                "ends": each.ends,
            }
            for scope, each in stated.items()
        ]
        if rows:
            self._connection.execute(insert(price_states), rows)
        # Of these alone: they come in pieces, and all that are there already are many.
        for these in self._stated_of(stated):
            lost = and_(these, _is_lost(price_states))
            self._connection.execute(delete(price_states).where(lost))

    def forget_stated(self, scopes: Collection[PriceScope]) -> None:
        for these in self._stated_of(scopes):
            self._connection.execute(delete(price_states).where(these))

    def _stated_of(self, scopes: Collection[PriceScope]) -> Iterator[ColumnElement[bool]]:
        # Level by level: in pairs, SQLite would look at all that is there.
        for level in PriceLevel:
            owners = [each.owner for each in scopes if each.level is level]
            of_level = and_(self._own_states, price_states.c.level == int(level))
            for some in _chunks(owners):
                yield and_(of_level, price_states.c.owner.in_(some))

    def forget_all(self) -> None:
        self._connection.execute(delete(price_partitions).where(self._own))
        self._connection.execute(delete(price_states).where(self._own_states))

    def tidy(self) -> int:
        other_store = price_partitions.c.store_id != self._store_id.value
        unneeded_rows = or_(other_store, IS_MARK)
        self._connection.execute(delete(price_partitions).where(self._own, unneeded_rows))
        lost = and_(self._own_states, _is_lost(price_states))
        self._connection.execute(delete(price_states).where(lost))
        differing = price_vectors.alias()
        needed_by_one = select(differing.c.base).where(
            differing.c.pipeline == self._pipeline,
            differing.c.base.is_not(None),
            differing.c.fingerprint.in_(self._needed()),
        )
        unneeded = and_(
            price_vectors.c.pipeline == self._pipeline,
            price_vectors.c.fingerprint.not_in(self._needed()),
            price_vectors.c.fingerprint.not_in(needed_by_one),
        )
        gone = self._connection.execute(delete(price_vectors).where(unneeded)).rowcount
        if gone and self._connection.dialect.name == "sqlite":
            self._give_back()
        return gone

    def _give_back(self) -> None:
        """The pages of the file that became free, where the file was made for it."""
        cursor = self._connection.connection.cursor()
        (free,) = cursor.execute("PRAGMA freelist_count").fetchone()
        # The driver takes one step of it, which is one page.
        for _ in range(free):
            cursor.execute("PRAGMA incremental_vacuum")
        cursor.close()

    def _needed(self) -> Any:
        shown = select(price_partitions.c.vector).where(self._own)
        return shown.union_all(select(price_states.c.vector).where(self._own_states))

    @property
    def _own_states(self) -> ColumnElement[bool]:
        return price_states.c.pipeline == self._pipeline

    @property
    def _own(self) -> ColumnElement[bool]:
        return price_partitions.c.pipeline == self._pipeline

    def _vectors(self, fingerprints: Collection[bytes]) -> dict[bytes, PackedVector]:
        found: dict[bytes, PackedVector] = {}
        for some in _chunks(sorted(fingerprints)):
            query = select(price_vectors).where(
                price_vectors.c.pipeline == self._pipeline, price_vectors.c.fingerprint.in_(some)
            )
            for row in self._connection.execute(query).mappings():
                fingerprint = row["fingerprint"]
                found[fingerprint] = PackedVector(fingerprint, row["base"], row["content"])
        return found


def _key(partition: Partition) -> dict[str, Any]:
    audience, scope = partition
    return {
        "audience": audience.kind.value,
        "audience_key": audience.key,
        "channel": audience.channel.value if audience.channel else "",
        **_scope_key(scope),
    }


def _scope_key(scope: PriceScope) -> dict[str, Any]:
    return {"level": int(scope.level), "owner": scope.owner}


def _partition(row: RowMapping) -> Partition:
    channel = ChannelId(row["channel"]) if row["channel"] else None
    key, owner = row["audience_key"], row["owner"]
    # Most are an account's own, and tens of thousands: its key is there once.
    audience = Audience(AudienceKind(row["audience"]), owner if key == owner else key, channel)
    return audience, PriceScope(PriceLevel(row["level"]), owner)


def _confirmed(row: RowMapping, same: _Same) -> Confirmed:
    return Confirmed(row["vector"], same.of(row["rules"]), same.of(row["day"]), row["shown"])


class _Same:
    """One object for equal values: of tens of thousands of rows most have the same few."""

    def __init__(self) -> None:
        self._values: dict[Any, Any] = {}

    def of(self, value: Any) -> Any:
        return self._values.setdefault(value, value)


def _chunks(values: Sequence[Any]) -> list[Sequence[Any]]:
    return [values[at : at + _TOGETHER] for at in range(0, len(values), _TOGETHER)]
