"""``tradesync map`` and ``unmap``: one assignment changed in the mapping files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from sync.cli.doubts import ANYWAY, tell_doubts, tell_unread
from sync.cli.output import Exit, fail, json_option
from sync.cli.scope import REASON, Named
from sync.cli.site import actor, opened, site_options

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sync.bootstrap import Pipeline
    from sync.domain.mapping import SyncMapping
    from sync.mapping.editing import Edit
    from sync.mapping_check import Doubts


def _or_empty(_context: click.Context, _param: click.Parameter, given: str | None) -> str:
    return given or ""


_ORGANISATION = click.option(
    "--organisation",
    type=Named(),
    metavar="ID",
    callback=_or_empty,
    help="Without USER: the organisation itself; with USER: an exception within it.",
)
_DRY_RUN = click.option("--dry-run", is_flag=True, help="Only tell what would change.")


@click.command(
    name="map",
    epilog="\b\nExamples:\n  tradesync map u-retail-07 000102 --reason 'account opened 12 March'\n"
    "  tradesync map --organisation org-101 000102 --reason 'merged' --dry-run",
)
@click.argument("names", nargs=-1, required=True, type=Named(), metavar="[USER] CUSTOMER_ID")
@_ORGANISATION
@click.option(
    "--contact", type=Named(), metavar="ID", default=None, help="The ERP contact to name on orders."
)
@REASON
@ANYWAY
@_DRY_RUN
@json_option
@site_options
def assign(
    names: tuple[str, ...],
    organisation: str,
    contact: str | None,
    reason: str,
    anyway: bool,
    dry_run: bool,
    as_json: bool,
    site: str | None,
    pipeline: str | None,
) -> None:
    """Assign USER, or an organisation, to the ERP account CUSTOMER_ID.

    One line of customers.csv is added or changed; comments, order and shape of
    the files stay. The daemon takes the edit up within seconds. A customer, user
    or organisation that the ERP or the store does not have is refused. First see
    with --dry-run who would see what from then on; it is refused as the edit itself.
    """
    from sync.mapping.editing import Edit

    if len(names) > 2 or (len(names) == 1 and not organisation):
        raise click.UsageError("Name USER and CUSTOMER_ID, or CUSTOMER_ID with --organisation.")
    user = names[0] if len(names) == 2 else ""
    edit = Edit(user, organisation, names[-1], contact, note=_one_line(reason))
    with opened(site, pipeline, writes=not dry_run, begins=True) as line:
        doubts = _doubts(line, edit, anyway=anyway, dry_run=dry_run)
        _carry_out(line, edit, "map", reason, doubts, dry_run=dry_run, as_json=as_json)


@click.command(
    name="unmap",
    epilog="\b\nExample:\n  tradesync unmap u-sole-trader --reason 'left the company'",
)
@click.argument("user", type=Named(), required=False, callback=_or_empty)
@_ORGANISATION
@REASON
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
    with opened(site, pipeline, writes=not dry_run, begins=True) as line:
        _refuse_nothing(line, edit)
        _carry_out(line, edit, "unmap", reason, None, dry_run=dry_run, as_json=as_json)


def _refuse_nothing(line: Pipeline, edit: Edit) -> None:
    """End the command where no line assigns this user or organisation.

    Whoever meant another one would believe that it has no account any more.
    """
    from sync.mapping import mapping_from_texts, read_texts
    from sync.mapping.editing import Edit, assignment_of

    written = mapping_from_texts(read_texts(line.mapping.folder))
    refused = any(
        (str(each.user or ""), str(each.organisation or "")) == (edit.user, edit.organisation)
        for each in written.refused
    )
    if refused or assignment_of(written, edit) is not None:
        return
    told = f"No line assigns {edit.who} to an account: nothing is taken out."
    if not (edit.user and edit.organisation):
        user, organisation = edit.organisation, edit.user
        if assignment_of(written, Edit(user, organisation, None)) is not None:
            option = f"--organisation {organisation}" if organisation else user
            told += f" There is one by that name: tradesync unmap {option} …"
    fail(told)


def _doubts(line: Pipeline, edit: Edit, *, anyway: bool, dry_run: bool) -> Doubts | None:
    """What to say of the new assignment. Raises Rejected where it names nobody.

    Where a system is away that is told. A dry run ends as the edit would.
    """
    from sync.mapping import mapping_from_texts, read_texts
    from sync.mapping.editing import assignment_of, edited
    from sync.mapping_check import doubts_if_told

    wanted = mapping_from_texts(edited(read_texts(line.mapping.folder), edit))
    assignment = assignment_of(wanted, edit)
    if assignment is None:
        return None
    doubts = doubts_if_told(line.context_on(wanted), assignment)
    if not dry_run:  # the plan tells it
        tell_unread(doubts)
    if not anyway:
        doubts.refuse_nobody(f"{edit.who} -> {edit.customer_id}", dry_run=dry_run)
    return doubts


def _carry_out(
    line: Pipeline,
    edit: Edit,
    action: str,
    reason: str,
    doubts: Doubts | None,
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    from sync.cli.plan_mappings import end_of_plan, show_edit
    from sync.mapping import mapping_from_texts, read_texts
    from sync.mapping.editing import edited

    if dry_run:
        texts = read_texts(line.mapping.folder)
        wanted = mapping_from_texts(edited(texts, edit))
        ended = show_edit(line, mapping_from_texts(texts), wanted, as_json=as_json)
        if not as_json:
            _tell_of_organisations(line, edit, wanted)
        end_of_plan(ended)
    what = f"{edit.who} -> {edit.customer_id or 'no account of their own'}"

    def change(texts: Mapping[str, str]) -> Mapping[str, str]:
        return edited(texts, edit)

    before, after_version = line.mapping_files.edit(actor(), action, what, reason, change)
    if as_json:
        told = {
            "who": edit.who,
            "customer_id": edit.customer_id,
            "before": before,
            "after": after_version,
            "doubts": doubts.told if doubts else [],
        }
        click.echo(json.dumps(told, indent=2))
    elif before == after_version:
        click.echo(f"The mapping files say so already: {what}.")
    else:
        click.echo(
            f"{what}: mapping {before} becomes {after_version};"
            " the service, where it runs, takes it up within seconds."
        )
        if doubts:
            tell_doubts(doubts)
    raise click.exceptions.Exit(Exit.DONE)


def _tell_of_organisations(line: Pipeline, edit: Edit, wanted: SyncMapping) -> None:
    """For whom the user acts as well, which the plan of one line cannot show."""
    from sync.mapping.editing import assignment_of
    from sync.mapping_check import Doubts, organisations_beside

    assignment = assignment_of(wanted, edit)
    if assignment is not None:
        beside = organisations_beside(line.context_on(wanted), assignment)
        tell_doubts(Doubts(others=tuple(beside)))


def _one_line(text: str) -> str:
    return " ".join(text.split())
