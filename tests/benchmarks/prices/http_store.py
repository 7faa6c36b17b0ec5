"""A connector to ``http_shop``, as a connector for an API with batches is written.

A call of the flow is a request of a hundred rows. It takes so many calls at once as it is given
threads, through one session and, where a rate is agreed, one limiter.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sync.domain.ids import CustomerId, StoreId
from sync.domain.pricing import Audience, PriceKey, PriceScope, PriceValue
from sync.domain.views import AccountProfile, AccountView, PublishedPriceKey
from sync.kit.http import HttpSession
from sync.kit.limiter import TokenBucket
from sync.ports.erp import Finding
from sync.ports.store import StoreCapabilities

ROWS = 100
"""Of one request."""


class HttpShop:
    """Shows nothing to begin with: only a first load is measured."""

    def __init__(self, url: str, threads: int, per_second: float | None = None) -> None:
        self._threads = threads
        self._session = a_session(url, threads, per_second)

    @classmethod
    def from_settings(
        cls, options: Mapping[str, Any], secrets: Mapping[str, str], base: Path
    ) -> HttpShop:
        return cls(options["url"], options["threads"])

    @property
    def store_id(self) -> StoreId:
        return StoreId("bench")

    @property
    def capabilities(self) -> StoreCapabilities:
        return StoreCapabilities("the shop on HTTP", price_batch=ROWS, price_calls=self._threads)

    def check(self) -> Sequence[Finding]:
        return ()

    def close(self) -> None:
        self._session.close()

    # Of accounts there are none: the mirror of prices asks whether one must be withdrawn.

    def shown_customer_ids(self) -> Iterator[CustomerId]:
        return iter(())

    def shown_accounts(
        self, customer_ids: Collection[CustomerId]
    ) -> Mapping[CustomerId, AccountProfile]:
        return {}

    def put_accounts(self, views: Sequence[AccountView]) -> None:
        raise NotImplementedError

    def withdraw_account(self, customer_id: CustomerId) -> None:
        raise NotImplementedError

    def shown_price_partitions(self) -> Iterator[tuple[Audience, PriceScope]]:
        return iter(())

    def shown_prices(self, audience: Audience, scope: PriceScope) -> Mapping[PriceKey, PriceValue]:
        return {}

    def apply_prices(
        self,
        put: Sequence[tuple[PublishedPriceKey, PriceValue]],
        remove: Sequence[PublishedPriceKey],
    ) -> None:
        body = {
            "put": {name_of(key): told_of(value) for key, value in put},
            "remove": [name_of(key) for key in remove],
        }
        self._session.write("POST", "/prices", json=body)


def a_session(url: str, threads: int, per_second: float | None) -> HttpSession:
    limiter = None
    if per_second is not None:
        limiter = TokenBucket(per_second, threads, monotonic=time.monotonic, sleep=time.sleep)
    return HttpSession(
        url,
        system="the shop",
        now=lambda: datetime.now(UTC),
        monotonic=time.monotonic,
        reuse_connections=True,
        limiter=limiter,
    )


def name_of(published: PublishedPriceKey) -> str:
    key = published.key
    return f"{published.audience.key}|{key.sku.value}|{key.min_quantity.normalize():f}"


def told_of(value: PriceValue) -> str:
    price = value.unit_price
    return "" if price is None else f"{price.normalize():f}"
