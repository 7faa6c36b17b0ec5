"""Shoppers, administrators, outages and crashes in any order that Hypothesis thinks of.

Two machines drive one world each: the first the orders, the second the mirrors.
Whatever happened, once everything is well again each order must be where it
belongs, once, and the store must show what the ERP says, and nothing of a
retail group. ``SCENARIO_EXAMPLES`` makes them look longer.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Engine

from sync.domain.channel import RetailGroup
from sync.domain.decision import Closing
from sync.domain.ids import CustomerId, InvoiceNumber, ShipToId, WebOrderId, WebUserId
from sync.domain.mapping import Assignment
from sync.domain.order import OrderState, PaymentState, WebOrder
from sync.domain.pricing import PriceScope
from sync.errors import SyncError, TryLater
from sync.flows.context import Limits
from sync.planning.guards import Guard
from sync.ports.state import LedgerEntry, LedgerFilter, LedgerState
from sync.state import open_state
from sync.testing import builders as a
from sync.testing.faults import Crash, Fault, Script
from sync.testing.store import MemoryStore
from tests.scenarios.world import (
    ASSIGNMENTS,
    HARBOUR,
    HARBOUR_BUYER,
    HARBOUR_ORG,
    MILL,
    MILL_ORG,
    RETAIL,
    WEB,
    World,
    a_channel,
    build_world,
    fill_store,
    guest_order,
    harbour_order,
    mill_order,
)

EXAMPLES = int(os.environ.get("SCENARIO_EXAMPLES", "30"))
SETTINGS = settings(
    max_examples=EXAMPLES,
    stateful_step_count=25,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)

MIRRORS = ("accounts", "ship_tos", "prices", "invoices")
FAULTS = [Fault.LOST_REQUEST, Fault.LOST_REPLY, Fault.CRASH_BEFORE, Fault.CRASH_AFTER]
SWAPPED = (Assignment(MILL, organisation=HARBOUR_ORG), Assignment(HARBOUR, organisation=MILL_ORG))
FORBIDDEN = (Assignment(RETAIL, organisation=HARBOUR_ORG), ASSIGNMENTS[1])
MAPPINGS = [ASSIGNMENTS, ASSIGNMENTS[:1], ASSIGNMENTS[1:], SWAPPED, FORBIDDEN]
GROUPS = (RetailGroup(RETAIL, ("EUR",)), RetailGroup(HARBOUR, ("EUR",), frozenset({"BE"})))
BELIEVE = Guard(Decimal(1), 1000, Decimal("0.5"), Decimal(1), 1000)

_engines: list[Engine] = []
_names = itertools.count(1)


@pytest.fixture(scope="module", autouse=True)
def _state() -> Iterator[None]:
    """One state for all examples; each of them is a pipeline of its own."""
    _engines.append(open_state("sqlite://"))
    yield
    _engines.pop().dispose()


class Roulette(Script):
    """Fails at the so-many-th point from now, and keeps the ERP away while told to."""

    def __init__(self) -> None:
        super().__init__()
        self.erp_away = False
        self._left = 0
        self._kind = Fault.LOST_REQUEST

    def load(self, fault: Fault, points: int) -> None:
        self._kind, self._left = fault, points

    def enter(
        self, point: str, arguments: tuple[Any, ...] = (), keywords: dict[str, Any] | None = None
    ) -> Fault | None:
        if self._left and not self.dead:
            self._left -= 1
            if not self._left:
                self.fail(point, self._kind, at=self.count(point) + 1)
        if self.erp_away and point.startswith("erp.") and not self.dead:
            raise TryLater("the ERP is away")
        return super().enter(point, arguments, keywords)

    def calm(self) -> None:
        """From here on nothing fails."""
        self.erp_away, self._left = False, 0


class Machine(RuleBasedStateMachine):
    """What both machines share: a world that may break at any point."""

    flows: tuple[str, ...] = ()

    def __init__(self) -> None:
        super().__init__()
        self.script = Roulette()
        guards = dict.fromkeys(MIRRORS, BELIEVE)
        self.world: World = build_world(
            _engines[-1],
            pipeline=f"example-{next(_names)}",
            script=self.script,
            limits=Limits(guards=guards),
        )

    def run(self, flow: str) -> None:
        try:
            self.world.run(flow)
        except Crash:
            self.world.new_process()
        except SyncError:
            pass  # the state was away: the daemon tries again later
        finally:
            self.script.load(Fault.LOST_REQUEST, 0)

    @rule(seconds=st.sampled_from([1, 120, 400, 4000, 90_000]))
    def time_passes(self, seconds: int) -> None:
        self.world.clock.advance(seconds)

    @rule()
    def erp_goes_away_or_comes_back(self) -> None:
        self.script.erp_away = not self.script.erp_away

    @rule(assignments=st.sampled_from(MAPPINGS))
    def administrator_edits_the_mapping(self, assignments: tuple[Assignment, ...]) -> None:
        self.world.remap(assignments=assignments)

    @invariant()
    def nothing_of_the_retail_group_is_in_the_store(self) -> None:
        assert RETAIL not in set(self.world.store.shown_customer_ids())


class Orders(Machine):
    """Orders are placed, paid, edited and cancelled while everything may break."""

    def __init__(self) -> None:
        super().__init__()
        self.placed: list[WebOrderId] = []
        self.users: dict[WebOrderId, WebUserId | None] = {}

    # What shoppers do.

    @rule(who=st.sampled_from(["harbour", "mill", "guest"]), ready=st.booleans())
    def order_is_placed(self, who: str, ready: bool) -> None:
        number = len(self.placed) + 1
        make = {"harbour": harbour_order, "mill": mill_order, "guest": guest_order}[who]
        order = make(number, modified_at=self.world.clock.now(), ship_to=a.a_typed_address())
        if not ready:
            payments = tuple(replace(each, state=PaymentState.PENDING) for each in order.payments)
            order = replace(order, state=OrderState.CREATED, payments=payments)
        self.world.store.place_order(order)
        self.placed.append(order.order_id)
        self.users[order.order_id] = order.buyer.web_user

    def _some(self, which: int) -> WebOrder | None:
        if not self.placed:
            return None
        order = self.world.store.order(self.placed[which % len(self.placed)])
        return order if isinstance(order, WebOrder) else None

    def _change(self, order: WebOrder | None, **changes: Any) -> None:
        if order is not None:
            self.world.clock.advance(1)
            self.world.store.change_order(order.order_id, **changes)

    @rule(which=st.integers(0, 9))
    def order_is_paid(self, which: int) -> None:
        order = self._some(which)
        if order is not None and order.state is OrderState.CREATED:
            paid = tuple(replace(each, state=PaymentState.AUTHORISED) for each in order.payments)
            self._change(order, state=OrderState.AWAITING_FULFILMENT, payments=paid)

    @rule(which=st.integers(0, 9), quantity=st.integers(1, 5))
    def order_is_edited(self, which: int, quantity: int) -> None:
        order = self._some(which)
        if order is not None and order.state is not OrderState.CANCELLED:
            lines = (a.a_line(quantity=Decimal(quantity)),)
            total = lines[0].gross
            payments = tuple(
                replace(each, amount=total if each.amount else None) for each in order.payments
            )
            self._change(order, lines=lines, total=total, payments=payments)

    @rule(which=st.integers(0, 9))
    def order_is_cancelled(self, which: int) -> None:
        self._change(self._some(which), state=OrderState.CANCELLED)

    @rule(which=st.integers(0, 9))
    def phantom_vanishes(self, which: int) -> None:
        order = self._some(which)
        if order is not None and order.state is OrderState.CREATED:
            self.world.store.vanish_order(order.order_id)

    # What people at the desk do.

    @rule(refused=st.booleans())
    def erp_refuses_the_item_or_takes_it_again(self, refused: bool) -> None:
        if refused:
            self.world.erp.refuse_item(a.SKU)
        else:
            self.world.erp.accept_item(a.SKU)

    @precondition(lambda self: self.placed)
    @rule(which=st.integers(0, 9))
    def somebody_replays(self, which: int) -> None:
        with self.world.state.transaction() as state:
            order_id = self.placed[which % len(self.placed)]
            state.ledger.replay(order_id, "ann", "try again", self.world.clock.now())

    @precondition(lambda self: self.placed)
    @rule(which=st.integers(0, 9))
    def somebody_dismisses(self, which: int) -> None:
        with self.world.state.transaction() as state:
            order_id = self.placed[which % len(self.placed)]
            state.ledger.dismiss(order_id, "ann", "not wanted", self.world.clock.now())

    # What the service does.

    @rule(fault=st.sampled_from(FAULTS), points=st.integers(0, 120))
    def import_runs(self, fault: Fault, points: int) -> None:
        self.script.load(fault, points)
        self.run("orders")

    @rule()
    def process_is_killed(self) -> None:
        self.world.new_process()

    @invariant()
    def no_order_is_in_the_erp_twice(self) -> None:
        written = [row.order.web_order for row in self.world.erp.orders]
        assert len(written) == len(set(written))

    def teardown(self) -> None:
        world = self.world
        self.script.calm()
        world.new_process()
        world.erp.accept_item(a.SKU)
        world.remap(assignments=ASSIGNMENTS)
        for _ in range(3):
            world.clock.advance(4000)
            self.run("orders")
            with world.state.transaction() as state:
                held = state.ledger.entries(
                    LedgerFilter(states=frozenset({LedgerState.QUARANTINED}))
                )
                for entry in held:
                    state.ledger.replay(entry.order_id, "ann", "all is well", world.clock.now())
        world.clock.advance(4000)
        assert world.run("orders").outcome == "ok"
        with world.state.transaction() as state:
            entries = {entry.order_id: entry for entry in state.ledger.entries(LedgerFilter())}
        for order_id in self.placed:
            self._check(order_id, entries.get(order_id))
        world.clock.advance(4000)
        assert world.run("orders").writes == 0

    def _check(self, order_id: WebOrderId, entry: LedgerEntry | None) -> None:
        now = self.world.store.order(order_id)
        rows = [row for row in self.world.erp.orders if row.order.web_order == order_id]
        if entry is None:
            assert now is None, "only an order that vanished before it was ever read is unknown"
            return
        if entry.imported_at is not None:
            (row,) = rows
            assert entry.decision is not None
            assert row.order.sold_to == entry.decision.customer_id
            assert row.order.web_user == self.users[order_id]
            assert entry.erp_order == row.number
            assert isinstance(entry.order, WebOrder)
            assert isinstance(now, WebOrder)
            accepted = entry.order.lines == now.lines and entry.order.state is now.state
            assert entry.state is LedgerState.REVIEW or accepted
            return
        assert not rows
        if now is None:
            assert entry.waiting_for == "order_vanished" or entry.closing is Closing.VANISHED
        elif entry.state is LedgerState.WAITING:
            assert isinstance(now, WebOrder)
            assert now.state is OrderState.CREATED
        elif entry.closing is Closing.CANCELLED:
            assert isinstance(now, WebOrder)
            assert now.state is OrderState.CANCELLED
        else:
            assert entry.closing is Closing.DISMISSED


class Mirrors(Machine):
    """The ERP's data and the mapping change while everything may break."""

    @rule(terms=st.sampled_from(["NET30", "NET60"]), customer=st.sampled_from([HARBOUR, MILL]))
    def account_changes(self, terms: str, customer: CustomerId) -> None:
        self.world.erp.change_account(customer, terms=terms)

    @rule(customer=st.sampled_from([HARBOUR, MILL, RETAIL]), key=st.sampled_from(["A", "B"]))
    def ship_to_is_added(self, customer: CustomerId, key: str) -> None:
        self.world.erp.add_ship_to(a.a_ship_to(sold_to=customer, ship_to_id=ShipToId(key)))

    @rule(customer=st.sampled_from([HARBOUR, MILL]), key=st.sampled_from(["A", "B"]))
    def ship_to_is_removed(self, customer: CustomerId, key: str) -> None:
        ids = [each.ship_to_id for each in self.world.erp.ship_tos([customer])]
        if ShipToId(key) in ids:
            self.world.erp.remove_ship_to(customer, ShipToId(key))

    @rule(
        customer=st.sampled_from([HARBOUR, MILL, RETAIL]),
        key=st.sampled_from(["X", "Y"]),
        open_amount=st.sampled_from(["0.00", "121.00"]),
    )
    def invoice_is_posted_or_paid(self, customer: CustomerId, key: str, open_amount: str) -> None:
        number = InvoiceNumber(f"{customer}-{key}")
        self.world.erp.add_invoice(
            a.an_invoice(sold_to=customer, number=number, open_amount=a.money(open_amount))
        )

    @rule(
        customer=st.sampled_from([HARBOUR, MILL, RETAIL]),
        amount=st.sampled_from(["5.0000", "6.0000", "0.0000"]),
    )
    def price_changes(self, customer: CustomerId, amount: str) -> None:
        self.world.erp.set_price(a.a_price(amount, scope=PriceScope.account(customer)))

    @rule(group=st.booleans())
    def account_becomes_a_retail_group_or_is_none_any_more(self, group: bool) -> None:
        channel = a_channel(retail_groups=GROUPS if group else GROUPS[:1])
        self.world.remap(channels={**self.world.mapping.channels, WEB: channel})

    @rule(value=st.sampled_from([None, "C-1001", "RETAIL-EU", "NOBODY"]))
    def staff_write_the_attribute_of_a_user(self, value: str | None) -> None:
        self.world.store.add_user(a.a_web_user(staff_customer_id=value))

    @rule(key=st.sampled_from(["A", "C-2002"]), refused=st.booleans())
    def store_refuses_a_record_or_takes_it_again(self, key: str, refused: bool) -> None:
        if refused:
            self.world.store.refuse_record(key)
        else:
            self.world.store.accept_record(key)

    @rule(
        flow=st.sampled_from(MIRRORS),
        fault=st.sampled_from(FAULTS),
        points=st.integers(0, 60),
    )
    def mirror_runs(self, flow: str, fault: Fault, points: int) -> None:
        self.script.load(fault, points)
        self.run(flow)

    def teardown(self) -> None:
        world = self.world
        self.script.calm()
        world.new_process()
        for key in ("A", "C-2002"):
            world.store.accept_record(key)
        world.remap(assignments=ASSIGNMENTS)
        for _ in range(2):
            world.clock.advance(1000)
            for flow in MIRRORS:
                self.run(flow)
        clean = MemoryStore(clock=world.clock)
        fill_store(clean)
        clean.add_user(world.store.buyer(HARBOUR_BUYER, None).user or a.a_web_user())
        beside = build_world(
            world.engine,
            clock=world.clock,
            erp=world.erp,
            store=clean,
            pipeline=f"{world.pipeline}-clean",
            mapping=world.mapping,
        )
        for flow in MIRRORS:
            assert beside.run(flow).outcome == "ok"
        assert world.shown() == beside.shown()
        groups = world.mapping.retail_groups.customer_ids
        assert groups.isdisjoint(world.store.shown_customer_ids())
        writes = world.store.writes
        for flow in MIRRORS:
            assert world.run(flow).outcome == "ok"
        assert world.store.writes == writes


@pytest.mark.rule("OI-1", "OI-2", "OI-4", "WA-2d", "WA-9", "OP-1")
def test_every_order_ends_where_it_belongs_whatever_happens() -> None:
    run_state_machine_as_test(Orders, settings=SETTINGS)


@pytest.mark.rule("MI-1", "MI-2", "WA-8", "WA-3a", "OP-1")
def test_store_shows_what_the_erp_says_whatever_happens() -> None:
    run_state_machine_as_test(Mirrors, settings=SETTINGS)
