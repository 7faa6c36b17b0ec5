"""Vectors of prices that the store had confirmed, and new ones beside them, in few bytes.

A vector that differs little from another one is kept as what differs: from what the same
partition showed before, or from the likest of those at hand.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

from sync.flows.context import Context
from sync.flows.price_run import PriceRun
from sync.flows.vector_screening import Told
from sync.ports.price_memory import Confirmed, PackedVector, Partition

if TYPE_CHECKING:
    from sync.columnar.differences import Difference
    from sync.columnar.vectors import Vector

# Vectors that are at hand, by their rows: some ten lists of a large catalogue.
ROWS_AT_HAND = 250_000

ROWS_OF_ITSELF = 100
"""A vector takes as much beside its rows as so many of them: of contracts of a few rows each,
all would be at hand and fill the memory."""

MOST_AT_HAND = 250
"""Vectors that are at hand, however short: further back nobody looks for one that is like a
short one (``ROWS_PER_LOOK``)."""

ROWS_PER_LOOK = 16
"""A vector is laid beside one other for so many rows of its own, and beside ``LOOKS`` at least.
With a look at all that are at hand, short vectors took longer the more of them there are:
of contracts of a hundred rows, thousands are at hand for each."""

LOOKS = 4

PASSED_BY = 16
"""So many at hand are looked over for each that it may be laid beside: where few of them
are whole and about as long, all that are at hand would be passed by for each vector."""

LIKE = 0.3
"""Share of its rows that another vector must seem to have to be worth a closer look."""


AHEAD, ROWS_AHEAD = 32, 250_000
"""So many are read out of the state at once, with at most so many rows: partitions are looked
at in their order, and a transaction for each takes longer than what is read in it."""


class _Ahead:
    """Vectors as the state keeps them, some read before they are asked for."""

    def __init__(self, context: Context, held: Mapping[Partition, Confirmed]) -> None:
        self._context, self._held = context, held
        self._read: Mapping[bytes, PackedVector] = {}

    def packed(self, fingerprint: bytes) -> dict[bytes, PackedVector]:
        """The vector as it is kept, and what it is a difference from; empty where it is not."""
        if fingerprint not in self._read:
            with self._context.state.transaction() as state:
                self._read = state.price_memory.vectors(self._with_next(fingerprint))
        found = self._read.get(fingerprint)
        if found is None:
            return {}
        base = self._read.get(found.base) if found.base is not None else None
        return {each.fingerprint: each for each in (found, base) if each is not None}

    @cached_property
    def _shown(self) -> Mapping[bytes, int]:
        """Each vector with its rows, in the order in which partitions are looked at."""
        in_order = sorted(self._held, key=lambda partition: partition[1])
        found = (self._held[partition] for partition in in_order)
        return {each.vector: each.shown for each in found}

    @cached_property
    def _order(self) -> list[bytes]:
        return list(self._shown)

    @cached_property
    def _places(self) -> Mapping[bytes, int]:
        return {vector: place for place, vector in enumerate(self._order)}

    def _with_next(self, fingerprint: bytes) -> list[bytes]:
        place = self._places.get(fingerprint)
        if place is None:
            return [fingerprint]
        wanted, rows = list[bytes](), 0
        for vector in self._order[place : place + AHEAD]:
            shown = self._shown[vector]
            if wanted and rows + shown > ROWS_AHEAD:
                break
            wanted.append(vector)
            rows += shown
        return wanted


class KeptVectors:
    """Vectors that the store had confirmed, at hand for as long as there is room."""

    def __init__(self, run: PriceRun, held: Mapping[Partition, Confirmed]) -> None:
        self._run = run
        self._kept = {each.vector for each in held.values()}
        self._ahead = _Ahead(run.context, held)
        self._at_hand: OrderedDict[bytes, tuple[bytes | None, Vector]] = OrderedDict()
        self._rows = 0
        self._last: tuple[bytes, bytes, Difference] | None = None

    def rows(self, fingerprint: bytes) -> Vector | None:
        """The vector; None where it is not kept, or not as it was put there."""
        found = self._found(fingerprint)
        return found[1] if found is not None else None

    def let_go(self) -> None:
        """None is at hand any more; what is asked for is found again."""
        self._at_hand.clear()
        self._rows, self._last = 0, None

    def difference(self, old: bytes, rows: Vector, told: Told) -> Difference:
        """What differs between a kept vector and one that was told; the last is at hand."""
        from sync.columnar.differences import difference

        if self._last is None or self._last[:2] != (old, told.fingerprint):
            self._last = (old, told.fingerprint, difference(rows, told.rows))
        return self._last[2]

    def put_aside(self, told: Told, near: bytes | None) -> None:
        """Let it be kept once the store has confirmed it, in few bytes beside ``near``."""
        confirming = self._run.confirming
        if told.fingerprint in self._kept or confirming.keeps(told.fingerprint):
            return
        from sync.columnar.packing import pack, pack_difference

        for base, rows in self._bases(told, near):
            differing = self.difference(base, rows, told)
            # One that is another in a third of its rows begins anew.
            if 3 * len(differing) <= len(told.rows):
                content = pack_difference(differing, told.rows)
                confirming.keep(told.fingerprint, base, content)
                self._at_hand.move_to_end(base)
                return
        confirming.keep(told.fingerprint, None, pack(told.rows))
        self._hold(told.fingerprint, None, told.rows)

    def _bases(self, told: Told, near: bytes | None) -> Iterator[tuple[bytes, Vector]]:
        """Whole vectors that it may differ little from: what was shown before, and the likest."""
        from sync.columnar.differences import alike

        found = self._found(near) if near is not None else None
        own = near if found is None or found[0] is None else found[0]
        if own is not None and (rows := self.rows(own)) is not None:
            yield own, rows
        shares = [(alike(rows, told.rows), each, rows) for each, rows in self._near(told, own)]
        share, each, rows = max(shares, key=lambda found: found[0], default=(0.0, b"", told.rows))
        if share > LIKE:
            yield each, rows

    def _near(self, told: Told, own: bytes | None) -> Iterator[tuple[bytes, Vector]]:
        """The whole vectors that were used last and may be like it, as far as that is worth it."""
        length = len(told.rows)
        looks = max(LOOKS, length // ROWS_PER_LOOK)
        last = islice(reversed(self._at_hand.items()), PASSED_BY * looks)
        for each, (base, rows) in last:
            shorter, longer = sorted((length, len(rows)))
            if base is None and each != own and shorter > LIKE * longer:
                yield each, rows
                looks -= 1
            if not looks:
                return

    def _found(self, fingerprint: bytes) -> tuple[bytes | None, Vector] | None:
        if fingerprint in self._at_hand:
            self._at_hand.move_to_end(fingerprint)
            return self._at_hand[fingerprint]
        packed = self._packed(fingerprint)
        if fingerprint not in packed:
            return None
        base = packed[fingerprint].base
        below = None
        if base is not None:
            if base not in self._at_hand and base in packed:
                self._unpacked(base, None, packed[base].content, None)
            below = self._at_hand.get(base)
            if below is None:
                return None
        rows = self._unpacked(fingerprint, base, packed[fingerprint].content, below)
        return None if rows is None else (base, rows)

    def _packed(self, fingerprint: bytes) -> dict[bytes, PackedVector]:
        """The vector as it is kept or put aside, and what it is a difference from."""
        new = self._run.confirming.put_aside(fingerprint)
        if new is None:
            return self._ahead.packed(fingerprint)
        found = {new.fingerprint: new}
        if new.base is not None:
            base = self._run.confirming.put_aside(new.base)
            found |= {base.fingerprint: base} if base is not None else self._ahead.packed(new.base)
        return found

    def _unpacked(
        self,
        fingerprint: bytes,
        base: bytes | None,
        content: bytes,
        below: tuple[bytes | None, Vector] | None,
    ) -> Vector | None:
        from sync.columnar.packing import unpack
        from sync.columnar.vectors import fingerprint as fingerprint_of

        try:
            rows = unpack(content, below[1] if below is not None else None)
        except ValueError:
            return None
        if fingerprint_of(rows) != fingerprint:
            return None
        self._hold(fingerprint, base, rows)
        return rows

    def _hold(self, fingerprint: bytes, base: bytes | None, rows: Vector) -> None:
        if fingerprint not in self._at_hand:
            self._rows += ROWS_OF_ITSELF + len(rows)
        self._at_hand[fingerprint] = (base, rows)
        while len(self._at_hand) > MOST_AT_HAND or (
            self._rows > ROWS_AT_HAND and len(self._at_hand) > 2
        ):
            _, (_, gone) = self._at_hand.popitem(last=False)
            self._rows -= ROWS_OF_ITSELF + len(gone)
