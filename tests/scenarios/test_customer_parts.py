"""An organisation's own item numbers: shown to it alone, and on its orders into the ERP (TL-6)."""

from __future__ import annotations

import dataclasses

import pytest

from sync.domain.channel import RetailGroup
from sync.domain.ids import OrganisationId, PartNumber, Sku
from sync.domain.mapping import Assignment
from sync.flows.cycle import run_flow
from sync.testing import builders as a
from tests.scenarios.test_balances import without
from tests.scenarios.world import (
    ASSIGNMENTS,
    HARBOUR,
    MILL,
    RETAIL,
    WEB,
    World,
    a_channel,
    harbour_order,
)

BOTH = [HARBOUR, MILL, RETAIL]


@pytest.mark.rule("TL-6")
def test_each_account_is_shown_its_own_part_numbers_and_a_retail_group_none(world: World) -> None:
    result = world.run("customer_parts")

    assert (result.outcome, result.counts["added"]) == ("ok", 2)
    assert world.store.shown_customer_parts(BOTH) == {
        part.key: part for part in (a.a_customer_part(), a.a_customer_part(sold_to=MILL))
    }


@pytest.mark.rule("TL-6", "MI-2")
def test_only_part_numbers_that_differ_are_written(world: World) -> None:
    world.run("customer_parts")
    writes = world.store.writes
    moved = a.a_customer_part(sku=Sku("BOLT-M10"))
    world.erp.remove_customer_part(a.a_customer_part().key)
    world.erp.add_customer_part(moved)
    world.erp.add_customer_part(a.a_customer_part(sold_to=MILL, unit="BOX"))
    counts = world.run("customer_parts").counts

    assert (counts["added"], counts["changed"], counts["removed"]) == (1, 1, 1)
    assert world.store.writes == writes + 3
    assert list(world.store.shown_customer_parts([HARBOUR])) == [moved.key]
    assert world.run("customer_parts").writes == 0


@pytest.mark.rule("TL-6", "WA-8")
def test_account_that_becomes_a_retail_group_shows_its_numbers_no_longer(world: World) -> None:
    world.cycle()
    groups = (*a_channel().retail_groups, RetailGroup(HARBOUR, ("EUR",), frozenset({"BE"})))
    channels = {**world.mapping.channels, WEB: a_channel(retail_groups=groups)}
    world.remap(channels=channels, assignments=ASSIGNMENTS[1:])
    result = world.run("customer_parts")
    assert result.counts["withdrawn"] == 1
    assert {key[0] for key in world.store.shown_customer_parts(BOTH)} == {MILL}


@pytest.mark.rule("TL-6")
def test_numbers_go_with_the_account_when_its_organisation_is_mapped_elsewhere(
    world: World,
) -> None:
    world.run("customer_parts")
    other = Assignment(MILL, organisation=OrganisationId("org-12"), origin="customers.csv:2")
    world.remap(assignments=(other, ASSIGNMENTS[1]))
    assert world.run("customer_parts").counts == {"removed": 1, "unchanged": 1}
    assert {key[0] for key in world.store.shown_customer_parts(BOTH)} == {MILL}


@pytest.mark.rule("TL-6", "MI-3")
def test_erp_that_cannot_tell_part_numbers_any_more_takes_none_away(world: World) -> None:
    world.run("customer_parts")
    world.erp_seen = without(world.erp, "customer_parts")
    assert world.run("customer_parts").outcome == "refused"
    assert len(world.store.shown_customer_parts(BOTH)) == 2


@pytest.mark.rule("TL-6")
def test_store_without_a_place_for_part_numbers_is_left_alone_and_told_so(world: World) -> None:
    store = without(world.store, "shown_customer_parts", "apply_customer_parts")
    result = run_flow(dataclasses.replace(world.context(), store=store), "customer_parts")
    assert (result.outcome, result.writes) == ("ok", 0)
    assert "no place for customer part numbers" in result.remarks[-1]


@pytest.mark.rule("TL-6", "OI-1")
@pytest.mark.parametrize("entered", ["HH-0042", "of no item that the ERP knows", None])
def test_what_the_buyer_entered_travels_as_it_was_entered(
    world: World, entered: str | None
) -> None:
    world.cycle()
    line = a.a_line(customer_part_number=entered)
    world.store.place_order(harbour_order(1, lines=(line,)))
    world.import_orders()
    [row] = world.in_erp(1)
    assert [each.customer_part_number for each in row.order.lines] == [entered]
    # What is typed on one order makes no number of the account.
    assert world.run("customer_parts").writes == 0
    assert set(world.store.shown_customer_parts([HARBOUR])) == {
        (HARBOUR, PartNumber("HH-0042"), a.SKU)
    }
