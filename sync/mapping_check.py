"""What the mapping names and the live systems do not have (WA-2c, OP-4).

The files themselves were judged when they were read; here they are held against
the ERP and the store. Nothing is written. Each finding names the place it is about;
a customer that several lines name is told at each of them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import NamedTuple

from sync.assignment_check import IN_STORE, assignment_findings, findings_about, gathered
from sync.channel_check import channel_findings
from sync.domain.account import Account, AccountStatus
from sync.domain.ids import ContactId, CustomerId, OrganisationId, WebUserId
from sync.domain.mapping import Assignment, Source, SyncMapping
from sync.errors import Rejected, SyncError
from sync.flows.context import Context, needs
from sync.flows.everybody import by_our_word
from sync.flows.mirroring import chunks, members_of_accounts
from sync.flows.prices import shopper_findings
from sync.mapping.reading import ACCOUNTS, CHANNELS
from sync.mapping.spreadsheets import Known
from sync.ports.erp import (
    Finding,
    FindingLevel,
    FindsContacts,
    ReadsAccounts,
    ReadsShipTos,
    TellsUnreadable,
    UnreadableRecord,
)
from sync.ports.state import ResyncScope
from sync.ports.store import ReadsBuyers
from sync.secrecy import scrubbed

_STOPPED = frozenset({AccountStatus.SUSPENDED, AccountStatus.CLOSED})

_USERS = "users: reading the store's directory"
_ORGANISATIONS = "organisations: reading the store's directory"
_ASSIGNMENTS = "assignments: looking for their people in the store"

_NO_USER = "Correct the user's ID as the store has it, or take the line out."
_NO_ORGANISATION = "Correct the organisation's ID as the store has it, or take the line out."
_NO_MEMBER = "Take the line out, or add the user to the organisation in the store."
_NO_CONTACT = "Correct the contact, or leave it empty."
_INSIST = "correct it, or say --anyway if they are still to come"
_NO_SHIP_TO = "Correct the ship-to, or take the line out: the account's default is sent then."


def mapping_findings(context: Context) -> list[Finding]:
    """Customers that the ERP does not have or has inactive, contacts that are not theirs,
    users and organisations that the store does not have, exceptions of users who are not
    of the organisation, assignments that will not count or are shared, retail groups
    that the store cannot tell apart, and channels that the mapping or the store lacks or
    treats otherwise; by customer, then by line.

    An account that the ERP has and that cannot be read is told as that. Raises
    what the systems raise.
    """
    wanted = members_of_accounts(_as_far_as_told(context), ResyncScope()).keys()
    groups = sorted(context.mapping.retail_groups.customer_ids)
    places = _places(context.mapping)
    places |= _places_in_store(context, wanted - places.keys())
    found: list[Finding] = []
    known: dict[CustomerId, Account] = {}
    erp = needs(context.erp, ReadsAccounts, "the ERP")
    keys = ErpKeys(context)
    _odd_customers(context)  # what was read before is none of ours
    policies = sorted(context.mapping.account_policies.keys() - {*wanted, *groups})
    everybody = [*sorted(wanted), *groups, *policies]
    for batch in chunks(everybody, context.limits.accounts_per_read):
        accounts = context.retrying()(erp.accounts, batch)
        known.update(accounts)
        odd = _odd_customers(context)
        found.extend(_customers(batch, accounts, odd, places, keys))
        context.progress("customers: looking in the ERP", len(known), len(everybody))
    found.extend(_contacts(context.mapping, known))
    found.extend(_ship_tos(context, known))
    found.extend(_currencies(context.mapping, known))
    found.extend(_people(context))
    found.extend(assignment_findings(context))
    found.extend(_shoppers(context))
    found.extend(channel_findings(context))
    if not found:
        told = f"the ERP has all {len(wanted)} mapped accounts and {len(groups)} retail groups"
        found.append(Finding("assignments", FindingLevel.OK, told))
    return found


def _as_far_as_told(context: Context) -> Context:
    """Without addresses where this ERP is not searched for them, which is a finding itself."""
    if isinstance(context.erp, FindsContacts):
        return context
    precedence = tuple(each for each in context.mapping.precedence if each is not Source.ERP_EMAIL)
    return replace(
        context,
        mapping=replace(context.mapping, precedence=precedence),
        accounts=replace(context.accounts, precedence=precedence),
    )


@dataclass(frozen=True, slots=True)
class Doubts:
    """What is to be said about one assignment before it is written.

    ``lacking``: the ERP or the store does not have whom it names; ``others`` let it
    count, or at least name somebody who is there. ``unread`` is why the ERP and the store
    could not be asked; then nothing is known.
    """

    lacking: tuple[Finding, ...] = ()
    others: tuple[Finding, ...] = ()
    unread: str = ""

    @property
    def told(self) -> list[str]:
        """In sentences for people."""
        return [sentence(each) for each in (*self.lacking, *self.others)]

    def refuse_nobody(self, what: str, *, dry_run: bool) -> None:
        """Raise Rejected where it names somebody who is not there.

        ``what`` is the assignment in words. For whoever does not insist on it.
        """
        if self.lacking:
            written = "this would be refused" if dry_run else "nothing was written"
            told = "".join(f"\n  {sentence(each)}" for each in self.lacking)
            raise Rejected(f"{what}: {written}.{told}", code="names_nobody", remedy=_INSIST)


def sentence(finding: Finding) -> str:
    """What was found and the way out, for people."""
    return scrubbed(f"{finding.said}. {finding.remedy}")


def doubts_if_told(context: Context, assignment: Assignment) -> Doubts:
    """``doubts_about``, which says itself where a system is away.

    The assignment may go on then, as one that a person writes into the files would: its
    orders wait in quarantine if it names nobody (WA-2c).
    """
    try:
        return doubts_about(context, assignment)
    except SyncError as error:
        return Doubts(unread=scrubbed(" ".join(str(error).split())))


def doubts_about(context: Context, assignment: Assignment) -> Doubts:
    """The findings of ``mapping_findings`` that are about this assignment of the context's.

    Only its own customer, user and organisation are looked up. Raises what the systems
    raise.
    """
    alone = replace(context, mapping=replace(context.mapping, assignments=(assignment,)))
    customer_id = assignment.customer_id
    erp = needs(context.erp, ReadsAccounts, "the ERP")
    _odd_customers(context)  # what was read before is none of ours
    accounts = context.retrying()(erp.accounts, [customer_id])
    odd = _odd_customers(context)
    places = {customer_id: [_Named(assignment.origin, ("customer_id",))]}
    customers = [*_customers([customer_id], accounts, odd, places, ErpKeys(context))]
    absent = customer_id not in accounts and customer_id not in odd
    people = [*_people(alone)]
    strangers = {_NO_USER, _NO_ORGANISATION}
    return Doubts(
        lacking=(
            *(customers if absent else ()),
            *(each for each in people if each.remedy in strangers),
        ),
        others=(
            *(() if absent else customers),
            *_contacts_of_lines(alone.mapping, accounts),
            *(each for each in people if each.remedy not in strangers),
            *findings_about(context, assignment),
            *organisations_beside(context, assignment),
        ),
    )


def organisations_beside(context: Context, assignment: Assignment) -> Iterator[Finding]:
    """The organisations for which a user of an assignment of their own acts as well.

    What they buy for one of these goes by the organisation's account, so whoever means to
    move the user altogether has not done so yet. Raises what the store raises.
    """
    directory = context.store
    if assignment.organisation is not None or not isinstance(directory, ReadsBuyers):
        return
    user = context.retrying()(directory.buyer, assignment.user, None).user
    for each in user.memberships if user is not None else ():
        organisation = each.organisation
        said = (
            "this counts where they buy for themselves; when they act for organisation"
            f" {organisation}, its account counts"
        )
        remedy = f"To move them there too, say --organisation {organisation} as well."
        yield _about(assignment, "user", said, remedy)


_Path = tuple[int | str, ...]


class _Named(NamedTuple):
    """Where a customer is named: a line of a file, or a path in one."""

    place: str
    path: _Path


def _places(mapping: SyncMapping) -> dict[CustomerId, Sequence[_Named]]:
    """Every place at which the files assign or declare the customer, else its policy."""
    named: dict[CustomerId, list[_Named]] = {}
    for each in _by_line(mapping):
        named.setdefault(each.customer_id, []).append(_Named(each.origin, ("customer_id",)))
    for channel in mapping.channels.values():
        for index, group in enumerate(channel.retail_groups):
            path = ("channels", channel.channel_id.value, "retail_groups", index, "customer_id")
            named.setdefault(group.customer_id, []).append(_Named(CHANNELS, path))
    for customer_id in mapping.account_policies:
        # Whom a line assigns is told there.
        named.setdefault(customer_id, [_Named(ACCOUNTS, ("accounts", customer_id.value))])
    return dict(named)


def _places_in_store(
    context: Context, customer_ids: Set[CustomerId]
) -> Mapping[CustomerId, Sequence[_Named]]:
    """The rule by which each of these counts, whom no file names: an attribute, or an address."""
    if not customer_ids:
        return {}
    precedence = context.mapping.precedence
    attributed = by_our_word(context).members.keys()

    def rule(customer_id: CustomerId) -> _Named:
        source = Source.STORE_ATTRIBUTE if customer_id in attributed else Source.ERP_EMAIL
        return _Named(IN_STORE, ("precedence", precedence.index(source)))

    return {each: [rule(each)] for each in customer_ids}


class ErpKeys:
    """The ERP's customer IDs, read once, when the first one is missed."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._known: Known | None = None

    def meant(self, missed: CustomerId) -> str:
        """How a spreadsheet or a hurry may have spoilt it; empty where nothing shows it."""
        if self._known is None:
            erp = needs(self._context.erp, ReadsAccounts, "the ERP")
            found = self._context.retrying()(lambda: list(erp.customer_ids()))
            self._known = Known.of([each.value for each in found])
        damage = self._known.damage(missed.value)
        return f"; it {damage[0]}" if damage is not None else ""


