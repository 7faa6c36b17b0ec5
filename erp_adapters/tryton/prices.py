"""Price lists as ladders, in the server's own words.

A line of a price list is a formula in Python, tried in its sequence; the first
that matches item, category, quantity and day gives the price. Nothing of that
is computed here. The lines only tell at which quantities and on which days the
price may change; there the server is asked, for all items with that quantity
and day at once. What it answers is what it would charge.

Turned down: evaluating the formulas here. It would be faster by far (the server
answers some 500 prices a second), and the mirror would invent prices as soon as
a formula, a unit or a rounding were understood otherwise. To be reconsidered
where the full read of a site takes longer than its price interval.

What an order asks is asked of the server as it stands, quantity and day, without the
lines of the list; of many questions the ladders are cheaper.

Where no line matches, Tryton has no price, not even the list price: null is
never taken for zero, and no entry is made of it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_CEILING, Decimal

from erp_adapters.tryton import queries
from erp_adapters.tryton.queries import Row
from erp_adapters.tryton.session import Rpc
from erp_adapters.tryton.site import PLAIN_LIST, Places
from erp_adapters.tryton.wire import as_float, is_float
from sync.domain.ids import Sku
from sync.domain.pricing import (
    Price,
    PriceKey,
    PriceQuestion,
    PriceScope,
    PriceValue,
    effective_price,
)
from sync.errors import Misconfigured, TryLater

Ladder = tuple[tuple[Decimal, Decimal | None], ...]
"""Quantities from which a price counts, ascending."""
Period = tuple[date | None, date | None]
"""First and last day; None: open on that side."""
Steps = tuple[tuple[Period, tuple[Decimal, ...]], ...]
Asked = tuple[Decimal, date | None]
"""Quantity in the unit of sale, and day; None where the day makes no difference."""

ONE_DAY = timedelta(days=1)
FEW = 8
"""Questions to one list that are asked one by one; more of them are told by its ladders."""


@dataclass(frozen=True, slots=True)
class Product:
    """``categories`` with all above them, as lines match them."""

    number: int
    sku: Sku
    unit: int
    unit_symbol: str
    smallest: Decimal
    per_default_unit: Decimal
    categories: frozenset[int]


@dataclass(frozen=True, slots=True)
class Line:
    """What a line matches on; ``quantity`` in the unit of the list."""

    product: int | None
    category: int | None
    quantity: Decimal
    start: date | None
    end: date | None

    def may_match(self, product: Product) -> bool:
        return self.product in (None, product.number) and (
            self.category is None or self.category in product.categories
        )

    def counts_on(self, day: date) -> bool:
        started = self.start is None or self.start <= day
        return started and (self.end is None or day <= self.end)


class Prices:
    """The prices of one company, in its currency and the items' units of sale."""

    def __init__(self, rpc: Rpc, places: Places) -> None:
        self._rpc, self._places = rpc, places

    def scopes(self) -> Iterator[PriceScope]:
        yield PriceScope.group(PLAIN_LIST)
        for name in self._places.price_lists().values():
            yield PriceScope.group(name)

    def entries(self, groups: Collection[str], skus: Collection[Sku] | None) -> Iterator[Price]:
        """All entries of these groups. Raises Misconfigured for a list whose prices hold tax."""
        if skus is not None and not skus:
            return
        lists = self._places.price_list_rows()
        names = self._places.price_lists(lists)
        wanted = {number: name for number, name in names.items() if name in groups}
        if not wanted and PLAIN_LIST not in groups:
            return
        products = self.products(skus)
        if PLAIN_LIST in groups:
            yield from self._of_list(PLAIN_LIST, None, products, (), {})
        if not wanted:
            return
        lines = self._lines(wanted)
        for number, name in wanted.items():
            row = lists[number]
            _refuse_tax(name, row)
            yield from self._of_list(name, number, products, lines[number], row)

    def answers(
        self,
        name: str,
        row: Row | None,
        products: Sequence[Product],
        questions: Sequence[PriceQuestion],
    ) -> Iterator[tuple[PriceQuestion, Price]]:
        """What that list charges for each question. ``row`` None: the plain list price.

        Raises Misconfigured for a list whose prices hold tax.
        """
        if row is not None:
            _refuse_tax(name, row)
        by_sku = {each.sku: each for each in products}
        together: dict[tuple[int, Asked], dict[int, list[PriceQuestion]]] = defaultdict(dict)
        # Converted into stock units it may have more digits than Tryton can be asked with.
        odd = [each for each in questions if not is_float(each.quantity)]
        if odd:
            yield from self._by_ladder(name, odd)
        even = [each for each in questions if is_float(each.quantity)]
        for question in even:
            product = by_sku.get(question.sku)
            if product is not None and self._can_answer(product, question):
                day = question.day if self._places.site.dated_prices else None
                place = product.unit, (question.quantity, day)
                together[place].setdefault(product.number, []).append(question)
        if len(together) > FEW:
            yield from self._by_ladder(name, even)
            return
        number = None if row is None else int(row["id"])
        for (unit, asked), wanted in together.items():
            for product_number, price in self._asked(number, unit, asked, list(wanted)):
                for question in wanted[product_number]:
                    yield question, self._answer(name, question, price)

    def _can_answer(self, product: Product, question: PriceQuestion) -> bool:
        return (
            question.unit == product.unit_symbol
            and question.currency == self._places.site.currency
            and question.quantity >= product.smallest
        )

    def _by_ladder(
        self, name: str, questions: Sequence[PriceQuestion]
    ) -> Iterator[tuple[PriceQuestion, Price]]:
        entries: dict[Sku, list[Price]] = defaultdict(list)
        for entry in self.entries({name}, {each.sku for each in questions}):
            entries[entry.key.sku].append(entry)
        for question in questions:
            decided = effective_price(entries[question.sku], question)
            if decided is not None:
                yield question, decided.price

    def _answer(self, name: str, question: PriceQuestion, price: Decimal | None) -> Price:
        """An entry that says so much and no more."""
        key = PriceKey(
            scope=PriceScope.group(name),
            price_list=name,
            sku=question.sku,
            unit=question.unit,
            currency=question.currency,
            min_quantity=question.quantity,
            valid_from=question.day,
        )
        return Price(key, PriceValue(price, question.day))

    def products(self, skus: Collection[Sku] | None) -> Sequence[Product]:
        """What can be sold; an item number that two products share is left out."""
        domain = [("salable", "=", True), ("code", "!=", None)]
        if skus is None:
            found = list(queries.rows(self._rpc, "product.product", domain, queries.PRODUCT))
        else:
            codes = {sku.value for sku in skus}
            found = list(
                queries.rows_in(
                    self._rpc, "product.product", "code", codes, domain, queries.PRODUCT
                )
            )
        return _each_once(found, self._categories() if found else {})

    def to_sell(self, rows: Sequence[Row]) -> Sequence[Product]:
        """Those of these products that ``products`` tells; without the categories above theirs."""
        return _each_once([row for row in rows if row["active"] and row["salable"]], {})

    def _categories(self) -> Mapping[int, int | None]:
        found = queries.rows(self._rpc, "product.category", [], ("parent",))
        return {int(row["id"]): row["parent"] for row in found}

    def _lines(self, lists: Collection[int]) -> Mapping[int, Sequence[Line]]:
        fields: tuple[str, ...] = queries.PRICE_LINE
        if self._places.site.dated_prices:
            fields += queries.PRICE_LINE_DATES
        found: dict[int, list[Line]] = defaultdict(list)
        for row in queries.rows_in(
            self._rpc, "product.price_list.line", "price_list", lists, [], fields
        ):
            found[int(row["price_list"])].append(_line(row))
        return found

    def _of_list(
        self,
        name: str,
        price_list: int | None,
        products: Sequence[Product],
        lines: Sequence[Line],
        row: Row,
    ) -> Iterator[Price]:
        in_sale_unit = row.get("unit") == "product_sale"
        steps = {each.number: _steps(each, lines, in_sale_unit) for each in products}
        told = self._told(price_list, products, steps)
        currency = self._places.site.currency
        for product in products:
            ladders = [
                (period, _ladder(quantities, told[product.number], _day_in(period)))
                for period, quantities in steps[product.number]
            ]
            for period, ladder in _joined(ladders):
                for quantity, price in ladder:
                    key = PriceKey(
                        scope=PriceScope.group(name),
                        price_list=name,
                        sku=product.sku,
                        unit=product.unit_symbol,
                        currency=currency,
                        min_quantity=quantity,
                        valid_from=period[0],
                    )
                    yield Price(key, PriceValue(price, period[1]))

    def _told(
        self, price_list: int | None, products: Sequence[Product], steps: Mapping[int, Steps]
    ) -> Mapping[int, Mapping[Asked, Decimal | None]]:
        """The server's price of each product at each of its steps."""
        together: dict[tuple[int, Asked], list[int]] = defaultdict(list)
        for product in products:
            for period, quantities in steps[product.number]:
                for quantity in quantities:
                    asked = (quantity, _day_in(period))
                    together[product.unit, asked].append(product.number)
        told: dict[int, dict[Asked, Decimal | None]] = defaultdict(dict)
        for (unit, asked), numbers in together.items():
            for number, price in self._asked(price_list, unit, asked, numbers):
                told[number][asked] = price
        return told

    def _asked(
        self, price_list: int | None, unit: int, asked: Asked, numbers: Sequence[int]
    ) -> Iterator[tuple[int, Decimal | None]]:
        quantity, day = asked
        context: dict[str, object] = {"quantity": as_float(quantity), "uom": unit}
        if price_list is not None:
            context["price_list"] = price_list
        if day is not None:
            # The list looks at one of them, the sale at the other.
            context.update(date=day, sale_date=day)
        size = self._rpc.settings.page_rows
        for start in range(0, len(numbers), size):
            some = list(numbers[start : start + size])
            rows = self._rpc.read("model.product.product.read", some, ["sale_price_uom"], **context)
            found = {int(row["id"]): row["sale_price_uom"] for row in rows}
            for number in some:
                if number not in found:
                    raise TryLater(f"Tryton gave no answer for {len(some)} prices; ask again")
                yield number, found[number]


