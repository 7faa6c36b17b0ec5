"""Orders in a real Tryton: written once, whole, and as far as the settings say."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests

from erp_adapters.tryton.adapter import TrytonErpAdapter
from sync.domain.ids import CustomerId, IdempotencyKey
from sync.domain.sales_order import (
    CodedAmount,
    ErpOrderState,
    OneOffShipTo,
    OnFileShipTo,
)
from sync.errors import AccessDenied, Conflict, OutcomeUnknown, Rejected, SyncError, TryLater
from sync.ports.erp import TaxQuestion
from sync.testing import builders as a
from sync.testing import faulty_http as fault
from tests.systems.tryton.client import Tryton
from tests.systems.tryton.conftest import Live
from tests.systems.tryton.gateway import at, before, open_gateway
from tests.systems.tryton.shop import (
    FIRST,
    RETAIL,
    SKU,
    TAX,
    a_key,
    a_retail_order,
    an_address,
    an_order,
    usd,
)

CREATE, QUOTE, CONFIRM = (f"model.sale.sale.{name}" for name in ("create", "quote", "confirm"))
NEW_ADDRESS, HIDE_ADDRESS = (f"model.party.address.{name}" for name in ("create", "write"))


def sales(admin: Tryton, key: IdempotencyKey, *fields: str) -> list[dict[str, Any]]:
    return admin.rows("sale.sale", [("web_id", "=", key.value)], "state", "number", *fields)


def addresses(admin: Tryton, customer: CustomerId, name: str) -> list[dict[str, Any]]:
    domain: list[object] = [
        ("party.code", "=", customer.value),
        ("party_name", "=", name),
        ("active", "in", [True, False]),
    ]
    return admin.rows("party.address", domain, "active", "delivery", "invoice")


def active_addresses(admin: Tryton, customer: CustomerId) -> int:
    return len(admin.find("party.address", ("party.code", "=", customer.value)))


# What is written.


@pytest.mark.rule("OI-1", "WA-4")
def test_a_wholesale_order_is_booked_with_terms_list_tax_and_the_chosen_ship_to(
    written: Live, writer: TrytonErpAdapter, admin: Tryton
) -> None:
    key, order = a_key("wholesale"), an_order(written, po_number="PO 77")
    acknowledged = writer.submit_order(order, key)
    [row] = sales(
        admin,
        key,
        "party.code",
        "payment_term.name",
        "price_list.name",
        "shipment_address",
        "invoice_address",
        "reference",
        "untaxed_amount",
        "tax_amount",
        "total_amount",
        "sale_date",
    )
    customer = written.manifest["customers"][0]
    # What `create` leaves empty by itself: an order without terms, list and tax.
    assert row["payment_term."]["name"] == "NET30"
    assert row["price_list."]["name"] == "TIER2"
    assert (row["untaxed_amount"], row["tax_amount"], row["total_amount"]) == (
        Decimal("475.23"),
        Decimal("47.52"),
        Decimal("522.75"),
    )
    assert row["shipment_address"] == customer["delivery_addresses"][0]
    assert row["invoice_address"] == customer["invoice_address"]
    assert (row["party."]["code"], row["reference"]) == ("C00001", "PO 77")
    assert row["sale_date"] == order.ordered_on
    assert (row["state"], row["number"]) == ("quotation", str(acknowledged.number))


@pytest.mark.rule("WA-3a")
def test_retail_orders_leave_the_groups_address_list_as_it_was(
    written: Live, writer: TrytonErpAdapter, admin: Tryton
) -> None:
    before_them = active_addresses(admin, RETAIL)
    shown = {each.ship_to_id for each in writer.ship_tos([RETAIL])}
    for name in ("Ada Visser", "Bo Okafor", "Ada Visser"):
        order = a_retail_order(
            written, ship_to=OneOffShipTo(an_address(name=name)), bill_to=an_address(name=name)
        )
        writer.submit_order(order, a_key("retail"))

    assert active_addresses(admin, RETAIL) == before_them
    assert {each.ship_to_id for each in writer.ship_tos([RETAIL])} == shown
    # One record for both uses, and taken again when the same buyer comes back.
    for name in ("Ada Visser", "Bo Okafor"):
        [held] = addresses(admin, RETAIL, name)
        assert [bool(held[use]) for use in ("active", "delivery", "invoice")] == [False] * 3


@pytest.mark.rule("WA-3a", "OI-3")
def test_the_shipment_goes_to_the_hidden_address(written: Live, admin: Tryton) -> None:
    key = a_key("confirmed")
    adapter = written.adapter(reach="confirmed")
    adapter.submit_order(
        a_retail_order(written, ship_to=OneOffShipTo(an_address(name="Cy Young"))), key
    )
    [row] = sales(
        admin,
        key,
        "shipments.delivery_address.party_name",
        "shipments.delivery_address.street",
        "shipments.delivery_address.subdivision.code",
    )
    [shipment] = row["shipments."]
    assert row["state"] == "processing"
    assert shipment["delivery_address."]["party_name"] == "Cy Young"
    assert shipment["delivery_address."]["street"] == "1 One-off Rd\nDock 4"
    assert shipment["delivery_address."]["subdivision."]["code"] == "US-CA"
    assert adapter.order_statuses([key])[key].state is ErpOrderState.OPEN
    adapter.close()


@pytest.mark.rule("OI-1", "OI-6", "OI-7", "OI-9")
def test_charges_discounts_notes_and_remarks_are_all_in_tryton(
    written: Live, writer: TrytonErpAdapter, admin: Tryton
) -> None:
    """The seed has one product for charges; it stands for the discounts here too."""
    key, base = a_key("everything"), an_order(written)
    line = dataclasses.replace(
        base.lines[0],
        discount=usd("5.23"),
        discount_code="FREIGHT",
        net=usd("470.00"),
        customer_part_number="HH-0042",
        note="Galvanised only",
    )
    taxed = Decimal("470.00") + Decimal("12.10") - Decimal("10.00")
    order = dataclasses.replace(
        base,
        lines=(line,),
        charges=(CodedAmount("FREIGHT", usd("12.10")),),
        discounts=(CodedAmount("FREIGHT", usd("10.00")),),
        taxes=(CodedAmount("TAX10", usd(taxed * TAX), TAX),),
        total=usd((taxed * (1 + TAX)).quantize(Decimal("0.01"))),
        notes="Ring twice\nBack door",
        requested_on=base.ordered_on + timedelta(days=9),
        ship_complete=True,
        ship_via="EXPRESS-SAVER",
        collect_account="X-55",
        phone="+1 555 0100",
        email="ada@harbour.example",
        flags=("price differs from the ERP's",),
    )
    with pytest.raises(Rejected, match="no carrier EXPRESS-SAVER") as refusal:
        writer.submit_order(order, key)
    assert refusal.value.code == "erp_unknown_carrier"
    writer.submit_order(dataclasses.replace(order, ship_via=None), key)

    [row] = sales(
        admin, key, "comment", "shipping_date", "lines.type", "lines.note", "lines.description",
        "lines.unit_price", "lines.sequence", "lines.product.code",
    )  # fmt: skip
    lines = sorted(row["lines."], key=lambda each: int(each["sequence"]))
    assert [(each["description"], each["unit_price"]) for each in lines[1:-1]] == [
        ("Discount FREIGHT on line 1, P00001", Decimal("-5.23")),
        ("FREIGHT", Decimal("12.10")),
        ("FREIGHT", Decimal("-10.00")),
    ]
    assert lines[0]["note"] == "Customer's part number: HH-0042\nGalvanised only"
    assert (row["comment"], row["shipping_date"]) == (order.notes, order.requested_on)
    remarks = lines[-1]["note"]
    assert lines[-1]["type"] == "comment"
    for told in ("X-55", "+1 555 0100", "ada@harbour.example", "price differs", "Ship complete"):
        assert told in remarks, told
    found = writer.find_order(key)
    assert found is not None
    assert (found.line_count, found.total) == (1, order.total)


@pytest.mark.rule("OI-6")
def test_an_order_that_tryton_would_tax_otherwise_is_refused_and_leaves_nothing(
    written: Live, writer: TrytonErpAdapter, admin: Tryton
) -> None:
    key = a_key("taxed")
    untaxed = an_order(written, taxes=(), total=usd("475.23"))
    with pytest.raises(Rejected) as refusal:
        writer.submit_order(untaxed, key)
    assert refusal.value.code == "erp_total_differs"
    assert sales(admin, key) == []
    assert writer.find_order(key) is None


@pytest.mark.rule("OI-6")
def test_the_tax_that_is_told_is_the_tax_that_is_booked(
    written: Live, writer: TrytonErpAdapter, admin: Tryton
) -> None:
    order, key = an_order(written), a_key("quoted-tax")
    question = TaxQuestion(
        customer_id=FIRST,
        currency="USD",
        goods=Decimal("475.23"),
        charges=Decimal("12.10"),
        day=order.ordered_on,
        lines=((SKU, Decimal("475.23")),),
        charge_codes=(("FREIGHT", Decimal("12.10")),),
        discount_codes=(("FREIGHT", Decimal("2.00")),),
    )
    told = writer.order_tax(question)
    assert told is not None
    total = usd(Decimal("485.33") + told.amount)
    writer.submit_order(
        dataclasses.replace(
            order,
            charges=(CodedAmount("FREIGHT", usd("12.10")),),
            discounts=(CodedAmount("FREIGHT", usd("2.00")),),
            total=total,
        ),
        key,
    )
    [row] = sales(admin, key, "tax_amount")
    assert row["tax_amount"] == told.amount
    nobody = dataclasses.replace(question, customer_id=CustomerId("NOBODY"))
    assert writer.order_tax(nobody) is None
    assert writer.order_tax(dataclasses.replace(question, lines=())) is None


@pytest.mark.rule("WA-2c", "OI-8")
@pytest.mark.parametrize(
    "changes, code",
    [
        ({"sold_to": CustomerId("C99999")}, "erp_unknown_customer"),
        ({"sold_to": CustomerId("COMPANY")}, "erp_unknown_customer"),
        ({"ship_to": OnFileShipTo(a.SHIP_TO)}, "erp_unknown_ship_to"),
        ({"currency": "EUR"}, "erp_unknown_currency"),
        ({"terms": "NET99"}, "erp_unknown_payment_term"),
        ({"ship_to": OneOffShipTo(an_address(country="NL"))}, "erp_unknown_country"),
        ({"charges": (CodedAmount("NOPE", usd("1")),)}, "erp_unknown_item"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_tryton_does_not_have_is_refused_before_anything_is_written(
    written: Live, writer: TrytonErpAdapter, admin: Tryton, changes: dict[str, Any], code: str
) -> None:
    """On SQLite Tryton takes a sale of a customer that does not exist."""
    key = a_key("unknown")
    with pytest.raises(Rejected) as refusal:
        writer.submit_order(an_order(written, **changes), key)
    assert refusal.value.code == code
    assert refusal.value.remedy
    assert sales(admin, key) == []


def test_a_ship_to_of_another_customer_is_refused(written: Live, writer: TrytonErpAdapter) -> None:
    other = written.manifest["customers"][1]["delivery_addresses"][0]
    order = an_order(written, ship_to=OnFileShipTo(type(a.SHIP_TO)(str(other))))
    with pytest.raises(Rejected, match="no ship-to"):
        writer.submit_order(order, a_key("foreign"))


def test_a_unit_that_is_no_unit_of_the_item_is_refused(
    written: Live, writer: TrytonErpAdapter
) -> None:
    order = an_order(written)
    line = dataclasses.replace(order.lines[0], unit="kg")
    with pytest.raises(Rejected) as refusal:
        writer.submit_order(dataclasses.replace(order, lines=(line,)), a_key("unit"))
    assert refusal.value.code == "erp_unknown_unit"


# How far it goes.


def test_a_draft_has_its_number_later(written: Live, admin: Tryton) -> None:
    key, adapter = a_key("draft"), written.adapter(reach="draft")
    order = an_order(written)
    assert adapter.capabilities.number_follows
    assert adapter.submit_order(order, key).number is None
    found = adapter.find_order(key)
    assert found is not None
    assert found.differences(order) == ()
    assert adapter.order_statuses([key])[key].number is None
    [row] = sales(admin, key)
    admin("sale.sale.quote", [row["id"]])
    assert adapter.order_statuses([key])[key].number is not None
    adapter.close()


@pytest.mark.rule("WA-15")
def test_an_order_on_hold_is_never_confirmed(written: Live, admin: Tryton) -> None:
    key, adapter = a_key("held"), written.adapter(reach="confirmed")
    order = an_order(written, hold=True)
    first = adapter.submit_order(order, key)
    assert adapter.submit_order(order, key) == first
    assert [row["state"] for row in sales(admin, key)] == ["quotation"]
    assert adapter.order_statuses([key])[key].state is ErpOrderState.ON_HOLD
    found = adapter.find_order(key)
    assert found is not None
    assert found.number == first.number
    adapter.close()


@pytest.mark.rule("OI-1")
def test_a_confirmed_order_is_not_confirmed_again(written: Live, admin: Tryton) -> None:
    """Tryton answers a second confirmation with an error."""
    key, adapter = a_key("twice"), written.adapter(reach="confirmed")
    order = an_order(written)
    first = adapter.submit_order(order, key)
    assert adapter.submit_order(order, key) == first
    assert [row["state"] for row in sales(admin, key)] == ["processing"]
    adapter.close()


# What goes wrong on the way.

FAULTS: dict[str, Callable[[], Any]] = {
    "the request is lost": fault.lost_request,
    "the answer is lost": fault.lost_reply,
}
STEPS = (NEW_ADDRESS, HIDE_ADDRESS, CREATE, QUOTE, CONFIRM)


@pytest.mark.rule("OI-1")
@pytest.mark.parametrize("what", FAULTS)
@pytest.mark.parametrize("step", STEPS, ids=[step.removeprefix("model.") for step in STEPS])
def test_whatever_is_lost_the_order_is_there_once_in_the_end(
    written: Live, admin: Tryton, step: str, what: str
) -> None:
    key, name = a_key("lost"), f"{step} {what}"
    order = a_retail_order(
        written, ship_to=OneOffShipTo(an_address(name=name)), bill_to=an_address(name=name)
    )
    server, gateway = open_gateway(written.server.url, at(step, FAULTS[what]()))
    with server:
        adapter = written.adapter(url=server.url, reach="confirmed")
        try:
            adapter.submit_order(order, key)
        except TryLater:
            # Only of what came before the sale may it be said that nothing was written.
            assert step in (NEW_ADDRESS, HIDE_ADDRESS)
            assert sales(admin, key) == []
        except OutcomeUnknown:
            assert step in (CREATE, QUOTE, CONFIRM)
        found = adapter.find_order(key)
        if found is None or found.unfinished:
            adapter.submit_order(order, key)
            found = adapter.find_order(key)
        adapter.close()
        assert gateway.count("common.db.login") == 1
    assert found is not None
    assert found.differences(order) == ()
    [row] = sales(admin, key, "shipments")
    assert (row["state"], len(row["shipments"])) == ("processing", 1)
    # Nor do the addresses of the attempts pile up, and none stays on the list.
    assert [held["active"] for held in addresses(admin, RETAIL, name)] == [False]


@pytest.mark.rule("OI-1")
def test_a_half_made_order_that_the_buyer_changed_meanwhile_is_made_anew(
    written: Live, admin: Tryton
) -> None:
    key = a_key("changed")
    server, _ = open_gateway(written.server.url, at(QUOTE, fault.lost_request()))
    with server:
        adapter = written.adapter(url=server.url)
        with pytest.raises(OutcomeUnknown):
            adapter.submit_order(an_order(written), key)
        assert adapter.find_order(key) is None
        line = dataclasses.replace(
            an_order(written).lines[0], quantity=Decimal(10), net=usd("396.02")
        )
        fewer = an_order(written, lines=(line,), total=usd("435.62"))
        adapter.submit_order(fewer, key)
        adapter.close()
    [row] = sales(admin, key, "total_amount")
    assert (row["state"], row["total_amount"]) == ("quotation", Decimal("435.62"))


@pytest.mark.rule("OI-1")
def test_a_quotation_of_an_earlier_version_is_told_and_not_confirmed(
    written: Live, admin: Tryton
) -> None:
    key = a_key("earlier")
    server, _ = open_gateway(written.server.url, at(CONFIRM, fault.lost_request()))
    with server:
        adapter = written.adapter(url=server.url, reach="confirmed")
        with pytest.raises(OutcomeUnknown):
            adapter.submit_order(an_order(written), key)
        found = adapter.find_order(key)
        assert found is not None
        assert found.unfinished
        with pytest.raises(Conflict) as conflict:
            adapter.submit_order(an_order(written, notes="Leave at gate 4"), key)
        assert len(conflict.value.differences) == 2
        assert [row["state"] for row in sales(admin, key)] == ["quotation"]
        adapter.submit_order(an_order(written), key)
        adapter.close()
    assert [row["state"] for row in sales(admin, key)] == ["processing"]


@pytest.mark.rule("OI-1")
def test_somebody_who_changes_the_sale_meanwhile_is_noticed(written: Live, admin: Tryton) -> None:
    key = a_key("raced")

    def edit() -> None:
        [row] = sales(admin, key)
        admin("sale.sale.write", [row["id"]], {"description": "seen by a clerk"})

    server, _ = open_gateway(written.server.url, before(QUOTE, edit))
    with server:
        adapter = written.adapter(url=server.url)
        with pytest.raises(Conflict):
            adapter.submit_order(an_order(written), key)
        assert [row["state"] for row in sales(admin, key)] == ["draft"]
        assert adapter.submit_order(an_order(written), key).number is not None
        adapter.close()


@pytest.mark.rule("OI-1")
def test_four_workers_with_one_order_write_it_once(written: Live, admin: Tryton) -> None:
    key, order = a_key("workers"), an_order(written)
    adapters = [written.adapter() for _ in range(4)]
    numbers, errors = set(), []
    start = threading.Barrier(4)

    def work(adapter: TrytonErpAdapter) -> None:
        start.wait()
        try:
            numbers.add(adapter.submit_order(order, key).number)
        except (Conflict, OutcomeUnknown) as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(adapter,)) for adapter in adapters]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for adapter in adapters:
        adapter.close()
    [row] = sales(admin, key)
    assert row["state"] == "quotation"
    assert {str(number) for number in numbers} == {row["number"]}, errors


# Sessions.


def test_a_session_that_ends_in_the_middle_is_renewed_once(written: Live, admin: Tryton) -> None:
    key = a_key("expired")
    user = written.manifest["sync_user"]["id"]

    def end() -> None:
        written.database.execute("DELETE FROM ir_session WHERE create_uid = ?", user)

    server, gateway = open_gateway(written.server.url, before(CREATE, end))
    with server:
        adapter = written.adapter(url=server.url)
        assert adapter.submit_order(an_order(written), key).number is not None
        adapter.close()
    assert gateway.count("common.db.login") == 2
    assert len(sales(admin, key)) == 1


def test_a_wrong_password_is_tried_once_and_not_again(written: Live) -> None:
    server, gateway = open_gateway(written.server.url)
    with server:
        adapter = TrytonErpAdapter.from_settings(
            written.options(url=server.url), {"password": "not the password"}, Path()
        )
        for _ in range(5):
            with pytest.raises(AccessDenied):
                adapter.accounts([FIRST])
        adapter.close()
    assert gateway.calls == ["common.db.login"]


def test_a_user_whom_tryton_has_locked_out_is_asked_about_once(written: Live) -> None:
    """The server counts refused logins by name, and answers 429 from the seventh on."""
    body = {"id": 1, "method": "common.db.login", "params": ["locked", {"password": "wrong"}]}
    address = f"{written.server.url}/{written.name}/rpc/"
    statuses = [requests.post(address, json=body, timeout=60).status_code for _ in range(8)]
    assert statuses[0] == 401
    assert statuses[-1] == 429
    server, gateway = open_gateway(written.server.url)
    with server:
        adapter = written.adapter(url=server.url, user="locked")
        for _ in range(3):
            with pytest.raises(AccessDenied):
                adapter.accounts([FIRST])
        adapter.close()
    assert gateway.calls == ["common.db.login"]


def test_a_database_that_is_not_there_is_told_as_such(written: Live) -> None:
    adapter = written.adapter(database="nowhere")
    with pytest.raises(SyncError, match="nowhere"):
        adapter.accounts([FIRST])
    adapter.close()
