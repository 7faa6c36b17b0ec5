"""What Tryton's sale has no field for, in words for its staff.

The remarks stand in the note of an order's last line, which is printed on no
document. Their wording may change; only how a hold begins is read back.
"""

from __future__ import annotations

from erp_adapters.tryton.addresses import spoken_of
from erp_adapters.tryton.translate import HELD
from sync.domain.address import Address
from sync.domain.sales_order import OneOffShipTo, SalesOrder, SalesOrderPayment


def remarks(order: SalesOrder) -> list[str]:
    """What Tryton's sale has no field for, a line each."""
    told = [HELD] if order.hold else []
    told.append(
        f"Web order {order.web_number} ({order.web_order}), channel {order.channel},"
        f" placed {order.ordered_at:%Y-%m-%d %H:%M} UTC"
    )
    for what, value in (
        ("Web user", order.web_user),
        ("Organisation", order.organisation),
        ("Location", order.location),
        ("Requested for", order.requested_on),
        ("Ship via", order.ship_via),
        ("Carrier account to charge", order.collect_account),
        ("Phone", order.phone),
        ("E-mail", order.email),
    ):
        if value is not None:
            told.append(f"{what}: {value}")
    if order.ship_complete:
        told.append("Ship complete: no part shipments.")
    told.extend(_payment(each) for each in order.payments)
    told.extend(f"Tax in the shop: {each.code} {each.amount}" for each in order.taxes)
    if isinstance(order.ship_to, OneOffShipTo):
        told.extend(spoken_of(order.ship_to.address, "Ship-to"))
    if isinstance(order.bill_to, Address):
        told.extend(spoken_of(order.bill_to, "Bill-to"))
    told.extend(f"Note: {flag}" for flag in order.flags)
    return told


def _payment(payment: SalesOrderPayment) -> str:
    parts = [f"Payment by {payment.by.value}: {payment.code} {payment.amount}"]
    if payment.reference:
        parts.append(f"reference {payment.reference}")
    if payment.captured:
        parts.append("captured")
    return ", ".join(parts)
