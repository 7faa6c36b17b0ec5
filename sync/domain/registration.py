"""Registration: what somebody handed in, what it still lacks, and where it stands (TL-5, VE-9).

An application is the shop's word. Its status walks from prospect to approved
(VE-3) by what is missing and by what staff decide; active follows only where
the ERP calls the account usable. A rejection is an end of its own: the same
application may be handed in again, and begins anew.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from types import MappingProxyType

from sync.domain.account import Account, AccountStatus, IndividualAccount
from sync.domain.channel import Channel, CommerceMode, Registration
from sync.domain.document import MediaType
from sync.domain.ids import (
    ApplicationId,
    ChannelId,
    CustomerId,
    IdempotencyKey,
    OrganisationId,
    StoreId,
    WebUserId,
)
from sync.domain.times import utc


class AccountKind(Enum):
    """What somebody registers for: themselves, or a company that they then manage."""

    PERSONAL = "personal"
    BUSINESS = "business"


READABLE = frozenset({"application/pdf", "image/jpeg", "image/png", "image/tiff", "image/webp"})
"""The media types of a document that counts: a PDF or an image (VE-9)."""


@dataclass(frozen=True, slots=True)
class Document:
    """A document handed in: its kind, where it is kept, and what it is said to be.

    Nothing of it is trusted: somebody who is no customer yet has written it.
    """

    kind: str
    reference: str
    media_type: str | None = None

    @property
    def counts(self) -> bool:
        """Whether it is said to be kept somewhere as a PDF or an image."""
        return bool(self.reference.strip()) and (self.media_type or "").lower() in READABLE

    @property
    def claimed(self) -> str | None:
        """Its media type as it is said to be, bare; None where it is said to be just any file."""
        said = (self.media_type or "").partition(";")[0].strip().lower()
        if not said or said == "application/octet-stream":
            return None
        if not _MEDIA_TYPE.fullmatch(said):
            return "something that is no media type"
        return _ALSO_CALLED.get(said, said)

    @property
    def file_name(self) -> str:
        """The last part of the reference, with nothing in it that a terminal or page minds."""
        last = re.split(r"[/\\]", self.reference.partition("?")[0].strip())[-1]
        return re.sub(r"[^\w. -]+", "-", last)[-_LONGEST_NAME:].strip("-. ") or "without a name"

    @property
    def kind_said(self) -> str:
        """Its kind, on one line and with nothing in it that a terminal minds."""
        return "".join(each if each.isprintable() else "?" for each in self.kind[:_LONGEST_NAME])


_MEDIA_TYPE = re.compile(r"[a-z0-9.+-]{1,40}/[a-z0-9.+-]{1,80}")
_ALSO_CALLED = {"image/jpg": "image/jpeg", "application/x-pdf": "application/pdf"}
_LONGEST_NAME = 80


@dataclass(frozen=True, slots=True)
class LookedAt:
    """A document whose file was looked at: its type by the content, or why it is refused.

    ``version`` is the state of the file in which its content was judged, "" where it was not.
    """

    document: Document
    version: str
    found: MediaType | None = None
    refusal: str | None = None

    def __post_init__(self) -> None:
        if self.found is None and self.refusal is None:
            raise ValueError("a document that is neither refused nor of any type")

    @property
    def counts(self) -> bool:
        return self.refusal is None


def looked_at(document: Document, version: str, found: MediaType) -> LookedAt:
    """What the content of its file makes of it: one of another type than it claims is refused."""
    claimed = document.claimed
    refusal = None
    if claimed is not None and claimed != found.value:
        refusal = refusal_of(document, f"is {found.value} by its content")
    return LookedAt(document, version, found, refusal)


def refusal_of(document: Document, why: str) -> str:
    """The refusal of a file in words that applicant and staff may read."""
    said = f", said to be {document.claimed}," if document.claimed else ""
    return f"{file_said(document)}{said} {why}"


def file_said(document: Document) -> str:
    """Which file it is, as sentences have it."""
    return f"the file {document.file_name}"


@dataclass(frozen=True, slots=True)
class Application:
    """A registration as it was handed in; whatever was left empty is None.

    ``kind`` None: it does not say. ``web_user`` None: the person has no login yet.
    ``country`` is ISO 3166 alpha-2, ``region`` the state within it. A later
    ``submitted_at`` means that it was handed in again.
    """

    application_id: ApplicationId
    channel: ChannelId
    submitted_at: datetime
    kind: AccountKind | None = None
    web_user: WebUserId | None = None
    contact_name: str | None = None
    email: str | None = None
    phone: str | None = None
    company: str | None = None
    tax_id: str | None = None
    country: str | None = None
    region: str | None = None
    documents: tuple[Document, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "submitted_at", utc(self.submitted_at))


_EVERYBODY = ("contact_name", "email")
_COMPANIES = ("company", "tax_id", "country")


def kind_of(application: Application, channel: Channel) -> AccountKind | None:
    """What this registration makes on that channel (TL-5).

    On a b2b channel every user belongs to an organisation, on a b2c channel none
    does, whatever was asked for. A hybrid one that offers both goes by the
    application. None: it does not say.
    """
    match channel.mode, channel.registration:
        case (CommerceMode.B2B, _) | (CommerceMode.HYBRID, Registration.BUSINESS):
            return AccountKind.BUSINESS
        case (CommerceMode.B2C, _) | (CommerceMode.HYBRID, Registration.PERSONAL):
            return AccountKind.PERSONAL
    return application.kind


def missing_details(application: Application, kind: AccountKind | None) -> tuple[str, ...]:
    """Names of the fields that must still be filled in, in the order of the form."""
    wanted = _EVERYBODY + (_COMPANIES if kind is AccountKind.BUSINESS else ())
    lacking = ["kind"] if kind is None else []
    return (*lacking, *(name for name in wanted if not _given(getattr(application, name))))


def _given(value: str | None) -> bool:
    return value is not None and bool(value.strip())


@dataclass(frozen=True, slots=True)
class UnreadableApplication:
    """An application that the store shows, but that cannot be told as one."""

    reference: str
    problem: str


EVERYWHERE = "default"
"""The jurisdiction of those that have no entry of their own."""


@dataclass(frozen=True, slots=True)
class RequiredDocuments:
    """Which documents a business has to hand in, by jurisdiction.

    A jurisdiction is a country ("US"), a state of it ("US-CA"), or everywhere
    else. The most particular one that is written counts, alone.
    """

    by_jurisdiction: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        own = MappingProxyType(dict(self.by_jurisdiction))
        object.__setattr__(self, "by_jurisdiction", own)

    def of(self, country: str | None, region: str | None) -> tuple[str, ...]:
        """The kinds required of a company there."""
        where = (country or "").strip().upper()
        state = (region or "").strip().upper().removeprefix(f"{where}-")
        for jurisdiction in (f"{where}-{state}", where, EVERYWHERE):
            if jurisdiction in self.by_jurisdiction:
                return self.by_jurisdiction[jurisdiction]
        return ()


def missing_documents(
    application: Application,
    required: tuple[str, ...],
    requested: tuple[str, ...] = (),
    looked: Iterable[LookedAt] = (),
) -> tuple[str, ...]:
    """Kinds that are required there, or that staff asked for, and were not handed in.

    A file that was looked at counts by its content, any other by what it is said to be.
    """
    judged = {each.document: each for each in looked}
    there = {each.kind for each in application.documents if judged.get(each, each).counts}
    return tuple(kind for kind in dict.fromkeys((*required, *requested)) if kind not in there)


# --- The walk (VE-3) ---

S = AccountStatus
_VERIFICATION = (S.VERIFICATION_1, S.VERIFICATION_2, S.VERIFICATION_3, S.VERIFICATION_4)
_IN_HAND = (S.UNDER_REVIEW, *_VERIFICATION)

STEPS: Mapping[AccountStatus, frozenset[AccountStatus]] = MappingProxyType(
    {
        S.PROSPECT: frozenset({S.APPLIED, S.DOCUMENTS_PENDING, *_IN_HAND, S.APPROVED}),
        # Who takes a detail out again is a prospect again.
        S.APPLIED: frozenset({S.PROSPECT, S.DOCUMENTS_PENDING, *_IN_HAND, S.APPROVED}),
        S.DOCUMENTS_PENDING: frozenset({S.PROSPECT, S.APPLIED, *_IN_HAND, S.APPROVED}),
        S.UNDER_REVIEW: frozenset({S.DOCUMENTS_PENDING, *_VERIFICATION, S.APPROVED}),
        **{
            each: frozenset({S.DOCUMENTS_PENDING, *_VERIFICATION[at + 1 :], S.APPROVED})
            for at, each in enumerate(_VERIFICATION)
        },
        S.APPROVED: frozenset({S.ACTIVE}),
        S.ACTIVE: frozenset(),
    }
)
"""Where registration may go from each status. Any step forward may skip those between;
only missing details or documents lead back. What follows active is the ERP's."""