def _odd_customers(context: Context) -> Mapping[CustomerId, UnreadableRecord]:
    records = context.erp.take_unreadable() if isinstance(context.erp, TellsUnreadable) else ()
    return {record.customer: record for record in records if record.customer is not None}


def _customers(
    batch: Collection[CustomerId],
    accounts: Mapping[CustomerId, Account],
    odd: Mapping[CustomerId, UnreadableRecord],
    places: Mapping[CustomerId, Sequence[_Named]],
    keys: ErpKeys,
) -> Iterator[Finding]:
    for customer_id in batch:
        account = accounts.get(customer_id)
        if account is None and customer_id in odd:
            said = f"the ERP's record of it cannot be read: {odd[customer_id]}"
            fix = "Correct the record in the ERP, or the statement in the profile."
        elif account is None:
            said = "the ERP has no such customer" + keys.meant(customer_id)
            fix = "Correct the ID in the mapping files."
        elif account.effective_status is AccountStatus.PROSPECT:
            said, fix = "is only a prospect in the ERP", "Make it a customer in the ERP."
        elif not account.active or account.effective_status in _STOPPED:
            said, fix = "is inactive in the ERP", "Reactivate it, or map the buyers elsewhere."
        else:
            continue
        for place, path in places[customer_id]:
            subject = f"customer {customer_id}"
            yield Finding(subject, FindingLevel.WARNING, said, fix, place, path, customer_id.value)


