"""Watches one system: opens its circuit when it fails, and says so once.

What an error says about the system decides, not where it came from. TryLater
and OutcomeUnknown are a system that is away or broken; or one question that it
cannot answer, so that the same question counts once until something is answered
(not where nobody answers, or it says when to come again: that is no question's doing).
A refused document is a system in good health. Misconfigured is a question that cannot
be asked so: the system is asked on, for all else may be well, and counts as
misconfigured until that is answered. AccessDenied is a refused login: systems count
those and lock the account, which then also locks out the people who share it. So the
first one ends all asking for ``denied_pause_s``; a person who asks for a run
(``let_one_try``) or starts the service again after correcting the credentials is not
kept waiting. Until a system has answered once, callers ask one after the other: five
flows that start together would otherwise be five refused logins.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from sync.domain.times import CLOCK_ALARM_S
from sync.errors import (
    AccessDenied,
    BrokenRead,
    Conflict,
    LeftAlone,
    Misconfigured,
    OutcomeUnknown,
    Refusal,
    RightMissing,
    TryLater,
    may_be_the_questions,
)
from sync.kit.breaker import BreakerState, CircuitBreaker
from sync.ports.clock import Clock
from sync.ports.systems import Condition, SystemRecord

log = structlog.get_logger()

# As long as one call may take; whoever waited in vain comes again with the next run.
FIRST_ANSWER_S = 120.0


@dataclass(frozen=True, slots=True)
class BreakerLimits:
    """After ``failures`` of different questions in a row a system is left alone for
    ``pause_s`` seconds, and after a refused login for ``denied_pause_s``."""

    failures: int = 5
    pause_s: float = 60.0
    denied_pause_s: float = 3600.0


@dataclass(frozen=True, slots=True)
class Passage:
    """A call that was let pass. ``first``: others wait for how it ends."""

    first: bool
    era: int


class SystemWatch:
    """Shared by all threads that use the system. ``name`` is the one in the settings."""

    def __init__(
        self, name: str, kind: str, clock: Clock, limits: BreakerLimits | None = None
    ) -> None:
        self.name, self.kind = name, kind
        self._clock = clock
        self._limits = limits or BreakerLimits()
        self._breaker = CircuitBreaker(
            self._limits.failures, self._limits.pause_s, monotonic=clock.monotonic
        )
        self._guard = threading.Lock()
        self._asking_first = threading.Lock()
        self._answered = False
        self._era = 0
        self._condition = Condition.UP
        self._since = clock.now()
        self._failing_since: datetime | None = None
        self._message = ""
        self._wrong: dict[str, tuple[datetime, str]] = {}
        self._last_success_at: datetime | None = None
        self._last_failure_at: datetime | None = None
        self._skew_s: float | None = None

    @property
    def up(self) -> bool:
        return self._condition is Condition.UP

    def let_one_try(self) -> None:
        """A person asks for a run: the system is asked once, whatever its pause is."""
        if not self.up:
            self._breaker.let_one_try()

    def enter(self) -> Passage:
        """Before a call. Raises LeftAlone while the system is not to be asked."""
        if self._answered:
            self._permit()
            return Passage(False, self._era)
        if not self._asking_first.acquire(timeout=FIRST_ANSWER_S):
            raise LeftAlone(f"{self.name} has not answered another run yet")
        try:
            self._permit()
        except BaseException:
            self._asking_first.release()
            raise
        return Passage(True, self._era)

    def leave(self, passage: Passage) -> None:
        """After a call that ``enter`` let pass, however it ended."""
        if passage.first:
            self._asking_first.release()

    def not_asked(self) -> None:
        """The call that was let pass only prepared what will ask."""
        if not self.up:
            self._breaker.let_one_try()

    def succeeded(self, passage: Passage, asked: str = "") -> None:
        """It answered ``asked``. What was asked before a login was refused proves nothing any more:
        a connection that is open lives on without its password."""
        now = self._clock.now()
        with self._guard:
            if passage.era != self._era:
                return
            self._breaker.succeeded()
            self._answered = True
            self._failing_since = None
            self._last_success_at = now
            mended = self._wrong.pop(asked, None) is not None and not self._wrong
            if mended:
                log.info("system.configured", system=self.name)
            if self._condition is Condition.UP:
                return
            down_s = (now - self._since).total_seconds()
            was, self._condition, self._since = self._condition, Condition.UP, now
            self._message = ""
        log.info("system.recovered", system=self.name, was=was.value, down_s=round(down_s))

    def failed(
        self, passage: Passage, error: BaseException, about: Hashable = None, asked: str = ""
    ) -> None:
        """What a call raised; nothing follows where the error does not speak of the system.

        ``about`` is what was asked: one question that fails again and again counts once.
        ``asked`` is the kind of question.
        """
        match error:
            case LeftAlone() | BrokenRead():
                return
            case Misconfigured():
                self._misconfigured(asked, str(error))
            case RightMissing() | Refusal() | Conflict():
                self.succeeded(passage, asked)
            case AccessDenied():
                self._breaker.shut(self._limits.denied_pause_s)
                self._degraded(Condition.DENIED, str(error))
            case TryLater() | OutcomeUnknown():
                self._breaker.failed(about if may_be_the_questions(error) else None)
                self._degraded(Condition.AWAY, str(error))

    def note_clock(self, theirs: datetime, ours: datetime) -> None:
        """The system said ``theirs`` when our clock stood at ``ours``."""
        self.note_skew((theirs - ours).total_seconds())

    def note_skew(self, skew_s: float) -> None:
        with self._guard:
            before, self._skew_s = self._skew_s, skew_s
        was_off = before is not None and abs(before) > CLOCK_ALARM_S
        is_off = abs(skew_s) > CLOCK_ALARM_S
        if is_off and not was_off:
            log.error("system.clock_off", system=self.name, ahead_s=round(skew_s))
        elif was_off and not is_off:
            log.info("system.clock_right", system=self.name, ahead_s=round(skew_s))

    def record(self) -> SystemRecord:
        """What is known now."""
        with self._guard:
            condition, since, message = self._condition, self._since, self._message
            if self._wrong and condition is Condition.UP:
                condition = Condition.MISCONFIGURED
                since, message = min(self._wrong.values())
            return SystemRecord(
                name=self.name,
                kind=self.kind,
                condition=condition,
                since=since,
                message=message,
                next_try_at=None if self.up else self._next_try_at(),
                last_success_at=self._last_success_at,
                last_failure_at=self._last_failure_at,
                clock_skew_s=self._skew_s,
            )

    def _misconfigured(self, asked: str, message: str) -> None:
        now = self._clock.now()
        with self._guard:
            self._last_failure_at = now
            known = self._wrong.get(asked)
            self._wrong[asked] = (known[0] if known else now, message)
        if known is None:
            log.error("system.misconfigured", system=self.name, asked=asked, message=message)

    def _permit(self) -> None:
        try:
            self._breaker.permit()
        except TryLater as error:
            again = f"{self._next_try_at():%H:%M:%S} UTC"
            if self._condition is Condition.DENIED:
                way_out = (
                    "correct the credentials and restart the service;"
                    " `tradesync resync FLOW` tries once"
                )
                told = f"{self.name} refused the login and is left alone until {again}: {way_out}"
            else:
                told = f"{self.name} is away and left alone until {again}: {self._message}"
            raise LeftAlone(told, retry_after_s=error.retry_after_s) from None

    def _next_try_at(self) -> datetime:
        return self._clock.now() + timedelta(seconds=self._breaker.rests_s)

    def _degraded(self, condition: Condition, message: str) -> None:
        now = self._clock.now()
        with self._guard:
            self._last_failure_at = now
            self._failing_since = self._failing_since or now
            if condition is Condition.DENIED:
                # Whoever comes next asks for all of them.
                self._answered = False
                self._era += 1
            elif self._breaker.state is BreakerState.CLOSED:
                return
            elif self._condition is Condition.DENIED:
                # Away while the login was to be tried: what refused it comes first.
                return
            self._message = message
            if self._condition is condition:
                return
            self._condition, self._since = condition, self._failing_since
        log.error("system.degraded", system=self.name, condition=condition.value, message=message)
