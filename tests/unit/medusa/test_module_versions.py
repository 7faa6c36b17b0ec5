"""Shops with another version of our module: what is said, and what works all the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, cast

import pytest
import responses

from sync.domain.ids import Sku
from sync.errors import Misconfigured, TryLater
from sync.kit.http import HttpSession
from sync.ports.erp import FindingLevel
from sync.stores.medusa.checking import findings
from sync.stores.medusa.queries import PRICES_PER_REMOVAL, Queries
from sync.testing import builders as a
from tests.unit.medusa.answers import URL, a_store, settings
from tests.unit.medusa.memory_shop import MemoryShop
from tests.unit.medusa.test_lists_at_once import entry, published, put, right

PRICES = f"{URL}/admin/tradesync/prices"


class Versioned(Queries):
    """A shop that can be worked with, whose module is of some version."""

    def __init__(self, version: int) -> None:
        self.version = version

    def probe(self, what: str) -> int:
        return 1

    def module_version(self) -> int:
        return self.version

    def sales_channels(self) -> dict[str, str]:
        return {"sc_web": "Web"}

    def regions(self) -> list[dict[str, Any]]:
        return []


class Clock:
    clock_skew_s = None


@pytest.mark.parametrize(
    "version, level",
    [
        (1, FindingLevel.ERROR),
        (2, FindingLevel.WARNING),
        (3, FindingLevel.OK),
        (4, FindingLevel.ERROR),
    ],
)
def test_check_says_which_module_the_shop_has(version: int, level: FindingLevel) -> None:
    told = findings(Versioned(version), cast(HttpSession, Clock()), settings())
    [found] = [each for each in told if each.subject == "module"]
    assert found.level is level
    assert f"version {version}" in found.message
    assert level is FindingLevel.OK or "install version 3" in found.remedy


@pytest.mark.rule("WA-6", "WA-7")
def test_prices_come_and_go_with_an_older_module_too() -> None:
    shops = [MemoryShop(), MemoryShop()]
    shops[1].old_module = True
    for shop in shops:
        store = shop.store(threads=4)
        prices = [
            entry(a.ACCOUNT, f"{number}.50", sku=Sku(f"BOLT-{number}")) for number in range(1, 4)
        ]
        put(store, prices)
        assert right(store, prices)
        put(store, [entry(a.ACCOUNT, "7.77", sku=Sku("BOLT-1"))])
        store.apply_prices([], [published(prices[1])[0]])
        rows = [row["raw_amount"]["value"] for some in shop.rows.values() for row in some]
        assert sorted(rows) == ["3.5", "7.77"]
        store.apply_prices([], [published(each)[0] for each in (prices[0], prices[2])])
        assert (shop.lists, shop.rows) == ({}, {})
    assert shops[0].recorded == shops[1].recorded == {}


@pytest.fixture
def shop() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as mock:
        yield mock


ASKED: dict[str, Any] = {
    "owners": ["o"],
    "about": ["BOLT"],
    "skus": ["BOLT"],
    "groups": [],
    "lists": [],
    "regions": False,
}


@pytest.mark.parametrize("status", [404, 413])
def test_an_older_module_does_not_know_the_way(shop: responses.RequestsMock, status: int) -> None:
    """To a path that is not there Medusa gives a short shrift: it takes 100 kB, and no more."""
    shop.post(PRICES, status=status, body="Cannot POST")
    assert a_store()._queries.put_prices([], **ASKED) is None


@pytest.mark.rule("OI-2")
def test_records_whose_answer_is_lost_are_put_once_more(shop: responses.RequestsMock) -> None:
    shop.post(PRICES, status=500, json={"message": "?"})
    with pytest.raises(TryLater):
        a_store()._queries.put_prices([], **ASKED)


def test_many_rows_go_by_several_requests_and_those_that_leave_go_first(
    shop: responses.RequestsMock,
) -> None:
    made = {"list": {"id": "plist_1"}}
    for _ in range(4):
        shop.post(f"{PRICES}/rows", json=made)
    rows = [{"variant_id": f"v{number}"} for number in range(2001)]
    told = a_store()._queries.write_rows(None, {"title": "t"}, rows, [{"id": "p"}], ["gone"])

    assert told == {"id": "plist_1"}
    bodies = [json.loads(call.request.body or b"") for call in shop.calls]
    assert bodies[0] == {"head": {"title": "t"}, "remove": ["gone"]}
    assert bodies[1] == {"list": "plist_1", "update": [{"id": "p"}]}
    assert [len(body["create"]) for body in bodies[2:]] == [2000, 1]
    assert {body["list"] for body in bodies[2:]} == {"plist_1"}


def test_a_list_that_went_meanwhile_is_looked_for_once_more(
    shop: responses.RequestsMock,
) -> None:
    shop.post(f"{PRICES}/rows", status=409, json={"message": "not there any more"})
    with pytest.raises(TryLater, match="went"):
        a_store()._queries.write_rows("plist_1", None, [], [], ["price_1"])


def test_a_module_that_lost_the_way_half_way_is_named(shop: responses.RequestsMock) -> None:
    shop.post(f"{PRICES}/rows", status=404, body="Cannot POST")
    with pytest.raises(Misconfigured, match="older"):
        a_store()._queries.write_rows("plist_1", None, [], [], ["price_1"])


def test_medusa_itself_is_asked_to_remove_few_rows_at_a_time(
    shop: responses.RequestsMock,
) -> None:
    """The time that it takes grows with the square of their number."""
    path = f"{URL}/admin/price-lists/plist_1/prices/batch"
    for _ in range(3):
        shop.post(path, json={})
    rows = [f"price_{number}" for number in range(2 * PRICES_PER_REMOVAL + 1)]
    a_store()._queries.write_prices("plist_1", [], [], rows)
    sent = [json.loads(call.request.body or b"")["delete"] for call in shop.calls]
    assert [len(some) for some in sent] == [PRICES_PER_REMOVAL, PRICES_PER_REMOVAL, 1]
