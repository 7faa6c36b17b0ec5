"""An order of Medusa as the order that was placed, or as one that cannot be told.

Every field is read on its own, so that a broken order names all of its problems
at once, and nothing is guessed. What a shopper typed is passed on as such: the
e-mail address decides nothing, and of the metadata, which was the cart's, only
wishes are read (a PO number, notes), never who the buyer is or whether the ERP
has the order.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, TypeVar

from sync.domain.address import TypedAddress
from sync.domain.ids import (
    BillToId,
    ShipToId,
    Sku,
    WebOrderId,
    WebOrderNumber,
    WebUserId,
    well_formed,
)
from sync.domain.money import Rounding, currency_code, currency_places
from sync.domain.order import (
    Buyer,
    Charge,
    ChargeKind,
    OrderDiscount,
    OrderLine,
    SelectedBillTo,
    SelectedShipTo,
    StoreOrder,
    UnreadableOrder,
    WebOrder,
)
from sync.stores.medusa.addresses import address_text, typed
from sync.stores.medusa.amounts import Discount, Sold, TaxRate, Till
from sync.stores.medusa.settings import MedusaSettings
from sync.stores.medusa.spelling import read_moment, read_raw
from sync.stores.medusa.states import payments_of, state_of

T = TypeVar("T")
Json = Mapping[str, Any]

UNIT_KEY = "erp_unit"
UNNAMED = "unnamed"
_NO_MOMENT = datetime(1970, 1, 1, tzinfo=UTC)


def order_from(order: Json, checkout: Json | None, settings: MedusaSettings) -> StoreOrder:
    """``checkout`` is what our module recorded when the cart was completed, if it did."""
    fields = _Fields(order)
    order_id = fields.read("id", lambda value: WebOrderId(_text(value)))
    number = _number(fields)
    placed_at = fields.read("created_at", read_moment)
    modified_at = fields.read("updated_at", read_moment)
    currency = fields.read("currency_code", lambda value: currency_code(_text(value).upper()))
    channel = settings.channel_of(order.get("sales_channel_id"), order.get("region_id"))
    if channel is None:
        fields.wrong("sales_channel_id", "missing")
    rounding = Rounding(currency_places(currency or ""), settings.rounding)
    till = Till(currency or "XXX", rounding)
    lines = _lines(fields, till, settings.unit)
    shipped = _shipping(fields, till)
    buyer = _buyer(order, checkout)
    values: dict[str, Any] = {
        "ship_to": _ship_to(order, checkout, signed_in=buyer.signed_in),
        "bill_to": _bill_to(order, checkout, signed_in=buyer.signed_in),
        **_wishes(order),
    }
    money: dict[str, Any] = {}
    if not fields.problems:
        money = fields.attempt("amounts", lambda: _money(order, till, lines, shipped)) or {}
    if order_id and number and channel and placed_at and modified_at and not fields.problems:
        return WebOrder(
            order_id=order_id,
            number=number,
            channel=channel,
            placed_at=placed_at,
            modified_at=modified_at,
            buyer=buyer,
            currency=till.currency,
            lines=tuple(lines),
            charges=shipped.charges,
            ship_via=shipped.name,
            **values,
            **money,
        )
    order_id = order_id or WebOrderId(_some_key(order.get("id")))
    return UnreadableOrder(
        order_id=order_id,
        number=number or WebOrderNumber(order_id.value),
        modified_at=modified_at or _NO_MOMENT,
        problems=tuple(fields.problems),
        payload=json.dumps(order, ensure_ascii=False, sort_keys=True, default=str),
        channel=channel,
    )


@dataclass(slots=True)
class _Fields:
    """Reads one part, and notes what is wrong with it under the field's full name."""

    part: Json
    where: str = ""
    problems: list[str] = field(default_factory=list)

    def wrong(self, name: str, what: object) -> None:
        self.problems.append(f"{self.where}{name}: {what}")

    def read(self, name: str, read: Callable[[Any], T]) -> T | None:
        """What the field says; None, and a problem noted, where it is absent or wrong."""
        value = self.part.get(name)
        if value is None:
            self.wrong(name, "missing")
            return None
        return self.attempt(name, lambda: read(value))

    def attempt(self, name: str, made: Callable[[], T]) -> T | None:
        try:
            return made()
        except (ValueError, TypeError, KeyError, ArithmeticError) as error:
            self.wrong(name, error)
            return None

    def each(self, name: str) -> Iterator[_Fields]:
        """The parts of that name, in the sequence in which they were made."""
        parts = self.part.get(name) or ()
        ordered = sorted(
            parts, key=lambda part: (str(part.get("created_at") or ""), str(part.get("id")))
        )
        for place, part in enumerate(ordered):
            yield _Fields(part, f"{self.where}{name}[{place}].", self.problems)


