"""What is remembered of price lists is kept as what differs, and finding that costs little."""

from __future__ import annotations

import gc
import tracemalloc
from collections import OrderedDict
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any, ClassVar

import pytest

from sync.columnar import differences
from sync.columnar.vectors import vector_of
from sync.domain.ids import CustomerId
from sync.domain.pricing import Audience, AudienceKind, PriceScope
from sync.flows import kept_vectors, price_writing, vector_partitions
from sync.flows.price_confirming import Confirming
from sync.planning import price_sharing
from sync.planning.price_rules import Rules
from sync.planning.price_spool import Kept, KeptDelta, PriceSpool
from sync.ports.price_memory import Confirmed
from sync.testing import builders as a
from tests.scenarios.test_price_batches import SKUS, Site
from tests.scenarios.test_price_checks import ACCOUNTS, a_site


def change_each(site: Site) -> None:
    """Each account has another price than before, and than the others."""
    for number, each in enumerate(ACCOUNTS):
        price = a.a_price(f"{number + 10}", scope=PriceScope.account(each), sku=SKUS[0])
        site.erp.set_price(price)


@pytest.mark.rule("MI-2")
def test_short_list_is_laid_beside_few_others_however_many_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    site, looks, alike = a_site(), [0], differences.alike

    def counted(one: Any, other: Any) -> float:
        looks[0] += 1
        return alike(one, other)

    monkeypatch.setattr(differences, "alike", counted)
    change_each(site)
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
    change_each(site)
    assert site.run().counts["changed"] == len(ACCOUNTS) > 10
    assert 2 < Counted.most <= 6


@pytest.mark.rule("MI-2")
def test_no_more_lists_are_at_hand_than_anybody_looks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_vectors, "OrderedDict", Counted)
    monkeypatch.setattr(kept_vectors, "MOST_AT_HAND", 3)
    monkeypatch.setattr(Counted, "most", 0)
    site = a_site()
    change_each(site)
    assert site.run().counts["changed"] == len(ACCOUNTS) > 10
    assert 2 < Counted.most <= 4


@pytest.mark.rule("MI-2")
def test_nothing_is_at_hand_any_more_while_prices_are_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made, left = list[Any](), list[int]()

    class Remembered(OrderedDict[Any, Any]):
        def __init__(self) -> None:
            super().__init__()
            made.append(self)

    monkeypatch.setattr(kept_vectors, "OrderedDict", Remembered)
    site = a_site()
    taken = site.store.apply_price_rows

    def counted(put: Any, remove: Any) -> None:
        left.append(len(made[-1]))
        taken(put, remove)

    monkeypatch.setattr(site.store, "apply_price_rows", counted)
    change_each(site)
    assert site.run().counts["changed"] == len(ACCOUNTS)
    assert left
    assert not any(left)


CONTRACTS = 3_000
MOST_BYTES = 560
"""Of one contract between its planning and its last write, with the name of its vector."""


@pytest.mark.rule("MI-2")
def test_what_is_noted_of_each_contract_until_it_is_written_is_little() -> None:
    customers = [CustomerId(f"C{number:06}") for number in range(CONTRACTS)]
    partitions = [
        (Audience(AudienceKind.ACCOUNT, each.value), PriceScope.account(each)) for each in customers
    ]
    rows = vector_of([a.a_price("5", scope=partitions[0][1], sku=SKUS[0])])
    rules, day = bytes(16), date(2026, 2, 28)
    with PriceSpool(in_columns=True) as spool:
        confirming = Confirming(Site().context(), spool)
        gc.collect()
        tracemalloc.start()
        try:
            for number, partition in enumerate(partitions):
                vector = number.to_bytes(16, "big")
                confirming.keep(vector, None, b"packed")
                confirming.expect(partition, Confirmed(vector, rules, day, 1))
                kept = KeptDelta(None, None, None, spool.keep_rows(rows), 0)
                spool.add_delta(partition, kept)
            gc.collect()
            taken, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert len(list(spool.gains())) == CONTRACTS
    assert taken / CONTRACTS < MOST_BYTES


def test_place_in_the_file_is_what_it_was_made_of() -> None:
    for place in ((0, 1, 0), (5, 2**32 - 1, 2**32 - 1), (2**40, 7, 3)):
        kept = Kept(*place)
        assert (kept.start, kept.length, kept.rows) == place
        assert kept == Kept(*place)


@pytest.mark.rule("MI-2")
def test_rules_are_made_once_for_all_accounts(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[Audience]()

    class Counting(Rules):
        @classmethod
        def of(cls, audience: Audience, mapping: Any) -> Rules:
            asked.append(audience)
            return Rules.of(audience, mapping)

    monkeypatch.setattr(vector_partitions, "Rules", Counting)
    a_site()
    assert len([each for each in asked if each.kind is AudienceKind.ACCOUNT]) <= 2  # a run each


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
    change_each(site)
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
