"""The session against a server that does everything wrong that servers do."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sync.errors import AccessDenied, OutcomeUnknown, SyncError, TryLater
from sync.kit.breaker import BreakerState, CircuitBreaker
from sync.kit.http import HttpLimits, HttpSession
from sync.kit.limiter import TokenBucket
from sync.kit.paging import pages
from sync.testing import faulty_http as fault
from sync.testing.clock import ManualClock
from sync.testing.faulty_http import FaultyHttp
from sync.testing.http_contract import HttpConnectorContract, Point
from tests.unit.kit.http_kit import (
    CANARIES,
    ORDER,
    Shop,
    TickingClock,
    a_session,
    read,
    write,
)


@pytest.fixture
def shop() -> Shop:
    shop = Shop()
    shop.orders += [{"number": f"W-{number}", "notes": "x" * 200} for number in (101, 102, 103)]
    return shop


@pytest.fixture
def server(shop: Shop) -> Iterator[FaultyHttp]:
    with FaultyHttp(shop) as server:
        yield server
        server.release()


@pytest.fixture
def session(server: FaultyHttp) -> Iterator[HttpSession]:
    session = a_session(server.url)
    yield session
    session.close()


def test_a_good_answer_is_read_as_it_is(session: HttpSession, server: FaultyHttp) -> None:
    assert read(session)["total"] == "9.90"
    assert write(session) == {"id": 4}
    assert server.received[1].json() == ORDER
    assert server.received[1].headers["content-type"] == "application/json"


class TestSession(HttpConnectorContract):
    """The session itself, as the barest connector."""

    read_at, write_at = Point("GET", "/orders"), Point("POST", "/orders")
    canaries = CANARIES
    takes_any_document = True

    @pytest.fixture
    def session(self, server: FaultyHttp, limits: HttpLimits) -> Iterator[HttpSession]:
        session = a_session(server.url, limits=limits, monotonic=time.monotonic)
        yield session
        session.close()

    @pytest.fixture
    def app(self, shop: Shop) -> Shop:
        return shop

    @pytest.fixture
    def reading(self, session: HttpSession) -> Callable[[], object]:
        return lambda: read(session)

    @pytest.fixture
    def writing(self, session: HttpSession) -> Callable[[], object]:
        return lambda: write(session)

    @pytest.fixture
    def effects(self, shop: Shop) -> Callable[[], int]:
        return lambda: len(shop.orders)


def test_a_failure_names_the_request_and_the_system(
    session: HttpSession, server: FaultyHttp
) -> None:
    server.on(fault.status(500), times=2)
    with pytest.raises(TryLater, match="GET /orders in the shop"):
        read(session)
    with pytest.raises(OutcomeUnknown, match="POST /orders in the shop"):
        write(session)


@pytest.mark.rule("OI-1")
def test_earlier_failure_does_not_make_a_write_look_unsent(
    session: HttpSession, server: FaultyHttp
) -> None:
    """While a refused connection is being handled, a write leaves and its answer is lost."""
    server.on(fault.lost_reply(), method="POST")

    def write_while_handling() -> None:
        down = server.down()
        down.__enter__()
        try:
            read(session)
        except TryLater:
            down.__exit__(None, None, None)
            write(session)

    with pytest.raises(OutcomeUnknown):
        write_while_handling()


@pytest.mark.rule("OI-1")
def test_connection_that_the_server_closed_meanwhile_is_not_a_failure(server: FaultyHttp) -> None:
    session = a_session(server.url, reuse_connections=True)
    read(session)
    read(session)
    assert [each.headers["connection"] for each in server.received] == ["keep-alive"] * 2
    with server.down():
        pass
    assert read(session)["total"] == "9.90"
    session.close()


def test_host_that_never_lets_anybody_in_is_unreachable() -> None:
    """The queue of waiting connections is full, so this one is never made."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(3)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(("127.0.0.1", port))
        session = a_session(
            f"http://127.0.0.1:{port}", limits=HttpLimits(connect_s=0.1, read_s=0.1)
        )
        with pytest.raises(TryLater, match="cannot be reached"):
            write(session)
        session.close()
        for each in waiting:
            each.close()


@pytest.mark.rule("OI-1")
def test_answer_that_comes_twice_is_never_taken_for_the_next_one(
    session: HttpSession, server: FaultyHttp
) -> None:
    server.on(fault.twice(), times=60)
    for number in range(4, 34):
        assert write(session) == {"id": number}
        assert read(session)["total"] == "9.90"


