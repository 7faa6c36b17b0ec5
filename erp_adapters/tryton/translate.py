"""Rows to domain documents. A row that makes no sound document raises ValueError."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from erp_adapters.tryton.queries import Row
from sync.domain.account import Account, BillTo, Contact, Item, ShipTo
from sync.domain.address import Address
from sync.domain.ids import (
    BillToId,
    ContactId,
    CustomerId,
    ErpOrderNumber,
    IdempotencyKey,
    InvoiceNumber,
    ShipToId,
    Sku,
)
from sync.domain.invoice import DueDate, Invoice, InvoiceKind, InvoiceLine
from sync.domain.money import Money
from sync.domain.sales_order import (
    ErpOrderState,
    FoundOrder,
    LineStatus,
    OrderStatus,
    Shipment,
)

AMOUNTS_FROM = 10_000
"""Lines that are no goods (charges, discounts, our remarks) have sequences from here on."""

HELD = "On hold: confirm only after release."
"""Begins the remarks of an order that was sent on hold."""

_LEFT = ("shipped", "done")  # states of shipments and moves behind which the goods are gone
_INVOICED = ("awaiting payment", "partially paid", "paid")
_PHONES = ("phone", "mobile")


def account(
    row: Row, company_currency: str, price_group: str, default_ship_to: str | None
) -> Account:
    return Account(
        customer_id=CustomerId(row["code"]),
        name=row["name"] or "",
        currencies=((row["customer_currency."] or {}).get("code") or company_currency,),
        active=bool(row["active"]),
        terms=(row["customer_payment_term."] or {}).get("name"),
        price_groups=(price_group,),
        contacts=tuple(
            Contact(ContactId(str(each["id"])), each["value"])
            for each in sorted(row["contact_mechanisms."], key=_id)
            if each["type"] == "email" and each["active"] and each["value"]
        ),
        default_ship_to=None if default_ship_to is None else ShipToId(default_ship_to),
        tax_id=(row["tax_identifier."] or {}).get("code"),
    )


def address(row: Row) -> Address:
    country = (row["country."] or {}).get("code")
    if not country:
        raise ValueError("an address needs a country")
    ways = [each for each in row["contact_mechanisms."] if each["active"] and each["value"]]
    return Address(
        name=row["party_name"] or row["party."]["name"] or "",
        lines=tuple(line.strip() for line in (row["street"] or "").splitlines() if line.strip()),
        city=row["city"] or "",
        country=country,
        postal_code=row["postal_code"] or None,
        region=region(row["subdivision."], country),
        attention=row["attn"] or None,
        phone=next((each["value"] for each in ways if each["type"] in _PHONES), None),
        email=next((each["value"] for each in ways if each["type"] == "email"), None),
    )


def region(subdivision: Row | None, country: str) -> str | None:
    """``US-CA`` is CA: stores tell the country beside it."""
    code: str | None = (subdivision or {}).get("code")
    return code.removeprefix(f"{country}-") if code else None


def ship_to(row: Row, *, default: bool) -> ShipTo:
    customer = CustomerId(row["party."]["code"])
    return ShipTo(ShipToId(str(row["id"])), customer, address(row), default=default)


def bill_to(row: Row, *, default: bool) -> BillTo:
    customer = CustomerId(row["party."]["code"])
    return BillTo(BillToId(str(row["id"])), customer, address(row), default=default)


def item(row: Row, units: Sequence[Row]) -> Item:
    """``units`` are those of the category of the item's default unit."""
    own = row["default_uom."]
    factors: dict[str, Decimal] = {}
    for unit in units:
        if unit["id"] == own["id"]:
            continue
        if unit["symbol"] in factors or unit["symbol"] == own["symbol"]:
            raise ValueError(f"two units of measure have the symbol {unit['symbol']}")
        factors[unit["symbol"]] = factor(unit, own)
    return Item(
        sku=Sku(row["code"]),
        stock_unit=own["symbol"],
        units=tuple(sorted(factors.items())),
        description=row["name"] or "",
        active=bool(row["active"]) and bool(row["salable"]),
        whole_units_only=not own["digits"],
        kit=row["type"] == "kit",
    )


def factor(unit: Row, into: Row) -> Decimal:
    """How many of ``into`` one of ``unit`` holds; both of one category."""
    ratio = Decimal(unit["factor"]) / Decimal(into["factor"])
    # A third of a unit never comes out even; what a double cannot tell apart is one.
    return ratio.quantize(Decimal(1).scaleb(-9)).normalize() + 0


def invoice(row: Row) -> Invoice:
    currency = row["currency."]["code"]
    total = row["total_amount"]
    # Tryton's credit notes are invoices with negative amounts.
    sign = -1 if total < 0 else 1
    lines = [each for each in row["lines."] if each["type"] == "line"]
    sales = [each for each in row["sales."] if each["number"]]
    web_ids = [each["web_id"] for each in row["sales."] if each["web_id"]]
    dues = [_due(each, currency, sign) for each in row["lines_to_pay."]]
    return Invoice(
        number=InvoiceNumber(row["number"]),
        sold_to=CustomerId(row["party."]["code"]),
        kind=InvoiceKind.CREDIT if sign < 0 else InvoiceKind.INVOICE,
        invoiced_on=day(row["invoice_date"]),
        total=Money(sign * total, currency),
        tax=Money(sign * row["tax_amount"], currency),
        open_amount=Money(sign * row["amount_to_pay"], currency),
        dues=tuple(sorted(dues, key=lambda due: (due.due_on, due.amount.amount))),
        lines=tuple(
            _invoice_line(number, each, currency, sign)
            for number, each in enumerate(sorted(lines, key=_position), 1)
        ),
        erp_order=ErpOrderNumber(sales[0]["number"]) if len(sales) == 1 else None,
        po_number=row["reference"] or None,
        web_reference=web_ids[0] if len(web_ids) == 1 else None,
    )


