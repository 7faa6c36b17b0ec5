"""Reads one batch ahead: while one is looked at, the next is on its way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def ahead(source: Iterator[T], stop: Callable[[], None]) -> Iterator[T]:
    """What ``source`` gives, taken from it in a thread of its own, one at a time.

    Whatever it raises comes out in its place. ``stop`` ends a step that is under way,
    for a reader who leaves early; nothing of the source runs any more afterwards.
    """
    with ThreadPoolExecutor(1, "feed") as thread:
        step = thread.submit(next, source, None)
        try:
            while (item := step.result()) is not None:
                step = thread.submit(next, source, None)
                yield item
        finally:
            if not step.done():
                stop()
