"""What must go out of sight at once, one after the other (WA-8, VE-7).

Each withdrawal is tried, whatever became of the one before: a single record that the
store does not give up must not keep all the others in sight.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from sync.errors import (
    AccessDenied,
    Conflict,
    FencedOff,
    LeftAlone,
    OutcomeUnknown,
    RightMissing,
    SyncError,
    TryLater,
)
from sync.flows.context import FlowResult

log = structlog.get_logger()


class Withdrawals:
    """Several withdrawals of one run, and which of them failed."""

    def __init__(self, result: FlowResult) -> None:
        self._result = result
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

    def _hold(self, failure: str | None, error: Exception) -> None:
        self._failed.append(error)
        if failure is None:
            return
        known = isinstance(error, SyncError)
        told = str(error) if known else f"{type(error).__name__}: see the log"
        self._result.remarks.append(f"{failure}: {told}")
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
def all_withdrawn(result: FlowResult) -> Iterator[Withdrawals]:
    """While all withdrawals of the block are tried; then raises what kept one from it."""
    withdrawals = Withdrawals(result)
    yield withdrawals
    withdrawals.raise_first()
