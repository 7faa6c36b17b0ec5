"""The decision itself: an account and the rule that chose it, or every reason against."""

from __future__ import annotations

from dataclasses import dataclass

from sync.domain.channel import Channel, CommerceMode
from sync.domain.decision import Problem, Routed, Unrouted
from sync.domain.ids import CustomerId
from sync.domain.order import BuyerRecord, Membership, WebOrder
from sync.domain.problem_codes import problem
from sync.routing.assignments import AccountMap, Unusable, Usable


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
    """The account for this order, with the rule that decided; or every reason why there is none.

    Where the readings differ we took the one that can put no order into a wrong
    account: an unproven order in the name of an organisation is nobody's, even
    if that organisation has no customer ID (WA-2e read together with WA-2a); a
    user whom the directory does not know is not a retail buyer; and on a b2b
    channel an order without its organisation is judged no further, since the
    customer ID would have been the organisation's (TL-1, TL-2).
    """
    buyer, channel = order.buyer, facts.channel
    trail = [f"channel {channel.channel_id} is {channel.mode.value}"]
    if buyer.organisation is not None:
        trail.append(f"placed in the context of organisation {buyer.organisation}")
    if not (buyer.signed_in and buyer.web_user is not None):
        return _unproven(order, facts, accounts, trail)

    problems = _context(order, facts)
    if facts.record.user is None:
        problems.append(
            problem(
                "user_unknown",
                f"The store's directory does not know user {buyer.web_user}.",
                "Find out who placed the order; replay it once the user exists again.",
            )
        )
    if channel.mode is CommerceMode.B2C:
        trail.append("everybody is retail on a b2c channel (VE-1)")
        if _applies_on_terms(facts):
            problems.append(_applicant(order))
        if problems:
            return Unrouted(tuple(problems), tuple(trail))
        return _retail(order, facts, "VE-1 b2c channel", trail)
    if _organisation_lacking(order, facts) or _organisation_unknown(order, facts):
        return Unrouted(tuple(problems), tuple(trail))
    return _assigned(order, facts, accounts, problems, trail)


def _assigned(
    order: WebOrder,
    facts: RoutingFacts,
    accounts: AccountMap,
    problems: list[Problem],
    trail: list[str],
) -> Routed | Unrouted:
    """By the buyer's assignment; without one retail, where the buyer may be."""
    buyer = order.buyer
    found = accounts.find(buyer.web_user, buyer.organisation, facts.record, facts.email_accounts)
    if isinstance(found, Unusable):
        trail.append(f"{_who(order)} has an assignment that does not count")
        problems.append(found.problem)
    elif found is None:
        trail.append(f"{_who(order)} has no customer ID of their own")
        problems.extend(_not_retail(order, facts))
    if problems:
        return Unrouted(tuple(problems), tuple(trail))
    if isinstance(found, Usable):
        trail.append(f"{_who(order)} has customer ID {found.customer_id} by {found.rule}")
        return Routed(found.customer_id, False, found.rule, found.contact, tuple(trail))
    return _retail(order, facts, "WA-2 no customer ID of their own", trail)


def _not_retail(order: WebOrder, facts: RoutingFacts) -> list[Problem]:
    """Why a buyer without a customer ID may not be taken for retail (WA-2a)."""
    buyer, channel = order.buyer, facts.channel
    if buyer.organisation is not None:
        return [_organisation_unmapped(order)]
    if channel.mode is CommerceMode.B2B:
        return [
            problem(
                "user_unmapped",
                f"User {buyer.web_user} has no ERP customer ID, and nobody is retail on b2b "
                f"channel {channel.channel_id}.",
                f'Assign user "{buyer.web_user}" in the mapping files, then replay order '
                f"{order.number}.",
            )
        ]
    return [_applicant(order)] if _applies_on_terms(facts) else []


