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
``writing_told``, and one that reads otherwise in ``reading_told``.

One that only reads, such as a place of files, inherits ``HttpReadingContract``. One that
reads a list page by page inherits ``HttpPagesContract``, too, once for each way in which
it does.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import MappingProxyType

import pytest

from sync.errors import AccessDenied, Misconfigured, OutcomeUnknown, SyncError, TryLater
from sync.kit.http import HttpLimits
from sync.testing import faulty_http as fault
from sync.testing.faulty_http import App, Exchange, Fault, FaultyHttp, Received, Reply

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
    "a drip": Expected(fault.slow_drip, TryLater, OutcomeUnknown, effect=True),
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


DOCUMENTS: dict[str, bytes] = {
    "null": b"null",
    "an empty list": b"[]",
    "an empty object": b"{}",
    "a number": b"7",
    "a text": b'"welcome"',
    "another object": b'{"status": "ok"}',
}
"""JSON that is sound and no answer to anything, as proxies and other services give it."""


def another_document(name: str) -> Fault:
    reply = Reply(200, DOCUMENTS[name], {"Content-Type": "application/json"})
    return lambda exchange: exchange.send(reply)


each_document = pytest.mark.parametrize("name", DOCUMENTS)


class _HttpContract:
    """What both contracts share: a faulty server, its patience, and no secret in an error."""

    canaries: Sequence[str] = ()

    @pytest.fixture
    def limits(self, request: pytest.FixtureRequest) -> HttpLimits:
        """For the connector: short where a server hangs until it is given up, patient
        elsewhere, so that a busy machine is not taken for a fault."""
        read_s = 1.0 if "hang" in request.node.name else 30.0
        drips = "drip" in request.node.name
        return HttpLimits(
            connect_s=30.0,
            read_s=read_s,
            total_s=1.0 if drips else 120.0,
            body_bytes=20_000_000 if drips else 200_000,
            unpacked_bytes=1_000_000,
        )

    @pytest.fixture
    def server(self, app: App) -> Iterator[FaultyHttp]:
        with FaultyHttp(app) as server:
            yield server
            server.release()

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


class HttpReadingContract(_HttpContract):
    """Inherit, name the point and the canaries, give the fixtures, and pass."""

    read_at = Point("GET", "/")
    reading_told: Mapping[str, type[SyncError]] = MappingProxyType({})
    """By the fault's name, what this connector makes of it, where it knows more."""
    unseen: Collection[str] = ()
    """Faults that only whoever uses what was read can see, such as a file cut short."""
    untried: Mapping[str, str] = MappingProxyType({})
    """Faults that it cannot be held to, each with the reason; they are skipped by name."""
    takes_any_document = False
    """True for what hands on any JSON, or any bytes, and leaves it to others to understand."""

    @pytest.mark.rule("OI-1", "OP-7")
    @each_fault
    def test_read_that_fails_says_whether_to_come_again_and_tells_no_secret(
        self, server: FaultyHttp, reading: Callable[[], object], name: str
    ) -> None:
        if name in self.untried:
            pytest.skip(f"{name}: {self.untried[name]}")
        expected = FAULTS[name]
        good = reading()
        server.on(expected.fault(), where=self.read_at.is_of)
        if name in self.unseen:
            assert reading() != good
            return
        with pytest.raises(self.reading_told.get(name, expected.reading)) as caught:
            reading()
        self.tells_nothing(caught.value)
        assert not server.unused
        server.release()
        assert reading() == good, "the connector is as good as before"

    @pytest.mark.rule("OP-1")
    @each_document
    def test_document_that_is_no_answer_is_not_taken_for_one(
        self, server: FaultyHttp, reading: Callable[[], object], name: str
    ) -> None:
        good = reading()
        server.on(another_document(name), where=self.read_at.is_of)
        if self.takes_any_document:
            reading()
        else:
            with pytest.raises(SyncError) as caught:
                reading()
            self.tells_nothing(caught.value)
        assert not server.unused
        assert reading() == good

    @pytest.mark.rule("OI-1")
    def test_answer_that_comes_twice_is_not_taken_for_the_next_one(
        self, server: FaultyHttp, reading: Callable[[], object]
    ) -> None:
        good = reading()
        server.on(fault.twice(), where=self.read_at.is_of, times=5)
        assert [reading() for _ in range(5)] == [good] * 5
        assert not server.unused

    @pytest.mark.rule("OP-1")
    @pytest.mark.parametrize("storm", [fault.too_many_requests, fault.unavailable])
    def test_storm_is_answered_with_one_request_for_each_call(
        self, server: FaultyHttp, reading: Callable[[], object], storm: Callable[[], Fault]
    ) -> None:
        good = reading()
        server.on(storm(), where=self.read_at.is_of, times=8)
        before = len(server.received)
        for _ in range(8):
            with pytest.raises(TryLater):
                reading()
        asked = sum(map(self.read_at.is_of, server.received[before:]))
        assert asked == 8, "trying again is the engine's business"
        assert reading() == good


