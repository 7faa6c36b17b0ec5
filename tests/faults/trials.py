"""Trials on the distributor's sites: each a small world, one run, and the quiet after it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from sync.domain.ids import (
    CustomerId,
    ErpOrderNumber,
    InvoiceNumber,
    OrganisationId,
    PartNumber,
    ShipToId,
    Sku,
)
from sync.domain.mapping import Assignment
from sync.domain.pricing import PriceLevel, PriceScope, PriceValue
from sync.domain.sales_order import ErpOrderState
from sync.domain.views import PublishedPriceKey
from sync.errors import SyncError
from sync.flows.cycle import run_flow
from sync.ports.price_lists import SharedChange
from sync.ports.store import ListLimits, StoreCapabilities
from sync.testing import builders as a
from sync.testing.faults import Crash, Script
from sync.testing.store import MemoryStore
from tests.faults.sites import GROUPS, Distributor, MirrorSite, OrderSite, with_quantities
from tests.scenarios.world import (
    ASSIGNMENTS,
    FUSE,
    HARBOUR,
    MILL,
    guest_order,
    harbour_order,
    mill_order,
)

LATER = 400.0  # longer than a lease, and than an unknown outcome rests
QUIET_RUNS = 2


@dataclass
class FlowTrial:
    """One run of a flow on a site. While a call is late, another process does the same work."""

    site: Distributor
    flow: str
    script: Script = field(init=False)

    def __post_init__(self) -> None:
        self.script = Script(late=self._meanwhile, past=self.site.past)
        self._process: Callable[[str], object] | None = None

    def run(self) -> None:
        self._run(self.flow)

    def recover(self) -> None:
        for _ in range(QUIET_RUNS):
            self.site.clock.advance(LATER)
            self._run(self.flow)
        for flow in self.site.flows:
            if flow != self.flow:
                self._run(flow)

    def violations(self) -> Sequence[str]:
        return self.site.violations()

    def _run(self, flow: str) -> None:
        try:
            if self.script.dead or self._process is None:
                self.script.restart()
                self._process = self.site.start(self.script)
            self._process(flow)
        except Crash:
            self._process = None
        except SyncError:
            pass  # the state was away: the daemon tries again later

    def _meanwhile(self) -> None:
        self.site.clock.advance(LATER)
        run_flow(self.site.context(), self.flow)


# Orders.


@dataclass
class OrderTrial(FlowTrial):
    """An import; whatever happens, nobody may have a reason to look at an order."""

    site: OrderSite
    flow: str = "orders"


def two_orders(**given: object) -> OrderTrial:
    """A company's order and a guest's of two lines."""
    site = OrderSite(**given)  # type: ignore[arg-type]
    site.store.place_order(harbour_order(1))
    site.store.place_order(with_quantities(guest_order(2), (3, 4)))
    site.placed = [
        order.order_id for page in site.store.changed_orders(None) for order in page.orders
    ]
    site.retail = {site.placed[1]}
    return OrderTrial(site)


def a_group(**given: object) -> OrderTrial:
    """The same two, for an ERP that takes them in one transaction."""
    return two_orders(**{**GROUPS, **given})


def one_order(**given: object) -> OrderTrial:
    site = OrderSite(**given)  # type: ignore[arg-type]
    site.store.place_order(with_quantities(mill_order(1), (3, 4)))
    return OrderTrial(site)


def statuses(**given: object) -> OrderTrial:
    """Two orders are in the ERP, which has worked on them."""
    trial = two_orders(**given)
    run_flow(trial.site.context(), "orders")
    for row in trial.site.erp.orders:
        status = a.an_order_status(number=row.number, state=ErpOrderState.SHIPPED)
        trial.site.erp.set_order_status(row.key, status)
    trial.flow = "order_status"
    return trial


# Mirrors.


def mirror(flow: str, *, first: bool, states: Collection[PriceLevel] = ()) -> FlowTrial:
    """Into an empty store, or with something new, something changed and something gone.

    ``states``: the levels of which the ERP says whether prices are the same.
    """
    # With one record a call, a run can break off between any two of them.
    site = MirrorSite(flows=(flow,), store_capabilities=StoreCapabilities("memory", batch=1))
    site.erp.states = states
    site.erp.change_account(MILL, tags=("CLUB", "VIP"))
    if not first:
        run_flow(site.context(), flow)
        news(site)
        # Further back than a change feed is read again.
        site.clock.advance(1200)
    return FlowTrial(site, flow)


class WatchedLists(MemoryStore):
    """A store with lists that remembers what it showed after each call, few entries long."""

    apply_price_rows: Any = None

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.moments: list[Mapping[PublishedPriceKey, PriceValue]] = []

    def apply_prices(self, put: Any, remove: Any) -> None:
        super().apply_prices(put, remove)
        self.moments.append(self.prices)

    def apply_shared_prices(self, change: SharedChange) -> None:
        super().apply_shared_prices(change)
        self.moments.append(self.prices)


MEMBERS = [CustomerId(f"C-{number}") for number in range(11, 23)]
_FIRST, _SECOND, _NEW = MEMBERS[:7], MEMBERS[7:11], MEMBERS[11]


@dataclass
class ListTrial(FlowTrial):
    """A run with lists that accounts share; nobody may see, even for a moment, another price."""

    before: Mapping[PublishedPriceKey, PriceValue] = field(default_factory=dict)

    def violations(self) -> Sequence[str]:
        return [*self._moments(), *self.site.violations()]

    def _moments(self) -> Iterator[str]:
        assert isinstance(self.site.store, WatchedLists)
        wanted = self.site.store.prices
        for shown in self.site.store.moments:
            for key, value in shown.items():
                if value not in (self.before.get(key), wanted.get(key)):
                    yield f"{key.audience} is shown {value.unit_price} for {key.key.sku}"


def price_lists(*, first: bool, entries: int = 4, gaps: bool = False) -> ListTrial:
    """A dozen accounts on two lists: into an empty store, or with news of every kind."""
    lists = ListLimits(entries, gaps=gaps)
    limits = StoreCapabilities("listing", batch=1, price_batch=entries, price_lists=lists)
    site = MirrorSite(flows=("prices",), store_kind=WatchedLists, store_capabilities=limits)
    for member in MEMBERS:
        organisation = OrganisationId(f"org-{member}")
        site.erp.add_account(a.an_account(customer_id=member))
        site.store.add_organisation(a.an_organisation(organisation=organisation))
    map_members(site, MEMBERS)
    for members, amount in ((_FIRST, 10), (_SECOND, 20)):
        for member in members:
            for item in range(3):
                list_price(site, member, item, amount + item)
    list_price(site, _FIRST[1], 0, 15)
    trial = ListTrial(site, "prices")
    if not first:
        run_flow(site.context(), "prices")
        _news_of_lists(site)
        trial.before = site.store.prices
    assert isinstance(site.store, WatchedLists)
    site.store.moments.clear()
    return trial


def map_members(site: Distributor, members: Sequence[CustomerId]) -> None:
    own = (Assignment(each, organisation=OrganisationId(f"org-{each}")) for each in members)
    site.remap(assignments=(*ASSIGNMENTS, *own))


def list_price(site: Distributor, member: CustomerId, item: int, amount: int) -> None:
    scope, sku = PriceScope.account(member), Sku(f"ITEM-{item}")
    site.erp.add_item(a.an_item(sku=sku))
    site.erp.set_price(a.a_price(str(amount), scope=scope, sku=sku))


def no_list_price(site: Distributor, member: CustomerId, item: int) -> None:
    sku = Sku(f"ITEM-{item}")
    site.erp.remove_price(a.a_price_key(scope=PriceScope.account(member), sku=sku))


def _news_of_lists(site: Distributor) -> None:
    """Lists change, with one who keeps a price, one who moves, one who goes, one who comes."""
    for member in _FIRST:
        list_price(site, member, 0, 30)
        list_price(site, member, 3, 33)
        no_list_price(site, member, 1)
    # One keeps what was its own, and what the list loses; one keeps what the list had.
    list_price(site, _FIRST[1], 0, 15)
    list_price(site, _FIRST[1], 1, 11)
    list_price(site, _FIRST[2], 0, 10)
    # One gets another price than the others.
    list_price(site, _FIRST[5], 0, 31)
    # One does not get what the others get, and one goes over to the other list.
    no_list_price(site, _FIRST[4], 3)
    for item in range(3):
        list_price(site, _FIRST[3], item, 20 + item)
    no_list_price(site, _FIRST[3], 3)
    no_list_price(site, _SECOND[1], 2)
    for item in range(3):
        list_price(site, _NEW, item, 20 + item)
    map_members(site, [each for each in MEMBERS if each != _SECOND[3]])


def news(site: Distributor) -> None:
    site.clock.advance(3600)
    site.erp.change_account(HARBOUR, terms="NET60", tags=("CLUB",))
    site.erp.change_account(MILL, tags=("VIP",))
    nobody, club = frozenset[CustomerId](), frozenset({"CLUB"})
    for sku in (FUSE, Sku("CLUB-1")):
        site.erp.add_item(a.an_item(sku=sku, allowed_to=nobody, allowed_tags=club))
    site.erp.add_ship_to(a.a_ship_to(ship_to_id=ShipToId("YARD")))
    site.erp.add_ship_to(a.a_ship_to(address=a.an_address(lines=("Pier 9",))))
    site.erp.remove_bill_to(HARBOUR, a.BILL_TO)
    site.erp.add_invoice(a.an_invoice(number=InvoiceNumber("INV-5002")))
    site.erp.add_invoice(a.an_invoice(open_amount=a.money("0.00"), dues=()))
    site.erp.remove_invoice(MILL, InvoiceNumber("INV-6001"))
    site.erp.set_balance(a.a_balance("60.50"))
    site.erp.set_balance(
        a.a_balance(balance=a.money("1.00", "USD"), credit_limit=None, ageing=None)
    )
    site.erp.remove_balance(MILL, "EUR")
    site.erp.set_availability(a.an_availability("0", next_due=date(2025, 9, 1)))
    site.erp.set_availability(a.an_availability(warehouse="W3"))
    site.erp.remove_availability(a.an_availability(warehouse="W2").key)
    site.erp.add_customer_part(a.a_customer_part(description="Hull bolt"))
    site.erp.add_customer_part(a.a_customer_part(part_number=PartNumber("HH-0043")))
    site.erp.remove_customer_part(a.a_customer_part(sold_to=MILL).key)
    site.erp.set_account_order(a.an_account_order("9004"))
    site.erp.set_account_order(a.an_account_order(state=ErpOrderState.SHIPPED))
    site.erp.remove_account_order(ErpOrderNumber("9002"))
    site.erp.set_price(a.a_price("10.4900"))
    site.erp.set_price(a.a_price("9.4900", min_quantity=Decimal(100)))
    site.erp.remove_price(a.a_price_key(scope=PriceScope.account(MILL)))
