"""The tables. ``migrations/`` makes them; a test holds both equal.

Every row carries its pipeline; an order's key is the store and the store's own
immutable order ID. Documents are canonical JSON text, so that an operator can
read them with any SQL client. Booleans and times that only say "something is
left to do here" are empty when nothing is, and have an index over the rows
where they are not: a cycle that finds nothing to do reads no finished order.
"""

from __future__ import annotations

import functools
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Date,
    DateTime,
    Dialect,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    and_,
    false,
    true,
)
from sqlalchemy.types import TypeEngine

from sync.domain.times import utc

REVISION = "0014"
"""The newest migration. A state that says otherwise is older, or newer than this code."""


# How a moment in UTC is spelled up to its offset.
_WITHOUT_ZONE = len("2000-01-01T00:00:00.000000")


class Moment(TypeDecorator[datetime]):
    """An aware time in UTC.

    SQLite has no such type, so it keeps text of one fixed width there, which
    sorts as the times do.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(String(27))
        return dialect.type_descriptor(DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        moment = value if value.tzinfo is UTC else utc(value)
        if dialect.name != "sqlite":
            return moment
        return moment.isoformat(timespec="microseconds")[:_WITHOUT_ZONE] + "Z"

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if dialect.name != "sqlite":
            return utc(value)
        return datetime.fromisoformat(value)


metadata = MetaData(naming_convention={"pk": "pk_%(table_name)s", "ix": "ix_%(column_0_label)s"})

_KEY = String(255)
_NAME = String(64)

ledger = Table(
    "ledger",
    metadata,
    Column("pipeline", _NAME, primary_key=True),
    Column("store_id", _KEY, primary_key=True),
    Column("order_id", _KEY, primary_key=True),
    Column("number", _KEY, nullable=False),
    Column("channel", _KEY),
    Column("key", _KEY, nullable=False),
    Column("state", String(16), nullable=False),
    Column("payload", Text, nullable=False, comment="the version that is or was acted on"),
    Column("fingerprint", String(64), nullable=False),
    Column("newer_payload", Text, comment="a newer version than that, judged or not"),
    Column("newer_fingerprint", String(64)),
    Column("modified_at", Moment, nullable=False, comment="of the newest version, store's clock"),
    Column("placed_at", Moment, nullable=False),
    Column("first_seen_at", Moment, nullable=False),
    Column("changed_at", Moment, nullable=False),
    Column("due_at", Moment, comment="when to work on it next; empty: not by itself"),
    Column("lease_token", Integer, nullable=False),
    Column("lease_until", Moment, comment="set while a worker holds it"),
    Column("attempts", Integer, nullable=False),
    Column("waiting_for", String(64)),
    Column("waiting_sentence", Text),
    Column("message", Text),
    Column("problems", Text, nullable=False),
    Column("codes", Text, nullable=False, comment="|code|code| of what holds it up"),
    Column("trail", Text, nullable=False),
    Column("differences", Text, nullable=False),
    Column("decision", Text),
    Column("customer_id", _KEY),
    Column("frozen", Text),
    Column("imported_at", Moment),
    Column("erp_order", _KEY),
    Column("closing", String(32)),
    Column("closing_note", Text),
    Column("shown", Text),
    Column("status", Text),
    Column("notice_due_at", Moment, comment="since when the store shows something else"),
    Column("change_due_at", Moment, comment="since when a newer version is not judged"),
    Column("status_open", Boolean, nullable=False, comment="the ERP may still move it"),
    Column("cancel_due_at", Moment, comment="when to see to its cancellation in the ERP"),
    Column("cancel_asked_at", Moment, comment="when the ERP was asked to cancel it"),
    Column("reduced_at", Moment, comment="when what names people was taken out"),
    Column("told_at", Moment, comment="when the store last confirmed something new"),
    Column("mapping_version", _KEY, comment="of the mapping that decided it last"),
)

_OWN = (ledger.c.pipeline, ledger.c.store_id)


@functools.lru_cache(maxsize=64)
def ledger_of(pipeline: str, store_id: str) -> ColumnElement[bool]:
    """The rows of one pipeline; every transaction asks, so it is made once."""
    return and_(ledger.c.pipeline == pipeline, ledger.c.store_id == store_id)


_due = ledger.c.due_at.is_not(None)
_notice = ledger.c.notice_due_at.is_not(None)
_told = ledger.c.told_at.is_not(None)
_change = ledger.c.change_due_at.is_not(None)
_open = ledger.c.status_open == true()
_cancel = ledger.c.cancel_due_at.is_not(None)

Index(
    "ix_ledger_due",
    *_OWN,
    ledger.c.placed_at,
    ledger.c.order_id,
    ledger.c.due_at,
    sqlite_where=_due,
    postgresql_where=_due,
)
Index(
    "ix_ledger_notice",
    *_OWN,
    ledger.c.notice_due_at,
    ledger.c.order_id,
    sqlite_where=_notice,
    postgresql_where=_notice,
)
Index(
    "ix_ledger_told",
    *_OWN,
    ledger.c.told_at,
    ledger.c.order_id,
    sqlite_where=_told,
    postgresql_where=_told,
)
Index(
    "ix_ledger_change",
    *_OWN,
    ledger.c.change_due_at,
    ledger.c.order_id,
    sqlite_where=_change,
    postgresql_where=_change,
)
Index(
    "ix_ledger_cancel",
    *_OWN,
    ledger.c.cancel_due_at,
    ledger.c.order_id,
    sqlite_where=_cancel,
    postgresql_where=_cancel,
)
Index("ix_ledger_open", *_OWN, ledger.c.order_id, sqlite_where=_open, postgresql_where=_open)
Index("ix_ledger_state", *_OWN, ledger.c.state, ledger.c.changed_at)
Index("ix_ledger_changed", *_OWN, ledger.c.changed_at)
Index("ix_ledger_number", *_OWN, ledger.c.number)
Index("ix_ledger_customer", *_OWN, ledger.c.customer_id, ledger.c.changed_at)

ledger_events = Table(
    "ledger_events",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("pipeline", _NAME, nullable=False),
    Column("store_id", _KEY, nullable=False),
    Column("order_id", _KEY, nullable=False),
    Column("at", Moment, nullable=False),
    Column("event", String(32), nullable=False),
    Column("actor", _KEY, nullable=False),
    Column("detail", Text, nullable=False),
)
Index(
    "ix_ledger_events_order",
    ledger_events.c.pipeline,
    ledger_events.c.store_id,
    ledger_events.c.order_id,
    ledger_events.c.id,
)

settlements = Table(
    "settlements",
    metadata,
    Column("pipeline", _NAME, primary_key=True),
    Column("store_id", _KEY, primary_key=True),
    Column("order_id", _KEY, primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("number", _KEY, primary_key=True, comment="of a capture what it leads up to"),
    Column("state", String(16), nullable=False),
    Column("key", _KEY, comment="under which it was asked for"),
    Column("amount", String(64)),
    Column("currency", String(3)),
    Column("reference", _KEY, comment="the number that the ERP gave"),
    Column("happened_at", Moment, comment="by the store's clock"),
    Column("due_at", Moment, comment="when to see to it; empty: not by itself"),
    Column("changed_at", Moment, nullable=False),
    Column("version", Integer, nullable=False),
)
_settling = settlements.c.due_at.is_not(None)
Index(
    "ix_settlements_due",
    settlements.c.pipeline,
    settlements.c.store_id,
    settlements.c.due_at,
    sqlite_where=_settling,
    postgresql_where=_settling,
)

watermarks = Table(
    "watermarks",
    metadata,
    Column("pipeline", _NAME, primary_key=True),
    Column("name", _KEY, primary_key=True),
    Column("at", Moment, nullable=False),
)

runs = Table(
    "runs",
    metadata,
    Column("pipeline", _NAME, primary_key=True),
    Column("run_id", _KEY, primary_key=True),
    Column("flow", _NAME, nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("finished_at", Moment),
    Column("outcome", String(16), nullable=False),
    Column("counts", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("narrow", Boolean, comment="for a part; empty: it ran before this was kept"),
    Column("steps", Text, comment="how far it is; empty: it has ended, or has only begun"),
)
Index("ix_runs_started", runs.c.pipeline, runs.c.started_at)
Index("ix_runs_flow", runs.c.pipeline, runs.c.flow, runs.c.started_at)

requests = Table(
    "requests",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("pipeline", _NAME, nullable=False),
    Column("flow", _NAME, nullable=False),
    Column("scope", Text, nullable=False),
    Column("actor", _KEY, nullable=False),
    Column("state", String(16), nullable=False),
    Column("asked_at", Moment, nullable=False),
    Column("begun_at", Moment),
    Column("finished_at", Moment),
    Column("done", Integer, nullable=False),
    Column("total", Integer),
    Column("message", Text, nullable=False),
    Column("cancel_asked", Boolean, nullable=False),
    Column("result", Text, nullable=False),
)
Index("ix_requests_state", requests.c.pipeline, requests.c.state, requests.c.id)

plans = Table(
    "plans",
    metadata,
    Column("pipeline", _NAME, primary_key=True),
    Column("plan_id", _KEY, primary_key=True),
    Column("flow", _NAME, nullable=False),
    Column("digest", _KEY, nullable=False),
    Column("reason", Text, nullable=False),
    Column("counts", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Column("confirmed_by", _KEY),
    Column("confirmed_at", Moment),
    Column("cleared", Boolean, nullable=False),
)
Index("ix_plans_digest", plans.c.pipeline, plans.c.flow, plans.c.digest, unique=True)

mapping_versions = Table(
    "mapping_versions",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("pipeline", _NAME, nullable=False),
    Column("version", _KEY, nullable=False),
    Column("files", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Column("counts", Text, comment="how many of what is in it; empty: taken up before it was kept"),
    Column("size", Integer, comment="characters of the files"),
)
Index("ix_mapping_versions_pipeline", mapping_versions.c.pipeline, mapping_versions.c.id)

mapping_refusals = Table(
    "mapping_refusals",
    metadata,
    Column("pipeline", _NAME, primary_key=True),
    Column("version", _KEY, nullable=False),
    Column("problems", Text, nullable=False),
    Column("at", Moment, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("pipeline", _NAME, nullable=False),
    Column("at", Moment, nullable=False),
    Column("actor", _KEY, nullable=False),
    Column("action", _NAME, nullable=False),
    Column("subject", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("begun", Boolean, comment="whether it took effect is not known; empty: it did"),
)
Index("ix_audit_newest", audit.c.pipeline, audit.c.at, audit.c.id)
Index("ix_audit_actor", audit.c.pipeline, audit.c.actor, audit.c.at, audit.c.id)
_begun = audit.c.begun == true()
Index(
    "ix_audit_begun",
    audit.c.pipeline,
    audit.c.id,
    sqlite_where=_begun,
    postgresql_where=_begun,
)

audit_records = Table(
    "audit_records",
    metadata,
    Column("audit_id", Integer, primary_key=True, autoincrement=False),
    Column("place", Integer, primary_key=True, autoincrement=False),
    Column("pipeline", _NAME, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("key", Text, nullable=False),
    Column("before", Text, nullable=False, comment="what it said; empty: nothing, or no change"),
    Column("after", Text, nullable=False),
)
Index(
    "ix_audit_records_key",
    audit_records.c.pipeline,
    audit_records.c.kind,
    audit_records.c.key,
    audit_records.c.audit_id,
)

systems = Table(
    "systems",
    metadata,
    Column("name", _NAME, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("condition", String(16), nullable=False),
    Column("since", Moment, nullable=False),
    Column("message", Text, nullable=False),
    Column("next_try_at", Moment),
    Column("last_success_at", Moment),
    Column("last_failure_at", Moment),
    Column("clock_skew_s", Float),
)

registrations = Table(
    "registrations",
    metadata,
    Column("pipeline", _NAME, primary_key=True),
    Column("store_id", _KEY, primary_key=True),
    Column("application", _KEY, primary_key=True),
    Column("stage", String(16), nullable=False),
    Column("customer_id", _KEY),
    Column("settled", Boolean, nullable=False, comment="over, and the store was told so"),
    Column("version", Integer, nullable=False),
    Column("first_seen_at", Moment, nullable=False),
    Column("changed_at", Moment, nullable=False),
    Column("entry", Text, nullable=False),
)
_unsettled = registrations.c.settled == false()
Index(
    "ix_registrations_open",
    registrations.c.pipeline,
    registrations.c.store_id,
    registrations.c.first_seen_at,
    registrations.c.application,
    sqlite_where=_unsettled,
    postgresql_where=_unsettled,
)

registration_events = Table(
    "registration_events",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("pipeline", _NAME, nullable=False),
    Column("store_id", _KEY, nullable=False),
    Column("application", _KEY, nullable=False),
    Column("at", Moment, nullable=False),
    Column("event", String(32), nullable=False),
    Column("actor", _KEY, nullable=False),
    Column("detail", Text, nullable=False),
)
Index(
    "ix_registration_events_application",
    registration_events.c.pipeline,
    registration_events.c.store_id,
    registration_events.c.application,
    registration_events.c.id,
)

price_partitions = Table(
    "price_partitions",
    metadata,
    Column("pipeline", _NAME, primary_key=True),
    Column("audience", String(16), primary_key=True),
    Column("audience_key", _KEY, primary_key=True),
    Column("channel", _KEY, primary_key=True, comment="empty: none"),
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("owner", _KEY, primary_key=True),
    Column("store_id", _KEY, nullable=False),
    Column("vector", LargeBinary(16), nullable=False),
    Column("rules", LargeBinary(16), nullable=False),
    Column("day", Date, nullable=False, comment="in the ERP's calendar"),
    Column("shown", Integer, nullable=False, comment="entries in the store"),
)
Index("ix_price_partitions_vector", price_partitions.c.pipeline, price_partitions.c.vector)

price_vectors = Table(
    "price_vectors",
    metadata,
    Column("pipeline", _NAME, primary_key=True),
    Column("fingerprint", LargeBinary(16), primary_key=True),
    Column("base", LargeBinary(16), comment="what it is a difference from"),
    Column("content", LargeBinary, nullable=False),
)
Index("ix_price_vectors_base", price_vectors.c.pipeline, price_vectors.c.base)

price_states = Table(
    "price_states",
    metadata,
    Column("pipeline", _NAME, primary_key=True),
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("owner", _KEY, primary_key=True),
    Column("state", LargeBinary(16), nullable=False, comment="what the ERP said of the entries"),
    Column("vector", LargeBinary(16), nullable=False),
    Column("since", Date, nullable=False, comment="in the ERP's calendar"),
    Column("ends", Date, comment="when the first entry is over; empty: none is"),
)
Index("ix_price_states_vector", price_states.c.pipeline, price_states.c.vector)

record_memory = Table(
    "record_memory",
    metadata,
    Column("pipeline", _NAME, primary_key=True),
    Column("store_id", _KEY, primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("customer_id", _KEY, primary_key=True),
    Column("state", LargeBinary(16), nullable=False, comment="what the ERP said of the records"),
    Column(
        "shown",
        Integer,
        nullable=False,
        comment="records in the store; -1: forgotten, by somebody else than the mirror",
    ),
)

contact_answers = Table(
    "contact_answers",
    metadata,
    Column("pipeline", _NAME, primary_key=True),
    Column("web_user", _KEY, primary_key=True),
    Column("customer_id", _KEY, comment="empty: they name no account that could be used"),
    Column("address", String(64), nullable=False, comment="a digest of what was asked for"),
)
