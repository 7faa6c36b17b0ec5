"""A plan of prices put aside: single changes, and whole columns of them beside.

Columns go into a temporary file, each once, however many partitions are told them: a
list that changes is the same rows for all who are on it. In memory stays where they lie.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import islice
from typing import TYPE_CHECKING, Any

from sync.domain.money import plain
from sync.domain.pricing import Price, PriceKey, PriceValue
from sync.domain.views import PublishedPriceKey
from sync.planning.plan import Change
from sync.planning.spool import SAMPLES, Spool, told
from sync.ports.price_memory import Partition

if TYPE_CHECKING:
    import pyarrow as pa

    from sync.planning.price_vectors import Delta


PriceChange = Change[PublishedPriceKey, PriceValue]

TOLD_AT_ONCE = 1_000

MANY = 500
"""Of fewer rows nobody asks whether they are in the file already."""


PARTS_PER_CALL = 1_000
"""Partitions of which a call without lists tells at most, each kind of change by itself: each
takes memory beside its rows, and contracts of a few rows each are many."""


_HALF = 2**32 - 1


class Kind(Enum):
    """What becomes of rows; the words are those that a result counts."""

    REMOVED = "removed"
    CHANGED = "changed"
    ADDED = "added"


class Kept(int):
    """Where something lies in the file of a spool; ``rows`` of it, if it is rows.

    In one number, since a first load notes it of tens of thousands of contracts, twice each.
    """

    __slots__ = ()

    def __new__(cls, start: int, length: int, rows: int = 0) -> Kept:
        return super().__new__(cls, start << 64 | length << 32 | rows)

    @property
    def start(self) -> int:
        return int(self) >> 64

    @property
    def length(self) -> int:
        return int(self) >> 32 & _HALF

    @property
    def rows(self) -> int:
        return int(self) & _HALF


@dataclass(frozen=True, slots=True)
class KeptDelta:
    """The rows of a ``Delta``, put aside; ``moved`` of those that change move far."""

    removed: Kept | None
    before: Kept | None
    after: Kept | None
    added: Kept | None
    moved: int

    @property
    def writes(self) -> int:
        return sum(each.rows for each in (self.removed, self.after, self.added) if each)


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of one partition that share what becomes of them."""

    partition: Partition
    kind: Kind
    kept: Kept


