"""Which ERP account was assigned to a user or an organisation, and by whom (WA-2).

Assignments come from the mapping files, from a store attribute that only staff
can write, or (where switched on) from a verified e-mail address that one single
account has as a contact. One that exists but cannot be used is an answer of its
own: it is never taken for "nobody assigned anything" (WA-2c).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from sync.domain.account import RetailGroups
from sync.domain.decision import Problem
from sync.domain.ids import ContactId, CustomerId, OrganisationId, WebUserId, well_formed
from sync.domain.mapping import (
    Assignment,
    Assignments,
    RefusedAssignment,
    Source,
    SyncMapping,
)
from sync.domain.order import BuyerRecord
from sync.domain.problem_codes import problem

TOLD_AT_HAND = 2_000
"""Answers that are kept made, for buyers of whom several orders come. Then it begins anew: a
mirror asks for everybody once, and each takes more than its line in the mapping does."""

_Who: TypeAlias = tuple[WebUserId | None, OrganisationId | None]


@dataclass(frozen=True, slots=True)
class Usable:
    """The assignment that counts, and where it comes from."""

    customer_id: CustomerId
    rule: str
    contact: ContactId | None = None


@dataclass(frozen=True, slots=True)
class Unusable:
    """There is an assignment, and it must not be used."""

    problem: Problem


@dataclass(frozen=True, slots=True)
class Told:
    """What one source says; ``exception``: of this user within the organisation."""

    source: Source
    found: Usable | Unusable | None
    exception: bool = False


@dataclass(frozen=True, slots=True)
class AccountMap:
    """Assignments, for look-up. Build one per mapping version."""

    precedence: tuple[Source, ...]
    retail_groups: RetailGroups
    _assignments: Assignments = field(default_factory=Assignments)
    _refused: dict[_Who, RefusedAssignment] = field(default_factory=dict)
    _told: dict[_Who, Usable | Unusable] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(cls, mapping: SyncMapping) -> AccountMap:
        """The map of this mapping; the order of its assignments does not matter."""
        refused: dict[_Who, RefusedAssignment] = {}
        for each in sorted(mapping.refused, key=lambda each: (each.origin, each.reason)):
            refused.setdefault((each.user, each.organisation), each)
        assignments = Assignments.of(mapping.assignments)
        return cls(mapping.precedence, mapping.retail_groups, assignments, refused)

    def find(
        self,
        user: WebUserId | None,
        organisation: OrganisationId | None,
        record: BuyerRecord,
        email_accounts: Sequence[CustomerId] | None = None,
    ) -> Usable | Unusable | None:
        """The assignment of this user in this context; None when nobody assigned any.

        With an organisation only the organisation's assignment counts, or the
        user's explicit exception within it; the exception wins over every
        source, because it would otherwise be none. ``email_accounts`` are the
        accounts that have the user's verified address as a contact.
        """
        for told in self.ask(user, organisation, record, email_accounts):
            if told.found is not None:
                return told.found
        return None

    def ask(
        self,
        user: WebUserId | None,
        organisation: OrganisationId | None,
        record: BuyerRecord,
        email_accounts: Sequence[CustomerId] | None = None,
    ) -> Iterator[Told]:
        """What every source says, in their order: the first that has found anything counts."""
        if user and organisation and Source.MAPPING_FILE in self.precedence:
            written = self._written((user, organisation))
            yield Told(Source.MAPPING_FILE, written, exception=True)
        for source in self.precedence:
            if source is Source.MAPPING_FILE:
                key = (None, organisation) if organisation else (user, None)
                yield Told(source, self._written(key))
            elif source is Source.STORE_ATTRIBUTE:
                yield Told(source, self._from_attribute(user, organisation, record))
            else:
                yield Told(source, self._from_email(user, organisation, email_accounts))

    def knows(
        self,
        user: WebUserId | None,
        organisation: OrganisationId | None,
        record: BuyerRecord,
        email_accounts: Sequence[CustomerId] | None = None,
    ) -> bool:
        """Whether the user or the organisation has any assignment at all, usable or not.

        A user who is an exception within some organisation counts, whichever
        organisation it is: an unproven order in that name is nobody's to guess at.
        """
        if user is not None and self._names(user):
            return True
        alone = user is not None and self.find(user, None, record, email_accounts) is not None
        company = organisation is not None and self.find(None, organisation, record) is not None
        return alone or company

    def _names(self, user: WebUserId) -> bool:
        return self._assignments.name(user) or any(refused == user for refused, _ in self._refused)

    def _written(self, key: _Who) -> Usable | Unusable | None:
        """What the mapping files say of exactly this user, organisation or pair.

        The last answers are at hand: a buyer is looked up many times a day.
        """
        told = self._told.get(key)
        if told is None:
            told = self._made(key)
            if told is not None:
                if len(self._told) >= TOLD_AT_HAND:
                    self._told.clear()
                self._told[key] = told
        return told

    def _made(self, key: _Who) -> Usable | Unusable | None:
        refused = self._refused.get(key)
        if refused is not None:
            return Unusable(
                problem(
                    "assignment_refused",
                    f"The assignment at {refused.origin} does not count: {refused.reason}.",
                    refused.remedy,
                )
            )
        held = self._assignments.about(*key)
        return self._one_of(held) if held else None

    def _one_of(self, held: Sequence[Assignment]) -> Usable | Unusable:
        first, *others = held
        for other in others:
            if other.customer_id != first.customer_id:
                return _conflict(first, str(first.customer_id), other, str(other.customer_id))
        # Two lines may agree on the account and still name two of its contacts.
        told = [each for each in (first, *others) if each.contact is not None]
        for other in told[1:]:
            if other.contact != told[0].contact:
                return _conflict(
                    told[0], f"contact {told[0].contact}", other, f"contact {other.contact}"
                )
        where = "exception" if first.user and first.organisation else "assignment"
        contact = told[0].contact if told else None
        return self._checked(
            first.customer_id, f"WA-2 mapping file {where} {first.origin}".rstrip(), contact
        )

    def _from_attribute(
        self,
        user: WebUserId | None,
        organisation: OrganisationId | None,
        record: BuyerRecord,
    ) -> Usable | Unusable | None:
        if organisation is not None:
            value = record.organisation.staff_customer_id if record.organisation else None
            owner = f"organisation {organisation}"
        else:
            value = record.user.staff_customer_id if record.user and user else None
            owner = f"user {user}"
        if value is None or not value.strip():  # many stores keep "" for "nobody wrote anything"
            return None
        if not well_formed(value):
            return Unusable(
                problem(
                    "assignment_refused",
                    f"The store's attribute of {owner} is no customer ID: {value!r}.",
                    "Correct the attribute in the store, or assign the account in a mapping file.",
                )
            )
        return self._checked(CustomerId(value), f"WA-2 store attribute of {owner}", None)

    def _from_email(
        self,
        user: WebUserId | None,
        organisation: OrganisationId | None,
        accounts: Sequence[CustomerId] | None,
    ) -> Usable | Unusable | None:
        if organisation is not None or user is None or not accounts:
            return None
        distinct = sorted(set(accounts))
        if len(distinct) > 1:
            return Unusable(
                problem(
                    "assignment_conflict",
                    f"The verified e-mail address of user {user} is a contact of "
                    f"{len(distinct)} accounts.",
                    f"Assign user {user} to one of them in a mapping file.",
                )
            )
        return self._checked(distinct[0], f"WA-2 verified e-mail address of user {user}", None)

    def _checked(
        self, customer_id: CustomerId, rule: str, contact: ContactId | None
    ) -> Usable | Unusable:
        if customer_id in self.retail_groups:
            return Unusable(
                problem(
                    "retail_group_as_individual",
                    f"{customer_id} is a retail group and cannot be one buyer's account ({rule}).",
                    "Assign the buyer's own customer ID, or remove the assignment.",
                )
            )
        return Usable(customer_id, rule, contact)


def _conflict(first: Assignment, says: str, other: Assignment, objects: str) -> Unusable:
    return Unusable(
        problem(
            "assignment_conflict",
            f"{first.origin} says {says}, {other.origin} says {objects}.",
            "Keep one of the two lines in the mapping files.",
        )
    )
