"""The store fake is held to the contract of the real adapters."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TypeVar

import pytest

from sync.domain.address import Address
from sync.domain.channel import Channel
from sync.domain.ids import (
    CustomerId,
    OrganisationId,
    ShipToId,
    WebOrderId,
    WebOrderNumber,
    WebUserId,
)
from sync.domain.order import Organisation, WebOrder, WebUser
from sync.domain.registration import Application
from sync.domain.views import ImportNotice, ImportState
from sync.ports.store import ListLimits, StoreCapabilities
from sync.testing import builders as a
from sync.testing.clock import ManualClock
from sync.testing.store import MemoryStore
from sync.testing.store_contract import StoreContract
from sync.testing.together import BatchStore

T = TypeVar("T")


class MemoryStoreWorld:
    """The memory behind the fake."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    def told(self, fact: T) -> T:
        return fact

    def place_order(self, order: WebOrder) -> None:
        self._store.place_order(order)

    def change_order(self, order: WebOrder) -> None:
        self._store.place_order(order)

    def place_unreadable(
        self, order_id: WebOrderId, number: WebOrderNumber, modified_at: datetime
    ) -> None:
        self._store.place_order(
            a.an_unreadable_order(order_id=order_id, number=number, modified_at=modified_at)
        )

    def vanish_order(self, order_id: WebOrderId) -> None:
        self._store.vanish_order(order_id)

    def add_user(self, user: WebUser) -> None:
        self._store.add_user(user)

    def add_organisation(self, organisation: Organisation) -> None:
        self._store.add_organisation(organisation)

    def add_channel(self, channel: Channel) -> None:
        self._store.add_channel(channel)

    def tag_organisation(self, organisation: OrganisationId, tag: str) -> None:
        self._store.tag_organisation(organisation, tag)

    def own_tags(self, organisation: OrganisationId) -> Collection[str]:
        return self._store.own_tags(organisation)

    def hand_in(self, application: Application) -> None:
        self._store.hand_in(application)

    def add_own_address(self, web_user: WebUserId, address: Address) -> None:
        self._store.add_own_address(web_user, address)

    def own_addresses(self, web_user: WebUserId) -> Sequence[Address]:
        return self._store.own_addresses(web_user)

    def offered_ship_tos(self, web_user: WebUserId) -> Collection[tuple[CustomerId, ShipToId]]:
        return self._store.offered_ship_tos(web_user)

    def touch_ship_tos(self) -> None:
        self._store.touch_ship_tos()

    def touch_prices(self) -> None:
        self._store.touch_prices()

    def refuse_record(self, key: str) -> None:
        self._store.refuse_record(key)

    def notice(self, order_id: WebOrderId) -> ImportNotice | None:
        return self._store.notice(order_id)


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self) -> MemoryStore:
        return MemoryStore(page_size=3)

    @pytest.fixture
    def store_world(self, store: MemoryStore) -> MemoryStoreWorld:
        return MemoryStoreWorld(store)


class TestBatchStore(StoreContract):
    @pytest.fixture
    def store(self) -> BatchStore:
        return BatchStore(page_size=3)

    @pytest.fixture
    def store_world(self, store: BatchStore) -> MemoryStoreWorld:
        return MemoryStoreWorld(store)


class TestEchoingMemoryStore(StoreContract):
    """A store in which a notice counts as a change of its order keeps the contract too."""

    @pytest.fixture
    def store(self) -> MemoryStore:
        return MemoryStore(page_size=3, echoes=True)

    @pytest.fixture
    def store_world(self, store: MemoryStore) -> MemoryStoreWorld:
        return MemoryStoreWorld(store)


@pytest.mark.rule("MI-2")
def test_reading_the_mirrors_is_no_write() -> None:
    store = MemoryStore()
    store.put_accounts([a.an_account_view()])
    written = store.writes

    store.shown_accounts([a.ACCOUNT])
    store.shown_ship_tos([a.ACCOUNT])
    list(store.shown_price_partitions())

    assert store.writes == written == 1


@pytest.mark.rule("MI-2")
def test_a_write_that_changes_nothing_still_counts_as_one() -> None:
    store = MemoryStore()
    store.apply_ship_tos([], [])
    store.apply_ship_tos([a.a_ship_to_view()], [])
    store.apply_ship_tos([a.a_ship_to_view()], [])

    assert store.writes == 3


def test_more_changes_than_a_batch_are_a_mistake_of_the_caller() -> None:
    store = MemoryStore(capabilities=StoreCapabilities(name="small", batch=1))

    with pytest.raises(ValueError, match="2 changes"):
        store.apply_ship_tos([a.a_ship_to_view()], [(a.ACCOUNT, a.SHIP_TO)])

    assert store.writes == 0


def test_an_echoing_store_shows_an_order_again_after_a_notice() -> None:
    clock = ManualClock()
    store = MemoryStore(clock=clock, echoes=True)
    order = a.a_web_order()
    store.place_order(order)
    clock.advance(60)

    store.show_import(order.order_id, ImportNotice(ImportState.PENDING))

    [page] = store.changed_orders(None)
    assert page.reached.at == clock.now() > order.modified_at


class TestMemoryStoreThatTakesCallsAtOnce(TestMemoryStore):
    @pytest.fixture
    def store(self) -> MemoryStore:
        return MemoryStore(page_size=3, capabilities=StoreCapabilities("wide", price_calls=3))


class TestMemoryStoreWithPriceLists(TestMemoryStore):
    @pytest.fixture
    def store(self) -> MemoryStore:
        limits = StoreCapabilities("listing", price_lists=ListLimits(1000))
        return MemoryStore(page_size=3, capabilities=limits)


class TestMemoryStoreWithPriceListsThatHaveGaps(TestMemoryStore):
    @pytest.fixture
    def store(self) -> MemoryStore:
        limits = StoreCapabilities("listing", price_lists=ListLimits(1000, gaps=True))
        return MemoryStore(page_size=3, capabilities=limits)


class TestMemoryStoreWithPriceListsThatNothingGoesOver(TestMemoryStore):
    @pytest.fixture
    def store(self) -> MemoryStore:
        lists = ListLimits(1000, overrides=False, sites=False)
        return MemoryStore(
            page_size=3, capabilities=StoreCapabilities("listing", price_lists=lists)
        )
