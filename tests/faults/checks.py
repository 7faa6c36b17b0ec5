"""The checks that a defect has to pass: run over the product as it is, and over each mutant.

Each gives the first violation that it finds, or None. They go from the quick to
the thorough, so that a mutant is caught by the cheapest check that can.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from functools import partial
from itertools import product
from typing import Any

from sync.domain.channel import LoginWall
from sync.domain.ids import Sku, WebOrderId
from sync.domain.order import OrderState
from sync.domain.pricing import Price, PriceLevel, PriceScope, PriceValue
from sync.domain.sales_order import SalesOrder
from sync.errors import AccessDenied
from sync.flows.context import Limits
from sync.flows.cycle import run_flow
from sync.flows.retrying import Patience
from sync.ports.notices import notice_for
from sync.ports.state import LedgerFilter, LedgerState
from sync.ports.store import StoreCapabilities
from sync.testing import builders as a
from sync.testing.enumerating import (
    Enumeration,
    MakeTrial,
    Point,
    at_every_point,
    distinct,
    every_fault,
    singles,
    try_each,
)
from sync.testing.erp import MemoryErp
from sync.testing.faults import Call, Fault
from sync.testing.mirror_proof import differing, forbidden
from sync.testing.schedules import play
from sync.testing.store import MemoryStore
from tests.faults.cancels import (
    HAPPENINGS,
    CancellingSite,
    CancelTrial,
    cancelled,
    hangs_while,
    something_happens,
)
from tests.faults.money import MoneySite, refunded, shipped
from tests.faults.registrations import (
    RegistrationsInTime,
    carried_out,
    made_active,
    mapped_only,
    never_a_second_customer,
    staff_change_their_mind,
    taken_up,
)
from tests.faults.sites import GROUPS, NOTHING, SPOILT, SWAPPED, MirrorSite, OrderSite
from tests.faults.trials import (
    LATER,
    FlowTrial,
    OrderTrial,
    a_group,
    mirror,
    one_order,
    price_lists,
    two_orders,
)
from tests.scenarios.world import (
    FUSE,
    HARBOUR,
    MILL,
    WEB,
    a_channel,
    a_paper,
    guest_order,
    harbour_order,
    mill_order,
    order_id,
)

# An order is read again, frozen and sent: so many points lie between.
BETWEEN_LAST_LOOK_AND_SUBMIT = 6
NUT = Sku("NUT-M8")


# Something else happens at each point.


@dataclass
class EditedTrial(OrderTrial):
    """The second order changes in the store at some point of its import.

    Well before it was sent the ERP must get the new version and nobody a
    question; later it is a person's.
    """

    changed_at: int | None = None

    def change(self, **changes: Any) -> None:
        self.changed_at = len(self.script.log)
        self.site.clock.advance(1)
        self.site.store.change_order(order_id(2), **changes)

    def violations(self) -> Sequence[str]:
        found = list(super().violations())
        if self.changed_at is None:
            return found
        with self.site.state.transaction() as state:
            entry = state.ledger.entry(order_id(2))
        sent = [
            position
            for position, call in enumerate(self.script.log)
            if call.point.startswith("erp.submit_order") and _sends(call, order_id(2))
        ]
        early = not sent or self.changed_at < sent[0] - BETWEEN_LAST_LOOK_AND_SUBMIT
        if early and (entry is None or entry.state is LedgerState.REVIEW):
            found.append("it changed well before it was sent, and the ERP got what it was before")
        return found


def _sends(call: Call, wanted: WebOrderId) -> bool:
    """Whether the order is the one submitted, or one of the group."""
    given = call.arguments[0]
    orders = [given] if isinstance(given, SalesOrder) else [order for order, _ in given]
    return any(each.web_order == wanted for each in orders)


def edited(**given: Any) -> EditedTrial:
    trial = two_orders(**given)
    return EditedTrial(trial.site)


def a_lost_answer_and_an_edit(**changes: Any) -> OrderTrial:
    """The answer to the submission is lost; before the next look something changes."""
    trial = one_order()
    trial.script.lost_reply("erp.submit_order")
    trial.run()
    trial.site.clock.advance(1)
    trial.site.store.change_order(order_id(1), **changes)
    trial.recover()
    return trial


def _change(changes: dict[str, Any], trial: EditedTrial) -> None:
    trial.change(**changes)


def edits_at_every_point(**given: Any) -> str | None:
    for changes in (
        {"notes": "call first"},
        {"ship_to": a.a_typed_address(lines=("Canal Street 99",))},
        {"state": OrderState.CANCELLED},
    ):
        done = at_every_point(partial(edited, **given), partial(_change, changes), stop_at=1)
        if done.found:
            return f"{'/'.join(changes)} changed {done.found[0]}"
    return None


def decided_again_after_a_lost_answer() -> str | None:
    """The mapping changes while an outcome is unknown: the ERP has what was decided then."""
    trial = one_order()
    trial.script.lost_reply("erp.submit_order")
    trial.run()
    trial.site.remap(assignments=SWAPPED)
    trial.recover()
    found = list(trial.violations())
    with trial.site.state.transaction() as state:
        entry = state.ledger.entry(order_id(1))
    assert entry is not None
    if entry.imported_at is None:
        found.append(f"the ERP has it as it was decided, and it is {entry.state.value}")
    return _first(found)


def changed_while_unknown() -> str | None:
    """The order changes while its outcome is unknown: what the ERP has is the old version."""
    for changes in (
        {"state": OrderState.CANCELLED},
        {"notes": "call first"},
        {"ship_to": a.a_typed_address()},
    ):
        trial = a_lost_answer_and_an_edit(**changes)
        found = list(trial.violations())
        with trial.site.state.transaction() as state:
            entry = state.ledger.entry(order_id(1))
        assert entry is not None
        if entry.state is not LedgerState.REVIEW:
            found.append(f"it changed after the ERP had it, and is {entry.state.value}")
        if found:
            return f"{'/'.join(changes)} changed: {found[0]}"
    return None


def one_in_quarantine_and_one_behind_it() -> str | None:
    """A bad order costs itself only, for as long as it stays."""
    site = OrderSite()
    site.store.place_order(harbour_order(1, lines=(a.a_line(sku=Sku("NOTHING")),)))
    site.store.place_order(guest_order(2))
    site.retail = {order_id(2)}
    trial = OrderTrial(site)
    trial.run()
    site.store.place_order(mill_order(3, placed_at=site.clock.now(), modified_at=site.clock.now()))
    trial.recover()
    return _first(trial.violations())


def one_refused_in_a_group(**given: Any) -> str | None:
    """The ERP refuses the group for one of its orders; the others go in."""
    trial = a_group(**given)
    site = trial.site
    site.erp.add_item(a.an_item(sku=NUT))
    site.erp.set_price(a.a_price("9.9900", scope=PriceScope.account(HARBOUR), sku=NUT))
    site.erp.refuse_item(NUT)
    site.store.place_order(harbour_order(3, lines=(a.a_line(sku=NUT),)))
    trial.recover()
    with site.state.transaction() as state:
        states = [e.state for e in (state.ledger.entry(order_id(n)) for n in (1, 2, 3)) if e]
    wanted = [LedgerState.ACKNOWLEDGED, LedgerState.ACKNOWLEDGED, LedgerState.QUARANTINED]
    if states != wanted:
        return f"one of a group was refused, and they are {[each.value for each in states]}"
    return None


def numbers_of_a_group(**given: Any) -> str | None:
    """The status of an order would put its number right, so it is read before that."""
    trial = a_group(**given)
    trial.run()
    with trial.site.state.transaction() as state:
        entries = {e.key: e.erp_order for e in state.ledger.entries(LedgerFilter())}
    if any(entries.get(row.key) != row.number for row in trial.site.erp.orders):
        return "an order of a group has the number of another one"
    return None


def one_of_a_group_taken_over(**given: Any) -> str | None:
    """Another worker has the first order by the time that the group is looked for; then it dies."""
    trial = a_group(**given)
    site = trial.site

    def another_worker() -> None:
        with site.state.transaction() as state:
            lease_over = site.clock.now() + timedelta(hours=1)
            assert state.ledger.claim(order_id(1), lease_over, 1.0) is not None

    trial.script.meanwhile("erp.find_orders", another_worker)
    trial.run()
    site.clock.advance(3600)
    trial.recover()
    return _first(trial.violations())


def committed_late() -> str | None:
    """An order becomes visible behind the watermark, by less than the store's overlap."""
    site = OrderSite()
    trial = OrderTrial(site)
    site.store.place_order(harbour_order(1, modified_at=site.clock.now()))
    trial.run()
    site.clock.advance(LATER)
    trial.run()
    behind = harbour_order(1).modified_at.replace(hour=8, minute=51)
    site.store.place_order(mill_order(2, placed_at=behind, modified_at=behind))
    trial.recover()
    return _first(trial.violations())


