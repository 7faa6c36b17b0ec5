"""Rows as Tryton gives them, and the documents that they make."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from erp_adapters.tryton import translate
from erp_adapters.tryton.base import TrytonBase
from erp_adapters.tryton.translate import AMOUNTS_FROM, HELD
from sync.domain.ids import CustomerId
from sync.domain.invoice import InvoiceKind
from sync.domain.sales_order import ErpOrderState
from sync.errors import Misconfigured
from tests.unit.tryton.tryton_kit import rpc, settings


def a_party(**changes: Any) -> dict[str, Any]:
    base = {
        "id": 2,
        "code": "C00001",
        "name": "Harbour Hardware",
        "active": 1,  # SQLite's booleans
        "customer_payment_term.": {"id": 3, "name": "NET30"},
        "customer_currency.": None,
        "sale_price_list": 4,
        "tax_identifier.": None,
        "contact_mechanisms.": [
            {"id": 9, "type": "email", "value": "b@harbour.example", "active": True},
            {"id": 8, "type": "email", "value": "a@harbour.example", "active": 1},
            {"id": 7, "type": "email", "value": "old@harbour.example", "active": 0},
            {"id": 6, "type": "phone", "value": "+1 555", "active": True},
        ],
    }
    return {**base, **changes}


def an_address(**changes: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "id": 5,
        "sequence": None,
        "party.": {"id": 2, "code": "C00001", "name": "Harbour Hardware"},
        "party_name": None,
        "attn": "",
        "street": "Dock Road 7\n\n  Gate B ",
        "postal_code": "90001",
        "city": "Springfield",
        "country.": {"id": 1, "code": "US"},
        "subdivision.": {"id": 1, "code": "US-CA", "name": "California"},
        "contact_mechanisms.": [],
    }
    return {**base, **changes}


def an_invoice(**changes: Any) -> dict[str, Any]:
    base = {
        "id": 1,
        "number": "2511-00001",
        "party.": {"id": 2, "code": "C00001"},
        "reference": "",
        "invoice_date": date(2026, 5, 31),
        "currency.": {"id": 1, "code": "USD"},
        "total_amount": Decimal("-110.00"),
        "tax_amount": Decimal("-10.00"),
        "amount_to_pay": Decimal("-110.00"),
        "lines_to_pay.": [
            {
                "id": 7,
                "maturity_date": date(2026, 5, 31),
                "amount": Decimal("-99.00"),
                "second_currency.": {"id": 1, "code": "USD"},
                "amount_second_currency": Decimal("-110.00"),
            }
        ],
        "lines.": [
            {"id": 2, "type": "comment", "sequence": 1},
            {
                "id": 1,
                "type": "line",
                "sequence": 2,
                "product.": {"id": 3, "code": "P1", "name": "Bolt"},
                "description": None,
                "quantity": Decimal("-2.0"),
                "unit.": {"id": 1, "symbol": "u"},
                "unit_price": Decimal("50.0000"),
                "amount": Decimal("-100.00"),
            },
        ],
        "sales.": [],
    }
    return {**base, **changes}


def a_sale(**changes: Any) -> dict[str, Any]:
    base = {
        "id": 1,
        "web_id": "shop-1",
        "number": "7",
        "state": "processing",
        "shipment_state": "waiting",
        "invoice_state": "none",
        "shipments.": [],
        "lines.": [a_line()],
    }
    return {**base, **changes}


def a_line(**changes: Any) -> dict[str, Any]:
    unit = {"id": 1, "factor": Decimal(1)}
    base = {
        "id": 1,
        "type": "line",
        "sequence": 1,
        "note": None,
        "quantity": Decimal("10.0"),
        "product.": {"id": 1, "code": "P1", "default_uom.": unit},
        "unit.": unit,
        "moves.": [],
    }
    return {**base, **changes}


def a_move(state: str, quantity: str, unit: dict[str, Any], shipment: str) -> dict[str, Any]:
    return {"state": state, "quantity": Decimal(quantity), "unit.": unit, "shipment": shipment}


@pytest.mark.rule("MI-1")
def test_an_account_has_its_active_mail_contacts_and_the_company_s_currency() -> None:
    told = translate.account(a_party(), "USD", "GOLD", "5")
    assert [(c.contact_id.value, c.email) for c in told.contacts] == [
        ("8", "a@harbour.example"),
        ("9", "b@harbour.example"),
    ]
    assert (told.currencies, told.price_groups, told.terms) == (("USD",), ("GOLD",), "NET30")
    assert told.active is True
    own = translate.account(a_party(**{"customer_currency.": {"code": "EUR"}}), "USD", "GOLD", None)
    assert own.currencies == ("EUR",)
    assert own.default_ship_to is None


def test_an_address_without_a_name_of_its_own_has_the_party_s() -> None:
    told = translate.address(an_address())
    assert told.name == "Harbour Hardware"
    assert told.lines == ("Dock Road 7", "Gate B")
    assert (told.region, told.attention) == ("CA", None)


@pytest.mark.parametrize("changes", [{"street": None}, {"country.": None}, {"city": ""}])
def test_an_address_that_nothing_can_be_sent_to_is_none(changes: dict[str, Any]) -> None:
    """Tryton gives every new party an empty address."""
    with pytest.raises(ValueError, match="needs"):
        translate.address(an_address(**changes))


@pytest.mark.rule("MI-6")
def test_a_credit_note_is_an_invoice_with_its_sign_turned() -> None:
    told = translate.invoice(an_invoice())
    assert told.kind is InvoiceKind.CREDIT
    assert (told.total.amount, told.dues[0].amount.amount) == (Decimal(110), Decimal(110))
    assert told.open_amount is not None
    assert told.open_amount.amount == 110
    [line] = told.lines
    assert (line.quantity, line.net.amount) == (Decimal(2), Decimal(100))
    assert line.unit_price is not None
    assert line.unit_price.amount == 50
    assert line.description == "Bolt"
    assert told.po_number is None


def test_an_instalment_without_a_day_makes_no_invoice() -> None:
    row = an_invoice()
    row["lines_to_pay."][0]["maturity_date"] = None
    with pytest.raises(ValueError, match="day"):
        translate.invoice(row)


@pytest.mark.rule("OI-3")
@pytest.mark.parametrize(
    "changes, state",
    [
        ({"state": "draft"}, ErpOrderState.RECEIVED),
        ({"state": "quotation"}, ErpOrderState.RECEIVED),
        ({"state": "quotation", "lines.": [a_line(note=f"{HELD}\nx")]}, ErpOrderState.ON_HOLD),
        ({"state": "cancelled"}, ErpOrderState.CANCELLED),
        ({}, ErpOrderState.OPEN),
        ({"state": "confirmed"}, ErpOrderState.OPEN),
        ({"invoice_state": "paid"}, ErpOrderState.OPEN),
        ({"shipments.": [{"id": 1, "state": "packed"}]}, ErpOrderState.PICKED),
        ({"shipment_state": "partially shipped"}, ErpOrderState.PARTLY_SHIPPED),
        ({"shipment_state": "sent"}, ErpOrderState.SHIPPED),
        ({"shipment_state": "sent", "invoice_state": "pending"}, ErpOrderState.SHIPPED),
        ({"shipment_state": "sent", "invoice_state": "awaiting payment"}, ErpOrderState.INVOICED),
        (
            {"state": "done", "shipment_state": "none", "invoice_state": "paid"},
            ErpOrderState.INVOICED,
        ),
    ],
)
def test_each_stage_of_a_sale_has_one_state(changes: dict[str, Any], state: ErpOrderState) -> None:
    assert translate.order_status(a_sale(**changes))[1].state is state


@pytest.mark.rule("OI-3")
def test_lines_tell_what_left_in_stock_units_and_no_charges() -> None:
    box, each = {"id": 2, "factor": Decimal("12.0")}, {"id": 1, "factor": Decimal("1.0")}
    moves = [
        a_move("done", "1.0", box, "stock.shipment.out,4"),
        a_move("done", "3", each, "stock.shipment.out,5"),
        # What came back, and what is only planned, has not left.
        a_move("done", "2", each, "stock.shipment.out.return,1"),
        a_move("draft", "9", each, "stock.shipment.out,6"),
    ]
    left = {"id": 4, "number": "S4", "state": "done", "effective_date": date(2026, 5, 1)}
    goods = a_line(**{"quantity": Decimal("2.0"), "unit.": box, "moves.": moves})
    freight = a_line(id=2, sequence=AMOUNTS_FROM + 1)
    _, status = translate.order_status(a_sale(**{"lines.": [freight, goods], "shipments.": [left]}))
    [line] = status.lines
    assert line.line == 1
    assert [line.ordered, line.shipped, line.back_ordered] == [Decimal(24), Decimal(15), Decimal(9)]
    assert [(each.number, each.shipped_on) for each in status.shipments] == [
        ("S4", date(2026, 5, 1))
    ]


def test_units_of_one_category_that_share_a_symbol_make_no_item() -> None:
    default = {"id": 1, "symbol": "u", "factor": Decimal(1), "digits": 0}
    row = {
        "code": "P1",
        "name": "Bolt",
        "active": True,
        "salable": True,
        "type": "goods",
        "default_uom.": default,
    }
    units = [default, {"id": 2, "symbol": "box", "factor": Decimal("12.0")}]
    assert translate.item(row, units).factor("box") == 12
    with pytest.raises(ValueError, match="symbol"):
        translate.item(row, [*units, {"id": 3, "symbol": "box", "factor": Decimal(6)}])


def test_a_record_that_cannot_be_read_is_left_out_and_told_with_its_owner() -> None:
    base = TrytonBase(settings(), rpc())
    rows = [an_address(), an_address(id=6, city=None)]

    def built(some: list[dict[str, Any]]) -> list[Any]:
        return list(
            base._built(
                "party.address",
                some,
                translate.address,
                lambda row: str(row["id"]),
                lambda row: str(row["party."]["code"]),
            )
        )

    assert len(built(rows)) == 1
    [record] = base.take_unreadable()
    assert (record.key, record.customer) == ("6", CustomerId("C00001"))
    assert base.take_unreadable() == ()
    with pytest.raises(Misconfigured):
        built([an_address(id=number, city=None) for number in range(10)])
    base.close()
