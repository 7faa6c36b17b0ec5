"""The benchmark of the order import compares what it says: both sides write the same orders."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks import order_rates


@pytest.mark.rule("OI-1")
@pytest.mark.parametrize("kind", ["SQLite", "PostgreSQL"])
def test_import_and_bare_loop_leave_the_same_orders_behind(kind: str, tmp_path: Path) -> None:
    rates = order_rates.measure(kind, 8, 1, tmp_path / kind)
    assert set(rates.seconds) == set(order_rates.SIDES)
