"""The queue between an operator's command and the daemon, who alone writes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Connection, RowMapping, func, insert, select, update

from sync.domain import codec
from sync.ports.state import RequestState, ResyncRequest, ResyncScope
from sync.state.schema import requests

log = structlog.get_logger()


class SqlRequests:
    """Requests of one pipeline; the ID of another pipeline's is unknown here.

    IDs are "r" and a number: short enough to be read out over the phone.
    """

    def __init__(self, connection: Connection, pipeline: str) -> None:
        self._connection = connection
        self._pipeline = pipeline

    def ask(self, flow: str, scope: ResyncScope, actor: str, now: datetime) -> str:
        done = self._connection.execute(
            insert(requests).values(
                pipeline=self._pipeline,
                flow=flow,
                scope=codec.dumps(scope),
                actor=actor,
                state=RequestState.QUEUED.value,
                asked_at=now,
                done=0,
                message="",
                cancel_asked=False,
                result="{}",
            )
        )
        key = done.inserted_primary_key
        if key is None:
            raise RuntimeError("the database gave no number to the request")
        return f"r{key[0]}"

    def next(self, now: datetime) -> ResyncRequest | None:
        """One that cannot be read fails here, and says so; it holds up none behind it."""
        while (number := self._oldest()) is not None:
            name = f"r{number}"
            row = self._known(name)
            try:
                read_scope(row["scope"])
            except ValueError:
                log.exception("request.unreadable", request=name, flow=row["flow"])
                told = (
                    f"What {name} asks for cannot be read, so nothing was done; ask again:"
                    f" tradesync resync {row['flow']}"
                )
                self.finish(name, RequestState.FAILED, told, {"flow_failed": 1}, now)
                continue
            self._change(number, state=RequestState.RUNNING.value, begun_at=now)
            return self.get(name)
        return None

    def _oldest(self) -> int | None:
        """The number of the oldest queued one."""
        query = (
            select(requests.c.id)
            .where(
                requests.c.pipeline == self._pipeline,
                requests.c.state == RequestState.QUEUED.value,
            )
            .order_by(requests.c.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        return self._connection.scalar(query)

    def progress(self, request_id: str, done: int, total: int | None) -> bool:
        request = self._known(request_id)
        self._change(request["id"], done=done, total=total)
        return bool(request["cancel_asked"])

    def finish(
        self,
        request_id: str,
        state: RequestState,
        message: str,
        result: dict[str, int],
        now: datetime,
    ) -> None:
        self._change(
            self._known(request_id)["id"],
            state=state.value,
            message=message,
            result=json.dumps(result, sort_keys=True),
            finished_at=now,
        )

    def cancel(self, request_id: str) -> bool:
        """A queued one is cancelled at once, a running one when it next looks up.

        False for one that is over, or unknown.
        """
        request = self._find(request_id)
        if request is None:
            return False
        if request["state"] == RequestState.QUEUED.value:
            self._change(
                request["id"],
                state=RequestState.CANCELLED.value,
                cancel_asked=True,
                message="cancelled before it began",
            )
            return True
        if request["state"] == RequestState.RUNNING.value:
            self._change(request["id"], cancel_asked=True)
            return True
        return False

    def get(self, request_id: str) -> ResyncRequest | None:
        request = self._find(request_id)
        return None if request is None else _request(request)

    def last(self, limit: int = 20) -> Sequence[ResyncRequest]:
        """Newest first."""
        query = (
            select(requests)
            .where(requests.c.pipeline == self._pipeline)
            .order_by(requests.c.id.desc())
            .limit(limit)
        )
        return [_request(row) for row in self._connection.execute(query).mappings()]

    def requeue_running(self) -> int:
        """Those that somebody asked to cancel meanwhile are cancelled instead."""
        running = (
            requests.c.pipeline == self._pipeline,
            requests.c.state == RequestState.RUNNING.value,
        )
        self._connection.execute(
            update(requests)
            .where(*running, requests.c.cancel_asked.is_(True))
            .values(
                state=RequestState.CANCELLED.value, message="cancelled; the process ended meanwhile"
            )
        )
        counted = select(func.count()).select_from(requests).where(*running)
        count = self._connection.scalar(counted) or 0
        if count:
            self._connection.execute(
                update(requests)
                .where(*running)
                .values(state=RequestState.QUEUED.value, done=0, total=None)
            )
        return count

    def _find(self, request_id: str) -> RowMapping | None:
        number = request_id.removeprefix("r")
        if not (number.isascii() and number.isdigit() and len(number) < 10):
            return None
        query = select(requests).where(
            requests.c.pipeline == self._pipeline, requests.c.id == int(number)
        )
        return self._connection.execute(query.with_for_update()).mappings().one_or_none()

    def _known(self, request_id: str) -> RowMapping:
        request = self._find(request_id)
        if request is None:
            raise KeyError(f"there is no request {request_id}")
        return request

    def _change(self, number: int, **values: Any) -> None:
        self._connection.execute(update(requests).where(requests.c.id == number).values(**values))


def read_scope(text: str) -> ResyncScope:
    """Raises ValueError for what is none, or restricts by something unknown here.

    Elsewhere a field that is unknown is passed over. Here it would leave out a
    restriction, and a run for one account would become one for all of them.
    """
    body = json.loads(text)
    if not isinstance(body, dict) or not body.keys() <= _FIELDS:
        raise ValueError("no scope of a resync")
    scope: ResyncScope = codec.decode(ResyncScope, body)
    return scope


_FIELDS = frozenset({"is", *(each.name for each in fields(ResyncScope))})

_UNREADABLE = ResyncScope(order="(cannot be read)")
"""In place of a scope that cannot be read: it reaches nothing."""


def _shown_scope(text: str) -> ResyncScope:
    try:
        return read_scope(text)
    except ValueError:
        return _UNREADABLE


def _request(row: RowMapping) -> ResyncRequest:
    return ResyncRequest(
        request_id=f"r{row['id']}",
        flow=row["flow"],
        scope=_shown_scope(row["scope"]),
        actor=row["actor"],
        state=RequestState(row["state"]),
        asked_at=row["asked_at"],
        done=row["done"],
        total=row["total"],
        message=row["message"],
        cancel_asked=row["cancel_asked"],
        result=json.loads(row["result"]),
    )
