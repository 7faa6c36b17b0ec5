"""What a store is told: the shapes in which ERP facts are mirrored.

Everything here that belongs to an account carries an ``IndividualAccount``, so
a retail group's ship-tos, invoices or terms cannot be written down at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from sync.domain.account import (
    AccountStatus,
    BillTo,
    CreditStatus,
    IndividualAccount,
    ShipTo,
)
from sync.domain.account_order import AccountOrder
from sync.domain.balance import AccountBalance
from sync.domain.document import Document
from sync.domain.ids import (
    CustomerId,
    ErpOrderNumber,
    LocationId,
    OrganisationId,
    Sku,
    WebUserId,
)
from sync.domain.invoice import Invoice
from sync.domain.part_number import CustomerPart
from sync.domain.pricing import Audience, PriceKey


class ImportState(Enum):
    """An order's way into the ERP, as the store shows it (WA-13)."""

    PENDING = "pending"
    PROCESSING = "processing"
    PROCESSED = "processed"
    ABORTED = "aborted"


@dataclass(frozen=True, slots=True)
class ImportNotice:
    """What to show at an order: state, the ERP's number, and a message for people."""

    state: ImportState
    erp_order: ErpOrderNumber | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class LocationProfile:
    """A site of an account, as the store shows it."""

    location_id: LocationId
    name: str
    tax_exempt: bool | None = None


@dataclass(frozen=True, slots=True, order=True)
class Exceptional:
    """A user who acts for this account within one organisation, not for the organisation's."""

    organisation: OrganisationId
    user: WebUserId


@dataclass(frozen=True, slots=True)
class AccountProfile:
    """What the store shows of an account (MI-1), and who acts for it (TL-3).

    ``tags`` are the account's customer groups in the ERP: what opens restricted items
    to its buyers, and a condition for the store's promotions (VE-5). Tags that the
    store's own people gave it are not among them. ``barred``: users who do not act for this
    account within one of its organisations, because another one was named for them,
    whether or not it can be used (WA-2c). All tuples are sorted, so that equal
    profiles compare equal.
    """

    customer_id: CustomerId
    name: str
    status: AccountStatus
    terms: str | None
    currencies: tuple[str, ...]
    tax_exempt: bool
    credit: CreditStatus
    price_groups: tuple[str, ...] = ()
    locations: tuple[LocationProfile, ...] = ()
    organisations: tuple[OrganisationId, ...] = ()
    users: tuple[WebUserId, ...] = ()
    exceptions: tuple[Exceptional, ...] = ()
    tags: tuple[str, ...] = ()
    barred: tuple[Exceptional, ...] = ()


@dataclass(frozen=True, slots=True)
class AccountView:
    """A profile that may be shown, because its account is no retail group."""

    account: IndividualAccount
    profile: AccountProfile

    def __post_init__(self) -> None:
        _own(self.account, self.profile.customer_id, "profile")


@dataclass(frozen=True, slots=True)
class ShipToView:
    """A ship-to that the buyers of its account may select."""

    account: IndividualAccount
    ship_to: ShipTo

    def __post_init__(self) -> None:
        _own(self.account, self.ship_to.sold_to, f"ship-to {self.ship_to.ship_to_id}")


@dataclass(frozen=True, slots=True)
class BillToView:
    """A bill-to of an account."""

    account: IndividualAccount
    bill_to: BillTo

    def __post_init__(self) -> None:
        _own(self.account, self.bill_to.sold_to, f"bill-to {self.bill_to.bill_to_id}")


@dataclass(frozen=True, slots=True)
class InvoiceView:
    """An invoice that its own account's buyers may see; the only kind a store takes.

    It can hold no invoice of a retail group (the account's type forbids it) and
    none of another account (ValueError).
    """

    account: IndividualAccount
    invoice: Invoice

    def __post_init__(self) -> None:
        _own(self.account, self.invoice.sold_to, f"invoice {self.invoice.number}")


@dataclass(frozen=True, slots=True)
class BalanceView:
    """A balance that its own account's buyers may see, under the same terms as an invoice."""

    account: IndividualAccount
    balance: AccountBalance

    def __post_init__(self) -> None:
        _own(self.account, self.balance.sold_to, f"balance in {self.balance.currency}")


@dataclass(frozen=True, slots=True)
class CustomerPartView:
    """An account's own item number, for its own buyers."""

    account: IndividualAccount
    part: CustomerPart

    def __post_init__(self) -> None:
        _own(self.account, self.part.sold_to, f"part number {self.part.part_number}")


@dataclass(frozen=True, slots=True)
class DocumentView:
    """A document that its own account's buyers may see, under the same terms as an invoice.

    A file that nobody has read cannot be shown: ValueError without content.
    """

    account: IndividualAccount
    document: Document

    def __post_init__(self) -> None:
        document = self.document
        _own(self.account, document.sold_to, f"{document.kind.value} {document.number}")
        if document.content is None:
            raise ValueError(f"{document.kind.value} {document.number} has no content")


@dataclass(frozen=True, slots=True)
class AccountOrderView:
    """An order of an account, from whatever source, for the account's own buyers to read.

    It can hold no order of a retail group, none of another account and none that
    still carries our key (ValueError).
    """

    account: IndividualAccount
    order: AccountOrder

    def __post_init__(self) -> None:
        _own(self.account, self.order.sold_to, f"order {self.order.number}")
        if self.order.key is not None:
            raise ValueError(f"order {self.order.number} still carries the key {self.order.key}")


@dataclass(frozen=True, slots=True)
class PublishedPriceKey:
    """One price as one audience sees it."""

    audience: Audience
    key: PriceKey


@dataclass(frozen=True, slots=True)
class PublishedStockKey:
    """The availability of one item in one warehouse, as one audience sees it."""

    audience: Audience
    sku: Sku
    warehouse: str


def _own(account: IndividualAccount, owner: CustomerId, what: str) -> None:
    if account.customer_id != owner:
        raise ValueError(f"{what} is of {owner}, not of {account}")
