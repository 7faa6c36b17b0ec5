"""Nothing that people wrote is cut in silence: what does not fit continues in the notes."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from sync.domain.address import Address
from sync.domain.order import Adjustment
from sync.domain.sales_order import OneOffShipTo, SalesOrder
from sync.testing import builders as a
from tests.unit.admission.desk import CODES, ERP, admitted, card, priced, refusals

WRITTEN = a.a_typed_address(
    name="Visser Scheepsonderdelen en Zonen",
    lines=("Long Canal Street 12345", "2nd floor", "at the back"),
    city="Llanfairpwllgwyngyll",
    region="Anglesey and more",
    postal_code="LL61 5UJ and more",
    attention="The person who answers",
    phone="+44 1248 555 0100 extension 12",
    email="somebody.at.the.back@visser.example",
)
LIMITS: dict[str, Any] = {
    "name_length": 12,
    "address_line_length": 10,
    "address_lines": 2,
    "city_length": 8,
    "region_length": 3,
    "postal_code_length": 9,
    "attention_length": 11,
    "phone_length": 15,
    "email_length": 20,
    "po_number_length": 6,
    "line_note_length": 7,
    "collect_account_length": 5,
}


def everything(order: SalesOrder) -> str:
    """All that the ERP is told, as one text."""
    return repr(order)


def order_with_texts() -> Any:
    return a.a_retail_order(
        ship_to=WRITTEN,
        bill_to=WRITTEN,
        buyer=a.a_guest(phone="+44 1248 555 0199 at night", email="ada.visser@visser.example"),
        lines=(a.a_line(note="Galvanised only"),),
        po_number="PO 4711/A",
        collect_account="CARRIER-55",
        notes="Ring twice",
    )


@pytest.mark.rule("OI-9", "OI-1")
def test_what_is_too_long_for_its_field_stands_in_full_in_the_notes() -> None:
    planned = admitted(order_with_texts(), erp=replace(ERP, **LIMITS))
    ship_to = planned.ship_to
    assert isinstance(ship_to, OneOffShipTo)
    address = ship_to.address
    assert (address.name, address.lines, address.city) == (
        "Visser Schee",
        ("Long Canal", "2nd floor"),
        "Llanfair",
    )
    assert address.attention == "The person"
    assert planned.po_number == "PO 471"
    assert planned.lines[0].note == "Galvani"
    assert planned.notes.splitlines()[0] == "Ring twice"
    for text in (
        WRITTEN.name,
        " / ".join(WRITTEN.lines),
        WRITTEN.city,
        WRITTEN.attention,
        "PO 4711/A",
        "Galvanised only",
    ):
        assert text is not None
        assert text in planned.notes


@pytest.mark.rule("OI-9")
def test_half_a_phone_number_or_postal_code_is_worth_nothing_and_moves_as_a_whole() -> None:
    planned = admitted(order_with_texts(), erp=replace(ERP, **LIMITS))
    assert (planned.phone, planned.email, planned.collect_account) == (None, None, None)
    assert isinstance(planned.ship_to, OneOffShipTo)
    for address in (planned.ship_to.address, planned.bill_to):
        assert isinstance(address, Address)
        assert (address.region, address.postal_code) == (None, None)
        assert (address.phone, address.email) == (None, None)
    for text in (
        WRITTEN.region,
        WRITTEN.postal_code,
        WRITTEN.phone,
        WRITTEN.email,
        "+44 1248 555 0199 at night",
        "ada.visser@visser.example",
        "CARRIER-55",
    ):
        assert text is not None
        assert text in planned.notes


@pytest.mark.rule("OI-9")
@pytest.mark.parametrize("limit", LIMITS)
def test_no_single_limit_makes_any_text_disappear(limit: str) -> None:
    order = order_with_texts()
    whole = admitted(order)
    planned = admitted(order, erp=replace(ERP, **{limit: LIMITS[limit]}))
    assert planned != whole
    told = everything(planned)
    for field in fields(WRITTEN):
        value = getattr(WRITTEN, field.name)
        for text in value if isinstance(value, tuple) else (value,):
            assert text is None or str(text) in told
    for text in ("Galvanised only", "PO 4711/A", "CARRIER-55", "Ring twice", "0199 at night"):
        assert text in told


@pytest.mark.rule("OI-9")
def test_without_a_length_of_its_own_a_city_is_as_long_as_an_address_line() -> None:
    limits = replace(ERP, address_line_length=10, name_length=12)
    ship_to = admitted(order_with_texts(), erp=limits).ship_to
    assert isinstance(ship_to, OneOffShipTo)
    assert ship_to.address.city == "Llanfairpw"
    assert ship_to.address.attention == "The person w"


@pytest.mark.rule("OI-9")
def test_text_that_fits_is_left_alone() -> None:
    long: dict[str, Any] = dict.fromkeys(LIMITS, 200)
    roomy = replace(ERP, **long)
    planned = admitted(order_with_texts(), erp=roomy)
    assert planned == admitted(order_with_texts())
    assert planned.notes == "Ring twice"


@pytest.mark.rule("OI-9")
def test_notes_too_long_for_the_erp_quarantine_because_there_is_nowhere_to_go_on() -> None:
    exact = replace(ERP, notes_length=len("Ring twice"))
    order = order_with_texts()
    assert admitted(order, erp=exact).notes == "Ring twice"
    assert refusals(order, erp=replace(exact, po_number_length=6)) == {"notes_too_long"}


@pytest.mark.rule("OI-9")
@pytest.mark.parametrize(
    "changes",
    [
        {"notes": "Łódź"},
        {"po_number": "Łódź"},
        {"collect_account": "Łódź"},
        {"ship_to": replace(WRITTEN, name="Łódź")},
        {"ship_to": replace(WRITTEN, lines=("Dock", "Łódź"))},
        {"ship_to": replace(WRITTEN, city="Łódź")},
        {"ship_to": replace(WRITTEN, region="Łódź")},
        {"ship_to": replace(WRITTEN, postal_code="Łódź")},
        {"ship_to": replace(WRITTEN, attention="Łódź")},
        {"ship_to": replace(WRITTEN, phone="Łódź")},
        {"ship_to": replace(WRITTEN, email="Łódź")},
        {"bill_to": replace(WRITTEN, city="Łódź")},
        {"buyer": a.a_guest(phone="Łódź")},
        {"buyer": a.a_guest(email="Łódź")},
        {"lines": (a.a_line(note="Łódź"),)},
        {"lines": (a.a_line(customer_part_number="Łódź"),)},
        {"payments": (card(reference="Łódź"),)},
        {"adjustments": (Adjustment("Łódź", a.money("0.00")),)},
    ],
)
def test_text_that_the_erp_cannot_encode_quarantines_wherever_it_stands(
    changes: dict[str, Any],
) -> None:
    order = priced(order_with_texts(), **changes)
    assert refusals(order, erp=replace(ERP, text_encoding="cp1252")) == {"text_not_encodable"}
    assert admitted(order).retail


@pytest.mark.rule("OI-9")
@pytest.mark.parametrize("broken", ["a\x00b", "half a \ud83d smiley"])
def test_what_no_database_can_store_quarantines_whatever_the_encoding(broken: str) -> None:
    assert refusals(a.a_web_order(notes=broken)) == {"text_not_encodable"}


@pytest.mark.rule("OI-9")
def test_unencodable_text_is_named_beside_whatever_else_forbids_the_order() -> None:
    order = a.a_web_order(notes="Łódź", ship_to=None)
    limits = replace(ERP, text_encoding="cp1252", notes_length=3)
    assert refusals(order, erp=limits) == {
        "ship_to_missing",
        "text_not_encodable",
        "notes_too_long",
    }


@pytest.mark.rule("OI-9")
@pytest.mark.parametrize(
    "zone, day",
    [
        ("UTC", date(2025, 3, 3)),
        ("America/Chicago", date(2025, 3, 2)),
        ("Asia/Tokyo", date(2025, 3, 3)),
    ],
)
def test_the_day_of_the_order_is_the_erps(zone: str, day: date) -> None:
    order = a.a_web_order(placed_at=datetime(2025, 3, 3, 4, 0, tzinfo=UTC))
    planned = admitted(order, erp=replace(ERP, time_zone=zone))
    assert planned.ordered_on == day
    assert planned.ordered_at == order.placed_at


@pytest.mark.rule("OI-9")
def test_how_and_when_to_ship_travels_in_the_erps_words() -> None:
    order = a.a_web_order(
        requested_date=date(2025, 3, 20),
        ship_complete=True,
        ship_via="express",
        collect_account="X-55",
    )
    planned = admitted(order, codes=replace(CODES, ship_methods={"express": "EXP"}))
    assert planned.requested_on == date(2025, 3, 20)
    assert planned.ship_complete
    assert planned.ship_via == "EXP"
    assert planned.collect_account == "X-55"
    other = replace(CODES, ship_methods={"van": "VAN"})
    assert refusals(order, codes=other) == {"ship_method_unmapped"}


@pytest.mark.rule("OI-9")
@pytest.mark.parametrize("residential", [None, True, False])
def test_whether_an_address_is_residential_travels_as_it_was_told(residential: Any) -> None:
    order = a.a_retail_order(ship_to=replace(WRITTEN, residential=residential))
    ship_to = admitted(order).ship_to
    assert isinstance(ship_to, OneOffShipTo)
    assert ship_to.address.residential is residential
