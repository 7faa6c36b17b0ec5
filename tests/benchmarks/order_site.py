"""A distributor to measure the order import on: its ERP, its store, its state.

The ERP is Harbour Ledger of the contract tests, in a database of its own; its
steps are INSERTs only (the contract's own check of each item is left out, so
that there is nothing to write but the order). The store is in memory: what is
measured is this program and two databases, not somebody's web server. All
orders are importable, with four lines each; every fourth one is a guest's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from sqlalchemy import Engine, create_engine, event, text

from erp_adapters.sql.adapter import SqlErpAdapter
from sync.domain.channel import Channel, CommerceMode, RetailGroup
from sync.domain.ids import (
    CustomerId,
    OrganisationId,
    ShipToId,
    Sku,
    WebOrderId,
    WebOrderNumber,
    WebUserId,
)
from sync.domain.mapping import Assignment, CodeTables, PaymentKind, PaymentMethod, SyncMapping
from sync.domain.order import Buyer, Membership, Role, SelectedShipTo, WebOrder
from sync.domain.pricing import DEFAULT_LIST, PriceScope
from sync.flows.context import Context, FlowResult
from sync.flows.orders.discovery import discover
from sync.flows.orders.scoping import Bounds
from sync.flows.orders.work import OrderWork
from sync.ports.erp import Erp
from sync.ports.state import ResyncScope
from sync.routing import AccountMap
from sync.scheduling.clock import SystemClock
from sync.state import SqlState, open_state
from sync.state.keys import keys_of
from sync.testing import builders as a
from sync.testing.store import MemoryStore
from tests.contract.harbour import PROFILE, HarbourWorld, create_tables

COMPANIES = 40
ITEMS = 120
LINES = 4

CODES = CodeTables(
    payment_methods={
        "card": PaymentMethod(PaymentKind.CARD, "CARD"),
        "on_account": PaymentMethod(PaymentKind.TERMS, "TERMS"),
    }
)
MAPPING = SyncMapping(
    version="v1",
    channels={
        a.CHANNEL: Channel(
            channel_id=a.CHANNEL,
            mode=CommerceMode.HYBRID,
            guest_checkout=True,
            retail_groups=(RetailGroup(a.RETAIL_ACCOUNT, ("EUR",)),),
        )
    },
    assignments=tuple(
        Assignment(CustomerId(f"C-{n}"), organisation=OrganisationId(f"org-{n}"))
        for n in range(COMPANIES)
    ),
    codes=CODES,
)


def _sku(number: int) -> Sku:
    return Sku(f"PART-{number % ITEMS:04}")


def _cents(sku: Sku) -> int:
    return 100 + int(sku.value[-4:]) * 7


def an_order(number: int) -> WebOrder:
    """Order ``number``, always the same one."""
    lines = []
    cents = 0
    for position in range(1, LINES + 1):
        sku = _sku(number * 3 + position * 11)
        price = Decimal(_cents(sku)) / 100
        line = a.a_line(
            line_id=str(position),
            sku=sku,
            quantity=Decimal(position),
            unit_price=a.money(f"{price:.4f}"),
        )
        cents += _cents(sku) * position
        lines.append(line)
    total = a.money(f"{Decimal(cents) / 100:.2f}")
    named = {
        "order_id": WebOrderId(f"order-{number:06}"),
        "number": WebOrderNumber(f"W-{number:06}"),
        "lines": tuple(lines),
        "total": total,
        "notes": "Please ring twice",
    }
    if number % 4 == 0:
        return a.a_retail_order(**named, payments=(a.a_card_payment(amount=total),))
    company = number % COMPANIES
    buyer = Buyer(
        web_user=WebUserId(f"u-{company}"),
        signed_in=True,
        organisation=OrganisationId(f"org-{company}"),
    )
    return a.a_web_order(
        **named, buyer=buyer, ship_to=SelectedShipTo(ShipToId("MAIN")), po_number=f"PO {number}"
    )


def a_store(count: int) -> MemoryStore:
    """The shop with that many orders waiting."""
    store = MemoryStore(clock=SystemClock(), page_size=200)
    for n in range(COMPANIES):
        organisation = OrganisationId(f"org-{n}")
        store.add_organisation(a.an_organisation(organisation=organisation, name=f"Company {n}"))
        member = (Membership(organisation, Role.ORDER),)
        store.add_user(a.a_web_user(web_user=WebUserId(f"u-{n}"), memberships=member))
    for number in range(count):
        store.place_order(an_order(number))
    return store


def fill_erp(engine: Engine) -> None:
    """Tables, accounts, items and prices; no order yet."""
    create_tables(engine)
    with engine.begin() as connection:
        # Any ERP has these; the contract tests' few rows do without.
        connection.execute(text("CREATE INDEX ON_PRICES ON prices (level, owner)"))
        connection.execute(text("CREATE INDEX ON_PO ON orders (customer_no, po_number)"))
    world = HarbourWorld(engine)
    world.add_account(a.a_retail_account())
    for n in range(COMPANIES):
        customer = CustomerId(f"C-{n}")
        world.add_account(a.an_account(customer_id=customer, name=f"Company {n}"))
        world.add_ship_to(a.a_ship_to(sold_to=customer))
    for n in range(ITEMS):
        sku = _sku(n)
        price = f"{Decimal(_cents(sku)) / 100:.4f}"
        world.add_item(a.an_item(sku=sku))
        world.add_price(a.a_price(price, scope=DEFAULT_LIST, price_list="BASE", sku=sku))
        if n < COMPANIES:
            scope = PriceScope.account(CustomerId(f"C-{n}"))
            world.add_price(a.a_price(price, scope=scope, sku=sku))


def profile_of_inserts(folder: Path, **facts: object) -> Path:
    """Harbour Ledger's profile without the step that looks each item up again."""
    whole = PROFILE.read_text()
    inserts = re.sub(
        r"\n      - name: sellable\n.*?(?=\n      - name: lines\n)", "\n", whole, flags=re.S
    )
    assert inserts != whole
    for name, value in facts.items():
        inserts = inserts.replace("\nfacts:\n", f"\nfacts:\n  {name}: {value}\n")
    path = folder / "harbour_inserts.yaml"
    path.write_text(inserts)
    return path


