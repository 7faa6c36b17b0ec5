"""Cancellations on their way into the ERP: every fault, and what else may happen meanwhile."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sync.testing.enumerating import every_fault
from sync.testing.schedules import play
from tests.faults.cancels import (
    HAPPENINGS,
    CancellingSite,
    CancelTrial,
    cancelled,
    hangs_while,
    something_happens,
)
from tests.faults.sites import GROUPS

pytestmark = pytest.mark.rule("OI-4", "OI-1", "OP-1")

each_happening = pytest.mark.parametrize("happens", HAPPENINGS, ids=lambda each: each.__name__)


@pytest.mark.parametrize("given", [{}, GROUPS], ids=["one by one", "in groups"])
def test_what_the_store_cancels_the_erp_cancels_whatever_fails(given: dict[str, object]) -> None:
    done = every_fault(lambda: cancelled(**given))
    assert done.cases > 200
    assert not done.found, "\n".join(done.found[:10])


@each_happening
def test_whatever_happens_meanwhile_is_seen_to_or_told(
    happens: Callable[[CancelTrial], None],
) -> None:
    done = something_happens(happens)
    assert done.cases > 20
    assert not done.found, done.found


@each_happening
def test_a_worker_that_hangs_cancels_nothing_that_was_taken_back_meanwhile(
    happens: Callable[[CancelTrial], None],
) -> None:
    done = hangs_while(happens)
    assert done.cases > 20
    assert not done.found, done.found


@pytest.mark.parametrize("first", range(0, 200, 100))
def test_whatever_happens_at_once_no_cancellation_is_lost_or_made_up(first: int) -> None:
    for seed in range(first, first + 100):
        played = play(CancellingSite(), seed)
        assert not played.violations, f"{played}"
