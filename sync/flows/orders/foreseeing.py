"""What becomes of an order, with what the ERP's adapter refuses without asking the ERP.

Judging says what the rules say. An ERP may have no place for something of an order
that they let in: a profile that writes no notes, a file in which a character cannot be
written. Where the adapter can tell so itself, a plan tells it too, and an order that
goes alone is held before its instruction is frozen: whatever happens then, nobody has
to ask whether it is in the ERP. In a hand of orders nothing is gained by that: the
adapter says the same as soon as it is asked to write, with nothing sent.
"""

from __future__ import annotations

from sync.domain.decision import Admitted, Outcome, Problem, Quarantined
from sync.domain.ids import IdempotencyKey
from sync.domain.order import StoreOrder
from sync.domain.problem_codes import problem
from sync.domain.sales_order import SalesOrder
from sync.errors import Refusal, Rejected
from sync.flows.lookups import Lookups
from sync.ports.erp import Erp, ForeseesRefusals
from sync.secrecy import scrubbed

WOULD_REFUSE = "The ERP would refuse it"
"""What is said of an order that nobody has asked the ERP to take: its adapter foresees it."""


def refused_by_the_erp(said: str, remedy: str, *, foreseen: bool = False) -> Problem:
    """Why an order that the ERP refused, or that its adapter foresees it to, is in quarantine."""
    who = WOULD_REFUSE if foreseen else "The ERP refused"
    return problem("erp_refused", scrubbed(f"{who}: {said}"), remedy)


def foreseen_refusal(erp: Erp, order: SalesOrder, key: IdempotencyKey) -> Rejected | None:
    """What the adapter refuses of the order without asking the ERP; None where it must be asked."""
    return erp.foreseen_refusal(order, key) if isinstance(erp, ForeseesRefusals) else None


def foreseen(erp: Erp, admitted: Admitted, key: IdempotencyKey) -> Quarantined | None:
    """The quarantine that writing the order would end in; None where the ERP must be asked."""
    refusal = foreseen_refusal(erp, admitted.order, key)
    if refusal is None:
        return None
    decision = admitted.decision
    reason = refused_by_the_erp(str(refusal), refusal.remedy, foreseen=True)
    return Quarantined((reason,), decision.trail, decision.customer_id)


def outlook(lookups: Lookups, order: StoreOrder, key: IdempotencyKey) -> Outcome:
    """What would become of the order if it were imported now, as far as can be told."""
    try:
        judged = lookups.judge(order, key)
    except Refusal as refusal:
        # Of a record that the order needs and nobody can read: as the import answers it.
        return Quarantined((refused_by_the_erp(str(refusal), refusal.remedy),))
    if isinstance(judged, Admitted):
        return foreseen(lookups.context.erp, judged, key) or judged
    return judged
