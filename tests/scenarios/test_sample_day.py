"""The whole story on the sample: a day's orders go in, what the ERP knows comes out.

One run of all flows, on the profile, the mapping files and both databases as
they are shipped; each test looks at what became of one part of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, select, text

from erp_adapters.sql.adapter import SqlErpAdapter
from sync.domain.channel import LoginWall
from sync.domain.document import DocumentKind, MediaType
from sync.domain.ids import CustomerId, StoreId, WebOrderId
from sync.domain.order import WebOrder
from sync.domain.pricing import Audience, AudienceKind, PriceLevel
from sync.domain.sales_order import ErpOrderState
from sync.domain.views import ImportState
from sync.files.folder.adapter import FolderFiles
from sync.flows.context import Context, FlowResult
from sync.flows.cycle import run_cycle
from sync.mapping import read_mapping
from sync.planning.balances import from_invoices
from sync.ports.state import LedgerEntry, LedgerFilter, LedgerState
from sync.routing import AccountMap
from sync.sample import build_sample
from sync.sample.back_office import CANCELLED_BY_BUYER, print_confirmations, work_a_day
from sync.sample.build import Sample, make_sample
from sync.sample.customers import LICENSED, LICENSEES, RETAIL_EU, RETAIL_US, TRUSTED
from sync.sample.directory import CHANNELS
from sync.sample.papers import build_papers
from sync.sample.wrong_orders import End
from sync.state import SqlState, open_state
from sync.state.keys import keys_of
from sync.stores.embedded import schema, translate
from sync.stores.embedded.adapter import EmbeddedStore
from sync.stores.embedded.engine import store_url
from sync.testing.clock import ManualClock

ROOT = Path(__file__).parents[2]
TODAY = date(2026, 3, 2)
STORE = StoreId("sample")
ENDS = {
    End.QUARANTINED: LedgerState.QUARANTINED,
    End.WAITING: LedgerState.WAITING,
    End.CLOSED: LedgerState.CLOSED,
}


@dataclass(frozen=True)
class Day:
    """Both systems after the first cycle, and what each flow said of it."""

    sample: Sample
    context: Context
    erp_url: str
    first: list[FlowResult]

    def entries(self) -> Mapping[WebOrderId, LedgerEntry]:
        with self.context.state.transaction() as state:
            return {entry.order_id: entry for entry in state.ledger.entries(LedgerFilter())}

    def ask_erp(self, sql: str, **given: Any) -> list[Any]:
        engine = create_engine(self.erp_url)
        with engine.connect() as connection:
            rows = list(connection.execute(text(sql), given))
        engine.dispose()
        return rows


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("day")


@pytest.fixture(scope="module")
def store(folder: Path) -> Iterator[EmbeddedStore]:
    build_sample(f"sqlite:///{folder}/erp.sqlite", f"sqlite:///{folder}/store.sqlite", today=TODAY)
    opened = EmbeddedStore(store_url("sqlite:///store.sqlite", {}, folder), STORE)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def day(folder: Path, store: EmbeddedStore) -> Iterator[Day]:
    url = f"sqlite:///{folder}/erp.sqlite"
    erp = SqlErpAdapter.from_settings({"url": url, "profile": "sample"}, {}, folder)
    engine = open_state(f"sqlite:///{folder}/state.sqlite")
    clock = ManualClock(datetime(2026, 3, 2, 9, tzinfo=UTC))
    mapping = read_mapping(ROOT / "mappings")
    state = SqlState(engine, "main", STORE, keys_of(STORE, 64), clock)
    files = FolderFiles(folder / "papers")
    accounts = AccountMap.of(mapping)
    context = Context("main", erp, store, state, clock, mapping, accounts, files=files)
    sample = make_sample(seed=7, today=TODAY)
    yield Day(sample, context, url, run_cycle(context))
    erp.close()
    engine.dispose()


def test_every_flow_goes_through(day: Day) -> None:
    assert [result.outcome for result in day.first] == ["ok"] * len(day.first)


@pytest.mark.rule("OI-1", "WA-3")
def test_every_good_order_is_in_the_erp_once(day: Day) -> None:
    rows = day.ask_erp(
        "SELECT web_order_id, customer_no, order_total, currency FROM sales_order"
        " WHERE source = 'WEB'"
    )
    written = {row.web_order_id: row for row in rows}
    assert len(written) == len(rows)
    assert written.keys() == {order.order_id.value for order in day.sample.good}
    entries = day.entries()
    for order in day.sample.good:
        row = written[order.order_id.value]
        decision = entries[order.order_id].decision
        assert decision is not None
        assert row.customer_no == decision.customer_id.value
        assert (Decimal(row.order_total), row.currency) == (order.total.amount, order.currency)


@pytest.mark.rule("OI-1", "OI-7")
def test_what_is_in_the_erp_adds_up_line_by_line(day: Day) -> None:
    parts: dict[int, Decimal] = {}
    for table, sign in (
        ("sales_order_line WHERE 1 = 1", 1),
        ("sales_order_charge WHERE charge_kind <> 'DISCOUNT'", 1),
        ("sales_order_charge WHERE charge_kind = 'DISCOUNT'", -1),
        ("sales_order_tax WHERE 1 = 1", 1),
    ):
        column = "net_amount" if "line" in table else "amount"
        where = "order_no IN (SELECT order_no FROM sales_order WHERE source = 'WEB')"
        for row in day.ask_erp(f"SELECT order_no, {column} AS amount FROM {table} AND {where}"):
            parts.setdefault(row.order_no, Decimal(0))
            parts[row.order_no] += sign * Decimal(row.amount)
    totals = day.ask_erp("SELECT order_no, order_total FROM sales_order WHERE source = 'WEB'")
    assert parts == {row.order_no: Decimal(row.order_total) for row in totals}


@pytest.mark.rule("TL-6", "OI-1")
def test_part_numbers_that_buyers_entered_are_on_the_lines_in_the_erp(day: Day) -> None:
    rows = day.ask_erp(
        "SELECT web_order_id, customer_item_no FROM sales_order_line AS line"
        " JOIN sales_order ON sales_order.order_no = line.order_no"
        " WHERE customer_item_no IS NOT NULL"
    )
    entered = {
        (order.order_id.value, line.customer_part_number)
        for order in day.sample.good
        for line in order.lines
        if line.customer_part_number is not None
    }
    assert len(entered) > 5
    assert {tuple(row) for row in rows} == entered


@pytest.mark.rule("MI-6", "TL-6", "WA-8")
def test_store_shows_no_balance_and_no_part_number_of_a_retail_group(
    day: Day, store: EmbeddedStore
) -> None:
    groups = [RETAIL_US, RETAIL_EU]
    owned = {
        table: {row.customer_no for row in day.ask_erp(f"SELECT customer_no FROM {table}")}
        for table in ("ledger", "customer_item")
    }
    assert RETAIL_US.value in owned["ledger"] & owned["customer_item"]
    assert not store.shown_balances(groups)
    assert not store.shown_customer_parts(groups)
    shown = [CustomerId(each) for each in sorted(owned["ledger"] | owned["customer_item"])]
    assert len(store.shown_balances(shown)) > 30
    assert len(store.shown_customer_parts(shown)) == 140


@pytest.mark.rule("TL-7", "WA-8")
def test_documents_are_shown_with_their_files_and_none_of_a_retail_group(
    day: Day, store: EmbeddedStore, folder: Path
) -> None:
    papers = {record.key: file for record, file in build_papers(day.sample.invoices)}
    own = [each.customer_id for each in day.sample.world.customers.accounts()]
    shown = store.shown_documents(own)
    retail = {key for key in papers if key[0] in (RETAIL_US, RETAIL_EU)}
    assert len(retail) > 10
    assert not shown.keys() & retail
    lost = {key for key, file in papers.items() if file is None}
    mapped = set(store.shown_accounts(own))
    assert shown.keys() == {key for key in papers.keys() - lost if key[0] in mapped}
    for key, document in shown.items():
        assert document.content is not None
        assert b"".join(store.document_content(document.content.sha256)) == papers[key]
    kinds = {each.content.media_type for each in shown.values() if each.content}
    assert kinds == {MediaType.PDF, MediaType.PNG}
    [result] = [each for each in day.first if each.flow == "documents"]
    assert result.counts["documents_missing"] == len({key for key in lost if key[0] in mapped})


@pytest.mark.rule("MI-4", "VE-7")
def test_nobody_is_shown_stock_that_is_not_for_them(day: Day, store: EmbeddedStore) -> None:
    walls = {each.channel: each.login_wall for each in CHANNELS}
    items = {item.sku: item for item in day.sample.world.catalogue.items}
    audiences = list(store.shown_stock_audiences())
    assert {each.kind for each in audiences} >= {AudienceKind.ACCOUNTS, AudienceKind.ACCOUNT}
    for audience in audiences:
        shown = store.shown_availability(audience)
        assert shown
        if audience.kind is AudienceKind.PUBLIC:
            assert audience.channel is not None
            assert walls[audience.channel] is LoginWall.OPEN
        alone = {sku for sku, _ in shown if items[sku].allowed_to is not None}
        if audience.kind is AudienceKind.ACCOUNT:
            assert alone == {sku for sku, _ in shown}
            own = CustomerId(audience.key)
            assert all(own in (items[sku].allowed_to or ()) for sku in alone)
        elif audience.kind is AudienceKind.TAG:
            assert all(audience.key in items[sku].allowed_tags for sku, _ in shown)
        else:
            assert not alone
        assert all(items[sku].active for sku, _ in shown)


@pytest.mark.rule("VE-5", "VE-7")
def test_restricted_items_are_in_the_catalogue_of_their_own_buyers_alone(
    day: Day, store: EmbeddedStore
) -> None:
    kept = [each for each in day.sample.world.catalogue.items if each.allowed_to is not None]
    shown = store.shown_entitlements([each.sku for each in kept])
    assert set(store.shown_restricted_items()) == shown.keys() == {each.sku for each in kept}
    named = {each for entitlement in shown.values() for each in entitlement.audiences}
    assert {each.kind for each in named} == {AudienceKind.ACCOUNT, AudienceKind.TAG}
    assert {each.key for each in named} == {*(each.value for each in TRUSTED), LICENSED}
    members = store.shown_accounts(list(LICENSEES))
    assert all(LICENSED in profile.tags for profile in members.values())

    with store.engine.connect() as connection:
        for item in kept:
            audiences = set(shown[item.sku].audiences)
            told = {
                (translate.audience(dict(row)), row["level"])
                for row in connection.execute(
                    select(schema.prices).where(schema.prices.c.sku == item.sku.value)
                ).mappings()
            }
            # A contract of its own is an account's; all else stands with whom the item is for.
            assert {each for each, level in told if level > PriceLevel.LOCATION} <= audiences | {
                Audience(AudienceKind.ACCOUNT, each.value) for each in LICENSEES
            }


@pytest.mark.rule("WA-3a")
def test_retail_addresses_stay_with_their_orders(day: Day) -> None:
    retail = (RETAIL_US.value, RETAIL_EU.value)
    orders = day.ask_erp(
        "SELECT count(*) AS orders, count(address.order_no) AS addresses, count(ship_to_no) AS ids"
        " FROM sales_order LEFT JOIN sales_order_address AS address"
        " ON address.order_no = sales_order.order_no AND address.address_kind = 'SHIP'"
        " WHERE customer_no IN (:us, :eu) AND source = 'WEB'",
        us=retail[0],
        eu=retail[1],
    )[0]
    assert orders.orders == orders.addresses > 60
    assert orders.ids == 0
    assert not day.ask_erp("SELECT 1 FROM ship_to WHERE customer_no LIKE 'RETAIL%'")


@pytest.mark.rule("OI-2", "VE-11")
def test_every_wrong_order_ends_for_exactly_its_reasons(day: Day) -> None:
    entries = day.entries()
    told = {}
    for wrong in day.sample.wrong:
        entry = entries[wrong.order.order_id]
        codes = {problem.code for problem in entry.problems}
        codes |= {entry.waiting_for} if entry.waiting_for else set()
        codes |= {entry.closing.value} if entry.closing else set()
        told[wrong.order.number.value] = (entry.state, codes)
        assert all(problem.sentence and problem.remedy for problem in entry.problems)
    assert told == {
        wrong.order.number.value: (ENDS[wrong.ending.end], set(wrong.ending.codes))
        for wrong in day.sample.wrong
    }


@pytest.mark.rule("OI-3", "WA-13")
def test_store_shows_at_each_order_how_far_it_is(day: Day, store: EmbeddedStore) -> None:
    for entry in day.entries().values():
        assert entry.shown is not None or entry.state is LedgerState.CLOSED
        if entry.state is LedgerState.ACKNOWLEDGED:
            assert entry.shown is not None
            assert entry.shown.state is ImportState.PROCESSED
            assert entry.shown.erp_order == entry.erp_order


@pytest.mark.rule("WA-8")
def test_invoices_of_the_retail_groups_never_reach_the_store(
    day: Day, store: EmbeddedStore
) -> None:
    assert day.ask_erp("SELECT 1 FROM invoice WHERE customer_no = 'RETAIL-US'")
    assert not store.shown_invoices([RETAIL_US, RETAIL_EU])
    shown = {number for _, number in store.shown_invoices(list(store.shown_customer_ids()))}
    kept = {each.number for each in day.sample.invoices if each.sold_to in (RETAIL_US, RETAIL_EU)}
    assert shown
    assert kept
    assert shown.isdisjoint(kept)


@pytest.mark.rule("MI-1")
def test_ship_tos_of_an_account_are_in_the_store_as_in_the_erp(
    day: Day, store: EmbeddedStore
) -> None:
    own = CustomerId("000101")
    shown = store.shown_ship_tos([own])
    assert set(shown.values()) == set(day.sample.world.customers.ship_tos_of(own))


@pytest.mark.rule("MI-2", "OI-1")
def test_second_cycle_writes_nothing_to_either_side(day: Day, store: EmbeddedStore) -> None:
    before = store.mirror_writes
    orders = day.ask_erp("SELECT count(*) FROM sales_order")
    again = run_cycle(day.context)
    assert [(result.flow, result.outcome, result.writes) for result in again] == [
        (result.flow, "ok", 0) for result in day.first
    ]
    assert store.mirror_writes == before
    assert day.ask_erp("SELECT count(*) FROM sales_order") == orders


@pytest.mark.rule("TL-7", "WA-8", "MI-2")
def test_confirmations_of_web_orders_are_linked_and_those_of_retail_orders_stay_away(
    day: Day, store: EmbeddedStore, folder: Path
) -> None:
    entries = {entry.erp_order: entry for entry in day.entries().values() if entry.erp_order}
    assert print_confirmations(day.erp_url, folder / "papers", TODAY) == len(entries)
    assert print_confirmations(day.erp_url, folder / "papers", TODAY) == 0
    [result] = run_cycle(day.context, ("documents",))
    shown = store.shown_documents(list(store.shown_customer_ids()))
    confirmed = [each for each in shown.values() if each.kind is DocumentKind.ORDER_CONFIRMATION]
    wholesale = {
        entry.order_id
        for entry in entries.values()
        if entry.decision is not None and not entry.decision.retail
    }
    assert {each.web_order for each in confirmed} == wholesale
    assert (result.outcome, result.counts["added"]) == ("ok", len(wholesale))
    for each in confirmed:
        assert each.erp_order is not None
        assert entries[each.erp_order].customer_id == each.sold_to
    assert run_cycle(day.context, ("documents",))[0].writes == 0


@pytest.mark.rule("OI-3", "WA-8")
def test_what_the_warehouse_does_is_shown_at_the_web_order(day: Day, store: EmbeddedStore) -> None:
    seen: set[ErpOrderState] = set()
    for later in range(1, 6):
        work_a_day(day.erp_url, date(2026, 3, 2 + later))
        results = run_cycle(day.context, ("invoices", "order_status"))
        assert {result.outcome for result in results} == {"ok"}
        statuses = store.shown_order_statuses([order.order_id for order in day.sample.good])
        assert len(statuses) == len(day.sample.good)
        seen |= {status.state for status in statuses.values()}
        for status in statuses.values():
            shipped = status.state in (ErpOrderState.SHIPPED, ErpOrderState.PARTLY_SHIPPED)
            assert bool(status.shipments) or not shipped
            if status.state is ErpOrderState.PARTLY_SHIPPED:
                assert any(line.back_ordered for line in status.lines)
            if status.state is ErpOrderState.CANCELLED:
                assert status.message == CANCELLED_BY_BUYER
    assert seen == {
        ErpOrderState.OPEN,
        ErpOrderState.PICKED,
        ErpOrderState.PARTLY_SHIPPED,
        ErpOrderState.SHIPPED,
        ErpOrderState.INVOICED,
        ErpOrderState.CANCELLED,
    }
    shown = store.shown_invoices(list(store.shown_customer_ids()))
    assert run_cycle(day.context, ("balances",))[0].counts["changed"] > 0
    balances = store.shown_balances(list(store.shown_customer_ids()))
    for (owner, currency), balance in balances.items():
        # The ledger moved with what was invoiced meanwhile.
        own = from_invoices([each for (of, _), each in shown.items() if of == owner], TODAY)
        assert balance.balance == own[owner, currency].balance
        assert balance.ageing is not None
        assert balance.ageing.total == balance.balance
    references = {invoice.web_reference for invoice in shown.values() if invoice.web_reference}
    entries = day.entries()
    for order in day.sample.good:
        assert isinstance(order, WebOrder)
        decision = entries[order.order_id].decision
        if decision is not None and decision.retail:
            assert order.number.value not in references
    assert any(order.number.value in references for order in day.sample.good)
