"""Deliberate defects, one at a time, to see whether the checks notice them.

This is the one place where our own functions are replaced: each mutant does so
for as long as its context lasts. Those that are harmless on an ERP that refuses
a second order under one key are listed as such, with what saves the day; they
must stay harmless, or a defence in depth is gone.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sync.domain.document import Document, MediaType
from sync.domain.entitlement import Entitlement
from sync.domain.ids import IdempotencyKey
from sync.domain.pricing import Audience, AudienceKind
from sync.domain.registration import UsableAccount
from sync.domain.sales_order import FoundOrder, OrderAcknowledgement, SalesOrder
from sync.domain.settlement import settlement_key
from sync.domain.views import (
    AccountOrderView,
    BalanceView,
    DocumentView,
    InvoiceView,
    ShipToView,
)
from sync.errors import FencedOff, OutcomeUnknown, TryLater
from sync.flows import (
    account_orders,
    accounts,
    balances,
    changes,
    contents,
    customer_parts,
    documents,
    entitlements,
    everybody,
    invoices,
    mirroring,
    order_status,
    price_run,
    price_skipping,
    prices,
    ship_tos,
)
from sync.flows import orders as order_import
from sync.flows.orders import aftermath, cancelling, capturing, crediting, discovery, records, work
from sync.flows.orders.hand import Hand, Ready
from sync.flows.orders.keeping import Keeping
from sync.flows.orders.records import LaterRecords
from sync.flows.orders.sending import Sending
from sync.flows.orders.settling import over
from sync.flows.orders.work import OrderWork
from sync.flows.price_confirming import Confirming
from sync.flows.price_lists import ListWriting
from sync.flows.price_skipping import Skipping
from sync.flows.registrations import desk
from sync.flows.registrations.desk import Desk
from sync.flows.vector_partitions import VectorPartitions
from sync.flows.vector_screening import VectorScreening
from sync.planning import availability as planned_stock
from sync.planning import membership, price_sharing, price_vectors
from sync.planning import prices as planned_prices
from sync.planning.documents import wanted_document
from sync.planning.membership import Members
from sync.planning.price_rules import Rules
from sync.planning.prices import shopper_audiences
from sync.ports.notices import notice_for
from sync.ports.price_memory import Confirmed, Partition
from sync.ports.registrations import ENDED, Happened, RegistrationEntry
from sync.ports.settlements import SettlementState
from sync.ports.state import Claim, LedgerState
from sync.state.ledger import SqlLedger
from sync.testing.erp import MEMORY_CAPABILITIES, MemoryErp
from sync.testing.price_lists import MemoryPrices
from tests.faults.memory_state import MemoryLedger, MemoryRegistrations
from tests.faults.money import ErpThatCreditsTwice
from tests.faults.registrations import CarelessErp, WatchedErp
from tests.scenarios.world import MILL

Apply = Callable[[], AbstractContextManager[None]]

CARELESS = replace(MEMORY_CAPABILITIES, unique_external_key=False)


@dataclass(frozen=True)
class Mutant:
    """``of`` names the checks to run; ``given`` are fields of the site that it lives on.

    ``harmless`` says what saves the day; None: a check must catch it.
    """

    name: str
    apply: Apply
    of: str = "orders"
    given: dict[str, Any] = field(default_factory=dict)
    harmless: str | None = None


def replacing(*places: tuple[Any, str, Any]) -> Apply:
    """For a while each place holds something else."""

    @contextmanager
    def replaced() -> Iterator[None]:
        before = [(owner, name, vars(owner)[name]) for owner, name, _ in places]
        try:
            for owner, name, other in places:
                setattr(owner, name, other)
            yield
        finally:
            for owner, name, held in before:
                setattr(owner, name, held)

    return replaced


def both(*applied: Apply) -> Apply:
    @contextmanager
    def all_of_them() -> Iterator[None]:
        with ExitStack() as stack:
            for each in applied:
                stack.enter_context(each())
            yield

    return all_of_them


@contextmanager
def as_it_is() -> Iterator[None]:
    """No defect but the one of the ERP on the site."""
    yield


# ERPs that are worse than they say.


class ErpWithoutIndex(MemoryErp):
    """It says that it refuses a second order under one key, and takes it."""

    def submit_order(self, order: SalesOrder, key: IdempotencyKey) -> OrderAcknowledgement:
        said, self._capabilities = self._capabilities, CARELESS
        try:
            return super().submit_order(order, key)
        finally:
            self._capabilities = said


class ErpThatDropsLines(MemoryErp):
    """It writes the header and the first line, and answers that all is well."""

    def submit_order(self, order: SalesOrder, key: IdempotencyKey) -> OrderAcknowledgement:
        return super().submit_order(replace(order, lines=order.lines[:1]), key)


class ErpThatKnowsTheAddress(MemoryErp):
    """It sends everything to the address that it sent the account's last order to."""

    _last: Any = None

    def submit_order(self, order: SalesOrder, key: IdempotencyKey) -> OrderAcknowledgement:
        self._last = self._last or order.ship_to
        return super().submit_order(replace(order, ship_to=self._last), key)


