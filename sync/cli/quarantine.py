"""``tradesync quarantine``: orders that wait for a person.

Replaying and dismissing change one ledger entry in one transaction, which the
ledger itself guards; a daemon that runs sees the order as due at its next run.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from sync.cli.asking import ask, asks, yes_option
from sync.cli.output import Exit, emit, fail, json_option
from sync.cli.scope import REASON, Hours, Named
from sync.cli.shown import document_lines
from sync.cli.site import actor, opened, site_options

if TYPE_CHECKING:
    from sync.bootstrap import Pipeline
    from sync.ports.audit import AuditRecord
    from sync.ports.state import LedgerEntry, LedgerFilter, Transaction


@click.group(epilog="\b\nExample:\n  tradesync quarantine list")
def quarantine() -> None:
    """List, show, replay or dismiss orders that wait for a person."""


def _filters(command: Any) -> Any:
    for option in (
        click.option("--older-than-h", type=Hours(), help="Only those seen more hours ago."),
        click.option("--channel", type=Named(), help="Only this channel."),
        click.option("--customer", type=Named(), help="Only this ERP customer ID."),
        click.option("--code", type=Named(), help="Only with this code, such as user_unmapped."),
        click.option(
            "--state",
            "held",
            type=click.Choice(["quarantined", "review"]),
            help="Only those in quarantine, or only those in review.",
        ),
    ):
        command = option(command)
    return command


@quarantine.command("list", epilog="\b\nExample:\n  tradesync quarantine list --code user_unmapped")
@_filters
@json_option
@site_options
def list_(as_json: bool, site: str | None, pipeline: str | None, **filters: Any) -> None:
    """List orders in quarantine and in review, newest first."""
    with opened(site, pipeline) as line:
        entries = _entries(line, filters)
    emit(
        [_row(entry) for entry in entries],
        {
            "order": "Order",
            "state": "State",
            "channel": "Channel",
            "account": "Account",
            "seen": "First seen",
            "codes": "Code",
            "why": "Why",
            "fix": "Way out",
        },
        as_json,
        "Quarantine",
    )


@quarantine.command(epilog="\b\nExample:\n  tradesync quarantine show W-10482")
@click.argument("order")
@json_option
@site_options
def show(order: str, as_json: bool, site: str | None, pipeline: str | None) -> None:
    """Show ORDER (its number or key) with reasons, decision trail and payload."""
    from sync.domain.codec import encode

    with opened(site, pipeline) as line:
        entry = _one(line, order)
        with line.state.transaction() as state:
            history = state.ledger.history(entry.order_id)
    told = {
        **_row(entry),
        "key": entry.key.value,
        "trail": list(entry.trail),
        "problems": [encode(problem) for problem in entry.problems],
        "differences": list(entry.differences),
        "history": [
            {
                "at": event.at.isoformat(timespec="seconds"),
                "event": event.event,
                "by": event.actor,
                "detail": event.detail,
            }
            for event in history
        ],
        "decision": encode(entry.decision) if entry.decision else None,
        "reduced_at": entry.reduced_at.isoformat(timespec="seconds") if entry.reduced_at else None,
        "payload": encode(entry.order),
    }
    if as_json:
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
        return
    click.echo(f"Order {entry.number} ({entry.order_id}) is {entry.state.value}")
    for problem in entry.problems:
        click.echo(f"  {problem.code} ({problem.rule}): {problem.sentence}")
        click.echo(f"    way out: {problem.remedy}")
    for difference in entry.differences:
        click.echo(f"  {difference}")
    for step in entry.trail:
        click.echo(f"  because {step}")
    for event in history:
        click.echo(f"  {event.at:%Y-%m-%d %H:%M:%S}  {event.event}  {event.actor}  {event.detail}")
    if entry.decision is not None:
        decision = entry.decision
        click.echo(
            f"  decided for {decision.customer_id} by {decision.rule},"
            f" mapping {decision.mapping_version}"
        )
    elif entry.mapping_version is not None:
        click.echo(f"  decided by mapping {entry.mapping_version}")
    if entry.reduced_at is not None:
        click.echo(f"  names, addresses and notes were removed {entry.reduced_at:%Y-%m-%d}")
    click.echo("What the buyer ordered:")
    for line_of_it in document_lines(told["payload"], "  "):
        click.echo(line_of_it)


@quarantine.command(
    epilog="\b\nExamples:\n  tradesync quarantine replay W-10482 --reason 'user mapped'\n"
    "  tradesync quarantine replay --code user_unmapped --reason 'users mapped'"
)
@click.argument("orders", nargs=-1)
@_filters
@REASON
@click.option("--dry-run", is_flag=True, help="Only tell which orders.")
@json_option
@site_options
def replay(
    orders: tuple[str, ...],
    reason: str,
    dry_run: bool,
    as_json: bool,
    site: str | None,
    pipeline: str | None,
    **filters: Any,
) -> None:
    """Judge ORDERS (or all that the filters name) anew, at the next run of orders."""
    with opened(site, pipeline, writes=not dry_run) as line:
        entries = _chosen(line, orders, filters)
        done = [entry for entry in entries if dry_run or _replayed(line, entry, reason)]
    one = f" --order {done[0].number}" if len(done) == 1 else ""
    then = f"Judged anew at the next run of orders, or now: tradesync resync orders{one}"
    _told(done, entries, "would be replayed" if dry_run else "replayed", as_json, then)


@quarantine.command(
    epilog="\b\nExamples:\n  tradesync quarantine dismiss W-10482 --reason 'ordered by phone'\n"
    "  tradesync quarantine dismiss --code payment_declined --reason 'never paid' --dry-run"
)
@click.argument("orders", nargs=-1)
@_filters
@REASON
@click.option("--dry-run", is_flag=True, help="Only tell which orders.")
@yes_option
@json_option
@site_options
def dismiss(
    orders: tuple[str, ...],
    reason: str,
    dry_run: bool,
    yes: bool,
    as_json: bool,
    site: str | None,
    pipeline: str | None,
    **filters: Any,
) -> None:
    """Close ORDERS for ever: they are never imported, and stay counted.

    First it says which orders they are, and asks.
    """
    asking = asks("Dismissing", yes=yes, dry_run=dry_run, as_json=as_json)
    with opened(site, pipeline, writes=not dry_run) as line:
        entries = _chosen(line, orders, filters)
        if asking and entries:
            _ask(entries)
        done = [entry for entry in entries if dry_run or _dismissed(line, entry, reason)]
    _told(done, entries, "would be dismissed" if dry_run else "dismissed", as_json)


def _ask(entries: list[LedgerEntry]) -> None:
    """Go on only with a person's yes to exactly these orders."""
    click.echo(", ".join(entry.number for entry in entries))
    which = "this order" if len(entries) == 1 else f"these {len(entries)} orders"
    ask(f"Dismiss {which}? Never imported then")


