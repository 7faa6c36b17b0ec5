"""Batches of accounts hold about as many records, however many each account has."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.kit.pacing import Paced

RECORDS, FIRST = 100, 10


def paced(each_has: list[int], most: int) -> list[list[int]]:
    found, values = [], Paced(each_has, most, records=RECORDS, first=FIRST)
    for batch in values:
        values.held(sum(batch))
        found.append(list(batch))
    return found


@given(st.lists(st.integers(0, 3 * RECORDS), max_size=60), st.integers(1, 40))
def test_every_account_comes_once_and_in_order(each_has: list[int], most: int) -> None:
    batches = paced(each_has, most)
    assert [each for batch in batches for each in batch] == each_has
    assert all(0 < len(batch) <= most for batch in batches)


@pytest.mark.parametrize("each_has", [1, 7, RECORDS // FIRST, 60, RECORDS, 5 * RECORDS])
def test_a_batch_holds_no_more_than_it_should_or_one_account(each_has: int) -> None:
    _, *batches = paced([each_has] * 400, 200)
    assert max(sum(batch) for batch in batches) <= max(RECORDS, each_has)


def test_accounts_that_have_little_are_soon_read_as_many_together_as_may_be() -> None:
    assert [len(batch) for batch in paced([0] * 500, 200)] == [10, 20, 40, 80, 160, 190]
    assert [len(batch) for batch in paced([0] * 12, 5)] == [5, 5, 2]


def test_after_a_large_account_few_are_read_and_then_more_again() -> None:
    sizes = [len(batch) for batch in paced([1] * 30 + [1000] + [1] * 200, 40)]
    assert sizes == [10, 20, 40, 3, 6, 12, 24, 40, 40, 36]
