"""Mirrored rows and directory rows as domain objects, and mirrored objects as rows.

What was written here comes back exactly as it was put, scale included. For web
orders, which the shop writes, see ``translate_orders``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from sync.domain.account import AccountStatus, BillTo, CreditStatus, ShipTo
from sync.domain.address import Address, TypedAddress
from sync.domain.channel import CommerceMode, LoginWall
from sync.domain.ids import (
    BillToId,
    ChannelId,
    CustomerId,
    ErpOrderNumber,
    InvoiceNumber,
    LocationId,
    OrganisationId,
    ShipToId,
    Sku,
    WebOrderId,
    WebUserId,
)
from sync.domain.invoice import DueDate, Invoice, InvoiceKind, InvoiceLine
from sync.domain.money import Money, plain
from sync.domain.order import Membership, Organisation, Role, WebUser
from sync.domain.pricing import (
    Audience,
    AudienceKind,
    PriceKey,
    PriceLevel,
    PriceScope,
    PriceValue,
)
from sync.domain.sales_order import ErpOrderState, LineStatus, OrderStatus, Shipment
from sync.domain.views import (
    AccountProfile,
    Exceptional,
    ImportNotice,
    ImportState,
    LocationProfile,
)
from sync.ports.store import ShopChannel
from sync.stores.embedded.spelling import (
    address_row,
    day_text,
    decimal_text,
    list_text,
    read_day,
    read_decimal,
    read_list,
    read_optional_day,
)

Row = Mapping[str, Any]


# --- The directory ---


def web_user(row: Row, memberships: Sequence[Row]) -> WebUser:
    return WebUser(
        web_user=WebUserId(row["web_user"]),
        memberships=tuple(
            Membership(
                OrganisationId(each["organisation"]),
                Role(each["role"]),
                LocationId(each["location"]) if each["location"] else None,
            )
            for each in sorted(memberships, key=lambda each: int(each["position"]))
        ),
        staff_customer_id=row["staff_customer_id"],
        verified_email=row["email"] if row["email_verified"] else None,
        open_application=row["open_application"],
        preferred_currency=row["preferred_currency"],
    )


def shop_channel(row: Row) -> ShopChannel:
    return ShopChannel(
        mode=CommerceMode(row["mode"]),
        login_wall=LoginWall(row["login_wall"]),
        guest_checkout=row["guest_checkout"],
    )


def organisation(row: Row) -> Organisation:
    return Organisation(
        organisation=OrganisationId(row["organisation"]),
        name=row["name"],
        status=None if row["status"] is None else AccountStatus(row["status"]),
        staff_customer_id=row["staff_customer_id"],
        open_application=row["open_application"],
    )


def own_address(row: Row) -> TypedAddress:
    return TypedAddress(**_address_parts(row))


# --- Orders: what the ERP says of them ---


def import_row(order_id: WebOrderId, notice: ImportNotice) -> Row:
    return {
        "order_id": order_id.value,
        "state": notice.state.value,
        "erp_order": notice.erp_order.value if notice.erp_order else None,
        "message": notice.message,
    }


def import_notice(row: Row) -> ImportNotice:
    number = ErpOrderNumber(row["erp_order"]) if row["erp_order"] else None
    return ImportNotice(ImportState(row["state"]), number, row["message"])


def status_row(order_id: WebOrderId, status: OrderStatus) -> Row:
    return {
        "order_id": order_id.value,
        "state": status.state.value,
        "erp_order": status.number.value if status.number else None,
        "message": status.message,
    }


def shipment_rows(order_id: WebOrderId, status: OrderStatus) -> list[Row]:
    return [
        {
            "order_id": order_id.value,
            "position": position,
            "number": shipment.number,
            "shipped_on": day_text(shipment.shipped_on),
            "carrier": shipment.carrier,
            "tracking": shipment.tracking,
        }
        for position, shipment in enumerate(status.shipments)
    ]


def line_status_rows(order_id: WebOrderId, status: OrderStatus) -> list[Row]:
    return [
        {
            "order_id": order_id.value,
            "position": position,
            "line": line.line,
            "sku": line.sku.value,
            "ordered": decimal_text(line.ordered),
            "shipped": decimal_text(line.shipped),
            "back_ordered": decimal_text(line.back_ordered),
        }
        for position, line in enumerate(status.lines)
    ]


def order_status(row: Row, shipments: Sequence[Row], lines: Sequence[Row]) -> OrderStatus:
    return OrderStatus(
        state=ErpOrderState(row["state"]),
        number=ErpOrderNumber(row["erp_order"]) if row["erp_order"] else None,
        shipments=tuple(
            Shipment(
                each["number"],
                read_optional_day(each["shipped_on"]),
                each["carrier"],
                each["tracking"],
            )
            for each in shipments
        ),
        lines=tuple(
            LineStatus(
                each["line"],
                Sku(each["sku"]),
                read_decimal(each["ordered"]),
                read_decimal(each["shipped"]),
                read_decimal(each["back_ordered"]),
            )
            for each in lines
        ),
        message=row["message"],
    )


# --- Accounts ---


def account_row(profile: AccountProfile) -> Row:
    return {
        "customer_id": profile.customer_id.value,
        "name": profile.name,
        "status": int(profile.status),
        "terms": profile.terms,
        "currencies": list_text(profile.currencies),
        "tax_exempt": profile.tax_exempt,
        "credit": profile.credit.value,
        "price_groups": list_text(profile.price_groups),
    }


def location_rows(profile: AccountProfile) -> list[Row]:
    return [
        {
            "customer_id": profile.customer_id.value,
            "position": position,
            "location": location.location_id.value,
            "name": location.name,
            "tax_exempt": location.tax_exempt,
        }
        for position, location in enumerate(profile.locations)
    ]


def member_rows(
    profile: AccountProfile, column: str, members: Sequence[OrganisationId | WebUserId]
) -> list[Row]:
    return [
        {"customer_id": profile.customer_id.value, "position": position, column: member.value}
        for position, member in enumerate(members)
    ]


def pair_rows(profile: AccountProfile, pairs: Sequence[Exceptional]) -> list[Row]:
    return [
        {
            "customer_id": profile.customer_id.value,
            "position": position,
            "organisation": each.organisation.value,
            "web_user": each.user.value,
        }
        for position, each in enumerate(pairs)
    ]


def tag_rows(profile: AccountProfile) -> list[Row]:
    return [
        {"customer_id": profile.customer_id.value, "position": position, "tag": tag}
        for position, tag in enumerate(profile.tags)
    ]


def account_profile(
    row: Row,
    locations: Sequence[Row],
    organisations: Sequence[Row],
    users: Sequence[Row],
    exceptions: Sequence[Row],
    tags: Sequence[Row],
    barred: Sequence[Row],
) -> AccountProfile:
    return AccountProfile(
        customer_id=CustomerId(row["customer_id"]),
        name=row["name"],
        status=AccountStatus(row["status"]),
        terms=row["terms"],
        currencies=read_list(row["currencies"]),
        tax_exempt=row["tax_exempt"],
        credit=CreditStatus(row["credit"]),
        price_groups=read_list(row["price_groups"]),
        locations=tuple(
            LocationProfile(LocationId(each["location"]), each["name"], each["tax_exempt"])
            for each in locations
        ),
        organisations=tuple(OrganisationId(each["organisation"]) for each in organisations),
        users=tuple(WebUserId(each["web_user"]) for each in users),
        exceptions=_pairs(exceptions),
        tags=tuple(each["tag"] for each in tags),
        barred=_pairs(barred),
    )


def _pairs(rows: Sequence[Row]) -> tuple[Exceptional, ...]:
    return tuple(
        Exceptional(OrganisationId(each["organisation"]), WebUserId(each["web_user"]))
        for each in rows
    )


# --- Addresses on file ---


def ship_to_row(ship_to: ShipTo) -> Row:
    return {
        "customer_id": ship_to.sold_to.value,
        "ship_to_id": ship_to.ship_to_id.value,
        **address_row(ship_to.address),
        "is_default": ship_to.default,
        "tax_exempt": ship_to.tax_exempt,
        "warehouse": ship_to.warehouse,
        "location": ship_to.location.value if ship_to.location else None,
    }


def ship_to(row: Row) -> ShipTo:
    return ShipTo(
        ship_to_id=ShipToId(row["ship_to_id"]),
        sold_to=CustomerId(row["customer_id"]),
        address=_address(row),
        default=row["is_default"],
        tax_exempt=row["tax_exempt"],
        warehouse=row["warehouse"],
        location=LocationId(row["location"]) if row["location"] else None,
    )


def bill_to_row(bill_to: BillTo) -> Row:
    return {
        "customer_id": bill_to.sold_to.value,
        "bill_to_id": bill_to.bill_to_id.value,
        **address_row(bill_to.address),
        "is_default": bill_to.default,
    }


def bill_to(row: Row) -> BillTo:
    return BillTo(
        bill_to_id=BillToId(row["bill_to_id"]),
        sold_to=CustomerId(row["customer_id"]),
        address=_address(row),
        default=row["is_default"],
    )


def _address(row: Row) -> Address:
    return Address(**_address_parts(row))


def _address_parts(row: Row) -> dict[str, Any]:
    return {
        "name": row["name"],
        "lines": read_list(row["lines"]),
        "city": row["city"],
        "country": row["country"],
        "postal_code": row["postal_code"],
        "region": row["region"],
        "attention": row["attention"],
        "phone": row["phone"],
        "email": row["email"],
        "residential": row["residential"],
    }


# --- Invoices ---


def invoice_row(invoice: Invoice) -> Row:
    """Raises ValueError where an amount is not in the invoice's own currency."""
    return {
        "customer_id": invoice.sold_to.value,
        "number": invoice.number.value,
        "kind": invoice.kind.value,
        "invoiced_on": day_text(invoice.invoiced_on),
        "currency": invoice.total.currency,
        "total": _amount(invoice, invoice.total),
        "tax": _amount(invoice, invoice.tax),
        "freight": _amount(invoice, invoice.freight),
        "open_amount": _amount(invoice, invoice.open_amount),
        "erp_order": invoice.erp_order.value if invoice.erp_order else None,
        "po_number": invoice.po_number,
        "web_reference": invoice.web_reference,
    }


