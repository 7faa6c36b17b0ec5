"""Mirrors under circumstances that nobody would wish for: nothing leaks, nothing is emptied."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pyarrow as pa
import pytest

from sync.domain.account import Account, Item, ShipTo
from sync.domain.channel import RetailGroup
from sync.domain.ids import CustomerId, InvoiceNumber, LocationId, OrganisationId, ShipToId, Sku
from sync.domain.invoice import Invoice
from sync.domain.mapping import Assignment
from sync.domain.pricing import (
    Audience,
    AudienceKind,
    Price,
    PriceLevel,
    PriceQuestion,
    PriceScope,
    PriceValue,
    effective_price,
)
from sync.domain.times import Watermark
from sync.errors import AccessDenied, Conflict, Rejected, RightMissing, TryLater
from sync.planning.prices import wanted_prices
from sync.ports.erp import Feed, UnreadableRecord
from sync.testing import builders as a
from sync.testing.clock import ManualClock
from sync.testing.erp import MemoryErp
from sync.testing.store import MemoryStore
from tests.scenarios.world import (
    ASSIGNMENTS,
    HARBOUR,
    MILL,
    RETAIL,
    MakeWorld,
    World,
    a_channel,
    fill_erp,
    fill_store,
    harbour_order,
)

HOUR = 3600.0
DAY = 86400.0
MIRRORS = (
    *("accounts", "ship_tos", "prices", "invoices", "balances", "customer_parts"),
    *("entitlements", "availability", "documents", "account_orders"),
)


# A source that dries up bit by bit.


class DryErp(MemoryErp):
    """Its view of ship-tos answers nothing any more; its change feed works on."""

    dry = False

    def ship_tos(self, customer_ids: Collection[CustomerId]) -> Sequence[ShipTo]:
        return [] if self.dry else super().ship_tos(customer_ids)


@pytest.mark.rule("MI-3")
def test_empty_source_is_not_believed_account_by_account_either(make_world: MakeWorld) -> None:
    clock = ManualClock()
    erp = DryErp(clock)
    fill_erp(erp)
    accounts = [CustomerId(f"C-{number}") for number in range(3000, 3030)]
    for customer_id in accounts:
        erp.add_account(a.an_account(customer_id=customer_id, default_ship_to=None))
        for name in ("NORTH", "SOUTH"):
            erp.add_ship_to(a.a_ship_to(sold_to=customer_id, ship_to_id=ShipToId(name)))
    world = make_world(clock=clock, erp=erp)
    more = tuple(Assignment(each, organisation=OrganisationId(f"org-{each}")) for each in accounts)
    world.remap(assignments=(*ASSIGNMENTS, *more))
    clock.advance(HOUR)
    world.cycle()
    before = world.store.shown_ship_tos(accounts)
    assert len(before) == 60
    erp.dry = True
    for start in range(0, 30, 3):
        clock.advance(HOUR)
        for customer_id in accounts[start : start + 3]:
            erp.mark_changed(customer_id, Feed.SHIP_TOS, clock.now())
        world.run("ship_tos")

    assert world.store.shown_ship_tos(accounts) == before
    with world.state.transaction() as state:
        assert {plan.flow for plan in state.plans.open()} == {"ship_tos"}


@pytest.mark.rule("MI-3", "MI-1")
def test_last_ship_to_of_a_touched_account_is_withdrawn_where_the_source_is_sound(
    world: World,
) -> None:
    world.cycle()
    world.clock.advance(HOUR)
    world.erp.remove_ship_to(HARBOUR, a.SHIP_TO)
    result = world.run("ship_tos")
    assert (result.outcome, result.counts["removed"]) == ("ok", 1)
    world.clock.advance(HOUR)
    world.erp.add_ship_to(a.a_ship_to())
    assert world.run("ship_tos").counts["added"] == 1


@pytest.mark.rule("OP-1", "MI-1")
def test_erp_whose_clock_was_ahead_for_a_while_is_not_believed_to_stand_still(
    make_world: MakeWorld,
) -> None:
    ours = ManualClock()
    theirs = ManualClock(ours.now() + timedelta(days=300))
    erp = MemoryErp(theirs)
    fill_erp(erp)
    store = MemoryStore(clock=ours)
    fill_store(store)
    world = make_world(clock=ours, erp=erp, store=store)
    world.cycle()
    theirs.set_wall_clock(ours.now())
    theirs.advance(HOUR)
    erp.add_ship_to(a.a_ship_to(ship_to_id=ShipToId("YARD")))
    world.run("ship_tos")
    assert (HARBOUR, ShipToId("YARD")) in store.shown_ship_tos([HARBOUR])
    with world.state.transaction() as state:
        assert state.watermarks.get("ship_tos") == Watermark(theirs.now())


# What could not be read.


class OddErp(MemoryErp):
    """It leaves out what it cannot read, and tells of it."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.odd_items = False
        self.odd_account: CustomerId | None = None
        self.odd_scope: PriceScope | None = None
        self.odd_row = ""
        self._untold: list[UnreadableRecord] = []

    def take_unreadable(self) -> Sequence[UnreadableRecord]:
        told, self._untold = tuple(self._untold), []
        return told

    def items(self, skus: Collection[Sku]) -> Mapping[Sku, Item]:
        if self.odd_items:
            self._untold.append(UnreadableRecord("items", "NUT", "stock_unit", "is missing"))
        return super().items(skus)

    def accounts(self, customer_ids: Collection[CustomerId]) -> Mapping[CustomerId, Account]:
        self._left_out("accounts")
        found = dict(super().accounts(customer_ids))
        if self.odd_account in found:
            del found[self.odd_account]
            record = UnreadableRecord("accounts", "", "currency", "is odd", self.odd_account)
            self._untold.append(record)
        return found

    def ship_tos(self, customer_ids: Collection[CustomerId]) -> Sequence[ShipTo]:
        self._left_out("ship_tos")
        return super().ship_tos(customer_ids)

    def invoices(self, customer_ids: Collection[CustomerId]) -> Sequence[Invoice]:
        self._left_out("invoices")
        return super().invoices(customer_ids)

    def _left_out(self, source: str) -> None:
        if source == self.odd_row:
            self._untold.append(UnreadableRecord(source, "?", "customer_id", "is missing"))

    def price_vectors(self, level: PriceLevel) -> Iterator[tuple[PriceScope, pa.Table]]:
        for scope, vector in super().price_vectors(level):
            if scope == self.odd_scope:
                self._untold.append(UnreadableRecord("price_scopes", "?", "owner", "is odd"))
            else:
                yield scope, vector

    def price_scopes(self) -> Iterator[PriceScope]:
        for scope in super().price_scopes():
            if scope == self.odd_scope:
                self._untold.append(UnreadableRecord("price_scopes", "?", "owner", "is odd"))
            else:
                yield scope


