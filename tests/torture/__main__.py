"""``make torture`` and ``make soak``: what is run is described in README.md beside this file."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.system.site import REPOSITORY, environment
from tests.torture.places import a_place, fresh_sample
from tests.torture.servers import Server
from tests.torture.shop import Shop
from tests.torture.soak import Soak
from tests.torture.trials import Outcome, Torture

BUILD = REPOSITORY / "build" / "torture"
BACKENDS = ("sqlite", "postgresql")
Say = Callable[[str], None]


def say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - a program for a terminal


def restart_delay_s() -> float:
    """How long systemd waits before it starts a daemon again, by the unit that we ship."""
    unit = (REPOSITORY / "systemd" / "tradesync.service").read_text(encoding="utf-8")
    (found,) = [line for line in unit.splitlines() if line.startswith("RestartSec=")]
    return float(found.partition("=")[2])


def quantile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(share * len(ordered)))]


def told(outcome: Outcome) -> str:
    line = (
        f"{outcome.backend} {outcome.trial} {outcome.done}: {outcome.orders} orders,"
        f" {outcome.in_erp} in the ERP, {outcome.wrong_orders} wrong ones,"
        f" {outcome.cancelled} cancelled, {outcome.seconds:.0f} s"
    )
    if outcome.recovery_s:
        shares = [f"{quantile(outcome.recovery_s, each):.1f}" for each in (0.5, 0.99, 1.0)]
        line += f"; next order after p50/p99/max {'/'.join(shares)} s"
    where = ", ".join(f"{name}: {number}" for name, number in sorted(outcome.counts.items()))
    return f"{line}\n  {where}\n  {len(outcome.wrong)} violations"


def one(
    backend: str,
    seed: str,
    torment: Callable[[Torture, Server | None], Outcome],
    *,
    without_key: bool = False,
) -> Outcome:
    """One trial on databases of its own."""
    with ExitStack() as opened:
        server = opened.enter_context(Server()) if backend == "postgresql" else None
        folder = opened.enter_context(tempfile.TemporaryDirectory(prefix="tradesync-torture-"))
        root = Path(folder) / "site"
        root.mkdir()
        sample = fresh_sample()
        place = opened.enter_context(
            a_place(root, backend, sample, server, without_key=without_key)
        )
        shop = Shop(place.engines["store"], sample.world, seed)
        return torment(Torture(place, shop, seed, say), server)


def mutant(backend: str, seed: str, kills: int) -> Outcome:
    """The same kills on an ERP that takes an order twice: violations must be found."""
    outcome = one(backend, seed, lambda t, _: t.kills(kills), without_key=True)
    outcome.trial = "kills of the mutant"
    return outcome


def schedules(seed: str, count: int) -> bool:
    """Fault schedules in memory, where that program is part of the tree."""
    if not count:
        return True
    if importlib.util.find_spec("tests.faults") is None:
        say("FAULT SCHEDULES WERE NOT RUN: there is no tests/faults in this tree.")
        return True
    words = ["-m", "tests.faults", "--seed", seed, "--schedules", str(count)]
    done = subprocess.run([sys.executable, *words], cwd=REPOSITORY, check=False, env=environment())
    return done.returncode == 0


def torture(options: argparse.Namespace) -> int:
    seed = options.seed
    say(f"torture: seed {seed}, load {os.getloadavg()[0]:.1f}")
    sound = schedules(seed, options.schedules)
    outcomes: list[Outcome] = []
    delay_s = restart_delay_s() if options.recovery else 0.0
    for backend in options.backends:
        trials: list[Callable[[Torture, Server | None], Outcome]] = []
        if options.kills:
            trials.append(lambda t, _: t.kills(options.kills, delay_s=delay_s))
        if options.restarts and backend == "postgresql":
            trials.append(lambda t, server: t.restarts(options.restarts, _needed(server)))
        if options.takeovers:
            trials.append(lambda t, _: t.takeovers(options.takeovers))
        for trial in trials:
            outcomes.append(one(backend, seed, trial))
            say(told(outcomes[-1]))
            for each in outcomes[-1].wrong[:20]:
                say(f"  VIOLATION {each}")
        if options.mutant:
            bitten = mutant(backend, seed, options.mutant)
            say(told(bitten))
            if not any("times in the ERP" in each for each in bitten.wrong):
                say("  VIOLATION the mutant went unnoticed: this torture does not bite")
                sound = False
            outcomes.append(bitten)
    honest = [each for each in outcomes if "mutant" not in each.trial]
    sound = sound and not any(each.wrong for each in honest)
    _write("torture", {"seed": seed, "sound": sound, "outcomes": [asdict(e) for e in outcomes]})
    say(
        f"torture: {'SOUND' if sound else 'VIOLATED'}, seed {seed},"
        f" {sum(each.done for each in honest)} interruptions,"
        f" {sum(each.orders for each in honest)} orders,"
        f" {sum(len(each.wrong) for each in honest)} violations"
    )
    return 0 if sound else 1


def soak(options: argparse.Namespace) -> int:
    say(f"soak: {options.hours} hours, {options.orders} orders, seed {options.seed}")
    with tempfile.TemporaryDirectory(prefix="tradesync-soak-") as folder:
        seed = int(options.seed)
        report = Soak(Path(folder), hours=options.hours, orders=options.orders, seed=seed).run(say)
    _write("soak", asdict(report))
    for each in report.wrong[:20]:
        say(f"  VIOLATION {each}")
    last = report.samples[-1]
    say(
        f"soak: {'SOUND' if not report.wrong else 'VIOLATED'}, {report.orders} orders in"
        f" {report.hours} hours, {report.seconds:.0f} s ({report.cpu_s:.0f} s of processor),"
        f" memory {last.rss:.0f} MiB ({report.rss_slope_mib_per_h:+.3f} MiB/h),"
        f" {last.files} files, log {max(each.wal for each in report.samples):.1f} MiB,"
        f" runs {report.runs}"
    )
    return 1 if report.wrong else 0


def _needed(server: Server | None) -> Server:
    assert server is not None
    return server


def _write(name: str, content: dict[str, Any]) -> None:
    BUILD.mkdir(parents=True, exist_ok=True)
    stamp = datetime.now(UTC).isoformat(timespec="seconds")
    text = json.dumps({"at": stamp, **content}, indent=1, default=str)
    (BUILD / f"{name}.json").write_text(text, encoding="utf-8")


def options_of(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("--seed", default=str(int(time.time())))
    what = parser.add_subparsers(required=True)
    hurt = what.add_parser("run", help="kill, restart, freeze")
    hurt.add_argument("--schedules", type=int, default=10_000)
    hurt.add_argument("--kills", type=int, default=100)
    hurt.add_argument("--restarts", type=int, default=50)
    hurt.add_argument("--takeovers", type=int, default=5)
    hurt.add_argument("--mutant", type=int, default=20)
    hurt.add_argument("--backends", nargs="+", choices=BACKENDS, default=list(BACKENDS))
    hurt.add_argument("--recovery", action="store_true", help="wait RestartSec after each kill")
    hurt.set_defaults(do=torture)
    wait = what.add_parser("soak", help="days of business on a virtual clock")
    wait.add_argument("--hours", type=int, default=72)
    wait.add_argument("--orders", type=int, default=50_000)
    wait.set_defaults(do=soak)
    return parser.parse_args(words)


if __name__ == "__main__":
    chosen = options_of()
    sys.exit(chosen.do(chosen))
