"""``files:`` of a profile after it has been read and found sound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from re import Pattern

from erp_adapters.sql.file_drop.names import AnswerName, FileName
from erp_adapters.sql.profile_model import Bound, Place


class Quoting(Enum):
    """Which values stand in quotes: those that need it, all, or none ever."""

    MINIMAL = "minimal"
    ALL = "all"
    NEVER = "never"


class WhiteSpace(Enum):
    """What becomes of tabs and line breaks inside a value."""

    KEEP = "keep"
    SPACE = "space"


class Whole(Enum):
    """How to tell that the ERP has finished writing an answer."""

    FINAL_NEWLINE = "final_newline"
    SETTLED = "settled"
    AT_ONCE = "at_once"


@dataclass(frozen=True, slots=True)
class Format:
    """How rows become bytes. ``column_names``: the first row names the columns."""

    separator: str = ","
    quote: str = '"'
    quoting: Quoting = Quoting.MINIMAL
    encoding: str = "utf-8"
    line_end: str = "\r\n"
    decimal_point: str = "."
    white_space: WhiteSpace = WhiteSpace.KEEP
    column_names: bool = False


@dataclass(frozen=True, slots=True)
class Folders:
    """Paths, relative to the folder of the site's options."""

    imports: str
    sent: str
    refused: str
    answers: str | None = None
    processed: str | None = None


@dataclass(frozen=True, slots=True)
class DropFile:
    """One file of an order: a row for the order, or one for each of ``for_each``."""

    name: str
    file_name: FileName
    columns: tuple[str, ...]
    place: Place
    bind: Mapping[str, Bound] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    for_each: str | None = None
    wrap: int | None = None

    @property
    def fields(self) -> frozenset[str]:
        return frozenset(bound.field for bound in self.bind.values())

    @property
    def when_present(self) -> tuple[str, ...]:
        return ()

    @property
    def when_absent(self) -> tuple[str, ...]:
        return ()


@dataclass(frozen=True, slots=True)
class ByText:
    """An answer told by its text. ``taken`` may name an ``order_number``, ``refused``
    a ``message``; ``taken`` is looked for first."""

    taken: Pattern[str] | None
    refused: Pattern[str] | None


@dataclass(frozen=True, slots=True)
class ByColumns:
    """An answer told by its columns, row by row.

    A row says taken where every column of ``taken`` holds one of its words; in
    the same way refused. ``number`` and ``message`` name columns.
    """

    columns: tuple[str, ...]
    taken: Mapping[str, frozenset[str]]
    refused: Mapping[str, frozenset[str]]
    number: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class AnswerForm:
    """One kind of answer file. ``folder`` is where the ERP leaves it."""

    file_name: AnswerName
    folder: str
    reading: ByText | ByColumns
    whole: Whole = Whole.FINAL_NEWLINE


@dataclass(frozen=True, slots=True)
class FileDrop:
    """Everything that ``files:`` says. The last of ``files`` lets the ERP begin."""

    folders: Folders
    format: Format
    files: tuple[DropFile, ...]
    answers: tuple[AnswerForm, ...] = ()
    answer_alarm_after_s: float = 3600.0
    settle_s: float = 5.0

    @property
    def last(self) -> DropFile:
        return self.files[-1]

    @property
    def answer_folders(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(form.folder for form in self.answers))
