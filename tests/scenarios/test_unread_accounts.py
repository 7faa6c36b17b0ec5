"""One account that the ERP cannot read keeps no other from being served (MI-1, OI-2, OP-1)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

import pytest

from sync.domain.channel import RetailGroup
from sync.domain.ids import CustomerId, InvoiceNumber, OrganisationId, ShipToId, WebUserId
from sync.domain.mapping import Assignment
from sync.domain.order import Buyer, Membership, Role, SelectedShipTo, WebOrder
from sync.domain.pricing import PriceScope
from sync.errors import BrokenRead, LeftAlone, NobodyAnswers, Rejected, SyncError, TryLater
from sync.flows.apart import PROBES
from sync.flows.context import Limits
from sync.flows.retrying import Patience
from sync.ports.erp import Feed
from sync.ports.state import LedgerState
from sync.systems import SystemWatch, guarded
from sync.testing import builders as a
from sync.testing.clock import ManualClock
from sync.testing.erp import MEMORY_CAPABILITIES
from sync.testing.together import GROUPING_CAPABILITIES, BatchStore, GroupingErp
from tests.scenarios.world import (
    ASSIGNMENTS,
    FUSE,
    GASKET,
    HARBOUR,
    MILL,
    WEB,
    MakeWorld,
    World,
    a_channel,
    a_mapping,
    fill_erp,
    fill_store,
    guest_order,
    harbour_order,
    mill_order,
)

MANY = 12
READS = (
    *("accounts", "locations", "ship_tos", "bill_tos", "invoices", "balances"),
    *("account_orders", "customer_parts", "documents"),
)
FLOWS = (
    *("accounts", "ship_tos", "invoices", "balances"),
    *("account_orders", "customer_parts", "documents"),
)
DAY = 86400.0


def broken(asked: CustomerId | PriceScope) -> SyncError:
    return TryLater(f"reading {asked} took too long (57014)")


def wrong(asked: CustomerId | PriceScope) -> SyncError:
    return BrokenRead(f"a read met: value does not fit (8114), {asked}")


def refused(asked: CustomerId | PriceScope) -> SyncError:
    return Rejected(f"no {asked}", code="erp", remedy="see there")


class Erp(GroupingErp):
    """It fails at every question that one of the ``odd`` accounts is part of."""

    def __init__(self, clock: ManualClock, capabilities: Any = MEMORY_CAPABILITIES) -> None:
        super().__init__(clock, capabilities)
        self.odd: set[CustomerId] = set()
        self.away = False
        self.how: Callable[[CustomerId], SyncError] = broken
        self.fails_at = set(READS)
        self.asked = 0


def _failing(name: str) -> Callable[..., Any]:
    def read(self: Erp, customer_ids: Collection[CustomerId]) -> Any:
        self.asked += 1
        if self.away:
            raise TryLater("nobody answers")
        if name in self.fails_at:
            for each in customer_ids:
                if each in self.odd:
                    raise self.how(each)
        return getattr(super(Erp, self), name)(customer_ids)

    return read


for _name in READS:
    setattr(Erp, _name, _failing(_name))


def company(number: int) -> tuple[CustomerId, OrganisationId, WebUserId]:
    return (
        CustomerId(f"C-9{number:03}"),
        OrganisationId(f"org-9{number:03}"),
        WebUserId(f"u-9{number:03}"),
    )


def order_of(number: int, companies: int | None = None) -> WebOrder:
    """An order of the company of that number, to its own gate."""
    _, organisation, user = company(number if companies is None else companies)
    buyer = Buyer(web_user=user, signed_in=True, organisation=organisation)
    return mill_order(number, buyer=buyer, ship_to=SelectedShipTo(ShipToId("GATE")))


def build(
    make_world: MakeWorld,
    capabilities: Any = MEMORY_CAPABILITIES,
    erp_kind: type[Erp] | None = None,
) -> World:
    """Many companies besides the two, with a record of each kind."""
    clock = ManualClock()
    erp = (erp_kind or Erp)(clock, capabilities)
    store = BatchStore(clock=clock)
    fill_erp(erp)
    fill_store(store)
    assignments = list(ASSIGNMENTS)
    for number in range(1, MANY + 1):
        customer_id, organisation, user = company(number)
        gate = ShipToId("GATE")
        erp.add_account(
            a.an_account(customer_id=customer_id, name=f"Company {number}", default_ship_to=gate)
        )
        erp.add_ship_to(a.a_ship_to(sold_to=customer_id, ship_to_id=gate))
        erp.add_invoice(a.an_invoice(sold_to=customer_id, number=InvoiceNumber(f"N-{number}")))
        erp.set_balance(a.a_balance(sold_to=customer_id))
        erp.set_account_order(a.an_account_order(f"8{number:03}", sold_to=customer_id))
        erp.add_customer_part(a.a_customer_part(sold_to=customer_id))
        store.add_organisation(a.an_organisation(organisation=organisation, name=f"N{number}"))
        store.add_user(
            a.a_web_user(
                web_user=user,
                memberships=(Membership(organisation, Role.ORDER),),
                verified_email=f"n{number}@mill.example",
            )
        )
        assignments.append(Assignment(customer_id, organisation=organisation))
    mapping = a_mapping(assignments=tuple(assignments))
    return make_world(clock=clock, erp=erp, store=store, mapping=mapping)


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    return build(make_world)


def erp_of(world: World) -> Erp:
    assert isinstance(world.erp, Erp)
    return world.erp


def attempts_of(world: World, number: int) -> int:
    return world.entry(number).attempts


ODD = company(1)[0]
OTHER = company(2)[0]


# Mirrors.


def lose_records(world: World, customer_id: CustomerId) -> None:
    """Every record of that account changes or vanishes in the ERP."""
    erp = world.erp
    erp.change_account(customer_id, terms="NET99")
    erp.remove_ship_to(customer_id, ShipToId("GATE"))
    erp.add_ship_to(a.a_ship_to(sold_to=customer_id, ship_to_id=ShipToId("YARD")))
    erp.add_invoice(a.an_invoice(sold_to=customer_id, number=InvoiceNumber("NEW-1")))
    erp.set_balance(a.a_balance("77.00", sold_to=customer_id))


def records_of(world: World, customer_id: CustomerId) -> dict[str, Any]:
    store = world.store
    ids = [customer_id]
    return {
        "accounts": store.shown_accounts(ids),
        "ship_tos": store.shown_ship_tos(ids),
        "invoices": store.shown_invoices(ids),
        "balances": store.shown_balances(ids),
        "account_orders": store.shown_account_orders(ids),
        "customer_parts": store.shown_customer_parts(ids),
        "documents": store.shown_documents(ids),
    }


@pytest.mark.rule("MI-1", "MI-3", "OP-1")
@pytest.mark.parametrize("how", [broken, wrong, refused])
@pytest.mark.parametrize("at", [1, 2, MANY])
def test_all_but_the_account_that_cannot_be_read_are_mirrored(
    world: World, at: int, how: Callable[[CustomerId], SyncError]
) -> None:
    world.cycle()
    world.clock.advance(2 * DAY)
    odd = company(at)[0]
    other = company(3)[0]
    before = records_of(world, odd)
    lose_records(world, odd)
    lose_records(world, other)
    erp_of(world).odd = {odd}
    erp_of(world).how = how
    results = {flow: world.run(flow) for flow in FLOWS}

    assert records_of(world, odd) == before
    shown = records_of(world, other)
    assert shown["accounts"][other].terms == "NET99"
    assert {key[1] for key in shown["ship_tos"]} == {ShipToId("YARD")}
    assert (other, InvoiceNumber("NEW-1")) in shown["invoices"]
    assert "77.00" in str(shown["balances"])
    for flow, result in results.items():
        assert result.outcome == "try_later", flow
        assert result.counts["accounts_unread"] == 1
        assert odd.value in result.message
        assert any(odd.value in remark for remark in result.remarks)


@pytest.mark.rule("MI-3", "OP-3")
def test_accounts_that_cannot_be_read_are_kept_however_many_they_are(world: World) -> None:
    world.cycle()
    world.clock.advance(2 * DAY)
    before = world.shown()
    erp_of(world).odd = {company(number)[0] for number in range(1, MANY - 2)}
    for flow in FLOWS:
        result = world.run(flow)
        assert result.outcome == "try_later"
        assert result.counts["accounts_unread"] == MANY - 3
        assert "removed" not in result.counts
    assert world.shown() == before


@pytest.mark.rule("MI-1")
@pytest.mark.parametrize("flow", FLOWS)
def test_an_account_that_cannot_be_read_stands_alone_in_its_read(world: World, flow: str) -> None:
    world.cycle()
    world.clock.advance(2 * DAY)
    world.limits = Limits(accounts_per_read=1)
    erp_of(world).odd = {ODD, OTHER}
    result = world.run(flow)
    assert (result.outcome, result.counts["accounts_unread"]) == ("try_later", 2)


@pytest.mark.rule("OP-1")
@pytest.mark.parametrize("flow", [*FLOWS, "orders"])
def test_an_erp_that_is_away_is_not_asked_for_each_account(world: World, flow: str) -> None:
    world.cycle()
    world.clock.advance(2 * DAY)
    for number in range(1, MANY + 1):
        world.store.place_order(order_of(number))
    before = world.shown()
    erp = erp_of(world)
    erp.away, erp.asked = True, 0
    result = world.run(flow)
    assert result.outcome == "try_later"
    assert "accounts_unread" not in result.counts
    attempts = Patience().attempts
    orders = 2 * attempts if flow == "orders" else 0
    assert erp.asked <= 1 + PROBES + attempts + orders
    assert world.shown() == before


@pytest.mark.rule("OP-1")
@pytest.mark.parametrize("error", [TryLater("busy", 5.0), NobodyAnswers("port closed")])
def test_an_erp_that_says_itself_that_it_is_away_is_asked_nothing_else(
    world: World, error: SyncError
) -> None:
    world.cycle()
    erp = erp_of(world)
    erp.odd, erp.how, erp.asked = {ODD}, lambda _: error, 0
    result = world.run("balances")
    assert (result.outcome, erp.asked) == ("try_later", 1 + Patience().attempts)


@pytest.mark.rule("OP-1")
def test_an_erp_that_goes_away_while_accounts_are_parted_ends_the_run(world: World) -> None:
    world.cycle()
    world.clock.advance(2 * DAY)
    erp = erp_of(world)
    erp.odd = {ODD}
    original = erp.how

    def then_away(customer_id: CustomerId) -> SyncError:
        erp.away = erp.asked > 8
        return original(customer_id)

    erp.how, erp.asked = then_away, 0
    before = world.shown()
    result = world.run("invoices")
    assert result.outcome == "try_later"
    assert "accounts_unread" not in result.counts
    assert erp.asked < 8 + 2 * Patience().attempts + PROBES
    assert world.shown() == before


@pytest.mark.rule("MI-1", "WA-6", "VE-7")
@pytest.mark.parametrize("flow", ["prices", "entitlements", "availability"])
def test_who_may_see_what_is_found_out_for_all_but_the_unread_account(
    world: World, flow: str
) -> None:
    world.cycle()
    world.clock.advance(2 * DAY)
    before = world.shown()
    world.erp.set_price(a.a_price("8.8800", scope=PriceScope.account(MILL)))
    world.erp.set_availability(a.an_availability("77"))
    world.erp.add_item(a.an_item(sku=GASKET, allowed_to=frozenset({MILL, OTHER})))
    erp_of(world).odd = {HARBOUR}
    result = world.run(flow)
    assert result.outcome == "try_later"
    assert result.counts["accounts_unread"] == 1
    assert result.writes > 0
    assert "removed" not in result.counts
    shown = world.shown()
    harbour = a.account_audience(HARBOUR)
    assert {key: price for key, price in shown["prices"].items() if key.audience == harbour} == {
        key: price for key, price in before["prices"].items() if key.audience == harbour
    }
    assert shown["entitlements"][FUSE] == before["entitlements"][FUSE]


@pytest.mark.rule("WA-6", "WA-8", "MI-1")
def test_who_acts_for_an_unread_account_no_longer_loses_sight_of_it_all_the_same(
    world: World,
) -> None:
    world.cycle()
    world.clock.advance(2 * DAY)
    erp_of(world).odd = {ODD, HARBOUR}
    # Nobody is mapped to the one any more, and the other has other people.
    others = [each for each in world.mapping.assignments if each.customer_id not in (ODD, HARBOUR)]
    world.remap(assignments=(*others, Assignment(HARBOUR, organisation=company(1)[1])))
    for flow in FLOWS:
        world.run(flow)
    assert not any(records_of(world, ODD).values())
    shown = world.store.shown_accounts([HARBOUR])[HARBOUR]
    assert {each.value for each in shown.organisations} == {company(1)[1].value}


@pytest.mark.rule("WA-8")
def test_an_unread_account_that_became_a_retail_group_is_withdrawn(world: World) -> None:
    world.cycle()
    erp_of(world).odd = {ODD}
    others = [each for each in world.mapping.assignments if each.customer_id != ODD]
    channel = a_channel(retail_groups=(RetailGroup(ODD, ("EUR",)),))
    world.remap(assignments=tuple(others), channels={**world.mapping.channels, WEB: channel})
    result = world.run("invoices")
    assert result.counts["withdrawn"] == 1
    assert not any(records_of(world, ODD).values())


@pytest.mark.rule("MI-2")
def test_what_changed_of_an_unread_account_is_not_passed_over(world: World) -> None:
    world.cycle()
    world.clock.advance(3600)
    erp = erp_of(world)
    assert Feed.INVOICES in erp.capabilities.change_feeds
    erp.add_invoice(a.an_invoice(sold_to=ODD, number=InvoiceNumber("NEW-1")))
    erp.add_invoice(a.an_invoice(sold_to=OTHER, number=InvoiceNumber("NEW-2")))
    erp.odd = {ODD}
    assert world.run("invoices").outcome == "try_later"
    assert (OTHER, InvoiceNumber("NEW-2")) in world.store.shown_invoices([OTHER])
    world.clock.advance(3600)
    world.run("invoices")
    erp.odd = set()
    world.clock.advance(3600)
    assert world.run("invoices").outcome == "ok"
    assert (ODD, InvoiceNumber("NEW-1")) in world.store.shown_invoices([ODD])


class Counting(Erp):
    """Notes for whom it was asked."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.of: set[CustomerId] = set()


