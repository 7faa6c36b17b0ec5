"""Money after the import, and the proof that none was taken or given back twice (OI-10).

What is right is written down a second time here, in the plainest terms: an order of
which all has left is paid for in full and no more, and each refund is one credit.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

from sync.domain.ids import IdempotencyKey, WebOrderId
from sync.domain.money import total
from sync.domain.order import WebOrder
from sync.domain.sales_order import ErpOrderState
from sync.domain.settlement import CaptureState, Credit, CreditRequest
from sync.flows.context import OrderLimits
from sync.flows.cycle import run_flow
from sync.ports.state import LedgerState
from sync.testing import builders as a
from sync.testing.erp import MemoryErp
from tests.faults.sites import OrderSite, with_quantities
from tests.faults.trials import OrderTrial
from tests.scenarios.world import WEB, guest_order, harbour_order, order_id

CARD, TERMS = order_id(1), order_id(2)


@dataclass
class MoneySite(OrderSite):
    """A guest's order, paid by card, and one on account terms; both are in the ERP."""

    refunds: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        orders = OrderLimits(capture_channels=[WEB.value], credit_channels=[WEB.value])
        self.limits = replace(self.limits, orders=orders)
        self.store.place_order(with_quantities(guest_order(1), (3, 4)))
        self.store.place_order(harbour_order(2))
        self.placed, self.retail = [CARD, TERMS], {CARD}
        run_flow(self.context(), "orders")

    def happen(self, chance: random.Random) -> str:
        """Goods leave, and money is given back; nobody edits an order."""
        self.clock.advance(1)
        order_id_ = chance.choice(self.placed)
        what = chance.choice(["parcel", "all of it", "refund", "nothing"])
        if what == "refund":
            self.refunds += 1
            self.store.refund(order_id_, a.money("0.01"), f"R-{self.refunds}")
        elif what != "nothing":
            for row in self.erp.orders:
                done = self.erp.statuses[row.key].state is ErpOrderState.SHIPPED
                if row.order.web_order == order_id_ and not done:
                    self.leaves(row.key, None if what == "all of it" else Decimal(1))
        return f"{what} {order_id_}"

    def leaves(self, key: IdempotencyKey, most: Decimal | None) -> None:
        """So much more of each line, all of it for None."""
        held = self.erp.statuses[key]
        lines = tuple(
            replace(
                line,
                shipped=line.ordered if most is None else min(line.shipped + most, line.ordered),
            )
            for line in held.lines
        )
        all_left = all(line.shipped == line.ordered for line in lines)
        state = ErpOrderState.SHIPPED if all_left else ErpOrderState.PARTLY_SHIPPED
        self.erp.set_order_status(key, replace(held, state=state, lines=lines))

    def violations(self) -> list[str]:
        found = list(super().violations())
        return found + list(self._captures()) + list(self._credits())

    def _captures(self) -> Iterator[str]:
        for order_id_ in self.placed:
            order = self.store.order(order_id_)
            assert isinstance(order, WebOrder)
            held = self.store.captures([order_id_]).get(order_id_, ())
            taken = total(
                (each.amount for each in held if each.state is not CaptureState.REFUSED),
                order.currency,
            )
            part = self._part_that_left(order_id_) if order_id_ == CARD else Fraction(0)
            wanted = Decimal(part.numerator) * order.total.amount / part.denominator
            if not 0 <= wanted - taken.amount < Decimal("0.01"):
                yield f"{order.number}: {taken} is captured, and {wanted} is owed"
            if self._in_review(order_id_):
                yield f"{order.number}: a person is asked about it, and all is well"

    def _part_that_left(self, order_id_: WebOrderId) -> Fraction:
        """All lines have one price, so that goods count alike."""
        for row in self.erp.orders:
            if row.order.web_order == order_id_:
                lines = self.erp.statuses[row.key].lines
                left = sum((line.shipped for line in lines), Decimal(0))
                return Fraction(left) / Fraction(sum(line.ordered for line in lines))
        return Fraction(0)

    def _in_review(self, order_id_: WebOrderId) -> bool:
        with self.state.transaction() as state:
            entry = state.ledger.entry(order_id_)
        return entry is not None and entry.state is LedgerState.REVIEW

    def _credits(self) -> Iterator[str]:
        filed = Counter((each.web_order, each.refund) for each in self.erp.credits)
        for order_id_ in self.placed:
            order = self.store.order(order_id_)
            assert isinstance(order, WebOrder)
            for refund in order.refunds:
                times = filed.pop((order_id_, refund.refund_id), 0)
                if times != 1:
                    yield f"{order.number}: refund {refund.refund_id} is credited {times} times"
        if filed:
            yield f"credits of what was never given back: {sorted(map(str, filed))}"


def shipped(**given: object) -> OrderTrial:
    """Both orders have left in two parcels; the first one was captured already."""
    site = MoneySite(**given)  # type: ignore[arg-type]
    for row in site.erp.orders:
        site.leaves(row.key, Decimal(2))
    run_flow(site.context(), "order_status")
    site.clock.advance(400)
    for row in site.erp.orders:
        site.leaves(row.key, None)
    return OrderTrial(site, "order_status")


def refunded(**given: object) -> OrderTrial:
    """The store gives back something of each order, twice of the first."""
    site = MoneySite(**given)  # type: ignore[arg-type]
    site.clock.advance(400)
    site.store.refund(CARD, a.money("12.10"), "R-1")
    site.store.refund(TERMS, a.money("1.00"), "R-1")
    site.store.refund(CARD, a.money("2.00"), "R-2")
    return OrderTrial(site)


class ErpThatCreditsTwice(MemoryErp):
    """It says that it refuses a second credit under one key, and takes it."""

    def request_credit(self, request: CreditRequest, key: IdempotencyKey) -> Credit:
        said = self._capabilities
        self._capabilities = replace(said, unique_external_key=False)
        try:
            return super().request_credit(request, key)
        finally:
            self._capabilities = said
