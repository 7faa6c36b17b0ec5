"""``tradesync resync``: a person asks for a flow to run again."""

from __future__ import annotations

import itertools
import json
import time
from typing import TYPE_CHECKING, Any

import click

from sync.cli.output import Exit, emit, fail, json_option
from sync.cli.scope import (
    FLOW_NAMES,
    NamedChoice,
    flows_within,
    refuse_wider,
    scope_from,
    scope_options,
)
from sync.cli.shown import as_record, counts_text, end, show_result, worst_of
from sync.cli.site import actor, daemon_runs, opened, settings_of, site_options
from sync.errors import StateInUse

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from sync.bootstrap import Pipeline
    from sync.ports.state import ResyncRequest, ResyncScope, RunRecord, Transaction
    from sync.settings import Settings

POLL_S = 0.5
LOOKS_PER_PROBE = 10


@click.command(
    epilog="\b\nExamples:\n  tradesync resync prices --customer 000101\n"
    "  tradesync resync invoices --confirm invoices-3f2a91c07d55 --reason 'year-end clean-up'\n"
    "  tradesync resync --list\n  tradesync resync --cancel REQUEST"
)
@click.argument("flow", required=False, type=NamedChoice([*FLOW_NAMES, "all"]), metavar="[FLOW]")
@scope_options
@click.option("--confirm", metavar="PLAN", help="Confirm a plan that the guard rails refused.")
@click.option(
    "--reason", default="", help="Why; it stays in the audit trail. Needed with --confirm."
)
@click.option("--dry-run", is_flag=True, help="Only tell what would change (as `plan` does).")
@click.option("--no-wait", is_flag=True, help="Leave the request and return at once.")
@click.option("--cancel", metavar="REQUEST", help="Cancel a request, queued or running.")
@click.option("--list", "listing", is_flag=True, help="Show the last requests.")
@json_option
@site_options
def resync(
    flow: str | None,
    confirm: str | None,
    reason: str,
    dry_run: bool,
    no_wait: bool,
    cancel: str | None,
    listing: bool,
    as_json: bool,
    site: str | None,
    pipeline: str | None,
    **scope: Any,
) -> None:
    """Run FLOW again, for everything or for a part.

    FLOW is accounts, entitlements, ship_tos, prices, invoices, balances,
    customer_parts, availability, registrations, orders, order_status, documents,
    account_orders, or all of these with `all`.

    While the daemon runs it does the work: the request is queued, and its
    progress is shown until it ends. Without a daemon the flow runs here.
    """
    if flow is None and cancel is None and not listing:
        raise click.UsageError("Name a flow, or use --list or --cancel.")
    wanted = scope_from(scope, confirm)
    beside = (flow, confirm, *scope.values(), dry_run or None, no_wait or None)
    alone = "--cancel" if cancel is not None else "--list"
    if (cancel is not None or listing) and any(each is not None for each in beside):
        raise click.UsageError(f"{alone} goes by itself, without a flow, a scope or --dry-run.")
    if cancel is not None and listing:
        raise click.UsageError("--cancel goes by itself, without --list.")
    if confirm is not None and (flow is None or confirm.rsplit("-", 1)[0] != flow):
        raise click.UsageError(f"{confirm} is no plan of {flow}: name the flow that it belongs to.")
    if confirm is not None and not reason.strip():
        raise click.UsageError("Say with --reason why the plan is right: it stays in the audit.")
    if listing:
        with opened(site, pipeline) as line:
            _list(line, as_json)
    elif cancel is not None:
        with opened(site, pipeline, writes=True) as line:
            _cancel(line, cancel, reason, as_json)
    elif flow is not None and dry_run:
        refuse_wider(flow, wanted)
        with opened(site, pipeline) as line:
            _here(line, flow, wanted, as_json, dry_run=True)
    elif flow is not None:
        refuse_wider(flow, wanted)
        _run_or_ask(site, pipeline, flow, wanted, reason, as_json, no_wait)


