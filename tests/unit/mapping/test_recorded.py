"""An edit of the files and its entry in the audit trail, also where the program dies between."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sync.domain.ids import CustomerId, OrganisationId, StoreId
from sync.errors import Conflict
from sync.mapping import read_texts, version_of
from sync.mapping.assigning import MappingFiles
from sync.mapping.editing import Edit, edited
from sync.mapping.keeper import MappingKeeper
from sync.mapping.recorded import Deed, moved
from sync.mapping.source import MappingSource
from sync.ports.audit import AuditEntry, AuditRecord, RecordKind
from sync.state import SqlState, open_state
from sync.state.keys import keys_of
from sync.testing.clock import ManualClock

pytestmark = pytest.mark.rule("OP-4")

SHOP = """\
channels:
  shop:
    commerce_mode: hybrid
    retail_groups: [{customer_id: RETAIL-US, currencies: [USD]}]
"""
TABLE = "customer_id,organisation,user,contact,note\n000101,org-1,,,the first\n"
NEW = OrganisationId("org-2")

# Opens the state as a command does, and is gone without a word at the moment that is named.
DYING = """
import os, sys
from contextlib import contextmanager
from pathlib import Path
from tests.unit.mapping.test_recorded import files_in, NEW
from sync.domain.ids import CustomerId
from dataclasses import replace

folder, moment = Path(sys.argv[1]), sys.argv[2]
files = files_in(folder)

class Dying:
    actor, count = "ann", 0

    @contextmanager
    def transaction(self):
        self.count += 1
        if (moment, self.count) == ("written", 3):
            os._exit(9)
        with files.state.transaction() as on:
            yield on
        if (moment, self.count) == ("announced", 2):
            os._exit(9)

