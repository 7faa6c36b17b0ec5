"""The sales orders of an account in the ERP, whoever entered them there (MI-5).

They are the organisation's, and for reading only. A web order among them is told
from the others; the history of the user who placed it is another thing (WA-9).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum

from sync.domain.ids import CustomerId, ErpOrderNumber, IdempotencyKey, Sku, WebOrderId
from sync.domain.money import Money
from sync.domain.sales_order import ErpOrderState


class OrderSource(Enum):
    """How an order came into the ERP. OTHER: the ERP does not tell, or in another way."""

    DESK = "desk"
    PHONE = "phone"
    EDI = "edi"
    WEB = "web"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class AccountOrderLine:
    """``net`` is the line's value, discounts taken off, without tax.

    ``quantity`` and ``shipped`` are in ``unit``; None where the ERP does not tell.
    """

    number: int
    quantity: Decimal
    sku: Sku | None = None
    description: str | None = None
    unit: str | None = None
    unit_price: Money | None = None
    net: Money | None = None
    shipped: Decimal | None = None


@dataclass(frozen=True, slots=True)
class AccountOrder:
    """A sales order of the ERP, in its own currency. ``total`` includes tax.

    ``key`` is what we filed it under, None for an order that is none of ours. No
    store is told the key, but in ``web_order`` which of its own orders this is,
    where that one went into this very account. Raises ValueError for amounts in
    several currencies.
    """

    number: ErpOrderNumber
    sold_to: CustomerId
    source: OrderSource
    state: ErpOrderState
    ordered_on: date
    total: Money
    requested_on: date | None = None
    po_number: str | None = None
    lines: tuple[AccountOrderLine, ...] = ()
    key: IdempotencyKey | None = None
    web_order: WebOrderId | None = None

    @property
    def came_otherwise(self) -> bool:
        """Whether the ERP says for certain that it came by desk, telephone or EDI."""
        ours = self.key is not None or self.web_order is not None
        return not ours and self.source in (OrderSource.DESK, OrderSource.PHONE, OrderSource.EDI)

    def __post_init__(self) -> None:
        for line in self.lines:
            for amount in (line.unit_price, line.net):
                if amount is not None and amount.currency != self.total.currency:
                    raise ValueError(
                        f"order {self.number} is in {self.total.currency}, "
                        f"one amount in {amount.currency}"
                    )
