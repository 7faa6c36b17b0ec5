"""Things taken in batches that hold about as many records, however many each of them has.

What a batch has is in memory at once: of things with a few records each many are taken
together, and of those with thousands a few.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


class Paced(Generic[T]):
    """The values in their order; ``held`` is told after each batch what it had.

    A batch has ``most`` values and ``records`` records at most, as far as the last one
    tells; ``first`` values are in the first, of which nobody knows what they have.
    """

    def __init__(self, values: Sequence[T], most: int, *, records: int, first: int) -> None:
        self._values, self._most, self._records = values, most, records
        self._size = min(first, most)
        self._last = 0

    def __iter__(self) -> Iterator[Sequence[T]]:
        at = 0
        while at < len(self._values):
            batch = self._values[at : at + self._size]
            at, self._last = at + len(batch), len(batch)
            yield batch

    def held(self, records: int) -> None:
        """So many records the last batch had. The next is no more than twice as large."""
        fit = self._last * self._records // records if records else self._most
        self._size = max(1, min(fit, 2 * self._size, self._most))
