"""Accounts as customer groups of our own: one for each ERP account and audience.

Medusa knows no companies. A group is what prices can be tied to and what our
module goes by, and only the shop's staff and we can write it. Our groups are not
those in which staff assign customer IDs: there we only read. So whom the mapping
files take away is out of our group in the next run, whatever staff's groups say.

What is shown of an account is what its record says, as long as the group and its
members are as they should be. Neither moves any time of change in Medusa, so
they are looked at each time. An account that is not whole is told with a member
that nobody is: the plan puts it again, or withdraws it.

Whoever leaves an account takes none of its addresses along. They are taken out of
the book first: the group and the record still tell then who they were.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sync.domain.ids import CustomerId, WebUserId
from sync.domain.pricing import Audience, AudienceKind
from sync.domain.views import AccountProfile
from sync.errors import Rejected
from sync.stores.medusa import translate
from sync.stores.medusa.addresses import mirrored_addresses
from sync.stores.medusa.queries import ADDRESS_FIELDS, CUSTOMER_FIELDS, MEMBER_FIELDS, Queries
from sync.stores.medusa.translate import ACCOUNT_GROUP, AUDIENCE_GROUP

Json = dict[str, Any]
ACCOUNTS = Audience(AudienceKind.ACCOUNTS)
# No customer of Medusa has this ID.
NOBODY = WebUserId("?")


def group_name(audience: Audience) -> str:
    """The name of our group; Medusa allows no two of one name."""
    match audience.kind:
        case AudienceKind.ACCOUNT:
            return f"ERP account {audience.key} (tradesync)"
        case AudienceKind.GROUP:
            return f"ERP price group {audience.key} (tradesync)"
        case AudienceKind.TAG:
            return f"ERP group {audience.key} (tradesync)"
        case AudienceKind.ACCOUNTS:
            return "All ERP accounts (tradesync)"
    raise ValueError(f"{audience} has no group")


def group_metadata(audience: Audience) -> Json:
    """How we know the group again: staff may rename it."""
    metadata: Json = {AUDIENCE_GROUP: str(audience)}
    if audience.kind is AudienceKind.ACCOUNT:
        metadata[ACCOUNT_GROUP] = audience.key
    return metadata


def audiences(profile: AccountProfile) -> tuple[Audience, ...]:
    """Every group that the buyers of this account are in."""
    account = Audience(AudienceKind.ACCOUNT, profile.customer_id.value)
    groups = (Audience(AudienceKind.GROUP, code) for code in profile.price_groups)
    tags = (Audience(AudienceKind.TAG, tag) for tag in profile.tags)
    return (account, ACCOUNTS, *groups, *tags)


class Groups:
    """Our groups in one Medusa."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries

    def find(self, wanted: Collection[Audience]) -> dict[Audience, Json]:
        """Those of our groups that are there. Raises Rejected for a name that others took."""
        names = [group_name(audience) for audience in wanted]
        return self.ours(wanted, self._queries.groups_named(names))

    def ours(self, wanted: Collection[Audience], told: Mapping[str, Json]) -> dict[Audience, Json]:
        """Of these groups by name, ours by audience. Raises as ``find``."""
        names = {group_name(audience): audience for audience in wanted}
        found: dict[Audience, Json] = {}
        for name, group in told.items():
            if (group.get("metadata") or {}).get(AUDIENCE_GROUP) != str(names[name]):
                raise Rejected(
                    f"the shop has a customer group {name!r} that is not ours",
                    code="store_group_name_taken",
                    remedy="rename that group in the shop, then run again",
                )
            found[names[name]] = group
        return found

    def ensure(self, audience: Audience, held: Json | None) -> Json:
        """The group, made where it is missing and put right where it was changed."""
        metadata = group_metadata(audience)
        if held is None:
            return self._queries.make_group(group_name(audience), metadata)
        said = held.get("metadata") or {}
        if any(said.get(name) != value for name, value in metadata.items()):
            self._queries.change_group(held["id"], metadata)
            return {**held, "metadata": {**said, **metadata}}
        return held


