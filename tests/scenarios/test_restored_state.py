"""A backup of the state is brought in again: what happened since is found, not repeated."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from sqlalchemy import Engine

from sync.errors import Misconfigured, StateInUse, TryLater
from sync.ports.erp import FindingLevel
from sync.ports.state import LedgerState, RequestState, ResyncScope
from sync.state import open_state
from sync.state.backup import Restored, backup_state, restore_state
from sync.state.lock import hold_writer_lock
from sync.state.verifying import verify_state
from sync.testing import builders as a
from sync.testing.erp import MEMORY_CAPABILITIES, MemoryErp
from sync.testing.faults import Crash, Script
from tests.scenarios.world import (
    ASSIGNMENTS,
    MakeWorld,
    World,
    guest_order,
    harbour_order,
    mill_order,
    order_id,
)

HOUR = 3600.0
NOT_UNIQUE = replace(MEMORY_CAPABILITIES, unique_external_key=False)


@dataclass
class Site:
    """A world whose state is a file that is backed up and restored."""

    world: World
    file: Path
    backups: Path

    @property
    def url(self) -> str:
        return f"sqlite:///{self.file}"

    def backup(self, name: str = "backup.sqlite") -> Path:
        backup_state(self.url, self.backups / name, replace=True)
        return self.backups / name

    def restore(self, backup: Path) -> Restored:
        """As an operator does it: stop the service, restore, start it again."""
        self.world.engine.dispose()
        done = restore_state(self.url, backup, self.world.clock.now(), "ann")
        self.world.engine = open_state(self.url)
        if self.world.script is not None:
            self.world.script = None
        self.world.new_process()
        return done

    def sound(self) -> bool:
        found = verify_state(self.url)
        return all(each.level is FindingLevel.OK for each in found)


MakeSite = Callable[..., Site]


@pytest.fixture
def make_site(make_world: MakeWorld, tmp_path: Path) -> Iterator[MakeSite]:
    made: list[World] = []

    def make(**given: object) -> Site:
        folder = tmp_path / f"site-{len(made)}"
        engine: Engine = open_state(f"sqlite:///{folder}/state.sqlite")
        world = make_world(engine=engine, **given)
        made.append(world)
        (folder / "backups").mkdir()
        return Site(world, folder / "state.sqlite", folder / "backups")

    yield make
    for world in made:
        world.engine.dispose()


@pytest.fixture
def site(make_site: MakeSite) -> Site:
    return make_site()


def place_three(world: World) -> None:
    for number, make in enumerate((harbour_order, guest_order, mill_order), start=1):
        world.store.place_order(make(number))


def each_is_in_once(world: World, *numbers: int) -> None:
    assert [len(world.in_erp(number)) for number in numbers] == [1] * len(numbers)


# Every order that may have gone in since the backup is looked up before anything is sent.


@pytest.mark.rule("OI-1", "OI-2")
def test_orders_imported_since_the_backup_are_found_and_not_sent_again(site: Site) -> None:
    world = site.world
    backup = site.backup()
    place_three(world)
    world.import_orders()
    sent = world.erp.submitted

    site.restore(backup)
    world.store.place_order(guest_order(4))
    result = world.import_orders()

    each_is_in_once(world, 1, 2, 3, 4)
    assert world.erp.submitted == sent + 1, "only the new order was sent"
    assert result.counts["imported"] == 4
    assert [world.state_of(number) for number in (1, 2, 3, 4)] == [LedgerState.ACKNOWLEDGED] * 4
    assert site.sound()


@pytest.mark.rule("OI-1", "OI-2")
@pytest.mark.parametrize(
    "unique, moments", [(True, 7), (False, 12)], ids=["unique key", "no unique key"]
)
def test_backup_of_any_moment_of_an_import_brings_no_second_order(
    make_site: MakeSite, unique: bool, moments: int
) -> None:
    """One import, backed up before each of its transactions; then each backup is brought in."""
    capabilities = MEMORY_CAPABILITIES if unique else NOT_UNIQUE
    script = Script()
    site = make_site(script=script, capabilities=capabilities)
    world = site.world
    backups: dict[str, Path] = {}

    def back_up() -> None:
        made = site.backup(f"backup-{len(backups)}.sqlite")
        with closing(sqlite3.connect(made)) as connection:
            backups.setdefault("\n".join(connection.iterdump()), made)

    for number in range(1, 40):
        script.meanwhile("state.transaction.enter", back_up, at=number)
    place_three(world)
    world.import_orders()
    assert script.count("state.transaction.enter") < 40, "every transaction was preceded by one"
    # Without a unique key each order has transactions of its own.
    assert len(backups) > moments

    sent = world.erp.submitted
    for backup in backups.values():
        site.restore(backup)
        world.clock.advance(HOUR)
        world.import_orders()

        each_is_in_once(world, 1, 2, 3)
        assert world.erp.submitted == sent, f"sent again after {backup.name}"
        states = [world.state_of(each) for each in (1, 2, 3)]
        assert states == [LedgerState.ACKNOWLEDGED] * 3, f"after {backup.name}"
        assert site.sound()


@pytest.mark.rule("OI-1")
def test_order_changed_in_the_erp_since_the_backup_goes_to_review(site: Site) -> None:
    backup = site.backup()
    site.world.store.place_order(harbour_order())
    site.world.import_orders()
    site.world.erp.edit_order(site.world.entry().key, total=a.money("1.00"))

    site.restore(backup)
    site.world.import_orders()
    assert site.world.state_of() is LedgerState.REVIEW
    assert site.world.erp.submitted == 1


@pytest.mark.rule("OI-1")
def test_order_replayed_since_the_backup_is_found_when_it_is_replayed_again(site: Site) -> None:
    world = site.world
    world.remap(assignments=world.mapping.assignments[1:])
    world.store.place_order(harbour_order())
    world.import_orders()
    assert world.state_of() is LedgerState.QUARANTINED
    backup = site.backup()
    world.remap(assignments=ASSIGNMENTS)
    assert world.replay()
    world.import_orders()
    each_is_in_once(world, 1)

    done = site.restore(backup)
    assert done.marked.in_quarantine == 1
    assert world.state_of() is LedgerState.QUARANTINED
    with world.state.transaction() as state:
        told = state.ledger.history(order_id(1))[-1]
    assert (told.event, told.actor) == ("restored", "ann")
    assert "may have been replayed and imported since" in told.detail

    assert world.replay()
    world.import_orders()
    assert world.state_of() is LedgerState.ACKNOWLEDGED
    assert world.erp.submitted == 1


@pytest.mark.rule("OI-1", "OI-2")
def test_order_that_was_under_way_when_the_service_died_is_taken_over(
    make_site: MakeSite,
) -> None:
    """This ERP would take it twice, and its write may still be on the way."""
    site = make_site(script=Script(), capabilities=NOT_UNIQUE)
    world = site.world
    backup = site.backup()
    assert world.script is not None
    world.script.crash_before("erp.submit_order")
    world.store.place_order(harbour_order())
    with pytest.raises(Crash):
        world.import_orders()

    done = site.restore(backup)
    assert done.under_way == ("W-1",)
    world.clock.advance(HOUR)
    world.import_orders()

    assert not world.erp.orders, "nothing is sent while nobody knows"
    assert world.state_of() is LedgerState.REVIEW
    assert site.sound()
    assert world.replay()
    world.import_orders()
    each_is_in_once(world, 1)


# What people asked for is not done a second time.


@pytest.mark.rule("OP-2")
def test_request_from_before_the_backup_is_not_carried_out_again(site: Site) -> None:
    with site.world.state.transaction() as state:
        asked = state.requests.ask("orders", ResyncScope(), "bob", site.world.clock.now())
    done = site.restore(site.backup())

    assert done.marked.requests == 1
    with site.world.state.transaction() as state:
        request = state.requests.get(asked)
        assert state.requests.next(site.world.clock.now()) is None
    assert request is not None
    assert request.state is RequestState.CANCELLED
    assert "before the state was restored" in request.message


@pytest.mark.rule("MI-3")
def test_confirmation_of_a_plan_does_not_come_back_with_a_backup(site: Site) -> None:
    world = site.world
    for flow in ("accounts", "invoices"):
        world.run(flow)
    world.clock.advance(2 * 86400)
    world.erp_seen = MemoryErp(world.clock)
    held = world.run("invoices")
    assert held.outcome == "refused"
    assert held.plan_id is not None
    world.confirm(held.plan_id)

    done = site.restore(site.backup())
    assert done.marked.confirmations == 1
    assert world.run("invoices").outcome == "refused"


def test_restore_is_in_the_audit_trail(site: Site) -> None:
    place_three(site.world)
    site.world.import_orders()
    done = site.restore(site.backup())
    with site.world.state.transaction() as state:
        (told,) = state.audit.entries()
    assert (told.action, told.actor) == ("state.restored", "ann")
    assert done.orders == 3


# The file itself.


@pytest.mark.rule("OP-1")
def test_restore_is_refused_while_the_daemon_runs(site: Site) -> None:
    backup = site.backup()
    before = site.file.read_bytes()
    with hold_writer_lock(site.url), pytest.raises(StateInUse, match="stop the service"):
        restore_state(site.url, backup, site.world.clock.now(), "ann")
    assert site.file.read_bytes() == before


@pytest.mark.rule("OI-2")
def test_replaced_state_is_kept_whole_beside_the_new_one(site: Site) -> None:
    backup = site.backup()
    place_three(site.world)
    site.world.import_orders()
    done = site.restore(backup)

    assert done.replaced is not None
    assert done.replaced.parent == site.file.parent
    assert done.replaced.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(done.replaced)) as old:
        assert old.execute("SELECT count(*) FROM ledger").fetchone() == (3,)
    again = site.restore(done.replaced)
    assert again.orders == 3
    assert again.replaced is not None
    assert again.replaced != done.replaced, "the second keeps its own name"


@pytest.mark.rule("OI-2")
def test_dry_run_of_a_restore_changes_nothing(site: Site) -> None:
    backup = site.backup()
    place_three(site.world)
    site.world.import_orders()
    before = site.world.dump()
    site.world.engine.dispose()
    told = restore_state(site.url, backup, site.world.clock.now(), "ann", dry_run=True)
    site.world.engine = open_state(site.url)

    assert (told.orders, told.replaced) == (0, None)
    assert site.world.dump() == before
    names = sorted(each.name for each in site.file.parent.iterdir())
    assert [name for name in names if "replaced" in name or "new" in name] == []


@pytest.mark.rule("OI-2")
@pytest.mark.parametrize("damage", ["a letter", "half of it", "an entry that lost its decision"])
def test_bad_backup_is_refused_and_the_state_stays(site: Site, damage: str) -> None:
    place_three(site.world)
    site.world.import_orders()
    backup = site.backup()
    match damage:
        case "a letter":
            backup.write_text("Dear Sirs, " * 500)
        case "half of it":
            backup.write_bytes(backup.read_bytes()[: backup.stat().st_size // 2])
        case _:
            with closing(sqlite3.connect(backup)) as connection, connection:
                connection.execute("UPDATE ledger SET decision = NULL WHERE number = 'W-2'")
    before = site.world.dump()
    site.world.engine.dispose()
    with pytest.raises(Misconfigured, match=r"is no backup|is not restored|is damaged"):
        restore_state(site.url, backup, site.world.clock.now(), "ann")
    site.world.engine = open_state(site.url)
    assert site.world.dump() == before


@pytest.mark.rule("OI-1")
def test_ruined_state_is_replaced_by_its_backup(site: Site) -> None:
    place_three(site.world)
    site.world.import_orders()
    backup = site.backup()
    site.world.engine.dispose()
    site.file.write_bytes(site.file.read_bytes()[:20_000])
    done = site.restore(backup)

    assert done.left_behind is not None
    assert done.replaced is not None
    assert done.replaced.stat().st_size == 20_000
    site.world.import_orders()
    each_is_in_once(site.world, 1, 2, 3)
    assert site.world.erp.submitted == 3


@pytest.mark.rule("OI-1", "OI-2")
def test_daemon_that_did_not_stop_writes_nothing_into_the_replaced_state(site: Site) -> None:
    """Somebody moved a backup over the state of a running service."""
    place_three(site.world)
    backup = site.backup()
    site.world.import_orders()
    sent = site.world.erp.submitted
    backup.replace(site.file)

    site.world.store.place_order(guest_order(4))
    with pytest.raises(TryLater, match="replaced by another file"):
        site.world.import_orders()
    assert site.world.erp.submitted == sent


# What the store has confirmed since is unknown.


@pytest.mark.rule("OP-1", "MI-1")
def test_invoice_that_is_again_as_the_backup_remembers_it_is_shown_so(make_site: MakeSite) -> None:
    """The store was told something else in between, and the restored state knows nothing of it."""
    site = make_site(capabilities=replace(MEMORY_CAPABILITIES, change_feeds=frozenset()))
    world = site.world
    for _ in range(2):
        world.cycle()
    backup = site.backup()
    world.erp.add_invoice(a.an_invoice(open_amount=a.money("1.00")))
    assert world.run("invoices").counts["changed"] == 1
    world.erp.add_invoice(a.an_invoice())
    site.restore(backup)
    assert world.run("invoices").counts["changed"] == 1
