"""Company accounts, private customers, and the channel that decides which of them may buy.

The commerce mode of a channel, an account with its locations and employees, its status,
its groups, the private customer beside it, and what an anonymous visitor may see.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from sync.domain.account import AccountStatus
from sync.domain.channel import CommerceMode, LoginWall, RetailGroup
from sync.domain.ids import (
    BillToId,
    ChannelId,
    CustomerId,
    LocationId,
    ShipToId,
    Sku,
    WebUserId,
)
from sync.domain.order import (
    Approval,
    Buyer,
    Membership,
    OrderDiscount,
    OrderState,
    Role,
    SelectedShipTo,
    Tax,
)
from sync.domain.pricing import DEFAULT_LIST, PriceScope
from sync.domain.sales_order import OnFileBillTo, OnFileShipTo
from sync.ports.state import LedgerState
from sync.testing import builders as a
from tests.scenarios.sight import ANYBODY, NOTHING, Person, price, sight
from tests.scenarios.world import (
    GATE,
    HARBOUR,
    HARBOUR_BUYER,
    HARBOUR_ORG,
    MILL_BUYER,
    MILL_ORG,
    RETAIL,
    TRADE,
    WEB,
    World,
    a_channel,
    guest_order,
    harbour_order,
    mill_order,
    ten,
)

NORTH, WEST = LocationId("SITE-1"), LocationId("SITE-2")
ADA, BO = Person(HARBOUR_BUYER, HARBOUR_ORG), Person(MILL_BUYER, MILL_ORG)
SHOPPER = WebUserId("u-100")
CY = Person(SHOPPER)


def sold_to(world: World, number: int = 1) -> CustomerId:
    (row,) = world.in_erp(number)
    return row.order.sold_to


def employee(
    world: World, user: str, role: Role = Role.ORDER, location: LocationId | None = None
) -> WebUserId:
    """Somebody of Harbour Hardware."""
    key = WebUserId(user)
    place = (Membership(HARBOUR_ORG, role, location),)
    world.store.add_user(a.a_web_user(web_user=key, memberships=place, verified_email=None))
    return key


def private_customer(world: World) -> Buyer:
    world.store.add_user(a.a_web_user(web_user=SHOPPER, memberships=(), verified_email=None))
    return Buyer(SHOPPER, signed_in=True)


def channel_is(world: World, **settings: Any) -> None:
    world.remap(channels={**world.mapping.channels, WEB: a_channel(**settings)})


# Commerce modes.


@pytest.mark.rule("VE-1", "VE-7", "VE-2")
def test_on_a_b2b_channel_only_signed_in_employees_of_accounts_buy_and_see_prices(
    world: World,
) -> None:
    shopper = private_customer(world)
    world.store.place_order(harbour_order(1, channel=TRADE))
    world.store.place_order(guest_order(2, channel=TRADE))
    world.store.place_order(guest_order(3, channel=TRADE, buyer=shopper))
    world.cycle()

    assert [row.order.sold_to for row in world.erp.orders] == [HARBOUR]
    assert "guest_not_allowed" in world.codes(2)
    assert "organisation_missing" in world.codes(3)
    assert price(world, Person(channel=TRADE)) is None
    assert price(world, Person(SHOPPER, channel=TRADE)) is None
    assert price(world, Person(HARBOUR_BUYER, HARBOUR_ORG, channel=TRADE)) == Decimal("9.9900")


@pytest.mark.rule("VE-1", "VE-2", "WA-3")
@pytest.mark.parametrize("guests", [True, False])
def test_on_a_b2c_channel_private_customers_buy_and_guests_where_the_channel_lets_them(
    world: World, guests: bool
) -> None:
    channel_is(world, mode=CommerceMode.B2C, guest_checkout=guests)
    world.store.place_order(guest_order(1, buyer=private_customer(world)))
    world.store.place_order(guest_order(2))
    world.import_orders()

    assert sold_to(world, 1) == RETAIL
    assert [row.order.sold_to for row in world.in_erp(2)] == [RETAIL] * guests
    if not guests:
        assert world.codes(2) == {"guest_not_allowed"}


@pytest.mark.rule("VE-1", "WA-6")
def test_on_a_b2c_channel_an_account_holder_pays_what_everybody_pays_and_is_retail(
    world: World,
) -> None:
    world.erp.set_price(a.a_price("7.0000"))
    channel_is(world, mode=CommerceMode.B2C)
    alone = Buyer(HARBOUR_BUYER, signed_in=True)
    world.store.place_order(guest_order(1, buyer=alone))
    world.cycle()
    assert sold_to(world, 1) == RETAIL
    assert price(world, Person(HARBOUR_BUYER)) == price(world, ANYBODY) == Decimal("9.9900")


@pytest.mark.rule("VE-1", "WA-6", "WA-3")
def test_on_a_hybrid_channel_prices_and_rights_follow_the_kind_of_buyer(world: World) -> None:
    world.erp.set_price(a.a_price("7.0000"))
    world.erp.set_price(a.a_price("12.0000", scope=DEFAULT_LIST, price_list="BASE"))
    shopper = private_customer(world)
    world.cycle()
    assert (price(world, ADA), price(world, CY)) == (Decimal("7.0000"), Decimal("12.0000"))
    assert (sight(world, ADA).invoices, sight(world, CY)) == ({"INV-5001"}, NOTHING)

    world.store.place_order(harbour_order(1, **ten("7.0000")))
    card = (a.a_card_payment(amount=a.money("120.00")),)
    world.store.place_order(guest_order(2, buyer=shopper, payments=card, **ten("12.0000")))
    world.cycle()
    assert (sold_to(world, 1), sold_to(world, 2)) == (HARBOUR, RETAIL)
    assert not any(row.order.flags for row in world.erp.orders)


@pytest.mark.rule("VE-1", "TL-4")
def test_a_channel_that_changes_its_mode_judges_the_next_order_by_the_new_one(
    world: World,
) -> None:
    shopper = private_customer(world)
    world.store.place_order(guest_order(1, buyer=shopper))
    world.cycle()
    closed = a_channel(mode=CommerceMode.B2B, guest_checkout=False, retail_groups=())
    world.remap(channels={**world.mapping.channels, WEB: closed})
    world.store.place_order(guest_order(2, buyer=shopper))
    world.store.place_order(harbour_order(3))
    world.cycle()

    assert (sold_to(world, 1), sold_to(world, 3)) == (RETAIL, HARBOUR)
    assert "organisation_missing" in world.codes(2)
    assert price(world, ANYBODY) is None


# Account, location, employee, address.


@pytest.mark.rule("MI-1", "VE-5", "VE-6", "WA-5")
def test_the_account_holds_terms_tax_exemption_and_groups(world: World) -> None:
    world.erp.change_account(HARBOUR, terms="NET45", tax_exempt=True, price_groups=("GOLD", "A"))
    world.cycle()
    account = sight(world, ADA).account
    assert account is not None
    assert (account.terms, account.tax_exempt) == ("NET45", True)
    assert account.price_groups == ("A", "GOLD")

    taxed = {"taxes": (Tax("VAT", a.money("20.98")),), "total": a.money("120.88")}
    world.store.place_order(harbour_order(1))
    world.store.place_order(harbour_order(2, **taxed))
    world.cycle()
    (untaxed,), (wrong,) = world.in_erp(1), world.in_erp(2)
    assert (untaxed.order.terms, untaxed.order.flags) == ("NET45", ())
    assert any("exempt" in flag for flag in wrong.order.flags)


@pytest.mark.rule("VE-6", "VE-12")
def test_a_location_has_prices_of_its_own(world: World) -> None:
    for key, amount in ((NORTH, "6.0000"), (WEST, "5.0000")):
        world.erp.add_location(a.a_location(location_id=key, name=key.value))
        world.erp.set_price(a.a_price(amount, scope=PriceScope.location(key)))
    world.cycle()
    at = {key: Person(HARBOUR_BUYER, HARBOUR_ORG, key) for key in (NORTH, WEST)}
    assert price(world, at[NORTH]) == Decimal("6.0000")
    assert price(world, at[WEST]) == Decimal("5.0000")
    assert price(world, ADA) == Decimal("9.9900")
    assert price(world, BO) == price(world, ANYBODY) == Decimal("9.9900")

    buyer = a.a_wholesale_buyer(location=NORTH)
    world.store.place_order(harbour_order(1, buyer=buyer, **ten("6.0000")))
    world.cycle()
    (row,) = world.in_erp()
    assert (row.order.location, row.order.flags) == (NORTH, ())


@pytest.mark.rule("VE-6", "OI-6")
def test_exemption_is_that_of_the_location_that_the_goods_go_to(world: World) -> None:
    world.erp.add_location(a.a_location(tax_exempt=True))
    world.erp.add_ship_to(a.a_ship_to(ship_to_id=ShipToId("NORTH"), location=NORTH))
    taxed = {"taxes": (Tax("VAT", a.money("20.98")),), "total": a.money("120.88")}
    world.store.place_order(harbour_order(1, **taxed))
    to_north = SelectedShipTo(ShipToId("NORTH"))
    world.store.place_order(harbour_order(2, ship_to=to_north, **taxed))
    world.import_orders()
    assert not any("exempt" in flag for flag in world.in_erp(1)[0].order.flags)
    assert any("exempt" in flag for flag in world.in_erp(2)[0].order.flags)


@pytest.mark.rule("VE-6", "WA-4")
def test_addresses_of_a_location_are_for_its_employees(world: World) -> None:
    quay = BillToId("QUAY")
    world.erp.add_bill_to(a.a_bill_to(bill_to_id=quay, default=False))
    world.erp.add_location(a.a_location(bill_to=quay))
    world.erp.add_location(a.a_location(location_id=WEST, name="West office"))
    world.erp.add_ship_to(a.a_ship_to(ship_to_id=ShipToId("NORTH"), location=NORTH))
    to_north = SelectedShipTo(ShipToId("NORTH"))
    for number, location in ((1, NORTH), (2, WEST)):
        buyer = a.a_wholesale_buyer(location=location)
        world.store.place_order(harbour_order(number, buyer=buyer, ship_to=to_north))
    world.import_orders()

    (row,) = world.in_erp(1)
    assert row.order.ship_to == OnFileShipTo(ShipToId("NORTH"))
    assert row.order.bill_to == OnFileBillTo(quay)
    assert world.codes(2) == {"ship_to_not_of_account"}


@pytest.mark.rule("VE-6", "MI-1")
def test_locations_are_shown_with_their_account_and_not_with_another(world: World) -> None:
    world.erp.add_location(a.a_location())
    world.store.place_order(mill_order(buyer=Buyer(MILL_BUYER, True, MILL_ORG, NORTH)))
    world.cycle()
    harbour, mill = sight(world, ADA).account, sight(world, BO).account
    assert harbour is not None
    assert mill is not None
    assert [each.location_id for each in harbour.locations] == [NORTH]
    assert mill.locations == ()
    assert world.codes() == {"location_not_of_account"}


@pytest.mark.rule("VE-4", "TL-2")
@pytest.mark.parametrize("role", list(Role))
def test_an_employee_orders_from_the_role_of_a_buyer_upwards(world: World, role: Role) -> None:
    user = employee(world, "u-7750", role)
    world.store.place_order(harbour_order(buyer=a.a_wholesale_buyer(web_user=user)))
    world.cycle()
    if role is Role.BROWSE:
        assert world.codes() == {"no_right_to_order"}
        assert not world.erp.orders
    else:
        assert sold_to(world) == HARBOUR
    assert sight(world, Person(user, HARBOUR_ORG)).customer_id == HARBOUR


@pytest.mark.rule("VE-4", "VE-11")
def test_an_order_that_an_approver_must_see_waits_for_the_answer(world: World) -> None:
    for number in (1, 2):
        pending = {"approval": Approval.PENDING, "state": OrderState.PENDING_APPROVAL}
        world.store.place_order(harbour_order(number, **pending))
    world.import_orders()
    assert {world.entry(number).waiting_for for number in (1, 2)} == {"approval_pending"}

    world.edit(1, approval=Approval.APPROVED, state=OrderState.AWAITING_FULFILMENT)
    world.edit(2, approval=Approval.REFUSED, state=OrderState.AWAITING_FULFILMENT)
    world.import_orders()
    assert sold_to(world, 1) == HARBOUR
    assert (world.state_of(2), world.in_erp(2)) == (LedgerState.CLOSED, [])


# The way of an account from the first contact to its end.


@pytest.mark.rule("VE-3")
@pytest.mark.parametrize("status", list(AccountStatus))
def test_only_an_active_account_orders(world: World, status: AccountStatus) -> None:
    if status < AccountStatus.ACTIVE:  # the store's word, and from there on the ERP's
        world.store.add_organisation(a.an_organisation(status=status))
    else:
        world.erp.change_account(HARBOUR, status=status)
    world.store.place_order(harbour_order(1))
    world.store.place_order(mill_order(2))
    world.import_orders()

    if status is AccountStatus.ACTIVE:
        assert sold_to(world, 1) == HARBOUR
    else:
        assert world.codes(1) == {"account_not_active"}
        assert f"status {status.value} " in world.entry(1).problems[0].sentence
    assert len(world.in_erp(2)) == 1


@pytest.mark.rule("VE-3", "OI-2")
def test_steps_may_be_skipped_and_after_approval_the_order_goes_in(world: World) -> None:
    world.store.add_organisation(a.an_organisation(status=AccountStatus.APPLIED))
    world.store.place_order(harbour_order())
    world.import_orders()
    assert not world.erp.orders

    world.store.add_organisation(a.an_organisation(status=AccountStatus.ACTIVE))
    world.replay()
    world.import_orders()
    assert sold_to(world) == HARBOUR


# Customer groups.


@pytest.mark.rule("VE-5", "VE-12")
def test_a_group_carries_a_price_and_of_several_the_best_one_counts(world: World) -> None:
    world.erp.remove_price(a.a_price_key())
    world.erp.set_price(a.a_price("8.0000", scope=PriceScope.group("GOLD")))
    world.erp.set_price(a.a_price("6.5000", scope=PriceScope.group("PHARMACY")))
    world.erp.set_price(a.a_price("1.0000", scope=PriceScope.group("STAFF")))
    world.erp.change_account(HARBOUR, price_groups=("GOLD", "PHARMACY"))
    world.cycle()
    assert price(world, ADA) == Decimal("6.5000")
    assert price(world, BO) == price(world, ANYBODY) == Decimal("9.9900")

    world.store.place_order(harbour_order(1, **ten("6.5000")))
    world.cycle()
    assert world.in_erp()[0].order.flags == ()


@pytest.mark.rule("VE-5", "OI-8")
def test_restricted_goods_are_sold_to_whom_the_erp_names_only(world: World) -> None:
    controlled = Sku("CONTROLLED")
    world.erp.add_item(a.an_item(sku=controlled, allowed_to=frozenset({HARBOUR})))
    lines = (a.a_line(sku=controlled),)
    world.store.place_order(harbour_order(1, lines=lines))
    world.store.place_order(mill_order(2, lines=lines))
    world.store.place_order(guest_order(3, lines=lines))
    world.import_orders()
    assert sold_to(world, 1) == HARBOUR
    assert world.codes(2) == world.codes(3) == {"item_restricted"}


@pytest.mark.rule("VE-5", "WA-7", "OI-7")
def test_a_promotion_is_a_discount_on_the_order_and_never_another_price(world: World) -> None:
    world.cycle()
    spring = (OrderDiscount("SPRING", a.money("10.00")),)
    world.store.place_order(harbour_order(discounts=spring, total=a.money("89.90")))
    world.cycle()
    (row,) = world.in_erp()
    assert [(each.code, each.amount) for each in row.order.discounts] == [
        ("SPRING", a.money("10.00"))
    ]
    assert row.order.lines[0].unit_price == a.money("9.9900")
    assert row.order.flags == ()
    assert price(world, ADA) == Decimal("9.9900")


# Private customers.


@pytest.mark.rule("VE-8", "WA-16")
def test_private_customers_see_and_pay_in_each_currency_of_the_retail_group(
    world: World,
) -> None:
    world.erp.change_account(RETAIL, currencies=("EUR", "USD"))
    for currency, amount in (("USD", "11.0000"), ("GBP", "8.0000")):
        own = PriceScope.account(RETAIL)
        world.erp.set_price(a.a_price(amount, scope=own, currency=currency))
    channel_is(world, retail_groups=(RetailGroup(RETAIL, ("EUR", "USD")),))
    shopper = private_customer(world)
    world.cycle()
    seen = {each: price(world, CY, currency=each) for each in ("EUR", "USD", "GBP")}
    assert seen == {"EUR": Decimal("9.9900"), "USD": Decimal("11.0000"), "GBP": None}

    for number, (currency, each) in enumerate((("USD", "11.00"), ("GBP", "8.00")), start=1):
        cost = a.money(f"{each}00", currency)
        whole = a.money(f"{Decimal(each) * 10}", currency)
        world.store.place_order(
            guest_order(
                number,
                buyer=shopper,
                currency=currency,
                lines=(a.a_line(unit_price=cost),),
                total=whole,
                payments=(a.a_card_payment(amount=whole),),
            )
        )
    world.cycle()
    (row,) = world.in_erp(1)
    assert (row.order.sold_to, row.order.total) == (RETAIL, a.money("110.00", "USD"))
    assert world.codes(2) == {"retail_group_currency"}


@pytest.mark.rule("VE-8")
def test_private_customers_have_no_locations_and_no_approvals(world: World) -> None:
    world.erp.add_location(a.a_location())
    private_customer(world)
    at_site = Buyer(SHOPPER, signed_in=True, location=NORTH)
    world.store.place_order(guest_order(1, buyer=at_site))
    approved = {"buyer": Buyer(SHOPPER, signed_in=True), "approval": Approval.APPROVED}
    world.store.place_order(guest_order(2, **approved))
    world.import_orders()
    assert world.codes(1) == {"location_on_personal_order"}
    assert world.codes(2) == {"approval_on_personal_order"}
    assert not world.erp.orders


@pytest.mark.rule("VE-2", "VE-1")
def test_guests_buy_where_the_channel_says_so_and_become_nobodys_customers(world: World) -> None:
    world.store.place_order(guest_order(1))
    world.import_orders()
    (row,) = world.in_erp()
    assert (row.order.sold_to, row.order.web_user, row.order.retail) == (RETAIL, None, True)

    channel_is(world, guest_checkout=False)
    world.store.place_order(guest_order(2))
    world.store.place_order(guest_order(3, buyer=private_customer(world)))
    world.import_orders()
    assert world.codes(2) == {"guest_not_allowed"}
    assert sold_to(world, 3) == RETAIL


# What a visitor sees.


@pytest.mark.rule("VE-7")
@pytest.mark.parametrize("wall", list(LoginWall))
def test_the_login_wall_decides_whether_a_visitor_sees_prices_and_hides_them_from_no_one_else(
    world: World, wall: LoginWall
) -> None:
    channel_is(world, login_wall=wall)
    private_customer(world)
    world.cycle()
    public = price(world, ANYBODY)
    assert public == (Decimal("9.9900") if wall is LoginWall.OPEN else None)
    assert price(world, CY) == price(world, ADA) == Decimal("9.9900")
    assert sight(world, ANYBODY) == NOTHING


@pytest.mark.rule("VE-7", "TL-4")
def test_the_wall_of_one_channel_is_not_that_of_the_next(world: World) -> None:
    walled = ChannelId("members")
    behind = a_channel(channel_id=walled, login_wall=LoginWall.LOGIN_TO_PRICE)
    world.remap(channels={**world.mapping.channels, walled: behind})
    private_customer(world)
    world.cycle()
    assert price(world, ANYBODY) == Decimal("9.9900")
    assert price(world, Person(channel=walled)) is None
    assert price(world, Person(SHOPPER, channel=walled)) == Decimal("9.9900")


@pytest.mark.rule("VE-7", "WA-8", "MI-1")
def test_a_visitor_sees_no_address_invoice_or_account_price_of_anybody(world: World) -> None:
    world.erp.set_price(a.a_price("1.2300"))
    world.cycle()
    seen = [price(world, ANYBODY), price(world, Person(channel=TRADE))]
    assert Decimal("1.2300") not in seen
    assert sight(world, ANYBODY) == NOTHING
    # Signed in, but of another company: no more than a visitor in what is Harbour's.
    assert price(world, BO) == Decimal("9.9900")
    assert sight(world, BO).ship_tos == {GATE.value}