def may_move(before: AccountStatus, after: AccountStatus) -> bool:
    """Whether registration may take this step."""
    return after in STEPS.get(before, frozenset())


def status_by_what_is_missing(
    before: AccountStatus,
    details: tuple[str, ...],
    documents: tuple[str, ...],
    *,
    requested: bool,
) -> AccountStatus:
    """The status that follows by itself, without anybody's decision.

    Details are missing: a prospect; documents: pending. Once nothing is missing
    it is applied for, or back under review where staff had asked for more.
    What staff have in hand stays in their hands.
    """
    if before >= S.UNDER_REVIEW:
        return before
    if details:
        return S.PROSPECT
    if documents:
        return S.DOCUMENTS_PENDING
    if before is S.DOCUMENTS_PENDING and requested:
        return S.UNDER_REVIEW
    return S.APPLIED


# --- What is told to the store ---


@dataclass(frozen=True, slots=True)
class UsableAccount:
    """The proof that the ERP calls an account usable: there, no prospect, active.

    Raises ValueError for one that is not, and for one of another customer.
    """

    account: IndividualAccount
    seen: Account

    def __post_init__(self) -> None:
        if self.seen.customer_id != self.account.customer_id:
            raise ValueError(f"{self.seen.customer_id} is not {self.account}")
        if why_unusable(self.seen) is not None:
            raise ValueError(f"customer {self.account} is not usable in the ERP")


