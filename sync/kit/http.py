"""The HTTP session that adapters share: careful about what it sends, takes and says.

Nothing of the environment is obeyed (proxies, ``.netrc``, certificate bundles):
a service talks to the systems in its settings and to no other. A redirect to
another host is not followed, since the credentials would go with it.

What went wrong is told by what the engine may do next. A read that fails may
simply be repeated. A write is only ever TryLater when it surely did not arrive;
whatever happens once a byte may have left is OutcomeUnknown, an answer that
cannot be understood included. Errors name the system, the method and the path,
and never a query, a header or a body, which hold credentials and buyers'
addresses; the library's own exception would, so only its kind rides along.
"""

from __future__ import annotations

import http.cookiejar
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from json import dumps
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
import urllib3.exceptions
from requests.adapters import HTTPAdapter

from sync.domain.times import CLOCK_ALARM_S
from sync.errors import (
    AccessDenied,
    Conflict,
    Misconfigured,
    NobodyAnswers,
    OutcomeUnknown,
    Rejected,
    RightMissing,
    SyncError,
    TryLater,
)
from sync.kit.addresses import why_no_host
from sync.kit.breaker import CircuitBreaker
from sync.kit.http_body import BadBody, TooLarge, read_body, strict_json
from sync.kit.http_words import http_date, retry_after_s, said_by
from sync.kit.limiter import TokenBucket
from sync.kit.options import Options
from sync.secrecy import looks_secret

BREAKS_OFF = frozenset({500, 504})
"""What a system answers where it breaks off at one record and serves all others."""

