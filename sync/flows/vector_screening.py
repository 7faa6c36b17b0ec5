"""Who may see the rows of a vector, found out before anything of it is published (VE-5, VE-7).

What the ERP lists as restricted and what the store keeps for some is known before anything
is planned, so an item that becomes restricted is taken away in the same run although no
price changed. The ERP is asked of single items only where something would be published
that was not before; where it cannot list what is restricted, of all. Rows of such items
are left out of a vector before it is looked at.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sync.domain.ids import Sku
from sync.domain.pricing import Audience, PriceScope
from sync.flows.mirroring import Unreadable, take_unreadable
from sync.flows.price_run import PriceRun
from sync.flows.price_skipping import Same
from sync.ports.erp import ListsRestrictedItems, ReadsItems

if TYPE_CHECKING:
    from sync.columnar.vectors import Vector


@dataclass(slots=True)
class Told:
    """A vector as it may be published to some: without the items that they may not see."""

    fingerprint: bytes
    told: Vector | Same
    barred: frozenset[Sku] = frozenset()
    _rows: Vector | None = field(default=None, repr=False)

    @property
    def whole(self) -> Vector:
        return self.told.rows() if isinstance(self.told, Same) else self.told

    @property
    def rows(self) -> Vector:
        if not self.barred:
            return self.whole
        if self._rows is None:
            from sync.planning.price_vectors import without_items

            self._rows = without_items(self.whole, self.barred)
        return self._rows


class VectorScreening:
    """What a run knows of the items of the vectors that the ERP tells.

    ``lists``: the ERP can say which items are restricted, so that not each has to be asked
    of. ``unreadable`` is what of prices could not be read so far.
    """

    def __init__(self, run: PriceRun) -> None:
        self._run = run
        erp = run.context.erp
        self._asks = isinstance(erp, ReadsItems)
        self.lists = isinstance(erp, ListsRestrictedItems)
        self.unreadable = Unreadable(frozenset(), everybody=False)
        self._restricted: dict[bytes, tuple[int, tuple[Sku, ...]]] = {}
        self._kept_from: dict[tuple[bytes, frozenset[Sku]], bytes] = {}
        self._screened: set[bytes] = set()
        self._asked: set[str] = set()

    def note_unreadable(self) -> None:
        new = take_unreadable(self._run.context, self._run.result)
        if new:
            held = self.unreadable
            self.unreadable = Unreadable(
                held.owners | new.owners,
                everybody=held.everybody or new.everybody,
                keys=held.keys | new.keys,
            )

    def screen(self, told: Told) -> None:
        """Ask the ERP of all items of a vector, of each once in a run."""
        # Not even looked at where nobody can be asked: its rows may be in the state alone.
        if self._asks and told.fingerprint not in self._screened:
            self._screened.add(told.fingerprint)
            self.look_at(told.rows)

    def look_at(self, rows: Vector) -> None:
        """Ask the ERP of the items of these rows, of each once in a run."""
        if not self._asks or not len(rows):
            return
        from sync.planning.price_vectors import items_of

        # What the ERP could not read of prices is not to be taken for an item's.
        self.note_unreadable()
        new = items_of(rows, self._asked)
        self._asked.update(each.value for each in new)
        self._run.screening.look_at(new)

    def for_audience(self, audience: Audience, scope: PriceScope, told: Told) -> Told:
        """The vector without the items that are not for this audience."""
        restricted = self._run.restricted
        barred = frozenset(
            sku
            for sku in self.restricted_in(told)
            if audience not in restricted.audiences(sku, scope)
        )
        if not barred:
            return told
        part = Told(b"", told.told, barred)
        key = (told.fingerprint, barred)
        if key not in self._kept_from:
            from sync.columnar.vectors import fingerprint

            self._kept_from[key] = fingerprint(part.rows)
        part.fingerprint = self._kept_from[key]
        return part

    def restricted_in(self, told: Told) -> tuple[Sku, ...]:
        """The restricted items that the vector has rows of."""
        items = self._run.restricted.items
        if not items:
            return ()
        count, found = self._restricted.get(told.fingerprint, (0, ()))
        if count != len(items):
            from sync.planning.price_vectors import items_of, of_items

            found = tuple(items_of(of_items(told.whole, items)))
            self._restricted[told.fingerprint] = (len(items), found)
        return found
