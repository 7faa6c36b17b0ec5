"""The state is held against its own promises; every kind of break is found and named."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.stateful import invariant
from sqlalchemy import Engine, select, text

from sync.domain.ids import WebOrderId
from sync.errors import Misconfigured
from sync.ports.erp import Finding, FindingLevel
from sync.state import open_state
from sync.state.schema import ledger as ledger_table
from sync.state.verifying import _PROMISES, verify_file, verify_state
from sync.testing.builders import a_web_order
from sync.testing.clock import ManualClock
from tests.unit.state.steps import Steps
from tests.unit.state.test_ledger_machine import LedgerMachine
from tests.unit.state.test_opening import state_on

IMPORTED, QUARANTINED = WebOrderId("order-1"), WebOrderId("order-2")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state.sqlite"


@pytest.fixture
def filled(file: Path, clock: ManualClock) -> Iterator[Engine]:
    """Orders in many states."""
    engine = open_state(f"sqlite:///{file}")
    fill(Steps(state_on(engine, clock), clock))
    yield engine
    engine.dispose()


def fill(ledger: Steps) -> None:
    ledger.brought_in()
    ledger.show()
    for number in range(2, 8):
        ledger.discover(a_web_order(order_id=WebOrderId(f"order-{number}")))
    ledger.quarantined(ledger.claim(QUARANTINED))
    ledger.waiting(ledger.claim(WebOrderId("order-3")))
    ledger.closed(ledger.claim(WebOrderId("order-4")))
    ledger.claim(WebOrderId("order-5"))
    claim = ledger.claim(WebOrderId("order-6"))
    ledger.freeze(claim)
    ledger.unknown(claim)


def errors(found: list[Finding]) -> list[Finding]:
    return [each for each in found if each.level is FindingLevel.ERROR]


@pytest.mark.rule("OP-5")
def test_sound_state_is_found_sound_also_while_it_is_in_use(filled: Engine, file: Path) -> None:
    with filled.begin():
        found = verify_state(f"sqlite:///{file}", pipelines=["p"])
    assert [each.level for each in found] == [FindingLevel.OK] * len(found)
    subjects = {each.subject for each in found}
    of_file = {"file", "structure", "foreign keys", "schema"}
    assert of_file | {"ledger", "keys", "history", "prices"} == subjects
    assert any("7 orders" in each.message for each in found)


def test_verifying_changes_nothing(filled: Engine, file: Path) -> None:
    filled.dispose()
    before = file.read_bytes()
    verify_state(f"sqlite:///{file}")
    assert file.read_bytes() == before


def test_state_on_a_server_is_verified_too(postgres_engine: Engine, clock: ManualClock) -> None:
    with postgres_engine.begin() as connection:
        for table in ("ledger", "ledger_events", "watermarks", "price_partitions"):
            connection.execute(text(f"DELETE FROM {table}"))
    fill(Steps(state_on(postgres_engine, clock), clock))
    found = verify_state(postgres_engine.url.render_as_string(hide_password=False))
    assert [each.level for each in found] == [FindingLevel.OK] * 5
    with postgres_engine.begin() as connection:
        connection.execute(text("UPDATE ledger SET decision = NULL WHERE order_id = 'order-1'"))
    found = verify_state(postgres_engine.url.render_as_string(hide_password=False))
    assert any("imported without a decision" in each.message for each in errors(found))


BREAKS = {
    "are in a state that does not exist": "state = 'lost' WHERE order_id = 'order-1'",
    "will never be worked on again": "due_at = NULL WHERE order_id = 'order-3'",
    "and due all the same": "due_at = changed_at WHERE order_id = 'order-2'",
    "without a claim, and without an instruction": "lease_until = NULL WHERE order_id = 'order-5'",
    "are claimed, and not being submitted": "lease_until = changed_at WHERE order_id = 'order-3'",
    "were claimed without a token": "lease_token = 0 WHERE order_id = 'order-5'",
    "imported without a decision": "decision = NULL WHERE order_id = 'order-1'",
    "and nothing says when": "imported_at = NULL WHERE order_id = 'order-1'",
    "without the others": "customer_id = NULL WHERE order_id = 'order-6'",
    "the store was told nothing": "shown = NULL WHERE order_id = 'order-1'",
    "wait for nothing that is named": "waiting_for = NULL WHERE order_id = 'order-3'",
    "in quarantine without a reason": "problems = '[]' WHERE order_id = 'order-2'",
    "in review without a difference": "state = 'review' WHERE order_id = 'order-2'",
    "closed without a reason": "closing = NULL WHERE order_id = 'order-4'",
    "and no newer version": "change_due_at = changed_at WHERE order_id = 'order-1'",
    "cannot be read back": "payload = '{' WHERE order_id = 'order-7'",
    "hold another order": "payload = (SELECT payload FROM ledger WHERE order_id = 'order-1')"
    " WHERE order_id = 'order-7'",
    "is the key of several orders": "key = (SELECT key FROM ledger WHERE order_id = 'order-1')"
    " WHERE order_id = 'order-7'",
}


@pytest.mark.rule("OI-1", "OI-2", "OP-5")
@pytest.mark.parametrize("said", BREAKS)
def test_broken_promise_is_found_and_the_order_is_named(
    filled: Engine, file: Path, said: str
) -> None:
    with filled.begin() as connection:
        connection.execute(text(f"UPDATE ledger SET {BREAKS[said]}"))
    found = errors(verify_state(f"sqlite:///{file}"))
    assert any(said in each.message for each in found), found
    assert all(each.remedy for each in found)


def test_every_promise_has_a_break_that_shows_it() -> None:
    for sentence, _ in _PROMISES:
        assert any(said in sentence for said in BREAKS), sentence


@pytest.mark.rule("OI-2")
@pytest.mark.parametrize(
    "statement, said",
    [
        ("DELETE FROM ledger WHERE order_id = 'order-3'", "have a history and no entry"),
        ("DELETE FROM ledger_events WHERE order_id = 'order-3'", "have none"),
    ],
)
def test_part_of_the_state_that_is_missing_is_found(
    filled: Engine, file: Path, statement: str, said: str
) -> None:
    with filled.begin() as connection:
        connection.execute(text(statement))
    assert any(said in each.message for each in errors(verify_state(f"sqlite:///{file}")))


def test_many_broken_orders_are_counted_and_not_all_listed(
    filled: Engine, file: Path, clock: ManualClock
) -> None:
    ledger = Steps(state_on(filled, clock), clock)
    for number in range(100, 120):
        ledger.discover(a_web_order(order_id=WebOrderId(f"order-{number}")))
    with filled.begin() as connection:
        connection.execute(text("UPDATE ledger SET due_at = NULL"))
    (found,) = errors(verify_state(f"sqlite:///{file}"))[:1]
    assert " more " in found.message


def without_index(file: Path, name: str) -> tuple[object, ...]:
    """The state forgets that the index is there, and so goes on without keeping it."""
    with closing(sqlite3.connect(file)) as connection, connection:
        (kept,) = connection.execute("SELECT * FROM sqlite_master WHERE name = ?", (name,))
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("DELETE FROM sqlite_master WHERE name = ?", (name,))
    return tuple(kept)


@pytest.mark.rule("OI-2")
def test_index_that_lost_an_order_is_found_unless_it_is_not_looked_at(
    filled: Engine, file: Path
) -> None:
    """A row is in its table, and a look-up by number would never find it."""
    filled.dispose()
    name = "ix_ledger_number"
    kept = without_index(file, name)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE ledger SET number = 'W-lost' WHERE order_id = 'order-3'")
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("INSERT INTO sqlite_master VALUES (?, ?, ?, ?, ?)", kept)
    assert errors(verify_file(file))
    (said,) = [each for each in verify_file(file, quick=True) if each.subject == "structure"]
    assert "indexes were not compared" in said.message


def test_file_that_is_no_database_is_a_finding(file: Path) -> None:
    file.write_text("Dear Sirs, " * 500)
    file.chmod(0o600)
    (found,) = errors(verify_state(f"sqlite:///{file}"))
    assert found.subject == "structure"
    assert "tradesync state restore" in found.remedy


def test_state_of_another_version_is_not_judged_by_this_one(filled: Engine, file: Path) -> None:
    for revision, said in (("9999", "newer version"), ("0000", "Start the service")):
        with filled.begin() as connection:
            connection.execute(text(f"UPDATE alembic_version SET version_num = '{revision}'"))
        (found,) = errors(verify_state(f"sqlite:///{file}"))
        assert found.subject == "schema"
        assert said in found.remedy


def test_state_that_others_can_read_is_warned_of(filled: Engine, file: Path) -> None:
    file.chmod(0o644)
    (found,) = [each for each in verify_state(f"sqlite:///{file}") if each.subject == "file"]
    assert found.level is FindingLevel.WARNING
    assert "0644" in found.message


def test_state_of_another_site_is_warned_of(filled: Engine, file: Path) -> None:
    found = verify_state(f"sqlite:///{file}", pipelines=["main"])
    (told,) = [each for each in found if each.level is not FindingLevel.OK]
    assert (told.subject, told.level) == ("pipelines", FindingLevel.WARNING)
    assert "holds p," in told.message


def test_row_that_points_nowhere_is_found(filled: Engine, file: Path) -> None:
    filled.dispose()
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TABLE parent (id INTEGER PRIMARY KEY)")
        connection.execute("CREATE TABLE child (id INTEGER REFERENCES parent (id))")
        connection.execute("INSERT INTO child VALUES (7)")
    assert any(each.subject == "foreign keys" for each in errors(verify_file(file)))


def test_state_that_is_not_there_yet_is_said(file: Path) -> None:
    with pytest.raises(Misconfigured, match="start the service once"):
        verify_state(f"sqlite:///{file}")
    assert not file.exists()


# The machine records an import, and an outcome that nobody knows, without freezing an
# instruction first; no flow does.
FLOWS_PROMISES = {
    "are imported without a decision and an instruction",
    "are being submitted without a claim, and without an instruction that is out",
}


class KeepsItsPromises(LedgerMachine):
    """Whatever the ledger is put through, verifying it raises no false alarm."""

    @invariant()
    def promises(self) -> None:
        mine = select(ledger_table).where(ledger_table.c.pipeline == self.name)
        with self.engine.begin() as connection:
            rows = [dict(each) for each in connection.execute(mine).mappings()]
        for row in rows:
            broken = [sentence for sentence, kept in _PROMISES if not kept(row)]
            broken = [sentence for sentence in broken if sentence not in FLOWS_PROMISES]
            assert not broken, (row["order_id"], row["state"], broken)


TestKeepsItsPromises = KeepsItsPromises.TestCase
TestKeepsItsPromises.settings = settings(max_examples=15, stateful_step_count=25, deadline=None)
TestKeepsItsPromises.pytestmark = [pytest.mark.rule("OI-1", "OI-2")]  # type: ignore[attr-defined]
