"""Which ERP accounts have buyers in the store, and who acts for each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sync.domain.ids import CustomerId, OrganisationId, WebUserId
from sync.domain.mapping import SyncMapping
from sync.domain.order import BuyerRecord, Organisation, WebUser
from sync.routing import AccountMap, Usable


@dataclass(frozen=True, slots=True)
class Members:
    """Who acts for an account; both sorted."""

    organisations: tuple[OrganisationId, ...] = ()
    users: tuple[WebUserId, ...] = ()


def mapped_accounts(
    mapping: SyncMapping,
    accounts: AccountMap,
    with_attribute: Iterable[WebUser | Organisation],
) -> Mapping[CustomerId, Members]:
    """Every account that some user or organisation is usably assigned to.

    Retail groups are never among them: an assignment to one does not count
    (WA-2b). ``with_attribute`` are the store's records whose staff-only
    attribute names an account.
    """
    records: dict[WebUserId | OrganisationId, BuyerRecord] = {}
    for each in with_attribute:
        if isinstance(each, WebUser):
            records[each.web_user] = BuyerRecord(user=each)
        else:
            records[each.organisation] = BuyerRecord(organisation=each)
    organisations = {a.organisation for a in mapping.assignments if a.organisation and not a.user}
    users = {a.user for a in mapping.assignments if a.user and not a.organisation}
    exceptions = [a for a in mapping.assignments if a.user and a.organisation]
    organisations |= {key for key in records if isinstance(key, OrganisationId)}
    users |= {key for key in records if isinstance(key, WebUserId)}

    found: dict[CustomerId, tuple[set[OrganisationId], set[WebUserId]]] = {}
    nobody = BuyerRecord()
    for organisation in organisations:
        usable = accounts.find(None, organisation, records.get(organisation, nobody))
        if isinstance(usable, Usable):
            found.setdefault(usable.customer_id, (set(), set()))[0].add(organisation)
    for user in users:
        usable = accounts.find(user, None, records.get(user, nobody))
        if isinstance(usable, Usable):
            found.setdefault(usable.customer_id, (set(), set()))[1].add(user)
    for exception in exceptions:
        # The account needs its ship-tos and prices in the store, but the user
        # acts for it only within one organisation: no general membership.
        usable = accounts.find(exception.user, exception.organisation, nobody)
        if isinstance(usable, Usable):
            found.setdefault(usable.customer_id, (set(), set()))
    return {
        customer_id: Members(
            tuple(sorted(found[customer_id][0])), tuple(sorted(found[customer_id][1]))
        )
        for customer_id in sorted(found)
    }
