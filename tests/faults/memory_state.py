"""The state in plain memory: the ledger's own rules, without a database under them.

A schedule takes hundreds of steps of the ledger, and most of the time of such a
step is SQL. Here the rows lie in a dictionary; every rule about them is still
``SqlLedger``'s. The same schedules are played on SQLite as well, and must come
to the same, passage by passage: otherwise this file is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from uuid import uuid4

from sync.domain.ids import (
    ApplicationId,
    CustomerId,
    IdempotencyKey,
    LocationId,
    StoreId,
    WebOrderId,
    WebUserId,
)
from sync.domain.order import StoreOrder
from sync.domain.pricing import AudienceKind, PriceLevel, PriceScope
from sync.domain.times import Watermark
from sync.errors import Conflict, FencedOff
from sync.ports.clock import Clock
from sync.ports.erp import Feed
from sync.ports.price_memory import Confirmed, Forgotten, PackedVector, Partition, Stated
from sync.ports.record_memory import FORGOTTEN, Remembered
from sync.ports.registrations import Happened, RegistrationEntry, Stage
from sync.ports.settlements import Settlement, SettlementKind
from sync.ports.state import (
    DAEMON,
    ContactAnswer,
    HeldPlan,
    LedgerEntry,
    LedgerEvent,
    LedgerFilter,
    LedgerState,
    PlacedOrder,
    RunStep,
    ShownOrder,
)
from sync.state import rows, versions
from sync.state.ledger import SqlLedger, _believable
from sync.state.rows import Row

_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass
class Tables:
    """Everything that a commit keeps. Rows are replaced, never changed in place."""

    ledger: dict[str, Row] = field(default_factory=dict)
    events: tuple[tuple[str, LedgerEvent], ...] = ()
    watermarks: dict[str, Watermark] = field(default_factory=dict)
    plans: dict[tuple[str, str], HeldPlan] = field(default_factory=dict)
    registrations: dict[ApplicationId, RegistrationEntry] = field(default_factory=dict)
    settlements: dict[tuple[str, str, str], Settlement] = field(default_factory=dict)
    steps: tuple[tuple[ApplicationId, LedgerEvent], ...] = ()
    confirmed: dict[Partition, Confirmed] = field(default_factory=dict)
    vectors: dict[bytes, PackedVector] = field(default_factory=dict)
    forgotten: dict[Forgotten, bytes] = field(default_factory=dict)
    stated: dict[PriceScope, Stated] = field(default_factory=dict)
    contacts: dict[WebUserId, ContactAnswer] = field(default_factory=dict)
    records: dict[tuple[Feed, CustomerId], Remembered] = field(default_factory=dict)

    def copy(self) -> Tables:
        return Tables(
            dict(self.ledger),
            self.events,
            dict(self.watermarks),
            dict(self.plans),
            dict(self.registrations),
            dict(self.settlements),
            self.steps,
            dict(self.confirmed),
            dict(self.vectors),
            dict(self.forgotten),
            dict(self.stated),
            dict(self.contacts),
            dict(self.records),
        )


class MemoryLedger(SqlLedger):
    """Reads and writes rows of ``Tables``; what they mean is decided by the base class."""

    def __init__(
        self,
        tables: Tables,
        store_id: StoreId,
        key_for: Callable[[StoreOrder], IdempotencyKey],
        now: Callable[[], datetime],
    ) -> None:
        self._tables = tables
        self._pipeline = "memory"
        self._store_id = store_id
        self._key_for = key_for
        self._now = now
        self._actor = DAEMON
        self._read: dict[str, Row] | None = None
        self._stepped: dict[str, Row] = {}

    def due(self, now: datetime, limit: int) -> Sequence[WebOrderId]:
        found = [r for r in self._all() if r["due_at"] is not None and r["due_at"] <= now]
        found.sort(key=lambda row: (row["placed_at"], row["order_id"]))
        return [WebOrderId(row["order_id"]) for row in found[:limit]]

    def unchanged(self, orders: Collection[StoreOrder]) -> Collection[WebOrderId]:
        found = []
        for order in orders:
            row = self._tables.ledger.get(order.order_id.value)
            if row is None or order.modified_at > row["modified_at"]:
                continue
            newest = row["newer_fingerprint"] or row["fingerprint"]
            if order.modified_at < row["modified_at"] or versions.fingerprint(order) == newest:
                found.append(order.order_id)
        return found

    def changed_since(self, limit: int) -> Sequence[tuple[LedgerEntry, StoreOrder]]:
        found = self._dated("change_due_at", limit)
        return [(rows.entry(row), versions.read(row["newer_payload"])) for row in found]

    def cancelling(self, now: datetime, limit: int) -> Sequence[LedgerEntry]:
        found = [row for row in self._all() if (row["cancel_due_at"] or _NEVER) <= now]
        found.sort(key=lambda row: (row["cancel_due_at"], row["order_id"]))
        return [rows.entry(row) for row in found[:limit]]

    def to_show(self, limit: int) -> Sequence[ShownOrder]:
        return [rows.shown_order(row) for row in self._dated("notice_due_at", limit)]

    def told(
        self, after: datetime, until: datetime, last: ShownOrder | None, limit: int
    ) -> Sequence[ShownOrder]:
        def place(row: Row) -> tuple[datetime, str]:
            return row["told_at"], row["order_id"]

        told = (row for row in self._all() if row["told_at"] is not None)
        found = sorted((row for row in told if after < row["told_at"] <= until), key=place)
        if last is not None:
            found = [row for row in found if place(row) > (last.told_at, last.order_id.value)]
        return [rows.shown_order(row) for row in found[:limit]]

    def filed_under(
        self, customer_ids: Collection[CustomerId]
    ) -> Mapping[tuple[CustomerId, IdempotencyKey], WebOrderId]:
        own = {each.value for each in customer_ids}
        return {
            (CustomerId(row["customer_id"]), IdempotencyKey(row["key"])): WebOrderId(
                row["order_id"]
            )
            for row in self._all()
            if row["customer_id"] in own
        }

    def open_orders(self, after: WebOrderId | None, limit: int) -> Sequence[ShownOrder]:
        found = [row for row in self._all() if row["status_open"]]
        if after is not None:
            found = [row for row in found if row["order_id"] > after.value]
        return [rows.shown_order(row) for row in sorted(found, key=lambda r: r["order_id"])[:limit]]

    def entry(self, order_id: WebOrderId) -> LedgerEntry | None:
        row = self._tables.ledger.get(order_id.value)
        return None if row is None else rows.entry(row)

    def entries(self, wanted: LedgerFilter) -> Sequence[LedgerEntry]:
        """By state, key and number only: nobody here asks for more."""
        states = {state.value for state in wanted.states}
        ids = {order_id.value for order_id in wanted.order_ids}
        found = [
            row
            for row in sorted(self._all(), key=lambda r: r["order_id"])
            if (not states or row["state"] in states)
            and (not ids or row["order_id"] in ids)
            and (not wanted.numbers or row["number"] in wanted.numbers)
        ]
        found.sort(key=lambda row: row["changed_at"], reverse=True)
        return [rows.entry(row) for row in found]

    def placed_under(self, customer_ids: Collection[CustomerId]) -> Sequence[PlacedOrder]:
        wanted = {each.value for each in customer_ids}
        return [
            rows.placed_order(row)
            for row in self._all()
            if row["customer_id"] in wanted and (row["imported_at"] or row["frozen"])
        ]

    def history(self, order_id: WebOrderId) -> Sequence[LedgerEvent]:
        return [event for key, event in self._tables.events if key == order_id.value]

    def counts(self) -> dict[LedgerState, int]:
        states = [LedgerState(row["state"]) for row in self._all()]
        return {state: states.count(state) for state in dict.fromkeys(states)}

    def _all(self) -> list[Row]:
        return list(self._tables.ledger.values())

    def _leased(self) -> list[Row]:
        return [r for r in self._all() if None not in (r["due_at"], r["lease_until"])]

    def _dated(self, column: str, limit: int) -> list[Row]:
        found = [row for row in self._all() if row[column] is not None]
        found.sort(key=lambda row: (row[column], row["order_id"]))
        return found[:limit]

    def _rows(self, order_ids: Sequence[str]) -> dict[str, Row]:
        held = self._tables.ledger
        return {each: dict(held[each]) for each in sorted(order_ids) if each in held}

    def _row(self, order_id: WebOrderId) -> Row | None:
        # Rows are never changed in place; what the ledger makes of one is another.
        if self._at_hand(order_id.value):
            return self._stepped[order_id.value]
        return self._tables.ledger.get(order_id.value)

    def _update(self, before: Row, after: Row) -> None:
        if self._at_hand(before["order_id"]):
            self._stepped[before["order_id"]] = after
        else:
            self._tables.ledger[before["order_id"]] = after

    def _write_together(self, read: dict[str, Row]) -> None:
        # What the history is told stands there already: it goes with the transaction.
        self._tables.ledger.update(self._stepped)

    def _insert(self, order: StoreOrder, now: datetime) -> bool:
        modified_at = _believable(order.modified_at, now)
        row = rows.discovered(order, self._key_for(order), now, modified_at)
        self._tables.ledger[row["order_id"]] = row
        self._tell(row["order_id"], now, "discovered", f"web order {order.number}", DAEMON)
        return True

    def _tell(
        self, order_id: str, at: datetime, event: str, detail: str, actor: str | None = None
    ) -> None:
        told = LedgerEvent(at, event, actor or self._actor, detail)
        self._tables.events += ((order_id, told),)


class MemorySettlements:
    def __init__(self, held: dict[tuple[str, str, str], Settlement]) -> None:
        self._held = held

    def of(self, order_id: WebOrderId) -> Sequence[Settlement]:
        return [each for key, each in sorted(self._held.items()) if key[0] == order_id.value]

    def due(
        self, kinds: Collection[SettlementKind], now: datetime, limit: int
    ) -> Sequence[Settlement]:
        found = [
            (each.due_at, key, each)
            for key, each in self._held.items()
            if each.kind in kinds and each.due_at is not None and each.due_at <= now
        ]
        return [each for _, _, each in sorted(found, key=lambda place: place[:2])][:limit]

    def put(self, settlement: Settlement) -> Settlement:
        key = (settlement.order_id.value, settlement.kind.value, settlement.number)
        held = self._held.get(key)
        if settlement.version != (held.version if held else 0):
            raise FencedOff(f"{key}: another worker sees to it")
        self._held[key] = replace(settlement, version=settlement.version + 1)
        return self._held[key]


class MemoryWatermarks:
    def __init__(self, held: dict[str, Watermark]) -> None:
        self._held = held

    def get(self, name: str) -> Watermark | None:
        return self._held.get(name)

    def set(self, name: str, watermark: Watermark) -> None:
        self._held[name] = watermark

    def beneath(self, prefix: str) -> dict[str, Watermark]:
        return {
            name.removeprefix(prefix): each
            for name, each in self._held.items()
            if name.startswith(prefix)
        }

    def remove(self, names: Collection[str]) -> None:
        for each in names:
            self._held.pop(each, None)


class MemoryPlans:
    def __init__(self, held: dict[tuple[str, str], HeldPlan]) -> None:
        self._held = held

    def hold(self, plan: HeldPlan) -> None:
        self._held.setdefault((plan.flow, plan.digest), plan)

    def confirm(self, plan_id: str, actor: str, now: datetime) -> HeldPlan | None:
        for key, plan in self._held.items():
            if plan.plan_id == plan_id:
                self._held[key] = replace(plan, confirmed_by=actor)
                return self._held[key]
        return None

    def confirmed(self, flow: str, digest: str) -> bool:
        plan = self._held.get((flow, digest))
        return plan is not None and plan.confirmed_by is not None

    def open(self) -> Sequence[HeldPlan]:
        return list(self._held.values())

    def clear(self, flow: str) -> None:
        for key in [key for key in self._held if key[0] == flow]:
            del self._held[key]


class MemoryRegistrations:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def entry(self, application_id: ApplicationId) -> RegistrationEntry | None:
        return self._tables.registrations.get(application_id)

    def entries(
        self, stages: Collection[Stage] = (), limit: int | None = None
    ) -> Sequence[RegistrationEntry]:
        held = self._tables.registrations.values()
        found = [each for each in held if not stages or each.stage in stages]
        found.sort(key=lambda each: each.changed_at, reverse=True)
        return found[:limit]

    def unsettled(self) -> Sequence[ApplicationId]:
        held = self._tables.registrations.values()
        found = [each for each in held if not each.settled]
        return [
            each.application_id
            for each in sorted(found, key=lambda each: (each.first_seen_at, each.application_id))
        ]

    def save(
        self, entry: RegistrationEntry, happened: Happened, now: datetime
    ) -> RegistrationEntry:
        held = self._tables.registrations.get(entry.application_id)
        if (held.version if held else 0) != entry.version:
            raise Conflict(f"application {entry.application_id} was changed at this moment")
        kept = replace(entry, version=entry.version + 1, changed_at=now)
        self._tables.registrations[entry.application_id] = kept
        event = LedgerEvent(now, happened.event, happened.actor, happened.detail)
        self._tables.steps += ((entry.application_id, event),)
        return kept

    def history(self, application_id: ApplicationId) -> Sequence[LedgerEvent]:
        return [event for key, event in self._tables.steps if key == application_id]


class MemoryPriceMemory:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def confirmed(self) -> Mapping[Partition, Confirmed]:
        return dict(self._tables.confirmed)

    def vectors(self, fingerprints: Collection[bytes]) -> Mapping[bytes, PackedVector]:
        held = self._tables.vectors
        asked = {each: held[each] for each in fingerprints if each in held}
        bases = {each.base for each in asked.values() if each.base is not None}
        return asked | {each: held[each] for each in bases}

    def keep(self, vectors: Sequence[PackedVector]) -> None:
        for each in vectors:
            self._tables.vectors.setdefault(each.fingerprint, each)

    def confirm(self, partitions: Mapping[Partition, Confirmed]) -> None:
        for each in partitions.values():
            assert each.vector in self._tables.vectors, "its vector is not kept"
        self._tables.confirmed.update(partitions)

    def forget(self, partitions: Collection[Partition]) -> None:
        for each in partitions:
            self._tables.confirmed.pop(each, None)

    def forget_account(
        self, customer_id: CustomerId, sites: Collection[LocationId] | None = None
    ) -> None:
        for each in list(self._tables.confirmed):
            kind, key = each[0].kind, each[0].key
            own = kind is AudienceKind.ACCOUNT and key == customer_id.value
            named = sites is None or LocationId(key or "-") in sites
            if own or (kind is AudienceKind.LOCATION and named):
                del self._tables.confirmed[each]
        for scope in list(self._tables.stated):
            own = scope == PriceScope.account(customer_id)
            site = scope.level is PriceLevel.LOCATION
            if own or (site and (sites is None or LocationId(scope.owner) in sites)):
                del self._tables.stated[scope]
        keys = [""] if sites is None else [each.value for each in sites]
        marks = [(AudienceKind.ACCOUNT, customer_id.value)]
        for mark in (*marks, *((AudienceKind.LOCATION, key) for key in keys)):
            self._tables.forgotten[mark] = uuid4().bytes

    def forgotten(self) -> Mapping[Forgotten, bytes]:
        return dict(self._tables.forgotten)

    def stated(self) -> Mapping[PriceScope, Stated]:
        return dict(self._tables.stated)

    def remember(self, stated: Mapping[PriceScope, Stated]) -> None:
        for scope, each in stated.items():
            self._tables.stated.pop(scope, None)
            if each.vector in self._tables.vectors:
                self._tables.stated[scope] = each

    def forget_stated(self, scopes: Collection[PriceScope]) -> None:
        for scope in scopes:
            self._tables.stated.pop(scope, None)

    def forget_all(self) -> None:
        self._tables.confirmed.clear()
        self._tables.stated.clear()

    def tidy(self) -> int:
        self._tables.forgotten.clear()
        held = self._tables.vectors
        needed = {each.vector for each in self._tables.confirmed.values()}
        needed |= {each.vector for each in self._tables.stated.values()}
        needed |= {base for each in needed if (base := held[each].base) is not None}
        unneeded = held.keys() - needed
        for each in unneeded:
            del held[each]
        return len(unneeded)


class MemoryRecordMemory:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def known(self, kind: Feed) -> Mapping[CustomerId, Remembered]:
        return {key: each for (of, key), each in self._tables.records.items() if of is kind}

    def confirm(
        self,
        kind: Feed,
        records: Mapping[CustomerId, Remembered],
        before: Mapping[CustomerId, Remembered],
    ) -> None:
        held = self.known(kind)
        for key, each in records.items():
            if held.get(key) == before.get(key):
                self._tables.records[kind, key] = each

    def forget(self, kind: Feed, customer_ids: Collection[CustomerId]) -> None:
        held = self.known(kind)
        for key in customer_ids:
            if key in held and not held[key].forgotten:
                del self._tables.records[kind, key]

    def forget_accounts(self, customer_ids: Collection[CustomerId]) -> None:
        for kind in (Feed.SHIP_TOS, Feed.INVOICES):
            for key in customer_ids:
                self._tables.records[kind, key] = Remembered(uuid4().bytes, FORGOTTEN)


class MemoryContactAnswers:
    def __init__(self, held: dict[WebUserId, ContactAnswer]) -> None:
        self._held = held

    def known(self) -> Mapping[WebUserId, ContactAnswer]:
        return dict(self._held)

    def replace(self, answers: Mapping[WebUserId, ContactAnswer]) -> None:
        self._held.clear()
        self._held.update(answers)


class NoRuns:
    """Runs are told to nobody here."""

    def start(self, run_id: str, flow: str, now: datetime, *, narrow: bool = False) -> None:
        pass

    def tell(self, run_id: str, steps: Sequence[RunStep]) -> None:
        pass

    def finish(
        self, run_id: str, outcome: str, counts: dict[str, int], message: str, now: datetime
    ) -> None:
        pass

    def abandon_running(self, now: datetime) -> int:
        return 0


@dataclass(frozen=True)
class MemoryTransaction:
    ledger: MemoryLedger
    settlements: MemorySettlements
    watermarks: MemoryWatermarks
    plans: MemoryPlans
    runs: NoRuns
    registrations: MemoryRegistrations
    price_memory: MemoryPriceMemory
    record_memory: MemoryRecordMemory
    contact_answers: MemoryContactAnswers


class MemoryState:
    """Like ``SqlState``: commits at the end of the block, and forgets where it raises."""

    actor = DAEMON

    def __init__(
        self, store_id: StoreId, key_for: Callable[[StoreOrder], IdempotencyKey], clock: Clock
    ) -> None:
        self._store_id, self._key_for, self._clock = store_id, key_for, clock
        self._tables = Tables()
        self._open = False

    @contextmanager
    def transaction(self) -> Iterator[MemoryTransaction]:
        if self._open:
            raise RuntimeError("a transaction of the state is open already")
        self._open = True
        tables = self._tables.copy()
        try:
            yield MemoryTransaction(
                MemoryLedger(tables, self._store_id, self._key_for, self._clock.now),
                MemorySettlements(tables.settlements),
                MemoryWatermarks(tables.watermarks),
                MemoryPlans(tables.plans),
                NoRuns(),
                MemoryRegistrations(tables),
                MemoryPriceMemory(tables),
                MemoryRecordMemory(tables),
                MemoryContactAnswers(tables.contacts),
            )
            self._tables = tables
        finally:
            self._open = False
