"""What an edit of the mapping files would do, told before it does it (OP-4).

Nothing is written. Both versions are asked the same questions that the flows ask:
who acts for which account, and what becomes of each order that is still open.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import structlog

from sync.domain.decision import Admitted, Quarantined, Waits
from sync.domain.ids import CustomerId, WebOrderId, WebUserId
from sync.domain.mapping import SyncMapping
from sync.domain.views import AccountProfile
from sync.errors import AccessDenied, TryLater
from sync.flows.accounts import shown_without_erp
from sync.flows.context import Context
from sync.flows.everybody import OurWord, by_our_word
from sync.flows.lookups import Lookups
from sync.flows.mirroring import chunks, members_of_accounts
from sync.flows.orders.foreseeing import outlook
from sync.mapping_check import mapping_findings
from sync.planning.membership import Members
from sync.planning.registrations import judged
from sync.planning.remapping import (
    Access,
    ActorKind,
    Move,
    access,
    contacts_changed,
    moves,
    settings_changed,
)
from sync.ports.erp import Finding, FindingLevel
from sync.ports.registrations import RegistrationEntry, Stage
from sync.ports.state import LedgerEntry, LedgerFilter, LedgerState, ResyncScope
from sync.price_sight import PriceSight, PricesSeen, ShoppersChange
from sync.records import keys_in_erp, keys_in_store
from sync.routing import AccountMap
from sync.secrecy import scrubbed

log = structlog.get_logger()

OPEN = frozenset(
    {
        LedgerState.DISCOVERED,
        LedgerState.WAITING,
        LedgerState.QUARANTINED,
        LedgerState.SUBMITTING,
    }
)
"""Their account is decided anew each time. So is that of an order on its way which turns
out not to have reached the ERP; one that has keeps its account (WA-2d)."""


@dataclass(frozen=True, slots=True)
class OrderEffect:
    """An open order that would fare differently; both sides are sentences."""

    order_id: WebOrderId
    number: str
    state: LedgerState
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Shown:
    """An account whose buyers change, and how much there is of it to see.

    ``named`` has their numbers by kind, in the words of ``sync.records``: what the store
    shows now, or, where ``new`` says that nobody is mapped to the account yet, what the
    ERP has of it. A kind for which the store has no place is absent. So it is with
    ``prices``.
    """

    access: Access
    named: Mapping[str, Sequence[str]]
    new: bool = False
    prices: Sequence[PricesSeen] = ()

    @property
    def records(self) -> Mapping[str, int]:
        """How many there are of each kind."""
        return {kind: len(names) for kind, names in self.named.items()}

    @property
    def invoices(self) -> int:
        return len(self.named.get("invoice", ()))


@dataclass(frozen=True, slots=True)
class MappingPlan:
    """``in_force`` and ``draft`` are versions. ``findings`` are what the live systems lack
    or doubt about the draft, ``found_before`` those of them that they say of the other too.
    ``shoppers``: prices that people without an account will see, or will no longer.
    ``contacts``: whose orders name another contact of the same account. ``applications``:
    registrations that would stand elsewhere or lack something else.

    ``unread`` says why the ERP could not be read. Then ``accounts`` are what the run of
    accounts does without it: who loses sight at once. Neither the orders nor the findings
    are told, nor what comes into sight when the ERP is back."""

    in_force: str
    draft: str
    moves: tuple[Move, ...]
    settings: tuple[str, ...]
    accounts: tuple[Shown, ...]
    orders: tuple[OrderEffect, ...]
    findings: tuple[Finding, ...]
    found_before: tuple[Finding, ...]
    shoppers: tuple[ShoppersChange, ...] = ()
    contacts: tuple[str, ...] = ()
    applications: tuple[str, ...] = ()
    unread: str = ""

    @property
    def empty(self) -> bool:
        return not (self.moves or self.contacts or self.settings or self.orders)


def plan_mapping(context: Context, draft: SyncMapping) -> MappingPlan:
    """What would change if ``draft`` came into force instead of the context's mapping.

    Nothing is guessed where the ERP is away: then it is told what the mirror withdraws
    all the same. Raises what the store raises, and Misconfigured.
    """
    after = with_mapping(context, draft)
    try:
        return _whole_plan(context, after)
    except (TryLater, AccessDenied) as error:
        log.warning("plan.erp_unread", message=scrubbed(str(error)))
        return _plan_without_erp(context, after, str(error))


def _whole_plan(context: Context, after: Context) -> MappingPlan:
    then = members_of_accounts(context, ResyncScope())
    now = members_of_accounts(after, ResyncScope())
    moved = moves(then, now)
    findings = _findings(after)
    same = context.mapping.version == after.mapping.version
    sight = PriceSight(context, after)
    before = {_said_of(each) for each in (findings if same else _findings(context))}
    return MappingPlan(
        in_force=context.mapping.version,
        draft=after.mapping.version,
        moves=moved,
        settings=settings_changed(context.mapping, after.mapping),
        accounts=tuple(_shown(context, sight, access(moved, now), then)),
        orders=tuple(_orders(context, after)),
        findings=findings,
        found_before=tuple(each for each in findings if _said_of(each) in before),
        shoppers=tuple(sight.of_shoppers()),
        contacts=contacts_changed(context.mapping, after.mapping),
        applications=tuple(_applications(context, after.mapping)),
    )


def _plan_without_erp(context: Context, after: Context, why: str) -> MappingPlan:
    words = (by_our_word(context), by_our_word(after))
    then, now = (_with_last(each) for each in words)
    unsure = words[1].last.keys()
    shown, left = shown_without_erp(context), shown_without_erp(after)
    stay = {each: _people(profile) for each, profile in left.items()}
    changed = access(moves({each: _people(shown[each]) for each in shown}, stay), stay)
    sight = PriceSight(context, after)
    return MappingPlan(
        in_force=context.mapping.version,
        draft=after.mapping.version,
        moves=tuple(
            replace(each, unsure=WebUserId(each.actor.user) in unsure)
            if each.actor.kind is ActorKind.USER
            else each
            for each in moves(then, now)
        ),
        settings=settings_changed(context.mapping, after.mapping),
        accounts=tuple(_shown_before(context, sight, changed, {**left, **shown})),
        orders=(),
        findings=(),
        found_before=(),
        shoppers=tuple(sight.gone_from_shoppers()),
        contacts=contacts_changed(context.mapping, after.mapping),
        applications=tuple(_applications(context, after.mapping)),
        unread=why,
    )


def _with_last(word: OurWord) -> Mapping[CustomerId, Members]:
    """Whom the sources assign, and whom the ERP's contacts assigned last."""
    found = dict(word.members)
    for user, customer_id in word.last.items():
        if customer_id is not None:
            members = found.get(customer_id, Members())
            found[customer_id] = replace(members, users=(*members.users, user))
    return found


