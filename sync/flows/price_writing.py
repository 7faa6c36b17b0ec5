"""A plan of prices, written: what goes before what comes, each partition confirmed by itself.

A store that takes several calls at once is given so many at a time. Each makes its
entries in its own thread, so that no request waits for the entries of the next one; what
is known of both sides, the plan's file and the state, belongs to the flow's thread alone.
Everything that goes has been confirmed before the first that comes is sent. As many
calls as are under way are as many as are held in memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Protocol

import structlog

from sync.domain.pricing import PriceValue
from sync.domain.views import PublishedPriceKey
from sync.errors import Refusal, SyncError
from sync.flows.mirroring import tell_of_writing
from sync.flows.price_run import PriceRun
from sync.kit.pool import together
from sync.planning.plan import Change
from sync.planning.price_spool import PARTS_PER_CALL, Kind, Part
from sync.ports.price_memory import Partition
from sync.ports.store import PriceRows, Store, TakesPriceBatches

if TYPE_CHECKING:
    from sync.columnar.vectors import Vector
    from sync.flows.price_lists import ListSharing, ListWriting

PriceChange = Change[PublishedPriceKey, PriceValue]

ROWS_PER_CALL = 50_000
"""Rows that a store takes at once which takes them column by column."""

log = structlog.get_logger()


def write_prices(run: PriceRun, sharing: ListSharing | None = None) -> None:
    """Write all that was put aside, and tell the result what became of it.

    With ``sharing`` by lists that accounts share, where that is cheaper.
    """
    writing = _Writing(run, sharing)
    try:
        writing.go()
    except SyncError:
        # What is confirmed stays so; the next run goes on from there.
        run.confirming.end()
        raise
    run.confirming.end()


def rows_per_call(store: Store) -> int:
    """As many rows as the store takes at once, of those that come in columns."""
    size = store.capabilities.prices_at_once
    return max(size, ROWS_PER_CALL) if isinstance(store, TakesPriceBatches) else size


@dataclass(slots=True)
class _Entries:
    """Prices as a store takes them one by one."""

    put: list[tuple[PublishedPriceKey, PriceValue]] = field(default_factory=list)
    remove: list[PublishedPriceKey] = field(default_factory=list)

    def first(self) -> PublishedPriceKey:
        return self.put[0][0] if self.put else self.remove[0]


class _Call(Protocol):
    """What the store is told at once."""

    def __len__(self) -> int: ...

    def counted(self) -> Counter[tuple[Partition, Kind]]:
        """How many prices of which partition, and what becomes of them."""
        ...

    def halves(self) -> tuple[_Call, _Call]: ...

    def entries(self) -> _Entries: ...


@dataclass(frozen=True, slots=True)
class _Singles:
    """Single changes."""

    changes: Sequence[PriceChange]

    def __len__(self) -> int:
        return len(self.changes)

    def counted(self) -> Counter[tuple[Partition, Kind]]:
        return Counter((_partition(each), _kind(each)) for each in self.changes)

    def halves(self) -> tuple[_Singles, _Singles]:
        middle = len(self.changes) // 2
        return _Singles(self.changes[:middle]), _Singles(self.changes[middle:])

    def entries(self) -> _Entries:
        return _Entries(
            [(each.key, each.after) for each in self.changes if each.after is not None],
            [each.key for each in self.changes if each.after is None],
        )


@dataclass(frozen=True, slots=True)
class _Slice:
    """Some rows of a part."""

    part: Part
    rows: Vector


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows of several parts."""

    slices: Sequence[_Slice]

    def __len__(self) -> int:
        return sum(len(each.rows) for each in self.slices)

    def counted(self) -> Counter[tuple[Partition, Kind]]:
        found = Counter[tuple[Partition, Kind]]()
        for each in self.slices:
            found[each.part.partition, each.part.kind] += len(each.rows)
        return found

    def halves(self) -> tuple[_Rows, _Rows]:
        middle = len(self.slices) // 2
        if middle:
            return _Rows(self.slices[:middle]), _Rows(self.slices[middle:])
        [only] = self.slices
        middle = len(only.rows) // 2
        return (
            _Rows([_Slice(only.part, only.rows.slice(0, middle))]),
            _Rows([_Slice(only.part, only.rows.slice(middle))]),
        )

    def entries(self) -> _Entries:
        from sync.columnar.vectors import prices_of

        found = _Entries()
        for each in self.slices:
            audience, scope = each.part.partition
            prices = prices_of(each.rows, scope)
            if each.part.kind is Kind.REMOVED:
                found.remove += [PublishedPriceKey(audience, price.key) for price in prices]
            else:
                found.put += [
                    (PublishedPriceKey(audience, price.key), price.value) for price in prices
                ]
        return found

    def price_rows(self, *, removed: bool) -> list[PriceRows]:
        return [
            PriceRows(*each.part.partition, each.rows)
            for each in self.slices
            if (each.part.kind is Kind.REMOVED) is removed
        ]


@dataclass(slots=True)
class _Outcome:
    """What became of a call: of all of it, or of its parts where the store refused some."""

    written: list[_Call] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)
    failure: Exception | None = None


