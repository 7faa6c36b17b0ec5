"""Price lists that are not read at all, because the ERP's own server says that they are the same.

The ERP tells a *state* of each scope, such as a hash that its server has made of all
entries, or when the last of them changed and how many there are. While it tells the state
that was remembered with a vector, that vector stands for the entries. So everything else
goes its way as if they had been read: whoever is entitled by now, whatever is restricted
by now, every price that is over by now is judged as ever, and the store is told the same.

What is remembered is a fact about the ERP alone. It is remembered where the state was the
same before the entries were read and after, so that nothing that changed meanwhile is
taken for older than it is, and once the store has confirmed what was made of the entries.
Where the ERP tells both as of one moment, nobody has to ask for the state again.

What was read must be as many entries as the server had counted. Where it is not, as while
a table is emptied and filled again with the same rows, which no state tells afterwards, it
is read once more. Where it is not then either, what is shown stays: a part of a list would
withdraw the rest of it, and be believed until the next full check.

A state may lie, as one that is made without a column that counts. A run that compares
everything reads everything, and says what the states had hidden.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import date
from itertools import chain
from typing import TYPE_CHECKING, TypeAlias

import structlog

from sync.domain.pricing import PriceLevel, PriceScope
from sync.errors import Conflict, TryLater
from sync.flows.context import needs
from sync.flows.price_checking import Checking
from sync.flows.price_run import PriceRun
from sync.ports.erp import (
    HoldsPriceMoments,
    Moment,
    PriceState,
    SupportsPriceBatches,
    TellsPriceStates,
)
from sync.ports.price_memory import Stated

if TYPE_CHECKING:
    from sync.columnar.vectors import Vector

ALL_FROM = 0.25
"""Share of a level's scopes from which on all are read in one answer rather than singly."""

NAMED = 5

log = structlog.get_logger()

States: TypeAlias = Mapping[PriceScope, PriceState]
Told: TypeAlias = "Iterator[tuple[PriceScope, Vector]]"


@dataclass(frozen=True, slots=True)
class Same:
    """Entries that were not read; ``rows`` finds the vector that stands for them."""

    stated: Stated
    rows: Callable[[], Vector]

    def none_ended(self, one: date, other: date) -> bool:
        """Whether it is known without a look that no entry is over on one day alone."""
        ends = self.stated.ends
        first, last = min(one, other), max(one, other)
        return self.stated.since <= first and (ends is None or last <= ends)


class _Counts:
    """How many entries each scope was counted to have, and how many were read of it."""

    def __init__(self, states: States) -> None:
        self.states = states
        self._read: dict[PriceScope, int] = {}

    def take(self, scope: PriceScope, entries: int) -> bool:
        """So many were read; False where another number was counted."""
        self._read[scope] = entries
        return scope not in self.states or self.was(scope, self.states[scope])

    def now_are(self, scopes: Collection[PriceScope], states: States) -> None:
        """These scopes have these states by now, or none."""
        left = {scope: each for scope, each in self.states.items() if scope not in scopes}
        self.states = {**left, **states}

    def was(self, scope: PriceScope, state: PriceState) -> bool:
        return self._read.get(scope) == state.entries

    def said(self, scope: PriceScope) -> str:
        read, counted = self._read.get(scope, 0), self.states[scope].entries
        return (
            f"the ERP's server counts {counted} entries and told {read}, twice: they are being"
            " loaded anew, or their state is not made of the rows that are read (`tradesync check`)"
        )


