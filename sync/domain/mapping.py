"""What administrators decide: who orders under which account, and on what terms.

These are the checked contents of the mapping files. A ``Mapping`` is immutable
and has a version, the hash of its files; whoever decides something with it
records that version.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Mapping as MappingType
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from types import MappingProxyType
from typing import overload

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


# Stands in no key, and before every character that does: lines sort as their parts would.
_BETWEEN = "\0"


class Assignments(Sequence[Assignment]):
    """Many assignments in their order, each made anew whenever it is asked for.

    A mapping in force has a hundred thousand of them, and most are looked at once a run. One
    line of text takes a fifth of what objects take that have an index beside them. Sorted, the
    same lines are the index.
    """

    __slots__ = ("_lines", "_sorted")

    def __init__(self, assignments: Iterable[Assignment] = ()) -> None:
        self._lines = tuple(map(_line, assignments))
        self._sorted = tuple(sorted(self._lines))

    @classmethod
    def of(cls, assignments: Iterable[Assignment]) -> Assignments:
        """These; the very same ones where they are held so already."""
        return assignments if isinstance(assignments, cls) else cls(assignments)

    def about(
        self, user: WebUserId | None, organisation: OrganisationId | None
    ) -> list[Assignment]:
        """Those of exactly this user, organisation or pair, by their customer IDs."""
        wanted = _beginning(user, organisation)
        found = []
        for at in range(bisect_left(self._sorted, wanted), len(self._sorted)):
            if not self._sorted[at].startswith(wanted):
                break
            found.append(_assignment(self._sorted[at]))
        return found

    def name(self, user: WebUserId) -> bool:
        """Whether any is about the user, alone or within some organisation."""
        wanted = user.value + _BETWEEN
        at = bisect_left(self._sorted, wanted)
        return at < len(self._sorted) and self._sorted[at].startswith(wanted)

    def everybody(self) -> Iterator[tuple[WebUserId | None, OrganisationId | None]]:
        """Each user, organisation or pair that there is any of, once."""
        last = None
        for line in self._sorted:
            user, organisation, _ = line.split(_BETWEEN, 2)
            if (user, organisation) != last:
                last = user, organisation
                yield (
                    WebUserId(user) if user else None,
                    OrganisationId(organisation) if organisation else None,
                )

    def __len__(self) -> int:
        return len(self._lines)

    def __iter__(self) -> Iterator[Assignment]:
        return map(_assignment, self._lines)

    @overload
    def __getitem__(self, at: int) -> Assignment: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[Assignment, ...]: ...
    def __getitem__(self, at: int | slice) -> Assignment | tuple[Assignment, ...]:
        if isinstance(at, slice):
            return tuple(map(_assignment, self._lines[at]))
        return _assignment(self._lines[at])

    def __eq__(self, other: object) -> bool:
        """Also a tuple of the same ones is equal."""
        if isinstance(other, Assignments):
            return self._lines == other._lines
        return tuple(self) == other if isinstance(other, tuple) else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return repr(tuple(self))


def _beginning(user: WebUserId | None, organisation: OrganisationId | None) -> str:
    return _BETWEEN.join(
        (user.value if user else "", organisation.value if organisation else "", "")
    )


def _line(each: Assignment) -> str:
    contact = each.contact.value if each.contact else ""
    told = _BETWEEN.join((each.customer_id.value, each.origin, contact))
    return _beginning(each.user, each.organisation) + told


def _assignment(line: str) -> Assignment:
    user, organisation, customer_id, origin, contact = line.split(_BETWEEN)
    return Assignment(
        CustomerId(customer_id),
        WebUserId(user) if user else None,
        OrganisationId(organisation) if organisation else None,
        ContactId(contact) if contact else None,
        origin,
    )


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

    ``assignments`` are in the order of the files, and held as ``Assignments``.
    ``zero_price_means_call``: a price of zero in the ERP is no price, for accounts and
    where a channel says nothing else.
    ``groups_elsewhere`` are retail groups of the same ERP that other pipelines
    declare: nobody's individual accounts here either (WA-2b).
    """

    version: str
    channels: MappingType[ChannelId, Channel]
    assignments: Sequence[Assignment] = ()
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
        object.__setattr__(self, "assignments", Assignments.of(self.assignments))

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
