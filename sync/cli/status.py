"""``tradesync status``: how the service is, without asking any other system."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from sync.cli.output import Exit, json_option
from sync.cli.progress import steps_text
from sync.cli.shown import counts_text
from sync.cli.site import daemon_runs, settings_of, site_options

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sync.bootstrap import Pipeline
    from sync.ports.state import RunRecord, Runs, RunStep


@click.command(epilog="\b\nExample:\n  tradesync status --json")
@json_option
@site_options
def status(as_json: bool, site: str | None, pipeline: str | None) -> None:
    """Show the daemon, the mapping in force, the orders by state and the last runs.

    Ends with 3 when something waits for a person: an order, a refused plan or
    mapping, a flow whose last whole run failed (unless it is off), a system that refused
    the login or is misconfigured, or a clock that is off. A system that is away is asked
    again by itself: it is told, and ends nothing.
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
        told: dict[str, Any] = {
            "daemon": "running" if running else "not running",
            "site": str(settings.site.root),
            "systems": _systems(wanted),
            "pipelines": lines,
        }
    if as_json:
        click.echo(json.dumps(told, indent=2))
    else:
        _show(told)
    waits = any(
        each["orders"].get("quarantined")
        or each["orders"].get("review")
        or each["held_plans"]
        or each["mapping_refused"]
        or each["failing"]
        for each in lines
    ) or any(each["way_out"] or each["clock_is_off"] for each in told["systems"])
    raise click.exceptions.Exit(Exit.NEEDS_PERSON if waits else Exit.DONE)


_WAYS_OUT = {
    "denied": "correct the credentials and restart the service; `tradesync resync FLOW` tries once",
    "misconfigured": "correct the settings or the profile (`tradesync check` tries everything and"
    " names it), then restart the service",
}
"""What a person does about a system; one that is away is asked again by itself."""


def _systems(lines: list[Pipeline]) -> list[dict[str, Any]]:
    """How the systems of these pipelines were last found, by whichever process ran last."""
    names = {system.name for each in lines for system in each.settings.systems}
    with lines[0].state.transaction() as state:
        records = state.systems.all()
    return [
        {
            "system": each.name,
            "kind": each.kind,
            "condition": each.condition.value,
            "since": _moment(each.since),
            "message": each.message,
            "way_out": _WAYS_OUT.get(each.condition.value),
            "next_try_at": _moment(each.next_try_at),
            "last_success_at": _moment(each.last_success_at),
            "last_failure_at": _moment(each.last_failure_at),
            "clock_skew_s": each.clock_skew_s,
            "clock_is_off": each.clock_is_off,
        }
        for each in records
        if each.name in names
    ]


