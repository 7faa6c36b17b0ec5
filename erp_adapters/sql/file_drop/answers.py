"""What the ERP answered, read from the files that it leaves.

An answer counts once the ERP has finished writing it; until then there is
none. One that cannot be understood is no answer either, but it is told: the
order stays with an unknown outcome and a person must look.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from re import Pattern

from erp_adapters.sql.file_drop.model import (
    AnswerForm,
    ByColumns,
    ByText,
    FileDrop,
    Format,
    Quoting,
    Whole,
)
from sync.domain.ids import ErpOrderNumber
from sync.kit.disk import FileFacts, FileSystem, translated

NO_REASON = "The ERP gave no reason."
_LONGEST_MESSAGE = 500
_LINE_ENDS = (b"\n", b"\r", b"\n\x00", b"\r\x00")


class Says(Enum):
    TAKEN = "taken"
    REFUSED = "refused"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer file. ``message`` is the ERP's, or why it cannot be understood."""

    path: Path
    says: Says
    numbers: tuple[ErpOrderNumber, ...] = ()
    message: str | None = None


Found = Mapping[str, Sequence[tuple[AnswerForm, Path]]]
"""The part of the name that stands for the key -> its answers, by name."""


class AnswerBox:
    """The folders in which the ERP answers. ``monotonic`` counts seconds."""

    def __init__(
        self, drop: FileDrop, root: Path, files: FileSystem, monotonic: Callable[[], float]
    ) -> None:
        self._drop = drop
        self._root = root
        self._files = files
        self._monotonic = monotonic
        self._seen: dict[Path, tuple[FileFacts, float]] = {}

    def listing(self) -> Found:
        """Every file that is named like an answer. Raises TryLater, AccessDenied."""
        found: dict[str, list[tuple[AnswerForm, Path]]] = defaultdict(list)
        for text in self._drop.answer_folders:
            folder = self._root / text
            with translated("looking for answers", folder):
                names = sorted(self._files.names(folder))
            for form in self._drop.answers:
                if form.folder != text:
                    continue
                for name in names:
                    stem = form.file_name.stem(name)
                    if stem is not None:
                        found[stem].append((form, folder / name))
        present = {path for each in found.values() for _, path in each}
        self._seen = {path: seen for path, seen in self._seen.items() if path in present}
        return found

    def read(self, found: Iterable[tuple[AnswerForm, Path]]) -> tuple[Answer, ...]:
        """The answers among these files that the ERP has finished."""
        return tuple(answer for form, path in found if (answer := self._read(form, path)))

    def _read(self, form: AnswerForm, path: Path) -> Answer | None:
        with translated(f"reading the answer {path.name}", path.parent):
            before = self._files.facts(path)
            if before is None or not self._settled(form, path, before):
                return None
            content = self._files.read(path)
            after = self._files.facts(path)
        # Read while the ERP was writing, or moved away meanwhile.
        if before != after or len(content) != before.size:
            return None
        # By its bytes: a half-written one may end within a letter.
        if form.whole is Whole.FINAL_NEWLINE and not content.endswith(_LINE_ENDS):
            return None
        try:
            text = content.decode(self._drop.format.encoding)
        except UnicodeDecodeError as error:
            where = f"{error.encoding} has no such bytes at {error.start}"
            return Answer(path, Says.UNREADABLE, message=where)
        try:
            return _understood(form, path, text, self._drop.format)
        except ValueError as error:
            return Answer(path, Says.UNREADABLE, message=str(error))

    def _settled(self, form: AnswerForm, path: Path, facts: FileFacts) -> bool:
        """Whether it has been as it is for long enough, where that is the sign."""
        if form.whole is not Whole.SETTLED:
            return True
        now = self._monotonic()
        seen = self._seen.get(path)
        if seen is None or seen[0] != facts:
            self._seen[path] = (facts, now)
            return self._drop.settle_s == 0
        return now - seen[1] >= self._drop.settle_s


def _understood(form: AnswerForm, path: Path, text: str, written: Format) -> Answer:
    """Raises ValueError where it says neither taken nor refused."""
    if isinstance(form.reading, ByColumns):
        return _by_columns(form.reading, path, text, written)
    return _by_text(form.reading, path, text)


def _by_text(reading: ByText, path: Path, text: str) -> Answer:
    taken = _matches(reading.taken, text, "order_number")
    if taken is not None:
        return Answer(path, Says.TAKEN, _numbers(taken))
    refused = _matches(reading.refused, text, "message")
    if refused is not None:
        return Answer(path, Says.REFUSED, message=_message(refused))
    raise ValueError("it says neither taken nor refused")


def _matches(pattern: Pattern[str] | None, text: str, group: str) -> list[str] | None:
    """What the group held at each match; None where the pattern is nowhere."""
    if pattern is None:
        return None
    found = list(pattern.finditer(text))
    if not found:
        return None
    return [match[group] or "" for match in found] if group in pattern.groupindex else []


def _by_columns(reading: ByColumns, path: Path, text: str, written: Format) -> Answer:
    rows = list(_rows(reading, text, written))
    taken = [row for row in rows if _holds(row, reading.taken)]
    if taken:
        return Answer(path, Says.TAKEN, _numbers(_column(taken, reading.number)))
    refused = [row for row in rows if _holds(row, reading.refused)]
    if refused:
        return Answer(path, Says.REFUSED, message=_message(_column(refused, reading.message)))
    raise ValueError("no row of it says taken or refused")


def _rows(reading: ByColumns, text: str, written: Format) -> Iterator[dict[str, str]]:
    rows: Iterable[list[str]]
    if written.quoting is Quoting.NEVER:
        rows = [line.split(written.separator) for line in text.splitlines()]
    else:
        try:
            rows = list(
                csv.reader(
                    io.StringIO(text, newline=""),
                    delimiter=written.separator,
                    quotechar=written.quote,
                    strict=True,
                )
            )
        except csv.Error as error:
            raise ValueError(f"its rows cannot be read: {error}") from error
    for row in rows:
        if len(row) == len(reading.columns):
            yield {name: value.strip() for name, value in zip(reading.columns, row, strict=True)}
        elif any(value.strip() for value in row):
            raise ValueError(f"a row has {len(row)} columns, not {len(reading.columns)}")


def _holds(row: Mapping[str, str], words: Mapping[str, frozenset[str]]) -> bool:
    return bool(words) and all(row[column] in allowed for column, allowed in words.items())


def _column(rows: Sequence[Mapping[str, str]], name: str | None) -> list[str]:
    return [row[name] for row in rows] if name is not None else []


def _numbers(found: Sequence[str]) -> tuple[ErpOrderNumber, ...]:
    """Each number once, in the order of the file. Raises ValueError for what is none."""
    typed = [text.strip() for text in found if text.strip()]
    return tuple(dict.fromkeys(ErpOrderNumber(text) for text in typed))


def _message(found: Sequence[str]) -> str:
    lines = dict.fromkeys(" ".join(text.split()) for text in found)
    return " ".join(line for line in lines if line)[:_LONGEST_MESSAGE] or NO_REASON