# The order import.


def no_look_up(self: OrderWork, claim: Claim) -> FoundOrder | None:
    return None


def watermark_first(context: Any, result: Any, scope: Any) -> None:
    """The watermark is at the end of the feed before a single row is kept."""
    with context.state.transaction() as state:
        held = state.watermarks.get(discovery.WATERMARK)
    newest = [page.reached for page in context.store.changed_orders(held)]
    with context.state.transaction() as state:
        if newest:
            state.watermarks.set(discovery.WATERMARK, newest[-1])
    for page in context.store.changed_orders(held):
        with context.state.transaction() as state:
            for order in page.orders:
                state.ledger.discover(order, context.clock.now())


def no_overlap(context: Any, scope: Any) -> discovery.Start:
    with context.state.transaction() as state:
        held = state.watermarks.get(discovery.WATERMARK)
    return discovery.Start(held, looks_back=False)


def no_token(self: SqlLedger, claim: Claim) -> Any:
    return self._known(claim.order_id)


def resumed_as_if_new(self: OrderWork, claim: Claim, instruction: SalesOrder) -> None:
    """Route and decide again at the retry, without a look at what went out."""
    self.records.thawed(claim, "tried again")
    order = self._as_it_is(claim)
    before, self._find = self._find, lambda claim: None  # type: ignore[method-assign]
    try:
        self.decide(claim, order)
    finally:
        self._find = before  # type: ignore[method-assign]


def sent_again_at_once(
    self: OrderWork, claim: Claim, instruction: SalesOrder, records: Any = None
) -> None:
    for _ in range(3):
        try:
            answer = self.submits.submit_order(instruction, claim.key)
        except OutcomeUnknown:
            continue
        self.records.imported(claim, instruction, answer.number)
        return
    raise TryLater("three times no answer")


def unknown_is_not_written(
    self: OrderWork, claim: Claim, instruction: SalesOrder, records: Any = None
) -> None:
    """A lost answer is taken for a call that never arrived."""
    try:
        answer = self.submits.submit_order(instruction, claim.key)
    except OutcomeUnknown as unknown:
        self.records.thawed(claim, "no answer: surely not written")
        raise TryLater(str(unknown)) from unknown
    self.records.imported(claim, instruction, answer.number)


def recorded_before_it_is_sent(
    self: OrderWork, claim: Claim, instruction: SalesOrder, records: Any = None
) -> None:
    self.records.imported(claim, instruction, None)
    self.submits.submit_order(instruction, claim.key)


def frozen_after_it_is_sent(
    self: OrderWork, claim: Claim, order: Any, admitted: Any, *, again: bool
) -> None:
    found = self._find(claim)
    if found is None:
        newest = self._as_it_is(claim)
        if newest is None or newest != order:
            self.decide(claim, newest, again=True)
            return
        self.submits.submit_order(admitted.order, claim.key)
        found = self._find(claim)
        assert found is not None
    self.records.frozen(claim, admitted)
    self.settle(claim, admitted.order, found)


def taken_as_ours(
    self: OrderWork, claim: Claim, instruction: SalesOrder, found: FoundOrder, records: Any = None
) -> None:
    self.records.imported(claim, instruction, found.number)


def no_look_together(self: Keeping, claims: Sequence[Claim]) -> dict[Any, Any]:
    return {}


def as_if_the_same(self: Sending, hand: Hand, each: Ready) -> bool:
    return True


