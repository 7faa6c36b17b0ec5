"""Reads a feed page by page, and notices a server that goes round in circles."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from sync.errors import TryLater

T = TypeVar("T")


def pages(
    fetch: Callable[[str | None], tuple[Sequence[T], str | None]],
) -> Iterator[Sequence[T]]:
    """Every page that ``fetch`` gives, from the first (asked with None) to the last.

    ``fetch`` gives a page and the cursor of the next one, None after the last.
    A page that repeats the one before it, or a cursor that comes again, is
    TryLater: going on would read for ever, and stopping would pass a part of
    the feed off as the whole. An item may come twice, where it moved between
    two pages meanwhile; one that moved the other way is missed, so a feed must
    be ordered by what does not move, and read again with an overlap.
    """
    cursor: str | None = None
    passed: set[str] = set()
    before: Sequence[T] = ()
    while True:
        page, cursor = fetch(cursor)
        if page and list(page) == list(before):
            raise TryLater("the system gave the same page twice; the feed is not complete")
        yield page
        if cursor is None:
            return
        if cursor in passed:
            raise TryLater("the system leads back to a page that was read; the feed has no end")
        passed.add(cursor)
        before = page