def committed_after_its_answer() -> str | None:
    """The ERP commits long after its answer was lost, and the order is cancelled meanwhile."""
    site = OrderSite()
    site.store.place_order(harbour_order(1))
    return _committed_late_and_cancelled(OrderTrial(site), "erp.submit_order")


def group_committed_after_its_answer(**given: Any) -> str | None:
    return _committed_late_and_cancelled(a_group(**given), "erp.submit_orders")


def placed(site: OrderSite) -> list[WebOrderId]:
    """All of them change: one that went in otherwise would keep a late group out."""
    return [each.order_id for page in site.store.changed_orders(None) for each in page.orders]


def _committed_late_and_cancelled(trial: OrderTrial, point: str) -> str | None:
    site = trial.site
    trial.script.fail(point, Fault.OVERTAKEN)
    trial.script.keep_on_its_way = True
    trial.run()
    site.clock.advance(1)
    for each in placed(site):
        site.store.change_order(each, state=OrderState.CANCELLED)
    for _ in range(2):
        site.clock.advance(site.erp.capabilities.statement_timeout_s * 0.45)
        trial.run()
    trial.script.keep_on_its_way = False
    trial.script.arrive()
    trial.recover()
    return _first(trial.violations())


def replayed_without_need() -> str | None:
    """The ERP has it otherwise than it was sent; a person looks, and has it tried again."""
    trial = one_order()
    site = trial.site
    trial.script.lost_reply("erp.submit_order")
    trial.run()
    site.placed = [order_id(1)]
    if site.staff("desk", order_id(1), random.Random(0)) == NOTHING:
        return None  # the outcome was not unknown
    trial.recover()
    site.staff("replay", order_id(1), random.Random(0))
    trial.recover()
    found = list(trial.violations())
    with site.state.transaction() as state:
        entry = state.ledger.entry(order_id(1))
    assert entry is not None
    if entry.state is not LedgerState.REVIEW:
        found.append(f"the ERP has it otherwise than it was sent, and it is {entry.state.value}")
    return _first(found)


