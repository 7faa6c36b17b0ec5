"""Which ERP accounts have buyers in the store, and who acts for each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from sync.domain.ids import CustomerId, OrganisationId, WebUserId
from sync.domain.mapping import Assignments, SyncMapping
from sync.domain.order import BuyerRecord, Organisation, WebUser
from sync.domain.views import Exceptional
from sync.routing import AccountMap, Usable


@dataclass(frozen=True, slots=True)
class Members:
    """Who acts for an account; all sorted.

    ``barred``: who within one of the organisations does not.
    """

    organisations: tuple[OrganisationId, ...] = ()
    users: tuple[WebUserId, ...] = ()
    exceptions: tuple[Exceptional, ...] = ()
    barred: tuple[Exceptional, ...] = ()


def mapped_accounts(
    mapping: SyncMapping,
    accounts: AccountMap,
    with_attribute: Iterable[WebUser | Organisation],
    by_address: Mapping[WebUserId, Sequence[CustomerId]] = MappingProxyType({}),
    left_out: Collection[WebUserId] = (),
) -> Mapping[CustomerId, Members]:
    """Every account that some user or organisation is usably assigned to.

    Retail groups are never among them: an assignment to one does not count
    (WA-2b). ``with_attribute`` are the store's records whose staff-only
    attribute names an account, ``by_address`` the accounts that have a user's
    verified e-mail address. Users who are ``left_out`` have no account of their own. An
    exception bars its user from the organisation's account, usable or not: nobody sees
    the one while an order for it goes to the other, or waits (WA-2c).
    """
    records: dict[WebUserId | OrganisationId, BuyerRecord] = {}
    for each in with_attribute:
        if isinstance(each, WebUser):
            records[each.web_user] = BuyerRecord(user=each)
        else:
            records[each.organisation] = BuyerRecord(organisation=each)
    organisations = {key for key in records if isinstance(key, OrganisationId)}
    users = {key for key in records if isinstance(key, WebUserId)} | by_address.keys()
    exceptions = {(a.user, a.organisation) for a in mapping.refused if a.user and a.organisation}
    for user, organisation in Assignments.of(mapping.assignments).everybody():
        if user and organisation:
            exceptions.add((user, organisation))
        elif organisation:
            organisations.add(organisation)
        elif user:
            users.add(user)

    gathered = _Gathered()
    nobody = BuyerRecord()
    for organisation in organisations:
        usable = accounts.find(None, organisation, records.get(organisation, nobody))
        if isinstance(usable, Usable):
            gathered.organisations[usable.customer_id].append(organisation)
    for user in users.difference(left_out):
        record = records.get(user, nobody)
        usable = accounts.find(user, None, record, by_address.get(user))
        if isinstance(usable, Usable):
            gathered.users[usable.customer_id].append(user)
    for user, organisation in exceptions:
        written = accounts.find(user, organisation, nobody)
        own = accounts.find(None, organisation, records.get(organisation, nobody))
        if isinstance(written, Usable):
            gathered.exceptions[written.customer_id].append(Exceptional(organisation, user))
        if written is None or not isinstance(own, Usable):
            continue
        if not isinstance(written, Usable) or written.customer_id != own.customer_id:
            gathered.barred[own.customer_id].append(Exceptional(organisation, user))
    return gathered.members()


@dataclass(slots=True)
class _Gathered:
    """By kind and not by account: most accounts have members of one kind, and few of them."""

    organisations: defaultdict[CustomerId, list[OrganisationId]] = field(
        default_factory=lambda: defaultdict(list)
    )
    users: defaultdict[CustomerId, list[WebUserId]] = field(
        default_factory=lambda: defaultdict(list)
    )
    exceptions: defaultdict[CustomerId, list[Exceptional]] = field(
        default_factory=lambda: defaultdict(list)
    )
    barred: defaultdict[CustomerId, list[Exceptional]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def members(self) -> Mapping[CustomerId, Members]:
        every = sorted(self.organisations.keys() | self.users.keys() | self.exceptions.keys())
        return {
            customer_id: Members(
                tuple(sorted(self.organisations.pop(customer_id, ()))),
                tuple(sorted(self.users.pop(customer_id, ()))),
                tuple(sorted(self.exceptions.pop(customer_id, ()))),
                tuple(sorted(self.barred.pop(customer_id, ()))),
            )
            for customer_id in every
        }
