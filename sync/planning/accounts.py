"""What the store shows of an account (MI-1, TL-3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from sync.domain.account import Account, Location
from sync.domain.ids import CustomerId, OrganisationId, WebUserId
from sync.domain.views import AccountProfile, Exceptional, LocationProfile
from sync.planning.membership import Members
from sync.planning.plan import Change


def profile_of(account: Account, locations: Iterable[Location], members: Members) -> AccountProfile:
    """The account as its buyers are to see it."""
    return AccountProfile(
        customer_id=account.customer_id,
        name=account.name,
        status=account.effective_status,
        terms=account.terms,
        currencies=account.currencies,
        tax_exempt=account.tax_exempt,
        credit=account.credit,
        price_groups=tuple(sorted(account.price_groups)),
        locations=tuple(
            sorted(
                (
                    LocationProfile(each.location_id, each.name, each.tax_exempt)
                    for each in locations
                    if each.sold_to == account.customer_id
                ),
                key=lambda profile: profile.location_id,
            )
        ),
        organisations=members.organisations,
        users=members.users,
        exceptions=members.exceptions,
        tags=tuple(sorted(set(account.tags))),
        barred=members.barred,
    )


def hides(change: Change[CustomerId, AccountProfile]) -> bool:
    """Whether somebody who could see the account, or what a tag opens to it, no longer can."""
    if change.before is None:
        return False
    if change.after is None or set(change.before.tags) - set(change.after.tags):
        return True
    stays = {*change.before.organisations}
    newly_barred = {*change.after.barred} - {*change.before.barred}
    return bool(_people(change.before) - _people(change.after)) or any(
        each.organisation in stays for each in newly_barred
    )


def _people(profile: AccountProfile) -> set[OrganisationId | WebUserId | Exceptional]:
    return {*profile.organisations, *profile.users, *profile.exceptions}


def keeping_locations(profile: AccountProfile, before: AccountProfile) -> AccountProfile:
    """The profile with those locations of ``before`` that it lacks.

    For an account with a record that could not be read, which may be one of them.
    """
    there = {each.location_id for each in profile.locations}
    kept = [each for each in before.locations if each.location_id not in there]
    locations = sorted((*profile.locations, *kept), key=lambda each: each.location_id)
    return replace(profile, locations=tuple(locations))


def with_members(shown: AccountProfile, members: Members) -> AccountProfile:
    """What is shown, with who acts for the account now.

    For an account that the ERP holds and that cannot be read: who is mapped to
    it is our own word, and must not wait for the ERP's.
    """
    return replace(
        shown,
        organisations=members.organisations,
        users=members.users,
        exceptions=members.exceptions,
        barred=members.barred,
    )


def staying(
    members: Members, shown: AccountProfile, last: Mapping[WebUserId, CustomerId | None]
) -> Members:
    """These members, and those to whom it is shown and whose account it was by the ``last`` word.

    ``last`` has users of whom nobody knows just now. Whoever saw it by a line that is gone
    is not kept by that.
    """
    kept = {each for each in shown.users if last.get(each) == shown.customer_id}
    return replace(members, users=tuple(sorted({*members.users, *kept})))
