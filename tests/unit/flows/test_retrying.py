"""Trying again: only what was surely not done, with growing waits and an end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.errors import AccessDenied, LeftAlone, OutcomeUnknown, TryLater
from sync.flows.retrying import Patience, Retrying
from sync.testing.clock import ManualClock


class Failing:
    """Fails so many times before it answers."""

    def __init__(self, times: int, error: Exception | None = None) -> None:
        self.calls, self._times = 0, times
        self._error = error or TryLater("busy")

    def __call__(self, answer: str) -> str:
        self.calls += 1
        if self.calls <= self._times:
            raise self._error
        return answer


@pytest.mark.rule("OP-1")
def test_call_that_fails_for_a_moment_is_repeated() -> None:
    clock, call = ManualClock(), Failing(2)
    assert Retrying(Patience(attempts=3), clock)(call, "done") == "done"
    assert call.calls == 3
    assert len(clock.slept) == 2


@pytest.mark.rule("OP-1")
def test_patience_has_an_end() -> None:
    call = Failing(99)
    with pytest.raises(TryLater, match="busy"):
        Retrying(Patience(attempts=4), ManualClock())(call, "done")
    assert call.calls == 4


@pytest.mark.rule("OP-1", "OI-1")
@pytest.mark.parametrize(
    "error",
    [OutcomeUnknown("?"), AccessDenied("no"), ValueError("odd"), LeftAlone("down", 1.0)],
    ids=lambda e: type(e).__name__,
)
def test_nothing_else_is_ever_repeated(error: Exception) -> None:
    clock, call = ManualClock(), Failing(1, error)
    with pytest.raises(type(error)):
        Retrying(Patience(), clock)(call, "done")
    assert call.calls == 1
    assert not clock.slept


@pytest.mark.rule("OP-1")
def test_system_that_says_when_to_come_back_is_obeyed() -> None:
    clock = ManualClock()
    Retrying(Patience(), clock)(Failing(1, TryLater("busy", retry_after_s=7.0)), "done")
    assert clock.slept == [7.0]


@pytest.mark.rule("OP-1")
@given(
    attempts=st.integers(1, 8),
    budget=st.floats(0, 20),
    asked=st.none() | st.floats(0, 50),
    calls=st.integers(1, 4),
)
def test_run_never_waits_longer_than_its_budget(
    attempts: int, budget: float, asked: float | None, calls: int
) -> None:
    clock = ManualClock()
    patience = Patience(attempts=attempts, first_s=1.0, longest_s=10.0, budget_s=budget)
    retrying = Retrying(patience, clock)
    for _ in range(calls):
        call = Failing(99, TryLater("busy", retry_after_s=asked))
        with pytest.raises(TryLater):
            retrying(call, "done")
        assert 1 <= call.calls <= attempts
    assert sum(clock.slept) <= budget + 1e-9


def test_waits_vary_and_grow_up_to_the_longest() -> None:
    clock = ManualClock()
    patience = Patience(attempts=200, first_s=1.0, longest_s=30.0, budget_s=1e9)
    with pytest.raises(TryLater):
        Retrying(patience, clock)(Failing(999), "done")
    assert max(clock.slept) <= 30.0
    assert clock.slept[0] <= 1.0
    assert len(set(clock.slept)) > 100, "jitter keeps two daemons from knocking in step"


class Standing(ManualClock):
    """Somebody else sleeps at the same time, so no time passes beside it."""

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


@pytest.mark.rule("OP-1")
def test_waits_of_several_at_the_same_time_are_one_wait() -> None:
    clock = Standing()
    retrying = Retrying(Patience(attempts=2, budget_s=15.0), clock)
    for _ in range(3):
        assert retrying(Failing(1, TryLater("busy", retry_after_s=10.0)), "done") == "done"
    assert clock.slept == [10.0] * 3

    # Another one after it is another wait, and the budget has an end.
    clock.advance(10.0)
    assert retrying(Failing(1, TryLater("busy", retry_after_s=10.0)), "done") == "done"
    assert clock.slept[-1] == 5.0
    with pytest.raises(TryLater, match="busy"):
        retrying(Failing(1, TryLater("busy", retry_after_s=10.0)), "done")
