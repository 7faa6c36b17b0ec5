"""What the module in the shop tells at once, and what others would like to tell."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sync.domain.ids import WebOrderId
from sync.errors import NotGenuine
from sync.kit.signatures import SIGNATURE_HEADER, signature
from sync.ports.store import Delivery
from sync.stores.medusa.adapter import MedusaStore
from sync.testing.hints_contract import Deliver, HintsContract
from tests.unit.medusa.answers import KEY, options
from tests.unit.medusa.test_settings import refused

SECRET = "a secret of both sides"


def about(orders: Sequence[WebOrderId]) -> Delivery:
    told = {"orders": [each.value for each in orders], "event": "order.placed", "delivery": "d-1"}
    body = json.dumps(told).encode()
    return Delivery({SIGNATURE_HEADER: signature(body, SECRET, datetime.now(UTC))}, body)


@pytest.fixture
def hinting() -> Iterator[MedusaStore]:
    store = MedusaStore.from_settings(options(), {"api_key": KEY, "hints": SECRET}, Path())
    yield store
    store.close()


class TestHints(HintsContract):
    signature_header = SIGNATURE_HEADER

    @pytest.fixture
    def hinting(self, hinting: MedusaStore) -> MedusaStore:
        return hinting

    @pytest.fixture
    def deliver(self) -> Deliver:
        return about


def test_shop_without_the_secret_is_believed_nothing() -> None:
    store = MedusaStore.from_settings(options(), {"api_key": KEY}, Path())
    assert not store.hints_expected
    with pytest.raises(NotGenuine):
        store.hinted_orders(about([WebOrderId("order_1")]))
    store.close()


@pytest.mark.rule("OP-7")
def test_secret_is_long_enough_and_never_shown(hinting: MedusaStore) -> None:
    assert "secrets.hints" in refused(options(), {"api_key": KEY, "hints": "short"})
    assert SECRET not in repr(hinting) + repr(vars(hinting))
