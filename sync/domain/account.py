"""Customer accounts of the ERP, and the difference that matters most.

A retail group is one account that strangers share. Whatever is mirrored to the
buyers of an account must never be mirrored for a retail group, so the two are
different types here, and the only way to make an ``IndividualAccount`` is to
show the declared retail groups that it is none of.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import InitVar, dataclass, field
from decimal import Decimal
from enum import Enum, IntEnum

from sync.domain.address import Address
from sync.domain.ids import (
    BillToId,
    ContactId,
    CustomerId,
    LocationId,
    ShipToId,
    Sku,
    well_formed,
)
from sync.domain.money import currency_code


@dataclass(frozen=True, slots=True)
class RetailGroups:
    """Every customer ID that some channel declares as a retail group."""

    customer_ids: frozenset[CustomerId]

    @classmethod
    def of(cls, customer_ids: Iterable[CustomerId]) -> RetailGroups:
        return cls(frozenset(customer_ids))

    def __contains__(self, customer_id: CustomerId) -> bool:
        return customer_id in self.customer_ids


@dataclass(frozen=True, slots=True)
class IndividualAccount:
    """The key of an account that is proven not to be a retail group.

    Writers of invoices, ship-tos and balances take this type only. Raises
    ValueError when the ID is one of ``retail_groups``.
    """

    customer_id: CustomerId
    retail_groups: InitVar[RetailGroups]

    def __post_init__(self, retail_groups: RetailGroups) -> None:
        if self.customer_id in retail_groups:
            raise ValueError(f"{self.customer_id} is a retail group: its documents go to nobody")

    def __str__(self) -> str:
        return self.customer_id.value


class CreditStatus(Enum):
    OK = "ok"
    HOLD = "hold"


class AccountStatus(IntEnum):
    """Where an account stands between first contact and closing (VE-3).

    Registration owns 0 to 8, the ERP 9 to 11. Only ACTIVE may order.
    """

    PROSPECT = 0
    APPLIED = 1
    DOCUMENTS_PENDING = 2
    UNDER_REVIEW = 3
    VERIFICATION_1 = 4
    VERIFICATION_2 = 5
    VERIFICATION_3 = 6
    VERIFICATION_4 = 7
    APPROVED = 8
    ACTIVE = 9
    SUSPENDED = 10
    CLOSED = 11


@dataclass(frozen=True, slots=True)
class Contact:
    """A person of an account, as the ERP knows them. ``email`` may be absent."""

    contact_id: ContactId
    email: str | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """One customer account as the ERP holds it.

    ``terms`` None means no payment terms (prepaid). ``currencies`` are those
    the account may order in, the first its own. ``price_groups`` are the ERP's
    price classes or lists that the account belongs to, ``tags`` its customer groups:
    what opens catalogues to it and is a condition of promotions (VE-5). They are two
    name spaces: a price class opens nothing by its name. ``default_ship_to`` is
    sent where the ERP insists on a ship-to ID; it is never assumed for a buyer.
    """

    customer_id: CustomerId
    name: str
    currencies: tuple[str, ...]
    active: bool = True
    prospect: bool = False
    terms: str | None = None
    tax_exempt: bool = False
    credit: CreditStatus = CreditStatus.OK
    price_groups: tuple[str, ...] = ()
    contacts: tuple[Contact, ...] = ()
    default_ship_to: ShipToId | None = None
    po_required: bool = False
    status: AccountStatus | None = None
    tax_id: str | None = None
    tags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise ValueError(f"account {self.customer_id} has no name")
        for tag in self.tags:
            if not well_formed(tag):
                raise ValueError(f"account {self.customer_id} has the tag {tag!r}")
        for currency in self.currencies:
            currency_code(currency)

    @property
    def effective_status(self) -> AccountStatus:
        """The stated status; where the ERP has none, what active and prospect say."""
        if self.status is not None:
            return self.status
        if self.prospect:
            return AccountStatus.PROSPECT
        return AccountStatus.ACTIVE if self.active else AccountStatus.CLOSED


@dataclass(frozen=True, slots=True)
class ShipTo:
    """An address on file that goods of the account may go to.

    ``location`` ties it to a site of the account; None means that every site
    may use it. ``tax_exempt`` None means that the account's own flag counts.
    """

    ship_to_id: ShipToId
    sold_to: CustomerId
    address: Address
    default: bool = False
    tax_exempt: bool | None = None
    warehouse: str | None = None
    location: LocationId | None = None


@dataclass(frozen=True, slots=True)
class BillTo:
    """An address on file that invoices of the account go to."""

    bill_to_id: BillToId
    sold_to: CustomerId
    address: Address
    default: bool = False


@dataclass(frozen=True, slots=True)
class Location:
    """A site of an account. What it sets wins over the account's (VE-6)."""

    location_id: LocationId
    sold_to: CustomerId
    name: str
    tax_exempt: bool | None = None
    default_ship_to: ShipToId | None = None
    bill_to: BillToId | None = None
    warehouse: str | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """What the ERP says of an article.

    ``units`` gives, for each unit that it may be sold in, how many stock units
    one of it holds; the stock unit itself counts 1. ``allowed_to`` None means
    that everybody may see and buy it, otherwise only the customers named and those
    with one of ``allowed_tags`` (VE-5). Both empty: nobody.
    """

    sku: Sku
    stock_unit: str
    units: tuple[tuple[str, Decimal], ...] = ()
    description: str = ""
    active: bool = True
    discontinued: bool = False
    whole_units_only: bool = True
    kit: bool = False
    allowed_to: frozenset[CustomerId] | None = field(default=None)
    allowed_tags: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if self.allowed_tags and self.allowed_to is None:
            raise ValueError(f"item {self.sku} is for everybody and for some tags alone")

    def open_to(self, customer_id: CustomerId, tags: Collection[str]) -> bool:
        """Whether this customer, with the tags that it carries, may see and buy it."""
        if self.allowed_to is None or customer_id in self.allowed_to:
            return True
        return not self.allowed_tags.isdisjoint(tags)

    def factor(self, unit: str) -> Decimal | None:
        """Stock units in one ``unit``; None where the item is not sold in it."""
        if unit == self.stock_unit:
            return Decimal(1)
        return dict(self.units).get(unit)
