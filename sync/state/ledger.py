"""The order ledger: which web order is how far on its way into the ERP.

The stored states and every way from one to another:

    discovered    -> submitting
    waiting       -> submitting
    submitting    -> imported, waiting, quarantined, review, closed
    any           -> imported: what a worker sent arrives after others took over
                  -> discovered: released or to be tried again, nothing was sent
                  -> submitting: tried again under the instruction that went out
    imported      -> acknowledged, review, discovered (replayed, the ERP refused it later)
    acknowledged  -> review, discovered (the same)
    quarantined   -> discovered (replayed, or changed in the store), closed (dismissed)
    review        -> discovered (replayed, never imported), closed (dismissed, the same),
                     imported or acknowledged (dismissed after the import)
    closed        -> review

A worker that claims an order holds it until it records an outcome, gives it back
or another one claims it. Each of its writes names the token of its claim: whoever
comes late finds another token, or none held, and is fenced off.

Steps on several orders may share a transaction (``together``): their rows are then
read and locked by one query and written by one statement for each kind of step,
because it is statements and commits that an order costs. Each order keeps its own
token, its own state and its own history; whoever was fenced off from one of them
still writes about the others.

An order whose instruction is frozen may be in the ERP already. Its payload then
stays the version that the instruction was made of; a newer one waits beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select

from sync.domain import codec, erasure
from sync.domain.decision import Closing, Decision, Problem
from sync.domain.ids import CustomerId, ErpOrderNumber, IdempotencyKey, StoreId, WebOrderId
from sync.domain.order import StoreOrder
from sync.domain.sales_order import ErpOrderState, OrderStatus, SalesOrder
from sync.domain.views import ImportNotice, ImportState
from sync.errors import FencedOff
from sync.ports.state import DAEMON, Claim, Discovery, LedgerState, ShownOrder
from sync.state import erased_rows, ledger_statements, rows, versions
from sync.state.ledger_reads import LedgerReads
from sync.state.reducing import reduce_rows
from sync.state.rows import NOT_DECIDED, NOTHING_WRONG, Row
from sync.state.schema import ledger

# As much may a store's clock be ahead of ours.
AHEAD = timedelta(hours=1)

_CLAIMABLE = (
    LedgerState.DISCOVERED.value,
    LedgerState.WAITING.value,
    LedgerState.SUBMITTING.value,
)

# A row that differs in one of these since it was read is in somebody else's hands.
_FENCE = ("lease_token", "state")


class SqlLedger(LedgerReads):
    """The ledger of one pipeline, within one transaction of somebody else's."""

    def __init__(
        self,
        connection: Connection,
        pipeline: str,
        store_id: StoreId,
        key_for: Callable[[StoreOrder], IdempotencyKey],
        now: Callable[[], datetime] | None = None,
        actor: str = DAEMON,
    ) -> None:
        super().__init__(connection, pipeline, store_id)
        self._key_for = key_for
        self._now = now
        self._actor = actor  # of the steps that name no other
        # While steps are taken together: the rows as they were read, as they are by
        # now, and what the history is to be told.
        self._read: dict[str, Row] | None = None
        self._stepped: dict[str, Row] = {}
        self._told: list[Row] = []

    def key_of(self, order: StoreOrder) -> IdempotencyKey:
        return self._key_for(order)

    @contextmanager
    def together(self, order_ids: Sequence[WebOrderId]) -> Iterator[None]:
        if self._read is not None:
            raise RuntimeError("steps are taken together already")
        self._read = self._rows([order_id.value for order_id in order_ids])
        self._stepped, self._told = dict(self._read), []
        try:
            yield
            self._write_together(self._read)
        finally:
            self._read = None

    # Versions of the order

    def discover(self, order: StoreOrder, now: datetime) -> Discovery:
        row = self._row(order.order_id)
        if row is None:
            if self._insert(order, now):
                return Discovery.NEW
            row = self._known(order.order_id)
        order, mark = versions.as_kept(order, row)
        modified_at = _believable(order.modified_at, now)
        if modified_at < row["modified_at"] or versions.same(order, mark, row, modified_at):
            if modified_at > row["modified_at"]:
                self._update(row, {**row, "modified_at": modified_at})
            return Discovery.SAME
        newest = versions.read(row["newer_payload"] or row["payload"])
        changes: Row = {"modified_at": modified_at}
        at_rest = row["state"] in rows.AT_REST
        judged = at_rest and row["change_due_at"] is None and row["newer_payload"] is not None
        if mark == row["fingerprint"] and not judged:
            # Changed back before anybody looked: there is nothing left to judge.
            changes |= {"newer_payload": None, "newer_fingerprint": None, "change_due_at": None}
        else:
            changes |= {"newer_payload": codec.dumps(order), "newer_fingerprint": mark}
            changes["change_due_at"] = now if at_rest else None
        if row["state"] == LedgerState.WAITING.value:
            changes["due_at"] = now
        self._step(row, now, "changed", versions.difference(newest, order), **changes)
        return Discovery.CHANGED

    def settle_change(
        self, order_id: WebOrderId, now: datetime, differences: tuple[str, ...]
    ) -> None:
        row = self._known(order_id)
        if not differences:
            self._step(
                row, now, "change_settled", "nothing to do", change_due_at=None, cancel_due_at=None
            )
            return
        # A person may not have read yet what stands there for another reason.
        said = _and_still(row, differences)
        self._step(
            row,
            now,
            "review",
            " ".join(differences),
            state=LedgerState.REVIEW.value,
            change_due_at=None,
            cancel_due_at=None,
            differences=codec.dumps(said),
        )

    def refresh(self, claim: Claim, order: StoreOrder) -> None:
        row = self._held(claim)
        mark = versions.fingerprint(order)
        if mark == row["fingerprint"] and row["newer_payload"] is None:
            return
        modified_at = _believable(order.modified_at, self._moment(row))
        changes: Row = {"modified_at": max(modified_at, row["modified_at"])}
        if row["frozen"] is not None:
            beside = mark != row["fingerprint"]
            changes["newer_payload"] = codec.dumps(order) if beside else None
            changes["newer_fingerprint"] = mark if beside else None
        else:
            changes |= versions.columns(order)
            if modified_at >= row["modified_at"]:
                changes |= {"newer_payload": None, "newer_fingerprint": None}
        said = versions.difference(versions.read(row["payload"]), order)
        self._step(row, self._moment(row), "refreshed", said, **changes)

    # A worker's claim and what comes of it

    def claim(self, order_id: WebOrderId, now: datetime, ttl_s: float) -> Claim | None:
        row = self._row(order_id)
        if row is None or row["state"] not in _CLAIMABLE:
            return None
        if row["due_at"] is None or row["due_at"] > now:
            return None
        lease_until = now + timedelta(seconds=ttl_s)
        changes: Row = {
            "state": LedgerState.SUBMITTING.value,
            "lease_token": row["lease_token"] + 1,
            "lease_until": lease_until,
            "due_at": lease_until,
            "attempts": row["attempts"] + 1,
        }
        # An order may wait for weeks; its history need not tell of every look at it.
        was = LedgerState(row["state"])
        event = None if was is LedgerState.WAITING else "claimed"
        row = self._step(row, now, event, f"attempt {changes['attempts']}", **changes)
        return Claim(
            order_id=order_id,
            token=row["lease_token"],
            attempt=row["attempts"],
            lease_until=lease_until,
            order=versions.read(row["payload"]),
            key=IdempotencyKey(row["key"]),
            frozen=rows.document(SalesOrder, row["frozen"]),
            was=was,
        )

    def claim_all(
        self, order_ids: Sequence[WebOrderId], now: datetime, ttl_s: float
    ) -> Sequence[Claim]:
        with self.together(order_ids):
            found = [self.claim(order_id, now, ttl_s) for order_id in order_ids]
        return [claim for claim in found if claim is not None]

    def give_back(self, claim: Claim, now: datetime) -> None:
        row = self._held(claim)
        state = claim.was
        if row["frozen"] is not None:
            state = LedgerState.SUBMITTING
        elif state is LedgerState.SUBMITTING:
            state = LedgerState.DISCOVERED
        # What waits is claimed without a word, and given back without one.
        event = None if state is LedgerState.WAITING else "given_back"
        attempts = max(0, row["attempts"] - 1)
        self._release(claim, now, state, event, "not begun", due_at=now, attempts=attempts)

    def freeze(self, claim: Claim, order: SalesOrder, decision: Decision, now: datetime) -> None:
        row = self._held(claim)
        instruction = codec.dumps(order)
        if row["frozen"] not in (None, instruction):
            raise ValueError(
                f"order {row['number']}: another instruction may have reached the ERP already"
            )
        self._step(
            row,
            now,
            "admitted",
            f"into {decision.customer_id} by {decision.rule}, mapping {decision.mapping_version}",
            frozen=instruction,
            decision=codec.dumps(decision),
            customer_id=decision.customer_id.value,
            mapping_version=decision.mapping_version,
        )

    def thaw(self, claim: Claim, now: datetime, why: str) -> None:
        row = self._held(claim)
        changes = NOT_DECIDED | versions.adopted(row)
        self._step(row, now, "thawed", why, **changes)

    def record_imported(self, claim: Claim, number: ErpOrderNumber | None, now: datetime) -> None:
        self._release(
            claim,
            now,
            LedgerState.IMPORTED,
            "imported",
            f"as {number}" if number else "its number follows",
            imported_at=now,
            erp_order=number.value if number else None,
            **NOTHING_WRONG,
        )

    def record_arrived(
        self,
        claim: Claim,
        order: StoreOrder,
        sent: SalesOrder,
        decision: Decision,
        number: ErpOrderNumber | None,
        now: datetime,
    ) -> bool:
        row = self._known(claim.order_id)
        if row["imported_at"] is not None:
            return False
        marked = versions.fingerprint
        if versions.is_erased(row):
            # Its buyer's data must not come back with it.
            order, sent = erasure.without_person(order), erasure.instruction_without_person(sent)
            decision = erasure.decision_without_person(decision)
            marked = versions.erased_fingerprint
        newest = versions.read(row["newer_payload"] or row["payload"])
        mark = marked(newest)
        newer = mark != marked(order)
        changes = NOTHING_WRONG | versions.columns(order) | {"fingerprint": marked(order)}
        changes |= {
            "newer_payload": codec.dumps(newest) if newer else None,
            "newer_fingerprint": mark if newer else None,
            "change_due_at": now if newer else None,
            "state": LedgerState.IMPORTED.value,
            "lease_token": row["lease_token"] + 1,
            "lease_until": None,
            "due_at": None,
            "frozen": codec.dumps(sent),
            "decision": codec.dumps(decision),
            "customer_id": decision.customer_id.value,
            "mapping_version": decision.mapping_version,
            "imported_at": now,
            "erp_order": number.value if number else None,
            "closing": None,
            "closing_note": None,
        }
        if row["state"] == LedgerState.CLOSED.value:
            told = (f"The order was given up ({row['closing']}), and the ERP has it all the same.",)
            changes |= {"state": LedgerState.REVIEW.value, "differences": codec.dumps(told)}
        self._step(
            row,
            now,
            "arrived_late",
            f"as {number}" if number else "its number follows",
            **changes,
        )
        return True

    def record_unknown(self, claim: Claim, message: str, look_again_at: datetime) -> None:
        self._release(
            claim,
            None,
            LedgerState.SUBMITTING,
            "outcome_unknown",
            message,
            due_at=look_again_at,
            message=message,
        )

    def record_retry(self, claim: Claim, message: str, not_before: datetime) -> None:
        # With an instruction out it goes on as submitting: an earlier attempt
        # than this one may still have reached the ERP.
        frozen = self._held(claim)["frozen"] is not None
        self._release(
            claim,
            None,
            LedgerState.SUBMITTING if frozen else LedgerState.DISCOVERED,
            "put_off",
            message,
            due_at=not_before,
            message=message,
        )

    def record_waiting(
        self, claim: Claim, code: str, sentence: str, next_check_at: datetime, mapping_version: str
    ) -> None:
        row = self._held(claim)
        again = (row["waiting_for"], row["waiting_sentence"]) == (code, sentence)
        self._release(
            claim,
            None,
            LedgerState.WAITING,
            None if again else "waiting",
            f"{code}: {sentence} {_by(mapping_version)}",
            due_at=next_check_at,
            attempts=0,
            mapping_version=mapping_version,
            **NOTHING_WRONG
            | {"waiting_for": code, "waiting_sentence": sentence, "codes": rows.codes((code,))},
        )

    def record_quarantined(
        self,
        claim: Claim,
        problems: tuple[Problem, ...],
        now: datetime,
        mapping_version: str,
        trail: tuple[str, ...] = (),
        customer_id: CustomerId | None = None,
    ) -> None:
        said = [f"{problem.code}: {problem.sentence}" for problem in problems]
        self._release(
            claim,
            now,
            LedgerState.QUARANTINED,
            "quarantined",
            " ".join((*said, _by(mapping_version))),
            mapping_version=mapping_version,
            **NOTHING_WRONG
            | {
                "problems": codec.dumps(problems),
                "codes": rows.codes(tuple(problem.code for problem in problems)),
                "trail": codec.dumps(trail),
                "customer_id": customer_id.value if customer_id else None,
            },
        )

    def record_review(
        self, claim: Claim, differences: tuple[str, ...], now: datetime, mapping_version: str
    ) -> None:
        row = self._held(claim)
        admitted = row["decision"] is not None
        version = row["mapping_version"] if admitted else mapping_version
        self._release(
            claim,
            now,
            LedgerState.REVIEW,
            "review",
            " ".join((*differences, *(() if admitted else (_by(version),)))),
            mapping_version=version,
            **NOTHING_WRONG | {"differences": codec.dumps(differences)},
        )

    def record_closed(
        self, claim: Claim, why: Closing, sentence: str, now: datetime, mapping_version: str
    ) -> None:
        self._release(
            claim,
            now,
            LedgerState.CLOSED,
            "closed",
            f"{why.value}: {sentence} {_by(mapping_version)}",
            mapping_version=mapping_version,
            closing=why.value,
            closing_note=sentence,
            **NOTHING_WRONG,
        )

    def release_expired(self, now: datetime, settled_at: datetime | None = None) -> int:
        found = self._leased()
        for row in found:
            changes: Row = {"lease_until": None}
            if row["frozen"] is None:
                changes |= {"state": LedgerState.DISCOVERED.value, "due_at": now}
            elif settled_at is not None:
                changes["due_at"] = min(row["due_at"], settled_at)
            self._step(row, now, "released", "the worker that held it is gone", **changes)
        return len(found)

    # What a person decides

    def replay(self, order_id: WebOrderId, actor: str, reason: str, now: datetime) -> bool:
        row = self._row(order_id)
        if row is None or not self._replayable(row):
            return False
        changes = NOTHING_WRONG | NOT_DECIDED | versions.adopted(row)
        changes |= {"state": LedgerState.DISCOVERED.value, "due_at": now, "attempts": 0}
        changes |= {"change_due_at": None, "imported_at": None, "erp_order": None, "status": None}
        changes |= {"closing": None, "closing_note": None}
        self._step(row, now, "replayed", reason, actor, **changes)
        return True

    def dismiss(self, order_id: WebOrderId, actor: str, reason: str, now: datetime) -> bool:
        row = self._row(order_id)
        if row is None or row["state"] not in (
            LedgerState.QUARANTINED.value,
            LedgerState.REVIEW.value,
        ):
            return False
        if row["imported_at"] is not None:
            shown = rows.document(ImportNotice, row["shown"])
            told = shown is not None and shown.state is ImportState.PROCESSED
            state = LedgerState.ACKNOWLEDGED if told else LedgerState.IMPORTED
            changes: Row = {"state": state.value, "differences": "[]"}
            if row["change_due_at"] is None:
                # What was accepted is what later changes are compared with.
                changes |= versions.adopted(row)
        else:
            changes = {
                "state": LedgerState.CLOSED.value,
                "closing": Closing.DISMISSED.value,
                "closing_note": reason,
            }
        self._step(row, now, "dismissed", reason, actor, **changes)
        return True

    @staticmethod
    def _replayable(row: Row) -> bool:
        if versions.is_erased(row):
            return False
        if row["state"] == LedgerState.QUARANTINED.value:
            return True
        if row["imported_at"] is None:
            return bool(row["state"] == LedgerState.REVIEW.value)
        status = rows.document(OrderStatus, row["status"])
        return status is not None and status.state is ErpOrderState.REFUSED

    # What the other systems confirm

    def record_shown(
        self,
        order_id: WebOrderId,
        notice: ImportNotice,
        now: datetime,
        *,
        since: ShownOrder | None = None,
    ) -> None:
        row = self._known(order_id)
        held = rows.document(ImportNotice, row["shown"])
        if since is not None and held not in (since.shown, notice):
            self._step(row, now, None, shown=None)
            return
        changes: Row = {"shown": codec.dumps(notice)}
        if notice.state is ImportState.PROCESSED and row["state"] == LedgerState.IMPORTED.value:
            self._step(
                row,
                now,
                "acknowledged",
                f"the store shows {notice.erp_order}",
                state=LedgerState.ACKNOWLEDGED.value,
                **changes,
            )
        elif row["shown"] != changes["shown"]:
            self._step(row, now, "shown", notice.state.value, **changes)

    def record_status(self, order_id: WebOrderId, status: OrderStatus, now: datetime) -> None:
        row = self._known(order_id)
        before = rows.document(OrderStatus, row["status"])
        if before == status:
            return
        changes: Row = {"status": codec.dumps(status)}
        said = status.state.value
        if status.number is not None and status.number.value != row["erp_order"]:
            changes["erp_order"] = status.number.value
            said += f", number {status.number}"
        news = before is None or before.state is not status.state or "erp_order" in changes
        self._step(row, now, "erp_status" if news else None, said, **changes)

    def record_refused(
        self, order_id: WebOrderId, status: OrderStatus, problem: Problem, now: datetime
    ) -> None:
        row = self._known(order_id)
        if row["imported_at"] is None:
            return
        changes = NOTHING_WRONG | NOT_DECIDED | versions.adopted(row)
        changes |= {
            "state": LedgerState.QUARANTINED.value,
            "status": codec.dumps(status),
            "imported_at": None,
            "erp_order": None,
            "customer_id": row["customer_id"],
            "mapping_version": row["mapping_version"],
            "change_due_at": None,
            "problems": codec.dumps((problem,)),
            "codes": rows.codes((problem.code,)),
        }
        self._step(row, now, "refused_by_erp", problem.sentence, **changes)

    # Cancellations on their way into the ERP

    def want_cancelled(self, order_id: WebOrderId, now: datetime) -> None:
        row = self._known(order_id)
        due = row["cancel_due_at"] or now
        told = "cancel_wanted" if row["cancel_due_at"] is None else None
        said = "the store cancelled it after its import"
        self._step(row, now, told, said, change_due_at=None, cancel_due_at=due)

    def cancel_asked(self, order_id: WebOrderId, now: datetime, look_again_at: datetime) -> bool:
        row = self._known(order_id)
        due = row["cancel_due_at"]
        if due is None or due > now:
            return False
        self._step(row, now, "cancel_asked", "", cancel_due_at=look_again_at, cancel_asked_at=now)
        return True

    def cancel_put_off(
        self, order_id: WebOrderId, why: str, now: datetime, not_before: datetime
    ) -> None:
        row = self._known(order_id)
        due = None if row["cancel_due_at"] is None else not_before
        self._step(row, now, "cancel_put_off", why, cancel_due_at=due, cancel_asked_at=None)

    def record_cancelled(self, order_id: WebOrderId, now: datetime) -> None:
        row = self._known(order_id)
        changes: Row = {"cancel_due_at": None, "cancel_asked_at": row["cancel_asked_at"] or now}
        if row["change_due_at"] is None:
            # What the ERP has taken over is what later changes are compared with.
            changes |= versions.adopted(row)
        self._step(row, now, "cancelled", "in the ERP, as in the store", **changes)

    def needs_person(self, order_id: WebOrderId, sentences: tuple[str, ...], now: datetime) -> bool:
        row = self._known(order_id)
        if row["imported_at"] is None or row["state"] not in rows.AT_REST:
            return False
        said = codec.dumps(_and_still(row, sentences))
        state = LedgerState.REVIEW.value
        self._step(row, now, "review", " ".join(sentences), state=state, differences=said)
        return True

    def reduce_done(self, before: datetime, now: datetime, limit: int) -> int:
        done = reduce_rows(self._connection, self._mine, before, now, limit)
        for order_id in done:
            self._tell(order_id, now, "reduced", "names, addresses and notes were removed")
        return len(done)

    # One row

    def _known(self, order_id: WebOrderId) -> Row:
        row = self._row(order_id)
        if row is None:
            raise KeyError(f"order {order_id} is not in the ledger")
        return row

    def _held(self, claim: Claim) -> Row:
        row = self._row(claim.order_id)
        if row is None or row["lease_token"] != claim.token or row["lease_until"] is None:
            raise FencedOff(f"order {claim.order_id}: claim {claim.token} is over")
        return row

    def _release(
        self,
        claim: Claim,
        now: datetime | None,
        state: LedgerState,
        event: str | None,
        detail: str,
        **changes: Any,
    ) -> None:
        row = self._held(claim)
        changes = {"due_at": None, "lease_until": None, "state": state.value, **changes}
        self._step(row, now or self._moment(row), event, detail, **changes)

    def _moment(self, row: Row) -> datetime:
        """Now, for the few steps that are not told: without a clock, the step before."""
        if self._now is not None:
            return self._now()
        moment: datetime = row["changed_at"]
        return moment

    def _step(
        self,
        row: Row,
        now: datetime,
        event: str | None,
        detail: str = "",
        actor: str | None = None,
        **changes: Any,
    ) -> Row:
        """Write the changes and all that follows from them, and tell the history."""
        changed = {**row, "changed_at": now, **changes}
        if versions.is_erased(row):
            changed, detail = erased_rows.heard_later(changed, event, detail)
        after = rows.completed(row, changed, now)
        self._update(row, after)
        if event is not None:
            self._tell(row["order_id"], now, event, detail, actor)
        if after["state"] != changed["state"]:
            self._tell(row["order_id"], now, "requeued", "the store changed the order", DAEMON)
        return after

    def _update(self, before: Row, after: Row) -> None:
        changes = {name: value for name, value in after.items() if value != before[name]}
        if not changes:
            return
        if self._at_hand(before["order_id"]):
            self._stepped[before["order_id"]] = after
            return
        statement = ledger_statements.change(tuple(changes), _FENCE)
        values = {f"set_{name}": value for name, value in changes.items()}
        done = self._connection.execute(statement, self._its(before) | values)
        if done.rowcount != 1:
            raise FencedOff(f"order {before['order_id']}: another worker has taken it over")

    def _insert(self, order: StoreOrder, now: datetime) -> bool:
        modified_at = _believable(order.modified_at, now)
        row: Row = {
            "pipeline": self._pipeline,
            "store_id": self._store_id.value,
            **rows.discovered(order, self._key_for(order), now, modified_at),
        }
        done = self._connection.execute(
            ledger_statements.discover(self._connection.dialect.name),
            row,
            execution_options={"preserve_rowcount": True},
        )
        if done.rowcount != 1:
            return False
        self._tell(row["order_id"], now, "discovered", f"web order {order.number}")
        return True

    def _tell(
        self, order_id: str, at: datetime, event: str, detail: str, actor: str | None = None
    ) -> None:
        told: Row = {
            "pipeline": self._pipeline,
            "store_id": self._store_id.value,
            "order_id": order_id,
            "at": at,
            "event": event,
            "actor": actor or self._actor,
            "detail": detail,
        }
        if self._at_hand(order_id):
            self._told.append(told)
        else:
            self._connection.execute(ledger_statements.TELL, told)

    # Many rows

    def _leased(self) -> list[Row]:
        query = select(ledger).where(
            self._mine, ledger.c.due_at.is_not(None), ledger.c.lease_until.is_not(None)
        )
        return [dict(row) for row in self._connection.execute(query.with_for_update()).mappings()]

    def _at_hand(self, order_id: str) -> bool:
        return self._read is not None and order_id in self._read

    def _rows(self, order_ids: Sequence[str]) -> dict[str, Row]:
        """These rows, locked."""
        asked = self._whose | {"order_ids": order_ids}
        found = self._connection.execute(ledger_statements.SOME_LOCKED, asked)
        names = tuple(found.keys())
        rows = (dict(zip(names, row, strict=True)) for row in found.all())
        return {row["order_id"]: row for row in rows}

    def _write_together(self, read: dict[str, Row]) -> None:
        kinds: dict[tuple[str, ...], list[Row]] = {}
        for order_id, before in read.items():
            after = self._stepped[order_id]
            names = tuple(name for name, value in after.items() if value != before[name])
            if names:
                values = {f"set_{name}": after[name] for name in names}
                kinds.setdefault(names, []).append(self._its(before) | values)
        for names, changes in kinds.items():
            done = self._connection.execute(ledger_statements.change(names, _FENCE), changes)
            if 0 <= done.rowcount < len(changes):
                # They are locked since they were read: nobody can have been faster.
                raise FencedOff("an order was taken over within a transaction")
        if self._told:
            self._connection.execute(ledger_statements.TELL, self._told)

    def _row(self, order_id: WebOrderId) -> Row | None:
        if self._at_hand(order_id.value):
            return dict(self._stepped[order_id.value])
        asked = self._whose | {"its_order_id": order_id.value}
        found = self._connection.execute(ledger_statements.ONE_LOCKED, asked)
        row = found.one_or_none()
        return None if row is None else dict(zip(found.keys(), row, strict=True))

    def _its(self, before: Row) -> Row:
        """What a change names the row by, and what it must still be."""
        return self._whose | {f"was_{name}": before[name] for name in ("order_id", *_FENCE)}


def _by(mapping_version: str) -> str:
    return f"(mapping {mapping_version})"


def _and_still(row: Row, sentences: tuple[str, ...]) -> tuple[str, ...]:
    """These sentences, and behind them those that are there and not looked at yet."""
    held: tuple[str, ...] = codec.loads(tuple[str, ...], row["differences"])
    return (*sentences, *(each for each in held if each not in sentences))


def _believable(moment: datetime, now: datetime) -> datetime:
    """When the store says that it was; now, where that is far in the future.

    A store whose clock was wrong for a while would otherwise make every later
    version of the order look older than this one.
    """
    return now if moment > now + AHEAD else moment
