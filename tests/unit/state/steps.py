"""Single steps on a ledger, each in a transaction of its own, as the flows take them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sync.domain.decision import Closing, Decision, Problem
from sync.domain.ids import ErpOrderNumber, WebOrderId
from sync.domain.order import OrderState, StoreOrder, WebOrder
from sync.domain.sales_order import OrderStatus
from sync.domain.views import ImportNotice
from sync.ports.notices import notice_for
from sync.ports.state import Claim, Discovery, LedgerEntry
from sync.state import SqlState
from sync.testing.builders import ACCOUNT, a_sales_order, a_web_order
from sync.testing.clock import ManualClock

ORDER = WebOrderId("order-1")
SO_1 = ErpOrderNumber("SO-1")
UNMAPPED = Problem("user_unmapped", "Web user u-7719 has no account.", "Map them.", "WA-2a")


def later(order: WebOrder, **changes: Any) -> WebOrder:
    """The order, changed in the store a minute after its last change."""
    moment = order.modified_at + timedelta(minutes=1)
    return replace(order, **{"modified_at": moment, **changes})


class Steps:
    """A ledger with its clock; every step is committed before the next."""

    def __init__(self, state: SqlState, clock: ManualClock) -> None:
        self.state = state
        self.clock = clock
        self.mapping = "m1"

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)

    def discover(self, order: StoreOrder | None = None) -> Discovery:
        with self.state.transaction() as on:
            return on.ledger.discover(order or a_web_order(), self.now)

    def due(self, limit: int = 10) -> list[WebOrderId]:
        with self.state.transaction() as on:
            return list(on.ledger.due(self.now, limit))

    def maybe_claim(self, order_id: WebOrderId = ORDER, ttl_s: float = 300) -> Claim | None:
        with self.state.transaction() as on:
            return on.ledger.claim(order_id, self.now, ttl_s)

    def claim(self, order_id: WebOrderId = ORDER, ttl_s: float = 300) -> Claim:
        claim = self.maybe_claim(order_id, ttl_s)
        assert claim is not None
        return claim

    def freeze(self, claim: Claim, **changes: Any) -> None:
        decision = Decision(ACCOUNT, False, "mapping", self.mapping, self.now)
        with self.state.transaction() as on:
            on.ledger.freeze(claim, a_sales_order(**changes), decision, self.now)

    def thaw(self, claim: Claim) -> None:
        with self.state.transaction() as on:
            on.ledger.thaw(claim, self.now, "it changed meanwhile")

    def refresh(self, claim: Claim, order: StoreOrder) -> None:
        with self.state.transaction() as on:
            on.ledger.refresh(claim, order)

    def imported(self, claim: Claim, number: ErpOrderNumber | None = SO_1) -> None:
        with self.state.transaction() as on:
            on.ledger.record_imported(claim, number, self.now)

    def unknown(self, claim: Claim, wait_s: float = 600) -> None:
        with self.state.transaction() as on:
            again = self.now + timedelta(seconds=wait_s)
            on.ledger.record_unknown(claim, "the connection was lost", again)

    def retry(self, claim: Claim, wait_s: float = 60) -> None:
        with self.state.transaction() as on:
            again = self.now + timedelta(seconds=wait_s)
            on.ledger.record_retry(claim, "the ERP is away", again)

    def waiting(self, claim: Claim, wait_s: float = 900) -> None:
        with self.state.transaction() as on:
            again = self.now + timedelta(seconds=wait_s)
            said = ("payment_pending", "The payment is pending.")
            on.ledger.record_waiting(claim, *said, again, self.mapping)

    def quarantined(self, claim: Claim, *problems: Problem) -> None:
        with self.state.transaction() as on:
            held = problems or (UNMAPPED,)
            on.ledger.record_quarantined(claim, held, self.now, self.mapping, ("step 1",))

    def review(self, claim: Claim) -> None:
        with self.state.transaction() as on:
            said = ("The ERP has it under C-2.",)
            on.ledger.record_review(claim, said, self.now, self.mapping)

    def closed(self, claim: Claim) -> None:
        with self.state.transaction() as on:
            why, said = Closing.CANCELLED, "Cancelled."
            on.ledger.record_closed(claim, why, said, self.now, self.mapping)

    def replay(self, order_id: WebOrderId = ORDER) -> bool:
        with self.state.transaction() as on:
            return on.ledger.replay(order_id, "alice", "mapped now", self.now)

    def dismiss(self, order_id: WebOrderId = ORDER) -> bool:
        with self.state.transaction() as on:
            return on.ledger.dismiss(order_id, "alice", "a test order", self.now)

    def release(self, *, settled_in_s: float | None = None) -> int:
        settled_at = None if settled_in_s is None else self.now + timedelta(seconds=settled_in_s)
        with self.state.transaction() as on:
            return on.ledger.release_expired(self.now, settled_at)

    def settle(self, *differences: str) -> None:
        with self.state.transaction() as on:
            on.ledger.settle_change(ORDER, self.now, differences)

    def changed(self) -> list[tuple[LedgerEntry, StoreOrder]]:
        with self.state.transaction() as on:
            return list(on.ledger.changed_since(10))

    def to_show(self) -> list[ImportNotice | None]:
        with self.state.transaction() as on:
            return [notice_for(entry) for entry in on.ledger.to_show(10)]

    def show(self) -> None:
        """Tell the store everything that it should show, as the flow would."""
        with self.state.transaction() as on:
            for entry in on.ledger.to_show(10):
                notice = notice_for(entry)
                assert notice is not None
                on.ledger.record_shown(entry.order_id, notice, self.now)

    def status(self, status: OrderStatus) -> None:
        with self.state.transaction() as on:
            on.ledger.record_status(ORDER, status, self.now)

    def open_orders(self, after: WebOrderId | None = None, limit: int = 10) -> list[WebOrderId]:
        with self.state.transaction() as on:
            return [entry.order_id for entry in on.ledger.open_orders(after, limit)]

    def entry(self, order_id: WebOrderId = ORDER) -> LedgerEntry:
        with self.state.transaction() as on:
            entry = on.ledger.entry(order_id)
        assert entry is not None
        return entry

    def events(self, order_id: WebOrderId = ORDER) -> list[str]:
        with self.state.transaction() as on:
            return [event.event for event in on.ledger.history(order_id)]

    def brought_in(self, number: ErpOrderNumber | None = SO_1) -> None:
        """The default order, discovered and imported."""
        self.discover()
        claim = self.claim()
        self.freeze(claim)
        self.imported(claim, number)


CANCELLED = OrderState.CANCELLED
