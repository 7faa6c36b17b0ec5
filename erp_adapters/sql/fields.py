"""What a write step may bind: every field of an order, under a documented name.

A path is ``group.field``. ``order``, ``ship_to`` and ``bill_to`` are there in
every step; ``line``, ``charge`` and the like only in a step ``for_each`` of
them. A field that the order does not have is None and is bound as NULL.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from types import NoneType
from typing import Any, Protocol

from erp_adapters.sql.catalogue import Kind
from sync.domain.address import Address
from sync.domain.ids import IdempotencyKey, Key
from sync.domain.money import Money, total
from sync.domain.registration import NewCustomer
from sync.domain.sales_order import (
    CodedAmount,
    OnFileBillTo,
    OnFileShipTo,
    SalesOrder,
)
from sync.domain.settlement import CreditRequest
from sync.kit.key_names import key_digest

_ADDRESS = {
    "name": Kind.TEXT,
    "line1": Kind.TEXT,
    "line2": Kind.TEXT,
    "line3": Kind.TEXT,
    "line4": Kind.TEXT,
    "street": Kind.TEXT,
    "city": Kind.TEXT,
    "country": Kind.TEXT,
    "postal_code": Kind.TEXT,
    "region": Kind.TEXT,
    "attention": Kind.TEXT,
    "phone": Kind.TEXT,
    "email": Kind.TEXT,
    "residential": Kind.BOOL,
}

_CODED = {
    "number": Kind.INTEGER,
    "code": Kind.TEXT,
    "amount": Kind.AMOUNT,
    "rate": Kind.NUMBER,
}

GROUPS: Mapping[str, Mapping[str, Kind]] = {
    "order": {
        "key": Kind.KEY,
        "short_key": Kind.KEY,
        "sold_to": Kind.KEY,
        "retail": Kind.BOOL,
        "web_order": Kind.KEY,
        "web_number": Kind.KEY,
        "channel": Kind.KEY,
        "ordered_at": Kind.DATETIME,
        "ordered_on": Kind.DATE,
        "currency": Kind.TEXT,
        "total": Kind.AMOUNT,
        "lines_total": Kind.AMOUNT,
        "charges_total": Kind.AMOUNT,
        "discounts_total": Kind.AMOUNT,
        "taxes_total": Kind.AMOUNT,
        "adjustments_total": Kind.AMOUNT,
        "payments_total": Kind.AMOUNT,
        "line_count": Kind.INTEGER,
        "contact": Kind.KEY,
        "web_user": Kind.KEY,
        "organisation": Kind.KEY,
        "location": Kind.KEY,
        "terms": Kind.TEXT,
        "hold": Kind.BOOL,
        "po_number": Kind.TEXT,
        "notes": Kind.TEXT,
        "flags": Kind.TEXT,
        "remarks": Kind.TEXT,
        "requested_on": Kind.DATE,
        "ship_complete": Kind.BOOL,
        "ship_via": Kind.TEXT,
        "collect_account": Kind.TEXT,
        "phone": Kind.TEXT,
        "email": Kind.TEXT,
    },
    "ship_to": {"id": Kind.KEY, "on_file_id": Kind.KEY, "under": Kind.KEY, **_ADDRESS},
    "bill_to": {"id": Kind.KEY, **_ADDRESS},
    "line": {
        "number": Kind.INTEGER,
        "sku": Kind.KEY,
        "quantity": Kind.NUMBER,
        "unit": Kind.TEXT,
        "stock_quantity": Kind.NUMBER,
        "unit_price": Kind.PRICE,
        "discount": Kind.AMOUNT,
        "discount_rate": Kind.NUMBER,
        "discount_code": Kind.TEXT,
        "net": Kind.AMOUNT,
        "customer_part_number": Kind.TEXT,
        "note": Kind.TEXT,
    },
    "charge": _CODED,
    "discount": _CODED,
    "tax": _CODED,
    "adjustment": _CODED,
    "payment": {
        "number": Kind.INTEGER,
        "by": Kind.TEXT,
        "code": Kind.TEXT,
        "amount": Kind.AMOUNT,
        "reference": Kind.TEXT,
        "captured": Kind.BOOL,
    },
    "note": {"number": Kind.INTEGER, "text": Kind.TEXT},
    "flag": {"number": Kind.INTEGER, "text": Kind.TEXT},
    "credit": {
        "key": Kind.KEY,
        "order_key": Kind.KEY,
        "order_number": Kind.KEY,
        "sold_to": Kind.KEY,
        "web_order": Kind.KEY,
        "web_number": Kind.KEY,
        "refund": Kind.KEY,
        "amount": Kind.AMOUNT,
        "currency": Kind.TEXT,
        "refunded_on": Kind.DATE,
    },
}

CUSTOMER_FIELDS: Mapping[str, Kind] = {
    "customer.key": Kind.KEY,
    "customer.short_key": Kind.KEY,
    "customer.name": Kind.TEXT,
    "customer.tax_id": Kind.TEXT,
    "customer.contact_name": Kind.TEXT,
    "customer.email": Kind.TEXT,
    "customer.phone": Kind.TEXT,
    "customer.country": Kind.TEXT,
    "customer.region": Kind.TEXT,
}
"""What a step of ``create_customer`` may bind."""

_PATHS = {group: [(name, f"{group}.{name}") for name in names] for group, names in GROUPS.items()}

FIELDS: Mapping[str, Kind] = {
    f"{group}.{name}": kind for group, names in GROUPS.items() for name, kind in names.items()
}

EVERYWHERE = frozenset({"order", "ship_to", "bill_to"})

OF_CREDITS = frozenset({"credit"})
"""What a step of ``credit_request`` may bind, and no other."""

FOR_EACH: Mapping[str, str] = {
    "lines": "line",
    "charges": "charge",
    "discounts": "discount",
    "taxes": "tax",
    "adjustments": "adjustment",
    "payments": "payment",
    "notes": "note",
    "flags": "flag",
}
"""What a step may be repeated for -> the group that it may then bind."""

ADDRESS_LINES = 4

SHORT_KEY = 8

Values = dict[str, Any]
"""Path -> value in plain types; None where the order has no such thing."""


def order_values(order: SalesOrder, key: IdempotencyKey) -> Values:
    """The fields that every step may bind."""
    currency = order.currency
    notes = order.notes.strip() or None
    flags = "\n".join(order.flags) or None
    values: Values = {
        "order.key": key.value,
        "order.short_key": key_digest(key, SHORT_KEY),
        "order.currency": currency,
        "order.total": order.total.amount,
        "order.lines_total": total((line.net for line in order.lines), currency).amount,
        "order.line_count": len(order.lines),
        "order.notes": notes,
        "order.flags": flags,
        "order.remarks": "\n".join(part for part in (notes, flags) if part) or None,
        "order.payments_total": _sum(order.payments, currency),
    }
    for group in ("charges", "discounts", "taxes", "adjustments"):
        amounts: tuple[CodedAmount, ...] = getattr(order, group)
        values[f"order.{group}_total"] = _sum(amounts, currency)
    for name, path in _PATHS["order"]:
        if path not in values:
            values[path] = _plain(getattr(order, name, None))
    values.update(_ship_to(order))
    values.update(_bill_to(order))
    return values


def customer_values(customer: NewCustomer, key: IdempotencyKey) -> Values:
    """The fields of a customer that is to be made."""
    values: Values = {
        "customer.key": key.value,
        "customer.short_key": key_digest(key, SHORT_KEY),
    }
    for path in CUSTOMER_FIELDS:
        if path not in values:
            values[path] = _plain(getattr(customer, path.partition(".")[2]))
    return values


def credit_values(request: CreditRequest, key: IdempotencyKey) -> Values:
    """The fields that a step of ``credit_request`` may bind."""
    return {
        "credit.key": key.value,
        "credit.order_key": request.order.value,
        "credit.order_number": request.erp_order.value if request.erp_order else None,
        "credit.sold_to": request.sold_to.value,
        "credit.web_order": request.web_order.value,
        "credit.web_number": request.web_number.value,
        "credit.refund": request.refund.value,
        "credit.amount": request.amount.amount,
        "credit.currency": request.amount.currency,
        "credit.refunded_on": request.refunded_on,
    }


class Repeats(Protocol):
    """What may be repeated for each line, charge and so on."""

    @property
    def for_each(self) -> str | None: ...

    @property
    def wrap(self) -> int | None: ...


class Repeated:
    """The lines, charges and so on of one order; each is made once, however many steps ask."""

    def __init__(self, order: SalesOrder) -> None:
        self._order = order
        self._made: dict[tuple[str, int | None], list[Values]] = {}

    def rounds(self, step: Repeats) -> list[Values]:
        """The fields of each thing that the step is repeated for; otherwise one without any."""
        return [{}] if step.for_each is None else self.of(step.for_each, step.wrap)

    def of(self, for_each: str, wrap: int | None = None) -> list[Values]:
        made = self._made.get((for_each, wrap))
        if made is None:
            made = list(repeated_values(self._order, for_each, wrap))
            self._made[(for_each, wrap)] = made
        return made


def repeated_values(order: SalesOrder, for_each: str, wrap: int | None) -> Iterator[Values]:
    """The fields of each line, charge and so on, in the order's own sequence."""
    group = FOR_EACH[for_each]
    if for_each in ("notes", "flags"):
        texts = order.flags if for_each == "flags" else tuple(order.notes.splitlines())
        pieces = [piece for text in texts for piece in wrapped(text, wrap)]
        for number, piece in enumerate(pieces, 1):
            yield {f"{group}.number": number, f"{group}.text": piece}
        return
    for number, item in enumerate(getattr(order, for_each), 1):
        values = {path: _plain(getattr(item, name, None)) for name, path in _PATHS[group]}
        values.setdefault(f"{group}.number", number)
        if values[f"{group}.number"] is None:
            values[f"{group}.number"] = number
        yield values


