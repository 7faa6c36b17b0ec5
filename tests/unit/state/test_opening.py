"""Opening the state: made, upgraded, or refused with clear words."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, event, text

from sync.domain.ids import StoreId
from sync.errors import AccessDenied, Misconfigured, TryLater
from sync.ports.state import Discovery
from sync.state import SqlState, open_state
from sync.state.keys import keys_of
from sync.state.owner import require_owner
from sync.state.schema import REVISION, metadata
from sync.state.upgrade import MIGRATIONS
from sync.testing.clock import ManualClock
from tests.unit.state.steps import ORDER, Steps


def state_on(engine: Engine, clock: ManualClock) -> SqlState:
    return SqlState(engine, "p", StoreId("shop"), keys_of(StoreId("shop"), 64), clock)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "var" / "state.db"


@pytest.mark.rule("OP-1", "OI-2")
def test_everything_is_there_after_a_restart(file: Path, clock: ManualClock) -> None:
    engine = open_state(f"sqlite:///{file}")
    ledger = Steps(state_on(engine, clock), clock)
    ledger.brought_in()
    before, history = ledger.entry(), ledger.events()
    engine.dispose()

    engine = open_state(f"sqlite:///{file}")
    again = Steps(state_on(engine, clock), clock)
    assert again.entry() == before
    assert again.events() == history
    assert again.discover() is Discovery.SAME
    engine.dispose()


def test_only_its_owner_can_read_the_state(file: Path) -> None:
    open_state(f"sqlite:///{file}").dispose()
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.rule("OI-1")
def test_a_commit_reaches_the_disk_and_readers_do_not_wait(sqlite_engine: Engine) -> None:
    with sqlite_engine.begin() as connection:
        assert connection.scalar(text("PRAGMA journal_mode")) == "wal"
        assert connection.scalar(text("PRAGMA synchronous")) == 2
        assert connection.scalar(text("PRAGMA foreign_keys")) == 1


def test_the_migrations_make_exactly_the_tables_that_the_code_uses(engine: Engine) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with engine.begin() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        assert context.get_current_heads() == (REVISION,)


def test_the_code_knows_the_newest_migration() -> None:
    from alembic.script import ScriptDirectory

    assert ScriptDirectory(str(MIGRATIONS)).get_heads() == [REVISION]


def test_a_state_that_is_up_to_date_opens_without_loading_the_migrations(file: Path) -> None:
    open_state(f"sqlite:///{file}").dispose()
    program = (
        "import sys; from sync.state import open_state;"
        f"open_state('sqlite:///{file}').dispose();"
        "sys.exit('alembic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_state_newer_than_this_version_is_not_touched(file: Path) -> None:
    open_state(f"sqlite:///{file}").dispose()
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    before = file.read_bytes()
    for upgrade in (True, False):
        with pytest.raises(Misconfigured, match="newer than this version"):
            open_state(f"sqlite:///{file}", upgrade=upgrade)
    assert file.read_bytes() == before


def test_a_command_beside_the_daemon_neither_makes_nor_upgrades_a_state(file: Path) -> None:
    with pytest.raises(Misconfigured, match="start the service once"):
        open_state(f"sqlite:///{file}", upgrade=False)
    assert not file.exists()
    file.parent.mkdir()
    sqlite3.connect(file).close()
    file.touch()
    with pytest.raises(Misconfigured, match="restart the service"):
        open_state(f"sqlite:///{file}", upgrade=False)
    open_state(f"sqlite:///{file}").dispose()
    open_state(f"sqlite:///{file}", upgrade=False).dispose()


def test_an_upgrade_that_breaks_off_leaves_nothing_behind(file: Path) -> None:
    """One table is in the way, so the first migration fails half-way."""
    file.parent.mkdir()
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TABLE watermarks (something_else TEXT)")
    with pytest.raises(Exception, match="already exists"):
        open_state(f"sqlite:///{file}")
    with closing(sqlite3.connect(file)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        assert tables.fetchall() == [("watermarks",)]


def test_two_processes_may_make_the_same_state_at_once(file: Path) -> None:
    program = f"from sync.state import open_state; open_state('sqlite:///{file}').dispose()"
    command = [sys.executable, "-W", "error", "-c", program]
    running = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(3)]
    for process in running:
        _, complaint = process.communicate()
        assert (process.returncode, complaint) == (0, b"")


def test_a_state_in_memory_serves_threads_one_after_the_other(clock: ManualClock) -> None:
    engine = open_state("sqlite://")
    ledger = Steps(state_on(engine, clock), clock)
    ledger.discover()
    seen: list[Discovery] = []
    threads = [threading.Thread(target=lambda: seen.append(ledger.discover())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [Discovery.SAME] * 8
    engine.dispose()


@pytest.mark.parametrize("url", ["mysql://host/db", "nonsense"])
def test_a_state_elsewhere_is_refused(url: str) -> None:
    with pytest.raises(Misconfigured):
        open_state(url)


def test_a_locked_database_is_tried_later(
    sqlite_engine: Engine, tmp_path: Path, clock: ManualClock
) -> None:
    state = state_on(sqlite_engine, clock)
    with closing(sqlite3.connect(tmp_path / "state.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(TryLater, match="locked by another process"), state.transaction():
            pass
        other.rollback()
    assert Steps(state, clock).discover() is Discovery.NEW


@pytest.mark.rule("OI-2")
def test_a_full_database_imports_nothing_and_says_so(
    sqlite_engine: Engine, clock: ManualClock
) -> None:
    ledger = Steps(state_on(sqlite_engine, clock), clock)

    def no_more_pages(connection: sqlite3.Connection, *_rest: object) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")

    event.listen(sqlite_engine, "checkout", no_more_pages)
    with pytest.raises(TryLater, match="full: no order is imported without a ledger"):
        _fill(ledger)
    event.remove(sqlite_engine, "checkout", no_more_pages)


def _fill(ledger: Steps) -> None:
    with ledger.state.transaction() as on:
        for number in range(10_000):
            on.audit.note("alice", "test", "x" * 1000, str(number), ledger.now)


@pytest.fixture
def read_only(tmp_path: Path, sqlite_engine: Engine) -> Iterator[Engine]:
    sqlite_engine.dispose()
    engine = create_engine(f"sqlite:///file:{tmp_path}/state.db?mode=ro&uri=true")
    yield engine
    engine.dispose()


@pytest.mark.rule("OI-2")
def test_a_read_only_database_imports_nothing_and_says_so(
    read_only: Engine, clock: ManualClock
) -> None:
    ledger = Steps(state_on(read_only, clock), clock)
    with pytest.raises(Misconfigured, match="read-only: no order is imported"):
        ledger.discover()


def test_a_file_that_is_no_database_is_refused(file: Path) -> None:
    file.parent.mkdir()
    file.write_text("this is a letter, not a ledger\n" * 100)
    with pytest.raises(Misconfigured, match="is none: no order is imported"):
        open_state(f"sqlite:///{file}")


def test_an_error_never_shows_what_was_written(sqlite_engine: Engine, clock: ManualClock) -> None:
    state = state_on(sqlite_engine, clock)
    with sqlite_engine.begin() as connection:
        connection.execute(text("DROP TABLE audit"))
    with pytest.raises(Exception, match="no such table") as caught, state.transaction() as on:
        on.audit.note("alice", "test", "Canal Street 12", "", clock.now())
    assert "Canal Street" not in str(caught.value)


def test_a_server_that_is_away_is_tried_later(tmp_path: Path) -> None:
    with pytest.raises(TryLater, match="connection to it was lost"):
        open_state(f"postgresql://nobody@/state?host={tmp_path}")


def test_a_database_that_is_not_there_names_the_way_out(postgres_url: str) -> None:
    missing = postgres_url.replace("/test_", "/missing_test_")
    with pytest.raises(Misconfigured, match="does not exist on its server"):
        open_state(missing)


def test_a_wrong_user_stops_the_service_instead_of_knocking_for_ever(postgres_url: str) -> None:
    with pytest.raises(AccessDenied, match="refused the user or password"):
        open_state(postgres_url.replace("//postgres:", "//intruder:"))


def test_a_password_in_the_url_is_in_no_error() -> None:
    with pytest.raises(Misconfigured) as caught:
        open_state("oracle://sync:hunter2@host/db")
    assert "hunter2" not in str(caught.value)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to somebody else")
def test_root_may_not_work_on_the_services_state(file: Path) -> None:
    open_state(f"sqlite:///{file}").dispose()
    os.chown(file, 65534, 65534)
    with pytest.raises(AccessDenied, match="runuser -u nobody -- tradesync"):
        open_state(f"sqlite:///{file}")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to somebody else")
def test_root_may_not_start_a_state_in_the_services_folder(file: Path) -> None:
    file.parent.mkdir()
    os.chown(file.parent, 65534, 65534)
    with pytest.raises(AccessDenied, match="runuser -u nobody"):
        open_state(f"sqlite:///{file}")
    assert not file.exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_another_users_state_is_refused() -> None:
    with pytest.raises(AccessDenied, match="runuser -u root"):
        require_owner(Path("/etc/passwd"))


def test_an_order_survives_a_process_that_dies_in_mid_transaction(
    file: Path, clock: ManualClock
) -> None:
    engine = open_state(f"sqlite:///{file}")
    ledger = Steps(state_on(engine, clock), clock)
    ledger.discover()
    engine.dispose()
    program = (
        "import os, sqlite3\n"
        f"connection = sqlite3.connect({str(file)!r}, isolation_level=None)\n"
        "connection.execute('BEGIN IMMEDIATE')\n"
        "connection.execute('DELETE FROM ledger')\n"
        "os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=False)
    engine = open_state(f"sqlite:///{file}")
    assert Steps(state_on(engine, clock), clock).due() == [ORDER]
    engine.dispose()


@pytest.mark.rule("OP-1")
@pytest.mark.parametrize(
    "given, idle", [("", "1min"), ("&options=-c%20idle_in_transaction_session_timeout%3D2s", "2s")]
)
def test_a_server_ends_the_transaction_of_a_frozen_process_and_lets_no_other_wait_for_ever(
    postgres_url: str, given: str, idle: str
) -> None:
    joint = given if "?" in postgres_url else given.replace("&", "?", 1)
    engine = open_state(postgres_url + joint)
    try:
        with engine.connect() as connection:
            settings = ("idle_in_transaction_session_timeout", "lock_timeout")
            shown = [connection.scalar(text(f"SHOW {name}")) for name in settings]
    finally:
        engine.dispose()
    assert shown == [idle, "30s"]
