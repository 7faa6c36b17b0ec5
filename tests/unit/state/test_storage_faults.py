"""The disk under the ledger fails: nothing is imported meanwhile, nothing lost, nothing doubled."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

from sync.errors import AccessDenied, Misconfigured, TryLater
from sync.flows.context import Limits, OrderLimits
from sync.ports.erp import FindingLevel
from sync.ports.state import Discovery, LedgerState
from sync.state import open_state
from sync.state.backup import backup_state
from sync.state.lock import hold_writer_lock
from sync.state.verifying import verify_state
from sync.testing.clock import ManualClock
from sync.testing.erp import MemoryErp
from sync.testing.store import MemoryStore
from tests.architecture.imports import ROOT
from tests.scenarios.world import (
    World,
    fill_erp,
    fill_store,
    guest_order,
    harbour_order,
    mill_order,
)

HOUR = 3600.0
ORDERS = (1, 2, 3)
NO_LIMIT = 2**31 - 1


@dataclass
class Shop:
    """A world on a state file. ``world.engine`` is the running service's."""

    world: World
    file: Path

    def beside(self, suffix: str) -> Path:
        return self.file.with_name(self.file.name + suffix)

    def open(self, file: Path | None = None) -> None:
        """The service starts, on this file or on another."""
        self.file = file or self.file
        self.world.engine = open_state(f"sqlite:///{self.file}", wait_for_lock_s=0.05)
        self.world.new_process()

    def refused(self, file: Path) -> str | None:
        """Why the service does not start on this file; None where it did."""
        try:
            self.open(file)
        except Misconfigured as error:
            return str(error)
        return None

    def close(self) -> None:
        self.world.engine.dispose()

    def killed_into(self, folder: Path) -> Path:
        """What a killed service would leave behind at this moment, in a folder of its own."""
        folder.mkdir()
        for suffix in ("", "-wal", "-shm"):
            if self.beside(suffix).exists():
                shutil.copy(self.beside(suffix), folder)
        return folder / self.file.name

    def import_orders(self) -> str:
        """How the import ended, in the words that an operator reads."""
        try:
            return self.world.import_orders().message
        except TryLater as error:
            return str(error)

    def nothing_unknown_was_sent(self) -> None:
        """The ledger knows of each order in the ERP that it went out."""
        with closing(sqlite3.connect(self.file)) as connection:
            query = "SELECT order_id FROM ledger WHERE frozen IS NOT NULL"
            known = {row[0] for row in connection.execute(query)}
        sent = {row.order.web_order.value for row in self.world.erp.orders}
        assert sent <= known

    def all_is_well(self) -> None:
        """Every order is in the ERP once, and the ledger knows it."""
        self.world.clock.advance(HOUR)
        assert self.import_orders() == ""
        assert [len(self.world.in_erp(each)) for each in ORDERS] == [1] * len(ORDERS)
        assert self.world.erp.submitted == len(ORDERS)
        states = {self.world.state_of(each) for each in ORDERS}
        assert states == {LedgerState.ACKNOWLEDGED}


@pytest.fixture
def make_shop(tmp_path: Path) -> Iterator[Callable[..., Shop]]:
    shops: list[Shop] = []

    def make(folder: Path | None = None) -> Shop:
        clock = ManualClock()
        erp, store = MemoryErp(clock), MemoryStore(clock=clock)
        fill_erp(erp)
        fill_store(store)
        file = (folder or tmp_path / f"var-{len(shops)}") / "state.sqlite"
        engine = open_state(f"sqlite:///{file}", wait_for_lock_s=0.05)
        shops.append(Shop(World(engine, erp, store, clock), file))
        for number, order in zip(ORDERS, (harbour_order, guest_order, mill_order), strict=True):
            # Long notes, so that each step of the ledger needs room of its own.
            store.place_order(order(number, notes="Please ring twice. " * 500))
        return shops[-1]

    yield make
    for shop in shops:
        shop.close()


@pytest.fixture
def shop(make_shop: Callable[..., Shop]) -> Shop:
    return make_shop()


# Full.


