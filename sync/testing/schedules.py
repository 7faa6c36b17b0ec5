"""Random schedules: several processes, many faults, and a world that does not wait.

A seed decides everything: which process works when and for how long, which calls
fail and how, when a worker stalls while its lease runs out, when a process is
killed, when shoppers and staff act. Afterwards every system is well again, and
after some quiet runs the site must have nothing to complain about. The same
seed plays the same schedule again, passage by passage.

The author of an adapter writes one ``Site`` and has everything else here.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sync.errors import SyncError
from sync.testing.clock import ManualClock
from sync.testing.faults import Crash, Fault, Script, possible
from sync.testing.past import Past
from sync.testing.turns import Process

STALLS = (5.0, 70.0, 1000.0, 2000.0)
"""Seconds that a call may hang: nothing, less than a lease, more than a lease."""

QUIET_S = (4000.0, 4000.0, 90_000.0)
"""What goes by before each quiet run; the last one is on the next day."""

# Where a fault does the most harm, it comes more often than chance would have it.
CRUCIAL = (
    *("submit_order", "find_order", "store.order", "show_import"),
    *("submit_orders", "find_orders", "orders_now"),
)
_OUT_OF_SIGHT = (Fault.LATE_REQUEST, Fault.LATE_REPLY, Fault.OVERTAKEN, Fault.LOST_REPLY)


class Site(Protocol):
    """Both systems, the state between them, and all that may happen around them."""

    @property
    def clock(self) -> ManualClock: ...

    @property
    def flows(self) -> Sequence[str]:
        """What the processes run; the first one most often."""
        ...

    @property
    def past(self) -> Past | None:
        """How stale a read may be; None: never."""
        ...

    def start(self, script: Script) -> Callable[[str], object]:
        """A process starts and cleans up after its predecessor; gives what runs a flow in it."""
        ...

    def happen(self, chance: random.Random) -> str:
        """Something happens outside of every process; gives a word for it."""
        ...

    def heal(self) -> None:
        """Every system is well, and people have done what was left to them."""
        ...

    def violations(self) -> list[str]:
        """What is wrong now that everything is well and at rest."""
        ...


@dataclass(slots=True)
class Played:
    """What became of one schedule. ``trace`` tells it step by step."""

    seed: int
    trace: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    passages: int = 0
    faults: int = 0

    @property
    def digest(self) -> str:
        """Of the whole trace: two equal ones are the same schedule."""
        return hashlib.sha256("\n".join(self.trace).encode()).hexdigest()[:16]

    def __str__(self) -> str:
        told = [f"seed {self.seed}: {len(self.violations)} violations"]
        return "\n".join([*told, *(f"  {each}" for each in self.violations)])


class Dice(Script):
    """Fails now and then at some later point, in some way that is possible there."""

    def __init__(self, chance: random.Random, played: Played, name: str, **given: Any) -> None:
        super().__init__(**given)
        self._chance, self._played, self._name = chance, played, name
        self._points_left = 0
        self.loaded = False
        # Any of the next calls may turn out to be a stale read.
        self.may_be_stale = True

    def load(self) -> None:
        """From here on faults may come up, several in one run."""
        self.loaded = True
        self._points_left = self._chance.randint(1, 25)

    def calm(self) -> None:
        self.loaded = False

    def enter(
        self, point: str, arguments: tuple[Any, ...] = (), keywords: dict[str, Any] | None = None
    ) -> Fault | None:
        told = point
        if self.loaded and not self.dead and point != "state.transaction":
            self._points_left -= 1
            crucial = point.endswith(CRUCIAL) and self._chance.random() < 0.2
            if self._points_left <= 0 or crucial:
                fault = self._chance.choice(_kinds(point, crucial))
                # Where it hands over, others may pass; this process does not.
                self.fail(point, fault, at=self.count(point) + 1)
                self._played.faults += 1
                self._points_left = self._chance.randint(2, 40)
                told = f"{point} {fault.value}"
        self._played.passages += 1
        self._played.trace.append(f"{self._name}: {told}")
        return super().enter(point, arguments, keywords)


def _kinds(point: str, crucial: bool) -> list[Fault]:
    kinds = [each for each in Fault if possible(point, each)]
    if crucial:
        # The worst that can happen there is to lose sight of it for a while.
        kinds += [each for each in _OUT_OF_SIGHT if possible(point, each)] * 2
    return kinds


class _Worker:
    """A process with its script; killed, it is followed by a new one."""

    def __init__(
        self, site: Site, chance: random.Random, played: Played, number: int, stalls: bool
    ) -> None:
        self._site, self._chance, self._played = site, chance, played
        self.process = Process(f"process {number}", site.clock)
        self.script = Dice(
            chance,
            played,
            self.process.name,
            late=self._late if stalls else None,
            # One that has the site to itself hands over to nobody.
            turn=self.process.pass_point if stalls else None,
            # Nor does it ever read what is stale.
            past=site.past if stalls else None,
        )
        self._run: Callable[[str], object] | None = None

    def begin(self, flow: str) -> None:
        self.process.begin(lambda: self._work(flow))

    def work_alone(self, flow: str) -> None:
        """From beginning to end: nobody else works meanwhile."""
        try:
            self._work(flow)
        except Exception as error:  # noqa: BLE001 - told as one of a process of its own
            self.process.error = error

    def kill(self) -> None:
        self.script.dead = True

    def _late(self) -> None:
        self.process.stall(self._chance.choice(STALLS))

    def _work(self, flow: str) -> None:
        try:
            if self._run is None:
                self.script.restart()
                self._run = self._site.start(self.script)
            self._run(flow)
        except Crash:
            self._played.trace.append(f"{self.process.name}: dies")
            self._run = None
        except SyncError:
            pass  # the state was away: the daemon tries again later


def play(site: Site, seed: int, *, steps: int = 24, processes: int = 3) -> Played:
    """Play the schedule of this seed on a fresh site."""
    chance = random.Random(seed)
    played = Played(seed)
    # Back-off and jitter are drawn from the common generator.
    before = random.getstate()
    random.seed(seed)
    try:
        _play(site, chance, played, steps, processes)
    finally:
        random.setstate(before)
    return played


def _play(site: Site, chance: random.Random, played: Played, steps: int, processes: int) -> None:
    workers = [
        _Worker(site, chance, played, number, stalls=True)
        for number in range(1, chance.randint(1, processes) + 1)
    ]
    for _ in range(chance.randint(steps // 2, steps)):
        _step(site, chance, played, workers)
    for worker in workers:
        worker.script.calm()
    _let_all_end(site, chance, played, workers)
    for worker in workers:
        worker.script.arrive()
    played.trace.append("all is well")
    last = _Worker(site, chance, played, 0, stalls=False)
    for seconds in QUIET_S:
        site.heal()
        site.clock.advance(seconds)
        for flow in site.flows:
            last.work_alone(flow)
    played.violations.extend(_errors([*workers, last]))
    played.violations.extend(site.violations())


def _step(site: Site, chance: random.Random, played: Played, workers: list[_Worker]) -> None:
    ready = [worker for worker in workers if worker.process.ready]
    idle = [worker for worker in workers if not worker.process.busy]
    hanging = any(worker.process.stalled_until for worker in workers)
    dice = chance.random()
    if dice < 0.3:
        played.trace.append(site.happen(chance))
    elif dice < 0.6 and idle:
        worker = chance.choice(idle)
        if hanging or chance.random() < 0.2:
            worker.script.calm()
        else:
            worker.script.load()
        flow = site.flows[0] if chance.random() < 0.7 else chance.choice(list(site.flows))
        played.trace.append(f"{worker.process.name} begins {flow}")
        worker.begin(flow)
        worker.process.go_on(chance.choice((3, 12, 40, 1_000_000)))
    elif dice < (0.75 if hanging else 0.68):
        seconds = chance.choice((30.0, 120.0, 400.0, 1000.0))
        played.trace.append(f"{seconds:g} s go by")
        site.clock.advance(seconds)
    elif dice < 0.78 and any(worker.process.busy for worker in workers):
        worker = chance.choice([each for each in workers if each.process.busy])
        if not worker.process.stalled_until:
            played.trace.append(f"{worker.process.name} is killed")
            worker.kill()
    elif ready:
        chance.choice(ready).process.go_on(chance.choice((1, 3, 12, 40)))


def _let_all_end(site: Site, chance: random.Random, played: Played, workers: list[_Worker]) -> None:
    """Stalled calls come back, one after the other, and the work is done to its end."""
    while busy := [worker for worker in workers if worker.process.busy]:
        ready = [worker for worker in busy if worker.process.ready]
        if ready:
            chance.choice(ready).process.go_on(chance.choice((12, 40, 1_000_000)))
            continue
        until = min(w.process.stalled_until or site.clock.now() for w in busy)
        site.clock.advance(max(0.0, (until - site.clock.now()).total_seconds()))
        played.trace.append("a call comes back")


def _errors(workers: Sequence[_Worker]) -> list[str]:
    return [
        f"{worker.process.name} ended with {type(worker.process.error).__name__}:"
        f" {worker.process.error}"
        for worker in workers
        if worker.process.error is not None
    ]
