"""A person is erased, and stays erased, whatever the two systems do afterwards (OP-9)."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import update

from sync.domain.decision import Decision
from sync.domain.erasure import ERASED, Person
from sync.domain.ids import ErpOrderNumber
from sync.domain.order import Buyer, OrderState, Payment, PaymentState, UnreadableOrder, WebOrder
from sync.domain.sales_order import ErpOrderState
from sync.ports.audit import AuditFilter, AuditRecord, RecordKind
from sync.ports.notices import notice_for
from sync.ports.state import LedgerState, RequestState, ResyncScope
from sync.state import SqlState, erased_rows
from sync.state.engine import sqlite_file
from sync.state.erasing import Erased, FoundOrder
from sync.state.purging import purge
from sync.state.schema import ledger, mapping_refusals, requests
from sync.testing import builders as a
from sync.testing.faults import Script
from tests.scenarios.world import RETAIL, MakeWorld, World, guest_order, harbour_order, order_id

pytestmark = pytest.mark.rule("OP-9")

EMAIL = "ada.quirk@buyer.example"
# Each of these stands in a field of its own and must be gone from everywhere.
NAMES = (
    EMAIL, "Ada Quirk", "Zebra Street 12", "3rd staircase", "Quirkville", "QV-9911", "Quirkshire",
    "c/o Mrs Quirkson", "+31 6 5550 0199", "leave it with Mr Quirkman", "for Quirky Bob",
    "Quirk for the party",
)  # fmt: skip
ADA = Person(email=EMAIL)


def adas_order(number: int = 1, **changes: Any) -> WebOrder:
    """A guest's order that says a lot about her."""
    address = a.a_typed_address(
        name="Ada Quirk", lines=("Zebra Street 12", "3rd staircase"), city="Quirkville",
        postal_code="QV-9911", region="Quirkshire", attention="c/o Mrs Quirkson",
        phone="+31 6 5550 0199", email=EMAIL,
    )  # fmt: skip
    base: dict[str, Any] = {
        "buyer": Buyer(email=EMAIL, phone="+31 6 5550 0199"),
        "ship_to": address,
        "bill_to": address,
        "notes": "leave it with Mr Quirkman",
        "lines": (a.a_line(note="for Quirky Bob"),),
        "po_number": "Quirk for the party",
    }
    return guest_order(number, **base | changes)


def kept(world: World) -> SqlState:
    assert isinstance(world.state, SqlState)
    return world.state


def find(world: World, person: Person = ADA) -> list[FoundOrder]:
    with kept(world).transaction() as state:
        return state.erasure.of_person(person)


def erase(world: World, person: Person = ADA, reason: str = "request 12") -> Erased:
    with kept(world).transaction() as state:
        found = state.erasure.of_person(person)
        return state.erasure.erase(found, person, "ann", reason, world.clock.now())


def names_in(told: str) -> list[str]:
    return [name for name in NAMES if name.casefold() in told.casefold()]


def names_in_files(world: World) -> list[str]:
    """Which of her words stand in the bytes of the database or of its log."""
    file = sqlite_file(world.engine.url)
    assert file is not None
    parts = (file, *(file.with_name(file.name + each) for each in ("-wal", "-journal")))
    held = b"".join(each.read_bytes() for each in parts if each.exists())
    return [name for name in NAMES if name.encode() in held]


@pytest.fixture
def done(world: World) -> World:
    """Ada's order is in the ERP, and so is one of a company."""
    world.store.place_order(adas_order())
    world.store.place_order(harbour_order(2))
    world.import_orders()
    assert world.state_of() is world.state_of(2) is LedgerState.ACKNOWLEDGED
    return world


def test_nothing_of_her_is_left_and_keys_and_amounts_are(done: World) -> None:
    before, other = done.entry(), done.entry(2)
    assert names_in("\n".join(done.dump()))
    assert erase(done).orders == 1
    assert names_in("\n".join(done.dump())) == []

    after = done.entry()
    assert after.erased
    assert (after.key, after.number, after.erp_order) == (
        before.key,
        before.number,
        before.erp_order,
    )
    assert (after.state, after.imported_at) == (before.state, before.imported_at)
    assert isinstance(after.order, WebOrder)
    assert isinstance(before.order, WebOrder)
    assert after.order.total == before.order.total
    assert after.order.placed_at == before.order.placed_at
    assert [(each.sku, each.quantity, each.unit_price) for each in after.order.lines] == [
        (each.sku, each.quantity, each.unit_price) for each in before.order.lines
    ]
    assert [each.reference for each in after.order.payments] == [
        each.reference for each in before.order.payments
    ]
    assert after.decision is not None
    assert before.decision is not None
    assert after.decision.customer_id == before.decision.customer_id
    assert after.frozen is not None
    assert before.frozen is not None
    assert after.frozen.total == before.frozen.total
    assert done.entry(2) == other


