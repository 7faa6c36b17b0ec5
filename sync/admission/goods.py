"""The order's lines in the ERP's terms: items, units, quantities and prices (OI-8)."""

from __future__ import annotations

from decimal import Decimal

from sync.admission.facts import AdmissionFacts, Notebook
from sync.domain.account import Item
from sync.domain.mapping import OnDifference
from sync.domain.money import total
from sync.domain.order import LineDiscount, OrderLine, WebOrder
from sync.domain.sales_order import SalesOrderLine


def plan_lines(
    order: WebOrder, facts: AdmissionFacts, notebook: Notebook
) -> tuple[SalesOrderLine, ...]:
    """One line for each that the ERP is to have, numbered from 1 in the order's order.

    Parts of a kit are left out: the kit goes as its parent line.
    """
    own_ids = {line.line_id for line in order.lines}
    for line in order.lines:
        if line.kit_parent is not None and line.kit_parent not in own_ids:
            notebook.forbid(
                "kit_parent_missing",
                f"Line {line.line_id} ({line.sku}) is part of a kit that the order does not hold.",
                "Correct the order in the store, then replay.",
            )
    parents = [line for line in order.lines if line.kit_parent is None]
    if not parents:
        notebook.forbid(
            "no_lines", "The order has no lines.", "Correct the order in the store, or dismiss it."
        )
    limit = facts.capabilities.max_order_lines
    if limit is not None and len(parents) > limit:
        notebook.forbid(
            "too_many_lines",
            f"The order has {len(parents)} lines, the ERP takes {limit}.",
            "Let the buyer split the order.",
        )
    planned = [
        _plan_line(number, line, facts, notebook) for number, line in enumerate(parents, start=1)
    ]
    return tuple(line for line in planned if line is not None)


def _plan_line(
    number: int, line: OrderLine, facts: AdmissionFacts, notebook: Notebook
) -> SalesOrderLine | None:
    item = facts.items.get(line.sku)
    if item is None or not item.active:
        notebook.forbid(
            "item_unknown",
            f"The ERP has no active item {line.sku} (line {line.line_id}).",
            "Create or reactivate the item in the ERP, or correct the SKU in the store.",
        )
        return None
    _check_sellable(item, line, facts, notebook)
    unit = _unit(line, item, facts, notebook)
    if unit is None:
        return None
    factor = item.factor(unit)
    if factor is None:
        notebook.forbid(
            "unit_unknown",
            f"The ERP does not sell item {line.sku} in {unit} (line {line.line_id}).",
            "Add the unit to the item in the ERP, or to units in codes.yaml, then replay.",
        )
        return None
    stock = line.quantity * factor
    if item.whole_units_only and stock != stock.to_integral_value():
        notebook.forbid(
            "quantity_uneven",
            f"{line.quantity:f} {unit} of item {line.sku} are {stock:f} {item.stock_unit}, "
            "which does not come out even.",
            "Correct the quantity with the buyer, then replay.",
        )
        return None
    _compare_price(line, facts, notebook)
    return _sales_line(number, line, unit, stock)


def _check_sellable(item: Item, line: OrderLine, facts: AdmissionFacts, notebook: Notebook) -> None:
    if item.discontinued:
        notebook.forbid(
            "item_discontinued",
            f"Item {line.sku} (line {line.line_id}) is discontinued in the ERP.",
            "Agree on a substitute with the buyer, or allow the item in the ERP, then replay.",
        )
    routed = facts.routed
    if item.allowed_to is not None and routed and routed.customer_id not in item.allowed_to:
        notebook.forbid(
            "item_restricted",
            f"Customer {routed.customer_id} may not buy item {line.sku} (line {line.line_id}).",
            "License the customer for the item in the ERP, or dismiss the order.",
        )


def _unit(line: OrderLine, item: Item, facts: AdmissionFacts, notebook: Notebook) -> str | None:
    units = facts.mapping.codes.units
    unit = units.get(line.unit)
    if unit is not None:
        return unit
    if not units or item.factor(line.unit) is not None:
        return line.unit
    notebook.forbid(
        "unit_unknown",
        f'Unit "{line.unit}" of line {line.line_id} ({line.sku}) is in no code table.',
        f'Add "{line.unit}" to units in codes.yaml, then replay.',
    )
    return None


def _compare_price(line: OrderLine, facts: AdmissionFacts, notebook: Notebook) -> None:
    own = facts.prices.get(line.line_id)
    if own is None:
        return
    charged = line.unit_price.amount
    if own.unit_price is None:
        notebook.flag(f"Line {line.line_id}: the ERP has no price for {line.sku} to compare with.")
        return
    policy = facts.policy
    if abs(charged - own.unit_price) <= policy.price_tolerance:
        return
    sentence = (
        f"Line {line.line_id} ({line.sku}) was charged {line.unit_price}, "
        f"the ERP's price is {own.unit_price:f}."
    )
    if policy.on_price_difference is OnDifference.FLAG:
        notebook.flag(sentence)
        return
    notebook.forbid(
        "price_differs",
        sentence,
        "Correct the price in the ERP, or raise price_tolerance in accounts.yaml, then replay.",
    )


def _sales_line(number: int, line: OrderLine, unit: str, stock: Decimal) -> SalesOrderLine:
    discount = total((each.amount for each in line.discounts), line.unit_price.currency)
    only = line.discounts[0] if len(line.discounts) == 1 else None
    return SalesOrderLine(
        number=number,
        sku=line.sku,
        quantity=line.quantity,
        unit=unit,
        stock_quantity=stock,
        unit_price=line.unit_price,
        discount=discount,
        net=line.net,
        discount_rate=only.rate if only else None,
        discount_code=_codes(line.discounts),
        customer_part_number=line.customer_part_number,
        note=line.note,
    )


def _codes(discounts: tuple[LineDiscount, ...]) -> str | None:
    return "+".join(each.code for each in discounts) or None