def wrapped(text: str, width: int | None) -> list[str]:
    """The text in pieces of at most ``width`` characters, broken at spaces if it can be.

    Nothing is lost but the space at a break. An empty line stays out.
    """
    rest = text.strip()
    pieces = []
    while width is not None and len(rest) > width:
        cut = rest.rfind(" ", 1, width + 1)
        cut = cut if cut > 0 else width
        pieces.append(rest[:cut].rstrip())
        rest = rest[cut:].lstrip()
    return [*pieces, rest] if rest else pieces


def given(value: object) -> bool:
    """Whether the order has this: not None, not empty, not false and not zero."""
    return bool(value)


class _Amount(Protocol):
    @property
    def amount(self) -> Money: ...


def _sum(parts: Sequence[_Amount], currency: str) -> Decimal:
    if not parts:
        return _NOTHING
    return total((part.amount for part in parts), currency).amount


_NOTHING = Decimal(0)


_AS_THEY_ARE = frozenset({NoneType, bool, int, Decimal, datetime, date})


def _plain(value: object) -> Any:
    if type(value) in _AS_THEY_ARE:
        return value
    if isinstance(value, str) and not isinstance(value, Enum):
        return value or None
    if isinstance(value, Money):
        return value.amount
    if isinstance(value, Key | Enum):  # an enum speaks by its value
        return value.value
    return value


