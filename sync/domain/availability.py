"""How much of an item is there, where, and when more is due."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sync.domain.ids import Sku, well_formed
from sync.domain.money import exact

StockKey = tuple[Sku, str]
"""An item and a warehouse."""


@dataclass(frozen=True, slots=True)
class Availability:
    """What one warehouse has of an item, in stock units.

    ``available`` is what nobody has been promised yet; below zero where more was
    promised than is there. ``next_due`` is the day, in the ERP's calendar, when
    more is expected; None where nothing is known of it. ``discontinued``: none
    will be bought any more. An item without an Availability is not known to be
    there or gone: that is no zero.
    """

    sku: Sku
    warehouse: str
    available: Decimal
    next_due: date | None = None
    discontinued: bool = False

    def __post_init__(self) -> None:
        exact(self.available)
        if not well_formed(self.warehouse):
            raise ValueError(f"not a warehouse: {self.warehouse!r}")

    @property
    def key(self) -> StockKey:
        return (self.sku, self.warehouse)
