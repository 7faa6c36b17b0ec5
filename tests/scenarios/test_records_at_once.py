"""However many records accounts have, no more of them are read at once than fit (MI-2)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pytest

from sync.domain.ids import CustomerId, InvoiceNumber, OrganisationId, ShipToId
from sync.domain.mapping import Assignment
from sync.flows import pacing
from sync.testing import builders as a
from tests.scenarios.world import ASSIGNMENTS, MakeWorld, World

ACCOUNTS = [CustomerId(f"C-{number:03}") for number in range(40)]
EACH = 12
RECORDS = 60

READS = {"ship_tos": "ship_tos", "invoices": "invoices", "account_orders": "account_orders"}
SHOWN = {
    "ship_tos": "shown_ship_tos",
    "invoices": "shown_invoices",
    "account_orders": "shown_account_orders",
}


@pytest.fixture
def world(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(pacing, "RECORDS", RECORDS)
    monkeypatch.setattr(pacing, "FIRST", 2)
    made = make_world()
    given = []
    for each in ACCOUNTS:
        organisation = OrganisationId(f"org-{each}")
        given.append(Assignment(each, organisation=organisation))
        made.store.add_organisation(a.an_organisation(organisation=organisation))
        made.erp.add_account(a.an_account(customer_id=each))
        for number in range(EACH):
            name = f"{each}-{number}"
            made.erp.add_ship_to(a.a_ship_to(sold_to=each, ship_to_id=ShipToId(name)))
            made.erp.add_invoice(a.an_invoice(sold_to=each, number=InvoiceNumber(name)))
            made.erp.set_account_order(a.an_account_order(name, sold_to=each))
    made.remap(assignments=(*ASSIGNMENTS, *given))
    return made


@pytest.mark.rule("MI-2", "MI-1")
@pytest.mark.parametrize("flow", READS)
def test_no_more_records_are_read_at_once_than_fit(
    world: World, monkeypatch: pytest.MonkeyPatch, flow: str
) -> None:
    most = []
    for system, name in ((world.erp, READS[flow]), (world.store, SHOWN[flow])):
        real = getattr(system, name)

        def counted(ids: Collection[CustomerId], real: Any = real) -> Any:
            found = real(ids)
            most.append(len(found))
            return found

        monkeypatch.setattr(system, name, counted)
    assert world.run("accounts").outcome == "ok"
    for writes in (len(ACCOUNTS) * EACH, 0):
        assert world.run(flow).writes >= writes
    assert max(most) <= RECORDS
    assert world.run(flow).writes == 0
    shown = getattr(world.store, SHOWN[flow])(ACCOUNTS)
    assert len(shown) == len(ACCOUNTS) * EACH


@pytest.mark.rule("MI-2", "MI-1")
@pytest.mark.parametrize("flow", ["ship_tos", "invoices"])
def test_one_changed_record_is_one_written_record(world: World, flow: str) -> None:
    world.run("accounts")
    world.run(flow)
    name = f"{ACCOUNTS[7]}-3"
    changed = a.an_address(lines=("Pier 9",))
    world.erp.add_ship_to(
        a.a_ship_to(sold_to=ACCOUNTS[7], ship_to_id=ShipToId(name), address=changed)
    )
    world.erp.add_invoice(
        a.an_invoice(sold_to=ACCOUNTS[7], number=InvoiceNumber(name), open_amount=a.money("0.01"))
    )
    world.clock.advance(3600)
    result = world.run(flow, everything=True)
    assert (result.counts["changed"], result.writes) == (1, 1)
