"""The ERP gives a record to another account: the former one's buyers see it no longer."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from sync.domain.account_order import AccountOrder
from sync.domain.document import DocumentKind
from sync.domain.ids import CustomerId, DocumentNumber, ErpOrderNumber, InvoiceNumber
from sync.domain.invoice import Invoice
from sync.errors import TryLater
from sync.flows.cycle import run_flow
from sync.flows.moved import not_found_finding
from sync.ports.erp import Feed, UnreadableRecord
from sync.ports.store import StoreCapabilities
from sync.testing import builders as a
from sync.testing.clock import ManualClock
from sync.testing.erp import MEMORY_CAPABILITIES, MemoryErp
from sync.testing.faults import Crash, Script
from sync.testing.store import MemoryStore
from tests.scenarios.test_balances import without
from tests.scenarios.world import (
    HARBOUR,
    MILL,
    MakeWorld,
    World,
    a_paper,
    fill_erp,
    fill_store,
)

HOUR = 3600.0
MANY = 8
"""Records that both accounts have besides, so that one of them is no drying up."""

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
BILL, ORDER, PAPER = InvoiceNumber("INV-5001"), ErpOrderNumber("9001"), DocumentNumber("D-1")


class HalfReadErp(MemoryErp):
    """``unread``: accounts with some record that cannot be told. ``away``: not to be asked."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.unread: set[CustomerId] = set()
        self.away: set[CustomerId] = set()
        self._left_out: list[UnreadableRecord] = []

    def take_unreadable(self) -> Sequence[UnreadableRecord]:
        held, self._left_out = self._left_out, []
        return held

    def invoices(self, customer_ids: Collection[CustomerId]) -> Sequence[Invoice]:
        self._note(customer_ids)
        return super().invoices(customer_ids)

    def account_orders(self, customer_ids: Collection[CustomerId]) -> Sequence[AccountOrder]:
        self._note(customer_ids)
        return super().account_orders(customer_ids)

    def documents(self, customer_ids: Collection[CustomerId]) -> Sequence[Any]:
        self._note(customer_ids)
        return super().documents(customer_ids)

    def _note(self, customer_ids: Collection[CustomerId]) -> None:
        if self.away & set(customer_ids):
            raise TryLater("the statement took too long")
        for each in sorted(self.unread & set(customer_ids)):
            self._left_out.append(UnreadableRecord("records", "X-1", "amount", "is none", each))


@pytest.fixture
def mirrored(make_world: MakeWorld) -> World:
    """Everything is in the store, and what was entered is no news any more."""
    clock = ManualClock()
    erp = HalfReadErp(clock)
    fill_erp(erp)
    for owner in (HARBOUR, MILL):
        for number in range(MANY):
            name = f"{owner}-{number}"
            erp.add_invoice(a.an_invoice(sold_to=owner, number=InvoiceNumber(name)))
            erp.set_account_order(a.an_account_order(name, sold_to=owner))
    clock.advance(HOUR)
    store = MemoryStore(capabilities=StoreCapabilities(name="memory", batch=1), clock=clock)
    fill_store(store)
    world = make_world(clock=clock, erp=erp, store=store)
    world.cycle()
    clock.advance(HOUR)
    return world


def erp_of(world: World) -> HalfReadErp:
    assert isinstance(world.erp, HalfReadErp)
    return world.erp


def move_bill(world: World, **changes: Any) -> None:
    """To the mill, and the feed names the mill alone."""
    world.erp.remove_invoice(HARBOUR, BILL)
    world.erp.mark_changed(HARBOUR, Feed.INVOICES, LONG_AGO)
    world.erp.add_invoice(a.an_invoice(sold_to=MILL, number=BILL, **changes))


def move_order(world: World) -> None:
    world.erp.set_account_order(a.an_account_order(ORDER.value, sold_to=MILL))
    world.erp.mark_changed(HARBOUR, Feed.ACCOUNT_ORDERS, LONG_AGO)


def move_paper(world: World) -> None:
    world.erp.remove_document((HARBOUR, DocumentKind.INVOICE, PAPER))
    world.erp.add_document(a_paper(MILL, 1))


MOVES: dict[str, Callable[[World], None]] = {
    "invoices": move_bill,
    "account_orders": move_order,
    "documents": move_paper,
}
FLOWS = pytest.mark.parametrize("flow", MOVES)
FED = pytest.mark.parametrize("flow", ["invoices", "account_orders"])


