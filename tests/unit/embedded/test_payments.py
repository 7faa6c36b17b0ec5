"""The shop is asked for captures by rows, and answers in them (OI-10)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Connection, update

from sync.domain.ids import IdempotencyKey, WebOrderId
from sync.domain.order import UnreadableOrder
from sync.domain.settlement import CaptureState
from sync.errors import Rejected
from sync.stores.embedded import schema, writing
from sync.stores.embedded.adapter import EmbeddedStore
from sync.testing import builders as a

pytestmark = pytest.mark.rule("OI-10")

Shop = Callable[..., Any]
ORDER = WebOrderId("order-1")
ONE, TWO = IdempotencyKey("key-1"), IdempotencyKey("key-2")


@pytest.fixture
def placed(store: EmbeddedStore, shop: Shop) -> EmbeddedStore:
    """An order of which 99.90 are authorised."""
    shop(writing.place_order, a.a_retail_order())
    return store


def answer(connection: Connection, key: IdempotencyKey, state: str, message: str | None) -> None:
    table = schema.order_captures
    row = update(table).where(table.c.capture_key == key.value)
    connection.execute(row.values(state=state, message=message))


def states(store: EmbeddedStore) -> list[tuple[str, CaptureState, str | None]]:
    found = store.captures([ORDER])[ORDER]
    return [(each.key.value, each.state, each.message) for each in found]


def test_shop_says_what_came_of_it(placed: EmbeddedStore, shop: Shop) -> None:
    placed.capture(ORDER, a.money("60.00"), ONE)
    assert states(placed) == [("key-1", CaptureState.REQUESTED, None)]
    shop(answer, ONE, "captured", None)
    assert states(placed) == [("key-1", CaptureState.CAPTURED, None)]
    assert placed.capture(ORDER, a.money("60.00"), ONE).state is CaptureState.CAPTURED


def test_what_the_shop_refused_can_be_asked_for_again(placed: EmbeddedStore, shop: Shop) -> None:
    placed.capture(ORDER, a.money("99.90"), ONE)
    with pytest.raises(Rejected):
        placed.capture(ORDER, a.money("0.01"), TWO)
    shop(answer, ONE, "refused", "the bank said no")
    assert states(placed) == [("key-1", CaptureState.REFUSED, "the bank said no")]
    placed.capture(ORDER, a.money("99.90"), TWO)
    assert [key for key, _, _ in states(placed)] == ["key-1", "key-2"]


def test_amount_in_another_currency_is_refused(placed: EmbeddedStore) -> None:
    with pytest.raises(Rejected):
        placed.capture(ORDER, a.money("1.00", "USD"), ONE)
    assert dict(placed.captures([ORDER])) == {}


def test_asking_changes_nothing_of_the_order(placed: EmbeddedStore) -> None:
    before = placed.order(ORDER)
    placed.capture(ORDER, a.money("60.00"), ONE)
    assert placed.order(ORDER) == before


@pytest.mark.rule("OI-2")
@pytest.mark.parametrize(
    "column, told",
    [({"amount": "-1.00"}, "amount"), ({"amount": "much"}, "amount"), ({"refund_id": None}, "id")],
)
def test_refund_that_cannot_be_read_makes_the_order_unreadable(
    store: EmbeddedStore, shop: Shop, column: dict[str, Any], told: str
) -> None:
    shop(writing.place_order, a.a_retail_order(refunds=(a.a_refund(),)))
    moment = datetime(2025, 3, 11, tzinfo=UTC)
    shop(writing.spoil_order, ORDER, schema.order_refunds, modified_at=moment, **column)
    order = store.order(ORDER)
    assert isinstance(order, UnreadableOrder)
    assert any(told in each and "refunds[0]" in each for each in order.problems)