def told_by_the_next_run(**given: Any) -> str | None:
    """The store does not take a notice. The next run tells it again, not only a later look."""
    trial = one_order(**given)
    patience = Patience().attempts
    for passage in range(1, patience + 1):
        trial.script.lost_request("store.show_import", at=passage)
    trial.run()
    trial.run()
    with trial.site.state.transaction() as state:
        entry = state.ledger.entry(order_id(1))
    assert entry is not None
    wanted, seen = notice_for(entry), trial.site.store.notice(order_id(1))
    return None if seen == wanted else f"the store shows {seen}, and should show {wanted}"


# Sources that dry up, and what must never be seen.


class DryErp(MemoryErp):
    """Some of its reads answer as if there were nothing, from some moment on."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.dry: frozenset[str] = frozenset()

    def __getattribute__(self, name: str) -> Any:
        held = super().__getattribute__(name)
        if not name.startswith("_") and name != "dry" and name in self.dry:
            empty: dict[str, Callable[..., Any]] = {
                "accounts": lambda *_: {},
                "items": lambda *_: {},
                "prices": lambda *_: iter(()),
                "price_scopes": lambda: iter(()),
                "restricted_items": lambda: iter(()),
            }
            return empty.get(name, lambda *_: [])
        return held


DRY = {
    "accounts": [{"accounts"}],
    "ship_tos": [{"accounts"}, {"ship_tos", "bill_tos"}],
    "prices": [{"accounts"}, {"prices"}, {"price_scopes"}],
    "invoices": [{"accounts"}, {"invoices"}],
    "balances": [{"accounts"}, {"balances"}],
    "customer_parts": [{"accounts"}, {"customer_parts"}],
    "entitlements": [{"accounts"}, {"items"}, {"restricted_items"}, {"restricted_items", "items"}],
    "account_orders": [{"accounts"}, {"account_orders"}],
    "availability": [{"accounts"}, {"availability"}, {"items"}],
    "documents": [{"accounts"}, {"documents"}],
}


def sources_that_dry_up() -> str | None:
    """An ERP that says that it holds nothing empties no store (MI-3)."""
    for flow, reads in DRY.items():
        for names in reads:
            site = MirrorSite(flows=(flow,), erp_kind=DryErp)
            site.limits = Limits()
            run_flow(site.context(), flow)
            before = site.store.writes
            site.clock.advance(90_000)
            assert isinstance(site.erp, DryErp)
            site.erp.dry = frozenset(names)
            run_flow(site.context(), flow)
            if site.store.writes != before:
                return f"{flow}: the ERP tells no {'/'.join(sorted(names))}, and the store lost all"
    return None


def walls_and_groups() -> str | None:
    """A login wall goes up, an account becomes a retail group: nothing stays in sight."""
    for wall in LoginWall:
        site = MirrorSite()
        for flow in site.flows:
            run_flow(site.context(), flow)
        groups = a_channel().retail_groups
        harbour = replace(groups[0], customer_id=a.ACCOUNT, countries=frozenset({"BE"}))
        channel = a_channel(retail_groups=(*groups, harbour), login_wall=wall)
        site.remap(channels={**site.mapping.channels, WEB: channel})
        site.store.add_user(a.a_web_user(staff_customer_id="RETAIL-EU"))
        for flow in site.flows:
            site.clock.advance(60)
            run_flow(site.context(), flow)
        found = site.violations()
        if found:
            return f"wall {wall.value}: {found[0]}"
    return None


def what_is_told_tomorrow() -> str | None:
    """A price ends, and zero becomes a price or none: no row of the ERP changes."""
    site = MirrorSite(flows=("prices",))
    site.limits = replace(site.limits, full_price_check_s=1e9)
    scope = PriceScope.account(HARBOUR)
    today = site.context().today()
    site.erp.set_price(a.a_price("4.0000", scope=scope, sku=NUT, valid_until=today))
    site.erp.set_price(a.a_price("0.0000", scope=scope, sku=NUT, min_quantity=Decimal(10)))
    for zero in (True, False, True):
        site.remap(zero_price_means_call=zero)
        run_flow(site.context(), "prices")
        if found := differing(site.context(), ["prices"]):
            return f"zero means call {zero}: {found[0]}"
        site.clock.advance(90_000)
        run_flow(site.context(), "prices")
        if found := differing(site.context(), ["prices"]):
            return f"a day later: {found[0]}"
    return None


def what_came_half_way() -> str | None:
    """The process dies between what goes and what comes, and the ERP takes both back."""
    site = MirrorSite(flows=("prices",))
    site.limits = replace(site.limits, full_price_check_s=1e9)
    scope = PriceScope.account(HARBOUR)
    first = a.a_price("4.0000", scope=scope, sku=NUT)
    other = a.a_price("4.0000", scope=scope, sku=FUSE)
    site.erp.set_price(first)
    site.erp.set_price(other)
    run_flow(site.context(), "prices")
    site.erp.remove_price(first.key)
    site.erp.set_price(replace(other, value=PriceValue(Decimal(5))))
    trial = FlowTrial(site, "prices")
    trial.script.crash_before("store.apply_price_rows", at=2)
    trial.run()
    assert not trial.script.unused
    site.erp.set_price(first)
    site.erp.set_price(other)
    trial.recover()
    return _first(trial.violations())


def lists_in_calls_of_every_size() -> str | None:
    """Lists change, members join and go: between no two calls anybody sees another price."""
    for entries, gaps in product(range(1, 9), (False, True)):
        trial = price_lists(first=False, entries=entries, gaps=gaps)
        trial.run()
        if found := trial.violations():
            return f"{entries} entries a call: {found[0]}"
    return None


def faults_about_lists(
    *, first: bool, gaps: bool = False, stop_at: int | None = None
) -> Enumeration:
    """Each fault at each call about prices to a store with lists, and where the state is told."""
    make = partial(price_lists, first=first, gaps=gaps)
    about = ("shared_prices", "shown_price_lists", "list_rows", "own_rows", "transaction.exit")
    cases = (
        [each]
        for each in singles(make)
        if each.point.endswith(about) and distinct(each.point, each.fault)
    )
    return try_each(make, cases, stop_at=stop_at)


def _single_faults_about_lists() -> str | None:
    done = faults_about_lists(first=False, stop_at=1)
    return done.found[0] if done.found else None


class WideStore(MemoryStore):
    """Takes single prices by two calls at once, and may lack the right to one item."""

    apply_price_rows: Any = None
    barred: Sku | None = None

    def apply_prices(self, put: Any, remove: Any) -> None:
        if any(key.key.sku == self.barred for key, _ in put):
            raise AccessDenied("not this one")
        super().apply_prices(put, remove)


def one_of_two_at_once() -> str | None:
    """Of two calls under way for one partition one fails, and the other is confirmed."""
    wide = StoreCapabilities("wide", price_batch=1, price_calls=2)
    site = MirrorSite(flows=("prices",), store_kind=WideStore, store_capabilities=wide)
    site.limits = replace(site.limits, full_price_check_s=1e9)
    for amount in ("4.0000", "5.0000"):
        for sku in (NUT, FUSE):
            scope = PriceScope.account(HARBOUR)
            site.erp.set_price(a.a_price(amount, scope=scope, sku=sku))
        for barred in (FUSE, NUT, None):
            assert isinstance(site.store, WideStore)
            site.store.barred = barred
            run_flow(site.context(), "prices")
        if found := differing(site.context(), ["prices"]):
            return found[0]
    return None


class ForgetfulErp(MemoryErp):
    """Its list of restricted items is empty from some moment on; the items still say it."""

    forgets = False

    def restricted_items(self) -> Iterator[Sku]:
        return iter(()) if self.forgets else super().restricted_items()


def what_nobody_told() -> str | None:
    """A list of restricted items becomes empty, and then the store: neither is believed."""
    site = MirrorSite(flows=("prices",), erp_kind=ForgetfulErp)
    site.limits = replace(site.limits, full_price_check_s=1e9)
    assert isinstance(site.erp, ForgetfulErp)
    scope = PriceScope.account(HARBOUR)
    for sku in (FUSE, NUT):
        site.erp.add_item(a.an_item(sku=sku))
        site.erp.set_price(a.a_price("4.0000", scope=scope, sku=sku))
    site.erp.add_item(a.an_item(sku=NUT, allowed_to=frozenset({MILL})))
    run_flow(site.context(), "prices")
    site.erp.forgets = True
    run_flow(site.context(), "prices")
    if found := differing(site.context(), ["prices"]):
        return f"nothing is restricted any more: {found[0]}"
    for key in dict(site.store.prices):
        site.store.apply_prices([], [key])
    run_flow(site.context(), "prices")
    if found := differing(site.context(), ["prices"]):
        return f"the store was emptied: {found[0]}"
    return None


class BusyErp(MemoryErp):
    """A price changes just before it is read."""

    meanwhile: Price | None = None

    def price_vectors(self, level: PriceLevel) -> Iterator[Any]:
        if self.meanwhile is not None and self.meanwhile.key.scope.level is level:
            self.set_price(self.meanwhile)
            self.meanwhile = None
        return super().price_vectors(level)


def what_need_not_be_read() -> str | None:
    """Prices change, go and are back again, while they are read and while they need not be."""
    site = MirrorSite(flows=("prices",), erp_kind=BusyErp)
    assert isinstance(site.erp, BusyErp)
    site.limits = replace(site.limits, full_price_check_s=1e9)
    site.erp.states = tuple(PriceLevel)
    scope, theirs = PriceScope.account(HARBOUR), PriceScope.account(MILL)
    first = a.a_price("4.0000", scope=scope, sku=NUT)
    site.erp.set_price(first)
    site.erp.set_price(a.a_price("4.0000", scope=theirs, sku=NUT))
    site.erp.meanwhile = replace(first, value=PriceValue(Decimal(5)))
    run_flow(site.context(), "prices")
    for happened in ("back", "changed", "back", "removed", "emptied"):
        if happened == "changed":
            site.erp.set_price(replace(first, value=PriceValue(Decimal(7))))
        elif happened == "back":
            site.erp.set_price(first)
        elif happened == "removed":
            site.erp.remove_price(first.key)
        elif happened == "emptied":
            for each in list(site.erp.prices([theirs])):
                site.erp.remove_price(each.key)
        run_flow(site.context(), "prices")
        if found := differing(site.context(), ["prices"]):
            return f"{happened}: {found[0]}"
    return None


def tables_that_are_loaded_anew() -> str | None:
    """A table is emptied and filled with the same rows while it is read, once and ever again."""
    for there, times in ((0, 1), (1, 1), (0, 9), (1, 9)):
        site = MirrorSite(flows=("prices",))
        site.limits = replace(site.limits, full_price_check_s=1e9)
        site.erp.states = tuple(PriceLevel)
        scope = PriceScope.account(HARBOUR)
        for sku in (NUT, FUSE):
            site.erp.set_price(a.a_price("4.0000", scope=scope, sku=sku))
        run_flow(site.context(), "prices")
        before = dict(site.store.prices)
        site.erp.set_price(a.a_price("5.0000", scope=scope, sku=NUT))
        site.erp.reloads = [there] * times
        run_flow(site.context(), "prices")
        if gone := before.keys() - dict(site.store.prices).keys():
            return f"{there} rows were there {times} times, and {min(map(str, gone))} is gone"
        site.erp.reloads = []
        run_flow(site.context(), "prices")
        if found := differing(site.context(), ["prices"]):
            return f"{there} rows were there {times} times: {found[0]}"
    return None


def states_that_dry_up() -> str | None:
    """The ERP's server says nothing of a list any more: that is not believed unread."""
    site = MirrorSite(flows=("prices",))
    real, harbour = site.erp.price_states, PriceScope.account(HARBOUR)
    site.erp.states = tuple(PriceLevel)
    run_flow(site.context(), "prices")
    site.erp.price_states = lambda level: {  # type: ignore[method-assign]
        scope: each for scope, each in real(level).items() if scope != harbour
    }
    run_flow(site.context(), "prices")
    return next(iter(differing(site.context(), ["prices"])), None)