def _replayed(line: Pipeline, entry: LedgerEntry, reason: str) -> bool:
    with line.state.transaction() as state:
        now = line.clock.now()
        before = state.ledger.entry(entry.order_id)
        done = state.ledger.replay(entry.order_id, actor(), reason, now)
        if done:
            records = _decided(before, state.ledger.entry(entry.order_id))
            state.audit.note(actor(), "order.replayed", entry.number, reason, now, records)
        return done


def _dismissed(line: Pipeline, entry: LedgerEntry, reason: str) -> bool:
    with line.state.transaction() as state:
        now = line.clock.now()
        before = state.ledger.entry(entry.order_id)
        done = state.ledger.dismiss(entry.order_id, actor(), reason, now)
        if done:
            records = _decided(before, state.ledger.entry(entry.order_id))
            state.audit.note(actor(), "order.dismissed", entry.number, reason, now, records)
        return done


def _decided(before: LedgerEntry | None, after: LedgerEntry | None) -> list[AuditRecord]:
    from sync.ports.audit import AuditRecord, RecordKind

    if before is None or after is None:
        return []
    codes = ", ".join(dict.fromkeys(problem.code for problem in before.problems))
    was = f"{before.state.value}: {codes}" if codes else before.state.value
    return [AuditRecord(RecordKind.ORDER, before.order_id.value, was, after.state.value)]


