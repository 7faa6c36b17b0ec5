"""How far a run is: rows and lists with how long they take yet, on the terminal and in words."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from sync.cli.progress import a_bar, steps_text
from sync.cli.resync import _under_way
from sync.domain.codec import dumps
from sync.ports.state import RequestState, ResyncRequest, ResyncScope, RunRecord, RunStep
from tests.unit.cli.conftest import Operator

pytestmark = pytest.mark.rule("OP-2")

BEGAN = datetime(2025, 3, 3, 2, tzinfo=UTC)


def a_step(done: int, total: int | None, minutes: float, begun_with: int = 0) -> RunStep:
    told_at = BEGAN + timedelta(minutes=minutes)
    return RunStep("prices: comparing lists", done, total, begun_with, BEGAN, told_at)


def a_run(*steps: RunStep, flow: str = "prices") -> RunRecord:
    return RunRecord("r-1", flow, BEGAN, steps=steps)


@pytest.mark.parametrize(
    "step, left_s",
    [
        (a_step(100, 400, 10), 30 * 60),
        # Of what was done when the step was told first, nobody knows how long it took.
        (a_step(100, 400, 10, begun_with=50), 60 * 60),
        (a_step(100, None, 10), None),
        (a_step(400, 400, 10), None),
        (a_step(50, 400, 10, begun_with=50), None),
        (a_step(50, 400, 0), None),
    ],
)
def test_a_step_takes_as_long_yet_as_it_took_for_as_much(step: RunStep, left_s: int | None) -> None:
    left = step.left(step.told_at)
    assert left == (None if left_s is None else timedelta(seconds=left_s))
    if left is not None:
        assert step.left(step.told_at + timedelta(minutes=1)) == left - timedelta(minutes=1)
        assert step.left(step.told_at + timedelta(days=1)) == timedelta()


@pytest.mark.parametrize(
    "minutes, told",
    [(0.1, "6 s"), (10, "10 min"), (90, "1 h 30 min"), (119.9, "2 h 0 min")],
)
def test_how_long_it_takes_yet_is_told_in_words(minutes: float, told: str) -> None:
    step = a_step(50_000, 100_000, minutes)
    said = steps_text(a_run(step), step.told_at)
    assert said == f"comparing lists 50,000 of 100,000, about {told} left"


def test_every_step_is_told_and_what_nobody_knows_is_left_out() -> None:
    rows = RunStep("prices: comparing rows", 7_000_000, None, 0, BEGAN, BEGAN)
    said = steps_text(a_run(a_step(100, 400, 10), rows), BEGAN + timedelta(minutes=10))
    assert said == "comparing lists 100 of 400, about 30 min left; comparing rows 7,000,000"
    assert steps_text(a_run(), BEGAN) == ""


def test_the_bar_tells_how_long_it_takes_yet() -> None:
    now = [0.0]
    out = io.StringIO()
    console = Console(file=out, width=120, force_terminal=True, color_system=None)
    with a_bar(console, auto_refresh=False, get_time=lambda: now[0]) as bar:
        task = bar.add_task("prices: comparing lists", total=400)
        for done in (50, 100):
            now[0] += 300.0
            bar.update(task, completed=done)
        bar.refresh()
    shown = [line for line in out.getvalue().splitlines() if "100/400" in line]
    assert shown
    assert "0:30:00" in shown[-1]


@pytest.mark.parametrize(
    "flow, told",
    [("prices", ["prices"]), ("all", ["prices", "invoices"]), ("orders", [])],
)
def test_whoever_waits_for_a_request_is_told_of_its_own_flows(
    flow: str, told: Sequence[str]
) -> None:
    request = ResyncRequest("r7", flow, ResyncScope(), "ann", RequestState.RUNNING, BEGAN)
    runs = [
        a_run(a_step(100, 400, 10)),
        a_run(a_step(1, 4, 10), flow="invoices"),
        a_run(flow=flow),
    ]
    said = list(_under_way(request, runs, BEGAN + timedelta(minutes=10)))
    assert [each.partition(":")[0] for each in said] == list(told)
    assert all("about 30 min left" in each for each in said)


def test_status_tells_how_far_a_run_is_that_nobody_asked_for(fresh: Operator) -> None:
    fresh("resync", "prices", "--json")
    now = datetime.now(UTC)
    began = now - timedelta(hours=1)
    steps = (
        RunStep("prices: comparing lists", 600, 1_000, 0, began, now),
        RunStep("prices: comparing rows", 6_000_000, 10_000_000, 0, began, now),
    )
    fresh.site.change(
        fresh.site.state,
        "UPDATE runs SET outcome = 'running', finished_at = NULL, counts = '{}',"
        f" steps = '{dumps(steps)}'",
    )
    (line,) = fresh("status", "--json").json["pipelines"]
    (run,) = line["runs"]
    lists, rows = run["steps"]
    assert (lists["step"], lists["done"], lists["of"]) == ("prices: comparing lists", 600, 1_000)
    assert (rows["done"], rows["of"]) == (6_000_000, 10_000_000)
    assert 0 < lists["left_s"] <= 40 * 60
    shown = fresh("status").out
    assert "comparing lists 600 of 1,000, about " in shown
    assert "comparing rows 6,000,000 of 10,000,000, about " in shown