def _run_or_ask(
    site: str | None,
    pipeline: str | None,
    flow: str,
    wanted: ResyncScope,
    reason: str,
    as_json: bool,
    no_wait: bool,
) -> None:
    """Whoever is the writer runs the flow: the daemon, or this command where there is none."""
    from sync.bootstrap import open_installation, state_address
    from sync.scheduling.clock import SystemClock
    from sync.state.lock import hold_writer_lock

    settings = settings_of(site)
    try:
        lock = hold_writer_lock(state_address(settings))
    except StateInUse:
        lock = None
    try:
        with open_installation(
            settings, SystemClock(), upgrade=lock is not None, actor=actor()
        ) as installation:
            line = installation.pipeline(pipeline)
            _confirm(line, wanted.confirm_plan, reason)
            if lock is not None:
                with line.state.transaction() as state:
                    _note(line, state, "resync.run", flow, wanted, reason)
                _here(line, flow, wanted, as_json, dry_run=False)
            else:
                _ask(settings, line, flow, wanted, reason, as_json, no_wait)
    finally:
        if lock is not None:
            lock.release()


def _confirm(line: Pipeline, plan_id: str | None, reason: str) -> None:
    """Once: whoever confirms it again has decided nothing new."""
    from sync.ports.audit import AuditRecord, RecordKind

    if plan_id is None:
        return
    with line.state.transaction() as state:
        before = next((each for each in state.plans.open() if each.plan_id == plan_id), None)
        held = state.plans.confirm(plan_id, actor(), line.clock.now())
        if before is None or held is None:
            fail(f"There is no refused plan {plan_id}.", way_out="`tradesync status` lists them.")
        if before.confirmed_by is None:
            about = AuditRecord(RecordKind.PLAN, plan_id, f"refused: {held.reason}", "confirmed")
            now = line.clock.now()
            state.audit.note(actor(), "plan.confirmed", plan_id, reason, now, [about])


def _note(
    line: Pipeline,
    state: Transaction,
    action: str,
    flow: str,
    scope: ResyncScope,
    reason: str,
    request_id: str | None = None,
) -> None:
    """A flow that a person asked for, noted before it runs, whatever comes of it."""
    from sync.ports.audit import AuditRecord, RecordKind

    parts = [f"{name} {getattr(scope, name)}" for name in scope.parts]
    if scope.confirm_plan is not None:
        parts.append(f"plan {scope.confirm_plan}")
    about = {
        RecordKind.REQUEST: request_id,
        RecordKind.ORDER: _order_id(state, scope.order),
        RecordKind.CUSTOMER: scope.customer,
        RecordKind.PLAN: scope.confirm_plan,
    }
    records = [AuditRecord(kind, key) for kind, key in about.items() if key is not None]
    subject = ", ".join([flow, *parts])
    state.audit.note(actor(), action, subject, reason, line.clock.now(), records)


def _order_id(state: Transaction, order: str | None) -> str | None:
    """The order's key, where the ledger knows one order by this number or key."""
    from sync.ports.state import LedgerFilter

    if order is None:
        return None
    found = {
        each.order_id.value
        for each in state.ledger.entries(LedgerFilter(numbers=frozenset({order})))
    }
    return found.pop() if len(found) == 1 else order


def _here(line: Pipeline, flow: str, scope: ResyncScope, as_json: bool, *, dry_run: bool) -> None:
    from sync.cli.progress import terminal_progress
    from sync.flows.cycle import run_flow
    from sync.systems import keep_records

    if not dry_run:
        resume(line)
    flows = flows_within(flow, scope, line)
    results = []
    with terminal_progress(enabled=not as_json) as progress:
        for each in flows:
            context = line.context(progress)
            results.append(run_flow(context, each, scope, dry_run=dry_run))
    if not dry_run:
        keep_records(line.state, line.watches)
    if as_json:
        click.echo(json.dumps([as_record(result) for result in results], indent=2))
    else:
        for result in results:
            show_result(result)
    end(results)


def resume(line: Pipeline) -> None:
    """We are the writer now: take up what a daemon that is gone left behind."""
    with line.state.transaction() as state:
        now = line.clock.now()
        state.ledger.release_expired(now)
        state.runs.abandon_running(now)


