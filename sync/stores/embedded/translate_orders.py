"""Rows of an order as the order that was placed, or as one that cannot be told.

Every field is read on its own, so that a broken order names all of its problems
at once. Nothing is guessed: a word that is not one of ours, a quantity that is
no number, an amount without a currency make the order unreadable, and its rows
travel along as they stand. Typed addresses are loose by nature and never do.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, TypeVar

from sync.domain.address import TypedAddress
from sync.domain.ids import (
    BillToId,
    ChannelId,
    CustomerId,
    Key,
    LocationId,
    OrganisationId,
    RefundId,
    ShipToId,
    Sku,
    WebOrderId,
    WebOrderNumber,
    WebUserId,
    well_formed,
)
from sync.domain.money import Money, currency_code
from sync.domain.order import (
    Adjustment,
    Approval,
    Buyer,
    Charge,
    ChargeKind,
    LineDiscount,
    OrderDiscount,
    OrderLine,
    OrderState,
    Payment,
    PaymentState,
    Refund,
    SelectedBillTo,
    SelectedShipTo,
    StoreOrder,
    Tax,
    UnreadableOrder,
    WebOrder,
)
from sync.stores.embedded.spelling import read_day, read_decimal, read_list, read_moment

T = TypeVar("T")
K = TypeVar("K", bound=Key)
E = TypeVar("E", bound=Enum)
Row = Mapping[str, Any]
Parts = Mapping[str, Sequence[Row]]

# A currency for amounts of an order that names none, so that the amounts can
# still be looked at; ISO 4217 keeps this code for "no currency". An order read
# with it is unreadable by definition.
_NO_CURRENCY = "XXX"
_NO_MOMENT = datetime(1970, 1, 1, tzinfo=UTC)


def order_from(row: Row, parts: Parts) -> StoreOrder:
    """The order of this row; ``parts`` are its rows of each part table, by position."""
    fields = _Fields(row)
    modified_at = fields.needed("modified_at", read_moment)
    currency = fields.needed("currency", currency_code)
    fields.currency = currency or _NO_CURRENCY
    number = fields.key("number", WebOrderNumber, needed=True)
    order_id = fields.key("order_id", WebOrderId, needed=True)
    channel = fields.key("channel", ChannelId, needed=True)
    ship_to = _destination(fields, parts, "ship_to", ShipToId, SelectedShipTo)
    bill_to = _destination(fields, parts, "bill_to", BillToId, SelectedBillTo)
    values: dict[str, Any] = {
        "placed_at": fields.needed("placed_at", read_moment),
        "state": fields.word("state", OrderState),
        "buyer": _buyer(fields),
        "lines": _lines(fields, parts),
        "total": fields.money("total"),
        "charges": _charges(fields, parts),
        "discounts": _discounts(fields, parts),
        "taxes": _taxes(fields, parts),
        "adjustments": _adjustments(fields, parts),
        "payments": _payments(fields, parts),
        "refunds": _refunds(fields, parts),
        "approval": fields.word("approval", Approval),
        "priced_for": fields.key("priced_for", CustomerId),
        "requested_date": fields.optional("requested_date", read_day),
    }
    if order_id and number and channel and modified_at and not fields.problems:
        return WebOrder(
            order_id=order_id,
            number=number,
            channel=channel,
            modified_at=modified_at,
            currency=fields.currency,
            ship_to=ship_to,
            bill_to=bill_to,
            po_number=row["po_number"],
            notes=row["notes"],
            ship_complete=row["ship_complete"],
            ship_via=row["ship_via"],
            collect_account=row["collect_account"],
            **values,
        )
    order_id = order_id or WebOrderId(_some_key(row["order_id"]))
    return UnreadableOrder(
        order_id=order_id,
        number=number or WebOrderNumber(order_id.value),
        modified_at=modified_at or _NO_MOMENT,
        problems=tuple(fields.problems),
        payload=_payload(row, parts),
        channel=channel,
    )


@dataclass(slots=True)
class _Fields:
    """Reads one row, and notes what is wrong with it under the field's full name."""

    row: Row
    where: str = ""
    problems: list[str] = field(default_factory=list)
    currency: str = _NO_CURRENCY

    def part(self, row: Row, where: str) -> _Fields:
        return _Fields(row, f"{where}.", self.problems, self.currency)

    def wrong(self, name: str, what: object) -> None:
        self.problems.append(f"{self.where}{name}: {what}")

    def optional(self, name: str, read: Callable[[str], T]) -> T | None:
        raw = self.row[name]
        if raw is None:
            return None
        try:
            return read(raw)
        except (ValueError, TypeError) as error:
            self.wrong(name, error)
            return None

    def needed(self, name: str, read: Callable[[str], T]) -> T | None:
        if self.row[name] is None:
            self.wrong(name, "missing")
        return self.optional(name, read)

    def text(self, name: str) -> str | None:
        return self.needed(name, str)

    def key(self, name: str, kind: type[K], *, needed: bool = False) -> K | None:
        return self.needed(name, kind) if needed else self.optional(name, kind)

    def word(self, name: str, kind: type[E]) -> E | None:
        return self.needed(name, kind)

    def optional_money(self, name: str) -> Money | None:
        amount = self.optional(name, read_decimal)
        return None if amount is None else Money(amount, self.currency)

    def money(self, name: str) -> Money | None:
        amount = self.needed(name, read_decimal)
        return None if amount is None else Money(amount, self.currency)


def _each(fields: _Fields, parts: Parts, table: str, shown_as: str) -> Iterable[_Fields]:
    for place, row in enumerate(parts.get(table, ())):
        yield fields.part(row, f"{shown_as}[{place}]")


