"""Customer-specific prices of a wholesaler, made up, always the same ones for a seed.

Skewed as such prices are: every customer buys off one of twelve lists, the first of
which have most of the customers, and three in ten have contracts beside it, on one to
five per cent of the price points. A price point is an item from a quantity on; one item
in five has three quantity steps. A contract takes over all steps of an item, so that the
flat table (every customer with every point) and the normalised ones (lists, who is on
which, contracts) come to the same effective prices.

Only what one customer has is in memory at a time, beside the lists themselves. Amounts
are whole ten-thousandths in here, NUMERIC(19,4) outside.
"""

from __future__ import annotations

import math
import random
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import Enum
from functools import cached_property
from typing import Any

import pyarrow as pa

from sync.columnar.vectors import SCHEMA

LISTS = 12
_CUSTOMERS_OF_LIST = (30, 18, 12, 10, 8, 6, 5, 4, 3, 2, 1, 1)
_WITH_CONTRACT = 0.3
_STEPS = (1, 10, 50)
_EPOCH = date(1970, 1, 1)
_STARTS = tuple((date(*day) - _EPOCH).days for day in ((2025, 7, 1), (2026, 1, 1), (2026, 4, 1)))
_END = (date(2098, 12, 31) - _EPOCH).days
_FAMILIES = ("BOLT", "NUT", "WASHER", "RIVET", "CLAMP", "HOSE", "SEAL", "VALVE")
_NEW_QUANTITY = 100

PRICE = pa.decimal128(19, 4)
_FIELDS: list[pa.Field[Any]] = [
    pa.field("owner", pa.string()),
    pa.field("item_no", pa.string()),
    pa.field("min_quantity", pa.int32()),
    pa.field("unit_price", PRICE),
    pa.field("valid_from", pa.date32()),
    pa.field("valid_until", pa.date32()),
]
COLUMNS = pa.schema(_FIELDS)
"""Of every table here; ``owner`` is a customer or a list. The first three are its key."""


class Variant(Enum):
    """What is different today. Beside each update stand a twentieth deletions and insertions."""

    SAME = "unchanged"
    CLUSTERED = "0.1 % clustered"
    SPREAD = "0.1 % spread"
    TENTH = "10 % spread"


@dataclass(frozen=True, slots=True)
class Size:
    customers: int
    points: int
    seed: int = 20261127

    @property
    def rows(self) -> int:
        """Of the flat table."""
        return self.customers * self.points


@dataclass(frozen=True, slots=True)
class Edit:
    """One customer's changes. No point is updated and deleted; what is new is no point."""

    customer: int
    updated: Mapping[int, int]
    deleted: frozenset[int]
    inserted: Mapping[str, int]

    @property
    def rows(self) -> int:
        return len(self.updated) + len(self.deleted) + len(self.inserted)


class _Portion:
    """So many of those that came by, without a remainder that is lost; the first at once."""

    def __init__(self, share: float) -> None:
        self._share, self._due = share, 1.0 - share

    def of(self, count: int) -> int:
        self._due += count * self._share
        whole = int(self._due)
        self._due -= whole
        return whole


