"""A plan on disk: changes in the order of planning, with counts and a digest.

Guard rails judge the whole plan before the first write, so it must be kept
somewhere in between. Memory stays flat: one line of JSON a change in a
temporary file, read back once for applying. The digest covers every change, so
a confirmation is for this plan and no other.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Generic, TypeVar

from sync.domain.codec import decode, encode
from sync.planning.plan import Change, Tally

K = TypeVar("K")
V = TypeVar("V")

SAMPLES = 20


class Spool(Generic[K, V]):
    """Changes of one kind. ``key`` and ``value`` are their types, for reading back."""

    def __init__(self, key: Any, value: Any) -> None:
        self._key, self._value = key, value
        # Closed by __exit__: a spool is used in a with statement.
        self._file = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115
        self._digest = hashlib.sha256()
        self.tally = Tally()
        self.samples: list[str] = []

    def add(self, change: Change[K, V]) -> None:
        line = json.dumps(
            [encode(change.key), encode(change.before), encode(change.after)],
            ensure_ascii=False,
            sort_keys=True,
            separators=(",", ":"),
        )
        self._file.write(line + "\n")
        self._digest.update(line.encode() + b"\n")
        self.tally.count(change)
        if len(self.samples) < SAMPLES:
            self.samples.append(_told(change))

    def __iter__(self) -> Iterator[Change[K, V]]:
        self._file.flush()
        self._file.seek(0)
        for line in self._file:
            key, before, after = json.loads(line)
            yield Change(
                decode(self._key, key),
                None if before is None else decode(self._value, before),
                None if after is None else decode(self._value, after),
            )

    @property
    def digest(self) -> str:
        """Hexadecimal SHA-256 over all changes."""
        return self._digest.hexdigest()

    def __enter__(self) -> Spool[K, V]:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()


def _told(change: Change[Any, Any]) -> str:
    key = encode(change.key)
    name = " ".join(str(part) for part in _flat(key))
    if change.before is None:
        return f"add {name}"
    return f"remove {name}" if change.after is None else f"change {name}"


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
