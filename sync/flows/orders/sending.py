"""From the instructions of a hand to the ERP: one by one, or in one transaction of the ERP's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import structlog

from sync.domain.ids import WebOrderId
from sync.domain.order import StoreOrder
from sync.domain.sales_order import FoundOrder
from sync.errors import (
    AccessDenied,
    Conflict,
    GroupRejected,
    LeftAlone,
    Misconfigured,
    OutcomeUnknown,
    Refusal,
    TryLater,
)
from sync.flows.orders.hand import Hand, Ready
from sync.flows.orders.keeping import Keeping
from sync.flows.orders.records import told
from sync.planning.changes import same_order
from sync.ports.erp import SupportsOrderGroups

log = structlog.get_logger()

SINGLES = 50
"""Orders of a hand that are submitted one by one."""

LARGEST_GROUP = 100
"""Orders in one transaction of the ERP, even where it would take more."""

FRESH_S = 10.0
"""So long after the accounts were read another order of the hand may be begun."""

STALE_S = 30.0
"""So long after the other facts were read."""

SMALLEST_REST = 4
"""A refused group of fewer goes on one by one."""

MOST_REFUSED = 5
"""So many orders of a hand may be refused before all that are left go one by one."""


def _parted(ready: list[Ready], refusal: Refusal | Conflict) -> tuple[list[Ready], list[Ready]]:
    """Which of a refused group go on alone, and which once more as a group.

    Nothing was written. Where the ERP named the order that it refused, the others
    need not go one by one for it.
    """
    position = refusal.position if isinstance(refusal, GroupRejected) else None
    if position is None or not 0 <= position < len(ready) or len(ready) < SMALLEST_REST:
        return ready, []
    return [ready[position]], [*ready[:position], *ready[position + 1 :]]


class Sending:
    """``size``: orders of a hand; it shrinks where hands take too long."""

    def __init__(self, keeping: Keeping) -> None:
        self.keeping, self.later = keeping, keeping.later
        self.work, self.context, self.result = keeping.work, keeping.context, keeping.result
        erp, facts = self.context.erp, self.context.erp.capabilities
        self.groups: SupportsOrderGroups | None = None
        most = SINGLES
        if facts.order_group > 1 and isinstance(erp, SupportsOrderGroups):
            self.groups, most = erp, min(facts.order_group, LARGEST_GROUP)
        self.size = min(most, self.context.limits.orders.batch)

    def submit(self, hand: Hand, ready: list[Ready]) -> None:
        """Write them into the ERP; what is left open when it ends was not sent."""
        if self.groups is not None:
            ready = self._of_now(hand, self._unchanged(hand, ready))
            if len(ready) > 1:
                if not self._stale(hand):
                    self._submit_group(hand, self.groups, ready)
                return
        # The first goes however long it took: none might ever be quick enough.
        begun = 0
        while ready:
            if begun and self._stale(hand):
                return
            ready = self._of_now(hand, ready)
            if not ready:
                return
            self._submit_single(hand, ready.pop(0))
            begun += 1
            if self.work.went_on(1):
                return

    def _stale(self, hand: Hand) -> bool:
        """Whether what the hand was judged by is too old. If so the next ones are smaller:
        one that cannot be brought through in time would come back for ever."""
        if self.context.clock.monotonic() - hand.read_at <= STALE_S:
            return False
        self.size = max(1, self.size // 2)
        return True

    def _of_now(self, hand: Hand, ready: list[Ready]) -> list[Ready]:
        """Those whose account is still as they were judged by; the others are judged anew."""
        now = self.context.clock.monotonic()
        if not ready or now - hand.accounts_at <= FRESH_S:
            return ready
        sold_to = {each.admitted.order.sold_to for each in ready}
        try:
            changed = self.work.lookups.changed_accounts(sold_to)
        except Exception as error:  # noqa: BLE001 - it comes again, at the order that it belongs to
            self.keeping.one_by_one(hand, [each.claim for each in ready], error)
            ready = [each for each in ready if each.claim.order_id in hand.open]
            changed = sold_to
        hand.accounts_at = now
        same = []
        for each in ready:
            if each.admitted.order.sold_to not in changed:
                same.append(each)
                continue
            self.later.thawed(each.claim, "its account changed before it was sent")
            hand.frozen.discard(each.claim.order_id)
            self.keeping.alone(hand, each.claim, each.order)
        return same

    def _submit_single(self, hand: Hand, each: Ready) -> None:
        claim = each.claim

        def submit() -> None:
            # What was left over of a group has been read again with it.
            if self.groups is not None or self._still_the_same(hand, each):
                hand.settled(claim)
                self.keeping.sent[claim.order_id] = each
                self.work.send(claim, each.admitted.order, self.later)

        self.keeping.guarded(hand, claim, submit)

    def _still_the_same(self, hand: Hand, each: Ready) -> bool:
        """Whether the store shows the order as it was judged; otherwise it is judged anew."""
        claim = each.claim
        try:
            newest = self.context.retrying()(self.work.store.order, claim.order_id)
        except Exception:
            # Nothing has left: what follows must not look for it in the ERP.
            hand.frozen.discard(claim.order_id)
            self.work.records.thawed(claim, "the store could not be read again")
            raise
        if newest is not None and same_order(each.order, newest):
            return True
        self._changed(hand, each, newest)
        return False

    def _changed(self, hand: Hand, each: Ready, newest: StoreOrder | None) -> None:
        claim = each.claim
        if newest is not None:
            self.later.refreshed(claim, newest)
        self.later.thawed(claim, "the order changed in the store before it was sent")
        hand.frozen.discard(claim.order_id)
        hand.alone.append((claim, partial(self.work.decide, claim, newest, again=True)))

    def _unchanged(self, hand: Hand, ready: list[Ready]) -> list[Ready]:
        """Those that the store shows as they were judged; the others are judged anew."""
        if not ready:
            return []
        try:
            newest = self.keeping.read_again([each.claim for each in ready])
        except Exception as error:  # noqa: BLE001 - it comes again, at the order that it belongs to
            self.keeping.one_by_one(hand, [each.claim for each in ready], error)
            for each in ready:
                if each.claim.order_id not in hand.open:
                    continue
                self.later.thawed(each.claim, "nothing was sent")
                hand.frozen.discard(each.claim.order_id)
                self.keeping.alone(hand, each.claim)
            return []
        same = []
        for each in ready:
            now = newest[each.claim.order_id]
            if now is not None and same_order(each.order, now):
                same.append(each)
            else:
                self._changed(hand, each, now)
        return same

    def _submit_group(self, hand: Hand, groups: SupportsOrderGroups, ready: list[Ready]) -> None:
        orders = [(each.admitted.order, each.claim.key) for each in ready]
        for each in ready:
            hand.settled(each.claim)
            self.keeping.sent[each.claim.order_id] = each
        try:
            answers = groups.submit_orders(orders)
            if len(answers) != len(orders):
                raise ValueError(f"{len(answers)} answers for a group of {len(orders)} orders")
        except LeftAlone:
            # Not even asked.
            for each in ready:
                self._again(hand, each)
            raise
        except TryLater as error:
            # Surely not written: it may be away, or kept from one of them by a lock.
            log.warning("orders.group_put_off", orders=len(ready), reason=str(error))
            for each in ready:
                self._again(hand, each)
                self.later.thawed(each.claim, "the ERP took none of the group")
                hand.frozen.discard(each.claim.order_id)
                self.keeping.alone(hand, each.claim, each.order)
        except (AccessDenied, Misconfigured) as error:
            for each in ready:
                self.later.retry(each.claim, error, in_flight=True)
            raise
        except (Refusal, Conflict) as refusal:
            log.warning("orders.group_refused", orders=len(ready), reason=str(refusal))
            self.result.count("groups_refused")
            alone, rest = _parted(ready, refusal)
            hand.refused += 1
            late = self.context.clock.monotonic() - hand.accounts_at > FRESH_S
            if late or hand.refused > MOST_REFUSED:
                alone, rest = ready, []
            for each in alone:
                self._again(hand, each)
                resume = partial(self.work.resume, each.claim, each.admitted.order)
                hand.alone.append((each.claim, resume))
            if rest:
                self._submit_group(hand, groups, rest)
        except Exception as error:
            if not isinstance(error, OutcomeUnknown):
                log.exception("orders.group_failed", orders=len(ready))
                self.result.count("failed")
            self._find_out(hand, ready, error)
            self.work.went_on(len(ready))
        else:
            self.result.count("groups")
            self.work.went_well()
            for each, answer in zip(ready, answers, strict=True):
                self.later.imported(each.claim, each.admitted.order, answer.number)
            self.work.went_on(len(ready))

    def _again(self, hand: Hand, each: Ready) -> None:
        """It surely was not written, and is open in the hand again."""
        del self.keeping.sent[each.claim.order_id]
        hand.open[each.claim.order_id] = each.claim
        hand.frozen.add(each.claim.order_id)

    def _find_out(self, hand: Hand, ready: Sequence[Ready], error: Exception) -> None:
        """Nobody knows whether the group was written: what is there is ours.

        What is not there may still come, so it rests like any unknown outcome and
        then goes on alone.
        """
        found: Mapping[WebOrderId, FoundOrder | None] = {}
        try:
            found = self.keeping.found([each.claim for each in ready])
        except Exception:
            log.warning("orders.look_up_failed", exc_info=True)
        there = []
        for each in ready:
            held = found.get(each.claim.order_id)
            if held is None:
                self.later.unknown(each.claim, told(error))
            else:
                there.append((each, held))
        for each, held in there:
            settle = partial(self.work.settle, each.claim, each.admitted.order, held, self.later)
            self.keeping.guarded(hand, each.claim, settle)
