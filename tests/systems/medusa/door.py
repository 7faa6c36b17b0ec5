"""A door before the real server that notes what goes through it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple
from urllib.parse import urlencode

import requests

from sync.testing.faulty_http import FaultyHttp, Received, Reply


class Passed(NamedTuple):
    received: Received
    reply: Reply


class Door:
    """Forwards to Medusa; ``passed`` is everything that did, in order.

    Below ``closed`` it answers as Medusa does where there is no such route.
    """

    def __init__(self, url: str) -> None:
        self._url, self._http = url, requests.Session()
        self.passed: list[Passed] = []
        self.closed: str | None = None

    def __call__(self, received: Received) -> Reply:
        if self.closed is not None and received.path.startswith(self.closed):
            return Reply(404, b"Cannot POST", {"Content-Type": "text/html"})
        query = urlencode([(name, text) for name, some in received.query.items() for text in some])
        answer = self._http.request(
            received.method,
            f"{self._url}{received.path}" + (f"?{query}" if query else ""),
            data=received.body or None,
            headers={
                name: received.headers[name]
                for name in ("authorization", "content-type")
                if name in received.headers
            },
            timeout=120,
        )
        kind = {"Content-Type": answer.headers.get("content-type", "text/plain")}
        reply = Reply(answer.status_code, answer.content, kind)
        self.passed.append(Passed(received, reply))
        return reply

    def asked(self, method: str, ending: str = "") -> Sequence[Received]:
        return [
            received
            for received, _ in self.passed
            if received.method == method and received.path.endswith(ending)
        ]


@contextmanager
def a_door(url: str) -> Iterator[tuple[str, Door]]:
    """The address to enter by, and what went through."""
    door = Door(url)
    with FaultyHttp(door) as server:
        yield server.url, door
