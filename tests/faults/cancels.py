"""Cancellations that are passed on, and the proof that none is lost or made up (OI-4).

What is right is written down a second time here, in the plainest terms: what the store
has cancelled, the ERP has cancelled or a person has in hand; what the store never
cancelled, the ERP never cancels.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from sync.domain.ids import IdempotencyKey, WebOrderId, WebOrderNumber
from sync.domain.order import OrderState, WebOrder
from sync.domain.sales_order import ErpOrderState
from sync.flows.context import OrderLimits
from sync.flows.cycle import run_flow
from sync.flows.orders.cancelling import UNTOUCHED
from sync.ports.state import LedgerFilter, LedgerState
from sync.testing.enumerating import Enumeration, at_every_point, every_fault
from sync.testing.faults import Fault
from tests.faults.sites import OrderSite, with_quantities
from tests.faults.trials import LATER, OrderTrial
from tests.scenarios.world import guest_order, harbour_order, order_id

FIRST, SECOND = order_id(1), order_id(2)
# Of what nobody delivers nobody needs to know how it was edited.
_NO_MATTER = ("the ERP has other notes", "it changed in the store after its import")
_EVENTS = ("cancel", "cancel", "cancel", "open again", "pick", "edit", "dismiss", "nothing")


@dataclass
class CancellingSite(OrderSite):
    """Two orders that are in the ERP, where cancellations of the store are passed on."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.limits = replace(self.limits, orders=OrderLimits(pass_on_cancellations=True))
        self.store.place_order(harbour_order(1))
        self.store.place_order(with_quantities(guest_order(2), (3, 4)))
        self.placed, self.retail = [FIRST, SECOND], {SECOND}
        self.cancelled: set[WebOrderId] = set()
        self.dismissed: set[WebOrderId] = set()
        run_flow(self.context(), "orders")

    def happen(self, chance: random.Random) -> str:
        """Orders are cancelled, opened again and edited, and the ERP's staff begin to work."""
        self.clock.advance(1)
        which, what = chance.choice(self.placed), chance.choice(_EVENTS)
        if what == "cancel":
            self.cancel(which)
        elif what == "open again":
            order = self.store.order(which)
            if isinstance(order, WebOrder) and order.state is OrderState.CANCELLED:
                self.store.change_order(which, state=OrderState.AWAITING_FULFILMENT)
        elif what == "pick":
            for row in self.erp.orders:
                if row.order.web_order == which:
                    self.works_on(row.key)
        elif what == "edit":
            self.store.change_order(which, notes=f"call {chance.randint(1, 99)} first")
        elif what == "dismiss":
            with self.state.transaction() as state:
                if state.ledger.dismiss(which, "ann", "seen to", self.clock.now()):
                    self.dismissed.add(which)
        return f"{what} {which}"

    def cancel(self, which: WebOrderId) -> None:
        self.cancelled.add(which)
        self.store.change_order(which, state=OrderState.CANCELLED)

    def works_on(self, key: IdempotencyKey) -> None:
        status = self.erp.statuses[key]
        if status.state in UNTOUCHED:
            self.erp.set_order_status(key, replace(status, state=ErpOrderState.PICKED))

    def violations(self) -> list[str]:
        over = tuple(f"{number}: {each}" for number in self._over() for each in _NO_MATTER)
        found = [each for each in super().violations() if not each.startswith(over)]
        return [*found, *self._cancellations()]

    def _over(self) -> Iterator[WebOrderNumber]:
        for row in self.erp.orders:
            if self.erp.statuses[row.key].state is ErpOrderState.CANCELLED:
                yield row.order.web_number

    def _cancellations(self) -> Iterator[str]:
        with self.state.transaction() as state:
            entries = {each.order_id: each for each in state.ledger.entries(LedgerFilter())}
        for which in self.placed:
            order, entry = self.store.order(which), entries[which]
            assert isinstance(order, WebOrder)
            in_erp = self.erp.statuses[entry.key].state is ErpOrderState.CANCELLED
            in_store = order.state is OrderState.CANCELLED
            told = entry.state is LedgerState.REVIEW or which in self.dismissed
            if in_erp and which not in self.cancelled:
                yield f"{order.number}: the ERP cancelled it, and the store never did"
            if in_erp is not in_store and not told:
                there = "cancelled" if in_erp else "not cancelled"
                yield f"{order.number}: {order.state.value}, {there} in the ERP, nobody is told"


@dataclass
class CancelTrial(OrderTrial):
    """``alone``: nobody works on the orders, so nobody may be asked about them either."""

    site: CancellingSite
    alone: bool = True

    def violations(self) -> list[str]:
        found = list(super().violations())
        if not self.alone:
            return found
        with self.site.state.transaction() as state:
            asked = [
                each.number
                for each in state.ledger.entries(
                    LedgerFilter(states=frozenset({LedgerState.REVIEW}))
                )
            ]
        return found + [
            f"{number}: a person is asked about it, and all is well" for number in asked
        ]


def cancelled(**given: Any) -> CancelTrial:
    """The store cancels both orders before anybody works on them."""
    site = CancellingSite(**given)
    site.clock.advance(400)
    for which in site.placed:
        site.cancel(which)
    return CancelTrial(site)


def opened_again(trial: CancelTrial) -> None:
    """The store takes back what it has cancelled."""
    trial.site.clock.advance(1)
    for which in trial.site.placed:
        trial.site.store.change_order(which, state=OrderState.AWAITING_FULFILMENT)


def worked_on(trial: CancelTrial) -> None:
    """The ERP's staff begin to pick all of it."""
    for row in trial.site.erp.orders:
        trial.site.works_on(row.key)


HAPPENINGS = (opened_again, worked_on)


def something_happens(happens: Callable[[CancelTrial], None], **given: Any) -> Enumeration:
    """Just before each point of the run that passes them on."""
    return at_every_point(partial(_for_people, **given), happens, stop_at=1)


def hangs_while(happens: Callable[[CancelTrial], None], **given: Any) -> Enumeration:
    """A worker hangs at each point; it happens, and another worker sees to it meanwhile."""

    def make() -> CancelTrial:
        trial = _for_people(**given)

        def meanwhile() -> None:
            happens(trial)
            trial.site.clock.advance(LATER)
            run_flow(trial.site.context(), "orders")

        trial.script.when_late(meanwhile)
        return trial

    return every_fault(make, (Fault.LATE_REQUEST, Fault.LATE_REPLY), stop_at=1)


def _for_people(**given: Any) -> CancelTrial:
    trial = cancelled(**given)
    trial.alone = False
    return trial
