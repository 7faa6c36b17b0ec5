"""Orders as the seed's customers would place them: its items, prices, taxes and places."""

from __future__ import annotations

import dataclasses
import itertools
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from sync.domain.address import Address
from sync.domain.ids import CustomerId, IdempotencyKey, ShipToId, Sku
from sync.domain.money import Money
from sync.domain.sales_order import (
    CodedAmount,
    OneOffShipTo,
    OnFileShipTo,
    PayBy,
    SalesOrder,
    SalesOrderPayment,
)
from sync.testing import builders as a
from tests.systems.tryton.conftest import Live

RETAIL = CustomerId("RETAIL")
FIRST = CustomerId("C00001")
SKU = Sku("P00001")
TAX = Decimal("0.10")
_numbers = itertools.count(1)


def usd(amount: str | Decimal) -> Money:
    return Money(Decimal(amount), "USD")


def a_key(what: str) -> IdempotencyKey:
    """A key that no other test uses."""
    return IdempotencyKey(f"shop-{what}-{next(_numbers)}")


def an_address(**changes: Any) -> Address:
    base = Address("Jane Receiver", ("1 One-off Rd", "Dock 4"), "Reno", "US", "89501", "CA")
    return dataclasses.replace(base, **changes)


def an_order(live: Live, **changes: Any) -> SalesOrder:
    """Twelve of the first item for the first customer, with the seed's tax of 10 %."""
    customer = live.manifest["customers"][0]
    line = a.a_sales_line(
        sku=SKU,
        quantity=Decimal(12),
        stock_quantity=Decimal(12),
        unit="u",
        unit_price=usd("39.6024"),
        discount=usd("0"),
        net=usd("475.23"),
    )
    base = a.a_sales_order(
        sold_to=FIRST,
        currency="USD",
        ordered_on=date.fromisoformat(live.manifest["today"]),
        ordered_at=datetime.now(UTC),
        lines=(line,),
        ship_to=OnFileShipTo(ShipToId(str(customer["delivery_addresses"][0]))),
        taxes=(CodedAmount("TAX10", usd("47.52"), TAX),),
        total=usd("522.75"),
        payments=(SalesOrderPayment(PayBy.TERMS, "TERMS", usd("522.75")),),
        terms="NET30",
        contact=None,
    )
    return dataclasses.replace(base, **changes)


def a_retail_order(live: Live, **changes: Any) -> SalesOrder:
    """The same by a shopper: paid by card, sent to the address typed at checkout."""
    base = an_order(
        live,
        sold_to=RETAIL,
        retail=True,
        ship_to=OneOffShipTo(an_address()),
        bill_to=an_address(),
        payments=(SalesOrderPayment(PayBy.CARD, "CARD", usd("522.75"), "pay_77", captured=True),),
        terms=None,
        web_user=None,
        organisation=None,
    )
    return dataclasses.replace(base, **changes)
