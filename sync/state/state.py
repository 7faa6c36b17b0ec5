"""One pipeline's view of the state, a transaction at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property

from sqlalchemy import Connection, Engine

from sync.domain.ids import IdempotencyKey, StoreId
from sync.domain.order import StoreOrder
from sync.ports.clock import Clock
from sync.ports.state import DAEMON
from sync.state.audit import SqlAudit
from sync.state.contact_answers import SqlContactAnswers
from sync.state.erasing import SqlErasure
from sync.state.errors import translated
from sync.state.ledger import SqlLedger
from sync.state.mappings import SqlMappingVersions
from sync.state.plans import SqlPlans
from sync.state.price_memory import SqlPriceMemory
from sync.state.record_memory import SqlRecordMemory
from sync.state.registrations import SqlRegistrations
from sync.state.requests import SqlRequests
from sync.state.runs import SqlRuns
from sync.state.settlements import SqlSettlements
from sync.state.systems import SqlSystems
from sync.state.watermarks import SqlWatermarks

# Engines with an open transaction, for each thread.
_open_here = threading.local()


class SqlTransaction:
    """Everything that one transaction may read and write; most need one part or two of it."""

    def __init__(
        self,
        connection: Connection,
        pipeline: str,
        store_id: StoreId,
        key_for: Callable[[StoreOrder], IdempotencyKey],
        now: Callable[[], datetime] | None,
        actor: str = DAEMON,
    ) -> None:
        self._actor = actor
        self._connection = connection
        self._pipeline = pipeline
        self._store_id = store_id
        self._key_for = key_for
        self._now = now

    @cached_property
    def ledger(self) -> SqlLedger:
        return SqlLedger(
            self._connection,
            self._pipeline,
            self._store_id,
            self._key_for,
            self._now,
            self._actor,
        )

    @cached_property
    def settlements(self) -> SqlSettlements:
        return SqlSettlements(self._connection, self._pipeline, self._store_id)

    @cached_property
    def watermarks(self) -> SqlWatermarks:
        return SqlWatermarks(self._connection, self._pipeline)

    @cached_property
    def runs(self) -> SqlRuns:
        return SqlRuns(self._connection, self._pipeline)

    @cached_property
    def requests(self) -> SqlRequests:
        return SqlRequests(self._connection, self._pipeline)

    @cached_property
    def plans(self) -> SqlPlans:
        return SqlPlans(self._connection, self._pipeline)

    @cached_property
    def mappings(self) -> SqlMappingVersions:
        return SqlMappingVersions(self._connection, self._pipeline)

    @cached_property
    def audit(self) -> SqlAudit:
        return SqlAudit(self._connection, self._pipeline)

    @cached_property
    def systems(self) -> SqlSystems:
        return SqlSystems(self._connection)

    @cached_property
    def erasure(self) -> SqlErasure:
        return SqlErasure(self._connection, self._pipeline, self._store_id)

    @cached_property
    def registrations(self) -> SqlRegistrations:
        return SqlRegistrations(self._connection, self._pipeline, self._store_id)

    @cached_property
    def price_memory(self) -> SqlPriceMemory:
        return SqlPriceMemory(self._connection, self._pipeline, self._store_id)

    @cached_property
    def record_memory(self) -> SqlRecordMemory:
        return SqlRecordMemory(self._connection, self._pipeline, self._store_id)

    @cached_property
    def contact_answers(self) -> SqlContactAnswers:
        return SqlContactAnswers(self._connection, self._pipeline)


class SqlState:
    """The state of one pipeline; several share an engine.

    ``key_for`` gives the idempotency key of an order at its discovery (see
    ``sync.state.keys.keys_of``); later the stored key is used. ``clock`` dates
    the few steps whose port passes no time; without it they carry the time of
    the step before them. ``actor`` is whose steps these are.
    """

    def __init__(
        self,
        engine: Engine,
        pipeline: str,
        store_id: StoreId,
        key_for: Callable[[StoreOrder], IdempotencyKey],
        clock: Clock | None = None,
        actor: str = DAEMON,
    ) -> None:
        self._actor = actor
        self._engine = engine
        self._pipeline = pipeline
        self._store_id = store_id
        self._key_for = key_for
        self._now: Callable[[], datetime] | None = clock.now if clock is not None else None

    @property
    def actor(self) -> str:
        return self._actor

    @contextmanager
    def transaction(self) -> Iterator[SqlTransaction]:
        """Commits at the end of the block, rolls back when it raises.

        Raises TryLater when the database is locked, full or away. Opening one
        within another is a RuntimeError: it would wait for itself.
        """
        mine: set[int] = _open_here.__dict__.setdefault("engines", set())
        if id(self._engine) in mine:
            raise RuntimeError("this thread has a transaction of the state open already")
        mine.add(id(self._engine))
        try:
            with translated(), self._engine.begin() as connection:
                yield SqlTransaction(
                    connection,
                    self._pipeline,
                    self._store_id,
                    self._key_for,
                    self._now,
                    self._actor,
                )
        finally:
            mine.discard(id(self._engine))
