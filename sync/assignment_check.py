"""Who claims an account that is not theirs alone to claim (WA-2b, WA-2c, OP-4).

Each finding is about an assignment that the files or the store hold and that will
not count, or that lets two companies see each other. Nothing is written. E-mail
addresses themselves are never shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

from sync.domain.ids import ContactId, CustomerId, OrganisationId, WebUserId
from sync.domain.mapping import Assignment, Source
from sync.domain.order import BuyerRecord, WebUser
from sync.flows.context import Context
from sync.mapping.reading import CUSTOMERS
from sync.ports.erp import Finding, FindingLevel, FindsContacts
from sync.ports.store import ListsStaffAttributes, ReadsBuyers
from sync.routing import AccountMap, Unusable

T = TypeVar("T")

TOLD_EVERY = 500
"""Records of a directory between two words about how far its reading is."""

_ONE_PERSON = "If they are one person, nothing is to do; otherwise correct the contact of one."
IN_STORE = "the store"
"""The place of a finding that no line of a file can cure, but the rule that lets it count."""

_ONE_COMPANY = (
    "If they are one company, nothing is to do; otherwise correct the customer ID of one."
)


def assignment_findings(context: Context) -> Iterator[Finding]:
    """Assignments that will not count although each line is sound, and shared accounts.

    Users are asked about one by one only where e-mail addresses may decide, and then
    only those whom nothing decides about before. Raises what the systems raise.
    """
    yield from _in_files(context)
    yield from _shared(context)
    yield from _claimed_contacts(context)
    yield from _attributes(context)
    yield from _addresses(context)


def _in_files(context: Context) -> Iterator[Finding]:
    """What another pipeline's retail groups make of lines that are sound by themselves."""
    for each in context.mapping.assignments:
        yield from _not_counting(context, each)


def _not_counting(context: Context, each: Assignment) -> Iterator[Finding]:
    found = context.accounts.find(each.user, each.organisation, BuyerRecord())
    if isinstance(found, Unusable):
        yield _unusable(_name(each), found, _at(each, "customer_id"))


def _shared(context: Context) -> Iterator[Finding]:
    first: dict[CustomerId, Assignment] = {}
    for each in context.mapping.assignments:
        if each.user is not None or each.organisation is None:
            continue
        earlier = first.setdefault(each.customer_id, each)
        if earlier is not each:
            said = (
                f"has the account {each.customer_id}, which organisation {earlier.organisation}"
                f" has too ({earlier.origin}): each sees the invoices and ship-tos of the other"
            )
            subject, at = f"organisation {each.organisation}", _at(each, "customer_id")
            yield _finding(subject, said, _ONE_COMPANY, at)


def _claimed_contacts(context: Context) -> Iterator[Finding]:
    """Contacts that stand for two people, or are the desk of two organisations.

    A contact is one person of its account. One user may be it in several contexts, and
    whom an organisation names for everybody may be one of its users.
    """
    first: dict[tuple[CustomerId, ContactId, bool], Assignment] = {}
    for each in context.mapping.assignments:
        if each.contact is None:
            continue
        key = (each.customer_id, each.contact, each.user is None)
        earlier = first.setdefault(key, each)
        if _claims_as(each) != _claims_as(earlier):
            said = (
                f"is claimed by {_name(each)} and by {_name(earlier)} ({earlier.origin}):"
                f" orders of both name it to customer {each.customer_id}"
            )
            yield _finding(f"contact {each.contact}", said, _ONE_PERSON, _at(each, "contact"))


def _claims_as(each: Assignment) -> WebUserId | OrganisationId | None:
    return each.user or each.organisation


def findings_about(context: Context, assignment: Assignment) -> Iterator[Finding]:
    """Whether this one of the context's files will not count, or shares another's account."""
    yield from _not_counting(context, assignment)
    yield from (each for each in _claimed_contacts(context) if each.place == assignment.origin)
    if assignment.user is not None or assignment.organisation is None:
        return
    for each in context.mapping.assignments:
        if (
            each.user is None
            and each.customer_id == assignment.customer_id
            and each.organisation != assignment.organisation
        ):
            said = (
                f"has the account {each.customer_id}, which organisation {each.organisation}"
                f" has too ({each.origin}): each sees the invoices and ship-tos of the other"
            )
            subject = f"organisation {assignment.organisation}"
            yield _finding(subject, said, _ONE_COMPANY, _at(assignment, "customer_id"))


