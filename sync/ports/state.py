"""What the daemon remembers. Flows open and commit transactions; nobody else does.

``State.transaction`` gives one database transaction with everything in it; it
commits at the end of the block and rolls back when the block raises. No
transaction is ever held open across a call to the ERP or the store.

The order ledger walks discovered -> submitting -> imported -> acknowledged, or
aside to waiting, quarantined, review or closed. A claim carries a fencing token;
every later write about that order names it and raises FencedOff when another
worker has taken the order over meanwhile.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from enum import Enum
from typing import Protocol

from sync.domain import codec
from sync.domain.decision import Closing, Decision, Problem
from sync.domain.ids import (
    ChannelId,
    CustomerId,
    ErpOrderNumber,
    IdempotencyKey,
    WebOrderId,
    WebUserId,
)
from sync.domain.order import StoreOrder
from sync.domain.sales_order import OrderStatus, SalesOrder
from sync.domain.times import Watermark
from sync.domain.views import ImportNotice
from sync.ports.audit import Audit
from sync.ports.price_memory import PriceMemory
from sync.ports.record_memory import RecordMemory
from sync.ports.registrations import Registrations
from sync.ports.settlements import Settlements
from sync.ports.systems import Systems

DAEMON = "daemon"
"""The actor of what nobody does by hand."""


class LedgerState(Enum):
    DISCOVERED = "discovered"
    WAITING = "waiting"
    SUBMITTING = "submitting"
    IMPORTED = "imported"
    ACKNOWLEDGED = "acknowledged"
    QUARANTINED = "quarantined"
    REVIEW = "review"
    CLOSED = "closed"


class Discovery(Enum):
    """What the ledger made of an order that the store showed."""

    NEW = "new"
    CHANGED = "changed"
    SAME = "same"


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to write about one order until ``lease_until``.

    ``frozen`` is the instruction of an earlier attempt: where there is one, the
    ERP may already hold the order, and it is looked for before anything else.
    ``was`` is the state before the claim: what waited may be stale by now.
    """

    order_id: WebOrderId
    token: int
    attempt: int
    lease_until: datetime
    order: StoreOrder
    key: IdempotencyKey
    frozen: SalesOrder | None = None
    was: LedgerState = LedgerState.DISCOVERED


@dataclass(frozen=True, slots=True)
class LedgerEvent:
    """One step in the life of an order; ``actor`` is ``DAEMON`` or a person."""

    at: datetime
    event: str
    actor: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """Everything known about one web order.

    ``differences`` are the sentences of a review; ``shown`` is the last notice
    that the store confirmed; ``status`` the last ERP status mirrored; ``told_at``
    when either became what it is.
    ``waiting_for`` is the code and ``waiting_sentence`` the words of what it
    waits for; ``message`` the last word about an attempt that did not end;
    ``trail`` how a quarantine was decided; ``imported_at`` when the ERP took
    the order, None while it has not, also where its number follows later.
    ``cancel_due_at``: when to see to its cancellation in the ERP, None while none
    is under way; ``cancel_asked_at`` when the ERP was last asked for it.
    ``reduced_at``: when what it says of people was taken out. ``customer_id`` is
    the account that it is under, or for one in quarantine would go into.
    ``mapping_version`` is that of the mapping by which it was admitted, waits, is
    held or was closed; None while nothing has been decided about it.
    ``erased``: its buyer's data were taken out (OP-9); it is never imported again.
    """

    order_id: WebOrderId
    number: str
    channel: ChannelId | None
    state: LedgerState
    key: IdempotencyKey
    order: StoreOrder
    first_seen_at: datetime
    changed_at: datetime
    attempts: int = 0
    next_check_at: datetime | None = None
    lease_until: datetime | None = None
    waiting_for: str | None = None
    problems: tuple[Problem, ...] = ()
    differences: tuple[str, ...] = ()
    decision: Decision | None = None
    frozen: SalesOrder | None = None
    erp_order: ErpOrderNumber | None = None
    closing: Closing | None = None
    closing_note: str | None = None
    shown: ImportNotice | None = None
    status: OrderStatus | None = None
    told_at: datetime | None = None
    waiting_sentence: str | None = None
    message: str | None = None
    trail: tuple[str, ...] = ()
    imported_at: datetime | None = None
    cancel_due_at: datetime | None = None
    cancel_asked_at: datetime | None = None
    reduced_at: datetime | None = None
    customer_id: CustomerId | None = None
    mapping_version: str | None = None
    erased: bool = False

    @property
    def to_buyers(self) -> ShownOrder:
        """The part of it that is shown."""
        return ShownOrder(*(getattr(self, each.name) for each in fields(ShownOrder)))


