"""The worked example of a profile: what it reads is what the sample ERP was given."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Protocol, cast

import pytest

from erp_adapters.sql.adapter import SqlErpAdapter
from sync.columnar.vectors import vector_of
from sync.domain.account_order import OrderSource
from sync.domain.ids import IdempotencyKey, InvoiceNumber
from sync.domain.pricing import DEFAULT_LIST, PriceLevel, PriceQuestion, effective_price
from sync.errors import Rejected
from sync.flows.feed_findings import feed_findings
from sync.ports.erp import (
    ChecksPurchaseOrders,
    Erp,
    Feed,
    FindingLevel,
    FindsContacts,
    FindsContactsTogether,
    ReadsAccountOrders,
    ReadsAccounts,
    ReadsAvailability,
    ReadsBalances,
    ReadsCustomerParts,
    ReadsDocuments,
    ReadsInvoices,
    ReadsItems,
    ReadsPrices,
    ReadsShipTos,
    SupportsPriceBatches,
    TellsChanges,
)
from sync.sample import build_sample
from sync.sample.build import Sample, make_sample
from sync.sample.customers import IN_EUROS, RETAIL_US, SHARE_A_MAILBOX, SHARED_EMAIL, trade
from sync.sample.good_orders import USED_PO
from sync.sample.ledger import build_balances
from sync.sample.papers import build_papers
from sync.sample.part_numbers import build_parts
from sync.sample.stock import RETURNS, build_stock
from sync.sample.wrong_orders import MAX_ORDER_LINES, NOTES_LENGTH
from tests.postgres import database

TODAY = date(2026, 3, 2)


class SampleErp(
    Erp,
    ReadsAccounts,
    ReadsAccountOrders,
    FindsContacts,
    FindsContactsTogether,
    ReadsShipTos,
    ReadsItems,
    ReadsPrices,
    SupportsPriceBatches,
    ReadsInvoices,
    ReadsBalances,
    ReadsCustomerParts,
    ReadsDocuments,
    ReadsAvailability,
    TellsChanges,
    ChecksPurchaseOrders,
    Protocol,
):
    """All that the sample's profile lets an adapter read."""


@pytest.fixture(scope="module")
def sample() -> Sample:
    return make_sample(seed=7, today=TODAY)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def erp(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SampleErp]:
    """The sample ERP on each database that the profile says it is written for."""
    folder: Path = tmp_path_factory.mktemp("sample")
    store = f"sqlite:///{folder / 'store.sqlite'}"
    if request.param == "sqlite":
        yield from _opened(f"sqlite:///{folder / 'erp.sqlite'}", store, folder)
    else:
        with database() as url:
            yield from _opened(url, store, folder)


def _opened(url: str, store: str, folder: Path) -> Iterator[SampleErp]:
    build_sample(url, store, today=TODAY)
    adapter = SqlErpAdapter.from_settings({"url": url, "profile": "sample"}, {}, folder)
    yield cast("SampleErp", adapter)
    adapter.close()


@pytest.mark.rule("OP-4")
def test_check_finds_nothing_to_object_to(erp: SampleErp) -> None:
    assert [each for each in erp.check() if each.level is not FindingLevel.OK] == []


@pytest.mark.rule("WA-6", "WA-7")
@pytest.mark.parametrize("level", PriceLevel)
def test_the_feed_of_each_level_is_what_the_statement_by_owner_says(
    erp: SampleErp, level: PriceLevel
) -> None:
    told = dict(erp.price_vectors(level))

    assert told.keys() == {scope for scope in erp.price_scopes() if scope.level is level}
    for scope, vector in told.items():
        assert vector.equals(vector_of(erp.prices([scope])))


