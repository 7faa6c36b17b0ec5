"""The order's lines in the ERP's terms: items, units, quantities and prices (OI-8)."""

from __future__ import annotations

from decimal import Context, Decimal, Inexact, InvalidOperation

from sync.admission.amounts import translated
from sync.admission.facts import AdmissionFacts, Notebook
from sync.domain.account import Item
from sync.domain.mapping import OnDifference
from sync.domain.money import total
from sync.domain.order import OrderLine, WebOrder
from sync.domain.sales_order import SalesOrderLine

# Room for the product of any two numbers that an ERP keeps; nothing is rounded by the way.
_EXACT = Context(prec=80, traps=[Inexact, InvalidOperation])


def plan_lines(
    order: WebOrder, facts: AdmissionFacts, notebook: Notebook
) -> tuple[SalesOrderLine, ...]:
    """One line for each that the ERP is to have, numbered from 1 in the order's order.

    Parts of a kit are left out: the kit goes as its parent line.
    """
    parents = [line for line in order.lines if line.kit_parent is None]
    _check_kits(order.lines, facts, notebook)
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


def _check_kits(lines: tuple[OrderLine, ...], facts: AdmissionFacts, notebook: Notebook) -> None:
    """Every part must come to the ERP by its kit, or it would never be shipped."""
    by_id = {line.line_id: line for line in lines}
    for part in lines:
        if part.kit_parent is None:
            continue
        kit = _kit_of(part, by_id)
        if kit is None:
            notebook.forbid(
                "kit_parent_missing",
                f"Line {part.line_id} ({part.sku}) is part of a kit that the order does not hold.",
                "Correct the order in the store, then replay.",
            )
            continue
        item = facts.items.get(kit.sku)
        if item is not None and item.active and not item.kit:
            notebook.forbid(
                "item_unknown",
                f"The ERP has item {kit.sku} (line {kit.line_id}), but not as a kit, "
                "so that its parts would not be shipped.",
                "Make the item a kit in the ERP, or sell its parts as lines of their own.",
            )
        if part.note:
            notebook.note(f"Line {kit.line_id}, part {part.sku}: {part.note}")


def _kit_of(part: OrderLine, by_id: dict[str, OrderLine]) -> OrderLine | None:
    """The line that a part goes with, through kits within kits; None for a broken chain."""
    line: OrderLine | None = part
    for _ in by_id:
        if line is None or line.kit_parent is None:
            break
        line = by_id.get(line.kit_parent)
    return line if line is not None and line.kit_parent is None else None


def _plan_line(
    number: int, line: OrderLine, facts: AdmissionFacts, notebook: Notebook
) -> SalesOrderLine | None:
    item, unread = facts.items.get(line.sku), facts.unread.get(line.sku)
    if item is None and unread is not None:
        notebook.forbid(
            "item_unknown",
            f"The ERP's item {line.sku} (line {line.line_id}) cannot be read: {unread}.",
            "Correct the record in the ERP, or the way it is read, then replay.",
        )
        return None
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
    if factor is None or factor <= 0:
        notebook.forbid(
            "unit_unknown",
            f"The ERP does not sell item {line.sku} in {unit} (line {line.line_id}).",
            "Add the unit to the item in the ERP, or to units in codes.yaml, then replay.",
        )
        return None
    stock = _EXACT.multiply(line.quantity, factor)
    if item.whole_units_only and stock != stock.to_integral_value():
        notebook.forbid(
            "quantity_uneven",
            f"{_ordered(line, unit, stock, item)}, and the item is sold in whole"
            f" {item.stock_unit} only.",
            "Correct the quantity with the buyer, then replay.",
        )
        return None
    _compare_price(line, item, factor, facts, notebook)
    return _sales_line(number, line, unit, stock, facts, notebook)


def _ordered(line: OrderLine, unit: str, stock: Decimal, item: Item) -> str:
    """ "2.5 BX of item HB-0001 (line 1) are 12.5 EA"; without the second where it is the same."""
    ordered = f"{line.quantity:f} {unit} of item {line.sku} (line {line.line_id}) are"
    same = unit == item.stock_unit
    return f"{ordered} ordered" if same else f"{ordered} {stock:f} {item.stock_unit}"


