"""Who is invoiced: the organisation decides, never the person."""

from __future__ import annotations

import pytest

from sync.domain.ids import BillToId, CustomerId, LocationId
from sync.domain.order import SelectedBillTo
from sync.domain.sales_order import OnFileBillTo
from sync.testing import builders as a
from tests.unit.admission.desk import admitted, card, refusals

SITE = LocationId("SITE-1")
TYPED = a.a_typed_address()


@pytest.mark.rule("TL-2")
def test_a_bill_to_of_the_account_travels_as_its_id() -> None:
    order = a.a_web_order(bill_to=SelectedBillTo(a.BILL_TO))
    assert admitted(order).bill_to == OnFileBillTo(a.BILL_TO)


@pytest.mark.rule("TL-2")
def test_a_bill_to_of_another_account_is_quarantined() -> None:
    order = a.a_web_order(bill_to=SelectedBillTo(a.BILL_TO))
    foreign = (a.a_bill_to(sold_to=CustomerId("C-2")),)
    assert refusals(order, bill_tos=foreign) == {"bill_to_not_of_account"}


@pytest.mark.rule("TL-2")
def test_a_retail_order_cannot_select_a_bill_to_of_the_shared_account() -> None:
    order = a.a_retail_order(bill_to=SelectedBillTo(a.BILL_TO))
    shared = (a.a_bill_to(sold_to=a.RETAIL_ACCOUNT),)
    assert refusals(order, bill_tos=shared) == {"bill_to_not_of_account"}


@pytest.mark.rule("TL-2")
def test_an_order_on_terms_is_not_invoiced_to_what_a_person_typed() -> None:
    order = a.a_web_order(bill_to=TYPED)
    assert refusals(order) == {"bill_to_typed_on_terms"}


@pytest.mark.rule("OI-1")
def test_the_address_of_a_card_travels_with_the_order() -> None:
    assert admitted(a.a_retail_order(bill_to=TYPED)).bill_to == TYPED.completed()
    wholesale = a.a_web_order(bill_to=TYPED, payments=(card(),))
    assert admitted(wholesale).bill_to == TYPED.completed()


@pytest.mark.rule("VE-6", "TL-2")
def test_the_bill_to_of_the_buyers_location_wins_over_the_accounts() -> None:
    order = a.a_web_order(buyer=a.a_wholesale_buyer(location=SITE))
    yard = a.a_location(bill_to=BillToId("YARD"))
    assert admitted(order, locations=(yard,)).bill_to == OnFileBillTo(BillToId("YARD"))
    assert admitted(a.a_web_order(), locations=(yard,)).bill_to is None


@pytest.mark.rule("VE-6")
def test_what_the_buyer_selected_wins_over_the_locations() -> None:
    order = a.a_web_order(
        buyer=a.a_wholesale_buyer(location=SITE), bill_to=SelectedBillTo(a.BILL_TO)
    )
    yard = a.a_location(bill_to=BillToId("YARD"))
    assert admitted(order, locations=(yard,)).bill_to == OnFileBillTo(a.BILL_TO)
