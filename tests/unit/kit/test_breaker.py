"""A system that is down is left alone, and asked once when its time has come."""

from __future__ import annotations

import threading

import pytest

from sync.errors import TryLater
from sync.kit.breaker import BreakerState, CircuitBreaker
from sync.testing.clock import ManualClock

pytestmark = pytest.mark.rule("OP-1")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def breaker(clock: ManualClock) -> CircuitBreaker:
    return CircuitBreaker(failures=3, pause_s=60, monotonic=clock.monotonic)


def fail(breaker: CircuitBreaker, times: int) -> None:
    for _ in range(times):
        breaker.permit()
        breaker.failed()


def is_refused(breaker: CircuitBreaker) -> float | None:
    with pytest.raises(TryLater) as caught:
        breaker.permit()
    return caught.value.retry_after_s


def test_single_failures_open_nothing(breaker: CircuitBreaker) -> None:
    for _ in range(10):
        fail(breaker, 2)
        breaker.permit()
        breaker.succeeded()
    assert breaker.state is BreakerState.CLOSED


def test_failures_in_a_row_open_it_and_say_how_long(
    breaker: CircuitBreaker, clock: ManualClock
) -> None:
    fail(breaker, 3)
    assert breaker.state is BreakerState.OPEN
    assert is_refused(breaker) == 60
    clock.advance(45)
    assert is_refused(breaker) == 15


def test_one_request_tries_and_the_others_wait_for_it(
    breaker: CircuitBreaker, clock: ManualClock
) -> None:
    fail(breaker, 3)
    clock.advance(60)
    assert breaker.state.value == "half_open"
    breaker.permit()
    assert is_refused(breaker) == 60
    breaker.succeeded()
    assert breaker.state is BreakerState.CLOSED
    breaker.permit()


def test_failed_try_opens_it_again_at_once(breaker: CircuitBreaker, clock: ManualClock) -> None:
    fail(breaker, 3)
    clock.advance(60)
    fail(breaker, 1)
    assert is_refused(breaker) == 60


def test_after_a_good_try_it_takes_all_failures_again(
    breaker: CircuitBreaker, clock: ManualClock
) -> None:
    fail(breaker, 3)
    clock.advance(60)
    breaker.permit()
    breaker.succeeded()
    fail(breaker, 2)
    assert breaker.state is BreakerState.CLOSED


def test_try_that_never_ended_gives_its_place_away(
    breaker: CircuitBreaker, clock: ManualClock
) -> None:
    fail(breaker, 3)
    clock.advance(60)
    breaker.permit()
    clock.advance(60)
    breaker.permit()


def test_of_many_threads_one_tries(breaker: CircuitBreaker, clock: ManualClock) -> None:
    fail(breaker, 3)
    clock.advance(60)
    passed: list[int] = []
    start = threading.Barrier(16)

    def ask(number: int) -> None:
        start.wait()
        try:
            breaker.permit()
        except TryLater:
            return
        passed.append(number)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(passed) == 1


@pytest.mark.parametrize("failures, pause_s", [(0, 60), (3, 0)])
def test_breaker_that_could_never_work_is_refused(failures: int, pause_s: float) -> None:
    with pytest.raises(ValueError, match="no breaker"):
        CircuitBreaker(failures, pause_s, monotonic=lambda: 0.0)
