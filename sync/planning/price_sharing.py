"""Which prices go into lists of the store that many accounts share, and which do not.

What each partition is to show is planned already; here it is only decided how the store
is told. The price of that is counted in *entries*: a row, a member that joins or leaves.
A call carries so many of them, so fewer entries are never more calls.

Two things are tried. Where most members of a list change alike, the list changes, and who
does not change with it is given a row of its own first (a *pin*, which shows what was
shown), or a gap where it shows nothing and the store has gaps. And partitions that show the
same, or nearly, become members of one list, with what differs as rows of their own. Whatever
is not cheaper so is told row by row. What does not change is never touched, so that lists are
not shuffled from night to night.

Where a store lets no member have rows of its own, only those share a list that show the
very same. Whoever else is a member leaves, which costs the rows of the list: the store
writes them once more, as that member's own. So does, in a store without gaps, a member
that loses a row of its list.

Pins, gaps and leaving come before everything else and show nothing new. Then goes what goes.
Rows of lists are put after the own rows of their members, joining comes last. So no
member shows a row of a list that it is not to show, whenever a run ends.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from sync.columnar.differences import difference, without
from sync.columnar.vectors import KEY_COLUMNS, canonical
from sync.domain.ids import Sku
from sync.domain.pricing import Audience, AudienceKind
from sync.planning.price_spool import PARTS_PER_CALL, Kept, KeptDelta, Kind
from sync.planning.price_vectors import NOTHING, Delta, items_of
from sync.ports.price_lists import ShownList, may_share
from sync.ports.price_memory import Partition
from sync.ports.store import ListLimits, PriceRows

Content: TypeAlias = tuple[bytes, bytes]
"""The fingerprints of a vector and of the rules that it is published by."""

Change: TypeAlias = bytes
"""Stands for the rows of a delta: two with the same bytes change the same."""

UNCHANGED: Change = b""

CANDIDATES = 4
"""Lists that are looked at, at most, for those who show one content."""

AT_HAND = 16
"""Lists, and changes, that are held in memory at a time."""

TRIED = 50
"""So many members of a list, from all over it, are looked at before all the others are.
So many, too, are tried to be put into a list before as many others are not, which gain less."""

_KEYS = list(KEY_COLUMNS)


@dataclass(frozen=True)
class Facts:
    """What is known of both sides, and what may be asked of the store.

    ``changes``: partitions to be told rows, with what changes. ``known``: what each
    partition shows when the run is over; a member that is not in it is left alone, since
    nobody knows what it should show. ``gone``: those that are to show nothing any more.
    ``near``: a content that another one probably differs little from. ``kept`` is where
    the rows of a change lie, ``keep`` puts others beside them. ``mixed``: audiences that
    are shown more than one partition, or will be, or are told prices one by one.
    """

    lists: Sequence[ShownList]
    changes: Mapping[Partition, Change]
    known: Mapping[Partition, Content]
    gone: Collection[Partition]
    kept: Callable[[Change], KeptDelta]
    delta: Callable[[Change], Delta]
    rows: Callable[[Content], pa.Table | None]
    near: Callable[[Content], Content | None]
    list_rows: Callable[[str], pa.Table]
    own_rows: Callable[[str, Collection[Sku]], Sequence[PriceRows]]
    keep: Callable[[pa.Table], Kept | None]
    mixed: Collection[Audience] = frozenset()


@dataclass(frozen=True, slots=True)
class OwnRows:
    """What a partition is told by rows of its own, in their order.

    ``hidden`` are gaps of a member where its list gets rows that are not for it.
    """

    pins: Kept | None = None
    hidden: Kept | None = None
    removed: Kept | None = None
    put: tuple[Kept, ...] = ()

    @property
    def comes(self) -> int:
        return sum(each.rows for each in self.put)

    @property
    def entries(self) -> int:
        return self.silent + _rows(self.removed) + self.comes

    @property
    def silent(self) -> int:
        """What is told before all else, since it changes nothing that is shown."""
        return _rows(self.pins) + _rows(self.hidden)


@dataclass(frozen=True, slots=True)
class ListChange:
    """Rows of a list that has members. ``carried``: what of it is whose change."""

    list_id: str
    removed: Kept | None
    put: Kept | None
    carried: Mapping[Partition, Mapping[Kind, int]]


@dataclass(frozen=True, slots=True)
class NewList:
    list_id: str
    rows: Kept


@dataclass(frozen=True, slots=True)
class Join:
    partition: Partition
    list_id: str
    own: Kept | None


@dataclass
class _Calls:
    """Counts the calls that so many entries take; ``made`` are full, ``used`` is in the next."""

    most: int
    made: int = 0
    used: int = 0

    def rows(self, count: int) -> None:
        """So many that may be torn apart."""
        full, self.used = divmod(self.used + count, self.most)
        self.made += full

    def whole(self, size: int) -> None:
        """What goes into one call, whatever its size."""
        if self.used + size > self.most:
            self.end()
        self.used += min(size, self.most)

    def end(self) -> int:
        """The next call goes as it is; how many there are by then."""
        self.made, self.used = self.made + bool(self.used), 0
        return self.made


@dataclass
class SharingPlan:
    """How the store is told. ``own``: every changed partition that is told rows itself.

    ``calls`` and ``entries`` are those of this plan, ``plain_...`` those of telling
    every partition every row. ``copied``: rows that the store writes once more for whoever
    leaves, by the list of each. False where nothing is shared; ``why_not`` says why.
    """

    drops: list[str] = field(default_factory=list)
    leaves: list[Partition] = field(default_factory=list)
    quits: list[Partition] = field(default_factory=list)
    changes: list[ListChange] = field(default_factory=list)
    own: dict[Partition, OwnRows] = field(default_factory=dict)
    new_lists: list[NewList] = field(default_factory=list)
    joins: list[Join] = field(default_factory=list)
    copied: dict[Partition, int] = field(default_factory=dict)
    calls: int = 0
    entries: int = 0
    plain_calls: int = 0
    plain_entries: int = 0
    why_not: str = ""

    def __bool__(self) -> bool:
        return bool(self.changes or self.joins or self.quits)

    def count(self, entries_per_call: int) -> None:
        """Set ``entries`` and ``calls`` to what carrying it out takes."""
        copied = sum(self.copied.values())
        pins = sum(each.silent for each in self.own.values())
        goes = len(self.quits) + sum(_rows(each.removed) for each in self.own.values())
        goes += sum(_rows(each.removed) for each in self.changes)
        comes = sum(_rows(each.put) for each in self.changes)
        comes += sum(each.comes for each in self.own.values())
        comes += sum(_rows(each.rows) for each in self.new_lists)
        joining = [1 + _rows(each.own) for each in self.joins]
        silent = len(self.drops) + len(self.leaves) + copied + pins
        self.entries = silent + goes + comes + sum(joining)
        calls = _Calls(entries_per_call)
        calls.rows(len(self.drops))
        for each in self.leaves:
            calls.whole(1 + self.copied.get(each, 0))
        calls.rows(pins + goes)
        if goes:
            calls.end()
        # Rows go into whatever room is left in a call; a member comes with all of its own.
        calls.rows(comes)
        for size in joining:
            calls.whole(size)
        self.calls = calls.end()

    def told(self) -> dict[str, int]:
        """The plan in numbers, for people and programs."""
        return {
            "lists_made": len(self.new_lists),
            "lists_changed": len(self.changes),
            "lists_dropped": len(self.drops),
            "joining": len(self.joins),
            "leaving": len(self.leaves),
            "withdrawn": len(self.quits),
            "list_rows": sum(_rows(each.rows) for each in self.new_lists)
            + sum(_rows(each.removed) + _rows(each.put) for each in self.changes),
            "own_rows": sum(each.entries for each in self.own.values())
            + sum(_rows(each.own) for each in self.joins),
            "calls": self.calls,
            "entries": self.entries,
            "calls_without_lists": self.plain_calls,
            "rows_without_lists": self.plain_entries,
        }


def plan_sharing(facts: Facts, limits: ListLimits, rows_per_call: int) -> SharingPlan:
    """The cheapest way that is found; ``rows_per_call``: of a call that knows no lists.

    The same facts give the same plan, in whatever order they come.
    """
    orphans = [each.list_id for each in facts.lists if not each.members]
    plan = _Planning(facts, limits, orphans).plan()
    plan.count(limits.entries)
    phases = _without_lists(facts)
    copied = _copied(facts, limits)
    plan.plain_entries = copied + sum(rows for rows, _ in phases)
    plan.plain_calls = -(-copied // rows_per_call) + sum(
        max(-(-rows // rows_per_call), -(-parts // PARTS_PER_CALL)) for rows, parts in phases
    )
    if plan and (plan.calls, plan.entries) < (plan.plain_calls, plan.plain_entries):
        return plan
    # Lists of a run that died before anybody joined them: nobody sees them.
    only = SharingPlan(drops=orphans, why_not=_why_not(facts, limits, plan))
    only.plain_entries, only.plain_calls = plan.plain_entries, plan.plain_calls
    return only


def _why_not(facts: Facts, limits: ListLimits, plan: SharingPlan) -> str:
    """What keeps a list from being worth it, in a sentence without its end."""
    if plan:
        return (
            f"lists would take {plan.calls} calls with {plan.entries} rows and members, and"
            f" telling each account its own takes {plan.plain_calls} with {plan.plain_entries}"
        )
    sharing = [each for each in facts.changes if _may_share(each, facts, limits)]
    alike = Counter(facts.known[each] for each in sharing if each in facts.known)
    most = max(alike.values(), default=0)
    if most < 2:
        return (
            f"no two of the {len(sharing)} accounts and sites that are told anything have the"
            " same prices"
        )
    there = sum(1 for each in facts.lists if each.members)
    if limits.lists is not None and there >= limits.lists:
        return f"the store has its {limits.lists} lists already, and holds no more"
    if limits.members is not None and limits.members < 2:
        return "a list of the store holds one account only"
    return (
        f"at most {most} accounts or sites have the same prices, and so few rows to be told"
        " that a list takes no fewer"
    )


def _without_lists(facts: Facts) -> tuple[tuple[int, int], tuple[int, int]]:
    """What goes and what comes if each partition is told its own: rows, and in how many parts."""
    goes, gone, comes, come = 0, 0, 0, 0
    for change, count in Counter(facts.changes.values()).items():
        kept = facts.kept(change)
        goes += count * _rows(kept.removed)
        gone += count * bool(_rows(kept.removed))
        for each in (kept.after, kept.added):
            comes += count * _rows(each)
            come += count * bool(_rows(each))
    return (goes, gone), (comes, come)


def _copied(facts: Facts, limits: ListLimits) -> int:
    """How many rows the store writes once more if every member is told its own changes."""
    if limits.overrides:
        return 0
    return sum(each.rows * len(each.members & facts.changes.keys()) for each in facts.lists)


def _may_share(partition: Partition, facts: Facts, limits: ListLimits) -> bool:
    """Whether the store can show it a list."""
    audience, _ = partition
    if not may_share(partition) or (audience.kind is AudienceKind.LOCATION and not limits.sites):
        return False
    return limits.overrides or audience not in facts.mixed


class _Planning:
    def __init__(self, facts: Facts, limits: ListLimits, orphans: Sequence[str]) -> None:
        self._facts, self._limits = facts, limits
        self._plan = SharingPlan(drops=list(orphans))
        self._held = [each for each in facts.lists if each.members]
        self._list_of = {member: each for each in self._held for member in each.members}
        self._ids = {each.list_id for each in facts.lists}
        self._common: dict[str, Change] = {}
        self._listed: OrderedDict[str, pa.Table] = OrderedDict()
        self._targets: OrderedDict[str, pa.Table] = OrderedDict()
        self._room = {each.list_id: self.most - len(each.members) for each in self._held}
        self._puts: dict[Change, pa.Table] = {}
        self._carried: set[Partition] = set()

    @property
    def most(self) -> int:
        return self._limits.members if self._limits.members is not None else 2**62

    def plan(self) -> SharingPlan:
        gone = (each for each in self._facts.gone if self.may_share(each))
        self._plan.quits += sorted(gone, key=_order)
        self._carried.update(self._plan.quits)
        for each in self._held:
            self._change_list(each)
        for partition in sorted(self._facts.changes, key=_order):
            if partition not in self._carried and partition not in self._plan.own:
                self._plan.own[partition] = self._as_told(self._facts.changes[partition])
        _Joining(self._facts, self._limits, self._plan, self).go()
        if not self.overrides:
            self._let_leave()
        return self._plan

    def _let_leave(self) -> None:
        """Members that are told rows of their own, or are shown more than the list."""
        plan, members = self._plan, self._list_of.keys()
        staying = members - set(plan.leaves) - set(plan.quits)
        leaving = {each for each in staying if each in plan.own or not self.may_share(each)}
        plan.leaves += sorted(leaving, key=_order)
        plan.copied = {each: self._list_of[each].rows for each in plan.leaves if each in members}

    @property
    def overrides(self) -> bool:
        return self._limits.overrides

    def may_share(self, partition: Partition) -> bool:
        return _may_share(partition, self._facts, self._limits)

    def leaving_costs(self, partition: Partition) -> int:
        """What it takes for a member to be one no more; nothing for who is none."""
        held = self._list_of.get(partition)
        return 0 if held is None else 1 + (0 if self.overrides else held.rows)

    # Lists that change.

    def _change_list(self, held: ShownList) -> None:
        facts = self._facts
        members = sorted(held.members - self._carried, key=_order)
        changes = {each: facts.changes.get(each, UNCHANGED) for each in members}
        counted = Counter(changes[each] for each in members if each in facts.known)
        if not counted:
            return
        common = min(counted, key=lambda each: (-counted[each], each))
        if common == UNCHANGED:
            return
        adjusted = self._adjusted(held, changes, common)
        if adjusted is not None:
            self._take_over(held, common, adjusted)

    def _adjusted(
        self, held: ShownList, changes: Mapping[Partition, Change], common: Change
    ) -> dict[Partition, _Adjustment] | None:
        """What each member needs once the list changes so; None where that is no cheaper.

        To know what one needs takes a look at the whole list, so it is given up as soon
        as it cannot be cheaper, or was not for the first so many.
        """
        facts = self._facts
        alone = {each: self._costs_alone(each, change) for each, change in changes.items()}
        rows = self._rows_of_list(held.list_id)
        delta, put = facts.delta(common), self._put(common)
        items = set(items_of(delta.removed)) | set(items_of(put))
        # Of the rest somebody loses a row at most, which matters only where it must leave then.
        if self._limits.gaps:
            rows = _of_items(rows, items)
        found = facts.own_rows(held.list_id, sorted(items))
        own = {(each.audience, each.scope): canonical(each.rows) for each in found}
        adjusted: dict[Partition, _Adjustment] = {}
        # Who has no row of its own there and changes the same is adjusted the same.
        alike: dict[Change, _Adjustment] = {}
        cost, most, instead = len(delta.removed) + len(put), sum(alone.values()), 0
        for number, member in enumerate(_some_first(list(changes)), 1):
            change = changes[member]
            mine = own.get(member)
            if member not in facts.known or not self.may_share(member):
                adjusted[member] = self._leaving(change)
            elif mine is not None:
                adjusted[member] = self._adjust(rows, delta, put, change, mine)
            else:
                if change not in alike:
                    alike[change] = self._adjust(rows, delta, put, change, NOTHING)
                adjusted[member] = alike[change]
            cost += self._costs(member, adjusted[member])
            instead += alone[member]
            if cost >= most or (number == TRIED and cost >= instead):
                return None
        return {member: adjusted[member] for member in changes}

    def _adjust(
        self, rows: pa.Table, delta: Delta, put: pa.Table, change: Change, own: pa.Table
    ) -> _Adjustment:
        """What a member needs beside the list's change, to show what it is to show."""
        mine = self._facts.delta(change) if change != UNCHANGED else _NONE
        my_put = self._put(change) if change != UNCHANGED else NOTHING
        # What the list loses and the member keeps, what it gets and the member does not.
        kept = _only(_only(delta.removed, mine.removed), own)
        odd = _only(_only(_only(_rows_not_in(put, my_put), own), my_put), mine.removed)
        pinned = _common(rows, _union(kept, odd))
        strange = _only(odd, rows)
        carried_away = _only(_common(mine.removed, delta.removed), own)
        removed = _only(mine.removed, carried_away)
        # A row of its own goes, and the list is seen where it was, or will be. The store hides
        # what the list has by then; what it gets later must be told.
        in_list = _only(_common(removed, rows), delta.removed)
        hidden = _union(strange, _only(_common(removed, put), in_list))
        if not self._limits.gaps and (len(hidden) or len(in_list)):
            return self._leaving(change)
        carried = _only(_rows_in(put, my_put), own)
        added = len(_common(carried, mine.added))
        counts = {
            Kind.REMOVED: len(carried_away),
            Kind.CHANGED: len(carried) - added,
            Kind.ADDED: added,
        }
        keep, apart = self._facts.keep, _only(my_put, carried)
        if not self.overrides and (len(pinned) or len(removed) or len(apart)):
            return self._leaving(change)
        rest = keep(apart)
        put_own = (rest,) if rest is not None else ()
        told = OwnRows(keep(pinned), keep(hidden), keep(removed), put_own)
        return _Adjustment(told, {kind: count for kind, count in counts.items() if count})

    def _leaving(self, change: Change) -> _Adjustment:
        return _Adjustment(self._as_told(change), leaves=True)

    def _costs(self, member: Partition, adjusted: _Adjustment) -> int:
        return adjusted.own.entries + (self.leaving_costs(member) if adjusted.leaves else 0)

    def _costs_alone(self, member: Partition, change: Change) -> int:
        """Of a member whose list stays as it is."""
        entries = self._entries(change)
        leaves = bool(entries) and not self.overrides
        return entries + (self.leaving_costs(member) if leaves else 0)

    def _take_over(
        self,
        held: ShownList,
        common: Change,
        adjusted: Mapping[Partition, _Adjustment],
    ) -> None:
        facts, plan = self._facts, self._plan
        delta, put = facts.delta(common), self._put(common)
        carried: dict[Partition, Mapping[Kind, int]] = {}
        for member, each in adjusted.items():
            if each.leaves:
                plan.leaves.append(member)
            if each.carried:
                carried[member] = each.carried
            if each.own.entries:
                plan.own[member] = each.own
            self._carried.add(member)
        plan.changes.append(
            ListChange(held.list_id, facts.keep(delta.removed), facts.keep(put), carried)
        )
        self._common[held.list_id] = common

    # What is asked for more than once.

    def _rows_of_list(self, list_id: str) -> pa.Table:
        """The rows of a list as it is."""
        if list_id not in self._listed:
            self._listed[list_id] = self._facts.list_rows(list_id)
            if len(self._listed) > AT_HAND:
                self._listed.popitem(last=False)
        return self._listed[list_id]

    def target(self, list_id: str) -> pa.Table:
        """The rows of a list when the run is over."""
        if list_id not in self._targets:
            rows, common = self._rows_of_list(list_id), self._common.get(list_id)
            # By then it is decided how it changes: nobody asks for them again.
            del self._listed[list_id]
            if common is not None:
                delta, put = self._facts.delta(common), self._put(common)
                rows = _union(_only(_only(rows, delta.removed), put), put)
            self._targets[list_id] = rows
        self._targets.move_to_end(list_id)
        if len(self._targets) > AT_HAND:
            self._targets.popitem(last=False)
        return self._targets[list_id]

    def room(self, list_id: str) -> int:
        return self._room.setdefault(list_id, self.most)

    def take_room(self, list_id: str, count: int) -> None:
        self._room[list_id] = self.room(list_id) - count

    def new_id(self, content: Content) -> str:
        """The same for the same content, unless a list has it that shows other things now."""
        name = (content[0] + content[1]).hex()[:40]
        number, list_id = 1, name
        while list_id in self._ids:
            number, list_id = number + 1, f"{name}-{number}"
        self._ids.add(list_id)
        return list_id

    def _as_told(self, change: Change) -> OwnRows:
        """All rows of the change, where they lie already."""
        if change == UNCHANGED:
            return OwnRows()
        kept = self._facts.kept(change)
        put = tuple(each for each in (kept.after, kept.added) if each is not None)
        return OwnRows(removed=kept.removed, put=put)

    def _entries(self, change: Change) -> int:
        return self._facts.kept(change).writes if change != UNCHANGED else 0

    def _put(self, change: Change) -> pa.Table:
        if len(self._puts) > AT_HAND:
            self._puts.clear()
        if change not in self._puts:
            self._puts[change] = _put_of(self._facts.delta(change))
        return self._puts[change]


