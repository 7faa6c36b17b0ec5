"""Ladders out of price lists: whatever the lines, the mirror says what the server says."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erp_adapters.tryton.prices import FEW, Prices
from erp_adapters.tryton.session import Rpc
from erp_adapters.tryton.site import PLAIN_LIST, Places, Site
from sync.domain.ids import Sku
from sync.domain.pricing import Price, PriceQuestion, PriceScope, effective_price
from sync.errors import Misconfigured, TryLater
from tests.unit.tryton.tryton_kit import settings

A_DAY = date(2026, 6, 15)
CATEGORIES = {1: None, 2: 1, 3: None}
EACH = {"id": 1, "symbol": "u", "factor": 1, "rounding": 1, "digits": 0}
BOX = {"id": 2, "symbol": "box", "factor": 12, "rounding": 1, "digits": 0}
METRE = {"id": 3, "symbol": "m", "factor": 1, "rounding": Decimal("0.01"), "digits": 2}
SITE = Site(1, "Company", "USD", None, 1, 5, [], dated_prices=True, carriers=True)


@dataclass(frozen=True)
class Row:
    """A line of a list: its price counts where everything that it names matches."""

    price: Decimal | None
    product: int | None = None
    category: int | None = None
    quantity: float | None = None
    start: date | None = None
    end: date | None = None


class Book:
    """A server with one price list, which matches as Tryton does: the first line counts."""

    def __init__(
        self,
        lines: Sequence[Row],
        products: Sequence[dict[str, Any]],
        list_price: Decimal | None = None,
        **price_list: object,
    ) -> None:
        self.settings = settings()
        self.context = {"company": 1}
        self.lines, self.products, self.list_price = lines, products, list_price
        self.list = {"id": 9, "name": "GOLD", "unit": "product_default", "tax_included": False}
        self.list.update(price_list)
        self.asked = 0

    def read(self, method: str, *given: Any, **context: Any) -> Any:
        match method:
            case "model.product.product.search_read":
                wanted = next((c[2] for c in given[0] if c[0] == "code" and c[1] == "in"), None)
                after = given[0][-1][2]
                rows = [p for p in self.products if wanted is None or p["code"] in wanted]
                return [p for p in rows if p["id"] > after]
            case "model.product.category.search_read":
                after = given[0][-1][2]
                return [{"id": n, "parent": p} for n, p in CATEGORIES.items() if n > after]
            case "model.product.price_list.search_read":
                return [self.list] if given[0][-1][2] < 9 else []
            case "model.product.price_list.line.search_read":
                return [
                    {
                        "id": number,
                        "price_list": 9,
                        "product": line.product,
                        "category": line.category,
                        "quantity": line.quantity,
                        "start_date": line.start,
                        "end_date": line.end,
                    }
                    for number, line in enumerate(self.lines, 1)
                    if number > given[0][-1][2]
                ]
            case "model.product.product.read":
                self.asked += 1
                day = context.get("date", A_DAY)
                # Never in the order that was asked for.
                return [
                    {
                        "id": number,
                        "sale_price_uom": self.charged(
                            number, context["quantity"], day, listed="price_list" in context
                        ),
                    }
                    for number in sorted(given[0], reverse=True)
                ]
        raise AssertionError(method)

    def charged(
        self, number: int, quantity: float, day: date, *, listed: bool = True
    ) -> Decimal | None:
        if not listed:
            return self.list_price
        [product] = [p for p in self.products if p["id"] == number]
        unit, default = product["sale_uom."], product["default_uom."]
        if self.list["unit"] == "product_default":
            quantity = quantity * unit["factor"] / default["factor"]
        own: set[int] = set()
        for category in product["categories_all"]:
            above: int | None = category
            while above is not None:
                own.add(above)
                above = CATEGORIES[above]
        for line in self.lines:
            if (
                line.product in (None, number)
                and (line.category is None or line.category in own)
                and (line.quantity is None or line.quantity <= quantity)
                and (line.start is None or line.start <= day)
                and (line.end is None or day <= line.end)
            ):
                return line.price
        return None


def a_product(number: int = 1, **changes: Any) -> dict[str, Any]:
    base = {
        "id": number,
        "code": f"P{number}",
        "categories_all": [2],
        "default_uom.": EACH,
        "sale_uom.": EACH,
    }
    return {**base, **changes}


def entries(book: Book, group: str = "GOLD", skus: Sequence[Sku] | None = None) -> list[Price]:
    rpc = cast(Rpc, book)
    places = Places(rpc)
    places._site = SITE
    return list(Prices(rpc, places).entries({group}, skus))


def answered(book: Book, questions: Sequence[PriceQuestion]) -> dict[PriceQuestion, Any]:
    rpc = cast(Rpc, book)
    places = Places(rpc)
    places._site = SITE
    prices = Prices(rpc, places)
    sold = prices.to_sell([{"active": True, "salable": True, **each} for each in book.products])
    return {
        question: price.value.unit_price
        for question, price in prices.answers("GOLD", book.list, sold, questions)
    }


def shown(found: Sequence[Price], sku: str, unit: str, quantity: Decimal, day: date) -> Any:
    own = [price for price in found if price.key.sku == Sku(sku)]
    decided = effective_price(own, PriceQuestion(Sku(sku), unit, "USD", quantity, day))
    return decided.price.value.unit_price if decided else None


DAYS = st.none() | st.integers(-4, 4).map(lambda n: A_DAY + timedelta(days=n))
PRICES = st.none() | st.integers(1, 9).map(lambda n: Decimal(n).scaleb(-4) * 10000)


@st.composite
def rows(draw: st.DrawFn) -> Row:
    start, end = draw(DAYS), draw(DAYS)
    if start is not None and end is not None and end < start:
        start, end = end, start
    return Row(
        price=draw(PRICES),
        product=draw(st.sampled_from([None, None, 1, 2])),
        category=draw(st.sampled_from([None, None, 1, 2, 3])),
        quantity=draw(st.sampled_from([None, 0.0, 1.0, 5.0, 10.0, 25.0])),
        start=start,
        end=end,
    )


@pytest.mark.rule("WA-6", "WA-7")
@given(
    lines=st.lists(rows(), max_size=6),
    unit=st.sampled_from([EACH, BOX, METRE]),
    quantity=st.integers(1, 40),
    day=st.integers(-6, 6).map(lambda n: A_DAY + timedelta(days=n)),
    listed_in=st.sampled_from(["product_default", "product_sale"]),
)
def test_whatever_the_lines_the_mirror_says_what_the_server_charges(
    lines: list[Row], unit: dict[str, Any], quantity: int, day: date, listed_in: str
) -> None:
    products = [
        a_product(1, **{"sale_uom.": unit, "default_uom.": METRE if unit is METRE else EACH}),
        a_product(2, categories_all=[3]),
    ]
    book = Book(lines, products, unit=listed_in)
    found = entries(book)
    for product in products:
        symbol = product["sale_uom."]["symbol"]
        charged = book.charged(product["id"], float(quantity), day)
        assert shown(found, product["code"], symbol, Decimal(quantity), day) == charged


@pytest.mark.rule("WA-6", "WA-7")
@given(
    lines=st.lists(rows(), max_size=6),
    quantities=st.lists(st.integers(1, 40), min_size=1, max_size=2 * FEW, unique=True),
    day=st.integers(-6, 6).map(lambda n: A_DAY + timedelta(days=n)),
)
def test_few_questions_or_many_the_answer_is_what_the_server_charges(
    lines: list[Row], quantities: list[int], day: date
) -> None:
    products = [a_product(1), a_product(2, categories_all=[3])]
    asked = [
        PriceQuestion(Sku(each["code"]), "u", "USD", Decimal(quantity), day)
        for each in products
        for quantity in quantities
    ]
    book = Book(lines, products)
    told = answered(book, asked)
    for question in asked:
        number = int(question.sku.value.removeprefix("P"))
        charged = book.charged(number, float(question.quantity), day)
        assert told.get(question) == charged
    if len(quantities) <= FEW:
        assert book.asked == len(quantities)


@pytest.mark.parametrize("asked, calls", [(1, 1), (FEW, FEW), (FEW + 1, 2), (500, 2)])
def test_of_many_questions_the_ladders_are_read_and_of_few_not(asked: int, calls: int) -> None:
    book = Book([Row(Decimal(8), quantity=10.0), Row(Decimal(9))], [a_product()])
    questions = [
        PriceQuestion(Sku("P1"), "u", "USD", Decimal(number), A_DAY)
        for number in range(1, asked + 1)
    ]

    told = answered(book, questions)

    assert [told[each] for each in questions] == [
        Decimal(8) if each.quantity >= 10 else Decimal(9) for each in questions
    ]
    assert book.asked == calls


def test_items_of_one_quantity_are_asked_about_together() -> None:
    book = Book([Row(Decimal(9))], [a_product(n) for n in (1, 2, 3)])
    asked = [PriceQuestion(Sku(f"P{n}"), "u", "USD", Decimal(5), A_DAY) for n in (1, 2, 3)]

    assert answered(book, asked) == dict.fromkeys(asked, Decimal(9))
    assert book.asked == 1


def test_what_is_not_sold_so_has_no_answer() -> None:
    book = Book([Row(Decimal(9))], [a_product(1), a_product(2, salable=False)])
    each = PriceQuestion(Sku("P1"), "u", "USD", Decimal(1), A_DAY)
    others: list[dict[str, Any]] = [
        {"unit": "box"},
        {"currency": "EUR"},
        {"quantity": Decimal("0.5")},
        {"sku": Sku("P2")},
        {"sku": Sku("P3")},
    ]
    assert answered(book, [dataclasses.replace(each, **other) for other in others]) == {}
    assert book.asked == 0


def test_questions_to_a_list_with_tax_are_refused() -> None:
    book = Book([Row(Decimal(9))], [a_product()], tax_included=True)
    with pytest.raises(Misconfigured, match="GOLD"):
        answered(book, [PriceQuestion(Sku("P1"), "u", "USD", Decimal(1), A_DAY)])


@pytest.mark.rule("WA-7")
def test_a_price_that_tryton_does_not_have_is_no_entry_and_never_zero() -> None:
    book = Book([Row(Decimal("9.99"), quantity=10.0)], [a_product()])
    [only] = entries(book)
    assert (only.key.min_quantity, only.value.unit_price) == (Decimal(10), Decimal("9.99"))
    assert entries(Book([], [a_product()])) == []


@pytest.mark.rule("WA-7")
def test_customers_without_a_list_pay_the_list_price_and_the_others_never_see_it() -> None:
    book = Book([], [a_product()], list_price=Decimal("45.52"))
    [plain] = entries(book, PLAIN_LIST)
    assert plain.key.scope == PriceScope.group(PLAIN_LIST)
    assert plain.value.unit_price == Decimal("45.52")
    assert entries(book, "GOLD") == []


def test_steps_of_one_price_are_one_entry() -> None:
    lines = [Row(Decimal(8), quantity=10.0), Row(Decimal(8), quantity=5.0), Row(Decimal(9))]
    steps = [(e.key.min_quantity, e.value.unit_price) for e in entries(Book(lines, [a_product()]))]
    assert steps == [(Decimal(1), Decimal(9)), (Decimal(5), Decimal(8))]


@pytest.mark.parametrize(
    "listed_in, first", [("product_default", Decimal(3)), ("product_sale", Decimal(25))]
)
def test_a_step_in_pieces_is_a_step_in_boxes_for_what_is_sold_in_boxes(
    listed_in: str, first: Decimal
) -> None:
    """Two boxes of twelve are not yet 25 pieces."""
    boxed = {**a_product(), "sale_uom.": BOX}
    book = Book([Row(Decimal(8), quantity=25.0), Row(Decimal(9))], [boxed], unit=listed_in)
    steps = [(entry.key.min_quantity, entry.value.unit_price) for entry in entries(book)]
    assert steps == [(Decimal(1), Decimal(9)), (first, Decimal(8))]


def test_a_promotion_is_a_period_of_its_own() -> None:
    lines = [Row(Decimal(5), start=A_DAY, end=A_DAY + timedelta(days=6)), Row(Decimal(9))]
    found = [
        (e.key.valid_from, e.value.valid_until, e.value.unit_price)
        for e in entries(Book(lines, [a_product()]))
    ]
    assert found == [
        (None, A_DAY - timedelta(days=1), Decimal(9)),
        (A_DAY, A_DAY + timedelta(days=6), Decimal(5)),
        (A_DAY + timedelta(days=7), None, Decimal(9)),
    ]


def test_all_products_of_a_step_are_asked_together() -> None:
    book = Book(
        [Row(Decimal(8), quantity=10.0), Row(Decimal(9))], [a_product(n) for n in (1, 2, 3)]
    )
    assert len(entries(book)) == 6
    assert book.asked == 2


def test_prices_with_tax_are_refused_rather_than_shown_as_net() -> None:
    with pytest.raises(Misconfigured, match="GOLD"):
        entries(Book([Row(Decimal(9))], [a_product()], tax_included=True))


def test_an_item_number_of_two_products_has_no_price() -> None:
    book = Book([Row(Decimal(9))], [a_product(1), a_product(2, code="P1"), a_product(3)])
    assert {entry.key.sku for entry in entries(book)} == {Sku("P3")}


def test_a_server_that_leaves_a_product_out_is_not_believed() -> None:
    class Short(Book):
        def charged(self, number: int, quantity: float, day: date, *, listed: bool = True) -> Any:
            return None

        def read(self, method: str, *given: Any, **context: Any) -> Any:
            found = super().read(method, *given, **context)
            return found[:-1] if method == "model.product.product.read" else found

    with pytest.raises(TryLater):
        entries(Short([Row(Decimal(9))], [a_product(1), a_product(2)]))


def test_only_the_named_items_are_asked_for() -> None:
    book = Book([Row(Decimal(9))], [a_product(1), a_product(2)])
    assert {entry.key.sku for entry in entries(book, skus=[Sku("P2")])} == {Sku("P2")}
    assert entries(book, skus=[]) == []
    assert entries(book, skus=[Sku("P9")]) == []
