"""One partition of prices after the other, compared with what the store had confirmed of it.

The store has confirmed what it shows of each partition, and which vector that was made
of. Where the ERP tells the same vector, and the same is made of it, nothing is read of the
store. Where it tells another one, both are compared, each two of them once. Where nothing
is known, where the rules have changed, and now and then for all of it, the store itself is
compared row by row (``price_run``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from sync.domain.ids import Sku
from sync.domain.pricing import Audience, Price, PriceKey, PriceValue
from sync.flows.kept_vectors import KeptVectors
from sync.flows.price_checking import Checking
from sync.flows.price_run import PriceRun
from sync.flows.price_skipping import Same
from sync.flows.vector_screening import Told, VectorScreening
from sync.planning.price_rules import Rules
from sync.planning.price_spool import KeptDelta
from sync.planning.prices import wanted_prices
from sync.ports.price_memory import Confirmed, Partition

if TYPE_CHECKING:
    from sync.columnar.vectors import Vector


@dataclass(frozen=True, slots=True)
class _Rules:
    """The rules of an audience with their fingerprint."""

    rules: Rules
    fingerprint: bytes


class VectorPartitions:
    """Plans partitions of vectors. ``checking``: what is compared with the store in any case.

    ``missed`` counts entries that the store did not show as it had confirmed them,
    ``vectors`` are those that are kept.
    """

    def __init__(self, run: PriceRun, screening: VectorScreening, checking: Checking) -> None:
        self._run, self._screening, self._checking = run, screening, checking
        self._today = run.context.today()
        self._held = dict(run.confirming.held)
        self.vectors = KeptVectors(run, self._held)
        self._added: dict[bytes, dict[bytes, KeptDelta]] = {}
        self._deltas: dict[tuple[object, ...], KeptDelta] = {}
        self._rules: dict[Audience | None, _Rules] = {}
        self._calls: dict[tuple[bytes, bytes], list[Sku]] = {}
        self._ended: dict[tuple[bytes, date], bool] = {}
        self.missed = 0

    def screen_news(self, partition: Partition, told: Told) -> None:
        """Ask of the items of all that the partition would be told and did not show."""
        held, rules = self._trusted(partition), self._rules_of(partition[0])
        known = held is not None and held.rules == rules.fingerprint
        if held is not None and known and self._unchanged(held, told):
            return
        if held is None or not known or self._delta(held, told, rules) is None:
            self._screening.screen(told)

    def plan(self, partition: Partition, told: Told) -> None:
        """Make the partition show what was told."""
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

    def let_go(self) -> None:
        """All is planned: what is at hand for the next partition has to make room."""
        self.vectors.let_go()
        self._added.clear()
        self._deltas.clear()

    def plan_removed(self, partition: Partition) -> bool:
        """Take all of it away without asking the store; False where what it shows is not known."""
        run, held, rules = self._run, self._trusted(partition), self._rules_of(partition[0])
        if held is None or held.rules != rules.fingerprint:
            return False
        delta = self._delta(held, None, rules)
        if delta is None:
            return False
        run.planned.add(partition)
        run.spool.tally.shown += held.shown
        run.spool.add_delta(partition, delta)
        return True

    def plan_kept(self, partition: Partition) -> bool:
        """Leave it as the store had confirmed it, without asking the store.

        False where what it shows is not known, or may be of an item that is not for everybody.
        """
        run, held = self._run, self._held.get(partition)
        if held is None or bool(held.shown) != (partition in run.shown):
            return False
        if not self._screening.lists:
            return False
        if run.restricted.items:
            rows = self.vectors.rows(held.vector)
            if rows is None or self._screening.restricted_in(Told(held.vector, rows)):
                return False
        run.planned.add(partition)
        run.spool.tally.shown += held.shown
        run.spool.tally.wanted += held.shown
        return True

    def plan_quitting(self, partition: Partition) -> bool:
        """Take all away that the store shows of it, by columns; False where they cannot say it."""
        run = self._run
        shown = run.shown_of(partition)
        delta = self._between(shown, None)
        if delta is None:
            return False
        run.planned.add(partition)
        run.spool.tally.shown += len(shown)
        run.spool.add_delta(partition, delta)
        return True

    def _put_aside(
        self,
        partition: Partition,
        told: Told,
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

    def _compare(self, partition: Partition, told: Told, rules: _Rules) -> None:
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
        if not (run.sharing and self._compare_columns(partition, told, rules, shown)):
            entries = prices_of(told.rows, scope)
            wanted = wanted_prices(entries, audience, run.context.mapping, self._today)
            run.compare(partition, wanted, shown)
            self._expect(partition, told, rules, len(wanted), before)
        if before is not None and before.rules == rules.fingerprint:
            overlooked = self._overlooked(partition, told, rules, before, shown)
            self.missed += overlooked
            if overlooked:
                run.confirming.doubt(partition)

    def _compare_columns(
        self,
        partition: Partition,
        told: Told,
        rules: _Rules,
        shown: Mapping[PriceKey, PriceValue],
    ) -> bool:
        """The same by columns, which lists can be told; False where they cannot say it."""
        from sync.planning.price_vectors import published

        run = self._run
        rows = published(told.rows, rules.rules, self._today)
        delta = self._between(shown, rows)
        if delta is None:
            return False
        run.spool.tally.shown += len(shown)
        run.spool.tally.wanted += len(rows)
        run.spool.add_delta(partition, delta)
        self._expect(partition, told, rules, len(rows), self._held.get(partition))
        return True

    def _between(
        self, shown: Mapping[PriceKey, PriceValue], wanted: Vector | None
    ) -> KeptDelta | None:
        """What a store is told that shows this; None where columns cannot say what it shows."""
        from sync.columnar.vectors import vector_of
        from sync.planning import price_vectors as vectors

        spool, step = self._run.spool, self._run.context.limits.guard("prices").price_step
        try:
            there = vector_of(Price(key, value) for key, value in shown.items())
        except (ValueError, ArithmeticError):
            return None
        delta = vectors.all_between(there, vectors.NOTHING if wanted is None else wanted)
        return spool.keep_delta(delta, vectors.moved(delta, step))

    def content(self, vector: bytes, rules: bytes) -> Vector | None:
        """A vector as it is published by these rules today; None where it is not known."""
        from sync.planning.price_vectors import published

        by = next((each for each in self._rules.values() if each.fingerprint == rules), None)
        rows = self.vectors.rows(vector) if by is not None else None
        if by is None or rows is None:
            return None
        return published(rows, by.rules, self._today)

    def _overlooked(
        self,
        partition: Partition,
        told: Told,
        rules: _Rules,
        before: Confirmed,
        shown: Mapping[PriceKey, PriceValue],
    ) -> int:
        """How many entries the store does not show as it had confirmed them."""
        if self._unchanged(before, told):
            return self._run.spool.outstanding.get(partition, 0)
        old = self.vectors.rows(before.vector)
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
        told: Told,
        rules: _Rules,
        shown: int,
        before: Confirmed | None,
    ) -> None:
        self.vectors.put_aside(told, before.vector if before is not None else None)
        confirmed = Confirmed(told.fingerprint, rules.fingerprint, self._today, shown)
        self._run.confirming.expect(partition, confirmed)

    def _trusted(self, partition: Partition) -> Confirmed | None:
        """What the store had confirmed, unless it contradicts that at the first look."""
        held = None if self._checking.due(partition[1]) else self._held.get(partition)
        if held is None or bool(held.shown) != (partition in self._run.shown):
            return None
        return held

    def _unchanged(self, held: Confirmed, told: Told) -> bool:
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

    def _addition(self, told: Told, rules: _Rules) -> KeptDelta:
        """All of it, for a store that shows nothing of it."""
        # By the vector alone: of a first load these are as many as there are contracts.
        added = self._added.setdefault(rules.fingerprint, {})
        if told.fingerprint not in added:
            from sync.planning.price_vectors import all_added

            delta = all_added(told.rows, rules.rules, self._today)
            added[told.fingerprint] = self._run.spool.keep_delta(delta, 0)
        return added[told.fingerprint]

    def _delta(self, held: Confirmed, told: Told | None, rules: _Rules) -> KeptDelta | None:
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

    def _made(self, held: Confirmed, told: Told | None, rules: Rules) -> KeptDelta | None:
        from sync.planning import price_vectors as vectors

        spool, step = self._run.spool, self._run.context.limits.guard("prices").price_step
        old = self.vectors.rows(held.vector)
        if old is None:
            return None
        if told is None:
            return spool.keep_delta(vectors.all_removed(old, rules, held.day), 0)
        found = self.vectors.difference(held.vector, old, told)
        delta = vectors.delta(old, told.rows, found, rules, held.day, self._today)
        for rows in (delta.after, delta.added):
            self._screening.look_at(rows)
        return spool.keep_delta(delta, vectors.moved(delta, step))

    def _rules_of(self, audience: Audience) -> _Rules:
        # They are the same for all who are no shoppers of a channel: tens of thousands.
        whose = audience if audience.channel is not None else None
        if whose not in self._rules:
            rules = Rules.of(audience, self._run.context.mapping)
            self._rules[whose] = _Rules(rules, rules.fingerprint)
        return self._rules[whose]

    def _tell_of_calls(self, audience: Audience, told: Told, rules: _Rules) -> None:
        if self._run.context.store.capabilities.call_for_pricing:
            return
        key = (told.fingerprint, rules.fingerprint)
        if key not in self._calls:
            from sync.planning.price_vectors import called_for, published

            self._calls[key] = called_for(published(told.rows, rules.rules, self._today))
        self._run.tell_of_calls(audience, self._calls[key])
