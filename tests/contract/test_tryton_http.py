"""The Tryton adapter and its session against a server that does everything wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

import pytest

from erp_adapters.tryton.adapter import TrytonErpAdapter
from erp_adapters.tryton.session import Rpc
from erp_adapters.tryton.settings import Settings
from sync.domain.sales_order import OneOffShipTo
from sync.errors import Misconfigured, OutcomeUnknown, TryLater
from sync.kit.http import HttpLimits
from sync.testing import builders as a
from sync.testing.clock import ManualClock
from sync.testing.faulty_http import FaultyHttp
from sync.testing.http_contract import HttpConnectorContract, Point
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
    options = {"url": server.url, "database": "erp", "user": "sync", "web_shop": "webstore"}
    settings, password = Settings.read(options, {"password": PASSWORD}, Path())
    clock = ManualClock(datetime.now(UTC))
    rpc = Rpc(settings, password, now=clock.now, monotonic=clock.monotonic, limits=limits)
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
