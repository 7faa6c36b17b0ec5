"""Many orders at once: one transaction of the ERP, and each order still on its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from sync.domain.account import AccountStatus
from sync.domain.ids import IdempotencyKey, Sku
from sync.domain.order import OrderState
from sync.domain.pricing import PriceScope
from sync.domain.sales_order import OrderAcknowledgement, SalesOrder
from sync.errors import GroupRejected, OutcomeUnknown
from sync.flows.context import FlowResult
from sync.flows.orders.sending import FRESH_S, SINGLES
from sync.ports.erp import ErpCapabilities
from sync.ports.state import Claim, LedgerState
from sync.testing import builders as a
from sync.testing.clock import ManualClock
from sync.testing.erp import MemoryErp
from sync.testing.faults import Script
from sync.testing.together import GROUPING_CAPABILITIES, BatchStore, GroupingErp
from tests.scenarios.world import (
    HARBOUR,
    MILL,
    MakeWorld,
    World,
    fill_erp,
    fill_store,
    guest_order,
    harbour_order,
    mill_order,
    order_id,
)

NUT = Sku("NUT-M8")
HOUR = 3600.0


@pytest.fixture
def grouping(make_world: MakeWorld) -> Callable[..., World]:
    """Makes a world whose ERP takes groups, with a script that fails nothing yet."""

    def make(
        capabilities: ErpCapabilities = GROUPING_CAPABILITIES,
        erp_of: Callable[..., GroupingErp] = GroupingErp,
        **given: Any,
    ) -> World:
        clock = ManualClock()
        store, erp = BatchStore(clock=clock), erp_of(clock, capabilities)
        fill_store(store)
        fill_erp(erp)
        return make_world(clock=clock, store=store, erp=erp, script=Script(), **given)

    return make


@pytest.fixture
def world(grouping: Callable[..., World]) -> World:
    return grouping()


def script_of(world: World) -> Script:
    assert world.script is not None
    return world.script


def place(world: World, count: int = 3) -> Sequence[int]:
    kinds = (harbour_order, guest_order, mill_order)
    for number in range(1, count + 1):
        world.store.place_order(kinds[number % 3](number))
    return range(1, count + 1)


def groups(world: World) -> list[int]:
    """How many orders each group had that was submitted."""
    calls = [call for call in script_of(world).log if call.point == "erp.submit_orders"]
    return [len(call.arguments[0]) for call in calls]


def singles(world: World) -> int:
    return script_of(world).count("erp.submit_order")


def each_is_in_once(world: World, numbers: Sequence[int]) -> None:
    assert [len(world.in_erp(each)) for each in numbers] == [1] * len(numbers)
    states = {world.state_of(each) for each in numbers}
    assert states == {LedgerState.ACKNOWLEDGED}


@pytest.mark.rule("OI-1")
def test_orders_that_wait_together_go_in_together(world: World) -> None:
    result = None
    numbers = place(world, 7)
    result = world.import_orders()

    each_is_in_once(world, numbers)
    assert groups(world) == [7]
    assert singles(world) == 0
    assert (result.counts["imported"], result.counts["groups"]) == (7, 1)
    for each in numbers:
        history = [event.event for event in history_of(world, each)]
        assert history == ["discovered", "claimed", "admitted", "imported", "acknowledged"]


def history_of(world: World, number: int) -> Any:
    with world.state.transaction() as state:
        return state.ledger.history(order_id(number))


@pytest.mark.rule("OI-1")
def test_group_is_never_larger_than_the_erp_takes(grouping: Callable[..., World]) -> None:
    world = grouping(replace(GROUPING_CAPABILITIES, order_group=3))
    numbers = place(world, 8)
    world.import_orders()
    each_is_in_once(world, numbers)
    assert groups(world) == [3, 3, 2]


@pytest.mark.rule("OI-1")
def test_group_is_never_larger_than_a_hundred(grouping: Callable[..., World]) -> None:
    world = grouping(replace(GROUPING_CAPABILITIES, order_group=1000))
    numbers = place(world, 130)
    world.import_orders()
    each_is_in_once(world, numbers)
    assert groups(world) == [100, 30]


@pytest.mark.rule("OI-1")
@pytest.mark.parametrize(
    "capabilities",
    [
        replace(GROUPING_CAPABILITIES, order_group=1),
        replace(GROUPING_CAPABILITIES, unique_external_key=False),
    ],
    ids=["it says so", "it would take an order twice"],
)
def test_erp_that_takes_no_groups_gets_none(
    grouping: Callable[..., World], capabilities: ErpCapabilities
) -> None:
    world = grouping(capabilities)
    numbers = place(world)
    world.import_orders()
    each_is_in_once(world, numbers)
    assert groups(world) == []
    assert singles(world) == 3


@pytest.mark.rule("OI-1", "OI-2")
def test_refused_order_ends_in_quarantine_and_its_neighbours_in_the_erp(world: World) -> None:
    world.erp.add_item(a.an_item(sku=NUT))
    world.erp.set_price(a.a_price("9.9900", scope=PriceScope.account(HARBOUR), sku=NUT))
    world.erp.refuse_item(NUT, "blocked for sale")
    numbers = place(world, 5)
    world.store.place_order(harbour_order(6, lines=(a.a_line(sku=NUT),)))
    result = world.import_orders()

    each_is_in_once(world, numbers)
    assert world.codes(6) == {"erp_refused"}
    assert "blocked for sale" in world.entry(6).problems[0].sentence
    assert (result.counts["imported"], result.counts["quarantined"]) == (5, 1)
    assert result.counts["groups_refused"] == 1
    assert (groups(world), singles(world)) == ([6, 5], 1)


@pytest.mark.rule("OI-1", "OI-2")
def test_erp_that_keeps_refusing_is_given_its_orders_one_by_one(
    grouping: Callable[..., World],
) -> None:
    world = grouping(erp_of=AccusesTheFirst)
    numbers = place(world, 12)
    result = world.import_orders()

    each_is_in_once(world, numbers)
    assert groups(world) == [12, 11, 10, 9, 8, 7]
    assert singles(world) == 12
    assert result.counts["groups_refused"] == 6


class AccusesTheFirst(GroupingErp):
    """It refuses every group, and names an order that it takes when it comes alone."""

    def submit_orders(
        self, orders: Sequence[tuple[SalesOrder, IdempotencyKey]]
    ) -> Sequence[OrderAcknowledgement]:
        raise GroupRejected("no groups today", code="erp_rule", remedy="wait", position=0)


class LosesTheFirstGroup(GroupingErp):
    """Its connection breaks at the first group: nobody knows, and nothing was written."""

    def submit_orders(
        self, orders: Sequence[tuple[SalesOrder, IdempotencyKey]]
    ) -> Sequence[OrderAcknowledgement]:
        if not self.submitted:
            self.submitted += len(orders)
            raise OutcomeUnknown("the connection broke while writing")
        return super().submit_orders(orders)


@pytest.mark.rule("OI-1")
def test_group_that_was_written_is_found_though_its_answer_is_lost(world: World) -> None:
    numbers = place(world)
    script_of(world).lost_reply("erp.submit_orders")
    result = world.import_orders()
    each_is_in_once(world, numbers)
    assert result.counts["imported"] == 3
    assert world.erp.submitted == 3


class AnswersTooLittle(GroupingErp):
    """It writes the group and answers about some of it."""

    def submit_orders(
        self, orders: Sequence[tuple[SalesOrder, IdempotencyKey]]
    ) -> Sequence[OrderAcknowledgement]:
        return super().submit_orders(orders)[1:]


@pytest.mark.rule("OI-1", "OI-3")
def test_answers_that_do_not_fit_a_group_are_not_believed(grouping: Callable[..., World]) -> None:
    world = grouping(erp_of=AnswersTooLittle)
    numbers = place(world)
    world.import_orders()
    each_is_in_once(world, numbers)
    for each in numbers:
        assert world.entry(each).erp_order == world.in_erp(each)[0].number


@pytest.mark.rule("OI-1")
def test_group_that_may_still_arrive_rests_and_goes_on_one_by_one(
    grouping: Callable[..., World],
) -> None:
    world = grouping(erp_of=LosesTheFirstGroup)
    numbers = place(world)
    result = world.import_orders()
    assert result.counts["outcome_unknown"] == 3
    assert {world.state_of(each) for each in numbers} == {LedgerState.SUBMITTING}
    world.import_orders()
    assert world.erp.orders == (), "it is not looked for before the ERP is done with it"

    world.clock.advance(HOUR)
    world.import_orders()
    each_is_in_once(world, numbers)
    assert groups(world) == [3]
    assert singles(world) == 3


@pytest.mark.rule("OI-1")
def test_group_of_which_the_erp_got_one_from_elsewhere_is_not_written_twice(world: World) -> None:
    """Such as by a worker that was slow, between our look-up and our group."""
    numbers = place(world)

    def slow_worker() -> None:
        sent = world.entry(2).frozen
        assert sent is not None
        world.erp.submit_order(sent, world.entry(2).key)

    script_of(world).meanwhile("erp.submit_orders", slow_worker)
    world.import_orders()
    each_is_in_once(world, numbers)


@pytest.mark.rule("OI-5", "OI-1")
def test_order_that_changes_right_before_its_group_leaves_is_judged_anew(world: World) -> None:
    numbers = place(world, 4)
    script_of(world).meanwhile("store.orders_now", lambda: world.edit(1, notes="Ring twice"))
    world.import_orders()

    each_is_in_once(world, numbers)
    assert groups(world) == [3]
    assert world.in_erp(1)[0].order.notes == "Ring twice"


@pytest.mark.rule("OI-5", "OI-1")
@pytest.mark.parametrize("how", ["cancelled", "vanished", "account suspended"])
def test_order_that_may_not_go_any_more_stays_out_of_its_group(world: World, how: str) -> None:
    place(world)

    def happens() -> None:
        if how == "cancelled":
            world.edit(3, state=OrderState.CANCELLED)
        elif how == "vanished":
            world.store.vanish_order(order_id(3))
        else:
            world.edit(3, notes="changed, and so judged by what holds now")
            world.erp.change_account(HARBOUR, status=AccountStatus.SUSPENDED)

    script_of(world).meanwhile("store.orders_now", happens)
    world.import_orders()

    each_is_in_once(world, (1, 2))
    assert world.in_erp(3) == []
    expected = {
        "cancelled": LedgerState.CLOSED,
        "vanished": LedgerState.WAITING,
        "account suspended": LedgerState.QUARANTINED,
    }
    assert world.state_of(3) is expected[how]


@pytest.mark.rule("OP-1", "OP-2")
def test_stop_between_two_groups_leaves_the_rest_unclaimed(grouping: Callable[..., World]) -> None:
    told: list[int] = []

    def stop(step: str, done: int, total: int | None) -> bool:
        if step == "orders: importing":
            told.append(done)
        return done >= 3 and step == "orders: importing"

    world = grouping(replace(GROUPING_CAPABILITIES, order_group=3), progress=stop)
    place(world, 8)
    result = world.import_orders()

    assert result.outcome == "cancelled"
    assert told == [3]
    assert len(world.erp.orders) == 3
    assert {world.state_of(each) for each in range(4, 9)} == {LedgerState.DISCOVERED}
    assert {world.entry(each).attempts for each in range(4, 9)} == {0}

    world.progress = lambda *_: False
    world.import_orders()
    each_is_in_once(world, range(1, 9))


@pytest.mark.rule("OP-1")
def test_erp_that_is_away_for_a_group_gets_it_later(world: World) -> None:
    numbers = place(world)
    script_of(world).lost_request("erp.submit_orders")
    script_of(world).lost_request("erp.submit_order").lost_request("erp.submit_order", at=2)
    result = world.import_orders()
    assert result.outcome == "try_later"
    assert {world.state_of(each) for each in numbers} == {LedgerState.DISCOVERED}
    assert {world.entry(each).frozen for each in numbers} == {None}
    attempts = [world.entry(each).attempts for each in numbers]
    assert attempts == [1, 1, *[0] * (len(numbers) - 2)], "who failed alone, and nobody else"

    world.clock.advance(HOUR)
    world.import_orders()
    each_is_in_once(world, numbers)


@pytest.mark.rule("WA-15")
def test_po_number_that_is_twice_in_a_group_is_flagged_like_any_used_before(world: World) -> None:
    for number in (1, 2):
        world.store.place_order(mill_order(number, po_number="PO 7"))
    world.import_orders()
    each_is_in_once(world, (1, 2))
    assert world.in_erp(1)[0].order.flags == ()
    assert any("PO 7" in flag for flag in world.in_erp(2)[0].order.flags)


@pytest.mark.rule("OI-1")
def test_worker_that_lost_one_order_of_its_group_still_writes_about_the_others(
    world: World,
) -> None:
    place(world)

    stolen: list[Claim | None] = []

    def another_worker() -> None:
        later = world.clock.now() + timedelta(hours=1)
        with world.state.transaction() as state:
            stolen.append(state.ledger.claim(order_id(2), later, 300.0))

    script_of(world).meanwhile("erp.find_orders", another_worker)
    result = world.import_orders()
    assert stolen[0] is not None
    assert result.counts["taken_over"] == 1
    each_is_in_once(world, (1, 3))
    assert world.in_erp(2) == []

    world.new_process()
    world.clock.advance(HOUR)
    world.import_orders()
    each_is_in_once(world, (1, 2, 3))


# Hands whose orders go in one by one.


def a_world(make_world: MakeWorld, **given: Any) -> World:
    return make_world(script=Script(), **given)


@pytest.mark.rule("OI-1")
def test_orders_that_go_in_one_by_one_share_the_transactions_of_the_state(
    make_world: MakeWorld,
) -> None:
    world = a_world(make_world)
    numbers = place(world, SINGLES)
    world.import_orders()
    each_is_in_once(world, numbers)
    between = [call.point for call in script_of(world).log]
    first, last = between.index("erp.submit_order"), len(between) - 1
    last -= between[::-1].index("erp.submit_order")
    assert between[first : last + 1].count("erp.submit_order") == SINGLES
    assert "state.transaction.exit" not in between[first : last + 1]


@pytest.mark.rule("VE-3")
def test_rest_of_a_hand_that_takes_long_is_judged_anew(make_world: MakeWorld) -> None:
    world = a_world(make_world)
    numbers = place(world, 6)

    def slow_and_suspended() -> None:
        world.clock.advance(FRESH_S + 1)
        world.erp.change_account(MILL, status=AccountStatus.SUSPENDED)

    script_of(world).meanwhile("erp.submit_order", slow_and_suspended, at=2)
    world.import_orders()
    imported = [each for each in numbers if world.in_erp(each)]
    assert imported == [1, 2, 3, 4, 6], "5 is the mill's, and so was 2, which was on its way"
    assert world.codes(5) == {"account_not_active"}
    assert {world.entry(each).attempts for each in (3, 4, 6)} == {1}


@pytest.mark.rule("OP-1")
def test_stop_in_a_hand_thaws_what_was_not_sent(make_world: MakeWorld) -> None:
    def stop(step: str, done: int, total: int | None) -> bool:
        return step == "orders: importing" and done >= 2

    world = a_world(make_world, progress=stop)
    place(world, 5)
    result: FlowResult = world.import_orders()
    assert result.outcome == "cancelled"
    assert len(world.erp.orders) == 2
    for each in (3, 4, 5):
        assert world.state_of(each) is LedgerState.DISCOVERED
        assert world.entry(each).frozen is None
    assert isinstance(world.erp, MemoryErp)
