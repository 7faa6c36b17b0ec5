"""What became of a claimed order, written under its fencing token.

``Records`` writes each at once, in a transaction of its own. ``LaterRecords`` keeps
what it is told until somebody opens a transaction anyhow, and writes it all there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import structlog

from sync.domain.decision import Admitted, Closing, Quarantined
from sync.domain.ids import ErpOrderNumber, WebOrderId
from sync.domain.order import StoreOrder
from sync.domain.problem_codes import problem
from sync.domain.sales_order import SalesOrder
from sync.errors import FencedOff, SyncError, TryLater
from sync.flows.context import Context, FlowResult
from sync.flows.orders.foreseeing import refused_by_the_erp
from sync.flows.orders.noting import note_refunds
from sync.ports.state import Claim, Ledger, Transaction

log = structlog.get_logger()


def told(error: Exception) -> str:
    """What went wrong, in words made for people.

    An error that nobody foresaw may quote anything, a buyer or a password
    included: it stands in the log only, where such is masked.
    """
    return str(error) if isinstance(error, SyncError) else f"{type(error).__name__}: see the log"


def look_again_after_s(context: Context) -> float:
    """Seconds after which the ERP is surely done with an order, whether it answered or not."""
    longest = context.erp.capabilities.statement_timeout_s * 1.5
    return max(context.limits.orders.ambiguity_wait_s, longest)


def fenced_off(result: FlowResult, claim: Claim) -> None:
    """Somebody else took the order over: whatever they record is right."""
    log.warning("order.fenced_off", web_order=claim.order_id.value)
    result.count("taken_over")


def nothing() -> None:
    """There is nothing to tell."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the ledger, and what is told once it is committed."""

    claim: Claim
    write: Callable[[Ledger], None]
    tell: Callable[[], None] = nothing
    also: Callable[[Transaction], None] | None = None

    def written(self, state: Transaction) -> None:
        """The step in this transaction, with what goes with it beside the ledger."""
        self.write(state.ledger)
        if self.also is not None:
            self.also(state)


class Records:
    """Each method is one transaction. All of them raise FencedOff."""

    def __init__(self, context: Context, result: FlowResult) -> None:
        self.context, self.result = context, result

    def frozen(self, claim: Claim, admitted: Admitted) -> None:
        def write(ledger: Ledger) -> None:
            ledger.freeze(claim, admitted.order, admitted.decision, self.context.clock.now())

        self._do(Step(claim, write))

    def thawed(self, claim: Claim, why: str) -> None:
        self._do(Step(claim, lambda ledger: ledger.thaw(claim, self.context.clock.now(), why)))

    def refreshed(self, claim: Claim, order: StoreOrder) -> None:
        self._do(Step(claim, lambda ledger: ledger.refresh(claim, order)))

    def given_back(self, claim: Claim) -> None:
        """Nothing was begun: as if it had not been claimed."""
        self._do(Step(claim, lambda ledger: ledger.give_back(claim, self.context.clock.now())))

    def imported(
        self, claim: Claim, instruction: SalesOrder, number: ErpOrderNumber | None
    ) -> None:
        def tell() -> None:
            self.result.count("imported")
            self.result.count("imported_retail" if instruction.retail else "imported_wholesale")
            self.result.count("flagged", bool(instruction.flags))
            log.info(
                "order.imported",
                web_order=instruction.web_number.value,
                sold_to=instruction.sold_to.value,
                erp_order=number.value if number else None,
                attempts=claim.attempt,
            )

        def write(ledger: Ledger) -> None:
            ledger.record_imported(claim, number, self.context.clock.now())

        def note(state: Transaction) -> None:
            note_refunds(self.context, state, claim.order_id, instruction.refunds)

        self._do(Step(claim, write, tell, note if instruction.refunds else None))

    def arrived_late(
        self, claim: Claim, order: StoreOrder, admitted: Admitted, number: ErpOrderNumber | None
    ) -> None:
        """The ERP took the order under a claim that was over by then."""
        with self.context.state.transaction() as state:
            now = self.context.clock.now()
            recorded = state.ledger.record_arrived(
                claim, order, admitted.order, admitted.decision, number, now
            )
            if recorded:
                note_refunds(self.context, state, claim.order_id, admitted.order.refunds)
        if recorded:
            self.result.count("imported")
            log.warning("order.arrived_late", web_order=claim.order.number.value)

    def waiting(self, claim: Claim, code: str, sentence: str) -> None:
        pause = timedelta(seconds=self.context.limits.orders.waiting_recheck_s)

        def write(ledger: Ledger) -> None:
            again = self.context.clock.now() + pause
            ledger.record_waiting(claim, code, sentence, again, self.context.mapping.version)

        self._do(Step(claim, write, lambda: self.result.count("waiting")))

    def closed(self, claim: Claim, why: Closing, sentence: str) -> None:
        def write(ledger: Ledger) -> None:
            now = self.context.clock.now()
            ledger.record_closed(claim, why, sentence, now, self.context.mapping.version)

        self._do(Step(claim, write, lambda: self.result.count("closed")))

    def quarantined(self, claim: Claim, held: Quarantined) -> None:
        def write(ledger: Ledger) -> None:
            ledger.record_quarantined(
                claim,
                held.problems,
                self.context.clock.now(),
                self.context.mapping.version,
                held.trail,
                held.customer_id,
            )

        def tell() -> None:
            self.result.count("quarantined")
            number = claim.order.number.value
            for each in held.problems:
                log.warning("order.quarantined", web_order=number, code=each.code, rule=each.rule)
            self.result.samples.append(f"{number} quarantined: {held.problems[0].sentence}")

        self._do(Step(claim, write, tell))

    def refused(self, claim: Claim, said: str, remedy: str, *, foreseen: bool = False) -> None:
        """The ERP understood the order and refused it: nothing is on its way.

        ``foreseen``: its adapter did, and the ERP was not asked.
        """
        with self.context.state.transaction() as state:
            entry = state.ledger.entry(claim.order_id)
        self.thawed(claim, f"the ERP {'would refuse' if foreseen else 'refused'} the order")
        reason = refused_by_the_erp(said, remedy, foreseen=foreseen)
        account = entry.customer_id if entry is not None else None
        self.quarantined(claim, Quarantined((reason,), customer_id=account))

    def review(self, claim: Claim, differences: tuple[str, ...]) -> None:
        def tell() -> None:
            self.result.count("review")
            number = claim.order.number.value
            log.warning("order.needs_review", web_order=number)
            self.result.samples.append(f"{number} to review: {' '.join(differences)}")

        def write(ledger: Ledger) -> None:
            now = self.context.clock.now()
            ledger.record_review(claim, differences, now, self.context.mapping.version)

        self._do(Step(claim, write, tell))

    def unknown(self, claim: Claim, message: str) -> None:
        wait = look_again_after_s(self.context)

        def write(ledger: Ledger) -> None:
            again = self.context.clock.now() + timedelta(seconds=wait)
            ledger.record_unknown(claim, message, again)

        def tell() -> None:
            number = claim.order.number.value
            self.result.count("outcome_unknown")
            log.warning("order.outcome_unknown", web_order=number, again_in_s=wait)

        self._do(Step(claim, write, tell))

    def retry(self, claim: Claim, error: Exception, *, in_flight: bool) -> None:
        """Nothing was written: come back, later each time.

        After many attempts a person must look; an order that may be in the ERP
        already (``in_flight``) is looked up for as long as it takes.
        """
        limits = self.context.limits.orders
        if claim.attempt >= limits.give_up_after_attempts and not in_flight:
            # The buyer sees the sentence; what went wrong inside is for the trail only.
            said = f"{claim.attempt} attempts to bring the order in failed."
            reason = problem("gave_up", said, "See what is in the way, then replay.")
            why = f"the last attempt failed with {told(error)}"
            self.quarantined(claim, Quarantined((reason,), (why,)))
            return
        pause = min(limits.retry_longest_s, limits.retry_first_s * 2.0 ** (claim.attempt - 1))
        asked = error.retry_after_s if isinstance(error, TryLater) else None

        def write(ledger: Ledger) -> None:
            again = self.context.clock.now() + timedelta(seconds=max(pause, asked or 0.0))
            ledger.record_retry(claim, told(error), again)

        self._do(Step(claim, write, lambda: self.result.count("retry_scheduled")))

    def _do(self, step: Step) -> None:
        with self.context.state.transaction() as state:
            step.written(state)
        step.tell()


