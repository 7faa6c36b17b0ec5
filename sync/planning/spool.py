"""A plan put aside: what is withdrawn first, then the rest, with counts and a digest.

Guard rails judge the whole plan before the first write, so it must be kept
somewhere in between. Memory stays flat: what is more than ``IN_MEMORY`` changes
goes into a temporary file, one line of JSON each, read back once for applying. The
digest covers every change, so a confirmation is for this plan and no other; it is
made when somebody asks for it, which is rare.

A run may be stopped or die after any write. So whatever somebody may not see any
more is written before anything that somebody gains, over the whole plan and not
only within the few changes that the store takes at once.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import tempfile
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import IO, Any, Generic, TypeVar

from sync.domain.codec import decode, encode
from sync.domain.money import plain, shown_amount
from sync.domain.pricing import PriceValue
from sync.domain.views import AccountProfile, PublishedPriceKey
from sync.planning.account_words import told_profile
from sync.planning.plan import Change, Tally

K = TypeVar("K")
V = TypeVar("V")

SAMPLES = 20

IN_MEMORY = 20_000
"""Changes that cost neither a file nor their JSON; a day's plan is rarely larger."""


def withdraws(change: Change[Any, Any]) -> bool:
    """Whether the change takes something out of the store."""
    return change.after is None


class Spool(Generic[K, V]):
    """Changes of one kind. ``key`` and ``value`` are their types, for reading back.

    Those for which ``first`` holds come first, the others after them, both in the
    order in which they were added.
    """

    def __init__(
        self, key: Any, value: Any, first: Callable[[Change[K, V]], bool] = withdraws
    ) -> None:
        self._key, self._value, self._first = key, value, first
        self._queues = (_Queue[K, V](), _Queue[K, V]())
        self._in_memory = 0
        self.tally = Tally()
        self.samples: list[str] = []

    def add(self, change: Change[K, V]) -> None:
        in_memory = self._in_memory < IN_MEMORY
        self._in_memory += in_memory
        urgent, rest = self._queues
        (urgent if self._first(change) else rest).add(change, in_memory=in_memory)
        self.tally.count(change)
        if len(self.samples) < SAMPLES:
            self.samples.append(told(change))

    def __iter__(self) -> Iterator[Change[K, V]]:
        yield from self.urgent()
        yield from self.rest()

    def urgent(self) -> Iterator[Change[K, V]]:
        """Those that come first."""
        return self._changes(self._queues[0])

    def rest(self) -> Iterator[Change[K, V]]:
        """Those that come after them."""
        return self._changes(self._queues[1])

    def _changes(self, queue: _Queue[K, V]) -> Iterator[Change[K, V]]:
        yield from queue.held
        for line in queue.lines():
            key, before, after = json.loads(line)
            yield Change(
                decode(self._key, key),
                None if before is None else decode(self._value, before),
                None if after is None else decode(self._value, after),
            )

    @property
    def digest(self) -> str:
        """Hexadecimal SHA-256 over all changes."""
        digest = hashlib.sha256()
        for queue in self._queues:
            for line in itertools.chain(map(_line, queue.held), queue.lines()):
                digest.update(line.encode())
        return digest.hexdigest()

    def __enter__(self) -> Spool[K, V]:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for queue in self._queues:
            queue.close()


class _Queue(Generic[K, V]):
    """Changes in their order: the first ones in memory, the others in a file."""

    def __init__(self) -> None:
        self.held: list[Change[K, V]] = []
        # Closed by the spool's __exit__: it is used in a with statement.
        self._file: IO[str] | None = None

    def add(self, change: Change[K, V], *, in_memory: bool) -> None:
        if in_memory:
            self.held.append(change)
            return
        if self._file is None:
            self._file = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115
        self._file.write(_line(change))

    def lines(self) -> Iterator[str]:
        if self._file is not None:
            self._file.flush()
            self._file.seek(0)
            yield from self._file

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def _line(change: Change[Any, Any]) -> str:
    line = json.dumps(
        [encode(change.key), encode(change.before), encode(change.after)],
        ensure_ascii=False,
        sort_keys=True,
        separators=(",", ":"),
    )
    return line + "\n"


def told(change: Change[Any, Any]) -> str:
    """The change in a few words; of a price or an account with what it was and becomes."""
    key, before, after = change.key, change.before, change.after
    if isinstance(key, PublishedPriceKey):
        name = f"{_price(key)}: {_amounts(key.key.currency, before, after)}"
    elif isinstance(before, AccountProfile):
        name = f"{key} with all that is shown of it"
        if isinstance(after, AccountProfile):
            name = f"{key}: {told_profile(before, after)}"
    else:
        name = _joined(key)
    if change.before is None:
        return f"add {name}"
    return f"remove {name}" if change.after is None else f"change {name}"


def _price(published: PublishedPriceKey) -> str:
    """The item first, then who sees it, then where in the ERP the entry is."""
    key = published.key
    since = f", valid from {key.valid_from}" if key.valid_from else ""
    place = f", shipped from {key.warehouse}" if key.warehouse else ""
    priority = f", priority {key.priority}" if key.priority else ""
    return (
        f"{key.sku} for {published.audience}: {key.scope}, list {key.price_list or '-'}, "
        f"{key.currency} per {key.unit} from {plain(key.min_quantity)}"
        f"{since}{place}{priority}"
    )


def _amounts(currency: str, before: PriceValue | None, after: PriceValue | None) -> str:
    """What it was and what it becomes, as far as there is either."""
    return " -> ".join(_amount(currency, each) for each in (before, after) if each is not None)


def _amount(currency: str, value: PriceValue) -> str:
    price = value.unit_price
    until = f" until {value.valid_until}" if value.valid_until else ""
    if price is None:
        return "call for pricing" + until
    return f"{shown_amount(price, currency)} {currency}{until}"


def _joined(key: Any) -> str:
    return " ".join(str(part) for part in _flat(encode(key)))


def _flat(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for name in sorted(value):
            if name != "is":
                yield from _flat(value[name])
    elif isinstance(value, list):
        for each in value:
            yield from _flat(each)
    elif value not in (None, ""):
        yield value
