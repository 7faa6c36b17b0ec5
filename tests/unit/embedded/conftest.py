"""An empty shop in a file of its own, and the builders' default people in it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sync.domain.ids import StoreId
from sync.stores.embedded import engine
from sync.stores.embedded.adapter import EmbeddedStore
from tests.engines import compiled_once


@pytest.fixture
def store(tmp_path: Path, empty_shop: Path) -> Iterator[EmbeddedStore]:
    shutil.copy(empty_shop, tmp_path / "shop.db")
    url = engine.store_url("sqlite:///shop.db", {}, tmp_path)
    opened = EmbeddedStore(url, StoreId("shop"), page_size=3)
    compiled_once(opened.engine)
    yield opened
    opened.close()


@pytest.fixture
def shop(store: EmbeddedStore) -> Callable[..., Any]:
    """``shop(writing.place_order, order)``: the shop does something, in one transaction."""

    def act(doing: Callable[..., Any], *given: Any, **named: Any) -> Any:
        with store.engine.begin() as connection:
            return doing(connection, *given, **named)

    return act


@pytest.fixture
def seen(store: EmbeddedStore) -> Callable[..., Any]:
    """``seen(buyer_view.invoices, visitor)``: what somebody sees in the shop."""

    def look(looking: Callable[..., Any], *given: Any, **named: Any) -> Any:
        with store.engine.connect() as connection:
            return looking(connection, *given, **named)

    return look
