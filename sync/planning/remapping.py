"""What another version of the mapping would mean: who moves, and what the files say differently.

Pure: both versions and who acts for which account come in, sentences and moves go
out. Nobody is named by a number of lines; a move is told by its two ends, so that
an edit of ten thousand lines which changes nothing has nothing to tell.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from enum import Enum
from typing import Any

from sync.domain.channel import Channel, RetailGroup
from sync.domain.ids import CustomerId
from sync.domain.mapping import Assignment, CodeTables, PaymentMethod, SyncMapping
from sync.planning.membership import Members


class ActorKind(Enum):
    """Whose assignment it is; an exception is a user's within one organisation."""

    ORGANISATION = "organisation"
    USER = "user"
    EXCEPTION = "exception"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who orders under an account. ``organisation`` is empty for a user alone, and so on."""

    kind: ActorKind
    user: str = ""
    organisation: str = ""

    def __str__(self) -> str:
        match self.kind:
            case ActorKind.ORGANISATION:
                return f"organisation {self.organisation}"
            case ActorKind.USER:
                return f"user {self.user}"
        return f"user {self.user} acting for organisation {self.organisation}"


@dataclass(frozen=True, slots=True)
class Move:
    """From one account to another; None: no account of their own.

    ``unsure``: the ERP's contacts, which cannot be read, may still assign them one.
    ``barred``: by then an exception that cannot be used keeps the user from the
    organisation's account, too.
    """

    actor: Actor
    before: CustomerId | None
    after: CustomerId | None
    unsure: bool = False
    barred: bool = False

    def __str__(self) -> str:
        if self.barred:
            then = self.before or _BEFORE[self.actor.kind]
            return f"{self.actor}: {then} -> nobody; what is named for them cannot be used"
        if self.after is None and self.before is None:
            return f"{self.actor}: nobody -> {_BEFORE[self.actor.kind]}"
        if self.after is None and self.unsure:
            return f"{self.actor}: no longer {self.before}; {_UNSURE}"
        if self.after is None:
            return f"{self.actor}: no longer {self.before}; {_WITHOUT[self.actor.kind]}"
        return f"{self.actor}: {self.before or _BEFORE[self.actor.kind]} -> {self.after}"


_UNSURE = "the ERP's contacts decide once they can be read"
_BEFORE = {
    ActorKind.ORGANISATION: "nobody",
    ActorKind.USER: "nobody",
    ActorKind.EXCEPTION: "as the organisation",
}


_WITHOUT = {
    ActorKind.ORGANISATION: "orders for it wait in quarantine",
    ActorKind.USER: "retail where the channel has retail buyers, else in quarantine",
    ActorKind.EXCEPTION: "the organisation's own account counts",
}


@dataclass(frozen=True, slots=True)
class Access:
    """Who will and who will no longer see what belongs to an account (WA-8).

    ``withdrawn``: nobody is left who may see it, so all of it leaves the store.
    """

    customer_id: CustomerId
    gains: tuple[Actor, ...]
    loses: tuple[Actor, ...]
    withdrawn: bool


def moves(
    before: Mapping[CustomerId, Members], after: Mapping[CustomerId, Members]
) -> tuple[Move, ...]:
    """Everybody whose account is another one, organisations first, each kind by its keys."""
    then, now = _accounts(before), _accounts(after)
    shut_then, shut_now = _shut_out(before, then), _shut_out(after, now)
    found = [
        Move(actor, then.get(actor), now.get(actor), barred=actor in shut_now)
        for actor in {*then, *now, *shut_then, *shut_now}
        if then.get(actor) != now.get(actor) or (actor in shut_then) != (actor in shut_now)
    ]
    return tuple(sorted(found, key=_place))


def assignments_moved(before: SyncMapping, after: SyncMapping) -> tuple[Move, ...]:
    """As ``moves``, by what the files assign and nothing else."""
    then, now = _assigned(before), _assigned(after)
    found = [
        Move(actor, _customer(then, actor), _customer(now, actor))
        for actor in then.keys() | now.keys()
        if _customer(then, actor) != _customer(now, actor)
    ]
    return tuple(sorted(found, key=_place))


def contacts_changed(before: SyncMapping, after: SyncMapping) -> tuple[str, ...]:
    """Whose orders name another ERP contact under the same account, one sentence each."""
    then, now = _assigned(before), _assigned(after)
    found = []
    for actor in then.keys() & now.keys():
        old, new = then[actor], now[actor]
        if old.customer_id == new.customer_id and old.contact != new.contact:
            said = f"{actor}: contact {_said(old.contact)} -> {_said(new.contact)}"
            found.append((_place(Move(actor, None, None)), said))
    return tuple(said for _, said in sorted(found))


def access(found: tuple[Move, ...], after: Mapping[CustomerId, Members]) -> tuple[Access, ...]:
    """The accounts that these moves touch, by customer ID."""
    gains: dict[CustomerId, list[Actor]] = {}
    loses: dict[CustomerId, list[Actor]] = {}
    for move in found:
        if move.after is not None:
            gains.setdefault(move.after, []).append(move.actor)
        if move.before is not None:
            loses.setdefault(move.before, []).append(move.actor)
    return tuple(
        Access(
            customer_id,
            tuple(gains.get(customer_id, ())),
            tuple(loses.get(customer_id, ())),
            withdrawn=customer_id not in after,
        )
        for customer_id in sorted(gains.keys() | loses.keys())
    )


def settings_changed(before: SyncMapping, after: SyncMapping) -> tuple[str, ...]:
    """What else the files say differently, one sentence each."""
    return (
        *_groups(before, after),
        *_channels(before, after),
        *_named("precedence", before.precedence, after.precedence),
        *_policies(before, after),
        *_codes(before.codes, after.codes),
        *_documents(before, after),
        *_named("zero_price_means_call", before.zero_price_means_call, after.zero_price_means_call),
    )


def _accounts(members: Mapping[CustomerId, Members]) -> dict[Actor, CustomerId]:
    found: dict[Actor, CustomerId] = {}
    for customer_id, who in members.items():
        for organisation in who.organisations:
            actor = Actor(ActorKind.ORGANISATION, organisation=organisation.value)
            found[actor] = customer_id
        for user in who.users:
            found[Actor(ActorKind.USER, user=user.value)] = customer_id
        for each in who.exceptions:
            key = Actor(ActorKind.EXCEPTION, each.user.value, each.organisation.value)
            found[key] = customer_id
    return found


def _shut_out(
    members: Mapping[CustomerId, Members], accounts: Mapping[Actor, CustomerId]
) -> set[Actor]:
    """Users who act for nobody within an organisation, by an exception that cannot be used."""
    barred = (each for who in members.values() for each in who.barred)
    found = {
        Actor(ActorKind.EXCEPTION, each.user.value, each.organisation.value) for each in barred
    }
    return found - accounts.keys()


def _assigned(mapping: SyncMapping) -> dict[Actor, Assignment]:
    found = {}
    for each in mapping.assignments:
        user = each.user.value if each.user else ""
        organisation = each.organisation.value if each.organisation else ""
        kind = ActorKind.USER if user else ActorKind.ORGANISATION
        found[Actor(ActorKind.EXCEPTION if user and organisation else kind, user, organisation)] = (
            each
        )
    return found


def _customer(assigned: Mapping[Actor, Assignment], actor: Actor) -> CustomerId | None:
    found = assigned.get(actor)
    return found.customer_id if found is not None else None


def _place(move: Move) -> tuple[int, str, str]:
    return list(ActorKind).index(move.actor.kind), move.actor.organisation, move.actor.user


def _groups(before: SyncMapping, after: SyncMapping) -> Iterator[str]:
    then, now = before.retail_groups.customer_ids, after.retail_groups.customer_ids
    for customer_id in sorted(now - then):
        yield (
            f"{customer_id} becomes a retail group: strangers share it, so whatever the store"
            " shows of it is withdrawn first"
        )
    for customer_id in sorted(then - now):
        yield f"{customer_id} is no longer a retail group"


def _channels(before: SyncMapping, after: SyncMapping) -> Iterator[str]:
    for key in sorted(after.channels.keys() - before.channels.keys()):
        yield f"channel {key} is new ({after.channels[key].mode.value})"
    for key in sorted(before.channels.keys() - after.channels.keys()):
        yield f"channel {key} is gone: its orders wait in quarantine"
    for key in sorted(before.channels.keys() & after.channels.keys()):
        yield from _channel(f"channel {key}", before.channels[key], after.channels[key])


def _channel(what: str, before: Channel, after: Channel) -> Iterator[str]:
    then = {each.customer_id: each for each in before.retail_groups}
    now = {each.customer_id: each for each in after.retail_groups}
    if list(then) != list(now):
        yield from _fields(what, before, after)
        return
    yield from _fields(what, before, replace(after, retail_groups=before.retail_groups))
    for key in then:
        yield from _fields(f"{what}: retail group {key}", then[key], now[key])


def _policies(before: SyncMapping, after: SyncMapping) -> Iterator[str]:
    yield from _fields("the default policy", before.default_policy, after.default_policy)
    yield from _fields("the retail policy", before.retail_policy, after.retail_policy)
    for key in sorted(before.account_policies.keys() | after.account_policies.keys()):
        yield from _fields(f"account {key}", before.policy(key), after.policy(key))


def _codes(before: CodeTables, after: CodeTables) -> Iterator[str]:
    for table in fields(CodeTables):
        then: Mapping[str, object] = getattr(before, table.name)
        now: Mapping[str, object] = getattr(after, table.name)
        for key in sorted(then.keys() | now.keys()):
            yield from _named(f"{table.name} {key!r}", then.get(key), now.get(key))


def _documents(before: SyncMapping, after: SyncMapping) -> Iterator[str]:
    then, now = before.required_documents, after.required_documents
    for where in sorted(then.by_jurisdiction.keys() | now.by_jurisdiction.keys()):
        told = f"required documents, {where}"
        yield from _named(told, then.by_jurisdiction.get(where), now.by_jurisdiction.get(where))


def _fields(what: str, before: Any, after: Any) -> Iterator[str]:
    for field in fields(before):
        name = field.name
        yield from _named(f"{what}: {name}", getattr(before, name), getattr(after, name))


def _named(what: str, before: object, after: object) -> Iterator[str]:
    if before == after:
        return
    added, taken_out = _apart(before, after)
    if added or taken_out:
        said = [f"{name} added" for name in added] + [f"{name} taken out" for name in taken_out]
        yield f"{what}: {', '.join(said)}"
    else:
        yield f"{what}: {_said(before)} -> {_said(after)}"


def _apart(before: object, after: object) -> tuple[list[str], list[str]]:
    """What a list has got and lost, where that says all; nothing where its order counts."""
    match before, after:
        case frozenset(), frozenset():
            then, now = set(map(_said, before)), set(map(_said, after))
        case (str() as first, *_), (str() as still, *_) if first == still:
            then, now = set(map(_said, before)), set(map(_said, after))
        case _:
            return [], []
    if not then or not now:
        return [], []
    return sorted(now - then), sorted(then - now)


def _said(value: object) -> str:
    match value:
        case None | "" | ():
            return "nothing"
        case bool():
            return "yes" if value else "no"
        case Enum():
            return str(value.value)
        case RetailGroup():
            countries = f" in {', '.join(value.countries)}" if value.countries else ""
            return f"{value.customer_id} ({', '.join(value.currencies)}{countries})"
        case PaymentMethod():
            return f"{value.kind.value} {value.erp_code}".rstrip()
        case frozenset():
            return ", ".join(sorted(_said(each) for each in value)) or "nothing"
        case tuple():
            return ", ".join(_said(each) for each in value)
    return str(value)
