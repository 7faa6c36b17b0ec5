"""Balances, orders, part numbers, entitlements and availability as rows, and back.

What was written here comes back exactly as it was put, scale included.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from sync.domain.account_order import AccountOrder, AccountOrderLine, OrderSource
from sync.domain.availability import Availability, StockKey
from sync.domain.balance import AccountBalance, AgeBucket, Ageing, FigureSource
from sync.domain.entitlement import Entitlement
from sync.domain.ids import CustomerId, ErpOrderNumber, PartNumber, Sku, WebOrderId
from sync.domain.money import Money
from sync.domain.part_number import CustomerPart, PartKey
from sync.domain.pricing import Audience
from sync.domain.sales_order import ErpOrderState
from sync.domain.views import PublishedStockKey
from sync.stores.embedded import load, queries, schema, translate
from sync.stores.embedded.spelling import (
    day_text,
    decimal_text,
    read_day,
    read_decimal,
    read_optional_day,
)

Row = Mapping[str, Any]


def balance_row(balance: AccountBalance) -> Row:
    limit, ageing = balance.credit_limit, balance.ageing
    return {
        "customer_id": balance.sold_to.value,
        "currency": balance.currency,
        "balance": decimal_text(balance.balance.amount),
        "source": balance.source.value,
        "credit_limit": decimal_text(limit.amount) if limit else None,
        "ageing_source": ageing.source.value if ageing else None,
    }


def ageing_rows(balance: AccountBalance) -> list[Row]:
    return [
        {
            "customer_id": balance.sold_to.value,
            "currency": balance.currency,
            "position": position,
            "from_days": bucket.from_days,
            "to_days": bucket.to_days,
            "amount": decimal_text(bucket.amount.amount),
        }
        for position, bucket in enumerate(balance.ageing.buckets if balance.ageing else ())
    ]


def balances(
    connection: Connection, customer_ids: Collection[CustomerId]
) -> dict[tuple[CustomerId, str], AccountBalance]:
    """By account and currency."""
    keys = load.texts(customer_ids)
    buckets = load.grouped(connection, schema.account_ageing, ("customer_id", "currency"), keys)
    found = {}
    for row in queries.by_keys(connection, schema.account_balances, "customer_id", keys):
        balance = _balance(row, buckets.get((row["customer_id"], row["currency"]), ()))
        found[balance.sold_to, balance.currency] = balance
    return found


def _balance(row: Row, buckets: Sequence[Row]) -> AccountBalance:
    currency = row["currency"]

    def money(text: str) -> Money:
        return Money(read_decimal(text), currency)

    ageing = None
    if row["ageing_source"] is not None:
        parts = [
            AgeBucket(money(each["amount"]), each["from_days"], each["to_days"]) for each in buckets
        ]
        ageing = Ageing(tuple(parts), FigureSource(row["ageing_source"]))
    return AccountBalance(
        sold_to=CustomerId(row["customer_id"]),
        balance=money(row["balance"]),
        credit_limit=None if row["credit_limit"] is None else money(row["credit_limit"]),
        ageing=ageing,
        source=FigureSource(row["source"]),
    )


def order_row(order: AccountOrder) -> Row:
    return {
        "customer_id": order.sold_to.value,
        "erp_order": order.number.value,
        "source": order.source.value,
        "state": order.state.value,
        "ordered_on": day_text(order.ordered_on),
        "currency": order.total.currency,
        "total": decimal_text(order.total.amount),
        "requested_on": day_text(order.requested_on),
        "po_number": order.po_number,
        "web_order": order.web_order.value if order.web_order else None,
    }


def order_line_rows(order: AccountOrder) -> list[Row]:
    return [
        {
            "customer_id": order.sold_to.value,
            "erp_order": order.number.value,
            "position": position,
            "number": line.number,
            "quantity": decimal_text(line.quantity),
            "sku": line.sku.value if line.sku else None,
            "description": line.description,
            "unit": line.unit,
            "unit_price": decimal_text(line.unit_price.amount) if line.unit_price else None,
            "net": decimal_text(line.net.amount) if line.net else None,
            "shipped": None if line.shipped is None else decimal_text(line.shipped),
        }
        for position, line in enumerate(order.lines)
    ]


def orders(
    connection: Connection, customer_ids: Collection[CustomerId]
) -> dict[tuple[CustomerId, ErpOrderNumber], AccountOrder]:
    """By account and number."""
    keys = load.texts(customer_ids)
    own = ("customer_id", "erp_order")
    lines = load.grouped(connection, schema.account_order_lines, own, keys)
    found = {}
    for row in queries.by_keys(connection, schema.account_orders, "customer_id", keys):
        order = _order(row, lines.get((row["customer_id"], row["erp_order"]), ()))
        found[order.sold_to, order.number] = order
    return found


def _order(row: Row, lines: Sequence[Row]) -> AccountOrder:
    currency = row["currency"]

    def money(text: str | None) -> Money | None:
        return None if text is None else Money(read_decimal(text), currency)

    return AccountOrder(
        number=ErpOrderNumber(row["erp_order"]),
        sold_to=CustomerId(row["customer_id"]),
        source=OrderSource(row["source"]),
        state=ErpOrderState(row["state"]),
        ordered_on=read_day(row["ordered_on"]),
        total=Money(read_decimal(row["total"]), currency),
        requested_on=read_optional_day(row["requested_on"]),
        po_number=row["po_number"],
        lines=tuple(
            AccountOrderLine(
                number=each["number"],
                quantity=read_decimal(each["quantity"]),
                sku=Sku(each["sku"]) if each["sku"] else None,
                description=each["description"],
                unit=each["unit"],
                unit_price=money(each["unit_price"]),
                net=money(each["net"]),
                shipped=None if each["shipped"] is None else read_decimal(each["shipped"]),
            )
            for each in lines
        ),
        web_order=WebOrderId(row["web_order"]) if row["web_order"] else None,
    )


def part_row(part: CustomerPart) -> Row:
    return {
        "customer_id": part.sold_to.value,
        "part_number": part.part_number.value,
        "sku": part.sku.value,
        "unit": part.unit,
        "description": part.description,
    }


def parts(
    connection: Connection, customer_ids: Collection[CustomerId]
) -> dict[PartKey, CustomerPart]:
    """By their keys."""
    rows = queries.by_keys(
        connection, schema.customer_parts, "customer_id", load.texts(customer_ids)
    )
    found = [
        CustomerPart(
            sold_to=CustomerId(row["customer_id"]),
            part_number=PartNumber(row["part_number"]),
            sku=Sku(row["sku"]),
            unit=row["unit"],
            description=row["description"],
        )
        for row in rows
    ]
    return {each.key: each for each in found}


def entitled_rows(entitlement: Entitlement) -> list[Row]:
    return [
        {"sku": entitlement.sku.value, **translate.audience_row(each)}
        for each in entitlement.audiences
    ]


def entitlements(connection: Connection, skus: Collection[Sku]) -> dict[Sku, Entitlement]:
    """By item; one that is for everybody is absent."""
    keys = load.texts(skus)
    audiences = load.grouped(connection, schema.item_audiences, ("sku",), keys)
    found = {}
    for row in queries.by_keys(connection, schema.restricted_items, "sku", keys):
        own = [translate.audience(each) for each in audiences.get((row["sku"],), ())]
        sku = Sku(row["sku"])
        found[sku] = Entitlement(sku, tuple(sorted(own, key=lambda each: each.order)))
    return found


def stock_row(audience: Audience, figure: Availability) -> Row:
    return {
        **translate.audience_row(audience),
        "sku": figure.sku.value,
        "warehouse": figure.warehouse,
        "available": decimal_text(figure.available),
        "next_due": day_text(figure.next_due),
        "discontinued": figure.discontinued,
    }


def stock(connection: Connection, audience: Audience) -> dict[StockKey, Availability]:
    """What this audience is shown, by item and warehouse."""
    rows = queries.stock_rows(connection, translate.audience_row(audience))
    found = [_figure(row) for row in rows]
    return {each.key: each for each in found}


def stock_of(
    connection: Connection, skus: Collection[Sku]
) -> dict[PublishedStockKey, Availability]:
    """What is shown of these items, to whomever."""
    found = {}
    for row in queries.by_keys(connection, schema.availability, "sku", load.texts(skus)):
        figure = _figure(row)
        found[PublishedStockKey(translate.audience(row), *figure.key)] = figure
    return found


def _figure(row: Row) -> Availability:
    return Availability(
        sku=Sku(row["sku"]),
        warehouse=row["warehouse"],
        available=read_decimal(row["available"]),
        next_due=read_optional_day(row["next_due"]),
        discontinued=row["discontinued"],
    )
