"""Somebody's place changes: what is withdrawn and when, what stays, and what open orders do.

Each move is told before it happens, by the same plan that ``tradesync plan mappings``
prints; the next run then does what was told. What people could see and may not see any
more goes first. What is in the ERP stays where it is.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from contextlib import suppress
from decimal import Decimal

import pytest

from sync.domain.account import AccountStatus
from sync.domain.channel import RetailGroup
from sync.domain.ids import CustomerId, InvoiceNumber, OrganisationId, WebUserId
from sync.domain.mapping import Assignment
from sync.domain.order import (
    Approval,
    Buyer,
    Membership,
    OrderState,
    Payment,
    Role,
)
from sync.domain.pricing import PriceScope
from sync.domain.sales_order import ErpOrderState
from sync.errors import Misconfigured
from sync.flows.context import Limits
from sync.planning.guards import Guard
from sync.ports.state import LedgerState
from sync.ports.store import StoreCapabilities
from sync.remapping import MappingPlan, plan_mapping
from sync.testing import builders as a
from sync.testing.clock import ManualClock
from sync.testing.faults import WRITING, Crash, Fault, Script
from sync.testing.store import MemoryStore
from tests.scenarios.sight import ANYBODY, NOTHING, Person, history, price, sight
from tests.scenarios.world import (
    ASSIGNMENTS,
    GATE,
    HARBOUR,
    HARBOUR_BUYER,
    HARBOUR_ORG,
    MILL,
    MILL_BUYER,
    MILL_ORG,
    RETAIL,
    WEB,
    MakeWorld,
    World,
    a_channel,
    fill_store,
    guest_order,
    harbour_order,
    mill_order,
)

HOUR = 3600.0
ADA, BO = Person(HARBOUR_BUYER, HARBOUR_ORG), Person(MILL_BUYER, MILL_ORG)
SHOPPER = WebUserId("u-100")
CY = Person(SHOPPER)


@pytest.fixture
def shop(make_world: MakeWorld) -> World:
    """The world with a private customer, and a record of what is called in which order."""
    world = make_world(script=Script())
    world.store.add_user(a.a_web_user(web_user=SHOPPER, memberships=(), verified_email=None))
    world.erp.set_price(a.a_price("9.0000", scope=PriceScope.account(HARBOUR)))
    world.erp.set_price(a.a_price("8.0000", scope=PriceScope.account(MILL)))
    return world


def planned(world: World, **changes: object) -> MappingPlan:
    """What the edit would do. Planning itself writes nothing, anywhere."""
    before, shown = world.dump(), world.shown()
    draft = dataclasses.replace(world.mapping, version="v99", **changes)  # type: ignore[arg-type]
    plan = plan_mapping(world.context(), draft)
    assert (world.dump(), world.shown()) == (before, shown)
    return plan


def said(plan: MappingPlan) -> list[str]:
    return [str(each) for each in plan.moves]


def withdrawn(plan: MappingPlan) -> dict[str, int]:
    """Accounts that would leave the store, with the number of their invoices there."""
    return {
        each.access.customer_id.value: each.invoices
        for each in plan.accounts
        if each.access.withdrawn
    }


def fares(plan: MappingPlan) -> dict[str, tuple[str, str]]:
    return {each.number: (each.before, each.after) for each in plan.orders}


def mirror_writes(world: World, since: int) -> list[str]:
    """What the mirrors wrote into the store, call by call."""
    assert world.script is not None
    calls = [call.point for call in world.script.log[since:] if call.point.startswith("store.")]
    names = [point.removeprefix("store.") for point in calls]
    return [each for each in names if each.startswith(WRITING) and not each.startswith("show_")]


def next_cycle(world: World) -> list[str]:
    """An hour later everything runs once. Gives what was written into the store, in order."""
    assert world.script is not None
    world.clock.advance(HOUR)
    since = len(world.script.log)
    results = world.cycle()
    assert {result.outcome for result in results} == {"ok"}
    return mirror_writes(world, since)


def sold_to(world: World, *numbers: int) -> list[CustomerId]:
    return [row.order.sold_to for number in numbers for row in world.in_erp(number)]


def status_follows(world: World, number: int) -> bool:
    """Whether the store still learns what becomes of this order in the ERP."""
    world.erp.set_order_status(world.entry(number).key, a.an_order_status())
    world.run("order_status")
    entry = world.entry(number)
    shown = world.store.shown_order_statuses([entry.order_id])
    return shown[entry.order_id].state is ErpOrderState.PARTLY_SHIPPED


# A private customer becomes a company's buyer, and the other way round.


@pytest.mark.rule("OP-4", "WA-2", "WA-2d", "WA-8")
def test_retail_user_who_becomes_wholesale_sees_the_account_and_old_orders_stay_retail(
    shop: World,
) -> None:
    cy = Buyer(SHOPPER, signed_in=True)
    shop.store.place_order(guest_order(1, buyer=cy))
    shop.store.place_order(guest_order(2, buyer=cy, state=OrderState.HELD))
    shop.store.place_order(guest_order(3, buyer=cy, payments=(Payment("on_account"),)))
    shop.cycle()
    assert shop.codes(3) == {"terms_for_retail"}
    promoted = (*ASSIGNMENTS, Assignment(HARBOUR, user=SHOPPER))

    plan = planned(shop, assignments=promoted)
    assert said(plan) == ["user u-100: nobody -> C-1001"]
    assert withdrawn(plan) == {}
    assert [each.access.customer_id for each in plan.accounts] == [HARBOUR]
    # A card's address was typed along: an order on account goes to a bill-to of the account.
    assert fares(plan) == {
        "W-3": ("quarantined (terms_for_retail)", "quarantined (bill_to_typed_on_terms)")
    }
    assert (sight(shop, CY), price(shop, CY)) == (NOTHING, Decimal("9.9900"))

    shop.remap(assignments=promoted)
    next_cycle(shop)
    assert (sight(shop, CY).invoices, price(shop, CY)) == ({"INV-5001"}, Decimal("9.0000"))
    assert price(shop, ANYBODY) == Decimal("9.9900")
    assert sold_to(shop, 1) == [RETAIL]
    assert status_follows(shop, 1)

    shop.edit(2, state=OrderState.AWAITING_FULFILMENT)
    shop.edit(3, bill_to=None)
    next_cycle(shop)
    assert sold_to(shop, 1, 2, 3) == [RETAIL, HARBOUR, HARBOUR]
    assert set(history(shop, SHOPPER, 1, 2, 3)) == {"W-1", "W-2", "W-3"}


@pytest.mark.rule("OP-4", "WA-2a", "WA-2d", "WA-8")
def test_company_that_loses_its_customer_id_loses_sight_of_everything_and_is_not_retail(
    shop: World,
) -> None:
    shop.store.place_order(mill_order(1))
    shop.store.place_order(mill_order(2, state=OrderState.HELD))
    shop.store.place_order(mill_order(3, total=a.money("1.00")))
    shop.cycle()
    left = ASSIGNMENTS[:1]

    plan = planned(shop, assignments=left)
    assert said(plan) == ["organisation org-34: no longer C-2002; orders for it wait in quarantine"]
    assert withdrawn(plan) == {"C-2002": 1}
    told = "quarantined (organisation_unmapped, total_mismatch)"
    assert fares(plan) == {"W-3": ("quarantined (total_mismatch)", told)}
    assert sight(shop, BO).invoices == {"INV-6001"}

    shop.remap(assignments=left)
    assert next_cycle(shop)[0] == "withdraw_account"
    assert sight(shop, BO) == NOTHING
    assert Decimal("8.0000") not in {value.unit_price for value in shop.store.prices.values()}
    assert sight(shop, ADA).invoices == {"INV-5001"}
    assert sold_to(shop, 1) == [MILL]
    assert status_follows(shop, 1)

    shop.edit(2, state=OrderState.AWAITING_FULFILMENT)
    shop.replay(3)
    next_cycle(shop)
    assert shop.codes(2) == {"organisation_unmapped"}
    assert shop.codes(3) == {"organisation_unmapped", "total_mismatch"}
    assert sold_to(shop, 1, 2, 3) == [MILL]


@pytest.mark.rule("OP-4", "WA-2", "WA-5", "WA-8")
def test_user_who_becomes_retail_keeps_their_orders_and_buys_like_everybody(shop: World) -> None:
    shop.remap(assignments=(*ASSIGNMENTS[:1], Assignment(MILL, user=SHOPPER)))
    cy = Buyer(SHOPPER, signed_in=True)
    held = {"buyer": cy, "state": OrderState.HELD}
    shop.store.place_order(mill_order(1, buyer=cy))
    shop.store.place_order(mill_order(2, **held))
    shop.store.place_order(guest_order(3, **held))
    shop.cycle()
    assert sight(shop, CY).invoices == {"INV-6001"}

    plan = planned(shop, assignments=ASSIGNMENTS[:1])
    assert said(plan) == [
        (
            "user u-100: no longer C-2002; retail where the channel has retail buyers, else in"
            " quarantine"
        )
    ]
    assert withdrawn(plan) == {"C-2002": 1}

    shop.remap(assignments=ASSIGNMENTS[:1])
    assert next_cycle(shop)[0] == "withdraw_account"
    assert (sight(shop, CY), price(shop, CY)) == (NOTHING, Decimal("9.9900"))

    for number in (2, 3):
        shop.edit(number, state=OrderState.AWAITING_FULFILMENT)
    next_cycle(shop)
    assert sold_to(shop, 1) == [MILL]
    assert shop.codes(2) == {"terms_for_retail", "ship_to_selected_by_retail"}
    assert sold_to(shop, 3) == [RETAIL]


# An account is suspended, closed, or becomes part of another one.


@pytest.mark.rule("VE-3", "MI-1", "WA-2c", "WA-2d")
@pytest.mark.parametrize("status", [AccountStatus.SUSPENDED, AccountStatus.CLOSED])
def test_stopped_account_orders_no_more_and_its_people_see_why_and_what_they_owe(
    shop: World, status: AccountStatus
) -> None:
    shop.store.place_order(mill_order(1))
    shop.store.place_order(mill_order(2, state=OrderState.HELD))
    shop.store.place_order(mill_order(3, total=a.money("1.00")))
    shop.cycle()
    shop.erp.change_account(MILL, status=status)

    plan = planned(shop)
    assert plan.empty, "no file was edited"
    assert [(each.subject, each.message) for each in plan.findings] == [
        ("customer C-2002", "is inactive in the ERP")
    ]

    # What the ERP did is told by the plan of the mirror: what follows it, and that all stays.
    rehearsed = shop.run("accounts", dry_run=True)
    name = status.name.lower()
    assert rehearsed.samples == [f"change C-2002: status active -> {name}"]
    for flow in ("prices", "invoices"):
        assert not shop.run(flow, dry_run=True).samples

    next_cycle(shop)
    seen = sight(shop, BO)
    assert seen.account is not None
    assert (seen.account.status, seen.invoices) == (status, {"INV-6001"})
    assert price(shop, BO) == Decimal("8.0000")

    shop.edit(2, state=OrderState.AWAITING_FULFILMENT)
    shop.replay(3)
    shop.store.place_order(mill_order(4))
    next_cycle(shop)
    assert shop.codes(2) == shop.codes(4) == {"account_not_active"}
    assert shop.codes(3) == {"account_not_active", "total_mismatch"}
    assert sold_to(shop, 1, 2, 3, 4) == [MILL]
    assert status_follows(shop, 1)

    shop.erp.change_account(MILL, status=AccountStatus.ACTIVE)
    shop.replay(2)
    next_cycle(shop)
    assert sold_to(shop, 2) == [MILL]


@pytest.mark.rule("OP-4", "WA-8", "MI-1")
def test_closed_account_leaves_the_store_once_its_line_is_taken_out(shop: World) -> None:
    shop.cycle()
    shop.erp.change_account(MILL, status=AccountStatus.CLOSED)
    next_cycle(shop)

    assert withdrawn(planned(shop, assignments=ASSIGNMENTS[:1])) == {"C-2002": 1}
    shop.remap(assignments=ASSIGNMENTS[:1])
    assert next_cycle(shop)[0] == "withdraw_account"
    assert sight(shop, BO) == NOTHING
    assert [each.customer_id for each in shop.store.shown_accounts([HARBOUR, MILL]).values()] == [
        HARBOUR
    ]


@pytest.mark.rule("OP-4", "WA-2c", "WA-2d", "WA-9")
def test_id_that_is_merged_into_another_takes_its_people_along_and_leaves_its_orders(
    shop: World,
) -> None:
    shop.store.place_order(mill_order(1))
    shop.cycle()
    # The ERP's staff merge first. Until the mapping follows nobody guesses where to.
    shop.erp.remove_account(MILL)
    shop.erp.add_ship_to(a.a_ship_to(sold_to=HARBOUR, ship_to_id=GATE, default=False))
    shop.erp.add_invoice(a.an_invoice(sold_to=HARBOUR, number=InvoiceNumber("INV-6001")))
    shop.store.place_order(mill_order(2))
    rehearsed = shop.run("accounts", dry_run=True)
    assert rehearsed.samples == ["remove C-2002 with all that is shown of it"]
    next_cycle(shop)
    assert sight(shop, BO) == NOTHING
    assert shop.codes(2) == {"customer_unknown"}

    merged = (ASSIGNMENTS[0], Assignment(HARBOUR, organisation=MILL_ORG))
    plan = planned(shop, assignments=merged)
    assert said(plan) == ["organisation org-34: C-2002 -> C-1001"]
    assert withdrawn(plan) == {"C-2002": 0}, "the ERP took it away already"
    assert fares(plan) == {"W-2": ("quarantined (customer_unknown)", "into account C-1001")}
    [shared] = plan.findings
    assert shared.subject == "organisation org-34"
    assert "each sees the invoices and ship-tos of the other" in shared.message

    shop.remap(assignments=merged)
    next_cycle(shop)
    for each in (ADA, BO):
        assert sight(shop, each).invoices == {"INV-5001", "INV-6001"}
        assert price(shop, each) == Decimal("9.0000")
    assert sold_to(shop, 1, 2) == [MILL], "only a person replays"
    assert status_follows(shop, 1)

    shop.replay(2)
    next_cycle(shop)
    assert sold_to(shop, 1, 2) == [MILL, HARBOUR]
    assert set(history(shop, MILL_BUYER, 1, 2)) == {"W-1", "W-2"}
    assert history(shop, HARBOUR_BUYER, 1, 2) == {}


# A customer ID becomes a retail group.


def groups_with_mill() -> dict[str, object]:
    channel = a_channel(retail_groups=(RetailGroup(RETAIL, ("EUR",)), RetailGroup(MILL, ("USD",))))
    return {"channels": {WEB: channel}, "assignments": ASSIGNMENTS[:1]}


STRICT = Limits(
    guards={
        flow: Guard(removal_share=Decimal(0), removal_floor=0)
        for flow in ("accounts", "ship_tos", "prices", "invoices")
    }
)


@pytest.mark.rule("WA-8", "WA-2b", "MI-3", "OP-4")
@pytest.mark.parametrize("attribute", [False, True])
@pytest.mark.parametrize("flow", ["accounts", "ship_tos", "prices", "invoices"])
def test_id_that_becomes_a_retail_group_is_withdrawn_by_whichever_mirror_runs_first(
    shop: World, flow: str, attribute: bool
) -> None:
    if attribute:  # somebody of the store's staff still has it down as Mill's own
        mill = a.an_organisation(
            organisation=MILL_ORG, name="Mill Tools", staff_customer_id=MILL.value
        )
        shop.store.add_organisation(mill)
    shop.cycle()
    assert sight(shop, BO).invoices == {"INV-6001"}

    plan = planned(shop, **groups_with_mill())
    assert withdrawn(plan) == {"C-2002": 1}
    assert any("C-2002 becomes a retail group" in each for each in plan.settings)

    shop.limits = STRICT
    shop.remap(**groups_with_mill())
    assert shop.script is not None
    since = len(shop.script.log)
    shop.run(flow)
    assert mirror_writes(shop, since)[0] == "withdraw_account"
    assert sight(shop, BO) == NOTHING
    assert dict(shop.store.shown_invoices([MILL])) == {}
    assert a.account_audience(MILL) not in {key.audience for key in shop.store.prices}


@pytest.mark.rule("WA-2b", "WA-2d", "WA-2a")
def test_orders_of_a_company_whose_id_becomes_a_retail_group_stay_or_wait_for_a_person(
    shop: World,
) -> None:
    shop.store.place_order(mill_order(1))
    shop.store.place_order(mill_order(2, state=OrderState.HELD))
    shop.store.place_order(mill_order(3, total=a.money("1.00")))
    shop.cycle()
    plan = planned(shop, **groups_with_mill())
    told = "quarantined (organisation_unmapped, total_mismatch)"
    assert fares(plan) == {"W-3": ("quarantined (total_mismatch)", told)}

    shop.remap(**groups_with_mill())
    shop.edit(2, state=OrderState.AWAITING_FULFILMENT)
    shop.replay(3)
    next_cycle(shop)
    assert sold_to(shop, 1, 2, 3) == [MILL]
    assert shop.codes(2) == {"organisation_unmapped"}
    assert status_follows(shop, 1)

    # Where the store's staff still name the ID, it is refused by its right name.
    mill = a.an_organisation(organisation=MILL_ORG, name="Mill Tools", staff_customer_id=MILL.value)
    shop.store.add_organisation(mill)
    shop.replay(2)
    next_cycle(shop)
    assert shop.codes(2) == {"retail_group_as_individual"}


# An employee leaves.


@pytest.mark.rule("TL-3", "WA-9", "WA-8", "OP-4")
@pytest.mark.parametrize("deleted", [False, True])
def test_employee_who_leaves_sees_and_orders_nothing_and_the_company_goes_on(
    shop: World, deleted: bool
) -> None:
    colleague = WebUserId("u-7720")
    shop.store.add_user(a.a_web_user(web_user=colleague, verified_email=None))
    shop.store.place_order(harbour_order(1))
    shop.store.place_order(harbour_order(2, approval=Approval.PENDING))
    shop.store.place_order(harbour_order(3, total=a.money("1.00")))
    shop.cycle()
    if deleted:
        shop.store.remove_user(HARBOUR_BUYER)
    else:
        shop.store.add_user(a.a_web_user(memberships=()))

    assert planned(shop).empty, "the files name the company, not the person"
    assert next_cycle(shop) == [], "what is shown to the company stays"
    assert sight(shop, ADA) == NOTHING
    assert sight(shop, Person(colleague, HARBOUR_ORG)).invoices == {"INV-5001"}

    shop.edit(2, approval=Approval.APPROVED)
    shop.replay(3)
    shop.store.place_order(harbour_order(4, buyer=a.a_wholesale_buyer(web_user=colleague)))
    next_cycle(shop)
    gone = "user_unknown" if deleted else "not_a_member"
    assert shop.codes(2) == {gone}
    assert shop.codes(3) == {gone, "total_mismatch"}
    assert sold_to(shop, 1, 2, 3, 4) == [HARBOUR, HARBOUR]
    assert status_follows(shop, 1)
    assert set(history(shop, HARBOUR_BUYER, 1, 4)) == {"W-1"}
    assert set(history(shop, colleague, 1, 4)) == {"W-4"}


@pytest.mark.rule("OP-4", "WA-8", "TL-3")
def test_exception_of_an_employee_who_leaves_is_named_and_withdrawn_with_its_line(
    shop: World,
) -> None:
    exception = Assignment(
        MILL, user=HARBOUR_BUYER, organisation=HARBOUR_ORG, origin="customers.csv:4"
    )
    shop.remap(assignments=(ASSIGNMENTS[0], exception))
    shop.cycle()
    assert sight(shop, ADA).invoices == {"INV-6001"}
    shop.store.add_user(a.a_web_user(memberships=()))

    # The line is still there, so whoever plans or checks is told of it.
    assert [(each.subject, each.message, each.place) for each in planned(shop).findings] == [
        ("user u-7719", "does not belong to organisation org-12 in the store", "customers.csv:4")
    ]

    plan = planned(shop, assignments=ASSIGNMENTS[:1])
    assert said(plan) == [
        (
            "user u-7719 acting for organisation org-12: no longer C-2002; the organisation's own"
            " account counts"
        )
    ]
    assert withdrawn(plan) == {"C-2002": 1}
    assert not plan.findings

    shop.remap(assignments=ASSIGNMENTS[:1])
    assert next_cycle(shop)[0] == "withdraw_account"
    assert sight(shop, ADA) == NOTHING
    assert dict(shop.store.shown_invoices([MILL])) == {}


# Whoever is an exception within an organisation acts for nobody else there.


def excepted(customer: CustomerId) -> Assignment:
    return Assignment(customer, user=HARBOUR_BUYER, organisation=HARBOUR_ORG, origin="c.csv:4")


@pytest.mark.rule("WA-2c", "WA-8", "TL-3")
@pytest.mark.parametrize("customer", [CustomerId("C-9999"), RETAIL])
def test_exception_that_cannot_be_used_opens_no_other_account(
    shop: World, customer: CustomerId
) -> None:
    lines = (*ASSIGNMENTS, excepted(customer))
    moved = "user u-7719 acting for organisation org-12: "
    told = "as the organisation -> nobody; what is named for them cannot be used"
    # Whether the ERP has such a customer the files alone cannot tell.
    in_files = f"as the organisation -> {customer}"
    assert said(planned(shop, assignments=lines)) == [
        moved + (told if customer == RETAIL else in_files)
    ]
    shop.remap(assignments=lines)
    shop.cycle()
    assert sight(shop, ADA) == NOTHING
    if customer == RETAIL:
        back = planned(shop, assignments=ASSIGNMENTS)
        assert said(back) == [f"{moved}nobody -> as the organisation"]
    shop.remap(assignments=ASSIGNMENTS)
    shop.cycle()
    assert sight(shop, ADA).invoices == {"INV-5001"}


@pytest.mark.rule("WA-8", "TL-3", "OP-1")
@pytest.mark.parametrize("comes", [True, False])
def test_exception_and_its_organisation_come_and_go_without_a_glimpse_of_the_others_account(
    make_world: MakeWorld, comes: bool
) -> None:
    """Wherever the run dies in between."""
    there, gone = (*ASSIGNMENTS, excepted(MILL)), ASSIGNMENTS[1:]
    before, after = (gone, there) if comes else (there, gone)
    for fails_at in (1, 2):
        store = MemoryStore(capabilities=StoreCapabilities("memory", batch=1))
        fill_store(store)
        script = Script()
        world = make_world(script=script, store=store)
        world.remap(assignments=before)
        world.cycle()
        world.remap(assignments=after)
        for each in ("store.put_accounts", "store.withdraw_account"):
            script.crash_before(each, at=script.count(each) + fails_at)
        with suppress(Crash):
            world.run("accounts")
        assert sight(world, ADA).customer_id in (MILL, None)
        world.script = None
        world.new_process()
        world.cycle()
        assert sight(world, ADA).customer_id == (MILL if comes else None)


# Orders that are on their way while somebody moves.


@pytest.mark.rule("WA-2d", "OI-1", "OI-2")
@pytest.mark.parametrize("fault", [Fault.LOST_REPLY, Fault.CRASH_AFTER, Fault.CRASH_BEFORE])
def test_order_that_was_under_way_when_its_company_moved_is_looked_up_first(
    shop: World, fault: Fault
) -> None:
    assert shop.script is not None
    shop.script.fail("erp.submit_order", fault)
    shop.erp.add_ship_to(a.a_ship_to(sold_to=HARBOUR, ship_to_id=GATE, default=False))
    shop.store.place_order(mill_order(1))
    if fault is Fault.LOST_REPLY:
        shop.cycle()
    else:
        with pytest.raises(Crash):
            shop.cycle()
        shop.new_process()
    assert shop.state_of(1) is LedgerState.SUBMITTING
    moved = (ASSIGNMENTS[0], Assignment(HARBOUR, organisation=MILL_ORG))
    stays = f"stays in {MILL} if the ERP took it, otherwise into account "
    assert fares(planned(shop, assignments=moved)) == {
        "W-1": (f"{stays}{MILL}", f"{stays}{HARBOUR}")
    }

    shop.remap(assignments=moved)
    for _ in range(2):
        next_cycle(shop)
    # It is there, and stays; or it never came, and goes where it belongs now.
    arrived = fault is not Fault.CRASH_BEFORE
    assert sold_to(shop, 1) == ([MILL] if arrived else [HARBOUR])
    decision = shop.entry(1).decision
    assert decision is not None
    assert decision.mapping_version == ("v1" if arrived else "v2")
    assert sight(shop, BO).customer_id == HARBOUR


def suspend(shop: World) -> str:
    shop.erp.change_account(MILL, status=AccountStatus.SUSPENDED)
    return "account_not_active"


def leave(shop: World) -> str:
    shop.store.add_user(a.a_web_user(web_user=MILL_BUYER, memberships=()))
    return "not_a_member"


def lose_the_id(shop: World) -> str:
    shop.remap(assignments=ASSIGNMENTS[:1])
    return "organisation_unmapped"


def become_a_retail_group(shop: World) -> str:
    shop.remap(**groups_with_mill())
    return "organisation_unmapped"


@pytest.mark.rule("WA-2d", "VE-3", "TL-3", "OI-1", "OI-2")
@pytest.mark.parametrize("arrived", [True, False])
@pytest.mark.parametrize("move", [suspend, leave, lose_the_id, become_a_retail_group])
def test_order_under_way_stays_where_it_arrived_or_is_judged_by_what_holds_now(
    shop: World, move: Callable[[World], str], arrived: bool
) -> None:
    assert shop.script is not None
    shop.script.fail("erp.submit_order", Fault.CRASH_AFTER if arrived else Fault.CRASH_BEFORE)
    shop.store.place_order(mill_order(1))
    with pytest.raises(Crash):
        shop.import_orders()
    shop.new_process()
    code = move(shop)
    shop.clock.advance(HOUR)
    shop.import_orders()

    if arrived:
        assert sold_to(shop, 1) == [MILL]
        assert status_follows(shop, 1)
    else:
        assert (shop.codes(1), shop.in_erp(1)) == ({code}, [])
    assert shop.erp.submitted == int(arrived)


@pytest.mark.rule("WA-2d", "OI-1")
def test_order_that_waits_for_the_erp_goes_where_the_mapping_says_when_it_is_written(
    shop: World,
) -> None:
    shop.erp.add_ship_to(a.a_ship_to(sold_to=HARBOUR, ship_to_id=GATE, default=False))
    shop.store.place_order(mill_order(1))
    shop.erp.deny_access()
    shop.import_orders()
    shop.erp.deny_access(False)
    moved = (ASSIGNMENTS[0], Assignment(HARBOUR, organisation=MILL_ORG))
    assert fares(planned(shop, assignments=moved)) == {
        "W-1": ("into account C-2002", "into account C-1001")
    }
    shop.remap(assignments=moved)
    next_cycle(shop)
    assert sold_to(shop, 1) == [HARBOUR]


# What is withdrawn goes first.


def one_at_a_time(make_world: MakeWorld) -> World:
    """A store that takes one change in a call, so that the order of all is seen."""
    clock = ManualClock()
    store = MemoryStore(clock=clock, capabilities=StoreCapabilities(name="memory", batch=1))
    fill_store(store)
    return make_world(clock=clock, store=store, script=Script())


@pytest.mark.rule("WA-8", "MI-1")
@pytest.mark.parametrize("flow", ["accounts", "ship_tos", "prices", "invoices"])
def test_run_that_stops_after_its_first_write_has_withdrawn_and_added_nothing(
    make_world: MakeWorld, flow: str
) -> None:
    """C-1001 comes before C-2002, and C-2002 is the one that may not be seen any more."""
    shop = one_at_a_time(make_world)
    shop.remap(assignments=ASSIGNMENTS[1:])
    shop.cycle()
    shop.remap(assignments=ASSIGNMENTS[:1])
    shop.progress = lambda step, done, total: "writing" in step
    assert shop.run(flow).outcome == "cancelled"

    shown = shop.shown()
    owners = {
        "accounts": set(shown["accounts"]),
        "ship_tos": {owner for owner, _ in shown["ship_tos"]},
        "prices": {CustomerId(key.audience.key) for key in shown["prices"] if key.audience.key},
        "invoices": {owner for owner, _ in shown["invoices"]},
    }
    assert not owners[flow] & {HARBOUR, MILL}


@pytest.mark.rule("WA-8", "TL-3")
def test_company_that_changes_over_is_never_seen_to_act_for_both_accounts(
    make_world: MakeWorld,
) -> None:
    """C-2002 keeps another company, so it stays, and loses one of the two."""
    shop = one_at_a_time(make_world)
    other = OrganisationId("org-56")
    shop.store.add_organisation(a.an_organisation(organisation=other, name="Saw Mill"))
    user = WebUserId("u-9900")
    member = (Membership(other, Role.ORDER),)
    shop.store.add_user(a.a_web_user(web_user=user, memberships=member, verified_email=None))
    saw = Person(user, other)
    shop.remap(assignments=(*ASSIGNMENTS, Assignment(MILL, organisation=other)))
    shop.cycle()
    assert sight(shop, saw).customer_id == MILL

    shop.remap(assignments=(*ASSIGNMENTS, Assignment(HARBOUR, organisation=other)))
    seen: list[Sequence[object]] = []

    def look(step: str, done: int, total: int | None) -> bool:
        if "writing" in step:
            seen.append((sight(shop, saw).customer_id, sight(shop, BO).customer_id))
        return False

    shop.progress = look
    shop.run("accounts")
    assert seen == [(None, MILL), (HARBOUR, MILL)]


@pytest.mark.rule("WA-8", "WA-6", "MI-1")
def test_whole_cycle_withdraws_invoices_and_prices_before_it_adds_anything(
    make_world: MakeWorld,
) -> None:
    shop = one_at_a_time(make_world)
    shop.remap(assignments=ASSIGNMENTS[1:])
    shop.cycle()
    shop.remap(assignments=ASSIGNMENTS[:1])
    written = next_cycle(shop)
    assert written[0] == "withdraw_account"
    assert written.count("withdraw_account") == 1
    mirrored = {"put_accounts", "apply_ship_tos", "apply_price_rows", "apply_invoices"}
    assert mirrored <= {*written[1:]}
    assert sight(shop, BO) == NOTHING
    assert sight(shop, ADA).invoices == {"INV-5001"}


# The ERP is away just when it matters.


@pytest.mark.rule("WA-8", "VE-7", "OP-1")
def test_corrected_mapping_takes_sight_away_while_the_erp_answers_nonsense(
    shop: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table is gone, a record cannot be understood: the mapping is our own word all the same."""
    shop.remap(assignments=(ASSIGNMENTS[0], Assignment(HARBOUR, organisation=MILL_ORG)))
    shop.cycle()
    assert sight(shop, BO).invoices == {"INV-5001"}
    shop.remap(assignments=ASSIGNMENTS)

    def nonsense(*_: object) -> None:
        raise Misconfigured("the ERP has no table accounts (42P01)")

    for name in ("feed_now", "accounts", "changed_customers", "locations"):
        monkeypatch.setattr(shop.erp, name, nonsense)
    assert shop.run("accounts").outcome == "failed"
    assert sight(shop, BO) == NOTHING


