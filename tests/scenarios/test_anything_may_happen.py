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
from sync.domain.order import OrderState, Payment, PaymentState, WebOrder
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

EXAMPLES = int(os.environ.get("SCENARIO_EXAMPLES", "24"))
SETTINGS = settings(
    max_examples=EXAMPLES,
    stateful_step_count=30,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)

MIRRORS = (
    *("accounts", "ship_tos", "prices", "invoices", "balances", "customer_parts"),
    *("entitlements", "availability", "documents", "account_orders"),
)
FAULTS = [Fault.LOST_REQUEST, Fault.LOST_REPLY, Fault.CRASH_BEFORE, Fault.CRASH_AFTER]
SWAPPED = (Assignment(MILL, organisation=HARBOUR_ORG), Assignment(HARBOUR, organisation=MILL_ORG))
FORBIDDEN = (Assignment(RETAIL, organisation=HARBOUR_ORG), ASSIGNMENTS[1])
MAPPINGS = [ASSIGNMENTS, ASSIGNMENTS[:1], ASSIGNMENTS[1:], SWAPPED, FORBIDDEN]
GROUPS = (RetailGroup(RETAIL, ("EUR",)), RetailGroup(HARBOUR, ("EUR",), frozenset({"BE"})))
BELIEVE = Guard(Decimal(1), 1000, Decimal("0.5"), Decimal(1), 1000, 1000)

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
        self.world.clock.advance(1)  # no two runs begin at the same moment
        try:
            self.world.run(flow)
        except Crash:
            self.world.new_process()
        except SyncError:
            pass  # the state was away: the daemon tries again later
        finally:
            self.script.load(Fault.LOST_REQUEST, 0)

    @rule(
        what=st.sampled_from(["a minute", "an hour", "a day", "outage", "kill", "mapping"]),
        assignments=st.sampled_from(MAPPINGS),
    )
    def world_goes_on(self, what: str, assignments: tuple[Assignment, ...]) -> None:
        if what == "outage":
            self.script.erp_away = not self.script.erp_away
        elif what == "kill":
            self.world.new_process()
        elif what == "mapping":
            self.world.remap(assignments=assignments)
        else:
            self.world.clock.advance({"a minute": 60, "an hour": 4000, "a day": 90_000}[what])

    @invariant()
    def nothing_of_the_retail_group_is_in_the_store(self) -> None:
        assert RETAIL not in set(self.world.store.shown_customer_ids())


CARTS = {"harbour": harbour_order, "mill": mill_order, "guest": guest_order}
who, which = st.sampled_from(sorted(CARTS)), st.integers(0, 9)


def _in(order: WebOrder, state: PaymentState) -> tuple[Payment, ...]:
    return tuple(replace(each, state=state) for each in order.payments)


