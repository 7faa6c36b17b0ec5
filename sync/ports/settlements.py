"""What is remembered of money after the import: what was asked of whom, and what came of it.

A record is written before anybody is asked, and answers for itself afterwards: one
that is ASKED may have been carried out, whatever was heard of it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Protocol

from sync.domain.ids import IdempotencyKey, WebOrderId
from sync.domain.money import Money


class SettlementKind(Enum):
    """SHIPPED: goods have left, and somebody has to see what is to be captured for them."""

    SHIPPED = "shipped"
    CAPTURE = "capture"
    REFUND = "refund"


class SettlementState(Enum):
    """DROPPED: it did not arrive where it was asked for, and was not wanted any more by then."""

    WANTED = "wanted"
    ASKED = "asked"
    DONE = "done"
    FOR_A_PERSON = "for_a_person"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Settlement:
    """One record: ``number`` tells it from the others of its order and kind.

    A capture's is the amount that it leads up to, a refund's the store's own key of
    it. ``due_at`` None: nothing is to be done about it. ``reference`` is the number
    that the ERP gave, ``happened_at`` when the store says that it gave the money back.
    ``version`` counts its changes, from 0 for one that is new.
    """

    order_id: WebOrderId
    kind: SettlementKind
    number: str
    state: SettlementState
    changed_at: datetime
    due_at: datetime | None = None
    key: IdempotencyKey | None = None
    amount: Money | None = None
    reference: str | None = None
    happened_at: datetime | None = None
    version: int = 0


class Settlements(Protocol):
    def of(self, order_id: WebOrderId) -> Sequence[Settlement]:
        """All of one order, by kind and number."""
        ...

    def due(
        self, kinds: Collection[SettlementKind], now: datetime, limit: int
    ) -> Sequence[Settlement]:
        """Those that are to be seen to by now, longest due first."""
        ...

    def put(self, settlement: Settlement) -> Settlement:
        """Insert it, or replace the one that it was made of; gives it as it is kept.

        Raises FencedOff where another worker has changed or inserted it meanwhile.
        """
        ...

    def counts(self) -> Mapping[tuple[SettlementKind, SettlementState], int]:
        """How many there are; of what there is none is absent."""
        ...
