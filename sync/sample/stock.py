"""What lies in the two warehouses of the sample distributor."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal

from sync.domain.availability import Availability
from sync.sample.catalogue import Catalogue

WAREHOUSES = ("CHI", "RTM")
RETURNS = "RETURN"
"""Not for sale yet; the profile leaves it out."""


def build_stock(catalogue: Catalogue, today: date) -> tuple[Availability, ...]:
    """By item and warehouse. Every tenth item is not counted at all, some have run out."""
    return tuple(sorted(_stock(catalogue, today), key=lambda each: each.key))


def _stock(catalogue: Catalogue, today: date) -> Iterator[Availability]:
    for number, item in enumerate(catalogue.items):
        if number % 10 == 9:
            continue
        for place, warehouse in enumerate(WAREHOUSES):
            free = Decimal((number * 37 + place * 101) % 480)
            if number % 7 == 3:
                # More was promised than is there, or none is left.
                free = Decimal(-place * 5)
            if not item.whole_units_only:
                free += Decimal("0.250")
            due = today + timedelta(days=3 + number % 40) if free <= 0 else None
            gone = item.discontinued
            yield Availability(item.sku, warehouse, free, None if gone else due, gone)
