from __future__ import annotations

import string

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sync.domain.ids import StoreId, WebOrderId
from sync.errors import Misconfigured
from sync.state.keys import SHORTEST, idempotency_key, keys_of
from sync.testing.builders import a_web_order


def key(store: str, order_id: str, length: int = 64) -> str:
    return idempotency_key(StoreId(store), WebOrderId(order_id), length).value


@pytest.mark.rule("OI-1")
@pytest.mark.parametrize(
    "store, order_id, expected",
    [
        ("shop", "1001", "shop-1001"),
        ("shop", "8c5e-41aa", "shop-8c5e-41aa"),
        ("web-eu", "1001", "web-eu--1001"),
        ("shop", "order_01HX", "shop-order_01HX.rrjjai"),
        ("shop", "1 / 2", "dh6qxpzp2jgoyyuv5lz4xfhdhbkk7nrxiyyjupl4ird2ebpqydkq"),
    ],
)
def test_the_key_of_an_order_is_the_same_for_ever(store: str, order_id: str, expected: str) -> None:
    assert key(store, order_id) == expected


def test_a_key_that_does_not_fit_the_erps_field_is_a_digest_of_that_length() -> None:
    assert key("shop", "order-123456789", 20) == "shop-order-123456789"
    digest = key("shop", "order-1234567890", 20)
    assert len(digest) == 20
    assert "-" not in digest
    assert key("shop", "order-1234567890", 21) == "shop-order-1234567890"


def test_a_field_too_short_to_tell_orders_apart_is_refused() -> None:
    with pytest.raises(Misconfigured, match="map the key to a longer field"):
        key("shop", "1", SHORTEST - 1)


def test_a_hyphen_never_makes_two_orders_one() -> None:
    assert key("a-b", "c") != key("a", "b-c")
    assert key("a-b", "c-d") != key("a", "b-c-d") != key("a-b-c", "d")


def test_orders_that_differ_in_case_only_stay_apart_in_an_erp_that_ignores_case() -> None:
    assert key("shop", "aB1").casefold() != key("shop", "Ab1").casefold()
    assert key("shop", "AB1").casefold() != key("shop", "ab1").casefold()


def test_the_key_does_not_depend_on_what_the_order_says() -> None:
    key_for = keys_of(StoreId("shop"), 64)
    assert key_for(a_web_order()) == key_for(a_web_order(po_number="PO-9"))


TEXT = st.text("aAbB12-_.~ /:", min_size=1, max_size=6).filter(lambda text: text == text.strip())
LONG = st.text(string.printable[:94], min_size=1, max_size=40)


@pytest.mark.rule("OI-1")
@given(TEXT, TEXT, TEXT, TEXT, st.sampled_from([SHORTEST, 20, 64]))
def test_two_orders_never_share_a_key(
    store: str, order_id: str, other_store: str, other_id: str, length: int
) -> None:
    assume((store, order_id) != (other_store, other_id))
    mine, others = key(store, order_id, length), key(other_store, other_id, length)
    assert mine.casefold() != others.casefold()


@given(LONG, LONG, st.integers(SHORTEST, 70))
def test_every_key_fits_and_is_plain_ascii(store: str, order_id: str, length: int) -> None:
    found = key(store, order_id, length)
    assert len(found) <= length
    assert set(found) <= set(string.ascii_letters + string.digits + "-_.")