class _Writing:
    def __init__(self, run: PriceRun, sharing: ListSharing | None) -> None:
        self._run, self._store, self._sharing = run, run.store, sharing
        # Asked once: that a store keeps a protocol takes long to find out.
        self._in_columns = run.store if isinstance(run.store, TakesPriceBatches) else None
        self._retrying = run.context.retrying()
        self._capabilities = run.context.store.capabilities
        self._done = 0
        self._refused: list[tuple[str, str]] = []
        self._stopped = False

    def go(self) -> None:
        run, spool = self._run, self._run.spool
        stale = [each for each in run.confirming.held if each not in run.planned]
        run.confirming.begin([] if run.scope.narrow else stale)
        lists = self._by_lists()
        if lists is not None:
            lists.withdraw()
        self._send(spool.urgent(), spool.withdrawals(), lists)
        if lists is not None and not lists.refused:
            lists.gain()
            if lists.refused:
                # Of whoever was to be told by a list, nothing may have gone yet.
                self._send((), spool.withdrawals(), lists)
        self._send(spool.rest(), spool.gains(), lists)
        tell_of_writing(run.result, self._refused, stopped=self._stopped)

    def _by_lists(self) -> ListWriting | None:
        """What is told by lists that accounts share; None where nothing is."""
        if self._sharing is None:
            return None
        from sync.flows.price_lists import ListWriting, tell_sharing

        plan = self._sharing.plan(rows_per_call(self._run.context.store))
        if plan is None:
            return None
        tell_sharing(self._run.result, plan)
        return ListWriting(self._run, self._sharing, plan) if plan or plan.drops else None

    def _send(
        self, changes: Iterable[PriceChange], parts: Iterable[Part], lists: ListWriting | None
    ) -> None:
        """These changes, and the parts of whoever is not told by lists."""
        if lists is not None:
            self._stopped = self._stopped or lists.stopped
            taken = lists.taken
            parts = (each for each in parts if each.partition not in taken)
        calls = chain(self._singles(changes), self._rows(parts))
        threads = self._capabilities.price_calls
        together(self._begun(calls), self._tried, threads=threads, done=self._told_of)

    # In the flow's own thread.

    def _begun(self, calls: Iterable[_Call]) -> Iterator[_Call]:
        """One call after the other, until somebody stops it."""
        if self._stopped:
            return
        for call in calls:
            self._run.confirming.before(_partitions(call))
            yield call
            if self._stopped:
                return

    def _told_of(self, call: _Call, outcome: _Outcome) -> None:
        """At once, so that what fails later loses no count. Raises what the call did."""
        for each in outcome.written:
            for (partition, kind), rows in each.counted().items():
                self._done += rows
                self._run.result.count(kind.value, rows)
                self._run.confirming.written(partition, rows)
        self._refused += outcome.refused
        if outcome.failure is not None:
            raise outcome.failure
        total = self._run.spool.tally.writes
        told = self._run.context.progress("prices: writing", self._done, total)
        self._stopped = self._stopped or told

    def _singles(self, changes: Iterable[PriceChange]) -> Iterator[_Call]:
        held: list[PriceChange] = []
        for change in changes:
            held.append(change)
            if len(held) >= self._capabilities.prices_at_once:
                yield _Singles(held)
                held = []
        if held:
            yield _Singles(held)

    def _rows(self, parts: Iterable[Part]) -> Iterator[_Call]:
        """As many rows in each as the store takes at once."""
        size = rows_per_call(self._run.context.store)
        call: list[_Slice] = []
        room = size
        for part in parts:
            rows = self._run.spool.rows_of(part.kept)
            at = 0
            while at < len(rows):
                some = rows.slice(at, room)
                call.append(_Slice(part, some))
                at, room = at + len(some), room - len(some)
                if not room or len(call) >= PARTS_PER_CALL:
                    yield _Rows(call)
                    call, room = [], size
        if call:
            yield _Rows(call)

    # In the thread of the call.

    def _tried(self, call: _Call) -> _Outcome:
        outcome = _Outcome()
        try:
            self._write(call, outcome)
        except Exception as error:  # noqa: BLE001 - it is raised where it is told of
            # Handed over with what went before it: of a call by halves a part is written.
            outcome.failure = error
        return outcome

    def _write(self, call: _Call, outcome: _Outcome) -> None:
        try:
            self._retrying(self._put, call)
        except Refusal as refusal:
            if len(call) == 1:
                key = str(call.entries().first())
                log.warning("change.refused", key=key, code=refusal.code)
                outcome.refused.append((key, f"{refusal} {refusal.remedy}"))
                return
            # By halves, in their order: to find one of two thousand takes some twenty calls.
            for half in call.halves():
                self._write(half, outcome)
            return
        outcome.written.append(call)

    def _put(self, call: _Call) -> None:
        if self._in_columns is not None and isinstance(call, _Rows):
            rows = call.price_rows(removed=False), call.price_rows(removed=True)
            self._in_columns.apply_price_rows(*rows)
            return
        entries = call.entries()
        self._store.apply_prices(entries.put, entries.remove)


def _partitions(call: _Call) -> Collection[Partition]:
    return {partition for partition, _ in call.counted()}


def _partition(change: PriceChange) -> Partition:
    return (change.key.audience, change.key.key.scope)


def _kind(change: PriceChange) -> Kind:
    if change.before is None:
        return Kind.ADDED
    return Kind.REMOVED if change.after is None else Kind.CHANGED
