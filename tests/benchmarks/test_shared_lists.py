"""What lists that customers share save, on a small catalogue: the rows, no time."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.prices.data import Size
from tests.benchmarks.prices.shared_lists import WITH, WITHOUT, compared


@pytest.mark.rule("WA-6", "MI-2")
@pytest.mark.timeout(600)
def test_store_with_lists_shows_the_same_and_is_told_a_fraction(tmp_path: Path) -> None:
    size = Size(customers=40, points=1500)
    told = {(each["step"], each["store"]): each for each in compared(size, tmp_path)}
    first = told["first load", WITH]
    assert first["counts"] == told["first load", WITHOUT]["counts"] == {"added": size.rows}
    assert first["lists"]["rows_without_lists"] == size.rows
    assert first["lists"]["entries"] < size.rows / 4
    for store in (WITH, WITHOUT):
        assert told["unchanged", store]["rows"] == 0
