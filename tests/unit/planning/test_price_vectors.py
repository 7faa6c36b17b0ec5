"""Detecting on columns means what ``wanted_prices`` means on entries (WA-6, WA-7, VE-12)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.columnar import differences
from sync.columnar.differences import FEW, changed, difference, without
from sync.columnar.packing import pack, pack_difference, unpack
from sync.columnar.vectors import KEY_COLUMNS, fingerprint, prices_of, vector_of
from sync.domain.ids import Sku
from sync.domain.mapping import SyncMapping
from sync.domain.pricing import (
    Audience,
    AudienceKind,
    Price,
    PriceKey,
    PriceScope,
    PriceValue,
)
from sync.planning import price_vectors
from sync.planning.guards import price_moved
from sync.planning.plan import plan_mirror
from sync.planning.price_rules import Rules
from sync.planning.price_vectors import (
    Delta,
    delta,
    ended_between,
    items_of,
    moved,
    of_items,
    published,
    without_items,
)
from sync.planning.prices import wanted_prices
from tests.scenarios.world import RETAIL, WEB, a_mapping

SCOPE = PriceScope.group("G")
DAYS = [date(2026, 3, 28) + timedelta(days=each) for each in range(4)]

amounts = st.sampled_from([None, "0", "0.0001", "5", "7.5", "10.4900", "9" * 28 + ".9999999999"])
keys = st.builds(
    PriceKey,
    scope=st.just(SCOPE),
    price_list=st.sampled_from(["", "L1"]),
    sku=st.sampled_from([Sku(each) for each in ("A", "B", "Ä", "\U0001f529")]),
    unit=st.sampled_from(["EA", "BOX"]),
    currency=st.sampled_from(["EUR", "USD"]),
    min_quantity=st.sampled_from([Decimal(1), Decimal("10.5")]),
    valid_from=st.sampled_from([None, *DAYS[:2]]),
    priority=st.integers(0, 1),
    warehouse=st.sampled_from([None, "", "W1"]),
)
values = st.builds(
    PriceValue,
    unit_price=amounts.map(lambda each: None if each is None else Decimal(each)),
    valid_until=st.sampled_from([None, *DAYS]),
)
entries = st.lists(st.builds(Price, keys, values), max_size=14)
rules = st.sampled_from([(None, True), (None, False), (("EUR",), True), (("USD",), False)])


@st.composite
def two_vectors(draw: st.DrawFn) -> tuple[list[Price], list[Price]]:
    """Some entries, and the same with a few put in, taken out or given another value."""
    old = draw(entries)
    new = [each for each in old if draw(st.integers(0, 9))]
    new = [
        replace(each, value=draw(values)) if not draw(st.integers(0, 5)) else each for each in new
    ]
    return old, new + draw(st.lists(st.builds(Price, keys, values), max_size=4))


def _mapping(given_rules: tuple[tuple[str, ...] | None, bool]) -> tuple[Audience, SyncMapping]:
    currencies, zero = given_rules
    # Shoppers go by their channel, which says the opposite of all others.
    mapping = replace(a_mapping(), zero_price_means_call=zero is (currencies is None))
    if currencies is None:
        return Audience(AudienceKind.ACCOUNTS), mapping
    web = mapping.channels[WEB]
    groups = tuple(replace(each, currencies=currencies) for each in web.retail_groups)
    channels = {
        **mapping.channels,
        WEB: replace(web, retail_groups=groups, zero_price_means_call=zero),
    }
    return Audience(AudienceKind.PUBLIC, RETAIL.value, WEB), replace(mapping, channels=channels)


def _shown(rows: pa.Table) -> dict[PriceKey, PriceValue]:
    found = prices_of(rows, SCOPE)
    assert len({each.key for each in found}) == len(found)
    return {each.key: each.value for each in found}


@given(entries, rules, st.sampled_from(DAYS))
def test_columns_are_published_as_entries_are(
    told: list[Price], given_rules: tuple[tuple[str, ...] | None, bool], today: date
) -> None:
    audience, mapping = _mapping(given_rules)
    rows = published(vector_of(told), Rules.of(audience, mapping), today)
    assert _shown(rows) == wanted_prices(told, audience, mapping, today)
    assert rows.equals(vector_of(prices_of(rows, SCOPE)))


# Few rows are looked at one by one, or laid together by stretches, and many by columns.
ways = st.sampled_from([0, 2, FEW])


@contextmanager
def few_are(rows: int) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        for module in (differences, price_vectors):
            patched.setattr(module, "FEW", rows)
        yield


@given(two_vectors(), rules, st.sampled_from(DAYS), st.sampled_from(DAYS), ways)
def test_delta_is_the_plan_between_what_was_and_what_is_published(
    told: tuple[list[Price], list[Price]],
    given_rules: tuple[tuple[str, ...] | None, bool],
    was: date,
    today: date,
    few: int,
) -> None:
    audience, mapping = _mapping(given_rules)
    old, new = vector_of(told[0]), vector_of(told[1])
    with few_are(few):
        found = delta(old, new, difference(old, new), Rules.of(audience, mapping), was, today)
    shown = wanted_prices(told[0], audience, mapping, was)
    wanted = wanted_prices(told[1], audience, mapping, today)
    plan = list(plan_mirror(wanted, shown, lambda key: key.order))
    assert _shown(found.removed) == {c.key: c.before for c in plan if c.after is None}
    assert _shown(found.added) == {c.key: c.after for c in plan if c.before is None}
    both = [change for change in plan if change.before and change.after]
    assert _shown(found.before) == {change.key: change.before for change in both}
    assert _shown(found.after) == {change.key: change.after for change in both}
    names = list(KEY_COLUMNS)
    assert found.before.select(names).equals(found.after.select(names))


@given(two_vectors(), st.booleans(), ways)
def test_difference_makes_the_new_vector_of_the_old_one(
    told: tuple[list[Price], list[Price]], long: bool, few: int
) -> None:
    shared = [_entry(f"Z{number}", "1") for number in range(FEW if long else 0)]
    old, new = vector_of(told[0] + shared), vector_of(shared + told[1])
    with few_are(few):
        found = difference(old, new)
        again = changed(old, found.gone, new.take(found.come), found.come)
        kept = without(old, found.gone)
        assert unpack(pack_difference(found, new), old).equals(new)
    assert again.equals(new)
    assert all(column.num_chunks <= 1 for column in again.columns)
    assert fingerprint(again) == fingerprint(new)
    gone = set(found.gone.to_pylist())
    assert kept.equals(
        old.take(pa.array([n for n in range(len(old)) if n not in gone], pa.int64()))
    )
    assert fingerprint(unpack(pack(new))) == fingerprint(new)
    if old.equals(new):
        assert not len(found)


def test_difference_of_a_long_list_is_the_few_rows_that_differ() -> None:
    old = [_entry(f"S{number:05}", "5") for number in range(5000)]
    new = [*old[:700], _entry("S00699-B", "5"), *old[702:4000], *old[4001:], _entry("T", "1")]
    new[2000] = _entry(new[2000].key.sku.value, "6")
    found = difference(vector_of(old), vector_of(new))
    assert found.gone.to_pylist() == [700, 701, 2001, 4000]
    assert found.come.to_pylist() == [700, 2000, 4998]
    packed = pack_difference(found, vector_of(new))
    assert len(packed) < 1000


def test_packed_vector_that_is_damaged_or_without_its_base_is_no_vector() -> None:
    old, new = vector_of([_entry("A", "5")]), vector_of([_entry("A", "6")])
    for content in (b"", b"W", b"W" + bytes(20), b"?" + pack(old)[1:]):
        with pytest.raises(ValueError, match="not a packed vector"):
            unpack(content)
    with pytest.raises(ValueError, match="missing"):
        unpack(pack_difference(difference(old, new), new))


# With more digits than its context has, ``price_moved`` itself rounds.
plain = values.filter(lambda each: each.unit_price is None or each.unit_price < 1000)


@given(st.lists(st.tuples(plain, plain), max_size=8), st.sampled_from(["0.5", "0.001", "1"]))
def test_prices_that_move_far_are_counted_alike(
    told: list[tuple[PriceValue, PriceValue]], share: str
) -> None:
    keys = [_entry(f"S{number}", "1").key for number in range(len(told))]
    before = vector_of([Price(k, old) for k, (old, _) in zip(keys, told, strict=True)])
    after = vector_of([Price(k, new) for k, (_, new) in zip(keys, told, strict=True)])
    empty = before.slice(0, 0)
    step = Decimal(share)
    counted = sum(price_moved(old.unit_price, new.unit_price, step) for old, new in told)
    assert moved(Delta(empty, before, after, empty), step) == counted


def test_end_of_validity_is_looked_at_from_the_day_that_was_told_until_today() -> None:
    told = [_entry(each.isoformat(), "5", until=each) for each in DAYS] + [_entry("ever", "5")]
    vector = vector_of(told)

    def over(one: date, other: date) -> list[Sku]:
        return items_of(vector.take(ended_between(vector, one, other)))

    assert over(DAYS[1], DAYS[1]) == []
    # Valid on its last day, and gone on the next one.
    assert over(DAYS[1], DAYS[2]) == [Sku(DAYS[1].isoformat())]
    assert over(DAYS[0], DAYS[3]) == [Sku(each.isoformat()) for each in DAYS[:3]]
    # A clock that was set back: they count again.
    assert over(DAYS[3], DAYS[0]) == over(DAYS[0], DAYS[3])


def test_rules_are_told_apart_by_their_fingerprints() -> None:
    different: Sequence[Rules] = [
        Rules(None, zero_means_call=True),
        Rules(None, zero_means_call=False),
        Rules(frozenset(), zero_means_call=True),
        Rules(frozenset({"EUR"}), zero_means_call=True),
        Rules(frozenset({"EUR", "USD"}), zero_means_call=True),
    ]
    assert len({each.fingerprint for each in different}) == len(different)


def test_rows_of_items_and_all_the_others() -> None:
    vector = vector_of([_entry(each, "5") for each in "ABC"])
    assert items_of(of_items(vector, [Sku("B"), Sku("Z")])) == [Sku("B")]
    others = without_items(vector, [Sku("B")])
    assert items_of(others) == [Sku("A"), Sku("C")]
    assert fingerprint(others) == fingerprint(vector_of([_entry(each, "5") for each in "AC"]))


def _entry(sku: str, price: str, until: date | None = None) -> Price:
    key = PriceKey(SCOPE, "L1", Sku(sku), "EA", "EUR", Decimal(1))
    return Price(key, PriceValue(Decimal(price), until))
