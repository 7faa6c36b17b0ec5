"""Orders come out as they were placed, in the order of their changes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from sync.domain.ids import WebOrderId, WebOrderNumber
from sync.domain.order import StoreOrder, WebOrder
from sync.domain.times import Watermark
from sync.ports.store import OrderPage
from sync.stores.embedded import writing
from sync.stores.embedded.adapter import EmbeddedStore
from sync.stores.embedded.engine import store_url
from sync.testing import builders

Shop = Callable[..., Any]
START = builders.PLACED_AT


def order_at(seconds: int, name: str, **changes: Any) -> WebOrder:
    at = START + timedelta(seconds=seconds)
    return builders.a_web_order(
        order_id=WebOrderId(name),
        number=WebOrderNumber(f"W-{name}"),
        placed_at=START,
        modified_at=at,
        **changes,
    )


def read(pages: Iterator[OrderPage]) -> list[StoreOrder]:
    return [order for page in pages for order in page.orders]


def ids(pages: Iterator[OrderPage]) -> list[str]:
    return [order.order_id.value for order in read(pages)]


@pytest.mark.rule("OI-1")
@pytest.mark.parametrize(
    "order",
    [builders.a_web_order(), builders.a_retail_order(), builders.a_full_web_order()],
    ids=["wholesale", "retail", "every field"],
)
def test_an_order_comes_out_exactly_as_it_was_placed(
    store: EmbeddedStore, shop: Shop, order: WebOrder
) -> None:
    shop(writing.place_order, order)
    assert store.order(order.order_id) == order
    assert read(store.changed_orders(None)) == [order]


@pytest.mark.rule("OI-1")
def test_amounts_keep_their_scale_and_every_digit(store: EmbeddedStore, shop: Shop) -> None:
    price = "123456789012345.6789"
    line = builders.a_line(unit_price=builders.money(price), quantity=Decimal("1.500"))
    shop(writing.place_order, builders.a_web_order(lines=(line,), total=builders.money("0.10")))
    order = store.order(WebOrderId("order-1"))
    assert isinstance(order, WebOrder)
    assert str(order.lines[0].unit_price.amount) == price
    assert str(order.lines[0].quantity) == "1.500"
    assert str(order.total.amount) == "0.10"


def test_rare_scripts_and_very_long_addresses_survive(store: EmbeddedStore, shop: Shop) -> None:
    address = builders.a_typed_address(
        name="𠮷野家 🏭", lines=("ß" * 200, "x" * 200), city="Ǆ" * 200, country="nowhere"
    )
    placed = builders.a_retail_order(ship_to=address, notes="🎁 twice\r\n")
    shop(writing.place_order, placed)
    assert store.order(placed.order_id) == placed


@pytest.mark.rule("WA-3a")
def test_a_retail_ship_to_is_on_the_order_and_nowhere_else(
    store: EmbeddedStore, shop: Shop
) -> None:
    placed = builders.a_retail_order()
    shop(writing.place_order, placed)
    assert store.order(placed.order_id) == placed
    assert store.shown_ship_tos([builders.RETAIL_ACCOUNT]) == {}
    assert list(store.shown_customer_ids()) == []


def test_an_order_that_vanished_is_gone(store: EmbeddedStore, shop: Shop) -> None:
    shop(writing.place_order, builders.a_full_web_order())
    shop(writing.remove_order, WebOrderId("order-full"))
    assert store.order(WebOrderId("order-full")) is None
    shop(writing.place_order, builders.a_web_order(order_id=WebOrderId("order-full"), lines=()))
    left = store.order(WebOrderId("order-full"))
    assert isinstance(left, WebOrder)
    assert (left.lines, left.charges, left.taxes) == ((), (), ())


def test_the_feed_is_sorted_by_change_and_complete_across_pages(
    store: EmbeddedStore, shop: Shop
) -> None:
    # Seven changes at one moment do not fit a page of three.
    tied = [order_at(5, f"tied-{number}") for number in range(7)]
    others = [order_at(9, "late"), order_at(1, "early")]
    shop(writing.place_orders, [*others, *reversed(tied)])
    pages = list(store.changed_orders(None))
    assert ids(iter(pages)) == ["early", *(f"tied-{number}" for number in range(7)), "late"]
    assert max(len(page.orders) for page in pages) == 3
    assert pages[-1].reached == Watermark(START + timedelta(seconds=9))
    assert [page.reached for page in pages] == sorted(page.reached for page in pages)


def test_an_order_changed_at_the_watermark_itself_is_read(store: EmbeddedStore, shop: Shop) -> None:
    shop(writing.place_orders, [order_at(1, "before"), order_at(2, "at"), order_at(3, "after")])
    assert ids(store.changed_orders(Watermark(START + timedelta(seconds=2)))) == ["at", "after"]


def test_a_feed_without_orders_has_no_page(store: EmbeddedStore, shop: Shop) -> None:
    assert list(store.changed_orders(None)) == []
    shop(writing.place_order, order_at(1, "only"))
    assert list(store.changed_orders(Watermark(START + timedelta(seconds=2)))) == []


def test_a_busy_shop_cannot_keep_a_read_from_ending(store: EmbeddedStore, shop: Shop) -> None:
    shop(writing.place_orders, [order_at(number, f"order-{number}") for number in range(6)])
    pages = store.changed_orders(None)
    found = ids(iter([next(pages)]))
    shop(writing.place_orders, [order_at(100 + number, f"new-{number}") for number in range(9)])
    found += ids(pages)
    assert found == [f"order-{number}" for number in range(6)]
    assert ids(store.changed_orders(Watermark(START + timedelta(seconds=5))))[0] == "order-5"


def test_an_order_that_moves_on_while_we_read_is_not_lost(store: EmbeddedStore, shop: Shop) -> None:
    shop(writing.place_orders, [order_at(number, f"order-{number}") for number in range(6)])
    pages = store.changed_orders(None)
    reached = next(pages).reached
    moved = order_at(50, "order-4", po_number="changed")
    shop(writing.change_order, moved)
    *_, last = pages
    assert "order-4" not in [order.order_id.value for order in last.orders]
    assert moved in read(store.changed_orders(max(reached, last.reached)))


@pytest.mark.parametrize("count", [3, 30])
def test_a_page_takes_the_same_number_of_queries_whatever_its_size(
    store: EmbeddedStore, shop: Shop, tmp_path: Path, count: int
) -> None:
    orders = [
        dataclasses.replace(builders.a_full_web_order(), order_id=WebOrderId(f"order-{number}"))
        for number in range(count)
    ]
    shop(writing.place_orders, orders)
    asked: list[str] = []

    def note(_c: object, _k: object, statement: str, *_rest: object) -> None:
        asked.append(statement)

    url = store_url("sqlite:///shop.db", {}, tmp_path)
    wide = EmbeddedStore(url, store.store_id, page_size=100)
    event.listen(Engine, "before_cursor_execute", note)
    try:
        assert len(next(wide.changed_orders(None)).orders) == count
    finally:
        event.remove(Engine, "before_cursor_execute", note)
        wide.close()
    assert len([statement for statement in asked if statement.startswith("SELECT")]) == 11
