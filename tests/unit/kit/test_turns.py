"""Who touches the same things comes one after the other, and everybody else at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial

import pytest

from sync.kit.turns import Turns

PATIENCE_S = 30.0
Taking = Callable[[], AbstractContextManager[None]]


class Visitor:
    """A thread that takes a turn and keeps it until it is told to go."""

    def __init__(self, taking: Taking, log: list[str], name: str) -> None:
        self._taking, self._log, self._name = taking, log, name
        self.came, self._may_go = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._visit, daemon=True)
        self._thread.start()

    def go(self) -> None:
        self._may_go.set()
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()

    def _visit(self) -> None:
        with self._taking():
            self._log.append(self._name)
            self.came.set()
            assert self._may_go.wait(PATIENCE_S)


def test_who_names_other_things_comes_at_once() -> None:
    turns, log = Turns(), list[str]()
    visitors = [Visitor(partial(turns.of, [name]), log, name) for name in "ABC"]
    for each in visitors:
        assert each.came.wait(PATIENCE_S)
    assert sorted(log) == ["A", "B", "C"]
    for each in visitors:
        each.go()


@pytest.mark.parametrize("alone", [False, True])
def test_who_names_one_of_the_same_waits_until_the_others_have_gone(alone: bool) -> None:
    turns, log = Turns(), list[str]()
    first = Visitor(partial(turns.of, "AB"), log, "first")
    assert first.came.wait(PATIENCE_S)
    second = Visitor(turns.alone if alone else partial(turns.of, "BC"), log, "second")
    waiting(turns, 2)
    assert not second.came.is_set()
    # Whoever comes behind one that waits does not overtake it.
    third = Visitor(partial(turns.of, "C"), log, "third")
    waiting(turns, 3)
    assert not third.came.is_set()

    first.go()
    assert second.came.wait(PATIENCE_S)
    assert not third.came.is_set()
    second.go()
    assert third.came.wait(PATIENCE_S)
    third.go()
    assert log == ["first", "second", "third"]


def test_a_turn_that_fails_is_over() -> None:
    turns = Turns()
    with pytest.raises(ValueError, match="odd"), turns.alone():
        raise ValueError("odd")
    with turns.of("A"):
        pass


def waiting(turns: Turns, count: int) -> None:
    """Until so many have come, with a turn or without."""
    with turns._changed:
        for _ in range(1000):
            if len(turns._queue) == count:
                return
            turns._changed.wait(0.01)
    raise AssertionError(f"not {count} came")