_MOST_REDIRECTS = 3
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_PLAIN = (
    "plain http lets anybody on the way read the credentials; use https, or say"
    " allow_plain_http = true for a network that is yours alone"
)
# Of these a server says in so many words that it did nothing.
_NOTHING_DONE = frozenset({301, 307, 308})
_SECRET_HEADERS = ("authorization", "cookie", "token", "key", "secret")
_SHORTEST_SECRET = 4
# Kept open at most, where they are reused: more threads than that ask no system.
_CONNECTIONS = 64


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Seconds to connect, between two pieces of an answer and for all of it; bytes of an
    answer as it comes and when it is unpacked."""

    connect_s: float = 5.0
    read_s: float = 30.0
    total_s: float = 120.0
    body_bytes: int = 32 * 1024 * 1024
    unpacked_bytes: int = 128 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply that is whole. ``headers`` have names in small letters."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    _translate: Callable[[str], SyncError] = field(repr=False)

    def json(self) -> Any:
        """The body as JSON: fractions are Decimal, and no key comes twice.

        Raises what an answer that cannot be understood means for its request:
        TryLater, or OutcomeUnknown after a write; AccessDenied for a login page.
        """
        try:
            return strict_json(self.body)
        except BadBody as error:
            raise self._translate(str(error)) from None


class HttpSession:
    """Requests to one system, by several threads. ``now`` and ``monotonic`` are a clock's.

    ``base_url`` must be https, but for this very machine or where
    ``allow_plain`` says so. ``headers`` go with every request and what they hold
    is masked in every message, as are ``secrets`` and what a query or a body calls
    a password, a token or a key. ``limiter`` and ``breaker``
    may be shared with other sessions to the same system.

    Each request has a connection of its own: a server or proxy that sends an
    answer twice would else give one buyer's answer to the question about
    another. ``reuse_connections`` trades that for two round trips a request.
    """

    def __init__(
        self,
        base_url: str,
        *,
        system: str,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
        headers: Mapping[str, str] | None = None,
        secrets: Collection[str] = (),
        ca_bundle: Path | None = None,
        allow_plain: bool = False,
        cookies: bool = False,
        reuse_connections: bool = False,
        limits: HttpLimits | None = None,
        limiter: TokenBucket | None = None,
        breaker: CircuitBreaker | None = None,
    ) -> None:
        self._base = sound_address(base_url, system, allow_plain=allow_plain)
        self._system, self._now, self._monotonic = system, now, monotonic
        self._limits = limits or HttpLimits()
        self._limiter, self._breaker = limiter, breaker
        self._verify: str | bool = str(ca_bundle) if ca_bundle is not None else True
        self._secrets = tuple(sorted({*_held_in(headers or {}), *secrets}, key=len, reverse=True))
        self._skew_s: float | None = None
        self._session = _Session()
        self._session.trust_env = False
        # Retrying is the engine's, which knows what is safe to repeat.
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=0, pool_maxsize=_CONNECTIONS))
        self._session.headers.update({"Accept": "application/json", "Accept-Encoding": "gzip"})
        if not reuse_connections:
            self._session.headers["Connection"] = "close"
        self._session.headers.update(headers or {})
        if not cookies:
            no_one = http.cookiejar.DefaultCookiePolicy(allowed_domains=[])
            self._session.cookies.set_policy(no_one)

    @property
    def clock_skew_s(self) -> float | None:
        """How far the system's clock was ahead of ours at its last answer; None: unknown."""
        return self._skew_s

    @property
    def clock_alarm(self) -> bool:
        return self._skew_s is not None and abs(self._skew_s) > CLOCK_ALARM_S

    def close(self) -> None:
        self._session.close()

    def read(
        self,
        path: str,
        *,
        method: str = "GET",
        params: Mapping[str, str] | None = None,
        json: object = None,
        headers: Mapping[str, str] | None = None,
        accept: Collection[int] = (),
    ) -> Answer:
        """Ask for something; repeating it does no harm, whatever the method.

        A status in ``accept`` is an answer and no error, such as 404 where there
        may be nothing. Raises TryLater, AccessDenied, Misconfigured, Conflict and
        Rejected.
        """
        return self._ask(_Asked(method, path, False, False), params, json, headers, accept)

    def write(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        json: object = None,
        headers: Mapping[str, str] | None = None,
        accept: Collection[int] = (),
    ) -> Answer:
        """Change something. TryLater means that nothing was changed.

        Raises OutcomeUnknown besides what ``read`` raises.
        """
        return self._ask(_Asked(method, path, True, False), params, json, headers, accept)

    def login(
        self,
        path: str,
        *,
        method: str = "POST",
        json: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Exchange credentials for a token. Being told to slow down is AccessDenied here:
        systems count refused logins, and one more may lock the account."""
        return self._ask(_Asked(method, path, False, True), None, json, headers, ())

    # One request

    def _ask(
        self,
        asked: _Asked,
        params: Mapping[str, str] | None,
        json: object,
        headers: Mapping[str, str] | None,
        accept: Collection[int],
    ) -> Answer:
        if self._limiter is not None:
            self._limiter.acquire()
        if self._breaker is not None:
            self._breaker.permit()
        up, about = False, None
        try:
            answer = self._sent(asked, params, json, headers)
            # What it refuses it refuses in good health.
            up = answer.status < 500
            if answer.status in BREAKS_OFF:
                about = (asked.method, self._url(asked), repr((params, json)))
            self._judge(asked, answer, accept)
            return answer
        finally:
            if self._breaker is not None and up:
                self._breaker.succeeded()
            elif self._breaker is not None:
                self._breaker.failed(about)

    def _sent(
        self,
        asked: _Asked,
        params: Mapping[str, str] | None,
        json: object,
        headers: Mapping[str, str] | None,
    ) -> Answer:
        url: str | None = self._url(asked)
        until = self._monotonic() + self._limits.total_s
        for _ in range(_MOST_REDIRECTS + 1):
            answer, response_url = self._once(asked, url, params, json, headers, until)
            url = self._followed(asked, answer, response_url)
            if url is None:
                return answer
            params = None  # they are in the new address, if they belong there
        raise Misconfigured(f"{self._told(asked)} is redirected again and again; check the address")

    def _once(
        self,
        asked: _Asked,
        url: str | None,
        params: Mapping[str, str] | None,
        json: object,
        headers: Mapping[str, str] | None,
        until: float,
    ) -> tuple[Answer, str]:
        given = dict(headers or {})
        data = None
        if json is not None:
            # Encoded before anything is sent, so that what cannot be is our own mistake.
            data = dumps(json, allow_nan=False, ensure_ascii=False).encode()
            given.setdefault("Content-Type", "application/json")
        before = self._now()
        try:
            response = self._session.request(
                asked.method,
                str(url),
                params=params,
                data=data,
                headers=given,
                timeout=(self._limits.connect_s, self._limits.read_s),
                verify=self._verify,
                allow_redirects=False,
                stream=True,
            )
            with response:
                self._note_clock(response.headers.get("Date"), before)
                body = read_body(
                    response.raw,
                    whole=asked.method != "HEAD" and response.status_code not in (204, 304),
                    packed_bytes=self._limits.body_bytes,
                    unpacked_bytes=self._limits.unpacked_bytes,
                    in_time=lambda: self._monotonic() < until,
                )
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise self._failed(asked, error) from _kind_of(error)
        except TooLarge as error:
            raise self._too_large(asked, str(error)) from None
        except BadBody as error:
            raise self._unclear(asked, str(error)) from None
        named = {name.lower(): text for name, text in response.headers.items()}

        def translate(why: str) -> SyncError:
            return self._not_json(asked, named, body, why)

        answer = Answer(response.status_code, named, body, translate)
        if response.status_code >= 400:
            # Only here: in a body of thousands of records it is a long search.
            held = (*_held_in(headers or {}), *_named_secret([params, json]))
            asked.said = said_by(named, body, (*self._secrets, *held))
        return answer, str(response.url)

    def _followed(self, asked: _Asked, answer: Answer, from_url: str) -> str | None:
        """Where a read is redirected to within its host; None where it is not."""
        location = answer.headers.get("location")
        if answer.status not in (301, 302, 303, 307, 308) or not location:
            return None
        try:
            to = urljoin(from_url, location)
            elsewhere = _origin(to) != _origin(self._base)
        except ValueError:
            to, elsewhere = "", True
        if elsewhere:
            if asked.writes and answer.status not in _NOTHING_DONE:
                raise self._unclear(asked, "it answered with a redirect to another host")
            host = urlsplit(to).hostname or "?"
            raise Misconfigured(
                f"{self._told(asked)} is redirected to another host ({host}), which is not"
                " followed: the credentials would go there too. Correct the address in the settings"
            )
        if asked.writes or asked.method not in ("GET", "HEAD"):
            if asked.writes and answer.status not in _NOTHING_DONE:
                raise self._unclear(asked, "it answered with a redirect")
            raise Misconfigured(f"{self._told(asked)} has moved; correct the address")
        return to

    # What an answer, or none, means

    def _judge(self, asked: _Asked, answer: Answer, accept: Collection[int]) -> None:
        code = answer.status
        if 200 <= code < 300 or code in accept:
            return
        wait_s = retry_after_s(answer.headers.get("retry-after"), self._now())
        said = f": {asked.said}" if asked.said else ""
        told = f"{self._told(asked)} answered {code}"
        if code in (401, 403, 407):
            kind = RightMissing if code == 403 and not asked.logs_in else AccessDenied
            raise kind(f"{told}{said}; check the credentials and rights in {self._system}")
        if code == 429:
            if asked.logs_in:
                raise AccessDenied(f"{told}{said}; too many logins, another may lock the account")
            if self._limiter is not None and wait_s is not None:
                self._limiter.pause(wait_s)
            raise TryLater(f"{told}, too many requests", retry_after_s=wait_s)
        if code == 503 and wait_s is not None:
            # It says when to come again, so it has done nothing.
            raise TryLater(f"{told}, it is busy or in maintenance", retry_after_s=wait_s)
        if code >= 500 or code in (408, 425):
            if asked.writes:
                raise OutcomeUnknown(f"{told}{said}; what became of it is not known")
            raise TryLater(f"{told}{said}", retry_after_s=wait_s)
        if code in (409, 412):
            raise Conflict(f"{told}{said}")
        if 400 <= code < 500:
            remedy = f"See what {self._system} objects to, correct it there or in the mapping."
            raise Rejected(f"{told}{said}", code=f"http_{code}", remedy=remedy)
        raise self._unclear(asked, f"it answered {code}")

    def _failed(self, asked: _Asked, error: Exception) -> SyncError:
        if _certificate(error):
            return Misconfigured(
                f"{self._told(asked)}: the certificate of {self._system} is not trusted; name its"
                " authority in the settings (verification cannot be switched off)"
            )
        if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.InvalidHeader):
            return Misconfigured(f"{self._told(asked)} cannot be sent: {type(error).__name__}")
        if _before_sending(error):
            return NobodyAnswers(f"{self._told(asked)}: {self._system} cannot be reached")
        why = "no answer in time" if _timed_out(error) else "the connection broke off"
        return self._unclear(asked, why)

    def _unclear(self, asked: _Asked, why: str) -> SyncError:
        """Something left and nothing that can be understood came back."""
        if asked.writes:
            return OutcomeUnknown(f"{self._told(asked)}: {why}; what became of it is not known")
        return TryLater(f"{self._told(asked)}: {why}")

    def _too_large(self, asked: _Asked, why: str) -> SyncError:
        if asked.writes:
            return self._unclear(asked, why)
        # Tomorrow it would be as large: somebody has to look.
        return Misconfigured(f"{self._told(asked)}: {why}; ask for smaller pages")

    def _not_json(
        self, asked: _Asked, headers: Mapping[str, str], body: bytes, why: str
    ) -> SyncError:
        page = "html" in headers.get("content-type", "") or body.lstrip()[:1] == b"<"
        if not page:
            return self._unclear(asked, why)
        if asked.writes:
            return self._unclear(asked, "it answered with a web page")
        if b"password" in body.lower():
            return AccessDenied(
                f"{self._told(asked)} leads to a login page; check the credentials and the address"
            )
        return TryLater(f"{self._told(asked)} answered with a web page instead of data")

    def _note_clock(self, date: str | None, before: datetime) -> None:
        theirs = http_date(date)
        if theirs is not None:
            ours = before + (self._now() - before) / 2
            self._skew_s = (theirs - ours).total_seconds()

    def _url(self, asked: _Asked) -> str:
        if "://" in asked.path or asked.path.startswith("//") or "?" in asked.path:
            raise ValueError(f"a path below the base address, without a query: {asked.told}")
        return f"{self._base}/{asked.path.lstrip('/')}"

    def _told(self, asked: _Asked) -> str:
        return f"{asked.method} {asked.told} in {self._system}"


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Redirects are judged above. Left to it, the library reads the body of every
        redirect first, however long it may be."""
        return None


@dataclass(slots=True)
class _Asked:
    """What was asked for, for the messages; ``said`` is what was answered, in short."""

    method: str
    path: str
    writes: bool
    logs_in: bool
    said: str = ""

    @property
    def told(self) -> str:
        return "/" + self.path.lstrip("/").partition("?")[0]


def stated_address(options: Options, example: str, *, allow_plain: bool) -> str:
    """The option ``url``; one that will not do is told among the problems."""
    url = options.needed("url", example)
    try:
        if url:
            sound_address(url, "the system", allow_plain=True)
            if not allow_plain and _is_plain(url):
                options.complain("url", _PLAIN)
    except Misconfigured as error:
        options.complain("url", str(error))
    return url.rstrip("/")


def _is_plain(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "http" and parts.hostname not in _LOOPBACK


def sound_address(base_url: str, system: str, *, allow_plain: bool) -> str:
    """The address without a slash at its end. Raises Misconfigured, without repeating it."""
    no_address = f"the address of {system} is no https address: write https://HOST/PATH"
    try:
        parts = urlsplit(base_url)
        port = parts.port
    except ValueError:
        # The library's own words repeat the address.
        raise Misconfigured(no_address) from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise Misconfigured(no_address)
    if not base_url.isprintable() or " " in base_url or "\\" in base_url:
        raise Misconfigured(no_address)
    if parts.username is not None or parts.query or parts.fragment:
        raise Misconfigured(
            f"the address of {system} must hold no credentials, query or fragment:"
            " secrets belong into credential files"
        )
    why = why_no_host(parts.hostname)
    if why is not None:
        raise Misconfigured(f"the host in the address of {system} {why}; correct the address")
    if not allow_plain and _is_plain(base_url):
        raise Misconfigured(
            f"the address of {system} is plain http: everybody on the way could read the"
            " credentials. Use https"
        )
    return base_url.rstrip("/")


def _origin(url: str) -> tuple[str, str, int | None, str | None]:
    """Whom it leads to, and as whom. Raises ValueError for what is no address."""
    parts = urlsplit(url)
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    return parts.scheme, (parts.hostname or "").lower(), port, parts.username


def _held_in(headers: Mapping[str, str]) -> set[str]:
    """The credentials in these headers, without the word that says their kind."""
    found: set[str] = set()
    for name, text in headers.items():
        if any(part in name.lower() for part in _SECRET_HEADERS):
            found.update(part for part in (text, *text.split()) if len(part) >= _SHORTEST_SECRET)
    return found - {"Bearer", "Basic", "Token", "Digest"}


def _named_secret(value: object, secret: bool = False) -> Iterator[str]:
    """What stands under a name such as password or access_token, however deep."""
    if isinstance(value, Mapping):
        for name, below in value.items():
            yield from _named_secret(below, secret or looks_secret(str(name)))
    elif isinstance(value, list | tuple):
        for below in value:
            yield from _named_secret(below, secret)
    elif secret and isinstance(value, str) and len(value) >= _SHORTEST_SECRET:
        yield value


def _chain(error: BaseException) -> list[BaseException]:
    """The error and all that it wraps; the libraries do so in three different ways.

    What was being handled when it was raised says nothing of this request.
    """
    found: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        one = waiting.pop()
        if isinstance(one, BaseException) and one not in found:
            found.append(one)
            waiting += [*one.args, getattr(one, "reason", None), one.__cause__]
    return found


def _before_sending(error: BaseException) -> bool:
    never = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)
    return any(isinstance(each, never) for each in _chain(error))


def _certificate(error: BaseException) -> bool:
    return any(type(each).__name__ == "SSLCertVerificationError" for each in _chain(error))


def _timed_out(error: BaseException) -> bool:
    return any(isinstance(each, TimeoutError | requests.Timeout) for each in _chain(error)) or any(
        isinstance(each, urllib3.exceptions.ReadTimeoutError) for each in _chain(error)
    )


def _kind_of(error: BaseException) -> Exception:
    """What happened, by the names of the errors: their texts repeat the whole address."""
    return ConnectionError(" < ".join(type(each).__name__ for each in _chain(error)))
