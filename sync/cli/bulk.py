"""``tradesync mappings export`` and ``import``: assignments by the thousand, in a spreadsheet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sync.cli.output import Exit, fail, json_option
from sync.cli.site import actor, opened, site_options
from sync.errors import Misconfigured, SyncError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sync.bootstrap import Pipeline
    from sync.mapping.bulk import Imported
    from sync.mapping.spreadsheets import Known, Sheet

_SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t"}


@click.command(
    "export",
    epilog="\b\nExamples:\n  tradesync mappings export ~/customers.csv\n"
    "  tradesync mappings export ~/customers.csv --separator semicolon",
)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--separator",
    type=click.Choice(list(_SEPARATORS)),
    default="comma",
    help="What stands between cells; many spreadsheets want a semicolon.",
)
@click.option("--force", is_flag=True, help="Also over a file that is there already.")
@json_option
@site_options
def export(
    file: Path, separator: str, force: bool, as_json: bool, site: str | None, pipeline: str | None
) -> None:
    """Write all assignments into FILE, a table for a spreadsheet (CSV, UTF-8).

    A cell that a spreadsheet would compute gets an apostrophe before it, which
    import takes away again.
    """
    from sync.mapping import FilesRefused, check_texts, read_texts
    from sync.mapping.reading import rows_in
    from sync.mapping.spreadsheets import sheet

    with opened(site, pipeline) as line:
        folder = line.mapping.folder
        texts = read_texts(folder)
    judged = check_texts(texts)
    if judged.mapping is None:
        raise FilesRefused("the mapping files are refused, so nothing is exported", judged.problems)
    if file.resolve().parent == folder.resolve():
        fail(f"{file} would count as a mapping file", way_out="write it into another folder")
    rows = rows_in(texts)
    try:
        with file.open("w" if force else "x", encoding="utf-8-sig", newline="") as out:
            out.write(sheet(rows, _SEPARATORS[separator]))
    except FileExistsError:
        fail(f"{file} is there already", way_out="name another one, or say --force")
    except OSError as error:
        fail(f"{file} cannot be written: {(error.strerror or type(error).__name__).lower()}")
    if as_json:
        told = {"file": str(file), "version": judged.version, "assignments": len(rows)}
        click.echo(json.dumps(told, indent=2))
        return
    click.echo(f"{len(rows)} assignments of mapping {judged.version} are in {file}.")
    click.echo("Open it by the spreadsheet's import, every column as text: zeros count.")


@click.command(
    "import",
    epilog="\b\nExamples:\n  tradesync mappings import ~/customers.csv --dry-run\n"
    "  tradesync mappings import ~/customers.csv --reason 'accounts of the new branch'",
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--reason", default="", help="Why; it stays in the audit trail. Needed to write.")
@click.option(
    "--encoding",
    type=click.Choice(["utf-8", "utf-16", "windows-1252"]),
    help="Of a file that does not tell it by itself.",
)
@click.option("--force", is_flag=True, help="Also where most assignments would be gone or moved.")
@click.option("--dry-run", is_flag=True, help="Only tell what would change.")
@json_option
@site_options
def import_(
    file: Path,
    reason: str,
    encoding: str | None,
    force: bool,
    dry_run: bool,
    as_json: bool,
    site: str | None,
    pipeline: str | None,
) -> None:
    """Make customers.csv say what the table in FILE says, and the daemon take it up.

    Whoever is not in the table loses the assignment; exceptions in
    customers.yaml stay. Lines that say so already keep their place and their
    comments. What a spreadsheet did to an ID is refused by line.
    """
    from sync.mapping import mapping_from_texts, read_texts
    from sync.mapping.bulk import taken_over
    from sync.mapping.spreadsheets import decoded, read_sheet

    if not dry_run and not reason.strip():
        raise click.UsageError("Say why with --reason, or look first with --dry-run.")
    text = decoded(file.name, _content(file), encoding)
    with opened(site, pipeline, writes=not dry_run, begins=True) as line:
        sheet = read_sheet(file.name, text, _known(line))
        if dry_run:
            from sync.cli.plan_mappings import end_of_plan, refused_by, show_edit

            texts = read_texts(line.mapping.folder)
            imported = taken_over(texts, sheet)
            if not as_json:
                click.echo(_said(imported))
            files, wanted = mapping_from_texts(texts), mapping_from_texts(imported.files)
            refused = refused_by(lambda: _refuse_doubtful(imported, force=force))
            ended = show_edit(line, files, wanted, as_json=as_json, refused=refused)
            end_of_plan(ended, refused, as_json=as_json)
        imported, before, after = _take_over(line, sheet, reason, force=force)
    if as_json:
        click.echo(json.dumps({**_counts(imported), "before": before, "after": after}, indent=2))
    elif before == after:
        click.echo(f"{file.name} says what the files say already.")
    else:
        click.echo(_said(imported))
        click.echo(
            f"Mapping {before} becomes {after};"
            " the service, where it runs, takes it up within seconds."
        )
    raise click.exceptions.Exit(Exit.DONE)


def _take_over(
    line: Pipeline, sheet: Sheet, reason: str, *, force: bool
) -> tuple[Imported, str, str]:
    """The import and its audit entry: where one of them cannot be written, neither."""
    from sync.mapping.bulk import taken_over
    from sync.mapping.recorded import Deed

    done: list[Imported] = []

    def change(texts: Mapping[str, str]) -> Mapping[str, str]:
        imported = taken_over(texts, sheet)
        _refuse_doubtful(imported, force=force)
        done.append(imported)
        return imported.files

    def what() -> str:
        return f"{sheet.file}: {_said(done[0])}"

    deed = Deed(actor(), "import", what, reason)
    before, after = line.mapping_files.carry_out(deed, change)
    return done[0], before, after


def _refuse_doubtful(imported: Imported, *, force: bool) -> None:
    """Raise Misconfigured for a table that takes most assignments away, or moves them."""
    if imported.doubtful and not force:
        raise Misconfigured(
            f"of {imported.before} assignments {imported.removed} would be gone and"
            f" {imported.moved} name another customer_id, as if a filter were left on or a"
            " column sorted by itself; look with --dry-run, and say --force if it is meant"
        )


def _known(line: Pipeline) -> dict[str, Known]:
    """The keys that the files, the ERP and the store have now; told where one is away."""
    from sync.mapping import check_texts, read_texts
    from sync.mapping.spreadsheets import KEYS, Known
    from sync.ports.erp import ReadsAccounts
    from sync.ports.store import ReadsBuyers

    found: dict[str, set[str]] = {name: set() for name in KEYS}
    judged = check_texts(read_texts(line.mapping.folder))
    for each in judged.mapping.assignments if judged.mapping else ():
        for name in KEYS:
            value = getattr(each, name)
            if value is not None:
                found[name].add(value.value)
    try:
        if isinstance(line.erp, ReadsAccounts):
            found["customer_id"].update(each.value for each in line.erp.customer_ids())
        if isinstance(line.store, ReadsBuyers):
            found["user"].update(each.value for each in line.store.web_users())
            found["organisation"].update(each.value for each in line.store.organisations())
    except SyncError as error:
        click.echo(f"IDs are compared with the mapping files only: {error}", err=True)
    return {name: Known.of(keys) for name, keys in found.items()}


def _content(file: Path) -> bytes:
    from sync.mapping.tree import MAX_CHARACTERS

    if file.stat().st_size > 2 * MAX_CHARACTERS:
        raise Misconfigured(f"{file} is too large for a table of assignments")
    return file.read_bytes()


def _counts(imported: Imported) -> dict[str, int]:
    return {
        "added": imported.added,
        "moved": imported.moved,
        "reworded": imported.reworded,
        "removed": imported.removed,
        "stay_in_customers_yaml": imported.stay,
    }


def _said(imported: Imported) -> str:
    told = (
        f"{imported.added} added, {imported.moved} moved to another account,"
        f" {imported.removed} taken out, {imported.reworded} with another contact or note"
    )
    return f"{told}; {imported.stay} stay in customers.yaml" if imported.stay else told