def files_that_lie() -> str | None:
    """A file that is no paper, or not the one that the ERP tells, is shown to nobody (TL-7)."""
    for file, told in ((SPOILT[0], None), (SPOILT[1], None), (a.PDF, "0a" * 32)):
        site = MirrorSite()
        site.erp.add_document(a_paper(HARBOUR, 1, sha256=told))
        site.files.put("papers/1.pdf", file)
        run_flow(site.context(), "documents")
        found = forbidden(site.context())
        if found:
            return found[0]
    return None


# Money after the import.


def nothing_fails(make: Callable[[], OrderTrial]) -> str | None:
    trial = make()
    trial.run()
    trial.recover()
    return _first(trial.violations())


def lost_answers(make: Callable[[], OrderTrial]) -> str | None:
    """Whoever is asked for money does it, and the answer is lost."""
    for point in ("store.capture", "erp.request_credit"):
        trial = make()
        trial.script.lost_reply(point)
        trial.run()
        trial.recover()
        found = trial.violations()
        if found:
            return found[0]
    return None


# All of them.

Check = Callable[[], str | None]


def _first(found: Sequence[str]) -> str | None:
    return found[0] if found else None


def _first_of(
    play_each: Callable[..., Enumeration], happens: Callable[[CancelTrial], None]
) -> str | None:
    return _first(play_each(happens).found)