class Skipping:
    """What the ERP tells of the levels of a run, in vectors or as what is known already.

    ``checking``: what is read in any case. ``kept`` finds a vector that is kept in the state,
    ``shields`` says that something of a scope could not be read, ``keep`` leaves what is
    shown of it, and ``reading`` reads what is asked for of a level, and what of it the
    answer breaks off before.
    """

    def __init__(
        self,
        run: PriceRun,
        levels: Collection[PriceLevel],
        kept: Callable[[bytes], Vector | None],
        shields: Callable[[PriceScope], bool],
        keep: Callable[[PriceScope], None],
        reading: Callable[[PriceLevel, Callable[[], Told]], Told],
        checking: Checking,
    ) -> None:
        self._run, self._kept, self._shields, self._checking = run, kept, shields, checking
        self._keep, self._reading = keep, reading
        erp = run.context.erp
        self._erp: TellsPriceStates | None = erp if isinstance(erp, TellsPriceStates) else None
        stated = self._erp.stated_levels if self._erp is not None else ()
        self._levels = frozenset(levels) & frozenset(stated)
        self._remembered: Mapping[PriceScope, Stated] = {}
        if self._levels:
            with run.context.state.transaction() as state:
                self._remembered = state.price_memory.stated()
        self._now: dict[PriceScope, Stated] = {}
        self._partly: dict[PriceScope, bytes] = {}
        self._hidden: list[PriceScope] = []

    def told(self, level: PriceLevel) -> Iterator[tuple[PriceScope, Vector | Same]]:
        """Every scope of the level that has entries and could be read."""
        if self._erp is None or level not in self._levels:
            yield from self._all(level)
            return
        erp = self._erp
        held = erp.price_moment() if isinstance(erp, HoldsPriceMoments) else nullcontext()
        with held as moment:
            yield from self._told_of(level, erp, moment)

    def _told_of(
        self, level: PriceLevel, erp: TellsPriceStates, moment: Moment | None
    ) -> Iterator[tuple[PriceScope, Vector | Same]]:
        """The same, with whatever is asked told as of one moment, if that lasts."""
        before = first = self._run.retrying(erp.price_states, level)
        whole = self._checking.due_whole(level)
        read, some = self._begun(erp, level, before)
        if moment is not None and some is not None and not some:
            moment.end()
        counts, seen = _Counts(before), set[PriceScope]()
        for scope, rows in self._counted(counts, read):
            seen.add(scope)
            yield scope, rows
        asked = self._every(level, before) if some is None else some
        missing = [each for each in asked if each not in seen and self._run.audiences(each)]
        if moment is not None and missing:
            # It may have told what nobody has written, and is not asked again.
            moment.end()
        for scope, rows in self._read_again(erp, level, counts, sorted(missing)):
            seen.add(scope)
            yield scope, rows
        before = counts.states
        known = {each for each in self._remembered if each.level is level}
        gone = known - before.keys() - seen
        # In a first load all scopes are in these: no set is made that need not be.
        now = {each for each in self._now if each.level is level}
        now |= {each for each in self._partly if each.level is level and self._is_checked(each)}
        unsaid = seen & {scope for _, scope in self._run.shown} - before.keys()
        some_stated = not now.isdisjoint(before)
        if gone or unsaid or some_stated or (whole and not seen <= before.keys()):
            now |= gone | unsaid
            del seen
            after = self._after(erp, now, first if moment is not None and moment.lasts else None)
            self._refuse_parts(counts, unsaid, after)
            self._settle(level, before, after, gone)

    def _after(
        self, erp: TellsPriceStates, scopes: Collection[PriceScope], same: States | None
    ) -> States:
        """The states when all is read; what they are the ``same`` as, if that is known."""
        if same is None:
            return self._run.retrying(erp.price_states_of, scopes)
        return {each: same[each] for each in scopes if each in same}

    def read(self, scope: PriceScope, fingerprint: bytes, rows: Vector) -> bool:
        """That the scope was read, whole, and this was told; whether it may be remembered."""
        if scope.level not in self._levels:
            return False
        from sync.planning.price_vectors import first_end

        today = self._run.context.today()
        self._now[scope] = Stated(b"", fingerprint, today, first_end(rows, today))
        return True

    def read_in_part(self, scope: PriceScope, fingerprint: bytes) -> None:
        """That the scope was read, but for what is damaged of it: nothing is remembered."""
        self.doubt([scope])
        self._partly[scope] = fingerprint

    def tell(self) -> None:
        """Say what the states had hidden."""
        if not self._hidden:
            return
        result = self._run.result
        result.count("hidden_by_price_states", len(self._hidden))
        named = ", ".join(f"the {each}" for each in self._hidden[:NAMED])
        more = " and others" if len(self._hidden) > NAMED else ""
        result.remarks.append(
            "The full check found prices that had changed although the ERP's server did not say"
            f" so: {named}{more}. Whatever tells their state there must tell another one whenever"
            " anything of them is another."
        )

    # What is read.

    def _all(self, level: PriceLevel) -> Told:
        erp = needs(self._run.context.erp, SupportsPriceBatches, "the ERP")
        return self._reading(level, lambda: erp.price_vectors(level))

    def _begun(
        self, erp: TellsPriceStates, level: PriceLevel, before: States
    ) -> tuple[Iterator[tuple[PriceScope, Vector | Same]], Collection[PriceScope] | None]:
        """What is told of the level, and of which scopes it is read; None: of all there are."""
        doubtful = self._doubtful(level, before)
        wanted = [each for each in sorted(doubtful) if self._run.audiences(each)]
        if self._checking.due_whole(level) or len(wanted) > ALL_FROM * max(len(before), 1):
            return self._all(level), None
        return self._some(erp, level, before, wanted, doubtful), wanted

    def _some(
        self,
        erp: TellsPriceStates,
        level: PriceLevel,
        before: States,
        wanted: Collection[PriceScope],
        doubtful: Collection[PriceScope],
    ) -> Iterator[tuple[PriceScope, Vector | Same]]:
        """Of what may have changed, that which somebody is shown; and all that is the same."""
        for scope in set(doubtful).difference(wanted):
            self._run.tell_of_shared(scope)
        for scope in sorted(before.keys() - doubtful):
            yield scope, self._same(erp, scope)
        if wanted:
            # Last: of what the answer breaks off before, the rest of the level is asked for.
            yield from self._reading(level, lambda: erp.price_vectors_of(wanted))

    def _same(self, erp: TellsPriceStates, scope: PriceScope) -> Same:
        stated = self._remembered[scope]

        def rows() -> Vector:
            from sync.columnar.vectors import fingerprint

            kept = self._kept(stated.vector)
            if kept is not None:
                return kept
            # It is in the state no more, or not as it was put there.
            told = dict(self._run.retrying(lambda: list(erp.price_vectors_of([scope]))))
            if scope not in told or fingerprint(told[scope]) != stated.vector:
                self._run.confirming.doubt_states([scope])
                raise Conflict(f"the {scope} is not what it was, although its state is the same")
            return told[scope]

        return Same(stated, rows)

    def _doubtful(self, level: PriceLevel, states: States) -> set[PriceScope]:
        """All that is not known to be the same; of what the ERP is silent about, all we know."""
        every = self._every(level, states)
        due = self._checking.due
        return {each for each in every if due(each) or not self._is_same(each, states)}

    def _every(self, level: PriceLevel, states: States) -> set[PriceScope]:
        shown = {scope for _, scope in self._run.shown if scope.level is level}
        known = {scope for scope in self._remembered if scope.level is level}
        return shown | known | states.keys()

    def _is_checked(self, scope: PriceScope) -> bool:
        """Whether it was read whatever its state is."""
        return self._checking.due(scope) or self._checking.due_whole(scope.level)

    def _is_same(self, scope: PriceScope, states: States) -> bool:
        if scope not in states or scope not in self._remembered:
            return False
        return self._remembered[scope].state == states[scope].fingerprint

    # What is told while the ERP changes it.

    def _counted(
        self, counts: _Counts, read: Iterator[tuple[PriceScope, Vector | Same]]
    ) -> Iterator[tuple[PriceScope, Vector | Same]]:
        """What was read as it was counted; nothing of what was not."""
        for scope, rows in read:
            if isinstance(rows, Same) or counts.take(scope, len(rows)) or self._shields(scope):
                yield scope, rows

    def _read_again(
        self, erp: TellsPriceStates, level: PriceLevel, counts: _Counts, missing: list[PriceScope]
    ) -> Told:
        """Once more what was read and was not what the server had counted.

        What is empty by now is told no more, and goes. What is otherwise again, stays.
        """
        run = self._run
        missing = [each for each in missing if not self._is_kept(each) and not self._shields(each)]
        if not missing:
            return
        now = run.retrying(erp.price_states_of, set(missing))
        counts.now_are(missing, now)
        odd, left = sorted(now), set(now)
        if odd and not self._is_broken(level):
            log.info("prices.read_again", level=level.name.lower(), scopes=len(odd))
            for scope, rows in self._reading(level, lambda: erp.price_vectors_of(odd)):
                if counts.take(scope, len(rows)) or self._shields(scope):
                    left.discard(scope)
                    yield scope, rows
        for scope in sorted(left):
            if not self._is_kept(scope):
                # Nothing is remembered of it, and what is shown of it stays.
                run.confirming.doubt_states([scope])
                run.unread[scope] = TryLater(counts.said(scope))
                self._keep(scope)

    def _is_kept(self, scope: PriceScope) -> bool:
        return scope in self._run.unread or scope in self._run.unasked

    def _is_broken(self, level: PriceLevel) -> bool:
        """Whether something of the level could not be read at all: then nothing is twice."""
        return any(each.level is level for each in (*self._run.unread, *self._run.unasked))

    def _refuse_parts(self, counts: _Counts, scopes: Collection[PriceScope], after: States) -> None:
        """Raise Conflict where a part was read of what the server counts since."""
        for scope in sorted(scopes):
            if scope in after and not self._shields(scope) and not counts.was(scope, after[scope]):
                raise Conflict(f"the {scope} was being changed while it was read")

    # What is remembered.

    def _settle(
        self, level: PriceLevel, before: States, after: States, gone: set[PriceScope]
    ) -> None:
        confirming = self._run.confirming
        confirming.doubt_states(
            scope
            for scope, now in self._now.items()
            if self._is_same(scope, before) and self._remembered[scope].vector != now.vector
        )
        whole = ((scope, now.vector) for scope, now in self._now.items())
        for scope, vector in chain(whole, self._partly.items()):
            if not self._is_checked(scope):
                continue
            steady = scope.level is level and before.get(scope) == after.get(scope)
            if steady and self._was_hidden(scope, vector, before):
                self._hidden.append(scope)
        for scope in [each for each in self._now if each.level is level]:
            now = self._now.pop(scope)
            if before.get(scope) != after.get(scope):
                continue
            state = before.get(scope)
            if state is None or not state.settled or self._shields(scope):
                continue
            stated = Stated(state.fingerprint, now.vector, now.since, now.ends)
            if self._remembered.get(scope) != stated:
                confirming.expect_state(scope, stated)
        for scope in gone - after.keys():
            confirming.expect_state(scope, None)

    def _was_hidden(self, scope: PriceScope, vector: bytes, states: States) -> bool:
        """Whether a run that believes the states would not have read what it is now."""
        if scope in states:
            return self._is_same(scope, states) and self._remembered[scope].vector != vector
        return all(scope != shown for _, shown in self._run.shown)

    def doubt(self, scopes: Iterable[PriceScope]) -> None:
        """They were read, or could not be, and what was found is not remembered."""
        self._run.confirming.doubt_states(each for each in scopes if each in self._remembered)