def _told(
    done: list[LedgerEntry], asked: list[LedgerEntry], word: str, as_json: bool, then: str = ""
) -> None:
    kept = [entry for entry in asked if entry not in done]
    if as_json:
        body = {
            word.replace(" ", "_"): [entry.number for entry in done],
            "left_alone": [entry.number for entry in kept],
        }
        click.echo(json.dumps(body, indent=2))
    else:
        click.echo(f"{len(done)} {word}: {', '.join(entry.number for entry in done) or 'none'}")
        if done and then:
            click.echo(then)
        for entry in kept:
            click.echo(f"{entry.number} is {entry.state.value}, which cannot be {word}.")
    raise click.exceptions.Exit(Exit.FAILED if kept else Exit.DONE)


def _chosen(line: Pipeline, orders: tuple[str, ...], filters: dict[str, Any]) -> list[LedgerEntry]:
    filtered = any(value is not None for value in filters.values())
    if orders and filtered:
        raise click.UsageError("Name orders or filter them, not both.")
    if orders:
        return [_one(line, order) for order in orders]
    if not filtered:
        raise click.UsageError(
            "Name orders, or filter by --code, --state, --customer, --channel or --older-than-h."
        )
    return list(_entries(line, filters))


def _entries(line: Pipeline, filters: dict[str, Any]) -> list[LedgerEntry]:
    with line.state.transaction() as state:
        found = list(state.ledger.entries(_filter(line, filters)))
        if not found:
            _say_what_is_held(state, filters)
        return found


def _say_what_is_held(state: Transaction, filters: dict[str, Any]) -> None:
    """A misspelt filter must not look like an all-clear."""
    from sync.mapping.problems import suggestion

    held = [_row(entry) for entry in state.ledger.entries(_filter(None, {}))]
    for name, column in (("code", "codes"), ("channel", "channel"), ("customer", "account")):
        given = filters.get(name)
        known = {word for row in held for word in _words(row[column])}
        if given is not None and given not in known:
            way_out = suggestion(given, known) if known else "nothing is held at all"
            click.echo(f"No order is held with --{name} {given}; {way_out}", err=True)


def _words(value: object) -> list[str]:
    if isinstance(value, list):
        return [str(each) for each in value]
    return [] if value is None else [str(value)]


def _filter(line: Pipeline | None, filters: dict[str, Any]) -> LedgerFilter:
    from sync.domain.ids import ChannelId, CustomerId
    from sync.ports.state import LedgerFilter, LedgerState

    hours, held = filters.get("older_than_h"), filters.get("held")
    customer, channel = filters.get("customer"), filters.get("channel")
    return LedgerFilter(
        states=frozenset(
            {LedgerState(held)} if held else {LedgerState.QUARANTINED, LedgerState.REVIEW}
        ),
        code=filters.get("code"),
        customer_id=CustomerId(customer) if customer is not None else None,
        channel=ChannelId(channel) if channel is not None else None,
        seen_before=line.clock.now() - timedelta(hours=hours)
        if line and hours is not None
        else None,
    )


def _one(line: Pipeline, order: str) -> LedgerEntry:
    from sync.flows.orders.discovery import named_order

    order_id = named_order(line.state, order)
    with line.state.transaction() as state:
        entry = state.ledger.entry(order_id)
    if entry is None:
        fail(
            f"The ledger knows no order {order}",
            way_out="what the store has of it, and what was tried:"
            f" tradesync explain order {order}",
        )
    return entry


def _row(entry: LedgerEntry) -> dict[str, object]:
    return {
        "order": entry.number,
        "state": entry.state.value,
        "channel": entry.channel.value if entry.channel else None,
        "account": entry.customer_id.value if entry.customer_id else None,
        "seen": entry.first_seen_at.isoformat(timespec="minutes"),
        "mapping": entry.mapping_version,
        "codes": list(dict.fromkeys(problem.code for problem in entry.problems)) or ["review"],
        "why": " ".join(problem.sentence for problem in entry.problems)
        or " ".join(entry.differences),
        "fix": " ".join(dict.fromkeys(problem.remedy for problem in entry.problems)),
    }