def as_if_unchanged(self: Sending, hand: Hand, ready: list[Ready]) -> list[Ready]:
    return ready


_write = Keeping.write


def frozen_with_the_outcome(self: Keeping, hand: Hand | None = None) -> None:
    """A hand saves the commit of its instructions; they come with what became of them."""
    if hand is None or not hand.frozen or self.sent:
        _write(self, hand)


def group_not_written(self: Sending, hand: Hand, ready: Sequence[Ready], error: Exception) -> None:
    """A lost answer to a group is taken for a group that never arrived."""
    for each in ready:
        self.later.thawed(each.claim, "no answer: surely not written")
        self.later.retry(each.claim, error, in_flight=False)


_submit_group = Sending._submit_group


class _Wrapped:
    """Groups that are submitted, with something done before or after it."""

    def __init__(self, groups: Any, before: Any = None, after: Any = None) -> None:
        self._groups, self._before, self._after = groups, before, after

    def submit_orders(self, orders: Any) -> Any:
        if self._before is not None:
            self._before()
        answers = self._groups.submit_orders(orders)
        return answers if self._after is None else self._after(answers)


def refused_all(self: Sending, hand: Hand, groups: Any, ready: list[Ready]) -> None:
    """One order is wrong, and all of its group are put aside."""
    try:
        _submit_group(self, hand, groups, ready)
    finally:
        for claim, _ in hand.alone:
            if claim.order_id in hand.open:
                self.later.refused(claim, "the group was refused", "see the group")
                hand.settled(claim)


def answers_turned(self: Sending, hand: Hand, groups: Any, ready: list[Ready]) -> None:
    """The answers to a group are taken in another order than they came in."""
    _submit_group(self, hand, _Wrapped(groups, after=lambda answers: answers[::-1]), ready)


def group_recorded_first(self: Sending, hand: Hand, groups: Any, ready: list[Ready]) -> None:
    def record() -> None:
        for each in ready:
            self.work.records.imported(each.claim, each.admitted.order, None)

    _submit_group(self, hand, _Wrapped(groups, before=record), ready)


def never_too_late(self: OrderWork, claim: Claim, order: Any, admitted: Any) -> None:
    return None


def not_too_late_for_hands(self: Keeping, order_id: Any) -> None:
    return None


@contextmanager
def all_or_none(self: LaterRecords) -> Iterator[Any]:
    """Whoever was fenced off from one order drops what is held about the others, too."""
    held, lost = self._held, {}
    with self.context.state.transaction() as state:
        for step in held:
            try:
                step.write(state.ledger)
            except FencedOff:
                lost = {step.claim.order_id: step.claim}
                break
        yield state
    self._held = []
    self._lost.extend(lost)
    for step in held:
        step.tell()


def not_read_again(self: OrderWork, claim: Claim) -> Any:
    return claim.order


_due = MemoryLedger.due


def none_while_one_is_bad(self: MemoryLedger, now: datetime, limit: int) -> Sequence[Any]:
    if self.counts().get(LedgerState.QUARANTINED):
        return []
    return _due(self, now, limit)


_replay = SqlLedger.replay


def under_a_new_key(self: SqlLedger, order_id: Any, actor: str, reason: str, now: datetime) -> bool:
    done = _replay(self, order_id, actor, reason, now)
    row = self._row(order_id)
    if done and row is not None:
        self._update(row, {**row, "key": f"{row['key']}-again"})
    return done


def back_at_once(context: Any) -> float:
    return 0.0


def nothing_is_judged(context: Any, result: Any) -> None:
    return None


def shown_before_it_took(context: Any, result: Any, bounds: Any) -> None:
    """The ledger says that the store shows it; then the store is told."""
    with context.state.transaction() as state:
        entries = state.ledger.to_show(200)
        for entry in entries:
            notice = notice_for(entry)
            if notice is not None:
                state.ledger.record_shown(entry.order_id, notice, context.clock.now())
    for entry in entries:
        notice = notice_for(entry)
        if notice is not None:
            context.store.show_import(entry.order_id, notice)


# The mirrors.

_touched = changes.touched_accounts


def settled_before_it_is_written(context: Any, result: Any, *given: Any, **named: Any) -> Any:
    touched = _touched(context, result, *given, **named)
    touched.done(context, result, (), dry_run=False)
    return touched