def test_slow_drip_ends_when_all_of_it_takes_too_long(server: FaultyHttp) -> None:
    # Its clock ticks at each look; the real one must not come before.
    limits = HttpLimits(connect_s=30.0, read_s=30.0, total_s=5.0)
    session = a_session(server.url, TickingClock(), limits=limits)
    server.on(fault.slow_drip(), method="GET").on(fault.slow_drip(), method="POST")
    with pytest.raises(TryLater, match="took too long"):
        read(session)
    with pytest.raises(OutcomeUnknown, match="took too long"):
        write(session)
    session.close()


# Waiting.


@pytest.mark.rule("OP-1")
@pytest.mark.parametrize(
    "said, wait_s",
    [
        ("17", 17.0),
        ("1.5", 1.5),
        ("0", 0.0),
        ("Mon, 03 Mar 2025 09:00:30 GMT", 30.0),
        ("Mon, 03 Mar 2025 08:00:00 GMT", 0.0),
        ("99999999", 3600.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 3600.0),
        ("soon", None),
        ("-5", None),
        ("", None),
        ("١٢", None),
        ("1e400", None),
        ("Mon, 99 Foo 2025 25:61:61 GMT", None),
        (None, None),
    ],
)
def test_retry_after_is_kept_to_and_nonsense_in_it_survived(
    server: FaultyHttp, said: str | None, wait_s: float | None
) -> None:
    session = a_session(server.url, ManualClock())
    if said is not None:
        said = said.encode().decode("latin-1")
    server.on(fault.too_many_requests(said))
    with pytest.raises(TryLater) as caught:
        read(session)
    assert caught.value.retry_after_s == wait_s
    session.close()


@pytest.mark.rule("OP-1")
def test_too_many_requests_make_every_thread_rest(server: FaultyHttp) -> None:
    clock = ManualClock()
    bucket = TokenBucket(10, 5, monotonic=clock.monotonic, sleep=clock.sleep)
    session = a_session(server.url, clock, limiter=bucket)
    server.on(fault.too_many_requests("20"))
    with pytest.raises(TryLater):
        read(session)
    read(session)
    assert clock.slept == [20.0]
    session.close()


@pytest.mark.rule("OP-1")
def test_storm_opens_the_breaker_and_one_request_tries_again(server: FaultyHttp) -> None:
    clock = ManualClock()
    breaker = CircuitBreaker(failures=3, pause_s=60, monotonic=clock.monotonic)
    session = a_session(server.url, clock, breaker=breaker)
    server.on(fault.unavailable(), times=4)
    for _ in range(3):
        with pytest.raises(TryLater):
            read(session)
    with pytest.raises(TryLater, match="left alone") as caught:
        write(session)
    assert caught.value.retry_after_s == 60.0
    assert len(server.received) == 3, "it is left alone"

    clock.advance(60)
    with pytest.raises(TryLater, match="503"):
        read(session)
    assert breaker.state.value == "open"
    clock.advance(60)
    read(session)
    assert breaker.state is BreakerState.CLOSED
    session.close()


@pytest.mark.rule("OP-1")
def test_one_record_at_which_it_breaks_off_keeps_no_other_waiting(server: FaultyHttp) -> None:
    clock = ManualClock()
    breaker = CircuitBreaker(failures=3, pause_s=60, monotonic=clock.monotonic)
    session = a_session(server.url, clock, breaker=breaker)
    server.on(fault.status(500), times=5)
    for _ in range(5):
        with pytest.raises(TryLater):
            read(session)
    read(session)
    assert breaker.state is BreakerState.CLOSED
    session.close()


@pytest.mark.rule("OP-1")
@pytest.mark.parametrize("code", [400, 401, 404, 409, 422, 429])
def test_system_that_refuses_is_up(server: FaultyHttp, code: int) -> None:
    clock = ManualClock()
    breaker = CircuitBreaker(failures=2, monotonic=clock.monotonic)
    session = a_session(server.url, clock, breaker=breaker)
    server.on(fault.status(code), times=5)
    for _ in range(5):
        with pytest.raises(SyncError):
            read(session)
    assert breaker.state is BreakerState.CLOSED
    session.close()


