"""What each step makes of a registration. Pure: who asks is told what may not be."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from sync.domain.account import Account, AccountStatus
from sync.domain.candidates import is_another
from sync.domain.decision import Problem
from sync.domain.ids import CustomerId, IdempotencyKey, OrganisationId
from sync.domain.mapping import SyncMapping
from sync.domain.registration import (
    AccountKind,
    Application,
    ApprovedAs,
    RegistrationNotice,
    kind_of,
    may_move,
    missing_details,
    missing_documents,
    status_by_what_is_missing,
)
from sync.errors import Rejected
from sync.ports.registrations import ENDED, RegistrationEntry, Stage

S = AccountStatus
REVIEWS = (S.UNDER_REVIEW, S.VERIFICATION_1, S.VERIFICATION_2, S.VERIFICATION_3, S.VERIFICATION_4)
"""The statuses that staff set by hand."""

CHANNEL_UNKNOWN = "channel_unknown"
ANOTHER_USER = "another_user"
_JUDGED = (CHANNEL_UNKNOWN, ANOTHER_USER)
"""Problems that the application itself, or a file, puts right."""


def taken_up(
    held: RegistrationEntry | None, application: Application, now: datetime
) -> RegistrationEntry:
    """The entry after the store showed the application; the same one if that is no news.

    What was approved stays as it was approved. One that is over begins anew where
    it was handed in again later, but for an active one, which stays active.
    """
    if held is None:
        return RegistrationEntry(
            application.application_id, application, Stage.OPEN, S.PROSPECT, now, now
        )
    if application == held.application:
        return held
    again = application.submitted_at > held.application.submitted_at
    if held.stage is Stage.OPEN:
        return replace(held, application=application)
    if held.stage is Stage.ACTIVE and again:
        return replace(held, application=application, settled=False)
    if held.stage in (Stage.REJECTED, Stage.PERSONAL) and again:
        fresh = RegistrationEntry(
            held.application_id, application, Stage.OPEN, S.PROSPECT, held.first_seen_at, now
        )
        return replace(fresh, registrant=held.registrant, version=held.version)
    return held


def judged(entry: RegistrationEntry, mapping: SyncMapping) -> RegistrationEntry:
    """An open entry with what it lacks, and the status that follows from that."""
    if entry.stage is not Stage.OPEN:
        return entry
    application = entry.application
    channel = mapping.channels.get(application.channel)
    if channel is None:
        return replace(entry, problem=_channel_unknown(application))
    kind = kind_of(application, channel)
    details = missing_details(application, kind)
    documents = _missing_documents(entry, kind, mapping)
    status = status_by_what_is_missing(
        entry.status, details, documents, requested=bool(entry.requested)
    )
    if kind is not AccountKind.BUSINESS:
        status = S.PROSPECT
    missing = (*details, *documents)
    problem = _another_user(entry) or (None if _held_up(entry) else entry.problem)
    return replace(entry, kind=kind, missing=missing, status=status, problem=problem)


def _held_up(entry: RegistrationEntry) -> bool:
    return entry.problem is not None and entry.problem.code in _JUDGED


def _another_user(entry: RegistrationEntry) -> Problem | None:
    """Nobody's organisation is handed over by a field of a form that changed."""
    named, made = entry.application.web_user, entry.registrant
    if named is None or made is None or named == made.web_user:
        return None
    return Problem(
        ANOTHER_USER,
        f"It names user {named} now, and was taken up for {made.web_user}.",
        f"Put {made.web_user} back into the application; or reject it, and have {named} hand in"
        " one of their own.",
        "TL-5",
    )


def _missing_documents(
    entry: RegistrationEntry, kind: AccountKind | None, mapping: SyncMapping
) -> tuple[str, ...]:
    if kind is not AccountKind.BUSINESS:
        return ()
    application = entry.application
    required = mapping.required_documents.of(application.country, application.region)
    return missing_documents(application, required, entry.requested, entry.looked)


def makes_registrant(entry: RegistrationEntry) -> AccountKind | None:
    """What must be made in the store now; None where nothing must.

    A business's people exist from its request on (TL-5); a person's account
    comes when its form is complete.
    """
    if entry.stage is not Stage.OPEN or _held_up(entry):
        return None
    if entry.kind is AccountKind.BUSINESS:
        return entry.kind if entry.organisation is None else None
    if entry.kind is AccountKind.PERSONAL and not entry.missing:
        return entry.kind
    return None


def notice_of(entry: RegistrationEntry) -> RegistrationNotice | None:
    """What the store is to show; None where there is nothing to say yet."""
    at = entry.application.submitted_at
    match entry.stage:
        case Stage.OPEN if entry.kind is None and not entry.missing:
            return None
        case Stage.OPEN:
            return RegistrationNotice(
                at, entry.status, missing=entry.missing, message=_message(entry)
            )
        case Stage.REJECTED:
            return RegistrationNotice(at, S.PROSPECT, rejected=True, message=entry.message)
        case Stage.PERSONAL:
            return RegistrationNotice(at)
        case Stage.ACTIVE:
            return RegistrationNotice(at, S.ACTIVE)
    return RegistrationNotice(at, S.APPROVED)