def no_suspicion(tally: Any, guard: Any, *, whole: bool) -> None:
    return None


def the_whole_is_never_needed(tally: Any, guard: Any) -> bool:
    return False


_mapped = membership.mapped_accounts


def groups_are_members(mapping: Any, *given: Any) -> Any:
    found = dict(_mapped(mapping, *given))
    return found | {each: membership.Members() for each in mapping.retail_groups.customer_ids}


def no_withdrawal(context: Any, result: Any, *, dry_run: bool) -> None:
    return None


class _Anybody:
    """Passes for the proof that an account is no retail group."""

    def __init__(self, customer_id: Any) -> None:
        self.customer_id = customer_id


def anybody(context: Any, customer_id: Any) -> Any:
    return _Anybody(customer_id)


def unchecked(self: Any) -> None:
    return None


def everybody_is_public(channel: Any, group: Any) -> Audience:
    return Audience(AudienceKind.PUBLIC, group.value, channel.channel_id)


def lists_before_own_rows(self: Any) -> Iterator[None]:
    plan = self._plan
    own, plan.own = plan.own, {}
    yield from _in_order(self)
    plan.own = own
    plan.changes, plan.new_lists, plan.joins = [], [], []
    yield from _in_order(self)


_in_order = ListWriting._coming


def nothing_is_missing(rows: Any, others: Any) -> Any:
    return rows.slice(0, 0)


def nothing_is_hidden(*given: Any, **named: Any) -> set[Any]:
    return set()


def everybodys(sku: Any, item: Any, buyers: Any, mapping: Any) -> Entitlement:
    names = {Audience(AudienceKind.ACCOUNT, each.value) for each in buyers.accounts}
    found = names | shopper_audiences(mapping)
    return Entitlement(sku, tuple(sorted(found, key=lambda each: each.order)))


def tags_are_only_added(context: Any, store: Any, batch: Any) -> None:
    merged = [
        replace(each, after=replace(each.after, tags=_tags(each.before, each.after)))
        if each.after is not None
        else each
        for each in batch
    ]
    _write_accounts(context, store, merged)


_write_accounts = accounts._write


def _tags(*profiles: Any) -> tuple[str, ...]:
    return tuple(sorted({tag for each in profiles if each is not None for tag in each.tags}))


_MIRRORS = (accounts, ship_tos, invoices)


def in_each(modules: Sequence[Any], name: str, other: Any) -> Apply:
    return replacing(*((module, name, other) for module in modules))


def wherever(name: str, other: Any) -> Apply:
    """In each flow that has the name, however many come to have it."""
    flows = [each for of, each in sys.modules.items() if of.startswith("sync.flows.")]
    return in_each([each for each in flows if name in vars(each)], name, other)


# Registrations.


def no_customer_found(self: MemoryErp, key: IdempotencyKey) -> None:
    return None


unproven = ("__post_init__", lambda self: None)


def settled_without_a_word(self: Desk, application_id: Any, shown: Any) -> None:
    entry = self._entry(application_id)
    if entry.stage in ENDED and not entry.settled:
        self._save(replace(entry, settled=True), "store_told", "")


_save = MemoryRegistrations.save


def whoever_comes_last(
    self: MemoryRegistrations, entry: RegistrationEntry, happened: Happened, now: datetime
) -> RegistrationEntry:
    held = self.entry(entry.application_id)
    return _save(self, replace(entry, version=held.version if held else 0), happened, now)


def asked_without_a_word(
    entry: RegistrationEntry, key: IdempotencyKey, look_again_at: datetime
) -> RegistrationEntry:
    return replace(entry, key=key)


NO_FENCE = replacing((SqlLedger, "_held", no_token))
NO_LOOK_UP = replacing((OrderWork, "_find", no_look_up), (Keeping, "found", no_look_together))
NO_LOOK_OF_HANDS = replacing((Keeping, "found", no_look_together))
REFUSES_TWO = "the ERP refuses a second order under one key"
RETAIL_SHOWN = both(
    replacing((everybody, "mapped_accounts", groups_are_members)),
    wherever("withdraw_retail_groups", no_withdrawal),
    in_each(
        (*_MIRRORS, balances, customer_parts, documents, account_orders), "individual", anybody
    ),
    replacing(
        *(
            (view, "__post_init__", unchecked)
            for view in (InvoiceView, ShipToView, BalanceView, DocumentView, AccountOrderView)
        )
    ),
)