def _due(row: Row, currency: str, sign: int) -> DueDate:
    second = (row["second_currency."] or {}).get("code")
    amount = row["amount_second_currency"] if second == currency else row["amount"]
    return DueDate(day(row["maturity_date"]), Money(sign * amount, currency))


def _invoice_line(number: int, row: Row, currency: str, sign: int) -> InvoiceLine:
    product = row["product."] or {}
    price = row["unit_price"]
    return InvoiceLine(
        number=number,
        quantity=sign * Decimal(row["quantity"]),
        net=Money(sign * row["amount"], currency),
        sku=Sku(product["code"]) if product.get("code") else None,
        description=row["description"] or product.get("name"),
        unit=(row["unit."] or {}).get("symbol"),
        unit_price=None if price is None else Money(price, currency),
    )


def found_order(row: Row) -> FoundOrder:
    return FoundOrder(
        number=order_number(row),
        sold_to=CustomerId(row["party."]["code"]),
        line_count=len(goods(row)),
        total=Money(row["total_amount"], row["currency."]["code"]),
    )


def order_number(row: Row) -> ErpOrderNumber | None:
    return ErpOrderNumber(row["number"]) if row["number"] else None


def goods(row: Row) -> list[Row]:
    """The lines of a sale that are goods, in their order."""
    lines = [each for each in row["lines."] if each["type"] == "line"]
    return sorted((each for each in lines if (each["sequence"] or 0) < AMOUNTS_FROM), key=_position)


def held(row: Row) -> bool:
    """Whether the order was sent to wait for a person's release."""
    return any((each["note"] or "").startswith(HELD) for each in row["lines."])


def order_status(row: Row) -> tuple[IdempotencyKey, OrderStatus]:
    gone = [each for each in row["shipments."] if each["state"] in _LEFT]
    started = bool(gone)
    status = OrderStatus(
        state=_state(row),
        number=order_number(row),
        shipments=tuple(_shipment(each) for each in sorted(gone, key=_id)),
        lines=tuple(
            _line_status(number, each, started=started)
            for number, each in enumerate(goods(row), 1)
            if (each["product."] or {}).get("code")
        ),
    )
    return IdempotencyKey(row["web_id"]), status


def _state(row: Row) -> ErpOrderState:
    state, shipped = row["state"], row["shipment_state"]
    if state == "cancelled":
        return ErpOrderState.CANCELLED
    if state in ("draft", "quotation"):
        return ErpOrderState.ON_HOLD if held(row) else ErpOrderState.RECEIVED
    if shipped == "partially shipped":
        return ErpOrderState.PARTLY_SHIPPED
    if shipped == "sent" or (shipped == "none" and state == "done"):
        invoiced = row["invoice_state"] in _INVOICED
        return ErpOrderState.INVOICED if invoiced else ErpOrderState.SHIPPED
    if any(each["state"] in ("picked", "packed") for each in row["shipments."]):
        return ErpOrderState.PICKED
    return ErpOrderState.OPEN


def _shipment(row: Row) -> Shipment:
    carrier = row.get("carrier.") or {}
    return Shipment(
        number=str(row["number"]),
        shipped_on=row["effective_date"],
        carrier=(carrier.get("party.") or {}).get("name"),
    )


def _line_status(number: int, row: Row, *, started: bool) -> LineStatus:
    """Once something of the order has left, what has not waits for goods."""
    into = row["product."]["default_uom."]
    ordered = _stock(row["quantity"], row["unit."], into)
    shipped = sum(
        (
            _stock(move["quantity"], move["unit."], into)
            for move in row["moves."]
            if move["state"] == "done"
            and str(move["shipment"] or "").startswith("stock.shipment.out,")
        ),
        Decimal(0),
    )
    waiting = max(ordered - shipped, Decimal(0)) if started else Decimal(0)
    return LineStatus(number, Sku(row["product."]["code"]), ordered, shipped, waiting)


def _stock(quantity: Any, unit: Mapping[str, Any] | None, into: Row) -> Decimal:
    value = Decimal(quantity)
    return value if unit is None else value * factor(unit, into)


def day(value: object) -> date:
    if not isinstance(value, date):
        raise ValueError("a day is missing")
    return value


def _id(row: Row) -> int:
    return int(row["id"])


def _position(row: Row) -> tuple[int, int]:
    """As Tryton orders lines: those without a sequence first, then as they were made."""
    sequence = row["sequence"]
    return (-1 if sequence is None else int(sequence), int(row["id"]))


def by_owner(addresses: Iterable[Row]) -> dict[str, list[Row]]:
    """Addresses of each party by its code, in the order in which Tryton shows them."""
    found: dict[str, list[Row]] = {}
    for row in sorted(addresses, key=_position):
        found.setdefault(str(row["party."]["code"]), []).append(row)
    return found
