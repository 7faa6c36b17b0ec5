"""One watch per system: it opens, says so once, lets one try, and knows the clock."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from sync.domain.ids import CustomerId
from sync.domain.pricing import PriceScope
from sync.domain.times import Watermark
from sync.errors import (
    AccessDenied,
    BrokenRead,
    Conflict,
    LeftAlone,
    Misconfigured,
    NobodyAnswers,
    OutcomeUnknown,
    Rejected,
    RightMissing,
    SyncError,
    TryLater,
)
from sync.ports.erp import Feed
from sync.ports.systems import Condition
from sync.systems import BreakerLimits, SystemWatch, guarded
from sync.testing import builders as a
from sync.testing.clock import ManualClock
from sync.testing.erp import MemoryErp

pytestmark = pytest.mark.rule("OP-1")

NOBODY = [CustomerId("C-0")]
NUMBERS = itertools.count()


class Moody(MemoryErp):
    """An ERP whose next answers are errors; ``asked`` counts what reached it."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.moods: list[BaseException | None] = []
        self.asked = 0

    def _admit(self) -> None:
        self.asked += 1
        mood = self.moods.pop(0) if self.moods else None
        if mood is not None:
            raise mood
        super()._admit()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def watch(clock: ManualClock) -> SystemWatch:
    limits = BreakerLimits(failures=3, pause_s=60, denied_pause_s=3600)
    return SystemWatch("erp", "erp", clock, limits)


@pytest.fixture
def moody(clock: ManualClock) -> Moody:
    return Moody(clock)


@pytest.fixture
def erp(moody: Moody, watch: SystemWatch, clock: ManualClock) -> Moody:
    return guarded(moody, watch, clock)


def ask(erp: MemoryErp, times: int = 1) -> list[type[SyncError] | None]:
    """How each of so many questions ended, no two of them the same."""
    ended: list[type[SyncError] | None] = []
    for _ in range(times):
        try:
            erp.accounts([CustomerId(f"C-{next(NUMBERS)}")])
        except SyncError as error:
            ended.append(type(error))
        else:
            ended.append(None)
    return ended


def test_a_system_that_is_away_is_left_alone_and_asked_once_after_the_pause(
    erp: Moody, moody: Moody, watch: SystemWatch, clock: ManualClock
) -> None:
    moody.moods = [TryLater("gone")] * 4
    assert ask(erp, 5) == [TryLater, TryLater, TryLater, LeftAlone, LeftAlone]
    assert moody.asked == 3
    clock.advance(60)
    assert ask(erp, 3) == [TryLater, LeftAlone, LeftAlone]
    clock.advance(60)
    assert ask(erp, 2) == [None, None]
    assert watch.record().condition is Condition.UP


def one_record(erp: MemoryErp, times: int) -> list[type[SyncError] | None]:
    """The same question again and again."""
    ended: list[type[SyncError] | None] = []
    for _ in range(times):
        try:
            erp.accounts(NOBODY)
        except SyncError as error:
            ended.append(type(error))
        else:
            ended.append(None)
    return ended


@pytest.mark.parametrize("error", [TryLater("500"), OutcomeUnknown("500")])
def test_one_question_that_fails_repeatedly_keeps_nobody_else_waiting(
    erp: Moody, moody: Moody, watch: SystemWatch, error: SyncError
) -> None:
    for _ in range(5):
        moody.moods = [error] * 5
        assert one_record(erp, 5) == [type(error)] * 5
        assert ask(erp) == [None]
    assert watch.up


@pytest.mark.parametrize("error", [NobodyAnswers("port closed"), TryLater("503", 30.0)])
def test_where_nobody_answers_the_question_does_not_matter(
    erp: Moody, moody: Moody, error: SyncError
) -> None:
    moody.moods = [error] * 9
    assert one_record(erp, 4) == [type(error)] * 3 + [LeftAlone]


def test_a_question_that_nothing_else_is_asked_beside_opens_it_in_the_end(
    erp: Moody, moody: Moody, watch: SystemWatch
) -> None:
    moody.moods = [TryLater("gone")] * 9
    assert one_record(erp, 7) == [TryLater] * 6 + [LeftAlone]
    assert watch.record().condition is Condition.AWAY


def test_a_feed_that_breaks_off_at_one_page_counts_once(
    erp: Moody, moody: Moody, watch: SystemWatch
) -> None:
    def read() -> None:
        with pytest.raises(TryLater):
            list(erp.prices([PriceScope.account(NOBODY[0])]))

    for _ in range(5):
        moody.moods = [TryLater("500")]
        read()
    assert watch.up