def _noting(name: str) -> Callable[..., Any]:
    def read(self: Counting, customer_ids: Collection[CustomerId]) -> Any:
        self.of.update(customer_ids)
        return getattr(super(Counting, self), name)(customer_ids)

    return read


FED = {"accounts": "locations", "ship_tos": "ship_tos", "invoices": "invoices"}
"""Flows with a feed, each with a read of nobody but those that it looks at."""

for _name in FED.values():
    setattr(Counting, _name, _noting(_name))


@pytest.mark.rule("MI-2", "OP-1")
@pytest.mark.parametrize("flow", FED)
def test_an_account_that_can_never_be_read_makes_no_run_look_at_all_others(
    make_world: MakeWorld, flow: str
) -> None:
    """Once a day everything is looked at, and in between who was touched, and that one."""
    world = build(make_world, erp_kind=Counting)
    erp = world.erp
    assert isinstance(erp, Counting)
    erp.fails_at = {FED[flow]}
    erp.odd = {ODD}
    assert world.run(flow).outcome == "try_later"
    whole = set(erp.of)
    for day in range(2):
        for hour in range(24):
            erp.of.clear()
            world.clock.advance(3600)
            result = world.run(flow)
            assert result.counts["accounts_unread"] == 1
            if (day, hour) == (0, 0):
                # What was entered within the overlap is read once more.
                continue
            if hour == 23:
                assert erp.of == whole
            else:
                # One other is asked for to see whether the ERP is there.
                assert ODD in erp.of
                assert len(erp.of) <= 1 + PROBES


