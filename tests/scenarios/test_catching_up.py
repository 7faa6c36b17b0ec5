"""After an outage, and for a part: in the order in which people would do it by hand."""

from __future__ import annotations

import pytest

from sync.domain.ids import ChannelId
from sync.flows.context import Limits, OrderLimits
from sync.ports.state import LedgerState
from sync.testing import builders as a
from sync.testing.faults import Script
from tests.scenarios.world import (
    HARBOUR,
    MILL,
    RETAIL,
    MakeWorld,
    World,
    guest_order,
    harbour_order,
    mill_order,
    order_id,
)


def in_erp(world: World) -> list[str]:
    """The web orders in the ERP, in the order in which they went in."""
    return [row.order.web_order.value for row in world.erp.orders]


def names(*numbers: int) -> list[str]:
    return [order_id(number).value for number in numbers]


@pytest.mark.rule("OP-1")
@pytest.mark.parametrize("batch", [2, 200])
def test_after_an_outage_the_oldest_order_goes_in_first_and_none_is_missing(
    make_world: MakeWorld, batch: int
) -> None:
    """Changed in another order than placed, and more of them than one batch takes."""
    world = make_world(script=Script(), limits=Limits(orders=OrderLimits(batch=batch)))
    assert world.script is not None
    for passage in range(1, 500):
        world.script.lost_request("erp.items", at=passage)
    for number in (3, 1, 5, 2, 4):
        world.clock.advance(60)
        world.store.place_order(harbour_order(number, modified_at=world.clock.now()))
        assert world.import_orders().outcome == "try_later"
    assert in_erp(world) == []
    with world.state.transaction() as state:
        known = state.ledger.counts()
    assert sum(known.values()) == 5, "read while the ERP was away"
    world.script = None
    world.clock.advance(3600)
    assert world.import_orders().outcome == "ok"
    assert in_erp(world) == names(1, 2, 3, 4, 5)


@pytest.mark.rule("OP-1", "OI-1")
def test_every_order_is_in_the_ledger_before_the_first_is_worked_on(
    make_world: MakeWorld,
) -> None:
    world = make_world(script=Script())
    for number in (1, 2, 3):
        world.store.place_order(harbour_order(number))
    known: list[int] = []

    def count() -> None:
        with world.state.transaction() as state:
            known.append(sum(state.ledger.counts().values()))

    assert world.script is not None
    world.script.meanwhile("erp.submit_order", count)
    world.import_orders()
    assert known == [3]


@pytest.mark.rule("OP-2")
@pytest.mark.parametrize(
    "account, wanted", [(HARBOUR, (1, 4)), (MILL, (2,)), (RETAIL, (3,))], ids=str
)
def test_a_run_for_one_account_works_on_its_orders_only(
    world: World, account: object, wanted: tuple[int, ...]
) -> None:
    for order in (harbour_order(1), mill_order(2), guest_order(3), harbour_order(4)):
        world.store.place_order(order)
    rehearsed = world.run("orders", customer=str(account), dry_run=True)
    assert rehearsed.counts["would_be_admitted"] == len(wanted)
    world.run("orders", customer=str(account))
    assert in_erp(world) == names(*wanted)
    world.import_orders()
    assert sorted(in_erp(world)) == names(1, 2, 3, 4), "the others were left, not lost"


@pytest.mark.rule("OP-2", "WA-2d")
def test_an_order_on_its_way_into_an_account_is_that_accounts_whatever_the_mapping_says(
    make_world: MakeWorld,
) -> None:
    world = make_world(script=Script())
    world.store.place_order(harbour_order())
    assert world.script is not None
    world.script.lost_reply("erp.submit_order")
    world.import_orders()
    assert world.state_of() is LedgerState.SUBMITTING
    world.clock.advance(3600)
    world.run("orders", customer=str(MILL))
    assert world.state_of() is LedgerState.SUBMITTING
    world.run("orders", customer=str(HARBOUR))
    assert world.state_of() is LedgerState.ACKNOWLEDGED


@pytest.mark.rule("OP-2")
def test_a_run_for_one_channel_works_on_its_orders_only(world: World) -> None:
    other = ChannelId("elsewhere")
    world.store.place_order(harbour_order(1))
    world.store.place_order(a.a_web_order(order_id=order_id(2), channel=other))
    world.run("orders", channel="elsewhere")
    assert in_erp(world) == []
    world.import_orders()
    assert in_erp(world) == names(1)


@pytest.mark.rule("OI-2")
def test_a_quarantined_order_is_found_by_the_account_that_it_would_go_into(world: World) -> None:
    from sync.domain.ids import Sku
    from sync.ports.state import LedgerFilter

    world.store.place_order(harbour_order(1, lines=(a.a_line(sku=Sku("NO-SUCH")),)))
    world.erp.refuse_item(a.an_item().sku)
    world.store.place_order(harbour_order(2))
    world.store.place_order(mill_order(3))
    world.import_orders()
    with world.state.transaction() as state:
        found = state.ledger.entries(
            LedgerFilter(states=frozenset({LedgerState.QUARANTINED}), customer_id=HARBOUR)
        )
    assert {entry.order_id for entry in found} == {order_id(1), order_id(2)}
