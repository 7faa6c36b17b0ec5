"""The instruction that goes to the ERP: one web order, decided and complete.

It is frozen into the ledger before the first attempt, so that every attempt
sends the same thing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum

from sync.domain.address import Address
from sync.domain.ids import (
    BillToId,
    ChannelId,
    ContactId,
    CustomerId,
    ErpOrderNumber,
    LocationId,
    OrganisationId,
    ShipToId,
    Sku,
    WebOrderId,
    WebOrderNumber,
    WebUserId,
)
from sync.domain.money import Money
from sync.domain.order import Refund
from sync.domain.times import utc


@dataclass(frozen=True, slots=True)
class OnFileShipTo:
    """Ship to an address that the ERP keeps for the account."""

    ship_to_id: ShipToId


@dataclass(frozen=True, slots=True)
class OneOffShipTo:
    """Ship to this address once; it is never filed under the account.

    ``under`` is a ship-to ID to name beside it, in ERPs that insist on one.
    """

    address: Address
    under: ShipToId | None = None


@dataclass(frozen=True, slots=True)
class OnFileBillTo:
    bill_to_id: BillToId


@dataclass(frozen=True, slots=True)
class SalesOrderLine:
    """A line in the ERP's terms. ``number`` counts from 1.

    ``quantity`` is in ``unit``, the ERP's unit code; ``stock_quantity`` is the
    same in the item's stock unit. ``unit_price`` is per ``unit``, before the
    discount. ``discount`` is the amount off the whole line.
    """

    number: int
    sku: Sku
    quantity: Decimal
    unit: str
    stock_quantity: Decimal
    unit_price: Money
    discount: Money
    net: Money
    discount_rate: Decimal | None = None
    discount_code: str | None = None
    customer_part_number: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class CodedAmount:
    """An amount under one of the ERP's codes."""

    code: str
    amount: Money
    rate: Decimal | None = None


class PayBy(Enum):
    TERMS = "terms"
    CARD = "card"


@dataclass(frozen=True, slots=True)
class SalesOrderPayment:
    """``code`` is the ERP's; ``reference`` the payment provider's own."""

    by: PayBy
    code: str
    amount: Money
    reference: str | None = None
    captured: bool = False


@dataclass(frozen=True, slots=True)
class SalesOrder:
    """What to write into the ERP, all in one transaction.

    ``discounts`` are positive and taken off. ``hold`` asks for the order to be
    entered on hold. ``flags`` are remarks for the ERP's staff that do not stop
    the order. ``ordered_on`` is the day in the ERP's calendar. ``total_tolerance``
    is how far the ERP's own total may differ, where it computes the tax itself.
    ``refunds``: what the store had given back by then, which the ERP is told of apart.
    """

    sold_to: CustomerId
    retail: bool
    web_order: WebOrderId
    web_number: WebOrderNumber
    channel: ChannelId
    ordered_at: datetime
    ordered_on: date
    currency: str
    ship_to: OnFileShipTo | OneOffShipTo
    lines: tuple[SalesOrderLine, ...]
    total: Money
    bill_to: OnFileBillTo | Address | None = None
    charges: tuple[CodedAmount, ...] = ()
    discounts: tuple[CodedAmount, ...] = ()
    taxes: tuple[CodedAmount, ...] = ()
    adjustments: tuple[CodedAmount, ...] = ()
    payments: tuple[SalesOrderPayment, ...] = ()
    contact: ContactId | None = None
    web_user: WebUserId | None = None
    organisation: OrganisationId | None = None
    location: LocationId | None = None
    terms: str | None = None
    hold: bool = False
    po_number: str | None = None
    notes: str = ""
    requested_on: date | None = None
    ship_complete: bool = False
    ship_via: str | None = None
    collect_account: str | None = None
    phone: str | None = None
    email: str | None = None
    flags: tuple[str, ...] = ()
    total_tolerance: Decimal = Decimal(0)
    refunds: tuple[Refund, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "ordered_at", utc(self.ordered_at))
        if not self.lines:
            raise ValueError(f"order {self.web_number} has no lines")


@dataclass(frozen=True, slots=True)
class OrderAcknowledgement:
    """The ERP's answer: it has the order. ``number`` is None until it gives one."""

    number: ErpOrderNumber | None


@dataclass(frozen=True, slots=True)
class FoundOrder:
    """An order that the ERP already holds under our key.

    What is None cannot be told from this ERP; whatever is told is compared.
    ``unfinished``: an attempt ended before the order was where the ERP's settings
    want it. Submitting it again goes on with it where it is the same order, and
    raises Conflict where it is not; it is never written a second time.
    """

    number: ErpOrderNumber | None
    sold_to: CustomerId | None = None
    line_count: int | None = None
    total: Money | None = None
    refusal: str | None = None
    unfinished: bool = False

    def differences(self, order: SalesOrder) -> tuple[str, ...]:
        """How it differs from ``order``, in sentences; empty where nothing does."""
        found = []
        if self.sold_to is not None and self.sold_to != order.sold_to:
            found.append(f"the ERP has it under {self.sold_to}, not {order.sold_to}")
        if self.line_count is not None and self.line_count != len(order.lines):
            found.append(f"the ERP has {self.line_count} lines, not {len(order.lines)}")
        if self.total is not None and (
            self.total.currency != order.total.currency
            or abs(self.total.amount - order.total.amount) > order.total_tolerance
        ):
            found.append(f"the ERP has a total of {self.total}, not {order.total}")
        return tuple(found)


class ErpOrderState(Enum):
    """What the ERP says of an order; the store is told the same words."""

    RECEIVED = "received"
    ON_HOLD = "on_hold"
    OPEN = "open"
    PICKED = "picked"
    PARTLY_SHIPPED = "partly_shipped"
    SHIPPED = "shipped"
    INVOICED = "invoiced"
    CANCELLED = "cancelled"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Shipment:
    """One parcel or delivery. ``tracking`` is the carrier's number."""

    number: str
    shipped_on: date | None = None
    carrier: str | None = None
    tracking: str | None = None


@dataclass(frozen=True, slots=True)
class LineStatus:
    """Stock units of one line: ordered, shipped, and waiting for goods."""

    line: int
    sku: Sku
    ordered: Decimal
    shipped: Decimal
    back_ordered: Decimal


@dataclass(frozen=True, slots=True)
class OrderStatus:
    """How far the ERP is with an order. ``message`` is the ERP's own text."""

    state: ErpOrderState
    number: ErpOrderNumber | None = None
    shipments: tuple[Shipment, ...] = ()
    lines: tuple[LineStatus, ...] = ()
    message: str | None = None
