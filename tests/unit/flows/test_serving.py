"""What two systems cannot serve is told beforehand, and what does nothing is no failure."""

from __future__ import annotations

from typing import Any

import pytest

from sync.domain.ids import StoreId
from sync.errors import Misconfigured
from sync.flows.context import needs
from sync.flows.cycle import FLOWS
from sync.flows.narrowing import flows_of
from sync.flows.serving import NEEDS, given_up, serving_findings
from sync.ports import erp as erp_port
from sync.ports.erp import FindingLevel
from sync.ports.state import ResyncScope
from sync.ports.store import MirrorsInvoices
from sync.testing.clock import ManualClock
from sync.testing.erp import MEMORY_CAPABILITIES, MemoryErp
from sync.testing.store import MemoryStore


class Bare:
    """A system that can do nothing but be there."""

    capabilities = MEMORY_CAPABILITIES
    store_id = StoreId("shop")

    def check(self) -> list[Any]:
        return []

    def close(self) -> None: ...


def test_every_flow_says_what_it_needs() -> None:
    assert list(NEEDS) == list(FLOWS)


def test_systems_that_can_do_everything_serve_every_flow() -> None:
    erp: Any = MemoryErp(ManualClock(), MEMORY_CAPABILITIES)
    store: Any = MemoryStore(clock=ManualClock())
    assert list(serving_findings(erp, store)) == []


@pytest.mark.rule("OP-3")
def test_a_flow_that_would_fail_is_a_warning_and_one_that_does_nothing_is_named() -> None:
    bare: Any = Bare()
    store: Any = MemoryStore(clock=ManualClock())
    found = {each.subject: each for each in serving_findings(bare, store)}
    needed = {flow for flow, needs in NEEDS.items() if needs.erp and not needs.optional}
    assert found.keys() == {*needed, "optional flows"}
    assert all(found[flow].level is FindingLevel.WARNING for flow in needed)
    assert "the ERP's adapter does not read invoices" in found["invoices"].message
    needed_by_orders = "does not read accounts or read ship tos or read items or find orders or"
    assert needed_by_orders in found["orders"].message
    idle = found["optional flows"]
    assert idle.level is FindingLevel.OK
    assert "customer_parts (the ERP's adapter does not read customer parts)" in idle.message
    assert "registrations" not in idle.message


class Written(Bare):
    """An ERP whose profile has nothing yet."""

    written_as = {name: f"the_{name.lower()}" for name in vars(erp_port)}  # noqa: RUF012


@pytest.mark.rule("OP-3")
def test_who_writes_a_profile_is_told_its_statements() -> None:
    bare: Any = Written()
    store: Any = MemoryStore(clock=ManualClock())
    found = {each.subject: each.message for each in serving_findings(bare, store)}
    assert "the ERP's profile lacks the statement the_readsinvoices" in found["invoices"]
    assert "lacks the statements the_readsaccounts, the_readsshiptos," in found["orders"]
    assert "customer_parts (the ERP's profile lacks the statement the_" in found["optional flows"]
    assert "Reads" not in "".join(found.values())
    with pytest.raises(Misconfigured, match="the ERP's profile lacks the statement the_readsinv"):
        needs(bare, erp_port.ReadsInvoices, "the ERP")
    with pytest.raises(Misconfigured, match="the store's adapter does not mirror invoices"):
        needs(bare, MirrorsInvoices, "the store")


@pytest.mark.rule("OP-3")
def test_the_way_out_is_that_of_the_system_which_lacks_something() -> None:
    bare: Any = Bare()
    erp: Any = MemoryErp(ManualClock(), MEMORY_CAPABILITIES)
    store: Any = MemoryStore(clock=ManualClock())

    def remedies(erp: Any, store: Any) -> dict[str, str]:
        return {each.subject: each.remedy for each in serving_findings(erp, store) if each.remedy}

    of_erp, of_store, of_both = remedies(bare, store), remedies(erp, bare), remedies(bare, bare)
    assert of_erp.keys() == of_store.keys() == of_both.keys()
    for flow in of_erp:
        assert "profile" in of_erp[flow]
        assert "store" not in of_erp[flow]
        assert "take a store whose adapter can do this" in of_store[flow]
        assert "profile" not in of_store[flow]
        assert "profile" in of_both[flow]
        assert "take a store" in of_both[flow]
        for told in (of_erp[flow], of_store[flow], of_both[flow]):
            assert f'off = ["{flow}"]' in told


@pytest.mark.rule("OP-3")
def test_what_is_off_is_given_up_only_where_it_would_fail() -> None:
    bare: Any = Bare()
    erp: Any = MemoryErp(ManualClock(), MEMORY_CAPABILITIES)
    store: Any = MemoryStore(clock=ManualClock())
    off = ["prices", "invoices", "documents"]
    assert given_up(bare, store, off) == ["prices", "invoices"]
    assert given_up(bare, store, ()) == []
    assert given_up(erp, store, off) == []
    found = {each.subject: each for each in serving_findings(bare, store, off)}
    levels = {flow: found[flow].level for flow in ("prices", "invoices", "ship_tos")}
    ok, warning = FindingLevel.OK, FindingLevel.WARNING
    assert levels == {"prices": ok, "invoices": ok, "ship_tos": warning}
    assert not found["prices"].remedy
    assert "documents" in found["optional flows"].message


@pytest.mark.rule("OP-2")
def test_nothing_that_is_left_of_all_flows_is_no_run_of_everything() -> None:
    flows = ["prices", "invoices"]
    scope = ResyncScope(customer="000101")
    assert flows_of("all", flows, scope, without=["invoices"]) == ["prices"]
    assert flows_of("invoices", flows, scope, without=["invoices"]) == ["invoices"]
    with pytest.raises(Misconfigured, match="prices, invoices cannot be served, and is off"):
        flows_of("all", flows, scope, without=flows)
