"""What people decided, kept for whoever asks later: who, when, why, and about which records.

An entry is written in the transaction of what it tells. Where that happens outside the
state, in the mapping files, a crash could part both: there the entry comes first,
announced, and is settled afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Protocol


class RecordKind(Enum):
    """What a decision of a person may be about."""

    ORDER = "order"  # by the store's immutable order ID
    USER = "user"
    ORGANISATION = "organisation"
    CUSTOMER = "customer"
    APPLICATION = "application"
    MAPPING = "mapping"  # by the version that came of it
    PLAN = "plan"
    REQUEST = "request"


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One record that a decision was about: what it said before, and what it says since.

    Empty where it said nothing, or nothing of it changed.
    """

    kind: RecordKind
    key: str
    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """What a person did, when (UTC), why, and to which records.

    ``number`` is given by the state. ``more`` says how many records there are beside
    those given. ``begun``: whether it took effect is not known yet.
    """

    number: int
    at: datetime
    actor: str
    action: str
    subject: str
    reason: str
    records: tuple[AuditRecord, ...] = ()
    more: int = 0
    begun: bool = False


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Entries that meet all that is given. ``action`` also means all that begin so, up to
    a dot: ``order`` is ``order.replayed`` and ``order.dismissed``. ``since`` and ``until``
    are part of their range."""

    actor: str | None = None
    action: str | None = None
    record: tuple[RecordKind, str] | None = None
    since: datetime | None = None
    until: datetime | None = None


class Audit(Protocol):
    """What people did: appended, and never changed."""

    def note(
        self,
        actor: str,
        action: str,
        subject: str,
        reason: str,
        now: datetime,
        records: Iterable[AuditRecord] = (),
        *,
        begun: bool = False,
    ) -> int:
        """Append an entry, in the transaction of what it tells; its number.

        ``begun`` announces what is about to be done outside the state, where a crash may
        part both. To be followed by ``settle`` once it is done, by ``withdraw`` where it is
        known that it is not, and by nobody's silence: whoever comes next asks ``announced``.
        """
        ...

    def settle(self, number: int, remark: str = "") -> bool:
        """It was done; False where that was known. ``remark`` is added to its subject."""
        ...

    def withdraw(self, number: int) -> bool:
        """It was announced and never done; False for one that is settled."""
        ...

    def announced(self) -> Sequence[AuditEntry]:
        """Those of which nobody knows yet whether they were done, oldest first."""
        ...

    def entries(
        self,
        wanted: AuditFilter = AuditFilter(),
        *,
        before: int | None = None,
        limit: int = 50,
        records: int = 20,
    ) -> Sequence[AuditEntry]:
        """Newest first, at most ``limit``, each with at most ``records`` of its records.

        ``before``: only those that come after the entry with this number in that order.
        Reads no more than it gives, as long as the filter names no rare thing.
        """
        ...

    def actions(self) -> Sequence[str]:
        """What was ever noted, by name."""
        ...

    def actors(self) -> Sequence[str]:
        """Who ever did something that was noted, by name."""
        ...
