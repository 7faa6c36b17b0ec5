"""An HTTP server that misbehaves on request, for whatever speaks HTTP.

``FaultyHttp(app)`` listens on 127.0.0.1 and answers each request with what the
``app`` says, a function from a request to a reply that may keep state of its own.
``server.on(fault)`` lets the next request that matches go wrong instead:

    with FaultyHttp(shop) as server:
        server.on(lost_reply(), method="POST", path="/orders")
        connector = Connector(server.url)

A fault is a function of the ``Exchange``. It decides whether the app sees the
request at all, so that a request that was lost can be told from one whose answer
was lost. Whatever hangs ends with ``release`` or with the server; nothing sleeps.
"""

from __future__ import annotations

import contextlib
import functools
import gzip
import http
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import TracebackType
from typing import BinaryIO
from urllib.parse import parse_qs, urlsplit

# Longer than any test; only there so that a forgotten hang ends one day.
_FOR_EVER_S = 60.0
_STEP_S = 0.002
_MOST_HEADERS = 200


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it came: ``number`` counts from 1, names of headers are small letters."""

    number: int
    method: str
    path: str
    query: Mapping[str, Sequence[str]]
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> object:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Reply:
    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, value: object, status: int = 200, **headers: str) -> Reply:
        """The value as JSON; ``retry_after="5"`` becomes the header Retry-After."""
        named = {name.replace("_", "-").title(): text for name, text in headers.items()}
        body = json.dumps(value).encode()
        return cls(status, body, {"Content-Type": "application/json", **named})


App = Callable[[Received], Reply]


class Exchange:
    """One request and the connection that its answer goes to."""

    def __init__(self, server: FaultyHttp, connection: socket.socket, received: Received) -> None:
        self._server, self._connection = server, connection
        self.received = received
        self.keeps_alive = received.headers.get("connection", "").lower() != "close"

    def answered_by_app(self) -> Reply:
        """Let the app see the request, with every effect that it has."""
        reply = self._server.app(self.received)
        self._server.replies.setdefault(self.received.path, reply)
        return reply

    def first_reply(self) -> Reply | None:
        """What this path was first answered with."""
        return self._server.replies.get(self.received.path)

    def send(self, reply: Reply, **headers: str | None) -> None:
        """The whole answer. Keywords set a header, or leave it out with None."""
        self.send_head(reply, **headers)
        if self.received.method != "HEAD":
            self.send_bytes(reply.body)

    def send_head(self, reply: Reply, **headers: str | None) -> None:
        named = {name.replace("_", "-").title(): text for name, text in headers.items()}
        standing = {
            "Date": _http_date(datetime.now(UTC)),
            "Content-Length": str(len(reply.body)),
            "Connection": "keep-alive" if self.keeps_alive else "close",
        }
        lines = [f"HTTP/1.1 {reply.status} {_phrase(reply.status)}"]
        for name, text in {**standing, **reply.headers, **named}.items():
            if text is not None:
                lines.append(f"{name}: {text}")
        self.send_bytes("\r\n".join((*lines, "", "")).encode("latin-1"))

    def send_bytes(self, data: bytes) -> None:
        self._connection.sendall(data)

    def reset(self) -> None:
        """End the connection so that the other side is told of a failure, not of an end."""
        self.keeps_alive = False
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._connection.close()

    def close(self) -> None:
        self.keeps_alive = False

    def wait(self, seconds: float = _FOR_EVER_S) -> bool:
        """Until released; True where it was."""
        return self._server.released.wait(seconds)


Fault = Callable[[Exchange], None]


@dataclass(slots=True)
class _Scripted:
    fault: Fault
    method: str | None
    path: str | None
    where: Callable[[Received], bool] | None
    skip: int
    times: int

    def takes(self, received: Received) -> bool:
        return (
            self.method in (None, received.method)
            and self.path in (None, received.path)
            and (self.where is None or self.where(received))
        )


def _nothing_here(_received: Received) -> Reply:
    return Reply.of({"message": "nothing here"}, 404)


class FaultyHttp:
    """A server for the length of a ``with`` block. ``received`` lists every request."""

    def __init__(self, app: App = _nothing_here) -> None:
        self.app = app
        self.received: list[Received] = []
        self.replies: dict[str, Reply] = {}
        self.released = threading.Event()
        self._script: list[_Scripted] = []
        self._guard = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._connections: set[socket.socket] = set()
        self._listener: socket.socket | None = None
        self._held: socket.socket | None = None
        self._port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def on(
        self,
        fault: Fault,
        *,
        method: str | None = None,
        path: str | None = None,
        where: Callable[[Received], bool] | None = None,
        after: int = 0,
        times: int = 1,
    ) -> FaultyHttp:
        """Let matching requests go wrong: so many ``times``, when ``after`` others went well.

        ``where`` looks at the request itself, for a system with one address for everything.
        Of several that match a request the one that was scripted first takes it.
        """
        with self._guard:
            self._script.append(_Scripted(fault, method, path, where, after, times))
        return self

    @property
    def unused(self) -> int:
        """Faults that never came up: a test that relies on them proves nothing."""
        with self._guard:
            return sum(each.times for each in self._script)

    def release(self) -> None:
        """Let everything that hangs end."""
        self.released.set()

    @contextmanager
    def down(self) -> Iterator[None]:
        """Refuse every connection, and end those that are open."""
        self._stop()
        try:
            yield
        finally:
            self._start()

    def __enter__(self) -> FaultyHttp:
        # Bound beside whoever listens, so that nobody else is given the port while it is down.
        self._held = _bound(0)
        self._port = self._held.getsockname()[1]
        self._start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()
        self._stop()
        if self._held is not None:
            self._held.close()
            self._held = None

    def _start(self) -> None:
        listener = _bound(self._port)
        listener.listen(16)
        self._listener = listener
        self._run(self._accept, listener)

    def _stop(self) -> None:
        if self._listener is not None:
            # Wakes up whoever waits in accept; closing alone does not.
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        with self._guard:
            connections, threads = list(self._connections), list(self._threads)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(_FOR_EVER_S)
        with self._guard:
            self._threads = [each for each in self._threads if each.is_alive()]

    def _run(self, work: Callable[[socket.socket], None], argument: socket.socket) -> None:
        thread = threading.Thread(target=work, args=(argument,), daemon=True)
        with self._guard:
            self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with self._guard:
                self._connections.add(connection)
            self._run(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection, connection.makefile("rb") as lines:
                while (received := self._read(lines)) is not None:
                    exchange = Exchange(self, connection, received)
                    self._fault_for(received)(exchange)
                    if not exchange.keeps_alive:
                        return
        except (OSError, ValueError):
            # The client went away, or the fault closed the connection itself.
            return
        finally:
            with self._guard:
                self._connections.discard(connection)

    def _read(self, lines: BinaryIO) -> Received | None:
        readline = lines.readline
        first = readline(65537).decode("latin-1").split()
        if len(first) != 3:
            return None
        headers: dict[str, str] = {}
        for _ in range(_MOST_HEADERS):
            name, found, text = readline(65537).decode("latin-1").partition(":")
            if not found:
                break
            headers[name.strip().lower()] = text.strip()
        length = int(headers.get("content-length", "0"))
        body = lines.read(length) if length else b""
        target = urlsplit(first[1])
        with self._guard:
            number = len(self.received) + 1
            received = Received(
                number, first[0], target.path, parse_qs(target.query), headers, body
            )
            self.received.append(received)
        return received

    def _fault_for(self, received: Received) -> Fault:
        with self._guard:
            for each in self._script:
                if not each.takes(received):
                    continue
                if each.skip:
                    each.skip -= 1
                    continue
                each.times -= 1
                if each.times == 0:
                    self._script.remove(each)
                return each.fault
        return well


def _bound(port: int) -> socket.socket:
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", port))
    return held


def well(exchange: Exchange) -> None:
    """No fault at all."""
    exchange.send(exchange.answered_by_app())


# The request never arrives, or its answer never comes.


def lost_request() -> Fault:
    """The connection is reset before the app sees the request."""
    return Exchange.reset


def lost_reply() -> Fault:
    """The app does what it is asked to, and the connection is reset before the answer."""

    def fault(exchange: Exchange) -> None:
        exchange.answered_by_app()
        exchange.reset()

    return fault


def hang(*, effect: bool = False) -> Fault:
    """No answer until released; with ``effect`` the app has done it all the same."""

    def fault(exchange: Exchange) -> None:
        if effect:
            exchange.answered_by_app()
        exchange.wait()
        exchange.close()

    return fault


# The answer breaks off.


def reset_after_headers() -> Fault:
    def fault(exchange: Exchange) -> None:
        exchange.send_head(exchange.answered_by_app())
        exchange.reset()

    return fault


def reset_mid_body() -> Fault:
    def fault(exchange: Exchange) -> None:
        reply = exchange.answered_by_app()
        exchange.send_head(reply)
        exchange.send_bytes(reply.body[: len(reply.body) // 2])
        exchange.reset()

    return fault


def slow_drip() -> Fault:
    """One byte after the other, for as long as the other side has patience."""

    def fault(exchange: Exchange) -> None:
        reply = exchange.answered_by_app()
        exchange.send_head(reply, content_length=str(10_000_000))
        while not exchange.wait(_STEP_S):
            exchange.send_bytes(b" ")
        exchange.close()

    return fault


def wrong_length(difference: int) -> Fault:
    """Content-Length says so many bytes more (or fewer) than there are."""

    def fault(exchange: Exchange) -> None:
        reply = exchange.answered_by_app()
        exchange.close()
        exchange.send(reply, content_length=str(len(reply.body) + difference), connection="close")

    return fault


# The answer is whole and wrong.


def status(code: int, body: object = None, **headers: str) -> Fault:
    """This status instead of the app's answer, which does not see the request."""
    said = {"message": _phrase(code)} if body is None else body
    return lambda exchange: exchange.send(Reply.of(said, code, **headers))


