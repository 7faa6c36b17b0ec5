"""``check`` reads some prices both ways, since what a feed tells too much is published."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from sync.domain.pricing import DEFAULT_LIST, Price, PriceKey, PriceLevel, PriceScope
from sync.flows.feed_findings import feed_findings
from sync.ports.erp import FindingLevel, PriceState
from sync.testing import builders as a
from sync.testing.erp import MemoryErp

SITE = PriceScope(PriceLevel.LOCATION, "SITE-1")


class Careless(MemoryErp):
    """Its feed of accounts has other conditions than the statement for one of them."""

    def __init__(self, more: tuple[Price, ...] = (), less: tuple[PriceKey, ...] = ()) -> None:
        super().__init__()
        self.more, self.less = more, less

    def price_vectors(self, level: PriceLevel) -> Iterator[tuple[PriceScope, Any]]:
        from sync.columnar.vectors import prices_of, vector_of

        for scope, vector in super().price_vectors(level):
            told = [each for each in prices_of(vector, scope) if each.key not in self.less]
            told += [each for each in self.more if each.key.scope == scope]
            yield scope, vector_of(told)
        for scope in {each.key.scope for each in self.more if each.key.scope == SITE}:
            if scope.level is level:
                yield scope, vector_of([each for each in self.more if each.key.scope == scope])


def bad(erp: MemoryErp) -> list[str]:
    return [each.message for each in feed_findings(erp) if each.level is FindingLevel.ERROR]


def filled(erp: MemoryErp) -> MemoryErp:
    erp.set_price(a.a_price("5"))
    erp.set_price(a.a_price("5.50", min_quantity=Decimal("10.000")))
    erp.set_price(a.a_price("6", scope=DEFAULT_LIST))
    return erp


@pytest.mark.rule("WA-6", "WA-7")
def test_feed_that_tells_the_same_is_good() -> None:
    found = feed_findings(filled(MemoryErp()))
    assert [each.level for each in found] == [FindingLevel.OK] * len(PriceLevel)


@pytest.mark.rule("WA-6", "WA-7")
def test_feed_that_forgets_a_condition_is_found() -> None:
    contract = a.a_price("1", price_list="BRANCH")
    (told,) = bad(filled(Careless(more=(contract,))))
    assert "BRANCH" in told
    assert "does not tell" in told


@pytest.mark.rule("WA-6", "WA-7")
def test_feed_that_tells_another_price_or_leaves_one_out_is_found() -> None:
    erp = filled(MemoryErp())
    first = next(iter(erp.prices([a.a_price("5").key.scope])))
    assert bad(filled(Careless(less=(first.key,))))
    other = replace(first, value=replace(first.value, unit_price=Decimal(4)))
    assert bad(filled(Careless(more=(other,), less=(first.key,))))


@pytest.mark.rule("WA-6")
def test_feed_of_an_owner_that_the_erp_does_not_name_is_found() -> None:
    (told,) = bad(filled(Careless(more=(a.a_price("1", scope=SITE),))))
    assert str(SITE) in told


def test_erp_without_feeds_is_not_asked() -> None:
    erp = filled(MemoryErp())
    erp.feeds = ()
    assert feed_findings(erp) == []


class Counting(MemoryErp):
    """Its states are made of other entries than it has, or are others each time."""

    def __init__(self, more: int = 0, without: PriceScope | None = None, moves: bool = False):
        super().__init__()
        self.states = tuple(PriceLevel)
        self._more, self._without, self._moves, self._asked = more, without, moves, 0

    def price_states(self, level: PriceLevel) -> Mapping[PriceScope, PriceState]:
        self._asked += self._moves
        return {
            scope: PriceState(bytes([self._asked]) * 16, each.entries + self._more)
            for scope, each in super().price_states(level).items()
            if scope != self._without
        }


def of_states(erp: MemoryErp) -> list[tuple[FindingLevel, str]]:
    found = [each for each in feed_findings(filled(erp)) if each.subject.startswith("price state")]
    return [(each.level, each.message) for each in found if each.level is not FindingLevel.OK]


@pytest.mark.rule("WA-7", "OP-4")
def test_states_that_are_made_of_the_entries_are_good() -> None:
    assert of_states(Counting()) == []


@pytest.mark.rule("WA-7", "OP-4")
def test_states_that_are_made_of_other_entries_than_the_feed_tells_are_found() -> None:
    own = a.a_price("5").key.scope
    ((level, told), *_) = of_states(Counting(more=1))
    assert level is FindingLevel.ERROR
    assert told == f"counts 3 entries of the {own}, which has 2"
    assert of_states(Counting(without=own)) == [
        (FindingLevel.WARNING, f"nothing is told of the {own}, which has prices")
    ]


@pytest.mark.rule("OP-4")
def test_states_that_are_others_each_time_are_found() -> None:
    assert {level for level, _ in of_states(Counting(moves=True))} == {FindingLevel.WARNING}
    assert all("a moment later" in told for _, told in of_states(Counting(moves=True)))
