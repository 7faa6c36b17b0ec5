"""The Tryton adapter and its session against a server that does everything wrong."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from erp_adapters.tryton.adapter import TrytonErpAdapter
from erp_adapters.tryton.queries import rows
from erp_adapters.tryton.session import Rpc
from erp_adapters.tryton.settings import Settings
from sync.domain.sales_order import OneOffShipTo
from sync.errors import Misconfigured, OutcomeUnknown, TryLater
from sync.kit.http import HttpLimits
from sync.testing import builders as a
from sync.testing.clock import ManualClock
from sync.testing.faulty_http import Fault, FaultyHttp, Reply
from sync.testing.http_contract import HttpConnectorContract, HttpPagesContract, Point
from tests.contract.tryton_app import CREATE, FIND, PASSWORD, PATH, QUOTE, TrytonApp, calls

ORDER = a.a_sales_order(
    ship_to=OneOffShipTo(a.an_address(lines=("Canal Street 12",), region=None)),
    contact=None,
    email="ada@harbour.example",
)


@pytest.fixture
def app() -> TrytonApp:
    return TrytonApp()


@pytest.fixture
def rpc(server: FaultyHttp, limits: HttpLimits) -> Iterator[Rpc]:
    options = {
        "url": server.url,
        "database": "erp",
        "user": "sync",
        "web_shop": "webstore",
        "page_rows": 3,
    }
    settings, password = Settings.read(options, {"password": PASSWORD}, Path())
    now = ManualClock(datetime.now(UTC)).now
    rpc = Rpc(settings, password, now=now, monotonic=time.monotonic, limits=limits)
    yield rpc
    rpc.close()


class TestSession(HttpConnectorContract):
    """Its calls, of which reads and writes go to one address."""

    read_at = Point("POST", PATH, calls("model.web.shop.read"))
    write_at = Point("POST", PATH, calls(CREATE))
    canaries = (PASSWORD, "session-key", "Canal Street")

    @pytest.fixture
    def reading(self, rpc: Rpc) -> Callable[[], object]:
        return lambda: rpc.read("model.web.shop.read", [1], ["warehouses"])

    @pytest.fixture
    def writing(self, rpc: Rpc) -> Callable[[], object]:
        values = {"web_id": "k", "comment": "Canal Street 12", "lines": [["create", []]]}
        return lambda: rpc.write(CREATE, [values])

    @pytest.fixture
    def effects(self, app: TrytonApp) -> Callable[[], int]:
        return lambda: len(app.sales)


class TestAdapter(HttpConnectorContract):
    """An order in its second step: a draft is there, so nothing is surely not written."""

    read_at = Point("POST", PATH, calls(FIND))
    write_at = Point("POST", PATH, calls(QUOTE))
    canaries = (PASSWORD, "session-key", "ada@harbour.example", "Canal Street")
    writing_told = MappingProxyType({TryLater: OutcomeUnknown, Misconfigured: OutcomeUnknown})

    @pytest.fixture
    def erp(self, rpc: Rpc) -> TrytonErpAdapter:
        return TrytonErpAdapter(rpc.settings, rpc)

    @pytest.fixture
    def reading(self, erp: TrytonErpAdapter) -> Callable[[], object]:
        return lambda: erp.find_order(a.KEY)

    @pytest.fixture
    def writing(self, erp: TrytonErpAdapter) -> Callable[[], object]:
        return lambda: erp.submit_order(ORDER, a.KEY)

    @pytest.fixture
    def effects(self, app: TrytonApp) -> Callable[[], int]:
        return lambda: app.quoted

    @pytest.mark.rule("OI-1")
    @pytest.mark.parametrize("result", [None, {}, 7, "welcome", [{}], [None], [7]])
    def test_result_of_another_shape_is_not_an_order_that_is_not_there(
        self, server: FaultyHttp, erp: TrytonErpAdapter, result: object
    ) -> None:
        server.on(gives(result), where=self.read_at.is_of)
        with pytest.raises(TryLater, match="no records"):
            erp.find_order(a.KEY)

    @pytest.mark.rule("OI-1")
    def test_step_that_was_taken_without_effect_is_no_order_yet(
        self, server: FaultyHttp, erp: TrytonErpAdapter, app: TrytonApp
    ) -> None:
        server.on(gives(None), where=self.write_at.is_of)
        with pytest.raises(OutcomeUnknown, match="stands as draft"):
            erp.submit_order(ORDER, a.KEY)
        assert erp.submit_order(ORDER, a.KEY).number is not None
        assert len(app.sales) == 1


def gives(result: object) -> Fault:
    """An answer in the shape of the protocol, whoever it comes from."""
    return lambda exchange: exchange.send(Reply.of({"id": 1, "result": result}))


class TestPages(HttpPagesContract):
    """Records are read from the last id on."""

    page_at = Point("POST", PATH, calls("model.product.product.search_read"))
    canaries = (PASSWORD,)

    @pytest.fixture
    def app(self) -> PagedApp:
        return PagedApp()

    @pytest.fixture
    def listing(self, rpc: Rpc) -> Callable[[], list[int]]:
        def read() -> list[int]:
            return [row["id"] for row in rows(rpc, "product.product", [], ["code"])]

        return read

    @pytest.fixture
    def put_first(self, app: PagedApp) -> Callable[[], None]:
        return lambda: app.records.insert(0, {"id": 1, "code": "I-1"})

    @pytest.fixture
    def drop_first(self, app: PagedApp) -> Callable[[], None]:
        def drop() -> None:
            del app.records[0]

        return drop


class PagedApp(TrytonApp):
    """Seven products, told in pages as large as is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.records = [{"id": number, "code": f"I-{number}"} for number in range(2, 9)]

    def answer(self, method: str, params: list[Any]) -> object:
        if method != "model.product.product.search_read":
            return super().answer(method, params)
        after, size = params[0][-1][2], params[2]
        return [row for row in self.records if int(str(row["id"])) > after][:size]
