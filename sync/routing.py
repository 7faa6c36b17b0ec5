"""Which ERP account does this buyer order under?

Pure: everything that was looked up is handed in. Retail is a decision by rule.
A look-up that failed raises long before this, and an assignment that exists but
cannot be used is never taken for "no assignment".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sync.domain.account import RetailGroups
from sync.domain.channel import Channel, CommerceMode
from sync.domain.decision import Problem, Routed, Unrouted
from sync.domain.ids import ContactId, CustomerId, OrganisationId, WebUserId, well_formed
from sync.domain.mapping import Assignment, RefusedAssignment, Source, SyncMapping
from sync.domain.order import BuyerRecord, Membership, WebOrder
from sync.domain.problem_codes import problem


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
class AccountMap:
    """Assignments, indexed for look-up. Build one per mapping version."""

    precedence: tuple[Source, ...]
    retail_groups: RetailGroups
    _by_key: dict[tuple[str, str], list[Assignment]] = field(default_factory=dict)
    _refused: dict[tuple[str, str], RefusedAssignment] = field(default_factory=dict)

    @classmethod
    def of(cls, mapping: SyncMapping) -> AccountMap:
        by_key: dict[tuple[str, str], list[Assignment]] = {}
        for assignment in mapping.assignments:
            by_key.setdefault(_key(assignment.user, assignment.organisation), []).append(assignment)
        refused = {_key(each.user, each.organisation): each for each in mapping.refused}
        return cls(mapping.precedence, mapping.retail_groups, by_key, refused)

    def find(
        self,
        user: WebUserId | None,
        organisation: OrganisationId | None,
        record: BuyerRecord,
        email_accounts: Sequence[CustomerId] | None = None,
    ) -> Usable | Unusable | None:
        """The assignment of this user in this context; None when nobody assigned any.

        With an organisation only the organisation's assignment counts, or the
        user's explicit exception within it. ``email_accounts`` are the accounts
        that have the user's verified address as a contact.
        """
        for source in self.precedence:
            if source is Source.MAPPING_FILE:
                found = self._from_files(user, organisation)
            elif source is Source.STORE_ATTRIBUTE:
                found = self._from_attribute(user, organisation, record)
            else:
                found = self._from_email(user, organisation, email_accounts)
            if found is not None:
                return found
        return None

    def knows(
        self,
        user: WebUserId | None,
        organisation: OrganisationId | None,
        record: BuyerRecord,
        email_accounts: Sequence[CustomerId] | None = None,
    ) -> bool:
        """Whether the user or the organisation has any assignment at all, usable or not."""
        empty = BuyerRecord()
        alone = user is not None and self.find(user, None, record, email_accounts) is not None
        company = organisation is not None and self.find(None, organisation, record) is not None
        both = (
            user is not None
            and organisation is not None
            and self.find(user, organisation, empty) is not None
        )
        return alone or company or both

    def _from_files(
        self, user: WebUserId | None, organisation: OrganisationId | None
    ) -> Usable | Unusable | None:
        keys = [_key(None, organisation)] if organisation else [_key(user, None)]
        if organisation and user:
            keys.insert(0, _key(user, organisation))
        for key in keys:
            refused = self._refused.get(key)
            if refused is not None:
                return Unusable(
                    problem(
                        "assignment_refused",
                        f"The assignment at {refused.origin} does not count: {refused.reason}.",
                        refused.remedy,
                    )
                )
            held = self._by_key.get(key)
            if held:
                return self._one_of(held)
        return None

    def _one_of(self, held: Iterable[Assignment]) -> Usable | Unusable:
        first, *others = held
        for other in others:
            if other.customer_id != first.customer_id:
                return Unusable(
                    problem(
                        "assignment_conflict",
                        f"{first.origin} says {first.customer_id}, "
                        f"{other.origin} says {other.customer_id}.",
                        "Keep one of the two lines in the mapping files.",
                    )
                )
        where = "exception" if first.user and first.organisation else "assignment"
        return self._checked(
            first.customer_id, f"WA-2 mapping file {where} {first.origin}".rstrip(), first.contact
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
        if value is None:
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


@dataclass(frozen=True, slots=True)
class RoutingFacts:
    """What routing needs beside the order itself.

    ``on_terms``: the order asks to be paid on account terms. ``country`` is the
    ship-to's, as an ISO code, where it could be told. ``store_organisations``:
    whether the store knows organisations at all.
    """

    channel: Channel
    record: BuyerRecord
    email_accounts: tuple[CustomerId, ...] | None = None
    on_terms: bool = False
    country: str | None = None
    store_organisations: bool = True


def route(order: WebOrder, facts: RoutingFacts, accounts: AccountMap) -> Routed | Unrouted:
    """The account for this order, with the rule that decided; or why there is none."""
    buyer, channel = order.buyer, facts.channel
    trail = [f"channel {channel.channel_id} is {channel.mode.value}"]
    proven = buyer.signed_in and buyer.web_user is not None

    if not proven and accounts.knows(
        buyer.web_user, buyer.organisation, facts.record, facts.email_accounts
    ):
        return _no(
            trail,
            "identity_unproven",
            f"The order names {_who(order)}, but the store has no proof that they were signed in.",
            "Ask the buyer to confirm the order; then let them place it signed in, "
            "or dismiss it here.",
        )
    if buyer.organisation is not None:
        refusal = _context_refused(order, facts, proven, trail)
        if refusal is not None:
            return refusal
    if not proven:
        return _guest(order, facts, trail)
    if facts.record.user is None:
        return _no(
            trail,
            "user_unknown",
            f"The store's directory does not know user {buyer.web_user}.",
            "Find out who placed the order; replay it once the user exists again.",
        )
    if channel.mode is CommerceMode.B2C:
        trail.append("everybody is retail on a b2c channel (VE-1)")
        if facts.record.user.open_application and facts.on_terms:
            return _applicant(order, trail)
        return _retail(order, facts, "VE-1 b2c channel", trail)
    if _organisation_lacking(order, facts):
        return _no(
            trail,
            "organisation_missing",
            f"User {buyer.web_user} ordered on b2b channel {channel.channel_id} "
            "without an organisation.",
            "Let the buyer order again in the context of their organisation.",
        )
    return _assigned(order, facts, accounts, trail)


def _assigned(
    order: WebOrder, facts: RoutingFacts, accounts: AccountMap, trail: list[str]
) -> Routed | Unrouted:
    buyer, channel = order.buyer, facts.channel
    found = accounts.find(buyer.web_user, buyer.organisation, facts.record, facts.email_accounts)
    match found:
        case Usable(customer_id, rule, contact):
            trail.append(f"{_who(order)} has customer ID {customer_id} by {rule}")
            return Routed(customer_id, False, rule, contact, tuple(trail))
        case Unusable(reason):
            trail.append(f"{_who(order)} has an assignment that does not count")
            return Unrouted((reason,), tuple(trail))
        case None:
            trail.append(f"{_who(order)} has no customer ID of their own")
    if buyer.organisation is not None:
        return _no(
            trail,
            "organisation_unmapped",
            f"Organisation {buyer.organisation} has no ERP customer ID.",
            f'Assign organisation "{buyer.organisation}" in the mapping files, '
            f"then replay order {order.number}.",
        )
    if channel.mode is CommerceMode.B2B:
        return _no(
            trail,
            "user_unmapped",
            f"User {buyer.web_user} has no ERP customer ID, and nobody is retail on b2b "
            f"channel {channel.channel_id}.",
            f'Assign user "{buyer.web_user}" in the mapping files, then replay order '
            f"{order.number}.",
        )
    if facts.record.user is not None and facts.record.user.open_application and facts.on_terms:
        return _applicant(order, trail)
    return _retail(order, facts, "WA-2 no customer ID of their own", trail)


def _context_refused(
    order: WebOrder, facts: RoutingFacts, proven: bool, trail: list[str]
) -> Unrouted | None:
    organisation, record = order.buyer.organisation, facts.record
    trail.append(f"placed in the context of organisation {organisation}")
    if facts.channel.mode is CommerceMode.B2C:
        return _no(
            trail,
            "organisation_on_b2c",
            f"The order is for organisation {organisation}, but b2c channel "
            f"{facts.channel.channel_id} sells to individuals only.",
            "Let the buyer order again on a channel for organisations.",
        )
    if organisation is None or record.organisation is None:
        return _no(
            trail,
            "organisation_unknown",
            f"The store's directory does not know organisation {organisation}.",
            "Create or correct the organisation in the store, then replay the order.",
        )
    if not proven:
        return _no(
            trail,
            "identity_unproven",
            f"The order names organisation {organisation}, but nobody was signed in.",
            "Ask the organisation whether it placed the order; then let them place it signed in.",
        )
    if membership(order, record) is None and record.user is not None:
        return _no(
            trail,
            "not_a_member",
            f"User {order.buyer.web_user} does not belong to organisation {organisation}.",
            "Add the user to the organisation in the store if that is right, then replay.",
        )
    return None


def membership(order: WebOrder, record: BuyerRecord) -> Membership | None:
    """The buyer's place in the organisation of the order; None if there is none."""
    if record.user is None or order.buyer.organisation is None:
        return None
    return record.user.member_of(order.buyer.organisation)


