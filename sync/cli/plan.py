"""``tradesync plan``: what a flow would change, without changing anything."""

from __future__ import annotations

import json
from typing import Any

import click

from sync.cli.output import json_option
from sync.cli.scope import FLOW_NAMES, scope_from, scope_options
from sync.cli.shown import as_record, show_result
from sync.cli.site import opened, site_options


@click.command(epilog="\b\nExample:\n  tradesync plan prices --customer 000101")
@click.argument("flow", type=click.Choice([*FLOW_NAMES, "all"]))
@scope_options
@json_option
@site_options
def plan(flow: str, as_json: bool, site: str | None, pipeline: str | None, **scope: Any) -> None:
    """Tell what FLOW would change now; nothing is written anywhere."""
    from sync.flows.cycle import run_flow

    wanted = scope_from(scope)
    flows = FLOW_NAMES if flow == "all" else (flow,)
    with opened(site, pipeline) as line:
        results = [run_flow(line.context(), each, wanted, dry_run=True) for each in flows]
    if as_json:
        click.echo(json.dumps([as_record(result) for result in results], indent=2))
        return
    for result in results:
        show_result(result, lines=40)
