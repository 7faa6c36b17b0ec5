"""The mapping in force: swapped as a whole, kept in the state, never replaced by a bad edit."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sync.domain.ids import CustomerId, OrganisationId
from sync.domain.order import BuyerRecord
from sync.errors import Misconfigured
from sync.mapping.assigning import MappingFiles
from sync.mapping.editing import Edit, edited
from sync.mapping.keeper import MappingKeeper
from sync.mapping.source import MARK, MappingSource
from sync.ports.state import GoodMapping
from sync.routing import Usable
from sync.state import SqlState
from sync.testing.clock import ManualClock
from tests.unit.scheduling.conftest import CUSTOMERS, Line

pytestmark = pytest.mark.rule("OP-4")

GOOD_EDIT = CUSTOMERS.replace("C-1001", "C-2002", 1)
BAD_EDIT = CUSTOMERS.replace("C-1001", "RETAIL-EU", 1)


@pytest.fixture
def state(line: Line) -> SqlState:
    return line.pipeline.state


@pytest.fixture
def keeper_of(state: SqlState, mappings: Path, clock: ManualClock) -> Callable[..., MappingKeeper]:
    """A keeper as a process has it; each call is another process."""

    def make(*, looks_on: bool = False) -> MappingKeeper:
        return MappingKeeper(MappingSource(mappings), state, clock, looks_on=looks_on)

    return make


def customer(keeper: MappingKeeper) -> str:
    """Whom the first organisation orders for."""
    _, accounts = keeper.current()
    found = accounts.find(None, OrganisationId("org-12"), BuyerRecord())
    assert isinstance(found, Usable)
    return found.customer_id.value


def kept(state: SqlState) -> GoodMapping | None:
    with state.transaction() as transaction:
        return transaction.mappings.last_good()


def edit(mappings: Path, text: str) -> None:
    """As editors do it, so that the file is another one."""
    beside = mappings / ".customers.csv.new"
    beside.write_text(text)
    beside.replace(mappings / "customers.csv")


def test_the_first_good_mapping_is_kept_in_the_state(
    keeper_of: Callable[..., MappingKeeper], state: SqlState
) -> None:
    keeper = keeper_of()
    assert kept(state) is None
    loaded, _ = keeper.current()
    good = kept(state)
    assert good is not None
    assert good.version == loaded.version
    assert good.files["customers.csv"] == CUSTOMERS
    assert customer(keeper) == "C-1001"


def test_an_edit_counts_when_the_folder_is_looked_at_and_not_before(
    keeper_of: Callable[..., MappingKeeper], mappings: Path
) -> None:
    keeper = keeper_of()
    before = keeper.current()
    assert not keeper.reload_if_edited()
    edit(mappings, GOOD_EDIT)
    assert keeper.current() is before, "a run goes on with the version that it began with"
    assert keeper.reload_if_edited()
    assert customer(keeper) == "C-2002"
    assert not keeper.reload_if_edited()


@pytest.mark.rule("OP-4", "WA-2c")
def test_a_file_that_is_still_being_copied_is_not_believed(
    keeper_of: Callable[..., MappingKeeper], mappings: Path
) -> None:
    keeper = keeper_of()
    keeper.current()
    rows = CUSTOMERS.splitlines(keepends=True)
    for end in range(1, len(rows)):  # each look finds one row more
        edit(mappings, "".join(rows[:end]))
        assert not keeper.reload_if_edited(at_rest=True)
        assert customer(keeper) == "C-1001"
    edit(mappings, GOOD_EDIT)
    assert not keeper.reload_if_edited(at_rest=True)
    assert keeper.reload_if_edited(at_rest=True), "it stayed as it was"
    assert customer(keeper) == "C-2002"
    assert not keeper.reload_if_edited(at_rest=True)


@pytest.fixture
def keeper(keeper_of: Callable[..., MappingKeeper]) -> MappingKeeper:
    return keeper_of()


ORG, THEIRS = OrganisationId("org-new"), CustomerId("C-2002")


@pytest.fixture
def files(mappings: Path, state: SqlState, clock: ManualClock) -> MappingFiles:
    return MappingFiles(mappings, state, clock)


def mapped(keeper: MappingKeeper) -> bool:
    return keeper.current()[1].find(None, ORG, BuyerRecord()) is not None


@pytest.mark.rule("OP-4", "VE-9")
def test_a_programs_own_edit_of_what_is_in_force_counts_at_once_and_is_found_all_the_same(
    keeper: MappingKeeper, files: MappingFiles, state: SqlState
) -> None:
    keeper.current()
    before, after = files.put_assignment(ORG, THEIRS, "ann", "checked")
    assert not mapped(keeper)
    assert keeper.take_up(before, after)
    assert mapped(keeper)
    good = kept(state)
    assert good is not None
    assert good.version == after
    # Whoever looks at the folder has the mirrors run, once it is at rest.
    looked = [keeper.reload_if_edited(at_rest=True) for _ in range(3)]
    assert looked == [False, True, False]


@pytest.mark.rule("OP-4", "WA-2c")
@pytest.mark.parametrize("before", [True, False])
def test_what_somebody_else_writes_meanwhile_is_not_taken_up_with_it(
    keeper: MappingKeeper, files: MappingFiles, mappings: Path, before: bool
) -> None:
    """A table that is being copied may be sound line by line and end too early."""
    in_force = keeper.current()
    short = "".join(CUSTOMERS.splitlines(keepends=True)[:2])
    if before:
        edit(mappings, short)
    versions = files.put_assignment(ORG, THEIRS, "ann", "checked")
    if not before:
        edit(mappings, short)
    assert not keeper.take_up(*versions)
    assert keeper.current() is in_force


def test_a_bad_edit_leaves_the_last_good_version_in_force(
    keeper_of: Callable[..., MappingKeeper], mappings: Path, state: SqlState
) -> None:
    keeper = keeper_of()
    version = keeper.current()[0].version
    edit(mappings, BAD_EDIT)
    assert keeper.reload_if_edited()
    loaded, _ = keeper.current()
    assert loaded.from_last_good
    assert loaded.version == version
    assert customer(keeper) == "C-1001"
    good = kept(state)
    assert good is not None
    assert good.version == version
    assert good.refused_problems[0].startswith("customers.csv:2:")
    assert not keeper.reload_if_edited(), "told once, not at every look"


def test_a_restart_does_not_bring_a_bad_edit_into_force(
    keeper_of: Callable[..., MappingKeeper], mappings: Path, state: SqlState
) -> None:
    version = keeper_of().current()[0].version
    edit(mappings, BAD_EDIT)
    restarted = keeper_of()
    assert restarted.current()[0].version == version
    assert customer(restarted) == "C-1001"
    good = kept(state)
    assert good is not None
    assert good.refused_problems


@pytest.mark.parametrize("cure", [CUSTOMERS, GOOD_EDIT], ids=["taken back", "corrected"])
def test_after_a_correction_nothing_is_refused_any_more(
    keeper_of: Callable[..., MappingKeeper], mappings: Path, state: SqlState, cure: str
) -> None:
    keeper = keeper_of()
    keeper.current()
    edit(mappings, BAD_EDIT)
    keeper.reload()
    edit(mappings, cure)
    assert keeper.reload_if_edited()
    loaded, _ = keeper.current()
    assert not loaded.from_last_good
    good = kept(state)
    assert good is not None
    assert good.version == loaded.version
    assert good.refused_version is None
    assert good.refused_problems == ()


def test_without_any_good_version_there_is_nothing_to_run_on(
    keeper_of: Callable[..., MappingKeeper], mappings: Path, state: SqlState
) -> None:
    edit(mappings, BAD_EDIT)
    keeper = keeper_of()
    with pytest.raises(Misconfigured, match=r"customers\.csv:2:"):
        keeper.current()
    assert kept(state) is None
    edit(mappings, CUSTOMERS)
    assert customer(keeper) == "C-1001", "it is read again as soon as it is right"


def test_a_folder_that_is_gone_leaves_the_last_good_version_in_force(
    keeper_of: Callable[..., MappingKeeper], mappings: Path
) -> None:
    keeper = keeper_of()
    keeper.current()
    mappings.rename(mappings.with_name("elsewhere"))
    assert keeper.reload_if_edited()
    assert customer(keeper) == "C-1001"
    assert customer(keeper_of()) == "C-1001"
    mappings.with_name("elsewhere").rename(mappings)
    assert keeper.reload_if_edited()
    assert not keeper.current()[0].from_last_good


def test_half_of_a_restore_leaves_the_last_good_version_in_force(
    keeper_of: Callable[..., MappingKeeper], mappings: Path, state: SqlState
) -> None:
    """Both halves may be sound by themselves; only the mark tells."""
    keeper = keeper_of()
    keeper.current()
    (mappings / MARK).touch()
    edit(mappings, GOOD_EDIT)
    assert keeper.reload_if_edited()
    assert customer(keeper) == customer(keeper_of()) == "C-1001"
    good = kept(state)
    assert good is not None
    assert "restore stopped" in good.refused_problems[0]
    (mappings / MARK).unlink()
    assert keeper.reload_if_edited(), "although no file was touched"
    assert customer(keeper) == "C-2002"


def test_each_version_is_kept_with_the_number_of_its_assignments(
    keeper_of: Callable[..., MappingKeeper], mappings: Path, state: SqlState
) -> None:
    keeper = keeper_of()
    first, _ = keeper.current()
    edit(mappings, CUSTOMERS + CUSTOMERS.splitlines()[1].replace("org-12", "org-99"))
    keeper.reload()
    with state.transaction() as transaction:
        newest, oldest = transaction.mappings.kept()
    assert oldest.version == first.version
    assert oldest.counts["assignments"] == len(first.mapping.assignments)
    assert newest.counts["assignments"] == len(first.mapping.assignments) + 1


def test_who_only_looks_on_keeps_nothing(
    keeper_of: Callable[..., MappingKeeper], mappings: Path, state: SqlState
) -> None:
    assert customer(keeper_of(looks_on=True)) == "C-1001"
    assert kept(state) is None
    keeper_of().current()
    good = kept(state)
    edit(mappings, GOOD_EDIT)
    assert customer(keeper_of(looks_on=True)) == "C-2002"
    edit(mappings, BAD_EDIT)
    looking = keeper_of(looks_on=True)
    assert looking.current()[0].from_last_good
    assert kept(state) == good


def test_looking_whether_a_file_was_edited_takes_no_time(
    keeper_of: Callable[..., MappingKeeper],
) -> None:
    keeper = keeper_of()
    keeper.current()
    begun = time.process_time()
    assert not any(keeper.reload_if_edited() for _ in range(100))
    assert time.process_time() - begun < 1


def noted(state: SqlState) -> list[tuple[str, str, str]]:
    with state.transaction() as on:
        return [(each.actor, each.action, each.subject) for each in reversed(on.audit.entries())]


def test_an_edit_by_hand_is_in_the_audit_trail_with_both_versions(
    keeper_of: Callable[..., MappingKeeper], state: SqlState, mappings: Path
) -> None:
    keeper = keeper_of()
    first = keeper.current()[0].version
    assert noted(state) == [], "the first version is no edit"
    edit(mappings, GOOD_EDIT)
    second = keeper.reload().version
    keeper.reload()
    edit(mappings, BAD_EDIT)
    keeper.reload()
    edit(mappings, GOOD_EDIT)
    keeper.reload()

    [(actor, event, told)] = noted(state)
    assert (actor, event) == ("by hand", "edited")
    assert f"(mapping {first} -> {second})" in told


def test_what_a_command_noted_is_not_noted_again_and_hides_no_edit_before_it(
    keeper_of: Callable[..., MappingKeeper], state: SqlState, mappings: Path, clock: ManualClock
) -> None:
    keeper = keeper_of()
    first = keeper.current()[0].version
    files = MappingFiles(mappings, state, clock)

    def assign(user: str) -> tuple[str, str]:
        wanted = Edit(user, "", "C-2002")
        return files.edit("alice", "map", user, "x", lambda texts: edited(texts, wanted))

    assign("u-1")
    _, second = assign("u-2")
    assert keeper.reload().version == second
    assert [actor for actor, _, _ in noted(state)] == ["alice", "alice"]

    edit(mappings, (mappings / "customers.csv").read_text().replace("C-1001", "C-2002", 1))
    between, third = assign("u-3")
    assert keeper.reload().version == third

    by_hand = [told for actor, _, told in noted(state) if actor == "by hand"]
    assert len(by_hand) == 1
    assert f"(mapping {second} -> {between})" in by_hand[0]
    assert first not in by_hand[0]


def test_a_version_that_a_command_made_once_is_noted_when_it_comes_back_by_hand(
    keeper_of: Callable[..., MappingKeeper], state: SqlState, mappings: Path, clock: ManualClock
) -> None:
    keeper = keeper_of()
    first, files = keeper.current()[0].version, MappingFiles(mappings, state, clock)
    texts = {"before": (mappings / "customers.csv").read_text()}
    wanted = Edit("u-1", "", "C-2002")
    _, second = files.edit("alice", "map", "u-1", "x", lambda held: edited(held, wanted))
    texts["after"] = (mappings / "customers.csv").read_text()
    for held in ("after", "before", "after"):
        clock.advance(60)
        edit(mappings, texts[held])
        keeper.reload()

    told = [detail for actor, _, detail in noted(state) if actor == "by hand"]
    assert [f"({first} -> {second})" in each.replace("mapping ", "") for each in told] == [
        False,
        True,
    ]