@pytest.mark.rule("WA-8", "VE-7", "OP-1")
@pytest.mark.parametrize("refused", [False, True])
def test_corrected_mapping_takes_sight_away_while_the_erp_is_away(
    shop: World, refused: bool
) -> None:
    """Its login is refused, or it does not answer; the mapping is our own word."""
    wrong = (ASSIGNMENTS[0], Assignment(HARBOUR, organisation=MILL_ORG))
    shop.remap(assignments=wrong)
    shop.cycle()
    assert sight(shop, BO).invoices == {"INV-5001"}
    before = sight(shop, ADA)

    shop.remap(assignments=ASSIGNMENTS)
    assert shop.script is not None
    if refused:
        shop.erp.deny_access()
    else:
        for at in range(1, 40):
            shop.script.lost_request("erp.feed_now", at=shop.script.count("erp.feed_now") + at)
    result = shop.run("accounts")

    assert result.outcome == ("failed" if refused else "try_later")
    assert result.counts["changed"] == 1
    assert any("could not be read" in each for each in result.remarks)
    assert sight(shop, BO) == NOTHING
    seen = sight(shop, ADA)
    assert (seen.invoices, seen.ship_tos) == (before.invoices, before.ship_tos)

    shop.erp.deny_access(False)
    shop.script = Script()
    next_cycle(shop)
    assert sight(shop, BO).invoices == {"INV-6001"}


