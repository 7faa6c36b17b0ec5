"""``tradesync plan``: what a flow or an edit would change, without changing anything."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from sync.cli.output import json_option
from sync.cli.price_changes import PRICES, PriceChanges, echo_plans
from sync.cli.scope import (
    FLOW_NAMES,
    NamedChoice,
    flows_within,
    refuse_wider,
    scope_from,
    scope_options,
)
from sync.cli.shown import end, show_result
from sync.cli.site import opened, site_options

MAPPINGS = "mappings"


@click.command(
    epilog="\b\nExamples:\n  tradesync plan prices --customer 000101\n"
    "  tradesync plan prices --on 2026-01-01\n"
    "  tradesync plan mappings --draft ~/mappings-new"
)
@click.argument("flow", type=NamedChoice([*FLOW_NAMES, "all", MAPPINGS]), metavar="FLOW")
@click.option(
    "--draft",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="With mappings: the folder with the edited files. Default: the site's own.",
)
@click.option(
    "--on",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DATE",
    help="With prices: the plan for this day in the ERP's calendar, written as 2026-01-31.",
)
@scope_options
@json_option
@site_options
def plan(
    flow: str,
    draft: Path | None,
    on: datetime | None,
    as_json: bool,
    site: str | None,
    pipeline: str | None,
    **scope: Any,
) -> None:
    """Tell what FLOW would change now; nothing is written anywhere.

    FLOW is accounts, entitlements, ship_tos, prices, invoices, balances,
    customer_parts, availability, registrations, orders, order_status, documents,
    account_orders, all of these with `all`, or mappings.

    Of prices it tells what each was and would be: some of them here, all with --json.
    A plan that cannot be made, or that a run would refuse, ends as the run would. With
    `all` every flow is planned, and the worst decides how the command ends.

    `plan mappings` tells what edited mapping files would do: who moves between
    accounts, who sees which account's invoices and prices from then on, and
    which open orders fare differently. While the ERP cannot be read it tells what
    is withdrawn all the same, and ends with 75.
    """
    from sync.flows.cycle import run_flow

    if flow == MAPPINGS:
        from sync.cli.plan_mappings import show_mapping_plan

        if any(scope.values()) or on is not None:
            raise click.UsageError("plan mappings looks at everything; leave out the scope")
        with opened(site, pipeline) as line:
            show_mapping_plan(line, draft, as_json=as_json)
        return
    if draft is not None:
        raise click.UsageError("--draft goes with plan mappings only")
    if on is not None and flow != "prices":
        raise click.UsageError("--on goes with plan prices only: prices alone have a calendar")
    wanted = scope_from(scope)
    refuse_wider(flow, wanted)
    with opened(site, pipeline) as line, PriceChanges() as changes:
        flows = flows_within(flow, wanted, line)
        context = replace(
            line.context(),
            as_of=on.date() if on is not None else None,
            price_changes=changes.take if as_json else None,
        )
        results = [run_flow(context, each, wanted, dry_run=True) for each in flows]
        if as_json:
            echo_plans(results, changes)
            end(results)
    for result in results:
        show_result(result, lines=40, all_in_json=result.flow == PRICES)
    end(results)
