"""Takes an applicant out of the registrations (OP-9): who it was goes, keys and decisions stay.

A registration under way needs its contact; it is named with the way out. One that
is over keeps company and tax ID, which are an organisation's, unless the company
bears the person's own name.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, insert, select, update

from sync.domain import codec
from sync.domain.erasure import ERASED, SHORTEST_TEXT, Person
from sync.domain.ids import ApplicationId, StoreId
from sync.domain.registration import file_said
from sync.ports.registrations import ENDED, RegistrationEntry
from sync.state.schema import audit, registration_events, registrations

# Events whose words are of people, or of systems that may quote them.
_SAID = (
    *("documents_requested", "reviewed", "approved", "rejected"),
    *("customer_refused", "outcome_unknown", "stopped"),
)


@dataclass(frozen=True, slots=True)
class FoundRegistration:
    """A registration of the person; fields as in ``FoundOrder``."""

    application_id: ApplicationId
    stage: str
    key: str | None
    web_user: str | None
    customer_id: str | None
    erased: bool
    way_out: str | None
    texts: frozenset[str] = field(repr=False)


class RegistrationErasure:
    """Finds and erases within one pipeline."""

    def __init__(self, connection: Connection, pipeline: str, store_id: StoreId) -> None:
        self._connection = connection
        self._own = {"pipeline": pipeline, "store_id": store_id.value}
        self._mine: ColumnElement[bool] = and_(
            registrations.c.pipeline == pipeline, registrations.c.store_id == store_id.value
        )

    def of_person(self, person: Person) -> list[FoundRegistration]:
        """Every registration of that person, by its key. Reads all of them."""
        query = select(registrations.c.entry).where(self._mine)
        entries = [
            codec.loads(RegistrationEntry, text)
            for text in self._connection.scalars(query.order_by(registrations.c.application))
        ]
        return [_found(each) for each in entries if _is_of(each, person)]

    def erase(self, found: Iterable[FoundRegistration], actor: str, now: datetime) -> int:
        """Take the person out of these; gives how many lines of history changed."""
        changed = 0
        for each in found:
            one = and_(self._mine, registrations.c.application == each.application_id.value)
            text = self._connection.scalar(
                select(registrations.c.entry).where(one).with_for_update()
            )
            bare = without_applicant(codec.loads(RegistrationEntry, str(text)))
            bare = replace(bare, version=bare.version + 1, changed_at=now)
            values = {"entry": codec.dumps(bare), "version": bare.version, "changed_at": now}
            self._connection.execute(update(registrations).where(one).values(values))
            changed += self._erase_history(each.application_id)
            self._connection.execute(
                insert(registration_events).values(
                    **self._own,
                    application=each.application_id.value,
                    at=now,
                    event="erased",
                    actor=actor,
                    detail="the person's data are gone; keys and decisions stay",
                )
            )
        return changed

    def _erase_history(self, application_id: ApplicationId) -> int:
        """What people said, and what systems said of a refusal, here and in the audit trail."""
        key, said = application_id.value, ERASED
        of_it = and_(
            registration_events.c.pipeline == self._own["pipeline"],
            registration_events.c.store_id == self._own["store_id"],
            registration_events.c.application == key,
            registration_events.c.detail.not_in(("", said)),
            registration_events.c.event.in_(_SAID),
        )
        events = self._connection.execute(
            update(registration_events).where(of_it).values(detail=said)
        )
        noted = and_(
            audit.c.pipeline == self._own["pipeline"],
            audit.c.action.like("registration.%"),
            (audit.c.subject == f"application {key}")
            | audit.c.subject.startswith(f"application {key},", autoescape=True),
            audit.c.reason.not_in(("", said)),
        )
        trail = self._connection.execute(
            update(audit).where(noted).values(reason=said, subject=f"application {key}")
        )
        return events.rowcount + trail.rowcount


def without_applicant(entry: RegistrationEntry) -> RegistrationEntry:
    """The entry with nothing of the person in it; the same where that was done before."""
    application = entry.application
    own_name = _folded(application.company) == _folded(application.contact_name)
    bare = replace(
        application,
        contact_name=ERASED,
        email=None,
        phone=None,
        company=ERASED if own_name else application.company,
        tax_id=ERASED if own_name and application.tax_id else application.tax_id,
        documents=tuple(replace(each, reference=ERASED) for each in application.documents),
    )
    return replace(
        entry,
        application=bare,
        message=None,
        approval_reason=ERASED if entry.approval_reason else None,
        looked=(),
    )


def _found(entry: RegistrationEntry) -> FoundRegistration:
    made = entry.registrant
    user = made.web_user if made else entry.application.web_user
    erased = entry.application.contact_name == ERASED
    return FoundRegistration(
        application_id=entry.application_id,
        stage=entry.stage.value,
        key=entry.key.value if entry.key else None,
        web_user=user.value if user else None,
        customer_id=entry.customer_id.value if entry.customer_id else None,
        erased=erased,
        way_out=None if erased else _way_out(entry),
        texts=frozenset() if erased else _texts(entry),
    )


def _way_out(entry: RegistrationEntry) -> str | None:
    if entry.stage not in ENDED:
        return (
            f"decide it first: tradesync registrations reject {entry.application_id} --reason ..."
        )
    if not entry.settled:
        return "let the store be told first: tradesync resync registrations"
    return None


def _texts(entry: RegistrationEntry) -> frozenset[str]:
    application = entry.application
    told = {application.contact_name, application.email, application.phone}
    for each in (*application.documents, *(one.document for one in entry.looked)):
        # A word of its own would be taken out of what others wrote, were it a file's name.
        told |= {each.reference, file_said(each)}
    found = {each.strip() for each in told if each}
    return frozenset(each for each in found if len(each) >= SHORTEST_TEXT and each != ERASED)


def _is_of(entry: RegistrationEntry, person: Person) -> bool:
    if person.web_user is not None:
        made = entry.registrant.web_user if entry.registrant else None
        return person.web_user in (made, entry.application.web_user)
    return person.email is not None and _folded(person.email) == _folded(entry.application.email)


def _folded(text: str | None) -> str:
    return (text or "").strip().casefold()
