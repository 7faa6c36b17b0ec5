"""The ledger under every order of events that Hypothesis can think of.

A plain model beside it knows which version of each order the store showed last
and which claims are still good; the ledger must agree after every step.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule
from sqlalchemy import Engine

from sync.domain.decision import Closing
from sync.domain.ids import ErpOrderNumber, StoreId, WebOrderId
from sync.domain.order import OrderState, WebOrder
from sync.domain.sales_order import ErpOrderState, OrderStatus
from sync.errors import FencedOff
from sync.ports.state import Claim, Discovery, LedgerEntry, LedgerFilter, LedgerState
from sync.state import SqlState, open_state
from sync.state.keys import keys_of
from sync.testing.builders import a_web_order
from sync.testing.clock import ManualClock
from tests.unit.state.steps import Steps

S = LedgerState

# Written down here a second time, on purpose: the ledger has no such table.
EDGES: dict[LedgerState, set[LedgerState]] = {
    S.DISCOVERED: {S.SUBMITTING},
    S.WAITING: {S.SUBMITTING},
    S.SUBMITTING: {S.IMPORTED, S.WAITING, S.QUARANTINED, S.REVIEW, S.CLOSED, S.DISCOVERED},
    S.IMPORTED: {S.ACKNOWLEDGED, S.REVIEW, S.DISCOVERED},
    S.ACKNOWLEDGED: {S.REVIEW, S.DISCOVERED},
    S.QUARANTINED: {S.DISCOVERED, S.CLOSED},
    S.REVIEW: {S.DISCOVERED, S.CLOSED, S.IMPORTED, S.ACKNOWLEDGED},
    S.CLOSED: {S.REVIEW},
}

_names = itertools.count(1)


@functools.cache
def _engine() -> Engine:
    return open_state("sqlite://")


ORDERS = [WebOrderId("order-1"), WebOrderId("order-2")]
orders = st.sampled_from(ORDERS)

OUTCOMES: dict[str, Callable[[Steps, Claim], None]] = {
    "imported": lambda steps, claim: steps.imported(claim),
    "number follows": lambda steps, claim: steps.imported(claim, None),
    "unknown": lambda steps, claim: steps.unknown(claim),
    "retry": lambda steps, claim: steps.retry(claim),
    "waiting": lambda steps, claim: steps.waiting(claim),
    "quarantined": lambda steps, claim: _quarantined(steps, claim),
    "review": lambda steps, claim: steps.review(claim),
    "closed": lambda steps, claim: steps.closed(claim),
}


def _quarantined(steps: Steps, claim: Claim) -> None:
    """Whatever is out is taken back first, as every flow does."""
    if steps.entry(claim.order_id).frozen is not None:
        steps.thaw(claim)
    steps.quarantined(claim)


@dataclass
class Known:
    """What the model knows of one order."""

    newest: WebOrder
    token: int = 0
    held: bool = False
    imports: int = 0
    refused: int = 0
    states: list[LedgerState] = field(default_factory=list)


class LedgerMachine(RuleBasedStateMachine):
    claims = Bundle("claims")

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        shop = StoreId("shop")
        # One state for all examples; each of them is a pipeline of its own.
        self.engine, self.name = _engine(), f"p{next(_names)}"
        self.state = SqlState(self.engine, self.name, shop, keys_of(shop, 64), self.clock)
        self.steps = Steps(self.state, self.clock)
        self.known: dict[WebOrderId, Known] = {}

    # What the store does

    @rule(order_id=orders, state=st.sampled_from(OrderState), notes=st.sampled_from(["", "x"]))
    def store_shows(self, order_id: WebOrderId, state: OrderState, notes: str) -> None:
        known = self.known.get(order_id)
        if known is None:
            order = a_web_order(order_id=order_id, state=state, notes=notes)
            assert self.steps.discover(order) is Discovery.NEW
            self.known[order_id] = Known(order)
            return
        moment = known.newest.modified_at + timedelta(seconds=1)
        order = replace(known.newest, modified_at=moment, state=state, notes=notes)
        same = replace(order, modified_at=known.newest.modified_at) == known.newest
        expected = Discovery.SAME if same else Discovery.CHANGED
        assert self.steps.discover(order) is expected
        known.newest = order

    @rule(order_id=orders)
    def store_repeats_itself(self, order_id: WebOrderId) -> None:
        if order_id in self.known:
            before = self.entries()
            assert self.steps.discover(self.known[order_id].newest) is Discovery.SAME
            assert self.entries() == before

    @rule(order_id=orders)
    def store_shows_a_stale_page(self, order_id: WebOrderId) -> None:
        if order_id in self.known:
            stale = a_web_order(order_id=order_id, notes="stale")
            stale = replace(stale, modified_at=stale.modified_at - timedelta(days=1))
            before = self.entries()
            assert self.steps.discover(stale) is Discovery.SAME
            assert self.entries() == before

    # What workers do

    @rule(target=claims, order_id=orders)
    def claim(self, order_id: WebOrderId) -> Any:
        due = order_id in self.steps.due()
        claim = self.steps.maybe_claim(order_id, ttl_s=300)
        assert (claim is not None) is due
        if claim is None:
            return None
        known = self.known[order_id]
        assert claim.token == known.token + 1
        known.token, known.held = claim.token, True
        return claim

    @rule(claim=claims)
    def freeze(self, claim: Claim | None) -> None:
        if claim is not None:
            self.write(claim, self.steps.freeze)

    @rule(claim=claims)
    def thaw(self, claim: Claim | None) -> None:
        if claim is not None:
            self.write(claim, self.steps.thaw)

    @rule(claim=claims)
    def refresh(self, claim: Claim | None) -> None:
        if claim is not None:
            newest = self.known[claim.order_id].newest
            self.write(claim, lambda claim: self.steps.refresh(claim, newest))

    @rule(claim=consumes(claims), outcome=st.sampled_from(sorted(OUTCOMES)))
    def record(self, claim: Claim | None, outcome: str) -> None:
        if claim is None:
            return
        if self.write(claim, lambda claim: OUTCOMES[outcome](self.steps, claim)):
            known = self.known[claim.order_id]
            known.held = False
            known.imports += outcome in ("imported", "number follows")

    def write(self, claim: Claim, step: Callable[[Claim], None]) -> bool:
        """The step, which a claim that is over must not be able to take."""
        known = self.known[claim.order_id]
        if known.held and known.token == claim.token:
            step(claim)
            return True
        before = self.entries()
        with pytest.raises(FencedOff):
            step(claim)
        assert self.entries() == before
        return False

    @rule(seconds=st.sampled_from([1, 59, 300, 900]))
    def time_passes(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @rule()
    def crash_and_restart(self) -> None:
        held = sum(known.held for known in self.known.values())
        assert self.steps.release() == held
        for known in self.known.values():
            known.held = False

    # What people and the other systems do

    @rule(order_id=orders)
    def replay(self, order_id: WebOrderId) -> None:
        entry = self.entries().get(order_id)
        done = self.steps.replay(order_id)
        if entry is not None and entry.imported_at is not None:
            refused = entry.status is not None and entry.status.state is ErpOrderState.REFUSED
            assert done is refused
            self.known[order_id].refused += done

    @rule(order_id=orders)
    def dismiss(self, order_id: WebOrderId) -> None:
        self.steps.dismiss(order_id)

    @rule()
    def judge_changes(self) -> None:
        with self.state.transaction() as on:
            for entry, newer in on.ledger.changed_since(10):
                newest = self.known[entry.order_id].newest
                assert newer == newest
                said = ("It differs.",) if newest.notes else ()
                on.ledger.settle_change(entry.order_id, self.clock.now(), said)
        assert self.steps.changed() == []

    @rule()
    def tell_the_store(self) -> None:
        self.steps.show()
        assert self.steps.to_show() == []

    @rule(order_id=orders, state=st.sampled_from(ErpOrderState), number=st.booleans())
    def erp_moves_the_order(self, order_id: WebOrderId, state: ErpOrderState, number: bool) -> None:
        entry = self.entries().get(order_id)
        if entry is None or entry.imported_at is None:
            return
        status = OrderStatus(state, ErpOrderNumber("SO-1") if number else None)
        with self.state.transaction() as on:
            on.ledger.record_status(order_id, status, self.clock.now())

    # What always holds

    def entries(self) -> dict[WebOrderId, LedgerEntry]:
        with self.state.transaction() as on:
            return {entry.order_id: entry for entry in on.ledger.entries(LedgerFilter())}

    @invariant()
    def nothing_disappears(self) -> None:
        found = self.entries()
        assert found.keys() == self.known.keys()
        with self.state.transaction() as on:
            assert sum(on.ledger.counts().values()) == len(found)

    @invariant()
    def states_move_along_the_edges(self) -> None:
        for order_id, entry in self.entries().items():
            states = self.known[order_id].states
            if states and states[-1] is not entry.state:
                told = f"{states[-1].value} -> {entry.state.value}"
                assert entry.state in EDGES[states[-1]], told
            states.append(entry.state)

    @invariant()
    def an_order_is_imported_once_unless_the_erp_refused_it(self) -> None:
        for known in self.known.values():
            assert known.imports <= 1 + known.refused

    @invariant()
    def somebody_will_look_at_every_order_again(self) -> None:
        """It has its moment, or its newest version is the one at rest, or is listed."""
        listed = {entry.order_id: newer for entry, newer in self.steps.changed()}
        for order_id, entry in self.entries().items():
            working = entry.state in (S.DISCOVERED, S.WAITING, S.SUBMITTING)
            assert (entry.next_check_at is not None) is working
            newest = self.known[order_id].newest
            if order_id in listed:
                assert listed[order_id] == newest
            held = self.known[order_id].held or entry.frozen is not None
            if working and not held:
                assert replace(entry.order, modified_at=newest.modified_at) == newest

    @invariant()
    def a_closed_order_says_why_and_was_never_imported(self) -> None:
        for entry in self.entries().values():
            if entry.state is S.CLOSED:
                assert entry.closing in (Closing.CANCELLED, Closing.DISMISSED)
                assert entry.imported_at is None
            if entry.state in (S.IMPORTED, S.ACKNOWLEDGED):
                assert entry.imported_at is not None

    @invariant()
    def whatever_was_decided_names_the_mapping(self) -> None:
        decided = (S.WAITING, S.QUARANTINED, S.REVIEW, S.IMPORTED, S.ACKNOWLEDGED, S.CLOSED)
        for entry in self.entries().values():
            if entry.imported_at is not None and entry.decision is None:
                continue  # no flow imports without an instruction; the ledger would let it
            assert entry.state not in decided or entry.mapping_version == self.steps.mapping

    @invariant()
    def the_history_begins_with_the_discovery(self) -> None:
        for order_id in self.known:
            assert self.steps.events(order_id)[0] == "discovered"


TestLedgerMachine = LedgerMachine.TestCase
TestLedgerMachine.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestLedgerMachine.pytestmark = [  # type: ignore[attr-defined]
    pytest.mark.rule("OI-1", "OI-2", "OI-4", "OP-1")
]