@pytest.mark.rule("WA-6", "OP-4")
def test_check_finds_each_feed_to_tell_the_same(erp: SampleErp) -> None:
    found = [(each.subject, each.level) for each in feed_findings(erp)]
    levels = [
        f"price {what} {level.name.lower()}" for what in ("feed", "state") for level in PriceLevel
    ]
    assert found == [(each, FindingLevel.OK) for each in levels]


@pytest.mark.rule("WA-1")
def test_counter_customers_are_no_accounts(erp: SampleErp, sample: Sample) -> None:
    own = {account.customer_id for account in sample.world.customers.accounts()}
    assert set(erp.customer_ids()) == own
    consumers = [
        each.account.customer_id
        for each in sample.world.customers.customers
        if each.customer_class == "CONSUMER"
    ]
    assert consumers
    assert not erp.accounts(consumers)


@pytest.mark.rule("MI-1")
def test_accounts_and_their_places_are_read_as_they_are(erp: SampleErp, sample: Sample) -> None:
    customers = sample.world.customers
    accounts = {account.customer_id: account for account in customers.accounts()}
    assert erp.accounts(list(accounts)) == accounts
    read = erp.locations(list(accounts))
    assert sorted(read, key=lambda each: each.location_id) == list(customers.locations)
    assert set(erp.ship_tos(list(accounts))) == set(customers.ship_tos)
    assert set(erp.bill_tos(list(accounts))) == set(customers.bill_tos)


def test_items_are_read_with_their_units_and_restrictions(erp: SampleErp, sample: Sample) -> None:
    items = {item.sku: item for item in sample.world.catalogue.items}
    read = erp.items(list(items))
    assert read.keys() == items.keys()
    for sku, item in items.items():
        assert dict(read[sku].units) == dict(item.units)
        units = read[sku].units
        assert read[sku] == type(item)(
            **{name: getattr(item, name) for name in item.__slots__ if name != "units"},
            units=units,
        )


@pytest.mark.rule("WA-6", "WA-7", "VE-12")
def test_prices_of_every_level_are_read_to_the_last_place(erp: SampleErp, sample: Sample) -> None:
    entries = sample.world.prices.entries
    scopes = set(erp.price_scopes())
    assert scopes == {entry.key.scope for entry in entries}
    assert sorted(erp.prices(scopes), key=lambda each: each.key.order) == list(entries)


@pytest.mark.rule("WA-10")
def test_some_base_prices_are_others_where_the_goods_are_shipped_from_rotterdam(
    erp: SampleErp,
) -> None:
    entries = list(erp.prices([DEFAULT_LIST]))
    there = [each for each in entries if each.key.warehouse is not None]
    assert {each.key.warehouse for each in there} == {"RTM"}
    assert len(there) == 6
    for each in there:
        key = each.key
        asked = PriceQuestion(key.sku, key.unit, key.currency, Decimal(1), TODAY, "RTM")
        own = [entry for entry in entries if entry.key.sku == key.sku]
        found = [
            effective_price(own, replace(asked, warehouse=where)) for where in ("RTM", "CHI", None)
        ]
        dear, *others = (one.price.value.unit_price or 0 for one in found if one is not None)
        assert dear == each.value.unit_price
        assert len(others) == 2
        assert max(others) < dear, "from anywhere else it costs what the base list says"


@pytest.mark.rule("MI-6")
def test_invoices_are_read_with_lines_and_instalments_and_drafts_are_not(
    erp: SampleErp, sample: Sample
) -> None:
    read = {invoice.number: invoice for invoice in erp.invoices(list(erp.customer_ids()))}
    assert read == {invoice.number: invoice for invoice in sample.invoices}
    assert InvoiceNumber("DRAFT-1") not in read


@pytest.mark.rule("MI-6")
def test_balances_are_read_with_the_ageing_that_the_office_in_europe_keeps(
    erp: SampleErp, sample: Sample
) -> None:
    told = sorted(erp.balances(list(erp.customer_ids())), key=lambda each: each.sold_to)
    assert told == list(build_balances(sample.invoices, TODAY))
    assert {each.sold_to for each in told if each.ageing} == set(IN_EUROS)
    assert all(each.ageing.total == each.balance for each in told if each.ageing)


