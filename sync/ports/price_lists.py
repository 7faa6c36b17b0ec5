"""Price lists of the store that many accounts share, beside prices of their own.

A *shared list* is a set of price rows under an ID that means nothing to anybody. A
partition (an account's own prices, or a site's) is a *member* of at most one. What a
member shows are the list's rows, and over them rows of its own: of two with one key its
own is shown. No row of its own can hide one of the list's, so whoever joins has every key
of it. In a store without ``ListLimits.overrides`` a member has no rows of its own, so that
a list is only for those who show all of it and no more. In one with ``ListLimits.gaps`` a
member can lose a row of the list and stay on it: that key is then a *gap* of the member,
which shows no row of the list with it, now or later, for as long as it is on that list.

Shoppers, and whatever else many people see, never share a list: the types leave no room
for it, so that no account's price can come into a shop window by a wrong assignment.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from sync.domain.pricing import AudienceKind, PriceLevel
from sync.ports.price_memory import Partition
from sync.ports.store import PriceRows

if TYPE_CHECKING:
    import pyarrow as pa

    from sync.domain.ids import Sku

_SHARING = {
    AudienceKind.ACCOUNT: PriceLevel.ACCOUNT,
    AudienceKind.LOCATION: PriceLevel.LOCATION,
}


def may_share(partition: Partition) -> bool:
    """Whether it is the own prices of one account or site, shown to its buyers alone."""
    audience, scope = partition
    return _SHARING.get(audience.kind) is scope.level and audience.key == scope.owner


@dataclass(frozen=True, slots=True)
class ShownList:
    """A list as the store has it. ``stamp`` is another one after every change of it.

    A change of the list is one of its rows, of who is a member, and of any member's own
    rows.
    """

    list_id: str
    stamp: str
    rows: int
    members: frozenset[Partition]


@dataclass(frozen=True, slots=True)
class ListRows:
    """Rows of a list, as ``sync.columnar.vectors`` has them; no two of them have one key."""

    list_id: str
    rows: pa.Table


@dataclass(frozen=True, slots=True)
class Joining:
    """A partition that is to show the list, over it ``own``, and nothing else.

    Raises ValueError for a partition that may share no list.
    """

    list_id: str
    own: PriceRows

    def __post_init__(self) -> None:
        if not may_share(self.partition):
            raise ValueError(f"{self.own.audience} and {self.own.scope} may share no price list")

    @property
    def partition(self) -> Partition:
        return (self.own.audience, self.own.scope)


@dataclass(frozen=True, slots=True)
class SharedChange:
    """What one call changes, in the order of the fields.

    ``stamp`` is the one that every list named here has afterwards, ``expected`` the one
    that it has before, None for a list that is not there yet. ``leave``: partitions that
    are no members any more, and go on showing what they show; ``quit``: those that show
    nothing any more. ``hide``, where the store has gaps: what becomes a gap of these members
    before the list gets it. Of removed and hidden rows only the keys count.
    """

    stamp: str
    expected: Mapping[str, str | None]
    drop: Sequence[str] = ()
    leave: Sequence[Partition] = ()
    quit: Sequence[Partition] = ()
    hide: Sequence[PriceRows] = ()
    remove: Sequence[ListRows] = ()
    remove_own: Sequence[PriceRows] = ()
    put_own: Sequence[PriceRows] = ()
    put: Sequence[ListRows] = ()
    join: Sequence[Joining] = field(default=())

    @property
    def entries(self) -> int:
        """Rows, members and lists that the call carries."""
        own = [each.own for each in self.join]
        told = (*self.hide, *self.remove_own, *self.put_own, *own)
        counts = [len(each.rows) for each in told]
        counts += [len(each.rows) for each in (*self.remove, *self.put)]
        partitions = len(self.leave) + len(self.quit) + len(self.join)
        return len(self.drop) + partitions + sum(counts)

    @property
    def named(self) -> frozenset[str]:
        """The lists that it names itself, besides those of the partitions in it."""
        told = {each.list_id for each in (*self.remove, *self.put)}
        return frozenset(told.union(self.drop, self.filled))

    @property
    def filled(self) -> frozenset[str]:
        """The lists that must be there for it, or be made by it."""
        return frozenset({each.list_id for each in self.put} | {each.list_id for each in self.join})

    @property
    def partitions(self) -> frozenset[Partition]:
        """Those that it changes by themselves."""
        told = (*self.hide, *self.remove_own, *self.put_own)
        own = {(each.audience, each.scope) for each in told}
        return frozenset(own.union(self.leave, self.quit, (each.partition for each in self.join)))


@runtime_checkable
class SharesPriceLists(Protocol):
    """Optional, beside ``MirrorsPrices``, claimed by ``StoreCapabilities.price_lists``.

    All other methods for prices keep their meaning: ``shown_prices`` and the like tell
    what a member shows, wherever it comes from. What is put for a member becomes its own
    row. What is removed is shown no more: where the list has it, it becomes a gap of the
    member, and without ``ListLimits.gaps`` the member leaves the list first and keeps all
    the rest. In one call with changes of the list, what the list has after them counts.
    With its last member a list goes, but for one that never had any.

    Without ``ListLimits.overrides`` whoever has anything put or removed, be it in another
    partition of the same audience, leaves its list first and keeps what it showed; and
    nobody can join who brings rows of its own, or is shown anything in another partition.
    """

    def shown_price_lists(self) -> Sequence[ShownList]:
        """Every list, by its ID."""
        ...

    def shown_list_rows(self, list_id: str) -> pa.Table:
        """The rows of a list, canonical (``sync.columnar.vectors``); none for no list."""
        ...

    def shown_own_rows(self, list_id: str, items: Collection[Sku]) -> Sequence[PriceRows]:
        """The own rows of its members for these items, of each member one table at most.

        A gap without an own row counts as one that has no price.
        """
        ...

    def apply_shared_prices(self, change: SharedChange) -> None:
        """All of it or nothing; the same call twice is as once.

        A list that is named must have the stamp that is expected, or the call's own
        because it was carried out before; one that nothing is put into and nobody joins
        may also be gone. Every list that any part of the call concerns must be named,
        those that members leave too. Otherwise, and where a list to be dropped has
        members, Conflict. ValueError or Rejected for rows as ``apply_price_rows``
        raises them, Rejected for whoever may not join. Nothing is changed then, but that
        whoever was to leave may have done so.
        """
        ...
