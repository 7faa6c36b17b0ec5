"""Orders of an account from every source, for its own buyers to read beside their own (MI-5)."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence

import pytest

from sync.domain.account_order import AccountOrder, OrderSource
from sync.domain.channel import RetailGroup
from sync.domain.ids import CustomerId, ErpOrderNumber
from sync.domain.sales_order import ErpOrderState
from sync.flows.cycle import run_flow
from sync.ports.erp import UnreadableRecord
from sync.testing import builders as a
from sync.testing.clock import ManualClock
from sync.testing.erp import MemoryErp
from sync.testing.store import MemoryStore
from tests.scenarios.test_balances import without
from tests.scenarios.world import (
    ASSIGNMENTS,
    HARBOUR,
    MILL,
    RETAIL,
    WEB,
    MakeWorld,
    World,
    a_channel,
    fill_erp,
    fill_store,
    guest_order,
    harbour_order,
    mill_order,
    order_id,
)

EVERYBODY = [HARBOUR, MILL, RETAIL]
DESK = ErpOrderNumber("9001")


def shown(world: World) -> dict[tuple[CustomerId, str], AccountOrder]:
    held = world.store.shown_account_orders(EVERYBODY)
    return {(owner, number.value): order for (owner, number), order in held.items()}


@pytest.mark.rule("MI-5", "WA-8")
def test_each_account_is_shown_its_orders_and_a_retail_group_none(world: World) -> None:
    result = world.run("account_orders")

    assert (result.outcome, result.counts["added"]) == ("ok", 2)
    assert shown(world) == {
        (HARBOUR, "9001"): a.an_account_order("9001"),
        (MILL, "9002"): a.an_account_order("9002", sold_to=MILL),
    }


@pytest.mark.rule("MI-5", "MI-2")
def test_only_orders_that_differ_are_written(world: World) -> None:
    world.run("account_orders")
    writes = world.store.writes
    world.clock.advance(3600)
    world.erp.set_account_order(a.an_account_order("9001", state=ErpOrderState.SHIPPED))
    world.erp.set_account_order(a.an_account_order("9004", source=OrderSource.EDI))
    world.erp.remove_account_order(ErpOrderNumber("9002"))
    counts = world.run("account_orders").counts

    assert (counts["added"], counts["changed"], counts["removed"]) == (1, 1, 1)
    assert world.store.writes == writes + 3
    world.clock.advance(3600)
    assert world.run("account_orders").writes == 0
    assert {number for _, number in shown(world)} == {"9001", "9004"}


@pytest.mark.rule("MI-5")
def test_only_accounts_that_the_erp_names_are_read_again(make_world: MakeWorld) -> None:
    asked: list[set[CustomerId]] = []

    class Asked(MemoryErp):
        def account_orders(self, customer_ids: Collection[CustomerId]) -> Sequence[AccountOrder]:
            asked.append(set(customer_ids))
            return super().account_orders(customer_ids)

    clock = ManualClock()
    erp = Asked(clock)
    fill_erp(erp)
    world = make_world(clock=clock, erp=erp)
    world.clock.advance(3600)
    world.run("account_orders")
    world.clock.advance(3600)
    erp.set_account_order(a.an_account_order("9005", sold_to=MILL))
    world.run("account_orders")
    assert asked == [{HARBOUR, MILL}, {MILL}]


@pytest.mark.rule("MI-5", "WA-9")
def test_web_order_is_among_them_and_names_itself_and_nothing_else_of_it_changes(
    world: World,
) -> None:
    world.cycle()
    world.store.place_order(harbour_order(1))
    world.store.place_order(mill_order(2))
    world.store.place_order(guest_order(3))
    before = [world.store.order(order_id(each)) for each in (1, 2, 3)]
    world.cycle()

    of_the_web = {
        owner: order.web_order
        for (owner, _), order in shown(world).items()
        if order.source is OrderSource.WEB
    }
    assert of_the_web == {HARBOUR: order_id(1), MILL: order_id(2)}
    assert all(order.key is None for order in shown(world).values())
    assert [world.store.order(order_id(each)) for each in (1, 2, 3)] == before
    orders = [order for page in world.store.changed_orders(None) for order in page.orders]
    assert {order.order_id for order in orders} == {order_id(each) for each in (1, 2, 3)}
    assert world.run("account_orders").writes == 0


@pytest.mark.rule("MI-5", "WA-9", "WA-8")
@pytest.mark.parametrize("scope", [None, MILL.value], ids=["all accounts", "that account"])
def test_web_order_that_the_erp_s_staff_moved_to_another_account_is_linked_no_more(
    world: World, scope: str | None
) -> None:
    world.cycle()
    world.store.place_order(harbour_order(1))
    world.cycle()
    [row] = world.in_erp(1)
    world.clock.advance(2 * 86400)
    world.erp.edit_order(row.key, sold_to=MILL)
    world.run("account_orders", customer=scope)
    order = shown(world)[MILL, row.number.value]
    assert (order.source, order.web_order) == (OrderSource.WEB, None)


@pytest.mark.rule("MI-5", "WA-9")
def test_order_under_the_key_of_another_shop_is_no_web_order_of_this_one(world: World) -> None:
    world.erp.set_account_order(a.an_account_order("9006", source=OrderSource.WEB, key=a.KEY))
    world.run("account_orders")
    order = shown(world)[HARBOUR, "9006"]
    assert (order.source, order.web_order, order.key) == (OrderSource.WEB, None, None)


@pytest.mark.rule("MI-5", "WA-8")
@pytest.mark.parametrize("flow", ["accounts", "account_orders"])
def test_account_that_becomes_a_retail_group_shows_its_orders_no_longer(
    world: World, flow: str
) -> None:
    world.cycle()
    groups = (*a_channel().retail_groups, RetailGroup(HARBOUR, ("EUR",), frozenset({"BE"})))
    channels = {**world.mapping.channels, WEB: a_channel(retail_groups=groups)}
    world.remap(channels=channels, assignments=ASSIGNMENTS[1:])
    assert world.run(flow).counts["withdrawn"] == 1
    assert {owner for owner, _ in shown(world)} == {MILL}


@pytest.mark.rule("MI-5", "MI-1")
def test_orders_go_with_an_account_that_nobody_is_mapped_to_any_more(world: World) -> None:
    world.run("account_orders")
    world.remap(assignments=ASSIGNMENTS[:1])
    assert world.run("account_orders").counts["removed"] == 1
    assert {owner for owner, _ in shown(world)} == {HARBOUR}


@pytest.mark.rule("MI-5", "MI-3")
def test_erp_that_cannot_tell_orders_any_more_takes_none_away(world: World) -> None:
    world.run("account_orders")
    world.clock.advance(2 * 86400)
    world.erp_seen = without(world.erp, "account_orders")
    assert world.run("account_orders").outcome == "refused"
    assert len(shown(world)) == 2


@pytest.mark.rule("MI-5")
def test_store_without_a_place_for_them_is_left_alone_and_told_so(world: World) -> None:
    store = without(world.store, "shown_account_orders", "apply_account_orders")
    result = run_flow(dataclasses.replace(world.context(), store=store), "account_orders")
    assert (result.outcome, result.writes) == ("ok", 0)
    assert "no place for orders of accounts" in result.remarks[-1]


class HalfReadable(MemoryErp):
    """One order of Harbour Hardware cannot be read any more."""

    odd = False

    def account_orders(self, customer_ids: Collection[CustomerId]) -> Sequence[AccountOrder]:
        told = super().account_orders(customer_ids)
        return [each for each in told if not (self.odd and each.number == DESK)]

    def take_unreadable(self) -> Sequence[UnreadableRecord]:
        if not self.odd:
            return ()
        return (UnreadableRecord("account_orders", DESK.value, "state", "is odd", HARBOUR),)


@pytest.mark.rule("MI-5", "MI-3")
def test_order_that_cannot_be_read_has_not_vanished(make_world: MakeWorld) -> None:
    clock = ManualClock()
    erp = HalfReadable(clock)
    fill_erp(erp)
    store = MemoryStore(clock=clock)
    fill_store(store)
    world = make_world(clock=clock, erp=erp, store=store)
    world.run("account_orders")
    erp.odd = True
    world.clock.advance(2 * 86400)
    result = world.run("account_orders")
    assert result.counts.get("removed", 0) == 0
    assert (HARBOUR, DESK.value) in shown(world)
