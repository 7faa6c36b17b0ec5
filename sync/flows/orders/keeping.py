"""What all steps with a hand of orders share: who is asked, and what is recorded of whom.

Outcomes are held back until a transaction comes anyhow. What goes wrong is kept at the
order that it belongs to, and harms no other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import structlog

from sync.domain.ids import WebOrderId
from sync.domain.order import StoreOrder
from sync.domain.sales_order import FoundOrder
from sync.errors import (
    AccessDenied,
    FencedOff,
    LeftAlone,
    Misconfigured,
    SyncError,
    TryLater,
)
from sync.flows.orders.hand import Hand, Ready
from sync.flows.orders.reading import orders_now
from sync.flows.orders.records import LaterRecords, fenced_off
from sync.ports.erp import FindsOrdersTogether
from sync.ports.state import Claim

if TYPE_CHECKING:
    from sync.flows.orders.work import OrderWork

log = structlog.get_logger()


class Keeping:
    """``sent``: orders of this hand that have left."""

    def __init__(self, work: OrderWork) -> None:
        self.work, self.context, self.result = work, work.context, work.result
        self.later = LaterRecords(self.context, self.result)
        self.sent: dict[WebOrderId, Ready] = {}
        self._overtaken: dict[WebOrderId, Ready] = {}  # sent, and not looked for since

    def found(self, claims: Sequence[Claim]) -> dict[WebOrderId, FoundOrder | None]:
        """What the ERP holds under their keys; what it does not hold is absent."""
        erp, retrying = self.context.erp, self.context.retrying()
        if isinstance(erp, FindsOrdersTogether) and len(claims) > 1:
            held = retrying(erp.find_orders, [claim.key for claim in claims])
            return {claim.order_id: held[claim.key] for claim in claims if claim.key in held}
        found: dict[WebOrderId, FoundOrder | None] = {}
        for claim in claims:
            one = retrying(self.work.finds.find_order, claim.key)
            if one is not None:
                found[claim.order_id] = one
        return found

    def read_again(self, claims: Sequence[Claim]) -> dict[WebOrderId, StoreOrder | None]:
        """The orders as the store shows them now; None for one that it no longer shows."""
        return orders_now(self.context, [claim.order_id for claim in claims])

    def alone(self, hand: Hand, claim: Claim, order: StoreOrder | None = None) -> None:
        """Apart from the others, step by step; ``order``: how it was just read."""
        if order is None:
            hand.alone.append((claim, partial(self.work.begin, claim)))
        else:
            hand.alone.append((claim, partial(self.work.decide, claim, order)))

    def guarded(self, hand: Hand, claim: Claim, step: Callable[[], None]) -> None:
        """Do that for one order. What is wrong with it is recorded, and harms no other."""
        try:
            step()
        except FencedOff:
            hand.settled(claim)
            self._lost(claim)
        except Exception as error:  # noqa: BLE001 - it is recorded at the order, or raised
            hand.settled(claim)
            # What is held of it comes before what has become of it.
            self.write(hand)
            try:
                self.work.went_wrong(claim, error)
            except FencedOff:
                self._lost(claim)
            except TryLater as away:
                self.work.failed_alone(away)
        else:
            self.work.went_well()

    def one_by_one(self, hand: Hand, claims: Sequence[Claim], error: Exception) -> None:
        """Something went wrong with these orders together; what of it is one order's, shows then.

        Raises what says that a system is shut, or is not even asked. Where it is about a
        single order, that one's attempt counts, and it is open in the hand no more.
        """
        if isinstance(error, LeftAlone):
            raise error
        if isinstance(error, AccessDenied | Misconfigured):
            self._blame(hand, claims[0], error)
            raise error
        if isinstance(error, TryLater) and len(claims) == 1:
            self._blame(hand, claims[0], error)
            self.work.failed_alone(error)
            return
        if isinstance(error, SyncError):
            log.warning("orders.one_by_one", orders=len(claims), reason=str(error))
        else:
            log.error("orders.one_by_one", orders=len(claims), exc_info=error)

    def _blame(self, hand: Hand, claim: Claim, error: Exception) -> None:
        """It counts the attempt and rests; the others were not begun."""
        if claim.order_id in hand.open:
            if claim.order_id in hand.frozen:
                self.later.thawed(claim, "nothing was sent")
            self.later.retry(claim, error, in_flight=claim.frozen is not None)
            hand.settled(claim)

    def put_back(self, hand: Hand) -> None:
        """Let go of what was not begun, and record what is to be recorded."""
        for claim in hand.open.values():
            if claim.order_id in hand.frozen:
                self.later.thawed(claim, "it was not sent")
            self.later.given_back(claim)
        hand.open.clear()
        self.write(hand)

    def write(self, hand: Hand | None = None) -> None:
        """Write what is held. Whoever cannot be written about is in the hand no more."""
        failed: list[tuple[Claim, Exception]] = []
        try:
            self.later.write()
        except SyncError:
            raise
        except Exception:  # noqa: BLE001 - it comes again, at the order that it belongs to
            failed = self.later.write_apart()
        for claim, error in failed:
            try:
                self.work.failed(claim, error)
            except FencedOff:
                self._lost(claim)
        lost = self.later.take_lost()
        for order_id in (*lost, *(claim.order_id for claim, _ in failed)):
            if hand is not None:
                hand.open.pop(order_id, None)
        for order_id in lost:
            self._taken_over(order_id)
        self._look_once_more()

    def _lost(self, claim: Claim) -> None:
        fenced_off(self.result, claim)
        self._taken_over(claim.order_id)
        self._look_once_more()

    def _taken_over(self, order_id: WebOrderId) -> None:
        sent = self.sent.pop(order_id, None)
        if sent is not None:
            self._overtaken[order_id] = sent

    def _look_once_more(self) -> None:
        """Others took orders over after they had left: what arrived is told to the ledger.

        Where that cannot be seen now it is tried again with the next step of this run:
        it stands in the way of nothing else that is to be recorded.
        """
        for order_id, sent in list(self._overtaken.items()):
            try:
                self.work.too_late(sent.claim, sent.order, sent.admitted)
            except Exception:
                log.warning("order.overtaken", web_order=order_id.value, exc_info=True)
            else:
                del self._overtaken[order_id]

    def give_up_looking(self) -> None:
        """The run ends: people must look for what nobody else can know of."""
        for each in self._overtaken.values():
            self.work.out_of_sight(each.claim)
        self._overtaken.clear()
