"""Several orders on their way together, and what is saved by it.

An order costs three transactions of the state when it goes alone: the claim, the
instruction frozen before it leaves, the outcome. Each is a disk's flush, and so is
the ERP's own. A *hand* of orders shares them:

- all are claimed in one transaction, and the ERP is read once for what judging
  them takes;
- the instructions of all that are admitted are frozen in one transaction, together
  with whatever has become of the others. So a claim and an instruction are on
  disk before anything leaves, as they must be;
- what was imported is recorded with the next transaction that comes anyhow, at the
  latest when the hand ends. A crash before that leaves an order whose instruction
  is frozen: an outcome that nobody knows, which is looked up like any other. That
  the ERP refuses a second order under our key makes the gap harmless, so an ERP
  that does not refuse it gets no hands: there each order goes alone (``work.py``).

Within a hand the orders are submitted one by one, each in a transaction of the ERP's
of its own and read once more right before it; or, where the ERP takes groups, all
in one. Whatever goes wrong with several orders as a whole, a refusal, a time-out or
an answer that did not come, each of them goes on alone, where one of them can do the
others no harm: who fails alone counts an attempt, and nobody else does. Only so does
a refused order end in quarantine under its own name, with its neighbours imported.
Where the ERP names the order that it refused, that one goes alone and the others go
once more as a group: nothing of them was written.

What is frozen and surely has not left is thawed and given back when a hand must end
early: on a stop, or when the ERP is away. A crash leaves it frozen, to be looked up
in vain once the wait is over; that costs time and no safety.

A hand that takes long would write on facts of a while ago, such as the status of an
account (VE-3). So after ``FRESH_S`` seconds the accounts are read once more before
anything leaves, and after ``STALE_S`` seconds what has not left is given back and
judged anew, in smaller hands.

Turned down: freezing without a claim (one transaction less for a hand, and two
workers would judge the same orders), and records that are never flushed until the
run ends (a crash would cost every order of the run its wait).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from sync.domain.decision import Admitted, Closed, Quarantined, Waits
from sync.domain.ids import WebOrderId
from sync.domain.order import StoreOrder
from sync.errors import SyncError
from sync.flows.orders.hand import Hand, Ready
from sync.flows.orders.keeping import Keeping
from sync.flows.orders.sending import STALE_S, Sending
from sync.ports.state import Claim, LedgerState

if TYPE_CHECKING:
    from sync.flows.orders.work import OrderWork


class Hands:
    """Takes hands of orders from the claim to the outcome."""

    def __init__(self, work: OrderWork) -> None:
        self.work, self.context = work, work.context
        self.keeping = Keeping(work)
        self.sending = Sending(self.keeping)
        self.later = self.keeping.later
        self.possible = self.context.erp.capabilities.unique_external_key

    @property
    def size(self) -> int:
        """How many orders the next hand may have."""
        return self.sending.size

    def finish(self) -> None:
        """Record what is still to be recorded."""
        self.keeping.write()
        self.keeping.give_up_looking()

    def work_on(self, order_ids: Sequence[WebOrderId]) -> list[WebOrderId]:
        """Bring these orders as far as they come. Gives back those that were put off.

        Raises what ends the run, with nothing claimed any more but what may be on
        its way.
        """
        claims = self._claim(order_ids)
        hand = Hand({claim.order_id: claim for claim in claims})
        try:
            self._through(hand, claims)
        except Exception:
            self.keeping.put_back(hand)
            self.keeping.give_up_looking()
            raise
        put_off = list(hand.open)
        if put_off:
            self.keeping.put_back(hand)
        self.keeping.sent.clear()
        return put_off

    def _claim(self, order_ids: Sequence[WebOrderId]) -> list[Claim]:
        lease = self.work.lease_s
        for attempt in (1, 2):
            try:
                with self.later.transaction() as state:
                    return list(state.ledger.claim_all(order_ids, self.context.clock.now(), lease))
            except SyncError:
                raise
            except Exception as error:
                if attempt == 1:
                    self.keeping.write()
                elif not isinstance(error, ValueError):
                    raise
        # One of them cannot even be read: the others are claimed without it.
        found = [self.work.claim(order_id) for order_id in order_ids]
        return [claim for claim in found if claim is not None]

    def _through(self, hand: Hand, claims: Sequence[Claim]) -> None:
        """From the claims to the outcomes; what is left open in the hand was not begun."""
        fresh = []
        for claim in claims:
            if claim.frozen is not None:
                self.keeping.alone(hand, claim)
            else:
                fresh.append(claim)
        hand.read_at = hand.accounts_at = self.context.clock.monotonic()
        try:
            orders = self._as_they_are(hand, fresh)
            keyed = [(order, claim.key) for claim, order in orders]
            self.work.lookups.read_ahead(keyed)
        except Exception as error:  # noqa: BLE001 - it comes again, at the order that it belongs to
            # It only saves time: what cannot be read together is read order by
            # order, so that one odd order costs no other one anything.
            self.keeping.one_by_one(hand, fresh, error)
            for claim in fresh:
                self.keeping.alone(hand, claim)
            orders = []
        ready = self._look_up(hand, self._judge(hand, orders))
        for each in ready:
            self.later.frozen(each.claim, each.admitted)
            # Already now: of a commit whose answer is lost nobody knows whether it was.
            hand.frozen.add(each.claim.order_id)
        self.keeping.write(hand)
        ready = [each for each in ready if each.claim.order_id in hand.open]
        if not self.work.stopped:
            self.sending.submit(hand, ready)
        # From here on each order is judged by what holds then.
        self.work.lookups.forget_people()
        self.keeping.write(hand)
        began = self.context.clock.monotonic()
        for number, (claim, go_on) in enumerate(hand.alone):
            late = self.context.clock.monotonic() - began > STALE_S
            if self.work.stopped or (number and late):
                return
            if claim.order_id in hand.open:
                hand.settled(claim)
                self.keeping.guarded(hand, claim, go_on)
                self.work.went_on(1)

    def _as_they_are(self, hand: Hand, claims: Sequence[Claim]) -> list[tuple[Claim, StoreOrder]]:
        """Each claim with its order: what was not discovered just now is read again."""
        stale = [
            claim
            for claim in claims
            if claim.was is not LedgerState.DISCOVERED or claim.attempt > 1
        ]
        newest = self.keeping.read_again(stale)
        found = []
        for claim in claims:
            order = newest.get(claim.order_id, claim.order)
            if order is None:
                hand.alone.append((claim, partial(self.work.decide, claim, None)))
                continue
            if order != claim.order:
                self.later.refreshed(claim, order)
            found.append((claim, order))
        return found

    def _judge(self, hand: Hand, orders: Sequence[tuple[Claim, StoreOrder]]) -> list[Ready]:
        """Those that may be imported; what becomes of the others is recorded."""
        ready: list[Ready] = []
        numbers = set()

        def judge(claim: Claim, order: StoreOrder) -> None:
            match self.work.lookups.judge(order, claim.key):
                case Admitted() as admitted:
                    number = (admitted.order.sold_to, (admitted.order.po_number or "").strip())
                    if number[1] and number in numbers:
                        # Whether the number was used before can be told once the
                        # other order is written.
                        self.keeping.alone(hand, claim, order)
                        return
                    numbers.add(number)
                    ready.append(Ready(claim, order, admitted))
                    return
                case Waits(code, sentence, _):
                    self.later.waiting(claim, code, sentence)
                case Quarantined() as held:
                    self.later.quarantined(claim, held)
                case Closed(why, sentence, _):
                    self.later.closed(claim, why, sentence)
            hand.settled(claim)
            self.work.went_on(1)

        for claim, order in orders:
            self.keeping.guarded(hand, claim, partial(judge, claim, order))
        return [each for each in ready if each.claim.order_id in hand.open]

    def _look_up(self, hand: Hand, ready: Sequence[Ready]) -> list[Ready]:
        """Those that the ERP does not hold yet; what it holds goes on alone."""
        if not ready:
            return []
        try:
            found = self.keeping.found([each.claim for each in ready])
        except Exception as error:  # noqa: BLE001 - it comes again, at the order that it belongs to
            # One of them cannot be told, such as two orders under one key.
            self.keeping.one_by_one(hand, [each.claim for each in ready], error)
            found = {each.claim.order_id: None for each in ready}
        missing = []
        for each in ready:
            if each.claim.order_id in found:
                self.keeping.alone(hand, each.claim, each.order)
            else:
                missing.append(each)
        return missing
