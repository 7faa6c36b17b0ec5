"""What is left of a document without its person, field by field (OP-9)."""

from __future__ import annotations

import dataclasses
import json
import typing
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from sync.domain import erasure
from sync.domain.address import Address, TypedAddress
from sync.domain.codec import encode
from sync.domain.erasure import ERASED, Person, is_key
from sync.domain.ids import Key, WebUserId
from sync.domain.order import Payment, StoreOrder, UnreadableOrder, WebOrder
from sync.domain.sales_order import OneOffShipTo, SalesOrder
from sync.testing import builders as a
from tests.unit.domain import strategies

pytestmark = pytest.mark.rule("OP-9")

KEPT = {
    "line_id", "kit_parent", "unit", "code", "name of Adjustment", "currency", "method",
    "reference", "po_number", "ship_via", "collect_account", "customer_part_number", "country",
    "discount_code", "terms",
}  # fmt: skip
"""Fields of text that are codes or keys; what in them is neither is erased all the same."""

GONE = {
    "email", "phone", "note", "notes", "flags", "name of Address", "name of TypedAddress", "lines",
    "city", "postal_code", "region", "attention", "problems", "payload",
}  # fmt: skip


def texts_in(kind: Any, seen: set[Any]) -> Iterator[str]:
    """The names of all fields of text below a type; keys have types of their own."""
    for argument in typing.get_args(kind):
        yield from texts_in(argument, seen)
    if not dataclasses.is_dataclass(kind) or kind in seen or issubclass(kind, Key):  # type: ignore[arg-type]
        return
    seen.add(kind)
    hints = typing.get_type_hints(kind)
    for field in dataclasses.fields(kind):
        hint = hints[field.name]
        leaves = {hint, *typing.get_args(hint)}
        if str in leaves:
            name = field.name
            yield f"{name} of {kind.__name__}" if name == "name" else name  # type: ignore[union-attr]
        yield from texts_in(hint, seen)


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, below in value.items():
            yield from leaves(below, f"{path}.{name}")
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from leaves(below, f"{path}[{index}]")
    else:
        yield path, value


def test_every_field_of_text_is_a_code_or_goes() -> None:
    """A field that comes in without a word about erasure fails here."""
    found = set(texts_in(StoreOrder, set())) | set(texts_in(SalesOrder, set()))
    assert found == KEPT | GONE


@pytest.mark.parametrize(
    "before, after",
    [
        (a.a_full_web_order(), erasure.without_person(a.a_full_web_order())),
        (a.a_full_sales_order(), erasure.instruction_without_person(a.a_full_sales_order())),
    ],
    ids=["web order", "instruction"],
)
def test_of_a_full_document_keys_and_amounts_are_left(before: Any, after: Any) -> None:
    was, now = dict(leaves(encode(before))), dict(leaves(encode(after)))
    changed = {path for path, value in was.items() if now.get(path) != value}
    personal = ("email", "phone", "note", "notes", "city", "postal_code", "region", "attention",
                "residential", "name")  # fmt: skip
    for path in changed:
        field = path.rpartition(".")[2].partition("[")[0]
        assert field in personal or ("address" in path or "ship_to" in path) or "flags" in path
        assert now.get(path, ERASED) in (ERASED, ""), path
    # What was not touched is all the rest, amounts and keys included.
    for name in ("total", "order_id", "web_order", "currency", "placed_at", "ordered_at"):
        assert all(now[path] == was[path] for path in was if path.startswith(f".{name}"))
    told = json.dumps(encode(after), ensure_ascii=False)
    for text in erasure.personal_texts(before) if isinstance(before, WebOrder) else ():
        assert text not in told


@given(strategies.WEB_ORDERS)
def test_a_second_time_changes_nothing(order: WebOrder) -> None:
    once = erasure.without_person(order)
    assert erasure.without_person(once) == once
    assert erasure.recognised(order, once) == once


@given(strategies.SALES_ORDERS)
def test_an_instruction_too(order: SalesOrder) -> None:
    once = erasure.instruction_without_person(order)
    assert erasure.instruction_without_person(once) == once


def test_what_is_left_does_not_depend_on_who_it_was() -> None:
    one = erasure.without_person(a.a_retail_order())
    other = a.a_retail_order(
        buyer=replace(a.a_guest(), email="bo@elsewhere.example", phone="1"),
        ship_to=a.a_typed_address(name="Bo", lines=("Elsewhere 1",), city="Gent"),
        notes="ring twice",
    )
    assert erasure.without_person(other) == one


def test_nothing_of_an_order_that_cannot_be_read_is_left_but_its_keys() -> None:
    order = UnreadableOrder(
        a.a_web_order().order_id,
        a.a_web_order().number,
        a.PLACED_AT,
        ("ship_to.country: 'Ada Visser' is no country",),
        '{"email": "ada@buyer.example"}',
    )
    left = erasure.without_person(order)
    assert (left.order_id, left.number) == (order.order_id, order.number)
    assert isinstance(left, UnreadableOrder)
    assert (left.problems, left.payload) == ((ERASED,), ERASED)


@pytest.mark.parametrize(
    "text", ["pay_123", "GC-77", "PO 4711/A", "PO#12", "4500012345", "ch_3NqK9a2eZvKYlo2C", "X-55"]
)
def test_numbers_of_other_systems_stay(text: str) -> None:
    assert is_key(text)


