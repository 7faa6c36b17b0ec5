"""Prices that the ERP tells in whole vectors: what has not changed costs a look at it.

The store has confirmed what it shows of each partition, and which vector that was made
of. Where the ERP tells the same vector, and the same is made of it, nothing is read of the
store. Where it tells another one, both are compared, each two of them once. Where nothing
is known, where the rules have changed, and now and then for all of it, the store itself is
compared row by row (``price_run``).

Restricted items (VE-5, VE-7). What the ERP lists as restricted and what the store keeps
for some is known before anything is planned, so an item that becomes restricted is taken
away in the same run although no price changed. The ERP is asked of single items only
where something would be published that was not before; where it cannot list what is
restricted, of all. Rows of such items are left out of a vector before it is looked at.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING

from sync.domain.ids import Sku
from sync.domain.pricing import Audience, PriceKey, PriceLevel, PriceScope, PriceValue
from sync.domain.times import Watermark
from sync.errors import Conflict
from sync.flows.context import Context
from sync.flows.mirroring import Unreadable, take_unreadable
from sync.flows.price_run import PriceRun, may_be_entitled, stands_apart
from sync.flows.price_skipping import Same, Skipping
from sync.planning.price_spool import KeptDelta
from sync.planning.prices import wanted_prices
from sync.ports.erp import ListsRestrictedItems, ReadsItems, SupportsPriceBatches
from sync.ports.price_memory import Confirmed, Partition
from sync.ports.state import ResyncScope

if TYPE_CHECKING:
    from sync.columnar.differences import Difference
    from sync.columnar.vectors import Vector
    from sync.planning.price_vectors import Rules

FULL_CHECK = "prices:full"

# Vectors that are at hand, by their rows: some ten lists of a large catalogue.
ROWS_AT_HAND = 250_000

SCOPES_PER_STEP = 50

LIKE = 0.3
"""Share of its rows that another vector must seem to have to be worth a closer look."""


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


@dataclass(slots=True)
class _Told:
    """A vector as it may be published to some: without the items that they may not see."""

    fingerprint: bytes
    told: Vector | Same
    barred: frozenset[Sku] = frozenset()
    _rows: Vector | None = field(default=None, repr=False)

    @property
    def whole(self) -> Vector:
        return self.told.rows() if isinstance(self.told, Same) else self.told

    @property
    def rows(self) -> Vector:
        if not self.barred:
            return self.whole
        if self._rows is None:
            from sync.planning.price_vectors import without_items

            self._rows = without_items(self.whole, self.barred)
        return self._rows


@dataclass(frozen=True, slots=True)
class _Rules:
    """The rules of an audience with their fingerprint."""

    rules: Rules
    fingerprint: bytes


class PriceBatches:
    """The part of a run that reads vectors. ``full``: the store is compared in any case.

    ``missed`` counts entries that the store did not show as it had confirmed them.
    """

    def __init__(self, run: PriceRun, levels: Collection[PriceLevel], *, full: bool) -> None:
        self._run, self._levels, self._full = run, levels, full
        self._today = run.context.today()
        self._held = dict(run.confirming.held)
        self._vectors = _Vectors(run, self._held)
        self._deltas: dict[tuple[object, ...], KeptDelta] = {}
        self._rules: dict[Audience, _Rules] = {}
        self._restricted: dict[bytes, tuple[int, tuple[Sku, ...]]] = {}
        self._kept_from: dict[tuple[bytes, frozenset[Sku]], bytes] = {}
        self._screened: set[bytes] = set()
        self._asked: set[str] = set()
        self._calls: dict[tuple[bytes, bytes], list[Sku]] = {}
        self._ended: dict[tuple[bytes, date], bool] = {}
        self._seen: dict[PriceScope, bytes] = {}
        self._unreadable = Unreadable(frozenset(), everybody=False)
        self._skipping = Skipping(run, levels, self._vectors.rows, self._shields, full=full)
        erp = run.context.erp
        self._asks = isinstance(erp, ReadsItems)
        self._lists = isinstance(erp, ListsRestrictedItems)
        self.missed = 0

    def plan(self) -> bool:
        """Plan all that the ERP tells; False where somebody stopped it."""
        try:
            return self._plan_all()
        finally:
            self._run.confirming.forget_doubted()

    def _plan_all(self) -> bool:
        run = self._run
        done, expected = 0, len({scope for _, scope in run.shown if scope.level in self._levels})
        for scope, vector in self._told():
            self._note_unreadable()
            self._take(scope, vector)
            done += 1
            stop = done % SCOPES_PER_STEP == 0 and run.context.progress(
                "prices: comparing", done, max(done, expected)
            )
            if stop:
                return False
        self._note_unreadable()
        return not run.context.progress("prices: comparing", done, done)

    def plan_gone(self, partition: Partition) -> None:
        """A partition that the store shows, and of which nothing was told."""
        run, (audience, scope) = self._run, partition
        entitled = run.audiences(scope)
        own = audience in entitled or (bool(entitled) and stands_apart(audience, scope))
        if own and self._unreadable.shields(run.entitled.owner(scope)):
            run.compare(partition, {}, whole=False)
            return
        held, rules = self._trusted(partition), self._rules_of(audience) if own else None
        unclear = may_be_entitled(audience, run.context.mapping, run.entitled, run.unclear)
        if not own or unclear or held is None or rules is None:
            run.plan_gone(partition)
            return
        # The ERP tells nothing of it any more. What is shown is known without the store.
        delta = self._delta(held, None, rules) if held.rules == rules.fingerprint else None
        if delta is None:
            run.plan_gone(partition)
            return
        run.planned.add(partition)
        run.spool.tally.shown += held.shown
        run.spool.add_delta(partition, delta)

    def tell(self) -> None:
        """Say what the short cuts had missed."""
        self._skipping.tell()
        if not self.missed:
            return
        result = self._run.result
        result.count("changed_by_others", self.missed)
        prices = "1 price" if self.missed == 1 else f"{self.missed} prices"
        result.remarks.append(
            f"The full check found {prices} that somebody else changed in the store."
            if self._full
            else f"The store does not show {prices} any more that it had confirmed."
        )

    def _told(self) -> Iterator[tuple[PriceScope, Vector | Same]]:
        for level in sorted(self._levels):
            yield from self._skipping.told(level)

    def _note_unreadable(self) -> None:
        new = take_unreadable(self._run.context, self._run.result)
        if new:
            held = self._unreadable
            self._unreadable = Unreadable(
                held.owners | new.owners,
                everybody=held.everybody or new.everybody,
                keys=held.keys | new.keys,
            )

    def _shields(self, scope: PriceScope) -> bool:
        self._note_unreadable()
        return self._unreadable.shields(self._run.entitled.owner(scope))

    # One scope.

    def _take(self, scope: PriceScope, vector: Vector | Same) -> None:
        from sync.columnar.vectors import fingerprint, prices_of

        run = self._run
        known = vector.stated.vector if isinstance(vector, Same) else fingerprint(vector)
        told = _Told(known, vector)
        if self._came_before(scope, told):
            return
        run.tell_of_shared(scope)
        ordinary = run.audiences(scope)
        if not ordinary:
            return
        shielded = self._unreadable.shields(run.entitled.owner(scope))
        if shielded or not self._lists:
            self._screen(told)
        if shielded:
            run.plan_scope(scope, prices_of(told.whole, scope), whole=False)
            return
        for audience, part in self._parts(scope, ordinary, told).items():
            self._plan((audience, scope), part)
        self._plan_restricted(scope, ordinary, told)
        if not isinstance(vector, Same) and self._skipping.read(scope, known, vector):
            # Perhaps nobody is shown all of it.
            self._vectors.put_aside(told, None)

    def _came_before(self, scope: PriceScope, told: _Told) -> bool:
        """Raises Conflict where it came otherwise: it is being changed at this moment."""
        if scope not in self._seen:
            self._seen[scope] = told.fingerprint
            return False
        if self._seen[scope] != told.fingerprint:
            raise Conflict(f"the ERP tells the {scope} twice, and not alike")
        return True

    def _parts(
        self, scope: PriceScope, ordinary: Collection[Audience], told: _Told
    ) -> dict[Audience, _Told]:
        """What is for each audience, once all that would be news to one of them is screened."""
        items = self._run.restricted.items
        while True:
            known = len(items)
            parts = {each: self._for(each, scope, told) for each in ordinary}
            for audience, part in parts.items():
                self._screen_news((audience, scope), part)
            if len(items) == known:
                return parts

    def _for(self, audience: Audience, scope: PriceScope, told: _Told) -> _Told:
        restricted = self._run.restricted
        barred = frozenset(
            sku
            for sku in self._restricted_in(told)
            if audience not in restricted.audiences(sku, scope)
        )
        if not barred:
            return told
        part = _Told(b"", told.told, barred)
        key = (told.fingerprint, barred)
        if key not in self._kept_from:
            from sync.columnar.vectors import fingerprint

            self._kept_from[key] = fingerprint(part.rows)
        part.fingerprint = self._kept_from[key]
        return part

    def _restricted_in(self, told: _Told) -> tuple[Sku, ...]:
        """The restricted items that the vector has rows of."""
        items = self._run.restricted.items
        if not items:
            return ()
        count, found = self._restricted.get(told.fingerprint, (0, ()))
        if count != len(items):
            from sync.planning.price_vectors import items_of, of_items

            found = tuple(items_of(of_items(told.whole, items)))
            self._restricted[told.fingerprint] = (len(items), found)
        return found

    def _plan_restricted(
        self, scope: PriceScope, ordinary: Collection[Audience], told: _Told
    ) -> None:
        """Restricted items of a list that many share, to those alone for whom they are."""
        from sync.columnar.vectors import prices_of
        from sync.planning.price_vectors import of_items

        run = self._run
        items = self._restricted_in(told)
        entries = prices_of(of_items(told.whole, items), scope) if items else []
        for_some = run.restricted.by_audience(scope, entries)
        for audience in run.others(scope, ordinary, for_some):
            run.plan_entries((audience, scope), for_some.get(audience, []))

    # Who may see it.

    def _screen(self, told: _Told) -> None:
        """Ask the ERP of all items of a vector, of each once in a run."""
        if self._asks and told.fingerprint not in self._screened:
            self._screened.add(told.fingerprint)
            self._look_at(told.rows)

    def _look_at(self, rows: Vector) -> None:
        from sync.planning.price_vectors import items_of

        # What the ERP could not read of prices is not to be taken for an item's.
        self._note_unreadable()
        new = items_of(rows, self._asked)
        self._asked.update(each.value for each in new)
        self._run.screening.look_at(new)

    def _screen_news(self, partition: Partition, told: _Told) -> None:
        """Ask of the items of all that the partition would be told and did not show."""
        held, rules = self._trusted(partition), self._rules_of(partition[0])
        known = held is not None and held.rules == rules.fingerprint
        if held is not None and known and self._unchanged(held, told):
            return
        if held is None or not known or self._delta(held, told, rules) is None:
            self._screen(told)

    # One partition.

    def _plan(self, partition: Partition, told: _Told) -> None:
        run, rules = self._run, self._rules_of(partition[0])
        run.planned.add(partition)
        self._tell_of_calls(partition[0], told, rules)
        held = self._trusted(partition)
        if held is None or held.rules != rules.fingerprint:
            self._compare(partition, told, rules)
            return
        if self._unchanged(held, told):
            run.spool.tally.shown += held.shown
            run.spool.tally.wanted += held.shown
            return
        delta = self._delta(held, told, rules)
        if delta is None:
            self._compare(partition, told, rules)
            return
        run.spool.tally.shown += held.shown
        self._put_aside(partition, told, rules, delta, held)

    def _put_aside(
        self,
        partition: Partition,
        told: _Told,
        rules: _Rules,
        delta: KeptDelta,
        before: Confirmed | None,
        shown: int | None = None,
    ) -> None:
        added, removed = (each.rows if each else 0 for each in (delta.added, delta.removed))
        known = before.shown if before is not None and shown is None else 0
        wanted = known + added - removed
        self._run.spool.tally.wanted += wanted
        self._run.spool.add_delta(partition, delta)
        self._expect(partition, told, rules, wanted, before)

    def _compare(self, partition: Partition, told: _Told, rules: _Rules) -> None:
        """With the store itself; where it shows nothing, all is added as it was told."""
        from sync.columnar.vectors import prices_of

        run, (audience, scope) = self._run, partition
        # A first load has tens of thousands of partitions that the store has nothing of.
        shown = run.shown_of(partition) if partition in run.shown else {}
        before = self._held.get(partition)
        if not shown:
            delta = self._addition(told, rules)
            self.missed += before.shown if before is not None else 0
            self._put_aside(partition, told, rules, delta, before, shown=0)
            return
        entries = prices_of(told.rows, scope)
        wanted = wanted_prices(entries, audience, run.context.mapping, self._today)
        run.compare(partition, wanted, shown)
        self._expect(partition, told, rules, len(wanted), before)
        if before is not None and before.rules == rules.fingerprint:
            overlooked = self._overlooked(partition, told, rules, before, shown)
            self.missed += overlooked
            if overlooked:
                run.confirming.doubt(partition)

    def _overlooked(
        self,
        partition: Partition,
        told: _Told,
        rules: _Rules,
        before: Confirmed,
        shown: Mapping[PriceKey, PriceValue],
    ) -> int:
        """How many entries the store does not show as it had confirmed them."""
        if self._unchanged(before, told):
            return self._run.spool.outstanding.get(partition, 0)
        old = self._vectors.rows(before.vector)
        if old is None:
            return 0
        from sync.columnar.vectors import prices_of
        from sync.planning.price_vectors import published

        rows = published(old, rules.rules, before.day)
        confirmed = {each.key: each.value for each in prices_of(rows, partition[1])}
        keys = confirmed.keys() | shown.keys()
        return sum(confirmed.get(key) != shown.get(key) for key in keys)

    def _expect(
        self,
        partition: Partition,
        told: _Told,
        rules: _Rules,
        shown: int,
        before: Confirmed | None,
    ) -> None:
        self._vectors.put_aside(told, before.vector if before is not None else None)
        confirmed = Confirmed(told.fingerprint, rules.fingerprint, self._today, shown)
        self._run.confirming.expect(partition, confirmed)

    def _trusted(self, partition: Partition) -> Confirmed | None:
        """What the store had confirmed, unless it contradicts that at the first look."""
        held = None if self._full else self._held.get(partition)
        if held is None or bool(held.shown) != (partition in self._run.shown):
            return None
        return held

    def _unchanged(self, held: Confirmed, told: _Told) -> bool:
        """Whether the same is to be shown: nothing came, nothing went, nothing is over."""
        if held.vector != told.fingerprint:
            return False
        if held.day == self._today:
            return True
        if isinstance(told.told, Same) and told.told.none_ended(held.day, self._today):
            return True
        key = (told.fingerprint, held.day)
        if key not in self._ended:
            from sync.planning.price_vectors import ended_between

            self._ended[key] = bool(len(ended_between(told.rows, held.day, self._today)))
        return not self._ended[key]

    def _addition(self, told: _Told, rules: _Rules) -> KeptDelta:
        """All of it, for a store that shows nothing of it."""
        key = (None, told.fingerprint, rules.fingerprint)
        if key not in self._deltas:
            from sync.planning.price_vectors import all_added

            delta = all_added(told.rows, rules.rules, self._today)
            self._deltas[key] = self._run.spool.keep_delta(delta, 0)
        return self._deltas[key]

    def _delta(self, held: Confirmed, told: _Told | None, rules: _Rules) -> KeptDelta | None:
        """What to tell the store, put aside once; None where what it shows is not known.

        The items of all that would be shown and was not are asked for as it is made.
        """
        told_now = told.fingerprint if told is not None else None
        key = ((held.vector, held.day), told_now, rules.fingerprint)
        if key not in self._deltas:
            made = self._made(held, told, rules.rules)
            if made is None:
                return None
            self._deltas[key] = made
        return self._deltas[key]

    def _made(self, held: Confirmed, told: _Told | None, rules: Rules) -> KeptDelta | None:
        from sync.planning import price_vectors as vectors

        spool, step = self._run.spool, self._run.context.limits.guard("prices").price_step
        old = self._vectors.rows(held.vector)
        if old is None:
            return None
        if told is None:
            return spool.keep_delta(vectors.all_removed(old, rules, held.day), 0)
        found = self._vectors.difference(held.vector, old, told)
        delta = vectors.delta(old, told.rows, found, rules, held.day, self._today)
        for rows in (delta.after, delta.added):
            if self._asks and len(rows):
                self._look_at(rows)
        return spool.keep_delta(delta, vectors.moved(delta, step))

    def _rules_of(self, audience: Audience) -> _Rules:
        if audience not in self._rules:
            from sync.planning.price_vectors import Rules

            rules = Rules.of(audience, self._run.context.mapping)
            self._rules[audience] = _Rules(rules, rules.fingerprint)
        return self._rules[audience]

    def _tell_of_calls(self, audience: Audience, told: _Told, rules: _Rules) -> None:
        if self._run.context.store.capabilities.call_for_pricing:
            return
        key = (told.fingerprint, rules.fingerprint)
        if key not in self._calls:
            from sync.planning.price_vectors import called_for, published

            self._calls[key] = called_for(published(told.rows, rules.rules, self._today))
        self._run.tell_of_calls(audience, self._calls[key])


class _Vectors:
    """Vectors that the store had confirmed, at hand for as long as there is room."""

    def __init__(self, run: PriceRun, held: Mapping[Partition, Confirmed]) -> None:
        self._run = run
        self._kept = {each.vector for each in held.values()}
        self._at_hand: OrderedDict[bytes, tuple[bytes | None, Vector]] = OrderedDict()
        self._rows = 0
        self._last: tuple[bytes, bytes, Difference] | None = None

    def rows(self, fingerprint: bytes) -> Vector | None:
        """The vector; None where it is not kept, or not as it was put there."""
        found = self._found(fingerprint)
        return found[1] if found is not None else None

    def difference(self, old: bytes, rows: Vector, told: _Told) -> Difference:
        """What differs between a kept vector and one that was told; the last is at hand."""
        from sync.columnar.differences import difference

        if self._last is None or self._last[:2] != (old, told.fingerprint):
            self._last = (old, told.fingerprint, difference(rows, told.rows))
        return self._last[2]

    def put_aside(self, told: _Told, near: bytes | None) -> None:
        """Let it be kept once the store has confirmed it, in few bytes beside ``near``."""
        confirming = self._run.confirming
        if told.fingerprint in self._kept or confirming.keeps(told.fingerprint):
            return
        from sync.columnar.packing import pack, pack_difference

        for base, rows in self._bases(told, near):
            differing = self.difference(base, rows, told)
            # One that is another in a third of its rows begins anew.
            if 3 * len(differing) <= len(told.rows):
                content = pack_difference(differing, told.rows)
                confirming.keep(told.fingerprint, base, content)
                return
        confirming.keep(told.fingerprint, None, pack(told.rows))
        self._hold(told.fingerprint, None, told.rows)

    def _bases(self, told: _Told, near: bytes | None) -> Iterator[tuple[bytes, Vector]]:
        """Whole vectors that it may differ little from: what was shown before, and the likest."""
        from sync.columnar.differences import alike

        found = self._found(near) if near is not None else None
        own = near if found is None or found[0] is None else found[0]
        if own is not None and (rows := self.rows(own)) is not None:
            yield own, rows
        whole = [(each, rows) for each, (base, rows) in self._at_hand.items() if base is None]
        shares = [(alike(rows, told.rows), each, rows) for each, rows in whole if each != own]
        share, each, rows = max(shares, key=lambda found: found[0], default=(0.0, b"", told.rows))
        if share > LIKE:
            yield each, rows

    def _found(self, fingerprint: bytes) -> tuple[bytes | None, Vector] | None:
        if fingerprint in self._at_hand:
            self._at_hand.move_to_end(fingerprint)
            return self._at_hand[fingerprint]
        with self._run.context.state.transaction() as state:
            packed = state.price_memory.vectors([fingerprint])
        if fingerprint not in packed:
            return None
        base = packed[fingerprint].base
        below = None
        if base is not None:
            if base not in self._at_hand and base in packed:
                self._unpacked(base, None, packed[base].content, None)
            below = self._at_hand.get(base)
            if below is None:
                return None
        rows = self._unpacked(fingerprint, base, packed[fingerprint].content, below)
        return None if rows is None else (base, rows)

    def _unpacked(
        self,
        fingerprint: bytes,
        base: bytes | None,
        content: bytes,
        below: tuple[bytes | None, Vector] | None,
    ) -> Vector | None:
        from sync.columnar.packing import unpack
        from sync.columnar.vectors import fingerprint as fingerprint_of

        try:
            rows = unpack(content, below[1] if below is not None else None)
        except ValueError:
            return None
        if fingerprint_of(rows) != fingerprint:
            return None
        self._hold(fingerprint, base, rows)
        return rows

    def _hold(self, fingerprint: bytes, base: bytes | None, rows: Vector) -> None:
        if fingerprint not in self._at_hand:
            self._rows += len(rows)
        self._at_hand[fingerprint] = (base, rows)
        while self._rows > ROWS_AT_HAND and len(self._at_hand) > 2:
            _, (_, gone) = self._at_hand.popitem(last=False)
            self._rows -= len(gone)
