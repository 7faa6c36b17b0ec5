"""Personal accounts and business accounts, and what a person may do for an organisation.

A person buys for themselves or for a company. In the second case the company is the
customer: number, rights, addresses and prices are its own, and follow the person into
whichever of their companies they act for.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from sync.domain.account import AccountStatus, Contact
from sync.domain.channel import Channel, CommerceMode
from sync.domain.ids import (
    BillToId,
    ChannelId,
    ContactId,
    CustomerId,
    OrganisationId,
    ShipToId,
    WebUserId,
)
from sync.domain.mapping import AccountPolicy, Assignment, Source
from sync.domain.order import (
    Buyer,
    Membership,
    Role,
    SelectedBillTo,
    SelectedShipTo,
    WebOrder,
)
from sync.domain.pricing import PriceScope
from sync.domain.sales_order import OnFileBillTo, OnFileShipTo, PayBy
from sync.testing import builders as a
from tests.scenarios.sight import NOTHING, Person, price, sight
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
    TRADE,
    WEB,
    World,
    a_channel,
    guest_order,
    harbour_order,
    mill_order,
    ten,
)

BOUTIQUE = ChannelId("boutique")


def sold_to(world: World, number: int = 1) -> CustomerId:
    (row,) = world.in_erp(number)
    return row.order.sold_to


def works_for(world: World, user: WebUserId, *memberships: Membership) -> None:
    world.store.add_user(a.a_web_user(web_user=user, memberships=memberships, verified_email=None))


def for_mill(number: int, **changes: Any) -> WebOrder:
    """Harbour's buyer, acting for Mill Tools."""
    buyer = Buyer(HARBOUR_BUYER, signed_in=True, organisation=MILL_ORG)
    return mill_order(number, **({"buyer": buyer} | changes))


def members_of_both(world: World) -> tuple[Person, Person]:
    """Ada works for both companies; as whom she may stand before the store."""
    both = (Membership(HARBOUR_ORG, Role.ORDER), Membership(MILL_ORG, Role.ORDER))
    works_for(world, HARBOUR_BUYER, *both)
    return Person(HARBOUR_BUYER, HARBOUR_ORG), Person(HARBOUR_BUYER, MILL_ORG)


# The two types.


@pytest.mark.rule("TL-1", "TL-4", "VE-1")
def test_a_channel_for_business_accounts_takes_orders_of_organisations_only(world: World) -> None:
    world.store.place_order(harbour_order(1, channel=TRADE))
    alone = Buyer(HARBOUR_BUYER, signed_in=True)
    world.store.place_order(harbour_order(2, channel=TRADE, buyer=alone))
    world.import_orders()

    assert sold_to(world, 1) == HARBOUR
    assert world.codes(2) == {"organisation_missing"}
    assert not world.in_erp(2)


@pytest.mark.rule("TL-1", "WA-3", "VE-8")
def test_a_personal_account_is_one_person_and_a_business_account_a_company_and_its_people(
    world: World,
) -> None:
    person = WebUserId("u-100")
    works_for(world, person)
    world.store.place_order(guest_order(1, buyer=Buyer(person, signed_in=True)))
    world.store.place_order(harbour_order(2))
    world.import_orders()

    (alone,), (company,) = world.in_erp(1), world.in_erp(2)
    assert (alone.order.web_user, alone.order.organisation) == (person, None)
    assert (company.order.web_user, company.order.organisation) == (HARBOUR_BUYER, HARBOUR_ORG)
    assert (alone.order.sold_to, company.order.sold_to) == (RETAIL, HARBOUR)


@pytest.mark.rule("TL-1", "TL-2", "WA-9")
def test_several_people_of_one_organisation_buy_for_one_account_each_under_their_own_name(
    world: World,
) -> None:
    people = [WebUserId(f"u-77{number}") for number in (31, 32, 33)]
    for number, user in enumerate(people, start=1):
        works_for(world, user, Membership(HARBOUR_ORG, Role.ORDER))
        world.store.place_order(harbour_order(number, buyer=a.a_wholesale_buyer(web_user=user)))
    world.cycle()

    assert {row.order.sold_to for row in world.erp.orders} == {HARBOUR}
    assert [row.order.web_user for row in world.erp.orders] == people
    assert {sight(world, Person(user, HARBOUR_ORG)).customer_id for user in people} == {HARBOUR}