class PriceSpool(Spool[PublishedPriceKey, PriceValue]):
    """Single changes and parts. With ``in_columns`` the digest is that of all rows, in
    whatever order and by whatever way the plan came to them."""

    def __init__(self, *, in_columns: bool) -> None:
        super().__init__(PublishedPriceKey, PriceValue)
        self._in_columns = in_columns
        # Side by side, and no pairs: there are tens of thousands.
        self._partitions: list[Partition] = []
        self._deltas: list[KeptDelta] = []
        self._tables: dict[bytes | None, Kept] = {}
        # Closed by __exit__: a spool is used in a with statement.
        self._content: Any = None
        self._size = 0
        self.outstanding: dict[Partition, int] = {}

    def add(self, change: Change[PublishedPriceKey, PriceValue]) -> None:
        super().add(change)
        partition = (change.key.audience, change.key.key.scope)
        self.outstanding[partition] = self.outstanding.get(partition, 0) + 1

    def add_delta(self, partition: Partition, delta: KeptDelta) -> None:
        """The partition is to be told these rows."""
        if not delta.writes:
            return
        self._partitions.append(partition)
        self._deltas.append(delta)
        self.outstanding[partition] = self.outstanding.get(partition, 0) + delta.writes
        for kind, kept in _of(delta):
            name = kind.value
            setattr(self.tally, name, getattr(self.tally, name) + kept.rows)
        self._tell(partition, delta)
        self.tally.prices_moved += delta.moved

    def keep_delta(self, delta: Delta, moved: int) -> KeptDelta:
        """Put the rows aside."""
        return KeptDelta(
            removed=self._keep_rows(delta.removed),
            before=self._keep_rows(delta.before),
            after=self._keep_rows(delta.after),
            added=self._keep_rows(delta.added),
            moved=moved,
        )

    @property
    def has_columns(self) -> bool:
        """Whether any partition is to be told something in columns."""
        return bool(self._deltas)

    def deltas(self) -> Iterator[tuple[Partition, KeptDelta]]:
        """What partitions are to be told in columns."""
        return zip(self._partitions, self._deltas, strict=True)

    def delta_of(self, kept: KeptDelta) -> Delta:
        """The rows again that ``keep_delta`` put aside."""
        from sync.planning.price_vectors import NOTHING, Delta

        sides = (kept.removed, kept.before, kept.after, kept.added)
        return Delta(*(NOTHING if each is None else self.rows_of(each) for each in sides))

    def keep_rows(self, rows: pa.Table) -> Kept | None:
        """Put rows aside, once where they are many; None for none."""
        return self._keep_rows(rows)

    def keep_bytes(self, content: bytes) -> Kept:
        """Put bytes aside; ``bytes_of`` gives them back."""
        if self._content is None:
            self._content = tempfile.TemporaryFile()  # noqa: SIM115
        self._content.seek(self._size)
        self._content.write(content)
        kept = Kept(self._size, len(content))
        self._size += len(content)
        return kept

    def bytes_of(self, kept: Kept) -> bytes:
        self._content.seek(kept.start)
        content: bytes = self._content.read(kept.length)
        return content

    def rows_of(self, kept: Kept) -> pa.Table:
        from sync.columnar.packing import unpack

        return unpack(self.bytes_of(kept))

    def withdrawals(self) -> Iterator[Part]:
        """What goes, which is written before anything that comes."""
        return self._parts(lambda kind: kind is Kind.REMOVED)

    def gains(self) -> Iterator[Part]:
        return self._parts(lambda kind: kind is not Kind.REMOVED)

    def every(self) -> Iterator[PriceChange]:
        """All changes with what was and what will be; in memory are the rows of one partition."""
        yield from self
        for partition, delta in self.deltas():
            yield from self._changes_of(partition, delta)

    @property
    def digest(self) -> str:
        """Hexadecimal SHA-256 over all changes.

        In columns it is made of the sum of what is said of each row, since the same plan may
        be found by comparing with what is remembered and by comparing with the store.
        """
        if not self._in_columns:
            return super().digest
        sums: dict[tuple[Any, ...], int] = {}
        for change in self:
            said = _said(change)
            for what, entry in said:
                place = (*_named((change.key.audience, change.key.key.scope)), what)
                sums[place] = sums.get(place, 0) + _digest(entry)
        of_kept: dict[Kept, int] = {}
        for partition, delta in self.deltas():
            for what, kept in _sides(delta):
                if kept not in of_kept:
                    of_kept[kept] = self._sum(partition, kept)
                place = (*_named(partition), what)
                sums[place] = sums.get(place, 0) + of_kept[kept]
        total = hashlib.sha256()
        for place in sorted(sums):
            total.update(f"{place}{sums[place] % 2**256:064x}".encode())
        return total.hexdigest()

    def __enter__(self) -> PriceSpool:
        return self

    def __exit__(self, *given: Any) -> None:
        super().__exit__(*given)
        if self._content is not None:
            self._content.close()

    def _keep_rows(self, rows: pa.Table) -> Kept | None:
        if not len(rows):
            return None
        from sync.columnar.packing import pack_quickly
        from sync.columnar.vectors import fingerprint

        found = fingerprint(rows) if len(rows) >= MANY else None
        if found in self._tables:
            return self._tables[found]
        at = self.keep_bytes(pack_quickly(rows))
        kept = Kept(at.start, at.length, len(rows))
        if found is not None:
            self._tables[found] = kept
        return kept

    def _parts(self, wanted: Any) -> Iterator[Part]:
        for partition, delta in self.deltas():
            for kind, kept in _of(delta):
                if wanted(kind):
                    yield Part(partition, kind, kept)

    def _tell(self, partition: Partition, delta: KeptDelta) -> None:
        missing = SAMPLES - len(self.samples)
        if missing > 0:
            some = islice(self._changes_of(partition, delta, missing), missing)
            self.samples.extend(map(told, some))

    def _changes_of(
        self, partition: Partition, delta: KeptDelta, at_once: int = TOLD_AT_ONCE
    ) -> Iterator[PriceChange]:
        """One by one; as objects there are ``at_once`` of them at a time."""
        audience, scope = partition

        def prices(kept: Kept | None) -> Iterator[Price]:
            from sync.columnar.vectors import prices_of

            if kept is None:
                return
            rows = self.rows_of(kept)
            for at in range(0, kept.rows, at_once):
                yield from prices_of(rows.slice(at, at_once), scope)

        for each in prices(delta.removed):
            yield Change(PublishedPriceKey(audience, each.key), each.value, None)
        for old, new in zip(prices(delta.before), prices(delta.after), strict=True):
            yield Change(PublishedPriceKey(audience, new.key), old.value, new.value)
        for each in prices(delta.added):
            yield Change(PublishedPriceKey(audience, each.key), None, each.value)

    def _sum(self, partition: Partition, kept: Kept) -> int:
        from sync.columnar.vectors import prices_of

        prices = prices_of(self.rows_of(kept), partition[1])
        return sum(_digest(each) for each in prices)


def _of(delta: KeptDelta) -> Iterator[tuple[Kind, Kept]]:
    told = ((Kind.REMOVED, delta.removed), (Kind.CHANGED, delta.after), (Kind.ADDED, delta.added))
    for kind, kept in told:
        if kept is not None:
            yield kind, kept


def _sides(delta: KeptDelta) -> Iterator[tuple[str, Kept]]:
    sides = (
        *(("before", delta.removed), ("before", delta.before)),
        *(("after", delta.after), ("after", delta.added)),
    )
    for what, kept in sides:
        if kept is not None:
            yield what, kept


def _said(change: Change[PublishedPriceKey, PriceValue]) -> Iterator[tuple[str, Price]]:
    if change.before is not None:
        yield "before", Price(change.key.key, change.before)
    if change.after is not None:
        yield "after", Price(change.key.key, change.after)


def _named(partition: Partition) -> tuple[str, ...]:
    audience, scope = partition
    return (*audience.order, scope.level.name, scope.owner)


def _digest(price: Price) -> int:
    """Of an entry, whatever scope it is of: how many zeros its numbers end with is no matter."""
    key: PriceKey = price.key
    value = price.value
    said = [
        *(key.price_list, key.sku.value, key.unit, key.currency, key.warehouse, key.priority),
        key.valid_from.isoformat() if key.valid_from else None,
        plain(key.min_quantity),
        plain(value.unit_price) if value.unit_price is not None else None,
        value.valid_until.isoformat() if value.valid_until else None,
    ]
    line = json.dumps(said, ensure_ascii=False).encode()
    return int.from_bytes(hashlib.sha256(line).digest(), "big")
