"""Takes a person out of the state: their orders, and what is said of them elsewhere (OP-9).

Everything happens in one transaction, or nothing does. An order that is still on
its way needs its addresses; it is named with the way out, and keeps the rest from
being erased too, for a person half erased is a promise broken quietly.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Connection, Table, and_, delete, insert, or_, select, update

from sync.domain import codec, erasure
from sync.domain.erasure import ERASED, Person
from sync.domain.ids import StoreId, WebOrderId
from sync.domain.order import StoreOrder, WebOrder
from sync.domain.sales_order import SalesOrder
from sync.ports.audit import AuditRecord, RecordKind
from sync.ports.state import LedgerState, digest_of
from sync.state import erased_rows, rows, versions
from sync.state.audit import SqlAudit
from sync.state.erasing_registrations import FoundRegistration, RegistrationErasure
from sync.state.requests import read_scope
from sync.state.rows import Row
from sync.state.schema import (
    audit,
    audit_records,
    contact_answers,
    ledger,
    ledger_events,
    ledger_of,
    mapping_refusals,
    mapping_versions,
    plans,
    requests,
    runs,
)

_DISMISS = "dismiss it or see it finished first: tradesync quarantine dismiss {number} --reason ..."
_FINISH = "let it finish first: tradesync resync orders --order {number}"
_WAYS_OUT = {
    LedgerState.DISCOVERED.value: _FINISH,
    LedgerState.WAITING.value: "it waits; see it finished, or cancelled in the store, first",
    LedgerState.SUBMITTING.value: _FINISH,
    LedgerState.IMPORTED.value: "the store does not show its ERP order yet; " + _FINISH,
    LedgerState.QUARANTINED.value: _DISMISS,
    LedgerState.REVIEW.value: _DISMISS,
}

# Texts of people and of other systems, beside the ledger.
_ELSEWHERE: tuple[tuple[Table, tuple[Column[Any], ...], tuple[Column[Any], ...]], ...] = (
    (audit, (audit.c.id,), (audit.c.subject, audit.c.reason)),
    (audit_records, (audit_records.c.audit_id, audit_records.c.place), (audit_records.c.key,)),
    (runs, (runs.c.run_id,), (runs.c.message,)),
    (requests, (requests.c.id,), (requests.c.message, requests.c.scope)),
    (plans, (plans.c.plan_id,), (plans.c.reason,)),
    (mapping_refusals, (), (mapping_refusals.c.problems,)),
)


@dataclass(frozen=True, slots=True)
class FoundOrder:
    """An order of the person. ``way_out`` says what must happen before it can be erased;
    ``sent`` that an instruction went out, so that the ERP has the order or may have it;
    ``texts`` are the person's own words and names in it."""

    order_id: WebOrderId
    number: str
    state: str
    key: str
    web_user: str | None
    customer_id: str | None
    erp_order: str | None
    sent: bool
    erased: bool
    way_out: str | None
    texts: frozenset[str] = field(repr=False)
    emails: frozenset[str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Erased:
    """How much was taken out; ``mapping_files`` of the mapping in force name the person still."""

    orders: int = 0
    history: int = 0
    elsewhere: int = 0
    mapping_files: tuple[str, ...] = ()
    registrations: int = 0


class SqlErasure:
    """Finds and erases within one pipeline."""

    def __init__(self, connection: Connection, pipeline: str, store_id: StoreId) -> None:
        self._connection = connection
        self._pipeline = pipeline
        self._mine = ledger_of(pipeline, store_id.value)
        self._registrations = RegistrationErasure(connection, pipeline, store_id)

    def registrations_of(self, person: Person) -> list[FoundRegistration]:
        """Every registration that the person handed in."""
        return self._registrations.of_person(person)

    def of_order(self, order_id: WebOrderId) -> list[FoundOrder]:
        query = select(ledger).where(self._mine, ledger.c.order_id == order_id.value)
        return [_found(dict(row)) for row in self._connection.execute(query).mappings()]

    def of_person(self, person: Person) -> list[FoundOrder]:
        """Every order of that person, by order ID. Reads the whole ledger."""
        sought = person.email or (person.web_user.value if person.web_user else "")
        return [
            _found(row)
            for row in self._rows()
            if _mentions(row, sought)
            and any(person.named_in(order, told) for order, told in _versions(row))
        ]

    def sharing_an_address(self, found: Sequence[FoundOrder]) -> list[str]:
        """Numbers of other orders that name an e-mail address of these."""
        theirs = frozenset[str]().union(*(each.emails for each in found))
        known = {each.order_id.value for each in found}
        return [
            row["number"]
            for row in self._rows()
            if row["order_id"] not in known
            and any(_mentions(row, each) for each in theirs)
            and theirs & _emails(row)
        ]

    def erase(
        self,
        found: Iterable[FoundOrder],
        person: Person,
        actor: str,
        reason: str,
        now: datetime,
        registered: Iterable[FoundRegistration] = (),
    ) -> Erased:
        """Take the person out, and note that it was done.

        Nothing to do writes nothing. Raises ValueError for an order or registration
        that has a way to go yet: whoever calls has told the person at the terminal.
        """
        found, registered = list(found), list(registered)
        blocked = [each.number for each in found if each.way_out is not None]
        blocked += [each.application_id.value for each in registered if each.way_out is not None]
        if blocked:
            raise ValueError(f"still on their way: {', '.join(blocked)}")
        fresh = [each for each in found if not each.erased]
        applied = [each for each in registered if not each.erased]
        texts = frozenset[str]().union(
            *(each.texts for each in fresh), *(each.texts for each in applied)
        )
        hidden = _Hidden(texts | {person.email} if person.email else texts)
        history = sum(self._erase_order(each, actor, now) for each in fresh)
        history += self._registrations.erase(applied, actor, now)
        elsewhere = self._erase_elsewhere(hidden, {each.number for each in fresh})
        elsewhere += self._erase_old_mappings(hidden)
        users = {each.web_user for each in found if each.web_user}
        users |= {each.web_user for each in registered if each.web_user}
        elsewhere += self._forget_contacts(person, users)
        if fresh or applied or elsewhere:
            self._note(fresh, applied, actor, hidden.out_of(reason), now)
        files = self._mapping_files(_Hidden(hidden.texts | users))
        return Erased(len(fresh), history, elsewhere, files, len(applied))

    def _forget_contacts(self, person: Person, users: Collection[str]) -> int:
        """What the ERP's contacts said of the person's address."""
        theirs = {*users, *([person.web_user.value] if person.web_user else [])}
        address = digest_of(person.email) if person.email else None
        return self._connection.execute(
            delete(contact_answers).where(
                contact_answers.c.pipeline == self._pipeline,
                or_(contact_answers.c.web_user.in_(theirs), contact_answers.c.address == address),
            )
        ).rowcount

    def _rows(self) -> Iterator[Row]:
        query = select(ledger).where(self._mine).order_by(ledger.c.order_id)
        for row in self._connection.execute(query).yield_per(500).mappings():
            yield dict(row)

    def _erase_order(self, found: FoundOrder, actor: str, now: datetime) -> int:
        one = and_(self._mine, ledger.c.order_id == found.order_id.value)
        query = select(ledger).where(one).with_for_update()
        row = dict(self._connection.execute(query).mappings().one())
        after = rows.completed(row, erased_rows.stripped(row), now)
        self._connection.execute(update(ledger).where(one).values(after))
        changed = self._erase_history(row)
        self._connection.execute(
            insert(ledger_events).values(
                pipeline=self._pipeline,
                store_id=row["store_id"],
                order_id=row["order_id"],
                at=now,
                event="erased",
                actor=actor,
                detail="the person's data are gone; keys and amounts stay",
            )
        )
        return changed

    def _erase_history(self, row: Row) -> int:
        query = select(ledger_events.c.id, ledger_events.c.event, ledger_events.c.detail).where(
            ledger_events.c.pipeline == self._pipeline,
            ledger_events.c.store_id == row["store_id"],
            ledger_events.c.order_id == row["order_id"],
        )
        changed = 0
        for event in self._connection.execute(query).all():
            detail = erased_rows.detail_without_person(event.event, event.detail)
            if detail != event.detail:
                one = ledger_events.c.id == event.id
                self._connection.execute(update(ledger_events).where(one).values(detail=detail))
                changed += 1
        return changed

    def _erase_elsewhere(self, hidden: _Hidden, numbers: set[str]) -> int:
        changed = 0
        for table, keys, columns in _ELSEWHERE:
            query = select(*keys, *columns).where(table.c.pipeline == self._pipeline)
            for row in self._connection.execute(query).mappings().all():
                after = {
                    each.name: _DOCUMENTS.get(each, _Hidden.out_of)(hidden, row[each.name])
                    for each in columns
                }
                if table is audit and row["subject"] in numbers:
                    # Written about this very order, by somebody who may have named its buyer.
                    after["reason"] = ERASED if row["reason"] else ""
                if any(after[name] != row[name] for name in after):
                    one = and_(
                        table.c.pipeline == self._pipeline,
                        *(key == row[key.name] for key in keys),
                    )
                    self._connection.execute(update(table).where(one).values(after))
                    changed += 1
        return changed

    def _erase_old_mappings(self, hidden: _Hidden) -> int:
        """In versions that are out of force; the one in force is the administrator's to edit."""
        changed = 0
        for number, files in self._mappings()[1:]:
            after = {name: hidden.out_of(text) for name, text in files.items()}
            if after != files:
                told = json.dumps(after, ensure_ascii=False, sort_keys=True)
                one = mapping_versions.c.id == number
                self._connection.execute(update(mapping_versions).where(one).values(files=told))
                changed += 1
        return changed

    def _mapping_files(self, hidden: _Hidden) -> tuple[str, ...]:
        newest = self._mappings()[:1]
        return tuple(
            name
            for _, files in newest
            for name, text in sorted(files.items())
            if hidden.is_in(text)
        )

    def _mappings(self) -> list[tuple[int, dict[str, str]]]:
        """Newest first."""
        query = (
            select(mapping_versions.c.id, mapping_versions.c.files)
            .where(mapping_versions.c.pipeline == self._pipeline)
            .order_by(mapping_versions.c.id.desc())
        )
        return [(row.id, json.loads(row.files)) for row in self._connection.execute(query)]

    def _note(
        self,
        fresh: Sequence[FoundOrder],
        applied: Sequence[FoundRegistration],
        actor: str,
        reason: str,
        now: datetime,
    ) -> None:
        told = ", ".join(each.number for each in fresh) or "texts only"
        records = [AuditRecord(RecordKind.ORDER, each.order_id.value) for each in fresh]
        if applied:
            keys = [each.application_id.value for each in applied]
            told += f"; {len(applied)} applications: {', '.join(keys)}"
            records += [AuditRecord(RecordKind.APPLICATION, each) for each in keys]
        users = {each.web_user for each in fresh} | {each.web_user for each in applied}
        records += [AuditRecord(RecordKind.USER, each) for each in sorted(filter(None, users))]
        subject = f"{len(fresh)} orders: {told}"
        noted = SqlAudit(self._connection, self._pipeline)
        noted.note(actor, "person.erased", subject, reason, now, records)


class _Hidden:
    """Texts that must not stand anywhere any more."""

    def __init__(self, texts: Iterable[str]) -> None:
        self.texts = frozenset(texts)
        # The longest first, or a part of one would stay behind.
        longest_first = sorted(self.texts, key=lambda text: (-len(text), text))
        spelled = "|".join(re.escape(each) for each in longest_first)
        self._pattern = re.compile(rf"(?<!\w)(?:{spelled})(?!\w)", re.IGNORECASE)

    def out_of(self, text: str) -> str:
        return self._pattern.sub(ERASED, text) if self.texts else text

    def is_in(self, text: str) -> bool:
        return bool(self.texts) and self._pattern.search(text) is not None


def _scope_without(hidden: _Hidden, text: str) -> str:
    try:
        scope = read_scope(text)
    except ValueError:
        return hidden.out_of(text)  # nothing acts on it any more
    typed = {each.name: getattr(scope, each.name) for each in fields(scope)}
    bare: dict[str, Any] = {
        name: hidden.out_of(each) for name, each in typed.items() if isinstance(each, str)
    }
    after = replace(scope, **bare)
    return text if after == scope else codec.dumps(after)


def _problems_without(hidden: _Hidden, text: str) -> str:
    try:
        told = json.loads(text)
    except ValueError:
        return hidden.out_of(text)
    after = [hidden.out_of(each) if isinstance(each, str) else each for each in told]
    return text if after == told else json.dumps(after, ensure_ascii=False)


# Columns that are documents: their fields, keys and times are ours, whatever words she used.
_DOCUMENTS: Mapping[Column[Any], Callable[[_Hidden, str], str]] = {
    requests.c.scope: _scope_without,
    mapping_refusals.c.problems: _problems_without,
}


def _found(row: Row) -> FoundOrder:
    told = _versions(row)
    order, _ = told[0]
    web_user = order.buyer.web_user if isinstance(order, WebOrder) else None
    return FoundOrder(
        order_id=WebOrderId(row["order_id"]),
        number=row["number"],
        state=row["state"],
        key=row["key"],
        web_user=web_user.value if web_user else None,
        customer_id=row["customer_id"],
        erp_order=row["erp_order"],
        sent=row["frozen"] is not None or row["imported_at"] is not None,
        erased=versions.is_erased(row),
        way_out=None if versions.is_erased(row) else _way_out(row),
        texts=frozenset[str]().union(*(erasure.personal_texts(*each) for each in told)),
        emails=_emails(row),
    )


def _emails(row: Row) -> frozenset[str]:
    return frozenset(email for each in _versions(row) for email in erasure.emails(*each))


def _way_out(row: Row) -> str | None:
    way_out = _WAYS_OUT.get(row["state"])
    if way_out is None and row["change_due_at"] is not None:
        way_out = "its last change is not judged yet; " + _FINISH
    return None if way_out is None else way_out.format(number=row["number"])


def _versions(row: Row) -> list[tuple[StoreOrder, SalesOrder | None]]:
    """What is kept of the order: the version acted on with what went to the ERP, and a newer."""
    told = [(versions.read(row["payload"]), rows.document(SalesOrder, row["frozen"]))]
    if row["newer_payload"] is not None:
        told.append((versions.read(row["newer_payload"]), None))
    return told


def _mentions(row: Row, sought: str) -> bool:
    """A cheap look before the documents are read; JSON may spell the text in two ways."""
    spelled = {sought.strip().casefold(), json.dumps(sought.strip())[1:-1].casefold()}
    texts = (row["payload"], row["newer_payload"], row["frozen"])
    return any(each in text.casefold() for text in texts if text for each in spelled)