class Orders(Machine):
    """Orders are placed, paid, edited and cancelled while everything may break."""

    def __init__(self) -> None:
        super().__init__()
        self.placed: list[WebOrderId] = []
        self.users: dict[WebOrderId, WebUserId | None] = {}

    # What shoppers do.

    @rule(
        carts=st.lists(
            st.tuples(st.sampled_from(sorted(CARTS)), st.booleans()), min_size=1, max_size=3
        )
    )
    def orders_are_placed(self, carts: list[tuple[str, bool]]) -> None:
        for who, ready in carts:
            number = len(self.placed) + 1
            now = self.world.clock.now()
            order = CARTS[who](number, modified_at=now, ship_to=a.a_typed_address())
            if not ready:
                order = replace(
                    order, state=OrderState.CREATED, payments=_in(order, PaymentState.PENDING)
                )
            self.world.store.place_order(order)
            self.placed.append(order.order_id)
            self.users[order.order_id] = order.buyer.web_user

    @precondition(lambda self: self.placed)
    @rule(
        what=st.sampled_from(["pay", "edit", "cancel", "vanish"]),
        which=which,
        quantity=st.integers(1, 5),
    )
    def shopper_acts(self, what: str, which: int, quantity: int) -> None:
        order = self.world.store.order(self.placed[which % len(self.placed)])
        if not isinstance(order, WebOrder) or order.state is OrderState.CANCELLED:
            return
        unpaid = order.state is OrderState.CREATED
        changes: dict[str, Any] = {}
        if what == "vanish" and unpaid:
            self.world.store.vanish_order(order.order_id)
        elif what == "pay" and unpaid:
            paid = _in(order, PaymentState.AUTHORISED)
            changes = {"state": OrderState.AWAITING_FULFILMENT, "payments": paid}
        elif what == "cancel":
            changes = {"state": OrderState.CANCELLED}
        elif what == "edit":
            lines = (a.a_line(quantity=Decimal(quantity)),)
            total = lines[0].gross
            payments = tuple(
                replace(each, amount=total if each.amount else None) for each in order.payments
            )
            changes = {"lines": lines, "total": total, "payments": payments}
        if changes:
            self.world.clock.advance(1)
            self.world.store.change_order(order.order_id, **changes)

    # What people at the desk do.

    @precondition(lambda self: self.placed)
    @rule(what=st.sampled_from(["replay", "dismiss", "block", "release"]), which=which)
    def staff_act(self, what: str, which: int) -> None:
        order_id, now = self.placed[which % len(self.placed)], self.world.clock.now()
        if what == "block":
            self.world.erp.refuse_item(a.SKU)
        elif what == "release":
            self.world.erp.accept_item(a.SKU)
        else:
            with self.world.state.transaction() as state:
                act = state.ledger.replay if what == "replay" else state.ledger.dismiss
                act(order_id, "ann", "looked at it", now)

    # What the service does.

    @rule()
    def import_runs(self) -> None:
        self.run("orders")

    @precondition(lambda self: self.placed)
    @rule(fault=st.sampled_from(FAULTS), points=st.integers(1, 70))
    def import_is_broken_off(self, fault: Fault, points: int) -> None:
        self.script.load(fault, points)
        self.run("orders")

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

    @rule(
        what=st.sampled_from(["terms", "ship-to", "no ship-to", "invoice", "price"]),
        customer=st.sampled_from([HARBOUR, MILL, RETAIL]),
        key=st.sampled_from(["A", "B"]),
        amount=st.sampled_from(["5.0000", "6.0000", "0.0000"]),
    )
    def erp_changes(self, what: str, customer: CustomerId, key: str, amount: str) -> None:
        erp = self.world.erp
        if what == "terms":
            erp.change_account(customer, terms=None if customer == RETAIL else f"NET-{key}")
        elif what == "ship-to":
            erp.add_ship_to(a.a_ship_to(sold_to=customer, ship_to_id=ShipToId(key)))
        elif what == "invoice":
            number = InvoiceNumber(f"{customer}-{key}")
            paid = a.money(amount)
            erp.add_invoice(a.an_invoice(sold_to=customer, number=number, open_amount=paid))
        elif what == "price":
            erp.set_price(a.a_price(amount, scope=PriceScope.account(customer)))
        elif ShipToId(key) in [each.ship_to_id for each in erp.ship_tos([customer])]:
            erp.remove_ship_to(customer, ShipToId(key))

    @rule(
        what=st.sampled_from(["group", "no group", "attribute", "refuse", "accept"]),
        value=st.sampled_from([None, "C-1001", "RETAIL-EU", "NOBODY"]),
        key=st.sampled_from(["A", "C-2002"]),
    )
    def staff_act(self, what: str, value: str | None, key: str) -> None:
        world = self.world
        if what in ("group", "no group"):
            channel = a_channel(retail_groups=GROUPS if what == "group" else GROUPS[:1])
            world.remap(channels={**world.mapping.channels, WEB: channel})
        elif what == "attribute":
            world.store.add_user(a.a_web_user(staff_customer_id=value))
        elif what == "refuse":
            world.store.refuse_record(key)
        else:
            world.store.accept_record(key)

    @rule()
    def mirrors_run(self) -> None:
        for flow in MIRRORS:
            self.run(flow)

    @rule(
        flow=st.sampled_from(MIRRORS),
        fault=st.sampled_from(FAULTS),
        points=st.integers(1, 40),
    )
    def mirror_is_broken_off(self, flow: str, fault: Fault, points: int) -> None:
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


@pytest.mark.timeout(600)
@pytest.mark.rule("OI-1", "OI-2", "OI-4", "WA-2d", "WA-9", "OP-1")
def test_every_order_ends_where_it_belongs_whatever_happens() -> None:
    run_state_machine_as_test(Orders, settings=SETTINGS)


@pytest.mark.timeout(600)
@pytest.mark.rule("MI-1", "MI-2", "WA-8", "WA-3a", "OP-1")
def test_store_shows_what_the_erp_says_whatever_happens() -> None:
    run_state_machine_as_test(Mirrors, settings=settings(SETTINGS, max_examples=EXAMPLES // 2))
