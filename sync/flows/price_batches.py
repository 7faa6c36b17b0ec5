"""Prices that the ERP tells in whole vectors: what has not changed costs a look at it.

Scope by scope as the feeds tell them. What becomes of each of their partitions is found
out in ``vector_partitions``, who may see their items in ``vector_screening``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, TypeAlias

import structlog

from sync.domain.ids import Sku
from sync.domain.pricing import Audience, Price, PriceLevel, PriceScope
from sync.errors import Conflict, LeftAlone, SyncError, TryLater, may_be_the_questions
from sync.flows.apart import UNANSWERED
from sync.flows.context import Context, needs
from sync.flows.price_checking import Checking
from sync.flows.price_rows import read_by_row, told_soonest
from sync.flows.price_run import PriceRun, may_be_entitled, stands_apart
from sync.flows.price_skipping import Same, Skipping
from sync.flows.vector_partitions import VectorPartitions
from sync.flows.vector_screening import Told, VectorScreening
from sync.ports.erp import ReadsPrices, SupportsPriceBatches
from sync.ports.price_memory import Partition
from sync.ports.state import ResyncScope

if TYPE_CHECKING:
    from sync.columnar.vectors import Vector

SCOPES_PER_STEP = 50

SCOPES_BY_ROW = 2_000
"""So many scopes are asked for by themselves, at most, where the feed of a level breaks off.