class HttpConnectorContract(HttpReadingContract):
    """The same for one that writes, too."""

    write_at = Point("POST", "/")
    writing_told: Mapping[type[SyncError], type[SyncError]] = MappingProxyType({})
    """What this connector makes of a write's outcome, where that is not the outcome itself."""

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
        server.release()
        with server.down():
            pass  # by now whoever was given up has had its effect
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

    @pytest.mark.rule("OI-1")
    def test_write_whose_answer_comes_twice_is_one_write(
        self,
        server: FaultyHttp,
        writing: Callable[[], object],
        effects: Callable[[], int],
    ) -> None:
        before = effects()
        server.on(fault.twice(), where=self.write_at.is_of)
        writing()
        assert not server.unused
        assert effects() == before + 1


class HttpPagesContract(_HttpContract):
    """For a list that is read page by page: nothing of it is missed without a word.

    Beside ``app`` give ``listing``, which reads all of the list by the connector and gives
    the keys, of at least three pages; and ``put_first`` and ``drop_first``, which put an
    item in front of the list of the system, or take the first one away, as others do
    meanwhile. ``page_at`` is the request for a page.
    """

    page_at = Point("GET", "/")

    @pytest.mark.rule("OI-2", "MI-3")
    @pytest.mark.parametrize("page", [2, 3])
    def test_first_page_that_comes_again_is_no_end_and_no_circle(
        self, server: FaultyHttp, listing: Callable[[], Sequence[object]], page: int
    ) -> None:
        good = list(listing())
        before = len(server.received)
        kept: list[Reply] = []

        def first(exchange: Exchange) -> None:
            kept.append(exchange.answered_by_app())
            exchange.send(kept[0])

        server.on(first, where=self.page_at.is_of)
        if page > 2:
            server.on(fault.well, where=self.page_at.is_of, times=page - 2)
        server.on(lambda exchange: exchange.send(kept[0]), where=self.page_at.is_of, times=50)
        with suppress(SyncError):
            assert set(listing()) == set(good), "a part is passed off as the whole"
        assert sum(map(self.page_at.is_of, server.received[before:])) < 50, "it goes in circles"

    @pytest.mark.rule("OI-2", "MI-3")
    @pytest.mark.parametrize("how", ["put_first", "drop_first"])
    def test_item_that_comes_or_goes_meanwhile_hides_no_other(
        self,
        server: FaultyHttp,
        listing: Callable[[], Sequence[object]],
        how: str,
        request: pytest.FixtureRequest,
    ) -> None:
        change: Callable[[], object] = request.getfixturevalue(how)
        good = list(listing())
        server.on(fault.meanwhile(change), where=self.page_at.is_of, after=1)
        stays = set(good[1:])
        with suppress(TryLater):
            assert stays <= set(listing())
        assert not server.unused
        assert stays <= set(listing())

    @pytest.mark.rule("OI-2", "MI-3")
    @pytest.mark.parametrize("name", ["reset in the body", "half a document", "a notice"])
    @pytest.mark.parametrize("page", [2, 3])
    def test_page_that_cannot_be_read_is_no_end(
        self, server: FaultyHttp, listing: Callable[[], Sequence[object]], page: int, name: str
    ) -> None:
        good = list(listing())
        server.on(FAULTS[name].fault(), where=self.page_at.is_of, after=page - 1)
        with pytest.raises(SyncError):
            list(listing())
        assert list(listing()) == good