@pytest.mark.rule("OP-1")
def test_lost_answers_and_refused_connections_open_the_breaker(server: FaultyHttp) -> None:
    clock = ManualClock()
    breaker = CircuitBreaker(failures=2, monotonic=clock.monotonic)
    session = a_session(server.url, clock, breaker=breaker)
    server.on(fault.lost_reply())
    with pytest.raises(OutcomeUnknown):
        write(session)
    with server.down(), pytest.raises(TryLater):
        read(session)
    assert breaker.state is BreakerState.OPEN
    session.close()


# Clocks.


@pytest.mark.parametrize("ahead_s", [3600, -3600, 90, 30, 0])
def test_clock_that_is_off_is_measured_and_raises_an_alarm(
    session: HttpSession, server: FaultyHttp, ahead_s: int
) -> None:
    assert session.clock_skew_s is None
    assert not session.clock_alarm
    server.on(fault.clock_off(ahead_s))
    read(session)
    assert session.clock_skew_s == pytest.approx(ahead_s, abs=3)
    assert session.clock_alarm is (abs(ahead_s) > 60)


@pytest.mark.parametrize("date", ["yesterday", "", None])
def test_date_that_is_none_leaves_the_skew_unknown(
    session: HttpSession, server: FaultyHttp, date: str | None
) -> None:
    server.on(lambda exchange: exchange.send(exchange.answered_by_app(), date=date))
    read(session)
    assert session.clock_skew_s is None


def test_clock_is_measured_on_refusals_too(session: HttpSession, server: FaultyHttp) -> None:
    server.on(fault.status(401, date="Mon, 03 Mar 2025 09:00:00 GMT"))
    with pytest.raises(AccessDenied):
        read(session)
    assert session.clock_alarm


# Pages.


def orders(session: HttpSession) -> list[str]:
    def fetch(cursor: str | None) -> tuple[list[Any], str | None]:
        start = int(cursor or 0)
        page = session.read("/orders", params={"from": str(start)}).json()["orders"]
        return page, str(start + 2) if page else None

    return [order["number"] for page in pages(fetch) for order in page]


@pytest.mark.rule("OI-2", "MI-3")
def test_second_page_that_is_the_first_is_no_end_of_the_feed(
    session: HttpSession, server: FaultyHttp
) -> None:
    assert orders(session) == ["W-101", "W-102", "W-103"]
    server.on(fault.first_page_again(), after=1)
    with pytest.raises(TryLater, match="the same page twice"):
        orders(session)


@pytest.mark.rule("OI-2")
def test_item_that_moves_back_between_pages_is_seen_twice(
    session: HttpSession, server: FaultyHttp, shop: Shop
) -> None:
    def comes_first() -> None:
        shop.orders.insert(0, {"number": "W-100"})

    server.on(fault.meanwhile(comes_first), after=1)
    assert orders(session) == ["W-101", "W-102", "W-102", "W-103"]


def test_cursor_that_leads_back_is_noticed() -> None:
    following = {None: (["a"], "1"), "1": (["b"], "2"), "2": (["c"], "1")}
    with pytest.raises(TryLater, match="has no end"):
        list(pages(lambda cursor: following[cursor]))


def test_empty_pages_are_no_repetition() -> None:
    following: dict[str | None, tuple[list[str], str | None]] = {
        None: ([], "1"),
        "1": ([], "2"),
        "2": (["c"], None),
    }
    assert list(pages(lambda cursor: following[cursor])) == [[], [], ["c"]]


# The server itself: what proves the others must be proven too.


def test_faults_that_never_came_up_are_counted(server: FaultyHttp) -> None:
    server.on(fault.status(500), path="/never", times=2)
    session = a_session(server.url)
    read(session)
    assert server.unused == 2
    session.close()


def test_fault_waits_for_its_request(session: HttpSession, server: FaultyHttp) -> None:
    server.on(fault.status(500), method="GET", path="/orders", after=2)
    read(session)
    write(session)
    read(session)
    with pytest.raises(TryLater):
        read(session)
    read(session)
    assert [each.number for each in server.received] == [1, 2, 3, 4, 5]


def test_server_that_was_down_comes_back_under_its_address(server: FaultyHttp) -> None:
    address = server.url
    port = int(address.rpartition(":")[2])
    with server.down(), socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind(("127.0.0.1", port))
    assert server.url == address
    session = a_session(address)
    read(session)
    session.close()


def test_answer_of_nothing_is_not_found() -> None:
    with FaultyHttp() as server:
        session = a_session(server.url)
        assert session.read("/anything", accept={404}).status == 404
        session.close()