@pytest.mark.rule("MI-2")
@pytest.mark.parametrize("flow", FED)
def test_an_account_that_could_not_be_read_is_looked_at_although_nothing_touches_it(
    make_world: MakeWorld, flow: str
) -> None:
    world = build(make_world)
    erp = erp_of(world)
    world.clock.advance(3600)
    erp.odd = {ODD, OTHER}
    world.run(flow)
    world.clock.advance(3600)
    erp.odd = {OTHER}
    assert world.run(flow).counts["accounts_unread"] == 1
    assert records_of(world, ODD)[flow]
    assert not records_of(world, OTHER)[flow]
    world.clock.advance(3600)
    erp.odd = set()
    assert world.run(flow).outcome == "ok"
    assert records_of(world, OTHER)[flow]
    with world.state.transaction() as state:
        assert not state.watermarks.beneath(f"{flow}:unread:")


# Orders.

KINDS = {
    "in groups": GROUPING_CAPABILITIES,
    "one by one": MEMORY_CAPABILITIES,
    "without hands": replace(MEMORY_CAPABILITIES, unique_external_key=False),
}


@pytest.fixture(params=KINDS)
def selling(request: pytest.FixtureRequest, make_world: MakeWorld) -> World:
    return build(make_world, KINDS[request.param])