@pytest.mark.rule("OP-6")
def test_its_condition_is_told_once_with_its_end_and_how_long_it_took(
    erp: Moody, moody: Moody, watch: SystemWatch, clock: ManualClock
) -> None:
    ask(erp)
    began = clock.now()
    moody.moods = [TryLater("the port is closed")] * 3
    with capture_logs() as told:
        ask(erp, 6)
        clock.advance(90)
        ask(erp, 2)
    events = [(each["event"], each["system"]) for each in told]
    assert events == [("system.degraded", "erp"), ("system.recovered", "erp")]
    assert told[0]["message"] == "the port is closed"
    assert told[1]["down_s"] == 90
    record = watch.record()
    assert (record.last_failure_at, record.last_success_at) == (began, clock.now())
    assert record.next_try_at is None


def test_while_it_is_away_the_record_says_since_when_why_and_until_when(
    erp: Moody, moody: Moody, watch: SystemWatch, clock: ManualClock
) -> None:
    began = clock.now()
    moody.moods = [TryLater("one"), TryLater("two"), OutcomeUnknown("three")]
    for _ in range(3):
        ask(erp)
        clock.advance(5)
    record = watch.record()
    assert (record.condition, record.since, record.message) == (Condition.AWAY, began, "three")
    assert record.next_try_at == began + timedelta(seconds=10 + 60)


