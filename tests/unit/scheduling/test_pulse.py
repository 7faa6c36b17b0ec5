"""The watchdog is told of life only while work goes on."""

from __future__ import annotations

import pytest

from sync.scheduling.pulse import STALLED_AFTER_S, Pulse
from sync.testing.clock import ManualClock

pytestmark = pytest.mark.rule("OP-1", "OP-6")


def test_a_daemon_whose_workers_take_jobs_lives(pulse: Pulse, clock: ManualClock) -> None:
    for _ in range(100):
        clock.advance(59)
        assert pulse.stalled() is None
        pulse.beat()


def test_workers_that_take_no_jobs_any_more_are_noticed(pulse: Pulse, clock: ManualClock) -> None:
    clock.advance(61)
    assert pulse.stalled() == "no worker took a job for 61 s"
    pulse.beat()
    assert pulse.stalled() is None


def test_a_flow_that_hangs_is_noticed_though_others_go_on(pulse: Pulse, clock: ManualClock) -> None:
    pulse.progress("main/prices")
    for _ in range(int(STALLED_AFTER_S)):
        clock.advance(1)
        pulse.beat()
        pulse.progress("main/orders")
        assert pulse.stalled() is None
    clock.advance(1)
    pulse.beat()
    assert pulse.stalled() == "main/prices made no progress for 601 s"
    pulse.ended("main/prices")
    assert pulse.stalled() is None


def test_a_long_flow_that_makes_progress_lives_though_no_job_is_taken(
    pulse: Pulse, clock: ManualClock
) -> None:
    for _ in range(10):
        pulse.progress("main/prices")
        clock.advance(STALLED_AFTER_S)
        assert pulse.stalled() is None
    pulse.ended("main/prices")
    clock.advance(60)
    assert pulse.stalled() is None, "it has just ended"


def test_the_time_of_day_does_not_matter(pulse: Pulse, clock: ManualClock) -> None:
    clock.set_wall_clock(clock.now().replace(year=2099))
    assert pulse.stalled() is None