@dataclass(frozen=True, slots=True)
class _Adjustment:
    """What a member of a list that changes needs, and what of its change the list carries."""

    own: OwnRows
    carried: Mapping[Kind, int] = field(default_factory=dict)
    leaves: bool = False


@dataclass
class _Open:
    """A list that somebody may join, with its rows when the run is over.

    A new one has no ID before it is made; ``kept`` is where its rows lie.
    """

    rows: pa.Table
    list_id: str = ""
    kept: Kept | None = None
    members: int = 0


@dataclass(frozen=True, slots=True)
class _Choice:
    """Those of a group join a list, each with these rows of its own."""

    group: _Group
    into: _Open
    own: Kept | None

    @property
    def cost(self) -> int:
        return self.group.extra + len(self.group.partitions) * (1 + _rows(self.own))


@dataclass
class _Group:
    """Partitions that are to show the same. ``plain``: what telling them rows costs;
    ``extra``: what joining costs besides the members and their own rows."""

    content: Content
    partitions: list[Partition] = field(default_factory=list)
    plain: int = 0
    extra: int = 0


class _Chances:
    """Whether it is worth it to try one more, where so many of the same size did not take.

    Those of one size come one after the other, and first those that have the most to gain.
    """

    def __init__(self) -> None:
        self._size = self._missed = 0

    def of(self, size: int) -> bool:
        if size != self._size:
            self._size, self._missed = size, 0
        return self._missed < TRIED

    def took(self, it: bool) -> None:
        self._missed = 0 if it else self._missed + 1