@dataclass(frozen=True, slots=True)
class ShownOrder:
    """What the store shows and should show of one web order, as in ``LedgerEntry``.

    Orders are many and most come to rest: whoever only asks what their buyers see
    reads neither their contents nor their instructions.
    """

    order_id: WebOrderId
    number: str
    state: LedgerState
    key: IdempotencyKey
    erp_order: ErpOrderNumber | None
    closing: Closing | None
    closing_note: str | None
    shown: ImportNotice | None
    status: OrderStatus | None
    told_at: datetime | None
    waiting_sentence: str | None
    problems: tuple[Problem, ...]
    imported_at: datetime | None
    erased: bool


@dataclass(frozen=True, slots=True)
class PlacedOrder:
    """A web order that the ERP has or may have, and the account that it is under there."""

    order_id: WebOrderId
    number: str
    key: IdempotencyKey
    customer_id: CustomerId
    erp_order: ErpOrderNumber | None


@dataclass(frozen=True, slots=True)
class LedgerFilter:
    """Which entries; an empty set or None does not restrict."""

    states: frozenset[LedgerState] = frozenset()
    order_ids: frozenset[WebOrderId] = frozenset()
    numbers: frozenset[str] = frozenset()
    code: str | None = None
    customer_id: CustomerId | None = None
    channel: ChannelId | None = None
    seen_before: datetime | None = None
    limit: int | None = None


