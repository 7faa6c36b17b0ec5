"""What staff do with registrations (VE-9), for the command line and the console alike.

Every action is one transaction: the entry moves, its history says who did it and
why, and so does the audit trail. What follows from an approval is done by the
flow ``registrations``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from sync.domain.account import AccountStatus
from sync.domain.candidates import Candidate, candidates, search_for
from sync.domain.ids import ApplicationId, CustomerId
from sync.domain.registration import (
    ApprovedAs,
    CreateCustomer,
    LinkCustomer,
    why_unusable,
)
from sync.errors import Conflict, Rejected
from sync.flows.context import Context, files_of, needs
from sync.mapping_check import Doubts, doubts_if_told
from sync.planning.registrations import (
    approved,
    in_review,
    rejected,
    why_no_link,
    with_request,
    words,
)
from sync.ports.audit import AuditRecord, RecordKind
from sync.ports.erp import CreatesCustomers, FindsCustomers, ReadsAccounts
from sync.ports.registrations import Happened, RegistrationEntry, Stage
from sync.ports.state import LedgerEvent
from sync.remapping import with_mapping

Step = Callable[[RegistrationEntry], RegistrationEntry]


@dataclass(frozen=True, slots=True)
class Detail:
    """One registration with all that helps to decide it.

    ``candidates`` None: the ERP cannot be searched, or was not asked; none where its customer
    is known.
    """

    entry: RegistrationEntry
    history: Sequence[LedgerEvent]
    candidates: Sequence[Candidate] | None = None


@dataclass(frozen=True, slots=True)
class Approved:
    """What was approved, and what is doubtful about the line that the mapping files get of it.

    There are none of a customer that is still to be made.
    """

    entry: RegistrationEntry
    doubts: Doubts = field(default_factory=Doubts)


@dataclass(frozen=True, slots=True)
class RegistrationDesk:
    """Staff's side of registrations. With ``dry_run`` everything is judged and nothing kept."""

    context: Context
    actor: str
    dry_run: bool = False

    def entries(self, stages: Collection[Stage] = ()) -> Sequence[RegistrationEntry]:
        """Newest change first; no stages: all of them."""
        with self.context.state.transaction() as state:
            return state.registrations.entries(stages)

    def count(self, stages: Collection[Stage]) -> int:
        """How many are in one of these."""
        with self.context.state.transaction() as state:
            return state.registrations.count(stages)

    def show(self, application_id: ApplicationId, *, search: bool = True) -> Detail:
        """With the customers that it may be already, if the ERP can be searched."""
        with self.context.state.transaction() as state:
            entry = state.registrations.entry(application_id)
            history = state.registrations.history(application_id)
        if entry is None:
            raise _unknown(application_id)
        return Detail(entry, history, self._candidates(entry) if search else None)

    def request_documents(
        self,
        application_id: ApplicationId,
        kinds: Sequence[str],
        reason: str,
        message: str | None = None,
        *,
        seen: int | None = None,
    ) -> RegistrationEntry:
        """Ask for documents beyond those that are required; ``message`` is for the applicant."""

        def step(entry: RegistrationEntry) -> RegistrationEntry:
            return with_request(entry, kinds, message)

        return self._take(
            application_id, step, "documents_requested", ", ".join(kinds), reason, seen
        )

    def review(
        self,
        application_id: ApplicationId,
        status: AccountStatus,
        reason: str,
        *,
        seen: int | None = None,
    ) -> RegistrationEntry:
        """Take it in hand: under review, then verification 1 to 4."""

        def step(entry: RegistrationEntry) -> RegistrationEntry:
            return in_review(entry, status)

        return self._take(application_id, step, "reviewed", words(status), reason, seen)

    def approve(
        self,
        application_id: ApplicationId,
        approval: ApprovedAs,
        reason: str,
        *,
        despite_missing: bool = False,
        anyway: bool = False,
        seen: int | None = None,
    ) -> Approved:
        """Approve it as a customer that the ERP has, or as one to be made.

        Raises Rejected for a customer that nobody may be linked to, and for one that the
        ERP does not have, unless ``anyway``: then it waits until the ERP has it. So it is
        with an organisation that the store does not have. Raises Misconfigured where the
        ERP makes no customers, or the mapping files are refused.
        """
        before, seen = self._as_seen(application_id, seen)
        what = self._possible(approval)
        doubts = self._doubts(before, approval, anyway=anyway)
        if doubts.lacking:
            what += f", although {'; '.join(each.said for each in doubts.lacking)}"

        def step(entry: RegistrationEntry) -> RegistrationEntry:
            return approved(entry, approval, self.actor, reason, despite_missing=despite_missing)

        entry = self._take(application_id, step, "approved", what, reason, seen)
        return Approved(entry, doubts)

    def reject(
        self,
        application_id: ApplicationId,
        reason: str,
        message: str | None = None,
        *,
        seen: int | None = None,
    ) -> RegistrationEntry:
        """Reject it; it may be handed in again. ``message`` is for the applicant."""
        before, seen = self._as_seen(application_id, seen)
        files = self.context.assignments
        organisation = before.organisation if before is not None else None
        unmapped = organisation is None or (
            files is not None and files.assignment_of(organisation) is None
        )

        def step(entry: RegistrationEntry) -> RegistrationEntry:
            return rejected(entry, message, unmapped=unmapped)

        return self._take(application_id, step, "rejected", "", reason, seen)

    def _as_seen(
        self, application_id: ApplicationId, seen: int | None
    ) -> tuple[RegistrationEntry | None, int | None]:
        """The entry before files and systems are read about it, and the version to be decided.

        What moves while they are read is not decided by what they said.
        """
        with self.context.state.transaction() as state:
            before = state.registrations.entry(application_id)
        if seen is None and before is not None:
            seen = before.version
        return before, seen

    def _doubts(
        self, entry: RegistrationEntry | None, approval: ApprovedAs, *, anyway: bool
    ) -> Doubts:
        """As ``tradesync map`` has them. Raises Rejected where it names nobody, as that does."""
        if entry is None or entry.organisation is None or not isinstance(approval, LinkCustomer):
            return Doubts()
        organisation, customer_id = entry.organisation, approval.customer_id
        wanted = files_of(self.context).with_assignment(organisation, customer_id)
        assignment = next(
            each
            for each in wanted.assignments
            if each.organisation == organisation and each.user is None
        )
        doubts = doubts_if_told(with_mapping(self.context, wanted), assignment)
        if not anyway:
            what = f"organisation {organisation} -> {customer_id}"
            doubts.refuse_nobody(what, dry_run=self.dry_run)
        return doubts

    def _possible(self, approval: ApprovedAs) -> str:
        """What it comes to, in words. Raises where it cannot come to anything."""
        if isinstance(approval, CreateCustomer):
            needs(self.context.erp, CreatesCustomers, self.context.erp.capabilities.name)
            return "a new customer"
        return self._linked(approval)

    def _linked(self, approval: LinkCustomer) -> str:
        customer_id = approval.customer_id
        forbidden = why_no_link(customer_id, self.context.mapping)
        if forbidden is not None:
            raise Rejected(forbidden.sentence, code=forbidden.code, remedy=forbidden.remedy)
        erp = needs(self.context.erp, ReadsAccounts, "the ERP")
        account = self.context.retrying()(erp.accounts, [customer_id]).get(customer_id)
        if account is None:
            return f"customer {customer_id}"
        why = why_unusable(account)
        told = f"customer {customer_id} ({account.name})"
        return f"{told}, which {why} in the ERP" if why is not None else told

    def _candidates(self, entry: RegistrationEntry) -> Sequence[Candidate] | None:
        erp = self.context.erp
        if entry.customer_id is not None:
            return ()  # nobody asks any more whose it is; the one made of it would look alike
        if not isinstance(erp, FindsCustomers):
            return None
        sought = search_for(entry.application)
        matches = self.context.retrying()(erp.customers_like, sought)
        return candidates(sought, matches, self.context.mapping.retail_groups)

    def _take(
        self,
        application_id: ApplicationId,
        step: Step,
        event: str,
        what: str,
        reason: str,
        seen: int | None,
    ) -> RegistrationEntry:
        now = self.context.clock.now()
        with self.context.state.transaction() as state:
            before = state.registrations.entry(application_id)
            if before is None:
                raise _unknown(application_id)
            if seen is not None and seen != before.version:
                raise Conflict(f"application {application_id} has changed since it was shown")
            after = step(before)
            if self.dry_run:
                return after
            if after.stage is Stage.APPROVED and before.missing:
                what = f"{what}, without {', '.join(before.missing)}"
            detail = ": ".join(each for each in (what, reason) if each)
            kept = state.registrations.save(after, Happened(event, self.actor, detail), now)
            subject = f"application {application_id}" + (f", {what}" if what else "")
            records = _about(before, kept)
            state.audit.note(self.actor, f"registration.{event}", subject, reason, now, records)
        return kept


def customer_of(entry: RegistrationEntry) -> CustomerId | None:
    """The customer that it is linked to, or is to be."""
    if entry.customer_id is not None:
        return entry.customer_id
    return entry.approved_as.customer_id if isinstance(entry.approved_as, LinkCustomer) else None


def _about(before: RegistrationEntry, after: RegistrationEntry) -> list[AuditRecord]:
    """The application as it stood and stands, its organisation, and the customer it is to be."""
    stood, stands = (f"{each.stage.value}: {words(each.status)}" for each in (before, after))
    key = after.application_id.value
    records = [AuditRecord(RecordKind.APPLICATION, key, stood, stands)]
    if after.organisation is not None:
        records.append(AuditRecord(RecordKind.ORGANISATION, after.organisation.value))
    customer = customer_of(after)
    if customer is not None:
        records.append(AuditRecord(RecordKind.CUSTOMER, customer.value))
    return records


def _unknown(application_id: ApplicationId) -> Rejected:
    return Rejected(
        f"no application {application_id} was taken up",
        code="application_unknown",
        remedy="see which there are: tradesync registrations list",
    )
