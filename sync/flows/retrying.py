"""Trying again: only what is safe to repeat, with jitter and within a budget."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

import tenacity

from sync.errors import LeftAlone, TryLater
from sync.ports.clock import Clock

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Patience:
    """``attempts`` for one call, waits between ``first_s`` and ``longest_s`` seconds,
    and at most ``budget_s`` seconds in one run during which somebody waits."""

    attempts: int = 4
    first_s: float = 0.5
    longest_s: float = 30.0
    budget_s: float = 120.0


class Retrying:
    """Repeats a call that raised TryLater. For reads and idempotent writes only.

    Several threads may share it: that they wait at the same time is one wait.

    A system that is left alone is not waited for: its pause is longer than any of ours.
    """

    def __init__(self, patience: Patience, clock: Clock) -> None:
        self._patience, self._clock = patience, clock
        self._spent, self._waits_until = 0.0, float("-inf")
        self._guard = threading.Lock()
        self._once = False

    def __call__(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The call's result. Raises its last TryLater when patience or budget is used up."""
        failed: list[TryLater] = []
        try:
            # Nearly all calls go well, and need nothing of what follows.
            return call(*args, **kwargs)
        except TryLater as error:
            if self._once:
                raise
            failed.append(error)

        def once_more(*args: P.args, **kwargs: P.kwargs) -> T:
            if failed:
                raise failed.pop()
            return call(*args, **kwargs)

        retryer = tenacity.Retrying(
            retry=tenacity.retry_if_exception(_worth_repeating),
            stop=self._give_up,
            wait=self._wait,
            sleep=self._sleep,
            reraise=True,
        )
        return retryer(once_more, *args, **kwargs)

    @contextmanager
    def once(self) -> Iterator[None]:
        """Meanwhile nothing is repeated."""
        before, self._once = self._once, True
        try:
            yield
        finally:
            self._once = before

    def _give_up(self, attempt: tenacity.RetryCallState) -> bool:
        patience = self._patience
        return attempt.attempt_number >= patience.attempts or self._spent >= patience.budget_s

    def _wait(self, attempt: tenacity.RetryCallState) -> float:
        error = attempt.outcome.exception() if attempt.outcome else None
        asked = error.retry_after_s if isinstance(error, TryLater) else None
        wait = self._backoff()(attempt) if asked is None else asked
        return min(wait, self._left_s())

    def _backoff(self) -> tenacity.wait.wait_base:
        """Made when it is needed: most runs never wait."""
        return tenacity.wait_random_exponential(
            multiplier=self._patience.first_s, max=self._patience.longest_s
        )

    def _left_s(self) -> float:
        """For one wait: what is left of the budget, besides what others wait anyway."""
        with self._guard:
            others = max(0.0, self._waits_until - self._clock.monotonic())
            return max(0.0, self._patience.budget_s - self._spent) + others

    def _sleep(self, seconds: float) -> None:
        with self._guard:
            now = self._clock.monotonic()
            until = max(self._waits_until, now + seconds)
            self._spent += until - max(self._waits_until, now)
            self._waits_until = until
        self._clock.sleep(seconds)


def _worth_repeating(error: BaseException) -> bool:
    return isinstance(error, TryLater) and not isinstance(error, LeftAlone)
