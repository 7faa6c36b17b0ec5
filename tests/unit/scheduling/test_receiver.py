"""The address at which stores tell of news: open to everybody, and believed by nobody."""

from __future__ import annotations

import http.client
import json
import os
import socket
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import structlog

from sync.domain.ids import WebOrderId
from sync.errors import Misconfigured, TryLater
from sync.kit.signatures import SIGNATURE_HEADER, signature
from sync.scheduling.hints import Hints
from sync.scheduling.receiver import LARGEST_BODY, Door, HintServer, Receiver
from sync.testing.clock import ManualClock
from sync.testing.store import MemoryStore

SECRET = "a secret of both sides"
BODY = json.dumps({"orders": ["order-001"]}).encode()
WAIT_S = 30.0


@pytest.fixture
def hints() -> Hints:
    return Hints()


@pytest.fixture
def server(clock: ManualClock, hints: Hints) -> Iterator[HintServer]:
    door = Door(MemoryStore(hints_secret=SECRET, clock=clock), (hints,))
    server = HintServer("127.0.0.1:0", Receiver({"shop": door}, clock))
    yield server
    server.close()


def signed(clock: ManualClock, body: bytes = BODY, secret: str = SECRET) -> dict[str, str]:
    return {SIGNATURE_HEADER: signature(body, secret, clock.now())}


def ask(
    server: HintServer, method: str, path: str, body: bytes = b"", headers: Any = None
) -> tuple[int, bytes]:
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=WAIT_S)) as caller:
        caller.request(method, path, body, headers or {})
        answer = caller.getresponse()
        return answer.status, answer.read()


def waiting(hints: Hints) -> tuple[WebOrderId, ...]:
    news = hints.take()
    return news.orders if news else ()


def test_a_signed_hint_is_taken_and_answered_with_nothing(
    server: HintServer, clock: ManualClock, hints: Hints
) -> None:
    assert ask(server, "POST", "/hints/shop", BODY, signed(clock)) == (204, b"")
    assert waiting(hints) == (WebOrderId("order-001"),)


def test_a_hint_reaches_every_pipeline_of_its_store_and_no_other(clock: ManualClock) -> None:
    first, second, foreign = Hints(), Hints(), Hints()
    doors = {
        "shop": Door(MemoryStore(hints_secret=SECRET, clock=clock), (first, second)),
        "other": Door(MemoryStore(hints_secret="the other store's own", clock=clock), (foreign,)),
    }
    with closing(HintServer("127.0.0.1:0", Receiver(doors, clock))) as server:
        assert ask(server, "POST", "/hints/shop", BODY, signed(clock))[0] == 204
        assert ask(server, "POST", "/hints/other", BODY, signed(clock))[0] == 401
    assert waiting(first) == waiting(second) == (WebOrderId("order-001"),)
    assert waiting(foreign) == ()


@pytest.mark.rule("WA-2e")
def test_a_forgery_is_refused_and_leaves_nothing(
    server: HintServer, clock: ManualClock, hints: Hints
) -> None:
    forgeries = [
        {},
        {SIGNATURE_HEADER: ""},
        {SIGNATURE_HEADER: "t=1,v1=" + "0" * 64},
        {SIGNATURE_HEADER: "é" * 70},
        {"X-Other-Signature": signature(BODY, SECRET, clock.now())},
        signed(clock, BODY + b" "),
        signed(clock, secret="guessed, and wrong"),
    ]
    for headers in forgeries:
        assert ask(server, "POST", "/hints/shop", BODY, headers) == (401, b"")
    clock.advance(3600)
    stale = {SIGNATURE_HEADER: signature(BODY, SECRET, ManualClock().now())}
    assert ask(server, "POST", "/hints/shop", BODY, stale)[0] == 401
    assert hints.take() is None


def test_signed_nonsense_is_told_from_a_hint(
    server: HintServer, clock: ManualClock, hints: Hints
) -> None:
    for body in (b"", b"{}", b'{"orders": 7}', b"<html>"):
        assert ask(server, "POST", "/hints/shop", body, signed(clock, body)) == (400, b"")
    assert hints.take() is None


@pytest.mark.parametrize(
    "method, path, status",
    [
        ("GET", "/hints/shop", 405),
        ("PUT", "/hints/shop", 405),
        ("POST", "/", 404),
        ("POST", "/hints/", 404),
        ("POST", "/hints/shop/", 404),
        ("POST", "/hints/../hints/shop", 404),
        ("POST", "/hints/nobody", 404),
        ("GET", "/metrics", 404),
    ],
)
def test_nothing_else_is_served_there(
    server: HintServer, clock: ManualClock, hints: Hints, method: str, path: str, status: int
) -> None:
    assert ask(server, method, path, BODY, signed(clock)) == (status, b"")
    assert hints.take() is None