def test_her_words_are_gone_from_the_files_too(done: World) -> None:
    # A version that was replaced lives on in free pages.
    for number in range(10, 30):
        done.store.place_order(adas_order(number))
    done.import_orders()
    assert set(names_in_files(done)) == set(NAMES)
    erase(done)
    purge(done.engine)
    assert names_in_files(done) == []
    assert done.state_of() is LedgerState.ACKNOWLEDGED


def test_it_is_noted_without_her(done: World) -> None:
    erase(done, reason=f"{EMAIL} wrote: erase Ada Quirk")
    with done.state.transaction() as state:
        noted = state.audit.entries(limit=1)[0]
        history = state.ledger.history(order_id(1))
    assert (noted.action, noted.actor) == ("person.erased", "ann")
    assert (noted.subject, noted.reason) == ("1 orders: W-1", f"{ERASED} wrote: erase {ERASED}")
    assert (history[-1].event, history[-1].actor) == ("erased", "ann")


def test_a_second_time_does_nothing(done: World) -> None:
    erase(done)
    dump = done.dump()
    assert [each.number for each in find(done)] == []
    assert erase(done) == Erased()
    with kept(done).transaction() as state:
        found = state.erasure.of_order(order_id(1))
        assert [(each.erased, each.way_out) for each in found] == [(True, None)]
        assert state.erasure.erase(found, Person(), "ann", "again", done.clock.now()) == Erased()
    assert done.dump() == dump


def test_what_people_and_systems_said_of_her_goes_too(done: World) -> None:
    with done.state.transaction() as state:
        now = done.clock.now()
        state.audit.note("bob", "order.replayed", "W-1", "her mother phoned", now)
        state.audit.note("bob", "plan.confirmed", "prices-1", "ada QUIRK asked for it", now)
        state.audit.note("bob", "plan.confirmed", "prices-2", "Ada Quirksen is another", now)
        state.runs.start("run-9", "orders", now)
        state.runs.finish("run-9", "failed", {}, f"W-1: {EMAIL} is no address", now)
        asked = state.requests.ask("orders", ResyncScope(order="Ada Quirk"), "bob", now)
        state.mappings.save_good("v1", {"customers.csv": "# Ada Quirk\n"}, now)
        state.mappings.save_good("v2", {"customers.csv": "# bo\n", "codes.yaml": "# "}, now)
        state.mappings.note_refused("v3", (f"customers.csv:2: {EMAIL}",), now)
    told = erase(done)
    assert told.elsewhere == 6
    assert told.mapping_files == ()
    assert names_in("\n".join(each for each in done.dump() if "Quirksen" not in each)) == []
    with done.state.transaction() as state:
        reasons = {(each.subject, each.reason) for each in state.audit.entries()}
        request = state.requests.get(asked)
    assert {("prices-2", "Ada Quirksen is another"), ("W-1", ERASED)} <= reasons
    assert request is not None
    assert request.scope.order == ERASED


def test_a_name_that_somebody_typed_for_an_order_is_no_key_of_the_trail(done: World) -> None:
    with done.state.transaction() as state:
        typed = [AuditRecord(RecordKind.ORDER, "Ada Quirk"), AuditRecord(RecordKind.USER, "u-7")]
        state.audit.note(
            "bob", "resync.run", "orders, order Ada Quirk", "", done.clock.now(), typed
        )
    erase(done)
    with done.state.transaction() as state:
        (noted,) = state.audit.entries(AuditFilter(action="resync.run"))
    assert noted.subject == f"orders, order {ERASED}"
    assert [each.key for each in noted.records] == [ERASED, "u-7"]
    assert names_in("\n".join(done.dump())) == []


# Words that a buyer may well type, and that the rows of the state are written with.
ORDINARY = ("customer", "order", "false", "ResyncScope", "2025", 'say "hi"', "hinted")


