"""``make live-torture``: what is run is described in tests/torture/README.md."""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from tests.systems.live.checking import violations
from tests.systems.live.kills import kills
from tests.systems.live.latency import measure
from tests.systems.live.story import Live, a_live_pair
from tests.systems.medusa.server import missing
from tests.systems.tryton import kit
from tests.torture.__main__ import BUILD, say, told

P95_S = 5.0


def main(options: argparse.Namespace) -> int:
    lacking = missing() or (None if kit.here() else f"there is no kit of Tryton at {kit.KIT}")
    if lacking is not None:
        say(f"live torture: NOT RUN, {lacking}")
        return 1
    say(f"live torture: seed {options.seed}, load {os.getloadavg()[0]:.1f}")
    with (
        tempfile.TemporaryDirectory(prefix="tradesync-live-site-") as folder,
        a_live_pair(Path(folder)) as live,
    ):
        live.mirror()
        wrong, report = _run(live, options)
    for each in wrong[:20]:
        say(f"  VIOLATION {each}")
    BUILD.mkdir(parents=True, exist_ok=True)
    stamp = datetime.now(UTC).isoformat(timespec="seconds")
    content = {"at": stamp, "seed": options.seed, "wrong": wrong, **report}
    (BUILD / "live.json").write_text(json.dumps(content, indent=1), encoding="utf-8")
    say(f"live torture: {'VIOLATED' if wrong else 'SOUND'}, {len(wrong)} violations")
    return 1 if wrong else 0


def _run(live: Live, options: argparse.Namespace) -> tuple[list[str], dict[str, object]]:
    wrong: list[str] = []
    report: dict[str, object] = {}
    if options.orders:
        found = measure(live, options.orders, f"{options.seed}/latency")
        say(f"checkout to ERP, load {os.getloadavg()[0]:.1f}: {found.told()}")
        report["latency"] = asdict(found)
        wrong += violations(live.pair, live.site, live.journal())
        if found.missing or found.share(0.95) >= P95_S:
            wrong.append(f"the goal is a p95 under {P95_S:.0f} s")
    if options.kills:
        outcome = kills(live, options.kills, options.seed, say, options.minutes * 60)
        say(told(outcome))
        report["kills"] = asdict(outcome)
        wrong += outcome.wrong
    return wrong, report


def options_of(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.systems.live", description=__doc__)
    parser.add_argument("--seed", default=str(int(time.time())))
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=math.inf, help="end the kills by then")
    parser.add_argument("--orders", type=int, default=200, help="whose latency is measured")
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main(options_of()))
