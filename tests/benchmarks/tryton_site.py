"""An embedded store full of orders, and a live Tryton to bring them into.

The customers, items and prices are those of the seed that the live tests use. All
orders are importable, with four lines each and a PO number; every fourth one is a
guest's, paid by card and sent to an address typed at checkout.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from time import monotonic
from typing import Any

from erp_adapters.tryton.adapter import TrytonErpAdapter
from erp_adapters.tryton.session import Rpc
from erp_adapters.tryton.settings import Settings
from sync.domain.channel import Channel, CommerceMode, RetailGroup
from sync.domain.ids import (
    CustomerId,
    IdempotencyKey,
    OrganisationId,
    ShipToId,
    Sku,
    StoreId,
    WebOrderId,
    WebOrderNumber,
    WebUserId,
)
from sync.domain.mapping import AccountPolicy, Assignment, SyncMapping
from sync.domain.money import Money
from sync.domain.order import Buyer, Membership, Role, SelectedShipTo, Tax, WebOrder
from sync.domain.pricing import PriceQuestion, effective_price, scopes_of
from sync.flows.context import Context, FlowResult
from sync.flows.cycle import run_flow
from sync.ports.erp import ErpCapabilities
from sync.routing import AccountMap
from sync.scheduling.clock import SystemClock
from sync.state import SqlState, open_state
from sync.state.keys import keys_of
from sync.stores.embedded import writing
from sync.stores.embedded.adapter import EmbeddedStore
from sync.stores.embedded.engine import create_store, store_url, writing_engine
from sync.testing import builders as a
from tests.benchmarks.order_site import CODES
from tests.systems.tryton import kit
from tests.systems.tryton.conftest import Live

LINES = 4
# A thousand of each: a net amount in whole tens of cents, whose tax is in whole cents.
QUANTITY = Decimal(1000)
TAX = Decimal("0.10")
RETAIL = CustomerId("RETAIL")
SHOP = StoreId("shop")

Call = tuple[str, tuple[object, ...], dict[str, object]]


class NotedRpc(Rpc):
    """The adapter's own session, which keeps what was asked through it."""

    def __init__(self, settings: Settings, password: str) -> None:
        super().__init__(settings, password, now=lambda: datetime.now(UTC), monotonic=monotonic)
        self.calls: list[Call] = []

    def read(self, method: str, *given: object, **context: object) -> Any:
        self.calls.append((method, given, context))
        return super().read(method, *given, **context)

    def write(self, method: str, *given: object, **context: object) -> Any:
        self.calls.append((method, given, context))
        return super().write(method, *given, **context)


class OneByOne(TrytonErpAdapter):
    """The adapter without groups."""

    @property
    def capabilities(self) -> ErpCapabilities:
        return dataclasses.replace(super().capabilities, order_group=1)


@dataclass(frozen=True)
class Prices:
    """What a thousand of each item cost each customer."""

    of: Mapping[CustomerId, list[tuple[Sku, str, Decimal]]]

    @classmethod
    def told_by(cls, adapter: TrytonErpAdapter, live: Live) -> Prices:
        skus = [Sku(each["code"]) for each in live.manifest["products"]]
        ids = [CustomerId(each["code"]) for each in live.manifest["customers"]]
        accounts, items = adapter.accounts([*ids, RETAIL]), adapter.items(skus)
        scopes = {each: scopes_of(each, account.price_groups) for each, account in accounts.items()}
        wanted = {scope for of_one in scopes.values() for scope in of_one}
        entries = list(adapter.prices(wanted, skus))
        today, found = date.fromisoformat(live.manifest["today"]), {}
        for customer, own in scopes.items():
            of_own = [each for each in entries if each.key.scope in own]
            listed = []
            for sku in skus:
                unit = items[sku].stock_unit
                question = PriceQuestion(sku, unit, "USD", QUANTITY, today)
                decided = effective_price(of_own, question)
                price = decided.price.value.unit_price if decided else None
                if price and items[sku].active:
                    listed.append((sku, unit, price))
            found[customer] = listed
        return cls(found)