@pytest.mark.rule("MI-5")
def test_orders_of_the_desk_and_of_edi_are_read_and_none_is_from_the_web_yet(
    erp: SampleErp, sample: Sample
) -> None:
    told = erp.account_orders(list(erp.customer_ids()))
    assert {each.source for each in told} == {OrderSource.DESK, OrderSource.EDI}
    assert len({each.number for each in told}) == len(told) > 10
    assert {(each.key, each.web_order) for each in told} == {(None, None)}
    assert all(line.net == each.total for each in told for line in each.lines)
    assert all(line.shipped == line.quantity for each in told for line in each.lines)
    some = told[0].sold_to
    assert {each.sold_to for each in erp.account_orders([some])} == {some}


@pytest.mark.rule("TL-6")
def test_customers_own_item_numbers_are_read_as_they_are(erp: SampleErp, sample: Sample) -> None:
    told = sorted(erp.customer_parts(list(erp.customer_ids())), key=lambda each: each.key)
    assert told == list(build_parts(sample.world.catalogue))


@pytest.mark.rule("TL-7")
def test_documents_are_read_as_they_are(erp: SampleErp, sample: Sample) -> None:
    told = {each.key: each for each in erp.documents(list(erp.customer_ids()))}
    assert told == {each.key: each for each, _ in build_papers(sample.invoices)}


@pytest.mark.rule("MI-4")
def test_stock_is_read_as_it_is_and_the_returns_bay_is_not(erp: SampleErp, sample: Sample) -> None:
    told = sorted(erp.availability(), key=lambda each: each.key)
    assert told == list(build_stock(sample.world.catalogue, TODAY))
    assert RETURNS not in {each.warehouse for each in told}
    assert {each.sku for each in erp.availability([told[0].sku])} == {told[0].sku}


@pytest.mark.rule("WA-3a")
def test_retail_group_has_no_addresses_on_file(erp: SampleErp) -> None:
    assert not erp.ship_tos([RETAIL_US])
    assert not erp.bill_tos([RETAIL_US])


@pytest.mark.rule("WA-2")
def test_shared_mailbox_belongs_to_two_accounts(erp: SampleErp) -> None:
    assert set(erp.accounts_by_email(SHARED_EMAIL.upper())) == set(SHARE_A_MAILBOX)
    assert isinstance(erp, FindsContactsTogether)
    told = dict(erp.accounts_by_emails([SHARED_EMAIL.upper(), "nobody@x.example"]))
    assert told.pop("nobody@x.example") == ()
    [(asked, found)] = told.items()
    assert asked == SHARED_EMAIL.upper()
    assert not isinstance(found, Rejected)
    assert set(found) == set(SHARE_A_MAILBOX)


@pytest.mark.rule("WA-15")
def test_po_number_of_a_desk_order_counts_as_used(erp: SampleErp) -> None:
    key = IdempotencyKey("sample-none")
    assert erp.purchase_order_used(trade(22), USED_PO, key) is not None
    assert erp.purchase_order_used(trade(21), USED_PO, key) is None


def test_nothing_has_changed_since_now_and_everything_since_before(erp: SampleErp) -> None:
    assert erp.capabilities.change_feeds == frozenset(Feed)
    for feed in (Feed.ACCOUNTS, Feed.SHIP_TOS, Feed.INVOICES):
        changed, reached = erp.changed_customers(feed, erp.feed_now(feed))
        assert not changed
        assert reached.at.tzinfo is not None


def test_limits_of_the_profile_are_those_that_the_wrong_orders_exceed(erp: SampleErp) -> None:
    assert erp.capabilities.max_order_lines == MAX_ORDER_LINES
    assert erp.capabilities.notes_length == NOTES_LENGTH
