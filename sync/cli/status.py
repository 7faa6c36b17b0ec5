"""``tradesync status``: how the service is, without asking any other system."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from sync.cli.output import Exit, json_option
from sync.cli.shown import counts_text
from sync.cli.site import daemon_runs, settings_of, site_options

if TYPE_CHECKING:
    from sync.bootstrap import Pipeline


@click.command(epilog="\b\nExample:\n  tradesync status --json")
@json_option
@site_options
def status(as_json: bool, site: str | None, pipeline: str | None) -> None:
    """Show the daemon, the mapping in force, the orders by state and the last runs.

    Ends with 3 when something waits for a person.
    """
    from sync.bootstrap import open_installation
    from sync.scheduling.clock import SystemClock

    settings = settings_of(site)
    running = daemon_runs(settings)
    with open_installation(settings, SystemClock(), looks_on=True) as installation:
        wanted = (
            [installation.pipeline(pipeline)] if pipeline else list(installation.pipelines.values())
        )
        lines = [_pipeline(line) for line in wanted]
        told = {
            "daemon": "running" if running else "not running",
            "site": str(settings.site.root),
            "pipelines": lines,
        }
    if as_json:
        click.echo(json.dumps(told, indent=2))
    else:
        _show(told)
    waits = any(
        each["orders"].get("quarantined") or each["orders"].get("review") or each["held_plans"]
        for each in lines
    )
    raise click.exceptions.Exit(Exit.NEEDS_PERSON if waits else Exit.DONE)


def _pipeline(line: Pipeline) -> dict[str, Any]:
    with line.state.transaction() as state:
        counts = state.ledger.counts()
        runs = state.runs.last(limit=12)
        plans = state.plans.open()
        mapping = state.mappings.last_good()
        requests = [each for each in state.requests.last() if each.state.value == "running"]
    return {
        "pipeline": line.name,
        "orders": {each.value: number for each, number in counts.items() if number},
        "mapping": mapping.version if mapping else None,
        "mapping_since": mapping.at.isoformat(timespec="seconds") if mapping else None,
        "mapping_refused": list(mapping.refused_problems) if mapping else [],
        "held_plans": [
            {"plan": each.plan_id, "reason": each.reason, "counts": dict(each.counts)}
            for each in plans
        ],
        "running_requests": [
            {"request": each.request_id, "flow": each.flow, "done": each.done, "of": each.total}
            for each in requests
        ],
        "runs": [
            {
                "flow": each.flow,
                "started_at": each.started_at.isoformat(timespec="seconds"),
                "outcome": each.outcome,
                "counts": dict(each.counts),
                "message": each.message,
            }
            for each in runs
        ],
    }


def _show(told: dict[str, Any]) -> None:
    click.echo(f"Daemon {told['daemon']}, site {told['site']}")
    for line in told["pipelines"]:
        click.echo(f"\nPipeline {line['pipeline']}")
        click.echo(f"  orders   {counts_text(line['orders'])}")
        click.echo(f"  mapping  {line['mapping']} since {line['mapping_since']}")
        for problem in line["mapping_refused"]:
            click.echo(f"    a newer one is refused: {problem}")
        for plan in line["held_plans"]:
            click.echo(f"  held     {plan['plan']}: {plan['reason']}")
            click.echo(f"           tradesync resync {plan['plan'].rsplit('-', 1)[0]}", nl=False)
            click.echo(f" --confirm {plan['plan']}")
        for request in line["running_requests"]:
            of = f" of {request['of']}" if request["of"] else ""
            click.echo(
                f"  running  {request['flow']} ({request['request']}): {request['done']}{of}"
            )
        for run in line["runs"]:
            click.echo(
                f"  {run['started_at']}  {run['flow']:13} {run['outcome']:9} "
                f"{counts_text(run['counts'])}"
            )
            if run["message"]:
                click.echo(f"    {run['message']}")
