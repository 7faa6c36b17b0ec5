"""Accounts whose records need not be compared, because neither side has changed.

Most of an unchanged night went into reading from both sides what is equal. So once the store
has confirmed an account's records, the ERP's *state* of them is remembered, which is made
of the very answer that they were told by. While the ERP tells this state, the store is not
asked for the account, and the records are taken for shown.

That is no truth: somebody may have changed the store by hand, or brought it back from a
backup. So each account is compared with the store all the same once within
``full_record_check_s``, a share of them in each run that is about everybody, and all of them in
a run that somebody asks for. What has become another without the ERP is told then.

Whatever casts doubt on an account has it forgotten before anything else is done: a change
that is planned, the store gaining or losing the account or its people (the mirror of
accounts says so), a withdrawal. It is remembered again, if nobody else has forgotten it
since, when the store has confirmed all that the run had to write. A record that could not be
read, or an account whose state the ERP does not tell, is compared in every run.

Turned down: to believe it of an account under which the store shows nothing by now. To ask
for all these IDs is cheap, and tells at once of a store that was emptied.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

import structlog

from sync.domain.ids import CustomerId
from sync.domain.times import Watermark
from sync.flows.context import Context, FlowResult
from sync.flows.mirroring import Unreadable
from sync.planning.spread import all_is_due, has_come, seconds
from sync.ports.erp import Feed
from sync.ports.record_memory import Remembered
from sync.ports.state import ResyncScope

NAMED = 5

log = structlog.get_logger()


class RecordConfirming:
    """What one run knows beforehand, and what is known after it.

    ``able``: the ERP tells states; otherwise nothing is remembered. ``shown``: the accounts
    under which the store shows anything.
    """

    def __init__(
        self,
        context: Context,
        kind: Feed,
        scope: ResyncScope,
        *,
        able: bool,
        shown: Collection[CustomerId],
        dry_run: bool,
    ) -> None:
        self._context, self._kind = context, kind
        self._able, self._dry_run = able, dry_run
        self._shown = frozenset(shown)
        self._held: dict[CustomerId, Remembered] = {}
        self._expected: dict[CustomerId, Remembered] = {}
        self._by_others: list[CustomerId] = []
        self._began = Watermark(context.clock.now())
        self._since: float | None = None
        # Somebody who asks has a reason to doubt what is remembered.
        self._doubted = scope.everything or scope.narrow or dry_run
        if not able:
            return
        with context.state.transaction() as state:
            self._held.update(state.record_memory.known(kind))
            checked = state.watermarks.get(self._checked)
        if checked is not None and not self._doubted:
            self._since = seconds(checked.at)

    def known(self, customer_ids: Iterable[CustomerId]) -> Mapping[CustomerId, bytes]:
        """The states at which these accounts need not be looked at."""
        found = {}
        for each in customer_ids:
            held = self._held.get(each)
            if held is None or held.forgotten or self._is_due(each):
                continue
            if held.shown == 0 or each in self._shown:
                found[each] = held.state
        return found

    def same(
        self, customer_ids: Iterable[CustomerId], states: Mapping[CustomerId, bytes]
    ) -> Mapping[CustomerId, int]:
        """Those that need not be compared, as the ERP tells them now; how many records each has."""
        known = self.known(customer_ids)
        same = (each for each, state in known.items() if states.get(each) == state)
        return {each: self._held[each].shown for each in same}

    def compared(
        self,
        customer_ids: Iterable[CustomerId],
        states: Mapping[CustomerId, bytes],
        counts: Mapping[CustomerId, int],
        changed: Collection[CustomerId],
        unreadable: Unreadable,
    ) -> None:
        """These were compared with the store, as the ERP told them at these states.

        ``counts``: how many records it told. Those that are equal are remembered at once;
        the ``changed`` ones are forgotten, and remembered when they are written.
        """
        if not self._able:
            return
        equal: dict[CustomerId, Remembered] = {}
        doubted: list[CustomerId] = []
        for each in customer_ids:
            held = self._held.get(each)
            now = None
            if each in states and not unreadable.shields(each.value):
                now = Remembered(states[each], counts.get(each, 0))
            if each in changed or now is None:
                if held is not None and not held.forgotten:
                    doubted.append(each)
                if each in changed and held is not None and held.state == states.get(each):
                    self._by_others.append(each)
                if now is not None:
                    self._expected[each] = now
            elif now != held:
                equal[each] = now
        if not self._dry_run:
            self._forget(doubted)
            self._confirm(equal)

    def forget(self, changed: Iterable[CustomerId]) -> None:
        """Something is to be written of these, which may not have been compared at all."""
        if not self._dry_run:
            known = {each for each in changed if each in self._held}
            self._forget(each for each in sorted(known) if not self._held[each].forgotten)

    def by_the_erp(self, changed: Iterable[CustomerId]) -> Iterator[CustomerId]:
        """Of the accounts with changes those that somebody may have changed in the ERP."""
        others = frozenset(self._by_others)
        return (each for each in changed if each not in others)

    def tell(self, result: FlowResult) -> None:
        """Say what the check found that nobody here has done."""
        if not self._by_others:
            return
        result.count("accounts_changed_by_others", len(self._by_others))
        named = ", ".join(each.value for each in self._by_others[:NAMED])
        more = " and others" if len(self._by_others) > NAMED else ""
        log.warning("records.changed_by_others", kind=self._kind.value, accounts=named)
        result.remarks.append(
            "The store no longer showed what it had confirmed, although the ERP tells the same as"
            f" then: {named}{more}. Somebody else changed the store, or it was brought back from a"
            " backup."
        )

    def done(self, result: FlowResult, unread: Collection[CustomerId], *, whole: bool) -> None:
        """All was compared, and what was planned is written, if the result does not say otherwise.

        ``whole``: the run was about everybody, but for the ``unread``.
        """
        if not self._able or self._dry_run:
            return
        # Of these nothing was seen: they are compared once they can be read.
        self.forget(unread)
        if whole:
            # Even where the store refused some of it: what differs is forgotten by now. A
            # record that it never takes would have everybody compared in every run.
            with self._context.state.transaction() as state:
                state.watermarks.set(self._checked, self._began)
        through = result.outcome == "ok" or (result.outcome == "try_later" and bool(unread))
        if not through or result.counts.get("refused_by_store"):
            return
        self._confirm(self._expected)
        self._expected = {}

    @property
    def _checked(self) -> str:
        return f"{self._kind.value}:checked"

    def _is_due(self, customer_id: CustomerId) -> bool:
        """Whether it is compared whatever is known of it."""
        since, now = self._since, seconds(self._began.at)
        period_s = self._context.limits.full_record_check_s
        if since is None or all_is_due(since, now, period_s):
            return True
        return has_come(f"{self._kind.value}|{customer_id}", since, now, period_s)

    def _forget(self, customer_ids: Iterable[CustomerId]) -> None:
        gone = list(customer_ids)
        if not gone:
            return
        with self._context.state.transaction() as state:
            state.record_memory.forget(self._kind, gone)
        for each in gone:
            del self._held[each]

    def _confirm(self, records: Mapping[CustomerId, Remembered]) -> None:
        if not records:
            return
        with self._context.state.transaction() as state:
            state.record_memory.confirm(self._kind, records, self._held)
        self._held.update(records)
