"""The rate that was agreed is kept, by one thread and by many."""

from __future__ import annotations

import heapq
import random
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.errors import TryLater
from sync.kit.limiter import TokenBucket
from sync.testing.clock import ManualClock


def a_bucket(
    clock: ManualClock, per_second: float, burst: int = 1, longest_wait_s: float = 60.0
) -> TokenBucket:
    return TokenBucket(
        per_second,
        burst,
        monotonic=clock.monotonic,
        sleep=clock.sleep,
        longest_wait_s=longest_wait_s,
    )


def test_burst_goes_at_once_and_the_rest_in_its_turn() -> None:
    clock = ManualClock()
    bucket = a_bucket(clock, 2, 3)
    for _ in range(5):
        bucket.acquire()
    assert clock.slept == [0.5, 0.5]


def test_time_that_passes_is_saved_up_to_the_burst() -> None:
    clock = ManualClock()
    bucket = a_bucket(clock, 1, 2)
    for _ in range(2):
        bucket.acquire()
    clock.advance(3600)
    for _ in range(2):
        bucket.acquire()
    assert clock.slept == []
    bucket.acquire()
    assert clock.slept == [1.0]


@given(
    st.floats(0.1, 50),
    st.integers(1, 10),
    st.lists(st.floats(0, 5), min_size=1, max_size=40),
)
def test_no_window_holds_more_than_the_rate_allows(
    per_second: float, burst: int, pauses: list[float]
) -> None:
    clock = ManualClock()
    bucket = a_bucket(clock, per_second, burst, longest_wait_s=1000)
    went: list[float] = []
    for pause in pauses:
        clock.advance(pause)
        bucket.acquire()
        went.append(clock.monotonic())
    for first, begin in enumerate(went):
        for last in range(first, len(went)):
            allowed = burst + (went[last] - begin) * per_second
            assert last - first + 1 <= allowed + 1e-6


@pytest.mark.rule("OP-1")
def test_threads_share_one_rate() -> None:
    """Nobody sleeps for real: each thread's wait is only noted."""
    waits: list[float] = []
    bucket = TokenBucket(10, 1, monotonic=lambda: 0.0, sleep=waits.append)

    def work() -> None:
        for _ in range(25):
            bucket.acquire()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(waits) == pytest.approx([turn / 10 for turn in range(1, 200)])


class SharedClock:
    """Virtual time of several threads: it goes on to the next waking when all are asleep."""

    def __init__(self, threads: int) -> None:
        self._awake, self._now = threads, 0.0
        self._wakings: list[float] = []
        self._moved = threading.Condition()

    def monotonic(self) -> float:
        with self._moved:
            return self._now

    def sleep(self, seconds: float) -> None:
        with self._moved:
            until = self._now + seconds
            heapq.heappush(self._wakings, until)
            self._rest()
            assert self._moved.wait_for(lambda: self._now >= until, timeout=60)

    def leave(self) -> None:
        """This thread is done with its work."""
        with self._moved:
            self._rest()

    def _rest(self) -> None:
        self._awake -= 1
        if self._awake == 0 and self._wakings:
            self._now = self._wakings[0]
            while self._wakings and self._wakings[0] <= self._now:
                heapq.heappop(self._wakings)
                self._awake += 1
            self._moved.notify_all()


@pytest.mark.rule("OP-1")
@pytest.mark.parametrize("per_second, burst", [(300.0, 8), (300.0, 1), (37.5, 16), (790.0, 1)])
def test_sixteen_threads_attain_the_rate_and_do_not_exceed_it(
    per_second: float, burst: int
) -> None:
    """Each request takes up to 20 ms, so that the threads could do 800 a second or more."""
    threads, each = 16, 250
    clock = SharedClock(threads)
    bucket = TokenBucket(per_second, burst, monotonic=clock.monotonic, sleep=clock.sleep)
    went: list[float] = []

    def work(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(each):
            bucket.acquire()
            went.append(clock.monotonic())
            clock.sleep(chance.uniform(0.001, 0.02))
        clock.leave()

    workers = [threading.Thread(target=work, args=(seed,)) for seed in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    # The last ones go without the others: the rate is that of when all were at it.
    in_order = sorted(went)[: threads * each * 9 // 10]
    attained = (len(in_order) - burst) / (in_order[-1] - in_order[0])
    assert attained == pytest.approx(per_second, rel=0.01)


def test_wait_that_is_too_long_is_tried_later_and_takes_nobodys_turn() -> None:
    clock = ManualClock()
    bucket = a_bucket(clock, 1, longest_wait_s=5)
    bucket.acquire()
    bucket.pause(10)
    for _ in range(3):
        with pytest.raises(TryLater) as caught:
            bucket.acquire()
        assert caught.value.retry_after_s == pytest.approx(11)
    clock.advance(10)
    bucket.acquire()
    assert clock.slept == [1.0]


def test_rest_that_the_system_asked_for_is_kept_whatever_is_saved_up() -> None:
    clock = ManualClock()
    bucket = a_bucket(clock, 1, 10)
    bucket.pause(30)
    bucket.acquire()
    assert clock.slept == [30.0]
    bucket.acquire()
    assert clock.slept == [30.0, 1.0], "after a rest nobody starts with a burst"


def test_shorter_rest_does_not_end_a_longer_one() -> None:
    clock = ManualClock()
    bucket = a_bucket(clock, 1)
    bucket.pause(30)
    bucket.pause(5)
    bucket.acquire()
    assert clock.slept == [30.0]


@pytest.mark.parametrize("per_second, burst", [(0, 1), (-1, 1), (1, 0)])
def test_rate_that_lets_nobody_pass_is_refused(per_second: float, burst: int) -> None:
    with pytest.raises(ValueError, match="no rate"):
        a_bucket(ManualClock(), per_second, burst)
