"""One order after the other: claim, decide, freeze, look up, submit, record.

Here stands what is done about a single order, with a transaction for each step: the
way of an order that may be in the ERP already, that somebody asked for by name, or
that goes into an ERP which would take it twice. All others go in hands, which share
transactions and reads (``hands.py``), and come here when one of them is odd.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import structlog

from sync.domain.decision import Admitted, Closed, Closing, Quarantined, Waits
from sync.domain.ids import WebOrderId
from sync.domain.order import StoreOrder
from sync.domain.problem_codes import problem
from sync.domain.sales_order import FoundOrder, SalesOrder
from sync.errors import (
    AccessDenied,
    Conflict,
    FencedOff,
    LeftAlone,
    Misconfigured,
    OutcomeUnknown,
    Refusal,
    TryLater,
)
from sync.flows.apart import AccountUnread
from sync.flows.context import Context, FlowResult, needs
from sync.flows.lookups import Lookups
from sync.flows.mirroring import chunks
from sync.flows.orders.discovery import order_id_of
from sync.flows.orders.foreseeing import foreseen, foreseen_refusal
from sync.flows.orders.hands import Hands
from sync.flows.orders.records import Records, fenced_off, look_again_after_s, told
from sync.flows.orders.scoping import Bounds
from sync.planning.changes import same_order
from sync.ports.erp import FindsOrders, SubmitsOrders
from sync.ports.state import Claim, LedgerState, ResyncScope
from sync.ports.store import ReadsWebOrders

log = structlog.get_logger()

NOT_FOUND = "the ERP says that it has the order, and does not find it"
MOST_UNANSWERED = 10
"""So often an order goes out whose sending is not answered, and that is not found afterwards."""


class OrderWork:
    """One run over everything that is due."""

    def __init__(self, context: Context, result: FlowResult) -> None:
        self.context, self.result = context, result
        self.store = needs(context.store, ReadsWebOrders, "the store")
        self.finds = needs(context.erp, FindsOrders, "the ERP")
        self.submits = needs(context.erp, SubmitsOrders, "the ERP")
        self.lookups = Lookups(context)
        self.records = Records(context, result)
        self._done = 0
        self._last_failed: TryLater | None = None
        self._unread: AccountUnread | None = None

    def run(self, scope: ResyncScope, bounds: Bounds) -> None:
        """Work on due orders, oldest first, until none is left that was not tried.

        Raises what kept the last one from an outcome: nothing shows that it was the
        order's doing.
        """
        if scope.order is not None:
            order_id = order_id_of(self.context, scope.order)
            if not self._work_on(order_id):
                self._left_alone(order_id)
            if self._unread is not None:
                raise self._unread
        else:
            self._all_due(bounds)
        if self._last_failed is not None:
            raise self._last_failed

    def _all_due(self, bounds: Bounds) -> None:
        limits = self.context.limits.orders
        hands = Hands(self)
        work_on = hands.work_on if hands.possible else self._one_by_one
        tried: set[WebOrderId] = set()
        while not self.stopped:
            with self.context.state.transaction() as state:
                due = state.ledger.due(self.context.clock.now(), limits.batch + len(tried))
            batch = [each for each in due if each not in tried][: limits.batch]
            if not batch:
                break
            self.lookups.forget()
            outside = bounds.outside(batch)
            tried |= outside
            batch = [each for each in batch if each not in outside]
            for some in chunks(batch, hands.size):
                if not self.stopped:
                    tried.update(some)
                    tried.difference_update(work_on(some))
        hands.finish()

    @property
    def stopped(self) -> bool:
        """Whether somebody asked this run to end."""
        return self.result.outcome != "ok"

    def went_on(self, orders: int) -> bool:
        """That many more are done with. Gives whether to stop."""
        self._done += orders
        if self.context.progress("orders: importing", self._done, None):
            self.result.outcome = "cancelled"
        return self.stopped

    def _one_by_one(self, order_ids: Sequence[WebOrderId]) -> Sequence[WebOrderId]:
        """Each with transactions of its own. Gives back those that were not begun."""
        for number, order_id in enumerate(order_ids, 1):
            self.lookups.forget_people()
            self._work_on(order_id)
            if self.went_on(1):
                return order_ids[number:]
        return ()

    def _work_on(self, order_id: WebOrderId) -> bool:
        """Whether there was anything to do about the order."""
        claim = self.claim(order_id)
        if claim is None:
            return False
        try:
            try:
                self.begin(claim)
            except FencedOff:
                raise
            except Exception as error:  # noqa: BLE001 - it is recorded at the order, or raised
                self.went_wrong(claim, error)
        except FencedOff:
            fenced_off(self.result, claim)
        except TryLater as error:
            self.failed_alone(error)
        else:
            self.went_well()
        return True

    @property
    def lease_s(self) -> float:
        """Seconds for which an order is claimed.

        Whoever takes over from a worker that died while it wrote must find the ERP
        done with that write.
        """
        return self.context.limits.orders.lease_s + look_again_after_s(self.context)

    def claim(self, order_id: WebOrderId) -> Claim | None:
        """The claim of that order; None where there is nothing to do about it.

        None too, and remarked, where what the state holds of it cannot be read: it
        stays due, so that each run says so until somebody has seen to it.
        """
        try:
            with self.context.state.transaction() as state:
                return state.ledger.claim(order_id, self.context.clock.now(), self.lease_s)
        except ValueError:
            log.exception("order.unreadable_in_state", web_order=order_id.value)
            self.result.count("failed")
            self.result.remarks.append(
                f"What the state holds of order {order_id} cannot be read, see the log. It is "
                "left alone until the state is repaired or restored from a backup."
            )
            return None

    def failed_alone(self, error: TryLater) -> None:
        """A system did not answer for one order, which rests: that may be the order's doing.

        Raises it where it was so for the order before, too: then the system is away.
        Of an account that cannot be read it is known by then that others can.
        """
        if isinstance(error, AccountUnread):
            self._account_unread(error)
            return
        if isinstance(error, LeftAlone) or self._last_failed is not None:
            raise error
        self._last_failed = error

    def _account_unread(self, error: AccountUnread) -> None:
        self.result.count("account_unread")
        if (remark := f"Orders wait: {error}") not in self.result.remarks:
            self.result.remarks.append(remark)
        self._unread = error

    def went_well(self) -> None:
        """An order came to an outcome, so the systems answer."""
        self._last_failed = None

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

    def begin(self, claim: Claim) -> None:
        """Look where an earlier attempt got to, or decide about the order."""
        if claim.frozen is not None:
            self.resume(claim, claim.frozen)
            return
        # What was just discovered is fresh; what waited or failed may have
        # changed or vanished since.
        fresh = claim.was is LedgerState.DISCOVERED and claim.attempt == 1
        self.decide(claim, claim.order if fresh else self._as_it_is(claim))

    def went_wrong(self, claim: Claim, error: Exception) -> None:
        """Record it at the order. Raises what says that a system is away or shut."""
        if isinstance(error, TryLater | AccessDenied | Misconfigured):
            self.records.retry(claim, error, in_flight=self._in_flight(claim))
            raise error
        if isinstance(error, Refusal):
            self._refused(claim, error)
            return
        log.error("order.failed", web_order=claim.order.number.value, exc_info=error)
        self.failed(claim, error)

    def _refused(self, claim: Claim, refusal: Refusal) -> None:
        """A look-up that will answer no better next time, such as two orders under our key."""
        if self._in_flight(claim):
            self.records.review(claim, (f"The ERP cannot tell whether it has it: {refusal}",))
        else:
            self.records.refused(claim, str(refusal), refusal.remedy)

    def failed(self, claim: Claim, error: Exception) -> None:
        """An error that is none of ours: nobody knows how far it came."""
        if self._in_flight(claim):
            self.records.unknown(claim, told(error))
        else:
            self.records.retry(claim, error, in_flight=False)
        self.result.count("failed")
        self.result.remarks.append(f"{claim.order.number}: {type(error).__name__}, see the log")

    def _in_flight(self, claim: Claim) -> bool:
        """Whether an instruction is out by now, of this attempt or of an earlier one."""
        with self.context.state.transaction() as state:
            entry = state.ledger.entry(claim.order_id)
        return entry is not None and entry.frozen is not None

    def _as_it_is(self, claim: Claim) -> StoreOrder | None:
        """The order as the store shows it now, kept in the ledger if it is newer."""
        order = self.context.retrying()(self.store.order, claim.order_id)
        if order is not None and order != claim.order:
            self.records.refreshed(claim, order)
        return order

    def decide(
        self,
        claim: Claim,
        order: StoreOrder | None,
        *,
        again: bool = False,
        half: FoundOrder | None = None,
    ) -> None:
        """Judge the order, and submit it if it may be imported.

        ``again``: it has changed under our hands once already in this attempt.
        ``half``: what the ERP holds of it, half done.
        """
        if order is None and half is None:
            self._vanished(claim)
            return
        judged = None if order is None else self.lookups.judge(order, claim.key)
        if half is not None and not isinstance(judged, Admitted):
            # Whoever finds it in the ERP would go on with it.
            self.records.review(claim, (_half_done(half),))
            return
        match judged:
            case Admitted() as admitted if order is not None:
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
        half = found if found is not None and found.unfinished else None
        if half is not None:
            found = None
        if found is None:
            newest = self._as_it_is(claim)
            if newest is None or not same_order(order, newest):
                if again:
                    moving = Conflict("the order keeps changing in the store")
                    self.records.retry(claim, moving, in_flight=False)
                else:
                    self.decide(claim, newest, again=True, half=half)
                return
        nothing_there = found is None and half is None
        if nothing_there and (held := foreseen(self.context.erp, admitted, claim.key)):
            self.records.quarantined(claim, held)
            return
        self.records.frozen(claim, admitted)
        if found is not None:
            self.settle(claim, admitted.order, found)
            return
        try:
            self.send(claim, admitted.order)
        except FencedOff:
            try:
                self.too_late(claim, order, admitted)
            except Exception:
                log.warning("order.overtaken", web_order=order.number.value, exc_info=True)
                self.out_of_sight(claim)
            raise

    def too_late(self, claim: Claim, order: StoreOrder, admitted: Admitted) -> None:
        """Others took over while the order was on its way, and may have given it up since.

        They looked for it before it arrived: only who sent it can know that it did.
        """
        found = self._find(claim)
        if found is None or found.unfinished or found.refusal is not None:
            return
        if not found.differences(admitted.order):
            self.records.arrived_late(claim, order, admitted, found.number)

    def out_of_sight(self, claim: Claim) -> None:
        """Say that nobody could see whether an order arrived after others took it over."""
        self.result.remarks.append(
            f"{claim.order.number}: another worker took it over while it was sent, and whether "
            "it arrived could not be seen: look for it in the ERP."
        )

    def resume(self, claim: Claim, instruction: SalesOrder) -> None:
        """An earlier attempt may have reached the ERP: look, then go on or think again."""
        found = self._find(claim)
        if found is not None and not found.unfinished:
            self.settle(claim, instruction, found)
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
        nothing_came = "the ERP has nothing of the earlier attempt"
        told = nothing_came if found is None else "the earlier attempt ended half way"
        self.records.thawed(claim, told)
        unanswered = self._unanswered(claim)
        if len(unanswered) < MOST_UNANSWERED:
            self.decide(claim, newest, half=found)
        elif found is not None:
            self.records.review(claim, (_half_done(found),))
        else:
            self.records.quarantined(claim, _never_taken(unanswered))

    def _sent_back(self, claim: Claim) -> bool:
        """Whether somebody wants the order tried again: a person, or the store by a change."""
        with self.context.state.transaction() as state:
            history = state.ledger.history(claim.order_id)
        return any(each.event in ("replayed", "requeued") for each in history)

    def _unanswered(self, claim: Claim) -> list[str]:
        """What was said of each sending without an outcome since somebody looked at it last."""
        with self.context.state.transaction() as state:
            history = state.ledger.history(claim.order_id)
        said: list[str] = []
        for each in history:
            if each.event in ("replayed", "requeued"):
                said.clear()
            elif each.event == "outcome_unknown":
                said.append(each.detail)
        return said

    def _went_out_otherwise(self, claim: Claim) -> bool:
        """Whether the order changed between two times that it was made ready for the ERP.

        What is found tells account, lines and total, not where the goods go: it may
        be the earlier version, from a worker that hung and came to life again.
        """
        with self.context.state.transaction() as state:
            events = [each.event for each in state.ledger.history(claim.order_id)]
        ready = [place for place, event in enumerate(events) if event == "admitted"]
        between = events[ready[0] : ready[-1]] if ready else []
        return "changed" in between or "refreshed" in between

    def _find(self, claim: Claim) -> FoundOrder | None:
        return self.context.retrying()(self.finds.find_order, claim.key)

    def send(self, claim: Claim, instruction: SalesOrder, records: Records | None = None) -> None:
        """Write the order into the ERP; ``records`` keep the outcome where it is known."""
        try:
            answer = self.submits.submit_order(instruction, claim.key)
        except Refusal as refusal:
            unasked = foreseen_refusal(self.context.erp, instruction, claim.key) is not None
            self.records.refused(claim, str(refusal), refusal.remedy, foreseen=unasked)
        except OutcomeUnknown as unknown:
            self.records.unknown(claim, str(unknown))
        except Conflict as conflict:
            self._in_conflict(claim, instruction, conflict)
        except TryLater:
            # Surely not written: the next attempt may decide anew.
            self.records.thawed(claim, "the ERP was away, nothing was written")
            raise
        except (AccessDenied, Misconfigured):
            raise
        except Exception as error:
            # Nobody knows how far it came: as after any lost answer.
            log.error("order.failed", web_order=claim.order.number.value, exc_info=error)
            self.failed(claim, error)
        else:
            (records or self.records).imported(claim, instruction, answer.number)

    def _in_conflict(self, claim: Claim, instruction: SalesOrder, conflict: Conflict) -> None:
        """The ERP says that it has an order under our key already."""
        if conflict.differences:
            self.records.review(claim, conflict.differences)
            return
        found = self._find(claim)
        if found is not None and not found.unfinished:
            self.settle(claim, instruction, found)
            return
        with self.context.state.transaction() as state:
            history = state.ledger.history(claim.order_id)
        if any(each.detail == NOT_FOUND for each in history):
            said = (
                f"Twice the ERP said that it has an order under the key {claim.key}, and did not "
                f"find it: {conflict}. Look for the key in the ERP, among drafts and cancelled "
                "orders too. If the order is there as it should be, dismiss this one; otherwise "
                "remove what is there, then replay."
            )
            self.records.review(claim, (said,))
        else:
            self.records.unknown(claim, NOT_FOUND)

    def settle(
        self,
        claim: Claim,
        instruction: SalesOrder,
        found: FoundOrder,
        records: Records | None = None,
    ) -> None:
        """The ERP holds something under our key: refused by it, another order, or ours."""
        records = records or self.records
        if found.refusal is not None:
            records.refused(claim, found.refusal, "Correct what the ERP names, then replay.")
            return
        if found.unfinished:
            records.unknown(claim, "the ERP has it half done")
            return
        differences = found.differences(instruction)
        if not differences and self._went_out_otherwise(claim):
            differences = (
                "The ERP has it from an earlier attempt, perhaps as it was before it changed.",
            )
        if differences:
            records.review(claim, differences)
        else:
            records.imported(claim, instruction, found.number)

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


def _never_taken(unanswered: Sequence[str]) -> Quarantined:
    said = f"The ERP was sent the order {len(unanswered)} times, and does not have it."
    remedy = "See in the ERP, or in the trail of the order, what is in the way, then replay."
    why = f"of the last attempt it is known: {unanswered[-1]}"
    return Quarantined((problem("gave_up", said, remedy),), (why,))


def _half_done(half: FoundOrder) -> str:
    under = f" as {half.number}" if half.number else ""
    return (
        f"The ERP holds it half done{under}, from an earlier attempt, and it may not be imported "
        "as it is now. Cancel it in the ERP, then replay the order or dismiss it."
    )