@pytest.fixture
def odd(make_world: MakeWorld) -> World:
    clock = ManualClock()
    erp = OddErp(clock)
    fill_erp(erp)
    return make_world(clock=clock, erp=erp)


def odd_erp(world: World) -> OddErp:
    assert isinstance(world.erp, OddErp)
    return world.erp


@pytest.mark.rule("MI-1")
def test_row_that_another_flow_could_not_read_keeps_nothing_shown(odd: World) -> None:
    odd.cycle()
    odd.store.place_order(harbour_order())
    odd_erp(odd).odd_items = True
    odd.import_orders()
    odd_erp(odd).odd_items = False
    odd.clock.advance(HOUR)
    odd.erp.remove_invoice(HARBOUR, InvoiceNumber("INV-5001"))
    result = odd.run("invoices")
    assert result.counts["removed"] == 1
    assert "unreadable" not in result.counts


@pytest.mark.rule("TL-3", "WA-8")
def test_user_who_leaves_an_account_leaves_it_although_the_erp_cannot_tell_it(odd: World) -> None:
    ada = Assignment(HARBOUR, user=a.WEB_USER)
    odd.remap(assignments=(*ASSIGNMENTS, ada))
    odd.cycle()
    before = odd.store.shown_accounts([HARBOUR])[HARBOUR]
    assert before.users == (a.WEB_USER,)
    odd_erp(odd).odd_account = HARBOUR
    odd.remap(assignments=ASSIGNMENTS)
    odd.clock.advance(HOUR)
    odd.cycle()
    after = odd.store.shown_accounts([HARBOUR])[HARBOUR]
    assert after == replace(before, users=())


@pytest.mark.rule("WA-8", "MI-1")
@pytest.mark.parametrize("flow", ["accounts", "ship_tos", "invoices"])
def test_account_that_nobody_is_mapped_to_is_withdrawn_whatever_else_cannot_be_read(
    odd: World, flow: str
) -> None:
    odd.cycle()
    odd_erp(odd).odd_row = flow  # nobody can tell whose it is
    odd.remap(assignments=ASSIGNMENTS[1:])
    result = odd.run(flow)
    assert result.counts["unreadable"] == 1
    shown = odd.shown()
    owners = {
        "accounts": set(shown["accounts"]),
        "ship_tos": {owner for owner, _ in (*shown["ship_tos"], *shown["bill_tos"])},
        "invoices": {owner for owner, _ in shown["invoices"]},
    }
    assert owners[flow] == {MILL}


@pytest.mark.rule("WA-6", "MI-1")
def test_prices_of_a_scope_that_cannot_be_read_stay_as_they_are(odd: World) -> None:
    odd.cycle()
    before = dict(odd.store.prices)
    odd_erp(odd).odd_scope = PriceScope.account(HARBOUR)
    odd.clock.advance(HOUR)
    result = odd.run("prices")
    assert result.counts["unreadable"] == 1
    assert dict(odd.store.prices) == before


# Keys that two accounts share.


@pytest.mark.rule("VE-6", "WA-6")
def test_price_of_a_site_that_two_accounts_have_by_the_same_key_is_shown_to_nobody(
    world: World,
) -> None:
    world.erp.add_location(a.a_location())
    site = PriceScope.location(LocationId("SITE-1"))
    world.erp.set_price(a.a_price("4.4400", scope=site))
    world.run("prices")
    at_site = Audience(AudienceKind.LOCATION, "SITE-1")
    assert [value.unit_price for _, value in world.store.shown_to([at_site])]

    world.erp.add_location(a.a_location(sold_to=MILL, name="South yard"))
    result = world.run("prices")
    assert not list(world.store.shown_to([at_site]))
    assert any("SITE-1" in remark for remark in result.remarks)


