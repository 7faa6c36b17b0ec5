"""``tradesync check mappings``: everything that is wrong with the files, before they act."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sync.cli.output import Exit, emit
from sync.cli.progress import terminal_progress
from sync.cli.site import opened
from sync.cli.ways_out import way_out
from sync.errors import SyncError

if TYPE_CHECKING:
    from sync.bootstrap import Pipeline
    from sync.domain.mapping import SyncMapping
    from sync.flows.context import Progress
    from sync.mapping import CheckedFiles, FileProblem
    from sync.mapping.spots import Spots

ERROR, WARNING = "error", "warning"


@dataclass(frozen=True, slots=True)
class _Noted:
    """One finding at its place, from 1: of a whole file it is where that begins.

    ``file`` is one of the folder's, or the settings with their path; ``text`` is what is
    written there, empty where nothing is.
    """

    level: str
    file: str
    line: int
    column: int
    text: str
    message: str
    remedy: str

    def as_line(self, folder: Path) -> str:
        """As compilers say it, so that editors jump there from where the command runs."""
        path = Path(os.path.normpath(Path.cwd() / folder / self.file))
        with contextlib.suppress(ValueError):
            path = path.relative_to(Path.cwd())
        remedy = self.remedy[:1].lower() + self.remedy[1:].rstrip(".")
        return (
            f"{path}:{self.line}:{self.column}: {self.level}: {self.message}"
            f"{f' (`{self.text}`)' if self.text else ''}; {remedy}"
        )


def check_mappings(
    site: str | None, pipeline: str | None, draft: Path | None, *, lines: bool, as_json: bool
) -> None:
    """Judge the files, then hold a sound mapping against the live systems."""
    from sync.mapping import FilesRefused, judged_against, read_texts
    from sync.mapping.spots import Spots

    with opened(site, pipeline) as line:
        folder = draft or line.mapping.folder
        with line.state.transaction() as state:
            last_good = state.mappings.last_good()
        judged: CheckedFiles | None = None
        try:
            texts = read_texts(folder)
            judged = judged_against(texts, last_good)
        except FilesRefused as refusal:
            found = [_noted(ERROR, each) for each in refusal.found]
        else:
            with terminal_progress(enabled=not as_json) as progress:
                new = last_good is None and _is_new(judged.mapping)
                live = _in_systems(line, judged, Spots(texts), progress)
                found = [*_in_files(judged)]
                try:
                    found += live
                except SyncError as error:
                    found.append(_uncompared(site, error, new=new))
    if lines:
        for each in found:
            click.echo(_scrubbed(each.as_line(folder)))
    else:
        _tell(found, judged, as_json=as_json)
    failed = any(each.level == ERROR for each in found)
    raise click.exceptions.Exit(Exit.FAILED if failed else Exit.DONE)


def _in_files(judged: CheckedFiles) -> Iterator[_Noted]:
    for level, problems in ((ERROR, judged.problems), (WARNING, judged.warnings)):
        for each in problems:
            yield _noted(level, each)


def _noted(level: str, each: FileProblem) -> _Noted:
    line, column = max(each.line, 1), max(each.column, 1)
    return _Noted(level, each.file, line, column, each.text, each.message, each.remedy)


def _uncompared(site: str | None, error: SyncError, *, new: bool) -> _Noted:
    """Where the systems are described: no line of a mapping file keeps them from answering.

    Those of a ``new`` site need not be there yet.
    """
    from sync.settings import resolve_site

    level, settings = WARNING if new else ERROR, str(resolve_site(site, os.environ).settings_file)
    said = f"not compared with the systems: {error}"
    return _Noted(level, settings, 1, 1, "", said, way_out(error))


def _in_systems(
    line: Pipeline, judged: CheckedFiles, spots: Spots, progress: Progress
) -> Iterator[_Noted]:
    """What the live systems lack. Raises what they raise, before the first finding.

    Of files with a mistake in them only whom the lines name that can be read: what
    follows from all of them together nobody can tell yet.
    """
    from sync.assignment_check import IN_STORE
    from sync.mapping.reading import CUSTOMERS
    from sync.mapping_check import mapping_findings
    from sync.ports.erp import FindingLevel

    if judged.readable is None:
        return
    for each in mapping_findings(line.context_on(judged.readable, progress)):
        if each.level is not FindingLevel.OK:
            if judged.mapping is None and not each.place.rpartition(":")[2].isdigit():
                continue
            place = CUSTOMERS if each.place == IN_STORE else each.place
            spot = spots.of(place, each.path, each.text)
            at = (spot.file, spot.line, spot.column, spot.text)
            yield _Noted(each.level.value, *at, each.said, each.remedy)


def _is_new(mapping: SyncMapping | None) -> bool:
    """Whether nobody has said anything of a buyer or an account yet, as on a new site."""
    return mapping is not None and not mapping.assignments and not mapping.account_policies


def _tell(found: list[_Noted], judged: CheckedFiles | None, *, as_json: bool) -> None:
    records = [
        {
            "level": each.level,
            "file": each.file,
            "line": each.line,
            "column": each.column,
            "text": each.text,
            "message": each.message,
            "remedy": each.remedy,
        }
        for each in found
    ]
    mapping = judged.mapping if judged else None
    new = _is_new(mapping) and all(each.level != ERROR for each in found)
    if judged is not None and not as_json and (not records or new):
        count = len(mapping.assignments) if mapping else 0
        said = f"{count} assignments, all known" if count else "nothing is assigned yet"
        click.echo(f"Mapping {judged.version} is sound: {said}.")
    if not records and not as_json:
        return
    columns = {
        "level": "Level",
        "file": "File",
        "line": "Line",
        "column": "Column",
        "text": "Written",
        "message": "Found",
        "remedy": "Way out",
    }
    emit(records, columns, as_json, "Mapping files")


def _scrubbed(text: str) -> str:
    from sync.secrecy import scrubbed

    return scrubbed(text)
