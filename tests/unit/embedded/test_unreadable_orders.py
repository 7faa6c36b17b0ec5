"""An order that makes no sense is shown with its problems; it is never dropped."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection, Table, insert
from sqlalchemy.exc import IntegrityError

from sync.domain.ids import WebOrderId, WebOrderNumber
from sync.domain.order import UnreadableOrder, WebOrder
from sync.domain.times import Watermark
from sync.stores.embedded import schema, writing
from sync.stores.embedded.adapter import EmbeddedStore
from sync.testing import builders

Shop = Callable[..., Any]
ORDER = WebOrderId("order-full")


def spoiled(store: EmbeddedStore, shop: Shop, part: Table, columns: dict[str, Any]) -> Any:
    shop(writing.place_order, builders.a_full_web_order())
    shop(writing.spoil_order, ORDER, part, **columns)
    return store.order(ORDER)


@pytest.mark.rule("OI-2")
@pytest.mark.parametrize(
    "part, column, nonsense, field",
    [
        (schema.orders, "currency", None, "currency: missing"),
        (schema.orders, "currency", "euro", "currency:"),
        (schema.orders, "state", "posted", "state:"),
        (schema.orders, "state", None, "state: missing"),
        (schema.orders, "approval", None, "approval: missing"),
        (schema.orders, "total", "NaN", "total:"),
        (schema.orders, "total", None, "total: missing"),
        (schema.orders, "total", "1_000", "total:"),
        (schema.orders, "total", "١٢", "total:"),
        (schema.orders, "total", "1e3", "total:"),
        (schema.orders, "placed_at", "2025-03-03T08:30:00", "placed_at: a time without a zone"),
        (schema.orders, "placed_at", "yesterday", "placed_at:"),
        (schema.orders, "number", None, "number: missing"),
        (schema.orders, "channel", " web", "channel:"),
        (schema.orders, "web_user", "", "web_user:"),
        (schema.orders, "requested_date", "20 March", "requested_date:"),
        (schema.orders, "ship_to_id", "MAIN", "ship_to: both selected and typed"),
        (schema.order_addresses, "lines", "Dock Road 7", "ship_to.lines:"),
        (schema.order_lines, "quantity", "NaN", "lines[0].quantity:"),
        (schema.order_lines, "quantity", "-1", "lines[0].quantity: -1 is not positive"),
        (schema.order_lines, "quantity", "0", "lines[0].quantity:"),
        (schema.order_lines, "quantity", None, "lines[0].quantity: missing"),
        (schema.order_lines, "unit_price", "-0.01", "lines[0].unit_price:"),
        (schema.order_lines, "sku", None, "lines[0].sku: missing"),
        (schema.order_line_discounts, "rate", "two percent", "line_discounts[0].rate:"),
        (schema.order_charges, "kind", "bribe", "charges[0].kind:"),
        (schema.order_discounts, "amount", None, "discounts[0].amount: missing"),
        (schema.order_taxes, "amount", "Infinity", "taxes[0].amount:"),
        (schema.order_adjustments, "amount", "", "adjustments[0].amount:"),
        (schema.order_payments, "state", "perhaps", "payments[0].state:"),
        (schema.order_payments, "expires_at", "2025-03-10T08:31:00", "payments[0].expires_at:"),
    ],
)
def test_nonsense_in_any_field_is_named_and_never_guessed(
    store: EmbeddedStore,
    shop: Shop,
    part: Table,
    column: str,
    nonsense: str | None,
    field: str,
) -> None:
    order = spoiled(store, shop, part, {column: nonsense})
    assert isinstance(order, UnreadableOrder)
    assert order.order_id == ORDER
    assert any(problem.startswith(field) for problem in order.problems), order.problems
    said = json.loads(order.payload)
    rows = said[part.name]
    assert (rows if part is schema.orders else rows[0])[column] == nonsense
    assert [page.orders for page in store.changed_orders(None)] == [(order,)]


def test_every_problem_of_an_order_is_named_at_once(store: EmbeddedStore, shop: Shop) -> None:
    shop(writing.place_order, builders.a_full_web_order())
    shop(writing.spoil_order, ORDER, state="posted", currency=None)
    shop(writing.spoil_order, ORDER, schema.order_taxes, rate="high")
    order = store.order(ORDER)
    assert isinstance(order, UnreadableOrder)
    assert [problem.split(":")[0] for problem in order.problems] == [
        "currency",
        "state",
        "taxes[0].rate",
        "taxes[1].rate",
    ]


def test_a_discount_without_its_line_is_not_quietly_lost(store: EmbeddedStore, shop: Shop) -> None:
    shop(writing.place_order, builders.a_web_order())

    def stray(connection: Connection) -> None:
        row = {"order_id": "order-1", "line_position": 4, "position": 0, "code": "X"}
        connection.execute(insert(schema.order_line_discounts), [{**row, "amount": "1.00"}])

    shop(stray)
    found = store.order(WebOrderId("order-1"))
    assert isinstance(found, UnreadableOrder)
    assert found.problems == ("line_discounts[0].line_position: there is no line 4",)


def test_an_order_without_a_number_goes_by_its_key(store: EmbeddedStore, shop: Shop) -> None:
    order = spoiled(store, shop, schema.orders, {"number": None})
    assert order.number == WebOrderNumber("order-full")


def test_an_order_whose_key_is_none_does_not_stop_the_feed(
    store: EmbeddedStore, shop: Shop
) -> None:
    shop(writing.place_orders, [builders.a_web_order(), builders.a_full_web_order()])
    shop(writing.spoil_order, ORDER, order_id="two\nlines")
    unreadable = [
        order
        for page in store.changed_orders(None)
        for order in page.orders
        if isinstance(order, UnreadableOrder)
    ]
    assert [order.order_id.value for order in unreadable] == [r"'two\nlines'"]


def test_one_unreadable_order_leaves_its_neighbours_readable(
    store: EmbeddedStore, shop: Shop
) -> None:
    good = builders.a_web_order()
    shop(writing.place_orders, [good, builders.a_full_web_order()])
    shop(writing.spoil_order, ORDER, schema.order_lines, quantity="many")
    (page,) = store.changed_orders(None)
    assert page.orders[0] == good
    assert isinstance(page.orders[1], UnreadableOrder)


def test_a_broken_country_in_a_typed_address_is_the_buyers_business(
    store: EmbeddedStore, shop: Shop
) -> None:
    order = spoiled(store, shop, schema.order_addresses, {"country": "Atlantis", "name": None})
    assert isinstance(order, WebOrder)


def test_the_shop_cannot_write_a_time_of_change_that_would_not_sort(
    store: EmbeddedStore, shop: Shop
) -> None:
    shop(writing.place_order, builders.a_web_order())
    with pytest.raises(IntegrityError):
        shop(_set_modified_at, WebOrderId("order-1"), "2025-03-03 08:30")


def test_an_impossible_time_of_change_neither_hides_the_order_nor_moves_the_watermark_back(
    store: EmbeddedStore, shop: Shop
) -> None:
    shop(writing.place_orders, [builders.a_web_order(), builders.a_full_web_order()])
    shop(_set_modified_at, ORDER, "2025-13-99T00:00:00.000000Z")
    (page,) = store.changed_orders(None)
    order = page.orders[1]
    assert isinstance(order, UnreadableOrder)
    assert order.problems[0].startswith("modified_at:")
    assert page.reached == Watermark(builders.PLACED_AT)


def _set_modified_at(connection: Connection, order_id: WebOrderId, text: str) -> None:
    orders = schema.orders
    connection.execute(
        orders.update().where(orders.c.order_id == order_id.value).values(modified_at=text)
    )