def owners(world: World, flow: str) -> set[CustomerId]:
    """To whom the record that moves is shown."""
    shown: Collection[tuple[Any, ...]] = world.shown()[flow]
    return {key[0] for key in shown if key[-1] in (BILL, ORDER, PAPER)}


@pytest.mark.rule("WA-8", "MI-1", "MI-5")
@FED
def test_what_moved_is_withdrawn_although_the_feed_names_only_the_new_account(
    mirrored: World, flow: str
) -> None:
    MOVES[flow](mirrored)
    result = mirrored.run(flow)

    assert (result.outcome, owners(mirrored, flow)) == ("ok", {MILL})
    mirrored.clock.advance(HOUR)
    assert mirrored.run(flow).writes == 0


@pytest.mark.rule("WA-8", "OP-2", "TL-7")
@FLOWS
def test_what_moved_is_withdrawn_when_a_person_has_the_new_account_looked_at(
    mirrored: World, flow: str
) -> None:
    MOVES[flow](mirrored)
    before = mirrored.shown()
    planned = mirrored.run(flow, customer=MILL.value, dry_run=True)
    assert (planned.counts["would_add"], planned.counts["would_remove"]) == (1, 1)
    assert mirrored.shown() == before

    result = mirrored.run(flow, customer=MILL.value)
    assert (result.counts["added"], result.counts["removed"]) == (1, 1)
    assert owners(mirrored, flow) == {MILL}
    # Nothing else of an account that nobody asked about.
    assert {k for k in before[flow] if k not in mirrored.shown()[flow]} == {
        k for k in before[flow] if k[0] == HARBOUR and k[-1] in (BILL, ORDER, PAPER)
    }


@pytest.mark.rule("WA-8")
@FLOWS
def test_it_is_taken_from_one_before_it_is_shown_to_the_other(mirrored: World, flow: str) -> None:
    MOVES[flow](mirrored)
    mirrored.script = Script().crash_after(f"store.apply_{flow}")
    with pytest.raises(Crash):
        mirrored.run(flow, customer=MILL.value)
    assert owners(mirrored, flow) == set()
    mirrored.new_process()
    mirrored.run(flow, customer=MILL.value)
    assert owners(mirrored, flow) == {MILL}


@pytest.mark.rule("WA-8", "MI-3")
@FLOWS
@pytest.mark.parametrize("narrow", [False, True])
def test_a_record_that_cannot_be_read_does_not_keep_in_sight_what_moved(
    mirrored: World, flow: str, narrow: bool
) -> None:
    MOVES[flow](mirrored)
    erp_of(mirrored).unread.add(HARBOUR)
    before = mirrored.shown()[flow]
    scope: dict[str, Any] = {"customer": MILL.value} if narrow else {"everything": True}
    result = mirrored.run(flow, **scope)

    assert owners(mirrored, flow) == {MILL}
    counts = result.counts
    assert (counts["added"], counts["removed"], counts["moved_away"]) == (1, 1, 1)
    looked_at = {MILL} if narrow else {HARBOUR, MILL}
    stays = sum(key[0] in looked_at and key[-1] not in (BILL, ORDER, PAPER) for key in before)
    assert counts["unchanged"] == stays
    kept = {k for k in before if k[0] == HARBOUR and k[-1] not in (BILL, ORDER, PAPER)}
    assert kept <= set(mirrored.shown()[flow])


@pytest.mark.rule("WA-8", "MI-3")
@FLOWS
@pytest.mark.parametrize("narrow", [False, True])
def test_an_account_that_cannot_be_asked_does_not_keep_in_sight_what_moved(
    mirrored: World, flow: str, narrow: bool
) -> None:
    MOVES[flow](mirrored)
    erp_of(mirrored).away.add(HARBOUR)
    before = mirrored.shown()[flow]
    scope: dict[str, Any] = {"customer": MILL.value} if narrow else {"everything": True}
    mirrored.run(flow, **scope)
    assert owners(mirrored, flow) == {MILL}
    kept = {k for k in before if k[0] == HARBOUR and k[-1] not in (BILL, ORDER, PAPER)}
    assert kept <= set(mirrored.shown()[flow])


@pytest.mark.rule("WA-8", "MI-3")
@pytest.mark.parametrize("former, now", [(HARBOUR, MILL), (MILL, HARBOUR)])
def test_it_does_not_matter_which_of_the_two_is_compared_first(
    mirrored: World, former: CustomerId, now: CustomerId
) -> None:
    mirrored.limits = replace(mirrored.limits, accounts_per_read=1)
    number = InvoiceNumber(f"{former}-0")
    mirrored.erp.remove_invoice(former, number)
    mirrored.erp.add_invoice(a.an_invoice(sold_to=now, number=number))
    erp_of(mirrored).unread.add(former)
    mirrored.run("invoices", everything=True)
    assert {key[0] for key in mirrored.shown()["invoices"] if key[1] == number} == {now}


