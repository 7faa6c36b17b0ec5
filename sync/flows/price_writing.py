"""A plan of prices, written: what goes before what comes, each partition confirmed by itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sync.applying import apply_changes
from sync.domain.pricing import PriceValue
from sync.domain.views import PublishedPriceKey
from sync.errors import Refusal, SyncError
from sync.flows.mirroring import tell_of_writing
from sync.flows.price_run import PriceRun
from sync.planning.plan import Change
from sync.planning.price_spool import Kind, Part
from sync.ports.price_memory import Partition
from sync.ports.store import PriceRows, TakesPriceBatches

if TYPE_CHECKING:
    from sync.columnar.vectors import Vector
PriceChange = Change[PublishedPriceKey, PriceValue]

ROWS_PER_CALL = 50_000
"""Rows that a store takes at once which takes them column by column."""


def write_prices(run: PriceRun) -> None:
    """Write all that was put aside, and tell the result what became of it."""
    writing = _Writing(run)
    try:
        writing.go()
    except SyncError:
        # What is confirmed stays so; the next run goes on from there.
        run.confirming.end()
        raise
    run.confirming.end()


@dataclass(frozen=True, slots=True)
class _Slice:
    """Some rows of a part."""

    part: Part
    rows: Vector

    def halves(self) -> tuple[_Slice, _Slice]:
        middle = len(self.rows) // 2
        return (
            _Slice(self.part, self.rows.slice(0, middle)),
            _Slice(self.part, self.rows.slice(middle)),
        )


class _Writing:
    def __init__(self, run: PriceRun) -> None:
        self._run, self._store = run, run.store
        self._retrying = run.context.retrying()
        self._at_once = run.context.store.capabilities.prices_at_once
        self._done = 0
        self._refused: list[tuple[str, str]] = []
        self._stopped = False

    def go(self) -> None:
        run, spool = self._run, self._run.spool
        stale = [each for each in run.confirming.held if each not in run.planned]
        run.confirming.begin([] if run.scope.narrow else stale)
        self._singles(spool.urgent())
        self._parts(spool.withdrawals())
        self._singles(spool.rest())
        self._parts(spool.gains())
        tell_of_writing(run.result, self._refused, stopped=self._stopped)

    def _told(self) -> bool:
        total = self._run.spool.tally.writes
        return self._run.context.progress("prices: writing", self._done, total)

    # Single changes.

    def _singles(self, changes: Iterable[PriceChange]) -> None:
        if self._stopped:
            return

        def written(batch: Sequence[PriceChange]) -> None:
            self._run.confirming.before({_partition(each) for each in batch})
            self._retrying(self._apply, batch)
            self._done += len(batch)
            # At once, so that an error in a later batch loses no count.
            for change in batch:
                self._run.result.count(_kind(change).value)
                self._run.confirming.written(_partition(change))

        told = apply_changes(
            changes, written, batch=self._at_once, after_batch=lambda _: self._told()
        )
        self._refused.extend(told.refused)
        self._stopped = told.stopped

    def _apply(self, batch: Sequence[PriceChange]) -> None:
        self._store.apply_prices(
            [(each.key, each.after) for each in batch if each.after is not None],
            [each.key for each in batch if each.after is None],
        )

    # Rows.

    def _parts(self, parts: Iterable[Part]) -> None:
        size = self._at_once
        if isinstance(self._store, TakesPriceBatches):
            size = max(size, ROWS_PER_CALL)
        for call in self._calls(parts, size):
            if self._stopped:
                return
            self._run.confirming.before({each.part.partition for each in call})
            self._write(call)
            self._stopped = self._told()

    def _calls(self, parts: Iterable[Part], size: int) -> Iterator[list[_Slice]]:
        """As many rows in each as the store takes at once."""
        call: list[_Slice] = []
        room = size
        for part in parts:
            rows = self._run.spool.rows_of(part.kept)
            at = 0
            while at < len(rows):
                some = rows.slice(at, room)
                call.append(_Slice(part, some))
                at, room = at + len(some), room - len(some)
                if not room:
                    yield call
                    call, room = [], size
        if call:
            yield call

    def _write(self, call: list[_Slice]) -> None:
        try:
            self._retrying(self._put, call)
        except Refusal as refusal:
            if len(call) == 1 and len(call[0].rows) == 1:
                key = str(_changes(call[0])[0].key)
                self._refused.append((key, f"{refusal} {refusal.remedy}"))
                return
            # By halves, as single changes are.
            middle = len(call) // 2
            halves = (call[:middle], call[middle:]) if middle else ([x] for x in call[0].halves())
            for half in halves:
                self._write(list(half))
            return
        for each in call:
            self._done += len(each.rows)
            self._run.result.count(each.part.kind.value, len(each.rows))
            self._run.confirming.written(each.part.partition, len(each.rows))

    def _put(self, call: list[_Slice]) -> None:
        if not isinstance(self._store, TakesPriceBatches):
            self._apply([change for each in call for change in _changes(each)])
            return
        rows = [(each.part.kind, PriceRows(*each.part.partition, each.rows)) for each in call]
        self._store.apply_price_rows(
            [each for kind, each in rows if kind is not Kind.REMOVED],
            [each for kind, each in rows if kind is Kind.REMOVED],
        )


def _changes(some: _Slice) -> list[PriceChange]:
    from sync.columnar.vectors import prices_of

    audience, scope = some.part.partition
    gone = some.part.kind is Kind.REMOVED
    return [
        Change(
            PublishedPriceKey(audience, each.key),
            each.value if gone else None,
            None if gone else each.value,
        )
        for each in prices_of(some.rows, scope)
    ]


def _partition(change: PriceChange) -> Partition:
    return (change.key.audience, change.key.key.scope)


def _kind(change: PriceChange) -> Kind:
    if change.before is None:
        return Kind.ADDED
    return Kind.REMOVED if change.after is None else Kind.CHANGED
