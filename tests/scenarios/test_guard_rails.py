"""Plans that are too destructive to believe, and what passes all the same (MI-3, WA-8)."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from decimal import Decimal

import pytest

from sync.domain.account import BillTo, ShipTo
from sync.domain.account_order import AccountOrder
from sync.domain.availability import Availability
from sync.domain.balance import AccountBalance
from sync.domain.channel import RetailGroup
from sync.domain.document import DocumentRecord
from sync.domain.ids import CustomerId, ErpOrderNumber, InvoiceNumber, PartNumber, ShipToId, Sku
from sync.domain.invoice import Invoice
from sync.domain.mapping import Assignment
from sync.domain.part_number import CustomerPart
from sync.domain.pricing import Price, PriceScope
from sync.flows.context import FlowResult
from sync.planning.guards import Guard
from sync.testing import builders as a
from sync.testing.erp import MemoryErp
from sync.testing.faults import Script
from tests.scenarios.world import (
    ASSIGNMENTS,
    GASKET,
    GATE,
    HARBOUR,
    MILL,
    RETAIL,
    MakeWorld,
    World,
    a_channel,
    a_paper,
    fill_erp,
)

MIRRORS = (
    *("accounts", "ship_tos", "prices", "invoices", "balances", "customer_parts"),
    *("entitlements", "availability", "documents", "account_orders"),
)
TIGHT = Guard(removal_floor=1, price_floor=1)


def guarded(world: World, guard: Guard = TIGHT) -> None:
    world.limits = replace(world.limits, guards=dict.fromkeys(MIRRORS, guard))


def mirror(world: World) -> list[FlowResult]:
    return [world.run(flow) for flow in MIRRORS]


def many_invoices(world: World, number: int = 10) -> None:
    for each in range(number):
        world.erp.add_invoice(a.an_invoice(number=InvoiceNumber(f"INV-{each}")))


@pytest.mark.rule("MI-3")
@pytest.mark.parametrize("flow", MIRRORS)
def test_empty_answer_is_refused_before_the_first_write(make_world: MakeWorld, flow: str) -> None:
    world = make_world(script=Script())
    mirror(world)
    before, writes = world.shown(), world.store.writes
    world.clock.advance(2 * 86400)
    world.erp_seen = MemoryErp(world.clock)
    result = world.run(flow)

    assert result.outcome == "refused"
    assert result.plan_id is not None
    assert result.plan_id in result.message
    assert "source is empty" in result.message
    assert (world.shown(), world.store.writes) == (before, writes)
    with world.state.transaction() as state:
        (held,) = state.plans.open()
    assert (held.plan_id, held.flow) == (result.plan_id, flow)
    assert held.counts["removed"] > 0


def cut_off(world: World, flow: str) -> MemoryErp:
    """The ERP as it would look if its answers ended before Mill Tools."""
    erp = MemoryErp(world.clock)
    fill_erp(erp)
    if flow == "accounts":
        erp.remove_account(MILL)
        return erp
    erp.remove_ship_to(MILL, GATE)
    erp.remove_invoice(MILL, InvoiceNumber("INV-6001"))
    erp.remove_balance(MILL, "EUR")
    erp.remove_availability(a.an_availability(warehouse="W2").key)
    erp.remove_customer_part(a.a_customer_part(sold_to=MILL).key)
    erp.remove_item(GASKET)
    erp.remove_document(a_paper(MILL, 2).key)
    erp.remove_account_order(ErpOrderNumber("9002"))
    erp.remove_price(a.a_price("1", scope=PriceScope.account(MILL)).key)
    return erp


@pytest.mark.rule("MI-3")
@pytest.mark.parametrize("flow", MIRRORS)
def test_answer_that_ends_too_early_is_refused_with_its_numbers_and_the_way_to_confirm_it(
    make_world: MakeWorld, flow: str
) -> None:
    world = make_world(script=Script())
    mirror(world)
    guarded(world, Guard(removal_share=Decimal("0.1"), removal_floor=0))
    before, writes = world.shown(), world.store.writes
    world.clock.advance(2 * 86400)
    world.erp_seen = cut_off(world, flow)
    result = world.run(flow)
    assert result.outcome == "refused"
    assert (world.shown(), world.store.writes) == (before, writes)
    with world.state.transaction() as state:
        (held,) = state.plans.open()
    assert f"{held.counts['removed']} of {held.counts['shown']} shown" in result.message
    assert f"tradesync resync {flow} --confirm {held.plan_id}" in result.message


@pytest.mark.rule("MI-3")
@pytest.mark.parametrize("flow", MIRRORS)
def test_another_database_behind_the_same_address_is_not_believed(
    make_world: MakeWorld, flow: str
) -> None:
    """Say the test system was restored over the live one: as many records, but others."""
    world = make_world()
    mirror(world)
    guarded(world, Guard(removal_floor=0))
    before = world.shown()
    world.clock.advance(2 * 86400)
    other = cut_off(world, flow)
    for number in ("INV-8001", "INV-8002", "INV-8003"):
        other.add_invoice(a.an_invoice(number=InvoiceNumber(number)))
    other.remove_invoice(HARBOUR, InvoiceNumber("INV-5001"))
    other.remove_ship_to(HARBOUR, a.SHIP_TO)
    other.add_ship_to(a.a_ship_to(ship_to_id=ShipToId("TEST-1")))
    other.set_balance(a.a_balance(balance=a.money("1.00", "USD"), credit_limit=None, ageing=None))
    other.remove_balance(HARBOUR, "EUR")
    other.remove_availability(a.an_availability().key)
    other.set_availability(a.an_availability(warehouse="TEST-1"))
    other.remove_account_order(ErpOrderNumber("9001"))
    other.set_account_order(a.an_account_order("TEST-1"))
    other.add_customer_part(a.a_customer_part(part_number=PartNumber("TEST-1")))
    other.remove_customer_part(a.a_customer_part().key)
    other.remove_document(a_paper(HARBOUR, 1).key)
    other.add_document(a_paper(HARBOUR, 4, place="papers/3.pdf"))
    other.remove_price(a.a_price("1").key)
    other.set_price(a.a_price("1", sku=Sku("TEST-SKU")))
    world.erp_seen = other
    assert world.run(flow).outcome == "refused"
    assert world.shown() == before


class Stuttering(MemoryErp):
    """Every list that it tells holds each record twice, like a page that came again."""

    def ship_tos(self, customer_ids: Collection[CustomerId]) -> list[ShipTo]:
        return [each for each in super().ship_tos(customer_ids) for _ in (1, 2)]

    def bill_tos(self, customer_ids: Collection[CustomerId]) -> list[BillTo]:
        return [each for each in super().bill_tos(customer_ids) for _ in (1, 2)]

    def invoices(self, customer_ids: Collection[CustomerId]) -> list[Invoice]:
        return [each for each in super().invoices(customer_ids) for _ in (1, 2)]

    def customer_parts(self, customer_ids: Collection[CustomerId]) -> list[CustomerPart]:
        return [each for each in super().customer_parts(customer_ids) for _ in (1, 2)]

    def documents(self, customer_ids: Collection[CustomerId]) -> list[DocumentRecord]:
        return [each for each in super().documents(customer_ids) for _ in (1, 2)]

    def account_orders(self, customer_ids: Collection[CustomerId]) -> list[AccountOrder]:
        return [each for each in super().account_orders(customer_ids) for _ in (1, 2)]

    def availability(self, skus: Collection[Sku] | None = None) -> Iterator[Availability]:
        return (each for each in super().availability(skus) for _ in (1, 2))

    def balances(self, customer_ids: Collection[CustomerId]) -> list[AccountBalance]:
        return [each for each in super().balances(customer_ids) for _ in (1, 2)]

    def prices(
        self, scopes: Collection[PriceScope], skus: Collection[Sku] | None = None
    ) -> Iterator[Price]:
        return (each for each in super().prices(scopes, skus) for _ in (1, 2))


@pytest.mark.rule("MI-3", "MI-2")
def test_page_that_comes_twice_changes_nothing(world: World) -> None:
    mirror(world)
    before, writes = world.shown(), world.store.writes
    world.clock.advance(2 * 86400)
    stuttering = Stuttering(world.clock)
    fill_erp(stuttering)
    world.erp_seen = stuttering
    assert {result.outcome for result in mirror(world)} == {"ok"}
    assert (world.shown(), world.store.writes) == (before, writes)


@pytest.mark.rule("MI-3")
@pytest.mark.parametrize("flow", MIRRORS)
def test_confirmation_applies_the_plan_that_was_refused(world: World, flow: str) -> None:
    mirror(world)
    world.clock.advance(2 * 86400)
    world.erp_seen = MemoryErp(world.clock)
    plan_id = world.run(flow).plan_id
    assert plan_id is not None
    world.confirm(plan_id)
    result = world.run(flow, confirm_plan=plan_id)

    assert result.outcome == "ok"
    # An item that is nobody's any more stays hidden: its record says so.
    assert result.counts["changed" if flow == "entitlements" else "removed"] > 0
    with world.state.transaction() as state:
        assert not state.plans.open()


@pytest.mark.rule("MI-3")
def test_confirmation_is_for_that_plan_and_no_other(world: World) -> None:
    many_invoices(world)
    mirror(world)
    world.clock.advance(2 * 86400)
    empty = MemoryErp(world.clock)
    empty.add_account(a.an_account())
    world.erp_seen = empty
    plan_id = world.run("invoices").plan_id
    assert plan_id is not None
    world.confirm(plan_id)
    # Meanwhile one invoice came back: not what the person looked at.
    empty.add_invoice(a.an_invoice(number=InvoiceNumber("INV-3")))
    guarded(world)
    before = world.shown()
    result = world.run("invoices", confirm_plan=plan_id)

    assert result.outcome == "refused"
    assert result.plan_id not in (None, plan_id)
    assert world.shown() == before


@pytest.mark.rule("MI-3")
def test_confirmation_does_not_outlive_the_run_that_it_was_for(world: World) -> None:
    mirror(world)
    world.clock.advance(2 * 86400)
    world.erp_seen = MemoryErp(world.clock)
    plan_id = world.run("invoices").plan_id
    assert plan_id is not None
    world.confirm(plan_id)
    world.run("invoices")
    world.erp_seen = None
    world.clock.advance(2 * 86400)
    mirror(world)

    world.erp_seen = MemoryErp(world.clock)
    world.clock.advance(2 * 86400)
    assert world.run("invoices").outcome == "refused"


@pytest.mark.rule("MI-3")
def test_plan_that_was_refused_is_history_once_the_source_is_back(world: World) -> None:
    mirror(world)
    world.clock.advance(2 * 86400)
    world.erp_seen = MemoryErp(world.clock)
    assert world.run("invoices").outcome == "refused"
    world.erp_seen = None
    assert world.run("invoices").outcome == "ok"
    with world.state.transaction() as state:
        assert not state.plans.open()


@pytest.mark.rule("MI-3", "OP-2")
def test_run_for_one_customer_does_not_withdraw_what_waits_for_a_confirmation(
    world: World,
) -> None:
    mirror(world)
    world.clock.advance(2 * 86400)
    world.erp_seen = MemoryErp(world.clock)
    plan_id = world.run("invoices").plan_id
    world.erp_seen = None
    world.run("invoices", customer=HARBOUR.value)
    with world.state.transaction() as state:
        assert [held.plan_id for held in state.plans.open()] == [plan_id]


@pytest.mark.rule("MI-3")
def test_too_large_a_share_of_removals_is_refused_and_a_small_one_is_not(world: World) -> None:
    many_invoices(world, 20)
    guarded(world)
    mirror(world)
    world.clock.advance(2 * 86400)
    for each in range(4):
        world.erp.remove_invoice(HARBOUR, InvoiceNumber(f"INV-{each}"))
    assert world.run("invoices").counts["removed"] == 4

    for each in range(4, 9):
        world.erp.remove_invoice(HARBOUR, InvoiceNumber(f"INV-{each}"))
    world.clock.advance(2 * 86400)
    result = world.run("invoices")
    assert result.outcome == "refused"
    assert "5 of 18 shown would disappear" in result.message
    assert len(world.store.shown_invoices([HARBOUR, MILL])) == 18


@pytest.mark.rule("MI-3")
def test_few_removals_are_always_believed(world: World) -> None:
    mirror(world)
    world.erp.remove_ship_to(HARBOUR, a.SHIP_TO)
    world.erp.remove_bill_to(HARBOUR, a.BILL_TO)
    world.clock.advance(2 * 86400)
    assert world.run("ship_tos").counts["removed"] == 2


@pytest.mark.rule("MI-3")
@pytest.mark.parametrize("factor, believed", [("1.4", True), ("1.6", False), ("0.4", False)])
def test_prices_that_move_too_far_all_at_once_are_refused(
    world: World, factor: str, believed: bool
) -> None:
    skus = [Sku(f"ITEM-{number}") for number in range(5)]
    for sku in skus:
        world.erp.set_price(a.a_price("10.0000", sku=sku))
    guarded(world)
    mirror(world)
    before = dict(world.store.prices)
    for sku in skus:
        world.erp.set_price(a.a_price(str(Decimal("10.0000") * Decimal(factor)), sku=sku))
    result = world.run("prices")

    if believed:
        assert (result.outcome, result.counts["changed"]) == ("ok", 5)
        return
    assert result.outcome == "refused"
    assert "5 of 9 prices would move by 50" in result.message
    assert dict(world.store.prices) == before
    assert result.plan_id is not None
    world.confirm(result.plan_id)
    assert world.run("prices").counts["changed"] == 5


@pytest.mark.rule("MI-3")
def test_prices_that_all_turn_into_call_for_pricing_are_refused(world: World) -> None:
    for number in range(5):
        world.erp.set_price(a.a_price("10.0000", sku=Sku(f"ITEM-{number}")))
    guarded(world)
    mirror(world)
    for number in range(5):
        world.erp.set_price(a.a_price("0.0000", sku=Sku(f"ITEM-{number}")))
    assert world.run("prices").outcome == "refused"


@pytest.mark.rule("MI-3", "OP-1")
def test_refused_mirror_does_not_keep_orders_and_other_mirrors_from_running(world: World) -> None:
    many_invoices(world)
    guarded(world)
    mirror(world)
    for each in range(10):
        world.erp.remove_invoice(HARBOUR, InvoiceNumber(f"INV-{each}"))
    world.erp.add_ship_to(a.a_ship_to(ship_to_id=ShipToId("YARD")))
    world.clock.advance(2 * 86400)
    results = {result.flow: result for result in world.cycle()}
    assert results.pop("invoices").outcome == "refused"
    assert {result.outcome for result in results.values()} == {"ok"}
    assert results["ship_tos"].counts["added"] == 1


@pytest.mark.rule("MI-3")
def test_refused_plan_moves_no_watermark(world: World) -> None:
    many_invoices(world)
    guarded(world)
    mirror(world)
    with world.state.transaction() as state:
        before = state.watermarks.get("invoices")
    for each in range(10):
        world.erp.remove_invoice(HARBOUR, InvoiceNumber(f"INV-{each}"))
    world.clock.advance(7200)
    result = world.run("invoices")
    assert result.outcome == "refused"
    with world.state.transaction() as state:
        assert state.watermarks.get("invoices") == before

    assert result.plan_id is not None
    world.confirm(result.plan_id)
    assert world.run("invoices", confirm_plan=result.plan_id).counts["removed"] == 10


@pytest.mark.rule("MI-3", "OP-2")
def test_rehearsal_tells_that_the_guard_rails_would_refuse_and_holds_nothing(world: World) -> None:
    mirror(world)
    world.clock.advance(2 * 86400)
    world.erp_seen = MemoryErp(world.clock)
    result = world.run("invoices", dry_run=True)
    assert any("would refuse" in remark for remark in result.remarks)
    assert result.outcome == "refused"
    with world.state.transaction() as state:
        assert not state.plans.open()


# What privacy demands is never held back.


@pytest.mark.rule("WA-8", "WA-3a", "MI-3")
@pytest.mark.parametrize("flow", MIRRORS)
def test_account_that_becomes_a_retail_group_is_withdrawn_even_where_the_rest_is_refused(
    world: World, flow: str
) -> None:
    mirror(world)
    groups = (RetailGroup(RETAIL, ("EUR",)), RetailGroup(HARBOUR, ("EUR",), frozenset({"NL"})))
    channels = {**world.mapping.channels, a.CHANNEL: a_channel(retail_groups=groups)}
    world.remap(channels=channels)
    world.erp_seen = MemoryErp(world.clock)  # and now the ERP answers empty, too
    result = world.run(flow)

    assert result.outcome == "refused"
    assert result.counts["withdrawn"] == 1
    assert HARBOUR not in set(world.store.shown_customer_ids())
    assert MILL in set(world.store.shown_customer_ids())


@pytest.mark.rule("WA-8", "WA-2b")
def test_retail_group_is_withdrawn_although_files_and_store_still_name_it(world: World) -> None:
    world.erp.add_invoice(a.an_invoice(sold_to=RETAIL, number=InvoiceNumber("INV-7002")))
    world.erp.add_ship_to(a.a_ship_to(sold_to=RETAIL, ship_to_id=ShipToId("CELLAR")))
    world.erp.set_price(a.a_price("8.0000", scope=PriceScope.account(RETAIL)))
    wrong = Assignment(RETAIL, user=a.WEB_USER, origin="customers.csv:9")
    world.remap(assignments=(*ASSIGNMENTS, wrong))
    world.store.add_organisation(a.an_organisation(staff_customer_id=RETAIL.value))
    world.store.add_user(a.a_web_user(staff_customer_id=RETAIL.value))
    for _ in range(2):
        world.cycle()
        world.clock.advance(86400)

    assert RETAIL not in set(world.store.shown_customer_ids())
    assert not world.store.shown_invoices([RETAIL])
    assert not world.store.shown_ship_tos([RETAIL])
    assert not world.store.shown_accounts([RETAIL])
    audiences = {key.audience for key in world.store.prices}
    assert a.account_audience(RETAIL) not in audiences


@pytest.mark.rule("WA-8", "OP-2")
def test_withdrawal_of_a_retail_group_is_told_by_a_rehearsal_and_not_done(world: World) -> None:
    mirror(world)
    groups = (RetailGroup(RETAIL, ("EUR",)), RetailGroup(HARBOUR, ("EUR",), frozenset({"NL"})))
    world.remap(channels={**world.mapping.channels, a.CHANNEL: a_channel(retail_groups=groups)})
    before = world.shown()
    result = world.run("invoices", dry_run=True)
    assert any("is a retail group" in remark for remark in result.remarks)
    assert world.shown() == before


def test_world_is_whole_again_when_the_erp_is(world: World) -> None:
    mirror(world)
    before = world.shown()
    world.clock.advance(2 * 86400)
    world.erp_seen = MemoryErp(world.clock)
    assert [result.outcome for result in mirror(world)] == ["refused"] * len(MIRRORS)
    whole = MemoryErp(world.clock)
    fill_erp(whole)
    world.erp_seen = whole
    assert [result.outcome for result in mirror(world)] == ["ok"] * len(MIRRORS)
    assert world.shown() == before
