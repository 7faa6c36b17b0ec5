"""Does the state keep its own promises? Findings for a person, nothing is changed.

SQLite is asked about its structures. Then every entry of the ledger is held
against what each state of it must have: an entry that is neither finished nor due
would never be worked on again, and an imported one without a decision could not
be explained.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, func, select, text
from sqlalchemy.engine import URL
from sqlalchemy.pool import NullPool

from sync.errors import Misconfigured
from sync.ports.erp import Finding, FindingLevel
from sync.ports.state import LedgerState
from sync.state import rows
from sync.state.engine import make_engine, sqlite_file, state_url
from sync.state.errors import translated
from sync.state.in_use import writer_has
from sync.state.owner import require_owner
from sync.state.price_memory import IS_LOST, IS_MARK
from sync.state.rows import Row
from sync.state.schema import (
    REVISION,
    ledger,
    ledger_events,
    price_partitions,
    watermarks,
)
from sync.state.soundness import complaints, connected, require_sound

_SHOWN = 5
_RESTORE = "Stop the service and bring in a backup: tradesync state restore FILE"
_ASK = "Keep a backup of the state and report this; the order may need a person."

S = LedgerState
_OPEN = frozenset({S.DISCOVERED.value, S.WAITING.value, S.SUBMITTING.value})
_OUT = frozenset({S.QUARANTINED.value, S.CLOSED.value})
_IN_ERP = frozenset({S.IMPORTED.value, S.ACKNOWLEDGED.value})

Promise = Callable[[Row], bool]

# What every entry must keep, with the sentence for those that do not.
_PROMISES: tuple[tuple[str, Promise], ...] = (
    ("are in a state that does not exist", lambda row: row["state"] in {each.value for each in S}),
    (
        "are open, and will never be worked on again",
        lambda row: row["state"] not in _OPEN or row["due_at"] is not None,
    ),
    (
        "are finished or held, and due all the same",
        lambda row: row["state"] in _OPEN or row["due_at"] is None,
    ),
    (
        "are being submitted without a claim, and without an instruction that is out",
        lambda row: (
            row["state"] != S.SUBMITTING.value
            or row["lease_until"] is not None
            or row["frozen"] is not None
        ),
    ),
    (
        "are claimed, and not being submitted",
        lambda row: row["lease_until"] is None or row["state"] == S.SUBMITTING.value,
    ),
    (
        "were claimed without a token",
        lambda row: row["lease_until"] is None or row["lease_token"] > 0,
    ),
    (
        "are imported without a decision and an instruction",
        lambda row: row["imported_at"] is None or _decided(row),
    ),
    (
        "are called imported, and nothing says when",
        lambda row: row["state"] not in _IN_ERP or row["imported_at"] is not None,
    ),
    (
        "have a decision, an instruction or a customer ID without the others",
        lambda row: (
            _decided(row)
            or (row["decision"], row["frozen"], row["customer_id"]) == (None, None, None)
            or (row["state"] in _OUT and (row["decision"], row["frozen"]) == (None, None))
        ),
    ),
    (
        "are acknowledged, and the store was told nothing",
        lambda row: row["state"] != S.ACKNOWLEDGED.value or row["shown"] is not None,
    ),
    (
        "wait for nothing that is named",
        lambda row: row["state"] != S.WAITING.value or row["waiting_for"] is not None,
    ),
    (
        "are in quarantine without a reason",
        lambda row: row["state"] != S.QUARANTINED.value or row["problems"] != "[]",
    ),
    (
        "are in review without a difference",
        lambda row: row["state"] != S.REVIEW.value or row["differences"] != "[]",
    ),
    (
        "are closed without a reason",
        lambda row: row["state"] != S.CLOSED.value or row["closing"] is not None,
    ),
    (
        "have a change to be judged, and no newer version",
        lambda row: row["change_due_at"] is None or row["newer_payload"] is not None,
    ),
)


def verify_state(
    url: str | URL, *, quick: bool = False, pipelines: Collection[str] = ()
) -> list[Finding]:
    """Findings about the state at ``url``; with none worse than OK it is sound.

    It may be in use meanwhile: what is read is one moment of it, and nobody
    waits. ``quick`` leaves out the check of SQLite's indexes. ``pipelines`` are
    those of the settings, to notice a state of another site. Raises
    Misconfigured, AccessDenied and TryLater where it cannot be read at all.
    """
    target = state_url(url)
    file = sqlite_file(target)
    if file is not None:
        require_owner(file)
        if not file.exists():
            raise Misconfigured(f"there is no state at {file} yet; start the service once")
        if not writer_has(file):
            try:
                require_sound(file)
            except Misconfigured as error:
                # To open it for more would fold the strange log into it.
                return [_mode(file), Finding("structure", FindingLevel.ERROR, str(error), _RESTORE)]
        return verify_file(file, quick=quick, pipelines=pipelines)
    engine = make_engine(target, wait_for_lock_s=0)
    if target.get_backend_name() == "postgresql":
        engine = engine.execution_options(isolation_level="REPEATABLE READ")
    try:
        return _contents(engine, pipelines)
    finally:
        engine.dispose()


def verify_file(
    file: Path, *, quick: bool = False, pipelines: Collection[str] = ()
) -> list[Finding]:
    """The same for a state or a backup in a SQLite file, which must exist."""
    found = [_mode(file)]
    try:
        with translated(), closing(connected(file)) as connection:
            found.extend(_structures(connection, quick=quick))
    except Misconfigured as error:
        return [*found, Finding("structure", FindingLevel.ERROR, str(error), _RESTORE)]
    if any(each.level is FindingLevel.ERROR for each in found):
        return found
    engine = create_engine("sqlite://", creator=lambda: connected(file), poolclass=NullPool)
    # One transaction, begun when it first reads: a writer is not kept waiting.
    try:
        return [*found, *_contents(engine, pipelines)]
    finally:
        engine.dispose()


def _mode(file: Path) -> Finding:
    mode = file.stat().st_mode & 0o777
    if mode & 0o077:
        told = f"others than its owner can reach {file} (mode {mode:04o}); it names buyers"
        return Finding("file", FindingLevel.WARNING, told, f"chmod 600 {file}")
    return Finding("file", FindingLevel.OK, f"{file}, for its owner only")


def _structures(connection: sqlite3.Connection, *, quick: bool) -> Iterator[Finding]:
    found = complaints(connection, quick=quick)
    if found:
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        told = "; ".join(found[:_SHOWN]) + more
        yield Finding("structure", FindingLevel.ERROR, told, _RESTORE)
        return
    left_out = ", the indexes were not compared" if quick else ""
    yield Finding("structure", FindingLevel.OK, f"sound{left_out}")
    dangling = connection.execute("PRAGMA foreign_key_check").fetchall()
    if dangling:
        told = f"{len(dangling)} rows point to rows that are not there"
        yield Finding("foreign keys", FindingLevel.ERROR, told, _RESTORE)
    else:
        yield Finding("foreign keys", FindingLevel.OK, "none points into the void")


def _contents(engine: Engine, pipelines: Collection[str]) -> list[Finding]:
    with translated(), engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN")
        schema = _schema(connection)
        found = [schema]
        if schema.level is FindingLevel.OK:
            found.extend(_pipelines(connection, pipelines))
            found.extend(_entries(connection))
            found.extend(_keys(connection))
            found.extend(_histories(connection))
            found.append(_prices(connection))
        connection.rollback()
    return found


def _schema(connection: Connection) -> Finding:
    query = text("SELECT version_num FROM alembic_version")
    known = connection.dialect.has_table(connection, "alembic_version")
    found = connection.scalar(query) if known else None
    if found == REVISION:
        return Finding("schema", FindingLevel.OK, f"{found}, as this version needs it")
    way_out = (
        "Run the newer version, or restore the backup made before the upgrade."
        if found is not None and found > REVISION
        else "Start the service, which upgrades it, and verify again."
    )
    told = f"{found or 'none'}, this version needs {REVISION}; the rest was not looked at"
    return Finding("schema", FindingLevel.ERROR, told, way_out)


def _pipelines(connection: Connection, expected: Collection[str]) -> Iterator[Finding]:
    if not expected:
        return
    query = select(ledger.c.pipeline).union(select(watermarks.c.pipeline))
    strange = sorted(set(connection.scalars(query)) - set(expected))
    if strange:
        told = f"it holds {', '.join(strange)}, which the settings do not name"
        remedy = "Is it the state of this site, or was a pipeline renamed? Then name it as it was."
        yield Finding("pipelines", FindingLevel.WARNING, told, remedy)


def _entries(connection: Connection) -> Iterator[Finding]:
    broken: dict[str, list[str]] = {}
    total = 0
    for found in connection.execute(select(ledger)).yield_per(500).mappings():
        row = dict(found)
        total += 1
        name = f"{row['number']} ({row['pipeline']})"
        for sentence, kept in _PROMISES:
            if not kept(row):
                broken.setdefault(sentence, []).append(name)
        wrong = _unreadable(row)
        if wrong is not None:
            broken.setdefault(wrong, []).append(name)
    for sentence, orders in broken.items():
        yield Finding("ledger", FindingLevel.ERROR, f"{_some(orders)} {sentence}", _ASK)
    if not broken:
        yield Finding("ledger", FindingLevel.OK, f"{total} orders, each as its state promises")


def _unreadable(row: Row) -> str | None:
    if row["state"] not in {each.value for each in S}:
        return None
    try:
        entry = rows.entry(row)
    except (ValueError, KeyError, TypeError):
        return "cannot be read back"
    if entry.order.order_id.value != row["order_id"]:
        return "hold another order than their own"
    return None


def _keys(connection: Connection) -> Iterator[Finding]:
    query = (
        select(ledger.c.pipeline, ledger.c.key, func.count())
        .group_by(ledger.c.pipeline, ledger.c.key)
        .having(func.count() > 1)
        .order_by(ledger.c.pipeline, ledger.c.key)
    )
    shared = [f"{key} ({pipeline})" for pipeline, key, _ in connection.execute(query)]
    if shared:
        told = f"{_some(shared)} is the key of several orders: the ERP would take one for another"
        yield Finding("keys", FindingLevel.ERROR, told, _ASK)
    else:
        yield Finding("keys", FindingLevel.OK, "each order has its own")


def _histories(connection: Connection) -> Iterator[Finding]:
    same = (
        (ledger_events.c.pipeline == ledger.c.pipeline)
        & (ledger_events.c.store_id == ledger.c.store_id)
        & (ledger_events.c.order_id == ledger.c.order_id)
    )
    silent = select(ledger.c.number).where(~select(ledger_events.c.id).where(same).exists())
    strays = select(ledger_events.c.order_id).distinct()
    strays = strays.where(~select(ledger.c.order_id).where(same).exists())
    without = list(connection.scalars(silent.order_by(ledger.c.number)))
    lost = list(connection.scalars(strays.order_by(ledger_events.c.order_id)))
    if without:
        told = f"{_some(without)} have none: part of the state is missing"
        yield Finding("history", FindingLevel.ERROR, told, _ASK)
    if lost:
        told = f"{_some(lost)} have a history and no entry: part of the ledger is missing"
        yield Finding("history", FindingLevel.ERROR, told, _RESTORE)
    if not without and not lost:
        yield Finding("history", FindingLevel.OK, "each order has one")


def _prices(connection: Connection) -> Finding:
    """What is missing here costs a run that compares with the store, and nothing else."""
    counted = select(func.count()).select_from(price_partitions).where(~IS_MARK)
    total = connection.scalar(counted) or 0
    missing = connection.scalar(counted.where(IS_LOST))
    if missing:
        told = f"of {missing} of {total} partitions it is not kept what they are made of"
        return Finding("prices", FindingLevel.WARNING, told, "tradesync resync prices")
    return Finding("prices", FindingLevel.OK, f"{total} partitions, each with what it is made of")


def _decided(row: Row) -> bool:
    return all(row[name] is not None for name in ("decision", "frozen", "customer_id"))


def _some(names: list[Any]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(map(str, names[:_SHOWN])) + more