def _shoppers(context: Context) -> Iterator[Finding]:
    for each in shopper_findings(context):
        own = [key.value for key in context.mapping.channels if each.subject == f"channel {key}"]
        yield replace(each, place=CHANNELS, path=("channels", *own))


def _contacts(mapping: SyncMapping, known: Mapping[CustomerId, Account]) -> Iterator[Finding]:
    yield from _contacts_of_lines(mapping, known)
    for customer_id, path in _policies(mapping, "default_contact"):
        contact = mapping.policy(customer_id).default_contact
        if contact is not None and _is_strange(contact, known.get(customer_id)):
            said = f"is no contact of customer {customer_id} in the ERP"
            yield _of_policy(f"contact {contact}", said, _NO_CONTACT, path, contact.value)


def _ship_tos(context: Context, known: Mapping[CustomerId, Account]) -> Iterator[Finding]:
    """Ship-tos to be sent along with a typed address that the customer does not have."""
    mapping = context.mapping
    named = {
        customer_id: path
        for customer_id, path in _policies(mapping, "ship_to_override")
        if customer_id in known
    }
    if not named or not isinstance(context.erp, ReadsShipTos):
        return
    there = {
        (each.sold_to, each.ship_to_id)
        for each in context.retrying()(context.erp.ship_tos, sorted(named))
    }
    for customer_id, path in named.items():
        ship_to = mapping.policy(customer_id).ship_to_override
        if ship_to is not None and (customer_id, ship_to) not in there:
            said = f"is no ship-to of customer {customer_id} in the ERP"
            yield _of_policy(f"ship-to {ship_to}", said, _NO_SHIP_TO, path, ship_to.value)


def _policies(mapping: SyncMapping, field: str) -> Iterator[tuple[CustomerId, _Path]]:
    """Whose policy says something of its own there, and where: an entry, or that of retail.

    What holds for all accounts is nobody's in particular.
    """
    groups = mapping.retail_groups.customer_ids
    for customer_id in sorted(mapping.account_policies.keys() | groups):
        own = mapping.account_policies.get(customer_id)
        general = mapping.retail_policy if customer_id in groups else mapping.default_policy
        written = getattr(general, field)
        if own is not None and getattr(own, field) != written:
            yield customer_id, ("accounts", customer_id.value, field)
        elif customer_id in groups and written is not None:
            yield customer_id, ("retail", field)