def _number(fields: _Fields) -> WebOrderNumber | None:
    """What people call the order: the shop's own number where it gives one."""
    if fields.part.get("custom_display_id"):
        return fields.read("custom_display_id", lambda value: WebOrderNumber(_text(value)))
    return fields.read("display_id", lambda value: WebOrderNumber(str(_whole(value))))


def _sold(fields: _Fields, price: Decimal, quantity: Decimal) -> Sold:
    discounts = [
        Discount(
            each.part.get("code") or UNNAMED,
            each.read("raw_amount", read_raw) or Decimal(0),
            with_tax=each.part.get("is_tax_inclusive") is True,
        )
        for each in fields.each("adjustments")
    ]
    taxes = [
        TaxRate(
            each.part.get("code") or UNNAMED, each.read("raw_rate", _not_negative) or Decimal(0)
        )
        for each in fields.each("tax_lines")
    ]
    return Sold(
        price,
        quantity,
        tuple(each for each in discounts if each.amount),
        tuple(taxes),
        with_tax=fields.part.get("is_tax_inclusive") is True,
    )


def _lines(fields: _Fields, till: Till, unit: str) -> list[OrderLine]:
    lines = []
    for each in fields.each("items"):
        line_id = each.read("id", _text)
        sku = each.read("variant_sku", lambda value: Sku(_text(value)))
        quantity = each.read("raw_quantity", _positive)
        price = each.read("raw_unit_price", _not_negative)
        if line_id is None or sku is None or quantity is None or price is None:
            continue
        sold = _sold(each, price, quantity)
        till.take(sold)
        variant = (each.part.get("variant") or {}).get("metadata") or {}
        said = each.part.get("metadata") or {}
        lines.append(
            OrderLine(
                line_id=line_id,
                sku=sku,
                quantity=quantity,
                unit=_wish(variant.get(UNIT_KEY)) or unit,
                unit_price=till.unit_price(sold),
                discounts=till.line_discounts(sold),
                customer_part_number=_wish(said.get("customer_part_number")),
                note=_wish(said.get("note")),
            )
        )
    return lines


@dataclass(slots=True)
class _Shipping:
    charges: tuple[Charge, ...] = ()
    discounts: tuple[OrderDiscount, ...] = ()
    name: str | None = None


def _shipping(fields: _Fields, till: Till) -> _Shipping:
    shipping = _Shipping()
    names: list[str] = []
    for each in fields.each("shipping_methods"):
        name = each.read("name", _text)
        amount = each.read("raw_amount", _not_negative)
        if name is None or amount is None:
            continue
        sold = _sold(each, amount, Decimal(1))
        till.take(sold)
        net = till.money(sold.gross)
        shipping.charges += (Charge(ChargeKind.FREIGHT, name, net),)
        shipping.discounts += till.order_discounts(sold)
        names.append(name)
    # Two ways on one order are a way of their own: the code table says what the ERP calls it.
    shipping.name = " + ".join(sorted(set(names))) or None
    return shipping


