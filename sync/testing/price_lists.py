"""What the store fake keeps of prices: rows of partitions, and lists that many share."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sync.domain.ids import Sku
from sync.domain.pricing import (
    DEFAULT_LIST,
    Audience,
    AudienceKind,
    Price,
    PriceKey,
    PriceScope,
    PriceValue,
)
from sync.domain.views import PublishedPriceKey
from sync.errors import Conflict, Rejected
from sync.ports.price_lists import SharedChange, ShownList
from sync.ports.price_memory import Partition
from sync.ports.store import ListLimits, PriceRows

if TYPE_CHECKING:
    import pyarrow as pa

Entries = Mapping[PublishedPriceKey, PriceValue]


@dataclasses.dataclass
class _List:
    """Keys of a list's rows have the scope of the default list, which says nothing."""

    stamp: str
    rows: dict[PriceKey, PriceValue] = dataclasses.field(default_factory=dict)


class MemoryPrices:
    """Own rows, lists and who is a member of which. ``limits``: what members may have."""

    def __init__(self, limits: ListLimits | None = None) -> None:
        self._limits = limits if limits is not None else ListLimits(1)
        self._own: dict[PublishedPriceKey, PriceValue] = {}
        self._lists: dict[str, _List] = {}
        self._member_of: dict[Partition, str] = {}
        # Keys that a member is not shown of its list, with the scope of the list's rows.
        self._gaps: dict[Partition, set[PriceKey]] = {}
        self._stamps = 0

    # What is shown.

    def shown(self) -> dict[PublishedPriceKey, PriceValue]:
        """Every price shown, to anybody."""
        found = {
            _of(partition, key): value
            for partition in self._member_of
            for key, value in self._listed(partition).items()
        }
        return found | self._own

    def of(self, audience: Audience, scope: PriceScope) -> dict[PriceKey, PriceValue]:
        rows = self._listed((audience, scope))
        found = {dataclasses.replace(key, scope=scope): value for key, value in rows.items()}
        for key, value in self._own.items():
            if key.audience == audience and key.key.scope == scope:
                found[key.key] = value
        return found

    def _listed(self, partition: Partition) -> Mapping[PriceKey, PriceValue]:
        """What a member is shown of its list, if nothing of its own is over it."""
        list_id, gaps = self._member_of.get(partition), self._gaps.get(partition, ())
        rows = self._lists[list_id].rows if list_id is not None else {}
        return {key: value for key, value in rows.items() if key not in gaps}

    def partitions(self) -> set[Partition]:
        found = {(key.audience, key.key.scope) for key in self._own}
        return found | {p for p, each in self._member_of.items() if self._lists[each].rows}

    def audiences(self) -> set[Audience]:
        return {audience for audience, _ in self.partitions()}

    # What any caller may do, knowing of lists or not.

    def change(self, put: Entries, remove: Iterable[PublishedPriceKey]) -> None:
        gone = list(remove)
        self._let_leave({key.audience for key in (*put, *gone)})
        self._remove_own(gone)
        self._own.update(put)
        self._hide(gone)
        touched = {(key.audience, key.key.scope) for key in (*put, *gone)}
        for list_id in {self._member_of[each] for each in touched & self._member_of.keys()}:
            self._lists[list_id].stamp = self._new_stamp()

    def withdraw(self, audiences: Collection[Audience]) -> None:
        for partition in [each for each in self._member_of if each[0] in audiences]:
            self._forget(partition)
        self._own = {k: v for k, v in self._own.items() if k.audience not in audiences}

    def touch(self, changed: Any) -> None:
        """Somebody gives every price the value that ``changed`` makes of it."""
        self._own = {key: changed(held) for key, held in self._own.items()}
        for each in self._lists.values():
            each.rows = {key: changed(held) for key, held in each.rows.items()}
            each.stamp = self._new_stamp()

    # Lists.

    def lists(self) -> list[ShownList]:
        return [
            ShownList(
                list_id,
                held.stamp,
                len(held.rows),
                frozenset(p for p, each in self._member_of.items() if each == list_id),
            )
            for list_id, held in sorted(self._lists.items())
        ]

    def rows_of(self, list_id: str) -> pa.Table:
        from sync.columnar.vectors import vector_of

        held = self._lists.get(list_id)
        return vector_of(Price(key, value) for key, value in (held.rows if held else {}).items())

    def own_rows(self, list_id: str, items: Collection[Sku]) -> list[PriceRows]:
        from sync.columnar.vectors import vector_of

        found: dict[Partition, list[Price]] = {}
        wanted = set(items)
        gaps = {
            _of(partition, key): PriceValue(None)
            for partition, keys in self._gaps.items()
            for key in keys
        }
        for key, value in (gaps | self._own).items():
            partition = (key.audience, key.key.scope)
            if key.key.sku in wanted and self._member_of.get(partition) == list_id:
                found.setdefault(partition, []).append(Price(key.key, value))
        return [PriceRows(*each, vector_of(prices)) for each, prices in found.items()]

    def apply(self, change: SharedChange) -> None:
        self._refuse_moved(change)
        self._refuse_joining(change)
        before = self._members()
        for list_id in change.drop:
            self._lists.pop(list_id, None)
        for partition in change.leave:
            self._leave(partition)
        self._let_leave({each.audience for each in (*change.remove_own, *change.put_own)})
        for partition in change.quit:
            self._remove_all_own(partition)
            if partition in self._member_of:
                self._forget(partition)
        for each in change.hide:
            self._hide_whatever_comes(each)
        for rows in change.remove:
            held = self._lists.get(rows.list_id)
            for key, _ in list_entries(rows.rows) if held else ():
                held.rows.pop(key, None)  # type: ignore[union-attr]
        gone = [key for rows in change.remove_own for key, _ in entries(rows)]
        self._remove_own(gone)
        self._own.update(pair for rows in change.put_own for pair in entries(rows))
        for rows in change.put:
            held = self._lists.setdefault(rows.list_id, _List(change.stamp))
            held.rows.update(list_entries(rows.rows))
        self._hide(gone)
        for joining in change.join:
            self._remove_all_own(joining.partition)
            self._gaps.pop(joining.partition, None)
            self._own.update(entries(joining.own))
            self._member_of[joining.partition] = joining.list_id
        self._drop_deserted(before)
        for list_id in change.expected:
            if list_id in self._lists:
                self._lists[list_id].stamp = change.stamp
        self._refuse_too_many()

    def _refuse_joining(self, change: SharedChange) -> None:
        """Rejected, before anything is changed, for whoever no list can be shown to."""
        for each in change.join:
            audience, scope = each.partition
            apart = any(k.audience == audience and k.key.scope != scope for k in self._own)
            if not self._limits.overrides and (len(each.own.rows) or apart):
                raise Rejected(
                    f"{audience} is to show more than a price list",
                    code="price_list_overridden",
                    remedy="tell it all of its prices, and no list",
                )
            if audience.kind is AudienceKind.LOCATION and not self._limits.sites:
                raise Rejected(
                    f"{audience} is a site, and shows no price list",
                    code="price_list_of_site",
                    remedy="tell it all of its prices, and no list",
                )

    def _refuse_moved(self, change: SharedChange) -> None:
        """Conflict where somebody else was there first; ValueError for a list not named."""
        for list_id, expected in change.expected.items():
            held = self._lists.get(list_id)
            stamp = held.stamp if held is not None else None
            if stamp in (expected, change.stamp) or (
                stamp is None and list_id not in change.filled
            ):
                continue
            raise Conflict(f"price list {list_id} is not what it was")
        if unnamed := self._concerned(change) - change.expected.keys():
            raise Conflict(f"price lists that nobody named are concerned: {sorted(unnamed)}")
        members = set(self._member_of.values())
        if kept := members.intersection(change.drop):
            raise Conflict(f"price lists have members again: {sorted(kept)}")
        there = self._lists.keys() | {each.list_id for each in change.put}
        if missing := {each.list_id for each in change.join} - there:
            raise Conflict(f"there are no price lists {sorted(missing)}")

    def _concerned(self, change: SharedChange) -> set[str]:
        members = change.partitions & self._member_of.keys()
        return {self._member_of[each] for each in members} | change.named

    def _refuse_too_many(self) -> None:
        limits = self._limits
        most = max((len(each.members) for each in self.lists()), default=0)
        if limits.lists is not None and len(self._lists) > limits.lists:
            raise AssertionError(f"{len(self._lists)} price lists, of {limits.lists}")
        if limits.members is not None and most > limits.members:
            raise AssertionError(f"{most} members of a price list, of {limits.members}")

    # How it keeps its promises.

    def _let_leave(self, touched: Collection[Audience]) -> None:
        """Whoever is told something of its own, where a member can have nothing of that."""
        if not self._limits.overrides:
            for partition in [each for each in self._member_of if each[0] in touched]:
                self._leave(partition)

    def _remove_own(self, keys: Collection[PublishedPriceKey]) -> None:
        for key in keys:
            if not self._limits.gaps and self._has(key):
                self._leave((key.audience, key.key.scope))
        for key in keys:
            self._own.pop(key, None)

    def _hide(self, keys: Iterable[PublishedPriceKey]) -> None:
        """After all else: members do not show these rows of their lists."""
        for key in keys:
            if self._limits.gaps and self._has(key):
                gaps = self._gaps.setdefault((key.audience, key.key.scope), set())
                gaps.add(_bare(key.key))

    def _hide_whatever_comes(self, rows: PriceRows) -> None:
        if not self._limits.gaps:
            raise AssertionError("members of these price lists have no gaps")
        partition = (rows.audience, rows.scope)
        if partition in self._member_of:
            gaps = self._gaps.setdefault(partition, set())
            gaps.update(_bare(key.key) for key, _ in entries(rows))

    def _has(self, key: PublishedPriceKey) -> bool:
        """Whether the list has it that this partition is on."""
        list_id = self._member_of.get((key.audience, key.key.scope))
        return list_id is not None and _bare(key.key) in self._lists[list_id].rows

    def _leave(self, partition: Partition) -> None:
        """It goes on showing what it shows."""
        if partition in self._member_of:
            for key, value in self.of(*partition).items():
                self._own[PublishedPriceKey(partition[0], key)] = value
            self._forget(partition)

    def _forget(self, partition: Partition) -> None:
        before = self._members()
        self._gaps.pop(partition, None)
        list_id = self._member_of.pop(partition)
        self._lists[list_id].stamp = self._new_stamp()
        self._drop_deserted(before)

    def _remove_all_own(self, partition: Partition) -> None:
        self._own = {
            key: value
            for key, value in self._own.items()
            if (key.audience, key.key.scope) != partition
        }

    def _members(self) -> set[str]:
        return set(self._member_of.values())

    def _drop_deserted(self, before: Collection[str]) -> None:
        for list_id in set(before) - self._members():
            self._lists.pop(list_id, None)

    def _new_stamp(self) -> str:
        self._stamps += 1
        return f"by others {self._stamps}"


def entries(rows: PriceRows) -> Iterator[tuple[PublishedPriceKey, PriceValue]]:
    from sync.columnar.vectors import prices_of

    for price in prices_of(rows.rows, rows.scope):
        yield PublishedPriceKey(rows.audience, price.key), price.value


def list_entries(rows: pa.Table) -> Iterator[tuple[PriceKey, PriceValue]]:
    from sync.columnar.vectors import prices_of

    for price in prices_of(rows, DEFAULT_LIST):
        yield price.key, price.value


def _bare(key: PriceKey) -> PriceKey:
    return dataclasses.replace(key, scope=DEFAULT_LIST)


def _of(partition: Partition, key: PriceKey) -> PublishedPriceKey:
    audience, scope = partition
    return PublishedPriceKey(audience, dataclasses.replace(key, scope=scope))


def skus_of(change: SharedChange) -> Sequence[Any]:
    """The items that the call puts a row of."""
    own = [each.own for each in change.join]
    tables = [each.rows for each in (*change.put_own, *own)] + [each.rows for each in change.put]
    return [sku for table in tables for sku in table.column("sku").to_pylist()]