def too_many_requests(retry_after: str | None = None) -> Fault:
    """429, with whatever stands in Retry-After: seconds, a date or nonsense."""
    return status(429, **({} if retry_after is None else {"retry_after": retry_after}))


def unavailable(retry_after: str | None = None) -> Fault:
    """503; with ``times`` a storm of them."""
    return status(503, **({} if retry_after is None else {"retry_after": retry_after}))


def moved(to: str, code: int = 301) -> Fault:
    return status(code, location=to)


def truncated_json() -> Fault:
    """200, and the first half of the answer as if it were all."""

    def fault(exchange: Exchange) -> None:
        reply = exchange.answered_by_app()
        exchange.send(Reply(200, reply.body[: len(reply.body) // 2], reply.headers))

    return fault


def login_page(*, form: bool = True) -> Fault:
    """200 and a web page, as proxies and expired sessions answer; without ``form`` a notice."""
    inside = '<form><input type="password" name="pw"></form>' if form else "<h1>Back soon</h1>"
    page = f"<!doctype html><html><body>{inside}</body></html>".encode()

    def fault(exchange: Exchange) -> None:
        exchange.send(Reply(200, page, {"Content-Type": "text/html; charset=utf-8"}))

    return fault


def twice() -> Fault:
    """The same answer two times, one behind the other on the same connection."""

    def fault(exchange: Exchange) -> None:
        reply = exchange.answered_by_app()
        exchange.send(reply)
        exchange.send(reply)

    return fault


def first_page_again() -> Fault:
    """What this path was answered with first: page 2 is page 1."""

    def fault(exchange: Exchange) -> None:
        first = exchange.first_reply()
        exchange.send(exchange.answered_by_app() if first is None else first)

    return fault


def meanwhile(change: Callable[[], object]) -> Fault:
    """Something happens between two requests, such as an item that moves to another page."""

    def fault(exchange: Exchange) -> None:
        change()
        well(exchange)

    return fault


def clock_off(seconds: float) -> Fault:
    """The server's Date is so far ahead of the real time."""

    def fault(exchange: Exchange) -> None:
        date = _http_date(datetime.now(UTC) + timedelta(seconds=seconds))
        exchange.send(exchange.answered_by_app(), date=date)

    return fault


# Too much of it.


@functools.cache
def _packed(unpacked: int) -> bytes:
    return gzip.compress(b'"' + b" " * (unpacked - 2) + b'"')


def gzip_bomb(unpacked: int = 32 * 1024 * 1024) -> Fault:
    """A small answer that unpacks to so many bytes of JSON."""
    packed = _packed(unpacked)
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    return lambda exchange: exchange.send(Reply(200, packed, headers))


def oversized(size: int, *, told: bool = True) -> Fault:
    """So many bytes of JSON; with ``told`` the Content-Length says so before."""

    def fault(exchange: Exchange) -> None:
        body = b'"' + b" " * (size - 2) + b'"'
        reply = Reply(200, body, {"Content-Type": "application/json"})
        if told:
            exchange.send(reply)
        else:
            exchange.close()
            exchange.send(reply, content_length=None, connection="close")

    return fault


def _phrase(code: int) -> str:
    try:
        return http.HTTPStatus(code).phrase
    except ValueError:
        return "Unknown"


def _http_date(moment: datetime) -> str:
    return format_datetime(moment.replace(microsecond=0), usegmt=True)
