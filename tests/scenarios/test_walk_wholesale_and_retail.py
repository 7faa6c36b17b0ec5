"""Wholesale and retail customers side by side, from the checkout to the ERP and back.

One scenario for each difference between the two that a buyer or a clerk would notice:
who they are, where their orders go, where the goods go, how they pay, what they see.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from sync.domain.ids import CustomerId, InvoiceNumber, ShipToId, WebUserId
from sync.domain.mapping import AccountPolicy, Assignment
from sync.domain.order import Buyer, OrderState, Payment, PaymentState, SelectedShipTo, WebOrder
from sync.domain.pricing import DEFAULT_LIST, PriceScope, PriceValue
from sync.domain.sales_order import OneOffShipTo, OnFileShipTo, PayBy
from sync.domain.views import PublishedPriceKey
from sync.mapping import FilesRefused, mapping_from_texts
from sync.mapping.editing import Edit, edited
from sync.ports.state import LedgerState
from sync.testing import builders as a
from tests.scenarios.sight import ANYBODY, NOTHING, Person, history, price, sight
from tests.scenarios.world import (
    ASSIGNMENTS,
    DOCK,
    GATE,
    HARBOUR,
    HARBOUR_BUYER,
    HARBOUR_ORG,
    MILL,
    MILL_BUYER,
    MILL_ORG,
    RETAIL,
    World,
    guest_order,
    harbour_order,
    mill_order,
    ten,
)

ADA = Person(HARBOUR_BUYER, HARBOUR_ORG)
BO = Person(MILL_BUYER, MILL_ORG)
SHOPPER = WebUserId("u-100")
CY = Person(SHOPPER)

FILES = {
    "channels.yaml": (
        "channels:\n"
        "  web:\n"
        "    commerce_mode: hybrid\n"
        "    guest_checkout: true\n"
        "    retail_groups:\n"
        "      - {customer_id: RETAIL-EU, currencies: [EUR]}\n"
    ),
    "customers.csv": "organisation,user,contact,note,customer_id\norg-12,,,,C-1001\n",
    "codes.yaml": (
        "payment_methods:\n"
        "  card: {kind: card, erp_code: CARD}\n"
        "  on_account: {kind: terms, erp_code: TERMS}\n"
    ),
}


@pytest.fixture
def shop(world: World) -> World:
    """The world with a registered shopper whom nobody assigned anything."""
    world.store.add_user(
        a.a_web_user(web_user=SHOPPER, memberships=(), verified_email="cy@home.example")
    )
    return world


def shopper_order(number: int, **changes: Any) -> WebOrder:
    return guest_order(number, buyer=Buyer(SHOPPER, signed_in=True), **changes)


def sold_to(world: World, number: int = 1) -> CustomerId:
    (row,) = world.in_erp(number)
    return row.order.sold_to


# Who they are.


@pytest.mark.rule("WA-1", "WA-3", "WA-5")
def test_wholesale_is_an_erp_account_with_terms_and_retail_is_neither(shop: World) -> None:
    shop.store.place_order(harbour_order(1))
    shop.store.place_order(shopper_order(2))
    shop.import_orders()

    (company,), (person,) = shop.in_erp(1), shop.in_erp(2)
    assert (company.order.sold_to, company.order.retail) == (HARBOUR, False)
    assert (company.order.terms, company.order.payments[0].by) == ("NET30", PayBy.TERMS)
    assert (person.order.sold_to, person.order.retail) == (RETAIL, True)
    assert (person.order.terms, person.order.payments[0].by) == (None, PayBy.CARD)


@pytest.mark.rule("WA-1", "WA-5")
def test_account_without_terms_is_wholesale_in_everything_but_the_terms(shop: World) -> None:
    shop.erp.change_account(HARBOUR, terms=None)
    shop.store.place_order(harbour_order(1))
    shop.store.place_order(harbour_order(2, payments=(a.a_card_payment(),)))
    shop.cycle()

    assert shop.codes(1) == {"account_without_terms"}
    assert sold_to(shop, 2) == HARBOUR
    assert sight(shop, ADA).invoices == {"INV-5001"}


@pytest.mark.rule("WA-2", "WA-6", "WA-8")
def test_a_customer_is_whoever_an_administrator_wrote_into_the_mapping(shop: World) -> None:
    shop.mapping = mapping_from_texts(FILES)
    shop.store.place_order(shopper_order(1))
    shop.cycle()
    assert (sold_to(shop, 1), sight(shop, CY)) == (RETAIL, NOTHING)

    assigned = edited(FILES, Edit(SHOPPER.value, "", MILL.value, note="account opened"))
    shop.mapping = mapping_from_texts(assigned)
    shop.store.place_order(
        shopper_order(
            2, ship_to=SelectedShipTo(GATE), payments=(Payment("on_account"),), bill_to=None
        )
    )
    shop.cycle()

    assert sold_to(shop, 2) == MILL
    assert sight(shop, CY).invoices == {"INV-6001"}


@pytest.mark.rule("WA-2b")
def test_no_administrator_can_write_the_retail_group_down_as_somebodys_own_id(
    shop: World,
) -> None:
    with pytest.raises(FilesRefused) as refusal:
        edited(FILES, Edit(SHOPPER.value, "", RETAIL.value))
    assert "RETAIL-EU" in str(refusal.value.problems)


@pytest.mark.rule("WA-2b", "WA-8", "WA-2c")
def test_nor_does_a_line_of_the_stores_staff_make_it_anybodys_own(shop: World) -> None:
    shop.store.add_user(
        a.a_web_user(web_user=SHOPPER, memberships=(), staff_customer_id=RETAIL.value)
    )
    shop.store.place_order(shopper_order(1))
    shop.cycle()
    assert shop.codes(1) == {"retail_group_as_individual"}
    assert not shop.erp.orders
    assert sight(shop, CY) == NOTHING
    assert dict(shop.store.shown_invoices([RETAIL])) == {}


@pytest.mark.rule("WA-2", "WA-3")
def test_one_erp_id_stands_for_all_retail_buyers_and_none_gets_one_of_their_own(
    shop: World,
) -> None:
    before = sorted(shop.erp.customer_ids())
    for number, name in enumerate(("ann@a.example", "bea@b.example"), start=1):
        shop.store.place_order(guest_order(number, buyer=Buyer(email=name)))
    shop.store.place_order(shopper_order(3))
    shop.import_orders()

    assert [sold_to(shop, number) for number in (1, 2, 3)] == [RETAIL] * 3
    assert sorted(shop.erp.customer_ids()) == before


@pytest.mark.rule("WA-2", "WA-6")
def test_the_retail_id_prices_the_cart_and_takes_the_order(shop: World) -> None:
    shop.erp.set_price(a.a_price("8.8800", scope=PriceScope.account(RETAIL)))
    shop.cycle()
    seen = price(shop, CY)
    assert seen == Decimal("8.8800")

    cart = ten(str(seen))
    shop.store.place_order(
        shopper_order(1, **cart, payments=(a.a_card_payment(amount=cart["total"]),))
    )
    shop.cycle()
    (row,) = shop.in_erp()
    assert (row.order.sold_to, row.order.total, row.order.flags) == (RETAIL, cart["total"], ())


@pytest.mark.rule("WA-2")
def test_whoever_has_no_customer_id_gets_the_retail_one_without_anybodys_doing(
    shop: World,
) -> None:
    newcomer = WebUserId("u-just-registered")
    shop.store.add_user(a.a_web_user(web_user=newcomer, memberships=(), verified_email=None))
    shop.store.place_order(guest_order(buyer=Buyer(newcomer, signed_in=True)))
    shop.import_orders()

    decision = shop.entry().decision
    assert decision is not None
    assert (decision.customer_id, decision.retail) == (RETAIL, True)
    assert decision.rule == "WA-2 no customer ID of their own"


# Where the orders and the goods go.


@pytest.mark.rule("WA-3", "TL-2")
def test_each_wholesale_order_lands_in_its_own_customers_account(shop: World) -> None:
    shop.store.place_order(harbour_order(1))
    shop.store.place_order(mill_order(2))
    shop.store.place_order(harbour_order(3))
    shop.import_orders()
    assert [sold_to(shop, number) for number in (1, 2, 3)] == [HARBOUR, MILL, HARBOUR]


@pytest.mark.rule("WA-3", "WA-3a")
def test_each_retail_order_goes_to_the_address_of_its_own_checkout_and_none_is_kept(
    shop: World,
) -> None:
    home = a.a_typed_address(name="Cy", lines=("Hill 3",), city="Gouda")
    shop.store.place_order(guest_order(1))
    shop.store.place_order(shopper_order(2, ship_to=home))
    shop.cycle()

    (first,), (second,) = shop.in_erp(1), shop.in_erp(2)
    assert first.order.ship_to == OneOffShipTo(a.a_typed_address().completed())
    assert second.order.ship_to == OneOffShipTo(home.completed())
    assert shop.erp.ship_tos([RETAIL]) == []
    assert dict(shop.store.shown_ship_tos([RETAIL])) == {}


@pytest.mark.rule("WA-4", "MI-1")
def test_wholesale_buyer_chooses_among_the_ship_tos_that_the_erp_keeps(shop: World) -> None:
    yard = ShipToId("YARD")
    shop.erp.add_ship_to(a.a_ship_to(ship_to_id=yard, default=False))
    shop.cycle()
    assert sight(shop, ADA).ship_tos == {"MAIN", "YARD"}
    assert sight(shop, BO).ship_tos == {"GATE"}

    shop.store.place_order(harbour_order(1, ship_to=SelectedShipTo(yard)))
    shop.store.place_order(mill_order(2, ship_to=SelectedShipTo(yard)))
    shop.cycle()
    (row,) = shop.in_erp(1)
    assert row.order.ship_to == OnFileShipTo(yard)
    assert shop.codes(2) == {"ship_to_not_of_account"}


@pytest.mark.rule("WA-4")
def test_wholesale_buyer_types_a_ship_to_where_the_account_may(shop: World) -> None:
    strict = AccountPolicy(custom_ship_to=False)
    shop.remap(account_policies={MILL: strict})
    site = a.a_typed_address(name="Building site")
    shop.store.place_order(harbour_order(1, ship_to=site))
    shop.store.place_order(mill_order(2, ship_to=site))
    shop.import_orders()

    (row,) = shop.in_erp(1)
    assert (row.order.sold_to, row.order.ship_to) == (HARBOUR, OneOffShipTo(site.completed()))
    assert {each.ship_to_id for each in shop.erp.ship_tos([HARBOUR])} == {DOCK}
    assert (shop.codes(2), shop.in_erp(2)) == ({"custom_ship_to_forbidden"}, [])


@pytest.mark.rule("WA-4", "WA-3a", "OI-2")
def test_retail_order_needs_a_whole_ship_to_of_its_own(shop: World) -> None:
    shop.erp.add_ship_to(a.a_ship_to(sold_to=RETAIL, ship_to_id=ShipToId("COUNTER")))
    lacking = {
        1: (None, "ship_to_missing"),
        2: (a.a_typed_address(city=None), "ship_to_incomplete"),
        3: (SelectedShipTo(ShipToId("COUNTER")), "ship_to_selected_by_retail"),
    }
    for number, (ship_to, _) in lacking.items():
        shop.store.place_order(guest_order(number, ship_to=ship_to))
    shop.import_orders()
    assert {number: shop.codes(number) for number in lacking} == {
        number: {code} for number, (_, code) in lacking.items()
    }
    assert not shop.erp.orders

    shop.edit(1, ship_to=a.a_typed_address())
    shop.import_orders()
    assert sold_to(shop, 1) == RETAIL


# How they pay.


@pytest.mark.rule("WA-5")
def test_wholesale_pays_on_terms_or_where_allowed_by_card(shop: World) -> None:
    shop.remap(account_policies={MILL: replace(shop.mapping.default_policy, card_payment=False)})
    card = (a.a_card_payment(),)
    shop.store.place_order(harbour_order(1))
    shop.store.place_order(harbour_order(2, payments=card))
    shop.store.place_order(mill_order(3))
    shop.store.place_order(mill_order(4, payments=card))
    shop.import_orders()

    paid = {number: shop.in_erp(number)[0].order.payments[0].by for number in (1, 2, 3)}
    assert paid == {1: PayBy.TERMS, 2: PayBy.CARD, 3: PayBy.TERMS}
    assert shop.codes(4) == {"card_not_allowed"}


@pytest.mark.rule("WA-5")
def test_retail_pays_by_card_and_by_nothing_else(shop: World) -> None:
    unpaid = {
        1: ((Payment("on_account"),), "terms_for_retail"),
        2: ((), "payment_method_missing"),
        3: ((a.a_card_payment(state=PaymentState.NONE),), "payment_absent"),
        4: ((a.a_card_payment(state=PaymentState.DECLINED),), "payment_declined"),
    }
    for number, (payments, _) in unpaid.items():
        shop.store.place_order(guest_order(number, payments=payments))
    pending = (a.a_card_payment(state=PaymentState.PENDING),)
    shop.store.place_order(guest_order(5, payments=pending, state=OrderState.AWAITING_PAYMENT))
    shop.store.place_order(guest_order(6))
    shop.import_orders()

    for number, (_, code) in unpaid.items():
        assert code in shop.codes(number)
    assert shop.state_of(5) is LedgerState.WAITING
    assert [row.order.web_number.value for row in shop.erp.orders] == ["W-6"]
    assert shop.erp.orders[0].order.payments[0].reference == "pay_123"


# What they see.


def priced(world: World) -> None:
    """Harbour has a contract with steps, Mill a page for its class, retail a price of its own."""
    own = PriceScope.account(HARBOUR)
    world.erp.set_price(a.a_price("9.0000", scope=own))
    world.erp.set_price(a.a_price("8.1234", scope=own, min_quantity=Decimal(100)))
    world.erp.change_account(MILL, price_groups=("TRADE-PAGE",))
    world.erp.remove_price(a.a_price_key(scope=PriceScope.account(MILL)))
    world.erp.set_price(a.a_price("9.5000", scope=PriceScope.group("TRADE-PAGE")))
    world.erp.set_price(a.a_price("12.0000", scope=DEFAULT_LIST, price_list="BASE"))
    world.erp.set_price(a.a_price("11.5000", scope=PriceScope.account(RETAIL)))


@pytest.mark.rule("WA-6", "VE-12", "OI-1")
def test_wholesale_prices_are_those_of_the_customer_id_and_the_order_goes_in_at_them(
    shop: World,
) -> None:
    priced(shop)
    shop.cycle()
    assert (price(shop, ADA), price(shop, ADA, 100)) == (Decimal("9.0000"), Decimal("8.1234"))
    assert price(shop, BO) == Decimal("9.5000")

    shop.store.place_order(harbour_order(1, **ten("9.0000")))
    shop.store.place_order(mill_order(2, **ten("9.5000")))
    shop.cycle()
    for number in (1, 2):
        assert shop.in_erp(number)[0].order.flags == (), "the ERP charges what was shown"


@pytest.mark.rule("WA-6", "VE-7")
def test_all_retail_buyers_see_the_price_of_the_group_and_nobody_elses(shop: World) -> None:
    priced(shop)
    shop.cycle()
    assert price(shop, ANYBODY) == price(shop, CY) == Decimal("11.5000")
    assert price(shop, CY, 100) == Decimal("11.5000")


@pytest.mark.rule("WA-7")
def test_prices_are_changed_in_the_erp_and_nowhere_else(shop: World) -> None:
    priced(shop)
    shop.cycle()
    shop.erp.set_price(a.a_price("9.2500"))
    shop.erp.set_price(a.a_price("11.7500", scope=PriceScope.account(RETAIL)))
    shop.cycle()
    assert (price(shop, ADA), price(shop, CY)) == (Decimal("9.2500"), Decimal("11.7500"))

    by_hand = PublishedPriceKey(a.account_audience(HARBOUR), a.a_price_key())
    shop.store.apply_prices([(by_hand, PriceValue(Decimal("1.0000")))], [])
    assert price(shop, ADA) == Decimal("1.0000")
    # The store itself is asked once a week, or when somebody asks for it.
    shop.clock.advance(7 * 86_400)
    shop.cycle()
    assert price(shop, ADA) == Decimal("9.2500")


@pytest.mark.rule("WA-8", "MI-1")
def test_wholesale_users_see_every_invoice_of_the_customer_id(shop: World) -> None:
    colleague = WebUserId("u-7720")
    shop.store.add_user(a.a_web_user(web_user=colleague, verified_email=None))
    shop.erp.add_invoice(a.an_invoice(number=InvoiceNumber("INV-5002"), web_reference=None))
    shop.cycle()

    seen = {"INV-5001", "INV-5002"}
    assert sight(shop, ADA).invoices == seen
    assert sight(shop, Person(colleague, HARBOUR_ORG)).invoices == seen
    assert sight(shop, BO).invoices == {"INV-6001"}


@pytest.mark.rule("WA-8")
def test_no_invoice_of_the_shared_account_is_in_the_store_at_all(shop: World) -> None:
    shop.store.place_order(shopper_order(1))
    shop.cycle()
    own = a.an_invoice(sold_to=RETAIL, number=InvoiceNumber("INV-7002"), web_reference="W-1")
    shop.erp.add_invoice(own)
    shop.clock.advance(3600)
    shop.cycle()

    assert sight(shop, CY) == sight(shop, ANYBODY) == NOTHING
    everybody = [HARBOUR, MILL, RETAIL]
    numbers = {number.value for _, number in shop.store.shown_invoices(everybody)}
    assert numbers == {"INV-5001", "INV-6001"}


@pytest.mark.rule("WA-9", "OI-3")
def test_web_orders_are_the_users_own_and_not_the_customer_ids(shop: World) -> None:
    colleague, other_shopper = WebUserId("u-7720"), WebUserId("u-101")
    shop.store.add_user(a.a_web_user(web_user=colleague, verified_email=None))
    shop.store.add_user(a.a_web_user(web_user=other_shopper, memberships=()))
    shop.store.place_order(harbour_order(1))
    shop.store.place_order(harbour_order(2, buyer=a.a_wholesale_buyer(web_user=colleague)))
    shop.store.place_order(shopper_order(3))
    shop.store.place_order(guest_order(4, buyer=Buyer(other_shopper, signed_in=True)))
    shop.import_orders()

    numbers = range(1, 5)
    assert history(shop, HARBOUR_BUYER, *numbers) == {"W-1": "SO-1"}
    assert history(shop, colleague, *numbers) == {"W-2": "SO-2"}
    assert history(shop, SHOPPER, *numbers) == {"W-3": "SO-3"}
    assert history(shop, other_shopper, *numbers) == {"W-4": "SO-4"}
    # The ERP is told of the person too: two of them share each account there.
    placed = {row.order.web_number.value: row.order.web_user for row in shop.erp.orders}
    assert placed == {"W-1": HARBOUR_BUYER, "W-2": colleague, "W-3": SHOPPER, "W-4": other_shopper}


@pytest.mark.rule("WA-9", "MI-5")
def test_what_was_ordered_by_phone_is_in_no_web_history(shop: World) -> None:
    shop.store.place_order(harbour_order(1))
    shop.cycle()
    by_phone = a.an_invoice(number=InvoiceNumber("INV-5010"), web_reference=None)
    shop.erp.add_invoice(by_phone)
    shop.clock.advance(3600)
    shop.cycle()
    assert "INV-5010" in sight(shop, ADA).invoices
    assert history(shop, HARBOUR_BUYER, 1) == {"W-1": "SO-1"}


@pytest.mark.rule("WA-3", "WA-5", "WA-6", "WA-8")
def test_the_same_person_is_retail_on_monday_and_wholesale_once_assigned(shop: World) -> None:
    priced(shop)
    shop.cycle()
    assert (price(shop, CY), sight(shop, CY)) == (Decimal("11.5000"), NOTHING)

    shop.remap(assignments=(*ASSIGNMENTS, Assignment(HARBOUR, user=SHOPPER)))
    shop.cycle()
    assert price(shop, CY) == Decimal("9.0000")
    assert sight(shop, CY).invoices == {"INV-5001"}
    assert price(shop, ANYBODY) == Decimal("11.5000")
