"""Plays random schedules for as long as wanted: ``python -m tests.faults --schedules 1000000``.

Of four seeds two play orders that go in one by one, one plays orders that go in
groups, one plays the mirrors; of sixty-four one is played on SQLite. Of thirty-two, four
of those of single orders play what comes after the import (cancellations, money) or
before it (registrations), and four of the mirrors have prices that are read by row, or
that the ERP says are the same. Seeds that go wrong are printed as they are found, and
play again the same with ``--seed N --schedules 1 --trace``. Ends with 1 where one went
wrong.
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import islice

import structlog
from sqlalchemy import Engine

from sync.domain.pricing import PriceLevel
from sync.ports.state import State
from sync.ports.store import StoreCapabilities
from sync.state import SqlState, open_state
from sync.state.keys import keys_of
from sync.testing.clock import ManualClock
from sync.testing.erp import MemoryErp
from sync.testing.schedules import Played, Site, play
from sync.testing.store import MemoryStore
from tests.faults.cancels import CancellingSite
from tests.faults.money import MoneySite
from tests.faults.registrations import RegistrationsInTime
from tests.faults.sites import GROUPS, MirrorSite, OrderSite
from tests.pace import keep_pace

RARE: Mapping[int, Callable[[], Site]] = {
    1: CancellingSite,
    9: MoneySite,
    17: RegistrationsInTime,
    25: CancellingSite,
    3: partial(MirrorSite, states=tuple(PriceLevel)),
    11: partial(MirrorSite, by_row=True),
    19: partial(MirrorSite, states=tuple(PriceLevel), by_row=True),
    27: partial(MirrorSite, store_capabilities=StoreCapabilities("memory", batch=1)),
}
CHUNK = 50
ON_SQLITE = 64
_engines: list[Engine] = []


def site_for(seed: int) -> Site:
    """The site that this seed plays on: what a seed does never depends on anything else."""
    rare = RARE.get(seed % 32)
    if rare is not None:
        return rare()
    if seed % 4 == 3:
        return MirrorSite()
    if seed % ON_SQLITE == 0:
        return OrderSite(make_state=partial(on_sqlite, f"seed-{seed}"))
    if seed % 4 == 2:
        return OrderSite(**GROUPS)
    return OrderSite()


def on_sqlite(pipeline: str, store: MemoryStore, erp: MemoryErp, clock: ManualClock) -> State:
    """A pipeline of its own in the one state that all schedules of this process share."""
    if not _engines:
        _engines.append(open_state("sqlite://"))
    keys = keys_of(store.store_id, erp.capabilities.external_key_length)
    return SqlState(_engines[0], pipeline, store.store_id, keys, clock)


def forget_sqlite() -> None:
    """Begin with an empty state again, which stays quick that way."""
    while _engines:
        _engines.pop().dispose()


def play_seed(seed: int) -> Played:
    return play(site_for(seed), seed)


def play_some(seeds: range) -> list[Played]:
    """The schedules of these seeds; of those that went well only the counts are kept."""
    quiet()
    done = [play_seed(seed) for seed in seeds]
    for played in done:
        if not played.violations:
            played.trace.clear()
    forget_sqlite()
    return done


def play_all(first: int, count: int, processes: int) -> Iterator[Played]:
    """In the order of the seeds, whatever the number of processes."""
    end = first + count
    chunks = (range(at, min(at + CHUNK, end)) for at in range(first, end, CHUNK))
    if processes <= 1:
        for chunk in chunks:
            yield from play_some(chunk)
        return
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        # A million schedules are handed out a few at a time.
        while some := list(islice(chunks, processes * 4)):
            for done in pool.imap(play_some, some):
                yield from done


def quiet() -> None:
    """Thousands of runs would otherwise be told line by line to nobody."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    keep_pace()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--schedules", type=int, default=2000, help="how many, one seed each")
    parser.add_argument("--processes", type=int, default=1, help="play so many side by side")
    parser.add_argument("--trace", action="store_true", help="tell a seed that goes wrong in full")
    parser.add_argument("--stop", action="store_true", help="end with the first that goes wrong")
    given = parser.parse_args(arguments)
    began = time.monotonic()
    count = passages = faults = 0
    wrong: list[int] = []
    for played in play_all(given.seed, given.schedules, given.processes):
        count, passages, faults = (
            count + 1,
            passages + played.passages,
            faults + played.faults,
        )
        if played.violations:
            wrong.append(played.seed)
            tell("\n".join([*played.trace, str(played)]) if given.trace else str(played))
            if given.stop:
                break
        if count % 1000 == 0:
            tell(f"{count} schedules, {len(wrong)} wrong, {count / _since(began):.0f} a second")
    tell(
        f"{count} schedules from seed {given.seed}: {passages} passages, {faults} faults, "
        f"{len(wrong)} went wrong, {_since(began):.0f} s, {count / _since(began):.0f} a second"
    )
    if wrong:
        tell("seeds that went wrong: " + " ".join(str(seed) for seed in wrong))
    return 1 if wrong else 0


def _since(began: float) -> float:
    return max(0.001, time.monotonic() - began)


def tell(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