@contextmanager
def room_for(engine: Engine, pages: int) -> Iterator[None]:
    """The disk takes so many pages more, and then none."""

    def limit(connection: sqlite3.Connection, *_: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {ceiling}")

    with engine.connect() as connection:
        ceiling = connection.exec_driver_sql("PRAGMA page_count").scalar_one() + pages
    event.listen(engine, "checkout", limit)
    yield
    ceiling = NO_LIMIT


@pytest.mark.rule("OI-1", "OI-2", "OP-1")
@pytest.mark.parametrize("pages", range(0, 20, 2))
def test_disk_that_is_full_at_any_point_stops_the_import_until_there_is_room(
    shop: Shop, pages: int
) -> None:
    with room_for(shop.world.engine, pages):
        told = shop.import_orders()
        shop.nothing_unknown_was_sent()
        assert "is full: no order is imported without a ledger; make room" in told
        assert len(shop.world.erp.orders) < len(ORDERS)
    shop.all_is_well()


LIMITED = """
import resource, sys
from pathlib import Path
from tests.unit.state.test_storage_faults import Shop, fill_erp, fill_store, ORDERS
from tests.unit.state import test_storage_faults as faults

folder = Path(sys.argv[1])
maker = faults.make_shop.__wrapped__(folder)
make = next(maker)
shop = make()
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
seen = set()
for room in range(0, 40_000, 4_000):
    size = shop.beside("-wal").stat().st_size if shop.beside("-wal").exists() else 0
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + room, hard))
    seen.add(shop.import_orders())
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    shop.nothing_unknown_was_sent()
    shop.world.clock.advance(3600)
shop.all_is_well()
print(sorted(seen))
maker.close()
"""


@pytest.mark.rule("OI-1", "OI-2")
def test_write_that_the_system_refuses_stops_the_import_until_it_goes_through(
    tmp_path: Path,
) -> None:
    """Here the kernel itself refuses, in the middle of a page of the log."""
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    assert "the state's disk or folder fails: no order is imported without a ledger" in done.stdout


# Read-only.


@contextmanager
def somebody_ordinary(folder: Path) -> Iterator[None]:
    """Root may write anywhere, so for a while this process is nobody, who owns the folder."""
    if os.geteuid() != 0:
        yield
        return
    nobody = 65534
    for each in (folder, *folder.iterdir()):
        os.chown(each, nobody, nobody)
    os.setegid(nobody)
    os.seteuid(nobody)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody can reach; those of the tests are behind one that is root's."""
    with tempfile.TemporaryDirectory(prefix="tradesync-test-") as name:
        Path(name).chmod(0o755)
        folder = Path(name) / "var"
        folder.mkdir(mode=0o700)
        yield folder


@pytest.mark.rule("OI-2", "OP-1")
def test_read_only_folder_stops_the_service_before_any_order(
    make_shop: Callable[..., Shop], open_folder: Path
) -> None:
    shop = make_shop(open_folder)
    shop.close()
    with somebody_ordinary(open_folder):
        open_folder.chmod(0o500)
        with pytest.raises(Misconfigured, match="read-only: no order is imported"):
            shop.open()
        shop.file.chmod(0o400)
        with pytest.raises(Misconfigured, match="read-only: no order is imported"):
            shop.open()
        assert not shop.world.erp.orders

        open_folder.chmod(0o700)
        shop.file.chmod(0o600)
        shop.open()
        shop.all_is_well()
        shop.close()


@pytest.mark.rule("OI-2")
def test_first_start_in_a_folder_without_write_access_says_so(open_folder: Path) -> None:
    with somebody_ordinary(open_folder):
        open_folder.chmod(0o500)
        with pytest.raises(AccessDenied, match=r"state\.sqlite cannot be made or written to"):
            open_state(f"sqlite:///{open_folder}/state.sqlite")
        open_folder.chmod(0o700)


# Locked.


@pytest.mark.rule("OI-2", "OP-1")
def test_state_locked_by_another_program_stops_the_import_until_it_lets_go(shop: Shop) -> None:
    with closing(sqlite3.connect(shop.file, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        told = shop.import_orders()
        assert "locked by another process" in told
        assert not shop.world.erp.orders
        other.execute("ROLLBACK")
    shop.all_is_well()


# The write-ahead log of a service that was killed.


@pytest.mark.rule("OI-1", "OI-2", "OP-1")
def test_log_that_is_cut_off_anywhere_costs_no_order_and_doubles_none(
    shop: Shop, tmp_path: Path
) -> None:
    """A power cut keeps the log up to some point, also in the middle of a page."""
    shop.import_orders()
    killed = shop.killed_into(tmp_path / "killed")
    shop.close()
    whole = killed.with_name(killed.name + "-wal").stat().st_size
    assert whole > 200_000
    for number, length in enumerate([0, 20, 32, *range(40_000, whole, 61_111), whole - 1]):
        copy = Path(shutil.copytree(killed.parent, tmp_path / f"cut-{number}")) / killed.name
        os.truncate(copy.with_name(copy.name + "-wal"), length)
        copy.with_name(copy.name + "-shm").unlink()
        shop.open(copy)
        shop.all_is_well()
        shop.close()


@pytest.mark.rule("OI-1", "OI-2", "OP-1")
@pytest.mark.parametrize("missing", [("-wal",), ("-shm",), ("-wal", "-shm")], ids=" ".join)
def test_log_or_index_that_somebody_removed_costs_no_order(
    shop: Shop, tmp_path: Path, missing: tuple[str, ...]
) -> None:
    shop.import_orders()
    killed = shop.killed_into(tmp_path / "killed")
    shop.close()
    for suffix in missing:
        killed.with_name(killed.name + suffix).unlink()
    shop.open(killed)
    shop.all_is_well()


@pytest.mark.rule("OI-1", "OI-2")
def test_log_of_an_earlier_moment_is_refused_where_it_ruins_the_state(
    shop: Shop, tmp_path: Path
) -> None:
    """It is replayed over a newer state; what comes of that is sound, or noticed."""
    logs: list[Path] = []

    def keep_log(*_: object) -> None:
        kept = tmp_path / f"log-{len(logs)}"
        shutil.copy(shop.beside("-wal"), kept)
        logs.append(kept)
        if len(logs) % 4 == 0:
            with closing(sqlite3.connect(shop.file)) as other:
                other.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    event.listen(shop.world.engine, "checkin", keep_log)
    # Each order by itself, which makes more moments.
    shop.world.limits = Limits(orders=OrderLimits(batch=1))
    shop.import_orders()
    event.remove(shop.world.engine, "checkin", keep_log)
    shop.close()
    last = shop.file
    refused = 0
    for log in logs:
        copy = tmp_path / f"with-{log.name}" / "state.sqlite"
        copy.parent.mkdir()
        shutil.copy(last, copy)
        shutil.copy(log, copy.with_name("state.sqlite-wal"))
        complaint = shop.refused(copy)
        if complaint is not None:
            assert "is damaged: no order is imported without a ledger" in complaint
            assert "tradesync state restore" in complaint
            assert copy.read_bytes() == last.read_bytes(), "the log was folded into it"
            # With the strange log taken away it is as good as before.
            copy.with_name("state.sqlite-wal").unlink()
            shop.open(copy)
            refused += 1
        shop.all_is_well()
        shop.close()
    assert refused > 3, "nothing was ruined, so nothing was proven"
    assert len(logs) - refused > 3


@pytest.mark.rule("OI-1", "OI-2")
def test_backup_copied_over_the_state_beside_the_log_of_a_killed_service(
    shop: Shop, tmp_path: Path
) -> None:
    """What is done by hand where ``tradesync state restore`` would be right."""
    backup = tmp_path / "backup.sqlite"
    backup_state(f"sqlite:///{shop.file}", backup)
    shop.import_orders()
    killed = shop.killed_into(tmp_path / "killed")
    shop.close()
    shutil.copy(backup, killed)
    if shop.refused(killed) is not None:
        killed.with_name(killed.name + "-wal").unlink()
        shop.open(killed)
    shop.all_is_well()


# The files of a running service.


@pytest.mark.rule("OI-1", "OI-2", "OP-1")
def test_state_moved_away_under_the_service_is_missed_until_it_is_back(
    shop: Shop, tmp_path: Path
) -> None:
    shop.world.run("accounts")
    shop.file.rename(tmp_path / "elsewhere.sqlite")
    told = shop.import_orders()
    assert "is gone while it was in use: no order is imported" in told
    assert "put it back, or stop the service and bring a backup in with: tradesync" in told
    assert not shop.world.erp.orders
    assert not shop.file.exists(), "a new, empty ledger would import everything"

    (tmp_path / "elsewhere.sqlite").rename(shop.file)
    shop.all_is_well()


@pytest.mark.rule("OI-1", "OI-2", "OP-1")
def test_state_replaced_under_the_service_is_refused_until_it_starts_again(
    shop: Shop, tmp_path: Path
) -> None:
    backup = tmp_path / "backup.sqlite"
    backup_state(f"sqlite:///{shop.file}", backup)
    shop.import_orders()
    shop.world.store.place_order(guest_order(4))
    backup.replace(shop.file)
    assert "was replaced by another file" in shop.import_orders()
    assert not shop.world.in_erp(4)

    shop.close()
    shop.beside("-wal").unlink(missing_ok=True)
    shop.open()
    shop.world.clock.advance(HOUR)
    assert shop.import_orders() == ""
    assert [len(shop.world.in_erp(each)) for each in (*ORDERS, 4)] == [1] * 4


@pytest.mark.rule("OI-1", "OI-2", "OP-1")
@pytest.mark.parametrize("missing", [("-wal",), ("-shm",), ("-wal", "-shm")], ids=" ".join)
def test_log_removed_under_the_service_loses_no_step_of_the_ledger(
    shop: Shop, missing: tuple[str, ...]
) -> None:
    shop.import_orders()
    for suffix in missing:
        shop.beside(suffix).unlink()
    shop.all_is_well()
    shop.close()
    shop.open()
    assert [shop.world.state_of(each) for each in ORDERS] == [LedgerState.ACKNOWLEDGED] * 3


@pytest.mark.rule("OI-2")
def test_log_removed_under_two_connections_is_waited_out(shop: Shop) -> None:
    """One of them is busy: a second log beside its own would split the ledger."""
    with shop.world.engine.connect() as busy:
        assert busy.exec_driver_sql("SELECT count(*) FROM ledger").scalar_one() == 0
        busy.rollback()
        busy.begin()
        shop.beside("-wal").unlink()
        with (
            pytest.raises(TryLater, match="was taken away while it was in use"),
            shop.world.state.transaction(),
        ):
            pass
    shop.all_is_well()


def test_discovery_is_the_first_thing_that_a_healed_state_does_again(shop: Shop) -> None:
    with shop.world.state.transaction() as state:
        order = shop.world.store.order(harbour_order().order_id)
        assert order is not None
        assert state.ledger.discover(order, shop.world.clock.now()) is Discovery.NEW
    shop.beside("-wal").unlink()
    with shop.world.state.transaction() as state:
        assert state.ledger.discover(order, shop.world.clock.now()) is Discovery.SAME


@pytest.mark.rule("OI-1", "OI-2")
def test_command_beside_a_service_whose_state_was_replaced_touches_neither_file_nor_log(
    shop: Shop, tmp_path: Path
) -> None:
    """To read the new file is to fold the log of the service into it, and to ruin it."""
    url = f"sqlite:///{shop.file}"
    backup = tmp_path / "backup.sqlite"
    with hold_writer_lock(url):
        shop.close()
        shop.open()
        backup_state(url, backup)
        shop.import_orders()
        open_state(url, upgrade=False).dispose()
        backup.replace(shop.file)
        before = [shop.beside(suffix).read_bytes() for suffix in ("", "-wal")]

        with pytest.raises(TryLater, match="was replaced by another file while it was in use"):
            open_state(url, upgrade=False)
        with pytest.raises(TryLater, match="was replaced by another file while it was in use"):
            backup_state(url, tmp_path / "second.sqlite")
        with pytest.raises(TryLater, match="was replaced by another file while it was in use"):
            verify_state(url)

        assert [shop.beside(suffix).read_bytes() for suffix in ("", "-wal")] == before


@pytest.mark.rule("OI-1", "OI-2")
def test_command_after_a_killed_service_does_not_fold_a_strange_log_into_the_state(
    shop: Shop, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(shop.file)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shop.import_orders()
    killed = shop.killed_into(tmp_path / "killed")
    with closing(sqlite3.connect(shop.file)) as other:
        other.execute("DELETE FROM ledger_events")
        other.execute("DELETE FROM ledger")
        other.commit()
        other.execute("VACUUM")
    backup = tmp_path / "backup.sqlite"
    backup_state(f"sqlite:///{shop.file}", backup)
    shutil.copy(backup, killed)
    before = killed.read_bytes()
    url = f"sqlite:///{killed}"

    # Who restores it, or asks whether the service runs, has the lock and not the state.
    for lock in (nullcontext(), hold_writer_lock(url)):
        with lock:
            with pytest.raises(Misconfigured, match="is damaged: no order is imported without"):
                open_state(url, upgrade=False)
            with pytest.raises(Misconfigured, match="is damaged: no order is imported without"):
                backup_state(url, tmp_path / "second.sqlite")
            assert FindingLevel.ERROR in {each.level for each in verify_state(url)}

    assert killed.read_bytes() == before