What is shown of those behind them stays. Turned down: to end the run. It would keep from
the store what the feed had told before, and every price that somebody must not see any
more, for as long as nobody corrects the record at which it breaks off.
"""

log = structlog.get_logger()

Ask: TypeAlias = "Callable[[], Iterator[tuple[PriceScope, Vector]]]"
"""Asks the ERP, and may be called once more."""


def levels_in_batches(context: Context, scope: ResyncScope) -> frozenset[PriceLevel]:
    """The levels that a run reads in vectors; none for a part of the prices."""
    erp = context.erp
    if scope.narrow or not isinstance(erp, SupportsPriceBatches):
        return frozenset()
    return frozenset(erp.batched_levels)


class PriceBatches:
    """The part of a run that reads vectors. ``checking``: what is compared in any case."""

    def __init__(self, run: PriceRun, levels: Collection[PriceLevel], checking: Checking) -> None:
        self._run, self._levels, self._checking = run, levels, checking
        self._screening = VectorScreening(run)
        self._partitions = VectorPartitions(run, self._screening, checking)
        self._seen: dict[PriceScope, bytes] = {}
        kept = self._partitions.vectors.rows
        seen = (self._shields, self._keep, self._read)
        self._skipping = Skipping(run, levels, kept, *seen, checking)

    def plan(self) -> bool:
        """Plan all that the ERP tells; False where somebody stopped it."""
        try:
            return self._plan_all()
        finally:
            self._run.confirming.forget_doubted()

    def _plan_all(self) -> bool:
        run = self._run
        done, expected = 0, len({scope for _, scope in run.shown if scope.level in self._levels})
        # Closed with the run, whatever ends it: a moment of the ERP may be held in there.
        with closing(self._told()) as told:
            for scope, vector in told:
                self._screening.note_unreadable()
                self._take(scope, vector)
                done += 1
                if done % SCOPES_PER_STEP == 0 and run.compared(done, max(done, expected)):
                    return False
        self._screening.note_unreadable()
        return not run.compared(done, done)

    def plan_gone(self, partition: Partition) -> None:
        """A partition that the store shows, and of which nothing was told."""
        run, (audience, scope) = self._run, partition
        entitled = run.audiences(scope)
        own = audience in entitled or (bool(entitled) and stands_apart(audience, scope))
        if own and self._screening.unreadable.shields(run.entitled.owner(scope)):
            run.compare(partition, {}, whole=False)
            return
        unclear = may_be_entitled(audience, run.context.mapping, run.entitled, run.unclear)
        if run.sharing and not own and not unclear and self._partitions.plan_quitting(partition):
            return
        # The ERP tells nothing of it any more. What is shown is known without the store.
        if not own or unclear or not self._partitions.plan_removed(partition):
            run.plan_gone(partition)

    def let_go(self) -> None:
        """All is planned, and only written now: what was held for the planning alone goes."""
        self._partitions.let_go()
        self._seen.clear()

    def content(self, vector: bytes, rules: bytes) -> Vector | None:
        """A vector as it is published by these rules today; None where it is not known."""
        return self._partitions.content(vector, rules)

    def tell(self) -> None:
        """Say what the short cuts had missed."""
        self._skipping.tell()
        self._tell_of_unasked()
        missed = self._partitions.missed
        if not missed:
            return
        result = self._run.result
        result.count("changed_by_others", missed)
        prices = "1 price" if missed == 1 else f"{missed} prices"
        result.remarks.append(
            f"The full check found {prices} that somebody else changed in the store."
            if self._checking.everything
            else f"The store does not show {prices} any more that it had confirmed."
        )

    def _tell_of_unasked(self) -> None:
        result, unasked = self._run.result, len(self._run.unasked)
        if not unasked:
            return
        result.count("price_scopes_unasked", unasked)
        result.outcome = "try_later"
        result.message = (
            f"{unasked} price scopes behind a broken feed were not asked for and stay as they are."
        )

    # Reading.

    def _told(self) -> Generator[tuple[PriceScope, Vector | Same], None, None]:
        for level in sorted(self._levels):
            yield from self._skipping.told(level)

    def _read(self, level: PriceLevel, ask: Ask) -> Iterator[tuple[PriceScope, Vector]]:
        """All that is asked for of a level, what the answer breaks off before by itself."""
        broken: SyncError | None = None
        try:
            yield from self._feed(level, ask)
        except LeftAlone:
            raise
        except UNANSWERED as error:
            if not may_be_the_questions(error):
                raise
            broken = error
        if broken is not None:
            yield from self._rest_by_row(level, broken)

    def _feed(self, level: PriceLevel, ask: Ask) -> Iterator[tuple[PriceScope, Vector]]:
        """The whole answer; where it broke off for a moment, once more from its begin."""
        try:
            yield from ask()
            return
        except LeftAlone:
            raise
        except TryLater as error:
            if not may_be_the_questions(error):
                raise
            log.warning("prices.feed_broken", level=level.name.lower(), reason=str(error))
        for scope, vector in ask():
            if scope not in self._seen:
                yield scope, vector

    def _rest_by_row(
        self, level: PriceLevel, broken: SyncError
    ) -> Iterator[tuple[PriceScope, Vector]]:
        """What the feed did not come to, as far as it is not too much; the rest stays."""
        from sync.columnar.vectors import vector_of

        run = self._run
        erp = needs(run.context.erp, ReadsPrices, "the ERP")
        told = run.retrying(lambda: sorted(erp.price_scopes()))
        left = [each for each in told if each.level is level and each not in self._seen]
        left = [each for each in left if run.audiences(each)]
        left, unasked = left[:SCOPES_BY_ROW], left[SCOPES_BY_ROW:]
        self._tell_of_broken(level, broken, len(left), unasked)
        # What a feed has told, the ERP can read.
        told.sort(key=lambda each: (each not in self._seen, told_soonest(each)))
        for batch, entries in read_by_row(run, erp, left, told):
            for scope in batch:
                if scope in run.unread:
                    self._skipping.doubt([scope])
                    run.keep_scope(scope)
                elif entries.get(scope):
                    yield scope, vector_of(entries[scope])
        # Whatever their states hide is looked for once the feed tells these.
        self._skipping.doubt(each for each in unasked if self._checking.due(each))
        for scope in unasked:
            self._keep(scope)
        run.unasked += unasked

    def _tell_of_broken(
        self, level: PriceLevel, broken: SyncError, asked: int, unasked: Sequence[PriceScope]
    ) -> None:
        name, result = level.name.lower(), self._run.result
        log.error(
            "prices.feed_broken",
            level=name,
            scopes=asked,
            unasked=len(unasked),
            reason=str(broken),
        )
        result.count("feeds_broken")
        said = f"The feed of {name} prices breaks off ({broken})"
        if not unasked:
            result.remarks.append(f"{said}: {asked} scopes were asked for by themselves.")
            return
        result.remarks.append(
            f"{said}. Of the {asked + len(unasked)} scopes that it did not come to, {asked} were"
            f" asked for by themselves; the other {len(unasked)}, from the {unasked[0]} on, are"
            " too many for that: what is shown of them stays. Correct the record or the statement"
            " at which it breaks off: the next run looks at all of them then."
        )

    def _keep(self, scope: PriceScope) -> None:
        self._run.keep_scope(scope, self._partitions.plan_kept)

    def _shields(self, scope: PriceScope) -> bool:
        """Whether something of the scope could not be read."""
        self._screening.note_unreadable()
        unread = scope in self._run.unread
        return unread or self._screening.unreadable.shields(self._run.entitled.owner(scope))

    # One scope.

    def _take(self, scope: PriceScope, vector: Vector | Same) -> None:
        run = self._run
        known = vector.stated.vector if isinstance(vector, Same) else _fingerprint(vector)
        told = Told(known, vector)
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
            if not isinstance(vector, Same):
                self._skipping.read_in_part(scope, known)
            run.plan_scope(scope, _prices(told.whole, scope), whole=False)
            return
        for audience, part in self._parts(scope, ordinary, told).items():
            self._partitions.plan((audience, scope), part)
        self._plan_restricted(scope, ordinary, told)
        if not isinstance(vector, Same) and self._skipping.read(scope, known, vector):
            # Perhaps nobody is shown all of it.
            self._partitions.vectors.put_aside(told, None)

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
        run = self._run
        items = self._screening.restricted_in(told)
        entries = _prices_of_items(told.whole, items, scope) if items else []
        for_some = run.restricted.by_audience(scope, entries)
        for audience in run.others(scope, ordinary, for_some):
            run.plan_entries((audience, scope), for_some.get(audience, []))


# Arrow is there once a vector is: a night without changes has none.


def _fingerprint(vector: Vector) -> bytes:
    from sync.columnar.vectors import fingerprint

    return fingerprint(vector)


def _prices(vector: Vector, scope: PriceScope) -> list[Price]:
    from sync.columnar.vectors import prices_of

    return prices_of(vector, scope)


def _prices_of_items(vector: Vector, items: Collection[Sku], scope: PriceScope) -> list[Price]:
    from sync.planning.price_vectors import of_items

    return _prices(of_items(vector, items), scope)
