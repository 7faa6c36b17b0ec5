"""The Medusa connector against a server that does everything wrong."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from types import MappingProxyType
from typing import Any

import pytest

from sync.domain.ids import ErpOrderNumber, WebOrderId
from sync.domain.views import ImportNotice, ImportState
from sync.errors import OutcomeUnknown, TryLater
from sync.kit.http import HttpLimits
from sync.stores.medusa.adapter import MedusaStore
from sync.stores.medusa.queries import Queries
from sync.testing.faulty_http import Exchange, FaultyHttp, Received, Reply
from sync.testing.http_contract import HttpConnectorContract, HttpPagesContract, Point
from tests.unit.kit.http_kit import a_session
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


class MedusaLists:
    """Eight customers, groups and orders, in pages as Medusa tells them."""

    def __init__(self) -> None:
        self.rows = [self.row(number) for number in range(2, 10)]

    @staticmethod
    def row(number: int) -> dict[str, Any]:
        moment = f"2026-03-01T09:30:0{number}.000Z"
        return an_order(id=f"row_{number}", updated_at=moment, has_account=True, metadata={})

    def put_first(self) -> None:
        self.rows.insert(0, self.row(1))

    def drop_first(self) -> None:
        del self.rows[0]

    def __call__(self, received: Received) -> Reply:
        if received.path == "/admin/tradesync/checkouts":
            return Reply.of({"checkouts": []})
        asked = {name: values[0] for name, values in received.query.items()}
        after, since = asked.get("id[$gt]", ""), asked.get("updated_at[$gte]", "")
        found = [row for row in self.rows if row["id"] > after and row["updated_at"] >= since]
        if asked["order"].startswith("-"):
            found.reverse()
        start, most = int(asked.get("offset", 0)), int(asked["limit"])
        name = received.path.removeprefix("/admin/").replace("-", "_")
        return Reply.of({name: found[start : start + most], "count": len(found)})


class MedusaPages(HttpPagesContract):
    canaries = (KEY,)

    @pytest.fixture
    def app(self, monkeypatch: pytest.MonkeyPatch) -> MedusaLists:
        monkeypatch.setattr("sync.stores.medusa.queries.ROWS_PER_PAGE", 3)
        return MedusaLists()

    @pytest.fixture
    def put_first(self, app: MedusaLists) -> Callable[[], None]:
        return app.put_first

    @pytest.fixture
    def drop_first(self, app: MedusaLists) -> Callable[[], None]:
        return app.drop_first

    @pytest.fixture
    def queries(self, server: FaultyHttp, limits: HttpLimits) -> Iterator[Queries]:
        session = a_session(server.url, limits=limits)
        yield Queries(session)
        session.close()


class TestListsByKey(MedusaPages):
    page_at = Point("GET", "/admin/customers")

    @pytest.fixture
    def listing(self, queries: Queries) -> Callable[[], list[str]]:
        return lambda: [each["id"] for each in queries.registered()]


class TestListsByPlace(MedusaPages):
    page_at = Point("GET", "/admin/customer-groups")

    @pytest.fixture
    def listing(self, queries: Queries) -> Callable[[], list[str]]:
        return lambda: [each["id"] for each in queries.groups()]

    @pytest.mark.rule("MI-3")
    def test_fewer_rows_than_there_are_said_to_be_are_not_the_whole(
        self, server: FaultyHttp, listing: Callable[[], list[str]]
    ) -> None:
        server.on(short_by_one, where=self.page_at.is_of, after=2)
        with pytest.raises(TryLater, match="told 2 of 4 rows"):
            listing()


def short_by_one(exchange: Exchange) -> None:
    """A page that lacks its last row."""
    told = json.loads(exchange.answered_by_app().body)
    told["customer_groups"].pop()
    exchange.send(Reply.of(told))


class TestOrderFeed(MedusaPages):
    page_at = Point("GET", "/admin/orders", lambda asked: asked.query["limit"] != ["1"])

    @pytest.fixture
    def listing(self, server: FaultyHttp, limits: HttpLimits) -> Callable[[], list[WebOrderId]]:
        def read() -> list[WebOrderId]:
            store = MedusaStore(settings(url=server.url), limits)
            try:
                pages = list(store.changed_orders(None))
            finally:
                store.close()
            return [order.order_id for page in pages for order in page.orders]

        return read