def _moment(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds") if moment else None


def _last_runs(runs: Runs) -> list[RunRecord]:
    """Of each flow the last two, and the last for a part, newest first.

    So that hints by the dozen, or a flow that runs every minute, leave the others in sight.
    """
    from sync.flows.cycle import FLOWS

    found = {
        each.run_id: each
        for flow in FLOWS
        for each in (*runs.last(flow, limit=2, whole=True), *runs.last(flow, limit=1))
    }
    return sorted(found.values(), key=lambda run: (run.started_at, run.run_id), reverse=True)


def _failing(line: Pipeline, runs: Sequence[RunRecord]) -> list[str]:
    """The flows whose last whole run that came to an end failed; ``runs``: newest first.

    One that is off may never run again, and whoever asked for it was told.
    """
    ended: dict[str, str] = {}
    for run in runs:
        if not run.narrow and run.outcome in _ENDED:
            ended.setdefault(run.flow, run.outcome)
    off = line.settings.schedule.off
    return sorted(flow for flow, how in ended.items() if how == "failed" and flow not in off)


_ENDED = frozenset({"ok", "failed", "refused", "try_later"})


def _pipeline(line: Pipeline) -> dict[str, Any]:
    with line.state.transaction() as state:
        counts = state.ledger.counts()
        held = state.ledger.held_for()
        decided = state.ledger.decided_under()
        settled = state.settlements.counts()
        runs = _last_runs(state.runs)
        plans = state.plans.open()
        mapping = state.mappings.last_good()
        requests = [each for each in state.requests.last() if each.state.value == "running"]
    return {
        "pipeline": line.name,
        "orders": {each.value: number for each, number in counts.items() if number},
        "held_for": dict(sorted(held.items(), key=lambda pair: (-pair[1], pair[0]))),
        "decided_under": {
            version: number for version, number in sorted(decided.items(), key=str) if version
        },
        "settlements": {
            f"{kind.value} {state.value}": number
            for (kind, state), number in sorted(
                settled.items(), key=lambda pair: (pair[0][0].value, pair[0][1].value)
            )
            if kind.value != "shipped"
        },
        "mapping": mapping.version if mapping else None,
        "mapping_since": mapping.at.isoformat(timespec="seconds") if mapping else None,
        "mapping_refused_version": mapping.refused_version or None if mapping else None,
        "mapping_refused": list(mapping.refused_problems) if mapping else [],
        "mapping_files_sound": True if mapping else _files_are_sound(line),
        "held_plans": [
            {"plan": each.plan_id, "reason": each.reason, "counts": dict(each.counts)}
            for each in plans
        ],
        "failing": _failing(line, runs),
        "running_requests": [
            {"request": each.request_id, "flow": each.flow, "done": each.done, "of": each.total}
            for each in requests
        ],
        "runs": [
            {
                "flow": each.flow,
                "started_at": each.started_at.isoformat(timespec="seconds"),
                "outcome": each.outcome,
                "narrow": each.narrow,
                "counts": dict(each.counts),
                "message": each.message,
                "steps": [_step(step, line.clock.now()) for step in each.steps],
                "progress": steps_text(each, line.clock.now()),
            }
            for each in runs
        ],
    }


def _step(step: RunStep, now: datetime) -> dict[str, Any]:
    left = step.left(now)
    return {
        "step": step.name,
        "done": step.done,
        "of": step.total,
        "left_s": None if left is None else round(left.total_seconds()),
    }


def _files_are_sound(line: Pipeline) -> bool:
    from sync.errors import Misconfigured
    from sync.mapping import check_texts, read_texts

    try:
        return check_texts(read_texts(line.mapping.folder)).mapping is not None
    except Misconfigured:
        return False


def _show_mapping(line: dict[str, Any]) -> None:
    if line["mapping"] is None:
        why = (
            "the files are sound, and count from the first start of the service"
            if line["mapping_files_sound"]
            else "the files are refused; `tradesync check mappings` tells why"
        )
        click.echo(f"  mapping  none was ever in force: {why}")
        return
    refused = line["mapping_refused"]
    told = f"  mapping  running on {line['mapping']} of {line['mapping_since']}"
    newer = f"the newer one ({line['mapping_refused_version'] or 'not readable'})"
    click.echo(f"{told}; {newer} is refused:" if refused else told)
    for problem in refused:
        click.echo(f"    {problem}")
    if refused:
        click.echo(
            "    Correct the files, or take the edit back: tradesync mappings restore"
            f" {line['mapping'][:8]} --force"
        )


def _show(told: dict[str, Any]) -> None:
    click.echo(f"Daemon {told['daemon']}, site {told['site']}")
    for system in told["systems"]:
        if not (system["last_success_at"] or system["last_failure_at"]):
            click.echo(f"{system['kind']:6} {system['system']} was not asked for anything yet")
            continue
        said = f", last answer {system['last_success_at'] or 'never'}"
        if system["next_try_at"]:
            said = f", asked again at {system['next_try_at']}{said}"
        if system["condition"] != "up":
            said = f" since {system['since']}{said}"
        click.echo(f"{system['kind']:6} {system['system']} is {system['condition']}{said}")
        for line in system["message"].splitlines():
            click.echo(f"    {line}")
        if system["way_out"]:
            click.echo(f"    way out: {system['way_out']}")
        if system["clock_is_off"]:
            click.echo(
                f"    its clock is {system['clock_skew_s']:+.0f} s off ours: set the one that"
                " is wrong, for watermarks and dates go by them"
            )
    for line in told["pipelines"]:
        click.echo(f"\nPipeline {line['pipeline']}")
        click.echo(f"  orders   {counts_text(line['orders'])}")
        for code, number in line["held_for"].items():
            click.echo(f"    {number:>5} held for {code}")
        for version, number in line["decided_under"].items():
            if version != line["mapping"]:
                click.echo(f"    {number:>5} wait or are held by the older mapping {version}")
        if line["settlements"]:
            click.echo(f"  money    {counts_text(line['settlements'])}")
        _show_mapping(line)
        for plan in line["held_plans"]:
            click.echo(f"  held     {plan['plan']}: {plan['reason']}")
            click.echo(f"           tradesync resync {plan['plan'].rsplit('-', 1)[0]}", nl=False)
            click.echo(f" --confirm {plan['plan']} --reason WHY")
        if line["failing"]:
            click.echo(f"  failing  {', '.join(line['failing'])}: see the last runs")
        for request in line["running_requests"]:
            of = f" of {request['of']}" if request["of"] else ""
            click.echo(
                f"  running  {request['flow']} ({request['request']}): {request['done']}{of}"
            )
        for run in line["runs"]:
            part = "for a part: " if run["narrow"] else ""
            # Of a flow that did not get that far nobody knows whether there is something to do.
            known = run["outcome"] == "ok" or any(run["counts"].values())
            said = counts_text(run["counts"]) if known else ""
            head = f"  {run['started_at']}  {run['flow']:15} {run['outcome']:9} "
            click.echo(f"{head}{part}{said}".rstrip(" :"))
            if run["progress"]:
                click.echo(f"    {run['progress']}")
            if run["message"]:
                click.echo(f"    {run['message']}")
