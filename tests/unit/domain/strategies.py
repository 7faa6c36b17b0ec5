"""Hypothesis strategies for the documents: any value that their types allow."""

from __future__ import annotations

import dataclasses
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from sync.domain import ids
from sync.domain.account import Item
from sync.domain.address import Address
from sync.domain.ids import Key
from sync.domain.money import Money
from sync.domain.order import OrderLine, Refund, UnreadableOrder, WebOrder
from sync.domain.pricing import (
    DEFAULT_LIST,
    ITEM_OVERRIDES,
    Audience,
    AudienceKind,
    PriceKey,
    PriceLevel,
    PriceScope,
    PriceValue,
)
from sync.domain.sales_order import SalesOrder, SalesOrderLine

# Few characters, but each of them has broken a program somewhere.
ALPHABET = "aB7 -'\"\\%:;/,{}\n\t\u00e9\u0141\u6771\U0001f529"
TEXT = st.text(ALPHABET, max_size=8)
NAMES = st.text(ALPHABET, min_size=1, max_size=8).filter(lambda text: bool(text.strip()))
KEY_TEXT = st.text("aB7-/%\u00e9", min_size=1, max_size=8)


def _decimals(least: int) -> st.SearchStrategy[Decimal]:
    """Numbers of every scale from 0 to 8, trailing zeros included."""
    return st.builds(
        lambda digits, places: Decimal(digits).scaleb(-places),
        st.integers(least, 10**18),
        st.integers(0, 8),
    )


DECIMALS = _decimals(-(10**18))
ABOVE_ZERO = _decimals(1)
AMOUNTS = st.builds(Money, DECIMALS, st.just("EUR"))
PRICES = st.builds(Money, _decimals(0), st.just("EUR"))
MOMENTS = st.datetimes(
    datetime(1990, 1, 1),  # noqa: DTZ001 - Hypothesis wants bounds without a zone
    datetime(2090, 1, 1),  # noqa: DTZ001
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=-5)), timezone(timedelta(hours=2))]),
)
DAYS = st.dates(date(2000, 1, 1), date(2099, 12, 31))

KEYS: list[type[Key]] = [
    kind for kind in vars(ids).values() if isinstance(kind, type) and issubclass(kind, Key)
]


def of(kind: Any) -> st.SearchStrategy[Any]:
    """Any value of that type, with every optional field sometimes absent."""
    return st.from_type(kind)


def _register() -> None:
    for kind in KEYS:
        st.register_type_strategy(kind, KEY_TEXT.map(kind))
    st.register_type_strategy(str, TEXT)
    st.register_type_strategy(Decimal, DECIMALS)
    st.register_type_strategy(Money, AMOUNTS)
    st.register_type_strategy(datetime, MOMENTS)
    st.register_type_strategy(
        Address,
        st.builds(
            Address,
            name=NAMES,
            lines=st.lists(NAMES, min_size=1, max_size=3).map(tuple),
            city=NAMES,
            country=st.sampled_from(["NL", "DE", "US"]),
            postal_code=...,
            region=...,
            attention=...,
            phone=...,
            email=...,
            residential=...,
        ),
    )
    st.register_type_strategy(
        OrderLine,
        st.builds(
            OrderLine,
            quantity=ABOVE_ZERO,
            unit_price=PRICES,
            discounts=...,
            customer_part_number=...,
            note=...,
            kit_parent=...,
        ),
    )
    given_back = st.builds(Money, ABOVE_ZERO, st.just("EUR"))
    st.register_type_strategy(Refund, st.builds(Refund, amount=given_back))
    st.register_type_strategy(PriceScope, SCOPES)
    st.register_type_strategy(
        PriceKey,
        st.builds(PriceKey, currency=st.just("EUR"), valid_from=..., priority=..., warehouse=...),
    )
    st.register_type_strategy(
        PriceValue,
        st.builds(PriceValue, st.none() | _decimals(0), valid_until=st.none() | DAYS),
    )
    st.register_type_strategy(Audience, AUDIENCES)
    st.register_type_strategy(Item, st.builds(_item, PLAIN_ITEMS, st.frozensets(TEXT)))


def _item(item: Item, tags: frozenset[str]) -> Item:
    """Only what is not for everybody can be for some tags."""
    return dataclasses.replace(item, allowed_tags=frozenset() if item.allowed_to is None else tags)


SCOPES = st.one_of(
    st.just(ITEM_OVERRIDES),
    st.just(DEFAULT_LIST),
    st.builds(
        PriceScope,
        st.sampled_from([PriceLevel.LOCATION, PriceLevel.ACCOUNT, PriceLevel.GROUP]),
        KEY_TEXT,
    ),
)
AUDIENCES = st.one_of(
    st.just(Audience(AudienceKind.ACCOUNTS)),
    st.builds(
        Audience,
        st.sampled_from([AudienceKind.ACCOUNT, AudienceKind.LOCATION, AudienceKind.GROUP]),
        KEY_TEXT,
    ),
    st.builds(
        Audience,
        st.sampled_from([AudienceKind.PUBLIC, AudienceKind.RETAIL]),
        KEY_TEXT,
        KEY_TEXT.map(ids.ChannelId),
    ),
)


def _optional(kind: type[Any]) -> list[str]:
    """Fields with a default, which Hypothesis would leave at it unless told to vary them."""
    return [
        field.name for field in dataclasses.fields(kind) if field.default is not dataclasses.MISSING
    ]


PLAIN_ITEMS: st.SearchStrategy[Item] = st.builds(
    Item,
    allowed_tags=st.just(frozenset[str]()),
    **dict.fromkeys(set(_optional(Item)) - {"allowed_tags"}, ...),
)

_register()

WEB_ORDERS: st.SearchStrategy[WebOrder] = st.builds(
    WebOrder,
    currency=st.just("EUR"),
    **dict.fromkeys(_optional(WebOrder), ...),
)
UNREADABLE_ORDERS: st.SearchStrategy[UnreadableOrder] = st.builds(
    UnreadableOrder, problems=st.lists(TEXT, min_size=1, max_size=2).map(tuple), channel=...
)
SALES_ORDERS: st.SearchStrategy[SalesOrder] = st.builds(
    SalesOrder,
    currency=st.just("EUR"),
    lines=st.lists(of(SalesOrderLine), min_size=1, max_size=2).map(tuple),
    **dict.fromkeys(_optional(SalesOrder), ...),
)
