"""Several at once, never more than agreed, and what was done is known when one fails."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Iterator

import pytest

from sync.errors import OutcomeUnknown, TryLater
from sync.kit.pool import together
from sync.testing import faulty_http as fault
from sync.testing.faulty_http import FaultyHttp
from tests.pools import failure_noticed
from tests.unit.kit.http_kit import Shop, a_session

PATIENCE_S = 30.0


def test_as_many_work_at_once_as_there_are_threads_and_never_more() -> None:
    at_work, most = 0, 0
    guard, all_there = threading.Lock(), threading.Barrier(4)

    def work(_: int) -> None:
        nonlocal at_work, most
        with guard:
            at_work += 1
            most = max(most, at_work)
        all_there.wait(PATIENCE_S)
        with guard:
            at_work -= 1

    done: list[int] = []
    together(range(12), work, threads=4, done=lambda job, _: done.append(job))

    assert most == 4
    assert sorted(done) == list(range(12))


def test_one_thread_is_the_callers_own_and_works_in_turn() -> None:
    worked: list[int] = []
    mine = threading.current_thread()

    def work(job: int) -> int:
        assert threading.current_thread() is mine
        worked.append(job)
        return job * 10

    done: list[tuple[int, int]] = []
    together(range(3), work, threads=1, done=lambda *each: done.append(each))
    assert worked == [0, 1, 2]
    assert done == [(0, 0), (1, 10), (2, 20)]


def test_a_job_is_taken_only_when_a_thread_is_free_for_it() -> None:
    taken: list[int] = []
    finished: list[int] = []

    def jobs() -> Iterator[int]:
        for each in range(20):
            assert len(taken) - len(finished) < 3
            taken.append(each)
            yield each

    together(jobs(), lambda job: job, threads=3, done=lambda job, _: finished.append(job))
    assert len(finished) == 20


def test_after_a_failure_nothing_begins_and_what_was_under_way_is_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun: list[int] = []
    failed = failure_noticed(monkeypatch, threads=2)

    def work(job: int) -> None:
        begun.append(job)
        if job == 1:
            raise TryLater("the store rests")
        assert failed.wait(PATIENCE_S)

    done: list[int] = []
    with pytest.raises(TryLater, match="rests"):
        together(range(100), work, threads=2, done=lambda job, _: done.append(job))

    assert done == [0]
    assert sorted(begun) == [0, 1]


@pytest.mark.parametrize("where", ["done", "jobs"])
def test_when_telling_or_asking_fails_the_caller_is_still_told_of_what_was_under_way(
    where: str,
) -> None:
    all_there = threading.Barrier(3)
    done: list[int] = []

    def jobs() -> Iterator[int]:
        for each in range(100):
            if where == "jobs" and each == 3:
                raise TryLater("no more of them")
            yield each

    def work(job: int) -> int:
        all_there.wait(PATIENCE_S)
        return job

    def tell(job: int, _: int) -> None:
        done.append(job)
        if where == "done" and len(done) == 1:
            raise TryLater("nobody listens")

    with pytest.raises(TryLater, match=r"no more|nobody"):
        together(jobs(), work, threads=3, done=tell)
    assert sorted(done) == [0, 1, 2]


def test_what_is_bound_to_the_log_is_bound_in_every_thread() -> None:
    run = contextvars.ContextVar("run", default="none")
    run.set("run-7")
    seen: list[str] = []
    together(range(4), lambda _: run.get(), threads=2, done=lambda _, each: seen.append(each))
    assert seen == ["run-7"] * 4


def test_no_thread_at_all_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="no thread"):
        together([1], str, threads=0)


@pytest.mark.parametrize("threads", [1, 4])
def test_a_server_that_loses_an_answer_has_what_was_done_and_no_more_than_was_sent(
    threads: int,
) -> None:
    shop = Shop()
    with FaultyHttp(shop) as server:
        session = a_session(server.url)
        server.on(fault.lost_reply(), method="POST", after=5, times=40)
        done: list[int] = []
        with pytest.raises(OutcomeUnknown):
            together(
                range(40),
                lambda job: session.write("POST", "/orders", json={"number": job}),
                threads=threads,
                done=lambda job, _: done.append(job),
            )
        session.close()
        server.release()

    there = {each["number"] for each in shop.orders}
    assert len(done) == 5
    assert set(done) < there
    assert 5 < len(there) <= 5 + threads
