"""What people decided: found by who, what, when and about whom, and read a page at a time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import Engine, event

from sync.ports.audit import AuditEntry, AuditFilter, AuditRecord, RecordKind
from sync.state import SqlState
from sync.testing.clock import ManualClock

pytestmark = pytest.mark.rule("OI-2", "OP-4")

USER = AuditRecord(RecordKind.USER, "u-1", "000101", "000102")
ORDER = AuditRecord(RecordKind.ORDER, "order-1", "quarantined: user_unmapped", "closed")


@pytest.fixture
def noted(state: SqlState, clock: ManualClock) -> SqlState:
    """One decision an hour; the last two at the same moment."""
    with state.transaction() as on:
        note, hour = on.audit.note, timedelta(hours=1)
        note("ann", "map", "user u-1 -> 000102", "moved", clock.now(), [USER])
        note("bob", "order.dismissed", "W-1", "by phone", clock.now() + hour, [ORDER])
        note("ann", "order.replayed", "W-1", "mapped", clock.now() + 2 * hour, [ORDER, USER])
        note("ann", "orderly", "nothing of an order", "", clock.now() + 2 * hour)
    return state


def subjects(state: SqlState, wanted: AuditFilter, **page: int) -> list[str]:
    with state.transaction() as on:
        return [each.action for each in on.audit.entries(wanted, **page)]


def test_each_part_of_a_filter_leaves_out_what_does_not_meet_it(
    noted: SqlState, clock: ManualClock
) -> None:
    everything = ["orderly", "order.replayed", "order.dismissed", "map"]
    hour = clock.now() + timedelta(hours=1)
    assert subjects(noted, AuditFilter()) == everything
    assert subjects(noted, AuditFilter(actor="bob")) == ["order.dismissed"]
    assert subjects(noted, AuditFilter(action="order")) == ["order.replayed", "order.dismissed"]
    assert subjects(noted, AuditFilter(action="order.dismissed")) == ["order.dismissed"]
    assert subjects(noted, AuditFilter(action="orde")) == []
    assert subjects(noted, AuditFilter(record=(RecordKind.USER, "u-1"))) == [
        "order.replayed",
        "map",
    ]
    assert subjects(noted, AuditFilter(record=(RecordKind.CUSTOMER, "u-1"))) == []
    assert subjects(noted, AuditFilter(since=hour)) == everything[:3]
    assert subjects(noted, AuditFilter(until=hour)) == everything[2:]
    assert subjects(noted, AuditFilter(actor="ann", action="order", since=hour)) == [
        "order.replayed"
    ]


def test_pages_follow_each_other_without_a_gap_and_without_one_twice(noted: SqlState) -> None:
    seen: list[AuditEntry] = []
    with noted.transaction() as on:
        while page := on.audit.entries(before=seen[-1].number if seen else None, limit=1):
            seen.extend(page)
        assert [each.number for each in seen] == [each.number for each in on.audit.entries()]
        with pytest.raises(KeyError):
            on.audit.entries(before=seen[0].number + 1000)


def test_another_pipelines_decisions_are_not_seen(
    noted: SqlState, state_of: Callable[..., SqlState]
) -> None:
    other = state_of()
    assert subjects(other, AuditFilter()) == []
    assert subjects(other, AuditFilter(record=(RecordKind.USER, "u-1"))) == []
    with noted.transaction() as on:
        number = on.audit.entries()[0].number
    with other.transaction() as on:
        with pytest.raises(KeyError):
            on.audit.entries(before=number)
        assert not on.audit.settle(number)
        assert not on.audit.withdraw(number)


def test_an_entry_tells_who_when_why_and_what_before_and_since(
    noted: SqlState, clock: ManualClock
) -> None:
    with noted.transaction() as on:
        (entry,) = on.audit.entries(AuditFilter(actor="bob"))
        assert on.audit.actors() == ["ann", "bob"]
        assert on.audit.actions() == ["map", "order.dismissed", "order.replayed", "orderly"]
    told = (entry.actor, entry.action, entry.subject, entry.reason, entry.records, entry.more)
    assert told == ("bob", "order.dismissed", "W-1", "by phone", (ORDER,), 0)
    assert entry.at == clock.now() + timedelta(hours=1)
    assert not entry.begun


def test_of_a_hundred_thousand_records_only_as_many_are_read_as_were_asked_for(
    state: SqlState, clock: ManualClock
) -> None:
    many = [AuditRecord(RecordKind.USER, f"u-{number}") for number in range(2500)]
    with state.transaction() as on:
        on.audit.note("ann", "import", "a sheet", "", clock.now(), iter(many))
        (entry,) = on.audit.entries(records=3)
        assert entry.records == tuple(many[:3])
        assert entry.more == 2497
        (entry,) = on.audit.entries(AuditFilter(record=(RecordKind.USER, "u-2499")), records=5000)
        assert entry.records == tuple(many)


def test_what_is_announced_is_settled_or_withdrawn_once(
    state: SqlState, clock: ManualClock
) -> None:
    with state.transaction() as on:
        done = on.audit.note("ann", "map", "u-1", "", clock.now(), [USER], begun=True)
        never = on.audit.note("bob", "map", "u-2", "", clock.now(), [USER], begun=True)
        assert [each.number for each in on.audit.announced()] == [done, never]
        assert [each.begun for each in on.audit.entries()] == [True, True]
        assert on.audit.settle(done, ", after all")
        assert on.audit.withdraw(never)
        assert not on.audit.settle(done)
        assert not on.audit.withdraw(done)
        assert not on.audit.settle(never)
        (left,) = on.audit.entries(AuditFilter(record=(RecordKind.USER, "u-1")))
        assert (left.number, left.subject, left.begun) == (done, "u-1, after all", False)
        assert on.audit.announced() == []


@pytest.mark.parametrize(
    "wanted",
    [
        AuditFilter(),
        AuditFilter(actor="ann"),
        AuditFilter(since=ManualClock().now(), until=ManualClock().now()),
        AuditFilter(record=(RecordKind.ORDER, "order-1")),
    ],
    ids=["all", "actor", "time", "record"],
)
def test_a_page_is_found_by_an_index(
    sqlite_engine: Engine, clock: ManualClock, wanted: AuditFilter
) -> None:
    from tests.unit.state.test_opening import state_on

    asked: list[tuple[str, object]] = []

    def hear(_connection: object, _cursor: object, sql: str, values: object, *_: object) -> None:
        asked.append((sql, values))

    state = state_on(sqlite_engine, clock)
    with state.transaction() as on:
        on.audit.note("ann", "map", "x", "", clock.now(), [ORDER])
    event.listen(sqlite_engine, "before_cursor_execute", hear)
    subjects(state, wanted)
    event.remove(sqlite_engine, "before_cursor_execute", hear)
    read = [(sql, values) for sql, values in asked if "FROM audit" in sql]
    assert len(read) == 3
    with sqlite_engine.connect() as connection:
        for sql, values in read:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values).all()  # type: ignore[arg-type]
            told = [row[3] for row in plan]
            assert not [each for each in told if each.startswith("SCAN")], told
