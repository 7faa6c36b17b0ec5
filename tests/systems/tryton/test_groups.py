"""Orders in groups in a real Tryton: all of them or none, by as few calls as for one."""

from __future__ import annotations

import dataclasses
import threading
from decimal import Decimal
from typing import Any

import pytest

from erp_adapters.tryton.adapter import TrytonErpAdapter
from sync.domain.ids import CustomerId, IdempotencyKey
from sync.domain.sales_order import OneOffShipTo, SalesOrder
from sync.errors import Conflict, GroupRejected, OutcomeUnknown, SyncError, TryLater
from sync.testing import faulty_http as fault
from tests.systems.tryton.client import Tryton
from tests.systems.tryton.conftest import Live
from tests.systems.tryton.gateway import at, before, open_gateway
from tests.systems.tryton.shop import RETAIL, a_key, a_retail_order, an_address, an_order, usd
from tests.systems.tryton.test_orders import (
    CREATE,
    FAULTS,
    HIDE_ADDRESS,
    NEW_ADDRESS,
    QUOTE,
    active_addresses,
    addresses,
)

Orders = list[tuple[SalesOrder, IdempotencyKey]]


def a_group(live: Live, what: str, size: int = 3) -> Orders:
    return [(an_order(live), a_key(what)) for _ in range(size)]


def held(admin: Tryton, orders: Orders) -> list[dict[str, Any]]:
    """The sales under these keys, drafts included."""
    domain: list[object] = [("web_id", "in", [key.value for _, key in orders])]
    return admin.rows("sale.sale", domain, "state", "number", "web_id", "total_amount")


def broken(order: SalesOrder) -> SalesOrder:
    """Half a piece of what is sold by the piece: only Tryton itself finds that out."""
    line = dataclasses.replace(order.lines[0], quantity=Decimal("12.5"))
    return dataclasses.replace(order, lines=(line,))


def untaxed(order: SalesOrder) -> SalesOrder:
    return dataclasses.replace(order, taxes=(), total=usd("475.23"))


@pytest.mark.rule("OI-1")
def test_a_larger_group_takes_no_more_calls(written: Live, admin: Tryton) -> None:
    calls = []
    for size in (2, 8):
        orders = a_group(written, f"group-of-{size}", size)
        server, gateway = open_gateway(written.server.url)
        with server:
            adapter = written.adapter(url=server.url)
            adapter.find_orders([key for _, key in orders])  # signs in, finds the places
            gateway.calls.clear()
            answers = adapter.submit_orders(orders)
            adapter.close()
        calls.append(list(gateway.calls))
        rows = {row["web_id"]: row for row in held(admin, orders)}
        told = [rows[key.value]["number"] for _, key in orders]
        assert told == [str(answer.number) for answer in answers]
        assert {row["state"] for row in rows.values()} == {"quotation"}
        assert {row["total_amount"] for row in rows.values()} == {Decimal("522.75")}
    assert calls[0] == calls[1]
    assert [each for each in calls[1] if "search" not in each and "on_change" not in each] == [
        CREATE,
        QUOTE,
    ]


@pytest.mark.rule("OI-1", "OI-2")
@pytest.mark.parametrize("place", [0, 2])
def test_an_order_that_tryton_refuses_leaves_nothing_of_its_group(
    written: Live, writer: TrytonErpAdapter, admin: Tryton, place: int
) -> None:
    orders = a_group(written, "refused")
    order, key = orders[place]
    orders[place] = (broken(order), key)
    lines = len(admin.find("sale.line"))
    with pytest.raises(GroupRejected) as refusal:
        writer.submit_orders(orders)
    assert refusal.value.code == "erp_rule"
    assert held(admin, orders) == []
    assert len(admin.find("sale.line")) == lines
    rest = [each for each in orders if each[1] != key]
    assert len(writer.submit_orders(rest)) == 2


@pytest.mark.rule("OI-1", "OI-2")
def test_an_order_that_cannot_be_quoted_leaves_nothing_of_its_group(
    written: Live, writer: TrytonErpAdapter, admin: Tryton
) -> None:
    """This customer has no address to send an invoice to, and a quotation needs one."""
    code = "BARE-1"
    admin.create("party.party", name="Bare", code=code, addresses=[])
    orders = a_group(written, "unquoted")
    bare = dataclasses.replace(
        orders[1][0], sold_to=CustomerId(code), ship_to=OneOffShipTo(an_address(name="Bare"))
    )
    orders[1] = (bare, orders[1][1])
    with pytest.raises(GroupRejected) as refusal:
        writer.submit_orders(orders)
    assert refusal.value.remedy
    assert held(admin, orders) == []


@pytest.mark.rule("OI-6")
def test_an_order_that_would_come_to_another_total_is_named_and_leaves_nothing(
    written: Live, writer: TrytonErpAdapter, admin: Tryton
) -> None:
    orders = a_group(written, "taxed-otherwise")
    orders[1] = (untaxed(orders[1][0]), orders[1][1])
    with pytest.raises(GroupRejected) as refusal:
        writer.submit_orders(orders)
    assert (refusal.value.position, refusal.value.code) == (1, "erp_total_differs")
    assert held(admin, orders) == []


@pytest.mark.rule("OI-8", "WA-2c")
def test_what_tryton_does_not_have_is_named_before_anything_is_written(
    written: Live, writer: TrytonErpAdapter, admin: Tryton
) -> None:
    name = "Nobody yet"
    first = a_retail_order(written, ship_to=OneOffShipTo(an_address(name=name)))
    stranger = an_order(written, sold_to=CustomerId("C99999"))
    orders = [(first, a_key("first")), (stranger, a_key("stranger"))]
    with pytest.raises(GroupRejected) as refusal:
        writer.submit_orders(orders)
    assert (refusal.value.position, refusal.value.code) == (1, "erp_unknown_customer")
    assert held(admin, orders) == []
    assert addresses(admin, RETAIL, name) == []