def _guest(order: WebOrder, facts: RoutingFacts, trail: list[str]) -> Routed | Unrouted:
    channel = facts.channel
    trail.append("nobody was signed in: a guest's order (WA-2e)")
    if not channel.guest_checkout:
        return _no(
            trail,
            "guest_not_allowed",
            f"Nobody was signed in, and channel {channel.channel_id} takes no guest orders.",
            "Switch off guest checkout in the store, or allow it for the channel "
            "in channels.yaml, then replay.",
        )
    return _retail(order, facts, "WA-3 guest", trail)


def _organisation_lacking(order: WebOrder, facts: RoutingFacts) -> bool:
    return facts.channel.mode is CommerceMode.B2B and facts.store_organisations and order.personal


def _applicant(order: WebOrder, trail: list[str]) -> Unrouted:
    return _no(
        trail,
        "application_open",
        f"User {order.buyer.web_user} has an open business application and ordered on "
        "account terms.",
        "Decide the application and assign the customer ID, then replay; "
        "or let the buyer pay by card.",
    )


def _retail(order: WebOrder, facts: RoutingFacts, rule: str, trail: list[str]) -> Routed | Unrouted:
    """The retail group that priced the cart (WA-2f)."""
    channel = facts.channel
    if order.priced_for is not None:
        group = channel.retail_group(order.priced_for)
        if group is None:
            return _no(
                trail,
                "retail_group_unclear",
                f"The cart was priced for {order.priced_for}, which is no retail group of "
                f"channel {channel.channel_id}.",
                "Declare the retail group for the channel in channels.yaml, then replay.",
            )
        trail.append(f"the cart was priced for retail group {group.customer_id} (WA-2f)")
    else:
        fitting = [
            each
            for each in channel.retail_groups
            if order.currency in each.currencies
            and (not each.countries or facts.country in each.countries)
        ]
        named = [each for each in fitting if each.countries]
        choice = (named or fitting) if len(channel.retail_groups) > 1 else channel.retail_groups
        if len(choice) != 1:
            return _no(
                trail,
                "retail_group_unclear",
                f"{len(choice)} retail groups of channel {channel.channel_id} fit an order in "
                f"{order.currency} to {facts.country or 'no known country'}.",
                "Let the store record which retail group priced the cart, or separate the "
                "groups by currency and country in channels.yaml.",
            )
        group = choice[0]
        trail.append(f"retail group {group.customer_id} is the only one that fits (WA-2f)")
    if order.currency not in group.currencies:
        return _no(
            trail,
            "retail_group_currency",
            f"The order is in {order.currency}, retail group {group.customer_id} sells in "
            f"{', '.join(group.currencies)}.",
            "Add the currency to the group if the ERP account has it, then replay.",
        )
    return Routed(group.customer_id, True, rule, None, tuple(trail))


def _no(trail: list[str], code: str, sentence: str, remedy: str) -> Unrouted:
    return Unrouted((problem(code, sentence, remedy),), tuple(trail))


def _who(order: WebOrder) -> str:
    names = []
    if order.buyer.web_user is not None:
        names.append(f"user {order.buyer.web_user}")
    if order.buyer.organisation is not None:
        names.append(f"organisation {order.buyer.organisation}")
    return " of ".join(names) or "nobody"


def _key(user: WebUserId | None, organisation: OrganisationId | None) -> tuple[str, str]:
    return (user.value if user else "", organisation.value if organisation else "")