@pytest.mark.rule("TL-1", "WA-2e")
def test_a_name_on_an_order_is_no_person_until_the_store_proves_it(world: World) -> None:
    person = WebUserId("u-100")
    works_for(world, person)
    world.store.place_order(guest_order(1, buyer=Buyer(person, signed_in=False)))
    claimed = a.a_wholesale_buyer(signed_in=False)
    world.store.place_order(harbour_order(2, buyer=claimed))
    world.import_orders()

    (row,) = world.in_erp(1)
    assert row.order.web_user is None
    assert "identity_unproven" in world.codes(2)


# The organisation is the customer.


@pytest.mark.rule("TL-2", "WA-2")
def test_the_contract_is_the_organisations_whatever_account_the_person_has_elsewhere(
    world: World,
) -> None:
    world.remap(assignments=(*ASSIGNMENTS, Assignment(MILL, user=HARBOUR_BUYER)))
    world.store.place_order(harbour_order(1))
    personal = Buyer(HARBOUR_BUYER, signed_in=True)
    world.store.place_order(mill_order(2, buyer=personal))
    world.cycle()

    assert (sold_to(world, 1), sold_to(world, 2)) == (HARBOUR, MILL)
    assert sight(world, Person(HARBOUR_BUYER, HARBOUR_ORG)).customer_id == HARBOUR
    assert sight(world, Person(HARBOUR_BUYER)).customer_id == MILL


@pytest.mark.rule("TL-2", "WA-2")
def test_nothing_of_the_person_counts_while_they_act_for_the_organisation(world: World) -> None:
    """Neither an attribute of theirs nor their e-mail address at another customer."""
    mill_contact = a.an_account(
        customer_id=MILL,
        name="Mill Tools",
        default_ship_to=GATE,
        contacts=(Contact(ContactId("P-9"), "ada@harbour.example"),),
    )
    world.erp.add_account(mill_contact)
    world.store.add_user(a.a_web_user(staff_customer_id=MILL.value))
    every_source = (Source.ERP_EMAIL, Source.STORE_ATTRIBUTE, Source.MAPPING_FILE)
    world.remap(precedence=every_source)
    world.store.place_order(harbour_order())
    world.cycle()

    assert sold_to(world) == HARBOUR
    assert sight(world, Person(HARBOUR_BUYER, HARBOUR_ORG)).invoices == {"INV-5001"}


@pytest.mark.rule("TL-2", "MI-1")
def test_master_data_terms_and_addresses_are_the_organisations(world: World) -> None:
    world.erp.change_account(HARBOUR, terms="NET60", tax_exempt=True)
    world.cycle()
    seen = sight(world, Person(HARBOUR_BUYER, HARBOUR_ORG))
    assert seen.account is not None
    assert (seen.account.name, seen.account.customer_id) == ("Harbour Hardware", HARBOUR)
    assert (seen.account.terms, seen.account.tax_exempt) == ("NET60", True)
    assert (seen.ship_tos, seen.bill_tos) == ({"MAIN"}, {"BILL"})

    world.store.place_order(harbour_order(bill_to=SelectedBillTo(a.BILL_TO)))
    world.cycle()
    (row,) = world.in_erp()
    assert (row.order.terms, row.order.payments[0].by) == ("NET60", PayBy.TERMS)
    assert row.order.ship_to == OnFileShipTo(DOCK)
    assert row.order.bill_to == OnFileBillTo(a.BILL_TO)


@pytest.mark.rule("TL-2", "WA-4")
def test_addresses_that_are_not_the_organisations_stop_its_order(world: World) -> None:
    world.erp.add_bill_to(a.a_bill_to(sold_to=MILL, bill_to_id=BillToId("MILL-BILL")))
    world.store.add_own_address(HARBOUR_BUYER, a.an_address(name="Ada at home"))
    foreign: dict[int, tuple[dict[str, Any], str]] = {
        1: ({"ship_to": SelectedShipTo(GATE)}, "ship_to_not_of_account"),
        2: ({"bill_to": SelectedBillTo(BillToId("MILL-BILL"))}, "bill_to_not_of_account"),
        3: ({"bill_to": a.a_typed_address(name="Ada at home")}, "bill_to_typed_on_terms"),
    }
    for number, (changes, _) in foreign.items():
        world.store.place_order(harbour_order(number, **changes))
    world.import_orders()

    told = {number: world.codes(number) for number in foreign}
    assert told == {number: {code} for number, (_, code) in foreign.items()}
    assert not world.erp.orders


