"""All that the buyer saw at checkout is in the instruction for the ERP."""

from __future__ import annotations

from dataclasses import fields, replace
from decimal import Decimal

import pytest

from sync.admission import unreadable
from sync.domain.address import TypedAddress
from sync.domain.decision import Quarantined
from sync.domain.ids import ErpOrderNumber, LocationId, Sku
from sync.domain.mapping import AccountPolicy, CodeTables
from sync.domain.money import Money, total
from sync.domain.order import WebOrder
from sync.domain.sales_order import (
    CodedAmount,
    FoundOrder,
    OneOffShipTo,
    OnFileBillTo,
    PayBy,
    SalesOrder,
    SalesOrderPayment,
)
from sync.testing import builders as a
from tests.unit.admission.desk import ERP, PAYMENT_METHODS, Situation, admitted, situation

ORDER = replace(a.a_full_web_order(), priced_for=None)
CODES = CodeTables(
    payment_methods=PAYMENT_METHODS,
    ship_methods={"express": "EXP"},
    units={"BOX": "BOX", "EA": "EA"},
    taxes={"VAT-LOW": "V9", "NONE": "V0"},
    charges={"DHL": "FRT", "SMALL": "FEE", "PALLET": "DEP"},
    discounts={"LOYAL": "LYL", "SPRING": "SPR", "WELCOME": "CPN"},
)


def here() -> Situation:
    return situation(
        codes=CODES,
        policy=AccountPolicy(custom_ship_to=True),
        items=(
            a.an_item(whole_units_only=False),
            a.an_item(sku=Sku("KIT-1"), kit=True),
            a.an_item(sku=Sku("NUT-M8")),
        ),
    )


@pytest.mark.rule("OI-1", "OI-9", "TL-6")
def test_every_line_travels_with_its_price_discount_part_number_and_note() -> None:
    first, kit = admitted(ORDER, here()).lines
    web = ORDER.lines[0]
    assert (first.sku, first.quantity, first.unit) == (web.sku, web.quantity, "BOX")
    assert (first.unit_price, first.discount) == (a.money("99.9900"), a.money("6.00"))
    assert first.net.amount == Decimal("243.975")
    assert first.stock_quantity == Decimal(30)
    assert (first.customer_part_number, first.note) == ("HH-0042", web.note)
    assert (kit.sku, kit.net) == (Sku("KIT-1"), a.money("40.0000"))


@pytest.mark.rule("OI-1", "OI-6", "OI-7")
def test_every_charge_discount_tax_and_adjustment_travels() -> None:
    planned = admitted(ORDER, here())
    assert planned.charges == (
        CodedAmount("FRT", a.money("7.50")),
        CodedAmount("FEE", a.money("1.00")),
        CodedAmount("DEP", a.money("10.00")),
    )
    assert planned.discounts == (CodedAmount("CPN", a.money("10.00")),)
    assert planned.taxes == (
        CodedAmount("V9", a.money("0.885"), Decimal("0.09")),
        CodedAmount("V0", a.money("0.00")),
    )
    assert planned.adjustments == (CodedAmount("rounding", a.money("0.000")),)
    assert (planned.total, planned.currency) == (ORDER.total, "EUR")


@pytest.mark.rule("OI-1", "OI-7")
def test_every_payment_travels_with_its_reference() -> None:
    assert admitted(ORDER, here()).payments == tuple(
        SalesOrderPayment(PayBy.CARD, code, payment.amount, payment.reference, captured=True)
        for code, payment in zip(("CARD", "GIFT"), ORDER.payments, strict=True)
        if payment.amount is not None
    )


@pytest.mark.rule("OI-1", "OI-9", "WA-4")
def test_addresses_numbers_notes_and_wishes_travel() -> None:
    planned = admitted(ORDER, here())
    ship_to = ORDER.ship_to
    assert isinstance(ship_to, TypedAddress)
    assert planned.ship_to == OneOffShipTo(ship_to.completed())
    assert planned.bill_to == OnFileBillTo(a.BILL_TO)
    assert planned.po_number == "PO 4711/A"
    assert ORDER.notes is not None
    assert planned.notes.startswith(ORDER.notes)
    assert planned.requested_on == ORDER.requested_date
    assert planned.ship_complete
    assert (planned.ship_via, planned.collect_account) == ("EXP", "X-55")
    assert (planned.phone, planned.email) == (ORDER.buyer.phone, ORDER.buyer.email)
    assert planned.refunds == ORDER.refunds


@pytest.mark.rule("OI-1", "WA-9")
def test_the_order_stays_the_web_order_of_the_user_who_placed_it() -> None:
    planned = admitted(ORDER, here())
    assert (planned.web_order, planned.web_number) == (ORDER.order_id, ORDER.number)
    assert (planned.channel, planned.ordered_at) == (ORDER.channel, ORDER.placed_at)
    assert planned.web_user == a.WEB_USER
    assert planned.organisation == a.ORGANISATION
    assert planned.location == LocationId("SITE-1")
    assert (planned.sold_to, planned.retail) == (a.ACCOUNT, False)


@pytest.mark.rule("OI-1")
def test_no_part_of_a_web_order_was_forgotten_when_it_was_added() -> None:
    """A new field of the web order must find its way, or its reason for not travelling."""
    travels = {
        "order_id", "number", "channel", "placed_at", "buyer", "currency", "lines", "total",
        "ship_to", "bill_to", "charges", "discounts", "taxes", "adjustments", "payments",
        "po_number", "notes", "requested_date", "ship_complete", "ship_via", "collect_account",
        "refunds",
    }  # fmt: skip
    decides = {"modified_at", "state", "approval", "priced_for"}
    assert {field.name for field in fields(WebOrder)} == travels | decides


@pytest.mark.rule("OI-1")
def test_a_full_order_leaves_no_field_of_the_instruction_at_its_default() -> None:
    planned = admitted(ORDER, here())
    unset = {
        field.name
        for field in fields(SalesOrder)
        if getattr(planned, field.name) in (None, "", (), False)
    }
    # Wholesale, not on hold, without a contact, paid by card, nothing to remark, and
    # the ERP takes our tax, so that its total must be ours.
    assert unset == {"retail", "hold", "contact", "terms", "flags", "total_tolerance"}


@pytest.mark.rule("OI-6")
def test_an_erp_that_computes_the_tax_itself_may_differ_by_the_tolerance_only() -> None:
    own_tax = total((tax.amount for tax in ORDER.taxes), ORDER.currency)
    planned = admitted(
        ORDER, replace(here(), erp=replace(ERP, tax_override=False), erp_tax=own_tax)
    )
    found = FoundOrder(ErpOrderNumber("SO-1"), total=planned.total)
    assert planned.total_tolerance == Decimal("0.01")
    near = replace(found, total=Money(planned.total.amount + Decimal("0.01"), planned.currency))
    far = replace(found, total=Money(planned.total.amount + Decimal("0.02"), planned.currency))
    assert near.differences(planned) == ()
    assert far.differences(planned)


@pytest.mark.rule("OI-2")
def test_an_order_that_cannot_be_read_is_quarantined_problem_by_problem() -> None:
    broken = a.an_unreadable_order(problems=("total: not a number", "lines: missing"))
    outcome = unreadable(broken)
    assert isinstance(outcome, Quarantined)
    assert [each.code for each in outcome.problems] == ["order_unreadable"] * 2
    assert "lines: missing" in outcome.problems[1].sentence
