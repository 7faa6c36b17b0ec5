"""The shop's own side of the database: registering, ordering, editing.

The daemon never calls any of this. It is what a web shop would do, for the
sample store, for demonstrations and for tests; every function takes a
connection and leaves the transaction to its caller. Whatever a function is
given in bulk goes to the database in batches, so that a shop of twenty thousand
users is written in seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from types import MappingProxyType
from typing import Any, TypeVar

from sqlalchemy import Connection, Table, delete, insert, update

from sync.domain.address import Address, TypedAddress
from sync.domain.channel import CommerceMode, LoginWall
from sync.domain.ids import ChannelId, OrganisationId, WebOrderId, WebUserId
from sync.domain.order import (
    Organisation,
    SelectedBillTo,
    SelectedShipTo,
    WebOrder,
    WebUser,
)
from sync.domain.registration import Application
from sync.stores.embedded import schema
from sync.stores.embedded.spelling import address_row, day_text, decimal_text, moment_text

T = TypeVar("T")
Row = dict[str, Any]

BATCH = 1000


def batches(items: Iterable[T], size: int = BATCH) -> Iterator[list[T]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def add_channel(
    connection: Connection,
    channel: ChannelId,
    mode: CommerceMode,
    *,
    login_wall: LoginWall = LoginWall.OPEN,
    guest_checkout: bool = False,
    title: str | None = None,
) -> None:
    """Open a sales channel. What the store says of it here is for display only."""
    row = {
        "channel": channel.value,
        "title": title,
        "mode": mode.value,
        "login_wall": login_wall.value,
        "guest_checkout": guest_checkout,
    }
    connection.execute(insert(schema.channels), [row])


def add_users(
    connection: Connection,
    users: Iterable[WebUser],
    *,
    emails: Mapping[WebUserId, str] = MappingProxyType({}),
    names: Mapping[WebUserId, str] = MappingProxyType({}),
) -> None:
    """Register users. ``emails`` are those that nobody has verified."""
    for batch in batches(users):
        _insert(
            connection,
            schema.web_users,
            [
                {
                    "web_user": user.web_user.value,
                    "name": names.get(user.web_user),
                    "email": user.verified_email or emails.get(user.web_user),
                    "email_verified": user.verified_email is not None,
                    "staff_customer_id": user.staff_customer_id,
                    "open_application": user.open_application,
                    "preferred_currency": user.preferred_currency,
                }
                for user in batch
            ],
        )
        _insert(
            connection,
            schema.memberships,
            [
                {
                    "web_user": user.web_user.value,
                    "organisation": membership.organisation.value,
                    "position": position,
                    "role": int(membership.role),
                    "location": membership.location.value if membership.location else None,
                }
                for user in batch
                for position, membership in enumerate(user.memberships)
            ],
        )


def add_user(
    connection: Connection, user: WebUser, *, email: str | None = None, name: str | None = None
) -> None:
    """Register one user. ``email`` is one that nobody has verified."""
    add_users(
        connection,
        [user],
        emails={user.web_user: email} if email else {},
        names={user.web_user: name} if name else {},
    )


def change_user(
    connection: Connection, user: WebUser, *, email: str | None = None, name: str | None = None
) -> None:
    """Replace what the directory says of a user, memberships included."""
    for table in (schema.web_users, schema.memberships):
        connection.execute(delete(table).where(table.c.web_user == user.web_user.value))
    add_user(connection, user, email=email, name=name)


def hand_in(connection: Connection, application: Application) -> None:
    """Somebody hands in the form, or hands it in again with what it says now."""
    key = application.application_id.value
    for table in (schema.applications, schema.application_documents):
        connection.execute(delete(table).where(table.c.application == key))
    row = {
        name: getattr(application, name)
        for name in ("contact_name", "email", "phone", "company", "tax_id", "country", "region")
    }
    row |= {
        "application": key,
        "channel": application.channel.value,
        "kind": application.kind.value if application.kind else None,
        "submitted_at": moment_text(application.submitted_at),
        "web_user": application.web_user.value if application.web_user else None,
    }
    connection.execute(insert(schema.applications), [row])
    _insert(
        connection,
        schema.application_documents,
        [
            {
                "application": key,
                "position": position,
                "kind": each.kind,
                "reference": each.reference,
                "media_type": each.media_type,
            }
            for position, each in enumerate(application.documents)
        ],
    )


def add_organisations(connection: Connection, organisations: Iterable[Organisation]) -> None:
    for batch in batches(organisations):
        _insert(
            connection,
            schema.organisations,
            [
                {
                    "organisation": each.organisation.value,
                    "name": each.name,
                    "status": None if each.status is None else int(each.status),
                    "staff_customer_id": each.staff_customer_id,
                    "open_application": each.open_application,
                }
                for each in batch
            ],
        )


def add_organisation(connection: Connection, organisation: Organisation) -> None:
    add_organisations(connection, [organisation])


def change_organisation(connection: Connection, organisation: Organisation) -> None:
    table = schema.organisations
    key = organisation.organisation.value
    connection.execute(delete(table).where(table.c.organisation == key))
    add_organisation(connection, organisation)


def add_customer_group(connection: Connection, code: str, name: str) -> None:
    connection.execute(insert(schema.customer_groups), [{"code": code, "name": name}])


def tag_organisation(
    connection: Connection, organisation: OrganisationId, codes: Iterable[str]
) -> None:
    """Put an organisation into customer groups, besides those that it is in."""
    rows = [{"organisation": organisation.value, "group_code": code} for code in codes]
    _insert(connection, schema.organisation_groups, rows)


def set_own_addresses(
    connection: Connection, web_user: WebUserId, addresses: Iterable[TypedAddress | Address]
) -> None:
    """Replace the address book that a user keeps in the shop."""
    table = schema.own_addresses
    connection.execute(delete(table).where(table.c.web_user == web_user.value))
    rows = [
        {"web_user": web_user.value, "position": position, **address_row(address)}
        for position, address in enumerate(addresses)
    ]
    _insert(connection, table, rows)


def place_orders(connection: Connection, orders: Iterable[WebOrder]) -> None:
    """Write new orders exactly as they are, ``modified_at`` included."""
    for batch in batches(orders, 200):
        parts: dict[Table, list[Row]] = {table: [] for table in schema.ORDER_PARTS}
        for order in batch:
            _collect_parts(order, parts)
        _insert(connection, schema.orders, [_order_row(order) for order in batch])
        for table, rows in parts.items():
            _insert(connection, table, rows)


def place_order(connection: Connection, order: WebOrder) -> None:
    place_orders(connection, [order])


def change_order(connection: Connection, order: WebOrder) -> None:
    """Replace the order of this ID. Its import notice and ERP status stay."""
    remove_order(connection, order.order_id)
    place_order(connection, order)


def remove_order(connection: Connection, order_id: WebOrderId) -> None:
    """Make the order vanish, as a shop does with a checkout that came to nothing."""
    for table in (schema.orders, *schema.ORDER_PARTS):
        connection.execute(delete(table).where(table.c.order_id == order_id.value))


def spoil_order(
    connection: Connection,
    order_id: WebOrderId,
    part: Table = schema.orders,
    /,
    modified_at: datetime | None = None,
    **columns: object,
) -> None:
    """Write nonsense into an order (or all rows of one part), as broken shops do.

    ``modified_at`` is when the shop says that it happened. Raises LookupError
    where there is no row to spoil.
    """
    if columns:
        changed = connection.execute(
            update(part).where(part.c.order_id == order_id.value).values(columns)
        )
        if not changed.rowcount:
            raise LookupError(f"order {order_id} has no row in {part.name}")
    if modified_at is not None:
        connection.execute(
            update(schema.orders)
            .where(schema.orders.c.order_id == order_id.value)
            .values(modified_at=moment_text(modified_at))
        )


def _order_row(order: WebOrder) -> Row:
    buyer = order.buyer
    ship_to, bill_to = order.ship_to, order.bill_to
    return {
        "order_id": order.order_id.value,
        "number": order.number.value,
        "channel": order.channel.value,
        "placed_at": moment_text(order.placed_at),
        "modified_at": moment_text(order.modified_at),
        "state": order.state.value,
        "web_user": buyer.web_user.value if buyer.web_user else None,
        "signed_in": buyer.signed_in,
        "organisation": buyer.organisation.value if buyer.organisation else None,
        "location": buyer.location.value if buyer.location else None,
        "email": buyer.email,
        "phone": buyer.phone,
        "priced_for": order.priced_for.value if order.priced_for else None,
        "currency": order.currency,
        "total": decimal_text(order.total.amount),
        "ship_to_id": ship_to.ship_to_id.value if isinstance(ship_to, SelectedShipTo) else None,
        "bill_to_id": bill_to.bill_to_id.value if isinstance(bill_to, SelectedBillTo) else None,
        "approval": order.approval.value,
        "po_number": order.po_number,
        "notes": order.notes,
        "requested_date": day_text(order.requested_date),
        "ship_complete": order.ship_complete,
        "ship_via": order.ship_via,
        "collect_account": order.collect_account,
    }


def _collect_parts(order: WebOrder, parts: Mapping[Table, list[Row]]) -> None:
    key: Row = {"order_id": order.order_id.value}
    for purpose, chosen in (("ship_to", order.ship_to), ("bill_to", order.bill_to)):
        if isinstance(chosen, TypedAddress):
            row = {**key, "purpose": purpose, **address_row(chosen)}
            parts[schema.order_addresses].append(row)
    for position, line in enumerate(order.lines):
        parts[schema.order_lines].append(
            {
                **key,
                "position": position,
                "line_id": line.line_id,
                "sku": line.sku.value,
                "quantity": decimal_text(line.quantity),
                "unit": line.unit,
                "unit_price": decimal_text(line.unit_price.amount),
                "customer_part_number": line.customer_part_number,
                "note": line.note,
                "kit_parent": line.kit_parent,
            }
        )
        parts[schema.order_line_discounts].extend(
            {
                **key,
                "line_position": position,
                "position": place,
                "code": discount.code,
                "amount": decimal_text(discount.amount.amount),
                "rate": decimal_text(discount.rate),
            }
            for place, discount in enumerate(line.discounts)
        )
    parts[schema.order_charges].extend(
        {
            **key,
            "position": position,
            "kind": charge.kind.value,
            "code": charge.code,
            "amount": decimal_text(charge.amount.amount),
        }
        for position, charge in enumerate(order.charges)
    )
    parts[schema.order_discounts].extend(
        {
            **key,
            "position": position,
            "code": discount.code,
            "amount": decimal_text(discount.amount.amount),
        }
        for position, discount in enumerate(order.discounts)
    )
    parts[schema.order_taxes].extend(
        {
            **key,
            "position": position,
            "code": tax.code,
            "amount": decimal_text(tax.amount.amount),
            "rate": decimal_text(tax.rate),
        }
        for position, tax in enumerate(order.taxes)
    )
    parts[schema.order_adjustments].extend(
        {
            **key,
            "position": position,
            "name": adjustment.name,
            "amount": decimal_text(adjustment.amount.amount),
        }
        for position, adjustment in enumerate(order.adjustments)
    )
    parts[schema.order_payments].extend(
        {
            **key,
            "position": position,
            "method": payment.method,
            "state": payment.state.value,
            "amount": decimal_text(payment.amount.amount) if payment.amount else None,
            "reference": payment.reference,
            "expires_at": moment_text(payment.expires_at) if payment.expires_at else None,
        }
        for position, payment in enumerate(order.payments)
    )

    parts[schema.order_refunds].extend(
        {
            **key,
            "position": position,
            "refund_id": refund.refund_id.value,
            "amount": decimal_text(refund.amount.amount),
            "refunded_at": moment_text(refund.refunded_at),
        }
        for position, refund in enumerate(order.refunds)
    )


def _insert(connection: Connection, table: Table, rows: list[Row]) -> None:
    for batch in batches(rows):
        connection.execute(insert(table), batch)