def why_unusable(account: Account) -> str | None:
    """What keeps its buyers from ordering, in words; None where nothing does (WA-12)."""
    if account.prospect:
        return "is a prospect"
    if not account.active:
        return "is inactive"
    if account.effective_status is not AccountStatus.ACTIVE:
        word = account.effective_status.name.lower().replace("_", " ")
        return f"has status {account.effective_status.value} ({word})"
    return None


@dataclass(frozen=True, slots=True)
class Registrant:
    """Whom a registration made: the user, and for a business the organisation."""

    web_user: WebUserId
    organisation: OrganisationId | None = None


@dataclass(frozen=True, slots=True)
class RegistrationNotice:
    """What the store shows of an application, and lets its people do.

    ``submitted_at`` is that of the application it answers. ``status`` None: a
    personal account, which has none. ``decided``: nobody has to decide anything
    any more, for better or worse.
    """

    submitted_at: datetime
    status: AccountStatus | None = None
    rejected: bool = False
    missing: tuple[str, ...] = ()
    message: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "submitted_at", utc(self.submitted_at))
        if self.status is not None and self.status > S.ACTIVE:
            raise ValueError(f"status {self.status.name} is the ERP's to give")
        if self.rejected and self.status is not S.PROSPECT:
            raise ValueError("whoever was rejected is a prospect again")

    @property
    def decided(self) -> bool:
        return self.rejected or self.status is None or self.status is S.ACTIVE


@dataclass(frozen=True, slots=True)
class RegistrationView:
    """A notice that may be shown. An active one needs the proof that its account is usable."""

    notice: RegistrationNotice
    usable: UsableAccount | None = None

    def __post_init__(self) -> None:
        if (self.notice.status is S.ACTIVE) != (self.usable is not None):
            raise ValueError("active is shown of an account that the ERP calls usable, only")


# --- What staff decide, and what the ERP is asked for ---


@dataclass(frozen=True, slots=True)
class LinkCustomer:
    """Approved: it is this customer, whom the ERP has already."""

    customer_id: CustomerId


@dataclass(frozen=True, slots=True)
class CreateCustomer:
    """Approved: the ERP is to make a new customer of it."""


ApprovedAs = LinkCustomer | CreateCustomer


@dataclass(frozen=True, slots=True)
class NewCustomer:
    """A customer as the ERP is asked to make it. The contact is its first one."""

    name: str
    tax_id: str
    contact_name: str
    email: str
    country: str
    phone: str | None = None
    region: str | None = None


def new_customer(application: Application) -> NewCustomer:
    """What a complete application of a business says of it.

    Raises ValueError where a detail is missing: none is ever made up.
    """
    lacking = missing_details(application, AccountKind.BUSINESS)
    if lacking:
        raise ValueError(f"no customer can be made without {', '.join(lacking)}")
    return NewCustomer(
        name=_tidy(application.company),
        tax_id=_tidy(application.tax_id),
        contact_name=_tidy(application.contact_name),
        email=_tidy(application.email),
        country=_tidy(application.country).upper(),
        phone=_tidy(application.phone) or None,
        region=_tidy(application.region) or None,
    )


def _tidy(value: str | None) -> str:
    return " ".join((value or "").split())


_KEY_LENGTH = 32


def customer_key(store: StoreId, application: Application, length: int) -> IdempotencyKey:
    """What the ERP files the customer of this application under, the same for ever.

    One that is handed in again is another: a rejected one's customer is nobody else's.
    ``length``: characters of the ERP's field. Raises ValueError where so few
    cannot tell applications apart.
    """
    if length < 20:
        raise ValueError(f"a field of {length} characters tells no customers apart")
    submitted_at = application.submitted_at.isoformat()
    text = f"{len(store.value)}:{store}:{submitted_at}:{application.application_id}"
    digest = base64.b32encode(hashlib.sha256(text.encode()).digest()).decode().lower()
    return IdempotencyKey(f"reg-{digest}"[: min(length, _KEY_LENGTH)])