def _money(
    order: Json, till: Till, lines: Sequence[OrderLine], shipped: _Shipping
) -> dict[str, Any]:
    """The total and what must fit it. Raises ValueError where they do not.

    Medusa takes returned goods off the total. What was ordered is the ERP's
    order, and a return another document; so the total is that of the lines, and
    held against Medusa's own as long as nothing was returned.
    """
    whole = till.total()
    credits_ = read_raw(order.get("raw_credit_line_total") or {"value": "0"})
    stated = read_raw(order.get("raw_total")) + credits_
    if not _returned(order) and abs(stated - till.exact) > Decimal("0.00001"):
        raise ValueError(f"the parts come to {till.exact:f}, raw_total says {stated:f}")
    # An order that is being undone (its card was declined) loses its lines before it
    # is gone: without any it costs nothing, and nothing says that it was paid for.
    free = bool(lines) and till.exact == 0
    taxes = till.taxes()
    parts = [line.net for line in lines]
    parts += [charge.amount for charge in shipped.charges]
    parts += [tax.amount for tax in taxes]
    parts += [-discount.amount for discount in shipped.discounts]
    return {
        "total": whole,
        "taxes": taxes,
        "discounts": shipped.discounts,
        "adjustments": till.adjustment(parts, whole),
        "payments": payments_of(order, till, whole),
        "state": state_of(order, nothing_to_pay=free),
    }


def _returned(order: Json) -> bool:
    names = ("raw_return_received_quantity", "raw_return_dismissed_quantity")
    details = [item.get("detail") or {} for item in order.get("items") or ()]
    return any(read_raw(each[name]) for each in details for name in names if each.get(name))


def _buyer(order: Json, checkout: Json | None) -> Buyer:
    """The customer whom Medusa names is a claim: it gives a guest who types the
    e-mail address of a registered customer that customer's ID. Proven is whoever
    our module saw signed in when the cart was completed, and nobody else."""
    customer = order.get("customer") or {}
    customer_id = customer.get("id")
    registered = customer.get("has_account") is True and well_formed(customer_id)
    actor = checkout.get("actor_id") if checkout else None
    return Buyer(
        web_user=WebUserId(str(customer_id)) if registered else None,
        signed_in=registered and actor == customer_id,
        email=_wish(order.get("email")),
        phone=_wish((order.get("billing_address") or {}).get("phone")),
    )


def _ship_to(
    order: Json, checkout: Json | None, *, signed_in: bool
) -> SelectedShipTo | TypedAddress | None:
    form = order.get("shipping_address")
    key = _chosen(form, checkout, "ship_to") if signed_in else None
    if key is not None:
        return SelectedShipTo(ShipToId(key))
    return typed(form) if form else None


def _bill_to(
    order: Json, checkout: Json | None, *, signed_in: bool
) -> SelectedBillTo | TypedAddress | None:
    form = order.get("billing_address")
    key = _chosen(form, checkout, "bill_to") if signed_in else None
    if key is not None:
        return SelectedBillTo(BillToId(key))
    return typed(form) if form else None


def _chosen(form: Json | None, checkout: Json | None, kind: str) -> str | None:
    """The address on file that the buyer chose, as long as the order still says the same."""
    if form is None or checkout is None:
        return None
    key, text = checkout.get(kind), checkout.get(f"{kind}_text")
    same = isinstance(key, str) and well_formed(key) and text == address_text(form)
    return key if same else None


def _wishes(order: Json) -> dict[str, Any]:
    said = order.get("metadata") or {}
    notes, typed_day = _wish(said.get("notes")), _wish(said.get("requested_date"))
    day = _day(typed_day)
    if typed_day is not None and day is None:
        # "as soon as you can" is no date, and still what the buyer wants.
        notes = "\n".join([*([notes] if notes else []), f"Requested date: {typed_day}"])
    return {
        "po_number": _wish(said.get("po_number")),
        "notes": notes,
        "collect_account": _wish(said.get("collect_account")),
        "ship_complete": said.get("ship_complete") in (True, "true"),
        "requested_date": day,
    }


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text is not None else None
    except ValueError:
        return None


def _wish(value: object) -> str | None:
    """Text that a shopper may have typed; numbers as they are spelled, all else is none."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return None
    text = str(value)
    return text if text.strip() else None


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"not a text: {value!r}")
    return value


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"not a whole number: {value!r}")
    return value


def _positive(value: object) -> Decimal:
    number = read_raw(value)
    if number <= 0:
        raise ValueError(f"{number:f} is not positive")
    return number


def _not_negative(value: object) -> Decimal:
    number = read_raw(value)
    if number < 0:
        raise ValueError(f"{number:f} is negative")
    return number


def _some_key(raw: object) -> str:
    spelled = ascii(raw)[:255]
    return spelled if well_formed(spelled) else UNNAMED
