"""A run for a part: what a flow cannot be narrowed by, and names that stand for nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from sync.cli.scope import FLOW_NAMES
from sync.domain.ids import CustomerId, Sku
from sync.domain.order import OrderState
from sync.domain.sales_order import ErpOrderState, LineStatus
from sync.errors import Misconfigured
from sync.flows.context import Limits, OrderLimits
from sync.flows.cycle import FLOWS
from sync.flows.narrowing import NARROWED_BY, flows_of
from sync.flows.orders.noting import note_shipped
from sync.ports.state import LedgerState, ResyncScope
from sync.testing import builders as a
from sync.testing.faults import Script
from tests.scenarios.world import (
    ASSIGNMENTS,
    HARBOUR,
    MILL,
    TRADE,
    WEB,
    MakeWorld,
    World,
    guest_order,
    harbour_order,
    mill_order,
    order_id,
)

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
GIVEN: dict[str, Any] = {
    "customer": "C-1001",
    "order": "W-1",
    "sku": "BOLT-M8",
    "channel": "web",
    "since": NOON,
    "until": NOON,
}
TIMES = ("since", "until")
UNKNOWN = [
    (flow, part) for flow in FLOWS for part in GIVEN if part not in NARROWED_BY.get(flow, ())
]


def test_every_flow_says_what_it_can_be_narrowed_by() -> None:
    assert NARROWED_BY.keys() == FLOWS.keys()
    # The command line runs them in the same order: who may see what comes first.
    assert tuple(FLOWS) == FLOW_NAMES
    assert {part for parts in NARROWED_BY.values() for part in parts} == set(GIVEN)


@pytest.mark.rule("OP-2")
@pytest.mark.parametrize("flow, part", UNKNOWN)
def test_a_flow_does_not_run_for_more_than_was_asked_for(
    world: World, flow: str, part: str
) -> None:
    world.store.place_order(harbour_order(1))
    result = world.run(flow, **{part: GIVEN[part]})
    assert result.outcome == "failed"
    assert part in result.message
    assert all(each in result.message for each in NARROWED_BY[flow])
    assert not result.counts
    assert not world.erp.orders
    assert not list(world.store.shown_customer_ids())
    planned = world.run(flow, dry_run=True, **{part: GIVEN[part]})
    assert (planned.outcome, planned.message) == ("failed", result.message)
    assert planned.misconfigured


NAMES = [(flow, part) for flow, parts in NARROWED_BY.items() for part in parts if part not in TIMES]


@pytest.mark.rule("OP-2")
@pytest.mark.parametrize("flow, part", NAMES)
@pytest.mark.parametrize("empty", ["", " "], ids=["empty", "a space"])
def test_a_part_without_a_name_is_refused_before_anything_is_done(
    world: World, flow: str, part: str, empty: str
) -> None:
    world.store.place_order(harbour_order(1))
    scope: dict[str, Any] = {part: empty}
    result = world.run(flow, **scope)
    assert result.outcome == "failed"
    assert f"{empty!r} can be no {part}" in result.message
    assert not result.counts
    assert not world.erp.orders
    assert not list(world.store.shown_customer_ids())


@pytest.mark.rule("OP-2", "OP-3")
def test_a_customer_without_prices_of_their_own_is_told_where_others_stand(world: World) -> None:
    world.erp.add_item(a.an_item(sku=Sku("SKU-NO-PRICE")))
    world.run("prices")
    theirs: dict[str, Any] = {"customer": HARBOUR.value}

    result = world.run("prices", **theirs, sku="SKU-NO-PRICE")
    assert (result.outcome, result.counts) == ("ok", {})
    [told] = result.remarks
    own = f"no price of SKU-NO-PRICE to compare that is customer {HARBOUR}'s own"
    assert told.startswith(f"There was {own}")
    assert told.endswith(f"tradesync explain price {HARBOUR} SKU-NO-PRICE")

    assert world.run("prices", **theirs, sku=a.SKU.value).remarks == []
    rehearsed = world.run("prices", **theirs, sku=a.SKU.value, dry_run=True)
    assert (rehearsed.counts, rehearsed.remarks[1:]) == ({}, [])
    assert "no price" not in "".join(rehearsed.remarks)
    assert world.run("prices", sku="SKU-NO-PRICE").remarks == []
    unknown = world.run("prices", **theirs, sku="SKU-0")
    assert (unknown.outcome, unknown.remarks) == ("failed", [])


@pytest.mark.rule("OP-2")
def test_all_flows_are_those_that_know_every_restriction() -> None:
    flows = list(FLOWS)
    assert flows_of("all", flows, ResyncScope()) == flows
    by_item = ["prices", "entitlements", "availability"]
    assert sorted(flows_of("all", flows, ResyncScope(sku="X"))) == sorted(by_item)
    with pytest.raises(Misconfigured, match="order and sku"):
        flows_of("all", flows, ResyncScope(order="W-1", sku="X"))


@pytest.mark.rule("OP-2", "OP-3")
@pytest.mark.parametrize(
    "flow, given, said",
    [
        ("prices", {"customer": "C-9999"}, "no customer C-9999"),
        ("ship_tos", {"customer": "C-9999"}, "no customer C-9999"),
        ("prices", {"sku": "NOPE"}, "no item NOPE"),
        ("prices", {"channel": "shopp"}, "no channel shopp (there are "),
        ("orders", {"channel": "shopp"}, "no channel shopp"),
        ("orders", {"order": "W-99999"}, "no order W-99999"),
        ("order_status", {"order": "W-99999"}, "no order W-99999"),
        ("order_status", {"customer": "C-9999"}, "no customer C-9999"),
    ],
)
def test_a_name_that_stands_for_nothing_does_not_look_like_all_is_well(
    world: World, flow: str, given: dict[str, Any], said: str
) -> None:
    result = world.run(flow, **given)
    assert result.outcome == "failed"
    assert said in result.message
    assert world.run(flow, dry_run=True, **given).outcome == "failed"


@pytest.mark.rule("OP-2")
def test_a_customer_that_only_lost_its_zeros_is_named(world: World) -> None:
    known = replace(world.mapping.assignments[0], customer_id=CustomerId("000101"))
    world.remap(assignments=(*world.mapping.assignments, known))
    assert "000101 is known" in world.run("invoices", customer="101").message


@pytest.mark.rule("OP-2")
def test_a_part_in_which_there_is_nothing_is_no_mistake(world: World) -> None:
    assert world.run("order_status", customer="C-1001").outcome == "ok"
    assert world.run("orders", channel="web").outcome == "ok"


@pytest.mark.rule("OP-2", "OI-3")
def test_order_status_is_shown_for_one_account_alone(world: World) -> None:
    for order in (harbour_order(1), mill_order(2)):
        world.store.place_order(order)
    world.import_orders()
    mill = world.entry(2).customer_id
    assert mill is not None
    assert world.run("order_status", customer=mill.value).counts == {"status_shown": 1}
    assert world.entry(1).status is None
    assert world.entry(2).status is not None
    assert world.run("order_status", channel="nowhere").outcome == "failed"


@pytest.mark.rule("OP-2", "OI-3")
def test_order_status_is_shown_for_one_channel_alone(world: World) -> None:
    for order in (harbour_order(1), mill_order(2, channel=TRADE)):
        world.store.place_order(order)
    world.import_orders()

    assert world.run("order_status", channel=TRADE.value, dry_run=True).counts == {
        "would_change": 1
    }
    assert world.run("order_status", channel=TRADE.value).counts == {"status_shown": 1}
    assert world.entry(1).status is None
    assert world.entry(2).status is not None
    assert world.run("order_status", channel=WEB.value).counts == {"status_shown": 1}
    assert world.entry(1).status is not None


ALL_WRITES = Limits(
    orders=OrderLimits(
        pass_on_cancellations=True, credit_channels=[WEB.value], capture_channels=[WEB.value]
    )
)
PARTS = [{"customer": HARBOUR.value}, {"order": "order-1"}, {"channel": WEB.value}]


def notices(world: World) -> set[str]:
    found = world.store.shown_imports([order_id(number) for number in range(1, 5)])
    return {each.value for each in found}


@pytest.mark.rule("OP-2", "WA-13")
@pytest.mark.parametrize("part", PARTS, ids=str)
def test_no_notice_of_another_order_is_shown_by_a_run_for_a_part(
    world: World, part: dict[str, Any]
) -> None:
    """Of those too that were due before, such as of an order in quarantine."""
    held = mill_order(2, total=a.money("1.00"), channel=TRADE)
    for order in (held, guest_order(3, channel=TRADE)):
        world.store.place_order(order)
    with world.state.transaction() as state:
        state.ledger.discover(held, world.clock.now())
    world.store.place_order(harbour_order(1))

    result = world.run("orders", **part)

    assert result.counts["imported"] == 1
    assert world.state_of(1) is LedgerState.ACKNOWLEDGED
    assert notices(world) == {"order-1"}
    world.import_orders()
    assert notices(world) == {"order-1", "order-2", "order-3"}


@pytest.mark.rule("OP-2", "WA-2d")
def test_notice_of_an_order_that_moved_since_goes_with_the_account_that_it_is_in(
    world: World,
) -> None:
    world.store.place_order(mill_order(2))
    script = Script()
    for attempt in range(1, 12):
        script.lost_request("store.show_import", at=attempt)
    world.script = script
    world.import_orders()
    assert world.state_of(2) is LedgerState.IMPORTED
    world.script = None
    world.remap(assignments=(*ASSIGNMENTS[:1], replace(ASSIGNMENTS[1], customer_id=HARBOUR)))

    world.run("orders", customer=HARBOUR.value)
    assert world.state_of(2) is LedgerState.IMPORTED
    world.run("orders", customer=MILL.value)
    assert world.state_of(2) is LedgerState.ACKNOWLEDGED


@pytest.mark.rule("OP-2", "OI-4", "OI-10")
def test_nothing_of_another_order_is_cancelled_credited_or_captured_by_a_run_for_a_part(
    make_world: MakeWorld,
) -> None:
    world = make_world(limits=ALL_WRITES)
    for order in (mill_order(2), guest_order(3), guest_order(4)):
        world.store.place_order(order)
    world.import_orders()
    world.edit(2, state=OrderState.CANCELLED)
    world.store.refund(order_id(3), a.money("10.00"), "R-1")
    shipped = LineStatus(1, a.SKU, Decimal(10), Decimal(10), Decimal(0))
    key = world.entry(4).key
    status = replace(world.erp.statuses[key], state=ErpOrderState.SHIPPED, lines=(shipped,))
    world.erp.set_order_status(key, status)
    with world.state.transaction() as state:
        note_shipped(world.context(), state, order_id(4), status)

    for flow in ("orders", "order_status"):
        result = world.run(flow, customer=HARBOUR.value)
        assert result.outcome == "ok"
        assert not {"cancelled_in_erp", "credited", "captured"} & result.counts.keys()
    assert world.erp.cancellations == 0
    assert world.erp.credits == ()
    assert not world.store.captures([order_id(4)])

    done = {**world.import_orders().counts, **world.run("order_status").counts}
    assert (done["cancelled_in_erp"], done["credited"], done["captured"]) == (1, 1, 1)
