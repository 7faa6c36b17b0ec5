"""An edit of the mapping is told before it acts, and then does what was told."""

from __future__ import annotations

import dataclasses
from collections import Counter
from datetime import date

import pytest

from sync.domain.channel import Channel, LoginWall, RetailGroup
from sync.domain.ids import (
    ChannelId,
    ContactId,
    CustomerId,
    InvoiceNumber,
    LocationId,
    Sku,
    WebUserId,
)
from sync.domain.mapping import Assignment
from sync.domain.pricing import PriceScope
from sync.domain.registration import RequiredDocuments
from sync.ports.state import LedgerState
from sync.remapping import MappingPlan, plan_mapping
from sync.testing import builders as a
from sync.testing.erp import MEMORY_CAPABILITIES
from sync.testing.faults import Crash, Script
from tests.scenarios.test_balances import without
from tests.scenarios.world import (
    ASSIGNMENTS,
    CODES,
    FUSE,
    HARBOUR,
    HARBOUR_BUYER,
    HARBOUR_ORG,
    MILL,
    MILL_ORG,
    RETAIL,
    TRADE,
    WEB,
    MakeWorld,
    World,
    a_channel,
    a_mapping,
    guest_order,
    harbour_order,
    mill_order,
)

TYPO = CustomerId("C-10O1")


def planned(world: World, **changes: object) -> MappingPlan:
    before = world.dump()
    plan = plan_mapping(world.context(), a_mapping(version="v2", **changes))
    assert world.dump() == before, "nothing may be written"
    return plan


@pytest.mark.rule("OP-4")
def test_an_edit_that_means_the_same_changes_nothing(world: World) -> None:
    world.cycle()
    turned = tuple(dataclasses.replace(each, origin="elsewhere:9") for each in ASSIGNMENTS[::-1])

    plan = planned(world, assignments=turned)

    assert plan.empty
    assert (plan.in_force, plan.draft, plan.accounts) == ("v1", "v2", ())


@pytest.mark.rule("OP-4", "WA-8")
def test_whose_account_changes_and_who_loses_sight_of_it_is_told_and_so_it_happens(
    world: World,
) -> None:
    world.cycle()
    assert {key for key, _ in world.store.shown_invoices([HARBOUR, MILL])} == {HARBOUR, MILL}
    moved = (Assignment(MILL, organisation=HARBOUR_ORG), ASSIGNMENTS[1])

    plan = planned(world, assignments=moved)

    assert [str(each) for each in plan.moves] == [
        f"organisation {HARBOUR_ORG}: {HARBOUR} -> {MILL}"
    ]
    [harbour, mill] = plan.accounts
    assert harbour.access.customer_id == HARBOUR
    assert [str(each) for each in harbour.access.loses] == [f"organisation {HARBOUR_ORG}"]
    assert (harbour.access.withdrawn, harbour.invoices) == (True, 1)
    assert [str(each) for each in mill.access.gains] == [f"organisation {HARBOUR_ORG}"]
    assert not mill.access.withdrawn

    world.remap(assignments=moved)
    world.cycle()
    assert {key for key, _ in world.store.shown_invoices([HARBOUR, MILL])} == {MILL}


EVERYTHING = ("invoice", "document", "order", "balance", "part number")


@pytest.mark.rule("OP-4", "WA-8", "MI-5", "MI-6", "TL-6", "TL-7")
def test_how_much_is_withdrawn_and_how_much_comes_into_sight_is_told_by_kind(
    world: World,
) -> None:
    world.remap(assignments=ASSIGNMENTS[:1])
    world.cycle()
    world.erp.add_invoice(a.an_invoice(sold_to=MILL, number=InvoiceNumber("INV-6002")))

    [harbour, mill] = planned(world, assignments=ASSIGNMENTS[1:]).accounts

    assert (harbour.new, harbour.records) == (False, dict.fromkeys(EVERYTHING, 1))
    assert (mill.new, mill.records) == (True, dict.fromkeys(EVERYTHING, 1) | {"invoice": 2})
    world.remap(assignments=ASSIGNMENTS[1:])
    world.cycle()
    shown = world.shown()
    for name, kind in (
        ("invoices", "invoice"),
        ("documents", "document"),
        ("account_orders", "order"),
        ("balances", "balance"),
        ("customer_parts", "part number"),
    ):
        assert Counter(key[0] for key in shown[name]) == {MILL: mill.records[kind]}, name


