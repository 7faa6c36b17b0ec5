"""Balances, credit limits and ageing come into the store, to the account's own buyers (MI-6)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import pytest

from sync.domain.balance import FigureSource
from sync.domain.channel import RetailGroup
from sync.domain.ids import CustomerId, InvoiceNumber
from sync.domain.invoice import DueDate, Invoice
from sync.flows.cycle import run_flow
from sync.ports.erp import UnreadableRecord
from sync.testing import builders as a
from sync.testing.clock import ManualClock
from sync.testing.erp import MemoryErp
from sync.testing.store import MemoryStore
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
)

DAY = 86400.0


def without(port: object, *names: str) -> Any:
    """The port as a system shows it that lacks these methods."""

    def told(name: str) -> property:
        return property(lambda self: getattr(port, name))

    shown = {each for each in dir(type(port)) if not each.startswith("_")} - set(names)
    return type("Hiding", (), {each: told(each) for each in shown})()


@pytest.mark.rule("MI-6")
def test_each_account_is_shown_what_it_owes_and_a_retail_group_nothing(world: World) -> None:
    result = world.run("balances")

    assert (result.outcome, result.counts["added"]) == ("ok", 2)
    shown = world.store.shown_balances([HARBOUR, MILL, RETAIL])
    assert shown[HARBOUR, "EUR"] == a.a_balance()
    made = shown[MILL, "EUR"].ageing
    assert made is not None
    assert (made.source, made.total) == (FigureSource.INVOICES, a.money("121.00"))
    assert {owner for owner, _ in shown} == {HARBOUR, MILL}


@pytest.mark.rule("MI-6", "MI-2")
def test_what_changed_is_written_and_nothing_else(world: World) -> None:
    world.run("balances")
    writes = world.store.writes
    world.erp.set_balance(a.a_balance("0.00", credit_limit=a.money("9000.00")))
    result = world.run("balances")

    assert (result.counts["changed"], world.store.writes) == (1, writes + 1)
    assert world.store.shown_balances([HARBOUR])[HARBOUR, "EUR"].balance == a.money("0.00")
    world.erp.remove_balance(HARBOUR, "EUR")
    assert world.run("balances").counts["removed"] == 1
    assert not world.store.shown_balances([HARBOUR])


@pytest.mark.rule("MI-6")
def test_what_is_unpaid_grows_older_by_the_calendar_alone(world: World) -> None:
    today = world.context().today()
    due = DueDate(today, a.money("121.00"))
    world.erp.add_invoice(a.an_invoice(sold_to=MILL, number=InvoiceNumber("INV-6001"), dues=(due,)))

    def overdue() -> list[str]:
        world.run("balances")
        ageing = world.store.shown_balances([MILL])[MILL, "EUR"].ageing
        assert ageing is not None
        return [str(each.from_days) for each in ageing.buckets if each.amount.amount]

    assert overdue() == ["None"]
    world.clock.advance(DAY)
    assert overdue() == ["1"]
    writes = world.store.writes
    world.clock.advance(DAY)
    assert overdue() == ["1"]
    assert world.store.writes == writes
    world.clock.advance(120 * DAY)
    assert overdue() == ["91"]


@pytest.mark.rule("MI-6", "WA-8")
@pytest.mark.parametrize("flow", ["accounts", "balances"])
def test_account_that_becomes_a_retail_group_shows_its_balance_no_longer(
    world: World, flow: str
) -> None:
    world.cycle()
    groups = (*a_channel().retail_groups, RetailGroup(HARBOUR, ("EUR",), frozenset({"BE"})))
    channels = {**world.mapping.channels, WEB: a_channel(retail_groups=groups)}
    world.remap(channels=channels, assignments=ASSIGNMENTS[1:])
    world.run(flow)
    assert not world.store.shown_balances([HARBOUR])
    assert world.store.shown_balances([MILL])


@pytest.mark.rule("MI-6", "MI-1")
def test_account_that_nobody_is_mapped_to_any_more_loses_its_balance(world: World) -> None:
    world.run("balances")
    world.remap(assignments=ASSIGNMENTS[:1])
    assert world.run("balances").counts["removed"] == 1
    assert not world.store.shown_balances([MILL])


@pytest.mark.rule("MI-6")
def test_erp_that_tells_no_balances_is_answered_for_by_its_open_invoices(
    make_world: MakeWorld,
) -> None:
    world = make_world()
    world.erp_seen = without(world.erp, "balances")
    result = world.run("balances")

    assert (result.outcome, result.counts["added"]) == ("ok", 2)
    shown = world.store.shown_balances([HARBOUR])[HARBOUR, "EUR"]
    assert (shown.balance, shown.credit_limit, shown.source) == (
        a.money("121.00"),
        None,
        FigureSource.INVOICES,
    )


@pytest.mark.rule("MI-6", "MI-3")
def test_erp_that_can_tell_neither_empties_no_store(make_world: MakeWorld) -> None:
    world = make_world()
    world.run("balances")
    world.erp_seen = without(world.erp, "balances", "invoices")
    assert world.run("balances").outcome == "refused"
    assert len(world.store.shown_balances([HARBOUR, MILL])) == 2


@pytest.mark.rule("MI-6")
def test_store_without_a_place_for_balances_is_left_alone_and_told_so(world: World) -> None:
    context = world.context()
    store = without(world.store, "shown_balances", "apply_balances")
    result = run_flow(replace(context, store=store), "balances")

    assert (result.outcome, result.writes) == ("ok", 0)
    assert "no place for balances" in result.remarks[-1]


class HalfReadable(MemoryErp):
    """One invoice of Mill Tools cannot be read any more."""

    odd = False

    def invoices(self, customer_ids: Collection[CustomerId]) -> Sequence[Invoice]:
        found = super().invoices(customer_ids)
        return [each for each in found if not self.odd or each.number.value != "INV-6001"]

    def take_unreadable(self) -> Sequence[UnreadableRecord]:
        record = UnreadableRecord("invoices", "INV-6001", "total", "is no number", MILL)
        return (record,) if self.odd else ()


@pytest.mark.rule("MI-6", "MI-1")
def test_ageing_is_not_made_without_an_invoice_that_could_not_be_read(
    make_world: MakeWorld,
) -> None:
    clock = ManualClock()
    erp = HalfReadable(clock)
    fill_erp(erp)
    erp.add_invoice(a.an_invoice(sold_to=MILL, number=InvoiceNumber("INV-6002")))
    world = make_world(clock=clock, erp=erp)
    world.run("balances")
    before = world.store.shown_balances([HARBOUR, MILL])
    erp.odd = True
    erp.set_balance(a.a_balance("1.00"))
    result = world.run("balances")

    after = world.store.shown_balances([HARBOUR, MILL])
    assert after[MILL, "EUR"] == before[MILL, "EUR"]
    assert after[HARBOUR, "EUR"].balance == a.money("1.00")
    assert result.counts["unreadable"] == 1

    # Into an empty store it is not made at all.
    store = MemoryStore(clock=clock)
    fill_store(store)
    fresh = make_world(clock=clock, erp=erp, store=store)
    fresh.run("balances")
    assert set(store.shown_balances([HARBOUR, MILL])) == {(HARBOUR, "EUR")}


@pytest.mark.rule("MI-6", "OP-2")
def test_run_for_one_customer_is_about_that_customer(world: World) -> None:
    result = world.run("balances", customer=MILL.value, dry_run=True)
    assert result.samples == [f"add {MILL} EUR"]
    world.run("balances", customer=MILL.value)
    assert {owner for owner, _ in world.store.shown_balances([HARBOUR, MILL])} == {MILL}
    assert world.run("balances", customer=RETAIL.value).writes == 0
