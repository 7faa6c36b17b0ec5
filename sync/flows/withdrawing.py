"""What must go out of sight at once, one after the other (WA-8, VE-7).

Each withdrawal is tried, whatever became of the one before: a single record that the
store does not give up must not keep all the others in sight.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import structlog

from sync.errors import (
    AccessDenied,
    Conflict,
    FencedOff,
    LeftAlone,
    OutcomeUnknown,
    Refusal,
    RightMissing,
    SyncError,
    TryLater,
)
from sync.flows.context import FlowResult

log = structlog.get_logger()

K = TypeVar("K")


class Withdrawals:
    """Several withdrawals of one run, and which of them failed.

    With ``dry_run`` they are counted only.
    """

    def __init__(self, result: FlowResult, *, dry_run: bool) -> None:
        self._result, self._dry_run = result, dry_run
        self._failed: list[Exception] = []

    @contextmanager
    def each(self, failure: str | None = None) -> Iterator[None]:
        """One of them: an error ends it, and is raised when all were tried.

        ``failure`` says what stays in sight then; None where that was told within.
        Raises at once what would meet all the others too: a refused login, a store
        that is left alone, an order of another worker.
        """
        try:
            yield
        except RightMissing as error:
            self._hold(failure, error)
        except (AccessDenied, LeftAlone, FencedOff):
            raise
        except Exception as error:  # noqa: BLE001 - it is raised once all were tried
            self._hold(failure, error)

    def take_away(
        self, records: Sequence[K], size: int, write: Callable[[Sequence[K]], None], failure: str
    ) -> bool:
        """Take these out of sight, at most ``size`` in one call; whether all of them are.

        ``write`` takes some of them away, or leaves all and raises. Where it refuses one
        of several, the others are found by halves. Counts what is gone, as it goes.
        """
        batches = [records[at : at + size] for at in range(0, len(records), size)]
        gone = [self._taken(batch, write, failure) for batch in batches]
        return all(gone)

    def _taken(
        self, records: Sequence[K], write: Callable[[Sequence[K]], None], failure: str
    ) -> bool:
        with self.each(failure):
            try:
                if not self._dry_run:
                    write(records)
            except Refusal:
                if len(records) == 1:
                    raise
                middle = len(records) // 2
                halves = (records[:middle], records[middle:])
                gone = [self._taken(half, write, failure) for half in halves]
                return all(gone)
            self._result.count("withdrawn", len(records))
            return True
        return False

    def _hold(self, failure: str | None, error: Exception) -> None:
        self._failed.append(error)
        if failure is None:
            return
        known = isinstance(error, SyncError)
        told = str(error) if known else f"{type(error).__name__}: see the log"
        if (remark := f"{failure}: {told}") in self._result.remarks:
            return
        self._result.remarks.append(remark)
        log.error("withdrawal.failed", what=failure, exc_info=None if known else error)

    def raise_first(self) -> None:
        """The first error that no later run heals by itself, otherwise the first."""
        passing = (TryLater, OutcomeUnknown, Conflict)
        for error in self._failed:
            if not isinstance(error, passing):
                raise error
        if self._failed:
            raise self._failed[0]


@contextmanager
def all_withdrawn(result: FlowResult, *, dry_run: bool) -> Iterator[Withdrawals]:
    """While all withdrawals of the block are tried; then raises what kept one from it."""
    withdrawals = Withdrawals(result, dry_run=dry_run)
    yield withdrawals
    withdrawals.raise_first()