def _people(profile: AccountProfile) -> Members:
    return Members(profile.organisations, profile.users, profile.exceptions, profile.barred)


def _shown_before(
    context: Context,
    sight: PriceSight,
    changed: Sequence[Access],
    shown: Mapping[CustomerId, AccountProfile],
) -> Iterator[Shown]:
    for some in chunks(changed, context.limits.accounts_per_read):
        ids = [each.customer_id for each in some]
        named = _by_owner(keys_in_store(context, ids))
        prices = sight.of_shown([shown[each] for each in ids])
        for each in some:
            owner = each.customer_id
            own = {name: tuple(sorted(held.get(owner, ()))) for name, held in named.items()}
            yield Shown(each, own, prices=prices.get(owner, ()))


def _findings(context: Context) -> tuple[Finding, ...]:
    return tuple(each for each in mapping_findings(context) if each.level is not FindingLevel.OK)


def _said_of(finding: Finding) -> tuple[str, str]:
    """What makes two findings the same: lines move with every edit."""
    return finding.subject, _PLACE.sub("", finding.message)


_PLACE = re.compile(r" \([a-z]+\.(?:csv|yaml):\d+\)")


def with_mapping(context: Context, mapping: SyncMapping) -> Context:
    """The same context on another version; other pipelines' retail groups stay what they are."""
    mapping = replace(mapping, groups_elsewhere=context.mapping.groups_elsewhere)
    return replace(context, mapping=mapping, accounts=AccountMap.of(mapping))