class _Joining:
    """Who becomes a member of which list."""

    def __init__(
        self, facts: Facts, limits: ListLimits, plan: SharingPlan, planning: _Planning
    ) -> None:
        self._facts, self._plan, self._planning = facts, plan, planning
        self._entries, self._gaps = limits.entries, limits.gaps
        there = sum(1 for each in facts.lists if each.members)
        self._free = limits.lists - there if limits.lists is not None else 2**62
        self._leaving = set(plan.leaves)
        self._list_of = {each: held.list_id for held in facts.lists for each in held.members}
        # The first ones are those of the most, so that others may be near them, too.
        self._made: dict[str, pa.Table] = {}
        self._changing = {each.list_id for each in plan.changes}
        self._carried = {member for each in plan.changes for member in each.carried}
        self._lasting: list[str] = []
        self._shown_in: dict[Content, Counter[str]] = {}
        for partition, list_id in self._list_of.items():
            if partition in facts.known and partition not in self._leaving:
                content = facts.known[partition]
                self._shown_in.setdefault(content, Counter())[list_id] += 1

    def go(self) -> None:
        clusters: dict[Content, list[_Group]] = {}
        groups = self._groups()
        self._lasting = self._lists_that_last(groups)
        for group in groups:
            root = self._facts.near(group.content) or group.content
            clusters.setdefault(root, []).append(group)
        sizes = {root: sum(len(g.partitions) for g in found) for root, found in clusters.items()}
        plain = {root: sum(group.plain for group in found) for root, found in clusters.items()}
        chances = _Chances()
        for root in sorted(clusters, key=lambda each: (-sizes[each], -plain[each], each)):
            if chances.of(sizes[root]):
                chances.took(self._place(root, sorted(clusters[root], key=_largest_first)))

    def _groups(self) -> list[_Group]:
        """Of partitions that rows would cost more than to join a list; each fits into one."""
        found: list[_Group] = []
        last: dict[Content, _Group] = {}
        for partition in sorted(self._plan.own, key=_order):
            own = self._plan.own[partition]
            if partition not in self._facts.changes or partition not in self._facts.known:
                continue
            # Of whom a part goes with the list, the rest cannot go elsewhere.
            if partition in self._carried:
                continue
            gone = partition in self._leaving
            leaving = 0 if gone else self._planning.leaving_costs(partition)
            extra = _rows(own.removed) + (leaving if self._must_leave(partition, own) else 0)
            plain = own.entries + (0 if self._planning.overrides else leaving)
            if not self._planning.may_share(partition) or plain <= 1 + extra:
                continue
            content = self._facts.known[partition]
            group = last.get(content)
            if group is None or len(group.partitions) >= self._planning.most:
                group = last[content] = _Group(content)
                found.append(group)
            group.partitions.append(partition)
            group.plain += plain
            group.extra += extra
        return found

    def _lists_that_last(self, groups: Iterable[_Group]) -> list[str]:
        """Lists with a member that surely stays, the largest first.

        A list goes with its last member, also where others were to join it later.
        """
        moving = {each for group in groups for each in group.partitions}
        moving.update(self._leaving, self._plan.quits)
        # Without gaps the store lets a member leave that loses a row of its list.
        for each, own in self._plan.own.items():
            if not self._planning.overrides or (own.removed is not None and not self._gaps):
                moving.add(each)
        by_size = sorted(self._facts.lists, key=lambda each: (-len(each.members), each.list_id))
        return [each.list_id for each in by_size if each.members - moving]

    def _must_leave(self, partition: Partition, own: OwnRows) -> bool:
        """Whether its list changes meanwhile, and it would be shown that."""
        list_id = self._list_of.get(partition)
        if list_id is None or partition in self._leaving:
            return False
        goes = own.removed is not None and not self._planning.overrides
        return goes or list_id in self._changing

    def _place(self, root: Content, groups: Sequence[_Group]) -> bool:
        """Groups that are near each other, into lists that are there or new ones.

        Whether anybody joins one.
        """
        told = sum(len(each.partitions) for each in groups)
        there = [
            _Open(self._planning.target(each), each)
            for each in self._candidates([root, *(each.content for each in groups)])
        ]
        there += [_Open(rows, list_id) for list_id, rows in self._made.items()]
        opened: list[_Open] = []
        chosen: list[_Choice] = []
        chances = _Chances()
        for group in groups:
            count = len(group.partitions)
            if not chances.of(count):
                continue
            # To look at all that one shows takes as long, whatever little of it has changed.
            rows = self._facts.rows(group.content)
            if rows is None or not len(rows):
                continue
            # The first ones are those of the most.
            into, own, cost = self._cheapest([*there, *opened[:CANDIDATES]], group, rows)
            alone = len(rows) + group.extra + count
            # The first one pays for a list so that those near it need not.
            hub = self._planning.overrides and into is None and not opened and told > count
            hub = hub and alone <= group.plain + count
            # Where nobody else can ever be near it, a list for one is only another name.
            lonely = count < 2 and not self._planning.overrides
            if len(opened) < self._free and not lonely and (alone < cost or hub):
                near = rows if len(opened) < CANDIDATES else NOTHING
                into, own = _Open(near, kept=self._facts.keep(rows)), NOTHING
                opened.append(into)
            if into is not None:
                into.members += count
                chosen.append(_Choice(group, into, self._facts.keep(own)))
            chances.took(into is not None)
        joined = len(self._plan.joins)
        self._settle(chosen)
        return len(self._plan.joins) > joined

    def _cheapest(
        self, lists: Iterable[_Open], group: _Group, rows: pa.Table
    ) -> tuple[_Open | None, pa.Table, int]:
        best: tuple[_Open | None, pa.Table, int] = (None, NOTHING, group.plain)
        count, most = len(group.partitions), self._planning.most
        for each in lists:
            room = self._planning.room(each.list_id) if each.list_id else most
            if room - each.members < count or len(_only(each.rows, rows)):
                continue
            own = _rows_not_in(rows, each.rows)
            if 1 + len(own) > self._entries or (len(own) and not self._planning.overrides):
                continue
            cost = group.extra + count * (1 + len(own))
            if cost < best[2]:
                best = (each, own, cost)
        return best

    def _settle(self, chosen: Sequence[_Choice]) -> None:
        """Make the lists that are worth their rows, and let the groups join."""
        saved = Counter[int]()
        for each in chosen:
            saved[id(each.into)] += each.group.plain - each.cost
        for each in chosen:
            into = each.into
            if into.kept is not None and saved[id(into)] <= into.kept.rows:
                continue
            if into.kept is not None and not into.list_id:
                into.list_id = self._planning.new_id(each.group.content)
                self._plan.new_lists.append(NewList(into.list_id, into.kept))
                self._free -= 1
                if len(self._made) < CANDIDATES and len(into.rows):
                    self._made[into.list_id] = into.rows
            self._join(each.group, into.list_id, each.own)

    def _join(self, group: _Group, list_id: str, kept: Kept | None) -> None:
        plan = self._plan
        self._planning.take_room(list_id, len(group.partitions))
        for partition in group.partitions:
            before = plan.own.pop(partition)
            if self._must_leave(partition, before):
                plan.leaves.append(partition)
                self._leaving.add(partition)
            if before.removed is not None:
                plan.own[partition] = OwnRows(removed=before.removed)
            plan.joins.append(Join(partition, list_id, kept))

    def _candidates(self, contents: Iterable[Content]) -> list[str]:
        """Lists of which a member shows one of these, those with most of them first.

        Besides them the largest ones: whoever is new may be like those of any.
        """
        counted = Counter[str]()
        for each in dict.fromkeys(contents):
            counted.update(self._shown_in.get(each, Counter()))
        found = sorted(counted, key=lambda each: (-counted[each], each))
        lasting = (each for each in found if each in self._lasting)
        return list(dict.fromkeys([*lasting, *self._lasting[:CANDIDATES]]))[:CANDIDATES]


