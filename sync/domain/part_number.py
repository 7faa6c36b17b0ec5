"""The numbers that an organisation has of its own for the items that it buys."""

from __future__ import annotations

from dataclasses import dataclass

from sync.domain.ids import CustomerId, PartNumber, Sku

PartKey = tuple[CustomerId, PartNumber, Sku]


@dataclass(frozen=True, slots=True)
class CustomerPart:
    """An item under the account's own number.

    One number may stand for several items, as after a change of the supplier's
    number, and one item may have several. ``unit`` is the one that the number
    means, ``description`` the account's own words; None where the ERP has none.
    """

    sold_to: CustomerId
    part_number: PartNumber
    sku: Sku
    unit: str | None = None
    description: str | None = None

    @property
    def key(self) -> PartKey:
        """What tells it from every other."""
        return (self.sold_to, self.part_number, self.sku)