def _ask(
    settings: Settings,
    line: Pipeline,
    flow: str,
    scope: ResyncScope,
    reason: str,
    as_json: bool,
    no_wait: bool,
) -> None:
    flows_within(flow, scope, line)  # tells which are left out
    with line.state.transaction() as state:
        request_id = state.requests.ask(flow, scope, actor(), line.clock.now())
        _note(line, state, "resync.asked", flow, scope, reason, request_id)
    if no_wait:
        click.echo(json.dumps({"request": request_id}) if as_json else f"Request {request_id}.")
        return
    if not as_json:
        click.echo(f"Request {request_id} is with the daemon. Ctrl-C stops watching, not the run.")
    request = _watch(settings, line, request_id, as_json)
    _answer(request, as_json)


def _watch(settings: Settings, line: Pipeline, request_id: str, as_json: bool) -> ResyncRequest:
    from sync.ports.state import RequestState

    told = ""
    for look in itertools.count(1):
        with line.state.transaction() as state:
            request = state.requests.get(request_id)
            runs = state.runs.last()
        if request is None:
            fail(f"Request {request_id} is gone.")
        if request.state not in (RequestState.QUEUED, RequestState.RUNNING):
            return request
        of = f" of {request.total}" if request.total else ""
        line_now = f"{request.state.value}: {request.done}{of}"
        if line_now != told and not as_json:
            click.echo("; ".join([f"  {line_now}", *_under_way(request, runs, line.clock.now())]))
            told = line_now
        if look % LOOKS_PER_PROBE == 0 and not daemon_runs(settings):
            fail(
                f"The daemon is gone. It takes request {request_id} up when it starts again.",
                Exit.TRY_LATER,
            )
        time.sleep(POLL_S)
    raise AssertionError("itertools.count never ends")


def _under_way(request: ResyncRequest, runs: Sequence[RunRecord], now: datetime) -> Iterator[str]:
    """How far the request's flows are, in the words that ``status`` has for it."""
    from sync.cli.progress import steps_text

    for run in runs:
        if run.steps and request.flow in (run.flow, "all"):
            yield f"{run.flow}: {steps_text(run, now)}"


def _answer(request: ResyncRequest, as_json: bool) -> None:
    from sync.ports.state import RequestState

    if as_json:
        click.echo(json.dumps(_record(request), indent=2))
    else:
        click.echo(f"{request.flow}: {request.state.value}, {counts_text(request.result)}")
        if request.message:
            click.echo(request.message)
    counts = {name for name, number in request.result.items() if number}
    ends = set()
    if request.state is RequestState.FAILED:
        ends = {name.removeprefix("flow_") for name in counts if name.startswith("flow_")}
        ends = ends or {"failed"}
    raise click.exceptions.Exit(worst_of(ends, counts))


def _list(line: Pipeline, as_json: bool) -> None:
    with line.state.transaction() as state:
        requests = state.requests.last()
    emit(
        [_record(request) for request in requests],
        {
            "request": "Request",
            "flow": "Flow",
            "state": "State",
            "asked_at": "Asked at",
            "actor": "By",
            "done": "Done",
            "total": "Of",
            "message": "Message",
        },
        as_json,
        "Requests",
    )


def _record(request: ResyncRequest) -> dict[str, object]:
    return {
        "request": request.request_id,
        "flow": request.flow,
        "state": request.state.value,
        "asked_at": request.asked_at.isoformat(timespec="seconds"),
        "actor": request.actor,
        "done": request.done,
        "total": request.total,
        "message": request.message,
        "result": dict(request.result),
    }


def _cancel(line: Pipeline, request_id: str, reason: str, as_json: bool) -> None:
    from sync.ports.audit import AuditRecord, RecordKind

    with line.state.transaction() as state:
        before = state.requests.get(request_id)
        done = state.requests.cancel(request_id)
        if done and before is not None and not before.cancel_asked:
            about = AuditRecord(RecordKind.REQUEST, request_id, before.state.value, "cancelled")
            now = line.clock.now()
            state.audit.note(actor(), "resync.cancelled", request_id, reason, now, [about])
    if not done:
        told = f"Request {request_id} is not queued or running."
        fail(told, way_out="`tradesync resync --list` shows all.")
    told = f"Request {request_id} will stop at the next change."
    click.echo(json.dumps({"cancelled": request_id}) if as_json else told)
