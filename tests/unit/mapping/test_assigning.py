"""An approval writes one line into the mapping files, once, and over nobody's head."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from sync.domain.ids import CustomerId, OrganisationId, StoreId
from sync.errors import Misconfigured, Rejected, TryLater
from sync.mapping.assigning import MappingFiles
from sync.ports.state import State, Transaction
from sync.state import SqlState, open_state
from sync.state.keys import keys_of
from sync.testing.clock import ManualClock

pytestmark = pytest.mark.rule("VE-9", "OP-4")

SHOP = """\
channels:
  shop:
    commerce_mode: hybrid
    retail_groups: [{customer_id: RETAIL-US, currencies: [USD]}]
"""
TABLE = "customer_id,organisation,user,contact,note\n# ours\n000101,org-1,,,the first\n"
NEW, FIRST = OrganisationId("org-app-1"), OrganisationId("org-1")
CUSTOMER = CustomerId("000102")


@pytest.fixture
def files(tmp_path: Path) -> MappingFiles:
    (tmp_path / "channels.yaml").write_text(SHOP)
    (tmp_path / "customers.csv").write_text(TABLE)
    clock = ManualClock()
    store = StoreId("shop")
    state = SqlState(open_state("sqlite://"), "main", store, keys_of(store, 64), clock)
    return MappingFiles(tmp_path, state, clock)


def table(files: MappingFiles) -> str:
    return (files.folder / "customers.csv").read_text()


def noted(files: MappingFiles) -> list[tuple[str, str]]:
    with files.state.transaction() as state:
        return [(each.actor, each.action) for each in state.audit.entries()]


def test_an_assignment_is_one_line_more_and_is_written_once(files: MappingFiles) -> None:
    for _ in range(2):
        files.put_assignment(NEW, CUSTOMER, "ann", "application app-1:\n checked")
        assert table(files) == TABLE + "000102,org-app-1,,,application app-1: checked\n"
        assert noted(files) == [("ann", "map")]
    assert files.assignment_of(NEW) == CUSTOMER
    assert files.assignment_of(OrganisationId("org-9")) is None


def test_what_the_files_would_be_is_told_without_writing_them(files: MappingFiles) -> None:
    for _ in range(2):
        wanted = files.with_assignment(NEW, CUSTOMER)
        told = {each.organisation: (each.customer_id, each.origin) for each in wanted.assignments}
        assert told[NEW] == (CUSTOMER, "customers.csv:4")
        assert told[FIRST][0] == CustomerId("000101")
        files.put_assignment(NEW, CUSTOMER, "ann", "checked")
    assert len(noted(files)) == 1


def test_what_a_person_assigned_is_never_moved(files: MappingFiles) -> None:
    with pytest.raises(Rejected, match="stands for customer 000101"):
        files.put_assignment(FIRST, CUSTOMER, "ann", "checked")
    with pytest.raises(Rejected, match="stands for customer 000101"):
        files.with_assignment(FIRST, CUSTOMER)
    assert (table(files), noted(files)) == (TABLE, [])


@pytest.mark.rule("WA-2b")
def test_a_retail_group_is_refused_by_the_files_themselves(files: MappingFiles) -> None:
    with pytest.raises(Misconfigured, match="retail group"):
        files.put_assignment(NEW, CustomerId("RETAIL-US"), "ann", "checked")
    assert (table(files), noted(files)) == (TABLE, [])


def test_files_that_are_refused_are_not_edited(files: MappingFiles) -> None:
    (files.folder / "channels.yaml").write_text(SHOP + "  typo")
    with pytest.raises(Misconfigured):
        files.put_assignment(NEW, CUSTOMER, "ann", "checked")
    with pytest.raises(Misconfigured):
        files.assignment_of(NEW)
    assert (table(files), noted(files)) == (TABLE, [])


class FullState:
    """Takes everything, and fails at the commit of what comes ``after`` so many others."""

    actor = "ann"

    def __init__(self, state: State, meanwhile: Callable[[], object], after: int = 2) -> None:
        self._state, self._meanwhile, self._left = state, meanwhile, after

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        self._left -= 1
        with self._state.transaction() as state:
            yield state
            if self._left == -1:
                self._meanwhile()
                raise TryLater("the disk of the state is full")


@pytest.mark.rule("OP-4")
def test_an_edit_whose_audit_entry_cannot_be_kept_is_taken_back(files: MappingFiles) -> None:
    seen: list[str] = []
    full = FullState(files.state, lambda: seen.append(table(files)))
    with pytest.raises(TryLater, match="full"):
        replace(files, state=full).put_assignment(NEW, CUSTOMER, "ann", "checked")
    assert seen != [TABLE], "it was there, and is no more"
    assert (table(files), noted(files)) == (TABLE, [])
    assert not list(files.folder.glob(".*"))


@pytest.mark.rule("OP-4")
def test_what_a_person_saved_since_is_not_taken_back(files: MappingFiles) -> None:
    mine = TABLE + "000103,org-9,,,\n"
    full = FullState(files.state, lambda: (files.folder / "customers.csv").write_text(mine))
    with pytest.raises(TryLater, match="full"), capture_logs() as told:
        replace(files, state=full).put_assignment(NEW, CUSTOMER, "ann", "checked")
    assert table(files) == mine
    assert [each["event"] for each in told] == ["mapping.edit_not_taken_back"]
