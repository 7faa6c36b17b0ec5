"""Many more random schedules than every test run plays, and all pairs of faults of a group."""

from __future__ import annotations

import os

import pytest

from sync.testing.enumerating import every_pair
from sync.testing.faults import Fault
from tests.faults.checks import group_path
from tests.faults.playing import play_all
from tests.faults.trials import a_group

FIRST, SCHEDULES = 1_000_000, 20_000


@pytest.mark.timeout(3600)
@pytest.mark.rule("OI-1", "OI-2", "OI-4", "MI-1", "WA-8", "OP-1")
def test_twenty_thousand_schedules_lose_double_and_betray_nothing() -> None:
    processes = max(1, min(4, os.cpu_count() or 1))
    wrong = [str(played) for played in play_all(FIRST, SCHEDULES, processes) if played.violations]
    assert not wrong, "\n".join(wrong[:10])


@pytest.mark.timeout(3600)
@pytest.mark.rule("OI-1", "OI-2", "OP-1")
@pytest.mark.parametrize("first", Fault, ids=lambda fault: str(fault.value))
def test_any_two_faults_on_the_way_of_a_group_lose_and_double_nothing(first: Fault) -> None:
    done = every_pair(a_group, group_path, first=[first])
    assert not done.found, "\n".join(done.found[:10])
