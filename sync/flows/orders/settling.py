"""What captures and credits have in common: one record after the other, each by itself.

A record says since when it is to be seen to. It is put forward in the transaction
that says what is asked of the other system, before that is asked; whatever breaks
off leaves it to be looked up when that system is surely done.

A record that a system does not answer for rests, and costs no other its turn: it may be
the only one. Those that follow at once are tried without a repeat, and ``MOST_IN_A_ROW``
of them end the run; they rest by then, so that the next run begins with others.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from sync.errors import (
    AccessDenied,
    Conflict,
    FencedOff,
    LeftAlone,
    Misconfigured,
    OutcomeUnknown,
    Refusal,
    SyncError,
    TryLater,
)
from sync.flows.context import Context, FlowResult
from sync.flows.orders.records import look_again_after_s
from sync.flows.orders.scoping import Bounds
from sync.ports.settlements import Settlement, SettlementKind, SettlementState
from sync.ports.state import LedgerEntry
from sync.secrecy import scrubbed

log = structlog.get_logger()

MOST_IN_A_ROW = 5
"""So many records that fail one after the other show that a system is away."""


class Settling(ABC):
    """One run over every record that is due, one look and at most one attempt each."""

    def __init__(self, context: Context, result: FlowResult, bounds: Bounds) -> None:
        self.context, self.result, self._bounds = context, result, bounds
        self.retrying = context.retrying()

    @abstractmethod
    def see_to(self, entry: LedgerEntry, settlement: Settlement) -> None:
        """Do what is to be done about this one."""

    def run(self, kinds: Collection[SettlementKind]) -> None:
        """Longest due first. What goes wrong with one costs no other its turn.

        Raises what went wrong with several in a row, or with the last one: then nothing
        shows that the systems are there.
        """
        seen: set[tuple[str, str, str]] = set()
        last_failed: SyncError | None = None
        in_a_row = 0
        while True:
            with self.context.state.transaction() as state:
                limit = self.context.limits.orders.batch + len(seen)
                found = state.settlements.due(kinds, self.context.clock.now(), limit)
            due = [each for each in found if _place(each) not in seen]
            if not due:
                break
            outside = self._bounds.outside([each.order_id for each in due])
            for each in due:
                seen.add(_place(each))
                if each.order_id in outside:
                    continue
                with self.retrying.once() if in_a_row else nullcontext():
                    last_failed = self._one(each)
                in_a_row = 0 if last_failed is None else in_a_row + 1
                if last_failed is not None and in_a_row >= MOST_IN_A_ROW:
                    raise last_failed
                if self.context.progress(f"{self.result.flow}: settling", len(seen), None):
                    self.result.outcome = "cancelled"
                    return
        if last_failed is not None:
            raise last_failed

    def _one(self, settlement: Settlement) -> SyncError | None:
        with self.context.state.transaction() as state:
            entry = state.ledger.entry(settlement.order_id)
        if entry is None:
            return None
        try:
            self.see_to(entry, settlement)
        except (LeftAlone, AccessDenied, Misconfigured):
            raise
        except FencedOff:
            log.warning("settlement.fenced_off", web_order=entry.number)
            self.result.count("taken_over")
        except (TryLater, OutcomeUnknown, Conflict) as error:
            self.result.remarks.append(f"{entry.number}: {error}; it is seen to in a later run")
            self._put_off(settlement)
            return error
        except Refusal as refusal:
            self.result.remarks.append(f"{entry.number}: {refusal}")
        except Exception as error:
            log.exception("settlement.failed", web_order=entry.number)
            self.result.count("failed")
            self.result.remarks.append(f"{entry.number}: {type(error).__name__}, see the log")
        return None

    def _put_off(self, settlement: Settlement) -> None:
        """Others are seen to before it, unless something was asked for and it rests already."""
        self.result.count("put_off")
        now = self.context.clock.now()
        pause = timedelta(seconds=self.context.limits.orders.retry_first_s)
        with self.context.state.transaction() as state:
            for each in state.settlements.of(settlement.order_id):
                if _place(each) == _place(settlement) and each.due_at and each.due_at <= now:
                    state.settlements.put(replace(each, due_at=now + pause, changed_at=now))

    def look_again_at(self) -> datetime:
        return self.context.clock.now() + timedelta(seconds=look_again_after_s(self.context))

    def keep(self, *settlements: Settlement) -> tuple[Settlement, ...]:
        """Write these in one transaction; they are as they are kept afterwards."""
        now = self.context.clock.now()
        with self.context.state.transaction() as state:
            return tuple(
                state.settlements.put(replace(each, changed_at=now)) for each in settlements
            )

    def to_person(self, entry: LedgerEntry, sentence: str, *settlements: Settlement) -> None:
        """The order goes to review with this sentence, and these records are over."""
        now = self.context.clock.now()
        with self.context.state.transaction() as state:
            taken = state.ledger.needs_person(entry.order_id, (scrubbed(sentence),), now)
            for each in settlements:
                if not taken:
                    # The ERP refused the order meanwhile: it is told when it is back.
                    wanted = SettlementState.WANTED
                    each = replace(each, state=wanted, due_at=now + self._pause())
                state.settlements.put(replace(each, changed_at=now))
        if taken:
            self.result.count("review")
            self.result.remarks.append(f"{entry.number}: {sentence}")

    def rest(self, settlement: Settlement, pause: timedelta | None = None) -> None:
        """Nothing can be done about it now."""
        due = self.context.clock.now() + (pause or self._pause())
        self.keep(replace(settlement, due_at=due))

    def unknown(self, entry: LedgerEntry, error: Exception) -> None:
        """It stays asked for, and is looked up when its moment has come."""
        self.result.count("outcome_unknown")
        log.warning("settlement.outcome_unknown", web_order=entry.number, message=str(error))

    def _pause(self) -> timedelta:
        return timedelta(seconds=self.context.limits.orders.waiting_recheck_s)


def over(settlement: Settlement, state: SettlementState) -> Settlement:
    """The record, with nothing more to be done about it."""
    return replace(settlement, state=state, due_at=None)


def _place(settlement: Settlement) -> tuple[str, str, str]:
    return settlement.order_id.value, settlement.kind.value, settlement.number