@pytest.mark.rule("WA-7", "MI-2")
@pytest.mark.parametrize("backwards", [False, True])
def test_two_entries_of_one_key_show_the_price_that_the_erp_would_charge_in_any_order(
    world: World, backwards: bool
) -> None:
    key = a.a_price_key()
    today = world.context().today()
    entries = [
        Price(key, PriceValue(Decimal("10.0000"))),
        Price(key, PriceValue(Decimal("9.0000"), today + timedelta(days=9))),
        Price(key, PriceValue(Decimal("9.0000"), today + timedelta(days=5))),
        Price(key, PriceValue(None)),
    ]
    if backwards:
        entries.reverse()
    question = PriceQuestion(a.SKU, "EA", "EUR", Decimal(1), today)
    charged = effective_price(entries, question)
    assert charged is not None
    audience = a.account_audience(HARBOUR)
    shown = wanted_prices(entries, audience, world.mapping, today)
    assert shown == {key: PriceValue(Decimal("9.0000"), today + timedelta(days=9))}
    assert shown[key].unit_price == charged.price.value.unit_price


# The withdrawal that comes first.


class StubbornStore(MemoryStore):
    """It cannot withdraw one account."""

    error: Exception

    def withdraw_account(self, customer_id: CustomerId) -> None:
        if customer_id == HARBOUR:
            raise self.error
        super().withdraw_account(customer_id)


KEPT = (
    (Conflict("the record is open at somebody's desk"), "try_later"),
    (TryLater("the store answers 500"), "try_later"),
    (Rejected("an order names it.", code="in_use", remedy="Close the order."), "failed"),
    (RightMissing("the key may not delete"), "failed"),
)


@pytest.fixture
def stubborn(make_world: MakeWorld) -> World:
    """Everything is shown, and both accounts become retail groups."""
    clock = ManualClock()
    store = StubbornStore(clock=clock)
    fill_store(store)
    world = make_world(clock=clock, store=store)
    world.cycle()
    groups = tuple(
        RetailGroup(each, ("EUR",), frozenset({country}))
        for each, country in ((RETAIL, "DE"), (HARBOUR, "NL"), (MILL, "BE"))
    )
    world.remap(channels={**world.mapping.channels, a.CHANNEL: a_channel(retail_groups=groups)})
    return world


@pytest.mark.rule("WA-8")
@pytest.mark.parametrize("error, outcome", KEPT, ids=lambda each: type(each).__name__)
@pytest.mark.parametrize("flow", MIRRORS)
def test_retail_group_that_cannot_be_withdrawn_keeps_no_other_shown(
    stubborn: World, flow: str, error: Exception, outcome: str
) -> None:
    assert isinstance(stubborn.store, StubbornStore)
    stubborn.store.error = error
    result = stubborn.run(flow)

    assert MILL not in set(stubborn.store.shown_customer_ids())
    assert not stubborn.store.shown_invoices([MILL])
    assert not stubborn.store.shown_documents([MILL])
    assert result.outcome == outcome
    assert str(error) in result.message
    assert result.counts["withdrawn"] == 1
    assert any(HARBOUR.value in remark and str(error) in remark for remark in result.remarks)


@pytest.mark.rule("WA-8")
def test_retail_groups_are_withdrawn_behind_one_where_the_connector_has_a_mistake(
    stubborn: World,
) -> None:
    assert isinstance(stubborn.store, StubbornStore)
    stubborn.store.error = KeyError("id")
    with pytest.raises(KeyError):
        stubborn.run("invoices")
    assert MILL not in set(stubborn.store.shown_customer_ids())
    assert HARBOUR in set(stubborn.store.shown_customer_ids())


@pytest.mark.rule("WA-8")
def test_refused_login_is_not_tried_again_for_each_retail_group(stubborn: World) -> None:
    """Systems count those, and lock the account."""
    assert isinstance(stubborn.store, StubbornStore)
    stubborn.store.error = AccessDenied("the login is refused")
    assert stubborn.run("invoices").outcome == "failed"
    assert MILL in set(stubborn.store.shown_customer_ids())


# What is called "ok".


@pytest.mark.rule("OP-6", "MI-1")
@pytest.mark.parametrize("flow", ["ship_tos", "invoices", "prices"])
def test_run_of_which_the_store_took_nothing_is_not_called_ok(world: World, flow: str) -> None:
    for key in ("MAIN", "GATE", "BILL", "INV-5001", "INV-6001", a.SKU.value):
        world.store.refuse_record(key)
    result = world.run(flow)
    assert result.counts["refused_by_store"] > 0
    assert result.outcome == "failed"
    assert "refused" in result.message
    with world.state.transaction() as state:
        (run,) = state.runs.last(flow)
    assert run.outcome == "failed"
