"""The price lists of several accounts are written at once, and a failure leaves no riddle."""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import pytest

from sync.domain.ids import CustomerId, Sku
from sync.domain.pricing import Audience, Price, PriceScope, PriceValue
from sync.domain.views import PublishedPriceKey
from sync.errors import Misconfigured, TryLater
from sync.stores.medusa.adapter import MedusaStore
from sync.stores.medusa.settings import settings_from
from sync.testing import builders as a
from tests.unit.medusa.answers import KEY, options
from tests.unit.medusa.memory_shop import MemoryShop

PATIENCE_S = 30.0
ACCOUNTS = [CustomerId(f"C-{number:02}") for number in range(12)]


class WatchedShop(MemoryShop):
    """Counts who writes prices at once, and refuses from the ``refuses_at``-th write on."""

    def __init__(self, meet: int = 1) -> None:
        super().__init__()
        self.most = 0
        self.refuses_at: int | None = None
        self.log: list[str] = []
        self._at_once, self._asked = 0, 0
        self._guard = threading.Lock()
        self._met = threading.Barrier(meet)

    def write_prices(
        self,
        list_id: str,
        create: Sequence[dict[str, Any]],
        update: Sequence[dict[str, Any]],
        delete: Sequence[str],
    ) -> None:
        with self._guard:
            self._asked += 1
            self._at_once += 1
            self.most = max(self.most, self._at_once)
            refused = self.refuses_at is not None and self._asked >= self.refuses_at
        try:
            if refused:
                raise TryLater("the shop rests")
            self._met.wait(PATIENCE_S)
            with self._guard:
                self.log.append("more" if create else "less")
                super().write_prices(list_id, create, update, delete)
        finally:
            with self._guard:
                self._at_once -= 1


def entry(customer_id: CustomerId, amount: str = "9.99", **changes: Any) -> Price:
    return a.a_price(amount, scope=PriceScope.account(customer_id), **changes)


def published(price: Price) -> tuple[PublishedPriceKey, PriceValue]:
    audience = a.account_audience(CustomerId(price.key.scope.owner))
    return PublishedPriceKey(audience, price.key), price.value


def put(store: MedusaStore, prices: Collection[Price]) -> None:
    store.apply_prices([published(price) for price in prices], [])


def right(store: MedusaStore, prices: Collection[Price]) -> bool:
    """Whether the rows in Medusa say what these prices do."""
    shown = [store.shown_prices(_audience(price), price.key.scope) for price in prices]
    return [found.get(price.key) for found, price in zip(shown, prices, strict=True)] == [
        price.value for price in prices
    ]


def _audience(price: Price) -> Audience:
    return published(price)[0].audience


@pytest.mark.rule("WA-6")
@pytest.mark.parametrize("threads", [1, 4])
def test_as_many_lists_as_agreed_are_written_at_once(threads: int) -> None:
    shop = WatchedShop(meet=threads)
    store = shop.store(threads=threads)
    prices = [entry(each, f"{number}.50") for number, each in enumerate(ACCOUNTS, 1)]

    put(store, prices)

    assert shop.most == threads
    assert len(shop.lists) == len(shop.groups_there) == len(ACCOUNTS)
    assert right(store, prices)


@pytest.mark.rule("WA-6")
@pytest.mark.parametrize("threads", [1, 4])
def test_after_a_refusal_no_other_list_is_begun_and_the_call_may_be_repeated(threads: int) -> None:
    shop = WatchedShop()
    store = shop.store(threads=threads)
    prices = [entry(each) for each in ACCOUNTS]
    shop.refuses_at = 4

    with pytest.raises(TryLater, match="rests"):
        put(store, prices)
    assert len([rows for rows in shop.rows.values() if rows]) == 3
    assert len(shop.lists) <= 3 + threads
    assert not right(store, prices)

    shop.refuses_at = None
    put(store, prices)
    assert right(store, prices)
    assert len(shop.lists) == len(ACCOUNTS), "no list is there twice"


class Silent(WatchedShop):
    """It does not tell its regions at the next question."""

    silent = False

    def regions(self) -> list[Any]:
        if self.silent:
            self.silent = False
            raise TryLater("the shop rests")
        return super().regions()


@pytest.mark.rule("WA-6", "WA-7")
def test_regions_that_are_not_told_to_one_are_not_taken_for_none_by_the_others() -> None:
    shop = Silent()
    put(shop.store(threads=4), [entry(each) for each in ACCOUNTS])
    shop.silent = True
    with pytest.raises(TryLater, match="rests"):
        put(shop.store(threads=4), [entry(each, "8.88") for each in ACCOUNTS])
    assert [len(rows) for rows in shop.rows.values()] == [1] * len(ACCOUNTS)
    assert {tuple(each["rules"]["region_id"]) for each in shop.lists.values()} == {("reg_1",)}


@pytest.mark.rule("WA-6", "MI-1")
def test_whoever_only_loses_prices_has_lost_them_before_others_gain_any() -> None:
    shop = WatchedShop()
    store = shop.store(threads=4)
    both = [entry(each, sku=Sku(sku)) for each in ACCOUNTS for sku in ("BOLT-M8", "NUT-M8")]
    put(store, both)
    shop.log.clear()
    gone = [price for price in both if price.key.scope.owner >= "C-06"][::2]
    new = [entry(each, sku=Sku("SCREW")) for each in ACCOUNTS[:6]]

    store.apply_prices([published(price) for price in new], [published(price)[0] for price in gone])

    assert shop.log == ["less"] * 6 + ["more"] * 6


def test_the_pace_is_the_administrators() -> None:
    settings = settings_from(options(threads=16, requests_per_s=50), {"api_key": KEY}, Path())
    assert (settings.threads, settings.requests_per_s) == (16, 50.0)
    for wrong in ({"threads": 0}, {"threads": True}, {"requests_per_s": 0}, {"threads": 33}):
        with pytest.raises(Misconfigured, match=next(iter(wrong))):
            settings_from(options(**wrong), {"api_key": KEY}, Path())