def _unproven(
    order: WebOrder, facts: RoutingFacts, accounts: AccountMap, trail: list[str]
) -> Routed | Unrouted:
    """Nobody proved who they are: a guest's order, or one that must not be guessed at."""
    buyer, channel = order.buyer, facts.channel
    trail.append("nobody was signed in (WA-2e)")
    problems = _context(order, facts)
    mapped = accounts.knows(buyer.web_user, buyer.organisation, facts.record, facts.email_accounts)
    if mapped or buyer.organisation is not None:
        problems.append(
            problem(
                "identity_unproven",
                f"The order names {_who(order)}, but the store has no proof that they were "
                "signed in.",
                "Ask the buyer to confirm the order; then let them place it signed in, "
                "or dismiss it here.",
            )
        )
    if not mapped:
        if (
            buyer.organisation is not None
            and channel.mode is not CommerceMode.B2C
            and not _organisation_unknown(order, facts)
        ):
            problems.append(_organisation_unmapped(order))
        if not channel.guest_checkout:
            problems.append(
                problem(
                    "guest_not_allowed",
                    f"Nobody was signed in, and channel {channel.channel_id} takes no guest "
                    "orders.",
                    "Switch off guest checkout in the store, or allow it for the channel "
                    "in channels.yaml, then replay.",
                )
            )
    if problems:
        return Unrouted(tuple(problems), tuple(trail))
    return _retail(order, facts, "WA-3 guest", trail)


def _context(order: WebOrder, facts: RoutingFacts) -> list[Problem]:
    """What is wrong with the organisation that the order is for, or that it lacks."""
    organisation, channel, record = order.buyer.organisation, facts.channel, facts.record
    if organisation is None:
        if not _organisation_lacking(order, facts):
            return []
        return [
            problem(
                "organisation_missing",
                f"The order of {_who(order)} on b2b channel {channel.channel_id} carries no "
                "organisation.",
                "Let the buyer order again in the context of their organisation.",
            )
        ]
    found = []
    if channel.mode is CommerceMode.B2C:
        found.append(
            problem(
                "organisation_on_b2c",
                f"The order is for organisation {organisation}, but b2c channel "
                f"{channel.channel_id} sells to individuals only.",
                "Let the buyer order again on a channel for organisations.",
            )
        )
    if record.organisation is None:
        found.append(
            problem(
                "organisation_unknown",
                f"The store's directory does not know organisation {organisation}.",
                "Create or correct the organisation in the store, then replay the order.",
            )
        )
    elif record.user is not None and membership(order, record) is None:
        found.append(
            problem(
                "not_a_member",
                f"User {order.buyer.web_user} does not belong to organisation {organisation}.",
                "Add the user to the organisation in the store if that is right, then replay.",
            )
        )
    return found


def membership(order: WebOrder, record: BuyerRecord) -> Membership | None:
    """The buyer's place in the organisation of the order; None if there is none."""
    if record.user is None or order.buyer.organisation is None:
        return None
    return record.user.member_of(order.buyer.organisation)


def _organisation_lacking(order: WebOrder, facts: RoutingFacts) -> bool:
    return facts.channel.mode is CommerceMode.B2B and facts.store_organisations and order.personal


def _organisation_unknown(order: WebOrder, facts: RoutingFacts) -> bool:
    return order.buyer.organisation is not None and facts.record.organisation is None


def _organisation_unmapped(order: WebOrder) -> Problem:
    organisation = order.buyer.organisation
    return problem(
        "organisation_unmapped",
        f"Organisation {organisation} has no ERP customer ID.",
        f'Assign organisation "{organisation}" in the mapping files, '
        f"then replay order {order.number}.",
    )


def _applies_on_terms(facts: RoutingFacts) -> bool:
    return facts.on_terms and facts.record.user is not None and facts.record.user.open_application


def _applicant(order: WebOrder) -> Problem:
    return problem(
        "application_open",
        f"User {order.buyer.web_user} has an open business application and ordered on "
        "account terms.",
        "Decide the application and assign the customer ID, then replay; "
        "or let the buyer pay by card.",
    )


def _retail(order: WebOrder, facts: RoutingFacts, rule: str, trail: list[str]) -> Routed | Unrouted:
    """The retail group that priced the cart (WA-2f).

    Where the store does not say which one did, currency and country must leave
    exactly one. A group that is declared for some countries is none for the
    others, even if it is the channel's only one.
    """
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
            if (len(channel.retail_groups) == 1 or order.currency in each.currencies)
            and (not each.countries or facts.country in each.countries)
        ]
        choice = [each for each in fitting if each.countries] or fitting
        if len(choice) != 1:
            return _no(
                trail,
                "retail_group_unclear",
                f"{len(choice)} retail groups of channel {channel.channel_id} fit an order in "
                f"{order.currency} to {facts.country or 'no known country'}.",
                "Let the store record which retail group priced the cart, or tell the groups "
                "apart by currency and country in channels.yaml; then replay.",
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
