"""What goes wrong on the way to a system and back, on request.

``faulty(port, script)`` looks and answers like the port, whichever protocols it
satisfies, but passes every call through the script. Whatever a call may wait
for is a *point*, counted by name from 1:

- ``submit_order``: a call of that method;
- ``changed_orders.next``: each step of an iterator that the method returned;
- ``transaction.enter`` and ``transaction.exit``: both ends of a context manager
  that it returned. What is lost or crashes before ``exit`` was not committed.

With a ``name`` the points of one port are told from another's in a shared
script: ``erp.submit_order``. Run a scenario once without faults, and
``Script.points`` lists every point at which it can be broken; ``possible`` says
which faults make sense there.

After a crash the process counts as dead: every further point raises ``Crash``
too, so that no ``finally`` does what a killed process could not, until
``restart``. What it had sent still arrives.

Which stale reads (``STALE``) the flows survive, and which they cannot, stands
in ``sync.testing.past``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from enum import Enum
from types import TracebackType
from typing import Any, NamedTuple, TypeVar, cast

from sync.errors import OutcomeUnknown, SyncError, TryLater
from sync.testing.past import Past, other_order

T = TypeVar("T")

# Everything else only reads. "shown_" is no "show_".
WRITING = (
    *("submit_", "show_", "put_", "apply_", "publish_", "withdraw_", "create_", "add_", "set_"),
    *("cancel_", "capture", "request_"),
)
READING = frozenset({"captures"})

# A content goes piece by piece: a piece is no page that might come twice, and a call
# whose sender is gone in the middle of it never arrives.
IN_PIECES = frozenset({"read_file", "read_document", "document_content"})
TAKES_PIECES = frozenset({"publish_document"})

# The port promises these in an order: their pages and items never come in another.
ORDERED = frozenset({"changed_orders", "availability", "shown_stocked_items", "open_applications"})


# What a port tells by itself: nothing is on its way that could be lost.
ASKS_NOBODY = frozenset({"foreseen_refusal"})


def writing(method: str) -> bool:
    """Whether a call of this name may change something."""
    return method.startswith(WRITING) and method not in READING


class Crash(BaseException):
    """The process was killed here. No handler of errors may catch it."""


class Fault(Enum):
    """How a point fails.

    LOST_REQUEST: nothing arrived; TryLater. LOST_REPLY: it was done, but the
    answer is lost: OutcomeUnknown for a write, TryLater for anything else.
    CRASH_BEFORE, CRASH_AFTER: the process dies on either side of it. REPEAT:
    an iterator gives the same page twice, a call is delivered twice.

    LATE_REQUEST, LATE_REPLY: the call takes so long that the script's ``late``
    happens before it arrives, or between its effect and its answer. OVERTAKEN:
    a write ends with OutcomeUnknown and is carried out after all, behind the
    next call to any system. REORDER: what the port promises in no order comes
    in another one. STALE: a read answers what held some calls ago.
    """

    LOST_REQUEST = "lost_request"
    LOST_REPLY = "lost_reply"
    CRASH_BEFORE = "crash_before"
    CRASH_AFTER = "crash_after"
    REPEAT = "repeat"
    LATE_REQUEST = "late_request"
    LATE_REPLY = "late_reply"
    OVERTAKEN = "overtaken"
    REORDER = "reorder"
    STALE = "stale"


def possible(point: str, fault: Fault) -> bool:
    """Whether the fault can happen at a point of this name.

    A transaction of the state is its own witness: it is never stale, and what
    happens while one is open can only be lost, not come late.
    """
    parts = point.split(".")
    if "transaction" in parts:
        return {
            Fault.LATE_REQUEST: parts[-1] == "enter",
            Fault.LATE_REPLY: parts[-1] == "exit",
        }.get(fault, fault in _BEFORE or fault in _AFTER)
    step = parts[-1] == "next"
    method = parts[-2] if step else parts[-1]
    writes = writing(method)
    match fault:
        case Fault.OVERTAKEN:
            return writes and method not in TAKES_PIECES
        case Fault.REPEAT:
            return not (step and method in IN_PIECES)
        case Fault.STALE:
            return not writes and not step
        case Fault.REORDER:
            return not writes and not step and method not in ORDERED
    return True


_BEFORE = (Fault.LOST_REQUEST, Fault.CRASH_BEFORE)
_AFTER = (Fault.LOST_REPLY, Fault.CRASH_AFTER)


class Call(NamedTuple):
    """One passage through a point: its number counts passages of that point.

    ``fault`` is the one that was injected, ``arguments`` are those of the call.
    """

    point: str
    number: int
    arguments: tuple[Any, ...] = ()
    keywords: tuple[tuple[str, Any], ...] = ()
    fault: Fault | None = None


class Script:
    """Which passages fail and how; ``log`` keeps every passage in order.

    ``late`` is what happens while a call is late: time goes by, somebody else
    works. ``turn`` is told of each point before it is passed, outside of every
    transaction: where several processes take turns, it hands over. ``past``
    says how far back a stale read goes. While ``keep_on_its_way``, a call that
    was overtaken does not arrive.
    """

    def __init__(
        self,
        *,
        late: Callable[[], object] | None = None,
        turn: Callable[[str], object] | None = None,
        past: Past | None = None,
    ) -> None:
        self.log: list[Call] = []
        self.dead = False
        self.past = past
        self._late = late
        self._turn = turn
        self.keep_on_its_way = False
        # Copies for stale reads are not made for a script that plans none.
        self.may_be_stale = False
        self._on_its_way: list[Callable[[], object]] = []
        self._faults: dict[tuple[str, int], Fault] = {}
        self._meanwhile: dict[tuple[str, int], Callable[[], object]] = {}
        self._passed: dict[str, int] = {}

    def fail(self, point: str, fault: Fault, *, at: int = 1) -> Script:
        """Let the ``at``-th passage of the point, counted from the start, fail so.

        A stale read answers from no further back than the first that was planned.
        """
        self._faults[point, at] = fault
        if fault is Fault.STALE:
            self.may_be_stale = True
        return self

    def lost_request(self, point: str, *, at: int = 1) -> Script:
        return self.fail(point, Fault.LOST_REQUEST, at=at)

    def lost_reply(self, point: str, *, at: int = 1) -> Script:
        return self.fail(point, Fault.LOST_REPLY, at=at)

    def crash_before(self, point: str, *, at: int = 1) -> Script:
        return self.fail(point, Fault.CRASH_BEFORE, at=at)

    def crash_after(self, point: str, *, at: int = 1) -> Script:
        return self.fail(point, Fault.CRASH_AFTER, at=at)

    def repeat(self, point: str, *, at: int = 1) -> Script:
        return self.fail(point, Fault.REPEAT, at=at)

    def when_late(self, action: Callable[[], object]) -> Script:
        """Say what happens while a call is late."""
        self._late = action
        return self

    def meanwhile(self, point: str, action: Callable[[], object], *, at: int = 1) -> Script:
        """Let something else happen just before that passage, such as time going by."""
        self._meanwhile[point, at] = action
        return self

    def restart(self) -> None:
        """A new process begins. Passages go on being counted."""
        self.arrive()
        self.dead = False

    def send(self, call: Callable[[], object]) -> None:
        """Let the call arrive later than the next one."""
        self._on_its_way.append(call)

    def arrive(self) -> None:
        """What is still on its way arrives now; nobody hears the answer."""
        while self._on_its_way and not self.keep_on_its_way:
            call = self._on_its_way.pop(0)
            with suppress(SyncError):
                call()

    @property
    def points(self) -> Sequence[tuple[str, int]]:
        """Every passage so far, in order: where a second run may be broken."""
        return tuple((call.point, call.number) for call in self.log)

    def count(self, point: str) -> int:
        """How often the point was passed."""
        return self._passed.get(point, 0)

    @property
    def unused(self) -> Sequence[tuple[str, int]]:
        """Faults and actions that never came up: a test that relies on them proves nothing."""
        reached = {(call.point, call.number) for call in self.log}
        return tuple(sorted((self._faults.keys() | self._meanwhile.keys()) - reached))

    def enter(
        self, point: str, arguments: tuple[Any, ...] = (), keywords: dict[str, Any] | None = None
    ) -> Fault | None:
        """Pass the point; raises what happens before it, else gives its fault."""
        if self.dead:
            raise Crash(f"{point}: the process is dead")
        if self._turn is not None and not point.endswith(".exit"):
            self._turn(point)
        number = self._passed[point] = self._passed.get(point, 0) + 1
        fault = self._faults.get((point, number)) if self._faults else None
        named = tuple(keywords.items()) if keywords else ()
        self.log.append(Call(point, number, arguments, named, fault))
        action = self._meanwhile.get((point, number)) if self._meanwhile else None
        if action is not None:
            action()
        if fault is None:
            return None  # nearly always
        if fault is Fault.LATE_REQUEST:
            self._wait()
        if fault in _BEFORE:
            self._raise(fault, point, writes=False)
        return fault

    def leave(self, point: str, fault: Fault | None, *, writes: bool) -> None:
        """The point is passed; raises what happens after it."""
        if fault is None:
            return
        if fault is Fault.LATE_REPLY:
            self._wait()
        if fault in _AFTER:
            self._raise(fault, point, writes=writes)

    def _wait(self) -> None:
        if self._late is None:
            raise RuntimeError("a call is late, and nobody said what happens meanwhile")
        self._late()

    def _raise(self, fault: Fault, point: str, *, writes: bool) -> None:
        if fault in (Fault.CRASH_BEFORE, Fault.CRASH_AFTER):
            self.dead = True
            raise Crash(f"{point}: {fault.value}")
        error: SyncError
        if writes:
            error = OutcomeUnknown(f"{point}: the answer is lost")
        else:
            error = TryLater(f"{point}: {fault.value}")
        raise error


def faulty(port: T, script: Script, name: str = "") -> T:
    """The port behind the script. It satisfies the same protocols as ``port``."""
    kind: Any = type(port)
    wrapper = _wrapper(kind, f"{name}." if name else "")
    return cast("T", wrapper(port, script))


@functools.lru_cache(maxsize=64)
def _wrapper(kind: type[Any], prefix: str) -> type[_Faulty]:
    members: dict[str, Any] = {}
    for member in dir(kind):
        if member.startswith("_"):
            continue
        value = getattr(kind, member)
        if value is None and any(callable(vars(base).get(member)) for base in kind.__mro__):
            # A fake that does not do what its base does satisfies no protocol by it.
            members[member] = None
        elif callable(value) and member not in ASKS_NOBODY:
            members[member] = _delegating(member, f"{prefix}{member}")
        else:
            members[member] = _reading(member)
    # A class of its own: isinstance() with a protocol looks for members on the class.
    return type(f"Faulty{kind.__name__}", (_Faulty,), members)


class _Faulty:
    def __init__(self, port: object, script: Script) -> None:
        self._port = port
        self._script = script
        self._before = script.past.of(port) if script.past is not None else None

    def __getattr__(self, name: str) -> Any:
        # Attributes of the instance, such as the counters of a fake.
        return getattr(self._port, name)


def _reading(name: str) -> property:
    return property(lambda self: getattr(self._port, name))


def _delegating(name: str, point: str) -> Callable[..., Any]:
    writes = writing(name)
    remembers = writes or possible(point, Fault.STALE)

    def call(self: _Faulty, *arguments: Any, **keywords: Any) -> Any:
        script = self._script
        port = self._port
        fault = script.enter(point, arguments, keywords)
        if remembers and script.may_be_stale and self._before is not None:
            held = self._before.then()
            if fault is Fault.STALE:
                port = held
        method = functools.partial(getattr(port, name), *arguments, **keywords)
        if fault is Fault.OVERTAKEN:
            script.send(method)
            raise OutcomeUnknown(f"{point}: the answer is lost, the call is on its way")
        if fault is Fault.REPEAT:
            method()
        answer = method()
        shape = _shape(answer.__class__)
        if shape is AbstractContextManager:
            script.leave(point, fault, writes=False)
            return _Scope(answer, script, point)
        script.arrive()
        if fault is Fault.REORDER:
            answer = other_order(answer)
        script.leave(point, fault, writes=writes)
        if shape is Iterator:
            return _steps(answer, script, f"{point}.next")
        return answer

    call.__name__ = name
    return call


@functools.lru_cache(maxsize=256)
def _shape(kind: type[Any]) -> type[Any] | None:
    """As what an answer of this type is passed on, if not as it is."""
    shapes: tuple[type[Any], ...] = (AbstractContextManager, Iterator)
    return next((each for each in shapes if issubclass(kind, each)), None)


def _steps(source: Iterator[Any], script: Script, point: str) -> Iterator[Any]:
    try:
        while True:
            fault = script.enter(point)
            try:
                page = next(source)
            except StopIteration:
                # The answer "there is no more" can be lost like any other.
                script.leave(point, fault, writes=False)
                return
            script.leave(point, fault, writes=False)
            yield page
            if fault is Fault.REPEAT:
                yield page
    finally:
        # A generator over a cursor gives it back when it is closed.
        close = getattr(source, "close", None)
        if close is not None:
            close()


class _Scope(AbstractContextManager[Any]):
    def __init__(self, inner: AbstractContextManager[Any], script: Script, point: str) -> None:
        self._inner = inner
        self._script = script
        self._point = point

    def __enter__(self) -> Any:
        point = f"{self._point}.enter"
        fault = self._script.enter(point)
        entered = self._inner.__enter__()
        try:
            self._script.leave(point, fault, writes=False)
        except BaseException as error:
            self._inner.__exit__(type(error), error, error.__traceback__)
            raise
        return entered

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        if error is not None:
            return self._inner.__exit__(kind, error, traceback)
        point = f"{self._point}.exit"
        try:
            fault = self._script.enter(point)
        except BaseException as before:
            self._inner.__exit__(type(before), before, before.__traceback__)
            raise
        answer = self._inner.__exit__(None, None, None)
        self._script.leave(point, fault, writes=True)
        return answer
