"""What is made of figures: ratios within a round, a table, a chart."""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.benchmarks.prices.chart import bars
from tests.benchmarks.prices.rounds import Rounds


def test_a_ratio_is_taken_within_each_round(tmp_path: Path) -> None:
    rounds = Rounds(tmp_path / "log")
    for rounds.number, reference, twice in ((0, 1.0, (2.0, 4.0)), (1, 10.0, (30.0, 30.0))):
        rounds.add("reference", {"secs": reference, "rss_mb": 1})
        for secs in twice:
            rounds.add("ours", {"secs": secs, "rss_mb": 2})
    rounds.number = 2
    rounds.add("reference", {"secs": 1000.0, "rss_mb": 9})
    assert rounds.ratio("ours", "reference") == pytest.approx(3.0)
    assert rounds.peak_mb("reference") == 9
    assert "| ours | 17.00 | 59 | 2 | 3.00 |" in rounds.table({"ours": 1000}, "reference")


def test_a_command_that_fails_is_told_with_what_it_said(tmp_path: Path) -> None:
    rounds = Rounds(tmp_path / "log")
    with pytest.raises(RuntimeError, match="no such thing"):
        rounds.command("x", sys.executable, "-c", "raise SystemExit('no such thing')")
    told = rounds.command("x", sys.executable, "-c", 'print(\'{"secs": 1, "rss_mb": 2}\')')
    assert told == {"secs": 1, "rss_mb": 2}
    assert len((tmp_path / "log").read_text().splitlines()) == 1


def test_the_greatest_bar_of_a_chart_fills_its_width() -> None:
    drawn = bars("A < B", [("psql", 0.5, False), ("the <mirror>", 2.0, True)], "s")
    chart = ElementTree.fromstring(drawn)  # noqa: S314 - made a line above
    long = [float(each.attrib["width"]) for each in chart.iter() if each.tag.endswith("rect")]
    assert long[1] == pytest.approx(4 * long[0])
    assert [each.text for each in chart.iter() if each.tag.endswith("title")] == ["A < B"]
