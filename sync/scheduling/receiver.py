"""Where stores leave their hints: one address, a path for each store.

``POST /hints/NAME`` is answered as soon as the signature was looked at; what
the hint leads to happens elsewhere. The web server is waitress: it reads a whole
request before a thread is spent on it, so that somebody who sends a byte a
minute holds up nobody, and it bounds connections, headers and bodies.

Nothing that came is repeated in an answer or in the log: it may be a forgery
that was made to be read there.
"""

from __future__ import annotations

import errno
import socket
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog

from sync.bootstrap import Installation
from sync.errors import Misconfigured, NotGenuine, Rejected, TryLater
from sync.ports.clock import Clock
from sync.ports.store import Delivery, TakesHints
from sync.scheduling.hints import Hints

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

log = structlog.get_logger()

PATH = "/hints/"
LARGEST_BODY = 1024 * 1024
_THREADS = 4
_CONNECTIONS = 100
_SILENT_S = 10
_TOLD_EVERY_S = 60.0
_MAY_BE_HAD_LATER = {
    errno.EADDRINUSE: "stop what listens there, or write another port",
    errno.EADDRNOTAVAIL: "bring up the interface that has it, or write another address",
}


@dataclass(frozen=True, slots=True)
class Door:
    """A store, and the hints of every pipeline that it serves."""

    store: TakesHints
    hints: tuple[Hints, ...]


class Receiver:
    """The WSGI application. ``doors`` are the stores by their name in the settings."""

    def __init__(self, doors: Mapping[str, Door], clock: Clock) -> None:
        self._doors = doors
        self._refusals = _Tally(clock)

    def __call__(self, request: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        status = self._answer(request)
        start(status, [("Content-Length", "0"), ("Cache-Control", "no-store")])
        return [b""]

    def _answer(self, request: WSGIEnvironment) -> str:
        path = str(request.get("PATH_INFO", ""))
        door = self._doors.get(path.removeprefix(PATH)) if path.startswith(PATH) else None
        if door is None:
            return "404 Not Found"
        if request.get("REQUEST_METHOD") != "POST":
            return "405 Method Not Allowed"
        body = request["wsgi.input"].read(LARGEST_BODY + 1)
        if len(body) > LARGEST_BODY:
            return "413 Content Too Large"
        try:
            orders = door.store.hinted_orders(Delivery(_headers(request), body))
        except NotGenuine:
            self._refusals.count("not signed")
            return "401 Unauthorized"
        except Rejected:
            self._refusals.count("not understood")
            return "400 Bad Request"
        except Exception:
            # A fault of ours must not tell a stranger anything; the poll finds the order.
            log.exception("hint.failed")
            return "500 Internal Server Error"
        for hints in door.hints:
            hints.add(orders)
        return "204 No Content"


class _Tally:
    """Refused deliveries, told once a minute: a flood of forgeries must not fill the log."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._guard = threading.Lock()
        self._counts: dict[str, int] = {}
        self._told_at: float | None = None

    def count(self, why: str) -> None:
        with self._guard:
            self._counts[why] = self._counts.get(why, 0) + 1
            now = self._clock.monotonic()
            if self._told_at is not None and now - self._told_at < _TOLD_EVERY_S:
                return
            self._told_at = now
            counts, self._counts = self._counts, {}
        log.warning("hint.refused", **{each.replace(" ", "_"): n for each, n in counts.items()})


def _headers(request: WSGIEnvironment) -> dict[str, str]:
    return {
        name.removeprefix("HTTP_").replace("_", "-").lower(): str(value)
        for name, value in request.items()
        if name.startswith("HTTP_") or name == "CONTENT_TYPE"
    }


class HintServer:
    """The receiver at an address, in a thread of its own, until it is closed."""

    def __init__(self, address: str, receiver: Receiver) -> None:
        """Listens from now on.

        Raises TryLater where the address is taken or not there yet, and Misconfigured
        where it cannot be had.
        """
        from waitress.server import create_server  # only where hints are wanted

        self._socket = _bound(address)
        self._server: Any = create_server(
            receiver,
            sockets=[self._socket],
            threads=_THREADS,
            connection_limit=_CONNECTIONS,
            channel_timeout=_SILENT_S,
            cleanup_interval=_SILENT_S,
            max_request_body_size=LARGEST_BODY,
            expose_tracebacks=False,
            ident="",
        )
        self._port = int(self._socket.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, name="hints", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """Where it listens; of use where port 0 let the system choose."""
        return self._port

    def close(self) -> None:
        """Takes no further hint. May be called twice."""
        if self._thread.is_alive():
            # In its own thread, or it would sleep on over sockets that are gone.
            self._server.trigger.pull_trigger(self._hang_up)
            self._thread.join(timeout=5.0)
        if not (self._thread.is_alive() or self._server.task_dispatcher.threads):
            self._server.trigger.close()

    def _hang_up(self) -> None:
        """Ends the thread's loop, which lasts as long as there is something to listen at.

        The trigger stays open until nobody can pull it any more: whoever answers at
        this moment, and ``close`` itself, would write to a pipe that is gone, or to
        the file that has its number by then.
        """
        from waitress.wasyncore import dispatcher

        for channel in list(self._server.active_channels.values()):
            channel.handle_close()
        self._server.trigger.del_channel()
        dispatcher.close(self._server)

    def _serve(self) -> None:
        self._server.run()
        self._server.task_dispatcher.shutdown(timeout=1)


def _bound(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        # A port that a process left a moment ago is free again at once.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host.strip("[]"), int(port)))
    except OSError as error:
        bound.close()
        told = f"service.hints_listen: {address} cannot be listened at: {error}"
        if error.errno in _MAY_BE_HAD_LATER:
            raise TryLater(f"{told}; {_MAY_BE_HAD_LATER[error.errno]}") from error
        raise Misconfigured(told) from error
    return bound


def require_hints(installation: Installation) -> None:
    """Raises Misconfigured where hints are wanted and no store could sign one."""
    if installation.settings.service.hints_listen and not any(
        isinstance(each.store, TakesHints) and each.store.hints_expected
        for each in installation.pipelines.values()
    ):
        raise Misconfigured(
            "service.hints_listen: no store takes hints; give one its secret for them "
            "(its README says which), or leave hints_listen out"
        )


@contextmanager
def listening(installation: Installation, clock: Clock) -> Iterator[Mapping[str, Hints]]:
    """The hints of each pipeline whose store tells them, taken in until the end.

    Nothing where the settings name no address. Raises Misconfigured where no
    store could tell a genuine hint from a forged one.
    """
    address = installation.settings.service.hints_listen
    if not address:
        yield {}
        return
    require_hints(installation)
    hints: dict[str, Hints] = {}
    doors: dict[str, Door] = {}
    for name, pipeline in installation.pipelines.items():
        store = pipeline.store
        if isinstance(store, TakesHints) and store.hints_expected:
            hints[name] = Hints()
            system = pipeline.settings.store.name
            through = doors[system].hints if system in doors else ()
            doors[system] = Door(store, (*through, hints[name]))
    server = HintServer(address, Receiver(doors, clock))
    log.info("hints.listening", at=address, stores=sorted(doors))
    try:
        yield hints
    finally:
        server.close()
