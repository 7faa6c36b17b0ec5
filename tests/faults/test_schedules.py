"""Random schedules: several processes, many faults, a world that does not wait."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from sync.domain.ids import WebOrderId
from sync.ports.state import LedgerFilter
from sync.testing.clock import ManualClock
from sync.testing.schedules import play
from sync.testing.turns import Process
from tests.faults.money import MoneySite
from tests.faults.playing import forget_sqlite, main, on_sqlite, play_seed
from tests.faults.sites import MirrorSite, OrderSite

SCHEDULES = 2000
"""In every test run; ``tests/systems`` plays 20,000 others."""
AT_ONCE = 100
ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.rule("OI-1", "OI-2", "OI-4", "MI-1", "WA-8", "OP-1")
@pytest.mark.parametrize("first", range(0, SCHEDULES, AT_ONCE))
def test_whatever_happens_at_once_nothing_is_lost_doubled_or_shown_to_strangers(
    first: int,
) -> None:
    for seed in range(first, first + AT_ONCE):
        played = play_seed(seed)
        again = f"python -m tests.faults --seed {seed} --schedules 1 --trace"
        assert not played.violations, f"{played}\nplay it again: {again}"
    forget_sqlite()


def test_same_seed_is_the_same_schedule_whatever_keeps_the_state() -> None:
    for seed in range(500, 512):
        first, second = OrderSite(), OrderSite()
        on_disk = OrderSite(make_state=partial(on_sqlite, f"same-{seed}"))
        told = play(first, seed).trace
        assert told == play(second, seed).trace
        assert told == play(on_disk, seed).trace
        assert history(first) == history(on_disk)
    forget_sqlite()


@pytest.mark.rule("OI-10", "OP-1")
@pytest.mark.parametrize("first", range(0, 200, 100))
def test_whatever_happens_at_once_money_is_taken_and_given_back_once(first: int) -> None:
    for seed in range(first, first + AT_ONCE):
        played = play(MoneySite(), seed)
        assert not played.violations, f"{played}"


def test_same_seed_moves_the_same_money_whatever_keeps_the_state() -> None:
    for seed in range(500, 504):
        site = MoneySite()
        on_disk = MoneySite(make_state=partial(on_sqlite, f"money-{seed}"))
        assert play(site, seed).trace == play(on_disk, seed).trace
        assert history(site) == history(on_disk)
    forget_sqlite()


def history(site: OrderSite) -> list[tuple[str, ...]]:
    with site.state.transaction() as state:
        return [
            (entry.number, event.at.isoformat(), event.event, event.detail)
            for entry in sorted(state.ledger.entries(LedgerFilter()), key=lambda e: e.number)
            for event in state.ledger.history(entry.order_id)
        ]


def test_seed_does_not_depend_on_how_python_hashes() -> None:
    program = (
        "from tests.faults.playing import play_seed, quiet; quiet()\n"
        "print([play_seed(seed).digest for seed in range(600, 612)])"
    )
    other = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
    said = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": other},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    here = [play_seed(seed).digest for seed in range(600, 612)]
    forget_sqlite()
    assert said == f"{here}\n"
    assert len(set(here)) == 12


def test_schedules_come_to_what_they_are_there_for() -> None:
    """Otherwise all of them might end well for want of anything that happens."""
    wanted = {
        *("outcome_unknown", "thawed", "released", "quarantined", "review", "closed"),
        *("attempt 2", "the worker that held it is gone"),
    }
    for seed in range(200):
        site = OrderSite()
        play(site, seed)
        for _, _, event, detail in history(site):
            wanted -= {event, detail}
        if not wanted:
            break
    assert not wanted


def test_process_that_hangs_goes_on_later_and_knows_nothing_of_it() -> None:
    clock = ManualClock()
    told: list[str] = []
    hanging, other = Process("first", clock), Process("second", clock)

    def hang() -> None:
        told.append("begins")
        hanging.stall(100)
        told.append("goes on")

    hanging.begin(hang)
    hanging.go_on(5)
    assert not hanging.ready
    other.begin(lambda: told.append("the other"))
    other.go_on(5)
    assert not other.busy
    clock.advance(100)
    assert hanging.ready
    hanging.go_on(5)
    assert told == ["begins", "the other", "goes on"]


def test_process_hands_over_at_the_point_where_its_turn_is_used_up() -> None:
    clock = ManualClock()
    passed: list[int] = []
    process = Process("only", clock)

    def work() -> None:
        for number in range(5):
            process.pass_point()
            passed.append(number)

    process.begin(work)
    process.go_on(2)
    assert passed == [0, 1]
    process.go_on(0)
    assert passed == [0, 1, 2]
    process.go_on(100)
    assert not process.busy


class _Forgetful(OrderSite):
    """A site whose ERP has lost every order by the time that somebody looks."""

    def violations(self) -> list[str]:
        self.erp._orders.clear()
        return super().violations()


def test_command_names_the_seed_that_went_wrong(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tests.faults.playing.site_for", lambda seed: _Forgetful())
    assert main(["--seed", "7", "--schedules", "2", "--trace", "--stop"]) == 1
    told = capsys.readouterr().out
    assert "seed 7:" in told
    assert "the ERP has nothing" in told
    assert "all is well" in told
    assert "seeds that went wrong: 7" in told
    monkeypatch.undo()
    assert main(["--seed", "7", "--schedules", "1"]) == 0


def test_command_plays_in_several_processes_what_it_plays_in_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    eight = ["--seed", "40", "--schedules", "8"]
    several = subprocess.run(
        [sys.executable, "-m", "tests.faults", *eight, "--processes", "2"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert main(eight) == 0
    one = capsys.readouterr().out
    assert one.startswith("8 schedules from seed 40:")
    assert one.partition(" went wrong")[0] == several.partition(" went wrong")[0]


def test_mirrors_have_schedules_too() -> None:
    assert play(MirrorSite(), 3).passages > 100
    assert WebOrderId("order-1") not in OrderSite().placed
