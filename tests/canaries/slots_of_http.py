"""Secrets in requests and in what servers make of them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from functools import partial
from typing import Any

from sync.errors import SyncError
from sync.kit.http import HttpSession
from sync.testing import faulty_http as fault
from sync.testing.faulty_http import Exchange, FaultyHttp, Reply
from tests.canaries.places import Drive, Places
from tests.unit.kit.http_kit import a_session


def _echo(exchange: Exchange) -> str:
    """All that the request said, as a careless server repeats it."""
    asked = exchange.received
    return json.dumps([asked.path, asked.query, dict(asked.headers), asked.body.decode("latin-1")])


def _says(code: int, shape: Callable[[str], bytes], content: str) -> fault.Fault:
    def answer(exchange: Exchange) -> None:
        exchange.send(Reply(code, shape(_echo(exchange)), {"Content-Type": content}))

    return answer


def _message(told: str) -> bytes:
    return json.dumps({"error": {"message": told}}).encode()


def _page(told: str) -> bytes:
    return f"<html><body>{told} password</body></html>".encode()


def _elsewhere(exchange: Exchange) -> None:
    exchange.send(
        Reply(302, b"", {"Location": f"https://other.example/?t={_echo(exchange)[:300]}"})
    )


FAULTS: tuple[fault.Fault, ...] = (
    *(_says(code, _message, "application/json") for code in (400, 401, 403, 404, 409, 422, 500)),
    _says(200, _page, "text/html"),
    _says(200, lambda told: told.encode()[:-1], "application/json"),
    _says(500, _page, "text/html"),
    _elsewhere,
    fault.reset_after_headers(),
    fault.reset_mid_body(),
    fault.lost_reply(),
    fault.too_many_requests("5"),
    fault.unavailable("5"),
)

Request = Callable[[HttpSession, str], Any]


def _drive(places: Places, *, made: Callable[[str], dict[str, Any]], request: Request) -> None:
    server = places.server()
    secret = places.canary.plain + "-0123456789"
    with_it = made(secret)
    for each in FAULTS:
        _ask(places, server, each, with_it, lambda session: request(session, secret))
    with server.down():
        _ask(places, server, None, with_it, lambda session: request(session, secret))
    assert any(secret.encode() in _all_of(each) for each in server.received), "never sent"


def _all_of(received: fault.Received) -> bytes:
    told = json.dumps([received.query, dict(received.headers)]).encode() + received.body
    for word in json.dumps(dict(received.headers)).replace('"', " ").split():
        try:
            told += base64.b64decode(word, validate=True)
        except ValueError:
            continue
    return told


def _ask(
    places: Places,
    server: FaultyHttp,
    answer: fault.Fault | None,
    with_it: dict[str, Any],
    request: Callable[[HttpSession], Any],
) -> None:
    if answer is not None:
        server.on(answer)
    session = a_session(server.url, **with_it)
    try:
        request(session)
    except SyncError as error:
        places.hear_error(error)
        places.hear("repr", repr(error))
    else:
        raise AssertionError("a fault that nobody noticed")
    finally:
        session.close()
    places.hear("repr", repr(session))


def _read(session: HttpSession, secret: str) -> Any:
    return session.read("/orders", params={"page": "1"}).json()


def _read_with(session: HttpSession, secret: str, *, where: str) -> Any:
    return session.read("/orders", params={where: secret}).json()


def _per_call(session: HttpSession, secret: str) -> Any:
    return session.read("/orders", headers={"X-Api-Key": secret}).json()


def _posted(session: HttpSession, secret: str, *, field: str) -> Any:
    return session.write("POST", "/hooks", json={field: secret, "event": "order.paid"}).json()


def _login(session: HttpSession, secret: str) -> Any:
    return session.login("/auth", json={"user": "sync", "password": secret}).json()


def _header(name: str, kind: str) -> Callable[[str], dict[str, Any]]:
    return lambda secret: {"headers": {name: f"{kind} {secret}".strip()}}


def _basic(secret: str) -> dict[str, Any]:
    both = base64.b64encode(f"sync:{secret}".encode()).decode()
    return {"headers": {"Authorization": f"Basic {both}"}}


def _nothing(_secret: str) -> dict[str, Any]:
    return {"headers": {}}


def _known(secret: str) -> dict[str, Any]:
    return {"headers": {}, "secrets": [secret]}


WAYS = ("error text", "exception chain", "repr")
SLOTS: dict[str, Drive] = {
    "HTTP: a bearer token": partial(_drive, made=_header("Authorization", "Bearer"), request=_read),
    "HTTP: a key in a header of the shop's own": partial(
        _drive, made=_header("X-Shop-Access-Token", ""), request=_read
    ),
    "HTTP: basic authorisation": partial(_drive, made=_basic, request=_read),
    "HTTP: a header of one call": partial(_drive, made=_nothing, request=_per_call),
    "HTTP: a query that is a known secret": partial(
        _drive, made=_known, request=partial(_read_with, where="k")
    ),
    "HTTP: a query by its name": partial(
        _drive, made=_nothing, request=partial(_read_with, where="access_token")
    ),
    "HTTP: a login": partial(_drive, made=_nothing, request=_login),
    "HTTP: a body that a webhook might have": partial(
        _drive, made=_nothing, request=partial(_posted, field="client_secret")
    ),
}
