"""``tradesync state``: back up, restore and verify what the service remembers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from sync.cli.asking import ask, asks, yes_option
from sync.cli.output import Exit, emit, fail, json_option
from sync.cli.scope import REASON, SITE
from sync.cli.site import actor, guarded, settings_of

if TYPE_CHECKING:
    from sync.state.backup import Restored

Decorated = TypeVar("Decorated")


def _site_option(command: Decorated) -> Decorated:
    """``--site`` alone: a state belongs to all pipelines of a site."""
    return SITE(guarded(command))  # type: ignore[type-var]


@click.group(epilog="\b\nExample:\n  tradesync state verify")
def state() -> None:
    """Back up, restore, verify or renew the service's own state: ledger, watermarks, audit."""


@state.command(
    epilog="\b\nExamples:\n  tradesync state backup /var/backups/tradesync.sqlite --replace\n"
    '  tradesync state backup "state-$(date +%F).sqlite"'
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--replace", is_flag=True, help="Replace FILE where it exists, in one step.")
@json_option
@_site_option
def backup(file: Path, replace: bool, as_json: bool, site: str | None) -> None:
    """Copy the state into FILE, as it is at one moment, also while the daemon runs.

    FILE is whole or not there, and only its owner can read it: it names buyers
    and their addresses. A state in PostgreSQL is backed up with pg_dump.
    """
    from sync.bootstrap import state_address
    from sync.state.backup import backup_state

    settings = settings_of(site)
    if file.exists() and not replace:
        fail(f"{file} is there already", way_out="name another file or say --replace")
    made = backup_state(state_address(settings), file, replace=replace)
    if as_json:
        told = {
            "file": str(made.file),
            "size_bytes": made.size_bytes,
            "schema": made.schema,
            "orders": made.orders,
        }
        click.echo(json.dumps(told, indent=2))
    else:
        click.echo(f"{made.file}: {made.orders} orders, {made.size_bytes} bytes.")


@state.command(
    epilog="\b\nExamples:\n  tradesync state restore state-2026-03-01.sqlite --dry-run\n"
    "  tradesync state restore state-2026-03-01.sqlite --reason 'the disk was lost'"
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--reason", default="", help="Why; it stays in the audit trail.")
@click.option("--dry-run", is_flag=True, help="Do everything but put it in place.")
@yes_option
@json_option
@_site_option
def restore(
    file: Path, reason: str, dry_run: bool, yes: bool, as_json: bool, site: str | None
) -> None:
    """Put the backup FILE in the state's place; the daemon must be stopped.

    FILE is verified first, and the state that it replaces is kept beside it. No
    order becomes two: the store's feed is read again from the backup's moment,
    and each order is looked up in the ERP before it is sent. What people
    dismissed or decided since the backup they must decide again.
    """
    from sync.bootstrap import state_address
    from sync.scheduling.clock import SystemClock
    from sync.state.backup import restore_state

    asking = asks("Restoring", yes=yes, dry_run=dry_run, as_json=as_json)
    address = state_address(settings_of(site))

    def restored(*, dry_run: bool) -> Restored:
        now = SystemClock().now()
        return restore_state(address, file, now, actor(), reason, dry_run=dry_run)

    if asking:
        for line in _sentences(restored(dry_run=True), file, True):
            click.echo(line)
        ask(f"Put {file} in the state's place? What was decided since is decided anew")
    done = restored(dry_run=dry_run)
    if as_json:
        click.echo(json.dumps(_plain(done, dry_run), indent=2))
        return
    for line in _sentences(done, file, dry_run):
        click.echo(line)


@state.command(epilog="\b\nExample:\n  tradesync state reduce --dry-run")
@click.option("--dry-run", is_flag=True, help="Only tell how many orders it would concern.")
@yes_option
@json_option
@_site_option
def reduce(dry_run: bool, yes: bool, as_json: bool, site: str | None) -> None:
    """Take names, addresses and notes out of orders that were done long enough ago.

    The daemon does so every day, after payload_days of the settings. Keys, amounts
    and decisions stay for ever; what waits for a person or is under way is never
    touched. Backups made before still hold what is removed.
    """
    from datetime import timedelta

    from sync.bootstrap import limits_of, open_installation
    from sync.flows.upkeep import reduce_payloads
    from sync.scheduling.clock import SystemClock

    asking = asks("Reducing", yes=yes, dry_run=dry_run, as_json=as_json)
    settings, clock = settings_of(site), SystemClock()
    done = {}
    with open_installation(
        settings, clock, upgrade=False, looks_on=dry_run, actor=actor()
    ) as installation:
        for name, line in installation.pipelines.items():
            limits = limits_of(line.settings).orders
            before = clock.now() - timedelta(days=limits.payload_days)
            with line.state.transaction() as on:
                done[name] = on.ledger.still_whole(before)
            if dry_run:
                continue
            if asking and done[name]:
                ask(f"{name}: take names, addresses and notes out of {done[name]} orders?")
            if done[name]:
                # Before the first of them is reduced: what was decided is known then too.
                what = f"{done[name]} orders that were done {limits.payload_days} days ago"
                with line.state.transaction() as on:
                    on.audit.note(actor(), "state.reduced", what, "retention", clock.now())
            done[name] = reduce_payloads(line.state, clock, limits)
    if as_json:
        click.echo(json.dumps({"reduced": done, "dry_run": dry_run}, indent=2))
        return
    for name, count in done.items():
        click.echo(f"{name}: {count} orders {'would be' if dry_run else 'were'} reduced.")


@state.command(
    epilog="\b\nExample:\n  tradesync state new --reason 'the disk was lost, there is no backup'"
)
@REASON
@json_option
@_site_option
def new(reason: str, as_json: bool, site: str | None) -> None:
    """Begin with an empty state where the one before is gone and there is no backup.

    Each order is looked up in the ERP before it is sent, so none becomes two. What
    people dismissed, replayed or confirmed is forgotten: look through the orders
    that come into quarantine, and set placed_since if the shop shows years of them.
    """
    from sync.bootstrap import known_states, open_installation, state_address
    from sync.scheduling.clock import SystemClock
    from sync.state.known import is_there
    from sync.state.lock import hold_writer_lock

    settings = settings_of(site)
    address = state_address(settings)
    with hold_writer_lock(address):
        if is_there(address):
            fail(f"The state {settings.state_url} is there. Nothing was changed.")
        known_states(settings).forget()
        with open_installation(settings, SystemClock()) as installation:
            for line in installation.pipelines.values():
                with line.state.transaction() as on:
                    on.audit.note(
                        actor(), "state.new", settings.state_url, reason, line.clock.now()
                    )
    told = {"state": settings.state_url, "new": True}
    click.echo(json.dumps(told, indent=2) if as_json else f"{settings.state_url} is new and empty.")


@state.command(
    epilog="\b\nExamples:\n  tradesync state verify\n"
    "  tradesync state verify state-2026-03-01.sqlite --json"
)
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--quick", is_flag=True, help="Leave out whether indexes agree with their tables.")
@json_option
@_site_option
def verify(file: Path | None, quick: bool, as_json: bool, site: str | None) -> None:
    """Check the state, or the backup FILE: structures, schema, and every ledger entry.

    Nothing is changed, and a running daemon does not wait. Ends with 1 when
    something is wrong.
    """
    from sync.bootstrap import state_address
    from sync.ports.erp import FindingLevel
    from sync.state.verifying import verify_state

    settings = settings_of(site)
    address = f"sqlite:///{file}" if file is not None else state_address(settings)
    findings = verify_state(address, quick=quick, pipelines=settings.pipelines)
    records = [
        {
            "subject": each.subject,
            "level": each.level.value,
            "message": each.message,
            "remedy": each.remedy,
        }
        for each in findings
    ]
    columns = {"subject": "What", "level": "Result", "message": "Found", "remedy": "Way out"}
    emit(records, columns, as_json, "State")
    bad = any(each.level is FindingLevel.ERROR for each in findings)
    raise click.exceptions.Exit(Exit.FAILED if bad else Exit.DONE)


def _plain(done: Restored, dry_run: bool) -> dict[str, object]:
    again = done.marked.read_again_from
    return {
        "restored": not dry_run,
        "state": str(done.state),
        "orders": done.orders,
        "replaced": str(done.replaced) if done.replaced else None,
        "read_again_from": again.isoformat(timespec="seconds") if again else None,
        "under_way": list(done.under_way),
        "not_read": done.left_behind,
        "in_quarantine": done.marked.in_quarantine,
        "requests_cancelled": done.marked.requests,
        "confirmations_taken_back": done.marked.confirmations,
    }


def _sentences(done: Restored, file: Path, dry_run: bool) -> list[str]:
    again = done.marked.read_again_from
    moment = f"{again:%Y-%m-%d %H:%M:%S} UTC" if again else "the beginning"
    told = [
        f"{file} {'would be' if dry_run else 'is'} the state now: {done.orders} orders.",
        f"The feeds are read again from {moment}; each order is looked up before it is sent.",
    ]
    if done.replaced is not None:
        told.append(f"The state before it is kept as {done.replaced}")
    if done.under_way:
        told.append(f"Taken over, their outcome is unknown: {', '.join(done.under_way)}")
    if done.left_behind is not None:
        told.append(
            f"The state before it could not be read ({done.left_behind}). Let the ERP's own"
            " time-outs pass before the service starts: a last order may still be on its way."
        )
    if done.marked.in_quarantine:
        told.append(
            f"{done.marked.in_quarantine} orders wait for a person as they did then; some may be"
            " in the ERP, or dismissed, since. Replay looks them up; see before you dismiss."
        )
    if done.marked.requests:
        told.append(f"{done.marked.requests} requests from before the backup are cancelled.")
    if done.marked.confirmations:
        told.append(f"{done.marked.confirmations} confirmations of plans are taken back.")
    return told
