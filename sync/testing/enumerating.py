"""Every way in which a run can be broken once, and every two ways on a stretch of it.

A trial is a world with a script, one run that may be broken, and what follows
until everything is at rest. It is made anew for each case. First it runs
unbroken, to learn the points; then once for each point and each fault that is
possible there. For two faults the second is looked for in what a trial with the
first one passes afterwards, be it the same run or the one after a crash.

``at_every_point`` lets something happen in the world instead of a fault: an
order is edited, an administrator saves a mapping.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from sync.testing.faults import Call, Fault, Script, possible

Point = tuple[str, int]


class Trial(Protocol):
    """One world, for one case."""

    @property
    def script(self) -> Script: ...

    def run(self) -> None:
        """The run that may be broken. It deals with crashes and errors itself."""
        ...

    def recover(self) -> None:
        """As many quiet runs as any wait needs."""
        ...

    def violations(self) -> Sequence[str]: ...


MakeTrial = Callable[[], Trial]
SomeTrial = TypeVar("SomeTrial", bound=Trial)


@dataclass(frozen=True, slots=True)
class Broken:
    """The passage that fails, and how."""

    point: str
    number: int
    fault: Fault

    def __str__(self) -> str:
        return f"{self.fault.value} at {self.point} {self.number}"


@dataclass(slots=True)
class Enumeration:
    """What came of it. ``found`` names the case of each violation."""

    cases: int = 0
    passages: int = 0
    found: list[str] = field(default_factory=list)

    def note(self, trial: Trial, case: str) -> None:
        self.cases += 1
        self.passages += len(trial.script.log)
        self.found.extend(f"{case}: {each}" for each in trial.violations())
        self.found.extend(
            f"{case}: {point} {number} was never passed" for point, number in trial.script.unused
        )


def learn(make: MakeTrial) -> list[Point]:
    """Where the run can be broken. Raises AssertionError where it goes wrong unbroken."""
    trial = make()
    trial.run()
    points = _points(trial.script, 0)
    trial.recover()
    wrong = trial.violations()
    assert not wrong, f"without any fault: {wrong}"
    return points


def singles(make: MakeTrial, faults: Iterable[Fault] = Fault) -> Iterator[Broken]:
    """Each fault at each point of the run where it is possible."""
    for point, number in learn(make):
        for fault in faults:
            if possible(point, fault):
                yield Broken(point, number, fault)


def try_each(
    make: MakeTrial, cases: Iterable[Sequence[Broken]], *, stop_at: int | None = None
) -> Enumeration:
    """Play each case; ends early once ``stop_at`` violations are found."""
    result = Enumeration()
    for case in cases:
        trial = make()
        _play(trial, case)
        result.note(trial, " and ".join(str(each) for each in case))
        if stop_at is not None and len(result.found) >= stop_at:
            break
    return result


def every_fault(
    make: MakeTrial, faults: Iterable[Fault] = Fault, *, stop_at: int | None = None
) -> Enumeration:
    """Each fault alone, at each point."""
    return try_each(make, ([each] for each in singles(make, tuple(faults))), stop_at=stop_at)


def every_pair(
    make: MakeTrial,
    stretch: Callable[[Sequence[Call]], Sequence[Point]],
    faults: Iterable[Fault] = Fault,
    *,
    first: Iterable[Fault] | None = None,
    stop_at: int | None = None,
) -> Enumeration:
    """Each two faults on a stretch of the way, the second anywhere behind the first.

    ``stretch`` picks its points from a log, of one run or of several; ``first``
    restricts what the first one may be. Of faults that come to the same only
    one is tried (``distinct``).
    """
    faults = tuple(faults)
    trial = make()
    _play(trial, [])
    result = Enumeration()
    for one in _distinct(stretch(trial.script.log), tuple(first or faults)):
        trial = make()
        _play(trial, [one])
        behind = trial.script.log[_position(trial.script, one) + 1 :]
        cases = ([one, each] for each in _distinct(stretch(behind), faults))
        tried = try_each(make, cases, stop_at=stop_at)
        result.cases += tried.cases
        result.passages += tried.passages
        result.found.extend(tried.found)
        if stop_at is not None and len(result.found) >= stop_at:
            break
    return result


def distinct(point: str, fault: Fault) -> bool:
    """Whether the fault does there what no other fault does.

    Dying before a call is dying after the one before it; a read whose request
    is lost looks like one whose answer is.
    """
    if fault is Fault.CRASH_BEFORE:
        return False
    if possible(point, Fault.OVERTAKEN) or point.endswith(".exit"):
        return True
    return fault not in (Fault.LOST_REQUEST, Fault.REPEAT, Fault.REORDER)


def _distinct(points: Iterable[Point], faults: Sequence[Fault]) -> list[Broken]:
    return [
        Broken(point, number, fault)
        for point, number in points
        for fault in faults
        if possible(point, fault) and distinct(point, fault)
    ]


def at_every_point(
    make: Callable[[], SomeTrial],
    happens: Callable[[SomeTrial], object],
    *,
    stop_at: int | None = None,
) -> Enumeration:
    """Something happens in the world just before each point of the run, once."""
    result = Enumeration()
    for point, number in learn(make):
        if point.endswith(".exit"):
            continue  # within a transaction of the state nothing else is waited for
        trial = make()
        trial.script.meanwhile(point, lambda of=trial: happens(of), at=number)  # type: ignore[misc]
        _play(trial, [])
        result.note(trial, f"just before {point} {number}")
        if stop_at is not None and len(result.found) >= stop_at:
            break
    return result


def _play(trial: Trial, case: Sequence[Broken]) -> None:
    for each in case:
        trial.script.fail(each.point, each.fault, at=each.number)
    trial.run()
    trial.recover()
    trial.script.arrive()


def _points(script: Script, start: int) -> list[Point]:
    # Calling transaction() does nothing yet; its two ends are points of their own.
    return [
        (call.point, call.number)
        for call in script.log[start:]
        if not call.point.endswith("transaction")
    ]


def _position(script: Script, case: Broken) -> int:
    for position, call in enumerate(script.log):
        if (call.point, call.number) == (case.point, case.number):
            return position
    raise AssertionError(f"{case} was never passed")
