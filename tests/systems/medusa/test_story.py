"""The whole story on a live shop: the ERP's facts go out, orders come in, and it comes to rest.

Two companies buy on account: Harbour Hardware (C-1001, by a customer group in
which staff wrote the ID) and Mill Tools (C-2002, by the mapping file). Everybody
else buys retail. Among them are some who pretend to be more.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import requests

from sync.domain.channel import Channel, CommerceMode, RetailGroup
from sync.domain.document import DocumentKind
from sync.domain.ids import (
    ChannelId,
    CustomerId,
    DocumentNumber,
    ErpOrderNumber,
    InvoiceNumber,
    Sku,
    WebOrderId,
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
from sync.domain.money import Money
from sync.domain.pricing import DEFAULT_LIST, PriceScope
from sync.domain.sales_order import ErpOrderState, OneOffShipTo, OnFileShipTo
from sync.flows.context import Context, FlowResult
from sync.flows.cycle import run_cycle, run_flow
from sync.ports.state import LedgerEntry, LedgerFilter, LedgerState
from sync.routing import AccountMap
from sync.state import SqlState, open_state
from sync.state.keys import keys_of
from sync.stores.medusa.adapter import MedusaStore
from sync.testing import builders as a
from sync.testing.clock import ManualClock
from sync.testing.erp import MemoryErp
from tests.systems.medusa.shop import CARD, DECLINED_CARD, ON_ACCOUNT, Person, Shop, address
from tests.systems.medusa.world import MedusaWorld

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

HARBOUR, MILL, RETAIL = CustomerId("C-1001"), CustomerId("C-2002"), CustomerId("RETAIL-US")
WEB, TRADE = ChannelId("web"), ChannelId("trade")
CODES = CodeTables(
    payment_methods={
        CARD: PaymentMethod(PaymentKind.CARD, "CARD"),
        ON_ACCOUNT: PaymentMethod(PaymentKind.TERMS, "TERMS"),
    }
)


@dataclass
class Story:
    """What a first cycle, the shoppers, and a second one left behind."""

    shop: Shop
    store: MedusaStore
    erp: MemoryErp
    state: SqlState
    context: Context
    people: dict[str, Person]
    orders: dict[str, str]
    first: list[FlowResult]
    second: list[FlowResult]

    def entry(self, name: str) -> LedgerEntry:
        with self.state.transaction() as state:
            entry = state.ledger.entry(WebOrderId(self.orders[name]))
        assert entry is not None
        return entry

    def codes(self, name: str) -> set[str]:
        return {problem.code for problem in self.entry(name).problems}


def mapping(mia: Person) -> SyncMapping:
    web = Channel(
        WEB,
        CommerceMode.HYBRID,
        guest_checkout=True,
        retail_groups=(RetailGroup(RETAIL, ("USD",)),),
    )
    return SyncMapping(
        version="v1",
        channels={WEB: web, TRADE: Channel(TRADE, CommerceMode.B2B)},
        assignments=(Assignment(MILL, user=WebUserId(mia.id), origin="customers.csv:2"),),
        default_policy=AccountPolicy(custom_ship_to=True, price_tolerance=Decimal(1000)),
        retail_policy=AccountPolicy(custom_ship_to=True, price_tolerance=Decimal(1000)),
        codes=CODES,
    )


def paper(number: str) -> bytes:
    """A file of more than one piece."""
    return f"%PDF-1.4 {number}\n".encode() + b"\x00ink" * 300_000 + b"\n%%EOF\n"


def fill(erp: MemoryErp, shop: Shop) -> None:
    usd: dict[str, Any] = {"currencies": ("USD",)}
    erp.add_account(a.an_account(customer_id=HARBOUR, price_groups=("GOLD",), **usd))
    erp.add_account(a.an_account(customer_id=MILL, name="Mill Tools", contacts=(), **usd))
    erp.add_account(a.a_retail_account(customer_id=RETAIL, name="Retail US", **usd))
    for sku in shop.variants:
        erp.add_item(a.an_item(sku=Sku(sku)))
        entry: dict[str, Any] = {"sku": Sku(sku), "currency": "USD"}
        erp.set_price(a.a_price("8.0000", scope=DEFAULT_LIST, price_list="BASE", **entry))
    own: dict[str, Any] = {"sku": Sku(shop.sku(0)), "currency": "USD"}
    erp.set_price(a.a_price("9.9900", scope=PriceScope.account(HARBOUR), **own))
    ten: dict[str, Any] = {**own, "min_quantity": Decimal(10)}
    erp.set_price(a.a_price("3.1000", scope=PriceScope.account(HARBOUR), **ten))
    dock = a.an_address(name="Harbour Hardware", country="US", lines=("Pier 3", "Gate B"))
    erp.add_ship_to(a.a_ship_to(sold_to=HARBOUR, address=dock))
    erp.add_ship_to(a.a_ship_to(sold_to=MILL, address=a.an_address(name="Mill", country="US")))
    erp.add_bill_to(a.a_bill_to(sold_to=HARBOUR, address=a.an_address(country="US")))
    for number, owner in (("INV-1", HARBOUR), ("INV-2", MILL), ("INV-9", RETAIL)):
        erp.add_invoice(a.an_invoice(sold_to=owner, number=InvoiceNumber(number)))
        record = a.a_document_record(
            sold_to=owner, number=DocumentNumber(number), place=f"{number}.pdf"
        )
        erp.add_document(record, paper(number))


@pytest.fixture(scope="module")
def story(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    MedusaWorld(shop.server).empty()
    people = {
        "ada": shop.register("ada", "b2b"),
        "ben": shop.register("ben", "b2b"),
        "mia": shop.register("mia", "b2b"),
        "rita": shop.register("rita"),
        "mallory": shop.register("mallory"),
    }
    shop.group("Harbour", {"erp_customer_id": HARBOUR.value}, [people["ada"], people["ben"]])
    said = {"metadata": {"erp_customer_id": "C-1001", "tradesync_account": "C-1001"}}
    assert shop.as_shopper(people["mallory"], "POST", "/store/customers/me", said).ok

    clock = ManualClock(datetime.now(UTC))
    erp = MemoryErp(clock)
    erp.document_size_limit = 2 * len(paper(""))
    fill(erp, shop)
    engine = open_state(f"sqlite:///{tmp_path_factory.mktemp('story') / 'state.sqlite'}")
    store = shop.store()
    keys = keys_of(store.store_id, erp.capabilities.external_key_length)
    state = SqlState(engine, "main", store.store_id, keys, clock)
    decided = mapping(people["mia"])
    context = Context("main", erp, store, state, clock, decided, AccountMap.of(decided))
    first = run_cycle(context)

    orders = place(shop, people)
    clock.set_wall_clock(datetime.now(UTC))
    second = run_cycle(context)
    yield Story(shop, store, erp, state, context, people, orders, first, second)
    store.close()
    engine.dispose()


def place(shop: Shop, people: dict[str, Person]) -> dict[str, str]:
    book = shop.as_shopper(people["ada"], "GET", "/store/customers/me/addresses").json()
    dock = next(each for each in book["addresses"] if each["address_1"] == "Pier 3")
    dock = {name: dock[name] for name in address()}
    lines = {shop.sku(0): 12, shop.sku(1): 1}
    with pytest.raises(RuntimeError, match="not authorized"):
        shop.checkout(people["rita"], card=DECLINED_CARD)
    fake = {"tradesync_erp_order": "SO-FAKE", "erp_order_no": "SO-FAKE"}
    return {
        "ada": shop.placed(
            people["ada"],
            ship_to=dock,
            bill_to=dock,
            lines=lines,
            promo="TENOFF",
            metadata={"po_number": "PO-77"},
        ),
        "mia": shop.placed(people["mia"], lines=lines),
        "rita": shop.placed(people["rita"], lines=lines, promo="TENOFF", metadata=fake),
        "mallory": shop.placed(people["mallory"], lines={shop.sku(2): 7}),
        "guest": shop.placed(lines={shop.sku(3): 3}),
        "pretender": shop.placed(email=people["ada"].email, provider=ON_ACCOUNT),
        "freeloader": shop.placed(people["rita"], provider=ON_ACCOUNT),
    }


@pytest.mark.rule("WA-3", "OI-1")
@pytest.mark.parametrize(
    "name, account",
    [("ada", HARBOUR), ("mia", MILL), ("rita", RETAIL), ("mallory", RETAIL), ("guest", RETAIL)],
)
def test_every_order_is_in_the_right_account_to_the_cent(
    story: Story, name: str, account: CustomerId
) -> None:
    web = story.store.order(WebOrderId(story.orders[name]))
    [row] = [each for each in story.erp.orders if each.order.web_order.value == story.orders[name]]
    shown = story.shop.admin.get(f"/admin/orders/{story.orders[name]}", fields="id,total")["order"]

    assert row.order.sold_to == account
    assert row.order.total == getattr(web, "total", None)
    assert row.order.total.amount == Decimal(repr(shown["total"])).quantize(Decimal("0.01"))
    parts = sum((line.net.amount for line in row.order.lines), Decimal(0))
    for amounts in (row.order.charges, row.order.taxes, row.order.adjustments):
        parts += sum((each.amount.amount for each in amounts), Decimal(0))
    assert Money(parts, "USD") == row.order.total
    assert {each.code for each in row.order.adjustments} <= {"rounding"}


@pytest.mark.rule("WA-4", "WA-3a")
def test_goods_go_where_the_checkout_said(story: Story) -> None:
    by_order = {each.order.web_order.value: each.order for each in story.erp.orders}

    chosen = by_order[story.orders["ada"]]
    assert chosen.ship_to == OnFileShipTo(a.SHIP_TO)
    assert chosen.po_number == "PO-77"
    typed = by_order[story.orders["guest"]].ship_to
    assert isinstance(typed, OneOffShipTo)
    assert typed.address.lines == ("12 Ångström Way",)


@pytest.mark.rule("WA-2e", "WA-5")
def test_who_proves_nothing_gets_nothing(story: Story) -> None:
    assert story.entry("pretender").state is LedgerState.QUARANTINED
    assert "identity_unproven" in story.codes("pretender")
    assert "terms_for_retail" in story.codes("freeloader")
    assert len(story.erp.orders) == 5
    with story.state.transaction() as state:
        known = {each.order_id.value for each in state.ledger.entries(LedgerFilter())}
    # The declined card left no order at all.
    assert known == set(story.orders.values())


@pytest.mark.rule("WA-8", "WA-6")
def test_each_buyer_sees_the_own_account_and_nothing_else(story: Story) -> None:
    shop, people = story.shop, story.people
    numbers = {
        name: [each["number"] for each in shop.seen(person, "invoices")]
        for name, person in people.items()
    }
    assert numbers == {
        "ada": ["INV-1"],
        "ben": ["INV-1"],
        "mia": ["INV-2"],
        "rita": [],
        "mallory": [],
    }
    sku = shop.sku(0)
    assert [shop.price_for(people["ada"], sku, n) for n in (1, 10)] == [9.99, 3.1]
    assert shop.price_for(people["mia"], sku, 10) == 8.0
    assert shop.price_for(None, sku, 10) == 8.0


@pytest.mark.rule("TL-7", "WA-8")
def test_documents_are_shown_and_served_to_the_buyers_of_their_own_account(story: Story) -> None:
    seen = {
        name: {each["number"]: each for each in story.shop.seen(person, "documents")}
        for name, person in story.people.items()
    }
    assert {name: set(each) for name, each in seen.items()} == {
        "ada": {"INV-1"},
        "ben": {"INV-1"},
        "mia": {"INV-2"},
        "rita": set(),
        "mallory": set(),
    }
    told = seen["ben"]["INV-1"]
    assert (told["account"], told["kind"], told["issued_on"]) == ("C-1001", "invoice", "2025-03-01")
    assert (told["media_type"], told["size"]) == ("application/pdf", len(paper("INV-1")))
    assert not told.keys() & {"place", "version", "sold_to", "sha256", "content"}
    assert served(story, "ben", told["id"]) == paper("INV-1")
    assert served(story, "mia", seen["mia"]["INV-2"]["id"]) == paper("INV-2")
    # By its ID it is there for nobody else; nor is one that never was.
    for name, other in (("ada", seen["mia"]["INV-2"]["id"]), ("mia", told["id"])):
        assert served(story, name, other) is None
    for name in ("rita", "mallory", "ada"):
        assert served(story, name, "tsrec_01") is None
    for name in ("rita", "mallory"):
        assert served(story, name, told["id"]) is None
    for path in ("documents", f"documents/{told['id']}"):
        answer = story.shop.as_shopper(None, "GET", f"/store/tradesync/{path}")
        assert answer.status_code == 401
        assert b"%PDF" not in answer.content


@pytest.mark.rule("TL-7")
def test_file_is_served_as_what_it_is_and_as_nothing_else(story: Story) -> None:
    [told] = story.shop.seen(story.people["ada"], "documents")
    answer = file_of(story, "ada", told["id"])
    assert answer.headers["content-type"].startswith("application/pdf")
    assert answer.headers["content-disposition"] == 'attachment; filename="invoice-INV-1.pdf"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "private, no-store"
    # One bit of it that is another makes it none.
    flip = "UPDATE tradesync_content SET piece = set_bit(piece, 99, 1 - get_bit(piece, 99))"
    for there in (None, paper("INV-1")):
        with story.shop.server.sql() as on:
            on.execute(flip)
        assert served(story, "ada", told["id"]) == there


@pytest.mark.rule("TL-7", "WA-8", "WA-9")
def test_confirmation_is_for_whoever_placed_the_order(story: Story) -> None:
    [row] = [each for each in story.erp.orders if each.order.web_order.value == story.orders["ada"]]
    kinds = DocumentKind.ORDER_CONFIRMATION, DocumentKind.DELIVERY_NOTE
    for kind, number, order in (
        (kinds[0], "AB-1", row.number),
        (kinds[1], "DN-1", row.number),
        (kinds[0], "AB-DESK", ErpOrderNumber("SO-DESK")),
    ):
        record = a.a_document_record(
            kind=kind, number=DocumentNumber(number), place=f"{number}.pdf", erp_order=order
        )
        story.erp.add_document(record, paper(number))
    assert run_flow(story.context, "documents").outcome == "ok"

    seen = {
        name: {each["number"]: each for each in story.shop.seen(story.people[name], "documents")}
        for name in ("ada", "ben", "mia", "rita")
    }

    assert {name: set(each) for name, each in seen.items()} == {
        "ada": {"INV-1", "AB-1", "DN-1"},
        "ben": {"INV-1", "DN-1"},
        "mia": {"INV-2"},
        "rita": set(),
    }
    # Ben may see the goods leave, and not whose order it was.
    assert seen["ada"]["DN-1"]["web_order"] == story.orders["ada"]
    assert seen["ben"]["DN-1"]["web_order"] is None
    confirmation = seen["ada"]["AB-1"]["id"]
    assert served(story, "ada", confirmation) == paper("AB-1")
    for name in ("ben", "mia", "rita"):
        assert served(story, name, confirmation) is None
    with story.shop.server.sql() as on:
        [desk] = on.execute(
            "SELECT id FROM tradesync_record WHERE kind = 'document' AND key LIKE '%AB-DESK%'"
        ).fetchall()
    assert [served(story, name, desk[0]) for name in story.people] == [None] * len(story.people)


def file_of(story: Story, name: str, document: str) -> requests.Response:
    path = f"/store/tradesync/documents/{document}"
    return story.shop.as_shopper(story.people[name], "GET", path)


def served(story: Story, name: str, document: str) -> bytes | None:
    """The file as this buyer gets it; None where the shop says that there is none."""
    answer = file_of(story, name, document)
    assert answer.status_code in (200, 404), answer.text
    return answer.content if answer.ok else None


@pytest.mark.rule("OI-3", "WA-13")
def test_the_shop_shows_the_erp_number_and_later_the_shipment(story: Story) -> None:
    world = MedusaWorld(story.shop.server)
    row = next(each for each in story.erp.orders if each.order.sold_to == HARBOUR)
    order_id = WebOrderId(story.orders["ada"])
    notice = world.notice(order_id)
    assert notice is not None
    assert notice.erp_order == row.number
    rita = world.notice(WebOrderId(story.orders["rita"]))
    assert rita is not None
    assert rita.erp_order is not None
    assert rita.erp_order.value != "SO-FAKE"

    shipped = a.an_order_status(number=row.number, state=ErpOrderState.SHIPPED, lines=())
    story.erp.set_order_status(row.key, shipped)
    assert run_flow(story.context, "order_status").outcome == "ok"
    assert story.store.shown_order_statuses([order_id]) == {order_id: shipped}


@pytest.mark.rule("MI-2", "OI-4", "OI-1")
def test_another_cycle_writes_nothing(story: Story) -> None:
    for result in (*story.first, *story.second):
        assert result.outcome == "ok", result
    run_cycle(story.context)  # our own notices come back as changes of their orders
    before, written = story.store.mirror_writes, len(story.erp.orders)

    again = run_cycle(story.context)

    assert [result.writes for result in again] == [0] * len(again), again
    assert story.store.mirror_writes == before
    assert len(story.erp.orders) == written
    assert all(result.counts.get("review", 0) == 0 for result in again)


@pytest.mark.rule("WA-8")
def test_an_account_that_becomes_a_retail_group_is_out_of_sight_at_once(story: Story) -> None:
    channel = story.context.mapping.channels[WEB]
    groups = (*channel.retail_groups, RetailGroup(MILL, ("USD",)))
    decided = dataclasses.replace(
        story.context.mapping,
        channels={
            **story.context.mapping.channels,
            WEB: dataclasses.replace(channel, retail_groups=groups),
        },
    )
    context = dataclasses.replace(story.context, mapping=decided, accounts=AccountMap.of(decided))

    [mias] = story.shop.seen(story.people["mia"], "documents")

    assert run_flow(context, "accounts").outcome == "ok"

    assert story.shop.seen(story.people["mia"], "invoices") == []
    assert story.shop.seen(story.people["mia"], "documents") == []
    assert served(story, "mia", mias["id"]) is None
    assert len(story.shop.seen(story.people["ada"], "invoices")) == 1
    with story.shop.server.sql() as on:
        held = on.execute("SELECT piece FROM tradesync_content WHERE position = 0").fetchall()
    assert all(b"INV-2" not in bytes(piece) for (piece,) in held)
    assert any(b"INV-1" in bytes(piece) for (piece,) in held)