def invoice_line_rows(invoice: Invoice) -> list[Row]:
    return [
        {
            "customer_id": invoice.sold_to.value,
            "invoice": invoice.number.value,
            "position": position,
            "number": line.number,
            "quantity": decimal_text(line.quantity),
            "net": _amount(invoice, line.net),
            "sku": line.sku.value if line.sku else None,
            "description": line.description,
            "unit": line.unit,
            "unit_price": _amount(invoice, line.unit_price),
        }
        for position, line in enumerate(invoice.lines)
    ]


def invoice_due_rows(invoice: Invoice) -> list[Row]:
    return [
        {
            "customer_id": invoice.sold_to.value,
            "invoice": invoice.number.value,
            "position": position,
            "due_on": day_text(due.due_on),
            "amount": _amount(invoice, due.amount),
        }
        for position, due in enumerate(invoice.dues)
    ]


def invoice(row: Row, lines: Sequence[Row], dues: Sequence[Row]) -> Invoice:
    currency = row["currency"]
    return Invoice(
        number=InvoiceNumber(row["number"]),
        sold_to=CustomerId(row["customer_id"]),
        kind=InvoiceKind(row["kind"]),
        invoiced_on=read_day(row["invoiced_on"]),
        total=Money(read_decimal(row["total"]), currency),
        tax=_money(row["tax"], currency),
        freight=_money(row["freight"], currency),
        open_amount=_money(row["open_amount"], currency),
        dues=tuple(
            DueDate(read_day(each["due_on"]), Money(read_decimal(each["amount"]), currency))
            for each in dues
        ),
        lines=tuple(
            InvoiceLine(
                number=each["number"],
                quantity=read_decimal(each["quantity"]),
                net=Money(read_decimal(each["net"]), currency),
                sku=Sku(each["sku"]) if each["sku"] else None,
                description=each["description"],
                unit=each["unit"],
                unit_price=_money(each["unit_price"], currency),
            )
            for each in lines
        ),
        erp_order=ErpOrderNumber(row["erp_order"]) if row["erp_order"] else None,
        po_number=row["po_number"],
        web_reference=row["web_reference"],
    )