def _refuse_tax(name: str, row: Row) -> None:
    if row["tax_included"]:
        raise Misconfigured(
            f"price list {name} of Tryton holds prices with tax; tradesync mirrors net"
            " prices: make a list without tax for these customers"
        )


def _steps(product: Product, lines: Sequence[Line], in_sale_unit: bool) -> Steps:
    """Each period in which the same lines count, with the quantities that they name."""
    matching = [line for line in lines if line.may_match(product)]
    starts = {line.start for line in matching if line.start is not None}
    starts |= {
        line.end + ONE_DAY for line in matching if line.end is not None and line.end < date.max
    }
    found = []
    for period in _periods(sorted(starts)):
        day = _day_in(period)
        counting = [line for line in matching if day is None or line.counts_on(day)]
        named = {_in_sale_unit(line.quantity, product, in_sale_unit) for line in counting}
        found.append((period, tuple(sorted(named | {product.smallest}))))
    return tuple(found)


def _periods(starts: Sequence[date]) -> Iterator[Period]:
    """From ever to the first start, from each start to the day before the next."""
    before: date | None = None
    for start in starts:
        yield before, start - ONE_DAY
        before = start
    yield before, None


def _day_in(period: Period) -> date | None:
    """A day to ask about; None where it makes no difference."""
    return period[0] or period[1]