def refused_documents(entry: RegistrationEntry) -> tuple[str, ...]:
    """Documents handed in that do not count by their content, with the reason; of many some."""
    refused = [each for each in entry.looked if each.refusal is not None]
    told = [f"{each.document.kind_said}: {each.refusal}" for each in refused[:TOLD]]
    if len(refused) > TOLD:
        told.append(f"{len(refused) - TOLD} more files do not count either")
    return tuple(told)


def _message(entry: RegistrationEntry) -> str | None:
    """What staff say, and what is wrong about the files, for the applicant."""
    refused = [f"{each}. {ANOTHER_FILE}" for each in refused_documents(entry)]
    return "\n".join([*([entry.message] if entry.message else []), *refused]) or None


TOLD = 20
"""Refused files of one application that are named: whoever hands in a thousand knows why."""
ANOTHER_FILE = "Please hand it in again as a PDF, PNG or JPEG, under its own type."


# --- What staff decide ---


def with_request(
    entry: RegistrationEntry, kinds: Iterable[str], message: str | None
) -> RegistrationEntry:
    """Staff ask for documents beyond those that are required."""
    _must_be_open(entry, "documents can be requested")
    asked = tuple(dict.fromkeys(kinds))
    lacking = missing_documents(entry.application, (), asked, entry.looked)
    if not lacking:
        raise Rejected(
            f"application {entry.application_id}: {', '.join(asked)} was handed in already",
            code="documents_handed_in",
            remedy=f"look at it: tradesync registrations show {entry.application_id}",
        )
    details = missing_details(entry.application, entry.kind)
    return replace(
        entry,
        requested=tuple(dict.fromkeys((*entry.requested, *asked))),
        missing=tuple(dict.fromkeys((*entry.missing, *lacking))),
        status=S.PROSPECT if details else S.DOCUMENTS_PENDING,
        message=message,
    )


def in_review(entry: RegistrationEntry, status: AccountStatus) -> RegistrationEntry:
    """Staff take it in hand, or further: under review, then verification 1 to 4."""
    _must_be_open(entry, "it can be reviewed")
    if status not in REVIEWS or not may_move(entry.status, status):
        raise Rejected(
            f"application {entry.application_id} cannot go from {words(entry.status)}"
            f" to {words(status)}",
            code="step_not_allowed",
            remedy="a review goes forward: under review, then verification 1 to 4",
        )
    return replace(entry, status=status)


def approved(
    entry: RegistrationEntry,
    approval: ApprovedAs,
    actor: str,
    reason: str,
    *,
    despite_missing: bool = False,
) -> RegistrationEntry:
    """Staff approve it, as a customer of the ERP's or as one to be made.

    May be decided anew while nothing of the first decision was carried out.
    """
    if entry.stage is not Stage.APPROVED:
        _must_be_open(entry, "it can be approved")
    if entry.organisation is None:
        raise Rejected(
            f"application {entry.application_id} has no organisation in the store yet",
            code="no_organisation",
            remedy="let the next run of registrations make it: tradesync resync registrations",
        )
    another = _another_user(entry)
    if another is not None:
        raise Rejected(another.sentence, code=another.code, remedy=another.remedy)
    details = set(missing_details(entry.application, AccountKind.BUSINESS))
    missing = [each for each in entry.missing if each in details or not despite_missing]
    if missing:
        raise Rejected(
            f"application {entry.application_id} lacks {', '.join(missing)}",
            code="something_missing",
            remedy="wait for it; missing documents can be passed over with --despite-missing",
        )
    return replace(
        entry,
        stage=Stage.APPROVED,
        status=S.APPROVED,
        missing=(),
        message=None,
        approved_as=approval,
        approved_by=actor,
        approval_reason=reason,
        problem=None,
    )


