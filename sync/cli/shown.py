"""How results of flows look: one line of counts each, then what a person should see."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from sync.cli.output import Exit

if TYPE_CHECKING:
    from sync.flows.context import FlowResult
    from sync.planning.remapping import Move

COUNTS_NAMES = {
    "orders_new": "new in the store",
    "orders_changed": "changed in the store",
    "imported": "imported",
    "imported_retail": "of these retail",
    "imported_wholesale": "of these wholesale",
    "not_in_erp": "not in the ERP",
    "status_shown": "order statuses shown",
    "shown": "notices shown",
    "mappings_written": "mappings written",
    "made_active": "accounts made active",
    "accounts_touched": "accounts touched in the ERP",
    "missed_by_feed": "accounts with changes that the ERP's feed missed",
    "accounts_changed_by_others": "accounts that somebody else changed in the store",
    "groups": "groups written as one",
    "groups_refused": "groups refused and tried in parts",
    "would_add": "would be added",
    "would_change": "would be changed",
    "would_remove": "would be removed",
    "would_be_admitted": "would be imported",
    "would_be_quarantined": "would go into quarantine",
    "would_be_waits": "would wait",
    "would_be_closed": "would be closed",
    "orders_before_start": "placed before placed_since",
    "flow_refused": "flow refused",
    "flow_failed": "flow failed",
    "flow_misconfigured": "flow failed by what is configured",
    "flow_try_later": "flow to be tried later",
}

ONE_OF_THEM = {
    "status_shown": "order status shown",
    "shown": "notice shown",
    "mappings_written": "mapping written",
    "made_active": "account made active",
    "accounts_touched": "account touched in the ERP",
    "missed_by_feed": "account with changes that the ERP's feed missed",
    "accounts_changed_by_others": "account that somebody else changed in the store",
    "groups": "group written as one",
    "groups_refused": "group refused and tried in parts",
    "documents_missing": "document missing",
    "customers_created": "customer created",
}


def as_record(result: FlowResult) -> dict[str, object]:
    lists: dict[str, object] = {}
    if result.price_lists:
        lists["price_lists"] = dict(result.price_lists)
    if result.no_price_lists:
        lists["no_price_lists"] = result.no_price_lists
    return {
        "flow": result.flow,
        "outcome": result.outcome,
        "counts": dict(result.counts),
        "message": result.message,
        "plan": result.plan_id,
        "samples": result.samples,
        "unnamed": result.unnamed,
        "remarks": result.remarks,
        **lists,
    }


ALREADY = "already_"


def unchanged_text(counts: Mapping[str, int]) -> str:
    """ "163 acknowledged, 35 quarantined": what a plan would leave as it is; or nothing."""
    return ", ".join(
        f"{number} {name.removeprefix(ALREADY)}"
        for name, number in counts.items()
        if number and name.startswith(ALREADY)
    )


def counts_text(counts: dict[str, int]) -> str:
    """ "12 added, 3 removed", or a sentence where there was nothing to do."""
    words = [f"{number} {_name_of(name, number)}" for name, number in counts.items() if number]
    return ", ".join(words) or "nothing to do"


def counts_line(counts: Mapping[str, int]) -> str:
    """ "39 active, 1 closed": what there is of each kind, in the order given."""
    return ", ".join(f"{number:,} {kind}" for kind, number in counts.items() if number)


def _name_of(name: str, number: int) -> str:
    if number == 1 and name in ONE_OF_THEM:
        return ONE_OF_THEM[name]
    return COUNTS_NAMES.get(name, name.replace("_", " "))


REMARKS = 12
"""So many are told of each flow, also where few of its changes are named."""


def show_result(
    result: FlowResult, *, lines: int = 12, has_json: bool = True, all_in_json: bool = False
) -> None:
    """The flow's story on the terminal.

    ``has_json``: the command can be asked for JSON, which names more of the changes;
    ``all_in_json``: all of them.
    """
    mark = "" if result.outcome == "ok" else f" [{result.outcome}]"
    changes = {name: n for name, n in result.counts.items() if not name.startswith(ALREADY)}
    # Of a flow that did not get that far nobody knows whether there is something to do.
    said = counts_text(changes) if changes or result.outcome == "ok" else ""
    click.echo(f"{result.flow:15}{mark} {said}".rstrip())
    if result.message:
        click.echo(f"    {result.message}")
    for line in result.samples[:lines]:
        click.echo(f"    {line}")
    hidden = max(len(result.samples) - lines, 0)
    if hidden + result.unnamed:
        where = _in_json(hidden, result.unnamed, all_in_json=all_in_json) if has_json else ""
        click.echo(f"    ... and {hidden + result.unnamed} more{where}")
    remarks = max(lines, REMARKS)
    for line in result.remarks[:remarks]:
        click.echo(f"    {line}")
    if len(result.remarks) > remarks:
        where = " (--json shows them)" if has_json else ""
        click.echo(f"    ... and {len(result.remarks) - remarks} more remarks{where}")
    unchanged = unchanged_text(result.counts)
    if unchanged:
        click.echo(f"    Unchanged, of those that a run would read: {unchanged}.")


def _in_json(hidden: int, unnamed: int, *, all_in_json: bool) -> str:
    """Which of the changes that are not told JSON names."""
    if all_in_json:
        return " (--json lists all of them)"
    if not unnamed:
        return " (--json shows them)"
    return f" (--json names {hidden} of them)" if hidden else ""


def exit_for(results: Sequence[FlowResult]) -> Exit:
    """The worst outcome decides."""
    outcomes = {"misconfigured" if each.misconfigured else each.outcome for each in results}
    counts = {name for each in results for name, number in each.counts.items() if number}
    return worst_of(outcomes, counts)


def worst_of(outcomes: Container[str], counts: Container[str]) -> Exit:
    """What flows that ended so, and counted something of this, come to: here or in the daemon."""
    if "failed" in outcomes:
        return Exit.FAILED
    if "misconfigured" in outcomes:
        return Exit.MISCONFIGURED
    if "refused" in outcomes:
        return Exit.NEEDS_PERSON
    if "try_later" in outcomes:
        return Exit.TRY_LATER
    return Exit.NEEDS_PERSON if "quarantined" in counts or "review" in counts else Exit.DONE


def end(results: Sequence[FlowResult]) -> Any:
    raise click.exceptions.Exit(exit_for(results))


def move_record(move: Move) -> dict[str, object]:
    """Who moves between accounts, for programs; one record whichever command tells it."""
    return {
        "kind": move.actor.kind.value,
        "user": move.actor.user,
        "organisation": move.actor.organisation,
        "before": move.before.value if move.before else None,
        "after": move.after.value if move.after else None,
        "unsure": move.unsure,
        "barred": move.barred,
    }


def document_lines(value: Any, indent: str = "") -> list[str]:
    """An encoded document for a person: a field to a line, what it holds below it.

    Nothing is said of what is not there, nor of the kinds that programs go by.
    """
    lines: list[str] = []
    for name, each in value.items():
        said = _in_words(each)
        if name == "is" or said == "":
            continue
        if said is not None:
            lines.append(f"{indent}{name}: {said}")
            continue
        lines.append(f"{indent}{name}:")
        for one in each if isinstance(each, list) else [each]:
            below = [f"{indent}    {one}"]
            if isinstance(one, dict):
                below = document_lines(one, indent + "    ")
            if isinstance(each, list) and below:
                below[0] = f"{indent}  - {below[0].strip()}"
            lines += below
    return lines


def _in_words(value: Any) -> str | None:
    """The value on one line; empty where there is none, None for what has several parts."""
    if value is None or value in ("", [], {}):
        return ""
    match value:
        case bool():
            return "yes" if value else "no"
        case {"is": "Money", "amount": amount, "currency": currency}:
            return f"{amount} {currency}"
        case dict():
            return None
        case list():
            said = [_in_words(each) for each in value]
            return None if None in said else ", ".join(map(str, said))
    return str(value)