def _attributes(context: Context) -> Iterator[Finding]:
    directory = context.store
    if Source.STORE_ATTRIBUTE not in context.mapping.precedence or not isinstance(
        directory, ListsStaffAttributes
    ):
        return
    only = _only(context.accounts, Source.STORE_ATTRIBUTE)
    step = "staff attributes: reading the store's directory"
    for each in gathered(context, step, directory.with_staff_attribute):
        if isinstance(each, WebUser):
            found = only.find(each.web_user, None, BuyerRecord(user=each))
            subject = f"user {each.web_user}"
        else:
            found = only.find(None, each.organisation, BuyerRecord(organisation=each))
            subject = f"organisation {each.organisation}"
        if isinstance(found, Unusable):
            yield _unusable(subject, found, _rule(context, Source.STORE_ATTRIBUTE))


def _addresses(context: Context) -> Iterator[Finding]:
    precedence = context.mapping.precedence
    directory, erp = context.store, context.erp
    if Source.ERP_EMAIL not in precedence or not isinstance(directory, ReadsBuyers):
        return
    if not isinstance(erp, FindsContacts):
        said = "names erp_email, but this ERP is not searched by e-mail address"
        at = replace(_rule(context, Source.ERP_EMAIL), place=CUSTOMERS)
        yield _finding("precedence", said, "Take erp_email out of precedence.", at)
        return
    before = replace(context.accounts, precedence=precedence[: precedence.index(Source.ERP_EMAIL)])
    only = _only(context.accounts, Source.ERP_EMAIL)
    users = gathered(context, "users: reading the store's directory", directory.web_users)
    for done, user in enumerate(users, 1):
        context.progress("users: looking for their addresses in the ERP", done, len(users))
        record = context.retrying()(directory.buyer, user, None)
        address = record.user.verified_email if record.user is not None else None
        if address is None or before.find(user, None, record) is not None:
            continue
        accounts = tuple(context.retrying()(erp.accounts_by_email, address))
        found = only.find(user, None, record, accounts)
        if isinstance(found, Unusable):
            listed = ", ".join(str(one) for one in sorted(set(accounts)))
            at = _rule(context, Source.ERP_EMAIL)
            yield _unusable(f"user {user}", found, at, listed)


def gathered(context: Context, step: str, read: Callable[[], Iterable[T]]) -> list[T]:
    """All that a directory tells, telling how far it is: there may be a million."""

    def whole() -> list[T]:
        found: list[T] = []
        for each in read():
            found.append(each)
            if len(found) % TOLD_EVERY == 0:
                context.progress(step, len(found), None)
        context.progress(step, len(found), len(found))
        return found

    return context.retrying()(whole)


def _only(accounts: AccountMap, source: Source) -> AccountMap:
    return replace(accounts, precedence=(source,))


@dataclass(frozen=True, slots=True)
class _At:
    """Where a finding is, as in ``Finding``."""

    place: str
    path: tuple[int | str, ...]
    text: str


def _at(each: Assignment, field: str) -> _At:
    return _At(each.origin, (field,), str(getattr(each, field)))


def _rule(context: Context, source: Source) -> _At:
    """The word of ``precedence`` that lets a source count; what it tells is in a system."""
    place = context.mapping.precedence.index(source)
    return _At(IN_STORE, ("precedence", place), source.value)


def _unusable(subject: str, found: Unusable, at: _At, accounts: str = "") -> Finding:
    said = found.problem.sentence.rstrip(".")
    said = f"{said} ({accounts})" if accounts else said
    return _finding(subject, said, found.problem.remedy, at)


def _finding(subject: str, said: str, remedy: str, at: _At) -> Finding:
    return Finding(subject, FindingLevel.WARNING, said, remedy, at.place, at.path, at.text)


def _name(each: Assignment) -> str:
    if each.user is None:
        return f"organisation {each.organisation}"
    within = f" in organisation {each.organisation}" if each.organisation else ""
    return f"user {each.user}{within}"