@pytest.mark.parametrize(
    "error",
    [
        Rejected("no such item", code="erp", remedy="add it"),
        Conflict("it moved"),
        RightMissing("no SELECT on invoices"),
        BrokenRead("one record is odd"),
        ValueError("unforeseen"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_is_refused_in_good_health_opens_nothing(
    erp: Moody, moody: Moody, watch: SystemWatch, error: Exception
) -> None:
    moody.moods = [error] * 20
    for _ in range(20):
        with pytest.raises(type(error)):
            erp.accounts(NOBODY)
    assert moody.asked == 20
    assert watch.record().condition is Condition.UP


def test_what_cannot_be_asked_so_makes_it_misconfigured_until_just_that_is_answered(
    erp: Moody, moody: Moody, watch: SystemWatch, clock: ManualClock
) -> None:
    began = clock.now()
    moody.moods = [Misconfigured("no such table: kunden")] * 7
    with capture_logs() as logs:
        for _ in range(7):
            with pytest.raises(Misconfigured):
                erp.accounts(NOBODY)
            clock.advance(60)
    assert moody.asked == 7, "all else is asked on"
    assert [each["event"] for each in logs] == ["system.misconfigured"]
    record = watch.record()
    assert (record.condition, record.since) == (Condition.MISCONFIGURED, began)
    assert (record.message, record.next_try_at) == ("no such table: kunden", None)
    assert record.degraded
    # Something else that goes well says nothing of it.
    assert list(erp.ship_tos(NOBODY)) == []
    assert watch.record().condition is Condition.MISCONFIGURED
    moody.moods = [Misconfigured("no such column: preis")]
    with pytest.raises(Misconfigured):
        list(erp.customer_ids())
    erp.accounts(NOBODY)
    assert watch.record().message == "no such column: preis"
    with capture_logs() as logs:
        list(erp.customer_ids())
    assert [each["event"] for each in logs] == ["system.configured"]
    assert (watch.record().condition, watch.record().message) == (Condition.UP, "")


def test_a_refused_login_is_told_before_what_is_misconfigured(
    erp: Moody, moody: Moody, watch: SystemWatch
) -> None:
    moody.moods = [Misconfigured("no such table"), AccessDenied("no")]
    for kind in (Misconfigured, AccessDenied):
        with pytest.raises(kind):
            erp.accounts(NOBODY)
    assert (watch.record().condition, watch.record().message) == (Condition.DENIED, "no")


@pytest.mark.rule("OP-7")
def test_one_refused_login_ends_all_asking_for_long(
    erp: Moody, moody: Moody, watch: SystemWatch, clock: ManualClock
) -> None:
    moody.deny_access()
    assert ask(erp, 3) == [AccessDenied, LeftAlone, LeftAlone]
    for _ in range(59):
        clock.advance(60)
        assert ask(erp) == [LeftAlone]
    assert moody.asked == 1
    assert watch.record().condition is Condition.DENIED
    clock.advance(60)
    assert ask(erp, 2) == [AccessDenied, LeftAlone]
    assert moody.asked == 2


def test_a_person_who_asks_gets_one_try_at_once(
    erp: Moody, moody: Moody, watch: SystemWatch
) -> None:
    moody.deny_access()
    ask(erp)
    watch.let_one_try()
    assert ask(erp, 2) == [AccessDenied, LeftAlone]
    moody.deny_access(False)
    watch.let_one_try()
    assert ask(erp, 2) == [None, None]


def test_a_try_of_a_refused_login_that_meets_a_system_away_stays_refused(
    erp: Moody, moody: Moody, watch: SystemWatch, clock: ManualClock
) -> None:
    moody.moods = [AccessDenied("who are you")]
    ask(erp)
    moody.moods = [TryLater("gone")] * 4
    for _ in range(4):
        watch.let_one_try()
        ask(erp)
    assert watch.record().condition is Condition.DENIED
    assert watch.record().message == "who are you"


def test_an_old_connection_that_still_answers_does_not_bring_the_logins_back(
    watch: SystemWatch,
) -> None:
    first = watch.enter()
    watch.succeeded(first)
    watch.leave(first)
    long_before = watch.enter()
    watch.failed(watch.enter(), AccessDenied("expired"))
    watch.succeeded(long_before)
    with pytest.raises(LeftAlone):
        watch.enter()


def test_before_the_first_answer_one_asks_and_the_others_wait_for_it(
    moody: Moody, watch: SystemWatch, clock: ManualClock
) -> None:
    """Five flows start together and the password is wrong: one login, not five."""
    inside, on = threading.Event(), threading.Event()

    class Slow(Moody):
        def _admit(self) -> None:
            inside.set()
            on.wait(30)
            super()._admit()

    slow = Slow(clock)
    slow.deny_access()
    erp = guarded(slow, watch, clock)
    ended: list[Any] = []
    threads = [threading.Thread(target=lambda: ended.extend(ask(erp))) for _ in range(5)]
    for thread in threads:
        thread.start()
    assert inside.wait(30)
    on.set()
    for thread in threads:
        thread.join(30)
    assert sorted(each.__name__ for each in ended) == ["AccessDenied", *["LeftAlone"] * 4]
    assert slow.asked == 1


def test_a_long_read_is_guarded_step_by_step(
    moody: Moody, watch: SystemWatch, clock: ManualClock
) -> None:
    class Long(Moody):
        def price_scopes(self) -> Iterator[PriceScope]:
            for owner in ("A", "B", "C"):
                self._admit()
                yield PriceScope.group(owner)

    feed = Long(clock)
    erp = guarded(feed, watch, clock)
    assert len(list(erp.price_scopes())) == 3
    feed.moods = [None, TryLater("cut off")]
    with pytest.raises(TryLater):
        list(erp.price_scopes())
    scopes = erp.price_scopes()
    next(scopes)
    moody.deny_access()
    watch.failed(watch.enter(), AccessDenied("expired meanwhile"))
    asked = feed.asked
    with pytest.raises(LeftAlone):
        next(scopes)
    assert feed.asked == asked


def test_an_iterator_that_nobody_began_does_not_use_up_the_one_try(
    moody: Moody, watch: SystemWatch, clock: ManualClock
) -> None:
    class Lazy(Moody):
        def price_scopes(self) -> Iterator[PriceScope]:
            self._admit()
            yield PriceScope.group("A")

    lazy = Lazy(clock)
    erp = guarded(lazy, watch, clock)
    lazy.moods = [TryLater("gone")] * 3
    ask(erp, 3)
    clock.advance(60)
    scopes = erp.price_scopes()
    assert list(scopes) == [PriceScope.group("A")]
    assert watch.record().condition is Condition.UP


def test_what_asks_no_system_passes_while_it_is_left_alone(
    erp: Moody, moody: Moody, clock: ManualClock
) -> None:
    moody.deny_access()
    ask(erp)
    assert erp.capabilities.name == "memory"
    assert erp.check()[0].message == "access denied"
    erp.close()
    assert moody.closed


@pytest.mark.rule("OP-6")
@pytest.mark.parametrize("ahead_s", [-61, 3600])
def test_a_clock_that_is_off_is_told_once_and_so_is_its_correction(
    erp: Moody, watch: SystemWatch, clock: ManualClock, ahead_s: int
) -> None:
    theirs = ManualClock(clock.now() + timedelta(seconds=ahead_s))
    off = guarded(MemoryErp(theirs), watch, clock)
    with capture_logs() as told:
        off.feed_now(Feed.INVOICES)
        off.changed_customers(Feed.INVOICES, Watermark(clock.now()))
    assert [(each["event"], each["ahead_s"]) for each in told] == [("system.clock_off", ahead_s)]
    assert watch.record().clock_skew_s == ahead_s
    assert watch.record().clock_is_off
    with capture_logs() as told:
        erp.feed_now(Feed.INVOICES)
    assert [each["event"] for each in told] == ["system.clock_right"]
    assert not watch.record().clock_is_off


def test_a_minute_between_two_clocks_is_no_alarm(watch: SystemWatch, clock: ManualClock) -> None:
    with capture_logs() as told:
        guarded(MemoryErp(ManualClock(clock.now() + timedelta(seconds=60))), watch, clock).feed_now(
            Feed.INVOICES
        )
    assert told == []
    assert watch.record().clock_skew_s == 60


def test_an_adapter_that_tells_the_skew_itself_is_listened_to_at_every_answer(
    watch: SystemWatch, clock: ManualClock
) -> None:
    class Dated(MemoryErp):
        clock_skew_s = None

    dated = Dated(clock)
    erp = guarded(dated, watch, clock)
    erp.accounts(NOBODY)
    assert watch.record().clock_skew_s is None
    dated.clock_skew_s = -75.0  # type: ignore[assignment]
    erp.items([a.an_item().sku])
    assert watch.record().clock_skew_s == -75.0
