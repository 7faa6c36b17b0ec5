"""An order of Medusa in our words: exact amounts, proven buyers, nothing guessed."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from sync.domain.address import TypedAddress
from sync.domain.ids import ShipToId, WebUserId
from sync.domain.money import Money
from sync.domain.order import (
    OrderState,
    PaymentState,
    SelectedShipTo,
    StoreOrder,
    UnreadableOrder,
    WebOrder,
)
from sync.stores.medusa.addresses import address_text
from sync.stores.medusa.translate_orders import order_from
from tests.unit.medusa.answers import a_form, a_payment, an_order, raw, settings


def told(order: dict[str, Any], checkout: dict[str, Any] | None = None) -> WebOrder:
    found = order_from(order, checkout, settings())
    assert isinstance(found, WebOrder), found
    return found


def problems(order: dict[str, Any]) -> str:
    found: StoreOrder = order_from(order, None, settings())
    assert isinstance(found, UnreadableOrder), found
    return " / ".join(found.problems)


def usd(text: str) -> Money:
    return Money(Decimal(text), "USD")


@pytest.mark.rule("OI-1", "OI-7")
def test_amounts_are_read_from_the_digits_and_rounded_once_with_a_name() -> None:
    # The float beside the digits says something else, and nobody looks at it.
    order = told(an_order(total=99.99))

    assert order.total == usd("24.90")
    [line] = order.lines
    assert (line.unit_price, line.quantity) == (usd("1.25"), Decimal(12))
    assert [(each.code, each.amount) for each in line.discounts] == [("TENOFF", usd("1.50"))]
    assert [(each.code, each.amount) for each in order.charges] == [("Ground", usd("9.50"))]
    # (13.50 + 9.50) x 8.25 % = 1.8975
    assert [(each.code, each.amount, each.rate) for each in order.taxes] == [
        ("us-tx", usd("1.90"), Decimal("0.0825"))
    ]
    assert order.adjustments == ()
    assert order.computed_total == order.total


@pytest.mark.rule("OI-7")
def test_what_rounding_leaves_is_an_adjustment() -> None:
    order = an_order(raw_total=raw("24.8812625"))
    order["items"][0]["adjustments"] = [
        {"code": code, "raw_amount": raw("0.505")} for code in ("A", "B", "C")
    ]
    order["payment_collections"][0]["payments"] = [a_payment(raw_amount=raw("24.8812625"))]

    found = told(order)

    # Three discounts of 0.505 were each rounded up.
    assert found.total == usd("24.88")
    assert [str(each.amount) for each in found.lines[0].discounts] == ["0.51 USD"] * 3
    assert [(each.name, each.amount) for each in found.adjustments] == [("rounding", usd("0.01"))]
    assert found.computed_total == found.total


@pytest.mark.rule("OI-7")
def test_a_total_that_its_parts_do_not_explain_is_not_passed_off_as_rounding() -> None:
    assert "raw_total" in problems(an_order(raw_total=raw("20")))


@pytest.mark.rule("OI-7")
def test_prices_that_include_tax_are_told_without_it() -> None:
    order = an_order(raw_total=raw("30.5"))
    for part in (*order["items"], *order["shipping_methods"]):
        part |= {"is_tax_inclusive": True, "adjustments": []}
        part["tax_lines"] = [{"code": "vat", "raw_rate": raw("21")}]
    order["items"][0]["raw_unit_price"] = raw("1.75")
    order["payment_collections"][0]["payments"] = [a_payment(raw_amount=raw("30.5"))]

    found = told(order)

    assert found.lines[0].unit_price == usd("1.4463")  # 1.75 / 1.21
    assert found.charges[0].amount == usd("7.85")  # 9.50 / 1.21
    assert found.total == usd("30.50")
    assert found.computed_total == found.total


@pytest.mark.rule("OI-1")
@pytest.mark.parametrize("currency, total", [("usd", "24.90"), ("jpy", "25"), ("kwd", "24.898")])
def test_each_currency_is_rounded_to_its_own_places(currency: str, total: str) -> None:
    found = told(an_order(currency_code=currency))

    assert str(found.total) == f"{total} {currency.upper()}"
    assert found.computed_total == found.total


@pytest.mark.rule("OI-4")
def test_goods_that_came_back_leave_what_was_ordered_as_it_was() -> None:
    order = an_order(raw_total=raw("12"))
    order["items"][0]["detail"]["raw_return_received_quantity"] = raw("6")

    assert told(order).total == usd("24.90")


@pytest.mark.rule("WA-2e")
@pytest.mark.parametrize(
    "checkout, customer, expected",
    [
        ({"actor_id": "cus_ada"}, {"id": "cus_ada", "has_account": True}, ("cus_ada", True)),
        ({"actor_id": None}, {"id": "cus_ada", "has_account": True}, ("cus_ada", False)),
        ({"actor_id": "cus_mia"}, {"id": "cus_ada", "has_account": True}, ("cus_ada", False)),
        (None, {"id": "cus_ada", "has_account": True}, ("cus_ada", False)),
        ({"actor_id": "cus_1"}, {"id": "cus_1", "has_account": False}, (None, False)),
        (None, None, (None, False)),
    ],
    ids=["proven", "a_guest", "somebody_else", "no_module", "guest_record", "nobody"],
)
def test_only_who_completed_the_cart_signed_in_is_proven(
    checkout: dict[str, Any] | None, customer: dict[str, Any] | None, expected: tuple[Any, bool]
) -> None:
    buyer = told(an_order(customer=customer), checkout).buyer

    user = WebUserId(expected[0]) if expected[0] else None
    assert (buyer.web_user, buyer.signed_in) == (user, expected[1])


@pytest.mark.rule("WA-4")
def test_a_selected_address_counts_for_the_proven_buyer_while_it_says_the_same() -> None:
    form = a_form()
    chosen = {"actor_id": "cus_ada", "ship_to": "DOCK", "ship_to_text": address_text(form)}

    assert told(an_order(), chosen).ship_to == SelectedShipTo(ShipToId("DOCK"))
    moved = told(an_order(shipping_address=a_form(city="Dallas")), chosen).ship_to
    assert isinstance(moved, TypedAddress)
    assert isinstance(told(an_order(), {**chosen, "actor_id": None}).ship_to, TypedAddress)


def test_a_typed_address_keeps_company_and_person_apart() -> None:
    found = told(an_order())

    assert isinstance(found.ship_to, TypedAddress)
    assert isinstance(found.bill_to, TypedAddress)
    assert (found.ship_to.name, found.ship_to.attention) == ("Ada Visser", None)
    assert (found.bill_to.name, found.bill_to.attention) == ("Harbour Hardware", "Ada Visser")
    assert found.ship_to.country == "US"


@pytest.mark.rule("VE-11", "OI-5")
@pytest.mark.parametrize(
    "changes, state",
    [
        ({}, OrderState.AWAITING_FULFILMENT),
        ({"status": "completed", "fulfillment_status": "shipped"}, OrderState.FULFILLED),
        ({"fulfillment_status": "partially_shipped"}, OrderState.PARTLY_FULFILLED),
        ({"payment_status": "not_paid"}, OrderState.CREATED),
        ({"payment_status": "awaiting"}, OrderState.CREATED),
        ({"payment_status": "partially_authorized"}, OrderState.AWAITING_PAYMENT),
        ({"payment_status": "canceled"}, OrderState.AWAITING_PAYMENT),
        ({"payment_status": "partially_refunded"}, OrderState.AWAITING_FULFILMENT),
        ({"payment_status": "refunded"}, OrderState.REFUNDED),
        ({"status": "canceled", "payment_status": "refunded"}, OrderState.CANCELLED),
        ({"status": "draft"}, OrderState.CREATED),
        ({"is_draft_order": True}, OrderState.CREATED),
        ({"status": "requires_action"}, OrderState.HELD),
    ],
)
def test_every_word_of_the_store_has_one_of_ours(
    changes: dict[str, Any], state: OrderState
) -> None:
    assert told(an_order(**changes)).state is state


@pytest.mark.parametrize("name", ["status", "payment_status", "fulfillment_status"])
def test_a_word_that_is_not_known_makes_the_order_unreadable(name: str) -> None:
    assert name in problems(an_order(**{name: "teleported"}))


@pytest.mark.rule("WA-5")
@pytest.mark.parametrize(
    "changes, states",
    [
        ({}, [PaymentState.AUTHORISED]),
        ({"captured_at": "2026-03-02T09:00:00Z"}, [PaymentState.CAPTURED]),
        ({"canceled_at": "2026-03-02T09:00:00Z"}, [PaymentState.DECLINED]),
        (
            {"captured_at": "2026-03-02T09:00:00Z", "refunds": [{"raw_amount": raw("24.8975")}]},
            [PaymentState.REFUNDED],
        ),
        (
            {"captured_at": "2026-03-02T09:00:00Z", "refunds": [{"raw_amount": raw("5")}]},
            [PaymentState.CAPTURED, PaymentState.REFUNDED],
        ),
    ],
    ids=["authorised", "captured", "given_up", "refunded", "refunded_in_part"],
)
def test_payments_are_told_as_they_are(changes: dict[str, Any], states: list[PaymentState]) -> None:
    order = an_order()
    order["payment_collections"][0]["payments"] = [a_payment(**changes)]

    assert [payment.state for payment in told(order).payments] == states


@pytest.mark.rule("WA-5", "OI-7")
def test_several_payments_come_to_the_rounded_total() -> None:
    order = an_order()
    order["payment_collections"][0]["payments"] = [
        a_payment(id="pay_1", raw_amount=raw("10.1239")),
        a_payment(id="pay_2", raw_amount=raw("14.7736")),
    ]

    amounts = [payment.amount for payment in told(order).payments]

    assert amounts == [usd("10.12"), usd("14.78")]


@pytest.mark.rule("OI-7")
def test_store_credit_is_tender_and_what_a_refund_credits_is_not() -> None:
    order = an_order(raw_total=raw("19.8975"), raw_credit_line_total=raw("5"))
    credit = {"id": "ordcl_1", "raw_amount": raw("5"), "reference": "gift-card"}
    order["credit_lines"] = [credit]
    order["payment_collections"][0]["payments"] = [a_payment(raw_amount=raw("19.8975"))]
    found = told(order)
    assert found.total == usd("24.90")
    assert [payment.method for payment in found.payments] == ["pp_card", "credit_line"]

    order["credit_lines"] = [{**credit, "reference": "payment_collection"}]
    assert [payment.method for payment in told(order).payments] == ["pp_card"]


@pytest.mark.rule("OI-5", "WA-5")
def test_an_order_that_has_lost_its_lines_is_not_one_that_costs_nothing() -> None:
    """So it is for a moment while the shop takes a declined order back."""
    undone = an_order(
        items=[], shipping_methods=[], payment_collections=[], payment_status="not_paid"
    )
    undone |= {"total": 0, "raw_total": raw("0")}
    assert told(undone).state is OrderState.CREATED

    given = an_order(shipping_methods=[], payment_collections=[], payment_status="not_paid")
    given["items"][0] |= {"raw_unit_price": raw("0"), "adjustments": []}
    given |= {"total": 0, "raw_total": raw("0")}
    assert told(given).state is OrderState.AWAITING_FULFILMENT


@pytest.mark.rule("OI-2")
def test_a_broken_order_names_all_of_its_problems_and_keeps_what_was_said() -> None:
    order = an_order(created_at="yesterday", sales_channel_id=None)
    order["items"][0] |= {"raw_quantity": raw("-3"), "variant_sku": None}

    said = problems(order)

    for word in ("created_at", "sales_channel_id", "raw_quantity", "variant_sku"):
        assert word in said
    found = order_from(order, None, settings())
    assert isinstance(found, UnreadableOrder)
    assert "BOLT-M8" not in found.payload  # it was taken out above
    assert '"order_1"' in found.payload


@pytest.mark.rule("OI-9")
def test_wishes_travel_and_a_date_that_is_none_goes_into_the_notes() -> None:
    said = {"notes": "Ring twice", "requested_date": "as soon as you can", "ship_complete": True}

    found = told(an_order(metadata=said))

    assert found.requested_date is None
    assert found.notes == "Ring twice\nRequested date: as soon as you can"
    assert found.ship_complete
    day = told(an_order(metadata={"requested_date": "2026-04-01"}))
    assert str(day.requested_date) == "2026-04-01"


@pytest.mark.rule("OI-8")
def test_a_variant_may_be_sold_in_a_unit_of_its_own() -> None:
    order = an_order()
    assert told(order).lines[0].unit == "EA"
    order["items"][0]["variant"] = {"metadata": {"erp_unit": "BOX"}}
    assert told(order).lines[0].unit == "BOX"
