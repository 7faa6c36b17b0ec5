"""Orders that a store says have news, until the import looks at them.

They are kept in memory only. A hint saves waiting and nothing else: whatever is
lost with the process is found by the next poll, which a start begins with. So
there is nothing here to recover, and a flood costs no disk.
"""

from __future__ import annotations

import threading
from collections.abc import Collection
from dataclasses import dataclass

from sync.domain.ids import WebOrderId

MOST_WAITING = 5000
MOST_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class HintedOrders:
    """``overflowed``: more was hinted at than is kept, so only a poll can tell what."""

    orders: tuple[WebOrderId, ...]
    overflowed: bool


class Hints:
    """Of one pipeline. Filled by the receiver's threads, emptied by the import's.

    An order that is hinted at again before it was taken is one hint. One that
    is hinted at while the import looks at it is taken once more afterwards: the
    news may have come after the look.
    """

    def __init__(self, most_waiting: int = MOST_WAITING) -> None:
        self._most = most_waiting
        self._guard = threading.Lock()
        self._waiting: dict[WebOrderId, None] = {}  # in the order of their coming
        self._overflowed = False

    def add(self, orders: Collection[WebOrderId]) -> None:
        with self._guard:
            for order in orders:
                if order in self._waiting:
                    continue
                if len(self._waiting) >= self._most:
                    self._overflowed = True
                    return
                self._waiting[order] = None

    def take(self, most: int = MOST_AT_ONCE) -> HintedOrders | None:
        """The oldest ones, which are waiting no longer; None when there is nothing."""
        with self._guard:
            taken = tuple(self._waiting)[:most]
            overflowed, self._overflowed = self._overflowed, False
            for order in taken:
                del self._waiting[order]
        return HintedOrders(taken, overflowed) if taken or overflowed else None
