"""A door before the real server that loses what a test wants lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import requests

from sync.testing.faulty_http import Exchange, Fault, FaultyHttp, Received, Reply, well

_PASSED = ("content-type", "content-encoding", "date", "retry-after")


class Gateway:
    """Forwards to Tryton and notes the method of every call, in order."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.calls: list[str] = []

    def __call__(self, received: Received) -> Reply:
        self.calls.append(called(received))
        names = ("content-type", "authorization", "accept-encoding")
        headers = {name: received.headers[name] for name in names if name in received.headers}
        with (
            requests.Session() as http,
            http.post(
                self._url + received.path,
                data=received.body,
                headers=headers,
                timeout=60,
                stream=True,
            ) as answer,
        ):
            # As it came: the server says gzip where it has packed.
            body = answer.raw.read(decode_content=False)
        kept = {name: text for name, text in answer.headers.items() if name.lower() in _PASSED}
        return Reply(answer.status_code, body, kept)

    def count(self, method: str) -> int:
        return self.calls.count(method)


def called(received: Received) -> str:
    body = received.json()
    assert isinstance(body, dict)
    return str(body["method"])


def at(method: str, fault: Fault, *, times: int = 1) -> Fault:
    """The fault at the first calls of this method; everything else goes well."""
    left = times

    def chosen(exchange: Exchange) -> None:
        nonlocal left
        if left and called(exchange.received) == method:
            left -= 1
            fault(exchange)
        else:
            well(exchange)

    return chosen


def before(method: str, change: Callable[[], Any]) -> Fault:
    """Something happens in Tryton right before the first call of this method."""
    done = False

    def chosen(exchange: Exchange) -> None:
        nonlocal done
        if not done and called(exchange.received) == method:
            done = True
            change()
        well(exchange)

    return chosen


def open_gateway(url: str, *faults: Fault) -> tuple[FaultyHttp, Gateway]:
    """The server to enter, with its faults, and what it forwards."""
    gateway = Gateway(url)
    server = FaultyHttp(gateway)
    for fault in faults:
        server.on(fault, times=1_000_000)
    return server, gateway
