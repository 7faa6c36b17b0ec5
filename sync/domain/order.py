"""A web order exactly as it was placed, and what the store knows of its buyer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum, IntEnum

from sync.domain.account import AccountStatus
from sync.domain.address import TypedAddress
from sync.domain.ids import (
    BillToId,
    ChannelId,
    CustomerId,
    LocationId,
    OrganisationId,
    RefundId,
    ShipToId,
    Sku,
    WebOrderId,
    WebOrderNumber,
    WebUserId,
)
from sync.domain.money import Money, exact, total
from sync.domain.times import utc


class OrderState(Enum):
    """Where the store says the order is (VE-11)."""

    CREATED = "created"
    PENDING_APPROVAL = "pending_approval"
    AWAITING_PAYMENT = "awaiting_payment"
    VERIFYING_PAYMENT = "verifying_payment"
    HELD = "held"
    AWAITING_FULFILMENT = "awaiting_fulfilment"
    PARTLY_FULFILLED = "partly_fulfilled"
    FULFILLED = "fulfilled"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"


class PaymentState(Enum):
    """What the store reports of one payment. NONE: it reports nothing."""

    NONE = "none"
    PENDING = "pending"
    AUTHORISED = "authorised"
    CAPTURED = "captured"
    DECLINED = "declined"
    EXPIRED = "expired"
    REFUNDED = "refunded"


class Approval(Enum):
    """Whether somebody of the organisation must still agree (VE-4)."""

    NOT_NEEDED = "not_needed"
    PENDING = "pending"
    APPROVED = "approved"
    REFUSED = "refused"


class Role(IntEnum):
    """What an employee may do; each role includes the ones before it."""

    BROWSE = 1
    ORDER = 2
    APPROVE = 3
    MANAGE = 4


@dataclass(frozen=True, slots=True)
class Buyer:
    """Who placed the order, as far as the order itself tells.

    ``signed_in`` is the store's own proof; without it ``web_user`` is a claim.
    ``email`` is what was typed at checkout: it is passed on, and never decides
    anything.
    """

    web_user: WebUserId | None = None
    signed_in: bool = False
    organisation: OrganisationId | None = None
    location: LocationId | None = None
    email: str | None = None
    phone: str | None = None


@dataclass(frozen=True, slots=True)
class LineDiscount:
    """A discount on one line: the amount taken off, and its rate where it has one.

    ``rate`` is a part of the line's gross value (0.02 is two percent).
    """

    code: str
    amount: Money
    rate: Decimal | None = None

    def __post_init__(self) -> None:
        if self.rate is not None:
            exact(self.rate)


@dataclass(frozen=True, slots=True)
class OrderLine:
    """One line as the buyer saw it. ``unit_price`` is before line discounts.

    ``kit_parent`` names the line ID of the kit that this line is a part of.
    """

    line_id: str
    sku: Sku
    quantity: Decimal
    unit: str
    unit_price: Money
    discounts: tuple[LineDiscount, ...] = ()
    customer_part_number: str | None = None
    note: str | None = None
    kit_parent: str | None = None

    def __post_init__(self) -> None:
        exact(self.quantity)
        if self.quantity <= 0:
            raise ValueError(f"line {self.line_id}: quantity {self.quantity} is not positive")
        if self.unit_price.amount < 0:
            raise ValueError(f"line {self.line_id}: the price is negative")

    @property
    def gross(self) -> Money:
        return self.unit_price.times(self.quantity)

    @property
    def net(self) -> Money:
        """Quantity times price, less the line's discounts; exact."""
        return self.gross - total((d.amount for d in self.discounts), self.unit_price.currency)


class ChargeKind(Enum):
    FREIGHT = "freight"
    FEE = "fee"
    DEPOSIT = "deposit"


@dataclass(frozen=True, slots=True)
class Charge:
    """Freight, a fee or a deposit on the whole order, tax not included."""

    kind: ChargeKind
    code: str
    amount: Money


@dataclass(frozen=True, slots=True)
class OrderDiscount:
    """A coupon or discount on the whole order; ``amount`` is positive and taken off."""

    code: str
    amount: Money


@dataclass(frozen=True, slots=True)
class Tax:
    """Tax that the store charged, by its own code."""

    code: str
    amount: Money
    rate: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Adjustment:
    """A named difference that is neither goods nor tax, such as a rounding cent."""

    name: str
    amount: Money


@dataclass(frozen=True, slots=True)
class Payment:
    """One means of payment. ``amount`` None means the whole order.

    ``expires_at``: when an authorisation ends, where the store says so.
    """

    method: str | None
    state: PaymentState = PaymentState.NONE
    amount: Money | None = None
    reference: str | None = None
    expires_at: datetime | None = None

    def __post_init__(self) -> None:
        if self.expires_at is not None:
            object.__setattr__(self, "expires_at", utc(self.expires_at))


@dataclass(frozen=True, slots=True)
class Refund:
    """Money that the store has given back; ``amount`` is positive and never changes."""

    refund_id: RefundId
    amount: Money
    refunded_at: datetime

    def __post_init__(self) -> None:
        object.__setattr__(self, "refunded_at", utc(self.refunded_at))
        if self.amount.amount <= 0:
            raise ValueError(f"refund {self.refund_id}: {self.amount} is not positive")


