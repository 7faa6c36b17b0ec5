"""JSON-RPC with Tryton: signed in once, and again where a session has ended.

A session ends a set time after its login however much it is used, so a 401 may
come at any call. It means that nothing was done, also for a write, which is why
the call may be repeated once behind a new login. A login that is refused is not
tried again for a while: after six of them Tryton locks the user out, and a
daemon with an old password would keep it locked.

Every call carries the context with the company. Without it prices, price lists
and payment terms read as null, and nobody says so.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from erp_adapters.tryton.errors import fault
from erp_adapters.tryton.settings import Settings
from erp_adapters.tryton.wire import Untyped, decode, encode
from sync.errors import AccessDenied, Misconfigured, OutcomeUnknown, SyncError, TryLater
from sync.kit.http import Answer, HttpLimits, HttpSession
from sync.kit.http_words import http_date

SYSTEM = "Tryton"
FIRST_PAUSE_S = 300.0
LONGEST_PAUSE_S = 3600.0
# What of the user's preferences decides on answers; the rest is for screens.
_CONTEXT = ("company", "companies", "company_filter", "language", "employee")

Context = Mapping[str, object]


class Rpc:
    """Calls of one database as one user, from several threads."""

    def __init__(
        self,
        settings: Settings,
        password: str,
        *,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
        limits: HttpLimits | None = None,
    ) -> None:
        self.settings = settings
        self._password = password
        self.monotonic = monotonic
        self._path = f"/{settings.database}/rpc/"
        self._http = HttpSession(
            settings.url,
            system=SYSTEM,
            now=now,
            monotonic=monotonic,
            secrets=(password,),
            ca_bundle=settings.ca_bundle,
            allow_plain=settings.allow_plain_http,
            limits=limits or HttpLimits(read_s=settings.timeout_s, total_s=4 * settings.timeout_s),
        )
        self._guard = threading.Lock()
        self._token: str | None = None
        self._user: int | None = None
        self._context: Context | None = None
        self._refused: AccessDenied | None = None
        self._refusals = 0
        self._not_before = 0.0

    @property
    def user(self) -> int:
        """The id of the user; asks for it where nobody has signed in yet."""
        _ = self._signed_in(None)
        if self._user is None:
            raise AccessDenied("Tryton told no user at login")
        return self._user

    @property
    def context(self) -> Context:
        """The user's company and language, as every call sends them.

        Raises Misconfigured for a user without a company.
        """
        if self._context is None:
            told = self._called("model.res.user.get_preferences", (True, {}), writing=False)
            found = {name: told[name] for name in _CONTEXT if told.get(name) is not None}
            if not isinstance(found.get("company"), int):
                raise Misconfigured(
                    f"user {self.settings.user} of Tryton has no company: without one Tryton"
                    " tells no prices, lists or terms. Set it in the user's preferences"
                )
            self._context = found
        return self._context

    def read(self, method: str, *given: object, **context: object) -> Any:
        """Ask for something. ``context`` is added to the user's."""
        return self._called(method, (*given, {**self.context, **context}), writing=False)

    def write(self, method: str, *given: object, **context: object) -> Any:
        """Change something, in one transaction of Tryton's.

        Raises Rejected, Conflict and OutcomeUnknown besides what ``read`` raises.
        """
        return self._called(method, (*given, {**self.context, **context}), writing=True)

    def server_version(self) -> str:
        """Answers without a login. Raises TryLater where nobody is there."""
        body = {"id": 0, "method": "common.server.version", "params": []}
        answer = self._http.read("/rpc/", method="POST", json=body)
        return str(_result(answer, "asking for the version", writing=False))

    def server_clock(self) -> datetime:
        """The server's own time, in whole seconds."""
        body = {"id": 0, "method": "common.server.version", "params": []}
        told = http_date(self._http.read("/rpc/", method="POST", json=body).headers.get("date"))
        if told is None:
            raise Misconfigured("Tryton's answers carry no Date; a proxy takes it away")
        return told.astimezone(UTC)

    @property
    def clock_skew_s(self) -> float | None:
        return self._http.clock_skew_s

    def close(self) -> None:
        self._http.close()

    # One call

    def _called(self, method: str, params: tuple[object, ...], *, writing: bool) -> Any:
        body = {"id": 1, "method": method, "params": encode(params)}  # these keys and no other
        token = self._signed_in(None)
        answer = self._sent(body, token, writing=writing)
        if answer.status == 401:
            token = self._signed_in(token)
            answer = self._sent(body, token, writing=writing)
        if answer.status == 401:
            raise AccessDenied(f"Tryton ends every session of {self.settings.user} at once")
        if answer.status == 404:
            raise Misconfigured(f"Tryton serves no database {self.settings.database}")
        return _result(answer, _doing(method), writing=writing)

    def _sent(self, body: Mapping[str, object], token: str, *, writing: bool) -> Answer:
        headers = {"Authorization": f"Session {token}"}
        accept = (401, 404)  # neither has done anything
        if writing:
            return self._http.write("POST", self._path, json=body, headers=headers, accept=accept)
        return self._http.read(self._path, method="POST", json=body, headers=headers, accept=accept)

    def _signed_in(self, ended: str | None) -> str:
        """A token, newer than ``ended``. Raises AccessDenied, and at once while it is paused."""
        with self._guard:
            if self._token is not None and self._token != ended:
                return self._token
            if self._refused is not None and self.monotonic() < self._not_before:
                raise AccessDenied(str(self._refused)) from self._refused
            try:
                self._token, self._user = self._login()
            except AccessDenied as refused:
                pause = min(FIRST_PAUSE_S * 2**self._refusals, LONGEST_PAUSE_S)
                self._refused, self._not_before = refused, self.monotonic() + pause
                self._refusals += 1
                self._token = None
                raise
            self._refused, self._refusals = None, 0
            return self._token

    def _login(self) -> tuple[str, int]:
        user = self.settings.user
        params = [user, {"password": self._password}]
        body = {"id": 0, "method": "common.db.login", "params": params}
        answer = self._http.login(self._path, json=body)
        try:
            found = _result(answer, f"signing in as {user}", writing=False)
        except Misconfigured as error:
            # A server that has only just started does not know its own users yet.
            raise TryLater(f"Tryton is not ready to sign {user} in: {error}") from error
        if not isinstance(found, list) or len(found) < 2 or not isinstance(found[0], int):
            raise AccessDenied(f"Tryton does not let {user} in; check user and password")
        number, key = found[0], str(found[1])
        token = base64.b64encode(f"{user}:{number}:{key}".encode()).decode()
        return token, number


def _result(answer: Answer, doing: str, *, writing: bool) -> Any:
    """What was asked for; the verdict is in the body, whatever the status."""
    said = answer.json()
    if not isinstance(said, dict) or ("result" in said) == ("error" in said):
        raise _unreadable(f"{doing}: an answer of unknown shape", writing=writing)
    if "error" in said:
        raise fault(said["error"], doing, writing=writing)
    try:
        return decode(said["result"])
    except Untyped as error:
        raise _unreadable(f"{doing}: {error}", writing=writing) from error


def _unreadable(message: str, *, writing: bool) -> SyncError:
    if writing:
        return OutcomeUnknown(f"{message}; what became of it is not known")
    return TryLater(message)


def _doing(method: str) -> str:
    """``model.sale.sale.quote`` as people read it."""
    return f"calling {method.removeprefix('model.')}"