def _amount(invoice: Invoice, money: Money | None) -> str | None:
    if money is not None and money.currency != invoice.total.currency:
        raise ValueError(
            f"invoice {invoice.number} is in {invoice.total.currency}, "
            f"one amount in {money.currency}"
        )
    return decimal_text(money.amount) if money else None


def _money(text: str | None, currency: str) -> Money | None:
    return None if text is None else Money(read_decimal(text), currency)


# --- Prices ---


def audience_row(audience: Audience) -> Row:
    return {
        "audience": audience.kind.value,
        "audience_key": audience.key,
        "audience_channel": audience.channel.value if audience.channel else "",
    }


def audience(row: Row) -> Audience:
    channel = ChannelId(row["audience_channel"]) if row["audience_channel"] else None
    return Audience(AudienceKind(row["audience"]), row["audience_key"], channel)


def scope_row(scope: PriceScope) -> Row:
    return {"level": int(scope.level), "owner": scope.owner}


def scope(row: Row) -> PriceScope:
    return PriceScope(PriceLevel(row["level"]), row["owner"])


def price_key_row(key: PriceKey) -> Row:
    return {
        **scope_row(key.scope),
        "price_list": key.price_list,
        "sku": key.sku.value,
        "unit": key.unit,
        "currency": key.currency,
        "min_quantity": plain(key.min_quantity),
        "valid_from": day_text(key.valid_from) or "",
        "priority": key.priority,
        "warehouse": key.warehouse or "",
    }


def price_key(row: Row) -> PriceKey:
    return PriceKey(
        scope=scope(row),
        price_list=row["price_list"],
        sku=Sku(row["sku"]),
        unit=row["unit"],
        currency=row["currency"],
        min_quantity=Decimal(row["min_quantity"]),
        valid_from=read_optional_day(row["valid_from"]),
        priority=row["priority"],
        warehouse=row["warehouse"] or None,
    )


def price_value_row(value: PriceValue) -> Row:
    return {
        "unit_price": decimal_text(value.unit_price),
        "valid_until": day_text(value.valid_until),
    }


def price_value(row: Row) -> PriceValue:
    price = None if row["unit_price"] is None else read_decimal(row["unit_price"])
    return PriceValue(price, read_optional_day(row["valid_until"]))