@pytest.mark.parametrize("note", ORDINARY)
def test_what_was_asked_for_stays_what_it_was_whatever_she_wrote(world: World, note: str) -> None:
    now = world.clock.now()
    scope = ResyncScope(customer="C-1001", since=now, hinted=(order_id(7),))
    world.store.place_order(guest_order(1, notes=note))
    world.import_orders()
    with kept(world).transaction() as state:
        state.requests.ask("orders", scope, "bob", now)
        state.requests.ask("orders", replace(scope, order=f"the {note} one"), "bob", now)
        state.mappings.save_good("v1", {"customers.csv": "# bo\n"}, now)
        state.mappings.note_refused("v2", (f"customers.csv:2: {note} is none", "1"), now)
        found = state.erasure.of_order(order_id(1))
        state.erasure.erase(found, Person(), "ann", "request 12", now)
    with kept(world).transaction() as state:
        first, second = state.requests.next(now), state.requests.next(now)
        good = state.mappings.last_good()
    assert first is not None
    assert second is not None
    assert good is not None
    assert (first.scope, second.scope) == (scope, replace(scope, order=f"the {ERASED} one"))
    assert good.refused_problems == (f"customers.csv:2: {ERASED} is none", "1")


def test_a_row_that_cannot_be_read_keeps_nobody_from_being_erased(done: World) -> None:
    now = done.clock.now()
    with kept(done).transaction() as state:
        asked = state.requests.ask("orders", ResyncScope(), "bob", now)
        state.mappings.save_good("v1", {"customers.csv": "# bo\n"}, now)
        state.mappings.note_refused("v2", ("x",), now)
    with done.engine.begin() as connection:
        connection.execute(update(requests).values(scope="{Ada Quirk"))
        connection.execute(update(mapping_refusals).values(problems='["Ada Quirk'))
    erase(done)
    assert names_in("\n".join(done.dump())) == []
    with kept(done).transaction() as state:
        assert state.requests.next(now) is None
        request = state.requests.get(asked)
    assert request is not None
    assert request.state is RequestState.FAILED


def test_a_mapping_in_force_is_the_administrators_to_edit(done: World) -> None:
    with done.state.transaction() as state:
        now = done.clock.now()
        state.mappings.save_good("v1", {"a.csv": f"{EMAIL},1\n", "b.csv": "2"}, now)
    assert erase(done).mapping_files == ("a.csv",)


class TestStillOnTheirWay:
    """An order that is not finished needs its addresses."""

    def refused(self, world: World) -> str:
        dump = world.dump()
        (found,) = find(world)
        with pytest.raises(ValueError, match="still on their way: W-1"):
            erase(world)
        assert world.dump() == dump
        assert found.way_out is not None
        return found.way_out

    def test_discovered(self, world: World) -> None:
        world.store.place_order(adas_order())
        with world.state.transaction() as state:
            state.ledger.discover(adas_order(), world.clock.now())
        assert "resync orders --order W-1" in self.refused(world)

    def test_waiting(self, world: World) -> None:
        world.store.place_order(adas_order(state=OrderState.CREATED))
        world.import_orders()
        assert world.state_of() is LedgerState.WAITING
        assert "cancelled in the store" in self.refused(world)

    def test_submitting(self, world: World) -> None:
        with world.state.transaction() as state:
            state.ledger.discover(adas_order(), world.clock.now())
            assert state.ledger.claim(order_id(1), world.clock.now(), 60) is not None
        assert "let it finish" in self.refused(world)

    def test_quarantined_until_it_is_dismissed(self, world: World) -> None:
        card = Payment("card", PaymentState.DECLINED)
        world.store.place_order(adas_order(payments=(card,)))
        world.import_orders()
        assert world.state_of() is LedgerState.QUARANTINED
        assert "quarantine dismiss W-1" in self.refused(world)
        world.dismiss(reason="Ada Quirk does not want it any more")
        world.import_orders()
        assert erase(world).orders == 1
        assert names_in("\n".join(world.dump())) == []
        entry = world.entry()
        assert entry.closing is not None
        # What was in the way can still be told by its code.
        with world.state.transaction() as state:
            details = {each.event: each.detail for each in state.ledger.history(order_id(1))}
        assert "payment" in details["quarantined"]
        assert details["quarantined"].endswith(ERASED)

    def test_imported_and_not_shown_yet(self, world: World) -> None:
        with world.state.transaction() as state:
            now = world.clock.now()
            state.ledger.discover(adas_order(), now)
            claim = state.ledger.claim(order_id(1), now, 60)
            assert claim is not None
            decision = Decision(RETAIL, True, "retail_group", "v1", now)
            state.ledger.freeze(claim, a.a_retail_sales_order(), decision, now)
            state.ledger.record_imported(claim, ErpOrderNumber("SO-1"), now)
        assert world.state_of() is LedgerState.IMPORTED
        assert "does not show its ERP order" in self.refused(world)

    def test_in_review(self, done: World) -> None:
        done.edit(state=OrderState.CANCELLED)
        done.import_orders()
        assert done.state_of() is LedgerState.REVIEW
        assert "dismiss" in self.refused(done)

    def test_a_change_that_nobody_judged(self, done: World) -> None:
        with done.state.transaction() as state:
            changed = replace(adas_order(), state=OrderState.CANCELLED)
            moved = replace(changed, modified_at=done.clock.now())
            state.ledger.discover(moved, done.clock.now())
        assert "not judged yet" in self.refused(done)

    def test_one_of_them_keeps_the_others(self, done: World) -> None:
        done.store.place_order(adas_order(3, state=OrderState.CREATED))
        done.import_orders()
        with pytest.raises(ValueError, match="W-3"):
            erase(done)
        assert not done.entry(1).erased