class Ledger(Protocol):
    def key_of(self, order: StoreOrder) -> IdempotencyKey:
        """The key of an order that was never seen, if it were discovered now."""
        ...

    def discover(self, order: StoreOrder, now: datetime) -> Discovery:
        """Insert the order, or take over its newer version while it is not claimed.

        A waiting order whose content or state changed becomes due at once. So
        does one in quarantine: the store's correction may be the cure. An order
        at rest in review, imported, acknowledged or closed keeps its state; its
        newest version is kept beside it (``changed_since``), and so it is while
        the order is claimed or an instruction for the ERP is out. What is older
        than the version at hand, or differs in ``modified_at`` only, is SAME.
        """
        ...

    def changed_since(self, limit: int) -> Sequence[tuple[LedgerEntry, StoreOrder]]:
        """Entries that left our hands, each with a newer version that nobody judged yet."""
        ...

    def unchanged(self, orders: Collection[StoreOrder]) -> Collection[WebOrderId]:
        """Those of a few hundred orders of which ``discover`` would learn nothing at all.

        One question for all of them: a feed that overlaps shows each order
        many times, and an order that did not change should cost next to nothing.
        """
        ...

    def settle_change(
        self, order_id: WebOrderId, now: datetime, differences: tuple[str, ...]
    ) -> None:
        """The newer version is judged. With differences the entry goes to review."""
        ...

    def want_cancelled(self, order_id: WebOrderId, now: datetime) -> None:
        """The newer version is judged: the ERP shall cancel the order too."""
        ...

    def cancelling(self, now: datetime, limit: int) -> Sequence[LedgerEntry]:
        """Entries whose cancellation is to be seen to by now, the longest wanted first."""
        ...

    def cancel_asked(self, order_id: WebOrderId, now: datetime, look_again_at: datetime) -> bool:
        """Before the ERP is asked: whatever comes of it is looked up after that moment.

        False, and nothing is asked, where it is no longer to be seen to by now: the store
        took it back, or another worker asks.
        """
        ...

    def cancel_put_off(
        self, order_id: WebOrderId, why: str, now: datetime, not_before: datetime
    ) -> None:
        """The ERP was surely not reached: ask again after that moment, unless the store
        took the cancellation back meanwhile."""
        ...

    def record_cancelled(self, order_id: WebOrderId, now: datetime) -> None:
        """The ERP has it as cancelled, as the store has."""
        ...

    def due(self, now: datetime, limit: int) -> Sequence[WebOrderId]:
        """Orders to work on, oldest placed first: discovered, waiting and submitting
        ones whose next check (lease) has come."""
        ...

    def claim(self, order_id: WebOrderId, now: datetime, ttl_s: float) -> Claim | None:
        """Take the order, state submitting, token one higher; None if it is not due."""
        ...

    def claim_all(
        self, order_ids: Sequence[WebOrderId], now: datetime, ttl_s: float
    ) -> Sequence[Claim]:
        """Each of these as ``claim`` does, in their order; those not due are absent."""
        ...

    def give_back(self, claim: Claim, now: datetime) -> None:
        """Nothing was sent: as it was before the claim, due at once, no attempt counted.

        With an instruction out, of an earlier attempt, it stays submitting.
        """
        ...

    def together(self, order_ids: Sequence[WebOrderId]) -> AbstractContextManager[None]:
        """The steps on these orders within the block share their queries.

        They take effect when the block ends; what raises out of it takes them all
        back. A FencedOff that is caught within it concerns its own order alone.
        """
        ...

    def refresh(self, claim: Claim, order: StoreOrder) -> None:
        """Keep the version of the order that was read just now."""
        ...

    def freeze(self, claim: Claim, order: SalesOrder, decision: Decision, now: datetime) -> None:
        """Keep the instruction and the decision, before the first attempt to send it."""
        ...

    def thaw(self, claim: Claim, now: datetime, why: str) -> None:
        """Drop the instruction of an attempt that surely never reached the ERP."""
        ...

    def record_imported(
        self, claim: Claim, number: ErpOrderNumber | None, now: datetime
    ) -> None: ...

    def record_arrived(
        self,
        claim: Claim,
        order: StoreOrder,
        sent: SalesOrder,
        decision: Decision,
        number: ErpOrderNumber | None,
        now: datetime,
    ) -> bool:
        """The ERP has what was sent under this claim, which is over by now.

        Whoever took the order over was told that nothing had arrived. It is
        imported as it was sent, whatever became of it since, and who holds it is
        fenced off; a version of the order that is newer than ``order`` is judged
        as one that came after the import. False, and nothing done, where the
        import is on record already.
        """
        ...

    def record_unknown(self, claim: Claim, message: str, look_again_at: datetime) -> None:
        """The outcome is unknown: stay submitting, come back after that moment."""
        ...

    def record_retry(self, claim: Claim, message: str, not_before: datetime) -> None:
        """Surely not written: due again after that moment, attempts kept."""
        ...

    def record_waiting(
        self, claim: Claim, code: str, sentence: str, next_check_at: datetime, mapping_version: str
    ) -> None:
        """Decided by that version of the mapping, like each of the next three."""
        ...

    def record_quarantined(
        self,
        claim: Claim,
        problems: tuple[Problem, ...],
        now: datetime,
        mapping_version: str,
        trail: tuple[str, ...] = (),
        customer_id: CustomerId | None = None,
    ) -> None:
        """With ``customer_id``, people find it by the account that it would go into."""
        ...

    def record_review(
        self, claim: Claim, differences: tuple[str, ...], now: datetime, mapping_version: str
    ) -> None:
        """One with an instruction out keeps the version that admitted it."""
        ...

    def record_closed(
        self, claim: Claim, why: Closing, sentence: str, now: datetime, mapping_version: str
    ) -> None: ...

    def replay(self, order_id: WebOrderId, actor: str, reason: str, now: datetime) -> bool:
        """Quarantined or in review without an ERP order: due again, decided anew.

        False when the entry is in no state to be replayed, or was erased.
        """
        ...

    def dismiss(self, order_id: WebOrderId, actor: str, reason: str, now: datetime) -> bool:
        """Quarantined or in review: closed for ever, with the reason.

        An order that the ERP has taken is never closed: dismissing its review
        accepts the differences, and it is imported or acknowledged as before.
        """
        ...

    def release_expired(self, now: datetime, settled_at: datetime | None = None) -> int:
        """At start-up, as the only writer: make every claimed order due at once.

        Those with an instruction still wait out their look-again moment, or
        until ``settled_at`` if that is sooner: the moment from which the ERP is
        surely done with all that the worker before us can have begun. It is
        known only where that worker is known to be gone.
        """
        ...

    def to_show(self, limit: int) -> Sequence[ShownOrder]:
        """Orders whose notice in the store is not what it should be."""
        ...

    def record_shown(
        self,
        order_id: WebOrderId,
        notice: ImportNotice,
        now: datetime,
        *,
        since: ShownOrder | None = None,
    ) -> None:
        """The store confirmed this notice; an imported order becomes acknowledged.

        ``since`` is the entry that the notice was made of. Where another notice was
        confirmed after it, nobody knows which of the two the store took last: the
        entry's notice is due again.
        """
        ...

    def told(
        self, after: datetime, until: datetime, last: ShownOrder | None, limit: int
    ) -> Sequence[ShownOrder]:
        """Orders of which the store was last told in that time (``told_at``), longest
        ago first, after ``last``.

        One that was told exactly ``after`` is left out, one ``until`` is not.
        """
        ...

    def filed_under(
        self, customer_ids: Collection[CustomerId]
    ) -> Mapping[tuple[CustomerId, IdempotencyKey], WebOrderId]:
        """The orders that are or would be under one of these accounts, by account and key."""
        ...

    def open_orders(self, after: WebOrderId | None, limit: int) -> Sequence[ShownOrder]:
        """Imported orders whose ERP status may still move, by order ID, after that one."""
        ...

    def record_status(self, order_id: WebOrderId, status: OrderStatus, now: datetime) -> None: ...

    def record_refused(
        self, order_id: WebOrderId, status: OrderStatus, problem: Problem, now: datetime
    ) -> None:
        """The ERP took the order and refused it afterwards: quarantined, to be replayed."""
        ...

    def needs_person(self, order_id: WebOrderId, sentences: tuple[str, ...], now: datetime) -> bool:
        """An imported order goes to review, or stays there, with these sentences too.

        What is known of newer versions stays as it is. False, and nothing done, for
        one that is not in the ERP (any more).
        """
        ...

    def reduce_done(self, before: datetime, now: datetime, limit: int) -> int:
        """Take what names people out of so many entries that are done since ``before``.

        Their keys, amounts and decisions stay for ever. Gives how many were reduced.
        """
        ...

    def still_whole(self, before: datetime) -> int:
        """How many entries ``reduce_done`` would reduce."""
        ...

    def held_for(self) -> dict[str, int]:
        """How many orders in quarantine or review each code holds up; "review" for a
        difference. One that several codes hold up counts for each of them."""
        ...

    def decided_under(self) -> dict[str | None, int]:
        """How many orders that wait, or are in quarantine or review, each version of the
        mapping decided."""
        ...

    def entry(self, order_id: WebOrderId) -> LedgerEntry | None: ...

    def entries(self, wanted: LedgerFilter) -> Sequence[LedgerEntry]:
        """Newest change first."""
        ...

    def placed_under(self, customer_ids: Collection[CustomerId]) -> Sequence[PlacedOrder]:
        """Every order of these accounts that the ERP has or may have, in any order."""
        ...

    def history(self, order_id: WebOrderId) -> Sequence[LedgerEvent]: ...

    def counts(self) -> dict[LedgerState, int]: ...


