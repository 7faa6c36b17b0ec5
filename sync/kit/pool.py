"""Several things at once against one system, no more than so many.

A bounded number of threads takes one job after the other from the caller's. The first
failure stops that: what is under way is waited for, nothing else begins, and the
caller has been told of each job that is done. So it may do the others again, or all.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from itertools import islice
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


def together(
    jobs: Iterable[T],
    work: Callable[[T], R],
    *,
    threads: int,
    done: Callable[[T, R], object] = lambda job, result: None,
) -> None:
    """``work`` of every job, of at most ``threads`` at once; in turn where that is 1.

    A job is taken from ``jobs`` when there is a thread for it. ``done`` is told of each
    that has worked, in the caller's own thread and as they finish; ``jobs`` is asked there
    too. Raises the first failure of any of the three, once nothing is under way any more.
    """
    if threads < 1:
        raise ValueError(f"no thread to work with: {threads}")
    if threads == 1:
        for job in jobs:
            done(job, work(job))
        return
    crew = _Crew(jobs, work, done, threads)
    with ThreadPoolExecutor(threads, thread_name_prefix="together") as pool:
        crew.work_on(pool)
    if crew.failure is not None:
        raise crew.failure


class _Crew(Generic[T, R]):
    """What is under way, and the first failure."""

    def __init__(
        self,
        jobs: Iterable[T],
        work: Callable[[T], R],
        done: Callable[[T, R], object],
        threads: int,
    ) -> None:
        self._waiting, self._work, self._done, self._threads = iter(jobs), work, done, threads
        self._under_way: dict[Future[R], T] = {}
        self.failure: Exception | None = None

    def work_on(self, pool: ThreadPoolExecutor) -> None:
        while True:
            with self._first_failure():
                self._begin(pool)
            if not self._under_way:
                return
            finished, _ = wait(self._under_way, return_when=FIRST_COMPLETED)
            for each in finished:
                job = self._under_way.pop(each)
                with self._first_failure():
                    self._done(job, each.result())

    def _begin(self, pool: ThreadPoolExecutor) -> None:
        if self.failure is not None:
            return
        for job in islice(self._waiting, self._threads - len(self._under_way)):
            # What is bound to the log goes along.
            context = contextvars.copy_context()
            self._under_way[pool.submit(context.run, self._work, job)] = job

    @contextmanager
    def _first_failure(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001 - it is raised once nothing is under way
            self.failure = self.failure or error
