"""A store that makes moments of days does so by the ERP's calendar, or `check` says so."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from sync.flows.calendars import calendar_findings
from sync.ports.erp import Finding, FindingLevel
from sync.ports.store import StoreCapabilities
from sync.testing.clock import ManualClock
from sync.testing.erp import MEMORY_CAPABILITIES, MemoryErp
from sync.testing.store import MemoryStore

pytestmark = pytest.mark.rule("VE-12", "WA-6")


def found(of_store: str | None, of_erp: str) -> list[Finding]:
    erp: Any = MemoryErp(ManualClock(), replace(MEMORY_CAPABILITIES, time_zone=of_erp))
    given = StoreCapabilities("shop", price_time_zone=of_store)
    store: Any = MemoryStore(capabilities=given, clock=ManualClock())
    return list(calendar_findings(erp, store, datetime(2026, 3, 1, tzinfo=UTC)))


@pytest.mark.parametrize(
    "of_store, of_erp",
    [
        ("UTC", "America/Chicago"),
        # The same days in winter alone, and but for the weeks between two changes of clocks.
        ("Europe/London", "UTC"),
        ("America/Santiago", "America/New_York"),
        ("America/Phoenix", "America/Denver"),
    ],
)
def test_other_days_than_the_erps_are_told_with_the_way_out(of_store: str, of_erp: str) -> None:
    [told] = found(of_store, of_erp)
    assert told.level is FindingLevel.WARNING
    assert of_store in told.message
    assert f'time_zone = "{of_erp}"' in told.remedy


@pytest.mark.parametrize(
    "of_store, of_erp",
    [
        (None, "America/Chicago"),
        ("America/Chicago", "America/Chicago"),
        ("Europe/Berlin", "Europe/Amsterdam"),
        ("UTC", "Etc/UTC"),
    ],
)
def test_nothing_is_said_where_the_days_are_the_same(of_store: str | None, of_erp: str) -> None:
    assert found(of_store, of_erp) == []