def members_and_groups(context: Any, scope: Any) -> Any:
    groups = dict.fromkeys(context.mapping.retail_groups.customer_ids, Members())
    return {**mirroring.members_of_accounts(context, scope), **groups}


# Of this one flow alone, so that no other notices it first.
PAPERS_OF_RETAIL_SHOWN = replacing(
    (documents, "members_of_accounts", members_and_groups),
    (documents, "withdraw_retail_groups", no_withdrawal),
    (documents, "individual", anybody),
    (DocumentView, "__post_init__", unchecked),
)


def of_the_second_account(*given: Any) -> Document:
    return replace(wanted_document(*given), sold_to=MILL)


def whatever_was_told(document: Document) -> None:
    return None


def whatever_comes(head: bytes) -> MediaType:
    return MediaType.PDF


def always_whole(kind: MediaType, tail: bytes) -> bool:
    return True


def no_captures_known(held: Any, records: Any) -> list[Any]:
    return []


def key_of_the_moment(order: Any, kind: str, number: str, length: int = 52) -> IdempotencyKey:
    """Another key for each attempt."""
    _moments.append(number)
    return IdempotencyKey(f"{kind}-{number}-{len(_moments)}")


_moments: list[str] = []


def notes_nothing(*_: Any) -> None:
    """Nobody remembers it."""


def credited_unseen(self: Any, entry: Any, refund: Any) -> None:
    """The record says that it is over before the ERP was asked."""
    [done] = self.keep(over(refund, SettlementState.DONE))
    key = settlement_key(entry.key, "refund", done.number)
    self.context.erp.request_credit(self._request(entry, done), key)


def seen_to_without_a_look(self: Any, entry: Any, refund: Any) -> None:
    key = settlement_key(entry.key, "refund", refund.number)
    self._ask(self.context.erp, entry, replace(refund, key=key))


def confirmed_before_it_is_written(self: Confirming, stale: Any) -> None:
    self._done.extend(self._wanted)
    self._commit([])
    self._wanted.clear()


def confirmed_by_the_first_call(self: Confirming, partition: Partition, changes: int = 1) -> None:
    if partition in self._wanted and partition not in self._done:
        self._finish(partition)


def nothing_ended(vector: Any, one: Any, other: Any) -> Any:
    return vector.column("sku").combine_chunks().slice(0, 0).cast("int64")


def whatever_is_remembered(self: VectorPartitions, partition: Partition) -> Confirmed | None:
    return None if self._checking.due(partition[1]) else self._held.get(partition)


def said_of_what_came_later(self: Skipping, level: Any, before: Any, after: Any, gone: Any) -> None:
    UNBROKEN_SETTLE(self, level, before, {**after, **before}, gone)


UNBROKEN_SETTLE = Skipping._settle


def only_what_is_told_of(self: Skipping, level: Any, states: Any) -> Any:
    return {each for each in states if not self._is_same(each, states)}


def asked_whatever_became_of_it(
    self: SqlLedger, order_id: Any, now: datetime, look_again_at: datetime
) -> bool:
    row = self._known(order_id)
    self._step(row, now, "cancel_asked", "", cancel_due_at=look_again_at, cancel_asked_at=now)
    return True


def cancelled_before_it_is_asked(context: Any, result: Any, erp: Any, entry: Any) -> None:
    """The ledger says that the ERP has cancelled it; then the ERP is asked."""
    with context.state.transaction() as state:
        state.ledger.record_cancelled(entry.order_id, context.clock.now())
    erp.cancel_order(entry.key)


def called_back_by_nobody(entry: Any, newer: Any) -> tuple[str, ...]:
    return ()


