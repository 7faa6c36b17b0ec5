"""Whether a sale of Tryton's is the order that is to be there, in everything that travels.

Account, goods and total do not tell an order from its earlier version: where the
goods go, who is billed and what the staff is told may differ too. So the sale is
held against the very values that it would be created with. What Tryton decides by
itself (price list, warehouse, methods) is no part of the order and not compared.

The sentences name numbers and dates, and neither notes nor streets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from erp_adapters.tryton import translate
from erp_adapters.tryton.queries import Row
from erp_adapters.tryton.sale_lines import Values, same_goods
from sync.domain.sales_order import SalesOrder

_TOLD: Mapping[str, str] = {
    "shipment_address": "ships to address",
    "invoice_address": "bills address",
    "reference": "has the PO number",
    "sale_date": "is of",
    "shipping_date": "is to be shipped on",
    "payment_term": "has payment term",
    "contact": "has contact",
    "carrier": "has carrier",
}


def unlike(row: Row, order: SalesOrder) -> bool:
    """Whether account, goods or total are not what the order says."""
    return bool(translate.found_order(row).differences(order)) or not same_goods(
        order, translate.goods(row)
    )


def differences(row: Row, order: SalesOrder, values: Values) -> tuple[str, ...]:
    """How the sale differs from the order, whose ``values`` are what it is created with."""
    found = list(translate.found_order(row).differences(order))
    if not found and not same_goods(order, translate.goods(row)):
        found.append("the sale has other items, quantities, units or prices")
    for name, told in _TOLD.items():
        # A Tryton without carriers has no such field.
        held, wanted = row.get(name), values.get(name)
        if name in values and _plain(held) != _plain(wanted):
            found.append(f"the sale {told} {_named(held)}, not {_named(wanted)}")
    if _plain(row["comment"]) != _plain(values["comment"]):
        found.append("the sale has other notes of the buyer")
    if _texts(row["lines."]) != _texts(_created(values)):
        found.append("the sale has other notes or charges on its lines, or other payment remarks")
    return tuple(found)


def _texts(lines: Sequence[Row]) -> list[tuple[object, ...]]:
    """What the lines say beside the goods, in their order.

    Goods have the description that Tryton gives them. A charge or discount has its
    code there.
    """
    return sorted(
        (
            int(line["sequence"] or 0),
            _plain(line.get("note")),
            *(_amount(line) if int(line["sequence"] or 0) >= translate.AMOUNTS_FROM else ()),
        )
        for line in lines
    )


def _amount(line: Row) -> tuple[object, ...]:
    price = line.get("unit_price")
    return _plain(line.get("description")), Decimal(0) if price is None else price


def _created(values: Values) -> Sequence[Row]:
    lines: Any = values["lines"]
    return [line for _, created in lines for line in created]


def _plain(value: object) -> object:
    """As Tryton keeps it: text without the white space around it, and none as nothing."""
    if isinstance(value, str):
        return value.replace("\r\n", "\n").strip()
    return "" if value is None else value


def _named(value: object) -> str:
    return "none" if value in (None, "") else str(value)