class Watermarks(Protocol):
    def get(self, name: str) -> Watermark | None: ...

    def set(self, name: str, watermark: Watermark) -> None: ...

    def beneath(self, prefix: str) -> Mapping[str, Watermark]:
        """All whose names begin so, each under the rest of its name."""
        ...

    def remove(self, names: Collection[str]) -> None:
        """Those of them that there are."""
        ...


@dataclass(frozen=True, slots=True)
class RunStep:
    """How far a run is with one of its steps: ``done`` of ``total``, None where nobody knows.

    ``done`` was ``begun_with`` at ``begun_at`` and is what it is since ``told_at``.
    """

    name: str
    done: int
    total: int | None
    begun_with: int
    begun_at: datetime
    told_at: datetime

    def left(self, now: datetime) -> timedelta | None:
        """How long it takes yet, if it goes on as it went so far; None where nobody can tell."""
        went, took = self.done - self.begun_with, self.told_at - self.begun_at
        if self.total is None or self.total <= self.done or went <= 0 or took <= timedelta():
            return None
        left = took * ((self.total - self.done) / went) - (now - self.told_at)
        return max(left, timedelta())


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run of one flow. ``outcome`` is ok, failed, refused, cancelled, try_later or running.

    A ``narrow`` one was for a part, such as the orders that a store hinted at. It
    takes the place of no run by the clock. ``steps`` are those of one that runs, in the
    order in which it came to them.
    """

    run_id: str
    flow: str
    started_at: datetime
    finished_at: datetime | None = None
    outcome: str = "running"
    counts: dict[str, int] = field(default_factory=dict)
    message: str = ""
    narrow: bool = False
    steps: tuple[RunStep, ...] = ()


class Runs(Protocol):
    def start(self, run_id: str, flow: str, now: datetime, *, narrow: bool = False) -> None: ...

    def tell(self, run_id: str, steps: Sequence[RunStep]) -> None:
        """How far a run is that has not ended; nothing is noted of any other."""
        ...

    def finish(
        self, run_id: str, outcome: str, counts: dict[str, int], message: str, now: datetime
    ) -> None: ...

    def last(
        self, flow: str | None = None, limit: int = 20, *, whole: bool = False
    ) -> Sequence[RunRecord]:
        """Newest first; ``whole`` leaves out those that were for a part."""
        ...

    def abandon_running(self, now: datetime) -> int:
        """At start-up: runs that a dead process left behind are marked as such."""
        ...


class RequestState(Enum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class ResyncScope:
    """What a person asked for; nothing given restricts nothing.

    ``everything`` makes a mirror compare all accounts, where a run by the clock
    may look only at those that the ERP calls changed: its change feeds tell
    nothing of rows that were deleted. ``hinted`` are orders that the store says
    have news: they are read, and whatever is due is worked on.
    """

    customer: str | None = None
    order: str | None = None
    sku: str | None = None
    channel: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    confirm_plan: str | None = None
    everything: bool = False
    hinted: tuple[WebOrderId, ...] = ()

    @property
    def parts(self) -> tuple[str, ...]:
        """What it restricts, by the names of the fields."""
        names = ("customer", "order", "sku", "channel", "since", "until")
        return tuple(name for name in names if getattr(self, name) is not None)

    @property
    def narrow(self) -> bool:
        """Whether something lies outside it."""
        return bool(self.hinted or self.parts)


@dataclass(frozen=True, slots=True)
class ResyncRequest:
    """A manual run that the daemon picks up. ``done`` of ``total`` is progress."""

    request_id: str
    flow: str
    scope: ResyncScope
    actor: str
    state: RequestState
    asked_at: datetime
    done: int = 0
    total: int | None = None
    message: str = ""
    cancel_asked: bool = False
    result: dict[str, int] = field(default_factory=dict)


class Requests(Protocol):
    def ask(self, flow: str, scope: ResyncScope, actor: str, now: datetime) -> str:
        """Leave a request; gives its ID."""
        ...

    def next(self, now: datetime) -> ResyncRequest | None:
        """Take the oldest queued request that can be read, which is running from now on."""
        ...

    def progress(self, request_id: str, done: int, total: int | None) -> bool:
        """Note the progress; True when somebody asked to cancel."""
        ...

    def finish(
        self,
        request_id: str,
        state: RequestState,
        message: str,
        result: dict[str, int],
        now: datetime,
    ) -> None: ...

    def cancel(self, request_id: str) -> bool: ...

    def get(self, request_id: str) -> ResyncRequest | None: ...

    def last(self, limit: int = 20) -> Sequence[ResyncRequest]: ...

    def requeue_running(self) -> int:
        """At start-up: what a dead process had begun is queued again."""
        ...


@dataclass(frozen=True, slots=True)
class HeldPlan:
    """A plan that the guard rails refused, until a person confirms it."""

    plan_id: str
    flow: str
    digest: str
    reason: str
    counts: dict[str, int]
    at: datetime
    confirmed_by: str | None = None


class Plans(Protocol):
    def hold(self, plan: HeldPlan) -> None:
        """Keep a refused plan; the same flow and digest keep their first ID."""
        ...

    def confirm(self, plan_id: str, actor: str, now: datetime) -> HeldPlan | None: ...

    def confirmed(self, flow: str, digest: str) -> bool:
        """Whether a person confirmed exactly this plan."""
        ...

    def open(self) -> Sequence[HeldPlan]: ...

    def clear(self, flow: str) -> None:
        """A later plan of the flow went through: what was held is history."""
        ...


@dataclass(frozen=True, slots=True)
class GoodMapping:
    """The files of the last mapping that passed all checks, by name.

    ``before`` are those of the good version before it; None for the first.
    """

    version: str
    files: dict[str, str]
    at: datetime
    refused_version: str | None = None
    refused_problems: tuple[str, ...] = ()
    before: dict[str, str] | None = None


@dataclass(frozen=True, slots=True)
class KeptMapping:
    """A version that was in force from ``at`` on, without its files.

    ``counts`` says how many of what are in it ("assignments", "channels", "policies");
    empty where that was not kept when it was taken up.
    """

    version: str
    at: datetime
    counts: Mapping[str, int] = field(default_factory=dict)


class MappingVersions(Protocol):
    def last_good(self) -> GoodMapping | None: ...

    def save_good(
        self,
        version: str,
        files: dict[str, str],
        now: datetime,
        counts: Mapping[str, int] | None = None,
    ) -> None:
        """Keep it as the one in force, and forget what was refused before it.

        Old versions are given up when there are many of them, or they are large.
        """
        ...

    def kept(self) -> Sequence[KeptMapping]:
        """The versions that are still here, the one in force first.

        One that was taken up again stands here twice.
        """
        ...

    def files_of(self, version: str) -> dict[str, str] | None:
        """The files of a kept version, as they were taken up, but for what was erased (OP-9).

        None where it is not kept, or not any more.
        """
        ...

    def note_refused(self, version: str, problems: tuple[str, ...], now: datetime) -> None: ...


@dataclass(frozen=True, slots=True)
class ContactAnswer:
    """The account that was a user's by the ERP's contacts; None: none that could be used.

    ``address`` is a digest of the verified address that they were asked for.
    """

    customer_id: CustomerId | None
    address: str

    @classmethod
    def to(cls, address: str, customer_id: CustomerId | None) -> ContactAnswer:
        return cls(customer_id, digest_of(address))

    def is_about(self, address: str) -> bool:
        return self.address == digest_of(address)


def digest_of(address: str) -> str:
    """Tells e-mail addresses apart, case ignored, and does not hold them."""
    return codec.fingerprint(address.casefold())


class ContactAnswers(Protocol):
    """What the ERP's contacts said last of users whom their addresses may assign (WA-2).

    Whoever is no contact is not among them, nor anybody of whom another source decided.
    """

    def known(self) -> Mapping[WebUserId, ContactAnswer]: ...

    def replace(self, answers: Mapping[WebUserId, ContactAnswer]) -> None:
        """These, and no others any more."""
        ...


class Transaction(Protocol):
    """One transaction's view of the state of one pipeline."""

    @property
    def ledger(self) -> Ledger: ...

    @property
    def settlements(self) -> Settlements: ...

    @property
    def watermarks(self) -> Watermarks: ...

    @property
    def runs(self) -> Runs: ...

    @property
    def requests(self) -> Requests: ...

    @property
    def plans(self) -> Plans: ...

    @property
    def mappings(self) -> MappingVersions: ...

    @property
    def audit(self) -> Audit: ...

    @property
    def registrations(self) -> Registrations: ...

    @property
    def price_memory(self) -> PriceMemory: ...

    @property
    def record_memory(self) -> RecordMemory: ...

    @property
    def contact_answers(self) -> ContactAnswers: ...

    @property
    def systems(self) -> Systems:
        """Of the whole site: systems belong to no pipeline."""
        ...


class State(Protocol):
    @property
    def actor(self) -> str:
        """Who acts: ``DAEMON``, or the person whose command this is."""
        ...

    def transaction(self) -> AbstractContextManager[Transaction]:
        """One transaction. Raises TryLater when the database is locked or full."""
        ...
