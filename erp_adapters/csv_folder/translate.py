"""Rows to documents. Every function raises ValueError, "column: what is wrong"."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from datetime import date
from decimal import Decimal
from typing import TypeVar

from erp_adapters.csv_folder.tables import Row
from sync.domain.account import (
    Account,
    AccountStatus,
    BillTo,
    Contact,
    CreditStatus,
    Item,
    Location,
    ShipTo,
)
from sync.domain.address import Address
from sync.domain.ids import (
    BillToId,
    ContactId,
    CustomerId,
    ErpOrderNumber,
    InvoiceNumber,
    Key,
    LocationId,
    ShipToId,
    Sku,
)
from sync.domain.invoice import DueDate, Invoice, InvoiceKind, InvoiceLine
from sync.domain.money import Money
from sync.domain.pricing import Price, PriceKey, PriceLevel, PriceScope, PriceValue
from sync.domain.sales_order import ErpOrderState, LineStatus, OrderStatus, Shipment

K = TypeVar("K", bound=Key)
T = TypeVar("T")

_TRUE = frozenset({"1", "true", "t", "y", "yes"})
_FALSE = frozenset({"0", "false", "f", "n", "no"})
_NUMBER = re.compile(r"[+-]?[0-9]{1,30}(\.[0-9]{1,30})?")


def account(row: Row, contacts: Sequence[Contact]) -> Account:
    status = _maybe(row, "status", lambda word: AccountStatus[word.upper()])
    return Account(
        customer_id=_key(row, "customer_id", CustomerId),
        name=_text(row, "name"),
        currencies=_several(row, "currencies"),
        active=_truth(row, "active", True),
        prospect=_truth(row, "prospect", False),
        terms=row["terms"],
        tax_exempt=_truth(row, "tax_exempt", False),
        credit=_maybe(row, "credit", lambda word: CreditStatus(word.lower())) or CreditStatus.OK,
        price_groups=_several(row, "price_groups"),
        contacts=tuple(contacts),
        default_ship_to=_maybe(row, "default_ship_to", ShipToId),
        po_required=_truth(row, "po_required", False),
        status=status,
        tax_id=row["tax_id"],
        tags=tuple(sorted(_several(row, "tags"))),
    )


def contact(row: Row) -> Contact:
    return Contact(_key(row, "contact_id", ContactId), row["email"])


def location(row: Row) -> Location:
    return Location(
        location_id=_key(row, "location_id", LocationId),
        sold_to=_key(row, "customer_id", CustomerId),
        name=_text(row, "name"),
        tax_exempt=_maybe(row, "tax_exempt", _as_truth),
        default_ship_to=_maybe(row, "default_ship_to", ShipToId),
        bill_to=_maybe(row, "bill_to", BillToId),
        warehouse=row["warehouse"],
    )


def ship_to(row: Row) -> ShipTo:
    return ShipTo(
        ship_to_id=_key(row, "ship_to_id", ShipToId),
        sold_to=_key(row, "customer_id", CustomerId),
        address=_address(row),
        default=_truth(row, "is_default", False),
        tax_exempt=_maybe(row, "tax_exempt", _as_truth),
        warehouse=row["warehouse"],
        location=_maybe(row, "location_id", LocationId),
    )


def bill_to(row: Row) -> BillTo:
    return BillTo(
        bill_to_id=_key(row, "bill_to_id", BillToId),
        sold_to=_key(row, "customer_id", CustomerId),
        address=_address(row),
        default=_truth(row, "is_default", False),
    )


def item(row: Row) -> Item:
    allowed = frozenset(CustomerId(each) for each in _several(row, "allowed_to"))
    tags = frozenset(_several(row, "allowed_tags"))
    return Item(
        sku=_key(row, "sku", Sku),
        stock_unit=_text(row, "stock_unit"),
        units=tuple(_unit(each) for each in _several(row, "units")),
        description=row["description"] or "",
        active=_truth(row, "active", True),
        discontinued=_truth(row, "discontinued", False),
        whole_units_only=_truth(row, "whole_units_only", True),
        kit=_truth(row, "kit", False),
        allowed_to=allowed if allowed or tags else None,
        allowed_tags=tags,
    )


def scope(row: Row) -> PriceScope:
    level = _told(row, "level", lambda word: PriceLevel[word.upper()])
    return PriceScope(level, row["owner"] or "")


def price(row: Row) -> Price:
    key = PriceKey(
        scope=scope(row),
        price_list=row["price_list"] or "",
        sku=_key(row, "sku", Sku),
        unit=_text(row, "unit"),
        currency=_text(row, "currency"),
        min_quantity=_number(row, "min_quantity"),
        valid_from=_maybe(row, "valid_from", date.fromisoformat),
        priority=_maybe(row, "priority", int) or 0,
        warehouse=row["warehouse"],
    )
    # Empty is "call for pricing", and never a zero.
    value = PriceValue(
        _maybe(row, "unit_price", _as_number), _maybe(row, "valid_until", date.fromisoformat)
    )
    return Price(key, value)


def refuse_shared(rows: Collection[Row]) -> None:
    """Raise where invoices of one number, which has lines or dues, are of several accounts."""
    if len({row["customer_id"] for row in rows}) > 1:
        raise ValueError(
            "invoice_number: several accounts have an invoice of this number, and its lines do"
            " not say whose they are"
        )


def invoice(row: Row, lines: Collection[Row], dues: Collection[Row]) -> Invoice:
    currency = _text(row, "currency")

    def money(column: str) -> Money | None:
        amount = _maybe(row, column, _as_number)
        return None if amount is None else Money(amount, currency)

    return Invoice(
        number=_key(row, "invoice_number", InvoiceNumber),
        sold_to=_key(row, "customer_id", CustomerId),
        kind=_maybe(row, "kind", lambda word: InvoiceKind(word.lower())) or InvoiceKind.INVOICE,
        invoiced_on=_told(row, "invoiced_on", date.fromisoformat),
        total=Money(_number(row, "total"), currency),
        tax=money("tax"),
        freight=money("freight"),
        open_amount=money("open_amount"),
        dues=tuple(
            DueDate(
                _told(each, "due_on", date.fromisoformat), Money(_number(each, "amount"), currency)
            )
            for each in dues
        ),
        lines=tuple(_invoice_line(each, currency) for each in lines),
        erp_order=_maybe(row, "order_number", ErpOrderNumber),
        po_number=row["po_number"],
        web_reference=row["web_reference"],
    )


def _invoice_line(row: Row, currency: str) -> InvoiceLine:
    unit_price = _maybe(row, "unit_price", _as_number)
    return InvoiceLine(
        number=_told(row, "line_number", int),
        quantity=_number(row, "quantity"),
        net=Money(_number(row, "net"), currency),
        sku=_maybe(row, "sku", Sku),
        description=row["description"],
        unit=row["unit"],
        unit_price=None if unit_price is None else Money(unit_price, currency),
    )


def order_status(row: Row, shipments: Collection[Row], lines: Collection[Row]) -> OrderStatus:
    return OrderStatus(
        state=_told(row, "state", lambda word: ErpOrderState(word.lower())),
        number=_maybe(row, "order_number", ErpOrderNumber),
        shipments=tuple(
            Shipment(
                _text(each, "shipment_number"),
                _maybe(each, "shipped_on", date.fromisoformat),
                each["carrier"],
                each["tracking"],
            )
            for each in shipments
        ),
        lines=tuple(
            LineStatus(
                line=_told(each, "line_number", int),
                sku=_key(each, "sku", Sku),
                ordered=_number(each, "ordered"),
                shipped=_number(each, "shipped"),
                back_ordered=_number(each, "back_ordered"),
            )
            for each in lines
        ),
        message=row["message"],
    )


def _address(row: Row) -> Address:
    lines = (row["line1"], row["line2"], row["line3"], row["line4"])
    return Address(
        name=_text(row, "name"),
        lines=tuple(line for line in lines if line),
        city=_text(row, "city"),
        country=_text(row, "country"),
        postal_code=row["postal_code"],
        region=row["region"],
        attention=row["attention"],
        phone=row["phone"],
        email=row["email"],
        residential=_maybe(row, "residential", _as_truth),
    )


def _unit(text: str) -> tuple[str, Decimal]:
    unit, equals, factor = text.partition("=")
    if not equals or not unit.strip():
        raise ValueError(f"units: {text!r} is not of the form BOX=100")
    try:
        return unit.strip(), _as_number(factor.strip())
    except ValueError as error:
        raise ValueError(f"units: {text!r} {error}") from None


def _several(row: Row, column: str) -> tuple[str, ...]:
    parts = (part.strip() for part in (row[column] or "").split(";"))
    return tuple(part for part in parts if part)


def _text(row: Row, column: str) -> str:
    value = row[column]
    if value is None:
        raise ValueError(f"{column}: is missing")
    return value


def _told(row: Row, column: str, make: Callable[[str], T]) -> T:
    value = _text(row, column)
    try:
        return make(value)
    except (ValueError, KeyError):
        raise ValueError(f"{column}: {value!r} is not understood") from None


def _maybe(row: Row, column: str, make: Callable[[str], T]) -> T | None:
    return None if row[column] is None else _told(row, column, make)


def _key(row: Row, column: str, kind: type[K]) -> K:
    return _told(row, column, kind)


def _truth(row: Row, column: str, missing: bool) -> bool:
    told = _maybe(row, column, _as_truth)
    return missing if told is None else told


def _number(row: Row, column: str) -> Decimal:
    return _told(row, column, _as_number)


def _as_truth(word: str) -> bool:
    if word.lower() in _TRUE or word.lower() in _FALSE:
        return word.lower() in _TRUE
    raise ValueError("is neither yes nor no")


def _as_number(text: str) -> Decimal:
    # A comma could part thousands or be the decimal one, and a spreadsheet that
    # writes 1.2E+05 has dropped digits; nobody guesses.
    if _NUMBER.fullmatch(text) is None:
        raise ValueError("is not a number with a decimal point")
    return Decimal(text)
