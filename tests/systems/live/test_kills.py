"""A small dose of ``make live-torture``."""

from __future__ import annotations

import pytest

from tests.systems.live.kills import kills
from tests.systems.live.story import Live

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]
KILLS = 6


@pytest.mark.rule("OI-1", "OI-2", "OP-1")
def test_six_kills_amid_checkouts_lose_double_and_misroute_no_order(live: Live) -> None:
    outcome = kills(live, KILLS, "make test-systems")
    assert outcome.wrong == []
    assert outcome.orders >= KILLS