@pytest.mark.rule("TL-2", "VE-4")
def test_rights_are_the_organisations_cut_down_to_the_persons_role(world: World) -> None:
    world.remap(account_policies={HARBOUR: AccountPolicy(custom_ship_to=False)})
    looker, boss = WebUserId("u-7741"), WebUserId("u-7742")
    works_for(world, looker, Membership(HARBOUR_ORG, Role.BROWSE))
    works_for(world, boss, Membership(HARBOUR_ORG, Role.MANAGE))
    world.store.place_order(harbour_order(1, buyer=a.a_wholesale_buyer(web_user=looker)))
    as_boss = a.a_wholesale_buyer(web_user=boss)
    world.store.place_order(harbour_order(2, buyer=as_boss))
    # What the organisation may not do, its manager may not do either.
    world.store.place_order(harbour_order(3, buyer=as_boss, ship_to=a.a_typed_address()))
    world.import_orders()

    assert world.codes(1) == {"no_right_to_order"}
    assert sold_to(world, 2) == HARBOUR
    assert world.codes(3) == {"custom_ship_to_forbidden"}


# In whose name one acts, and changing over.


@pytest.mark.rule("TL-3", "MI-1")
def test_name_and_number_of_each_organisation_are_in_the_store_and_stay_those_of_the_erp(
    world: World,
) -> None:
    as_harbour, as_mill = members_of_both(world)

    def told(people: Sequence[Person]) -> list[tuple[str, str] | None]:
        accounts = [sight(world, each).account for each in people]
        return [(each.name, each.customer_id.value) if each else None for each in accounts]

    world.cycle()
    assert told([as_harbour, as_mill]) == [("Harbour Hardware", "C-1001"), ("Mill Tools", "C-2002")]

    world.erp.change_account(MILL, name="Mill & Sons")
    world.clock.advance(3600)
    world.cycle()
    assert told([as_mill]) == [("Mill & Sons", "C-2002")]


@pytest.mark.rule("TL-3", "WA-6", "WA-8")
def test_whoever_changes_the_organisation_sees_and_orders_what_is_the_other_ones(
    world: World,
) -> None:
    world.erp.set_price(a.a_price("7.5000", scope=PriceScope.account(MILL)))
    as_harbour, as_mill = members_of_both(world)
    world.cycle()
    one, other = sight(world, as_harbour), sight(world, as_mill)
    assert (one.ship_tos, one.invoices) == ({"MAIN"}, {"INV-5001"})
    assert (other.ship_tos, other.invoices) == ({"GATE"}, {"INV-6001"})
    seen = (price(world, as_harbour), price(world, as_mill))
    assert seen == (Decimal("9.9900"), Decimal("7.5000"))

    world.store.place_order(harbour_order(1))
    world.store.place_order(for_mill(2, **ten("7.5000")))
    world.store.place_order(harbour_order(3))
    world.cycle()
    assert [sold_to(world, number) for number in (1, 2, 3)] == [HARBOUR, MILL, HARBOUR]
    assert {row.order.web_user for row in world.erp.orders} == {HARBOUR_BUYER}
    assert not any(row.order.flags for row in world.erp.orders)


@pytest.mark.rule("TL-3", "TL-2", "VE-4")
def test_the_role_is_the_one_in_the_organisation_at_hand(world: World) -> None:
    both = (Membership(HARBOUR_ORG, Role.MANAGE), Membership(MILL_ORG, Role.BROWSE))
    works_for(world, HARBOUR_BUYER, *both)
    world.store.place_order(harbour_order(1))
    world.store.place_order(for_mill(2))
    world.import_orders()
    assert sold_to(world, 1) == HARBOUR
    assert world.codes(2) == {"no_right_to_order"}


@pytest.mark.rule("TL-3", "WA-4")
def test_what_was_picked_in_one_organisation_does_not_go_along_into_the_other(
    world: World,
) -> None:
    members_of_both(world)
    world.store.place_order(for_mill(1, ship_to=SelectedShipTo(DOCK)))
    world.import_orders()
    assert world.codes(1) == {"ship_to_not_of_account"}


@pytest.mark.rule("TL-3", "WA-8")
def test_nobody_acts_for_an_organisation_that_they_do_not_belong_to(world: World) -> None:
    world.cycle()
    world.store.place_order(for_mill(1))
    world.cycle()
    assert world.codes(1) == {"not_a_member"}
    assert sight(world, Person(HARBOUR_BUYER, MILL_ORG)) == NOTHING


