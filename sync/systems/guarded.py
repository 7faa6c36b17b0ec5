"""A port behind the watch of its system.

``guarded`` looks and answers like the port, whichever protocols it satisfies.
Calls that may ask the system pass through the watch; so does each step of an
iterator that such a call returned, once the system is in trouble. What never
asks it, and ``check``, which a person starts and which reports instead of
raising, pass as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from functools import partial
from typing import Any, TypeVar, cast

from sync.domain.times import Watermark
from sync.ports import erp, files, store
from sync.ports.clock import Clock
from sync.ports.systems import TellsClockSkew
from sync.systems.watch import SystemWatch

T = TypeVar("T")

LOCAL = frozenset(
    {
        *("check", "close", "take_unreadable", "hinted_orders", "shopper_findings"),
        *("foreseen_refusal", "price_moment"),
    }
)
"""Methods of the ports that ask no system, or must reach it even while it is left alone.

How ``hinted_orders`` ends says nothing about the store: a stranger's forgeries
must not shut the store's door.
"""

TELLS_TIME = frozenset({"feed_now", "changed_customers"})
"""Their answer holds the system's own time at the moment of the call."""


def _asking() -> frozenset[str]:
    """The methods of all protocols of the ports."""
    found = set()
    for module in (erp, files, store):
        for kind in vars(module).values():
            if getattr(kind, "_is_protocol", False) and kind.__module__ == module.__name__:
                found |= {
                    name
                    for name, member in vars(kind).items()
                    if callable(member) and not name.startswith("_")
                }
    return frozenset(found - LOCAL)


ASKING = _asking()


def guarded(port: T, watch: SystemWatch, clock: Clock) -> T:
    """The port behind the watch. It satisfies the same protocols as ``port``."""
    kind = type(port)
    members: dict[str, Any] = {"__slots__": ()}
    for member in {*dir(kind), *getattr(port, "__dict__", ())}:
        if member.startswith("_"):
            continue
        asks = member in ASKING and callable(getattr(kind, member, None))
        members[member] = _asked(member) if asks else _as_it_is(member)
    # It passes for the port's own class too: whoever knows the adapter may say so.
    members["__class__"] = property(lambda _: kind)
    # A class of its own: isinstance() with a protocol looks for members on the class.
    wrapper = type(f"Guarded{kind.__name__}", (_Guarded,), members)
    return cast("T", wrapper(port, watch, clock))


class _Guarded:
    __slots__ = ("_clock", "_port", "_tells_skew", "_watch")

    def __init__(self, port: Any, watch: SystemWatch, clock: Clock) -> None:
        self._port, self._watch, self._clock = port, watch, clock
        self._tells_skew = isinstance(port, TellsClockSkew)

    def _note_skew(self) -> None:
        skew_s = self._port.clock_skew_s if self._tells_skew else None
        if skew_s is not None:
            self._watch.note_skew(skew_s)


def _as_it_is(name: str) -> property:
    return property(lambda self: getattr(self._port, name))


def _asked(name: str) -> Callable[..., Any]:
    def call(self: _Guarded, *arguments: Any, **keywords: Any) -> Any:
        watch = self._watch
        passage = watch.enter()
        try:
            before = self._clock.now()
            answer = getattr(self._port, name)(*arguments, **keywords)
        except BaseException as error:
            watch.failed(passage, error, _about(name, arguments, keywords), name)
            raise
        else:
            if isinstance(answer, Iterator):
                watch.not_asked()
                about = partial(_about, name, arguments, keywords)
                return _steps(answer, watch, self._note_skew, about, name)
            watch.succeeded(passage, name)
            if name in TELLS_TIME:
                _note_clock(watch, answer, before)
            self._note_skew()
            return answer
        finally:
            watch.leave(passage)

    call.__name__ = name
    return call


def _about(name: str, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Hashable:
    """What tells one question from another; of large ones nothing more is kept than this."""
    return name, hash(repr((arguments, keywords)))


def _steps(
    source: Iterator[Any],
    watch: SystemWatch,
    note_skew: Callable[[], None],
    about: Callable[[], Hashable],
    name: str,
) -> Iterator[Any]:
    try:
        passage = watch.enter()
        asks = True
        while True:
            # A long read is one answer: only its beginning, and each step while the
            # system is in trouble, have to be let pass.
            try:
                item = next(source)
            except StopIteration:
                watch.succeeded(passage, name)
                return
            except BaseException as error:
                watch.failed(passage, error, about(), name)
                raise
            finally:
                if asks:
                    watch.leave(passage)
            if asks:
                watch.succeeded(passage)
                note_skew()
            yield item
            asks = not watch.up
            if asks:
                passage = watch.enter()
    finally:
        # A generator over a cursor gives it back when it is closed.
        close = getattr(source, "close", None)
        if close is not None:
            close()


def _note_clock(watch: SystemWatch, answer: Any, before: Any) -> None:
    mark = answer if isinstance(answer, Watermark) else answer[1]
    watch.note_clock(mark.at, before)
