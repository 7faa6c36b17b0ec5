"""``tradesync mappings``: the versions that were in force, and the way back to one of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import click

from sync.cli.bulk import export, import_
from sync.cli.output import Exit, emit, fail, json_option
from sync.cli.scope import REASON
from sync.cli.shown import move_record
from sync.cli.site import actor, opened, site_options
from sync.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sync.bootstrap import Pipeline
    from sync.domain.mapping import SyncMapping
    from sync.mapping.authors import ChangedLine
    from sync.planning.remapping import Move
    from sync.ports.audit import AuditEntry
    from sync.ports.state import KeptMapping, Transaction

FILES = "files"
"""Stands for the files as they are in the folder, where a version may stand."""
_COMMANDS = frozenset({"map", "unmap", "restore", "import"})
LINES_TOLD = 50
"""Changed lines and moves of one edit that people are told; programs get all."""


@click.group(epilog="\b\nExample:\n  tradesync mappings list")
def mappings() -> None:
    """Versions of the mapping files, and assignments as a table for spreadsheets."""


mappings.add_command(export)
mappings.add_command(import_)


@mappings.command("list", epilog="\b\nExample:\n  tradesync mappings list --json")
@json_option
@site_options
def list_(as_json: bool, site: str | None, pipeline: str | None) -> None:
    """List the versions that were in force, newest first.

    Who made a version is told where the folder is a checkout of git that has
    exactly this version in a commit, or where a command made it.
    """
    with opened(site, pipeline) as line:
        rows = _rows(line)
    emit(
        rows,
        {
            "version": "Version",
            "at": "In force from",
            "in_force": "In force",
            "assignments": "Assignments",
            "channels": "Channels",
            "policies": "Policies",
            "by": "Changed by",
            "commit": "Commit",
            "author": "Author",
            "reason": "Reason",
        },
        as_json,
        "Mapping versions",
    )


@mappings.command(epilog="\b\nExample:\n  tradesync mappings show 3f2a --file customers.csv")
@click.argument("version")
@click.option("--file", "name", metavar="NAME", help="Print this file exactly as it was.")
@json_option
@site_options
def show(
    version: str, name: str | None, as_json: bool, site: str | None, pipeline: str | None
) -> None:
    """Show VERSION (its first characters are enough): what is in it, and its files."""
    with opened(site, pipeline) as line:
        version, files = _files(line, version)
        about = next((each for each in _rows(line) if each["version"] == version), {})
    if name is not None:
        if name not in files:
            fail(f"{version} has no file {name}; it has {', '.join(sorted(files))}")
        click.echo(files[name], nl=False)
        return
    if as_json:
        click.echo(json.dumps({**about, "version": version, "files": files}, indent=2))
        return
    told = [f"{about[key]} {key}" for key in ("assignments", "channels", "policies")
            if about.get(key) is not None]  # fmt: skip
    click.echo(f"Mapping {version}" + (f" of {about['at']}" if about else " (the files in place)"))
    if told:
        click.echo(f"  {', '.join(told)}")
    if about.get("by"):
        click.echo(f"  changed by {about['by']}")
    for each, text in sorted(files.items()):
        click.echo(f"  {each}: {len(text.splitlines())} lines")
    click.echo(f"One file exactly as it was: tradesync mappings show {version} --file NAME")


@mappings.command(epilog="\b\nExamples:\n  tradesync mappings diff\n"
                         "  tradesync mappings diff 3f2a 91cc")  # fmt: skip
@click.argument("old", required=False)
@click.argument("new", default=FILES)
@json_option
@site_options
def diff(old: str | None, new: str, as_json: bool, site: str | None, pipeline: str | None) -> None:
    """Tell what NEW says differently from OLD: who moves, and which settings change.

    Both are versions; `files`, which NEW is if left out, means the files as
    they are in the folder. OLD, if left out, is the version in force. Where both
    are in commits of git, who changed which lines in between is told too.
    """
    with opened(site, pipeline) as line:
        old, before = _mapping(line, old or _in_force(line))
        new, after = _mapping(line, new)
        lines = _lines(line, old, new)
    differs = _Differences.between(before, after)
    if as_json:
        record = {
            "old": old,
            "new": new,
            **differs.record(),
            "lines": [
                {
                    "file": each.file,
                    "line": each.line,
                    "added": each.added,
                    "text": each.text,
                    "by": each.commit.author,
                    "commit": each.commit.name,
                    "at": each.commit.at.isoformat(timespec="seconds"),
                }
                for each in lines
            ],
        }
        click.echo(json.dumps(record, indent=2, ensure_ascii=False))
        return
    click.echo(f"From mapping {old} to {new}")
    differs.tell()
    told = [
        f"{each.file}:{each.line}: {'+' if each.added else '-'} {each.text}"
        f"  ({each.commit.author}, {each.commit.name}, {each.commit.at:%Y-%m-%d})"
        for each in lines[:LINES_TOLD]
    ]
    more = len(lines) - len(told)
    _section("Who changed which lines", [*told, *([f"and {more} more"] if more else [])])
    if not differs:
        click.echo("They say the same.")


@dataclass(frozen=True, slots=True)
class _Differences:
    """What one version says differently from another, by what the files say alone."""

    moves: Sequence[Move]
    contacts: Sequence[str]
    settings: Sequence[str]

    @classmethod
    def between(cls, before: SyncMapping, after: SyncMapping) -> _Differences:
        from sync.planning.remapping import assignments_moved, contacts_changed, settings_changed

        return cls(
            assignments_moved(before, after),
            contacts_changed(before, after),
            settings_changed(before, after),
        )

    def __bool__(self) -> bool:
        return bool(self.moves or self.contacts or self.settings)

    def record(self) -> dict[str, Any]:
        return {
            "moves": [move_record(each) for each in self.moves],
            "contacts": list(self.contacts),
            "settings": list(self.settings),
        }

    def tell(self, most: int | None = None) -> None:
        """For people; of each kind ``most`` at the most."""
        for title, lines in (
            ("Who moves", [str(each) for each in self.moves]),
            ("Contacts", self.contacts),
            ("Settings", self.settings),
        ):
            more = len(lines) - len(lines[:most])
            _section(title, [*lines[:most], *([f"and {more} more"] if more else [])])


@mappings.command(
    epilog="\b\nExample:\n  tradesync mappings restore 3f2a --reason 'sorted by one column'"
)
@click.argument("version")
@REASON
@click.option("--force", is_flag=True, help="Also where the folder holds an edit not yet in force.")
@click.option("--dry-run", is_flag=True, help="Only tell what would change.")
@json_option
@site_options
def restore(
    version: str,
    reason: str,
    force: bool,
    dry_run: bool,
    as_json: bool,
    site: str | None,
    pipeline: str | None,
) -> None:
    """Write the files of VERSION back; the daemon takes them up as any edit.

    Who has another account then than under the version in force, or none, is told.

    Refused where somebody edited the files and their edit was never in force:
    it would be lost.
    """
    from sync.mapping import mapping_from_texts
    from sync.mapping.recorded import Deed
    from sync.mapping.restoring import sound

    with opened(site, pipeline, writes=not dry_run) as line:
        version, kept = _files(line, version)
        files = sound(version, kept)
        wanted = mapping_from_texts(files)
        differs = _from_in_force(line, wanted)
        if dry_run:
            _rehearse_restore(line, files, wanted, differs, force=force, as_json=as_json)
        deed = Deed(actor(), "restore", lambda: f"mapping {version} put back", reason)
        before, after = line.mapping_files.put_back(deed, files, force=force)
    if as_json:
        told = {"restored": version, "before": before, "after": after, **_record(differs)}
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
    elif before == after:
        click.echo(f"The files are those of mapping {version} already.")
    else:
        click.echo(
            f"Mapping {version} is back in place;"
            " the service, where it runs, takes it up within seconds."
        )
        if after != version:
            click.echo(f"Files that it did not have were emptied, so that it counts as {after}.")
        if differs is None:
            click.echo(NOT_COMPARED)
        else:
            differs.tell(LINES_TOLD)
    raise click.exceptions.Exit(Exit.DONE)


NOT_COMPARED = (
    "Who moves cannot be told: the version in force cannot be read any more, so nothing was"
    " compared. Once the service has taken the files up, tradesync explain user tells who orders"
    " under which account."
)


def _record(differs: _Differences | None) -> dict[str, Any]:
    """For programs; null is what cannot be told."""
    if differs is None:
        return dict.fromkeys(("moves", "contacts", "settings"))
    return differs.record()


def _rehearse_restore(
    line: Pipeline,
    files: Mapping[str, str],
    wanted: SyncMapping,
    differs: _Differences | None,
    *,
    force: bool,
    as_json: bool,
) -> NoReturn:
    """Tell what would change, or that this cannot be told, and end as the restore would."""
    from sync.cli.plan_mappings import end_of_plan, refusal_of, refused_by, show_mapping_draft

    refused = refused_by(lambda: line.mapping_files.refuse_loss(files, force=force))
    ended = Exit.DONE
    if differs is not None:
        ended = show_mapping_draft(line, wanted, as_json=as_json, refused=refused)
    elif as_json:
        told = {"draft": wanted.version, **_record(None), **refusal_of(refused)}
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        click.echo(NOT_COMPARED)
    end_of_plan(ended, refused, as_json=as_json)


def _files(line: Pipeline, written: str) -> tuple[str, Mapping[str, str]]:
    """The version that is meant, and its files."""
    from sync.mapping import read_texts, version_of
    from sync.mapping.restoring import version_meant

    if written == FILES:
        texts = read_texts(line.mapping.folder)
        return version_of(texts), texts
    with line.state.transaction() as state:
        version = version_meant(written, {each.version for each in state.mappings.kept()})
        files = state.mappings.files_of(version)
    if files is None:
        raise Misconfigured(f"mapping {version} was given up at this moment; try again")
    return version, files


def _lines(line: Pipeline, old: str, new: str) -> Sequence[ChangedLine]:
    """Who changed which lines in between, as far as git has both versions."""
    from sync.mapping.authors import commits_of, lines_between

    folder = line.mapping.folder
    commits = commits_of(folder, {old, new}) if old != new else {}
    if old not in commits or new not in commits:
        return ()
    return lines_between(folder, commits[old][0], commits[new][0])


def _in_force(line: Pipeline) -> str:
    with line.state.transaction() as state:
        good = state.mappings.last_good()
    if good is None:
        told = "no mapping is in force yet, for the service has not run"
        raise Misconfigured(f"{told}; tradesync plan mappings tells what the files would do")
    return good.version


def _from_in_force(line: Pipeline, restored: SyncMapping) -> _Differences | None:
    """What changes with what is put back; None where today's cannot be read any more.

    A newer release may refuse what an older one took up. Nothing where none is in force yet.
    """
    from sync.mapping import check_texts

    with line.state.transaction() as state:
        good = state.mappings.last_good()
    before = check_texts(good.files).mapping if good is not None else restored
    return _Differences.between(before, restored) if before is not None else None


def _mapping(line: Pipeline, written: str) -> tuple[str, SyncMapping]:
    from sync.mapping import FilesRefused, check_texts

    version, files = _files(line, written)
    judged = check_texts(files)
    if judged.mapping is None:
        raise FilesRefused(f"mapping {version} cannot be compared", judged.problems)
    return version, judged.mapping


def _rows(line: Pipeline) -> list[dict[str, Any]]:
    """The kept versions as ``list`` shows them, the one in force first."""
    from sync.mapping.authors import commit_at, commits_of

    with line.state.transaction() as state:
        kept = list(state.mappings.kept())
        edits = [_edit_behind(state, each) for each in kept]
    commits = commits_of(line.mapping.folder, {each.version for each in kept})
    rows = []
    for number, each in enumerate(kept):
        commit = commit_at(commits.get(each.version, ()), each.at)
        edit = edits[number]
        rows.append(
            {
                "version": each.version,
                "at": each.at.isoformat(timespec="seconds"),
                "in_force": number == 0,
                **{name: each.counts.get(name) for name in ("assignments", "channels", "policies")},
                "by": edit.actor if edit else (commit.author if commit else None),
                "commit": commit.name if commit else None,
                "author": commit.author if commit else None,
                "reason": edit.reason if edit else None,
            }
        )
    return rows


def _edit_behind(state: Transaction, kept: KeptMapping) -> AuditEntry | None:
    """The command that made this version, where one did."""
    from sync.ports.audit import AuditFilter, RecordKind

    wanted = AuditFilter(record=(RecordKind.MAPPING, kept.version), until=kept.at)
    made = state.audit.entries(wanted, records=1)
    return next((each for each in made if each.action in _COMMANDS), None)


def _section(title: str, lines: Sequence[str]) -> None:
    from sync.secrecy import scrubbed

    if lines:
        click.echo(f"\n{title}")
        for line in lines:
            click.echo(f"  {scrubbed(line)}")