def _ship_to(order: SalesOrder) -> Values:
    ship_to = order.ship_to
    if isinstance(ship_to, OnFileShipTo):
        ids = {"id": ship_to.ship_to_id.value, "on_file_id": ship_to.ship_to_id.value}
        return _address("ship_to", None, ids)
    under = ship_to.under.value if ship_to.under else None
    return _address("ship_to", ship_to.address, {"id": under, "under": under})


def _bill_to(order: SalesOrder) -> Values:
    bill_to = order.bill_to
    if isinstance(bill_to, OnFileBillTo):
        return _address("bill_to", None, {"id": bill_to.bill_to_id.value})
    return _address("bill_to", bill_to, {})


_BLANK: Mapping[str, Values] = {
    group: dict.fromkeys(path for _, path in _PATHS[group]) for group in ("ship_to", "bill_to")
}


def _address(group: str, address: Address | None, ids: Mapping[str, str | None]) -> Values:
    values = dict(_BLANK[group])
    values.update({f"{group}.{name}": value for name, value in ids.items()})
    if address is None:
        return values
    for name, path in _PATHS[group]:
        if name in _ADDRESS and hasattr(address, name):
            values[path] = getattr(address, name)
    for number, line in enumerate(address.lines[:ADDRESS_LINES], 1):
        values[f"{group}.line{number}"] = line
    values[f"{group}.street"] = "\n".join(address.lines)
    return values
