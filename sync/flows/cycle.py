"""Running flows: one by one, each ending in one record that tells the story."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace

import structlog

from sync.errors import (
    AccessDenied,
    Conflict,
    FencedOff,
    Misconfigured,
    OutcomeUnknown,
    Refusal,
    SuspiciousPlan,
    TryLater,
)
from sync.flows.account_orders import mirror_account_orders
from sync.flows.accounts import mirror_accounts
from sync.flows.availability import mirror_availability
from sync.flows.balances import mirror_balances
from sync.flows.context import Context, Flow, FlowResult
from sync.flows.customer_parts import mirror_customer_parts
from sync.flows.documents import mirror_documents
from sync.flows.entitlements import mirror_entitlements
from sync.flows.invoices import mirror_invoices
from sync.flows.narrowing import nothing_of_its_own, refuse_unknown_parts, unknown_names
from sync.flows.order_status import mirror_order_status
from sync.flows.orders import import_orders
from sync.flows.prices import mirror_prices
from sync.flows.registrations import handle_registrations
from sync.flows.ship_tos import mirror_ship_tos
from sync.flows.telling import Telling
from sync.ports.erp import TellsUnreadable
from sync.ports.state import ResyncScope

log = structlog.get_logger()

# In the order of a whole cycle: who may see what comes before what they see,
# and orders come when accounts are up to date. What the ERP then has of them, and
# of all the others, comes last.
FLOWS: Mapping[str, Flow] = {
    "accounts": mirror_accounts,
    "entitlements": mirror_entitlements,
    "ship_tos": mirror_ship_tos,
    "prices": mirror_prices,
    "invoices": mirror_invoices,
    "balances": mirror_balances,
    "customer_parts": mirror_customer_parts,
    "availability": mirror_availability,
    "registrations": handle_registrations,
    "orders": import_orders,
    "order_status": mirror_order_status,
    "documents": mirror_documents,
    "account_orders": mirror_account_orders,
}


def run_flow(
    context: Context, flow: str, scope: ResyncScope | None = None, *, dry_run: bool = False
) -> FlowResult:
    """Run one flow and record how it went. A dry run records nothing.

    Errors that the engine knows become an outcome, of a dry run too: ``try_later`` (a
    system is away), ``refused`` (the guard rails hold the plan), ``failed``. Anything else
    is recorded as failed and raised. A scope that the flow does not know, or a name
    in it that stands for nothing, fails: it must not look as if all were well.
    """
    run_id = uuid.uuid4().hex[:12]
    scope = scope or ResyncScope()
    with structlog.contextvars.bound_contextvars(
        run_id=run_id, flow=flow, pipeline=context.pipeline
    ):
        result = FlowResult(flow)
        if dry_run:
            _answer(context, result, scope, dry_run=True)
            result.scrub()
            return result
        with context.state.transaction() as state:
            state.runs.start(run_id, flow, context.clock.now(), narrow=scope.narrow)
        telling = Telling(context, run_id)
        try:
            _answer(replace(context, progress=telling), result, scope, dry_run=False)
        except BaseException as error:
            result.outcome, result.message = "failed", f"{type(error).__name__}: see the log"
            raise
        finally:
            _finish(context, run_id, result)
        return result


def _carry_out(context: Context, result: FlowResult, scope: ResyncScope, *, dry_run: bool) -> None:
    refuse_unknown_parts(result.flow, scope)
    FLOWS[result.flow](context, result, scope, dry_run=dry_run)
    if scope.parts and not result.counts and result.outcome == "ok":
        unknown = unknown_names(context, scope)
        if unknown:
            result.outcome, result.message = "failed", f"Nothing found: {'; '.join(unknown)}."
        elif not dry_run:  # a rehearsal counts nothing that stays, either
            result.remarks.extend(nothing_of_its_own(result.flow, scope))


def _answer(context: Context, result: FlowResult, scope: ResyncScope, *, dry_run: bool) -> None:
    if isinstance(context.erp, TellsUnreadable):
        context.erp.take_unreadable()  # what an earlier run in this thread left is not ours
    try:
        _carry_out(context, result, scope, dry_run=dry_run)
    except SuspiciousPlan as error:
        result.outcome, result.message, result.plan_id = "refused", str(error), error.plan_id
    except (TryLater, OutcomeUnknown, Conflict) as error:
        # Every mirror write is idempotent, so the next run simply compares again.
        result.outcome, result.message = "try_later", str(error)
    except (AccessDenied, Misconfigured, FencedOff) as error:
        result.outcome, result.message = "failed", str(error)
        result.misconfigured = isinstance(error, Misconfigured)
    except Refusal as error:
        # Of one record that the flow could not leave aside.
        result.outcome, result.message = "failed", f"{error} {error.remedy}"


def _finish(context: Context, run_id: str, result: FlowResult) -> None:
    result.scrub()
    with context.state.transaction() as state:
        state.runs.finish(
            run_id, result.outcome, result.counts, result.message, context.clock.now()
        )
    told = log.info if result.outcome in ("ok", "cancelled") else log.error
    said = {"message": result.message} if result.message else {}
    told("run.finished", outcome=result.outcome, **said, **result.counts)


def run_cycle(
    context: Context, flows: Sequence[str] = tuple(FLOWS), *, dry_run: bool = False
) -> list[FlowResult]:
    """Every flow once, in order. One that fails does not keep the next from running."""
    return [run_flow(context, flow, dry_run=dry_run) for flow in flows]