@pytest.mark.rule("WA-8", "OP-1", "MI-2")
def test_account_that_nobody_is_mapped_to_leaves_while_the_erp_is_away_and_others_stay(
    shop: World,
) -> None:
    shop.cycle()
    shop.erp.deny_access()
    shop.run("accounts")
    assert set(shop.shown()["accounts"]) == {HARBOUR, MILL}, "an ERP that is away is not empty"

    shop.remap(assignments=ASSIGNMENTS[:1])
    shop.run("accounts")
    assert sight(shop, BO) == NOTHING
    assert dict(shop.store.shown_invoices([MILL])) == {}
    assert sight(shop, ADA).invoices == {"INV-5001"}
    writes = shop.store.writes
    shop.run("accounts")
    assert shop.store.writes == writes


@pytest.mark.rule("MI-3", "OP-1")
def test_guard_rails_hold_also_while_the_erp_is_away(shop: World) -> None:
    shop.cycle()
    shop.limits = STRICT
    shop.erp.deny_access()
    shop.remap(assignments=ASSIGNMENTS[:1])
    result = shop.run("accounts")
    assert (result.outcome, sight(shop, BO).invoices) == ("refused", {"INV-6001"})

    assert result.plan_id is not None
    shop.confirm(result.plan_id)
    shop.run("accounts")
    assert sight(shop, BO) == NOTHING