def _check_sellable(item: Item, line: OrderLine, facts: AdmissionFacts, notebook: Notebook) -> None:
    if item.discontinued:
        notebook.forbid(
            "item_discontinued",
            f"Item {line.sku} (line {line.line_id}) is discontinued in the ERP.",
            "Agree on a substitute with the buyer, or allow the item in the ERP, then replay.",
        )
    routed = facts.routed
    tags = facts.account.tags if facts.account is not None else ()
    if routed and not item.open_to(routed.customer_id, tags):
        notebook.forbid(
            "item_restricted",
            f"Customer {routed.customer_id} may not buy item {line.sku} (line {line.line_id}).",
            "License the customer, or one of its groups, for the item in the ERP,"
            " or dismiss the order.",
        )


def _unit(line: OrderLine, item: Item, facts: AdmissionFacts, notebook: Notebook) -> str | None:
    """The ERP's unit, by the code table.

    Where there is a table, a unit is never taken for the ERP's because both are
    spelled alike: the store's case may hold six and the ERP's twelve.
    """
    units = facts.mapping.codes.units
    if not units:
        return line.unit
    unit = units.get(line.unit)
    if unit is None:
        notebook.forbid(
            "unit_unknown",
            f'Unit "{line.unit}" of line {line.line_id} ({line.sku}) is in no code table.',
            f'Add "{line.unit}" to units in codes.yaml, then replay.',
        )
    return unit


def _compare_price(
    line: OrderLine, item: Item, factor: Decimal, facts: AdmissionFacts, notebook: Notebook
) -> None:
    """Is the price charged the one that the ERP would charge, and can the ERP keep it?"""
    charged = line.unit_price.amount
    kept = facts.capabilities.unit_price_rounding(charged)
    if kept != charged:
        _differs(
            abs(charged - kept),
            f"Line {line.line_id} ({line.sku}) was charged {line.unit_price}, "
            f"of which the ERP keeps {kept:f}.",
            facts,
            notebook,
        )
    own = facts.prices.get(line.line_id)
    if own is None:
        return
    if own.unit_price is None:
        _differs(
            None, f"Line {line.line_id}: the ERP has no price for {line.sku}.", facts, notebook
        )
        return
    per = factor if own.unit is None else item.factor(own.unit)
    if per is None or per <= 0:
        _differs(
            None,
            f"Line {line.line_id}: the ERP's price for {line.sku} is per {own.unit}, "
            "in which the item is not sold.",
            facts,
            notebook,
        )
        return
    # Compared per unit of the ERP's price, without dividing: a third has no decimal.
    difference = abs(_EXACT.multiply(charged, per) - _EXACT.multiply(own.unit_price, factor))
    _differs(
        difference / per,
        f"Line {line.line_id} ({line.sku}) was charged {line.unit_price}, "
        f"the ERP's price is {own.unit_price:f}{f' per {own.unit}' if own.unit else ''}.",
        facts,
        notebook,
    )


def _differs(
    difference: Decimal | None, sentence: str, facts: AdmissionFacts, notebook: Notebook
) -> None:
    """Flag or hold what is beyond the tolerance; None: it cannot be compared at all."""
    policy = facts.policy
    if difference is not None and difference <= policy.price_tolerance:
        return
    if policy.on_price_difference is OnDifference.FLAG:
        notebook.flag(sentence)
        return
    notebook.forbid(
        "price_differs",
        sentence,
        "Correct the price in the ERP, or raise price_tolerance in accounts.yaml, then replay.",
    )


def _sales_line(
    number: int,
    line: OrderLine,
    unit: str,
    stock: Decimal,
    facts: AdmissionFacts,
    notebook: Notebook,
) -> SalesOrderLine:
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
        discount_code=_discount_code(number, line, facts, notebook),
        customer_part_number=line.customer_part_number,
        note=line.note,
    )


def _discount_code(
    number: int, line: OrderLine, facts: AdmissionFacts, notebook: Notebook
) -> str | None:
    """The ERP's code. A line of the ERP has room for one: several are told in the notes."""
    table = facts.mapping.codes.discounts
    codes = [
        translated(table, each.code, "discount_unmapped", "Discount", "discounts", notebook)
        for each in line.discounts
    ]
    if len(codes) > 1:
        told = ", ".join(
            f"{code} {each.amount}" for code, each in zip(codes, line.discounts, strict=True)
        )
        notebook.note(f"Discounts of line {number}: {told}")
    return codes[0] if len(set(codes)) == 1 else None
