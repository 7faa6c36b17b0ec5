"""What is remembered of price lists is kept as what differs, and finding that costs little."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, ClassVar

import pytest

from sync.columnar import differences
from sync.domain.pricing import PriceScope
from sync.flows import kept_vectors, price_writing
from sync.planning import price_sharing
from sync.testing import builders as a
from tests.scenarios.test_price_batches import SKUS
from tests.scenarios.test_price_checks import ACCOUNTS, a_site


@pytest.mark.rule("MI-2")
def test_short_list_is_laid_beside_few_others_however_many_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    site, looks, alike = a_site(), [0], differences.alike

    def counted(one: Any, other: Any) -> float:
        looks[0] += 1
        return alike(one, other)

    monkeypatch.setattr(differences, "alike", counted)
    for number, each in enumerate(ACCOUNTS):
        price = a.a_price(f"{number + 10}", scope=PriceScope.account(each), sku=SKUS[0])
        site.erp.set_price(price)
    assert site.run().counts["changed"] == len(ACCOUNTS)
    assert 0 < looks[0] <= kept_vectors.LOOKS * len(ACCOUNTS)


class Watched(OrderedDict[Any, Any]):
    """Remembers how many were looked over each time, the last ones first."""

    looked: ClassVar[list[int]] = []

    def items(self) -> Any:
        return WatchedItems(super().items())


class WatchedItems:
    def __init__(self, items: Any) -> None:
        self._items = items

    def __reversed__(self) -> Iterator[Any]:
        Watched.looked.append(0)
        for each in reversed(self._items):
            Watched.looked[-1] += 1
            yield each


class Counted(OrderedDict[Any, Any]):
    """Remembers how many it held at a time."""

    most: ClassVar[int] = 0

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key, value)
        Counted.most = max(Counted.most, len(self))


@pytest.mark.rule("MI-2")
def test_lists_of_a_single_price_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_vectors, "OrderedDict", Counted)
    monkeypatch.setattr(kept_vectors, "ROWS_AT_HAND", 5 * kept_vectors.ROWS_OF_ITSELF + 5)
    monkeypatch.setattr(Counted, "most", 0)
    site = a_site()
    for number, each in enumerate(ACCOUNTS):
        price = a.a_price(f"{number + 10}", scope=PriceScope.account(each), sku=SKUS[0])
        site.erp.set_price(price)
    assert site.run().counts["changed"] == len(ACCOUNTS) > 10
    assert 2 < Counted.most <= 6


@pytest.mark.rule("MI-2", "OP-2")
def test_call_tells_of_so_many_lists_and_no_more_however_short_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(price_writing, "PARTS_PER_CALL", 4)
    monkeypatch.setattr(price_sharing, "PARTS_PER_CALL", 4)
    site, calls = a_site(), list[int]()
    taken = site.store.apply_price_rows

    def counted(put: Any, remove: Any) -> None:
        calls.append(len(put) + len(remove))
        taken(put, remove)

    monkeypatch.setattr(site.store, "apply_price_rows", counted)
    for number, each in enumerate(ACCOUNTS):
        price = a.a_price(f"{number + 10}", scope=PriceScope.account(each), sku=SKUS[0])
        site.erp.set_price(price)
    assert site.run().counts["changed"] == len(ACCOUNTS)
    assert (max(calls), len(calls)) == (4, -(-len(ACCOUNTS) // 4))
    assert sum(calls) == len(ACCOUNTS)


@pytest.mark.rule("MI-2")
def test_many_lists_of_another_length_are_not_all_passed_by(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kept_vectors, "OrderedDict", Watched)
    monkeypatch.setattr(kept_vectors, "PASSED_BY", 2, raising=False)
    monkeypatch.setattr(Watched, "looked", [])
    site, few = a_site(), sorted(ACCOUNTS)[-4:]
    for number, each in enumerate(ACCOUNTS):
        for quantity in range(1, 8 if each in few else 2):
            scope = PriceScope.account(each)
            price = a.a_price(
                f"{number + 10}", scope=scope, sku=SKUS[0], min_quantity=Decimal(quantity)
            )
            site.erp.set_price(price)
    assert site.run().outcome == "ok"
    assert 4 <= max(Watched.looked) <= 2 * kept_vectors.LOOKS