MUTANTS = (
    # Cancellations after the import.
    Mutant(
        "what was taken back meanwhile is cancelled all the same",
        replacing((SqlLedger, "cancel_asked", asked_whatever_became_of_it)),
        of="cancellations",
    ),
    Mutant(
        "a cancellation is over before the ERP was asked",
        replacing((cancelling, "_ask", cancelled_before_it_is_asked)),
        of="cancellations",
    ),
    Mutant(
        "nobody is told that a cancelled order is open again",
        replacing((aftermath, "called_back", called_back_by_nobody)),
        of="cancellations",
    ),
    # Money after the import.
    Mutant(
        "nobody notes that something was shipped",
        replacing((order_status, "note_shipped", notes_nothing)),
        of="money",
    ),
    Mutant(
        "nobody notes a refund",
        replacing((aftermath, "note_refunds", notes_nothing)),
        of="money",
    ),
    Mutant(
        "what was captured before counts for nothing",
        both(
            replacing((capturing, "_known", no_captures_known)),
            replacing((capturing, "settlement_key", key_of_the_moment)),
        ),
        of="money",
    ),
    Mutant(
        "a refund is over before the ERP was asked",
        replacing((crediting._Crediting, "see_to", credited_unseen)),
        of="money",
    ),
    Mutant(
        "a refund is not looked for in the ERP",
        replacing((crediting._Crediting, "see_to", seen_to_without_a_look)),
        of="money",
        given={"erp_kind": ErpThatCreditsTwice},
    ),
    Mutant(
        "a refund is not looked for, in an ERP that refuses a second one",
        replacing((crediting._Crediting, "see_to", seen_to_without_a_look)),
        of="money",
        harmless="the ERP refuses a second credit under one key",
    ),
    # One order twice.
    Mutant(
        "no look-up, on an ERP without the unique key",
        NO_LOOK_UP,
        given={"erp_kind": ErpWithoutIndex},
    ),
    Mutant("no look-up, on an ERP with the unique key", NO_LOOK_UP),
    Mutant(
        "no unique key in the ERP, though it says so", as_it_is, given={"erp_kind": ErpWithoutIndex}
    ),
    Mutant(
        "an unknown outcome is sent again at once",
        replacing((OrderWork, "send", sent_again_at_once)),
        given={"erp_kind": ErpWithoutIndex},
    ),
    Mutant(
        "an unknown outcome is sent again at once, to an ERP with the unique key",
        replacing((OrderWork, "send", sent_again_at_once)),
        harmless=REFUSES_TWO,
    ),
    Mutant(
        "a hand does not look before it sends",
        NO_LOOK_OF_HANDS,
        harmless=REFUSES_TWO,
    ),
    Mutant(
        "a group is not looked up, neither before nor after",
        NO_LOOK_OF_HANDS,
        of="groups",
        harmless=f"{REFUSES_TWO}, and each order is looked up alone",
    ),
    Mutant(
        "a group's lost answer is taken for not written",
        replacing((Sending, "_find_out", group_not_written)),
        of="groups",
    ),
    Mutant(
        "an unknown outcome is taken for not written",
        replacing((OrderWork, "send", unknown_is_not_written)),
    ),
    Mutant(
        "an unknown outcome is looked up at once",
        replacing(
            (records, "look_again_after_s", back_at_once),
            (work, "look_again_after_s", back_at_once),
        ),
    ),
    Mutant(
        "routed again at the retry, without a look",
        replacing((OrderWork, "resume", resumed_as_if_new)),
    ),
    Mutant("replayed under a new key", replacing((SqlLedger, "replay", under_a_new_key))),
    Mutant("the fencing token is not checked", NO_FENCE),
    Mutant(
        "the fencing token is not checked for a group",
        NO_FENCE,
        of="groups",
    ),
    # One order lost.
    Mutant(
        "the watermark moves before the rows are kept",
        replacing((order_import, "discover", watermark_first)),
    ),
    Mutant("no overlap", replacing((discovery, "reading_from", no_overlap))),
    Mutant(
        "recorded as imported before it is sent",
        replacing((OrderWork, "send", recorded_before_it_is_sent)),
    ),
    Mutant(
        "one in quarantine blocks the others",
        replacing((MemoryLedger, "due", none_while_one_is_bad)),
    ),
    Mutant(
        "a group is recorded as imported before it is sent",
        replacing((Sending, "_submit_group", group_recorded_first)),
        of="groups",
    ),
    Mutant(
        "a refused group puts all of its orders aside",
        replacing((Sending, "_submit_group", refused_all)),
        of="groups",
    ),
    Mutant(
        "what is held about the others is dropped with an order that was taken over",
        replacing((LaterRecords, "transaction", all_or_none)),
        of="groups",
    ),
    Mutant(
        "what arrives after others took over is looked for by nobody",
        replacing((OrderWork, "too_late", never_too_late)),
    ),
    Mutant(
        "what a hand sent and others took over is looked for by nobody",
        replacing((Keeping, "_taken_over", not_too_late_for_hands)),
    ),
    Mutant(
        "what a group sent and others took over is looked for by nobody",
        replacing((Keeping, "_taken_over", not_too_late_for_hands)),
        of="groups",
    ),
    # One order changed.
    Mutant(
        "frozen only after it was sent", replacing((OrderWork, "_submit", frozen_after_it_is_sent))
    ),
    Mutant(
        "a hand is frozen only after it was sent",
        replacing((Keeping, "write", frozen_with_the_outcome)),
    ),
    Mutant(
        "a group is frozen only after it was sent",
        replacing((Keeping, "write", frozen_with_the_outcome)),
        of="groups",
    ),
    Mutant(
        "the outcomes of a group are recorded for the wrong orders",
        replacing((Sending, "_submit_group", answers_turned)),
        of="groups",
    ),
    Mutant(
        "what is found is taken as ours, whatever it is",
        replacing((OrderWork, "settle", taken_as_ours)),
    ),
    Mutant("not read again at the retry", replacing((OrderWork, "_as_it_is", not_read_again))),
    Mutant(
        "not read again before it is sent", replacing((Sending, "_still_the_same", as_if_the_same))
    ),
    Mutant(
        "a group is not read again before it is sent",
        replacing((Sending, "_unchanged", as_if_unchanged)),
        of="groups",
    ),
    Mutant(
        "late changes are judged by nobody",
        replacing((order_import, "judge_changes", nothing_is_judged)),
    ),
    Mutant("an ERP that drops lines", as_it_is, given={"erp_kind": ErpThatDropsLines}),
    Mutant(
        "an ERP that knows the address better", as_it_is, given={"erp_kind": ErpThatKnowsTheAddress}
    ),
    # What the store is told.
    Mutant(
        "acknowledged before the store was told",
        replacing((order_import, "tell_store", shown_before_it_took)),
    ),
    # Mirrors.
    Mutant(
        "a mirror's watermark moves before the store has confirmed",
        in_each(_MIRRORS, "touched_accounts", settled_before_it_is_written),
        of="mirrors",
    ),
    Mutant("guard rails off", replacing((mirroring, "suspicion", no_suspicion)), of="mirrors"),
    Mutant(
        "a dry source is judged account by account",
        replacing(
            (mirroring, "needs_the_whole", the_whole_is_never_needed),
            (mirroring, "suspicion", no_suspicion),
        ),
        of="mirrors",
    ),
    Mutant("invoices and ship-tos of a retail group are published", RETAIL_SHOWN, of="mirrors"),
    Mutant(
        "the documents of a retail group are published",
        PAPERS_OF_RETAIL_SHOWN,
        of="mirrors",
    ),
    Mutant(
        "a document is shown to another account",
        replacing((documents, "wanted_document", of_the_second_account)),
        of="mirrors",
    ),
    Mutant(
        "a file is published though its SHA-256 is another",
        replacing((contents, "told_sha256", whatever_was_told)),
        of="mirrors",
    ),
    Mutant(
        "a file of any type is published",
        replacing((contents, "media_type", whatever_comes), (contents, "is_whole", always_whole)),
        of="mirrors",
    ),
    Mutant(
        "what became a retail group's stays in sight",
        wherever("withdraw_retail_groups", no_withdrawal),
        of="mirrors",
    ),
    Mutant(
        "a public price behind a login wall",
        replacing((planned_prices, "shopper_audience", everybody_is_public)),
        of="mirrors",
    ),
    Mutant(
        "a new login wall hides nothing",
        both(
            replacing((prices, "_withdraw_hidden", nothing_is_hidden)),
            replacing(
                (price_run, "shopper_audience", everybody_is_public),
                (planned_prices, "shopper_audience", everybody_is_public),
            ),
        ),
        of="mirrors",
    ),
    Mutant(
        "prices are taken for confirmed before the store has them",
        replacing(
            (Confirming, "begin", confirmed_before_it_is_written),
            (Confirming, "before", lambda self, partitions: None),
        ),
        of="prices",
    ),
    Mutant(
        "prices are taken for confirmed when the first of their calls is",
        replacing((Confirming, "written", confirmed_by_the_first_call)),
        of="prices",
    ),
    Mutant(
        "what is remembered of prices stays while they are written",
        replacing((Confirming, "before", lambda self, partitions: None)),
        of="prices",
    ),
    Mutant(
        "a price that ended is not looked at",
        replacing((price_vectors, "ended_between", nothing_ended)),
        of="prices",
    ),
    Mutant(
        "prices are published by other rules, and nobody sees it",
        replacing((Rules, "fingerprint", property(lambda self: bytes(16)))),
        of="prices",
    ),
    Mutant(
        "an item that is news to nobody is published unasked",
        replacing((VectorScreening, "look_at", lambda self, rows: None)),
        of="prices",
    ),
    Mutant(
        "what a store that was emptied had shown is believed",
        replacing((VectorPartitions, "_trusted", whatever_is_remembered)),
        of="prices",
    ),
    Mutant(
        "a list that was read before is the same whatever the ERP says of it",
        replacing(
            (Skipping, "_is_same", lambda self, scope, states: scope in self._remembered),
        ),
        of="prices",
    ),
    Mutant(
        "what the ERP said before is remembered of what was read later",
        replacing((Skipping, "_settle", said_of_what_came_later)),
        of="prices",
    ),
    Mutant(
        "what is read is believed, whatever number of entries the ERP's server counts",
        replacing((price_skipping._Counts, "take", lambda self, scope, entries: True)),
        of="prices",
    ),
    Mutant(
        "of a list that the ERP's server counts and does not tell, all is taken away",
        replacing((Skipping, "_read_again", lambda self, *given: iter(()))),
        of="prices",
    ),
    Mutant(
        "a list that the ERP says nothing of is taken away unread",
        replacing((Skipping, "_doubtful", only_what_is_told_of)),
        of="prices",
    ),
    Mutant(
        "a list changes, and who keeps the price is given none of its own before",
        replacing((ListWriting, "_silent", lambda self: iter(()))),
        of="price_lists",
    ),
    Mutant(
        "a list gets a price before who is to have another one",
        replacing((ListWriting, "_coming", lists_before_own_rows)),
        of="price_lists",
    ),
    Mutant(
        "members join a list that lacks a row, or has one too many for them",
        replacing((price_sharing, "_only", nothing_is_missing)),
        of="price_lists",
    ),
    Mutant(
        "a list is changed as it was planned, whatever it is by now",
        replacing((MemoryPrices, "_refuse_moved", lambda self, change: None)),
        of="price_lists",
    ),
    Mutant(
        "public stock behind a login wall",
        replacing((planned_stock, "shopper_audience", everybody_is_public)),
        of="mirrors",
    ),
    Mutant(
        "a restricted item is shown to all",
        replacing((entitlements, "entitlement_of", everybodys)),
        of="mirrors",
    ),
    Mutant(
        "the tag of a group that the account left stays",
        replacing((accounts, "_write", tags_are_only_added)),
        of="mirrors",
    ),
    Mutant(
        "stock of an item that some alone may buy is shown to all",
        replacing((planned_stock, "entitlement_of", everybodys)),
        of="mirrors",
    ),
    # Registrations.
    Mutant(
        "a customer is asked for without a look whether it is there",
        replacing((WatchedErp, "find_customer", no_customer_found)),
        of="registrations",
        given={"erp_kind": CarelessErp},
    ),
    Mutant(
        "active before the mapping in force says so",
        replacing((Desk, "_in_force", lambda self, entry: True)),
        of="registrations",
    ),
    Mutant(
        "active whatever the ERP calls the account",
        replacing((desk, "why_unusable", lambda account: None), (UsableAccount, *unproven)),
        of="registrations",
    ),
    Mutant(
        "over before the store was told",
        replacing((Desk, "tell_store", settled_without_a_word)),
        of="registrations",
    ),
    Mutant(
        "what staff decided meanwhile is overwritten",
        replacing((MemoryRegistrations, "save", whoever_comes_last)),
        of="registrations",
    ),
    Mutant(
        "the state does not say that the ERP was asked",
        replacing((desk, "asked_for", asked_without_a_word)),
        of="registrations",
    ),
)