class Catalogue:
    """All prices of one size and seed, and what changes in each variant."""

    def __init__(self, size: Size) -> None:
        self.size = size
        chance = random.Random(f"{size.seed} catalogue")
        self._items: list[str] = []
        self._quantities = array("i")
        self._starts = array("i")
        self._ends: list[int | None] = []
        self._ladders: list[range] = []
        self._add_points(chance)
        base = [self._base_price(chance, step) for step in self._quantities]
        factors = [chance.randrange(700, 1100) for _ in range(LISTS)]
        self._lists = [array("q", (each * factor // 1000 for each in base)) for factor in factors]

    def _add_points(self, chance: random.Random) -> None:
        points, number = self.size.points, 0
        while len(self._items) < points:
            number += 1
            item = f"{chance.choice(_FAMILIES)}-{number:06}/{chance.randrange(1, 60)}"
            steps = _STEPS if chance.random() < 0.2 else _STEPS[:1]
            start = chance.choices(_STARTS, (1, 7, 2))[0]
            end = _END if chance.random() < 0.15 else None
            first = len(self._items)
            for step in steps[: points - first]:
                self._items.append(item)
                self._quantities.append(step)
                self._starts.append(start)
                self._ends.append(end)
            self._ladders.append(range(first, len(self._items)))

    @staticmethod
    def _base_price(chance: random.Random, step: int) -> int:
        whole = 100 + round(math.exp(chance.gauss(3.2, 1.3)) * 10_000)
        return whole * (100 - 4 * _STEPS.index(step)) // 100

    # Who buys at which price.

    def customer_no(self, customer: int) -> str:
        return f"C{customer:06}"

    def list_code(self, number: int) -> str:
        return f"LIST-{number:02}"

    def _of_customer(self, customer: int, what: str) -> random.Random:
        return random.Random(f"{self.size.seed} {what} {customer}")

    def list_of(self, customer: int) -> int:
        chance = self._of_customer(customer, "list")
        return chance.choices(range(LISTS), _CUSTOMERS_OF_LIST)[0]

    def has_contract(self, customer: int) -> bool:
        return self._of_customer(customer, "contract").random() < _WITH_CONTRACT

    def overrides(self, customer: int) -> dict[int, int]:
        """The points that the customer has a contract for, in order, with the price."""
        if not self.has_contract(customer):
            return {}
        chance = self._of_customer(customer, "overrides")
        wanted = max(1, round(self.size.points * chance.uniform(0.01, 0.05)))
        listed, found = self._lists[self.list_of(customer)], dict[int, int]()
        for ladder in chance.sample(self._ladders, min(wanted, len(self._ladders))):
            if len(found) >= wanted:
                break
            share = chance.randrange(600, 990)
            found.update((point, listed[point] * share // 1000) for point in ladder)
        return dict(sorted(found.items()))

    def _prices(self, customer: int) -> array[int]:
        prices = self._lists[self.list_of(customer)][:]
        for point, price in self.overrides(customer).items():
            prices[point] = price
        return prices

    # Rows.

    def flat(self) -> Iterator[pa.Table]:
        """Every customer with every point, a table for each, in order."""
        for customer in range(self.size.customers):
            yield self._all_points(self.customer_no(customer), self._prices(customer))

    def lists(self) -> Iterator[pa.Table]:
        """The normalised shape: each list that somebody is on, ``owner`` its code."""
        used = {self.list_of(customer) for customer in range(self.size.customers)}
        for number in sorted(used):
            yield self._all_points(self.list_code(number), self._lists[number])

    def contracts(self) -> Iterator[pa.Table]:
        """The normalised shape: what each customer with a contract has beside the list."""
        for customer in range(self.size.customers):
            own = self.overrides(customer)
            if own:
                yield self._some_points(customer, own)

    @cached_property
    def _point_columns(self) -> list[pa.Array[Any]]:
        return [
            pa.array(self._items, pa.string()),
            pa.array(self._quantities, pa.int32()),
            pa.array(self._starts, pa.int32()).cast(pa.date32()),
            pa.array(self._ends, pa.int32()).cast(pa.date32()),
        ]

    def _all_points(self, owner: str, prices: Iterable[int]) -> pa.Table:
        items, quantities, starts, ends = self._point_columns
        return _table(owner, items, quantities, prices, starts, ends)

    def _some_points(self, customer: int, prices: Mapping[int, int]) -> pa.Table:
        points = pa.array(prices.keys(), pa.int64())
        items, quantities, starts, ends = (each.take(points) for each in self._point_columns)
        owner = self.customer_no(customer)
        return _table(owner, items, quantities, prices.values(), starts, ends)

    # What changes.

    def edits(self, variant: Variant) -> Iterator[Edit]:
        """What is different in this variant, by customer in order; nothing twice."""
        if variant is Variant.CLUSTERED:
            yield from self._clustered()
        elif variant is not Variant.SAME:
            yield from self._spread(0.001 if variant is Variant.SPREAD else 0.1)

    def _clustered(self) -> Iterator[Edit]:
        """One list is edited, for all its customers alike, and some contracts are."""
        customers, rows = self.size.customers, self.size.rows
        of_lists = [self.list_of(customer) for customer in range(customers)]
        counts = [of_lists.count(number) for number in range(LISTS)]
        edited = min(
            (number for number in range(LISTS) if counts[number]),
            key=lambda number: abs(counts[number] - 0.06 * customers),
        )
        chance = self._of_customer(edited, "edit of list")
        count = max(1, round(0.0007 * rows / counts[edited]))
        points, portion = self._chosen(chance, count), _Portion(0.05)
        gone, added = self._beside(chance, portion.of(len(points)))
        contracts = [each for each in range(customers) if self.has_contract(each)] or [0]
        chosen = set(chance.sample(contracts, max(1, round(0.02 * len(contracts)))))
        each_s = max(1, round(0.0003 * rows / len(chosen)))
        for customer in range(customers):
            if of_lists[customer] == edited:
                yield self._edit(customer, points, gone, added)
            elif customer in chosen:
                chance = self._of_customer(customer, "edit")
                own = self._chosen(chance, each_s)
                yield self._edit(customer, own, *self._beside(chance, portion.of(len(own))))

    def _spread(self, share: float) -> Iterator[Edit]:
        due, beside = _Portion(share), _Portion(0.05)
        for customer in range(self.size.customers):
            count = due.of(self.size.points)
            if count:
                chance = self._of_customer(customer, f"edit {share}")
                points = self._chosen(chance, count)
                yield self._edit(customer, points, *self._beside(chance, beside.of(count)))

    def _chosen(self, chance: random.Random, count: int) -> list[int]:
        points = range(self.size.points)
        return sorted(chance.sample(points, min(count, len(points))))

    def _beside(self, chance: random.Random, count: int) -> tuple[frozenset[int], dict[str, int]]:
        gone = frozenset(self._chosen(chance, count))
        return gone, {f"NEW-{n:06}": chance.randrange(10_000, 900_000) for n in range(count)}

    def _edit(
        self,
        customer: int,
        points: Iterable[int],
        gone: frozenset[int],
        added: Mapping[str, int],
    ) -> Edit:
        prices = self._prices(customer)
        updated = {point: prices[point] * 103 // 100 + 1 for point in points if point not in gone}
        return Edit(customer, updated, gone, added)

    def after(self, edit: Edit) -> tuple[pa.Table, pa.Table]:
        """Rows to put and rows to delete (of which the keys count) for this edit."""
        put = pa.concat_tables([self._some_points(edit.customer, edit.updated), self._added(edit)])
        return put, self._some_points(edit.customer, dict.fromkeys(sorted(edit.deleted), 0))

    def before(self, edit: Edit) -> tuple[pa.Table, pa.Table]:
        """The same, to undo it."""
        prices = self._prices(edit.customer)
        touched = sorted(edit.updated.keys() | edit.deleted)
        put = self._some_points(edit.customer, {point: prices[point] for point in touched})
        return put, self._added(edit)

    def _added(self, edit: Edit) -> pa.Table:
        count = len(edit.inserted)
        return _table(
            self.customer_no(edit.customer),
            pa.array(edit.inserted.keys(), pa.string()),
            pa.array([_NEW_QUANTITY] * count, pa.int32()),
            edit.inserted.values(),
            pa.array([_STARTS[0]] * count, pa.int32()).cast(pa.date32()),
            pa.nulls(count, pa.date32()),
        )


def as_vector(rows: pa.Table) -> pa.Table:
    """Rows of one customer as the ERP's adapter tells them, in the order in which they are."""
    same = {"price_list": "CONTRACT", "unit": "EA", "currency": "EUR", "priority": 0}
    columns: list[Any] = []
    for each in SCHEMA:
        if each.name in same:
            columns.append(pa.repeat(pa.scalar(same[each.name], each.type), len(rows)))
        elif each.name == "warehouse":
            columns.append(pa.nulls(len(rows), each.type))
        else:
            columns.append(rows["item_no" if each.name == "sku" else each.name].cast(each.type))
    return pa.Table.from_arrays(columns, schema=SCHEMA)


def _table(
    owner: str,
    items: pa.Array[Any],
    quantities: pa.Array[Any],
    prices: Iterable[int],
    starts: pa.Array[Any],
    ends: pa.Array[Any],
) -> pa.Table:
    owners = pa.repeat(owner, len(items))
    columns = [owners, items, quantities, _amounts(prices), starts, ends]
    return pa.Table.from_arrays(columns, schema=COLUMNS)


def _amounts(ten_thousandths: Iterable[int]) -> pa.Array[Any]:
    """Ten-thousandths read as what they are: the same digits, four of them after the point."""
    given = ten_thousandths if isinstance(ten_thousandths, array) else [*ten_thousandths]
    whole = pa.array(given, pa.int64()).cast(pa.decimal128(19, 0))
    return pa.Array.from_buffers(PRICE, len(whole), whole.buffers())
