"""A Tryton of a few answers, to see what the adapter asks and makes of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests
import responses

from erp_adapters.tryton.session import Rpc
from erp_adapters.tryton.settings import Settings
from erp_adapters.tryton.wire import decode, encode
from sync.testing.clock import ManualClock

URL = "https://erp.example"
PASSWORD = "a-password-of-nobody"
OPTIONS = {"url": URL, "database": "erp", "user": "sync", "web_shop": "webstore"}
PREFERENCES = {"company": 1, "companies": [1], "language": "en", "locale": {"date": "%d"}}

Answer = Callable[[list[Any]], Any]


class Refuses(Exception):
    """Tryton's own error: what stands in ``error`` of the answer."""

    def __init__(self, *error: object) -> None:
        super().__init__(*error)
        self.error = list(error)


class Status(Exception):
    """An answer that is no JSON at all."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class FakeTryton:
    """Answers by method; ``calls`` are methods with their parameters, context last."""

    def __init__(self, net: responses.RequestsMock) -> None:
        self.answers: dict[str, Answer] = {
            "common.db.login": lambda _: [7, "session-key", None],
            "model.res.user.get_preferences": lambda _: PREFERENCES,
        }
        self.calls: list[tuple[str, list[Any]]] = []
        self.tokens: list[str | None] = []
        for path in ("/erp/rpc/", "/rpc/"):
            net.add_callback(responses.POST, URL + path, callback=self._answer)

    def _answer(self, request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        assert request.body is not None
        body = json.loads(request.body)
        assert sorted(body) == ["id", "method", "params"], "another key changes the answer's shape"
        self.calls.append((body["method"], decode(body["params"])))
        self.tokens.append(request.headers.get("Authorization"))
        headers = {"Content-Type": "application/json", "Date": "Mon, 23 Nov 2026 10:00:00 GMT"}
        try:
            result = self.answers[body["method"]](decode(body["params"]))
        except Refuses as refused:
            return 200, headers, json.dumps({"id": body["id"], "error": refused.error})
        except Status as status:
            return status.code, {"Content-Type": "text/html"}, "<!doctype html>"
        return 200, headers, json.dumps({"id": body["id"], "result": encode(result)})

    def called(self, method: str) -> list[list[Any]]:
        return [params for each, params in self.calls if each == method]


def settings(**more: object) -> Settings:
    return Settings.read({**OPTIONS, **more}, {"password": PASSWORD}, Path("/site"))[0]


def rpc(clock: ManualClock | None = None, **more: object) -> Rpc:
    clock = clock or ManualClock()
    return Rpc(settings(**more), PASSWORD, now=clock.now, monotonic=clock.monotonic)
