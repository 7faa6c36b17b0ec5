"""The same on PostgreSQL, so that SQLite's habits do not decide what is right.

A part of the orders is enough here: every kind of order is among them, and each
goes through the same statements as all the others.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from erp_adapters.sql.adapter import SqlErpAdapter
from sync.domain.ids import CustomerId
from sync.domain.order import WebOrder
from sync.domain.pricing import DEFAULT_LIST, PriceScope
from sync.flows.cycle import FLOWS
from sync.ports.erp import Erp, FindingLevel, ReadsAccounts, ReadsPrices, ReadsShipTos
from sync.testing.clock import ManualClock
from tests.postgres import database
from tests.realdata.adventureworks_erp import RETAIL_GROUP, prepare
from tests.realdata.comparing import differences, imported, originals
from tests.realdata.on_postgresql import carry_over
from tests.realdata.source import copy_of, opened
from tests.realdata.story import A_SUNDAY, Cycle, cycle, running, set_up
from tests.realdata.web_store import PAID_SOMEHOW, WebStore, read_web_store

NUMBERED = ("Sales_SalesOrderHeader", "SalesOrderID")
EVERY = 40
# All prices are compared by themselves, entry by entry.
WITHOUT_PRICES = tuple(flow for flow in FLOWS if flow != "prices")


@dataclass(frozen=True, slots=True)
class Both:
    """The prepared ERP in both databases, before any order."""

    sqlite: Path
    postgresql: str


@pytest.fixture(scope="module")
def both(adventureworks: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    file = copy_of(adventureworks, tmp_path_factory.mktemp("erp") / "erp.sqlite")
    prepare(file)
    with database() as url:
        carry_over(file, url, NUMBERED)
        yield Both(file, url)


def read_by(url: str, base: Path) -> Erp:
    return SqlErpAdapter.from_settings({"url": url, "profile": "adventureworks"}, {}, base)


def a_folder(workshop: Path, name: str) -> Path:
    """A new folder of this process's own, in memory where there is some."""
    folder = workshop / f"postgresql-{os.getpid()}" / name
    folder.mkdir(parents=True)
    return folder


def a_part_of(store: WebStore) -> WebStore:
    """Orders of every kind: discounts, currencies, other ship-tos, no card, and each 40th."""
    chosen = [
        order
        for place, order in enumerate(store.orders)
        if place % EVERY == 0 or order.adjustments or _apart(order) or _rare(order)
    ]
    buyers = {order.buyer.web_user for order in chosen}
    users = tuple(user for user in store.users if user.web_user in buyers)
    return replace(store, orders=tuple(chosen), users=users)


def _apart(order: WebOrder) -> bool:
    on_file = {"SO43875", "SO43884", "SO44099", "SO44118"}
    return order.number.value in on_file


def _rare(order: WebOrder) -> bool:
    paid = {payment.method for payment in order.payments}
    return "on-account" in paid or (PAID_SOMEHOW in paid and order.number.value < "SO44000")


@pytest.mark.rule("WA-7")
def test_both_databases_answer_the_same_accounts_addresses_and_prices(both: Both) -> None:
    answers = []
    for url in ("sqlite:///erp.sqlite", both.postgresql):
        erp = read_by(url, both.sqlite.parent)
        try:
            assert isinstance(erp, ReadsAccounts)
            assert isinstance(erp, ReadsShipTos)
            assert isinstance(erp, ReadsPrices)
            ids = sorted(erp.customer_ids())
            scopes = [PriceScope.group("Reseller"), DEFAULT_LIST]
            answers.append(
                (
                    erp.accounts(ids),
                    {(each.sold_to, each.ship_to_id): each for each in erp.ship_tos(ids)},
                    {(each.sold_to, each.bill_to_id): each for each in erp.bill_tos(ids)},
                    {each.key: each.value for each in erp.prices(scopes)},
                )
            )
        finally:
            erp.close()
    assert answers[0] == answers[1]
    accounts, ship_tos, bill_tos, prices = answers[1]
    assert (len(accounts), len(ship_tos), len(bill_tos)) == (1337, 1358, 1336)
    assert len(prices) == 7 * 1823
    assert accounts[CustomerId(RETAIL_GROUP)].terms is None