@pytest.mark.rule("OI-2", "OP-1")
@pytest.mark.parametrize("how", [broken, wrong])
@pytest.mark.parametrize("first", [True, False])
def test_orders_of_an_unread_account_wait_and_all_others_are_imported_in_the_same_run(
    selling: World, first: bool, how: Callable[[CustomerId], SyncError]
) -> None:
    """However many there are of it, and wherever they stand."""
    odd = range(1, 61) if first else range(20, 80)
    for number in range(1, 81):
        order = order_of(number, 1) if number in odd else order_of(number, 2 + number % 7)
        selling.store.place_order(order)
    selling.store.place_order(guest_order(81))
    erp_of(selling).odd = {ODD}
    erp_of(selling).how = how
    result = selling.import_orders()

    held = {row.order.web_number.value for row in selling.erp.orders}
    assert held == {f"W-{number}" for number in range(1, 82) if number not in odd}
    assert result.counts["account_unread"] == len(odd)
    assert [remark for remark in result.remarks if ODD.value in remark]
    assert result.outcome == "ok"
    assert {attempts_of(selling, number) for number in range(1, 82)} == {1}
    assert selling.state_of(odd[0]) is LedgerState.DISCOVERED
    assert selling.entry(odd[0]).next_check_at is not None

    erp_of(selling).odd = set()
    selling.clock.advance(3700)
    selling.import_orders()
    assert len(selling.erp.orders) == 81


