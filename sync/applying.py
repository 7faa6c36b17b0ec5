"""Carries out a plan, deliberately dull: the next changes, write, count, go on.

Changes go in batches as large as the store takes. A batch that the store
refuses is repeated change by change, so that one bad document costs itself only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import structlog

from sync.errors import Refusal
from sync.planning.plan import Change

log = structlog.get_logger()

K = TypeVar("K")
V = TypeVar("V")


@dataclass(slots=True)
class Applied:
    """What came of the changes. ``refused`` pairs a key with the store's reason."""

    done: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)
    stopped: bool = False


def apply_changes(
    changes: Iterable[Change[K, V]],
    write: Callable[[Sequence[Change[K, V]]], None],
    *,
    batch: int,
    after_batch: Callable[[int], bool],
) -> Applied:
    """Write all changes in their order.

    ``after_batch`` is told how many are done and answers whether to stop. Every
    error but a refusal of single documents ends the run where it is; what was
    written stays, and the next plan begins from there.
    """
    result = Applied()
    held: list[Change[K, V]] = []
    for change in changes:
        held.append(change)
        if len(held) >= batch:
            _write(held, write, result)
            held = []
            if after_batch(result.done):
                result.stopped = True
                return result
    if held:
        _write(held, write, result)
        after_batch(result.done)
    return result


def _write(
    held: Sequence[Change[Any, Any]],
    write: Callable[[Sequence[Change[Any, Any]]], None],
    result: Applied,
) -> None:
    try:
        write(held)
    except Refusal as refusal:
        if len(held) == 1:
            log.warning("change.refused", key=str(held[0].key), code=refusal.code)
            result.refused.append((str(held[0].key), f"{refusal} {refusal.remedy}"))
            return
        # By halves, in their order: to find one of two thousand takes some twenty calls.
        middle = len(held) // 2
        for half in (held[:middle], held[middle:]):
            _write(half, write, result)
        return
    result.done += len(held)