@pytest.fixture(scope="module")
def part(both: Both, adventureworks: Path, workshop: Path) -> tuple[WebStore, Cycle]:
    """A part of the orders, imported into PostgreSQL by one cycle."""
    store = a_part_of(read_web_store(adventureworks))
    site = a_folder(workshop, "site")
    set_up(site, store, both.postgresql)
    with running(site, ManualClock(A_SUNDAY)) as pipeline:
        return store, cycle(pipeline, "first", WITHOUT_PRICES)


@pytest.mark.rule("OI-1")
def test_orders_are_in_postgresql_as_they_were_to_the_last_decimal_place(
    both: Both, part: tuple[WebStore, Cycle], adventureworks: Path
) -> None:
    store, first = part
    held = [order for order in store.orders if order.payments[0].method == PAID_SOMEHOW]
    numbers = {order.number.value for order in store.orders} - {o.number.value for o in held}
    assert first.count("orders", "imported") == len(numbers)
    assert first.count("orders", "quarantined") == len(held) > 0
    before, after = create_engine(f"sqlite:///{adventureworks}"), create_engine(both.postgresql)
    try:
        with before.connect() as source, after.connect() as erp:
            wanted = {key: each for key, each in originals(source).items() if key in numbers}
            assert differences(wanted, imported(erp)) == []
            first_number = erp.exec_driver_sql(
                "SELECT min(SalesOrderID) FROM Sales_SalesOrderHeader"
            )
            assert first_number.scalar_one() == 75124
    finally:
        before.dispose()
        after.dispose()
    assert {order.currency for order in store.orders} >= {"USD", "AUD", "CAD", "DEM", "FRF", "GBP"}
    assert any(order.adjustments for order in store.orders)


@pytest.fixture(scope="module")
def afterwards(both: Both, part: tuple[WebStore, Cycle], workshop: Path) -> tuple[Path, Cycle]:
    """Everything is shipped, and a site that has lost all its state runs one cycle."""
    engine = create_engine(both.postgresql)
    try:
        with engine.begin() as erp:
            erp.exec_driver_sql(
                "UPDATE Sales_SalesOrderHeader SET Status = 5, ModifiedDate = CURRENT_TIMESTAMP,"
                " ShipDate = OrderDate + INTERVAL '7 days'"
            )
    finally:
        engine.dispose()
    site = a_folder(workshop, "site-without-memory")
    set_up(site, part[0], both.postgresql)
    with running(site, ManualClock(A_SUNDAY)) as pipeline:
        return site, cycle(pipeline, "afterwards", WITHOUT_PRICES)


@pytest.mark.rule("OI-1")
def test_a_site_that_lost_its_state_finds_its_orders_and_writes_none_twice(
    both: Both, part: tuple[WebStore, Cycle], afterwards: tuple[Path, Cycle]
) -> None:
    (_, first), (_, again) = part, afterwards
    imported_then = first.count("orders", "imported")
    assert again.count("orders", "imported") == imported_then
    engine = create_engine(both.postgresql)
    try:
        with engine.connect() as erp:
            held = erp.exec_driver_sql("SELECT count(*) FROM Sales_SalesOrderHeader").scalar_one()
    finally:
        engine.dispose()
    assert held == imported_then


@pytest.mark.rule("WA-8")
def test_invoices_from_postgresql_are_those_of_stores_only(
    part: tuple[WebStore, Cycle], afterwards: tuple[Path, Cycle]
) -> None:
    (store, first), (site, again) = part, afterwards
    wholesale = first.count("orders", "imported_wholesale")
    assert again.count("invoices", "added") == wholesale > 0
    with opened(site / "var" / "store.sqlite") as shop:
        shown = {row[0] for row in shop.execute("SELECT web_reference FROM invoices")}
    assert shown == {
        order.number.value for order in store.orders if order.buyer.organisation is not None
    }


def test_the_profile_fits_the_prepared_databases(both: Both) -> None:
    for url in ("sqlite:///erp.sqlite", both.postgresql):
        erp = read_by(url, both.sqlite.parent)
        try:
            findings = erp.check()
        finally:
            erp.close()
        assert [each for each in findings if each.level is FindingLevel.ERROR] == []