@pytest.mark.parametrize(
    "text",
    [
        "ada@buyer.example",
        "paypal:ada7@buyer.example",
        "for Ada Visser",
        "Ada",
        "Ada Visser 7",
        "+31 10 555 0100",
        "4111111111111111",
        "NL91ABNA0417164300",
        "nl91abna0417164300",
        "",
        " 4711",
        "4711\n",
        "x" * 80 + "1",
    ],
)
def test_references_that_lead_to_a_person_go(text: str) -> None:
    assert not is_key(text)
    order = a.a_retail_order(
        po_number=text,
        payments=(Payment("card", reference=text),),
    )
    left = erasure.without_person(order)
    assert isinstance(left, WebOrder)
    assert left.po_number == left.payments[0].reference == ERASED


@pytest.mark.parametrize("country", ["Ada Visser", "N1", "", None, "NLDX"])
def test_only_a_countrys_code_stays_as_country(country: str | None) -> None:
    left = erasure.without_person(a.a_retail_order(ship_to=TypedAddress("Ada", country=country)))
    assert isinstance(left, WebOrder)
    assert left.ship_to == TypedAddress(ERASED)


class TestWhose:
    """Which orders are the person's."""

    ADA = Person(email=" ADA@buyer.example ")

    @pytest.mark.parametrize(
        "order",
        [
            a.a_retail_order(buyer=replace(a.a_guest(), email="Ada@Buyer.example")),
            a.a_retail_order(ship_to=a.a_typed_address(email="ada@buyer.example")),
            a.a_retail_order(bill_to=a.a_typed_address(email="ada@buyer.example")),
            UnreadableOrder(
                a.a_web_order().order_id, a.a_web_order().number, a.PLACED_AT, ("x",),
                '{"orders": {"mail": "ada@buyer.example"}}',
            ),
            UnreadableOrder(
                a.a_web_order().order_id, a.a_web_order().number, a.PLACED_AT, ("x",),
                "no json, ada@buyer.example",
            ),
        ],
    )  # fmt: skip
    def test_an_address_is_found_wherever_the_order_names_it(self, order: StoreOrder) -> None:
        assert self.ADA.named_in(order, None)
        assert not Person(email="da@buyer.example").named_in(order, None) or isinstance(
            order, UnreadableOrder
        )

    def test_also_in_what_went_to_the_erp(self) -> None:
        order = a.a_retail_order()
        instruction = a.a_retail_sales_order(email="ada@buyer.example")
        assert self.ADA.named_in(order, instruction)
        address = Address("A", ("x",), "y", "NL", email="ada@buyer.example")
        other = a.a_retail_sales_order(ship_to=OneOffShipTo(address))
        assert self.ADA.named_in(order, other)
        assert not self.ADA.named_in(order, a.a_retail_sales_order())

    def test_a_user_is_a_key_and_no_part_of_one(self) -> None:
        order = a.a_web_order()
        assert Person(a.WEB_USER).named_in(order, None)
        assert not Person(WebUserId(a.WEB_USER.value[:-1])).named_in(order, None)
        assert not Person(a.WEB_USER).named_in(a.a_retail_order(), None)

    def test_a_number_in_a_raw_order_is_a_user_only_where_it_says_so(self) -> None:
        def raw(payload: str) -> UnreadableOrder:
            order = a.a_web_order()
            return UnreadableOrder(order.order_id, order.number, a.PLACED_AT, ("x",), payload)

        user = Person(WebUserId("7719"))
        assert user.named_in(raw('{"orders": {"web_user": 7719}}'), None)
        assert not user.named_in(raw('{"order_lines": [{"quantity": 7719}]}'), None)


class TestRecognised:
    """The store may erase the person too, and takes keys away with the rest."""

    ORDER = a.a_full_web_order(
        payments=(Payment("card", reference="pay_1", amount=a.money("293.36")),), po_number="PO 7"
    )
    KEPT = erasure.without_person(ORDER)

    def test_what_is_only_gone_is_no_edit(self) -> None:
        shown = replace(
            self.ORDER,
            buyer=replace(self.ORDER.buyer, web_user=None, signed_in=False, organisation=None),
            ship_to=None,
            payments=(Payment("card", amount=a.money("293.36")),),
            po_number=None,
            collect_account=None,
            notes=None,
        )
        assert erasure.recognised(shown, self.KEPT) == self.KEPT
        blank = replace(shown, ship_to=TypedAddress(name="removed"))
        assert erasure.recognised(blank, self.KEPT) == self.KEPT

    @pytest.mark.parametrize(
        "changes",
        [
            {"total": a.money("1.00")},
            {"lines": a.a_full_web_order().lines[:1]},
            {"po_number": "PO 8"},
            {"buyer": replace(a.a_full_web_order().buyer, web_user=WebUserId("u-other"))},
            {"ship_to": a.a_typed_address(country="BE")},
            {"ship_via": "OTHER"},
        ],
        ids=lambda changes: next(iter(changes)),
    )
    def test_what_is_another_is_one(self, changes: dict[str, Any]) -> None:
        assert erasure.recognised(replace(self.ORDER, **changes), self.KEPT) != self.KEPT
