"""A distributor's ERP and store in memory, with a state that outlives the process.

Two companies buy on account: Harbour Hardware (C-1001, organisation org-12) and
Mill Tools (C-2002, organisation org-34). Everybody else buys retail, under
RETAIL-EU. What is not said otherwise fits together, so that an order of either
kind goes through.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Engine, text

from sync.domain.channel import Channel, CommerceMode, RetailGroup
from sync.domain.document import DocumentRecord
from sync.domain.ids import (
    ChannelId,
    CustomerId,
    DocumentNumber,
    InvoiceNumber,
    OrganisationId,
    ShipToId,
    Sku,
    WebOrderId,
    WebOrderNumber,
    WebUserId,
)
from sync.domain.mapping import (
    AccountPolicy,
    Assignment,
    CodeTables,
    PaymentKind,
    PaymentMethod,
    SyncMapping,
)
from sync.domain.order import Buyer, Membership, Role, SelectedShipTo, WebOrder
from sync.domain.pricing import DEFAULT_LIST, PriceScope
from sync.flows.context import Context, FlowResult, Limits, Progress, Uploads, silent
from sync.flows.cycle import run_cycle, run_flow
from sync.ports.erp import Erp, ErpCapabilities
from sync.ports.files import HoldsFiles
from sync.ports.state import LedgerEntry, LedgerState, ResyncScope, State
from sync.ports.store import Store
from sync.routing import AccountMap
from sync.state import SqlState
from sync.state.keys import keys_of
from sync.testing import builders as a
from sync.testing.assignments import MemoryAssignments
from sync.testing.clock import ManualClock
from sync.testing.erp import MEMORY_CAPABILITIES, MemoryErp, WrittenRow
from sync.testing.faults import Script, faulty
from sync.testing.files import MemoryFiles
from sync.testing.store import MemoryStore

HARBOUR, MILL, RETAIL = a.ACCOUNT, CustomerId("C-2002"), a.RETAIL_ACCOUNT
HARBOUR_ORG, MILL_ORG = a.ORGANISATION, OrganisationId("org-34")
HARBOUR_BUYER, MILL_BUYER = a.WEB_USER, WebUserId("u-8800")
WEB, TRADE = a.CHANNEL, ChannelId("trade")
DOCK, GATE = a.SHIP_TO, ShipToId("GATE")
FUSE = Sku("FUSE-9")
GASKET = Sku("GASKET-2")

CODES = CodeTables(
    payment_methods={
        "card": PaymentMethod(PaymentKind.CARD, "CARD"),
        "on_account": PaymentMethod(PaymentKind.TERMS, "TERMS"),
        "gift_card": PaymentMethod(PaymentKind.CARD, "GIFT"),
    }
)
ASSIGNMENTS = (
    Assignment(HARBOUR, organisation=HARBOUR_ORG, origin="customers.csv:2"),
    Assignment(MILL, organisation=MILL_ORG, origin="customers.csv:3"),
)


def a_channel(**changes: Any) -> Channel:
    """A hybrid channel with guests, open to everybody."""
    base = Channel(
        channel_id=WEB,
        mode=CommerceMode.HYBRID,
        guest_checkout=True,
        retail_groups=(RetailGroup(RETAIL, ("EUR",)),),
    )
    return dataclasses.replace(base, **changes)


def a_mapping(**changes: Any) -> SyncMapping:
    """Both companies mapped; the second channel is for accounts only."""
    base = SyncMapping(
        version="v1",
        channels={WEB: a_channel(), TRADE: Channel(TRADE, CommerceMode.B2B)},
        assignments=ASSIGNMENTS,
        default_policy=AccountPolicy(custom_ship_to=True),
        codes=CODES,
    )
    return dataclasses.replace(base, **changes)


def order_id(number: int) -> WebOrderId:
    return WebOrderId(f"order-{number}")


def placed_at(number: int) -> datetime:
    """Orders are placed a minute apart, in the order of their numbers."""
    return datetime(2025, 3, 3, 8, number % 60, tzinfo=UTC)


def _named(number: int, changes: dict[str, Any]) -> dict[str, Any]:
    base = {
        "order_id": order_id(number),
        "number": WebOrderNumber(f"W-{number}"),
        "placed_at": placed_at(number),
        "modified_at": placed_at(number),
    }
    return base | changes


def harbour_order(number: int = 1, **changes: Any) -> WebOrder:
    """Harbour Hardware orders on account, to its own dock."""
    return a.a_web_order(**_named(number, changes))


def mill_order(number: int = 1, **changes: Any) -> WebOrder:
    """Mill Tools orders on account, to its own gate."""
    buyer = Buyer(web_user=MILL_BUYER, signed_in=True, organisation=MILL_ORG)
    base = {"buyer": buyer, "ship_to": SelectedShipTo(GATE)}
    return a.a_web_order(**_named(number, base | changes))


def guest_order(number: int = 1, **changes: Any) -> WebOrder:
    """A guest pays by card and has it sent to the address typed at checkout."""
    return a.a_retail_order(**_named(number, changes))


def fill_erp(erp: MemoryErp) -> None:
    erp.add_account(a.an_account(price_groups=("GOLD",)))
    erp.add_account(a.an_account(customer_id=MILL, name="Mill Tools", default_ship_to=GATE))
    erp.add_account(a.a_retail_account())
    erp.add_item(a.an_item())
    erp.add_ship_to(a.a_ship_to())
    erp.add_ship_to(a.a_ship_to(sold_to=MILL, ship_to_id=GATE))
    erp.add_bill_to(a.a_bill_to())
    erp.add_invoice(a.an_invoice())
    erp.add_invoice(a.an_invoice(sold_to=MILL, number=InvoiceNumber("INV-6001")))
    erp.add_invoice(a.an_invoice(sold_to=RETAIL, number=InvoiceNumber("INV-7001")))
    erp.set_balance(a.a_balance())
    erp.set_balance(a.a_balance(sold_to=MILL, ageing=None))
    erp.set_balance(a.a_balance("7001.00", sold_to=RETAIL))
    for ordered, customer in (("9001", HARBOUR), ("9002", MILL), ("9003", RETAIL)):
        erp.set_account_order(a.an_account_order(ordered, sold_to=customer))
    erp.add_customer_part(a.a_customer_part())
    erp.add_customer_part(a.a_customer_part(sold_to=MILL))
    erp.add_customer_part(a.a_customer_part(sold_to=RETAIL))
    for number, owner in enumerate((HARBOUR, MILL, RETAIL), start=1):
        erp.add_document(a_paper(owner, number))
    # One item that everybody may buy, and one each that one of the two alone may.
    erp.add_item(a.an_item(sku=FUSE, allowed_to=frozenset({HARBOUR})))
    erp.add_item(a.an_item(sku=GASKET, allowed_to=frozenset({MILL})))
    for warehouse in ("W1", "W2"):
        erp.set_availability(a.an_availability(warehouse=warehouse))
    erp.set_availability(a.an_availability("3", sku=FUSE))
    erp.set_price(a.a_price("9.9900"))
    erp.set_price(a.a_price("9.9900", scope=PriceScope.account(MILL)))
    erp.set_price(a.a_price("9.9900", scope=DEFAULT_LIST, price_list="BASE"))


def a_paper(owner: CustomerId, number: int, **changes: Any) -> DocumentRecord:
    """An invoice as a file of its own name."""
    named = {"number": DocumentNumber(f"D-{number}"), "place": f"papers/{number}.pdf"}
    return a.a_document_record(**{"sold_to": owner, **named, **changes})


def fill_files() -> MemoryFiles:
    """A file for each document of the ERP."""
    files = MemoryFiles()
    for number in range(1, 4):
        files.put(f"papers/{number}.pdf", a.PDF.replace(b"Catalog", b"Paper %d" % number))
    return files


def fill_store(store: MemoryStore) -> None:
    store.add_organisation(a.an_organisation())
    store.add_organisation(a.an_organisation(organisation=MILL_ORG, name="Mill Tools"))
    store.add_user(a.a_web_user())
    store.add_user(
        a.a_web_user(
            web_user=MILL_BUYER,
            memberships=(Membership(MILL_ORG, Role.ORDER),),
            verified_email="bo@mill.example",
        )
    )


def build_world(
    engine: Engine,
    *,
    clock: ManualClock | None = None,
    erp: MemoryErp | None = None,
    store: MemoryStore | None = None,
    capabilities: ErpCapabilities = MEMORY_CAPABILITIES,
    **given: Any,
) -> World:
    """A world on this state; other keywords are fields of World."""
    clock = clock or ManualClock()
    if erp is None:
        erp = MemoryErp(clock, capabilities)
        fill_erp(erp)
    if store is None:
        store = MemoryStore(clock=clock)
        fill_store(store)
    return World(engine, erp, store, clock, **given)


@dataclass
class World:
    """Both systems, the state between them, and a process that may die.

    The state is in the database, or is ``kept`` where a test gives one.

    With a ``script`` every call to the ERP, the store and the state passes
    through it. ``erp_seen`` is what the process takes for the ERP, where a test
    gives it another face than ``erp``.
    """

    engine: Engine
    erp: MemoryErp
    store: MemoryStore
    clock: ManualClock
    mapping: SyncMapping = field(default_factory=a_mapping)
    limits: Limits = field(default_factory=Limits)
    script: Script | None = None
    pipeline: str = "main"
    progress: Progress = silent
    erp_seen: Erp | None = None
    kept: State | None = None
    assignments: MemoryAssignments = field(default_factory=lambda: MemoryAssignments(a_mapping()))
    files: MemoryFiles = field(default_factory=lambda: fill_files())
    uploads: Uploads | None = None

    @property
    def state(self) -> State:
        if self.kept is not None:
            return self.kept
        store_id = self.store.store_id
        length = self.erp.capabilities.external_key_length
        return SqlState(self.engine, self.pipeline, store_id, keys_of(store_id, length), self.clock)

    def context(self) -> Context:
        erp: Erp = self.erp_seen or self.erp
        store: Store = self.store
        state: State = self.state
        assignments = self.assignments
        files: HoldsFiles = self.files
        if self.script is not None:
            assignments = faulty(assignments, self.script, "mapping")
            erp = faulty(erp, self.script, "erp")
            store = faulty(store, self.script, "store")
            state = faulty(state, self.script, "state")
            files = faulty(files, self.script, "files")
        return Context(
            pipeline=self.pipeline,
            erp=erp,
            store=store,
            state=state,
            clock=self.clock,
            mapping=self.mapping,
            accounts=AccountMap.of(self.mapping),
            limits=self.limits,
            progress=self.progress,
            assignments=assignments,
            files=files,
            uploads=self.uploads,
            take_up=self._taken_up,
        )

    def _taken_up(self, before: str, after: str) -> Context | None:
        """As the keeper of the mapping does it for a flow's own edit."""
        if (self.mapping.version, self.assignments.version) != (before, after):
            return None
        self.take_up_assignments()
        self.assignments.version = self.mapping.version
        return self.context()

    def take_up_assignments(self) -> None:
        """What was written into the mapping files comes into force."""
        written = [
            Assignment(customer_id, organisation=organisation)
            for organisation, customer_id in self.assignments.written.items()
        ]
        self.remap(assignments=(*ASSIGNMENTS, *written))

    def run(self, flow: str, *, dry_run: bool = False, **scope: Any) -> FlowResult:
        """One flow; keywords are those of ResyncScope."""
        return run_flow(self.context(), flow, ResyncScope(**scope), dry_run=dry_run)

    def cycle(self) -> list[FlowResult]:
        return run_cycle(self.context())

    def import_orders(self) -> FlowResult:
        return self.run("orders")

    def new_process(self) -> None:
        """The service starts again after the last process died."""
        if self.script is not None:
            self.script.restart()
        with self.state.transaction() as state:
            state.ledger.release_expired(self.clock.now())
            state.runs.abandon_running(self.clock.now())

    def remap(self, **changes: Any) -> None:
        """An administrator edits the mapping files."""
        version = f"v{int(self.mapping.version[1:]) + 1}"
        self.mapping = dataclasses.replace(self.mapping, version=version, **changes)

    def entry(self, number: int = 1) -> LedgerEntry:
        with self.state.transaction() as state:
            entry = state.ledger.entry(order_id(number))
        assert entry is not None
        return entry

    def state_of(self, number: int = 1) -> LedgerState:
        return self.entry(number).state

    def codes(self, number: int = 1) -> set[str]:
        """Why the order is in quarantine."""
        return {problem.code for problem in self.entry(number).problems}

    def replay(self, number: int = 1) -> bool:
        with self.state.transaction() as state:
            return state.ledger.replay(order_id(number), "ann", "corrected", self.clock.now())

    def dismiss(self, number: int = 1, reason: str = "a test order") -> bool:
        with self.state.transaction() as state:
            return state.ledger.dismiss(order_id(number), "ann", reason, self.clock.now())

    def confirm(self, plan_id: str) -> None:
        with self.state.transaction() as state:
            assert state.plans.confirm(plan_id, "ann", self.clock.now()) is not None

    def in_erp(self, number: int = 1) -> list[WrittenRow]:
        """Every order that the ERP holds for this web order."""
        return [row for row in self.erp.orders if row.order.web_order == order_id(number)]

    def edit(self, number: int = 1, **changes: Any) -> None:
        """The order changes in the store, a minute later."""
        self.clock.advance(60)
        self.store.change_order(order_id(number), **changes)

    def shown(self) -> Mapping[str, Any]:
        """Everything that the mirrors have put into the store."""
        ids = sorted(self.store.shown_customer_ids())
        return {
            "accounts": dict(self.store.shown_accounts(ids)),
            "ship_tos": dict(self.store.shown_ship_tos(ids)),
            "bill_tos": dict(self.store.shown_bill_tos(ids)),
            "invoices": dict(self.store.shown_invoices(ids)),
            "balances": dict(self.store.shown_balances(ids)),
            "customer_parts": dict(self.store.shown_customer_parts(ids)),
            "entitlements": self.store.shown_entitlements(
                sorted(self.store.shown_restricted_items())
            ),
            "documents": dict(self.store.shown_documents(ids)),
            "account_orders": dict(self.store.shown_account_orders(ids)),
            "stock": dict(self.store.stock),
            "prices": dict(self.store.prices),
        }

    def dump(self) -> list[str]:
        """Every row of the state, as text."""
        with self.engine.connect() as connection:
            names = connection.execute(
                text("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
            )
            return [
                f"{name}: {tuple(row)}"
                for (name,) in names
                for row in connection.execute(text(f'SELECT * FROM "{name}"'))
            ]


def ten(price: str) -> dict[str, Any]:
    """Ten bolts at this price, with the total that goes with it."""
    return {
        "lines": (a.a_line(unit_price=a.money(price)),),
        "total": a.money(f"{Decimal(price) * 10:.2f}"),
    }


MakeWorld = Callable[..., World]
