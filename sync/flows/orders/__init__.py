"""Import of web orders: discover, decide, submit once, tell the store (OI-1, OI-2, OI-5).

What keeps an order from being booked twice or lost, step by step:

- it is in the ledger before anything is done about it, in the same transaction
  that moves the watermark;
- a claim with a fencing token precedes every attempt;
- the instruction is frozen before the first attempt, the ERP is asked for our
  key before every attempt, and the store is read once more right before it;
  orders in one hand share the transactions and reads of that, and where the ERP
  allows it its own transaction too (``hands.py``);
- an answer that did not come is "unknown", waits longer than the ERP's own
  time-outs, and is looked up, never guessed;
- what the store shows is told apart from the ERP side and repeated until it took.
"""

from __future__ import annotations

from sync.errors import Conflict, OutcomeUnknown, SyncError, TryLater
from sync.flows.context import Context, FlowResult
from sync.flows.orders.aftermath import judge_changes, tell_store
from sync.flows.orders.cancelling import cancel_in_erp
from sync.flows.orders.crediting import credit_refunds
from sync.flows.orders.discovery import discover
from sync.flows.orders.rehearsal import rehearse
from sync.flows.orders.scoping import Bounds
from sync.flows.orders.second_look import look_again
from sync.flows.orders.work import OrderWork
from sync.ports.state import ResyncScope


def import_orders(
    context: Context, result: FlowResult, scope: ResyncScope, *, dry_run: bool = False
) -> None:
    """Bring every importable web order into the ERP once, and say what became of the rest.

    With ``dry_run`` the store's orders are judged, and nothing is kept anywhere.
    Infrastructure errors end the run; an order that is wrong never does.
    """
    if dry_run:
        rehearse(context, result, scope)
        return
    unanswered: SyncError | None = None
    try:
        discover(context, result, scope)
    except TryLater as error:
        found = {"orders_new", "orders_changed"} & result.counts.keys()
        if not scope.hinted or not found:
            raise
        # What was found before the store stopped answering goes on all the same.
        unanswered = error
    try:
        _bring_in(context, result, scope)
    except (TryLater, OutcomeUnknown, Conflict) as error:
        unanswered = unanswered or error
    if result.outcome == "ok" and not scope.narrow:
        # Also then: what went wrong with some orders may go wrong in every run.
        try:
            look_again(context, result)
        except (TryLater, OutcomeUnknown, Conflict) as error:
            unanswered = unanswered or error
    if unanswered is not None:
        raise unanswered


def _bring_in(context: Context, result: FlowResult, scope: ResyncScope) -> None:
    bounds = Bounds(context, scope)
    try:
        OrderWork(context, result).run(scope, bounds)
    finally:
        # Also when the ERP is away: the store should say so at each order.
        judge_changes(context, result)
        try:
            cancel_in_erp(context, result, bounds)
        finally:
            try:
                credit_refunds(context, result, bounds)
            finally:
                tell_store(context, result, bounds)
