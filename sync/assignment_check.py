"""Who claims an account that is not theirs alone to claim (WA-2b, WA-2c, OP-4).

Each finding is about an assignment that the files or the store hold and that will
not count, or that lets two companies see each other. Nothing is written. E-mail
addresses themselves are never shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from sync.domain.ids import ContactId, CustomerId, OrganisationId, WebUserId
from sync.domain.mapping import Assignment, Source
from sync.domain.order import BuyerRecord, Organisation, WebUser
from sync.flows.context import Context
from sync.flows.everybody import accounts_by_address
from sync.mapping.reading import CUSTOMERS
from sync.ports.erp import Finding, FindingLevel, FindsContacts
from sync.ports.store import ListsStaffAttributes, ReadsBuyers
from sync.routing import AccountMap, Unusable, Usable

T = TypeVar("T")

TOLD_EVERY = 500
"""Records of a directory between two words about how far its reading is."""

_ONE_PERSON = "If they are one person, nothing is to do; otherwise correct the contact of one."
IN_STORE = "the store"
"""The place of a finding that no line of a file can cure, but the rule that lets it count."""

_ONE_SOURCE = "Correct the one that is wrong, or put mapping_file first in precedence."
_ONE_COMPANY = (
    "If they are one company, nothing is to do; otherwise correct the customer ID of one."
)


def assignment_findings(context: Context) -> Iterator[Finding]:
    """Assignments that will not count although each line is sound, and shared accounts.

    The ERP is asked about addresses only where they may decide, and then only about
    users of whom nothing decides before. Raises what the systems raise.
    """
    attributed = _attributed(context)
    yield from _in_files(context)
    yield from _overruled(context, context.mapping.assignments, attributed)
    yield from _shared(context, attributed)
    yield from _claimed_contacts(context)
    yield from _attributes(context, attributed)
    yield from _addresses(context)


def _in_files(context: Context) -> Iterator[Finding]:
    """What another pipeline's retail groups make of lines that are sound by themselves."""
    for each in context.mapping.assignments:
        yield from _not_counting(context, each)


def _overruled(
    context: Context,
    assignments: Iterable[Assignment],
    attributed: Iterable[WebUser | Organisation],
) -> Iterator[Finding]:
    """Lines that say one thing where a source says another that comes before the files.

    An exception within an organisation counts before every source.
    """
    precedence = context.mapping.precedence
    if Source.MAPPING_FILE not in precedence:
        return  # the files are refused where they assign anybody all the same
    earlier = precedence[: precedence.index(Source.MAPPING_FILE)]
    if not earlier:
        return
    before = replace(context.accounts, precedence=earlier)
    keyed = [_keys(each) for each in attributed]
    records = {(user, organisation): record for user, organisation, record in keyed}
    searched = Source.ERP_EMAIL in earlier and isinstance(context.erp, FindsContacts)
    addresses = accounts_by_address(context).accounts if searched else {}
    for each in assignments:
        if each.user is not None and each.organisation is not None:
            continue
        record = records.get((each.user, each.organisation), BuyerRecord())
        by_address = addresses.get(each.user) if each.user is not None else None
        found = before.find(each.user, each.organisation, record, by_address)
        if isinstance(found, Usable) and found.customer_id != each.customer_id:
            said = (
                f"does not count: {found.rule.removeprefix('WA-2 ')} comes before the files"
                f" in precedence and says customer {found.customer_id}"
            )
            yield _finding(_name(each), said, _ONE_SOURCE, _at(each, "customer_id"))


def _not_counting(context: Context, each: Assignment) -> Iterator[Finding]:
    found = context.accounts.find(each.user, each.organisation, BuyerRecord())
    if isinstance(found, Unusable):
        yield _unusable(_name(each), found, _at(each, "customer_id"))


@dataclass(frozen=True, slots=True)
class _Claim:
    """Who has an account of their own by a line of a file or an attribute of the store.

    ``place`` is the line, and empty for an attribute. Exceptions are none: a person
    meant two companies to meet there. Nor are addresses: there the ERP itself says so.
    """

    customer_id: CustomerId
    user: WebUserId | None
    organisation: OrganisationId | None
    place: str
    at: _At

    @property
    def name(self) -> str:
        return f"user {self.user}" if self.user else f"organisation {self.organisation}"


def _claims_in_files(context: Context) -> Iterator[_Claim]:
    """Organisations first, in the order of the files."""
    for each in sorted(context.mapping.assignments, key=lambda each: each.user is not None):
        if each.user is None or each.organisation is None:
            at = _at(each, "customer_id")
            yield _Claim(each.customer_id, each.user, each.organisation, each.origin, at)


