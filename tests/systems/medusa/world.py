"""The shop behind the adapter, changed past it: rows in Medusa's own tables.

Orders of the contract carry their own keys and times, which no checkout would
give them, so they are written as a checkout leaves them. ``told`` says what of
an order Medusa has a place for; it is stated here once more, in plain terms, and
shares nothing with the connector's translation.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, TypeVar

import psycopg
import pytest

from sync.domain.address import Address, TypedAddress
from sync.domain.channel import Channel
from sync.domain.ids import (
    CustomerId,
    ErpOrderNumber,
    OrganisationId,
    ShipToId,
    WebOrderId,
    WebOrderNumber,
    WebUserId,
)
from sync.domain.money import Money, plain
from sync.domain.order import (
    Adjustment,
    Approval,
    Buyer,
    ChargeKind,
    OrderState,
    Organisation,
    Payment,
    PaymentState,
    SelectedBillTo,
    SelectedShipTo,
    WebOrder,
    WebUser,
)
from sync.domain.registration import Application
from sync.domain.views import ImportNotice, ImportState
from sync.testing import builders as a
from tests.systems.medusa.server import Medusa

T = TypeVar("T")
Row = dict[str, Any]

CENT = Decimal("0.01")
UNIT = "EA"
# What Medusa has no word for is told by the nearest that it has.
NEAREST = {
    OrderState.PENDING_APPROVAL: OrderState.HELD,
    OrderState.VERIFYING_PAYMENT: OrderState.HELD,
}
EMPTIED = (
    "order",
    "order_address",
    "order_line_item",
    "order_shipping_method",
    "order_payment_collection",
    "order_cart",
    "order_fulfillment",
    "fulfillment",
    "payment_collection",
    "customer",
    "customer_group",
    "tradesync_record",
    "tradesync_checkout",
    "tradesync_content",
    "tradesync_upload",
)
DEFAULTS = {
    "order_item": [
        "fulfilled_quantity",
        "shipped_quantity",
        "return_requested_quantity",
        "return_received_quantity",
        "return_dismissed_quantity",
        "written_off_quantity",
    ]
}


class MedusaWorld:
    def __init__(self, server: Medusa) -> None:
        self._server = server
        self._numbers = itertools.count(1)

    def empty(self) -> None:
        """No orders, customers, groups, price lists or mirrored records; the shop stays."""
        with self._server.sql() as on:
            on.execute("DROP TRIGGER IF EXISTS refuses ON tradesync_record")
            for table in EMPTIED:
                # Few rows: this is much faster than to truncate.
                on.execute(f'DELETE FROM "{table}"')
            on.execute("DELETE FROM price WHERE price_list_id IS NOT NULL")
            on.execute("DELETE FROM price_list")

    # What the contract asks for

    def told(self, fact: T) -> T:
        match fact:
            case WebOrder():
                return told_order(fact)  # type: ignore[return-value]
            case WebUser():
                return dataclasses.replace(
                    fact,
                    memberships=(),
                    verified_email=None,
                    open_application=False,
                    preferred_currency=None,
                )
        return fact

    def place_order(self, order: WebOrder) -> None:
        with self._server.sql() as on:
            self._write(on, told_order(order), order)

    def change_order(self, order: WebOrder) -> None:
        with self._server.sql() as on:
            key = [order.order_id.value]
            on.execute('DELETE FROM "order" WHERE id = %s', key)
            on.execute(
                "DELETE FROM payment_collection WHERE id IN (SELECT payment_collection_id"
                " FROM order_payment_collection WHERE order_id = %s)",
                key,
            )
            on.execute("DELETE FROM order_line_item WHERE id LIKE %s", [f"{key[0]}/%"])
            for link in ("order_payment_collection", "order_cart", "order_fulfillment"):
                on.execute(f"DELETE FROM {link} WHERE order_id = %s", key)
            self._write(on, told_order(order), order)

    def place_unreadable(
        self, order_id: WebOrderId, number: WebOrderNumber, modified_at: datetime
    ) -> None:
        order = a.a_web_order(order_id=order_id, number=number, modified_at=modified_at)
        self.place_order(order)
        with self._server.sql() as on:
            on.execute(
                "UPDATE order_item SET quantity = -3, raw_quantity = %s WHERE order_id = %s",
                [raw(Decimal(-3)), order_id.value],
            )

    def vanish_order(self, order_id: WebOrderId) -> None:
        with self._server.sql() as on:
            on.execute('DELETE FROM "order" WHERE id = %s', [order_id.value])

    def add_user(self, user: WebUser) -> None:
        with self._server.sql() as on:
            self._customer(on, user.web_user.value)
            if user.staff_customer_id is not None:
                group = f"cusgroup_{next(self._numbers)}"
                said = json.dumps({"erp_customer_id": user.staff_customer_id})
                insert(on, "customer_group", id=group, name=group, metadata=said)
                insert(
                    on,
                    "customer_group_customer",
                    id=f"cusgc_{next(self._numbers)}",
                    customer_id=user.web_user.value,
                    customer_group_id=group,
                )

    def add_organisation(self, organisation: Organisation) -> None:
        pytest.skip("medusa has no organisations")

    def add_channel(self, channel: Channel) -> None:
        pytest.skip("Medusa's channels are named in the settings of the connector")

    def tag_organisation(self, organisation: OrganisationId, tag: str) -> None:
        pytest.skip("medusa has no organisations")

    def own_tags(self, organisation: OrganisationId) -> Collection[str]:
        return ()

    def add_own_address(self, web_user: WebUserId, address: Address) -> None:
        form = form_of(_typed_as(address))
        with self._server.sql() as on:
            key = f"cuaddr_{next(self._numbers):04}"
            insert(on, "customer_address", id=key, customer_id=web_user.value, **form)

    def own_addresses(self, web_user: WebUserId) -> Sequence[Address]:
        with self._server.sql() as on:
            rows = on.execute(
                "SELECT company, first_name, address_1, address_2, city, country_code,"
                " postal_code, province, phone FROM customer_address"
                " WHERE customer_id = %s AND deleted_at IS NULL AND metadata IS NULL ORDER BY id",
                [web_user.value],
            ).fetchall()
        return [
            Address(
                name=row[0],
                attention=row[1] or None,
                lines=tuple(line for line in row[2:4] if line),
                city=row[4],
                country=row[5].upper(),
                postal_code=row[6] or None,
                region=row[7] or None,
                phone=row[8] or None,
            )
            for row in rows
        ]

    def hand_in(self, application: Application) -> None:
        pytest.skip("this store has no registrations that somebody decides on")

    def offered_ship_tos(self, web_user: WebUserId) -> Collection[tuple[CustomerId, ShipToId]]:
        with self._server.sql() as on:
            rows = on.execute(
                "SELECT metadata->'tradesync'->>'account', metadata->'tradesync'->>'key'"
                " FROM customer_address WHERE customer_id = %s AND deleted_at IS NULL"
                " AND metadata->'tradesync'->>'kind' = 'ship_to'",
                [web_user.value],
            ).fetchall()
        return {(CustomerId(account), ShipToId(key)) for account, key in rows}

    def touch_ship_tos(self) -> None:
        with self._server.sql() as on:
            on.execute(
                "UPDATE customer_address SET city = 'Elsewhere'"
                " WHERE metadata->'tradesync'->>'kind' = 'ship_to'"
            )

    def touch_prices(self) -> None:
        pytest.skip("medusa has no rows for the contract's items: the shop does not sell them")

    def refuse_record(self, key: str) -> None:
        with self._server.sql() as on:
            on.execute(
                "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
                " $$ BEGIN RAISE EXCEPTION 'refused'; END $$"
            )
            on.execute(
                "CREATE OR REPLACE TRIGGER refuses BEFORE INSERT OR UPDATE ON tradesync_record"
                " FOR EACH ROW WHEN (NEW.owner = '{0}' OR NEW.key = '{0}' OR NEW.about = '{0}'"
                " OR NEW.key LIKE '[%,\"{0}\"]')"
                " EXECUTE FUNCTION refuse()".format(key.replace("'", "''"))
            )

    def notice(self, order_id: WebOrderId) -> ImportNotice | None:
        with self._server.sql() as on:
            found = on.execute(
                'SELECT metadata FROM "order" WHERE id = %s', [order_id.value]
            ).fetchone()
        said = (found[0] if found else None) or {}
        if "tradesync_state" not in said:
            return None
        number = said.get("tradesync_erp_order")
        return ImportNotice(
            ImportState(said["tradesync_state"]),
            ErpOrderNumber(number) if number else None,
            said.get("tradesync_message"),
        )

    # How a checkout leaves an order

    def _write(self, on: psycopg.Connection[Any], order: WebOrder, asked: WebOrder) -> None:
        key = order.order_id.value
        times = {"created_at": order.placed_at, "updated_at": asked.modified_at}
        status = {OrderState.CANCELLED: "canceled", OrderState.HELD: "requires_action"}
        if order.buyer.web_user is not None:
            self._customer(on, order.buyer.web_user.value)
        ship, bill = self._address(on, order.ship_to), self._address(on, order.bill_to)
        if order.buyer.phone and bill is None:
            raise AssertionError("the phone number of a buyer is that of the bill-to")
        insert(
            on,
            "order",
            id=key,
            custom_display_id=order.number.value,
            customer_id=order.buyer.web_user.value if order.buyer.web_user else None,
            sales_channel_id=order.channel.value,
            status=status.get(order.state, "pending"),
            is_draft_order=False,
            email=order.buyer.email,
            currency_code=order.currency.lower(),
            shipping_address_id=ship,
            billing_address_id=bill,
            metadata=json.dumps(_wishes(order)),
            **times,
        )
        insert(on, "order_summary", id=self._key("ordsum"), order_id=key, version=1, totals="{}")
        self._lines(on, order)
        self._shipping(on, order)
        self._payments(on, order)
        self._fulfilled(on, order)
        self._checkout(on, order, ship, bill)

    def _lines(self, on: psycopg.Connection[Any], order: WebOrder) -> None:
        some, *_ = sorted(line.quantity for line in order.lines)
        for place, line in enumerate(order.lines):
            made = order.placed_at + timedelta(milliseconds=place)
            item = line.line_id
            said = {"note": line.note, "customer_part_number": line.customer_part_number}
            insert(
                on,
                "order_line_item",
                id=item,
                title=line.sku.value,
                variant_sku=line.sku.value,
                unit_price=line.unit_price.amount,
                raw_unit_price=raw(line.unit_price.amount),
                metadata=json.dumps({name: value for name, value in said.items() if value}),
                created_at=made,
            )
            sent = {OrderState.FULFILLED: line.quantity, OrderState.PARTLY_FULFILLED: some / 2}
            done = sent.get(order.state, Decimal(0))
            zeros = dict.fromkeys(DEFAULTS["order_item"], Decimal(0))
            insert(
                on,
                "order_item",
                id=self._key("orditem"),
                order_id=order.order_id.value,
                version=1,
                item_id=item,
                quantity=line.quantity,
                raw_quantity=raw(line.quantity),
                raw_fulfilled_quantity=raw(done),
                **{**zeros, "fulfilled_quantity": done},
            )
            for discount in line.discounts:
                insert(
                    on,
                    "order_line_item_adjustment",
                    id=self._key("ordliadj"),
                    code=discount.code,
                    amount=discount.amount.amount,
                    raw_amount=raw(discount.amount.amount),
                    item_id=item,
                    version=1,
                )

    def _shipping(self, on: psycopg.Connection[Any], order: WebOrder) -> None:
        for place, charge in enumerate(order.charges):
            method = self._key("ordsm")
            insert(
                on,
                "order_shipping_method",
                id=method,
                name=charge.code,
                amount=charge.amount.amount,
                raw_amount=raw(charge.amount.amount),
            )
            insert(
                on,
                "order_shipping",
                id=self._key("ordspmv"),
                order_id=order.order_id.value,
                version=1,
                shipping_method_id=method,
            )
            for discount in order.discounts if place == 0 else ():
                insert(
                    on,
                    "order_shipping_method_adjustment",
                    id=self._key("ordsmadj"),
                    code=discount.code,
                    amount=discount.amount.amount,
                    raw_amount=raw(discount.amount.amount),
                    shipping_method_id=method,
                    version=1,
                )

    def _payments(self, on: psycopg.Connection[Any], order: WebOrder) -> None:
        exact = order.computed_total - sum_of(order)
        for payment in order.payments:
            collection = self._key("pay_col")
            captured = payment.state in (PaymentState.CAPTURED, PaymentState.REFUNDED)
            refunded = payment.state is PaymentState.REFUNDED
            word = {
                PaymentState.PENDING: "not_paid",
                PaymentState.DECLINED: "canceled",
                PaymentState.AUTHORISED: "authorized",
            }.get(payment.state, "completed")
            amount = exact.amount
            columns = {
                "captured_amount": amount if captured else Decimal(0),
                "refunded_amount": amount if refunded else Decimal(0),
                "authorized_amount": amount,
            }
            insert(
                on,
                "payment_collection",
                id=collection,
                currency_code=order.currency.lower(),
                amount=amount,
                raw_amount=raw(amount),
                status=word,
                **columns,
                **{f"raw_{name}": raw(value) for name, value in columns.items()},
            )
            insert(
                on,
                "order_payment_collection",
                id=self._key("ordpay"),
                order_id=order.order_id.value,
                payment_collection_id=collection,
            )
            session = self._key("payses")
            insert(
                on,
                "payment_session",
                id=session,
                currency_code=order.currency.lower(),
                amount=amount,
                raw_amount=raw(amount),
                provider_id=payment.method,
                data="{}",
                status="pending" if payment.state is PaymentState.PENDING else "authorized",
                payment_collection_id=collection,
            )
            if payment.reference is None:
                continue
            insert(
                on,
                "payment",
                id=payment.reference,
                amount=amount,
                raw_amount=raw(amount),
                currency_code=order.currency.lower(),
                provider_id=payment.method,
                payment_collection_id=collection,
                payment_session_id=session,
                captured_at=order.placed_at if captured else None,
                canceled_at=order.placed_at if word == "canceled" else None,
            )
            if refunded:
                key = self._key("ref")
                insert(
                    on,
                    "refund",
                    id=key,
                    amount=amount,
                    raw_amount=raw(amount),
                    payment_id=payment.reference,
                )

    def _fulfilled(self, on: psycopg.Connection[Any], order: WebOrder) -> None:
        if order.state not in (OrderState.FULFILLED, OrderState.PARTLY_FULFILLED):
            return
        key = self._key("ful")
        insert(on, "fulfillment", id=key, location_id="sloc", packed_at=order.placed_at)
        insert(
            on,
            "order_fulfillment",
            id=self._key("ordful"),
            order_id=order.order_id.value,
            fulfillment_id=key,
        )

    def _checkout(
        self, on: psycopg.Connection[Any], order: WebOrder, ship: str | None, bill: str | None
    ) -> None:
        """What our module notes when somebody signed in completes a cart."""
        if not order.buyer.signed_in or order.buyer.web_user is None:
            return
        cart = self._key("cart")
        chosen: Row = {}
        if isinstance(order.ship_to, SelectedShipTo):
            chosen |= {
                "ship_to": order.ship_to.ship_to_id.value,
                "ship_to_text": self._text(on, ship),
            }
        if isinstance(order.bill_to, SelectedBillTo):
            chosen |= {
                "bill_to": order.bill_to.bill_to_id.value,
                "bill_to_text": self._text(on, bill),
            }
        insert(
            on, "order_cart", id=self._key("ordcart"), order_id=order.order_id.value, cart_id=cart
        )
        insert(
            on,
            "tradesync_checkout",
            id=self._key("tschk"),
            cart_id=cart,
            actor_id=order.buyer.web_user.value,
            **chosen,
        )

    def _text(self, on: psycopg.Connection[Any], address: str | None) -> str:
        names = (
            "coalesce(company, '') || E'\\n' || trim(coalesce(first_name, '') || ' ' ||"
            " coalesce(last_name, '')) || E'\\n' || coalesce(address_1, '') || E'\\n' ||"
            " coalesce(address_2, '') || E'\\n' || coalesce(city, '') || E'\\n' ||"
            " coalesce(province, '') || E'\\n' || coalesce(postal_code, '') || E'\\n' ||"
            " coalesce(country_code, '')"
        )
        found = on.execute(f"SELECT {names} FROM order_address WHERE id = %s", [address]).fetchone()
        assert found is not None
        return str(found[0])

    def _address(self, on: psycopg.Connection[Any], place: object) -> str | None:
        if place is None:
            return None
        key = self._key("ordaddr")
        on_file = TypedAddress(
            name="Harbour Hardware", lines=("Dock Road 7",), city="Rotterdam", country="NL"
        )
        insert(
            on,
            "order_address",
            id=key,
            **form_of(place if isinstance(place, TypedAddress) else on_file),
        )
        return key

    def _customer(self, on: psycopg.Connection[Any], key: str) -> None:
        on.execute(
            "INSERT INTO customer (id, email, has_account) VALUES (%s, %s, true)"
            " ON CONFLICT (id) DO NOTHING",
            [key, f"{key}@typed.example"],
        )

    def _key(self, prefix: str) -> str:
        return f"{prefix}_world{next(self._numbers):06}"


def insert(on: psycopg.Connection[Any], table: str, **columns: object) -> None:
    names = ", ".join(columns)
    marks = ", ".join(["%s"] * len(columns))
    on.execute(f'INSERT INTO "{table}" ({names}) VALUES ({marks})', list(columns.values()))


def raw(amount: Decimal) -> str:
    return json.dumps({"value": f"{amount:f}", "precision": 20})


def form_of(typed: TypedAddress) -> Row:
    """The name is the company, the attention the person, further lines one."""
    first, *others = typed.lines or ("",)
    return {
        "company": typed.name,
        "first_name": typed.attention,
        "address_1": first,
        "address_2": ", ".join(others),
        "city": typed.city,
        "province": typed.region,
        "postal_code": typed.postal_code,
        "country_code": typed.country.lower() if typed.country else None,
        "phone": typed.phone,
    }


def sum_of(order: WebOrder) -> Money:
    """What rounding put on the order."""
    amounts = (adjustment.amount.amount for adjustment in order.adjustments)
    return Money(sum(amounts, Decimal(0)), order.currency)


def told_order(order: WebOrder) -> WebOrder:
    """The order with what Medusa has a place for, which is less than ours has."""
    state = NEAREST.get(order.state, order.state)
    freight = tuple(each for each in order.charges if each.kind is ChargeKind.FREIGHT)
    lines = tuple(
        dataclasses.replace(
            line,
            # The key of a line is one for the whole shop.
            line_id=f"{order.order_id}/{line.line_id}",
            unit=UNIT,
            # Numbers come back without the zeros at their end.
            quantity=Decimal(plain(line.quantity)),
            unit_price=Money(Decimal(plain(line.unit_price.amount)), order.currency),
            kit_parent=None,
            discounts=tuple(dataclasses.replace(each, rate=None) for each in line.discounts),
        )
        for line in order.lines
    )
    discounts = order.discounts if freight else ()
    exact = sum((line.net.amount for line in lines), Decimal(0))
    exact += sum((each.amount.amount for each in freight), Decimal(0))
    exact -= sum((each.amount.amount for each in discounts), Decimal(0))
    total = exact.quantize(CENT, ROUND_HALF_UP)
    rounding = Money(total - exact, order.currency)
    bill_to = _told_place(order.bill_to)
    ship_to = _told_place(order.ship_to)
    phone = bill_to.phone if isinstance(bill_to, TypedAddress) else None
    payments, state = _told_payments(order, state, Money(total, order.currency))
    return dataclasses.replace(
        order,
        placed_at=_cut(order.placed_at),
        modified_at=_cut(order.modified_at),
        state=state,
        buyer=Buyer(
            web_user=order.buyer.web_user,
            signed_in=order.buyer.signed_in,
            email=order.buyer.email,
            phone=phone,
        ),
        lines=lines,
        total=Money(total, order.currency),
        ship_to=ship_to,
        bill_to=bill_to,
        charges=freight,
        discounts=discounts,
        taxes=(),
        adjustments=(Adjustment("rounding", rounding),) if rounding.amount else (),
        payments=payments,
        # They stand at their payment.
        refunds=(),
        approval=Approval.NOT_NEEDED,
        priced_for=None,
        ship_via=" + ".join(sorted({each.code for each in freight})) or None,
    )


def _told_payments(
    order: WebOrder, state: OrderState, total: Money
) -> tuple[tuple[Payment, ...], OrderState]:
    """One payment, which says by its own state what Medusa says of the order's."""
    if not order.payments:
        return (), OrderState.CREATED  # unpaid, as far as Medusa knows
    method = order.payments[0].method or "card"
    key = f"pay_{order.order_id}"
    told = {
        OrderState.CREATED: Payment(method, PaymentState.PENDING, total),
        OrderState.AWAITING_PAYMENT: Payment(method, PaymentState.DECLINED, total, key),
        OrderState.REFUNDED: Payment(method, PaymentState.REFUNDED, total, key),
    }
    paid = Payment(method, PaymentState.AUTHORISED, total, key)
    if order.payments[0].state is PaymentState.CAPTURED:
        paid = dataclasses.replace(paid, state=PaymentState.CAPTURED)
    return (told.get(state, paid),), state


def _told_place(place: T) -> T:
    if not isinstance(place, TypedAddress):
        return place
    first, *others = place.lines or ("",)
    return dataclasses.replace(
        place,
        lines=tuple(line for line in (first, ", ".join(others)) if line),
        email=None,
        residential=None,
    )


def _typed_as(address: Address) -> TypedAddress:
    names = (field.name for field in dataclasses.fields(TypedAddress))
    return TypedAddress(**{name: getattr(address, name) for name in names})


def _wishes(order: WebOrder) -> Row:
    said = {
        "po_number": order.po_number,
        "notes": order.notes,
        "requested_date": order.requested_date.isoformat() if order.requested_date else None,
        "ship_complete": order.ship_complete or None,
        "collect_account": order.collect_account,
    }
    return {name: value for name, value in said.items() if value is not None}


def _cut(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