@pytest.mark.rule("OP-4", "WA-6", "WA-8")
def test_which_invoices_and_prices_are_withdrawn_and_which_come_into_sight_is_told_by_name(
    world: World,
) -> None:
    site = PriceScope.location(LocationId("L-9"))
    world.erp.add_location(a.a_location(sold_to=HARBOUR, location_id=LocationId("L-9")))
    gold, site_only = PriceScope.group("GOLD"), Sku("HINGE")
    for sku in (FUSE, site_only):
        world.erp.add_item(a.an_item(sku=sku))
    world.erp.set_price(a.a_price("2.00", scope=gold, price_list="GOLD"))
    world.erp.set_price(a.a_price("3.00", scope=site, sku=site_only))
    ended = date(2020, 1, 1)
    world.erp.set_price(
        a.a_price("9.00", scope=PriceScope.account(MILL), sku=FUSE, valid_until=ended)
    )
    world.remap(assignments=ASSIGNMENTS[:1])
    world.cycle()

    [harbour, mill] = planned(world, assignments=ASSIGNMENTS[1:]).accounts

    assert (harbour.access.withdrawn, harbour.named["invoice"]) == (True, ("INV-5001",))
    assert mill.named["invoice"] == ("INV-6001",)
    assert mill.named["document"] == ("invoice D-2",)
    own = {each.name: each.items for each in harbour.prices}
    assert own == {
        f"account {HARBOUR}": (a.SKU.value,),
        "location L-9": (site_only.value,),
        "group GOLD": (),
        "the default list": (),
    }
    # What has ended is never shown; the list of a group that is not theirs is not named.
    assert {each.name: each.items for each in mill.prices} == {
        f"account {MILL}": (a.SKU.value,),
        "the default list": (),
    }
    world.remap(assignments=ASSIGNMENTS[1:])
    world.cycle()
    shown = {(str(audience), each) for audience, each in world.store.shown_price_partitions()}
    told = {each.scope for each in mill.prices}
    assert {each for whose, each in shown if not whose.startswith("public")} == told


@pytest.mark.rule("OP-4", "VE-1", "WA-8")
def test_prices_that_a_login_wall_takes_from_everybody_are_told_with_who_still_sees_them(
    world: World,
) -> None:
    world.cycle()
    wall = a_channel(login_wall=LoginWall.LOGIN_REQUIRED)
    plan = planned(world, channels={**a_mapping().channels, WEB: wall})
    where = f"channel web, retail group {RETAIL}: "
    assert [str(each) for each in plan.shoppers] == [
        f"{where}withdrawn from everybody: the default list",
        f"{where}shown to shoppers who signed in: the default list",
    ]
    assert planned(world, channels=a_mapping().channels).shoppers == ()
    gone = planned(world, channels={TRADE: a_mapping().channels[TRADE]})
    assert [(each.shown, str(each.audience)) for each in gone.shoppers] == [
        (False, f"public {RETAIL} on web")
    ]


@pytest.mark.rule("OP-4")
def test_a_store_without_prices_is_told_none(world: World) -> None:
    store = without(world.store, "shown_price_partitions")
    context = dataclasses.replace(world.context(), store=store)
    wall = a_channel(login_wall=LoginWall.LOGIN_REQUIRED)
    draft = a_mapping(version="v2", assignments=ASSIGNMENTS[1:], channels={WEB: wall})
    plan = plan_mapping(context, draft)
    assert [each.prices for each in plan.accounts] == [()]
    assert plan.shoppers == ()


@pytest.mark.rule("OP-4", "TL-6")
def test_nothing_is_promised_that_the_store_has_no_place_for(world: World) -> None:
    store = without(world.store, "shown_customer_parts")
    context = dataclasses.replace(world.context(), store=store)
    plan = plan_mapping(context, a_mapping(version="v2", assignments=ASSIGNMENTS[1:]))
    [harbour] = plan.accounts
    assert set(harbour.records) == set(EVERYTHING) - {"part number"}


@pytest.mark.rule("OP-4", "WA-2a")
def test_open_orders_that_fare_differently_are_named_with_both_ends(world: World) -> None:
    world.remap(assignments=ASSIGNMENTS[:1])
    world.store.place_order(harbour_order(1))
    world.store.place_order(mill_order(2))
    world.store.place_order(guest_order(3))
    world.store.place_order(harbour_order(4, total=a.money("1.00")))
    world.import_orders()
    assert world.state_of(2) is LedgerState.QUARANTINED

    plan = planned(world, assignments=ASSIGNMENTS)

    # What is in the ERP already, and what is wrong either way, is no news.
    assert [(each.number, each.after) for each in plan.orders] == [("W-2", f"into account {MILL}")]
    assert plan.orders[0].before == "quarantined (organisation_unmapped)"
    world.remap(assignments=ASSIGNMENTS)
    world.replay(2)
    world.import_orders()
    assert len(world.in_erp(2)) == 1