class TestAfterwards:
    @pytest.fixture
    def erased(self, done: World) -> World:
        erase(done)
        return done

    def test_the_store_shows_it_again_and_nothing_comes_of_it(self, erased: World) -> None:
        erased.run("order_status")
        dump = [line for line in erased.dump() if not line.startswith(("runs:", "watermarks:"))]
        for _ in range(2):
            erased.run("orders", everything=True)
            erased.run("order_status")
        again = [line for line in erased.dump() if not line.startswith(("runs:", "watermarks:"))]
        assert again == dump
        assert len(erased.in_erp()) == 1
        assert names_in("\n".join(erased.dump())) == []

    def test_another_address_or_note_is_no_news_and_does_not_come_in(self, erased: World) -> None:
        erased.edit(notes="ring at Zebra Street 12", ship_to=a.a_typed_address(name="Ada Quirk"))
        erased.import_orders()
        assert erased.state_of() is LedgerState.ACKNOWLEDGED
        assert names_in("\n".join(erased.dump())) == []

    def test_the_store_erases_her_too(self, erased: World) -> None:
        erased.edit(buyer=Buyer(), ship_to=None, bill_to=None, notes=None, po_number=None)
        erased.import_orders()
        assert erased.state_of() is LedgerState.ACKNOWLEDGED

    def test_another_quantity_goes_to_review_without_her(self, erased: World) -> None:
        erased.edit(lines=(a.a_line(quantity=Decimal(11), note="for Quirky Bob"),))
        erased.import_orders()
        entry = erased.entry()
        assert entry.state is LedgerState.REVIEW
        assert "11 x" in " ".join(entry.differences)
        assert names_in("\n".join(erased.dump())) == []
        assert erased.dismiss(reason="agreed by phone")
        erased.run("orders", everything=True)
        assert erased.state_of() is LedgerState.ACKNOWLEDGED
        assert erased.entry().erased
        assert names_in("\n".join(erased.dump())) == []

    def test_a_cancellation_goes_to_review(self, erased: World) -> None:
        erased.edit(state=OrderState.CANCELLED)
        erased.import_orders()
        assert erased.state_of() is LedgerState.REVIEW

    def test_it_can_no_longer_be_read(self, erased: World) -> None:
        erased.clock.advance(60)
        order = adas_order()
        erased.store.place_order(
            UnreadableOrder(order.order_id, order.number, erased.clock.now(), ("Ada Quirk",), EMAIL)
        )
        erased.import_orders()
        assert erased.state_of() is LedgerState.REVIEW
        assert names_in("\n".join(erased.dump())) == []

    def test_the_erp_refuses_it_later_and_it_is_never_sent_again(self, erased: World) -> None:
        refused = a.an_order_status(state=ErpOrderState.REFUSED, message="Ada Quirk owes us")
        erased.erp.set_order_status(erased.entry().key, refused)
        erased.run("order_status")
        entry = erased.entry()
        assert entry.state is LedgerState.QUARANTINED
        assert [problem.code for problem in entry.problems] == ["erp_refused"]
        assert names_in("\n".join(erased.dump())) == []
        # Neither a person nor an edit in the store brings it back.
        assert not erased.replay()
        erased.edit(total=a.money("100.00"))
        erased.import_orders()
        assert erased.state_of() is LedgerState.QUARANTINED
        assert names_in("\n".join(erased.dump())) == []
        assert erased.dismiss()
        erased.run("orders", everything=True)
        assert erased.state_of() is LedgerState.CLOSED
        assert len(erased.in_erp()) == 1

    def test_a_status_that_names_her_is_told_once_and_without_her(self, erased: World) -> None:
        held = a.an_order_status(state=ErpOrderState.ON_HOLD, message="call Ada Quirk")
        erased.erp.set_order_status(erased.entry().key, held)
        erased.run("order_status")
        writes = erased.store.writes
        assert erased.run("order_status").counts.get("status_shown", 0) == 0
        assert erased.store.writes == writes
        assert names_in("\n".join(erased.dump())) == []

    def test_a_cancelled_order_that_is_open_again_cannot_be_replayed(self, world: World) -> None:
        world.store.place_order(adas_order(state=OrderState.CANCELLED))
        world.import_orders()
        assert world.state_of() is LedgerState.CLOSED
        erase(world)
        world.edit(state=OrderState.AWAITING_FULFILMENT)
        world.import_orders()
        assert world.state_of() is LedgerState.REVIEW
        assert not world.replay()
        world.import_orders()
        assert world.in_erp() == []

    def test_a_notice_that_was_on_its_way_does_not_bring_her_back(self, world: World) -> None:
        """The flow read the entry before she was erased, and writes it down afterwards."""
        world.store.place_order(adas_order(payments=(Payment("card", PaymentState.DECLINED),)))
        world.import_orders()
        world.dismiss(reason="Ada Quirk does not want it")
        with world.state.transaction() as state:
            (entry,) = state.ledger.to_show(10)
        erase(world)
        notice = notice_for(entry)
        assert notice is not None
        assert "Ada Quirk" in (notice.message or "")
        with world.state.transaction() as state:
            state.ledger.record_shown(order_id(1), notice, world.clock.now(), since=entry)
        assert names_in("\n".join(world.dump())) == []