def an_order(number: int, live: Live, prices: Prices, now: datetime) -> WebOrder:
    """Order ``number``, always the same one."""
    customers = live.manifest["customers"]
    retail = number % 4 == 0
    own = customers[number % len(customers)]
    listed = prices.of[RETAIL if retail else CustomerId(own["code"])]
    lines = []
    for position in range(1, LINES + 1):
        sku, unit, price = listed[(number * 3 + position * 5) % len(listed)]
        changes: dict[str, Any] = {"sku": sku, "unit": unit, "unit_price": Money(price, "USD")}
        lines.append(a.a_line(line_id=str(position), quantity=QUANTITY, **changes))
    goods = sum((line.unit_price.amount * QUANTITY for line in lines), Decimal(0))
    total = Money((goods * (1 + TAX)).quantize(Decimal("0.01")), "USD")
    named: dict[str, Any] = {
        "order_id": WebOrderId(f"order-{number:06}"),
        "number": WebOrderNumber(f"W-{number:06}"),
        "placed_at": now,
        "modified_at": now + timedelta(milliseconds=number),
        "currency": "USD",
        "lines": tuple(lines),
        "taxes": (Tax("TAX10", Money((goods * TAX).quantize(Decimal("0.01")), "USD"), TAX),),
        "total": total,
        "notes": "Please ring twice",
    }
    if retail:
        typed = dataclasses.replace(
            a.a_typed_address(), country="US", region="CA", name=f"Buyer {number}", city="Reno"
        )
        paid = (a.a_card_payment(amount=total),)
        return a.a_retail_order(
            **named, payments=paid, priced_for=RETAIL, ship_to=typed, bill_to=typed
        )
    code = own["code"]
    buyer = Buyer(WebUserId(f"u-{code}"), signed_in=True, organisation=OrganisationId(code))
    ship_to = SelectedShipTo(ShipToId(str(own["delivery_addresses"][0])))
    return a.a_web_order(**named, buyer=buyer, ship_to=ship_to, po_number=f"PO {number}")


def mapping_of(live: Live) -> SyncMapping:
    codes = [each["code"] for each in live.manifest["customers"]]
    channel = Channel(
        channel_id=a.CHANNEL,
        mode=CommerceMode.HYBRID,
        guest_checkout=True,
        retail_groups=(RetailGroup(RETAIL, ("USD",)),),
    )
    return SyncMapping(
        version="v1",
        channels={a.CHANNEL: channel},
        assignments=tuple(
            Assignment(CustomerId(code), organisation=OrganisationId(code)) for code in codes
        ),
        default_policy=AccountPolicy(custom_ship_to=True),
        codes=CODES,
    )


def fill_store(folder: Path, live: Live, prices: Prices, count: int) -> Path:
    """A shop with that many orders waiting; the file of its database."""
    url = store_url("sqlite:///shop.db", {}, folder)
    create_store(url)
    engine = writing_engine(url)
    with engine.begin() as on:
        for each in live.manifest["customers"]:
            organisation = OrganisationId(each["code"])
            writing.add_organisation(on, a.an_organisation(organisation=organisation))
            member = (Membership(organisation, Role.ORDER),)
            writing.add_user(
                on, a.a_web_user(web_user=WebUserId(f"u-{each['code']}"), memberships=member)
            )
        now = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1)
        for number in range(count):
            writing.place_order(on, an_order(number, live, prices, now))
    engine.dispose()
    return folder / "shop.db"


@dataclass
class TrytonSite:
    """One pipeline from the embedded store into Tryton, with nothing done yet."""

    context: Context
    erp: TrytonErpAdapter
    rpc: NotedRpc

    def acquaint(self) -> None:
        """Signed in and knowing its places, as a daemon is after its first run."""
        self.erp.find_order(IdempotencyKey("of nobody"))
        self.rpc.calls.clear()

    def run(self) -> FlowResult:
        return run_flow(self.context, "orders")


@contextmanager
def a_site(folder: Path, live: Live, adapter: type[TrytonErpAdapter]) -> Iterator[TrytonSite]:
    """The site whose shop is ``folder/shop.db``; its state is a file beside it."""
    password = str(live.manifest["sync_user"]["password"])
    settings, password = Settings.read(live.options(), {"password": password}, folder)
    rpc = NotedRpc(settings, password)
    erp = adapter(settings, rpc)
    store = EmbeddedStore(store_url("sqlite:///shop.db", {}, folder), SHOP)
    engine = open_state(f"sqlite:///{folder / 'state.db'}")
    clock, mapping = SystemClock(), mapping_of(live)
    key_for = keys_of(SHOP, erp.capabilities.external_key_length)
    try:
        yield TrytonSite(
            Context(
                pipeline="main",
                erp=erp,
                store=store,
                state=SqlState(engine, "main", SHOP, key_for, clock),
                clock=clock,
                mapping=mapping,
                accounts=AccountMap.of(mapping),
            ),
            erp,
            rpc,
        )
    finally:
        engine.dispose()
        store.close()
        erp.close()


@contextmanager
def a_live_tryton(folder: Path) -> Iterator[tuple[Live, Path]]:
    """A running server, and the file to set its database back to. Skips without the kit."""
    kit.skip_without_kit()
    seeded, manifest = kit.seeded_sqlite()
    own = folder / "bench.sqlite"
    kit.SqliteFile(seeded).copy_to(own)
    lasting = "[session]\ntimeout = 86400\nmax_age = 86400\n"
    python = kit.server_python()
    server = kit.Server(python, folder, f"sqlite://\npath = {folder}", ("bench",), lasting)
    try:
        yield Live(server, "bench", kit.SqliteFile(own), manifest), seeded
    finally:
        server.stop()
