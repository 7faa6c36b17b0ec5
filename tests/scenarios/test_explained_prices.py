"""The price that ``explain`` tells is the one that the ERP's entries come to (OP-3, VE-12)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sync.domain.ids import LocationId
from sync.domain.pricing import (
    DEFAULT_LIST,
    ITEM_OVERRIDES,
    Price,
    PriceKey,
    PriceScope,
    PriceValue,
)
from sync.explaining import explain_price
from sync.testing import builders as a
from sync.testing.erp import MemoryErp
from tests.scenarios.world import HARBOUR, MILL, World

TODAY = date(2025, 3, 3)
SITE, OTHER_SITE = LocationId("SITE-1"), LocationId("SITE-2")
GROUPS = ("GOLD", "SILVER")
ELSEWHERE = (
    PriceScope.location(OTHER_SITE),
    PriceScope.account(MILL),
    PriceScope.group("BRONZE"),
)
OURS: tuple[tuple[PriceScope, ...], ...] = (
    (ITEM_OVERRIDES,),
    (PriceScope.location(SITE),),
    (PriceScope.account(HARBOUR),),
    tuple(PriceScope.group(each) for each in GROUPS),
    (DEFAULT_LIST,),
)
"""Levels from the highest to the lowest; of the groups the best one counts."""

HOLDS = {"BX": Decimal(12), "M": Decimal("0.125")}
"""Pieces in one; of what nobody knows, "PAL", nothing follows."""

NONE = object()

# Most of the entries should count: of nothing but misses there is nothing to learn.
DAYS = st.sampled_from([None, None, None, *(TODAY + timedelta(days) for days in (-2, 0, 2))])
AMOUNTS = st.sampled_from([*map(Decimal, range(9, -1, -1)), None])
ENTRIES = st.lists(
    st.builds(
        Price,
        st.builds(
            PriceKey,
            scope=st.sampled_from([*(scope for level in OURS for scope in level), *ELSEWHERE]),
            price_list=st.sampled_from(["A", "B"]),
            sku=st.just(a.SKU),
            unit=st.sampled_from(["EA", "EA", "EA", "BX", "PAL"]),
            currency=st.sampled_from(["EUR", "EUR", "EUR", "USD"]),
            min_quantity=st.sampled_from([Decimal(1), Decimal(10), Decimal(100)]),
            valid_from=DAYS,
            priority=st.integers(0, 2),
            warehouse=st.sampled_from([None, None, "W1", "W2"]),
        ),
        st.builds(
            PriceValue,
            AMOUNTS,
            valid_until=DAYS,
        ),
    ),
    min_size=4,
    max_size=25,
)


def plainly(
    entries: Collection[Price],
    quantity: Decimal,
    day: date,
    location: LocationId | None,
    warehouse: str | None,
    unit: str,
) -> str | None:
    """What the price must be, worked out level by level as a person would."""
    price = _in_unit(entries, quantity, day, location, warehouse, unit)
    holds = HOLDS.get(unit)
    if price is NONE and unit != "EA" and holds is not None:
        # In pieces then: so many more of them, and each so much cheaper.
        price = _in_unit(entries, quantity * holds, day, location, warehouse, "EA")
        price = price * holds if isinstance(price, Decimal) else price
    # A zero is no price: the store shows "call for pricing" (WA-10).
    return f"{price:f} EUR" if isinstance(price, Decimal) and price else None


def _in_unit(
    entries: Collection[Price],
    quantity: Decimal,
    day: date,
    location: LocationId | None,
    warehouse: str | None,
    unit: str,
) -> Decimal | object | None:
    """The price; None to call for it, ``NONE`` where nothing counts."""
    for level in OURS:
        if level == (PriceScope.location(SITE),) and location is None:
            continue
        best: list[Decimal | None] = []
        for scope in level:
            found = [
                each
                for each in entries
                if each.key.scope == scope
                and (each.key.unit, each.key.currency) == (unit, "EUR")
                and each.key.min_quantity <= quantity
                and each.key.warehouse in (None, warehouse)
                and (each.key.valid_from is None or each.key.valid_from <= day)
                and (each.value.valid_until is None or day <= each.value.valid_until)
            ]
            if not found:
                continue
            found = _highest(found, lambda each: each.key.warehouse is not None)
            found = _highest(found, lambda each: each.key.priority)
            found = _highest(found, lambda each: each.key.valid_from or date.min)
            lists: dict[tuple[str, date | None], list[Price]] = {}
            for each in found:
                lists.setdefault((each.key.price_list, each.value.valid_until), []).append(each)
            tiers = [
                each
                for one in lists.values()
                for each in _highest(one, lambda entry: entry.key.min_quantity)
            ]
            best.append(_cheapest([each.value.unit_price for each in tiers]))
        if best:
            return _cheapest(best)
    return NONE


def _highest(entries: list[Price], rank: Callable[[Price], Any]) -> list[Price]:
    top = max(map(rank, entries))
    return [each for each in entries if rank(each) == top]


def _cheapest(prices: list[Decimal | None]) -> Decimal | None:
    return min((each for each in prices if each is not None), default=None)


@pytest.mark.rule("OP-3", "VE-12", "WA-7", "WA-10")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    ENTRIES,
    st.sampled_from([Decimal(1), Decimal("9.5"), Decimal(10), Decimal(250)]),
    st.dates(TODAY - timedelta(4), TODAY + timedelta(4)),
    st.sampled_from([None, SITE]),
    st.sampled_from([None, "W1"]),
    st.sampled_from(["EA", "EA", "BX", "M", "PAL"]),
)
def test_explained_price_is_what_the_erps_entries_come_to(
    world: World,
    entries: list[Price],
    quantity: Decimal,
    day: date,
    location: LocationId | None,
    warehouse: str | None,
    unit: str,
) -> None:
    erp = MemoryErp(world.clock)
    erp.add_account(a.an_account(price_groups=GROUPS))
    erp.add_item(a.an_item(units=tuple(HOLDS.items())))
    held = {each.key: each for each in entries}
    for each in held.values():
        erp.set_price(each)

    told = explain_price(
        replace(world.context(), erp=erp),
        HARBOUR.value,
        a.SKU.value,
        quantity=quantity,
        unit=unit,
        currency="EUR",
        day=day,
        location=location.value if location else None,
        warehouse=warehouse,
    )

    assert told["price"] == plainly(held.values(), quantity, day, location, warehouse, unit)
