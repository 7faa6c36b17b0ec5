"""What is kept beside the orders' own way, on both databases: systems, cancellations, retention."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from sync.domain.ids import CustomerId, WebOrderId
from sync.domain.order import WebOrder
from sync.domain.sales_order import ErpOrderState, OrderStatus
from sync.domain.views import ImportNotice, ImportState
from sync.ports.audit import RecordKind
from sync.ports.state import KeptMapping, LedgerFilter, LedgerState
from sync.ports.systems import Condition, SystemRecord
from sync.state import SqlState, open_state
from sync.state.schema import REVISION, ledger
from sync.testing.builders import a_web_order
from sync.testing.clock import ManualClock
from tests.postgres import database
from tests.unit.state.steps import ORDER, SO_1, UNMAPPED, Steps, later

DAY = 86400.0

# Those that later versions brought.
LATER_TABLES = (
    *("registrations", "registration_events", "settlements"),
    *("price_partitions", "price_vectors", "price_states", "audit_records"),
    *("contact_answers", "record_memory"),
)
NO_STEPS = "ALTER TABLE runs DROP COLUMN steps"
UNDONE = (
    *("DROP TABLE audit_records", "DROP TABLE contact_answers", "DROP TABLE record_memory"),
    NO_STEPS,
)
# The audit trail before it knew which records a decision was about.
AUDIT_BEFORE = (
    "DROP INDEX ix_audit_begun",
    "DROP INDEX ix_audit_newest",
    "DROP INDEX ix_audit_actor",
    "ALTER TABLE audit DROP COLUMN begun",
    "CREATE INDEX ix_audit_pipeline ON audit (pipeline, id)",
)


def shown(steps: Steps) -> None:
    with steps.state.transaction() as on:
        notice = ImportNotice(ImportState.PROCESSED, SO_1)
        on.ledger.record_shown(ORDER, notice, steps.now)


def invoiced(steps: Steps) -> None:
    with steps.state.transaction() as on:
        on.ledger.record_status(ORDER, OrderStatus(ErpOrderState.INVOICED, SO_1), steps.now)


def reduce(steps: Steps, days: int = 90) -> int:
    with steps.state.transaction() as on:
        return on.ledger.reduce_done(steps.now - timedelta(days=days), steps.now, 10)


@pytest.mark.rule("OP-6")
def test_a_system_has_one_record_whichever_pipeline_looks(
    state_of: Callable[..., SqlState], clock: ManualClock
) -> None:
    one, other = state_of(), state_of()
    name = f"erp-{id(one)}"
    up = SystemRecord(name, "erp", Condition.UP, clock.now(), last_success_at=clock.now())
    away = replace(
        up,
        condition=Condition.AWAY,
        message="the port is closed",
        next_try_at=clock.now() + timedelta(seconds=60),
        last_failure_at=clock.now(),
        clock_skew_s=-61.5,
    )
    for state, record in ((one, up), (other, away)):
        with state.transaction() as on:
            on.systems.put(record)
    with one.transaction() as on:
        assert [each for each in on.systems.all() if each.name == name] == [away]


@pytest.mark.rule("OI-2")
def test_each_code_counts_every_order_that_it_holds_up(
    state_of: Callable[..., SqlState], clock: ManualClock
) -> None:
    steps = Steps(state_of(), clock)
    other = replace(UNMAPPED, code="payment_missing")
    for number, problems in enumerate([(UNMAPPED,), (UNMAPPED, other), ()]):
        order = a_web_order(order_id=type(ORDER)(f"order-{number}"))
        steps.discover(order)
        claim = steps.claim(order.order_id)
        steps.quarantined(claim, *problems) if problems else steps.review(claim)
    with steps.state.transaction() as on:
        assert on.ledger.held_for() == {
            "user_unmapped": 2,
            "payment_missing": 1,
            "review": 1,
        }


@pytest.mark.rule("OI-2")
def test_a_quarantined_order_is_found_by_its_account_until_it_is_judged_anew(
    state_of: Callable[..., SqlState], clock: ManualClock
) -> None:
    steps, account = Steps(state_of(), clock), CustomerId("C-1001")
    steps.discover()
    claim = steps.claim()
    with steps.state.transaction() as on:
        on.ledger.record_quarantined(claim, (UNMAPPED,), steps.now, "m1", (), account)

    def found() -> int:
        with steps.state.transaction() as on:
            return len(on.ledger.entries(LedgerFilter(customer_id=account)))

    assert found() == 1
    assert steps.replay()
    assert found() == 0


@pytest.mark.rule("OI-4")
def test_a_cancellation_is_seen_to_when_its_time_comes_and_once_it_is_done_never_again(
    state_of: Callable[..., SqlState], clock: ManualClock
) -> None:
    steps = Steps(state_of(), clock)
    steps.brought_in()
    steps.discover(later(a_web_order(), notes="stop"))

    def cancelling() -> list[str]:
        with steps.state.transaction() as on:
            return [each.order_id.value for each in on.ledger.cancelling(steps.now, 10)]

    assert cancelling() == []
    with steps.state.transaction() as on:
        on.ledger.want_cancelled(ORDER, steps.now)
        assert on.ledger.changed_since(10) == []
    assert cancelling() == [ORDER.value]
    with steps.state.transaction() as on:
        on.ledger.cancel_asked(ORDER, steps.now, steps.now + timedelta(seconds=90))
    assert cancelling() == []
    steps.pass_time(90)
    assert cancelling() == [ORDER.value]
    with steps.state.transaction() as on:
        on.ledger.record_cancelled(ORDER, steps.now)
    steps.pass_time(DAY)
    assert cancelling() == []
    entry = steps.entry()
    assert entry.cancel_asked_at is not None
    assert isinstance(entry.order, WebOrder)
    assert entry.order.notes == "stop", "what the ERP took over is what counts from now on"


@pytest.mark.rule("OP-9")
def test_an_order_is_reduced_when_nothing_is_left_to_do_about_it(
    state_of: Callable[..., SqlState], clock: ManualClock
) -> None:
    steps = Steps(state_of(), clock)
    order = a_web_order(notes="canary")
    steps.discover(order)
    claim = steps.claim()
    steps.freeze(claim, notes="canary")
    steps.imported(claim)
    steps.pass_time(100 * DAY)
    assert reduce(steps) == 0, "the store was not told"
    shown(steps)
    steps.pass_time(100 * DAY)
    assert reduce(steps) == 1, "an ERP that tells no status"
    steps.discover(order)
    invoiced(steps)
    assert reduce(steps) == 0, "news: it is whole as far as it goes for another while"
    steps.pass_time(91 * DAY)
    with steps.state.transaction() as on:
        assert on.ledger.still_whole(steps.now - timedelta(days=90)) == 1
    assert reduce(steps) == 1
    entry = steps.entry()
    assert entry.state is LedgerState.ACKNOWLEDGED
    assert entry.frozen is not None
    assert "canary" not in repr((entry.order, entry.frozen))


@pytest.mark.rule("OP-9")
def test_an_order_that_the_erp_may_still_move_is_kept_whole(
    state_of: Callable[..., SqlState], clock: ManualClock
) -> None:
    steps = Steps(state_of(), clock)
    steps.brought_in()
    shown(steps)
    with steps.state.transaction() as on:
        on.ledger.record_status(ORDER, OrderStatus(ErpOrderState.PARTLY_SHIPPED, SO_1), steps.now)
    steps.pass_time(1000 * DAY)
    assert reduce(steps) == 0


@pytest.mark.rule("OP-4")
def test_mappings_that_were_kept_before_their_counts_were_are_brought_along(
    tmp_path: Path, clock: ManualClock
) -> None:
    from tests.unit.state.test_opening import state_on

    file = tmp_path / "state.db"
    engine = open_state(f"sqlite:///{file}")
    with state_on(engine, clock).transaction() as on:
        on.mappings.save_good("v1", {"customers.csv": "# Größe"}, clock.now())
    engine.dispose()
    with closing(sqlite3.connect(file)) as connection, connection:
        for name in ("counts", "size"):
            connection.execute(f"ALTER TABLE mapping_versions DROP COLUMN {name}")
        connection.execute("ALTER TABLE runs DROP COLUMN narrow")
        connection.execute("ALTER TABLE ledger DROP COLUMN mapping_version")
        for name in LATER_TABLES:
            connection.execute(f"DROP TABLE {name}")
        for statement in (*AUDIT_BEFORE, NO_STEPS):
            connection.execute(statement)
        connection.execute("UPDATE alembic_version SET version_num = '0003'")
    engine = open_state(f"sqlite:///{file}")
    with state_on(engine, clock).transaction() as on:
        assert list(on.mappings.kept()) == [KeptMapping("v1", clock.now())]
        assert on.mappings.files_of("v1") == {"customers.csv": "# Größe"}
    engine.dispose()
    with closing(sqlite3.connect(file)) as connection:
        sizes = connection.execute("SELECT size, length(files) FROM mapping_versions").fetchall()
    written = '{"customers.csv": "# Größe"}'
    assert sizes == [(len(written), len(written))]


@pytest.mark.rule("OI-1", "OP-1")
def test_a_state_of_the_version_before_is_brought_up_to_date_with_its_orders(
    tmp_path: Path, clock: ManualClock
) -> None:
    file = tmp_path / "state.db"
    engine = open_state(f"sqlite:///{file}")
    from tests.unit.state.test_opening import state_on

    before = Steps(state_on(engine, clock), clock)
    before.brought_in()
    before.show()
    before.pass_time(10)
    engine.dispose()
    added = ("cancel_due_at", "cancel_asked_at", "reduced_at", "told_at", "mapping_version")
    assert set(added) < {column.name for column in ledger.columns}
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("DROP INDEX ix_ledger_cancel")
        connection.execute("DROP INDEX ix_ledger_told")
        for name in added:
            connection.execute(f"ALTER TABLE ledger DROP COLUMN {name}")
        for name in ("counts", "size"):
            connection.execute(f"ALTER TABLE mapping_versions DROP COLUMN {name}")
        connection.execute("DROP TABLE systems")
        connection.execute("ALTER TABLE runs DROP COLUMN narrow")
        for name in LATER_TABLES:
            connection.execute(f"DROP TABLE {name}")
        for statement in (*AUDIT_BEFORE, NO_STEPS):
            connection.execute(statement)
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
    engine = open_state(f"sqlite:///{file}")
    steps = Steps(state_on(engine, clock), clock)
    entry = steps.entry()
    assert entry.state is LedgerState.ACKNOWLEDGED
    assert entry.reduced_at is None
    assert entry.told_at == entry.changed_at
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [
            (REVISION,)
        ]
    engine.dispose()


@pytest.mark.rule("WA-2d", "OP-4")
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_entries_of_the_version_before_name_the_mapping_that_decided_them(
    tmp_path: Path, clock: ManualClock, kind: str
) -> None:
    from tests.unit.state.test_opening import state_on

    with ExitStack() as over:
        url = f"sqlite:///{tmp_path / 'state.db'}"
        if kind == "postgresql":
            url = over.enter_context(database())
        engine = open_state(url)
        before = Steps(state_on(engine, clock), clock)
        before.brought_in()
        held, waits = WebOrderId("order-2"), WebOrderId("order-3")
        for order_id in (held, waits):
            before.discover(a_web_order(order_id=order_id))
        claim = before.claim(held)
        with before.state.transaction() as on:
            said = ("a step", "mapping m0 was in force")
            on.ledger.record_quarantined(claim, (UNMAPPED,), before.now, "lost", said)
        before.waiting(before.claim(waits))
        with engine.begin() as connection:
            connection.execute(text("ALTER TABLE ledger DROP COLUMN mapping_version"))
            connection.execute(text("DROP TABLE price_states"))
            for statement in (*UNDONE, *AUDIT_BEFORE):
                connection.execute(text(statement))
            connection.execute(text("UPDATE alembic_version SET version_num = '0008'"))
        engine.dispose()
        engine = open_state(url)
        after = Steps(state_on(engine, clock), clock)
        assert after.entry().mapping_version == "m1"
        assert (after.entry(held).mapping_version, after.entry(held).trail) == ("m0", ("a step",))
        assert after.entry(waits).mapping_version is None, "nothing had kept it"
        engine.dispose()


@pytest.mark.rule("OI-2", "OP-4")
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_decisions_of_the_version_before_are_found_by_what_they_were_about(
    tmp_path: Path, clock: ManualClock, kind: str
) -> None:
    from tests.unit.state.test_opening import state_on

    notes: tuple[tuple[str, str, list[tuple[RecordKind, str]]], ...] = (
        ("order.dismissed", "W-10482", [(RecordKind.ORDER, "order-1")]),
        ("order.replayed", "W-9", []),
        ("registration.approved", "application app-1, a new customer", [
            (RecordKind.APPLICATION, "app-1"),
        ]),
        ("map", "user u-1 -> 000101 (mapping 3f2a -> 91cc)", [
            (RecordKind.MAPPING, "91cc"),
            (RecordKind.USER, "u-1"),
            (RecordKind.CUSTOMER, "000101"),
        ]),
        ("unmap", "organisation o-1 -> no account of their own (mapping 91cc -> 0a0a)", [
            (RecordKind.MAPPING, "0a0a"),
            (RecordKind.ORGANISATION, "o-1"),
        ]),
        ("plan.confirmed", "prices-1", [(RecordKind.PLAN, "prices-1")]),
        ("resync.cancelled", "r7", [(RecordKind.REQUEST, "r7")]),
        ("state.reduced", "12 orders", []),
    )  # fmt: skip
    with ExitStack() as over:
        url = f"sqlite:///{tmp_path / 'state.db'}"
        if kind == "postgresql":
            url = over.enter_context(database())
        engine = open_state(url)
        Steps(state_on(engine, clock), clock).brought_in()
        with engine.begin() as connection:
            for statement in (*UNDONE, *AUDIT_BEFORE):
                connection.execute(text(statement))
            for action, subject, _ in notes:
                connection.execute(
                    text(
                        "INSERT INTO audit (pipeline, at, actor, action, subject, reason)"
                        " VALUES ('p', :at, 'ann', :action, :subject, 'why')"
                    ),
                    {
                        "at": "2026-01-01T00:00:00.000000Z",
                        "action": action,
                        "subject": subject,
                    },
                )
            connection.execute(text("UPDATE alembic_version SET version_num = '0010'"))
        engine.dispose()
        engine = open_state(url)
        with state_on(engine, clock).transaction() as on:
            found = list(reversed(on.audit.entries()))
        engine.dispose()
    told = [(each.action, each.subject, [(one.kind, one.key) for one in each.records])
            for each in found]  # fmt: skip
    assert told == list(notes)
    assert [each.begun for each in found] == [False] * len(notes)