def _in_sale_unit(quantity: Decimal, product: Product, in_sale_unit: bool) -> Decimal:
    """A step in the unit of sale: the smallest quantity that can be ordered and reaches it."""
    value = quantity if in_sale_unit else quantity / product.per_default_unit
    step = product.smallest
    rounded = (value / step).quantize(Decimal(1), ROUND_CEILING) * step
    return max(rounded, step)


def _ladder(
    quantities: Iterable[Decimal], told: Mapping[Asked, Decimal | None], day: date | None
) -> Ladder:
    """The steps at which the price changes. No price below the first is no entry."""
    ladder: list[tuple[Decimal, Decimal | None]] = []
    for quantity in quantities:
        price = told[quantity, day]
        if price == (ladder[-1][1] if ladder else None):
            continue
        ladder.append((quantity, price))
    return tuple(ladder)


def _joined(ladders: Iterable[tuple[Period, Ladder]]) -> Iterator[tuple[Period, Ladder]]:
    """Periods that follow each other with the same prices, as one."""
    waiting: tuple[Period, Ladder] | None = None
    for period, ladder in ladders:
        if waiting is not None and waiting[1] == ladder:
            waiting = (waiting[0][0], period[1]), ladder
            continue
        if waiting is not None:
            yield waiting
        waiting = period, ladder
    if waiting is not None:
        yield waiting


def _each_once(rows: Sequence[Row], above: Mapping[int, int | None]) -> list[Product]:
    """Without those that share a code."""
    seen = Counter(row["code"] for row in rows)
    return [_product(row, above) for row in rows if seen[row["code"]] == 1]


def _product(row: Row, above: Mapping[int, int | None]) -> Product:
    unit, default = row["sale_uom."] or row["default_uom."], row["default_uom."]
    categories: set[int] = set()
    for each in row["categories_all"]:
        category: int | None = each
        while category is not None and category not in categories:
            categories.add(category)
            category = above.get(category)
    return Product(
        number=int(row["id"]),
        sku=Sku(row["code"]),
        unit=int(unit["id"]),
        unit_symbol=unit["symbol"],
        smallest=_smallest(unit),
        per_default_unit=Decimal(unit["factor"]) / Decimal(default["factor"]),
        categories=frozenset(categories),
    )


def _smallest(unit: Row) -> Decimal:
    rounding = Decimal(unit.get("rounding") or 0)
    smallest = rounding if rounding > 0 else Decimal(1).scaleb(-int(unit.get("digits") or 0))
    return smallest.normalize() + 0


def _line(row: Row) -> Line:
    return Line(
        product=row["product"],
        category=row["category"],
        quantity=Decimal(row["quantity"] or 0),
        start=row.get("start_date"),
        end=row.get("end_date"),
    )
