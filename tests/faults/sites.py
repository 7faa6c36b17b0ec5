"""The distributor of the scenarios as a site for schedules: one for orders, one for mirrors."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from sync.domain.channel import LoginWall, RetailGroup
from sync.domain.ids import CustomerId, DocumentNumber, InvoiceNumber, ShipToId, WebOrderId
from sync.domain.mapping import Assignment, SyncMapping
from sync.domain.order import OrderState, Payment, PaymentState, WebOrder
from sync.domain.pricing import PriceLevel, PriceScope
from sync.domain.sales_order import ErpOrderState
from sync.errors import SyncError
from sync.flows.context import Context, Limits
from sync.flows.cycle import run_flow
from sync.planning.guards import Guard
from sync.ports.erp import ErpCapabilities
from sync.ports.state import LedgerFilter, LedgerState, State
from sync.ports.store import StoreCapabilities
from sync.routing import AccountMap
from sync.state.keys import keys_of
from sync.testing import builders as a
from sync.testing.assignments import MemoryAssignments
from sync.testing.clock import ManualClock
from sync.testing.erp import MEMORY_CAPABILITIES, MemoryErp
from sync.testing.faults import Script, faulty
from sync.testing.mirror_proof import MIRRORS, differing, forbidden
from sync.testing.order_proof import order_violations
from sync.testing.past import Past
from sync.testing.store import MemoryStore
from sync.testing.together import GROUPING_CAPABILITIES, BatchStore, GroupingErp
from tests.contract.test_memory_erp import MemoryWorld
from tests.faults.memory_state import MemoryState
from tests.scenarios.world import (
    ASSIGNMENTS,
    HARBOUR,
    HARBOUR_ORG,
    MILL,
    MILL_ORG,
    RETAIL,
    WEB,
    a_channel,
    a_mapping,
    fill_erp,
    fill_files,
    fill_store,
    guest_order,
    harbour_order,
    mill_order,
)

# With so few records every removal would look like a disaster.
BELIEVE = Guard(Decimal(1), 1000, Decimal("0.5"), Decimal(1), 1000, 1000)
SWAPPED = (Assignment(MILL, organisation=HARBOUR_ORG), Assignment(HARBOUR, organisation=MILL_ORG))
CARTS = {"harbour": harbour_order, "mill": mill_order, "guest": guest_order}
NOTHING = "nothing happens"
ORDER_EVENTS = (
    *("edit", "edit", "cancel", "pay", "vanish"),
    *("remap", "block", "release", "replay", "dismiss", "desk", "status"),
)
MIRROR_EVENTS = (
    *("terms", "ship-to", "no ship-to", "invoice", "no invoice", "balance", "part"),
    *("no part", "stock", "no stock", "item", "price", "no account", "tags"),
    *("mapping", "group", "wall", "attribute", "order", "no order"),
    *("paper", "no paper", "file", "no file"),
)
PAPERS = (a.PDF, a.PDF.replace(b"Catalog", b"Another"), b"\xff\xd8\xff pixels \xff\xd9")
SPOILT = (b"MZ a program", a.PDF[:40])
MakeState = Callable[[MemoryStore, MemoryErp, ManualClock], State]


def in_memory(store: MemoryStore, erp: MemoryErp, clock: ManualClock) -> State:
    """The quick state, for all but the proof that it is the same."""
    keys = keys_of(store.store_id, erp.capabilities.external_key_length)
    state: Any = MemoryState(store.store_id, keys, clock)
    return state  # type: ignore[no-any-return]


@dataclass
class Distributor:
    """Two companies and a retail group, with a state that outlives every process."""

    make_state: MakeState = in_memory
    capabilities: ErpCapabilities = MEMORY_CAPABILITIES
    erp_kind: type[MemoryErp] = MemoryErp
    store_kind: type[MemoryStore] = MemoryStore
    store_capabilities: StoreCapabilities = field(
        default_factory=lambda: StoreCapabilities("memory")
    )
    mapping: SyncMapping = field(default_factory=a_mapping)
    flows: Sequence[str] = ()
    stale: bool = True

    def __post_init__(self) -> None:
        self.clock = ManualClock()
        self.assignments = MemoryAssignments()
        self.erp = self.erp_kind(self.clock, self.capabilities)
        self.store = self.store_kind(
            capabilities=self.store_capabilities, clock=self.clock, echoes=True
        )
        fill_erp(self.erp)
        fill_store(self.store)
        self.files = fill_files()
        self.limits = Limits(guards=dict.fromkeys(MIRRORS, BELIEVE))
        self.state = self.make_state(self.store, self.erp, self.clock)

    @property
    def past(self) -> Past | None:
        return Past(self.clock) if self.stale else None

    def context(self, script: Script | None = None) -> Context:
        """With a script, the mapping and the systems as a process that starts now sees them."""
        erp: MemoryErp = self.erp
        store: MemoryStore = self.store
        state: State = self.state
        assignments = self.assignments
        if script is not None:
            assignments = faulty(assignments, script, "mapping")
            erp, store = faulty(erp, script, "erp"), faulty(store, script, "store")
            state = faulty(state, script, "state")
        files = self.files if script is None else faulty(self.files, script, "files")
        return Context(
            pipeline="main",
            erp=erp,
            store=store,
            state=state,
            clock=self.clock,
            mapping=self.mapping,
            accounts=AccountMap.of(self.mapping),
            limits=self.limits,
            assignments=assignments,
            files=files,
        )

    def start(self, script: Script) -> Callable[[str], object]:
        context = self.context(script)
        with context.state.transaction() as state:
            state.ledger.release_expired(self.clock.now())

        def run(flow: str) -> object:
            # Between two runs an edit of the mapping is taken up.
            seen = replace(context, mapping=self.mapping, accounts=AccountMap.of(self.mapping))
            return run_flow(seen, flow)

        return run

    def violations(self) -> list[str]:
        """What is wrong now that everything is well and at rest."""
        raise NotImplementedError

    def remap(self, **changes: Any) -> None:
        version = f"v{int(self.mapping.version[1:]) + 1}"
        self.mapping = replace(self.mapping, version=version, **changes)


def _in(order: WebOrder, state: PaymentState) -> tuple[Payment, ...]:
    return tuple(replace(each, state=state) for each in order.payments)


@dataclass
class OrderSite(Distributor):
    """Orders are placed, paid, edited and cancelled; staff and administrators do their part."""

    flows: Sequence[str] = ("orders", "order_status")
    most_orders: int = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        self.placed: list[WebOrderId] = []
        self.retail: set[WebOrderId] = set()
        self.desked: set[WebOrderId] = set()

    # What happens.

    def happen(self, chance: random.Random) -> str:
        if len(self.placed) < self.most_orders and (not self.placed or chance.random() < 0.4):
            return self.place(chance)
        what = chance.choice(ORDER_EVENTS)
        order_id = chance.choice(self.placed)
        if what in ("edit", "cancel", "pay", "vanish"):
            return self.shop(what, order_id, chance)
        return self.staff(what, order_id, chance)

    def place(self, chance: random.Random) -> str:
        number = len(self.placed) + 1
        who = chance.choice(sorted(CARTS))
        now = self.clock.now()
        if chance.random() < 0.25:
            # The store commits it late; its overlap is what allows for that.
            overlap = self.store.capabilities.overlap_s
            now -= timedelta(seconds=overlap * chance.random() * 0.9)
        order = CARTS[who](number, placed_at=now, modified_at=now)
        if chance.random() < 0.5:
            order = replace(order, ship_to=a.a_typed_address())
        if chance.random() < 0.4:
            order = with_quantities(order, (3, 4))
        if chance.random() < 0.2:
            paid = _in(order, PaymentState.PENDING)
            order = replace(order, state=OrderState.CREATED, payments=paid)
        self.store.place_order(order)
        self.placed.append(order.order_id)
        if who == "guest":
            self.retail.add(order.order_id)
        return f"{who} places {order.number}"

    def shop(self, what: str, order_id: WebOrderId, chance: random.Random) -> str:
        order = self.store.order(order_id)
        if not isinstance(order, WebOrder) or order.state is OrderState.CANCELLED:
            return NOTHING
        unpaid = order.state is OrderState.CREATED
        self.clock.advance(1)
        if what == "vanish" and unpaid:
            self.store.vanish_order(order_id)
        elif what == "pay" and unpaid:
            paid = _in(order, PaymentState.AUTHORISED)
            self.store.change_order(order_id, state=OrderState.AWAITING_FULFILMENT, payments=paid)
        elif what == "cancel":
            self.store.change_order(order_id, state=OrderState.CANCELLED)
        elif what == "edit":
            self.edit(order_id, chance.choice(["quantity", "notes", "ship-to"]), chance)
        else:
            return NOTHING
        return f"{what} {order.number}"

    def edit(self, order_id: WebOrderId, what: str, chance: random.Random) -> None:
        order = self.store.order(order_id)
        assert isinstance(order, WebOrder)
        if what == "quantity":
            changed = with_quantities(order, (chance.randint(1, 9),))
            self.store.change_order(
                order_id, lines=changed.lines, total=changed.total, payments=changed.payments
            )
        elif what == "notes":
            self.store.change_order(order_id, notes=f"call {chance.randint(1, 99)} first")
        else:
            street = f"Canal Street {chance.randint(13, 99)}"
            self.store.change_order(order_id, ship_to=a.a_typed_address(lines=(street,)))

    def staff(self, what: str, order_id: WebOrderId, chance: random.Random) -> str:
        now = self.clock.now()
        if what == "remap":
            self.remap(assignments=chance.choice([ASSIGNMENTS, SWAPPED, ASSIGNMENTS[:1]]))
        elif what == "block":
            self.erp.refuse_item(a.SKU)
        elif what == "release":
            self.erp.accept_item(a.SKU)
        elif what == "desk":
            return self._desk(order_id)
        elif what == "status":
            for row in self.erp.orders:
                if row.order.web_order == order_id:
                    status = a.an_order_status(number=row.number)
                    self.erp.set_order_status(row.key, status)
        else:
            with self.state.transaction() as state:
                act = state.ledger.replay if what == "replay" else state.ledger.dismiss
                act(order_id, "ann", "looked at it", now)
        return f"{what} {order_id}"

    def _desk(self, order_id: WebOrderId) -> str:
        """The ERP's staff changes an order whose arrival nobody here has heard of."""
        with self.state.transaction() as state:
            entry = state.ledger.entry(order_id)
        if entry is None or entry.imported_at is not None or entry.lease_until is not None:
            return NOTHING
        if self.erp.find_order(entry.key) is None:
            return NOTHING
        self.erp.edit_order(entry.key, total=a.money("1.00"), po_number="by hand")
        self.desked.add(order_id)
        return f"the desk edits {order_id}"

    # When everything is well.

    def heal(self) -> None:
        self.erp.accept_item(a.SKU)
        self.remap(assignments=ASSIGNMENTS)
        with self.state.transaction() as state:
            held = state.ledger.entries(LedgerFilter(states=frozenset({LedgerState.QUARANTINED})))
            for entry in held:
                state.ledger.replay(entry.order_id, "ann", "all is well", self.clock.now())

    def accounts(self, order: WebOrder) -> Collection[CustomerId]:
        """Who is mapped to what may change; who is retail does not."""
        return {RETAIL} if order.order_id in self.retail else {HARBOUR, MILL}

    def violations(self) -> list[str]:
        context = self.context()
        found = order_violations(
            context,
            system=MemoryWorld(self.erp),
            accounts=self.accounts,
            notices=self.store.notice,
        )
        arrived = self._edited_after_they_arrived()
        found = [
            each
            for each in found
            if not each.startswith(tuple(f"{who}: the ERP" for who in arrived))
        ]
        self.clock.advance(4000)
        for flow in self.flows:
            writes = run_flow(context, flow).writes
            if writes:
                found.append(f"a run of {flow} with nothing new made {writes} writes")
        return found

    def _edited_after_they_arrived(self) -> list[str]:
        """Numbers of orders that a worker saw arrive as they were sent, and told of late.

        Between its look and its word the desk may edit them, as it may any order that
        has arrived.
        """
        with self.state.transaction() as state:
            return [
                entry.number
                for entry in state.ledger.entries(LedgerFilter())
                if entry.order_id in self.desked
                and any(
                    each.event == "arrived_late" for each in state.ledger.history(entry.order_id)
                )
            ]


