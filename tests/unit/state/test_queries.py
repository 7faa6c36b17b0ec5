"""Operators' questions, and that no cycle reads what is long done."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event, text

from sync.domain.ids import ChannelId, CustomerId, StoreId, WebOrderId, WebOrderNumber
from sync.ports.state import LedgerFilter, LedgerState, PlacedOrder
from sync.state import SqlState
from sync.state.keys import keys_of
from sync.state.schema import ledger as table
from sync.testing.builders import ACCOUNT, a_web_order
from sync.testing.clock import ManualClock
from tests.unit.state.cost import instructions
from tests.unit.state.steps import UNMAPPED, Steps

A, B, C = (WebOrderId(name) for name in "abc")


@pytest.fixture
def three(ledger: Steps) -> Steps:
    """a is imported, b in quarantine, c just discovered a day later."""
    for order_id, channel in ((A, "web"), (B, "app")):
        ledger.discover(
            a_web_order(
                order_id=order_id,
                number=WebOrderNumber(f"W-{order_id}"),
                channel=ChannelId(channel),
            )
        )
        ledger.pass_time(60)
    claim = ledger.claim(A)
    ledger.freeze(claim)
    ledger.imported(claim)
    ledger.pass_time(60)
    ledger.quarantined(ledger.claim(B), UNMAPPED)
    ledger.pass_time(86400)
    ledger.discover(a_web_order(order_id=C))
    return ledger


def found(ledger: Steps, wanted: LedgerFilter) -> list[str]:
    with ledger.state.transaction() as on:
        return [entry.order_id.value for entry in on.ledger.entries(wanted)]


@pytest.mark.rule("OI-2")
def test_entries_are_found_by_what_an_operator_knows(three: Steps) -> None:
    day_before = three.now - timedelta(hours=1)
    assert found(three, LedgerFilter()) == ["c", "b", "a"]
    assert found(three, LedgerFilter(limit=1)) == ["c"]
    states = frozenset({LedgerState.QUARANTINED, LedgerState.IMPORTED})
    assert found(three, LedgerFilter(states=states)) == ["b", "a"]
    assert found(three, LedgerFilter(order_ids=frozenset({A, C}))) == ["c", "a"]
    assert found(three, LedgerFilter(numbers=frozenset({"W-b"}))) == ["b"]
    assert found(three, LedgerFilter(code="user_unmapped")) == ["b"]
    assert found(three, LedgerFilter(code="user")) == []
    assert found(three, LedgerFilter(code="user%")) == []
    assert found(three, LedgerFilter(customer_id=ACCOUNT)) == ["a"]
    assert found(three, LedgerFilter(channel=ChannelId("app"))) == ["b"]
    assert found(three, LedgerFilter(seen_before=day_before)) == ["b", "a"]


@pytest.mark.rule("TL-7")
def test_orders_under_an_account_are_those_that_the_erp_has_or_may_have(ledger: Steps) -> None:
    for order_id in (A, B, C):
        ledger.discover(a_web_order(order_id=order_id))
    written = ledger.claim(A)
    ledger.freeze(written)
    ledger.imported(written)
    ledger.freeze(ledger.claim(B))
    ledger.quarantined(ledger.claim(C), UNMAPPED)
    everybody = [CustomerId(f"B-{number:04}") for number in range(1200)]
    with ledger.state.transaction() as on:
        found = {each.order_id: each for each in on.ledger.placed_under([*everybody, ACCOUNT])}
        assert on.ledger.placed_under([CustomerId("C-2002")]) == []
        assert on.ledger.placed_under([]) == []
        entry = on.ledger.entry(A)
    assert entry is not None
    assert found.keys() == {A, B}
    assert found[A] == PlacedOrder(A, entry.number, entry.key, ACCOUNT, entry.erp_order)
    assert found[B].erp_order is None


def test_a_waiting_order_is_found_by_its_code(ledger: Steps) -> None:
    ledger.discover()
    ledger.waiting(ledger.claim())
    assert found(ledger, LedgerFilter(code="payment_pending")) == ["order-1"]


def test_an_unknown_order_is_none(ledger: Steps) -> None:
    with ledger.state.transaction() as on:
        assert on.ledger.entry(WebOrderId("never-seen")) is None


@pytest.mark.rule("OI-2")
def test_every_order_is_counted_in_exactly_one_state(three: Steps) -> None:
    with three.state.transaction() as on:
        assert on.ledger.counts() == {
            LedgerState.IMPORTED: 1,
            LedgerState.QUARANTINED: 1,
            LedgerState.DISCOVERED: 1,
        }


QUESTIONS = {
    "due": "ix_ledger_due",
    "changed_since": "ix_ledger_change",
    "to_show": "ix_ledger_notice",
    "open_orders": "ix_ledger_open",
    "told": "ix_ledger_told",
    "counts": "ix_ledger_state",
    "entries": "ix_ledger_changed",
}


@pytest.mark.parametrize("question, index", QUESTIONS.items())
def test_every_question_of_a_cycle_has_its_index(
    sqlite_engine: Engine, clock: ManualClock, question: str, index: str
) -> None:
    """SQLite says how it would answer; a scan of the table or a sort is too much."""
    state = SqlState(sqlite_engine, "p", StoreId("shop"), keys_of(StoreId("shop"), 64), clock)
    asked: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, sql: str, values: Any, *_rest: object) -> None:
        asked.append((sql, values))

    with state.transaction() as on:
        event.listen(sqlite_engine, "before_cursor_execute", note)
        match question:
            case "due":
                on.ledger.due(clock.now(), 10)
            case "changed_since":
                on.ledger.changed_since(10)
            case "to_show":
                on.ledger.to_show(10)
            case "open_orders":
                on.ledger.open_orders(A, 10)
            case "told":
                on.ledger.told(clock.now() - timedelta(days=3), clock.now(), None, 10)
            case "counts":
                on.ledger.counts()
            case "entries":
                on.ledger.entries(LedgerFilter(limit=10))
        event.remove(sqlite_engine, "before_cursor_execute", note)
    [(sql, values)] = asked
    with sqlite_engine.begin() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values).all()
    told = " ".join(row[-1] for row in plan)
    assert index in told
    assert "TEMP B-TREE FOR ORDER BY" not in told or question == "entries"


@pytest.mark.rule("MI-2")
def test_a_cycle_without_news_costs_the_same_beside_a_hundred_thousand_finished_orders(
    sqlite_engine: Engine, clock: ManualClock
) -> None:
    """Counted in SQLite's own instructions, not in seconds."""
    state = SqlState(sqlite_engine, "p", StoreId("shop"), keys_of(StoreId("shop"), 64), clock)
    steps = Steps(state, clock)
    steps.brought_in()
    steps.show()
    with sqlite_engine.begin() as connection:
        connection.execute(text("UPDATE ledger SET status_open = 0"))
    before = _instructions_of_a_cycle(steps, sqlite_engine)
    with sqlite_engine.begin() as connection:
        copied = ", ".join("'o' || n" if c.name == "order_id" else c.name for c in table.columns)
        connection.exec_driver_sql(
            "WITH RECURSIVE numbers(n) AS"
            " (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 100000)"
            f" INSERT INTO ledger SELECT {copied} FROM ledger, numbers"
        )
    after = _instructions_of_a_cycle(steps, sqlite_engine)
    assert after <= before + 1


def _instructions_of_a_cycle(steps: Steps, engine: Engine) -> int:
    def cycle() -> None:
        with steps.state.transaction() as on:
            on.ledger.due(steps.now, 100)
            on.ledger.changed_since(100)
            on.ledger.to_show(100)
            on.ledger.open_orders(None, 100)

    return instructions(engine, cycle)