replace(files, state=Dying()).put_assignment(NEW, CustomerId("000102"), "ann", "checked")
"""


def files_in(folder: Path) -> MappingFiles:
    store = StoreId("shop")
    engine = open_state(f"sqlite:///{folder / 'state.db'}")
    state = SqlState(engine, "main", store, keys_of(store, 64), ManualClock())
    return MappingFiles(folder / "mappings", state, ManualClock())


@pytest.fixture
def files(tmp_path: Path) -> MappingFiles:
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings" / "channels.yaml").write_text(SHOP)
    (tmp_path / "mappings" / "customers.csv").write_text(TABLE)
    return files_in(tmp_path)


def noted(files: MappingFiles) -> list[AuditEntry]:
    """Oldest first."""
    with files.state.transaction() as state:
        return list(reversed(state.audit.entries()))


def keeper(files: MappingFiles) -> MappingKeeper:
    return MappingKeeper(MappingSource(files.folder), files.state, files.clock)


def killed(files: MappingFiles, moment: str) -> None:
    where = str(files.folder.parent)
    ended = subprocess.run([sys.executable, "-c", DYING, where, moment], check=False)
    assert ended.returncode == 9


def table(files: MappingFiles) -> str:
    return (files.folder / "customers.csv").read_text()


def test_an_edit_tells_whom_it_moved_from_where_to_where(files: MappingFiles) -> None:
    before = version_of(read_texts(files.folder))
    edit = Edit("", "org-1", "000103")
    _, after = files.edit("ann", "map", "org-1 -> 000103", "merged", lambda t: edited(t, edit))
    (entry,) = noted(files)
    assert (entry.actor, entry.action, entry.reason, entry.begun) == ("ann", "map", "merged", False)
    assert entry.records == (
        AuditRecord(RecordKind.MAPPING, after, before, after),
        AuditRecord(RecordKind.ORGANISATION, "org-1", "000101", "000103"),
        AuditRecord(RecordKind.CUSTOMER, "000101"),
        AuditRecord(RecordKind.CUSTOMER, "000103"),
    )


def test_killed_after_the_file_was_written_the_daemon_knows_whose_edit_it_is(
    files: MappingFiles,
) -> None:
    daemon = keeper(files)
    daemon.current()
    killed(files, "written")
    assert "org-2" in table(files)
    assert [each.begun for each in noted(files)] == [True]
    daemon.reload()
    (entry,) = noted(files)
    assert (entry.actor, entry.action, entry.reason) == ("ann", "map", "checked")
    assert not entry.begun
    daemon.reload()
    assert len(noted(files)) == 1


def test_killed_after_the_file_was_written_the_next_edit_knows_it_too(files: MappingFiles) -> None:
    killed(files, "written")
    files.put_assignment(OrganisationId("org-3"), CustomerId("000104"), "bob", "checked")
    assert [(each.actor, each.begun) for each in noted(files)] == [("ann", False), ("bob", False)]
    files.put_assignment(NEW, CustomerId("000102"), "ann", "once more")
    assert len(noted(files)) == 2, "it says so already"


def test_killed_before_the_file_was_written_nothing_was_decided(files: MappingFiles) -> None:
    killed(files, "announced")
    assert table(files) == TABLE
    assert [each.begun for each in noted(files)] == [True]
    files.put_assignment(NEW, CustomerId("000102"), "ann", "once more")
    assert [(each.reason, each.begun) for each in noted(files)] == [("once more", False)]


def test_what_nobody_can_know_any_more_is_said(files: MappingFiles) -> None:
    killed(files, "announced")
    (files.folder / "customers.csv").write_text(TABLE + "000105,org-5,,,\n")
    files.put_assignment(OrganisationId("org-3"), CustomerId("000104"), "bob", "checked")
    first, second = noted(files)
    assert first.subject.endswith("; the command ended before it was known to be done, and others"
                                  " edited since")  # fmt: skip
    assert (first.begun, second.actor) == (False, "bob")


def test_an_edit_that_cannot_be_written_is_not_left_as_begun(files: MappingFiles) -> None:
    def change(texts: object) -> dict[str, str]:
        # Somebody saves at this moment.
        (files.folder / "customers.csv").write_text(TABLE + "000105,org-5,,,\n")
        return {"channels.yaml": SHOP, "customers.csv": TABLE + "000102,org-2,,,\n"}

    with pytest.raises(Conflict):
        files.edit("ann", "map", "org-2", "x", change)
    files.put_assignment(OrganisationId("org-3"), CustomerId("000104"), "bob", "checked")
    assert not [each for each in noted(files) if each.begun]
    assert [each.actor for each in noted(files) if "not known" not in each.subject][-1] == "bob"


def test_an_edit_by_hand_tells_whom_it_moved_and_leaves_commands_their_own(
    files: MappingFiles,
) -> None:
    daemon = keeper(files)
    daemon.current()
    (files.folder / "customers.csv").write_text(TABLE.replace("000101", "000109"))
    files.put_assignment(NEW, CustomerId("000102"), "ann", "checked")
    daemon.reload()
    told = {(each.actor, one.key, one.before, one.after) for each in noted(files)
            for one in each.records if one.kind is RecordKind.ORGANISATION}  # fmt: skip
    assert told == {("ann", "org-2", "", "000102"), ("by hand", "org-1", "000101", "000109")}


def test_a_restore_tells_whom_it_moves_from_what_was_in_force(files: MappingFiles) -> None:
    daemon = keeper(files)
    first = daemon.current()[0]
    (files.folder / "customers.csv").write_text(TABLE.replace("000101", "000109"))
    second = daemon.reload()
    (files.folder / "customers.csv").write_text("customer_id,user\nspoilt")
    deed = Deed("ann", "restore", lambda: f"mapping {first.version} put back", "spoilt")
    files.put_back(deed, dict(first.files), force=True)
    entry = noted(files)[-1]
    assert (entry.actor, entry.action) == ("ann", "restore")
    assert AuditRecord(RecordKind.ORGANISATION, "org-1", "000109", "000101") in entry.records
    daemon.reload()
    assert [each.action for each in noted(files)] == ["edited", "restore"]
    assert second.version != first.version


def test_an_exception_is_found_by_the_user_and_by_the_organisation() -> None:
    before = {"customers.csv": "customer_id,organisation,user\n000101,org-1,u-1\n"}
    after = {"customers.csv": "customer_id,organisation,user\n"}
    assert list(moved(before, after)) == [
        AuditRecord(RecordKind.USER, "u-1", "000101", ""),
        AuditRecord(RecordKind.ORGANISATION, "org-1"),
        AuditRecord(RecordKind.CUSTOMER, "000101"),
    ]
