"""``tradesync check mappings``: everything that is wrong with the files, before they act."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sync.assignment_check import IN_STORE
from sync.cli.output import Exit, emit
from sync.cli.progress import terminal_progress
from sync.cli.site import opened
from sync.errors import SyncError

if TYPE_CHECKING:
    from sync.bootstrap import Pipeline
    from sync.flows.context import Progress
    from sync.mapping import CheckedFiles, FileProblem

ERROR, WARNING = "error", "warning"


@dataclass(frozen=True, slots=True)
class _Noted:
    """One finding at its place; ``line`` and ``column`` are 0 where there is none.

    ``file`` may be the store too, or empty.
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
        if self.file == IN_STORE:
            return f"{self.file}: {self.level}: {self.message}; {self.remedy}"
        path = Path(os.path.normpath(Path.cwd() / folder / self.file))
        with contextlib.suppress(ValueError):
            path = path.relative_to(Path.cwd())
        return (
            f"{path}:{max(self.line, 1)}:{max(self.column, 1)}: {self.level}:"
            f" {self.message}; {self.remedy}"
        )


def check_mappings(
    site: str | None, pipeline: str | None, draft: Path | None, *, lines: bool, as_json: bool
) -> None:
    """Judge the files, then hold a sound mapping against the live systems."""
    from sync.mapping import FilesRefused, check_texts, read_texts

    with opened(site, pipeline) as line:
        folder = draft or line.mapping.folder
        judged: CheckedFiles | None = None
        try:
            judged = check_texts(read_texts(folder))
        except FilesRefused as refusal:
            found = [_noted(ERROR, each) for each in refusal.found]
        else:
            with terminal_progress(enabled=not as_json) as progress:
                found = [*_in_files(judged), *_in_systems(line, judged, progress)]
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
    return _Noted(level, each.file, each.line, each.column, each.text, each.message, each.remedy)


def _in_systems(line: Pipeline, judged: CheckedFiles, progress: Progress) -> Iterator[_Noted]:
    """What the live systems lack.

    Of files with a mistake in them only whom the lines name that can be read: what
    follows from all of them together nobody can tell yet.
    """
    from sync.mapping.reading import CHANNELS
    from sync.mapping_check import mapping_findings
    from sync.ports.erp import FindingLevel

    if judged.readable is None:
        return
    try:
        found = mapping_findings(line.context_on(judged.readable, progress))
    except SyncError as error:
        remedy = "see whether the system is up, then check again"
        yield _Noted(ERROR, "", 0, 0, "", f"not compared with the systems: {error}", remedy)
        return
    for each in found:
        if each.level is not FindingLevel.OK:
            file, _, number = each.place.rpartition(":")
            if judged.mapping is None and not number.isdigit():
                continue
            place = (file, int(number), 1) if number.isdigit() else (each.place or CHANNELS, 0, 0)
            yield _Noted(WARNING, *place, "", f"{each.subject}: {each.message}", each.remedy)


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
    if not records and not as_json and judged is not None:
        count = len(judged.mapping.assignments) if judged.mapping else 0
        click.echo(f"Mapping {judged.version} is sound: {count} assignments, all known.")
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