def _enumerated(make: MakeTrial, how: Callable[..., Enumeration], **given: Any) -> str | None:
    return _first(how(make, stop_at=1, **given).found)


FIRST_LOOKS = (
    *("store.buyer", "erp.accounts", "erp.find_order", "store.order"),
    *("erp.find_orders", "store.orders_now"),
)
SUBMIT_PATH = (
    *("find_order", "store.order", "submit_order", "show_import", "transaction.exit"),
    *("find_orders", "store.orders_now", "submit_orders"),
)


def submit_path(log: Sequence[Call]) -> list[Point]:
    """From each claim to the record of what the store was told about the order.

    A run begins where the store's feed is read. The claim is the last commit
    before the first look at anything that concerns the order.
    """
    found: list[Point] = []
    starts = [at for at, call in enumerate(log) if call.point == "store.changed_orders"]
    for begin, end in zip([0, *starts], [*starts, len(log)], strict=True):
        part = log[begin:end]
        looks = [at for at, call in enumerate(part) if call.point in FIRST_LOOKS]
        shows = [at for at, call in enumerate(part) if call.point == "store.show_import"]
        if not looks and not shows:
            continue
        commits = [at for at, call in enumerate(part) if call.point.endswith(".exit")]
        if begin == 0:  # what is behind a first fault may begin in the middle
            first = 0
        else:
            first = max((at for at in commits if at < min(looks or shows)), default=0)
        last = next((at for at in commits if shows and at > shows[-1]), len(part))
        found.extend(
            (call.point, call.number)
            for call in part[first : last + 1]
            if call.point.endswith(SUBMIT_PATH)
        )
    return found


