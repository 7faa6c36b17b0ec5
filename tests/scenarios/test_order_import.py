"""How good orders get into the ERP, and what the store shows of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from sync.domain.account import AccountStatus
from sync.domain.address import TypedAddress
from sync.domain.ids import ErpOrderNumber, IdempotencyKey, LocationId, Sku, WebUserId
from sync.domain.mapping import OnDifference
from sync.domain.order import (
    Approval,
    Buyer,
    Membership,
    OrderState,
    Payment,
    PaymentState,
    SelectedShipTo,
    WebOrder,
)
from sync.domain.sales_order import (
    ErpOrderState,
    OneOffShipTo,
    OnFileBillTo,
    OnFileShipTo,
    OrderStatus,
    PayBy,
    SalesOrderPayment,
)
from sync.domain.views import ImportNotice, ImportState
from sync.ports.state import LedgerState
from sync.testing import builders as a
from sync.testing.clock import ManualClock
from sync.testing.erp import MEMORY_CAPABILITIES, MemoryErp
from sync.testing.store import MemoryStore
from tests.scenarios.world import (
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
    MakeWorld,
    World,
    fill_erp,
    fill_store,
    guest_order,
    harbour_order,
    mill_order,
    order_id,
    placed_at,
)


class ErpWithoutStatuses(MemoryErp):
    """Its staff deleted the orders."""

    def order_statuses(
        self, keys: Collection[IdempotencyKey]
    ) -> Mapping[IdempotencyKey, OrderStatus]:
        return {}


@pytest.mark.rule("WA-3", "WA-3a", "WA-5")
def test_guest_order_goes_into_the_retail_group_with_its_typed_address(world: World) -> None:
    world.store.place_order(guest_order())
    result = world.import_orders()

    (row,) = world.in_erp()
    assert (row.order.sold_to, row.order.retail) == (RETAIL, True)
    assert row.order.ship_to == OneOffShipTo(a.a_typed_address().completed())
    assert row.order.payments == (
        SalesOrderPayment(PayBy.CARD, "CARD", a.money("99.90"), "pay_123"),
    )
    assert world.erp.ship_tos([RETAIL]) == []
    assert result.counts["imported_retail"] == 1
    assert "imported_wholesale" not in result.counts


@pytest.mark.rule("WA-3", "WA-4", "WA-5", "TL-2")
def test_wholesale_order_goes_into_its_own_account_to_the_selected_ship_to(world: World) -> None:
    world.store.place_order(harbour_order())
    world.import_orders()

    (row,) = world.in_erp()
    assert (row.order.sold_to, row.order.retail) == (HARBOUR, False)
    assert row.order.ship_to == OnFileShipTo(DOCK)
    assert row.order.terms == "NET30"
    assert row.order.payments == (SalesOrderPayment(PayBy.TERMS, "TERMS", a.money("99.90")),)


@pytest.mark.rule("WA-4")
def test_wholesale_order_ships_to_a_typed_address_where_the_policy_allows_it(world: World) -> None:
    world.store.place_order(harbour_order(ship_to=a.a_typed_address()))
    world.import_orders()

    (row,) = world.in_erp()
    assert row.order.sold_to == HARBOUR
    assert row.order.ship_to == OneOffShipTo(a.a_typed_address().completed())


@pytest.mark.rule("WA-11")
def test_typed_address_names_the_default_ship_to_where_the_erp_insists_on_one(
    make_world: MakeWorld,
) -> None:
    picky = replace(MEMORY_CAPABILITIES, needs_ship_to_id=True)
    world = make_world(capabilities=picky)
    world.store.place_order(harbour_order(ship_to=a.a_typed_address()))
    world.import_orders()

    (row,) = world.in_erp()
    assert row.order.ship_to == OneOffShipTo(a.a_typed_address().completed(), under=DOCK)


@pytest.mark.rule("TL-3")
def test_everything_follows_the_organisation_in_which_the_order_was_placed(world: World) -> None:
    both = (Membership(HARBOUR_ORG), Membership(MILL_ORG))
    world.store.add_user(a.a_web_user(memberships=both))
    world.store.place_order(harbour_order(1))
    world.store.place_order(
        mill_order(2, buyer=replace(mill_order().buyer, web_user=HARBOUR_BUYER))
    )
    world.import_orders()

    assert [row.order.sold_to for row in world.erp.orders] == [HARBOUR, MILL]
    assert {row.order.web_user for row in world.erp.orders} == {HARBOUR_BUYER}


@pytest.mark.rule("OI-1", "OI-7", "OI-9")
def test_every_part_of_the_order_arrives(world: World) -> None:
    world.erp.add_location(a.a_location())
    world.erp.add_item(a.an_item(sku=Sku("KIT-1"), kit=True))
    order = a.a_full_web_order(payments=(Payment("on_account"),), priced_for=None)
    world.erp.add_item(a.an_item(whole_units_only=False))
    world.store.place_order(order)
    result = world.import_orders()

    assert result.counts["imported"] == 1
    (row,) = world.erp.orders
    sent = row.order
    typed = order.ship_to
    assert isinstance(typed, TypedAddress)
    assert sent.ship_to == OneOffShipTo(typed.completed())
    assert sent.bill_to == OnFileBillTo(a.BILL_TO)
    first, kit = sent.lines
    assert (first.sku, first.quantity, first.unit, first.stock_quantity) == (
        a.SKU,
        Decimal("2.500"),
        "BOX",
        Decimal(30),
    )
    assert (first.unit_price, first.discount) == (a.money("99.9900"), a.money("6.00"))
    assert first.net.amount == Decimal("243.975")
    assert first.customer_part_number == "HH-0042"
    assert first.note is not None
    assert "Galvanised only" in first.note
    assert (kit.sku, kit.quantity, kit.unit_price) == (
        Sku("KIT-1"),
        Decimal(1),
        a.money("40.0000"),
    )
    assert [(each.code, each.amount) for each in sent.charges] == [
        ("DHL", a.money("7.50")),
        ("SMALL", a.money("1.00")),
        ("PALLET", a.money("10.00")),
    ]
    assert [(each.code, each.amount) for each in sent.discounts] == [("WELCOME", a.money("10.00"))]
    assert [(each.code, each.amount, each.rate) for each in sent.taxes] == [
        ("VAT-LOW", a.money("0.885"), Decimal("0.09")),
        ("NONE", a.money("0.00"), None),
    ]
    assert [(each.code, each.amount) for each in sent.adjustments] == [
        ("rounding", a.money("0.000"))
    ]
    assert (sent.total, sent.currency) == (order.total, "EUR")
    assert (sent.po_number, sent.requested_on) == ("PO 4711/A", order.requested_date)
    assert order.notes is not None
    assert order.notes in sent.notes
    assert (sent.ship_complete, sent.ship_via, sent.collect_account) == (True, "express", "X-55")
    assert (sent.phone, sent.email) == ("+31 10 555 0100", "ada@harbour.example")
    assert (sent.web_user, sent.organisation) == (HARBOUR_BUYER, HARBOUR_ORG)
    assert sent.location == LocationId("SITE-1")
    assert (sent.web_number, sent.web_order, sent.channel) == (
        order.number,
        order.order_id,
        order.channel,
    )


@pytest.mark.rule("OI-1")
def test_price_other_than_the_erps_is_charged_as_seen_and_flagged(world: World) -> None:
    lines = (a.a_line(unit_price=a.money("8.0000")),)
    world.store.place_order(harbour_order(lines=lines, total=a.money("80.00")))
    result = world.import_orders()

    (row,) = world.in_erp()
    assert row.order.lines[0].unit_price == a.money("8.0000")
    assert row.order.flags
    assert result.counts["flagged"] == 1


@pytest.mark.rule("OI-1")
def test_price_other_than_the_erps_holds_the_order_where_so_configured(world: World) -> None:
    policy = replace(world.mapping.default_policy, on_price_difference=OnDifference.HOLD)
    world.remap(default_policy=policy)
    lines = (a.a_line(unit_price=a.money("8.0000")),)
    world.store.place_order(harbour_order(lines=lines, total=a.money("80.00")))
    world.import_orders()

    assert not world.in_erp()
    assert world.codes() == {"price_differs"}


@pytest.mark.rule("WA-2d")
def test_account_and_the_rule_that_chose_it_are_stamped_into_the_ledger(world: World) -> None:
    world.store.place_order(harbour_order(1))
    world.store.place_order(guest_order(2))
    world.import_orders()

    wholesale, retail = world.entry(1).decision, world.entry(2).decision
    assert wholesale is not None
    assert (wholesale.customer_id, wholesale.retail) == (HARBOUR, False)
    assert "customers.csv:2" in wholesale.rule
    assert wholesale.mapping_version == "v1"
    assert wholesale.decided_at == world.clock.now()
    assert retail is not None
    assert (retail.customer_id, retail.retail) == (RETAIL, True)


@pytest.mark.rule("WA-13", "OI-3")
def test_store_shows_the_erp_order_number_after_the_import(world: World) -> None:
    world.store.place_order(harbour_order())
    result = world.import_orders()

    assert world.store.notice(order_id(1)) == ImportNotice(
        ImportState.PROCESSED, ErpOrderNumber("SO-1")
    )
    assert world.state_of() is LedgerState.ACKNOWLEDGED
    assert result.counts["shown"] == 1


@pytest.mark.rule("WA-13")
def test_store_shows_pending_while_the_order_waits_and_says_for_what(world: World) -> None:
    world.store.place_order(guest_order(state=OrderState.HELD))
    world.import_orders()

    notice = world.store.notice(order_id(1))
    assert notice is not None
    assert notice.state is ImportState.PENDING
    assert notice.message == "The order is held in the store."


@pytest.mark.rule("OI-3", "WA-13")
def test_number_that_the_erp_gives_later_reaches_the_store_when_it_is_there(
    make_world: MakeWorld,
) -> None:
    slow = replace(MEMORY_CAPABILITIES, number_follows=True)
    world = make_world(capabilities=slow)
    world.store.place_order(harbour_order())
    world.import_orders()
    assert world.store.notice(order_id(1)) == ImportNotice(ImportState.PROCESSING)

    world.run("order_status")

    assert world.store.notice(order_id(1)) == ImportNotice(
        ImportState.PROCESSED, ErpOrderNumber("SO-1")
    )
    assert world.state_of() is LedgerState.ACKNOWLEDGED


@pytest.mark.rule("OI-3")
def test_what_the_erp_does_with_the_order_is_shown_at_it_once(world: World) -> None:
    world.store.place_order(harbour_order())
    world.cycle()
    world.erp.set_order_status(world.entry().key, a.an_order_status())

    result = world.run("order_status")
    shown = world.store.notices_shown
    again = world.run("order_status")

    assert world.store.shown_order_statuses([order_id(1)]) == {order_id(1): a.an_order_status()}
    assert result.counts["status_shown"] == 1
    assert result.samples == ["W-1: partly shipped"]
    assert again.writes == 0
    assert world.store.notices_shown == shown


@pytest.mark.rule("OI-3", "WA-13")
def test_order_that_the_erp_refuses_afterwards_is_shown_as_aborted_and_can_be_sent_again(
    world: World,
) -> None:
    world.store.place_order(harbour_order())
    world.import_orders()
    refused = OrderStatus(
        ErpOrderState.REFUSED, ErpOrderNumber("SO-1"), message="the customer is over the limit"
    )
    world.erp.set_order_status(world.entry().key, refused)
    result = world.run("order_status")

    notice = world.store.notice(order_id(1))
    assert notice is not None
    assert notice.state is ImportState.ABORTED
    assert "the customer is over the limit" in (notice.message or "")
    assert world.codes() == {"erp_refused"}
    assert result.counts["quarantined"] == 1
    told = "The ERP took the order and refused it later: the customer is over the limit"
    assert result.remarks == [f"W-1 quarantined: {told}"]

    world.replay()
    world.import_orders()

    assert len(world.in_erp()) == 1


@pytest.mark.rule("OI-3")
def test_order_that_the_erp_no_longer_finds_is_told_and_never_taken_for_cancelled(
    make_world: MakeWorld,
) -> None:
    clock = ManualClock()
    erp = ErpWithoutStatuses(clock)
    fill_erp(erp)
    world = make_world(clock=clock, erp=erp)
    world.store.place_order(harbour_order())
    world.import_orders()
    before = world.entry().status
    result = world.run("order_status")

    assert result.counts["not_in_erp"] == 1
    assert result.remarks == ["The ERP no longer finds W-1, its order SO-1."]
    assert world.entry().status == before
    assert world.state_of() is LedgerState.ACKNOWLEDGED


@pytest.mark.rule("WA-5", "OI-5")
def test_order_waits_for_its_payment_and_is_imported_once_it_is_authorised(world: World) -> None:
    pending = (a.a_card_payment(state=PaymentState.PENDING),)
    world.store.place_order(guest_order(payments=pending, state=OrderState.AWAITING_PAYMENT))
    world.import_orders()
    assert world.state_of() is LedgerState.WAITING
    assert world.entry().waiting_for == "payment_pending"

    world.edit(payments=(a.a_card_payment(),), state=OrderState.AWAITING_FULFILMENT)
    world.import_orders()

    assert len(world.in_erp()) == 1


@pytest.mark.rule("VE-11", "WA-5")
def test_order_on_account_terms_does_not_wait_for_a_payment(world: World) -> None:
    world.store.place_order(harbour_order(state=OrderState.AWAITING_PAYMENT))
    world.import_orders()
    assert len(world.in_erp()) == 1


@pytest.mark.rule("VE-4")
def test_order_that_needs_approval_waits_until_it_is_given(world: World) -> None:
    world.store.place_order(harbour_order(1, approval=Approval.PENDING))
    world.store.place_order(mill_order(2, approval=Approval.PENDING))
    world.import_orders()
    assert world.entry(1).waiting_for == world.entry(2).waiting_for == "approval_pending"

    world.edit(1, approval=Approval.APPROVED)
    world.edit(2, approval=Approval.REFUSED)
    world.import_orders()

    assert len(world.in_erp(1)) == 1
    assert not world.in_erp(2)
    assert world.state_of(2) is LedgerState.CLOSED


@pytest.mark.rule("VE-11")
@pytest.mark.parametrize("state", [OrderState.CANCELLED, OrderState.REFUNDED])
def test_order_that_ended_before_its_import_is_closed_and_not_in_quarantine(
    world: World, state: OrderState
) -> None:
    world.store.place_order(guest_order(state=OrderState.HELD))
    world.import_orders()
    world.edit(state=state)
    result = world.import_orders()

    assert world.state_of() is LedgerState.CLOSED
    assert result.counts["closed"] == 1
    assert not world.erp.orders


@pytest.mark.rule("VE-3")
def test_account_is_judged_by_its_status_when_the_order_is_about_to_be_written(
    world: World,
) -> None:
    world.store.place_order(harbour_order(state=OrderState.HELD))
    world.import_orders()
    world.erp.change_account(HARBOUR, status=AccountStatus.SUSPENDED)
    world.edit(state=OrderState.AWAITING_FULFILMENT)
    world.import_orders()

    assert world.codes() == {"account_not_active"}
    assert not world.erp.orders


@pytest.mark.rule("WA-9")
def test_each_order_keeps_the_user_who_placed_it(world: World) -> None:
    colleague = WebUserId("u-7720")
    world.store.add_user(a.a_web_user(web_user=colleague, verified_email=None))
    world.store.place_order(harbour_order(1))
    world.store.place_order(harbour_order(2, buyer=a.a_wholesale_buyer(web_user=colleague)))
    world.store.place_order(mill_order(3))
    world.cycle()
    world.cycle()

    users = {row.order.web_order.value: row.order.web_user for row in world.erp.orders}
    assert users == {"order-1": HARBOUR_BUYER, "order-2": colleague, "order-3": MILL_BUYER}
    for number, user in ((1, HARBOUR_BUYER), (2, colleague), (3, MILL_BUYER)):
        kept = world.store.order(order_id(number))
        assert isinstance(kept, WebOrder)
        assert kept.buyer.web_user == user


@pytest.mark.rule("WA-2e")
def test_typed_e_mail_address_of_a_company_makes_nobody_wholesale(world: World) -> None:
    world.store.place_order(guest_order(buyer=Buyer(email="buying@harbour.example")))
    world.import_orders()
    assert [row.order.sold_to for row in world.erp.orders] == [RETAIL]


@pytest.mark.rule("OI-1", "OP-1")
def test_nothing_is_read_or_written_twice_when_nothing_happens(world: World) -> None:
    for number, make in enumerate((harbour_order, guest_order, mill_order), start=1):
        world.store.place_order(make(number))
    world.import_orders()
    shown = world.store.notices_shown
    for _ in range(3):
        world.clock.advance(3600)
        result = world.import_orders()
        assert (result.outcome, result.writes) == ("ok", 0)

    assert world.erp.submitted == 3
    assert world.store.notices_shown == shown


@pytest.mark.rule("OI-1")
def test_store_that_counts_our_own_notice_as_a_change_is_not_answered_for_ever(
    make_world: MakeWorld,
) -> None:
    clock = ManualClock()
    store = MemoryStore(clock=clock, echoes=True)
    fill_store(store)
    world = make_world(clock=clock, store=store)
    world.store.place_order(harbour_order())
    world.import_orders()
    for _ in range(3):
        world.clock.advance(60)
        assert world.import_orders().writes == 0
    assert world.erp.submitted == 1


@pytest.mark.rule("OI-1")
def test_orders_go_in_by_the_time_of_their_placing(world: World) -> None:
    for number in (3, 1, 2):
        changed = world.clock.now() - timedelta(minutes=number)
        world.store.place_order(harbour_order(number, modified_at=changed))
    world.import_orders()
    assert [row.order.web_number.value for row in world.erp.orders] == ["W-1", "W-2", "W-3"]


@pytest.mark.rule("OI-9")
def test_order_day_is_that_of_the_erps_calendar(make_world: MakeWorld) -> None:
    far = replace(MEMORY_CAPABILITIES, time_zone="Pacific/Auckland")
    world = make_world(capabilities=far)
    late = datetime(2025, 3, 2, 20, 0, tzinfo=UTC)
    world.store.place_order(harbour_order(placed_at=late))
    world.import_orders()
    (row,) = world.in_erp()
    assert (row.order.ordered_on.day, row.order.ordered_at) == (3, late)


@pytest.mark.rule("WA-4")
def test_ship_to_of_another_account_is_never_used(world: World) -> None:
    world.store.place_order(harbour_order(ship_to=SelectedShipTo(GATE)))
    world.import_orders()
    assert world.codes() == {"ship_to_not_of_account"}


# Runs for a part of the orders.


@pytest.mark.rule("OP-2")
def test_run_for_one_channel_reads_no_other_and_the_next_run_misses_nothing(world: World) -> None:
    world.store.place_order(harbour_order(1, channel=TRADE))
    world.store.place_order(mill_order(2))
    world.run("orders", channel=TRADE.value)
    assert [row.order.channel for row in world.erp.orders] == [TRADE]

    world.import_orders()
    assert len(world.in_erp(2)) == 1


@pytest.mark.rule("OP-2")
def test_run_for_a_stretch_of_time_reads_what_changed_within_it(world: World) -> None:
    for number in (10, 20, 30):
        world.store.place_order(guest_order(number))
    world.run("orders", since=placed_at(15), until=placed_at(25))
    assert [row.order.web_number.value for row in world.erp.orders] == ["W-20"]

    world.import_orders()
    assert len(world.erp.orders) == 3


@pytest.mark.rule("OP-2", "OI-1")
def test_reading_everything_again_from_long_ago_imports_nothing_twice(world: World) -> None:
    for number in (10, 20, 30):
        world.store.place_order(guest_order(number))
    world.import_orders()
    world.clock.advance(30 * 86400)
    result = world.run("orders", since=placed_at(0))
    assert (result.outcome, result.writes) == ("ok", 0)
    assert world.erp.submitted == 3


@pytest.mark.rule("OP-1", "OI-2")
def test_order_that_the_store_commits_a_little_late_is_not_missed(world: World) -> None:
    world.store.place_order(guest_order(1, modified_at=world.clock.now()))
    world.import_orders()
    late = world.clock.now() - timedelta(seconds=world.store.capabilities.overlap_s / 2)
    world.clock.advance(60)
    world.store.place_order(guest_order(2, modified_at=late))
    world.import_orders()
    assert len(world.in_erp(2)) == 1
