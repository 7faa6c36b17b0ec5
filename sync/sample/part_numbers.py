"""The sample customers' own numbers for what they buy."""

from __future__ import annotations

from collections.abc import Iterator

from sync.domain.ids import CustomerId, PartNumber, Sku
from sync.domain.part_number import CustomerPart
from sync.sample.catalogue import Catalogue
from sync.sample.customers import RETAIL_US, trade

_ACCOUNTS, _NUMBERS = 20, 6


def build_parts(catalogue: Catalogue) -> tuple[CustomerPart, ...]:
    """Half of the trade accounts have numbers of their own, by account and number.

    The second item of each is known under two numbers, of which one means a box.
    The desk has entered one for a retail group too, which concerns nobody.
    """
    return tuple(sorted(_parts(catalogue), key=lambda each: each.key))


def _parts(catalogue: Catalogue) -> Iterator[CustomerPart]:
    items = catalogue.sellable()
    for account in range(1, _ACCOUNTS + 1):
        for number in range(_NUMBERS):
            item = items[(account * 37 + number * 11) % len(items)]
            code = f"OUR-{account * 1000 + number:05d}"
            yield _part(trade(account), code, item.sku.value, item.stock_unit)
            if number == 1:
                unit = item.units[0][0] if item.units else item.stock_unit
                yield _part(trade(account), f"{code}/PACK", item.sku.value, unit)
    yield _part(RETAIL_US, "DESK-1", items[0].sku.value, items[0].stock_unit)


def _part(owner: CustomerId, code: str, sku: str, unit: str) -> CustomerPart:
    own_words = f"Our item {code}" if code.endswith("0") else None
    return CustomerPart(owner, PartNumber(code), Sku(sku), unit, own_words)
