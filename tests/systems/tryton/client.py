"""Tryton as its own administrator sees it: past the adapter, over the same door."""

from __future__ import annotations

import base64
import json
from typing import Any

import requests

from erp_adapters.tryton.wire import decode, encode


class Fault(Exception):
    """What Tryton itself said: the class of the error and its parts."""

    @property
    def kind(self) -> str:
        return str(self.args[0])


class Tryton:
    def __init__(self, url: str, database: str, user: str, password: str) -> None:
        self._url = f"{url}/{database}/rpc/"
        self._http = requests.Session()
        self._http.trust_env = False
        self.user, self._token, *_ = self.raw("common.db.login", user, {"password": password})
        sign = base64.b64encode(f"{user}:{self.user}:{self._token}".encode()).decode()
        self._http.headers["Authorization"] = f"Session {sign}"
        self.context: dict[str, Any] = self.raw("model.res.user.get_preferences", True, {})

    def raw(self, method: str, *params: object) -> Any:
        body = {"id": 1, "method": method, "params": encode(params)}
        answer = self._http.post(self._url, json=body, timeout=60)
        answer.raise_for_status()
        said = json.loads(answer.text)
        if "error" in said:
            raise Fault(*said["error"])
        return decode(said["result"])

    def __call__(self, method: str, *params: object, **context: object) -> Any:
        """``call("sale.sale.read", [1], ["number"])``, in the administrator's company."""
        return self.raw(f"model.{method}", *params, {**self.context, **context})

    def create(self, model: str, **values: object) -> int:
        [number] = self(f"{model}.create", [values])
        return int(number)

    def find(self, model: str, *domain: object) -> list[int]:
        return [int(each) for each in self(f"{model}.search", list(domain))]

    def rows(self, model: str, domain: list[object], *fields: str) -> list[dict[str, Any]]:
        found = self(f"{model}.search_read", domain, 0, None, [("id", "ASC")], list(fields))
        return list(found)

    def close(self) -> None:
        self._http.close()