@pytest.mark.rule("OI-1")
@pytest.mark.parametrize("finished", [True, False])
def test_a_key_that_is_taken_refuses_the_whole_group(
    written: Live, writer: TrytonErpAdapter, admin: Tryton, finished: bool
) -> None:
    """Tryton's own unique key does: nobody looks before."""
    orders = a_group(written, "taken")
    if finished:
        writer.submit_order(*orders[1])
    else:
        server, _ = open_gateway(written.server.url, at(QUOTE, fault.lost_request()))
        with server:
            adapter = written.adapter(url=server.url)
            with pytest.raises(OutcomeUnknown):
                adapter.submit_order(*orders[1])
            adapter.close()
    with pytest.raises(Conflict):
        writer.submit_orders(orders)
    assert [row["web_id"] for row in held(admin, orders)] == [orders[1][1].value]
    for each in orders:
        writer.submit_order(*each)
    assert [row["state"] for row in held(admin, orders)] == ["quotation"] * 3


@pytest.mark.rule("WA-3a")
def test_one_off_addresses_of_a_group_are_made_together_and_stay_on_no_list(
    written: Live, admin: Tryton
) -> None:
    names = ("Kim Group", "Lou Group", "Kim Group")
    orders = [
        (
            a_retail_order(
                written, ship_to=OneOffShipTo(an_address(name=name)), bill_to=an_address(name=name)
            ),
            a_key("retail-group"),
        )
        for name in names
    ]
    before_them = active_addresses(admin, RETAIL)
    server, gateway = open_gateway(written.server.url)
    with server:
        adapter = written.adapter(url=server.url)
        adapter.submit_orders(orders)
        adapter.close()
    assert (gateway.count(NEW_ADDRESS), gateway.count(HIDE_ADDRESS)) == (1, 1)
    assert active_addresses(admin, RETAIL) == before_them
    for name in set(names):
        assert [row["active"] for row in addresses(admin, RETAIL, name)] == [False]
    rows = admin.rows(
        "sale.sale",
        [("web_id", "in", [key.value for _, key in orders])],
        "web_id",
        "shipment_address.party_name",
    )
    shipped = {row["web_id"]: row["shipment_address."]["party_name"] for row in rows}
    assert [shipped[key.value] for _, key in orders] == list(names)


@pytest.mark.rule("OI-1")
@pytest.mark.parametrize("what", FAULTS)
@pytest.mark.parametrize("step", [NEW_ADDRESS, CREATE, QUOTE], ids=lambda step: step[6:])
def test_whatever_is_lost_each_order_of_the_group_is_there_once_in_the_end(
    written: Live, admin: Tryton, step: str, what: str
) -> None:
    name = f"group {step} {what}"
    first = a_retail_order(written, ship_to=OneOffShipTo(an_address(name=name)))
    orders = [(first, a_key("lost")), *a_group(written, "lost", 2)]
    server, _ = open_gateway(written.server.url, at(step, FAULTS[what]()))
    with server:
        adapter = written.adapter(url=server.url)
        told: type[Exception] | None = None
        try:
            adapter.submit_orders(orders)
        except (TryLater, OutcomeUnknown) as error:
            told = type(error)
        found = adapter.find_orders([key for _, key in orders])
        assert len(found) in (0, 3), "all or none"
        if told is TryLater:
            assert (step, held(admin, orders)) == (NEW_ADDRESS, [])
        for order, key in orders:
            if key not in found:
                adapter.submit_order(order, key)
        adapter.close()
    assert [row["state"] for row in held(admin, orders)] == ["quotation"] * 3


@pytest.mark.rule("OI-1")
def test_somebody_who_changes_one_of_the_sales_meanwhile_stops_the_group(
    written: Live, admin: Tryton
) -> None:
    orders = a_group(written, "edited")

    def edit() -> None:
        row = held(admin, orders)[1]
        admin("sale.sale.write", [row["id"]], {"description": "seen by a clerk"})

    server, _ = open_gateway(written.server.url, before(QUOTE, edit))
    with server:
        adapter = written.adapter(url=server.url)
        with pytest.raises(Conflict):
            adapter.submit_orders(orders)
        assert adapter.find_orders([key for _, key in orders]) == {}
        for each in orders:
            adapter.submit_order(*each)
        adapter.close()
    assert [row["state"] for row in held(admin, orders)] == ["quotation"] * 3


@pytest.mark.rule("OI-1")
def test_three_workers_with_one_group_write_it_once(written: Live, admin: Tryton) -> None:
    orders = a_group(written, "workers")
    adapters = [written.adapter() for _ in range(3)]
    start = threading.Barrier(len(adapters))
    done, errors = [], []

    def work(adapter: TrytonErpAdapter) -> None:
        start.wait()
        try:
            done.append(adapter.submit_orders(orders))
        except SyncError as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(adapter,)) for adapter in adapters]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for adapter in adapters:
        adapter.close()
    assert len(done) == 1, errors
    assert [row["state"] for row in held(admin, orders)] == ["quotation"] * 3


def test_orders_that_are_confirmed_at_once_go_one_by_one(written: Live) -> None:
    """One on hold would be finished before the others are."""
    sizes = {}
    for reach in ("draft", "quotation", "confirmed"):
        adapter = written.adapter(reach=reach)
        sizes[reach] = adapter.capabilities.order_group
        adapter.close()
    assert sizes["confirmed"] == 1
    assert min(sizes["draft"], sizes["quotation"]) > 1
