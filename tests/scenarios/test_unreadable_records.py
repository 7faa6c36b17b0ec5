"""Rows that the ERP holds and nobody can read: they have not vanished."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

import pytest

from sync.domain.account import Account, Item, Location, ShipTo
from sync.domain.ids import (
    CustomerId,
    IdempotencyKey,
    InvoiceNumber,
    LocationId,
    ShipToId,
    Sku,
)
from sync.domain.invoice import Invoice
from sync.domain.pricing import DEFAULT_LIST, Price, PriceScope
from sync.domain.sales_order import OrderStatus
from sync.mapping_check import mapping_findings
from sync.ports.erp import UnreadableRecord
from sync.testing import builders as a
from sync.testing.clock import ManualClock
from sync.testing.erp import MemoryErp
from tests.scenarios.world import (
    ASSIGNMENTS,
    DOCK,
    HARBOUR,
    MILL,
    RETAIL,
    MakeWorld,
    World,
    fill_erp,
    harbour_order,
    order_id,
)

DAY = 86400.0


class ErpWithOddRows(MemoryErp):
    """It leaves out what ``odd`` names, and says so, as an SQL adapter does.

    ``nameless``: it cannot even tell to which account such a row belongs.
    """

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.odd: set[str] = set()
        self.nameless = False
        self._left_out: list[UnreadableRecord] = []

    def take_unreadable(self) -> Sequence[UnreadableRecord]:
        held, self._left_out = self._left_out, []
        return held

    def accounts(self, customer_ids: Collection[CustomerId]) -> Mapping[CustomerId, Account]:
        found = super().accounts(customer_ids)
        return {
            key: account
            for key, account in found.items()
            if self._readable("accounts", key.value, key)
        }

    def locations(self, customer_ids: Collection[CustomerId]) -> Sequence[Location]:
        found = super().locations(customer_ids)
        return [e for e in found if self._readable("locations", e.location_id.value, e.sold_to)]

    def ship_tos(self, customer_ids: Collection[CustomerId]) -> Sequence[ShipTo]:
        found = super().ship_tos(customer_ids)
        return [e for e in found if self._readable("ship_tos", e.ship_to_id.value, e.sold_to)]

    def items(self, skus: Collection[Sku]) -> Mapping[Sku, Item]:
        found = super().items(skus)
        return {
            sku: item
            for sku, item in found.items()
            if "ITEM" not in self.odd or self._left_out_item(sku)
        }

    def invoices(self, customer_ids: Collection[CustomerId]) -> Sequence[Invoice]:
        found = super().invoices(customer_ids)
        return [e for e in found if self._readable("invoices", e.number.value, e.sold_to)]

    def prices(
        self, scopes: Collection[PriceScope], skus: Collection[Sku] | None = None
    ) -> Iterator[Price]:
        for each in super().prices(scopes, skus):
            owner = each.key.scope.owner
            customer = CustomerId(owner) if owner.startswith("C-") else None
            if self._readable("prices", each.key.sku.value, customer):
                yield each

    def order_statuses(
        self, keys: Collection[IdempotencyKey]
    ) -> Mapping[IdempotencyKey, OrderStatus]:
        found = super().order_statuses(keys)
        return {
            key: status
            for key, status in found.items()
            if self._readable("order_status", key.value, None)
        }

    def _left_out_item(self, sku: Sku) -> bool:
        self._left_out.append(UnreadableRecord("items", sku.value, "amount", "is no number"))
        return False

    def _readable(self, source: str, key: str, customer: CustomerId | None) -> bool:
        if key not in self.odd:
            return True
        owner = None if self.nameless else customer
        self._left_out.append(UnreadableRecord(source, key, "amount", "is no number", owner))
        return False


MakeOdd = Callable[..., World]


@pytest.fixture
def odd_world(make_world: MakeWorld) -> World:
    clock = ManualClock()
    erp = ErpWithOddRows(clock)
    fill_erp(erp)
    erp.add_location(a.a_location())
    erp.set_price(a.a_price("5.0000", scope=PriceScope.location(LocationId("SITE-1"))))
    erp.set_price(a.a_price("4.0000", scope=PriceScope.group("GOLD")))
    world = make_world(clock=clock, erp=erp)
    world.cycle()
    clock.advance(2 * DAY)
    return world


def erp_of(world: World) -> ErpWithOddRows:
    assert isinstance(world.erp, ErpWithOddRows)
    return world.erp


@pytest.mark.rule("MI-1", "MI-3")
@pytest.mark.parametrize("nameless", [False, True])
@pytest.mark.parametrize(
    "key",
    ["C-1001", "RETAIL-EU", "SITE-1", "MAIN", "INV-5001", "BOLT-M8"],
    ids=["account", "retail account", "location", "ship-to", "invoice", "price"],
)
def test_what_cannot_be_read_stays_shown_as_it_is(
    odd_world: World, key: str, nameless: bool
) -> None:
    before = odd_world.shown()
    erp_of(odd_world).odd.add(key)
    erp_of(odd_world).nameless = nameless
    results = odd_world.cycle()

    assert odd_world.shown() == before
    assert {result.outcome for result in results} == {"ok"}
    assert sum(result.counts.get("unreadable", 0) for result in results) > 0
    assert any(key in remark for result in results for remark in result.remarks)


@pytest.mark.rule("OI-2", "WA-2c")
@pytest.mark.parametrize(
    "odd, code, said",
    [
        ("C-1001", "customer_unknown", "The ERP's customer C-1001 cannot be read: accounts C-1001"),
        ("ITEM", "item_unknown", "The ERP's item BOLT-M8 (line 1) cannot be read: items BOLT-M8"),
    ],
)
def test_order_of_what_cannot_be_read_is_held_and_says_so_until_it_can(
    odd_world: World, odd: str, code: str, said: str
) -> None:
    erp_of(odd_world).odd.add(odd)
    odd_world.store.place_order(harbour_order())
    odd_world.import_orders()

    [problem] = odd_world.entry().problems
    assert problem.code == code
    assert problem.sentence == f"{said}: amount is no number."
    assert odd_world.in_erp() == []

    erp_of(odd_world).odd.clear()
    odd_world.replay()
    odd_world.import_orders()
    assert len(odd_world.in_erp()) == 1


@pytest.mark.rule("MI-1")
def test_sound_rows_of_the_same_account_are_mirrored_on(odd_world: World) -> None:
    erp_of(odd_world).odd |= {DOCK.value, "INV-5001"}
    odd_world.erp.add_ship_to(a.a_ship_to(ship_to_id=ShipToId("YARD")))
    odd_world.erp.add_invoice(a.an_invoice(number=InvoiceNumber("INV-5002")))
    odd_world.cycle()
    assert set(odd_world.store.shown_ship_tos([HARBOUR])) == {
        (HARBOUR, DOCK),
        (HARBOUR, ShipToId("YARD")),
    }
    assert len(odd_world.store.shown_invoices([HARBOUR])) == 2


@pytest.mark.rule("MI-1")
def test_other_accounts_lose_what_has_really_vanished(odd_world: World) -> None:
    erp_of(odd_world).odd.add("INV-5001")
    odd_world.erp.remove_invoice(MILL, InvoiceNumber("INV-6001"))
    odd_world.cycle()
    assert not odd_world.store.shown_invoices([MILL])
    assert odd_world.store.shown_invoices([HARBOUR])


@pytest.mark.rule("MI-1")
def test_account_with_an_unreadable_location_is_updated_in_everything_else(
    odd_world: World,
) -> None:
    erp_of(odd_world).odd.add("SITE-1")
    odd_world.erp.change_account(HARBOUR, terms="NET60")
    odd_world.cycle()
    shown = odd_world.store.shown_accounts([HARBOUR])[HARBOUR]
    assert shown.terms == "NET60"
    assert [each.location_id.value for each in shown.locations] == ["SITE-1"]


@pytest.mark.rule("MI-1", "WA-6")
def test_prices_are_withdrawn_once_it_is_certain_that_they_are_gone(odd_world: World) -> None:
    erp_of(odd_world).odd.add("BOLT-M8")
    odd_world.run("prices")
    erp_of(odd_world).odd.clear()
    odd_world.erp.remove_price(a.a_price_key(scope=DEFAULT_LIST, price_list="BASE"))
    odd_world.run("prices")
    assert DEFAULT_LIST not in {key.key.scope for key in odd_world.store.prices}


@pytest.mark.rule("WA-8")
def test_unreadable_row_protects_nothing_of_a_retail_group(odd_world: World) -> None:
    erp_of(odd_world).odd.add("INV-7001")
    odd_world.cycle()
    assert RETAIL not in set(odd_world.store.shown_customer_ids())


@pytest.mark.rule("MI-1", "WA-6", "WA-8")
def test_account_that_nobody_is_mapped_to_any_more_is_withdrawn_all_the_same(
    odd_world: World,
) -> None:
    erp_of(odd_world).odd |= {"C-1001", "INV-5001", "MAIN", "SITE-1", "BOLT-M8"}
    erp_of(odd_world).nameless = True
    odd_world.remap(assignments=ASSIGNMENTS[1:])
    odd_world.cycle()
    shown = odd_world.shown()
    assert set(shown["accounts"]) == {MILL}
    assert not odd_world.store.shown_invoices([HARBOUR])
    assert not odd_world.store.shown_ship_tos([HARBOUR])
    assert a.account_audience(HARBOUR) not in {key.audience for key in shown["prices"]}


@pytest.mark.rule("WA-2c", "OI-2")
def test_order_under_an_account_that_cannot_be_read_is_not_imported(odd_world: World) -> None:
    erp_of(odd_world).odd.add("C-1001")
    odd_world.store.place_order(harbour_order())
    odd_world.import_orders()
    assert not odd_world.erp.orders
    erp_of(odd_world).odd.clear()
    with odd_world.state.transaction() as state:
        state.ledger.replay(order_id(1), "ann", "corrected", odd_world.clock.now())
    odd_world.clock.advance(3600)
    odd_world.import_orders()
    assert len(odd_world.in_erp()) == 1


@pytest.mark.rule("OI-3")
def test_status_that_cannot_be_read_is_not_an_order_that_is_gone(odd_world: World) -> None:
    odd_world.store.place_order(harbour_order())
    odd_world.import_orders()
    erp_of(odd_world).odd.add(odd_world.entry().key.value)

    result = odd_world.run("order_status")

    assert result.counts["unreadable"] == 1
    assert "not_in_erp" not in result.counts
    [remark] = result.remarks
    assert "amount is no number" in remark


@pytest.mark.rule("WA-2c", "OP-4")
def test_mapping_check_tells_an_account_that_cannot_be_read_from_one_that_is_not_there(
    odd_world: World,
) -> None:
    erp_of(odd_world).odd.add("C-1001")
    erp_of(odd_world).remove_account(MILL)

    told = {each.subject: each.message for each in mapping_findings(odd_world.context())}

    assert told[f"customer {MILL}"] == "the ERP has no such customer"
    assert "cannot be read: accounts C-1001: amount is no number" in told["customer C-1001"]