class Accounts:
    """Puts accounts and their members, and tells which are whole."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries
        self._groups = Groups(queries)

    def shown(self, customer_ids: Collection[CustomerId]) -> dict[CustomerId, AccountProfile]:
        """What is recorded of these; NOBODY acts for one that is not whole."""
        held = self._records(customer_ids)
        profiles = {key: translate.profile_of(record) for key, record in held.items()}
        directory = self._directory(profiles.values())
        wanted = {each for profile in profiles.values() for each in audiences(profile)}
        groups = self._groups.find(wanted)
        return {
            key: profile
            if _whole(profile, groups, directory)
            else replace(profile, users=(*profile.users, NOBODY))
            for key, profile in profiles.items()
        }

    def put(self, profiles: Sequence[AccountProfile]) -> None:
        """Groups and members first, the records last: what is half done is put again."""
        latest = {profile.customer_id: profile for profile in profiles}
        directory = self._directory(latest.values())
        wanted = {each for profile in latest.values() for each in audiences(profile)}
        groups = self._groups.find(wanted)
        for audience in sorted(wanted, key=lambda each: each.order):
            groups[audience] = self._groups.ensure(audience, groups.get(audience))
        left = _leavers(latest, groups, self.users(latest))
        self._clear_books(latest, left, directory)
        self._move(latest, groups, directory, left)
        records = []
        for key, profile in latest.items():
            group = groups[Audience(AudienceKind.ACCOUNT, key.value)]
            records.append(translate.account_record(profile, group["id"]))
        self._queries.apply_records(records, [])

    def dissolve(self, customer_id: CustomerId) -> set[str]:
        """Drop the account's group, so that nobody acts for it any more; who was in it.

        The members leave the groups of all accounts, and of price groups, with it.
        """
        audience = Audience(AudienceKind.ACCOUNT, customer_id.value)
        group = self._groups.find([audience]).get(audience)
        profiles = [translate.profile_of(each) for each in self._records([customer_id]).values()]
        members = {each["id"] for each in group["customers"]} if group else set()
        members |= {user.value for profile in profiles for user in profile.users}
        if group is not None:
            self._queries.drop_group(group["id"])
        self._expel(members, group["id"] if group is not None else None)
        return members

    def users(self, customer_ids: Collection[CustomerId]) -> dict[CustomerId, tuple[str, ...]]:
        """Who acts for each account, by its record; existing or not."""
        return {
            key: tuple(user.value for user in translate.profile_of(record).users)
            for key, record in self._records(customer_ids).items()
        }

    def _records(self, customer_ids: Collection[CustomerId]) -> dict[CustomerId, Json]:
        owners = [each.value for each in customer_ids]
        records = self._queries.records("account", owners)
        return {CustomerId(each["owner"]): each for each in records}

    def _directory(self, profiles: Iterable[AccountProfile]) -> dict[str, Json]:
        users = {user.value for profile in profiles for user in profile.users}
        return self._queries.customers(users, MEMBER_FIELDS)

    def _clear_books(
        self,
        profiles: Mapping[CustomerId, AccountProfile],
        left: Mapping[CustomerId, Collection[str]],
        directory: Mapping[str, Json],
    ) -> None:
        """Out of the books: of members what is another account's, of leavers what is this one's."""
        account_of = {
            user.value: owner.value for owner, profile in profiles.items() for user in profile.users
        }
        away = {user for users in left.values() for user in users}
        leavers = self._queries.customers(away - directory.keys(), ADDRESS_FIELDS)
        for user, customer in {**directory, **leavers}.items():
            mine = account_of.get(user)
            gone = {owner.value for owner, users in left.items() if user in users}
            for address_id, account in mirrored_addresses(customer):
                if account in gone if mine is None else account != mine:
                    self._queries.drop_address(user, address_id)

    def _move(
        self,
        profiles: Mapping[CustomerId, AccountProfile],
        groups: Mapping[Audience, Json],
        directory: Mapping[str, Json],
        left: Mapping[CustomerId, Collection[str]],
    ) -> None:
        """Everybody into the groups that are theirs, and out of our others."""
        add: dict[str, list[str]] = {}
        remove: dict[str, list[str]] = {}
        for owner, profile in profiles.items():
            mine = {groups[each]["id"] for each in audiences(profile)}
            own = groups[Audience(AudienceKind.ACCOUNT, owner.value)]
            users = [user.value for user in profile.users if user.value in directory]
            strangers = {each["id"] for each in own["customers"]} - set(users)
            remove.setdefault(own["id"], []).extend(sorted(strangers))
            for user in users:
                there = {each["id"]: each for each in directory[user].get("groups") or ()}
                for group in mine - there.keys():
                    add.setdefault(group, []).append(user)
                for group_id, group in there.items():
                    if _ours(group) and group_id not in mine:
                        remove.setdefault(group_id, []).append(user)
            self._expel(set(left[owner]) - directory.keys(), own["id"])
        for group_id, users in remove.items():
            self._queries.move_members(group_id, (), sorted(set(users)))
        for group_id, users in add.items():
            self._queries.move_members(group_id, sorted(set(users)), ())

    def _expel(self, users: Collection[str], left: str | None) -> None:
        """Out of the group ``left``, and where they act for no other account, out of all."""
        leaving: dict[str, list[str]] = {}
        for user, customer in self._queries.customers(users, CUSTOMER_FIELDS).items():
            ours = [group for group in customer.get("groups") or () if _ours(group)]
            elsewhere = any(
                group["id"] != left and group["metadata"].get(ACCOUNT_GROUP) for group in ours
            )
            for group in ours:
                if not elsewhere or group["id"] == left:
                    leaving.setdefault(group["id"], []).append(user)
        for group_id, members in leaving.items():
            self._queries.move_members(group_id, (), sorted(members))


def _leavers(
    profiles: Mapping[CustomerId, AccountProfile],
    groups: Mapping[Audience, Json],
    former: Mapping[CustomerId, Collection[str]],
) -> dict[CustomerId, set[str]]:
    """Who is in an account's group or on its record, and acts for it no more.

    The record is written last, so it still names those whom a run that broke off had
    taken out of the first of their groups.
    """
    found = {}
    for owner, profile in profiles.items():
        own = groups[Audience(AudienceKind.ACCOUNT, owner.value)]
        there = {each["id"] for each in own["customers"]}.union(former.get(owner, ()))
        found[owner] = there - {user.value for user in profile.users}
    return found


def _ours(group: Mapping[str, Any]) -> bool:
    return bool((group.get("metadata") or {}).get(AUDIENCE_GROUP))


def _whole(
    profile: AccountProfile, groups: Mapping[Audience, Json], directory: Mapping[str, Json]
) -> bool:
    """Whether the groups are there with our words on them, and exactly these users in them,
    none of whom has another account's addresses."""
    mine = audiences(profile)
    for audience in mine:
        said = (groups.get(audience) or {}).get("metadata") or {}
        if any(said.get(name) != value for name, value in group_metadata(audience).items()):
            return False
    users = {user.value for user in profile.users} & directory.keys()
    own = groups[Audience(AudienceKind.ACCOUNT, profile.customer_id.value)]
    if {each["id"] for each in own["customers"]} != users:
        return False
    ids = {groups[audience]["id"] for audience in mine}
    for user in users:
        there = directory[user].get("groups") or ()
        if {group["id"] for group in there if _ours(group)} != ids:
            return False
        if any(
            account != profile.customer_id.value
            for _, account in mirrored_addresses(directory[user])
        ):
            return False
    return True
