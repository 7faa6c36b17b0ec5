"""Several things at once against one system, no more than so many.

A bounded number of threads takes one job after the other from the caller's. The first
failure stops that: what is under way is waited for, nothing else begins, and the
caller has been told of each job that is done. So it may do the others again, or all.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import TypeVar

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
    that has worked, in the caller's own thread and as they finish. Raises the first
    failure, once nothing is under way any more.
    """
    if threads < 1:
        raise ValueError(f"no thread to work with: {threads}")
    if threads == 1:
        for job in jobs:
            done(job, work(job))
        return
    waiting = iter(jobs)
    under_way: dict[Future[R], T] = {}
    failure: BaseException | None = None
    with ThreadPoolExecutor(threads, thread_name_prefix="together") as pool:
        while True:
            if failure is None:
                for job in islice(waiting, threads - len(under_way)):
                    # What is bound to the log goes along.
                    context = contextvars.copy_context()
                    under_way[pool.submit(context.run, work, job)] = job
            if not under_way:
                break
            finished, _ = wait(under_way, return_when=FIRST_COMPLETED)
            for each in finished:
                job, error = under_way.pop(each), each.exception()
                if error is None:
                    done(job, each.result())
                elif failure is None:
                    failure = error
    if failure is not None:
        raise failure