@pytest.mark.rule("OP-4", "WA-2d", "OI-1")
@pytest.mark.parametrize("arrived", [True, False])
def test_an_order_on_its_way_is_told_with_what_becomes_of_it_in_either_case(
    make_world: MakeWorld, arrived: bool
) -> None:
    script = Script()
    world = make_world(script=script)
    world.store.place_order(harbour_order(1))
    (script.crash_after if arrived else script.crash_before)("erp.submit_order")
    with pytest.raises(Crash):
        world.import_orders()
    world.new_process()
    assert world.state_of() is LedgerState.SUBMITTING
    moved = (Assignment(MILL, organisation=HARBOUR_ORG), ASSIGNMENTS[1])

    plan = planned(world, assignments=moved)

    stays = f"stays in {HARBOUR} if the ERP took it, otherwise "
    (told,) = plan.orders
    assert (told.number, told.state) == ("W-1", LedgerState.SUBMITTING)
    assert told.before == f"{stays}into account {HARBOUR}"
    assert told.after == f"{stays}quarantined (ship_to_not_of_account)"
    assert planned(world, assignments=ASSIGNMENTS).empty
    world.remap(assignments=moved)
    world.clock.advance(3600)
    world.import_orders()
    assert [row.order.sold_to for row in world.in_erp()] == ([HARBOUR] if arrived else [])
    ended = LedgerState.ACKNOWLEDGED if arrived else LedgerState.QUARANTINED
    assert world.state_of() is ended


@pytest.mark.rule("OP-4", "OI-1")
def test_no_mapping_decides_about_an_order_that_a_person_must_look_for(
    make_world: MakeWorld,
) -> None:
    script = Script()
    careless = dataclasses.replace(MEMORY_CAPABILITIES, unique_external_key=False)
    world = make_world(script=script, capabilities=careless)
    world.store.place_order(harbour_order(1))
    script.crash_before("erp.submit_order")
    with pytest.raises(Crash):
        world.import_orders()
    world.new_process()
    assert world.state_of() is LedgerState.SUBMITTING

    plan = planned(world, assignments=(Assignment(MILL, organisation=HARBOUR_ORG),))

    assert plan.orders == ()
    world.clock.advance(3600)
    world.import_orders()
    assert world.state_of() is LedgerState.REVIEW


@pytest.mark.rule("OP-4", "WA-2")
def test_losing_an_assignment_says_what_takes_its_place(world: World) -> None:
    given = (
        *ASSIGNMENTS,
        Assignment(MILL, user=HARBOUR_BUYER),
        Assignment(MILL, user=HARBOUR_BUYER, organisation=HARBOUR_ORG),
    )
    world.remap(assignments=given)

    plan = planned(world, assignments=())

    assert [str(each) for each in plan.moves] == [
        f"organisation {HARBOUR_ORG}: no longer {HARBOUR}; orders for it wait in quarantine",
        f"organisation {MILL_ORG}: no longer {MILL}; orders for it wait in quarantine",
        (
            f"user {HARBOUR_BUYER}: no longer {MILL};"
            " retail where the channel has retail buyers, else in quarantine"
        ),
        (
            f"user {HARBOUR_BUYER} acting for organisation {HARBOUR_ORG}: no longer {MILL};"
            " the organisation's own account counts"
        ),
    ]


@pytest.mark.rule("OP-4", "WA-2b", "WA-8")
def test_an_account_that_becomes_a_retail_group_is_told_with_whom_it_is_taken_from(
    world: World,
) -> None:
    world.cycle()
    groups = (RetailGroup(RETAIL, ("EUR",)), RetailGroup(MILL, ("USD",)))
    channels = {**a_mapping().channels, WEB: a_channel(retail_groups=groups)}

    plan = planned(world, channels=channels)

    assert any(f"{MILL} becomes a retail group" in each for each in plan.settings)
    assert [(each.access.customer_id, each.access.withdrawn) for each in plan.accounts] == [
        (MILL, True)
    ]


@pytest.mark.rule("OP-4", "WA-2c")
def test_a_draft_that_names_what_the_erp_lacks_says_so(world: World) -> None:
    plan = planned(world, assignments=(Assignment(TYPO, organisation=HARBOUR_ORG),))

    assert [(each.subject, each.message) for each in plan.findings] == [
        (f"customer {TYPO}", "the ERP has no such customer")
    ]


