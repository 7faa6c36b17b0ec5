"""Changes of one mirror, planned before anything is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Change(Generic[K, V]):
    """One key's value before and after; None: not there."""

    key: K
    before: V | None
    after: V | None


def plan_mirror(
    wanted: Mapping[K, V], shown: Mapping[K, V], order: Callable[[K], Any]
) -> Iterator[Change[K, V]]:
    """The changes of one keyed partition, in the order of ``order``.

    For partitions that fit in memory: one account, one price list.
    """
    for key in sorted(wanted.keys() | shown.keys(), key=order):
        before, after = shown.get(key), wanted.get(key)
        if before != after:
            yield Change(key, before, after)


@dataclass(slots=True)
class Tally:
    """What a plan would do, in numbers. ``shown`` and ``wanted`` count before and after.

    ``opened``: what is everybody's from now on, and so is in no partition any more, out
    of ``restricted``, which somebody alone or nobody saw before.
    """

    shown: int = 0
    wanted: int = 0
    added: int = 0
    changed: int = 0
    removed: int = 0
    prices_moved: int = 0
    opened: int = 0
    restricted: int = 0

    def as_it_is(self, records: int) -> None:
        """So many are shown and wanted, and none of them is another."""
        self.shown += records
        self.wanted += records

    def count(self, change: Change[Any, Any]) -> None:
        if change.before is None:
            self.added += 1
        elif change.after is not None:
            self.changed += 1
        else:
            self.removed += 1

    @property
    def writes(self) -> int:
        return self.added + self.changed + self.removed