def _claims_by_attribute(
    context: Context, attributed: Iterable[WebUser | Organisation]
) -> Iterator[_Claim]:
    """Of whom no source says anything before their attribute."""
    precedence = context.mapping.precedence
    upto = precedence[: precedence.index(Source.STORE_ATTRIBUTE)] if attributed else ()
    before = replace(context.accounts, precedence=upto)
    only = _only(context.accounts, Source.STORE_ATTRIBUTE)
    for each in attributed:
        user, organisation, record = _keys(each)
        found = only.find(user, organisation, record)
        if isinstance(found, Usable) and before.find(user, organisation, record) is None:
            at = _rule(context, Source.STORE_ATTRIBUTE)
            yield _Claim(found.customer_id, user, organisation, "", at)


def _shared(context: Context, attributed: Sequence[WebUser | Organisation]) -> Iterator[Finding]:
    first: dict[CustomerId, _Claim] = {}
    for each in (*_claims_in_files(context), *_claims_by_attribute(context, attributed)):
        earlier = first.setdefault(each.customer_id, each)
        if earlier is not each and _strangers(context, each, earlier):
            yield _both(each, earlier)


def _strangers(context: Context, one: _Claim, other: _Claim) -> bool:
    """Whether nothing shows that the two belong together.

    A store without organisations has no other way to let several people buy for one
    company. In the others somebody who buys for themselves has no colleagues.
    """
    if one.organisation is not None and other.organisation is not None:
        return True
    directory = context.store
    if not directory.capabilities.organisations or not isinstance(directory, ReadsBuyers):
        return False
    ours, theirs = (_companies(context, directory, each) for each in (one, other))
    return ours is not None and theirs is not None and ours.isdisjoint(theirs)


def _companies(
    context: Context, directory: ReadsBuyers, claim: _Claim
) -> frozenset[OrganisationId] | None:
    """Whom the claim speaks for; None where the store does not know the user, told as that."""
    if claim.user is None:
        return frozenset([claim.organisation] if claim.organisation is not None else [])
    user = context.retrying()(directory.buyer, claim.user, None).user
    return frozenset(each.organisation for each in user.memberships) if user else None


def _both(claim: _Claim, other: _Claim) -> Finding:
    where = other.place or "an attribute in the store"
    said = (
        f"has the account {claim.customer_id}, which {other.name}"
        f" has too ({where}): each sees the invoices and ship-tos of the other"
    )
    return _finding(claim.name, said, _ONE_COMPANY, claim.at)


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
    yield from _overruled(context, [assignment], _attributed_as(context, assignment))
    yield from (each for each in _claimed_contacts(context) if each.place == assignment.origin)
    own = [each for each in _claims_in_files(context) if each.customer_id == assignment.customer_id]
    for mine in own:
        if mine.place == assignment.origin:
            others = [each for each in own if each is not mine]
            yield from (_both(mine, each) for each in others if _strangers(context, mine, each))


def _attributed(context: Context) -> Sequence[WebUser | Organisation]:
    """Whoever has a staff attribute, where attributes may assign."""
    directory = context.store
    if Source.STORE_ATTRIBUTE not in context.mapping.precedence or not isinstance(
        directory, ListsStaffAttributes
    ):
        return ()
    step = "staff attributes: reading the store's directory"
    return gathered(context, step, directory.with_staff_attribute)


def _attributed_as(context: Context, assignment: Assignment) -> Sequence[WebUser | Organisation]:
    """The record of whom the assignment is about, where the store knows them."""
    if not isinstance(context.store, ReadsBuyers):
        return ()
    found = context.retrying()(context.store.buyer, assignment.user, assignment.organisation)
    return [each for each in (found.user, found.organisation) if each is not None]


def _keys(
    each: WebUser | Organisation,
) -> tuple[WebUserId | None, OrganisationId | None, BuyerRecord]:
    if isinstance(each, WebUser):
        return each.web_user, None, BuyerRecord(user=each)
    return None, each.organisation, BuyerRecord(organisation=each)


def _attributes(
    context: Context, attributed: Iterable[WebUser | Organisation]
) -> Iterator[Finding]:
    only = _only(context.accounts, Source.STORE_ATTRIBUTE)
    for each in attributed:
        user, organisation, record = _keys(each)
        found = only.find(user, organisation, record)
        if isinstance(found, Unusable):
            subject = f"user {user}" if user is not None else f"organisation {organisation}"
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
    only = _only(context.accounts, Source.ERP_EMAIL)
    at, told = _rule(context, Source.ERP_EMAIL), accounts_by_address(context)
    for user, accounts in sorted(told.accounts.items()):
        found = only.find(user, None, BuyerRecord(), accounts)
        if isinstance(found, Unusable):
            listed = ", ".join(str(one) for one in sorted(set(accounts)))
            yield _unusable(f"user {user}", found, at, listed)
    for user, refusal in sorted(told.unread.items()):
        said = f"the ERP cannot tell whose their address is: {refusal}"
        yield _finding(f"user {user}", said, refusal.remedy, at)


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