@pytest.mark.rule("OP-4")
def test_settings_are_told_by_their_two_ends(world: World) -> None:
    policy = dataclasses.replace(a_mapping().default_policy, po_required=True)
    codes = dataclasses.replace(CODES, units={"PCE": "EA"}, payment_methods={})

    plan = planned(
        world,
        default_policy=policy,
        codes=codes,
        channels={WEB: a_channel(guest_checkout=False, warehouse="NORTH")},
    )

    assert set(plan.settings) == {
        "channel trade is gone: its orders wait in quarantine",
        "channel web: guest_checkout: yes -> no",
        "channel web: warehouse: nothing -> NORTH",
        "the default policy: po_required: nothing -> yes",
        "payment_methods 'card': card CARD -> nothing",
        "payment_methods 'gift_card': card GIFT -> nothing",
        "payment_methods 'on_account': terms TERMS -> nothing",
        "units 'PCE': nothing -> EA",
    }


@pytest.mark.rule("OP-4", "WA-12")
def test_another_contact_is_no_edit_that_changes_nothing(world: World) -> None:
    told = dataclasses.replace(ASSIGNMENTS[0], contact=ContactId("P-9"))
    plan = planned(world, assignments=(told, ASSIGNMENTS[1]))
    assert plan.contacts == (f"organisation {HARBOUR_ORG}: contact nothing -> P-9",)
    assert not plan.empty
    assert (plan.moves, plan.orders) == ((), ())


@pytest.mark.rule("OP-4", "VE-9", "TL-5")
def test_documents_that_are_required_from_then_on_are_told_with_whom_they_hold_up(
    world: World,
) -> None:
    world.store.hand_in(a.an_application())
    world.run("registrations")
    assert planned(world).empty

    required = RequiredDocuments({"default": ("licence", "passport"), "US-CA": ("passport",)})
    plan = planned(world, required_documents=required)

    assert plan.settings == (
        "required documents, US-CA: nothing -> passport",
        "required documents, default: nothing -> licence, passport",
    )
    (told,) = plan.applications
    assert told.startswith(f"application {a.APPLICATION}: applied, lacks nothing -> ")
    assert told.endswith("documents pending, lacks passport")
    assert not plan.empty
    world.remap(required_documents=required)
    assert planned(world, required_documents=required).applications == ()
    world.run("registrations")
    with world.state.transaction() as state:
        (entry,) = state.registrations.entries()
    assert entry.missing == ("passport",)


@pytest.mark.rule("OP-4")
def test_a_list_that_changed_is_told_by_what_it_got_and_lost(world: World) -> None:
    def web(currencies: tuple[str, ...], *countries: str) -> dict[ChannelId, Channel]:
        group = RetailGroup(RETAIL, currencies, frozenset(countries))
        return {**a_mapping().channels, WEB: a_channel(retail_groups=(group,))}

    before = web(("EUR", "USD"), "AT", "DE", "FR")
    world.remap(channels=before)

    def told(currencies: tuple[str, ...], *countries: str) -> list[str]:
        prefix = f"channel {WEB}: retail group {RETAIL}: "
        plan = plan_mapping(world.context(), a_mapping(channels=web(currencies, *countries)))
        assert all(each.startswith(prefix) for each in plan.settings)
        return [each.removeprefix(prefix) for each in plan.settings]

    same = ("EUR", "USD")
    assert told(same, "DE", "FR", "GB") == ["countries: GB added, AT taken out"]
    assert told(("EUR", "USD", "GBP"), "AT", "DE", "FR") == ["currencies: GBP added"]
    assert told(("USD", "EUR"), "AT", "DE", "FR") == ["currencies: EUR, USD -> USD, EUR"]
    assert told(same) == ["countries: AT, DE, FR -> nothing"]


@pytest.mark.rule("OP-4", "WA-2c")
def test_a_plan_tells_apart_what_is_doubted_anyhow(world: World) -> None:
    old = Assignment(TYPO, organisation=HARBOUR_ORG, origin="customers.csv:2")
    moved = dataclasses.replace(old, origin="customers.csv:9")
    new = Assignment(HARBOUR, user=WebUserId("u-gone"), origin="customers.csv:3")
    world.remap(assignments=(old,))

    plan = plan_mapping(world.context(), a_mapping(assignments=(moved, new), version="v9"))

    subjects = {each.subject for each in plan.findings}
    assert subjects == {f"customer {TYPO}", "user u-gone"}
    assert [each.subject for each in plan.found_before] == [f"customer {TYPO}"]