@dataclass
class Site:
    """One pipeline between the store and the ERP, with everything discovered."""

    context: Context
    store: MemoryStore

    def work(self) -> FlowResult:
        """Claim, judge, look up, submit and record every order that is waiting."""
        result = FlowResult("orders")
        everything = ResyncScope()
        OrderWork(self.context, result).run(everything, Bounds(self.context, everything))
        return result


@contextmanager
def a_site(erp_url: str, state_url: str, profile: Path, count: int) -> Iterator[Site]:
    """The site at work on ``count`` orders that are in its ledger and nowhere else."""
    options = {"url": erp_url, "profile": str(profile), "pool_size": 2}
    erp: Erp = SqlErpAdapter.from_settings(options, {}, Path("/"))
    engine = open_state(state_url)
    try:
        clock, store = SystemClock(), a_store(count)
        store_id = store.store_id
        key_for = keys_of(store_id, erp.capabilities.external_key_length)
        context = Context(
            pipeline="main",
            erp=erp,
            store=store,
            state=SqlState(engine, "main", store_id, key_for, clock),
            clock=clock,
            mapping=MAPPING,
            accounts=AccountMap.of(MAPPING),
        )
        discover(context, FlowResult("orders"), ResyncScope())
        yield Site(context, store)
    finally:
        engine.dispose()
        erp.close()


def an_erp(url: str) -> None:
    """The ERP's database, with everything but orders in it."""
    # Filling it is nobody's work here, so it need not survive a power cut.
    if url.startswith("sqlite"):
        engine = create_engine(url)
        event.listen(engine, "connect", lambda raw, _: raw.execute("PRAGMA synchronous = OFF"))
        with engine.begin() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
    else:
        engine = create_engine(url, connect_args={"options": "-c synchronous_commit=off"})
    fill_erp(engine)
    engine.dispose()