def group_path(log: Sequence[Call]) -> list[Point]:
    """The same up to the record of the outcome, without commits that follow on another one.

    What comes behind it each order passes singly, as it does without groups.
    """
    found: list[Point] = []
    for point, number in submit_path(log):
        again = point.endswith(".exit") and bool(found) and found[-1][0] == point
        if not again and not point.endswith("show_import"):
            found.append((point, number))
    return found


ZOMBIE_FAULTS = (Fault.LATE_REQUEST, Fault.LATE_REPLY)


def zombies(make: Callable[..., OrderTrial] = one_order, **given: Any) -> str | None:
    """A worker hangs at each point, for longer than its lease; the world and another go on."""
    for changes in (
        {},
        {"notes": "call first"},
        {"ship_to": a.a_typed_address()},
        {"state": OrderState.CANCELLED},
    ):
        done = every_fault(partial(_hanging, make, changes, given), ZOMBIE_FAULTS, stop_at=1)
        if done.found:
            return f"{'/'.join(changes) or 'nothing'} changed, {done.found[0]}"
    return None


def _hanging(
    make: Callable[..., OrderTrial], changes: dict[str, Any], given: dict[str, Any]
) -> OrderTrial:
    trial = make(**given)
    site = trial.site

    def meanwhile() -> None:
        run_flow(site.context(), "orders")
        site.clock.advance(1)
        for each in placed(site) if changes else ():
            site.store.change_order(each, **changes)
        site.clock.advance(LATER + 100)
        run_flow(site.context(), "orders")

    trial.script.when_late(meanwhile)
    return trial


