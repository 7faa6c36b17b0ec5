"""Prices that the ERP tells in whole vectors: what has not changed costs a look at it.

Scope by scope as the feeds tell them. What becomes of each of their partitions is found
out in ``vector_partitions``, who may see their items in ``vector_screening``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from sync.domain.pricing import Audience, PriceLevel, PriceScope
from sync.domain.times import Watermark
from sync.errors import Conflict
from sync.flows.context import Context, needs
from sync.flows.price_run import PriceRun, may_be_entitled, stands_apart
from sync.flows.vector_partitions import VectorPartitions
from sync.flows.vector_screening import Told, VectorScreening
from sync.ports.erp import SupportsPriceBatches
from sync.ports.price_memory import Partition
from sync.ports.state import ResyncScope

if TYPE_CHECKING:
    from sync.columnar.vectors import Vector

FULL_CHECK = "prices:full"

SCOPES_PER_STEP = 50


def levels_in_batches(context: Context, scope: ResyncScope) -> frozenset[PriceLevel]:
    """The levels that a run reads in vectors; none for a part of the prices."""
    erp = context.erp
    if scope.narrow or not isinstance(erp, SupportsPriceBatches):
        return frozenset()
    return frozenset(erp.batched_levels)


def full_check_due(context: Context) -> bool:
    """Whether everything is to be compared with the store itself again."""
    with context.state.transaction() as state:
        last = state.watermarks.get(FULL_CHECK)
    every = timedelta(seconds=context.limits.full_price_check_s)
    return last is None or context.clock.now() - last.at >= every


def note_full_check(context: Context, began: Watermark) -> None:
    with context.state.transaction() as state:
        state.watermarks.set(FULL_CHECK, began)


class PriceBatches:
    """The part of a run that reads vectors. ``full``: the store is compared in any case."""

    def __init__(self, run: PriceRun, levels: Collection[PriceLevel], *, full: bool) -> None:
        self._run, self._levels, self._full = run, levels, full
        self._screening = VectorScreening(run)
        self._partitions = VectorPartitions(run, self._screening, full=full)
        self._seen: dict[PriceScope, bytes] = {}

    def plan(self) -> bool:
        """Plan all that the ERP tells; False where somebody stopped it."""
        try:
            return self._plan_all()
        finally:
            self._run.confirming.forget_doubted()

    def _plan_all(self) -> bool:
        run = self._run
        done, expected = 0, len({scope for _, scope in run.shown if scope.level in self._levels})
        for scope, vector in self._read():
            self._screening.note_unreadable()
            self._take(scope, vector)
            done += 1
            stop = done % SCOPES_PER_STEP == 0 and run.context.progress(
                "prices: comparing", done, max(done, expected)
            )
            if stop:
                return False
        self._screening.note_unreadable()
        return not run.context.progress("prices: comparing", done, done)

    def plan_gone(self, partition: Partition) -> None:
        """A partition that the store shows, and of which nothing was told."""
        run, (audience, scope) = self._run, partition
        entitled = run.audiences(scope)
        own = audience in entitled or (bool(entitled) and stands_apart(audience, scope))
        if own and self._screening.unreadable.shields(run.entitled.owner(scope)):
            run.compare(partition, {}, whole=False)
            return
        unclear = may_be_entitled(audience, run.context.mapping, run.entitled, run.unclear)
        # The ERP tells nothing of it any more. What is shown is known without the store.
        if not own or unclear or not self._partitions.plan_removed(partition):
            run.plan_gone(partition)

    def tell(self) -> None:
        """Say what the short cut had missed."""
        missed = self._partitions.missed
        if not missed:
            return
        result = self._run.result
        result.count("changed_by_others", missed)
        prices = "1 price" if missed == 1 else f"{missed} prices"
        result.remarks.append(
            f"The full check found {prices} that somebody else changed in the store."
            if self._full
            else f"The store does not show {prices} any more that it had confirmed."
        )

    def _read(self) -> Iterator[tuple[PriceScope, Vector]]:
        erp = needs(self._run.context.erp, SupportsPriceBatches, "the ERP")
        for level in sorted(self._levels):
            yield from self._run.retrying(erp.price_vectors, level)

    # One scope.

    def _take(self, scope: PriceScope, vector: Vector) -> None:
        from sync.columnar.vectors import fingerprint, prices_of

        run = self._run
        told = Told(fingerprint(vector), vector)
        if self._came_before(scope, told):
            return
        run.tell_of_shared(scope)
        ordinary = run.audiences(scope)
        if not ordinary:
            return
        shielded = self._screening.unreadable.shields(run.entitled.owner(scope))
        if shielded or not self._screening.lists:
            self._screening.screen(told)
        if shielded:
            run.plan_scope(scope, prices_of(vector, scope), whole=False)
            return
        for audience, part in self._parts(scope, ordinary, told).items():
            self._partitions.plan((audience, scope), part)
        self._plan_restricted(scope, ordinary, told)

    def _came_before(self, scope: PriceScope, told: Told) -> bool:
        """Raises Conflict where it came otherwise: it is being changed at this moment."""
        if scope not in self._seen:
            self._seen[scope] = told.fingerprint
            return False
        if self._seen[scope] != told.fingerprint:
            raise Conflict(f"the ERP tells the {scope} twice, and not alike")
        return True

    def _parts(
        self, scope: PriceScope, ordinary: Collection[Audience], told: Told
    ) -> dict[Audience, Told]:
        """What is for each audience, once all that would be news to one of them is screened."""
        items = self._run.restricted.items
        while True:
            known = len(items)
            parts = {each: self._screening.for_audience(each, scope, told) for each in ordinary}
            for audience, part in parts.items():
                self._partitions.screen_news((audience, scope), part)
            if len(items) == known:
                return parts

    def _plan_restricted(
        self, scope: PriceScope, ordinary: Collection[Audience], told: Told
    ) -> None:
        """Restricted items of a list that many share, to those alone for whom they are."""
        from sync.columnar.vectors import prices_of
        from sync.planning.price_vectors import of_items

        run = self._run
        items = self._screening.restricted_in(told)
        entries = prices_of(of_items(told.whole, items), scope) if items else []
        for_some = run.restricted.by_audience(scope, entries)
        for audience in run.others(scope, ordinary, for_some):
            run.plan_entries((audience, scope), for_some.get(audience, []))
