"""``tradesync map`` and ``unmap``: one assignment changed in the mapping files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from sync.cli.output import Exit, json_option
from sync.cli.site import actor, opened, site_options

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sync.bootstrap import Pipeline
    from sync.mapping.editing import Edit

_ORGANISATION = click.option(
    "--organisation",
    metavar="ID",
    default="",
    help="Without USER: the organisation itself; with USER: an exception within it.",
)
_REASON = click.option("--reason", required=True, help="Why; it stays in the audit trail.")
_DRY_RUN = click.option("--dry-run", is_flag=True, help="Only tell what would change.")


@click.command(
    name="map",
    epilog="\b\nExamples:\n  tradesync map u-7719 000102 --reason 'account opened 12 March'\n"
    "  tradesync map --organisation org-101 000101 --reason 'ticket 88' --dry-run",
)
@click.argument("names", nargs=-1, required=True, metavar="[USER] CUSTOMER_ID")
@_ORGANISATION
@click.option("--contact", metavar="ID", default=None, help="The ERP contact to name on orders.")
@_REASON
@_DRY_RUN
@json_option
@site_options
def assign(
    names: tuple[str, ...],
    organisation: str,
    contact: str | None,
    reason: str,
    dry_run: bool,
    as_json: bool,
    site: str | None,
    pipeline: str | None,
) -> None:
    """Assign USER, or an organisation, to the ERP account CUSTOMER_ID.

    One line of customers.csv is added or changed; comments, order and shape of
    the files stay. The daemon takes the edit up within seconds. First see with
    --dry-run who would see what from then on.
    """
    from sync.mapping.editing import Edit

    if len(names) > 2 or (len(names) == 1 and not organisation):
        raise click.UsageError("Name USER and CUSTOMER_ID, or CUSTOMER_ID with --organisation.")
    user = names[0] if len(names) == 2 else ""
    edit = Edit(user, organisation, names[-1], contact, note=_one_line(reason))
    with opened(site, pipeline, writes=not dry_run) as line:
        _carry_out(line, edit, "map", reason, dry_run=dry_run, as_json=as_json)


@click.command(
    name="unmap",
    epilog="\b\nExample:\n  tradesync unmap u-7719 --reason 'left the company'",
)
@click.argument("user", required=False, default="")
@_ORGANISATION
@_REASON
@_DRY_RUN
@json_option
@site_options
def withdraw(
    user: str,
    organisation: str,
    reason: str,
    dry_run: bool,
    as_json: bool,
    site: str | None,
    pipeline: str | None,
) -> None:
    """Take the assignment of USER, or of an organisation, out of the mapping files."""
    from sync.mapping.editing import Edit

    edit = Edit(user, organisation, None)
    with opened(site, pipeline, writes=not dry_run) as line:
        _carry_out(line, edit, "unmap", reason, dry_run=dry_run, as_json=as_json)


def _carry_out(
    line: Pipeline, edit: Edit, action: str, reason: str, *, dry_run: bool, as_json: bool
) -> None:
    from sync.cli.plan_mappings import show_mapping_draft
    from sync.mapping import mapping_from_texts, read_texts
    from sync.mapping.editing import edited

    if dry_run:
        after = edited(read_texts(line.mapping.folder), edit)
        show_mapping_draft(line, mapping_from_texts(after), as_json=as_json)
        return
    what = f"{edit.who} -> {edit.customer_id or 'no account of their own'}"

    def change(texts: Mapping[str, str]) -> Mapping[str, str]:
        return edited(texts, edit)

    before, after_version = line.mapping_files.edit(actor(), action, what, reason, change)
    if as_json:
        told = {"who": edit.who, "customer_id": edit.customer_id, "before": before}
        click.echo(json.dumps(told | {"after": after_version}, indent=2))
    elif before == after_version:
        click.echo(f"The mapping files say so already: {what}.")
    else:
        click.echo(f"{what}: mapping {before} becomes {after_version}, within seconds in force.")
    raise click.exceptions.Exit(Exit.DONE)


def _one_line(text: str) -> str:
    return " ".join(text.split())
