"""What is asked of Medusa for prices, and how often."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from sync.domain.pricing import (
    DEFAULT_LIST,
    ITEM_OVERRIDES,
    Audience,
    AudienceKind,
    Price,
    PriceScope,
    PriceValue,
)
from sync.domain.views import PublishedPriceKey
from sync.stores.medusa import translate
from sync.stores.medusa.looked import LOOK_S
from sync.stores.medusa.price_lists import NEVER, PriceLists
from sync.stores.medusa.queries import PricesTold, Queries
from sync.testing import builders as a
from sync.testing.clock import ManualClock

EVERYBODY = Audience(AudienceKind.ACCOUNTS)
GROUPS = [Audience(AudienceKind.GROUP, name) for name in ("GOLD", "SILVER", "BRONZE")]


class Asked(Queries):
    """A shop that sells one item, has groups but no list, and counts what it is asked."""

    def __init__(self, *records: dict[str, Any]) -> None:
        self.recorded, self.calls = records, list[str]()
        self.written: list[str] = []
        self.old_module = False

    def put_prices(self, put: Any, **asked: Any) -> PricesTold | None:
        if self.old_module:
            return None
        self.calls.append("everything")
        sold = {sku: {"id": f"variant_{sku}", "sku": sku} for sku in asked["skus"]}
        regions = [{"id": "reg_1", "currency_code": "eur"}] if asked["regions"] else None
        return PricesTold([], sold, {}, [], regions)

    def apply_records(self, put: Any, remove: Any) -> None:
        self.calls.append("put")

    def records(
        self,
        kind: str,
        owners: Collection[str] | None = None,
        about: Collection[str] | None = None,
    ) -> Iterator[dict[str, Any]]:
        self.calls.append("records")
        for record in self.recorded:
            named = owners is None or record["owner"] in owners
            if named and (about is None or record["about"] in about):
                yield record

    def variants(self, skus: Collection[str]) -> dict[str, Any]:
        self.calls.append("variants")
        return {sku: {"id": f"variant_{sku}", "sku": sku, "metadata": None} for sku in skus}

    def groups_named(self, names: Collection[str]) -> dict[str, Any]:
        self.calls.append("groups")
        return {}

    def make_group(self, name: str, metadata: dict[str, Any]) -> dict[str, Any]:
        return {"id": name, "metadata": metadata}

    def regions(self) -> list[dict[str, Any]]:
        self.calls.append("regions")
        return [{"id": "reg_1", "currency_code": "eur"}]

    def price_lists(self, words: str) -> Iterator[dict[str, Any]]:
        self.calls.append("lists")
        yield from ()

    def make_price_list(self, body: dict[str, Any]) -> dict[str, Any]:
        return {"id": body["title"]}

    def write_rows(self, list_id: Any, head: Any, *rows: Any) -> dict[str, Any]:
        made = self.make_price_list(head)
        self.write_prices(made["id"], *rows)
        return made

    def write_prices(self, list_id: str, create: Any, update: Any, delete: Any) -> None:
        self.written.append(list_id)


def lists(queries: Queries, clock: ManualClock | None = None) -> PriceLists:
    clock = clock or ManualClock()
    zone = ZoneInfo("UTC")
    return PriceLists(queries, unit="EA", public_channel=None, zone=zone, monotonic=clock.monotonic)


def record(price: Price, audience: Audience) -> dict[str, Any]:
    return translate.price_record(PublishedPriceKey(audience, price.key), price.value)


@pytest.mark.rule("MI-2")
def test_the_lists_of_an_audience_are_looked_at_once_for_all_of_its_scopes() -> None:
    item, listed = a.a_price(scope=ITEM_OVERRIDES), a.a_price(scope=DEFAULT_LIST)
    queries, clock = Asked(record(item, EVERYBODY), record(listed, EVERYBODY)), ManualClock()
    prices = lists(queries, clock)

    for scope in (ITEM_OVERRIDES, DEFAULT_LIST):
        # There is no list in the shop, so what is recorded is not as it should be.
        [value] = prices.shown(EVERYBODY, scope).values()
        assert value.valid_until == NEVER
    assert queries.calls.count("lists") == 1

    # Who asks again wants to know how it is now; so does who asks much later.
    prices.shown(EVERYBODY, ITEM_OVERRIDES)
    assert queries.calls.count("lists") == 2
    clock.advance(timedelta(seconds=LOOK_S + 1).total_seconds())
    prices.shown(EVERYBODY, DEFAULT_LIST)
    assert queries.calls.count("lists") == 3


def write(prices: PriceLists, put: dict[PublishedPriceKey, PriceValue]) -> None:
    with prices.call(put) as call:
        prices.record(call, [translate.price_record(*each) for each in put.items()])
        with prices.turn_of(put):
            prices.apply(put, (), call)


@pytest.mark.rule("MI-2")
@pytest.mark.parametrize("old_module", [False, True])
def test_what_a_write_needs_is_asked_once_for_all_audiences(*, old_module: bool) -> None:
    queries, put = Asked(), {}
    queries.old_module = old_module
    for group in GROUPS:
        price = a.a_price(scope=PriceScope.group(group.key))
        put[PublishedPriceKey(group, price.key)] = price.value

    write(lists(queries), put)

    assert len(queries.written) == len(GROUPS)
    once = {"put", "variants", "regions", "records", "groups"} if old_module else {"everything"}
    listed = {"lists": len(GROUPS)} if old_module else {}
    assert Counter(queries.calls) == dict.fromkeys(once, 1) | listed


@pytest.mark.rule("VE-12")
def test_after_a_write_the_lists_are_looked_at_again() -> None:
    price = a.a_price(scope=DEFAULT_LIST)
    queries = Asked(record(price, EVERYBODY))
    prices = lists(queries)
    prices.shown(EVERYBODY, ITEM_OVERRIDES)

    write(prices, {PublishedPriceKey(EVERYBODY, price.key): price.value})

    before = queries.calls.count("lists")
    prices.shown(EVERYBODY, DEFAULT_LIST)
    assert queries.calls.count("lists") == before + 1
