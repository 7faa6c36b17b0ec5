"""``tradesync plan mappings``: what an edit of the mapping files would do, before it does it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from sync.cli.output import Exit, counted, fail, refusal_record
from sync.cli.shown import move_record
from sync.cli.site import code_of, said
from sync.cli.ways_out import way_out
from sync.errors import SyncError
from sync.secrecy import scrubbed

if TYPE_CHECKING:
    from sync.bootstrap import Pipeline
    from sync.domain.mapping import SyncMapping
    from sync.price_sight import PricesSeen
    from sync.remapping import MappingPlan, Shown

NAMED = 10
"""Records and items of one account that people are told by name; programs get all."""


def show_mapping_plan(line: Pipeline, draft: Path | None, *, as_json: bool) -> None:
    """Compare the draft with the version in force, for a person or a program, and end."""
    from sync.mapping import FilesRefused, read_mapping

    try:
        with line.state.transaction() as state:
            last_good = state.mappings.last_good()
        wanted = read_mapping(draft or line.mapping.folder, last_good)
    except FilesRefused as refusal:
        fail(scrubbed(str(refusal)))  # ends as `check mappings` does
    end_of_plan(show_mapping_draft(line, wanted, as_json=as_json, in_place=draft is None))


def end_of_plan(
    ended: Exit, refused: SyncError | None = None, *, as_json: bool = False
) -> NoReturn:
    """How a command ends that only told a plan: one without the ERP is not the whole plan.

    One that would be refused ends as the refusal does. A program was told it in the plan.
    """
    if refused is None:
        raise click.exceptions.Exit(ended)
    if not as_json:
        raise refused
    click.echo(f"tradesync: {said(refused)}", err=True)
    raise click.exceptions.Exit(code_of(refused))


def refused_by(judge: Callable[[], object]) -> SyncError | None:
    """What ``judge`` raises of an edit that is only rehearsed, to be told with its plan."""
    try:
        judge()
    except SyncError as error:
        return error
    return None


def refusal_of(refused: SyncError | None) -> dict[str, object]:
    """What a program is told of it beside the plan."""
    if refused is None:
        return {}
    return refusal_record(str(refused), way_out(refused), code_of(refused))


def show_mapping_draft(
    line: Pipeline,
    wanted: SyncMapping,
    *,
    as_json: bool,
    in_place: bool = False,
    refused: SyncError | None = None,
) -> Exit:
    """The same for a mapping that is in no folder yet; gives how the command is to end.

    ``in_place``: it is that of the files in place. ``refused``: it would not be let in,
    which stands in the plan for a program.
    """
    from sync.remapping import plan_mapping

    in_force = _in_force(line)
    plan = plan_mapping(line.context_on(in_force) if in_force else line.context(), wanted)
    ended = Exit.TRY_LATER if plan.unread else Exit.DONE
    if as_json:
        record = _record(plan) | {"in_force": plan.in_force if in_force else None}
        record |= refusal_of(refused)
        click.echo(json.dumps(record, indent=2, ensure_ascii=False))
        return ended
    if in_force:
        click.echo(f"Mapping {plan.in_force} is in force, {plan.draft} was read.")
    else:
        compared = (
            "and would be the first"
            if in_place
            else f"and is compared with the files in place ({plan.in_force})"
        )
        click.echo(
            f"No mapping is in force yet, for the service has not run: {plan.draft} was read,"
            f" {compared}."
        )
    _tell(plan, first=in_place and in_force is None)
    return ended


def show_edit(
    line: Pipeline,
    files: SyncMapping,
    wanted: SyncMapping,
    *,
    as_json: bool,
    refused: SyncError | None = None,
) -> Exit:
    """What a command's own edit of these files would do, apart from edits that still wait.

    Gives how the command is to end; ``refused`` as above.
    """
    from sync.remapping import plan_mapping

    in_force = _in_force(line)
    version = in_force.version if in_force else None
    plan = plan_mapping(line.context_on(files), wanted)
    ended = Exit.TRY_LATER if plan.unread else Exit.DONE
    if as_json:
        record = _record(plan) | {"in_force": version} | refusal_of(refused)
        click.echo(json.dumps(record, indent=2, ensure_ascii=False))
        return ended
    click.echo(f"Mapping {plan.draft}, compared with the files as they are ({plan.in_force}).")
    if version is not None and version != files.version:
        click.echo(
            f"Mapping {version} is in force: the files hold edits that do not count yet;"
            " `tradesync plan mappings` tells them."
        )
    _tell(plan)
    return ended


def _in_force(line: Pipeline) -> SyncMapping | None:
    """What the daemon took up last; None where it never took up any."""
    from sync.mapping import mapping_from_texts

    with line.state.transaction() as state:
        good = state.mappings.last_good()
    return mapping_from_texts(good.files) if good is not None else None


def _record(plan: MappingPlan) -> dict[str, Any]:
    return {
        "compared_with": plan.in_force,
        "erp_unread": scrubbed(plan.unread) or None,
        "draft": plan.draft,
        "moves": [move_record(each) for each in plan.moves],
        "contacts": list(plan.contacts),
        "settings": list(plan.settings),
        "applications": list(plan.applications),
        "accounts": [
            {
                "customer_id": each.access.customer_id.value,
                "gains": [str(who) for who in each.access.gains],
                "loses": [str(who) for who in each.access.loses],
                "withdrawn": each.access.withdrawn,
                "invoices_shown": 0 if each.new else each.invoices,
                "records": dict(each.records),
                "named": {kind: list(names) for kind, names in each.named.items()},
                "prices": _prices(each.prices),
                "new_in_store": each.new,
            }
            for each in plan.accounts
        ],
        "shoppers": [
            {
                "channel": each.audience.channel.value if each.audience.channel else None,
                "retail_group": each.audience.key,
                "audience": each.audience.kind.value,
                "shown": each.shown,
                "prices": _prices(each.prices),
            }
            for each in plan.shoppers
        ],
        "orders": [
            {
                "order_id": each.order_id.value,
                "number": each.number,
                "state": each.state.value,
                "before": each.before,
                "after": each.after,
            }
            for each in plan.orders
        ],
        "findings": [
            {
                "place": each.place,
                "subject": each.subject,
                "level": each.level.value,
                "message": each.message,
                "remedy": each.remedy,
                "new": each not in plan.found_before,
            }
            for each in plan.findings
        ],
    }


def _tell(plan: MappingPlan, *, first: bool = False) -> None:
    """For a person; of the ``first`` files nothing came before them."""
    if plan.unread:
        click.echo(
            f"The ERP could not be read: {scrubbed(plan.unread)}\n"
            "This is what is withdrawn all the same. Ask again when it is back for what comes into"
            " sight, for the open orders and for what the ERP has against the draft."
        )
    _section("Who moves", [str(each) for each in plan.moves])
    accounts = []
    for each in plan.accounts:
        who = each.access
        what = _what(each)
        accounts += [f"{who.customer_id}: shown to {one} ({what})" for one in who.gains]
        accounts += [f"{who.customer_id}: withdrawn from {one} ({what})" for one in who.loses]
        if who.withdrawn:
            accounts.append(f"{who.customer_id}: leaves the store; nobody is left who may see it")
        accounts += [f"  {line}" for line in _named(each)]
    accounts += [str(each) for each in plan.shoppers]
    _section("Who sees what", accounts)
    _section("Orders that fare differently", [
        f"{each.number} ({each.state.value}): {each.before} -> {each.after}"
        for each in plan.orders
    ])  # fmt: skip
    _section("Contacts", list(plan.contacts))
    _section("Settings", list(plan.settings))
    _section("Applications that stand elsewhere", list(plan.applications))
    _section("Look at these, which are new", [
        f"{each.place or 'channels.yaml'}: {each.said}. {each.remedy}"
        for each in plan.findings
        if each not in plan.found_before
    ])  # fmt: skip
    if plan.found_before:
        old = counted(len(plan.found_before), "warning")
        before = "" if first else " as before"
        click.echo(f"\n{old}{before}; `tradesync check mappings` tells all.")
    if plan.empty and not first:
        click.echo("It changes nothing" + (" that the ERP need not tell." if plan.unread else "."))


def _what(account: Shown) -> str:
    """ "12 invoices, 1 balance, and its prices and ship-tos": what there is of it to see."""
    own = [counted(number, name) for name, number in account.records.items() if number]
    what = ", ".join([*own, "and its prices and ship-tos"]) if own else "its prices and ship-tos"
    return f"new in the store: {what}" if account.new else what


def _prices(seen: Sequence[PricesSeen]) -> list[dict[str, Any]]:
    return [
        {
            "level": each.scope.level.name.lower(),
            "owner": each.scope.owner,
            "items": [*each.items],
            "restricted": each.restricted,
        }
        for each in seen
    ]


def _named(account: Shown) -> Iterator[str]:
    """Which ones: "invoices: INV-1, INV-2 and 7 more", then the prices item by item."""
    for kind, names in account.named.items():
        if names:
            yield f"{kind}s: {_some(names)}"
    for seen in account.prices:
        if seen.items:
            yield f"prices of {seen.name}: {_some(seen.items)}"
    lists = [seen.name for seen in account.prices if not seen.items]
    if lists:
        yield f"prices that others have too: {', '.join(lists)}"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _section(title: str, lines: list[str]) -> None:
    if lines:
        click.echo(f"\n{title}")
        for line in lines:
            click.echo(f"  {scrubbed(line)}")
