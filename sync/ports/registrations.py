"""Registrations as the daemon remembers them, and how an approval reaches the mapping.

An entry walks open -> approved -> creating -> customer known -> mapping -> mapped
-> active, or aside to rejected, or to personal where no business was registered. Each step
is kept before or after exactly one write to another system, so that whoever
finds an entry after a crash knows what may have been done.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from sync.domain.account import AccountStatus
from sync.domain.decision import Problem
from sync.domain.ids import ApplicationId, CustomerId, IdempotencyKey, OrganisationId
from sync.domain.registration import (
    AccountKind,
    Application,
    ApprovedAs,
    LookedAt,
    Registrant,
)

if TYPE_CHECKING:
    from sync.domain.mapping import SyncMapping
    from sync.ports.state import LedgerEvent


class Stage(Enum):
    """How far a registration is.

    CREATING: the ERP was asked for a customer, and may have one. CUSTOMER_KNOWN:
    its customer ID is known, and not written into the mapping yet. MAPPING: it is
    being written, and may be there. MAPPED: it is there; the ERP and the mapping in
    force decide when it is active.
    """

    OPEN = "open"
    APPROVED = "approved"
    CREATING = "creating"
    CUSTOMER_KNOWN = "customer_known"
    MAPPING = "mapping"
    MAPPED = "mapped"
    ACTIVE = "active"
    REJECTED = "rejected"
    PERSONAL = "personal"


ENDED = frozenset({Stage.ACTIVE, Stage.REJECTED, Stage.PERSONAL})


@dataclass(frozen=True, slots=True)
class RegistrationEntry:
    """Everything known about one registration.

    ``status`` is that of VE-3, 0 to 9. ``application`` is as it was last handed
    in, from the approval on as it was approved. ``kind`` is what it makes, None
    while it does not say. ``missing`` are details and documents, ``requested``
    what staff asked for beyond those that are required. ``message`` is for the
    applicant. ``key`` is the ERP's external reference of the customer that was
    asked for, ``look_again_at`` when it is looked for if no answer came. ``looked``
    are the documents whose files were looked at, as of when it was last open. ``problem``
    waits for a person. ``settled``: the store was told how it ended. ``version`` counts
    what was saved; 0 is new.
    """

    application_id: ApplicationId
    application: Application
    stage: Stage
    status: AccountStatus
    first_seen_at: datetime
    changed_at: datetime
    kind: AccountKind | None = None
    missing: tuple[str, ...] = ()
    requested: tuple[str, ...] = ()
    message: str | None = None
    registrant: Registrant | None = None
    approved_as: ApprovedAs | None = None
    approved_by: str | None = None
    approval_reason: str | None = None
    customer_id: CustomerId | None = None
    key: IdempotencyKey | None = None
    look_again_at: datetime | None = None
    problem: Problem | None = None
    settled: bool = False
    version: int = 0
    looked: tuple[LookedAt, ...] = ()

    @property
    def organisation(self) -> OrganisationId | None:
        return self.registrant.organisation if self.registrant else None


@dataclass(frozen=True, slots=True)
class Happened:
    """One step of a registration: what, who, and why."""

    event: str
    actor: str
    detail: str = ""


class Registrations(Protocol):
    def entry(self, application_id: ApplicationId) -> RegistrationEntry | None: ...

    def entries(
        self, stages: Collection[Stage] = (), limit: int | None = None
    ) -> Sequence[RegistrationEntry]:
        """Newest change first; no stages: all of them."""
        ...

    def count(self, stages: Collection[Stage]) -> int:
        """How many are in one of these; none of them is read."""
        ...

    def unsettled(self) -> Sequence[ApplicationId]:
        """Those that are not over, or of which the store does not know yet; longest known first."""
        ...

    def save(
        self, entry: RegistrationEntry, happened: Happened, now: datetime
    ) -> RegistrationEntry:
        """Keep the entry in place of the version that it was made of, and what happened.

        Gives it as it is kept. Raises Conflict where it moved since it was read.
        """
        ...

    def history(self, application_id: ApplicationId) -> Sequence[LedgerEvent]:
        """Oldest first."""
        ...


class AssignsCustomers(Protocol):
    """The mapping files, for what an approval writes into them."""

    def assignment_of(self, organisation: OrganisationId) -> CustomerId | None:
        """Whom the files say that the organisation orders for. Raises Misconfigured, TryLater."""
        ...

    def with_assignment(self, organisation: OrganisationId, customer_id: CustomerId) -> SyncMapping:
        """What the files would be if they said so too; nothing is written.

        Raises what ``put_assignment`` would raise of them.
        """
        ...

    def put_assignment(
        self, organisation: OrganisationId, customer_id: CustomerId, actor: str, reason: str
    ) -> tuple[str, str]:
        """Let the files say so, if they do not; with an entry of the audit trail.

        Gives the versions of the files before and after, which are the same where they
        said so already.

        Raises Rejected where they name another customer for it, Misconfigured
        where they cannot be edited, and Conflict where a person saves them at
        this moment; nothing is changed then.
        """
        ...
