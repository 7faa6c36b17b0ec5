"""Every document survives the way into text and back."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from sync.domain.account import Account, BillTo, Item, Location, ShipTo
from sync.domain.account_order import AccountOrder
from sync.domain.codec import decode, dumps, encode, fingerprint, fingerprint_of, loads
from sync.domain.decision import Decision, Problem, Routed, Unrouted
from sync.domain.ids import CustomerId
from sync.domain.invoice import Invoice
from sync.domain.money import Money
from sync.domain.order import (
    BuyerRecord,
    Organisation,
    Payment,
    StoreOrder,
    UnreadableOrder,
    WebOrder,
    WebUser,
)
from sync.domain.pricing import Price, PriceValue
from sync.domain.sales_order import (
    FoundOrder,
    OnFileShipTo,
    OrderAcknowledgement,
    OrderStatus,
    SalesOrder,
)
from sync.domain.views import AccountProfile, ImportNotice, PublishedPriceKey
from sync.testing import builders as a
from tests.unit.domain import strategies

DOCUMENTS = [
    (WebOrder, strategies.WEB_ORDERS),
    (UnreadableOrder, strategies.UNREADABLE_ORDERS),
    (SalesOrder, strategies.SALES_ORDERS),
    *(
        (kind, strategies.of(kind))
        for kind in (
            AccountOrder,
            BillTo,
            BuyerRecord,
            Decision,
            FoundOrder,
            ImportNotice,
            Invoice,
            Item,
            Location,
            OrderAcknowledgement,
            OrderStatus,
            Organisation,
            Price,
            Problem,
            PublishedPriceKey,
            Routed,
            ShipTo,
            Unrouted,
            WebUser,
        )
    ),
]


@pytest.mark.parametrize("kind, values", DOCUMENTS, ids=lambda kind: getattr(kind, "__name__", ""))
def test_a_document_is_the_same_after_text(kind: Any, values: Any) -> None:
    @settings(max_examples=40, suppress_health_check=list(HealthCheck))
    @given(values)
    def check(value: Any) -> None:
        text = dumps(value)
        again = loads(kind, text)
        assert again == value
        # Equal Decimals may differ in scale; equal text may not.
        assert dumps(again) == text

    check()


@pytest.mark.parametrize(
    "order",
    [
        a.a_web_order(),
        a.a_retail_order(),
        a.a_full_web_order(),
        a.a_web_order(lines=()),
        a.a_web_order(payments=(Payment(method=None),)),
        a.an_unreadable_order(),
    ],
    ids=["wholesale", "retail", "full", "no_lines", "no_method", "unreadable"],
)
def test_a_store_order_of_either_kind_comes_back_as_its_kind(order: StoreOrder) -> None:
    assert loads(StoreOrder, dumps(order)) == order


@pytest.mark.parametrize(
    "document",
    [
        a.an_account(terms=None, currencies=()),
        a.a_profile(terms=None, currencies=()),
        PriceValue(None),
        OrderAcknowledgement(None),
        FoundOrder(None),
        a.a_full_sales_order(),
        a.a_retail_sales_order(),
        a.an_invoice(open_amount=None, dues=()),
    ],
    ids=lambda document: type(document).__name__,
)
def test_what_is_absent_stays_absent(document: object) -> None:
    assert loads(type(document), dumps(document)) == document


def test_money_keeps_its_scale() -> None:
    assert encode(a.money("12.3400")) == {"is": "Money", "amount": "12.3400", "currency": "EUR"}
    assert str(loads(Money, dumps(a.money("12.3400"))).amount) == "12.3400"
    assert dumps(Decimal("1E+3")) == '"1000"'


def test_what_is_written_is_readable_to_operators() -> None:
    text = dumps(a.a_retail_order(notes="Straße 東京"))

    assert "Straße 東京" in text
    assert '"currency":"EUR"' in text
    assert json.loads(text)["ship_to"]["is"] == "TypedAddress"


def test_times_are_iso_and_come_back_in_utc() -> None:
    order = a.a_web_order(placed_at=datetime.fromisoformat("2025-03-03T10:30:00+02:00"))

    assert encode(order)["placed_at"] == "2025-03-03T08:30:00+00:00"
    assert loads(WebOrder, dumps(order)).placed_at == datetime(2025, 3, 3, 8, 30, tzinfo=UTC)
    assert loads(date, dumps(date(2025, 3, 3))) == date(2025, 3, 3)


def test_a_field_of_a_later_version_is_ignored_and_a_missing_one_takes_its_default() -> None:
    value = encode(a.an_account())
    value["invented_later"] = "x"
    del value["contacts"]

    assert decode(Account, value) == a.an_account(contacts=())


@pytest.mark.parametrize(
    "kind, value",
    [
        (CustomerId, " padded "),
        (CustomerId, 7),
        (Decimal, "twelve"),
        (Money, {"is": "Money", "amount": "1"}),
        (Money, {"is": "Money", "amount": "NaN", "currency": "EUR"}),
        (date, "yesterday"),
        (StoreOrder, {"is": "Stranger"}),
        (StoreOrder, {}),
        (AccountProfile, {"is": "AccountProfile", "status": 42}),
    ],
)
def test_what_does_not_fit_is_a_value_error(kind: Any, value: Any) -> None:
    with pytest.raises(ValueError, match=r".+"):
        decode(kind, value)


def test_a_selected_ship_to_is_not_read_as_a_typed_one() -> None:
    on_file = a.a_sales_order(ship_to=OnFileShipTo(a.SHIP_TO))

    assert isinstance(loads(SalesOrder, dumps(on_file)).ship_to, OnFileShipTo)


def test_sets_are_written_in_one_order() -> None:
    left = a.an_item(allowed_to=frozenset({CustomerId("B"), CustomerId("A")}))
    right = a.an_item(allowed_to=frozenset({CustomerId("A"), CustomerId("B")}))

    assert dumps(left) == dumps(right)
    assert loads(Item, dumps(left)) == left
    # Nobody may buy it, which is not the same as everybody.
    assert loads(Item, dumps(a.an_item(allowed_to=frozenset()))).allowed_to == frozenset()


@pytest.mark.rule("OI-4")
def test_a_fingerprint_tells_any_change() -> None:
    order = a.a_full_web_order()

    assert fingerprint(order) == fingerprint(a.a_full_web_order())
    assert fingerprint(order) == fingerprint_of(encode(order))
    for changed in (
        a.a_full_web_order(po_number="PO 4711/B"),
        a.a_full_web_order(total=a.money("293.37")),
        a.a_full_web_order(ship_complete=False),
        a.a_full_web_order(lines=order.lines[:2]),
    ):
        assert fingerprint(changed) != fingerprint(order)


def test_what_has_no_encoding_is_refused() -> None:
    with pytest.raises(TypeError, match="float"):
        encode(1.5)
    with pytest.raises(TypeError, match="object"):
        encode(object())