@dataclass(frozen=True, slots=True)
class SelectedShipTo:
    """The buyer picked an address of the account that the ERP keeps."""

    ship_to_id: ShipToId


@dataclass(frozen=True, slots=True)
class SelectedBillTo:
    """The buyer picked a bill-to of the account that the ERP keeps."""

    bill_to_id: BillToId


@dataclass(frozen=True, slots=True)
class WebOrder:
    """An order as the store holds it, everything that the buyer saw included.

    ``order_id`` is immutable, ``number`` is for people. ``priced_for`` is the
    retail group that priced the cart, where the store knows. ``placed_at`` and
    ``modified_at`` are on the store's clock. The total is what the buyer saw.
    Raises ValueError when its amounts are not all in one currency.
    """

    order_id: WebOrderId
    number: WebOrderNumber
    channel: ChannelId
    placed_at: datetime
    modified_at: datetime
    state: OrderState
    buyer: Buyer
    currency: str
    lines: tuple[OrderLine, ...]
    total: Money
    ship_to: SelectedShipTo | TypedAddress | None = None
    bill_to: SelectedBillTo | TypedAddress | None = None
    charges: tuple[Charge, ...] = ()
    discounts: tuple[OrderDiscount, ...] = ()
    taxes: tuple[Tax, ...] = ()
    adjustments: tuple[Adjustment, ...] = ()
    payments: tuple[Payment, ...] = ()
    approval: Approval = Approval.NOT_NEEDED
    priced_for: CustomerId | None = None
    po_number: str | None = None
    notes: str | None = None
    requested_date: date | None = None
    ship_complete: bool = False
    ship_via: str | None = None
    collect_account: str | None = None
    refunds: tuple[Refund, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "placed_at", utc(self.placed_at))
        object.__setattr__(self, "modified_at", utc(self.modified_at))
        for amount in self._amounts():
            if amount.currency != self.currency:
                raise ValueError(
                    f"order {self.number} is in {self.currency}, one amount in {amount.currency}"
                )

    @property
    def personal(self) -> bool:
        """Placed without an organisation."""
        return self.buyer.organisation is None

    @property
    def computed_total(self) -> Money:
        """Lines, charges, tax and adjustments, less discounts; exact."""
        plus = [line.net for line in self.lines if line.kit_parent is None]
        plus += [charge.amount for charge in self.charges]
        plus += [tax.amount for tax in self.taxes]
        plus += [adjustment.amount for adjustment in self.adjustments]
        minus = total((d.amount for d in self.discounts), self.currency)
        return total(plus, self.currency) - minus

    def _amounts(self) -> list[Money]:
        found = [self.total]
        for line in self.lines:
            found.append(line.unit_price)
            found.extend(discount.amount for discount in line.discounts)
        found.extend(charge.amount for charge in self.charges)
        found.extend(discount.amount for discount in self.discounts)
        found.extend(tax.amount for tax in self.taxes)
        found.extend(adjustment.amount for adjustment in self.adjustments)
        found.extend(payment.amount for payment in self.payments if payment.amount)
        found.extend(refund.amount for refund in self.refunds)
        return found


@dataclass(frozen=True, slots=True)
class UnreadableOrder:
    """An order that the store shows, but that cannot be told as a WebOrder.

    It is never dropped: ``payload`` keeps what the store said, ``problems``
    says field by field what is wrong with it.
    """

    order_id: WebOrderId
    number: WebOrderNumber
    modified_at: datetime
    problems: tuple[str, ...]
    payload: str
    channel: ChannelId | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "modified_at", utc(self.modified_at))
        if not self.problems:
            raise ValueError("an unreadable order must say what is wrong with it")


StoreOrder = WebOrder | UnreadableOrder


@dataclass(frozen=True, slots=True)
class Membership:
    """A web user's place in an organisation: role and, if tied to one, location."""

    organisation: OrganisationId
    role: Role = Role.ORDER
    location: LocationId | None = None


@dataclass(frozen=True, slots=True)
class WebUser:
    """A registered user, as the store's own directory has them.

    ``staff_customer_id`` is an attribute that only the store's staff can write.
    ``verified_email`` is None unless the store itself verified it.
    ``open_application``: a B2B registration that nobody has decided yet.
    """

    web_user: WebUserId
    memberships: tuple[Membership, ...] = ()
    staff_customer_id: str | None = None
    verified_email: str | None = None
    open_application: bool = False
    preferred_currency: str | None = None

    def member_of(self, organisation: OrganisationId) -> Membership | None:
        for membership in self.memberships:
            if membership.organisation == organisation:
                return membership
        return None


@dataclass(frozen=True, slots=True)
class Organisation:
    """A company in the store. ``status`` None where the store keeps none.

    ``staff_customer_id`` as for a web user.
    """

    organisation: OrganisationId
    name: str
    status: AccountStatus | None = None
    staff_customer_id: str | None = None
    open_application: bool = False


@dataclass(frozen=True, slots=True)
class BuyerRecord:
    """What the store's directory says of the user and organisation of an order.

    None means that the directory does not know the key (or none was asked for).
    """

    user: WebUser | None = None
    organisation: Organisation | None = None
