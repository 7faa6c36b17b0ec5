"""Hints of the stores that tell of news: the fake, and the embedded store."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sync.domain.ids import StoreId, WebOrderId
from sync.errors import AccessDenied, Misconfigured, NotGenuine, Rejected
from sync.kit.signatures import SIGNATURE_HEADER, TOLERANCE_S, signature
from sync.ports.store import Delivery, TakesHints
from sync.stores.embedded.adapter import EmbeddedStore
from sync.systems import SystemWatch, guarded
from sync.testing.clock import ManualClock
from sync.testing.hints_contract import Deliver, HintsContract
from sync.testing.store import MemoryStore

SECRET = "a secret of both sides"
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def posted(body: bytes, secret: str = SECRET, signed_at: datetime = NOW) -> Delivery:
    return Delivery({SIGNATURE_HEADER: signature(body, secret, signed_at)}, body)


def about(orders: Sequence[WebOrderId]) -> Delivery:
    return posted(json.dumps({"orders": [each.value for each in orders]}).encode())


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[EmbeddedStore]:
    options = {"url": f"sqlite:///{tmp_path}/none.sqlite", "store_id": "shop"}
    settings = EmbeddedStore.from_settings(options, {"hints": SECRET}, tmp_path)
    store = EmbeddedStore(
        settings.engine.url, StoreId("shop"), hints_secret=SECRET, now=lambda: NOW
    )
    yield store
    store.close()


class OwnScheme(HintsContract):
    signature_header = SIGNATURE_HEADER

    @pytest.fixture
    def deliver(self) -> Deliver:
        return about

    def test_delivery_of_another_time_is_refused(self, hinting: TakesHints) -> None:
        body = b'{"orders": ["order-001"]}'
        just = timedelta(seconds=TOLERANCE_S)
        for signed_at in (NOW - just, NOW + just):
            assert hinting.hinted_orders(posted(body, signed_at=signed_at))
        for signed_at in (NOW - just * 2, NOW + just * 2):
            with pytest.raises(NotGenuine):
                hinting.hinted_orders(posted(body, signed_at=signed_at))

    def test_delivery_signed_with_another_secret_is_refused(self, hinting: TakesHints) -> None:
        for secret in ("", "another secret of nobody", SECRET[:-1]):
            with pytest.raises(NotGenuine):
                hinting.hinted_orders(posted(b'{"orders": ["order-001"]}', secret))

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"null",
            b"[]",
            b'{"orders": "order-001"}',
            b'{"orders": [1]}',
            b'{"orders": [null]}',
            b'{"orders": [""]}',
            b'{"orders": [" order-001"]}',
            b'{"orders": ["a\\nb"]}',
            b'{"orders": ["a"], "orders": ["b"]}',
            b'{"order": ["order-001"]}',
            b'{"orders": ["order-001"]',
            b"\xff\xfe",
            b"[" * 100_000,
            json.dumps({"orders": [f"order-{n}" for n in range(1001)]}).encode(),
        ],
        ids=lambda body: repr(body[:24]),
    )
    def test_signed_nonsense_is_rejected_not_obeyed(self, hinting: TakesHints, body: bytes) -> None:
        with pytest.raises(Rejected):
            hinting.hinted_orders(posted(body))


class TestMemoryStore(OwnScheme):
    @pytest.fixture
    def hinting(self) -> MemoryStore:
        return MemoryStore(hints_secret=SECRET, clock=ManualClock(NOW))


class TestEmbeddedStore(OwnScheme):
    @pytest.fixture
    def hinting(self, embedded: EmbeddedStore) -> EmbeddedStore:
        return embedded


class TestGuardedStore(OwnScheme):
    """As the daemon has it, behind the watch of its system."""

    @pytest.fixture
    def watch(self) -> SystemWatch:
        return SystemWatch("shop", "store", ManualClock(NOW))

    @pytest.fixture
    def hinting(self, watch: SystemWatch) -> MemoryStore:
        clock = ManualClock(NOW)
        return guarded(MemoryStore(hints_secret=SECRET, clock=clock), watch, clock)

    def test_a_flood_of_forgeries_does_not_shut_the_store_out(
        self, hinting: MemoryStore, watch: SystemWatch
    ) -> None:
        for _ in range(100):
            with pytest.raises(NotGenuine):
                hinting.hinted_orders(posted(b'{"orders": ["order-001"]}', "a stranger's guess"))
        assert watch.up
        assert list(hinting.changed_orders(None)) == []

    def test_hints_are_taken_while_the_store_is_away(
        self, hinting: MemoryStore, watch: SystemWatch
    ) -> None:
        watch.failed(watch.enter(), AccessDenied("the password is wrong"))
        assert not watch.up
        assert hinting.hinted_orders(posted(b'{"orders": ["order-001"]}'))


def test_store_without_its_secret_expects_no_hint_and_believes_none(tmp_path: Path) -> None:
    options = {"url": f"sqlite:///{tmp_path}/none.sqlite", "store_id": "shop"}
    for store in (MemoryStore(), EmbeddedStore.from_settings(options, {}, tmp_path)):
        assert not store.hints_expected
        for secret in ("", SECRET):
            with pytest.raises(NotGenuine):
                store.hinted_orders(posted(b'{"orders": ["order-001"]}', secret, datetime.now(UTC)))


@pytest.mark.parametrize(
    "secrets, told",
    [
        ({"hints": "short"}, "secrets.hints: shorter"),
        ({"hint": SECRET}, "secrets.hint is not known here; did you mean hints"),
    ],
)
def test_secret_that_cannot_be_one_is_told_at_the_start(
    tmp_path: Path, secrets: dict[str, str], told: str
) -> None:
    options = {"url": f"sqlite:///{tmp_path}/none.sqlite", "store_id": "shop"}
    with pytest.raises(Misconfigured, match=told) as raised:
        EmbeddedStore.from_settings(options, secrets, tmp_path)
    assert "short" not in str(raised.value).replace("shorter", "")
