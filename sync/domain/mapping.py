"""What administrators decide: who orders under which account, and on what terms.

These are the checked contents of the mapping files. A ``Mapping`` is immutable
and has a version, the hash of its files; whoever decides something with it
records that version.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingType
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from types import MappingProxyType

from sync.domain.account import RetailGroups
from sync.domain.channel import Channel
from sync.domain.ids import (
    ChannelId,
    ContactId,
    CustomerId,
    OrganisationId,
    ShipToId,
    WebUserId,
)
from sync.domain.registration import RequiredDocuments


class Source(Enum):
    """Where an assignment comes from (WA-2)."""

    MAPPING_FILE = "mapping_file"
    STORE_ATTRIBUTE = "store_attribute"
    ERP_EMAIL = "erp_email"


DEFAULT_PRECEDENCE = (Source.MAPPING_FILE, Source.STORE_ATTRIBUTE)


@dataclass(frozen=True, slots=True)
class Assignment:
    """A user or organisation stands for an ERP account.

    ``user`` with ``organisation`` is an exception for that user within that
    organisation; otherwise exactly one of the two is given. ``origin`` says
    where it stands ("customers.yaml:12"), for people.
    """

    customer_id: CustomerId
    user: WebUserId | None = None
    organisation: OrganisationId | None = None
    contact: ContactId | None = None
    origin: str = ""

    def __post_init__(self) -> None:
        if self.user is None and self.organisation is None:
            raise ValueError("an assignment needs a user or an organisation")


@dataclass(frozen=True, slots=True)
class RefusedAssignment:
    """An assignment that was written down but may not count (WA-2b, WA-2c)."""

    reason: str
    remedy: str
    user: WebUserId | None = None
    organisation: OrganisationId | None = None
    origin: str = ""


class PaymentKind(Enum):
    """How a payment method counts for admission (WA-5)."""

    CARD = "card"
    TERMS = "terms"
    REFUSED = "refused"


class OnDifference(Enum):
    """What a price or tax beyond the tolerance does to an order."""

    HOLD = "hold"
    FLAG = "flag"


@dataclass(frozen=True, slots=True)
class AccountPolicy:
    """What an account's buyers may do, and what the ERP needs for it.

    ``price_tolerance`` is in the order's currency, per unit. ``ship_to_override``
    is the ship-to ID to send beside a typed address (WA-11).
    """

    custom_ship_to: bool = False
    card_payment: bool = True
    card_lifts_credit_hold: bool = False
    po_required: bool | None = None
    price_tolerance: Decimal = Decimal(0)
    on_price_difference: OnDifference = OnDifference.FLAG
    tax_tolerance: Decimal = Decimal("0.01")
    ship_to_override: ShipToId | None = None
    default_contact: ContactId | None = None


@dataclass(frozen=True, slots=True)
class PaymentMethod:
    """A payment method of the store: how it counts, and the ERP's code for it."""

    kind: PaymentKind
    erp_code: str = ""


@dataclass(frozen=True, slots=True)
class CodeTables:
    """The store's codes (left) in the ERP's words (right).

    A store code that is missing from a table is an error of its own
    (quarantine); it is never passed through unchanged, except where a table is
    empty: then that kind of code needs no translation.
    """

    payment_methods: MappingType[str, PaymentMethod] = field(default_factory=dict)
    ship_methods: MappingType[str, str] = field(default_factory=dict)
    units: MappingType[str, str] = field(default_factory=dict)
    taxes: MappingType[str, str] = field(default_factory=dict)
    countries: MappingType[str, str] = field(default_factory=dict)
    charges: MappingType[str, str] = field(default_factory=dict)
    discounts: MappingType[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in self.__slots__:
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))


@dataclass(frozen=True, slots=True)
class SyncMapping:
    """All mapping files of a pipeline, checked, as one version.

    ``zero_price_means_call``: a price of zero in the ERP is no price, for accounts and
    where a channel says nothing else.
    ``groups_elsewhere`` are retail groups of the same ERP that other pipelines
    declare: nobody's individual accounts here either (WA-2b).
    """

    version: str
    channels: MappingType[ChannelId, Channel]
    assignments: tuple[Assignment, ...] = ()
    refused: tuple[RefusedAssignment, ...] = ()
    precedence: tuple[Source, ...] = DEFAULT_PRECEDENCE
    account_policies: MappingType[CustomerId, AccountPolicy] = field(default_factory=dict)
    default_policy: AccountPolicy = AccountPolicy()
    retail_policy: AccountPolicy = AccountPolicy(custom_ship_to=True)
    codes: CodeTables = CodeTables()
    zero_price_means_call: bool = True
    required_documents: RequiredDocuments = field(default_factory=RequiredDocuments)
    groups_elsewhere: frozenset[CustomerId] = frozenset()
    retail_groups: RetailGroups = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        own = {
            group.customer_id
            for channel in self.channels.values()
            for group in channel.retail_groups
        }
        groups = RetailGroups.of(own | self.groups_elsewhere)
        object.__setattr__(self, "retail_groups", groups)

    def zero_means_call(self, channel_id: ChannelId | None) -> bool:
        """Whether zero is no price for the shoppers of that channel; None: for accounts.

        What an account sees is the same on every channel.
        """
        channel = self.channels.get(channel_id) if channel_id is not None else None
        own = channel.zero_price_means_call if channel is not None else None
        return self.zero_price_means_call if own is None else own

    def policy(self, customer_id: CustomerId) -> AccountPolicy:
        """The account's own policy, a retail group's, or the default."""
        own = self.account_policies.get(customer_id)
        if own is not None:
            return own
        return self.retail_policy if customer_id in self.retail_groups else self.default_policy
