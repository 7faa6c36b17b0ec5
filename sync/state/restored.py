"""What a state that comes from a backup must be told before it is used again."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, and_, create_engine, delete, insert, literal, select, update
from sqlalchemy.pool import NullPool

from sync.domain.times import utc
from sync.ports.state import LedgerState, RequestState
from sync.state.schema import (
    REVISION,
    audit,
    contact_answers,
    ledger,
    ledger_events,
    plans,
    price_partitions,
    price_states,
    price_vectors,
    record_memory,
    requests,
    watermarks,
)
from sync.state.soundness import connected

_MAY_BE_IN = (
    "The state was restored from a backup. This order may have been replayed and imported since:"
    " a replay looks for it in the ERP first."
)
_NOT_ASKED_AGAIN = (
    "asked for before the state was restored from a backup; ask again if it is still wanted"
)
_UNDER_WAY = "it was on its way into the ERP when the state was restored: it is looked for first"


@dataclass(frozen=True, slots=True)
class Marked:
    """How many of each were marked in a restored state.

    ``in_quarantine``: orders that may have gone in since. ``requests`` of people
    that are not carried out again, ``confirmations`` of plans that were taken
    back. ``read_again_from`` is the oldest watermark, None where there is none.
    """

    in_quarantine: int
    requests: int
    confirmations: int
    read_again_from: datetime | None


def mark(file: Path, backup: Path, now: datetime, actor: str, reason: str = "") -> Marked:
    """Mark what needs care in the state at ``file``, which nobody else has open."""
    engine = create_engine("sqlite://", creator=lambda: connected(file), poolclass=NullPool)
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            told = Marked(
                in_quarantine=_tell_quarantine(connection, now, actor),
                requests=_cancel_requests(connection, now),
                confirmations=_take_back_confirmations(connection),
                read_again_from=connection.scalar(
                    select(watermarks.c.at).order_by(watermarks.c.at).limit(1)
                ),
            )
            _forget_prices(connection)
            _forget_records(connection)
            _forget_contacts(connection)
            _note(connection, backup, now, actor, reason)
            connection.exec_driver_sql("COMMIT")
    finally:
        engine.dispose()
    return told


def _tell_quarantine(connection: Connection, now: datetime, actor: str) -> int:
    held = and_(
        ledger.c.state.in_([LedgerState.QUARANTINED.value, LedgerState.REVIEW.value]),
        ledger.c.imported_at.is_(None),
    )
    columns = ("pipeline", "store_id", "order_id", "at", "event", "actor", "detail")
    rows = select(
        ledger.c.pipeline,
        ledger.c.store_id,
        ledger.c.order_id,
        literal(now, ledger_events.c.at.type),
        literal("restored"),
        literal(actor),
        literal(_MAY_BE_IN),
    ).where(held)
    return connection.execute(insert(ledger_events).from_select(columns, rows)).rowcount


def _cancel_requests(connection: Connection, now: datetime) -> int:
    """A run that somebody asked for then may be the last thing they want now."""
    pending = [RequestState.QUEUED.value, RequestState.RUNNING.value]
    changes = {
        "state": RequestState.CANCELLED.value,
        "finished_at": now,
        "message": _NOT_ASKED_AGAIN,
    }
    return connection.execute(
        update(requests).where(requests.c.state.in_(pending)).values(changes)
    ).rowcount


def _take_back_confirmations(connection: Connection) -> int:
    """They were given for what the store showed then."""
    confirmed = and_(plans.c.confirmed_by.is_not(None), plans.c.cleared.is_(False))
    return connection.execute(
        update(plans).where(confirmed).values(confirmed_by=None, confirmed_at=None)
    ).rowcount


def _forget_prices(connection: Connection) -> None:
    """The store was told other prices since: each run would take its word for these."""
    connection.execute(delete(price_partitions))
    connection.execute(delete(price_states))
    connection.execute(delete(price_vectors))


def _forget_records(connection: Connection) -> None:
    """The same of addresses and invoices."""
    connection.execute(delete(record_memory))


def _forget_contacts(connection: Connection) -> None:
    """Somebody may have been assigned otherwise since: nobody keeps what they said then."""
    connection.execute(delete(contact_answers))


def _note(connection: Connection, backup: Path, now: datetime, actor: str, reason: str) -> None:
    for pipeline in connection.scalars(
        select(watermarks.c.pipeline).union(select(ledger.c.pipeline))
    ).all():
        connection.execute(
            insert(audit).values(
                pipeline=pipeline,
                at=now,
                actor=actor,
                action="state.restored",
                subject=f"{backup.name}; the state before it is kept beside it",
                reason=reason,
            )
        )


def carry_over(old: Path, new: Path, now: datetime) -> tuple[tuple[str, ...], str | None]:
    """Take orders whose outcome is unknown from the old state into the restored one.

    Their instruction left, and may still arrive: an ERP without a unique key
    would take a second one. Gives their numbers, and why none could be read;
    neither where there is no old state.
    """
    if not old.exists():
        return (), None
    under_way = (
        f"FROM old.ledger WHERE state = '{LedgerState.SUBMITTING.value}' AND frozen IS NOT NULL"
    )
    columns = ", ".join(f'"{column.name}"' for column in ledger.columns)
    try:
        with closing(connected(new)) as connection:
            connection.execute("ATTACH DATABASE ? AS old", (f"file:{quote(str(old))}?mode=ro",))
            found = connection.execute("SELECT version_num FROM old.alembic_version").fetchone()
            if found is None or found[0] != REVISION:
                return (), f"its schema is {found[0] if found else 'none'}, not {REVISION}"
            connection.execute("BEGIN IMMEDIATE")
            numbers = tuple(
                str(row[0])
                for row in connection.execute(f"SELECT number {under_way} ORDER BY number")
            )
            connection.execute(
                f"INSERT OR REPLACE INTO main.ledger ({columns}) SELECT {columns} {under_way}"
            )
            connection.execute(
                "INSERT INTO main.ledger_events"
                " (pipeline, store_id, order_id, at, event, actor, detail)"
                f" SELECT pipeline, store_id, order_id, ?, 'restored', 'daemon', ? {under_way}",
                (_as_kept(now), _UNDER_WAY),
            )
            connection.execute("COMMIT")
    except sqlite3.Error as error:
        return (), str(error)
    return numbers, None


def _as_kept(moment: datetime) -> str:
    return utc(moment).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
