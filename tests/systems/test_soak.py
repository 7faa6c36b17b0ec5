"""A short soak, and that its measures would notice a leak."""

from __future__ import annotations

from pathlib import Path

import pytest

from sync.testing.clock import ManualClock
from tests.torture.shelved import ShelvedErp, ShelvedStore
from tests.torture.soak import Sample, Soak, growth

pytestmark = [pytest.mark.timeout(900), pytest.mark.rule("OP-1")]


@pytest.mark.rule("OI-1", "OI-2")
def test_six_hours_of_orders_leave_nothing_behind_but_the_orders(tmp_path: Path) -> None:
    report = Soak(tmp_path, hours=6, orders=300, seed=1).run()
    assert report.wrong == []
    assert report.runs["orders"] == 360
    assert report.runs["order_status"] == 72
    assert set(report.states) == {"acknowledged", "quarantined", "closed", "review"}, report.states


def samples(**grown: float) -> list[Sample]:
    """Twenty hours in which these measures grow by so much an hour."""

    def at(hour: int, name: str, start: float) -> float:
        return start + grown.get(name, 0) * hour

    return [
        Sample(
            hour=hour,
            orders=hour * 100,
            rss=at(hour, "rss", 80.0),
            files=int(at(hour, "files", 11)),
            wal=at(hour, "wal", 4.0),
            state=float(hour),
            seconds=float(hour),
        )
        for hour in range(1, 21)
    ]


@pytest.mark.parametrize(
    "grown, told",
    [({"rss": 2.0}, "memory"), ({"files": 1.0}, "open files"), ({"wal": 3.0}, "log")],
)
def test_growth_is_told_by_what_grows(grown: dict[str, float], told: str) -> None:
    (said,) = growth(samples(**grown))
    assert told in said


def test_a_flat_line_is_no_growth() -> None:
    assert growth(samples()) == []


def test_shelves_answer_nothing_for_what_is_not_on_them(tmp_path: Path) -> None:
    clock = ManualClock()
    store = ShelvedStore(tmp_path / "store.sqlite", clock)
    assert list(store.changed_orders(None)) == []
    assert list(ShelvedErp(tmp_path / "erp.sqlite", clock).held()) == []