def _of_policy(subject: str, said: str, remedy: str, path: _Path, written: str) -> Finding:
    return Finding(subject, FindingLevel.WARNING, said, remedy, ACCOUNTS, path, written)


def _currencies(mapping: SyncMapping, known: Mapping[CustomerId, Account]) -> Iterator[Finding]:
    """Currencies of retail groups in which the ERP sells them nothing (WA-16)."""
    for channel in mapping.channels.values():
        for at, group in enumerate(channel.retail_groups):
            account = known.get(group.customer_id)
            if account is None or not account.currencies:
                continue  # it is told as absent, or the ERP leaves it to the mapping
            for index, currency in enumerate(group.currencies):
                if currency in account.currencies:
                    continue
                said = (
                    f"is declared with {currency}, the ERP sells to it in"
                    f" {', '.join(account.currencies)}: orders in {currency} are quarantined"
                )
                fix = "Take the currency out, or give it to the customer in the ERP."
                place = ("retail_groups", at, "currencies", index)
                path = ("channels", channel.channel_id.value, *place)
                subject = f"retail group {group.customer_id}"
                level = FindingLevel.WARNING
                yield Finding(subject, level, said, fix, CHANNELS, path, currency)


def _contacts_of_lines(
    mapping: SyncMapping, known: Mapping[CustomerId, Account]
) -> Iterator[Finding]:
    for each in _by_line(mapping):
        if each.contact is not None and _is_strange(each.contact, known.get(each.customer_id)):
            said = f"is no contact of customer {each.customer_id} in the ERP"
            yield _about(each, "contact", said, _NO_CONTACT)


def _is_strange(contact: ContactId, account: Account | None) -> bool:
    """Whether the account is there, and the contact none of its own."""
    own = {each.contact_id for each in account.contacts} if account is not None else {contact}
    return contact not in own


def _people(context: Context) -> Iterator[Finding]:
    """Assignments of users and organisations that the store's directory does not know.

    An exception is also told where the user does not belong to the organisation: it
    still names them, as when somebody has left, and their orders wait in quarantine.
    """
    assignments = _by_line(context.mapping)
    directory = context.store
    if not assignments or not isinstance(directory, ReadsBuyers):
        return
    users: set[WebUserId] = set()
    organisations: set[OrganisationId] = set()
    if any(each.user for each in assignments):
        users.update(gathered(context, _USERS, directory.web_users))
    if any(each.organisation for each in assignments):
        organisations.update(gathered(context, _ORGANISATIONS, directory.organisations))
    for done, each in enumerate(assignments, 1):
        context.progress(_ASSIGNMENTS, done, len(assignments))
        if each.user is not None and each.user not in users:
            said = "the store has no such user" + _meant(each.user, users)
            yield _about(each, "user", said, _NO_USER)
        if each.organisation is not None and each.organisation not in organisations:
            said = "the store has no such organisation" + _meant(each.organisation, organisations)
            yield _about(each, "organisation", said, _NO_ORGANISATION)
        if (
            each.user in users
            and each.organisation in organisations
            and not _belongs(context, directory, each)
        ):
            said = f"does not belong to organisation {each.organisation} in the store"
            yield _about(each, "user", said, _NO_MEMBER)


def _meant(missed: WebUserId | OrganisationId, known: Collection[object]) -> str:
    """The key that has lost its zeros or digits, where the directory knows it."""
    if not missed.value.isdigit():
        return ""
    damage = Known.of([str(each) for each in known]).damage(missed.value)
    return f"; it {damage[0]}" if damage is not None else ""


def _belongs(context: Context, directory: ReadsBuyers, each: Assignment) -> bool:
    """Whether the user of an exception is somebody of its organisation."""
    if each.organisation is None:
        return False
    user = context.retrying()(directory.buyer, each.user, each.organisation).user
    return user is not None and user.member_of(each.organisation) is not None


def _about(assignment: Assignment, field: str, said: str, remedy: str) -> Finding:
    """A finding about one field of the line."""
    written = str(getattr(assignment, field))
    subject, place = f"{field} {written}", assignment.origin
    return Finding(subject, FindingLevel.WARNING, said, remedy, place, (field,), written)


def _by_line(mapping: SyncMapping) -> list[Assignment]:
    return sorted(mapping.assignments, key=_place)


def _place(assignment: Assignment) -> tuple[str, int]:
    file, _, line = assignment.origin.rpartition(":")
    return file, int(line) if line.isdigit() else 0