@pytest.mark.rule("TL-3", "WA-2")
def test_an_exception_gives_one_user_another_account_within_the_organisation(
    world: World,
) -> None:
    exception = Assignment(MILL, user=HARBOUR_BUYER, organisation=HARBOUR_ORG)
    world.remap(assignments=(*ASSIGNMENTS, exception))
    colleague = WebUserId("u-7720")
    works_for(world, colleague, Membership(HARBOUR_ORG, Role.ORDER))
    world.store.place_order(harbour_order(1, ship_to=SelectedShipTo(GATE)))
    world.store.place_order(harbour_order(2, buyer=a.a_wholesale_buyer(web_user=colleague)))
    world.cycle()

    assert (sold_to(world, 1), sold_to(world, 2)) == (MILL, HARBOUR)
    assert sight(world, Person(HARBOUR_BUYER, HARBOUR_ORG)).invoices == {"INV-6001"}
    assert sight(world, Person(colleague, HARBOUR_ORG)).invoices == {"INV-5001"}


# Settings of each channel.


@pytest.mark.rule("TL-4", "VE-1")
def test_parallel_channels_treat_one_and_the_same_person_by_their_own_settings(
    world: World,
) -> None:
    """A hybrid shop, one for companies, and one for private customers, over one ERP."""
    boutique = a_channel(channel_id=BOUTIQUE, mode=CommerceMode.B2C)
    world.remap(channels={**world.mapping.channels, BOUTIQUE: boutique})
    person = Buyer(HARBOUR_BUYER, signed_in=True)
    for number, channel in enumerate((WEB, TRADE, BOUTIQUE), start=1):
        world.store.place_order(guest_order(number, channel=channel, buyer=person))
    for number, channel in enumerate((WEB, TRADE, BOUTIQUE), start=4):
        world.store.place_order(harbour_order(number, channel=channel))
    world.import_orders()

    assert (sold_to(world, 1), sold_to(world, 3)) == (RETAIL, RETAIL)
    assert "organisation_missing" in world.codes(2)
    assert (sold_to(world, 4), sold_to(world, 5)) == (HARBOUR, HARBOUR)
    assert "organisation_on_b2c" in world.codes(6)


@pytest.mark.rule("TL-4", "VE-2")
def test_setting_of_one_channel_changes_nothing_on_its_neighbour(world: World) -> None:
    closed = a_channel(channel_id=BOUTIQUE, guest_checkout=False)
    world.remap(channels={**world.mapping.channels, BOUTIQUE: closed})
    world.store.place_order(guest_order(1))
    world.store.place_order(guest_order(2, channel=BOUTIQUE))
    world.import_orders()
    assert sold_to(world, 1) == RETAIL
    assert world.codes(2) == {"guest_not_allowed"}


@pytest.mark.rule("TL-1", "VE-3", "WA-2a")
def test_a_company_that_has_just_registered_buys_once_it_is_active_and_assigned(
    world: World,
) -> None:
    """User and organisation are there from the first day, and the user manages it."""
    org, founder, account = OrganisationId("org-new"), WebUserId("u-new"), CustomerId("C-3003")
    applied = a.an_organisation(organisation=org, name="New Ltd", status=AccountStatus.APPLIED)
    world.store.add_organisation(applied)
    works_for(world, founder, Membership(org, Role.MANAGE))
    yard = ShipToId("YARD")
    buyer = Buyer(founder, signed_in=True, organisation=org)
    world.store.place_order(harbour_order(buyer=buyer, ship_to=SelectedShipTo(yard)))
    world.cycle()
    assert world.codes() == {"organisation_unmapped", "account_not_active"}

    world.erp.add_account(a.an_account(customer_id=account, name="New Ltd"))
    world.erp.add_ship_to(a.a_ship_to(sold_to=account, ship_to_id=yard))
    active = a.an_organisation(organisation=org, name="New Ltd", status=AccountStatus.ACTIVE)
    world.store.add_organisation(active)
    world.remap(assignments=(*ASSIGNMENTS, Assignment(account, organisation=org)))
    world.replay()
    world.cycle()
    assert sold_to(world) == account
    assert sight(world, Person(founder, org)).ship_tos == {"YARD"}
    assert sight(world, Person(MILL_BUYER, MILL_ORG)).ship_tos == {"GATE"}


@pytest.mark.rule("TL-1", "VE-2")
def test_a_channel_for_business_accounts_cannot_even_be_declared_with_guests(
    world: World,
) -> None:
    with pytest.raises(ValueError, match="guest checkout"):
        Channel(TRADE, CommerceMode.B2B, guest_checkout=True)
    world.store.place_order(guest_order(1, channel=TRADE))
    world.import_orders()
    assert {"guest_not_allowed", "organisation_missing"} <= world.codes(1)
