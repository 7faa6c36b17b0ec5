"""One order as one CSV file: a row for the order, then one for each thing on it.

The first column says what a row is. A row fills the columns that its kind has and
leaves the others empty; the README lists them. The same order is the same bytes.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

from sync.domain.address import Address
from sync.domain.ids import CustomerId, ErpOrderNumber, IdempotencyKey
from sync.domain.money import Money
from sync.domain.sales_order import (
    CodedAmount,
    FoundOrder,
    OneOffShipTo,
    OnFileBillTo,
    OnFileShipTo,
    SalesOrder,
)
from sync.errors import Rejected

ADDRESS_LINES = 4
_PARTS = (
    *("name", "line1", "line2", "line3", "line4", "city", "country", "postal_code"),
    *("region", "attention", "phone", "email", "residential"),
)
COLUMNS = (
    *("record", "external_key", "customer_id", "web_number", "web_order", "channel", "web_user"),
    *("organisation", "location_id", "retail", "ordered_at", "ordered_on", "currency", "total"),
    *("contact_id", "terms", "hold", "po_number", "requested_on", "ship_complete", "ship_via"),
    *("collect_account", "phone", "email", "notes", "ship_to_id", "bill_to_id"),
    *(f"ship_{part}" for part in _PARTS),
    *(f"bill_{part}" for part in _PARTS),
    *("number", "sku", "quantity", "unit", "stock_quantity", "unit_price", "discount"),
    *("discount_rate", "discount_code", "net", "customer_part_number", "note"),
    *("code", "amount", "rate", "method", "reference", "captured", "text"),
)

Values = Mapping[str, object]


def render(order: SalesOrder, key: IdempotencyKey, zone: ZoneInfo) -> bytes:
    """Raises Rejected for an order that the file has no place for."""
    written = io.StringIO(newline="")
    writer = csv.DictWriter(written, COLUMNS, restval="", lineterminator="\r\n")
    writer.writeheader()
    for record, values in _records(order, key, zone):
        writer.writerow({"record": record} | {name: _shown(each) for name, each in values.items()})
    return written.getvalue().encode("utf-8")


def read_back(content: bytes, number: ErpOrderNumber | None, refusal: str | None) -> FoundOrder:
    """What a file of ours says of its order. Raises ValueError where it is not one."""
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8"), newline=""), strict=True))
    if not rows or rows[0].get("record") != "order":
        raise ValueError("it does not begin with the order")
    order = rows[0]
    try:
        total = Money(Decimal(order["total"]), order["currency"])
        sold_to = CustomerId(order["customer_id"])
    except (InvalidOperation, KeyError, TypeError) as error:
        raise ValueError("its order is damaged") from error
    lines = sum(1 for row in rows if row["record"] == "line")
    return FoundOrder(number, sold_to, lines, total, refusal)


def key_of(content: bytes) -> str | None:
    """The external key in a file of ours; None where it is not one."""
    rows = csv.DictReader(io.StringIO(content.decode("utf-8", "replace"), newline=""))
    return next((row.get("external_key") for row in rows), None)


def _records(
    order: SalesOrder, key: IdempotencyKey, zone: ZoneInfo
) -> Iterator[tuple[str, Values]]:
    yield (
        "order",
        {
            "external_key": key,
            "customer_id": order.sold_to,
            "web_number": order.web_number,
            "web_order": order.web_order,
            "channel": order.channel,
            "web_user": order.web_user,
            "organisation": order.organisation,
            "location_id": order.location,
            "retail": order.retail,
            "ordered_at": order.ordered_at.astimezone(zone),
            "ordered_on": order.ordered_on,
            "currency": order.currency,
            "total": order.total,
            "contact_id": order.contact,
            "terms": order.terms,
            "hold": order.hold,
            "po_number": order.po_number,
            "requested_on": order.requested_on,
            "ship_complete": order.ship_complete,
            "ship_via": order.ship_via,
            "collect_account": order.collect_account,
            "phone": order.phone,
            "email": order.email,
            "notes": order.notes,
            **_destination(order),
            **_payer(order),
        },
    )
    for line in order.lines:
        yield (
            "line",
            {
                "number": line.number,
                "sku": line.sku,
                "quantity": line.quantity,
                "unit": line.unit,
                "stock_quantity": line.stock_quantity,
                "unit_price": line.unit_price,
                "discount": line.discount,
                "discount_rate": line.discount_rate,
                "discount_code": line.discount_code,
                "net": line.net,
                "customer_part_number": line.customer_part_number,
                "note": line.note,
            },
        )
    yield from _amounts("charge", order.charges)
    yield from _amounts("discount", order.discounts)
    yield from _amounts("tax", order.taxes)
    yield from _amounts("adjustment", order.adjustments)
    for number, payment in enumerate(order.payments, 1):
        yield (
            "payment",
            {
                "number": number,
                "method": payment.by.value,
                "code": payment.code,
                "amount": payment.amount,
                "reference": payment.reference,
                "captured": payment.captured,
            },
        )
    for number, flag in enumerate(order.flags, 1):
        yield "remark", {"number": number, "text": flag}


def _amounts(record: str, amounts: tuple[CodedAmount, ...]) -> Iterator[tuple[str, Values]]:
    for number, each in enumerate(amounts, 1):
        yield (
            record,
            {"number": number, "code": each.code, "amount": each.amount, "rate": each.rate},
        )


def _destination(order: SalesOrder) -> Values:
    match order.ship_to:
        case OnFileShipTo(ship_to_id):
            return {"ship_to_id": ship_to_id}
        case OneOffShipTo(address, under):
            return {"ship_to_id": under, **_address("ship", address, order)}


def _payer(order: SalesOrder) -> Values:
    match order.bill_to:
        case None:
            return {}
        case OnFileBillTo(bill_to_id):
            return {"bill_to_id": bill_to_id}
        case Address() as address:
            return _address("bill", address, order)


def _address(prefix: str, address: Address, order: SalesOrder) -> Values:
    if len(address.lines) > ADDRESS_LINES:
        raise Rejected(
            f"order {order.web_number}: an address has {len(address.lines)} street lines, and the"
            f" order file {ADDRESS_LINES}",
            code="erp_cannot_keep",
            remedy="shorten the address in the store, then replay",
        )
    lines = {f"{prefix}_line{number}": line for number, line in enumerate(address.lines, 1)}
    others = {
        f"{prefix}_{part}": getattr(address, part) for part in _PARTS if not part.startswith("line")
    }
    return {**lines, **others}


def _shown(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case Money(amount, _):
            return f"{amount:f}"
        case Decimal():
            return f"{value:f}"
        case datetime():
            return value.isoformat(timespec="seconds")
        case _:
            return str(value)
