"""Prices told to a store that has lists which accounts share.

What every partition is to show is planned and judged by then. ``ListSharing`` finds out
how to tell it (``sync.planning.price_sharing``), ``ListWriting`` tells it, call after
call in the order that the plan needs. Every call names the lists that it concerns as
they were when it was planned: where one is another by now, nothing of it is written.

Where the store refuses a row, the partitions that are not done are told row by row, as if
there were no lists: then the others of them are not held up.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING

import structlog

from sync.errors import Refusal
from sync.flows.context import Context, FlowResult
from sync.flows.price_batches import PriceBatches
from sync.flows.price_run import PriceRun
from sync.planning.price_spool import MANY, Kept, KeptDelta, Kind
from sync.ports.price_lists import Joining, ListRows, SharedChange, SharesPriceLists, ShownList
from sync.ports.price_memory import Partition
from sync.ports.state import ResyncScope
from sync.ports.store import ListLimits, PriceRows

if TYPE_CHECKING:
    from sync.columnar.vectors import Vector
    from sync.domain.pricing import Audience, PriceLevel
    from sync.planning.price_sharing import Change, Content, Facts, SharingPlan

log = structlog.get_logger()


def lists_of(context: Context) -> SharesPriceLists | None:
    """The store as one with lists that accounts share, where it claims and somebody wants it."""
    store = context.store
    claims = store.capabilities.price_lists is not None
    wanted = claims and context.limits.share_price_lists
    return store if wanted and isinstance(store, SharesPriceLists) else None


def tell_plan(
    context: Context,
    result: FlowResult,
    scope: ResyncScope,
    levels: Collection[PriceLevel],
    plan: SharingPlan | None,
) -> None:
    """How prices would be told by lists, or in one line why none is used, though wanted."""
    if plan:
        tell_sharing(result, plan)
        return
    if not context.limits.share_price_lists:
        return
    if context.store.capabilities.price_lists is None:
        why = "the store has no lists that accounts share, or its settings do not use them"
    elif scope.narrow:
        why = "only a part of the prices is looked at, which is told account by account"
    elif not levels:
        why = "the ERP tells its prices account by account, and no whole price lists"
    elif plan is None:
        return  # nothing is to be told, with lists or without
    else:
        why = plan.why_not
    result.no_price_lists = why
    result.remarks.append(f"Told without price lists that accounts share: {why}.")


class ListSharing:
    """Plans how a run tells the store what is in its spool."""

    def __init__(self, run: PriceRun, batches: PriceBatches, store: SharesPriceLists) -> None:
        self._run, self._batches, self.store = run, batches, store
        limits = run.context.store.capabilities.price_lists
        self.limits = limits if limits is not None else ListLimits(1)
        self._changes: dict[KeptDelta, bytes] = {}
        self._kept: dict[bytes, KeptDelta] = {}
        self._first: dict[Content, KeptDelta] = {}
        self.lists: tuple[ShownList, ...] = ()

    def plan(self, rows_per_call: int) -> SharingPlan | None:
        """None where nothing is to be told in columns, so that no list is looked at."""
        from sync.planning.price_sharing import plan_sharing

        if not self._run.spool.has_columns:
            return None
        self.lists = tuple(self._run.retrying(self.store.shown_price_lists))
        return plan_sharing(self._facts(), self.limits, rows_per_call)

    def _facts(self) -> Facts:
        from sync.planning.price_sharing import Facts

        run, spool = self._run, self._run.spool
        changes: dict[Partition, Change] = {}
        known: dict[Partition, Content] = {}
        gone: set[Partition] = set()
        for partition, kept in spool.deltas():
            changes[partition] = self._change(kept)
            if spool.outstanding.get(partition) != kept.writes or partition in run.kept:
                continue
            expected = run.confirming.expected(partition)
            if expected is not None:
                known[partition] = content = (expected.vector, expected.rules)
                if partition not in run.shown:
                    self._first.setdefault(content, kept)
            elif kept.after is None and kept.added is None:
                gone.add(partition)
        for partition in run.planned:
            if not spool.outstanding.get(partition) and partition not in run.kept:
                held = run.confirming.expected(partition) or run.confirming.held.get(partition)
                if held is not None:
                    known[partition] = (held.vector, held.rules)
        return Facts(
            lists=self.lists,
            changes=changes,
            known=known,
            gone=gone,
            kept=self._kept.__getitem__,
            delta=lambda change: spool.delta_of(self._kept[change]),
            rows=self._rows_of,
            near=self._near,
            list_rows=lambda list_id: run.retrying(self.store.shown_list_rows, list_id),
            own_rows=lambda list_id, items: run.retrying(self.store.shown_own_rows, list_id, items),
            keep=spool.keep_rows,
            mixed=self._mixed(),
        )

    def _mixed(self) -> Collection[Audience]:
        run, spool = self._run, self._run.spool
        several = Counter(audience for audience, _ in {*run.shown, *spool.outstanding})
        by_row = spool.outstanding.keys() - {partition for partition, _ in spool.deltas()}
        return {audience for audience, _ in by_row}.union(
            audience for audience, partitions in several.items() if partitions > 1
        )

    def _change(self, kept: KeptDelta) -> Change:
        """The same bytes for the same rows, wherever they lie."""
        if kept not in self._changes:
            sides = (kept.removed, kept.after, kept.added)
            told = b"".join(b"-" if each is None else self._mark(each) for each in sides)
            self._changes[kept] = told
            self._kept.setdefault(told, kept)
        return self._changes[kept]

    def _mark(self, kept: Kept) -> bytes:
        from sync.columnar.vectors import fingerprint

        # The spool has many rows that are the same once, and few of them any number of times.
        if kept.rows >= MANY:
            return b"%d+%d;" % (kept.start, kept.length)
        return fingerprint(self._run.spool.rows_of(kept))

    def _rows_of(self, content: Content) -> Vector | None:
        """Of what is added as a whole the rows are put aside already."""
        first = self._first.get(content)
        if first is not None and first.added is not None:
            return self._run.spool.rows_of(first.added)
        return self._batches.content(*content)

    def _near(self, content: Content) -> Content | None:
        vector, rules = content
        base = self._run.confirming.base_of(vector)
        return (base, rules) if base is not None else None


_TOLD = {
    "lists_made": "made",
    "lists_changed": "changed",
    "lists_dropped": "dropped",
    "joining": "members joining",
    "leaving": "members leaving",
    "withdrawn": "members withdrawn",
    "list_rows": "rows of lists",
    "own_rows": "rows of members' own",
}


def tell_sharing(result: FlowResult, plan: SharingPlan) -> None:
    """How the prices are told, and what it would be without lists."""
    told = plan.told()
    if not plan and not plan.drops:
        return
    result.price_lists = told
    parts = ", ".join(f"{told[name]} {words}" for name, words in _TOLD.items() if told[name])
    result.remarks.append(
        f"Price lists that accounts share: {parts}. Calls to the store: {told['calls']} instead of"
        f" {told['calls_without_lists']}, with {told['entries']} rows and members instead of"
        f" {told['rows_without_lists']} rows."
    )


@dataclass
class _Call:
    """What the next call carries.

    ``concerned`` are the partitions that show something else afterwards, ``done`` those of
    which a part is told by it, as often as there are parts.
    """

    drop: list[str] = field(default_factory=list)
    leave: list[Partition] = field(default_factory=list)
    quit: list[Partition] = field(default_factory=list)
    hide: list[PriceRows] = field(default_factory=list)
    remove: list[ListRows] = field(default_factory=list)
    remove_own: list[PriceRows] = field(default_factory=list)
    put_own: list[PriceRows] = field(default_factory=list)
    put: list[ListRows] = field(default_factory=list)
    join: list[Joining] = field(default_factory=list)
    entries: int = 0
    concerned: set[Partition] = field(default_factory=set)
    done: list[Partition] = field(default_factory=list)


class ListWriting:
    """Tells the store a plan that uses lists.

    ``taken`` are the partitions that need nothing else: all of the plan, or once the
    store has refused something those that were done by then.
    """

    def __init__(self, run: PriceRun, sharing: ListSharing, plan: SharingPlan) -> None:
        self._run, self._plan = run, plan
        self._store, self._most = sharing.store, sharing.limits.entries
        self._stamps: dict[str, str | None] = {each.list_id: each.stamp for each in sharing.lists}
        self._list_of = {p: each.list_id for each in sharing.lists for p in each.members}
        self._deltas = dict(run.spool.deltas())
        self._left = self._parts()
        # Whoever the plan says nothing of is told as if there were no lists.
        self._planned = frozenset(each for each in self._deltas if self._left[each])
        self._finished: set[Partition] = set()
        self._told = 0
        self._call = _Call()
        self.stopped = self.refused = False

    @property
    def taken(self) -> Collection[Partition]:
        if self.refused or not self._plan:
            return self._finished
        return self._planned

    def withdraw(self) -> None:
        """What shows nothing new, and what goes. Raises what the store does but a refusal."""
        self._carry_out(self._silent_and_going)

    def gain(self) -> None:
        """All that comes."""
        self._carry_out(self._coming)

    def _carry_out(self, steps: Callable[[], Iterator[None]]) -> None:
        if self.stopped or self.refused:
            return
        try:
            for _ in steps():
                if self.stopped:
                    return
        except Refusal as refusal:
            # What was done is done; all else is told row by row, which is right wherever it begins.
            log.warning("price_lists.refused", code=refusal.code, reason=str(refusal))
            self._run.result.remarks.append(
                f"The store refused a change of shared price lists ({refusal}): what was left"
                " is told row by row."
            )
            self._call, self.refused = _Call(), True

    # The order of the plan.

    def _silent_and_going(self) -> Iterator[None]:
        plan = self._plan
        yield from self._silent()
        for partition in plan.quits:
            self._room(1)
            yield
            self._call.quit.append(partition)
            self._note([partition], [partition])
        for change in plan.changes:
            members = [p for p, counts in change.carried.items() if Kind.REMOVED in counts]
            yield from self._list_rows(_remove, change.list_id, change.removed, members)
        for partition, rows in plan.own.items():
            yield from self._own_rows(_remove_own, partition, rows.removed)
        # All that goes is confirmed before the first that comes is sent. What shows nothing
        # new may go along with either.
        if self._something_goes():
            self._flush()

    def _silent(self) -> Iterator[None]:
        plan = self._plan
        for list_id in plan.drops:
            self._room(1)
            yield
            self._call.drop.append(list_id)
            self._call.entries += 1
        for partition in plan.leaves:
            entries = min(1 + plan.copied.get(partition, 0), self._most)
            self._room(entries)
            yield
            self._call.leave.append(partition)
            self._call.entries += entries
        for partition, rows in plan.own.items():
            yield from self._own_rows(_put_own, partition, rows.pins, silent=True)
            yield from self._own_rows(_hide, partition, rows.hidden, silent=True)

    def _coming(self) -> Iterator[None]:
        plan = self._plan
        for partition, rows in plan.own.items():
            for kept in rows.put:
                yield from self._own_rows(_put_own, partition, kept)
        for change in plan.changes:
            gains = (Kind.CHANGED, Kind.ADDED)
            members = [p for p, counts in change.carried.items() if any(k in counts for k in gains)]
            yield from self._list_rows(_put, change.list_id, change.put, members)
        for each in plan.new_lists:
            self._stamps.setdefault(each.list_id, None)
            yield from self._list_rows(_put, each.list_id, each.rows, [])
        for joining in plan.joins:
            yield from self._joined(joining.partition, joining.list_id, joining.own)
        self._flush()

    def _something_goes(self) -> bool:
        plan = self._plan
        of_lists = (each.removed for each in plan.changes)
        of_own = (each.removed for each in plan.own.values())
        return bool(plan.quits) or any(each is not None for each in chain(of_lists, of_own))

    def _parts(self) -> Counter[Partition]:
        """How many parts of the plan each partition is done with."""
        plan, found = self._plan, Counter[Partition]()
        found.update(plan.quits)
        found.update(each.partition for each in plan.joins)
        for change in plan.changes:
            for partition, counts in change.carried.items():
                found[partition] += Kind.REMOVED in counts
                found[partition] += Kind.CHANGED in counts or Kind.ADDED in counts
        for partition, rows in plan.own.items():
            found[partition] += (rows.removed is not None) + len(rows.put)
        return found

    # One part of a call.

    def _list_rows(
        self,
        to: Callable[[_Call], list[ListRows]],
        list_id: str,
        kept: Kept | None,
        members: Collection[Partition],
    ) -> Iterator[None]:
        for rows, last in self._pieces(kept):
            yield
            to(self._call).append(ListRows(list_id, rows))
            self._note(members, members if last else (), len(rows))

    def _own_rows(
        self,
        to: Callable[[_Call], list[PriceRows]],
        partition: Partition,
        kept: Kept | None,
        *,
        silent: bool = False,
    ) -> Iterator[None]:
        mine = () if silent else (partition,)
        for rows, last in self._pieces(kept):
            yield
            to(self._call).append(PriceRows(*partition, rows))
            self._note(mine, mine if last else (), len(rows))

    def _joined(self, partition: Partition, list_id: str, kept: Kept | None) -> Iterator[None]:
        """The own rows go along in one call, whatever their number."""
        from sync.planning.price_vectors import NOTHING

        rows = self._run.spool.rows_of(kept) if kept is not None else NOTHING
        self._room(1 + len(rows))
        yield
        self._call.join.append(Joining(list_id, PriceRows(*partition, rows)))
        self._note([partition], [partition], 1 + len(rows))

    def _pieces(self, kept: Kept | None) -> Iterator[tuple[Vector, bool]]:
        if kept is None:
            return
        rows, at = self._run.spool.rows_of(kept), 0
        while at < len(rows):
            self._room(1)
            some = rows.slice(at, self._most - self._call.entries)
            at += len(some)
            yield some, at >= len(rows)

    def _room(self, entries: int) -> None:
        """Send the call where so many entries more have no place in it."""
        if self._call.entries and self._call.entries + entries > self._most:
            self._flush()

    def _note(
        self, concerned: Collection[Partition], done: Collection[Partition], entries: int = 1
    ) -> None:
        self._call.entries += entries
        self._call.concerned.update(concerned)
        self._call.done.extend(done)

    # Sending.

    def _flush(self) -> None:
        call, self._call = self._call, _Call()
        if not call.entries:
            return
        change = self._change(call)
        self._run.confirming.before(call.concerned)
        self._run.retrying(self._store.apply_shared_prices, change)
        self._stamps.update(dict.fromkeys(change.expected, change.stamp))
        for each in call.drop:
            self._stamps.pop(each, None)
        for partition in (*call.leave, *call.quit):
            self._list_of.pop(partition, None)
        self._list_of |= {each.partition: each.list_id for each in call.join}
        for partition in call.done:
            self._left[partition] -= 1
            if not self._left[partition]:
                self._finish(partition)
        self._told += call.entries
        total = max(self._plan.entries, self._told)
        self.stopped = self._run.context.progress("prices: writing", self._told, total)

    def _change(self, call: _Call) -> SharedChange:
        change = SharedChange(
            stamp=uuid.uuid4().hex,
            expected={},
            drop=call.drop,
            leave=call.leave,
            quit=call.quit,
            hide=call.hide,
            remove=call.remove,
            remove_own=call.remove_own,
            put_own=call.put_own,
            put=call.put,
            join=call.join,
        )
        lists = {self._list_of[each] for each in change.partitions if each in self._list_of}
        named = sorted(lists | change.named)
        return replace(change, expected={each: self._stamps.get(each) for each in named})

    def _finish(self, partition: Partition) -> None:
        """All of it is told: it counts as what it changes for those who look."""
        delta, result = self._deltas[partition], self._run.result
        told = ((Kind.REMOVED, delta.removed), (Kind.CHANGED, delta.after))
        for kind, kept in (*told, (Kind.ADDED, delta.added)):
            result.count(kind.value, kept.rows if kept is not None else 0)
        self._finished.add(partition)
        self._run.confirming.written(partition, delta.writes)


def _remove(call: _Call) -> list[ListRows]:
    return call.remove


def _put(call: _Call) -> list[ListRows]:
    return call.put


def _hide(call: _Call) -> list[PriceRows]:
    return call.hide


def _remove_own(call: _Call) -> list[PriceRows]:
    return call.remove_own


def _put_own(call: _Call) -> list[PriceRows]:
    return call.put_own