@pytest.mark.rule("WA-8", "MI-1")
def test_an_account_that_nobody_may_see_any_more_keeps_not_even_what_it_has(
    mirrored: World,
) -> None:
    mirrored.erp.add_invoice(a.an_invoice(sold_to=MILL, number=BILL))
    mirrored.remap(assignments=mirrored.mapping.assignments[1:])
    mirrored.run("invoices", customer=MILL.value)
    assert owners(mirrored, "invoices") == {MILL}


@pytest.mark.rule("MI-3", "WA-8")
def test_moves_beyond_belief_are_held_and_nothing_is_shown_to_anybody_new(
    mirrored: World,
) -> None:
    names = [InvoiceNumber(f"INV-{number}") for number in range(8000, 8030)]
    for name in names:
        mirrored.erp.add_invoice(a.an_invoice(number=name))
    mirrored.run("invoices", everything=True)
    before = mirrored.shown()
    for name in names:
        mirrored.erp.remove_invoice(HARBOUR, name)
        mirrored.erp.add_invoice(a.an_invoice(sold_to=MILL, number=name))
    result = mirrored.run("invoices", customer=MILL.value)
    assert result.outcome == "refused"
    # What the mill had is among those that the moved ones are measured by.
    assert f"{len(names)} of {len(names) + MANY + 1} shown" in result.message
    assert mirrored.shown() == before
    assert result.plan_id is not None
    mirrored.confirm(result.plan_id)
    mirrored.run("invoices", customer=MILL.value)
    assert len(mirrored.store.shown_invoices([HARBOUR])) == MANY + 1


@pytest.mark.rule("WA-8", "MI-6")
@pytest.mark.parametrize("unread", [False, True])
def test_an_invoice_number_that_two_accounts_have_stays_with_both(
    mirrored: World, unread: bool
) -> None:
    mirrored.erp.add_invoice(a.an_invoice(sold_to=MILL, number=BILL, invoiced_on=date(2025, 1, 2)))
    if unread:
        erp_of(mirrored).unread.add(HARBOUR)
    for narrow in ({"customer": MILL.value}, {}, {"everything": True}):
        mirrored.run("invoices", **narrow)
        mirrored.clock.advance(HOUR)
        assert owners(mirrored, "invoices") == {HARBOUR, MILL}


@pytest.mark.rule("WA-8")
def test_a_withdrawal_that_the_store_refused_is_made_good_by_the_next_run(
    mirrored: World,
) -> None:
    move_bill(mirrored)
    shown = mirrored.store.shown_invoices([HARBOUR])[HARBOUR, BILL]
    mirrored.run("invoices", customer=MILL.value)
    # As if it had stayed: the record is not new any more where it came to.
    mirrored.store.apply_invoices([a.an_invoice_view(number=shown.number)], [])
    assert owners(mirrored, "invoices") == {HARBOUR, MILL}
    mirrored.run("invoices", customer=MILL.value)
    assert owners(mirrored, "invoices") == {MILL}


@pytest.mark.rule("MI-1")
def test_a_store_that_cannot_tell_loses_it_when_all_accounts_are_compared(
    mirrored: World,
) -> None:
    move_bill(mirrored)
    bare = without(mirrored.store, "shown_invoice_keys")
    context = replace(mirrored.context(), store=bare)
    run_flow(context, "invoices")
    assert owners(mirrored, "invoices") == {HARBOUR, MILL}
    mirrored.clock.advance(24 * HOUR)
    run_flow(replace(mirrored.context(), store=bare), "invoices")
    assert owners(mirrored, "invoices") == {MILL}


@pytest.mark.rule("WA-8")
def test_check_says_what_it_means_that_a_store_cannot_tell(mirrored: World) -> None:
    assert not_found_finding(mirrored.erp, mirrored.store) is None
    bare = without(mirrored.store, "shown_invoice_keys")
    finding = not_found_finding(mirrored.erp, bare)
    assert finding is not None
    assert "whose invoices it shows" in finding.message
    assert finding.remedy == "After such a move in the ERP: tradesync resync invoices."
    # Without a feed every run compares all accounts.
    whole = MemoryErp(capabilities=replace(MEMORY_CAPABILITIES, change_feeds=frozenset()))
    assert not_found_finding(whole, bare) is None