def _buyer(fields: _Fields) -> Buyer:
    return Buyer(
        web_user=fields.key("web_user", WebUserId),
        signed_in=fields.row["signed_in"],
        organisation=fields.key("organisation", OrganisationId),
        location=fields.key("location", LocationId),
        email=fields.row["email"],
        phone=fields.row["phone"],
    )


def _destination(
    fields: _Fields, parts: Parts, purpose: str, kind: type[K], selected: Callable[[K], T]
) -> T | TypedAddress | None:
    chosen = fields.key(f"{purpose}_id", kind)
    typed = [row for row in parts.get("order_addresses", ()) if row["purpose"] == purpose]
    if chosen is not None and typed:
        fields.wrong(purpose, "both selected and typed")
    if chosen is not None:
        return selected(chosen)
    return _typed(fields.part(typed[0], purpose)) if typed else None


def _typed(fields: _Fields) -> TypedAddress:
    row = fields.row
    return TypedAddress(
        name=row["name"],
        lines=fields.needed("lines", read_list) or (),
        city=row["city"],
        country=row["country"],
        postal_code=row["postal_code"],
        region=row["region"],
        attention=row["attention"],
        phone=row["phone"],
        email=row["email"],
        residential=row["residential"],
    )


def _lines(fields: _Fields, parts: Parts) -> tuple[OrderLine, ...]:
    lines = []
    discounts: dict[int, list[LineDiscount]] = {}
    positions = {row["position"] for row in parts.get("order_lines", ())}
    for each in _each(fields, parts, "order_line_discounts", "line_discounts"):
        code, amount = each.text("code"), each.money("amount")
        rate = each.optional("rate", read_decimal)
        if each.row["line_position"] not in positions:
            each.wrong("line_position", f"there is no line {each.row['line_position']}")
        if code is not None and amount is not None:
            of_line = discounts.setdefault(each.row["line_position"], [])
            of_line.append(LineDiscount(code, amount, rate))
    for each in _each(fields, parts, "order_lines", "lines"):
        line_id, unit = each.text("line_id"), each.text("unit")
        sku = each.key("sku", Sku, needed=True)
        quantity = each.needed("quantity", _quantity)
        price = each.needed("unit_price", _price)
        if line_id and sku and unit is not None and quantity is not None and price is not None:
            lines.append(
                OrderLine(
                    line_id=line_id,
                    sku=sku,
                    quantity=quantity,
                    unit=unit,
                    unit_price=Money(price, each.currency),
                    discounts=tuple(discounts.get(each.row["position"], ())),
                    customer_part_number=each.row["customer_part_number"],
                    note=each.row["note"],
                    kit_parent=each.row["kit_parent"],
                )
            )
    return tuple(lines)


def _quantity(text: str) -> Decimal:
    quantity = read_decimal(text)
    if quantity <= 0:
        raise ValueError(f"{text} is not positive")
    return quantity


def _price(text: str) -> Decimal:
    price = read_decimal(text)
    if price < 0:
        raise ValueError(f"{text} is negative")
    return price


def _charges(fields: _Fields, parts: Parts) -> tuple[Charge, ...]:
    found = []
    for each in _each(fields, parts, "order_charges", "charges"):
        kind, code, amount = each.word("kind", ChargeKind), each.text("code"), each.money("amount")
        if kind is not None and code is not None and amount is not None:
            found.append(Charge(kind, code, amount))
    return tuple(found)


def _discounts(fields: _Fields, parts: Parts) -> tuple[OrderDiscount, ...]:
    found = []
    for each in _each(fields, parts, "order_discounts", "discounts"):
        code, amount = each.text("code"), each.money("amount")
        if code is not None and amount is not None:
            found.append(OrderDiscount(code, amount))
    return tuple(found)


def _taxes(fields: _Fields, parts: Parts) -> tuple[Tax, ...]:
    found = []
    for each in _each(fields, parts, "order_taxes", "taxes"):
        code, amount = each.text("code"), each.money("amount")
        rate = each.optional("rate", read_decimal)
        if code is not None and amount is not None:
            found.append(Tax(code, amount, rate))
    return tuple(found)


def _adjustments(fields: _Fields, parts: Parts) -> tuple[Adjustment, ...]:
    found = []
    for each in _each(fields, parts, "order_adjustments", "adjustments"):
        name, amount = each.text("name"), each.money("amount")
        if name is not None and amount is not None:
            found.append(Adjustment(name, amount))
    return tuple(found)


def _payments(fields: _Fields, parts: Parts) -> tuple[Payment, ...]:
    found = []
    for each in _each(fields, parts, "order_payments", "payments"):
        state = each.word("state", PaymentState)
        amount = each.optional_money("amount")
        expires_at = each.optional("expires_at", read_moment)
        if state is not None:
            row = each.row
            found.append(Payment(row["method"], state, amount, row["reference"], expires_at))
    return tuple(found)


def _refunds(fields: _Fields, parts: Parts) -> tuple[Refund, ...]:
    found = []
    for each in _each(fields, parts, "order_refunds", "refunds"):
        refund_id = each.key("refund_id", RefundId, needed=True)
        amount = each.needed("amount", _quantity)
        refunded_at = each.needed("refunded_at", read_moment)
        if refund_id is not None and amount is not None and refunded_at is not None:
            found.append(Refund(refund_id, Money(amount, each.currency), refunded_at))
    return tuple(found)


def _some_key(raw: object) -> str:
    """A key to file the order under whose own key is none."""
    spelled = ascii(raw)[:255]
    return spelled if well_formed(spelled) else "unnamed"


def _payload(row: Row, parts: Parts) -> str:
    said: dict[str, Any] = {"orders": dict(row)}
    said.update({name: [dict(each) for each in rows] for name, rows in parts.items() if rows})
    return json.dumps(said, ensure_ascii=False, sort_keys=True, default=repr)
