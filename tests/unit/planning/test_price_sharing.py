"""Who shares which list is decided by the rows that it saves, within what the store allows."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.columnar.vectors import vector_of
from sync.domain.ids import CustomerId, Sku
from sync.domain.pricing import PriceScope
from sync.planning import price_sharing
from sync.planning.price_sharing import Facts, SharingPlan, plan_sharing
from sync.planning.price_spool import Kept, KeptDelta
from sync.planning.price_vectors import NOTHING, Delta
from sync.ports.price_lists import ShownList
from sync.ports.price_memory import Partition
from sync.ports.store import ListLimits
from sync.testing import builders as a

Told = tuple[tuple[int, int], ...]
"""Items with their prices."""


class Shelf:
    """Where rows lie until they are written."""

    def __init__(self) -> None:
        self.tables: list[pa.Table] = []

    def keep(self, rows: pa.Table) -> Kept | None:
        if not len(rows):
            return None
        self.tables.append(rows)
        return Kept(len(self.tables) - 1, 1, len(rows))


def partition(number: int) -> Partition:
    customer = CustomerId(f"C-{number:02}")
    return a.account_audience(customer), PriceScope.account(customer)


def first_load(told: Mapping[int, Told], limits: ListLimits) -> SharingPlan:
    """The plan for a store that shows none of these accounts anything yet."""
    shelf = Shelf()
    rows = {each: vector_of(_prices(each)) for each in told.values()}
    names = {each: hashlib.sha256(repr(each).encode()).digest()[:16] for each in rows}
    kept = {names[each]: KeptDelta(None, None, None, shelf.keep(rows[each]), 0) for each in rows}
    by_name = {names[each]: rows[each] for each in rows}
    facts = Facts(
        lists=(),
        changes={partition(number): names[each] for number, each in told.items()},
        known={partition(number): (names[each], b"rules") for number, each in told.items()},
        gone=(),
        kept=kept.__getitem__,
        delta=lambda change: Delta(NOTHING, NOTHING, NOTHING, by_name[change]),
        rows=lambda content: by_name[content[0]],
        near=lambda content: None,
        list_rows=_no_list,
        own_rows=_no_list,
        keep=shelf.keep,
    )
    return plan_sharing(facts, limits, limits.entries)


def _no_list(*given: Any) -> Any:
    raise AssertionError("there are no lists to ask for")


def _prices(told: Told) -> list[Any]:
    scope = PriceScope.account(CustomerId("C"))
    return [
        a.a_price(str(Decimal(amount)), scope=scope, sku=Sku(f"I-{item}")) for item, amount in told
    ]


contents = st.dictionaries(st.integers(0, 6), st.integers(1, 2), min_size=1).map(
    lambda found: tuple(sorted(found.items()))
)
catalogues = st.dictionaries(st.integers(0, 14), contents, min_size=1, max_size=15)
limits = st.builds(
    ListLimits,
    st.sampled_from([1, 4, 50]),
    st.sampled_from([None, 0, 1, 2]),
    st.sampled_from([None, 1, 3]),
    st.booleans(),
)


@pytest.mark.rule("WA-6")
@given(catalogues, limits)
def test_plan_keeps_within_the_limits_and_is_never_dearer(
    told: dict[int, Told], allowed: ListLimits
) -> None:
    plan = first_load(told, allowed)
    rows = sum(map(len, told.values()))
    assert plan.plain_entries == rows
    if not plan:
        return
    assert (plan.calls, plan.entries) < (plan.plain_calls, plan.plain_entries)
    members = Counter(each.list_id for each in plan.joins)
    assert set(members) == {each.list_id for each in plan.new_lists}
    assert allowed.lists is None or len(members) <= allowed.lists
    assert allowed.members is None or max(members.values()) <= allowed.members
    # Everybody is told once: by a list, or by rows of their own.
    joining = [each.partition for each in plan.joins]
    assert len(set(joining)) == len(joining)
    assert {*joining, *plan.own} == set(map(partition, told))
    assert allowed.overrides or not any(each.own for each in plan.joins)


@pytest.mark.rule("OP-2")
def test_calls_without_lists_are_counted_by_partitions_where_these_are_short(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(price_sharing, "PARTS_PER_CALL", 3)
    told = {number: ((number, 1),) for number in range(7)}
    plan = first_load(told, ListLimits(1000, 0, None))
    assert (plan.plain_entries, plan.plain_calls) == (7, 3)


@pytest.mark.rule("MI-2")
@given(catalogues, limits)
def test_plan_is_the_same_in_whatever_order_accounts_are_told(
    told: dict[int, Told], allowed: ListLimits
) -> None:
    one = first_load(told, allowed)
    other = first_load(dict(reversed(told.items())), allowed)
    assert one.told() == other.told()
    assert [(each.partition, each.list_id) for each in one.joins] == [
        (each.partition, each.list_id) for each in other.joins
    ]


def test_nothing_is_shared_by_one() -> None:
    same = ((0, 1), (1, 1), (2, 1))
    assert not first_load({1: same}, ListLimits(2))
    assert first_load(dict.fromkeys(range(9), same), ListLimits(2)).told()["joining"] == 9


LISTED: Told = tuple((item, 1) for item in range(20))


def night(dearer: Mapping[int, int], members: int) -> tuple[SharingPlan, int]:
    """What is planned for a list of so many members, each of whom one item is dearer, if any.

    Second, how often somebody asked what changes.
    """
    shelf, asked = Shelf(), Counter[str]()
    rows = vector_of(_prices(LISTED))
    one = {item: vector_of(_prices(((item, 2),))) for item in set(dearer.values())}
    names = {item: b"%d" % item for item in one}

    def delta(change: bytes) -> Delta:
        asked["delta"] += 1
        after = one[int(change)]
        return Delta(NOTHING, after, after, NOTHING)

    partitions = [partition(number) for number in range(members)]
    facts = Facts(
        lists=[ShownList("L", "stamp", len(rows), frozenset(partitions))],
        changes={partitions[number]: names[item] for number, item in dearer.items()},
        known=dict.fromkeys(partitions, (b"rows", b"rules")),
        gone=(),
        kept=lambda change: KeptDelta(None, None, shelf.keep(one[int(change)]), None, 0),
        delta=delta,
        rows=lambda content: rows,
        near=lambda content: None,
        list_rows=lambda list_id: rows,
        own_rows=lambda list_id, items: [],
        keep=shelf.keep,
    )
    return plan_sharing(facts, ListLimits(1000), 1000), asked["delta"]


@pytest.mark.rule("MI-2")
def test_of_a_list_whose_members_all_change_apart_some_are_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(price_sharing, "TRIED", 5)
    dearer = {number: number % 20 for number in range(90)}
    plan, asked = night(dearer, 90)
    assert not plan
    assert asked < 30


@pytest.mark.rule("MI-2")
def test_a_list_changes_for_nearly_all_though_the_first_of_them_change_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(price_sharing, "TRIED", 5)
    dearer = {number: number if number < 8 else 19 for number in range(90)}
    plan, _ = night(dearer, 90)
    [change] = plan.changes
    assert (change.list_id, len(change.carried)) == ("L", 82)
    assert len(plan.own) == 8


def apart(members: int, near: bytes | None, moves: bool) -> tuple[SharingPlan, int]:
    """What is planned for members of a list of whom each changes three prices, as nobody else.

    With ``moves`` one of them shows from now on what another list shows. Second, how often
    somebody asked for all that an account is to show.
    """
    shelf, asked = Shelf(), Counter[str]()
    other: Told = tuple((item, 3) for item, _ in LISTED)
    told = {
        number: dict(LISTED) | dict.fromkeys((1, 5, 9), number + 10) for number in range(members)
    }
    if moves:
        told[members - 1] = dict(other)
    names = {number: b"%d" % number for number in told}
    after = {
        names[number]: vector_of(
            _prices(tuple((item, amount) for item, amount in rows.items() if amount != 1))
        )
        for number, rows in told.items()
    }
    rows = {names[number]: vector_of(_prices(tuple(its.items()))) for number, its in told.items()}

    def content(wanted: tuple[bytes, bytes]) -> pa.Table:
        asked["rows"] += 1
        return rows[wanted[0]]

    lists = {"L": vector_of(_prices(LISTED)), "M": vector_of(_prices(other))}
    staying = {"L": partition(98), "M": partition(99)}
    facts = Facts(
        lists=[
            ShownList("L", "a", 20, frozenset({staying["L"], *map(partition, told)})),
            ShownList("M", "a", 20, frozenset({staying["M"]})),
        ],
        changes={partition(number): name for number, name in names.items()},
        known={partition(number): (name, b"rules") for number, name in names.items()}
        | {each: (list_id.encode(), b"rules") for list_id, each in staying.items()},
        gone=(),
        kept=lambda change: KeptDelta(None, None, shelf.keep(after[change]), None, 0),
        delta=lambda change: Delta(NOTHING, after[change], after[change], NOTHING),
        rows=content,
        near=lambda content: (near, b"rules") if near is not None else None,
        list_rows=lists.__getitem__,
        own_rows=lambda list_id, items: [],
        keep=shelf.keep,
    )
    return plan_sharing(facts, ListLimits(1000), 1000), asked["rows"]


@pytest.mark.rule("MI-2")
@pytest.mark.parametrize("near", [None, b"L"])
@pytest.mark.parametrize("moves", [False, True])
def test_of_accounts_that_all_change_apart_some_are_tried_to_be_put_into_a_list(
    monkeypatch: pytest.MonkeyPatch, near: bytes | None, moves: bool
) -> None:
    monkeypatch.setattr(price_sharing, "TRIED", 5)
    plan, asked = apart(90, near, moves)
    assert asked == 5 + moves
    # Who has the most to gain is tried first.
    assert [(each.partition, each.list_id) for each in plan.joins] == (
        [(partition(89), "M")] if moves else []
    )


def test_gaps_are_of_members_that_may_have_rows_of_their_own() -> None:
    """What comes where a member has a gap could not be shown to it otherwise."""
    assert ListLimits(20, gaps=True).gaps
    with pytest.raises(ValueError, match="never filled"):
        ListLimits(20, overrides=False, gaps=True)
