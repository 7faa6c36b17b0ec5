"""What became of a claimed order, written under its fencing token."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import structlog

from sync.domain.decision import Admitted, Closing, Quarantined
from sync.domain.ids import ErpOrderNumber
from sync.domain.problem_codes import problem
from sync.domain.sales_order import SalesOrder
from sync.errors import SyncError, TryLater
from sync.flows.context import Context, FlowResult
from sync.ports.state import Claim

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


@dataclass(frozen=True, slots=True)
class Records:
    """Each method is one transaction. All of them raise FencedOff."""

    context: Context
    result: FlowResult

    def frozen(self, claim: Claim, admitted: Admitted) -> None:
        with self.context.state.transaction() as state:
            now = self.context.clock.now()
            state.ledger.freeze(claim, admitted.order, admitted.decision, now)

    def thawed(self, claim: Claim, why: str) -> None:
        with self.context.state.transaction() as state:
            state.ledger.thaw(claim, self.context.clock.now(), why)

    def imported(
        self, claim: Claim, instruction: SalesOrder, number: ErpOrderNumber | None
    ) -> None:
        with self.context.state.transaction() as state:
            state.ledger.record_imported(claim, number, self.context.clock.now())
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

    def waiting(self, claim: Claim, code: str, sentence: str) -> None:
        pause = timedelta(seconds=self.context.limits.orders.waiting_recheck_s)
        with self.context.state.transaction() as state:
            next_check = self.context.clock.now() + pause
            state.ledger.record_waiting(claim, code, sentence, next_check)
        self.result.count("waiting")

    def closed(self, claim: Claim, why: Closing, sentence: str) -> None:
        with self.context.state.transaction() as state:
            state.ledger.record_closed(claim, why, sentence, self.context.clock.now())
        self.result.count("closed")

    def quarantined(self, claim: Claim, held: Quarantined) -> None:
        with self.context.state.transaction() as state:
            now = self.context.clock.now()
            state.ledger.record_quarantined(claim, held.problems, now, held.trail)
        self.result.count("quarantined")
        number = claim.order.number.value
        for each in held.problems:
            log.warning("order.quarantined", web_order=number, code=each.code, rule=each.rule)
        self.result.samples.append(f"{number} quarantined: {held.problems[0].sentence}")

    def refused(self, claim: Claim, said: str, remedy: str) -> None:
        """The ERP understood the order and refused it: nothing is on its way."""
        self.thawed(claim, "the ERP refused the order")
        reason = problem("erp_refused", f"The ERP refused: {said}", remedy)
        self.quarantined(claim, Quarantined((reason,)))

    def review(self, claim: Claim, differences: tuple[str, ...]) -> None:
        with self.context.state.transaction() as state:
            state.ledger.record_review(claim, differences, self.context.clock.now())
        self.result.count("review")
        log.warning("order.needs_review", web_order=claim.order.number.value)

    def unknown(self, claim: Claim, message: str) -> None:
        wait = look_again_after_s(self.context)
        with self.context.state.transaction() as state:
            again = self.context.clock.now() + timedelta(seconds=wait)
            state.ledger.record_unknown(claim, message, again)
        self.result.count("outcome_unknown")
        log.warning("order.outcome_unknown", web_order=claim.order.number.value, again_in_s=wait)

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
        with self.context.state.transaction() as state:
            again = self.context.clock.now() + timedelta(seconds=max(pause, asked or 0.0))
            state.ledger.record_retry(claim, told(error), again)
        self.result.count("retry_scheduled")
