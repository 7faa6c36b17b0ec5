"""What the store has confirmed of ship-tos and invoices, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from sqlalchemy import Engine, text

from sync.domain.ids import CustomerId, StoreId
from sync.ports.erp import Feed
from sync.ports.record_memory import RecordMemory, Remembered
from sync.state import SqlState
from sync.state.keys import keys_of
from sync.testing.clock import ManualClock

ONE, OTHER = CustomerId("C-1"), CustomerId("c-1")
FIRST, SECOND = Remembered(b"a" * 16, 3), Remembered(b"b" * 16, 0)
BOTH = {ONE: FIRST, OTHER: SECOND}

Write = Callable[[RecordMemory], None]
WAITING = """
    SELECT count(*) FROM pg_stat_activity
     WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


def known(state: SqlState, kind: Feed = Feed.INVOICES) -> dict[CustomerId, Remembered]:
    with state.transaction() as on:
        return dict(on.record_memory.known(kind))


def fill(state: SqlState) -> None:
    with state.transaction() as on:
        on.record_memory.confirm(Feed.INVOICES, BOTH, {})


def test_what_was_confirmed_is_told_until_it_is_forgotten(state: SqlState) -> None:
    fill(state)
    assert known(state) == BOTH
    assert known(state, Feed.SHIP_TOS) == {}, "each kind is remembered by itself"
    with state.transaction() as on:
        on.record_memory.forget(Feed.INVOICES, [ONE])
    assert known(state) == {OTHER: SECOND}
    with state.transaction() as on:
        on.record_memory.confirm(Feed.INVOICES, {OTHER: FIRST}, {OTHER: SECOND})
    assert known(state) == {OTHER: FIRST}


@pytest.mark.rule("WA-8", "MI-1")
def test_what_somebody_else_forgot_meanwhile_is_not_confirmed(state: SqlState) -> None:
    fill(state)
    before = known(state)
    with state.transaction() as on:
        on.record_memory.forget_accounts([ONE])
    with state.transaction() as on:
        on.record_memory.confirm(Feed.INVOICES, BOTH, before)
        on.record_memory.confirm(Feed.SHIP_TOS, BOTH, {})
    for kind in (Feed.INVOICES, Feed.SHIP_TOS):
        held = known(state, kind)
        assert held[ONE].forgotten
        assert held[OTHER] == SECOND


@pytest.mark.rule("WA-8", "MI-1")
def test_what_a_run_forgets_of_its_own_hides_no_mark(state: SqlState) -> None:
    fill(state)
    with state.transaction() as on:
        on.record_memory.forget_accounts([ONE])
        on.record_memory.forget(Feed.INVOICES, [ONE])
        on.record_memory.confirm(Feed.INVOICES, {ONE: FIRST}, {})
    assert known(state)[ONE].forgotten


def test_each_mark_is_another_one_and_is_overcome_by_who_knew_it(state: SqlState) -> None:
    marks = []
    for _ in range(2):
        with state.transaction() as on:
            on.record_memory.forget_accounts([ONE])
        marks.append(known(state)[ONE])
    assert marks[0] != marks[1]
    with state.transaction() as on:
        on.record_memory.confirm(Feed.INVOICES, {ONE: FIRST}, {ONE: marks[0]})
    assert known(state)[ONE] == marks[1]
    with state.transaction() as on:
        on.record_memory.confirm(Feed.INVOICES, {ONE: FIRST}, {ONE: marks[1]})
    assert known(state)[ONE] == FIRST


def test_what_another_store_had_confirmed_is_not_believed(
    engine: Engine, clock: ManualClock
) -> None:
    here, there = (
        SqlState(engine, "p", StoreId(name), keys_of(StoreId(name), 64), clock)
        for name in ("here", "there")
    )
    fill(here)
    assert known(there) == {}
    fill(there)
    assert known(here) == {}, "the pipeline has had another store since"


def test_many_accounts_are_remembered_in_pieces(state: SqlState) -> None:
    many = {CustomerId(f"M-{n}"): Remembered(n.to_bytes(16, "big"), n) for n in range(450)}
    with state.transaction() as on:
        on.record_memory.confirm(Feed.INVOICES, many, {})
    assert known(state) == many
    with state.transaction() as on:
        on.record_memory.forget(Feed.INVOICES, many)
    assert known(state) == {}


@pytest.fixture
def served(postgres_engine: Engine, clock: ManualClock) -> SqlState:
    """A state on a server, where two may write at once; SQLite lets nobody else begin."""
    store = StoreId("shop")
    return SqlState(postgres_engine, f"at-once-{uuid4()}", store, keys_of(store, 64), clock)


def while_open(state: SqlState, engine: Engine, first: Write, second: Write) -> None:
    """The second begins while the first has written, and is not done yet."""

    def write() -> None:
        with state.transaction() as on:
            second(on.record_memory)

    with ThreadPoolExecutor(1) as other:
        with state.transaction() as on:
            first(on.record_memory)
            written = other.submit(write)
            with engine.connect() as beside:
                while not written.done() and not beside.scalar(text(WAITING)):
                    beside.rollback()
        written.result()


@pytest.mark.rule("WA-8", "MI-1", "OP-1")
def test_who_forgets_while_another_confirms_wins(served: SqlState, postgres_engine: Engine) -> None:
    while_open(
        *(served, postgres_engine),
        lambda memory: memory.confirm(Feed.INVOICES, BOTH, {}),
        lambda memory: memory.forget_accounts([ONE]),
    )
    assert known(served)[ONE].forgotten
    assert known(served)[OTHER] == SECOND


@pytest.mark.rule("WA-8", "MI-1", "OP-1")
@pytest.mark.parametrize("before", [{}, {ONE: SECOND}])
def test_who_confirms_while_another_forgets_confirms_nothing(
    served: SqlState, postgres_engine: Engine, before: dict[CustomerId, Remembered]
) -> None:
    with served.transaction() as on:
        on.record_memory.confirm(Feed.INVOICES, before, {})
    while_open(
        *(served, postgres_engine),
        lambda memory: memory.forget_accounts([ONE]),
        lambda memory: memory.confirm(Feed.INVOICES, BOTH, before),
    )
    assert known(served)[ONE].forgotten
    assert known(served)[OTHER] == SECOND
