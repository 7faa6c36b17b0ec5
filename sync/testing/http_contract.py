"""What a connector that speaks HTTP must make of a server that does everything wrong.

    class TestAcmeOverHttp(HttpConnectorContract):
        read_at, write_at = Point("GET", "/orders"), Point("POST", "/orders")
        canaries = ("the token", "a street of the order")

        @pytest.fixture
        def app(self): return AcmeShop()                    # answers as the real one does

        @pytest.fixture
        def acme(self, server, limits): return connector(server.url, limits)

        @pytest.fixture
        def reading(self, acme): return lambda: acme.order(KEY)

        @pytest.fixture
        def writing(self, acme): return lambda: acme.submit(ORDER)

        @pytest.fixture
        def effects(self, app): return lambda: len(app.orders)

Each fault meets the one request at ``read_at`` or ``write_at``; whatever else a
call asks before it goes well. Make the connector with the fixture ``limits``. Where
a system has one address for everything, a point tells its request by what is in
it: ``Point("POST", "/rpc", where=is_create)``. A connector that knows more about its
write than the session can, such as that it may be repeated, says so in
``writing_told``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import pytest

from sync.errors import AccessDenied, Misconfigured, OutcomeUnknown, SyncError, TryLater
from sync.kit.http import HttpLimits
from sync.testing import faulty_http as fault
from sync.testing.faulty_http import App, Fault, FaultyHttp, Received

ELSEWHERE = "https://evil.example/orders?key=a-secret-in-a-query"


@dataclass(frozen=True, slots=True)
class Point:
    """The request that a fault is for."""

    method: str
    path: str
    where: Callable[[Received], bool] | None = None

    def is_of(self, received: Received) -> bool:
        here = (received.method, received.path) == (self.method, self.path)
        return here and (self.where is None or self.where(received))


@dataclass(frozen=True, slots=True)
class Expected:
    """What a read and a write are told, and whether the write had its effect all the same."""

    fault: Callable[[], Fault]
    reading: type[SyncError]
    writing: type[SyncError]
    effect: bool = False


FAULTS: dict[str, Expected] = {
    "lost request": Expected(fault.lost_request, TryLater, OutcomeUnknown),
    "lost reply": Expected(fault.lost_reply, TryLater, OutcomeUnknown, effect=True),
    "hang": Expected(fault.hang, TryLater, OutcomeUnknown),
    "hang after the effect": Expected(
        lambda: fault.hang(effect=True), TryLater, OutcomeUnknown, effect=True
    ),
    "reset after the headers": Expected(
        fault.reset_after_headers, TryLater, OutcomeUnknown, effect=True
    ),
    "reset in the body": Expected(fault.reset_mid_body, TryLater, OutcomeUnknown, effect=True),
    "fewer bytes than promised": Expected(
        lambda: fault.wrong_length(5), TryLater, OutcomeUnknown, effect=True
    ),
    "more bytes than promised": Expected(
        lambda: fault.wrong_length(-5), TryLater, OutcomeUnknown, effect=True
    ),
    "half a document": Expected(fault.truncated_json, TryLater, OutcomeUnknown, effect=True),
    "a login page": Expected(fault.login_page, AccessDenied, OutcomeUnknown),
    "a notice": Expected(lambda: fault.login_page(form=False), TryLater, OutcomeUnknown),
    "too many": Expected(fault.too_many_requests, TryLater, TryLater),
    "unavailable": Expected(fault.unavailable, TryLater, OutcomeUnknown),
    "in maintenance": Expected(lambda: fault.unavailable("30"), TryLater, TryLater),
    "bad gateway": Expected(lambda: fault.status(502), TryLater, OutcomeUnknown),
    "gateway time-out": Expected(lambda: fault.status(504), TryLater, OutcomeUnknown),
    "server error": Expected(lambda: fault.status(500), TryLater, OutcomeUnknown),
    "request time-out": Expected(lambda: fault.status(408), TryLater, OutcomeUnknown),
    "gzip bomb": Expected(fault.gzip_bomb, Misconfigured, OutcomeUnknown),
    "too large": Expected(lambda: fault.oversized(300_000), Misconfigured, OutcomeUnknown),
    "too large, untold": Expected(
        lambda: fault.oversized(300_000, told=False), Misconfigured, OutcomeUnknown
    ),
    "moved elsewhere": Expected(lambda: fault.moved(ELSEWHERE), Misconfigured, Misconfigured),
    "found elsewhere": Expected(lambda: fault.moved(ELSEWHERE, 302), Misconfigured, OutcomeUnknown),
}
"""By name. An answer that is too large is one of more than 200,000 bytes."""

each_fault = pytest.mark.parametrize("name", FAULTS)


class HttpConnectorContract:
    """Inherit, name the points and the canaries, give the fixtures, and pass."""

    read_at = Point("GET", "/")
    write_at = Point("POST", "/")
    canaries: Sequence[str] = ()
    writing_told: Mapping[type[SyncError], type[SyncError]] = MappingProxyType({})
    """What this connector makes of a write's outcome, where that is not the outcome itself."""

    @pytest.fixture
    def limits(self, request: pytest.FixtureRequest) -> HttpLimits:
        """For the connector: short where a server hangs until it is given up, patient
        elsewhere, so that a busy machine is not taken for a fault."""
        read_s = 0.3 if "hang" in request.node.name else 5.0
        return HttpLimits(
            connect_s=5.0, read_s=read_s, body_bytes=200_000, unpacked_bytes=1_000_000
        )

    @pytest.fixture
    def server(self, app: App) -> Iterator[FaultyHttp]:
        with FaultyHttp(app) as server:
            yield server
            server.release()

    @pytest.mark.rule("OI-1", "OP-7")
    @each_fault
    def test_read_that_fails_says_whether_to_come_again_and_tells_no_secret(
        self, server: FaultyHttp, reading: Callable[[], object], name: str
    ) -> None:
        expected = FAULTS[name]
        good = reading()
        server.on(expected.fault(), where=self.read_at.is_of)
        with pytest.raises(expected.reading) as caught:
            reading()
        self.tells_nothing(caught.value)
        assert not server.unused
        server.release()
        assert reading() == good, "the connector is as good as before"

    @pytest.mark.rule("OI-1", "OP-7")
    @each_fault
    def test_write_that_fails_is_unknown_unless_it_surely_did_not_arrive(
        self,
        server: FaultyHttp,
        writing: Callable[[], object],
        effects: Callable[[], int],
        name: str,
    ) -> None:
        expected = FAULTS[name]
        before = effects()
        server.on(expected.fault(), where=self.write_at.is_of)
        with pytest.raises(self.writing_told.get(expected.writing, expected.writing)) as caught:
            writing()
        self.tells_nothing(caught.value)
        assert not server.unused
        assert (effects() > before) is expected.effect
        times = sum(map(self.write_at.is_of, server.received))
        assert times == 1, "a write is never repeated"

    @pytest.mark.rule("OI-1")
    def test_server_that_refuses_connections_was_told_nothing(
        self, server: FaultyHttp, reading: Callable[[], object], writing: Callable[[], object]
    ) -> None:
        with server.down():
            for ask in (reading, writing):
                with pytest.raises(TryLater) as caught:
                    ask()
                self.tells_nothing(caught.value)
        assert not server.received
        writing()

    def tells_nothing(self, error: BaseException) -> None:
        """Neither the message nor anything that a traceback would print below it is secret."""
        told = []
        shown: BaseException | None = error
        while shown is not None:
            told += [str(shown), repr(shown)]
            shown = shown.__cause__ or (None if shown.__suppress_context__ else shown.__context__)
        text = "\n".join(told)
        for canary in (*self.canaries, "a-secret-in-a-query"):
            assert canary not in text
        assert "?" not in str(error), "a query may hold a secret"