def _shown(
    context: Context,
    sight: PriceSight,
    touched: Sequence[Access],
    before: Container[CustomerId],
) -> Iterator[Shown]:
    done = 0
    for some in chunks(touched, context.limits.accounts_per_read):
        ids = [each.customer_id for each in some]
        fresh = [each for each in ids if each not in before]
        old = _by_owner(keys_in_store(context, [each for each in ids if each in before]))
        told = keys_in_erp(context, fresh)
        # What the store has no place for will not be seen.
        new = _by_owner({name: keys for name, keys in told.items() if name in old})
        prices = sight.of_accounts(ids, fresh)
        for each in some:
            owner = each.customer_id
            found = new if owner in fresh else old
            own = {name: tuple(sorted(held.get(owner, ()))) for name, held in found.items()}
            yield Shown(each, own, new=owner in fresh, prices=prices.get(owner, ()))
        done += len(some)
        context.progress("accounts: counting what there is to see", done, len(touched))


def _by_owner(
    keys: Mapping[str, Sequence[tuple[CustomerId, str]]],
) -> Mapping[str, Mapping[CustomerId, list[str]]]:
    found: dict[str, dict[CustomerId, list[str]]] = {name: {} for name in keys}
    for name, some in keys.items():
        for owner, number in some:
            found[name].setdefault(owner, []).append(number)
    return found


def _applications(context: Context, draft: SyncMapping) -> Iterator[str]:
    """Whom the next run of registrations asks for something else than it does now."""
    with context.state.transaction() as state:
        entries = state.registrations.entries([Stage.OPEN])
    for entry in sorted(entries, key=lambda each: each.application_id):
        then, now = (_standing(judged(entry, each)) for each in (context.mapping, draft))
        if then != now:
            yield f"application {entry.application_id}: {then} -> {now}"


def _standing(entry: RegistrationEntry) -> str:
    status = entry.status.name.lower().replace("_", " ")
    return f"{status}, lacks {', '.join(entry.missing) or 'nothing'}"


def _orders(before: Context, after: Context) -> Iterator[OrderEffect]:
    with before.state.transaction() as state:
        entries = list(state.ledger.entries(LedgerFilter(states=OPEN)))
    sides = (Lookups(before), Lookups(after))
    done = 0
    for some in chunks(sorted(entries, key=_age), before.limits.orders.batch):
        said: list[Mapping[WebOrderId, str]] = []
        for side in sides:
            side.read_ahead([(entry.order, entry.key) for entry in some])
            said.append({entry.order_id: _said(side, entry) for entry in some})
        for entry in some:
            then, now = (each[entry.order_id] for each in said)
            if then != now:
                yield OrderEffect(entry.order_id, entry.number, entry.state, then, now)
        done += len(some)
        before.progress("orders: judging both ways", done, len(entries))


def _age(entry: LedgerEntry) -> tuple[object, WebOrderId]:
    return entry.first_seen_at, entry.order_id


def _said(lookups: Lookups, entry: LedgerEntry) -> str:
    if entry.frozen is None:
        return _judged(lookups, entry)
    if not lookups.context.erp.capabilities.unique_external_key:
        return "a person must see whether the ERP took it"  # see OrderWork.resume
    return f"stays in {entry.frozen.sold_to} if the ERP took it, otherwise " + _judged(
        lookups, entry
    )


def _judged(lookups: Lookups, entry: LedgerEntry) -> str:
    outcome = outlook(lookups, entry.order, entry.key)
    match outcome:
        case Admitted(instruction, decision):
            kind = "retail group" if decision.retail else "account"
            return f"into {kind} {instruction.sold_to}"
        case Waits(code):
            return f"waits ({code})"
        case Quarantined(problems):
            return f"quarantined ({', '.join(sorted({each.code for each in problems}))})"
        case _:
            return f"closed ({outcome.why.value})"
