"""Mirrored facts come back as they were put, all of a call or nothing of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection, select, text

from sync.domain.account import AccountStatus, CreditStatus, IndividualAccount, RetailGroups
from sync.domain.ids import (
    ChannelId,
    CustomerId,
    DocumentNumber,
    ErpOrderNumber,
    InvoiceNumber,
    LocationId,
    OrganisationId,
    ShipToId,
    WebOrderId,
    WebUserId,
)
from sync.domain.invoice import DueDate, Invoice, InvoiceKind, InvoiceLine
from sync.domain.pricing import (
    DEFAULT_LIST,
    Audience,
    AudienceKind,
    Price,
    PriceScope,
    PriceValue,
)
from sync.domain.sales_order import ErpOrderState, LineStatus, OrderStatus, Shipment
from sync.domain.views import (
    AccountProfile,
    AccountView,
    BillToView,
    Exceptional,
    ImportNotice,
    ImportState,
    InvoiceView,
    LocationProfile,
    PublishedPriceKey,
    ShipToView,
)
from sync.errors import Rejected
from sync.stores.embedded import buyer_view, queries, schema, writing
from sync.stores.embedded.adapter import EmbeddedStore
from sync.testing import builders

Shop = Callable[..., Any]
ACCOUNT = builders.ACCOUNT
OTHER = CustomerId("C-1002")


def individual(customer_id: CustomerId = ACCOUNT) -> IndividualAccount:
    return IndividualAccount(customer_id, RetailGroups.of([builders.RETAIL_ACCOUNT]))


def a_profile(customer_id: CustomerId = ACCOUNT, **changes: Any) -> AccountProfile:
    base = AccountProfile(
        customer_id=customer_id,
        name="Harbour Hardware",
        status=AccountStatus.ACTIVE,
        terms="NET30",
        currencies=("SEK", "EUR"),
        tax_exempt=True,
        credit=CreditStatus.HOLD,
        price_groups=("A", "B"),
        locations=(
            LocationProfile(LocationId("SITE-1"), "North yard", None),
            LocationProfile(LocationId("SITE-2"), "South yard", False),
        ),
        organisations=(builders.ORGANISATION, OrganisationId("org-13")),
        users=(WebUserId("u-1"),),
    )
    return dataclasses.replace(base, **changes)


def account_view(**changes: Any) -> AccountView:
    profile = a_profile(**changes)
    return AccountView(individual(profile.customer_id), profile)


def ship_to_view(customer_id: CustomerId = ACCOUNT, **changes: Any) -> ShipToView:
    return ShipToView(individual(customer_id), builders.a_ship_to(sold_to=customer_id, **changes))


def invoice_view(customer_id: CustomerId = ACCOUNT, **changes: Any) -> InvoiceView:
    return InvoiceView(individual(customer_id), builders.an_invoice(sold_to=customer_id, **changes))


def published(audience: Audience, price: Price) -> tuple[PublishedPriceKey, PriceValue]:
    return PublishedPriceKey(audience, price.key), price.value


def test_an_account_comes_back_as_it_was_put(store: EmbeddedStore) -> None:
    bare = a_profile(OTHER, terms=None, price_groups=(), locations=(), organisations=(), users=())
    store.put_accounts([account_view(), AccountView(individual(OTHER), bare)])
    absent = CustomerId("C-9")
    shown = store.shown_accounts([ACCOUNT, OTHER, absent])
    assert shown == {ACCOUNT: a_profile(), OTHER: bare}
    assert list(store.shown_customer_ids()) == [ACCOUNT, OTHER]


def test_an_account_put_again_replaces_what_was_there(store: EmbeddedStore) -> None:
    store.put_accounts([account_view()])
    changed = a_profile(locations=(), users=(), organisations=(OrganisationId("org-14"),))
    store.put_accounts([AccountView(individual(), changed)])
    assert store.shown_accounts([ACCOUNT]) == {ACCOUNT: changed}


def test_ship_tos_and_bill_tos_come_back_as_they_were_put(store: EmbeddedStore) -> None:
    full = builders.a_ship_to(
        address=builders.an_address(
            lines=("Łódzka 5", "🏭 2"),
            region="ZH",
            attention="Gate 3",
            phone="+31 10 555 0100",
            email="dock@harbour.example",
            residential=False,
        ),
        tax_exempt=False,
        warehouse="W1",
        location=LocationId("SITE-1"),
    )
    other = builders.a_ship_to(sold_to=OTHER)
    bill_to = builders.a_bill_to()
    store.apply_ship_tos([ShipToView(individual(), full), ShipToView(individual(OTHER), other)], [])
    store.apply_bill_tos([BillToView(individual(), bill_to)], [])
    assert store.shown_ship_tos([ACCOUNT, OTHER]) == {
        (ACCOUNT, builders.SHIP_TO): full,
        (OTHER, builders.SHIP_TO): other,
    }
    assert store.shown_bill_tos([ACCOUNT, OTHER]) == {(ACCOUNT, builders.BILL_TO): bill_to}


@pytest.mark.rule("MI-1")
def test_a_ship_to_removed_is_gone_and_one_of_the_same_name_elsewhere_stays(
    store: EmbeddedStore,
) -> None:
    store.apply_ship_tos([ship_to_view(), ship_to_view(OTHER)], [])
    store.apply_ship_tos([], [(ACCOUNT, builders.SHIP_TO), (ACCOUNT, ShipToId("never"))])
    assert list(store.shown_ship_tos([ACCOUNT, OTHER])) == [(OTHER, builders.SHIP_TO)]


def test_an_invoice_comes_back_to_the_last_digit(store: EmbeddedStore) -> None:
    full = builders.an_invoice(
        kind=InvoiceKind.CREDIT,
        total=builders.money("123456789012345.6789"),
        freight=builders.money("0.00"),
        open_amount=None,
        dues=(
            DueDate(date(2025, 3, 16), builders.money("1.10")),
            DueDate(date(2025, 4, 16), builders.money("1.1")),
        ),
        lines=(
            InvoiceLine(number=2, quantity=Decimal("1.250"), net=builders.money("0.0")),
            *builders.an_invoice().lines,
        ),
        erp_order=ErpOrderNumber("SO-9"),
        po_number="PO 1",
        web_reference="W-10482",
    )
    store.apply_invoices([InvoiceView(individual(), full), invoice_view(OTHER)], [])
    shown = store.shown_invoices([ACCOUNT])
    assert shown == {(ACCOUNT, full.number): full}
    assert _spelled(shown[ACCOUNT, full.number]) == _spelled(full)


def _spelled(invoice: Invoice) -> list[str]:
    """Amounts as text: equal decimals may still differ in scale."""
    amounts = [str(invoice.total), str(invoice.freight)]
    amounts += [str(due.amount) for due in invoice.dues]
    return amounts + [f"{line.quantity} {line.net} {line.unit_price}" for line in invoice.lines]


def test_an_invoice_in_two_currencies_is_refused_and_nothing_of_the_call_is_shown(
    store: EmbeddedStore,
) -> None:
    odd = invoice_view(number=InvoiceNumber("INV-2"), tax=builders.money("1.00", "USD"))
    with pytest.raises(Rejected) as refusal:
        store.apply_invoices([invoice_view(), odd], [])
    assert refusal.value.code == "mixed_currencies"
    assert store.shown_invoices([ACCOUNT]) == {}


def test_a_call_that_fails_halfway_leaves_nothing_behind(store: EmbeddedStore) -> None:
    store.apply_invoices([invoice_view()], [])
    before = store.shown_invoices([ACCOUNT])
    # The last table that the call writes to turns it away.
    with store.engine.begin() as connection:
        connection.execute(
            text(
                "CREATE TRIGGER full BEFORE INSERT ON invoice_dues "
                "BEGIN SELECT RAISE(ABORT, 'disk full'); END"
            )
        )
    counted = store.mirror_writes
    with pytest.raises(Rejected, match="disk full"):
        store.apply_invoices([invoice_view(number=InvoiceNumber("INV-2"))], [*before])
    assert store.shown_invoices([ACCOUNT]) == before
    assert store.mirror_writes == counted


@pytest.mark.rule("WA-8")
def test_a_withdrawn_customer_id_leaves_nothing_in_the_store(
    store: EmbeddedStore, shop: Shop
) -> None:
    for customer_id in (ACCOUNT, OTHER):
        site = LocationProfile(LocationId(f"{customer_id}-1"), "Yard")
        shared = LocationProfile(LocationId("SHARED"), "Market hall")
        exception = Exceptional(OrganisationId("org-7"), WebUserId(f"u-{customer_id}"))
        view = account_view(
            customer_id=customer_id,
            locations=(site, shared),
            exceptions=(exception,),
            barred=(exception,),
            tags=("LICENSED",),
        )
        store.put_accounts([view])
        store.apply_ship_tos([ship_to_view(customer_id)], [])
        bill_to = builders.a_bill_to(sold_to=customer_id)
        store.apply_bill_tos([BillToView(individual(customer_id), bill_to)], [])
        store.apply_invoices([invoice_view(customer_id)], [])
        store.apply_balances([builders.a_balance_view(sold_to=customer_id)], [])
        store.apply_account_orders([builders.an_account_order_view(sold_to=customer_id)], [])
        store.apply_customer_parts([builders.a_customer_part_view(sold_to=customer_id)], [])
        for file in (f"%PDF-{customer_id}%%EOF".encode(), builders.PDF):
            number = DocumentNumber(str(len(file)))
            paper = builders.a_document_view(file, sold_to=customer_id, number=number)
            store.publish_document(paper, [file])
        price = builders.a_price(scope=PriceScope.account(customer_id))
        audience = Audience(AudienceKind.ACCOUNT, customer_id.value)
        store.apply_prices([published(audience, price)], [])
        for place in (site, shared):
            local = builders.a_price(scope=PriceScope.location(place.location_id))
            there = Audience(AudienceKind.LOCATION, place.location_id.value)
            store.apply_prices([published(there, local)], [])
    store.withdraw_account(ACCOUNT)
    assert list(store.shown_customer_ids()) == [OTHER]
    with store.engine.connect() as connection:
        for table in schema.MIRRORED_BY_CUSTOMER:
            left = connection.execute(select(table.c.customer_id)).scalars()
            assert set(left) == {OTHER.value}, table.name
        pieces = connection.execute(select(schema.document_pieces.c.content)).scalars()
        assert set(pieces) == {f"%PDF-{OTHER}%%EOF".encode(), builders.PDF}
    assert {audience.key for audience, _ in store.shown_price_partitions()} == {
        "C-1002",
        "C-1002-1",
        "SHARED",
    }


@pytest.mark.rule("WA-8")
def test_invoices_that_outlived_their_profile_are_still_found_and_withdrawn(
    store: EmbeddedStore,
) -> None:
    store.apply_invoices([invoice_view()], [])
    assert list(store.shown_customer_ids()) == [ACCOUNT]
    store.withdraw_account(ACCOUNT)
    assert list(store.shown_customer_ids()) == []


def test_prices_that_shoppers_see_stay_when_their_id_is_withdrawn_as_an_account(
    store: EmbeddedStore,
) -> None:
    audience = Audience(AudienceKind.PUBLIC, ACCOUNT.value, ChannelId("web"))
    store.apply_prices([published(audience, builders.a_price())], [])
    store.withdraw_account(ACCOUNT)
    assert list(store.shown_customer_ids()) == []
    assert list(store.shown_price_partitions()) == [(audience, PriceScope.account(ACCOUNT))]


@pytest.mark.rule("VE-7")
def test_prices_are_kept_apart_by_audience(store: EmbeddedStore) -> None:
    web, desk = ChannelId("web"), ChannelId("desk")
    audiences = [
        Audience(AudienceKind.PUBLIC, "RETAIL-EU", web),
        Audience(AudienceKind.PUBLIC, "RETAIL-EU", desk),
        Audience(AudienceKind.RETAIL, "RETAIL-EU", web),
        Audience(AudienceKind.ACCOUNTS),
        Audience(AudienceKind.ACCOUNT, ACCOUNT.value),
        Audience(AudienceKind.LOCATION, ACCOUNT.value),
        Audience(AudienceKind.GROUP, ACCOUNT.value),
    ]
    prices = [
        builders.a_price(f"{number}.0000", scope=DEFAULT_LIST) for number in range(len(audiences))
    ]
    store.apply_prices([published(*pair) for pair in zip(audiences, prices, strict=True)], [])
    for audience, price in zip(audiences, prices, strict=True):
        assert store.shown_prices(audience, DEFAULT_LIST) == {price.key: price.value}
        (seen,) = store.shown_to([audience])
        assert seen == published(audience, price)
    everything = list(store.shown_to(audiences))
    assert len(everything) == len(audiences)
    assert set(store.shown_price_partitions()) == {(each, DEFAULT_LIST) for each in audiences}


def test_every_entry_of_a_ladder_is_a_price_of_its_own(store: EmbeddedStore) -> None:
    audience = Audience(AudienceKind.ACCOUNT, ACCOUNT.value)
    entries = [
        builders.a_price("123456789012345.6789"),
        builders.a_price(None, min_quantity=Decimal("10.50"), valid_until=date(2025, 1, 1)),
        builders.a_price("0.0100", min_quantity=Decimal(10)),
        builders.a_price("1.10", valid_from=date(2030, 1, 1)),
        builders.a_price("1.20", priority=-5),
        builders.a_price("1.30", warehouse="W1"),
        builders.a_price("1.40", unit="BOX"),
        builders.a_price("1.50", currency="SEK"),
        builders.a_price("1.60", price_list="SPRING"),
    ]
    store.apply_prices([published(audience, each) for each in entries], [])
    shown = store.shown_prices(audience, PriceScope.account(ACCOUNT))
    assert shown == {each.key: each.value for each in entries}
    assert [str(shown[each.key].unit_price) for each in entries] == [
        str(each.value.unit_price) for each in entries
    ]
    # "10.5" and "10.50" pieces are one step: putting it again must not double it.
    again = builders.a_price("7.00", min_quantity=Decimal("10.5"))
    gone = builders.a_price(min_quantity=Decimal("10.0"))
    store.apply_prices([published(audience, again)], [PublishedPriceKey(audience, gone.key)])
    shown = store.shown_prices(audience, PriceScope.account(ACCOUNT))
    assert len(shown) == len(entries) - 1
    assert shown[again.key] == again.value


def test_many_more_keys_than_a_statement_holds_are_read(store: EmbeddedStore) -> None:
    ids = [CustomerId(f"C-{number:05}") for number in range(2_000)]
    store.apply_ship_tos([ship_to_view(customer_id) for customer_id in ids], [])
    assert len(store.shown_ship_tos([*ids, *(CustomerId(f"X{n}") for n in range(40_000))])) == 2_000


@pytest.mark.rule("WA-13")
def test_an_orders_way_into_the_erp_is_set_and_never_appended(
    store: EmbeddedStore, shop: Shop
) -> None:
    shop(writing.place_order, builders.a_web_order())
    order_id = WebOrderId("order-1")
    for notice in (
        ImportNotice(ImportState.PENDING),
        ImportNotice(ImportState.ABORTED, message="Period 03/2025 is closed"),
        ImportNotice(ImportState.PROCESSED, ErpOrderNumber("SO-1")),
        ImportNotice(ImportState.PROCESSED, ErpOrderNumber("SO-1")),
    ):
        store.show_import(order_id, notice)
        assert store.shown_imports([order_id]) == {order_id: notice}
    assert shop(queries.count, schema.order_imports) == 1


@pytest.mark.rule("OI-3")
def test_the_erps_word_on_an_order_replaces_what_it_said_before(
    store: EmbeddedStore, shop: Shop
) -> None:
    shop(writing.place_order, builders.a_web_order())
    order_id = WebOrderId("order-1")
    picked = OrderStatus(
        ErpOrderState.PARTLY_SHIPPED,
        ErpOrderNumber("SO-1"),
        shipments=(
            Shipment("D-2", date(2025, 3, 5), "DHL", "JD0002"),
            Shipment("D-1"),
        ),
        lines=(LineStatus(1, builders.SKU, Decimal("10.00"), Decimal(4), Decimal("6.0")),),
        message="rest on Friday",
    )
    store.show_order_status(order_id, picked)
    assert store.shown_order_statuses([order_id, WebOrderId("none")]) == {order_id: picked}
    shipped = OrderStatus(ErpOrderState.SHIPPED, ErpOrderNumber("SO-1"))
    store.show_order_status(order_id, shipped)
    assert store.shown_order_statuses([order_id]) == {order_id: shipped}


@pytest.mark.rule("OI-3")
def test_what_is_shown_at_an_order_does_not_come_back_as_a_change_of_it(
    store: EmbeddedStore, shop: Shop
) -> None:
    placed = builders.a_web_order()
    shop(writing.place_order, placed)
    store.show_import(placed.order_id, ImportNotice(ImportState.PROCESSING))
    store.show_order_status(placed.order_id, OrderStatus(ErpOrderState.OPEN))
    assert store.order(placed.order_id) == placed


def test_an_order_that_the_store_does_not_know_cannot_be_shown_anything(
    store: EmbeddedStore,
) -> None:
    nobody = WebOrderId("none")
    with pytest.raises(Rejected) as notice:
        store.show_import(nobody, ImportNotice(ImportState.PENDING))
    with pytest.raises(Rejected) as status:
        store.show_order_status(nobody, OrderStatus(ErpOrderState.OPEN))
    assert notice.value.code == status.value.code == "store_unknown_order"
    assert store.mirror_writes == 0


@pytest.mark.rule("MI-1")
def test_mirroring_and_withdrawing_touch_nothing_that_users_own(
    store: EmbeddedStore, shop: Shop
) -> None:
    user = builders.a_web_user()
    shop(writing.add_user, user, name="Ada")
    shop(writing.add_organisation, builders.an_organisation())
    shop(writing.set_own_addresses, user.web_user, [builders.a_typed_address()])
    shop(writing.place_order, builders.a_full_web_order())
    before = shop(_owned)
    assert all(before[name] for name in ("web_users", "memberships", "own_addresses", "orders"))
    store.put_accounts([account_view(users=(user.web_user,))])
    store.apply_ship_tos([ship_to_view()], [])
    store.apply_invoices([invoice_view()], [])
    store.withdraw_account(ACCOUNT)
    assert shop(_owned) == before


def _owned(connection: Connection) -> dict[str, list[Any]]:
    tables = [
        *(schema.web_users, schema.memberships, schema.organisations, schema.own_addresses),
        *(schema.orders, *schema.ORDER_PARTS),
    ]
    return {table.name: queries.rows(connection, select(table)) for table in tables}


@pytest.mark.rule("MI-2")
def test_every_record_put_or_removed_is_counted_and_reading_counts_nothing(
    store: EmbeddedStore,
) -> None:
    store.put_accounts([account_view(), account_view(customer_id=OTHER)])
    store.apply_ship_tos([ship_to_view()], [(OTHER, builders.SHIP_TO)])
    store.apply_invoices([invoice_view()], [])
    counted = store.mirror_writes
    assert counted == 5
    store.shown_accounts([ACCOUNT])
    store.shown_ship_tos([ACCOUNT])
    store.shown_invoices([ACCOUNT])
    list(store.shown_price_partitions())
    store.put_accounts([])
    store.apply_ship_tos([], [])
    store.apply_prices([], [])
    assert store.mirror_writes == counted


def test_readers_go_on_while_a_shopper_checks_out(store: EmbeddedStore) -> None:
    store.apply_ship_tos([ship_to_view()], [])
    with store.engine.begin() as connection:
        writing.place_order(connection, builders.a_web_order())
        assert len(store.shown_ship_tos([ACCOUNT])) == 1
        assert store.order(WebOrderId("order-1")) is None
    assert store.order(WebOrderId("order-1")) is not None


@pytest.mark.rule("WA-2", "TL-3")
def test_a_users_exception_within_an_organisation_wins_over_its_account(
    store: EmbeddedStore, shop: Shop
) -> None:
    user, company = builders.a_web_user(), builders.an_organisation()
    shop(writing.add_organisation, company)
    shop(writing.add_user, user, name="Ada")
    exception = Exceptional(company.organisation, user.web_user)
    store.put_accounts(
        [
            account_view(organisations=(company.organisation,)),
            account_view(customer_id=OTHER, exceptions=(exception,)),
        ]
    )
    acting = shop(buyer_view.acts_for, user.web_user)
    assert acting[company.organisation].customer_id == OTHER