def test_a_body_without_end_is_not_read_to_its_end(
    server: HintServer, clock: ManualClock, hints: Hints
) -> None:
    body = b" " * (LARGEST_BODY + 1)
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=WAIT_S)) as caller:
        caller.putrequest("POST", "/hints/shop")
        caller.putheader("Content-Length", str(1024**4))
        caller.endheaders()
        assert caller.getresponse().status == 413
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=WAIT_S)) as caller:
        try:
            caller.request("POST", "/hints/shop", body, signed(clock, body))
            assert caller.getresponse().status == 413
        except (BrokenPipeError, ConnectionResetError):
            pass  # it hung up in the middle, which says the same
    assert hints.take() is None


def test_callers_who_never_finish_do_not_keep_a_genuine_hint_out(
    server: HintServer, clock: ManualClock, hints: Hints
) -> None:
    slow = [socket.create_connection(("127.0.0.1", server.port), WAIT_S) for _ in range(30)]
    try:
        for each in slow:
            each.sendall(b"POST /hints/shop HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        assert ask(server, "POST", "/hints/shop", BODY, signed(clock))[0] == 204
    finally:
        for each in slow:
            each.close()
    assert waiting(hints) == (WebOrderId("order-001"),)


def test_what_is_no_http_is_hung_up_on_and_the_next_hint_is_taken(
    server: HintServer, clock: ManualClock, hints: Hints
) -> None:
    for garbage in (b"\x16\x03\x01\x02\x00\x01\x00", b"\r\n\r\n", b"POST\x00 / HTTP/9\r\n\r\n"):
        with closing(socket.create_connection(("127.0.0.1", server.port), WAIT_S)) as caller:
            caller.sendall(garbage)
            caller.shutdown(socket.SHUT_WR)
            caller.recv(4096)
    assert ask(server, "POST", "/hints/shop", BODY, signed(clock))[0] == 204
    assert waiting(hints) == (WebOrderId("order-001"),)


@pytest.mark.rule("OP-7")
def test_a_flood_of_forgeries_is_counted_in_the_log_and_never_quoted(
    clock: ManualClock, hints: Hints
) -> None:
    door = Door(MemoryStore(hints_secret=SECRET, clock=clock), (hints,))
    receiver = Receiver({"shop": door}, clock)
    forged = b'{"orders": ["forged-canary"]}'
    server = HintServer("127.0.0.1:0", receiver)
    with structlog.testing.capture_logs() as lines, closing(server):
        for _ in range(50):
            headers = {SIGNATURE_HEADER: "header-canary"}
            assert ask(server, "POST", "/hints/shop", forged, headers)[0] == 401
        clock.advance(61)
        assert ask(server, "POST", "/hints/shop", forged)[0] == 401
    told = [line for line in lines if line["event"] == "hint.refused"]
    assert [line["not_signed"] for line in told] == [1, 50]
    assert "canary" not in repr(lines)


def test_an_error_of_our_own_tells_a_stranger_nothing(clock: ManualClock, hints: Hints) -> None:
    class Broken(MemoryStore):
        def hinted_orders(self, delivery: object) -> Any:
            raise ZeroDivisionError("inner workings")

    door = Door(Broken(hints_secret=SECRET, clock=clock), (hints,))
    with closing(HintServer("127.0.0.1:0", Receiver({"shop": door}, clock))) as server:
        assert ask(server, "POST", "/hints/shop", BODY, signed(clock)) == (500, b"")


def test_an_address_that_is_taken_is_named_with_its_setting(
    server: HintServer, clock: ManualClock
) -> None:
    """It may be free in a moment: that is no reason for orders to stay out for good."""
    with pytest.raises(TryLater, match=r"service\.hints_listen: 127\.0\.0\.1.*in use; stop what"):
        HintServer(f"127.0.0.1:{server.port}", Receiver({}, clock))


def test_an_address_that_this_machine_does_not_have_yet_is_tried_again(clock: ManualClock) -> None:
    with pytest.raises(TryLater, match=r"service\.hints_listen: 192\.0\.2\.1:0 .*bring up"):
        HintServer("192.0.2.1:0", Receiver({}, clock))


def test_what_is_no_address_is_a_mistake_in_the_settings(clock: ManualClock) -> None:
    with pytest.raises(Misconfigured, match=r"service\.hints_listen: no\.address\.invalid:0"):
        HintServer("no.address.invalid:0", Receiver({}, clock))


def test_nobody_listens_after_the_end(clock: ManualClock) -> None:
    server = HintServer("127.0.0.1:0", Receiver({}, clock))
    port = server.port
    server.close()
    server.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), WAIT_S)


@pytest.mark.rule("OP-1")
def test_it_closes_where_somebody_else_wakes_its_thread_first(
    server: HintServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer that is ready wakes the thread, too; what is to be done is then done."""
    trigger = server._server.trigger
    pull = trigger._physical_pull

    def overtaken() -> None:
        pull()
        server._thread.join(WAIT_S)
        pull()

    monkeypatch.setattr(trigger, "_physical_pull", overtaken)
    read_end, write_end = trigger._fds

    server.close()

    assert not server._thread.is_alive()
    for each in (read_end, write_end):
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(each)
    with pytest.raises(OSError, match="refused"):
        ask(server, "POST", "/hints/shop")
    server.close()