def schedules(site: Callable[[], Any], first: int, count: int) -> str | None:
    for seed in range(first, first + count):
        played = play(site(), seed)
        if played.violations:
            return f"seed {seed}: {played.violations[0]}"
    return None


@dataclass(frozen=True)
class Checks:
    """By name, the quick ones first; ``given`` are fields of the site, such as its ERP.

    Without ``thorough`` the enumerations are left out, which take seconds each.
    """

    given: dict[str, Any] = field(default_factory=dict)
    seeds: int = 40
    thorough: bool = True

    def orders(self) -> Iterator[tuple[str, Check]]:
        given = self.given
        yield "late commit", committed_late
        yield "quarantine", one_in_quarantine_and_one_behind_it
        yield "remapped while unknown", decided_again_after_a_lost_answer
        yield "changed while unknown", changed_while_unknown
        yield "committed after its answer", committed_after_its_answer
        yield "replayed without need", replayed_without_need
        yield "told by the next run", partial(told_by_the_next_run, **given)
        yield "zombies", partial(zombies, **given)
        if self.thorough:
            yield "edits at every point", edits_at_every_point
        yield "schedules", partial(schedules, partial(OrderSite, **given), 0, self.seeds)
        if self.thorough:
            make = partial(two_orders, **given)
            yield "single faults", partial(_enumerated, make, every_fault)
            # Some defects show only where several faults meet, and rarely.
            more = partial(schedules, partial(OrderSite, **given), self.seeds, 5 * self.seeds)
            yield "more schedules", more

    def groups(self) -> Iterator[tuple[str, Check]]:
        """Of orders that go in together; ``given`` makes an ERP of another kind."""
        yield "refused in a group", partial(one_refused_in_a_group, **self.given)
        yield "numbers of a group", partial(numbers_of_a_group, **self.given)
        yield "one of a group taken over", partial(one_of_a_group_taken_over, **self.given)
        committed = partial(group_committed_after_its_answer, **self.given)
        yield "group committed after its answer", committed
        yield "zombies in a group", partial(zombies, a_group, **self.given)
        if self.thorough:
            yield "edits at every point of a group", partial(edits_at_every_point, **GROUPS)
        site = partial(OrderSite, **{**GROUPS, **self.given})
        yield "schedules of groups", partial(schedules, site, 0, self.seeds)
        if self.thorough:
            make = partial(a_group, **self.given)
            yield "single faults of a group", partial(_enumerated, make, every_fault)

    def registrations(self) -> Iterator[tuple[str, Check]]:
        given = self.given
        yield "staff change their mind", partial(staff_change_their_mind, **given)
        yield "never a second customer", partial(never_a_second_customer, **given)
        for make in (mapped_only, made_active, carried_out, taken_up):
            name = f"single faults, {make.__name__}"
            yield name, partial(_enumerated, partial(make, **given), every_fault)
        in_time = partial(RegistrationsInTime, **given)
        yield "schedules of registrations", partial(schedules, in_time, 0, self.seeds)

    def cancellations(self) -> Iterator[tuple[str, Check]]:
        for happens in HAPPENINGS:
            told = happens.__name__.replace("_", " ")
            yield f"{told} meanwhile", partial(_first_of, something_happens, happens)
            yield f"{told} while a worker hangs", partial(_first_of, hangs_while, happens)
        yield "single faults of cancellations", partial(_enumerated, cancelled, every_fault)
        yield "schedules of cancellations", partial(schedules, CancellingSite, 0, self.seeds)

    def money(self) -> Iterator[tuple[str, Check]]:
        trials = [
            ("shipped", partial(shipped, **self.given)),
            ("refunded", partial(refunded, **self.given)),
        ]
        for name, trial in trials:
            yield f"{name}, and nothing fails", partial(nothing_fails, trial)
            yield f"lost answers once {name}", partial(lost_answers, trial)
        site = partial(MoneySite, **self.given)
        yield "schedules of money", partial(schedules, site, 0, self.seeds)
        for name, trial in trials if self.thorough else ():
            yield f"single faults once {name}", partial(_enumerated, trial, every_fault)

    def prices(self) -> Iterator[tuple[str, Check]]:
        """Of what is remembered of prices: no check that looks at everything heals it."""
        yield "what is told tomorrow", what_is_told_tomorrow
        yield "what nobody told", what_nobody_told
        yield "what came half way", what_came_half_way
        yield "one of two at once", one_of_two_at_once
        yield "what need not be read", what_need_not_be_read
        yield "states that dry up", states_that_dry_up
        yield "tables that are loaded anew", tables_that_are_loaded_anew
        make = partial(mirror, "prices", first=False)
        yield "single faults of prices", partial(_enumerated, make, every_fault)
        make = partial(mirror, "prices", first=False, states=tuple(PriceLevel))
        yield (
            "single faults of prices that need not be read",
            partial(_enumerated, make, every_fault),
        )

    def price_lists(self) -> Iterator[tuple[str, Check]]:
        """Of lists that accounts share."""
        yield "lists in calls of every size", lists_in_calls_of_every_size
        yield "single faults of price lists", _single_faults_about_lists

    def mirrors(self) -> Iterator[tuple[str, Check]]:
        yield "sources that dry up", sources_that_dry_up
        yield "walls and groups", walls_and_groups
        yield "files that lie", files_that_lie
        yield "schedules of mirrors", partial(schedules, MirrorSite, 0, self.seeds)
        for flow in MirrorSite().flows if self.thorough else ():
            make = partial(mirror, flow, first=False)
            yield f"single faults of {flow}", partial(_enumerated, make, every_fault)
