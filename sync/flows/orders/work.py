"""One order after the other: claim, decide, freeze, look up, submit, record."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import structlog

from sync.domain.decision import Admitted, Closed, Closing, Quarantined, Waits
from sync.domain.ids import WebOrderId
from sync.domain.order import StoreOrder
from sync.domain.sales_order import FoundOrder, SalesOrder
from sync.errors import (
    AccessDenied,
    Conflict,
    FencedOff,
    Misconfigured,
    OutcomeUnknown,
    Refusal,
    TryLater,
)
from sync.flows.context import Context, FlowResult, needs
from sync.flows.lookups import Lookups
from sync.flows.orders.discovery import order_id_of
from sync.flows.orders.records import Records, look_again_after_s, told
from sync.planning.changes import same_order
from sync.ports.erp import FindsOrders, SubmitsOrders
from sync.ports.state import Claim, LedgerFilter, LedgerState, ResyncScope
from sync.ports.store import ReadsWebOrders

log = structlog.get_logger()


class OrderWork:
    """One run over everything that is due."""

    def __init__(self, context: Context, result: FlowResult) -> None:
        self.context, self.result = context, result
        self.store = needs(context.store, ReadsWebOrders, "the store")
        self.finds = needs(context.erp, FindsOrders, "the ERP")
        self.submits = needs(context.erp, SubmitsOrders, "the ERP")
        self.lookups = Lookups(context)
        self.records = Records(context, result)

    def run(self, scope: ResyncScope) -> None:
        """Work on due orders, oldest first, until none is left that was not tried."""
        limits = self.context.limits.orders
        if scope.order is not None:
            order_id = order_id_of(self.context, scope.order)
            if not self._work_on(order_id):
                self._left_alone(order_id)
            return
        tried: set[WebOrderId] = set()
        while self.result.outcome == "ok":
            with self.context.state.transaction() as state:
                due = state.ledger.due(self.context.clock.now(), limits.batch + len(tried))
            batch = [each for each in due if each not in tried]
            if not batch:
                return
            self._read_ahead(batch[: limits.batch])
            for order_id in batch[: limits.batch]:
                tried.add(order_id)
                self._work_on(order_id)
                if self.context.progress("orders: importing", len(tried), None):
                    self.result.outcome = "cancelled"
                    return

    def _read_ahead(self, batch: Sequence[WebOrderId]) -> None:
        """The batch's items in one read; nothing of an earlier batch is kept.

        It only saves time: what cannot be read together is read order by order,
        so that one odd item costs its own order only.
        """
        self.lookups.forget()
        with self.context.state.transaction() as state:
            entries = state.ledger.entries(LedgerFilter(order_ids=frozenset(batch)))
        try:
            self.lookups.prefetch(entry.order for entry in entries)
        except (TryLater, AccessDenied, Misconfigured):
            raise
        except Exception:
            log.exception("orders.read_ahead_failed")

    def _work_on(self, order_id: WebOrderId) -> bool:
        """Whether there was anything to do about the order."""
        # Whoever takes over from a worker that died while it wrote must find the
        # ERP done with that write.
        lease = self.context.limits.orders.lease_s + look_again_after_s(self.context)
        with self.context.state.transaction() as state:
            claim = state.ledger.claim(order_id, self.context.clock.now(), lease)
        if claim is None:
            return False
        try:
            self._attempt(claim)
        except FencedOff:
            # Somebody else took the order over: whatever they record is right.
            log.warning("order.fenced_off", web_order=order_id.value)
            self.result.count("taken_over")
        return True

    def _left_alone(self, order_id: WebOrderId) -> None:
        """Say why nothing was done about the one order that a person asked for."""
        with self.context.state.transaction() as state:
            entry = state.ledger.entry(order_id)
        if entry is None:
            return
        until = f" until {entry.next_check_at:%Y-%m-%d %H:%M} UTC" if entry.next_check_at else ""
        self.result.remarks.append(
            f"Order {entry.number} is {entry.state.value}{until}: nothing was done about it."
        )

    def _attempt(self, claim: Claim) -> None:
        try:
            if claim.frozen is not None:
                self._resume(claim, claim.frozen)
            else:
                # What was just discovered is fresh; what waited or failed may have
                # changed or vanished since.
                fresh = claim.was is LedgerState.DISCOVERED and claim.attempt == 1
                order = claim.order if fresh else self._as_it_is(claim)
                self._decide(claim, order)
        except (TryLater, AccessDenied, Misconfigured) as error:
            self.records.retry(claim, error, in_flight=self._in_flight(claim))
            raise
        except FencedOff:
            raise
        except Refusal as refusal:
            self._stopped(claim, refusal)
        except Exception as error:
            log.exception("order.failed", web_order=claim.order.number.value)
            self._failed(claim, error)
            self.result.count("failed")
            self.result.remarks.append(f"{claim.order.number}: {type(error).__name__}, see the log")

    def _stopped(self, claim: Claim, refusal: Refusal) -> None:
        """A look-up that will answer no better next time, such as two orders under our key."""
        if self._in_flight(claim):
            self.records.review(claim, (f"The ERP cannot tell whether it has it: {refusal}",))
        else:
            self.records.refused(claim, str(refusal), refusal.remedy)

    def _failed(self, claim: Claim, error: Exception) -> None:
        """An error that is none of ours: nobody knows how far it came."""
        if self._in_flight(claim):
            self.records.unknown(claim, told(error))
        else:
            self.records.retry(claim, error, in_flight=False)

    def _in_flight(self, claim: Claim) -> bool:
        """Whether an instruction is out by now, of this attempt or of an earlier one."""
        with self.context.state.transaction() as state:
            entry = state.ledger.entry(claim.order_id)
        return entry is not None and entry.frozen is not None

    def _as_it_is(self, claim: Claim) -> StoreOrder | None:
        """The order as the store shows it now, kept in the ledger if it is newer."""
        order = self.context.retrying()(self.store.order, claim.order_id)
        if order is not None and order != claim.order:
            with self.context.state.transaction() as state:
                state.ledger.refresh(claim, order)
        return order

    def _decide(self, claim: Claim, order: StoreOrder | None, *, again: bool = False) -> None:
        """Judge the order, and submit it if it may be imported.

        ``again``: it has changed under our hands once already in this attempt.
        """
        if order is None:
            self._vanished(claim)
            return
        match self.lookups.judge(order, claim.key):
            case Admitted() as admitted:
                self._submit(claim, order, admitted, again=again)
            case Waits(code, sentence, _):
                self.records.waiting(claim, code, sentence)
            case Quarantined() as held:
                self.records.quarantined(claim, held)
            case Closed(why, sentence, _):
                self.records.closed(claim, why, sentence)

    def _submit(self, claim: Claim, order: StoreOrder, admitted: Admitted, *, again: bool) -> None:
        """Look for our key in the ERP and read the order once more; then write it.

        The instruction is frozen right before it leaves, so that a frozen one
        always means that the ERP may have it.
        """
        found = self._find(claim)
        if found is not None and found.refusal is not None and self._sent_back(claim):
            found = None
        if found is None:
            newest = self._as_it_is(claim)
            if newest is None or not same_order(order, newest):
                if again:
                    moving = Conflict("the order keeps changing in the store")
                    self.records.retry(claim, moving, in_flight=False)
                else:
                    self._decide(claim, newest, again=True)
                return
        self.records.frozen(claim, admitted)
        if found is not None:
            self._settle(claim, admitted.order, found)
        else:
            self._send(claim, admitted.order)

    def _resume(self, claim: Claim, instruction: SalesOrder) -> None:
        """An earlier attempt may have reached the ERP: look, then go on or think again."""
        found = self._find(claim)
        if found is not None:
            self._settle(claim, instruction, found)
            return
        if not self.context.erp.capabilities.unique_external_key:
            # This ERP would take the order twice, and a late commit may still come.
            told = (
                "An earlier attempt ended without an answer. This ERP refuses no second "
                "order under the same key, so a person must see whether it arrived."
            )
            self.records.review(claim, (told,))
            return
        # Hours may have passed: what holds now decides, not what held then.
        newest = self._as_it_is(claim)
        self.records.thawed(claim, "the earlier attempt did not reach the ERP")
        self._decide(claim, newest)

    def _sent_back(self, claim: Claim) -> bool:
        """Whether somebody wants the order tried again: a person, or the store by a change."""
        with self.context.state.transaction() as state:
            history = state.ledger.history(claim.order_id)
        return any(each.event in ("replayed", "requeued") for each in history)

    def _find(self, claim: Claim) -> FoundOrder | None:
        return self.context.retrying()(self.finds.find_order, claim.key)

    def _send(self, claim: Claim, instruction: SalesOrder) -> None:
        try:
            answer = self.submits.submit_order(instruction, claim.key)
        except Refusal as refusal:
            self.records.refused(claim, str(refusal), refusal.remedy)
        except OutcomeUnknown as unknown:
            self.records.unknown(claim, str(unknown))
        except Conflict:
            found = self._find(claim)
            if found is not None:
                self._settle(claim, instruction, found)
            else:
                said = "the ERP says that it has the order, and does not find it"
                self.records.unknown(claim, said)
        except TryLater:
            # Surely not written: the next attempt may decide anew.
            self.records.thawed(claim, "the ERP was away, nothing was written")
            raise
        else:
            self.records.imported(claim, instruction, answer.number)

    def _settle(self, claim: Claim, instruction: SalesOrder, found: FoundOrder) -> None:
        """The ERP holds something under our key: refused by it, another order, or ours."""
        if found.refusal is not None:
            self.records.refused(claim, found.refusal, "Correct what the ERP names, then replay.")
            return
        differences = found.differences(instruction)
        if differences:
            self.records.review(claim, differences)
        else:
            self.records.imported(claim, instruction, found.number)

    def _vanished(self, claim: Claim) -> None:
        """Waiting, and after a long time closed: a phantom that never became an order."""
        gone_since = self._gone_since(claim)
        patience = self.context.limits.orders.vanished_close_after_s
        now = self.context.clock.now()
        if gone_since is not None and (now - gone_since).total_seconds() > patience:
            sentence = "The store has not shown the order for a long time."
            self.records.closed(claim, Closing.VANISHED, sentence)
        else:
            self.records.waiting(claim, "order_vanished", "The store no longer shows the order.")

    def _gone_since(self, claim: Claim) -> datetime | None:
        """When it was missed first; None where it has not been missed before.

        Its age says nothing: one that waited for weeks may be missing for a moment.
        """
        with self.context.state.transaction() as state:
            entry = state.ledger.entry(claim.order_id)
            history = state.ledger.history(claim.order_id)
        if entry is None or entry.waiting_for != "order_vanished":
            return None
        # Waiting on for the same reason is no new event.
        return next((each.at for each in reversed(history) if each.event == "waiting"), None)