def rejected(
    entry: RegistrationEntry, message: str | None, *, unmapped: bool = False
) -> RegistrationEntry:
    """Staff reject it. ``unmapped``: no mapping file names a customer for it (any more)."""
    over = entry.stage in (Stage.CUSTOMER_KNOWN, Stage.MAPPED)
    if over and not unmapped:
        raise Rejected(
            f"application {entry.application_id} is mapped to customer {entry.customer_id}",
            code="mapped_already",
            remedy=f"tradesync unmap --organisation {entry.organisation} --reason ...,"
            " then reject it",
        )
    if entry.stage is Stage.CREATING:
        raise Rejected(
            f"application {entry.application_id}: the ERP was asked for a customer, and may have"
            " one",
            code="customer_under_way",
            remedy="wait until it is known: tradesync resync registrations",
        )
    if entry.stage is Stage.MAPPING:
        raise Rejected(
            f"application {entry.application_id} is being mapped to customer {entry.customer_id}",
            code="mapping_under_way",
            remedy="wait until it is mapped: tradesync resync registrations",
        )
    if not over and entry.stage is not Stage.APPROVED:
        _must_be_open(entry, "it can be rejected")
    return replace(
        entry,
        stage=Stage.REJECTED,
        status=S.PROSPECT,
        missing=(),
        requested=(),
        message=message,
        approved_as=None,
        approved_by=None,
        approval_reason=None,
        customer_id=None,
        problem=None,
        settled=False,
    )


def _must_be_open(entry: RegistrationEntry, what: str) -> None:
    if entry.stage is not Stage.OPEN:
        raise Rejected(
            f"application {entry.application_id} is {words(entry.stage)}: {what} only before that",
            code="not_open",
            remedy=f"see what became of it: tradesync registrations show {entry.application_id}",
        )


def words(value: AccountStatus | Stage) -> str:
    return value.name.lower().replace("_", " ")


@dataclass(frozen=True, slots=True)
class NextStep:
    """What a registration waits for, and how it goes on: a person's hand, or a run."""

    waits_for: str
    way_on: str


_APPLICANT = (
    "they hand in what is missing; staff can pass missing documents over (approve"
    " --despite-missing), or reject it"
)
_RUN = "the next run of registrations, or now: tradesync resync registrations"


def next_step(entry: RegistrationEntry) -> NextStep | None:
    """Of one without a problem; None where it is over."""
    match entry.stage:
        case Stage.OPEN if entry.missing:
            return NextStep("the applicant", _APPLICANT)
        case Stage.OPEN if entry.kind is AccountKind.BUSINESS and entry.organisation is not None:
            return NextStep("staff", "approve it (--link CUSTOMER_ID or --create), or reject it")
        case Stage.MAPPED:
            what = f"its line in the mapping to be in force, and customer {entry.customer_id}"
            return NextStep(f"{what} to be usable in the ERP", _RUN)
        case _ if entry.stage not in ENDED:
            return NextStep("a run that carries it on", _RUN)
    return None


# --- What the systems say of an approved one ---


def asked_for(
    entry: RegistrationEntry, key: IdempotencyKey, look_again_at: datetime
) -> RegistrationEntry:
    """Before the ERP is asked: from here on it may have the customer."""
    return replace(entry, stage=Stage.CREATING, key=key, look_again_at=look_again_at, problem=None)


def with_customer(entry: RegistrationEntry, customer_id: CustomerId) -> RegistrationEntry:
    return replace(
        entry,
        stage=Stage.CUSTOMER_KNOWN,
        customer_id=customer_id,
        look_again_at=None,
        problem=None,
    )


def refused_by_erp(entry: RegistrationEntry, error: Rejected) -> RegistrationEntry:
    """The ERP surely made none: a person decides anew."""
    problem = Problem(error.code, str(error), error.remedy, "VE-9")
    return replace(entry, stage=Stage.APPROVED, look_again_at=None, problem=problem)


def why_another(application: Application, account: Account) -> Problem | None:
    """What speaks against that the customer found under its key is the applicant's."""
    if not is_another(application, account.name, account.tax_id):
        return None
    told = f"{account.name}, tax ID {account.tax_id or 'not told'}"
    return Problem(
        "customer_is_another",
        f"The ERP has customer {account.customer_id} ({told}) under its key: not the applicant.",
        "Approve it with a customer that is theirs (--link), or reject it.",
        "VE-9",
    )


def not_taken(entry: RegistrationEntry) -> RegistrationEntry:
    """What the ERP has under its key is another's: a person decides anew."""
    return replace(entry, stage=Stage.APPROVED, look_again_at=None)


def mapped_otherwise(organisation: OrganisationId, held: CustomerId) -> Problem:
    return Problem(
        "mapped_otherwise",
        f"Organisation {organisation} stands for customer {held} in the mapping files.",
        "Correct the mapping files (tradesync map); or take it out of them, then reject it.",
        "VE-9",
    )


def why_no_link(customer_id: CustomerId, mapping: SyncMapping) -> Problem | None:
    """What forbids that anybody is linked to this customer."""
    if customer_id not in mapping.retail_groups:
        return None
    return Problem(
        "retail_group_as_individual",
        f"Customer {customer_id} is a retail group, which strangers share.",
        "Approve it with a customer of its own.",
        "WA-2b",
    )


def _channel_unknown(application: Application) -> Problem:
    return Problem(
        CHANNEL_UNKNOWN,
        f"Channel {application.channel} is not declared.",
        "Declare the channel in channels.yaml.",
        "TL-4",
    )
