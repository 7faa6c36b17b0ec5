"""The Medusa connector against a server that does everything wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import MappingProxyType

import pytest

from sync.domain.ids import ErpOrderNumber, WebOrderId
from sync.domain.views import ImportNotice, ImportState
from sync.errors import OutcomeUnknown, TryLater
from sync.kit.http import HttpLimits
from sync.stores.medusa.adapter import MedusaStore
from sync.testing.faulty_http import FaultyHttp, Received, Reply
from sync.testing.http_contract import HttpConnectorContract, Point
from tests.unit.medusa.answers import KEY, an_order, settings

ORDER = WebOrderId("order_1")
PATH = "/admin/orders/order_1"
IMPORTED = ImportNotice(ImportState.PROCESSED, ErpOrderNumber("SO-77"))


class MedusaApp:
    """One order, whose metadata can be set."""

    def __init__(self) -> None:
        self.shown = 0

    def __call__(self, received: Received) -> Reply:
        if received.path == "/admin/tradesync/checkouts":
            return Reply.of({"checkouts": []})
        assert received.path == PATH
        if received.method == "GET":
            return Reply.of({"order": an_order()})
        self.shown += 1
        body = received.json()
        assert isinstance(body, dict)
        return Reply.of({"order": {"id": "order_1", "metadata": body["metadata"]}})


class TestMedusa(HttpConnectorContract):
    """Every write sets what is to be, so one whose outcome is unknown is tried again."""

    read_at, write_at = Point("GET", PATH), Point("POST", PATH)
    canaries = (KEY, "Canal Street", "ada@harbour.example", "SO-77")
    writing_told = MappingProxyType({OutcomeUnknown: TryLater})

    @pytest.fixture
    def app(self) -> MedusaApp:
        return MedusaApp()

    @pytest.fixture
    def store(self, server: FaultyHttp, limits: HttpLimits) -> Iterator[MedusaStore]:
        store = MedusaStore(settings(url=server.url), limits)
        yield store
        store.close()

    @pytest.fixture
    def reading(self, store: MedusaStore) -> Callable[[], object]:
        return lambda: store.order(ORDER)

    @pytest.fixture
    def writing(self, store: MedusaStore) -> Callable[[], object]:
        return lambda: store.show_import(ORDER, IMPORTED)

    @pytest.fixture
    def effects(self, app: MedusaApp) -> Callable[[], int]:
        return lambda: app.shown
