"""An order becomes visible to the ERP once and whole, wherever the writing is interrupted.

Every file operation of a submit is made to fail in every way, and in pairs of
ways; the engine's rule is then followed: look first, send only what is not there.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from erp_adapters.sql.profile_model import Profile
from sync.domain.ids import ErpOrderNumber
from sync.domain.sales_order import FoundOrder, SalesOrder
from sync.errors import OutcomeUnknown, SyncError, TryLater
from sync.kit.key_names import safe_name
from sync.testing import builders as a
from tests.unit.sql.file_drop_kit import (
    IN,
    REFUSED,
    Crash,
    Fault,
    Importer,
    MemoryDisk,
    Site,
    order,
    profile,
)

STEM = safe_name(a.KEY)
HEADER = f"SOH_{STEM}.txt"
KILLED = (Fault.CRASH_BEFORE, Fault.CRASH_AFTER, Fault.CRASH_HALFWAY)
FAILED = (Fault.NO_SPACE, Fault.FAILED, Fault.REPLY_LOST, Fault.TIMED_OUT)
ATTEMPTS = 8


@pytest.fixture(scope="module")
def quay(tmp_path_factory: pytest.TempPathFactory) -> Profile:
    return profile(tmp_path_factory.mktemp("quay"))


def brought_in(site: Site, wanted: SalesOrder, erp: Importer, *, replays: int = 0) -> FoundOrder:
    """What the engine does until the order is in: look, send, start again.

    A person replays it as often as said after the ERP has refused it.
    """
    for _ in range(ATTEMPTS):
        try:
            held = site.find()
            if held is not None and held.refusal is not None and replays:
                replays -= 1
                erp.refusing = ""
                site.send(wanted)
            elif held is not None:
                return held
            else:
                site.send(wanted)
        except (TryLater, OutcomeUnknown):
            continue
        except Crash:
            site.started()
    raise AssertionError("it never came in")


def operations(quay: Profile) -> int:
    disk = MemoryDisk()
    Site(quay, disk).send(order())
    return len(disk.operations)


def once(*faults: Fault) -> Iterator[tuple[int, Fault]]:
    """Every operation of an undisturbed submit, and some that only a recovery has."""
    return itertools.product(range(1, 45), faults)


def assert_once(erp: Importer) -> None:
    assert erp.torn == []
    assert sorted(erp.shown.values()) == [1, 1], erp.shown
    assert all(len(contents) == 1 for contents in erp.contents.values())
    assert erp.orders == [a.KEY.value]


@pytest.mark.rule("WA-14", "OI-1")
@pytest.mark.parametrize("eager", [True, False], ids=["picked up at once", "picked up at night"])
@pytest.mark.parametrize("slow", [True, False], ids=["answered later", "answered at once"])
def test_one_failure_anywhere_leaves_one_order(quay: Profile, eager: bool, slow: bool) -> None:
    for at, fault in once(*KILLED, *FAILED):
        disk = MemoryDisk({at: fault})
        erp = Importer(disk, slow=slow)
        disk.after_change = erp.run if eager else erp.look
        site = Site(quay, disk)
        brought_in(site, order(), erp)
        erp.run()
        erp.answer_all()
        disk.faults.clear()

        assert_once(erp)
        held = site.find()
        assert held is not None
        assert held.number == ErpOrderNumber("SO-1")


@pytest.mark.rule("WA-14", "OI-1")
def test_two_failures_anywhere_leave_one_order(quay: Profile) -> None:
    faults = (Fault.CRASH_AFTER, Fault.REPLY_LOST)
    for first, second in itertools.combinations(range(1, operations(quay) + 8), 2):
        for pair in itertools.product(faults, repeat=2):
            disk = MemoryDisk(dict(zip((first, second), pair, strict=True)))
            erp = Importer(disk, slow=True)
            disk.after_change = erp.run
            brought_in(Site(quay, disk), order(), erp)
            erp.run()

            assert_once(erp)


@pytest.mark.rule("WA-14", "OI-1")
@pytest.mark.parametrize("half_done", [False, True], ids=["from the start", "after a crash"])
def test_a_writer_that_froze_shows_nothing_twice_when_it_comes_to_life(
    quay: Profile, half_done: bool
) -> None:
    """It stands still after each of its changes in turn, while another process takes over."""
    frozen = 0
    for at in range(1, 30):
        disk = MemoryDisk()
        erp = Importer(disk)
        if half_done:
            disk.faults[operations(quay) - 4] = Fault.CRASH_BEFORE
            with pytest.raises(Crash):
                Site(quay, disk).send(order(po_number="as it was before"))
            disk.faults.clear()
        left = at

        def change(disk: MemoryDisk = disk, erp: Importer = erp) -> None:
            nonlocal left, frozen
            erp.look()
            left -= 1
            if left == 0:
                frozen += 1
                take_over(Site(quay, disk), erp)

        disk.after_change = change
        Site(quay, disk).send(order())
        erp.run()

        assert_once(erp)
        if left > 0:
            break
    assert frozen >= 10


def take_over(site: Site, erp: Importer) -> None:
    if site.find() is None:
        with pytest.raises(OutcomeUnknown, match="another process"):
            site.send(order())


@pytest.mark.rule("WA-14", "OI-1")
def test_a_loss_of_power_anywhere_leaves_one_order(quay: Profile) -> None:
    for at, _ in once(Fault.POWER_LOST):
        disk = MemoryDisk({at: Fault.POWER_LOST})
        erp = Importer(disk)
        brought_in(Site(quay, disk), order(), erp)
        erp.run()

        assert_once(erp)


@pytest.mark.rule("WA-13", "WA-14", "OI-2")
def test_a_refused_order_that_is_sent_again_arrives_once_wherever_it_is_interrupted(
    quay: Profile,
) -> None:
    for at, fault in once(*KILLED, *FAILED):
        disk = MemoryDisk()
        erp = Importer(disk, refusing="customer is inactive")
        site = Site(quay, disk)
        site.send(order())
        erp.run()
        refused = site.find()
        assert refused is not None
        assert refused.refusal == "customer is inactive"
        disk.faults = {len(disk.operations) + at: fault}
        disk.after_change = erp.look

        # Somebody replays once more where an interruption left it refused.
        held = brought_in(site, order(), erp, replays=3)
        erp.run()

        assert held.refusal is None, (at, fault)
        assert erp.orders == [a.KEY.value]
        assert erp.torn == []
        assert sorted(erp.shown.values()) == [2, 2], "one showing for each time it was sent"
        aside = disk.in_folder(REFUSED)
        assert len([name for name in aside if name.endswith(".log.1")]) == 1
        assert len([name for name in aside if name.endswith(".json.1")]) == 1


@pytest.mark.rule("WA-14", "OI-1")
def test_an_order_that_changed_after_a_crash_goes_out_as_it_is_now(quay: Profile) -> None:
    changed = order(po_number="PO 2")
    for at, fault in once(*KILLED):
        disk = MemoryDisk({at: fault})
        erp = Importer(disk)
        disk.after_change = erp.look
        site = Site(quay, disk)
        try:
            site.send(order())
        except Crash:
            site.started()
        disk.faults.clear()
        if site.find() is None:
            brought_in(site, changed, erp)
            [header] = erp.contents[HEADER]
            assert b"PO 2" in header
        erp.run()

        assert erp.orders == [a.KEY.value]
        assert erp.torn == []
        assert erp.shown[HEADER] == 1


@pytest.mark.rule("WA-14", "OI-1")
def test_a_changed_order_is_not_lost_by_a_second_crash(quay: Profile) -> None:
    changed = order(po_number="PO 2")
    clean = MemoryDisk()
    Site(quay, clean).send(order())
    [header_shown] = [
        at for at, name in enumerate(clean.operations, 1) if name.startswith("rename .SOH")
    ]
    for at, fault in once(*KILLED):
        disk = MemoryDisk({header_shown: Fault.CRASH_BEFORE})
        erp = Importer(disk)
        disk.after_change = erp.look
        site = Site(quay, disk)
        with pytest.raises(Crash):
            site.send(order())
        site.started()
        disk.faults = {header_shown + at: fault}
        brought_in(site, changed, erp)
        erp.run()

        assert erp.orders == [a.KEY.value]
        assert erp.torn == []
        [header] = erp.contents[HEADER]
        assert b"PO 2" in header


@pytest.mark.rule("WA-14")
def test_come_again_is_said_only_while_nothing_is_visible(quay: Profile) -> None:
    for at, fault in once(*FAILED):
        disk = MemoryDisk({at: fault})
        told: SyncError | None = None
        try:
            Site(quay, disk).send(order())
        except SyncError as error:
            told = error

        visible = [name for name in disk.in_folder(IN) if not name.startswith(".")]
        assert isinstance(told, TryLater | OutcomeUnknown | None)
        assert not (isinstance(told, TryLater) and visible), (disk.operations[at - 1], fault)


@pytest.mark.rule("WA-14")
def test_a_full_disk_shows_nothing_and_gives_the_room_back(quay: Profile) -> None:
    clean = MemoryDisk()
    Site(quay, clean).send(order())
    writes = [at for at, name in enumerate(clean.operations, 1) if name.startswith("write .SO")]
    assert len(writes) == 2
    for at in writes:
        disk = MemoryDisk({at: Fault.NO_SPACE})
        with pytest.raises(TryLater, match="No space left"):
            Site(quay, disk).send(order())

        assert disk.in_folder(IN) == {}


@pytest.mark.rule("WA-14", "OI-1")
@pytest.mark.parametrize("fault", [Fault.TIMED_OUT, Fault.FAILED, Fault.REPLY_LOST])
def test_a_rename_without_an_answer_is_an_unknown_outcome(quay: Profile, fault: Fault) -> None:
    clean = MemoryDisk()
    Site(quay, clean).send(order())
    shows = [at for at, name in enumerate(clean.operations, 1) if name.startswith("rename .SO")]
    assert len(shows) == 2
    for at in shows:
        disk = MemoryDisk({at: fault})
        with pytest.raises(OutcomeUnknown, match="showing order W-10482"):
            Site(quay, disk).send(order())


def test_every_step_is_on_the_disk_before_the_next_begins(quay: Profile) -> None:
    disk = MemoryDisk()
    Site(quay, disk).send(order())

    changing = [name for name in disk.operations if name.startswith(("write", "rename", "settle"))]
    assert [name.replace(STEM, "") for name in changing] == [
        "write .SOL_.txt.part",
        "write .SOH_.txt.part",
        "settle in",
        "write ..json.part",
        "rename ..json.part",
        "settle sent",
        "rename .SOL_.txt.part",
        "settle in",
        "rename .SOH_.txt.part",
        "settle in",
    ]
