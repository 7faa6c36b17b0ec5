"""Backups of the state, and the command that makes, restores and verifies them."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine

from sync.cli.main import main
from sync.cli.output import Exit
from sync.domain.ids import WebOrderId
from sync.errors import AccessDenied, Misconfigured, StateInUse
from sync.state import SqlState, open_state
from sync.state.backup import backup_state, restore_state
from sync.state.lock import hold_writer_lock
from sync.state.schema import REVISION
from sync.testing.builders import a_web_order
from sync.testing.clock import ManualClock
from tests.architecture.imports import ROOT
from tests.unit.state.steps import Steps
from tests.unit.state.test_opening import state_on


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "var" / "state.sqlite"


@pytest.fixture
def engine(file: Path) -> Iterator[Engine]:
    engine = open_state(f"sqlite:///{file}", wait_for_lock_s=0.05)
    yield engine
    engine.dispose()


@pytest.fixture
def state(engine: Engine, clock: ManualClock) -> SqlState:
    return state_on(engine, clock)


@pytest.fixture
def url(file: Path) -> str:
    return f"sqlite:///{file}"


def orders_in(file: Path) -> list[str]:
    with closing(sqlite3.connect(f"file:{file}?mode=ro&immutable=1", uri=True)) as connection:
        return [row[0] for row in connection.execute("SELECT order_id FROM ledger ORDER BY 1")]


@pytest.mark.rule("OI-2", "OP-1")
def test_backup_is_one_moment_and_keeps_nobody_waiting(
    state: SqlState, ledger: Steps, url: str, tmp_path: Path
) -> None:
    ledger.brought_in()
    with state.transaction() as on:
        order = a_web_order(order_id=WebOrderId("order-2"))
        on.ledger.discover(order, ledger.now)
        during = backup_state(url, tmp_path / "during.sqlite")
    after = backup_state(url, tmp_path / "after.sqlite")

    assert (during.orders, after.orders) == (1, 2)
    assert orders_in(during.file) == ["order-1"]
    assert orders_in(after.file) == ["order-1", "order-2"]
    assert after.schema == REVISION
    assert after.size_bytes == after.file.stat().st_size


@pytest.mark.rule("OP-7")
def test_only_its_owner_can_read_a_backup(ledger: Steps, url: str, tmp_path: Path) -> None:
    ledger.brought_in()
    before = os.umask(0)
    try:
        made = backup_state(url, tmp_path / "backup.sqlite")
    finally:
        os.umask(before)
    assert made.file.stat().st_mode & 0o777 == 0o600


def test_backup_is_a_single_file_that_needs_nothing_beside_it(
    ledger: Steps, url: str, tmp_path: Path
) -> None:
    ledger.brought_in()
    folder = tmp_path / "backups"
    folder.mkdir()
    backup_state(url, folder / "backup.sqlite")
    assert [each.name for each in folder.iterdir()] == ["backup.sqlite"]


@pytest.mark.rule("OI-2")
def test_backup_that_fails_leaves_the_one_before_it(
    engine: Engine, file: Path, url: str, tmp_path: Path, ledger: Steps
) -> None:
    ledger.brought_in()
    target = tmp_path / "backup.sqlite"
    backup_state(url, target)
    good = target.read_bytes()
    engine.dispose()
    size = file.stat().st_size
    with file.open("r+b") as damaged:
        damaged.seek(size // 2)
        damaged.write(os.urandom(20_000))

    with pytest.raises(Misconfigured, match="is damaged"):
        backup_state(url, target, replace=True)
    assert target.read_bytes() == good
    assert not [each for each in tmp_path.iterdir() if each.name.endswith(".new")]


def test_backup_replaces_another_file_only_when_told(
    ledger: Steps, url: str, tmp_path: Path
) -> None:
    target = tmp_path / "backup.sqlite"
    target.write_text("a letter")
    with pytest.raises(Misconfigured, match="is there already; name another file or say --replace"):
        backup_state(url, target)
    assert target.read_text() == "a letter"
    ledger.discover()
    assert backup_state(url, target, replace=True).orders == 1


@pytest.mark.parametrize("name", ["state.sqlite", "state.sqlite-wal", "state.sqlite.lock"])
def test_backup_never_takes_the_states_own_names(engine: Engine, file: Path, name: str) -> None:
    with pytest.raises(Misconfigured, match="belongs to the state itself"):
        backup_state(f"sqlite:///{file}", file.with_name(name), replace=True)


def test_backup_never_writes_through_a_link(engine: Engine, url: str, tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("precious")
    link = tmp_path / "backup.sqlite"
    link.symlink_to(target)
    with pytest.raises(Misconfigured, match="no ordinary file"):
        backup_state(url, link, replace=True)
    assert target.read_text() == "precious"


def test_backup_into_a_folder_that_is_not_there_says_so(
    engine: Engine, url: str, tmp_path: Path
) -> None:
    with pytest.raises(AccessDenied, match="nothing can be written into"):
        backup_state(url, tmp_path / "missing" / "backup.sqlite")


def test_state_that_was_never_made_has_no_backup(url: str, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="start the service once"):
        backup_state(url, tmp_path / "backup.sqlite")


def test_other_databases_are_no_state(file: Path, tmp_path: Path) -> None:
    file.parent.mkdir()
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TABLE letters (text)")
    with pytest.raises(Misconfigured, match="is no state of this service"):
        backup_state(f"sqlite:///{file}", tmp_path / "backup.sqlite")


@pytest.mark.parametrize("url", ["postgresql://sync:hunter2@host/state", "sqlite://"])
def test_state_elsewhere_is_backed_up_by_its_own_tools(url: str, tmp_path: Path) -> None:
    said = "pg_dump" if url.startswith("postgresql") else "in memory only"
    with pytest.raises(Misconfigured, match=said) as caught:
        backup_state(url, tmp_path / "backup.sqlite")
    assert "hunter2" not in str(caught.value)
    with pytest.raises(Misconfigured, match=said):
        restore_state(url, tmp_path / "backup.sqlite", ManualClock().now(), "ann")


def test_backup_of_a_newer_version_is_not_restored(
    engine: Engine, url: str, tmp_path: Path, clock: ManualClock
) -> None:
    made = backup_state(url, tmp_path / "backup.sqlite")
    with closing(sqlite3.connect(made.file)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    engine.dispose()
    with pytest.raises(Misconfigured, match="newer than this version"):
        restore_state(url, made.file, clock.now(), "ann")


def test_state_is_not_restored_from_itself_or_from_nothing(
    engine: Engine, file: Path, url: str, tmp_path: Path, clock: ManualClock
) -> None:
    with pytest.raises(Misconfigured, match="is the state itself"):
        restore_state(url, file, clock.now(), "ann")
    with pytest.raises(Misconfigured, match="there is no backup"):
        restore_state(url, tmp_path / "missing.sqlite", clock.now(), "ann")


def test_restore_starts_a_state_where_there_is_none(
    engine: Engine, ledger: Steps, file: Path, url: str, tmp_path: Path, clock: ManualClock
) -> None:
    ledger.brought_in()
    made = backup_state(url, tmp_path / "backup.sqlite")
    engine.dispose()
    elsewhere = tmp_path / "new" / "state.sqlite"
    done = restore_state(f"sqlite:///{elsewhere}", made.file, clock.now(), "ann")
    assert (done.orders, done.replaced, done.left_behind) == (1, None, None)
    assert elsewhere.stat().st_mode & 0o777 == 0o600
    again = open_state(f"sqlite:///{elsewhere}")
    assert Steps(state_on(again, clock), clock).events() == ledger.events()
    again.dispose()


def test_writer_that_is_busy_is_not_replaced(
    engine: Engine, url: str, tmp_path: Path, clock: ManualClock
) -> None:
    made = backup_state(url, tmp_path / "backup.sqlite")
    with hold_writer_lock(url), pytest.raises(StateInUse):
        restore_state(url, made.file, clock.now(), "ann")


# The command.


@pytest.fixture
def site(tmp_path: Path) -> Path:
    root = tmp_path / "site"
    for name in ("config", "mappings"):
        shutil.copytree(ROOT / name, root / name)
    open_state(f"sqlite:///{root}/var/state.sqlite").dispose()
    return root


def tradesync(site: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["state", *words, "--site", str(site)])


@pytest.mark.rule("OP-1")
def test_command_backs_up_verifies_and_restores(site: Path, tmp_path: Path) -> None:
    backup = str(tmp_path / "backup.sqlite")
    made = tradesync(site, "backup", backup, "--json")
    assert made.exit_code == Exit.DONE, made.output
    assert json.loads(made.stdout)["orders"] == 0
    assert "0 orders" in tradesync(site, "backup", backup, "--replace").stdout

    found = tradesync(site, "verify", backup, "--json")
    assert found.exit_code == Exit.DONE, found.output
    assert {each["level"] for each in json.loads(found.stdout)} == {"ok"}

    tried = tradesync(site, "restore", backup, "--dry-run", "--json")
    assert json.loads(tried.stdout)["restored"] is False
    done = tradesync(site, "restore", backup, "--yes")
    assert done.exit_code == Exit.DONE, done.output
    assert "each order is looked up before it is sent" in done.stdout
    assert "is kept as" in done.stdout


def test_command_tells_a_script_what_went_wrong_by_its_exit_code(
    site: Path, tmp_path: Path
) -> None:
    backup = str(tmp_path / "backup.sqlite")
    tradesync(site, "backup", backup)
    again = tradesync(site, "backup", backup)
    assert (again.exit_code, again.stdout) == (Exit.FAILED, "")
    assert "--replace" in again.stderr

    address = f"sqlite:///{site}/var/state.sqlite"
    with hold_writer_lock(address):
        beside = tradesync(site, "restore", backup, "--yes")
        assert beside.exit_code == Exit.STATE_IN_USE
        assert beside.stderr.rstrip().endswith("; stop the service first")
        assert tradesync(site, "verify", "--quick").exit_code == Exit.DONE

    with closing(sqlite3.connect(site / "var" / "state.sqlite")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '0000'")
    found = tradesync(site, "verify")
    assert found.exit_code == Exit.FAILED
    assert "schema" in found.stdout


def test_command_says_all_that_a_restore_leaves_to_people(site: Path, tmp_path: Path) -> None:
    from sync.cli.state import _sentences
    from sync.state.backup import Restored
    from sync.state.restored import Marked

    marked = Marked(in_quarantine=4, requests=2, confirmations=1, read_again_from=None)
    done = Restored(tmp_path / "s", 9, tmp_path / "old", marked, ("W-1", "W-2"), "it is damaged")
    told = "\n".join(_sentences(done, tmp_path / "b", dry_run=True))
    for words in (
        "would be the state now: 9 orders",
        "from the beginning",
        "W-1, W-2",
        "could not be read (it is damaged)",
        "4 orders wait for a person",
        "2 requests",
        "1 confirmations",
    ):
        assert words in told