GROUPS: dict[str, Any] = {
    "capabilities": GROUPING_CAPABILITIES,
    "erp_kind": GroupingErp,
    "store_kind": BatchStore,
}
"""What an OrderSite is given whose systems take and tell many orders in one call."""


def with_quantities(order: WebOrder, quantities: Sequence[int]) -> WebOrder:
    """The order with as many lines, and everything that adds up with them."""
    lines = tuple(
        a.a_line(line_id=str(number), quantity=Decimal(quantity))
        for number, quantity in enumerate(quantities, start=1)
    )
    total = lines[0].gross
    for line in lines[1:]:
        total = total + line.gross
    payments = tuple(
        replace(each, amount=total if each.amount else None) for each in order.payments
    )
    return replace(order, lines=lines, total=total, payments=payments)


@dataclass
class MirrorSite(Distributor):
    """The ERP's data and the mapping change, behind the backs of the mirrors.

    ``states``: the levels of which the ERP says whether prices are the same; ``by_row``:
    its prices are told one by one.
    """

    flows: Sequence[str] = MIRRORS
    states: Sequence[PriceLevel] = ()
    by_row: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self.erp.states = self.states
        if self.by_row:
            self.erp.feeds = ()

    def happen(self, chance: random.Random) -> str:
        what = chance.choice(MIRROR_EVENTS)
        customer = chance.choice([HARBOUR, MILL, RETAIL])
        key = chance.choice("AB")
        erp = self.erp
        if what == "terms":
            if customer in erp.accounts([customer]):
                erp.change_account(customer, terms=None if customer == RETAIL else f"NET-{key}")
        elif what == "ship-to":
            erp.add_ship_to(a.a_ship_to(sold_to=customer, ship_to_id=ShipToId(key)))
        elif what == "no ship-to":
            if ShipToId(key) in [each.ship_to_id for each in erp.ship_tos([customer])]:
                erp.remove_ship_to(customer, ShipToId(key))
        elif what == "invoice":
            number = InvoiceNumber(f"{customer}-{key}")
            paid = a.money(chance.choice(["0.00", "5.00"]))
            erp.add_invoice(a.an_invoice(sold_to=customer, number=number, open_amount=paid))
        elif what == "no invoice":
            for invoice in list(erp.invoices([customer]))[:1]:
                erp.remove_invoice(customer, invoice.number)
        elif what == "balance":
            ageing = None if key == "A" else a.a_balance().ageing
            owed = chance.choice(["0.00", "5.00"])
            erp.set_balance(a.a_balance(owed, sold_to=customer, ageing=ageing))
        elif what == "part":
            words = chance.choice([None, "theirs"])
            erp.add_customer_part(a.a_customer_part(sold_to=customer, description=words))
        elif what == "order":
            # Somebody moves it to another account now and then.
            sold_to = chance.choice([customer, customer, HARBOUR])
            state = chance.choice([ErpOrderState.OPEN, ErpOrderState.SHIPPED])
            order = a.an_account_order(f"{customer}-{key}", sold_to=sold_to, state=state)
            erp.set_account_order(order)
        elif what == "no order":
            for order in list(erp.account_orders([customer]))[:1]:
                erp.remove_account_order(order.number)
        elif what == "no part":
            for part in list(erp.customer_parts([customer]))[:1]:
                erp.remove_customer_part(part.key)
        elif what == "paper":
            self._paper(chance, customer, key)
        elif what == "no paper":
            for record in list(erp.documents([customer]))[:1]:
                erp.remove_document(record.key)
        elif what in ("file", "no file"):
            self._file(chance, customer, key, gone=what == "no file")
        elif what == "stock":
            erp.set_availability(a.an_availability(chance.choice(["0", "8"]), warehouse=key))
        elif what == "no stock":
            for figure in list(erp.availability())[:1]:
                erp.remove_availability(figure.key)
        elif what == "item":
            only = chance.choice([None, frozenset(), frozenset({customer})])
            club = chance.choice([frozenset[str](), frozenset({"CLUB"})])
            tags = club if only is not None else frozenset[str]()
            active = chance.random() < 0.8
            erp.add_item(a.an_item(allowed_to=only, allowed_tags=tags, active=active))
        elif what == "tags":
            if customer in erp.accounts([customer]):
                erp.change_account(customer, tags=chance.choice([(), ("CLUB",), ("CLUB", "VIP")]))
        elif what == "price":
            price = chance.choice(["5.0000", "6.0000", "0.0000"])
            erp.set_price(a.a_price(price, scope=PriceScope.account(customer)))
        elif what == "no account":
            if chance.random() < 0.3:
                erp.remove_account(MILL)
        elif what == "attribute":
            value = chance.choice([None, "C-1001", "RETAIL-EU", "NOBODY"])
            self.store.add_user(a.a_web_user(staff_customer_id=value))
        elif what == "mapping":
            given = [ASSIGNMENTS, ASSIGNMENTS[:1], ASSIGNMENTS[1:], SWAPPED]
            self.remap(assignments=chance.choice(given))
        else:
            self._channel(chance)
        return f"{what} {customer} {key}"

    def _paper(self, chance: random.Random, customer: CustomerId, key: str) -> None:
        """A document, perhaps with its SHA-256 and with a file that may be another."""
        file = chance.choice(PAPERS)
        told = hashlib.sha256(file).hexdigest() if chance.random() < 0.5 else None
        place = f"papers/{customer}-{key}.pdf"
        number = DocumentNumber(f"P-{key}")
        record = a.a_document_record(sold_to=customer, number=number, place=place, sha256=told)
        # Some are given out by the ERP itself.
        self.erp.add_document(record, file if chance.random() < 0.3 else None)
        self.files.put(place, file if chance.random() < 0.6 else chance.choice(PAPERS + SPOILT))

    def _file(self, chance: random.Random, customer: CustomerId, key: str, *, gone: bool) -> None:
        place = f"papers/{customer}-{key}.pdf"
        if not gone:
            self.files.put(place, chance.choice((*PAPERS, *SPOILT, b"")))
        elif self.files.stamp(place) is not None:
            self.files.drop(place)

    def _channel(self, chance: random.Random) -> None:
        groups = [RetailGroup(RETAIL, ("EUR",))]
        if chance.random() < 0.4:
            groups.append(RetailGroup(HARBOUR, ("EUR",), frozenset({"BE"})))
        wall = chance.choice(list(LoginWall))
        channel = a_channel(retail_groups=tuple(groups), login_wall=wall)
        self.remap(channels={**self.mapping.channels, WEB: channel})

    def heal(self) -> None:
        # What the daily look at everything repairs, it may repair.
        self.clock.advance(90_000)
        with self.state.transaction() as state:
            for plan in state.plans.open():
                # The ERP has lost the only account that anybody is mapped to.
                state.plans.confirm(plan.plan_id, "ann", self.clock.now())

    def violations(self) -> list[str]:
        context = self.context()
        found = forbidden(context) + differing(context, self.flows)
        for flow in self.flows:
            before = self.store.writes
            try:
                run_flow(context, flow)
            except SyncError as error:
                found.append(f"{flow}: {error}")
            if self.store.writes != before:
                found.append(f"a run of {flow} with nothing new wrote to the store")
        return found
