"""The lines of a sale, in Tryton's words, and what of them is told back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from erp_adapters.tryton.queries import Row
from erp_adapters.tryton.settings import Settings
from erp_adapters.tryton.wire import as_float
from sync.domain.money import Money, plain
from sync.domain.sales_order import SalesOrder, SalesOrderLine
from sync.errors import Rejected

Values = dict[str, object]


def refuse_what_no_sale_holds(order: SalesOrder, settings: Settings) -> None:
    """Raises Rejected for what is known to be impossible before Tryton is asked anything."""
    for line in order.lines:
        if line.discount.amount:
            discount_product(line, settings)
        _quantity(line)


def discount_product(line: SalesOrderLine, settings: Settings) -> str:
    """The code of the product that stands for the discount of this line. Raises Rejected."""
    code = settings.line_discount_product or line.discount_code
    if code is None:
        raise Rejected(
            f"line {line.number} has a discount of {line.discount} without a code",
            code="erp_no_discount_product",
            remedy="Name line_discount_product in the options of the adapter, then replay.",
        )
    return code


def goods_line(line: SalesOrderLine, product: Row, units: Mapping[tuple[int, str], int]) -> Values:
    unit = units.get((int(product["default_uom."]["category"]), line.unit))
    if unit is None:
        raise Rejected(
            f"line {line.number}: {line.sku} is not sold by {line.unit} in Tryton",
            code="erp_unknown_unit",
            remedy="Correct units in codes.yaml: Tryton's symbols are meant; then replay.",
        )
    notes = []
    if line.customer_part_number:
        notes.append(f"Customer's part number: {line.customer_part_number}")
    if line.note:
        notes.append(line.note)
    return {
        "type": "line",
        "sequence": line.number,
        "product": product["id"],
        "quantity": _quantity(line),
        "unit": unit,
        "unit_price": _shortest(line.unit_price.amount),
        "note": "\n".join(notes) or None,
    }


def _quantity(line: SalesOrderLine) -> float:
    try:
        return as_float(line.quantity)
    except ValueError as error:
        raise Rejected(
            f"line {line.number}: {error}",
            code="erp_value",
            remedy="Tryton keeps quantities as floating-point numbers; split the line.",
        ) from error


def amount_line(at: int, product: Row, amount: Money, text: str, taxes: Sequence[int]) -> Values:
    unit = product["sale_uom."] or product["default_uom."]
    return {
        "type": "line",
        "sequence": at,
        "product": product["id"],
        "description": text,
        "quantity": 1.0,
        "unit": unit["id"],
        "unit_price": _shortest(amount.amount),
        "taxes": added(taxes),
    }


def added(taxes: Sequence[int]) -> list[list[object]]:
    return [["add", list(taxes)]] if taxes else []


def _shortest(amount: Decimal) -> Decimal:
    """Without zeros that Tryton would count as decimal places too many."""
    return Decimal(plain(amount))


def same_goods(order: SalesOrder, goods: Sequence[Row]) -> bool:
    """Whether the goods of a sale are those of the order, line by line."""
    held = [
        (
            (line["product."] or {}).get("code"),
            Decimal(line["quantity"]),
            (line["unit."] or {}).get("symbol"),
            line["unit_price"],
        )
        for line in goods
    ]
    wanted = [
        (line.sku.value, line.quantity, line.unit, line.unit_price.amount) for line in order.lines
    ]
    return held == wanted
