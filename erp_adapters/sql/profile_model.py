"""A profile after it has been read and found sound: statements, steps and facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from erp_adapters.sql.catalogue import Kind, Read
from erp_adapters.sql.statement import Statement
from sync.errors import Misconfigured
from sync.ports.erp import ErpCapabilities

if TYPE_CHECKING:
    from erp_adapters.sql.file_drop.model import FileDrop

DEFAULT = "default"
ORDER_NUMBER = "order_number"
CREDIT_NUMBER = "credit_number"
LAST_INSERT_ID = "last_insert_id"


class Storage(Enum):
    """How the database keeps a value, where the profile says so."""

    TEXT = "text"
    INTEGER = "integer"
    UUID = "uuid"
    DECIMAL = "decimal"
    DATE = "date"
    DATETIME = "datetime"
    BOOL = "bool"


@dataclass(frozen=True, slots=True)
class StoredAs:
    """A type of the profile. ``zone`` None: the ERP's; ``aware``: with its zone."""

    storage: Storage
    places: int | None = None
    format: str | None = None
    zone: ZoneInfo | None = None
    aware: bool = False


Table = Mapping[str | None, str]
"""Words of one side -> words of the other; the key None stands for NULL."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands in the profile, for messages."""

    path: Path
    line: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


@dataclass(frozen=True, slots=True)
class Variants:
    """One thing for each dialect, or one for all."""

    by_dialect: Mapping[str, Statement]

    def of(self, dialect: str) -> Statement | None:
        return self.by_dialect.get(dialect) or self.by_dialect.get(DEFAULT)


@dataclass(frozen=True, slots=True)
class ReadStatement:
    """One entry of ``reads:`` with everything that was said for it anywhere."""

    read: Read
    sql: Variants
    place: Place
    types: Mapping[str, StoredAs] = field(default_factory=dict)
    values: Mapping[str, Table] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.read.name


@dataclass(frozen=True, slots=True)
class Bound:
    """A parameter of a step: which field it takes, and how that is stored."""

    field: str
    kind: Kind
    stored: StoredAs | None = None
    values: Table | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One entry of ``steps:``. ``capture``: dialect -> name -> column."""

    name: str
    sql: Variants
    place: Place
    bind: Mapping[str, Bound] = field(default_factory=dict)
    for_each: str | None = None
    when_present: tuple[str, ...] = ()
    when_absent: tuple[str, ...] = ()
    capture: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    expect_rows: int | None = None
    otherwise: str | None = None
    wrap: int | None = None
    fields: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        fields = frozenset(bound.field for bound in self.bind.values())
        object.__setattr__(self, "fields", fields)

    def captured(self, dialect: str) -> Mapping[str, str]:
        """Name -> column for that dialect."""
        return {
            name: columns.get(dialect) or columns[DEFAULT] for name, columns in self.capture.items()
        }


@dataclass(frozen=True, slots=True)
class Profile:
    """What tradesync knows of one kind of ERP database.

    ``capabilities`` lacks what only the settings and the statements tell: the
    time-out and the change feeds. An order is written in ``steps``, as
    ``files``, or not at all; ``cancel_steps`` cancel one that was written,
    ``credit_steps`` file what the store gave back of it. ``customer_steps`` make a
    customer. ``digest`` is another one as soon as a byte of the file is.
    """

    name: str
    description: str
    dialects: tuple[str, ...]
    path: Path
    capabilities: ErpCapabilities
    reads: Mapping[str, ReadStatement]
    steps: tuple[Step, ...] = ()
    not_kept: frozenset[str] = frozenset()
    files: FileDrop | None = None
    cancel_steps: tuple[Step, ...] = ()
    credit_steps: tuple[Step, ...] = ()
    customer_steps: tuple[Step, ...] = ()
    digest: bytes = b""

    @property
    def writes(self) -> bool:
        """Whether any step writes into the database."""
        every = (self.steps, self.cancel_steps, self.credit_steps, self.customer_steps)
        return any(every)

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.capabilities.time_zone)

    def require_dialect(self, dialect: str) -> None:
        """Raises Misconfigured where the profile was not written for it."""
        if dialect not in self.dialects:
            raise Misconfigured(
                f"profile {self.name} is written for {', '.join(self.dialects)},"
                f" and the database is {dialect}: add {dialect} to its dialects and check it"
            )


def dialect_name(name: str) -> str:
    """MariaDB speaks MySQL as far as a profile is concerned."""
    return "mysql" if name == "mariadb" else name