class LaterRecords(Records):
    """Keeps every step until the next transaction, and writes them there in their order.

    Nobody is told of a step before it is committed. Whoever was fenced off from an
    order is told so, and loses the steps of that order alone.
    """

    def __init__(self, context: Context, result: FlowResult) -> None:
        super().__init__(context, result)
        self._held: list[Step] = []
        self._lost: list[WebOrderId] = []

    def take_lost(self) -> list[WebOrderId]:
        """The orders that others took over, since this was asked last, as they came."""
        lost, self._lost = self._lost, []
        return lost

    def write(self) -> None:
        """Everything that is held, in one transaction; none where nothing is."""
        if self._held:
            with self.transaction():
                pass

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """A transaction that begins with everything that is held.

        Where it fails, all is held as before, and nobody has been told anything.
        """
        done: list[Step] = []
        lost: dict[WebOrderId, Claim] = {}
        with self.context.state.transaction() as state:
            order_ids = list(dict.fromkeys(step.claim.order_id for step in self._held))
            if order_ids:
                with state.ledger.together(order_ids):
                    for step in self._held:
                        try:
                            step.written(state)
                        except FencedOff:
                            lost[step.claim.order_id] = step.claim
                        else:
                            done.append(step)
            yield state
        self._held.clear()
        for step in done:
            step.tell()
        for order_id, claim in lost.items():
            self._lost.append(order_id)
            fenced_off(self.result, claim)

    def write_apart(self) -> list[tuple[Claim, Exception]]:
        """Each order's steps in a transaction of their own: one of them is in the way.

        Gives the orders whose steps cannot be written, with what stopped them.
        """
        waiting = [step.claim for step in self._held]
        held = self._held
        failed: list[tuple[Claim, Exception]] = []
        for order_id, claim in {claim.order_id: claim for claim in waiting}.items():
            self._held = [step for step in held if step.claim.order_id == order_id]
            try:
                self.write()
            except SyncError:
                self._held = held
                raise
            except Exception as error:
                log.exception("order.failed", web_order=claim.order.number.value)
                failed.append((claim, error))
            held = [step for step in held if step.claim.order_id != order_id]
        self._held = []
        return failed

    def _do(self, step: Step) -> None:
        self._held.append(step)