@pytest.mark.rule("OI-2")
def test_orders_of_two_unread_accounts_side_by_side_hold_up_nobody(selling: World) -> None:
    for number in range(1, MANY + 1):
        selling.store.place_order(order_of(number))
    erp_of(selling).odd = {company(number)[0] for number in (1, 2, 3)}
    selling.import_orders()
    assert len(selling.erp.orders) == MANY - 3


@pytest.mark.rule("OI-2")
def test_orders_of_an_unread_account_are_not_asked_for_again_in_the_same_run(
    selling: World,
) -> None:
    for number in range(1, 101):
        selling.store.place_order(order_of(number, 1))
    erp = erp_of(selling)
    erp.odd, erp.asked = {ODD}, 0
    selling.import_orders()
    assert erp.asked < 20


@pytest.mark.rule("OP-1")
def test_an_outage_is_no_orders_doing(selling: World) -> None:
    for number in range(1, 21):
        selling.store.place_order(order_of(number, 1))
    erp_of(selling).away = True
    result = selling.import_orders()
    assert result.outcome == "try_later"
    assert sum(attempts_of(selling, number) for number in range(1, 21)) == 2


@pytest.mark.rule("OP-2")
def test_a_run_for_one_order_of_an_unread_account_is_not_called_ok(selling: World) -> None:
    selling.store.place_order(order_of(1))
    erp_of(selling).odd = {ODD}
    result = selling.run("orders", order="order-1")
    assert result.outcome == "try_later"
    assert ODD.value in result.message


@pytest.mark.rule("OI-2")
def test_a_moments_trouble_sets_no_account_aside(world: World) -> None:
    """Every other question fails."""
    for number in range(1, 9):
        world.store.place_order(order_of(number))
    world.store.place_order(harbour_order(9))
    erp = erp_of(world)
    erp.odd = {ODD, OTHER, MILL}
    turn = 0

    def sometimes(customer_id: CustomerId) -> SyncError:
        nonlocal turn
        turn += 1
        if turn > 2:
            erp.odd = set()
        return broken(customer_id)

    erp.how = sometimes
    result = world.import_orders()
    assert "account_unread" not in result.counts
    assert len(world.erp.orders) == 9


# The watch of the system.


@pytest.mark.rule("OP-1")
@pytest.mark.parametrize("odd", [(1,), (1, 2), (7, 12), (3, MANY)])
def test_accounts_that_cannot_be_read_do_not_shut_the_erp_off(
    world: World, odd: tuple[int, ...]
) -> None:
    """The watch leaves a system alone after five failures in a row."""
    world.cycle()
    world.clock.advance(2 * DAY)
    watch = SystemWatch("erp", "erp", world.clock)
    erp = erp_of(world)
    world.erp_seen = guarded(erp, watch, world.clock)
    for number in range(1, MANY + 1):
        world.store.place_order(order_of(number))
    erp.odd = {company(number)[0] for number in odd}
    for flow in (*FLOWS, "orders"):
        result = world.run(flow)
        assert "left alone" not in result.message, flow
        assert watch.up, flow
    assert len(erp.orders) == MANY - len(odd)


@pytest.mark.rule("OP-1")
def test_an_erp_that_is_left_alone_is_not_asked_at_all(world: World) -> None:
    erp = erp_of(world)
    erp.odd = {ODD}
    erp.how = lambda _: LeftAlone("erp is away and left alone")
    world.cycle()
    erp.asked = 0
    result = world.run("invoices")
    assert (result.outcome, erp.asked) == ("try_later", 1)
