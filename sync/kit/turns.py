"""Turns: who touches the same things comes one after the other, everybody else at once."""

from __future__ import annotations

import threading
from collections.abc import Collection, Hashable, Iterator
from contextlib import contextmanager


class Turns:
    """Several threads take turns at things that have names.

    Whoever comes waits for those before who named one of the same, holding or waiting:
    so nobody is overtaken for ever, and nobody waits for another in a circle, as long as
    nobody asks for a second turn within one.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._queue: list[_Turn] = []

    @contextmanager
    def of(self, names: Collection[Hashable]) -> Iterator[None]:
        """A turn at these."""
        with self._taken(_Turn(frozenset(names), everything=False)):
            yield

    @contextmanager
    def alone(self) -> Iterator[None]:
        """A turn at everything."""
        with self._taken(_Turn(frozenset(), everything=True)):
            yield

    @contextmanager
    def _taken(self, turn: _Turn) -> Iterator[None]:
        try:
            with self._changed:
                self._queue.append(turn)
                self._changed.wait_for(lambda: self._is_due(turn))
            yield
        finally:
            with self._changed:
                self._queue.remove(turn)
                self._changed.notify_all()

    def _is_due(self, turn: _Turn) -> bool:
        before = self._queue[: self._queue.index(turn)]
        return not any(turn.waits_for(each) for each in before)


class _Turn:
    def __init__(self, names: frozenset[Hashable], *, everything: bool) -> None:
        self._names, self._everything = names, everything

    def waits_for(self, other: _Turn) -> bool:
        if self._everything or other._everything:
            return True
        return not self._names.isdisjoint(other._names)