_NONE = Delta(NOTHING, NOTHING, NOTHING, NOTHING)


def _largest_first(group: _Group) -> tuple[object, ...]:
    return (-len(group.partitions), -group.plain, group.content)


def _some_first(members: Sequence[Partition]) -> Iterator[Partition]:
    """All of them, every n-th first."""
    step = -(-len(members) // TRIED)
    yield from members[::step]
    yield from (each for number, each in enumerate(members) if number % step)


def _put_of(delta: Delta) -> pa.Table:
    return _union(delta.after, delta.added)


def _union(one: pa.Table, other: pa.Table) -> pa.Table:
    """All rows of both, which have no key in common."""
    if not len(one) or not len(other):
        return (one if len(one) else other).combine_chunks()
    return canonical(pa.concat_tables([one, other]))


def _of_items(rows: pa.Table, items: Collection[Sku]) -> pa.Table:
    wanted = pa.array(sorted({each.value for each in items}), pa.string())
    return rows.filter(pc.is_in(rows.column("sku"), value_set=wanted)).combine_chunks()


def _only(rows: pa.Table, others: pa.Table) -> pa.Table:
    """The rows whose keys the others do not have."""
    if not len(rows) or not len(others):
        return rows
    return rows.take(difference(rows.select(_KEYS), others.select(_KEYS)).gone).combine_chunks()


def _common(rows: pa.Table, others: pa.Table) -> pa.Table:
    """The rows whose keys the others have."""
    if not len(rows) or not len(others):
        return NOTHING
    gone = difference(rows.select(_KEYS), others.select(_KEYS)).gone
    return without(rows, gone).combine_chunks()


def _rows_not_in(rows: pa.Table, others: pa.Table) -> pa.Table:
    """The rows that are not among the others with the same price and end."""
    if not len(rows) or not len(others):
        return rows
    return rows.take(difference(rows, others).gone).combine_chunks()


def _rows_in(rows: pa.Table, others: pa.Table) -> pa.Table:
    if not len(rows) or not len(others):
        return NOTHING
    return without(rows, difference(rows, others).gone).combine_chunks()


def _rows(kept: Kept | None) -> int:
    return kept.rows if kept is not None else 0


def _order(partition: Partition) -> tuple[object, ...]:
    audience, scope = partition
    return (audience.order, scope)