def test_an_order_that_arrives_after_it_was_erased_brings_nothing_back(
    make_world: MakeWorld,
) -> None:
    """The worker that sent it hung; meanwhile it was cancelled, closed and erased."""
    script = Script()
    world = make_world(script=script)
    world.store.place_order(adas_order())

    def meanwhile() -> None:
        world.script = None
        world.edit(1, state=OrderState.CANCELLED)
        world.clock.advance(500)
        world.import_orders()
        assert erase(world).orders == 1
        world.script = script

    script.meanwhile("erp.submit_order", meanwhile)
    world.import_orders()
    world.script = None
    world.import_orders()
    assert not script.unused
    entry = world.entry(1)
    assert entry.state is LedgerState.REVIEW
    assert entry.erp_order == world.in_erp(1)[0].number
    assert names_in("\n".join(world.dump())) == []


def test_other_orders_with_her_address_are_named(done: World) -> None:
    done.store.place_order(harbour_order(3, buyer=replace(a.a_wholesale_buyer(), email=EMAIL)))
    done.import_orders()
    with kept(done).transaction() as state:
        found = state.erasure.of_order(order_id(1))
        assert state.erasure.sharing_an_address(found) == ["W-3"]
    assert [each.number for each in find(done)] == ["W-1", "W-3"]
    assert [each.number for each in find(done, Person(a.WEB_USER))] == ["W-2", "W-3"]


def test_every_column_of_the_ledger_is_kept_or_taken_out() -> None:
    """A column that comes in without a word about erasure fails here."""
    assert {each.name for each in ledger.columns} == erased_rows.KEPT | erased_rows.TAKEN_OUT
    assert not erased_rows.KEPT & erased_rows.TAKEN_OUT


def test_an_address_is_found_whole_or_not_at_all(done: World) -> None:
    assert find(done, Person(email="quirk@buyer.example")) == []
    assert find(done, Person(email="nobody@buyer.example")) == []
